//! One subject across all policies (一人一档): granted, given, unknown with the question, soon with the date, no with the nearest.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::Serialize;

use super::judge::Verdict;
use super::lack::Lacking;
use super::reason::Reason;
use crate::diagnostic::Message;
use crate::register::declaration::SubjectKind;

/// How a subject stands with a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Owed, and not given yet.
    Granted,
    /// Given already for this period.
    Given,
    /// The subject has another policy instead.
    Instead,
    /// A question or request for data would settle it.
    Unknown,
    /// Not yet, but by time alone.
    Soon,
    /// Not found, the nearest first.
    No,
    /// Not for this subject.
    Outside,
}

impl Standing {
    /// All, in the order of a page.
    pub const ALL: [Self; 7] = [Self::Granted, Self::Given, Self::Instead, Self::Unknown, Self::Soon, Self::No, Self::Outside];

    /// The heading of a page.
    #[must_use]
    pub fn heading(self) -> Message {
        match self {
            Self::Granted => Message::new("应享", "Owed"),
            Self::Given => Message::new("已享", "Given already"),
            Self::Instead => Message::new("已有另一项", "Another is given instead"),
            Self::Unknown => Message::new("待查明", "To be settled"),
            Self::Soon => Message::new("即将符合", "Soon"),
            Self::No => Message::new("目前不符合（最接近的在前）", "Not met at present (the nearest first)"),
            Self::Outside => Message::new("不适用", "Not for this subject"),
        }
    }
}

/// A payment for the period that holds the day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Payment {
    /// Decimal text.
    pub amount: String,
    /// The period, as the register has it; empty for what is given once.
    pub period: String,
    /// What for; none where the register says nothing.
    pub occasion: Option<String>,
    /// The day of payment.
    pub paid_on: String,
}

/// One policy.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// How the subject stands with it.
    pub standing: Standing,
    /// From when, for [`Standing::Soon`].
    pub from: Option<String>,
    /// How many criteria fail at least, for [`Standing::No`] and [`Standing::Soon`].
    pub failing: Option<usize>,
    /// What was paid for the period.
    pub paid: Vec<Payment>,
    /// All reasons.
    pub reason: Reason,
}

/// One subject across all policies.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// Whose.
    pub kind: SubjectKind,
    /// The identifier, masked.
    pub subject: String,
    /// The day.
    pub as_of: String,
    /// The last day up to which turns were looked for.
    pub until: String,
    /// The policies in force on the day, by standing; within one, the soonest, the nearest, else by code.
    pub entries: Vec<Entry>,
}

impl Overview {
    /// The overview of some reasons about one subject, with what was paid for the period by code of the policy.
    #[must_use]
    pub fn new(
        kind: SubjectKind,
        subject: String,
        (as_of, until): (NaiveDate, NaiveDate),
        reasons: Vec<Reason>,
        mut paid: BTreeMap<String, Vec<Payment>>,
    ) -> Self {
        let mut entries: Vec<Entry> = reasons
            .into_iter()
            .map(|mut reason| {
                // That nothing changes need not be said of each.
                if reason.turns.is_empty() && reason.until.is_some() {
                    reason.plain.pop();
                }
                let paid = paid.remove(&reason.policy).unwrap_or_default();
                entry(reason, paid)
            })
            .collect();
        entries.sort_by(|one, other| order(one).cmp(&order(other)));
        Self { kind, subject, as_of: as_of.to_string(), until: until.to_string(), entries }
    }

    /// The entries of a standing.
    pub fn of(&self, standing: Standing) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.standing == standing)
    }
}

fn order(entry: &Entry) -> (Standing, &Option<String>, Option<usize>, &str) {
    (entry.standing, &entry.from, entry.failing, &entry.reason.policy)
}

fn entry(reason: Reason, paid: Vec<Payment>) -> Entry {
    let soon = reason.turns.iter().find(|turn| turn.to == Verdict::Yes).map(|turn| turn.on.to_string());
    let standing = match reason.verdict {
        Verdict::Yes if reason.given_up_for.is_some() => Standing::Instead,
        Verdict::Yes if !paid.is_empty() => Standing::Given,
        Verdict::Yes => Standing::Granted,
        Verdict::Unknown => Standing::Unknown,
        Verdict::No if soon.is_some() => Standing::Soon,
        Verdict::No => Standing::No,
        Verdict::Outside => Standing::Outside,
    };
    let from = soon.filter(|_| standing == Standing::Soon);
    let failing = reason.lacking.as_ref().map(least);
    Entry { standing, from, failing, paid, reason }
}

/// How many criteria must at least come out otherwise.
fn least<T>(lacking: &Lacking<T>) -> usize {
    match lacking {
        Lacking::One(_) => 1,
        Lacking::All(items) => items.iter().map(least).sum(),
        Lacking::Any(items) => items.iter().map(least).min().unwrap_or(0),
        Lacking::Some { count, of } => {
            let mut each: Vec<usize> = of.iter().map(least).collect();
            each.sort_unstable();
            each.into_iter().take(*count).sum()
        }
    }
}
