//! The steps that all indexes take in the same way.

use super::changes::{ABSENT, Move, Moves, OldRefs, StagedRefs};
use super::maintain::StagedRecords;
use super::read::IndexHead;
use super::shape::{Entry, IndexShape, extract};
use std::ops::ControlFlow;

/// Extracts the entry of each record, and passes it to `stage` with the number of the change, what it finds, and the new back
/// references, which are zero.
#[inline]
pub(super) fn stage_entries(
    shape: &IndexShape,
    records: &mut dyn StagedRecords,
    refs: &mut StagedRefs<'_>,
    mut stage: impl FnMut(usize, &Entry<'_>, OldRefs<'_>, &mut [u32]),
) -> ControlFlow<()> {
    records.each(&mut |change, record| {
        let entry = extract(|| shape.entry(record))?;
        let (old, new) = refs.of(change);
        stage(change, &entry, old, new);
        Ok(())
    })
}

/// Passes each move to `visit`, and counts the records that the index gains and loses.
#[inline]
pub(super) fn each_move<'a>(head: &IndexHead, moves: Moves<'a>, mut visit: impl FnMut(Move<'a>)) {
    let is_held = |refs: Option<&[u32]>| u64::from(refs.is_some_and(|refs| refs[0] != ABSENT));
    let (mut added, mut removed) = (0, 0);
    for of in moves.iter() {
        added += is_held(of.new);
        removed += is_held(of.old);
        visit(of);
    }
    head.count_records(added, removed);
}
