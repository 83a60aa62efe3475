//! Valid schemas.

use super::domain::Domain;
use memdex::schema::Collation;
use memdex::{FieldDef, IndexDef, Kind, Schema};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const KINDS: [Kind; 10] = [
    Kind::Int,
    Kind::Str,
    Kind::Bool,
    Kind::Float,
    Kind::Decimal,
    Kind::Timestamp,
    Kind::Date,
    Kind::Char,
    Kind::Uuid,
    Kind::Bytes,
];

/// Valid schemas: keys of one or two parts; optional, required, many-valued and nested fields of every kind; collations, columns, and
/// indexes of every kind, over several fields, and partial ones.
///
/// ```
/// use memdex_test::strategy::schemas;
/// use proptest::prelude::*;
///
/// proptest!(|(schema in schemas())| {
///     prop_assert!(memdex::Store::new().key_values::<()>("Any", schema).is_ok());
/// });
/// ```
pub fn schemas() -> BoxedStrategy<Schema> {
    let keys = prop_oneof![3 => vec(key(), 1), 1 => vec(key(), 2)];
    (keys, vec(field(), 1..6))
        .prop_map(|(keys, fields)| {
            let mut names = 0..;
            let mut name = |prefix: &str| format!("{prefix}{}", names.next().unwrap_or(0));
            let keys: Vec<FieldDef> = keys.into_iter().map(|kind| FieldDef::new(name("key"), kind).key()).collect();
            let fields =
                fields.into_iter().map(|drawn| drawn.define(&name(if drawn.is_nested { "in.f" } else { "f" })));
            Schema::new(keys.into_iter().chain(fields))
        })
        .prop_flat_map(with_indexes)
        .boxed()
}

fn key() -> impl Strategy<Value = Kind> {
    select(vec![Kind::Int, Kind::Str, Kind::Uuid, Kind::Timestamp, Kind::Date, Kind::Decimal, Kind::Bytes])
}

#[derive(Clone, Copy, Debug)]
struct Drawn {
    kind: Kind,
    /// Missing values, one value, or many.
    values: u8,
    index: u8,
    has_column: bool,
    has_collation: bool,
    is_nested: bool,
}

fn field() -> impl Strategy<Value = Drawn> {
    (select(&KINDS[..]), 0..3_u8, 0..6_u8, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(kind, values, index, has_column, has_collation, is_nested)| Drawn {
            kind,
            values,
            index,
            has_column,
            has_collation: has_collation && kind == Kind::Str,
            is_nested,
        },
    )
}

impl Drawn {
    fn define(self, name: &str) -> FieldDef {
        let field = FieldDef::new(name.to_owned(), self.kind);
        let field = match self.values {
            0 => field.required(),
            1 => field.optional(),
            _ => field.many(),
        };
        let field = if self.has_collation { field.collate(Collation::NoCase) } else { field };
        let field = match self.index {
            0 | 1 => field.index(),
            2 => field.ordered(),
            3 => field.ordered().nan_last(),
            4 if self.values < 2 => field.unique(),
            _ => field,
        };
        if self.has_column && self.values < 2 { field.column() } else { field }
    }
}

/// Adds indexes of several fields, and partial ones.
fn with_indexes(schema: Schema) -> BoxedStrategy<Schema> {
    let single: Vec<String> =
        schema.fields().iter().filter(|field| !field.is_many()).map(|field| field.name().to_owned()).collect();
    let most = single.len().min(3);
    let condition = match Domain::of_schema("any", schema.clone()) {
        Ok(domain) => domain.predicates(),
        Err(_) => Just(memdex::query::Predicate::All).boxed(),
    };
    let index = (0..3_u8, subsequence(single, 1..=most), prop::option::weighted(0.3, condition));
    let index = index.prop_map(|(kind, fields, condition)| {
        let index = match kind {
            0 => IndexDef::equality(fields),
            1 => IndexDef::ordered(fields),
            _ => IndexDef::unique(fields),
        };
        condition.map_or(index.clone(), |condition| index.when(condition))
    });
    vec(index, 0..3)
        .prop_map(move |indexes| {
            let named = indexes.into_iter().enumerate().map(|(at, index)| index.named(format!("index{at}")));
            named.fold(schema.clone(), Schema::with_index)
        })
        .prop_filter("the schema is invalid", |schema| schema.check().is_ok())
        .boxed()
}
