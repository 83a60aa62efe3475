//! Books: fields of every kind, also in structs and lists, under a schema that is drawn for each case.

use super::aggregates::ModelAggregate;
use super::indexes::Plan;
use super::predicates::{Test, by_name};
use super::records::{
    Subject, Val, as_bool, as_bytes, as_char, as_float, as_hundredths, as_int, as_micros, as_text, decimal, or_null,
    typed, typed_many, typed_text, vals,
};
use memdex::query::Predicate;
use memdex::schema::IndexKind;
use memdex::typing::{DecimalValue, KeyBuffer, ValueRef};
use memdex::{FieldDef, Filter, Key, Nested, Record, Schema, Timestamp};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::cell::RefCell;

/// The fields and their constants, without indexes and columns.
#[derive(Clone, Debug, Record)]
pub(super) struct Inner {
    #[record(key)]
    id: u16,
    #[record(field)]
    isbn: Option<String>,
    #[record(field)]
    title: String,
    #[record(field)]
    shelf: i8,
    #[record(field, nan_last)]
    price: f64,
    #[record(field)]
    rating: Option<f32>,
    #[record(field)]
    pages: Option<i128>,
    #[record(field)]
    loaned: bool,
    #[record(field)]
    grade: Option<char>,
    #[record(field)]
    cover: Vec<u8>,
    #[record(field)]
    fee: Option<DecimalValue>,
    #[record(field)]
    due: Option<Timestamp>,
    #[record(field)]
    tags: Vec<String>,
    #[record(field)]
    marks: Vec<i64>,
    #[record(nested)]
    depot: Place,
    #[record(nested)]
    publisher: Option<Place>,
    #[record(nested)]
    copies: Vec<Copy>,
    memo: u32,
}

#[derive(Clone, Debug, PartialEq, Nested)]
struct Place {
    #[record(field, collate = "nocase")]
    city: String,
    #[record(field)]
    zip: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Nested)]
struct Copy {
    #[record(field)]
    room: u8,
    #[record(field)]
    worn: Option<f64>,
    #[record(field)]
    labels: Vec<String>,
    #[record(nested)]
    from: Option<Place>,
}

#[derive(Clone, Debug)]
pub(super) struct Book(Box<Inner>);

thread_local! {
    static SCHEMA: RefCell<Schema> = RefCell::new(Inner::schema());
}

/// Sets the schema of the book collections that this thread opens from now on.
pub(super) fn set_schema(plan: &Plan) {
    let fields = Inner::schema().fields().to_vec().into_iter().zip(&plan.fields).map(|(field, (index, column))| {
        let field = match index {
            None => field,
            Some(IndexKind::Unique) => field.unique(),
            Some(IndexKind::Ordered) => field.ordered(),
            Some(_) => field.index(),
        };
        if *column { FieldDef::column(field) } else { field }
    });
    let more = plan.more.iter().map(|def| def.to_store::<Book>());
    let schema = more.fold(Schema::new(fields), Schema::with_index);
    SCHEMA.set(plan.aggregates.iter().map(ModelAggregate::to_store).fold(schema, Schema::with_aggregate));
}

impl Book {
    /// Makes it a record that an ordered index of ratings refuses.
    pub(super) fn spoil(&mut self) {
        self.0.rating = Some(f32::NAN);
    }
}

impl Record for Book {
    type Key = u16;

    fn schema() -> Schema {
        SCHEMA.with_borrow(Schema::clone)
    }

    fn key(&self, key: &mut KeyBuffer) {
        self.0.key(key);
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        self.0.value(field)
    }

    fn values<'a>(&'a self, field: usize, show: &mut dyn FnMut(ValueRef<'a>)) {
        self.0.values(field, show);
    }
}

impl PartialEq for Book {
    /// Exact equality: NaN equals NaN, and `-0.0` differs from `0.0`.
    fn eq(&self, other: &Self) -> bool {
        fn bits(of: &Copy) -> impl PartialEq + use<'_> {
            (of.room, of.worn.map(f64::to_bits), &of.labels, &of.from)
        }
        fn all(Book(b): &Book) -> impl PartialEq + use<'_> {
            let numbers = (b.shelf, b.price.to_bits(), b.rating.map(f32::to_bits), b.pages, b.fee, b.due);
            let others = (b.loaned, b.grade, &b.cover, &b.tags, &b.marks, &b.depot, &b.publisher, b.memo);
            (b.id, &b.isbn, &b.title, numbers, others)
        }
        let copies = (&self.0.copies, &other.0.copies);
        let same_copies = copies.0.len() == copies.1.len() && copies.0.iter().map(bits).eq(copies.1.iter().map(bits));
        all(self) == all(other) && same_copies
    }
}

const LONG: &str = "a text that is too long to be kept inline by anything";
const TEXTS: [&str; 4] = ["a", "a\0", "b", LONG];
/// Some differ in case only.
const CITIES: [&str; 6] = ["Bern", "BERN", "", "Zürich", "ZÜRICH", "Basel"];
const PRICES: [f64; 6] = [0.0, -0.0, 1.5, -7.25, 2.0, f64::NEG_INFINITY];
const PAGES: [i128; 4] = [i128::MIN, -1, 7, i128::MAX];

fn any_place() -> BoxedStrategy<Place> {
    let make = |(city, zip): (&str, _)| Place { city: city.to_owned(), zip };
    (select(&CITIES[..]), prop::option::of(0..3_u16)).prop_map(make).boxed()
}

fn any_copy() -> BoxedStrategy<Copy> {
    let worn = select(vec![None, Some(0.5), Some(f64::NAN), Some(-0.0)]);
    let make = |(room, worn, labels, from)| Copy { room, worn, labels: texts(labels), from };
    (0..3_u8, worn, vec(select(&TEXTS[..]), 0..2), prop::option::of(any_place())).prop_map(make).boxed()
}

fn texts(of: Vec<&str>) -> Vec<String> {
    of.into_iter().map(str::to_owned).collect()
}

impl Subject for Book {
    type Id = u16;

    const FIELDS: &'static [&'static str] = &[
        "id",
        "isbn",
        "title",
        "shelf",
        "price",
        "rating",
        "pages",
        "loaned",
        "grade",
        "cover",
        "fee",
        "due",
        "tags",
        "marks",
        "depot.city",
        "depot.zip",
        "publisher.city",
        "publisher.zip",
        "copies.room",
        "copies.worn",
        "copies.labels",
        "copies.from.city",
        "copies.from.zip",
    ];
    const MANY: &'static [&'static str] =
        &["tags", "marks", "copies.room", "copies.worn", "copies.labels", "copies.from.city", "copies.from.zip"];
    const NAN_LAST: &'static [&'static str] = &["price"];

    fn any() -> BoxedStrategy<Self> {
        let simple = (
            select(Book::ids()),
            prop::option::weighted(0.8, 0..9_u8),
            select(&TEXTS[..]),
            -2..3_i8,
            prop_oneof![15 => select(&PRICES[..]), 1 => Just(f64::NAN)],
            select(vec![None, None, Some(0.5_f32), Some(-0.0), Some(f32::MAX)]),
            prop::option::of(select(&PAGES[..])),
            any::<bool>(),
            prop::option::of(select(vec!['x', 'y', '\u{1F6EB}'])),
            select(vec![&b""[..], b"N1", b"\0\xff"]),
            prop::option::of(select(vec![-150, 0, 5, 10_000])),
            prop::option::of(select(vec![0, 7, 1_700_000_000_000_000])),
        );
        let others = (
            vec(select(&TEXTS[..]), 0..4),
            vec(-1..2_i64, 0..3),
            any_place(),
            prop::option::of(any_place()),
            vec(any_copy(), 0..3),
            any::<u32>(),
        );
        let make = |(simple, (tags, marks, depot, publisher, copies, memo))| {
            type Simple<'a> = (
                u16,
                Option<u8>,
                &'a str,
                i8,
                f64,
                Option<f32>,
                Option<i128>,
                bool,
                Option<char>,
                &'a [u8],
                Option<i128>,
                Option<i64>,
            );
            let (id, isbn, title, shelf, price, rating, pages, loaned, grade, cover, fee, due): Simple<'_> = simple;
            let (isbn, title, cover) = (isbn.map(|n| format!("isbn-{n}")), title.to_owned(), cover.to_vec());
            let (fee, due, tags) = (fee.map(decimal), due.map(Timestamp::from_micros), texts(tags));
            let (pages, grade) = (pages, grade);
            Book(Box::new(Inner {
                id,
                isbn,
                title,
                shelf,
                price,
                rating,
                pages,
                loaned,
                grade,
                cover,
                fee,
                due,
                tags,
                marks,
                depot,
                publisher,
                copies,
                memo,
            }))
        };
        (simple, others).prop_map(make).boxed()
    }

    fn ids() -> Vec<u16> {
        vec![0, 1, 2, 3, 4, u16::MAX]
    }

    fn id(&self) -> u16 {
        self.0.id
    }

    fn set_id(&mut self, id: u16) {
        self.0.id = id;
    }

    fn shift(&mut self) {
        let next = |isbn: &String| format!("isbn-{}", (isbn[5..].parse::<u8>().unwrap() + 1) % 9);
        self.0.isbn = self.0.isbn.as_ref().map(next);
        self.0.depot.zip = self.0.depot.zip.map(|zip| (zip + 1) % 3);
    }

    fn id_of(key: &Key) -> u16 {
        match key.parts()[0].as_ref() {
            ValueRef::Int(id) => id as u16,
            other => panic!("a book under {other}"),
        }
    }

    fn see(&self, at: usize) -> Val {
        let Book(book) = self;
        let copies = |see: fn(&Copy) -> Vec<Val>| Val::Many(book.copies.iter().flat_map(see).collect());
        match Self::FIELDS[at] {
            "id" => Val::Int(book.id.into()),
            "isbn" => or_null(book.isbn.clone(), Val::Text),
            "title" => Val::text(&book.title),
            "shelf" => Val::Int(book.shelf.into()),
            "price" => Val::Float(book.price),
            "rating" => or_null(book.rating, |x| Val::Float(x.into())),
            "pages" => or_null(book.pages, Val::Int),
            "loaned" => Val::Bool(book.loaned),
            "grade" => or_null(book.grade, Val::Char),
            "cover" => Val::Bytes(book.cover.clone()),
            // In hundredths, for every scale of the stored value.
            "fee" => or_null(book.fee, |fee| Val::Decimal(fee.units() * 10_i128.pow(2 - u32::from(fee.scale())))),
            "due" => or_null(book.due, |due| Val::Time(due.as_micros())),
            "tags" => Val::Many(vals(&book.tags, |tag| Val::text(tag))),
            "marks" => Val::Many(vals(&book.marks, |mark| Val::Int((*mark).into()))),
            "depot.city" => Val::folded(&book.depot.city),
            "depot.zip" => or_null(book.depot.zip, |zip| Val::Int(zip.into())),
            "publisher.city" => or_null(book.publisher.as_ref(), |place| Val::folded(&place.city)),
            "publisher.zip" => or_null(book.publisher.as_ref().and_then(|place| place.zip), |zip| Val::Int(zip.into())),
            "copies.room" => copies(|copy| vec![Val::Int(copy.room.into())]),
            "copies.worn" => copies(|copy| vals(copy.worn, Val::Float)),
            "copies.labels" => copies(|copy| vals(&copy.labels, |label| Val::text(label))),
            "copies.from.city" => copies(|copy| vals(&copy.from, |place| Val::folded(&place.city))),
            _ => copies(|copy| vals(copy.from.as_ref().and_then(|place| place.zip), |zip| Val::Int(zip.into()))),
        }
    }

    fn operands(at: usize) -> Vec<Val> {
        match Self::FIELDS[at] {
            "id" => vals(Book::ids().into_iter().chain([9]), |id| Val::Int(id.into())),
            "isbn" => vals(0..10, |n| Val::Text(format!("isbn-{n}"))),
            "title" | "tags" | "copies.labels" => vals(TEXTS.into_iter().chain(["", "zz"]), Val::text),
            "shelf" | "marks" => vals(-3..4, Val::Int),
            "price" => vals(PRICES.into_iter().chain([f64::NAN, 9.0]), Val::Float),
            "rating" => vals([0.5, 0.0, 1.0, f32::MAX.into()], Val::Float),
            "pages" => vals(PAGES.into_iter().chain([8]), Val::Int),
            "loaned" => vals([false, true], Val::Bool),
            "grade" => vals(['x', 'y', '\u{1F6EB}', 'z'], Val::Char),
            "cover" => vals([&b""[..], b"N1", b"\0\xff", b"\0"], |cover| Val::Bytes(cover.to_vec())),
            "fee" => vals([-150, 0, 5, 10_000, 1], Val::Decimal),
            "due" => vals([0, 7, 1_700_000_000_000_000, 8], Val::Time),
            "depot.city" | "publisher.city" | "copies.from.city" => {
                vals(CITIES.into_iter().chain(["Chur", "zürich"]), Val::folded)
            }
            "copies.worn" => vals([0.5, f64::NAN, 0.0, 2.0], Val::Float),
            _ => vals(0..4, Val::Int),
        }
    }

    fn typed(at: usize, test: &Test) -> Filter<Self> {
        let of_inner: Filter<Inner> = match (Self::FIELDS[at], test) {
            ("isbn", Test::IsNull) => inner::ISBN.is_null(),
            ("tags", Test::IsNull) => inner::TAGS.is_null(),
            ("depot.zip", Test::IsNull) => inner::DEPOT.dot(place::ZIP).is_null(),
            ("publisher.city", Test::IsNull) => inner::PUBLISHER.dot(place::CITY).is_null(),
            ("copies.room", Test::IsNull) => inner::COPIES.dot(copy::ROOM).is_null(),
            ("id", _) => typed(inner::ID, test, |value| as_int(value) as u16),
            ("isbn", _) => typed_text(inner::ISBN, test, as_text),
            ("title", _) => typed_text(inner::TITLE, test, as_text),
            ("shelf", _) => typed(inner::SHELF, test, |value| as_int(value) as i8),
            ("price", _) => typed(inner::PRICE, test, as_float),
            ("rating", _) => typed(inner::RATING, test, |value| as_float(value) as f32),
            ("pages", _) => typed(inner::PAGES, test, as_int),
            ("loaned", _) => typed(inner::LOANED, test, as_bool),
            ("grade", _) => typed(inner::GRADE, test, as_char),
            ("cover", _) => typed(inner::COVER, test, as_bytes),
            ("fee", _) => typed(inner::FEE, test, |value| decimal(as_hundredths(value))),
            ("due", _) => typed(inner::DUE, test, |value| Timestamp::from_micros(as_micros(value))),
            ("tags", _) => typed_many(inner::TAGS, test, as_text),
            ("marks", _) => typed_many(inner::MARKS, test, |value| as_int(value) as i64),
            ("depot.city", _) => typed_text(inner::DEPOT.dot(place::CITY), test, as_text),
            ("depot.zip", _) => typed(inner::DEPOT.dot(place::ZIP), test, |value| as_int(value) as u16),
            ("publisher.city", _) => typed_text(inner::PUBLISHER.dot(place::CITY), test, as_text),
            ("publisher.zip", _) => typed(inner::PUBLISHER.dot(place::ZIP), test, |value| as_int(value) as u16),
            ("copies.room", _) => typed_many(inner::COPIES.dot(copy::ROOM), test, |value| as_int(value) as u8),
            ("copies.worn", _) => typed_many(inner::COPIES.dot(copy::WORN), test, as_float),
            ("copies.from.city", _) => typed_many(inner::COPIES.dot(copy::FROM.dot(place::CITY)), test, as_text),
            (name, _) => by_name(name, test).into(),
        };
        Predicate::from(of_inner).into()
    }
}
