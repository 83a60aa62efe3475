//! The same records in three places: a store without indexes, one with many, and the naive model.

use crate::draw::draw;
use memdex::aggregate::DateUnit;
use memdex::query::Predicate;
use memdex::schema::{AggregateDef, Collation};
use memdex::{Bucket, Collection, FieldDef, GroupBy, IndexDef, KeyValue, Kind, Metric, Query, Schema, Store, field};
use memdex_test::{Domain, Form, Model, Operation, Outcome, Row};
use proptest::strategy::BoxedStrategy;

/// The name of the collection.
pub(crate) const THING: &str = "Thing";

/// A second collection, some of whose fields are of other kinds.
pub(crate) const OTHER: &str = "Other";

fn other_fields() -> Vec<FieldDef> {
    vec![
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("name", Kind::Str).optional().collate(Collation::NoCase),
        FieldDef::new("city", Kind::Str).optional(),
        FieldDef::new("cents", Kind::Float).optional(),
        FieldDef::new("at", Kind::Timestamp).optional(),
    ]
}

/// Fields of every kind.
pub(crate) fn fields() -> Vec<FieldDef> {
    vec![
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("name", Kind::Str).optional().collate(Collation::NoCase),
        FieldDef::new("city", Kind::Str).optional(),
        FieldDef::new("cents", Kind::Int).optional(),
        FieldDef::new("ratio", Kind::Float).optional(),
        FieldDef::new("flag", Kind::Bool).optional(),
        FieldDef::new("grade", Kind::Char).optional(),
        FieldDef::new("fee", Kind::Decimal).optional(),
        FieldDef::new("at", Kind::Timestamp).optional(),
        FieldDef::new("due", Kind::Date).optional(),
        FieldDef::new("uid", Kind::Uuid).optional(),
        FieldDef::new("raw", Kind::Bytes).optional(),
        FieldDef::new("tags", Kind::Str).many(),
        FieldDef::new("marks", Kind::Int).many(),
    ]
}

fn indexed_schema() -> Schema {
    let indexed = fields().into_iter().map(|field| match field.name() {
        "name" | "flag" | "uid" | "tags" | "raw" => field.index(),
        "cents" | "at" | "grade" | "marks" => field.ordered(),
        "ratio" => field.ordered().nan_last(),
        _ => field,
    });
    let with_columns = indexed.map(|field| match field.name() {
        "city" | "cents" | "ratio" | "fee" | "due" | "at" => field.column(),
        _ => field,
    });
    Schema::new(with_columns)
        .with_index(IndexDef::ordered(["name", "cents"]))
        .with_index(IndexDef::ordered(["flag", "at", "id"]))
        .with_index(IndexDef::equality(["city", "flag"]))
        .with_index(IndexDef::ordered("due").when(field("cents").gt(0)))
        .with_index(IndexDef::equality("fee").named("flagged").when(field("flag").eq(true)))
        .with_aggregate(AggregateDef::new(
            "by_city",
            GroupBy::values("city").metrics([Metric::count(), field("cents").sum()]),
        ))
        .with_aggregate(AggregateDef::new(
            "by_month",
            GroupBy::new([Bucket::date("at", DateUnit::Month)]).metrics([Metric::count(), field("fee").max()]),
        ))
}

/// A store with both collections.
pub(crate) struct Held {
    pub(crate) store: Store,
    pub(crate) things: Collection<KeyValue<()>>,
}

impl Held {
    fn of([things, others]: [(Schema, &[Row]); 2]) -> Self {
        let store = Store::new();
        let filled = |name: &str, (schema, rows): (Schema, &[Row])| {
            let records = store.key_values::<()>(name, schema.clone()).expect("the schema is valid");
            let form = Form::<KeyValue<()>>::key_values(schema);
            for row in rows {
                let record = form.build(&row.to_values()).expect("the domain draws valid rows");
                records.insert(record).expect("the rows are distinct");
            }
            records
        };
        let things = filled(THING, things);
        filled(OTHER, others);
        store.verify().expect("the store is sound");
        Held { store, things }
    }
}

/// The same records in three places.
pub(crate) struct World {
    pub(crate) domain: Domain,
    pub(crate) plain: Held,
    pub(crate) indexed: Held,
    pub(crate) model: Model,
    // Strategies take longer to make than to use.
    pub(crate) predicates: BoxedStrategy<Predicate>,
    pub(crate) queries: BoxedStrategy<Query>,
    pub(crate) walks: BoxedStrategy<Query>,
    pub(crate) statistics: BoxedStrategy<Query>,
    /// Over fields that both collections have.
    pub(crate) of_both: BoxedStrategy<Query>,
}

impl World {
    fn new() -> Self {
        let schema = Schema::new(fields());
        let domain =
            Domain::of_schema(THING, schema.clone()).and_then(|domain| domain.keys(40)).expect("the schema is valid");
        let (model, rows) = filled(&domain, 30);
        let others = Schema::new(other_fields());
        let of_others = Domain::of_schema(OTHER, others.clone()).expect("the schema is valid");
        let (_, other_rows) = filled(&of_others, 6);
        let indexed_others = Schema::new(other_fields().into_iter().map(|field| match field.name() {
            "name" | "cents" => field.ordered().nan_last(),
            "city" => field.index().column(),
            _ => field,
        }));
        let plain = Held::of([(schema, &rows), (others, &other_rows)]);
        let indexed = Held::of([(indexed_schema(), &rows), (indexed_others, &other_rows)]);
        World {
            predicates: domain.predicates(),
            queries: domain.queries(),
            walks: domain.walks(),
            statistics: domain.statistics(),
            of_both: of_others.queries(),
            domain,
            plain,
            indexed,
            model,
        }
    }

    /// Runs with the world of this thread, which nothing changes.
    pub(crate) fn with<T>(run: impl FnOnce(&World) -> T) -> T {
        thread_local! {
            static WORLD: World = World::new();
        }
        WORLD.with(run)
    }
}

/// A model with so many drawn rows.
fn filled(domain: &Domain, count: usize) -> (Model, Vec<Row>) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut model = Model::new([(domain.name().to_string(), domain.schema().clone())]);
    let (of_rows, mut rows) = (domain.rows(), Vec::new());
    while rows.len() < count {
        let bytes: Vec<u8> = (0..8).map(|_| next(&mut random)).collect();
        let Some(row) = draw(&bytes, &of_rows) else { continue };
        if model.apply(&Operation::insert(domain.name().clone(), row.clone())) == Outcome::Done {
            rows.push(row);
        }
    }
    (model, rows)
}

/// Xorshift.
fn next(state: &mut u64) -> u8 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 24) as u8
}
