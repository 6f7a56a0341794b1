//! Where the text of a file comes from: whoever has it open, else the disk.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Texts that stand in for files, by path: what an editor has open and may not have saved. Without any, every file is
/// read from disk.
#[derive(Debug, Clone, Default)]
pub struct Texts(BTreeMap<PathBuf, Arc<str>>);

impl Texts {
    /// Puts a text in the place of a file, which need not be there.
    pub fn put(&mut self, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) {
        self.0.insert(path.into(), text.into());
    }

    /// Lets the file speak for itself again.
    pub fn remove(&mut self, path: &Path) {
        self.0.remove(path);
    }

    /// The text that stands in for a file.
    #[must_use]
    pub fn get(&self, path: &Path) -> Option<&Arc<str>> {
        self.0.get(path)
    }

    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// When nothing stands in for it and it cannot be read.
    pub fn bytes(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.get(path).map_or_else(|| fs::read(path), |text| Ok(text.as_bytes().to_vec()))
    }

    /// The text of a file.
    ///
    /// # Errors
    ///
    /// When nothing stands in for it and it cannot be read, or is not UTF-8.
    pub fn text(&self, path: &Path) -> io::Result<String> {
        self.get(path).map_or_else(|| fs::read_to_string(path), |text| Ok((**text).to_owned()))
    }

    /// Whether there is a file, or something that stands in for it.
    #[must_use]
    pub fn is_file(&self, path: &Path) -> bool {
        self.get(path).is_some() || path.is_file()
    }

    /// What lies below a folder and is not on disk yet.
    pub fn unsaved<'a>(&'a self, dir: &'a Path) -> impl Iterator<Item = &'a Path> {
        self.0.keys().map(PathBuf::as_path).filter(move |path| path.starts_with(dir) && !path.exists())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_hides_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let (saved, unsaved) = (folder.path().join("saved.yaml"), folder.path().join("new/unsaved.yaml"));
        fs::write(&saved, "a: 1").expect("written");
        let mut texts = Texts::default();
        assert_eq!(texts.text(&saved).expect("on disk"), "a: 1");
        assert!(!texts.is_file(&unsaved) && texts.bytes(&unsaved).is_err());
        texts.put(&saved, "a: 2");
        texts.put(&unsaved, "b: 3");
        assert_eq!(texts.text(&saved).expect("open"), "a: 2");
        assert_eq!(texts.bytes(&unsaved).expect("open"), b"b: 3");
        assert_eq!(texts.unsaved(folder.path()).collect::<Vec<_>>(), [unsaved.as_path()]);
        assert_eq!(texts.unsaved(&folder.path().join("other")).count(), 0);
        texts.remove(&saved);
        assert_eq!(texts.text(&saved).expect("on disk"), "a: 1");
    }
}
