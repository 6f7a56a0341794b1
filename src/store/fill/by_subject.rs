//! What a run found of one kind of subject, by subject.

use std::collections::HashSet;

use arrow::array::StringArray;
use rayon::prelude::*;

use super::Filling;
use crate::eligibility::finding::{PolicyIdx, SubjectIdx, Subjects};
use crate::register::declaration::SubjectKind;
use crate::store::body::Layout;

/// Places in a list, by subject.
#[derive(Debug, Default)]
struct Lists {
    starts: Vec<u32>,
    places: Vec<u32>,
}

impl Lists {
    /// The entries of a list go to their subjects, in their order; entries without one are left out.
    fn new(n_subjects: usize, entries: impl Iterator<Item = Option<SubjectIdx>> + Clone) -> Self {
        let mut starts = vec![0_u32; n_subjects + 1];
        entries.clone().flatten().for_each(|subject| starts[subject as usize + 1] += 1);
        for at in 0..n_subjects {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut places = vec![0; starts[n_subjects] as usize];
        for (place, subject) in (0_u32..).zip(entries) {
            let Some(subject) = subject else { continue };
            let at = &mut next[subject as usize];
            places[*at as usize] = place;
            *at += 1;
        }
        Self { starts, places }
    }

    fn of(&self, subject: SubjectIdx) -> impl Iterator<Item = usize> + '_ {
        let range = self.starts[subject as usize] as usize..self.starts[subject as usize + 1] as usize;
        self.places[range].iter().map(|place| *place as usize)
    }
}

/// What a run found of one kind of subject.
pub(super) struct BySubject<'a> {
    subjects: &'a Subjects,
    /// Subjects by identifier.
    order: Vec<SubjectIdx>,
    next: usize,
    yes: Lists,
    grants: Lists,
    given: Lists,
    offers: Lists,
    open: Lists,
    /// Unknown verdicts one after another, with their policies.
    pub(super) all_open: Vec<(PolicyIdx, u32)>,
    /// Yes verdicts that `requires` turned.
    turned: HashSet<(PolicyIdx, SubjectIdx)>,
    /// By policy of the run, its place among those that are stored, and among those of its kind.
    places: Vec<Option<(usize, usize)>>,
    /// By list of missing facts, whether all of them are unknown for a whole register.
    told_once: Vec<bool>,
}

impl<'a> BySubject<'a> {
    pub(super) fn new(filling: &Filling<'a>, layout: &Layout, kind: SubjectKind) -> Self {
        let resolution = filling.resolution;
        let findings = resolution.findings;
        let subjects = findings.subjects_of(kind);
        let n_subjects = subjects.len();
        let is_kind = |policy: PolicyIdx| resolution.policies[policy as usize].kind == kind;
        let of_finding = |finding: u32, policy: PolicyIdx| is_kind(policy).then(|| findings.yes[finding as usize].subject);
        let mut order: Vec<SubjectIdx> = (0..u32::try_from(n_subjects).expect("a run has fewer than 2^32 subjects")).collect();
        order.par_sort_by(|one, other| subjects.id(*one).cmp(subjects.id(*other)));
        let mut all_open = Vec::new();
        let mut open_subjects = Vec::new();
        for (policy, open) in (0_u32..).zip(&resolution.open).filter(|(policy, _)| is_kind(*policy)) {
            all_open.extend(open.iter().map(|open| (policy, open.missing)));
            open_subjects.extend(open.iter().map(|open| Some(open.subject)));
        }
        let code = |policy: usize| &resolution.policies[policy].code;
        let place = |policy: usize| {
            let stored = layout.policies.binary_search(code(policy)).ok()?;
            let among = layout.of_kind[kind as usize].iter().position(|place| *place as usize == stored)?;
            Some((stored, among))
        };
        let is_whole = |fact: &std::sync::Arc<str>| filling.whole_register_unknown.contains(&(kind, fact.clone()));
        let told_once = resolution
            .missing
            .iter()
            .map(|missing| !missing.sets.is_empty() && missing.sets.iter().flatten().all(|(fact, _)| is_whole(fact)));
        Self {
            yes: Lists::new(n_subjects, findings.yes.iter().map(|finding| is_kind(finding.policy).then_some(finding.subject))),
            grants: Lists::new(n_subjects, resolution.grants.iter().map(|row| of_finding(row.finding, row.policy))),
            given: Lists::new(n_subjects, resolution.given.iter().map(|row| of_finding(row.finding, row.policy))),
            offers: Lists::new(n_subjects, resolution.offers.iter().map(|row| is_kind(row.policy).then_some(row.subject))),
            open: Lists::new(n_subjects, open_subjects.iter().copied()),
            turned: resolution
                .turns
                .iter()
                .filter(|turn| turn.was_yes && is_kind(turn.policy))
                .map(|turn| (turn.policy, turn.subject))
                .collect(),
            places: (0..resolution.policies.len()).map(place).collect(),
            told_once: told_once.collect(),
            next: 0,
            all_open,
            order,
            subjects,
        }
    }

    /// The subject of each row, where findings speak of it. Rows come in the order of identifiers, batch after batch.
    pub(super) fn places(&mut self, ids: &StringArray) -> Vec<Option<SubjectIdx>> {
        let mut find = |id: &str| {
            while self.order.get(self.next).is_some_and(|subject| self.subjects.id(*subject) < id) {
                self.next += 1;
            }
            self.order.get(self.next).copied().filter(|subject| self.subjects.id(*subject) == id)
        };
        ids.iter().map(|id| find(id.unwrap_or_default())).collect()
    }

    /// The place of a policy among those that are stored; none where results do not tell of it.
    pub(super) fn policy(&self, policy: PolicyIdx) -> Option<usize> {
        self.places[policy as usize].map(|(stored, _)| stored)
    }

    /// The same among those of the kind.
    pub(super) fn among(&self, policy: PolicyIdx) -> Option<usize> {
        self.places[policy as usize].map(|(_, among)| among)
    }

    /// Yes verdicts that `requires` left as they were, as places among the findings.
    pub(super) fn yes(&self, subject: SubjectIdx, policy_of: impl Fn(usize) -> PolicyIdx) -> impl Iterator<Item = PolicyIdx> {
        let policies = self.yes.of(subject).map(policy_of);
        policies.filter(move |policy| !self.turned.contains(&(*policy, subject)))
    }

    pub(super) fn grants(&self, subject: SubjectIdx) -> impl Iterator<Item = usize> + '_ {
        self.grants.of(subject)
    }

    pub(super) fn given(&self, subject: SubjectIdx) -> impl Iterator<Item = usize> + '_ {
        self.given.of(subject)
    }

    pub(super) fn offers(&self, subject: SubjectIdx) -> impl Iterator<Item = usize> + '_ {
        self.offers.of(subject)
    }

    /// Unknown verdicts: policy and what is missing.
    pub(super) fn open(&self, subject: SubjectIdx) -> impl Iterator<Item = (PolicyIdx, u32)> + '_ {
        self.open.of(subject).map(|place| self.all_open[place])
    }

    pub(super) fn is_told_once(&self, missing: u32) -> bool {
        self.told_once[missing as usize]
    }
}
