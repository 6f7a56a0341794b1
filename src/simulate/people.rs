//! Sampled people: for each policy and class of change a few, chosen by a hash, with the reasons of both sides.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::DataFrame;
use futures::StreamExt;

use super::analysis::kind_of;
use super::dimension::each_batch;
use super::results::{Class, Results};
use super::run::{Ground, Judged, Study};
use crate::check::catalogue::FactId;
use crate::dossier::DossierError;
use crate::eligibility::compiled::CompiledKind;
use crate::eligibility::evaluate::RowReader;
use crate::eligibility::grant::GrantId;
use crate::explain::facts::Facts;
use crate::explain::reason::{CriterionReason, ReasonNode};
use crate::explain::why::{Built, Sources, Why};
use crate::explain::{self, Known, Reason, Verdict};
use crate::register::declaration::SubjectKind;
use crate::register::identifier::mask;

/// One sampled subject in one policy.
#[derive(Debug)]
pub struct Person {
    /// In the list of policies.
    pub policy: usize,
    /// What becomes of it.
    pub class: Class,
    /// Its identifier, masked.
    pub masked: String,
    /// Sums of amounts, before and after, in hundredths.
    pub amount: [i64; 2],
    /// Why, before and after; none where the policy is not in force.
    pub reasons: [Option<Reason>; 2],
    /// Criteria whose verdict differs: what they are called, before, after.
    pub turned: Vec<(String, Verdict, Verdict)>,
}

/// Somebody who may be looked at.
#[derive(Debug, Clone)]
struct Candidate {
    rank: u128,
    kind: SubjectKind,
    subject: String,
    amount: [i64; 2],
}

/// Samples people from the policies and classes of results that are shown.
///
/// # Errors
///
/// When dossiers cannot be read again.
pub(super) async fn sample(
    study: &Study<'_>,
    judged: &Judged,
    changed: &DataFrame,
    codes: &[&str],
    results: &Results,
) -> Result<Vec<Person>, DossierError> {
    if study.people == 0 {
        return Ok(Vec::new());
    }
    let chosen = choose(study.people, changed, codes, results).await?;
    let mut people = Vec::new();
    let mut facts: Vec<HashMap<(SubjectKind, String), Facts>> = Vec::new();
    for side in 0..2 {
        facts.push(read(study, judged, side, &chosen).await?);
    }
    for ((policy, class), candidates) in &chosen {
        for candidate in candidates {
            let key = (candidate.kind, candidate.subject.clone());
            let reasons = [0, 1].map(|side: usize| reason(study, judged, side, codes[*policy], &candidate.subject, facts[side].get(&key)?));
            let turned = turned(&reasons);
            let masked = mask(&candidate.subject);
            people.push(Person { policy: *policy, class: *class, masked, amount: candidate.amount, reasons, turned });
        }
    }
    Ok(people)
}

type Chosen = BTreeMap<(usize, Class), Vec<Candidate>>;

/// The first of each policy and class, in the order of a hash: nobody's identifier decides.
async fn choose(most: usize, changed: &DataFrame, codes: &[&str], results: &Results) -> Result<Chosen, DossierError> {
    let mut chosen = Chosen::new();
    let mut stream: SendableRecordBatchStream = changed.clone().execute_stream().await?;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        let number = |name: &str| cast(batch.column_by_name(name).unwrap_or(batch.column(0)), &DataType::Int64);
        let [kinds, policies, classes, before, after] =
            [number("kind")?, number("policy")?, number("class")?, number("amount_before")?, number("amount_after")?];
        let subjects = cast(batch.column_by_name("subject").unwrap_or(batch.column(1)), &DataType::Utf8)?;
        let value = |array: &arrow::array::ArrayRef, row: usize| array.as_primitive::<Int64Type>().value(row);
        for row in 0..batch.num_rows() {
            let policy = usize::try_from(value(&policies, row)).unwrap_or(0);
            let class = usize::try_from(value(&classes, row)).ok().and_then(|class| Class::ALL.get(class).copied()).unwrap_or(Class::Same);
            if results.total(policy).is_none_or(|line| line.hidden) {
                continue;
            }
            let (kind, subject) = (kind_of(value(&kinds, row)), subjects.as_string::<i32>().value(row).to_owned());
            let rank = GrantId::of(kind, &subject, codes[policy], "", None, None).0;
            let candidates = chosen.entry((policy, class)).or_default();
            if candidates.len() == most && candidates.last().is_some_and(|last| last.rank <= rank) {
                continue;
            }
            let at = candidates.partition_point(|other| other.rank < rank);
            candidates.insert(at, Candidate { rank, kind, subject, amount: [value(&before, row), value(&after, row)] });
            candidates.truncate(most);
        }
    }
    Ok(chosen)
}

/// The facts of those chosen, as a side's dossiers have them.
async fn read(
    study: &Study<'_>,
    judged: &Judged,
    side: usize,
    chosen: &Chosen,
) -> Result<HashMap<(SubjectKind, String), Facts>, DossierError> {
    let mut all = HashMap::new();
    for compiled in &judged.compiled[side] {
        let wanted: BTreeSet<&str> =
            chosen.values().flatten().filter(|one| one.kind == compiled.kind).map(|one| one.subject.as_str()).collect();
        if wanted.is_empty() {
            continue;
        }
        let found = match (&study.ground, judged.dossiers(side)) {
            (Ground::File { file, .. }, _) => {
                let names: Vec<String> = compiled.facts.iter().map(|id| compiled.schema.columns[id.index].name.to_string()).collect();
                each_batch(file.streams(&names).await?, |batch| rows_of(compiled, batch, &wanted))?
            }
            (_, Some(dossiers)) => {
                let ids: Vec<&str> = wanted.iter().copied().collect();
                vec![rows_of(compiled, &dossiers.chosen(compiled.kind, &compiled.facts, &ids)?, &wanted)?]
            }
            (_, None) => continue,
        };
        all.extend(found.into_iter().flatten().map(|(subject, facts)| ((compiled.kind, subject), facts)));
    }
    Ok(all)
}

fn rows_of(
    compiled: &CompiledKind,
    batch: &arrow::array::RecordBatch,
    wanted: &BTreeSet<&str>,
) -> Result<Vec<(String, Facts)>, DossierError> {
    let ids = cast(batch.column(0), &DataType::Utf8)?;
    let ids = ids.as_string::<i32>();
    let rows: Vec<usize> = (0..ids.len()).filter(|&row| ids.is_valid(row) && wanted.contains(ids.value(row))).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let facts: Vec<usize> = compiled.facts.iter().map(|id| id.index).collect();
    let reader = RowReader::new(&compiled.schema, &facts, batch)?;
    let found = rows.into_iter().map(|row| (ids.value(row).to_owned(), Facts::of_row(&reader, compiled.kind, &facts, row)));
    Ok(found.collect())
}

/// The reason of one side.
fn reason(study: &Study<'_>, judged: &Judged, side: usize, code: &str, id: &str, facts: &Facts) -> Option<Reason> {
    let policy = judged.in_force[side].get(code)?;
    let binder = study.laws[side].binder(judged.as_of, &judged.in_force[side]);
    let catalogue = study.catalogue(side);
    let as_of = judged.as_of;
    let built = judged.dossiers(side).map(|dossiers| Built { dossiers, id: dossiers.intake.identities.today(id).unwrap_or(id) });
    let regions = study.laws[side].regions;
    let sources = built.as_ref().map(|deliveries| Sources { catalogue, deliveries, regions, as_of, facts });
    let cause = |fact: FactId| {
        let of_file = if facts.conflicts.contains(&fact) { Why::Conflict } else { Why::Missing };
        Some(sources.as_ref().map_or(of_file, |sources| sources.why(fact)))
    };
    let known = Known {
        value: &|fact| facts.value(fact),
        taken: &|_| matches!(study.ground, Ground::File { .. }),
        cause: &cause,
        data_day: &|register| sources.as_ref()?.data_day(register),
    };
    Some(explain::explain(catalogue, policy, &binder, known))
}

/// Criteria, by identifier, whose verdict is not the same on both sides.
fn turned(reasons: &[Option<Reason>; 2]) -> Vec<(String, Verdict, Verdict)> {
    let [Some(before), Some(after)] = reasons else { return Vec::new() };
    let (mut old, mut new) = (Vec::new(), Vec::new());
    criteria(&before.criteria, &mut old);
    criteria(&after.criteria, &mut new);
    let differing = new.into_iter().filter_map(|criterion| {
        let was = old.iter().find(|other| other.id == criterion.id).map_or(Verdict::Unknown, |other| other.verdict);
        let name = criterion.clause.clone().unwrap_or_else(|| criterion.id.clone());
        (was != criterion.verdict).then_some((name, was, criterion.verdict))
    });
    differing.collect()
}

fn criteria<'a>(node: &'a ReasonNode, found: &mut Vec<&'a CriterionReason>) {
    match node {
        ReasonNode::Criterion(criterion) => found.push(criterion),
        ReasonNode::All(group) | ReasonNode::Any(group) | ReasonNode::Not(group) | ReasonNode::AtLeast(group) => {
            group.items.iter().for_each(|item| criteria(item, found));
        }
    }
}
