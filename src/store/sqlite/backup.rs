//! Backup and restore: a copy of all files that is a store itself.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::files::{Form, HEAD, Places, RUN, TRAIL, failed, io_failed, open_to_read, run_name, settle};
use super::live::LIVE;
use super::run_id;
use crate::store::{Held, RunId, StoreError};

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copied {
    /// Runs.
    pub runs: usize,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Copies a store that may be in use to a place where there is none. Loads wait for it: run files are not removed meanwhile.
///
/// # Errors
///
/// When there is no store, when there is something at `to`, when a run is being loaded, or when files cannot be written.
pub fn back_up(from: &Path, to: &Path) -> Result<Copied, StoreError> {
    let (from, to) = (Places { head: from.to_owned() }, Places { head: to.to_owned() });
    if !from.head.is_file() {
        return Err(StoreError::Missing);
    }
    let _lock = hold(&from)?;
    copy(&from, &to)
}

/// Keeps loads away. Where nothing can be written, nothing is being loaded.
fn hold(places: &Places) -> Result<Option<fs::File>, StoreError> {
    let path = places.lock();
    let file = match fs::File::options().create(true).append(true).open(&path) {
        Ok(file) => file,
        Err(error) if [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem].contains(&error.kind()) => return Ok(None),
        Err(error) => return Err(io_failed(&path, &error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::Busy(Held::Load)),
        Err(fs::TryLockError::Error(error)) => Err(io_failed(&path, &error)),
    }
}

/// Brings a backup to where a store is to be. With `replace`, the store that is there is moved aside and removed once the
/// backup is in its place.
///
/// # Errors
///
/// When there is no backup, when there is something at `to` that is not to be replaced, or when files cannot be written.
pub fn restore(from: &Path, to: &Path, replace: bool) -> Result<Copied, StoreError> {
    let target = Places { head: to.to_owned() };
    if !target.head.exists() {
        return back_up(from, to);
    }
    if !replace {
        return Err(StoreError::Occupied);
    }
    // Nothing of another program is ever moved.
    drop(open_to_read(&target.head, &HEAD)?);
    let new = Places { head: aside(to, ".restoring") };
    remove(&new)?;
    let copied = back_up(from, &new.head)?;
    let old = Places { head: aside(to, ".replaced") };
    remove(&old)?;
    rename(&target, &old)?;
    rename(&new, &target)?;
    remove(&old)?;
    Ok(copied)
}

fn aside(path: &Path, end: &str) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// The files of a store that are not made anew when they are missing, with what SQLite keeps beside them.
fn all_files(places: &Places) -> Vec<std::path::PathBuf> {
    let sides = |path: &Path| ["", "-wal", "-shm"].map(|end| aside(path, end));
    let mut files: Vec<_> = sides(&places.head).into_iter().chain(sides(&places.trail())).chain(sides(&places.live())).collect();
    files.push(places.lock());
    files.push(places.filling());
    files.push(places.runs());
    files
}

fn rename(from: &Places, to: &Places) -> Result<(), StoreError> {
    for (from, to) in all_files(from).iter().zip(all_files(to)) {
        if from.exists() {
            fs::rename(from, &to).map_err(|error| io_failed(from, &error))?;
        }
    }
    Ok(())
}

fn remove(places: &Places) -> Result<(), StoreError> {
    for path in all_files(places) {
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io_failed(&path, &error)),
            _ => {}
        }
    }
    Ok(())
}

fn copy(from: &Places, to: &Places) -> Result<Copied, StoreError> {
    if to.head.exists() || to.runs().exists() || to.trail().exists() || to.live().exists() {
        return Err(StoreError::Occupied);
    }
    fs::create_dir_all(to.runs()).map_err(|error| io_failed(&to.runs(), &error))?;
    // The trail last: it may then know more than the runs, never less.
    copy_database(&from.head, &to.head, &HEAD)?;
    let runs: Vec<RunId> = {
        let head = open_to_read(&to.head, &HEAD)?;
        let mut statement = head.prepare("SELECT id FROM run ORDER BY id").map_err(failed)?;
        let rows = statement.query_map([], run_id).map_err(failed)?;
        rows.collect::<Result<_, _>>().map_err(failed)?
    };
    for run in &runs {
        let path = to.runs().join(run_name(*run));
        fs::copy(from.run(*run), &path).map_err(|error| io_failed(&path, &error))?;
        settle(&path)?;
        // What was copied is a run that can be read.
        drop(open_to_read(&path, &RUN)?);
    }
    settle(&to.runs())?;
    if from.live().is_file() {
        copy_database(&from.live(), &to.live(), &LIVE)?;
    }
    if from.trail().is_file() {
        copy_database(&from.trail(), &to.trail(), &TRAIL)?;
    }
    let sizes = [to.head.clone(), to.trail(), to.live()].into_iter().chain(runs.iter().map(|run| to.run(*run)));
    let bytes = sizes.filter_map(|path| fs::metadata(path).ok()).map(|data| data.len()).sum();
    Ok(Copied { runs: runs.len(), bytes })
}

/// SQLite's online backup: the copy is of one moment, whoever writes meanwhile.
fn copy_database(from: &Path, to: &Path, form: &Form) -> Result<(), StoreError> {
    let source = open_to_read(from, form)?;
    let mut target = Connection::open(to).map_err(failed)?;
    {
        let backup = Backup::new(&source, &mut target).map_err(failed)?;
        // In one step: between two, a write of another process would begin it anew, for ever where one writes all the time.
        // Who writes is not held up; only its log grows meanwhile.
        match backup.step(-1).map_err(failed)? {
            StepResult::Done => {}
            other => return Err(StoreError::Failed(format!("{}: {other:?}", from.display()))),
        }
    }
    // One file, that can be read where nothing can be written.
    target.pragma_update(None, "journal_mode", "DELETE").map_err(failed)?;
    target.close().map_err(|(_, error)| failed(error))?;
    settle(to)
}
