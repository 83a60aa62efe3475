//! The committer's side of a bound: the weight of each record, and the order in which they are evicted.

use super::bound::{Bounded, EvictionPolicy, Measured};
use super::oldest::Oldest;
use super::order::{Candidates, Item, Newest, Order};
use super::s3_fifo::S3Fifo;
use super::sieve::Sieve;
use super::soonest::Soonest;
use crate::clock::Timestamp;
use crate::rowset::Row;
use crate::storage::deadline::Deadline;

/// Guarded by the commit lock.
pub(crate) struct Queue {
    /// By row.
    entries: Vec<Entry>,
    order: Box<dyn Order>,
    /// The rows in the order: those that are not protected.
    queued: usize,
    /// Victims of the batch that is being staged, in the order in which they were taken.
    taken: Vec<Row>,
    usage: Usage,
}

/// The bound and what it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) limit: u64,
    pub(crate) by_weight: bool,
    pub(crate) policy: EvictionPolicy,
    /// The weight of all records.
    pub(crate) weight: u64,
    /// That of the protected ones.
    pub(crate) protected: u64,
    /// The records that were evicted, since the collection has a bound.
    pub(crate) evictions: u64,
}

#[derive(Clone, Copy, PartialEq)]
struct Entry {
    /// 0 if the row holds no record.
    weight: u64,
    is_protected: bool,
}

const EMPTY: Entry = Entry { weight: 0, is_protected: false };

/// The change of one row in a commit.
pub(crate) struct Moved<'a> {
    pub(crate) row: Row,
    pub(crate) hash: u32,
    pub(crate) deadline: &'a Deadline,
    /// The record that the row has now, if any.
    pub(crate) measured: Option<Measured>,
    /// Whether the record before was there for this commit: its place is kept.
    pub(crate) is_update: bool,
    /// Whether the row was a victim.
    pub(crate) is_evicted: bool,
}

impl Queue {
    /// Without records. `evictions` are those before.
    pub(crate) fn new(bounded: &Bounded, evictions: u64) -> Self {
        let Bounded { limit, by_weight, policy, .. } = *bounded;
        let order: Box<dyn Order> = match policy {
            EvictionPolicy::S3Fifo => Box::new(S3Fifo::new(limit)),
            EvictionPolicy::Sieve => Box::new(Sieve::new()),
            EvictionPolicy::OldestFirst => Box::new(Oldest::new()),
            EvictionPolicy::SoonestToExpire => Box::new(Soonest::new()),
        };
        let usage = Usage { limit, by_weight, policy, weight: 0, protected: 0, evictions };
        Queue { entries: Vec::new(), order, queued: 0, taken: Vec::new(), usage }
    }

    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// The weight of the record of a row; 0 if there is none.
    pub(crate) fn weight(&self, row: Row) -> u64 {
        self.entry(row).weight
    }

    /// The weight of the record of a row if it is protected.
    pub(crate) fn protected(&self, row: Row) -> u64 {
        let Entry { weight, is_protected } = self.entry(row);
        if is_protected { weight } else { 0 }
    }

    fn entry(&self, row: Row) -> Entry {
        self.entries.get(row as usize).copied().unwrap_or(EMPTY)
    }

    // ---- victims --------------------------------------------------------------------------------------------------

    /// Takes victims: as many as weigh `needed`, and then at most `more` as long as `wanted` is not reached. `exempt` rows, ascending,
    /// can't be victims. Returns what they weigh, which is less than `needed` if there are not enough. Follow it with
    /// [`apply`](Queue::apply) or [`undo`](Queue::undo).
    pub(crate) fn take(
        &mut self,
        exempt: &[Row],
        (needed, wanted): (u64, u64),
        more: usize,
        newest: &dyn Newest,
    ) -> u64 {
        let Queue { entries, order, queued, taken, .. } = self;
        let weights = |row: Row| entries[row as usize].weight;
        let is_queued = |row: &&Row| entries.get(**row as usize).is_some_and(|of| of.weight > 0 && !of.is_protected);
        let mut available = *queued - exempt.iter().filter(is_queued).count();
        let among = Candidates { newest, exempt, weights: &weights };
        let (mut weight, mut more) = (0, more);
        order.begin();
        while available > 0 && (weight < needed || (weight < wanted && more > 0)) {
            more -= usize::from(weight >= needed);
            let Some(row) = order.take(&among) else { break };
            weight += weights(row);
            taken.push(row);
            available -= 1;
        }
        weight
    }

    /// The rows that [`take`](Queue::take) has taken.
    pub(crate) fn taken(&self) -> &[Row] {
        &self.taken
    }

    /// The batch is refused: its victims stay.
    pub(crate) fn undo(&mut self, newest: &dyn Newest) {
        for row in std::mem::take(&mut self.taken).into_iter().rev() {
            let weight = self.weight(row);
            newest.read_newest(row, &mut |hash, deadline| {
                self.order.put_back(Item { row, weight, hash, deadline: deadline.time() });
            });
        }
    }

    // ---- the steps of a commit ------------------------------------------------------------------------------------

    /// The changes of a commit.
    pub(crate) fn apply<'a>(&mut self, moved: impl Iterator<Item = Moved<'a>>) {
        self.taken.clear();
        self.order.settle();
        for Moved { row, hash, deadline, measured, is_update, is_evicted } in moved {
            self.usage.evictions += u64::from(is_evicted);
            let before = self.entry(row);
            let stays = is_update && before.weight > 0;
            match measured {
                Some(measured) if stays && before.is_protected == measured.is_protected => {
                    self.set(row, measured);
                    if !measured.is_protected {
                        let item = Item { row, weight: measured.weight, hash, deadline: deadline.time() };
                        self.order.replace(item, before.weight);
                    }
                }
                measured => {
                    self.remove(row);
                    if let Some(measured) = measured {
                        self.insert(row, hash, deadline.time(), measured);
                    }
                }
            }
        }
    }

    /// Adds a record to a row without one.
    pub(crate) fn insert(&mut self, row: Row, hash: u32, deadline: Option<Timestamp>, measured: Measured) {
        self.set(row, measured);
        if !measured.is_protected {
            self.order.insert(Item { row, weight: measured.weight, hash, deadline });
            self.queued += 1;
        }
    }

    fn remove(&mut self, row: Row) {
        let Entry { weight, is_protected } = self.entry(row);
        if weight == 0 {
            return;
        }
        if !is_protected {
            self.order.remove(row, weight);
            self.queued -= 1;
        }
        self.count_out(row);
    }

    fn set(&mut self, row: Row, Measured { weight, is_protected }: Measured) {
        let place = row as usize;
        if place >= self.entries.len() {
            self.entries.resize(place + 1, EMPTY);
        }
        self.count_out(row);
        self.entries[place] = Entry { weight, is_protected };
        self.usage.weight += weight;
        self.usage.protected += if is_protected { weight } else { 0 };
    }

    fn count_out(&mut self, row: Row) {
        let Entry { weight, is_protected } = std::mem::replace(&mut self.entries[row as usize], EMPTY);
        self.usage.weight -= weight;
        self.usage.protected -= if is_protected { weight } else { 0 };
    }

    // ---- audits ---------------------------------------------------------------------------------------------------

    pub(crate) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.order.heap_bytes()
    }

    /// Compares it with the rows that hold records, ascending. Returns what is wrong.
    pub(crate) fn audit(&self, live: &[Row]) -> Vec<String> {
        let mut wrong = Vec::new();
        let rows = self.entries.iter().zip(0..);
        let weighed: Vec<Row> = rows.filter(|(entry, _)| entry.weight > 0).map(|(_, row)| row).collect();
        if weighed != live {
            wrong.push(format!("the bound has the weights of {} records, but there are {}", weighed.len(), live.len()));
        }
        let sum = |protected_only: bool| -> u64 {
            let counted = self.entries.iter().filter(|entry| entry.is_protected || !protected_only);
            counted.map(|entry| entry.weight).sum()
        };
        let Usage { weight, protected, limit, by_weight, .. } = self.usage;
        if (weight, protected) != (sum(false), sum(true)) {
            wrong.push(format!("the records weigh {}, but {weight} are counted", sum(false)));
        }
        if !by_weight && self.entries.iter().any(|entry| entry.weight > 1) {
            wrong.push(format!("a record weighs more than one under a bound of {limit} records"));
        }
        match self.order.rows() {
            None => wrong.push("the links of the order of eviction are damaged".into()),
            Some(mut rows) => {
                rows.sort_unstable();
                let in_order = weighed.iter().filter(|row| !self.entry(**row).is_protected).copied();
                if !in_order.eq(rows.iter().copied()) || rows.len() != self.queued {
                    wrong.push(format!("{} rows are in the order of eviction, not {}", rows.len(), self.queued));
                }
            }
        }
        if !self.taken.is_empty() {
            wrong.push("victims of a batch that is gone are still taken".into());
        }
        wrong
    }
}
