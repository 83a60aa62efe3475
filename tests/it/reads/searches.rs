//! Searches over several collections return what a naive evaluator returns: in order, by pages and cursors, lazily, as
//! keys, counts and statistics; at the newest commit and at a held snapshot.

use super::world::{Row, Searched, World, rows};
use memdex::aggregate::Statistics;
use memdex::error::QueryError;
use memdex::query::{Cursor, Hit, Search};
use memdex::{GroupBy, Metric, Snapshot, field};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Name = (String, String);

fn named(hits: impl IntoIterator<Item = Hit>) -> Vec<Name> {
    hits.into_iter().map(|hit| (hit.collection().to_owned(), hit.key().to_string())).collect()
}

fn sorted(mut names: Vec<Name>) -> Vec<Name> {
    names.sort();
    names
}

fn check(world: &World, at: &Snapshot, rows: &[Row], searched: &Searched, (limit, offset): (usize, usize)) {
    let found = searched.expected(rows);
    let expected: Vec<Name> = found.iter().map(|row| row.name()).collect();
    let unordered = world.search(at, searched);
    assert_eq!(unordered.count(), Ok(expected.len()));
    assert_eq!(unordered.exists(), Ok(!expected.is_empty()));
    assert_eq!(sorted(named(unordered.fetch().unwrap())), sorted(expected.clone()));
    assert_eq!(sorted(named(unordered.iter().unwrap())), sorted(expected.clone()));
    assert_eq!(unordered.explain().unwrap().root.actual, expected.len());

    let search = world.search(at, searched).order_by(searched.order_by());
    // Without any order the records come in none.
    if !searched.order.is_empty() {
        assert_eq!(named(search.fetch().unwrap()), expected);
        assert_eq!(named(search.iter().unwrap()), expected);
        let keys: Vec<Name> = search.keys().unwrap().into_iter().map(|(of, key)| (of, key.to_string())).collect();
        assert_eq!(keys, expected);
    }
    let first = search.first().unwrap();
    assert_eq!(named(first), expected.first().cloned().into_iter().collect::<Vec<_>>());
    match search.one() {
        Ok(hit) => assert_eq!(named([hit]), expected),
        Err(QueryError::NotOne { several, .. }) => {
            assert_eq!((expected.len() > 1, expected.len() != 1), (several, true))
        }
        Err(error) => panic!("{error}"),
    }
    check_pages(&search, &expected, (limit, offset));
    check_statistics(&unordered, searched, &found);
}

fn check_pages(search: &Search, expected: &[Name], (limit, offset): (usize, usize)) {
    let page = search.clone().limit(limit).offset(offset).with_total();
    let found = page.fetch().unwrap();
    let wanted: Vec<Name> = expected.iter().skip(offset).take(limit).cloned().collect();
    assert_eq!((found.total, found.next.is_some()), (Some(expected.len()), offset + limit < expected.len()));
    assert_eq!(named(found), wanted);
    assert_eq!(named(page.iter().unwrap()), wanted);

    check_backwards(search, expected, (limit, offset));

    // By cursors, each through text, with pages of different sizes.
    let mut names = Vec::new();
    let mut next: Option<Cursor> = None;
    for size in (1..=limit).cycle() {
        let search = search.clone().limit(size);
        let page = next.iter().fold(search, |search, cursor| search.after(cursor.clone())).fetch().unwrap();
        assert_eq!(page.len(), size.min(expected.len() - names.len()));
        next = page.next.as_ref().map(|cursor| cursor.to_string().parse().unwrap());
        names.extend(named(page));
        if next.is_none() {
            break;
        }
    }
    assert_eq!(names, expected);

    // By number.
    let pages = expected.len().div_ceil(limit);
    let by_number = (1..=pages + 1).flat_map(|number| named(search.clone().page(number).size(limit).fetch().unwrap()));
    assert_eq!(by_number.collect::<Vec<_>>(), expected);
}

/// From each place the pages before it have the records that come before it, and pages around a key the records on both sides.
fn check_backwards(search: &Search, expected: &[Name], (limit, offset): (usize, usize)) {
    let through_text = |cursor: &Cursor| -> Cursor { cursor.to_string().parse().unwrap() };
    let page = search.clone().limit(limit).offset(offset).fetch().unwrap();
    let has_prev = offset > 0 && offset < expected.len();
    assert_eq!(page.prev.is_some(), has_prev);
    // From there to the first record, with pages of different sizes.
    let (mut end, mut prev) = (offset, page.prev.as_ref().map(through_text));
    for size in (1..=limit).cycle() {
        let Some(cursor) = prev else { break };
        let before = search.clone().limit(size).before(cursor.clone());
        let page = before.fetch().unwrap();
        let from = end.saturating_sub(size);
        assert_eq!(page.prev.is_some(), from > 0);
        // And back.
        let rest = search.clone().limit(limit).after(page.next.clone().unwrap()).fetch().unwrap();
        let behind: Vec<Name> = expected.iter().skip(end).take(limit).cloned().collect();
        assert_eq!(named(rest), behind);
        assert_eq!(named(before.iter().unwrap()), expected[from..end]);
        assert_eq!(named(before.first().unwrap()), expected[from..=from]);
        assert_eq!(before.one().is_ok(), end - from == 1);
        let skipped = search.clone().limit(size).offset(1).before(cursor.clone()).fetch().unwrap();
        assert_eq!(named(skipped), expected[(end - 1).saturating_sub(size)..end - 1]);
        assert_eq!(named(search.clone().before(cursor).fetch().unwrap()), expected[..end], "without a limit");
        prev = page.prev.as_ref().map(through_text);
        assert_eq!(named(page), expected[from..end]);
        end = from;
    }
    assert!(!has_prev || end == 0);

    for most in [0, 1, expected.len().saturating_sub(1), expected.len(), expected.len() + 1] {
        let page = search.clone().limit(limit).with_total_up_to(most).fetch().unwrap();
        let is_exact = expected.len() <= most;
        assert_eq!((page.total, page.total_is_exact), (Some(expected.len().min(most)), is_exact));
    }

    let is_one = search.query().collections.len() == 1;
    for (at, name) in expected.iter().enumerate().step_by(3) {
        let hit = search.clone().limit(1).offset(at).first().unwrap().unwrap();
        let around = search.clone().size(limit).around(hit.key().clone());
        if !is_one {
            assert!(matches!(around.fetch(), Err(QueryError::AroundInSeveral { .. })));
            break;
        }
        let page = around.fetch().unwrap();
        let others = limit - 1;
        let behind = (expected.len() - at - 1).min((others - others / 2).max(others.saturating_sub(at)));
        let (from, to) = (at - at.min(others - behind), at + behind + 1);
        assert_eq!((page.prev.is_some(), page.next.is_some()), (from > 0, to < expected.len()), "{name:?}");
        if let Some(prev) = &page.prev {
            let page = search.clone().limit(limit).before(through_text(prev)).fetch().unwrap();
            assert_eq!(named(page), expected[from.saturating_sub(limit)..from]);
        }
        if let Some(next) = &page.next {
            assert_eq!(named(search.clone().limit(1).after(through_text(next)).fetch().unwrap()), expected[to..=to]);
        }
        assert_eq!(named(page), expected[from..to]);
        assert_eq!(named(around.iter().unwrap()), expected[from..to]);
    }
}

fn check_statistics(search: &Search, searched: &Searched, found: &[&Row]) {
    let sum = || field("quantity").sum();
    let by_shop = GroupBy::values("shop").metrics([Metric::count(), sum()]);
    let result = search.statistics(Statistics::of([Metric::count(), sum()]).group_by(by_shop));
    if searched.over.iter().all(|of| searched.skips(*of)) {
        return assert!(matches!(result, Err(QueryError::UnknownField { .. })), "{result:?}");
    }
    let result = result.unwrap();
    let mut by_shop: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for row in found {
        let group = by_shop.entry(row.shop).or_default();
        *group = (group.0 + 1, group.1 + row.quantity);
    }
    let total = by_shop.values().map(|group| group.1).sum::<i64>();
    assert_eq!(result.int("count"), Some(found.len() as i64));
    assert_eq!(result.int("sum(quantity)"), (!found.is_empty()).then_some(total));
    assert_eq!(result.groups().len(), by_shop.len());
    for (shop, (count, sum)) in by_shop {
        let group = result.group(shop).unwrap();
        assert_eq!((group.int("count"), group.int("sum(quantity)")), (Some(count), Some(sum)), "{shop}");
    }
}

proptest! {
    #![proptest_config(crate::cases::default_cases())]

    #[test]
    fn a_search_equals_a_naive_evaluator(
        (before, after) in (rows(), rows()),
        searches in prop::collection::vec((Searched::any(), (1..8_usize, 0..12_usize)), 1..6),
    ) {
        let world = World::new();
        let before = world.put(&[], &before);
        let held = world.store.snapshot();
        let after = world.put(&before, &after);
        let now = world.store.snapshot();
        for (searched, page) in &searches {
            check(&world, &held, &before, searched, *page);
            check(&world, &now, &after, searched, *page);
        }
        world.store.verify().unwrap();
    }
}
