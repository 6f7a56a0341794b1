//! The expressions of a policy, respelled where they stand.

use std::ops::Range;

use crate::criteria::ast::{Expr, ExprKind, Literal};
use crate::criteria::{self, print_in};
use crate::diagnostic::Lang;
use crate::yaml::Node;

/// Where expressions stand outside `criteria`: the key, and the key below it.
const PLACES: [(&str, &str); 8] = [
    ("occasion", ""),
    ("benefit", "amount"),
    ("each", "where"),
    ("each", "amount"),
    ("cap", "amount"),
    ("budget", "amount"),
    ("budget", "rank_by"),
    ("criteria", "when"),
];

/// The text of a policy with every expression in its canonical spelling.
///
/// An expression over several lines keeps the layout that its author gave it, one beside a comment of its own keeps all.
pub(super) fn respelled(root: &Node, words: Lang) -> String {
    let mut found = Vec::new();
    for (key, value) in root.mapping().unwrap_or_default() {
        for (_, below) in PLACES.iter().filter(|(place, _)| key.text() == Some(place)) {
            gather(value, below, *below == "when", is_flow(root), &mut found);
        }
    }
    let mut edits: Vec<(Range<usize>, String)> =
        found.into_iter().filter_map(|(node, flow)| Some((place(node), respell(node, flow, words)?))).collect();
    edits.sort_by_key(|(range, _)| range.start);
    let mut text = root.file.text.clone();
    for (range, new) in edits.into_iter().rev() {
        text.replace_range(range, &new);
    }
    text
}

/// The scalars under `key`, at any depth where that is asked for; each with whether it stands inside `{ }` or `[ ]`.
fn gather<'n>(node: &'n Node, key: &str, deep: bool, flow: bool, found: &mut Vec<(&'n Node, bool)>) {
    if key.is_empty() {
        found.push((node, flow));
        return;
    }
    let flow = flow || is_flow(node);
    for (name, value) in node.mapping().unwrap_or_default() {
        if name.text() == Some(key) {
            found.push((value, flow));
        } else if deep {
            gather(value, key, deep, flow, found);
        }
    }
    for item in node.sequence().unwrap_or_default() {
        gather(item, key, deep, flow, found);
    }
}

/// Whether a list or mapping is written with brackets.
fn is_flow(node: &Node) -> bool {
    node.scalar().is_none() && node.file.text[node.range.clone()].starts_with(['{', '['])
}

/// The place of a scalar, quotes included; the reader counts a comment behind a quoted one in.
fn place(node: &Node) -> Range<usize> {
    let written = &node.file.text[node.range.clone()];
    let quote = written.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let end = quote.filter(|_| !written.ends_with(['\'', '"'])).and_then(|quote| {
        let comment = written.match_indices(" #").map(|(at, _)| at);
        comment.map(|at| written[..at].trim_end().len()).find(|end| *end > 1 && written[..*end].ends_with(quote))
    });
    node.range.start..node.range.start + end.unwrap_or(written.len())
}

/// The canonical spelling of a scalar in YAML; none where it stays as it is.
fn respell(node: &Node, flow: bool, words: Lang) -> Option<String> {
    let text = node.text()?;
    let written = &node.file.text[place(node)];
    // The place of a block scalar begins behind its header: it has a line break before it.
    let before = node.file.text[..node.range.start].trim_end_matches(' ');
    if written.contains(['\n', '#']) || before.ends_with('\n') || node.is_null() {
        return None;
    }
    let (tree, errors) = criteria::parse(text);
    let tree = tree.filter(|_| errors.is_empty())?;
    let canonical = numbers_as_written(&tree, text, print_in(&tree, words));
    let scalar = quoted(&canonical, flow);
    (scalar != written).then_some(scalar)
}

/// The canonical text with the numbers as their author wrote them: `1_000`, `5.5%`.
fn numbers_as_written(tree: &Expr, text: &str, canonical: String) -> String {
    let (mut before, mut after) = (Vec::new(), Vec::new());
    numbers(tree, &mut before);
    let (Some(printed), _) = criteria::parse(&canonical) else { return canonical };
    numbers(&printed, &mut after);
    if before.len() != after.len() {
        return canonical;
    }
    let mut kept = canonical.clone();
    for (from, to) in before.into_iter().zip(after).rev() {
        let number = text.get(from).filter(|number| number.is_ascii() && !number.contains(' '));
        if let Some(number) = number {
            kept.replace_range(to, number);
        }
    }
    let is_same = criteria::parse(&kept).0.is_some_and(|kept| criteria::print(&kept) == criteria::print(tree));
    if is_same { kept } else { canonical }
}

fn numbers(expr: &Expr, found: &mut Vec<Range<usize>>) {
    if let ExprKind::Literal(Literal::Number { .. }) = expr.kind {
        found.push(expr.range.clone());
    }
    for child in expr.children() {
        numbers(child, found);
    }
}

/// A text as a scalar, quoted only where it must be.
fn quoted(text: &str, flow: bool) -> String {
    let starts = text.starts_with(['-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`']);
    let breaks = text.contains(": ") || text.contains(" #") || text.ends_with(':') || text.trim() != text;
    let in_flow = flow && text.contains([',', '[', ']', '{', '}']);
    let is_null = matches!(text, "" | "~" | "null" | "Null" | "NULL");
    if !(starts || breaks || in_flow || is_null) {
        text.to_owned()
    } else if text.contains(['"', '\\']) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{text}\"")
    }
}
