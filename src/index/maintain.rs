//! The seam between a commit and the structures that it maintains.
//!
//! An index and a materialized aggregate are both derived from the records of a collection. The committer owns one [`Maintain`]
//! object for each; the object owns the `Arc` of its shared side, which readers hold, together with the committer's memory and
//! what the current batch brings, so the three always belong together. A commit takes every structure through the same steps:
//!
//! 1. [`stage`](Maintain::stage): extract what each record of the batch contributes. Nothing is allocated in the structure yet,
//!    and every refusal happens here or in the next step.
//! 2. [`clashes`](Maintain::clashes): check the net result of the batch against constraints between records.
//! 3. [`admit`](Maintain::admit): after the last refusal, allocate codes for new values.
//! 4. [`apply`](Maintain::apply): move the rows. Cannot fail.
//! 5. [`record_versions`](Maintain::record_versions): before the commit is published, keep what older readers must still see.
//! 6. [`reclaim_displaced`](Maintain::reclaim_displaced): after the commit, drop what it displaced and no reader sees.
//! 7. [`end`](Maintain::end): after the end of a pin, drop what only its reader saw.
//!
//! Each call covers the whole batch, so that dynamic dispatch costs one call for a structure and a step, and so that cache misses
//! of successive records overlap. To add a structure: implement the trait, and create it in [`super::structures`].

use super::audit::{AuditRows, Findings};
use super::catalog::Listing;
use super::changes::{Moves, NetChanges, StagedRefs};
use crate::error::{Cause, Commit};
use crate::reclaim::Pins;
use crate::record::FieldSource;
use crate::rowset::Row;
use memdex_query::value::{Key, Value, ValueRef, decode_parts};
use std::ops::ControlFlow;

/// The committer's side of a structure that commits maintain. Guarded by the commit lock.
pub(crate) trait Maintain: Send + Sync {
    fn name(&self) -> &str;

    fn role(&self) -> Role;

    /// How many words of back references it keeps for each row.
    fn width(&self) -> usize;

    /// Adds its shared side to the catalog in which readers find it.
    fn list(&self, listing: &mut Listing);

    /// Forgets an earlier batch, refused or not; then extracts what each record contributes, and writes the row's new back
    /// references. Ends early, with `Break`, when a refusal ends the batch.
    fn stage(&mut self, records: &mut dyn StagedRecords, refs: &mut StagedRefs<'_>) -> ControlFlow<()>;

    /// Whether [`clashes`](Self::clashes) can find any.
    fn has_constraint(&self) -> bool {
        false
    }

    /// The changes that would violate its constraint between records, judged by the net result of the batch.
    fn clashes(&mut self, net: &NetChanges<'_>) -> Vec<Clash> {
        let _ = net;
        Vec::new()
    }

    /// The value of a record that no other record may have. Runs extractors.
    fn unique_value(&self, record: &dyn FieldSource) -> Result<Option<Value>, Cause> {
        let _ = record;
        Ok(None)
    }

    /// The row that has a unique value before the batch.
    fn unique_holder(&self, value: ValueRef<'_>) -> Option<Row> {
        let _ = value;
        None
    }

    /// Why a change is refused for a clash: the record's key is `key`, that of the other record `other`.
    fn clash_cause(&self, value: &Value, key: Key, other: Key) -> Cause {
        Cause::NotUnique { index: self.name().into(), value: display(value), key, other }
    }

    /// Allocates what is new, and makes provisional back references final. After the last refusal.
    fn admit(&mut self, refs: &mut StagedRefs<'_>);

    /// Moves the rows. Cannot fail.
    fn apply(&mut self, moves: Moves<'_>);

    /// Makes the state of `commit` visible to readers of that commit and later ones. Before it is published. The first call says
    /// from which commit on the structure is complete.
    fn record_versions(&mut self, commit: Commit) {
        let _ = commit;
    }

    /// `published` is the last commit that it has: it has been dropped.
    fn close(&mut self, published: Commit) {
        let _ = published;
    }

    /// Drops what the last commit displaced and no pinned commit sees, and retains the rest.
    fn reclaim_displaced(&mut self, pins: &Pins<'_>) {
        let _ = pins;
    }

    /// No reader is at `ended` any longer: drops at most `budget` old states that nobody sees for that reason. Returns whether that
    /// was all of them.
    fn end(&mut self, ended: Commit, pins: &Pins<'_>, budget: &mut usize) -> bool {
        let _ = (ended, pins, budget);
        true
    }

    /// Whether any old state is retained.
    fn retains(&self) -> bool {
        false
    }

    /// One short slice of upkeep: gives unused memory back and packs what is scattered. From the beginning if `restart` is set.
    /// Returns its work, as [`UPKEEP_WORK`](crate::limits::UPKEEP_WORK) counts it; `None` if nothing was left to do.
    fn tidy(&mut self, restart: bool) -> Option<usize>;

    /// Heap bytes of both sides. O(1).
    fn heap_bytes(&self) -> usize;

    /// Compares everything with the records, and the counted bytes with those of a walk. Returns the number of index entries.
    fn audit(&self, rows: &dyn AuditRows, found: &mut Findings) -> usize;
}

/// The role of a structure for users: names are unique within a role, and memory is reported by role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Index,
    Aggregate,
}

/// The records of a batch, without their type.
pub(crate) trait StagedRecords {
    /// Passes each record that the batch leaves to `visit`, with the number of its change. A cause that `visit` returns refuses the
    /// change; if that ends the batch, returns `Break`.
    fn each(&mut self, visit: &mut dyn FnMut(usize, &dyn FieldSource) -> Result<(), Cause>) -> ControlFlow<()>;
}

/// A change that violates a constraint between records.
pub(crate) struct Clash {
    /// The change at fault.
    pub(crate) change: usize,
    pub(crate) other: Other,
}

/// The other record of a clash.
pub(crate) enum Other {
    /// A change of the same batch.
    Change(usize),
    /// A row that the batch leaves as it is.
    Row(Row),
}

/// A value of an index as a message shows it: that of several fields is their tuple.
fn display(value: &Value) -> String {
    match value.as_ref() {
        ValueRef::Bytes(bytes) => match decode_parts(bytes).collect::<Vec<_>>().as_slice() {
            parts @ [_, _, ..] => {
                format!("({})", parts.iter().map(|part| format!("{part:?}")).collect::<Vec<_>>().join(", "))
            }
            _ => format!("{value:?}"),
        },
        _ => format!("{value:?}"),
    }
}
