//! What commits keep up of a collection's records: indexes, which lead to rows, and standing statistics, which lead to figures.
//!
//! Both go through the three steps of a commit in the same way, so that they come and go, are brought up and remember rows alike.

use super::any_index::{Index, IndexWriter, Staging, TidyAt};
use super::moves::Move;
use super::shape::{Entry, IndexShape};
use super::standing::{Held, Standing, StandingStaging, StandingWriter};
use super::unique::Clash;
use crate::error::Cause;
use crate::hash::RandomState;
use crate::record::{IndexKind, Record};
use crate::rowset::Row;
use crate::sync::Arc;

#[derive(Clone)]
pub(crate) enum Kept {
    Index(Arc<Index>),
    Standing(Arc<Standing>),
}

/// The committer's side, under the commit lock.
#[expect(clippy::large_enum_variant, reason = "one for each index, and in place")]
pub(crate) enum KeptWriter {
    Index(IndexWriter),
    Standing(Box<StandingWriter>),
}

/// What a batch brings.
pub(crate) enum KeptStaging {
    Index(Staging),
    Standing(Box<StandingStaging>),
}

/// What a record shows to one of them.
pub(crate) enum Shown<'a> {
    Index(Entry<'a>),
    /// `None` if the condition is false.
    Standing(Option<Box<Held<'a>>>),
}

impl Kept {
    pub(crate) fn index(shape: IndexShape, seed: RandomState) -> (Self, KeptWriter) {
        let (index, writer) = Index::new(shape, seed);
        (Kept::Index(Arc::new(index)), KeptWriter::Index(writer))
    }

    pub(crate) fn standing(standing: Standing, seed: RandomState) -> (Self, KeptWriter) {
        let writer = StandingWriter::new(&standing, seed);
        (Kept::Standing(Arc::new(standing)), KeptWriter::Standing(Box::new(writer)))
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Kept::Index(index) => index.name(),
            Kept::Standing(standing) => standing.name(),
        }
    }

    /// How many words it remembers a row by.
    pub(crate) fn width(&self) -> usize {
        match self {
            Kept::Index(index) => index.width(),
            Kept::Standing(standing) => standing.width(),
        }
    }

    pub(crate) fn as_index(&self) -> Option<&Arc<Index>> {
        match self {
            Kept::Index(index) => Some(index),
            Kept::Standing(_) => None,
        }
    }

    pub(crate) fn is_unique(&self) -> bool {
        self.as_index().is_some_and(|index| index.shape.def.kind() == IndexKind::Unique)
    }

    pub(crate) fn staging(&self) -> KeptStaging {
        match self {
            Kept::Index(index) => KeptStaging::Index(index.staging()),
            Kept::Standing(standing) => KeptStaging::Standing(Box::new(StandingStaging::new(standing))),
        }
    }

    /// What `record` shows. Runs its extractors. What can't be kept is a refusal.
    #[inline]
    pub(crate) fn shown<'a, R: Record>(&self, staging: &mut KeptStaging, record: &'a R) -> Result<Shown<'a>, Cause> {
        match (self, staging) {
            (Kept::Index(index), _) => index.shape.entry(record).map(Shown::Index),
            (Kept::Standing(standing), KeptStaging::Standing(staging)) => {
                staging.held(standing, record).map(Shown::Standing)
            }
            _ => unreachable!("the sides are of one kind"),
        }
    }

    /// See [`Index::stage`].
    #[inline]
    pub(crate) fn stage(
        &self,
        writer: &KeptWriter,
        staging: &mut KeptStaging,
        change: usize,
        shown: &Shown<'_>,
        old: Option<(Row, &[u32])>,
        new: &mut [u32],
    ) {
        match (self, writer, staging, shown) {
            (Kept::Index(index), KeptWriter::Index(writer), KeptStaging::Index(staging), Shown::Index(entry)) => {
                index.stage(writer, staging, change, entry, old, new);
            }
            (
                Kept::Standing(standing),
                KeptWriter::Standing(writer),
                KeptStaging::Standing(staging),
                Shown::Standing(held),
            ) => writer.stage(standing, staging, held.as_deref(), old.map(|(_, words)| words), new),
            _ => unreachable!("the sides are of one kind"),
        }
    }

    /// See [`Index::clashes`].
    pub(crate) fn clashes(
        &self,
        staging: &mut KeptStaging,
        change_of: impl FnMut(Row) -> Option<(usize, bool)>,
    ) -> Vec<Clash> {
        match (self, staging) {
            (Kept::Index(index), KeptStaging::Index(staging)) => index.clashes(staging, change_of),
            _ => Vec::new(),
        }
    }

    /// Gives out numbers for what is new. After the last refusal.
    pub(crate) fn admit<'a>(
        &self,
        writer: &mut KeptWriter,
        staging: &mut KeptStaging,
        words: impl Iterator<Item = &'a mut [u32]>,
    ) {
        match (self, writer, staging) {
            (_, KeptWriter::Index(writer), KeptStaging::Index(staging)) => staging.admit(writer, words),
            (Kept::Standing(standing), KeptWriter::Standing(writer), KeptStaging::Standing(staging)) => {
                writer.admit(standing, staging, words);
            }
            _ => unreachable!("the sides are of one kind"),
        }
    }

    /// See [`Index::apply`].
    pub(crate) fn apply<'a>(
        &self,
        writer: &mut KeptWriter,
        staging: &mut KeptStaging,
        row_of: impl Fn(usize) -> Row,
        moves: impl Iterator<Item = Move<'a>>,
    ) {
        match (self, writer, staging) {
            (Kept::Index(index), KeptWriter::Index(writer), KeptStaging::Index(staging)) => {
                index.apply(writer, staging, row_of, moves);
            }
            (Kept::Standing(standing), KeptWriter::Standing(writer), _) => writer.apply(standing, moves),
            _ => unreachable!("the sides are of one kind"),
        }
    }

    /// See [`Index::tidy`].
    pub(crate) fn tidy(&self, writer: &mut KeptWriter, at: TidyAt) -> Option<TidyAt> {
        match (self, writer) {
            (Kept::Index(index), KeptWriter::Index(writer)) => index.tidy(writer, at),
            (_, KeptWriter::Standing(writer)) => {
                writer.shrink();
                None
            }
            _ => unreachable!("the sides are of one kind"),
        }
    }
}

impl KeptWriter {
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            KeptWriter::Index(writer) => writer.heap_bytes(),
            KeptWriter::Standing(writer) => writer.heap_bytes(),
        }
    }
}

impl KeptStaging {
    /// Forgets an earlier batch, refused or not.
    pub(crate) fn clear(&mut self) {
        match self {
            KeptStaging::Index(staging) => staging.clear(),
            KeptStaging::Standing(staging) => staging.clear(),
        }
    }
}
