//! The images of one register in a batch of events: gathered field by field, then cast together.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{RecordBatch, StringBuilder};
use hashbrown::HashMap as FastMap;

use super::Cause;
use super::encoding::{Encoding, UNAVAILABLE, write_text};
use super::envelope::{Fields, Scalar};
use crate::register::declaration::{ColumnType, RegisterDeclaration};
use crate::register::quarantine::{Reason, Scope};
use crate::register::{RegisterSource, TypedRows, WrittenRows};

/// What is wrong with an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageFault {
    pub(super) field: Arc<str>,
    pub(super) value: String,
    pub(super) cause: Cause,
    pub(super) scope: Scope,
}

impl ImageFault {
    fn whole(field: &str, cause: Cause) -> Self {
        Self { field: field.into(), value: String::new(), cause, scope: Scope::Row }
    }
}

/// Images of one extent: whole rows, or the columns that identify a row.
pub(super) struct Lane {
    rows: WrittenRows,
    declared: Vec<Arc<str>>,
    types: Vec<ColumnType>,
    /// The place of each field by its name.
    by_name: FastMap<String, usize>,
    /// The fields of the last image with their places: the next one mostly has the same.
    last: Vec<(String, Option<usize>)>,
    builders: Vec<StringBuilder>,
    n_rows: usize,
    /// For each column, which field of the image has it.
    found: Vec<Option<usize>>,
    text: String,
}

impl Lane {
    pub(super) fn new(
        declaration: &RegisterDeclaration,
        source: Option<&RegisterSource>,
        regions: &Arc<HashSet<String>>,
        only: Option<&[&str]>,
    ) -> Self {
        let rows = WrittenRows::new(declaration, source, regions, only);
        let read = declaration.columns.iter().filter(|column| only.is_none_or(|names| names.contains(&column.name.as_str())));
        Self {
            declared: read.map(|column| column.name.as_str().into()).collect(),
            types: rows.types().to_vec(),
            by_name: rows.names().iter().cloned().zip(0..).collect(),
            last: Vec::new(),
            builders: rows.names().iter().map(|_| StringBuilder::new()).collect(),
            n_rows: 0,
            found: vec![None; rows.names().len()],
            text: String::new(),
            rows,
        }
    }

    /// Whether all columns stand among the fields with values.
    pub(super) fn has_all(&mut self, fields: &Fields<'_>) -> bool {
        self.find(fields);
        self.found.iter().all(|field| field.is_some_and(|field| fields.0[field].1 != Scalar::Null))
    }

    /// Adds an image; its row, or what makes it useless.
    pub(super) fn push(
        &mut self,
        fields: &Fields<'_>,
        before: Option<&Fields<'_>>,
        encodings: &dyn Fn(&str) -> Encoding,
    ) -> Result<usize, ImageFault> {
        self.find(fields);
        if let Some(missing) = self.found.iter().position(Option::is_none) {
            return Err(ImageFault::whole(&self.declared[missing], Cause::MissingColumn));
        }
        // First everything is looked at, so that a useless image leaves no trace in the columns.
        let mut cells: Vec<&Scalar<'_>> = Vec::with_capacity(self.found.len());
        for (column, field) in self.found.iter().enumerate() {
            let Some((name, mut value)) = field.map(|field| (&fields.0[field].0, &fields.0[field].1)) else { continue };
            if value.text() == Some(UNAVAILABLE) {
                let earlier = before.and_then(|before| before.0.iter().find(|(other, _)| other == name));
                match earlier.map(|(_, value)| value).filter(|value| value.text() != Some(UNAVAILABLE)) {
                    Some(earlier) => value = earlier,
                    None => return Err(ImageFault::whole(&self.declared[column], Cause::Unavailable)),
                }
            }
            if *value == Scalar::Nested {
                return Err(ImageFault::whole(&self.declared[column], Cause::Value(Reason::Uncastable)));
            }
            cells.push(value);
        }
        for (column, value) in cells.into_iter().enumerate() {
            let builder = &mut self.builders[column];
            if *value == Scalar::Null {
                builder.append_null();
                continue;
            }
            let encoding = encodings(self.rows.names()[column].as_str());
            if let (Scalar::Text(text), false, Encoding::Plain) = (value, is_day(self.types[column]), encoding) {
                builder.append_value(text);
                continue;
            }
            self.text.clear();
            if !write_text(value, self.types[column], encoding, &mut self.text) {
                // No column takes it, so that it is told like any other value that cannot be read.
                self.text.push_str("\u{fffd}");
            }
            builder.append_value(&self.text);
        }
        self.n_rows += 1;
        Ok(self.n_rows - 1)
    }

    /// Finds the field of each column; of a field that stands twice, the first.
    fn find(&mut self, fields: &Fields<'_>) {
        self.found.fill(None);
        let is_as_before = self.last.len() == fields.0.len() && self.last.iter().zip(&fields.0).all(|((last, _), (name, _))| last == name);
        if !is_as_before {
            let place = |name: &Cow<'_, str>| self.by_name.get(name.as_ref()).copied();
            self.last = fields.0.iter().map(|(name, _)| (name.to_string(), place(name))).collect();
        }
        for (field, (_, column)) in self.last.iter().enumerate() {
            if let Some(column) = column {
                self.found[*column].get_or_insert(field);
            }
        }
    }

    pub(super) fn is_used(&self) -> bool {
        self.n_rows > 0
    }

    /// Casts what was gathered.
    pub(super) fn cast(&mut self) -> CastLane {
        let columns = self.builders.iter_mut().map(StringBuilder::finish).collect();
        let TypedRows { batch, places, faults } = self.rows.read(columns, std::mem::take(&mut self.n_rows));
        let mut by_row: HashMap<usize, Vec<ImageFault>> = HashMap::new();
        for fault in faults {
            let told = ImageFault { field: fault.column, value: fault.value, cause: Cause::Value(fault.reason), scope: fault.scope };
            by_row.entry(fault.row).or_default().push(told);
        }
        CastLane { batch: Arc::new(batch), places, faults: by_row }
    }
}

fn is_day(column: ColumnType) -> bool {
    matches!(column, ColumnType::Date | ColumnType::Month)
}

/// Images that were cast.
pub(super) struct CastLane {
    pub(super) batch: Arc<RecordBatch>,
    /// The row of the batch that each image is now; none where it is useless.
    pub(super) places: Vec<Option<usize>>,
    /// By image.
    pub(super) faults: HashMap<usize, Vec<ImageFault>>,
}
