//! 文件时限有效: the policy is the law of the day, and the documents that it rests on are in force.

use chrono::NaiveDate;

use super::condition::{Condition, ConditionName, Looking, Reason, ReasonKind};
use crate::diagnostic::Message;
use crate::policy::Standing;
use crate::policy::document::{Basis, PolicyDocument};

/// Looks at the policy's own time, and at that of each document.
pub(super) fn look(document: &PolicyDocument, standing: Standing, as_of: NaiveDate) -> Condition {
    let mut looking = Looking::new();
    looking.at_root(if standing == Standing::InForce { Vec::new() } else { vec![not_in_force(document, standing, as_of)] });
    let ended = document.basis.iter().filter(|basis| !is_in_force(basis, as_of)).count();
    let all = !document.basis.is_empty() && ended == document.basis.len();
    for basis in &document.basis {
        let reasons: Vec<Reason> = not_in_force_basis(basis, as_of).into_iter().collect();
        if all { looking.at_root(reasons) } else { looking.at(reasons) }
    }
    looking.done(ConditionName::Validity)
}

fn not_in_force(document: &PolicyDocument, standing: Standing, as_of: NaiveDate) -> Reason {
    let label = standing.label();
    let (from, to) = (document.in_force_from, document.in_force_to);
    let until = to.map_or_else(|| ("起".to_owned(), String::new()), |to| (format!("起, {to} 止"), format!(" up to {to}")));
    let text = Message::new(
        format!("政策在 {as_of} {}: 自 {from} {}", label.zh, until.0),
        format!("on {as_of} the policy is {}: from {from}{}", label.en, until.1),
    );
    Reason::new(ReasonKind::NotInForce, text)
}

fn is_in_force(basis: &Basis, as_of: NaiveDate) -> bool {
    let (from, to) = basis.time();
    from.is_none_or(|from| from <= as_of) && to.is_none_or(|to| as_of < to)
}

/// Why a document is not in force on a day; none where it is, as far as its time is known.
pub(super) fn not_in_force_basis(basis: &Basis, as_of: NaiveDate) -> Option<Reason> {
    if is_in_force(basis, as_of) {
        return None;
    }
    let title = &basis.title;
    let text = match basis.time() {
        (_, Some(to)) if to <= as_of => Message::new(format!("《{title}》自 {to} 起失效"), format!("{title} has ended on {to}")),
        (Some(from), _) => Message::new(format!("《{title}》自 {from} 起才施行"), format!("{title} is in force only from {from}")),
        (None, _) => Message::new(format!("《{title}》不在有效期"), format!("{title} is not in force")),
    };
    Some(Reason { basis: Some(basis.id.clone()), ..Reason::new(ReasonKind::BasisNotInForce, text) })
}
