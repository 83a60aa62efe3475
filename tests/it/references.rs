//! References between collections, and checks.

mod directed;
mod random;
