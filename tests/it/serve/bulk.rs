//! Many subjects at once, and work that takes longer than a request.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{AsArray, Date32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use chrono::NaiveDate;
use serde_json::{Value, json};

use super::server::{Server, key};

const LINES: [(&str, &str); 1] = [("Content-Type", "application/x-ndjson")];
const ARROW: [(&str, &str); 1] = [("Content-Type", "application/vnd.apache.arrow.stream")];
const PATH: &str = "/v1/match?subject=person&as_of=2026-06-30&policy=990100-MZ-0007";

fn people(count: usize) -> impl Iterator<Item = (String, String)> {
    (0..count).map(|at| (format!("p{at}"), format!("19{:02}-03-31", 30 + at % 40)))
}

#[test]
fn lines_come_back_in_order_and_as_evaluate_has_them() {
    let server = Server::start("");
    let line = |(id, born): (String, String)| json!({"id": id, "facts": {"birth_date": born, "hukou_region": "990102", "deceased": false}});
    let body: Vec<String> = people(1_000).map(|person| line(person).to_string()).collect();
    let mut body = body.join("\n");
    body.push_str("\n\nnonsense\n{\"id\": \"x\", \"facts\": {\"birth_day\": 1}}\n{\"id\": \"y\", \"facts\": {}}");
    let answer = server.ask("POST", "author", PATH, &LINES, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let lines: Vec<Value> = answer.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 1_003);
    assert!(lines.iter().take(1_000).enumerate().all(|(at, line)| line["id"] == format!("p{at}")));
    assert!(lines[1_000]["error"].is_string() && lines[1_001]["error"].as_str().is_some_and(|error| error.contains("birth_day")));
    assert_eq!(lines[1_002]["policies"][0]["verdict"], "unknown");
    for (at, (_, born)) in people(40).enumerate() {
        let facts = json!({"birth_date": born, "hukou_region": "990102", "deceased": false});
        let body = json!({"subject": "person", "as_of": "2026-06-30", "facts": facts, "policies": ["990100-MZ-0007"]});
        let one = server.post("author", "/v1/evaluate", &body).json();
        let (one, many) = (&one["policies"][0], &lines[at]["policies"]);
        match one["verdict"].as_str() {
            Some("yes") => assert_eq!((&many[0]["verdict"], &many[0]["amount"]), (&one["verdict"], &one["amount"])),
            _ => assert_eq!(many, &json!([])),
        }
    }
}

fn stream(people: &[(String, String)]) -> Vec<u8> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        Field::new("birth_date", DataType::Date32, true),
        Field::new("hukou_region", DataType::Utf8, true),
        Field::new("deceased", DataType::Boolean, true),
    ]));
    let days = people.iter().map(|(_, born)| {
        let day: NaiveDate = born.parse().expect("a date");
        i32::try_from(day.signed_duration_since(NaiveDate::default()).num_days()).expect("in range")
    });
    let columns: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(people.iter().map(|(id, _)| id))),
        Arc::new(Date32Array::from_iter_values(days)),
        Arc::new(StringArray::from_iter_values(people.iter().map(|_| "990102"))),
        Arc::new(arrow::array::BooleanArray::from(vec![false; people.len()])),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns).expect("a batch");
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).expect("a writer");
    for start in (0..people.len()).step_by(300) {
        writer.write(&batch.slice(start, 300.min(people.len() - start))).expect("written");
    }
    writer.into_inner().expect("a stream")
}

#[test]
fn arrow_streams_say_what_lines_say() {
    let server = Server::start("");
    let people: Vec<(String, String)> = people(1_000).collect();
    let body = stream(&people);
    let answer = server.ask("POST", "author", PATH, &ARROW, &body);
    assert_eq!(answer.status, 200);
    let reader = StreamReader::try_new(&answer.body[..], None).expect("a stream");
    let mut got = Vec::new();
    for batch in reader {
        let batch = batch.expect("a batch");
        let text = |name: &str| batch.column_by_name(name).expect("a column").as_string::<i32>().clone();
        let (ids, verdicts, amounts) = (text("id"), text("verdict"), text("amount"));
        got.extend((0..batch.num_rows()).map(|at| (ids.value(at).to_owned(), verdicts.value(at).to_owned(), amounts.value(at).to_owned())));
    }
    let line =
        |(id, born): &(String, String)| json!({"id": id, "facts": {"birth_date": born, "hukou_region": "990102", "deceased": false}});
    let lines: Vec<String> = people.iter().map(|person| line(person).to_string()).collect();
    let answer = server.ask("POST", "author", PATH, &LINES, lines.join("\n").as_bytes());
    let mut expected = Vec::new();
    for line in answer.text().lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        expected.extend(
            line["policies"]
                .as_array()
                .expect("policies")
                .iter()
                .map(|one| (text(&line["id"]), text(&one["verdict"]), text(&one["amount"]))),
        );
    }
    assert!(!got.is_empty());
    assert_eq!(got, expected);
}

#[test]
fn streams_that_lie_about_their_sizes_are_broken_off() {
    let server = Server::start("");
    let good = stream(&people(10).collect::<Vec<_>>());
    let mut huge_head = good.clone();
    huge_head[4..8].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let hostile = [b"nonsense".to_vec(), vec![0xff; 64], huge_head, good[..good.len() / 2].to_vec()];
    for body in hostile {
        let answer = server.ask("POST", "author", PATH, &ARROW, &body);
        assert!(!answer.whole, "a broken stream is not answered as if it were whole");
    }
    // Every byte of the description, turned over: no answer, or one, but the server stands.
    for at in (0..good.len().min(600)).step_by(7) {
        let mut body = good.clone();
        body[at] ^= 0xff;
        let _ = server.ask("POST", "author", PATH, &ARROW, &body);
    }
    assert_eq!(server.get("author", "/v1/bundles").status, 200, "{}", server.log());
    assert_eq!(server.ask("POST", "author", PATH, &[("Content-Type", "text/csv")], b"a").status, 415);
    assert_eq!(server.ask("POST", "author", "/v1/match", &LINES, b"{}").status, 400);
}

/// Waits for a simulation to end.
fn ended(server: &Server, id: &str) -> Value {
    for _ in 0..1_200 {
        let told = server.get("author", &format!("/v1/simulations/{id}")).json();
        if told["state"] != "running" {
            return told;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the simulation does not end");
}

#[test]
fn simulations_are_worked_on_aside() {
    let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/data-samples/sources.yaml");
    let server = Server::start(&format!("sources: {sources}\n"));
    let body = json!({"set": ["subsistence_line=+10%"]}).to_string();
    let headers = [("Content-Type", "application/json"), ("Idempotency-Key", "one")];
    let ask = || server.ask("POST", "author", "/v1/simulations", &headers, body.as_bytes());
    // Sent by four at once it is one simulation: a second would find no place.
    let at_once: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|asking| asking.join().expect("an answer")).collect()
    });
    let started = &at_once[0];
    for one in &at_once {
        assert_eq!((one.status, &one.json()["id"]), (202, &started.json()["id"]), "{}", one.text());
    }
    let id = started.json()["id"].as_str().expect("an identifier").to_owned();
    assert_eq!(started.header("location"), Some(format!("/v1/simulations/{id}").as_str()));
    let again = server.ask("POST", "author", "/v1/simulations", &headers, body.as_bytes());
    assert_eq!((again.status, &again.json()["id"]), (202, &json!(id)), "the same request finds the same simulation");
    let other = server.ask("POST", "author", "/v1/simulations", &headers, json!({"set": ["subsistence_line=+5%"]}).to_string().as_bytes());
    assert_eq!(other.status, 409, "{}", other.text());
    assert_eq!(server.get("clerk", &format!("/v1/simulations/{id}")).status, 403);
    // Events, to the end.
    let mut stream = TcpStream::connect(server.address).expect("connected");
    let head =
        format!("GET /v1/simulations/{id}/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Api-Key: {}\r\n\r\n", key("author"));
    stream.write_all(head.as_bytes()).expect("sent");
    let mut events = String::new();
    stream.read_to_string(&mut events).expect("events");
    assert!(events.contains("event: simulation") && events.contains("\"state\":\"done\""), "{events}");
    let told = ended(&server, &id);
    let lines = told["results"]["lines"].as_array().expect("lines");
    let line = lines.iter().find(|line| line["policy"] == "990100-MZ-0002").expect("the policy");
    // As `mianshen simulate --set subsistence_line=+10%` tells it.
    assert_eq!(
        (&line["counts"]["before"], &line["counts"]["after"], &line["counts"]["gain"]),
        (&json!(34), &json!(44), &json!(10)),
        "{line}"
    );
    let wrong = server.post("author", "/v1/simulations", &json!({"set": ["nothing=1"]}));
    let failed = ended(&server, wrong.json()["id"].as_str().expect("an identifier"));
    assert_eq!((&failed["state"], &failed["findings"][0]["name"]), (&json!("failed"), &json!("unknown-parameter")), "{failed}");
    let cancelled = server.post("author", "/v1/simulations", &json!({"set": ["subsistence_line=+5%"]})).json();
    let id = cancelled["id"].as_str().expect("an identifier").to_owned();
    assert_eq!(server.ask("DELETE", "author", &format!("/v1/simulations/{id}"), &[], b"").status, 200);
    assert_eq!(ended(&server, &id)["state"], "cancelled");
}
