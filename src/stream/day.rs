//! The day's turn: what stands on one day goes on to a later one, by judging anew those whom the days between concern.
//!
//! ```text
//!  timers that are due ─────────┐
//!  calendar: law, new periods, ─┼─▶ whom it concerns ─ few ─▶ judged in parts, as those of changes are ─┐
//!  registers grown old          ┘                   └─ many ─▶ all rows of the store judged at once ────┴─▶ a commit for each part
//! ```
//!
//! The day of the state is the old one until all are done. Each part is one commit, with how far the turn is; whoever goes on after
//! a crash finishes the turn first, from there: no event is taken in between, so that nobody is judged for the old day again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use rayon::prelude::*;

use super::commit::commit;
use super::gather::{AsRead, Reckoned};
use super::judge::About;
use super::load::all_cases;
use super::policies::ByPolicies;
use super::rows::RowForms;
use super::seen::{Ids, cases_about, stood};
use super::settle::Found;
use super::source::Clock;
use super::standing::{self, Dictionary};
use super::state::{State, Turning};
use super::timer::calendar::{Rules, Why, calendar, resting_on};
use super::turn::TurnError;
use super::turns::{RACES, Stream};
use super::view::Id;
use crate::diagnostic::Message;
use crate::diagnostic::progress::{Cancel, Progress};
use crate::explain::Verdict;
use crate::register::HeldRows;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::{Batch, Fence, Live, LiveState, RowsOf, Standing, TimerStep};

/// Subjects of a commit.
const TOGETHER: usize = 2_000;

/// What is read of the store at a time.
const PAGE: usize = 10_000;

/// Rows of a register that are kept as they are stored before they are put into columns.
const ROWS: usize = 65_536;

/// Where the turn concerns at least one in so many of those who were looked at, all are judged at once.
const ONE_IN: usize = 12;

/// How subjects are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Those whom it concerns, some at a time, on their rows and those that they rest on.
    Parts,
    /// Everybody at once, on all rows of the store in memory.
    Whole,
}

/// A turn that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayTurn {
    /// The day that stands.
    pub from: NaiveDate,
    /// The new day.
    pub to: NaiveDate,
    /// The state of the day that stands, as it is kept until all are done.
    pub before: State,
    /// The state of the new day.
    pub state: State,
    /// All whom it concerns up to this identifier are done already.
    pub after: String,
    /// Kinds whose every subject it concerns.
    pub everybody: BTreeSet<SubjectKind>,
    /// Policies of which a new period begins: it concerns those who are entitled.
    pub new_period: BTreeMap<SubjectKind, BTreeSet<String>>,
    /// How it is made; none: by how many it concerns.
    pub way: Option<Way>,
    /// Subjects of a commit at most.
    pub together: usize,
    /// Where not the day turns but the policies: to which.
    pub policies: Option<ByPolicies>,
}

/// What a turn did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Turned {
    /// Subjects that were judged anew.
    pub judged: u64,
    /// Of them, those for whom something else stands now.
    pub standing: u64,
    /// Steps of cases.
    pub cases: u64,
    /// Commits.
    pub parts: u64,
    /// Whether all were judged at once.
    pub whole: bool,
    /// Whether the turn was made to its end: else somebody asked to stop, and it goes on from there.
    pub complete: bool,
}

/// The next turn on the way to a day: the one that is under way, else one to the first day on which anything may change; none where
/// the day stands already. Registers that are followed (`followed`; none: those of which an event was taken) speak for the new day.
///
/// # Errors
///
/// When the store cannot be read, or a turn to other policies is under way, which is finished first
/// ([`super::policy_turn::next_policy_turn`]).
pub async fn next_turn(
    live: &dyn Live,
    rules: &Rules<'_>,
    followed: Option<&BTreeSet<String>>,
    until: NaiveDate,
) -> Result<Option<DayTurn>, StoreError> {
    let Some(now) = live.state().await? else { return Ok(None) };
    let Some(mut state) = State::read(&now.body) else {
        return Err(StoreError::Damaged("the state of the stream cannot be read".to_owned()));
    };
    let from = now.as_of;
    let turning = state.turning.take();
    if turning.as_ref().is_some_and(|turning| turning.policies.is_some()) {
        return Err(StoreError::Failed("a turn to other policies is under way".to_owned()));
    }
    if turning.is_none() {
        if let Some(followed) = followed {
            state.followed.clone_from(followed);
        }
        if until <= from {
            return Ok(None);
        }
    }
    // What grows old is seen of the registers that stay behind alone.
    let staying: BTreeMap<String, NaiveDate> =
        state.data_days.iter().filter(|(name, _)| !state.followed.contains(*name)).map(|(name, day)| (name.clone(), *day)).collect();
    let staying = Rules { data_days: &staying, ..*rules };
    let lagging: BTreeSet<String> =
        state.data_days.iter().filter(|(name, day)| state.followed.contains(*name) && **day < from).map(|(name, _)| name.clone()).collect();
    let (to, after) = match turning {
        Some(turning) => (turning.to, turning.after),
        None => (first_day(live, &staying, from, until, !lagging.is_empty() || !state.due.is_empty()).await?, String::new()),
    };
    let mut turn = DayTurn { from, to, after, everybody: state.due.clone(), before: state.clone(), ..DayTurn::default() };
    for (code, why) in calendar(&staying, from, to).into_values().flatten() {
        turn.concerns(rules, code, why);
    }
    // What they told of days behind their own is seen only now, and if they were too old they are so no more.
    if !lagging.is_empty() {
        for code in resting_on(rules, to, &lagging) {
            turn.concerns(rules, code, Why::Register);
        }
    }
    turn.state = State { due: BTreeSet::new(), ..state.moved_to(to) };
    Ok(Some(turn))
}

/// The first day on which anything may change, at the latest the day that is to be reached.
async fn first_day(live: &dyn Live, rules: &Rules<'_>, from: NaiveDate, until: NaiveDate, at_once: bool) -> Result<NaiveDate, StoreError> {
    let tomorrow = from.checked_add_days(Days::new(1)).unwrap_or(until).min(until);
    if at_once {
        return Ok(tomorrow);
    }
    let due = live.due(until, None, 1).await?.into_iter().map(|timer| timer.key.day.max(tomorrow)).next();
    let last = due.unwrap_or(until);
    Ok(calendar(rules, from, last).into_keys().next().unwrap_or(last))
}

impl Default for DayTurn {
    fn default() -> Self {
        Self {
            from: NaiveDate::default(),
            to: NaiveDate::default(),
            before: State::default(),
            state: State::default(),
            after: String::new(),
            everybody: BTreeSet::new(),
            new_period: BTreeMap::new(),
            way: None,
            together: TOGETHER,
            policies: None,
        }
    }
}

impl DayTurn {
    /// For people.
    fn name(&self) -> Message {
        if self.policies.is_some() {
            return Message::new("按新的政策重判", "judged by the new policies");
        }
        Message::new(format!("转入 {}", self.to), format!("turn to {}", self.to))
    }

    fn concerns(&mut self, rules: &Rules<'_>, code: String, why: Why) {
        let Some(policy) = rules.checked.policies.iter().find(|policy| *policy.document.code == *code) else { return };
        let kind = policy.document.subject;
        if why == Why::Period {
            self.new_period.entry(kind).or_default().insert(code);
        } else {
            self.everybody.insert(kind);
        }
    }

    fn under_way(&self, after: &str) -> Result<LiveState, StoreError> {
        let turning = Some(Turning { to: self.to, after: after.to_owned(), policies: self.policies.clone() });
        Ok(LiveState { as_of: self.from, body: State { turning, ..self.before.clone() }.write()? })
    }
}

/// Whom a turn concerns.
#[derive(Default)]
struct Concerned {
    ids: Ids,
    /// Of whom a timer is due.
    due: BTreeMap<String, BTreeSet<SubjectKind>>,
    /// How many subjects were looked at.
    of: usize,
}

/// What a turn is made with.
pub struct Means<'t> {
    /// Who holds the stream.
    pub fence: Fence,
    /// Microseconds since 1970 (UTC).
    pub clock: Clock,
    /// Hears of subjects that are judged.
    pub progress: &'t dyn Progress,
    /// When to stop: the part that is under way is still committed.
    pub cancel: Cancel,
}

impl Stream<'_> {
    /// Makes a turn to the day that this stream judges for ([`DayTurn::to`], with [`DayTurn::state`]).
    ///
    /// # Errors
    ///
    /// See [`TurnError`]; the parts that were committed stay, and the turn goes on from there.
    pub async fn turn_day(&mut self, turn: &DayTurn, means: &Means<'_>) -> Result<Turned, TurnError> {
        self.settler.repeals = turn.policies.is_some();
        let live = Arc::clone(&self.live);
        let generation = live.generation().await?;
        let Concerned { mut ids, due, of } = concerned(&*live, turn).await?;
        let mut turned = Turned::default();
        means.progress.stage(turn.name(), Some(ids.len() as u64));
        let is_many = of > 10 * turn.together && ids.len() * ONE_IN >= of;
        turned.whole = turn.way.map_or(is_many, |way| way == Way::Whole);
        let whole = if turned.whole && (!ids.is_empty() || turn.policies.is_some()) {
            let rows = all_rows(&*live, &self.gatherer.forms).await?;
            let cases = all_cases(&*live).await?;
            let found = Found::on(&mut self.settler.judge, rows, &cases, &About::default(), Reckoned::ToTheDay).await?;
            if turn.policies.is_some() {
                // Of a kind that nobody was judged of before, nothing stood.
                let all = turn.everybody.iter().flat_map(|kind| found.judged.ids(*kind));
                ids.extend(all.filter(|id| *id > turn.after.as_str()).map(str::to_owned));
            }
            Some(found)
        } else {
            None
        };
        let ids: Vec<String> = ids.into_iter().collect();
        for part in ids.chunks(turn.together.max(1)) {
            if means.cancel.is_cancelled() {
                return Ok(turned);
            }
            let mut races = 0;
            let batch = loop {
                let mut batch = Box::pin(self.part(turn, part, &due, whole.as_ref())).await?;
                (batch.at, batch.fence, batch.generation) = ((means.clock)(), Some(means.fence.clone()), generation);
                match commit(&*live, &mut batch).await {
                    // Something happened to a case that changes what is to be made of it.
                    Err(StoreError::Raced(_)) if races < RACES => races += 1,
                    done => break done.map(|()| batch)?,
                }
            };
            turned.judged += part.len() as u64;
            turned.standing += batch.standing.len() as u64;
            turned.cases += batch.cases.len() as u64;
            turned.parts += 1;
            means.progress.rows(part.len() as u64);
        }
        let state = LiveState { as_of: turn.to, body: turn.state.write()? };
        let (at, fence, state) = ((means.clock)(), Some(means.fence.clone()), Some(state));
        live.commit(&Batch { at, fence, generation, state, ..Batch::default() }).await?;
        self.gatherer.state = Some(AsRead(Some((turn.to, turn.state.clone()))));
        turned.complete = true;
        Ok(turned)
    }

    /// What is to be committed for some whom a turn concerns.
    async fn part(
        &mut self,
        turn: &DayTurn,
        part: &[String],
        due: &BTreeMap<String, BTreeSet<SubjectKind>>,
        whole: Option<&Found>,
    ) -> Result<Batch, TurnError> {
        let live = Arc::clone(&self.live);
        let mut batch = Batch { state: part.last().map(|last| turn.under_way(last)).transpose()?, ..Batch::default() };
        // Whoever is there gets another timer; those who are not have none any more.
        for (id, kinds) in part.iter().filter_map(|id| Some((id, due.get(id)?))) {
            batch.timers.extend(kinds.iter().map(|kind| TimerStep { kind: *kind, id: id.clone(), set: None }));
        }
        // On the day on which an identifier comes to stand for another, it is the other's dossier that changes.
        let concerned: Vec<Id> = part.iter().map(|id| self.gatherer.view.id(id)).collect();
        let tied = self.gatherer.tied(&concerned).await?;
        let dictionary = &turn.before.dictionary;
        match whole {
            Some(found) => {
                let ids = self.gatherer.view.names(&tied);
                let (cases, stood) = (cases_about(&*live, None, &ids).await?, stood(&*live, None, &ids).await?);
                self.settler.settle(&ids, found, (stood, &cases), dictionary, &[], &mut batch)?;
            }
            None => {
                let tied: Vec<Id> = tied.into_iter().collect();
                let mut gathered = Box::pin(self.gatherer.gather(&tied, Reckoned::ToTheDay)).await?;
                Box::pin(self.settler.settle_gathered(&mut gathered, None, dictionary, &mut batch)).await?;
            }
        }
        if self.gatherer.view.is_full() {
            self.forget();
        }
        Ok(batch)
    }
}

/// Whom a turn concerns, and who is not done yet.
async fn concerned(live: &dyn Live, turn: &DayTurn) -> Result<Concerned, StoreError> {
    let (mut concerned, dictionary) = (Concerned::default(), &turn.before.dictionary);
    for kind in SubjectKind::ALL {
        let (everybody, nothing) = (turn.everybody.contains(&kind), BTreeSet::new());
        let codes = turn.new_period.get(&kind).unwrap_or(&nothing);
        if !everybody && codes.is_empty() {
            continue;
        }
        let mut after: Option<String> = None;
        loop {
            let page = live.standing_after(kind, after.as_deref(), PAGE).await?;
            concerned.of += page.len();
            let is_last = page.len() < PAGE;
            after = page.last().map(|standing| standing.id.clone());
            let behind = page.into_par_iter().filter(|standing| standing.id > turn.after);
            let chosen = behind.filter_map(|standing| {
                match everybody.then_some(true).map_or_else(|| is_entitled(&standing, codes, dictionary), Ok) {
                    Ok(is_chosen) => is_chosen.then_some(Ok(standing.id)),
                    Err(error) => Some(Err(error)),
                }
            });
            concerned.ids.extend(tokio::task::block_in_place(|| chosen.collect::<Result<Vec<String>, StoreError>>())?);
            if is_last {
                break;
            }
        }
    }
    let mut after = None;
    loop {
        let page = live.due(turn.to, after.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|timer| timer.key.clone());
        for timer in page {
            concerned.due.entry(timer.key.id.clone()).or_default().insert(timer.key.kind);
            concerned.ids.insert(timer.key.id);
        }
        if is_last {
            return Ok(concerned);
        }
    }
}

/// Whether somebody is entitled by one of some policies.
fn is_entitled(standing: &Standing, codes: &BTreeSet<String>, dictionary: &Dictionary) -> Result<bool, StoreError> {
    let subject = standing::read(standing.kind, &standing.id, &standing.body, dictionary)?;
    Ok(subject.verdicts.iter().any(|verdict| verdict.verdict == Verdict::Yes && codes.contains(&*verdict.policy)))
}

/// All rows of the store, by register.
async fn all_rows(live: &dyn Live, forms: &RowForms) -> Result<BTreeMap<String, HeldRows>, TurnError> {
    let mut held: BTreeMap<String, HeldRows> = BTreeMap::new();
    let mut waiting: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    let mut after: Option<(String, String)> = None;
    loop {
        let page = live.rows_after(after.as_ref().map(|(id, register)| (id.as_str(), register.as_str())), PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|rows| (rows.id.clone(), rows.register.clone()));
        for RowsOf { id, register, body } in page {
            // Of a register that is not declared any more.
            let Some(form) = forms.of(&register) else { continue };
            let (rows, is_set_aside) = form.alive_in(&body)?;
            if is_set_aside {
                held.entry(register.clone()).or_default().set_aside.push(id);
            }
            let of_register = waiting.entry(register.clone()).or_default();
            of_register.extend(rows.iter().map(|row| row.bytes.to_vec()));
            if of_register.len() >= ROWS {
                held.entry(register).or_default().batches.push(form.batch(std::mem::take(of_register).iter().map(Vec::as_slice))?);
            }
        }
        if is_last {
            break;
        }
    }
    for (register, rows) in waiting {
        if let Some(form) = forms.of(&register) {
            held.entry(register).or_default().batches.push(form.batch(rows.iter().map(Vec::as_slice))?);
        }
    }
    Ok(held)
}
