//! The live part of a store: one suite on SQLite files and on a PostgreSQL server that the test starts.

mod cases;
mod generations;
mod kills;
mod messages;

use std::sync::Arc;

use chrono::NaiveDate;
use mianshen::register::declaration::SubjectKind::{self, Person};
use mianshen::store::live::{
    Batch, CaseRow, CaseStep, Fence, Live, LiveState, Mention, NewMessage, Position, PositionStep, RowsOf, Standing, Timer, TimerKey,
};
use mianshen::store::{Address, StoreError};

use super::postgres::Server;
use super::{Place, Test, runtime};

/// Everything that the live part must do, whatever it is made of.
const SUITE: [(&str, Test); 18] = [
    ("nothing is there before the first filling", |place| Box::pin(generations::nothing_is_there_at_first(place))),
    ("one holds the lease", |place| Box::pin(generations::one_holds_the_lease(place))),
    ("what is committed is read", |place| Box::pin(generations::what_is_committed_is_read(place))),
    ("timers by day", |place| Box::pin(generations::timers_by_day(place))),
    ("sources are where they are taken to be", |place| Box::pin(generations::sources_are_where_they_are_taken_to_be(place))),
    ("a generation is seen when it is whole", |place| Box::pin(generations::a_generation_is_seen_when_it_is_whole(place))),
    ("a store of the version before is brought up", |place| Box::pin(generations::a_store_of_before_is_brought_up(place))),
    ("old generations go", |place| Box::pin(generations::old_generations_go(place))),
    ("readers see whole commits", |place| Box::pin(generations::readers_see_whole_commits(place))),
    ("cases move on", |place| Box::pin(cases::cases_move_on(place))),
    ("cases are found", |place| Box::pin(cases::cases_are_found(place))),
    ("a batch is there or not", |place| Box::pin(cases::a_batch_is_there_or_not(place))),
    ("two processes, one chain", |place| Box::pin(cases::two_processes_one_chain(place))),
    ("erasing keeps the chain", |place| Box::pin(cases::erasing_keeps_the_chain(place))),
    ("edits of events are found", |place| Box::pin(cases::edits_are_found(place))),
    ("a cut tail is found", |place| Box::pin(cases::a_cut_tail_is_found(place))),
    ("messages are folded and kept in order", |place| Box::pin(messages::folded_and_in_order(place))),
    ("messages are counted and listed", |place| Box::pin(messages::counted_and_listed(place))),
];

#[test]
fn the_live_suite_holds_on_sqlite() {
    for (name, test) in SUITE {
        eprintln!("sqlite: {name}");
        runtime().block_on(test(&Place::sqlite()));
    }
}

#[test]
fn the_live_suite_holds_on_postgresql() {
    let Some(server) = Server::start() else { return };
    for (at, (name, test)) in SUITE.into_iter().enumerate() {
        eprintln!("postgresql: {name}");
        runtime().block_on(async {
            let place = server.place(&format!("live{at}")).await;
            test(&place).await;
        });
    }
}

#[test]
fn a_newer_live_file_is_refused() {
    let place = Place::sqlite();
    runtime().block_on(async {
        drop(live(&place).await);
        place.tamper_live("PRAGMA user_version = 7").await;
        let store = Address::parse(&place.address).expect("an address").open().await.expect("the rest opens");
        assert_eq!(store.live().await.err(), Some(StoreError::Newer { found: 7, known: 2 }));
    });
}

#[test]
fn looking_makes_no_live_file() {
    let place = Place::sqlite();
    runtime().block_on(async {
        let store = place.store().await;
        assert!(store.live_if_there().await.expect("read").is_none());
        assert!(store.live_if_there().await.expect("read").is_none(), "still not");
        store.live().await.expect("made");
        assert!(store.live_if_there().await.expect("read").is_some());
    });
}

async fn live(place: &Place) -> Arc<dyn Live> {
    place.store().await.live().await.expect("a live part")
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn rows(id: &str, register: &str, body: &str) -> RowsOf {
    RowsOf { id: id.to_owned(), register: register.to_owned(), body: body.into() }
}

fn mention(id: &str, register: &str, owner: &str) -> Mention {
    Mention { id: id.to_owned(), register: register.to_owned(), owner: owner.to_owned() }
}

fn standing(kind: SubjectKind, id: &str, body: &str) -> Standing {
    Standing { kind, id: id.to_owned(), body: body.into() }
}

fn timer(on: &str, kind: SubjectKind, id: &str, body: &str) -> Timer {
    Timer { key: TimerKey { day: day(on), kind, id: id.to_owned() }, body: body.into() }
}

fn state(on: &str, body: &str) -> LiveState {
    LiveState { as_of: day(on), body: body.into() }
}

fn step(source: &str, from: Option<i64>, to: i64) -> PositionStep {
    PositionStep { source: source.to_owned(), partition: 0, from, to }
}

fn position(source: &str, next: i64) -> Position {
    Position { source: source.to_owned(), partition: 0, next }
}

/// A generation of two persons, and the lease.
pub(super) async fn filled(live: &dyn Live) -> Fence {
    let mut fill = live.fill().await.expect("a filling");
    fill.rows(vec![rows("p1", "births", "b1"), rows("p1", "population", "r1"), rows("p2", "population", "r2")]).await.expect("rows");
    fill.mentions(vec![mention("p1", "births", "p9")]).await.expect("mentions");
    fill.standing(vec![standing(Person, "p1", "s1"), standing(Person, "p2", "s2")]).await.expect("standing");
    fill.timers(vec![timer("2026-07-01", Person, "p1", "t1")]).await.expect("timers");
    fill.finish(state("2026-06-30", "policies 1"), vec![position("file:a", 10)]).await.expect("the current one");
    live.lease("stream 1", 1_000, 2_000).await.expect("the lease")
}

fn case_row(id: &str, step: &str) -> CaseRow {
    CaseRow {
        id: id.to_owned(),
        policy: "990100-MZ-0007".to_owned(),
        kind: Person,
        subject: "p1".to_owned(),
        region: "990101".to_owned(),
        department: "990100-MZ".to_owned(),
        period: "2026-06".to_owned(),
        step: step.to_owned(),
        in_review: false,
        due: None,
        version: 0,
        at: 0,
        body: b"case".to_vec(),
    }
}

pub(super) fn case_step(id: &str, step: &str, expect: u64, events: &[&str]) -> CaseStep {
    CaseStep { row: case_row(id, step), expect, events: events.iter().map(|event| event.as_bytes().to_vec()).collect() }
}

pub(super) fn batch_of(cases: Vec<CaseStep>) -> Batch {
    Batch { at: 5_000, cases, ..Batch::default() }
}

pub(super) fn message(id: &str, subject: &str, not_before: i64) -> NewMessage {
    NewMessage {
        id: id.to_owned(),
        channel: "webhook".to_owned(),
        kind: Person,
        subject: subject.to_owned(),
        cases: vec!["c2".to_owned(), "c1".to_owned()],
        not_before,
        body: id.into(),
    }
}
