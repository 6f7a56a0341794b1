//! Places in the file of a policy that its document does not keep: looked for only when there is something to tell.

use crate::diagnostic::Span;
use crate::policy::document::{Criterion, PolicyDocument};
use crate::yaml::{self, Node};

/// The tree of the policy's file.
fn tree(document: &PolicyDocument) -> Option<Node> {
    yaml::parse(&document.place.file).0
}

/// The value of a key of a mapping.
fn get<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    node.mapping()?.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
}

/// Where the value stands that a path of keys leads to; the code of the policy where there is none.
pub(super) fn value(document: &PolicyDocument, path: &[&str]) -> Span {
    let found = tree(document).and_then(|root| path.iter().try_fold(&root, |node, key| get(node, key)).map(Node::span));
    found.unwrap_or_else(|| document.place.clone())
}

/// Where the id of a basis stands.
pub(super) fn basis(document: &PolicyDocument, id: &str) -> Span {
    let found = tree(document).and_then(|root| {
        let entries = get(&root, "basis")?.sequence()?;
        entries.iter().filter_map(|entry| get(entry, "id")).find(|node| node.text() == Some(id)).map(Node::span)
    });
    found.unwrap_or_else(|| document.place.clone())
}

/// The clause of a criterion, as the node that it was written in.
pub(super) fn clause(document: &PolicyDocument, criterion: &Criterion) -> Option<Node> {
    let root = tree(document)?;
    if criterion.when.node.is_made() {
        let listed = get(&root, "listed")?;
        return match criterion.id.as_str() {
            "listed" => get(listed, "clause"),
            "recent" => get(listed, "within").and_then(|within| get(within, "clause")),
            "credit" => get(listed, "credit"),
            _ => get(listed, "standing"),
        }
        .cloned();
    }
    let mut open = vec![&root];
    while let Some(node) = open.pop() {
        if get(node, "when").is_some_and(|when| when.range == criterion.when.node.range) {
            return get(node, "clause").cloned();
        }
        open.extend(node.sequence().into_iter().flatten());
        open.extend(node.mapping().into_iter().flatten().map(|(_, value)| value));
    }
    None
}
