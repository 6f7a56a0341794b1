//! `clause-contradicts-rule`: the text says 以上 where the rule says `>`, or the like.

use super::domain::{Fraction, Ranges};
use super::phrases::{Phrase, phrases};
use super::rules::{Comparison, comparisons, negations};
use super::scene::{Place, Scene};
use super::yaml_places;
use crate::check::ir::CompareOp;
use crate::diagnostic::{Diagnostic, code};

/// Words by which a text speaks of those who are left out.
const LEFT_OUT: [&str; 14] =
    ["不享受", "不予", "不得", "除外", "除", "停发", "停止", "取消", "终止", "不再", "不符合", "不发", "不给", "不纳入"];

/// Compares the bounds of each clause with those of its rule.
pub(super) fn check(scene: &Scene<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let criteria = scene.document.criteria.criteria();
    let negations = negations(&scene.document.criteria);
    for ((criterion, place), negated) in criteria.iter().zip(scene.criteria()).zip(negations) {
        let Some(clause) = &criterion.clause else { continue };
        let rules = comparisons(scene, &place, negated);
        for phrase in phrases(clause) {
            if let Some(rule) = contradicting(&phrase, clause, &rules) {
                diagnostics.push(tell(scene, criterion, &place, &phrase, rule));
            }
        }
    }
}

/// The rule that has the number of a phrase and another bound, where no rule has the phrase's own.
fn contradicting<'r>(phrase: &Phrase, clause: &str, rules: &'r [Comparison]) -> Option<&'r Comparison> {
    let about = |rule: &&Comparison| !matches!(rule.op, CompareOp::Eq | CompareOp::NotEq) && same_number(phrase, rule).is_some();
    let mut rules = rules.iter().filter(about).peekable();
    let first = *rules.peek()?;
    let rest = clause.replace(&phrase.words, "");
    let turned_round = LEFT_OUT.iter().any(|word| rest.contains(word));
    let agrees = |rule: &Comparison| {
        let Some(number) = same_number(phrase, rule) else { return false };
        let on_grid = |set: Ranges| rule.grid.map_or(set.clone(), |scale| set.on_grid(scale));
        let said = on_grid(Ranges::point(number).left_of(phrase.bound));
        let is = on_grid(Ranges::point(number).left_of(rule.op));
        is == said || (turned_round && is == on_grid(said.complement()))
    };
    (!rules.any(agrees)).then_some(first)
}

/// The number of a phrase as a rule has it: 15年 as 180 months, 5.5% as 0.055.
fn same_number(phrase: &Phrase, rule: &Comparison) -> Option<Fraction> {
    as_rules_have_it(phrase).into_iter().find(|number| rule.numbers.contains(number))
}

/// The ways in which a rule may have the number of a phrase.
pub(super) fn as_rules_have_it(phrase: &Phrase) -> Vec<Fraction> {
    let times = |num: i128, den: i128| Fraction::new(num, den).and_then(|factor| phrase.number.times(factor));
    let mut numbers = vec![phrase.number];
    numbers.extend(match phrase.unit {
        "年" | "年度" => times(12, 1),
        "个月" | "月" => times(1, 12),
        "%" | "％" => times(1, 100),
        _ => None,
    });
    numbers
}

fn tell(
    scene: &Scene<'_>,
    criterion: &crate::policy::document::Criterion,
    place: &Place<'_>,
    phrase: &Phrase,
    rule: &Comparison,
) -> Diagnostic {
    let said = phrase.bound.sign();
    let written = &phrase.words;
    let mut diagnostic = Diagnostic::new(
        &code::CLAUSE_CONTRADICTS_RULE,
        format!("条文说“{written}”, 应当是 {said}, 规则写的是 {}", rule.op.sign()),
        format!("the clause says “{written}”, which is {said}; the rule says {}", rule.op.sign()),
    )
    .at(rule.span.clone())
    .help(
        "以上、以下、以内、满含本数, 不满、超过、以外不含本数 (民法典第一千二百五十九条); 按条文改规则, 或核对条文",
        "以上, 以下, 以内, 满 include the number; 不满, 超过, 以外 do not (Civil Code art. 1259): correct the rule by the text, or check the text",
    );
    if let Some(node) = yaml_places::clause(scene.document, criterion) {
        diagnostic = diagnostic.also(node.place(phrase.range.clone()), "条文在这里", "the clause is here");
    }
    diagnostic.clause.clone_from(&place.clause);
    diagnostic
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::check_clause;

    #[test]
    fn told() {
        for (clause, when, at) in [
            ("60周岁以上", "age > 60", "age > 60"),
            ("年满六十周岁", "age > 60 and disabled", "age > 60"),
            ("未满18周岁", "age <= 18", "age <= 18"),
            ("缴费满15年", "pension_months > 180", "pension_months > 180"),
            ("收入不超过1000元", "income < 1000", "income < 1000"),
            ("收入1000元以下", "income < 1000", "income < 1000"),
            ("收入超过1000元", "income >= 1000", "income >= 1000"),
            ("60周岁以上", "age < 60", "age < 60"),
            ("16至24岁", "age >= 16 and age < 24", "age < 24"),
            ("收入不超过1020元", "income < param('line')", "income < param('line')"),
            ("缴费12个月以上", "not (pension_months <= 12)", "(pension_months <= 12)"),
            ("收入超过1000元的不享受", "not (income >= 1000)", "(income >= 1000)"),
        ] {
            check_clause(clause, when, &[("clause-contradicts-rule", at)]);
        }
    }

    #[test]
    fn not_told() {
        for (clause, when) in [
            ("60周岁以上", "age >= 60"),
            ("60周岁以上", "age > 59"),
            ("60周岁以上", "not (age < 60)"),
            ("未满18周岁", "age < 18"),
            ("未满18周岁", "age <= 17"),
            ("缴费满15年", "pension_months >= 180"),
            ("16至24岁", "age between 16 and 24"),
            ("收入超过1000元的不享受", "income <= 1000"),
            ("收入低于标准", "income < param('line')"),
            ("30个月（含）以下", "pension_months <= 30"),
            ("离校2年内", "age >= 18"),
        ] {
            check_clause(clause, when, &[]);
        }
    }
}
