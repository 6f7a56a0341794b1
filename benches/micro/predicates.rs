//! What one distinct condition costs: all thresholds of a fact, by the column's type and by how much of it is unknown.

use std::hint::black_box;
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal64Array, Decimal128Array, DictionaryArray, Int8Array, Int32Array, Int64Array, StringArray};
use arrow::datatypes::Int32Type;
use arrow::record_batch::RecordBatch;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mianshen::check::ir::{Column, CompareOp, Expr, Kind, Number, Schema, Ty, Value};
use mianshen::program::{Count, Program, Scratch};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 65_536;
const THRESHOLDS: [usize; 3] = [1, 8, 50];
const UNKNOWN: [f64; 2] = [0.0, 0.1];
const TYPES: [&str; 6] = ["int8", "int32", "int64", "decimal64", "decimal128", "dictionary"];
const TEXTS: usize = 200;
const SEED: u64 = 3;

/// Values from 0 to 99 as a column of the type.
fn column(kind: &str, unknown: f64) -> ArrayRef {
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let values: Vec<Option<i8>> = (0..ROWS).map(|_| (!random.random_bool(unknown)).then(|| random.random_range(0..100))).collect();
    let wide = values.iter().map(|value| value.map(i64::from));
    match kind {
        "int8" => Arc::new(Int8Array::from(values)),
        "int32" => Arc::new(Int32Array::from_iter(values.iter().map(|value| value.map(i32::from)))),
        "int64" => Arc::new(Int64Array::from_iter(wide)),
        "decimal64" => Arc::new(Decimal64Array::from_iter(wide).with_precision_and_scale(18, 0).expect("fits")),
        "decimal128" => {
            let wide = wide.map(|value| value.map(i128::from));
            Arc::new(Decimal128Array::from_iter(wide).with_precision_and_scale(18, 0).expect("fits"))
        }
        _ => {
            let texts: Vec<String> = (0..TEXTS).map(|text| format!("{:06}", 990_000 + text)).collect();
            let values: StringArray =
                values.iter().map(|value| value.map(|value| texts[usize::from(value.unsigned_abs())].clone())).collect();
            Arc::new(values.iter().collect::<DictionaryArray<Int32Type>>())
        }
    }
}

/// One condition per threshold, spread over the values.
fn conditions(kind: &str, thresholds: usize) -> (Schema, Vec<Expr>) {
    let ty = if kind == "dictionary" { Ty::Text } else { Ty::Number };
    let fact = || Box::new(Expr::new(Kind::Fact(0), ty));
    let roots = (0..thresholds)
        .map(|number| {
            let place = (number + 1) * 100 / (thresholds + 1);
            let condition = if ty == Ty::Text {
                Kind::TextIn { value: fact(), set: vec![format!("{:06}", 990_000 + place).into()].into() }
            } else {
                let digits = i64::try_from(place).expect("small");
                let constant = Expr::new(Kind::Literal(Value::Number(Number::whole(digits))), ty);
                Kind::Compare(CompareOp::GtEq, fact(), Box::new(constant))
            };
            Expr::new(condition, Ty::Bool)
        })
        .collect();
    (Schema { columns: vec![Column { name: "fact".into(), ty, scale: 0 }] }, roots)
}

fn predicates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("predicates");
    for kind in TYPES {
        for unknown in UNKNOWN {
            let batch = RecordBatch::try_from_iter_with_nullable([("fact", column(kind, unknown), true)]).expect("one column");
            for thresholds in THRESHOLDS {
                let (schema, roots) = conditions(kind, thresholds);
                let program = Program::compile(&schema, &roots).expect("it compiles");
                let (mut scratch, mut counts) = (Scratch::new(), vec![Count::default(); roots.len()]);
                group.throughput(Throughput::Elements((ROWS * thresholds) as u64));
                group.bench_function(BenchmarkId::new(format!("{kind}, {unknown} unknown"), thresholds), |bencher| {
                    bencher.iter(|| program.count(black_box(&batch), &mut scratch, &mut counts));
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, predicates);
criterion_main!(benches);
