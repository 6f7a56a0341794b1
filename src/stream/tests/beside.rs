//! Turns that are made while the ones before are being written leave the same as those that wait for them.

use std::time::Duration;

use super::*;
use crate::ledger::Step as CaseStep;
use crate::ledger::{Actor, Case, Event, VERSION, What, fold, made};
use crate::store::StoreError;
use crate::store::live::{Batch, CaseFilter, CaseRow};

/// Longer than a turn of one change takes.
const PAUSE: Duration = Duration::from_millis(120);

impl Bench<'_> {
    /// Takes one change beside the commit of the one before.
    async fn take_next(&mut self, change: Change) -> Vec<Done> {
        let to = change.origin.next;
        let step = crate::store::live::PositionStep { source: "test".to_owned(), partition: 0, from: self.position, to };
        let taken = Taken { changes: vec![change], positions: vec![step], at: 1, fence: self.fence.clone() };
        self.position = Some(to);
        self.stream.take_next(taken).await.expect("taken")
    }

    pub(super) async fn cases(&self) -> Vec<CaseRow> {
        self.live.cases(&CaseFilter { limit: 1_000_000, ..CaseFilter::default() }).await.expect("read")
    }

    /// Does something to a case, as an official or the push does at any time.
    pub(super) async fn meddle(&self, number: usize, what: What) {
        let cases = self.cases().await;
        let Some(row) = cases.get(number % cases.len().max(1)) else { return };
        let actor = Actor::system("test");
        let event = Event { v: VERSION, day: CITY.as_of, actor, note: String::new(), request: String::new(), what };
        let step = made(row, Case::of(row).expect("ours"), &[event]);
        match self.live.commit(&Batch { at: 1, cases: vec![step], ..Batch::default() }).await {
            // The turn under way was faster.
            Ok(_) | Err(StoreError::Raced(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Every case is what its events make of it.
    pub(super) async fn cases_are_sound(&self) {
        for row in self.cases().await {
            let events = self.live.case_events(&row.id).await.expect("read");
            assert_eq!(fold(&events).expect("ours"), Some(Case::of(&row).expect("ours")), "{}", row.id);
        }
    }
}

/// What a turn is about.
#[derive(Debug, Clone, Copy)]
enum Happens {
    Anything(Step),
    /// Somebody who is owed something is listed no more, and is listed again.
    Gone(usize),
    Back(usize),
}

/// The rows in the population register of those who are owed something.
async fn owed(bench: &Bench<'_>) -> Vec<RecordBatch> {
    let standing = bench.standing().await;
    let ids: BTreeSet<&str> =
        standing.iter().filter(|of| of.kind == SubjectKind::Person && !of.grants.is_empty()).map(|of| &*of.id).collect();
    let id = |row: &RecordBatch| row.column_by_name("person_id").expect("there").as_string::<i32>().value(0).to_owned();
    CITY.rows["population"].iter().filter(|row| ids.contains(&*id(row))).cloned().collect()
}

/// `large`: of how many changes a turn is judged while the next one is begun.
fn same(turns: &[Vec<Happens>], is_meddled_with: bool, large: usize) -> u64 {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let (policies, _) = before_allocation(in_force());
    let chosen: Vec<CheckedPolicy> = policies.values().cloned().collect();
    let binder = Binder::new(CITY.as_of, None, &CITY.set.parameters, &CITY.regions, &policies);
    let judge = || Judge::new(ground(&chosen, &binder)).map_err(crate::dossier::DossierError::into_diagnostic).expect("a judge");
    let mut steps_of_cases = 0;
    runtime.block_on(async {
        let mut benches = Vec::new();
        let mut truth = Told::default();
        let load = truth.load();
        for folder in &folders {
            let (live, fence) = empty(folder.path()).await;
            let stream = Stream::new(Arc::clone(&live), judge()).expect("a stream");
            let mut bench = Bench { live, fence, stream, position: None };
            bench.take(&load).await;
            benches.push(bench);
        }
        let [beside, waiting] = &mut benches[..] else { unreachable!("two") };
        // The next turn has read what it needs before the store has the one before.
        beside.stream.pause = PAUSE;
        beside.stream.large = large;
        let owed = owed(waiting).await;
        let mut position = 1;
        for turn in turns {
            let (mut one, mut other) = (Done::default(), Done::default());
            for (at, next) in turn.iter().enumerate() {
                position += 1;
                let order = Order::timed(position, position);
                let happened = match *next {
                    Happens::Anything(step) => happens(step, &truth.rows(), order, position),
                    Happens::Gone(who) => change("population", order, Some(&owed[who % owed.len()]), None, position),
                    Happens::Back(who) => change("population", order, None, Some(&owed[who % owed.len()]), position),
                };
                truth.hear(&happened);
                beside.take_next(happened.clone()).await.iter().for_each(|done| one.add(done));
                other.add(&waiting.take(&[happened]).await);
                if is_meddled_with {
                    let told = What::Told { channel: "a".to_owned(), message: format!("m{position}") };
                    let what = if at % 2 == 0 { told } else { What::Withdrawn };
                    beside.meddle(7 * at, what.clone()).await;
                    waiting.meddle(7 * at, what).await;
                }
            }
            beside.stream.rest().await.expect("written").iter().for_each(|done| one.add(done));
            assert_eq!(differing(&beside.standing().await, &waiting.standing().await), Vec::<String>::new(), "{turn:?}");
            if is_meddled_with {
                beside.cases_are_sound().await;
            } else {
                assert_eq!(one, other, "{turn:?}");
                assert_eq!(beside.cases().await, waiting.cases().await, "{turn:?}");
            }
            steps_of_cases += one.cases;
        }
    });
    steps_of_cases
}

/// Somebody is gone and back at once, some again and again, among other things that happen.
fn back_at_once(seed: usize, turns: usize) -> Vec<Vec<Happens>> {
    let of_one = |who: usize| {
        let step = std::array::from_fn(|at| u32::try_from(who * 7 + at * 13).unwrap_or(0));
        [Happens::Gone(who), Happens::Back(who), Happens::Anything(step), Happens::Gone(who), Happens::Back(who)]
    };
    (0..turns).map(|turn| (0..2).flat_map(|at| of_one(seed + 2 * turn + at)).collect()).collect()
}

#[test]
fn turns_beside_each_other_leave_what_turns_that_wait_leave() {
    for large in [1, 2] {
        assert!(same(&back_at_once(3, 5), false, large) > 10, "cases moved");
    }
}

#[test]
fn what_others_do_to_cases_meanwhile_is_built_upon() {
    for large in [1, 2] {
        same(&back_at_once(5, 4), true, large);
    }
}

#[test]
fn what_turns_beside_each_other_carry_is_that_of_a_batch() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let (policies, _) = before_allocation(in_force());
    let chosen: Vec<CheckedPolicy> = policies.values().cloned().collect();
    let binder = Binder::new(CITY.as_of, None, &CITY.set.parameters, &CITY.regions, &policies);
    let judge = || Judge::new(ground(&chosen, &binder)).map_err(crate::dossier::DossierError::into_diagnostic).expect("a judge");
    let (employer, people) = carried::employer();
    // Each of the people in turn gets another contract, then the first one again.
    let moved = |number: i64| {
        let at = usize::try_from(number - 2).expect("a number from 2 on");
        let (one, other) = carried::other_contract(&people[at % people.len()]);
        let (before, after) = if at / people.len() % 2 == 0 { (&one, &other) } else { (&other, &one) };
        change("employment_contracts", Order::timed(number, number), Some(before), Some(after), number)
    };
    runtime.block_on(async {
        let (live, fence) = empty(folder.path()).await;
        let stream = Stream::new(Arc::clone(&live), judge()).expect("a stream");
        let mut bench = Bench { live, fence, stream, position: None };
        let (mut told, mut oracle) = (Told::default(), judge());
        bench.take(&told.load()).await;
        bench.stream.forget();
        bench.stream.large = 1;
        let mut turns = 0;
        // Each of the first turns reads all people of the employer, for none knows what the one before will carry; and touches one of them.
        for number in 2..9 {
            let change = moved(number);
            told.hear(&change);
            turns += bench.take_next(change).await.len();
        }
        assert!(turns > 2, "turns were made beside each other");
        bench.stream.rest().await.expect("written");
        let expected = batch(&mut oracle, &bench, &told.rows()).await;
        assert_eq!(differing(&bench.standing().await, &all_of(&expected)), Vec::<String>::new());
        carried::is_that_of_a_batch(&bench.stream, &expected);
        // While its people are judged, the employer is gone: what they found of it does not count any more.
        let is_employer = |row: &&RecordBatch| row.column_by_name("entity_id").expect("there").as_string::<i32>().value(0) == employer;
        let listed = CITY.rows["legal_entity"].iter().find(is_employer).expect("listed");
        for change in [moved(9), change("legal_entity", Order::timed(10, 10), Some(listed), None, 10)] {
            told.hear(&change);
            bench.take_next(change).await;
        }
        bench.stream.rest().await.expect("written");
        let expected = batch(&mut oracle, &bench, &told.rows()).await;
        assert_eq!(differing(&bench.standing().await, &all_of(&expected)), Vec::<String>::new());
        carried::is_that_of_a_batch(&bench.stream, &expected);
    });
}

#[test]
fn what_was_made_on_a_turn_that_comes_out_otherwise_is_made_anew() {
    for large in [1, 2] {
        raced(large);
    }
}

fn raced(large: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let (policies, _) = before_allocation(in_force());
    let chosen: Vec<CheckedPolicy> = policies.values().cloned().collect();
    let binder = Binder::new(CITY.as_of, None, &CITY.set.parameters, &CITY.regions, &policies);
    let judge = Judge::new(ground(&chosen, &binder)).map_err(crate::dossier::DossierError::into_diagnostic).expect("a judge");
    runtime.block_on(async {
        let (live, fence) = empty(folder.path()).await;
        let stream = Stream::new(Arc::clone(&live), judge).expect("a stream");
        let mut bench = Bench { live, fence, stream, position: None };
        bench.take(&Told::default().load()).await;
        let owed = owed(&bench).await;
        let id = owed[0].column_by_name("person_id").expect("there").as_string::<i32>().value(0).to_owned();
        let about = async |bench: &Bench<'_>| -> Vec<(usize, Case)> {
            let of_person = |(at, row): (usize, CaseRow)| (row.subject == id).then(|| (at, Case::of(&row).expect("ours")));
            bench.cases().await.into_iter().enumerate().filter_map(of_person).collect()
        };
        let cases = about(&bench).await;
        assert!(!cases.is_empty(), "somebody has cases");
        // What is lost becomes a review of each case, unless somebody withdraws them before that is written; the next turn was made
        // upon the reviews then.
        bench.stream.pause = Duration::from_millis(600);
        bench.stream.large = large;
        bench.take_next(change("population", Order::timed(2, 2), Some(&owed[0]), None, 2)).await;
        let mut position = 3;
        if large == 1 {
            // It is on its way with the next turn: one that changes nothing of hers.
            let other = owed.iter().rev().find(|row| **row != owed[0]).expect("another");
            bench.take_next(change("population", Order::timed(1, 1), Some(other), None, position)).await;
            position += 1;
        }
        for (at, _) in &cases {
            bench.meddle(*at, What::Withdrawn).await;
        }
        bench.take_next(change("population", Order::timed(3, 3), None, Some(&owed[0]), position)).await;
        bench.stream.rest().await.expect("written");
        for (_, case) in about(&bench).await {
            assert_eq!((case.step, case.lost_on), (CaseStep::Withdrawn, None), "{}", case.id);
        }
        bench.cases_are_sound().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(turns in prop::collection::vec(prop::collection::vec(any::<Step>(), 1..8), 1..3), meddled in any::<bool>(), large in 1_usize..3) {
        let turns: Vec<Vec<Happens>> = turns.into_iter().map(|turn| turn.into_iter().map(Happens::Anything).collect()).collect();
        same(&turns, meddled, large);
    }
}
