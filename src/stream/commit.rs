//! The commit of a turn, beside others who move cases on meanwhile: above all the push, which notes on each case that it was told of.

use std::collections::{HashMap, HashSet};

use crate::ledger::{Case, Event, What, made};
use crate::store::StoreError;
use crate::store::live::{Batch, CaseRow, CaseStep, Live};

/// How often it is tried again when somebody was faster.
const RACES: usize = 32;

/// Commits a batch. A case that was only told of since it was read is moved on from where it is now.
///
/// # Errors
///
/// [`StoreError::Raced`] when something else happened to a case, and what was made of it must be made anew; else as
/// [`Live::commit`] has it.
pub(super) async fn commit(live: &dyn Live, batch: &mut Batch) -> Result<(), StoreError> {
    for _ in 0..RACES {
        match live.commit(batch).await {
            Err(StoreError::Raced(_)) => behind(live, &mut batch.cases).await?,
            other => return other.map(|_| ()),
        }
    }
    live.commit(batch).await.map(|_| ())
}

/// Puts steps behind what happened to their cases since. A grant whose case was erased has nobody's name any more by which it could be
/// found: it begins no second one.
async fn behind(live: &dyn Live, steps: &mut Vec<CaseStep>) -> Result<(), StoreError> {
    let ids: Vec<String> = steps.iter().map(|step| step.row.id.clone()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let rows = live.cases_named(&ids).await?;
    let now: HashMap<&str, &CaseRow> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let mut erased = HashSet::new();
    for row in &rows {
        if Case::of(row)?.erased_on.is_some() {
            erased.insert(row.id.clone());
        }
    }
    steps.retain(|step| step.expect > 0 || !erased.contains(&step.row.id));
    for step in steps {
        let Some(row) = now.get(step.row.id.as_str()).filter(|row| row.version != step.expect) else { continue };
        let anew = || StoreError::Raced(row.id.clone());
        // A case that another began, or that was moved back, is not the one that was read.
        if step.expect == 0 || row.version < step.expect {
            return Err(anew());
        }
        for event in live.case_events(&row.id).await?.iter().filter(|event| event.version > step.expect) {
            let Some((_, content)) = &event.content else { return Err(anew()) };
            if !matches!(Event::read(content)?.what, What::Told { .. } | What::Sent { .. } | What::Untold { .. }) {
                return Err(anew());
            }
        }
        let events = step.events.iter().map(|event| Event::read(event)).collect::<Result<Vec<_>, _>>()?;
        // What a subject has heard of meanwhile is not made less without anybody looking.
        if events.iter().any(is_less) {
            return Err(anew());
        }
        *step = made(row, Case::of(row)?, &events);
    }
    Ok(())
}

fn is_less(event: &Event) -> bool {
    matches!(event.what, What::Corrected { before: Some(before), after: Some(after) } if after < before)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::ledger::{Actor, Grant, Plan, VERSION, Why};
    use crate::push::worker::memory::Memory;
    use crate::register::declaration::SubjectKind;

    fn event(what: What) -> Event {
        let day = NaiveDate::from_ymd_opt(2026, 6, 1).expect("a day");
        Event { v: VERSION, day, actor: Actor::system("test"), note: String::new(), request: String::new(), what }
    }

    fn found() -> What {
        let grant = Grant {
            kind: SubjectKind::Person,
            subject: "p1".to_owned(),
            policy: "990100-MZ-0001".to_owned(),
            version: 1,
            department: "990100-MZ".to_owned(),
            region: String::new(),
            period: String::new(),
            occasion: None,
            member: None,
            payee: None,
            amount: Some(10_000),
            unit: "CNY".to_owned(),
            reasons: Vec::new(),
        };
        let plan = Plan { reviews: 0, notice_days: 0, tell: true, confirm: true, reply_days: None, no_reply: None, pay_days: None };
        What::Found { grant, plan, corrects: None }
    }

    /// A turn's step on a case as it was read, after another has done something to it: what the case is then.
    async fn beside(meanwhile: What, ours: What) -> Result<Case, StoreError> {
        let live = Memory::default();
        let begun = Case::begin("c1", &event(found())).expect("a case");
        let content = serde_json::to_vec(&event(found())).expect("JSON");
        let first = CaseStep { row: begun.row(), expect: 0, events: vec![content] };
        live.commit(&Batch { cases: vec![first], ..Batch::default() }).await.expect("found");
        let read = live.case("c1").await.expect("read").expect("the case");
        let step = |row: &CaseRow, what: What| made(row, Case::of(row).expect("ours"), &[event(what)]);
        live.commit(&Batch { cases: vec![step(&read, meanwhile)], ..Batch::default() }).await.expect("moved on");
        commit(&live, &mut Batch { cases: vec![step(&read, ours)], ..Batch::default() }).await?;
        let row = live.case("c1").await.expect("read").expect("the case");
        let events = live.case_events("c1").await.expect("read");
        assert_eq!(crate::ledger::fold(&events).expect("ours"), Some(Case::of(&row)?), "the row is what its events make");
        assert_eq!(row.version, 3);
        Case::of(&row)
    }

    #[tokio::test]
    async fn a_case_that_was_told_of_meanwhile_is_moved_on_from_there() {
        let told = || What::Told { channel: "a".to_owned(), message: "m1".to_owned() };
        let case = beside(told(), What::Questioned { why: Why::Lost, amount: None }).await.expect("committed");
        assert!(case.told_on.is_some() && case.lost_on.is_some());
        let case = beside(told(), What::Corrected { before: Some(10_000), after: Some(12_000) }).await.expect("committed");
        assert!(case.told_on.is_none() && case.amount == Some(12_000), "to be told anew");
        let less = beside(told(), What::Corrected { before: Some(10_000), after: Some(9_000) }).await;
        assert_eq!(less, Err(StoreError::Raced("c1".to_owned())), "what was heard is for somebody to look at");
    }

    #[tokio::test]
    async fn a_grant_whose_case_was_erased_begins_no_second_one() {
        let live = Memory::default();
        let begun = Case::begin("c1", &event(found())).expect("a case");
        let content = serde_json::to_vec(&event(found())).expect("JSON");
        let first = CaseStep { row: begun.row(), expect: 0, events: vec![content] };
        live.commit(&Batch { cases: vec![first.clone()], ..Batch::default() }).await.expect("found");
        let closed = serde_json::to_vec(&event(What::Withdrawn)).expect("JSON");
        let erased = Case { erased_on: Some(event(What::Withdrawn).day), ..begun };
        let erased = CaseStep { row: erased.row(), expect: 1, events: vec![closed] };
        live.commit(&Batch { cases: vec![erased], ..Batch::default() }).await.expect("erased");
        let mut batch = Batch { cases: vec![first], ..Batch::default() };
        commit(&live, &mut batch).await.expect("the turn goes on");
        assert!(batch.cases.is_empty());
        assert_eq!(live.case("c1").await.expect("read").expect("the case").version, 2);
    }

    #[tokio::test]
    async fn what_else_happened_to_a_case_is_looked_at_first() {
        for meanwhile in [What::Withdrawn, What::Paid { amount: Some(10_000) }, What::Questioned { why: Why::Lost, amount: None }] {
            let raced = beside(meanwhile, What::Corrected { before: Some(10_000), after: Some(12_000) }).await;
            assert_eq!(raced, Err(StoreError::Raced("c1".to_owned())));
        }
    }
}
