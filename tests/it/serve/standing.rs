//! What the stream finds is what the API shows: at once, to whom it may be shown, and with another tag.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arrow::util::display::array_value_to_string;
use serde_json::{Value, json};

use super::agree::all_services_are_what_match_found;
use super::client::Answer;
use super::server::{Server, citizen, rows, token};
use crate::outcome::{Rows, SAMPLE};
use crate::support::run;

const POLICY: &str = "990100-MZ-0007";

const PURPOSES: &str = "purposes:
  - {id: casework, label: x, facts: ['*'], unmasked: true, roles: [administrator, handler]}
  - {id: self, label: x, facts: ['*'], unmasked: true, roles: [citizen]}
  - {id: audit, label: x, facts: ['*'], roles: [auditor]}
";

/// A server on the store of the city with the night's cases, and its registers loaded into the live part.
fn followed() -> Server {
    let server = Server::start(PURPOSES);
    done(&["case", "open", "--store", server.store()]);
    done(&["stream", "load", "--store", server.store(), "--sources", &format!("{SAMPLE}/sources.yaml")]);
    server
}

#[track_caller]
fn done(arguments: &[&str]) -> String {
    let ran = run(&[arguments, &["--lang", "en"]].concat());
    assert_eq!(ran.code, Some(0), "{arguments:?}\n{}{}", ran.stdout, ran.stderr);
    ran.stdout
}

/// Rows of a register of the sample, by column; nothing is null.
fn register(name: &str) -> Vec<BTreeMap<String, Value>> {
    let rows = Rows::read(&PathBuf::from(SAMPLE).join(format!("{name}.parquet")));
    let columns = rows.columns();
    let text = |name: &str, row: usize| {
        let column = rows.column(name);
        let text = array_value_to_string(column, row).expect("a value");
        (name.to_owned(), if column.is_null(row) { Value::Null } else { Value::String(text) })
    };
    (0..rows.len()).map(|row| columns.iter().map(|name| text(name, row)).collect()).collect()
}

/// The check character of GB 11643.
fn with_check(seventeen: &str) -> String {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = seventeen.chars().zip(weights).map(|(digit, weight)| digit.to_digit(10).expect("a digit") * weight).sum();
    format!("{seventeen}{}", ["1", "0", "X", "9", "8", "7", "6", "5", "4", "3", "2"][sum as usize % 11])
}

/// A store that is followed, and the server on it.
struct Followed<'a> {
    server: &'a Server,
    store: String,
    events: u32,
}

impl Followed<'_> {
    /// Tells the stream of changes.
    #[track_caller]
    fn changes(&mut self, events: &[Value]) {
        self.events += 1;
        let path = self.server.folder.path().join(format!("events{}.ndjson", self.events));
        let lines: Vec<String> = events.iter().map(ToString::to_string).collect();
        std::fs::write(&path, lines.join("\n") + "\n").expect("written");
        let told = done(&["stream", "run", "--store", &self.store, "--from", &format!("file:{}", path.display())]);
        assert!(told.contains(&format!("changed {} ", events.len())), "{told}");
    }

    fn ask(&self, id: &str, what: &str) -> Answer {
        self.server.get("admin", &format!("/v1/subjects/person/{id}/{what}"))
    }

    /// The standing of the policy, and the tag.
    #[track_caller]
    fn service(&self, id: &str) -> (Option<String>, String) {
        let answer = self.ask(id, "services");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let told = answer.json();
        assert_eq!(told["basis"], json!({"source": "stream", "as_of": "2026-06-30"}));
        let services = told["services"].as_array().expect("services");
        let found = services.iter().find(|service| service["policy"] == POLICY);
        (found.map(|found| found["standing"].as_str().expect("a word").to_owned()), answer.header("etag").expect("a tag").to_owned())
    }
}

/// Persons whom the policy gives a grant, of a region; none of them is asked for twice.
fn granted(region: &str) -> Vec<String> {
    let grants = rows("grants");
    let own = grants.iter().filter(|row| row["policy"] == POLICY && row["status"] == "granted" && row["region"].starts_with(region));
    let own = own.filter(|row| row["mode"] == "automatic");
    own.map(|row| row["subject_id"].clone()).collect()
}

#[test]
fn what_the_stream_finds_is_what_the_api_shows() {
    let server = followed();
    // Before anything happens, what stands is what the run found, budgets and all.
    all_services_are_what_match_found(&server);
    everything(&mut Followed { store: server.store().to_owned(), server: &server, events: 0 });
}

fn everything(city: &mut Followed<'_>) {
    let people = register("population");
    let row = |id: &str| people.iter().find(|row| row["person_id"] == id).expect("listed").clone();
    let old: Vec<String> = granted("990101");
    let [dies, moves, goes, renumbered] = [0, 1, 2, 3].map(|at| old[at].clone());
    somebody_new(city, &row(&old[4]));
    somebody_dies(city, &dies);
    somebody_moves(city, &row(&moves));
    somebody_goes(city, &row(&goes));
    somebody_is_renumbered(city, &renumbered);
    let whole = done(&["audit", "verify", "--store", &city.store]);
    assert!(whole.contains("the trail is whole") && whole.contains("the events of cases are whole"), "{whole}");
}

fn somebody_new(city: &mut Followed<'_>, like: &BTreeMap<String, Value>) {
    let id = with_check(&format!("{}19400229771", &like["person_id"].as_str().expect("an id")[..6]));
    assert_eq!(city.ask(&id, "services").status, 404);
    let mut row = like.clone();
    row.extend([("person_id".to_owned(), json!(id)), ("birth_date".to_owned(), json!("1940-02-29"))]);
    city.changes(&[json!({"register": "population", "op": "insert", "after": row, "time": "2026-06-30T09:00:00+08:00"})]);
    assert_eq!(city.service(&id).0.as_deref(), Some("granted"), "who came since the run is found");
    let case = done(&["case", "list", "--store", &city.store, "--policy", POLICY, "--subject", &id]);
    assert!(case.contains(POLICY), "{case}");
}

fn somebody_dies(city: &mut Followed<'_>, id: &str) {
    let (standing, tag) = city.service(id);
    assert_eq!(standing.as_deref(), Some("granted"));
    let path = format!("/v1/subjects/person/{id}/services");
    assert_eq!(city.server.get_with("admin", &path, &[("If-None-Match", &tag)]).status, 304);
    let death = json!({"person_id": id, "death_date": "2026-03-05", "recorded_on": "2026-03-06"});
    city.changes(&[json!({"register": "death", "op": "insert", "after": death, "time": "2026-06-30T10:00:00+08:00"})]);
    let (standing, after) = city.service(id);
    assert_eq!(standing, None, "the month after that of the death was the last one");
    assert_ne!(tag, after);
    assert_eq!(city.server.get_with("admin", &path, &[("If-None-Match", &tag)]).status, 200);
    assert_eq!(city.server.get_with("admin", &path, &[("If-None-Match", &after)]).status, 304);
    let dossier = city.ask(id, "dossier").json();
    assert_eq!(dossier["basis"]["source"], "stream");
    let deceased = dossier["facts"].as_array().expect("facts").iter().find(|fact| fact["name"] == "deceased").expect("told");
    assert_eq!(deceased["value"], true);
    let explained = city.ask(id, &format!("explain/{POLICY}")).json();
    assert_eq!((&explained["basis"]["source"], &explained["reason"]["verdict"]), (&json!("stream"), &json!("no")), "{explained}");
}

fn somebody_moves(city: &mut Followed<'_>, row: &BTreeMap<String, Value>) {
    let id = row["person_id"].as_str().expect("an id");
    let path = format!("/v1/subjects/person/{id}/services");
    assert_eq!(city.server.get("clerk", &path).status, 200, "of the clerk's region");
    let mut there = row.clone();
    there.extend(["hukou_region", "residence_region"].map(|name| (name.to_owned(), json!("990102"))));
    let time = "2026-06-30T11:00:00+08:00";
    city.changes(&[json!({"register": "population", "op": "update", "before": row, "after": there, "time": time})]);
    let refused = city.server.get("clerk", &path);
    let nobody = city.server.get("clerk", "/v1/subjects/person/110105194912310038/services");
    assert_eq!((refused.status, &refused.body), (404, &nobody.body), "the region of today counts");
    assert_eq!(city.ask(id, "dossier").json()["region"], "990102");
    let looks = city.server.get("auditor", &format!("/v1/subjects/person/{id}/looks?limit=1000")).json();
    let actions: Vec<&str> = looks["items"].as_array().expect("looks").iter().filter_map(|look| look["action"].as_str()).collect();
    assert!(actions.contains(&"refused") && actions.contains(&"read_services"), "each look and each refusal is on the trail: {actions:?}");
}

fn somebody_goes(city: &mut Followed<'_>, row: &BTreeMap<String, Value>) {
    let id = row["person_id"].as_str().expect("an id");
    assert_eq!(city.ask(id, "services").status, 200);
    city.changes(&[json!({"register": "population", "op": "delete", "before": row, "time": "2026-06-30T12:00:00+08:00"})]);
    for what in ["services", "dossier", "looks", &format!("explain/{POLICY}")] {
        assert_eq!(city.ask(id, what).status, 404, "{what}: no register lists them any more");
    }
}

fn somebody_is_renumbered(city: &mut Followed<'_>, id: &str) {
    let today = with_check(&format!("{}772", &id[..14]));
    let mine = |id: &str| {
        let cases = city_cases(city.server, &token(&citizen(id)));
        cases.into_iter().filter(|case| case["policy"] == POLICY).collect::<Vec<_>>()
    };
    let [case] = mine(id).try_into().expect("one case");
    assert!(mine(&today).is_empty());
    let link = json!({"old_id": id, "new_id": today, "kind": "renumbered", "on_date": "2026-06-29"});
    city.changes(&[json!({"register": "identity_links", "op": "insert", "after": link, "time": "2026-06-30T13:00:00+08:00"})]);
    let mine = |id: &str| {
        let cases = city_cases(city.server, &token(&citizen(id)));
        cases.into_iter().filter(|case| case["policy"] == POLICY).collect::<Vec<_>>()
    };
    for known_as in [id, &today] {
        let services = city.ask(known_as, "services").json();
        assert_eq!(services["subject"]["id"], today.as_str(), "under either number it is the subject of today");
        assert_eq!(city.service(known_as).0.as_deref(), Some("granted"));
        let [same] = mine(known_as).try_into().expect("one case, under either number");
        assert_eq!(
            (&same["id"], &same["version"], &same["reviews"]),
            (&case["id"], &json!(1), &json!([])),
            "nothing was lost, nothing began"
        );
        let me = city.server.get_as(&token(&citizen(known_as)), "/v1/subjects/person/me/services", &[("Purpose", "self")]);
        assert_eq!(me.status, 200, "{known_as}: {}", me.text());
    }
}

fn city_cases(server: &Server, token: &str) -> Vec<Value> {
    let answer = server.get_as(token, "/v1/cases?limit=1000", &[("Purpose", "self")]);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["items"].as_array().expect("items").clone()
}

/// A run of a later day than what the stream keeps is newer: it answers until the stream's day has come.
#[test]
fn a_run_of_a_later_day_comes_before_what_stands() {
    let server = followed();
    let store = server.store();
    let id = granted("990101")[0].clone();
    let basis = || server.get("admin", &format!("/v1/subjects/person/{id}/services")).json()["basis"].clone();
    assert_eq!(basis(), json!({"source": "stream", "as_of": "2026-06-30"}));
    let out = server.folder.path().join("later").display().to_string();
    done(&["match", "--as-of", "2026-07-01", "--out", &out, "--store", store]);
    assert_eq!(basis(), json!({"source": "run", "as_of": "2026-07-01"}));
    done(&["stream", "load", "--store", store, "--sources", &format!("{SAMPLE}/sources.yaml"), "--as-of", "2026-07-01"]);
    assert_eq!(basis(), json!({"source": "stream", "as_of": "2026-07-01"}));
}
