//! Days that pass over a small city: what stands on each is what a batch on that day would find, whoever was judged for it.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Days;

use super::*;
use crate::diagnostic::Message;
use crate::diagnostic::progress::{Cancel, Progress, Silent};
use crate::eligibility::grant::Status;
use crate::explain::Verdict;
use crate::policy::document::Mode;
use crate::stream::day::{Means, Turned, Way, next_turn};
use crate::stream::load::load;
use crate::stream::rows::RowForms;
use crate::stream::state::State;
use crate::stream::timer::calendar::Rules;

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// A judge of a day, by the shipped policies.
fn judge_of(day: NaiveDate, state: &State) -> Judge<'static> {
    judge_by(&CITY.set, &CITY.checked, day, state)
}

fn rules(nothing: &BTreeMap<String, NaiveDate>) -> Rules<'_> {
    Rules { set: &CITY.set, checked: &CITY.checked, regions: &CITY.regions, known_at: None, data_days: nothing }
}

/// Asks to stop when so many parts are done.
pub(super) struct Stops(pub(super) AtomicU64, pub(super) Cancel);

impl Progress for Stops {
    fn stage(&self, _: Message, _: Option<u64>) {}

    fn rows(&self, _: u64) {
        if self.0.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.1.cancel();
        }
    }
}

/// How days are turned.
#[derive(Clone, Copy)]
struct How {
    way: Option<Way>,
    together: usize,
    /// Stops once behind so many parts, and goes on anew.
    stops: Option<u64>,
}

const USUAL: How = How { way: None, together: 2_000, stops: None };

pub(super) async fn state_of(live: &dyn Live) -> (NaiveDate, State) {
    let state = live.state().await.expect("read").expect("filled");
    (state.as_of, State::read(&state.body).expect("a state"))
}

/// Turns to a day, as often as there is something to turn for. Gives what each turn did, by its day.
async fn turn_to(live: &Arc<dyn Live>, fence: &Fence, until: NaiveDate, how: How) -> Vec<(NaiveDate, Turned)> {
    let nothing = BTreeMap::new();
    let mut all = Vec::new();
    let mut stops = how.stops;
    while let Some(mut turn) = next_turn(&**live, &rules(&nothing), None, until).await.expect("read") {
        (turn.way, turn.together) = (how.way, how.together);
        let mut stream = Stream::new(Arc::clone(live), judge_of(turn.to, &turn.state)).expect("a stream");
        let cancel = Cancel::default();
        let stopping = Stops(AtomicU64::new(stops.take().unwrap_or(0)), cancel.clone());
        let means = Means { fence: fence.clone(), clock: Arc::new(|| 1), progress: &stopping, cancel };
        let turned = stream.turn_day(&turn, &means).await.expect("turned");
        let (as_of, state) = state_of(&**live).await;
        assert_eq!((as_of, state.turning.is_none()), if turned.complete { (turn.to, true) } else { (turn.from, false) });
        all.push((turn.to, turned));
    }
    all
}

/// What must be the same: who is there, verdicts, grants, and what is given already. Facts are those of the day on which somebody
/// was judged last, and so is what an unknown lacks.
type Essence = BTreeMap<(SubjectKind, String), (BTreeMap<Arc<str>, &'static str>, Vec<Grant>, Vec<Given>)>;
type Grant = (Arc<str>, String, Option<String>, Option<String>, Option<i64>, Option<i64>, Mode, Status);
type Given = (Arc<str>, Option<String>, Option<String>, Option<i64>);

fn essence(all: &[StoredSubject]) -> Essence {
    let of = |subject: &StoredSubject| {
        let word = |verdict: Verdict| match verdict {
            Verdict::Yes => Some("yes"),
            Verdict::Unknown => Some("unknown"),
            Verdict::No | Verdict::Outside => None,
        };
        let verdicts = subject.verdicts.iter().filter_map(|verdict| Some((Arc::clone(&verdict.policy), word(verdict.verdict)?)));
        let grants = subject.grants.iter().map(|grant| {
            let (id, occasion, member) = (grant.grant_id.to_string(), grant.occasion.clone(), grant.member.clone());
            (Arc::clone(&grant.policy), id, occasion, member, grant.amount, grant.full_amount, grant.mode, grant.status)
        });
        let given =
            subject.given.iter().map(|given| (Arc::clone(&given.policy), given.occasion.clone(), given.member.clone(), given.amount));
        (verdicts.collect(), grants.collect(), given.collect())
    };
    all.iter().map(|subject| ((subject.kind, subject.id.clone()), of(subject))).collect()
}

#[track_caller]
pub(super) fn same(stands: &[StoredSubject], found: &[StoredSubject], when: &str) {
    let (stands, found) = (essence(stands), essence(found));
    let ids: BTreeSet<_> = stands.keys().chain(found.keys()).collect();
    let differing: Vec<String> = ids
        .into_iter()
        .filter(|id| stands.get(id) != found.get(id))
        .map(|id| format!("{id:?}\n  stands {:?}\n  batch  {:?}", stands.get(id), found.get(id)))
        .collect();
    assert!(differing.is_empty(), "{when}: {}\n{}", differing.len(), differing[..differing.len().min(6)].join("\n"));
}

pub(super) async fn stands(live: &dyn Live) -> Vec<StoredSubject> {
    let (mut all, dictionary) = (Vec::new(), dictionary(live).await);
    for kind in SubjectKind::ALL {
        for stands in live.standing_after(kind, None, 1_000_000).await.expect("read") {
            all.push(standing::read(kind, &stands.id, &stands.body, &dictionary).expect("sound"));
        }
    }
    all
}

/// What a batch over rows finds on a day.
async fn batch_on(day: NaiveDate, state: &State, held: BTreeMap<String, HeldRows>) -> Vec<StoredSubject> {
    let judged = judge_of(day, state).judge(held, &[], &About::default()).await.map_err(|error: FillError| error.into_diagnostic("test"));
    judged.expect("judged").subjects().map(|subject| subject.expect("sound")).collect()
}

pub(super) fn held_of(rows: &BTreeMap<String, Vec<RecordBatch>>) -> BTreeMap<String, HeldRows> {
    let forms = RowForms::new(&CITY.registers).expect("forms");
    let mut held = BTreeMap::new();
    for (name, rows) in rows.iter().filter(|(_, rows)| !rows.is_empty()) {
        let form = forms.of(name).expect("declared");
        let mut sorted: Vec<_> = rows.iter().flat_map(|row| form.take(row).expect("as declared")).collect();
        sorted.sort_by(|one, other| (&one.owner, &one.key, &one.held.bytes).cmp(&(&other.owner, &other.key, &other.held.bytes)));
        let batch = form.batch(sorted.iter().map(|row| &*row.held.bytes)).expect("rows");
        held.insert(name.clone(), HeldRows { batches: vec![batch], set_aside: Vec::new() });
    }
    held
}

fn city_held() -> BTreeMap<String, HeldRows> {
    let held = |(name, rows): (&String, &Vec<RecordBatch>)| {
        (name.clone(), HeldRows { batches: rows.clone(), set_aside: CITY.set_aside[name].clone() })
    };
    CITY.rows.iter().map(held).collect()
}

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

/// The sources as of a day: those that speak of a later one have not said so yet.
pub(super) fn first_state(as_of: NaiveDate) -> State {
    let days = CITY.sources.sources.iter().map(|(name, source)| (name.clone(), source.data_day.max(as_of)));
    State { data_days: days.collect(), dictionary: SOME_NAMES.clone(), ..State::default() }
}

async fn loaded(folder: &Path, as_of: NaiveDate) -> (Arc<dyn Live>, Fence) {
    let address = Address::parse(&folder.join("city.db").to_string_lossy()).expect("an address");
    let live = address.make().await.expect("a store").live().await.expect("its live part");
    let mut judge = judge_of(as_of, &first_state(as_of));
    let loaded = load(&*live, &mut judge, &CITY.sources, &CITY.regions, Vec::new(), None).await.expect("loaded");
    assert!(loaded.timers > 0, "some have days ahead of them");
    let fence = live.lease("test", 0, i64::MAX / 2).await.expect("held");
    (live, fence)
}

/// Days pass over the loaded city, and some are looked at. Gives what each turn did, and how many subjects there are.
fn pass(from: &str, looked_at: &[&str], how: How) -> (Vec<(NaiveDate, Turned)>, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    runtime().block_on(async {
        let (live, fence) = loaded(folder.path(), day(from)).await;
        let (mut all, mut moved) = (Vec::new(), 0);
        let mut before = essence(&stands(&*live).await);
        for date in looked_at {
            all.extend(turn_to(&live, &fence, day(date), how).await);
            let (as_of, state) = state_of(&*live).await;
            assert_eq!(as_of, day(date));
            let now = stands(&*live).await;
            same(&now, &batch_on(as_of, &state, city_held()).await, date);
            let now = essence(&now);
            moved += now.iter().filter(|(id, essence)| before.get(id) != Some(essence)).count();
            before = now;
            assert_eq!(live.due(as_of, None, 10).await.expect("read"), [], "no timer is left behind");
        }
        assert!(moved > 0, "nothing came out otherwise");
        (all, before.len())
    })
}

#[test]
fn weeks_pass_with_a_months_end() {
    let (turns, of) = pass("2026-06-30", &["2026-07-01", "2026-07-09", "2026-08-01", "2026-08-11"], USUAL);
    let is_first = |date: NaiveDate| chrono::Datelike::day(&date) == 1;
    let ordinary: Vec<usize> =
        turns.iter().filter(|(date, _)| !is_first(*date)).map(|(_, turned)| usize::try_from(turned.judged).expect("few")).collect();
    let last = day("2026-08-10");
    let before_stale: usize = turns
        .iter()
        .filter(|(date, _)| !is_first(*date) && *date < last)
        .map(|(_, turned)| usize::try_from(turned.judged).expect("few"))
        .sum();
    eprintln!("{of} subjects, judged on ordinary days: {ordinary:?}");
    assert!(before_stale * 10 < of * 30, "{before_stale} of {of} in some forty ordinary days: fewer than a tenth a day");
}

#[test]
fn a_leap_day_passes_and_a_year_begins() {
    pass("2024-02-26", &["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-02"], How { together: 20, ..USUAL });
    pass("2025-12-29", &["2025-12-31", "2026-01-01"], How { way: Some(Way::Whole), together: 50, stops: None });
}

#[test]
fn a_turn_that_broke_off_goes_on_where_it_was() {
    for way in [Way::Parts, Way::Whole] {
        let how = How { way: Some(way), together: 8, stops: Some(2) };
        let (turns, _) = pass("2026-06-30", &["2026-07-01"], how);
        let [(_, first), (_, second)] = &turns[..] else { panic!("{turns:?}") };
        assert_eq!((first.complete, first.parts, second.complete), (false, 2, true));
        let (whole, _) = pass("2026-06-30", &["2026-07-01"], How { stops: None, ..how });
        assert_eq!(first.judged + second.judged, whole[0].1.judged, "nobody is done twice");
        assert_eq!(first.cases + second.cases, whole[0].1.cases);
        assert!(whole[0].1.cases > 0, "cases of the new month");
    }
}

#[test]
fn nobody_else_turns_a_day_whose_lease_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    runtime().block_on(async {
        let (live, fence) = loaded(folder.path(), day("2026-06-30")).await;
        let nothing = BTreeMap::new();
        let turn = next_turn(&*live, &rules(&nothing), None, day("2026-07-01")).await.expect("read").expect("a turn");
        live.release(&fence).await.expect("released");
        live.lease("another", 0, i64::MAX / 2).await.expect("held");
        let mut stream = Stream::new(Arc::clone(&live), judge_of(turn.to, &turn.state)).expect("a stream");
        let means = Means { fence, clock: Arc::new(|| 1), progress: &Silent, cancel: Cancel::default() };
        let refused = stream.turn_day(&turn, &means).await.expect_err("fenced");
        assert!(matches!(refused, crate::stream::turn::TurnError::Store(crate::store::StoreError::Fenced(_))), "{refused:?}");
        let (as_of, state) = state_of(&*live).await;
        assert_eq!((as_of, state.turning), (day("2026-06-30"), None), "nothing of it is there");
        assert_eq!(next_turn(&*live, &rules(&nothing), None, as_of).await, Ok(None), "the day stands");
    });
}

/// What happens: changes, then days that pass, and how they are turned.
type Happened = (Vec<(Step, u8)>, u8, u8);

/// A history in which days pass between changes.
fn history_of_days(turns: &[Happened]) {
    let folder = tempfile::tempdir().expect("a folder");
    runtime().block_on(async {
        let address = Address::parse(&folder.path().join("city.db").to_string_lossy()).expect("an address");
        let live = address.make().await.expect("a store").live().await.expect("its live part");
        let fence = live.lease("test", 0, i64::MAX / 2).await.expect("held");
        let fill = live.fill().await.expect("a generation");
        let first = first_state(CITY.as_of);
        fill.finish(LiveState { as_of: CITY.as_of, body: first.write().expect("written") }, Vec::new()).await.expect("filled");
        let stream = Stream::new(Arc::clone(&live), judge_of(CITY.as_of, &first)).expect("a stream");
        let mut bench = Bench { live: Arc::clone(&live), fence: fence.clone(), stream, position: None };
        let mut told = Told::default();
        let load = told.load();
        bench.take(&load).await;
        // The load came as events: from here on, each register is followed by what is told of it.
        bench.stream = bench.stream.following(Some(BTreeSet::new()));
        bench.take(&[]).await;
        let mut position = 1;
        for (changes, days, how) in turns {
            let mut happened = Vec::new();
            for (step, _) in changes {
                position += 1;
                let next = happens(*step, &told.rows(), Order::timed(position, position), position);
                told.hear(&next);
                happened.push(next);
            }
            let (as_of, state) = state_of(&*live).await;
            bench.stream = Stream::new(Arc::clone(&live), judge_of(as_of, &state)).expect("a stream");
            bench.take(&happened).await;
            let how = How {
                way: [None, Some(Way::Parts), Some(Way::Whole)][usize::from(how % 3)],
                together: 1 + usize::from(how / 3) * 4,
                stops: (how % 2 == 0).then_some(u64::from(how / 50 + 1)),
            };
            let until = as_of.checked_add_days(Days::new(u64::from(1 + days % 44))).expect("a day");
            turn_to(&live, &fence, until, how).await;
            let (as_of, state) = state_of(&*live).await;
            assert_eq!((as_of, &state.turning), (until, &None));
            assert!(state.followed.iter().all(|register| state.data_days[register] >= as_of), "what is followed speaks for the day");
            same(&stands(&*live).await, &batch_on(as_of, &state, held_of(&told.rows())).await, &format!("{as_of}"));
        }
    });
}

#[test]
fn a_long_history_of_days() {
    let mut state = 7_u32;
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    let turns: Vec<Happened> = (0..6)
        .map(|_| {
            let changes = (0..8).map(|_| (std::array::from_fn(|_| number()), 3)).collect();
            (changes, number().to_le_bytes()[0], number().to_le_bytes()[0])
        })
        .collect();
    history_of_days(&turns);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, max_shrink_iters: 10, ..ProptestConfig::default() })]

    #[test]
    fn what_stands_after_days_is_what_a_batch_would_find(
        turns in prop::collection::vec((prop::collection::vec((any::<Step>(), any::<u8>()), 0..5), any::<u8>(), any::<u8>()), 1..4),
    ) {
        history_of_days(&turns);
    }
}
