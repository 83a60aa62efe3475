//! Panics of the flusher that tests inject. Other builds contain none of it.

/// The steps of the flusher, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Before it checks for work.
    Look,
    /// Has taken a submission out of the channel.
    Taken,
    /// Before it merges submissions into one batch.
    Merge,
    /// The submissions are one batch, not yet committed.
    Merged,
    /// A commit of several submissions was refused; they are still one batch.
    Split,
    /// Before it commits one submission by itself.
    Alone,
    /// Committed, but no submitter knows yet.
    Committed,
    /// Before it answers a submission.
    Answer,
    /// All are answered, but their room in the queue is still taken.
    Answered,
    /// Their room is released.
    Released,
}

impl Step {
    #[cfg(any(memdex_shuttle, all(test, not(memdex_loom))))]
    pub(crate) const ALL: [Step; 10] = [
        Step::Look,
        Step::Taken,
        Step::Merge,
        Step::Merged,
        Step::Split,
        Step::Alone,
        Step::Committed,
        Step::Answer,
        Step::Answered,
        Step::Released,
    ];
}

/// Panics when the flusher reaches a step for the n-th time, counted from 1.
#[derive(Clone, Copy, Default)]
pub(super) struct Death {
    #[cfg(any(memdex_shuttle, all(test, not(memdex_loom))))]
    pub(super) at: Option<(Step, usize)>,
}

impl Death {
    #[cfg(any(memdex_shuttle, all(test, not(memdex_loom))))]
    pub(super) fn comes_at(&mut self, step: Step) {
        if let Some((at, left)) = &mut self.at
            && *at == step
        {
            *left -= 1;
            if *left == 0 {
                self.at = None;
                panic!("told to die at {step:?}");
            }
        }
    }

    #[cfg(not(any(memdex_shuttle, all(test, not(memdex_loom)))))]
    #[inline(always)]
    pub(super) fn comes_at(&mut self, _: Step) {}
}
