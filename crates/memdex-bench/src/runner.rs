//! One round of one target.

use crate::mix::Kind;
use crate::recorder::Recorder;
use crate::target::{BoxError, Operation, Target};
use crate::workload::Workload;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

/// What a round has measured.
pub(crate) struct Measured {
    pub(crate) took: Duration,
    pub(crate) recorder: Recorder,
    /// The records that the operations of each kind concerned.
    pub(crate) counts: [u64; 5],
}

/// Runs the operations of a workload on a filled target.
pub(crate) fn run(target: &dyn Target, workload: &Workload) -> Result<Measured, (&'static str, BoxError)> {
    let operations: Vec<_> = (0..workload.threads).map(|thread| workload.operations_of(thread)).collect();
    let interval = workload.rate.map(|rate| Duration::from_secs_f64(workload.threads as f64 / rate));
    let barrier = Barrier::new(workload.threads);
    let threads = thread::scope(|scope| {
        let barrier = &barrier;
        let run = |(warm_up, measured)| scope.spawn(move || run_thread(target, warm_up, measured, interval, barrier));
        let threads: Vec<_> = operations.into_iter().map(run).collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let mut all = Measured { took: Duration::ZERO, recorder: Recorder::new(), counts: [0; 5] };
    let (mut started, mut ended): (Option<Instant>, Option<Instant>) = (None, None);
    for thread in threads {
        let (from, to, recorder, counts) = match thread {
            Ok(measured) => measured?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        started = Some(started.map_or(from, |first| first.min(from)));
        ended = Some(ended.map_or(to, |last| last.max(to)));
        all.recorder.merge(&recorder);
        all.counts.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
    }
    if let (Some(started), Some(ended)) = (started, ended) {
        all.took = ended - started;
    }
    Ok(all)
}

type OfThread = (Instant, Instant, Recorder, [u64; 5]);

fn run_thread(
    target: &dyn Target,
    warm_up: Vec<Operation>,
    operations: Vec<Operation>,
    interval: Option<Duration>,
    barrier: &Barrier,
) -> Result<OfThread, (&'static str, BoxError)> {
    let mut warmed = Ok(());
    let mut counts = [0; 5];
    for operation in warm_up {
        let kind = operation.kind();
        match target.execute(operation) {
            Ok(count) => counts[kind as usize] += count,
            Err(error) => {
                warmed = Err(("warm up", error));
                break;
            }
        }
    }
    // Also after an error: the others wait here.
    barrier.wait();
    warmed?;
    let mut recorder = Recorder::new();
    let start = Instant::now();
    let mut due = start;
    for operation in operations {
        let kind: Kind = operation.kind();
        if let Some(interval) = interval {
            wait_until(due);
            let count = target.execute(operation).map_err(|error| ("execute an operation", error))?;
            recorder.record(kind, due.elapsed());
            counts[kind as usize] += count;
            due += interval;
        } else {
            let started = Instant::now();
            let count = target.execute(operation).map_err(|error| ("execute an operation", error))?;
            recorder.record(kind, started.elapsed());
            counts[kind as usize] += count;
        }
    }
    Ok((start, Instant::now(), recorder, counts))
}

/// A sleep may end late, so the last part is spent awake.
fn wait_until(due: Instant) {
    const AWAKE: Duration = Duration::from_micros(200);
    loop {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        if left > AWAKE { thread::sleep(left - AWAKE) } else { std::hint::spin_loop() }
    }
}
