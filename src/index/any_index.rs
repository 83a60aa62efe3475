//! An index of any kind: what readers see of it, what the committer knows of it, and what a batch brings to it.
//!
//! A commit takes an index through three steps: *stage* every record of the batch (nothing is given out yet, and everything
//! that can be refused is refused), *admit* what is new, *apply* the moves.

use super::equality::{EqualityIndex, EqualityStaging, EqualityWriter};
use super::moves::{ABSENT, Move, NULL};
use super::ordered::{Audited, CompactAt, OrderedIndex, OrderedStaging, OrderedWriter, Walk, WalkSpec};
use super::shape::{Entry, IndexShape};
use super::unique::{Clash, UniqueIndex, UniqueStaging};
use crate::hash::RandomState;
use crate::record::IndexKind;
use crate::rowset::{Row, RowSet};
use crate::sync::{AtomicU64, Ordering::SeqCst};
use crate::value::{Value, ValueRef};
use std::ops::Bound;

/// The shared side.
pub(crate) struct Index {
    pub(crate) shape: IndexShape,
    pub(super) seed: RandomState,
    pub(super) kind: Kind,
    /// How many records it holds, those without a value too. Written under the commit lock.
    filed: AtomicU64,
    /// How many values were guessed to have rows, and, in the upper half, how many rows were filed then.
    pub(super) distinct: AtomicU64,
}

// The locks of the concurrency checkers are big.
#[allow(clippy::large_enum_variant)]
pub(super) enum Kind {
    Equality(EqualityIndex),
    Unique(UniqueIndex),
    Ordered(Box<OrderedIndex>),
}

/// The committer's side, under the commit lock.
pub(crate) enum IndexWriter {
    Equality(EqualityWriter),
    Unique,
    Ordered(OrderedWriter),
}

/// What a batch brings.
pub(crate) enum Staging {
    Equality(EqualityStaging),
    Unique(UniqueStaging),
    Ordered(OrderedStaging),
}

impl Index {
    pub(crate) fn new(shape: IndexShape, seed: RandomState) -> (Self, IndexWriter) {
        let (kind, writer) = match shape.def.kind() {
            IndexKind::Equality => {
                let (index, writer) = EqualityIndex::new(shape.is_many());
                (Kind::Equality(index), IndexWriter::Equality(writer))
            }
            IndexKind::Unique => (Kind::Unique(UniqueIndex::new()), IndexWriter::Unique),
            IndexKind::Ordered => {
                let (index, writer) = OrderedIndex::new(&shape);
                (Kind::Ordered(Box::new(index)), IndexWriter::Ordered(writer))
            }
        };
        (Index { shape, seed, kind, filed: AtomicU64::new(0), distinct: AtomicU64::new(0) }, writer)
    }

    /// How many records it holds, as of the newest commit, published or in flight.
    pub(crate) fn filed(&self) -> usize {
        self.filed.load(SeqCst) as usize
    }

    pub(crate) fn name(&self) -> &str {
        self.shape.def.name()
    }

    /// How many words it remembers a row by.
    pub(crate) fn width(&self) -> usize {
        match &self.kind {
            Kind::Equality(_) | Kind::Unique(_) => 1,
            Kind::Ordered(index) => index.width(),
        }
    }

    // ---- the write path --------------------------------------------------------------------------------------------

    pub(crate) fn staging(&self) -> Staging {
        match &self.kind {
            Kind::Equality(_) => Staging::Equality(EqualityStaging::default()),
            Kind::Unique(_) => Staging::Unique(UniqueStaging::default()),
            Kind::Ordered(_) => Staging::Ordered(OrderedStaging::default()),
        }
    }

    /// What change number `change` is to be filed under: writes the row's new words, which were zero. `old` is its row and the
    /// words that it has now, if it has a record.
    #[inline]
    pub(crate) fn stage(
        &self,
        writer: &IndexWriter,
        staging: &mut Staging,
        change: usize,
        entry: &Entry<'_>,
        old: Option<(Row, &[u32])>,
        new: &mut [u32],
    ) {
        match (&self.kind, writer, staging) {
            (Kind::Equality(_), IndexWriter::Equality(writer), Staging::Equality(staging)) => {
                new[0] = EqualityIndex::stage(writer, staging, &self.seed, entry, old.map(|(_, words)| words[0]));
            }
            (Kind::Unique(index), _, Staging::Unique(staging)) => {
                new[0] = index.stage(staging, &self.seed, change, entry, old.map(|(row, words)| (row, words[0])));
            }
            (Kind::Ordered(index), IndexWriter::Ordered(writer), Staging::Ordered(staging)) => {
                index.stage(writer, staging, entry, old.map(|(_, words)| words), new);
            }
            _ => unreachable!("the sides of an index are of one kind"),
        }
    }

    /// Where the batch would give one value to two records. `change_of` gives the change of a row, if the batch has one, and
    /// whether that changes the row's words.
    pub(crate) fn clashes(
        &self,
        staging: &mut Staging,
        change_of: impl FnMut(Row) -> Option<(usize, bool)>,
    ) -> Vec<Clash> {
        match (&self.kind, staging) {
            (Kind::Unique(index), Staging::Unique(staging)) => index.clashes(staging, change_of),
            _ => Vec::new(),
        }
    }

    /// Brings the index to the new state. `row_of` gives the row of a change by the number that it was staged under. Cannot fail.
    pub(crate) fn apply<'a>(
        &self,
        writer: &mut IndexWriter,
        staging: &mut Staging,
        row_of: impl Fn(usize) -> Row,
        moves: impl Iterator<Item = Move<'a>>,
    ) {
        let (mut come, mut gone) = (0, 0);
        let is_held = |words: Option<&[u32]>| u64::from(words.is_some_and(|words| words[0] != ABSENT));
        let moves = moves.inspect(|of| {
            come += is_held(of.new);
            gone += is_held(of.old);
        });
        match (&self.kind, writer, staging) {
            (Kind::Equality(index), IndexWriter::Equality(writer), Staging::Equality(staging)) => {
                index.apply(writer, staging, moves);
            }
            (Kind::Unique(index), _, Staging::Unique(staging)) => index.apply(staging, row_of, moves),
            (Kind::Ordered(index), IndexWriter::Ordered(writer), _) => index.apply(writer, moves),
            _ => unreachable!("the sides of an index are of one kind"),
        }
        let filed = self.filed.load(SeqCst) + come;
        debug_assert!(gone <= filed, "what goes was there");
        self.filed.store(filed - gone, SeqCst);
    }

    // ---- the read path: parts, by reference count ------------------------------------------------------------------

    /// The rows with this value; those without one if it is missing. Not of an index of several fields that orders.
    pub(crate) fn rows(&self, value: ValueRef<'_>) -> RowSet {
        match &self.kind {
            Kind::Equality(index) => index.rows(&self.seed, value),
            Kind::Unique(index) => index.rows(&self.seed, value),
            Kind::Ordered(index) => index.rows(value),
        }
    }

    /// The row of a value in a unique index.
    pub(crate) fn unique_row(&self, value: ValueRef<'_>) -> Option<Row> {
        match &self.kind {
            Kind::Unique(index) => index.row(&self.seed, value),
            _ => None,
        }
    }

    /// The rows between two bounds, of an ordered index of one field.
    pub(crate) fn range(&self, from: Bound<&Value>, to: Bound<&Value>) -> Option<RowSet> {
        match &self.kind {
            Kind::Ordered(index) => Some(index.range(from, to)),
            _ => None,
        }
    }

    /// The rows whose first fields have these values and whose next one lies between bounds, of an ordered index of several.
    pub(crate) fn prefix_range(
        &self,
        prefix: &[ValueRef<'_>],
        next: Option<(Bound<&Value>, Bound<&Value>)>,
    ) -> Option<RowSet> {
        match &self.kind {
            Kind::Ordered(index) => Some(index.prefix_range(prefix, next)),
            _ => None,
        }
    }

    /// A walk over the entries of an ordered index, in their order; `None` if the index has no order, or fewer fields than are asked
    /// for.
    pub(crate) fn walk(&self, spec: WalkSpec) -> Option<Walk<'_>> {
        match &self.kind {
            Kind::Ordered(index) if self.fits(&spec) => Some(Walk::new(index, spec)),
            _ => None,
        }
    }

    pub(super) fn fits(&self, WalkSpec { prefix, from, to, .. }: &WalkSpec) -> bool {
        let fields = self.shape.fields.len();
        let len = |bound: &Bound<Vec<Value>>| match bound {
            Bound::Included(tuple) | Bound::Excluded(tuple) => tuple.len(),
            Bound::Unbounded => 0,
        };
        // A single field has nothing before it.
        (fields > 1 || prefix.is_empty()) && prefix.len() + len(from).max(len(to)) <= fields
    }

    /// The rows without a value. An ordered index of several fields has none: it gives a missing value a place in its order.
    pub(crate) fn null_rows(&self) -> RowSet {
        self.rows(ValueRef::Null)
    }

    // ---- upkeep, figures, audits -----------------------------------------------------------------------------------

    /// How many values have rows, if that is known without counting.
    pub(crate) fn distinct(&self) -> Option<usize> {
        match &self.kind {
            Kind::Equality(index) => Some(index.distinct()),
            Kind::Unique(index) => Some(index.distinct()),
            Kind::Ordered(_) => None,
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match &self.kind {
            Kind::Equality(index) => index.heap_bytes(),
            Kind::Unique(index) => index.heap_bytes(),
            Kind::Ordered(index) => index.heap_bytes(),
        }
    }

    /// One slice of an upkeep of the whole index: gives back room that is not used. What the next slice is to be given; `None` at
    /// the end. Under the commit lock.
    pub(crate) fn tidy(&self, writer: &mut IndexWriter, at: TidyAt) -> Option<TidyAt> {
        match (&self.kind, writer, at) {
            (_, writer, TidyAt::Start) => {
                match writer {
                    IndexWriter::Equality(writer) => writer.shrink(),
                    IndexWriter::Unique => {}
                    IndexWriter::Ordered(writer) => writer.shrink(),
                }
                Some(match &self.kind {
                    Kind::Ordered(_) => TidyAt::Leaf(CompactAt::Start),
                    _ => TidyAt::Shard(0),
                })
            }
            (Kind::Equality(index), IndexWriter::Equality(writer), TidyAt::Shard(at)) => {
                index.tidy_shard(writer, at).then_some(TidyAt::Shard(at + 1))
            }
            (Kind::Unique(index), _, TidyAt::Shard(at)) => index.shrink_shard(at).then_some(TidyAt::Shard(at + 1)),
            (Kind::Ordered(index), _, TidyAt::Leaf(at)) => index.compact(at).map(TidyAt::Leaf),
            _ => None,
        }
    }

    /// Shows every filing of a row; gives the number of values that are there without a row.
    pub(crate) fn audit(&self, mut look: impl FnMut(Row, Filed<'_>)) -> usize {
        let mut empty = 0;
        let mut null = RowSet::new();
        match &self.kind {
            Kind::Equality(index) => index.audit(|code, value, rows| {
                empty += usize::from(rows.is_empty() && code != NULL);
                rows.iter().for_each(|row| look(row, Filed::Value(code, value)));
            }),
            Kind::Unique(index) => {
                index.audit(|value, hash, row| look(row, Filed::Value(hash, value)), |rows| null = rows.clone());
            }
            Kind::Ordered(index) => index.audit(|key, row| look(row, Filed::Key(key)), |rows| null = rows.clone()),
        }
        null.iter().for_each(|row| look(row, Filed::Value(NULL, &Value::NULL)));
        empty
    }

    /// Whether a filing is one that a record with this entry must have.
    pub(crate) fn is_filed(&self, entry: &Entry<'_>, filed: &Filed<'_>) -> bool {
        let unique = matches!(self.kind, Kind::Unique(_));
        match (entry, filed) {
            (Entry::Absent, _) => false,
            (Entry::Many(values), Filed::Value(_, value)) => {
                values.contains(&value.as_ref()) || (values.is_empty() && value.as_ref().is_null())
            }
            (entry, Filed::Value(_, value)) => entry.as_value(unique) == value.as_ref(),
            (entry, Filed::Key(key)) => match &self.kind {
                Kind::Ordered(index) => index.matches(entry, key),
                _ => false,
            },
        }
    }
}

/// Where a row was found, for audits.
pub(crate) enum Filed<'a> {
    Value(u32, &'a Value),
    Key(Audited<'a>),
}

/// Where an upkeep goes on.
pub(crate) enum TidyAt {
    Start,
    Shard(usize),
    Leaf(CompactAt),
}

impl Staging {
    /// Forgets an earlier batch, refused or not.
    pub(crate) fn clear(&mut self) {
        match self {
            Staging::Equality(staging) => staging.clear(),
            Staging::Unique(staging) => staging.clear(),
            Staging::Ordered(staging) => staging.clear(),
        }
    }

    /// Gives out codes and numbers for what is new, and makes provisional words real. `words` are those of the batch in this
    /// index, of the changes that leave a record. After the last refusal.
    pub(crate) fn admit<'a>(&mut self, writer: &mut IndexWriter, words: impl Iterator<Item = &'a mut [u32]>) {
        match (self, writer) {
            (Staging::Equality(staging), IndexWriter::Equality(writer)) => writer.admit(staging, words),
            (Staging::Ordered(staging), IndexWriter::Ordered(writer)) => writer.admit(staging, words),
            _ => {}
        }
    }
}

impl IndexWriter {
    /// Whether its memory of a row and a filing of that row agree.
    pub(crate) fn remembers(&self, words: &[u32], filed: &Filed<'_>) -> bool {
        match (self, filed) {
            (IndexWriter::Equality(writer), Filed::Value(code, value)) => {
                writer.values(words[0]).iter().any(|(known, of)| known == code && of == *value)
            }
            (IndexWriter::Unique, Filed::Value(word, _)) => words[0] == *word,
            (IndexWriter::Ordered(_), Filed::Value(word, _)) => words[0] == *word,
            (IndexWriter::Ordered(writer), Filed::Key(key)) => writer.remembers(words, key),
            _ => false,
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            IndexWriter::Equality(writer) => writer.heap_bytes(),
            IndexWriter::Unique => 0,
            IndexWriter::Ordered(writer) => writer.heap_bytes(),
        }
    }
}
