//! The background writer: what shares a commit and what nobody may notice of it, what tickets say, the bounds of its
//! queue, and how it ends. How it dies is in the library's own tests, and under the concurrency checker.

mod ends;
mod queue;
mod tickets;
mod together;

use crate::user_code::watched;
use memdex::write::Ticket;
use memdex::{BackgroundWriter, Batch, Collection, Record, Store};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(index)]
    label: String,
    value: i64,
}

fn item(id: u32, value: i64) -> Item {
    Item { id, label: format!("of {}", value % 3), value }
}

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(10_000);

/// A store with one record, at which a commit can be held up.
struct Bed {
    store: Store,
    items: Collection<Item>,
}

const GATE: u32 = u32::MAX;

impl Bed {
    fn new() -> Self {
        let store = Store::new();
        let items = store.collection("items").unwrap();
        items.insert(item(GATE, 0)).unwrap();
        Bed { store, items }
    }

    /// A background writer that flushes what is there.
    fn eager(&self) -> BackgroundWriter {
        self.store.background_writer().linger(Duration::ZERO).start().unwrap()
    }

    fn batch(&self, items: impl IntoIterator<Item = Item>) -> Batch {
        let mut batch = self.store.batch();
        items.into_iter().try_for_each(|item| batch.insert(&self.items, item)).unwrap();
        batch
    }

    /// Has the flusher hang in a commit, until it is let go.
    fn hold(&self, background: &BackgroundWriter) -> Held {
        let ((here, is_here), (go_on, may_go_on)) = (channel(), channel());
        let may_go_on = Mutex::new(may_go_on);
        let hang = move |_: &mut Item| {
            here.send(()).unwrap();
            // When the other end is dropped, too.
            let _ = Receiver::<()>::recv(&may_go_on.lock().unwrap());
        };
        let ticket = background.submit_with(|batch| batch.update(&self.items, GATE, hang)).unwrap();
        is_here.recv_timeout(Duration::from_secs(60)).unwrap();
        Held { go_on, ticket }
    }

    /// All but the gate, in order.
    fn state(&self) -> Vec<Item> {
        let mut state: Vec<Item> =
            self.items.iter().filter(|item| item.id != GATE).map(|item| Item::clone(&item)).collect();
        state.sort();
        state
    }
}

/// A commit that hangs.
struct Held {
    go_on: Sender<()>,
    ticket: Ticket,
}

impl Held {
    fn let_go(mut self) {
        self.go_on.send(()).unwrap();
        self.ticket.wait_timeout(Duration::from_secs(60)).expect("it goes on").unwrap();
    }
}
