//! Compares every way to read, and the statistics, with the model's state at a commit.

use super::books::Book;
use super::flights::Flight;
use super::indexes::Def;
use super::payments::Payment;
use super::predicates::Tree;
use super::records::Subject;
use super::reference::{Shelf, Shelves, World};
use memdex::query::Find;
use memdex::schema::IndexKind;
use memdex::stats::CollectionStats;
use memdex::{Collection, Commit, Handle, Store, View};
use std::collections::BTreeMap;

fn shelved<R: Subject>(handles: impl IntoIterator<Item = Handle<R>>) -> Shelf<R> {
    let mut shelf = Shelf::<R>::new();
    for handle in handles {
        assert_eq!(R::id_of(handle.key()), handle.id());
        let twice = shelf.insert(handle.id(), ((*handle).clone(), handle.commit()));
        assert!(twice.is_none(), "{:?} was returned twice", handle.key());
    }
    shelf
}

fn same<R: Subject>(found: Option<Handle<R>>, expected: Option<&(R, Commit)>, id: &R::Id) {
    let found = found.map(|handle| ((*handle).clone(), handle.commit()));
    assert_eq!(found.as_ref(), expected, "at {id:?}");
}

/// Compares everything that can be read of a collection's newest state.
pub(super) fn newest<R: Subject>(collection: &Collection<R>, shelf: &Shelf<R>) {
    assert_eq!((collection.len(), collection.is_empty()), (shelf.len(), shelf.is_empty()));
    assert_eq!(&shelved(collection), shelf);
    for id in R::ids() {
        let expected = shelf.get(&id);
        same(collection.get(id.clone()), expected, &id);
        assert_eq!(collection.contains(id.clone()), expected.is_some());
        let shown = collection.get_with(id.clone(), |record| record.clone());
        assert_eq!(shown.as_ref(), expected.map(|(record, _)| record));
    }
    let many = collection.get_many(R::ids());
    R::ids().iter().zip(many).for_each(|(id, found)| same(found, shelf.get(id), id));
}

/// Compares everything that can be read of a collection through a snapshot.
pub(super) fn snapshot<R: Subject>(view: &View<R>, shelf: &Shelf<R>) {
    assert_eq!((view.len(), view.is_empty()), (shelf.len(), shelf.is_empty()));
    assert_eq!(&shelved(view), shelf);
    for id in R::ids() {
        let expected = shelf.get(&id);
        same(view.get(id.clone()), expected, &id);
        assert_eq!(view.contains(id.clone()), expected.is_some());
        let shown = view.get_with(id.clone(), |record| record.clone());
        assert_eq!(shown.as_ref(), expected.map(|(record, _)| record));
    }
    let many = view.get_many(R::ids());
    R::ids().iter().zip(many).for_each(|(id, found)| same(found, shelf.get(id), id));
}

/// Compares the records, keys and count of a query with the naive evaluator.
pub(super) fn answers<R: Subject>(find: &Find<R>, tree: &Tree, shelf: &Shelf<R>) {
    let matching = shelf.iter().filter(|(_, (record, _))| tree.holds(record));
    let expected: Shelf<R> = matching.map(|(id, record)| (id.clone(), record.clone())).collect();
    assert_eq!(shelved(find.fetch().unwrap()), expected, "fetched by {tree:?}");
    let mut keys: Vec<R::Id> = find.keys().unwrap().iter().map(R::id_of).collect();
    keys.sort();
    assert!(keys.iter().eq(expected.keys()), "keys by {tree:?}");
    assert_eq!(find.count().unwrap(), expected.len(), "counted by {tree:?}");
}

/// Compares the store's statistics with the model, as far as the model knows them. If `is_reclaimed` is set, the store first drops
/// the versions that ended snapshots retained; otherwise some of them may remain.
pub(super) fn figures(store: &Store, world: &World, is_reclaimed: bool) {
    if is_reclaimed {
        store.optimize().unwrap();
    }
    let stats = store.stats();
    let pinned = world.pinned();
    assert_eq!((stats.commits, stats.poisoned), (world.newest().get(), None));
    assert_eq!((stats.oldest_pin, stats.pinned_commits), (pinned.first().copied(), pinned.len()));
    assert_eq!((stats.refusals, stats.lost_operations), (world.refusals(), world.lost_operations));
    assert_eq!((stats.drop_panics, stats.hook_panics), (0, 0));
    assert_eq!(stats.latency.commit.count, stats.commits);
    let totals = stats.collections.iter().map(|collection| collection.memory.total());
    assert_eq!(stats.memory.now, totals.sum::<usize>());
    assert!(stats.memory.peak >= stats.memory.now);
    figures_of(&stats.collections[0], world, is_reclaimed, |shelves| &shelves.payments, &indexed::<Payment>());
    figures_of(&stats.collections[1], world, is_reclaimed, |shelves| &shelves.flights, &indexed::<Flight>());
    figures_of::<Book>(&stats.collections[2], world, is_reclaimed, |shelves| &shelves.books, &world.indexes);
}

fn indexed<R: Subject>() -> Vec<Def> {
    let at = |name: &&str| R::FIELDS.iter().position(|field| field == name).unwrap();
    R::INDEXED.iter().map(|name| Def::of_field(at(name), IndexKind::Equality)).collect()
}

fn figures_of<R: Subject>(
    stats: &CollectionStats,
    world: &World,
    is_reclaimed: bool,
    of: fn(&Shelves) -> &Shelf<R>,
    indexes: &[Def],
) {
    let now = world.at(world.newest());
    let newest = of(&now);
    assert_eq!(stats.records, newest.len());
    let reported: Vec<_> = stats.indexes.iter().map(|index| (index.name.clone(), index.kind, index.distinct)).collect();
    let known = |index: &Def| {
        let distinct = (index.kind != IndexKind::Ordered).then(|| index.distinct(newest));
        (index.name::<R>(), index.kind, distinct)
    };
    assert_eq!(reported, indexes.iter().map(known).collect::<Vec<_>>());
    // Older versions that a pin sees. Each absence that a pin sees may be a tombstone.
    let mut older: BTreeMap<(R::Id, Option<Commit>, Commit), ()> = BTreeMap::new();
    for (id, pin) in R::ids().into_iter().flat_map(|id| world.pinned().into_iter().map(move |pin| (id.clone(), pin))) {
        let begin = |commit| of(&world.at(commit)).get(&id).map(|(_, begin)| *begin);
        match begin(pin) {
            None => older.insert((id, None, pin), ()),
            seen if seen == begin(world.newest()) => None,
            seen => older.insert((id, seen, Commit::ZERO), ()),
        };
    }
    let records = older.keys().filter(|(_, begin, _)| begin.is_some()).count();
    let most = if is_reclaimed { older.len() } else { usize::MAX };
    assert!(
        (records..=most).contains(&stats.versions_retained),
        "{} versions kept, not {records} to {most}",
        stats.versions_retained
    );
    assert!(stats.rows_used >= stats.records + stats.rows_free);
    if is_reclaimed && pinned_nothing_older(world) {
        let kept = (stats.versions_retained, stats.marks, stats.results_retained);
        assert_eq!(kept, (0, 0, 0), "without pins, no version is retained");
        assert_eq!(stats.rows_used, stats.records + stats.rows_free);
    }
}

fn pinned_nothing_older(world: &World) -> bool {
    world.pinned().iter().all(|pin| *pin == world.newest())
}
