//! Who may ask for whom, what for, and what is written down of it.

use serde_json::json;

use super::server::{Server, base64url, citizen, forged, now, rows, token};

/// A person who is owed something, and where she is counted.
fn person_in(region: &str) -> String {
    let grants = rows("grants");
    let found = grants.iter().find(|row| row["subject_kind"] == "person" && row["region"].starts_with(region));
    found.expect("somebody").get("subject_id").expect("an identifier").clone()
}

#[test]
fn without_a_valid_token_or_key_nothing_is_told() {
    let server = Server::start("");
    let id = person_in("990101");
    let path = format!("/v1/subjects/person/{id}/services");
    let good = citizen(&id);
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut claims = good.clone();
        change(&mut claims);
        token(&claims)
    };
    let purpose = [("Purpose", "self")];
    assert_eq!(server.get_as(&token(&good), &path, &purpose).status, 200);
    let none = {
        let encoded = |value: &serde_json::Value| base64url(value.to_string().as_bytes());
        format!("{}.{}.", encoded(&json!({"alg": "none", "typ": "JWT"})), encoded(&good))
    };
    let mut altered = token(&good);
    altered.replace_range(altered.len() - 8.., "AAAAAAAA");
    let refused = [
        ("expired", with(&|claims| claims["exp"] = json!(now() - 3_600))),
        ("not yet", with(&|claims| claims["nbf"] = json!(now() + 3_600))),
        ("no end", with(&|claims| drop(claims.as_object_mut().expect("claims").remove("exp")))),
        ("wrong audience", with(&|claims| claims["aud"] = json!("another"))),
        ("no audience", with(&|claims| drop(claims.as_object_mut().expect("claims").remove("aud")))),
        ("wrong issuer", with(&|claims| claims["iss"] = json!("https://evil.example"))),
        ("no subject", with(&|claims| drop(claims.as_object_mut().expect("claims").remove("sub")))),
        ("forged", forged(&good)),
        ("alg=none", none),
        ("symmetric", symmetric(&good)),
        ("altered", altered),
        ("no token", "x".to_owned()),
        ("long", "a".repeat(20_000)),
    ];
    for (what, token) in refused {
        let answer = server.get_as(&token, &path, &purpose);
        assert!([401, 431].contains(&answer.status), "{what}: {}", answer.status);
        if answer.status == 401 {
            assert_eq!(answer.json()["type"], "urn:mianshen:problem:unauthenticated", "{what}");
            assert!(answer.header("www-authenticate").is_some());
        }
    }
    assert_eq!(server.get("unknown", &path).status, 401);
    assert_eq!(super::client::send(server.address, "GET", &path, &[], b"").status, 401);
    assert_eq!(super::client::send(server.address, "GET", "/v1/policies", &[], b"").status, 401);
}

/// A token signed with the public key as if it were a secret: the classic confusion.
fn symmetric(claims: &serde_json::Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(b"secret");
    jsonwebtoken::encode(&jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256), claims, &key).expect("a token")
}

#[test]
fn a_citizen_sees_himself_in_full_and_nobody_else() {
    let server = Server::start("");
    let (own, other) = (person_in("990101"), person_in("990102"));
    let token = token(&citizen(&own));
    let purpose = [("Purpose", "self")];
    let me = server.get_as(&token, "/v1/subjects/person/me/services", &purpose);
    assert_eq!((me.status, me.json()["subject"]["id"].as_str()), (200, Some(own.as_str())), "{}", me.text());
    let dossier = server.get_as(&token, "/v1/subjects/person/me/dossier", &purpose).json();
    assert_eq!(dossier["withheld"], 0);
    assert!(dossier["facts"].as_array().expect("facts").iter().any(|fact| fact["name"] == "birth_date" && !fact["value"].is_null()));
    let stranger = server.get_as(&token, &format!("/v1/subjects/person/{other}/services"), &purpose);
    let nobody = server.get_as(&token, "/v1/subjects/person/110105194912310021/services", &purpose);
    assert_eq!((stranger.status, &stranger.body), (404, &nobody.body), "nothing is learnt from the difference");
    assert_eq!(server.get_as(&token, "/v1/runs", &[]).status, 403);
    assert_eq!(server.get_as(&token, &format!("/v1/subjects/person/{own}/services"), &[("Purpose", "casework")]).status, 403);
    assert_eq!(server.get_as(&token, &format!("/v1/subjects/person/{own}/services"), &[("Purpose", "fun")]).status, 400);
    assert_eq!(server.get_as(&token, &format!("/v1/subjects/person/{own}/services"), &[]).status, 400);
}

#[test]
fn a_handler_reaches_his_region_and_his_department_and_sees_masks() {
    let server = Server::start("");
    let (inside, outside) = (person_in("990101"), person_in("990102"));
    let answer = server.get("clerk", &format!("/v1/subjects/person/{inside}/services"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(!answer.text().contains(&inside), "identifiers are masked");
    let masked = format!("{}**********{}", &inside[..4], &inside[14..]);
    assert_eq!(answer.json()["subject"]["id"], masked);
    for service in answer.json()["services"].as_array().expect("services") {
        assert_eq!(service["authority"]["code"], "990100-MZ", "only services of his department");
    }
    let stranger = server.get("clerk", &format!("/v1/subjects/person/{outside}/services"));
    let nobody = server.get("clerk", "/v1/subjects/person/110105194912310021/services");
    assert_eq!((stranger.status, &stranger.body, &stranger.headers.len()), (404, &nobody.body, &nobody.headers.len()));
    assert_eq!(server.get("nobody", &format!("/v1/subjects/person/{inside}/services")).status, 403, "no purpose was granted");
    // Of another department.
    assert_eq!(server.get("clerk", &format!("/v1/subjects/person/{inside}/explain/990100-YB-0001")).status, 403);
    let explained = server.get("clerk", &format!("/v1/subjects/person/{inside}/explain/990100-MZ-0007"));
    assert_eq!(explained.status, 200, "{}", explained.text());
    assert!(!explained.text().contains(&inside));
    assert_eq!(server.post("clerk", "/v1/admin/reload", &json!({})).status, 403);
    assert_eq!(server.post("clerk", "/v1/check", &json!({"policy": ""})).status, 403);
}

#[test]
fn a_purpose_without_facts_shows_none() {
    let server = Server::start("");
    let id = person_in("990101");
    let dossier = server.get("platform", &format!("/v1/subjects/person/{id}/dossier")).json();
    assert_eq!(dossier["facts"], json!([]));
    assert!(dossier["withheld"].as_u64().expect("a number") > 10);
    let explained = server.get("platform", &format!("/v1/subjects/person/{id}/explain/990100-MZ-0007")).json();
    assert_eq!(explained["withheld"], true);
    assert_eq!((&explained["reason"]["plain"], &explained["reason"]["coverage"]["fact"]), (&json!([]), &json!(null)));
    assert!(!explained.to_string().contains("birth_date ="), "{explained}");
    let changed = json!({"changes": {"birth_date": "1930-01-01"}});
    assert_eq!(server.post("platform", &format!("/v1/subjects/person/{id}/what-if"), &changed).status, 403, "nor may it be tried out");
}

#[test]
fn who_looked_is_written_down_and_told_to_the_subject() {
    let server = Server::start("");
    let id = person_in("990101");
    assert_eq!(server.get("clerk", &format!("/v1/subjects/person/{id}/services")).status, 200);
    assert_eq!(server.get("clerk", &format!("/v1/subjects/person/{id}/explain/990100-MZ-0007")).status, 200);
    let token = token(&citizen(&id));
    let looks = server.get_as(&token, "/v1/subjects/person/me/looks?limit=1", &[("Purpose", "self")]);
    assert_eq!(looks.status, 200, "{}", looks.text());
    let first = looks.json();
    assert_eq!(
        (&first["items"][0]["who"], &first["items"][0]["purpose"], &first["items"][0]["action"]),
        (&json!("李丽"), &json!("casework"), &json!("explain")),
        "{first}"
    );
    assert!(first["items"][0]["items"].as_array().expect("items").contains(&json!("birth_date")));
    let next = format!("/v1/subjects/person/me/looks?cursor={}", first["next"].as_str().expect("a cursor"));
    let rest = server.get_as(&token, &next, &[("Purpose", "self")]).json();
    assert_eq!(rest["items"][0]["action"], "read_services", "{rest}");
    assert_eq!(server.get("clerk", &format!("/v1/subjects/person/{id}/looks")).status, 403);
    let verified = crate::support::run(&["audit", "verify", "--store", server.store(), "--lang", "en"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn callers_are_counted() {
    let server = Server::start("limits: {per_second: 1, burst: 5}\n");
    let statuses: Vec<u16> = (0..12).map(|_| server.get("author", "/v1/bundles").status).collect();
    assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    let refused = (0..5).map(|_| server.get("author", "/v1/bundles")).find(|answer| answer.status == 429).expect("refused");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(server.get("admin", "/v1/bundles").status, 200, "one caller does not use up what is another's");
}

#[test]
fn nobody_is_in_the_log() {
    let server = Server::start("log: {format: json, filter: 'debug,mianshen=trace'}\n");
    let id = person_in("990101");
    let body = json!({"subject": "person", "facts": {"birth_date": "1946-03-31", "nonsense": id}});
    for path in ["services", "dossier", "explain/990100-MZ-0007", "looks", "nothing"] {
        let _ = server.get("admin", &format!("/v1/subjects/person/{id}/{path}?soon=true"));
    }
    let _ = server.post("admin", "/v1/evaluate", &body);
    let _ = server.post("admin", &format!("/v1/subjects/person/{id}/what-if"), &json!({"changes": {"nothing": id}}));
    let _ = server.get("admin", &format!("/{id}?{id}"));
    let _ = server.ask(&id, "admin", "/v1/policies", &[], b"");
    assert_eq!(server.ask(&format!("M{id}"), "nobody at all", "/v1/policies", &[], b"").status, 401);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let log = server.log();
    assert!(log.contains("/v1/subjects/{kind}/{id}/services"), "requests are logged by their route: {log}");
    for secret in [id.as_str(), "1946-03-31", &super::server::key("admin")] {
        assert!(!log.contains(secret), "`{secret}` is in the log");
    }
    let metrics = super::client::send(server.address, "GET", "/metrics", &[], b"");
    assert!(metrics.text().contains("method=\"_OTHER\"") && !metrics.text().contains(&id), "{}", metrics.text());
}
