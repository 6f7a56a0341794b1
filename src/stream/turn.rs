//! One turn: changes come in, and everything that follows from them is committed at once.
//!
//! ```text
//!  changes ─ apply ─▶ rows ─ reach ─▶ touched ─ judge ─▶ what stands now ≠ what stood ─ ledger ─▶ cases ─▶ one commit, with positions
//! ```
//!
//! Nothing is kept between turns but what is in the store, or on its way there (`beside`), and what was made of it (`carried`): whoever
//! goes on after a crash goes on where the last commit ended.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use chrono::{Days, NaiveDate};
use rayon::prelude::*;
use tokio::task::JoinHandle;

use super::apply::{Applied, ApplyError, apply};
use super::change::Change;
use super::heard::Heard;
use super::judge::{About, FactNames, Judge, Judged};
use super::leads::LedRows;
use super::reach::{Needed, OfLead, Reach, Touched, Ways};
use super::rows::{HeldRow, RowForms};
use super::seen::{CasesOf, Ids, Seen, Stood, cases_about, stood};
use super::standing::{self, Dictionary};
use super::state::State;
use super::timer::{Next, Tables, reckon, some_columns};
use super::view::{Id, IdSet, View};
use crate::dossier::build::base_register;
use crate::dossier::known::{Beforehand, KnownFacts, KnownRows, written_out};
use crate::dossier::{DossierError, Dossiers};
use crate::ledger::{Actor, Case, Renumbered, Rule, current, found, lost, repealed};
use crate::register::HeldRows;
use crate::register::declaration::SubjectKind;
use crate::store::fill::FillError;
use crate::store::live::{Batch, CaseRow, Fence, Live, LiveState, PositionStep, Standing, TimerStep};
use crate::store::{EncodedSubject, RunPolicy, StoreError, StoredFact, StoredSubject};

/// Subjects that are judged together: what they rest on is in memory at a time.
const TOGETHER: usize = 10_000;

/// How often a turn is made anew when somebody moved one of its cases on meanwhile.
pub(super) const RACES: usize = 8;

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
pub struct Taken {
    /// The changes, in the order in which they came.
    pub changes: Vec<Change>,
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
    pub(super) forms: Arc<RowForms>,
    pub(super) ways: Ways,
    /// What was read, kept from turn to turn, and under which lease and of which generation it was.
    pub(super) view: View,
    pub(super) of: Option<(Fence, i64)>,
    /// The turn that the store is writing.
    pub(super) under_way: Option<UnderWay>,
    /// How long it takes at least until the store begins to write: a store that is slower than the next turn is to be tested too.
    #[cfg(test)]
    pub(super) pause: std::time::Duration,
    /// What turns did, where others judge beside this stream.
    pub(super) heard: Option<Heard>,
    /// Whether not the day or rows change, but policies: what stood by one that there is no more is lost.
    pub(super) repeals: bool,
    /// Where policies change and facts mean what they meant: those that the policies which differ read. Another fact that alone is not
    /// what it was is so by the day, and what stands stays.
    pub(super) read: Option<FactNames>,
    actor: Actor,
    /// The registers that are followed, where they are named; else those of which an event was taken.
    followed: Option<BTreeSet<String>>,
    /// The store's state, once it was asked for.
    pub(super) state: Option<AsRead>,
}

/// A turn that is made, and on its way to the store.
pub(super) struct UnderWay {
    /// What it was made of, in case it must be made anew.
    pub(super) taken: Taken,
    pub(super) done: Done,
    pub(super) written: JoinHandle<Result<(), StoreError>>,
    pub(super) seen: Arc<Seen>,
}

/// The store's state; none where it has none that can be read.
pub(super) struct AsRead(pub(super) Option<(NaiveDate, State)>);

impl<'a> Stream<'a> {
    /// Over a store, by policies that are ready.
    ///
    /// # Errors
    ///
    /// When a register has a column of a type that rows cannot be kept in.
    pub fn new(live: Arc<dyn Live>, judge: Judge<'a>) -> Result<Self, TurnError> {
        let registers = &judge.catalogue().registers;
        let forms = Arc::new(RowForms::new(registers)?);
        let ways = Ways::new(&judge.paths().all(), &forms, registers);
        let view = View::new(Arc::clone(&live), Arc::clone(&forms));
        let actor = Actor::system("stream");
        let (of, under_way, heard, repeals, read) = (None, None, None, false, None);
        Ok(Self {
            live,
            judge,
            forms,
            ways,
            view,
            of,
            under_way,
            #[cfg(test)]
            pause: std::time::Duration::ZERO,
            heard,
            repeals,
            read,
            actor,
            followed: None,
            state: None,
        })
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

    /// Forgets what was read and changed: the store is asked anew.
    pub(super) fn forget(&mut self) {
        self.view = View::new(Arc::clone(&self.live), Arc::clone(&self.forms));
        (self.of, self.state) = (None, None);
    }

    /// Makes what is to be committed of changes.
    pub(super) async fn make(&mut self, taken: &Taken, generation: i64) -> Result<(Batch, Done), TurnError> {
        let state = self.followed_now(&taken.changes).await?;
        let Applied { touched, changed, known, unplaced } = apply(&taken.changes, &self.forms, &mut self.view).await?;
        let (fence, generation) = (Some(taken.fence.clone()), Some(generation));
        let mut batch = Batch { at: taken.at, fence, generation, positions: taken.positions.clone(), ..Batch::default() };
        let mut done = Done { changed, known, unplaced, ..Done::default() };
        let dictionary = self.dictionary().await?;
        if let Some(heard) = &mut self.heard {
            heard.rows(&touched, &self.forms, &self.view);
        }
        let subjects = self.reached(&touched).await?;
        done.touched = subjects.len() as u64;
        for part in subjects.chunks(TOGETHER) {
            let ids: Ids = part.iter().map(|id| self.view.name(*id).to_string()).collect();
            let tied = self.tied(part).await?;
            let on_its_way = self.under_way.as_ref().map(|under_way| Arc::clone(&under_way.seen));
            let cases = cases_about(&*self.live, on_its_way.as_deref(), &self.view.names(&tied)).await?;
            // What stood is read while others are judged.
            let live = Arc::clone(&self.live);
            let (stood, found) = futures::try_join!(
                async { Ok::<_, TurnError>(stood(&*live, on_its_way.as_deref(), &ids).await?) },
                self.judge(part, &ids, &cases, Reckoned::Tomorrow)
            )?;
            self.settle(&ids, &found, stood, &cases, &dictionary, &mut batch)?;
        }
        if let Some(state) = &state {
            batch.state = Some(LiveState { as_of: self.judge.as_of(), body: state.write()? });
        }
        (batch.rows, batch.mentioned, batch.unmentioned) = self.view.written();
        done.standing = batch.standing.len() as u64;
        done.cases = batch.cases.len() as u64;
        if let Some(heard) = &mut self.heard {
            heard.others(&batch);
        }
        if let Some(state) = state {
            self.state = Some(AsRead(Some((self.judge.as_of(), state))));
        }
        Ok((batch, done))
    }

    /// The store's state; none where it has none that can be read.
    async fn state(&mut self) -> Result<Option<&State>, StoreError> {
        if self.state.is_none() {
            let state = self.live.state().await?;
            self.state = Some(AsRead(state.and_then(|state| Some((state.as_of, State::read(&state.body)?)))));
        }
        Ok(self.state.as_ref().and_then(|state| state.0.as_ref()).map(|(_, state)| state))
    }

    /// What all that stands is compressed against.
    pub(super) async fn dictionary(&mut self) -> Result<Dictionary, StoreError> {
        Ok(self.state().await?.map(|state| state.dictionary.clone()).unwrap_or_default())
    }

    /// The store's state, where other registers are followed with these changes.
    async fn followed_now(&mut self, changes: &[Change]) -> Result<Option<State>, StoreError> {
        self.state().await?;
        let Some(AsRead(Some((_, state)))) = &self.state else { return Ok(None) };
        let followed = self.followed.clone().unwrap_or_else(|| {
            let new = changes.iter().map(|change| &*change.register).filter(|register| state.data_days.contains_key(*register));
            state.followed.iter().cloned().chain(new.map(str::to_owned)).collect()
        });
        Ok((followed != state.followed).then(|| State { followed, ..state.clone() }))
    }

    /// Who is touched by changed rows, in the order of identifiers.
    pub(super) async fn reached(&mut self, touched: &BTreeSet<Touched>) -> Result<Vec<Id>, StoreError> {
        if touched.is_empty() {
            return Ok(Vec::new());
        }
        let subjects = Reach::new(&self.ways, &self.forms, &mut self.view).touched(touched).await?;
        let mut subjects: Vec<Id> = subjects.into_iter().collect();
        subjects.sort_unstable_by(|one, other| self.view.name(*one).cmp(self.view.name(*other)));
        Ok(subjects)
    }

    /// Some identifiers, with all that links tie them to: cases may have begun under any of these.
    pub(super) async fn tied(&mut self, ids: &[Id]) -> Result<IdSet, StoreError> {
        Reach::new(&self.ways, &self.forms, &mut self.view).all_tied(ids.iter().copied().collect()).await
    }

    /// Judges some identifiers, with all that they rest on.
    pub(super) async fn judge(&mut self, subjects: &[Id], ids: &Ids, cases: &CasesOf, days: Reckoned) -> Result<Found, TurnError> {
        let of_subjects: IdSet = subjects.iter().copied().collect();
        // Days are reckoned on the rows of all whom a subject rests on.
        let carries = days == Reckoned::Tomorrow;
        let needed = Reach::new(&self.ways, &self.forms, &mut self.view).needed(&of_subjects, carries).await?;
        let rows = held(&self.forms, &self.view, &needed)?;
        let (known, led) = (self.known(&needed)?, self.led(&needed)?);
        let cases = cases.values().flatten().map(Case::of).collect::<Result<Vec<_>, _>>()?;
        let judged: Ids = ids.iter().cloned().chain(self.view.names(&needed.beside)).collect();
        let about = About { judged: Some(&judged), wanted: Some(ids), known: Beforehand { facts: &known, rows: &led } };
        let found = Found::on(&mut self.judge, rows, &cases, &about, days).await?;
        if carries {
            self.carry(subjects, &needed, &found.judged.dossiers).map_err(TurnError::Dossiers)?;
        }
        Ok(found)
    }

    /// The facts that are carried of those whom others rest on.
    fn known(&self, needed: &Needed) -> Result<Vec<KnownFacts>, TurnError> {
        let mut known = Vec::new();
        for (group, ids) in needed.carried.iter().enumerate() {
            let ids: Vec<Id> = ids.iter().copied().collect();
            if let Some(facts) = self.view.carried.facts(group, &ids)? {
                let ids = ids.into_iter().map(|id| self.view.name(id).to_string()).collect();
                known.push(KnownFacts { kind: self.ways.groups[group].kind, ids, facts });
            }
        }
        Ok(known)
    }

    /// The rows that are kept of those that lead from some to many others.
    fn led(&self, needed: &Needed) -> Result<Vec<KnownRows>, TurnError> {
        let mut known = Vec::new();
        for (at, OfLead { kept, anew, .. }) in needed.led.iter().enumerate() {
            let from: Vec<Id> = kept.iter().copied().collect();
            let Some(rows) = self.view.leads.rows(at, &from)? else { continue };
            let place: HashMap<Id, u32> = (0..).zip(&from).map(|(place, id)| (*id, place)).collect();
            known.push(KnownRows {
                link: self.ways.leads[at].link,
                from: from.iter().map(|id| self.view.name(*id).to_string()).collect(),
                leads: rows.from,
                columns: rows.columns,
                facts: rows.facts,
                anew: anew.iter().map(|(from, to)| (place[from], self.view.name(*to).to_string())).collect(),
            });
        }
        Ok(known)
    }

    /// Keeps the rows that lead from those who were judged to many others, for the turns to come.
    fn keep_led(&mut self, needed: &Needed, dossiers: &Dossiers) -> Result<(), DossierError> {
        for (at, lead) in self.ways.leads.iter().enumerate() {
            let is_there = |id: &Id| dossiers.place(lead.kinds.0, self.view.name(*id)).is_some();
            let from: Vec<Id> = needed.led[at].whole.iter().copied().filter(is_there).collect();
            let names: Vec<&str> = from.iter().map(|id| &**self.view.name(*id)).collect();
            let led = dossiers.led(lead.link, lead.kinds, &lead.facts, &names)?;
            let to: Vec<Id> = led.to.iter().map(|id| self.view.id(id)).collect();
            // Where anybody is linked, rows are read each time.
            let stays = BooleanArray::from_iter(to.iter().map(|id| Some(!self.view.is_linked(*id))));
            let only = |all: &[u32]| stays.values().set_indices().map(|row| all[row]).collect();
            let rest: Vec<usize> = (1..led.facts.num_columns()).collect();
            let rows = LedRows {
                from: only(&led.from),
                to: only(&to),
                columns: filter_record_batch(&led.columns, &stays)?,
                facts: filter_record_batch(&written_out(&led.facts.project(&rest)?)?, &stays)?,
            };
            self.view.leads.keep(at, &from, rows)?;
        }
        Ok(())
    }

    /// Keeps facts of those whom others rested on, and of those who were judged, for the turns to come.
    fn carry(&mut self, judged: &[Id], needed: &Needed, dossiers: &Dossiers) -> Result<(), DossierError> {
        for (at, group) in self.ways.groups.iter().enumerate() {
            let judged = judged.iter().filter(|_| group.of_judged);
            let ids: IdSet = needed.read[at].iter().chain(judged).copied().collect();
            let names: Vec<&str> = ids.iter().map(|id| &**self.view.name(*id)).collect();
            let facts = dossiers.chosen(group.kind, &group.facts, &names)?;
            // Those who are not there are left out.
            let there = facts.column(0).as_string::<i32>().iter().flatten().filter_map(|id| self.view.find(id));
            let (there, rest): (Vec<Id>, Vec<usize>) = (there.collect(), (1..facts.num_columns()).collect());
            self.view.carried.keep(at, there, written_out(&facts.project(&rest)?)?)?;
        }
        self.keep_led(needed, dossiers)
    }

    /// What stands now against what stood: standing and cases that change, and the timers of all who were judged.
    pub(super) fn settle(
        &self,
        part: &Ids,
        found: &Found,
        mut stood: Stood,
        cases: &CasesOf,
        dictionary: &Dictionary,
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
            self.due_tomorrow(part, &there, batch);
            return Ok(());
        };
        for kind in SubjectKind::ALL {
            let there: Vec<&str> = there.iter().filter(|(other, _)| *other == kind).map(|(_, subject)| &*subject.id).collect();
            self.timers(kind, part, &there, found, tables, batch)?;
        }
        Ok(())
    }

    /// Whoever was judged, and whoever is not there yet, is looked at again on the next day.
    fn due_tomorrow(&self, part: &Ids, there: &[(SubjectKind, &EncodedSubject)], batch: &mut Batch) {
        let Some(tomorrow) = self.judge.as_of().checked_add_days(Days::new(1)) else { return };
        let due = |kind: SubjectKind, id: &str| TimerStep { kind, id: id.to_owned(), set: Some((tomorrow, Vec::new())) };
        batch.timers.extend(there.iter().map(|(kind, subject)| due(*kind, &subject.id)));
        for kind in SubjectKind::ALL {
            let Some((listing, _)) = self.forms.find(base_register(kind)) else { continue };
            let is_there: HashSet<&str> = there.iter().filter(|(other, _)| *other == kind).map(|(_, subject)| &*subject.id).collect();
            // Households are listed in the rows of their members.
            let is_listed = |id| match kind {
                SubjectKind::Household => !self.view.mentions(listing, id).is_empty(),
                SubjectKind::Person | SubjectKind::Entity => self.view.held(id, listing).is_some_and(|held| !held.ends().is_empty()),
            };
            let is_to_come = |id: &str| self.view.find(id).is_some_and(is_listed);
            batch.timers.extend(part.iter().filter(|id| !is_there.contains(id.as_str()) && is_to_come(id)).map(|id| due(kind, id)));
        }
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

/// When those who are judged are looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reckoned {
    /// On the day that is reckoned for each: dearer than judging.
    ToTheDay,
    /// On the next day, which reckons it for all who were judged since the one before.
    Tomorrow,
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

/// The first bytes of an identifier: most compare by them alone.
fn first_of(id: &str) -> u128 {
    let mut first = [0; 16];
    let known = id.len().min(first.len());
    first[..known].copy_from_slice(&id.as_bytes()[..known]);
    u128::from_be_bytes(first)
}

/// The rows of some identifiers, by register, in the order of identifiers.
fn held(forms: &RowForms, view: &View, needed: &Needed) -> Result<BTreeMap<String, HeldRows>, TurnError> {
    let mut ids: Vec<_> = needed.all().map(|(id, registers)| (first_of(view.name(id)), id, registers)).collect();
    ids.sort_unstable_by(|(first, one, _), (other_first, other, _)| {
        first.cmp(other_first).then_with(|| view.name(*one).cmp(view.name(*other)))
    });
    let mut alive: Vec<(Vec<&HeldRow>, Vec<String>)> = forms.all().map(|_| <_>::default()).collect();
    for (_, id, registers) in ids {
        for (register, held) in view.all_held(id).filter(|(register, _)| registers.is_none_or(|these| these.contains(register))) {
            let Some(form) = forms.at(register) else { continue };
            let (rows, set_aside) = &mut alive[register];
            rows.extend(form.alive(held.rows()));
            if held.rows().set_aside {
                set_aside.push(view.name(id).to_string());
            }
        }
    }
    let of_register = |(register, (rows, set_aside)): (usize, (Vec<&HeldRow>, Vec<String>))| {
        let form = forms.at(register).filter(|_| !rows.is_empty() || !set_aside.is_empty())?;
        let batch = form.batch(rows.into_iter());
        Some(batch.map(|batch| (form.name.to_string(), HeldRows { batches: vec![batch], set_aside })))
    };
    let held = tokio::task::block_in_place(|| alive.into_par_iter().enumerate().filter_map(of_register).collect::<Result<_, _>>())?;
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
