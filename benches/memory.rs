//! Additional memory of a million payments, counted by the allocator: in memdex with four equality indexes, also by
//! the store's own statistics, and in the hand-written structures.
//!
//! The payments themselves count as their size in a `Vec`, including strings. The benchmark counts requested bytes; the
//! allocator's rounding comes on top on both sides.

use memdex_benches::peer::ByHand;
use memdex_benches::{PAYMENTS, Payment, payments, stored};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system allocator with a counter of the bytes in use.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is forwarded to the system allocator unchanged; the counter does not touch its memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's guarantees are those that the system allocator requires.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above, and `memory` came from the system allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The result of `make`, and the bytes in use because of it.
fn counted<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.load(Relaxed);
    let made = make();
    (made, LIVE.load(Relaxed) - before)
}

fn line(what: &str, bytes: usize) {
    println!("{what:<42}{:>9.1}", bytes as f64 / PAYMENTS as f64);
}

fn main() {
    println!("bytes a payment, {PAYMENTS} payments");
    let (records, themselves) = counted(payments);
    drop::<Vec<Payment>>(records);
    line("the payments themselves", themselves);

    let ((store, collection), all) = counted(|| stored(payments()));
    line("memdex, besides", all - themselves);
    let stats = store.stats();
    let memory = stats.collections[0].memory;
    let parts = [
        ("versions", memory.versions),
        ("key table", memory.key_table),
        ("row pages", memory.row_pages),
        ("indexes", memory.indexes),
        ("codes", memory.back_references),
        ("bookkeeping", memory.bookkeeping),
        ("all of these", memory.overhead()),
    ];
    parts.into_iter().for_each(|(part, bytes)| line(&format!("  by its own account: {part}"), bytes));
    drop((store, collection));

    let (by_hand, all) = counted(|| ByHand::of(payments()));
    line("DashMap + HashSet, besides", all - themselves);
    drop(by_hand);
}
