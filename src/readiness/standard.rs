//! 标准数额具体: every parameter has a value wherever the policy covers, and of almost all who are found the amount is known.

use std::collections::BTreeMap;

use super::condition::{Condition, ConditionName, Looking, Reason, ReasonKind};
use super::mode::is_almost_nobody;
use super::people::People;
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::Catalogue;
use crate::check::parameters::{parameter_regions, parameter_uses, without_value};
use crate::diagnostic::Message;
use crate::eligibility::input::budget;
use crate::region::RegionTree;

/// At most so many regions are named in words.
const NAMED: usize = 3;

/// Looks at parameters, budget and the amounts of those who are found.
pub(super) fn look(policy: &CheckedPolicy, catalogue: &Catalogue, binder: &Binder<'_>, people: Option<&People>) -> Condition {
    let mut looking = Looking::new();
    let document = &policy.document;
    let mut by_name: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for named in parameter_uses(catalogue, policy) {
        by_name.entry(named.name.clone()).or_default().push(named);
    }
    for (name, uses) in by_name {
        // Looked up where the subject lives, a parameter needs more values than once for the country.
        let named = uses.iter().find(|named| named.by_region).unwrap_or(&uses[0]);
        let without = without_value(binder, document, named);
        let everywhere = without.len() == parameter_regions(binder.regions, document, named, binder.as_of).len();
        let mut parts: Vec<String> = uses.iter().map(|named| named.criterion.clone().unwrap_or_else(|| "amount".to_owned())).collect();
        parts.dedup();
        let reasons = if without.is_empty() { Vec::new() } else { vec![lacking(&name, parts, without, binder)] };
        if everywhere { looking.at_root(reasons) } else { looking.at(reasons) }
    }
    if document.budget.is_some() {
        let text = Message::new("预算的数额算不出来", "the money of the budget cannot be computed");
        let reason = Reason { parts: vec!["budget".to_owned()], ..Reason::new(ReasonKind::BudgetUnknown, text) };
        looking.at(if budget(policy, binder).is_some() { Vec::new() } else { vec![reason] });
    }
    let unpriced = people.map_or((0, 0), |people| (people.unpriced, people.yes));
    looking.at(if is_almost_nobody(unpriced.0, unpriced.1) { Vec::new() } else { vec![unknown_amounts(unpriced)] });
    looking.done(ConditionName::Standard)
}

fn lacking(name: &str, parts: Vec<String>, regions: Vec<String>, binder: &Binder<'_>) -> Reason {
    let (zh, en) = named(&regions, binder.regions);
    let day = binder.as_of;
    let text = Message::new(format!("标准“{name}”在 {day} 没有值: {zh}"), format!("parameter `{name}` has no value on {day}: {en}"));
    Reason { parts, parameter: Some(name.to_owned()), regions, ..Reason::new(ReasonKind::ParameterWithoutValue, text) }
}

/// The first regions of a list by name and code, in both languages, and how many more there are.
pub(super) fn named(codes: &[String], regions: &RegionTree) -> (String, String) {
    let label = |code: &String| match regions.name(code) {
        Some(name) => (format!("{} {code}", name.zh), format!("{} {code}", name.en)),
        None => (code.clone(), code.clone()),
    };
    let (mut zh, mut en): (Vec<String>, Vec<String>) = codes.iter().take(NAMED).map(label).unzip();
    if codes.len() > NAMED {
        zh.push(format!("等 {} 个", codes.len()));
        en.push(format!("{} in all", codes.len()));
    }
    (zh.join(", "), en.join(", "))
}

fn unknown_amounts((unpriced, yes): (u64, u64)) -> Reason {
    let text = Message::new(
        format!("符合的 {yes} 个对象中, {unpriced} 个的金额算不出来"),
        format!("of {yes} who are found, the amount of {unpriced} is not known"),
    );
    Reason { parts: vec!["amount".to_owned()], ..Reason::new(ReasonKind::AmountUnknown, text) }
}
