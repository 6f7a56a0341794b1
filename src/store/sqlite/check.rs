//! Whether the files of a store are what SQLite wrote.

use std::path::Path;

use rusqlite::Connection;

use super::files::{Form, HEAD, Places, RUN, TRAIL, failed, open_to_read};
use super::live::LIVE;
use super::run_id;
use crate::store::{RunId, StoreError};

/// Lets SQLite look at every page of every file; tells what it finds, by file.
///
/// # Errors
///
/// When a file is missing, foreign or newer, or cannot be read.
pub fn check(path: &Path) -> Result<Vec<String>, StoreError> {
    let places = Places { head: path.to_owned() };
    if !path.is_file() {
        return Err(StoreError::Missing);
    }
    let mut found = look(&places.head, &HEAD)?;
    if places.trail().is_file() {
        found.extend(look(&places.trail(), &TRAIL)?);
    }
    if places.live().is_file() {
        found.extend(look(&places.live(), &LIVE)?);
    }
    for run in runs(&open_to_read(&places.head, &HEAD)?)? {
        found.extend(look(&places.run(run), &RUN)?);
    }
    Ok(found)
}

fn runs(head: &Connection) -> Result<Vec<RunId>, StoreError> {
    let mut statement = head.prepare("SELECT id FROM run ORDER BY id").map_err(failed)?;
    let rows = statement.query_map([], run_id).map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

fn look(path: &Path, form: &Form) -> Result<Vec<String>, StoreError> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    if !path.is_file() {
        return Ok(vec![format!("{name}: missing")]);
    }
    let connection = open_to_read(path, form)?;
    let mut statement = connection.prepare("PRAGMA integrity_check").map_err(failed)?;
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
    let mut found = Vec::new();
    for row in rows {
        match row {
            Ok(told) if told == "ok" => {}
            Ok(told) => found.push(format!("{name}: {told}")),
            Err(error) => {
                found.push(format!("{name}: {error}"));
                break;
            }
        }
    }
    Ok(found)
}
