//! Places of the protocol (lines and code units) against places of files (bytes).

use std::ops::Range;

use gen_lsp_types::{Position, PositionEncodingKind, Range as LspRange};
use line_index::{LineCol, LineIndex, TextSize, WideEncoding, WideLineCol};

/// In what units a client counts the columns of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Bytes of UTF-8.
    Utf8,
    /// Code units of UTF-16 (what every client can), or characters.
    Wide(WideEncoding),
}

impl Encoding {
    /// The one that costs least among those that a client offers; UTF-16 where it offers none.
    pub(super) fn of(offered: &[PositionEncodingKind]) -> Self {
        if offered.contains(&PositionEncodingKind::UTF8) {
            Self::Utf8
        } else if offered.contains(&PositionEncodingKind::UTF32) && !offered.contains(&PositionEncodingKind::UTF16) {
            Self::Wide(WideEncoding::Utf32)
        } else {
            Self::Wide(WideEncoding::Utf16)
        }
    }

    /// Its name in the protocol.
    pub(super) fn kind(self) -> PositionEncodingKind {
        match self {
            Self::Utf8 => PositionEncodingKind::UTF8,
            Self::Wide(WideEncoding::Utf32) => PositionEncodingKind::UTF32,
            Self::Wide(_) => PositionEncodingKind::UTF16,
        }
    }
}

/// A text with its lines.
pub(super) struct Lines<'t> {
    text: &'t str,
    index: LineIndex,
    encoding: Encoding,
}

impl<'t> Lines<'t> {
    pub(super) fn new(text: &'t str, encoding: Encoding) -> Self {
        Self { text, index: LineIndex::new(text), encoding }
    }

    /// The position of a byte; what lies beyond the text, or inside a character, is moved back.
    pub(super) fn position(&self, offset: usize) -> Position {
        let offset = floor_char(self.text, offset);
        let size = TextSize::try_from(offset).unwrap_or(self.index.len());
        let LineCol { line, col } = self.index.line_col(size);
        let column = match self.encoding {
            Encoding::Utf8 => col,
            Encoding::Wide(wide) => self.index.to_wide(wide, LineCol { line, col }).map_or(col, |found| found.col),
        };
        Position { line, character: column }
    }

    /// The positions of a range of bytes.
    pub(super) fn range(&self, range: &Range<usize>) -> LspRange {
        LspRange { start: self.position(range.start), end: self.position(range.end.max(range.start)) }
    }

    /// The byte of a position; beyond the end of a line, its end; beyond the last line, the end of the text.
    pub(super) fn offset(&self, position: Position) -> usize {
        let Some(line) = self.index.line(position.line) else { return self.text.len() };
        let (start, end) = (usize::from(line.start()), usize::from(line.end()));
        let end = start + self.text[start..end].trim_end_matches(['\n', '\r']).len();
        let column = match self.encoding {
            Encoding::Utf8 => Some(position.character),
            Encoding::Wide(wide) => {
                self.index.to_utf8(wide, WideLineCol { line: position.line, col: position.character }).map(|found| found.col)
            }
        };
        let at = column.and_then(|column| usize::try_from(column).ok()).and_then(|column| start.checked_add(column)).unwrap_or(end);
        floor_char(self.text, at.min(end))
    }

    /// The bytes of a range of positions.
    pub(super) fn bytes(&self, range: LspRange) -> Range<usize> {
        let start = self.offset(range.start);
        start..self.offset(range.end).max(start)
    }
}

fn floor_char(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name: 高龄津贴\r\nwhen: 𠮷 or 年龄 >= 80\n";

    #[track_caller]
    fn check(encoding: Encoding, word: &str, line: u32, character: u32) {
        let lines = Lines::new(TEXT, encoding);
        let at = TEXT.find(word).expect("the word is there");
        assert_eq!(lines.position(at), Position { line, character });
        assert_eq!(lines.offset(Position { line, character }), at);
    }

    #[test]
    fn columns_count_what_the_client_counts() {
        let wide = Encoding::Wide;
        for (encoding, first, second) in [(Encoding::Utf8, 12, 14), (wide(WideEncoding::Utf16), 8, 12), (wide(WideEncoding::Utf32), 8, 11)]
        {
            check(encoding, "津贴", 0, first);
            check(encoding, "年龄", 1, second);
        }
    }

    #[test]
    fn what_lies_outside_is_moved_to_the_nearest_place() {
        let lines = Lines::new(TEXT, Encoding::Wide(WideEncoding::Utf16));
        let at = |line, character| lines.offset(Position { line, character });
        assert_eq!(at(0, 999), TEXT.find("\r\n").expect("an end of line"));
        assert_eq!((at(2, 0), at(9, 9), at(u32::MAX, u32::MAX)), (TEXT.len(), TEXT.len(), TEXT.len()));
        assert_eq!(at(1, 7), TEXT.find('𠮷').expect("the character"), "in the middle of a pair");
        assert_eq!(lines.position(TEXT.len() + 9), Position { line: 2, character: 0 });
        assert_eq!(lines.position(TEXT.find('高').expect("the character") + 1), Position { line: 0, character: 6 });
    }

    #[test]
    fn the_cheapest_encoding_that_is_offered() {
        assert_eq!(Encoding::of(&[]).kind(), PositionEncodingKind::UTF16);
        assert_eq!(Encoding::of(&[PositionEncodingKind::UTF16, PositionEncodingKind::UTF8]).kind(), PositionEncodingKind::UTF8);
        assert_eq!(Encoding::of(&[PositionEncodingKind::UTF32]).kind(), PositionEncodingKind::UTF32);
    }
}
