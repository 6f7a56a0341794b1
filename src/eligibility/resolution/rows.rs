//! The yes rows and unknown verdicts that resolution works on, sorted so that one policy and one subject lie together.

use std::ops::Range;

use hashbrown::HashMap;
use rayon::prelude::*;

use super::super::finding::{Amount, Finding, Findings, PolicyIdx, SubjectIdx, Subjects};
use super::super::grant::{Open, Turn};
use super::super::input::ResolutionInput;
use super::super::texts::Word;
use super::index;
use crate::check::CheckedPolicy;
use crate::register::declaration::SubjectKind;

/// What becomes of a yes row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing speaks against it so far.
    Stands,
    /// A required policy is a no, or unknown: no longer a yes verdict.
    NotYes,
    /// Given up for another policy.
    Excluded,
    /// The subject refused it.
    Refused,
    /// The cap leaves nothing for it.
    Capped,
    /// Paid already.
    Given,
    /// The budget leaves nothing for it.
    Waitlisted,
}

/// One finding on its way.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// Index into the findings' yes list.
    pub finding: u32,
    /// Kept here for searches.
    pub subject: SubjectIdx,
    /// After caps and allocation.
    pub amount: Amount,
    /// What becomes of it.
    pub fate: Fate,
    /// An official must decide.
    pub review: bool,
}

/// A verdict as resolution sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Yes.
    Yes,
    /// No, or not judged.
    No,
    /// With the missing sets, in the table of the run.
    Unknown(u32),
}

/// The state of resolution.
pub(super) struct Rows<'a> {
    /// The verdicts.
    pub findings: &'a Findings,
    /// What else came in.
    pub input: ResolutionInput<'a>,
    /// By policy, subject, occasion, member.
    pub all: Vec<Row>,
    /// Per policy, its rows.
    pub of_policy: Vec<Range<usize>>,
    /// Per policy, its unknowns, by subject.
    pub open: Vec<Vec<Open>>,
    /// What `requires` turned.
    pub turns: Vec<Turn>,
    /// Policies by code.
    pub by_code: HashMap<&'a str, PolicyIdx>,
    /// Households by identifier; filled when a policy needs it.
    households: HashMap<&'a str, SubjectIdx>,
}

impl<'a> Rows<'a> {
    /// The rows of a run, sorted.
    pub(super) fn new(findings: &'a Findings, input: &ResolutionInput<'a>) -> Self {
        let (all, of_policy) = sorted(findings, input.policies.len());
        let mut open = vec![Vec::new(); input.policies.len()];
        for unknown in &findings.unknown {
            open[unknown.policy as usize].push(Open { subject: unknown.subject, missing: unknown.missing });
        }
        open.par_iter_mut().filter(|open| !open.is_sorted_by_key(|unknown| unknown.subject)).for_each(|open| {
            open.sort_unstable_by_key(|unknown| unknown.subject);
        });
        let by_code = input.policies.iter().enumerate().map(|(at, policy)| (policy.document.code.as_str(), index(at))).collect();
        let mut rows = Self { findings, input: *input, all, of_policy, open, turns: Vec::new(), by_code, households: HashMap::new() };
        rows.know_households();
        rows
    }

    fn know_households(&mut self) {
        let crosses = |policy: &CheckedPolicy| {
            let others = policy.document.requires.iter().map(|(code, _)| code).chain(policy.document.excludes.iter().map(|it| &it.policy));
            let mut kinds = others.filter_map(|code| self.by_code.get(code.as_str())).map(|&other| self.kind_of(other));
            kinds.any(|kind| kind != policy.document.subject)
        };
        if self.input.policies.iter().any(crosses) {
            let ids = self.findings.subjects_of(SubjectKind::Household).ids();
            self.households = ids.iter().enumerate().map(|(at, id)| (id, index(at))).collect();
        }
    }

    /// The policy at an index.
    pub(super) fn policy(&self, policy: PolicyIdx) -> &'a CheckedPolicy {
        &self.input.policies[policy as usize]
    }

    /// Who is judged by a policy.
    pub(super) fn kind_of(&self, policy: PolicyIdx) -> SubjectKind {
        self.policy(policy).document.subject
    }

    /// The subjects of a policy.
    pub(super) fn subjects(&self, policy: PolicyIdx) -> &'a Subjects {
        self.findings.subjects_of(self.kind_of(policy))
    }

    /// All policies of the run.
    pub(super) fn policies(&self) -> std::ops::Range<PolicyIdx> {
        0..index(self.input.policies.len())
    }

    /// The finding of a row.
    pub(super) fn finding(&self, row: &Row) -> &'a Finding {
        &self.findings.yes[row.finding as usize]
    }

    /// What a row is for.
    pub(super) fn occasion(&self, row: &Row) -> Option<&'a str> {
        self.findings.word(self.finding(row).occasion)
    }

    /// The identifier of a policy's subject.
    pub(super) fn id(&self, policy: PolicyIdx, subject: SubjectIdx) -> &'a str {
        self.subjects(policy).id(subject)
    }

    /// The household of a policy's subject: a household's own identifier, a person's household where known.
    pub(super) fn household(&self, policy: PolicyIdx, subject: SubjectIdx) -> Option<&'a str> {
        match self.kind_of(policy) {
            SubjectKind::Person => self.subjects(policy).household(subject),
            SubjectKind::Household => Some(self.id(policy, subject)),
            SubjectKind::Entity => None,
        }
    }

    /// The rows of one policy and subject.
    pub(super) fn of_subject(&self, policy: PolicyIdx, subject: SubjectIdx) -> Range<usize> {
        let range = self.of_policy[policy as usize].clone();
        let rows = &self.all[range.clone()];
        let start = range.start + rows.partition_point(|row| row.subject < subject);
        let more = self.all[start..range.end].iter().take_while(|row| row.subject == subject).count();
        start..start + more
    }

    /// The rows of a policy, one range per subject, by subject.
    pub(super) fn groups(&self, policy: PolicyIdx) -> Vec<Range<usize>> {
        self.split(self.of_policy[policy as usize].clone(), |left, right| left.subject == right.subject)
    }

    /// The rows of a policy, one range per subject and occasion: what is given or not as a whole.
    pub(super) fn units(&self, policy: PolicyIdx) -> Vec<Range<usize>> {
        self.split(self.of_policy[policy as usize].clone(), |left, right| {
            left.subject == right.subject && self.finding(left).occasion == self.finding(right).occasion
        })
    }

    fn split(&self, range: Range<usize>, same: impl Fn(&Row, &Row) -> bool) -> Vec<Range<usize>> {
        let mut start = range.start;
        let chunks = self.all[range].chunk_by(same);
        chunks
            .map(|chunk| {
                let range = start..start + chunk.len();
                start = range.end;
                range
            })
            .collect()
    }

    /// Subjects of a policy with a yes row that still stands, sorted, each once.
    pub(super) fn standing(&self, policy: PolicyIdx) -> Vec<SubjectIdx> {
        let rows = &self.all[self.of_policy[policy as usize].clone()];
        let mut subjects: Vec<SubjectIdx> = rows.iter().filter(|row| row.fate == Fate::Stands).map(|row| row.subject).collect();
        subjects.dedup();
        subjects
    }

    /// The verdict of a policy on a subject of its own kind.
    pub(super) fn verdict(&self, policy: PolicyIdx, subject: SubjectIdx) -> Verdict {
        if self.all[self.of_subject(policy, subject)].iter().any(|row| row.fate == Fate::Stands) {
            return Verdict::Yes;
        }
        let open = &self.open[policy as usize];
        match open.binary_search_by_key(&subject, |unknown| unknown.subject) {
            Ok(at) => Verdict::Unknown(open[at].missing),
            Err(_) => Verdict::No,
        }
    }

    /// The place of a person's household among the households of the run. `Err` when the household itself is unknown;
    /// none when nothing was found for it.
    pub(super) fn household_idx(&self, person: SubjectIdx) -> Result<Option<SubjectIdx>, ()> {
        let household = self.findings.subjects_of(SubjectKind::Person).household(person).ok_or(())?;
        Ok(self.households.get(household).copied())
    }

    /// Gives a range of rows that still stand another fate.
    pub(super) fn turn(&mut self, range: Range<usize>, fate: Fate) {
        for row in self.all[range].iter_mut().filter(|row| row.fate == Fate::Stands) {
            row.fate = fate;
        }
    }

    /// Sends a range of rows to an official.
    pub(super) fn review(&mut self, range: Range<usize>) {
        for row in &mut self.all[range] {
            row.review = true;
        }
    }
}

/// The rows of all findings by policy, subject, occasion, member, amount and place, and the rows of each policy.
fn sorted(findings: &Findings, n_policies: usize) -> (Vec<Row>, Vec<Range<usize>>) {
    // How many rows stand before those of each policy.
    let mut starts = vec![0_usize; n_policies + 1];
    findings.yes.iter().for_each(|finding| starts[finding.policy as usize + 1] += 1);
    for policy in 0..n_policies {
        starts[policy + 1] += starts[policy];
    }
    let of_policy: Vec<Range<usize>> = starts.windows(2).map(|pair| pair[0]..pair[1]).collect();
    let mut order = vec![0_u32; findings.yes.len()];
    for (at, finding) in findings.yes.iter().enumerate() {
        let place = &mut starts[finding.policy as usize];
        order[*place] = index(at);
        *place += 1;
    }
    let ranks = findings.words.ranks();
    let rank = |word: Option<Word>| word.map(|word| ranks[word.index()]);
    let key = |at: u32| {
        let finding = &findings.yes[at as usize];
        (finding.subject, rank(finding.occasion), rank(finding.member), finding.amount, at)
    };
    let mut rest = order.as_mut_slice();
    let mut slices = Vec::with_capacity(n_policies);
    for range in &of_policy {
        let (slice, others) = rest.split_at_mut(range.len());
        slices.push(slice);
        rest = others;
    }
    // Dossiers come by subject: most policies are in order already.
    slices.into_par_iter().filter(|slice| !slice.is_sorted_by_key(|at| key(*at))).for_each(|slice| {
        slice.par_sort_unstable_by_key(|at| key(*at));
    });
    let row = |at: u32| {
        let finding = &findings.yes[at as usize];
        Row { finding: at, subject: finding.subject, amount: finding.amount, fate: Fate::Stands, review: finding.amount_unknown }
    };
    (order.into_par_iter().map(row).collect(), of_policy)
}
