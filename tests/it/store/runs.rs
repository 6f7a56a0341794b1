//! Runs in the store: whole or not at all, and what a reader holds stays.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use mianshen::dossier::Cause;
use mianshen::explain::Verdict;
use mianshen::register::declaration::SubjectKind;
use mianshen::store::{Address, FactState, Held, RunId, StoreError, StoredRun};

use super::Place;
use super::tiny::{POLICY, id_of, load, marker, put};

pub(super) async fn an_empty_store_is_empty(place: &Place) {
    let address = Address::parse(&place.address).expect("an address");
    assert_eq!(address.open().await.err(), Some(StoreError::Missing), "nothing is made by looking");
    let store = place.store().await;
    assert!(store.current().await.expect("read").is_none());
    assert_eq!(store.runs().await, Ok(Vec::new()));
    assert!(store.run(RunId(1)).await.expect("read").is_none());
    assert_eq!(store.trail_head().await, Ok(None));
    assert_eq!(store.trail_records(1, 10).await, Ok(Vec::new()));
    assert!(address.open().await.is_ok());
}

pub(super) async fn what_is_loaded_is_read(place: &Place) {
    let store = place.store().await;
    let id = load(&*store, 41, 2_500, 3).await;
    // Another process sees it as well.
    for store in [Arc::clone(&store), Address::parse(&place.address).expect("an address").open().await.expect("a store")] {
        let run = store.current().await.expect("read").expect("a run");
        assert_eq!((run.run().summary.id, run.run().summary.subjects), (id, [2_500, 2, 0]));
        assert_eq!(run.run().manifest.parameters_sha256, "41");
        assert_eq!(run.run().policy(POLICY).map(|policy| &*policy.period), Some("2026-06"));
        assert_eq!(run.run().silent.get("housing"), Some(&Cause::Stale));
        let subject = run.subject(SubjectKind::Person, &id_of(7)).await.expect("read").expect("somebody");
        assert_eq!((subject.id.as_str(), marker(&subject), &*subject.region), ("p00007", 41, "990101"));
        assert_eq!(subject.fact("absent"), Some(&FactState::Unknown(Cause::Stale)));
        assert_eq!((subject.fact("never"), subject.verdict(POLICY), subject.verdict("x")), (None, Verdict::No, Verdict::Outside));
        let renumbered = run.subject(SubjectKind::Person, "old").await.expect("read").expect("by the number of before");
        assert_eq!(renumbered.id, id_of(0));
        for (kind, nobody) in
            [(SubjectKind::Person, "p0000"), (SubjectKind::Person, ""), (SubjectKind::Person, "p00001\0"), (SubjectKind::Entity, "p00001")]
        {
            assert_eq!(run.subject(kind, nobody).await, Ok(None), "{nobody:?}");
        }
        assert!(run.subject(SubjectKind::Household, "h'2").await.expect("read").is_some());
        let first = run.subjects(SubjectKind::Person, None, 3).await.expect("read");
        assert_eq!(first.iter().map(|subject| subject.id.as_str()).collect::<Vec<_>>(), ["p00000", "p00001", "p00002"]);
        let last = run.subjects(SubjectKind::Person, Some("p02497"), 10).await.expect("read");
        assert_eq!(last.iter().map(|subject| subject.id.as_str()).collect::<Vec<_>>(), ["p02498", "p02499"]);
        let coverage = run.table("coverage").await.expect("read");
        let values: Vec<i64> = coverage.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect();
        assert_eq!(values, [41, 1, 2]);
        assert!(run.table("no_such").await.expect("read").is_empty());
        assert_eq!(run.policy_files().await.expect("read")[0].text, "# 批次 41\n");
    }
}

pub(super) async fn a_load_that_is_not_finished_is_not_seen(place: &Place) {
    let store = place.store().await;
    let first = load(&*store, 1, 10, 3).await;
    {
        let mut open = store.load().await.expect("a load");
        put(&mut *open, 2, 5_000).await;
        let other = Address::parse(&place.address).expect("an address").open().await.expect("a store");
        assert_eq!(other.load().await.err(), Some(StoreError::Busy(Held::Load)), "one load at a time");
        let run = other.current().await.expect("read").expect("a run");
        assert_eq!(run.run().summary.id, first);
        assert_eq!(run.subject(SubjectKind::Person, &id_of(4_000)).await, Ok(None));
    }
    let mut again = None;
    // A database may need a moment to see that the connection is gone.
    for _ in 0..100 {
        match store.load().await {
            Ok(load) => again = Some(load),
            Err(StoreError::Busy(Held::Load)) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
            Err(error) => panic!("{error}"),
        }
        if again.is_some() {
            break;
        }
    }
    drop(again.expect("who gave up does not stand in the way"));
    assert_eq!(store.runs().await.expect("read").len(), 1);
}

async fn markers(run: &dyn StoredRun) -> BTreeSet<i64> {
    let subjects = run.subjects(SubjectKind::Person, None, 10_000).await.expect("read");
    assert_eq!(subjects.len() as u64, run.run().summary.subjects[0]);
    subjects.iter().map(marker).collect()
}

pub(super) async fn a_reader_keeps_its_run(place: &Place) {
    let (reading, loading) = (place.store().await, place.store().await);
    load(&*loading, 1, 300, 1).await;
    let held = reading.current().await.expect("read").expect("a run");
    for marker in 2..5 {
        load(&*loading, marker, 300, 1).await;
        if marker == 2 {
            // Held by one who reads for the first time only now.
            assert_eq!(markers(&*held).await, BTreeSet::from([1]));
        }
    }
    let new = reading.current().await.expect("read").expect("a run");
    assert_eq!(markers(&*new).await, BTreeSet::from([4]));
    let subject = held.subject(SubjectKind::Person, &id_of(5)).await.expect("still read").expect("somebody");
    assert_eq!(marker(&subject), 1);
}

pub(super) async fn old_runs_go(place: &Place) {
    let store = place.store().await;
    let mut ids = Vec::new();
    for marker in 0..5 {
        ids.push(load(&*store, marker, 3, 2).await);
    }
    assert!(ids.is_sorted() && ids[0] < ids[4], "numbers count up: {ids:?}");
    let kept: Vec<RunId> = store.runs().await.expect("read").into_iter().map(|run| run.id).collect();
    assert_eq!(kept, [ids[4], ids[3]]);
    assert!(store.run(ids[2]).await.expect("read").is_none());
    let before = store.run(ids[3]).await.expect("read").expect("the run of before");
    assert_eq!(markers(&*before).await, BTreeSet::from([3]));
}

pub(super) async fn readers_see_whole_runs(place: &Place) {
    let (reading, loading) = (place.store().await, place.store().await);
    load(&*loading, 0, 400, 2).await;
    let ended = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, ended) = (Arc::clone(&reading), Arc::clone(&ended));
            tokio::spawn(async move {
                let (mut seen, mut last) = (BTreeSet::new(), 0);
                while !ended.load(Ordering::Relaxed) {
                    let run = store.current().await.expect("read").expect("a run");
                    let of_run = markers(&*run).await;
                    assert_eq!(of_run.len(), 1, "one run, whole: {of_run:?}");
                    let marker = of_run.first().copied().expect("one");
                    assert_eq!(run.run().manifest.parameters_sha256, marker.to_string());
                    assert!(marker >= last, "a reader never goes back");
                    last = marker;
                    seen.insert(marker);
                }
                seen
            })
        })
        .collect();
    for marker in 1..=6 {
        load(&*loading, marker, 400, 2).await;
    }
    let newest = reading.current().await.expect("read").expect("a run");
    assert_eq!(markers(&*newest).await, BTreeSet::from([6]), "seen as soon as it is there");
    ended.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(!reader.await.expect("a reader").is_empty());
    }
}
