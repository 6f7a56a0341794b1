//! Mappings and lists between braces and brackets, read up to the cursor.

use super::{Kind, Step};

/// A mapping or list that is not closed yet.
#[derive(Debug, Default)]
struct Frame {
    is_list: bool,
    /// The key whose value comes.
    key: Option<String>,
    seen: Vec<(String, String)>,
}

/// The state of reading; bytes are offsets into the file.
#[derive(Debug, Default)]
pub(super) struct Flow {
    frames: Vec<Frame>,
    /// The quote that the scalar is in.
    quote: Option<char>,
    /// The first byte of the scalar, behind its quote.
    start: Option<usize>,
    /// Where the scalar ended that was in quotes.
    end: Option<usize>,
}

/// What the cursor is in.
pub(super) struct Inside {
    pub(super) path: Vec<Step>,
    pub(super) kind: Kind,
    /// The first byte of the scalar; none where it has not begun.
    pub(super) start: Option<usize>,
    pub(super) quote: Option<char>,
    pub(super) seen: Vec<(String, String)>,
}

impl Flow {
    /// Reads a line that stands in the file from `at` on.
    pub(super) fn line(&mut self, file: &str, line: &str, at: usize) {
        let mut chars = line.char_indices().peekable();
        let mut before = ' ';
        while let Some((index, sign)) = chars.next() {
            let here = at + index;
            if let Some(quote) = self.quote {
                let next = chars.peek().map(|(_, next)| *next);
                if sign == quote && quote == '\'' && next == Some('\'') || sign == '\\' && quote == '"' {
                    chars.next();
                } else if sign == quote {
                    (self.quote, self.end) = (None, Some(here));
                }
                continue;
            }
            let next = chars.peek().map(|(_, next)| *next);
            match sign {
                '{' | '[' => self.open(sign == '['),
                '}' | ']' => self.close(file, here),
                ',' => self.separate(file, here),
                ':' if next.is_none_or(|next| next.is_whitespace() || matches!(next, ',' | '{' | '[')) || self.end.is_some() => {
                    self.colon(file, here);
                }
                '#' if before.is_whitespace() => return,
                '\'' | '"' if self.start.is_none() => (self.quote, self.start) = (Some(sign), Some(here + 1)),
                _ if sign.is_whitespace() => {}
                _ if self.start.is_none() => self.start = Some(here),
                _ => {}
            }
            before = sign;
        }
    }

    /// Whether every brace and bracket is closed.
    pub(super) fn is_closed(&self) -> bool {
        self.frames.is_empty()
    }

    /// What the end of what was read is in; none behind a quoted scalar.
    pub(super) fn inside(mut self) -> Option<Inside> {
        if self.end.is_some() {
            return None;
        }
        let path = self.frames.iter().enumerate().filter_map(|(at, frame)| match (&frame.key, frame.is_list) {
            (_, true) => Some(Step::Item),
            (Some(key), false) => Some(Step::Key(key.clone())),
            (None, false) => (at + 1 < self.frames.len()).then(|| Step::Key(String::new())),
        });
        let path = path.collect();
        let frame = self.frames.pop()?;
        let kind = if !frame.is_list && frame.key.is_none() { Kind::Key } else { Kind::Value };
        Some(Inside { path, kind, start: self.start, quote: self.quote, seen: frame.seen })
    }

    fn scalar(&mut self, file: &str, here: usize) -> String {
        let end = self.end.take().unwrap_or(here);
        self.start.take().map(|start| file[start..end].trim_end().to_owned()).unwrap_or_default()
    }

    fn open(&mut self, is_list: bool) {
        (self.start, self.end) = (None, None);
        self.frames.push(Frame { is_list, ..Frame::default() });
    }

    fn close(&mut self, file: &str, here: usize) {
        self.separate(file, here);
        self.frames.pop();
    }

    fn separate(&mut self, file: &str, here: usize) {
        let text = self.scalar(file, here);
        if let Some(frame) = self.frames.last_mut() {
            if let Some(key) = frame.key.take() {
                frame.seen.push((key, text));
            } else if !frame.is_list && !text.is_empty() {
                frame.seen.push((text, String::new()));
            }
        }
    }

    fn colon(&mut self, file: &str, here: usize) {
        if self.frames.last().is_some_and(|frame| !frame.is_list && frame.key.is_none()) {
            let text = self.scalar(file, here);
            if let Some(frame) = self.frames.last_mut() {
                frame.key = Some(text);
            }
        }
    }
}
