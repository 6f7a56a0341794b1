//! The initial load: the registers as the night has them, put into a new generation of the live store.
//!
//! ```text
//!  registers ─ the same readers and quarantine as of `match` ─▶ rows, mentions ─┐
//!       └─ the same dossiers, policies and resolution ─▶ what stands, timers ───┴─▶ one generation, with positions, swapped in
//! ```
//!
//! Every row gets the place before all events, so that whatever a source tells of it afterwards counts. Sources go on at the positions
//! that are given: those at which the registers were taken, or before: events that say what is known already change nothing.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;

use super::judge::{About, Judge, Judged};
use super::order::Order;
use super::policies::PolicyDigests;
use super::rows::{Entry, RowForms, Rows};
use super::standing;
use super::state::State;
use super::timer::{Next, Tables, reckon, some_columns};
use super::turn::TurnError;
use super::view::mentioned_in;
use crate::dossier::DossierError;
use crate::ledger::Case;
use crate::region::RegionTree;
use crate::register::declaration::SubjectKind;
use crate::register::quarantine::Quarantined;
use crate::register::{ReadOptions, Sources};
use crate::store::live::{CaseFilter, CasePages, Live, LiveFill, LiveState, Mention, Position, RowsOf, Standing, Timer, TimerKey};

/// Things that are written together.
const TOGETHER: usize = 10_000;

/// Rows in quarantine whose subjects are known, a register.
const QUARANTINE_KEPT: usize = 1_000_000;

/// Subjects whose timers are reckoned before they are written.
const RECKONED: usize = 16_384;

/// What was loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Rows of registers.
    pub rows: u64,
    /// Rows and values in quarantine.
    pub quarantined: u64,
    /// Subjects of whom something stands.
    pub standing: u64,
    /// Subjects whose verdicts, grants or amounts some day will change, or may change.
    pub timers: u64,
}

/// Loads the registers, and notes by which policies everybody was judged (none: that is not noted). Memory holds one register at a
/// time, the dossiers as of `match`, and of all registers the columns that timers are reckoned from.
///
/// # Errors
///
/// When a register cannot be read, or the store cannot be written: the generation of before then stays.
pub async fn load(
    live: &dyn Live,
    judge: &mut Judge<'_>,
    sources: &Sources,
    regions: &RegionTree,
    positions: Vec<Position>,
    policies: Option<PolicyDigests>,
) -> Result<Loaded, TurnError> {
    let registers = std::sync::Arc::clone(&judge.catalogue().registers);
    let forms = RowForms::new(&registers)?;
    let mut fill = live.fill().await?;
    let mut loaded = Loaded::default();
    let mut looked_at: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
    for (name, declaration) in &registers.registers {
        let (Some(source), Some(form)) = (sources.get(name), forms.of(name)) else { continue };
        if !judge.data_days().contains_key(name) {
            continue;
        }
        let options = ReadOptions { quarantine_limit: QUARANTINE_KEPT, ..ReadOptions::default() };
        let told = |diagnostic| TurnError::Dossiers(DossierError::Told(diagnostic));
        let mut reader = crate::register::open(declaration, source, regions, &options).map_err(told)?;
        let mut by_owner: BTreeMap<String, Rows> = BTreeMap::new();
        let columns = judge.timers().columns(name);
        for batch in reader.by_ref() {
            let batch = batch.map_err(told)?;
            if let Some(columns) = &columns {
                looked_at.entry(name.clone()).or_default().push(some_columns(&batch, columns)?);
            }
            for row in form.take(&batch)? {
                // A row without an identifier is nobody's.
                let Some(owner) = row.owner else { continue };
                loaded.rows += 1;
                by_owner.entry(owner).or_default().entries.push(Entry { key: row.key, order: Order::LOADED, row: Some(row.held) });
            }
        }
        let quarantine = reader.into_outcome().quarantine;
        loaded.quarantined += quarantine.rows() + quarantine.cells();
        for entry in quarantine.entries.into_iter().filter(Quarantined::leaves_doubt) {
            if let Some(id) = entry.subject {
                by_owner.entry(id).or_default().set_aside = true;
            }
        }
        write(&mut *fill, form, by_owner).await?;
    }
    let cases = all_cases(live).await?;
    let judged = judge.judge_on(sources, &cases, &About::default()).await?;
    let (mut standing, dictionary) = (Vec::new(), judged.dictionary());
    for subject in judged.subjects() {
        let subject = subject?;
        let body = standing::write(&subject, &dictionary)?;
        standing.push(Standing { kind: subject.kind, id: subject.id, body });
        loaded.standing += 1;
        if standing.len() == TOGETHER {
            fill.standing(std::mem::take(&mut standing)).await?;
        }
    }
    fill.standing(standing).await?;
    let tables = Tables::new(judge.timers(), &looked_at).map_err(TurnError::Dossiers)?;
    loaded.timers = write_timers(&mut *fill, judge, &judged, &tables).await?;
    let (data_days, allow_missing) = (judge.data_days().clone(), judge.allow_missing().clone());
    let state = State { data_days, allow_missing, policies, dictionary, ..State::default() };
    fill.finish(LiveState { as_of: judge.as_of(), body: state.write()? }, positions).await?;
    Ok(loaded)
}

/// Reckons and writes the timer of every subject.
async fn write_timers(fill: &mut dyn LiveFill, judge: &Judge<'_>, judged: &Judged, tables: &Tables) -> Result<u64, TurnError> {
    let mut count = 0;
    for kind in SubjectKind::ALL {
        let ids: Vec<&str> = judged.ids(kind).collect();
        let unlisted = tables.to_be_listed(judge.timers(), kind, |id| judged.dossiers.place(kind, id).is_some());
        let unlisted = unlisted.into_iter().map(|(id, day)| (id, Some(Next { day, policies: Vec::new() })));
        let mut timers = timers_of(kind, unlisted);
        for part in ids.chunks(RECKONED) {
            let next = reckon(judge.timers(), judge.paths(), tables, &judged.dossiers, kind, part).map_err(TurnError::Dossiers)?;
            timers.extend(timers_of(kind, part.iter().map(|id| (*id).to_owned()).zip(next)));
            count += timers.len() as u64;
            fill.timers(std::mem::take(&mut timers)).await?;
        }
    }
    Ok(count)
}

fn timers_of(kind: SubjectKind, next: impl Iterator<Item = (String, Option<Next>)>) -> Vec<Timer> {
    let timer =
        |(id, next): (String, Option<Next>)| next.map(|next| Timer { body: next.to_body(), key: TimerKey { day: next.day, kind, id } });
    next.filter_map(timer).collect()
}

/// Writes the rows of a register, and whom they mention.
async fn write(fill: &mut dyn LiveFill, form: &super::rows::RowForm, by_owner: BTreeMap<String, Rows>) -> Result<(), TurnError> {
    let (mut rows, mut mentions) = (Vec::new(), BTreeSet::new());
    for (owner, mut of_owner) in by_owner {
        of_owner.entries.sort_by(|one, other| one.key.cmp(&other.key));
        let places = mentioned_in(form, &of_owner);
        mentions.extend(places.into_iter().map(|id| Mention { id, register: form.name.to_string(), owner: owner.clone() }));
        rows.push(RowsOf { body: form.write(&of_owner), id: owner, register: form.name.to_string() });
        if rows.len() == TOGETHER {
            fill.rows(std::mem::take(&mut rows)).await?;
            fill.mentions(std::mem::take(&mut mentions).into_iter().collect()).await?;
        }
    }
    fill.rows(rows).await?;
    fill.mentions(mentions.into_iter().collect()).await?;
    Ok(())
}

pub(super) async fn all_cases(live: &dyn Live) -> Result<Vec<Case>, TurnError> {
    let mut pages = CasePages::new(live, CaseFilter::default());
    let mut cases = Vec::new();
    while let Some(rows) = pages.next().await? {
        for row in &rows {
            cases.push(Case::of(row)?);
        }
    }
    Ok(cases)
}
