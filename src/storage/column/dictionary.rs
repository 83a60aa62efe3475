//! The dictionary of a column: values by code, which readers share, and what the committer knows of the codes.
//!
//! A code that no row has any longer is retired, and given to another value only once no reader can stand on a commit in which some
//! row had it. So a reader may look a code up whenever it likes while it holds its pin.

use crate::error::Commit;
use crate::hash::{self, RandomState, spread};
use crate::storage::table::Backlog;
use crate::storage::timeline::newest_within;
use crate::sync::RwLock;
use crate::value::{Value, ValueRef};
use hashbrown::HashTable;
use std::collections::BTreeMap;

/// Set in a provisional code.
const NEW: u32 = 1 << 31;

/// By code; `None` is free.
pub(super) struct Dictionary(RwLock<Vec<Option<Value>>>);

#[derive(Default)]
pub(super) struct Codes {
    /// By the hashes of their values.
    by_hash: HashTable<u32>,
    /// By code: how many rows have it, and the hash of its value.
    counts: Vec<(u32, u32)>,
    free: Vec<u32>,
    /// Codes that have lost their last row, each once.
    retired: Vec<u32>,
    /// By code: in which commits some row had it.
    used: Vec<Used>,
    /// Retired codes, filed under a pinned commit in which some row had them.
    kept: BTreeMap<Commit, Vec<u32>>,
    /// What the batch at hand brings.
    new: Vec<(u32, Value)>,
}

/// From the commit that gave a code out to the one that took it from its last row.
#[derive(Clone, Copy, Default)]
struct Used {
    since: Commit,
    until: Commit,
    /// It is among the retired or kept ones.
    filed: bool,
}

impl Dictionary {
    pub(super) fn new() -> Self {
        Dictionary(RwLock::new(Vec::new()))
    }

    pub(super) fn with<T>(&self, look: impl FnOnce(&[Option<Value>]) -> T) -> T {
        look(&self.0.read())
    }

    /// The code of a value, provisional if the value is new. Nothing is given out.
    pub(super) fn stage(&self, codes: &mut Codes, seed: &RandomState, value: ValueRef<'_>) -> u32 {
        let hash = hash::short(seed, &value);
        let dictionary = self.0.read();
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

    /// Gives out codes for the new values, in their order. After the last refusal.
    pub(super) fn admit(&self, codes: &mut Codes, commit: Commit) -> Admitted {
        if codes.new.is_empty() {
            return Admitted(Vec::new());
        }
        let mut dictionary = self.0.write();
        let mut admitted = Vec::with_capacity(codes.new.len());
        for (at, (hash, value)) in std::mem::take(&mut codes.new).into_iter().enumerate() {
            let code = codes.free.pop().unwrap_or(codes.counts.len() as u32);
            if code as usize == codes.counts.len() {
                codes.counts.push((0, 0));
                codes.used.push(Used::default());
                dictionary.push(None);
            }
            codes.counts[code as usize] = (0, hash);
            codes.used[code as usize] = Used { since: commit, ..Used::default() };
            dictionary[code as usize] = Some(value);
            if let Some(entry) = codes.by_hash.find_mut(spread(hash), |known| *known == NEW | at as u32) {
                *entry = code;
            }
            admitted.push(code);
        }
        Admitted(admitted)
    }

    /// Frees retired codes that no pinned commit saw in use, and files the others under one that did; of those filed under commits
    /// that nobody pins any longer at most `budget`.
    pub(super) fn settle(&self, codes: &mut Codes, pinned: &[Commit], budget: &mut usize) -> Backlog {
        let retired = std::mem::take(&mut codes.retired);
        self.free(codes, retired, pinned);
        while *budget > 0 {
            let Some(&pin) = codes.kept.keys().find(|pin| pinned.binary_search(pin).is_err()) else { break };
            let Some(filed) = codes.kept.get_mut(&pin) else { break };
            let slice = filed.split_off(filed.len().saturating_sub(*budget));
            if filed.is_empty() {
                codes.kept.remove(&pin);
            }
            *budget -= slice.len();
            self.free(codes, slice, pinned);
        }
        if codes.kept.keys().any(|pin| pinned.binary_search(pin).is_err()) {
            Backlog::CutShort
        } else if codes.kept.is_empty() {
            Backlog::Nothing
        } else {
            Backlog::Pinned
        }
    }

    fn free(&self, codes: &mut Codes, retired: Vec<u32>, pinned: &[Commit]) {
        let mut dictionary = None;
        for code in retired {
            let (count, hash) = codes.counts[code as usize];
            let used = &mut codes.used[code as usize];
            used.filed = false;
            if count > 0 {
                // Some row has it again; it will be retired anew.
                continue;
            }
            if let Some(pin) = newest_within(pinned, used.since, used.until) {
                used.filed = true;
                codes.kept.entry(pin).or_default().push(code);
            } else if let Ok(entry) = codes.by_hash.find_entry(spread(hash), |known| *known == code) {
                entry.remove();
                dictionary.get_or_insert_with(|| self.0.write())[code as usize] = None;
                codes.free.push(code);
            }
        }
    }

    /// Gives back the codes at the end that no row has, and room that is not used. (Readers have no such code: it was free only once
    /// no pin lay before the commit that took it from its last row.) Under the commit lock.
    pub(super) fn tidy(&self, codes: &mut Codes) {
        // Provisional codes of a refused batch mean nothing without its values.
        codes.clear();
        let Codes { by_hash, counts, used, free, retired, new, .. } = codes;
        let mut dictionary = self.0.write();
        while dictionary.last().is_some_and(Option::is_none) {
            dictionary.pop();
            counts.pop();
            used.pop();
        }
        free.retain(|code| (*code as usize) < dictionary.len());
        dictionary.shrink_to_fit();
        drop(dictionary);
        by_hash.shrink_to_fit(|code| spread(counts[*code as usize].1));
        counts.shrink_to_fit();
        used.shrink_to_fit();
        free.shrink_to_fit();
        retired.shrink_to_fit();
        *new = Vec::new();
    }

    pub(super) fn heap_bytes(&self) -> usize {
        let dictionary = self.0.read();
        let values: usize = dictionary.iter().flatten().map(Value::heap_bytes).sum();
        dictionary.capacity() * size_of::<Option<Value>>() + values
    }
}

/// The codes that the new values of a batch were given.
pub(super) struct Admitted(Vec<u32>);

impl Admitted {
    /// Makes a staged code real.
    pub(super) fn settle(&self, code: &mut u32) {
        if *code & NEW != 0 {
            *code = self.0[(*code & !NEW) as usize];
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Codes {
    /// Forgets an earlier batch, refused or not.
    pub(super) fn clear(&mut self) {
        for (at, (hash, _)) in self.new.iter().enumerate() {
            if let Ok(entry) = self.by_hash.find_entry(spread(*hash), |code| *code == NEW | at as u32) {
                entry.remove();
            }
        }
        self.new.clear();
    }

    /// A row has another code.
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
            let used = &mut self.used[before as usize];
            used.until = commit;
            if !std::mem::replace(&mut used.filed, true) {
                self.retired.push(before);
            }
        }
    }

    /// How many rows have each code that any has; for audits.
    pub(super) fn counts(&self) -> impl Iterator<Item = (u32, u32)> {
        let counts = self.counts.iter().enumerate().filter(|(_, (count, _))| *count > 0);
        counts.map(|(code, (count, _))| (code as u32, *count))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.by_hash.allocation_size()
            + self.counts.capacity() * 8
            + self.used.capacity() * size_of::<Used>()
            + (self.free.capacity() + self.retired.capacity()) * 4
            + self.kept.values().map(|codes| codes.capacity() * 4).sum::<usize>()
    }
}

fn hash_of(counts: &[(u32, u32)], new: &[(u32, Value)], code: u32) -> u32 {
    if code & NEW == 0 { counts[code as usize].1 } else { new[(code & !NEW) as usize].0 }
}
