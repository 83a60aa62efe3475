//! Pages by number, and what they refuse.

use memdex::error::QueryError;
use memdex::limits::{DEFAULT_PAGE_SIZE, MAX_PAGE};
use memdex::query::{Cursor, Predicate};
use memdex::{Collection, FieldDef, Filter, KeyValue, Kind, Query, Record, Schema, Store, field};

#[derive(Clone, Debug, Record)]
struct User {
    #[record(key)]
    id: u32,
    #[record(ordered)]
    age: Option<u8>,
}

/// Users 0 to 24, in the order of age: those without an age, then by id.
fn users() -> (Store, Collection<User>, Vec<u32>) {
    let store = Store::new();
    let users = store.collection::<User>("User").unwrap();
    let age = |id: u32| (!id.is_multiple_of(5)).then_some((id * 7 % 4) as u8);
    store.commit(|batch| (0..25).try_for_each(|id| batch.store(&users, User { id, age: age(id) }))).unwrap();
    let mut ids: Vec<u32> = (0..25).collect();
    ids.sort_by_key(|id| (age(*id), *id));
    (store, users, ids)
}

#[test]
fn pages_by_number_cut_the_ordered_records() {
    let (_store, users, ids) = users();
    let ordered = users.find(Filter::all()).order_by(user::AGE.asc());
    for size in [1, 2, 7, 24, 25, 26, 1_000, MAX_PAGE] {
        for number in [1, 2, 3, 4, 13, 25, 26, 1_000, usize::MAX / MAX_PAGE, usize::MAX] {
            let skipped = (number - 1).saturating_mul(size);
            let expected: Vec<u32> = ids.iter().copied().skip(skipped).take(size).collect();
            let query = ordered.clone().page(number).size(size);
            let page = query.clone().with_total().fetch().unwrap();
            assert_eq!(page.iter().map(|user| user.id).collect::<Vec<_>>(), expected, "page {number} of {size}");
            let is_last = skipped.saturating_add(size) >= ids.len();
            assert_eq!((page.total, page.next.is_none()), (Some(25), is_last), "page {number} of {size}");
            let lazily: Vec<u32> = query.iter().unwrap().map(|user| user.id).collect();
            assert_eq!(lazily, expected, "page {number} of {size}");
            let keys: Vec<String> = query.keys().unwrap().iter().map(|key| key.to_string()).collect();
            assert_eq!(keys, expected.iter().map(u32::to_string).collect::<Vec<_>>());
            assert_eq!(query.first().unwrap().map(|user| user.id), expected.first().copied());
            assert_eq!(query.one().ok().map(|user| user.id), expected.first().copied().filter(|_| expected.len() == 1));
            assert_eq!((query.count(), query.exists()), (Ok(25), Ok(true)), "whatever the page");
        }
    }
}

/// The order of the two calls makes no difference, and `limit` is the size too.
#[test]
fn a_page_has_ten_records_unless_a_size_is_given() {
    let (store, users, ids) = users();
    let ordered = users.find(Filter::all()).order_by(user::AGE.asc());
    let fetched =
        |query: memdex::query::Find<User>| query.fetch().unwrap().iter().map(|user| user.id).collect::<Vec<_>>();
    assert_eq!(fetched(ordered.clone().page(2)), ids[DEFAULT_PAGE_SIZE..2 * DEFAULT_PAGE_SIZE]);
    let third = [ordered.clone().page(3).size(4), ordered.clone().size(4).page(3), ordered.clone().limit(4).page(3)];
    for third in third {
        assert_eq!(fetched(third), ids[8..12]);
    }
    assert_eq!(fetched(ordered.clone().size(4)), ids[..4], "a size without a page is a limit");
    assert_eq!(fetched(users.find(Filter::all()).page(2).size(4)), [4, 5, 6, 7], "by key");

    // The same as plain data, through JSON.
    let query = Query::over(["User"]).order_by(field("age").asc()).page(3).size(4);
    let sent: Query = serde_json::from_str(&serde_json::to_string(&query).unwrap()).unwrap();
    let page = store.query(&sent).unwrap().records().unwrap();
    let of_page: Vec<u32> = page.iter().map(|hit| hit.record::<User>().unwrap().id).collect();
    assert_eq!(of_page, ids[8..12]);
}

#[test]
fn the_cursor_of_a_numbered_page_leads_to_the_next_page() {
    let (_store, users, ids) = users();
    let ordered = users.find(Filter::all()).order_by(user::AGE.asc());
    let cursor = ordered.clone().page(2).size(6).fetch().unwrap().next.unwrap();
    let third = ordered.clone().limit(6).after(cursor.clone()).fetch().unwrap();
    assert_eq!(third.iter().map(|user| user.id).collect::<Vec<_>>(), ids[12..18]);
    let rest = ordered.after(cursor).iter().unwrap().map(|user| user.id);
    assert_eq!(rest.collect::<Vec<_>>(), ids[12..]);
}

/// Every method that reads a page refuses what `fetch` refuses, for one collection and for several.
#[test]
fn invalid_pages_are_refused_by_every_method() {
    let (store, users, _) = users();
    let others = store.collection::<User>("Other").unwrap();
    let cursor = users.find(Filter::all()).limit(1).fetch().unwrap().next.unwrap();
    let find = || users.find(Filter::all());
    let is_zero = |error: &QueryError| matches!(error, QueryError::PageZero { .. });
    let is_size = |error: &QueryError| matches!(error, QueryError::PageSize { most: MAX_PAGE, .. });
    let is_position = |error: &QueryError| matches!(error, QueryError::PageWithPosition { page: 1 | 2, .. });
    type IsExpected<'a> = &'a dyn Fn(&QueryError) -> bool;
    let refused: [(memdex::query::Find<User>, IsExpected<'_>); 7] = [
        (find().page(0), &is_zero),
        (find().page(0).size(5), &is_zero),
        (find().page(1).size(0), &is_size),
        (find().limit(0), &is_size),
        (find().page(2).size(MAX_PAGE + 1), &is_size),
        (find().page(2).offset(1), &is_position),
        (find().page(1).after(cursor), &is_position),
    ];
    for (find, is_expected) in refused {
        let error = find.fetch().unwrap_err();
        assert!(is_expected(&error) && error.to_string().contains("\"User\""), "{error}");
        assert_eq!(find.keys().unwrap_err(), error);
        assert_eq!(find.first().unwrap_err(), error);
        assert_eq!(find.one().unwrap_err(), error);
        assert_eq!(find.iter().unwrap_err(), error);
        assert_eq!(find.explain().unwrap_err(), error);
        let one = find.clone().select(["id"]);
        assert_eq!((one.fetch().unwrap_err(), one.iter().unwrap_err()), (error.clone(), error.clone()));
        let query = find.query();
        assert_eq!(store.query(&query).unwrap_err(), error);
        let snapshot = store.snapshot();
        let both = snapshot.search_by(&query).unwrap().over(&others);
        let error = both.fetch().unwrap_err();
        assert!(is_expected(&error) && error.to_string().contains("\"User, Other\""), "{error}");
        assert_eq!(both.keys().unwrap_err(), error);
        assert_eq!(both.first().unwrap_err(), error);
        assert_eq!(both.one().unwrap_err(), error);
        assert_eq!(both.iter().unwrap_err(), error);
        assert_eq!(both.explain().unwrap_err(), error);
    }
}

#[test]
fn a_cursor_belongs_to_its_collections() {
    let (store, users, _) = users();
    let others = store.collection::<User>("Other").unwrap();
    others.store(User { id: 1, age: Some(1) }).unwrap();
    let snapshot = store.snapshot();
    let both = || snapshot.search(Predicate::All).over(&users).over(&others).order_by(field("age").asc()).limit(3);
    let one = || snapshot.search(Predicate::All).over(&users).order_by(field("age").asc()).limit(3);
    let swapped = || snapshot.search(Predicate::All).over(&others).over(&users).order_by(field("age").asc()).limit(3);
    let of_both: Cursor = both().fetch().unwrap().next.unwrap();
    let of_one: Cursor = one().fetch().unwrap().next.unwrap();
    assert_eq!(both().after(of_both.clone()).fetch().unwrap().len(), 3);
    let named = |search: memdex::query::Search| match search.fetch() {
        Err(QueryError::ForeignCursor { collection, .. }) => collection,
        other => panic!("{other:?}"),
    };
    assert_eq!(named(one().after(of_both.clone())), "User");
    assert_eq!(named(both().after(of_one.clone())), "User, Other");
    assert_eq!(named(swapped().after(of_both.clone())), "Other, User");
    assert_eq!(named(both().order_by(field("id").asc()).after(of_both.clone())), "User, Other");
    assert_eq!(named(both().order_by(field("age").desc()).after(of_both)), "User, Other");
    assert!(both().after(of_one).iter().is_err(), "refused before the first record");
}

/// The text of a cursor can be forged.
#[test]
fn a_cursor_with_a_key_of_another_kind_is_foreign() {
    let (store, users, _) = users();
    let others = store.collection::<User>("Other").unwrap();
    others.store(User { id: 1, age: Some(1) }).unwrap();
    let tags = store.key_values::<()>("Tag", Schema::new([])).unwrap();
    let places = Schema::new([FieldDef::new("x", Kind::Int).key(), FieldDef::new("y", Kind::Int).key()]);
    let places = store.key_values::<()>("Place", places).unwrap();
    tags.store(KeyValue::new("a", ())).unwrap();
    places.store(KeyValue::new((1, 2), ())).unwrap();
    let one = || users.find(Filter::all()).order_by(user::AGE.asc()).limit(3);
    let snapshot = store.snapshot();
    let both = || snapshot.search(Predicate::All).over(&users).over(&others).order_by(field("age").asc()).limit(3);
    let (of_one, of_both) = (one().fetch().unwrap().next.unwrap(), both().fetch().unwrap().next.unwrap());
    for key in [tags.get("a").unwrap().key().clone(), places.get((1, 2)).unwrap().key().clone()] {
        let forged = |cursor: &Cursor| Cursor { key: key.clone(), ..cursor.clone() };
        let is_foreign = |error: QueryError| matches!(error, QueryError::ForeignCursor { .. });
        assert!(is_foreign(one().after(forged(&of_one)).fetch().unwrap_err()), "{key:?}");
        assert!(is_foreign(one().before(forged(&of_one)).fetch().unwrap_err()), "{key:?}");
        assert!(is_foreign(both().after(forged(&of_both)).fetch().unwrap_err()), "{key:?}");
    }
    let moved = |cursor: &Cursor| Cursor { key: users.get(7).unwrap().key().clone(), ..cursor.clone() };
    assert!(one().after(moved(&of_one)).fetch().is_ok() && both().after(moved(&of_both)).fetch().is_ok());
}

/// Walks, columns and sorts give the same pages backwards, and around each record.
#[test]
fn pages_backwards_by_every_path() {
    #[derive(Clone, Debug, PartialEq, Record)]
    struct Item {
        #[record(key)]
        id: u32,
        #[record(ordered, column)]
        weight: Option<i32>,
        #[record(column)]
        size: u8,
        #[record(field)]
        name: String,
    }
    let store = Store::new();
    let items = store.collection::<Item>("Item").unwrap();
    let item = |id: u32| Item {
        id,
        weight: (!id.is_multiple_of(4)).then_some((id * 31 % 9) as i32),
        size: (id * 13 % 5) as u8,
        name: format!("n{}", id * 17 % 7),
    };
    store.commit(|batch| (0..60).try_for_each(|id| batch.insert(&items, item(id)))).unwrap();
    let orders = [
        vec![],
        vec![item::WEIGHT.asc()],
        vec![item::WEIGHT.desc()],
        vec![item::WEIGHT.asc().nulls_last(), item::SIZE.desc()],
        vec![item::SIZE.desc(), item::WEIGHT.desc().nulls_first()],
        vec![item::NAME.asc(), item::SIZE.asc()],
        vec![item::ID.desc()],
    ];
    for order in orders {
        for filter in [Filter::all(), item::SIZE.eq(2), item::WEIGHT.ge(3)] {
            let find = items.find(filter).order_by(order.clone());
            let all: Vec<Item> =
                find.clone().limit(1_000).fetch().unwrap().iter().map(|item| (**item).clone()).collect();
            let ids = |page: &memdex::Page<memdex::Handle<Item>>| page.iter().map(|item| item.id).collect::<Vec<_>>();
            let expected: Vec<u32> = all.iter().map(|item| item.id).collect();
            for at in 1..expected.len() {
                let cursor = find.clone().limit(1).offset(at).fetch().unwrap().prev.unwrap();
                let before = find.clone().limit(7).before(cursor);
                for script in every_script(&before) {
                    let page = before.clone().with_plan(script).fetch().unwrap();
                    assert_eq!(ids(&page), expected[at.saturating_sub(7)..at], "{order:?}");
                    assert_eq!(page.prev.is_some(), at > 7);
                }
                assert_eq!(before.explain().unwrap().root.actual, at.min(7));
                let around = find.clone().around(expected[at]).size(5).fetch().unwrap();
                assert!(ids(&around).contains(&expected[at]));
                let from = (at.saturating_sub(2)).min(expected.len().saturating_sub(5));
                assert_eq!(ids(&around), expected[from..(from + 5).min(expected.len())], "{order:?} {at}");
            }
        }
    }
}

/// One alternative after the other at each decision.
fn every_script<R: Record>(find: &memdex::query::Find<R>) -> Vec<Vec<usize>> {
    let (mut scripts, mut open) = (Vec::new(), vec![Vec::new()]);
    while let Some(script) = open.pop() {
        let alternatives = find.clone().with_plan(script.clone()).plan_alternatives().unwrap();
        match alternatives.get(script.len()) {
            Some(of_next) if script.len() < 3 => {
                open.extend((0..*of_next).map(|next| script.iter().copied().chain([next]).collect()));
            }
            _ => scripts.push(script),
        }
    }
    scripts
}

#[test]
fn positions_that_make_no_sense_are_refused() {
    let (store, users, _) = users();
    let find = || users.find(Filter::all()).order_by(user::AGE.asc()).limit(3);
    let cursor = || find().fetch().unwrap().next.unwrap();
    let several = |query: memdex::query::Find<User>| matches!(query.fetch(), Err(QueryError::SeveralPositions { .. }));
    assert!(several(find().after(cursor()).before(cursor())));
    assert!(several(find().around(3).after(cursor())));
    assert!(several(find().around(3).before(cursor())));
    assert!(several(find().around(3).offset(1)));
    assert!(matches!(find().page(1).before(cursor()).fetch(), Err(QueryError::PageWithPosition { .. })));
    assert!(matches!(find().page(1).around(3).fetch(), Err(QueryError::PageWithPosition { .. })));
    let other = users.find(Filter::all()).limit(3).before(cursor());
    assert!(matches!(other.fetch(), Err(QueryError::ForeignCursor { .. })));
    let error = find().around(99).fetch().unwrap_err();
    assert!(
        matches!(&error, QueryError::NotSelected { collection, key, .. } if collection == "User" && key == "99"),
        "{error}"
    );
    let error = users.find(user::AGE.gt(2)).around(0).fetch().unwrap_err();
    assert!(matches!(error, QueryError::NotSelected { .. }), "it has no age");
    let error = users.find(Filter::all()).around(0).fetch().unwrap();
    assert_eq!(error.len(), DEFAULT_PAGE_SIZE);

    // The record of a cursor may be gone.
    let page = find().offset(3).fetch().unwrap();
    let (first, at) = (page[0].id, page.prev.clone().unwrap());
    users.delete(first).unwrap();
    let back = find().before(at).fetch().unwrap();
    assert_eq!(back.len(), 3);
    store.verify().unwrap();
}

#[test]
fn backward_pages_are_plain_data() {
    let (store, users, ids) = users();
    let by_age = || Query::over(["User"]).order_by(field("age").asc()).limit(4);
    let page = store.query(&by_age().offset(10)).unwrap().records().unwrap();
    let key = page[0].key().clone();
    for (query, form, expected) in [
        (by_age().before(page.prev.clone().unwrap()), "\"before\":\"", &ids[6..10]),
        (by_age().around(key), "\"around\":", &ids[9..13]),
        (by_age().with_total_up_to(7), "\"total_up_to\":7", &ids[0..4]),
    ] {
        let text = serde_json::to_string(&query).unwrap();
        assert!(text.contains(form), "{text}");
        let page = store.query(&serde_json::from_str(&text).unwrap()).unwrap().records().unwrap();
        assert_eq!(page.iter().map(|hit| hit.record::<User>().unwrap().id).collect::<Vec<_>>(), expected);
        assert_eq!(
            (page.total, page.total_is_exact),
            if form.contains("total") { (Some(7), false) } else { (None, true) }
        );
        use memdex::typing::AnyCollection;
        let of_any = AnyCollection::query(&users, &query).unwrap().records().unwrap();
        assert_eq!(of_any.len(), expected.len());
    }
    let text = serde_json::to_string(&by_age()).unwrap();
    assert!(!text.contains("before") && !text.contains("around") && !text.contains("total_up_to"), "{text}");
}

/// A bound on the total ends a scan early.
#[test]
fn a_bounded_total_reads_no_more_than_it_must() {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    static READ: AtomicUsize = AtomicUsize::new(0);
    struct Counted(u32);
    impl Record for Counted {
        type Key = u32;
        fn schema() -> memdex::Schema {
            use memdex::FieldDef;
            memdex::Schema::new([
                FieldDef::of::<u32>("id").key(),
                FieldDef::of::<u32>("weight"),
                FieldDef::of::<u32>("shelf").index(),
            ])
        }
        fn key(&self, key: &mut memdex::typing::KeyBuffer) {
            key.push(self.0.into());
        }
        fn value(&self, at: usize) -> memdex::typing::ValueRef<'_> {
            READ.fetch_add(1, SeqCst);
            if at == 2 { (self.0 % 2).into() } else { self.0.into() }
        }
    }
    let store = Store::new();
    let counted = store.collection::<Counted>("Counted").unwrap();
    store.commit(|batch| (0..100_000).try_for_each(|id| batch.insert(&counted, Counted(id)))).unwrap();
    for filter in [field("weight").ge(5), field("weight").ge(5) & field("shelf").eq(1)] {
        let search = store.snapshot().search(filter).over(&counted);
        READ.store(0, SeqCst);
        let page = search.clone().with_total_up_to(100).page(1).size(1).fetch().unwrap();
        // The page itself reads all matches, since nothing has the order.
        let of_page = READ.swap(0, SeqCst);
        search.clone().page(1).size(1).fetch().unwrap();
        let of_records = READ.load(SeqCst);
        assert!(of_page - of_records < 20_000, "{of_page} {of_records}");
        assert_eq!((page.total, page.total_is_exact), (Some(100), false));
    }
}
