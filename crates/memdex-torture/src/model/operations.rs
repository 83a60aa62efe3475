//! Random operations: every command, drawn as data, interpreted by the model and executed by the store.

use super::predicates::{Tree, tree};
use super::records::Subject;
use memdex::error::{Cause, Refusal};
use memdex::query::{Direction, Nulls, OrderBy};
use memdex::write::{PendingChanges, Receipt, Refused, WriterError};
use memdex::{Batch, Collection, Commit, Writer};
use proptest::prelude::*;
use proptest::sample::select;
use std::cmp::Ordering;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Verb {
    Store,
    Insert,
    Update,
    TryUpdate,
    Upsert,
    Delete,
    Rekey,
    UpdateWhere,
    TryUpdateWhere,
    DeleteWhere,
}

/// The commit that a conditional form names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen {
    Right,
    Wrong(u64),
}

/// The effect of the closure.
#[derive(Clone, Debug)]
pub(super) enum Change<R: Subject> {
    Nothing,
    /// Takes all fields but the key from this record.
    Fields(R),
    Rekey(R::Id),
    /// Changes fields to values that depend on those that they had.
    Shift,
    /// Changes the record, then returns an error; a closure without errors only changes it.
    Refuse(R),
}

/// One operation, on the key of its record or on the records that a predicate selects.
#[derive(Clone, Debug)]
pub(super) struct Op<R: Subject> {
    pub verb: Verb,
    pub seen: Option<Seen>,
    pub record: R,
    pub change: Change<R>,
    /// The new key of a rekey.
    pub to: R::Id,
    pub tree: Tree,
    /// Of a write by predicate: only the first records in an order.
    pub first: Option<First>,
}

/// How many of the first records in an order.
#[derive(Clone, Debug)]
pub(super) struct First {
    pub records: usize,
    order: Vec<Sort>,
}

/// A field by its position in `FIELDS`.
#[derive(Clone, Copy, Debug)]
struct Sort {
    field: usize,
    descending: bool,
    nulls_first: bool,
}

impl First {
    pub(super) fn any<R: Subject>() -> BoxedStrategy<Self> {
        let single: Vec<usize> = (0..R::FIELDS.len()).filter(|at| !R::MANY.contains(&R::FIELDS[*at])).collect();
        let sort = (select(single), any::<bool>(), any::<bool>());
        let sort = sort.prop_map(|(field, descending, nulls_first)| Sort { field, descending, nulls_first });
        let records = prop_oneof![8 => 1..4_usize, 1 => Just(0), 1 => Just(usize::MAX)];
        (records, prop::collection::vec(sort, 0..3)).prop_map(|(records, order)| First { records, order }).boxed()
    }

    /// Without an order, the results of a query come in any.
    pub(super) fn sort_at_least_by_key(&mut self) {
        if self.order.is_empty() {
            self.order.push(Sort { field: 0, descending: false, nulls_first: false });
        }
    }

    /// Which of two records comes first.
    pub(super) fn compare<R: Subject>(&self, a: &R, b: &R) -> Ordering {
        let by = |sort: &Sort| {
            let (a, b) = (a.see(sort.field), b.see(sort.field));
            let nulls = if sort.nulls_first { Ordering::Less } else { Ordering::Greater };
            match (a.is_null(), b.is_null()) {
                (true, true) => Ordering::Equal,
                (true, false) => nulls,
                (false, true) => nulls.reverse(),
                _ if sort.descending => b.order(&a).unwrap(),
                _ => a.order(&b).unwrap(),
            }
        };
        let unequal = self.order.iter().map(by).find(|order| order.is_ne());
        unequal.unwrap_or_else(|| a.id().cmp(&b.id()))
    }

    pub(super) fn to_store<R: Subject>(&self) -> Vec<OrderBy> {
        let sort = |sort: &Sort| OrderBy {
            field: R::FIELDS[sort.field].into(),
            direction: if sort.descending { Direction::Descending } else { Direction::Ascending },
            nulls: if sort.nulls_first { Nulls::First } else { Nulls::Last },
        };
        self.order.iter().map(sort).collect()
    }
}

/// The model's reason for a refusal.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Fault {
    KeyExists,
    KeyMissing,
    KeyChanged,
    NotRekeyed,
    Stale {
        seen: Commit,
        now: Option<Commit>,
    },
    Closure,
    /// Its closure would have to run a third time.
    DependsOnLeftOut,
    /// Two records would share a value of this unique index.
    NotUnique {
        index: String,
    },
    /// This ordered index refuses NaN.
    NotANumber {
        index: String,
        field: &'static str,
    },
}

impl Fault {
    pub(super) fn is(&self, cause: &Cause) -> bool {
        match (self, cause) {
            (Fault::KeyExists, Cause::KeyExists)
            | (Fault::KeyMissing, Cause::KeyMissing)
            | (Fault::KeyChanged, Cause::KeyChanged { .. })
            | (Fault::NotRekeyed, Cause::NotRekeyed { .. })
            | (Fault::Closure, Cause::Closure(_))
            | (Fault::DependsOnLeftOut, Cause::DependsOnLeftOut) => true,
            (Fault::NotUnique { index }, Cause::NotUnique { index: reported, key, other, .. }) => {
                index == reported && key != other
            }
            (Fault::NotANumber { index, field }, Cause::NotANumber { index: reported, field: of, .. }) => {
                index == reported && field == of
            }
            (Fault::Stale { seen, now }, Cause::Stale { seen: reported, now: found, .. }) => {
                seen == reported && now == found
            }
            _ => false,
        }
    }
}

impl<R: Subject> Change<R> {
    fn any() -> BoxedStrategy<Self> {
        prop_oneof![
            2 => Just(Change::Nothing),
            20 => R::any().prop_map(Change::Fields),
            1 => select(R::ids()).prop_map(Change::Rekey),
            5 => Just(Change::Shift),
            1 => R::any().prop_map(Change::Refuse),
        ]
        .boxed()
    }

    /// Applies the change; returns false if the closure refuses.
    pub(super) fn apply(&self, record: &mut R) -> bool {
        match self {
            Change::Nothing => {}
            Change::Fields(from) | Change::Refuse(from) => {
                let id = record.id();
                *record = from.clone();
                record.set_id(id);
            }
            Change::Rekey(id) => record.set_id(id.clone()),
            Change::Shift => record.shift(),
        }
        !matches!(self, Change::Refuse(_))
    }

    fn closure(&self) -> impl Fn(&mut R) + Send + 'static {
        let change = self.clone();
        move |record| {
            change.apply(record);
        }
    }

    fn try_closure(&self) -> impl Fn(&mut R) -> Result<(), &'static str> + Send + 'static {
        let change = self.clone();
        move |record| if change.apply(record) { Ok(()) } else { Err("the closure does not want to") }
    }
}

impl<R: Subject> Op<R> {
    pub(super) fn any() -> BoxedStrategy<Self> {
        let verb = prop_oneof![
            3 => Just(Verb::Store),
            2 => Just(Verb::Insert),
            2 => Just(Verb::Update),
            1 => Just(Verb::TryUpdate),
            3 => Just(Verb::Upsert),
            4 => Just(Verb::Delete),
            2 => Just(Verb::Rekey),
            1 => Just(Verb::UpdateWhere),
            1 => Just(Verb::TryUpdateWhere),
            1 => Just(Verb::DeleteWhere),
        ];
        let seen = prop_oneof![
            8 => Just(None),
            3 => Just(Some(Seen::Right)),
            1 => (0..3_u64).prop_map(|off| Some(Seen::Wrong(off))),
        ];
        let op = |(verb, seen, record, change, to, tree, first)| {
            let conditional = matches!(verb, Verb::Store | Verb::Update | Verb::TryUpdate | Verb::Delete | Verb::Rekey);
            let op = Op { verb, seen: if conditional { seen } else { None }, record, change, to, tree, first: None };
            if op.is_by_predicate() { Op { first, ..op } } else { op }
        };
        let first = prop::option::of(First::any::<R>());
        (verb, seen, R::any(), Change::any(), select(R::ids()), tree::<R>(), first).prop_map(op).boxed()
    }

    pub(super) fn id(&self) -> R::Id {
        self.record.id()
    }

    /// Its key; `None` if a predicate selects its records.
    pub(super) fn on_key(&self) -> Option<R::Id> {
        (!self.is_by_predicate()).then(|| self.id())
    }

    /// Whether it brings a record, which can be edited.
    pub(super) fn brings_record(&self) -> bool {
        matches!(self.verb, Verb::Store | Verb::Insert | Verb::Upsert)
    }

    /// Whether a predicate selects its records.
    pub(super) fn is_by_predicate(&self) -> bool {
        matches!(self.verb, Verb::UpdateWhere | Verb::TryUpdateWhere | Verb::DeleteWhere)
    }

    /// Whether it moves a record to another key.
    pub(super) fn is_rekey(&self) -> bool {
        self.verb == Verb::Rekey && self.to != self.id()
    }

    /// Whether a lenient commit never judges it again once it was refused.
    pub(super) fn is_judged_once(&self) -> bool {
        self.is_by_predicate() || self.is_rekey()
    }

    /// Applies the change and sets the new key, unless the change is one of the key; returns false if the closure refuses.
    pub(super) fn rekey(&self, record: &mut R) -> bool {
        let agrees = self.change.apply(record);
        if !matches!(self.change, Change::Rekey(_)) {
            record.set_id(self.to.clone());
        }
        agrees
    }

    fn rekey_closure(&self) -> impl Fn(&mut R) -> Result<(), &'static str> + Send + 'static {
        let op = self.clone();
        move |record| if op.rekey(record) { Ok(()) } else { Err("the closure does not want to") }
    }

    /// The records that its predicate selects, in its order.
    pub(super) fn selected<'a>(&self, records: impl Iterator<Item = &'a R>) -> Vec<&'a R> {
        let mut matching: Vec<&R> = records.filter(|record| self.tree.holds(*record)).collect();
        if let Some(first) = &self.first {
            matching.sort_by(|a, b| first.compare(*a, *b));
            matching.truncate(first.records);
        }
        matching
    }

    /// Adds a write by predicate that returns its records.
    pub(super) fn put_matching(&self, batch: &mut Batch, of: &Collection<R>) -> Result<PendingChanges<R>, Refusal> {
        let mut matching = batch.matching(of, self.tree.filter());
        if let Some(first) = &self.first {
            matching = matching.order_by(first.to_store::<R>()).first(first.records);
        }
        match self.verb {
            Verb::UpdateWhere => matching.update(self.change.closure()),
            Verb::TryUpdateWhere => matching.update(self.change.try_closure()),
            _ => matching.delete(),
        }
    }

    /// Its name in descriptions.
    pub(super) fn name(&self) -> &'static str {
        match self.verb {
            Verb::Store => "store",
            Verb::Insert => "insert",
            Verb::Update | Verb::TryUpdate => "update",
            Verb::Upsert => "upsert",
            Verb::Delete => "delete",
            Verb::Rekey if self.is_rekey() => "rekey",
            Verb::Rekey => "update",
            Verb::UpdateWhere | Verb::TryUpdateWhere => "update_where",
            Verb::DeleteWhere => "delete_where",
        }
    }
}

macro_rules! put {
    ($name:ident: $gatherer:ty, $error:ty, $in_batch:expr) => {
        pub(super) fn $name<R: Subject>(
            to: &mut $gatherer,
            of: &Collection<R>,
            op: &Op<R>,
            seen: Commit,
        ) -> Result<(), $error> {
            if op.first.is_some() {
                return $in_batch(to, |batch| op.put_matching(batch, of).map(drop));
            }
            let (id, record, change) = (op.id(), op.record.clone(), &op.change);
            match (op.verb, op.seen.is_some()) {
                (Verb::Store, false) => to.store(of, record),
                (Verb::Store, true) => to.if_unchanged(seen).store(of, record),
                (Verb::Insert, _) => to.insert(of, record),
                (Verb::Update, false) => to.update(of, id, change.closure()),
                (Verb::Update, true) => to.if_unchanged(seen).update(of, id, change.closure()),
                (Verb::TryUpdate, false) => to.update(of, id, change.try_closure()),
                (Verb::TryUpdate, true) => to.if_unchanged(seen).update(of, id, change.try_closure()),
                (Verb::Upsert, _) => to.upsert(of, record, change.closure()),
                (Verb::Delete, false) => to.delete(of, id),
                (Verb::Delete, true) => to.if_unchanged(seen).delete(of, id),
                (Verb::Rekey, false) => to.rekey(of, id, op.to.clone(), op.rekey_closure()),
                (Verb::Rekey, true) => to.if_unchanged(seen).rekey(of, id, op.to.clone(), op.rekey_closure()),
                (Verb::UpdateWhere, _) => to.update_where(of, op.tree.filter(), change.closure()),
                (Verb::TryUpdateWhere, _) => to.update_where(of, op.tree.filter(), change.try_closure()),
                (Verb::DeleteWhere, _) => to.delete_where(of, op.tree.filter()),
            }
        }
    };
}

fn in_batch(batch: &mut Batch, add: impl FnOnce(&mut Batch) -> Result<(), Refusal>) -> Result<(), Refusal> {
    add(batch)
}

put!(put_in_batch: Batch, Refusal, in_batch);
put!(put_in_writer: Writer, WriterError, Writer::group);

/// The operation as a commit with one command.
pub(super) fn alone<R: Subject>(of: &Collection<R>, op: &Op<R>, seen: Commit) -> Result<Receipt, Refused> {
    let (id, record, change) = (op.id(), op.record.clone(), &op.change);
    if let Some(first) = &op.first {
        let matching = of.matching(op.tree.filter()).order_by(first.to_store::<R>()).first(first.records);
        let changes = match op.verb {
            Verb::UpdateWhere => matching.update(change.closure()),
            Verb::TryUpdateWhere => matching.update(change.try_closure()),
            _ => matching.delete(),
        };
        return changes.map(|changes| {
            assert_eq!(changes.records.len(), changes.receipt.counts.total());
            changes.receipt
        });
    }
    match (op.verb, op.seen.is_some()) {
        (Verb::Store, false) => of.store(record),
        (Verb::Store, true) => of.if_unchanged(seen).store(record),
        (Verb::Insert, _) => of.insert(record),
        (Verb::Update, false) => of.update(id, change.closure()),
        (Verb::Update, true) => of.if_unchanged(seen).update(id, change.closure()),
        (Verb::TryUpdate, false) => of.update(id, change.try_closure()),
        (Verb::TryUpdate, true) => of.if_unchanged(seen).update(id, change.try_closure()),
        (Verb::Upsert, _) => of.upsert(record, change.closure()),
        (Verb::Delete, false) => of.delete(id),
        (Verb::Delete, true) => of.if_unchanged(seen).delete(id),
        (Verb::Rekey, false) => of.rekey(id, op.to.clone(), op.rekey_closure()),
        (Verb::Rekey, true) => of.if_unchanged(seen).rekey(id, op.to.clone(), op.rekey_closure()),
        (Verb::UpdateWhere, _) => of.update_where(op.tree.filter(), change.closure()),
        (Verb::TryUpdateWhere, _) => of.update_where(op.tree.filter(), change.try_closure()),
        (Verb::DeleteWhere, _) => of.delete_where(op.tree.filter()),
    }
}
