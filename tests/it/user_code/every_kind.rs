//! A record with an index of every kind, columns of both sorts and multi-valued fields, all with hand-written code.

use super::{Call, Hooks};
use memdex::aggregate::Statistics;
use memdex::schema::AggregateDef;
use memdex::stats::Stats;
use memdex::typing::{KeyBuffer, ValueRef};
use memdex::{
    Batch, Bucket, Collection, FieldDef, FieldValue, GroupBy, IndexDef, Metric, Record, Schema, Store, field,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

pub(super) const TEXTS: [&str; 7] =
    ["a", "b", "c", "d", "e", "f", "some text that is too long to be kept inline by anything"];

/// Stable, or a different value at each call.
#[derive(Clone, Default)]
pub(super) struct Whim(Arc<AtomicUsize>);

impl Whim {
    pub(super) fn set(&self, on: bool) {
        self.0.store(usize::from(on), SeqCst);
    }

    /// The offset from the expected number.
    fn off_by(&self) -> usize {
        if self.0.load(SeqCst) == 0 { 0 } else { self.0.fetch_add(1, SeqCst) * 7 / 5 }
    }
}

/// An aggregate over fields of every sort.
pub(super) fn aggregate(name: &'static str) -> AggregateDef {
    let metrics = [field("rate").sum(), field("code").max(), field("score").count(), field("team").distinct()];
    let groups = GroupBy::new([Bucket::values("club"), Bucket::width("score", 3)]).metrics(metrics);
    let total = [Metric::count(), field("score").stddev()];
    AggregateDef::new(name, Statistics::of(total).group_by(groups))
        .when(field("rate").ge(0.5) | field("tags").contains("a"))
}

/// A record whose fields all derive from `number`.
pub(super) struct Thing {
    pub(super) id: u32,
    pub(super) number: usize,
    hooks: Hooks,
    whim: Whim,
}

const FIELDS: [&str; 8] = ["id", "code", "team", "score", "club", "rate", "tags", "notes"];

impl Record for Thing {
    type Key = u32;

    fn schema() -> Schema {
        let [id, code, team, score, club, rate, tags, notes] = FIELDS;
        Schema::new([
            FieldDef::of::<u32>(id).key(),
            FieldDef::of::<Option<String>>(code).unique(),
            FieldDef::of::<String>(team).index(),
            FieldDef::of::<i64>(score).ordered(),
            FieldDef::of::<Option<String>>(club).column(),
            FieldDef::of::<f64>(rate).column(),
            FieldDef::of::<Vec<String>>(tags).index(),
            FieldDef::of::<Vec<String>>(notes),
        ])
        .with_index(IndexDef::equality([team, club]))
        .with_index(IndexDef::ordered([team, score]))
        .with_index(IndexDef::unique([score, club]).named("both"))
        .with_index(IndexDef::ordered(score).named("of a").when(field(team).eq("a") & field(rate).ge(0.0)))
        .with_aggregate(aggregate("by club"))
    }

    fn key(&self, key: &mut KeyBuffer) {
        self.hooks.called(Call::Key);
        key.push(self.id.into());
    }

    fn value(&self, field: usize) -> ValueRef<'_> {
        self.hooks.called(Call::Field);
        let number = self.number + self.whim.off_by();
        let text = |number: usize| ValueRef::Str(TEXTS[number % TEXTS.len()]);
        match FIELDS[field] {
            "id" => self.id.value(),
            // Two records may have the same value, and while extractors are fickle it may be missing.
            "code" if number % 11 == 10 => ValueRef::Null,
            "code" | "team" => text(number),
            "score" => (number as i64).into(),
            "club" if number % 5 == 4 => ValueRef::Null,
            "club" => text(number / 2),
            "rate" => (number as f64 / 4.0).into(),
            _ => ValueRef::Null,
        }
    }

    fn values<'a>(&'a self, field: usize, show: &mut dyn FnMut(ValueRef<'a>)) {
        if !matches!(FIELDS[field], "tags" | "notes") {
            return show(self.value(field));
        }
        let number = self.number + self.whim.off_by();
        for at in 0..number % 4 {
            self.hooks.called(Call::Values);
            show(ValueRef::Str(TEXTS[(number + at * self.whim.off_by().max(1)) % TEXTS.len()]));
        }
    }
}

impl Clone for Thing {
    fn clone(&self) -> Self {
        self.hooks.called(Call::Clone);
        Thing { id: self.id, number: self.number, hooks: self.hooks.clone(), whim: self.whim.clone() }
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.hooks.called(Call::Drop);
    }
}

/// A store with things 1 to 4, and their hooks.
pub(super) struct Shelf {
    pub(super) store: Store,
    pub(super) things: Collection<Thing>,
    pub(super) hooks: Hooks,
    pub(super) whim: Whim,
}

impl Shelf {
    pub(super) fn new() -> Self {
        let store = Store::new();
        let things = store.collection("things").unwrap();
        let shelf = Shelf { store, things, hooks: Hooks::default(), whim: Whim::default() };
        let number = |id| id as usize + 1;
        shelf
            .store
            .commit(|batch| (1..=4).try_for_each(|id| batch.insert(&shelf.things, shelf.thing(id, number(id)))))
            .unwrap();
        shelf
    }

    pub(super) fn thing(&self, id: u32, number: usize) -> Thing {
        Thing { id, number, hooks: self.hooks.clone(), whim: self.whim.clone() }
    }

    /// Key and number of all, in order.
    pub(super) fn state(&self) -> Vec<(u32, usize)> {
        let mut state: Vec<_> = self.things.iter().map(|thing| (thing.id, thing.number)).collect();
        state.sort_unstable();
        state
    }

    /// Operations of every sort that can be committed together.
    pub(super) fn gather(&self) -> Batch {
        let mut batch = self.store.batch();
        let hooks = self.hooks.clone();
        let more = move |thing: &mut Thing| {
            hooks.called(Call::Closure);
            thing.number += 10;
        };
        let things = &self.things;
        batch.insert(things, self.thing(10, 20)).unwrap();
        batch.store(things, self.thing(1, 7)).unwrap();
        batch.upsert(things, self.thing(2, 0), more.clone()).unwrap();
        batch.delete(things, 3).unwrap();
        batch
            .update_where(
                things,
                field("rate").eq(5.0) | field("tags").contains("f") | field("notes").contains("b"),
                more,
            )
            .unwrap();
        batch
    }

    pub(super) const GATHERED: [(u32, usize); 4] = [(1, 17), (2, 13), (4, 15), (10, 30)];

    pub(super) fn stats(&self) -> Stats {
        self.store.stats()
    }

    /// Audits the store, and checks that it accepts writes and has reclaimed everything.
    pub(super) fn is_well(&self) {
        self.store.verify().unwrap();
        self.things.store(self.thing(99, 43)).unwrap();
        self.things.delete(99).unwrap();
        self.store.optimize().unwrap();
        let stats = self.stats();
        assert_eq!((&stats.poisoned, stats.oldest_pin), (&None, None));
        let of_things = &stats.collections[0];
        assert_eq!((of_things.versions_retained, of_things.marks, of_things.results_retained), (0, 0, 0));
        self.store.verify().unwrap();
    }
}
