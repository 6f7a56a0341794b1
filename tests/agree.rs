//! The program, the row interpreter and DataFusion SQL say the same: of random conditions, and of every shipped policy.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema as ArrowSchema};
use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;
use mianshen::check::bind::days;
use mianshen::check::ir::{self, Expr, Schema, Ty};
use mianshen::commands::folder::PolicyFolder;
use mianshen::eligibility::compiled::{CompiledKind, CompiledPolicy, compile};
use mianshen::eligibility::sql::{is_overflow, policy_sql};
use mianshen::program::interpreter::{self, Answer};
use mianshen::program::{CompileError, EvalError, Program, Scratch, ValueProgram, Values};
use mianshen::register::declaration::SubjectKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use near::Edges;
use oracle::{Oracle, Select};

#[path = "support/arbitrary.rs"]
mod arbitrary;
#[path = "support/near.rs"]
mod near;
#[path = "support/oracle.rs"]
mod oracle;

/// How many scenes of random conditions are compared.
const SCENES: u32 = 240;

/// Longer SQL takes DataFusion longer to plan than it tells.
const LONGEST_SQL: usize = 12_000;

/// How many dossiers each shipped policy is given.
const DOSSIERS: usize = 2000;

/// The days that shipped policies are asked about: the sample's, a leap day, the day on which a county was merged.
const DAYS: [&str; 3] = ["2026-06-30", "2024-02-29", "2025-01-01"];

/// The value of each row; `None` is unknown.
type Column = Vec<Option<Answer>>;

/// Random conditions over random rows, and how the rows come: in which batches, in how many partitions.
#[derive(Clone)]
struct Scene {
    schema: Schema,
    roots: Vec<Expr>,
    batch: RecordBatch,
    cuts: Vec<usize>,
    partitions: usize,
}

impl fmt::Debug for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = self.batch.schema().fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect::<Vec<_>>();
        write!(f, "{} rows cut at {:?}, {} partitions, {types:?}", self.batch.num_rows(), self.cuts, self.partitions)
    }
}

fn scene() -> impl Strategy<Value = Scene> {
    let rows = arbitrary::schema().prop_flat_map(|schema| {
        let ty = prop_oneof![6 => Just(Ty::Bool), 2 => Just(Ty::Number), 1 => Just(Ty::Date), 1 => Just(Ty::Text)];
        let of = schema.clone();
        let roots = vec(ty.prop_flat_map(move |ty| arbitrary::expression(&of, ty, 3)), 12);
        let batch = arbitrary::batch(&schema);
        (Just(schema), roots, batch)
    });
    (rows, vec(0_usize..4200, 0..5), 1_usize..4).prop_map(|((schema, roots, batch), cuts, partitions)| Scene {
        schema,
        roots,
        batch,
        cuts,
        partitions,
    })
}

/// The rows with their number beside them, cut into batches that share the arrays.
fn pieces(batch: &RecordBatch, cuts: &[usize]) -> Vec<RecordBatch> {
    let rows = batch.num_rows();
    let count = i64::try_from(rows).expect("few rows");
    let (mut fields, mut arrays) = (batch.schema().fields().to_vec(), batch.columns().to_vec());
    fields.push(Arc::new(Field::new(oracle::ROW, DataType::Int64, false)));
    arrays.push(Arc::new(Int64Array::from_iter_values(0..count)) as ArrayRef);
    let whole = RecordBatch::try_new(Arc::new(ArrowSchema::new(fields)), arrays).expect("columns have one length");
    let mut ends: Vec<usize> = cuts.iter().map(|&cut| cut.min(rows)).chain([rows]).collect();
    ends.sort_unstable();
    let starts = std::iter::once(0).chain(ends.clone());
    starts.zip(&ends).map(|(start, end)| whole.slice(start, end - start)).collect()
}

/// What the program says of the rows of all batches; `None` where arithmetic overflows.
fn by_program(schema: &Schema, root: &Expr, batches: &[RecordBatch]) -> Option<Column> {
    let roots = std::slice::from_ref(root);
    let (mut scratch, mut column) = (Scratch::new(), Column::new());
    let settle = |error: EvalError| assert!(matches!(error, EvalError::Overflow { .. }), "{error}");
    if root.ty == Ty::Bool {
        let program = Program::compile(schema, roots).map_err(|error| too_large(&error)).ok()?;
        for batch in batches {
            let verdicts = program.evaluate(batch, &mut scratch).map_err(settle).ok()?;
            column.extend((0..batch.num_rows()).map(|row| verdicts.get(0, row).map(Answer::Bool)));
        }
    } else {
        let program = ValueProgram::compile(schema, roots).map_err(|error| too_large(&error)).ok()?;
        for batch in batches {
            let values = program.evaluate(batch, &mut scratch).map_err(settle).ok()?.swap_remove(0);
            column.extend((0..batch.num_rows()).map(|row| match &values {
                Values::Number(numbers) => numbers[row].map(Answer::Number),
                other => other.value(row).as_ref().map(Answer::from),
            }));
        }
    }
    Some(column)
}

/// What one program for all conditions says; only conditions whose arithmetic fits are among them.
fn by_shared_program(schema: &Schema, roots: &[Expr], batches: &[RecordBatch]) -> Vec<Column> {
    let program = Program::compile(schema, roots).expect("each compiled alone");
    let mut scratch = Scratch::new();
    let mut columns = vec![Column::new(); roots.len()];
    for batch in batches {
        let verdicts = program.evaluate(batch, &mut scratch).expect("each was evaluated alone");
        for (root, column) in columns.iter_mut().enumerate() {
            column.extend((0..batch.num_rows()).map(|row| verdicts.get(root, row).map(Answer::Bool)));
        }
    }
    columns
}

fn too_large(error: &CompileError) {
    assert!(matches!(error, CompileError::TooLarge { .. }), "{error}");
}

/// What the interpreter says of each row; `None` where arithmetic overflows.
fn by_rows(schema: &Schema, root: &Expr, batch: &RecordBatch) -> Option<Column> {
    let value = |row: usize| {
        let one = batch.slice(row, 1);
        interpreter::evaluate(root, &|fact| arbitrary::value_at(schema, &one, fact, 0))
    };
    let settle = |error: EvalError| assert!(matches!(error, EvalError::Overflow { .. }), "{error}");
    (0..batch.num_rows()).map(|row| value(row).map_err(settle).ok()).collect()
}

/// What SQL says of each row; `None` where arithmetic overflows, or the SQL is left out for its length.
fn by_sql(oracle: &Oracle, scene: &Scene, batches: &[RecordBatch]) -> Vec<Option<Column>> {
    let partitions = (0..scene.partitions).map(|first| batches.iter().skip(first).step_by(scene.partitions).cloned().collect()).collect();
    oracle.table(partitions);
    let selects = scene.roots.iter().map(|root| Select::new(root, &scene.schema).filter(|select| select.length() <= LONGEST_SQL));
    let selects: Vec<Option<Select>> = selects.collect();
    let known: Vec<&Select> = selects.iter().flatten().collect();
    let mut columns = match oracle.columns(&known) {
        Ok(columns) => columns.into_iter().map(Some).collect::<Vec<_>>(),
        Err(error) if is_overflow(&error) => known.iter().map(|select| alone(oracle, select)).collect(),
        Err(error) => panic!("{error}\n{}", Oracle::sql(&known)),
    }
    .into_iter();
    selects.iter().map(|select| select.as_ref().and_then(|_| columns.next().flatten())).collect()
}

fn alone(oracle: &Oracle, select: &Select) -> Option<Column> {
    match oracle.columns(&[select]) {
        Ok(mut columns) => columns.pop(),
        Err(error) if is_overflow(&error) => None,
        Err(error) => panic!("{error}\n{}", Oracle::sql(&[select])),
    }
}

/// Fails at the first row of which two ways say different things.
fn same(way: &str, found: &Column, by_rows: &Column, root: &Expr) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), by_rows.len(), "{} has not all rows: {:?}", way, root);
    for (row, (found, by_rows)) in found.iter().zip(by_rows).enumerate() {
        prop_assert_eq!(found, by_rows, "{} and interpreter at row {}: {:?}", way, row, root);
    }
    Ok(())
}

fn agree(oracle: &Oracle, scene: &Scene, compared: &Cell<u32>) -> Result<(), TestCaseError> {
    let batches = pieces(&scene.batch, &scene.cuts);
    let sql = by_sql(oracle, scene, &batches);
    let mut fitting = Vec::new();
    for (root, by_sql) in scene.roots.iter().zip(sql) {
        let (Some(by_program), Some(by_rows)) = (by_program(&scene.schema, root, &batches), by_rows(&scene.schema, root, &scene.batch))
        else {
            continue;
        };
        same("program", &by_program, &by_rows, root)?;
        if let Some(by_sql) = by_sql {
            same("SQL", &by_sql, &by_rows, root)?;
            compared.set(compared.get() + 1);
        }
        if root.ty == Ty::Bool {
            fitting.push((root.clone(), by_rows));
        }
    }
    let (roots, expected): (Vec<Expr>, Vec<Column>) = fitting.into_iter().unzip();
    for (root, (found, by_rows)) in roots.iter().zip(by_shared_program(&scene.schema, &roots, &batches).iter().zip(&expected)) {
        same("shared program", found, by_rows, root)?;
    }
    Ok(())
}

#[test]
fn random_conditions_mean_the_same_three_ways() {
    oracle::with_deep_stack(|| {
        let oracle = Oracle::new();
        let compared = Cell::new(0);
        let config = ProptestConfig { cases: SCENES, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() };
        let outcome = TestRunner::new(config).run(&scene(), |scene| agree(&oracle, &scene, &compared));
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
        let all = SCENES * 12;
        assert!(compared.get() > all / 10 * 8, "only {} of {all} conditions were compared", compared.get());
    });
}

/// What one policy comes to on dossiers at its edges.
fn policy_agrees(oracle: &Oracle, kind: &CompiledKind, policy: &CompiledPolicy, code: &str, batch: &RecordBatch) -> BTreeSet<Option<bool>> {
    let batches = pieces(batch, &[1, 64, 129, 1000]);
    oracle.table(vec![batches[..2].to_vec(), batches[2..].to_vec()]);
    let sql = policy_sql(policy, &kind.schema, oracle::TABLE, oracle::ROW).expect("a checked policy has its SQL");
    let by_sql = oracle.verdicts(&sql).unwrap_or_else(|error| panic!("{code}: {error}"));
    let by_rows = by_rows(&kind.schema, &policy.verdict, batch).unwrap_or_else(|| panic!("{code} overflows"));
    let mut scratch = Scratch::new();
    let verdicts = batches.iter().flat_map(|batch| {
        let verdicts = kind.program.evaluate(batch, &mut scratch).unwrap_or_else(|error| panic!("{code}: {error}"));
        (0..batch.num_rows()).map(|row| verdicts.get(policy.root, row)).collect::<Vec<_>>()
    });
    let verdicts: Vec<Option<bool>> = verdicts.collect();
    assert_eq!((by_sql.len(), verdicts.len()), (by_rows.len(), by_rows.len()), "{code}");
    for (row, by_rows) in by_rows.into_iter().enumerate() {
        assert_eq!(verdicts[row].map(Answer::Bool), by_rows, "{code}: program and interpreter of {:?}", batch.slice(row, 1));
        assert_eq!(by_sql[row], by_rows, "{code}: SQL and interpreter of {:?}", batch.slice(row, 1));
    }
    verdicts.into_iter().collect()
}

/// All policies of a day; adds to `found` what each comes to.
fn policies_agree(folder: &PolicyFolder, as_of: NaiveDate, found: &mut BTreeMap<String, BTreeSet<Option<bool>>>) {
    let policies = folder.in_force(as_of, None);
    let binder = folder.binder(as_of, None, &policies);
    let list: Vec<_> = policies.values().cloned().collect();
    let (oracle, mut catalogue) = (Oracle::new(), folder.checked.catalogue.clone());
    for kind in SubjectKind::ALL {
        let compiled = compile(kind, &list, &mut catalogue, &binder, false).expect("checked policies compile");
        let facts = compiled.program.facts();
        for policy in &compiled.policies {
            let code = &list[policy.index as usize].document.code;
            let edges = Edges::of(&compiled.schema, days(as_of), [&policy.verdict]);
            let batch = edges.batch(&facts, DOSSIERS, u64::from(policy.index));
            let verdicts = policy_agrees(&oracle, &compiled, policy, code, &batch);
            found.entry(code.clone()).or_default().extend(verdicts);
        }
    }
}

#[test]
fn every_policy_means_the_same_three_ways() {
    oracle::with_deep_stack(|| {
        let folder = PolicyFolder::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"));
        let mut found = BTreeMap::new();
        for as_of in DAYS {
            policies_agree(&folder, as_of.parse().expect("a date"), &mut found);
        }
        for document in &folder.set.policies {
            let verdicts = found.get(&document.code).map_or(0, BTreeSet::len);
            assert_eq!(verdicts, 3, "dossiers at the edges of {} come to yes, to no and to unknown", document.code);
        }
    });
}
