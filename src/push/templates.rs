//! The words of all messages: those built in, and those that a policy's folder has in `messages.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::message::{Kind, Text};
use super::template::{Hole, OF_A_BUNDLE, OF_A_CASE, Template};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::policy::document::PolicySet;
use crate::policy::read_file_with;
use crate::yaml::{self, Fields, Node, Texts};

/// The file beside `policy.yaml`.
pub const FILE: &str = "messages.yaml";

/// The words that hold where a policy has none of its own.
const BUILT_IN: &str = include_str!("messages.yaml");

/// The words of one message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words {
    title: InBoth,
    text: InBoth,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct InBoth {
    zh: Template,
    en: Template,
}

impl Words {
    /// Title and text, with what each hole says.
    #[must_use]
    pub fn fill(&self, say: &dyn Fn(Hole) -> Option<Text>) -> (Text, Text) {
        let zh = |hole| say(hole).map(|text| text.zh);
        let en = |hole| say(hole).map(|text| text.en);
        let both = |words: &InBoth| Text { zh: words.zh.fill(&zh), en: words.en.fill(&en) };
        (both(&self.title), both(&self.text))
    }
}

/// The words of messages, by kind; `bundle` stands beside the kinds.
#[derive(Debug, Clone, Default)]
struct Set {
    kinds: BTreeMap<Kind, Arc<Words>>,
    bundle: Option<Arc<Words>>,
}

/// The words of all messages.
#[derive(Debug, Clone)]
pub struct Templates {
    built_in: Set,
    of_policy: BTreeMap<String, Arc<Set>>,
}

impl Default for Templates {
    fn default() -> Self {
        Self::built_in()
    }
}

impl Templates {
    /// Those that are built in.
    ///
    /// # Panics
    ///
    /// Never: a test reads them.
    #[must_use]
    pub fn built_in() -> Self {
        let (node, mut told) = yaml::parse(&SourceFile::new(FILE, BUILT_IN));
        let built_in = node.map(|node| read(&node, &Set::default(), &mut told)).unwrap_or_default();
        assert!(told.is_empty(), "{told:?}");
        Self { built_in, of_policy: BTreeMap::new() }
    }

    /// Those that are built in, and those that stand beside policies; every mistake is told at its place.
    #[must_use]
    pub fn load(policies: &PolicySet, texts: &Texts) -> (Self, Vec<Diagnostic>) {
        let (mut templates, mut told) = (Self::built_in(), Vec::new());
        let folders: BTreeSet<&Path> = policies.policies.iter().filter_map(|policy| policy.path.parent()).collect();
        for folder in folders {
            let path = folder.join(FILE);
            if !texts.is_file(&path) {
                continue;
            }
            let file = match read_file_with(&path, texts) {
                Ok((file, _)) => file,
                Err(fault) => {
                    told.push(*fault);
                    continue;
                }
            };
            let (node, faults) = yaml::parse(&file);
            told.extend(faults);
            let Some(node) = node else { continue };
            let set = Arc::new(read(&node, &templates.built_in, &mut told));
            for policy in policies.policies.iter().filter(|policy| policy.path.parent() == Some(folder)) {
                templates.of_policy.insert(policy.code.clone(), Arc::clone(&set));
            }
        }
        (templates, told)
    }

    /// The words of a message about a policy.
    ///
    /// # Panics
    ///
    /// Never: a test sees that every kind is built in.
    #[must_use]
    pub fn of(&self, policy: &str, kind: Kind) -> &Words {
        let own = self.of_policy.get(policy).and_then(|set| set.kinds.get(&kind));
        own.or_else(|| self.built_in.kinds.get(&kind)).expect("every kind is built in")
    }

    /// The words around the cases of a bundle.
    ///
    /// # Panics
    ///
    /// Never: a test sees that they are built in.
    #[must_use]
    pub fn of_bundle(&self) -> &Words {
        self.built_in.bundle.as_ref().expect("a bundle's words are built in")
    }
}

/// Reads a file; what is left out is taken from another set. A policy's file has no words for bundles.
fn read(root: &Node, other: &Set, diagnostics: &mut Vec<Diagnostic>) -> Set {
    let mut set = Set::default();
    let Some(mut fields) = Fields::new(root, diagnostics) else { return set };
    for kind in Kind::ALL {
        if let Some(node) = fields.optional(kind.name()) {
            let words = words(node, OF_A_CASE, other.kinds.get(&kind).map(|words| &**words), fields.diagnostics());
            set.kinds.insert(kind, Arc::new(words));
        }
    }
    if other.kinds.is_empty()
        && let Some(node) = fields.optional("bundle")
    {
        set.bundle = Some(Arc::new(words(node, OF_A_BUNDLE, None, fields.diagnostics())));
    }
    fields.finish();
    set
}

fn words(node: &Node, holes: &[(&str, Hole, bool)], other: Option<&Words>, diagnostics: &mut Vec<Diagnostic>) -> Words {
    let mut words = other.cloned().unwrap_or_default();
    let Some(mut fields) = Fields::new(node, diagnostics) else { return words };
    for (key, target) in [("title", &mut words.title), ("text", &mut words.text)] {
        if let Some(node) = fields.optional(key) {
            in_both(node, holes, target, fields.diagnostics());
        }
    }
    fields.finish();
    words
}

fn in_both(node: &Node, holes: &[(&str, Hole, bool)], target: &mut InBoth, diagnostics: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::new(node, diagnostics) else { return };
    for (key, target) in [("zh", &mut target.zh), ("en", &mut target.en)] {
        fields.text(key);
        if let Some(node) = fields.optional(key).filter(|node| node.text().is_some()) {
            *target = Template::read(node, holes, fields.diagnostics());
        }
    }
    fields.finish();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::words::plain;

    #[test]
    fn every_kind_is_built_in_and_never_has_a_gap() {
        let templates = Templates::built_in();
        let full = |hole: Hole| Some(plain(&format!("<{hole:?}>")));
        // What may be empty is.
        let least = |hole: Hole| {
            OF_A_CASE.iter().find(|(_, known, _)| *known == hole).filter(|(.., may_be_empty)| !may_be_empty).and_then(|_| full(hole))
        };
        for kind in Kind::ALL {
            for (title, text) in [templates.of("A", kind).fill(&full), templates.of("A", kind).fill(&least)] {
                for text in [&title.zh, &title.en, &text.zh, &text.en] {
                    assert!(text.contains("<Policy>"), "{kind:?}: {text}");
                    assert!(!text.contains(['[', ']', '{', '}']) && !text.contains("  ") && !text.contains("。。"), "{kind:?}: {text}");
                }
                for text in [&text.zh, &text.en] {
                    assert!(text.contains("<Object>"), "{kind:?} says how to object: {text}");
                }
            }
        }
        let (title, text) = templates.of_bundle().fill(&full);
        assert!(title.zh.contains("<Bundle>") && text.en.contains("<Items>"));
    }
}
