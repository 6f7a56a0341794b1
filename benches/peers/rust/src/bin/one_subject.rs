//! One subject against many compiled policies, engine after engine in one process; the verdicts must be the same.

use std::error::Error;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use chrono::NaiveDate;
use clap::{Parser, ValueEnum};
use mianshen_peers::batches;
#[cfg(feature = "decision-table")]
use mianshen_peers::one_subject::Table;
use mianshen_peers::one_subject::{Engine, Expressions, Ours, Subject, Tree, conditions, subjects};
use serde_json::json;

/// Prints one JSON line per engine: microseconds per subject, and whether its verdicts are those of the first engine.
#[derive(Parser)]
struct Arguments {
    /// Dossiers, as `workload.py` makes them.
    #[arg(long)]
    dossiers: PathBuf,
    /// Policies, as `workload.py` makes them.
    #[arg(long)]
    conditions: PathBuf,
    /// The same policies, as `convert.py` makes them.
    #[arg(long)]
    policies: PathBuf,
    /// The day.
    #[arg(long, default_value = "2026-06-30")]
    as_of: NaiveDate,
    /// How many subjects, of which every fact is known.
    #[arg(long, default_value_t = 1_000)]
    subjects: usize,
    /// How often each subject is judged.
    #[arg(long, default_value_t = 5)]
    repeat: usize,
    /// For at most so many seconds per engine; what was done by then counts.
    #[arg(long, default_value_t = 60.0)]
    seconds: f64,
    /// Which engines.
    #[arg(long, value_delimiter = ',', default_values_t = Name::value_variants().to_vec())]
    engines: Vec<Name>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Name {
    Mianshen,
    ATree,
    ZenExpressions,
    ZenTable,
}

impl std::fmt::Display for Name {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.to_possible_value().map_or("", |value| value.get_name().to_owned().leak()))
    }
}

/// The verdicts of the first engine, subject by subject.
type Answers = Vec<Vec<u32>>;

struct Race<'a> {
    arguments: &'a Arguments,
    subjects: &'a [Subject],
    policies: usize,
    first: Option<Answers>,
}

impl Race<'_> {
    fn run<E: Engine>(&mut self, name: Name, make: impl FnOnce() -> Result<E, Box<dyn Error>>) {
        let start = Instant::now();
        let mut engine = match make() {
            Ok(engine) => engine,
            Err(error) => return println!("{}", json!({"engine": name.to_string(), "error": error.to_string()})),
        };
        let prepared = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let records: Vec<E::Record> = self.subjects.iter().map(|subject| engine.record(subject)).collect();
        let recorded = start.elapsed().as_secs_f64() / records.len() as f64 * 1e6;

        let mut micros = Vec::new();
        let mut passes = Vec::new();
        let mut answers: Answers = Vec::new();
        let began = Instant::now();
        'all: for _ in 0..self.arguments.repeat.max(1) {
            let pass = Instant::now();
            for (at, record) in records.iter().enumerate() {
                let mut yes = Vec::new();
                let start = Instant::now();
                engine.judge(record, &mut yes);
                micros.push(start.elapsed().as_secs_f64() * 1e6);
                if answers.len() == at {
                    answers.push(black_box(yes));
                }
                if began.elapsed().as_secs_f64() > self.arguments.seconds {
                    break 'all;
                }
            }
            passes.push(pass.elapsed().as_secs_f64() / records.len() as f64 * 1e6);
        }
        self.tell(name, prepared, recorded, micros, &passes, answers);
    }

    fn tell(&mut self, name: Name, prepared: f64, recorded: f64, mut micros: Vec<f64>, passes: &[f64], answers: Answers) {
        micros.sort_unstable_by(f64::total_cmp);
        let part = |share: f64| micros[((micros.len() - 1) as f64 * share) as usize];
        let agrees = self.first.as_ref().map(|first| answers.iter().zip(first).all(|(one, other)| one == other));
        let line = json!({
            "engine": name.to_string(), "policies": self.policies, "subjects": answers.len(), "judged": micros.len(),
            "prepare_seconds": prepared, "record_microseconds": recorded, "median_microseconds": part(0.5),
            "least_microseconds": part(0.0), "p99_microseconds": part(0.99),
            "best_pass_microseconds": passes.iter().copied().reduce(f64::min), "yes": answers.iter().map(Vec::len).sum::<usize>(),
            "agrees": agrees,
        });
        println!("{line}");
        self.first.get_or_insert(answers);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let policies = conditions(&arguments.conditions)?;
    let (schema, batches) = batches::read(&arguments.dossiers, 65_536)?;
    let subjects = subjects(&batches, arguments.subjects)?;
    let like = subjects.first().ok_or("no subject has every fact known")?;
    let mut race = Race { arguments: &arguments, subjects: &subjects, policies: policies.len(), first: None };
    for &name in &arguments.engines {
        match name {
            Name::Mianshen => race.run(name, || Ours::new(&arguments.policies, &schema, arguments.as_of)),
            Name::ATree => race.run(name, || Tree::new(&policies, like)),
            Name::ZenExpressions => race.run(name, || Expressions::new(&policies)),
            #[cfg(feature = "decision-table")]
            Name::ZenTable => race.run(name, || Table::new(&policies, like)),
            #[cfg(not(feature = "decision-table"))]
            Name::ZenTable => println!("{}", json!({"engine": "zen-table", "error": "built without the feature decision-table"})),
        }
    }
    Ok(())
}
