//! Dossiers through programs: one batch at a time, verdicts counted, yes rows valued, unknown rows asked what they lack.

mod about;
mod counting;
mod doubts;
mod facts;
mod lacking;
mod merge;
mod occasions;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, RecordBatchOptions};
use arrow::datatypes::Schema;
use chrono::NaiveDate;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

pub use facts::RowReader;
pub use merge::merge;
pub use occasions::{Spread, read_occasions, spread};

use super::compiled::{CompiledKind, CompiledPolicy, hundredths, value};
use super::finding::{Counts, Finding, Limits, LimitsIdx, MissingSets, SubjectIdx, Subjects, UnknownFinding};
use super::texts::{Word, Words};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::dossier::{Cause, DossierError, mapper};
use crate::policy::document::Payee;
use crate::program::{Scratch, Values, Verdicts, bitmap};
use crate::region::RegionTree;
use about::{AboutColumns, Places};
use lacking::Lacking;

/// What evaluation needs beside the compiled policies.
pub struct Context<'a> {
    /// The policies of one kind.
    pub compiled: &'a CompiledKind,
    /// How many policies the run has, of all kinds.
    pub policies: usize,
    /// Counties of regions.
    pub regions: &'a RegionTree,
    /// The day.
    pub as_of: NaiveDate,
    /// Why a fact is unknown where no row says otherwise.
    pub causes: &'a [Cause],
    /// Only subjects counted in this region, if any.
    pub within: Option<&'a str>,
    /// Whether only counts are wanted, not who.
    pub counts_only: bool,
    /// Who hears of progress.
    pub progress: &'a dyn Progress,
    /// When to stop.
    pub cancel: &'a Cancel,
}

/// What one stream of dossiers gave. Parts are merged in any order: results are sorted later.
#[derive(Debug)]
pub struct Part {
    subjects: Subjects,
    yes: Vec<Finding>,
    unknown: Vec<UnknownFinding>,
    words: Words,
    limits: Vec<Limits>,
    missing: Vec<MissingSets>,
    missing_index: HashMap<MissingSets, u32>,
    counts: Vec<BTreeMap<Arc<str>, Counts>>,
    judged: u64,
    /// Facts of which a known value was met.
    known: BTreeSet<usize>,
}

impl Part {
    fn new(policies: usize) -> Self {
        Self {
            subjects: Subjects::default(),
            yes: Vec::new(),
            unknown: Vec::new(),
            words: Words::default(),
            limits: Vec::new(),
            missing: Vec::new(),
            missing_index: HashMap::new(),
            counts: vec![BTreeMap::new(); policies],
            judged: 0,
            known: BTreeSet::new(),
        }
    }

    fn missing_of(&mut self, sets: MissingSets) -> u32 {
        if let Some(&found) = self.missing_index.get(&sets) {
            return found;
        }
        let index = u32::try_from(self.missing.len()).unwrap_or(u32::MAX);
        self.missing_index.insert(sets.clone(), index);
        self.missing.push(sets);
        index
    }
}

/// Evaluates one stream of dossiers to its end.
///
/// # Errors
///
/// When the stream fails, arithmetic overflows, or the work is cancelled.
pub async fn evaluate_stream(context: &Context<'_>, mut stream: SendableRecordBatchStream) -> Result<Part, DossierError> {
    let mut part = Part::new(context.policies);
    let mut worker = Worker::default();
    while let Some(batch) = stream.next().await {
        if context.cancel.is_cancelled() {
            return Err(DossierError::Cancelled);
        }
        let batch = batch?;
        if batch.num_rows() == 0 {
            continue;
        }
        worker.batch(context, &batch, &mut part)?;
        context.progress.rows(batch.num_rows() as u64);
    }
    Ok(part)
}

/// Buffers of one thread.
#[derive(Default)]
struct Worker {
    scratch: Scratch,
    /// One per policy: a scratch serves one program best.
    values: HashMap<u32, Scratch>,
    lacking: HashMap<u32, Lacking>,
    places: Places,
}

/// The rows of a batch that findings speak of, in order: their subjects are entered one after another.
struct Spoken {
    bits: Vec<u64>,
    /// How many rows stand before each word.
    before: Vec<u32>,
    /// The place of the first subject.
    first: SubjectIdx,
}

impl Spoken {
    fn subject(&self, row: usize) -> SubjectIdx {
        let (word, bit) = (row / 64, row % 64);
        self.first + self.before[word] + (self.bits[word] & ((1 << bit) - 1)).count_ones()
    }
}

impl Worker {
    fn batch(&mut self, context: &Context<'_>, batch: &RecordBatch, part: &mut Part) -> Result<(), DossierError> {
        let about = AboutColumns::new(context, batch)?;
        let by_county = self.places.enter(context, &about, batch.num_rows());
        let mut inside = vec![0_u64; bitmap::words(batch.num_rows())];
        for rows in &by_county {
            inside.iter_mut().zip(&rows.bits).for_each(|(all, rows)| *all |= rows);
        }
        part.judged += bitmap::count(&inside) as u64;
        note_known(context.compiled, batch, part);
        let verdicts = context.compiled.program.evaluate(batch, &mut self.scratch).map_err(|error| mapper::evaluation(&error))?;
        for policy in &context.compiled.policies {
            counting::count(policy, &verdicts, &by_county, &self.places.counties, &mut part.counts[policy.index as usize]);
        }
        if !context.counts_only {
            let spoken = self.enter_subjects(context, &about, &verdicts, &inside, part);
            for policy in &context.compiled.policies {
                let yes = rows_within(verdicts.yes(policy.root), &inside);
                if !yes.is_empty() {
                    self.value(context, policy, batch, &yes, &verdicts, &spoken, part)?;
                }
                let unknown = rows_within(verdicts.unknown(policy.root), &inside);
                if !unknown.is_empty() {
                    self.lack(context, policy, batch, &unknown, &spoken, part)?;
                }
            }
        }
        self.scratch.recycle(verdicts);
        Ok(())
    }

    /// Enters the subjects that any policy has a yes or an unknown for.
    fn enter_subjects(&self, context: &Context<'_>, about: &AboutColumns, verdicts: &Verdicts, inside: &[u64], part: &mut Part) -> Spoken {
        let mut bits = vec![0_u64; inside.len()];
        // Who may be a payee, for whom a policy asks.
        let payees = [Payee::Guardian, Payee::Head, Payee::LegalRepresentative];
        let mut asked: Vec<Vec<u64>> = vec![vec![0; inside.len()]; payees.len()];
        for policy in &context.compiled.policies {
            let (yes, unknown) = (verdicts.yes(policy.root), verdicts.unknown(policy.root));
            for ((bits, inside), (yes, unknown)) in bits.iter_mut().zip(inside).zip(yes.iter().zip(unknown)) {
                *bits |= (yes | unknown) & inside;
            }
            if let Some(at) = payees.iter().position(|payee| *payee == policy.payee) {
                asked[at].iter_mut().zip(yes).for_each(|(asked, yes)| *asked |= yes);
            }
        }
        let first = u32::try_from(part.subjects.len()).expect("a run has fewer than 2^32 subjects");
        for row in bitmap::rows(&bits) {
            let number = if about.has_ids() { String::new() } else { row.to_string() };
            let is_asked = |payee| payees.iter().zip(&asked).any(|(known, rows)| *known == payee && bitmap::is_set(rows, row));
            part.subjects.push(&about.subject(row, &number, self.places.served(row), is_asked));
        }
        let before = bits
            .iter()
            .scan(0, |sum, word| {
                let before = *sum;
                *sum += word.count_ones();
                Some(before)
            })
            .collect();
        Spoken { bits, before, first }
    }

    /// Amounts, caps, ranks and occasions of yes rows.
    #[expect(clippy::too_many_arguments, reason = "the state of one batch, all of it needed")]
    fn value(
        &mut self,
        context: &Context<'_>,
        policy: &CompiledPolicy,
        batch: &RecordBatch,
        rows: &[usize],
        verdicts: &Verdicts,
        spoken: &Spoken,
        part: &mut Part,
    ) -> Result<(), DossierError> {
        let facts = policy.values.facts();
        let is_constant = facts.is_empty();
        // What reads no fact is one value for all rows.
        let taken = if is_constant { one_row()? } else { facts::take_facts(batch, &context.compiled.schema, &facts, rows, false)? };
        let scratch = self.values.entry(policy.index).or_default();
        let values = policy.values.evaluate(&taken, scratch).map_err(|error| mapper::evaluation(&error))?;
        let leaves: Vec<&[u64]> = policy.leaves.clone().take(64).map(|root| verdicts.yes(root)).collect();
        part.yes.reserve(rows.len());
        for (at, &row) in rows.iter().enumerate() {
            let at = if is_constant { 0 } else { at };
            let money = |place: usize| values[place].number(at).and_then(|amount| hundredths(&amount, policy.rounding));
            let amount = money(value::AMOUNT);
            let limits = Limits { rank: values[value::RANK].number(at).map(rank_key), cap: money(value::CAP) };
            let reasons = leaves.iter().enumerate().fold(0, |bits, (bit, yes)| bits | (yes[row / 64] >> (row % 64) & 1) << bit);
            part.yes.push(Finding {
                subject: spoken.subject(row),
                policy: policy.index,
                occasion: occasion(&values[value::OCCASION], at, &mut part.words),
                member: None,
                limits: place_of(limits, &mut part.limits),
                amount_unknown: policy.has_amount && amount.is_none(),
                amount: amount.into(),
                reasons,
            });
        }
        Ok(())
    }

    /// What unknown rows lack.
    fn lack(
        &mut self,
        context: &Context<'_>,
        policy: &CompiledPolicy,
        batch: &RecordBatch,
        rows: &[usize],
        spoken: &Spoken,
        part: &mut Part,
    ) -> Result<(), DossierError> {
        let lacking = self.lacking.entry(policy.index).or_insert_with(|| Lacking::new(context, policy));
        let missing = lacking.of(context, policy, batch, rows, part)?;
        let found = rows.iter().zip(missing);
        part.unknown.extend(found.map(|(&row, missing)| UnknownFinding { subject: spoken.subject(row), policy: policy.index, missing }));
        Ok(())
    }
}

/// A batch of one row without columns.
fn one_row() -> Result<RecordBatch, DossierError> {
    let options = RecordBatchOptions::new().with_row_count(Some(1));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &options)?)
}

fn place_of(limits: Limits, all: &mut Vec<Limits>) -> Option<LimitsIdx> {
    if limits == Limits::default() {
        return None;
    }
    // A cap is often the same for everybody.
    if all.last() != Some(&limits) {
        all.push(limits);
    }
    Some(LimitsIdx::new(all.len() - 1))
}

/// An exact order key of a rank: whole numbers of ten-thousandths.
fn rank_key(rank: crate::program::Rational) -> i128 {
    let scaled = rank.num().saturating_mul(10_000);
    scaled.div_euclid(rank.den())
}

fn occasion(values: &Values, row: usize, words: &mut Words) -> Option<Word> {
    match values {
        Values::Text(values) => values[row].as_ref().map(|text| words.word(text)),
        Values::Date(values) => values[row].map(|days| words.word(&date_text(days))),
        Values::Number(_) => values.number(row).map(|number| words.word(&number.floor().to_string())),
        Values::Bool(_) => None,
    }
}

fn date_text(days: i32) -> String {
    (NaiveDate::default() + chrono::TimeDelta::days(i64::from(days))).to_string()
}

fn rows_within(words: &[u64], inside: &[u64]) -> Vec<usize> {
    let mut rows = Vec::new();
    for (index, (word, inside)) in words.iter().zip(inside).enumerate() {
        let mut word = word & inside;
        while word != 0 {
            rows.push(index * 64 + word.trailing_zeros() as usize);
            word &= word - 1;
        }
    }
    rows
}

fn note_known(compiled: &CompiledKind, batch: &RecordBatch, part: &mut Part) {
    for id in &compiled.facts {
        if part.known.contains(&id.index) {
            continue;
        }
        let column = batch.column_by_name(&compiled.schema.columns[id.index].name);
        if column.is_some_and(|column| column.null_count() < column.len()) {
            part.known.insert(id.index);
        }
    }
}
