//! Numbers and texts as bytes, and back.

use super::layout::Words;
use crate::store::StoreError;

/// Puts a row together.
#[derive(Debug, Default)]
pub struct Writer {
    /// What was written.
    pub bytes: Vec<u8>,
}

impl Writer {
    /// One byte.
    pub fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// A number without sign: seven bits a byte, lowest first.
    pub fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }

    /// How many of something follow.
    pub fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    /// A number with sign: small ones of either sign are short.
    pub fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    /// A text with its length.
    pub fn text(&mut self, text: &str) {
        self.count(text.len());
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// A text that may be absent.
    pub fn maybe(&mut self, text: Option<&str>) {
        match text {
            None => self.number(0),
            Some(text) => {
                self.count(text.len() + 1);
                self.bytes.extend_from_slice(text.as_bytes());
            }
        }
    }

    /// A text by its number where it has one, else as it is.
    pub fn word(&mut self, word: Option<u32>, text: &str) {
        match word {
            Some(word) => self.number(u64::from(word) + 1),
            None => {
                self.number(0);
                self.text(text);
            }
        }
    }
}

/// Takes a row apart.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the beginning.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// So many bytes.
    ///
    /// # Errors
    ///
    /// When the row ends before.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], StoreError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(cut)?;
        self.rest = rest;
        Ok(taken)
    }

    /// One byte.
    ///
    /// # Errors
    ///
    /// When the row ends before.
    pub fn byte(&mut self) -> Result<u8, StoreError> {
        Ok(self.take(1)?[0])
    }

    /// A number without sign.
    ///
    /// # Errors
    ///
    /// When the row ends before, or the number is longer than 64 bits.
    pub fn number(&mut self) -> Result<u64, StoreError> {
        let (mut number, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = self.byte()?;
            if shift > 63 || (shift == 63 && byte > 1) {
                return Err(StoreError::Damaged("a number of a row is too long".to_owned()));
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
            shift += 7;
        }
    }

    /// How many of something follow.
    ///
    /// # Errors
    ///
    /// When the row cannot hold so many, or ends before.
    pub fn count(&mut self) -> Result<usize, StoreError> {
        // Whatever is counted takes a byte at least: no more is ever made room for than the row is long.
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.rest.len()).ok_or_else(cut)
    }

    /// A place in a list of the run.
    ///
    /// # Errors
    ///
    /// When the row ends before.
    pub fn place(&mut self) -> Result<usize, StoreError> {
        usize::try_from(self.number()?).map_err(|_| cut())
    }

    /// A number with sign.
    ///
    /// # Errors
    ///
    /// When the row ends before, or the number is longer than 64 bits.
    pub fn signed(&mut self) -> Result<i64, StoreError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// A text.
    ///
    /// # Errors
    ///
    /// When the row ends before, or there is no text.
    pub fn text(&mut self) -> Result<&'a str, StoreError> {
        let count = self.count()?;
        self.texts(count)
    }

    /// A text that may be absent.
    ///
    /// # Errors
    ///
    /// When the row ends before, or there is no text.
    pub fn maybe(&mut self) -> Result<Option<&'a str>, StoreError> {
        match self.place()? {
            0 => Ok(None),
            count => self.texts(count - 1).map(Some),
        }
    }

    fn texts(&mut self, count: usize) -> Result<&'a str, StoreError> {
        std::str::from_utf8(self.take(count)?).map_err(|_| StoreError::Damaged("a text of a row is none".to_owned()))
    }

    /// A text by its number, or as it is.
    ///
    /// # Errors
    ///
    /// When the row ends before, or the run has no such text.
    pub fn word(&mut self, words: &Words) -> Result<std::sync::Arc<str>, StoreError> {
        match self.place()? {
            0 => Ok(self.text()?.into()),
            place => words.get(place - 1).cloned().ok_or_else(cut),
        }
    }
}

/// The row ends too early, or speaks of what its run does not have.
pub(super) fn cut() -> StoreError {
    StoreError::Damaged("a row is cut off, or of another run".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let numbers = [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX];
        let signed = [0, -1, 1, 63, -64, 64, i64::MIN, i64::MAX];
        let mut writer = Writer::default();
        for number in numbers {
            writer.number(number);
        }
        for number in signed {
            writer.signed(number);
        }
        let mut reader = Reader::new(&writer.bytes);
        assert_eq!(numbers.map(|_| reader.number()), numbers.map(Ok));
        assert_eq!(signed.map(|_| reader.signed()), signed.map(Ok));
        assert!(reader.byte().is_err(), "nothing is left");
    }

    #[test]
    fn texts_come_back() {
        let mut writer = Writer::default();
        for text in ["", "张三", "x"] {
            writer.text(text);
            writer.maybe(Some(text));
        }
        writer.maybe(None);
        let mut reader = Reader::new(&writer.bytes);
        for text in ["", "张三", "x"] {
            assert_eq!(reader.text(), Ok(text));
            assert_eq!(reader.maybe(), Ok(Some(text)));
        }
        assert_eq!(reader.maybe(), Ok(None));
    }

    #[test]
    fn what_is_cut_or_false_is_told() {
        assert!(Reader::new(&[0x80]).number().is_err());
        assert!(Reader::new(&[0xff; 11]).number().is_err());
        assert!(Reader::new(&[5, b'a']).text().is_err());
        assert!(Reader::new(&[2, 0xff, 0xfe]).text().is_err());
        assert!(Reader::new(&[9]).word(&Words::default()).is_err());
        // A count that no row could hold asks for no room.
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).count().is_err());
    }
}
