//! How a conversation begins and ends, and what it survives.

use std::io::Write;

use serde_json::{Value, json};

use super::client::{Client, path, position_of, uri};
use super::{OLD_AGE, codes};
use crate::support::Policies;

const SERVER_NOT_INITIALIZED: i64 = -32002;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const CANCELLED: i64 = -32800;

#[test]
fn the_first_word_is_initialize_and_the_last_is_exit() {
    let policies = Policies::new();
    let mut client = Client::start(&[]);
    assert_eq!(client.refused("textDocument/hover", json!({})), SERVER_NOT_INITIALIZED);
    assert_eq!(client.refused("shutdown", Value::Null), SERVER_NOT_INITIALIZED);
    client.tell("textDocument/didOpen", json!({}));
    assert_eq!(client.refused("initialize", json!({"capabilities": 3})), INVALID_PARAMS);
    let can = client.hello(policies.dir().as_ref(), &json!([]), json!({"lang": 7, "colour": "blue"}));
    assert_eq!((&can["positionEncoding"], &can["hoverProvider"]), (&json!("utf-16"), &json!(true)));
    assert_eq!(client.refused("initialize", json!({"capabilities": {}})), INVALID_REQUEST);
    assert_eq!(client.refused("workspace/nothing", json!({})), METHOD_NOT_FOUND);
    assert_eq!(client.refused("textDocument/documentSymbol", json!({"textDocument": 1})), INVALID_PARAMS);
    assert_eq!(client.ask("shutdown", Value::Null), Value::Null);
    assert_eq!(client.refused("textDocument/hover", json!({})), INVALID_REQUEST);
    client.tell("exit", Value::Null);
    assert_eq!(client.exit_code(), Some(0));
}

#[test]
fn leaving_without_a_word_is_told_by_the_exit_code() {
    let policies = Policies::new();
    let mut client = Client::open_folder(policies.dir().as_ref(), json!({}));
    client.tell("exit", Value::Null);
    assert_eq!(client.exit_code(), Some(1));
    let client = Client::open_folder(policies.dir().as_ref(), json!({}));
    assert_eq!(client.exit_code(), Some(1), "the pipe was closed");
    let mut client = Client::start(&[]);
    client.tell("exit", Value::Null);
    assert_eq!(client.exit_code(), Some(1), "before anything was said");
    assert_eq!(Client::start(&["--policies", "/nonexistent"]).exit_code(), Some(1));
}

#[test]
fn a_question_can_be_taken_back() {
    let policies = Policies::new();
    let file = path(policies.dir(), OLD_AGE);
    let mut client = Client::open_folder(policies.dir().as_ref(), json!({}));
    client.open(&file, &policies.read(OLD_AGE));
    // A change makes the answer wait for the next look, which waits for a pause: time enough to think better of it.
    client.change(&file, json!([{"text": policies.read(OLD_AGE)}]));
    let place = json!({"line": 0, "character": 0});
    let params = json!({"textDocument": {"uri": uri(&file)}, "range": {"start": place, "end": place}, "context": {"diagnostics": []}});
    let id = client.request("textDocument/codeAction", params.clone());
    client.tell("$/cancelRequest", json!({"id": id}));
    assert_eq!(client.response(id)["error"]["code"], json!(CANCELLED));
    client.tell("$/cancelRequest", json!({"id": "nothing"}));
    client.tell("$/cancelRequest", json!({}));
    assert_eq!(client.ask("textDocument/codeAction", params), json!([]));
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn documents_elsewhere_are_left_alone() {
    let policies = Policies::new();
    let mut client = Client::open_folder(policies.dir().as_ref(), json!({}));
    let elsewhere = std::path::Path::new("/nonexistent/notes.yaml");
    client.open(elsewhere, "when: x\n");
    let untitled = json!({"uri": "untitled:Untitled-1", "languageId": "yaml", "version": 1, "text": "a: 1"});
    client.tell("textDocument/didOpen", json!({"textDocument": untitled}));
    let at = json!({"line": 0, "character": 1});
    for method in ["textDocument/hover", "textDocument/definition"] {
        assert_eq!(client.at(method, elsewhere, &at), Value::Null);
        assert_eq!(client.ask(method, json!({"textDocument": {"uri": "untitled:Untitled-1"}, "position": at})), Value::Null);
        assert_eq!(client.at(method, &path(policies.dir(), OLD_AGE), &at), Value::Null, "it is not open");
    }
    assert_eq!(client.at("textDocument/completion", elsewhere, &at), json!([]));
    assert_eq!(
        client.ask(
            "textDocument/formatting",
            json!({"textDocument": {"uri": uri(elsewhere)}, "options": {"tabSize": 2, "insertSpaces": true}})
        ),
        Value::Null
    );
    client.change(std::path::Path::new("/never/opened.yaml"), json!([{"text": "x"}]));
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn a_folder_is_found_from_a_document() {
    let policies = Policies::new();
    let nowhere = tempfile::tempdir().expect("a folder");
    let file = path(policies.dir(), OLD_AGE);
    let mut client = Client::open_folder(nowhere.path(), json!({}));
    client.open(&file, &policies.read(OLD_AGE).replace("not deceased or", "not deceasd or"));
    client.diagnostics_until(&file, |told| codes(told).contains(&"unknown-fact"));
    assert_eq!(client.leave(), Some(0));
    // Or it is named: by an argument, or by the client, who has the last word.
    let mut client = Client::start(&["--policies", policies.dir()]);
    client.hello(nowhere.path(), &json!([]), json!({}));
    client.open(&file, "code: [\n");
    client.diagnostics_until(&file, |told| codes(told).contains(&"yaml-syntax"));
    assert_eq!(client.leave(), Some(0));
    let mut client = Client::start(&["--policies", policies.dir()]);
    client.hello(nowhere.path(), &json!([]), json!({"policies": "nothing-here", "lang": "en"}));
    let message = client.wait_for("window/showMessage");
    assert!(message["message"].as_str().is_some_and(|text| text.contains("nothing-here is no folder, or does not exist")), "{message}");
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn whatever_is_typed_is_survived() {
    let policies = Policies::new();
    let file = path(policies.dir(), OLD_AGE);
    let text = policies.read(OLD_AGE);
    let mut client = Client::open_folder(policies.dir().as_ref(), json!({}));
    client.open(&file, "");
    let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).step_by(19).collect();
    assert!(ends.len() > 60, "{}", ends.len());
    for end in ends {
        let typed = &text[..end];
        client.change(&file, json!([{"text": typed}]));
        let at = position_of(typed, typed.len());
        for method in ["textDocument/hover", "textDocument/completion", "textDocument/definition"] {
            client.at(method, &file, &at);
        }
        client.ask("textDocument/documentSymbol", json!({"textDocument": {"uri": uri(&file)}}));
    }
    for odd in [
        "\u{feff}code: x\n",
        "a: &x 1\nb: *x\n",
        "---\n---\n",
        "\t- {",
        "when: 'a\r\n  b\r",
        "当: [情形 当",
        "{{{{{{",
        "- - - -",
        "\0\u{2028}",
    ] {
        client.change(&file, json!([{"text": odd}]));
        for at in [json!({"line": 0, "character": 3}), json!({"line": 9, "character": 99})] {
            client.at("textDocument/hover", &file, &at);
            client.at("textDocument/completion", &file, &at);
        }
        client
            .ask("textDocument/formatting", json!({"textDocument": {"uri": uri(&file)}, "options": {"tabSize": 2, "insertSpaces": true}}));
    }
    // A fault that is certainly told, since nothing follows it, and its end.
    client.change(&file, json!([{"text": text.replace("not deceased or", "not deceasd or")}]));
    client.diagnostics_until(&file, |told| codes(told) == ["unknown-fact"]);
    client.change(&file, json!([{"text": text}]));
    client.diagnostics_until(&file, <[Value]>::is_empty);
    assert_eq!(client.leave(), Some(0));
}

#[test]
fn what_is_no_message_ends_the_conversation() {
    for nonsense in ["Content-Length: 5\r\n\r\n{nope", "GET / HTTP/1.1\r\n\r\n", "Content-Length: 9999\r\n\r\n{}"] {
        let mut child = crate::support::command(&["lsp", "--lang", "en"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .expect("the server starts");
        child.stdin.take().expect("piped").write_all(nonsense.as_bytes()).expect("written");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]));
        let stderr = String::from_utf8(output.stderr).expect("UTF-8");
        assert!(stderr.contains("the connection to the editor broke") && !stderr.contains("panicked"), "{stderr}");
    }
}
