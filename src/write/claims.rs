//! The unique values that the records of a batch take, and the records that stand in their way.
//!
//! Each value that a record takes has a slot: the record that has the value before the batch, and all records of the batch that
//! take it, in the order of the operations that gave it to them. The first of them gets it, if the record before the batch
//! releases it. A change of one record touches only the slots of the values that it has or had. So a chain, in which each record
//! takes the value of the next, is followed from one record to the next.

use crate::hash::{self, RandomState};
use crate::rowset::Row;
use memdex_query::value::Value;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The slot of a record that takes no value.
pub(super) const NO_SLOT: u32 = u32::MAX;

/// A value that a record takes.
#[derive(Clone, Copy)]
pub(super) struct Claim {
    /// [`NO_SLOT`] if it takes none.
    pub(super) slot: u32,
    /// The operation that gave it to the record.
    pub(super) since: u32,
}

impl Claim {
    pub(super) const NONE: Claim = Claim { slot: NO_SLOT, since: 0 };
}

/// The state of a record of the batch.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Presence {
    /// As before the batch.
    Unchanged,
    /// Deleted, or a record that can't be indexed: it takes no value.
    TakesNothing,
    Changed,
}

struct Slot {
    constraint: usize,
    value: Value,
    /// The row that has the value before the batch.
    holder: Option<Row>,
    /// Records that take it, each with the operation that gave it to them before the number of its net change.
    takers: BTreeSet<(u32, u32)>,
    /// Operations left out that may return when it is free.
    waiting: Vec<u32>,
}

/// The record in the way of another.
pub(super) enum Blocker {
    /// A row that keeps the value.
    Row(Row),
    /// A record of the batch, by its net change, that has taken it before.
    Net(u32),
}

/// What a change of one record has led to.
#[derive(Default)]
pub(super) struct Effects {
    /// Records that may have lost a value, with the operation that gave it to them.
    pub(super) contested: Vec<(u32, u32)>,
    /// Operations that waited for a value which may be free now.
    pub(super) awaited: Vec<u32>,
}

pub(super) struct Claims {
    /// The number of constraints.
    width: usize,
    slots: Vec<Slot>,
    by_value: HashMap<(usize, Value), u32, RandomState>,
    presence: Vec<Presence>,
    /// By net change and constraint.
    claims: Vec<Claim>,
    net_of_row: HashMap<Row, u32, RandomState>,
    /// The slots whose value a record of the batch has before it.
    held: HashMap<u32, Vec<u32>, RandomState>,
    /// Records whose final state is unknown, because an operation on them was refused: none of them stands in the way.
    unsure: HashSet<u32, RandomState>,
    /// The final state of any record is unknown.
    all_unsure: bool,
    /// No record may take a value that another releases.
    independent: bool,
}

impl Claims {
    /// For net changes that begin in these rows, none of which has been [`set`](Self::set) yet.
    pub(super) fn new(width: usize, rows: impl ExactSizeIterator<Item = Option<Row>>) -> Self {
        let nets = rows.len();
        let mut net_of_row = HashMap::with_capacity_and_hasher(nets, hash::random());
        net_of_row.extend(rows.enumerate().filter_map(|(net, row)| Some((row?, net as u32))));
        Claims {
            width,
            slots: Vec::new(),
            by_value: HashMap::with_hasher(hash::random()),
            presence: vec![Presence::Unchanged; nets],
            claims: vec![Claim::NONE; nets * width],
            net_of_row,
            held: HashMap::with_hasher(hash::random()),
            unsure: HashSet::with_hasher(hash::random()),
            all_unsure: false,
            independent: false,
        }
    }

    /// For a commit that is refused whole. The operations that are refused by themselves would have changed these records, or with
    /// `all_unsure` any.
    pub(super) fn strict(mut self, independent: bool, unsure: impl IntoIterator<Item = u32>, all_unsure: bool) -> Self {
        (self.independent, self.all_unsure) = (independent, all_unsure);
        self.unsure.extend(unsure);
        self
    }

    /// The slot of a value; `holder` finds the row that has it before the batch.
    pub(super) fn slot(&mut self, constraint: usize, value: Value, holder: impl FnOnce(&Value) -> Option<Row>) -> u32 {
        let next = self.slots.len() as u32;
        let slot = *self.by_value.entry((constraint, value.clone())).or_insert(next);
        if slot == next {
            let holder = holder(&value);
            if let Some(net) = holder.and_then(|row| self.net_of_row.get(&row)) {
                self.held.entry(*net).or_default().push(slot);
            }
            self.slots.push(Slot { constraint, value, holder, takers: BTreeSet::new(), waiting: Vec::new() });
        }
        slot
    }

    pub(super) fn value(&self, slot: u32) -> &Value {
        &self.slots[slot as usize].value
    }

    pub(super) fn presence(&self, net: u32) -> Presence {
        self.presence[net as usize]
    }

    /// The values that a record takes, by constraint.
    pub(super) fn of(&self, net: u32) -> &[Claim] {
        &self.claims[net as usize * self.width..][..self.width]
    }

    /// Changes the state of a record and the values that it takes.
    pub(super) fn set(&mut self, net: u32, presence: Presence, claims: &[Claim]) -> Effects {
        let mut effects = Effects::default();
        self.presence[net as usize] = presence;
        for (constraint, new) in claims.iter().enumerate() {
            let at = net as usize * self.width + constraint;
            let old = std::mem::replace(&mut self.claims[at], *new);
            if old.slot != NO_SLOT && self.slots[old.slot as usize].takers.remove(&(old.since, net)) {
                effects.awaited.append(&mut self.slots[old.slot as usize].waiting);
            }
            if new.slot != NO_SLOT && !self.is_holder(net, new.slot) && !self.unsure.contains(&net) {
                let takers = &mut self.slots[new.slot as usize].takers;
                effects.contested.extend(takers.first());
                takers.insert((new.since, net));
            }
        }
        // Whoever takes what the record had before loses it if the record has it again.
        for slot in self.held.get(&net).into_iter().flatten() {
            let kept = self.is_kept(&self.slots[*slot as usize], *slot);
            let slot = &mut self.slots[*slot as usize];
            match kept {
                true => effects.contested.extend(slot.takers.first()),
                false => effects.awaited.append(&mut slot.waiting),
            }
        }
        effects
    }

    /// The record in the way of one that takes a value.
    pub(super) fn blocker(&self, net: u32, claim: Claim) -> Option<Blocker> {
        if claim.slot == NO_SLOT || self.all_unsure || self.is_holder(net, claim.slot) {
            return None;
        }
        let slot = &self.slots[claim.slot as usize];
        if let Some(row) = slot.holder.filter(|_| self.is_kept(slot, claim.slot)) {
            return Some(Blocker::Row(row));
        }
        // Of two records to which one operation gives a value, neither comes first.
        let mut before = slot.takers.range(..=(claim.since, u32::MAX)).filter(|(_, taker)| *taker != net);
        before.next().map(|(_, taker)| Blocker::Net(*taker))
    }

    /// Whether a record could take a value that it does not take.
    pub(super) fn is_free(&self, net: u32, slot: u32) -> bool {
        let of = &self.slots[slot as usize];
        self.is_holder(net, slot) || (!self.is_kept(of, slot) && of.takers.iter().all(|(_, taker)| *taker == net))
    }

    pub(super) fn wait(&mut self, operation: u32, slot: u32) {
        self.slots[slot as usize].waiting.push(operation);
    }

    fn holder(&self, slot: &Slot) -> Option<u32> {
        self.net_of_row.get(&slot.holder?).copied()
    }

    /// Whether the record has the value before the batch.
    fn is_holder(&self, net: u32, slot: u32) -> bool {
        self.holder(&self.slots[slot as usize]) == Some(net)
    }

    /// Whether the record that has the value before the batch keeps it.
    fn is_kept(&self, slot: &Slot, number: u32) -> bool {
        match self.holder(slot) {
            None => slot.holder.is_some(),
            Some(_) if self.independent => true,
            Some(net) if self.unsure.contains(&net) => false,
            Some(net) => match self.presence(net) {
                Presence::Unchanged => true,
                Presence::TakesNothing => false,
                Presence::Changed => self.of(net)[slot.constraint].slot == number,
            },
        }
    }
}
