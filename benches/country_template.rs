//! `OpenFisca`'s country template as our policies: verdicts and amounts of everybody, in one process, from memory to memory.
//!
//! `cargo bench --bench country_template -- --persons FILE --households FILE --policies DIR --as-of DAY [--repeat N] [--threads T]`

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::error::Error;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::ipc::writer::FileWriter;
use arrow::record_batch::RecordBatch;
use chrono::NaiveDate;
use clap::Parser;
use mianshen::program::{Program, Scratch, ValueProgram};
use mianshen::register::declaration::SubjectKind;
use policies::Ready;
use serde_json::json;

#[expect(unreachable_pub, reason = "public for the peers beside it")]
#[path = "peers/rust/src/batches.rs"]
mod batches;
#[expect(unreachable_pub, reason = "public for the peers beside it")]
#[path = "peers/rust/src/policies.rs"]
mod policies;

/// As the program itself has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Amounts are in hundredths.
const SCALE: u8 = 2;
/// Rows of a batch.
const ROWS: usize = 16_384;

/// Prints one JSON line: seconds of each repetition, persons per second.
#[derive(Parser)]
struct Arguments {
    /// Persons.
    #[arg(long)]
    persons: PathBuf,
    /// Households.
    #[arg(long)]
    households: PathBuf,
    /// The policies folder.
    #[arg(long)]
    policies: PathBuf,
    /// The day.
    #[arg(long)]
    as_of: NaiveDate,
    /// How often everything is evaluated.
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// On how many threads.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Where amounts are written afterwards, one Arrow file per kind of subject.
    #[arg(long)]
    out: Option<PathBuf>,
    /// What cargo says of itself.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The dossiers of one kind, and what is evaluated on them.
struct Side {
    name: &'static str,
    codes: Vec<String>,
    program: Program,
    values: ValueProgram,
    batches: Vec<RecordBatch>,
}

impl Side {
    /// The side, and how long its policies took to be read, checked and compiled.
    fn new(arguments: &Arguments, kind: SubjectKind) -> Result<(Self, f64), Box<dyn Error>> {
        let (name, path) = match kind {
            SubjectKind::Household => ("household", &arguments.households),
            _ => ("person", &arguments.persons),
        };
        let (schema, batches) = batches::read(path, ROWS)?;
        let start = Instant::now();
        let ready = Ready::load(&arguments.policies, kind, &schema, arguments.as_of)?;
        let (program, values) = (ready.program()?, ready.values()?);
        Ok((Self { name, codes: ready.codes, program, values, batches }, start.elapsed().as_secs_f64()))
    }

    fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The amounts of one batch, one array per policy: null where the verdict or the amount is unknown, zero where it is no.
    fn amounts(&self, batch: &RecordBatch, scratch: &mut (Scratch, Scratch)) -> Result<Vec<Int64Array>, String> {
        let verdicts = self.program.evaluate(batch, &mut scratch.0).map_err(|error| format!("{error:?}"))?;
        let scales = vec![SCALE; self.codes.len()];
        let amounts = self.values.arrays(batch, &mut scratch.1, &scales).map_err(|error| format!("{error:?}"))?;
        let paid = amounts.into_iter().enumerate().map(|(at, amounts)| paid(amounts, verdicts.yes(at), verdicts.unknown(at))).collect();
        scratch.0.recycle(verdicts);
        Ok(paid)
    }
}

/// Amounts where the verdict is yes, zero where it is no, null where it is unknown.
fn paid(amounts: ArrayRef, yes: &[u64], unknown: &[u64]) -> Int64Array {
    let owned = amounts.as_primitive::<Int64Type>().clone();
    drop(amounts);
    if owned.null_count() > 0 || unknown.iter().any(|&word| word != 0) {
        return paid_or_unknown(&owned, yes, unknown);
    }
    // Nobody else has the values, so that they are not copied.
    let mut paid = match owned.into_builder() {
        Ok(paid) => paid,
        Err(shared) => return paid_or_unknown(&shared, yes, unknown),
    };
    for (chunk, &word) in paid.values_slice_mut().chunks_mut(64).zip(yes) {
        if word == 0 {
            chunk.fill(0);
        } else if word != u64::MAX {
            chunk.iter_mut().enumerate().for_each(|(at, value)| *value &= (word >> at & 1).wrapping_neg().cast_signed());
        }
    }
    paid.finish()
}

fn paid_or_unknown(amounts: &Int64Array, yes: &[u64], unknown: &[u64]) -> Int64Array {
    let bit = |words: &[u64], row: usize| words[row / 64] >> (row % 64) & 1;
    (0..amounts.len())
        .map(|row| match (bit(yes, row), bit(unknown, row)) {
            (1, _) => amounts.is_valid(row).then(|| amounts.value(row)),
            (_, 1) => None,
            _ => Some(0),
        })
        .collect()
}

/// Amounts of one batch: which side, which batch, the arrays.
type Done = (usize, usize, Vec<Int64Array>);

/// Everything once, on so many threads.
fn evaluate(sides: &[Side], threads: usize) -> Result<Vec<Done>, String> {
    let work: Vec<(usize, usize)> =
        sides.iter().enumerate().flat_map(|(side, of)| (0..of.batches.len()).map(move |batch| (side, batch))).collect();
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, work, next) = (sender.clone(), &work, &next);
            scope.spawn(move || {
                let mut scratches: Vec<(Scratch, Scratch)> = sides.iter().map(|_| Default::default()).collect();
                while let Some(&(side, batch)) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let amounts = sides[side].amounts(&sides[side].batches[batch], &mut scratches[side]);
                    let _ = sender.send(amounts.map(|amounts| (side, batch, amounts)));
                }
            });
        }
    });
    drop(sender);
    receiver.into_iter().collect()
}

/// Writes the amounts of a side in the order of its rows.
fn write(dir: &std::path::Path, side: &Side, mut batches: Vec<(usize, Vec<Int64Array>)>) -> Result<(), Box<dyn Error>> {
    batches.sort_by_key(|(batch, _)| *batch);
    let fields: Vec<Field> = side.codes.iter().map(|code| Field::new(code, DataType::Int64, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let mut writer = FileWriter::try_new(File::create(dir.join(format!("{}.arrow", side.name)))?, &schema)?;
    for (_, arrays) in batches {
        let arrays = arrays.into_iter().map(|array| Arc::new(array) as ArrayRef).collect();
        writer.write(&RecordBatch::try_new(Arc::clone(&schema), arrays)?)?;
    }
    Ok(writer.finish()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let (persons, compiled_persons) = Side::new(&arguments, SubjectKind::Person)?;
    let (households, compiled_households) = Side::new(&arguments, SubjectKind::Household)?;
    let sides = [persons, households];
    let mut seconds = Vec::new();
    let mut done = Vec::new();
    for _ in 0..arguments.repeat.max(1) {
        drop(std::mem::take(&mut done));
        let start = Instant::now();
        done = evaluate(&sides, arguments.threads.max(1))?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    if let Some(dir) = &arguments.out {
        std::fs::create_dir_all(dir)?;
        for (at, side) in sides.iter().enumerate() {
            let batches = done.iter().filter(|one| one.0 == at).map(|one| (one.1, one.2.clone())).collect();
            write(dir, side, batches)?;
        }
    }
    let best = seconds.iter().copied().fold(f64::INFINITY, f64::min);
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let persons = sides[0].rows() as f64;
    let line = json!({
        "engine": "mianshen", "threads": arguments.threads, "persons": sides[0].rows(), "households": sides[1].rows(),
        "compile_seconds": compiled_persons + compiled_households, "seconds": seconds, "best_seconds": best,
        "persons_per_second": persons / best,
    });
    println!("{line}");
    Ok(())
}
