//! Forks, while their base commits, while they commit, and while others read.

use super::explore;
use memdex::query::Find;
use memdex::{Collection, Filter, Record, Store};
use shuttle::thread;

#[derive(Clone, Debug, PartialEq, Record)]
struct Item {
    #[record(key)]
    id: u8,
    #[record(unique)]
    code: u8,
    #[record(index)]
    team: u8,
    #[record(ordered, column)]
    size: u8,
}

fn item(id: u8) -> Item {
    Item { id, code: id, team: id % 2, size: id }
}

fn base(items: u8) -> (Store, Collection<Item>) {
    let store = Store::new();
    let collection = store.collection::<Item>("Item").unwrap();
    store.commit(|batch| (0..items).try_for_each(|id| batch.insert(&collection, item(id)))).unwrap();
    (store, collection)
}

fn open(store: &Store) -> Collection<Item> {
    store.collection("Item").unwrap()
}

fn found(find: &Find<Item>) -> Vec<Item> {
    let mut found: Vec<Item> = find.fetch().unwrap().iter().map(|item| (**item).clone()).collect();
    found.sort_by_key(|item| item.id);
    assert_eq!(find.count().unwrap(), found.len());
    found
}

/// Every form of a query returns these items.
fn check(items: &Collection<Item>, expected: &[Item]) {
    assert_eq!(found(&items.find(Filter::all())), expected);
    let of_team: Vec<Item> = expected.iter().filter(|item| item.team == 1).cloned().collect();
    assert_eq!(found(&items.find(item::TEAM.eq(1))), of_team);
    let by_size: Vec<u8> = items
        .find(item::SIZE.ge(1))
        .order_by(item::SIZE.desc())
        .limit(2)
        .fetch()
        .unwrap()
        .iter()
        .map(|item| item.size)
        .collect();
    let mut sizes: Vec<u8> = expected.iter().map(|item| item.size).filter(|size| *size >= 1).collect();
    sizes.sort_by(|a, b| b.cmp(a));
    sizes.truncate(2);
    assert_eq!(by_size, sizes);
    let sum = items.find(Filter::all()).statistics(item::SIZE.sum()).unwrap().int("sum(size)");
    assert_eq!(sum.unwrap_or(0), expected.iter().map(|item| i64::from(item.size)).sum::<i64>());
    for expected in expected {
        assert_eq!(*items.get_by(item::CODE, expected.code).unwrap().unwrap(), *expected);
        assert_eq!(*items.get(expected.id).unwrap(), *expected);
    }
}

/// The base is changed while a fork takes over what it changes, and while two readers query the fork.
#[test]
fn the_base_is_written() {
    explore(|| {
        let (store, items) = base(4);
        let fork = store.fork();
        let forked = open(&fork);
        let expected: Vec<Item> = (0..4).map(item).collect();
        let held = fork.snapshot();
        let writer = thread::spawn(move || {
            items.update(1, |item| (item.team, item.size) = (0, 9)).unwrap();
            items.delete(2).unwrap();
            items.insert(Item { id: 7, code: 2, team: 1, size: 5 }).unwrap();
        });
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (forked, expected) = (forked.clone(), expected.clone());
                thread::spawn(move || check(&forked, &expected))
            })
            .collect();
        writer.join().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        check(&forked, &expected);
        let view = held.of(&forked);
        assert_eq!((found(&view.find(Filter::all())), view.len()), (expected.clone(), 4));
        fork.verify().unwrap();
        store.verify().unwrap();
    });
}

/// A fork moves what two items have between them, and deletes one and stores it again, under readers who find both states whole.
#[test]
fn the_fork_is_written() {
    explore(|| {
        let (store, _) = base(3);
        let fork = store.fork();
        let forked = open(&fork);
        let writer = {
            let (fork, forked) = (fork.clone(), forked.clone());
            thread::spawn(move || {
                fork.commit(|batch| {
                    batch.update(&forked, 1, |item| (item.code, item.size) = (2, 2))?;
                    batch.update(&forked, 2, |item| (item.code, item.size) = (1, 1))
                })
                .unwrap();
                forked.delete(0).unwrap();
                forked.insert(item(0)).unwrap();
            })
        };
        let reader = || {
            let (fork, forked) = (fork.clone(), forked.clone());
            thread::spawn(move || {
                let snapshot = fork.snapshot();
                let view = snapshot.of(&forked);
                let all = found(&view.find(Filter::all()));
                assert_eq!((all.iter().map(|item| item.size).sum::<u8>(), view.len()), (3, all.len()));
                let by_key: Vec<Item> = (0..3).filter_map(|id| view.get(id)).map(|item| (*item).clone()).collect();
                assert_eq!(by_key, all);
                assert_eq!(found(&view.find(Filter::all())), all, "a snapshot does not change");
                let by_code: Vec<u8> = (1..3).map(|code| view.get_by(item::CODE, code).unwrap().unwrap().id).collect();
                assert!(by_code == [1, 2] || by_code == [2, 1]);
                let newest = forked.get(1).unwrap();
                assert!(newest.size == 1 || newest.size == 2);
            })
        };
        let readers = [reader(), reader()];
        writer.join().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        fork.verify().unwrap();
    });
}

/// A fork of a fork, while both below it are written.
#[test]
fn layers_are_written() {
    explore(|| {
        let (store, items) = base(3);
        let middle = store.fork();
        let of_middle = open(&middle);
        of_middle.update(1, |item| item.size = 7).unwrap();
        let fork = middle.fork();
        let forked = open(&fork);
        let expected = vec![item(0), Item { size: 7, ..item(1) }, item(2)];
        let base_writer = thread::spawn(move || {
            items.delete(0).unwrap();
            items.update(1, |item| item.size = 8).unwrap();
        });
        let middle_writer = thread::spawn(move || {
            of_middle.delete(1).unwrap();
            of_middle.update(2, |item| (item.team, item.code) = (1, 6)).unwrap();
        });
        let reader = {
            let (forked, expected) = (forked.clone(), expected.clone());
            thread::spawn(move || check(&forked, &expected))
        };
        [base_writer, middle_writer, reader].into_iter().for_each(|thread| thread.join().unwrap());
        check(&forked, &expected);
        for store in [fork, middle, store] {
            store.verify().unwrap();
        }
    });
}

/// A rollback while another thread commits restores the state of the checkpoint, or is refused; nothing is lost in between.
#[test]
fn a_rollback_is_one_commit() {
    explore(|| {
        let (store, items) = base(2);
        let before = store.checkpoint().unwrap();
        items.update(0, |item| item.size = 5).unwrap();
        items.insert(item(2)).unwrap();
        let reader = {
            let (store, items) = (store.clone(), items.clone());
            thread::spawn(move || {
                for _ in 0..2 {
                    let snapshot = store.snapshot();
                    let all = found(&snapshot.of(&items).find(Filter::all()));
                    let sizes: Vec<u8> = all.iter().map(|item| item.size).collect();
                    assert!([&[0, 1][..], &[5, 1, 2], &[0, 1, 9], &[5, 1, 2, 9]].contains(&&sizes[..]), "{sizes:?}");
                }
            })
        };
        let writer = {
            let items = items.clone();
            thread::spawn(move || items.insert(Item { size: 9, ..item(9) }).unwrap())
        };
        let receipt = store.rollback(&before).unwrap();
        let written = writer.join().unwrap();
        reader.join().unwrap();
        assert_eq!(items.contains(9), written.commit > receipt.commit);
        assert_eq!((items.get(0).unwrap().size, items.contains(2)), (0, false));
        drop(before);
        store.optimize().unwrap();
        assert_eq!(store.verify().unwrap().versions_retained, 0);
    });
}
