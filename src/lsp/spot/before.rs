//! The spot of what is being typed: the file is read line by line up to the cursor, whatever state it is in.

use super::flow::Flow;
use super::{Kind, Spot, Step};

/// A key or a dash that what follows may belong to.
#[derive(Debug)]
struct Level {
    indent: usize,
    step: Step,
}

/// What the last line left open.
#[derive(Debug)]
enum Open {
    /// A scalar behind `|` or `>`, of a key so far to the right.
    Block { indent: usize, start: Option<usize> },
    /// A mapping or list between braces or brackets.
    Flow(Flow),
    /// A scalar in quotes.
    Quoted { quote: char, start: usize, indent: usize, kind: Kind },
    /// A scalar without quotes, which lines further to the right than its key go on with.
    Plain { indent: usize, start: usize },
}

#[derive(Debug, Default)]
struct Reading {
    levels: Vec<Level>,
    open: Option<Open>,
}

/// What stands in front of the cursor on its line.
enum Last {
    /// A scalar that began at this byte, with its quote.
    Scalar { start: usize, quote: Option<char>, kind: Kind, indent: usize },
    /// Nothing that can be completed: a comment, or a scalar that is closed.
    Nothing,
    /// Something between braces or brackets.
    Flow,
}

impl Spot {
    /// What is being typed at a byte of a file; none in a comment, or behind a scalar that is closed.
    pub(in crate::lsp) fn before(file: &str, offset: usize) -> Option<Self> {
        let prefix = &file[..offset];
        let mut reading = Reading::default();
        let mut at = 0;
        let last_line = prefix.rfind('\n').map_or(0, |end| end + 1);
        for line in prefix[..last_line].split_inclusive('\n') {
            reading.line(file, line.trim_end_matches(['\n', '\r']), at);
            at += line.len();
        }
        let last = reading.line(file, &prefix[last_line..], last_line);
        let levels = |levels: Vec<Level>| levels.into_iter().map(|level| level.step);
        match last {
            Last::Nothing => None,
            Last::Flow => {
                let Some(Open::Flow(flow)) = reading.open else { return None };
                let inside = flow.inside()?;
                let path = levels(reading.levels).chain(inside.path).collect();
                let (text, offsets) = decoded(file, inside.start.unwrap_or(offset), offset, inside.quote);
                Some(Self { path, kind: inside.kind, text, offsets, siblings: inside.seen })
            }
            Last::Scalar { start, quote, kind, indent } => {
                if prefix[last_line..].trim().is_empty() && kind == Kind::Either {
                    reading.levels_at(indent);
                }
                let siblings = siblings(file, last_line, indent);
                let (text, offsets) = decoded(file, start, offset, quote);
                Some(Self { path: levels(reading.levels).collect(), kind, text, offsets, siblings })
            }
        }
    }
}

impl Reading {
    /// Reads a line that stands in the file from `at` on; what its end is in.
    fn line(&mut self, file: &str, line: &str, at: usize) -> Last {
        let indent = line.len() - line.trim_start_matches(' ').len();
        let rest = &line[indent..];
        match self.open.take() {
            Some(Open::Block { indent: key, start }) if rest.trim().is_empty() || indent > key => {
                let start = start.unwrap_or(at + indent);
                self.open = Some(Open::Block { indent: key, start: Some(start) });
                Last::Scalar { start, quote: None, kind: Kind::Value, indent: key }
            }
            Some(Open::Flow(mut flow)) => {
                flow.line(file, line, at);
                self.after_flow(flow)
            }
            Some(Open::Quoted { quote, start, indent, kind }) => self.quoted(line, quote, start, indent, kind),
            Some(Open::Plain { indent: key, start }) if indent > key && key_of(rest).is_none() => {
                if rest.starts_with('#') {
                    return Last::Nothing;
                }
                self.open = Some(Open::Plain { indent: key, start });
                Last::Scalar { start, quote: None, kind: Kind::Value, indent: key }
            }
            _ => self.fresh(file, line, at, indent),
        }
    }

    /// A line that begins something of its own.
    fn fresh(&mut self, file: &str, line: &str, at: usize, mut indent: usize) -> Last {
        let mut rest = &line[indent..];
        if rest.starts_with('#') || rest.starts_with("---") {
            return Last::Nothing;
        }
        if rest.is_empty() {
            return Last::Scalar { start: at + indent, quote: None, kind: Kind::Either, indent };
        }
        let mut is_item = false;
        while let Some(behind) = rest.strip_prefix('-').filter(|behind| behind.is_empty() || behind.starts_with(' ')) {
            self.levels.retain(|level| level.indent < indent || level.indent == indent && level.step != Step::Item);
            self.levels.push(Level { indent, step: Step::Item });
            let gap = 1 + (behind.len() - behind.trim_start_matches(' ').len());
            (rest, indent, is_item) = (&rest[gap..], indent + gap, true);
        }
        let begin = at + line.len() - rest.len();
        let Some((key, value)) = key_of(rest) else {
            if !is_item && !rest.is_empty() {
                self.levels_at(indent);
            }
            return self.scalar(file, rest, begin, Kind::Either, indent);
        };
        self.levels_at(indent);
        self.levels.push(Level { indent, step: Step::Key(key.to_owned()) });
        let (value, begin) = (&rest[value..], begin + value);
        if matches!(value.trim_end().trim_end_matches(['+', '-']), "|" | ">") {
            self.open = Some(Open::Block { indent, start: None });
            return Last::Nothing;
        }
        self.scalar(file, value, begin, Kind::Value, indent)
    }

    /// Drops the levels that something so far to the right does not belong to.
    fn levels_at(&mut self, indent: usize) {
        self.levels.retain(|level| level.indent < indent);
    }

    /// A scalar, or what stands between braces or brackets, from `begin` on.
    fn scalar(&mut self, file: &str, text: &str, begin: usize, kind: Kind, indent: usize) -> Last {
        match text.chars().next() {
            Some('{' | '[') => {
                let mut flow = Flow::default();
                flow.line(file, text, begin);
                self.after_flow(flow)
            }
            Some(quote @ ('\'' | '"')) => self.quoted(&text[1..], quote, begin + 1, indent, kind),
            Some('#') => Last::Nothing,
            _ if text.contains(" #") => Last::Nothing,
            Some(_) => {
                // An element of a list has no key: what goes on with it stands further right than its dash.
                let key = if kind == Kind::Either { indent.saturating_sub(2) } else { indent };
                self.open = Some(Open::Plain { indent: key, start: begin });
                Last::Scalar { start: begin, quote: None, kind, indent }
            }
            None => Last::Scalar { start: begin, quote: None, kind, indent },
        }
    }

    /// The rest of a scalar in quotes that began at `start`.
    fn quoted(&mut self, line: &str, quote: char, start: usize, indent: usize, kind: Kind) -> Last {
        let mut chars = line.chars().peekable();
        while let Some(sign) = chars.next() {
            let is_doubled = sign == quote && quote == '\'' && chars.peek() == Some(&'\'');
            if is_doubled || sign == '\\' && quote == '"' {
                chars.next();
            } else if sign == quote {
                return Last::Nothing;
            }
        }
        self.open = Some(Open::Quoted { quote, start, indent, kind });
        Last::Scalar { start, quote: Some(quote), kind, indent }
    }

    fn after_flow(&mut self, flow: Flow) -> Last {
        if flow.is_closed() {
            return Last::Nothing;
        }
        self.open = Some(Open::Flow(flow));
        Last::Flow
    }
}

/// The key that a line begins with, and where its value begins.
fn key_of(line: &str) -> Option<(&str, usize)> {
    let (key, behind) = match line.chars().next()? {
        '{' | '[' | '#' => return None,
        quote @ ('\'' | '"') => {
            let end = 1 + line[1..].find(quote)?;
            (&line[1..end], end + 1)
        }
        _ => {
            let end = line.match_indices(':').map(|(at, _)| at).find(|at| line[at + 1..].is_empty() || line[at + 1..].starts_with(' '))?;
            (&line[..end], end)
        }
    };
    let value = line[behind..].strip_prefix(':').filter(|value| value.is_empty() || value.starts_with(' '))?;
    let gap = value.len() - value.trim_start_matches(' ').len();
    Some((key.trim_end(), behind + 1 + gap))
}

/// The keys of the mapping that a line at `line` belongs to, so far to the right, without the line itself.
fn siblings(file: &str, line: usize, indent: usize) -> Vec<(String, String)> {
    /// A key with its value.
    type Entry<'t> = (&'t str, &'t str);
    /// The column where a line begins, that of its key behind dashes, and the key.
    fn parts(line: &str) -> Option<(usize, usize, Option<Entry<'_>>)> {
        let raw = line.len() - line.trim_start_matches(' ').len();
        let mut rest = &line[raw..];
        if rest.trim().is_empty() || rest.starts_with('#') {
            return None;
        }
        while let Some(behind) = rest.strip_prefix("- ") {
            rest = behind.trim_start_matches(' ');
        }
        let key = key_of(rest).map(|(key, value)| (key, rest[value..].trim().trim_matches(['\'', '"'])));
        Some((raw, line.len() - rest.len(), key))
    }
    let own = file[line..].lines().next().unwrap_or_default();
    let mut found = Vec::new();
    let mut add = |key: Option<Entry<'_>>| found.extend(key.map(|(key, value)| (key.to_owned(), value.to_owned())));
    let begins_item = own.trim_start().starts_with('-');
    for (raw, column, key) in file[..line].lines().rev().filter_map(parts).take_while(|_| !begins_item) {
        match (raw < indent, column == indent) {
            (true, true) => {
                add(key);
                break;
            }
            (true, false) => break,
            (false, true) if raw == indent => add(key),
            _ => {}
        }
    }
    for (raw, column, key) in file[line..].lines().skip(1).filter_map(parts) {
        if raw < indent || raw == indent && column > raw {
            break;
        }
        if raw == indent {
            add(key);
        }
    }
    found
}

/// The text of a scalar between two bytes of the file, and where each byte of it comes from.
fn decoded(file: &str, start: usize, end: usize, quote: Option<char>) -> (String, Vec<usize>) {
    let (mut text, mut offsets) = (String::new(), Vec::new());
    let mut chars = file[start..end].char_indices().peekable();
    while let Some((at, sign)) = chars.next() {
        let escapes = match quote {
            Some('\'') => sign == '\'',
            Some('"') => sign == '\\',
            _ => false,
        };
        let (at, sign) = if escapes { chars.next().unwrap_or((at, sign)) } else { (at, sign) };
        text.push(sign);
        offsets.extend((0..sign.len_utf8()).map(|byte| start + at + byte));
    }
    offsets.push(end);
    (text, offsets)
}
