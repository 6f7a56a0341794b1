//! Several sources as one: their events in turn.

use std::time::Duration;

use async_trait::async_trait;

use super::{ChangeSource, Taken};
use crate::diagnostic::Diagnostic;
use crate::store::live::Position;
use crate::stream::change::Refused;

/// Sources that are read in turn. One that has ended is left out; all have ended when the last one has.
pub struct Several {
    sources: Vec<Box<dyn ChangeSource>>,
    ended: Vec<bool>,
    /// Who is asked next.
    next: usize,
}

impl Several {
    /// Of these sources.
    #[must_use]
    pub fn new(sources: Vec<Box<dyn ChangeSource>>) -> Self {
        Self { ended: vec![false; sources.len()], sources, next: 0 }
    }
}

#[async_trait]
impl ChangeSource for Several {
    fn name(&self) -> &'static str {
        "several"
    }

    async fn seek(&mut self, positions: &[Position]) -> Result<(), Box<Diagnostic>> {
        for source in &mut self.sources {
            source.seek(positions).await?;
        }
        Ok(())
    }

    /// Events of the first source that has any: none is waited for while another may have some.
    async fn next(&mut self, at_most: usize, wait: Duration) -> Result<Taken, Box<Diagnostic>> {
        let open = self.ended.iter().filter(|ended| !**ended).count();
        let Some(share) = u32::try_from(open).ok().and_then(|open| wait.checked_div(open)) else { return Ok(Taken::Ended) };
        for _ in 0..self.sources.len() {
            let at = self.next;
            self.next = (at + 1) % self.sources.len();
            if self.ended[at] {
                continue;
            }
            match self.sources[at].next(at_most, share).await? {
                Taken::Events(events) if events.is_empty() => {}
                Taken::Events(events) => return Ok(Taken::Events(events)),
                Taken::Ended => self.ended[at] = true,
            }
        }
        Ok(if self.ended.iter().all(|ended| *ended) { Taken::Ended } else { Taken::Events(Vec::new()) })
    }

    fn refused(&mut self, refused: &[Refused]) {
        self.sources.iter_mut().for_each(|source| source.refused(refused));
    }

    async fn committed(&mut self, positions: &[Position]) -> Result<(), Box<Diagnostic>> {
        for source in &mut self.sources {
            source.committed(positions).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::Arc;

    use super::super::file::FileSource;
    use super::*;

    #[tokio::test]
    async fn each_is_read_from_its_own_place_and_all_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sources: Vec<Box<dyn ChangeSource>> = Vec::new();
        for (name, lines) in [("a", "1\n2\n"), ("b", "3\n"), ("c", "")] {
            let path = folder.path().join(name);
            std::fs::File::create(&path).and_then(|mut file| file.write_all(lines.as_bytes())).expect("written");
            sources.push(Box::new(FileSource::open(&path, false, Arc::new(|| 7)).expect("opened")));
        }
        let first = sources[0].name().to_owned();
        let mut several = Several::new(sources);
        several.seek(&[Position { source: first, partition: 0, next: 2 }]).await.expect("found");
        let mut found = Vec::new();
        while let Taken::Events(events) = several.next(10, Duration::from_millis(30)).await.expect("read") {
            found.extend(events.into_iter().filter_map(|event| event.payload).map(|text| String::from_utf8_lossy(&text).into_owned()));
        }
        found.sort();
        assert_eq!(found, ["2", "3"]);
    }
}
