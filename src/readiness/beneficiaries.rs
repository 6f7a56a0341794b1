//! 受益对象明确: whom the policy is for is decided by rules and by facts that a register tells.

use super::condition::{Condition, ConditionName, Looking, Reason, ReasonKind};
use crate::check::CheckedPolicy;
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::Message;

/// Looks at each criterion, and at each document that ought to have become one. What registers lack is told under
/// [`ConditionName::Recognition`].
pub(super) fn look(policy: &CheckedPolicy) -> Condition {
    let mut looking = Looking::new();
    for (id, leaf) in policy.leaves.iter() {
        looking.at(if is_same_for_all(leaf) { vec![without_rule(id)] } else { Vec::new() });
    }
    for basis in policy.document.bases_without_rule() {
        let title = &basis.title;
        let text = Message::new(
            format!("依据“{}”《{title}》没有写成任何规则", basis.id),
            format!("no rule rests on basis `{}` ({title})", basis.id),
        );
        looking.at(vec![Reason { basis: Some(basis.id.clone()), ..Reason::new(ReasonKind::ClauseWithoutRule, text) }]);
    }
    looking.done(ConditionName::Beneficiaries)
}

/// Whether a condition asks nothing: not of the subject, the day, a parameter or another policy.
fn is_same_for_all(expr: &Expr) -> bool {
    let asks = matches!(expr.kind, Kind::Fact(_) | Kind::AsOf | Kind::Parameter { .. } | Kind::InRegion { .. } | Kind::Entitled(_));
    !asks && expr.children().into_iter().all(is_same_for_all)
}

fn without_rule(id: &str) -> Reason {
    let text = Message::new(
        format!("条件“{id}”对谁都一样, 条文没有写成规则, 要由人认定"),
        format!("criterion `{id}` is the same for everybody: its clause is no rule, and an official must judge"),
    );
    Reason { parts: vec![id.to_owned()], ..Reason::new(ReasonKind::CriterionWithoutRule, text) }
}
