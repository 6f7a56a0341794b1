//! The conversation with one client: what is open, what is asked, what was looked at.

mod answers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, never, select};
use gen_lsp_types::{
    CancelParams, Diagnostic as Told, DidChangeTextDocumentParams, DidChangeWatchedFilesParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, DidSaveTextDocumentParams, Id, InitializeParams, LogMessageParams, MessageType, PublishDiagnosticsParams,
    ShowMessageParams, Uri,
};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::de::DeserializeOwned;

use super::checker::{Checker, Job, Looked, is_open};
use super::client::{self, Client};
use super::diagnostics::{self, Pages, Style};
use super::documents::{Document, Documents, path_of};
use super::sample::{self, Sampler, State};
use super::{Options, Workspace};
use crate::diagnostic::{Diagnostic, Lang, Message as Words};

/// Talks to a client until it leaves; whether it took its leave in order.
///
/// # Errors
///
/// When a thread cannot be started.
pub(super) fn run(connection: Connection, options: Options) -> std::io::Result<bool> {
    let Connection { sender, receiver } = connection;
    let checker = Checker::start(options.eyes)?;
    let mut server = Server {
        sender,
        lang: options.lang,
        options,
        phase: Phase::Fresh,
        client: None,
        documents: Documents::default(),
        names: HashMap::new(),
        folder: None,
        state: 0,
        view: None,
        published: BTreeMap::new(),
        shown: BTreeSet::new(),
        waiting: Vec::new(),
        pages: None,
        sampler: None,
        sample: State::Absent,
        sample_due: true,
    };
    let left = server.talk(&receiver, &checker)?;
    if let Some(sampler) = server.sampler {
        sampler.stop();
    }
    Ok(left)
}

/// How far the conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The client has not said who it is.
    Fresh,
    /// Questions are answered.
    Ready,
    /// The client has said that it is about to leave.
    Leaving,
}

/// The folder as it was looked at last.
struct View {
    workspace: Arc<Workspace>,
    state: u64,
    /// The versions of what was open.
    versions: BTreeMap<PathBuf, i32>,
    /// What took longer to find: of this state, else of one before.
    rest: Vec<Diagnostic>,
}

struct Server {
    sender: Sender<Message>,
    options: Options,
    lang: Lang,
    phase: Phase,
    client: Option<Client>,
    documents: Documents,
    /// Paths of open documents by the URI that the client gave.
    names: HashMap<Uri, PathBuf>,
    folder: Option<PathBuf>,
    /// Counts the states of the folder.
    state: u64,
    view: Option<View>,
    /// What was told of each file, with the version that it was told of.
    published: BTreeMap<PathBuf, Vec<Told>>,
    /// What was told without a place.
    shown: BTreeSet<String>,
    /// Questions that wait for a look at the folder.
    waiting: Vec<Request>,
    pages: Option<Pages>,
    sampler: Option<Sampler>,
    sample: State,
    /// Whether facts may have changed since the sample was asked for.
    sample_due: bool,
}

impl Server {
    fn talk(&mut self, messages: &Receiver<Message>, checker: &Checker) -> std::io::Result<bool> {
        loop {
            let samples = self.sampler.as_ref().map_or_else(never, |sampler| sampler.results.clone());
            select! {
                recv(messages) -> message => {
                    let Ok(message) = message else { return Ok(false) };
                    if let ControlFlow::Break(left) = self.hear(message, checker)? {
                        return Ok(left);
                    }
                }
                recv(checker.results) -> looked => {
                    if let Ok(looked) = looked {
                        self.looked(looked);
                    }
                }
                recv(samples) -> state => {
                    if let Ok(state) = state {
                        self.sample = state;
                    }
                }
            }
        }
    }

    fn hear(&mut self, message: Message, checker: &Checker) -> std::io::Result<ControlFlow<bool>> {
        match message {
            Message::Request(request) => self.asked(request, checker)?,
            Message::Notification(told) if told.method == "exit" => return Ok(ControlFlow::Break(self.phase == Phase::Leaving)),
            Message::Notification(told) if self.phase == Phase::Ready => self.told(told, checker)?,
            Message::Notification(_) | Message::Response(_) => {}
        }
        Ok(ControlFlow::Continue(()))
    }

    fn send(&self, message: impl Into<Message>) {
        // A client that went away hears nothing more; its leaving ends the conversation.
        let _ = self.sender.send(message.into());
    }

    fn notify(&self, method: &str, params: impl serde::Serialize) {
        self.send(Notification::new(method.to_owned(), params));
    }

    fn refuse(&self, id: RequestId, code: ErrorCode, message: &str) {
        self.send(Response::new_err(id, code as i32, message.to_owned()));
    }

    fn asked(&mut self, request: Request, checker: &Checker) -> std::io::Result<()> {
        match (self.phase, request.method.as_str()) {
            (Phase::Fresh, "initialize") => match serde_json::from_value::<InitializeParams>(request.params) {
                Ok(params) => self.welcome(request.id, params, checker)?,
                Err(error) => self.refuse(request.id, ErrorCode::InvalidParams, &error.to_string()),
            },
            (Phase::Fresh, _) => self.refuse(request.id, ErrorCode::ServerNotInitialized, "`initialize` comes first"),
            (Phase::Ready, "initialize") => self.refuse(request.id, ErrorCode::InvalidRequest, "`initialize` comes once"),
            (Phase::Ready, "shutdown") => {
                self.phase = Phase::Leaving;
                for waiting in std::mem::take(&mut self.waiting) {
                    self.refuse(waiting.id, ErrorCode::RequestCanceled, "the server is shutting down");
                }
                self.send(Response::new_ok(request.id, ()));
            }
            (Phase::Ready, _) if self.must_wait(&request) => self.waiting.push(request),
            (Phase::Ready, _) => self.answer(request),
            (Phase::Leaving, _) => self.refuse(request.id, ErrorCode::InvalidRequest, "only `exit` may follow `shutdown`"),
        }
        Ok(())
    }

    /// Whether a question needs a look at the folder that is still to come.
    fn must_wait(&self, request: &Request) -> bool {
        let seen = self.view.as_ref().map_or(0, |view| view.state);
        let needed = match request.method.as_str() {
            "textDocument/codeAction" => self.state,
            "textDocument/hover" | "textDocument/completion" | "textDocument/definition" => 1.min(self.state),
            _ => 0,
        };
        seen < needed
    }

    fn welcome(&mut self, id: RequestId, params: InitializeParams, checker: &Checker) -> std::io::Result<()> {
        let client = Client::new(params);
        self.lang = client.wishes.lang().unwrap_or(self.lang);
        self.pages = if client.pages { Pages::write().ok() } else { None };
        self.phase = Phase::Ready;
        self.send(Response::new_ok(id, client.welcome()));
        let from_root = |path: &PathBuf| client.roots.first().map_or_else(|| path.clone(), |root| root.join(path));
        let asked = client.wishes.policies.as_ref().map(from_root).or_else(|| self.options.policies.clone());
        let folder = match asked {
            Some(path) => Some(std::path::absolute(path)?),
            None => client.roots.iter().find_map(|root| folder_of_root(root)),
        };
        if let Some(sources) = client.wishes.sources.as_ref().map(from_root) {
            self.options.sources = Some(sources);
        }
        self.client = Some(client);
        match folder {
            Some(folder) => self.adopt(folder, checker),
            None => Ok(()),
        }
    }

    /// Takes a folder as the one that the documents belong to.
    fn adopt(&mut self, folder: PathBuf, checker: &Checker) -> std::io::Result<()> {
        let sources = self.options.sources.clone().or_else(|| sample::beside(&folder));
        self.sampler = Some(Sampler::start(sources)?);
        self.folder = Some(folder);
        self.look_again(checker, true);
        Ok(())
    }

    /// Asks for a look at the folder as it is now.
    fn look_again(&mut self, checker: &Checker, at_once: bool) {
        let Some(dir) = self.folder.clone() else { return };
        self.state += 1;
        checker.ask(Job { dir, texts: self.documents.texts(), versions: self.documents.versions(), state: self.state, at_once });
    }

    fn told(&mut self, told: Notification, checker: &Checker) -> std::io::Result<()> {
        match told.method.as_str() {
            "initialized" if self.client.as_ref().is_some_and(|client| client.watches) => {
                let id = RequestId::from("watch".to_owned());
                self.send(Request::new(id, "client/registerCapability".to_owned(), client::watch()));
            }
            "textDocument/didOpen" => {
                if let Some(params) = params::<DidOpenTextDocumentParams>(told) {
                    self.opened(params, checker)?;
                }
            }
            "textDocument/didChange" => {
                if let Some(params) = params::<DidChangeTextDocumentParams>(told) {
                    let uri = &params.text_document.text_document_identifier.uri;
                    let encoding = self.encoding();
                    if let Some(path) = self.names.get(uri) {
                        self.documents.change(path, params.text_document.version, params.content_changes, encoding);
                        self.look_again(checker, false);
                    }
                }
            }
            "textDocument/didSave" => {
                if let Some(path) = params::<DidSaveTextDocumentParams>(told).and_then(|params| path_of(&params.text_document.uri)) {
                    self.sample_due |= self.makes_facts(&path);
                    self.look_again(checker, true);
                }
            }
            "textDocument/didClose" => {
                if let Some(params) = params::<DidCloseTextDocumentParams>(told)
                    && let Some(path) = self.names.remove(&params.text_document.uri)
                {
                    self.documents.close(&path);
                    self.look_again(checker, true);
                }
            }
            "workspace/didChangeWatchedFiles" => {
                if let Some(params) = params::<DidChangeWatchedFilesParams>(told) {
                    let paths = params.changes.iter().filter_map(|change| path_of(&change.uri));
                    self.sample_due |= paths.into_iter().any(|path| self.makes_facts(&path));
                    self.look_again(checker, false);
                }
            }
            "$/cancelRequest" => {
                if let Some(params) = params::<CancelParams>(told) {
                    self.cancel(&match params.id {
                        Id::Int(number) => RequestId::from(number),
                        Id::String(text) => RequestId::from(text),
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn opened(&mut self, params: DidOpenTextDocumentParams, checker: &Checker) -> std::io::Result<()> {
        let document = params.text_document;
        let Some(path) = path_of(&document.uri) else { return Ok(()) };
        let path = self.folder.as_deref().and_then(|folder| inside(folder, &path)).unwrap_or(path);
        self.names.insert(document.uri.clone(), path.clone());
        let found = if self.folder.is_none() { path.ancestors().skip(1).find(|dir| is_policies(dir)).map(Path::to_owned) } else { None };
        self.documents.open(path, Document { uri: document.uri, version: document.version, text: document.text.into() });
        match found {
            Some(folder) => self.adopt(folder, checker),
            None => {
                self.look_again(checker, true);
                Ok(())
            }
        }
    }

    /// Whether facts come from a file.
    fn makes_facts(&self, path: &Path) -> bool {
        self.folder.as_ref().is_some_and(|folder| path.starts_with(folder.join("registers")))
    }

    fn encoding(&self) -> super::position::Encoding {
        self.client.as_ref().map_or_else(|| super::position::Encoding::of(&[]), |client| client.encoding)
    }

    fn cancel(&mut self, id: &RequestId) {
        let before = self.waiting.len();
        self.waiting.retain(|request| request.id != *id);
        if self.waiting.len() < before {
            self.refuse(id.clone(), ErrorCode::RequestCanceled, "cancelled");
        }
    }

    /// Takes in what was found, tells it, and answers who waited for it.
    fn looked(&mut self, looked: Looked) {
        if self.phase != Phase::Ready {
            return;
        }
        let (workspace, versions, state) = match looked {
            Looked::AtOnce { workspace, versions, state } => (workspace, versions, state),
            Looked::AtLength { diagnostics, state } => {
                if let Some(view) = self.view.as_mut().filter(|view| view.state == state) {
                    view.rest = diagnostics;
                    self.publish();
                }
                return;
            }
        };
        let before = self.view.take();
        match workspace {
            Some(workspace) => {
                let rest = before.map_or_else(Vec::new, |before| still(before.rest, &workspace, &versions));
                self.view = Some(View { workspace, state, versions, rest });
                self.publish();
                self.ask_for_sample();
            }
            None => {
                let words = Words::new("检查时出了内部错误, 见标准错误输出", "checking failed on an internal error, see stderr");
                self.notify("window/logMessage", LogMessageParams { kind: MessageType::Error, message: words.get(self.lang).to_owned() });
                let (workspace, rest) = before.map_or_else(Default::default, |before| (before.workspace, before.rest));
                self.view = Some(View { workspace, state, versions, rest });
            }
        }
        for request in std::mem::take(&mut self.waiting) {
            if self.must_wait(&request) {
                self.waiting.push(request);
            } else {
                self.answer(request);
            }
        }
    }

    fn ask_for_sample(&mut self) {
        if let (true, Some(sampler), Some(view)) = (self.sample_due, &self.sampler, &self.view) {
            self.sample_due = false;
            self.sample = sampler.ask(&view.workspace);
        }
    }

    /// Tells what changed since the last look, file by file.
    fn publish(&mut self) {
        let Some(view) = &self.view else { return };
        let versions = &view.versions;
        let style = Style { lang: self.lang, encoding: self.encoding(), pages: self.pages.as_ref(), documents: &self.documents };
        let (mut files, nowhere) = diagnostics::by_file(&view.workspace, &view.rest, &style);
        let paths: BTreeSet<PathBuf> = files.keys().chain(self.published.keys()).cloned().collect();
        for path in paths {
            let version = versions.get(&path).copied();
            let current = self.documents.get(&path).map(|document| document.version);
            // What has been typed since is being looked at.
            if current.is_some() && current != version {
                continue;
            }
            let told = files.remove(&path).unwrap_or_default();
            if self.published.get(&path).is_some_and(|before| *before == told) {
                continue;
            }
            if let Some(uri) = self.documents.uri(&path) {
                let params = PublishDiagnosticsParams { uri, version, diagnostics: told.clone() };
                self.notify("textDocument/publishDiagnostics", params);
            }
            if told.is_empty() {
                self.published.remove(&path);
            } else {
                self.published.insert(path, told);
            }
        }
        for message in nowhere.difference(&self.shown) {
            self.notify("window/showMessage", ShowMessageParams { kind: MessageType::Error, message: message.clone() });
        }
        self.shown = nowhere;
    }
}

/// What was found before of policies that have not changed since; those that are open were looked at anew.
fn still(before: Vec<Diagnostic>, workspace: &Workspace, versions: &BTreeMap<PathBuf, i32>) -> Vec<Diagnostic> {
    let stands = |diagnostic: &Diagnostic| {
        let Some(place) = &diagnostic.primary else { return false };
        let policy = workspace.set.policies.iter().find(|policy| policy.path == place.path());
        policy.is_some_and(|policy| policy.place.file.text == place.file.text && !is_open(versions, policy))
    };
    before.into_iter().filter(stands).collect()
}

/// The parameters of a notification; none where they are not what they should be, which nobody can be told of.
fn params<P: DeserializeOwned>(told: Notification) -> Option<P> {
    serde_json::from_value(told.params).ok()
}

/// Whether a folder is one of policies.
fn is_policies(dir: &Path) -> bool {
    dir.join("regions.yaml").is_file() || dir.join("registers").is_dir()
}

/// The policies folder of a folder that the editor has open: below it, itself, or around it.
fn folder_of_root(root: &Path) -> Option<PathBuf> {
    let below = root.join("policies");
    if is_policies(&below) {
        return Some(below);
    }
    root.ancestors().find(|dir| is_policies(dir)).map(Path::to_owned)
}

/// A path as one below a folder, where it leads there by another spelling (through a link).
fn inside(folder: &Path, path: &Path) -> Option<PathBuf> {
    if path.starts_with(folder) {
        return Some(path.to_owned());
    }
    let real = path.canonicalize().ok()?;
    let below = real.strip_prefix(folder.canonicalize().ok()?).ok()?;
    Some(folder.join(below))
}
