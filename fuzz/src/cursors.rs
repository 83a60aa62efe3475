//! Page cursors: texts, damaged cursors, and forged ones with correct checksums. Each is refused, or continues the naively sorted list.

use crate::draw::{draw, predicate};
use crate::input::Input;
use crate::queries::over_both;
use crate::results::rows;
use crate::tally;
use crate::world::World;
use memdex::error::QueryError;
use memdex::query::{Ask, Cursor, Direction, Nulls, OrderBy};
use memdex::{Key, Query, Schema, Value};
use memdex_test::{Operation, Outcome, Row};
use siphasher::sip::SipHasher13;
use std::cmp::Ordering;
use std::hash::Hasher;

/// The first byte says what the rest is.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        b't' => {
            if let Ok(text) = std::str::from_utf8(input.rest()) {
                read(text);
            }
        }
        b'f' => {
            let choices = input.part();
            if let (Some(cursor), Some(query)) = (read(&sealed(input.rest())), walk(choices)) {
                continued(&query, &cursor);
            }
        }
        b'd' => damaged(input),
        b'g' => guessed(input),
        b'w' => walked(input.rest()),
        b'm' => merged(input),
        _ => {}
    }
}

/// A text is refused, or is that of the cursor.
fn read(text: &str) -> Option<Cursor> {
    match text.parse::<Cursor>() {
        Ok(cursor) => {
            assert_eq!(cursor.to_string(), text);
            let form = serde_json::to_string(&cursor).expect("a cursor is a text");
            assert_eq!(serde_json::from_str::<Cursor>(&form).expect("it can be read"), cursor);
            Some(cursor)
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            None
        }
    }
}

/// The text of a content with its checksum, written from the description of the format.
fn sealed(content: &[u8]) -> String {
    let mut bytes = vec![3];
    bytes.extend(content);
    let mut hasher = SipHasher13::new_with_keys(0x6d65_6d64_6578, 0x6375_7273_6f72);
    hasher.write(&bytes);
    bytes.extend(hasher.finish().to_le_bytes());
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Four bytes draw an order and a page size; the rest is the program of a predicate.
fn walk(choices: &[u8]) -> Option<Query> {
    let mut input = Input::new(choices);
    World::with(|world| {
        let mut query = draw(input.bytes(4), &world.walks)?;
        query.filter = predicate(input.rest(), &world.predicates);
        Some(query)
    })
}

/// A cursor of a page of a drawn query.
fn real(choices: &[u8], page: u8) -> Option<(Query, Cursor)> {
    let query = walk(choices)?;
    let mut at = query.clone();
    for left in (0..=page % 4).rev() {
        let next = World::with(|world| world.plain.store.query(&at)).ok()?.records()?.next?;
        if left == 0 {
            return Some((query, next));
        }
        at = query.clone().after(next);
    }
    None
}

/// A walk over all pages, forwards and back, returns the naive list.
fn walked(choices: &[u8]) {
    let Some(query) = walk(choices) else { return };
    let expected = sorted(&query);
    World::with(|world| {
        for held in [&world.plain, &world.indexed] {
            let (mut found, mut at, mut last) = (Vec::new(), query.clone(), None);
            loop {
                let page = held.store.query(&at).expect("a valid query").records().expect("records");
                found.extend(rows(&page));
                if page.prev.is_some() {
                    last = page.prev.clone();
                }
                match page.next {
                    Some(next) => at = query.clone().after(read(&next.to_string()).expect("a cursor can be read")),
                    None => break,
                }
                assert!(found.len() <= expected.len(), "too many records by {query:?}");
            }
            assert_eq!(found, expected, "by {query:?}");
            tally::count();
            if let Some(cursor) = last {
                before(&query, &cursor);
            }
        }
    });
}

/// A walk over both collections, forwards or back, returns what one page of all returns.
fn merged(mut input: Input<'_>) {
    let (size, is_back) = (usize::from(input.byte() % 7) + 1, input.byte() % 2 == 1);
    let Some(query) = World::with(|world| draw(input.rest(), &world.of_both)) else { return };
    let mut query = over_both(query).offset(0);
    let Ask::Records(paging) = &mut query.ask else { return };
    paging.limit = None;
    if paging.order.is_empty() {
        return;
    }
    World::with(|world| {
        for store in [&world.plain.store, &world.indexed.store] {
            let read = |query: &Query| store.query(query).map(|result| result.records().expect("records"));
            let all = match read(&query) {
                Ok(all) => rows(&all),
                Err(error) => return assert!(!error.to_string().is_empty()),
            };
            let (mut found, mut at): (Vec<Vec<Row>>, _) = (Vec::new(), query.clone().limit(size));
            // The first page of a walk back is the last one.
            let mut last = None;
            loop {
                let page = read(&at).expect("a valid query");
                let next = page.next.clone().map(|next| self::read(&next.to_string()).expect("a cursor can be read"));
                last = page.prev.clone().or(last);
                found.push(rows(&page));
                assert!(found.len() <= all.len() + 1, "too many pages by {query:?}");
                match next {
                    Some(next) => at = query.clone().limit(size).after(next),
                    None => break,
                }
            }
            assert_eq!(found.concat(), all, "by {query:?}");
            tally::count();
            let mut pages = found.pop().into_iter().collect::<Vec<_>>();
            while let (true, Some(cursor)) = (is_back, last) {
                let page = read(&query.clone().limit(size).before(cursor)).expect("a valid query");
                last = page.prev.clone();
                pages.insert(0, rows(&page));
                assert!(pages.len() <= all.len() + 1, "too many pages by {query:?}");
            }
            assert!(!is_back || pages.concat() == all, "back by {query:?}: {pages:?}, not {all:?}");
        }
    });
}

/// Text of a real cursor with some characters replaced: refused, unless it is the same.
fn damaged(mut input: Input<'_>) {
    let (page, choices) = (input.byte(), input.part());
    let Some((query, cursor)) = real(choices, page) else { return };
    let text = cursor.to_string();
    let mut changed = text.clone().into_bytes();
    while !input.is_empty() && !changed.is_empty() {
        let (at, to) = (usize::from(input.byte()) % changed.len(), input.byte());
        match to {
            0 => drop(changed.remove(at)),
            1 => changed.truncate(at),
            2 => changed.insert(at, b'0'),
            3 => changed.make_ascii_uppercase(),
            _ => changed[at] = to,
        }
    }
    let Ok(changed) = String::from_utf8(changed) else { return };
    match read(&changed) {
        Some(read) if changed == text => assert_eq!(read, cursor),
        Some(_) => panic!("{changed} was read, although it is not {text}"),
        None => assert_ne!(changed, text),
    }
    continued(&query, &cursor);
}

/// A real cursor at another place: with other values, another key, another query.
fn guessed(mut input: Input<'_>) {
    let (page, choices) = (input.byte(), input.part());
    let Some((query, mut cursor)) = real(choices, page) else { return };
    let pool: Vec<Value> = World::with(|world| {
        let names = world.domain.schema().fields().iter().map(|field| field.name());
        names.flat_map(|name| world.domain.values_of(name).expect("a field").to_vec()).chain([Value::NULL]).collect()
    });
    while !input.is_empty() {
        match input.byte() % 8 {
            0 => cursor.query ^= u128::from(input.byte()),
            1 => drop(cursor.values.pop()),
            2 => cursor.values.push(pool[usize::from(input.byte()) % pool.len()].clone()),
            3 => cursor.key = Key::from_bytes(input.part()),
            4 => cursor.collection = std::str::from_utf8(input.part()).ok().map(str::to_owned),
            5 => cursor.collection = None,
            6 => {
                let of = usize::from(input.byte());
                cursor.key =
                    World::with(|world| world.plain.things.iter().nth(of % 30).expect("30 records").key().clone());
            }
            _ => {
                let (at, of) = (usize::from(input.byte()), usize::from(input.byte()) % pool.len());
                if let Some(count) = std::num::NonZero::new(cursor.values.len()) {
                    cursor.values[at % count] = pool[of].clone();
                }
            }
        }
    }
    // As it would be received: not every cursor in memory has a text that can be read.
    if let Ok(cursor) = cursor.to_string().parse::<Cursor>() {
        continued(&query, &cursor);
    }
    continued(&query, &cursor);
}

/// The pages after a cursor and before it.
fn continued(query: &Query, cursor: &Cursor) {
    page(query, cursor, query.clone().after(cursor.clone()), true);
    before(query, cursor);
}

fn before(query: &Query, cursor: &Cursor) {
    page(query, cursor, query.clone().before(cursor.clone()), false);
}

fn page(query: &Query, cursor: &Cursor, asked: Query, is_after: bool) {
    let [plain, indexed] = World::with(|world| [&world.plain, &world.indexed].map(|held| held.store.query(&asked)));
    let (plain, indexed) = match (plain, indexed) {
        (Ok(plain), Ok(indexed)) => (plain.records().expect("records"), indexed.records().expect("records")),
        (Err(plain), Err(indexed)) => {
            assert_eq!(plain, indexed);
            return assert!(matches!(plain, QueryError::ForeignCursor { .. }), "{plain}: {cursor:?} of {query:?}");
        }
        (plain, indexed) => panic!("{plain:?}\n{indexed:?}\n{cursor:?} of {query:?}"),
    };
    let found = rows(&plain);
    assert_eq!(rows(&indexed), found, "with indexes and without, {cursor:?} of {query:?}");
    let Ask::Records(paging) = &query.ask else { return };
    let limit = paging.limit.unwrap_or(usize::MAX);
    World::with(|world| {
        let schema = world.domain.schema();
        let is_beyond = |row: &Row| {
            let order = place(schema, row, &paging.order, cursor);
            if is_after { order.is_gt() } else { order.is_lt() }
        };
        let beyond: Vec<Row> = sorted(query).into_iter().filter(is_beyond).collect();
        let skipped = if is_after { 0 } else { beyond.len().saturating_sub(limit) };
        let expected: Vec<Row> = beyond.into_iter().skip(skipped).take(limit).collect();
        assert_eq!(found, expected, "after: {is_after}, {cursor:?} of {query:?}");
        tally::count();
    });
}

/// All records of a query by the naive model, in order.
fn sorted(query: &Query) -> Vec<Row> {
    match World::with(|world| world.model.clone().apply(&Operation::Walk(query.clone()))) {
        Outcome::Records { rows, .. } => rows,
        other => panic!("{other:?} by {query:?}"),
    }
}

/// Where a record is, seen from a cursor.
fn place(schema: &Schema, row: &Row, order: &[OrderBy], cursor: &Cursor) -> Ordering {
    // A field that is repeated never breaks a tie.
    let is_first = |at: &usize| order[..*at].iter().all(|other| other.field != order[*at].field);
    let order: Vec<&OrderBy> = (0..order.len()).filter(is_first).map(|at| &order[at]).collect();
    assert_eq!(
        cursor.values.len(),
        order.len(),
        "an accepted cursor has a value for each sort key: {cursor:?} by {order:?}"
    );
    for (by, at) in order.into_iter().zip(&cursor.values) {
        let field = &schema.fields()[schema.position(&by.field).expect("a field")];
        let missing = if by.nulls == Nulls::First { Ordering::Less } else { Ordering::Greater };
        let order = match (row.one(&by.field), at.is_null()) {
            (None, true) => Ordering::Equal,
            (None, false) => missing,
            (Some(_), true) => missing.reverse(),
            (Some(value), false) => {
                assert_eq!(at.kind(), Some(field.kind()), "an accepted cursor has values of the kinds of its fields");
                // A cursor holds the key of the collation.
                let order = match (value.as_str(), at.as_str(), field.collation()) {
                    (Some(text), Some(key), Some(collation)) => collation.key(text).as_ref().cmp(key),
                    _ => value.cmp(at),
                };
                if by.direction == Direction::Descending { order.reverse() } else { order }
            }
        };
        if order.is_ne() {
            return order;
        }
    }
    row.key(schema).expect("a key").cmp(&cursor.key.parts())
}
