//! A whole policy, and every mistake of an author at its very token.

use super::read_policy;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::policy::document::{
    CapScope, CriteriaNode, EachSource, Exhaustion, Keep, Mode, NoReply, Payee, Period, PolicyDocument, Rounding,
};
use crate::register::declaration::SubjectKind;
use crate::yaml;

const WHOLE: &str = r#"code: 990100-MZ-0007                 # one item, one code
name: {zh: 高龄津贴, en: Old-age allowance}
authority: {code: 990100-MZ, name: 样例市民政局}
covers: {region: "990100", by: hukou_region}   # with everything below it
subject: person
in_force: {from: 2024-01-01}         # [from, to)
announced: 2023-12-20
basis:
  - {id: measures, title: 高龄津贴办法, number: 样民〔2023〕9号, article: 第五条, text: 年满80周岁, status: sample}
criteria:
  all:
    - {id: age, clause: 年满80周岁当月起, basis: measures, when: age_at(month_end(as_of)) >= 80}
    - {id: alive, clause: 去世次月止, basis: measures, when: "not deceased or death_month >= months_before(as_of, 1)"}
benefit:
  kind: cash
  amount: case when age_at(month_end(as_of)) >= 100 then param('longevity_allowance') when age_at(month_end(as_of)) >= 90 then 200 else 100 end
  unit: CNY
  period: month
delivery: {mode: automatic, notice_days: 5, pay_within_days: 20}
excludes: [{policy: 990100-MZ-0011, keep: highest}]
"#;

fn read(text: &str) -> (Option<PolicyDocument>, Vec<Diagnostic>) {
    let (node, mut told) = yaml::parse(&SourceFile::new("policy.yaml", text));
    let (document, mut more) = read_policy(&node.expect("a tree"));
    told.append(&mut more);
    (document, told)
}

/// The diagnostics of `text`, each with the text at its place.
#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) -> (Option<PolicyDocument>, Vec<Diagnostic>) {
    let (document, told) = read(text);
    let short: Vec<_> = told.iter().map(|told| (told.code.name, told.primary.as_ref().map_or("", |place| place.text()))).collect();
    assert_eq!(short, expected);
    (document, told)
}

/// The same for the whole policy with one piece of its text replaced.
#[track_caller]
fn check_with(piece: &str, by: &str, expected: &[(&str, &str)]) -> (Option<PolicyDocument>, Vec<Diagnostic>) {
    assert!(WHOLE.contains(piece), "{piece}");
    check(&WHOLE.replacen(piece, by, 1), expected)
}

#[test]
fn a_whole_policy() {
    let policy = check(WHOLE, &[]).0.expect("a policy");
    assert!(policy.complete);
    assert_eq!((policy.code.as_str(), policy.version, policy.place.text()), ("990100-MZ-0007", 1, "990100-MZ-0007"));
    assert_eq!((policy.name.zh.as_str(), policy.name.en.as_str()), ("高龄津贴", "Old-age allowance"));
    assert_eq!((policy.authority_code.as_str(), policy.authority_name.as_str()), ("990100-MZ", "样例市民政局"));
    assert_eq!(policy.covers.region, "990100");
    assert_eq!(policy.covers.by.as_ref().map(|(fact, place)| (fact.as_str(), place.text())), Some(("hukou_region", "hukou_region")));
    assert_eq!(policy.subject, SubjectKind::Person);
    assert_eq!((policy.in_force_from.to_string().as_str(), policy.in_force_to), ("2024-01-01", None));
    assert_eq!(policy.criteria.criteria().iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["age", "alive"]);
    assert_eq!((policy.benefit.kind.as_str(), policy.benefit.period), ("cash", Period::Month));
    assert_eq!((policy.benefit.rounding, policy.benefit.payee), (Rounding::Fen, Payee::Itself));
    assert_eq!((policy.delivery.mode, policy.delivery.notice_days), (Mode::Automatic, Some(5)));
    assert_eq!(policy.excludes[0].keep, Keep::Highest);
    assert_eq!(policy.sha256.len(), 64);
    let age = policy.criteria.criteria()[0];
    assert_eq!(policy.cite(age).as_deref(), Some("《高龄津贴办法》第五条: 年满80周岁当月起"));
}

#[test]
fn everything_that_is_optional() {
    let text = WHOLE.replace(
        "excludes: [{policy: 990100-MZ-0011, keep: highest}]",
        "version: 2
each: {register: certificates, where: kind = 'skill', id: certificate_no, amount: 1000, limit: 3}
occasion: month_of(as_of)
commit: [income]
requires: [{policy: A}, B]
excludes: [C, {policy: D, keep: other}]
cap: {amount: 500, per: household}
budget: {amount: param('pool'), rank_by: income, order: asc, at_exhaustion: pro_rata, period: year}
listed: {list: veteran}
guide: {zh: 到社区领取, en: Collect it at the community office}
tags: [老年人]
reading: 以上含本数
",
    );
    let policy = check(&text, &[]).0.expect("a policy");
    assert_eq!(policy.version, 2);
    let each = policy.each.expect("each");
    assert_eq!((each.source, each.place.text(), each.limit), (EachSource::Register("certificates".into()), "certificates", Some(3)));
    assert!(each.filter.is_some() && each.amount.is_some() && policy.occasion.is_some());
    assert_eq!(policy.commit[0].0, "income");
    assert_eq!(policy.requires.iter().map(|(code, place)| (code.as_str(), place.text())).collect::<Vec<_>>(), [("A", "A"), ("B", "B")]);
    assert_eq!(
        policy.excludes.iter().map(|one| (one.policy.as_str(), one.keep)).collect::<Vec<_>>(),
        [("C", Keep::Highest), ("D", Keep::Other)]
    );
    assert_eq!(policy.cap.map(|cap| cap.per), Some(CapScope::Household));
    let budget = policy.budget.expect("a budget");
    assert_eq!((budget.descending, budget.at_exhaustion, budget.period), (false, Exhaustion::ProRata, Period::Year));
    assert_eq!(policy.listed.map(|(list, _)| list).as_deref(), Some("veteran"));
    assert_eq!(
        (policy.guide.map(|guide| guide.notes[0].zh.clone()).as_deref(), policy.tags.as_slice()),
        (Some("到社区领取"), &["老年人".to_owned()][..])
    );
}

#[test]
fn chinese_operators_in_conditions() {
    let (policy, _) = check_with("age_at(month_end(as_of)) >= 80", "年龄 ≥ 80 且 户籍 不为空", &[]);
    let policy = policy.expect("a policy");
    let when = &policy.criteria.criteria()[0].when;
    assert_eq!(when.node.place(when.expr.range.clone()).text(), "年龄 ≥ 80 且 户籍 不为空");
}

#[test]
fn groups_of_criteria() {
    let leaf = |id: &str| format!("{{id: {id}, clause: 条, basis: measures, when: a}}");
    let tree = |criteria: &str| {
        let start = WHOLE.find("criteria:").expect("criteria");
        let end = WHOLE.find("benefit:").expect("benefit");
        format!("{}criteria: {criteria}\n{}", &WHOLE[..start], &WHOLE[end..])
    };
    let (a, b, c) = (leaf("a"), leaf("b"), leaf("c"));
    for two_of in [format!("{{at_least: {{n: 2, of: [{a}, {b}]}}}}"), format!("{{at_least: 2, of: [{a}, {b}]}}")] {
        let policy = check(&tree(&two_of), &[]).0.expect("a policy");
        assert!(matches!(&policy.criteria, CriteriaNode::AtLeast(2, items) if items.len() == 2));
    }
    let nested = check(&tree(&format!("[{{any: [{a}, {{not: {b}}}]}}, {c}]")), &[]).0.expect("a policy");
    let CriteriaNode::All(items) = &nested.criteria else { panic!("a bare list is `all`") };
    assert!(matches!(&items[0], CriteriaNode::Any(inner) if matches!(inner[1], CriteriaNode::Not(_))));
    check(&tree(&a), &[]);

    check(&tree("{any: []}"), &[("wrong-shape", "[]")]);
    check(&tree(&format!("{{at_least: {{n: 3, of: [{a}, {b}]}}}}")), &[("wrong-shape", "3")]);
    check(&tree(&format!("{{all: [{a}], any: [{b}]}}")), &[("wrong-shape", "any")]);
    check(&tree(&format!("{{all: [{a}, age >= 60], name: x}}")), &[("wrong-shape", "age >= 60"), ("unknown-key", "name")]);
    check(&tree(&format!("{{all: [{a}, {b}, {a}]}}")), &[("duplicate-criterion", "a")]);
}

#[test]
fn a_policy_without_code() {
    check_with("code: 990100-MZ-0007 ", "# ", &[("policy-without-code", "name")]);
    check_with("code: 990100-MZ-0007 ", "code: ", &[("policy-without-code", "code")]);
    check_with("code: 990100-MZ-0007 ", "code: \"  \"", &[("policy-without-code", "code")]);
    let (document, told) =
        check_with("code: 990100-MZ-0007 ", "cod: 990100-MZ-0007 ", &[("policy-without-code", "cod"), ("unknown-key", "cod")]);
    assert!(document.is_none());
    assert_eq!(told[1].help[0].en, "did you mean `code`?");
}

#[test]
fn periods_hold_at_least_a_day() {
    check_with("{from: 2024-01-01}", "{from: 2024-01-01, to: 2024-01-01}", &[("bad-period", "2024-01-01")]);
    check_with("{from: 2024-01-01}", "{from: 2024-01-01, to: 2023-12-31}", &[("bad-period", "2023-12-31")]);
    check_with("{from: 2024-01-01}", "{from: 2024-01-01, to: 2024-01-02}", &[]);
    check_with("{from: 2024-01-01}", "{from: 2024-02-30}", &[("wrong-shape", "2024-02-30")]);
    check_with("{from: 2024-01-01}", "{to: 2024-01-01}", &[("missing-key", "to")]);
}

#[test]
fn a_basis_that_is_not_there() {
    let (_, told) = check_with("basis: measures, when: age_at", "basis: measure, when: age_at", &[("unknown-basis", "measure")]);
    assert_eq!(told[0].help[0].en, "did you mean `measures`?");
    check_with("  period: month", "  period: month\n  clause: 每月一百元\n  basis: tariff", &[("unknown-basis", "tariff")]);
    check_with(
        ", status: sample}",
        ", status: sampel}\n  - {id: measures, title: 又一个, status: text}",
        &[("wrong-shape", "sampel"), ("duplicate-name", "measures")],
    );
}

#[test]
fn a_criterion_without_clause_is_a_warning() {
    let (policy, told) = check_with("clause: 年满80周岁当月起, ", "", &[("criterion-without-clause", "age")]);
    assert!(policy.is_some_and(|policy| policy.complete));
    assert_eq!(told[0].clause.as_deref(), Some("《高龄津贴办法》第五条"));
    check_with("basis: measures, when: age_at", "when: age_at", &[("criterion-without-clause", "age")]);
}

#[test]
fn an_expression_is_told_with_its_clause() {
    let (policy, told) = check_with("age_at(month_end(as_of)) >= 80", "年龄 大于 且 性别", &[("expression-syntax", "且")]);
    assert_eq!(told[0].clause.as_deref(), Some("《高龄津贴办法》第五条: 年满80周岁当月起"));
    let policy = policy.expect("a document to check on");
    assert!(!policy.complete);
}

#[test]
fn a_comma_in_braces_gets_a_word_of_advice() {
    let (_, told) = read(&WHOLE.replacen("age_at(month_end(as_of)) >= 80", "age_at(birth_date, as_of) >= 80", 1));
    let advised = told.iter().any(|told| told.code.name == "expression-syntax" && told.help.iter().any(|help| help.en.contains("quotes")));
    assert!(advised, "{told:?}");
}

#[test]
fn all_mistakes_at_once_in_the_order_of_the_file() {
    let text = WHOLE
        .replace("subject: person", "subject: persn")
        .replace("announced: 2023-12-20", "anounced: 2023-12-20")
        .replace("kind: cash", "kind: money")
        .replace("period: month", "period: monthly")
        .replace("mode: automatic, notice_days: 5", "mode: auto, notice_days: -5")
        .replace("keep: highest", "keep: higher");
    let (document, told) = check(
        &text,
        &[
            ("wrong-shape", "persn"),
            ("unknown-key", "anounced"),
            ("wrong-shape", "money"),
            ("wrong-shape", "monthly"),
            ("wrong-shape", "auto"),
            ("wrong-shape", "-5"),
            ("wrong-shape", "higher"),
        ],
    );
    assert!(document.is_none());
    assert_eq!(told[0].help[0].en, "did you mean `person`?");
}

#[test]
fn keys_that_must_be_there() {
    check(
        "code: X\n",
        &[
            ("missing-key", "code"),
            ("missing-key", "code"),
            ("missing-key", "code"),
            ("missing-key", "code"),
            ("missing-key", "code"),
            ("missing-key", "code"),
            ("missing-key", "code"),
            ("missing-key", "code"),
            ("missing-key", "code"),
        ],
    );
    check("- code: X\n", &[("wrong-shape", "- code: X")]);
    check_with("  period: month\n", "", &[("missing-key", "kind")]);
    let service = WHOLE.replace("kind: cash", "kind: service").replace("  period: month\n", "");
    check(&service, &[]);
    check_with(
        "excludes: [{policy: 990100-MZ-0011, keep: highest}]",
        "each: {id: x, where: a}\ncap: {amount: 3}",
        &[("missing-key", "id"), ("missing-key", "amount")],
    );
}

#[test]
fn a_rule_for_no_reply_needs_its_days() {
    let delivery = "delivery: {mode: automatic, notice_days: 5, pay_within_days: 20}";
    let whole = "delivery: {mode: confirm, second_review: yes, reply_within_days: 15, no_reply: give}";
    let (document, _) = check_with(delivery, whole, &[]);
    let read = document.expect("a policy").delivery;
    assert_eq!((read.second_review, read.reply_within_days, read.no_reply), (true, Some(15), Some(NoReply::Give)));
    check_with(delivery, "delivery: {mode: confirm, no_reply: give}", &[("wrong-shape", "{mode: confirm, no_reply: give}")]);
}
