//! Conditions through DataFusion: one context for many cases, many conditions in one query, rows back in their order.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Int64Type};
use arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::prelude::{SessionConfig, SessionContext};
use mianshen::check::ir::{Expr, Schema, Ty};
use mianshen::eligibility::sql::register_functions;
use mianshen::program::interpreter::Answer;
use mianshen::program::sql::{quote_identifier, to_sql, to_sql_number};
use mianshen::program::{CompileError, Rational};
use tokio::runtime::Runtime;

/// The column with the number of a row.
pub(super) const ROW: &str = "row number";

/// The table of dossiers.
pub(super) const TABLE: &str = "dossiers";

/// DataFusion with the functions of conditions.
pub(super) struct Oracle {
    runtime: Runtime,
    context: SessionContext,
}

/// A condition as one or two columns of a query.
pub(super) struct Select {
    ty: Ty,
    columns: Vec<String>,
    scale: i32,
}

impl Select {
    /// The columns of a condition; `None` where a constant does not fit.
    pub(super) fn new(root: &Expr, schema: &Schema) -> Option<Self> {
        let fitting = |error: CompileError| assert!(matches!(error, CompileError::TooLarge { .. }), "{error}");
        if root.ty == Ty::Number {
            let number = to_sql_number(root, schema, &quote_identifier).map_err(fitting).ok()?;
            let den = number.den.unwrap_or_else(|| "CAST(1 AS BIGINT)".to_owned());
            return Some(Self { ty: root.ty, columns: vec![number.num, den], scale: number.scale });
        }
        let sql = to_sql(root, schema, &quote_identifier).map_err(fitting).ok()?;
        Some(Self { ty: root.ty, columns: vec![sql], scale: 0 })
    }

    /// Bytes of its SQL.
    pub(super) fn length(&self) -> usize {
        self.columns.iter().map(String::len).sum()
    }

    fn value(&self, arrays: &[ArrayRef], row: usize) -> Option<Answer> {
        if arrays.iter().any(|array| array.is_null(row)) {
            return None;
        }
        Some(match self.ty {
            Ty::Bool => Answer::Bool(arrays[0].as_boolean().value(row)),
            Ty::Text => Answer::Text(arrays[0].as_string::<i32>().value(row).into()),
            Ty::Date => Answer::Date(i32::try_from(integer(&arrays[0], row)).expect("a day fits 32 bits")),
            Ty::Number => {
                let power = 10_i128.pow(self.scale.unsigned_abs());
                let (up, down) = if self.scale < 0 { (power, 1) } else { (1, power) };
                let (num, den) = (i128::from(integer(&arrays[0], row)), i128::from(integer(&arrays[1], row)));
                Answer::Number(Rational::new(num * up, den * down)?)
            }
        })
    }
}

fn integer(array: &ArrayRef, row: usize) -> i64 {
    array.as_primitive::<Int64Type>().value(row)
}

impl Oracle {
    /// A context without a table.
    pub(super) fn new() -> Self {
        let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(3));
        register_functions(&context);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime of one thread starts");
        Self { runtime, context }
    }

    /// Puts the table of dossiers in the place of the one before.
    pub(super) fn table(&self, partitions: Vec<Vec<RecordBatch>>) {
        let partitions: Vec<Vec<RecordBatch>> = partitions.iter().map(|batches| batches.iter().map(plain).collect()).collect();
        let schema = partitions.iter().flatten().next().expect("there is a batch, be it without rows").schema();
        let table = MemTable::try_new(schema, partitions).expect("batches share a schema");
        self.context.deregister_table(TABLE).expect("the schema takes tables away");
        self.context.register_table(TABLE, Arc::new(table)).expect("the name is free");
    }

    /// The query of many conditions.
    pub(super) fn sql(selects: &[&Select]) -> String {
        let columns = selects.iter().flat_map(|select| {
            let ty = match select.ty {
                Ty::Bool => "BOOLEAN",
                Ty::Text => "VARCHAR",
                Ty::Number | Ty::Date => "BIGINT",
            };
            select.columns.iter().map(move |column| format!("CAST({column} AS {ty})"))
        });
        let columns = columns.enumerate().map(|(index, column)| format!(", {column} AS c{index}"));
        format!("SELECT {} {} FROM {TABLE}", quote_identifier(ROW), columns.collect::<String>())
    }

    /// The value of each condition for each row, in the order of row numbers.
    ///
    /// # Errors
    ///
    /// What DataFusion tells, an overflow above all.
    pub(super) fn columns(&self, selects: &[&Select]) -> Result<Vec<Vec<Option<Answer>>>> {
        let (order, arrays) = self.run(&Self::sql(selects))?;
        let mut arrays = arrays.as_slice();
        let mut columns = Vec::with_capacity(selects.len());
        for select in selects {
            let (own, rest) = arrays.split_at(select.columns.len());
            arrays = rest;
            columns.push(order.iter().map(|&row| select.value(own, row)).collect());
        }
        Ok(columns)
    }

    /// The verdicts of a query that selects row numbers and verdicts, in the order of row numbers.
    ///
    /// # Errors
    ///
    /// What DataFusion tells.
    pub(super) fn verdicts(&self, sql: &str) -> Result<Vec<Option<Answer>>> {
        let (order, arrays) = self.run(sql)?;
        let verdicts = arrays[0].as_boolean();
        Ok(order.into_iter().map(|row| verdicts.is_valid(row).then(|| Answer::Bool(verdicts.value(row)))).collect())
    }

    /// Where each row number stands, and the columns behind it.
    fn run(&self, sql: &str) -> Result<(Vec<usize>, Vec<ArrayRef>)> {
        let (schema, batches) = self.runtime.block_on(async {
            let frame = self.context.sql(sql).await?;
            let schema = Arc::new(frame.schema().as_arrow().clone());
            Ok::<_, datafusion::error::DataFusionError>((schema, frame.collect().await?))
        })?;
        let all = concat_batches(&schema, &batches)?;
        let mut order: Vec<usize> = (0..all.num_rows()).collect();
        order.sort_unstable_by_key(|&row| integer(all.column(0), row));
        let arrays = all.columns()[1..].iter().map(|array| match array.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 | DataType::Dictionary(..) => cast(array, &DataType::Utf8),
            _ => Ok(Arc::clone(array)),
        });
        Ok((order, arrays.collect::<std::result::Result<_, _>>()?))
    }
}

/// The batch, with texts for dictionaries that have nulls among their values: Arrow casts those to views without the nulls.
fn plain(batch: &RecordBatch) -> RecordBatch {
    let odd = |array: &ArrayRef| array.as_any_dictionary_opt().is_some_and(|dictionary| dictionary.values().null_count() > 0);
    let schema = batch.schema();
    let columns = schema.fields().iter().zip(batch.columns()).map(|(field, array)| {
        let array = if odd(array) { cast(array, &DataType::Utf8).expect("texts are texts") } else { Arc::clone(array) };
        (field.name().clone(), array, field.is_nullable())
    });
    RecordBatch::try_from_iter_with_nullable(columns).expect("columns keep their length")
}

/// Runs a test where deep expressions can be planned: DataFusion recurses once per level, and tests have small stacks.
pub(super) fn with_deep_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 20).spawn(test).expect("a thread starts");
    if let Err(failure) = thread.join() {
        std::panic::resume_unwind(failure);
    }
}
