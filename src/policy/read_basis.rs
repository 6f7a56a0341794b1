//! The documents that a policy rests on.

use chrono::NaiveDate;

use super::document::{Basis, BasisStatus};
use super::period::days;
use crate::diagnostic::{Diagnostic, Span, code};
use crate::yaml::{Fields, Node};

/// The words of `status`.
pub(super) const STATUSES: [(&str, BasisStatus); 3] =
    [("text", BasisStatus::Text), ("memory", BasisStatus::Memory), ("sample", BasisStatus::Sample)];

/// Reads the list under `basis`.
pub(super) fn read_basis(items: &[Node], diagnostics: &mut Vec<Diagnostic>) -> Vec<Basis> {
    let mut places: Vec<(String, Span)> = Vec::new();
    let mut read = Vec::with_capacity(items.len());
    for item in items {
        let Some((basis, place)) = entry(item, diagnostics) else { continue };
        if let Some((_, first)) = places.iter().find(|(id, _)| *id == basis.id) {
            diagnostics.push(
                Diagnostic::new(
                    &code::DUPLICATE_NAME,
                    format!("依据“{}”写了两次", basis.id),
                    format!("basis `{}` is given twice", basis.id),
                )
                .at(place)
                .also(first.clone(), "第一次在这里", "first given here"),
            );
            continue;
        }
        places.push((basis.id.clone(), place));
        read.push(basis);
    }
    read
}

fn entry(item: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(Basis, Span)> {
    let mut fields = Fields::new(item, diagnostics)?;
    let given_id = fields.required("id");
    let title = fields.required_text("title");
    let number = fields.text("number");
    let article = fields.text("article");
    let text = fields.text("text");
    let in_force = fields.optional("in_force").and_then(|node| Fields::new(node, fields.diagnostics()).and_then(whole_time));
    fields.required("status");
    let status = fields.choice("status", &STATUSES);
    let note = fields.text("note");
    fields.finish();
    let node = given_id?;
    let id = node.text()?.to_owned();
    // A basis with a fault is kept under its name, so that nobody is told that it does not exist.
    let (title, status) = (title.unwrap_or_default(), status.unwrap_or(BasisStatus::Memory));
    Some((Basis { id, title, number, article, text, in_force, status, note }, node.span()))
}

/// The days of `in_force`.
fn whole_time(mut fields: Fields<'_>) -> Option<(NaiveDate, Option<NaiveDate>)> {
    let days = days(&mut fields);
    fields.finish();
    days.map(|days| (days.from, days.to))
}

/// Tells when a criterion or an amount names a basis that is not there.
pub(super) fn known_basis(fields: &mut Fields<'_>, basis: &[Basis]) -> Option<String> {
    let node = fields.optional("basis")?;
    let Some(id) = node.text() else {
        fields.report(crate::yaml::wrong_shape(node, "一个依据的 id", "the id of a basis"));
        return None;
    };
    if basis.iter().any(|basis| basis.id == id) {
        return Some(id.to_owned());
    }
    let ids = || basis.iter().map(|basis| basis.id.as_str());
    let known = ids().collect::<Vec<_>>().join(", ");
    fields.report(
        Diagnostic::new(&code::UNKNOWN_BASIS, format!("没有名为“{id}”的依据"), format!("there is no basis `{id}`"))
            .at(node.span())
            .did_you_mean(id, ids())
            .help(format!("basis 一节里有: {known}"), format!("listed under `basis`: {known}")),
    );
    None
}
