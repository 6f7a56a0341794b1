//! The words of a message with holes: `{amount}` is put in, `[…]` is left out where a hole inside it has nothing to say.
//!
//! `{{`, `}}`, `[[` and `]]` stand for the signs themselves. A hole that may be empty must stand inside `[…]`, so that no
//! message ever has a gap where a sum or a day should be.

use std::ops::Range;

use crate::diagnostic::{Diagnostic, code};
use crate::yaml::Node;

/// What can be put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hole {
    /// The name of the policy.
    Policy,
    /// The authority that answers for it.
    Authority,
    /// How the subject is addressed: 您, your household.
    Who,
    /// The subject's identifier, masked.
    Subject,
    /// How to refuse or object.
    Object,
    /// The amount with its unit.
    Amount,
    /// The period.
    Period,
    /// What for.
    Occasion,
    /// The conditions that carry the yes.
    Reason,
    /// Where to see and confirm.
    Link,
    /// The day by which an answer is asked for, or up to which a list is public.
    Until,
    /// What an official says.
    Note,
    /// The name of the bundle.
    Bundle,
    /// How many cases a bundle has.
    Count,
    /// The cases of a bundle, one a line.
    Items,
}

/// Holes of the words for one case: name, hole, whether it may be empty.
pub const OF_A_CASE: &[(&str, Hole, bool)] = &[
    ("policy", Hole::Policy, false),
    ("authority", Hole::Authority, false),
    ("who", Hole::Who, false),
    ("subject", Hole::Subject, false),
    ("object", Hole::Object, false),
    ("amount", Hole::Amount, true),
    ("period", Hole::Period, true),
    ("occasion", Hole::Occasion, true),
    ("reason", Hole::Reason, true),
    ("link", Hole::Link, true),
    ("until", Hole::Until, true),
    ("note", Hole::Note, true),
];

/// Holes of the words for a bundle.
pub const OF_A_BUNDLE: &[(&str, Hole, bool)] = &[
    ("who", Hole::Who, false),
    ("subject", Hole::Subject, false),
    ("bundle", Hole::Bundle, false),
    ("count", Hole::Count, false),
    ("items", Hole::Items, false),
];

/// Words with holes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Words(String),
    Hole(Hole),
    Optional(Vec<Part>),
}

impl Template {
    /// Reads the words of a scalar; every mistake is told at its very signs.
    pub fn read(node: &Node, holes: &[(&str, Hole, bool)], diagnostics: &mut Vec<Diagnostic>) -> Self {
        let text = node.text().unwrap_or_default();
        let mut reader = Reader { node, text, holes, diagnostics, at: 0 };
        Self(reader.parts(None))
    }

    /// The words with what each hole says; a hole without anything to say outside of `[…]` says nothing.
    #[must_use]
    pub fn fill(&self, say: &dyn Fn(Hole) -> Option<String>) -> String {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Words(words) => text.push_str(words),
                Part::Hole(hole) => text.push_str(&say(*hole).unwrap_or_default()),
                Part::Optional(parts) => text.push_str(&optional(parts, say).unwrap_or_default()),
            }
        }
        text
    }
}

/// The words of an optional part; none where a hole of it is empty.
fn optional(parts: &[Part], say: &dyn Fn(Hole) -> Option<String>) -> Option<String> {
    let one = |part: &Part| match part {
        Part::Words(words) => Some(words.clone()),
        Part::Hole(hole) => say(*hole).filter(|said| !said.is_empty()),
        Part::Optional(parts) => Some(optional(parts, say).unwrap_or_default()),
    };
    parts.iter().map(one).collect()
}

struct Reader<'a> {
    node: &'a Node,
    text: &'a str,
    holes: &'a [(&'a str, Hole, bool)],
    diagnostics: &'a mut Vec<Diagnostic>,
    at: usize,
}

impl Reader<'_> {
    /// Parts up to the end, or to the bracket that closes the one that began at `open`.
    fn parts(&mut self, open: Option<usize>) -> Vec<Part> {
        let (mut parts, mut words) = (Vec::new(), String::new());
        while let Some(sign) = self.text[self.at..].chars().next() {
            let start = self.at;
            self.at += sign.len_utf8();
            match sign {
                '{' | '}' | '[' | ']' if self.text[self.at..].starts_with(sign) => {
                    self.at += 1;
                    words.push(sign);
                }
                ']' if open.is_some() => {
                    flush(&mut words, &mut parts);
                    return parts;
                }
                '{' => {
                    flush(&mut words, &mut parts);
                    parts.extend(self.hole(start, open.is_some()).map(Part::Hole));
                }
                '[' => {
                    flush(&mut words, &mut parts);
                    parts.push(Part::Optional(self.parts(Some(start))));
                }
                '}' | ']' => self.unpaired(start),
                sign => words.push(sign),
            }
        }
        if let Some(start) = open {
            self.unpaired(start);
        }
        flush(&mut words, &mut parts);
        parts
    }

    fn hole(&mut self, start: usize, is_optional: bool) -> Option<Hole> {
        let rest = &self.text[self.at..];
        let Some(end) = rest.find(['}', '{', '\n']).filter(|end| rest[*end..].starts_with('}')) else {
            self.unpaired(start);
            return None;
        };
        let name = rest[..end].trim();
        let place = self.at..self.at + end;
        self.at += end + 1;
        let Some((_, hole, may_be_empty)) = self.holes.iter().find(|(known, ..)| *known == name) else {
            let names = self.holes.iter().map(|(known, ..)| *known);
            let list = names.clone().collect::<Vec<_>>().join(", ");
            self.tell(place, |place| {
                Diagnostic::new(&code::UNKNOWN_PLACEHOLDER, format!("没有“{name}”这个占位符"), format!("unknown placeholder `{name}`"))
                    .at(place)
                    .did_you_mean(name, names)
                    .help(format!("可用的占位符: {list}"), format!("placeholders known here: {list}"))
            });
            return None;
        };
        if *may_be_empty && !is_optional {
            self.tell(start..self.at, |place| {
                let (zh, en) =
                    (format!("“{{{name}}}”可能是空的, 须放在方括号里"), format!("`{{{name}}}` may be empty: it stands inside brackets"));
                Diagnostic::new(&code::TEMPLATE_SYNTAX, zh, en).at(place).help(
                    format!("写成 [… {{{name}}} …]: 没有内容时整段略去"),
                    format!("write [… {{{name}}} …]: the part is left out where there is nothing to say"),
                )
            });
        }
        Some(*hole)
    }

    fn unpaired(&mut self, start: usize) {
        let sign = self.text[start..].chars().next().unwrap_or(' ');
        self.tell(start..start + 1, |place| {
            Diagnostic::new(&code::TEMPLATE_SYNTAX, format!("“{sign}”没有配对"), format!("`{sign}` has no partner"))
                .at(place)
                .help(format!("要写这个符号本身, 写两次: {sign}{sign}"), format!("for the sign itself write it twice: {sign}{sign}"))
        });
    }

    fn tell(&mut self, place: Range<usize>, told: impl FnOnce(crate::diagnostic::Span) -> Diagnostic) {
        self.diagnostics.push(told(self.node.place(place)));
    }
}

fn flush(words: &mut String, parts: &mut Vec<Part>) {
    if !words.is_empty() {
        parts.push(Part::Words(std::mem::take(words)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;
    use crate::yaml;

    fn read(text: &str) -> (Template, Vec<Diagnostic>) {
        let (node, mut told) = yaml::parse(&SourceFile::new("t.yaml", format!("t: {}", serde_json::to_string(text).expect("JSON"))));
        let node = node.expect("a tree");
        let template = Template::read(&node.mapping().expect("a mapping")[0].1, OF_A_CASE, &mut told);
        (template, told)
    }

    #[track_caller]
    fn check(text: &str, filled: &str) {
        let (template, told) = read(text);
        assert!(told.is_empty(), "{told:?}");
        let say = |hole| match hole {
            Hole::Policy => Some("津贴".to_owned()),
            Hole::Amount => Some("1 元".to_owned()),
            Hole::Period => Some(String::new()),
            _ => None,
        };
        assert_eq!(template.fill(&say), filled);
    }

    #[track_caller]
    fn faults(text: &str, expected: &[(&str, &str)]) {
        let told = read(text).1;
        let told: Vec<(&str, &str)> =
            told.iter().map(|one| (one.code.name, one.primary.as_ref().map_or("", |place| place.text()))).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn holes_are_filled_and_empty_parts_left_out() {
        check("“{policy}”[, 金额 {amount}][, 时间 {period}][, {link}]。", "“津贴”, 金额 1 元。");
        check("[{policy}[ {period}] {amount}]", "津贴 1 元");
        check("{ policy }", "津贴");
    }

    #[test]
    fn signs_stand_for_themselves_when_doubled() {
        check("{{x}} [[y]]", "{x} [y]");
        check("[[{policy}]]", "[津贴]");
    }

    #[test]
    fn mistakes_are_told_at_their_signs() {
        faults("{polciy} 津贴", &[("unknown-placeholder", "polciy")]);
        assert!(read("{polciy}").1[0].help.iter().any(|help| help.en == "did you mean `policy`?"));
        faults("金额 {amount}", &[("template-syntax", "{amount}")]);
        faults("{bundle}", &[("unknown-placeholder", "bundle")]);
        faults("[金额 {amount}", &[("template-syntax", "[")]);
        faults("a } b", &[("template-syntax", "}")]);
        faults("a ] b", &[("template-syntax", "]")]);
        faults("{policy", &[("template-syntax", "{")]);
        faults("{policy {who}", &[("template-syntax", "{")]);
    }
}
