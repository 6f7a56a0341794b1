//! `basis-run-out`: a policy that goes on after a document that it rests on has ended, or begins before it.

use super::yaml_places;
use crate::diagnostic::{Diagnostic, code};
use crate::policy::document::PolicyDocument;

/// Tells of each basis whose time the policy's own does not lie in.
pub(super) fn check(document: &PolicyDocument, diagnostics: &mut Vec<Diagnostic>) {
    for basis in &document.basis {
        let (from, to) = basis.time();
        let title = &basis.title;
        if let Some(to) = to.filter(|to| document.in_force_to.is_none_or(|end| *to < end)) {
            let key: &[&str] = if document.in_force_to.is_some() { &["in_force", "to"] } else { &["in_force", "from"] };
            diagnostics.push(
                Diagnostic::new(
                    &code::BASIS_RUN_OUT,
                    format!("《{title}》自 {to} 起失效, 政策仍然有效"),
                    format!("{title} has ended on {to}, and the policy goes on"),
                )
                .at(yaml_places::value(document, key))
                .also(yaml_places::basis(document, &basis.id), "依据在这里", "the basis is here")
                .help(
                    format!("写上 in_force.to: {to}, 或换成延续它的文件"),
                    format!("end the policy with `in_force.to: {to}`, or name the document that continues it"),
                ),
            );
        }
        if let Some(from) = from.filter(|from| document.in_force_from < *from && document.basis.len() == 1) {
            diagnostics.push(
                Diagnostic::new(
                    &code::BASIS_RUN_OUT,
                    format!("《{title}》自 {from} 起施行, 政策有效期却更早"),
                    format!("{title} is in force from {from}, the policy begins before"),
                )
                .at(yaml_places::value(document, &["in_force", "from"]))
                .also(yaml_places::basis(document, &basis.id), "依据在这里", "the basis is here"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::{check_told, policy, told};

    #[track_caller]
    fn check(basis: &str, in_force: &str, expect: &[(&str, &str)]) {
        let text = policy("条件", "disabled", "100")
            .replace("in_force: {from: 2024-01-01}", in_force)
            .replace("status: sample}]", &format!("status: sample, {basis}}}]"));
        check_told(&told(&[&text], &[]), expect);
    }

    #[test]
    fn told_where_the_time_stands() {
        check("text: 执行至2025年12月31日", "in_force: {from: 2024-01-01}", &[("basis-run-out", "2024-01-01")]);
        check("text: 执行至2025年12月31日", "in_force: {from: 2024-01-01, to: 2026-07-01}", &[("basis-run-out", "2026-07-01")]);
        check("in_force: {from: 2024-01-01, to: 2025-01-01}", "in_force: {from: 2024-01-01}", &[("basis-run-out", "2024-01-01")]);
        check("in_force: {from: 2024-07-01}", "in_force: {from: 2024-01-01}", &[("basis-run-out", "2024-01-01")]);
    }

    #[test]
    fn not_told() {
        check("text: 执行至2025年12月31日", "in_force: {from: 2024-01-01, to: 2026-01-01}", &[]);
        check("in_force: {from: 2023-01-01}", "in_force: {from: 2024-01-01}", &[]);
        check("text: 按月发放", "in_force: {from: 2024-01-01}", &[]);
    }
}
