//! Base64 as in RFC 4648, section 4: the standard alphabet, with padding. Each byte string has one text.

/// The bytes of a text; `None` if it is not base64.
pub(super) fn read(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if !text.len().is_multiple_of(4) || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits.bytes() {
        bits = bits << 6 | value_of(digit)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    // The bits after the last byte are zero, so that no second text has these bytes.
    (bits == 0).then_some(bytes)
}

fn value_of(digit: u8) -> Option<u32> {
    let (first, value) = match digit {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'+' => (b'+', 62),
        b'/' => (b'/', 63),
        _ => return None,
    };
    Some(u32::from(digit - first) + value)
}

/// The text of a byte string.
#[cfg(feature = "json")]
pub(super) fn write(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(group.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let digit = char::from(DIGITS[(bits >> (18 - 6 * at)) as usize & 63]);
            text.push(if at > group.len() { '=' } else { digit });
        }
    }
    text
}

#[cfg(all(test, feature = "json"))]
mod tests {
    use super::*;

    /// The examples of RFC 4648, section 10, and all digits.
    #[test]
    fn bytes_are_written_and_read() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"foob", "Zm9vYg=="),
            (b"fooba", "Zm9vYmE="),
            (b"foobar", "Zm9vYmFy"),
            (b"\xfb\xff\xbf", "+/+/"),
        ] {
            assert_eq!(write(bytes), text);
            assert_eq!(read(text).as_deref(), Some(bytes), "{text}");
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(read(&write(&all)), Some(all));
        for wrong in ["Z", "Zg", "Zg=", "Zg===", "Zm8", "Zm9v=", "====", "Zh==", "Zm9=", "Z=g=", "-_-_", "Zm9 ", "Zgé"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
