//! References and checks, compared with SQLite, which keeps the tables that memdex says; checks also with a naive evaluator.

use super::sqlite::rows;
use memdex::error::{Cause, Refusal};
use memdex::query::Predicate;
use memdex::schema::{Check, OnDelete, OnUpdate, Reference};
use memdex::{Batch, Collection, FieldDef, Filter, KeyValue, Kind, Schema, Store, field};
use memdex_sql::{Dialect, SchemaToSql, Sql};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, ErrorCode};
use std::collections::{BTreeMap, BTreeSet};

// ---- checks ---------------------------------------------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
enum Tree {
    Eq(usize, i64),
    Half(usize, bool),
    In(usize, Vec<i64>),
    Less(usize, i64),
    Any(usize),
    Null(usize),
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
}

const INTS: [&str; 3] = ["a", "b", "c"];

impl Tree {
    fn predicate(&self) -> Predicate {
        match self {
            Tree::Eq(at, value) => field(INTS[*at]).eq(*value),
            // No integer has this value.
            Tree::Half(at, true) => field(INTS[*at]).eq(0.5),
            Tree::Half(at, false) => field(INTS[*at]).ne(0.5),
            Tree::In(at, values) => field(INTS[*at]).is_in(values.clone()),
            Tree::Less(at, value) => field(INTS[*at]).lt(*value),
            Tree::Any(at) => Predicate::Range(INTS[*at].into(), std::ops::Bound::Unbounded, std::ops::Bound::Unbounded),
            Tree::Null(at) => field(INTS[*at]).is_null(),
            Tree::And(parts) => Predicate::all_of(parts.iter().map(Tree::predicate)),
            Tree::Or(parts) => Predicate::any_of(parts.iter().map(Tree::predicate)),
            Tree::Not(part) => !part.predicate(),
        }
    }

    /// By the truth tables of SQL; `None` is unknown.
    fn truth(&self, values: &[Option<i64>; 3]) -> Option<bool> {
        match self {
            Tree::Eq(at, value) => values[*at].map(|of| of == *value),
            Tree::Half(at, equal) => values[*at].map(|_| !equal),
            Tree::In(at, list) => values[*at].map(|of| list.contains(&of)),
            Tree::Less(at, value) => values[*at].map(|of| of < *value),
            Tree::Any(at) => values[*at].map(|_| true),
            Tree::Null(at) => Some(values[*at].is_none()),
            Tree::And(parts) => joined(parts, values, false),
            Tree::Or(parts) => joined(parts, values, true),
            Tree::Not(part) => part.truth(values).map(|truth| !truth),
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let at = 0..3_usize;
    let leaf = prop_oneof![
        (at.clone(), 0..4_i64).prop_map(|(at, value)| Tree::Eq(at, value)),
        (at.clone(), any::<bool>()).prop_map(|(at, equal)| Tree::Half(at, equal)),
        (at.clone(), vec(0..4_i64, 1..3)).prop_map(|(at, values)| Tree::In(at, values)),
        (at.clone(), 0..4_i64).prop_map(|(at, value)| Tree::Less(at, value)),
        at.clone().prop_map(Tree::Any),
        at.prop_map(Tree::Null),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Tree::And),
            vec(inner.clone(), 1..4).prop_map(Tree::Or),
            inner.prop_map(|part| Tree::Not(Box::new(part))),
        ]
    })
}

fn sqlite_with(schemas: &[(&str, &Schema)]) -> Connection {
    let sqlite = Connection::open_in_memory().unwrap();
    sqlite.execute_batch("PRAGMA foreign_keys = ON").unwrap();
    for (name, schema) in schemas {
        schema.to_sql(Dialect::Sqlite, name).unwrap().iter().for_each(|sql| sqlite.execute_batch(sql).unwrap());
    }
    sqlite
}

fn in_sql(value: Option<i64>) -> String {
    value.map_or("NULL".into(), |value| value.to_string())
}

fn same_checks(tree: &Tree, values: &[[Option<i64>; 3]]) {
    let fields = INTS.map(|name| FieldDef::new(name, Kind::Int));
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key()].into_iter().chain(fields));
    let schema = schema.with_check(Check::new(tree.predicate()).named("it"));
    let records = Store::new().key_values::<()>("t", schema).unwrap();
    let sqlite = sqlite_with(&[("t", records.schema())]);
    for (id, values) in values.iter().enumerate() {
        let given = INTS.into_iter().zip(values).filter_map(|(name, value)| Some((name, (*value)?)));
        let record = given.fold(KeyValue::new(id, ()), |record, (name, value)| record.with(name, value));
        let passes = match records.insert(record) {
            Ok(_) => true,
            Err(refused) => {
                assert_eq!(
                    (refused.cause().sqlstate(), refused.refusal().constraint().as_deref()),
                    (Some("23514"), Some("it"))
                );
                false
            }
        };
        assert_eq!(passes, tree.truth(values) != Some(false), "{values:?}");
        let [a, b, c] = values.map(in_sql);
        let inserted = sqlite.execute(&format!("INSERT INTO t VALUES ({id}, {a}, {b}, {c})"), []);
        assert_eq!(passes, inserted.is_ok(), "{values:?}: {inserted:?}");
    }
}

// ---- references -----------------------------------------------------------------------------------------------------------------------

const NAMES: [&str; 3] = ["a", "b", "c"];
const REFS: [&str; 2] = ["x", "y"];

#[derive(Clone, Copy, Debug)]
struct Edge {
    of: usize,
    field: usize,
    to: usize,
    on_delete: OnDelete,
    on_update: OnUpdate,
}

#[derive(Clone, Debug)]
enum Op {
    Insert(usize, i64, [Option<i64>; 2]),
    Set(usize, i64, usize, Option<i64>),
    Delete(usize, i64),
    Rekey(usize, i64, i64),
    DeleteWhere(usize, usize, i64),
    SetWhere(usize, usize, i64, Option<i64>),
}

fn edges() -> impl Strategy<Value = Vec<Edge>> {
    let on_delete = select(vec![OnDelete::Restrict, OnDelete::Cascade, OnDelete::SetNull]);
    let on_update = select(vec![OnUpdate::Restrict, OnUpdate::Cascade]);
    vec((0..3_usize, 0..2_usize, 0..3_usize, on_delete, on_update), 1..5).prop_map(|edges| {
        let mut known = BTreeSet::new();
        let edges = edges.into_iter().filter(|(of, field, ..)| known.insert((*of, *field)));
        edges.map(|(of, field, to, on_delete, on_update)| Edge { of, field, to, on_delete, on_update }).collect()
    })
}

fn op() -> impl Strategy<Value = Op> {
    let (at, id, of) = (0..3_usize, 0..5_i64, 0..2_usize);
    let to = || option::weighted(0.6, 0..5_i64);
    prop_oneof![
        6 => (at.clone(), id.clone(), to(), to()).prop_map(|(at, id, x, y)| Op::Insert(at, id, [x, y])),
        3 => (at.clone(), id.clone(), of.clone(), to()).prop_map(|(at, id, of, to)| Op::Set(at, id, of, to)),
        5 => (at.clone(), id.clone()).prop_map(|(at, id)| Op::Delete(at, id)),
        2 => (at.clone(), id.clone(), id.clone()).prop_map(|(at, id, to)| Op::Rekey(at, id, to)),
        1 => (at.clone(), of.clone(), id.clone()).prop_map(|(at, of, id)| Op::DeleteWhere(at, of, id)),
        1 => (at, of, id, to()).prop_map(|(at, of, id, to)| Op::SetWhere(at, of, id, to)),
    ]
}

type Records = Collection<KeyValue<()>>;

fn add(batch: &mut Batch, to: &[Records], op: &Op) -> Result<(), Refusal> {
    let set = |field: usize, to: Option<i64>| move |record: &mut KeyValue<()>| record.set_each(REFS[field], to);
    let eq = |field: usize, value: i64| Predicate::Eq(REFS[field].into(), value.into());
    match op {
        Op::Insert(of, id, refs) => {
            let given = REFS.into_iter().zip(refs).filter_map(|(name, to)| Some((name, (*to)?)));
            batch.insert(&to[*of], given.fold(KeyValue::new(*id, ()), |record, (name, to)| record.with(name, to)))
        }
        Op::Set(of, id, field, value) => batch.update(&to[*of], *id, set(*field, *value)),
        Op::Delete(of, id) => batch.delete(&to[*of], *id),
        Op::Rekey(of, id, new) => {
            let new = *new;
            batch.rekey(&to[*of], *id, new, move |record| {
                let mut moved = KeyValue::new(new, ());
                REFS.iter().for_each(|name| moved.set_each(*name, record.field(name).cloned().collect::<Vec<_>>()));
                *record = moved;
            })
        }
        Op::DeleteWhere(of, field, value) => batch.delete_where(&to[*of], eq(*field, *value)),
        Op::SetWhere(of, field, value, new) => batch.update_where(&to[*of], eq(*field, *value), set(*field, *new)),
    }
}

/// The statement, and whether it must change a row.
fn statement(op: &Op) -> (String, bool) {
    let table = |of: &usize| NAMES[*of];
    match op {
        Op::Insert(of, id, [x, y]) => {
            (format!("INSERT INTO {} VALUES ({id}, {}, {})", table(of), in_sql(*x), in_sql(*y)), true)
        }
        Op::Set(of, id, field, to) => {
            (format!("UPDATE {} SET {} = {} WHERE id = {id}", table(of), REFS[*field], in_sql(*to)), true)
        }
        Op::Delete(of, id) => (format!("DELETE FROM {} WHERE id = {id}", table(of)), false),
        Op::Rekey(of, id, to) => (format!("UPDATE {} SET id = {to} WHERE id = {id}", table(of)), true),
        Op::DeleteWhere(of, field, value) => {
            (format!("DELETE FROM {} WHERE {} = {value}", table(of), REFS[*field]), false)
        }
        Op::SetWhere(of, field, value, to) => {
            let name = REFS[*field];
            (format!("UPDATE {} SET {name} = {} WHERE {name} = {value}", table(of), in_sql(*to)), false)
        }
    }
}

/// The truth of several conditions together, which one of this truth decides.
fn joined(parts: &[Tree], values: &[Option<i64>; 3], deciding: bool) -> Option<bool> {
    let truths: Vec<Option<bool>> = parts.iter().map(|part| part.truth(values)).collect();
    let undecided = if truths.contains(&None) { None } else { Some(!deciding) };
    if truths.contains(&Some(deciding)) { Some(deciding) } else { undecided }
}

/// Runs a batch as a transaction. The error is the SQLSTATE; of an update that finds no record, none.
fn transaction(sqlite: &Connection, ops: &[Op]) -> Result<(), Option<&'static str>> {
    sqlite.execute_batch("BEGIN").unwrap();
    let run = |op: &Op| {
        let (sql, must_change) = statement(op);
        match sqlite.execute(&sql, []) {
            Ok(0) if must_change => Err(None),
            Ok(_) => Ok(()),
            Err(error) => Err(sqlstate(&error)),
        }
    };
    let done = ops.iter().try_for_each(run);
    let done = done.and_then(|()| sqlite.execute_batch("COMMIT").map_err(|error| sqlstate(&error)));
    if done.is_err() {
        sqlite.execute_batch("ROLLBACK").unwrap();
    }
    done
}

fn sqlstate(error: &rusqlite::Error) -> Option<&'static str> {
    match error {
        rusqlite::Error::SqliteFailure(error, _) if error.code == ErrorCode::ConstraintViolation => {
            match error.extended_code {
                787 => Some("23503"),
                1555 | 2067 => Some("23505"),
                other => panic!("{other}"),
            }
        }
        other => panic!("{other}"),
    }
}

fn same_references(edges: &[Edge], batches: &[Vec<Op>]) {
    let store = Store::new();
    let schema = |of: usize| {
        let names = ["id", "x", "y"].map(|name| FieldDef::new(name, Kind::Int));
        let fields = names.into_iter().map(|field| if field.name() == "id" { field.key() } else { field });
        edges.iter().filter(|edge| edge.of == of).fold(Schema::new(fields), |schema, edge| {
            let reference = Reference::new(REFS[edge.field], NAMES[edge.to]);
            schema.with_reference(reference.on_delete(edge.on_delete).on_update(edge.on_update))
        })
    };
    let collections: Vec<Records> = (0..3).map(|of| store.key_values(NAMES[of], schema(of)).unwrap()).collect();
    let schemas: Vec<(&str, &Schema)> = collections.iter().map(|of| (of.name(), of.schema())).collect();
    let sqlite = sqlite_with(&schemas);
    for ops in batches {
        let mut batch = store.batch();
        ops.iter().for_each(|op| add(&mut batch, &collections, op).unwrap());
        let ours = batch.commit().map(drop).map_err(|refused| match refused.cause() {
            Cause::KeyMissing => None,
            cause => Some(cause.sqlstate().unwrap()),
        });
        let theirs = transaction(&sqlite, ops);
        match ops.len() {
            1 => assert_eq!(ours, theirs, "{ops:?}"),
            // SQLite names the first statement at fault, and references last.
            _ => assert_eq!(ours.is_ok(), theirs.is_ok(), "{ours:?}, {theirs:?}: {ops:?}"),
        }
        for records in &collections {
            let found = records.find(Filter::all()).fetch().unwrap();
            let int = |record: &KeyValue<()>, name| record.field(name).next().and_then(|value| value.as_i64());
            let ours: BTreeMap<i64, _> = found
                .iter()
                .map(|record| (record.key().parts()[0].as_i64().unwrap(), [int(record, "x"), int(record, "y")]))
                .collect();
            let int = |cell: &Cell| if let Cell::Integer(value) = cell { Some(*value) } else { None };
            let theirs: BTreeMap<i64, _> = rows(&sqlite, &query(records.name()))
                .iter()
                .map(|row| (int(&row[0]).unwrap(), [int(&row[1]), int(&row[2])]))
                .collect();
            assert_eq!(ours, theirs, "{} after {ops:?}", records.name());
        }
    }
}

fn query(table: &str) -> Sql {
    use memdex::Query;
    use memdex_sql::QueryToSql;
    Query::over([table.to_owned()]).to_sql(Dialect::Sqlite).unwrap()
}

proptest! {
    #[test]
    fn checks_are_those_of_sqlite_and_of_the_truth_tables(
        tree in tree(),
        values in vec([option::of(0..4_i64), option::of(0..4_i64), option::of(0..4_i64)], 1..12),
    ) {
        same_checks(&tree, &values);
    }

    #[test]
    fn single_statements_do_what_they_do_in_sqlite(
        edges in edges(),
        ops in vec(op().prop_map(|op| vec![op]), 1..30),
    ) {
        same_references(&edges, &ops);
    }

    /// References are judged at the end of a batch, as those that are deferred at the end of a transaction.
    #[test]
    fn batches_do_what_transactions_do_in_sqlite(edges in edges(), batches in vec(vec(op(), 1..6), 1..12)) {
        same_references(&edges, &batches);
    }
}
