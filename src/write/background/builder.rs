//! Builder for a background writer.

use super::super::batch::Batch;
use super::death::Death;
use super::error::BackgroundError;
use super::flusher::Flusher;
use super::gate::{Gate, Settings};
use super::handle::BackgroundWriter;
use crate::limits::{DEFAULT_BACKGROUND_BULK_SIZE, DEFAULT_LINGER, DEFAULT_QUEUED_BYTES, DEFAULT_QUEUED_OPERATIONS};
use crate::storage::{Drain, Engine};
use crate::sync::{Arc, thread};
use std::fmt;
use std::time::Duration;

/// Builder for a [`BackgroundWriter`], from [`Store::background_writer`](crate::Store::background_writer).
///
/// ```
/// use memdex::Store;
/// use std::time::Duration;
///
/// let store = Store::new();
/// let background = store.background_writer().bulk_size(1_000).linger(Duration::from_millis(5)).start()?;
/// assert_eq!(background.queued().submissions, 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "it does nothing until `start` is called"]
pub struct BackgroundWriterBuilder {
    engine: Arc<Engine>,
    settings: Settings,
    death: Death,
}

impl BackgroundWriterBuilder {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let settings = Settings {
            bulk_size: DEFAULT_BACKGROUND_BULK_SIZE,
            linger: DEFAULT_LINGER,
            max_operations: DEFAULT_QUEUED_OPERATIONS,
            max_bytes: DEFAULT_QUEUED_BYTES,
        };
        BackgroundWriterBuilder { engine, settings, death: Death::default() }
    }

    /// Commits as soon as this many operations are in the queue, and adds no further submission to a commit that has as many.
    /// A submission is never split, so a commit may have more. Default:
    /// [`limits::DEFAULT_BACKGROUND_BULK_SIZE`](crate::limits::DEFAULT_BACKGROUND_BULK_SIZE).
    pub fn bulk_size(mut self, operations: usize) -> Self {
        self.settings.bulk_size = operations.max(1);
        self
    }

    /// Waits up to this long for further submissions to commit together, from the time when the background thread has nothing
    /// else to do. With zero it commits immediately. Default: [`limits::DEFAULT_LINGER`](crate::limits::DEFAULT_LINGER).
    pub fn linger(mut self, linger: Duration) -> Self {
        self.settings.linger = linger;
        self
    }

    /// Limits the operations in the queue, including those that are being committed, to this many, at least one. The same
    /// limit holds for submissions, and [`limits::MAX_QUEUED_SUBMISSIONS`](crate::limits::MAX_QUEUED_SUBMISSIONS) as well.
    /// Default: [`limits::DEFAULT_QUEUED_OPERATIONS`](crate::limits::DEFAULT_QUEUED_OPERATIONS).
    ///
    /// For speed, use several times the [`bulk_size`](BackgroundWriterBuilder::bulk_size), so that the queue fills while a commit
    /// runs.
    pub fn max_operations(mut self, operations: usize) -> Self {
        self.settings.max_operations = operations.max(1);
        self
    }

    /// Limits the bytes in the queue, as [`Batch::bytes`] counts them: with the heap memory of records. Default:
    /// [`limits::DEFAULT_QUEUED_BYTES`](crate::limits::DEFAULT_QUEUED_BYTES).
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_bytes = bytes;
        self
    }

    /// Makes the flusher panic when it reaches a step for the n-th time (the number is taken modulo the number of steps).
    #[cfg(memdex_shuttle)]
    #[doc(hidden)]
    pub fn dies_at(self, step: usize, nth: usize) -> Self {
        use super::death::Step;
        self.dying(Step::ALL[step % Step::ALL.len()], nth)
    }

    #[cfg(any(memdex_shuttle, all(test, not(memdex_loom))))]
    pub(super) fn dying(mut self, step: super::death::Step, nth: usize) -> Self {
        self.death.at = Some((step, nth));
        self
    }

    /// Starts the background thread and returns the first handle.
    ///
    /// # Errors
    /// [`BackgroundError::NoThread`] if the system can't start a thread.
    pub fn start(self) -> Result<BackgroundWriter, BackgroundError> {
        let BackgroundWriterBuilder { engine, settings, death } = self;
        let gate = Arc::new(Gate::new(settings));
        let queue: Arc<dyn Drain> = gate.clone();
        engine.add_queue(Arc::downgrade(&queue));
        let (sender, queue) = crossbeam_channel::bounded(settings.max_submissions());
        let flusher = Flusher::new(gate.clone(), queue, Batch::new(engine.clone()), death);
        let thread = thread::Builder::new().name("memdex-flusher".to_owned()).spawn(move || flusher.run())?;
        Ok(BackgroundWriter::new(engine, gate, sender, thread))
    }
}

impl fmt::Debug for BackgroundWriterBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackgroundWriterBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}
