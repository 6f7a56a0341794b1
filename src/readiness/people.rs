//! The people of each policy, as the run found them: who is found, who is unknown and for want of what.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::check::CheckedPolicy;
use crate::eligibility::finding::{Findings, MissingSets, PolicyIdx, SubjectIdx};
use crate::eligibility::grant::{Resolution, Status};

/// Counts of one policy over the whole run. Subjects are of the policy's kind, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct People {
    /// Subjects who are a yes.
    pub yes: u64,
    /// Subjects who are a no.
    pub no: u64,
    /// Subjects of whom it cannot be told.
    pub unknown: u64,
    /// Unknown subjects whose word for facts in `commit` would settle it.
    pub committable: u64,
    /// Subjects with a grant whose amount is not known.
    pub unpriced: u64,
    /// Subjects with a grant that nobody is known to receive in their stead.
    pub without_payee: u64,
    /// Unknown subjects of whom no fact could make a yes: a standard is lacking, or a quotient has no value.
    pub beyond_facts: u64,
    /// The average of the known amounts of a subject, before caps and budgets, in hundredths of a yuan; none where no
    /// amount is known or it is not counted in money.
    pub average: Option<i64>,
}

impl People {
    /// Subjects of whom something is not known: the verdict, the amount or who receives it.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.unknown + self.unpriced + self.without_payee
    }

    /// Subjects who are found or may be.
    #[must_use]
    pub fn may_be_owed(&self) -> u64 {
        self.yes + self.unknown
    }
}

/// How many unknown subjects of one policy lack the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// What they lack, in [`Resolution::missing`].
    pub missing: u32,
    /// How many they are.
    pub subjects: u64,
    /// Whether their word would settle it.
    pub committable: bool,
}

/// The people of all policies of a run, and by policy what the unknown ones lack. All unknown verdicts must be among
/// [`Resolution::unknowns`]: none told once for a whole register.
#[must_use]
pub fn count(resolution: &Resolution<'_>, policies: &[CheckedPolicy]) -> Vec<(People, Vec<Gap>)> {
    let mut all = vec![People::default(); policies.len()];
    for row in &resolution.coverage {
        let people = &mut all[row.policy as usize];
        people.yes += row.yes;
        people.no += row.no;
        people.unknown += row.unknown;
    }
    let mut seen = Seen { last: vec![[None; 2]; policies.len()] };
    for grant in resolution.grants.iter().filter(|grant| grant.status != Status::Refused) {
        let (policy, finding) = (grant.policy as usize, grant.finding(resolution));
        let mut add = |what: usize, holds: bool, count: &mut u64| *count += u64::from(holds && seen.is_new(policy, what, finding.subject));
        add(0, finding.amount_unknown, &mut all[policy].unpriced);
        add(1, grant.payee_id(resolution).is_none(), &mut all[policy].without_payee);
    }
    let mut gaps: Vec<BTreeMap<u32, u64>> = vec![BTreeMap::new(); policies.len()];
    for unknown in &resolution.unknowns {
        *gaps[unknown.policy as usize].entry(unknown.missing).or_default() += 1;
    }
    let averages = averages(resolution.findings, policies);
    let gaps = gaps.into_iter().zip(policies).map(|(gaps, policy)| {
        let gap = |(missing, subjects): (u32, u64)| Gap {
            missing,
            subjects,
            committable: is_committable(&resolution.missing[missing as usize], policy),
        };
        gaps.into_iter().map(gap).collect::<Vec<Gap>>()
    });
    all.into_iter()
        .zip(gaps)
        .zip(averages)
        .map(|((people, gaps), average)| {
            let of = |wanted: &dyn Fn(&Gap) -> bool| gaps.iter().filter(|gap| wanted(gap)).map(|gap| gap.subjects).sum();
            let committable = of(&|gap| gap.committable);
            let beyond_facts = of(&|gap| resolution.missing[gap.missing as usize].sets.is_empty());
            (People { committable, beyond_facts, average, ..people }, gaps)
        })
        .collect()
}

/// By policy and what is counted, the subject counted last: rows of one subject and policy stand together.
struct Seen {
    last: Vec<[Option<SubjectIdx>; 2]>,
}

impl Seen {
    fn is_new(&mut self, policy: usize, what: usize, subject: SubjectIdx) -> bool {
        self.last[policy][what].replace(subject) != Some(subject)
    }
}

/// Whether one of the sets holds only facts that the policy lets a subject commit to.
fn is_committable(missing: &MissingSets, policy: &CheckedPolicy) -> bool {
    let may_commit = |fact: &str| policy.document.commit.iter().any(|(name, _)| name == fact);
    missing.sets.iter().any(|set| !set.is_empty() && set.iter().all(|(fact, _)| may_commit(fact)))
}

/// By policy, the average of the known amounts of a subject, half up.
fn averages(findings: &Findings, policies: &[CheckedPolicy]) -> Vec<Option<i64>> {
    let mut sums: Vec<(i128, Vec<SubjectIdx>)> = vec![(0, Vec::new()); policies.len()];
    for finding in &findings.yes {
        if let Some(amount) = finding.amount.get() {
            let (sum, subjects) = &mut sums[finding.policy as usize];
            *sum += i128::from(amount);
            subjects.push(finding.subject);
        }
    }
    let average = |(policy, (sum, mut subjects)): (PolicyIdx, (i128, Vec<SubjectIdx>))| {
        subjects.sort_unstable();
        subjects.dedup();
        let count = i128::try_from(subjects.len()).unwrap_or(i128::MAX);
        let is_money = policies[policy as usize].document.benefit.unit.starts_with("CNY");
        (is_money && count > 0).then(|| i64::try_from((2 * sum + count).div_euclid(2 * count)).unwrap_or(i64::MAX))
    };
    (0..).zip(sums).map(average).collect()
}
