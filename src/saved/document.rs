//! JSON documents in a saved file: a flat list of tokens, so that reading one needs no recursion, and numbers keep every bit.

use super::codec::{decode, encode};
use crate::limits::MAX_DOCUMENT_DEPTH;
use crate::record::Document;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value as Json};

#[derive(Serialize, Deserialize)]
enum Token<'a> {
    Null,
    Bool(bool),
    Int(i64),
    UInt(u64),
    Float(f64),
    /// A number that is none of the others, as it is written.
    Number(&'a str),
    Text(&'a str),
    /// So many values follow.
    List(u64),
    /// So many pairs of a name and a value follow.
    Object(u64),
}

pub(super) fn encode_document(document: &Document, to: &mut Vec<u8>) -> Result<(), String> {
    encode_json(document.body(), to)
}

/// Documents have a bounded depth.
fn encode_json(json: &Json, to: &mut Vec<u8>) -> Result<(), String> {
    let token = match json {
        Json::Null => Token::Null,
        Json::Bool(value) => Token::Bool(*value),
        Json::Number(number) => return encode_number(number, to),
        Json::String(text) => Token::Text(text),
        Json::Array(items) => Token::List(items.len() as u64),
        Json::Object(fields) => Token::Object(fields.len() as u64),
    };
    encode(&token, to)?;
    match json {
        Json::Array(items) => items.iter().try_for_each(|item| encode_json(item, to)),
        Json::Object(fields) => fields.iter().try_for_each(|(name, field)| {
            encode(name, to)?;
            encode_json(field, to)
        }),
        _ => Ok(()),
    }
}

fn encode_number(number: &Number, to: &mut Vec<u8>) -> Result<(), String> {
    let float = || number.as_f64().filter(|float| Number::from_f64(*float).as_ref() == Some(number));
    if let Some(int) = number.as_i64() {
        encode(&Token::Int(int), to)
    } else if let Some(int) = number.as_u64() {
        encode(&Token::UInt(int), to)
    } else if let Some(float) = float() {
        encode(&Token::Float(float), to)
    } else {
        encode(&Token::Number(&number.to_string()), to)
    }
}

/// A list or an object that is not complete.
enum Open {
    List(Vec<Json>, u64),
    /// With the name of the field that comes next.
    Object(Map<String, Json>, String, u64),
}

pub(super) fn decode_document(from: &mut &[u8]) -> Result<Document, String> {
    let mut open: Vec<Open> = Vec::new();
    loop {
        let mut json = match decode::<Token<'_>>(from)? {
            Token::Null => Json::Null,
            Token::Bool(value) => value.into(),
            Token::Int(int) => int.into(),
            Token::UInt(int) => int.into(),
            Token::Float(float) => Number::from_f64(float).ok_or("a number that JSON does not have")?.into(),
            Token::Number(text) => Json::Number(serde_json::from_str(text).map_err(|error| error.to_string())?),
            Token::Text(text) => text.into(),
            Token::List(0) => Json::Array(Vec::new()),
            Token::Object(0) => Json::Object(Map::new()),
            nested => {
                if open.len() >= MAX_DOCUMENT_DEPTH {
                    return Err(format!("a document of more than {MAX_DOCUMENT_DEPTH} levels"));
                }
                open.push(match nested {
                    Token::List(items) => Open::List(Vec::new(), items),
                    Token::Object(fields) => Open::Object(Map::new(), decode(from)?, fields),
                    _ => unreachable!("the other tokens have no parts"),
                });
                continue;
            }
        };
        // The value may be the last of the list or object that it is in, and so on upward.
        loop {
            match open.pop() {
                None => return Document::new(json).map_err(|error| error.to_string()),
                Some(Open::List(mut items, left)) => {
                    items.push(json);
                    if left > 1 {
                        open.push(Open::List(items, left - 1));
                        break;
                    }
                    json = Json::Array(items);
                }
                Some(Open::Object(mut fields, name, left)) => {
                    if fields.insert(name, json).is_some() {
                        return Err("a document with two fields of one name".to_owned());
                    }
                    if left > 1 {
                        open.push(Open::Object(fields, decode(from)?, left - 1));
                        break;
                    }
                    json = Json::Object(fields);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_come_back() {
        let numbers = json!([0, -1, i64::MIN, u64::MAX, 0.1, -0.0, 1e300, 5e-324, 123456789.12345679]);
        let document = json!({
            "": null, "ü": [true, false, [], {}, [[]], [{ "a": { "b": [1, {}] } }]], "numbers": numbers, "text": "\u{0}\"ß"
        });
        let document = Document::new(document).unwrap();
        let mut bytes = Vec::new();
        encode_document(&document, &mut bytes).unwrap();
        let mut rest = &bytes[..];
        let back = decode_document(&mut rest).unwrap();
        assert_eq!((back.to_string(), rest.len()), (document.to_string(), 0));
        for cut in 0..bytes.len() {
            assert!(decode_document(&mut &bytes[..cut]).is_err());
        }
    }

    #[test]
    fn hostile_tokens_are_refused() {
        let bytes = |tokens: &[Token<'_>]| {
            let mut bytes = Vec::new();
            tokens.iter().for_each(|token| encode(token, &mut bytes).unwrap());
            bytes
        };
        let refused = |tokens: &[Token<'_>], why: &str| {
            let error = decode_document(&mut &bytes(tokens)[..]).unwrap_err();
            assert!(error.contains(why), "{error}");
        };
        refused(&[Token::List(u64::MAX), Token::Null], "");
        refused(&[Token::Null], "object");
        refused(&[Token::Number("1 2")], "");
        refused(&[Token::Float(f64::NAN)], "JSON");
        let deep: Vec<Token<'_>> = (0..100_000).map(|_| Token::List(1)).collect();
        refused(&deep, "levels");
        let mut twice = bytes(&[Token::Object(2)]);
        for _ in 0..2 {
            encode("a", &mut twice).unwrap();
            encode(&Token::Null, &mut twice).unwrap();
        }
        assert!(decode_document(&mut &twice[..]).unwrap_err().contains("one name"));
    }
}
