//! Expressions evaluated over batches of rows into Arrow columns, from any number of threads.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};

use super::DossierError;
use crate::check::ir::{Expr, Kind, Schema, Ty};
use crate::diagnostic::{Diagnostic, code};
use crate::program::{EvalError, Scratch, ValueProgram};

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

/// Expressions over the columns of a schema, compiled. A bare text, date or yes-or-no column is passed through as it is.
#[derive(Debug)]
pub struct Mapper {
    schema: Schema,
    outputs: Vec<Output>,
    program: ValueProgram,
    scales: Vec<u8>,
    /// Buffers that are not in use: one for each thread that ever evaluated.
    spare: Mutex<Vec<Scratch>>,
}

#[derive(Debug)]
enum Output {
    Column(usize),
    Root(usize, Ty, u8),
}

impl Mapper {
    /// Compiles bound expressions; numbers are rounded, half up, to the digits behind the point that are given.
    ///
    /// # Errors
    ///
    /// When an expression cannot be compiled: it then was not bound, or checked wrongly.
    pub fn new(schema: &Schema, expressions: &[(Expr, u8)]) -> Result<Self, DossierError> {
        let (mut roots, mut scales) = (Vec::new(), Vec::new());
        let outputs = expressions
            .iter()
            .map(|(expr, scale)| match expr.kind {
                Kind::Fact(index) if expr.ty != Ty::Number => Output::Column(index),
                _ => {
                    roots.push(expr.clone());
                    scales.push(*scale);
                    Output::Root(roots.len() - 1, expr.ty, *scale)
                }
            })
            .collect();
        let program = ValueProgram::compile(schema, &roots).map_err(|error| internal(&error.to_string()))?;
        Ok(Self { schema: schema.clone(), outputs, program, scales, spare: Mutex::default() })
    }

    /// The names of the columns that batches must have.
    #[must_use]
    pub fn reads(&self) -> Vec<String> {
        let passed = self.outputs.iter().filter_map(|output| match output {
            Output::Column(index) => Some(*index),
            Output::Root(..) => None,
        });
        let mut indices: Vec<usize> = self.program.facts().into_iter().chain(passed).collect();
        indices.sort_unstable();
        indices.dedup();
        indices.into_iter().map(|index| self.schema.columns[index].name.to_string()).collect()
    }

    /// One array per expression. Numbers are 64-bit integers, `value × 10^scale`; texts may be dictionaries.
    ///
    /// # Errors
    ///
    /// When arithmetic overflows, or a column is missing.
    pub fn map(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, DossierError> {
        let mut scratch = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let values = if self.program.roots() == 0 {
            Vec::new()
        } else {
            self.program.arrays(batch, &mut scratch, &self.scales).map_err(|error| evaluation(&error))?
        };
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        self.outputs
            .iter()
            .map(|output| match output {
                Output::Column(index) => {
                    let name = &self.schema.columns[*index].name;
                    batch.column_by_name(name).cloned().ok_or_else(|| internal(&format!("no column {name}")))
                }
                Output::Root(root, ..) => Ok(Arc::clone(&values[*root])),
            })
            .collect()
    }

    /// One array per expression, as facts are stored: see [`data_type`].
    ///
    /// # Errors
    ///
    /// As [`Self::map`].
    pub fn map_typed(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, DossierError> {
        let arrays = self.map(batch)?;
        arrays.into_iter().enumerate().map(|(at, array)| self.typed(at, array)).collect()
    }

    /// An array of [`Self::map`] as facts are stored.
    ///
    /// # Errors
    ///
    /// When it is of another type.
    pub fn typed(&self, at: usize, array: ArrayRef) -> Result<ArrayRef, DossierError> {
        match &self.outputs[at] {
            Output::Root(_, Ty::Number, scale) if *scale > 0 => {
                let wide = array.as_primitive::<Int64Type>().unary::<_, Decimal128Type>(i128::from);
                Ok(Arc::new(wide.with_data_type(data_type(Ty::Number, *scale))))
            }
            Output::Column(index) if self.schema.columns[*index].ty == Ty::Text => Ok(cast(&array, &DataType::Utf8)?),
            Output::Root(_, Ty::Text, _) => Ok(cast(&array, &DataType::Utf8)?),
            _ => Ok(array),
        }
    }
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
