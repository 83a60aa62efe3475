//! Three collections with common fields of different kinds, and a naive evaluator of searches over them.

use memdex::query::{OrderBy, Predicate, Search};
use memdex::{Collection, Document, FieldDef, Json, Kind, Record, Schema, Snapshot, Store, field, json};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use std::cmp::Ordering;

#[derive(Clone, Debug, Record)]
pub(super) struct Sale {
    #[record(key, ordered)]
    pub(super) id: u32,
    #[record(index, column)]
    pub(super) shop: String,
    #[record(column)]
    pub(super) quantity: i64,
    #[record(ordered, column)]
    pub(super) amount: Option<i64>,
    #[record(index)]
    pub(super) region: String,
}

/// Lacks a region. Its amounts are floats.
#[derive(Clone, Debug, Record)]
pub(super) struct Refund {
    #[record(key)]
    pub(super) id: String,
    #[record(ordered)]
    pub(super) shop: String,
    #[record(field)]
    pub(super) quantity: i32,
    #[record(ordered, nan_last)]
    pub(super) amount: Option<f64>,
}

/// A value of a field.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(super) enum Amount {
    Number(f64),
    Text(&'static str),
}

/// A record of any of the collections, by the place of its collection.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) of: usize,
    pub(super) id: u32,
    pub(super) shop: &'static str,
    pub(super) quantity: i64,
    /// At most one, except in documents.
    amounts: Vec<Amount>,
    region: &'static str,
}

pub(super) const NAMES: [&str; 3] = ["Sale", "Refund", "Note"];
const SHOPS: [&str; 3] = ["Bern", "Chur", "Genf"];
const REGIONS: [&str; 2] = ["north", "south"];

pub(super) fn rows() -> impl Strategy<Value = Vec<Row>> {
    let amount = |of| match of {
        0 => vec(select(vec![-1.0, 0.0, 1.0, 2.0]).prop_map(Amount::Number), 0..2).boxed(),
        1 => vec(select(vec![-1.0, 0.0, 0.5, 2.0]).prop_map(Amount::Number), 0..2).boxed(),
        _ => {
            let numbers = vec![-1.0, 0.5, 2.0, 3.0];
            let any = prop_oneof![
                4 => select(numbers).prop_map(Amount::Number),
                1 => select(vec!["a", "b"]).prop_map(Amount::Text),
            ];
            vec(any, 0..3).boxed()
        }
    };
    let row = (0..3_usize).prop_flat_map(move |of| {
        let fields = (0..12_u32, select(&SHOPS[..]), -3..4_i64, amount(of), select(&REGIONS[..]));
        fields.prop_map(move |(id, shop, quantity, amounts, region)| Row { of, id, shop, quantity, amounts, region })
    });
    vec(row, 0..40)
}

/// A filter in the words of the evaluator.
#[derive(Clone, Debug)]
pub(super) enum Filter {
    All,
    Shop(&'static str),
    AmountFrom(i64),
    Amount(i64),
    NoAmount,
    Region(&'static str),
    Both(Box<[Filter; 2]>),
    Either(Box<[Filter; 2]>),
}

impl Filter {
    pub(super) fn any() -> impl Strategy<Value = Filter> {
        let leaf = prop_oneof![
            2 => Just(Filter::All),
            3 => select(&SHOPS[..]).prop_map(Filter::Shop),
            2 => (-2..3_i64).prop_map(Filter::AmountFrom),
            2 => (-1..3_i64).prop_map(Filter::Amount),
            1 => Just(Filter::NoAmount),
            1 => select(&REGIONS[..]).prop_map(Filter::Region),
        ];
        leaf.prop_recursive(2, 4, 2, |inner| {
            let two = [inner.clone(), inner];
            prop_oneof![
                two.clone().prop_map(|two| Filter::Both(Box::new(two))),
                two.prop_map(|two| Filter::Either(Box::new(two)))
            ]
        })
    }

    pub(super) fn predicate(&self) -> Predicate {
        match self {
            Filter::All => Predicate::All,
            Filter::Shop(shop) => field("shop").eq(*shop),
            Filter::AmountFrom(from) => field("amount").ge(*from),
            Filter::Amount(amount) => field("amount").eq(*amount),
            Filter::NoAmount => field("amount").is_null(),
            Filter::Region(region) => field("region").eq(*region),
            Filter::Both(two) => two[0].predicate() & two[1].predicate(),
            Filter::Either(two) => two[0].predicate() | two[1].predicate(),
        }
    }

    fn holds(&self, row: &Row) -> bool {
        let numbers = || {
            row.amounts
                .iter()
                .filter_map(|amount| if let Amount::Number(number) = amount { Some(*number) } else { None })
        };
        match self {
            Filter::All => true,
            Filter::Shop(shop) => row.shop == *shop,
            Filter::AmountFrom(from) => numbers().any(|amount| amount >= *from as f64),
            Filter::Amount(wanted) => numbers().any(|amount| amount == *wanted as f64),
            Filter::NoAmount => row.amounts.is_empty(),
            Filter::Region(region) => row.region == *region,
            Filter::Both(two) => two.iter().all(|one| one.holds(row)),
            Filter::Either(two) => two.iter().any(|one| one.holds(row)),
        }
    }

    fn names_the_region(&self) -> bool {
        match self {
            Filter::Region(_) => true,
            Filter::Both(two) | Filter::Either(two) => two.iter().any(Filter::names_the_region),
            _ => false,
        }
    }
}

/// A search in the words of the evaluator.
#[derive(Clone, Debug)]
pub(super) struct Searched {
    pub(super) filter: Filter,
    /// The places of the collections, in the order of the search.
    pub(super) over: Vec<usize>,
    /// Fields, each with whether it descends and whether records without a value come first.
    pub(super) order: Vec<(&'static str, bool, bool)>,
}

impl Searched {
    pub(super) fn any() -> impl Strategy<Value = Searched> {
        let over = subsequence(vec![0, 1, 2], 1..=3).prop_shuffle();
        let order = vec((select(vec!["shop", "quantity", "amount"]), any::<bool>(), any::<bool>()), 0..4);
        (Filter::any(), over, order).prop_map(|(filter, over, order)| Searched { filter, over, order })
    }

    /// Whether a collection lacks a field of the search, and so is skipped. Documents lack none.
    pub(super) fn skips(&self, of: usize) -> bool {
        of == 1 && self.filter.names_the_region()
    }

    pub(super) fn order_by(&self) -> Vec<OrderBy> {
        let by = |(name, descending, nulls_first): &(&'static str, bool, bool)| {
            let by = if *descending { field(*name).desc() } else { field(*name).asc() };
            if *nulls_first { by.nulls_first() } else { by.nulls_last() }
        };
        self.order.iter().map(by).collect()
    }

    /// The matches in the order of the search.
    pub(super) fn expected<'a>(&self, rows: &'a [Row]) -> Vec<&'a Row> {
        let mut found: Vec<&Row> = rows
            .iter()
            .filter(|row| self.over.contains(&row.of) && !self.skips(row.of) && self.filter.holds(row))
            .collect();
        let place = |row: &Row| self.over.iter().position(|of| *of == row.of);
        found.sort_by(|a, b| {
            // A field that is named again adds nothing.
            let is_first = |at: usize| self.order[..at].iter().all(|(name, ..)| *name != self.order[at].0);
            let by = self.order.iter().enumerate().filter(|(at, _)| is_first(*at)).map(|(_, by)| compare(a, b, by));
            let by_fields = by.into_iter().find(|order| order.is_ne());
            by_fields.unwrap_or(Ordering::Equal).then(place(a).cmp(&place(b))).then(a.id.cmp(&b.id))
        });
        found
    }
}

fn compare(a: &Row, b: &Row, (name, descending, nulls_first): &(&str, bool, bool)) -> Ordering {
    // Of several values, the one that comes first.
    let amount = |row: &Row| {
        row.amounts.iter().copied().reduce(|first, other| if (other < first) != *descending { other } else { first })
    };
    let order = match *name {
        "shop" => a.shop.cmp(b.shop),
        "quantity" => a.quantity.cmp(&b.quantity),
        _ => match (amount(a), amount(b)) {
            (Some(a), Some(b)) => a.partial_cmp(&b).unwrap(),
            (a, b) => {
                let nulls_last = a.is_none().cmp(&b.is_none());
                return if *nulls_first { nulls_last.reverse() } else { nulls_last };
            }
        },
    };
    if *descending { order.reverse() } else { order }
}

pub(super) struct World {
    pub(super) store: Store,
    pub(super) sales: Collection<Sale>,
    pub(super) refunds: Collection<Refund>,
    pub(super) notes: Collection<Document>,
}

impl World {
    pub(super) fn new() -> Self {
        let store = Store::new();
        let sales = store.collection(NAMES[0]).unwrap();
        let refunds = store.collection(NAMES[1]).unwrap();
        // Amounts and regions are undeclared.
        let schema = Schema::new([
            FieldDef::new("id", Kind::Int).key().ordered(),
            FieldDef::new("shop", Kind::Str).index(),
            FieldDef::new("quantity", Kind::Int).column(),
        ]);
        let notes = store.documents(NAMES[2], schema).unwrap();
        World { store, sales, refunds, notes }
    }

    /// Stores these rows in one commit, and returns all rows. A row replaces an earlier one with the same key.
    pub(super) fn put(&self, before: &[Row], rows: &[Row]) -> Vec<Row> {
        self.store
            .commit(|batch| {
                rows.iter().try_for_each(|row| match row.of {
                    0 => batch.store(&self.sales, row.sale()),
                    1 => batch.store(&self.refunds, row.refund()),
                    _ => batch.store(&self.notes, row.note()),
                })
            })
            .unwrap();
        let mut all: Vec<Row> = before.to_vec();
        for row in rows {
            all.retain(|other| (other.of, other.id) != (row.of, row.id));
            all.push(row.clone());
        }
        all
    }

    /// The search without an order.
    pub(super) fn search(&self, at: &Snapshot, searched: &Searched) -> Search {
        let search = at.search(searched.filter.predicate()).skip_unknown();
        searched.over.iter().fold(search, |search, of| match of {
            0 => search.over(&self.sales),
            1 => search.over(&self.refunds),
            _ => search.over(&self.notes),
        })
    }
}

impl Row {
    /// Collection and key, as a hit has them.
    pub(super) fn name(&self) -> (String, String) {
        let key = if self.of == 1 { refund_id(self.id) } else { self.id.to_string() };
        (NAMES[self.of].to_owned(), key)
    }

    fn number(&self) -> Option<f64> {
        let Amount::Number(number) = self.amounts.first()? else { return None };
        Some(*number)
    }

    fn sale(&self) -> Sale {
        let amount = self.number().map(|number| number as i64);
        Sale { id: self.id, shop: self.shop.into(), quantity: self.quantity, amount, region: self.region.into() }
    }

    fn refund(&self) -> Refund {
        let amount = self.number();
        Refund { id: refund_id(self.id), shop: self.shop.into(), quantity: self.quantity as i32, amount }
    }

    /// A number without a fraction becomes an integer.
    fn note(&self) -> Document {
        let json = |amount: &Amount| match amount {
            Amount::Number(number) if number.fract() == 0.0 => json!(*number as i64),
            Amount::Number(number) => json!(number),
            Amount::Text(text) => json!(text),
        };
        let mut body = json!({ "id": self.id, "shop": self.shop, "quantity": self.quantity, "region": self.region });
        match &self.amounts[..] {
            [] => {}
            [one] => body["amount"] = json(one),
            several => body["amount"] = Json::Array(several.iter().map(json).collect()),
        }
        Document::new(body).unwrap()
    }
}

fn refund_id(id: u32) -> String {
    format!("r-{id:02}")
}
