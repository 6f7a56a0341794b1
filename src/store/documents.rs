//! The documents of a run: itself, its result tables as Arrow IPC, the policies folder.

use std::io::Cursor;

use arrow::array::RecordBatch;
use arrow::ipc::CompressionType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::{IpcWriteOptions, StreamWriter};

use super::{PolicyFile, StoreError};

/// The run itself: see [`super::body::RunDocument`]. Written last: a run without it is not whole.
pub const RUN: &str = "run";

/// The policies folder as it was.
pub const POLICY_FILES: &str = "policy_files";

/// The name of the document of a result table.
#[must_use]
pub fn table_name(table: &str) -> String {
    format!("table.{table}")
}

/// One batch of a table as a part of its document.
///
/// # Errors
///
/// When Arrow cannot write it.
pub fn table_part(batch: &RecordBatch) -> Result<Vec<u8>, StoreError> {
    let write = || {
        let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD))?;
        let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batch.schema(), options)?;
        writer.write(batch)?;
        writer.finish()?;
        writer.into_inner()
    };
    write().map_err(|error| StoreError::Failed(error.to_string()))
}

/// The batches of a table.
///
/// # Errors
///
/// When a part is damaged.
pub fn table(parts: &[Vec<u8>]) -> Result<Vec<RecordBatch>, StoreError> {
    let damaged = |error: arrow::error::ArrowError| StoreError::Damaged(error.to_string());
    let mut batches = Vec::new();
    for part in parts {
        for batch in StreamReader::try_new(Cursor::new(part), None).map_err(damaged)? {
            batches.push(batch.map_err(damaged)?);
        }
    }
    Ok(batches)
}

/// The files of a policies folder as the one part of a document.
///
/// # Errors
///
/// When they cannot be written.
pub fn policy_files_part(files: &[PolicyFile]) -> Result<Vec<u8>, StoreError> {
    let text = serde_json::to_vec(files).map_err(|error| StoreError::Failed(error.to_string()))?;
    zstd::encode_all(text.as_slice(), 3).map_err(|error| StoreError::Failed(error.to_string()))
}

/// The files of a policies folder.
///
/// # Errors
///
/// When the part is damaged.
pub fn policy_files(parts: &[Vec<u8>]) -> Result<Vec<PolicyFile>, StoreError> {
    let Some(part) = parts.first() else { return Ok(Vec::new()) };
    let text = zstd::decode_all(part.as_slice()).map_err(|error| StoreError::Damaged(error.to_string()))?;
    serde_json::from_slice(&text).map_err(|error| StoreError::Damaged(error.to_string()))
}
