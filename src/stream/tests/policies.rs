//! Policies that change under a stream: what stands is what those find that serve, and after the switch what the new ones find.

use std::sync::atomic::AtomicU64;

use chrono::Days;

use super::days::{Stops, day, first_state, held_of, runtime, same, stands, state_of};
use super::*;
use crate::check::Checked;
use crate::diagnostic::has_errors;
use crate::diagnostic::progress::Cancel;
use crate::ledger::{Case, What, Why};
use crate::store::live::CaseRow;
use crate::stream::background::{Background, Stage, Switched};
use crate::stream::day::{Means, Turned, Way, next_turn};
use crate::stream::policies::PolicyDigests;
use crate::stream::policy_turn::next_policy_turn;
use crate::stream::state::State;
use crate::stream::timer::calendar::Rules;

/// A state of the policies.
struct Law {
    set: PolicySet,
    checked: Checked,
    digests: PolicyDigests,
}

static NOTHING: BTreeMap<String, NaiveDate> = BTreeMap::new();

/// The policy that the new law has no more, and the one that it has beside the others.
const GONE: &str = "990100-WJ-0004";
const ADDED: &str = "990100-RS-0007";

/// Without one policy.
static OLD: LazyLock<Law> = LazyLock::new(|| Law::of(&["990100/pension-contribution-subsidy"], &[]));

/// Without another one; older people begin at 70, and a line is higher.
static NEW: LazyLock<Law> = LazyLock::new(|| {
    let changed = [
        ("990100/old-age-allowance/policy.yaml", "month_end(as_of) end) >= 80", "month_end(as_of) end) >= 70"),
        ("parameters/assistance.yaml", "value: 1020", "value: 1420"),
        ("parameters/assistance.yaml", "value: 1240", "value: 1640"),
    ];
    Law::of(&["990100/senior-health-check"], &changed)
});

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

impl Law {
    /// The shipped policies without some of them, with texts replaced.
    fn of(without: &[&str], changed: &[(&str, &str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"), folder.path());
        for name in without {
            std::fs::remove_dir_all(folder.path().join(name)).expect("it is there");
        }
        for (file, old, new) in changed {
            let file = folder.path().join(file);
            let text = std::fs::read_to_string(&file).expect("read");
            assert!(text.contains(old), "{old}");
            std::fs::write(file, text.replace(old, new)).expect("written");
        }
        let (set, _) = policy::load(folder.path());
        let (checked, told) = check::check(Arc::clone(&CITY.registers), &set.policies, &set.parameters, &CITY.regions);
        assert!(!has_errors(&told), "{told:?}");
        let rules = Rules { set: &set, checked: &checked, regions: &CITY.regions, known_at: None, data_days: &NOTHING };
        let digests = PolicyDigests::of(&rules);
        Self { set, checked, digests }
    }

    fn rules(&self) -> Rules<'_> {
        Rules { set: &self.set, checked: &self.checked, regions: &CITY.regions, known_at: None, data_days: &NOTHING }
    }

    /// A judge of a day.
    fn judge(&'static self, day: NaiveDate, state: &State) -> Judge<'static> {
        judge_by(&self.set, &self.checked, day, state)
    }

    /// What a batch finds by it on the day that stands.
    async fn finds(&'static self, live: &dyn Live, told: &Told) -> Vec<StoredSubject> {
        let (as_of, state) = state_of(live).await;
        let judged = self.judge(as_of, &state).judge(held_of(&told.rows()), &[], &About::default()).await;
        let judged = judged.map_err(|error: FillError| error.into_diagnostic("test")).expect("judged");
        judged.subjects().map(|subject| subject.expect("sound")).collect()
    }
}

/// A city judged by the old law, all its rows taken as events, so that every grant has a case.
struct Place {
    bench: Bench<'static>,
    told: Told,
    position: i64,
    _folder: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = Address::parse(&folder.path().join("city.db").to_string_lossy()).expect("an address");
        let live = address.make().await.expect("a store").live().await.expect("its live part");
        let fence = live.lease("test", 0, i64::MAX / 2).await.expect("held");
        let state = State { policies: Some(OLD.digests.clone()), ..first_state(CITY.as_of) };
        let fill = live.fill().await.expect("a generation");
        fill.finish(LiveState { as_of: CITY.as_of, body: state.write().expect("written") }, Vec::new()).await.expect("filled");
        let stream = Stream::new(Arc::clone(&live), OLD.judge(CITY.as_of, &state)).expect("a stream").following(Some(BTreeSet::new()));
        let mut bench = Bench { live, fence, stream, position: None };
        let mut told = Told::default();
        let load = told.load();
        bench.take(&load).await;
        Self { bench, told, position: 1, _folder: folder }
    }

    fn live(&self) -> &dyn Live {
        &*self.bench.live
    }

    /// Takes what happens in a turn.
    async fn take(&mut self, steps: &[Step]) {
        let mut changes = Vec::new();
        for step in steps {
            self.position += 1;
            let next = happens(*step, &self.told.rows(), Order::timed(self.position, self.position), self.position);
            self.told.hear(&next);
            changes.push(next);
        }
        self.bench.take(&changes).await;
    }

    /// What stands is what a law finds.
    async fn stands_by(&self, law: &'static Law, when: &str) {
        let (found, expected) = (self.bench.standing().await, law.finds(self.live(), &self.told).await);
        assert_eq!(differing(&found, &expected), Vec::<String>::new(), "{when}");
    }

    /// A stream of the day that stands.
    async fn stream(&self, law: &'static Law) -> Stream<'static> {
        let (as_of, state) = state_of(self.live()).await;
        let stream = Stream::new(Arc::clone(&self.bench.live), law.judge(as_of, &state)).expect("a stream");
        stream.following(Some(BTreeSet::new()))
    }

    async fn background(&self, law: &'static Law, together: usize) -> Background<'static> {
        let (_, state) = state_of(self.live()).await;
        let difference = law.digests.differ_from(state.policies.as_ref());
        Background::new(self.stream(law).await, law.digests.clone(), &difference).within(together, 256 << 20)
    }

    async fn go_on(&mut self, background: &mut Background<'static>) -> Stage {
        let fence = self.bench.fence.clone();
        background.go_on(&mut self.bench.stream, &fence, 1).await.expect("judged")
    }

    /// To the switch, without another event.
    async fn finish(&mut self, background: &mut Background<'static>) -> Switched {
        loop {
            match self.go_on(background).await {
                Stage::Working => {}
                Stage::Switched(switched) => return switched,
                other => panic!("{other:?}"),
            }
        }
    }

    /// The turn to a law, broken off behind so many parts where it says so: that is all of it then.
    async fn turn_to(&mut self, law: &'static Law, way: Option<Way>, stops: Option<u64>) -> Turned {
        let (mut turn, difference) = next_policy_turn(self.live(), &law.digests).await.expect("read").expect("a turn");
        assert!(!difference.policies.is_empty() || turn.before.policies.as_ref() == Some(&law.digests), "{difference:?}");
        (turn.way, turn.together) = (turn.way.or(way), 8);
        let mut stream = Stream::new(Arc::clone(&self.bench.live), law.judge(turn.to, &turn.state)).expect("a stream");
        let cancel = Cancel::default();
        let stopping = Stops(AtomicU64::new(stops.unwrap_or(0)), cancel.clone());
        let means = Means { fence: self.bench.fence.clone(), clock: Arc::new(|| 1), progress: &stopping, cancel };
        let turned = stream.turn_day(&turn, &means).await.expect("turned");
        self.bench.stream = self.stream(law).await;
        turned
    }

    /// The day goes on by one.
    async fn next_day(&mut self, law: &'static Law) -> u64 {
        let (as_of, _) = state_of(self.live()).await;
        let until = as_of.checked_add_days(Days::new(1)).expect("a day");
        let turn = next_turn(self.live(), &law.rules(), Some(&BTreeSet::new()), until).await.expect("read").expect("a turn");
        assert_eq!(turn.to, until);
        let mut stream = Stream::new(Arc::clone(&self.bench.live), law.judge(turn.to, &turn.state)).expect("a stream");
        let stopping = Stops(AtomicU64::new(0), Cancel::default());
        let means = Means { fence: self.bench.fence.clone(), clock: Arc::new(|| 1), progress: &stopping, cancel: Cancel::default() };
        let turned = stream.turn_day(&turn, &means).await.expect("turned");
        self.bench.stream = self.stream(law).await;
        turned.judged
    }

    /// Cases without the order of their events: what they come to.
    async fn cases(&self) -> Vec<(String, String, bool, Option<i64>)> {
        self.bench.cases_are_sound().await;
        let of = |row: CaseRow| {
            let case = Case::of(&row).expect("ours");
            (row.id, row.step, row.in_review, case.amount)
        };
        self.bench.cases().await.into_iter().map(of).collect()
    }
}

fn steps(seed: u32, count: usize) -> Vec<Step> {
    let mut state = seed;
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    (0..count).map(|_| std::array::from_fn(|_| number())).collect()
}

#[test]
fn digests_tell_policies_apart() {
    let same = Law::of(&["990100/pension-contribution-subsidy"], &[]);
    assert_eq!(same.digests, OLD.digests, "wherever the files lie");
    assert_eq!(PolicyDigests::of_json(&OLD.digests.to_json()), Some(OLD.digests.clone()));
    let difference = NEW.digests.differ_from(Some(&OLD.digests));
    // One gone, one new, one another, and those that name the line or hang on who does.
    assert!(difference.policies.len() > 3 && difference.policies.len() < 20 && !difference.in_shared, "{difference:?}");
    assert_eq!(OLD.digests.differ_from(Some(&NEW.digests)), difference);
    assert!(OLD.digests.differ_from(Some(&OLD.digests)).policies.is_empty());
    let unknown = OLD.digests.differ_from(None);
    assert!(unknown.is_unknown && unknown.in_shared && unknown.kinds.len() == 3);
    // A policy about employers, whose facts lead to nobody else.
    let text = ("990100/company-seals/policy.yaml", "in_force: {from: 2024-01-01}", "in_force: {from: 2024-01-02}");
    let seals = Law::of(&["990100/pension-contribution-subsidy"], &[text]).digests.differ_from(Some(&OLD.digests));
    assert_eq!((seals.policies.len(), seals.kinds.into_iter().collect::<Vec<_>>()), (1, vec![SubjectKind::Entity]));
    // The text of a register concerns all.
    let registers =
        Law { digests: PolicyDigests::of_json(&serde_json::json!({"shared": "another", "policies": {}})).expect("digests"), ..same };
    let difference = OLD.digests.differ_from(Some(&registers.digests));
    assert!(difference.in_shared && difference.kinds.len() == 3, "{difference:?}");
}

/// Events before, during and after the background; a number of subjects judged between turns.
fn history(before: &[Step], during: &[Vec<Step>], after: &[Step], together: usize, is_meddled_with: bool) -> Switched {
    runtime().block_on(async {
        let mut place = Place::new().await;
        place.take(before).await;
        place.stands_by(&OLD, "before").await;
        let mut background = place.background(&NEW, together).await;
        for (turn, steps) in during.iter().enumerate() {
            if place.go_on(&mut background).await != Stage::Working {
                break;
            }
            if is_meddled_with {
                let what = What::Told { channel: "a".to_owned(), message: format!("m{turn}") };
                place.bench.meddle(turn * 7, what).await;
            }
            place.stands_by(&OLD, "the old ones serve").await;
            place.take(steps).await;
            place.stands_by(&OLD, "the old ones serve, and take events").await;
            assert_eq!(state_of(place.live()).await.1.policies.as_ref(), Some(&OLD.digests));
        }
        let switched = if state_of(place.live()).await.1.policies.as_ref() == Some(&NEW.digests) {
            Switched::default()
        } else {
            place.finish(&mut background).await
        };
        place.stands_by(&NEW, "after the switch").await;
        let (as_of, state) = state_of(place.live()).await;
        assert_eq!((state.policies.as_ref(), state.turning), (Some(&NEW.digests), None));
        assert_eq!(next_policy_turn(place.live(), &NEW.digests).await, Ok(None));
        place.bench.stream = place.stream(&NEW).await;
        place.take(after).await;
        place.stands_by(&NEW, "events by the new ones").await;
        place.bench.cases_are_sound().await;
        // Timers of the old ones are not gone by: all of the kinds concerned are judged on the next day.
        let judged = place.next_day(&NEW).await;
        let (next, state) = state_of(place.live()).await;
        assert!(next > as_of && state.due.is_empty());
        let concerned = NEW.digests.differ_from(Some(&OLD.digests)).kinds;
        let all = stands(place.live()).await;
        assert!(judged >= all.iter().filter(|subject| concerned.contains(&subject.kind)).count() as u64);
        same(&all, &NEW.finds(place.live(), &place.told).await, "the next day");
        switched
    })
}

#[test]
fn events_go_on_while_new_policies_are_judged_by() {
    let during: Vec<Vec<Step>> = (0..4).map(|turn| steps(11 + turn, 6)).collect();
    let switched = history(&steps(3, 8), &during, &steps(5, 8), 40, true);
    assert!(switched.standing > 20 && switched.cases > 10, "{switched:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, max_shrink_iters: 10, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_meanwhile_the_switch_leaves_what_a_batch_finds(
        before in prop::collection::vec(any::<Step>(), 0..5),
        during in prop::collection::vec(prop::collection::vec(any::<Step>(), 1..6), 0..4),
        after in prop::collection::vec(any::<Step>(), 0..5),
        together in 5_usize..200,
        meddled in any::<bool>(),
    ) {
        history(&before, &during, &after, together, meddled);
    }
}

#[test]
fn a_background_that_broke_off_is_caught_up_with() {
    runtime().block_on(async {
        let happened = steps(23, 10);
        let mut by_switch = Place::new().await;
        by_switch.take(&happened).await;
        let mut background = by_switch.background(&NEW, 50).await;
        by_switch.finish(&mut background).await;
        let expected = by_switch.cases().await;
        for way in [Way::Parts, Way::Whole] {
            let mut place = Place::new().await;
            let mut background = place.background(&NEW, 50).await;
            assert_eq!(place.go_on(&mut background).await, Stage::Working);
            place.take(&happened).await;
            assert_eq!(place.go_on(&mut background).await, Stage::Working);
            drop(background);
            // Broken off twice, and once on the way to a third law.
            let first = place.turn_to(&NEW, Some(way), Some(2)).await;
            assert_eq!((first.complete, first.parts), (false, 2));
            let refused = next_turn(place.live(), &NEW.rules(), None, day("2026-07-01")).await;
            assert!(refused.is_err(), "no day turns meanwhile");
            let back = place.turn_to(&OLD, Some(way), Some(1)).await;
            assert!(!back.complete, "begun anew, back to the old ones");
            let again = place.turn_to(&NEW, Some(way), Some(3)).await;
            assert_eq!((again.complete, again.parts), (false, 3));
            let last = place.turn_to(&NEW, Some(way), None).await;
            assert!(last.complete && last.parts > 3);
            place.stands_by(&NEW, "caught up").await;
            let (_, state) = state_of(place.live()).await;
            assert_eq!((state.policies.as_ref(), state.turning, state.due.len()), (Some(&NEW.digests), None, 0));
            assert_eq!(next_policy_turn(place.live(), &NEW.digests).await, Ok(None));
            assert_eq!(place.cases().await, expected, "{way:?}");
        }
    });
}

#[test]
fn a_turn_on_the_way_is_gone_on_with_by_the_same_policies_alone() {
    runtime().block_on(async {
        let mut place = Place::new().await;
        let first = place.turn_to(&NEW, Some(Way::Parts), Some(4)).await;
        let rest = place.turn_to(&NEW, Some(Way::Parts), None).await;
        let mut other = Place::new().await;
        let whole = other.turn_to(&NEW, Some(Way::Parts), None).await;
        assert_eq!(first.judged + rest.judged, whole.judged, "nobody is done twice");
        assert_eq!(first.cases + rest.cases, whole.cases);
        // Back to the old ones after all: what two parts had changed is changed back.
        let begun = place.turn_to(&OLD, Some(Way::Parts), Some(2)).await;
        assert!(!begun.complete);
        let back = place.turn_to(&NEW, Some(Way::Parts), None).await;
        assert!(back.complete && back.standing > 0, "{back:?}");
        place.stands_by(&NEW, "back").await;
    });
}

#[test]
fn a_policy_that_is_new_begins_cases_and_one_that_is_gone_stops_none() {
    runtime().block_on(async {
        let mut place = Place::new().await;
        let of = |cases: &[CaseRow], code: &str| -> Vec<CaseRow> { cases.iter().filter(|case| case.policy == code).cloned().collect() };
        let before = place.bench.cases().await;
        let lost = of(&before, GONE);
        assert!(lost.len() > 3 && of(&before, ADDED).is_empty(), "{}", lost.len());
        let mut background = place.background(&NEW, 1_000).await;
        let switched = place.finish(&mut background).await;
        let after = place.bench.cases().await;
        assert!(of(&after, ADDED).len() > 3);
        assert_eq!(of(&after, GONE).len(), lost.len());
        for (was, is) in lost.iter().zip(of(&after, GONE)) {
            assert_eq!((&is.id, &is.step), (&was.id, &was.step), "nothing is stopped");
            let case = Case::of(&is).expect("ours");
            assert!(case.lost_on.is_some() && case.open.contains_key(&Why::Lost), "a review is raised");
        }
        let older = of(&after, "990100-MZ-0007").len() - of(&before, "990100-MZ-0007").len();
        assert!(older > 0 && switched.cases >= (lost.len() + of(&after, ADDED).len() + older) as u64, "{switched:?}");
        // And back: what was lost is there again.
        place.bench.stream = place.stream(&NEW).await;
        let mut background = place.background(&OLD, 1_000).await;
        place.finish(&mut background).await;
        place.stands_by(&OLD, "back").await;
        assert!(of(&place.bench.cases().await, GONE).iter().all(|case| Case::of(case).expect("ours").lost_on.is_none()));
    });
}

/// Of subjects of whom only facts are of an earlier day, those facts stay that the policies which changed do not read: else days that
/// have gone by would be kept aside with the policies.
#[test]
fn facts_of_an_earlier_day_stay_where_no_changed_policy_reads_them() {
    static OLDER: LazyLock<Law> = LazyLock::new(|| {
        Law::of(
            &["990100/pension-contribution-subsidy"],
            &[("990100/old-age-allowance/policy.yaml", "month_end(as_of) end) >= 80", "month_end(as_of) end) >= 70")],
        )
    });
    let without_facts = |subject: &StoredSubject| StoredSubject { facts: Vec::new(), ..subject.clone() };
    runtime().block_on(async {
        let mut place = Place::new().await;
        for _ in 0..33 {
            place.next_day(&OLD).await;
        }
        let difference = OLDER.digests.differ_from(Some(&OLD.digests));
        let read = place.stream(&OLDER).await.settler.judge.read_by(&difference.policies);
        assert!(read[&SubjectKind::Person].contains("birth_date") && !read[&SubjectKind::Person].contains("pension_months_12"), "{read:?}");
        let (before, batch) = (place.bench.standing().await, OLDER.finds(place.live(), &place.told).await);
        assert_eq!(before.len(), batch.len());
        let of_earlier_days =
            |(was, is): &(&StoredSubject, &StoredSubject)| was.facts != is.facts && without_facts(was) == without_facts(is);
        let old: Vec<_> = before.iter().zip(&batch).filter(of_earlier_days).map(|(was, _)| was.clone()).collect();
        assert!(old.len() > 1, "{}", old.len());
        let mut background = place.background(&OLDER, 1_000).await;
        let switched = place.finish(&mut background).await;
        let after = place.bench.standing().await;
        same(&after, &batch, "after the switch");
        let is_other = before.iter().zip(&after).filter(|(was, is)| was != is).count() as u64;
        assert_eq!(switched.standing, is_other);
        assert!(is_other > 3, "{is_other}");
        for was in &old {
            let is = after.iter().find(|is| (is.kind, &is.id) == (was.kind, &was.id));
            assert_eq!(is, Some(was), "what it rests on is the same");
        }
    });
}

#[test]
fn subjects_of_a_kind_that_was_not_judged_before_are_found() {
    static PEOPLE: LazyLock<Law> = LazyLock::new(|| {
        let mut law = Law::of(&[], &[]);
        law.checked.policies.retain(|policy| policy.document.subject != SubjectKind::Entity);
        law.set.policies.retain(|document| document.subject != SubjectKind::Entity);
        law.digests = PolicyDigests::of(&law.rules());
        law
    });
    runtime().block_on(async {
        let mut place = Place::new().await;
        place.turn_to(&PEOPLE, Some(Way::Parts), None).await;
        place.stands_by(&PEOPLE, "nobody judges employers").await;
        assert!(PEOPLE.digests.lack_kinds_of(&OLD.digests) && !OLD.digests.lack_kinds_of(&PEOPLE.digests));
        let turned = place.turn_to(&OLD, None, Some(3)).await;
        assert!(turned.whole && !turned.complete);
        assert!(place.turn_to(&OLD, None, None).await.complete);
        place.stands_by(&OLD, "employers are there again").await;
    });
}

#[test]
fn what_does_not_fit_into_memory_is_told_before_anything_is_written() {
    runtime().block_on(async {
        let mut place = Place::new().await;
        let mut background = place.background(&NEW, 30).await.within(30, 2_000);
        let stage = loop {
            let stage = place.go_on(&mut background).await;
            if stage != Stage::Working {
                break stage;
            }
        };
        assert_eq!(stage, Stage::Full);
        place.stands_by(&OLD, "nothing is written").await;
        // Another generation is none of its business.
        let mut background = place.background(&NEW, 30).await;
        assert_eq!(place.go_on(&mut background).await, Stage::Working);
        let fill = place.live().fill().await.expect("a generation");
        let state = first_state(CITY.as_of);
        fill.finish(LiveState { as_of: CITY.as_of, body: state.write().expect("written") }, Vec::new()).await.expect("filled");
        assert_eq!(place.go_on(&mut background).await, Stage::Elsewhere);
        // By which policies its subjects were judged is not known: all are judged anew.
        let (turn, difference) = next_policy_turn(place.live(), &OLD.digests).await.expect("read").expect("a turn");
        assert!(difference.is_unknown && turn.everybody.len() == 3);
    });
}
