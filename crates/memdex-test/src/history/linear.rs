//! Linearizability: is there an order of the operations, compatible with the times at which they began and ended, in which a model
//! returns the same outcomes?
//!
//! The search is that of Wing and Gong (*Testing and verifying concurrent objects*, 1993) with the improvements of Lowe (*Testing for
//! linearizability*, 2017): a configuration, the set of the operations that took place and the state of the model, is visited once.
//! Sets and states are compared by 128-bit hashes. By the theorem of Herlihy and Wing, a history is linearizable if and only if the
//! part of each object is; an object is here a set of records that no operation connects with others.

use super::recorder::Event;
use super::verdict::{Anomaly, Violation};
use crate::model::{Model, Undo};
use crate::operation::{Operation, Outcome};
use crate::repository::agrees;
use crate::row::RowKey;
use memdex::schema::IndexKind;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Most configurations that the search of one object visits. A history that is not linearizable costs the most: up to the number of
/// subsets of the operations that overlap.
pub const MOST_CONFIGURATIONS: usize = 1_000_000;

/// What a check of a history found, if nothing is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinearReport {
    /// The independent parts of the history.
    pub objects: usize,
    /// The configurations that were visited.
    pub configurations: usize,
    /// Whether the search of a part was given up after [`MOST_CONFIGURATIONS`]: nothing is known about that part.
    pub is_partial: bool,
}

/// Checks whether a history is linearizable, given the model with the state before it. Each operation, also a batch or a read by
/// predicate, is one step; so this is strict serializability of transactions of one operation.
///
/// An operation that did not return, or that [failed](Outcome::Failed), may have taken place or not.
///
/// ```
/// use memdex::{FieldDef, Kind, Schema};
/// use memdex_test::history::{Event, linearizable};
/// use memdex_test::{Model, Operation, Outcome, Row};
///
/// let model = Model::new([("User", Schema::new([FieldDef::new("id", Kind::Int).key()]))]);
/// let event = |client, invoked, returned, operation, outcome| Event { client, operation, invoked, returned: Some(returned), outcome };
/// let ada = Row::new().with("id", 1);
/// let insert = event(0, 0, 5, Operation::insert("User", ada.clone()), Outcome::Done);
/// let get = |invoked, returned, found| event(1, invoked, returned, Operation::get("User", [1.into()]), Outcome::Record(found));
///
/// // Reads that overlap with the insert may see it or not; but not first see it, and then not.
/// assert!(linearizable(&[insert.clone(), get(1, 2, None), get(3, 4, Some(ada.clone()))], &model).is_ok());
/// let violation = linearizable(&[insert, get(1, 2, Some(ada)), get(3, 4, None)], &model).unwrap_err();
/// assert_eq!(violation.operations, [0, 1, 2]);
/// ```
///
/// # Errors
/// The violation, with the operations around the one that no order explains.
///
/// # Cost
/// For n operations of c clients, about n configurations if the history is linearizable, and up to n · 2^c if it is not, each of
/// them an operation on the model; [`MOST_CONFIGURATIONS`] bounds it.
pub fn linearizable(history: &[Event], model: &Model) -> Result<LinearReport, Violation> {
    let mut report = LinearReport::default();
    for object in objects(history, model) {
        report.objects += 1;
        let mut search = Search::new(history, &object, model.clone());
        let found = search.run();
        report.configurations += search.visited.len();
        match found {
            Found::Order => {}
            Found::GaveUp => report.is_partial = true,
            Found::Nothing(at) => return Err(violation(history, &object, at)),
        }
    }
    Ok(report)
}

/// The positions of the events of each object: operations that touch the same records, directly or by others.
fn objects(history: &[Event], model: &Model) -> Vec<Vec<usize>> {
    let has_unique = |name: &str| {
        let schema = model.collections().find(|(of, _)| *of == name).map(|(_, schema)| schema);
        schema.is_some_and(|schema| schema.indexes().iter().any(|index| index.kind() == IndexKind::Unique))
    };
    // The key `None` is the whole collection.
    let mut touched: BTreeMap<(String, Option<RowKey>), usize> = BTreeMap::new();
    let mut parent: Vec<usize> = (0..history.len()).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    let mut whole: HashSet<String> = HashSet::new();
    let mut is_one = false;
    for event in history {
        for (name, key) in places(&event.operation, model) {
            match key {
                Some(_) if !has_unique(&name) => {}
                _ => drop(whole.insert(name)),
            }
        }
        is_one |= matches!(event.operation, Operation::Call { .. });
    }
    for (at, event) in history.iter().enumerate() {
        for (name, key) in places(&event.operation, model) {
            let place = if is_one {
                (String::new(), None)
            } else if whole.contains(&name) {
                (name, None)
            } else {
                (name, key)
            };
            let first = *touched.entry(place).or_insert(at);
            let (a, b) = (root(&mut parent, first), root(&mut parent, at));
            parent[a.max(b)] = a.min(b);
        }
    }
    let mut by_root: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in (0..history.len()).filter(|at| history[*at].outcome != Outcome::Unsupported) {
        by_root.entry(root(&mut parent, at)).or_default().push(at);
    }
    by_root.into_values().collect()
}

/// The records that an operation touches; without a key, any of the collection.
fn places(operation: &Operation, model: &Model) -> Vec<(String, Option<RowKey>)> {
    let key_of = |collection: &str, row: &crate::row::Row| {
        let schema = model.collections().find(|(name, _)| *name == collection).map(|(_, schema)| schema);
        schema.and_then(|schema| row.key(schema))
    };
    match operation {
        Operation::Insert { collection, row } | Operation::Store { collection, row } => {
            vec![(collection.to_string(), key_of(collection, row))]
        }
        Operation::Update { collection, key, .. }
        | Operation::Add { collection, key, .. }
        | Operation::Delete { collection, key }
        | Operation::Get { collection, key } => vec![(collection.to_string(), Some(key.clone()))],
        Operation::DeleteWhere(query) | Operation::Find(query) | Operation::Walk(query) => {
            query.collections.iter().map(|name| (name.to_string(), None)).collect()
        }
        Operation::Batch(parts) => parts.iter().flat_map(|part| places(part, model)).collect(),
        Operation::Call { .. } => vec![(String::new(), None)],
    }
}

enum Found {
    Order,
    /// The event that could not be placed in the longest order found.
    Nothing(usize),
    GaveUp,
}

/// A call or a return of an event, in a doubly linked list by time.
#[derive(Clone, Copy)]
struct Entry {
    event: usize,
    is_call: bool,
    previous: usize,
    next: usize,
}

struct Search<'a> {
    history: &'a [Event],
    model: Model,
    /// The first entry is the head; the list ends with 0.
    entries: Vec<Entry>,
    /// The entries of call and return of each event; 0 without a return.
    places: BTreeMap<usize, (usize, usize)>,
    visited: HashSet<(u128, u128)>,
}

impl<'a> Search<'a> {
    fn new(history: &'a [Event], object: &[usize], model: Model) -> Self {
        let calls = object.iter().map(|event| (history[*event].invoked, *event, true));
        let returns = object.iter().filter_map(|event| history[*event].returned.map(|end| (end, *event, false)));
        let mut sorted: Vec<(u64, usize, bool)> = calls.chain(returns).collect();
        sorted.sort_unstable();
        let mut entries = vec![Entry { event: usize::MAX, is_call: false, previous: 0, next: 0 }];
        let mut places = BTreeMap::new();
        for (_, event, is_call) in sorted {
            let at = entries.len();
            entries[at - 1].next = at;
            entries.push(Entry { event, is_call, previous: at - 1, next: 0 });
            let place = places.entry(event).or_insert((0, 0));
            if is_call { place.0 = at } else { place.1 = at }
        }
        Search { history, model, entries, places, visited: HashSet::new() }
    }

    fn run(&mut self) -> Found {
        let mut stack: Vec<(usize, Undo)> = Vec::new();
        let (mut set, mut deepest, mut blocked) = (0_u128, 0, usize::MAX);
        let mut at = self.entries[0].next;
        loop {
            // Only operations that never returned may be left out.
            if at == 0 {
                return Found::Order;
            }
            let Entry { event, is_call, next, .. } = self.entries[at];
            if is_call {
                let with = set ^ hash_of(event);
                if let Some(undo) = self.step(event) {
                    if self.visited.insert((with, self.model.fingerprint())) {
                        if self.visited.len() > MOST_CONFIGURATIONS {
                            return Found::GaveUp;
                        }
                        stack.push((at, undo));
                        set = with;
                        self.unlink(event);
                        at = self.entries[0].next;
                        continue;
                    }
                    self.model.undo(undo);
                }
                at = next;
                continue;
            }
            // This operation returned, and has not taken place: one of those before was placed wrongly.
            if stack.len() >= deepest {
                (deepest, blocked) = (stack.len(), event);
            }
            let Some((call, undo)) = stack.pop() else { return Found::Nothing(blocked) };
            let last = self.entries[call].event;
            self.model.undo(undo);
            set ^= hash_of(last);
            self.relink(last);
            at = self.entries[call].next;
        }
    }

    /// Applies an operation to the model; `None` if the outcome is another.
    fn step(&mut self, event: usize) -> Option<Undo> {
        let Event { operation, outcome, returned, .. } = &self.history[event];
        let (expected, undo) = self.model.run(operation);
        if returned.is_none() || agrees(operation, &expected, outcome) {
            return Some(undo);
        }
        self.model.undo(undo);
        None
    }

    fn unlink(&mut self, event: usize) {
        let (call, end) = self.places[&event];
        for at in [call, end].into_iter().filter(|at| *at != 0) {
            let Entry { previous, next, .. } = self.entries[at];
            self.entries[previous].next = next;
            if next != 0 {
                self.entries[next].previous = previous;
            }
        }
    }

    fn relink(&mut self, event: usize) {
        let (call, end) = self.places[&event];
        for at in [end, call].into_iter().filter(|at| *at != 0) {
            let Entry { previous, next, .. } = self.entries[at];
            self.entries[previous].next = at;
            if next != 0 {
                self.entries[next].previous = at;
            }
        }
    }
}

fn hash_of(event: usize) -> u128 {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, event).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(0) << 64 | half(1)
}

/// The operation that no order explains, those that overlap with it, and the last writes before.
fn violation(history: &[Event], object: &[usize], blocked: usize) -> Violation {
    let around = &history[blocked];
    let end = around.returned.unwrap_or(u64::MAX);
    let overlaps = |event: &Event| event.invoked < end && event.returned.is_none_or(|end| end > around.invoked);
    let mut operations: Vec<usize> = object.iter().copied().filter(|at| overlaps(&history[*at])).collect();
    // The writes from which the state comes.
    let before = object.iter().rev().copied().filter(|at| {
        let event = &history[*at];
        !overlaps(event) && event.invoked < around.invoked && !matches!(event.outcome, Outcome::Refused(_))
    });
    operations.extend(before.take(8));
    operations.sort_unstable();
    let mut explanation = format!("no order of the operations explains the outcome of\n  {around}\nafter and with\n");
    for at in operations.iter().filter(|at| **at != blocked) {
        explanation += &format!("  {}\n", history[*at]);
    }
    Violation { anomaly: Anomaly::NotLinearizable, operations, explanation }
}
