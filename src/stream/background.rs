//! Other policies, judged by in the background while those of before still serve; then the switch, in one commit.
//!
//! ```text
//!  old judge ── turn ──────── turn ──────── turn ───────────────┐
//!       rows and subjects that turns touched ▼                  ▼
//!  new judge ──── some ─ some ── some ─ those touched ─ some ─ all done ─▶ one commit: standing, cases, which policies
//! ```
//!
//! The new judge works between turns, when the store has all that was taken. What would stand otherwise is kept aside in memory, and
//! nobody sees it. Whoever is touched by a turn, on the ways of either judge, is judged anew before the switch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::commit::commit;
use super::gather::Reckoned;
use super::heard::Heard;
use super::policies::{Difference, PolicyDigests};
use super::seen::Ids;
use super::state::State;
use super::turn::TurnError;
use super::turns::{RACES, Stream};
use super::view::Id;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::{Batch, CaseStep, Fence, Live, LiveState, Standing, TimerStep};

/// Subjects that are judged between two turns.
const TOGETHER: usize = 1_000;

/// Bytes that are kept aside at most.
const KEPT: usize = 256 << 20;

/// What is counted for a subject beside its bytes.
const ENTRY: usize = 160;

/// What would stand otherwise, by subject.
#[derive(Default)]
struct Aside {
    standing: BTreeMap<(SubjectKind, String), Vec<u8>>,
    /// Of those who are gone.
    timers: BTreeMap<(SubjectKind, String), TimerStep>,
    /// By the subject that they are about.
    cases: BTreeMap<String, Vec<CaseStep>>,
    /// Bytes, about.
    size: usize,
}

impl Aside {
    /// Takes what was found of some in the place of what was found of them before.
    fn take(&mut self, ids: &Ids, batch: Batch) {
        for id in ids {
            for kind in SubjectKind::ALL {
                let key = (kind, id.clone());
                self.timers.remove(&key);
                if let Some(body) = self.standing.remove(&key) {
                    self.size = self.size.saturating_sub(ENTRY + body.len());
                }
            }
            for step in self.cases.remove(id).into_iter().flatten() {
                self.size = self.size.saturating_sub(size(&step));
            }
        }
        for Standing { kind, id, body } in batch.standing {
            self.size += ENTRY + body.len();
            self.standing.insert((kind, id), body);
        }
        let gone = batch.timers.into_iter().filter(|timer| timer.set.is_none());
        self.timers.extend(gone.map(|timer| ((timer.kind, timer.id.clone()), timer)));
        for step in batch.cases {
            self.size += size(&step);
            self.cases.entry(step.row.subject.clone()).or_default().push(step);
        }
    }

    /// The subjects whose cases are not where they were when they were looked at.
    async fn moved(&self, live: &dyn Live) -> Result<Vec<String>, StoreError> {
        let mut moved = BTreeSet::new();
        let steps: Vec<&CaseStep> = self.cases.values().flatten().collect();
        for part in steps.chunks(TOGETHER) {
            let ids: Vec<&str> = part.iter().map(|step| step.row.id.as_str()).collect();
            let now: BTreeMap<String, u64> = live.cases_named(&ids).await?.into_iter().map(|row| (row.id, row.version)).collect();
            let is_moved = |step: &&&CaseStep| now.get(&step.row.id).copied().unwrap_or(0) != step.expect;
            moved.extend(part.iter().filter(is_moved).map(|step| step.row.subject.clone()));
        }
        Ok(moved.into_iter().collect())
    }

    fn into_batch(self) -> Batch {
        Batch {
            standing: self.standing.into_iter().map(|((kind, id), body)| Standing { kind, id, body }).collect(),
            timers: self.timers.into_values().collect(),
            cases: self.cases.into_values().flatten().collect(),
            ..Batch::default()
        }
    }
}

fn size(step: &CaseStep) -> usize {
    2 * ENTRY + step.row.body.len() + step.events.iter().map(Vec::len).sum::<usize>()
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// There is more to do.
    Working,
    /// The new policies are those that stand.
    Switched(Switched),
    /// There is no room for all who would stand otherwise: the turn to the new policies is to be made in parts.
    Full,
    /// The store holds other registers, or stands on another day, than at the beginning: it is to be begun anew.
    Elsewhere,
}

/// What a switch did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switched {
    /// Subjects that were judged, each as often as it was.
    pub judged: u64,
    /// Subjects for whom something else stands now.
    pub standing: u64,
    /// Steps of cases.
    pub cases: u64,
}

/// Judges by other policies beside a stream.
pub struct Background<'a> {
    new: Stream<'a>,
    policies: PolicyDigests,
    /// The kinds concerned, those that are done left out.
    kinds: Vec<SubjectKind>,
    /// All of the first kind up to this identifier are done.
    after: Option<String>,
    concerned: BTreeSet<SubjectKind>,
    /// Who was touched since they were judged.
    again: BTreeSet<String>,
    aside: Aside,
    room: usize,
    together: usize,
    judged: u64,
    /// The generation that it was begun on.
    generation: Option<i64>,
}

impl<'a> Background<'a> {
    /// By a stream for the day that stands, whose policies have these digests and differ from those that serve.
    #[must_use]
    pub fn new(mut new: Stream<'a>, policies: PolicyDigests, difference: &Difference) -> Self {
        new.settler.repeals = true;
        new.settler.read = (!difference.in_shared).then(|| new.settler.judge.read_by(&difference.policies));
        Self {
            new,
            policies,
            kinds: difference.kinds.iter().copied().collect(),
            after: None,
            concerned: difference.kinds.clone(),
            again: BTreeSet::new(),
            aside: Aside::default(),
            room: KEPT,
            together: TOGETHER,
            judged: 0,
            generation: None,
        }
    }

    /// Other bounds: subjects judged between two turns, and bytes kept aside.
    #[must_use]
    pub fn within(self, together: usize, room: usize) -> Self {
        Self { together: together.max(1), room, ..self }
    }

    /// How many subjects were judged so far.
    #[must_use]
    pub fn judged(&self) -> u64 {
        self.judged
    }

    /// Judges some, between two turns of the stream that serves; where all are judged, switches.
    ///
    /// # Errors
    ///
    /// See [`TurnError`]. Nothing is committed then; of [`StoreError::Damaged`], and of what is not the store's, the new policies are
    /// to blame, or what they say of registers.
    pub async fn go_on(&mut self, old: &mut Stream<'_>, fence: &Fence, at: i64) -> Result<Stage, TurnError> {
        // Only what is in the store is seen here.
        old.rest().await?;
        let live = Arc::clone(&self.new.live);
        let Some(generation) = live.generation().await? else { return Ok(Stage::Elsewhere) };
        let is_first = self.generation.is_none();
        let Some(stands) = live
            .state()
            .await?
            .filter(|stands| stands.as_of == self.new.as_of() && *self.generation.get_or_insert(generation) == generation)
        else {
            return Ok(Stage::Elsewhere);
        };
        // What was done before is read anyway.
        let heard = old.heard.replace(Heard::default()).filter(|_| !is_first).unwrap_or_default();
        let new = self.take_up(&heard).await?;
        if let Some(kind) = self.kinds.first().copied() {
            let page = live.standing_after(kind, self.after.as_deref(), self.together).await?;
            if page.len() < self.together {
                self.kinds.remove(0);
                self.after = None;
            } else {
                self.after = page.last().map(|standing| standing.id.clone());
            }
            self.judge(page.into_iter().map(|standing| standing.id).collect()).await?;
        } else {
            // As many more as come anew, so that it comes to an end.
            let some: Vec<String> = self.again.iter().take(self.together + new).cloned().collect();
            for id in &some {
                self.again.remove(id);
            }
            self.judge(some).await?;
        }
        if self.aside.size > self.room {
            return Ok(Stage::Full);
        }
        if !(self.kinds.is_empty() && self.again.is_empty()) {
            return Ok(Stage::Working);
        }
        self.switch(&stands, fence, at).await.map(Stage::Switched)
    }

    /// Notes whom turns have touched. Gives how many of them must be judged once more.
    async fn take_up(&mut self, heard: &Heard) -> Result<usize, TurnError> {
        if heard.is_empty() {
            return Ok(0);
        }
        // What was read may be another now.
        self.new.forget();
        let gatherer = &mut self.new.gatherer;
        let touched = heard.touched(&gatherer.forms, &mut gatherer.view);
        let reached = gatherer.reached(&touched).await?;
        let before = self.again.len();
        let reached = reached.into_iter().map(|id| gatherer.view.name(id).to_string());
        // Whoever is still to come is judged then.
        let is_first = self.kinds.len() == self.concerned.len();
        let (after, is_all) = (self.after.as_deref().unwrap_or_default(), !is_first);
        self.again.extend(reached.chain(heard.others.iter().cloned()).filter(|id| is_all || id.as_str() <= after));
        Ok(self.again.len() - before)
    }

    /// Judges some, with all that identity links tie them to, and keeps aside what would stand otherwise.
    async fn judge(&mut self, some: Vec<String>) -> Result<(), TurnError> {
        if some.is_empty() {
            return Ok(());
        }
        let new = &mut self.new;
        if new.gatherer.view.is_full() {
            new.forget();
        }
        let some: Vec<Id> = some.iter().map(|id| new.gatherer.view.id(id)).collect();
        let tied: Vec<Id> = new.gatherer.tied(&some).await?.into_iter().collect();
        let (mut batch, dictionary) = (Batch::default(), new.gatherer.dictionary().await?);
        let mut gathered = Box::pin(new.gatherer.gather(&tied, Reckoned::Tomorrow)).await?;
        let found = Box::pin(new.settler.settle_gathered(&mut gathered, None, &dictionary, &mut batch)).await?;
        new.gatherer.carry(&gathered, &found.judged.dossiers).map_err(TurnError::Dossiers)?;
        self.judged += some.len() as u64;
        self.aside.take(&gathered.ids, batch);
        Ok(())
    }

    /// Commits all that was kept aside. Where somebody moved a case on meanwhile, what is to be made of it is looked at again.
    async fn switch(&mut self, stands: &LiveState, fence: &Fence, at: i64) -> Result<Switched, TurnError> {
        let live = Arc::clone(&self.new.live);
        let Some(state) = State::read(&stands.body) else {
            return Err(StoreError::Damaged("the state of the stream cannot be read".to_owned()).into());
        };
        // Whoever stands as before may do so for another time.
        let due = state.due.union(&self.concerned).copied().collect();
        let state = State { policies: Some(self.policies.clone()), due, ..state };
        let mut races = 0;
        loop {
            let moved = self.aside.moved(&*live).await?;
            self.judge(moved).await?;
            let mut batch = std::mem::take(&mut self.aside).into_batch();
            (batch.at, batch.fence, batch.generation) = (at, Some(fence.clone()), self.generation);
            batch.state = Some(LiveState { as_of: stands.as_of, body: state.write()? });
            match commit(&*live, &mut batch).await {
                Ok(()) => {
                    let (standing, cases) = (batch.standing.len() as u64, batch.cases.len() as u64);
                    return Ok(Switched { judged: self.judged, standing, cases });
                }
                Err(StoreError::Raced(_)) if races < RACES => {
                    races += 1;
                    self.aside.take(&Ids::new(), batch);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
