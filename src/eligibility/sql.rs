//! Compiled policies as DataFusion SQL over a table of dossiers: the oracle that shares no evaluation with the program.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use datafusion::common::{exec_err, not_impl_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::prelude::SessionContext;

use super::compiled::CompiledPolicy;
use crate::check::ir::Schema;
use crate::program::CompileError;
use crate::program::sql::{FUNCTIONS, Overflow, SqlFunction, SqlType, quote_identifier, to_sql};

/// The column with the verdicts that [`policy_sql`] selects.
pub const VERDICT: &str = "verdict";

/// Makes the functions known that the SQL of conditions calls.
pub fn register_functions(context: &SessionContext) {
    for function in FUNCTIONS {
        context.register_udf(ScalarUDF::from(RowFunction::new(function)));
    }
}

/// The verdict of a policy for each row of a table of dossiers, as one `SELECT` of the table's `key` column and
/// [`VERDICT`]: `BOOLEAN`, null where unknown.
///
/// The table has a column for each fact that the policy reads, named and typed as the schema says. The context that
/// runs it has the functions of [`register_functions`]. Arithmetic that overflows on a row fails the query, which
/// [`is_overflow`] tells.
///
/// # Errors
///
/// If the policy is not bound to a day, or a constant does not fit 64 bits.
pub fn policy_sql(policy: &CompiledPolicy, schema: &Schema, table: &str, key: &str) -> Result<String, CompileError> {
    let verdict = to_sql(&policy.verdict, schema, &quote_identifier)?;
    let (table, key) = (quote_identifier(table), quote_identifier(key));
    Ok(format!("SELECT {key}, CAST({verdict} AS BOOLEAN) AS {VERDICT} FROM {table}"))
}

/// Whether a query failed because arithmetic overflowed on a row.
#[must_use]
pub fn is_overflow(error: &DataFusionError) -> bool {
    matches!(error.find_root(), DataFusionError::External(cause) if cause.is::<Overflow>())
}

/// A function of the SQL, called row by row.
#[derive(Debug)]
struct RowFunction {
    function: &'static SqlFunction,
    signature: Signature,
}

impl RowFunction {
    fn new(function: &'static SqlFunction) -> Self {
        let signature = if function.arguments.contains(&SqlType::Decimal) {
            Signature::any(function.arguments.len(), Volatility::Immutable)
        } else {
            Signature::exact(vec![DataType::Int64; function.arguments.len()], Volatility::Immutable)
        };
        Self { function, signature }
    }
}

impl PartialEq for RowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.function.name == other.function.name
    }
}

impl Eq for RowFunction {}

impl std::hash::Hash for RowFunction {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.function.name.hash(state);
    }
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &str {
        self.function.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        match self.function.returns {
            SqlType::Integer => Ok(DataType::Int64),
            SqlType::Decimal => not_impl_err!("{} returns no integer", self.function.name),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let columns = arrays.iter().map(digits).collect::<Result<Vec<_>>>()?;
        let rows = arrays.first().map_or(arguments.number_rows, Array::len);
        let mut row = vec![None; columns.len()];
        let mut results = Vec::with_capacity(rows);
        for index in 0..rows {
            for (value, column) in row.iter_mut().zip(&columns) {
                *value = column[index];
            }
            let result = (self.function.call)(&row).map_err(|overflow| DataFusionError::External(Box::new(overflow)))?;
            results.push(result);
        }
        Ok(ColumnarValue::Array(Arc::new(Int64Array::from(results))))
    }
}

/// The integers of an argument; of decimals, their digits.
fn digits(array: &ArrayRef) -> Result<Vec<Option<i64>>> {
    let narrow = |digits: i128| i64::try_from(digits).map_err(|_| DataFusionError::External(Box::new(Overflow)));
    match array.data_type() {
        DataType::Int64 => Ok(array.as_primitive::<Int64Type>().iter().collect()),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().iter().map(|digits| digits.map(narrow).transpose()).collect(),
        DataType::Null => Ok(vec![None; array.len()]),
        other => exec_err!("a function of conditions takes no {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::ir::{Column, CompareOp, Expr, Kind, Number, Ty, Value};

    async fn select(sql: &str) -> Result<Option<i64>> {
        let context = SessionContext::new();
        register_functions(&context);
        let batches = context.sql(&format!("SELECT {sql}")).await?.collect().await?;
        let column = batches[0].column(0).as_primitive::<Int64Type>();
        Ok(column.is_valid(0).then(|| column.value(0)))
    }

    #[tokio::test]
    async fn functions_run_in_datafusion() {
        assert_eq!(select("ms_add(2, ms_digits(CAST(1.50 AS DECIMAL(18, 2))))").await.expect("runs"), Some(152));
        assert_eq!(select("ms_nonzero(0)").await.expect("runs"), None);
        assert_eq!(select("ms_digits(NULL)").await.expect("runs"), None);
    }

    #[tokio::test]
    async fn what_is_null_is_neither_in_two_lists_nor_outside_of_them() {
        let column = |name: &str, ty| Column { name: name.into(), ty, scale: 0 };
        let schema = Schema { columns: vec![column("t", Ty::Text), column("n", Ty::Number)] };
        let text = || Box::new(Expr::new(Kind::Fact(0), Ty::Text));
        let bool = |kind| Expr::new(kind, Ty::Bool);
        let one_of = |set: [&str; 2]| bool(Kind::TextIn { value: text(), set: set.map(Arc::from).into() });
        let is = |other: &str| {
            let other = Expr::new(Kind::Literal(Value::Text(other.into())), Ty::Text);
            bool(Kind::Compare(CompareOp::Eq, text(), Box::new(other)))
        };
        let literal = |number| Box::new(Expr::new(Kind::Literal(Value::Number(Number { digits: number, scale: 0 })), Ty::Number));
        let number = |number| bool(Kind::Compare(CompareOp::Eq, literal(number), Box::new(Expr::new(Kind::Fact(1), Ty::Number))));
        let either = |one, other| bool(Kind::Or(vec![one, other]));
        let texts = || either(is("a"), is("b"));
        let both = [
            [one_of(["a", "b"]), one_of(["c", "d"])],
            [texts(), one_of(["c", "d"])],
            [texts(), either(is("c"), is("d"))],
            [either(number(1), number(2)), either(number(3), number(4))],
        ];
        for both in both {
            let condition = to_sql(&bool(Kind::And(both.to_vec())), &schema, &quote_identifier).expect("SQL");
            let sql =
                format!("SELECT CAST({condition} AS BOOLEAN) FROM (VALUES (1, 1, 'a'), (2, NULL, NULL)) AS v (row, n, t) ORDER BY row");
            let batches = SessionContext::new().sql(&sql).await.expect("a plan").collect().await.expect("runs");
            let found: Vec<Option<bool>> =
                batches.iter().flat_map(|batch| batch.column(0).as_boolean().iter().collect::<Vec<_>>()).collect();
            assert_eq!(found, [Some(false), None], "{condition}");
        }
    }

    #[tokio::test]
    async fn an_overflow_is_told_from_other_failures() {
        let overflow = select("ms_mul(9223372036854775807, 2)").await.expect_err("does not fit");
        assert!(is_overflow(&overflow), "{overflow}");
        assert!(!is_overflow(&select("nowhere").await.expect_err("no such column")));
    }
}
