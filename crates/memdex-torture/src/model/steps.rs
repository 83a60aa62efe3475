//! The effect of one operation on the records of a collection.

use super::operations::{Fault, Op, Verb};
use super::records::Subject;
use super::reference::Shelf;
use memdex::Commit;
use memdex::write::{Counts, Outcome as Did};
use std::collections::BTreeSet;

/// Applies an operation. `gone` has the keys that the batch has deleted before.
pub(super) fn step<R: Subject>(
    op: &Op<R>,
    seen: Commit,
    before: &Shelf<R>,
    now: &mut Shelf<R>,
    gone: &mut BTreeSet<R::Id>,
    counts: &mut Counts,
    commit: Commit,
) -> Result<Did, Fault> {
    if op.is_by_predicate() {
        return step_where(op, now, gone, counts, commit);
    }
    let id = op.id();
    let found = before.get(&id).filter(|_| !gone.contains(&id)).map(|(_, begin)| *begin);
    if op.seen.is_some() && found != Some(seen) {
        return Err(Fault::Stale { seen, now: found });
    }
    let present = now.get(&id).map(|(record, _)| record.clone());
    let (counted, did, record) = match (op.verb, present) {
        (Verb::Insert, Some(_)) => return Err(Fault::KeyExists),
        (Verb::Update | Verb::TryUpdate | Verb::Rekey, None) => return Err(Fault::KeyMissing),
        (Verb::Rekey, Some(mut record)) => {
            if op.is_rekey() && now.contains_key(&op.to) {
                return Err(Fault::KeyExists);
            }
            if !op.rekey(&mut record) {
                return Err(Fault::Closure);
            }
            if record.id() != op.to {
                return Err(if op.is_rekey() { Fault::NotRekeyed } else { Fault::KeyChanged });
            }
            if op.is_rekey() {
                now.remove(&id);
                gone.insert(id);
            }
            counts.updated += 1;
            now.insert(op.to.clone(), (record, commit));
            return Ok(Did::Updated);
        }
        (Verb::Store, Some(_)) => (&mut counts.replaced, Did::Replaced, op.record.clone()),
        (Verb::Store | Verb::Insert | Verb::Upsert, None) => (&mut counts.inserted, Did::Created, op.record.clone()),
        (Verb::Update | Verb::TryUpdate | Verb::Upsert, Some(mut record)) => {
            if !op.change.apply(&mut record) && op.verb == Verb::TryUpdate {
                return Err(Fault::Closure);
            }
            if record.id() != id {
                return Err(Fault::KeyChanged);
            }
            (&mut counts.updated, Did::Updated, record)
        }
        (Verb::Delete, Some(_)) => {
            counts.deleted += 1;
            now.remove(&id);
            gone.insert(id);
            return Ok(Did::Deleted);
        }
        (Verb::Delete, None) => {
            counts.missing += 1;
            return Ok(Did::Missing);
        }
        (Verb::UpdateWhere | Verb::TryUpdateWhere | Verb::DeleteWhere, _) => unreachable!("not on a key"),
    };
    *counted += 1;
    now.insert(id, (record, commit));
    Ok(did)
}

/// Applies an operation on the records that a predicate selects.
fn step_where<R: Subject>(
    op: &Op<R>,
    now: &mut Shelf<R>,
    gone: &mut BTreeSet<R::Id>,
    counts: &mut Counts,
    commit: Commit,
) -> Result<Did, Fault> {
    let mut matching: Vec<R> = op.selected(now.values().map(|(record, _)| record)).into_iter().cloned().collect();
    if op.verb == Verb::DeleteWhere {
        counts.deleted += matching.len();
        matching.iter().for_each(|record| drop(now.remove(&record.id())));
        gone.extend(matching.iter().map(R::id));
        return Ok(Did::DeletedWhere(matching.len()));
    }
    for record in &mut matching {
        let id = record.id();
        if !op.change.apply(record) && op.verb == Verb::TryUpdateWhere {
            return Err(Fault::Closure);
        }
        if record.id() != id {
            return Err(Fault::KeyChanged);
        }
    }
    counts.updated += matching.len();
    let updated = Did::UpdatedWhere(matching.len());
    matching.into_iter().for_each(|record| drop(now.insert(record.id(), (record, commit))));
    Ok(updated)
}
