//! Which transaction wrote which version, which versions a transaction read, and in what order the versions of an item came.

use super::transaction::{Access, End, Item, Transaction, Version};
use super::verdict::{Anomaly, Violation};
use crate::row::Row;
use std::collections::{BTreeMap, HashMap};

/// Who wrote a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writer {
    /// The state before the history.
    Start,
    /// The last write of a transaction to the item.
    Final(usize),
    /// A write that the same transaction replaced.
    Replaced(usize),
    /// Several.
    Ambiguous,
}

/// A read of one version, by key or by a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadOf {
    pub(super) reader: usize,
    /// The writer, `None` for the start.
    pub(super) writer: Option<usize>,
    /// The number of the item.
    pub(super) item: usize,
    /// A scan did not find the item: the version that it saw does not match.
    pub(super) is_by_predicate: bool,
}

/// The versions of a history.
pub(super) struct Versions<'a> {
    history: &'a [Transaction],
    pub(super) items: Vec<Item>,
    numbers: HashMap<Item, usize>,
    writers: Vec<HashMap<Version, Writer>>,
    pub(super) reads: Vec<ReadOf>,
    /// The committed final writers of each item.
    pub(super) written: Vec<Vec<usize>>,
    /// Reads whose version is ambiguous.
    pub(super) skipped: usize,
    /// The transactions that took place: those that were committed, and of those whose end is unknown the ones that others read.
    pub(super) took_place: Vec<bool>,
}

impl<'a> Versions<'a> {
    /// Collects the versions; `start` are those before the history, and others are missing there.
    pub(super) fn collect(history: &'a [Transaction], start: &BTreeMap<Item, Version>) -> Result<Self, Violation> {
        let mut versions = Versions {
            history,
            items: Vec::new(),
            numbers: HashMap::new(),
            writers: Vec::new(),
            reads: Vec::new(),
            written: Vec::new(),
            skipped: 0,
            took_place: history.iter().map(|of| of.end == End::Committed).collect(),
        };
        for (item, version) in start {
            let at = versions.number(item, start);
            versions.writers[at].insert(version.clone(), Writer::Start);
        }
        for (at, transaction) in history.iter().enumerate() {
            versions.add_writes(at, transaction, start);
        }
        versions.find_unknown();
        for (at, transaction) in history.iter().enumerate() {
            if versions.took_place[at] {
                versions.add_reads(at, transaction, start)?;
            }
        }
        Ok(versions)
    }

    /// A transaction of unknown end took place if one that did read a version of it.
    fn find_unknown(&mut self) {
        let mut new: Vec<usize> = (0..self.history.len()).filter(|at| self.took_place[*at]).collect();
        while let Some(reader) = new.pop() {
            for access in &self.history[reader].accesses {
                let read: &[(Item, Version)] = match access {
                    Access::Read(item, version) => &[(item.clone(), version.clone())],
                    Access::Scan { found, .. } => found,
                    Access::Write(..) => &[],
                };
                for (item, version) in read {
                    let writer = self.numbers.get(item).and_then(|item| self.writers[*item].get(version));
                    if let Some(Writer::Final(writer)) = writer
                        && self.history[*writer].end == End::Unknown
                        && !self.took_place[*writer]
                    {
                        self.took_place[*writer] = true;
                        new.push(*writer);
                    }
                }
            }
        }
        let took_place = &self.took_place;
        self.written.iter_mut().for_each(|writers| writers.retain(|writer| took_place[*writer]));
    }

    fn number(&mut self, item: &Item, start: &BTreeMap<Item, Version>) -> usize {
        if let Some(known) = self.numbers.get(item) {
            return *known;
        }
        let at = self.items.len();
        self.numbers.insert(item.clone(), at);
        self.items.push(item.clone());
        let mut writers = HashMap::new();
        if !start.contains_key(item) {
            writers.insert(Version::NULL, Writer::Start);
        }
        self.writers.push(writers);
        self.written.push(Vec::new());
        at
    }

    fn add_writes(&mut self, at: usize, transaction: &Transaction, start: &BTreeMap<Item, Version>) {
        let mut last: BTreeMap<usize, Version> = BTreeMap::new();
        for access in &transaction.accesses {
            let Access::Write(item, version) = access else { continue };
            let item = self.number(item, start);
            if let Some(replaced) = last.insert(item, version.clone()) {
                self.note(item, replaced, Writer::Replaced(at));
            }
        }
        for (item, version) in last {
            self.note(item, version, Writer::Final(at));
            if transaction.end != End::Aborted {
                self.written[item].push(at);
            }
        }
    }

    fn note(&mut self, item: usize, version: Version, writer: Writer) {
        self.writers[item].entry(version).and_modify(|known| *known = Writer::Ambiguous).or_insert(writer);
    }

    fn add_reads(
        &mut self,
        reader: usize,
        transaction: &Transaction,
        start: &BTreeMap<Item, Version>,
    ) -> Result<(), Violation> {
        // The version of each item that the transaction must see: its own write, or what it has read.
        let mut seen: HashMap<usize, (Version, bool)> = HashMap::new();
        for access in &transaction.accesses {
            match access {
                Access::Write(item, version) => {
                    let item = self.number(item, start);
                    seen.insert(item, (version.clone(), true));
                }
                Access::Read(item, version) => {
                    let item = self.number(item, start);
                    self.add_read(reader, item, version, &mut seen)?;
                }
                Access::Scan { collection, found, matches, .. } => {
                    for (item, version) in found {
                        let item = self.number(item, start);
                        self.add_read(reader, item, version, &mut seen)?;
                    }
                    let missed = |item: &Item| {
                        item.collection == *collection
                            && item.part.is_empty()
                            && !found.iter().any(|(of, _)| of == item)
                    };
                    let missed: Vec<usize> = (0..self.items.len()).filter(|at| missed(&self.items[*at])).collect();
                    for item in missed.into_iter().filter(|item| !matches!(seen.get(item), Some((_, true)))) {
                        self.add_miss(reader, item, &|version, row| matches(version, row))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn add_read(
        &mut self,
        reader: usize,
        item: usize,
        version: &Version,
        seen: &mut HashMap<usize, (Version, bool)>,
    ) -> Result<(), Violation> {
        let known = seen.entry(item).or_insert_with(|| (version.clone(), false));
        if known.0 != *version {
            return Err(self.violation(Anomaly::NonRepeatableRead, &[reader], item));
        }
        if known.1 {
            return Ok(());
        }
        let writer = match self.writers[item].get(version) {
            Some(Writer::Start) => None,
            Some(Writer::Final(writer)) if *writer == reader => return Ok(()),
            Some(Writer::Final(writer)) if self.history[*writer].end == End::Aborted => {
                return Err(self.violation(Anomaly::DirtyRead, &[*writer, reader], item));
            }
            Some(Writer::Final(writer)) => Some(*writer),
            Some(Writer::Replaced(writer)) => {
                return Err(self.violation(Anomaly::IntermediateRead, &[*writer, reader], item));
            }
            // A missing item may have been deleted by anybody.
            Some(Writer::Ambiguous) => {
                self.skipped += 1;
                return Ok(());
            }
            None => return Err(self.violation(Anomaly::UnknownValue, &[reader], item)),
        };
        self.reads.push(ReadOf { reader, writer, item, is_by_predicate: false });
        Ok(())
    }

    /// A scan did not find an item, so the version that it saw does not match. If only one can be it, that is a read.
    fn add_miss(
        &mut self,
        reader: usize,
        item: usize,
        matches: &dyn Fn(&Version, Option<&Row>) -> bool,
    ) -> Result<(), Violation> {
        let of_reader = &self.history[reader];
        let mut candidates: Vec<Option<usize>> = Vec::new();
        let mut matching = Vec::new();
        for (version, writer) in &self.writers[item] {
            let writer = match writer {
                Writer::Start => None,
                Writer::Final(writer) if self.history[*writer].end == End::Aborted => continue,
                Writer::Final(writer) => Some(*writer),
                Writer::Replaced(_) => continue,
                Writer::Ambiguous => {
                    self.skipped += 1;
                    return Ok(());
                }
            };
            let row = writer.and_then(|writer| {
                self.history[writer].rows.iter().find(|(of, _)| *of == self.items[item]).map(|(_, row)| row)
            });
            let is_later =
                writer.is_some_and(|writer| of_reader.ended.is_some_and(|end| self.history[writer].began > end));
            if is_later {
                continue;
            }
            if !version.is_null() && matches(version, row) {
                matching.extend(writer);
            } else if !self.is_replaced_before(item, writer, of_reader.began) {
                candidates.push(writer);
            }
        }
        match candidates.as_slice() {
            [] => {
                let mut concerned = matching;
                concerned.push(reader);
                Err(self.violation(Anomaly::Phantom, &concerned, item))
            }
            [writer] => {
                self.reads.push(ReadOf { reader, writer: *writer, item, is_by_predicate: true });
                Ok(())
            }
            _ => {
                self.skipped += 1;
                Ok(())
            }
        }
    }

    /// Whether a write that began after the end of this one ended before a time.
    fn is_replaced_before(&self, item: usize, writer: Option<usize>, time: u64) -> bool {
        let end = match writer {
            None => 0,
            Some(writer) => match self.history[writer].ended {
                Some(end) => end,
                None => return false,
            },
        };
        self.written[item].iter().any(|other| {
            let other_of = &self.history[*other];
            Some(*other) != writer
                && other_of.end == End::Committed
                && (writer.is_none() || other_of.began > end)
                && other_of.ended.is_some_and(|ended| ended < time)
        })
    }

    pub(super) fn violation(&self, anomaly: Anomaly, concerned: &[usize], item: usize) -> Violation {
        let mut explanation = format!("concerning {:?}\n", self.items[item]);
        for at in concerned {
            explanation += &format!("  T{at}: {}\n", self.history[*at]);
        }
        Violation { anomaly, operations: concerned.to_vec(), explanation }
    }

    /// Pairs of writers of each item, the earlier one first; `None` is the start. By the positions of commits if all are known, else by
    /// the reads of the writers and by time.
    pub(super) fn orders(&self) -> Vec<(usize, Option<usize>, usize)> {
        let mut orders = Vec::new();
        for (item, writers) in self.written.iter().enumerate() {
            orders.extend(writers.iter().map(|writer| (item, None, *writer)));
            let commits: Option<Vec<(u64, usize)>> =
                writers.iter().map(|writer| self.history[*writer].commit.map(|commit| (commit, *writer))).collect();
            if let Some(mut commits) = commits {
                commits.sort_unstable();
                orders.extend(commits.windows(2).map(|pair| (item, Some(pair[0].1), pair[1].1)));
                continue;
            }
            for read in self.reads.iter().filter(|read| read.item == item && !read.is_by_predicate) {
                if let (Some(writer), true) = (read.writer, writers.contains(&read.reader)) {
                    orders.push((item, Some(writer), read.reader));
                }
            }
            // By time: the next writes after the end of each. Later ones follow from these.
            let mut by_start: Vec<usize> = writers.clone();
            by_start.sort_by_key(|writer| self.history[*writer].began);
            for first in writers {
                let Some(end) = self.history[*first].ended else { continue };
                let from = by_start.partition_point(|writer| self.history[*writer].began <= end);
                let mut horizon = u64::MAX;
                for later in &by_start[from..] {
                    if self.history[*later].began > horizon {
                        break;
                    }
                    horizon = horizon.min(self.history[*later].ended.unwrap_or(u64::MAX));
                    orders.push((item, Some(*first), *later));
                }
            }
        }
        orders.sort_unstable();
        orders.dedup();
        orders
    }
}
