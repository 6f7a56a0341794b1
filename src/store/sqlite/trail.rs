//! The access trail in a file of its own: records that stay, contents that can be erased.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::files::{Pool, TRAIL, failed, open, open_to_read};
use super::log::Log;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::trail::{Content, Erasure, Head, Record, Salted, Selection, Seq, erasing, link, salted};

/// The file of the trail.
#[derive(Debug)]
pub(super) struct TrailFile {
    writer: Mutex<Connection>,
    readers: Pool,
    log: Log,
}

const RECORDS: &str = "SELECT record.seq, record.at, record.digest, record.hash, content.salt, content.text FROM record";

impl TrailFile {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = open(path, &TRAIL)?;
        // What is erased is overwritten.
        writer.pragma_update(None, "secure_delete", "ON").map_err(failed)?;
        let log = Log::of(&writer, path.to_owned(), &TRAIL)?;
        let read = path.to_owned();
        let readers = Pool::new(move || open_to_read(&read, &TRAIL));
        Ok(Self { writer: Mutex::new(writer), readers, log })
    }

    /// Whether so much was written that [`Self::settle`] should bring it over, and nobody does.
    pub(super) fn is_long(&self) -> bool {
        self.log.is_long()
    }

    /// Brings what lies in the log over into the file, while others write.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        self.log.settle(&self.writer)
    }

    pub(super) fn append(&self, at: i64, contents: &[Content]) -> Result<Seq, StoreError> {
        let salted = salted(contents)?;
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let before = writer.total_changes();
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let first = insert(&transaction, at, contents, salted)?;
        transaction.commit().map_err(failed)?;
        self.log.wrote(writer.total_changes().saturating_sub(before));
        Ok(first)
    }

    pub(super) fn head(&self) -> Result<Option<Head>, StoreError> {
        self.readers.with(head)
    }

    pub(super) fn records(&self, from: Seq, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.readers.with(|connection| {
            let sql = format!("{RECORDS} LEFT JOIN content USING (seq) WHERE record.seq >= ?1 ORDER BY record.seq LIMIT ?2");
            let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = statement.query_map(params![from.cast_signed(), limit], record).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        })
    }

    pub(super) fn about(&self, kind: SubjectKind, id: &str, before: Option<Seq>, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.readers.with(|connection| {
            let sql = format!(
                "{RECORDS} JOIN content USING (seq) WHERE content.subject = ?1 AND content.kind = ?2 AND content.seq < ?3
                 ORDER BY content.seq DESC LIMIT ?4"
            );
            let mut statement = connection.prepare_cached(&sql).map_err(failed)?;
            let (before, limit) = (before.map_or(i64::MAX, u64::cast_signed), i64::try_from(limit).unwrap_or(i64::MAX));
            let rows = statement.query_map(params![id, kind.name(), before, limit], record).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)
        })
    }

    pub(super) fn erase(&self, at: i64, erasure: &Erasure) -> Result<u64, StoreError> {
        let _alone = self.log.alone();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        let seqs = chosen(&transaction, &erasure.selection)?;
        if seqs.is_empty() {
            // Where they were erased before, the log may still have them: others held its pages then.
            drop(transaction);
            self.log.cut(&writer)?;
            return Ok(0);
        }
        for seq in &seqs {
            transaction.execute("DELETE FROM content WHERE seq = ?1", [seq.cast_signed()]).map_err(failed)?;
        }
        let said = erasing(erasure, &seqs);
        let words = salted(std::slice::from_ref(&said))?;
        insert(&transaction, at, &[said], words)?;
        transaction.commit().map_err(failed)?;
        // Older pages in the log go too.
        self.log.cut(&writer)?;
        Ok(seqs.len() as u64)
    }
}

fn insert(transaction: &Transaction<'_>, at: i64, contents: &[Content], salted: Vec<Salted>) -> Result<Seq, StoreError> {
    let before = head(transaction)?;
    let records = link(before, at, salted);
    let mut into_records =
        transaction.prepare_cached("INSERT INTO record (seq, at, digest, hash) VALUES (?1, ?2, ?3, ?4)").map_err(failed)?;
    let sql = "INSERT INTO content (seq, kind, subject, stays, salt, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut into_contents = transaction.prepare_cached(sql).map_err(failed)?;
    for (record, content) in records.iter().zip(contents) {
        let seq = record.seq.cast_signed();
        into_records.execute(params![seq, record.at, record.digest, record.hash]).map_err(failed)?;
        let subject = content.subject.as_ref();
        if let Some(Salted { salt, text }) = &record.content {
            let (kind, id) = (subject.map(|subject| &subject.kind), subject.map(|subject| &subject.id));
            into_contents.execute(params![seq, kind, id, content.stays(), salt, text]).map_err(failed)?;
        }
    }
    Ok(records.first().map_or_else(|| before.map_or(1, |head| head.seq + 1), |record| record.seq))
}

/// The entries of a selection that have content still, ascending.
fn chosen(transaction: &Transaction<'_>, selection: &Selection) -> Result<Vec<Seq>, StoreError> {
    let seq = |row: &Row<'_>| row.get::<_, i64>(0).map(i64::cast_unsigned);
    let mut found: Vec<Seq> = match selection {
        Selection::About(subject) => {
            let sql = "SELECT seq FROM content WHERE subject = ?1 AND kind = ?2 AND NOT stays";
            let mut statement = transaction.prepare(sql).map_err(failed)?;
            let rows = statement.query_map([&subject.id, &subject.kind], seq).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)?
        }
        Selection::Before(at) => {
            let sql = "SELECT content.seq FROM content JOIN record USING (seq) WHERE record.at < ?1 AND NOT content.stays";
            let mut statement = transaction.prepare(sql).map_err(failed)?;
            let rows = statement.query_map([at], seq).map_err(failed)?;
            rows.collect::<Result<_, _>>().map_err(failed)?
        }
        Selection::Entries(seqs) => {
            let mut statement = transaction.prepare("SELECT seq FROM content WHERE seq = ?1 AND NOT stays").map_err(failed)?;
            let mut found = Vec::new();
            for wanted in seqs {
                found.extend(statement.query_row([wanted.cast_signed()], seq).optional().map_err(failed)?);
            }
            found
        }
    };
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn head(connection: &Connection) -> Result<Option<Head>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT seq, at, hash FROM record ORDER BY seq DESC LIMIT 1").map_err(failed)?;
    let head = |row: &Row<'_>| Ok(Head { seq: row.get::<_, i64>(0)?.cast_unsigned(), at: row.get(1)?, hash: row.get(2)? });
    statement.query_row([], head).optional().map_err(failed)
}

/// A record as it lies in the file, whatever somebody did to it: what has not the right form does not verify.
fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let bytes = |at: usize| -> rusqlite::Result<Option<Vec<u8>>> {
        Ok(match row.get_ref(at)? {
            ValueRef::Blob(bytes) | ValueRef::Text(bytes) => Some(bytes.to_vec()),
            ValueRef::Null => None,
            ValueRef::Integer(_) | ValueRef::Real(_) => Some(Vec::new()),
        })
    };
    let number = |at: usize| row.get_ref(at).map(|value| value.as_i64().unwrap_or(i64::MIN));
    let salt = bytes(4)?.map(|salt| salt.try_into().unwrap_or_default());
    Ok(Record {
        seq: number(0)?.cast_unsigned(),
        at: number(1)?,
        digest: bytes(2)?.and_then(|digest| digest.try_into().ok()).unwrap_or_default(),
        hash: bytes(3)?.and_then(|hash| hash.try_into().ok()).unwrap_or_default(),
        content: salt.zip(bytes(5)?).map(|(salt, text)| Salted { salt, text }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::trail::{Action, Subject, digest_of, hash_of};

    fn contents(count: usize) -> Vec<Content> {
        let content = |at: usize| Content {
            who: "李丽".to_owned(),
            role: "handler".to_owned(),
            caller: "c".to_owned(),
            purpose: "casework".to_owned(),
            action: Action::ReadServices,
            // Spread over the index, as identifiers are.
            subject: Some(Subject { kind: "person".to_owned(), id: format!("{:018}", at.wrapping_mul(7_919_777_777) % 1_000_003) }),
            items: vec!["990100-MZ-0007".to_owned()],
            note: String::new(),
        };
        (0..count).map(content).collect()
    }

    /// Pages in the log, and how many of them are in the file too.
    fn log(path: &Path) -> (i64, i64) {
        let connection = open(path, &TRAIL).expect("it opens");
        connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| Ok((row.get(1)?, row.get(2)?))).expect("told")
    }

    #[test]
    fn the_log_is_brought_over_while_others_write_and_begins_anew() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("x.trail");
        let trail = TrailFile::open(&path).expect("it opens");
        for _ in 0..40 {
            trail.append(1, &contents(250)).expect("written");
        }
        assert!(trail.is_long());
        let before = log(&path).0;
        std::thread::scope(|scope| {
            scope.spawn(|| (0..200).for_each(|_| assert!(trail.append(2, &contents(3)).is_ok())));
            scope.spawn(|| trail.settle().expect("brought over"));
        });
        trail.settle().expect("brought over");
        assert!(!trail.is_long());
        drop(trail.log.alone());
        trail.append(3, &contents(1)).expect("written");
        let (pages, settled) = log(&path);
        assert!(pages < 32 && pages < before && settled == pages, "the log began anew: {before} pages, then {pages}");
        let records = trail.records(1, usize::MAX).expect("read");
        assert_eq!(records.len(), 40 * 250 + 200 * 3 + 1);
        let mut last = crate::store::trail::GENESIS;
        for record in &records {
            assert_eq!(record.digest, digest_of(record.content.as_ref().expect("there")));
            assert_eq!(record.hash, hash_of(&last, &record.digest, record.at, record.seq));
            last = record.hash;
        }
    }
}
