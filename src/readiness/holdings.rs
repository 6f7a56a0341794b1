//! Who has what of each policy, and of whom it is unknown: what two runs over the same people are compared by.

use std::collections::HashMap;

use chrono::NaiveDate;

use crate::check::CheckedPolicy;
use crate::dossier::Dossiers;
use crate::eligibility::grant::Resolution;
use crate::policy::document::Mode;
use crate::register::declaration::SubjectKind;
use crate::simulate::rows::{self, GIVEN, GRANTED};

/// What one subject has of one policy: a grant to be delivered, or one given already; several count as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// The number of the subject among its kind.
    pub subject: u32,
    /// What falls due in the month of the day, in hundredths of a yuan.
    pub month: i64,
    /// What it comes to in a year, in hundredths of a yuan.
    pub year: i64,
    /// The amount for the policy's period, in hundredths of a yuan.
    pub amount: i64,
    /// Whether the amount is known, or there is none to be known.
    pub priced: bool,
    /// Whether it is given already.
    pub given: bool,
    /// Whether an official must decide.
    pub review: bool,
}

/// Who has what of one policy, and of whom it is unknown. Sorted by subject, each once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfPolicy {
    /// Whom the policy is about.
    pub kind: Option<SubjectKind>,
    /// Who has it.
    pub have: Vec<Holding>,
    /// Of whom it is unknown.
    pub unknown: Vec<u32>,
}

/// The numbers of subjects, by kind: their places among those that dossiers list; others come behind.
pub struct Numbers<'a> {
    dossiers: &'a Dossiers,
    others: HashMap<(SubjectKind, String), u32>,
}

impl<'a> Numbers<'a> {
    /// Numbers by the places that these dossiers give.
    #[must_use]
    pub fn new(dossiers: &'a Dossiers) -> Self {
        Self { dossiers, others: HashMap::new() }
    }

    fn of(&mut self, kind: SubjectKind, id: &str) -> u32 {
        if let Some(place) = self.dossiers.place(kind, id) {
            return place;
        }
        // Numbers from above: places count from below.
        let next = u32::MAX - u32::try_from(self.others.len()).unwrap_or(u32::MAX);
        *self.others.entry((kind, id.to_owned())).or_insert(next)
    }
}

/// Who has what, by policy. All unknown verdicts must be among [`Resolution::unknowns`].
#[must_use]
pub fn holdings(resolution: &Resolution<'_>, policies: &[CheckedPolicy], as_of: NaiveDate, numbers: &mut Numbers<'_>) -> Vec<OfPolicy> {
    let mut all: Vec<OfPolicy> =
        policies.iter().map(|policy| OfPolicy { kind: Some(policy.document.subject), ..OfPolicy::default() }).collect();
    for row in rows::each(resolution, policies, as_of).filter(|row| matches!(row.status, GRANTED | GIVEN)) {
        let policy = row.grant.policy as usize;
        let document = &policies[policy].document;
        let amount = if document.benefit.unit.starts_with("CNY") { row.grant.amount.get().unwrap_or(0) } else { 0 };
        all[policy].have.push(Holding {
            subject: numbers.of(document.subject, row.grant.subject_id(resolution)),
            month: row.month,
            year: row.year,
            amount,
            priced: !row.grant.finding(resolution).amount_unknown,
            given: row.status == GIVEN,
            review: row.status == GRANTED && row.grant.mode == Mode::Review,
        });
    }
    for unknown in &resolution.unknowns {
        let kind = policies[unknown.policy as usize].document.subject;
        let id = resolution.subjects(unknown.policy).id(unknown.subject);
        all[unknown.policy as usize].unknown.push(numbers.of(kind, id));
    }
    for of_policy in &mut all {
        of_policy.have.sort_by_key(|holding| holding.subject);
        of_policy.have.dedup_by(|later, first| {
            let same = later.subject == first.subject;
            if same {
                *first = first.and(later);
            }
            same
        });
        of_policy.unknown.sort_unstable();
        of_policy.unknown.dedup();
    }
    all
}

impl Holding {
    /// Both as one; given only where both are.
    fn and(&self, other: &Self) -> Self {
        Self {
            subject: self.subject,
            month: self.month.saturating_add(other.month),
            year: self.year.saturating_add(other.year),
            amount: self.amount.saturating_add(other.amount),
            priced: self.priced && other.priced,
            given: self.given && other.given,
            review: self.review || other.review,
        }
    }
}
