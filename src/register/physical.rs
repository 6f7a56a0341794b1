//! What the readers of the formats have in common: which columns of a file are wanted, and batches as they stand in it.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::DataType;

use super::cast::normalised;
use super::declaration::ColumnType;
use super::quarantine::Reason;
use super::sources::DataFile;
use crate::diagnostic::{Diagnostic, code};

/// A declared column and where a file has it.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) declared: String,
    pub(super) physical: String,
    /// For people, to recognise a file that uses labels as names.
    pub(super) label: String,
    pub(super) column_type: ColumnType,
}

/// Rows as they stand in a file, with the wanted columns in their order.
#[derive(Debug)]
pub(super) struct PhysicalBatch {
    pub(super) columns: Vec<ArrayRef>,
    pub(super) rows: usize,
    /// Row of the file, from 1, of the first row here.
    pub(super) first_row: u64,
    /// Rows that are no rows of the register at all, with what may be shown of them.
    pub(super) broken: Vec<(usize, Reason, String)>,
}

/// The batches of one file.
pub(super) type PhysicalBatches = Box<dyn Iterator<Item = Result<PhysicalBatch, Box<Diagnostic>>> + Send>;

/// Where each wanted column is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The column of the file with this index.
    Column(usize),
    /// The same value in every row, from the name of a folder.
    Fixed(Option<String>),
}

/// Finds the wanted columns among those of a file and of its folders.
pub(super) fn find_columns(register: &str, file: &DataFile, wanted: &[Wanted], names: &[String]) -> Result<Vec<Place>, Box<Diagnostic>> {
    let names: Vec<String> = names.iter().map(|name| normalised(name).into_owned()).collect();
    wanted
        .iter()
        .map(|wanted| {
            let mut found = names.iter().enumerate().filter(|(_, name)| **name == wanted.physical).map(|(index, _)| index);
            let fixed = || file.partitions.iter().find(|(name, _)| *name == wanted.physical);
            match (found.next(), found.next()) {
                (Some(index), None) => Ok(Place::Column(index)),
                (Some(_), Some(_)) => Err(Box::new(twice(register, file, wanted))),
                _ => fixed().map(|(_, value)| Place::Fixed(value.clone())).ok_or_else(|| Box::new(missing(register, file, wanted, &names))),
            }
        })
        .collect()
}

fn missing(register: &str, file: &DataFile, wanted: &Wanted, names: &[String]) -> Diagnostic {
    let (path, physical) = (file.path.display(), &wanted.physical);
    let mut diagnostic = Diagnostic::new(
        &code::COLUMN_MISSING,
        format!("库 {register} 缺少列“{physical}”: {path}"),
        format!("register {register} lacks column `{physical}`: {path}"),
    );
    let candidates = names.iter().map(String::as_str).chain(file.partitions.iter().map(|(name, _)| name.as_str()));
    diagnostic = diagnostic.did_you_mean(physical, candidates);
    let (declared, label) = (&wanted.declared, &wanted.label);
    if names.contains(label) {
        diagnostic = diagnostic.help(
            format!("文件里有“{label}”: 在 sources.yaml 里写 header: {{{declared}: {label}}}"),
            format!("the file has `{label}`: write header: {{{declared}: {label}}} in sources.yaml"),
        );
    }
    let has = names.join(", ");
    diagnostic.help(format!("文件 {path} 的列: {has}"), format!("columns of {path}: {has}"))
}

fn twice(register: &str, file: &DataFile, wanted: &Wanted) -> Diagnostic {
    let (path, physical) = (file.path.display(), &wanted.physical);
    Diagnostic::new(
        &code::FILE_UNREADABLE,
        format!("库 {register} 的文件有两列都叫“{physical}”: {path}"),
        format!("register {register} has two columns named `{physical}`: {path}"),
    )
    .help("让来源单位改正表头", "have the keeper mend the header")
}

/// A file that is damaged or of another format.
pub(super) fn unreadable(register: &str, path: &Path, error: &dyn std::fmt::Display) -> Box<Diagnostic> {
    let path = path.display();
    Box::new(
        Diagnostic::new(
            &code::FILE_UNREADABLE,
            format!("库 {register} 的文件读不了: {path}: {error}"),
            format!("the file of register {register} cannot be read: {path}: {error}"),
        )
        .help(
            format!("重新传送 {path}, 并核对 sources.yaml 里的 format"),
            format!("deliver {path} again, and look at its `format` in sources.yaml"),
        ),
    )
}

impl PhysicalBatch {
    /// The rows of an Arrow batch that holds the file's columns `projected`, in ascending order.
    pub(super) fn of_arrow(batch: &RecordBatch, places: &[Place], projected: &[usize], first_row: u64) -> Self {
        Self::of_columns(batch.columns(), batch.num_rows(), places, projected, first_row)
    }

    /// The rows of the file's columns `projected`, in ascending order.
    pub(super) fn of_columns(columns: &[ArrayRef], rows: usize, places: &[Place], projected: &[usize], first_row: u64) -> Self {
        let columns = places
            .iter()
            .map(|place| match place {
                Place::Column(index) => Arc::clone(&columns[projected.binary_search(index).expect("every found column is projected")]),
                Place::Fixed(value) => repeated(value.as_deref(), rows),
            })
            .collect();
        Self { columns, rows, first_row, broken: Vec::new() }
    }
}

/// The file's columns among the places, ascending.
pub(super) fn projection(places: &[Place]) -> Vec<usize> {
    let mut indices: Vec<usize> =
        places.iter().filter_map(|place| if let Place::Column(index) = place { Some(*index) } else { None }).collect();
    indices.sort_unstable();
    indices.dedup();
    indices
}

/// One value in every row.
pub(super) fn repeated(value: Option<&str>, rows: usize) -> ArrayRef {
    value.map_or_else(
        || new_null_array(&DataType::Utf8, rows),
        |value| Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows))),
    )
}
