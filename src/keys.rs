//! Where do new keys come from? Sequences, and UUIDs ordered by time.

#[cfg(feature = "uuid")]
use crate::sync::Mutex;
use crate::sync::{Arc, NameMap, Ordering, StatsCounter};

/// Numbers for new keys. Each number is returned once in this process, over all threads. Clones are the same sequence.
///
/// Numbers ascend, but gaps are possible: a number that you took for a record and did not store is not returned again. A
/// sequence does not know the stored records; after loading some, move it past their keys with
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
    next: Arc<StatsCounter>,
}

impl Sequence {
    /// A sequence that starts at 1.
    pub fn new() -> Self {
        Sequence::starting_at(1)
    }

    /// A sequence that starts at `first`.
    pub fn starting_at(first: u64) -> Self {
        Sequence { next: Arc::new(StatsCounter::new(first)) }
    }

    /// Takes the next number. After `u64::MAX` comes 0. Costs one atomic addition.
    // Not an iterator: this takes `&self` and never ends.
    pub fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The number that comes next.
    pub(crate) fn peek(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    /// Skips all numbers below `first`.
    pub fn skip_to(&self, first: u64) {
        self.next.fetch_max(first, Ordering::Relaxed);
    }
}

impl Default for Sequence {
    fn default() -> Self {
        Sequence::new()
    }
}

/// The key generators of a store.
pub(crate) struct KeyMakers {
    sequences: NameMap<Sequence>,
    #[cfg(feature = "uuid")]
    v7: Mutex<uuid::ContextV7>,
}

impl KeyMakers {
    pub(crate) fn new() -> Self {
        KeyMakers::with(NameMap::default())
    }

    fn with(sequences: NameMap<Sequence>) -> Self {
        KeyMakers {
            sequences,
            #[cfg(feature = "uuid")]
            v7: Mutex::new(uuid::ContextV7::new()),
        }
    }

    /// Those of a fork: the sequences at their numbers.
    pub(crate) fn fork(&self) -> Self {
        let forked = KeyMakers::with(NameMap::small());
        for (name, next) in self.sequences() {
            forked.sequences.get_or_insert(&name, Sequence::starting_at(next));
        }
        forked
    }

    /// Has the sequences continue with these numbers, and the others with 1.
    pub(crate) fn set_numbers(&self, numbers: &[(Box<str>, u64)]) {
        for (name, sequence) in self.sequences.entries() {
            let next = numbers.iter().find(|(of, _)| *of == name).map_or(1, |(_, next)| *next);
            sequence.next.store(next, Ordering::Relaxed);
        }
    }

    /// The sequence of this name. The first call makes it, from 1.
    pub(crate) fn sequence(&self, name: &str) -> Sequence {
        self.sequences.get(name).unwrap_or_else(|| self.sequences.get_or_insert(name, Sequence::new()))
    }

    /// The sequences by name, each with its next number, in the order of the names.
    pub(crate) fn sequences(&self) -> Vec<(Box<str>, u64)> {
        let mut all: Vec<_> = self.sequences.entries().into_iter().map(|(name, of)| (name, of.peek())).collect();
        all.sort_unstable();
        all
    }

    /// A UUID with this time, greater than all earlier ones of this store.
    #[cfg(feature = "uuid")]
    pub(crate) fn uuid_v7(&self, now: crate::clock::Timestamp) -> uuid::Uuid {
        // A UUID holds no time before 1970.
        let micros = now.as_micros().max(0).unsigned_abs();
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let context = self.v7.lock();
        // Under the lock: the context counts within a millisecond, and never moves its time back.
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
        let taken = crate::sync::thread::scope(|scope| {
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
