//! What the words of an expression mean, word by word: facts, columns, links, functions, parameters, codes.
//!
//! The words are followed from the left, with what names mean inside and outside of quantifiers, so that a text that is
//! half written is understood as far as it goes.

use std::ops::Range;

use super::role::Names;
use crate::check::catalogue::{Catalogue, FactId, How};
use crate::check::typing::Type;
use crate::criteria::{Lexeme, LexemeKind, lexemes, words};
use crate::register::declaration::SubjectKind;

/// What a word means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A fact.
    Fact(FactId),
    /// A column of a register.
    Column {
        /// The register.
        register: String,
        /// The column.
        column: String,
    },
    /// A link, by its place among all links.
    Link(usize),
    /// A function or an aggregate, by its English name.
    Function(&'static str),
    /// `as_of`, `age`
    Builtin(&'static str),
    /// A parameter, by its name.
    Parameter(String),
    /// A policy, by its code.
    Policy(String),
    /// A region, by its code.
    Region(String),
    /// A text beside a coded value: the value, and the text.
    Code(Box<Self>, String),
    /// A name that means nothing here.
    Unknown(String),
}

impl Meaning {
    /// The type of a fact or column.
    pub(super) fn ty<'c>(&self, catalogue: &'c Catalogue) -> Option<&'c Type> {
        match self {
            Self::Fact(id) => Some(&catalogue.fact(*id).ty),
            Self::Column { register, column } => catalogue.rows.get(register)?.iter().find(|(name, _)| name == column).map(|(_, ty)| ty),
            _ => None,
        }
    }
}

/// What may come where an expression breaks off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    /// A value, made of what names mean.
    Value(Names),
    /// An aggregate of many linked subjects.
    Aggregate,
    /// An operator, or the end.
    Operator,
    /// What a function is given by name: `param`, `entitled`, `region`.
    Argument {
        /// The function.
        of: &'static str,
        /// Whether the opening quote is written.
        quoted: bool,
    },
    /// A code of a coded value, or a region.
    Code {
        /// The value that it is compared with.
        of: Box<Meaning>,
        /// Whether the opening quote is written.
        quoted: bool,
    },
    /// Nothing that is known.
    Nothing,
}

/// The functions that are given a name in quotes.
const NAMED: [&str; 3] = ["param", "entitled", "region"];

/// How a list of values behind `in` is called among the functions.
const LIST: &str = "in";

/// An open parenthesis, or the whole.
#[derive(Debug, Clone, Default)]
struct Frame {
    names: Names,
    /// The function that is called, in English.
    callee: Option<&'static str>,
    /// The value that is compared.
    left: Option<Meaning>,
    /// Whether `=` stands between it and what comes.
    compares: bool,
    /// How many arguments stand complete.
    arguments: usize,
    /// What names mean in a `where`.
    tail: Option<Names>,
}

/// Follows an expression from the left.
struct Walk<'a> {
    catalogue: &'a Catalogue,
    frames: Vec<Frame>,
    /// The last link of the path that is being read.
    link: Option<usize>,
    /// Whether the path goes on behind a dot.
    dotted: bool,
    /// What the value to the left means.
    last: Option<Meaning>,
    /// Whether a value stands complete to the left.
    after_value: bool,
    /// Whether `in` was just read.
    lists: bool,
}

/// The meaning of each word of an expression that has one, with its place in the text.
pub(super) fn meanings(text: &str, names: &Names, catalogue: &Catalogue) -> Vec<(Range<usize>, Meaning)> {
    let all = lexemes(text);
    let mut walk = Walk::new(names, catalogue);
    let next = |at: usize| all.get(at + 1).map(|next| &next.kind);
    all.iter().enumerate().filter_map(|(at, lexeme)| Some((lexeme.range.clone(), walk.step(lexeme, next(at))?))).collect()
}

/// What may come at the end of an expression that breaks off, and the byte at which the word begins that is being typed.
pub(super) fn expected(text: &str, names: &Names, catalogue: &Catalogue) -> (Expected, usize) {
    let mut all = lexemes(text);
    let (mut begin, mut quoted) = (text.len(), false);
    // The word at the cursor is not followed: it is what is being typed.
    if let Some(last) = all.last().cloned() {
        let is_word = text[last.range.clone()].chars().all(|sign| sign == '_' || sign.is_alphanumeric());
        match last.kind {
            LexemeKind::Text { content, closed: false } => {
                (begin, quoted) = (text.len() - content.len(), true);
                all.pop();
            }
            LexemeKind::Value | LexemeKind::Text { .. } if last.range.end == text.len() => return (Expected::Nothing, begin),
            _ if last.range.end == text.len() && is_word => {
                begin = last.range.start;
                all.pop();
            }
            _ => {}
        }
    }
    let mut walk = Walk::new(names, catalogue);
    for (at, lexeme) in all.iter().enumerate() {
        let _ = walk.step(lexeme, all.get(at + 1).map(|next| &next.kind));
    }
    (walk.expected(quoted), begin)
}

impl<'a> Walk<'a> {
    fn new(names: &Names, catalogue: &'a Catalogue) -> Self {
        let frames = vec![Frame { names: names.clone(), ..Frame::default() }];
        Self { catalogue, frames, link: None, dotted: false, last: None, after_value: false, lists: false }
    }

    fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::default());
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn names(&self) -> Names {
        self.frames.last().map(|frame| frame.names.clone()).unwrap_or_default()
    }

    /// Goes one word further; what the word means.
    fn step(&mut self, lexeme: &Lexeme, next: Option<&LexemeKind>) -> Option<Meaning> {
        let lists = std::mem::take(&mut self.lists);
        match &lexeme.kind {
            LexemeKind::Name(name) => {
                if !std::mem::take(&mut self.dotted) {
                    self.link = None;
                }
                let meaning = self.name(name, next);
                self.last = Some(meaning.clone());
                self.after_value = true;
                return Some(meaning);
            }
            LexemeKind::Text { content, .. } => {
                let meaning = self.text(content);
                (self.last, self.after_value) = (None, true);
                return meaning;
            }
            LexemeKind::Dot => (self.dotted, self.after_value) = (true, false),
            LexemeKind::Open => self.open(lists),
            LexemeKind::Close => self.close(),
            LexemeKind::Where => {
                let frame = self.frame();
                if let Some(names) = frame.tail.take() {
                    frame.names = names;
                }
                self.fresh();
            }
            LexemeKind::Equality | LexemeKind::In => {
                let left = self.last.take();
                let frame = self.frame();
                (frame.left, frame.compares) = (left, lexeme.kind == LexemeKind::Equality);
                (self.lists, self.after_value) = (lexeme.kind == LexemeKind::In, false);
            }
            LexemeKind::Comma => {
                let frame = self.frame();
                frame.arguments += 1;
                if frame.callee != Some(LIST) {
                    (frame.left, frame.compares) = (None, false);
                }
                (self.last, self.after_value) = (None, false);
            }
            LexemeKind::Operator => self.fresh(),
            LexemeKind::Value | LexemeKind::Tail => (self.last, self.after_value) = (None, true),
        }
        None
    }

    /// An operand begins.
    fn fresh(&mut self) {
        let frame = self.frame();
        (frame.left, frame.compares) = (None, false);
        (self.last, self.after_value) = (None, false);
    }

    fn name(&mut self, name: &str, next: Option<&LexemeKind>) -> Meaning {
        let is_call = next == Some(&LexemeKind::Open);
        let english = words::english(name).unwrap_or(name);
        let names = match self.link {
            Some(link) => {
                let link = &self.catalogue.registers.links[link];
                if link.many {
                    let aggregate = How::NAMES.into_iter().find(|known| *known == english);
                    return aggregate.map_or_else(|| Meaning::Unknown(name.to_owned()), Meaning::Function);
                }
                Names { register: None, facts: Some(link.to) }
            }
            None => self.names(),
        };
        let function = words::FUNCTIONS.iter().map(|(function, _)| *function).find(|function| *function == english);
        if let Some(function) = function.filter(|_| is_call && self.link.is_none()) {
            return Meaning::Function(function);
        }
        let link = || names.facts.and_then(|kind| self.link_named(kind, name));
        if let Some(link) = link().filter(|_| next == Some(&LexemeKind::Dot)) {
            self.link = Some(link);
            return Meaning::Link(link);
        }
        self.value(name, english, &names).or_else(|| link().map(Meaning::Link)).unwrap_or_else(|| Meaning::Unknown(name.to_owned()))
    }

    /// The link with a name or Chinese label that starts at a kind.
    fn link_named(&self, kind: SubjectKind, name: &str) -> Option<usize> {
        self.catalogue.registers.links.iter().position(|link| link.from == kind && (link.name == name || link.label.zh == name))
    }

    /// A column, a fact or a built-in name.
    fn value(&self, name: &str, english: &str, names: &Names) -> Option<Meaning> {
        let is_first = self.link.is_none();
        let builtin = words::NAMES.iter().map(|(builtin, _)| *builtin).find(|builtin| *builtin == english);
        if is_first && english == "as_of" {
            return builtin.map(Meaning::Builtin);
        }
        let columns = names.register.as_ref().and_then(|register| Some((register, self.catalogue.rows.get(register)?)));
        if let Some((register, _)) = columns.filter(|(_, columns)| columns.iter().any(|(column, _)| column == name)) {
            return Some(Meaning::Column { register: register.clone(), column: name.to_owned() });
        }
        let kind = names.facts?;
        let fact = self.catalogue.find(kind, name).or_else(|| self.catalogue.labelled(kind, name));
        fact.map(Meaning::Fact).or_else(|| builtin.filter(|_| is_first).map(Meaning::Builtin))
    }

    fn text(&mut self, content: &str) -> Option<Meaning> {
        let frame = self.frames.last()?;
        match frame.callee.filter(|_| frame.arguments == 0) {
            Some("param") => return Some(Meaning::Parameter(content.to_owned())),
            Some("entitled") => return Some(Meaning::Policy(content.to_owned())),
            Some("region") => return Some(Meaning::Region(content.to_owned())),
            _ => {}
        }
        let left = frame.left.as_ref().filter(|_| frame.compares || frame.callee == Some(LIST))?;
        let ty = left.ty(self.catalogue)?;
        if ty.region {
            return Some(Meaning::Region(content.to_owned()));
        }
        ty.codes.as_ref().map(|_| Meaning::Code(Box::new(left.clone()), content.to_owned()))
    }

    fn open(&mut self, lists: bool) {
        let names = self.names();
        let function = match &self.last {
            Some(Meaning::Function(name)) if self.after_value => Some(*name),
            _ => None,
        };
        let frame = if lists {
            let left = self.frames.last().and_then(|frame| frame.left.clone());
            Frame { names, callee: Some(LIST), left, ..Frame::default() }
        } else if let Some(function) = function {
            // In an aggregate of linked subjects, the columns of the link come first, then the facts of the subject.
            let inner = self
                .link
                .map(|link| &self.catalogue.registers.links[link])
                .map(|link| Names { register: Some(link.register.clone()), facts: Some(link.to) });
            let tail = How::by_name(function).map(|_| inner.clone().unwrap_or_else(|| names.clone()));
            Frame { names: inner.unwrap_or(names), callee: Some(function), tail, ..Frame::default() }
        } else {
            Frame { names, ..Frame::default() }
        };
        self.frames.push(frame);
        (self.last, self.link, self.after_value) = (None, None, false);
    }

    fn close(&mut self) {
        if self.frames.len() > 1 {
            let closed = self.frames.pop().unwrap_or_default();
            self.frame().tail = closed.tail;
        }
        (self.last, self.link, self.after_value) = (None, None, true);
    }

    /// What may come now; with `quoted`, inside a text that was begun.
    fn expected(&self, quoted: bool) -> Expected {
        let frame = self.frames.last().cloned().unwrap_or_default();
        let is_first = frame.arguments == 0 && !self.after_value;
        if let Some(of) = frame.callee.filter(|callee| NAMED.contains(callee) && is_first) {
            return Expected::Argument { of, quoted };
        }
        let coded = frame.left.filter(|left| {
            let is_coded = left.ty(self.catalogue).is_some_and(|ty| ty.region || ty.codes.is_some());
            is_coded && (frame.compares || frame.callee == Some(LIST)) && !self.after_value
        });
        if let Some(of) = coded {
            return Expected::Code { of: Box::new(of), quoted };
        }
        if quoted {
            return Expected::Nothing;
        }
        if self.dotted {
            return match self.link.map(|link| &self.catalogue.registers.links[link]) {
                Some(link) if link.many => Expected::Aggregate,
                Some(link) => Expected::Value(Names { register: None, facts: Some(link.to) }),
                None => Expected::Nothing,
            };
        }
        if self.after_value { Expected::Operator } else { Expected::Value(frame.names) }
    }
}

#[cfg(test)]
#[path = "meaning_tests.rs"]
mod tests;
