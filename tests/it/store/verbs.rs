//! `mianshen store` and `mianshen audit` from outside.

use std::fs;
use std::path::Path;
use std::process::Output;

use mianshen::store::Address;
use mianshen::store::live::Batch;
use mianshen::store::sqlite::SqliteStore;
use tempfile::TempDir;

use super::live::{batch_of, case_step, message};
use super::runtime;
use super::tiny::{load, put};
use super::trail::entry;
use crate::outcome::text_of;
use crate::support::{Run, command, run};

/// A key of these tests alone: thirty-two threes, as `openssl genpkey -algorithm ed25519` would write it.
const KEY: &str =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMD\n-----END PRIVATE KEY-----\n";

/// Puts a generation, a case with two events and a message into the live part.
fn live_city(path: &str) {
    runtime().block_on(async {
        let store = Address::parse(path).expect("an address").make().await.expect("a store");
        let live = store.live().await.expect("a live part");
        super::live::filled(&*live).await;
        let batch = Batch { messages: vec![message("m1", "p1", 0)], ..batch_of(vec![case_step("c1", "found", 0, &["found", "told"])]) };
        live.commit(&batch).await.expect("committed");
    });
}

#[test]
fn the_live_part_is_told_verified_and_backed_up() {
    let (folder, path) = city();
    assert!(!clean(&["store", "info", "--store", &path]).contains("cases"), "a store without one has none");
    live_city(&path);
    let text = clean(&["store", "info", "--store", &path]);
    for part in ["live as of 2026-06-30", "read up to file:a 0: 10", "cases 1 · in review 0 · events 2", "messages webhook waiting 1"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(clean(&["store", "verify", "--store", &path]).contains("1 cases, 2 events, whole"));
    let backup = folder.path().join("backup.db");
    let backup = text_of(&backup);
    clean(&["store", "backup", "--store", &path, "--out", backup]);
    assert_eq!(
        clean(&["store", "info", "--store", backup]).split_once('\n').map(|(_, rest)| rest.to_owned()),
        text.split_once('\n').map(|(_, rest)| rest.to_owned())
    );
    // What comes after the backup is gone after the restore.
    runtime().block_on(async {
        let store = Address::parse(&path).expect("an address").open().await.expect("a store");
        let live = store.live().await.expect("a live part");
        live.commit(&batch_of(vec![case_step("c1", "paid", 2, &["paid"])])).await.expect("committed");
    });
    clean(&["store", "restore", "--store", &path, "--from", backup, "--replace"]);
    assert!(clean(&["store", "verify", "--store", &path]).contains("1 cases, 2 events, whole"));
    let file = rusqlite::Connection::open(format!("{path}.live")).expect("the live file");
    file.execute_batch("UPDATE case_content SET body = x'00' WHERE seq = 1").expect("tampering");
    drop(file);
    for verb in ["store", "audit"] {
        let told = english(&[verb, "verify", "--store", &path]);
        assert!(told.code == Some(1) && told.stdout.contains("the content of record 1 was edited"), "{verb}: {}", told.stdout);
    }
}

#[test]
fn heads_of_both_chains_are_signed_and_neither_stands_for_the_other() {
    let (folder, path) = city();
    live_city(&path);
    let (key, heads) = (folder.path().join("key.pem"), folder.path().join("heads.jsonl"));
    fs::write(&key, KEY).expect("a key");
    let signed = with_key(&["audit", "heads", "--store", &path, "--out", text_of(&heads), "--lang", "en"], &key);
    let told = String::from_utf8_lossy(&signed.stdout).into_owned();
    assert!(told.contains("signed record of the trail 5") && told.contains("signed event of cases 2"), "{told}");
    let verify = ["audit", "verify", "--store", &path, "--heads", text_of(&heads), "--lang", "en"];
    let told = with_key(&verify, &key);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.code() == Some(0) && text.contains("the events of cases are whole"), "{text}");
    let swapped = fs::read_to_string(&heads).expect("heads").replace("\"chain\":\"cases\"", "\"chain\":\"trail\"");
    fs::write(&heads, swapped).expect("written");
    let told = with_key(&verify, &key);
    assert!(String::from_utf8_lossy(&told.stdout).contains("does not verify"));
    // The whole live part is gone.
    let signed = with_key(&["audit", "heads", "--store", &path, "--out", text_of(&heads), "--lang", "en"], &key);
    assert_eq!(signed.status.code(), Some(0));
    let text = fs::read_to_string(&heads).expect("heads");
    fs::write(&heads, text.lines().skip(2).collect::<Vec<_>>().join("\n")).expect("the two newest");
    for end in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(format!("{path}.live{end}"));
    }
    let told = with_key(&verify, &key);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.code() == Some(1) && text.contains("record 2 was signed and is gone"), "{text}");
}

/// A store with two runs and five entries in its trail.
fn city() -> (TempDir, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("city.db");
    runtime().block_on(async {
        let store = Address::parse(text_of(&path)).expect("an address").make().await.expect("a store");
        load(&*store, 1, 50, 7).await;
        load(&*store, 2, 60, 7).await;
        for at in 0..5 {
            store.trail_append(at, &[entry("张三", &format!("P{}", at % 2))]).await.expect("appended");
        }
    });
    let path = text_of(&path).to_owned();
    (folder, path)
}

fn english(arguments: &[&str]) -> Run {
    run(&[arguments, &["--lang", "en"]].concat())
}

#[track_caller]
fn clean(arguments: &[&str]) -> String {
    let told = english(arguments);
    assert_eq!(told.code, Some(0), "{}{}", told.stdout, told.stderr);
    told.stdout
}

#[test]
fn a_store_tells_its_runs() {
    let (_folder, path) = city();
    let text = clean(&["store", "info", "--store", &path]);
    assert!(text.contains("2026-06-30") && text.contains("current") && text.contains("access trail 5"), "{text}");
    let text = clean(&["store", "verify", "--store", &path]);
    assert!(text.contains("run 1: 52 subjects, whole") && text.contains("run 2: 62 subjects, whole"), "{text}");
}

#[test]
fn a_backup_is_a_store_and_comes_back() {
    let (folder, path) = city();
    let backup = folder.path().join("backup").with_extension("db");
    let backup = text_of(&backup);
    clean(&["store", "backup", "--store", &path, "--out", backup]);
    let again = english(&["store", "backup", "--store", &path, "--out", backup]);
    assert_eq!((again.code, again.stderr.contains("something is there already")), (Some(2), true), "{}", again.stderr);
    assert_eq!(clean(&["store", "verify", "--store", backup]), clean(&["store", "verify", "--store", &path]));
    assert!(clean(&["audit", "verify", "--store", backup]).contains("the trail is whole"));
    // What comes after the backup is gone after the restore.
    runtime().block_on(async {
        let store = Address::parse(&path).expect("an address").open().await.expect("a store");
        load(&*store, 3, 70, 7).await;
    });
    let refused = english(&["store", "restore", "--store", &path, "--from", backup]);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    clean(&["store", "restore", "--store", &path, "--from", backup, "--replace"]);
    let text = clean(&["store", "verify", "--store", &path]);
    assert!(text.contains("run 2: 62") && !text.contains("run 3"), "{text}");
    let elsewhere = folder.path().join("new.db");
    clean(&["store", "restore", "--store", text_of(&elsewhere), "--from", backup]);
    assert!(clean(&["store", "info", "--store", text_of(&elsewhere)]).contains("current"));
    let names: Vec<String> = fs::read_dir(folder.path())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("restoring") || name.contains("replaced"))
        .collect();
    assert_eq!(names, Vec::<String>::new(), "nothing is left over");
}

#[test]
fn a_backup_waits_for_no_load() {
    let (folder, path) = city();
    runtime().block_on(async {
        let store = Address::parse(&path).expect("an address").open().await.expect("a store");
        let mut open = store.load().await.expect("a load");
        put(&mut *open, 3, 10).await;
        let out = folder.path().join("b.db");
        let told = english(&["store", "backup", "--store", &path, "--out", text_of(&out)]);
        assert_eq!((told.code, told.stderr.contains("another run is being loaded")), (Some(2), true), "{}", told.stderr);
        assert!(!out.exists());
    });
}

#[test]
fn damage_is_found() {
    let (_folder, path) = city();
    let run_file = format!("{path}.runs/run-000002.db");
    let mut bytes = fs::read(&run_file).expect("the run");
    // A page in the middle, overwritten.
    let middle = bytes.len() / 8_192 / 2 * 8_192;
    bytes[middle..middle + 8_192].fill(0x55);
    fs::write(&run_file, bytes).expect("written");
    let told = english(&["store", "verify", "--store", &path]);
    assert_eq!(told.code, Some(1), "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("run-000002.db"), "{}", told.stdout);
    fs::remove_file(&run_file).expect("removed");
    let told = english(&["store", "verify", "--store", &path]);
    assert!(told.code == Some(1) && told.stdout.contains("run-000002.db: missing"), "{}", told.stdout);
}

#[test]
fn what_is_no_store_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("no.db");
    let told = english(&["store", "info", "--store", text_of(&path)]);
    assert_eq!((told.code, told.stderr.contains("there is no such store")), (Some(2), true), "{}", told.stderr);
    assert!(!path.exists(), "looking makes nothing");
    fs::write(&path, "个人所得").expect("written");
    for verb in [&["store", "info"][..], &["store", "verify"], &["audit", "verify"]] {
        let told = english(&[verb, &["--store", text_of(&path)]].concat());
        assert_eq!((told.code, told.stderr.contains("not a store of this program")), (Some(2), true), "{}", told.stderr);
    }
    assert_eq!(fs::read_to_string(&path).expect("still there"), "个人所得");
    let told = run(&["store", "info", "--store", "mysql://me:secret@host/x", "--lang", "zh"]);
    assert!(told.code == Some(2) && told.stderr.contains("存储地址有误") && !told.stderr.contains("secret"), "{}", told.stderr);
    let told = english(&["store", "info", "--store", "postgres://me:secret@127.0.0.1:1/x"]);
    assert!(told.code == Some(2) && told.stderr.contains("PGPASSWORD") && !told.stderr.contains("secret"), "{}", told.stderr);
    let told = english(&["store", "info", "--store", "postgres://me@127.0.0.1:1/x"]);
    assert!(told.code == Some(2) && told.stderr.contains("cannot be reached"), "{}", told.stderr);
    let told = english(&["store", "backup", "--store", "postgres://127.0.0.1:1/x", "--out", "x"]);
    assert!(told.code == Some(2) && told.stderr.contains("pg_dump"), "{}", told.stderr);
}

#[test]
fn a_newer_store_is_refused() {
    let (_folder, path) = city();
    let connection = rusqlite::Connection::open(&path).expect("the head");
    connection.pragma_update(None, "user_version", 9).expect("a newer version");
    drop(connection);
    let told = english(&["store", "info", "--store", &path]);
    assert_eq!(
        (told.code, told.stderr.contains("written by a newer version (format 9, this program reads up to 1)")),
        (Some(2), true),
        "{}",
        told.stderr
    );
    assert!(SqliteStore::open(Path::new(&path), true).is_err());
}

fn with_key(arguments: &[&str], key: &Path) -> Output {
    command(arguments).env("MIANSHEN_TRAIL_KEY_FILE", key).output().expect("the program starts")
}

#[test]
fn heads_kept_elsewhere_show_a_cut_tail() {
    let (folder, path) = city();
    let (key, heads) = (folder.path().join("key.pem"), folder.path().join("heads.jsonl"));
    fs::write(&key, KEY).expect("a key");
    let none = english(&["audit", "heads", "--store", &path, "--out", text_of(&heads)]);
    assert!(none.code == Some(2) && none.stderr.contains("MIANSHEN_TRAIL_KEY_FILE"), "{}", none.stderr);
    for _ in 0..2 {
        let signed = with_key(&["audit", "heads", "--store", &path, "--out", text_of(&heads), "--lang", "en"], &key);
        assert_eq!(signed.status.code(), Some(0), "{}", String::from_utf8_lossy(&signed.stderr));
    }
    assert_eq!(fs::read_to_string(&heads).expect("heads").lines().count(), 2);
    let verify = ["audit", "verify", "--store", &path, "--heads", text_of(&heads), "--lang", "en"];
    let told = with_key(&verify, &key);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.code() == Some(0) && text.contains("heads 2") && !text.contains("note"), "{text}");
    assert!(clean(&verify[..6]).contains("without a trusted public key"));
    let trail = rusqlite::Connection::open(format!("{path}.trail")).expect("the trail");
    trail.execute_batch("DELETE FROM record WHERE seq = 5; DELETE FROM content WHERE seq = 5").expect("cut");
    drop(trail);
    assert!(clean(&["audit", "verify", "--store", &path]).contains("records 4"));
    let told = with_key(&verify, &key);
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.status.code() == Some(1) && text.contains("the tail was cut") && text.contains("not whole"), "{text}");
    // A head of another key proves nothing.
    let forged = fs::read_to_string(&heads).expect("heads").replace("\"seq\":5", "\"seq\":4");
    fs::write(&heads, forged).expect("written");
    let told = with_key(&verify, &key);
    assert!(String::from_utf8_lossy(&told.stdout).contains("does not verify"));
}

#[test]
fn who_looked_is_shown_and_the_look_is_recorded() {
    let (_folder, path) = city();
    let text = clean(&["audit", "show", "--store", &path, "--subject", "P1", "--by", "监察员"]);
    assert!(!text.contains("张三"), "P1 is no person's number: {text}");
    runtime().block_on(async {
        let store = Address::parse(&path).expect("an address").open().await.expect("a store");
        let mut household = entry("李四", "H9");
        household.subject = household.subject.map(|subject| mianshen::store::trail::Subject { kind: "household".to_owned(), ..subject });
        store.trail_append(9, &[household]).await.expect("appended");
    });
    let text = clean(&["audit", "show", "--store", &path, "--subject", "H9", "--by", "监察员"]);
    assert!(text.contains("李四") && text.contains("read_services"), "{text}");
    let text = clean(&["audit", "show", "--store", &path, "--subject", "H9", "--by", "监察员"]);
    assert!(text.contains("监察员") && text.contains("read_trail"), "the look before is there: {text}");
    let told = english(&["audit", "erase", "--store", &path, "--subject", "H9", "--by", "管理员", "--reason", "请求"]);
    assert_eq!((told.code, told.stdout.trim()), (Some(0), "erased 3"), "{}", told.stderr);
    assert!(clean(&["audit", "verify", "--store", &path]).contains("erased 3"));
    let none = english(&["audit", "erase", "--store", &path, "--by", "管理员", "--reason", "请求"]);
    assert_eq!(none.code, Some(2), "which entries must be said");
}
