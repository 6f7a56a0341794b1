//! What a client says of itself when it connects: where it works, what it can, what it wants.

use std::path::PathBuf;

use gen_lsp_types::{
    ClientCapabilities, CodeActionKind, CodeActionOptions, CodeActionProvider, CompletionOptions, DefinitionProvider,
    DidChangeWatchedFilesRegistrationOptions, DocumentFormattingProvider, DocumentSymbolProvider, FileSystemWatcher, GlobPattern,
    HoverProvider, InitializeParams, InitializeResult, MarkupKind, Registration, RegistrationParams, Save, ServerCapabilities, ServerInfo,
    TextDocumentSync, TextDocumentSyncKind, TextDocumentSyncOptions, WorkspaceFolders,
};
use serde::Deserialize;

use super::documents::path_of;
use super::position::Encoding;
use crate::diagnostic::Lang;

/// What a client can and where it works.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each tells of one thing that a client can or cannot do")]
pub(super) struct Client {
    /// How it counts columns.
    pub(super) encoding: Encoding,
    /// The folders that it has open.
    pub(super) roots: Vec<PathBuf>,
    /// Whether it shows Markdown in hovers.
    pub(super) markdown: bool,
    /// Whether it opens pages of diagnostic codes.
    pub(super) pages: bool,
    /// Whether it takes edits of versioned documents.
    pub(super) versioned_edits: bool,
    /// Whether it can be asked to tell of files that change on disk.
    pub(super) watches: bool,
    /// What it wants.
    pub(super) wishes: Wishes,
}

/// `initializationOptions`: what wins over the arguments that the server was started with. What is misspelt is left alone.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wishes {
    /// `zh` or `en`
    lang: Option<String>,
    /// The policies folder, from the first folder that is open.
    pub(super) policies: Option<PathBuf>,
    /// Where the registers of the sample are, from the first folder that is open.
    pub(super) sources: Option<PathBuf>,
}

impl Wishes {
    pub(super) fn lang(&self) -> Option<Lang> {
        match self.lang.as_deref()? {
            "zh" => Some(Lang::Zh),
            "en" => Some(Lang::En),
            _ => None,
        }
    }
}

impl Client {
    pub(super) fn new(params: InitializeParams) -> Self {
        let folders = match params.workspace_folders_initialize_params.workspace_folders {
            Some(WorkspaceFolders::WorkspaceFolderList(folders)) => folders,
            _ => Vec::new(),
        };
        let mut roots: Vec<PathBuf> = folders.iter().filter_map(|folder| path_of(&folder.uri)).collect();
        if roots.is_empty() {
            #[expect(deprecated, reason = "older clients say nothing else")]
            roots.extend(params.root_uri.as_ref().and_then(path_of));
        }
        let ClientCapabilities { workspace, text_document, general, .. } = params.capabilities;
        let workspace = workspace.unwrap_or_default();
        let document = text_document.unwrap_or_default();
        let offered = general.and_then(|general| general.position_encodings).unwrap_or_default();
        let formats = document.hover.and_then(|hover| hover.content_format).unwrap_or_default();
        let can = |told: Option<bool>| told.unwrap_or(false);
        Self {
            encoding: Encoding::of(&offered),
            roots,
            markdown: formats.contains(&MarkupKind::Markdown),
            pages: document.publish_diagnostics.is_some_and(|told| can(told.diagnostics_capabilities.code_description_support)),
            versioned_edits: workspace.workspace_edit.is_some_and(|edit| can(edit.document_changes)),
            watches: workspace.did_change_watched_files.is_some_and(|watched| can(watched.dynamic_registration)),
            wishes: params.initialization_options.and_then(|wishes| serde_json::from_value(wishes).ok()).unwrap_or_default(),
        }
    }

    /// What the server answers: what it can.
    pub(super) fn welcome(&self) -> InitializeResult {
        let sync = TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::Incremental),
            save: Some(Save::Bool(true)),
            ..TextDocumentSyncOptions::default()
        };
        let triggers = [".", "'", "\"", "‘", "“", "(", "（", " ", ":", "-"].map(str::to_owned);
        let capabilities = ServerCapabilities {
            position_encoding: Some(self.encoding.kind()),
            text_document_sync: Some(TextDocumentSync::Options(sync)),
            hover_provider: Some(HoverProvider::Bool(true)),
            completion_provider: Some(CompletionOptions { trigger_characters: Some(triggers.into()), ..CompletionOptions::default() }),
            definition_provider: Some(DefinitionProvider::Bool(true)),
            document_symbol_provider: Some(DocumentSymbolProvider::Bool(true)),
            code_action_provider: Some(CodeActionProvider::CodeActionOptions(CodeActionOptions {
                code_action_kinds: Some(vec![CodeActionKind::QuickFix, CodeActionKind::SourceFixAll]),
                ..CodeActionOptions::default()
            })),
            document_formatting_provider: Some(DocumentFormattingProvider::Bool(true)),
            ..ServerCapabilities::default()
        };
        let server_info = ServerInfo { name: "mianshen".to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()) };
        InitializeResult { capabilities, server_info: Some(server_info) }
    }
}

/// The wish to hear of files that change on disk: what a policies folder is made of.
pub(super) fn watch() -> RegistrationParams {
    let watchers = ["**/*.{yaml,yml}", "**/cases.{csv,xlsx}"]
        .map(|pattern| FileSystemWatcher { glob_pattern: GlobPattern::Pattern(pattern.to_owned()), kind: None });
    let options = DidChangeWatchedFilesRegistrationOptions { watchers: watchers.into() };
    let registration = Registration {
        id: "policies".to_owned(),
        method: "workspace/didChangeWatchedFiles".to_owned(),
        register_options: serde_json::to_value(options).ok(),
    };
    RegistrationParams { registrations: vec![registration] }
}
