//! `same-benefit-twice`: two policies pay for the same thing to the same people and do not say which one wins.

use std::collections::{BTreeMap, BTreeSet};

use super::scene::Shared;
use crate::check::CheckedPolicy;
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::{Diagnostic, code};
use crate::policy::document::PolicyDocument;

/// What is paid for: the name without what stands in brackets behind it, to whom, in which form and over what.
type Purpose<'a> = (&'a str, crate::register::declaration::SubjectKind, &'a str, u8);

/// Tells each policy once, beside the first other one.
pub(super) fn check(shared: &Shared<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let mut groups: BTreeMap<Purpose<'_>, Vec<&CheckedPolicy>> = BTreeMap::new();
    for policy in &shared.folder.checked.policies {
        groups.entry(purpose(&policy.document)).or_default().push(policy);
    }
    for policies in groups.values() {
        for (at, policy) in policies.iter().enumerate() {
            // Of many alike the nearest is enough.
            let earlier = policies[..at].iter().rev().take(MOST_COMPARED);
            if let Some(other) = earlier.into_iter().find(|other| undecided(shared, other, policy)) {
                diagnostics.push(tell(&policy.document, &other.document));
            }
        }
    }
}

/// How many policies of one purpose each is compared with.
const MOST_COMPARED: usize = 32;

fn purpose(document: &PolicyDocument) -> Purpose<'_> {
    let name = document.name.zh.split(['（', '(']).next().unwrap_or_default().trim();
    (name, document.subject, &document.benefit.kind, document.benefit.period as u8)
}

fn undecided(shared: &Shared<'_>, one: &CheckedPolicy, other: &CheckedPolicy) -> bool {
    let (a, b) = (&*one.document, &*other.document);
    let before = |from: chrono::NaiveDate, to: Option<chrono::NaiveDate>| to.is_none_or(|to| from < to);
    let same_days = before(a.in_force_from, b.in_force_to) && before(b.in_force_from, a.in_force_to);
    let (mine, theirs) = (&a.covers.region, &b.covers.region);
    let same_place = shared.members_of(mine).contains(theirs.as_str()) || shared.members_of(theirs).contains(mine.as_str());
    a.code != b.code && same_days && same_place && !names(a, &b.code) && !names(b, &a.code) && !asks(one, &b.code) && !asks(other, &a.code)
}

/// Whether a policy says how it stands to another one.
fn names(document: &PolicyDocument, other: &str) -> bool {
    document.excludes.iter().any(|exclusion| exclusion.policy == other) || document.requires.iter().any(|(policy, _)| policy == other)
}

/// Whether the criteria of a policy ask for the verdict of another one.
fn asks(policy: &CheckedPolicy, other: &str) -> bool {
    let (mut open, mut found) = (vec![&policy.criteria], BTreeSet::new());
    while let Some(expr) = open.pop() {
        if let Expr { kind: Kind::Entitled(code), .. } = expr {
            found.insert(&**code);
        }
        open.extend(expr.children());
    }
    found.contains(other)
}

fn tell(document: &PolicyDocument, other: &PolicyDocument) -> Diagnostic {
    let name = purpose(document).0;
    Diagnostic::new(
        &code::SAME_BENEFIT_TWICE,
        format!("与 {} 同为“{name}”, 地区和时间重叠, 没有写明以哪个为准", other.code),
        format!("pays for the same as {} (“{name}”) where regions and days overlap, and neither says which one wins", other.code),
    )
    .at(document.place.clone())
    .also(other.place.clone(), "另一项政策在这里", "the other policy is here")
    .help(
        format!("写 excludes: [{{policy: {}, keep: highest | this | other}}]; 可以同时享受的, 取不同的名称", other.code),
        format!(
            "write `excludes: [{{policy: {}, keep: highest | this | other}}]`; where both may be had, give them different names",
            other.code
        ),
    )
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::{check_told, policy, told};

    #[test]
    fn told_once() {
        let one = policy("条件", "disabled", "100");
        let two = policy("条件", "disabled", "200")
            .replace("990100-MZ-0001", "990101-MZ-0001")
            .replace("name: 津贴\n", "name: 津贴（东城区）\n")
            .replace("region: \"990100\"", "region: \"990101\"");
        check_told(&told(&[&one, &two], &[]), &[("same-benefit-twice", "990101-MZ-0001")]);
        let decided = format!("{two}excludes: [{{policy: 990100-MZ-0001, keep: highest}}]\n");
        check_told(&told(&[&one, &decided], &[]), &[]);
        let elsewhere = two.replace("region: \"990101\"", "region: \"990201\"");
        check_told(&told(&[&one, &elsewhere], &[]), &[]);
        let later = two.replace("from: 2024-01-01", "from: 2026-01-01");
        check_told(&told(&[&one.replace("from: 2024-01-01", "from: 2024-01-01, to: 2026-01-01"), &later], &[]), &[]);
        let other = two.replace("name: 津贴（东城区）", "name: 护理补贴");
        check_told(&told(&[&one, &other], &[]), &[]);
    }
}
