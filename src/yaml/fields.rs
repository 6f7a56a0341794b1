//! Reading a mapping key by key: every mistake is collected, unknown keys are told at the end.

use std::time::Duration;

use chrono::NaiveDate;

use super::Node;
use crate::diagnostic::{Diagnostic, Message, Span, code};

/// A mapping being read. Call [`Fields::finish`] when all known keys have been asked for.
pub struct Fields<'a> {
    node: &'a Node,
    asked: Vec<&'static str>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Fields<'a> {
    /// Starts reading; none, with a diagnostic, when the node is no mapping.
    pub fn new(node: &'a Node, diagnostics: &'a mut Vec<Diagnostic>) -> Option<Self> {
        if node.mapping().is_none() {
            diagnostics.push(wrong_shape(node, "一组“键: 值”", "a mapping of keys to values"));
            return None;
        }
        Some(Self { node, asked: Vec::new(), diagnostics })
    }

    /// The place of the mapping.
    #[must_use]
    pub fn span(&self) -> Span {
        // A whole mapping is too long to underline: its first key stands for it.
        self.node.mapping().and_then(<[_]>::first).map_or_else(|| self.node.span(), |(key, _)| key.span())
    }

    /// Adds a diagnostic found while reading this mapping.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The list that diagnostics go to.
    pub fn diagnostics(&mut self) -> &mut Vec<Diagnostic> {
        self.diagnostics
    }

    /// The value of a key, if it is there and not null.
    pub fn optional(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let entries = self.node.mapping()?;
        entries.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// The value of a key; a diagnostic when it is missing.
    pub fn required(&mut self, key: &'static str) -> Option<&'a Node> {
        let found = self.optional(key);
        if found.is_none() {
            let place = self.span();
            self.report(
                Diagnostic::new(&code::MISSING_KEY, format!("缺少“{key}”"), format!("`{key}` is missing"))
                    .at(place)
                    .help(format!("加上一行 {key}: …"), format!("add a line `{key}: …`")),
            );
        }
        found
    }

    /// An optional scalar as text.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let node = self.optional(key)?;
        self.scalar(node, "一段文字", "text").map(str::to_owned)
    }

    /// A required scalar as text.
    pub fn required_text(&mut self, key: &'static str) -> Option<String> {
        let node = self.required(key)?;
        self.scalar(node, "一段文字", "text").map(str::to_owned)
    }

    /// An optional `true` or `false` (also `yes`, `no`, `是`, `否`).
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let node = self.optional(key)?;
        match node.text() {
            Some("true" | "yes" | "是") => Some(true),
            Some("false" | "no" | "否") => Some(false),
            _ => {
                self.report(wrong_shape(node, "true 或 false", "true or false"));
                None
            }
        }
    }

    /// An optional whole number.
    pub fn integer(&mut self, key: &'static str) -> Option<i64> {
        let node = self.optional(key)?;
        let parsed = node.text().and_then(|text| text.replace('_', "").parse().ok());
        if parsed.is_none() {
            self.report(wrong_shape(node, "一个整数", "a whole number"));
        }
        parsed
    }

    /// An optional whole number above zero.
    pub fn number<T: TryFrom<i64>>(&mut self, key: &'static str) -> Option<T> {
        let node = self.optional(key)?;
        let number = self.integer(key)?;
        let read = T::try_from(number).ok().filter(|_| number > 0);
        if read.is_none() {
            self.report(wrong_shape(node, "一个大于零的整数", "a whole number above zero"));
        }
        read
    }

    /// An optional number of seconds, whole and above zero.
    pub fn seconds(&mut self, key: &'static str) -> Option<Duration> {
        self.number::<u32>(key).map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// An optional date, written 2024-02-29.
    pub fn date(&mut self, key: &'static str) -> Option<NaiveDate> {
        let node = self.optional(key)?;
        let parsed = node.text().and_then(parse_date);
        if parsed.is_none() {
            self.report(wrong_shape(node, "日期, 如 2024-02-29", "a date such as 2024-02-29"));
        }
        parsed
    }

    /// An optional list of scalars.
    pub fn texts(&mut self, key: &'static str) -> Vec<(String, Span)> {
        let Some(node) = self.optional(key) else { return Vec::new() };
        let Some(items) = node.sequence() else {
            self.report(wrong_shape(node, "一个列表", "a list"));
            return Vec::new();
        };
        items.iter().filter_map(|item| self.scalar(item, "一段文字", "text").map(|text| (text.to_owned(), item.span()))).collect()
    }

    /// An optional list of nodes.
    pub fn list(&mut self, key: &'static str) -> &'a [Node] {
        let Some(node) = self.optional(key) else { return &[] };
        node.sequence().unwrap_or_else(|| {
            self.report(wrong_shape(node, "一个列表", "a list"));
            &[]
        })
    }

    /// An optional label: `{zh: …, en: …}` or one text for both.
    pub fn message(&mut self, key: &'static str) -> Option<Message> {
        let node = self.optional(key)?;
        message(node, self.diagnostics)
    }

    /// One of a few words, mapped to a value.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let node = self.optional(key)?;
        let given = self.scalar(node, "一个词", "a word")?;
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == given) {
            return Some(*value);
        }
        let (zh, en) = (format!("“{key}”不能是“{given}”"), format!("`{key}` cannot be `{given}`"));
        self.report(no_such_word((zh, en), given, node.span(), choices));
        None
    }

    /// An optional list of some of a few words, mapped to values.
    pub fn choices<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Vec<T> {
        let mut found = Vec::new();
        for (given, place) in self.texts(key) {
            match choices.iter().find(|(word, _)| *word == given) {
                Some((_, value)) => found.push(*value),
                None => {
                    let (zh, en) = (format!("“{key}”里不能有“{given}”"), format!("`{key}` cannot hold `{given}`"));
                    self.report(no_such_word((zh, en), &given, place, choices));
                }
            }
        }
        found
    }

    /// Tells every key that nobody asked for.
    pub fn finish(self) {
        let Some(entries) = self.node.mapping() else { return };
        for (key, _) in entries {
            let name = key.text().unwrap_or_default();
            if !self.asked.contains(&name) {
                self.diagnostics.push(
                    Diagnostic::new(&code::UNKNOWN_KEY, format!("不认识的键“{name}”"), format!("unknown key `{name}`"))
                        .at(key.span())
                        .did_you_mean(name, self.asked.iter().copied())
                        .help(format!("这里可用的键: {}", self.asked.join(", ")), format!("keys known here: {}", self.asked.join(", "))),
                );
            }
        }
    }

    fn scalar(&mut self, node: &'a Node, zh: &str, en: &str) -> Option<&'a str> {
        let text = node.text();
        if text.is_none() {
            self.report(wrong_shape(node, zh, en));
        }
        text
    }
}

/// A label: `{zh: …, en: …}` or one text for both languages.
pub fn message(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Message> {
    if let Some(text) = node.text() {
        return Some(Message::new(text, text));
    }
    let mut fields = Fields::new(node, diagnostics)?;
    let zh = fields.text("zh").unwrap_or_default();
    let en = fields.text("en").unwrap_or_else(|| zh.clone());
    fields.finish();
    Some(Message::new(zh, en))
}

/// A date written `2024-02-29`.
#[must_use]
pub fn parse_date(text: &str) -> Option<NaiveDate> {
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// The diagnostic for a word that is none of those that are known.
fn no_such_word<T>((zh, en): (String, String), given: &str, place: Span, known: &[(&str, T)]) -> Diagnostic {
    let words = known.iter().map(|(word, _)| *word);
    let list = words.clone().collect::<Vec<_>>().join(", ");
    let told = Diagnostic::new(&code::WRONG_SHAPE, zh, en).at(place).did_you_mean(given, words);
    told.help(format!("可用的值: {list}"), format!("one of: {list}"))
}

/// The diagnostic for a node that is not what was expected.
#[must_use]
pub fn wrong_shape(node: &Node, zh: &str, en: &str) -> Diagnostic {
    Diagnostic::new(&code::WRONG_SHAPE, format!("这里应当是{zh}"), format!("expected {en} here")).at(node.span())
}
