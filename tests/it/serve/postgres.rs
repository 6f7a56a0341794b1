//! The API on a store in PostgreSQL: it tells what it tells from SQLite, and every test of it holds there as well.

use std::process::{Command, Stdio};

use super::places::{CityStore, TEMPLATE};
use super::server::{CITY, MATCHED, Server, rows, usual};
use crate::store::postgres::Server as Postgres;
use crate::support::run;

/// Tests of what knows of no store: sockets, TLS, keys of issuers, traces, settings. They hold once.
const WITHOUT_STORE: [&str; 9] = [
    "serve::settings::",
    "serve::tls::",
    "serve::issuers::",
    "serve::traces::",
    "serve::shape::",
    "serve::hostile::bodies_too_large_too_slow_or_packed_to_burst_are_refused",
    "serve::hostile::open_connections_cost_little_and_are_bounded",
    "serve::hostile::idle_connections_make_room_for_those_who_ask",
    "serve::hostile::what_is_no_http_is_dropped",
];

/// The city is matched into a database once. Each test has a copy of it, as each has a copy of the files elsewhere.
#[test]
fn the_api_holds_on_postgresql() {
    // The tests that are run below are these very ones.
    if std::env::var_os(TEMPLATE).is_some() {
        return;
    }
    let Some(postgres) = Postgres::start() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let city = runtime.block_on(postgres.place("city")).address;
    drop(runtime);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("out");
    let matched = run(&["match", "--out", out.to_str().expect("UTF-8"), "--store", &city, "--lang", "en"]);
    assert_eq!(matched.code, Some(0), "{}", matched.stderr);
    both_tell_the_same(&city);
    let mut tests = Command::new(std::env::current_exe().expect("the tests"));
    tests.args(["serve::", "--test-threads", "2"]).env(TEMPLATE, &city).env(MATCHED, CITY.path()).stdin(Stdio::null());
    tests.args(WITHOUT_STORE.iter().flat_map(|name| ["--skip", name]));
    let ran = tests.output().expect("the tests run");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "on PostgreSQL:\n{told}{}", String::from_utf8_lossy(&ran.stderr));
    let passed = told.lines().find_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<usize>().ok());
    assert!(passed.is_some_and(|passed| passed > 35), "{told}");
}

/// Explanations, dossiers, services, lists and who looked.
fn both_tell_the_same(city: &str) {
    const UNMASKED: &str = "purposes: [{id: casework, label: x, facts: ['*'], unmasked: true, roles: [administrator]}]\n";
    let servers = [CityStore::in_database(city), CityStore::in_files()].map(|store| Server::on(store, &usual(UNMASKED)));
    let told = |path: &str| servers.each_ref().map(|server| server.get("admin", path)).map(|answer| (answer.status, answer.json()));
    let subjects: std::collections::BTreeSet<(String, String)> =
        [rows("grants"), rows("unknowns")].iter().flatten().map(|row| (row["subject_kind"].clone(), row["subject_id"].clone())).collect();
    let mut compared = 0;
    for (kind, id) in subjects.into_iter().step_by(60) {
        for what in ["explain/990100-MZ-0007", "explain/990100-MZ-0001", "dossier", "services?soon=true"] {
            let path = format!("/v1/subjects/{kind}/{id}/{what}");
            let [one, other] = told(&path);
            assert_eq!(one, other, "{path}");
            compared += 1;
        }
    }
    assert!(compared > 60, "{compared} answers");
    for list in ["runs/current/coverage?limit=1000", "runs/current/data-requests", "policies", "parameters"] {
        let [one, other] = told(&format!("/v1/{list}"));
        assert_eq!(one, other, "{list}");
    }
    let verified = run(&["audit", "verify", "--store", servers[0].store(), "--lang", "en"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
}
