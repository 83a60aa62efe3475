//! The bulk writer that goes on past refusals, and gives back what was refused.

use super::batch::Batch;
use super::operation::Operation;
use super::receipt::Counts;
use super::report::{Asked, Report};
use super::writer::{Group, Writer, WriterError};
use crate::error::Refusal;
use crate::record::Record;
use crate::storage::Collection;
use crate::sync::Ordering::SeqCst;
use std::fmt;

/// A [`Writer`] whose flushes are [lenient](Batch::commit_lenient): operations that are refused are left out and gathered,
/// until [`flush`](LenientWriter::flush) hands them out. They take memory until then. In them, positions count the operations
/// put into the writer since the last report.
///
/// Dropped, it flushes what it still holds, unless its thread is panicking. What is refused and was not handed out is lost
/// then: that is logged, and counted in [`Stats::lost_flushes`](crate::Stats::lost_flushes).
///
/// ```
/// # use memdex::{Record, Store};
/// # #[derive(Record)] struct User { #[record(key)] id: u32 }
/// # let store = Store::new();
/// # let users = store.collection::<User>("User")?;
/// # users.insert(User { id: 205 })?;
/// let mut writer = store.writer().lenient();
/// for id in 0..250 {
///     writer.insert(&users, User { id })?;
/// }
/// let report = writer.flush()?;
/// assert_eq!((report.receipt.counts.inserted, report.refused.len()), (249, 1));
/// let refused = &report.refused[0];
/// assert_eq!(refused.refusal.position(), Some(205));
/// assert_eq!(refused.refusal.key().map(|key| key.to_string()), Some("205".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LenientWriter {
    writer: Writer,
    /// Of the flushes since the last report was handed out.
    report: Report,
    /// How many operations those flushes had.
    flushed: usize,
}

impl Writer {
    /// Goes on leniently with what it has buffered; its [`counts`](Writer::counts) begin anew.
    pub fn lenient(self) -> LenientWriter {
        LenientWriter { writer: self, report: Report::default(), flushed: 0 }
    }
}

impl LenientWriter {
    /// Adds operations that no flush may part, as [`Writer::group`] does. Each of them may be left out by itself.
    ///
    /// # Errors
    /// [`WriterError::NotTaken`] if the closure refuses: what it added is taken out again. [`WriterError::NotFlushed`] as
    /// [`flush`](LenientWriter::flush) would be refused.
    pub fn group(&mut self, add: impl FnOnce(&mut Batch) -> Result<(), Refusal>) -> Result<(), WriterError> {
        Group::gather(&mut self.writer.batch, add)?;
        self.flush_if_full()
    }

    /// Commits what is buffered, and reports on all since the last report: the newest commit, and the sums of counts and
    /// times. What is refused and not taken from the report is lost with it.
    ///
    /// # Errors
    /// A [`Refusal`] only for what concerns no single operation, as of [`Batch::commit_lenient`]. The buffer stays as it was,
    /// and what is gathered already stays for the next report.
    pub fn flush(&mut self) -> Result<Report, Refusal> {
        self.flush_buffer()?;
        self.flushed = 0;
        Ok(std::mem::take(&mut self.report))
    }

    /// How many operations are buffered.
    pub fn len(&self) -> usize {
        self.writer.len()
    }

    /// Whether nothing is buffered. Something may have been refused all the same.
    pub fn is_empty(&self) -> bool {
        self.writer.is_empty()
    }

    /// How many operations were refused since the last report.
    pub fn refused(&self) -> usize {
        self.report.refused.len()
    }

    /// What the flushed operations did since the last report.
    pub fn counts(&self) -> Counts {
        self.report.receipt.counts
    }

    /// The buffer, to read it back, or to mend it.
    pub fn batch_mut(&mut self) -> &mut Batch {
        self.writer.batch_mut()
    }

    /// Takes all that is buffered back; the writer goes on with an empty buffer.
    pub fn take(&mut self) -> Batch {
        self.writer.take()
    }

    pub(super) fn add<R: Record>(
        &mut self,
        collection: &Collection<R>,
        operation: Result<Operation<R>, Refusal>,
    ) -> Result<(), WriterError> {
        self.writer.batch.add(collection, operation).map_err(WriterError::NotTaken)?;
        self.flush_if_full()
    }

    fn flush_if_full(&mut self) -> Result<(), WriterError> {
        if self.writer.is_full() { self.flush_buffer().map_err(WriterError::NotFlushed) } else { Ok(()) }
    }

    fn flush_buffer(&mut self) -> Result<(), Refusal> {
        let operations = self.writer.batch.next_position();
        let asked = Asked { lenient: true, ..Asked::default() };
        let flushed = self.writer.batch.flush_noted(asked);
        self.writer.set_next_flush(flushed.is_ok());
        let Report { receipt, refused, .. } = flushed?;
        let sum = &mut self.report.receipt;
        (sum.commit, sum.at) = (receipt.commit, receipt.at);
        sum.took += receipt.took;
        sum.counts += receipt.counts;
        self.report.refused.extend(refused.into_iter().map(|refused| refused.moved_on(self.flushed)));
        self.flushed += operations;
        Ok(())
    }
}

impl Drop for LenientWriter {
    fn drop(&mut self) {
        // What can't be flushed is left to the writer within, which says so.
        if !std::thread::panicking() && !self.is_empty() {
            let _ = self.flush_buffer();
        }
        let refused = self.refused();
        if refused > 0 {
            let counted_by_writer = !self.is_empty();
            let lost = u64::from(!counted_by_writer);
            self.writer.batch.engine().counters.lost_flushes.fetch_add(lost, SeqCst);
            tracing::error!(refused, "a lenient writer was dropped without a last flush: what was refused is lost");
        }
    }
}

impl fmt::Debug for LenientWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LenientWriter")
            .field("writer", &self.writer)
            .field("refused", &self.refused())
            .finish_non_exhaustive()
    }
}
