//! The way of a commit from the queue behind the commit lock to the queues of the subscriptions that it concerns.
//!
//! One thread at a time is here, in the order of the commits, and outside of every lock of the store. So extractors and conditions, which
//! are user code, may take long without a reader or a writer waiting for them.

use super::super::changes::CommitInfo;
use super::super::filings::FiledValues;
use super::event::Event;
use super::part::Parts;
use super::queue::{Queue, Size};
use super::registry::Feed;
use super::room::Room;
use crate::error::Commit;
use crate::sync::Arc;
use smallvec::SmallVec;

/// Panics of user code.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Panics {
    pub(crate) filters: u64,
    pub(crate) drops: u64,
}

/// A subscription follows a change, or all changes of a collection.
#[derive(Clone, Copy)]
struct Hit<'a> {
    queue: &'a Queue,
    /// The place of the collection in the commit.
    collection: usize,
    /// The place of the change; `None` for all.
    change: Option<usize>,
}

/// Conditions that a change may match.
struct Candidates {
    collection: usize,
    change: usize,
    parts: Parts,
    /// They were found by a value of the record.
    by_value: bool,
}

/// Changes whose candidates are looked up under one lock.
const CHANGES_PER_LOCK: usize = 64;

impl Feed {
    /// Passes an event to each subscription that it concerns. `room` is what its commit has reserved.
    pub(crate) fn deliver(&self, event: &Event, room: &Room) -> Panics {
        let mut panics = Panics::default();
        if !self.any() {
            return panics;
        }
        let push = |queue: &Queue, event: Event, size: Size| {
            let missed = queue.push(event, size, room.is_in(queue));
            missed.map_or(0, Event::let_go)
        };
        let info = match event {
            Event::Commit(info) => info,
            Event::Dropped { collection, after } => {
                let size = Size { operations: 1, bytes: size_of::<Event>() + collection.len() };
                let queues = self.queues_of(collection, *after);
                queues.iter().for_each(|queue| panics.drops += push(queue, event.clone(), size));
                return panics;
            }
        };
        let commit = info.number();
        let mut sizes = Sizes::new(info);

        // 1. Those that follow everything share the commit as it is, also one without changes.
        let everything = self.lock().everything();
        for queue in everything.iter().filter(|queue| queue.since < commit) {
            panics.drops += push(queue, event.clone(), sizes.of_all());
        }

        // 2. Look up those that follow a collection, and those with a condition that a change may match.
        let (mut followers, mut candidates) = (Vec::new(), Vec::new());
        for (collection, changes) in info.parts().iter().enumerate().filter(|(_, changes)| changes.list.len() > 0) {
            let of_name = self.lock().of_name(&changes.name);
            followers.extend(of_name.map(|queues| (collection, queues)));
            panics.filters += self.look_up(info, collection, &mut candidates);
        }

        // 3. Evaluate the conditions: user code. Those that an exact look-up has found match.
        let of_all = followers.iter().flat_map(|(collection, queues)| {
            queues.iter().map(|queue| Hit { queue, collection: *collection, change: None })
        });
        let mut hits: Vec<Hit<'_>> = of_all.filter(|hit| hit.queue.since < commit).collect();
        for Candidates { collection, change, parts, by_value } in &candidates {
            let list = &info.parts()[*collection].list;
            for part in parts.iter().filter(|part| part.queue.since < commit) {
                if (*by_value && part.is_exact) || part.selects(list.images(*change), &mut panics.filters) {
                    hits.push(Hit { queue: &part.queue, collection: *collection, change: Some(*change) });
                }
            }
        }

        // 4. Each subscription gets the changes that concern it, as one event.
        let place = |hit: &Hit<'_>| (hit.queue.id, hit.collection, hit.change);
        hits.sort_unstable_by_key(place);
        hits.dedup_by_key(|hit| place(hit));
        for of_queue in hits.chunk_by(|a, b| a.queue.id == b.queue.id) {
            let (event, size) = only(info, of_queue, &mut sizes);
            panics.drops += push(of_queue[0].queue, event, size);
        }

        // 5. Some of the others learn from time to time that nothing up to here concerns them.
        let due = self.lock().due(commit);
        if !due.is_empty() {
            let again: Vec<_> = due.iter().map(|queue| (queue.mark_progress(commit), queue.id)).collect();
            self.lock().due_again(again);
        }
        panics
    }

    /// Finds the conditions that the changes of a collection may match before or after the commit. Returns the number of panics.
    fn look_up(&self, info: &CommitInfo, collection: usize, candidates: &mut Vec<Candidates>) -> u64 {
        let changes = &info.parts()[collection];
        let Some((fields, others)) = self.lock().of_table(&changes.name) else { return 0 };
        let mut panics = 0;
        let places: Vec<usize> = (0..changes.list.len()).collect();
        for places in places.chunks(CHANGES_PER_LOCK) {
            // Read the fields: user code, under no lock.
            let mut values = FiledValues::new(&fields);
            let mut unread = Vec::new();
            for place in places {
                for image in changes.list.images(*place).into_iter().flatten() {
                    if values.read(*place, image).is_err() {
                        panics += 1;
                        unread.push(*place);
                    }
                }
            }
            // Look the values up.
            let found = |change, parts, by_value| Candidates { collection, change, parts, by_value };
            let registry = self.lock();
            registry.look_up(&changes.name, &values, |place, parts| candidates.push(found(place, parts, true)));
            // Any condition may match what could not be read.
            for place in unread {
                candidates.push(found(place, registry.filed_of_table(&changes.name), false));
            }
            drop(registry);
            if !others.is_empty() {
                candidates.extend(places.iter().map(|place| found(*place, others.clone(), false)));
            }
        }
        panics
    }

    /// The subscriptions that follow a collection, registered at most at this commit.
    fn queues_of(&self, collection: &Arc<str>, after: Commit) -> Vec<Arc<Queue>> {
        let registry = self.lock();
        let (everything, of_name) = (registry.everything(), registry.of_name(collection));
        let parts = registry.all_of_table(collection);
        drop(registry);
        let by_name = everything.iter().chain(of_name.iter().flat_map(|queues| queues.iter()));
        let all = by_name.chain(parts.iter().map(|part| &part.queue));
        let mut queues: Vec<_> = all.filter(|queue| queue.since <= after).cloned().collect();
        queues.sort_unstable_by_key(|queue| queue.id);
        queues.dedup_by_key(|queue| queue.id);
        queues
    }
}

/// The event for one subscription, from its hits, which are sorted. It shares as much of the commit as possible.
fn only(info: &Arc<CommitInfo>, hits: &[Hit<'_>], sizes: &mut Sizes<'_>) -> (Event, Size) {
    let mut size = Size::default();
    let mut parts = Vec::new();
    let mut is_whole = true;
    for of_collection in hits.chunk_by(|a, b| a.collection == b.collection) {
        let Hit { collection, change, .. } = of_collection[0];
        let all = &info.parts()[collection];
        if change.is_none() || of_collection.len() == all.list.len() {
            parts.push(all.clone());
            size = size.plus(sizes.of(collection));
        } else {
            let places: Vec<usize> = of_collection.iter().filter_map(|hit| hit.change).collect();
            let some = all.at(&places);
            size = size.plus(Size { operations: places.len(), bytes: some.list.bytes() });
            parts.push(some);
            is_whole = false;
        }
    }
    let changed = info.parts().iter().filter(|changes| changes.list.len() > 0).count();
    let info = if is_whole && parts.len() == changed { info.clone() } else { Arc::new(info.with_parts(parts)) };
    (Event::Commit(info), size)
}

/// The sizes of the collections of a commit, each measured once, and only if somebody needs it.
struct Sizes<'a> {
    info: &'a CommitInfo,
    known: SmallVec<[Option<Size>; 2]>,
}

impl<'a> Sizes<'a> {
    fn new(info: &'a CommitInfo) -> Self {
        Sizes { info, known: SmallVec::from_elem(None, info.parts().len()) }
    }

    fn of(&mut self, collection: usize) -> Size {
        let list = &self.info.parts()[collection].list;
        *self.known[collection].get_or_insert_with(|| Size { operations: list.len(), bytes: list.bytes() })
    }

    /// An empty commit takes the room of one operation.
    fn of_all(&mut self) -> Size {
        let own = Size { operations: 0, bytes: size_of::<CommitInfo>() };
        let sum = (0..self.known.len()).fold(own, |sum, collection| sum.plus(self.of(collection)));
        Size { operations: sum.operations.max(1), ..sum }
    }
}
