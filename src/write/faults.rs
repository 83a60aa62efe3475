//! Faults and limits of commits: what a fault plan and the store's strictness say before anything is staged.

use super::doom::{Doom, Subject};
use super::operations::Operations;
use crate::error::{Cause, QueryError, Refusal};
use crate::record::Condition;
use crate::storage::Engine;
use crate::testing::{FaultAction, FaultRule, OperationKind, Stop, Target};
use crate::user_code;

/// The beginning of the message with which a background writer dies on demand.
pub(super) const INJECTED: &str = "injected by rule ";

/// Lets the fault plan and the limits judge a commit, before it takes any lock.
pub(super) fn before_commit(engine: &Engine, parts: &mut [Operations]) -> Result<(), Refusal> {
    let testing = &engine.testing;
    if !testing.judges_commits() || !parts.iter().any(|part| part.len() > 0 && part.is_of_callers()) {
        return Ok(());
    }
    check_size(engine, parts)?;
    let faults = &testing.faults;
    if faults.has(OperationKind::Commit) {
        let mut infos = Vec::new();
        parts.iter().for_each(|part| part.infos(&mut infos));
        infos.sort_unstable_by_key(|info| info.position);
        let target =
            |info: &super::operation::OperationInfo| (info.collection.clone(), info.key.clone(), info.operation);
        let owned: Vec<_> = infos.iter().map(target).collect();
        let targets: Vec<_> =
            owned.iter().map(|(collection, key, command)| Target { collection, key: key.as_ref(), command }).collect();
        // Those with a condition look at the net changes, at the end of staging.
        let stop = faults.meet(OperationKind::Commit, &targets, |rule| Ok::<_, Refusal>(rule.condition.is_none()))?;
        if let Some(Stop::Fails { rule, failure }) = stop {
            return Err(Refusal::of_batch(Cause::Injected { rule, failure }));
        }
    }
    if faults.has(OperationKind::Write) {
        let doomed = parts.iter_mut().try_for_each(|part| part.doom(&mut |subject| doom_of(engine, subject)));
        return doomed.inspect_err(|_| after_commit(engine, parts));
    }
    Ok(())
}

/// Lets the operations of a commit that are still there live.
pub(super) fn after_commit(engine: &Engine, parts: &mut [Operations]) {
    if engine.testing.faults.has_had(OperationKind::Write) {
        for part in parts {
            // The judge refuses nothing.
            let _ = part.doom(&mut |_| Ok(None));
        }
    }
}

fn check_size(engine: &Engine, parts: &[Operations]) -> Result<(), Refusal> {
    let Some(limits) = engine.testing.for_batches() else { return Ok(()) };
    let check = |limit: Option<usize>, unit, size: &dyn Fn() -> usize| match limit.map(|limit| (limit, size())) {
        Some((limit, size)) if size > limit => {
            Err(Refusal::of_batch(Cause::BeyondLimit { what: "the batch".to_owned(), size, unit, limit }))
        }
        _ => Ok(()),
    };
    check(limits.max_batch_operations, "operations", &|| parts.iter().map(|part| part.len()).sum())?;
    check(limits.max_batch_bytes, "bytes", &|| parts.iter().map(|part| part.bytes()).fold(0, usize::saturating_add))?;
    let Some(limit) = limits.max_store_bytes else { return Ok(()) };
    let (size, mut infos) = (engine.memory_now(), Vec::new());
    parts.iter().for_each(|part| part.infos(&mut infos));
    if size <= limit || infos.iter().all(|info| info.operation.starts_with("delete")) {
        return Ok(());
    }
    Err(Refusal::of_batch(Cause::BeyondLimit { what: "the store".to_owned(), size, unit: "bytes", limit }))
}

/// How an operation is to fail, if it is.
fn doom_of(engine: &Engine, subject: &Subject<'_>) -> Result<Option<Doom>, Refusal> {
    let Subject { table, position, key, command, is_conditional, record } = *subject;
    let refused = |cause: Cause| {
        let refusal = Refusal::new(command, &table.name, cause).at(position);
        if let Some(key) = key { refusal.with_key(key) } else { refusal }
    };
    let matches = |rule: &FaultRule| -> Result<bool, Refusal> {
        if rule.action == FaultAction::Stale && !is_conditional {
            return Ok(false);
        }
        let Some(predicate) = &rule.condition else { return Ok(true) };
        let Some(record) = record else { return Ok(false) };
        let condition = Condition::new(&table.name, &table.schema, predicate);
        let condition = condition.map_err(|error: QueryError| refused(error.into()))?;
        let holds = user_code::run(|| condition.holds(record));
        holds.map_err(|message| refused(Cause::Panicked { what: "field extractor", message }))
    };
    let target = Target { collection: &table.name, key, command };
    Ok(match engine.testing.faults.meet(OperationKind::Write, &[target], matches)? {
        Some(Stop::Fails { rule, failure }) => Some(Doom::Fails { rule, failure }),
        Some(Stop::Stale) => Some(Doom::Stale),
        _ => None,
    })
}

/// A step of the thread of a background writer.
///
/// # Panics
/// If the fault plan says so.
pub(super) fn meet_flusher(engine: &Engine, step: &'static str) {
    let target = Target { collection: "", key: None, command: step };
    let stop = engine.testing.faults.meet(OperationKind::Flusher, &[target], |_| Ok::<_, Refusal>(true));
    if let Ok(Some(Stop::KillFlusher { rule })) = stop {
        panic!("{INJECTED}{rule:?} of the fault plan");
    }
}
