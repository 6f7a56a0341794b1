//! What the API says of every subject of the sample is what `match` and `explain` say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::client::send;
use super::server::{CITY, Server, rows};
use super::shape::misfits;
use crate::support::run;

type Row = BTreeMap<String, String>;

/// What a row of results and an answer of the API have in common, sorted.
fn told(rows: &[Row], columns: &[&str]) -> BTreeMap<(String, String), Vec<Vec<String>>> {
    let mut by_subject: BTreeMap<(String, String), Vec<Vec<String>>> = BTreeMap::new();
    for row in rows {
        let key = (row["subject_kind"].clone(), row["subject_id"].clone());
        by_subject.entry(key).or_default().push(columns.iter().map(|column| row[*column].clone()).collect());
    }
    for rows in by_subject.values_mut() {
        rows.sort();
    }
    by_subject
}

/// The services of an answer with some standings, as rows; those that are grants, or those that are none.
fn served(answer: &Value, standings: &[&str], are_grants: bool, fields: &[&str]) -> Vec<Vec<String>> {
    let services = answer["services"].as_array().expect("services");
    let chosen = services.iter().filter(|service| {
        service["grant_id"].is_string() == are_grants && standings.contains(&service["standing"].as_str().unwrap_or_default())
    });
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(";"),
        other => other.to_string(),
    };
    let mut rows: Vec<Vec<String>> = chosen.map(|service| fields.iter().map(|field| text(&service[*field])).collect()).collect();
    rows.sort();
    rows
}

/// Every subject that a result file names.
fn subjects(tables: &[&[Row]]) -> BTreeSet<(String, String)> {
    tables.iter().flat_map(|rows| rows.iter()).map(|row| (row["subject_kind"].clone(), row["subject_id"].clone())).collect()
}

const UNMASKED: &str = "purposes: [{id: casework, label: x, facts: ['*'], unmasked: true, roles: [administrator]}]\n";

#[test]
fn services_are_what_match_found() {
    all_services_are_what_match_found(&Server::start(UNMASKED));
}

pub(super) fn all_services_are_what_match_found(server: &Server) {
    const GRANT: [&str; 8] = ["grant_id", "policy", "version", "amount", "occasion", "mode", "unit", "period"];
    let [grants, given, offers, unknowns] = ["grants", "given", "offers", "unknowns"].map(rows);
    let expected = told(&grants, &[&GRANT[..], &["member", "payee_id", "reasons"]].concat());
    let (expected_given, expected_offers, expected_unknown) =
        (told(&given, &["policy", "amount", "occasion"]), told(&offers, &["policy"]), told(&unknowns, &["policy"]));
    let mut asked = 0;
    for (kind, id) in subjects(&[&grants, &given, &offers, &unknowns]) {
        let answer = server.get("admin", &format!("/v1/subjects/{kind}/{id}/services"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let (answer, key) = (answer.json(), (kind, id));
        let owed = ["granted", "to_confirm", "to_commit", "in_review", "waiting", "refused"];
        let none = Vec::new();
        let fields = [&GRANT[..], &["member", "payee", "criteria"]].concat();
        assert_eq!(&served(&answer, &owed, true, &fields), expected.get(&key).unwrap_or(&none), "{key:?}");
        assert_eq!(
            &served(&answer, &["given"], false, &["policy", "amount", "occasion"]),
            expected_given.get(&key).unwrap_or(&none),
            "{key:?}"
        );
        assert_eq!(&served(&answer, &["to_commit"], false, &["policy"]), expected_offers.get(&key).unwrap_or(&none), "{key:?}");
        // What is unknown for a whole register is told once in the result files, and to each subject by the API.
        let told = served(&answer, &["to_commit", "unknown"], false, &["policy"]);
        assert!(expected_unknown.get(&key).unwrap_or(&none).iter().all(|row| told.contains(row)), "{key:?}");
        asked += 1;
    }
    assert!(asked > 1_000, "{asked} subjects");
}

#[test]
fn explanations_are_those_of_explain() {
    let server = Server::start(UNMASKED);
    let document = send(server.address, "GET", "/v1/openapi.json", &[], b"").json();
    let grants = rows("grants");
    let unknowns = rows("unknowns");
    // `explain` reads registers anew for each subject: every 60th, of all kinds; the verdicts of all are held above.
    let chosen: Vec<(String, String)> = subjects(&[&grants, &unknowns]).into_iter().step_by(60).collect();
    assert!(chosen.len() > 15);
    let mut compared = 0;
    for (kind, id) in chosen {
        let told = run(&["explain", "--subject", &id, "--format", "json", "--lang", "en"]);
        assert_eq!(told.code, Some(0), "{}", told.stderr);
        let overview: Value = serde_json::from_str(&told.stdout).expect("JSON");
        for entry in overview["entries"].as_array().expect("entries") {
            let mut expected = entry["reason"].clone();
            let policy = expected["policy"].as_str().expect("a code").to_owned();
            let answer = server.get("admin", &format!("/v1/subjects/{kind}/{id}/explain/{policy}"));
            assert_eq!(answer.status, 200, "{}", answer.text());
            let answer = answer.json();
            assert_eq!(misfits(&document, "Explanation", &answer), Vec::<String>::new(), "{kind} {id} {policy}");
            let mut got = answer["reason"].clone();
            // The store has no rows of registers: turns hold as long as registers say what they say now, and so do the last
            // sentence and the days that it names.
            for reason in [&mut expected, &mut got] {
                let entries = reason.as_object_mut().expect("an object");
                for key in ["turns", "plain"] {
                    entries.remove(key);
                }
            }
            assert_eq!(got, expected, "{kind} {id} {policy}");
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared} reasons");
    assert!(CITY.path().join("city.db").is_file());
}

#[test]
fn posted_facts_come_to_what_the_case_says() {
    let server = Server::start("");
    let body = json!({
        "subject": "person", "as_of": "2026-03-01", "policies": ["990100-MZ-0007"], "explain": true, "soon": true,
        "facts": {"birth_date": "1946-03-31", "hukou_region": "990102", "deceased": false, "death_date": null},
    });
    let answer = server.post("author", "/v1/evaluate", &body).json();
    assert_eq!(answer["policies"][0]["verdict"], "yes", "{answer}");
    assert_eq!(answer["policies"][0]["amount"], "60.00");
    assert_eq!(answer["policies"][0]["reason"]["policy"], "990100-MZ-0007");
    let mut younger = body.clone();
    younger["facts"]["birth_date"] = json!("1946-04-01");
    let answer = server.post("author", "/v1/evaluate", &younger).json();
    assert_eq!((&answer["policies"][0]["verdict"], &answer["policies"][0]["soon"]), (&json!("no"), &json!("2026-04-01")), "{answer}");
    let mut less = body;
    less["facts"].as_object_mut().expect("facts").remove("birth_date");
    let answer = server.post("author", "/v1/evaluate", &less).json();
    assert_eq!(answer["policies"][0]["verdict"], "unknown");
    assert_eq!(answer["policies"][0]["missing"][0][0]["name"], "birth_date", "{answer}");
}
