//! Complete or absent: a run is written aside, brought to the disk, and then moved to its place in one step.
//!
//! ```text
//!  begin      .mianshen-OUT-partial/   made, and locked against a second run
//!  write      … files, each brought to the disk
//!  finish     OUT ─rename─▶ .mianshen-OUT-previous      only where OUT holds an earlier run
//!             .mianshen-OUT-partial ─rename─▶ OUT       when this fails, the earlier run is moved back
//!             .mianshen-OUT-previous removed
//! ```
//!
//! Whatever is cut off, by an error, a signal or the power, OUT or `.mianshen-OUT-previous` holds the earlier run whole
//! until OUT holds the new one whole; [`recover`] moves an earlier run back to its place.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::manifest::MANIFEST;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::OUTPUT_FAILED;

/// The file that a run keeps locked while it writes.
const LOCK: &str = ".lock";

/// A run that is being written. Dropped before [`Staging::finish`], it leaves no trace.
#[derive(Debug)]
pub struct Staging {
    places: Places,
    lock: Option<File>,
}

/// Where a run is, was and will be.
#[derive(Debug, Clone)]
struct Places {
    out: PathBuf,
    partial: PathBuf,
    previous: PathBuf,
}

/// The moves that bring a written run to its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Files and directory to the disk.
    Settle,
    /// The earlier run out of the way.
    MoveAside,
    /// The new run to its place.
    MoveIn,
    /// The earlier run removed.
    Clean,
}

impl Step {
    /// All, in order.
    pub(crate) const ALL: [Self; 4] = [Self::Settle, Self::MoveAside, Self::MoveIn, Self::Clean];
}

impl Staging {
    /// Prepares to write a run that will be at `out`.
    ///
    /// # Errors
    ///
    /// `output-failed` when `out` is a file or a directory that holds something else than a run, when another run writes
    /// there, or when the directory beside it cannot be made.
    pub fn begin(out: &Path) -> Result<Self, Diagnostic> {
        let places = Places::of(out).map_err(|error| failed(out, &error))?;
        places.recover().map_err(|error| failed(out, &error))?;
        refuse_foreign(&places.out)?;
        let lock = places.make_partial().map_err(|error| failed(&places.partial, &error))?;
        match lock {
            Some(lock) => Ok(Self { places, lock: Some(lock) }),
            None => Err(headline(out, "另一批次正在写入", "another run is writing there")
                .help("等它结束，或用 --out 另选目录", "wait for it to end, or choose another directory with --out")),
        }
    }

    /// Where to write a file of the run.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.places.partial.join(name)
    }

    /// Writes a JSON file, indented, with a line break at its end.
    ///
    /// # Errors
    ///
    /// `output-failed` when it cannot be written.
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Diagnostic> {
        let write = || {
            let mut text = serde_json::to_vec_pretty(value).map_err(io::Error::other)?;
            text.push(b'\n');
            let mut file = File::create(self.path(name))?;
            file.write_all(&text)?;
            file.sync_all()
        };
        write().map_err(|error| self.failed(name, &error))
    }

    /// What to tell when a file of the run could not be written.
    #[must_use]
    pub fn failed(&self, name: &str, error: &io::Error) -> Diagnostic {
        failed(&self.places.out.join(name), error)
    }

    /// Moves the run to its place. An earlier run there gives way, and stays when anything fails.
    ///
    /// # Errors
    ///
    /// `output-failed` when it cannot be moved; the earlier run is then in its place again.
    pub fn finish(mut self) -> Result<(), Diagnostic> {
        for step in Step::ALL {
            if let Err(error) = self.perform(step) {
                let mut diagnostic = failed(&self.places.out, &error);
                if self.places.recover().is_err() {
                    let previous = self.places.previous.display();
                    diagnostic = diagnostic.help(format!("上一批次的结果在 {previous}"), format!("the earlier run is at {previous}"));
                }
                return Err(diagnostic);
            }
        }
        Ok(())
    }

    /// Ends as a killed process does: nothing is cleaned up, locks are let go.
    #[cfg(test)]
    pub(crate) fn kill(mut self) {
        self.lock = None;
    }

    /// One step of the move.
    pub(crate) fn perform(&mut self, step: Step) -> io::Result<()> {
        let Places { out, partial, previous } = &self.places;
        match step {
            Step::Settle => {
                // The lock stays ours until it is dropped; its file must not become a result.
                fs::remove_file(partial.join(LOCK))?;
                sync_directory(partial)
            }
            Step::MoveAside if out.join(MANIFEST).is_file() => fs::rename(out, previous),
            // An empty directory.
            Step::MoveAside if out.is_dir() => fs::remove_dir(out),
            Step::MoveAside => Ok(()),
            Step::MoveIn => fs::rename(partial, out),
            Step::Clean => {
                self.lock = None;
                // The new run is in its place: what cannot be removed now, the next run removes.
                let _ = sync_directory(self.places.parent());
                let _ = remove_if_there(previous);
                Ok(())
            }
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // Without its lock the partial directory has been moved, and one that is there now is another run's.
        if self.lock.is_some() {
            let _ = remove_if_there(&self.places.partial);
        }
    }
}

/// Moves an earlier run back to `out`, where a run was cut off between its two moves. Whoever reads a run calls it first.
///
/// # Errors
///
/// `output-failed` when there is one and it cannot be moved.
pub fn recover(out: &Path) -> Result<(), Diagnostic> {
    Places::of(out).and_then(|places| places.recover()).map_err(|error| failed(out, &error))
}

impl Places {
    fn of(out: &Path) -> io::Result<Self> {
        let out = if out.exists() { out.canonicalize()? } else { std::path::absolute(out)? };
        let name = out.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the name of a directory"))?;
        let beside = |suffix: &str| {
            let mut hidden = std::ffi::OsString::from(".mianshen-");
            hidden.push(name);
            hidden.push(suffix);
            out.with_file_name(hidden)
        };
        Ok(Self { partial: beside("-partial"), previous: beside("-previous"), out })
    }

    fn parent(&self) -> &Path {
        self.out.parent().unwrap_or(Path::new("."))
    }

    fn recover(&self) -> io::Result<()> {
        if !self.previous.join(MANIFEST).is_file() || self.out.exists() {
            return Ok(());
        }
        fs::rename(&self.previous, &self.out)
    }

    /// Makes the partial directory with its lock; none when another run holds it. What a run that was cut off has left
    /// is removed first.
    fn make_partial(&self) -> io::Result<Option<File>> {
        fs::create_dir_all(self.parent())?;
        if let Ok(lock) = File::open(self.partial.join(LOCK))
            && matches!(lock.try_lock(), Err(TryLockError::WouldBlock))
        {
            return Ok(None);
        }
        remove_if_there(&self.partial)?;
        if self.out.exists() {
            remove_if_there(&self.previous)?;
        }
        fs::create_dir(&self.partial)?;
        let lock = File::create(self.partial.join(LOCK))?;
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => Ok(None),
            // Where locks are not to be had, two runs into one directory are the caller's to avoid.
            _ => Ok(Some(lock)),
        }
    }
}

fn refuse_foreign(out: &Path) -> Result<(), Diagnostic> {
    if !out.exists() || out.join(MANIFEST).is_file() {
        return Ok(());
    }
    let other = || ("请用 --out 另选一个不存在或空的目录", "choose with --out a directory that does not exist or is empty");
    if !out.is_dir() {
        let diagnostic = headline(out, "不是目录", "not a directory");
        return Err(diagnostic.help(other().0, other().1));
    }
    let mut entries = fs::read_dir(out).map_err(|error| failed(out, &error))?;
    if entries.next().is_none() {
        return Ok(());
    }
    let diagnostic = headline(out, "目录里有别的文件，不覆盖", "the directory holds something else than a run, and is left alone");
    Err(diagnostic.help(other().0, other().1))
}

fn remove_if_there(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Brings the entries of a directory to the disk, where the system can.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

fn headline(path: &Path, zh: &str, en: &str) -> Diagnostic {
    let path = path.display();
    Diagnostic::new(&OUTPUT_FAILED, format!("无法写出 {path}：{zh}"), format!("cannot write {path}: {en}"))
}

fn failed(path: &Path, error: &io::Error) -> Diagnostic {
    let (zh, en) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ("磁盘已满", "the disk is full".to_owned()),
        io::ErrorKind::PermissionDenied => ("没有写权限", "permission denied".to_owned()),
        _ => ("", error.to_string()),
    };
    let diagnostic = headline(path, if zh.is_empty() { &en } else { zh }, &en);
    let diagnostic = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            diagnostic.help("腾出磁盘空间，或用 --out 写到别的磁盘", "free some space, or write to another disk with --out")
        }
        _ => {
            diagnostic.help("检查该路径能否写入，或用 --out 另选目录", "see whether the path can be written, or choose another with --out")
        }
    };
    diagnostic.help("没有写出任何结果；原有结果未动", "nothing was written; an earlier result is untouched")
}
