//! The figures of standing statistics, as of each commit that some reader may stand on.
//!
//! Figures can't be re-checked row by row, so they are versioned as rows are: group by group, an entry for each commit that changed
//! it, the newest beside the older ones that somebody may still see. A group without records is an entry that says so. Entries are
//! added at apply, before the commit can be seen. What a commit displaces it settles: what no pinned commit sees is forgotten,
//! everything else is filed under a pinned commit that sees it, and looked at again when no pin is left there. So a snapshot that
//! is held for long costs the commits under it nothing.

use super::stats::StandingStats;
use super::table::Backlog;
use super::timeline::newest_within;
use crate::error::Commit;
use crate::index::{GroupFigures, GroupKey, Standing, StandingChange};
use crate::sync::{Arc, RwLock};
use crate::value::Value;
use std::collections::BTreeMap;

/// What readers see of standing statistics.
pub(crate) struct StandingFigures {
    pub(crate) standing: Arc<Standing>,
    /// Who has pinned an earlier commit finds nothing here.
    pub(crate) since: Commit,
    entries: RwLock<Entries>,
}

struct Entries {
    total: History,
    groups: BTreeMap<Arc<GroupKey>, OfGroup>,
    /// The last commit that is kept up: later ones have come after these were dropped.
    until: Commit,
}

struct OfGroup {
    /// The key as answers show it.
    name: Arc<[Value]>,
    history: History,
}

/// Entries by commit; without figures there is no record.
#[derive(Default)]
struct History {
    newest: Entry,
    /// Oldest first.
    older: Vec<Entry>,
}

type Entry = (Commit, Option<GroupFigures>);

/// An entry that was displaced: the group, `None` for all records together, and the entry's commit.
type Displaced = (Option<Arc<GroupKey>>, Commit);

/// What is still to be forgotten: the committer's.
#[derive(Default)]
pub(crate) struct Filing {
    /// By the commit at hand.
    displaced: Vec<Displaced>,
    /// Filed under a pinned commit that sees them.
    kept: BTreeMap<Commit, Vec<Displaced>>,
}

impl History {
    /// The figures as of a commit.
    fn at(&self, epoch: Commit) -> Option<&GroupFigures> {
        if self.newest.0 <= epoch {
            return self.newest.1.as_ref();
        }
        let later = self.older.partition_point(|(begin, _)| *begin <= epoch);
        later.checked_sub(1).and_then(|at| self.older[at].1.as_ref())
    }

    /// Adds an entry; the commit of the one that it displaces.
    fn push(&mut self, entry: Entry) -> Commit {
        debug_assert!(self.newest.0 < entry.0, "commits come in order");
        let before = std::mem::replace(&mut self.newest, entry);
        let displaced = before.0;
        self.older.push(before);
        displaced
    }

    /// Forgets an older entry that no pinned commit sees; otherwise says which one does.
    fn settle(&mut self, begin: Commit, pinned: &[Commit]) -> Option<Commit> {
        let at = self.older.binary_search_by_key(&begin, |(begin, _)| *begin).ok()?;
        let until = self.older.get(at + 1).map_or(self.newest.0, |(begin, _)| *begin);
        let seen = newest_within(pinned, begin, until);
        if seen.is_none() {
            self.older.remove(at);
        }
        seen
    }

    /// Whether nobody sees any figures.
    fn is_gone(&self) -> bool {
        self.older.is_empty() && self.newest.1.is_none()
    }
}

impl StandingFigures {
    pub(super) fn new(standing: Arc<Standing>, since: Commit) -> Self {
        let entries = Entries { total: History::default(), groups: BTreeMap::new(), until: Commit::MAX };
        StandingFigures { standing, since, entries: RwLock::new(entries) }
    }

    /// Shows what a commit has changed. Before it is published.
    pub(super) fn show(&self, filing: &mut Filing, commit: Commit, changes: Vec<StandingChange>) {
        if changes.is_empty() {
            return;
        }
        let mut entries = self.entries.write();
        for StandingChange { key, figures } in changes {
            let Some((key, name)) = key else {
                if entries.total.newest.1.is_none() {
                    entries.total.newest = (commit, figures);
                } else {
                    filing.displaced.push((None, entries.total.push((commit, figures))));
                }
                continue;
            };
            match entries.groups.get_mut(&key) {
                Some(group) => filing.displaced.push((Some(key), group.history.push((commit, figures)))),
                None if figures.is_none() => {}
                None => {
                    let history = History { newest: (commit, figures), older: Vec::new() };
                    entries.groups.insert(key, OfGroup { name, history });
                }
            }
        }
    }

    /// From here on nothing is shown: `published` is the last commit that is in the figures. Under the commit lock.
    pub(super) fn close(&self, published: Commit) {
        self.entries.write().until = published;
    }

    /// Forgets what the commit at hand has displaced and nobody sees, and files the rest; of what is filed under commits that nobody
    /// pins any longer, looks at `budget` entries at most.
    pub(super) fn settle(&self, filing: &mut Filing, pinned: &[Commit], budget: &mut usize) -> Backlog {
        let displaced = std::mem::take(&mut filing.displaced);
        self.forget(filing, displaced, pinned);
        while *budget > 0 {
            let Some(&pin) = filing.kept.keys().find(|pin| pinned.binary_search(pin).is_err()) else { break };
            let Some(filed) = filing.kept.get_mut(&pin) else { break };
            let slice = filed.split_off(filed.len().saturating_sub(*budget));
            if filed.is_empty() {
                filing.kept.remove(&pin);
            }
            *budget -= slice.len();
            self.forget(filing, slice, pinned);
        }
        if filing.kept.keys().any(|pin| pinned.binary_search(pin).is_err()) {
            Backlog::CutShort
        } else if filing.kept.is_empty() {
            Backlog::Nothing
        } else {
            Backlog::Pinned
        }
    }

    fn forget(&self, filing: &mut Filing, displaced: Vec<Displaced>, pinned: &[Commit]) {
        if displaced.is_empty() {
            return;
        }
        let mut entries = self.entries.write();
        for (key, begin) in displaced {
            let Some(of) = &key else {
                let seen = entries.total.settle(begin, pinned);
                seen.into_iter().for_each(|pin| filing.kept.entry(pin).or_default().push((None, begin)));
                continue;
            };
            let Some(group) = entries.groups.get_mut(of) else { continue };
            match group.history.settle(begin, pinned) {
                Some(pin) => filing.kept.entry(pin).or_default().push((key, begin)),
                None if group.history.is_gone() => drop(entries.groups.remove(of)),
                None => {}
            }
        }
    }

    /// Shows the figures as of a commit: of all records together, then of each group, in the order of the keys. The commit must be pinned,
    /// or be `published`, asked for under the guard: what is there then is shown by now. `None` if it is not one of those that are
    /// kept up; then nothing is shown.
    pub(crate) fn read<T>(
        &self,
        epoch: impl FnOnce() -> Commit,
        look: impl FnOnce(Commit, Option<&GroupFigures>, &mut dyn Iterator<Item = Shown<'_>>) -> T,
    ) -> Option<T> {
        let entries = self.entries.read();
        let epoch = epoch();
        if epoch < self.since || epoch > entries.until {
            return None;
        }
        let mut groups = entries.groups.iter().filter_map(|(key, group)| {
            let figures = group.history.at(epoch)?;
            Some(Shown { key, name: &group.name, figures })
        });
        Some(look(epoch, entries.total.at(epoch), &mut groups))
    }

    /// Figures of the figures, and how many older entries are kept.
    pub(super) fn stats(&self) -> (StandingStats, usize) {
        let entries = self.entries.read();
        let figures = |history: &History| -> usize {
            let of = |(_, figures): &Entry| figures.as_ref().map_or(0, |of| ARC + size_of_val(&*of.values));
            of(&history.newest) + history.older.iter().map(|entry| size_of::<Entry>() + of(entry)).sum::<usize>()
        };
        let group = |(key, of): (&Arc<GroupKey>, &OfGroup)| {
            let key_bytes = ARC + size_of_val(&**key) + key.iter().map(Value::heap_bytes).sum::<usize>();
            key_bytes + ARC + size_of_val(&*of.name) + size_of::<OfGroup>() + figures(&of.history)
        };
        let bytes = figures(&entries.total) + entries.groups.iter().map(group).sum::<usize>();
        let groups = entries.groups.values().filter(|group| group.history.newest.1.is_some()).count();
        let older = entries.groups.values().map(|group| group.history.older.len()).sum::<usize>();
        let name = self.standing.name().to_owned();
        (StandingStats { name, groups, bytes }, entries.total.older.len() + older)
    }

    /// Older entries and groups without records, each with whether it is filed as often as it must be: once. For audits.
    pub(super) fn audit(&self, filing: &Filing) -> Result<(), String> {
        let entries = self.entries.read();
        let mut filed: Vec<&Displaced> = filing.kept.values().flatten().chain(&filing.displaced).collect();
        filed.sort_unstable();
        let total = entries.total.older.iter().map(|(begin, _)| (None, *begin));
        let of_group = |(key, group): (&Arc<GroupKey>, &OfGroup)| {
            let key = key.clone();
            let entries: Vec<Displaced> =
                group.history.older.iter().map(|(begin, _)| (Some(key.clone()), *begin)).collect();
            entries
        };
        let older: Vec<Displaced> = total.chain(entries.groups.iter().flat_map(of_group)).collect();
        if !filed.iter().copied().eq(&older) {
            return Err(format!("{} older figures, but {} are filed for settling", older.len(), filed.len()));
        }
        match entries.groups.iter().find(|(_, group)| group.history.is_gone()) {
            Some((key, _)) => Err(format!("group {key:?} has no records, and nobody sees that it had any")),
            None => Ok(()),
        }
    }
}

/// The two counts of an `Arc`.
const ARC: usize = 16;

/// One group as of one commit.
pub(crate) struct Shown<'a> {
    /// What the groups are ordered by.
    pub(crate) key: &'a GroupKey,
    /// The key as answers show it.
    pub(crate) name: &'a [Value],
    pub(crate) figures: &'a GroupFigures,
}
