//! Where a test has the flusher die. In plain builds nothing of it is left.

/// The steps of the flusher, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// About to look whether there is work.
    Look,
    /// Has taken a submission out of the channel.
    Taken,
    /// About to put submissions together.
    Merge,
    /// They are one batch, not yet committed.
    Merged,
    /// A commit of several was refused; they are one batch still.
    Split,
    /// About to commit one by itself.
    Alone,
    /// Committed, and nobody knows.
    Committed,
    /// About to answer one.
    Answer,
    /// All are answered, their room is still taken.
    Answered,
    /// Their room is given back.
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

/// Panics when a step is reached for the n-th time, counted from 1.
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
