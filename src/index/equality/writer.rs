//! The committer's side. Its back reference of a row is a code, or the number of a list of codes.

use super::super::audit::{AuditRows, Findings, IndexAudit};
use super::super::catalog::Listing;
use super::super::changes::{ABSENT, Move, Moves, NEW, SCRATCH_KEPT, StagedRefs};
use super::super::entries::{each_move, stage_entries};
use super::super::maintain::{Maintain, Role, StagedRecords};
use super::super::read::{Index, IndexHead};
use super::super::shape::Entry;
use super::codes::{CodeTable, Codes, NewValues};
use super::postings::{Entries, EqualityIndex, NULL_CODE, Posting};
use crate::hash::{self, spread};
use crate::rowset::Row;
use crate::sync::Arc;
use memdex_query::value::ValueRef;
use std::ops::ControlFlow;

pub(crate) struct EqualityWriter {
    index: Arc<EqualityIndex>,
    codes: CodeTable,
    new: NewValues,
    many: bool,
    scratch: Scratch,
    /// The shard at which upkeep continues.
    tidy_from: usize,
}

/// Buffers that every commit needs again.
#[derive(Default)]
struct Scratch {
    leave: Vec<(u32, Row)>,
    join: Vec<(u32, Row)>,
    rows: Vec<Row>,
}

impl EqualityWriter {
    pub(crate) fn new(head: IndexHead) -> Self {
        let many = head.shape.is_many();
        let shards = head.shards;
        let index = Arc::new(EqualityIndex::new(head));
        let codes = CodeTable::new(index.null.clone(), shards);
        EqualityWriter { index, codes, new: NewValues::default(), many, scratch: Scratch::default(), tidy_from: 0 }
    }

    /// Removes an empty posting, and frees its code.
    fn remove(&mut self, code: u32) {
        let Some(posting) = self.codes.remove(code) else { return };
        let mut entries = self.index.shard(posting.hash).write();
        let entry = entries.find_entry(spread(posting.hash), |p| Arc::ptr_eq(p, &posting));
        debug_assert!(entry.is_ok(), "a posting is in the table until it is empty");
        if let Ok(entry) = entry {
            entry.remove();
            self.index.bytes.change(posting.empty_bytes(), 0);
        }
    }

    /// Whether a row with this back reference is in a posting, as far as the committer knows.
    fn remembers(&self, reference: u32, posting: &Posting) -> bool {
        let Posting { code, value, .. } = posting;
        let codes = if self.many { self.codes.list(reference) } else { std::slice::from_ref(&reference) };
        codes.binary_search(code).is_ok() && self.codes.value(*code) == Some(value.as_ref())
    }
}

/// Finds the codes of one record's entry.
struct Stager<'a> {
    index: &'a EqualityIndex,
    codes: &'a CodeTable,
    new: &'a mut NewValues,
}

impl Stager<'_> {
    /// The code of a value: the one that the row has now, if its value has not changed.
    #[inline]
    fn code(&mut self, value: ValueRef<'_>, old: Option<u32>) -> u32 {
        if value.is_null() {
            return NULL_CODE;
        }
        match old {
            Some(old) if self.codes.value(old) == Some(value) => old,
            _ => {
                let hash = hash::short(&self.index.head().seed, &value);
                self.codes.code(hash, value).unwrap_or_else(|| self.new.code(hash, value))
            }
        }
    }

    /// The back reference of an entry.
    #[inline]
    fn reference(&mut self, entry: &Entry<'_>, old: Option<u32>) -> u32 {
        match entry {
            Entry::Absent => ABSENT,
            Entry::Many(values) if values.is_empty() => NULL_CODE,
            Entry::Many(values) => {
                let mut codes: Codes = values.iter().map(|value| self.code(*value, None)).collect();
                codes.sort_unstable();
                if let Some(old) = old.filter(|old| self.codes.list(*old) == codes.as_slice()) {
                    return old;
                }
                self.new.lists.push(codes);
                NEW | (self.new.lists.len() - 1) as u32
            }
            one => self.code(one.as_value(false), old),
        }
    }
}

impl Maintain for EqualityWriter {
    fn name(&self) -> &str {
        self.index.head().name()
    }

    fn role(&self) -> Role {
        Role::Index
    }

    fn width(&self) -> usize {
        1
    }

    fn list(&self, listing: &mut Listing) {
        listing.indexes.push(self.index.clone());
    }

    fn stage(&mut self, records: &mut dyn StagedRecords, refs: &mut StagedRefs<'_>) -> ControlFlow<()> {
        let EqualityWriter { index, codes, new, .. } = self;
        new.clear();
        let mut stager = Stager { index, codes, new };
        stage_entries(&index.head().shape, records, refs, |_, entry, old, new| {
            new[0] = stager.reference(entry, old.map(|(_, refs)| refs[0]));
        })
    }

    fn admit(&mut self, refs: &mut StagedRefs<'_>) {
        let EqualityWriter { codes, new, many, .. } = self;
        codes.admit(new);
        let refs = refs.new_refs().map(|refs| &mut refs[0]);
        for reference in refs.filter(|reference| **reference != ABSENT && **reference & NEW != 0) {
            *reference = if *many {
                let mut list = std::mem::take(&mut new.lists[(*reference & !NEW) as usize]);
                list.iter_mut().for_each(|code| *code = new.admitted(*code));
                list.sort_unstable();
                codes.lists.insert(list)
            } else {
                new.admitted(*reference)
            };
        }
    }

    /// Moves rows between postings, one lock for each posting. Readers see the postings of new values from here on.
    fn apply(&mut self, moves: Moves<'_>) {
        let EqualityWriter { index, codes, new, many, .. } = self;
        for posting in new.admitted.iter().filter_map(|code| codes.posting(*code)) {
            index.bytes.track(&mut *index.shard(posting.hash).write(), Entries::allocation_size, |entries| {
                entries.insert_unique(spread(posting.hash), posting.clone(), |p| spread(p.hash));
            });
            index.bytes.change(0, posting.empty_bytes());
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        let Scratch { leave, join, rows } = &mut scratch;
        leave.clear();
        join.clear();
        each_move(index.head(), moves, |Move { row, old, new }| {
            let (old, new) = (old.map(|refs| refs[0]), new.map(|refs| refs[0]));
            if old == new {
                return;
            }
            if *many {
                let list = |reference: Option<u32>| reference.map_or(&[][..], |reference| codes.list(reference));
                let (before, after) = (list(old), list(new));
                leave.extend(before.iter().filter(|code| !after.contains(code)).map(|code| (*code, row)));
                join.extend(after.iter().filter(|code| !before.contains(code)).map(|code| (*code, row)));
                let list = old.filter(|old| *old != NULL_CODE && *old != ABSENT);
                list.into_iter().for_each(|number| codes.lists.free(number));
            } else {
                leave.extend(old.filter(|code| *code != ABSENT).map(|code| (code, row)));
                join.extend(new.filter(|code| *code != ABSENT).map(|code| (code, row)));
            }
        });
        each_code(join, rows, |code, rows| {
            if let Some(posting) = codes.posting(code) {
                index.edit(posting, |set| set.insert_all(rows));
            }
        });
        let mut emptied = Vec::new();
        each_code(leave, rows, |code, rows| {
            let Some(posting) = codes.posting(code) else { return };
            index.edit(posting, |set| {
                set.remove_all(rows);
                if set.is_empty() && code != NULL_CODE {
                    emptied.push(code);
                }
            });
        });
        if leave.capacity().max(join.capacity()) <= SCRATCH_KEPT {
            self.scratch = scratch;
        }
        emptied.into_iter().for_each(|code| self.remove(code));
    }

    fn tidy(&mut self, restart: bool) -> Option<usize> {
        if restart {
            self.codes.shrink();
            self.scratch = Scratch::default();
            self.tidy_from = 0;
        }
        let work = self.index.tidy_shard(self.tidy_from)? + self.codes.shrink_shard(self.tidy_from);
        self.tidy_from += 1;
        Some(work)
    }

    fn heap_bytes(&self) -> usize {
        self.index.heap_bytes() + self.codes.heap_bytes()
    }

    fn audit(&self, rows: &dyn AuditRows, found: &mut Findings) -> usize {
        let each = |visit: &mut dyn FnMut(Row, Arc<Posting>)| {
            let (mut empty, mut postings) = (0, Vec::new());
            self.index.each(|posting| postings.push(posting.clone()));
            for posting in postings {
                let rows = posting.rows.read().clone();
                empty += usize::from(rows.is_empty() && posting.code != NULL_CODE);
                rows.iter().for_each(|row| visit(row, posting.clone()));
            }
            empty
        };
        let is_of = |entry: &Entry<'_>, posting: &Arc<Posting>| match (entry, posting.value.as_ref()) {
            (Entry::Absent, _) => false,
            (Entry::Many(values), ValueRef::Null) => values.is_empty(),
            (Entry::Many(values), value) => values.binary_search(&value).is_ok(),
            (entry, value) => entry.as_value(false) == value,
        };
        let is_remembered = |refs: &[u32], posting: &Arc<Posting>| self.remembers(refs[0], posting);
        let bytes = self.index.walk_bytes() + self.codes.walk_bytes();
        let audit = IndexAudit { each: &each, is_of: &is_of, is_remembered: &is_remembered };
        audit.run(&*self.index, rows, (self.heap_bytes(), bytes), found)
    }
}

/// Passes the rows of each code, ascending.
fn each_code(pairs: &mut [(u32, Row)], rows: &mut Vec<Row>, mut visit: impl FnMut(u32, &[Row])) {
    pairs.sort_unstable();
    for of_code in pairs.chunk_by(|a, b| a.0 == b.0) {
        rows.clear();
        rows.extend(of_code.iter().map(|(_, row)| *row));
        visit(of_code[0].0, rows);
    }
}
