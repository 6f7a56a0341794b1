//! Dossiers through programs: one batch at a time, verdicts counted, yes rows valued, unknown rows asked what they lack.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};
use chrono::NaiveDate;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use super::compiled::{CompiledEach, CompiledKind, CompiledPolicy, hundredths, value};
use super::finding::{Counts, Finding, Findings, MissingSets, Payees, Subjects, UnknownFinding};
use super::grant::county_of;
use crate::check::ir::{Number, Schema, Ty, Value};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::dossier::{Cause, DossierError, mapper};
use crate::program::{Scratch, Values, Verdicts, interpreter};
use crate::region::RegionTree;
use crate::register::declaration::SubjectKind;

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
    counties: HashMap<String, Arc<str>>,
}

/// The rows of a batch by county: bitmaps.
struct ByCounty {
    counties: Vec<(Arc<str>, Vec<u64>)>,
}

impl Worker {
    fn batch(&mut self, context: &Context<'_>, batch: &RecordBatch, part: &mut Part) -> Result<(), DossierError> {
        let about = AboutColumns::new(context, batch)?;
        let by_county = self.by_county(context, &about, batch.num_rows());
        let inside = by_county.counties.iter().fold(vec![0_u64; batch.num_rows().div_ceil(64)], |mut all, (_, rows)| {
            all.iter_mut().zip(rows).for_each(|(all, rows)| *all |= rows);
            all
        });
        part.judged += inside.iter().map(|word| u64::from(word.count_ones())).sum::<u64>();
        note_known(context.compiled, batch, part);
        let verdicts = context.compiled.program.evaluate(batch, &mut self.scratch).map_err(|error| mapper::evaluation(&error))?;
        let mut rows_of: HashMap<usize, u32> = HashMap::new();
        for policy in &context.compiled.policies {
            count(policy, &verdicts, &by_county, part);
            if context.counts_only {
                continue;
            }
            let yes: Vec<usize> = rows_within(verdicts.yes(policy.root), &inside);
            if !yes.is_empty() {
                self.value(context, policy, batch, &yes, &verdicts, &about, &mut rows_of, part)?;
            }
            let unknown: Vec<usize> = rows_within(verdicts.unknown(policy.root), &inside);
            if !unknown.is_empty() {
                lacking(context, policy, batch, &unknown, &about, &mut rows_of, part)?;
            }
        }
        self.scratch.recycle(verdicts);
        Ok(())
    }

    fn by_county(&mut self, context: &Context<'_>, about: &AboutColumns, rows: usize) -> ByCounty {
        let words = rows.div_ceil(64);
        let mut counties: Vec<(Arc<str>, Vec<u64>)> = Vec::new();
        let mut last: Option<(String, usize)> = None;
        for row in 0..rows {
            let region = about.region(row).unwrap_or("");
            let at = match &last {
                Some((code, at)) if code == region => *at,
                _ => {
                    let county = self.county(context, region);
                    if context.within.is_some_and(|within| {
                        region.is_empty() || !(region == within || context.regions.contains(within, region, context.as_of))
                    }) {
                        continue;
                    }
                    let at = counties.iter().position(|(known, _)| *known == county).unwrap_or_else(|| {
                        counties.push((county, vec![0; words]));
                        counties.len() - 1
                    });
                    last = Some((region.to_owned(), at));
                    at
                }
            };
            counties[at].1[row / 64] |= 1 << (row % 64);
        }
        ByCounty { counties }
    }

    fn county(&mut self, context: &Context<'_>, region: &str) -> Arc<str> {
        if let Some(known) = self.counties.get(region) {
            return Arc::clone(known);
        }
        let county: Arc<str> = county_of(served_under(context, region)).into();
        self.counties.insert(region.to_owned(), Arc::clone(&county));
        county
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
        about: &AboutColumns,
        rows_of: &mut HashMap<usize, u32>,
        part: &mut Part,
    ) -> Result<(), DossierError> {
        let taken = take_facts(batch, &context.compiled.schema, &policy.values.facts(), rows)?;
        let scratch = self.values.entry(policy.index).or_default();
        let values = policy.values.evaluate(&taken, scratch).map_err(|error| mapper::evaluation(&error))?;
        for (at, &row) in rows.iter().enumerate() {
            let subject = subject_of(context, about, row, rows_of, part);
            let amount = values[value::AMOUNT].number(at).and_then(|amount| hundredths(&amount, policy.rounding));
            let cap = values[value::CAP].number(at).and_then(|cap| hundredths(&cap, policy.rounding));
            let reasons = policy
                .leaves
                .clone()
                .take(64)
                .enumerate()
                .filter(|(_, root)| verdicts.yes(*root)[row / 64] >> (row % 64) & 1 == 1)
                .fold(0, |bits, (bit, _)| bits | 1 << bit);
            part.yes.push(Finding {
                kind: context.compiled.kind,
                subject,
                policy: policy.index,
                occasion: occasion(&values[value::OCCASION], at),
                member: None,
                amount,
                amount_unknown: policy.has_amount && amount.is_none(),
                reasons,
                rank: values[value::RANK].number(at).map(rank_key),
                cap,
            });
        }
        Ok(())
    }
}

/// The region that a code stands for on the day: itself, or the one that took its place.
fn served_under<'a>(context: &Context<'a>, region: &'a str) -> &'a str {
    context.regions.successor(region, context.as_of).unwrap_or(region)
}

/// An exact order key of a rank: whole numbers of ten-thousandths.
fn rank_key(rank: crate::program::Rational) -> i128 {
    let scaled = rank.num().saturating_mul(10_000);
    scaled.div_euclid(rank.den())
}

fn occasion(values: &Values, row: usize) -> Option<Arc<str>> {
    match values {
        Values::Text(values) => values[row].clone(),
        Values::Date(values) => values[row].map(|days| date_text(days).into()),
        Values::Number(_) => values.number(row).map(|number| number.floor().to_string().into()),
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

fn count(policy: &CompiledPolicy, verdicts: &Verdicts, by_county: &ByCounty, part: &mut Part) {
    let ones = |left: &[u64], right: &[u64]| left.iter().zip(right).map(|(a, b)| u64::from((a & b).count_ones())).sum::<u64>();
    for (county, rows) in &by_county.counties {
        let covered = ones(verdicts.yes(policy.coverage), rows);
        let doubtful = ones(verdicts.unknown(policy.coverage), rows);
        if covered + doubtful == 0 {
            continue;
        }
        let yes = ones(verdicts.yes(policy.root), rows);
        let unknown = ones(verdicts.unknown(policy.root), rows);
        let counts = part.counts[policy.index as usize].entry(Arc::clone(county)).or_default();
        counts.yes += yes;
        counts.unknown += unknown;
        // Of those whose coverage is in doubt, only the still unknown ones are counted.
        let surely_no = verdicts
            .yes(policy.coverage)
            .iter()
            .zip(rows)
            .zip(verdicts.yes(policy.root).iter().zip(verdicts.unknown(policy.root)))
            .map(|((covered, rows), (yes, unknown))| u64::from((covered & rows & !(yes | unknown)).count_ones()))
            .sum::<u64>();
        counts.no += surely_no;
        counts.funnel.resize(policy.steps.len(), (0, 0));
        for (step, root) in policy.steps.clone().enumerate() {
            let yes = ones(verdicts.yes(root), rows);
            counts.funnel[step].0 += yes;
            counts.funnel[step].1 += yes + ones(verdicts.unknown(root), rows);
        }
    }
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

/// The columns of some facts, at some rows.
fn take_facts(batch: &RecordBatch, schema: &Schema, facts: &[usize], rows: &[usize]) -> Result<RecordBatch, DossierError> {
    let rows = UInt32Array::from_iter_values(rows.iter().map(|&row| u32::try_from(row).unwrap_or(u32::MAX)));
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for &fact in facts {
        let name = &schema.columns[fact].name;
        let Ok(at) = batch.schema().index_of(name) else { continue };
        fields.push(batch.schema().field(at).clone().with_nullable(true));
        columns.push(take(batch.column(at), &rows, None)?);
    }
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(Arc::new(arrow::datatypes::Schema::new(fields)), columns, &options)?)
}

fn subject_of(context: &Context<'_>, about: &AboutColumns, row: usize, rows_of: &mut HashMap<usize, u32>, part: &mut Part) -> u32 {
    *rows_of.entry(row).or_insert_with(|| {
        let subjects = &mut part.subjects;
        let index = u32::try_from(subjects.ids.len()).unwrap_or(u32::MAX);
        let text =
            |array: &Option<StringArray>| array.as_ref().filter(|array| array.is_valid(row)).map(|array| Arc::from(array.value(row)));
        subjects.ids.push(about.ids.value(row).into());
        subjects.regions.push(served_under(context, about.region(row).unwrap_or("")).into());
        subjects.households.push(text(&about.household));
        subjects.payees.push(Payees {
            guardian: about.guardians.iter().find(|array| array.is_valid(row)).map(|array| Arc::from(array.value(row))),
            head: text(&about.head),
            legal_representative: text(&about.legal_representative),
        });
        index
    })
}

/// What results say of each subject, as arrays of one batch.
struct AboutColumns {
    ids: StringArray,
    regions: Vec<StringArray>,
    household: Option<StringArray>,
    guardians: Vec<StringArray>,
    head: Option<StringArray>,
    legal_representative: Option<StringArray>,
}

impl AboutColumns {
    fn new(context: &Context<'_>, batch: &RecordBatch) -> Result<Self, DossierError> {
        let text = |name: &str| -> Result<Option<StringArray>, DossierError> {
            let Some(column) = batch.column_by_name(name) else { return Ok(None) };
            Ok(Some(cast(column, &DataType::Utf8)?.as_string::<i32>().clone()))
        };
        let all = |names: &[String]| names.iter().filter_map(|name| text(name).transpose()).collect::<Result<Vec<_>, _>>();
        let one = |name: &Option<String>| name.as_deref().map_or(Ok(None), &text);
        let about = &context.compiled.about;
        let ids = match text("id")? {
            Some(ids) => ids,
            None => StringArray::from_iter_values((0..batch.num_rows()).map(|row| row.to_string())),
        };
        Ok(Self {
            ids,
            regions: all(&about.regions)?,
            household: one(&about.household)?,
            guardians: all(&about.guardians)?,
            head: one(&about.head)?,
            legal_representative: one(&about.legal_representative)?,
        })
    }

    fn region(&self, row: usize) -> Option<&str> {
        self.regions.iter().find(|array| array.is_valid(row)).map(|array| array.value(row))
    }
}

/// The facts of single rows of a batch, as the interpreter reads them.
pub struct RowReader {
    columns: HashMap<usize, (ArrayRef, Option<ArrayRef>, Ty, u8)>,
}

impl RowReader {
    /// Reads some facts of a schema.
    ///
    /// # Errors
    ///
    /// When a column has a type that its fact cannot have.
    pub fn new(schema: &Schema, facts: &[usize], batch: &RecordBatch) -> Result<Self, DossierError> {
        let mut columns = HashMap::new();
        for &fact in facts {
            let column = &schema.columns[fact];
            let Some(array) = batch.column_by_name(&column.name) else { continue };
            let plain = match column.ty {
                Ty::Bool => DataType::Boolean,
                Ty::Number if column.scale > 0 && matches!(array.data_type(), DataType::Decimal128(..)) => array.data_type().clone(),
                Ty::Number => DataType::Int64,
                Ty::Date => DataType::Date32,
                Ty::Text => DataType::Utf8,
            };
            let conflict = batch.column_by_name(&format!("{}!conflict", column.name)).cloned();
            columns.insert(fact, (cast(array, &plain)?, conflict, column.ty, column.scale));
        }
        Ok(Self { columns })
    }

    /// The value of a fact; none where it is unknown or was not read.
    #[must_use]
    pub fn value(&self, fact: usize, row: usize) -> Option<Value> {
        let (array, _, ty, scale) = self.columns.get(&fact)?;
        if array.is_null(row) {
            return None;
        }
        Some(match ty {
            Ty::Bool => Value::Bool(array.as_boolean().value(row)),
            Ty::Date => Value::Date(array.as_primitive::<Date32Type>().value(row)),
            Ty::Text => Value::Text(array.as_string::<i32>().value(row).into()),
            Ty::Number => {
                let digits = match array.data_type() {
                    DataType::Int64 => array.as_primitive::<Int64Type>().value(row),
                    _ => i64::try_from(array.as_primitive::<Decimal128Type>().value(row)).ok()?,
                };
                Value::Number(Number { digits, scale: *scale })
            }
        })
    }

    /// Whether registers disagree about it.
    #[must_use]
    pub fn conflicts(&self, fact: usize, row: usize) -> bool {
        self.columns.get(&fact).is_some_and(|(_, conflict, ..)| {
            conflict.as_ref().is_some_and(|array| array.as_boolean_opt().is_some_and(|array| array.is_valid(row) && array.value(row)))
        })
    }
}

/// What unknown rows lack.
fn lacking(
    context: &Context<'_>,
    policy: &CompiledPolicy,
    batch: &RecordBatch,
    rows: &[usize],
    about: &AboutColumns,
    rows_of: &mut HashMap<usize, u32>,
    part: &mut Part,
) -> Result<(), DossierError> {
    let reader = RowReader::new(&context.compiled.schema, &policy.facts, batch)?;
    for &row in rows {
        let value = |fact: usize| match policy.committed.get(&fact) {
            Some(written_out) => interpreter::evaluate(written_out, &|fact| reader.value(fact, row)).ok().flatten().and_then(as_value),
            None => reader.value(fact, row),
        };
        let sets = interpreter::missing(&policy.open_verdict, &value);
        let sets = sets
            .into_iter()
            .map(|set| {
                let mut named: Vec<(Arc<str>, Cause)> = set
                    .into_iter()
                    .map(|fact| {
                        let cause = if reader.conflicts(fact, row) { Cause::Conflict } else { cause_of(context, fact) };
                        (Arc::clone(&context.compiled.schema.columns[fact].name), cause)
                    })
                    .collect();
                named.sort();
                named
            })
            .collect();
        let subject = subject_of(context, about, row, rows_of, part);
        let missing = part.missing_of(MissingSets { sets });
        part.unknown.push(UnknownFinding { kind: context.compiled.kind, subject, policy: policy.index, missing });
    }
    Ok(())
}

/// A known answer as the value of a fact; quotients stay unknown to a fact, whose conditions then read its parts.
fn as_value(answer: interpreter::Answer) -> Option<Value> {
    Some(match answer {
        interpreter::Answer::Bool(value) => Value::Bool(value),
        interpreter::Answer::Date(days) => Value::Date(days),
        interpreter::Answer::Text(text) => Value::Text(text),
        interpreter::Answer::Number(number) => {
            let scale = (0..=4_u8).find(|scale| 10_i128.pow(u32::from(*scale)) % number.den() == 0)?;
            let digits = number.num() * (10_i128.pow(u32::from(scale)) / number.den());
            Value::Number(Number { digits: i64::try_from(digits).ok()?, scale })
        }
    })
}

fn cause_of(context: &Context<'_>, fact: usize) -> Cause {
    context.causes.get(fact).copied().unwrap_or(Cause::Missing)
}

/// Puts parts of one kind together with what other kinds gave.
pub fn merge(findings: &mut Findings, kind: SubjectKind, parts: Vec<Part>) -> BTreeSet<usize> {
    let mut known = BTreeSet::new();
    let mut index: HashMap<MissingSets, u32> =
        findings.missing.iter().enumerate().map(|(at, sets)| (sets.clone(), u32::try_from(at).unwrap_or(u32::MAX))).collect();
    for part in parts {
        let subjects = &mut findings.subjects[kind as usize];
        let offset = u32::try_from(subjects.ids.len()).unwrap_or(u32::MAX);
        subjects.ids.extend(part.subjects.ids);
        subjects.regions.extend(part.subjects.regions);
        subjects.households.extend(part.subjects.households);
        subjects.payees.extend(part.subjects.payees);
        findings.yes.extend(part.yes.into_iter().map(|finding| Finding { subject: finding.subject + offset, ..finding }));
        let places: Vec<u32> = part
            .missing
            .into_iter()
            .map(|sets| {
                let next = u32::try_from(findings.missing.len()).unwrap_or(u32::MAX);
                *index.entry(sets).or_insert_with_key(|sets| {
                    findings.missing.push(sets.clone());
                    next
                })
            })
            .collect();
        findings.unknown.extend(part.unknown.into_iter().map(|unknown| UnknownFinding {
            subject: unknown.subject + offset,
            missing: places[unknown.missing as usize],
            ..unknown
        }));
        if findings.counts.len() < part.counts.len() {
            findings.counts.resize(part.counts.len(), BTreeMap::new());
        }
        for (all, counts) in findings.counts.iter_mut().zip(part.counts) {
            for (county, counts) in counts {
                add(all.entry(county).or_default(), &counts);
            }
        }
        findings.judged[kind as usize] += part.judged;
        known.extend(part.known);
    }
    known
}

fn add(all: &mut Counts, more: &Counts) {
    all.yes += more.yes;
    all.no += more.no;
    all.unknown += more.unknown;
    all.funnel.resize(all.funnel.len().max(more.funnel.len()), (0, 0));
    for (all, more) in all.funnel.iter_mut().zip(&more.funnel) {
        all.0 += more.0;
        all.1 += more.1;
    }
}

/// An occasion of a yes: which one, and its own amount where it has one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occasion {
    /// The occasion.
    pub id: Arc<str>,
    /// In hundredths.
    pub amount: Option<i64>,
}

/// Reads the rows that occasions come from and keeps those of subjects that are a yes.
///
/// # Errors
///
/// When the stream fails or arithmetic overflows.
pub async fn occasions(
    policy: &CompiledPolicy,
    each: &CompiledEach,
    wanted: &HashMap<Arc<str>, u32>,
    streams: Vec<SendableRecordBatchStream>,
    found: &mut HashMap<u32, Vec<Occasion>>,
) -> Result<(), DossierError> {
    let mut scratch = Scratch::default();
    for mut stream in streams {
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            let values = each.program.evaluate(&batch, &mut scratch).map_err(|error| mapper::evaluation(&error))?;
            let ids = cast(batch.column(0), &DataType::Utf8)?;
            let ids = ids.as_string::<i32>();
            let Some(column) = batch.column_by_name(&each.id) else { continue };
            let names = cast(column, &DataType::Utf8)?;
            let names = names.as_string::<i32>();
            for row in 0..batch.num_rows() {
                if values[0].value(row) != Some(Value::Bool(true)) || names.is_null(row) {
                    continue;
                }
                let Some(&subject) = wanted.get(ids.value(row)) else { continue };
                let amount = values[1].number(row).and_then(|amount| hundredths(&amount, policy.rounding));
                found.entry(subject).or_default().push(Occasion { id: names.value(row).into(), amount });
            }
        }
    }
    Ok(())
}

/// One finding per occasion in the place of each finding of the policy; those without an occasion fall away.
pub fn spread(findings: &mut Vec<Finding>, policy: &CompiledPolicy, mut found: HashMap<u32, Vec<Occasion>>) {
    let limit = policy.each.as_ref().and_then(|each| each.limit).unwrap_or(usize::MAX);
    let own_amount = policy.each.as_ref().is_some_and(|each| each.has_amount);
    let mut spread = Vec::new();
    findings.retain(|finding| {
        if finding.policy != policy.index {
            return true;
        }
        if let Some(occasions) = found.get_mut(&finding.subject) {
            occasions.sort();
            occasions.dedup_by(|a, b| a.id == b.id);
            for occasion in occasions.iter().take(limit) {
                let amount = if own_amount { occasion.amount } else { finding.amount };
                let (member, named) =
                    if policy.per_member { (Some(Arc::clone(&occasion.id)), None) } else { (None, Some(Arc::clone(&occasion.id))) };
                spread.push(Finding {
                    occasion: named,
                    member,
                    amount,
                    amount_unknown: policy.has_amount && amount.is_none() || own_amount && amount.is_none(),
                    ..finding.clone()
                });
            }
        }
        false
    });
    findings.extend(spread);
}
