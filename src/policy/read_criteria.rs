//! The criteria tree: groups, and conditions tied to clauses.

use std::collections::HashMap;

use super::citation::{attach, cite};
use super::document::{Basis, CriteriaNode, Criterion};
use super::expression::required_written;
use super::read_basis::known_basis;
use crate::diagnostic::{Diagnostic, Span, code};
use crate::yaml::{Fields, Node, message, wrong_shape};

const GROUPS: [&str; 4] = ["all", "any", "not", "at_least"];

/// Reads the tree under `criteria`; a bare list means `all`. Of criteria that are there `before` it, no id is used again.
///
/// A condition that cannot be read is told and left out, so that the rest can be checked.
pub(super) fn read_criteria(node: &Node, basis: &[Basis], before: &[Criterion], diagnostics: &mut Vec<Diagnostic>) -> Option<CriteriaNode> {
    let seen = before.iter().map(|criterion| (criterion.id.clone(), criterion.place.clone())).collect();
    let mut reader = Reader { basis, seen };
    match node.sequence() {
        Some(items) => reader.items(node, items, diagnostics).map(CriteriaNode::All),
        None => reader.node(node, diagnostics),
    }
}

struct Reader<'a> {
    basis: &'a [Basis],
    /// Where each criterion id was first given.
    seen: HashMap<String, Span>,
}

impl Reader<'_> {
    fn node(&mut self, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<CriteriaNode> {
        let Some(entries) = node.mapping() else {
            diagnostics.push(
                wrong_shape(node, "一个条件或一组条件", "a criterion or a group of criteria")
                    .help("条件写作 {id: …, clause: …, basis: …, when: …}", "a criterion is {id: …, clause: …, basis: …, when: …}"),
            );
            return None;
        };
        let mut groups = entries.iter().filter(|(key, _)| key.text().is_some_and(|key| GROUPS.contains(&key)));
        let Some((first, _)) = groups.next() else { return self.criterion(node, diagnostics).map(CriteriaNode::Criterion) };
        if let Some((second, _)) = groups.next() {
            let (one, other) = (first.text().unwrap_or_default(), second.text().unwrap_or_default());
            diagnostics.push(
                Diagnostic::new(
                    &code::WRONG_SHAPE,
                    format!("“{one}”与“{other}”不能并列在一层"),
                    format!("`{one}` and `{other}` cannot stand side by side"),
                )
                .at(second.span())
                .also(first.span(), "这一层已有一组", "this level has a group already")
                .help("把其中一组写进另一组的列表", "nest one in the list of the other"),
            );
            return None;
        }
        self.group(node, first.text().unwrap_or_default(), diagnostics)
    }

    fn group(&mut self, node: &Node, word: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<CriteriaNode> {
        let mut fields = Fields::new(node, diagnostics)?;
        let read = match word {
            "all" => self.list(&mut fields, "all").map(CriteriaNode::All),
            "any" => self.list(&mut fields, "any").map(CriteriaNode::Any),
            "not" => {
                let inner = fields.required("not");
                inner.and_then(|inner| self.node(inner, fields.diagnostics())).map(|inner| CriteriaNode::Not(Box::new(inner)))
            }
            _ => self.at_least(&mut fields),
        };
        fields.finish();
        read
    }

    /// `at_least: {n: 2, of: […]}`, or `at_least: 2` with `of: […]` beside it.
    fn at_least(&mut self, fields: &mut Fields<'_>) -> Option<CriteriaNode> {
        let node = fields.required("at_least")?;
        if node.mapping().is_none() {
            return self.count_of(fields, "at_least", node);
        }
        let mut inner = Fields::new(node, fields.diagnostics())?;
        let count = inner.required("n");
        let read = count.and_then(|count| self.count_of(&mut inner, "n", count));
        inner.finish();
        read
    }

    fn count_of(&mut self, fields: &mut Fields<'_>, key: &'static str, count: &Node) -> Option<CriteriaNode> {
        let length = fields.required("of").and_then(Node::sequence).map_or(0, <[Node]>::len);
        let items = self.list(fields, "of");
        let number: Option<usize> = count.text().and_then(|text| text.parse().ok());
        if !number.is_some_and(|number| (1..=length.max(1)).contains(&number)) {
            fields.report(wrong_shape(count, &format!("1 到 {length} 的整数"), &format!("a whole number from 1 to {length} for `{key}`")));
            return None;
        }
        Some(CriteriaNode::AtLeast(number?, items?))
    }

    fn list(&mut self, fields: &mut Fields<'_>, key: &'static str) -> Option<Vec<CriteriaNode>> {
        let node = fields.required(key)?;
        let Some(items) = node.sequence() else {
            fields.report(wrong_shape(node, "条件的列表", "a list of criteria"));
            return None;
        };
        self.items(node, items, fields.diagnostics())
    }

    fn items(&mut self, node: &Node, items: &[Node], diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<CriteriaNode>> {
        if items.is_empty() {
            diagnostics.push(
                wrong_shape(node, "至少一个条件", "at least one criterion")
                    .help("人人都有的待遇写 when: true", "what everybody is owed is written `when: true`"),
            );
            return None;
        }
        Some(items.iter().filter_map(|item| self.node(item, diagnostics)).collect())
    }

    fn criterion(&mut self, node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Criterion> {
        let mut told = Vec::new();
        let mut fields = Fields::new(node, &mut told)?;
        let id = fields.required("id").and_then(|node| {
            let name = node.text().map(|text| (text.to_owned(), node.span()));
            if name.is_none() {
                fields.report(wrong_shape(node, "一个名字", "a name"));
            }
            name
        });
        let clause = fields.text("clause").filter(|clause| !clause.trim().is_empty());
        let basis = known_basis(&mut fields, self.basis);
        let names_basis = fields.optional("basis").is_some();
        let label = fields.optional("label").and_then(|label| message(label, fields.diagnostics()));
        let when = required_written(&mut fields, "when");
        if let Some((name, place)) = &id {
            self.unique(name, place, fields.diagnostics());
            warn_without_clause(name, place, clause.is_some(), names_basis, fields.diagnostics());
        }
        fields.finish();
        attach(&mut told, cite(self.basis, basis.as_deref(), clause.as_deref()).as_deref());
        diagnostics.append(&mut told);
        let (id, place) = id?;
        Some(Criterion { id, place, clause, basis, label, when: when? })
    }

    fn unique(&mut self, name: &str, place: &Span, diagnostics: &mut Vec<Diagnostic>) {
        if let Some(first) = self.seen.get(name) {
            diagnostics.push(
                Diagnostic::new(&code::DUPLICATE_CRITERION, format!("条件“{name}”写了两次"), format!("criterion `{name}` is given twice"))
                    .at(place.clone())
                    .also(first.clone(), "第一次在这里", "first given here")
                    .help("理由要用 id 指明条件: 一个 id 只用一次", "reasons name criteria by id: use each id once"),
            );
        } else {
            self.seen.insert(name.to_owned(), place.clone());
        }
    }
}

pub(super) fn warn_without_clause(name: &str, place: &Span, clause: bool, basis: bool, diagnostics: &mut Vec<Diagnostic>) {
    let (zh, en) = match (clause, basis) {
        (true, true) => return,
        (false, _) => ("条文", "clause"),
        (true, false) => ("依据", "basis"),
    };
    diagnostics.push(
        Diagnostic::new(&code::CRITERION_WITHOUT_CLAUSE, format!("条件“{name}”没有写明{zh}"), format!("criterion `{name}` names no {en}"))
            .at(place.clone())
            .help("加上 clause (条文原话) 和 basis (依据的 id)", "add `clause` (the words of the text) and `basis` (the id of a basis)"),
    );
}
