//! Cases behind the API: who reaches which, steps, versions, the same request twice, and the trail.

use serde_json::{Value, json};

use super::client::send;
use super::server::{Server, citizen, rows, token};
use crate::support::run;

/// A server with the cases of the city's run.
pub(crate) fn with_cases() -> Server {
    let server = Server::start("");
    let opened = run(&["case", "open", "--store", server.store(), "--lang", "en"]);
    assert_eq!(opened.code, Some(0), "{}", opened.stderr);
    server
}

/// A grant of the clerk's department and region that is published first.
pub(crate) fn grant_in(region: &str) -> std::collections::BTreeMap<String, String> {
    let grants = rows("grants");
    let mut found = grants.into_iter().filter(|row| row["status"] == "granted" && row["subject_kind"] == "person");
    found.find(|row| row["region"].starts_with(region) && row["policy"] == "990100-MZ-0007").expect("a grant")
}

fn step(server: &Server, caller: &str, id: &str, body: &Value, more: &[(&str, &str)]) -> super::client::Answer {
    let headers = [&[("Content-Type", "application/json")], more].concat();
    server.ask("POST", caller, &format!("/v1/cases/{id}/steps"), &headers, body.to_string().as_bytes())
}

#[test]
fn a_handler_has_the_cases_of_his_department_and_region() {
    let server = with_cases();
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let page = server.get("clerk", &format!("/v1/cases?limit=100{cursor}"));
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        seen.extend(page["items"].as_array().expect("items").clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let own = |row: &&std::collections::BTreeMap<String, String>| {
        row["status"] == "granted" && row["region"].starts_with("990101") && row["policy"].starts_with("990100-MZ")
    };
    let grants = rows("grants");
    let mut expected: Vec<&str> = grants.iter().filter(own).map(|row| row["grant_id"].as_str()).collect();
    expected.sort_unstable();
    let ids: Vec<&str> = seen.iter().map(|case| case["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, expected, "each once, in order, and nobody else's");
    assert!(seen.iter().all(|case| case["subject"].as_str().expect("a subject").contains('*')), "masked");
    let queue = server.get("clerk", "/v1/cases/queue?limit=1000").json();
    let due: Vec<&str> = queue["items"].as_array().expect("items").iter().filter_map(|case| case["due"].as_str()).collect();
    assert!(!due.is_empty() && due.is_sorted(), "what is due first, first: {due:?}");
    assert_eq!(server.get("clerk", "/v1/cases?step=dreaming").status, 400);
    assert_eq!(server.get("clerk", "/v1/cases?cursor=zz").status, 400);
    assert_eq!(server.get("author", "/v1/cases").status, 403);
    // Out of reach, and none: the same answer.
    let elsewhere = server.get("clerk", &format!("/v1/cases/{}", grant_in("990102")["grant_id"]));
    let nobody = server.get("clerk", "/v1/cases/00000000000000000000000000000000");
    assert_eq!((elsewhere.status, &elsewhere.body), (404, &nobody.body));
}

#[test]
fn steps_are_taken_under_real_names_once_and_on_the_version_that_was_seen() {
    let server = with_cases();
    let grant = grant_in("990101");
    let id = &grant["grant_id"];
    let seen = server.get("clerk", &format!("/v1/cases/{id}"));
    assert_eq!((seen.status, seen.header("etag")), (200, Some("\"1\"")), "{}", seen.text());
    let document = send(server.address, "GET", "/v1/openapi.json", &[], b"").json();
    assert_eq!(super::shape::misfits(&document, "CaseDetail", &seen.json()), Vec::<String>::new());
    assert_eq!(seen.json()["case"]["possible"], json!(["publish", "return", "object", "correct", "withdraw"]));
    let looks = || {
        let looks = server.get("auditor", &format!("/v1/subjects/person/{}/looks", grant["subject_id"])).json();
        let of_case = |look: &&Value| look["purpose"] == "casework" && look["items"] == json!(["990100-MZ-0007"]);
        looks["items"].as_array().expect("looks").iter().filter(of_case).count()
    };
    let before = looks();
    let early = step(&server, "clerk", id, &json!({"step": "pay", "amount": "1"}), &[]);
    assert_eq!(looks(), before + 1, "what is refused tells of the case too");
    assert_eq!((early.status, early.json()["type"].as_str()), (409, Some("urn:mianshen:problem:illegal-step")));
    assert!(early.json()["detail"].as_str().expect("a detail").contains("possible now: publish"), "{}", early.text());
    let publish = json!({"step": "publish"});
    assert_eq!(step(&server, "clerk", id, &publish, &[("If-Match", "\"7\"")]).status, 412);
    let request = [("If-Match", "\"1\""), ("Idempotency-Key", "k1")];
    let done = step(&server, "clerk", id, &publish, &request);
    assert_eq!((done.status, done.header("etag")), (200, Some("\"2\"")), "{}", done.text());
    let again = step(&server, "clerk", id, &publish, &request);
    assert_eq!((again.status, again.header("etag")), (200, Some("\"2\"")), "the same request changes nothing: {}", again.text());
    let event = &done.json()["events"][1];
    assert_eq!((&event["what"], &event["actor"], &event["department"]), (&json!("published"), &json!("李丽"), &json!("990100-MZ")));
    for (body, status) in [
        (json!({"step": "dream"}), 422),
        (json!({"step": "correct", "amount": "1.234", "note": "x"}), 422),
        (json!({"step": "correct", "amount": "1"}), 409),
        (json!({"step": "withdraw", "note": "x".repeat(2_001)}), 422),
        (json!({"step": "publish", "more": 1}), 422),
    ] {
        assert_eq!(step(&server, "clerk", id, &body, &[]).status, status, "{body}");
    }
    // Auditors read; handlers of nothing do not.
    let auditor = server.get("auditor", &format!("/v1/cases/{id}"));
    assert_eq!((auditor.status, auditor.json()["case"]["possible"].clone()), (200, json!([])));
    assert_eq!(step(&server, "auditor", id, &publish, &[]).status, 403);
    assert_eq!(server.get("nobody", "/v1/cases").status, 403);
    // The subject was looked at, and is told by whom.
    let looks = server.get("auditor", &format!("/v1/subjects/person/{}/looks", grant["subject_id"]));
    let items = looks.json()["items"].as_array().expect("looks").clone();
    assert!(items.iter().any(|look| look["purpose"] == "casework" && look["items"] == json!(["990100-MZ-0007"])), "{}", looks.text());
    assert!(!server.log().contains(&grant["subject_id"]), "no identifier in the log");
}

#[test]
fn the_subject_is_not_told_who_objected_nor_what_officials_note_for_each_other() {
    let server = with_cases();
    let grant = grant_in("990101");
    let id = &grant["grant_id"];
    let act = |step: &str, who: &str, more: &[&str]| {
        let done = run(&[&["case", step, id.as_str(), "--store", server.store(), "--actor", who, "--lang", "en"], more].concat());
        assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    };
    act("publish", "李丽", &["--department", "990100-MZ"]);
    act("object", "赵大勇", &["--role", "public", "--note", "他不住在这里"]);
    act("review", "李丽", &["--department", "990100-MZ", "--note", "已入户核实"]);
    let token = token(&citizen(&grant["subject_id"]));
    let own = server.get_as(&token, &format!("/v1/cases/{id}"), &[("Purpose", "self")]);
    let told = |event: &Value| (event["what"].clone(), event["actor"].clone(), event["note"].clone());
    let events: Vec<_> = own.json()["events"].as_array().expect("events").iter().skip(2).map(told).collect();
    assert_eq!(events, [(json!("objected"), json!("赵*勇"), json!("")), (json!("reviewed"), json!("李丽"), json!(""))], "{}", own.text());
    let seen = server.get("clerk", &format!("/v1/cases/{id}")).json();
    assert_eq!((&seen["events"][2]["note"], &seen["events"][3]["note"]), (&json!("他不住在这里"), &json!("已入户核实")));
}

#[test]
fn a_citizen_has_his_own_cases_and_his_own_steps() {
    let server = with_cases();
    let grant = grant_in("990101");
    let id = &grant["grant_id"];
    let token = token(&citizen(&grant["subject_id"]));
    let own = server.get_as(&token, "/v1/cases", &[("Purpose", "self")]);
    assert_eq!(own.status, 200, "{}", own.text());
    let mine: Vec<Value> = own.json()["items"].as_array().expect("items").clone();
    assert!(mine.iter().any(|case| case["id"] == json!(id)) && mine.iter().all(|case| case["subject"] == json!(grant["subject_id"])));
    let post = |body: &Value| {
        let bearer = format!("Bearer {token}");
        let headers =
            [("Authorization", bearer.as_str()), ("Purpose", "self"), ("Content-Type", "application/json"), ("Accept-Language", "en")];
        send(server.address, "POST", &format!("/v1/cases/{id}/steps"), &headers, body.to_string().as_bytes())
    };
    let foreign = post(&json!({"step": "publish"}));
    assert_eq!(foreign.status, 409);
    assert!(foreign.json()["detail"].as_str().expect("a detail").starts_with("this step is not yours"), "{}", foreign.text());
    let objected = post(&json!({"step": "object", "note": "我的金额不对"}));
    assert_eq!(objected.status, 200, "{}", objected.text());
    assert_eq!(objected.json()["case"]["reviews"][0]["en"], "an objection");
    let seen = server.get("clerk", &format!("/v1/cases/{id}")).json();
    assert_eq!(seen["events"][1]["actor"], "王*明", "masked for others");
    let other = server.get_as(&token, &format!("/v1/cases/{}", grant_in("990102")["grant_id"]), &[("Purpose", "self")]);
    assert_eq!(other.status, 404);
    assert_eq!(send(server.address, "GET", "/v1/cases", &[], b"").status, 401);
}
