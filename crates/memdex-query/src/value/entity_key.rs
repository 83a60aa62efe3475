//! Keys that name the type of what they mean: `Payment:123`.

use super::{Element, FieldValue, Kind, Text, Value, ValueRef};
use compact_str::CompactString;
use std::fmt;
use std::str::FromStr;

/// What stands between the type and the id.
const COLON: char = ':';

/// A key of the form `Payment:123`: the type of an entity and its id. Up to 24 bytes it takes no allocation.
///
/// The first colon ends the type, so an id may contain more of them, and neither part may be empty; nothing is escaped. It
/// is a string to queries, and can be the key of a record:
///
/// ```
/// use memdex::{EntityKey, Record, Store};
///
/// #[derive(Record)]
/// struct Event {
///     #[record(key)]   id: EntityKey,
///     #[record(index)] about: Option<EntityKey>,
/// }
///
/// let events = Store::new().collection::<Event>("Event")?;
/// events.store(Event { id: "Event:1".parse()?, about: Some(EntityKey::join("Payment", "123")?) })?;
/// let event = events.get("Event:1").ok_or("no such event")?;
/// let about = event.about.as_ref().ok_or("about nothing")?;
/// assert_eq!((about.entity(), about.id()), ("Payment", "123"));
/// assert_eq!(events.find(event::ABOUT.eq("Payment:123")).count()?, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityKey {
    /// With a colon in it, and something before and behind the first.
    text: CompactString,
}

/// A text that is no [`EntityKey`], or parts that make none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntityKeyError {
    /// There is no colon.
    #[error("{text:?} has no colon: write the type before the id, as in Payment:123")]
    NoColon {
        /// The text.
        text: String,
    },
    /// Nothing stands before the first colon.
    #[error("{text:?} has no type before its colon: write one, as in Payment:123")]
    NoEntity {
        /// The text.
        text: String,
    },
    /// Nothing stands behind the first colon.
    #[error("{text:?} has no id behind its colon: write one, as in Payment:123")]
    NoId {
        /// The text.
        text: String,
    },
    /// A type with a colon in it would be cut at that colon when the key is split.
    #[error("the type {entity:?} has a colon in it, which would end it: leave it out")]
    ColonInEntity {
        /// The type.
        entity: String,
    },
}

impl EntityKey {
    /// The key of the entity of this type with this id.
    ///
    /// # Errors
    /// An [`EntityKeyError`] if a part is empty, or the type has a colon in it.
    pub fn join(entity: &str, id: impl fmt::Display) -> Result<Self, EntityKeyError> {
        if entity.contains(COLON) {
            return Err(EntityKeyError::ColonInEntity { entity: entity.to_owned() });
        }
        compact_str::format_compact!("{entity}{COLON}{id}").as_str().parse()
    }

    /// The type and the id of a key, borrowed from its text.
    ///
    /// ```
    /// use memdex::EntityKey;
    /// assert_eq!(EntityKey::split("Payment:123"), Ok(("Payment", "123")));
    /// assert_eq!(EntityKey::split("Flight:EWR:1545"), Ok(("Flight", "EWR:1545")));
    /// assert!(EntityKey::split("123").is_err());
    /// ```
    ///
    /// # Errors
    /// An [`EntityKeyError`] if there is no colon, or nothing before or behind the first.
    pub fn split(text: &str) -> Result<(&str, &str), EntityKeyError> {
        let owned = || text.to_owned();
        match text.split_once(COLON) {
            None => Err(EntityKeyError::NoColon { text: owned() }),
            Some(("", _)) => Err(EntityKeyError::NoEntity { text: owned() }),
            Some((_, "")) => Err(EntityKeyError::NoId { text: owned() }),
            Some(parts) => Ok(parts),
        }
    }

    /// The type: what stands before the first colon.
    pub fn entity(&self) -> &str {
        self.text.split_once(COLON).map_or("", |(entity, _)| entity)
    }

    /// The id: all behind the first colon.
    pub fn id(&self) -> &str {
        self.text.split_once(COLON).map_or("", |(_, id)| id)
    }

    /// The whole key.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for EntityKey {
    type Err = EntityKeyError;

    fn from_str(text: &str) -> Result<Self, EntityKeyError> {
        EntityKey::split(text)?;
        Ok(EntityKey { text: text.into() })
    }
}

impl AsRef<str> for EntityKey {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl From<&EntityKey> for Value {
    fn from(key: &EntityKey) -> Self {
        Value::from(key.as_str())
    }
}

impl FieldValue for EntityKey {
    type Base = Self;
    const KIND: Kind = Kind::Str;

    #[inline]
    fn value(&self) -> ValueRef<'_> {
        ValueRef::Str(&self.text)
    }
}

impl Element for EntityKey {}

impl Text for EntityKey {}

impl fmt::Debug for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.as_str())
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_split_at_the_first_colon_and_joined_again() {
        for (entity, id) in
            [("Payment", "123"), ("P", ":"), ("Flight", "EWR:1545"), ("ß", " "), ("a long type", "and a longer id")]
        {
            let key = EntityKey::join(entity, id).unwrap();
            assert_eq!((key.entity(), key.id()), (entity, id));
            assert_eq!(key.to_string().parse(), Ok(key.clone()));
            assert_eq!(EntityKey::split(key.as_str()), Ok((entity, id)));
        }
        assert_eq!(EntityKey::join("Payment", 123).unwrap().as_str(), "Payment:123");
    }

    #[test]
    fn what_is_no_key_is_refused_by_name() {
        let refused = |text: &str| text.parse::<EntityKey>().unwrap_err();
        for text in ["", "Payment", "123"] {
            assert_eq!(refused(text), EntityKeyError::NoColon { text: text.into() });
        }
        for text in [":", ":123", "::"] {
            assert_eq!(refused(text), EntityKeyError::NoEntity { text: text.into() });
        }
        assert_eq!(refused("Payment:"), EntityKeyError::NoId { text: "Payment:".into() });
        assert_eq!(EntityKey::join("", 1), Err(EntityKeyError::NoEntity { text: ":1".into() }));
        assert_eq!(EntityKey::join("Payment", ""), Err(EntityKeyError::NoId { text: "Payment:".into() }));
        assert_eq!(EntityKey::join("a:b", 1), Err(EntityKeyError::ColonInEntity { entity: "a:b".into() }));
    }
}
