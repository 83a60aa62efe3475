//! Loads a million payments with six indexes into an empty store, in batches of 1,000, compared with SQLite in memory.
//! One second means one microsecond a payment.

use crate::data::{loaded, payments};
use crate::durations::{Durations, heading, line, ratio};
use crate::sqlite;
use memdex_benches::PAYMENTS;

/// Both sides take turns, so that a slow phase of the machine affects both.
const ROUNDS: usize = 3;

pub(crate) fn run() {
    heading("ingest");
    let payments = payments();
    let (mut memdex, mut peer) = (Durations::default(), Durations::default());
    for _ in 0..ROUNDS {
        let copy = payments.clone();
        let store = memdex.time(|| loaded(copy));
        assert_eq!(store.1.len(), PAYMENTS);
        drop(store);
        let copy = payments.clone();
        let data_base = peer.time(|| sqlite::loaded(copy).expect("nothing refuses a payment"));
        assert_eq!(sqlite::count(&data_base), Ok(PAYMENTS as i64));
    }
    for (name, times) in [("memdex", &memdex), ("SQLite", &peer)] {
        line(name, format_args!("{:.2?} median, {:.2?} least", times.median(), times.least()));
    }
    ratio("memdex / SQLite, medians", memdex.median(), peer.median(), "0.2");
    ratio("memdex / SQLite, least", memdex.least(), peer.least(), "0.2");
}
