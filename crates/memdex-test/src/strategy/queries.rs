//! Orders, pages and queries that are valid for a schema.

use super::domain::Domain;
use memdex::Query;
use memdex::query::{Direction, FieldName, Nulls, OrderBy};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Most records of a drawn page.
const LARGEST_PAGE: usize = 6;

impl Domain {
    /// Orders of up to three fields, in both directions, with missing values first or last. Many ties are left to the key.
    pub fn orders(&self) -> BoxedStrategy<Vec<OrderBy>> {
        let single = self.fields.iter().filter(|field| !field.def.is_many());
        let names: Vec<FieldName> = single.map(|field| field.def.name().to_owned().into()).collect();
        let by = (select(names), any::<bool>(), prop::option::of(any::<bool>()));
        let by = by.prop_map(|(field, is_descending, nulls)| {
            let by = if is_descending { OrderBy::descending(field) } else { OrderBy::ascending(field) };
            debug_assert_eq!(by.direction == Direction::Descending, is_descending);
            match nulls {
                None => by,
                Some(true) => OrderBy { nulls: Nulls::First, ..by },
                Some(false) => OrderBy { nulls: Nulls::Last, ..by },
            }
        });
        vec(by, 0..=3).boxed()
    }

    /// Queries for all selected records, or for a page of them by offset.
    ///
    /// ```
    /// use memdex::{FieldDef, Kind, Schema};
    /// use memdex_test::{Domain, Model, Operation, Outcome};
    /// use proptest::prelude::*;
    ///
    /// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("age", Kind::Int).ordered()]);
    /// let users = Domain::of_schema("User", schema)?;
    /// proptest!(|(query in users.queries())| {
    ///     let mut model = Model::new([("User", users.schema().clone())]);
    ///     let found = model.apply(&Operation::Find(query));
    ///     let Outcome::Records { rows, .. } = found else { panic!() };
    ///     prop_assert!(rows.is_empty());
    /// });
    /// # Ok::<(), memdex_test::DomainError>(())
    /// ```
    pub fn queries(&self) -> BoxedStrategy<Query> {
        let name = self.name().clone();
        let all = {
            let name = name.clone();
            self.predicates().prop_map(move |filter| Query::over([name.clone()]).filter(filter))
        };
        let page = (
            self.predicates(),
            self.orders(),
            prop::option::weighted(0.8, 1..=LARGEST_PAGE),
            prop_oneof![3 => Just(0), 1 => 0..2 * LARGEST_PAGE],
            any::<bool>(),
        );
        let page = page.prop_map(move |(filter, order, limit, offset, total)| {
            let query = Query::over([name.clone()]).filter(filter).order_by(order).offset(offset);
            let query = limit.map_or(query.clone(), |limit| query.limit(limit));
            if total { query.with_total() } else { query }
        });
        prop_oneof![1 => all, 3 => page].boxed()
    }

    /// Queries to read page by page with cursors: each has an order and a page size.
    pub fn walks(&self) -> BoxedStrategy<Query> {
        let name = self.name().clone();
        (self.predicates(), self.orders(), 1..=LARGEST_PAGE)
            .prop_map(move |(filter, order, size)| {
                Query::over([name.clone()]).filter(filter).order_by(order).limit(size)
            })
            .boxed()
    }

    /// Queries that select the records of a write: all, or the first ones in an order.
    pub(super) fn selections(&self) -> BoxedStrategy<Query> {
        let name = self.name().clone();
        (self.predicates(), prop::option::of((self.orders(), 1..=3_usize)))
            .prop_map(move |(filter, first)| {
                let query = Query::over([name.clone()]).filter(filter);
                first.map_or(query.clone(), |(order, limit)| query.order_by(order).limit(limit))
            })
            .boxed()
    }
}
