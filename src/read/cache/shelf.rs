//! Where the answers are kept, by the hash of the question as it is written: a bounded map that decides which answers leave.

use super::lease::{Asked, Lease};
use crate::sync::Arc;
use memdex_query::query::Query;

/// A question as somebody has written it.
pub(super) struct Spelled {
    /// Its collection: the allocation of the name identifies it, and is not reused meanwhile.
    pub(super) table: Arc<str>,
    pub(super) asked: Asked,
    pub(super) name: Option<Arc<str>>,
    pub(super) query: Query,
    pub(super) lease: Arc<Lease>,
    pub(super) weight: usize,
}

/// The map. It runs no code of memdex or of the user under its locks: it returns what leaves.
#[cfg(not(any(memdex_shuttle, memdex_loom)))]
mod chosen {
    use super::{Arc, Spelled};
    use quick_cache::sync::Cache;
    use quick_cache::{Lifecycle, OptionsBuilder, Weighter};
    use std::hash::{BuildHasherDefault, Hasher};

    /// S3-FIFO, by weight. See ARCHITECTURE.md for why it is this crate.
    pub(in super::super) struct Shelf(Cache<u64, Arc<Spelled>, Weight, BuildHasherDefault<Hashed>, LetGo>);

    #[derive(Clone)]
    struct Weight;

    impl Weighter<u64, Arc<Spelled>> for Weight {
        fn weight(&self, _: &u64, spelled: &Arc<Spelled>) -> u64 {
            spelled.weight as u64
        }
    }

    /// The keys are hashes.
    #[derive(Default)]
    struct Hashed(u64);

    impl Hasher for Hashed {
        fn finish(&self) -> u64 {
            self.0
        }

        fn write(&mut self, bytes: &[u8]) {
            bytes.iter().for_each(|byte| self.0 = self.0.rotate_left(8) ^ u64::from(*byte));
        }

        fn write_u64(&mut self, hash: u64) {
            self.0 = hash;
        }
    }

    #[derive(Clone)]
    struct LetGo;

    impl Lifecycle<u64, Arc<Spelled>> for LetGo {
        type RequestState = Vec<Arc<Spelled>>;

        fn on_evict(&self, evicted: &mut Self::RequestState, _: u64, spelled: Arc<Spelled>) {
            evicted.push(spelled);
        }
    }

    impl Shelf {
        pub(in super::super) fn new(entries: usize, weight: usize) -> Self {
            /// Each has its share of the weight, which limits the largest answer.
            const SHARDS: usize = 8;
            let options = OptionsBuilder::new()
                .estimated_items_capacity(entries.clamp(1, 100_000))
                .weight_capacity(weight as u64)
                .shards(SHARDS)
                .build();
            let options = options.unwrap_or_else(|_| unreachable!("both capacities are given"));
            Shelf(Cache::with_options(options, Weight, BuildHasherDefault::default(), LetGo))
        }

        #[inline]
        pub(in super::super) fn get(&self, hash: u64) -> Option<Arc<Spelled>> {
            self.0.get(&hash)
        }

        pub(in super::super) fn contains(&self, hash: u64) -> bool {
            self.0.contains_key(&hash)
        }

        /// Puts a question on the shelf. Returns those that had to leave, and the one that had its place.
        pub(in super::super) fn put(
            &self,
            hash: u64,
            spelled: Arc<Spelled>,
        ) -> (Vec<Arc<Spelled>>, Option<Arc<Spelled>>) {
            let replaced = self.remove(hash);
            let mut evicted = Vec::new();
            self.0.insert_with_lifecycle(hash, spelled, &mut evicted);
            (evicted, replaced)
        }

        pub(in super::super) fn remove(&self, hash: u64) -> Option<Arc<Spelled>> {
            self.0.remove(&hash).map(|(_, spelled)| spelled)
        }

        pub(in super::super) fn take_all(&self) -> Vec<Arc<Spelled>> {
            self.0.drain().map(|(_, spelled)| spelled).collect()
        }

        pub(in super::super) fn all(&self) -> Vec<(u64, Arc<Spelled>)> {
            self.0.iter().collect()
        }

        pub(in super::super) fn weight(&self) -> usize {
            self.0.weight() as usize
        }
    }
}

/// A plain map, of which the concurrency checkers see every step. The oldest answer leaves.
#[cfg(any(memdex_shuttle, memdex_loom))]
mod chosen {
    use super::{Arc, Spelled};
    use crate::sync::Mutex;

    pub(in super::super) struct Shelf {
        places: Mutex<Vec<(u64, Arc<Spelled>)>>,
        most: usize,
    }

    impl Shelf {
        pub(in super::super) fn new(_: usize, weight: usize) -> Self {
            Shelf { places: Mutex::new(Vec::new()), most: weight }
        }

        pub(in super::super) fn get(&self, hash: u64) -> Option<Arc<Spelled>> {
            self.places.lock().iter().find(|(of, _)| *of == hash).map(|(_, spelled)| spelled.clone())
        }

        pub(in super::super) fn contains(&self, hash: u64) -> bool {
            self.places.lock().iter().any(|(of, _)| *of == hash)
        }

        pub(in super::super) fn put(
            &self,
            hash: u64,
            spelled: Arc<Spelled>,
        ) -> (Vec<Arc<Spelled>>, Option<Arc<Spelled>>) {
            let replaced = self.remove(hash);
            let mut evicted = Vec::new();
            let mut places = self.places.lock();
            places.push((hash, spelled));
            while places.iter().map(|(_, spelled)| spelled.weight).sum::<usize>() > self.most {
                evicted.push(places.remove(0).1);
            }
            (evicted, replaced)
        }

        pub(in super::super) fn remove(&self, hash: u64) -> Option<Arc<Spelled>> {
            let mut places = self.places.lock();
            let at = places.iter().position(|(of, _)| *of == hash)?;
            Some(places.remove(at).1)
        }

        pub(in super::super) fn take_all(&self) -> Vec<Arc<Spelled>> {
            std::mem::take(&mut *self.places.lock()).into_iter().map(|(_, spelled)| spelled).collect()
        }

        pub(in super::super) fn all(&self) -> Vec<(u64, Arc<Spelled>)> {
            self.places.lock().clone()
        }

        pub(in super::super) fn weight(&self) -> usize {
            self.places.lock().iter().map(|(_, spelled)| spelled.weight).sum()
        }
    }
}

pub(super) use chosen::Shelf;
