//! One turn: changes come in, and everything that follows from them is committed at once.
//!
//! ```text
//!  changes ─ apply ─▶ rows ─ reach ─▶ touched ─ judge ─▶ what stands now ≠ what stood ─ ledger ─▶ cases ─▶ one commit, with positions
//!                                                └─ reckon ─▶ timers ──────────────────────────────┘
//! ```
//!
//! Nothing is kept between turns but what is in the store: whoever goes on after a crash goes on where the last commit ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;

use super::apply::{Applied, ApplyError, apply};
use super::change::Change;
use super::judge::{Judge, Judged};
use super::reach::{Ids, Needed, Reach, Touched, Ways};
use super::rows::RowForms;
use super::load::{State, some_columns};
use super::standing;
use super::timer::{Next, Tables, reckon};
use super::view::View;
use crate::dossier::DossierError;
use crate::ledger::{Actor, Case, Rule, current, found, lost};
use crate::register::HeldRows;
use crate::register::declaration::SubjectKind;
use crate::store::fill::FillError;
use crate::store::live::{Batch, CaseRow, Fence, Live, LiveState, PositionStep, Standing, TimerStep};
use crate::store::{RunPolicy, StoreError, StoredSubject};

/// Subjects that are judged together: what they rest on is in memory at a time.
const TOGETHER: usize = 2_000;

/// Why a turn failed. Nothing of it is in the store.
#[derive(Debug)]
pub enum TurnError {
    /// The store's fault, or the turn is not this holder's any more ([`StoreError::Fenced`]).
    Store(StoreError),
    /// Dossiers could not be made, or an amount overflowed.
    Dossiers(DossierError),
    /// Rows that are not as they are declared.
    Rows(arrow::error::ArrowError),
}

impl From<StoreError> for TurnError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ApplyError> for TurnError {
    fn from(error: ApplyError) -> Self {
        match error {
            ApplyError::Store(error) => Self::Store(error),
            ApplyError::Rows(error) => Self::Rows(error),
        }
    }
}

impl From<FillError> for TurnError {
    fn from(error: FillError) -> Self {
        match error {
            FillError::Store(error) => Self::Store(error),
            FillError::Dossiers(error) => Self::Dossiers(error),
        }
    }
}

impl From<arrow::error::ArrowError> for TurnError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::Rows(error)
    }
}

/// What a turn takes.
pub struct Taken<'t> {
    /// The changes, in the order in which they came.
    pub changes: &'t [Change],
    /// How far sources are read with them.
    pub positions: Vec<PositionStep>,
    /// When, in microseconds since 1970 (UTC).
    pub at: i64,
    /// Who holds the stream.
    pub fence: Fence,
}

/// What a turn did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Done {
    /// Changes that said something new.
    pub changed: u64,
    /// Changes that were known already, or older than what is known.
    pub known: u64,
    /// Changes of rows that may repeat which did not tell which one they mean.
    pub unplaced: u64,
    /// Identifiers that were judged anew.
    pub touched: u64,
    /// Subjects for whom something else stands now.
    pub standing: u64,
    /// Steps of cases: begun, or moved on.
    pub cases: u64,
}

impl Done {
    /// Adds what another turn did.
    pub fn add(&mut self, other: &Self) {
        self.changed += other.changed;
        self.known += other.known;
        self.unplaced += other.unplaced;
        self.touched += other.touched;
        self.standing += other.standing;
        self.cases += other.cases;
    }
}

/// A stream of changes over one store.
pub struct Stream<'a> {
    pub(super) live: Arc<dyn Live>,
    pub(super) judge: Judge<'a>,
    pub(super) forms: RowForms,
    pub(super) ways: Ways,
    actor: Actor,
    /// The registers that are followed, where they are named; else those of which an event was taken.
    followed: Option<BTreeSet<String>>,
    /// The store's state, once it was asked for; none where it has none that can be read.
    pub(super) state: Option<Option<(NaiveDate, State)>>,
}

impl<'a> Stream<'a> {
    /// Over a store, by policies that are ready.
    ///
    /// # Errors
    ///
    /// When a register has a column of a type that rows cannot be kept in.
    pub fn new(live: Arc<dyn Live>, judge: Judge<'a>) -> Result<Self, TurnError> {
        let forms = RowForms::new(&judge.catalogue().registers)?;
        let ways = Ways::new(&judge.paths().all());
        Ok(Self { live, judge, forms, ways, actor: Actor::system("stream"), followed: None, state: None })
    }

    /// Names the registers that are followed, in the place of those of which an event was taken: their data days move with the day.
    #[must_use]
    pub fn following(mut self, registers: Option<BTreeSet<String>>) -> Self {
        self.followed = registers;
        self
    }

    /// The day that verdicts are about.
    #[must_use]
    pub fn as_of(&self) -> NaiveDate {
        self.judge.as_of()
    }

    /// How rows are kept.
    #[must_use]
    pub fn forms(&self) -> &RowForms {
        &self.forms
    }

    /// Takes changes, and commits all that follows from them.
    ///
    /// # Errors
    ///
    /// See [`TurnError`]; nothing is committed then.
    pub async fn take(&mut self, taken: Taken<'_>) -> Result<Done, TurnError> {
        let live = Arc::clone(&self.live);
        let state = self.followed_now(taken.changes).await?;
        let mut view = View::new(&*live, &self.forms);
        let Applied { touched, changed, known, unplaced } = apply(taken.changes, &self.forms, &mut view).await?;
        let mut batch = Batch { at: taken.at, fence: Some(taken.fence), positions: taken.positions, ..Batch::default() };
        let mut done = Done { changed, known, unplaced, ..Done::default() };
        let subjects = reached(&self.ways, &self.judge, &self.forms, &mut view, &touched).await?;
        done.touched = subjects.len() as u64;
        let subjects: Vec<String> = subjects.into_iter().collect();
        for part in subjects.chunks(TOGETHER) {
            let part: Ids = part.iter().cloned().collect();
            let cases = cases_about(&*live, &part).await?;
            let found = judge(&mut self.judge, &self.ways, &self.forms, &mut view, &part, &cases).await?;
            self.settle(&part, &found, &cases, &mut batch).await?;
        }
        batch.state = state.as_ref().map(|state| LiveState { as_of: self.judge.as_of(), body: state.write() });
        (batch.rows, batch.mentioned, batch.unmentioned) = view.written();
        done.standing = batch.standing.len() as u64;
        done.cases = batch.cases.len() as u64;
        live.commit(&batch).await?;
        if let Some(state) = state {
            self.state = Some(Some((self.judge.as_of(), state)));
        }
        Ok(done)
    }

    /// The store's state, where other registers are followed with these changes.
    async fn followed_now(&mut self, changes: &[Change]) -> Result<Option<State>, StoreError> {
        if self.state.is_none() {
            let state = self.live.state().await?;
            self.state = Some(state.and_then(|state| Some((state.as_of, State::read(&state.body)?))));
        }
        let Some(Some((_, state))) = &self.state else { return Ok(None) };
        let followed = self.followed.clone().unwrap_or_else(|| {
            let new = changes.iter().map(|change| &*change.register).filter(|register| state.data_days.contains_key(*register));
            state.followed.iter().cloned().chain(new.map(str::to_owned)).collect()
        });
        Ok((followed != state.followed).then(|| State { followed, ..state.clone() }))
    }

    /// What stands now against what stood: standing and cases that change, and the timers of all who were judged.
    pub(super) async fn settle(&self, part: &Ids, found: &Found, cases: &CasesOf, batch: &mut Batch) -> Result<(), TurnError> {
        let judged = &found.judged;
        let rules = rules(&self.judge, &judged.run.policies);
        let ids: Vec<&str> = part.iter().map(String::as_str).collect();
        let subjects = judged.of(part).collect::<Result<Vec<_>, _>>()?;
        for kind in SubjectKind::ALL {
            let before = self.live.standing(kind, &ids).await?;
            let mut before: HashMap<String, Vec<u8>> = before.into_iter().map(|standing| (standing.id, standing.body)).collect();
            for subject in subjects.iter().filter(|subject| subject.kind == kind) {
                let body = standing::write(subject)?;
                let stood = before.remove(&subject.id);
                if stood.as_ref() == Some(&body) {
                    continue;
                }
                let had = stood.map(|body| standing::read(kind, &subject.id, &body)).transpose()?;
                batch.standing.push(Standing { kind, id: subject.id.clone(), body });
                if owes(subject) || had.as_ref().is_some_and(owes) {
                    self.cases(subject, &rules, cases, batch)?;
                }
            }
            let mut gone: Vec<(String, Vec<u8>)> = before.into_iter().collect();
            gone.sort_unstable();
            for (id, body) in gone {
                let nobody = nothing_of(standing::read(kind, &id, &body)?);
                batch.timers.push(TimerStep { kind, id: id.clone(), set: None });
                batch.standing.push(Standing { kind, id, body: Vec::new() });
                self.cases(&nobody, &rules, cases, batch)?;
            }
            let there: Vec<&str> = subjects.iter().filter(|subject| subject.kind == kind).map(|subject| subject.id.as_str()).collect();
            self.timers(kind, part, &there, found, batch)?;
        }
        Ok(())
    }

    /// When what stands may be another: of those who are there, and of those who will be.
    fn timers(&self, kind: SubjectKind, part: &Ids, there: &[&str], found: &Found, batch: &mut Batch) -> Result<(), TurnError> {
        let (timers, dossiers) = (self.judge.timers(), &found.judged.dossiers);
        let next = reckon(timers, self.judge.paths(), &found.tables, dossiers, kind, there).map_err(TurnError::Dossiers)?;
        let set = |next: Next| (next.day, next.to_body());
        batch.timers.extend(there.iter().zip(next).map(|(id, next)| TimerStep { kind, id: (*id).to_owned(), set: next.map(set) }));
        let to_be_listed = found.tables.to_be_listed(timers, kind, |id| !part.contains(id) || dossiers.place(kind, id).is_some());
        batch.timers.extend(to_be_listed.into_iter().map(|(id, day)| TimerStep { kind, id, set: Some((day, Vec::new())) }));
        Ok(())
    }

    /// What becomes of the cases of a subject.
    fn cases(&self, subject: &StoredSubject, rules: &BTreeMap<String, Rule>, cases: &CasesOf, batch: &mut Batch) -> Result<(), TurnError> {
        let day = self.judge.as_of();
        let existing = cases.get(&(subject.kind, subject.id.clone())).map(Vec::as_slice).unwrap_or_default();
        let grants = current(subject, rules);
        let steps = found(&grants, existing, &self.actor, day)?;
        let stepped: BTreeSet<String> = steps.iter().map(|step| step.row.id.clone()).collect();
        batch.cases.extend(steps);
        let lost = lost(existing, subject, rules, &self.actor, day)?;
        batch.cases.extend(lost.into_iter().filter(|step| !stepped.contains(&step.row.id)));
        Ok(())
    }
}

/// Who is touched by changed rows.
async fn reached(
    ways: &Ways,
    judge: &Judge<'_>,
    forms: &RowForms,
    view: &mut View<'_>,
    touched: &BTreeSet<Touched>,
) -> Result<Ids, StoreError> {
    if touched.is_empty() {
        return Ok(Ids::new());
    }
    Reach::new(ways, &judge.catalogue().registers, forms, view).touched(touched).await
}

/// What was found of some subjects, and the rows that it was found on.
pub(super) struct Found {
    pub(super) judged: Judged,
    pub(super) tables: Tables,
}

impl Found {
    /// Judges on rows; of those who come out, keeps the ones that are wanted.
    pub(super) async fn on(
        judge: &mut Judge<'_>,
        rows: BTreeMap<String, HeldRows>,
        cases: &[Case],
        wanted: impl Fn(&str) -> bool + Send,
    ) -> Result<Self, TurnError> {
        let mut batches = BTreeMap::new();
        for (register, held) in &rows {
            if let Some(columns) = judge.timers().columns(register) {
                let looked_at = held.batches.iter().map(|batch| some_columns(batch, &columns));
                batches.insert(register.clone(), looked_at.collect::<Result<_, _>>()?);
            }
        }
        let judged = judge.judge(rows, cases, wanted).await?;
        Ok(Self { tables: Tables::new(judge.timers(), &batches).map_err(TurnError::Dossiers)?, judged })
    }
}

/// Judges some identifiers, with all that they rest on.
pub(super) async fn judge(
    judge: &mut Judge<'_>,
    ways: &Ways,
    forms: &RowForms,
    view: &mut View<'_>,
    subjects: &Ids,
    cases: &CasesOf,
) -> Result<Found, TurnError> {
    let registers = Arc::clone(&judge.catalogue().registers);
    let needed = Reach::new(ways, &registers, forms, view).needed(subjects).await?;
    let rows = held(forms, view, &needed)?;
    let cases = cases.values().flatten().map(Case::of).collect::<Result<Vec<_>, _>>()?;
    Found::on(judge, rows, &cases, |id| subjects.contains(id)).await
}

/// The rows of some identifiers, by register.
fn held(forms: &RowForms, view: &View<'_>, needed: &Needed) -> Result<BTreeMap<String, HeldRows>, TurnError> {
    let mut alive: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    let mut set_aside: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for id in needed.ids() {
        for (register, rows) in view.rows(id).into_iter().flatten().filter(|(register, _)| needed.has(id, register)) {
            let Some(form) = forms.of(register) else { continue };
            alive.entry(register).or_default().extend(form.alive(rows));
            if rows.set_aside {
                set_aside.entry(register).or_default().push(id.clone());
            }
        }
    }
    let mut held = BTreeMap::new();
    for (register, rows) in alive {
        let Some(form) = forms.of(register) else { continue };
        let batches = vec![form.batch(rows.into_iter())?];
        held.insert(register.to_owned(), HeldRows { batches, set_aside: set_aside.remove(register).unwrap_or_default() });
    }
    Ok(held)
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

/// Cases by the subject that they are about, each one's in the order of their identifiers.
pub(super) type CasesOf = BTreeMap<(SubjectKind, String), Vec<CaseRow>>;

pub(super) async fn cases_about(live: &dyn Live, subjects: &Ids) -> Result<CasesOf, StoreError> {
    let ids: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let mut cases = CasesOf::new();
    for case in live.cases_about(&ids).await? {
        cases.entry((case.kind, case.subject.clone())).or_default().push(case);
    }
    Ok(cases)
}
