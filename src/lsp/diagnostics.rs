//! What `check` tells, as the protocol has it: per file, at code units, with the clause of law beside it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use gen_lsp_types::{
    Code, CodeDescription, Diagnostic as Told, DiagnosticRelatedInformation, DiagnosticSeverity, Location, Message as Text, Range, Uri,
};

use super::Workspace;
use super::documents::{Documents, uri_of};
use super::position::{Encoding, Lines};
use crate::diagnostic::{CODES, Diagnostic, Lang, Severity, SourceFile, Span};
use crate::policy::document::PolicyDocument;
use crate::yaml::{self, Node};

/// Where what is told comes from, for people.
const SOURCE: &str = "mianshen";

/// The pages of diagnostic codes as files that an editor can open; they are removed with the value.
pub(super) struct Pages {
    folder: tempfile::TempDir,
}

impl Pages {
    /// Writes every page.
    ///
    /// # Errors
    ///
    /// When there is no room for temporary files.
    pub(super) fn write() -> std::io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("mianshen-codes-").tempdir()?;
        for code in CODES {
            std::fs::write(folder.path().join(format!("{}.md", code.name)), code.page)?;
        }
        Ok(Self { folder })
    }

    fn of(&self, name: &str) -> Option<CodeDescription> {
        uri_of(&self.folder.path().join(format!("{name}.md"))).map(|href| CodeDescription { href })
    }
}

/// What a client must be told how.
pub(super) struct Style<'a> {
    pub(super) lang: Lang,
    pub(super) encoding: Encoding,
    pub(super) pages: Option<&'a Pages>,
    pub(super) documents: &'a Documents,
}

/// What is told of each file, and the headlines of what has no place; `rest` is what took longer to find.
pub(super) fn by_file(workspace: &Workspace, rest: &[Diagnostic], style: &Style<'_>) -> (BTreeMap<PathBuf, Vec<Told>>, BTreeSet<String>) {
    let mut files: BTreeMap<PathBuf, Vec<Told>> = BTreeMap::new();
    let mut nowhere = BTreeSet::new();
    let mut teller = Teller { workspace, style, lines: HashMap::new() };
    for diagnostic in workspace.diagnostics.iter().chain(rest) {
        match &diagnostic.primary {
            Some(place) => files.entry(place.path().to_owned()).or_default().extend(teller.tell(diagnostic, place)),
            None => {
                nowhere.insert(message(diagnostic, style.lang));
            }
        }
    }
    (files, nowhere)
}

struct Teller<'a> {
    workspace: &'a Workspace,
    style: &'a Style<'a>,
    /// By file as it was read.
    lines: HashMap<*const SourceFile, Lines<'a>>,
}

impl<'a> Teller<'a> {
    fn tell(&mut self, diagnostic: &'a Diagnostic, place: &'a Span) -> Option<Told> {
        let range = self.location(place)?.range;
        let labels = diagnostic.secondary.iter().filter_map(|label| {
            let location = self.location(&label.span)?;
            Some(DiagnosticRelatedInformation { location, message: label.message.get(self.style.lang).to_owned() })
        });
        let mut related: Vec<DiagnosticRelatedInformation> = labels.collect();
        related.extend(self.clause(diagnostic, place));
        Some(Told {
            range,
            severity: Some(match diagnostic.severity {
                Severity::Error => DiagnosticSeverity::Error,
                Severity::Warning => DiagnosticSeverity::Warning,
                Severity::Note => DiagnosticSeverity::Information,
            }),
            code: Some(Code::String(diagnostic.code.name.to_owned())),
            code_description: self.style.pages.and_then(|pages| pages.of(diagnostic.code.name)),
            source: Some(SOURCE.to_owned()),
            message: Text::String(message(diagnostic, self.style.lang)),
            related_information: Some(related).filter(|related| !related.is_empty()),
            ..Told::default()
        })
    }

    /// A place in the words of the protocol; none where its file has no URI.
    fn location(&mut self, span: &'a Span) -> Option<Location> {
        let uri = self.style.documents.uri(span.path())?;
        let encoding = self.style.encoding;
        let lines = self.lines.entry(Arc::as_ptr(&span.file)).or_insert_with(|| Lines::new(&span.file.text, encoding));
        // A row of a table stands on the line of its number; its cells do not stand where the text made of it has them.
        let range = lines.range(&span.range);
        let is_table = span.path().extension().is_some_and(|ending| ending == "csv" || ending == "xlsx");
        let range = if is_table { whole_line(range.start.line) } else { range };
        Some(Location { uri, range })
    }

    /// The basis that the faulty rule rests on: the clause stands beside the rule.
    fn clause(&self, diagnostic: &Diagnostic, place: &Span) -> Option<DiagnosticRelatedInformation> {
        let clause = diagnostic.clause.as_ref()?;
        let document = self.workspace.set.policies.iter().find(|document| document.path == place.path())?;
        let (uri, range) = basis_of(document, place.range.start, self.style)?;
        Some(DiagnosticRelatedInformation { location: Location { uri, range }, message: clause.clone() })
    }
}

fn whole_line(line: u32) -> Range {
    let position = |line| gen_lsp_types::Position { line, character: 0 };
    Range { start: position(line), end: position(line + 1) }
}

/// Where the basis stands that the mapping around a byte of a policy names.
fn basis_of(document: &PolicyDocument, at: usize, style: &Style<'_>) -> Option<(Uri, Range)> {
    let file = &document.place.file;
    let root = yaml::parse(file).0?;
    let id = basis_named(&root, at)?;
    let node = basis(&root, id)?;
    Some((style.documents.uri(file.path.as_path())?, Lines::new(&file.text, style.encoding).range(&node.range)))
}

/// The `basis` of the innermost mapping around a byte that has one.
fn basis_named(node: &Node, at: usize) -> Option<&str> {
    let holds = |node: &&Node| node.range.start <= at && at <= node.range.end;
    if let Some(items) = node.sequence() {
        return items.iter().find(holds).and_then(|item| basis_named(item, at));
    }
    let entries = node.mapping()?;
    let inner = entries.iter().map(|(_, value)| value).find(holds).and_then(|value| basis_named(value, at));
    inner.or_else(|| value_of(node, "basis").and_then(Node::text))
}

/// The id of the basis with an id, in the tree of a policy.
pub(super) fn basis<'n>(root: &'n Node, id: &str) -> Option<&'n Node> {
    let entries = value_of(root, "basis")?.sequence()?;
    entries.iter().filter_map(|entry| value_of(entry, "id")).find(|node| node.text() == Some(id))
}

/// The value of a key of a mapping.
pub(super) fn value_of<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    node.mapping()?.iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
}

/// Headline, help and clause, a line each.
fn message(diagnostic: &Diagnostic, lang: Lang) -> String {
    let word = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let mut text = diagnostic.headline.get(lang).to_owned();
    for help in &diagnostic.help {
        text.push_str(&format!("\n{}: {}", word("帮助", "help"), help.get(lang)));
    }
    if let Some(clause) = &diagnostic.clause {
        text.push_str(&format!("\n{}: {clause}", word("条款", "clause")));
    }
    text
}
