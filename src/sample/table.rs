//! Rows of one register, gathered column by column as Arrow arrays.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Date32Builder, Decimal128Builder, Int32Builder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Date32Type, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use chrono::NaiveDate;

use super::layout::{Kind, Layout};

/// One value of a row on its way into a table.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Cell<'a> {
    /// No value.
    Null,
    /// Text, code, region or identifier.
    Text(&'a str),
    /// Whole number.
    Int(i32),
    /// Money in fen.
    Money(i64),
    /// Yes or no.
    Flag(bool),
    /// A day.
    Day(NaiveDate),
}

impl<'a> From<Option<&'a str>> for Cell<'a> {
    fn from(value: Option<&'a str>) -> Self {
        value.map_or(Cell::Null, Cell::Text)
    }
}

impl From<Option<NaiveDate>> for Cell<'_> {
    fn from(value: Option<NaiveDate>) -> Self {
        value.map_or(Cell::Null, Cell::Day)
    }
}

impl From<Option<bool>> for Cell<'_> {
    fn from(value: Option<bool>) -> Self {
        value.map_or(Cell::Null, Cell::Flag)
    }
}

enum Column {
    Text(StringBuilder),
    Int(Int32Builder),
    Money(Decimal128Builder),
    Flag(BooleanBuilder),
    Day(Date32Builder),
}

/// The Arrow schema of a register; with `days_as_text` its days are text, as in a CSV file.
pub(super) fn schema(layout: &Layout, days_as_text: bool) -> SchemaRef {
    let fields = layout.columns.iter().map(|(name, kind)| {
        let data_type = match kind {
            Kind::Text => DataType::Utf8,
            Kind::Int => DataType::Int32,
            Kind::Money => DataType::Decimal128(18, 2),
            Kind::Flag => DataType::Boolean,
            Kind::Day if days_as_text => DataType::Utf8,
            Kind::Day => DataType::Date32,
        };
        Field::new(*name, data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows of one register in one chunk of the city.
pub(super) struct Table {
    columns: Vec<Column>,
    schema: SchemaRef,
    day_format: &'static str,
    n_rows: usize,
}

impl Table {
    /// An empty table; days in text columns are written in `day_format`.
    pub(super) fn new(schema: &SchemaRef, day_format: &'static str) -> Self {
        let columns = schema.fields().iter().map(|field| match field.data_type() {
            DataType::Int32 => Column::Int(Int32Builder::new()),
            DataType::Decimal128(_, _) => Column::Money(Decimal128Builder::new().with_data_type(DataType::Decimal128(18, 2))),
            DataType::Boolean => Column::Flag(BooleanBuilder::new()),
            DataType::Date32 => Column::Day(Date32Builder::new()),
            _ => Column::Text(StringBuilder::new()),
        });
        Self { columns: columns.collect(), schema: Arc::clone(schema), day_format, n_rows: 0 }
    }

    /// Rows so far.
    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Adds one row, a cell per column.
    pub(super) fn push(&mut self, cells: &[Cell<'_>]) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.n_rows += 1;
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.push(*cell, self.day_format);
        }
    }

    /// The rows as one batch.
    pub(super) fn finish(self) -> Result<RecordBatch, ArrowError> {
        let arrays = self.columns.into_iter().map(Column::finish).collect();
        RecordBatch::try_new(self.schema, arrays)
    }
}

impl Column {
    fn push(&mut self, cell: Cell<'_>, day_format: &str) {
        match (self, cell) {
            (Column::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (Column::Text(builder), Cell::Day(day)) => {
                builder.append_value(day.format(day_format).to_string());
            }
            (Column::Text(builder), Cell::Money(fen)) => {
                builder.append_value(format!("{}.{:02}", fen / 100, fen % 100));
            }
            (Column::Text(builder), _) => builder.append_null(),
            (Column::Int(builder), Cell::Int(number)) => builder.append_value(number),
            (Column::Int(builder), _) => builder.append_null(),
            (Column::Money(builder), Cell::Money(fen)) => builder.append_value(i128::from(fen)),
            (Column::Money(builder), _) => builder.append_null(),
            (Column::Flag(builder), Cell::Flag(flag)) => builder.append_value(flag),
            (Column::Flag(builder), _) => builder.append_null(),
            (Column::Day(builder), Cell::Day(day)) => {
                builder.append_value(Date32Type::from_naive_date(day));
            }
            (Column::Day(builder), _) => builder.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Column::Text(mut builder) => Arc::new(builder.finish()),
            Column::Int(mut builder) => Arc::new(builder.finish()),
            Column::Money(mut builder) => Arc::new(builder.finish()),
            Column::Flag(mut builder) => Arc::new(builder.finish()),
            Column::Day(mut builder) => Arc::new(builder.finish()),
        }
    }
}
