//! Conditions of the shipped policies in plain words.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;

use crate::check::bind::Binder;
use crate::check::{self, CheckedPolicy};
use crate::diagnostic::Message;
use crate::explain::rule::{Rule, rule, words};
use crate::explain::{Judge, Known};
use crate::{policy, region, register};

/// Lets a judge of nobody look at the policies.
fn with(look: impl FnOnce(&Judge<'_>, &BTreeMap<String, CheckedPolicy>)) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let (set, _) = policy::load(&dir);
    let (regions, _) = region::load(&dir);
    let (registers, _) = register::load(&dir);
    let (checked, _) = check::check(Arc::new(registers), &set.policies, &set.parameters, &regions);
    let laws = checked.policies.iter().map(|policy| (policy.document.code.clone(), policy.clone())).collect();
    let day = NaiveDate::from_ymd_opt(2026, 6, 30).expect("a day");
    let binder = Binder::new(day, None, &set.parameters, &regions, &laws);
    look(&Judge::new(&checked.catalogue, &binder, Known::NOTHING), &laws);
}

#[test]
fn criteria_in_a_line() {
    let expected = [
        ("990100-MZ-0007", "age", "年龄不低于80周岁", "age is at least 80"),
        (
            "990100-MZ-0007",
            "alive",
            "已死亡的，死亡月份不早于上个月",
            "if Deceased, then Month of death is no earlier than the month before",
        ),
        ("990100-KJ-0001", "listed", "高新技术企业：是", "Recognised high-tech enterprise: yes"),
        (
            "990100-KJ-0001",
            "recent",
            "高新技术企业的，高新技术企业认定日后3年晚于判定日",
            "if Recognised high-tech enterprise, then 3 years after “Recognised as high-tech on” is after the day",
        ),
        ("990100-KJ-0001", "registered", "已注销：否", "Deregistered: no"),
        ("990100-GX-0001", "size", "企业规模属于：中型、微型、小型", "Size of enterprise is one of Medium, Micro, Small"),
        ("990100-ZJ-0001", "subsistence", "符合“最低生活保障”的条件", "entitled to “Subsistence allowance”"),
        (
            "990100-MZ-0001",
            "income",
            "家庭月收入 ÷ 共同生活家庭成员数低于最低生活保障标准",
            "Monthly income of the household ÷ Members counted is below Subsistence line per head",
        ),
    ];
    with(|judge, laws| {
        for (code, id, zh, en) in expected {
            let policy = &laws[code];
            let (_, expr) = policy.leaves.iter().find(|(leaf, _)| **leaf == *id).expect("the criterion");
            assert_eq!(rule(judge, expr, policy.document.subject).in_a_line(), Message::new(zh, en), "{code} {id}");
        }
    });
}

#[test]
fn amounts_in_words() {
    let expected = [
        (
            "990100-ZJ-0003",
            "（共同生活家庭成员数，超过3的按3） × 住房租赁补贴标准（每人）",
            "(Members counted, at most 3) × Rental subsidy per head",
        ),
        (
            "990100-MZ-0001",
            "最低生活保障标准 − 家庭月收入 ÷ 共同生活家庭成员数",
            "Subsistence line per head − Monthly income of the household ÷ Members counted",
        ),
    ];
    with(|judge, laws| {
        for (code, zh, en) in expected {
            let policy = &laws[code];
            let amount = policy.amount.as_ref().expect("an amount");
            assert_eq!(words(judge, amount, policy.document.subject), Message::new(zh, en), "{code}");
        }
    });
}

#[test]
fn every_condition_has_words_and_denying_turns_lists_round() {
    with(|judge, laws| {
        for policy in laws.values() {
            for (id, expr) in policy.leaves.iter() {
                let said = rule(judge, expr, policy.document.subject).in_a_line();
                assert!(!said.zh.is_empty() && !said.en.is_empty(), "{} {id}", policy.document.code);
            }
        }
        let policy = &laws["990100-KJ-0001"];
        let (_, credit) = policy.leaves.iter().find(|(leaf, _)| &**leaf == "credit").expect("the criterion");
        let denied = check::ir::Expr::new(check::ir::Kind::Not(Box::new(credit.clone())), check::ir::Ty::Bool);
        assert!(matches!(rule(judge, credit, policy.document.subject), Rule::All(items) if items.len() == 2));
        assert!(matches!(rule(judge, &denied, policy.document.subject), Rule::Any(items) if items.len() == 2));
    });
}
