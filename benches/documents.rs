//! JSON documents compared with typed records: the same 300,000 orders as records of a Rust type, as documents whose declared
//! fields have no columns, and as documents whose fields have. See `benches/README.md`.

#[path = "indexes/durations.rs"]
#[allow(dead_code, reason = "other benchmarks print more")]
mod durations;

use durations::{Durations, heading, line};
use memdex::query::Predicate;
use memdex::write::Refused;
use memdex::{Collection, Document, FieldDef, GroupBy, Kind, Nested, Record, Schema, Store, field, json};
use memdex_benches::Random;
use std::time::{Duration, Instant};

const ORDERS: usize = 300_000;
const CARRIERS: u64 = 7;
const RUNS: usize = 15;
const BATCH: usize = 1_000;

#[derive(Clone, Record)]
struct Order {
    #[record(key)]
    id: String,
    #[record(index)]
    carrier: String,
    #[record(field)]
    country: String,
    #[record(nested)]
    customer: Customer,
    #[record(field)]
    amount_cents: i64,
    #[record(field)]
    score: Option<f64>,
    #[record(field)]
    paid: bool,
    #[record(field)]
    tags: Vec<String>,
    /// No field: both have it.
    note: String,
}

#[derive(Clone, Nested)]
struct Customer {
    #[record(field)]
    name: String,
}

fn orders() -> Vec<Order> {
    let mut random = Random::new(11);
    let order = |n| Order {
        id: format!("order-{n:08}"),
        carrier: format!("carrier-{}", random.below(CARRIERS)),
        country: format!("country-{}", random.below(40)),
        customer: Customer { name: format!("customer number {:06} of the year", random.below(20_000)) },
        amount_cents: random.below(1_000_000) as i64,
        score: (random.below(10) > 0).then(|| random.below(1_000) as f64 / 8.0),
        paid: random.below(2) == 0,
        tags: (0..random.below(4)).map(|_| format!("tag-{}", random.below(30))).collect(),
        note: format!("note {:016}", random.below(1 << 50)),
    };
    (0..ORDERS).map(order).collect()
}

fn document(order: &Order) -> Document {
    let Order { id, carrier, country, customer, amount_cents, score, paid, tags, note } = order;
    let address = json!({ "street": format!("{note} street"), "city": country, "zip": amount_cents % 10_000 });
    let body = json!({
        "id": id, "carrier": carrier, "country": country, "customer": { "name": customer.name, "address": address },
        "amount_cents": amount_cents, "score": score, "paid": paid, "tags": tags, "note": note, "version": 3,
    });
    Document::new(body).expect("an object")
}

fn schema(columns: bool) -> Schema {
    let column = |field: FieldDef| if columns { field.column() } else { field };
    Schema::new([
        FieldDef::new("id", Kind::Str).key(),
        FieldDef::new("carrier", Kind::Str).index(),
        column(FieldDef::new("country", Kind::Str)),
        column(FieldDef::new("customer.name", Kind::Str)),
        column(FieldDef::new("amount_cents", Kind::Int)),
        column(FieldDef::new("score", Kind::Float)),
        column(FieldDef::new("paid", Kind::Bool)),
        FieldDef::new("tags", Kind::Str).many(),
    ])
}

/// A store with these records, how long one insert took, and the bytes of a record.
fn stored<R: Record>(
    records: Vec<R>,
    open: impl FnOnce(&Store) -> Collection<R>,
) -> Result<(Store, Collection<R>, Duration, usize), Refused> {
    let store = Store::new();
    let collection = open(&store);
    let mut writer = store.writer().bulk_size(BATCH);
    let started = Instant::now();
    for record in records {
        writer.insert(&collection, record).expect("every key is new");
    }
    writer.flush().expect("every key is new");
    drop(writer);
    let took = started.elapsed() / ORDERS as u32;
    let bytes = store.stats().memory.now / ORDERS;
    Ok((store, collection, took, bytes))
}

/// A query that returns how many records or groups it has found.
type Query = (&'static str, fn(&dyn Queries) -> usize);

trait Queries {
    fn count(&self, filter: Predicate) -> usize;
    fn page(&self, filter: Predicate, order: &'static str) -> usize;
    fn group(&self, group: GroupBy) -> usize;
}

impl<R: Record> Queries for Collection<R> {
    fn count(&self, filter: Predicate) -> usize {
        self.find(filter).count().expect("the fields are there")
    }

    fn page(&self, filter: Predicate, order: &'static str) -> usize {
        self.find(filter).order_by(field(order).desc()).limit(100).fetch().expect("the fields are there").records.len()
    }

    fn group(&self, group: GroupBy) -> usize {
        self.find(Predicate::All).statistics(group).expect("the fields are there").groups().len()
    }
}

const QUERIES: [Query; 9] = [
    ("filter, all: an integer", |on| on.count(field("amount_cents").lt(300_000))),
    ("filter, all: a string and a boolean", |on| on.count(field("country").eq("country-7") & field("paid").eq(true))),
    ("filter, all: a nested string", |on| on.count(field("customer.name").starts_with("customer number 0001"))),
    ("filter, all: many values", |on| on.count(field("tags").contains("tag-7"))),
    ("filter, one of 7 carriers: a float", |on| on.count(field("carrier").eq("carrier-3") & field("score").gt(60.0))),
    ("page of 100 of one of 7 carriers, by an integer", |on| on.page(field("carrier").eq("carrier-3"), "amount_cents")),
    ("page of 100 of all, by a nested string", |on| on.page(Predicate::All, "customer.name")),
    ("group by a string: sum of an integer", |on| {
        on.group(GroupBy::values("country").metrics([field("amount_cents").sum()]))
    }),
    ("group by a boolean: mean of a float", |on| on.group(GroupBy::values("paid").metrics([field("score").avg()]))),
];

fn main() -> Result<(), Refused> {
    // `cargo test --benches` only checks that the benchmark starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("cargo bench --bench documents");
        return Ok(());
    }
    let orders = orders();
    let documents: Vec<Document> = orders.iter().map(document).collect();
    let open = |columns| move |store: &Store| store.documents("Order", schema(columns)).expect("the schema is sound");
    let with = stored(documents.clone(), open(true))?;
    let without = stored(documents, open(false))?;
    let typed = stored(orders, |store| store.collection("Order").expect("the schema is sound"))?;
    heading("typed; documents without columns (× typed); documents with columns (× typed)");
    let print = |what: &str, [typed, without, with]: [Duration; 3]| {
        let times = |of: Duration| of.as_secs_f64() / typed.as_secs_f64();
        let (x, y) = (times(without), times(with));
        line(what, format_args!("{typed:>9.2?} {without:>9.2?} ({x:.2} ×) {with:>9.2?} ({y:.2} ×)"));
    };
    print("insert, batches of 1,000", [typed.2, without.2, with.2]);
    line("bytes of a record", format_args!("{:>9} {:>9} {:>20}", typed.3, without.3, with.3));
    let sides: [&dyn Queries; 3] = [&typed.1, &without.1, &with.1];
    for (what, query) in QUERIES {
        let found = sides.map(query);
        assert!(found[0] > 0 && found == [found[0]; 3], "{what}: {found:?}");
        let mut durations = [(); 3].map(|()| Durations::with_capacity(RUNS));
        for _ in 0..RUNS {
            for (side, of_side) in sides.iter().zip(&mut durations) {
                of_side.time(|| query(*side));
            }
        }
        print(what, durations.map(|of_side| of_side.median()));
    }
    Ok(())
}
