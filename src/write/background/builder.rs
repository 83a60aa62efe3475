//! Settings of a background writer to be.

use super::super::batch::Batch;
use super::death::Death;
use super::error::StartError;
use super::flusher::Flusher;
use super::gate::{Gate, Settings};
use super::handle::BackgroundWriter;
use crate::limits::{DEFAULT_BACKGROUND_BULK_SIZE, DEFAULT_LINGER, DEFAULT_QUEUED_BYTES, DEFAULT_QUEUED_OPERATIONS};
use crate::storage::Engine;
use crate::sync::{Arc, thread};
use std::fmt;
use std::time::Duration;

/// Settings of a background writer; see [`Store::background_writer`](crate::Store::background_writer).
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

    /// Flushes at once when this many operations are in the queue instead of
    /// [`limits::DEFAULT_BACKGROUND_BULK_SIZE`](crate::limits::DEFAULT_BACKGROUND_BULK_SIZE), and puts no more submissions
    /// into a commit that has as many. A submission is never parted, so a commit may have more.
    #[must_use]
    pub fn bulk_size(mut self, operations: usize) -> Self {
        self.settings.bulk_size = operations.max(1);
        self
    }

    /// Lets a submission wait this long for company instead of
    /// [`limits::DEFAULT_LINGER`](crate::limits::DEFAULT_LINGER), counted from when the flusher has nothing else to do. With
    /// zero, what is there is flushed.
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.settings.linger = linger;
        self
    }

    /// Takes no more than this many operations into the queue, those included that are being committed, instead of
    /// [`limits::DEFAULT_QUEUED_OPERATIONS`](crate::limits::DEFAULT_QUEUED_OPERATIONS); at least one. It takes no more
    /// submissions than that either, nor than [`limits::MAX_QUEUED_SUBMISSIONS`](crate::limits::MAX_QUEUED_SUBMISSIONS).
    ///
    /// For speed, let it be several times [`bulk_size`](BackgroundWriterBuilder::bulk_size): one part is committed while the
    /// next is gathered.
    #[must_use]
    pub fn max_operations(mut self, operations: usize) -> Self {
        self.settings.max_operations = operations.max(1);
        self
    }

    /// Takes no more than this many bytes into the queue, as [`Batch::bytes`] counts
    /// them, instead of [`limits::DEFAULT_QUEUED_BYTES`](crate::limits::DEFAULT_QUEUED_BYTES). What records hold on the heap is
    /// not counted: allow for it.
    #[must_use]
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_bytes = bytes;
        self
    }

    /// Has the flusher die when it reaches a step (a number modulo theirs) for the n-th time: for the scenarios.
    #[cfg(memdex_shuttle)]
    #[doc(hidden)]
    #[must_use]
    pub fn dies_at(self, step: usize, nth: usize) -> Self {
        use super::death::Step;
        self.dying(Step::ALL[step % Step::ALL.len()], nth)
    }

    #[cfg(any(memdex_shuttle, all(test, not(memdex_loom))))]
    pub(super) fn dying(mut self, step: super::death::Step, nth: usize) -> Self {
        self.death.at = Some((step, nth));
        self
    }

    /// Starts the flusher's thread, and gives the first handle.
    ///
    /// # Errors
    /// A [`StartError`] if the system gives no thread.
    pub fn start(self) -> Result<BackgroundWriter, StartError> {
        let BackgroundWriterBuilder { engine, settings, death } = self;
        let gate = Arc::new(Gate::new(settings));
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
