//! The model of forks and rollbacks.

use super::indexes::Def;
use super::records::Subject;
use super::reference::{Kept, Shelf, Shelves, World};
use memdex::Commit;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A record with its deadline and the commit that wrote it.
pub(super) type Lasting<R> = (R, Option<i64>, Commit);

/// The records of a checkpoint at a commit again, with the lifetimes that remained then; `None` if nothing changes. The times are now and
/// that of the checkpoint.
pub(super) fn rolled_back<R: Clone>(
    now: &BTreeMap<u32, Lasting<R>>,
    then: &BTreeMap<u32, Lasting<R>>,
    (time, time_then): (i64, i64),
    at: Commit,
    commit: Commit,
) -> Option<BTreeMap<u32, Lasting<R>>> {
    let (mut records, mut changes) = (now.clone(), false);
    // One that was there at the checkpoint and had expired stays away.
    records.retain(|id, (_, _, written)| then.contains_key(id) || *written <= at);
    changes |= records.len() < now.len();
    for (id, (record, deadline, written)) in then {
        let is_unchanged = now.get(id).is_some_and(|(_, _, newest)| newest == written);
        if !(is_unchanged && (deadline.is_none() || time == time_then)) {
            changes = true;
            let deadline = deadline.map(|deadline| time + (deadline - time_then));
            records.insert(*id, (record.clone(), deadline, commit));
        }
    }
    changes.then_some(records)
}

impl World {
    pub(super) fn fork(&mut self) {
        (self.forked_at, self.taken_over) = (Some(self.newest()), false);
        self.snapshots.clear();
        self.snapshot_others.clear();
        self.checkpoints.clear();
        self.cached.clear();
        self.live.clear();
        self.others.sessions.fork();
        // Those of the fork.
        (self.refusals, self.lost_operations) = (0, 0);
    }

    /// A fork has the books of its base in its own table from here on: if there are any, by a commit that changes nothing.
    pub(super) fn take_over(&mut self) {
        let Some(forked_at) = self.forked_at.filter(|_| !self.taken_over) else { return };
        self.taken_over = true;
        let now = self.at(self.newest());
        if now.books.values().any(|(_, begin)| *begin <= forked_at) {
            self.repeat_newest();
        }
    }

    pub(super) fn rollback(&mut self, kept: &Kept) {
        self.expire_sessions();
        let to = kept.commit;
        let (now, then, commit) = (self.at(self.newest()), self.at(to), self.newest().next());
        fn back<R: Subject>(now: &Shelf<R>, then: &Shelf<R>, commit: Commit) -> Shelf<R> {
            let state = |(id, (record, begin)): (&R::Id, &(R, Commit))| {
                let is_same = now.get(id).is_some_and(|(_, newest)| newest == begin);
                (id.clone(), (record.clone(), if is_same { *begin } else { commit }))
            };
            then.iter().map(state).collect()
        }
        let payments = back(&now.payments, &then.payments, commit);
        let flights = back(&now.flights, &then.flights, commit);
        let books = back(&now.books, &then.books, commit);
        let others = self.others.rolled_back(&kept.others, to, commit);
        let is_same = others.is_none() && (&payments, &flights, &books) == (&now.payments, &now.flights, &now.books);
        let fits = |def: &Def| {
            def.clashing(&books).is_empty() && books.values().all(|(book, _)| def.unordered(book).is_none())
        };
        if !is_same && !self.indexes.iter().all(fits) {
            self.refuse(1);
            return self.objections.push("Refused");
        }
        if !is_same {
            self.history.push(Arc::new(Shelves { payments, flights, books }));
        }
        self.others = others.unwrap_or_else(|| self.others.clone());
        self.number = kept.number;
        self.checkpoints.retain(|checkpoint| checkpoint.commit <= to);
    }
}
