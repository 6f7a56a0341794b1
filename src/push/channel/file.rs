//! The file drop: one JSON file per message, named by its identifier, whole or not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Channel, Outcome};
use crate::store::live::NewMessage;

/// A folder that messages are put into.
#[derive(Debug)]
pub struct Folder {
    folder: PathBuf,
}

impl Folder {
    /// A folder; it is made where it is not there.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn new(folder: &Path) -> Result<Self, String> {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }
}

#[async_trait]
impl Channel for Folder {
    async fn send(&self, message: &NewMessage, _: i64) -> Outcome {
        let (folder, name, body) = (self.folder.clone(), message.id.clone(), message.body.clone());
        let written = tokio::task::spawn_blocking(move || write(&folder, &name, &body)).await;
        match written.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(()) => Outcome::Taken(format!("{}.json", message.id)),
            Err(error) => Outcome::Later { why: error.to_string(), after: None, is_down: true },
        }
    }
}

/// Writes aside and renames, so that nobody ever reads half a message; on the disk when this returns.
fn write(folder: &Path, name: &str, body: &[u8]) -> io::Result<()> {
    let aside = folder.join(format!(".{name}.part"));
    let mut file = File::create(&aside)?;
    file.write_all(body)?;
    file.sync_all()?;
    fs::rename(&aside, folder.join(format!("{name}.json")))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::declaration::SubjectKind;

    #[test]
    fn a_file_is_whole_and_named_by_the_message() {
        let folder = tempfile::tempdir().expect("a folder");
        let (here, runtime) = (folder.path().join("out"), tokio::runtime::Builder::new_current_thread().build().expect("a runtime"));
        let way = Folder::new(&here).expect("a folder");
        let message = NewMessage {
            id: "0af1".to_owned(),
            channel: "drop".to_owned(),
            kind: SubjectKind::Person,
            subject: "p".to_owned(),
            cases: Vec::new(),
            not_before: 0,
            body: "{\"津\":1}".into(),
        };
        for _ in 0..2 {
            assert_eq!(runtime.block_on(way.send(&message, 0)), Outcome::Taken("0af1.json".to_owned()));
        }
        let names: Vec<_> = fs::read_dir(&here).expect("the folder").map(|entry| entry.expect("an entry").file_name()).collect();
        assert_eq!(names, ["0af1.json"]);
        assert_eq!(fs::read(here.join("0af1.json")).expect("the file"), message.body);
        fs::remove_dir_all(&here).expect("removed");
        assert!(matches!(runtime.block_on(way.send(&message, 0)), Outcome::Later { is_down: true, .. }));
    }
}
