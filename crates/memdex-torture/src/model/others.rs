//! The collections that have steps of their own.

use super::ledger::Ledger;
use super::recent::Recent;
use super::sessions::Sessions;
use memdex::Commit;

#[derive(Clone, Debug)]
pub(super) struct Others {
    pub sessions: Sessions,
    pub recent: Recent,
    pub ledger: Ledger,
}

impl Others {
    pub(super) fn new() -> Self {
        Others { sessions: Sessions::new(), recent: Recent::default(), ledger: Ledger::default() }
    }

    /// Between how many records the store has of them.
    pub(super) fn held(&self) -> (usize, usize) {
        let (least, most) = self.sessions.held();
        let others = self.recent.len() + self.ledger.len();
        (least + others, most + others)
    }

    /// As they were at a checkpoint; `None` if nothing has changed.
    pub(super) fn rolled_back(&self, to: &Others, at: Commit, commit: Commit) -> Option<Others> {
        let times = (self.sessions.now(), to.sessions.now());
        let sessions = self.sessions.rolled_back(&to.sessions, at, commit);
        let recent = self.recent.rolled_back(&to.recent, times, at, commit);
        let ledger = self.ledger.rolled_back(&to.ledger, commit);
        (sessions.is_some() || recent.is_some() || ledger.is_some()).then(|| Others {
            sessions: sessions.unwrap_or_else(|| self.sessions.clone()),
            recent: recent.unwrap_or_else(|| self.recent.clone()),
            ledger: ledger.unwrap_or_else(|| self.ledger.clone()),
        })
    }
}
