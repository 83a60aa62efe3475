//! The dictionary of a column: the values by code, which readers share, and the committer's bookkeeping of the codes.
//!
//! A code whose last row is gone is retired. It is assigned to another value only once no pin can see a commit in which a
//! row had it. So a reader can look up a code at any time while it holds its pin.

use crate::error::Commit;
use crate::hash::{self, RandomState, spread};
use crate::memory::HeapBytes;
use crate::reclaim::{Pins, Retained};
use crate::sync::RwLock;
use hashbrown::HashTable;
use memdex_query::value::{Value, ValueRef};

/// The bit that marks a provisional code.
const NEW: u32 = 1 << 31;

pub(super) struct Dictionary {
    values: RwLock<Values>,
    pub(super) bytes: HeapBytes,
}

/// Values by code; `None` is a free code.
type Values = Vec<Option<Value>>;

fn list_bytes(values: &Values) -> usize {
    values.capacity() * size_of::<Option<Value>>()
}

#[derive(Default)]
pub(super) struct Codes {
    /// Codes by the hash of their value.
    by_hash: HashTable<u32>,
    /// By code: the number of rows that have it, and the hash of its value.
    counts: Vec<(u32, u32)>,
    free: Vec<u32>,
    /// Codes that have lost their last row, each once.
    retired: Vec<u32>,
    /// By code: the commits in which a row had it.
    lifetimes: Vec<Lifetime>,
    /// Retired codes by a pinned commit in which a row had them.
    retained: Retained<u32>,
    /// Hashes and values that are new in the current batch.
    new: Vec<(u32, Value)>,
}

/// From the commit that assigned a code to the commit that removed it from its last row.
#[derive(Clone, Copy, Default)]
struct Lifetime {
    since: Commit,
    until: Commit,
    /// The code is in `retired` or `retained`.
    is_queued: bool,
}

impl Codes {
    pub(super) fn retains(&self) -> bool {
        !self.retained.is_empty()
    }
}

impl Dictionary {
    pub(super) fn new() -> Self {
        Dictionary { values: RwLock::new(Vec::new()), bytes: HeapBytes::default() }
    }

    pub(super) fn with<T>(&self, read: impl FnOnce(&[Option<Value>]) -> T) -> T {
        read(&self.values.read())
    }

    /// The code of a value; a provisional one if the value is new.
    pub(super) fn stage(&self, codes: &mut Codes, seed: &RandomState, value: ValueRef<'_>) -> u32 {
        let hash = hash::short(seed, &value);
        let dictionary = self.values.read();
        let of = |code: u32| match code & NEW {
            0 => dictionary[code as usize].as_ref().map(Value::as_ref),
            _ => Some(codes.new[(code & !NEW) as usize].1.as_ref()),
        };
        if let Some(code) = codes.by_hash.find(spread(hash), |code| of(*code) == Some(value)) {
            return *code;
        }
        drop(dictionary);
        let code = NEW | codes.new.len() as u32;
        codes.new.push((hash, value.to_value()));
        let Codes { by_hash, counts, new, .. } = codes;
        by_hash.insert_unique(spread(hash), code, |code| spread(hash_of(counts, new, *code)));
        code
    }

    /// Assigns codes to the new values, in their order. The batch can no longer be refused.
    pub(super) fn admit(&self, codes: &mut Codes, commit: Commit) -> Admitted {
        if codes.new.is_empty() {
            return Admitted(Vec::new());
        }
        let mut dictionary = self.values.write();
        let before = list_bytes(&dictionary);
        let mut admitted = Vec::with_capacity(codes.new.len());
        for (at, (hash, value)) in std::mem::take(&mut codes.new).into_iter().enumerate() {
            let code = codes.free.pop().unwrap_or(codes.counts.len() as u32);
            if code as usize == codes.counts.len() {
                codes.counts.push((0, 0));
                codes.lifetimes.push(Lifetime::default());
                dictionary.push(None);
            }
            codes.counts[code as usize] = (0, hash);
            codes.lifetimes[code as usize] = Lifetime { since: commit, ..Lifetime::default() };
            self.bytes.change(0, value.heap_bytes());
            dictionary[code as usize] = Some(value);
            if let Some(entry) = codes.by_hash.find_mut(spread(hash), |known| *known == NEW | at as u32) {
                *entry = code;
            }
            admitted.push(code);
        }
        self.bytes.change(before, list_bytes(&dictionary));
        Admitted(admitted)
    }

    /// Frees the codes that the last commit retired and no pinned commit sees in use, and retains the others.
    pub(super) fn reclaim_retired(&self, codes: &mut Codes, pins: &Pins<'_>) {
        let retired = std::mem::take(&mut codes.retired);
        self.free(codes, retired, pins);
    }

    /// No reader is at `ended` any longer: frees at most `budget` codes for that reason. Returns whether that was all of them.
    pub(super) fn end(&self, codes: &mut Codes, ended: Commit, pins: &Pins<'_>, budget: &mut usize) -> bool {
        let (unseen, complete) = codes.retained.end(ended, pins, budget);
        self.free(codes, unseen.into_iter().map(|(_, code)| code).collect(), pins);
        complete
    }

    fn free(&self, codes: &mut Codes, retired: Vec<u32>, pins: &Pins<'_>) {
        let mut dictionary = None;
        for code in retired {
            let (count, hash) = codes.counts[code as usize];
            let lifetime = &mut codes.lifetimes[code as usize];
            lifetime.is_queued = false;
            if count > 0 {
                // A row has it again; the end of that row will retire it once more.
                continue;
            }
            if let Some(pin) = pins.newest_within(lifetime.since, lifetime.until) {
                lifetime.is_queued = true;
                codes.retained.add(pin, lifetime.since, code);
            } else if let Ok(entry) = codes.by_hash.find_entry(spread(hash), |known| *known == code) {
                entry.remove();
                let value = dictionary.get_or_insert_with(|| self.values.write())[code as usize].take();
                self.bytes.change(value.map_or(0, |value| value.heap_bytes()), 0);
                codes.free.push(code);
            }
        }
    }

    /// Removes free codes from the end, and releases unused memory. Under the commit lock. (No reader can hold a free code:
    /// a code is freed only once every pin is past the commit that removed it from its last row.)
    pub(super) fn tidy(&self, codes: &mut Codes) {
        // Provisional codes of a refused batch are meaningless without its values.
        codes.clear();
        let Codes { by_hash, counts, lifetimes, free, retired, new, .. } = codes;
        let mut dictionary = self.values.write();
        let before = list_bytes(&dictionary);
        while dictionary.last().is_some_and(Option::is_none) {
            dictionary.pop();
            counts.pop();
            lifetimes.pop();
        }
        free.retain(|code| (*code as usize) < dictionary.len());
        dictionary.shrink_to_fit();
        self.bytes.change(before, list_bytes(&dictionary));
        drop(dictionary);
        by_hash.shrink_to_fit(|code| spread(counts[*code as usize].1));
        counts.shrink_to_fit();
        lifetimes.shrink_to_fit();
        free.shrink_to_fit();
        retired.shrink_to_fit();
        *new = Vec::new();
    }

    /// The heap bytes, by a walk; for audits.
    pub(super) fn walk_bytes(&self) -> usize {
        let dictionary = self.values.read();
        list_bytes(&dictionary) + dictionary.iter().flatten().map(Value::heap_bytes).sum::<usize>()
    }
}

/// The codes that were assigned to the new values of a batch.
pub(super) struct Admitted(Vec<u32>);

impl Admitted {
    /// Replaces a provisional code by the assigned one.
    pub(super) fn resolve(&self, code: &mut u32) {
        if *code & NEW != 0 {
            *code = self.0[(*code & !NEW) as usize];
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Codes {
    /// Discards the state of an earlier batch, whether it was committed or refused.
    pub(super) fn clear(&mut self) {
        for (at, (hash, _)) in self.new.iter().enumerate() {
            if let Ok(entry) = self.by_hash.find_entry(spread(*hash), |code| *code == NEW | at as u32) {
                entry.remove();
            }
        }
        self.new.clear();
    }

    /// Counts a row's change from one code to another.
    pub(super) fn moved(&mut self, before: Option<u32>, after: Option<u32>, commit: Commit) {
        if before == after {
            return;
        }
        if let Some(after) = after {
            self.counts[after as usize].0 += 1;
        }
        let Some(before) = before else { return };
        let (count, _) = &mut self.counts[before as usize];
        *count -= 1;
        if *count == 0 {
            let lifetime = &mut self.lifetimes[before as usize];
            lifetime.until = commit;
            if !std::mem::replace(&mut lifetime.is_queued, true) {
                self.retired.push(before);
            }
        }
    }

    /// Each code in use and the number of its rows; for audits.
    pub(super) fn counts(&self) -> impl Iterator<Item = (u32, u32)> {
        let counts = self.counts.iter().enumerate().filter(|(_, (count, _))| *count > 0);
        counts.map(|(code, (count, _))| (code as u32, *count))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.by_hash.allocation_size()
            + self.counts.capacity() * 8
            + self.lifetimes.capacity() * size_of::<Lifetime>()
            + (self.free.capacity() + self.retired.capacity()) * 4
            + self.retained.len() * size_of::<(Commit, u32)>()
    }
}

fn hash_of(counts: &[(u32, u32)], new: &[(u32, Value)], code: u32) -> u32 {
    if code & NEW == 0 { counts[code as usize].1 } else { new[(code & !NEW) as usize].0 }
}
