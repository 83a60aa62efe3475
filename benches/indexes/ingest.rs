//! Loading a million payments with six indexes into nothing, in batches of 1,000, beside SQLite in memory. One second is
//! one microsecond a payment.

use crate::data::{loaded, payments};
use crate::figures::{Durations, heading, line, ratio};
use crate::sqlite;
use memdex_benches::PAYMENTS;

/// Each side in turn, so that what slows the machine for a while slows both.
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
