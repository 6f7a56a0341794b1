//! The outline of a document: bases, criteria, amounts, cases, parameters, facts.

use gen_lsp_types::{DocumentSymbol, DocumentSymbolResponse, SymbolKind};

use super::desk::Desk;
use super::diagnostics::value_of;
use super::position::Lines;
use super::role::FileKind;
use crate::yaml::Node;

/// The symbols of a document; none of files that are no part of a policies folder, or no YAML.
pub(super) fn symbols(desk: &Desk<'_>) -> Option<DocumentSymbolResponse> {
    let root = desk.tree()?;
    let outline = Outline { desk, lines: desk.lines() };
    let found = match desk.file.as_ref()? {
        FileKind::Policy => vec![outline.policy(&root)],
        FileKind::Cases => {
            outline.each(root.sequence().or_else(|| value_of(&root, "cases")?.sequence()), "name", "because", SymbolKind::Event)
        }
        FileKind::Parameters => outline.each(list(&root, "parameters"), "name", "label", SymbolKind::Constant),
        FileKind::Bundles => match list(&root, "bundles") {
            Some(items) => outline.each(Some(items), "id", "name", SymbolKind::Package),
            None => outline.named(&root, "id", "name", SymbolKind::Package).into_iter().collect(),
        },
        FileKind::Register(_) => [
            outline.each(list(&root, "columns"), "name", "label", SymbolKind::Field),
            outline.each(list(&root, "facts"), "name", "label", SymbolKind::Property),
        ]
        .concat(),
        FileKind::Links => outline.each(list(&root, "links"), "name", "label", SymbolKind::Interface),
        FileKind::Computed => outline.each(list(&root, "facts"), "name", "label", SymbolKind::Property),
        FileKind::Regions => outline.each(list(&root, "regions"), "code", "name", SymbolKind::Namespace),
        FileKind::Levels => Vec::new(),
    };
    Some(DocumentSymbolResponse::DocumentSymbolList(found))
}

fn list<'n>(node: &'n Node, key: &str) -> Option<&'n [Node]> {
    value_of(node, key)?.sequence()
}

fn scalar(node: &Node, key: &str) -> String {
    value_of(node, key).and_then(Node::text).unwrap_or_default().to_owned()
}

struct Outline<'a> {
    desk: &'a Desk<'a>,
    lines: Lines<'a>,
}

impl Outline<'_> {
    /// A symbol over a node, which is gone to by the place of its name.
    fn symbol(&self, name: &str, detail: String, kind: SymbolKind, node: &Node, at: &Node) -> DocumentSymbol {
        #[expect(deprecated, reason = "the type has no other constructor that names its parts")]
        DocumentSymbol {
            // A name may not be empty.
            name: if name.is_empty() { "?".to_owned() } else { name.to_owned() },
            detail: Some(detail).filter(|detail| !detail.is_empty()),
            kind,
            tags: None,
            deprecated: None,
            range: self.lines.range(&(node.range.start.min(at.range.start)..node.range.end.max(at.range.end))),
            selection_range: self.lines.range(&at.range),
            children: None,
        }
    }

    /// A symbol of a mapping, by the value of its key `name`.
    fn named(&self, node: &Node, name: &str, detail: &str, kind: SymbolKind) -> Option<DocumentSymbol> {
        let at = value_of(node, name)?;
        let detail = value_of(node, detail).map(|value| self.message(value)).unwrap_or_default();
        Some(self.symbol(at.text()?, detail, kind, node, at))
    }

    fn each(&self, items: Option<&[Node]>, name: &str, detail: &str, kind: SymbolKind) -> Vec<DocumentSymbol> {
        items.unwrap_or_default().iter().filter_map(|item| self.named(item, name, detail, kind)).collect()
    }

    /// A text, or a message in the language of the client.
    fn message(&self, node: &Node) -> String {
        let key = self.desk.pick("zh", "en");
        node.text().or_else(|| value_of(node, key)?.text()).unwrap_or_default().to_owned()
    }

    fn policy(&self, root: &Node) -> DocumentSymbol {
        let mut children = Vec::new();
        for (key, value) in root.mapping().into_iter().flatten() {
            let word = key.text().unwrap_or_default();
            let (detail, kind, inner) = match word {
                "basis" => (String::new(), SymbolKind::Array, self.each(value.sequence(), "id", "title", SymbolKind::String)),
                "criteria" => (String::new(), SymbolKind::Namespace, self.criteria(value)),
                "benefit" => (scalar(value, "kind"), SymbolKind::Struct, self.amount(value).into_iter().collect()),
                "covers" => (scalar(value, "region"), SymbolKind::Key, Vec::new()),
                "delivery" => (scalar(value, "mode"), SymbolKind::Key, Vec::new()),
                "each" | "cap" | "budget" | "requires" | "excludes" | "commit" => (String::new(), SymbolKind::Key, Vec::new()),
                _ => continue,
            };
            let symbol = self.symbol(word, detail, kind, value, key);
            children.push(DocumentSymbol { children: Some(inner).filter(|inner| !inner.is_empty()), ..symbol });
        }
        let code = value_of(root, "code").unwrap_or(root);
        let name = value_of(root, "name").map(|name| self.message(name)).unwrap_or_default();
        let title = [code.text().unwrap_or_default(), &name].join(" ");
        let symbol = self.symbol(title.trim(), String::new(), SymbolKind::Module, root, code);
        DocumentSymbol { children: Some(children), ..symbol }
    }

    fn amount(&self, benefit: &Node) -> Option<DocumentSymbol> {
        let (key, value) = benefit.mapping()?.iter().find(|(key, _)| key.text() == Some("amount"))?;
        Some(self.symbol("amount", value.text().unwrap_or_default().to_owned(), SymbolKind::Number, value, key))
    }

    /// The criteria of a tree: groups with what is in them.
    fn criteria(&self, node: &Node) -> Vec<DocumentSymbol> {
        if let Some(items) = node.sequence() {
            return items.iter().flat_map(|item| self.criteria(item)).collect();
        }
        if let Some(criterion) = self.named(node, "id", "clause", SymbolKind::Boolean) {
            return vec![criterion];
        }
        let groups = node
            .mapping()
            .into_iter()
            .flatten()
            .filter(|(key, _)| key.text().is_some_and(|word| ["all", "any", "not", "at_least"].contains(&word)));
        let groups = groups.map(|(key, value)| {
            let word = key.text().unwrap_or_default();
            // `at_least: 2` has its criteria beside it under `of`, `at_least: {n: 2, of: […]}` inside.
            let members = value_of(value, "of").or_else(|| value_of(node, "of").filter(|_| word == "at_least")).unwrap_or(value);
            let number = value.text().or_else(|| value_of(value, "n")?.text()).unwrap_or_default().to_owned();
            let detail = if word == "at_least" { number } else { String::new() };
            let symbol = self.symbol(word, detail, SymbolKind::Namespace, members, key);
            DocumentSymbol { children: Some(self.criteria(members)), ..symbol }
        });
        groups.collect()
    }
}
