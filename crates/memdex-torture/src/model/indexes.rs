//! The model's indexes: declared as data, drawn at random, and never maintained. The model evaluates their conditions
//! on a state record by record.

use super::aggregates::{ModelAggregate, any_aggregates};
use super::predicates::{Test, Tree, leaf};
use super::records::{Subject, Val};
use super::reference::Shelf;
use memdex::schema::IndexKind;
use memdex::{IndexDef, field};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

/// The declaration of an index.
#[derive(Clone, Debug)]
pub(super) struct Def {
    pub name: Option<&'static str>,
    /// Positions in `FIELDS`.
    pub fields: Vec<usize>,
    pub kind: IndexKind,
    pub when: Option<Tree>,
    pub flaw: Option<Flaw>,
}

/// A defect of a declaration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Flaw {
    UnknownField,
    RepeatedField,
    /// The condition compares a field with a value of another kind.
    Condition,
}

/// The indexes, columns and aggregates with which a collection is opened.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The index and the column of each field.
    pub fields: Vec<(Option<IndexKind>, bool)>,
    pub more: Vec<Def>,
    pub aggregates: Vec<ModelAggregate>,
}

impl Def {
    pub(super) fn of_field(at: usize, kind: IndexKind) -> Def {
        Def { name: None, fields: vec![at], kind, when: None, flaw: None }
    }

    pub(super) fn name<R: Subject>(&self) -> String {
        self.name.map_or_else(|| self.names::<R>().join("+"), str::to_owned)
    }

    fn names<R: Subject>(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.fields.iter().map(|at| R::FIELDS[*at]).collect();
        match self.flaw {
            Some(Flaw::UnknownField) => names.push("height"),
            Some(Flaw::RepeatedField) => names.extend(names.first().copied()),
            _ => {}
        }
        names
    }

    pub(super) fn to_store<R: Subject>(&self) -> IndexDef {
        let names = self.names::<R>();
        let def = match self.kind {
            IndexKind::Unique => IndexDef::unique(names),
            IndexKind::Ordered => IndexDef::ordered(names),
            _ => IndexDef::equality(names),
        };
        let def = self.name.map_or(def.clone(), |name| def.named(name));
        match (&self.when, self.flaw) {
            (_, Some(Flaw::Condition)) => def.when(field(R::FIELDS[0]).eq(field_of_another_kind())),
            (Some(when), _) => def.when(when.filter::<R>()),
            (None, _) => def,
        }
    }

    /// The possible errors of adding it to the others; empty if it is valid.
    pub(super) fn faults<R: Subject>(&self, others: &[Def]) -> Vec<&'static str> {
        let many = self.fields.iter().any(|at| R::MANY.contains(&R::FIELDS[*at]));
        let faults = [
            ("DuplicateIndex", others.iter().any(|other| other.name::<R>() == self.name::<R>())),
            ("EmptyIndex", self.names::<R>().is_empty()),
            ("UnknownField", self.flaw == Some(Flaw::UnknownField)),
            ("RepeatedField", self.flaw == Some(Flaw::RepeatedField) && !self.fields.is_empty()),
            ("ManyValues", many && (self.names::<R>().len() > 1 || self.kind == IndexKind::Unique)),
            ("Condition", self.flaw == Some(Flaw::Condition)),
        ];
        faults.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
    }

    /// The values of its fields, if it contains the record.
    pub(super) fn values<R: Subject>(&self, record: &R) -> Option<Vec<Val>> {
        let holds = self.when.as_ref().is_none_or(|when| when.holds(record));
        holds.then(|| self.fields.iter().map(|at| record.see(*at)).collect())
    }

    /// The field for which the index can't order the record.
    pub(super) fn unordered<R: Subject>(&self, record: &R) -> Option<&'static str> {
        fn is_nan(value: &Val) -> bool {
            match value {
                Val::Float(x) => x.is_nan(),
                Val::Many(values) => values.iter().any(is_nan),
                _ => false,
            }
        }
        let values = self.values(record).filter(|_| self.kind == IndexKind::Ordered)?;
        let at_fault = self.fields.iter().zip(&values).filter(|(_, value)| is_nan(value));
        at_fault.map(|(at, _)| R::FIELDS[*at]).find(|name| !R::NAN_LAST.contains(name))
    }

    /// Records that violate uniqueness.
    pub(super) fn clashing<R: Subject>(&self, shelf: &Shelf<R>) -> Vec<R::Id> {
        if self.kind != IndexKind::Unique {
            return Vec::new();
        }
        let held = shelf.iter().filter_map(|(id, (record, _))| Some((id, self.values(record)?)));
        let held: Vec<_> = held.filter(|(_, values)| !values.iter().any(Val::is_null)).collect();
        let clashes = |(id, values): &&(&R::Id, Vec<Val>)| held.iter().any(|(of, v)| of != id && same(v, values));
        held.iter().filter(clashes).map(|(id, _)| (*id).clone()).collect()
    }

    /// The number of its distinct values; 0 if the store does not report it.
    pub(super) fn distinct<R: Subject>(&self, shelf: &Shelf<R>) -> usize {
        let mut different: Vec<Vec<Val>> = Vec::new();
        for values in shelf.values().filter_map(|(record, _)| self.values(record)) {
            let filed = match &values[..] {
                [Val::Many(of)] => of.iter().map(|item| vec![item.clone()]).collect(),
                [Val::Null] => Vec::new(),
                several if self.kind == IndexKind::Unique && several.iter().any(Val::is_null) => Vec::new(),
                _ => vec![values],
            };
            for values in filed {
                if !different.iter().any(|other| same(other, &values)) {
                    different.push(values);
                }
            }
        }
        if self.kind == IndexKind::Ordered { 0 } else { different.len() }
    }

    /// A query that the index could answer.
    pub(super) fn aimed_at<R: Subject>(&self) -> BoxedStrategy<Tree> {
        let test = |at: &usize| {
            let at = *at;
            let eq = select(R::operands(at)).prop_map(Test::Eq);
            let of_one = !R::MANY.contains(&R::FIELDS[at]);
            let test = if of_one { prop_oneof![3 => eq, 2 => Test::any::<R>(at)].boxed() } else { Test::any::<R>(at) };
            (test, any::<bool>()).prop_map(move |(test, typed)| Tree::Leaf { at, test, typed }).boxed()
        };
        let tests: Vec<_> = self.fields.iter().map(test).collect();
        let fields = self.fields.len();
        let when = self.when.clone();
        let parts = move |(mut tests, some, more): (Vec<Tree>, usize, Option<Tree>)| {
            tests.truncate(some);
            match when.clone() {
                Some(Tree::And(parts)) => tests.extend(parts),
                other => tests.extend(other),
            }
            tests.extend(more);
            tests
        };
        let drawn = (tests, 1..=fields.max(1), proptest::option::weighted(0.3, leaf::<R>()));
        drawn.prop_map(parts).prop_shuffle().prop_map(Tree::And).boxed()
    }
}

pub(super) fn same(some: &[Val], others: &[Val]) -> bool {
    let one = |(a, b): (&Val, &Val)| (a.is_null() && b.is_null()) || a.same(b);
    some.len() == others.len() && some.iter().zip(others).all(one)
}

fn field_of_another_kind() -> Vec<u8> {
    b"neither a number nor a text".to_vec()
}

fn any_kind() -> BoxedStrategy<IndexKind> {
    prop_oneof![3 => Just(IndexKind::Equality), 2 => Just(IndexKind::Ordered), 1 => Just(IndexKind::Unique)].boxed()
}

/// Any declaration; most are valid.
pub(super) fn any_def<R: Subject>() -> BoxedStrategy<Def> {
    let place_of_one = || {
        let of_one = (0..R::FIELDS.len()).filter(|at| !R::MANY.contains(&R::FIELDS[*at]));
        of_one.collect::<Vec<_>>()
    };
    let fields = prop_oneof![
        2 => (0..R::FIELDS.len()).prop_map(|at| vec![at]),
        4 => subsequence(place_of_one(), 2..=3).prop_shuffle(),
        1 => vec(0..R::FIELDS.len(), 0..3),
    ];
    let when = prop_oneof![
        3 => leaf::<R>(),
        1 => vec(leaf::<R>(), 2).prop_map(Tree::And),
        1 => vec(leaf::<R>(), 2).prop_map(Tree::Or),
        1 => leaf::<R>().prop_map(|part| Tree::Not(Box::new(part))),
    ];
    let flaw = select(vec![Flaw::UnknownField, Flaw::RepeatedField, Flaw::Condition]);
    let name = select(vec!["one", "two", "three", "title"]);
    let drawn = (
        proptest::option::weighted(0.3, name),
        fields,
        any_kind(),
        proptest::option::of(when),
        proptest::option::weighted(0.05, flaw),
    );
    let make = |(name, fields, kind, when, mut flaw): (_, Vec<usize>, _, _, _)| {
        // A repeated field is a flaw like any other.
        let mut once = Vec::new();
        for at in fields {
            if once.contains(&at) {
                flaw = Some(Flaw::RepeatedField);
            } else {
                once.push(at);
            }
        }
        Def { name, fields: once, kind, when, flaw }
    };
    drawn.prop_map(make).boxed()
}

/// Any valid schema.
pub(super) fn any_plan<R: Subject>() -> BoxedStrategy<Plan> {
    let of_field = |name: &'static str| {
        let many = R::MANY.contains(&name);
        let kind = match name {
            "isbn" => prop_oneof![1 => Just(IndexKind::Unique), 1 => any_kind()].boxed(),
            _ if many => any_kind().prop_map(no_unique).boxed(),
            _ => prop_oneof![20 => any_kind().prop_map(no_unique), 1 => Just(IndexKind::Unique)].boxed(),
        };
        (proptest::option::weighted(0.3, kind), any::<bool>().prop_map(move |column| column && !many))
    };
    let fields: Vec<_> = R::FIELDS.iter().map(|name| of_field(name)).collect();
    type Drawn = (Vec<(Option<IndexKind>, bool)>, Vec<Def>, Vec<ModelAggregate>);
    let sound = |(fields, drawn, aggregates): Drawn| {
        let own = fields.iter().enumerate().filter_map(|(at, (kind, _))| Some(Def::of_field(at, (*kind)?)));
        let (mut all, mut more): (Vec<Def>, _) = (own.collect(), Vec::new());
        for def in drawn {
            if def.faults::<R>(&all).is_empty() {
                all.push(def.clone());
                more.push(def);
            }
        }
        Plan { fields, more, aggregates }
    };
    (fields, vec(any_def::<R>(), 0..4), any_aggregates()).prop_map(sound).boxed()
}

fn no_unique(kind: IndexKind) -> IndexKind {
    if kind == IndexKind::Unique { IndexKind::Equality } else { kind }
}

impl Plan {
    /// Its indexes, in the order in which the store creates them.
    pub(super) fn indexes(&self) -> Vec<Def> {
        let own = self.fields.iter().enumerate().filter_map(|(at, (kind, _))| Some(Def::of_field(at, (*kind)?)));
        own.chain(self.more.iter().cloned()).collect()
    }
}
