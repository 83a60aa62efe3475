//! The parts of predicates for serde, which goes through them by recursion: deeper than any query takes is an error on both ways,
//! whatever the format bears, before the stack ends.

use crate::error::QueryError;
use crate::limits::MAX_PREDICATE_DEPTH;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cell::Cell;

std::thread_local! {
    /// How many levels of parts are being gone through.
    static LEVELS: Cell<usize> = const { Cell::new(0) };
}

/// One level, left when it is dropped.
struct Level;

impl Level {
    /// The innermost part is a level itself.
    fn enter() -> Result<Level, QueryError> {
        let inside = LEVELS.get() + 1;
        if inside >= MAX_PREDICATE_DEPTH {
            return Err(QueryError::TooDeep { limit: MAX_PREDICATE_DEPTH });
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

pub(super) fn serialize<T: Serialize, S: Serializer>(parts: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let _level = Level::enter().map_err(serde::ser::Error::custom)?;
    parts.serialize(serializer)
}

pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let _level = Level::enter().map_err(serde::de::Error::custom)?;
    T::deserialize(deserializer)
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use crate::limits::MAX_PREDICATE_DEPTH;
    use crate::query::{Predicate, Query, field};
    use crate::value::ValueRef;
    use serde::Deserialize;
    use serde_json::{Value as Json, json};

    /// Of the parts, and around the leaf, that take the most levels of JSON.
    fn deep(levels: usize) -> Predicate {
        let leaf = field("a").ge(ValueRef::Bytes(b"b").to_value());
        (1..levels).fold(leaf, |inner, level| match level % 2 {
            0 => Predicate::And(vec![field("b").is_null(), inner]),
            _ => Predicate::Or(vec![inner]),
        })
    }

    #[test]
    fn what_a_query_takes_comes_back() {
        let query = Query::over(["t"]).filter(deep(MAX_PREDICATE_DEPTH));
        let text = serde_json::to_string(&query).unwrap();
        assert_eq!(serde_json::from_str::<Query>(&text).unwrap(), query);
        let nots = |levels: usize| format!("{}\"all\"{}", r#"{"not":"#.repeat(levels), "}".repeat(levels));
        assert!(serde_json::from_str::<Predicate>(&nots(MAX_PREDICATE_DEPTH - 1)).is_ok());
        let refused = serde_json::from_str::<Predicate>(&nots(MAX_PREDICATE_DEPTH)).unwrap_err();
        assert!(refused.to_string().starts_with("the predicate is nested deeper than 60 levels"), "{refused}");
    }

    /// In a debug build, on a stack of two mebibytes.
    #[test]
    fn what_is_deeper_is_an_error() {
        let all = || {
            for levels in [MAX_PREDICATE_DEPTH + 1, 10_000] {
                let refused = serde_json::to_string(&deep(levels)).unwrap_err();
                assert!(refused.to_string().contains("deeper than"), "{refused}");
                // Read from what has no limit of its own, and drops by recursion.
                let json = (1..levels).fold(json!("all"), |inner, _| {
                    Json::Object([("and".to_owned(), Json::Array(vec![inner]))].into_iter().collect())
                });
                let refused = Predicate::deserialize(&json).unwrap_err();
                assert!(refused.to_string().contains("deeper than"), "{refused}");
                std::mem::forget(json);
            }
            // Nothing of it is left behind.
            assert!(serde_json::to_string(&deep(MAX_PREDICATE_DEPTH)).is_ok());
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(all).unwrap().join().unwrap();
    }
}
