//! The documents that the editor has open, and the ways between their URIs and paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gen_lsp_types::{TextDocumentContentChangeEvent, Uri};
use url::Url;

use super::position::{Encoding, Lines};
use crate::yaml::Texts;

/// A document that is open.
#[derive(Debug, Clone)]
pub(super) struct Document {
    /// As the client spells it: it knows the document by this.
    pub(super) uri: Uri,
    /// Counts up with each change.
    pub(super) version: i32,
    /// What the editor shows.
    pub(super) text: Arc<str>,
}

/// All documents that are open, by path.
#[derive(Debug, Default)]
pub(super) struct Documents(BTreeMap<PathBuf, Document>);

impl Documents {
    pub(super) fn get(&self, path: &Path) -> Option<&Document> {
        self.0.get(path)
    }

    pub(super) fn open(&mut self, path: PathBuf, document: Document) {
        self.0.insert(path, document);
    }

    pub(super) fn close(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// Applies changes in their order; each is about the text that the one before left behind.
    pub(super) fn change(&mut self, path: &Path, version: i32, changes: Vec<TextDocumentContentChangeEvent>, encoding: Encoding) {
        let Some(document) = self.0.get_mut(path) else { return };
        document.version = version;
        for change in changes {
            document.text = match change {
                TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(whole) => whole.text.into(),
                TextDocumentContentChangeEvent::TextDocumentContentChangePartial(part) => {
                    let range = Lines::new(&document.text, encoding).bytes(part.range);
                    [&document.text[..range.start], &part.text, &document.text[range.end..]].concat().into()
                }
            };
        }
    }

    /// The texts of all documents, to read instead of the files.
    pub(super) fn texts(&self) -> Texts {
        let mut texts = Texts::default();
        for (path, document) in &self.0 {
            texts.put(path, Arc::clone(&document.text));
        }
        texts
    }

    /// The versions of all documents.
    pub(super) fn versions(&self) -> BTreeMap<PathBuf, i32> {
        self.0.iter().map(|(path, document)| (path.clone(), document.version)).collect()
    }

    /// How the client names a file: as it did when it opened it, else by the usual spelling.
    pub(super) fn uri(&self, path: &Path) -> Option<Uri> {
        self.get(path).map(|document| document.uri.clone()).or_else(|| uri_of(path))
    }
}

/// The path of a `file:` URI; none for documents that are no files (`untitled:`, `git:`, …).
pub(super) fn path_of(uri: &Uri) -> Option<PathBuf> {
    let url = Url::parse(&uri.0).ok().filter(|url| url.scheme() == "file")?;
    url.to_file_path().ok()
}

/// The usual URI of an absolute path.
pub(super) fn uri_of(path: &Path) -> Option<Uri> {
    Url::from_file_path(path).ok().map(|url| Uri(url.into()))
}

#[cfg(test)]
mod tests {
    use gen_lsp_types::{Position, Range, TextDocumentContentChangePartial as Partial, TextDocumentContentChangeWholeDocument as Whole};

    use super::*;

    fn at(line: u32, character: u32) -> Position {
        Position { line, character }
    }

    #[test]
    fn changes_follow_each_other() {
        let (path, encoding) = (PathBuf::from("/p/policy.yaml"), Encoding::of(&[]));
        let mut documents = Documents::default();
        let uri = Uri("file:///p/policy.yaml".to_owned());
        documents.open(path.clone(), Document { uri, version: 1, text: "名: 津贴\n".into() });
        let part = |start, end, text: &str| {
            let range = Range { start, end };
            TextDocumentContentChangeEvent::TextDocumentContentChangePartial(Partial { range, text: text.to_owned(), ..Partial::default() })
        };
        documents.change(&path, 2, vec![part(at(0, 3), at(0, 3), "高龄"), part(at(0, 5), at(1, 0), "补贴\n")], encoding);
        let document = documents.get(&path).expect("it is open");
        assert_eq!((&*document.text, document.version), ("名: 高龄补贴\n", 2));
        let whole = TextDocumentContentChangeEvent::TextDocumentContentChangeWholeDocument(Whole { text: "x".to_owned() });
        documents.change(&path, 3, vec![whole, part(at(0, 1), at(7, 7), "y")], encoding);
        assert_eq!(documents.texts().get(&path).map(|text| &**text), Some("xy"));
        documents.change(Path::new("/elsewhere"), 9, Vec::new(), encoding);
        documents.close(&path);
        assert!(documents.get(&path).is_none());
    }

    #[test]
    fn uris_of_paths_with_chinese_names() {
        let path = Path::new("/政策/高龄津贴/policy.yaml");
        let uri = uri_of(path).expect("an absolute path");
        assert!(uri.0.is_ascii(), "{uri}");
        assert_eq!(path_of(&uri).as_deref(), Some(path));
        assert_eq!(path_of(&Uri("file:///政策/高龄津贴/policy.yaml".to_owned())).as_deref(), Some(path));
        assert_eq!(path_of(&Uri("untitled:Untitled-1".to_owned())), None);
        assert_eq!(path_of(&Uri("nonsense".to_owned())), None);
    }
}
