//! The bytes of a row group's wanted columns, read from the file at once.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

use bytes::{Buf as _, Bytes};
use parquet::arrow::ProjectionMask;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{ChunkReader, Length};

/// Columns that are nearer to each other are read together.
const GAP: u64 = 1 << 16;

/// Every so many row groups, twice as many of those that come next are fetched.
const AHEAD: usize = 8;

/// Where in the file the chunks of the wanted columns are, neighbours together, ascending.
fn ranges(metadata: &ParquetMetaData, group: usize, mask: &ProjectionMask, file_bytes: u64) -> Result<Vec<(u64, u64)>, ParquetError> {
    let columns = metadata.row_group(group).columns().iter().enumerate();
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for (_, column) in columns.filter(|(leaf, _)| mask.leaf_included(*leaf)) {
        let (start, length) = column.byte_range();
        let end = start.checked_add(length).filter(|end| *end <= file_bytes);
        let end = end.ok_or_else(|| ParquetError::EOF(format!("a column ends beyond the {file_bytes} bytes of the file")))?;
        ranges.push((start, end));
    }
    ranges.sort_unstable();
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for (start, end) in ranges {
        match joined.last_mut().filter(|last| start <= last.1.saturating_add(GAP)) {
            Some(last) => last.1 = last.1.max(end),
            None => joined.push((start, end)),
        }
    }
    Ok(joined)
}

/// Has the system fetch a part of a file without waiting for it. A hint: what comes of it is no matter.
#[cfg(target_os = "linux")]
fn fetch(file: &File, (start, end): (u64, u64)) {
    let _ = rustix::fs::fadvise(file, start, std::num::NonZeroU64::new(end - start), rustix::fs::Advice::WillNeed);
}

#[cfg(not(target_os = "linux"))]
fn fetch(_: &File, _: (u64, u64)) {}

/// Parts of a file in memory.
pub(super) struct RowGroupBytes {
    file_bytes: u64,
    /// Ascending, by where they start in the file.
    parts: Vec<(u64, Bytes)>,
}

impl RowGroupBytes {
    /// Reads the chunks of the columns in the mask, and has the system fetch those of the groups that come next.
    pub(super) fn read(path: &Path, metadata: &ParquetMetaData, group: usize, mask: &ProjectionMask) -> Result<Self, ParquetError> {
        let mut file = File::open(path)?;
        let file_bytes = file.metadata()?.len();
        let joined = ranges(metadata, group, mask, file_bytes)?;
        if group.is_multiple_of(AHEAD) {
            for next in (group + 1..metadata.num_row_groups()).take(2 * AHEAD) {
                // What is wrong with it is told when its turn comes.
                ranges(metadata, next, mask, file_bytes).unwrap_or_default().into_iter().for_each(|range| fetch(&file, range));
            }
        }
        let mut parts = Vec::with_capacity(joined.len());
        for (start, end) in joined {
            file.seek(SeekFrom::Start(start))?;
            let mut bytes = Vec::with_capacity(usize::try_from(end - start).unwrap_or(0));
            (&mut file).take(end - start).read_to_end(&mut bytes)?;
            parts.push((start, bytes.into()));
        }
        Ok(Self { file_bytes, parts })
    }

    /// What stands from `start` to the end of its part.
    fn beginning_at(&self, start: u64) -> Result<Bytes, ParquetError> {
        let at = self.parts.partition_point(|(first, _)| *first <= start);
        let found = at.checked_sub(1).map(|at| &self.parts[at]).and_then(|(first, bytes)| {
            let offset = usize::try_from(start - first).ok()?;
            (offset <= bytes.len()).then(|| bytes.slice(offset..))
        });
        found.ok_or_else(|| ParquetError::EOF(format!("byte {start} is of no wanted column")))
    }
}

impl Length for RowGroupBytes {
    fn len(&self) -> u64 {
        self.file_bytes
    }
}

impl ChunkReader for RowGroupBytes {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.beginning_at(start)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let rest = self.beginning_at(start)?;
        if rest.len() < length {
            return Err(ParquetError::EOF(format!("{length} bytes wanted at {start}, {} there", rest.len())));
        }
        Ok(rest.slice(..length))
    }
}
