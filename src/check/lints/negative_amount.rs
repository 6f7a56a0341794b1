//! `negative-amount`: an amount that is below zero for somebody who meets the criteria.

use super::domain::{Cut, Fraction, Ranges, Term, TermId, Values, Worlds};
use super::scene::Scene;
use super::{witness, words};
use crate::check::ir::Ty;
use crate::diagnostic::{Diagnostic, code};

/// Tells of an amount below zero, with facts that make it so.
pub(super) fn check(scene: &Scene<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let (Some(expr), Some(written)) = (&scene.policy.amount, &scene.document.benefit.amount) else { return };
    let (Some(amount), Some(criteria)) = (scene.id(expr), scene.id(&scene.policy.criteria)) else { return };
    if !may_be_negative(scene, &scene.entitled, amount) {
        return;
    }
    let domain = scene.domain();
    let mut leaves = scene.terms.leaves(amount);
    for leaf in scene.terms.leaves(criteria) {
        if !leaves.contains(&leaf) {
            leaves.push(leaf);
        }
    }
    leaves.retain(|leaf| !matches!(scene.terms.term(*leaf), Term::Parameter(..)));
    if leaves.iter().any(|leaf| matches!(scene.terms.term(*leaf), Term::Entitled(_))) {
        return;
    }
    // The day and the region first: parameters follow from them.
    leaves.sort_by_key(|leaf| (!matches!(scene.terms.term(*leaf), Term::AsOf), scene.terms.ty(*leaf) != Ty::Text));
    if let Some(as_of) = scene.terms.find(&Term::AsOf).filter(|as_of| !leaves.contains(as_of)) {
        leaves.insert(0, as_of);
    }
    let shows = |worlds: &Worlds| {
        let negative = domain.values(worlds, amount).only_number().is_some_and(|amount| amount.sign() < 0);
        let verdict = domain.values(worlds, criteria);
        negative && verdict.may_be_yes() && !verdict.may_be_no() && !verdict.unknown
    };
    let Some(found) = witness::find(scene, &scene.entitled, &leaves, &shows) else { return };
    let Some(value) = domain.values(&found, amount).only_number() else { return };
    let facts = described(scene, &found, amount);
    let mut diagnostic = Diagnostic::new(
        &code::NEGATIVE_AMOUNT,
        format!("金额可以是负数: 如 {facts} 时为 {value}"),
        format!("the amount can be negative: {value} where {facts}"),
    )
    .at(written.node.place(expr.range.clone()))
    .help("用 max(0, …) 封底, 或者在条件里排除", "keep it from below with max(0, …), or exclude such subjects by a criterion");
    diagnostic.clause = scene.document.cite_amount();
    diagnostics.push(diagnostic);
}

/// Whether it cannot be ruled out, with no fact itself below zero.
fn may_be_negative(scene: &Scene<'_>, worlds: &Worlds, amount: TermId) -> bool {
    let mut worlds = worlds.clone();
    for leaf in scene.terms.leaves(amount) {
        if scene.terms.ty(leaf) == Ty::Number && matches!(scene.terms.term(leaf), Term::Fact(_)) {
            worlds = scene.domain().narrow(&worlds, leaf, &Values::within(Ranges::from(Fraction::ZERO)));
        }
    }
    let values = scene.domain().values(&worlds, amount);
    values.ranges().is_some_and(|ranges| !ranges.is_none() && ranges.low() < Cut::before(Fraction::ZERO))
}

fn described(scene: &Scene<'_>, worlds: &Worlds, amount: TermId) -> String {
    let mut said = Vec::new();
    for leaf in scene.terms.leaves(amount) {
        let values = scene.domain().values(worlds, leaf);
        let value = match (values.only_number(), values.only_text()) {
            (Some(number), _) => words::number(number, scene.terms.ty(leaf)),
            (None, Some(text)) => text.to_string(),
            (None, None) if values.may_be_yes() => "true".to_owned(),
            (None, None) => "false".to_owned(),
        };
        match scene.terms.term(leaf) {
            Term::Fact(fact) => said.push(format!("{} = {value}", scene.fact(*fact).name)),
            Term::AsOf => said.push(format!("as_of = {value}")),
            Term::Parameter(name, _) => said.push(format!("param('{name}') = {value}")),
            _ => {}
        }
    }
    said.sort();
    said.join(", ")
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::{check_amount, policy, told};

    #[test]
    fn told_with_facts() {
        for (when, amount) in [
            ("disabled", "param('line') - income"),
            ("income <= 1000", "param('line') - income"),
            ("age >= 60", "(65 - age) * 100"),
            ("pension_months >= 12", "100 * (24 - pension_months)"),
            ("age >= 60 and disabled", "case when sex = 'male' then 100 - income else 100 end"),
        ] {
            check_amount(when, amount, &[("negative-amount", amount)]);
        }
        let told = told(&[&policy("条件", "income <= 1000", "500 - income")], &[]);
        assert_eq!(told[0].headline.en, "the amount can be negative: -500 where income = 1000");
    }

    #[test]
    fn not_told() {
        for (when, amount) in [
            ("income < param('line')", "param('line') - income"),
            ("disabled", "max(0, param('line') - income)"),
            ("age between 60 and 65", "(65 - age) * 100"),
            ("disabled", "income * 0.3"),
            ("income < 100", "100 - income"),
        ] {
            check_amount(when, amount, &[]);
        }
    }
}
