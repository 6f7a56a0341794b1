//! The months to come: who has what on the last day of each, who enters and leaves, and the money that the month takes.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;

use super::results::MonthLine;
use super::rows::{self, GIVEN, GRANTED};
use crate::check::CheckedPolicy;
use crate::eligibility::grant::Resolution;
use crate::policy::document::Period;
use crate::register::declaration::SubjectKind;

/// Somebody enters or leaves a policy: has it at the end of a month and did not a month before, or the reverse.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Event {
    /// The day that the month is judged on.
    pub day: NaiveDate,
    /// 0 before, 1 after.
    pub side: usize,
    /// In the list of policies.
    pub policy: usize,
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject: String,
    /// Enters, or leaves.
    pub enters: bool,
}

/// What was seen of the months so far.
#[derive(Debug, Default)]
pub struct Forecast {
    /// By side and policy, who has it on the day looked at last.
    present: [HashMap<usize, HashSet<Box<str>>>; 2],
    /// By side, grants for a year or once that fell due already.
    due: [HashSet<u128>; 2],
    begun: [bool; 2],
    policies: usize,
    months: Vec<MonthLine>,
    events: Vec<Event>,
}

/// What one policy comes to in a month.
#[derive(Default)]
struct Month {
    subjects: HashSet<Box<str>>,
    money: i64,
}

impl Forecast {
    /// Nothing seen, of so many policies.
    #[must_use]
    pub fn new(policies: usize) -> Self {
        Self { policies, ..Self::default() }
    }

    /// Looks at a side on a day; days come in order. `places` are the policies of the side in the list of all.
    pub fn enter(&mut self, side: usize, resolution: &Resolution<'_>, policies: &[CheckedPolicy], places: &[u32], day: NaiveDate) {
        let mut found: HashMap<usize, Month> = HashMap::new();
        for row in rows::each(resolution, policies, day).filter(|row| row.status == GRANTED || row.status == GIVEN) {
            let policy = places[row.grant.policy as usize] as usize;
            let month = found.entry(policy).or_default();
            let subject = row.grant.subject_id(resolution);
            if !month.subjects.contains(subject) {
                month.subjects.insert(subject.into());
            }
            let falls_due = match policies[row.grant.policy as usize].document.benefit.period {
                Period::Month | Period::Day => true,
                // Registers of today do not know what the months before have given.
                Period::Year | Period::Once => row.status == GRANTED && self.due[side].insert(identity(&row, resolution)),
            };
            if falls_due {
                month.money = month.money.saturating_add(row.month);
            }
        }
        let kinds: HashMap<usize, SubjectKind> =
            places.iter().zip(policies).map(|(place, policy)| (*place as usize, policy.document.subject)).collect();
        self.compare(side, day, found, &kinds);
        self.begun[side] = true;
    }

    fn compare(&mut self, side: usize, day: NaiveDate, mut found: HashMap<usize, Month>, kinds: &HashMap<usize, SubjectKind>) {
        let mut all = MonthLine { day, side, policy: None, subjects: 0, enter: 0, leave: 0, money: 0, hidden: false };
        for policy in 0..self.policies {
            let month = found.remove(&policy).unwrap_or_default();
            let before = self.present[side].remove(&policy).unwrap_or_default();
            let kind =
                kinds.get(&policy).copied().or_else(|| self.events.iter().find(|event| event.policy == policy).map(|event| event.kind));
            let (mut enter, mut leave) = (0, 0);
            if self.begun[side] {
                let kind = kind.unwrap_or(SubjectKind::Person);
                let mut event = |subject: &str, enters| {
                    self.events.push(Event { day, side, policy, kind, subject: subject.to_owned(), enters });
                };
                for subject in month.subjects.difference(&before) {
                    enter += 1;
                    event(subject, true);
                }
                for subject in before.difference(&month.subjects) {
                    leave += 1;
                    event(subject, false);
                }
            }
            let subjects = month.subjects.len() as u64;
            all.subjects += subjects;
            all.enter += enter;
            all.leave += leave;
            all.money = all.money.saturating_add(month.money);
            if subjects + leave > 0 {
                let policy = Some(policy);
                self.months.push(MonthLine { day, side, policy, subjects, enter, leave, money: month.money, hidden: false });
            }
            self.present[side].insert(policy, month.subjects);
        }
        self.months.push(all);
    }
}

fn identity(row: &rows::Row, resolution: &Resolution<'_>) -> u128 {
    row.grant.grant_id(resolution).0
}

/// Lines by day, side and policy (all together last), and who enters and leaves, sorted.
#[must_use]
pub fn finish(forecast: Forecast) -> (Vec<MonthLine>, Vec<Event>) {
    let Forecast { mut months, mut events, .. } = forecast;
    months.sort_by_key(|line| (line.day, line.side, line.policy.is_none(), line.policy));
    events.sort();
    (months, events)
}
