//! `match --store` where it cannot be: told before any work, and nothing is harmed.

use std::fs;

use mianshen::store::Address;

use super::runtime;
use super::tiny::{load, put};
use crate::outcome::{Outcome, text_of};
use crate::support::run;

#[test]
fn what_cannot_be_stored_is_refused_at_once() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.db");
    for arguments in [&["--counts-only"][..], &["--dossiers", "d.parquet"]] {
        let told = Outcome::of_sample(&[&["--store", text_of(&path)], arguments].concat()).run;
        assert!(told.code == Some(2) && told.stderr.contains("--store cannot be used"), "{}", told.stderr);
    }
    assert!(!path.exists());
    let told = Outcome::of_sample(&["--store", text_of(&folder.path().join("no/such/folder.db"))]).run;
    assert!(told.code == Some(2) && told.stderr.contains("store-failed"), "{}", told.stderr);
    fs::write(&path, "工资表").expect("written");
    let told = Outcome::of_sample(&["--store", text_of(&path)]).run;
    assert!(told.code == Some(2) && told.stderr.contains("not a store of this program"), "{}", told.stderr);
    assert_eq!(fs::read_to_string(&path).expect("untouched"), "工资表");
    let told = run(&["match", "--keep-runs", "3"]);
    assert_eq!(told.code, Some(2), "--keep-runs is about a store");
}

#[test]
fn a_load_that_is_going_on_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.db");
    runtime().block_on(async {
        let store = Address::parse(text_of(&path)).expect("an address").make().await.expect("a store");
        load(&*store, 1, 5, 7).await;
        let mut open = store.load().await.expect("a load");
        put(&mut *open, 2, 5).await;
        let told = Outcome::of_sample(&["--store", text_of(&path)]).run;
        assert!(told.code == Some(2) && told.stderr.contains("another run is being loaded"), "{}", told.stderr);
        drop(open);
        let run = store.current().await.expect("read").expect("a run");
        assert_eq!(run.run().summary.subjects[0], 5);
    });
}

#[test]
fn a_run_that_fails_leaves_the_store_as_it_was() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("x.db");
    runtime().block_on(async {
        let store = Address::parse(text_of(&path)).expect("an address").make().await.expect("a store");
        load(&*store, 1, 5, 7).await;
    });
    let told = run(&["match", "--store", text_of(&path), "--sources", "no-such-sources.yaml", "--policies", crate::outcome::POLICIES]);
    assert_eq!(told.code, Some(2), "{}", told.stdout);
    let runs: Vec<String> = fs::read_dir(folder.path().join("x.db.runs"))
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(runs, ["run-000001.db"]);
    runtime().block_on(async {
        let store = Address::parse(text_of(&path)).expect("an address").open().await.expect("a store");
        assert_eq!(store.runs().await.expect("read").len(), 1);
    });
}
