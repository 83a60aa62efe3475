//! Where do new keys come from? Sequences, and UUIDs ordered by time.

use crate::sync::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers for new keys: each is given out once in this process, to whichever thread asks first. Clones are the same sequence.
///
/// Numbers ascend, but gaps are possible: one that was taken for a record that was refused, or never stored, does not come
/// again. A sequence knows nothing of the records that there are, so after loading some, move it past them with
/// [`skip_to`](Sequence::skip_to).
///
/// ```
/// use memdex::{Record, Store};
///
/// #[derive(Record)]
/// struct Payment { #[record(key)] id: u64, #[record(field)] amount_cents: i64 }
///
/// let store = Store::new();
/// let payments = store.collection::<Payment>("Payment")?;
/// let ids = store.sequence("Payment");
///
/// let id = ids.next();
/// payments.insert(Payment { id, amount_cents: 500 })?;
/// assert_eq!(payments.get(id).ok_or("no such payment")?.amount_cents, 500);
///
/// payments.insert(Payment { id: 1_000, amount_cents: 700 })?; // a key from elsewhere
/// ids.skip_to(1_001);
/// assert_eq!(ids.next(), 1_001);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Sequence {
    next: Arc<AtomicU64>,
}

impl Sequence {
    /// A sequence from 1.
    pub fn new() -> Self {
        Sequence::starting_at(1)
    }

    /// A sequence whose first number this is.
    pub fn starting_at(first: u64) -> Self {
        Sequence { next: Arc::new(AtomicU64::new(first)) }
    }

    /// The next number. After `u64::MAX` comes 0. One atomic addition.
    // Not that of an iterator: it takes the sequence shared, and never ends.
    pub fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Leaves out all numbers below `first`, if there are any left.
    pub fn skip_to(&self, first: u64) {
        self.next.fetch_max(first, Ordering::Relaxed);
    }
}

impl Default for Sequence {
    fn default() -> Self {
        Sequence::new()
    }
}

/// What a store makes keys with.
pub(crate) struct KeyMakers {
    sequences: Mutex<HashMap<String, Sequence>>,
    #[cfg(feature = "uuid")]
    v7: Mutex<uuid::ContextV7>,
}

impl KeyMakers {
    pub(crate) fn new() -> Self {
        KeyMakers {
            sequences: Mutex::new(HashMap::new()),
            #[cfg(feature = "uuid")]
            v7: Mutex::new(uuid::ContextV7::new()),
        }
    }

    /// The sequence of this name, from 1 if nobody has asked for it yet.
    pub(crate) fn sequence(&self, name: &str) -> Sequence {
        let mut sequences = self.sequences.lock();
        match sequences.get(name) {
            Some(sequence) => sequence.clone(),
            None => sequences.entry(name.to_owned()).or_default().clone(),
        }
    }

    /// A UUID of this moment, above all earlier ones of this store.
    #[cfg(feature = "uuid")]
    pub(crate) fn uuid_v7(&self, now: crate::clock::Timestamp) -> uuid::Uuid {
        // A UUID holds no time before 1970.
        let micros = now.as_micros().max(0).unsigned_abs();
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let context = self.v7.lock();
        // Made under the lock: the context counts, and moves its time on rather than back.
        uuid::Uuid::new_v7(uuid::Timestamp::from_unix(&*context, seconds, micros as u32 * 1_000))
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_given_out_once_to_all_threads() {
        let sequence = Sequence::new();
        let taken = std::thread::scope(|scope| {
            let take = |_| {
                let sequence = sequence.clone();
                scope.spawn(move || (0..1_000).map(|_| sequence.next()).collect::<Vec<u64>>())
            };
            let threads: Vec<_> = (0..4).map(take).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(taken.iter().all(|numbers| numbers.is_sorted()), "each thread sees them ascend");
        let distinct: HashSet<u64> = taken.into_iter().flatten().collect();
        assert_eq!((distinct.len(), distinct.iter().min(), distinct.iter().max()), (4_000, Some(&1), Some(&4_000)));
    }

    #[test]
    fn a_sequence_skips_forward_only_and_starts_over_at_its_end() {
        let sequence = Sequence::starting_at(10);
        sequence.skip_to(5);
        assert_eq!(sequence.next(), 10);
        sequence.skip_to(u64::MAX);
        assert_eq!((sequence.next(), sequence.next()), (u64::MAX, 0));
    }

    #[test]
    fn a_name_leads_to_one_sequence() {
        let makers = KeyMakers::new();
        assert_eq!((makers.sequence("a").next(), makers.sequence("a").next(), makers.sequence("b").next()), (1, 2, 1));
    }
}
