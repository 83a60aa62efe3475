//! Keys that contain the type of their entity: `Payment:123`.

use super::{Element, FieldValue, Kind, Text, Value, ValueRef};
use smol_str::{SmolStr, format_smolstr};
use std::fmt;
use std::str::FromStr;

/// Separates the type from the id.
const COLON: char = ':';

/// A key of the form `Payment:123`: the type of an entity and its id. It takes 24 bytes, and up to 23 bytes of text are
/// inline.
///
/// The first colon ends the type, so an id may contain colons. Neither part may be empty, and there is no escaping. For
/// queries and for serde it is a string, and it can be the key of a record:
///
/// ```
/// use memdex::{Record, Store};
/// use memdex::typing::EntityKey;
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
    /// Contains a colon, with text before and after the first one.
    text: SmolStr,
}

errors! {
    /// A text or parts that do not make an [`EntityKey`].
    #[derive(Clone, Debug, PartialEq, Eq)]
    #[non_exhaustive]
    pub enum EntityKeyError {
        /// There is no colon.
        NoColon [text] {} => ("{text:?} has no colon; write the type before the id, as in Payment:123"),
        /// The type before the first colon is empty.
        NoEntity [text] {} => ("{text:?} has no type before its colon; write one, as in Payment:123"),
        /// The id after the first colon is empty.
        NoId [text] {} => ("{text:?} has no id after its colon; write one, as in Payment:123"),
        /// The type contains a colon, where the key would be split.
        ColonInEntity [] {
            /// The type.
            entity: String,
        } => ("the type {entity:?} contains a colon, which would end it; remove the colon"),
    }
}

impl std::error::Error for EntityKeyError {}

impl EntityKey {
    /// Makes the key of an entity from its type and its id.
    ///
    /// # Errors
    /// An [`EntityKeyError`] if a part is empty or the type contains a colon.
    pub fn join(entity: &str, id: impl fmt::Display) -> Result<Self, EntityKeyError> {
        if entity.contains(COLON) {
            return Err(EntityKeyError::ColonInEntity { entity: entity.to_owned() });
        }
        format_smolstr!("{entity}{COLON}{id}").as_str().parse()
    }

    /// Splits a key into its type and its id.
    ///
    /// ```
    /// use memdex::typing::EntityKey;
    /// assert_eq!(EntityKey::split("Payment:123"), Ok(("Payment", "123")));
    /// assert_eq!(EntityKey::split("Flight:EWR:1545"), Ok(("Flight", "EWR:1545")));
    /// assert!(EntityKey::split("123").is_err());
    /// ```
    ///
    /// # Errors
    /// An [`EntityKeyError`] if there is no colon, or nothing before or after the first one.
    pub fn split(text: &str) -> Result<(&str, &str), EntityKeyError> {
        let owned = || text.to_owned();
        match text.split_once(COLON) {
            None => Err(EntityKeyError::NoColon { text: owned() }),
            Some(("", _)) => Err(EntityKeyError::NoEntity { text: owned() }),
            Some((_, "")) => Err(EntityKeyError::NoId { text: owned() }),
            Some(parts) => Ok(parts),
        }
    }

    /// The type: the text before the first colon.
    pub fn entity(&self) -> &str {
        self.text.split_once(COLON).map_or("", |(entity, _)| entity)
    }

    /// The id: the text after the first colon.
    pub fn id(&self) -> &str {
        self.text.split_once(COLON).map_or("", |(_, id)| id)
    }

    /// The heap bytes of this key, with the two counters of its `Arc`.
    pub(super) fn heap_bytes(&self) -> usize {
        if self.text.is_heap_allocated() { 16 + self.text.len() } else { 0 }
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
    fn texts_that_are_not_keys_are_refused() {
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
