//! Changes that alter no verdict and no amount, whatever the facts: proven over all values that the policy can tell apart.

use super::mutants::Mutant;
use crate::cases::domain::{Question, verdict};
use crate::cases::sites::{Part, Site};
use crate::check::CheckedPolicy;
use crate::check::catalogue::Catalogue;
use crate::check::ir::{Expr, Ty};
use crate::diagnostic::Message;

/// Why no case could notice a change; none where it is not proven.
#[must_use]
pub fn equivalent(catalogue: &Catalogue, policy: &CheckedPolicy, mutant: &Mutant) -> Option<Message> {
    let site = mutant.site.as_ref()?;
    let kind = policy.document.subject;
    let before = verdict(&policy.coverage, &policy.criteria);
    let (first, second) = match site.part {
        Part::Coverage => return None,
        Part::Criteria => {
            let (before_part, after_part) = nearest_condition(&policy.criteria, &mutant.policy.criteria, site);
            let parts = [before_part.clone(), after_part.clone()];
            if Question::new(catalogue, kind, &parts, &[]).can_differ(0, 1, (0, 1)) == Some(false) {
                return Some(Message::new("登记库的值分不出两者", "no value of a register tells the two apart"));
            }
            let after = verdict(&mutant.policy.coverage, &mutant.policy.criteria);
            let conditions = [before, after, before_part.clone(), after_part.clone()];
            let differ = Question::new(catalogue, kind, &conditions, &[]).can_differ(0, 1, (2, 3));
            return (differ == Some(false)).then(|| Message::new("其他条件已经决定了结果", "the other criteria decide all the same"));
        }
        Part::Amount => (policy.amount.clone(), mutant.policy.amount.clone()),
        Part::Cap => (policy.cap.clone(), mutant.policy.cap.clone()),
    };
    let differ = Question::new(catalogue, kind, &[before], &[first, second]).amounts_can_differ(0);
    (differ == Some(false)).then(|| Message::new("享受的人里分不出两者", "nobody whom the criteria let through tells the two apart"))
}

/// The nearest condition around a site, before and after the change.
fn nearest_condition<'e>(before: &'e Expr, after: &'e Expr, site: &Site) -> (&'e Expr, &'e Expr) {
    let (mut before, mut after) = (before, after);
    let mut found = (before, after);
    for &child in &site.path {
        let next = (before.children().get(child).copied(), after.children().get(child).copied());
        let (Some(left), Some(right)) = next else { break };
        (before, after) = (left, right);
        if before.ty == Ty::Bool {
            found = (before, after);
        }
    }
    found
}
