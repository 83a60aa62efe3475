//! The write path: how a batch becomes visible at once. One committer at a time.

use super::attribution::{CommitOptions, CommitReport};
#[cfg(feature = "testing")]
use super::faults;
use super::operations::Operations;
use super::receipt::{Counts, Receipt};
use super::references::Graph;
use super::stage::Staged;
use crate::clock::Timestamp;
use crate::error::{Cause, Refusal};
use crate::storage::{CommitInfo, Counters, Engine, Event, Full, Garbage, ProposedCommit, Queue, Room, Size};
use crate::sync::{Arc, Ordering::SeqCst};
use crate::trace;
use crate::user_code;
use smallvec::SmallVec;
use std::time::Instant;

/// Commits the operations of all `parts`, whole, or refuses them whole and leaves them as they are.
pub(super) fn commit(engine: &Arc<Engine>, parts: &mut [Operations]) -> Result<Receipt, Refusal> {
    attempt(engine, parts, None).inspect_err(|refusal| refused(engine, refusal))
}

/// As [`commit`]; records outcomes and refusals in `report`. A lenient commit leaves refused operations in `parts`. Neither counts nor
/// traces a refusal.
pub(super) fn attempt(
    engine: &Arc<Engine>,
    parts: &mut [Operations],
    report: Option<&mut CommitReport>,
) -> Result<Receipt, Refusal> {
    let started = Instant::now();
    #[cfg(feature = "testing")]
    faults::before_commit(engine, parts)?;
    let receipt = attempt_since(started, engine, parts, report);
    #[cfg(feature = "testing")]
    faults::after_commit(engine, parts);
    receipt
}

fn attempt_since(
    started: Instant,
    engine: &Arc<Engine>,
    parts: &mut [Operations],
    mut report: Option<&mut CommitReport>,
) -> Result<Receipt, Refusal> {
    let operations: usize = parts.iter().map(|part| part.len()).sum();
    let _span = trace::span!(engine.counters.tracer, DEBUG, "commit", operations);
    // Before the lock, so that a commit that waits for a slow subscriber makes no other wait.
    let mut room = reserve_room(engine, parts)?;
    parts.iter().for_each(|part| part.catch_up(engine));
    let mut guard = engine.lock_to_write().map_err(Refusal::of_batch)?;
    // Until the publish, the time of readers stands still: none that sees an older commit has a later time.
    let hold = engine.clock.hold();
    let at = hold.at;
    let no_commit = || Receipt { commit: engine.timeline.newest(), at, took: started.elapsed(), ..Receipt::default() };
    if operations == 0 {
        return Ok(no_commit());
    }

    let options = report.as_ref().map(|report| report.options).unwrap_or_default();
    if let Some(seen) = options.only_after.filter(|seen| *seen != engine.timeline.newest()) {
        return Err(Refusal::of_batch(Cause::Stale { seen, now: Some(engine.timeline.newest()) }));
    }

    // 0. Stage: all user code that can change or refuse the commit runs here; nothing is touched yet.
    let graph = Graph::of(engine, parts);
    let mut pulled_in = graph.as_ref().map_or_else(Vec::new, |graph| graph.pull_in(engine, parts));
    parts.iter().chain(&pulled_in).for_each(|part| part.make_structures(engine));
    let to_stage = parts.iter_mut().filter(|part| part.len() > 0);
    let staged = user_code::run(|| match &graph {
        None => stage_each(to_stage, options, at),
        Some(graph) => graph.stage(engine, to_stage.chain(&mut pulled_in), options, at),
    });
    let panicked = |message| Refusal::of_batch(Cause::Panicked { what: "drop of an intermediate record", message });
    let mut staged = staged.map_err(panicked)?.map_err(|refusals| first_of(engine, refusals))?;
    if let Some(report) = &mut report {
        staged.iter_mut().for_each(|part| part.report_outcomes(report));
        report.refusals.sort_by_key(Refusal::position);
        if report.refusals.len() == operations {
            return Ok(no_commit());
        }
    }
    // Hooks refuse last, when everything else has agreed.
    let commit = engine.timeline.newest().next();
    if engine.hooks.any_can_refuse() {
        let proposed = ProposedCommit::new(commit, at, staged.iter_mut().map(|part| part.propose(commit)).collect());
        if let Err((cause, panics)) = engine.hooks.prepare(&proposed) {
            drop(proposed);
            staged.iter_mut().for_each(|part| part.retract());
            engine.counters.report_hook_panics(panics);
            return Err(Refusal::of_batch(cause));
        }
    }
    let poison = guard.poison_on_unwind(commit);
    staged.iter_mut().for_each(|part| part.seal(commit));
    staged.iter_mut().for_each(|part| part.look_for_questions(commit));

    // 1. Mark: readers learn which rows are about to change before anything shared does.
    staged.iter().for_each(|part| part.mark(commit));

    // 2. Apply: every shared structure is brought to the new state, in place.
    staged.iter_mut().for_each(|part| part.apply(commit));

    // 3. Bring cached answers to the new state: never after the publish, or a stale answer could be given under it.
    let mut released = Garbage::default();
    staged.iter_mut().for_each(|part| part.account_to_questions(commit, &mut released));
    let info = engine.hooks.any().then(|| {
        let changes = staged.iter().map(|part| part.changes()).collect();
        Arc::new(CommitInfo::new(commit, at, changes))
    });
    let panics = info.as_ref().map_or(0, |info| engine.hooks.invalidate(info));

    // 4. Publish: one store makes the whole batch visible.
    engine.publish(commit);
    drop(hold);

    // 5. Reclaim what no pinned reader sees, this commit's rows first.
    let counts = staged.iter().fold(Counts::default(), |mut sum, part| {
        sum += part.counts();
        sum
    });
    let garbage = guard.reclaim(operations, |pass, garbage, backlog| {
        // Each part releases its table's writer when it is done.
        for mut part in staged {
            if part.reclaim(pass, garbage) {
                backlog.add(part.table());
            }
        }
    });
    poison.complete();

    // 6. Notify: queued under the lock, so in the order of the commits; delivered outside of it.
    info.into_iter().for_each(|info| engine.hooks.enqueue(Event::Commit(info), std::mem::take(&mut room)));
    drop(guard);
    engine.dispose(garbage);
    engine.dispose(released);
    engine.counters.report_hook_panics(panics);
    engine.deliver();
    let took = started.elapsed();
    engine.latency.commit(took);
    Ok(Receipt { commit, at, took, counts })
}

/// Stages parts that have nothing to do with each other. The error has a refusal of each part at fault.
fn stage_each<'p>(
    parts: impl Iterator<Item = &'p mut Operations>,
    options: CommitOptions,
    at: Timestamp,
) -> Result<SmallVec<[Staged<'p>; 2]>, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let staged = parts.filter_map(|part| part.stage(options, at).map_err(|refusal| refusals.push(refusal)).ok());
    let staged = staged.collect();
    if refusals.is_empty() { Ok(staged) } else { Err(refusals) }
}

/// The first operation at fault of all collections; before that, whatever concerns no single operation.
fn first_of(engine: &Engine, mut refusals: Vec<Refusal>) -> Refusal {
    refusals.sort_by_key(Refusal::position);
    let mut refusals = refusals.into_iter();
    let Some(first) = refusals.next() else { unreachable!("a refused commit has a refusal") };
    engine.counters.drop_each(refusals);
    first
}

/// Waits until the subscriptions that make writers wait have room for the operations on the collections that they follow.
fn reserve_room(engine: &Engine, parts: &[Operations]) -> Result<Room, Refusal> {
    let size_in = |queue: &Queue| {
        let followed = parts.iter().filter(|part| part.len() > 0 && queue.follows(part.collection()));
        // The removal of expired records waits for nobody.
        let sizes = followed.filter(|part| part.is_of_callers());
        let sizes = sizes.map(|part| Size { operations: part.len(), bytes: part.bytes() });
        sizes.fold(Size::default(), Size::plus)
    };
    engine.hooks.feed.reserve(size_in).map_err(|full| {
        let Full { subscription, waited, unit, queued, limit } = full;
        Refusal::of_batch(Cause::SubscriptionFull { subscription, waited, unit, queued, limit })
    })
}

/// Counts and traces a refusal.
pub(super) fn refused(engine: &Engine, refusal: &Refusal) {
    let Counters { refusals, tracer, .. } = &*engine.counters;
    refusals.fetch_add(1, SeqCst);
    let _span = trace::span!(tracer, DEBUG, "refusal");
    trace::event!(tracer, DEBUG, %refusal, "a batch was refused");
}
