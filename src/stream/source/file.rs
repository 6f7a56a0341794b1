//! A file with one event a line, which may still grow. The position is the byte where a line begins.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use super::{ChangeSource, Clock, LONGEST_EVENT, Taken};
use crate::diagnostic::{Diagnostic, code};
use crate::store::live::Position;
use crate::stream::change::{Origin, RawEvent};

/// How often a file that is followed is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Events from a file.
pub struct FileSource {
    name: Arc<str>,
    path: PathBuf,
    reader: BufReader<File>,
    /// The byte where the next line begins.
    at: u64,
    follow: bool,
    clock: Clock,
}

impl FileSource {
    /// Opens a file; with `follow`, its end is not the end of events. The name of the source is that of the path, as given.
    ///
    /// # Errors
    ///
    /// `path-missing` or `file-unreadable`.
    pub fn open(path: &Path, follow: bool, clock: Clock) -> Result<Self, Box<Diagnostic>> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let name = format!("file:{}", path.display()).into();
        Ok(Self { name, path: path.to_owned(), reader: BufReader::with_capacity(1 << 18, file), at: 0, follow, clock })
    }

    fn failed(&self, error: &std::io::Error) -> Box<Diagnostic> {
        unreadable(&self.path, error)
    }

    /// The lines that there are, at most so many; a line that is still being written is left for later.
    fn lines(&mut self, at_most: usize) -> std::io::Result<Vec<RawEvent>> {
        let mut events = Vec::new();
        while events.len() < at_most {
            let Some((line, length)) = self.line()? else { break };
            let (position, next) = (self.at, self.at + length);
            self.at = next;
            if !line.trim_ascii().is_empty() {
                events.push(RawEvent {
                    origin: Origin { source: Arc::clone(&self.name), partition: 0, position: signed(position), next: signed(next) },
                    topic: None,
                    key: None,
                    payload: Some(Bytes::from(line)),
                    arrived: (self.clock)(),
                });
            }
        }
        Ok(events)
    }

    /// A line without its end, and how many bytes it takes with it; none where there is no whole one.
    fn line(&mut self) -> std::io::Result<Option<(Vec<u8>, u64)>> {
        let mut line = Vec::new();
        let limit = LONGEST_EVENT as u64;
        let mut length = (&mut self.reader).take(limit).read_until(b'\n', &mut line)? as u64;
        let mut is_whole = line.last() == Some(&b'\n');
        if !is_whole && length == limit {
            // Too long: the rest is passed over.
            length += skip_line(&mut self.reader, &mut is_whole)?;
        }
        // At the end of a file that grows no more, a last line without an end is one if it is a whole event.
        let is_last = !is_whole && !self.follow && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_ok();
        if length == 0 || !(is_whole || is_last) {
            self.reader.seek(SeekFrom::Start(self.at))?;
            return Ok(None);
        }
        while line.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
            line.pop();
        }
        Ok(Some((line, length)))
    }
}

/// Reads to the end of the line without keeping it; gives how many bytes there were.
fn skip_line(reader: &mut impl BufRead, is_whole: &mut bool) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let held = reader.fill_buf()?;
        if held.is_empty() {
            return Ok(skipped);
        }
        let end = held.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(held.len(), |end| end + 1);
        reader.consume(taken);
        skipped += taken as u64;
        if end.is_some() {
            *is_whole = true;
            return Ok(skipped);
        }
    }
}

fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Box<Diagnostic> {
    let code = if error.kind() == std::io::ErrorKind::NotFound { &code::PATH_MISSING } else { &code::FILE_UNREADABLE };
    let path = path.display();
    Box::new(
        Diagnostic::new(code, format!("读不了变更事件: {path}: {error}"), format!("change events cannot be read: {path}: {error}"))
            .help("每行一个 JSON 事件, 见 docs/changes.md", "one JSON event a line: docs/changes.md says how"),
    )
}

#[async_trait]
impl ChangeSource for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn seek(&mut self, positions: &[Position]) -> Result<(), Box<Diagnostic>> {
        let known = positions.iter().find(|position| *position.source == *self.name);
        let at = known.map_or(0, |position| u64::try_from(position.next).unwrap_or(0));
        let length = self.reader.get_ref().metadata().map_err(|error| self.failed(&error))?.len();
        if at > length {
            let path = self.path.display();
            return Err(Box::new(
                Diagnostic::new(
                    &code::FILE_UNREADABLE,
                    format!("{path} 只有 {length} 字节, 而已读到第 {at} 字节"),
                    format!("{path} has {length} bytes, but was read up to byte {at}"),
                )
                .help(
                    "文件被截短或换过: 接着写的事件请另用一个文件名",
                    "the file was cut or replaced: put the events that follow into a file of another name",
                ),
            ));
        }
        self.at = at;
        self.reader.seek(SeekFrom::Start(at)).map_err(|error| self.failed(&error))?;
        Ok(())
    }

    async fn next(&mut self, at_most: usize, wait: Duration) -> Result<Taken, Box<Diagnostic>> {
        let mut waited = Duration::ZERO;
        loop {
            let events = self.lines(at_most).map_err(|error| self.failed(&error))?;
            if !events.is_empty() {
                return Ok(Taken::Events(events));
            }
            if !self.follow {
                return Ok(Taken::Ended);
            }
            if waited >= wait {
                return Ok(Taken::Events(Vec::new()));
            }
            let pause = LOOK.min(wait.saturating_sub(waited));
            tokio::time::sleep(pause).await;
            waited += pause;
        }
    }

    async fn committed(&mut self, _: &[Position]) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn source(path: &Path, follow: bool) -> FileSource {
        FileSource::open(path, follow, Arc::new(|| 5)).expect("opened")
    }

    async fn taken(source: &mut FileSource, at_most: usize) -> Option<Vec<(String, i64, i64)>> {
        match source.next(at_most, Duration::from_millis(1)).await.expect("read") {
            Taken::Ended => None,
            Taken::Events(events) => Some(
                events
                    .into_iter()
                    .map(|event| {
                        let text = String::from_utf8(event.payload.expect("a line").to_vec()).expect("text");
                        (text, event.origin.position, event.origin.next)
                    })
                    .collect(),
            ),
        }
    }

    fn line(text: &str, position: i64, next: i64) -> (String, i64, i64) {
        (text.to_owned(), position, next)
    }

    #[tokio::test]
    async fn lines_and_where_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("changes.ndjson");
        std::fs::write(&path, "{}\n\n[1]\r\n{\"a\":2}").expect("written");
        let mut whole = source(&path, false);
        assert_eq!(taken(&mut whole, 2).await, Some(vec![line("{}", 0, 3), line("[1]", 4, 9)]));
        assert_eq!(taken(&mut whole, 2).await, Some(vec![line("{\"a\":2}", 9, 16)]));
        assert_eq!(taken(&mut whole, 2).await, None);
        let mut later = source(&path, false);
        let name = later.name().to_owned();
        later.seek(&[Position { source: name.clone(), partition: 0, next: 4 }]).await.expect("there");
        assert_eq!(taken(&mut later, 1).await, Some(vec![line("[1]", 4, 9)]));
        let told = later.seek(&[Position { source: name, partition: 0, next: 99 }]).await.expect_err("too far");
        assert!(told.headline.en.contains("99"), "{}", told.headline.en);
    }

    #[tokio::test]
    async fn a_line_that_is_still_written_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("changes.ndjson");
        std::fs::write(&path, "{}\n{\"a\"").expect("written");
        let mut ended = source(&path, false);
        assert_eq!(taken(&mut ended, 9).await, Some(vec![line("{}", 0, 3)]));
        assert_eq!(taken(&mut ended, 9).await, None);
        let mut followed = source(&path, true);
        assert_eq!(taken(&mut followed, 9).await, Some(vec![line("{}", 0, 3)]));
        assert_eq!(taken(&mut followed, 9).await, Some(vec![]));
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).expect("opened");
        file.write_all(b":1}").expect("written");
        assert_eq!(taken(&mut followed, 9).await, Some(vec![]));
        file.write_all(b"\n{}\n").expect("written");
        assert_eq!(taken(&mut followed, 9).await, Some(vec![line("{\"a\":1}", 3, 11), line("{}", 11, 14)]));
    }

    #[tokio::test]
    async fn a_line_beyond_all_measure_is_cut() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("changes.ndjson");
        let long = LONGEST_EVENT + 10;
        std::fs::write(&path, format!("{}\n{{}}\n", "x".repeat(long))).expect("written");
        let mut source = source(&path, false);
        let found = taken(&mut source, 9).await.expect("lines");
        assert_eq!((found[0].0.len(), found.len()), (LONGEST_EVENT, 2));
        let start = i64::try_from(long).expect("small") + 1;
        assert_eq!(found[1], line("{}", start, start + 3));
    }
}
