//! A small client: frames messages, numbers requests, keeps what it is told.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::command;

/// Longer than anything takes on a busy machine; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server with what it said.
pub(crate) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Value>,
    /// Notifications that nobody looked at yet.
    told: VecDeque<Value>,
    /// Diagnostics by URI, as they were told last.
    pub(crate) diagnostics: BTreeMap<String, Value>,
    next: i64,
    versions: BTreeMap<String, i64>,
}

/// The URI of a path; the paths of tests need no escapes.
pub(crate) fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

impl Client {
    /// Starts a server without a word to it.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = command(&[&["lsp"], arguments].concat());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("the server starts");
        let stdout = child.stdout.take().expect("piped");
        let (sender, messages) = channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(stdout);
            while let Some(message) = read(&mut reader) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, messages, told: VecDeque::new(), diagnostics: BTreeMap::new(), next: 1, versions: BTreeMap::new() }
    }

    /// Starts a server on a folder, and says hello.
    pub(crate) fn open_folder(folder: &Path, options: Value) -> Self {
        let mut client = Self::start(&["--lang", "zh"]);
        client.hello(folder, &json!(["utf-16"]), options);
        client
    }

    /// `initialize` and `initialized`; what the server can.
    pub(crate) fn hello(&mut self, folder: &Path, encodings: &Value, options: Value) -> Value {
        let capabilities = json!({
            "general": {"positionEncodings": encodings},
            "workspace": {"workspaceEdit": {"documentChanges": true}, "didChangeWatchedFiles": {"dynamicRegistration": true}},
            "textDocument": {
                "hover": {"contentFormat": ["markdown", "plaintext"]},
                "publishDiagnostics": {"relatedInformation": true, "codeDescriptionSupport": true, "versionSupport": true},
            },
        });
        let folders = json!([{"uri": uri(folder), "name": "folder"}]);
        let params = json!({
            "processId": null, "rootUri": uri(folder), "workspaceFolders": folders, "capabilities": capabilities,
            "initializationOptions": options,
        });
        let result = self.ask("initialize", params);
        self.tell("initialized", json!({}));
        result["capabilities"].clone()
    }

    /// Sends a message as it is.
    pub(crate) fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let stdin = self.stdin.as_mut().expect("still open");
        write!(stdin, "Content-Length: {}\r\n\r\n{text}", text.len()).and_then(|()| stdin.flush()).expect("the server reads");
    }

    pub(crate) fn tell(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Sends a request; its number.
    pub(crate) fn request(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next;
        self.next += 1;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        id
    }

    /// The whole response to a request.
    pub(crate) fn response(&mut self, id: i64) -> Value {
        loop {
            let message = self.next_message();
            if message["id"] == json!(id) && message.get("method").is_none() {
                return message;
            }
        }
    }

    /// The result of a request, which must be answered.
    #[track_caller]
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params);
        let response = self.response(id);
        assert!(response.get("error").is_none(), "{method}: {response}");
        response["result"].clone()
    }

    /// The number of the error that a request is answered with.
    pub(crate) fn refused(&mut self, method: &str, params: Value) -> i64 {
        let id = self.request(method, params);
        let response = self.response(id);
        response["error"]["code"].as_i64().unwrap_or_else(|| panic!("{method} was answered: {response}"))
    }

    pub(crate) fn next_message(&mut self) -> Value {
        let message = match self.messages.recv_timeout(PATIENCE) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => panic!("the server says nothing"),
            Err(RecvTimeoutError::Disconnected) => panic!("the server is gone"),
        };
        if message["method"] == "textDocument/publishDiagnostics" {
            let params = &message["params"];
            self.diagnostics.insert(params["uri"].as_str().expect("a URI").to_owned(), params.clone());
        }
        if message.get("method").is_some() && message.get("id").is_some() {
            // What the server asks of the client is granted.
            self.send(&json!({"jsonrpc": "2.0", "id": message["id"], "result": null}));
        }
        if message.get("method").is_some() {
            self.told.push_back(message.clone());
        }
        message
    }

    /// The next message of a method, also of those that came before.
    pub(crate) fn wait_for(&mut self, method: &str) -> Value {
        loop {
            if let Some(at) = self.told.iter().position(|message| message["method"] == method) {
                return self.told.remove(at).expect("it is there")["params"].clone();
            }
            self.next_message();
        }
    }

    /// What is told of a file once it is as the test wants it.
    pub(crate) fn diagnostics_until(&mut self, path: &Path, wanted: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let uri = uri(path);
        loop {
            let told = self.diagnostics.get(&uri).and_then(|params| params["diagnostics"].as_array()).cloned();
            if let Some(told) = told.filter(|told| wanted(told)) {
                return told;
            }
            self.next_message();
        }
    }

    pub(crate) fn open(&mut self, path: &Path, text: &str) {
        self.versions.insert(uri(path), 1);
        let document = json!({"uri": uri(path), "languageId": "yaml", "version": 1, "text": text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}));
    }

    /// Replaces the text of a document as a whole, or a range of it.
    pub(crate) fn change(&mut self, path: &Path, changes: Value) {
        let version = self.versions.entry(uri(path)).or_insert(1);
        *version += 1;
        let document = json!({"uri": uri(path), "version": version});
        self.tell("textDocument/didChange", json!({"textDocument": document, "contentChanges": changes}));
    }

    /// Asks about a position.
    #[track_caller]
    pub(crate) fn at(&mut self, method: &str, path: &Path, position: &Value) -> Value {
        self.ask(method, json!({"textDocument": {"uri": uri(path)}, "position": position}))
    }

    /// `shutdown` and `exit`; the exit code.
    pub(crate) fn leave(mut self) -> Option<i32> {
        assert_eq!(self.ask("shutdown", Value::Null), Value::Null);
        self.tell("exit", Value::Null);
        self.exit_code()
    }

    /// Closes the pipe, and waits for the end.
    pub(crate) fn exit_code(mut self) -> Option<i32> {
        drop(self.stdin.take());
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A test that failed leaves no server behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A message; none at the end. Whatever is not framed as the protocol has it fails the test.
fn read(reader: &mut impl BufRead) -> Option<Value> {
    let mut length = None;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).expect("UTF-8") == 0 {
            assert!(length.is_none(), "the output ends in a header");
            return None;
        }
        let line = line.strip_suffix("\r\n").unwrap_or_else(|| panic!("not a header: {line:?}"));
        if line.is_empty() {
            break;
        }
        length = Some(line.strip_prefix("Content-Length: ").unwrap_or_else(|| panic!("not a header: {line:?}")).parse().expect("a length"));
    }
    let mut content = vec![0; length.expect("a length")];
    reader.read_exact(&mut content).expect("a whole message");
    Some(serde_json::from_slice(&content).expect("JSON"))
}

/// The position of a word of a text, in UTF-16 code units: the first one behind the first occurrence of `after`.
#[track_caller]
pub(crate) fn position(text: &str, after: &str, word: &str) -> Value {
    let start = text.find(after).unwrap_or_else(|| panic!("no `{after}`"));
    let at = start + text[start..].find(word).unwrap_or_else(|| panic!("no `{word}`"));
    position_of(text, at)
}

pub(crate) fn position_of(text: &str, at: usize) -> Value {
    let line = text[..at].matches('\n').count();
    let column: usize = text[..at].rsplit('\n').next().unwrap_or("").chars().map(char::len_utf16).sum();
    json!({"line": line, "character": column})
}

/// The text after edits of one document, which are applied from the last to the first.
pub(crate) fn edited(text: &str, edits: &Value) -> String {
    let byte = |position: &Value| {
        let line = usize::try_from(position["line"].as_u64().expect("a line")).expect("small");
        let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
        let wanted = usize::try_from(position["character"].as_u64().expect("a column")).expect("small");
        let mut units = 0;
        let within = text[start..].char_indices().find(|(_, sign)| {
            let found = units >= wanted;
            units += sign.len_utf16();
            found
        });
        within.map_or(text.len(), |(at, _)| start + at)
    };
    let mut all: Vec<(usize, usize, &str)> = edits
        .as_array()
        .expect("a list of edits")
        .iter()
        .map(|edit| (byte(&edit["range"]["start"]), byte(&edit["range"]["end"]), edit["newText"].as_str().expect("a text")))
        .collect();
    all.sort_unstable();
    let mut text = text.to_owned();
    for (start, end, new) in all.into_iter().rev() {
        text.replace_range(start..end, new);
    }
    text
}

/// A path of a folder of policies.
pub(crate) fn path(folder: &str, file: &str) -> PathBuf {
    Path::new(folder).join(file)
}
