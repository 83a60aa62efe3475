//! The serde forms of plain data: their version, bounds in one spelling, and the limit of recursion.

use crate::error::QueryError;
use crate::limits::MAX_PREDICATE_DEPTH;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cell::Cell;
use std::fmt;

/// The version of the forms of [`Query`](crate::Query) and [`Schema`](crate::Schema), of all that they hold, and of
/// [`Versioned`] values. It changes only when an old form can no longer be read.
pub const FORM_VERSION: u32 = 1;

/// The form has a version that this memdex does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FormVersionError {
    /// The version of the form.
    pub version: u32,
}

impl fmt::Display for FormVersionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "form version {} is unknown, this memdex reads version {FORM_VERSION}: update memdex", self.version)
    }
}

impl std::error::Error for FormVersionError {}

/// The field `version` of a form: written always; 1 where it is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FormVersion;

impl FormVersion {
    fn check(version: u32) -> Result<Self, FormVersionError> {
        if version == FORM_VERSION { Ok(FormVersion) } else { Err(FormVersionError { version }) }
    }
}

impl Serialize for FormVersion {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(FORM_VERSION)
    }
}

impl<'de> Deserialize<'de> for FormVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FormVersion::check(u32::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

std::thread_local! {
    /// The number of nested parts that the deserializer is inside of.
    static LEVELS: Cell<usize> = const { Cell::new(0) };
}

/// One level of nested predicates, left when dropped: input that is too deep is refused before the stack overflows, for every format.
pub(super) struct Level;

impl Level {
    pub(super) fn enter<E: serde::de::Error>() -> Result<Level, E> {
        // The innermost part is a level itself.
        let inside = LEVELS.get() + 1;
        if inside >= MAX_PREDICATE_DEPTH {
            return Err(E::custom(QueryError::TooDeep { limit: MAX_PREDICATE_DEPTH }));
        }
        LEVELS.set(inside);
        Ok(Level)
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        LEVELS.set(LEVELS.get() - 1);
    }
}

pub(super) fn too_deep<S: Serializer>(_: S) -> Result<S::Ok, S::Error> {
    Err(serde::ser::Error::custom(QueryError::TooDeep { limit: MAX_PREDICATE_DEPTH }))
}

/// Bounds as `"unbounded"`, `{"included": value}` and `{"excluded": value}`.
pub(super) mod bound {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::ops::Bound;

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Form<T> {
        Unbounded,
        Included(T),
        Excluded(T),
    }

    pub(in crate::query) fn serialize<T: Serialize, S: Serializer>(bound: &Bound<T>, to: S) -> Result<S::Ok, S::Error> {
        let form = match bound.as_ref() {
            Bound::Unbounded => Form::Unbounded,
            Bound::Included(value) => Form::Included(value),
            Bound::Excluded(value) => Form::Excluded(value),
        };
        form.serialize(to)
    }

    pub(in crate::query) fn deserialize<'de, T, D>(from: D) -> Result<Bound<T>, D::Error>
    where
        T: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(match Form::deserialize(from)? {
            Form::Unbounded => Bound::Unbounded,
            Form::Included(value) => Bound::Included(value),
            Form::Excluded(value) => Bound::Excluded(value),
        })
    }
}
