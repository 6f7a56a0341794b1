//! What cases say of what is given and refused, for the next run of `match`.

use std::sync::Arc;

use super::case::{Case, Step};
use crate::eligibility::input::{Payment, RefusalKind, RefusalRow};

/// The payment of a case; none where it is not paid. A case that was paid without an amount counts as 0.
#[must_use]
pub fn paid(case: &Case) -> Option<Payment<'_>> {
    let grant = &case.grant;
    Some(Payment {
        kind: grant.kind,
        subject_id: &grant.subject,
        policy: &grant.policy,
        period: &grant.period,
        occasion: grant.occasion.as_deref(),
        amount: case.paid.unwrap_or(0),
        paid_on: case.paid_on?,
    })
}

/// What the subject's own word in a case means for later runs: declined is a refusal of the benefit where it is given once;
/// an objection to what a program decided alone has an official decide.
#[must_use]
pub fn refused(case: &Case) -> Vec<RefusalRow> {
    let grant = &case.grant;
    let row = |refusal| RefusalRow {
        kind: grant.kind,
        subject_id: Arc::from(grant.subject.as_str()),
        refusal,
        policy: Some(Arc::from(grant.policy.as_str())),
    };
    // Who declines the grant of one month has not declined those of all months, nor other occasions.
    let declined = case.step == Step::Declined && grant.period.is_empty() && grant.occasion.is_none();
    let mut rows = Vec::new();
    if declined {
        rows.push(row(RefusalKind::RefusedBenefit));
    }
    if case.objected && case.plan.reviews == 0 {
        rows.push(row(RefusalKind::ObjectedAutomation));
    }
    rows
}
