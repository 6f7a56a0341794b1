//! From rows of both sides to lines: DataFusion SQL over Arrow tables.
//!
//! ```text
//!  rows (side, subject, policy, amount) ──▶ pairs (subject, policy: before, after, class) ─┬─▶ wide (with dimensions) ─▶ lines by policy
//!  about (subject, dimensions) ────────────────────────────────────────────────────────────┴─▶ nets (subject: all policies) ─▶ lines of all
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, Schema};
use datafusion::datasource::MemTable;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};

use super::dimension::{Dimension, about_schema};
use super::results::{Band, Line, Overlap, Tally};
use super::rows;
use crate::dossier::DossierError;
use crate::register::declaration::SubjectKind;

/// Tables of one simulation, ready to be asked.
pub struct Tables {
    context: SessionContext,
    dimensions: usize,
}

/// What the tables answered: nothing is hidden yet.
#[derive(Debug, Default)]
pub struct Analysis {
    /// Lines of everybody, policies and all together.
    pub totals: Vec<Line>,
    /// Lines by dimension, of all policies.
    pub cells: Vec<Line>,
    /// Overlaps.
    pub overlaps: Vec<Overlap>,
    /// Distribution.
    pub bands: Vec<Band>,
}

/// Lower bounds of bands of money in a year, in hundredths.
const BANDS: [i64; 8] = [0, 60_000, 120_000, 300_000, 600_000, 1_200_000, 2_400_000, 10_000_000];

/// The class of a pair of subject and policy, by number.
const CLASS: &str = "CASE WHEN before = 0 THEN 1 WHEN after = 0 THEN 2 WHEN blank_before <> blank_after THEN 5 \
                     WHEN amount_after > amount_before THEN 3 WHEN amount_after < amount_before THEN 4 ELSE 0 END";

/// The class of a subject, all policies together.
const NET: &str = "CASE WHEN sum(year_after) > sum(year_before) THEN 1 WHEN sum(year_after) < sum(year_before) THEN 2 \
                   WHEN sum(after) > sum(before) THEN 1 WHEN sum(after) < sum(before) THEN 2 \
                   WHEN sum(CASE WHEN class = 5 THEN 1 ELSE 0 END) > 0 THEN 5 ELSE 0 END";

/// Counts and sums of lines, over a table with `had_before`, `had_after` and `class`.
const TALLY: &str = "count(*) FILTER (WHERE had_before), count(*) FILTER (WHERE had_after), \
    count(*) FILTER (WHERE class = 0), count(*) FILTER (WHERE class = 1), count(*) FILTER (WHERE class = 2), \
    count(*) FILTER (WHERE class = 3), count(*) FILTER (WHERE class = 4), count(*) FILTER (WHERE class = 5), \
    sum(amount_before), sum(amount_after), sum(month_before), sum(month_after), sum(year_before), sum(year_after)";

impl Tables {
    /// Puts rows of both sides beside who is who.
    ///
    /// # Errors
    ///
    /// When a plan fails.
    pub async fn new(
        dimensions: &[Dimension],
        about: Vec<RecordBatch>,
        rows: Vec<RecordBatch>,
        threads: usize,
    ) -> Result<Self, DossierError> {
        let config = SessionConfig::new().with_target_partitions(threads.max(1));
        let context = SessionContext::new_with_config(config.set_bool("datafusion.execution.parquet.schema_force_view_types", false));
        let tables = Self { context, dimensions: dimensions.len() };
        tables.register("about", &about_schema(dimensions), about, threads)?;
        tables.register("rows", &rows::schema(), rows, threads)?;
        let side = |side: usize, word: &str| {
            let with = format!("FILTER (WHERE side = {side} AND status < 2)");
            format!(
                "count(*) {with} AS {word}, count(*) FILTER (WHERE side = {side} AND status < 2 AND amount IS NULL) AS blank_{word}, \
                 coalesce(sum(amount) {with}, 0) AS amount_{word}, coalesce(sum(month) {with}, 0) AS month_{word}, \
                 coalesce(sum(year) {with}, 0) AS year_{word}"
            )
        };
        let grouped = format!(
            "SELECT kind, subject, policy, max(county) AS county, {}, {} FROM rows WHERE status < 2 GROUP BY kind, subject, policy",
            side(0, "before"),
            side(1, "after")
        );
        let pairs = format!("SELECT *, before > 0 AS had_before, after > 0 AS had_after, {CLASS} AS class FROM ({grouped})");
        tables.keep("pairs", &pairs).await?;
        let nets = format!(
            "SELECT kind, subject, max(county) AS county, sum(before) AS before, sum(after) AS after, bool_or(had_before) AS had_before, \
             bool_or(had_after) AS had_after, 0 AS amount_before, 0 AS amount_after, sum(month_before) AS month_before, \
             sum(month_after) AS month_after, sum(year_before) AS year_before, sum(year_after) AS year_after, {NET} AS class \
             FROM pairs GROUP BY kind, subject"
        );
        tables.keep("nets", &nets).await?;
        let others: String = (1..dimensions.len()).map(|at| format!(", coalesce(a.d{at}, '') AS d{at}")).collect();
        for (wide, from) in [("wide", "pairs"), ("wide_nets", "nets")] {
            let joined =
                format!("SELECT p.*, p.county AS d0{others} FROM {from} p LEFT JOIN about a ON p.kind = a.kind AND p.subject = a.subject");
            tables.keep(wide, &joined).await?;
        }
        Ok(tables)
    }

    fn register(&self, name: &str, schema: &Arc<Schema>, batches: Vec<RecordBatch>, threads: usize) -> Result<(), DossierError> {
        let mut partitions: Vec<Vec<RecordBatch>> = vec![Vec::new(); threads.max(1)];
        for (at, batch) in batches.into_iter().enumerate() {
            partitions[at % threads.max(1)].push(batch);
        }
        self.context.register_table(name, Arc::new(MemTable::try_new(Arc::clone(schema), partitions)?))?;
        Ok(())
    }

    /// Works a query out and keeps its answer as a table.
    async fn keep(&self, name: &str, sql: &str) -> Result<(), DossierError> {
        let frame = self.context.sql(sql).await?.cache().await?;
        self.context.register_table(name, frame.into_view())?;
        Ok(())
    }

    /// The answer to a query, one batch.
    async fn ask(&self, sql: &str) -> Result<RecordBatch, DossierError> {
        let frame = self.context.sql(sql).await?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let batches = frame.collect().await?;
        Ok(arrow::compute::concat_batches(batches.first().map_or(&schema, |batch| batch.schema_ref()), &batches)?)
    }

    /// Everything that `changed` holds: pairs that are not the same before and after, with dimensions.
    ///
    /// # Errors
    ///
    /// When the plan cannot be made.
    pub async fn changed(&self) -> Result<DataFrame, DossierError> {
        let others: String = (0..self.dimensions).map(|at| format!(", d{at}")).collect();
        let money = |name: &str| format!("{name}_before, {name}_after");
        let (amount, month, year) = (money("amount"), money("month"), money("year"));
        let sql = format!(
            "SELECT kind, subject, policy, class, {amount}, {month}, {year}{others} FROM wide WHERE class <> 0 ORDER BY kind, subject, policy"
        );
        Ok(self.context.sql(&sql).await?)
    }

    /// Lines.
    ///
    /// # Errors
    ///
    /// When a plan fails.
    pub async fn analyse(&self) -> Result<Analysis, DossierError> {
        let mut analysis = Analysis::default();
        let by_policy = self.ask(&format!("SELECT kind, policy, '', {TALLY} FROM pairs GROUP BY kind, policy ORDER BY 1, 2")).await?;
        analysis.totals = lines(&by_policy, None)?;
        let population = self.population(None).await?;
        let of_all = self.ask(&format!("SELECT kind, -1, '', {TALLY} FROM nets GROUP BY kind ORDER BY 1")).await?;
        analysis.totals.extend(with_population(lines(&of_all, None)?, &population, None));
        for at in 0..self.dimensions {
            let sql =
                |first: &str, from: &str| format!("SELECT kind, {first}, d{at}, {TALLY} FROM {from} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3");
            analysis.cells.extend(lines(&self.ask(&sql("policy", "wide")).await?, Some(at))?);
            let nets = lines(&self.ask(&sql("-1", "wide_nets")).await?, Some(at))?;
            analysis.cells.extend(with_population(nets, &self.population(Some(at)).await?, Some(at)));
        }
        Ok(analysis)
    }

    /// Adds overlaps and bands to lines.
    ///
    /// # Errors
    ///
    /// When a plan fails.
    pub async fn spread(&self, analysis: &mut Analysis) -> Result<(), DossierError> {
        analysis.overlaps = self.overlaps().await?;
        analysis.bands = self.bands().await?;
        Ok(())
    }

    /// How many subjects there are, by kind and value.
    async fn population(&self, dimension: Option<usize>) -> Result<BTreeMap<(i64, String), u64>, DossierError> {
        let value = dimension.map_or("''".to_owned(), |at| format!("d{at}"));
        let batch = self.ask(&format!("SELECT kind, {value}, count(*) FROM about GROUP BY 1, 2")).await?;
        let (kinds, values, counts) = (numbers(&batch, 0)?, texts(&batch, 1)?, numbers(&batch, 2)?);
        Ok(kinds.into_iter().zip(values).zip(counts).map(|((kind, value), count)| ((kind, value), count.unsigned_abs())).collect())
    }

    async fn overlaps(&self) -> Result<Vec<Overlap>, DossierError> {
        let sql = "SELECT a.policy, b.policy, count(*) FILTER (WHERE a.had_before AND b.had_before), \
                   count(*) FILTER (WHERE a.had_after AND b.had_after) FROM pairs a JOIN pairs b \
                   ON a.kind = b.kind AND a.subject = b.subject AND a.policy < b.policy GROUP BY 1, 2 ORDER BY 1, 2";
        let batch = self.ask(sql).await?;
        let columns = [numbers(&batch, 0)?, numbers(&batch, 1)?, numbers(&batch, 2)?, numbers(&batch, 3)?];
        let place = |value: i64| usize::try_from(value).unwrap_or(0);
        let overlap = |row: usize| Overlap {
            policies: (place(columns[0][row]), place(columns[1][row])),
            both: [Some(columns[2][row].unsigned_abs()), Some(columns[3][row].unsigned_abs())],
        };
        Ok((0..batch.num_rows()).map(overlap).filter(|overlap| overlap.both != [Some(0), Some(0)]).collect())
    }

    async fn bands(&self) -> Result<Vec<Band>, DossierError> {
        let band = |word: &str| {
            let cases: String = BANDS.iter().enumerate().rev().map(|(at, from)| format!(" WHEN year_{word} >= {from} THEN {at}")).collect();
            format!("SELECT kind, CASE{cases} ELSE 0 END AS band, '{word}' AS side FROM nets WHERE had_{word}")
        };
        let sql = format!(
            "SELECT kind, band, count(*) FILTER (WHERE side = 'before'), count(*) FILTER (WHERE side = 'after') \
             FROM ({} UNION ALL {}) GROUP BY 1, 2 ORDER BY 1, 2",
            band("before"),
            band("after")
        );
        let batch = self.ask(&sql).await?;
        let columns = [numbers(&batch, 0)?, numbers(&batch, 1)?, numbers(&batch, 2)?, numbers(&batch, 3)?];
        let found = (0..batch.num_rows()).map(|row| {
            let at = usize::try_from(columns[1][row]).unwrap_or(0);
            let (from, to) = (BANDS[at], BANDS.get(at + 1).copied());
            Band {
                kind: kind_of(columns[0][row]),
                from,
                to,
                subjects: [2, 3].map(|column: usize| Some(columns[column][row].unsigned_abs())),
            }
        });
        Ok(found.collect())
    }
}

/// Puts how many there are beside lines; values that nobody with a benefit has get a line too.
fn with_population(mut lines: Vec<Line>, population: &BTreeMap<(i64, String), u64>, dimension: Option<usize>) -> Vec<Line> {
    for ((kind, value), count) in population {
        let kind = kind_of(*kind);
        match lines.iter_mut().find(|line| line.kind == kind && line.value == *value) {
            Some(line) => line.population = Some(*count),
            None => lines.push(Line {
                kind,
                policy: None,
                dimension,
                value: value.clone(),
                population: Some(*count),
                tally: Tally::default(),
                changes: false,
                hidden: false,
            }),
        }
    }
    lines.sort_by(|one, other| (one.kind as usize, &one.value).cmp(&(other.kind as usize, &other.value)));
    lines
}

fn lines(batch: &RecordBatch, dimension: Option<usize>) -> Result<Vec<Line>, DossierError> {
    let (kinds, policies, values) = (numbers(batch, 0)?, numbers(batch, 1)?, texts(batch, 2)?);
    let columns = (3..batch.num_columns()).map(|at| numbers(batch, at)).collect::<Result<Vec<_>, _>>()?;
    let line = |row: usize| {
        let count = |at: usize| columns[at][row].unsigned_abs();
        let money = |at: usize| [columns[at][row], columns[at + 1][row]];
        let classes = std::array::from_fn(|class| count(2 + class));
        Line {
            kind: kind_of(kinds[row]),
            policy: usize::try_from(policies[row]).ok(),
            dimension,
            value: values[row].clone(),
            population: None,
            tally: Tally { before: count(0), after: count(1), classes, amount: money(8), month: money(10), year: money(12) },
            changes: false,
            hidden: false,
        }
    };
    Ok((0..batch.num_rows()).map(line).collect())
}

/// The kind with a number.
#[must_use]
pub fn kind_of(number: i64) -> SubjectKind {
    SubjectKind::ALL.into_iter().find(|kind| *kind as i64 == number).unwrap_or(SubjectKind::Person)
}

fn numbers(batch: &RecordBatch, column: usize) -> Result<Vec<i64>, DossierError> {
    let array = cast(batch.column(column), &DataType::Int64)?;
    let array = array.as_primitive::<Int64Type>();
    Ok((0..array.len()).map(|row| if array.is_null(row) { 0 } else { array.value(row) }).collect())
}

fn texts(batch: &RecordBatch, column: usize) -> Result<Vec<String>, DossierError> {
    let array = cast(batch.column(column), &DataType::Utf8)?;
    let array = array.as_string::<i32>();
    Ok((0..array.len()).map(|row| if array.is_null(row) { String::new() } else { array.value(row).to_owned() }).collect())
}
