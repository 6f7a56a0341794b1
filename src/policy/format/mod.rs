//! The canonical format of the files of a policies folder. Comments stay, and so does the meaning: a step that would
//! change it is not taken.
//!
//! A policy file gets its expressions respelled where they stand and its top-level keys in the order of the schema; every
//! file gets its blanks tidied.

mod expressions;
mod layout;

use std::sync::Arc;

use crate::criteria;
use crate::diagnostic::{Diagnostic, Lang, SourceFile};
use crate::yaml::{self, Node, Value};

/// A file in the canonical format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Formatted {
    /// Its text.
    pub text: String,
    /// Whether that is another text than the file has.
    pub changed: bool,
}

/// The canonical format of a file, with the operators and functions of expressions in the language `words`.
///
/// # Errors
///
/// What is wrong with a file that is not sound YAML; it cannot be put in order.
pub fn format(file: &Arc<SourceFile>, words: Lang) -> Result<Formatted, Vec<Diagnostic>> {
    let (node, diagnostics) = yaml::parse(file);
    let Some(meaning) = node.filter(|_| diagnostics.is_empty()) else { return Err(diagnostics) };
    let mut text = file.text.clone();
    let mut step = |change: &dyn Fn(&Node) -> String| {
        let (Some(node), told) = yaml::parse(&SourceFile::new(&file.path, text.as_str())) else { return };
        let next = change(&node);
        let (after, more) = yaml::parse(&SourceFile::new(&file.path, next.as_str()));
        if told.is_empty() && more.is_empty() && after.is_some_and(|after| same(&meaning, &after)) {
            text = next;
        }
    };
    step(&layout::line_ends);
    if is_policy(&meaning) {
        step(&|node| expressions::respelled(node, words));
        step(&layout::keys_in_order);
    }
    step(&layout::blanks);
    Ok(Formatted { changed: text != file.text, text })
}

fn is_policy(root: &Node) -> bool {
    let has = |name: &str| root.mapping().is_some_and(|entries| entries.iter().any(|(key, _)| key.text() == Some(name)));
    (has("criteria") || has("listed")) && has("benefit")
}

/// Whether two trees mean the same: equal but for the order of keys and the spelling of expressions.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            one.is_null() == other.is_null() && (left.text == right.text || same_expression(&left.text, &right.text))
        }
        (Value::Sequence(left), Value::Sequence(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Mapping(left), Value::Mapping(right)) => {
            let found = |key: &Node, value: &Node| right.iter().any(|(other, there)| same(key, other) && same(value, there));
            left.len() == right.len() && left.iter().all(|(key, value)| found(key, value))
        }
        _ => false,
    }
}

fn same_expression(one: &str, other: &str) -> bool {
    let canonical = |text: &str| match criteria::parse(text) {
        (Some(tree), errors) if errors.is_empty() => Some(criteria::print(&tree)),
        _ => None,
    };
    canonical(one).is_some_and(|one| canonical(other) == Some(one))
}

#[cfg(test)]
mod tests;
