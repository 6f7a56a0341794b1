//! The access trail: chained, found by subject, erased in due form; and whatever is done behind its back is found.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use mianshen::register::declaration::SubjectKind;
use mianshen::store::Store;
use mianshen::store::trail::{Action, Content, Erasure, Fault, Head, Selection, Seq, Subject, Trail, Verified, verify};

use super::Place;

fn about(id: &str) -> Subject {
    Subject { kind: "person".to_owned(), id: id.to_owned() }
}

pub(super) fn entry(who: &str, id: &str) -> Content {
    Content {
        who: who.to_owned(),
        role: "handler".to_owned(),
        caller: "k1".to_owned(),
        purpose: "review".to_owned(),
        action: Action::ReadServices,
        subject: Some(about(id)),
        items: vec!["990100-MZ-0007".to_owned()],
        note: String::new(),
    }
}

async fn fill(store: &dyn Store, entries: i64) {
    for at in 0..entries {
        store.trail_append(1_000 + at, &[entry("张三", &format!("p{}", at % 3))]).await.expect("appended");
    }
}

async fn verified(store: &dyn Store, heads: &[Head]) -> Verified {
    let heads: Vec<(Seq, Option<Head>)> = heads.iter().map(|head| (head.seq, Some(*head))).collect();
    verify(store, &heads).await.expect("the trail is read")
}

#[track_caller]
fn whole(verified: &Verified, records: u64) {
    assert_eq!((verified.faults.as_slice(), verified.records), (&[][..], records));
}

pub(super) async fn entries_are_chained_and_found(place: &Place) {
    let store = place.store().await;
    whole(&verified(&*store, &[]).await, 0);
    assert_eq!(store.trail_append(50, &[entry("张三", "p1"), entry("李四", "p2")]).await, Ok(1));
    assert_eq!(store.trail_append(40, &[entry("王五", "p1")]).await, Ok(3), "a clock that runs back changes no order");
    let head = store.trail_head().await.expect("read").expect("a head");
    assert_eq!((head.seq, head.at), (3, 50));
    whole(&verified(&*store, &[head]).await, 3);
    let found = store.trail_about(SubjectKind::Person, "p1", None, 10).await.expect("read");
    let who = |records: &[mianshen::store::trail::Record]| {
        records.iter().map(|record| (record.seq, record.said().expect("said").who)).collect::<Vec<_>>()
    };
    assert_eq!(who(&found), [(3, "王五".to_owned()), (1, "张三".to_owned())]);
    let older = store.trail_about(SubjectKind::Person, "p1", Some(3), 10).await.expect("read");
    assert_eq!(who(&older), [(1, "张三".to_owned())]);
    assert_eq!(store.trail_about(SubjectKind::Entity, "p1", None, 10).await, Ok(Vec::new()));
    assert_eq!(store.trail_append(60, &[]).await, Ok(4), "nothing is nothing");
    whole(&verified(&*store, &[]).await, 3);
    // Whatever somebody asked for is written down, together with what others asked for.
    assert_eq!(store.trail_append(70, &[entry("赵六", "p\0"), entry("张三", "p3")]).await, Ok(4));
    let odd = store.trail_about(SubjectKind::Person, "p\0", None, 10).await.expect("read");
    assert_eq!(odd[0].said().expect("said").subject, Some(about("p\0")));
    whole(&verified(&*store, &[]).await, 5);
    let salts: std::collections::BTreeSet<[u8; 16]> =
        store.trail_records(1, 10).await.expect("read").into_iter().filter_map(|record| Some(record.content?.salt)).collect();
    assert_eq!(salts.len(), 5, "every content has a salt of its own");
}

/// A clock that each look moves on.
fn clock() -> i64 {
    static TICKS: AtomicI64 = AtomicI64::new(1_000_000);
    TICKS.fetch_add(1, Ordering::Relaxed)
}

pub(super) async fn many_callers_one_chain(place: &Place) {
    // Two processes, each with its own writer.
    let stores: [Arc<dyn Store>; 2] = [place.store().await, place.store().await];
    let trails = stores.each_ref().map(|store| Trail::start(Arc::clone(store), clock));
    let callers: Vec<_> = (0..40)
        .map(|caller| {
            let trail = trails[caller % 2].clone();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for at in 0..25 {
                    numbers.push(trail.append(entry(&format!("{caller}-{at}"), "p1")).await.expect("appended"));
                }
                numbers
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for (caller, told) in callers.into_iter().enumerate() {
        let told = told.await.expect("a caller");
        assert!(told.is_sorted(), "a caller's entries are in its order");
        numbers.extend(told.into_iter().enumerate().map(|(at, seq)| (seq, format!("{caller}-{at}"))));
    }
    numbers.sort();
    assert!(numbers.iter().zip(1..).all(|((seq, _), expected)| *seq == expected), "numbers without gaps");
    let records = stores[0].trail_records(1, 2_000).await.expect("read");
    let said: Vec<(Seq, String)> = records.iter().map(|record| (record.seq, record.said().expect("said").who)).collect();
    assert_eq!(said, numbers, "every caller was told the number of its own entry");
    whole(&verified(&*stores[1], &[]).await, 1_000);
}

fn erasure(selection: Selection) -> Erasure {
    Erasure { selection, who: "赵六".to_owned(), reason: "个人信息保护法第四十七条".to_owned() }
}

pub(super) async fn erasing_keeps_the_chain(place: &Place) {
    let store = place.store().await;
    fill(&*store, 9).await;
    let before = store.trail_head().await.expect("read").expect("a head");
    assert_eq!(store.trail_erase(5_000, &erasure(Selection::About(about("p1")))).await, Ok(3));
    assert_eq!(store.trail_about(SubjectKind::Person, "p1", None, 10).await, Ok(Vec::new()));
    assert_eq!(store.trail_about(SubjectKind::Person, "p2", None, 10).await.expect("read").len(), 3);
    let after = verified(&*store, &[before]).await;
    whole(&after, 10);
    assert_eq!(after.erased, 3);
    let said = store.trail_records(10, 1).await.expect("read")[0].said().expect("who erased is told");
    assert_eq!((said.who.as_str(), said.action, said.items.as_slice()), ("赵六", Action::Erase, &["2", "5", "8"].map(String::from)[..]));
    assert_eq!(store.trail_erase(5_001, &erasure(Selection::About(about("p1")))).await, Ok(0), "once");
    assert_eq!(store.trail_head().await.expect("read").expect("a head").seq, 10, "nothing erased, nothing told");
    assert_eq!(store.trail_erase(5_002, &erasure(Selection::Entries(vec![1, 1, 10, 77]))).await, Ok(1), "what says so stays");
    assert_eq!(store.trail_erase(5_003, &erasure(Selection::Before(5_000))).await, Ok(5));
    let after = verified(&*store, &[]).await;
    whole(&after, 12);
    assert_eq!(after.erased, 9);
    for record in store.trail_records(1, 9).await.expect("read") {
        assert_eq!(record.content, None, "content and salt are gone");
    }
    place.tamper("DELETE FROM content WHERE seq = 10").await;
    let faults = verified(&*store, &[]).await.faults;
    assert_eq!(faults, [2, 5, 8, 10].map(Fault::ContentGone), "without its entry, an erasure is none");
}

pub(super) async fn edits_are_found(place: &Place) {
    let store = place.store().await;
    fill(&*store, 8).await;
    let found = async |sql: &str| {
        place.tamper(sql).await;
        verified(&*store, &[]).await.faults
    };
    whole(&verified(&*store, &[]).await, 8);
    place.tamper("UPDATE content SET text = (SELECT text FROM content WHERE seq = 1) WHERE seq = 2").await;
    assert_eq!(verified(&*store, &[]).await.faults, [Fault::ContentEdited(2)]);
    assert_eq!(
        found("UPDATE content SET salt = (SELECT salt FROM content WHERE seq = 4) WHERE seq = 3").await.last(),
        Some(&Fault::ContentEdited(3))
    );
    let faults = found("UPDATE record SET at = 999 WHERE seq = 5").await;
    assert!(faults.contains(&Fault::Edited(5)) && faults.contains(&Fault::TimeBack(5)), "{faults:?}");
    let faults = found("UPDATE record SET digest = (SELECT digest FROM record WHERE seq = 1) WHERE seq = 6").await;
    assert!(faults.contains(&Fault::Edited(6)) && faults.contains(&Fault::ContentEdited(6)), "{faults:?}");
    let faults = found("DELETE FROM content WHERE seq = 7").await;
    assert!(faults.contains(&Fault::ContentGone(7)), "{faults:?}");
    // Two records that change places.
    let swap =
        "UPDATE record SET seq = 100 WHERE seq = 7; UPDATE record SET seq = 7 WHERE seq = 8; UPDATE record SET seq = 8 WHERE seq = 100";
    let faults = found(swap).await;
    assert!(faults.contains(&Fault::Edited(7)) && faults.contains(&Fault::Edited(8)), "{faults:?}");
}

pub(super) async fn gaps_and_cut_tails_are_found(place: &Place) {
    let store = place.store().await;
    fill(&*store, 9).await;
    let head = store.trail_head().await.expect("read").expect("a head");
    place.tamper("DELETE FROM record WHERE seq > 7; DELETE FROM content WHERE seq > 7").await;
    whole(&verified(&*store, &[]).await, 7);
    assert_eq!(verified(&*store, &[head]).await.faults, [Fault::TailCut(9)], "only the head that was kept elsewhere tells");
    place.tamper("DELETE FROM record WHERE seq IN (1, 4, 5); DELETE FROM content WHERE seq IN (1, 4, 5)").await;
    let faults = verified(&*store, &[]).await.faults;
    let expected = [Fault::Gap { from: 1, to: 2 }, Fault::Edited(2), Fault::Gap { from: 4, to: 6 }, Fault::Edited(6)];
    assert_eq!(faults, expected);
}

pub(super) async fn a_chain_written_anew_is_found(place: &Place) {
    let store = place.store().await;
    fill(&*store, 6).await;
    let head = store.trail_head().await.expect("read").expect("a head");
    place.tamper("DELETE FROM record; DELETE FROM content").await;
    // Whoever can write the store can make a chain that is whole in itself.
    for at in 0..7 {
        store.trail_append(1_000 + at, &[entry("张三", "nobody")]).await.expect("appended");
    }
    whole(&verified(&*store, &[]).await, 7);
    assert_eq!(verified(&*store, &[head]).await.faults, [Fault::HeadDiffers(6)]);
}
