//! The second half of a turn: subjects are judged on the rows that were gathered, and what stands now is held against what stood.
//!
//! ```text
//!  Gathered ─ judge ─▶ what stands now ≠ what stood ─▶ standing, timers
//!                                └─ ledger ─▶ cases
//! ```

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::gather::{Gathered, Reckoned};
use super::judge::{About, FactNames, Judge, Judged};
use super::seen::{CasesOf, Ids, Seen, Stood, cases_about, stood};
use super::standing::{self, Dictionary};
use super::timer::{Next, Tables, reckon, some_columns};
use super::turn::TurnError;
use crate::ledger::{Actor, Case, Renumbered, Rule, current, found, lost, repealed};
use crate::register::HeldRows;
use crate::register::declaration::SubjectKind;
use crate::store::live::{Batch, CaseRow, Live, Standing, TimerStep};
use crate::store::{EncodedSubject, RunPolicy, StoreError, StoredFact, StoredSubject};

/// What judges, and settles what follows.
pub(super) struct Settler<'a> {
    live: Arc<dyn Live>,
    pub(super) judge: Judge<'a>,
    /// Whether not the day or rows change, but policies: what stood by one that there is no more is lost.
    pub(super) repeals: bool,
    /// Where policies change and facts mean what they meant: those that the policies which differ read. Another fact that alone is not
    /// what it was is so by the day, and what stands stays.
    pub(super) read: Option<FactNames>,
    actor: Actor,
}

impl<'a> Settler<'a> {
    pub(super) fn new(live: Arc<dyn Live>, judge: Judge<'a>) -> Self {
        Self { live, judge, repeals: false, read: None, actor: Actor::system("stream") }
    }

    /// Judges those who were gathered, and puts all that follows into a batch. `on_its_way`: what the store does not have yet.
    pub(super) async fn settle_gathered(
        &mut self,
        gathered: &mut Gathered,
        on_its_way: Option<&Seen>,
        dictionary: &Dictionary,
        batch: &mut Batch,
    ) -> Result<Found, TurnError> {
        let live = Arc::clone(&self.live);
        let (rows, gathered) = (std::mem::take(&mut gathered.rows), &*gathered);
        let cases = cases_about(&*live, on_its_way, &gathered.tied).await?;
        // What stood is read while others are judged.
        let (stood, found) = futures::try_join!(
            async { Ok::<_, TurnError>(stood(&*live, on_its_way, &gathered.ids).await?) },
            self.judge(gathered, rows, &cases)
        )?;
        self.settle(&gathered.ids, &found, (stood, &cases), dictionary, &gathered.listed, batch)?;
        Ok(found)
    }

    /// Judges those who were gathered, on their rows.
    async fn judge(&mut self, gathered: &Gathered, rows: BTreeMap<String, HeldRows>, cases: &CasesOf) -> Result<Found, TurnError> {
        let cases = cases.values().flatten().map(Case::of).collect::<Result<Vec<_>, _>>()?;
        let about = About { judged: Some(&gathered.judged), wanted: Some(&gathered.ids), known: gathered.beforehand() };
        Found::on(&mut self.judge, rows, &cases, &about, gathered.days).await
    }

    /// What stands now against what stood: standing and cases that change, and the timers of all who were judged.
    pub(super) fn settle(
        &self,
        part: &Ids,
        found: &Found,
        (mut stood, cases): (Stood, &CasesOf),
        dictionary: &Dictionary,
        listed: &[(SubjectKind, Arc<str>)],
        batch: &mut Batch,
    ) -> Result<(), TurnError> {
        let judged = &found.judged;
        let rules = rules(&self.judge, &judged.run.policies);
        let there = judged.of(part);
        let other = |(kind, encoded): &(SubjectKind, &EncodedSubject)| -> Result<Option<Other>, StoreError> {
            let subject = judged.read(*kind, encoded)?;
            let before = stood.get(kind).and_then(|of_kind| of_kind.get(&subject.id));
            let Some(body) = standing::write_if_other(&subject, before.map(Vec::as_slice), dictionary)? else { return Ok(None) };
            // Who is owed something now is looked at in any case: what stood need not be read.
            let is_owed = owes(&subject);
            let before = before.filter(|_| self.repeals || !is_owed);
            let before = before.map(|before| standing::read(subject.kind, &subject.id, before, dictionary)).transpose()?;
            if let (Some(read), Some(before)) = (&self.read, &before)
                && differs_by_day_alone(&subject, before, read.get(&subject.kind))
            {
                return Ok(None);
            }
            let owed = is_owed || before.as_ref().is_some_and(owes);
            Ok(Some(Other { subject, body, owed, before }))
        };
        let others: Vec<Option<Other>> =
            tokio::task::block_in_place(|| there.par_iter().with_min_len(64).map(other).collect::<Result<_, _>>())?;
        for (kind, subject) in &there {
            if let Some(of_kind) = stood.get_mut(kind) {
                of_kind.remove(&subject.id);
            }
        }
        for Other { subject, body, owed, before } in others.into_iter().flatten() {
            if owed {
                self.cases(&subject, before.as_ref(), &rules, cases, &judged.renumbered, batch)?;
            }
            batch.standing.push(Standing { kind: subject.kind, id: subject.id, body });
        }
        for (kind, gone) in stood {
            for (id, body) in gone {
                let before = standing::read(kind, &id, &body, dictionary)?;
                let nobody = nothing_of(before.clone());
                batch.timers.push(TimerStep { kind, id: id.clone(), set: None });
                // Who has another identifier now is not gone: the cases go on with it.
                if judged.renumbered.today(&id) == id {
                    self.cases(&nobody, Some(&before), &rules, cases, &judged.renumbered, batch)?;
                }
                batch.standing.push(Standing { kind, id, body: Vec::new() });
            }
        }
        let Some(tables) = &found.tables else {
            Self::due_tomorrow(&there, listed, batch);
            return Ok(());
        };
        for kind in SubjectKind::ALL {
            let there: Vec<&str> = there.iter().filter(|(other, _)| *other == kind).map(|(_, subject)| &*subject.id).collect();
            self.timers(kind, part, &there, found, tables, batch)?;
        }
        Ok(())
    }

    /// Whoever was judged, and whoever is not there yet, is looked at again on the next day.
    fn due_tomorrow(there: &[(SubjectKind, &EncodedSubject)], listed: &[(SubjectKind, Arc<str>)], batch: &mut Batch) {
        let is_there: HashSet<(SubjectKind, &str)> = there.iter().map(|(kind, subject)| (*kind, &*subject.id)).collect();
        let to_come = listed.iter().filter(|(kind, id)| !is_there.contains(&(*kind, &**id)));
        batch.touched.extend(there.iter().map(|(kind, subject)| (*kind, subject.id.clone())));
        batch.touched.extend(to_come.map(|(kind, id)| (*kind, id.to_string())));
    }

    /// When what stands may be another: of those who are there, and of those who will be.
    fn timers(
        &self,
        kind: SubjectKind,
        part: &Ids,
        there: &[&str],
        found: &Found,
        tables: &Tables,
        batch: &mut Batch,
    ) -> Result<(), TurnError> {
        let (timers, dossiers) = (self.judge.timers(), &found.judged.dossiers);
        let next = reckon(timers, self.judge.paths(), tables, dossiers, kind, there).map_err(TurnError::Dossiers)?;
        let set = |next: Next| (next.day, next.to_body());
        batch.timers.extend(there.iter().zip(next).map(|(id, next)| TimerStep { kind, id: (*id).to_owned(), set: next.map(set) }));
        let to_be_listed = tables.to_be_listed(timers, kind, |id| !part.contains(id) || dossiers.place(kind, id).is_some());
        batch.timers.extend(to_be_listed.into_iter().map(|(id, day)| TimerStep { kind, id, set: Some((day, Vec::new())) }));
        Ok(())
    }

    /// What becomes of the cases of a subject. What stood of it before is asked for where policies change.
    fn cases(
        &self,
        subject: &StoredSubject,
        before: Option<&StoredSubject>,
        rules: &BTreeMap<String, Rule>,
        cases: &CasesOf,
        renumbered: &Renumbered,
        batch: &mut Batch,
    ) -> Result<(), TurnError> {
        let day = self.judge.as_of();
        let ids = renumbered.all(&subject.id).into_iter();
        let existing: Vec<CaseRow> = ids.filter_map(|id| cases.get(&(subject.kind, id.to_owned()))).flatten().cloned().collect();
        let grants = current(subject, rules);
        let steps = found(&grants, &existing, renumbered, &self.actor, day)?;
        let stepped: BTreeSet<String> = steps.iter().map(|step| step.row.id.clone()).collect();
        batch.cases.extend(steps);
        let mut lost = lost(&existing, subject, rules, renumbered, &self.actor, day)?;
        if let Some(before) = before.filter(|_| self.repeals) {
            let of_period = |row: &CaseRow| rules.get(&row.policy).is_some_and(|rule| rule.period == row.period);
            let is_looked_at = |row: &CaseRow| self.judge.is_held(&row.policy) || of_period(row);
            lost.extend(repealed(&existing, (before, subject), &is_looked_at, renumbered, &self.actor, day)?);
        }
        batch.cases.extend(lost.into_iter().filter(|step| !stepped.contains(&step.row.id)));
        Ok(())
    }
}

/// What was found of some subjects, and the rows that it was found on.
pub(super) struct Found {
    pub(super) judged: Judged,
    /// Only where days are reckoned.
    tables: Option<Tables>,
}

impl Found {
    /// Judges on rows.
    pub(super) async fn on(
        judge: &mut Judge<'_>,
        rows: BTreeMap<String, HeldRows>,
        cases: &[Case],
        about: &About<'_>,
        days: Reckoned,
    ) -> Result<Self, TurnError> {
        if days == Reckoned::Tomorrow {
            return Ok(Self { judged: judge.judge(rows, cases, about).await?, tables: None });
        }
        let mut batches = BTreeMap::new();
        for (register, held) in &rows {
            if let Some(columns) = judge.timers().columns(register) {
                let looked_at = held.batches.iter().map(|batch| some_columns(batch, &columns));
                batches.insert(register.clone(), looked_at.collect::<Result<_, _>>()?);
            }
        }
        let judged = judge.judge(rows, cases, about).await?;
        Ok(Self { tables: Some(Tables::new(judge.timers(), &batches).map_err(TurnError::Dossiers)?), judged })
    }
}

/// What cases need to know of the policies: those whose grants are not held for a round.
fn rules(judge: &Judge<'_>, judged: &[RunPolicy]) -> BTreeMap<String, Rule> {
    let mut rules = BTreeMap::new();
    for policy in judge.policies() {
        let code = &policy.document.code;
        if let Some(of_run) = judged.iter().find(|judged| *judged.code == **code)
            && !judge.is_held(code)
        {
            rules.insert(code.clone(), Rule::of(&policy.document, of_run));
        }
    }
    rules
}

/// A subject of whom something else stands now.
struct Other {
    subject: StoredSubject,
    body: Vec<u8>,
    /// Whether cases may have to do with it.
    owed: bool,
    /// What stood before, where it was asked for.
    before: Option<StoredSubject>,
}

/// Whether nothing of a subject is another but facts that are not among those read.
fn differs_by_day_alone(subject: &StoredSubject, before: &StoredSubject, read: Option<&BTreeSet<Arc<str>>>) -> bool {
    let is_read = |name: &Arc<str>| read.is_some_and(|read| read.contains(name));
    let stays = |(one, other): (&StoredFact, &StoredFact)| one.name == other.name && (one.state == other.state || !is_read(&one.name));
    let without_facts = |subject: &StoredSubject| StoredSubject { facts: Vec::new(), ..subject.clone() };
    subject.facts.len() == before.facts.len()
        && subject.facts.iter().zip(&before.facts).all(stays)
        && without_facts(subject) == without_facts(before)
}

/// Whether cases may have to do with a subject.
fn owes(subject: &StoredSubject) -> bool {
    !subject.grants.is_empty() || !subject.given.is_empty()
}

/// A subject that no register lists any more: nothing stands of it.
fn nothing_of(subject: StoredSubject) -> StoredSubject {
    StoredSubject {
        facts: Vec::new(),
        verdicts: Vec::new(),
        grants: Vec::new(),
        given: Vec::new(),
        offers: Vec::new(),
        unknowns: Vec::new(),
        ..subject
    }
}
