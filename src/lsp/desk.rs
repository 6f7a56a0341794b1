//! What a question about a document is answered from.

use std::path::Path;
use std::sync::Arc;

use gen_lsp_types::{Location, Position};

use super::Workspace;
use super::documents::Documents;
use super::position::{Encoding, Lines};
use super::role::{FileKind, Role, subject_of};
use super::sample::State;
use super::spot::Spot;
use crate::diagnostic::{Lang, Message, SourceFile, Span};
use crate::register::declaration::SubjectKind;
use crate::yaml::{self, Node};

/// A document with all that is known around it.
pub(super) struct Desk<'a> {
    /// The folder as it was looked at last; the document may have changed since.
    pub(super) workspace: &'a Workspace,
    /// What is open.
    pub(super) documents: &'a Documents,
    /// How facts are spread.
    pub(super) sample: &'a State,
    /// Language of messages.
    pub(super) lang: Lang,
    /// How the client counts columns.
    pub(super) encoding: Encoding,
    /// The document's path.
    pub(super) path: &'a Path,
    /// The document as it stands in the editor.
    pub(super) text: Arc<str>,
    /// What it holds; none for files that are no part of a policies folder.
    pub(super) file: Option<FileKind>,
    /// Whose facts its names mean.
    pub(super) subject: Option<SubjectKind>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        workspace: &'a Workspace,
        documents: &'a Documents,
        sample: &'a State,
        (lang, encoding): (Lang, Encoding),
        path: &'a Path,
    ) -> Option<Self> {
        let text = Arc::clone(&documents.get(path)?.text);
        let file = FileKind::of(&workspace.dir, path);
        let subject = match &file {
            Some(FileKind::Cases) => {
                let policy = path.with_file_name("policy.yaml");
                let open = documents.get(&policy).and_then(|document| subject_of(&document.text));
                let beside = || workspace.set.policies.iter().find(|policy| policy.path.parent() == path.parent());
                open.or_else(|| beside().map(|policy| policy.subject))
            }
            _ => subject_of(&text),
        };
        Some(Self { workspace, documents, sample, lang, encoding, path, text, file, subject })
    }

    /// The lines of the document.
    pub(super) fn lines(&self) -> Lines<'_> {
        Lines::new(&self.text, self.encoding)
    }

    /// The tree of the document, as far as it is YAML.
    pub(super) fn tree(&self) -> Option<Node> {
        yaml::parse(&SourceFile::new(self.path, &*self.text)).0
    }

    /// The scalar at a position.
    pub(super) fn spot(&self, position: Position) -> Option<Spot> {
        let offset = self.lines().offset(position);
        match self.tree() {
            Some(root) => Spot::in_tree(&root, offset),
            // A file with a fault elsewhere: the word goes on behind the cursor.
            None => {
                let is_word = |sign: char| sign == '_' || sign == '-' || sign.is_alphanumeric();
                let rest = &self.text[offset..];
                let end = offset + rest.find(|sign| !is_word(sign)).unwrap_or(rest.len());
                Spot::before(&self.text, end)
            }
        }
    }

    /// What a spot is there for.
    pub(super) fn role(&self, spot: &Spot) -> Option<Role> {
        Role::of(self.file.as_ref()?, spot, self.subject, &self.workspace.registers)
    }

    /// Where a span stands, for the client.
    pub(super) fn location(&self, span: &Span) -> Option<Location> {
        let uri = self.documents.uri(span.path())?;
        Some(Location { uri, range: Lines::new(&span.file.text, self.encoding).range(&span.range) })
    }

    /// The text of a message in the language of the client.
    pub(super) fn say<'m>(&self, message: &'m Message) -> &'m str {
        message.get(self.lang)
    }

    /// One of two texts.
    pub(super) fn pick<'t>(&self, zh: &'t str, en: &'t str) -> &'t str {
        if self.lang == Lang::Zh { zh } else { en }
    }
}
