//! The occasions of a policy with `each`, by the row interpreter: the rows of a case that its filter lets through.

use super::registers::OccasionRow;
use crate::check::CheckedPolicy;
use crate::check::ir::Expr;
use crate::eligibility::compiled::hundredths;
use crate::explain::{Amount, Judge};
use crate::program::EvalError;
use crate::program::interpreter::{Answer, evaluate};

/// The occasions of a yes with their amounts, by identifier; an amount is unknown where a value that it needs is.
///
/// # Errors
///
/// If arithmetic overflows.
pub fn of(
    judge: &mut Judge<'_>,
    policy: &CheckedPolicy,
    rows: &[OccasionRow],
    whole: Amount,
) -> Result<Vec<(String, Option<i64>)>, EvalError> {
    let (Some(each), Some(written)) = (&policy.each, &policy.document.each) else { return Ok(Vec::new()) };
    let limit = written.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let filter = each.filter.as_ref().map(|filter| ready(judge, policy, filter));
    let amount = each.amount.as_ref().map(|amount| ready(judge, policy, amount));
    let mut found: Vec<(String, Option<i64>)> = Vec::new();
    for row in rows {
        let value = |index: usize| row.values.get(&index).cloned();
        let counts = match &filter {
            Some(filter) => evaluate(filter, &value)? == Some(Answer::Bool(true)),
            None => true,
        };
        if !counts || found.iter().any(|(id, _)| *id == row.id) {
            continue;
        }
        let own = match &amount {
            Some(amount) => match evaluate(amount, &value)? {
                Some(Answer::Number(number)) => hundredths(&number, policy.document.benefit.rounding),
                _ => None,
            },
            None => match whole {
                Amount::Known(hundredths) => Some(hundredths),
                Amount::None | Amount::Unknown => None,
            },
        };
        found.push((row.id.clone(), own));
    }
    found.truncate(limit);
    Ok(found)
}

/// The form of an expression over rows that the interpreter takes.
#[must_use]
pub fn ready(judge: &mut Judge<'_>, policy: &CheckedPolicy, expr: &Expr) -> Expr {
    let Some(each) = &policy.each else { return expr.clone() };
    let offset = judge.catalogue.rows.get(&each.register).map_or(0, Vec::len);
    let bound = judge.binder.bind(expr);
    let expanded = judge.catalogue.expand(&bound, each.kind, offset, &|_| false);
    judge.binder.bind(&expanded)
}
