//! One policy across people: which criterion fails first, which alone, and how far off those are who fail only one.
//!
//! Computed by the compiled program over dossiers in streams; nobody is named, and small cells are suppressed.

use std::collections::BTreeMap;

use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use serde::Serialize;

use super::judge::{Judge, Known};
use super::lack::Measure;
use super::phrase::phrase;
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::{ArithOp, Expr, Function, Kind, Schema, Ty};
use crate::diagnostic::Message;
use crate::dossier::{DossierError, Dossiers, mapper};
use crate::policy::document::CriteriaNode;
use crate::program::{CompileError, Program, Rational, Scratch, ValueProgram, Verdicts, bitmap};

/// What is counted of one policy.
pub struct Counting {
    program: Program,
    steps: Vec<Step>,
}

/// A step of the criteria: one that all subjects must pass.
struct Step {
    ids: Vec<String>,
    label: Message,
    clause: Option<String>,
    /// What stands at the limit, and how far off a subject is.
    distance: Option<(Message, ValueProgram)>,
}

/// The roots of the program before those of the steps.
const COVERAGE: usize = 0;
const VERDICT: usize = 1;
const STEPS: usize = 2;

/// A number of people; none: too few to be told.
pub type Cell = Option<u64>;

/// One policy across people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyNot {
    /// Code of the policy.
    pub policy: String,
    /// Its name.
    pub name: Message,
    /// The day.
    pub as_of: String,
    /// Cells with fewer people, but some, are not told.
    pub smallest_cell: u64,
    /// Covered subjects who meet all criteria.
    pub yes: Cell,
    /// Who fail one.
    pub no: Cell,
    /// Of whom it cannot be told.
    pub unknown: Cell,
    /// The steps of the criteria, in the order of the policy.
    pub steps: Vec<StepCounts>,
}

/// Who fails a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepCounts {
    /// The criteria of the step.
    pub criteria: Vec<String>,
    /// Its name for people.
    pub label: Message,
    /// The clause in the words of the document.
    pub clause: Option<String>,
    /// Those of whom it is the first that fails.
    pub first: Cell,
    /// Those of whom it is the only one that fails.
    pub sole: Cell,
    /// Of these, how far off they are; empty where that is no number.
    pub bands: Vec<Band>,
    /// What the bands measure.
    pub measure: Option<Message>,
}

/// People about as far off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Band {
    /// More than so much, as text.
    pub above: String,
    /// At most so much; equal to `above` for those who are just at the limit.
    pub up_to: String,
    /// How many.
    pub count: Cell,
}

/// Exact counts.
#[derive(Debug, Default)]
pub struct Counts {
    yes: u64,
    no: u64,
    unknown: u64,
    first: Vec<u64>,
    sole: Vec<u64>,
    /// By step, by the upper limit of the band.
    bands: Vec<BTreeMap<i64, u64>>,
}

impl Counting {
    /// Prepares the counting of a policy, and says which facts it reads. The catalogue grows by what links must carry.
    ///
    /// # Errors
    ///
    /// When a condition cannot be compiled, which checking should have told.
    pub fn new(
        policy: &CheckedPolicy,
        catalogue: &mut Catalogue,
        binder: &Binder<'_>,
    ) -> Result<(Self, std::collections::BTreeSet<FactId>), CompileError> {
        let kind = policy.document.subject;
        let mut judge = Judge::new(catalogue, binder, Known::NOTHING);
        let coverage = judge.ready(&policy.coverage, kind);
        let criteria = judge.ready(&policy.criteria, kind);
        let steps: Vec<Expr> = policy.steps.iter().map(|step| judge.ready(step, kind)).collect();
        let distances: Vec<Option<(Message, Expr)>> = policy.steps.iter().map(|step| distance(&mut judge, step, policy)).collect();
        *catalogue = judge.catalogue;
        let schema = catalogue.schema(kind);
        let verdict = Expr::new(Kind::And(vec![coverage.clone(), criteria]), Ty::Bool);
        let roots: Vec<Expr> = [coverage, verdict].into_iter().chain(steps).collect();
        let program = Program::compile(&schema, &roots)?;
        let nodes: Vec<&CriteriaNode> = match &policy.document.criteria {
            CriteriaNode::All(items) if items.len() == policy.steps.len() => items.iter().collect(),
            whole => vec![whole],
        };
        let steps =
            nodes.into_iter().zip(distances).map(|(node, distance)| step(node, distance, &schema)).collect::<Result<Vec<_>, _>>()?;
        let mut facts: std::collections::BTreeSet<usize> = program.facts().into_iter().collect();
        facts.extend(steps.iter().filter_map(|step| step.distance.as_ref()).flat_map(|(_, program)| program.facts()));
        let facts = facts.into_iter().map(|index| FactId { kind, index }).collect();
        Ok((Self { program, steps }, facts))
    }

    /// Counts all dossiers of the policy's kind.
    ///
    /// # Errors
    ///
    /// When dossiers cannot be read, or arithmetic overflows.
    pub fn count(&self, dossiers: &Dossiers, policy: &CheckedPolicy) -> Result<Counts, DossierError> {
        let streams = dossiers.stream(policy.document.subject)?;
        let handle = tokio::runtime::Handle::current();
        let parts = tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let threads: Vec<_> = streams
                    .into_iter()
                    .map(|stream| {
                        let handle = handle.clone();
                        scope.spawn(move || handle.block_on(self.stream(stream)))
                    })
                    .collect();
                threads.into_iter().map(|thread| thread.join().unwrap_or(Err(DossierError::Cancelled))).collect::<Vec<_>>()
            })
        });
        let mut all = self.nothing();
        for part in parts {
            all.add(&part?);
        }
        Ok(all)
    }

    fn nothing(&self) -> Counts {
        let steps = self.steps.len();
        Counts { first: vec![0; steps], sole: vec![0; steps], bands: vec![BTreeMap::new(); steps], ..Counts::default() }
    }

    async fn stream(&self, mut stream: SendableRecordBatchStream) -> Result<Counts, DossierError> {
        let (mut counts, mut scratch) = (self.nothing(), Scratch::default());
        let mut scratches: Vec<Scratch> = self.steps.iter().map(|_| Scratch::default()).collect();
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let verdicts = self.program.evaluate(&batch, &mut scratch).map_err(|error| mapper::evaluation(&error))?;
            let soles = self.add(&verdicts, batch.num_rows(), &mut counts);
            for (at, step) in self.steps.iter().enumerate() {
                let Some((_, distance)) = step.distance.as_ref().filter(|_| bitmap::count(&soles[at]) > 0) else { continue };
                let values = distance.evaluate(&batch, &mut scratches[at]).map_err(|error| mapper::evaluation(&error))?;
                for row in bitmap::rows(&soles[at]) {
                    if let Some(off) = values[0].number(row) {
                        *counts.bands[at].entry(band(&off)).or_default() += 1;
                    }
                }
            }
            scratch.recycle(verdicts);
        }
        Ok(counts)
    }

    /// Adds the verdicts of a batch; gives the rows of which each step is the only one that fails.
    fn add(&self, verdicts: &Verdicts, n_rows: usize, counts: &mut Counts) -> Vec<Vec<u64>> {
        let words = bitmap::words(n_rows);
        let mut soles = vec![vec![0_u64; words]; self.steps.len()];
        let fails = |root: usize, word: usize| !(verdicts.yes(root)[word] | verdicts.unknown(root)[word]);
        for word in 0..words {
            let rows = if (word + 1) * 64 <= n_rows { u64::MAX } else { (1 << (n_rows % 64)) - 1 };
            let covered = verdicts.yes(COVERAGE)[word];
            counts.yes += u64::from((verdicts.yes(VERDICT)[word] & rows).count_ones());
            counts.unknown += u64::from((verdicts.unknown(VERDICT)[word] & rows).count_ones());
            let no = covered & fails(VERDICT, word) & rows;
            counts.no += u64::from(no.count_ones());
            let (mut one, mut more) = (0_u64, 0_u64);
            for at in 0..self.steps.len() {
                let fails = fails(STEPS + at, word) & no;
                counts.first[at] += u64::from((fails & !one).count_ones());
                more |= one & fails;
                one |= fails;
            }
            for (at, sole) in soles.iter_mut().enumerate() {
                sole[word] = fails(STEPS + at, word) & no & !more;
                counts.sole[at] += u64::from(sole[word].count_ones());
            }
        }
        soles
    }

    /// What may be told of counts: cells with fewer than `smallest` people, but some, are left out; of cells that add up to
    /// a number that is told, a single such one takes the next smallest with it, which would give it away.
    #[must_use]
    pub fn told(&self, counts: &Counts, policy: &CheckedPolicy, as_of: chrono::NaiveDate, smallest: u64) -> WhyNot {
        let [yes, no, unknown] =
            [counts.yes, counts.no, counts.unknown].map(|count| Some(count).filter(|count| *count == 0 || *count >= smallest));
        // Those who fail first add up to those who fail; those who fail alone add up to nothing that is told.
        let first = suppressed(&counts.first, smallest);
        let sole: Vec<Cell> = counts.sole.iter().map(|&count| Some(count).filter(|count| *count == 0 || *count >= smallest)).collect();
        let steps = self.steps.iter().enumerate().map(|(at, step)| {
            let limits: Vec<i64> = counts.bands[at].keys().copied().collect();
            let told = suppressed(&counts.bands[at].values().copied().collect::<Vec<_>>(), smallest);
            let bands =
                limits.iter().zip(told).map(|(&limit, count)| Band { above: below(limit).to_string(), up_to: limit.to_string(), count });
            StepCounts {
                criteria: step.ids.clone(),
                label: step.label.clone(),
                clause: step.clause.clone(),
                first: first[at],
                sole: sole[at],
                // Bands add up to those who fail alone: where these are too few, so is each band.
                bands: if sole[at].is_some() { bands.collect() } else { Vec::new() },
                measure: step.distance.as_ref().map(|(measure, _)| measure.clone()),
            }
        });
        let document = &policy.document;
        WhyNot {
            policy: document.code.clone(),
            name: document.name.clone(),
            as_of: as_of.to_string(),
            smallest_cell: smallest,
            yes,
            no,
            unknown,
            steps: steps.collect(),
        }
    }
}

impl Counts {
    fn add(&mut self, more: &Self) {
        self.yes += more.yes;
        self.no += more.no;
        self.unknown += more.unknown;
        let sums = self.first.iter_mut().zip(&more.first).chain(self.sole.iter_mut().zip(&more.sole));
        sums.for_each(|(sum, more)| *sum += more);
        for (bands, more) in self.bands.iter_mut().zip(&more.bands) {
            for (band, count) in more {
                *bands.entry(*band).or_default() += count;
            }
        }
    }
}

/// Counts without those that are too small; a single one takes the next smallest with it.
fn suppressed(counts: &[u64], smallest: u64) -> Vec<Cell> {
    let mut told: Vec<Cell> = counts.iter().map(|&count| Some(count).filter(|count| *count == 0 || *count >= smallest)).collect();
    if told.iter().filter(|cell| cell.is_none()).count() == 1 {
        let next = told.iter_mut().filter(|cell| cell.is_some_and(|count| count > 0)).min();
        if let Some(cell) = next {
            *cell = None;
        }
    }
    told
}

fn step(node: &CriteriaNode, distance: Option<(Message, Expr)>, schema: &Schema) -> Result<Step, CompileError> {
    let criteria = node.criteria();
    let label = |criterion: &crate::policy::document::Criterion| {
        let clause = criterion.clause.as_ref().map(|clause| Message::new(clause, clause));
        criterion.label.clone().or(clause).unwrap_or_else(|| Message::new(&criterion.id, &criterion.id))
    };
    let (zh, en): (Vec<String>, Vec<String>) = criteria.iter().map(|criterion| label(criterion)).map(|label| (label.zh, label.en)).unzip();
    let distance = distance.map(|(measure, expr)| ValueProgram::compile(schema, &[expr]).map(|program| (measure, program))).transpose()?;
    Ok(Step {
        ids: criteria.iter().map(|criterion| criterion.id.clone()).collect(),
        label: Message::new(zh.join(" / "), en.join(" / ")),
        clause: if let [criterion] = criteria.as_slice() { criterion.clause.clone() } else { None },
        distance,
    })
}

/// How far a subject is from passing a step that is one comparison: in the unit of the numbers, of dates in days.
fn distance(judge: &mut Judge<'_>, step: &Expr, policy: &CheckedPolicy) -> Option<(Message, Expr)> {
    let Kind::Compare(_, left, right) = &step.kind else { return None };
    let kind = policy.document.subject;
    let apart = match left.ty {
        Ty::Number => Expr::new(Kind::Arith(ArithOp::Sub, left.clone(), right.clone()), Ty::Number),
        Ty::Date => Expr::new(Kind::Call(Function::DaysBetween, vec![(**left).clone(), (**right).clone()]), Ty::Number),
        Ty::Bool | Ty::Text => return None,
    };
    let (what, limit) = (phrase(judge, left, kind), phrase(judge, right, kind));
    let unit = match left.ty {
        Ty::Date => Message::new("天", "days"),
        _ => Measure::of(judge, left, kind)
            .or_else(|| Measure::of(judge, right, kind))
            .map_or_else(Message::default, |measure| measure.unit()),
    };
    let with = |unit: &str| if unit.trim().is_empty() { String::new() } else { format!(", {}", unit.trim()) };
    let measure =
        Message::new(format!("{}与{}相差{}", what.zh, limit.zh, with(&unit.zh)), format!("{} off {}{}", what.en, limit.en, with(&unit.en)));
    let apart = Expr::new(Kind::Call(Function::Abs, vec![apart]), Ty::Number);
    Some((measure, judge.ready(&apart, kind)))
}

/// The upper limit of the band of a distance: 0, 1, 2, 5, 10, 20, 50, …
fn band(off: &Rational) -> i64 {
    limits().find(|limit| *off <= Rational::whole(*limit)).unwrap_or(i64::MAX)
}

fn limits() -> impl Iterator<Item = i64> {
    let tens = (0..18).map(|power| 10_i64.pow(power));
    std::iter::once(0).chain(tens.flat_map(|ten| [ten, 2 * ten, 5 * ten]))
}

/// The limit before.
fn below(limit: i64) -> i64 {
    limits().take_while(|other| *other < limit).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    //! Bands, and what small cells hide.

    use super::*;

    #[test]
    fn bands_go_by_one_two_five() {
        let of = |num: i128, den: i128| band(&Rational::new(num, den).expect("not divided by zero"));
        assert_eq!([of(0, 1), of(1, 3), of(1, 1), of(101, 100), of(3, 1), of(62, 1), of(500, 1)], [0, 1, 1, 2, 5, 100, 500]);
        assert_eq!([below(0), below(1), below(2), below(100)], [0, 0, 1, 50]);
    }

    #[test]
    fn a_small_cell_takes_another_with_it() {
        assert_eq!(suppressed(&[0, 3, 9, 20], 5), [Some(0), None, None, Some(20)]);
        assert_eq!(suppressed(&[1, 2, 7], 5), [None, None, Some(7)]);
        assert_eq!(suppressed(&[0, 5, 6], 5), [Some(0), Some(5), Some(6)]);
        assert_eq!(suppressed(&[4], 1), [Some(4)]);
    }
}
