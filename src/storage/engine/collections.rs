//! The collections of a store: by name, and those of the base that a fork has not opened yet.

use super::super::answers::AnswerCache;
use super::super::feed::{Event, Room};
use super::super::fork::{BasePoint, CannotOpen, Unopened};
use super::super::reaper::Reaper;
use super::super::table::Table;
use super::super::timeline::Timeline;
use super::{Engine, Erase, Pinned, Registered};
use crate::clock::Clock;
use crate::error::Cause;
use crate::limits::FORK_PIN_SLOTS;
use crate::sync::{Arc, NameMap, Ordering::Relaxed, StatsCounter};
use std::any::Any;

impl Engine {
    /// A fork at a pinned commit of this engine. Its commits continue the numbers, so that conditions on records of the base hold.
    pub(crate) fn fork(
        self: &Arc<Self>,
        pinned: &Arc<Pinned>,
        clock: Option<Arc<dyn Clock>>,
        answers: Arc<dyn AnswerCache>,
    ) -> Arc<Self> {
        let pin: Arc<dyn Any + Send + Sync> = pinned.clone();
        let opened = self.registry.entries().into_iter().map(|(name, registered)| {
            let core = &registered.table;
            let (at, catalog, has_slid) = (pinned.at(), core.catalog(), core.deadlines.have_slid());
            (name, (registered, BasePoint { pin: pin.clone(), at, catalog, has_slid }))
        });
        let mut points: Vec<_> = opened.chain(self.unopened.iter().flat_map(Unopened::all)).collect();
        points.sort_by_key(|(_, (registered, _))| registered.place);
        let slid = points.iter().filter(|(_, (_, point))| point.has_slid);
        let to_open: Vec<Box<str>> = slid.map(|(name, _)| name.clone()).collect();
        let timeline = Timeline::starting_at(pinned.epoch(), FORK_PIN_SLOTS);
        let (clock, seed, latency) = (self.clock.fork(clock), self.seed.clone(), self.latency.clone());
        let engine = Arc::new(Engine {
            opened: StatsCounter::new(self.opened.load(Relaxed)),
            unopened: Some(Unopened::new(points.into_iter())),
            links: self.links.fork(),
            ..Engine::empty(timeline, clock, seed, latency, answers, self.keys.fork(), NameMap::small())
        });
        // Reads of the base extend lifetimes that the fork shares. Without a copy, such a collection can't be opened.
        for name in to_open {
            if let (Err(cause), Some(unopened)) = (engine.find(&name), &engine.unopened) {
                unopened.fail(&name, cause);
            }
        }
        engine
    }

    /// All collections, in the order in which they were opened, but for those of the base that a fork has not opened.
    pub(crate) fn tables(&self) -> Vec<Arc<Table>> {
        let mut registered = self.registry.values();
        registered.sort_unstable_by_key(|of| of.place);
        registered.into_iter().map(|of| of.table).collect()
    }

    /// The tables of the base that a fork has not opened yet, in the order in which they were opened.
    pub(crate) fn unopened(&self) -> Vec<Arc<Table>> {
        self.unopened.iter().flat_map(Unopened::all).map(|(_, (registered, _))| registered.table).collect()
    }

    /// Whether it is that of a fork.
    pub(crate) fn is_fork(&self) -> bool {
        self.unopened.is_some()
    }

    /// The collection of this name; `None` too if a fork can't open it, see [`CannotOpen`].
    pub(crate) fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.find(name).ok().flatten().map(|of| of.table)
    }

    /// The collection of this name. A fork opens it if its base has it.
    ///
    /// # Errors
    /// If it must be copied for that, and can't be.
    pub(crate) fn find(&self, name: &str) -> Result<Option<Registered>, CannotOpen> {
        let known = self.registry.get(name);
        let Some(unopened) = self.unopened.as_ref().filter(|_| known.is_none()) else { return Ok(known) };
        // Another thread may just have opened it.
        let Some((of_base, point)) = unopened.find(name)? else { return Ok(self.registry.get(name)) };
        let table = of_base.table.clone().forked(&point, self.counters.clone())?;
        let registered = self.register(name, Registered { table, ..of_base });
        unopened.forget(name);
        Ok(Some(registered))
    }

    /// The collection of this name; `make` makes it if there is none.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub(crate) fn open(
        &self,
        name: &str,
        make: impl FnOnce() -> Arc<Table>,
        erase: Erase,
    ) -> Result<Arc<Table>, CannotOpen> {
        if let Some(known) = self.find(name)? {
            return Ok(known.table);
        }
        let place = self.opened.fetch_add(1, Relaxed);
        Ok(self.register(name, Registered { place, table: make(), erase }).table)
    }

    fn register(&self, name: &str, new: Registered) -> Registered {
        let table = new.table.clone();
        self.recount(&table);
        let registered = self.registry.get_or_insert(name, new);
        if !Arc::ptr_eq(&registered.table, &table) {
            // Another thread was first.
            table.set_dropped();
            self.recount(&table);
        }
        registered
    }

    /// Drops the collection of this name: opening the name from here on makes a new one, and later commits to the old
    /// one are refused. Returns whether there was one. Under the commit lock, so that no commit is in flight.
    pub(crate) fn drop_table(&self, name: &str) -> Result<bool, Cause> {
        // A fork may have to copy a collection with references to this one, which runs extractors: under no lock.
        for edge in self.links.edges().iter().filter(|edge| *edge.to == *name) {
            self.table(&edge.of);
        }
        let guard = self.lock_to_write()?;
        let kept = self.links.keep();
        let what = "delete those first, or drop that collection";
        self.links.refuse_if_referred(name, what, |edge| {
            *edge.of != *name && self.table(&edge.of).is_some_and(|of| of.has_records(self.timeline.newest()))
        })?;
        let removed = self.registry.remove(name);
        self.links.remove(name);
        let Some(Registered { table, .. }) = removed else {
            return Ok(self.unopened.as_ref().is_some_and(|unopened| unopened.forget(name)));
        };
        drop(kept);
        self.memory.change(table.set_dropped());
        self.recount(&table);
        if self.hooks.feed.any() {
            let dropped = Event::Dropped { collection: table.name.clone(), after: self.timeline.newest() };
            self.hooks.enqueue(dropped, Room::default());
        }
        drop(guard);
        drop(table);
        self.deliver();
        Ok(true)
    }

    /// The collections in which records may expire.
    pub(crate) fn registered_with_deadlines(&self) -> impl Iterator<Item = Registered> {
        self.registry.values().into_iter().filter(|of| of.table.deadlines.are_used())
    }

    /// Starts a thread that calls `round` from time to time; see [`Reaper::start`]. Once.
    ///
    /// # Panics
    /// If the system cannot start that thread.
    pub(crate) fn start_reaper(self: &Arc<Self>, round: impl Fn(&Arc<Engine>) -> bool + Send + 'static) {
        // The store can be dropped between two rounds.
        let weak = Arc::downgrade(self);
        let reaper = Reaper::default();
        reaper.start(move || weak.upgrade().map(|engine| round(&engine)));
        let _ = self.reaper.set(reaper);
    }
}
