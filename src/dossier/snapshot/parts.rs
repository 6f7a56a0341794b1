//! The files of a snapshot: Arrow streams, each with the digest of its bytes in the record.

use std::collections::HashMap;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringArray, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt32Type, UInt64Type};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use sha2::{Digest as _, Sha256};

use super::record::Part;
use crate::dossier::base::Base;
use crate::dossier::columns::Column;
use crate::dossier::links::{LinkBatch, LinkTable};
use crate::dossier::subjects::{Keys, SubjectIndex};
use crate::hex;

/// Why a part cannot be taken.
#[derive(Debug)]
pub(super) enum Unfit {
    /// It cannot be read.
    Io(std::io::Error),
    /// Its bytes are not those that were written.
    Changed,
    /// It does not hold what it should.
    Arrow(ArrowError),
}

impl std::fmt::Display for Unfit {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(out),
            Self::Changed => out.write_str("its bytes are not those that were written"),
            Self::Arrow(error) => error.fmt(out),
        }
    }
}

impl From<ArrowError> for Unfit {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

impl From<std::io::Error> for Unfit {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

fn shape(what: &str) -> Unfit {
    Unfit::Arrow(ArrowError::SchemaError(what.to_owned()))
}

/// The longest name of a part before its digest, in characters: no file system takes less.
const LONGEST_STEM: usize = 50;

/// Writes a part under a name that its bytes follow from; what lies there already is the same.
pub(super) fn write(dir: &Path, stem: &str, ending: &str, bytes: &[u8]) -> std::io::Result<Part> {
    let sha256 = hex::digits(&Sha256::digest(bytes));
    // A fact may be called by its expression.
    let plain = |character: char| if character.is_alphanumeric() || "._!".contains(character) { character } else { '-' };
    let stem: String = stem.chars().map(plain).take(LONGEST_STEM).collect();
    let file = format!("{stem}-{}.{ending}", &sha256[..16]);
    let (path, length) = (dir.join(&file), bytes.len() as u64);
    if fs::metadata(&path).map_or(true, |there| there.len() != length) {
        let mut aside = tempfile::Builder::new().prefix(".partial-").tempfile_in(dir)?;
        aside.write_all(bytes)?;
        aside.persist(&path)?;
    }
    Ok(Part { file, bytes: length, sha256 })
}

/// The bytes of a part, as they were written.
pub(super) fn read(dir: &Path, part: &Part) -> Result<Vec<u8>, Unfit> {
    let bytes = fs::read(dir.join(&part.file))?;
    if bytes.len() as u64 == part.bytes && hex::digits(&Sha256::digest(&bytes)) == part.sha256 { Ok(bytes) } else { Err(Unfit::Changed) }
}

/// Batches as Arrow streams behind each other: a new one wherever the schema changes.
fn streams(batches: &[RecordBatch]) -> Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    for alike in batches.chunk_by(|one, next| one.schema() == next.schema()) {
        let mut writer = StreamWriter::try_new(&mut bytes, &alike[0].schema())?;
        for batch in alike {
            writer.write(batch)?;
        }
        writer.finish()?;
    }
    Ok(bytes)
}

/// All batches of the streams.
fn batches(bytes: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut cursor = Cursor::new(bytes);
    let mut all = Vec::new();
    while cursor.position() < bytes.len() as u64 {
        let mut reader = StreamReader::try_new(&mut cursor, None)?;
        for batch in &mut reader {
            all.push(batch?);
        }
    }
    Ok(all)
}

const TYPE: &str = "type";

/// A column: one batch, the type that it is given out in beside it.
pub(super) fn of_column(name: &str, column: &Column) -> Result<Vec<u8>, ArrowError> {
    let values = column.narrow();
    let kept = HashMap::from([(TYPE.to_owned(), column.data_type.to_string())]);
    let field = Field::new(name, values.data_type().clone(), true).with_metadata(kept);
    streams(&[RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::clone(values)])?])
}

/// The column of a part.
pub(super) fn column(bytes: &[u8]) -> Result<Column, Unfit> {
    let batches = batches(bytes)?;
    let [batch] = batches.as_slice() else { return Err(shape("a column is one batch")) };
    let schema = batch.schema();
    let data_type = schema.fields().first().and_then(|field| field.metadata().get(TYPE)).ok_or_else(|| shape("a column has a type"))?;
    Ok(Column::narrowed_to(Arc::clone(batch.column(0)), data_type.parse::<DataType>()?))
}

fn batch(fields: Vec<Field>, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch, ArrowError> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
}

/// The rows of a link: first the identifiers that no subject has, then the rows.
pub(super) fn of_table(table: &LinkTable) -> Result<Vec<u8>, ArrowError> {
    let others: ArrayRef = Arc::new(StringArray::from_iter_values(&table.others));
    let mut all = vec![batch(vec![Field::new("other", DataType::Utf8, false)], vec![others], table.others.len())?];
    for rows in &table.batches {
        let ends: [ArrayRef; 2] = [&rows.from, &rows.to].map(|places| Arc::new(UInt32Array::from(places.clone())) as ArrayRef);
        let mut fields = vec![Field::new("from", DataType::UInt32, false), Field::new("to", DataType::UInt32, false)];
        fields.extend(rows.columns.iter().enumerate().map(|(at, column)| Field::new(at.to_string(), column.data_type().clone(), true)));
        all.push(batch(fields, ends.into_iter().chain(rows.columns.iter().cloned()).collect(), rows.from.len())?);
    }
    streams(&all)
}

/// The rows of a part.
pub(super) fn table(bytes: &[u8]) -> Result<LinkTable, Unfit> {
    let mut all = batches(bytes)?.into_iter();
    let others = all.next().ok_or_else(|| shape("rows begin with those that no subject has"))?;
    let others = texts(&others, "other")?.iter().flatten().map(str::to_owned).collect();
    let places = |batch: &RecordBatch, name: &str| {
        let column = batch.column_by_name(name).and_then(|column| column.as_primitive_opt::<UInt32Type>().cloned());
        column.map(|column| column.values().to_vec()).ok_or_else(|| shape("rows have two ends"))
    };
    let rows = |batch: RecordBatch| {
        let (from, to) = (places(&batch, "from")?, places(&batch, "to")?);
        Ok(LinkBatch { from, to, columns: batch.columns().iter().skip(2).cloned().collect(), known: None })
    };
    Ok(LinkTable { batches: all.map(rows).collect::<Result<_, Unfit>>()?, others })
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a StringArray, Unfit> {
    batch.column_by_name(name).and_then(|column| column.as_string_opt()).ok_or_else(|| shape("texts are missing"))
}

/// The subjects of a kind: their identifiers in order, and within which coverages each is.
pub(super) fn of_base(base: &Base) -> Result<Vec<u8>, ArrowError> {
    let ids: ArrayRef = match base.index.keys() {
        Keys::Persons(keys) => Arc::new(UInt64Array::from(keys.clone())),
        Keys::Texts(texts) => Arc::new(texts.clone()),
    };
    let mut fields = vec![Field::new("id", ids.data_type().clone(), false)];
    let mut columns = vec![ids];
    for (name, within) in &base.within {
        fields.push(Field::new(name, DataType::Boolean, false));
        columns.push(Arc::new(BooleanArray::new(within.clone(), None)));
    }
    streams(&[batch(fields, columns, base.index.len())?])
}

/// The subjects of a part.
pub(super) fn base(bytes: &[u8]) -> Result<Base, Unfit> {
    let batches = batches(bytes)?;
    let [batch] = batches.as_slice() else { return Err(shape("subjects are one batch")) };
    let schema: SchemaRef = batch.schema();
    let ids = batch.column_by_name("id").ok_or_else(|| shape("subjects have identifiers"))?;
    let keys = match ids.as_primitive_opt::<UInt64Type>() {
        Some(keys) => Keys::Persons(keys.values().to_vec()),
        None => Keys::Texts(texts(batch, "id")?.clone()),
    };
    let within = schema.fields().iter().zip(batch.columns()).skip(1).map(|(field, column)| {
        let column = column.as_boolean_opt().ok_or_else(|| shape("whether somebody is within a coverage is yes or no"))?;
        Ok((field.name().clone(), column.values().clone()))
    });
    Ok(Base { within: within.collect::<Result<_, Unfit>>()?, index: Arc::new(SubjectIndex::new(vec![keys])) })
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Decimal128Array, DictionaryArray, Int64Array};
    use arrow::buffer::BooleanBuffer;
    use arrow::datatypes::Int32Type;

    use super::*;
    use crate::dossier::subjects::NOWHERE;

    fn keys(texts: &[Option<&str>]) -> ArrayRef {
        Arc::new(texts.iter().copied().collect::<DictionaryArray<Int32Type>>())
    }

    #[test]
    fn columns_come_back_in_the_type_that_they_are_given_out_in() {
        let money = Decimal128Array::from(vec![Some(1), None, Some(1_000_000)]).with_precision_and_scale(18, 2).expect("fits");
        let all: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MAX)])),
            Arc::new(Int64Array::from(vec![Some(1), None, Some(-7)])),
            Arc::new(money),
            Arc::new(Date32Array::from(vec![Some(20_000), None, Some(-1)])),
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
            Arc::new(StringArray::from(vec![Some("样例"), None, Some("")])),
            keys(&[Some("a"), None, Some("b")]),
            keys(&[None, None, None]),
            Arc::new(Int64Array::from(Vec::<i64>::new())),
        ];
        for values in all {
            let kept = of_column("n", &Column::of(Arc::clone(&values)).narrowed()).expect("written");
            let back = column(&kept).expect("read");
            assert_eq!(&back.whole().expect("widened"), &values);
            assert_eq!(back.data_type, *values.data_type());
        }
    }

    #[test]
    fn rows_of_links_come_back_batch_by_batch() {
        let rows =
            |from: &[u32], to: &[u32], columns: Vec<ArrayRef>| LinkBatch { from: from.to_vec(), to: to.to_vec(), columns, known: None };
        let table = LinkTable {
            batches: vec![
                rows(&[0, 1], &[3, NOWHERE], vec![keys(&[Some("x"), None])]),
                rows(&[2], &[7], vec![keys(&[Some("of another dictionary")])]),
                rows(&[2], &[1], vec![Arc::new(StringArray::from(vec!["of another type"]))]),
                rows(&[], &[], vec![keys(&[])]),
            ],
            others: vec!["nobody's".to_owned(), String::new()],
        };
        let back = super::table(&of_table(&table).expect("written")).expect("read");
        assert_eq!(back.others, table.others);
        assert_eq!(back.batches.len(), table.batches.len());
        for (back, rows) in back.batches.iter().zip(&table.batches) {
            assert_eq!((&back.from, &back.to, &back.columns), (&rows.from, &rows.to, &rows.columns));
        }
        let nothing = super::table(&of_table(&LinkTable::default()).expect("written")).expect("read");
        assert!(nothing.batches.is_empty() && nothing.others.is_empty());
    }

    #[test]
    fn rows_without_columns_keep_their_number() {
        let table = LinkTable { batches: vec![LinkBatch { from: vec![4, 4], to: vec![1, 2], ..LinkBatch::default() }], others: Vec::new() };
        let back = super::table(&of_table(&table).expect("written")).expect("read");
        assert_eq!((&back.batches[0].from, &back.batches[0].to), (&vec![4, 4], &vec![1, 2]));
    }

    #[test]
    fn subjects_come_back_with_their_places() {
        for ids in [vec!["11010519491231002X", "110105194912310038"], vec!["a", "b", "c"], vec![]] {
            let index = SubjectIndex::new(vec![Keys::of(StringArray::from(ids.clone()))]);
            let within = BooleanBuffer::from_iter((0..index.len()).map(|place| place % 2 == 0));
            let kept = Base { index: Arc::new(index), within: [("990100".to_owned(), within)].into() };
            let back = base(&of_base(&kept).expect("written")).expect("read");
            assert_eq!(back.within, kept.within);
            assert_eq!(back.index.len(), kept.index.len());
            for id in ids {
                assert_eq!(back.index.find(id), kept.index.find(id));
            }
        }
    }

    #[test]
    fn a_part_is_taken_only_as_it_was_written() {
        let dir = tempfile::tempdir().expect("a folder");
        let named = write(dir.path(), &format!("person.成员/{}", ">= 60 ".repeat(99)), "arrow", b"some bytes").expect("room");
        assert!(named.file.starts_with("person.成员-") && named.file.len() < 200, "{}", named.file);
        assert_eq!(read(dir.path(), &named).expect("there"), b"some bytes");
        let part = write(dir.path(), "a", "arrow", b"some bytes").expect("room");
        assert_eq!(write(dir.path(), "a", "arrow", b"some bytes").expect("room"), part);
        assert_eq!(read(dir.path(), &part).expect("there"), b"some bytes");
        for other in [b"same bytes".as_slice(), b"some bytes more", b""] {
            fs::write(dir.path().join(&part.file), other).expect("room");
            assert!(matches!(read(dir.path(), &part), Err(Unfit::Changed)));
        }
        fs::remove_file(dir.path().join(&part.file)).expect("there");
        assert!(matches!(read(dir.path(), &part), Err(Unfit::Io(_))));
        assert!(column(b"no stream at all").is_err());
    }
}
