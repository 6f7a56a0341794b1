//! Lease, generations, and what belongs to one: rows, mentions, standing, timers, the state and the positions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mianshen::register::declaration::SubjectKind::{Entity, Household, Person};
use mianshen::store::live::{Batch, Fence, Live, LiveState, TimerKey, TimerStep};
use mianshen::store::{Held, StoreError};

use super::{Place, day, filled, live, mention, position, rows, standing, state, step, timer};

pub(super) async fn nothing_is_there_at_first(place: &Place) {
    let live = live(place).await;
    assert_eq!(live.state().await, Ok(None));
    assert_eq!(live.positions().await, Ok(Vec::new()));
    assert_eq!(live.rows(&["p1"]).await, Ok(Vec::new()));
    assert_eq!(live.rows_after(None, 9).await, Ok(Vec::new()));
    assert_eq!(live.mentions("births", &["p1"]).await, Ok(Vec::new()));
    assert_eq!(live.standing(Person, &["p1"]).await, Ok(Vec::new()));
    assert_eq!(live.stands(Person, "p1").await, Ok(None));
    assert_eq!(live.standing_after(Person, None, 10).await, Ok(Vec::new()));
    assert_eq!(live.due(day("2099-01-01"), None, 10).await, Ok(Vec::new()));
    assert_eq!(live.due_counts(day("2099-01-01")).await, Ok(Vec::new()));
    assert_eq!(live.events_head().await, Ok(None));
    assert_eq!(live.case("c1").await, Ok(None));
    assert_eq!(live.message("m1").await, Ok(None));
    assert_eq!(live.outbox("webhook", i64::MAX, 10).await, Ok(Vec::new()));
    assert_eq!(live.commit(&Batch::default()).await.expect("nothing to do").head, None);
    let fence = live.lease("stream 1", 1, 2).await.expect("the lease");
    let batch = Batch { fence: Some(fence), rows: vec![rows("p1", "population", "r")], ..Batch::default() };
    assert!(matches!(live.commit(&batch).await, Err(StoreError::Failed(_))), "rows of no generation");
}

pub(super) async fn one_holds_the_lease(place: &Place) {
    let (one, two) = (live(place).await, live(place).await);
    let first = filled(&*one).await;
    assert_eq!(first, Fence { holder: "stream 1".to_owned(), epoch: 1 });
    assert_eq!(two.lease("stream 2", 1_999, 9_000).await, Err(StoreError::Busy(Held::Lease)));
    assert_eq!(one.lease("stream 1", 1_500, 3_000).await.expect("renewed"), first);
    assert_eq!(two.lease("stream 2", 2_500, 9_000).await, Err(StoreError::Busy(Held::Lease)), "it was renewed");
    assert_eq!(two.leased().await.expect("read"), Some(first.clone()));
    let batch =
        |fence: &Fence, body: &str| Batch { fence: Some(fence.clone()), rows: vec![rows("p1", "population", body)], ..Batch::default() };
    one.commit(&batch(&first, "first")).await.expect("committed");
    let second = two.lease("stream 2", 3_000, 9_000).await.expect("the time of the other is over");
    assert_eq!(second.epoch, 2);
    assert!(matches!(one.commit(&batch(&first, "late")).await, Err(StoreError::Fenced(_))));
    assert!(matches!(one.commit(&Batch { fence: Some(first.clone()), ..Batch::default() }).await, Err(StoreError::Fenced(_))));
    let none = Batch { fence: None, ..batch(&first, "none") };
    assert!(matches!(one.commit(&none).await, Err(StoreError::Fenced(_))), "rows need a lease");
    two.commit(&batch(&second, "second")).await.expect("committed");
    one.release(&first).await.expect("nothing to give back");
    assert_eq!(one.lease("stream 1", 3_001, 9_000).await, Err(StoreError::Busy(Held::Lease)), "it is still the other's");
    two.release(&second).await.expect("given back");
    assert_eq!(two.leased().await.expect("read"), None);
    assert!(matches!(two.commit(&batch(&second, "released")).await, Err(StoreError::Fenced(_))));
    let third = two.lease("stream 2", 3_002, 9_000).await.expect("free");
    assert_eq!(third.epoch, 3, "what was given back is taken anew");
    assert_eq!(one.rows(&["p1"]).await.expect("read")[1], rows("p1", "population", "second"));
}

pub(super) async fn what_is_committed_is_read(place: &Place) {
    let live = live(place).await;
    let fence = filled(&*live).await;
    assert_eq!(live.state().await, Ok(Some(state("2026-06-30", "policies 1"))));
    let found = live.rows(&["p2", "nobody", "p1", "p2", "'; DROP TABLE register_row; --"]).await.expect("read");
    assert_eq!(found, [rows("p1", "births", "b1"), rows("p1", "population", "r1"), rows("p2", "population", "r2")]);
    assert_eq!(live.mentions("births", &["p1", "p2"]).await, Ok(vec![mention("p1", "births", "p9")]));
    let batch = Batch {
        at: 1,
        fence: Some(fence),
        rows: vec![
            rows("p2", "population", "left over"),
            rows("p2", "population", "r2 anew"),
            rows("p1", "births", ""),
            rows("p3", "population", "r3"),
            rows("nobody", "births", ""),
        ],
        mentioned: vec![
            mention("p3", "identity_links", "p9"),
            mention("p1", "identity_links", "p2"),
            mention("p3", "births", "p2"),
            mention("p3", "births", "p2"),
            mention("p3", "births", "p1"),
        ],
        unmentioned: vec![mention("p1", "births", "p9"), mention("x", "y", "z"), mention("p3", "births", "p1")],
        standing: vec![standing(Person, "p2", ""), standing(Household, "p1", "h"), standing(Person, "p3", "s3")],
        state: Some(state("2026-07-01", "policies 2")),
        ..Batch::default()
    };
    live.commit(&batch).await.expect("committed");
    live.commit(&batch).await.expect("the same again changes nothing");
    let found = live.rows(&["p1", "p2", "p3", "nobody"]).await.expect("read");
    assert_eq!(found, [rows("p1", "population", "r1"), rows("p2", "population", "r2 anew"), rows("p3", "population", "r3")]);
    let found_in = found;
    let found = live.mentions("births", &["p3", "p1"]).await.expect("read");
    assert_eq!(found, [mention("p3", "births", "p1"), mention("p3", "births", "p2")], "what is in both is there");
    let tied = [mention("p1", "identity_links", "p2"), mention("p3", "identity_links", "p9")];
    assert_eq!(live.linked().await.expect("read"), tied, "those of other registers are none");
    assert_eq!(live.standing(Person, &["p3", "p2", "p1"]).await, Ok(vec![standing(Person, "p1", "s1"), standing(Person, "p3", "s3")]));
    let now = live.state().await.expect("read").expect("a state");
    assert_eq!(live.stands(Person, "p3").await, Ok(Some((now.clone(), Some(standing(Person, "p3", "s3"))))));
    assert_eq!(live.stands(Person, "p2").await, Ok(Some((now.clone(), None))), "who is gone");
    assert_eq!(live.stands(Household, "p3").await, Ok(Some((now, None))), "kinds are apart");
    assert_eq!(live.standing(Household, &["p1", "p3"]).await, Ok(vec![standing(Household, "p1", "h")]), "kinds are apart");
    assert_eq!(live.standing_after(Person, None, 1).await, Ok(vec![standing(Person, "p1", "s1")]));
    assert_eq!(live.standing_after(Person, Some("p1"), 9).await, Ok(vec![standing(Person, "p3", "s3")]));
    assert_eq!(live.state().await, Ok(Some(state("2026-07-01", "policies 2"))));
    assert_eq!(live.rows(&[]).await, Ok(Vec::new()));
    assert_eq!(live.rows_in(&["population"], &["p3", "p1", "nobody"]).await, Ok(vec![found_in[0].clone(), found_in[2].clone()]));
    assert_eq!(live.rows_after(None, 9).await, Ok(found_in.clone()));
    assert_eq!(live.rows_after(None, 1).await, Ok(found_in[..1].to_vec()));
    assert_eq!(live.rows_after(Some(("p1", "population")), 9).await, Ok(found_in[1..].to_vec()));
    assert_eq!(live.rows_after(Some(("p1", "births")), 1).await, Ok(found_in[..1].to_vec()), "between two registers of one");
    assert_eq!(live.rows_after(Some(("p3", "population")), 9).await, Ok(Vec::new()));
    assert_eq!(live.rows_in(&["deaths"], &["p1"]).await, Ok(Vec::new()));
    assert_eq!(live.rows_in(&["deaths", "population"], &["p2", "p1"]).await, Ok(found_in[..2].to_vec()), "those of several registers");
    assert_eq!(live.rows_in(&["births", "deaths"], &["p2", "p1"]).await, Ok(Vec::new()));
    assert_eq!(live.mentions("births", &["p1", "p2", "p3", "p9"]).await, Ok(found));
    assert_eq!(live.mentions("deaths", &["p3", "p1"]).await, Ok(Vec::new()));
}

pub(super) async fn timers_by_day(place: &Place) {
    let live = live(place).await;
    let fence = filled(&*live).await;
    let set = |kind, id: &str, on: Option<&str>| TimerStep { kind, id: id.to_owned(), set: on.map(|on| (day(on), on.as_bytes().to_vec())) };
    let timers = vec![
        set(Entity, "a", Some("2026-07-02")),
        set(Person, "z", Some("2026-07-02")),
        set(Person, "b", Some("2026-07-09")),
        set(Person, "b", Some("2026-07-02")),
        set(Household, "h", Some("2026-12-01")),
        set(Person, "none", None),
    ];
    live.commit(&Batch { fence: Some(fence.clone()), timers, ..Batch::default() }).await.expect("committed");
    let due = |on: &str, kind, id: &str| timer(on, kind, id, on);
    let all = live.due(day("2026-11-30"), None, 10).await.expect("read");
    let expected = [
        timer("2026-07-01", Person, "p1", "t1"),
        due("2026-07-02", Person, "b"),
        due("2026-07-02", Person, "z"),
        due("2026-07-02", Entity, "a"),
    ];
    assert_eq!(all, expected, "one timer a subject, by day, kind and identifier");
    let mut keys: Vec<TimerKey> = all.iter().map(|timer| timer.key.clone()).collect();
    assert!(keys.is_sorted());
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = live.due(day("2026-11-30"), after.as_ref(), 1).await.expect("read");
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        paged.extend(page);
    }
    assert_eq!(paged, all);
    let counts = live.due_counts(day("2026-12-01")).await.expect("read");
    assert_eq!(counts, [(day("2026-07-01"), 1), (day("2026-07-02"), 3), (day("2026-12-01"), 1)]);
    let touched = vec![(Person, "new".to_owned()), (Person, "b".to_owned()), (Entity, "a".to_owned())];
    let touches = Batch { fence: Some(fence.clone()), touched, ..Batch::default() };
    for _ in 0..2 {
        live.commit(&touches).await.expect("committed");
    }
    let next = |kind, id: &str| timer("2026-07-01", kind, id, "");
    let all = live.due(day("2026-11-30"), None, 10).await.expect("read");
    let expected = [
        next(Person, "b"),
        next(Person, "new"),
        timer("2026-07-01", Person, "p1", "t1"),
        next(Entity, "a"),
        due("2026-07-02", Person, "z"),
    ];
    assert_eq!(all, expected, "whoever was touched is due on the day after that of the state, and on no other");
    for (limit, behind) in (1..4).flat_map(|limit| (0..all.len()).map(move |behind| (limit, behind))) {
        let page = live.due(day("2026-11-30"), Some(&all[behind].key), limit).await.expect("read");
        assert_eq!(page, all[behind + 1..].iter().take(limit).cloned().collect::<Vec<_>>(), "{limit} behind {behind}");
    }
    assert_eq!(live.due(day("2026-06-30"), None, 10).await, Ok(Vec::new()));
    let counts = live.due_counts(day("2026-12-01")).await.expect("read");
    assert_eq!(counts, [(day("2026-07-01"), 4), (day("2026-07-02"), 1), (day("2026-12-01"), 1)]);
    let timers = vec![set(Person, "new", None), set(Person, "b", Some("2026-07-02")), set(Entity, "a", Some("2026-07-02"))];
    live.commit(&Batch { fence: Some(fence.clone()), timers, ..Batch::default() }).await.expect("committed");
    let gone = Batch { fence: Some(fence), timers: vec![set(Person, "z", None), set(Person, "p1", None)], ..Batch::default() };
    live.commit(&gone).await.expect("committed");
    keys.retain(|key| key.id != "z" && key.id != "p1");
    let left: Vec<TimerKey> = live.due(day("2026-11-30"), None, 10).await.expect("read").into_iter().map(|timer| timer.key).collect();
    assert_eq!(left, keys);
}

pub(super) async fn sources_are_where_they_are_taken_to_be(place: &Place) {
    let live = live(place).await;
    let fence = filled(&*live).await;
    let read = |steps: Vec<_>| Batch {
        fence: Some(fence.clone()),
        positions: steps,
        rows: vec![rows("p9", "population", "r9")],
        ..Batch::default()
    };
    for wrong in [step("file:a", Some(9), 20), step("file:a", None, 20), step("file:b", Some(10), 20)] {
        assert!(matches!(live.commit(&read(vec![wrong])).await, Err(StoreError::Fenced(_))));
    }
    let twice = read(vec![step("file:a", Some(10), 20), step("file:a", Some(20), 30)]);
    assert!(matches!(live.commit(&twice).await, Err(StoreError::Fenced(_))));
    assert_eq!(live.rows(&["p9"]).await, Ok(Vec::new()), "nothing of it is there");
    live.commit(&read(vec![step("file:a", Some(10), 20), step("file:b", None, 1)])).await.expect("committed");
    assert_eq!(live.positions().await, Ok(vec![position("file:a", 20), position("file:b", 1)]));
    assert!(matches!(live.commit(&read(vec![step("file:a", Some(10), 20)])).await, Err(StoreError::Fenced(_))), "applied once");
}

pub(super) async fn a_generation_is_seen_when_it_is_whole(place: &Place) {
    let (one, two) = (live(place).await, live(place).await);
    let fence = filled(&*one).await;
    settled(&*one).await;
    let touched = vec![(Person, "p1".to_owned())];
    one.commit(&Batch { fence: Some(fence.clone()), touched, ..Batch::default() }).await.expect("committed");
    let before = one.generation().await.expect("read");
    assert!(before.is_some());
    let mut fill = again(&*one).await;
    fill.rows(vec![rows("p1", "population", "new"), rows("p5", "population", "new")]).await.expect("rows");
    assert_eq!(two.generation().await, Ok(before), "one that is filled is not the current one");
    assert_eq!(two.fill().await.err(), Some(StoreError::Busy(Held::Fill)), "one fills at a time");
    let batch = Batch { fence: Some(fence.clone()), rows: vec![rows("p1", "population", "changed")], ..Batch::default() };
    two.commit(&batch).await.expect("the old one goes on");
    assert_eq!(two.rows(&["p1", "p5"]).await.expect("read")[1..], [rows("p1", "population", "changed")]);
    drop(fill);
    assert_eq!(two.rows(&["p5"]).await, Ok(Vec::new()));
    let mut fill = again(&*two).await;
    let many: Vec<_> = (0..40_000).map(|at| rows(&format!("q{at:05}"), "population", "new")).collect();
    fill.rows(many).await.expect("more than are written together");
    fill.standing(vec![standing(Person, "q00001", "new")]).await.expect("standing");
    assert_eq!(one.rows(&["q00001"]).await, Ok(Vec::new()), "not before it is whole");
    // Whatever somebody asks for that no database holds is nobody.
    assert_eq!(one.rows(&["p1\0", "\0"]).await, Ok(Vec::new()));
    assert_eq!(one.rows_in(&["population"], &["p1\0"]).await, Ok(Vec::new()));
    assert_eq!(one.mentions("population", &["p1\0"]).await, Ok(Vec::new()));
    assert_eq!(one.standing(Person, &["p1\0"]).await, Ok(Vec::new()));
    assert_eq!(one.stands(Person, "p1\0").await.expect("read").and_then(|(_, stands)| stands), None);
    assert_eq!(one.cases_named(&["p1\0"]).await, Ok(Vec::new()));
    assert_eq!(one.cases_about(&["p1\0"]).await, Ok(Vec::new()));
    fill.finish(state("2026-07-05", "policies 3"), vec![position("file:c", 7)]).await.expect("finished");
    assert_eq!(one.state().await, Ok(Some(state("2026-07-05", "policies 3"))));
    assert_eq!(one.positions().await, Ok(vec![position("file:c", 7)]), "positions come with it");
    assert_eq!(one.rows(&["p1", "q00001", "q39999"]).await.expect("read").len(), 2, "nothing of the one before");
    assert_eq!(one.standing_after(Person, None, 10).await, Ok(vec![standing(Person, "q00001", "new")]));
    assert_eq!(one.due_counts(day("2099-01-01")).await, Ok(Vec::new()));
    let after = two.generation().await.expect("read");
    assert!(after.is_some() && after != before);
    let batch = Batch { fence: Some(fence), rows: vec![rows("q00001", "population", "changed")], ..Batch::default() };
    let late = one.commit(&Batch { generation: before, ..batch.clone() }).await;
    assert!(matches!(late, Err(StoreError::Fenced(_))), "what is about the one before is refused: {late:?}");
    one.commit(&Batch { generation: after, ..batch }).await.expect("the lease goes on");
    assert_eq!(two.rows(&["q00001"]).await, Ok(vec![rows("q00001", "population", "changed")]));
}

/// A filling as soon as nobody else fills or removes what is old.
/// The version before knew nobody who was touched: whoever was stood among the timers.
pub(super) async fn a_store_of_before_is_brought_up(place: &Place) {
    let one = live(place).await;
    let fence = filled(&*one).await;
    settled(&*one).await;
    drop(one);
    let version = if place.address.starts_with("sqlite:") { "PRAGMA user_version = 1" } else { "UPDATE version SET version = 2" };
    place.tamper_live(&format!("DROP TABLE touched; DROP INDEX mention_identity; {version}")).await;
    let live = live(place).await;
    assert_eq!(live.due(day("2026-07-01"), None, 10).await, Ok(vec![timer("2026-07-01", Person, "p1", "t1")]));
    let touched = vec![(Person, "p2".to_owned())];
    live.commit(&Batch { fence: Some(fence), touched, ..Batch::default() }).await.expect("committed");
    assert_eq!(live.due_counts(day("2026-07-01")).await, Ok(vec![(day("2026-07-01"), 2)]));
    assert_eq!(live.linked().await, Ok(Vec::new()));
}

async fn again(live: &dyn Live) -> Box<dyn mianshen::store::live::LiveFill> {
    for _ in 0..600 {
        match live.fill().await {
            Err(StoreError::Busy(Held::Fill)) => tokio::time::sleep(Duration::from_millis(50)).await,
            other => return other.expect("a filling"),
        }
    }
    panic!("somebody fills for ever");
}

/// Waits until what is old was removed.
async fn settled(live: &dyn Live) {
    drop(again(live).await);
}

pub(super) async fn old_generations_go(place: &Place) {
    let live = live(place).await;
    for marker in 0..4 {
        let mut fill = again(&*live).await;
        let body = marker.to_string();
        fill.rows((0..5_000).map(|at| rows(&format!("p{at}"), "population", &body)).collect()).await.expect("rows");
        fill.mentions((0..5_000).map(|at| mention(&format!("p{at}"), "births", "x")).collect()).await.expect("mentions");
        fill.standing((0..5_000).map(|at| standing(Household, &format!("p{at}"), &body)).collect()).await.expect("standing");
        fill.timers((0..5_000).map(|at| timer("2026-09-01", Entity, &format!("p{at}"), &body)).collect()).await.expect("timers");
        if marker == 3 {
            break;
        }
        fill.finish(state("2026-07-05", &body), Vec::new()).await.expect("finished");
    }
    settled(&*live).await;
    let generations = place.count_live("SELECT count(*) FROM generation").await;
    assert!(generations <= 2, "the current one, and one that begins: {generations}");
    for table in ["register_row", "mention", "standing", "timer"] {
        assert_eq!(place.count_live(&format!("SELECT count(*) FROM {table}")).await, 5_000, "{table}");
    }
    assert_eq!(live.rows(&["p7"]).await, Ok(vec![rows("p7", "population", "2")]));
}

pub(super) async fn readers_see_whole_commits(place: &Place) {
    let (writing, reading) = (live(place).await, live(place).await);
    let fence = filled(&*writing).await;
    let ended = Arc::new(AtomicBool::new(false));
    let ids: Vec<String> = (0..50).map(|at| format!("r{at:02}")).collect();
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (live, ended, ids) = (Arc::clone(&reading), Arc::clone(&ended), ids.clone());
            tokio::spawn(async move {
                let names: Vec<&str> = ids.iter().map(String::as_str).collect();
                let mut seen = 0;
                while !ended.load(Ordering::Relaxed) {
                    let found = live.rows(&names).await.expect("read");
                    let bodies: std::collections::BTreeSet<_> = found.iter().map(|rows| rows.body.clone()).collect();
                    assert!(bodies.len() <= 1 && (found.is_empty() || found.len() == 50), "{} rows, {} bodies", found.len(), bodies.len());
                    seen += found.len();
                }
                seen
            })
        })
        .collect();
    for turn in 0..60 {
        let body = turn.to_string();
        if turn % 20 == 19 {
            let mut fill = again(&*writing).await;
            fill.rows(ids.iter().map(|id| rows(id, "population", &body)).collect()).await.expect("rows");
            let state = LiveState { as_of: day("2026-07-05"), body: body.into_bytes() };
            fill.finish(state, Vec::new()).await.expect("finished");
        } else {
            let rows = ids.iter().map(|id| rows(id, "population", &body)).collect();
            writing.commit(&Batch { fence: Some(fence.clone()), rows, ..Batch::default() }).await.expect("committed");
        }
    }
    ended.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.expect("a reader") > 0);
    }
}
