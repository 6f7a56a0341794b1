//! `mianshen case open`: the grants of the current run become cases; what was recomputed or lost is told to its case.

use std::collections::BTreeMap;
use std::path::Path;

use super::Told;
use crate::commands::store::{StoreArg, with};
use crate::commands::{Context, Exit};
use crate::diagnostic::has_errors;
use crate::ledger::{Actor, Renumbered, Rule, current, found, lost};
use crate::policy;
use crate::register::declaration::SubjectKind;
use crate::report::count;
use crate::serve::clock;
use crate::store::live::{Batch, CaseFilter, CasePages, CaseRow, CaseStep, Live};
use crate::store::{Store, StoreError, StoredRun, StoredSubject};

/// Subjects that are read at a time.
const PAGE: usize = 2_048;

/// How often steps are made anew when somebody moved one of their cases on meanwhile.
const RACES: usize = 8;

/// What was done.
#[derive(Default)]
struct Opened {
    made: u64,
    moved: u64,
    lost: u64,
}

pub(super) fn run(store: &StoreArg, policies: &Path, context: &Context) -> Told {
    let (set, diagnostics) = policy::load(policies);
    if has_errors(&diagnostics) {
        context.tell(&diagnostics);
    }
    let done = with(store, async |store| {
        let run = store.current().await?.ok_or(StoreError::Missing)?;
        let rules: BTreeMap<String, Rule> = run
            .run()
            .policies
            .iter()
            .filter_map(|judged| {
                let document = set.policies.iter().find(|document| document.code == *judged.code && document.version == judged.version)?;
                Some((document.code.clone(), Rule::of(document, judged)))
            })
            .collect();
        let unknown: Vec<String> =
            run.run().policies.iter().filter(|judged| !rules.contains_key(&*judged.code)).map(|judged| judged.code.to_string()).collect();
        let opened = open(store, &*run, &rules).await?;
        Ok((run.run().summary.id, opened, unknown))
    })?;
    let (id, opened, unknown) = done;
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let mut text = format!(
        "{} {id} · {} {} · {} {} · {} {}\n",
        pick("批次", "run"),
        pick("新办件", "new cases"),
        count(opened.made),
        pick("重算", "recomputed"),
        count(opened.moved),
        pick("提请审核 (不再符合)", "reviews (no longer found)"),
        count(opened.lost),
    );
    if !unknown.is_empty() {
        let head = pick(
            "政策文件夹里没有这些政策的这一版本, 未建立办件",
            "the policies folder does not have these policies in the version of the run: no cases",
        );
        text.push_str(&format!("{head}: {}\n", unknown.join(", ")));
    }
    Ok((text, if unknown.is_empty() { Exit::Clean } else { Exit::Findings }))
}

async fn open(store: &dyn Store, run: &dyn StoredRun, rules: &BTreeMap<String, Rule>) -> Result<Opened, StoreError> {
    let live = store.live().await?;
    let (actor, day) = (Actor::system("mianshen case open"), run.run().summary.as_of);
    let mut opened = Opened::default();
    let mut aliases = Vec::new();
    for kind in SubjectKind::ALL {
        aliases.extend(run.aliases(kind).await?);
    }
    let renumbered: Renumbered = aliases.into_iter().collect();
    for kind in SubjectKind::ALL {
        let mut after: Option<String> = None;
        loop {
            let page = run.subjects(kind, after.as_deref(), PAGE).await?;
            let grants: Vec<_> = page.iter().flat_map(|subject| current(subject, rules)).collect();
            let ids: Vec<String> = grants.iter().flat_map(|current| renumbered.case_ids(current)).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let steps = settled(&*live, async || {
                let existing = live.cases_named(&ids).await?;
                found(&grants, &existing, &renumbered, &actor, day)
            })
            .await?;
            opened.made += steps.iter().filter(|step| step.expect == 0).count() as u64;
            opened.moved += steps.iter().filter(|step| step.expect > 0).count() as u64;
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.id.clone()),
                _ => break,
            }
        }
    }
    // A run of one region says nothing of those who live elsewhere; one without any of a kind, nothing of that kind.
    let is_whole = !run.run().manifest.options.contains_key("region");
    let speaks_of = |kind: SubjectKind| is_whole && run.run().summary.subjects[kind as usize] > 0;
    for (policy, rule) in rules {
        let mut pages = CasePages::new(&*live, CaseFilter { policy: Some(policy.clone()), ..CaseFilter::default() });
        while let Some(page) = pages.next().await? {
            let page: Vec<CaseRow> = page.into_iter().filter(|row| row.period == rule.period).collect();
            let ids: Vec<String> = page.iter().map(|row| row.id.clone()).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let mut as_read = Some(page);
            let steps = settled(&*live, async || {
                let rows = match as_read.take() {
                    Some(rows) => rows,
                    None => live.cases_named(&ids).await?,
                };
                let mut steps: Vec<CaseStep> = Vec::new();
                for row in rows {
                    let subject = match run.subject(row.kind, &row.subject).await? {
                        Some(subject) => subject,
                        None if speaks_of(row.kind) => StoredSubject::nobody(row.kind, &row.subject),
                        None => continue,
                    };
                    let ids = renumbered.all(&subject.id);
                    // Only of those who were renumbered there is more than one that may speak for the same grant.
                    let same = if ids.len() > 1 { live.cases_about(&ids).await? } else { vec![row.clone()] };
                    let made = lost(&same, &subject, rules, &renumbered, &actor, day)?;
                    steps.extend(made.into_iter().filter(|step| step.row.id == row.id));
                }
                Ok(steps)
            })
            .await?;
            opened.lost += steps.len() as u64;
        }
    }
    Ok(opened)
}

/// Commits the steps that are made of cases as they are; where somebody, such as the push, moves one of these on meanwhile, they are
/// made anew.
async fn settled(live: &dyn Live, mut make: impl AsyncFnMut() -> Result<Vec<CaseStep>, StoreError>) -> Result<Vec<CaseStep>, StoreError> {
    let mut races = 0;
    loop {
        let cases = make().await?;
        if cases.is_empty() {
            return Ok(cases);
        }
        let batch = Batch { at: clock::now(), cases, ..Batch::default() };
        match live.commit(&batch).await {
            Ok(_) => return Ok(batch.cases),
            Err(StoreError::Raced(_)) if races < RACES => races += 1,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::store::Address;

    fn step(id: &str, expect: u64) -> CaseStep {
        let row = CaseRow {
            id: id.to_owned(),
            version: expect + 1,
            kind: SubjectKind::Person,
            subject: "p1".to_owned(),
            policy: "990100-MZ-0007".to_owned(),
            period: "2026-06".to_owned(),
            step: "found".to_owned(),
            in_review: false,
            department: "990100-MZ".to_owned(),
            region: "990101".to_owned(),
            due: None,
            at: 1,
            body: b"row".to_vec(),
        };
        CaseStep { row, expect, events: vec![b"event".to_vec()] }
    }

    #[tokio::test]
    async fn what_somebody_moved_on_meanwhile_is_made_anew_and_not_for_ever() {
        let folder = tempfile::tempdir().expect("a folder");
        let address = Address::parse(&folder.path().join("city.db").to_string_lossy()).expect("an address");
        let live = address.make().await.expect("a store").live().await.expect("its live part");
        live.commit(&Batch { at: 1, cases: vec![step("c1", 0)], ..Batch::default() }).await.expect("new");
        // What was read first is not what is there any more.
        let turns = Cell::new(0);
        let made = settled(&*live, async || Ok(vec![step("c1", turns.replace(1)), step("c2", 0)])).await.expect("the second time");
        assert_eq!((made.len(), made[0].expect), (2, 1));
        assert_eq!(live.case("c1").await.expect("read").map(|row| row.version), Some(2));
        let turns = Cell::new(0);
        let stale = async || {
            turns.set(turns.get() + 1);
            Ok(vec![step("c1", 0)])
        };
        assert_eq!(settled(&*live, stale).await.err(), Some(StoreError::Raced("c1".to_owned())));
        assert_eq!(turns.get(), RACES + 1);
        assert_eq!(settled(&*live, async || Ok(Vec::new())).await, Ok(Vec::new()));
    }
}
