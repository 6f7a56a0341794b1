//! `one-sided-cases`: cases of which none is entitled, or none is not.

use super::Folder;
use crate::diagnostic::{Diagnostic, code};

/// Tells of policies whose cases show one side only.
pub(super) fn check(folder: &Folder<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for (document, cases) in folder.documents.iter().zip(folder.cases).filter(|(_, cases)| !cases.is_empty()) {
        let verdicts: Vec<&str> =
            cases.iter().filter_map(|case| case.expect.verdict.as_ref()).map(|(verdict, _)| verdict.as_str()).collect();
        let (zh, en) = match (verdicts.contains(&"yes"), verdicts.contains(&"no")) {
            (true, true) => continue,
            (false, true) => ("应享受 (yes)", "`yes`"),
            (true, false) => ("不应享受 (no)", "`no`"),
            (false, false) => ("应享受 (yes) 或不应享受 (no)", "`yes` or `no`"),
        };
        let code = &document.code;
        diagnostics.push(
            Diagnostic::new(
                &code::ONE_SIDED_CASES,
                format!("政策 {code} 的 {} 个案例里没有{zh}的", cases.len()),
                format!("none of the {} cases of policy {code} expects {en}", cases.len()),
            )
            .at(cases[0].place.clone())
            .help(
                "边界的两边各写一个: 刚好满足的, 差一点的",
                "write one on each side of a boundary: who just meets it, and who just misses it",
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::{check_told, policy, told};

    #[test]
    fn told_at_the_first_case() {
        let text = policy("条件", "disabled", "100");
        let yes = "- {name: 甲, as_of: 2026-01-01, given: {disabled: true}, expect: yes}\n";
        let no = "- {name: 乙, as_of: 2026-01-01, given: {disabled: false}, expect: no}\n";
        check_told(&told(&[&text], &[("0/cases.yaml", yes)]), &[("one-sided-cases", "甲")]);
        check_told(&told(&[&text], &[("0/cases.yaml", no)]), &[("one-sided-cases", "乙")]);
        check_told(&told(&[&text], &[("0/cases.yaml", &format!("{yes}{no}"))]), &[]);
    }
}
