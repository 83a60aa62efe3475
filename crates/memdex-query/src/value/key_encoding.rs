//! Encodes the parts of a key as bytes in the order of the keys, and decodes them.
//!
//! The encoding follows FoundationDB's tuple layer: each part has a tag. Integers are big-endian in as few bytes as
//! they need, with the number of bytes in the tag. Strings have `00` escaped as `00 ff`; their terminator `00` is
//! written only before a further part, so that a key of one short string stays short. A decimal is its floor as an
//! integer, then the digits of the fraction in pairs, each pair plus one as a byte, then `00`.

use super::bits::{float_of, ordered_bits};
use super::{DecimalValue, Value, ValueRef};

/// A missing value: only in indexes, never in a key.
pub(super) const TAG_NULL: u8 = 0x00;
pub(super) const TAG_BYTES: u8 = 0x01;
pub(super) const TAG_STR: u8 = 0x02;
pub(super) const TAG_CHAR: u8 = 0x03;
pub(super) const TAG_FALSE: u8 = 0x04;
pub(super) const TAG_TRUE: u8 = 0x05;
/// Zero. A positive integer of n bytes has this tag plus n, a negative one minus n.
pub(super) const TAG_ZERO: u8 = 0x20;
pub(super) const TAG_LOWEST_INT: u8 = TAG_ZERO - 16;
pub(super) const TAG_HIGHEST_INT: u8 = TAG_ZERO + 16;
pub(super) const TAG_FLOAT: u8 = 0x40;
pub(super) const TAG_DATE: u8 = 0x41;
pub(super) const TAG_TIMESTAMP: u8 = 0x42;
pub(super) const TAG_UUID: u8 = 0x43;
pub(super) const TAG_DECIMAL: u8 = 0x44;

/// The unit of the first pair of digits after the point of a decimal.
const FIRST_PAIR: u128 = 10u128.pow(DecimalValue::MAX_SCALE as u32 - 2);

/// Appends a part. `open` is set while the last part is a string without its terminator.
pub fn encode(part: ValueRef<'_>, open: &mut bool, mut write: impl FnMut(&[u8])) {
    if std::mem::take(open) {
        write(&[0]);
    }
    match part.canonical() {
        ValueRef::Null => {}
        ValueRef::Bool(b) => write(&[if b { TAG_TRUE } else { TAG_FALSE }]),
        ValueRef::Int(n) => integer(n < 0, n.unsigned_abs().into(), write),
        ValueRef::Int128(n) => integer(n < 0, n.unsigned_abs(), write),
        ValueRef::UInt128(n) => integer(false, n, write),
        ValueRef::Float(x) => {
            write(&[TAG_FLOAT]);
            write(&ordered_bits(x).to_be_bytes());
        }
        ValueRef::Char(c) => {
            write(&[TAG_CHAR]);
            write(&u32::from(c).to_be_bytes());
        }
        ValueRef::Str(s) => {
            *open = true;
            escaped(TAG_STR, s.as_bytes(), write);
        }
        ValueRef::Collated(collated) => {
            *open = true;
            escaped(TAG_STR, collated.key().as_bytes(), write);
        }
        ValueRef::Bytes(b) => {
            *open = true;
            escaped(TAG_BYTES, b, write);
        }
        ValueRef::Uuid(bytes) => {
            write(&[TAG_UUID]);
            write(&bytes);
        }
        ValueRef::Timestamp(nanos) => {
            write(&[TAG_TIMESTAMP]);
            write(&(nanos ^ i128::MIN).to_be_bytes());
        }
        ValueRef::Date(days) => {
            write(&[TAG_DATE]);
            write(&(days ^ i32::MIN).to_be_bytes());
        }
        ValueRef::Decimal(number) => decimal(number, write),
    }
}

/// Encodes several values, which may be missing, as bytes in the order of the values, part by part. The encoding of the
/// first parts is a prefix of the encoding of all.
pub fn encode_parts<'a>(parts: impl IntoIterator<Item = ValueRef<'a>>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32);
    let mut open = false;
    for part in parts {
        if part.is_null() {
            if std::mem::take(&mut open) {
                bytes.push(0);
            }
            bytes.push(TAG_NULL);
        } else {
            encode(part, &mut open, |more| bytes.extend_from_slice(more));
        }
    }
    // A shorter tuple must be a prefix of every longer one that starts with it.
    if open {
        bytes.push(0);
    }
    bytes
}

fn decimal(number: DecimalValue, mut write: impl FnMut(&[u8])) {
    let (floor, mut fraction) = number.split();
    write(&[TAG_DECIMAL]);
    integer(floor < 0, floor.unsigned_abs(), &mut write);
    while fraction > 0 {
        write(&[(fraction / FIRST_PAIR) as u8 + 1]);
        fraction = fraction % FIRST_PAIR * 100;
    }
    write(&[0]);
}

/// Negative numbers are complemented, so that the lower one comes first.
fn integer(negative: bool, magnitude: u128, mut write: impl FnMut(&[u8])) {
    let bytes = (u128::BITS - magnitude.leading_zeros()).div_ceil(8) as u8;
    let tag = if negative { TAG_ZERO - bytes } else { TAG_ZERO + bytes };
    let magnitude = if negative { !magnitude } else { magnitude };
    write(&[tag]);
    write(&magnitude.to_be_bytes()[16 - usize::from(bytes)..]);
}

fn escaped(tag: u8, bytes: &[u8], mut write: impl FnMut(&[u8])) {
    write(&[tag]);
    if !bytes.contains(&0) {
        return write(bytes);
    }
    for run in bytes.split_inclusive(|b| *b == 0) {
        write(run);
        if run.last() == Some(&0) {
            write(&[0xff]);
        }
    }
}

/// Decodes all parts.
pub fn decode_parts(mut bytes: &[u8]) -> impl Iterator<Item = Value> {
    std::iter::from_fn(move || {
        let (part, after) = decode(bytes)?;
        bytes = after;
        Some(part)
    })
}

/// Decodes the first part; returns it and the rest.
pub(super) fn decode(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    fn split<const N: usize>(rest: &[u8]) -> Option<([u8; N], &[u8])> {
        rest.split_first_chunk::<N>().map(|(head, tail)| (*head, tail))
    }
    let (value, rest) = match tag {
        TAG_NULL => (ValueRef::Null, rest),
        TAG_FALSE | TAG_TRUE => (ValueRef::Bool(tag == TAG_TRUE), rest),
        TAG_LOWEST_INT..=TAG_HIGHEST_INT => {
            let (magnitude, tail) = decode_integer(tag, rest)?;
            let below_zero = || ValueRef::Int128(magnitude.wrapping_neg() as i128);
            (if tag < TAG_ZERO { below_zero() } else { ValueRef::UInt128(magnitude) }, tail)
        }
        TAG_FLOAT => split(rest).map(|(b, tail)| (ValueRef::Float(float_of(u64::from_be_bytes(b))), tail))?,
        TAG_CHAR => {
            split(rest).and_then(|(b, tail)| Some((ValueRef::Char(char::from_u32(u32::from_be_bytes(b))?), tail)))?
        }
        TAG_STR | TAG_BYTES => {
            let (text, tail) = unescape(rest);
            let value = match (tag, std::str::from_utf8(&text)) {
                (TAG_STR, Ok(text)) => Value::from(text),
                _ => Value::from(text.as_slice()),
            };
            return Some((value, tail));
        }
        TAG_UUID => split(rest).map(|(bytes, tail)| (ValueRef::Uuid(bytes), tail))?,
        TAG_TIMESTAMP => {
            split(rest).map(|(b, tail)| (ValueRef::Timestamp(i128::from_be_bytes(b) ^ i128::MIN), tail))?
        }
        TAG_DATE => split(rest).map(|(b, tail)| (ValueRef::Date(i32::from_be_bytes(b) ^ i32::MIN), tail))?,
        TAG_DECIMAL => {
            let (&tag @ TAG_LOWEST_INT..=TAG_HIGHEST_INT, rest) = rest.split_first()? else { return None };
            let (magnitude, rest) = decode_integer(tag, rest)?;
            let floor = if tag < TAG_ZERO { magnitude.wrapping_neg() } else { magnitude } as i128;
            let end = rest.iter().position(|byte| *byte == 0)?;
            let (mut fraction, mut unit) = (0, FIRST_PAIR);
            for pair in &rest[..end] {
                fraction += u128::from(pair - 1) * unit;
                unit /= 100;
            }
            (ValueRef::Decimal(DecimalValue::join(floor, fraction)?), &rest[end + 1..])
        }
        _ => return None,
    };
    Some((value.to_value(), rest))
}

/// Decodes the magnitude of the integer with this tag; returns it and the rest.
fn decode_integer(tag: u8, rest: &[u8]) -> Option<(u128, &[u8])> {
    let bytes = usize::from(tag.abs_diff(TAG_ZERO));
    let (digits, tail) = rest.split_at_checked(bytes)?;
    let mut padded = [if tag < TAG_ZERO { 0xff } else { 0 }; 16];
    padded[16 - bytes..].copy_from_slice(digits);
    let bits = u128::from_be_bytes(padded);
    Some((if tag < TAG_ZERO { !bits } else { bits }, tail))
}

/// Decodes the text up to a `00` without `ff` after it; returns it and the rest.
fn unescape(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let mut text = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte == 0 && bytes.get(at + 1) != Some(&0xff) {
            return (text, &bytes[at + 1..]);
        }
        text.push(byte);
        at += if byte == 0 { 2 } else { 1 };
    }
    (text, &[])
}
