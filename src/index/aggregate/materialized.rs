//! The shared side of a materialized aggregate: results by commit.
//!
//! Aggregates can't be corrected row by row with the marks, so they are versioned as rows are: for each group an entry for each
//! commit that changed it, the newest one and the older ones that a reader may still see. A group without records is an entry that
//! says so. Entries are added at apply, before the commit can be seen. Each entry that a commit displaces is dropped if no pinned
//! commit sees it, and otherwise retained under a pinned commit that does; it is checked again once that commit has no pin left. So
//! a snapshot that is held for long costs the commits under it nothing.

use super::plan::{AggregatePlan, GroupKey};
use super::tally::GroupResult;
use crate::error::Commit;
use crate::memory::HeapBytes;
use crate::reclaim::{Pins, Retained};
use crate::sync::{Arc, RwLock};
use memdex_query::value::Value;
use std::collections::BTreeMap;

pub(crate) struct Materialized {
    pub(crate) plan: Arc<AggregatePlan>,
    state: RwLock<State>,
    bytes: HeapBytes,
}

struct State {
    total: History,
    groups: BTreeMap<Arc<GroupKey>, Group>,
    /// The first commit whose results are here; `None` while the aggregate is being built.
    since: Option<Commit>,
    /// The last commit whose results are here: the newest one when the aggregate was dropped, else `Commit::MAX`.
    until: Commit,
}

struct Group {
    /// The values by which results name the group; the key of the map orders the groups.
    label: Arc<[Value]>,
    history: History,
}

/// The results of a group by commit. `None` if the group had no records.
#[derive(Default)]
struct History {
    newest: Entry,
    older: BTreeMap<Commit, Option<GroupResult>>,
}

type Entry = (Commit, Option<GroupResult>);

/// A change of one group, to be made visible to readers.
pub(super) struct GroupChange {
    /// With the group's label; `None` for all records together.
    pub(super) key: Option<(Arc<GroupKey>, Arc<[Value]>)>,
    /// `None` if no record is left in the group. Never `None` for all records together.
    pub(super) result: Option<GroupResult>,
}

/// An entry that was displaced: the group, `None` for all records together, and the entry's commit.
type Displaced = (Option<Arc<GroupKey>>, Commit);

/// The committer's list of older results that are not dropped yet.
#[derive(Default)]
pub(super) struct Displacements {
    /// Results that the current commit displaced.
    displaced: Vec<Displaced>,
    /// The groups of the others.
    filed: Retained<Option<Arc<GroupKey>>>,
}

impl Displacements {
    pub(super) fn is_empty(&self) -> bool {
        self.displaced.is_empty() && self.filed.is_empty()
    }
}

/// One group at one commit.
pub(crate) struct GroupEntry<'a> {
    /// The groups are ordered by it.
    pub(crate) key: &'a GroupKey,
    /// The values by which results name the group.
    pub(crate) label: &'a [Value],
    pub(crate) result: &'a GroupResult,
}

/// The two counts of an `Arc`.
const ARC: usize = 16;

/// The heap bytes of an entry's result.
fn result_bytes(result: &Option<GroupResult>) -> usize {
    result.as_ref().map_or(0, |of| ARC + size_of_val(&*of.values))
}

/// The heap bytes of a group without its history.
fn group_bytes(key: &GroupKey, label: &[Value]) -> usize {
    let key_bytes = ARC + size_of_val(key) + key.iter().map(Value::heap_bytes).sum::<usize>();
    key_bytes + ARC + size_of_val(label) + size_of::<Group>()
}

impl History {
    /// The result at a commit.
    fn at(&self, epoch: Commit) -> Option<&GroupResult> {
        if self.newest.0 <= epoch {
            return self.newest.1.as_ref();
        }
        self.older.range(..=epoch).next_back().and_then(|(_, result)| result.as_ref())
    }

    /// Adds an entry; returns the commit of the entry that it displaces.
    fn push(&mut self, bytes: &HeapBytes, entry: Entry) -> Commit {
        debug_assert!(self.newest.0 < entry.0, "commits come in order");
        bytes.change(0, size_of::<Entry>() + result_bytes(&entry.1));
        let (displaced, result) = std::mem::replace(&mut self.newest, entry);
        self.older.insert(displaced, result);
        displaced
    }

    /// Drops an older entry that no pinned commit sees; otherwise returns a commit that sees it.
    fn reclaim(&mut self, bytes: &HeapBytes, begin: Commit, pins: &Pins<'_>) -> Option<Commit> {
        let until = self.older.range(begin.next()..).next().map_or(self.newest.0, |(until, _)| *until);
        let seen = pins.newest_within(begin, until);
        if seen.is_none()
            && let Some(result) = self.older.remove(&begin)
        {
            bytes.change(size_of::<Entry>() + result_bytes(&result), 0);
        }
        seen
    }

    /// Whether no commit sees a result.
    fn is_gone(&self) -> bool {
        self.older.is_empty() && self.newest.1.is_none()
    }

    fn walk_bytes(&self) -> usize {
        let older = self.older.values().map(|result| size_of::<Entry>() + result_bytes(result));
        result_bytes(&self.newest.1) + older.sum::<usize>()
    }
}

impl Materialized {
    pub(super) fn new(plan: Arc<AggregatePlan>) -> Self {
        let state = State { total: History::default(), groups: BTreeMap::new(), since: None, until: Commit::MAX };
        Materialized { plan, state: RwLock::new(state), bytes: HeapBytes::default() }
    }

    /// Adds the results that a commit changed, before it is published. The first call sets `since`.
    pub(super) fn push(&self, retained: &mut Displacements, commit: Commit, changes: Vec<GroupChange>) {
        if changes.is_empty() {
            return;
        }
        let mut state = self.state.write();
        state.since.get_or_insert(commit);
        for GroupChange { key, result } in changes {
            let Some((key, label)) = key else {
                // Before the first result only: the total of no records is a result too.
                if state.total.newest.1.is_none() {
                    debug_assert!(state.total.older.is_empty());
                    state.total.newest = (commit, result);
                    self.bytes.change(0, result_bytes(&state.total.newest.1));
                } else {
                    retained.displaced.push((None, state.total.push(&self.bytes, (commit, result))));
                }
                continue;
            };
            match state.groups.get_mut(&key) {
                Some(group) => {
                    retained.displaced.push((Some(key), group.history.push(&self.bytes, (commit, result))));
                }
                None if result.is_none() => {}
                None => {
                    let history = History { newest: (commit, result), older: BTreeMap::new() };
                    self.bytes.change(0, group_bytes(&key, &label) + result_bytes(&history.newest.1));
                    state.groups.insert(key, Group { label, history });
                }
            }
        }
    }

    /// Makes it complete from a commit on, if it is not yet.
    pub(super) fn begin(&self, commit: Commit) {
        self.state.write().since.get_or_insert(commit);
    }

    /// It is not maintained any more: `published` is the last commit that it has. Under the commit lock.
    pub(super) fn close(&self, published: Commit) {
        self.state.write().until = published;
    }

    /// Drops what the current commit has displaced and no reader sees, and retains the rest.
    pub(super) fn reclaim_displaced(&self, retained: &mut Displacements, pins: &Pins<'_>) {
        let displaced = std::mem::take(&mut retained.displaced);
        self.drop_unseen(retained, displaced, pins);
    }

    /// No reader is at `ended` any longer: drops at most `budget` results that nobody sees for that reason. Returns whether that was
    /// all of them.
    pub(super) fn end(&self, retained: &mut Displacements, ended: Commit, pins: &Pins<'_>, budget: &mut usize) -> bool {
        let (unseen, complete) = retained.filed.end(ended, pins, budget);
        self.drop_unseen(retained, unseen.into_iter().map(|(begin, key)| (key, begin)).collect(), pins);
        complete
    }

    fn drop_unseen(&self, retained: &mut Displacements, displaced: Vec<Displaced>, pins: &Pins<'_>) {
        if displaced.is_empty() {
            return;
        }
        let mut state = self.state.write();
        for (key, begin) in displaced {
            let Some(of) = &key else {
                let seen = state.total.reclaim(&self.bytes, begin, pins);
                seen.into_iter().for_each(|pin| retained.filed.add(pin, begin, None));
                continue;
            };
            let Some(group) = state.groups.get_mut(of) else { continue };
            match group.history.reclaim(&self.bytes, begin, pins) {
                Some(pin) => retained.filed.add(pin, begin, key),
                None if group.history.is_gone() => {
                    self.bytes.change(group_bytes(of, &group.label), 0);
                    state.groups.remove(of);
                }
                None => {}
            }
        }
    }

    /// Passes the results at a commit to `read`: of all records together, then of each group, in the order of the keys. The commit
    /// must be pinned, or be `published`, loaded under the lock, when all its results are there. Returns `None`, and does not call
    /// `read`, if the commit is not one of those that the aggregate has.
    pub(crate) fn read<T>(
        &self,
        epoch: impl FnOnce() -> Commit,
        read: impl FnOnce(Commit, Option<&GroupResult>, &mut dyn Iterator<Item = GroupEntry<'_>>) -> T,
    ) -> Option<T> {
        let state = self.state.read();
        let epoch = epoch();
        if state.since.is_none_or(|since| epoch < since) || epoch > state.until {
            return None;
        }
        let mut groups = state.groups.iter().filter_map(|(key, group)| {
            let result = group.history.at(epoch)?;
            Some(GroupEntry { key, label: &group.label, result })
        });
        Some(read(epoch, state.total.at(epoch), &mut groups))
    }

    /// How many groups have records, at the newest commit.
    pub(crate) fn groups(&self) -> usize {
        self.state.read().groups.values().filter(|group| group.history.newest.1.is_some()).count()
    }

    /// How many older entries are retained.
    pub(crate) fn older_entries(&self) -> usize {
        let state = self.state.read();
        state.total.older.len() + state.groups.values().map(|group| group.history.older.len()).sum::<usize>()
    }

    /// Heap bytes of the shared side. O(1).
    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.get()
    }

    /// The heap bytes, by a walk; for audits.
    pub(super) fn walk_bytes(&self) -> usize {
        let state = self.state.read();
        let groups = state.groups.iter().map(|(key, of)| group_bytes(key, &of.label) + of.history.walk_bytes());
        state.total.walk_bytes() + groups.sum::<usize>()
    }

    /// Checks that each older entry is retained exactly once, and that no group is left without a result.
    pub(super) fn audit(&self, retained: &Displacements) -> Result<(), String> {
        let state = self.state.read();
        let filed = retained.filed.iter().map(|(begin, key)| (key.clone(), begin));
        let mut listed: Vec<Displaced> = filed.chain(retained.displaced.iter().cloned()).collect();
        listed.sort_unstable();
        let total = state.total.older.keys().map(|begin| (None, *begin));
        let of_group = |(key, group): (&Arc<GroupKey>, &Group)| {
            let key = key.clone();
            let entries: Vec<Displaced> = group.history.older.keys().map(|begin| (Some(key.clone()), *begin)).collect();
            entries
        };
        let older: Vec<Displaced> = total.chain(state.groups.iter().flat_map(of_group)).collect();
        if listed != older {
            return Err(format!(
                "{} older results, and {} in the list of retained ones: they differ",
                older.len(),
                listed.len()
            ));
        }
        match state.groups.iter().find(|(_, group)| group.history.is_gone()) {
            Some((key, _)) => Err(format!("group {key:?} has no records, and no reader sees that it had any")),
            None => Ok(()),
        }
    }
}
