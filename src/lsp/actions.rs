//! What mends a finding: the safe fixes of `check --fix`, one by one or all of a document.

use gen_lsp_types::{
    CodeAction, CodeActionKind, CodeActionParams, CodeActionResponse, Diagnostic as Told, DocumentChange, Edit,
    OptionalVersionedTextDocumentIdentifier, Range, TextDocumentEdit, TextDocumentIdentifier, TextEdit, Uri, WorkspaceEdit,
};

use super::desk::Desk;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::fix::Fix;

/// The actions for a range of a document, of which `told` was told.
pub(super) fn actions(desk: &Desk<'_>, params: &CodeActionParams, told: &[Told], versioned: bool) -> Vec<CodeActionResponse> {
    let wants = |kind: &CodeActionKind| {
        let only = params.context.only.as_ref();
        only.is_none_or(|only| only.iter().any(|wanted| kind.as_str().starts_with(wanted.as_str())))
    };
    let mut found = Vec::new();
    let fixes = fixes(desk);
    if wants(&CodeActionKind::QuickFix) {
        let here = fixes.iter().filter(|(place, ..)| touches(*place, params.range));
        found.extend(here.map(|(place, diagnostic, fix)| {
            let of_it = told.iter().filter(|told| told.range == *place && is_about(told, diagnostic)).cloned().collect();
            let edit = edit(desk, &[*fix], versioned);
            action(desk.say(&fix.message).to_owned(), CodeActionKind::QuickFix, Some(of_it), edit)
        }));
    }
    if wants(&CodeActionKind::SourceFixAll) && !fixes.is_empty() {
        let all: Vec<&Fix> = fixes.iter().map(|(.., fix)| *fix).collect();
        let title = desk.pick("改正本文件中有唯一安全改法的问题", "Mend what has one safe way out in this file").to_owned();
        found.push(action(title, CodeActionKind::SourceFixAll, None, edit(desk, &all, versioned)));
    }
    found.into_iter().map(CodeActionResponse::CodeAction).collect()
}

fn action(title: String, kind: CodeActionKind, of: Option<Vec<Told>>, edit: WorkspaceEdit) -> CodeAction {
    let is_preferred = (kind == CodeActionKind::QuickFix).then_some(true);
    CodeAction { title, kind: Some(kind), diagnostics: of, is_preferred, edit: Some(edit), ..CodeAction::default() }
}

/// The fixes of the document as it stands in the editor, with the places that they are told at.
fn fixes<'d>(desk: &'d Desk<'_>) -> Vec<(Range, &'d Diagnostic, &'d Fix)> {
    let lines = desk.lines();
    let told = desk.workspace.diagnostics.iter().filter_map(|diagnostic| {
        let (fix, place) = (diagnostic.fix.as_ref()?, diagnostic.primary.as_ref()?);
        // What was looked at may be another text by now.
        let is_current = fix.span.path() == desk.path && place.path() == desk.path && *fix.span.file.text == *desk.text;
        is_current.then(|| (lines.range(&place.range), diagnostic, fix))
    });
    told.collect()
}

fn touches(place: Range, asked: Range) -> bool {
    place.start <= asked.end && asked.start <= place.end
}

fn is_about(told: &Told, diagnostic: &Diagnostic) -> bool {
    matches!(&told.code, Some(gen_lsp_types::Code::String(name)) if name == diagnostic.code.name)
}

/// The edit that applies fixes; of two that overlap the first counts.
fn edit(desk: &Desk<'_>, fixes: &[&Fix], versioned: bool) -> WorkspaceEdit {
    let lines = desk.lines();
    let mut sorted: Vec<&&Fix> = fixes.iter().collect();
    sorted.sort_by_key(|fix| (fix.span.range.start, fix.span.range.end));
    let (mut edits, mut behind) = (Vec::new(), 0);
    for fix in sorted.into_iter().filter(|fix| !fix.span.range.is_empty() || !fix.text.is_empty()) {
        if fix.span.range.start >= behind {
            behind = fix.span.range.end;
            edits.push(TextEdit { range: lines.range(&fix.span.range), new_text: fix.text.clone() });
        }
    }
    let document = desk.documents.get(desk.path);
    let uri = document.map_or_else(|| Uri(String::new()), |document| document.uri.clone());
    if !versioned {
        return WorkspaceEdit { changes: Some([(uri, edits)].into()), ..WorkspaceEdit::default() };
    }
    let text_document = OptionalVersionedTextDocumentIdentifier {
        version: document.map(|document| document.version),
        text_document_identifier: TextDocumentIdentifier { uri },
    };
    let edit = TextDocumentEdit { text_document, edits: edits.into_iter().map(Edit::TextEdit).collect() };
    WorkspaceEdit { document_changes: Some(vec![DocumentChange::TextDocumentEdit(edit)]), ..WorkspaceEdit::default() }
}
