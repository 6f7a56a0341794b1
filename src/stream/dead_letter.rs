//! Dead letters: events, or values of them, that could not be used, kept with the place and the reason in two languages.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use hashbrown::DefaultHashBuilder;
use serde::{Deserialize, Serialize};

use super::change::{RawEvent, Refused};
use crate::diagnostic::{Diagnostic, code};

/// So much of an existing file is looked at for what is there already: more than was ever written between two commits.
const LOOKED_AT: u64 = 64 << 20;

/// One dead letter, as it stands in a file or a topic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// Where the event came from.
    pub source: String,
    /// Which part of the source.
    pub partition: i32,
    /// Where in it.
    pub position: i64,
    /// The register; none where it could not be told.
    pub register: Option<String>,
    /// The field; empty where the event as a whole is at fault.
    pub field: String,
    /// The value as it may be shown.
    pub value: String,
    /// The stable word for the reason.
    pub reason: String,
    /// The reason in Chinese.
    pub zh: String,
    /// The reason in English.
    pub en: String,
    /// `row`: the event was set aside; `cell`: the value is unknown, and the rest was used.
    pub scope: String,
    /// The topic, or what else told the register.
    pub topic: Option<String>,
    /// The key of the message, as text.
    pub key: Option<String>,
    /// The event itself, as text; none for a tombstone. It holds what the register holds: guard it alike.
    pub event: Option<String>,
}

impl DeadLetter {
    /// Of what was refused.
    #[must_use]
    pub fn new(refused: &Refused) -> Self {
        let RawEvent { origin, topic, key, payload, .. } = &refused.event;
        let text = |bytes: &bytes::Bytes| String::from_utf8_lossy(bytes).into_owned();
        let message = refused.cause.message();
        Self {
            source: origin.source.to_string(),
            partition: origin.partition,
            position: origin.position,
            register: refused.register.as_deref().map(str::to_owned),
            field: refused.field.to_string(),
            value: refused.value.clone(),
            reason: refused.cause.code().to_owned(),
            zh: message.zh,
            en: message.en,
            scope: refused.scope.code().to_owned(),
            topic: topic.as_deref().map(str::to_owned),
            key: key.as_ref().map(text),
            event: payload.as_ref().map(text),
        }
    }

    /// What tells whether two are the same: place, field and event.
    fn identity(&self, hasher: &DefaultHashBuilder) -> u64 {
        let mut state = hasher.build_hasher();
        (&self.source, self.partition, self.position, &self.field, &self.event).hash(&mut state);
        state.finish()
    }
}

/// A file of dead letters, one JSON object a line. What a replayed event is refused for is there once.
#[derive(Debug)]
pub struct DeadLetterFile {
    path: PathBuf,
    file: File,
    hasher: DefaultHashBuilder,
    known: HashSet<u64>,
}

impl DeadLetterFile {
    /// Opens the file, or makes it, for its owner alone. A last line that was not written whole is taken away.
    ///
    /// # Errors
    ///
    /// `output-failed`.
    pub fn open(path: &Path) -> Result<Self, Box<Diagnostic>> {
        let failed = |error: std::io::Error| failed(path, &error);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(failed)?;
        let hasher = DefaultHashBuilder::default();
        let (known, whole) = read_known(&mut file, &hasher).map_err(failed)?;
        file.set_len(whole).map_err(failed)?;
        file.seek(SeekFrom::Start(whole)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, hasher, known })
    }

    /// Writes what was refused, and returns when it is on the disk; gives how many were new.
    ///
    /// # Errors
    ///
    /// `output-failed`: then nothing of the events may be committed.
    pub fn write(&mut self, refused: &[Refused]) -> Result<usize, Box<Diagnostic>> {
        let mut lines = Vec::new();
        let mut new = 0;
        for letter in refused.iter().map(DeadLetter::new) {
            if self.known.insert(letter.identity(&self.hasher)) {
                serde_json::to_writer(&mut lines, &letter).expect("texts and numbers");
                lines.push(b'\n');
                new += 1;
            }
        }
        if new > 0 {
            let written = self.file.write_all(&lines).and_then(|()| self.file.sync_data());
            written.map_err(|error| failed(&self.path, &error))?;
        }
        Ok(new)
    }
}

/// What the end of a file holds, and where its last whole line ends.
fn read_known(file: &mut File, hasher: &DefaultHashBuilder) -> std::io::Result<(HashSet<u64>, u64)> {
    let length = file.metadata()?.len();
    let mut start = length.saturating_sub(LOOKED_AT);
    file.seek(SeekFrom::Start(start))?;
    let mut reader = BufReader::new(file.take(length - start));
    let mut line = Vec::new();
    if start > 0 {
        // The first line is only the end of one.
        start += reader.read_until(b'\n', &mut line)? as u64;
    }
    let (mut known, mut whole) = (HashSet::new(), start);
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)? as u64;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok((known, whole));
        }
        whole += read;
        known.extend(serde_json::from_slice::<DeadLetter>(&line).ok().map(|letter| letter.identity(hasher)));
    }
}

fn failed(path: &Path, error: &std::io::Error) -> Box<Diagnostic> {
    let path = path.display();
    Box::new(
        Diagnostic::new(
            &code::OUTPUT_FAILED,
            format!("死信写不下: {path}: {error}"),
            format!("dead letters cannot be written: {path}: {error}"),
        )
        .help(
            "检查磁盘空间和权限; 死信写下之前, 事件不会提交",
            "check free space and permissions; no event is committed before its dead letter is written",
        ),
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::register::quarantine::{Reason, Scope};
    use crate::stream::change::{Cause, Origin};

    fn refused(position: i64, event: &'static str) -> Refused {
        let origin = Origin { source: "file:a".into(), partition: 0, position, next: position + 1 };
        Refused {
            event: RawEvent { origin, topic: None, key: None, payload: Some(Bytes::from_static(event.as_bytes())), arrived: 0 },
            register: Some("death".into()),
            field: "death_date".into(),
            value: "soon".into(),
            cause: Cause::Value(Reason::Uncastable),
            scope: Scope::Row,
        }
    }

    #[test]
    fn replayed_events_are_there_once_also_behind_a_crash() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("dead.ndjson");
        let mut file = DeadLetterFile::open(&path).expect("made");
        assert_eq!(file.write(&[refused(1, "{}"), refused(2, "{}")]).expect("written"), 2);
        assert_eq!(file.write(&[refused(2, "{}")]).expect("written"), 0);
        drop(file);
        // Cut in the middle of the second line.
        let text = std::fs::read_to_string(&path).expect("there");
        std::fs::write(&path, &text[..text.len() - 5]).expect("cut");
        let mut file = DeadLetterFile::open(&path).expect("opened");
        assert_eq!(file.write(&[refused(1, "{}"), refused(2, "{}")]).expect("written"), 1);
        // Another event at the same place is another letter: some sources count anew.
        assert_eq!(file.write(&[refused(2, "[]")]).expect("written"), 1);
        let text = std::fs::read_to_string(&path).expect("there");
        let letters: Vec<DeadLetter> = text.lines().map(|line| serde_json::from_str(line).expect("a letter")).collect();
        assert_eq!(letters.iter().map(|letter| letter.position).collect::<Vec<_>>(), [1, 2, 2]);
        assert_eq!((letters[0].zh.as_str(), letters[0].en.as_str()), ("类型不对", "not of the declared type"));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&path.metadata().expect("there").permissions()) & 0o777, 0o600);
    }
}
