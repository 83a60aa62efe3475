//! A subscriber: rebuilds the books from a snapshot and the events of the feed, through gaps.

use super::books::Book;
use super::machine::Race;
use super::records::Subject;
use super::reference::{Shelf, World};
use memdex::hook::{ChangeKind, FeedEvent, Missed, RecordChange, Subscription};
use memdex::{Commit, Handle, Snapshot};

pub(super) struct Follower {
    subscription: Subscription,
    books: Shelf<Book>,
    at: Commit,
}

impl Race {
    /// Subscribes, with room for so many changes.
    pub(super) fn subscribe(&mut self, room: usize) {
        let (snapshot, subscription) = self.store.subscribe().max_operations(room).progress_every(3).start().unwrap();
        let (books, at) = (self.books_at(&snapshot), snapshot.commit());
        self.follower = Some(Follower { subscription, books, at });
    }

    fn books_at(&self, snapshot: &Snapshot) -> Shelf<Book> {
        snapshot.of(&self.books).iter().map(|book| (book.id(), ((*book).clone(), book.commit()))).collect()
    }

    /// Reads all events. Then the follower has the newest books.
    pub(super) fn check_follower(&mut self, world: &World) {
        let Some(mut follower) = self.follower.take() else { return };
        while let Some(event) = follower.subscription.try_next() {
            match event {
                FeedEvent::Commit(commit) => {
                    assert!(commit.number() > follower.at);
                    follower.at = commit.number();
                    commit.changes::<Book>("books").iter().for_each(|change| follower.apply(change));
                }
                FeedEvent::Missed(Missed { from, snapshot, .. }) => {
                    assert!(from > follower.at && from <= snapshot.commit().next());
                    (follower.books, follower.at) = (self.books_at(&snapshot), snapshot.commit());
                }
                FeedEvent::Progress(commit) => {
                    assert!(commit > follower.at);
                    follower.at = commit;
                }
                other => panic!("no collection is dropped: {other:?}"),
            }
        }
        assert_eq!(follower.books, world.at(world.newest()).books, "rebuilt from the feed");
        self.follower = Some(follower);
    }
}

impl Follower {
    fn apply(&mut self, change: &RecordChange<Book>) {
        let shown = |of: &Option<Handle<Book>>| of.as_ref().map(|book| ((**book).clone(), book.commit()));
        let (id, before, after) = (Book::id_of(&change.key), shown(&change.before), shown(&change.after));
        let expected = match (&before, &after) {
            (None, Some(_)) => ChangeKind::Inserted,
            (Some(_), Some(_)) => ChangeKind::Updated,
            (Some(_), None) => ChangeKind::Deleted,
            (None, None) => panic!("{change:?}"),
        };
        assert_eq!(change.kind(), expected);
        assert_eq!(self.books.remove(&id), before, "each change begins where the last one has ended");
        self.books.extend(after.map(|after| (id, after)));
    }
}
