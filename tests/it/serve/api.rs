//! What the routes answer.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::send;
use super::server::{Server, rows};

fn somebody() -> String {
    rows("grants").iter().find(|row| row["subject_kind"] == "person").expect("somebody")["subject_id"].clone()
}

#[test]
fn the_server_says_how_it_is() {
    let server = Server::start("");
    let get = |path: &str| send(server.address, "GET", path, &[], b"");
    assert_eq!((get("/healthz").status, get("/readyz").status), (200, 200));
    assert_eq!(server.get("author", "/v1/policies").status, 200);
    let metrics = get("/metrics");
    assert!(metrics.text().contains("mianshen_requests_total{"), "{}", metrics.text());
    assert!(metrics.text().contains("route=\"/v1/policies\""));
}

#[test]
fn the_document_describes_every_route() {
    let server = Server::start("");
    let answer = send(server.address, "GET", "/v1/openapi.json", &[], b"");
    let document = answer.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() >= 18, "{:?}", paths.keys());
    let mut refs = Vec::new();
    references(&document, &mut refs);
    assert!(refs.len() > 100);
    for reference in refs {
        assert!(document.pointer(reference.trim_start_matches('#')).is_some(), "{reference} leads nowhere");
    }
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("an item") {
            let responses = operation["responses"].as_object().expect("responses");
            for status in ["200", "401", "429", "500", "503"] {
                let is_there = responses.contains_key(status) || (status == "200" && responses.contains_key("202"));
                assert!(is_there, "{method} {path} says nothing of {status}");
            }
            assert!(operation["operationId"].is_string(), "{method} {path}");
        }
    }
}

/// Every `$ref` of a document.
fn references<'d>(value: &'d Value, found: &mut Vec<&'d str>) {
    match value {
        Value::Object(entries) => {
            found.extend(entries.get("$ref").and_then(Value::as_str));
            entries.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn lists_come_in_pages_and_are_not_sent_twice() {
    let server = Server::start("");
    let (mut cursor, mut codes) = (String::new(), Vec::new());
    loop {
        let page = server.get("author", &format!("/v1/policies?as_of=2026-06-30&limit=20{cursor}"));
        let tag = page.header("etag").expect("a tag").to_owned();
        let again = server.get_with("author", &format!("/v1/policies?as_of=2026-06-30&limit=20{cursor}"), &[("If-None-Match", &tag)]);
        assert_eq!((again.status, again.body.len()), (304, 0));
        let page = page.json();
        codes.extend(page["items"].as_array().expect("items").iter().map(|item| item["code"].as_str().expect("a code").to_owned()));
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(codes.len() > 50 && codes.is_sorted(), "{codes:?}");
    let policy = server.get("author", "/v1/policies/990100-MZ-0007").json();
    assert_eq!(policy["criteria"]["all"][0]["criterion"]["id"], "age", "{policy}");
    for (path, status) in [
        ("/v1/policies?limit=0", 400),
        ("/v1/policies?limit=x", 400),
        ("/v1/policies?cursor=zz", 400),
        ("/v1/policies?as_of=2026-6-30", 400),
        ("/v1/policies?colour=red", 400),
        ("/v1/match?subject=person", 405),
        ("/v1/policies/990100-XX-0000", 404),
        ("/v1/bundles/none", 404),
        ("/v1/runs/99", 404),
        ("/v1/nothing", 404),
    ] {
        let answer = server.get("author", path);
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
    assert_eq!(server.ask("DELETE", "author", "/v1/policies", &[], b"").status, 405);
    for list in ["facts", "parameters", "bundles", "runs", "runs/current/coverage", "runs/current/data-requests"] {
        let page = server.get("admin", &format!("/v1/{list}")).json();
        assert!(!page["items"].as_array().expect("items").is_empty(), "{list}");
    }
}

#[test]
fn answers_speak_the_language_that_is_asked_for() {
    let server = Server::start("");
    let in_language = |lang: &str| send(server.address, "GET", "/v1/policies", &[("Accept-Language", lang)], b"").json()["title"].clone();
    assert_eq!((in_language("zh"), in_language("en-GB")), (json!("未认证"), json!("Not authenticated")));
    let path = format!("/v1/subjects/person/{}/explain/990100-MZ-0007", somebody());
    let text = |lang: &str| {
        let answer = server.ask("GET", "admin", &path, &[("Accept-Language", lang)], b"");
        answer.json()["text"].as_str().expect("a text").to_owned()
    };
    assert!(text("en").contains("verdict:"));
}

#[test]
fn what_if_tells_what_would_be_different() {
    let server = Server::start("");
    let path = format!("/v1/subjects/person/{}/what-if", somebody());
    let same = server.post("admin", &path, &json!({"changes": {}}));
    assert_eq!((same.status, &same.json()["changed"]), (200, &json!([])), "{}", same.text());
    let older = server.post("admin", &path, &json!({"changes": {"birth_date": "1920-01-01"}}));
    let changed = older.json()["changed"].as_array().expect("changed").clone();
    assert!(changed.iter().any(|one| one["after"]["policy"] == "990100-MZ-0007"), "{}", older.text());
    let wrong = server.post("admin", &path, &json!({"changes": {"birth_day": "1920-01-01"}}));
    assert_eq!(wrong.status, 422);
    assert_eq!(wrong.json()["findings"][0]["name"], "unknown-fact", "{}", wrong.text());
    assert_eq!(server.post("admin", &path, &json!({"changes": [], "as_of": 3})).status, 422);
    let bundle = path.replace("what-if", "services?bundle=none");
    assert_eq!(server.get("admin", &bundle).status, 400, "what stands behind the ? is a bad request");
}

#[test]
fn posted_policies_are_checked_and_tested() {
    let server = Server::start("");
    let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/policies/990100/old-age-allowance");
    let text = fs::read_to_string(format!("{policies}/policy.yaml")).expect("the policy");
    let cases = fs::read_to_string(format!("{policies}/cases.yaml")).expect("the cases");
    let checked = server.post("author", "/v1/check", &json!({"policy": text, "cases": cases})).json();
    assert_eq!((&checked["usable"], &checked["policy"]), (&json!(true), &json!([])), "{checked}");
    let tested = server.post("author", "/v1/test", &json!({"policy": text, "cases": cases})).json();
    assert_eq!((&tested["passed"], &tested["failed"]), (&json!(55), &json!(0)), "{}", tested["policy"]);
    let faulty = text.replace("not deceased or", "not deceesed or");
    let checked = server.post("author", "/v1/check", &json!({"policy": faulty})).json();
    assert_eq!(checked["usable"], false);
    let findings = checked["policy"].as_array().expect("findings");
    let unknown = findings.iter().find(|finding| finding["name"] == "unknown-fact").expect("told");
    assert_eq!(
        (&unknown["place"]["text"], &unknown["place"]["line"], &unknown["place"]["column"]),
        (&json!("deceesed"), &json!(24), &json!(17))
    );
    let later = text.replace(">= 80", ">= 81");
    let tested = server.post("author", "/v1/test", &json!({"policy": later, "cases": cases})).json();
    assert!(tested["failed"].as_u64().expect("a number") > 0, "{tested}");
    let deep = "a: ".to_owned() + &"[".repeat(100_000);
    assert_eq!(server.post("author", "/v1/check", &json!({"policy": deep})).json()["usable"], false);
}

#[test]
fn answers_are_packed_and_so_may_requests_be() {
    let server = Server::start("");
    let packed = server.get_with("author", "/v1/facts", &[("Accept-Encoding", "zstd")]);
    assert_eq!(packed.header("content-encoding"), Some("zstd"));
    let text = zstd::decode_all(&packed.body[..]).expect("zstd");
    assert!(serde_json::from_slice::<Value>(&text).expect("JSON")["items"].is_array());
    let body = json!({"subject": "person", "facts": {}, "as_of": "2026-06-30"}).to_string();
    let body = zstd::encode_all(body.as_bytes(), 3).expect("zstd");
    let headers = [("Content-Type", "application/json"), ("Content-Encoding", "zstd")];
    let answer = server.ask("POST", "author", "/v1/evaluate", &headers, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn policies_are_read_anew_whole_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a folder");
    let policies = crate::support::Policies::new();
    let settings = super::server::settings("").replace("POLICIES", policies.dir());
    let server = Server::with(&settings);
    drop(folder);
    let file = "990100/old-age-allowance/policy.yaml";
    let name = || server.get("author", "/v1/policies/990100-MZ-0007").json()["name"]["en"].clone();
    assert_eq!(name(), "Old-age allowance");
    policies.replace(file, "Old-age allowance", "Allowance for the aged");
    policies.replace(file, "not deceased or", "not deceesed or");
    let refused = server.post("admin", "/v1/admin/reload", &json!({}));
    assert_eq!((refused.status, &refused.json()["findings"][0]["name"]), (422, &json!("unknown-fact")), "{}", refused.text());
    assert_eq!(name(), "Old-age allowance");
    policies.replace(file, "not deceesed or", "not deceased or");
    assert_eq!(server.post("admin", "/v1/admin/reload", &json!({})).status, 200);
    assert_eq!(name(), "Allowance for the aged");
    policies.replace(file, "Allowance for the aged", "Old-age allowance");
    server.signal("HUP");
    let came = (0..300).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        name() == "Old-age allowance"
    });
    assert!(came, "SIGHUP reads anew: {}", server.log());
}

#[test]
fn requests_under_way_end_when_the_server_is_told_to() {
    use std::io::Write;
    let mut server = Server::start("");
    let body = json!({"subject": "person", "facts": {}, "as_of": "2026-06-30", "soon": true}).to_string();
    let head = format!(
        "POST /v1/evaluate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        super::server::key("author"),
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(server.address).expect("connected");
    stream.write_all(head.as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(300));
    server.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(body.as_bytes()).expect("sent");
    let answer = super::client::read(&mut stream).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(server.ended(Duration::from_secs(30)), Some(0), "{}", server.log());
}

/// The rows of a list, over all its pages.
fn pages(server: &Server, caller: &str, path: &str) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = server.get(caller, &format!("{path}?limit=1000{cursor}")).json();
        all.extend(page["items"].as_array().expect("items").clone());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

#[test]
fn counts_of_few_people_are_hidden_from_who_may_not_look_at_them_all() {
    const COUNTS: [&str; 10] = ["yes", "no", "unknown", "excluded", "capped", "given", "granted", "waitlisted", "refused", "offers"];
    let server = Server::start("");
    let known = rows("coverage");
    let find = |one: &serde_json::Value| {
        known.iter().find(|row| one["policy"] == row["policy"].as_str() && one["county"] == row["county"].as_str()).expect("a row")
    };
    let exact = pages(&server, "admin", "/v1/runs/current/coverage");
    assert_eq!(exact.len(), known.len());
    for one in &exact {
        assert!(COUNTS.iter().all(|count| one[*count].as_u64() == find(one)[*count].parse().ok()) && one["hidden"] == false, "{one}");
    }
    for caller in ["auditor", "author", "clerk"] {
        let told = pages(&server, caller, "/v1/runs/current/coverage");
        let (mut hidden, mut shown) = (0, 0);
        for one in &told {
            let row = find(one);
            let is_few = COUNTS.iter().any(|count| (1..5).contains(&row[*count].parse::<u64>().expect("a count")));
            if one["hidden"] == true {
                assert!(COUNTS.iter().all(|count| one[*count].is_null()) && one["amount"].is_null(), "{one}");
                hidden += 1;
            } else {
                assert!(!is_few && COUNTS.iter().all(|count| one[*count].as_u64() == row[*count].parse().ok()), "{caller}: {one}");
                shown += 1;
            }
        }
        assert!(caller == "author" || hidden > 0 && shown + hidden == told.len(), "{caller}: {hidden} hidden, {shown} shown");
        // Asking for less does not show more.
        for one in told.iter().filter(|one| one["hidden"] == true).take(5) {
            let (policy, county) = (one["policy"].as_str().expect("a code"), one["county"].as_str().expect("a code"));
            let again = server.get(caller, &format!("/v1/runs/current/coverage?policy={policy}&region={county}")).json();
            assert!(again["items"].as_array().expect("items").iter().any(|other| other == one), "{again}");
        }
    }
    for one in pages(&server, "auditor", "/v1/runs/current/data-requests") {
        assert!(["settles", "takes_part"].iter().all(|count| one[*count].as_u64().is_none_or(|count| count == 0 || count >= 5)), "{one}");
    }
}
