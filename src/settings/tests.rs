//! Secrets are where settings say; files and addresses are sound; every mistake is told at its place.

use std::path::Path;

use super::*;
use crate::yaml::{Fields, parse};

/// What reading a mapping gives, and what it told: codes and places.
fn read<T>(folder: &Path, text: &str, work: impl FnOnce(&mut Fields<'_>) -> T) -> (T, Vec<(&'static str, String)>) {
    let (root, mut told) = parse(&SourceFile::new(folder.join("settings.yaml"), text));
    let root = root.expect("YAML");
    let mut fields = Fields::new(&root, &mut told).expect("a mapping");
    let got = work(&mut fields);
    fields.finish();
    let place = |one: &Diagnostic| one.primary.as_ref().map_or(String::new(), |place| place.text().to_owned());
    (got, told.iter().map(|one| (one.code.name, place(one))).collect())
}

/// A folder with secrets.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("long", "0123456789abcdef\n"), ("short", "s3cret\n"), ("empty", " \n"), ("bytes", "\u{0}\u{1}")] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    folder
}

#[track_caller]
fn secret(text: &str, least: usize, expected: Result<&str, (&str, &str)>) {
    let folder = folder();
    let (got, told) = read(folder.path(), text, |fields| required_secret(fields, folder.path(), ["key_file", "key_env"], least));
    match expected {
        Ok(value) => assert_eq!((got, told), (Some(Secret::new(value)), Vec::new()), "{text}"),
        Err((code, place)) => assert_eq!((got, told), (None, vec![(code, place.to_owned())]), "{text}"),
    }
}

#[test]
fn secrets_are_in_files_or_in_the_environment() {
    secret("key_file: long", 16, Ok("0123456789abcdef"));
    secret("key_file: short", 1, Ok("s3cret"));
    secret("key_file: bytes", 1, Ok("\u{0}\u{1}"));
    let path = std::env::var("PATH").expect("a variable that is there");
    secret("key_env: PATH", 1, Ok(&path));
    secret("key_file: short", 16, Err(("settings-invalid", "short")));
    secret("key_file: empty", 1, Err(("settings-invalid", "empty")));
    secret("key_file: none", 1, Err(("settings-invalid", "none")));
    secret("key_env: MIANSHEN_NO_SUCH_VARIABLE", 1, Err(("settings-invalid", "MIANSHEN_NO_SUCH_VARIABLE")));
    secret("key_env: 'a=b'", 1, Err(("settings-invalid", "'a=b'")));
    secret("{key_file: long, key_env: PATH}", 1, Err(("settings-invalid", "PATH")));
    secret("{key_file: [long]}", 1, Err(("wrong-shape", "[long]")));
    secret("key_file:", 1, Err(("missing-key", "key_file")));
}

#[test]
fn a_secret_that_need_not_be_there_is_not_asked_for() {
    let folder = folder();
    let optional = |text: &str| read(folder.path(), text, |fields| optional_secret(fields, folder.path(), ["key_file", "key_env"], 1));
    assert_eq!(optional("key_file:"), (None, Vec::new()));
    assert_eq!(optional("key_file: none").1.len(), 1, "what is named must be there");
    assert!(!format!("{:?}", Secret::new("hidden")).contains("hidden"));
}

#[track_caller]
fn an_option(text: &str, expected: Result<(&str, &str), (&str, &str)>) {
    let folder = folder();
    let (root, mut told) = parse(&SourceFile::new(folder.path().join("settings.yaml"), text));
    let got = option(&root.expect("YAML"), folder.path(), &mut told);
    let told: Vec<(&str, &str)> = told.iter().map(|one| (one.code.name, one.primary.as_ref().map_or("", |place| place.text()))).collect();
    match expected {
        Ok((name, value)) => assert_eq!((got, told), (Some((name.to_owned(), Secret::new(value))), Vec::new()), "{text}"),
        Err(fault) => assert_eq!((got, told), (None, vec![fault]), "{text}"),
    }
}

#[test]
fn no_password_stands_in_the_settings() {
    an_option("{name: security.protocol, value: SASL_SSL}", Ok(("security.protocol", "SASL_SSL")));
    an_option("{name: sasl.username, value: city}", Ok(("sasl.username", "city")));
    // A password is as long as whoever gave it has made it.
    an_option("{name: sasl.password, value_file: short}", Ok(("sasl.password", "s3cret")));
    for name in [
        "sasl.password",
        "ssl.key.password",
        "SSL.Keystore.Password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "ssl.key.pem",
    ] {
        an_option(&format!("{{name: {name}, value: hidden}}"), Err(("settings-invalid", "hidden")));
    }
    an_option("{name: a, value: b, value_file: long}", Err(("settings-invalid", "name")));
    an_option("{name: a}", Err(("settings-invalid", "name")));
    an_option("{name: a, value_file: none}", Err(("settings-invalid", "none")));
}

#[test]
fn addresses_lead_over_https_or_stay_here() {
    let told = |text: &str| {
        let folder = folder();
        let work = |fields: &mut Fields<'_>| {
            let node = fields.required("url").expect("there");
            address_at(fields, node, node.text().unwrap_or_default()).is_some()
        };
        let (got, told) = read(folder.path(), &format!("url: '{text}'"), work);
        assert_eq!(got, told.is_empty(), "{text}");
        told.first().map(|(code, _)| *code)
    };
    for sound in ["https://fw.example/in?a=b", "http://127.0.0.1:9/", "http://[::1]:9", "http://localhost/x"] {
        assert_eq!(told(sound), None, "{sound}");
    }
    for (text, code) in [
        ("fw.example/in", "wrong-shape"),
        ("ftp://fw.example", "wrong-shape"),
        ("file:///etc/passwd", "wrong-shape"),
        ("", "wrong-shape"),
        ("https://a:b@fw.example", "settings-invalid"),
        ("https://a@fw.example", "settings-invalid"),
        ("http://fw.example", "settings-invalid"),
        ("http://localhost.example", "settings-invalid"),
    ] {
        assert_eq!(told(text), Some(code), "{text}");
    }
}

#[test]
fn files_must_be_there_and_certificates_be_some() {
    let folder = folder();
    let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls/ca.pem");
    let text = format!("{{there: long, gone: none, ca: '{ca}', other: long}}");
    let ((there, gone, ca_there, other, unset), told) = read(folder.path(), &text, |fields| {
        let files = (file(fields, "there", folder.path()), file(fields, "gone", folder.path()));
        let mut trusted = |key| authority(fields, key, folder.path());
        (files.0, files.1, trusted("ca"), trusted("other"), trusted("unset"))
    });
    assert_eq!((there, gone), (Some(folder.path().join("long")), None));
    assert_eq!((ca_there, other, unset), (Ok(Some(ca.into())), Err(()), Ok(None)));
    let expected = [("settings-invalid", "none".to_owned()), ("settings-invalid", "long".to_owned())];
    assert_eq!(told, expected);
}

#[test]
fn a_file_that_cannot_be_opened_is_told_with_its_page() {
    let told = open(Path::new("no/such/settings.yaml"), "docs/serve.md").expect_err("none");
    assert_eq!(told[0].code.name, "path-missing");
    assert!(told[0].help.iter().any(|help| help.en.contains("docs/serve.md")), "{told:?}");
}
