//! Which operations a workload has.

use crate::random::Random;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// Reads the record of a key.
    Get,
    /// Adds a record with a new key.
    Insert,
    /// Changes the record of a key.
    Update,
    /// Deletes the record of a key.
    Delete,
    /// Counts the records of a group.
    Query,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 5] = [Kind::Get, Kind::Insert, Kind::Update, Kind::Delete, Kind::Query];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Get => "get",
            Kind::Insert => "insert",
            Kind::Update => "update",
            Kind::Delete => "delete",
            Kind::Query => "query",
        })
    }
}

/// The shares of the kinds of operations: weights, of any sum.
///
/// ```
/// use memdex_bench::{Kind, Mix, Random};
/// let mix = Mix::new().get(90).update(10);
/// let mut random = Random::new(1);
/// let gets = (0..1_000).filter(|_| mix.draw(&mut random) == Kind::Get).count();
/// assert!((870..930).contains(&gets));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mix([u32; 5]);

/// The setters.
macro_rules! shares {
    ($($(#[$doc:meta])* $name:ident $kind:ident;)*) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(mut self, weight: u32) -> Self {
            self.0[Kind::$kind as usize] = weight;
            self
        }
    )*};
}

impl Mix {
    /// No operations.
    pub fn new() -> Self {
        Mix::default()
    }

    shares! {
        /// The weight of gets.
        get Get;
        /// The weight of inserts.
        insert Insert;
        /// The weight of updates.
        update Update;
        /// The weight of deletes.
        delete Delete;
        /// The weight of queries.
        query Query;
    }

    /// The weight of a kind.
    pub fn weight(&self, kind: Kind) -> u32 {
        self.0[kind as usize]
    }

    /// The sum of the weights.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|weight| u64::from(*weight)).sum()
    }

    /// A kind, by its weight. A mix without weights has gets only.
    pub fn draw(&self, random: &mut Random) -> Kind {
        let mut at = random.below(self.total());
        for kind in Kind::ALL {
            let weight = u64::from(self.weight(kind));
            if at < weight {
                return kind;
            }
            at -= weight;
        }
        Kind::Get
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let present = Kind::ALL.into_iter().filter(|kind| self.weight(*kind) > 0);
        for (at, kind) in present.enumerate() {
            let percent = f64::from(self.weight(kind)) * 100.0 / self.total() as f64;
            let percent = format!("{percent:.2}");
            let percent = percent.trim_end_matches('0').trim_end_matches('.');
            write!(f, "{}{percent} % {kind}", if at > 0 { ", " } else { "" })?;
        }
        Ok(())
    }
}
