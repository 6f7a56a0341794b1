//! Occasions: the rows of a register or a link that a yes is spread over, one finding each.

use std::collections::HashMap;
use std::hash::BuildHasher;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::super::compiled::{CompiledEach, CompiledPolicy, hundredths};
use super::super::finding::{Finding, Findings, SubjectIdx, Subjects};
use super::super::texts::{Word, Words};
use crate::dossier::{DossierError, mapper};
use crate::program::{Scratch, Values};

/// The occasions of one policy.
pub struct Spread<'a> {
    policy: &'a CompiledPolicy,
    each: &'a CompiledEach,
    subjects: &'a Subjects,
    /// Those who are a yes, by identifier.
    wanted: HashTable<SubjectIdx>,
    hasher: DefaultHashBuilder,
}

/// One occasion of a subject, with its own amount where it has one.
struct Occasion {
    subject: SubjectIdx,
    id: Word,
    amount: Option<i64>,
}

/// Occasions that were found.
#[derive(Default)]
pub struct Found {
    rows: Vec<Occasion>,
    words: Words,
}

impl<'a> Spread<'a> {
    /// The occasions of a policy for those who are a yes; none where a policy has no occasions of this sort, or nobody
    /// is a yes.
    #[must_use]
    pub fn new(policy: &'a CompiledPolicy, subjects: &'a Subjects, findings: &Findings) -> Option<Self> {
        let each = policy.each.as_ref()?;
        let hasher = DefaultHashBuilder::default();
        let mut wanted = HashTable::new();
        let hash = |subject: SubjectIdx| hasher.hash_one(subjects.id(subject));
        for finding in findings.yes.iter().filter(|finding| finding.policy == policy.index) {
            wanted.insert_unique(hash(finding.subject), finding.subject, |subject| hash(*subject));
        }
        (!wanted.is_empty()).then_some(Self { policy, each, subjects, wanted, hasher })
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> u32 {
        self.policy.index
    }

    /// The subjects that are a yes.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.wanted.iter().map(|subject| self.subjects.id(*subject))
    }

    fn subject(&self, id: &str) -> Option<SubjectIdx> {
        self.wanted.find(self.hasher.hash_one(id), |subject| self.subjects.id(*subject) == id).copied()
    }

    fn batch(&self, batch: &RecordBatch, scratch: &mut Scratch, found: &mut Found) -> Result<(), DossierError> {
        let values = self.each.program.evaluate(batch, scratch).map_err(|error| mapper::evaluation(&error))?;
        let Some(column) = batch.column_by_name(&self.each.id) else { return Ok(()) };
        let names = cast(column, &DataType::Utf8)?;
        let names = names.as_string::<i32>();
        let ids = cast(batch.column(0), &DataType::Utf8)?;
        let ids = ids.as_string::<i32>();
        let Values::Bool(counts) = &values[0] else { return Ok(()) };
        for row in (0..batch.num_rows()).filter(|&row| counts[row] == Some(true) && names.is_valid(row)) {
            let Some(subject) = self.subject(ids.value(row)) else { continue };
            let amount = values[1].number(row).and_then(|amount| hundredths(&amount, self.policy.rounding));
            found.rows.push(Occasion { subject, id: found.words.word(names.value(row)), amount });
        }
        Ok(())
    }
}

/// Reads the rows that occasions come from and keeps those of subjects that are a yes.
///
/// # Errors
///
/// When the stream fails or arithmetic overflows.
pub async fn read_occasions(spread: &Spread<'_>, streams: Vec<SendableRecordBatchStream>) -> Result<Found, DossierError> {
    let (mut scratch, mut found) = (Scratch::default(), Found::default());
    for mut stream in streams {
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            if batch.num_rows() > 0 {
                spread.batch(&batch, &mut scratch, &mut found)?;
            }
        }
    }
    Ok(found)
}

/// One finding per occasion in the place of each finding of policies that have such; those without an occasion fall away.
/// `found` has an entry for each of these policies, by index.
pub fn spread(findings: &mut Findings, policies: &[CompiledPolicy], found: HashMap<u32, Vec<Found>>) {
    let spread: HashMap<u32, &CompiledPolicy> =
        policies.iter().filter(|policy| policy.each.is_some()).map(|policy| (policy.index, policy)).collect();
    if spread.is_empty() {
        return;
    }
    let mut of_policy: HashMap<u32, Vec<Finding>> = HashMap::new();
    findings.yes.retain(|finding| {
        let is_spread = spread.contains_key(&finding.policy);
        if is_spread {
            of_policy.entry(finding.policy).or_default().push(*finding);
        }
        !is_spread
    });
    let mut found = found;
    for (index, policy) in spread {
        let yes = of_policy.remove(&index).unwrap_or_default();
        let occasions = in_order(findings, found.remove(&index).unwrap_or_default());
        spread_policy(findings, policy, yes, &occasions);
    }
}

/// All occasions by subject, identifier and amount.
fn in_order(findings: &mut Findings, found: Vec<Found>) -> Vec<Occasion> {
    let mut all = Vec::with_capacity(found.iter().map(|found| found.rows.len()).sum());
    for found in found {
        let words = findings.words.append(&found.words);
        all.extend(found.rows.into_iter().map(|occasion| Occasion { id: words[occasion.id.index()], ..occasion }));
    }
    all.sort_unstable_by(|left, right| {
        let key = |occasion: &Occasion| (findings.words.get(occasion.id), occasion.amount);
        left.subject.cmp(&right.subject).then_with(|| key(left).cmp(&key(right)))
    });
    all.dedup_by(|later, first| (later.subject, later.id) == (first.subject, first.id));
    all
}

fn spread_policy(findings: &mut Findings, policy: &CompiledPolicy, mut yes: Vec<Finding>, occasions: &[Occasion]) {
    let limit = policy.each.as_ref().and_then(|each| each.limit).unwrap_or(usize::MAX);
    let own_amount = policy.each.as_ref().is_some_and(|each| each.has_amount);
    yes.sort_by_key(|finding| finding.subject);
    let mut rest = occasions;
    for finding in yes {
        let start = rest.partition_point(|occasion| occasion.subject < finding.subject);
        let end = start + rest[start..].partition_point(|occasion| occasion.subject == finding.subject);
        for occasion in rest[start..end].iter().take(limit) {
            let amount = if own_amount { occasion.amount.into() } else { finding.amount };
            let (member, named) = if policy.per_member { (Some(occasion.id), None) } else { (None, Some(occasion.id)) };
            let is_unknown = amount.get().is_none();
            findings.yes.push(Finding {
                occasion: named,
                member,
                amount,
                amount_unknown: (policy.has_amount || own_amount) && is_unknown,
                ..finding
            });
        }
        rest = &rest[start..];
    }
}
