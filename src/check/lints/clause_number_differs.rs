//! `clause-number-differs`: the text bounds something by a number, the rule compares with others only.

use std::collections::BTreeSet;

use super::clause_contradicts_rule::as_rules_have_it;
use super::domain::Fraction;
use super::phrases::phrases;
use super::rules::{all_numbers, comparisons};
use super::scene::Scene;
use super::yaml_places;
use crate::diagnostic::{Diagnostic, code};

/// Looks for the numbers of each clause among those that its rule rests on.
pub(super) fn check(scene: &Scene<'_>, diagnostics: &mut Vec<Diagnostic>) {
    for (criterion, place) in scene.document.criteria.criteria().iter().zip(scene.criteria()) {
        let Some(clause) = &criterion.clause else { continue };
        let phrases = phrases(clause);
        // A rule without numbers leaves the matter to a register.
        let rules = comparisons(scene, &place, false);
        if phrases.is_empty() || rules.is_empty() {
            continue;
        }
        let known = all_numbers(scene, place.expr);
        for phrase in phrases {
            if as_rules_have_it(&phrase).into_iter().any(|number| is_near(&known, number)) {
                continue;
            }
            let numbers: BTreeSet<&Fraction> = rules.iter().flat_map(|rule| &rule.numbers).collect();
            let numbers = numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let Some(node) = yaml_places::clause(scene.document, criterion) else { continue };
            let words = &phrase.words;
            let mut diagnostic = Diagnostic::new(
                &code::CLAUSE_NUMBER_DIFFERS,
                format!("条文说“{words}”, 规则里没有这个数: 规则比较的是 {numbers}"),
                format!("the clause says “{words}”, a number that its rule does not have: it compares with {numbers}"),
            )
            .at(node.place(phrase.range.clone()))
            .also(place.span(place.expr), "规则在这里", "the rule is here")
            .help(
                "核对条文与规则的数; 由别的条件管的, 把条文拆开",
                "check both numbers; where another criterion sees to it, divide the clause",
            );
            diagnostic.clause.clone_from(&place.clause);
            diagnostics.push(diagnostic);
        }
    }
}

/// Whether a number, or one of its neighbours (`age > 59` for 60), is among those known.
fn is_near(known: &BTreeSet<Fraction>, number: Fraction) -> bool {
    let step = |by: i64| Fraction::whole(by).and_then(|by| number.plus(by));
    known.contains(&number) || [step(1), step(-1)].into_iter().flatten().any(|near| known.contains(&near))
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::check_clause;

    #[test]
    fn told() {
        for (clause, when, at) in [
            ("年满65周岁", "age >= 60", "年满65周岁"),
            ("缴费满15年", "pension_months >= 120", "满15年"),
            ("收入不超过1500元", "income <= param('line')", "不超过1500元"),
        ] {
            check_clause(clause, when, &[("clause-number-differs", at)]);
        }
    }

    #[test]
    fn not_told() {
        for (clause, when) in [
            ("年满65周岁", "age > 64"),
            ("残疾三级以上", "disabled"),
            ("收入不超过900元", "income <= param('line')"),
            ("缴费满15年", "pension_months >= 180"),
            ("低于标准1.5倍", "income < param('line') * 1.5"),
        ] {
            check_clause(clause, when, &[]);
        }
    }
}
