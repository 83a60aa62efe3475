//! Memory that a million payments take besides themselves, as the allocator counts it: in memdex with four equality
//! indexes, by what the store says of itself, and in the structures by hand.
//!
//! The payments themselves are what they take in a `Vec`, strings included. Counted are the bytes that were asked for;
//! what an allocator rounds up comes on top of either.

use memdex_benches::peer::ByHand;
use memdex_benches::{PAYMENTS, Payment, payments, stored};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, with a count of the bytes that are in use.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is handed to the system's allocator unchanged; the count touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Relaxed);
        // SAFETY: the caller's promises are those that the system's allocator asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above, and `memory` came from the system's allocator.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `make` returns, and the bytes that are in use because of it.
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
        ("codes", memory.codes),
        ("bookkeeping", memory.bookkeeping),
        ("all of these", memory.overhead()),
    ];
    parts.into_iter().for_each(|(part, bytes)| line(&format!("  by its own account: {part}"), bytes));
    drop((store, collection));

    let (by_hand, all) = counted(|| ByHand::of(payments()));
    line("DashMap + HashSet, besides", all - themselves);
    drop(by_hand);
}
