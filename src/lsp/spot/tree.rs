//! The spot of a complete scalar, through the tree of the file.

use super::{Kind, Spot, Step};
use crate::yaml::{Node, Value};

impl Spot {
    /// The key or scalar at a byte of the file; none between scalars.
    pub(in crate::lsp) fn in_tree(root: &Node, offset: usize) -> Option<Self> {
        let (mut path, mut siblings, mut node) = (Vec::new(), Vec::new(), root);
        loop {
            node = match &node.value {
                Value::Scalar(_) => return of(node, path, siblings, Kind::Value),
                Value::Sequence(items) => {
                    path.push(Step::Item);
                    siblings = Vec::new();
                    items.iter().find(|item| holds(item, offset))?
                }
                Value::Mapping(entries) => {
                    siblings = entries.iter().filter_map(sibling).collect();
                    if let Some((key, _)) = entries.iter().find(|(key, _)| holds(key, offset)) {
                        siblings.retain(|(name, _)| Some(name.as_str()) != key.text());
                        return of(key, path, siblings, Kind::Key);
                    }
                    let (key, value) = entries.iter().find(|(_, value)| holds(value, offset))?;
                    path.push(Step::Key(key.text().unwrap_or_default().to_owned()));
                    value
                }
            };
        }
    }
}

fn holds(node: &Node, offset: usize) -> bool {
    node.range.start <= offset && offset <= node.range.end
}

fn sibling((key, value): &(Node, Node)) -> Option<(String, String)> {
    Some((key.text()?.to_owned(), value.text().unwrap_or_default().to_owned()))
}

fn of(node: &Node, path: Vec<Step>, siblings: Vec<(String, String)>, kind: Kind) -> Option<Spot> {
    let text = node.text()?.to_owned();
    let offsets: Vec<usize> = (0..=text.len()).map(|at| node.place(at..at).range.start).collect();
    Some(Spot { path, kind, text, siblings, offsets })
}
