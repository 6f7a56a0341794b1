//! The facts of single rows: columns taken at some rows, and values as the interpreter reads them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};

use crate::check::ir::{Number, Schema, Ty, Value};
use crate::dossier::DossierError;

/// The columns of some facts at some rows, with the columns that tell conflicts about them where `conflicts` says so.
pub(super) fn take_facts(
    batch: &RecordBatch,
    schema: &Schema,
    facts: &[usize],
    rows: &[usize],
    conflicts: bool,
) -> Result<RecordBatch, DossierError> {
    let rows = UInt32Array::from_iter_values(rows.iter().map(|&row| u32::try_from(row).unwrap_or(u32::MAX)));
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    let mut add = |name: &str| -> Result<(), DossierError> {
        if let Ok(at) = batch.schema_ref().index_of(name) {
            fields.push(batch.schema_ref().field(at).clone().with_nullable(true));
            columns.push(take(batch.column(at), &rows, None)?);
        }
        Ok(())
    };
    for &fact in facts {
        let name = &schema.columns[fact].name;
        add(name)?;
        if conflicts {
            add(&conflict_column(name))?;
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(Arc::new(arrow::datatypes::Schema::new(fields)), columns, &options)?)
}

/// The column that tells where registers disagree about a fact.
pub(super) fn conflict_column(fact: &str) -> String {
    format!("{fact}!conflict")
}

/// Whether a column of conflicts tells one.
pub(super) fn is_conflict(array: &ArrayRef, row: usize) -> bool {
    array.as_boolean_opt().is_some_and(|array| array.is_valid(row) && array.value(row))
}

/// The facts of single rows of a batch, as the interpreter reads them.
pub struct RowReader {
    columns: HashMap<usize, (ArrayRef, Option<ArrayRef>, Ty, u8)>,
}

impl RowReader {
    /// Reads some facts of a schema.
    ///
    /// # Errors
    ///
    /// When a column has a type that its fact cannot have.
    pub fn new(schema: &Schema, facts: &[usize], batch: &RecordBatch) -> Result<Self, DossierError> {
        let mut columns = HashMap::new();
        for &fact in facts {
            let column = &schema.columns[fact];
            let Some(array) = batch.column_by_name(&column.name) else { continue };
            let plain = match (column.ty, array.data_type()) {
                (Ty::Bool, _) => DataType::Boolean,
                (Ty::Number, DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale))
                    if column.scale > 0 =>
                {
                    DataType::Decimal128(38, *scale)
                }
                (Ty::Number, _) => DataType::Int64,
                (Ty::Date, _) => DataType::Date32,
                (Ty::Text, _) => DataType::Utf8,
            };
            let conflict = batch.column_by_name(&conflict_column(&column.name)).cloned();
            columns.insert(fact, (cast(array, &plain)?, conflict, column.ty, column.scale));
        }
        Ok(Self { columns })
    }

    /// The value of a fact; none where it is unknown or was not read.
    #[must_use]
    pub fn value(&self, fact: usize, row: usize) -> Option<Value> {
        let (array, _, ty, scale) = self.columns.get(&fact)?;
        if array.is_null(row) {
            return None;
        }
        Some(match ty {
            Ty::Bool => Value::Bool(array.as_boolean().value(row)),
            Ty::Date => Value::Date(array.as_primitive::<Date32Type>().value(row)),
            Ty::Text => Value::Text(array.as_string::<i32>().value(row).into()),
            Ty::Number => {
                let digits = match array.data_type() {
                    DataType::Int64 => array.as_primitive::<Int64Type>().value(row),
                    _ => i64::try_from(array.as_primitive::<Decimal128Type>().value(row)).ok()?,
                };
                Value::Number(Number { digits, scale: *scale })
            }
        })
    }

    /// Whether registers disagree about it.
    #[must_use]
    pub fn conflicts(&self, fact: usize, row: usize) -> bool {
        self.columns.get(&fact).is_some_and(|(_, conflict, ..)| conflict.as_ref().is_some_and(|array| is_conflict(array, row)))
    }
}
