//! `clause-without-rule`: a basis that no criterion and no amount of the policy rests on.

use super::yaml_places;
use crate::diagnostic::{Diagnostic, code};
use crate::policy::document::PolicyDocument;

/// Tells of each basis that nothing names.
pub(super) fn check(document: &PolicyDocument, diagnostics: &mut Vec<Diagnostic>) {
    for basis in document.bases_without_rule() {
        let (id, title) = (&basis.id, &basis.title);
        diagnostics.push(
            Diagnostic::new(
                &code::CLAUSE_WITHOUT_RULE,
                format!("依据“{id}”《{title}》没有任何规则"),
                format!("no rule rests on basis `{id}` ({title})"),
            )
            .at(yaml_places::basis(document, id))
            .help(
                "把它的条文写成条件并写上 basis; 只作参考的写进 note",
                "write its clauses as criteria that name it; what is only background goes into a `note`",
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::{check_told, policy, told};

    #[test]
    fn told_where_it_stands() {
        let text = policy("条件", "disabled", "100");
        let second = text.replace("status: sample}]", "status: sample}, {id: notice, title: 通知, status: memory}]");
        check_told(&told(&[&second], &[]), &[("clause-without-rule", "notice")]);
        check_told(&told(&[&text], &[]), &[]);
    }
}
