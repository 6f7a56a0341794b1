//! Policies that one life event delivers together (一件事).

use super::document::Bundle;
use super::read_delivery::read_requires;
use crate::diagnostic::{Diagnostic, Span, code};
use crate::yaml::{Fields, Node, message, wrong_shape};

/// Reads a file of bundles: one bundle, or a list under `bundles:`. Each comes with the place of its identifier.
#[must_use]
pub fn read_bundles(root: &Node) -> (Vec<(Bundle, Span)>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let many = root.mapping().is_some_and(|entries| entries.iter().any(|(key, _)| key.text() == Some("bundles")));
    let read = if many {
        let Some(mut fields) = Fields::new(root, &mut diagnostics) else { return (Vec::new(), diagnostics) };
        let items = fields.list("bundles");
        let read = items.iter().filter_map(|item| bundle(item, fields.diagnostics())).collect();
        fields.finish();
        read
    } else {
        bundle(root, &mut diagnostics).into_iter().collect()
    };
    (read, diagnostics)
}

fn bundle(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(Bundle, Span)> {
    let mut fields = Fields::new(node, diagnostics)?;
    let id = fields.required("id");
    if let Some(id) = id.filter(|id| id.text().is_none()) {
        fields.report(wrong_shape(id, "一个名字", "a name"));
    }
    let name = fields.required("name").and_then(|node| message(node, fields.diagnostics()));
    fields.required("policies");
    let items = fields.list("policies");
    let policies = read_requires(items, fields.diagnostics());
    fields.finish();
    let id = id?;
    Some((Bundle { id: id.text()?.to_owned(), name: name?, policies }, id.span()))
}

/// Tells of identifiers that two bundles have, and keeps the first of them.
pub(super) fn unique_bundles(bundles: Vec<(Bundle, Span)>, diagnostics: &mut Vec<Diagnostic>) -> Vec<Bundle> {
    let mut kept: Vec<(Bundle, Span)> = Vec::with_capacity(bundles.len());
    for (bundle, place) in bundles {
        if let Some((_, first)) = kept.iter().find(|(other, _)| other.id == bundle.id) {
            let id = &bundle.id;
            diagnostics.push(
                Diagnostic::new(&code::DUPLICATE_NAME, format!("一件事“{id}”写了两次"), format!("bundle `{id}` is given twice"))
                    .at(place)
                    .also(first.clone(), "第一次在这里", "first given here"),
            );
        } else {
            kept.push((bundle, place));
        }
    }
    kept.into_iter().map(|(bundle, _)| bundle).collect()
}

#[cfg(test)]
mod tests {
    //! Bundles, one or many in a file.

    use super::{read_bundles, unique_bundles};
    use crate::diagnostic::SourceFile;
    use crate::yaml;

    #[track_caller]
    fn check(text: &str, ids: &[&str], expected: &[(&str, &str)]) {
        let (node, mut told) = yaml::parse(&SourceFile::new("bundles/t.yaml", text));
        let (bundles, mut more) = read_bundles(&node.expect("a tree"));
        told.append(&mut more);
        let bundles = unique_bundles(bundles, &mut told);
        let told: Vec<_> = told.iter().map(|told| (told.code.name, told.primary.as_ref().map_or("", |place| place.text()))).collect();
        assert_eq!(told, expected);
        assert_eq!(bundles.iter().map(|bundle| bundle.id.as_str()).collect::<Vec<_>>(), ids);
    }

    #[test]
    fn one_bundle_and_a_list() {
        check("id: birth\nname: 出生一件事\npolicies: [A, {policy: B}]\n", &["birth"], &[]);
        check("bundles:\n  - {id: a, name: 甲, policies: [A]}\n  - {id: b, name: {zh: 乙, en: B}, policies: [A]}\n", &["a", "b"], &[]);
    }

    #[test]
    fn mistakes_of_bundles() {
        check(
            "bundles:\n  - {id: a, name: 甲, policies: [A]}\n  - {id: a, name: 乙, policies: A, events: birth}\n",
            &["a"],
            &[("wrong-shape", "A"), ("unknown-key", "events"), ("duplicate-name", "a")],
        );
    }
}
