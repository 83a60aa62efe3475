//! Records with fields of every kind and a random schema, and their rows for the naive evaluator.

use super::generate::{Column, Rng};
use super::naive::{Row, Shape, Val};
use memdex::schema::Collation;
use memdex::typing::{DecimalValue, KeyBuffer, ValueRef};
use memdex::{FieldDef, IndexDef, Key, Kind, Record, Schema, Value, field};
use std::cell::RefCell;

/// The values of each field: none, one, or several in a multi-valued field.
#[derive(Clone, Debug)]
pub(super) struct Thing(pub(super) Vec<Vec<Value>>);

thread_local! {
    static SCHEMA: RefCell<Schema> = RefCell::new(Schema::new([]));
}

impl Record for Thing {
    type Key = (String, u16);

    fn schema() -> Schema {
        SCHEMA.with_borrow(Schema::clone)
    }

    fn key(&self, key: &mut KeyBuffer) {
        self.0[..2].iter().for_each(|part| key.push(part[0].as_ref()));
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        match (self.0.get(field).map(Vec::as_slice), FIELDS.get(field)) {
            (Some([one]), Some(kind)) if !kind.many => one.as_ref(),
            _ => ValueRef::Null,
        }
    }

    fn values<'a>(&'a self, field: usize, visit: &mut dyn FnMut(ValueRef<'a>)) {
        self.0.get(field).into_iter().flatten().for_each(|value| visit(value.as_ref()));
    }
}

impl Thing {
    pub(super) fn row(&self) -> Row {
        let cells = self.0.iter().zip(&FIELDS);
        let val = |value: &Value, spec: &FieldSpec| match Val::of(value.as_ref(), spec.kind)? {
            Val::Text(text) if spec.nocase => Some(Val::Folded(text)),
            other => Some(other),
        };
        cells.map(|(cell, spec)| cell.iter().filter_map(|value| val(value, spec)).collect()).collect()
    }

    pub(super) fn id(&self) -> (String, u16) {
        match (self.0[0][0].as_ref(), self.0[1][0].as_ref()) {
            (ValueRef::Str(zone), ValueRef::Int(number)) => (zone.to_owned(), number as u16),
            other => panic!("a thing with the key {other:?}"),
        }
    }

    pub(super) fn id_of(key: &Key) -> (String, u16) {
        Thing(key.parts().into_iter().map(|part| vec![part]).collect()).id()
    }
}

struct FieldSpec {
    name: &'static str,
    kind: Kind,
    many: bool,
    nullable: bool,
    /// Whether a value may be NaN, which ordered indexes refuse.
    nan: bool,
    /// Whether it ignores case.
    nocase: bool,
}

const fn spec(name: &'static str, kind: Kind) -> FieldSpec {
    FieldSpec { name, kind, many: false, nullable: true, nan: false, nocase: false }
}

const FIELDS: [FieldSpec; 18] = [
    FieldSpec { nullable: false, ..spec("zone", Kind::Str) },
    FieldSpec { nullable: false, ..spec("number", Kind::Int) },
    spec("name", Kind::Str),
    spec("amount", Kind::Int),
    spec("big", Kind::Int),
    spec("price", Kind::Float),
    FieldSpec { nan: true, ..spec("ratio", Kind::Float) },
    spec("flag", Kind::Bool),
    spec("grade", Kind::Char),
    FieldSpec { nullable: false, ..spec("cover", Kind::Bytes) },
    spec("uid", Kind::Uuid),
    spec("at", Kind::Timestamp),
    spec("due", Kind::Date),
    spec("fee", Kind::Decimal),
    FieldSpec { many: true, ..spec("tags", Kind::Str) },
    FieldSpec { many: true, ..spec("marks", Kind::Int) },
    FieldSpec { nocase: true, ..spec("nick", Kind::Str) },
    FieldSpec { nocase: true, many: true, ..spec("groups", Kind::Str) },
];

pub(super) fn shapes() -> Vec<Shape> {
    let shape = |(at, spec): (usize, &FieldSpec)| Shape { name: spec.name, kind: spec.kind, key: at < 2 };
    FIELDS.iter().enumerate().map(shape).collect()
}

fn texts(texts: &[&str]) -> Vec<Value> {
    texts.iter().map(|text| Value::from(*text)).collect()
}

/// The values of a field, in records and conditions.
fn samples(spec: &FieldSpec) -> Vec<Value> {
    let decimal = |units, scale| Value::from(DecimalValue::new(units, scale).unwrap());
    let seconds = |n: i128| ValueRef::Timestamp(n * 1_000_000_000).to_value();
    match spec.name {
        "zone" => texts(&["a", "b", "B", "ä", "a\0"]),
        "number" => (0..60).map(Value::from).collect(),
        "name" | "tags" => texts(&["Ada", "ada", "Bob", "", "a%b", "a_b", "Zoë", "\u{1F6EB}", "a\0b"]),
        "nick" | "groups" => texts(&["Ada", "ada", "ADA", "", "ÉA", "éa", "Zoë", "zoË", "x-y", "X-Y", "ΑΣ", "ας"]),
        "amount" => [-250, -100, -99, -1, 0, 1, 7, 99, 100, 101, 500].map(Value::from).to_vec(),
        "big" => [i128::from(i64::MIN) - 5, -7, 0, 7, i128::from(u64::MAX), 1 << 100].map(Value::from).to_vec(),
        "price" => [-7.25, -0.0, 0.0, 0.1, 0.2, 0.3, 1e15, 2.5, 99.99].map(Value::from).to_vec(),
        "ratio" => [f64::NAN, 0.5, -0.5, 0.25, 3.0].map(Value::from).to_vec(),
        "flag" => [false, true].map(Value::from).to_vec(),
        "grade" => ['x', 'y', 'Z', '\u{1F6EB}'].map(Value::from).to_vec(),
        "cover" => [&b""[..], b"N1", b"\0\xff", b"N1\0"].map(Value::from).to_vec(),
        "uid" => [0, 1, 128, 255].map(|n| ValueRef::Uuid([n; 16]).to_value()).to_vec(),
        // Around 1970, a leap day, and daylight saving changes in Europe.
        "at" => [
            0,
            -1,
            1,
            -86_400,
            1_582_934_400,
            1_582_934_399,
            1_743_296_400,
            1_743_296_399,
            1_761_440_400,
            1_761_436_800,
        ]
        .map(seconds)
        .into_iter()
        .chain([ValueRef::Timestamp(-1).to_value(), ValueRef::Timestamp(1_767_225_599_999_999_999).to_value()])
        .collect(),
        "due" => [-1, 0, 3, 4, 31, 59, 364, 365, 20_000, -400].map(|days| ValueRef::Date(days).to_value()).to_vec(),
        "fee" => vec![decimal(-15, 1), decimal(0, 0), decimal(1, 2), decimal(10, 0), decimal(333, 2)],
        _ => (-2..4).map(Value::from).collect(),
    }
}

pub(super) fn columns() -> Vec<Column> {
    let column = |spec: &FieldSpec| {
        let widths = match spec.name {
            "amount" | "marks" => [1, 3, 100].map(Value::from).to_vec(),
            "big" => [5_i128, 1 << 90].map(Value::from).to_vec(),
            "price" | "ratio" => [0.25, 10.0].map(Value::from).to_vec(),
            "fee" => vec![DecimalValue::new(5, 1).unwrap().into(), DecimalValue::from(3).into()],
            _ => Vec::new(),
        };
        let near = matches!(spec.name, "amount" | "marks" | "fee");
        Column {
            name: spec.name,
            kind: spec.kind,
            many: spec.many,
            samples: samples(spec),
            widths,
            near,
            nocase: spec.nocase,
        }
    };
    FIELDS.iter().map(column).collect()
}

pub(super) fn thing(rng: &mut Rng) -> Thing {
    let values = FIELDS.iter().map(|spec| {
        let samples = samples(spec);
        let count = match (spec.many, spec.nullable) {
            (true, _) => rng.below(4),
            (false, true) => usize::from(!rng.once_in(4)),
            (false, false) => 1,
        };
        (0..count).map(|_| rng.pick(&samples).clone()).collect()
    });
    Thing(values.collect())
}

/// Chooses random indexes and columns for the collections that this thread opens next.
pub(super) fn choose_schema(rng: &mut Rng) {
    let fields = FIELDS.iter().enumerate().map(|(at, spec)| {
        let field = FieldDef::new(spec.name, spec.kind);
        let field = if at < 2 { field.key() } else { field };
        let field = if spec.nocase { field.collate(Collation::NoCase) } else { field };
        let field = match (spec.many, spec.nullable) {
            (true, _) => field.many(),
            (false, true) => field.optional(),
            (false, false) => field,
        };
        let field = match rng.below(4) {
            0 => field.index(),
            1 if !spec.many && !spec.nan => field.ordered(),
            _ => field,
        };
        if !spec.many && rng.once_in(3) { field.column() } else { field }
    });
    let mut schema = Schema::new(fields.collect::<Vec<_>>());
    let extra_indexes = [
        IndexDef::equality(["zone", "flag"]),
        IndexDef::ordered(["flag", "amount"]),
        IndexDef::ordered(["grade", "price", "due"]),
        IndexDef::ordered(["at", "zone"]),
        IndexDef::unique(["zone", "number"]).named("twice"),
        IndexDef::ordered("amount").named("flagged").when(field("flag").eq(true)),
        IndexDef::equality("name").named("priced").when(!field("price").is_null()),
        IndexDef::equality("tags").named("tagged").when(field("amount").gt(0)),
        IndexDef::ordered(["nick", "amount"]),
        IndexDef::equality("amount").named("of Ada").when(field("nick").eq("ADA")),
    ];
    for index in extra_indexes {
        if rng.once_in(3) {
            schema = schema.with_index(index);
        }
    }
    SCHEMA.set(schema);
}

/// Removes the values that SQLite cannot store.
pub(super) fn for_sqlite(mut thing: Thing) -> Thing {
    for (cell, spec) in thing.0.iter_mut().zip(&FIELDS) {
        cell.retain(|value| match value.as_ref() {
            ValueRef::Int128(_) => false,
            ValueRef::Float(x) => !(spec.nan && x.is_nan()),
            _ => true,
        });
    }
    thing
}

/// Removes the values that PostgreSQL cannot store.
pub(super) fn for_postgres(mut thing: Thing) -> Thing {
    for (cell, spec) in thing.0.iter_mut().zip(&FIELDS) {
        match spec.name {
            "zone" if cell[0] == Value::from("a\0") => cell[0] = Value::from("a"),
            _ => cell.retain(|value| match value.as_ref() {
                ValueRef::Str(text) => !text.contains('\0'),
                ValueRef::Timestamp(nanos) => nanos % 1_000 == 0,
                _ => true,
            }),
        }
    }
    thing
}
