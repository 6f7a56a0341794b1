//! What is left of a case whose content is erased: enough to count it and to know its grant again, nothing of a person.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::act::who;
use super::case::Case;
use super::event::{Actor, Grant};
use crate::diagnostic::Message;
use crate::store::StoreError;
use crate::store::live::CaseRow;

/// What takes the place of a case's row when its content is erased: identifier, policy, period, department, steps and days.
/// Subject, member, occasion, payee, region, amounts, names and requests are gone. Of a case that was erased before, the row as it is.
///
/// # Errors
///
/// The inner one: why it may not be; the outer one when the row cannot be read.
pub fn erased(row: &CaseRow, actor: &Actor, ground: &str, day: NaiveDate) -> Result<Result<CaseRow, Message>, StoreError> {
    let case = Case::of(row)?;
    if let Err(why) = may(&case, actor, ground) {
        return Ok(Err(why));
    }
    if case.erased_on.is_some() {
        return Ok(Ok(row.clone()));
    }
    let Case { id, grant, plan, corrects, step, found_on, reviewed, published_on, told_on, confirmed_on, paid_on, .. } = case;
    // Every field stands here, so that whoever adds one must think of it.
    let kept = Case {
        grant: Grant {
            kind: grant.kind,
            subject: String::new(),
            policy: grant.policy,
            version: grant.version,
            department: grant.department,
            region: String::new(),
            period: grant.period,
            occasion: None,
            member: None,
            payee: None,
            amount: None,
            unit: grant.unit,
            reasons: Vec::new(),
        },
        id,
        plan,
        corrects,
        step,
        found_on,
        amount: None,
        open: BTreeMap::new(),
        reviewers: Vec::new(),
        reviewed,
        published_on,
        told_on,
        confirmed_on,
        paid_on,
        paid: None,
        stars: None,
        lapsed_on: case.lapsed_on,
        lost_on: case.lost_on,
        reckoned: None,
        beside: 0,
        superseded: None,
        answered: None,
        objected: false,
        requests: BTreeMap::new(),
        erased_on: Some(day),
    };
    Ok(Ok(CaseRow { version: row.version, at: row.at, ..kept.row() }))
}

/// Whether somebody may erase a case: an official of its department, with a ground, once it is over.
fn may(case: &Case, actor: &Actor, ground: &str) -> Result<(), Message> {
    let fault = |zh: &str, en: &str| Err(Message::new(zh, en));
    who(case, "close", actor)?;
    if ground.trim().is_empty() {
        return fault("须写明理由", "a ground must be given");
    }
    if !case.step.is_over() {
        return fault("办件尚未办结或撤回", "the case is neither closed nor withdrawn yet");
    }
    if case.is_held() {
        return fault("有异议尚未答复", "an objection is not answered yet");
    }
    Ok(())
}
