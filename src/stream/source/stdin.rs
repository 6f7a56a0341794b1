//! Standard input, one event a line. It cannot be read again: lines are counted on from where the store is, so that each is new.

use std::io::BufRead;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use super::{ChangeSource, Clock, LONGEST_EVENT, Taken};
use crate::diagnostic::{Diagnostic, code};
use crate::store::live::Position;
use crate::stream::change::{Origin, RawEvent};

/// So many lines are read ahead.
const AHEAD: usize = 4_096;

/// Events from standard input, or from another reader that cannot be read again.
pub struct StdinSource {
    name: Arc<str>,
    lines: mpsc::Receiver<std::io::Result<Vec<u8>>>,
    next: i64,
    clock: Clock,
}

impl StdinSource {
    /// Standard input.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self::of(std::io::BufReader::new(std::io::stdin()), clock)
    }

    /// Another reader. A thread of its own reads it, for who reads may have to wait.
    #[must_use]
    pub fn of(mut reader: impl BufRead + Send + 'static, clock: Clock) -> Self {
        let (sender, lines) = mpsc::channel(AHEAD);
        std::thread::spawn(move || {
            loop {
                let mut line = Vec::new();
                match std::io::Read::take(&mut reader, LONGEST_EVENT as u64).read_until(b'\n', &mut line) {
                    Ok(0) => break,
                    Ok(_) if sender.blocking_send(Ok(line)).is_err() => break,
                    Ok(_) => {}
                    Err(error) => {
                        // Whoever waits hears of it; nobody does where the source is gone.
                        let _ = sender.blocking_send(Err(error));
                        break;
                    }
                }
            }
        });
        Self { name: "stdin".into(), lines, next: 0, clock }
    }

    fn event(&mut self, line: Vec<u8>) -> Option<RawEvent> {
        let position = self.next;
        self.next += 1;
        let is_empty = line.trim_ascii().is_empty();
        (!is_empty).then(|| RawEvent {
            origin: Origin { source: Arc::clone(&self.name), partition: 0, position, next: position + 1 },
            topic: None,
            key: None,
            payload: Some(Bytes::from(line)),
            arrived: (self.clock)(),
        })
    }
}

#[async_trait]
impl ChangeSource for StdinSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn seek(&mut self, positions: &[Position]) -> Result<(), Box<Diagnostic>> {
        self.next = positions.iter().find(|position| *position.source == *self.name).map_or(0, |position| position.next);
        Ok(())
    }

    async fn next(&mut self, at_most: usize, wait: Duration) -> Result<Taken, Box<Diagnostic>> {
        let mut lines = Vec::new();
        match tokio::time::timeout(wait, self.lines.recv_many(&mut lines, at_most)).await {
            Err(_) => return Ok(Taken::Events(Vec::new())),
            Ok(0) if at_most > 0 => return Ok(Taken::Ended),
            Ok(_) => {}
        }
        let mut events = Vec::with_capacity(lines.len());
        for line in lines {
            let line = line.map_err(|error| {
                let (zh, en) = (format!("读不了标准输入: {error}"), format!("standard input cannot be read: {error}"));
                Box::new(Diagnostic::new(&code::FILE_UNREADABLE, zh, en))
            })?;
            events.extend(self.event(line));
        }
        Ok(Taken::Events(events))
    }

    async fn committed(&mut self, _: &[Position]) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_counted_on_and_end() {
        let mut source = StdinSource::of(std::io::Cursor::new("{}\n\n[1]"), Arc::new(|| 5));
        source.seek(&[Position { source: "stdin".into(), partition: 0, next: 7 }]).await.expect("counted");
        let mut found = Vec::new();
        while let Taken::Events(events) = source.next(1, Duration::from_secs(5)).await.expect("read") {
            found.extend(events.into_iter().map(|event| (event.payload.expect("a line"), event.origin.position)));
        }
        assert_eq!(found, [(Bytes::from("{}\n"), 7), (Bytes::from("[1]"), 9)]);
    }
}
