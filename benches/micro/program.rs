//! Policies against dossiers: compiling, counting, counting by county, verdicts, one dossier; cost by number of policies.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int8Array, Int32Array};
use arrow::record_batch::RecordBatch;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mianshen::check::ir::{Column, CompareOp, Expr, Kind, Number, Schema, Ty, Value};
use mianshen::program::{Count, Program, Scratch};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 65_536;
const POLICIES: [usize; 3] = [100, 1_000, 10_000];
const COUNTIES: usize = 12;
const SEED: u64 = 7;

/// Numbers with thresholds: name and greatest value.
const NUMBERS: [(&str, i32); 4] = [("age", 100), ("income", 8_000), ("months", 240), ("credit", 900)];
/// Codes that are compared as equal: name and how many.
const CODES: [(&str, i8); 3] = [("sex", 2), ("education", 9), ("children", 4)];

fn schema() -> Schema {
    let names = ["region"].into_iter().chain(NUMBERS.map(|(name, _)| name)).chain(CODES.map(|(name, _)| name));
    let mut columns: Vec<Column> = names.map(|name| Column { name: name.into(), ty: Ty::Number, scale: 0 }).collect();
    columns.push(Column { name: "veteran".into(), ty: Ty::Bool, scale: 0 });
    Schema { columns }
}

/// Dossiers sorted by county; one in twenty values is unknown.
fn dossiers() -> RecordBatch {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let county = |row: usize| i32::try_from(row * COUNTIES / ROWS).expect("small");
    let mut columns: Vec<ArrayRef> = vec![Arc::new(Int32Array::from_iter_values((0..ROWS).map(county)))];
    for (_, most) in NUMBERS {
        let values = (0..ROWS).map(|_| (!random.random_bool(0.05)).then(|| random.random_range(0..most)));
        columns.push(Arc::new(Int32Array::from_iter(values)));
    }
    for (_, codes) in CODES {
        let values = (0..ROWS).map(|_| (!random.random_bool(0.05)).then(|| random.random_range(0..codes)));
        columns.push(Arc::new(Int8Array::from_iter(values)));
    }
    columns.push(Arc::new(BooleanArray::from_iter((0..ROWS).map(|_| Some(random.random_bool(0.03))))));
    let names = schema().columns.into_iter().map(|column| column.name.to_string());
    RecordBatch::try_from_iter_with_nullable(names.zip(columns).map(|(name, array)| (name, array, true))).expect("columns of one length")
}

/// Six policies in ten are one county's; each has two to four more conditions, and four in ten an alternative.
fn policies(count: usize) -> Vec<Expr> {
    let mut random = ChaCha8Rng::seed_from_u64(SEED + 1);
    let schema = schema();
    let compare = |op: CompareOp, name: &str, value: i64| {
        let fact = Expr::new(Kind::Fact(schema.index_of(name).expect("a fact")), Ty::Number);
        let constant = Expr::new(Kind::Literal(Value::Number(Number::whole(value))), Ty::Number);
        Expr::new(Kind::Compare(op, Box::new(fact), Box::new(constant)), Ty::Bool)
    };
    let number = |random: &mut ChaCha8Rng| {
        let (name, most) = NUMBERS[random.random_range(0..NUMBERS.len())];
        let op = if random.random_bool(0.5) { CompareOp::Lt } else { CompareOp::GtEq };
        compare(op, name, i64::from(most / 50 * random.random_range(1..50)))
    };
    let code = |random: &mut ChaCha8Rng| {
        let (name, codes) = CODES[random.random_range(0..CODES.len())];
        compare(CompareOp::Eq, name, i64::from(random.random_range(0..codes)))
    };
    (0..count)
        .map(|_| {
            let mut all = Vec::new();
            if random.random_bool(0.6) {
                all.push(compare(CompareOp::Eq, "region", random.random_range(0..i64::try_from(COUNTIES).expect("small"))));
            }
            for _ in 0..random.random_range(2..5) {
                all.push(match random.random_range(0..20) {
                    0..12 => number(&mut random),
                    12..17 => code(&mut random),
                    _ => Expr::new(Kind::Fact(schema.columns.len() - 1), Ty::Bool),
                });
            }
            if random.random_bool(0.4) {
                all.push(Expr::new(Kind::Or(vec![code(&mut random), number(&mut random)]), Ty::Bool));
            }
            Expr::new(Kind::And(all), Ty::Bool)
        })
        .collect()
}

fn programs(criterion: &mut Criterion) {
    let (schema, batch) = (schema(), dossiers());
    let counties: Vec<u32> = (0..ROWS).map(|row| u32::try_from(row * COUNTIES / ROWS).expect("small")).collect();
    for count in POLICIES {
        let roots = policies(count);
        let program = Program::compile(&schema, &roots).expect("it compiles");
        let mut scratch = Scratch::new();
        let mut group = criterion.benchmark_group("program");
        group.bench_function(BenchmarkId::new("compile", count), |bencher| bencher.iter(|| Program::compile(&schema, black_box(&roots))));
        let one = batch.slice(ROWS / 3, 1);
        group.bench_function(BenchmarkId::new("one dossier", count), |bencher| {
            bencher.iter(|| program.judge(black_box(&one), &mut scratch).map(|judged| judged.yes.len()));
        });
        group.throughput(Throughput::Elements((ROWS * count) as u64));
        let mut counts = vec![Count::default(); count];
        group.bench_function(BenchmarkId::new("count", count), |bencher| {
            bencher.iter(|| program.count(black_box(&batch), &mut scratch, &mut counts));
        });
        let mut counts = vec![Count::default(); count * COUNTIES];
        group.bench_function(BenchmarkId::new("count by county", count), |bencher| {
            bencher.iter(|| program.count_groups(black_box(&batch), &counties, &mut scratch, &mut counts));
        });
        group.bench_function(BenchmarkId::new("verdicts", count), |bencher| {
            bencher.iter(|| {
                if let Ok(verdicts) = program.evaluate(black_box(&batch), &mut scratch) {
                    scratch.recycle(verdicts);
                }
            });
        });
        group.finish();
    }
}

criterion_group!(benches, programs);
criterion_main!(benches);
