//! Expressions evaluated over batches of rows into Arrow columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;

use super::DossierError;
use crate::check::ir::{Expr, Kind, Schema, Ty};
use crate::diagnostic::{Diagnostic, code};
use crate::program::{EvalError, Rational, Scratch, ValueProgram, Values, round_half_up};

/// The Arrow type of a stored value.
#[must_use]
pub fn data_type(ty: Ty, scale: u8) -> DataType {
    match ty {
        Ty::Bool => DataType::Boolean,
        Ty::Number if scale == 0 => DataType::Int64,
        Ty::Number => DataType::Decimal128(18, 2),
        Ty::Date => DataType::Date32,
        Ty::Text => DataType::Utf8,
    }
}

/// Expressions over the columns of a schema, compiled. A bare column is passed through as it is.
pub struct Mapper {
    schema: Schema,
    outputs: Vec<Output>,
    program: ValueProgram,
    scratch: Scratch,
}

enum Output {
    Column(usize, DataType),
    Root(usize, u8, DataType),
}

impl Mapper {
    /// Compiles bound expressions; numbers are rounded, half up, to the digits behind the point that are given.
    ///
    /// # Errors
    ///
    /// When an expression cannot be compiled: it then was not bound, or checked wrongly.
    pub fn new(schema: &Schema, expressions: &[(Expr, u8)]) -> Result<Self, DossierError> {
        let mut roots = Vec::new();
        let outputs = expressions
            .iter()
            .map(|(expr, scale)| {
                let output_type = data_type(expr.ty, *scale);
                match expr.kind {
                    Kind::Fact(index) if schema.columns[index].scale == *scale => Output::Column(index, output_type),
                    _ => {
                        roots.push(expr.clone());
                        Output::Root(roots.len() - 1, *scale, output_type)
                    }
                }
            })
            .collect();
        let program = ValueProgram::compile(schema, &roots).map_err(|error| internal(&error.to_string()))?;
        Ok(Self { schema: schema.clone(), outputs, program, scratch: Scratch::default() })
    }

    /// The names of the columns that batches must have.
    #[must_use]
    pub fn reads(&self) -> Vec<String> {
        let passed = self.outputs.iter().filter_map(|output| match output {
            Output::Column(index, _) => Some(*index),
            Output::Root(..) => None,
        });
        let mut indices: Vec<usize> = self.program.facts().into_iter().chain(passed).collect();
        indices.sort_unstable();
        indices.dedup();
        indices.into_iter().map(|index| self.schema.columns[index].name.to_string()).collect()
    }

    /// One array per expression.
    ///
    /// # Errors
    ///
    /// When arithmetic overflows, or a column is missing.
    pub fn map(&mut self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, DossierError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mapped = self.map_with(batch, &mut scratch);
        self.scratch = scratch;
        mapped
    }

    /// As [`Self::map`], with buffers of the caller's.
    ///
    /// # Errors
    ///
    /// As [`Self::map`].
    pub fn map_with(&self, batch: &RecordBatch, scratch: &mut Scratch) -> Result<Vec<ArrayRef>, DossierError> {
        let values = if self.program.roots() == 0 {
            Vec::new()
        } else {
            self.program.evaluate(batch, scratch).map_err(|error| evaluation(&error))?
        };
        self.outputs
            .iter()
            .map(|output| match output {
                Output::Column(index, data_type) => {
                    let name = &self.schema.columns[*index].name;
                    let column = batch.column_by_name(name).ok_or_else(|| internal(&format!("no column {name}")))?;
                    Ok(if column.data_type() == data_type { Arc::clone(column) } else { cast(column, data_type)? })
                }
                Output::Root(root, scale, data_type) => to_array(&values[*root], *scale, data_type),
            })
            .collect()
    }
}

/// Values of one root as an Arrow array.
///
/// # Errors
///
/// When a number does not fit.
pub fn to_array(values: &Values, scale: u8, data_type: &DataType) -> Result<ArrayRef, DossierError> {
    Ok(match values {
        Values::Bool(values) => Arc::new(BooleanArray::from(values.clone())),
        Values::Date(values) => Arc::new(Date32Array::from(values.clone())),
        Values::Text(values) => Arc::new(StringArray::from_iter(values.iter().map(Option::as_deref))),
        Values::Number(values) => {
            let rounded: Vec<Option<i64>> = values.iter().map(|value| rounded(value.as_ref(), scale)).collect::<Result<_, _>>()?;
            if *data_type == DataType::Int64 {
                Arc::new(Int64Array::from(rounded))
            } else {
                let wide = rounded.into_iter().map(|value| value.map(i128::from));
                Arc::new(Decimal128Array::from_iter(wide).with_data_type(data_type.clone()))
            }
        }
    })
}

fn rounded(value: Option<&Rational>, scale: u8) -> Result<Option<i64>, DossierError> {
    let Some(value) = value else { return Ok(None) };
    round_half_up(value, scale).map(Some).ok_or_else(|| {
        DossierError::Told(Box::new(Diagnostic::new(&code::ARITHMETIC_OVERFLOW, "数值超出 64 位", "a number is beyond 64 bits")))
    })
}

/// A fault of evaluation.
#[must_use]
pub fn evaluation(error: &EvalError) -> DossierError {
    DossierError::Told(Box::new(
        Diagnostic::new(&code::ARITHMETIC_OVERFLOW, format!("求值失败: {error}"), format!("evaluation failed: {error}"))
            .help("检查这个事实所在登记库里的异常大值", "look for values out of all proportion in the register of this fact"),
    ))
}

fn internal(what: &str) -> DossierError {
    DossierError::Told(Box::new(Diagnostic::new(&code::INTERNAL, format!("内部错误: {what}"), format!("internal error: {what}"))))
}
