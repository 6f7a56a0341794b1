//! The first half of a turn: changes are put among the rows, and all rows are brought together that those rest on whom they touch.
//!
//! ```text
//!  changes ─ apply ─▶ rows ─ reach ─▶ touched ─ needed ─▶ their rows, and what is carried of others ─▶ Gathered, for the settler
//! ```
//!
//! It alone reads and changes the view, and it asks nobody how subjects are judged: so it can be at the next turn while the one
//! before is judged (`turns`). What judging adds to the view ([`Gatherer::carry`]) is then of a turn before, and counts only for those
//! whom nothing has touched since.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray};
use arrow::compute::filter_record_batch;
use chrono::NaiveDate;
use rayon::prelude::*;

use super::apply::{Applied, apply};
use super::change::Change;
use super::heard::Heard;
use super::leads::LedRows;
use super::reach::{Needed, OfLead, Reach, Touched, Ways};
use super::rows::RowForms;
use super::seen::Ids;
use super::standing::Dictionary;
use super::state::State;
use super::turn::{Done, Taken, TurnError};
use super::view::{Id, IdSet, View};
use crate::dossier::build::base_register;
use crate::dossier::known::{Beforehand, KnownFacts, KnownRows, written_out};
use crate::dossier::{DossierError, Dossiers};
use crate::register::HeldRows;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::{Batch, Live, LiveState};

/// Subjects that are judged together: what they rest on is in memory at a time.
pub(super) const TOGETHER: usize = 10_000;

/// What reads and changes the view of the store.
pub(super) struct Gatherer {
    live: Arc<dyn Live>,
    pub(super) forms: Arc<RowForms>,
    pub(super) ways: Ways,
    /// What was read, kept from turn to turn.
    pub(super) view: View,
    /// The day that verdicts are about.
    as_of: NaiveDate,
    /// The registers that are followed, where they are named; else those of which an event was taken.
    pub(super) followed: Option<BTreeSet<String>>,
    /// The store's state, once it was asked for.
    pub(super) state: Option<AsRead>,
}

/// The store's state; none where it has none that can be read.
pub(super) struct AsRead(pub(super) Option<(NaiveDate, State)>);

/// What changes begin: all that is to be committed of them but what is judged, and who is to be judged.
pub(super) struct Begun {
    pub(super) batch: Batch,
    pub(super) done: Done,
    pub(super) dictionary: Dictionary,
    /// In the order of identifiers.
    pub(super) subjects: Vec<Id>,
    /// None where there are none, or too many to be brought together at once.
    pub(super) gathered: Option<Gathered>,
}

/// When those who are judged are looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reckoned {
    /// On the day that is reckoned for each: dearer than judging.
    ToTheDay,
    /// On the next day, which reckons it for all who were judged since the one before.
    Tomorrow,
}

/// Some who are judged together, and all that they rest on.
pub(super) struct Gathered {
    pub(super) subjects: Vec<Id>,
    pub(super) ids: Ids,
    /// Under which identifiers cases of theirs may have begun.
    pub(super) tied: Ids,
    pub(super) needed: Needed,
    /// By register.
    pub(super) rows: BTreeMap<String, HeldRows>,
    /// Those who are judged so that these can be.
    pub(super) judged: Ids,
    /// Of whom there are rows in the register that lists subjects of a kind.
    pub(super) listed: Vec<(SubjectKind, Arc<str>)>,
    pub(super) days: Reckoned,
    known: Vec<KnownFacts>,
    led: Vec<KnownRows>,
    /// The turn of which it is.
    turn: u32,
}

impl Gathered {
    /// What need not be read.
    pub(super) fn beforehand(&self) -> Beforehand<'_> {
        Beforehand { facts: &self.known, rows: &self.led }
    }
}

impl Gatherer {
    pub(super) fn new(live: Arc<dyn Live>, forms: Arc<RowForms>, ways: Ways, as_of: NaiveDate) -> Self {
        let view = View::new(Arc::clone(&live), Arc::clone(&forms));
        Self { live, forms, ways, view, as_of, followed: None, state: None }
    }

    /// Forgets what was read and changed: the store is asked anew.
    pub(super) fn forget(&mut self) {
        self.view = View::new(Arc::clone(&self.live), Arc::clone(&self.forms));
        self.state = None;
    }

    /// Puts changes among the rows, and gathers whom they touch. What the view holds of them is on its way to the store then.
    pub(super) async fn begin(&mut self, taken: &Taken, generation: i64, heard: Option<&mut Heard>) -> Result<Begun, TurnError> {
        let state = self.followed_now(&taken.changes).await?;
        let Applied { touched, changed, known, unplaced } = apply(&taken.changes, &self.forms, &mut self.view).await?;
        if let Some(heard) = heard {
            heard.rows(&touched, &self.forms, &self.view);
        }
        let dictionary = self.dictionary().await?;
        let subjects = self.reached(&touched).await?;
        let done = Done { changed, known, unplaced, touched: subjects.len() as u64, ..Done::default() };
        let (fence, generation) = (Some(taken.fence.clone()), Some(generation));
        let mut batch = Batch { at: taken.at, fence, generation, positions: taken.positions.clone(), ..Batch::default() };
        (batch.rows, batch.mentioned, batch.unmentioned) = self.view.written();
        self.view.sent();
        if let Some(state) = state {
            batch.state = Some(LiveState { as_of: self.as_of, body: state.write()? });
            self.state = Some(AsRead(Some((self.as_of, state))));
        }
        let gathered = match subjects.len() {
            1..=TOGETHER => Some(self.gather(&subjects, Reckoned::Tomorrow).await?),
            _ => None,
        };
        Ok(Begun { batch, done, dictionary, subjects, gathered })
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

    /// Some who are to be judged together, with all that they rest on.
    pub(super) async fn gather(&mut self, subjects: &[Id], days: Reckoned) -> Result<Gathered, TurnError> {
        let of_subjects: IdSet = subjects.iter().copied().collect();
        let tied = self.tied(subjects).await?;
        // Days are reckoned on the rows of all whom a subject rests on.
        let carries = days == Reckoned::Tomorrow;
        let needed = Reach::new(&self.ways, &self.forms, &mut self.view).needed(&of_subjects, carries).await?;
        let ids: Ids = subjects.iter().map(|id| self.view.name(*id).to_string()).collect();
        Ok(Gathered {
            rows: held(&self.forms, &self.view, &needed)?,
            known: self.known(&needed)?,
            led: self.led(&needed)?,
            judged: ids.iter().cloned().chain(self.view.names(&needed.beside)).collect(),
            listed: if carries { self.listed(subjects) } else { Vec::new() },
            tied: self.view.names(&tied),
            subjects: subjects.to_vec(),
            turn: self.view.leads.now(),
            ids,
            needed,
            days,
        })
    }

    /// Who of some stands in the register that lists subjects of a kind, today or on a day to come.
    fn listed(&self, ids: &[Id]) -> Vec<(SubjectKind, Arc<str>)> {
        let mut listed = Vec::new();
        for kind in SubjectKind::ALL {
            let Some((listing, _)) = self.forms.find(base_register(kind)) else { continue };
            let view = &self.view;
            // Households are listed in the rows of their members.
            let is_listed = |id: &Id| match kind {
                SubjectKind::Household => !view.mentions(listing, *id).is_empty(),
                SubjectKind::Person | SubjectKind::Entity => view.held(*id, listing).is_some_and(|held| !held.is_empty()),
            };
            listed.extend(ids.iter().filter(|id| is_listed(id)).map(|id| (kind, Arc::clone(view.name(*id)))));
        }
        listed
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
    fn keep_led(&mut self, needed: &Needed, dossiers: &Dossiers, turn: u32) -> Result<(), DossierError> {
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
            self.view.leads.keep(at, &from, rows, turn)?;
        }
        Ok(())
    }

    /// Keeps facts of those whom others rested on, and of those who were judged, for the turns to come.
    pub(super) fn carry(&mut self, gathered: &Gathered, dossiers: &Dossiers) -> Result<(), DossierError> {
        let Gathered { subjects: judged, needed, turn, .. } = gathered;
        if gathered.days != Reckoned::Tomorrow {
            return Ok(());
        }
        for (at, group) in self.ways.groups.iter().enumerate() {
            let judged = judged.iter().filter(|_| group.of_judged);
            let ids: IdSet = needed.read[at].iter().chain(judged).copied().collect();
            let names: Vec<&str> = ids.iter().map(|id| &**self.view.name(*id)).collect();
            let facts = dossiers.chosen(group.kind, &group.facts, &names)?;
            // Those who are not there are left out.
            let there = facts.column(0).as_string::<i32>().iter().flatten().filter_map(|id| self.view.find(id));
            let (there, rest): (Vec<Id>, Vec<usize>) = (there.collect(), (1..facts.num_columns()).collect());
            self.view.carried.keep(at, there, written_out(&facts.project(&rest)?)?, *turn)?;
        }
        self.keep_led(needed, dossiers, *turn)
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
    let mut alive: Vec<(Vec<&[u8]>, Vec<String>)> = forms.all().map(|_| <_>::default()).collect();
    for (_, id, registers) in ids {
        for (register, held) in view.all_held(id).filter(|(register, _)| registers.is_none_or(|these| these.contains(register))) {
            let Some(form) = forms.at(register) else { continue };
            let (rows, set_aside) = &mut alive[register];
            let (there, is_set_aside) = form.alive_in(held.body())?;
            rows.extend(there.iter().map(|row| row.bytes));
            if is_set_aside {
                set_aside.push(view.name(id).to_string());
            }
        }
    }
    let of_register = |(register, (rows, set_aside)): (usize, (Vec<&[u8]>, Vec<String>))| {
        let form = forms.at(register).filter(|_| !rows.is_empty() || !set_aside.is_empty())?;
        let batch = form.batch(rows.into_iter());
        Some(batch.map(|batch| (form.name.to_string(), HeldRows { batches: vec![batch], set_aside })))
    };
    let held = tokio::task::block_in_place(|| alive.into_par_iter().enumerate().filter_map(of_register).collect::<Result<_, _>>())?;
    Ok(held)
}
