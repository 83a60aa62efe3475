//! What is wrong with an analyzer.

use std::error::Error;
use std::fmt;

/// No analyzer has this name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownAnalyzer {
    /// The name.
    pub name: String,
    /// The names that there are, in their order.
    pub known: Vec<String>,
}

impl fmt::Display for UnknownAnalyzer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnknownAnalyzer { name, known } = self;
        write!(f, "no analyzer has the name {name:?}: use one of {}, or add it", known.join(", "))
    }
}

impl Error for UnknownAnalyzer {}

/// An analyzer with this name exists.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameTaken {
    /// The name.
    pub name: String,
}

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "another analyzer has the name {:?}: choose another name", self.name)
    }
}

impl Error for NameTaken {}

/// The lengths of n-grams are not a range from at least 1 to at most [`InvalidGrams::LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidGrams {
    /// The shortest length.
    pub least: usize,
    /// The greatest length.
    pub most: usize,
}

impl InvalidGrams {
    /// The greatest length of an n-gram, in characters.
    pub const LONGEST: usize = 64;
}

impl fmt::Display for InvalidGrams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidGrams { least, most } = self;
        write!(f, "n-grams of {least} to {most} characters: the lengths must ascend, from 1 to {}", Self::LONGEST)
    }
}

impl Error for InvalidGrams {}
