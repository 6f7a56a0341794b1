//! Settings and keys: told at the character, checked before anything starts.

use std::fs;

use sha2::{Digest, Sha256};

use crate::support::run;

#[track_caller]
fn check(text: &str, code: i32, told: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("serve.yaml");
    let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
    fs::write(&path, text.replace("POLICIES", policies)).expect("written");
    let run = run(&["serve", "--check", "--lang", "en", "--settings", path.to_str().expect("UTF-8")]);
    assert_eq!(run.code, Some(code), "{}{}", run.stdout, run.stderr);
    for word in told {
        assert!(run.stderr.contains(word) || run.stdout.contains(word), "no `{word}` in {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn settings_are_checked() {
    check("policies: POLICIES\n", 0, &["only this machine will be served"]);
    check("policies: POLICIES\nlimits: {bursts: 3}\n", 1, &["serve.yaml:2:10", "unknown key `bursts`", "did you mean `burst`?"]);
    check("policies: POLICIES\nlisten: 0.0.0.0:80\n", 1, &["MS3010", "listen on 127.0.0.1"]);
    check("policies: POLICIES\nissuers: [{issuer: a, audience: b, keys: serve.yaml}]\n", 1, &["holds no public key"]);
    check("policies: nowhere\n", 1, &["nowhere"]);
    let run = run(&["serve", "--check", "--settings", "nowhere.yaml", "--lang", "en"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
}

#[test]
fn a_new_key_comes_with_its_digest() {
    let run = run(&["serve", "--new-key", "desk", "--lang", "en"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let key = run.stdout.lines().nth(1).expect("the key").trim();
    let digest = mianshen::hex::digits(&Sha256::digest(key));
    assert!(run.stdout.contains(&format!("sha256: {digest}")), "{}", run.stdout);
}
