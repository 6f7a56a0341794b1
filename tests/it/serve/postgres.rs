//! The API on a store in PostgreSQL: it tells what it tells from SQLite, and every test of it holds there as well.

use std::process::{Command, Stdio};

use super::places::{CityStore, TEMPLATE};
use super::server::{CITY, MATCHED, Server, rows, usual};
use crate::store::postgres::Server as Postgres;
use crate::support::run;

/// Tests of what comes to the same whatever the store is made of: settings, sockets, keys of issuers, traces, posted facts and
/// policies, the rule bench. They hold once.
const WITHOUT_STORE: [&str; 29] = [
    "settings::",
    "tls::",
    "issuers::",
    "traces::",
    "shape::",
    "agree::explanations_are_those_of_explain", // on PostgreSQL they are those on SQLite, see below
    "agree::posted_facts_come_to_what_the_case_says",
    "api::the_document_describes_every_route",
    "api::posted_policies_are_checked_and_tested",
    "api::answers_are_packed_and_so_may_requests_be",
    "api::policies_are_read_anew_whole_or_not_at_all",
    "api::requests_under_way_end_when_the_server_is_told_to",
    "bulk::lines_come_back_in_order_and_as_evaluate_has_them",
    "bulk::arrow_streams_say_what_lines_say",
    "bulk::streams_that_lie_about_their_sizes_are_broken_off",
    "console::nobody_sees_anything_without_signing_in",
    "console::assets_are_kept_and_nothing_else_is_there",
    "console::sessions_are_strict_and_forms_carry_their_token",
    "console::a_key_that_is_taken_away_ends_its_sessions",
    "console::the_bench_tries_edits_and_tells_mistakes_at_the_character",
    "console::the_draft_is_what_was_written",
    "console::hostile_texts_stay_texts",
    "guard::callers_are_counted",
    "hostile::bodies_too_large_too_slow_or_packed_to_burst_are_refused",
    "hostile::every_field_may_hold_anything",
    "hostile::what_is_no_http_is_dropped",
    "hostile::open_connections_cost_little_and_are_bounded",
    "hostile::idle_connections_make_room_for_those_who_ask",
    "hostile::what_is_too_much_at_once_is_told_to_come_again",
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
    tests.args(WITHOUT_STORE.iter().flat_map(|name| ["--skip".to_owned(), format!("serve::{name}")]));
    let ran = tests.output().expect("the tests run");
    let told = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "on PostgreSQL:\n{told}{}", String::from_utf8_lossy(&ran.stderr));
    let passed = told.lines().find_map(|line| line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<usize>().ok());
    assert!(passed.is_some_and(|passed| passed > 20), "{told}");
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
