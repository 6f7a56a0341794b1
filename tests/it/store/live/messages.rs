//! Messages: asked for once, sent in order, counted.

use mianshen::register::declaration::SubjectKind::Household;
use mianshen::store::live::{Batch, DeliveryStep, Live, MessageCount, MessageState, NewMessage};

use super::{Place, live, message};

fn delivery(id: &str, state: MessageState, tries: u32, not_before: i64) -> DeliveryStep {
    DeliveryStep { id: id.to_owned(), state, tries, not_before, told: format!("try {tries}") }
}

async fn ask(live: &dyn Live, messages: Vec<NewMessage>) -> u64 {
    live.commit(&Batch { at: 100, messages, ..Batch::default() }).await.expect("committed").folded
}

async fn tell(live: &dyn Live, at: i64, steps: Vec<DeliveryStep>) {
    live.commit(&Batch { at, deliveries: steps, ..Batch::default() }).await.expect("committed");
}

async fn outbox(live: &dyn Live, now: i64) -> Vec<String> {
    live.outbox("webhook", now, 100).await.expect("read").into_iter().map(|row| row.message.id).collect()
}

pub(super) async fn folded_and_in_order(place: &Place) {
    let live = live(place).await;
    let first = vec![message("m1", "p1", 10), message("m2", "p2", 0), message("m3", "p1", 0), message("m1", "p1", 99)];
    assert_eq!(ask(&*live, first).await, 1, "twice in a batch");
    let other = NewMessage { kind: Household, ..message("m4", "p1", 0) };
    let elsewhere = NewMessage { channel: "file".to_owned(), ..message("m5", "p1", 0) };
    assert_eq!(ask(&*live, vec![message("m2", "p2", 5), other, elsewhere]).await, 1, "asked for before");
    let row = live.message("m1").await.expect("read").expect("a message");
    assert_eq!((row.number, row.at, row.state, row.tries, row.told.as_str()), (1, 100, MessageState::Waiting, 0, ""));
    assert_eq!(row.message, message("m1", "p1", 10), "the first stays, with its cases in their order");
    assert_eq!(outbox(&*live, 9).await, ["m2", "m4"], "m3 waits behind m1, whose time has not come");
    assert_eq!(outbox(&*live, 10).await, ["m2", "m4", "m1"], "one of each subject");
    assert_eq!(live.outbox("webhook", 10, 2).await.expect("read").len(), 2);
    assert_eq!(live.outbox("file", 10, 9).await.expect("read")[0].message.id, "m5", "channels do not wait for each other");
    // m1 fails and is to be tried later: m3 still waits behind it.
    tell(&*live, 200, vec![delivery("m1", MessageState::Waiting, 1, 500), delivery("m2", MessageState::Sent, 1, 0)]).await;
    assert_eq!(outbox(&*live, 499).await, ["m4"]);
    assert_eq!(outbox(&*live, 500).await, ["m4", "m1"]);
    let row = live.message("m1").await.expect("read").expect("a message");
    assert_eq!((row.tries, row.told.as_str(), row.changed_at, row.message.not_before), (1, "try 1", 100, 500), "its state did not change");
    tell(&*live, 600, vec![delivery("m1", MessageState::Dead, 9, 0)]).await;
    assert_eq!(outbox(&*live, 500).await, ["m3", "m4"]);
    assert_eq!(live.message("m1").await.expect("read").expect("a message").changed_at, 600);
    // It is to be tried again after all: it comes before m3, for it is older.
    tell(&*live, 700, vec![delivery("m1", MessageState::Waiting, 0, 0)]).await;
    assert_eq!(outbox(&*live, 500).await, ["m1", "m4"]);
    tell(&*live, 800, vec![delivery("m1", MessageState::Sent, 1, 0), delivery("m3", MessageState::Dropped, 0, 0)]).await;
    assert_eq!(outbox(&*live, i64::MAX).await, ["m4"]);
    assert_eq!(ask(&*live, vec![message("m6", "p1", 0), message("m7", "p1", 0)]).await, 0);
    assert_eq!(outbox(&*live, i64::MAX).await, ["m4", "m6"]);
    // Asked for and told in one batch.
    let batch =
        Batch { messages: vec![message("m8", "p8", 0)], deliveries: vec![delivery("m8", MessageState::Sent, 1, 0)], ..Batch::default() };
    live.commit(&batch).await.expect("committed");
    assert_eq!(live.message("m8").await.expect("read").expect("a message").state, MessageState::Sent);
    assert_eq!(outbox(&*live, i64::MAX).await, ["m4", "m6"]);
}

pub(super) async fn counted_and_listed(place: &Place) {
    let live = live(place).await;
    let many: Vec<NewMessage> = (0..20)
        .map(|at| NewMessage { cases: vec![format!("c{}", at % 2)], ..message(&format!("m{at:02}"), &format!("p{at}"), 0) })
        .collect();
    ask(&*live, many).await;
    ask(&*live, vec![NewMessage { channel: "file".to_owned(), cases: Vec::new(), ..message("f", "p1", 0) }]).await;
    tell(&*live, 300, (0..5).map(|at| delivery(&format!("m{at:02}"), MessageState::Sent, 1, 0)).collect()).await;
    tell(&*live, 301, vec![delivery("m07", MessageState::Dead, 9, 0)]).await;
    let count = |channel: &str, state, messages| MessageCount { channel: channel.to_owned(), state, messages };
    let expected = [
        count("file", MessageState::Waiting, 1),
        count("webhook", MessageState::Waiting, 14),
        count("webhook", MessageState::Sent, 5),
        count("webhook", MessageState::Dead, 1),
    ];
    assert_eq!(live.message_counts().await.expect("read"), expected);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = live.messages_in(MessageState::Sent, after, 2).await.expect("read");
        let Some(last) = page.last() else { break };
        after = Some(last.number);
        found.extend(page.into_iter().map(|row| row.message.id));
    }
    assert_eq!(found, ["m00", "m01", "m02", "m03", "m04"]);
    let of_case = live.messages_of("c1").await.expect("read");
    assert_eq!(of_case.len(), 10);
    assert!(of_case.is_sorted_by_key(|row| row.number) && of_case.iter().all(|row| row.message.cases == ["c1"]));
    assert_eq!(live.messages_of("none").await, Ok(Vec::new()));
}
