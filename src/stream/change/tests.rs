//! Events as databases and people send them, and what becomes of them.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Date32Type, Decimal128Type};
use bytes::Bytes;

use super::*;
use crate::region::RegionTree;
use crate::register::declaration::Registers;
use crate::stream::order::{LogKind, LogPosition};

const ID: &str = "110105194912310038";

fn world() -> (Registers, RegionTree) {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let (registers, told) = crate::register::load(&policies);
    assert!(told.is_empty(), "{told:?}");
    (registers, crate::region::load(&policies).0)
}

fn decoder() -> Decoder {
    let (registers, regions) = world();
    let base64 = TopicRule { register: Some("bank_accounts".into()), ..TopicRule::default() };
    let topics = BTreeMap::from([
        ("bank.changes".to_owned(), base64),
        ("millis".to_owned(), TopicRule { register: Some("death".into()), dates: Encoding::Millis, ..TopicRule::default() }),
    ]);
    Decoder::new(&registers, None, &regions, topics)
}

fn raw(topic: Option<&str>, key: Option<&str>, payload: Option<&str>) -> RawEvent {
    RawEvent {
        origin: Origin { source: "file:test".into(), partition: 0, position: 7, next: 8 },
        topic: topic.map(Into::into),
        key: key.map(|key| Bytes::copy_from_slice(key.as_bytes())),
        payload: payload.map(|payload| Bytes::copy_from_slice(payload.as_bytes())),
        arrived: 1_000,
    }
}

fn decoded(topic: Option<&str>, payload: &str) -> Decoded {
    decoder().decode(vec![raw(topic, None, Some(payload))])
}

#[track_caller]
fn one(decoded: Decoded) -> Change {
    assert!(decoded.refused.is_empty(), "{:?}", decoded.refused);
    let [change] = <[Change; 1]>::try_from(decoded.changes).expect("one change");
    change
}

fn text(image: &Image, column: &str) -> Option<String> {
    let column = image.batch.column_by_name(column).expect("declared").as_string::<i32>();
    column.is_valid(image.row).then(|| column.value(image.row).to_owned())
}

fn day(image: &Image, column: &str) -> Option<String> {
    let column = image.batch.column_by_name(column).expect("declared").as_primitive::<Date32Type>();
    column.is_valid(image.row).then(|| column.value_as_date(image.row).expect("a day").to_string())
}

fn death(fields: &str) -> String {
    format!(r#"{{"person_id":"{ID}",{fields}}}"#)
}

#[track_caller]
fn refuses(decoded: &Decoded, field: &str, code: &str) {
    let told: Vec<(&str, &str)> = decoded.refused.iter().map(|refused| (&*refused.field, refused.cause.code())).collect();
    assert_eq!(told, [(field, code)]);
}

const DAYS: &str = r#""death_date":20600,"recorded_on":20610"#;

#[test]
fn debezium_of_postgresql() {
    let payload = format!(
        r#"{{"before":null,"after":{},"source":{{"connector":"postgresql","ts_ms":5,"table":"death","lsn":24023128,"snapshot":"false"}},"op":"c","ts_ms":9,"transaction":null}}"#,
        death(DAYS)
    );
    let change = one(decoded(Some("city.public.death"), &payload));
    assert_eq!((&*change.register, change.op), ("death", Op::Insert));
    let after = change.after.expect("a row");
    assert_eq!((text(&after, "person_id").as_deref(), day(&after, "death_date").as_deref()), (Some(ID), Some("2026-05-27")));
    assert!(after.whole && change.before.is_none());
    assert_eq!(change.order, Order::logged(LogPosition { kind: LogKind::PostgreSql, at: [24_023_128, 0, 0] }, 5_000, 7));
    // Without a topic, the table tells the register.
    assert_eq!(&*one(decoded(None, &payload)).register, "death");
}

#[test]
fn positions_of_other_logs() {
    let order = |source: &str| {
        let payload = format!(r#"{{"op":"r","after":{},"source":{source}}}"#, death(DAYS));
        one(decoded(Some("death"), &payload)).order
    };
    let logged = |kind, at, time| Order::logged(LogPosition { kind, at }, time, 7);
    let mysql = r#"{"connector":"mysql","ts_us":3,"gtid":null,"file":"binlog.000012","pos":154,"row":2}"#;
    assert_eq!(order(mysql), logged(LogKind::MySql, [12, 154, 2], 3));
    let sql_server = r#"{"change_lsn":"00000027:00000758:0003","commit_lsn":"00000027:00000758:0005","event_serial_no":"2"}"#;
    assert_eq!(order(sql_server), logged(LogKind::SqlServer, [0x27 << 32 | 0x758, 3, 2], 1_000));
    assert_eq!(order(r#"{"connector":"oracle","scn":"122134","ssn":1}"#), logged(LogKind::Oracle, [122_134, 1, 0], 1_000));
    assert_eq!(order(r#"{"connector":"mongodb","ts_ns":9000}"#), Order::timed(9, 7));
}

#[test]
fn with_the_schema_in_front() {
    let column = |name: &str, semantic: &str| format!(r#"{{"type":"int64","optional":false,"name":"{semantic}","field":"{name}"}}"#);
    let row = |field: &str| {
        let micros = "io.debezium.time.MicroTimestamp";
        format!(r#"{{"type":"struct","fields":[{},{}],"field":"{field}"}}"#, column("death_date", micros), column("recorded_on", micros))
    };
    let schema = format!(r#"{{"type":"struct","fields":[{},{}],"optional":false}}"#, row("before"), row("after"));
    let fields = r#""death_date":1782777600000000,"recorded_on":1782777600000000"#;
    let payload = format!(r#"{{ "schema" : {schema}, "payload":{{"before":null,"after":{},"op":"c"}} }}"#, death(fields));
    let mut decoder = decoder();
    // The second one finds the schema known.
    for _ in 0..2 {
        let change = one(decoder.decode(vec![raw(Some("death"), None, Some(&payload))]));
        assert_eq!(day(&change.after.expect("a row"), "death_date").as_deref(), Some("2026-06-30"));
    }
    // The payload in front: days are told by their rules.
    let payload = format!(r#"{{"payload":{{"after":{},"op":"c"}},"schema":{schema}}}"#, death(DAYS));
    assert_eq!(day(&one(decoded(Some("death"), &payload)).after.expect("a row"), "death_date").as_deref(), Some("2026-05-27"));
}

#[test]
fn plain_rows() {
    let payload = format!(
        r#"{{"register":"death","op":"update","before":{},"after":{},"time":"2026-06-30T08:00:00+08:00","position":12}}"#,
        death(r#""death_date":"2026-05-01""#),
        death(r#""death_date":"2026年6月1日","recorded_on":"20260602""#),
    );
    let change = one(decoded(None, &payload));
    assert_eq!(change.op, Op::Update);
    let (before, after) = (change.before.expect("told"), change.after.expect("told"));
    assert!(!before.whole && after.whole);
    assert_eq!((text(&before, "person_id").as_deref(), day(&before, "death_date")), (Some(ID), None));
    assert_eq!(day(&after, "death_date").as_deref(), Some("2026-06-01"));
    let position = LogPosition { kind: LogKind::Sender, at: [12, 0, 0] };
    assert_eq!(change.order, Order::logged(position, 1_782_777_600_000_000, 7));
    // A row alone is put in the place of what was there.
    assert_eq!(one(decoded(None, &format!(r#"{{"register":"death","after":{}}}"#, death(DAYS)))).op, Op::Update);
    assert_eq!(one(decoded(None, &format!(r#"{{"register":"death","before":{}}}"#, death(DAYS)))).op, Op::Delete);
}

#[test]
fn deletions_and_tombstones() {
    let delete = format!(r#"{{"op":"d","before":{},"after":null,"source":{{"lsn":8}}}}"#, death(r#""death_date":null,"recorded_on":0"#));
    let change = one(decoded(Some("death"), &delete));
    assert_eq!((change.op, change.after.is_none()), (Op::Delete, true));
    assert_eq!(text(&change.before.expect("the key"), "person_id").as_deref(), Some(ID));
    let key = format!(r#"{{"person_id":"{ID}"}}"#);
    let events = vec![
        raw(Some("death"), Some(&key), Some(r#"{"op":"d","before":null,"after":null}"#)),
        raw(Some("death"), Some(&key), None),
        raw(Some("death"), Some(&key), Some("null")),
        raw(Some("death"), Some(r#"{"other":1}"#), None),
        raw(Some("death"), None, None),
        raw(Some("__debezium-heartbeat.city"), None, Some(r#"{"ts_ms":1}"#)),
        raw(None, None, Some(r#"{"op":"m","message":{}}"#)),
    ];
    let decoded = decoder().decode(events);
    assert_eq!(decoded.changes.iter().map(|change| change.op).collect::<Vec<_>>(), [Op::Delete; 3]);
    assert_eq!((decoded.refused.len(), decoded.passed_over), (0, 4));
    let nothing = decoder().decode(vec![raw(Some("death"), None, Some(r#"{"op":"d","before":null}"#))]);
    refuses(&nothing, "", "no-row");
}

#[test]
fn what_cannot_be_used_is_told_with_its_place() {
    let of = |payload: &str| decoded(Some("death"), payload);
    refuses(&of("{"), "", "not-an-event");
    refuses(&of("[1]"), "", "not-an-event");
    refuses(&of(r#"{"hello":1}"#), "", "not-an-event");
    refuses(&of(r#"{"op":"t"}"#), "", "truncated");
    refuses(&of(r#"{"op":"zz","after":{}}"#), "op", "unknown-operation");
    refuses(&of(r#"{"op":"c","after":null}"#), "", "no-row");
    refuses(&decoded(Some("nowhere"), r#"{"op":"c","after":{}}"#), "", "unknown-register");
    let insert = |fields: &str| of(&format!(r#"{{"op":"c","after":{}}}"#, death(fields)));
    refuses(&insert(r#""death_date":20600"#), "recorded_on", "missing-column");
    refuses(&insert(r#""death_date":null,"recorded_on":20610"#), "death_date", "missing-required");
    refuses(&insert(r#""death_date":"soon","recorded_on":20610"#), "death_date", "uncastable");
    refuses(&insert(r#""death_date":{"a":1},"recorded_on":20610"#), "death_date", "uncastable");
    let bad = of(r#"{"op":"c","after":{"person_id":"110105194912310031","death_date":20600,"recorded_on":20610}}"#);
    refuses(&bad, "person_id", "bad-identifier");
    assert_eq!(bad.refused[0].value, "1101**********0031");
    assert_eq!(bad.refused[0].register.as_deref(), Some("death"));
    assert!(bad.changes.is_empty());
    // Other systems take it for the end of a text.
    let moves_in = |household: &str| {
        let rest = r#""relation":"head","living_together":true,"from_date":"2020-01-01","to_date":null"#;
        let row = format!(r#"{{"household_id":"{household}","person_id":"{ID}",{rest}}}"#);
        decoded(Some("household_membership"), &format!(r#"{{"op":"c","after":{row}}}"#))
    };
    assert_eq!(moves_in("H1").changes.len(), 1);
    refuses(&moves_in("H\\u00001"), "household_id", "bad-encoding");
}

#[test]
fn a_value_that_cannot_be_read_is_unknown_and_told() {
    let row = r#"{"certificate_no":"C1","person_id":"110105194912310038","kind":"技师证","trade":null,"level":"高级技师","scarce":"maybe","issued_on":"2026-01-01","expires_on":null}"#;
    let decoded = decoded(Some("certificates"), &format!(r#"{{"op":"c","after":{row}}}"#));
    // The kind is needed, so that the whole event is of no use.
    refuses(&decoded, "kind", "unknown-code");
    let row = row.replace("技师证", "职业技能等级证书");
    let decoded = super::tests::decoded(Some("certificates"), &format!(r#"{{"op":"c","after":{row}}}"#));
    refuses(&decoded, "scarce", "uncastable");
    assert_eq!(decoded.refused[0].scope, Scope::Cell);
    let after = decoded.changes[0].after.as_ref().expect("used");
    assert_eq!((text(after, "kind").as_deref(), text(after, "level").as_deref()), (Some("skill"), Some("senior_technician")));
    assert_eq!(day(after, "expires_on").as_deref(), Some("9999-12-31"));
    assert!(after.batch.column_by_name("scarce").expect("declared").is_null(after.row));
}

#[test]
fn good_events_go_on_beside_bad_ones() {
    let good = |id: &str| format!(r#"{{"op":"c","after":{{"person_id":"{id}","death_date":20600,"recorded_on":20610}}}}"#);
    let ids = [ID, "110105194912310031", "11010519491231002X"];
    let decoded = decoder().decode(ids.iter().map(|id| raw(Some("death"), None, Some(&good(id)))).collect());
    let told: Vec<_> =
        decoded.changes.iter().map(|change| text(change.after.as_ref().expect("a row"), "person_id").expect("known")).collect();
    assert_eq!(told, [ID, "11010519491231002X"]);
    assert_eq!(decoded.refused.len(), 1);
}

#[test]
fn values_that_did_not_change_come_from_the_row_before() {
    let payload = |before: &str| {
        let after = r#"{"certificate_no":"C1","person_id":"110105194912310038","kind":"skill","trade":"__debezium_unavailable_value","level":"none","scarce":true,"issued_on":20000,"expires_on":null}"#;
        format!(r#"{{"op":"u","before":{before},"after":{after}}}"#)
    };
    let before = r#"{"certificate_no":"C1","person_id":"110105194912310038","trade":"焊工"}"#;
    let change = one(decoded(Some("certificates"), &payload(before)));
    assert_eq!(text(&change.after.expect("a row"), "trade").as_deref(), Some("焊工"));
    refuses(&decoded(Some("certificates"), &payload("null")), "trade", "unavailable");
}

#[test]
fn rows_without_an_identifying_key_are_told_whole() {
    let row = |amount: &str| {
        format!(
            r#"{{"subject_kind":"person","subject_id":"{ID}","policy":"990100-MZ-0007","period":"2026-06","occasion":null,"amount":{amount},"paid_on":20600}}"#
        )
    };
    let payload = format!(r#"{{"op":"u","before":{},"after":{}}}"#, row("100"), row(r#""120.50""#));
    let change = one(decoded(Some("grants_paid"), &payload));
    let (before, after) = (change.before.expect("told"), change.after.expect("told"));
    assert!(before.whole);
    let amount = |image: &Image| image.batch.column_by_name("amount").expect("declared").as_primitive::<Decimal128Type>().value(image.row);
    assert_eq!((amount(&before), amount(&after)), (10_000, 12_050));
}

#[test]
fn rules_of_a_topic() {
    let payload = format!(r#"{{"op":"c","after":{}}}"#, death(r#""death_date":1782777600000,"recorded_on":1782777600000"#));
    assert_eq!(day(&one(decoded(Some("millis"), &payload)).after.expect("a row"), "death_date").as_deref(), Some("2026-06-30"));
}

/// The texts between fences of a language in the page about changes.
fn examples(language: &str) -> Vec<String> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/changes.md")).expect("the page");
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).filter_map(|rest| rest.split_once("```").map(|(text, _)| text.to_owned())).collect()
}

#[test]
fn the_examples_of_the_page() {
    let events = examples("json");
    let ops: Vec<Op> = events.iter().flat_map(|text| text.lines()).map(|line| one(decoded(None, line)).op).collect();
    assert_eq!(ops, [Op::Insert, Op::Delete, Op::Insert]);
    let (registers, _) = world();
    let settings = examples("yaml");
    let read = |text: &String| {
        crate::stream::settings::Settings::read(&crate::diagnostic::SourceFile::new("streams.yaml", text.clone()), &registers)
    };
    assert_eq!(settings.iter().map(|text| read(text).expect("sound").sources.len()).collect::<Vec<_>>(), [3]);
}
