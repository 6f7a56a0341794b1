//! Columns of result tables, built from the rows of a stretch.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, ListBuilder, StringArray, StringBuilder, UInt64Array,
};
use arrow::datatypes::{DataType, Field};
use chrono::{Datelike, NaiveDate};

/// Amounts: hundredths, eighteen digits.
pub(super) const AMOUNT: DataType = DataType::Decimal128(18, 2);

/// Days from 0001-01-01 to 1970-01-01, as chrono counts.
const EPOCH: i32 = 719_163;

/// A column of a schema that may hold nulls.
pub(super) fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

/// A column of a schema without nulls.
pub(super) fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

/// The type of lists of text.
pub(super) fn text_list() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Utf8, false)))
}

pub(super) fn text<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(super) fn optional_text<'a>(values: impl Iterator<Item = Option<&'a str>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

/// Text that is put together row by row.
pub(super) fn written<T>(rows: &[T], write: impl Fn(&T, &mut dyn std::fmt::Write) -> std::fmt::Result) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(rows.len(), rows.len() * 16);
    for row in rows {
        write(row, &mut builder).expect("writing into memory does not fail");
        builder.append_value("");
    }
    Arc::new(builder.finish())
}

pub(super) fn text_lists<T>(rows: &[T], values: impl Fn(&T, &mut dyn FnMut(&str))) -> ArrayRef {
    let field = Field::new("item", DataType::Utf8, false);
    let mut builder = ListBuilder::with_capacity(StringBuilder::new(), rows.len()).with_field(field);
    for row in rows {
        values(row, &mut |value| builder.values().append_value(value));
        builder.append(true);
    }
    Arc::new(builder.finish())
}

pub(super) fn amounts(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    let array: Decimal128Array = values.map(|value| value.map(i128::from)).collect();
    Arc::new(array.with_data_type(AMOUNT))
}

pub(super) fn ints(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

pub(super) fn counts(values: impl Iterator<Item = u64>) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(values))
}

pub(super) fn flags(values: impl Iterator<Item = bool>) -> ArrayRef {
    Arc::new(values.map(Some).collect::<BooleanArray>())
}

pub(super) fn same_day(day: NaiveDate, n_rows: usize) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(std::iter::repeat_n(day.num_days_from_ce() - EPOCH, n_rows)))
}
