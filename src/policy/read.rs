//! From the YAML tree of a policy file to a [`PolicyDocument`].

use chrono::NaiveDate;

use super::document::{Basis, Covers, CriteriaNode, PolicyDocument};
use super::expression::optional_written;
use super::load::content_hash;
use super::period::{date, days};
use super::read_basis::read_basis;
use super::read_benefit::{read_benefit, read_budget, read_cap, read_each};
use super::read_criteria::read_criteria;
use super::read_delivery::{read_delivery, read_excludes, read_requires};
use super::read_guide::read_guide;
use super::read_listed::{read_listed, together};
use crate::diagnostic::{Diagnostic, Message, Span, code, has_errors};
use crate::register::declaration::SubjectKind;
use crate::yaml::{Fields, Node, message, wrong_shape};

/// Reads one policy and tells every mistake of its file, in the order of the file.
///
/// Gives a document, marked as not complete, also beside errors, so that other policies can name it and what could be
/// read is checked on; none when one of the keys is missing without which nothing can be said about it.
#[must_use]
pub fn read_policy(root: &Node) -> (Option<PolicyDocument>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let mut document = Fields::new(root, &mut diagnostics).and_then(|fields| read_document(root, fields));
    if let Some(document) = &mut document {
        document.complete = !has_errors(&diagnostics);
    }
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.as_ref().map(|place| place.range.start));
    (document, diagnostics)
}

/// Who answers for what, since when.
struct Head {
    code: Option<(String, Span)>,
    version: i64,
    name: Option<Message>,
    authority: Option<(String, String)>,
    covers: Option<Covers>,
    subject: Option<SubjectKind>,
    in_force: Option<(NaiveDate, Option<NaiveDate>)>,
    announced: Option<NaiveDate>,
}

fn read_head(root: &Node, fields: &mut Fields<'_>) -> Head {
    let subjects = SubjectKind::ALL.map(|kind| (kind.name(), kind));
    let code = read_code(root, fields);
    let version = read_version(fields);
    let name = fields.required("name").and_then(|node| message(node, fields.diagnostics()));
    let authority = fields.required("authority").and_then(|node| read_authority(node, fields.diagnostics()));
    let covers = fields.required("covers").and_then(|node| read_covers(node, fields.diagnostics()));
    fields.required("subject");
    let subject = fields.choice("subject", &subjects);
    let in_force = fields.required("in_force").and_then(|node| {
        let mut inner = Fields::new(node, fields.diagnostics())?;
        let days = days(&mut inner);
        inner.finish();
        days.map(|days| (days.from, days.to))
    });
    let announced = fields.optional("announced").and_then(|node| date(node, fields.diagnostics()));
    Head { code, version, name, authority, covers, subject, in_force, announced }
}

fn read_document(root: &Node, mut fields: Fields<'_>) -> Option<PolicyDocument> {
    let head = read_head(root, &mut fields);
    fields.required("basis");
    let basis_items = fields.list("basis");
    let basis = read_basis(basis_items, fields.diagnostics());
    let reading = fields.message("reading");
    let (criteria, listed) = read_conditions(&mut fields, head.subject, &basis);
    let benefit = fields.required("benefit").and_then(|node| read_benefit(node, &basis, fields.diagnostics()));
    let each = fields.optional("each").and_then(|node| read_each(node, fields.diagnostics()));
    let occasion = optional_written(&mut fields, "occasion");
    let delivery = fields.required("delivery").and_then(|node| read_delivery(node, fields.diagnostics()));
    let commit = fields.texts("commit");
    let requires = fields.list("requires");
    let requires = read_requires(requires, fields.diagnostics());
    let excludes = fields.list("excludes");
    let excludes = read_excludes(excludes, fields.diagnostics());
    let cap = fields.optional("cap").and_then(|node| read_cap(node, fields.diagnostics()));
    let budget = fields.optional("budget").and_then(|node| read_budget(node, fields.diagnostics()));
    let guide = fields.optional("guide").and_then(|node| read_guide(node, fields.diagnostics()));
    let tags = fields.texts("tags").into_iter().map(|(tag, _)| tag).collect();
    fields.finish();

    let (code, place) = head.code?;
    let (authority_code, authority_name) = head.authority.unwrap_or_default();
    let (in_force_from, in_force_to) = head.in_force?;
    Some(PolicyDocument {
        path: root.file.path.clone(),
        code,
        place,
        version: head.version,
        name: head.name.unwrap_or_default(),
        authority_code,
        authority_name,
        covers: head.covers?,
        subject: head.subject?,
        in_force_from,
        in_force_to,
        announced: head.announced,
        basis,
        reading,
        criteria: criteria?,
        benefit: benefit?,
        each,
        occasion,
        delivery: delivery?,
        commit,
        requires,
        excludes,
        cap,
        budget,
        listed,
        guide,
        tags,
        has_cases: false,
        sha256: content_hash(root.file.text.as_bytes()),
        complete: true,
    })
}

/// The criteria, those of `listed` among them, and the list. A policy that a list decides needs none of its own.
fn read_conditions(
    fields: &mut Fields<'_>,
    subject: Option<SubjectKind>,
    basis: &[Basis],
) -> (Option<CriteriaNode>, Option<(String, Span)>) {
    let listed = fields.optional("listed");
    let own = if listed.is_some() { fields.optional("criteria") } else { fields.required("criteria") };
    let read = listed.and_then(|node| read_listed(node, subject, basis, own.is_some(), fields.diagnostics()));
    let (list, shared) = read.map_or((None, Vec::new()), |read| (Some(read.list), read.criteria));
    // What cannot be read is told; an empty group stands in its place.
    let own = own.map(|node| read_criteria(node, basis, &shared, fields.diagnostics()).unwrap_or(CriteriaNode::All(Vec::new())));
    let criteria = if listed.is_some() { Some(together(shared, own)) } else { own };
    (criteria, list)
}

/// The code: what has none does not run (无编码不入库).
fn read_code(root: &Node, fields: &mut Fields<'_>) -> Option<(String, Span)> {
    let node = fields.optional("code");
    if let Some(node) = node.filter(|node| node.text().is_none()) {
        fields.report(wrong_shape(node, "一个编码", "a code"));
        return None;
    }
    let given = node.and_then(|node| node.text().map(|text| (text.trim().to_owned(), node.span())));
    if let Some(found) = given.filter(|(code, _)| !code.is_empty()) {
        return Some(found);
    }
    let key = root.mapping().and_then(|entries| entries.iter().find(|(key, _)| key.text() == Some("code")));
    let place = key.map_or_else(|| fields.span(), |(key, _)| key.span());
    fields.report(
        Diagnostic::new(&code::POLICY_WITHOUT_CODE, "政策没有编码", "the policy has no code").at(place).help(
            "一事一码, 无编码不入库: 加上一行 code: …",
            "one item, one code, and what has no code does not run: add a line `code: …`",
        ),
    );
    None
}

fn read_version(fields: &mut Fields<'_>) -> i64 {
    let Some(node) = fields.optional("version") else { return 1 };
    let version = node.text().and_then(|text| text.parse().ok()).filter(|version| *version >= 1);
    if version.is_none() {
        fields.report(wrong_shape(node, "1 以上的整数", "a whole number from 1"));
    }
    version.unwrap_or(1)
}

fn read_authority(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(String, String)> {
    let mut fields = Fields::new(node, diagnostics)?;
    let code = fields.required_text("code");
    let name = fields.required("name").and_then(|node| message(node, fields.diagnostics()));
    fields.finish();
    Some((code?, name?.zh))
}

/// Reads `covers: {region: …, by: …}`.
fn read_covers(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Covers> {
    let mut fields = Fields::new(node, diagnostics)?;
    let region = fields.required("region");
    let by = fields.optional("by");
    for node in [region, by].into_iter().flatten().filter(|node| node.text().is_none()) {
        fields.report(wrong_shape(node, "一段文字", "text"));
    }
    fields.finish();
    let region = region?;
    let by = by.and_then(|node| Some((node.text()?.to_owned(), node.span())));
    Some(Covers { region: region.text()?.to_owned(), region_place: region.span(), by })
}

#[cfg(test)]
mod tests;
