//! How many pairs of person and policy are judged per second: a dossier file in memory against a folder of policies.
//!
//! `cargo bench --bench workload -- --dossiers FILE --policies DIR [--repeat N] [--threads T] [--one-subject]`
//!
//! Prints one line of JSON. Only the evaluation is timed; reading, checking and compiling are told apart. With
//! `--one-subject`, single dossiers are judged one after the other on one thread, and the line has microseconds.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;
use mianshen::check::bind::Binder;
use mianshen::check::check_given;
use mianshen::check::ir::{Expr, Schema, Ty};
use mianshen::check::typing::Type;
use mianshen::diagnostic::Severity;
use mianshen::program::{Count, EvalError, Program, Scratch, vectors};
use mianshen::register::declaration::SubjectKind;
use mianshen::{policy, region};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;
use serde_json::json;

/// Rows of a batch.
const BATCH_ROWS: usize = 65_536;

/// How many single dossiers are judged, in each repetition.
const SINGLE_DOSSIERS: usize = 1_000;

/// What was asked for.
struct Arguments {
    dossiers: PathBuf,
    policies: PathBuf,
    repeat: usize,
    threads: usize,
    one_subject: bool,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = arguments(std::env::args().skip(1))?;
    rayon::ThreadPoolBuilder::new().num_threads(arguments.threads).build_global()?;
    let batches = read(&arguments.dossiers)?;
    let Some(first) = batches.first() else { return Err("the dossier file is empty".into()) };
    let started = Instant::now();
    let (schema, roots) = verdicts(&arguments.policies, &first.schema())?;
    let loaded = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let program = Program::compile(&schema, &roots)?;
    let compiled = started.elapsed().as_secs_f64();
    let told = json!({
        "policies": roots.len(),
        "dossiers": batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
        "load_seconds": loaded,
        "compile_seconds": compiled,
        "nodes": program.nodes(),
        "vector": vectors(),
    });
    let measured = if arguments.one_subject {
        one_by_one(&program, &batches, arguments.repeat)?
    } else {
        all_at_once(&program, &batches, &arguments)?
    };
    let mut line = told;
    if let (Some(line), Some(measured)) = (line.as_object_mut(), measured.as_object()) {
        line.extend(measured.clone());
    }
    println!("{line}");
    Ok(())
}

fn arguments(mut given: impl Iterator<Item = String>) -> Result<Arguments, Box<dyn Error>> {
    let (mut dossiers, mut policies) = (None, None);
    let (mut repeat, mut threads, mut one_subject) = (9, std::thread::available_parallelism()?.get(), false);
    while let Some(argument) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--dossiers" => dossiers = Some(PathBuf::from(value()?)),
            "--policies" => policies = Some(PathBuf::from(value()?)),
            "--repeat" => repeat = value()?.parse()?,
            "--threads" => threads = value()?.parse()?,
            "--one-subject" => one_subject = true,
            // cargo says so of itself
            "--bench" => {}
            other => return Err(format!("unknown argument {other}").into()),
        }
    }
    let dossiers = dossiers.ok_or("--dossiers is missing")?;
    let policies = policies.ok_or("--policies is missing")?;
    Ok(Arguments { dossiers, policies, repeat, threads, one_subject })
}

fn read(path: &Path) -> Result<Vec<RecordBatch>, Box<dyn Error>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?.with_batch_size(BATCH_ROWS).build()?;
    Ok(reader.collect::<Result<_, _>>()?)
}

/// The verdict of each policy of the folder about persons, over the columns of the file, as `match --dossiers` has them.
fn verdicts(folder: &Path, file: &SchemaRef) -> Result<(Schema, Vec<Expr>), Box<dyn Error>> {
    let as_of = NaiveDate::from_ymd_opt(2026, 6, 30).ok_or("no such day")?;
    let (set, mut diagnostics) = policy::load(folder);
    let (regions, told) = region::load(folder);
    diagnostics.extend(told);
    let documents: Vec<_> =
        policy::select(&set.policies, as_of, None).into_iter().filter(|document| document.subject == SubjectKind::Person).collect();
    let columns: Vec<(String, Type)> =
        file.fields().iter().filter_map(|field| Some((field.name().clone(), fact_type(field.data_type())?))).collect();
    let (mut checked, told) = check_given(SubjectKind::Person, &columns, &documents, &set.parameters, &regions);
    diagnostics.extend(told);
    if let Some(error) = diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error) {
        return Err(error.headline.en.clone().into());
    }
    let policies: BTreeMap<_, _> = checked.policies.iter().map(|policy| (policy.document.code.clone(), policy.clone())).collect();
    let binder = Binder::new(as_of, None, &set.parameters, &regions, &policies);
    let roots: Vec<Expr> = policies
        .values()
        .map(|policy| binder.bind(&checked.catalogue.expand(&binder.verdict(policy), SubjectKind::Person, 0, &|_| true)))
        .collect();
    Ok((checked.catalogue.schema(SubjectKind::Person), roots))
}

fn fact_type(data_type: &DataType) -> Option<Type> {
    let number = |scale: i8| Some(Type { scale: u8::try_from(scale).ok()?, unit: None, ..Type::plain(Ty::Number) });
    match data_type {
        DataType::Boolean => Some(Type::plain(Ty::Bool)),
        DataType::Date32 => Some(Type::plain(Ty::Date)),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Type::plain(Ty::Text)),
        DataType::Dictionary(_, value) => fact_type(value).filter(|ty| ty.ty == Ty::Text),
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => number(*scale),
        integer if integer.is_integer() => number(0),
        _ => None,
    }
}

/// Counts yes and unknown of all policies over all dossiers.
fn all_at_once(program: &Program, batches: &[RecordBatch], arguments: &Arguments) -> Result<serde_json::Value, EvalError> {
    let none = || vec![Count::default(); program.roots()];
    let mut seconds = Vec::new();
    let mut counts = none();
    for _ in 0..arguments.repeat {
        let started = Instant::now();
        counts = batches
            .par_chunks(batches.len().div_ceil(arguments.threads * 8))
            .map_init(Scratch::new, |scratch, batches| {
                let mut counts = none();
                batches.iter().try_for_each(|batch| program.count(batch, scratch, &mut counts))?;
                Ok(counts)
            })
            .try_reduce(none, |left, right| {
                Ok(left.iter().zip(right).map(|(a, b)| Count { yes: a.yes + b.yes, unknown: a.unknown + b.unknown }).collect())
            })?;
        seconds.push(started.elapsed().as_secs_f64());
    }
    let best = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let pairs = rows as f64 * program.roots() as f64;
    Ok(json!({
        "threads": arguments.threads,
        "seconds": seconds,
        "best_seconds": best,
        "pairs_per_second": pairs / best,
        "e": counts.iter().map(|count| count.yes).sum::<u64>(),
        "u": counts.iter().map(|count| count.unknown).sum::<u64>(),
    }))
}

/// Judges single dossiers, spread over the file.
fn one_by_one(program: &Program, batches: &[RecordBatch], repeat: usize) -> Result<serde_json::Value, EvalError> {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let places = (0..SINGLE_DOSSIERS).map(|number| number * 7_919 % rows);
    let dossiers: Vec<RecordBatch> = places
        .filter_map(|place| {
            let mut first = 0;
            batches.iter().find_map(|batch| {
                let inside = place - first;
                first += batch.num_rows();
                (place < first).then(|| batch.slice(inside, 1))
            })
        })
        .collect();
    let mut scratch = Scratch::new();
    let mut microseconds = Vec::new();
    let (mut yes, mut unknown) = (0, 0);
    for _ in 0..repeat {
        (yes, unknown) = (0, 0);
        for dossier in &dossiers {
            let started = Instant::now();
            let judged = program.judge(dossier, &mut scratch)?;
            microseconds.push(started.elapsed().as_secs_f64() * 1e6);
            yes += judged.yes.len();
            unknown += judged.unknown.len();
        }
    }
    microseconds.sort_by(f64::total_cmp);
    let at = |part: usize| microseconds[(microseconds.len() - 1) * part / 100];
    Ok(json!({
        "subjects": dossiers.len(),
        "microseconds": {"least": at(0), "median": at(50), "p99": at(99)},
        "e": yes,
        "u": unknown,
    }))
}
