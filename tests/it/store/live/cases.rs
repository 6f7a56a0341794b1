//! Cases and their events: moved on by one at a time, found, chained, erasable; what is done behind their back is found.

use std::sync::Arc;

use mianshen::register::declaration::SubjectKind::{Entity, Person};
use mianshen::store::StoreError;
use mianshen::store::live::{
    Batch, CaseCount, CaseFault, CaseFilter, CasePages, CaseRow, CaseStep, DeliveryStep, Live, MessageState, NewMessage, VerifiedEvents,
    verify_events,
};
use mianshen::store::trail::{Fault, Head};

use super::{Place, batch_of, case_row, case_step, day, filled, live, message, rows, step};

async fn verified(live: &dyn Live, heads: &[Head]) -> VerifiedEvents {
    let heads: Vec<_> = heads.iter().map(|head| (head.seq, Some(*head))).collect();
    verify_events(live, &heads).await.expect("events are read")
}

pub(super) async fn cases_move_on(place: &Place) {
    let live = live(place).await;
    let done = live.commit(&batch_of(vec![case_step("c2", "found", 0, &["found"]), case_step("c1", "found", 0, &["found", "told"])])).await;
    let head = done.expect("committed").head.expect("a head");
    assert_eq!((head.seq, head.at), (3, 5_000));
    let one = live.case("c1").await.expect("read").expect("a case");
    assert_eq!((one.version, one.at, one.step.as_str()), (2, 5_000, "found"));
    for (id, expect) in [("c1", 0), ("c1", 1), ("c1", 3), ("c9", 1)] {
        let raced = live.commit(&batch_of(vec![case_step(id, "paid", expect, &["x"])])).await;
        assert_eq!(raced.err(), Some(StoreError::Raced(id.to_owned())), "{id} at {expect}");
    }
    let twice = batch_of(vec![case_step("c1", "a", 2, &["x"]), case_step("c1", "b", 2, &["y"])]);
    assert_eq!(live.commit(&twice).await.err(), Some(StoreError::Raced("c1".to_owned())));
    assert!(matches!(live.commit(&batch_of(vec![case_step("c1", "a", 2, &[])])).await, Err(StoreError::Failed(_))));
    let mut row = case_row("c1", "paid");
    (row.version, row.at, row.due, row.in_review) = (77, 77, Some(day("2026-08-01")), true);
    let moved =
        Batch { at: 4_000, cases: vec![CaseStep { row: row.clone(), expect: 2, events: vec![b"paid".to_vec()] }], ..Batch::default() };
    assert_eq!(live.commit(&moved).await.expect("committed").head.expect("a head").at, 5_000, "time never runs back");
    (row.version, row.at) = (3, 5_000);
    assert_eq!(live.case("c1").await, Ok(Some(row.clone())), "version and time are the store's");
    let events = live.case_events("c1").await.expect("read");
    let said: Vec<_> = events.iter().map(|event| (event.seq, event.version, event.content.clone().expect("there").1)).collect();
    assert_eq!(said, [(2, 1, b"found".to_vec()), (3, 2, b"told".to_vec()), (4, 3, b"paid".to_vec())]);
    assert_eq!(live.events_from(2, 2).await.expect("read"), events[..2]);
    assert_eq!(live.events_from(5, 2).await, Ok(Vec::new()));
    assert_eq!(live.events_head().await.expect("read"), Some(events[2].head()));
    let named = live.cases_named(&["c2", "none", "c1", "c2"]).await.expect("read");
    assert_eq!(named.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["c1", "c2"]);
    let after = verified(&*live, &[head]).await;
    assert!(after.is_whole() && (after.chain.records, after.cases, after.chain.heads) == (4, 2, 1), "{after:?}");
    let salts: std::collections::BTreeSet<[u8; 16]> =
        live.events_from(1, 10).await.expect("read").into_iter().filter_map(|event| Some(event.content?.0)).collect();
    assert_eq!(salts.len(), 4, "every content has a salt of its own");
}

pub(super) async fn cases_are_found(place: &Place) {
    let live = live(place).await;
    let mut cases = Vec::new();
    for at in 0..12_u32 {
        let mut row = case_row(&format!("c{at:02}"), if at % 3 == 0 { "found" } else { "told" });
        row.policy = format!("P{}", at % 2);
        ["990101", "990102", "990201", ""][at as usize % 4].clone_into(&mut row.region);
        row.department = format!("D{}", at % 3);
        row.in_review = at % 4 == 1;
        row.due = (at % 5 != 0).then(|| day(&format!("2026-08-{:02}", 28 - at)));
        (row.kind, row.subject) = if at == 7 { (Entity, "e".to_owned()) } else { (Person, format!("p{}", at % 2)) };
        cases.push(CaseStep { row, expect: 0, events: vec![vec![]] });
    }
    live.commit(&batch_of(cases.clone())).await.expect("committed");
    let all = CaseFilter { limit: 100, ..CaseFilter::default() };
    let check = async |filter: CaseFilter, expected: &dyn Fn(&CaseRow) -> bool| {
        let found: Vec<String> = live.cases(&filter).await.expect("read").into_iter().map(|row| row.id).collect();
        let expected: Vec<String> = cases.iter().filter(|step| expected(&step.row)).map(|step| step.row.id.clone()).collect();
        assert!(!expected.is_empty(), "{filter:?}");
        assert_eq!(found, expected, "{filter:?}");
    };
    check(all.clone(), &|_| true).await;
    check(CaseFilter { policy: Some("P1".to_owned()), ..all.clone() }, &|row| row.policy == "P1").await;
    check(CaseFilter { steps: vec!["found".to_owned()], ..all.clone() }, &|row| row.step == "found").await;
    check(CaseFilter { steps: vec!["told".to_owned(), "found".to_owned()], ..all.clone() }, &|_| true).await;
    check(CaseFilter { department: Some("D2".to_owned()), ..all.clone() }, &|row| row.department == "D2").await;
    check(CaseFilter { region: Some("9901".to_owned()), ..all.clone() }, &|row| row.region.starts_with("9901")).await;
    check(CaseFilter { region: Some(String::new()), ..all.clone() }, &|_| true).await;
    check(CaseFilter { subjects: vec![(Person, "p1".to_owned())], ..all.clone() }, &|row| row.subject == "p1").await;
    check(CaseFilter { subjects: vec![(Entity, "e".to_owned())], ..all.clone() }, &|row| row.subject == "e").await;
    let about = live.cases_about(&["p1", "e", "nobody"]).await.expect("read");
    let mut expected: Vec<CaseRow> =
        live.cases(&all).await.expect("read").into_iter().filter(|row| row.subject == "p1" || row.subject == "e").collect();
    expected.sort_by(|one, other| (&one.subject, one.kind, &one.id).cmp(&(&other.subject, other.kind, &other.id)));
    assert!(about.iter().any(|row| row.subject == "p1") && about.iter().any(|row| row.subject == "e"));
    assert_eq!(about, expected);
    check(CaseFilter { in_review: Some(true), ..all.clone() }, &|row| row.in_review).await;
    check(CaseFilter { in_review: Some(false), ..all.clone() }, &|row| !row.in_review).await;
    let until = day("2026-08-20");
    check(CaseFilter { due_until: Some(until), ..all.clone() }, &|row| row.due.is_some_and(|due| due <= until)).await;
    let many = CaseFilter {
        policy: Some("P0".to_owned()),
        steps: vec!["told".to_owned()],
        region: Some("99".to_owned()),
        due_until: Some(day("2026-12-31")),
        ..all.clone()
    };
    check(many, &|row| row.policy == "P0" && row.step == "told" && row.region.starts_with("99") && row.due.is_some()).await;
    let nobody = CaseFilter { policy: Some("' OR 1 = 1 --".to_owned()), ..all.clone() };
    assert_eq!(live.cases(&nobody).await, Ok(Vec::new()));
    for by_due in [false, true] {
        // Pages that fill up, pages that do not, one page that is just full, and all on one.
        for limit in [5, 1, 12, 0] {
            let mut pages = CasePages::new(&*live, CaseFilter { by_due, limit, ..CaseFilter::default() });
            let mut paged = Vec::new();
            while let Some(page) = pages.next().await.expect("read") {
                assert!(!page.is_empty() && (limit == 0 || page.len() <= limit));
                paged.extend(page);
            }
            let key = |row: &mianshen::store::live::CaseRow| (by_due && row.due.is_none(), row.due.filter(|_| by_due), row.id.clone());
            assert_eq!(paged.len(), 12);
            assert!(paged.is_sorted_by_key(key), "by due: {by_due}");
            assert_eq!(pages.next().await, Ok(None), "the end stays the end");
        }
    }
    let counts = live.case_counts(Some("9901")).await.expect("read");
    let of = |policy: &str, step: &str, cases, in_review| CaseCount { policy: policy.to_owned(), step: step.to_owned(), cases, in_review };
    assert_eq!(counts, [of("P0", "found", 1, 0), of("P0", "told", 2, 0), of("P1", "found", 1, 1), of("P1", "told", 2, 2)]);
    let total: u64 = live.case_counts(None).await.expect("read").iter().map(|count| count.cases).sum();
    assert_eq!(total, 12, "also those whose region is not known");
}

pub(super) async fn a_batch_is_there_or_not(place: &Place) {
    let live = live(place).await;
    let fence = filled(&*live).await;
    let good = Batch {
        at: 6_000,
        fence: Some(fence),
        positions: vec![step("file:a", Some(10), 20)],
        rows: vec![rows("p1", "population", "new")],
        cases: vec![case_step("c1", "found", 0, &["found"])],
        messages: vec![message("m1", "p1", 0)],
        ..Batch::default()
    };
    let mut bad = good.clone();
    // What fails is what is written last.
    let lost = DeliveryStep { id: "no such".to_owned(), state: MessageState::Sent, tries: 1, not_before: 0, told: String::new() };
    bad.deliveries.push(lost);
    let raced = Batch { cases: vec![case_step("c1", "found", 0, &["found"]), case_step("c9", "paid", 4, &["paid"])], ..good.clone() };
    for batch in [&bad, &raced] {
        assert!(live.commit(batch).await.is_err());
        assert_eq!(live.rows(&["p1"]).await.expect("read")[1], rows("p1", "population", "r1"));
        assert_eq!(live.positions().await.expect("read")[0].next, 10);
        assert_eq!(live.case("c1").await, Ok(None));
        assert_eq!(live.case_events("c1").await, Ok(Vec::new()));
        assert_eq!(live.events_head().await, Ok(None));
        assert_eq!(live.message("m1").await, Ok(None));
    }
    assert_eq!(live.commit(&good).await.expect("committed").head.expect("a head").seq, 1);
    assert_eq!(live.positions().await.expect("read")[0].next, 20);
    assert!(live.message("m1").await.expect("read").is_some());
}

pub(super) async fn two_processes_one_chain(place: &Place) {
    let stores: [Arc<dyn Live>; 2] = [live(place).await, live(place).await];
    let turns: Vec<_> = (0..8)
        .map(|caller| {
            let live = Arc::clone(&stores[caller % 2]);
            tokio::spawn(async move {
                let (mut won, mut lost) = (0, 0);
                while won < 10 {
                    let now = live.case("shared").await.expect("read").map_or(0, |row| row.version);
                    let own = case_step(&format!("own {caller} {won}"), "found", 0, &["own"]);
                    let batch = batch_of(vec![case_step("shared", "moved", now, &["one", "two"]), own]);
                    match live.commit(&batch).await {
                        Ok(_) => won += 1,
                        Err(StoreError::Raced(case)) => {
                            assert_eq!(case, "shared");
                            lost += 1;
                        }
                        Err(error) => panic!("{error:?}"),
                    }
                }
                lost
            })
        })
        .collect();
    let mut lost = 0;
    for turn in turns {
        lost += turn.await.expect("a caller");
    }
    let after = verified(&*stores[0], &[]).await;
    assert!(after.is_whole(), "{:?}", after.faults);
    assert_eq!((after.chain.records, after.cases), (80 * 3, 81), "every step once, {lost} times another was faster");
    assert_eq!(stores[1].case("shared").await.expect("read").expect("a case").version, 160);
}

pub(super) async fn erasing_keeps_the_chain(place: &Place) {
    let live = live(place).await;
    live.commit(&batch_of(vec![case_step("c1", "found", 0, &["found", "told"]), case_step("c2", "found", 0, &["secret"])]))
        .await
        .expect("committed");
    let messages = ["sent", "dead", "waits"].map(|id| NewMessage { cases: vec!["c1".to_owned()], ..message(id, "p1", 0) });
    let told = |id: &str, state| DeliveryStep { id: id.to_owned(), state, tries: 1, not_before: 0, told: String::new() };
    let deliveries = vec![told("sent", MessageState::Sent), told("dead", MessageState::Dead)];
    live.commit(&Batch { messages: messages.clone().into(), deliveries, ..Batch::default() }).await.expect("committed");
    let head = live.events_head().await.expect("read").expect("a head");
    let row = live.case("c1").await.expect("read").expect("a case");
    let kept = CaseRow { subject: String::new(), region: String::new(), body: b"kept".to_vec(), ..row.clone() };
    let stale = CaseRow { version: 1, ..kept.clone() };
    assert_eq!(live.erase_case(&stale).await, Err(StoreError::Raced("c1".to_owned())), "another moved it on");
    assert!(live.case_events("c1").await.expect("read").iter().all(|event| event.content.is_some()), "nothing is half done");
    assert_eq!(live.erase_case(&kept).await, Ok(2));
    assert_eq!(live.case("c1").await, Ok(Some(kept.clone())));
    assert_eq!(live.cases_about(&[&row.subject]).await.expect("read").iter().filter(|found| found.id == "c1").count(), 0);
    let of_case = live.messages_of("c1").await.expect("read");
    let left = of_case.iter().map(|row| (row.message.id.as_str(), row.state, row.message.body.is_empty(), row.message.subject.is_empty()));
    let expected = [
        ("sent", MessageState::Sent, true, true),
        ("dead", MessageState::Dropped, true, true),
        ("waits", MessageState::Waiting, false, false),
    ];
    assert_eq!(left.collect::<Vec<_>>(), expected, "what waits is still to be sent");
    assert_eq!(live.erase_case(&kept).await, Ok(0), "once");
    assert_eq!(live.erase_case(&CaseRow { id: "none".to_owned(), ..kept.clone() }).await, Err(StoreError::Raced("none".to_owned())));
    assert!(live.case_events("c1").await.expect("read").iter().all(|event| event.content.is_none()));
    live.commit(&batch_of(vec![case_step("c1", "paid", 2, &["paid"])])).await.expect("a case goes on");
    let after = verified(&*live, &[head]).await;
    assert!(after.is_whole() && (after.chain.records, after.chain.erased) == (4, 2), "{after:?}");
    assert_eq!(live.erase_case(&CaseRow { version: 3, ..kept }).await, Ok(1));
    assert!(verified(&*live, &[head]).await.is_whole());
}

pub(super) async fn edits_are_found(place: &Place) {
    let live = live(place).await;
    for at in 0..3 {
        let steps = ["c1", "c2", "c3"].map(|case| case_step(case, "on", at, &[&format!("{case} {at}")]));
        live.commit(&Batch { at: 1_000 + at.cast_signed(), cases: steps.into(), ..Batch::default() }).await.expect("committed");
    }
    assert!(verified(&*live, &[]).await.is_whole());
    let found = async |sql: &str| {
        place.tamper_live(sql).await;
        let after = verified(&*live, &[]).await;
        (after.chain.faults, after.faults)
    };
    let (chain, _) = found("UPDATE case_content SET body = (SELECT body FROM case_content WHERE seq = 1) WHERE seq = 2").await;
    assert_eq!(chain, [Fault::ContentEdited(2)]);
    // The same content under another case is another content.
    let (chain, cases) = found("UPDATE case_event SET case_id = 'c3' WHERE seq = 4").await;
    assert!(chain.contains(&Fault::ContentEdited(4)) && !cases.is_empty(), "{chain:?} {cases:?}");
    let (chain, _) = found("UPDATE case_event SET at = 1 WHERE seq = 5").await;
    assert!(chain.contains(&Fault::Edited(5)) && chain.contains(&Fault::TimeBack(5)), "{chain:?}");
    let (chain, _) = found("DELETE FROM case_content WHERE seq = 9").await;
    assert!(chain.contains(&Fault::ContentGone(9)), "a content in the middle of a case: {chain:?}");
    let (_, cases) = found("UPDATE case_row SET version = 9 WHERE id = 'c2'").await;
    assert!(cases.contains(&CaseFault::Differs("c2".to_owned())), "{cases:?}");
    let (chain, cases) = found("DELETE FROM case_event WHERE seq = 5; DELETE FROM case_content WHERE seq = 5").await;
    assert!(chain.contains(&Fault::Gap { from: 5, to: 6 }), "{chain:?}");
    assert!(cases.contains(&CaseFault::Version { case: "c2".to_owned(), seq: 8 }), "{cases:?}");
    let (_, cases) = found("DELETE FROM case_row WHERE id = 'c1'").await;
    assert!(cases.contains(&CaseFault::Differs("c1".to_owned())), "{cases:?}");
}

pub(super) async fn a_cut_tail_is_found(place: &Place) {
    let live = live(place).await;
    live.commit(&batch_of(vec![case_step("c1", "found", 0, &["a", "b", "c"])])).await.expect("committed");
    let head = live.events_head().await.expect("read").expect("a head");
    let cut = "DELETE FROM case_event WHERE seq = 3; DELETE FROM case_content WHERE seq = 3; UPDATE case_row SET version = 2";
    place.tamper_live(cut).await;
    assert!(verified(&*live, &[]).await.is_whole(), "whoever can write the store can cut its tail");
    assert_eq!(verified(&*live, &[head]).await.chain.faults, [Fault::TailCut(3)]);
    live.commit(&batch_of(vec![case_step("c1", "found", 2, &["other"])])).await.expect("committed");
    assert!(verified(&*live, &[]).await.is_whole());
    assert_eq!(verified(&*live, &[head]).await.chain.faults, [Fault::HeadDiffers(3)]);
}
