//! The serde forms of plain data: their version, and the limit of recursion.

/// The `version` entry of a form: always written; the current version where it is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FormVersion;

#[cfg(feature = "serde")]
pub use with_serde::{FORM_VERSION, FormVersionError, Versioned};
#[cfg(feature = "serde")]
pub(super) use with_serde::{Level, guarded, is_default};

#[cfg(feature = "serde")]
mod with_serde {
    use super::FormVersion;
    use crate::error::QueryError;
    use crate::limits::MAX_PREDICATE_DEPTH;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::cell::Cell;
    use std::fmt;

    /// The version of the serde forms of [`Query`](crate::query::Query), [`Schema`](crate::schema::Schema) and
    /// [`Versioned`] values. It changes when a form changes so that an older memdex can't read it.
    pub const FORM_VERSION: u32 = 2;

    /// A form has a version that this memdex does not read.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub struct FormVersionError {
        /// The version of the form.
        pub version: u32,
    }

    impl fmt::Display for FormVersionError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let version = self.version;
            let advice = match version {
                0..FORM_VERSION => "write the form again",
                _ => "update memdex",
            };
            write!(f, "form version {version} is not supported, this memdex reads version {FORM_VERSION}: {advice}")
        }
    }

    impl std::error::Error for FormVersionError {}

    impl TryFrom<u32> for FormVersion {
        type Error = FormVersionError;

        fn try_from(version: u32) -> Result<Self, FormVersionError> {
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
            FormVersion::try_from(u32::deserialize(deserializer)?).map_err(serde::de::Error::custom)
        }
    }

    /// A value with the version of its form, for a [`Predicate`](crate::query::Predicate) or
    /// [`Statistics`](crate::query::Statistics) that is stored or sent without a query.
    ///
    /// ```
    /// # #[cfg(feature = "json")] {
    /// use memdex_query::query::{Predicate, Versioned, field};
    /// use serde_json::json;
    ///
    /// let form = json!({ "version": 2, "value": { "eq": ["status", "paid"] } });
    /// assert_eq!(serde_json::to_value(Versioned::new(field("status").eq("paid")))?, form);
    /// assert_eq!(serde_json::from_value::<Versioned<Predicate>>(form)?.into_inner(), field("status").eq("paid"));
    /// let unknown = serde_json::from_value::<Versioned<Predicate>>(json!({ "version": 9, "value": "all" })).unwrap_err();
    /// assert_eq!(unknown.to_string(), "form version 9 is not supported, this memdex reads version 2: update memdex");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub struct Versioned<T> {
        version: FormVersion,
        value: T,
    }

    impl<T> Versioned<T> {
        /// The value with the current version.
        pub fn new(value: T) -> Self {
            Versioned { version: FormVersion, value }
        }

        /// The value.
        pub fn into_inner(self) -> T {
            self.value
        }
    }

    std::thread_local! {
        /// The number of nested parts that the deserializer is inside of.
        static LEVELS: Cell<usize> = const { Cell::new(0) };
    }

    /// One level of nesting, left when dropped: input that is too deep is refused before the stack overflows, in every
    /// format.
    pub(in crate::query) struct Level;

    impl Level {
        pub(in crate::query) fn enter<E: serde::de::Error>() -> Result<Level, E> {
            // The innermost part is a level itself.
            let inside = LEVELS.get() + 1;
            if inside >= MAX_PREDICATE_DEPTH {
                return Err(E::custom(QueryError::too_deep(MAX_PREDICATE_DEPTH)));
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

    /// Deserializes a part one level deeper.
    pub(in crate::query) fn guarded<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        let _level = Level::enter()?;
        T::deserialize(from)
    }

    /// Whether a form leaves this out.
    pub(in crate::query) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
        *value == T::default()
    }
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use crate::limits::MAX_PREDICATE_DEPTH;
    use crate::query::{Predicate, Query, Statistics, field};
    use serde::Deserialize;
    use serde_json::{Value as Json, json};

    /// The parts and the leaf that take the most levels of JSON.
    fn deep(levels: usize) -> Predicate {
        let leaf = field("a").ge(crate::value::ValueRef::Bytes(b"b").to_value());
        (1..levels).fold(leaf, |inner, level| match level % 2 {
            0 => field("b").is_null() & inner,
            _ => inner | field("c").is_null(),
        })
    }

    #[test]
    fn the_deepest_predicate_survives_a_round_trip() {
        let query = Query::over(["t"]).filter(deep(MAX_PREDICATE_DEPTH));
        let text = serde_json::to_string(&query).unwrap();
        assert_eq!(serde_json::from_str::<Query>(&text).unwrap(), query);
        let nots = |levels: usize| format!("{}\"all\"{}", r#"{"not":"#.repeat(levels), "}".repeat(levels));
        assert!(serde_json::from_str::<Predicate>(&nots(MAX_PREDICATE_DEPTH - 1)).is_ok());
        let refused = serde_json::from_str::<Predicate>(&nots(MAX_PREDICATE_DEPTH)).unwrap_err();
        assert!(refused.to_string().starts_with("the predicate is nested deeper than 60 levels"), "{refused}");
        let refused = serde_json::to_string(&deep(MAX_PREDICATE_DEPTH + 1)).unwrap_err();
        assert!(refused.to_string().contains("deeper than"), "{refused}");
    }

    /// In a debug build, on a stack of two mebibytes.
    #[test]
    fn deeper_input_is_refused() {
        let all = || {
            for levels in [MAX_PREDICATE_DEPTH + 1, 10_000] {
                // `Json` has no limit of its own, and drops recursively.
                let nested = |leaf: Json, part: &dyn Fn(Json) -> Json| (1..levels).fold(leaf, |inner, _| part(inner));
                let object = |name: &str, inner: Json| Json::Object([(name.to_owned(), inner)].into_iter().collect());
                let json = nested(json!("all"), &|inner| object("and", Json::Array(vec![inner])));
                let refused = Predicate::deserialize(&json).unwrap_err();
                assert!(refused.to_string().contains("deeper than"), "{refused}");
                std::mem::forget(json);
                let json = nested(json!({}), &|inner| {
                    let groups = [("by".to_owned(), Json::Array(vec![])), ("within".to_owned(), inner)];
                    object("groups", Json::Object(groups.into_iter().collect()))
                });
                assert!(Statistics::deserialize(&json).is_err());
                std::mem::forget(json);
            }
            // No level is left entered.
            let text = serde_json::to_string(&deep(MAX_PREDICATE_DEPTH)).unwrap();
            assert!(serde_json::from_str::<Predicate>(&text).is_ok());
        };
        std::thread::Builder::new().stack_size(2 << 20).spawn(all).unwrap().join().unwrap();
    }
}
