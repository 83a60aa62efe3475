//! The codec of saved values: serde in bincode's standard configuration. The only file that names `bincode`.
//!
//! The input may be hostile. Texts and bytes are borrowed from it, so no length that it claims is allocated before the bytes are
//! there; [`Guarded`] bounds the depth and the number of elements.

use super::guard::Guarded;
use crate::limits::MAX_SAVED_BLOCK_BYTES;
use bincode::config::{Configuration, Limit, standard};
use bincode::error::DecodeError;
use serde::{Deserialize, Serialize};

const CONFIG: Configuration<bincode::config::LittleEndian, bincode::config::Varint, Limit<MAX_SAVED_BLOCK_BYTES>> =
    standard().with_limit::<MAX_SAVED_BLOCK_BYTES>();

/// Appends a value.
pub(super) fn encode<T: Serialize + ?Sized>(value: &T, to: &mut Vec<u8>) -> Result<(), String> {
    bincode::serde::encode_into_std_write(value, to, CONFIG).map(drop).map_err(|error| error.to_string())
}

/// Takes a value off the front of the input. After an error, the input is unchanged.
pub(super) fn decode<'de, T: Deserialize<'de>>(from: &mut &'de [u8]) -> Result<T, String> {
    let seed = Guarded::<T>::of(from.len());
    let decoded = bincode::serde::seed_decode_from_slice(seed, from, CONFIG);
    let (value, bytes) = decoded.map_err(in_words)?;
    *from = &from[bytes..];
    Ok(value)
}

/// The codec's own messages are debug output.
fn in_words(error: DecodeError) -> String {
    match error {
        DecodeError::UnexpectedEnd { .. } => "it ends early".to_owned(),
        DecodeError::LimitExceeded => format!("it takes more than {MAX_SAVED_BLOCK_BYTES} bytes"),
        DecodeError::Utf8 { .. } => "a text that is not UTF-8".to_owned(),
        DecodeError::InvalidCharEncoding(_) => "a character that does not exist".to_owned(),
        DecodeError::InvalidBooleanValue(byte) => format!("{byte} in place of a truth value"),
        DecodeError::UnexpectedVariant { found, type_name, .. } => format!("{type_name} has no variant {found}"),
        DecodeError::OtherString(message) => message,
        DecodeError::Other(message) => message.to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;
    use std::collections::BTreeMap;
    use std::fmt::Debug;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Tree {
        below: Vec<Tree>,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Form {
        Unit,
        One(String),
        Two(u8, i128),
        Named { inner: Option<Box<Form>>, of: BTreeMap<String, Vec<f64>> },
    }

    fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
        let mut bytes = Vec::new();
        encode(&value, &mut bytes).unwrap();
        bytes.push(7);
        let mut rest = &bytes[..];
        assert_eq!(decode::<T>(&mut rest).unwrap(), value);
        assert_eq!(rest, [7]);
        for cut in 0..bytes.len() - 1 {
            assert!(decode::<T>(&mut &bytes[..cut]).is_err(), "{value:?} cut at {cut}");
        }
    }

    #[test]
    fn values_of_every_form_come_back() {
        round_trip(vec![Form::Unit, Form::One("ü".into()), Form::Two(255, i128::MIN)]);
        let of = BTreeMap::from([("a".to_owned(), vec![0.1, -0.0]), (String::new(), vec![])]);
        round_trip(Form::Named { inner: Some(Box::new(Form::Unit)), of });
        round_trip((Some('ß'), [1u64, u64::MAX], b"bytes".to_vec(), true, 1u8));
    }

    #[test]
    fn depth_and_counts_are_bounded() {
        let tree = |levels| (0..levels).fold(Tree { below: vec![] }, |inner, _| Tree { below: vec![inner] });
        round_trip(tree(40));
        // One byte a level.
        let error = decode::<Tree>(&mut &[1u8; 1 << 20][..]).unwrap_err();
        assert!(error.contains("levels"), "{error}");
        // 2^60 elements that take no bytes.
        let mut counts = Vec::new();
        encode(&(1u64 << 60), &mut counts).unwrap();
        let error = decode::<Vec<()>>(&mut &counts[..]).unwrap_err();
        assert!(error.contains("elements"), "{error}");
        for no_input in [decode::<String>(&mut &counts[..]).err(), decode::<Vec<u64>>(&mut &counts[..]).err()] {
            assert!(no_input.is_some());
        }
    }
}
