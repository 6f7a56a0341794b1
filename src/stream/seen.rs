//! What the store says of some subjects, with what is on its way there laid over.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::view::part_of;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::{Batch, CaseRow, CaseStep, Live, Standing};

/// Identifiers.
pub(super) type Ids = BTreeSet<String>;

/// What stood of some identifiers, by kind and identifier.
pub(super) type Stood = BTreeMap<SubjectKind, BTreeMap<String, Vec<u8>>>;

/// Cases by the subject that they are about, each one's in the order of their identifiers.
pub(super) type CasesOf = BTreeMap<(SubjectKind, String), Vec<CaseRow>>;

/// What is on its way to the store: reads of it may not show it yet.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Without a body: nothing stands any more.
    standing: HashMap<(SubjectKind, String), Vec<u8>>,
    cases: Vec<CaseRow>,
}

impl Seen {
    /// Of a batch, as it is when it has arrived.
    pub(super) fn of(batch: &Batch) -> Self {
        let standing = batch.standing.iter().map(|standing| ((standing.kind, standing.id.clone()), standing.body.clone()));
        let case = |step: &CaseStep| CaseRow { version: step.expect + step.events.len() as u64, at: batch.at, ..step.row.clone() };
        Self { standing: standing.collect(), cases: batch.cases.iter().map(case).collect() }
    }
}

/// What stood of some identifiers.
pub(super) async fn stood(live: &dyn Live, on_its_way: Option<&Seen>, ids: &Ids) -> Result<Stood, StoreError> {
    let asked: Vec<&str> = ids.iter().map(String::as_str).collect();
    let of = |kind| live.standing(kind, &asked);
    let [person, household, entity] = SubjectKind::ALL;
    let (person, household, entity) = futures::try_join!(of(person), of(household), of(entity))?;
    let mut stood = Stood::new();
    for Standing { kind, id, body } in [person, household, entity].into_iter().flatten() {
        stood.entry(kind).or_default().insert(id, body);
    }
    let seen = on_its_way.into_iter().flat_map(|seen| &seen.standing);
    for ((kind, id), body) in seen.filter(|((_, id), _)| ids.contains(id)) {
        let of_kind = stood.entry(*kind).or_default();
        if body.is_empty() {
            of_kind.remove(id);
        } else {
            of_kind.insert(id.clone(), body.clone());
        }
    }
    Ok(stood)
}

/// The cases of some subjects.
pub(super) async fn cases_about(live: &dyn Live, on_its_way: Option<&Seen>, subjects: &Ids) -> Result<CasesOf, StoreError> {
    let asked: Vec<&str> = subjects.iter().map(String::as_str).collect();
    let mut cases = CasesOf::new();
    let read = futures::future::try_join_all(asked.chunks(part_of(asked.len())).map(|part| live.cases_about(part))).await?;
    for case in read.into_iter().flatten() {
        cases.entry((case.kind, case.subject.clone())).or_default().push(case);
    }
    let seen = on_its_way.into_iter().flat_map(|seen| &seen.cases);
    for case in seen.filter(|case| subjects.contains(&case.subject)) {
        let about = cases.entry((case.kind, case.subject.clone())).or_default();
        match about.binary_search_by(|known| known.id.cmp(&case.id)) {
            Ok(at) => about[at] = case.clone(),
            Err(at) => about.insert(at, case.clone()),
        }
    }
    Ok(cases)
}
