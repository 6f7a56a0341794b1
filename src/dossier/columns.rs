//! The columns of the subjects, in the order of their places: in memory as far as that may go, else in files.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, RecordBatch, UInt32Array, new_empty_array};
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use rayon::prelude::*;

use super::DossierError;
use super::narrow::{narrowed, widened};
use crate::register::declaration::SubjectKind;

/// Rows of a batch of dossiers.
pub(super) const BATCH_ROWS: usize = 65_536;

/// Columns that were made together; they are stored [`narrowed`].
#[derive(Debug)]
struct Piece {
    /// Their names, and their types as they are given out.
    schema: SchemaRef,
    stored: Stored,
}

#[derive(Debug)]
enum Stored {
    Memory(Vec<ArrayRef>),
    File(PathBuf),
}

/// The columns of all kinds. A copy shares what there is: a column that is then added to it takes the place of the one of
/// that name, in the copy only.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    directory: PathBuf,
    /// Bytes that may stay in memory.
    limit: usize,
    used: usize,
    /// Files written so far, by all copies: they lie in one directory.
    files: Arc<AtomicUsize>,
    pieces: BTreeMap<SubjectKind, Vec<Arc<Piece>>>,
    by_name: HashMap<(SubjectKind, String), (usize, usize)>,
}

impl Columns {
    /// No columns yet; files will lie in `directory`.
    pub(super) fn new(directory: &Path, limit: Option<usize>) -> Self {
        Self {
            directory: directory.to_owned(),
            limit: limit.unwrap_or(usize::MAX),
            used: 0,
            files: Arc::default(),
            pieces: BTreeMap::new(),
            by_name: HashMap::new(),
        }
    }

    /// Adds columns of one kind, one value per subject each.
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub(super) fn insert(&mut self, kind: SubjectKind, columns: Vec<(String, Column)>) -> Result<(), DossierError> {
        let fields: Vec<Field> = columns.iter().map(|(name, column)| Field::new(name, column.data_type.clone(), true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let pieces = self.pieces.entry(kind).or_default();
        for (at, (name, _)) in columns.iter().enumerate() {
            self.by_name.insert((kind, name.clone()), (pieces.len(), at));
        }
        let arrays: Vec<ArrayRef> = columns.into_par_iter().map(|(_, column)| narrowed(&column.narrow)).collect();
        let size: usize = arrays.iter().map(|array| array.get_array_memory_size()).sum();
        let stored = if self.used + size <= self.limit {
            self.used += size;
            Stored::Memory(arrays)
        } else {
            let number = self.files.fetch_add(1, Ordering::Relaxed) + 1;
            let path = self.directory.join(format!("{kind}-{number}.arrow"));
            write(&path, &arrays)?;
            Stored::File(path)
        };
        pieces.push(Arc::new(Piece { schema, stored }));
        Ok(())
    }

    /// A whole column as it is kept; `None` where there is none of that name.
    ///
    /// # Errors
    ///
    /// When its file cannot be read.
    pub(super) fn get(&self, kind: SubjectKind, name: &str) -> Result<Option<Column>, DossierError> {
        let Some(&(piece, at)) = self.by_name.get(&(kind, name.to_owned())) else { return Ok(None) };
        let piece = &self.pieces[&kind][piece];
        let data_type = piece.schema.field(at).data_type();
        let whole = match &piece.stored {
            Stored::Memory(arrays) => Arc::clone(&arrays[at]),
            Stored::File(path) => {
                let batches = open(path, vec![at])?.collect::<Result<Vec<_>, _>>()?;
                let parts: Vec<&dyn arrow::array::Array> = batches.iter().map(|batch| batch.column(0).as_ref()).collect();
                if parts.is_empty() { new_empty_array(data_type) } else { concat(&parts)? }
            }
        };
        Ok(Some(Column { narrow: whole, data_type: data_type.clone() }))
    }

    /// A reader of some columns, batch by batch in any order.
    ///
    /// # Errors
    ///
    /// When a file cannot be opened.
    pub(super) fn reader(&self, kind: SubjectKind, names: &[String]) -> Result<Reader, DossierError> {
        let mut by_piece: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        let mut fields = Vec::new();
        for name in names {
            let Some(&(piece, at)) = self.by_name.get(&(kind, name.clone())) else { continue };
            by_piece.entry(piece).or_default().push((fields.len(), at));
            fields.push(self.pieces[&kind][piece].schema.field(at).clone());
        }
        let parts = by_piece
            .into_iter()
            .map(|(piece, mut places)| {
                Ok(match &self.pieces[&kind][piece].stored {
                    Stored::Memory(arrays) => ReaderPart::Memory(places.iter().map(|&(to, at)| (to, Arc::clone(&arrays[at]))).collect()),
                    Stored::File(path) => {
                        // A projected file gives its columns in the order of the file.
                        places.sort_by_key(|&(_, at)| at);
                        let reader = open(path, places.iter().map(|&(_, at)| at).collect())?;
                        ReaderPart::File(places.into_iter().map(|(to, _)| to).collect(), Box::new(reader))
                    }
                })
            })
            .collect::<Result<Vec<_>, DossierError>>()?;
        Ok(Reader { fields, parts })
    }
}

/// A whole column: as it is kept, or as it is given out.
#[derive(Debug)]
pub(super) struct Column {
    narrow: ArrayRef,
    /// The type of its values as they are given out.
    pub(super) data_type: DataType,
}

impl Column {
    /// Values as they are given out.
    pub(super) fn of(values: ArrayRef) -> Self {
        Self { data_type: values.data_type().clone(), narrow: values }
    }

    /// Values that were [`Column::narrowed`], with the type that they are given out in.
    pub(super) fn narrowed_to(narrow: ArrayRef, data_type: DataType) -> Self {
        Self { narrow, data_type }
    }

    /// The same as it is kept.
    pub(super) fn narrowed(&self) -> Self {
        Self { narrow: narrowed(&self.narrow), data_type: self.data_type.clone() }
    }

    /// The values as they are kept.
    pub(super) fn narrow(&self) -> &ArrayRef {
        &self.narrow
    }

    /// All values.
    ///
    /// # Errors
    ///
    /// When they do not fit the type that they are given out in.
    pub(super) fn whole(&self) -> Result<ArrayRef, DossierError> {
        widened(&self.narrow, &self.data_type)
    }

    /// The values at some places, null where there is none.
    ///
    /// # Errors
    ///
    /// When a place is beyond the column.
    pub(super) fn take(&self, places: &UInt32Array) -> Result<ArrayRef, DossierError> {
        widened(&take(&self.narrow, places, None)?, &self.data_type)
    }
}

/// Reads batches of columns that lie in several places.
pub(super) struct Reader {
    /// The columns, in the order in which they were asked for.
    pub(super) fields: Vec<Field>,
    parts: Vec<ReaderPart>,
}

enum ReaderPart {
    Memory(Vec<(usize, ArrayRef)>),
    File(Vec<usize>, Box<FileReader<BufReader<File>>>),
}

impl Reader {
    /// The columns of the batch at a place, which has `rows` rows.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub(super) fn batch(&mut self, at: usize, rows: usize) -> Result<Vec<ArrayRef>, DossierError> {
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.fields.len()];
        for part in &mut self.parts {
            match part {
                ReaderPart::Memory(arrays) => {
                    for (to, array) in arrays {
                        columns[*to] = Some(array.slice(at * BATCH_ROWS, rows));
                    }
                }
                ReaderPart::File(places, reader) => {
                    reader.set_index(at)?;
                    if let Some(batch) = reader.next() {
                        for (to, array) in places.iter().zip(batch?.columns()) {
                            columns[*to] = Some(Arc::clone(array));
                        }
                    }
                }
            }
        }
        columns.into_iter().flatten().zip(&self.fields).map(|(column, field)| widened(&column, field.data_type())).collect()
    }
}

fn open(path: &Path, places: Vec<usize>) -> Result<FileReader<BufReader<File>>, DossierError> {
    let file = File::open(path).map_err(|error| DossierError::scratch(path, &error))?;
    Ok(FileReader::try_new(BufReader::with_capacity(1 << 20, file), Some(places))?)
}

fn write(path: &Path, arrays: &[ArrayRef]) -> Result<(), DossierError> {
    let fields: Vec<Field> =
        arrays.iter().enumerate().map(|(at, array)| Field::new(at.to_string(), array.data_type().clone(), true)).collect();
    let schema = &Arc::new(Schema::new(fields));
    let file = File::create(path).map_err(|error| DossierError::scratch(path, &error))?;
    let mut writer = FileWriter::try_new(BufWriter::with_capacity(1 << 20, file), schema)?;
    let rows = arrays.first().map_or(0, |array| array.len());
    for start in (0..rows).step_by(BATCH_ROWS) {
        let count = BATCH_ROWS.min(rows - start);
        let columns = arrays.iter().map(|array| array.slice(start, count)).collect();
        writer.write(&RecordBatch::try_new(Arc::clone(schema), columns)?)?;
    }
    writer.finish()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    #[track_caller]
    fn check(limit: Option<usize>, rows: usize) {
        let directory = tempfile::tempdir().expect("a directory");
        let mut columns = Columns::new(directory.path(), limit);
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..rows).map(|row| i64::try_from(row).ok().filter(|row| row % 3 > 0))));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|row| row.to_string())));
        columns
            .insert(
                SubjectKind::Person,
                vec![("n".to_owned(), Column::of(Arc::clone(&numbers))), ("t".to_owned(), Column::of(Arc::clone(&texts)))],
            )
            .expect("room");
        columns.insert(SubjectKind::Person, vec![("m".to_owned(), Column::of(Arc::clone(&numbers)))]).expect("room");
        assert!(columns.get(SubjectKind::Entity, "m").expect("read").is_none());
        let all = UInt32Array::from_iter_values(0..u32::try_from(rows).expect("few"));
        for (name, array) in [("t", &texts), ("n", &numbers)] {
            let column = columns.get(SubjectKind::Person, name).expect("read").expect("there");
            assert_eq!(&column.take(&all).expect("places"), array);
        }
        let names = ["t".to_owned(), "m".to_owned(), "n".to_owned()];
        let mut reader = columns.reader(SubjectKind::Person, &names).expect("a reader");
        for at in (0..rows.div_ceil(BATCH_ROWS)).rev() {
            let (start, count) = (at * BATCH_ROWS, BATCH_ROWS.min(rows - at * BATCH_ROWS));
            let batch = reader.batch(at, count).expect("a batch");
            assert_eq!(&batch[0], &texts.slice(start, count));
            assert_eq!(&batch[1], &numbers.slice(start, count));
            assert_eq!(&batch[2], &numbers.slice(start, count));
        }
    }

    #[test]
    fn columns_are_the_same_in_memory_and_in_files() {
        for rows in [0, 1, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1] {
            check(None, rows);
            check(Some(0), rows);
        }
    }
}
