//! The change feed: what subscriptions report, their filters, their bounds, their readers, and user code that runs for them.

mod bounds;
mod events;
mod filters;
mod readers;
mod rebuild;
mod user_code;

use memdex::hook::{ChangeKind, CommitInfo};
use memdex::hook::{FeedEvent, Subscription};
use memdex::{Collection, Record, Store};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Record)]
struct Item {
    #[record(key)]
    id: u32,
    #[record(index)]
    group: u8,
    #[record(field)]
    score: Option<i64>,
    #[record(field)]
    tags: Vec<String>,
    text: String,
}

fn item(id: u32, group: u8) -> Item {
    Item { id, group, score: Some(i64::from(id)), tags: vec![format!("tag {}", id % 3)], text: String::new() }
}

/// Stores an item of each identifier. Each is a separate commit.
fn put_each(items: &Collection<Item>, ids: impl IntoIterator<Item = u32>, group: u8) {
    for id in ids {
        items.store(item(id, group)).unwrap();
    }
}

fn items() -> (Store, Collection<Item>) {
    let store = Store::new();
    let items = store.collection("items").unwrap();
    (store, items)
}

fn next(subscription: &mut Subscription) -> FeedEvent {
    subscription.try_next().expect("there is an event")
}

fn next_commit(subscription: &mut Subscription) -> Arc<CommitInfo> {
    match next(subscription) {
        FeedEvent::Commit(commit) => commit,
        other => panic!("{other:?}"),
    }
}

/// The kinds, and the groups before and after, by identifier.
type Changes = Vec<(u32, ChangeKind, Option<u8>, Option<u8>)>;

fn changes(commit: &CommitInfo, collection: &str) -> Changes {
    let group = |item: &Option<memdex::Handle<Item>>| item.as_ref().map(|item| item.group);
    let changes = commit.changes::<Item>(collection).iter();
    let mut changes: Changes = changes
        .map(|change| (change.key.to().unwrap(), change.kind(), group(&change.before), group(&change.after)))
        .collect();
    changes.sort_by_key(|(id, ..)| *id);
    changes
}

/// The numbers of all commits that are queued.
fn commits(subscription: &mut Subscription) -> Vec<u64> {
    let mut commits = Vec::new();
    while let Some(event) = subscription.try_next() {
        match event {
            FeedEvent::Commit(commit) => commits.push(commit.number().get()),
            other => panic!("{other:?}"),
        }
    }
    commits
}
