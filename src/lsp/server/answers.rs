//! The answers to questions about documents.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use gen_lsp_types::Uri;
use lsp_server::{ErrorCode, Request, Response};
use serde::de::DeserializeOwned;

use super::Server;
use crate::lsp::desk::Desk;
use crate::lsp::{Workspace, actions, completion, definition, formatting, hover, symbols};

/// A result as JSON, or why there is none.
type Answer = Result<serde_json::Value, (ErrorCode, String)>;

impl Server {
    pub(super) fn answer(&self, request: Request) {
        let Request { id, method, params } = request;
        let answered = catch_unwind(AssertUnwindSafe(|| self.result(&method, params)));
        match answered {
            Ok(Ok(result)) => self.send(Response { id, response_result: Ok(result) }),
            Ok(Err((code, message))) => self.refuse(id, code, &message),
            Err(_) => self.refuse(id, ErrorCode::InternalError, "internal error, see stderr"),
        }
    }

    fn result(&self, method: &str, params: serde_json::Value) -> Answer {
        match method {
            "textDocument/hover" => {
                let markdown = self.client.as_ref().is_some_and(|client| client.markdown);
                self.at(
                    params,
                    |params: gen_lsp_types::HoverParams| params.text_document_position_params,
                    |desk, position| hover::hover(desk, position, markdown),
                )
            }
            "textDocument/completion" => {
                self.at(params, |params: gen_lsp_types::CompletionParams| params.text_document_position_params, completion::complete)
            }
            "textDocument/definition" => {
                self.at(params, |params: gen_lsp_types::DefinitionParams| params.text_document_position_params, definition::definition)
            }
            "textDocument/documentSymbol" => self.of(
                params,
                |params: gen_lsp_types::DocumentSymbolParams| (params.text_document.uri, ()),
                |desk, ()| symbols::symbols(desk),
            ),
            "textDocument/formatting" => self.of(
                params,
                |params: gen_lsp_types::DocumentFormattingParams| (params.text_document.uri, ()),
                |desk, ()| formatting::format(desk),
            ),
            "textDocument/codeAction" => {
                let versioned = self.client.as_ref().is_some_and(|client| client.versioned_edits);
                let told = |path: &Path| self.published.get(path).map_or(&[][..], Vec::as_slice);
                self.of(
                    params,
                    |params: gen_lsp_types::CodeActionParams| (params.text_document.uri.clone(), params),
                    |desk, params| Some(actions::actions(desk, &params, told(desk.path), versioned)),
                )
            }
            _ => Err((ErrorCode::MethodNotFound, format!("`{method}` is not known here"))),
        }
    }

    /// The answer to a question about a position.
    fn at<P: DeserializeOwned, R: serde::Serialize>(
        &self,
        params: serde_json::Value,
        place: impl FnOnce(P) -> gen_lsp_types::TextDocumentPositionParams,
        answer: impl FnOnce(&Desk<'_>, gen_lsp_types::Position) -> Option<R>,
    ) -> Answer {
        let parts = |params: P| {
            let at = place(params);
            (at.text_document.uri, at.position)
        };
        self.of(params, parts, answer)
    }

    /// The answer to a question about a document; null about those that are not open, or lie elsewhere.
    fn of<P: DeserializeOwned, Q, R: serde::Serialize>(
        &self,
        params: serde_json::Value,
        parts: impl FnOnce(P) -> (Uri, Q),
        answer: impl FnOnce(&Desk<'_>, Q) -> Option<R>,
    ) -> Answer {
        let params = serde_json::from_value(params).map_err(|error| (ErrorCode::InvalidParams, error.to_string()))?;
        let (uri, asked) = parts(params);
        let nothing = Workspace::default();
        let workspace = self.view.as_ref().map_or(&nothing, |view| &*view.workspace);
        let desk =
            self.names.get(&uri).and_then(|path| Desk::new(workspace, &self.documents, &self.sample, (self.lang, self.encoding()), path));
        let result = desk.and_then(|desk| answer(&desk, asked));
        serde_json::to_value(result).map_err(|error| (ErrorCode::InternalError, error.to_string()))
    }
}
