//! Bytes as hexadecimal digits, and back.

use std::fmt::Write as _;

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of hexadecimal digits, of either case; none where the text holds anything else, or half a byte.
#[must_use]
pub fn bytes(text: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let read = pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?));
    read.collect::<Option<_>>().filter(|_| rest.is_empty())
}

/// The same where it is known how many they are.
#[must_use]
pub fn exactly<const N: usize>(text: &str) -> Option<[u8; N]> {
    bytes(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(digits(&all[..18]), "000102030405060708090a0b0c0d0e0f1011");
        assert_eq!(bytes(&digits(&all)), Some(all));
        assert_eq!(bytes(""), Some(Vec::new()));
        assert_eq!(exactly("fF00"), Some([255, 0]));
        assert_eq!((exactly::<1>("ff00"), exactly::<3>("ff00")), (None, None));
    }

    #[test]
    fn what_is_no_digit_is_refused() {
        for text in ["f", "fff", "zz", "+f", " f", "0x00", "样00", "00样0", "f\u{0}"] {
            assert_eq!(bytes(text), None, "{text:?}");
        }
    }
}
