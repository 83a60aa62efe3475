//! Operations on several collections.

use super::domain::Domain;
use crate::model::Model;
use crate::operation::Operation;
use crate::row::Row;
use memdex::query::FieldName;
use memdex::{Kind, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use std::fmt;

/// A kind of operation, for [`Workload::weight`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the operations")]
#[non_exhaustive]
pub enum OperationKind {
    Insert,
    Store,
    Update,
    Add,
    Delete,
    DeleteWhere,
    Batch,
    Get,
    Find,
    Walk,
    Statistics,
}

/// The operations that a test draws: their kinds, and how often each occurs.
///
/// ```
/// use memdex::{FieldDef, Kind, Schema};
/// use memdex_test::{Domain, OperationKind, Workload};
/// use proptest::prelude::*;
///
/// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("age", Kind::Int).ordered()]);
/// let workload = Workload::new([Domain::of_schema("User", schema)?])
///     .weight(OperationKind::Walk, 0)            // the repository has no pages
///     .call("birthday", prop::collection::vec((1..=8).prop_map(Into::into), 1));
/// proptest!(|(operations in workload.histories(20))| {
///     prop_assert!(operations.len() <= 20);
/// });
/// # Ok::<(), memdex_test::DomainError>(())
/// ```
#[derive(Clone)]
pub struct Workload {
    domains: Vec<Domain>,
    weights: Vec<(OperationKind, u32)>,
    calls: Vec<(FieldName, u32, BoxedStrategy<Vec<Value>>)>,
}

impl Workload {
    /// All kinds of operations on these collections.
    pub fn new(domains: impl IntoIterator<Item = Domain>) -> Self {
        use OperationKind::{Add, Batch, Delete, DeleteWhere, Find, Get, Insert, Statistics, Store, Update, Walk};
        let writes = [(Insert, 6), (Store, 4), (Update, 4), (Add, 2), (Delete, 3), (DeleteWhere, 1), (Batch, 3)];
        let reads = [(Get, 3), (Find, 5), (Walk, 2), (Statistics, 2)];
        let weights = writes.into_iter().chain(reads).collect();
        Workload { domains: domains.into_iter().collect(), weights, calls: Vec::new() }
    }

    /// How often operations of a kind occur, relative to the others; 0 leaves them out.
    #[must_use]
    pub fn weight(mut self, kind: OperationKind, weight: u32) -> Self {
        self.weights.iter_mut().filter(|(of, _)| *of == kind).for_each(|(_, old)| *old = weight);
        self
    }

    /// Leaves out operations of these kinds.
    #[must_use]
    pub fn without(self, kinds: impl IntoIterator<Item = OperationKind>) -> Self {
        kinds.into_iter().fold(self, |workload, kind| workload.weight(kind, 0))
    }

    /// Adds a command of the application with its arguments; [`Model::define`] says what it does.
    #[must_use]
    pub fn call(self, name: impl Into<FieldName>, arguments: impl Strategy<Value = Vec<Value>> + 'static) -> Self {
        self.call_weighted(name, 4, arguments)
    }

    /// As [`call`](Workload::call), with a weight.
    #[must_use]
    pub fn call_weighted(
        mut self,
        name: impl Into<FieldName>,
        weight: u32,
        arguments: impl Strategy<Value = Vec<Value>> + 'static,
    ) -> Self {
        self.calls.push((name.into(), weight, arguments.boxed()));
        self
    }

    /// The collections.
    pub fn domains(&self) -> &[Domain] {
        &self.domains
    }

    /// An empty model of the collections.
    pub fn model(&self) -> Model {
        let empty = Model::new(self.domains.iter().map(|domain| (domain.name().to_string(), domain.schema().clone())));
        self.domains.iter().fold(empty, |model, domain| model.accepting(domain.name(), domain.acceptance()))
    }

    /// Single operations.
    pub fn operations(&self) -> BoxedStrategy<Operation> {
        let mut all: Vec<(u32, BoxedStrategy<Operation>)> = Vec::new();
        for (kind, weight) in self.weights.iter().filter(|(_, weight)| *weight > 0) {
            let of_domain = |domain: &Domain| of_kind(domain, *kind);
            let each: Vec<_> = if *kind == OperationKind::Batch {
                self.batches().into_iter().collect()
            } else {
                self.domains.iter().filter_map(of_domain).collect()
            };
            if !each.is_empty() {
                all.push((*weight, select(each).prop_flat_map(|operation| operation).boxed()));
            }
        }
        for (name, weight, arguments) in &self.calls {
            let name = name.clone();
            let call = arguments.clone().prop_map(move |arguments| Operation::Call { name: name.clone(), arguments });
            all.push((*weight, call.boxed()));
        }
        proptest::strategy::Union::new_weighted(all).boxed()
    }

    /// Lists of operations.
    pub fn histories(&self, most: usize) -> BoxedStrategy<Vec<Operation>> {
        vec(self.operations(), 1..=most).boxed()
    }

    /// Batches of writes to all collections; `None` if there are no writes.
    fn batches(&self) -> Option<BoxedStrategy<Operation>> {
        use OperationKind::{Add, Delete, Insert, Store, Update};
        let has = |kind: OperationKind| self.weights.iter().any(|(of, weight)| *of == kind && *weight > 0);
        let kinds = [Insert, Store, Update, Add, Delete].into_iter().filter(|kind| has(*kind));
        let writes: Vec<_> =
            kinds.flat_map(|kind| self.domains.iter().filter_map(move |domain| of_kind(domain, kind))).collect();
        let write = (!writes.is_empty()).then(|| select(writes).prop_flat_map(|write| write))?;
        Some(vec(write, 1..=4).prop_map(Operation::Batch).boxed())
    }
}

impl fmt::Debug for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: Vec<_> = self.calls.iter().map(|(name, weight, _)| (name, weight)).collect();
        f.debug_struct("Workload").field("weights", &self.weights).field("calls", &calls).finish_non_exhaustive()
    }
}

/// Operations of a kind; `None` if the collection has none.
fn of_kind(domain: &Domain, kind: OperationKind) -> Option<BoxedStrategy<Operation>> {
    let collection = domain.name().clone();
    let [rows, keys] = [0, 1].map(|_| collection.clone());
    let with_row =
        |make: fn(FieldName, Row) -> Operation| domain.rows().prop_map(move |row| make(rows.clone(), row)).boxed();
    let key = domain.key_values();
    Some(match kind {
        OperationKind::Insert => with_row(|collection, row| Operation::Insert { collection, row }),
        OperationKind::Store => with_row(|collection, row| Operation::Store { collection, row }),
        OperationKind::Update => updates(domain)?,
        OperationKind::Add => {
            let is_integer =
                |field: &&memdex::FieldDef| field.kind() == Kind::Int && !field.is_many() && !field.is_key();
            let fields: Vec<FieldName> = domain
                .schema()
                .fields()
                .iter()
                .filter(is_integer)
                .map(|field| field.name().to_owned().into())
                .collect();
            let field = (!fields.is_empty()).then(|| select(fields))?;
            (key, field, prop_oneof![4 => 1..=3_i64, 1 => Just(-1)])
                .prop_map(move |(key, field, by)| Operation::Add { collection: collection.clone(), key, field, by })
                .boxed()
        }
        OperationKind::Delete => key.prop_map(move |key| Operation::delete(keys.clone(), key)).boxed(),
        OperationKind::Get => key.prop_map(move |key| Operation::get(keys.clone(), key)).boxed(),
        OperationKind::DeleteWhere => domain.selections().prop_map(Operation::DeleteWhere).boxed(),
        OperationKind::Find => domain.queries().prop_map(Operation::Find).boxed(),
        OperationKind::Walk => domain.walks().prop_map(Operation::Walk).boxed(),
        OperationKind::Statistics => domain.statistics().prop_map(Operation::Find).boxed(),
        OperationKind::Batch => return None,
    })
}

/// Updates of one or two fields.
fn updates(domain: &Domain) -> Option<BoxedStrategy<Operation>> {
    let fields = domain.schema().fields();
    let changeable: Vec<_> = (0..fields.len())
        .filter(|at| !fields[*at].is_key() && domain.is_independent(*at))
        .map(|at| domain.update_of(at))
        .collect();
    let field = (!changeable.is_empty()).then(|| select(changeable).prop_flat_map(|field| field))?;
    let collection = domain.name().clone();
    let update = (domain.key_values(), vec(field, 1..=2)).prop_map(move |(key, set)| {
        let mut by_name: Vec<(FieldName, Vec<Value>)> = Vec::new();
        for (name, values) in set {
            if by_name.iter().all(|(known, _)| *known != name) {
                by_name.push((name, values));
            }
        }
        Operation::Update { collection: collection.clone(), key, set: by_name }
    });
    Some(update.boxed())
}
