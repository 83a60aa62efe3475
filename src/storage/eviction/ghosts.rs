//! Records that were evicted lately, by the hashes of their keys: the first ones leave first.

use crate::hash::{self, RandomState};
use std::collections::{HashMap, VecDeque};

pub(super) struct Ghosts {
    /// Hash → when it joined.
    joined: HashMap<u32, u64, RandomState>,
    /// In the order of joining, with hashes that have left or joined again since.
    queue: VecDeque<(u32, u64)>,
    clock: u64,
}

impl Ghosts {
    pub(super) fn new() -> Self {
        Ghosts { joined: HashMap::with_hasher(hash::random()), queue: VecDeque::new(), clock: 0 }
    }

    /// Adds a hash; then at most `most` are left.
    pub(super) fn add(&mut self, hash: u32, most: usize) {
        self.clock += 1;
        self.joined.insert(hash, self.clock);
        self.queue.push_back((hash, self.clock));
        while self.joined.len() > most || self.queue.len() > 2 * most.max(8) {
            let Some((hash, clock)) = self.queue.pop_front() else { break };
            if self.joined.get(&hash) == Some(&clock) {
                self.joined.remove(&hash);
            }
        }
    }

    /// Removes a hash. Returns whether it was there.
    pub(super) fn remove(&mut self, hash: u32) -> bool {
        self.joined.remove(&hash).is_some()
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.joined.capacity() * (size_of::<(u32, u64)>() + 1) + self.queue.capacity() * size_of::<(u32, u64)>()
    }
}

#[cfg(all(test, not(any(memdex_shuttle, memdex_loom))))]
mod tests {
    use super::*;

    #[test]
    fn the_first_ones_leave_first() {
        let mut ghosts = Ghosts::new();
        (0..10).for_each(|hash| ghosts.add(hash, 4));
        ghosts.add(6, 4);
        ghosts.add(10, 4);
        let there: Vec<u32> = (0..12).filter(|hash| ghosts.joined.contains_key(hash)).collect();
        assert_eq!(there, [6, 8, 9, 10], "6 has joined again after 9");
        assert!(ghosts.remove(9) && !ghosts.remove(9));
        for _ in 0..1_000 {
            ghosts.add(1, 4);
            ghosts.remove(1);
        }
        assert!(ghosts.queue.len() <= 16, "hashes that have left don't pile up");
    }
}
