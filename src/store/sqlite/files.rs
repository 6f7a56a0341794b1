//! The files of an SQLite store, and how each is opened: what it is for, which version, and nothing foreign.
//!
//! ```text
//!  city.db            head: runs, the pointer, what a server keeps      small, WAL
//!  city.db.trail      access trail                                      WAL, every commit on the disk
//!  city.db.live       rows, standing, cases, messages                   WAL, every commit on the disk
//!  city.db.filling    locked while a generation of the live part is filled
//!  city.db.runs/      run-000012.db, one per run                        written once, then only read
//!  city.db.loading    locked while a run is loaded
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::store::{RunId, StoreError};

/// How long a write waits for another one.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connections that a pool keeps when nobody uses them.
const SPARE: usize = 16;

/// Where everything is.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub head: PathBuf,
}

impl Places {
    fn beside(&self, end: &str) -> PathBuf {
        let mut name: OsString = self.head.clone().into_os_string();
        name.push(end);
        name.into()
    }

    pub(super) fn trail(&self) -> PathBuf {
        self.beside(".trail")
    }

    pub(super) fn live(&self) -> PathBuf {
        self.beside(".live")
    }

    pub(super) fn filling(&self) -> PathBuf {
        self.beside(".filling")
    }

    pub(super) fn runs(&self) -> PathBuf {
        self.beside(".runs")
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.beside(".loading")
    }

    /// Where a run is written before it has a number.
    pub(super) fn partial(&self) -> PathBuf {
        self.runs().join("loading.partial")
    }

    pub(super) fn run(&self, id: RunId) -> PathBuf {
        self.runs().join(run_name(id))
    }
}

/// The name of a run's file.
pub(super) fn run_name(id: RunId) -> String {
    format!("run-{:06}.db", id.0)
}

/// What a file is for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// In the header of the file (`PRAGMA application_id`).
    pub application: i64,
    /// What makes a file of each version out of one of the version before; the first makes it out of nothing.
    pub steps: &'static [&'static str],
}

/// The head.
pub(super) const HEAD: Form = Form {
    application: 0x6d73_6864,
    steps: &["CREATE TABLE run (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            as_of TEXT NOT NULL,
            loaded_at INTEGER NOT NULL,
            persons INTEGER NOT NULL,
            households INTEGER NOT NULL,
            entities INTEGER NOT NULL,
            granted INTEGER NOT NULL
        );
        CREATE TABLE pointer (one INTEGER PRIMARY KEY CHECK (one = 1), run INTEGER NOT NULL REFERENCES run (id));
        CREATE TABLE kept (
            list TEXT NOT NULL,
            key TEXT NOT NULL,
            at INTEGER NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (list, key)
        ) WITHOUT ROWID;
        CREATE INDEX kept_at ON kept (list, at);"],
};

/// The access trail.
pub(super) const TRAIL: Form = Form {
    application: 0x6d73_7472,
    steps: &["CREATE TABLE record (
            seq INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,
            digest BLOB NOT NULL,
            hash BLOB NOT NULL
        );
        CREATE TABLE content (
            seq INTEGER PRIMARY KEY,
            kind TEXT,
            subject TEXT,
            stays INTEGER NOT NULL,
            salt BLOB NOT NULL,
            text BLOB NOT NULL
        );
        CREATE INDEX content_subject ON content (subject, kind, seq) WHERE subject IS NOT NULL;"],
};

/// A run.
pub(super) const RUN: Form = Form {
    application: 0x6d73_726e,
    steps: &["CREATE TABLE person (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE household (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE entity (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE alias (kind TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL, PRIMARY KEY (kind, old)) WITHOUT ROWID;
        CREATE TABLE document (
            name TEXT NOT NULL,
            part INTEGER NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (name, part)
        );"],
};

/// Opens a file that is written to, and brings it to the newest version. A file that is not there is made.
pub(super) fn open(path: &Path, form: &Form) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    known(&connection, form, path)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    migrate(&mut connection, form)?;
    Ok(connection)
}

/// Opens a file for reading only.
pub(super) fn open_to_read(path: &Path, form: &Form) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(PATIENCE).map_err(failed)?;
    if known(&connection, form, path)? == 0 {
        return Err(StoreError::Foreign(name_of(path)));
    }
    Ok(connection)
}

/// Opens a run for reading only: it never changes, so that no lock is ever taken.
pub(super) fn open_run(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(path), flags).map_err(failed)?;
    if known(&connection, &RUN, path)? == 0 {
        return Err(StoreError::Damaged(name_of(path)));
    }
    Ok(connection)
}

/// Makes the file of a run that nobody sees yet: nothing is journaled, for what fails is thrown away.
pub(super) fn make_run(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path).map_err(failed)?;
    let pragmas = [("page_size", "8192"), ("journal_mode", "OFF"), ("synchronous", "OFF"), ("locking_mode", "EXCLUSIVE")];
    for (name, value) in pragmas.into_iter().chain([("cache_size", "-65536"), ("temp_store", "MEMORY")]) {
        connection.pragma_update(None, name, value).map_err(failed)?;
    }
    migrate(&mut connection, &RUN)?;
    Ok(connection)
}

/// `file:` with every byte that means something there written as its number.
fn uri(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    let escaped: String =
        bytes.iter().map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }).collect();
    format!("file:{escaped}?immutable=1")
}

/// The version of a file: 0 for a new one. Refuses what is not of the form, or newer than it.
fn known(connection: &Connection, form: &Form, path: &Path) -> Result<i64, StoreError> {
    let number =
        |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(|error| read_failed(error, path));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)).map_err(|error| read_failed(error, path))?;
    if application != form.application && (application != 0 || tables > 0) {
        return Err(StoreError::Foreign(name_of(path)));
    }
    let newest = newest(form);
    if version > newest {
        return Err(StoreError::Newer { found: version, known: newest });
    }
    Ok(version)
}

fn newest(form: &Form) -> i64 {
    i64::try_from(form.steps.len()).unwrap_or(i64::MAX)
}

fn migrate(connection: &mut Connection, form: &Form) -> Result<(), StoreError> {
    let version = |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0)).map_err(failed);
    if version(connection)? == newest(form) {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may have been faster.
    let from = usize::try_from(version(&transaction)?).unwrap_or(usize::MAX);
    for step in form.steps.iter().skip(from) {
        transaction.execute_batch(step).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", form.application).map_err(failed)?;
    transaction.pragma_update(None, "user_version", newest(form)).map_err(failed)?;
    transaction.commit().map_err(failed)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// What SQLite tells of a file that it could not read.
fn read_failed(error: rusqlite::Error, path: &Path) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::Foreign(name_of(path)),
        _ => failed(error),
    }
}

/// What SQLite tells.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn failed(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DiskFull) => StoreError::Full,
        Some(rusqlite::ErrorCode::NotADatabase) => StoreError::Foreign("not an SQLite file".to_owned()),
        Some(rusqlite::ErrorCode::DatabaseCorrupt) => StoreError::Damaged(error.to_string()),
        _ => StoreError::Failed(error.to_string()),
    }
}

/// What the system tells of a file.
pub(super) fn io_failed(path: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => StoreError::Full,
        _ => StoreError::Failed(format!("{}: {error}", name_of(path))),
    }
}

/// Brings a file or a folder to the disk.
pub(super) fn settle(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(|error| io_failed(path, &error))
}

/// Opens a connection.
type Open = Box<dyn Fn() -> Result<Connection, StoreError> + Send + Sync>;

/// Connections that readers take in turn.
pub(super) struct Pool {
    open: Open,
    idle: Mutex<Vec<Connection>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl Pool {
    pub(super) fn new(open: impl Fn() -> Result<Connection, StoreError> + Send + Sync + 'static) -> Self {
        Self { open: Box::new(open), idle: Mutex::default() }
    }

    /// Works with a connection that nobody else has.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| (self.open)(), Ok)?;
        let done = work(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if done.is_ok() && idle.len() < SPARE {
            idle.push(connection);
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_escaped() {
        assert_eq!(uri(Path::new("/a b/城?x#1%.db")), "file:/a%20b/%E5%9F%8E%3Fx%231%25.db?immutable=1");
    }

    #[test]
    fn what_is_foreign_or_newer_is_refused_and_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let other = Connection::open(&path).unwrap();
        other.execute_batch("CREATE TABLE theirs (a)").unwrap();
        drop(other);
        assert_eq!(open(&path, &HEAD).unwrap_err(), StoreError::Foreign("x.db".to_owned()));
        std::fs::write(&path, "no database at all, but longer than a header of one hundred bytes: ".repeat(9)).unwrap();
        assert_eq!(open(&path, &HEAD).unwrap_err(), StoreError::Foreign("x.db".to_owned()));
        std::fs::remove_file(&path).unwrap();
        drop(open(&path, &HEAD).unwrap());
        assert!(open(&path, &HEAD).is_ok(), "it opens again");
        assert_eq!(open(&path, &TRAIL).unwrap_err(), StoreError::Foreign("x.db".to_owned()));
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert_eq!(open(&path, &HEAD).unwrap_err(), StoreError::Newer { found: 99, known: 1 });
    }
}
