//! The reverse: what happens to people and money when a register stops, or comes late.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use super::holdings::{Holding, OfPolicy};
use crate::diagnostic::Message;
use crate::register::declaration::SubjectKind;

/// What becomes of the people of one policy, against today. Subjects are of the policy's kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Subjects who have it today and would not be found.
    pub lost: u64,
    /// Those of them whose verdict would be unknown: what is lost is seen to be lost. The others would go unnoticed.
    pub lost_unknown: u64,
    /// Subjects who do not have it today and would be found.
    pub gained: u64,
    /// Subjects who would still be found, but with an amount that is not known.
    pub unpriced: u64,
    /// Subjects who would still be found, but whose grant an official would have to decide on.
    pub to_review: u64,
    /// Subjects who would be given what is given already.
    pub given_again: u64,
    /// Unknown verdicts today.
    pub unknown_before: u64,
    /// Unknown verdicts then.
    pub unknown_after: u64,
    /// What would not be paid this month, in hundredths of a yuan.
    pub month_lost: i64,
    /// What would not be paid in a year, in hundredths of a yuan.
    pub year_lost: i64,
    /// What would be paid more this month, in hundredths of a yuan.
    pub month_gained: i64,
    /// What would be paid more in a year, in hundredths of a yuan.
    pub year_gained: i64,
    /// What would be given once more, in hundredths of a yuan.
    pub amount_again: i64,
}

impl Change {
    /// Whether anything changes.
    #[must_use]
    pub fn is_any(&self) -> bool {
        let unchanged = Self { unknown_before: self.unknown_before, unknown_after: self.unknown_before, ..Self::default() };
        *self != unchanged
    }

    /// Both together.
    pub(super) fn add(&mut self, more: &Self) {
        for (sum, more) in [
            (&mut self.lost, more.lost),
            (&mut self.lost_unknown, more.lost_unknown),
            (&mut self.gained, more.gained),
            (&mut self.unpriced, more.unpriced),
            (&mut self.to_review, more.to_review),
            (&mut self.given_again, more.given_again),
            (&mut self.unknown_before, more.unknown_before),
            (&mut self.unknown_after, more.unknown_after),
        ] {
            *sum += more;
        }
        for (sum, more) in [
            (&mut self.month_lost, more.month_lost),
            (&mut self.year_lost, more.year_lost),
            (&mut self.month_gained, more.month_gained),
            (&mut self.year_gained, more.year_gained),
            (&mut self.amount_again, more.amount_again),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

/// What becomes of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyChange {
    /// Code.
    pub policy: Arc<str>,
    /// Name.
    pub name: Message,
    /// Whose.
    pub kind: SubjectKind,
    /// Whether it reads the register itself; else it hangs on a policy that does.
    pub reads: bool,
    /// What changes.
    #[serde(flatten)]
    pub change: Change,
}

/// How many subjects, by kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ByKind {
    /// Persons.
    pub person: u64,
    /// Households.
    pub household: u64,
    /// Entities.
    pub entity: u64,
}

impl ByKind {
    /// The number of a kind.
    #[must_use]
    pub fn of(&self, kind: SubjectKind) -> u64 {
        match kind {
            SubjectKind::Person => self.person,
            SubjectKind::Household => self.household,
            SubjectKind::Entity => self.entity,
        }
    }

    fn of_sets(sets: &[BTreeSet<u32>; 3]) -> Self {
        let count = |kind: SubjectKind| sets[kind as usize].len() as u64;
        Self { person: count(SubjectKind::Person), household: count(SubjectKind::Household), entity: count(SubjectKind::Entity) }
    }
}

/// What happens when a register stops or comes late.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// Subjects who would lose one policy or more, each once.
    pub losing: ByKind,
    /// All policies together; a subject counts once in each.
    pub total: Change,
    /// The policies that anything changes in, by code.
    pub policies: Vec<PolicyChange>,
}

/// What becomes of everybody, policy by policy.
pub(super) fn effect(before: &[OfPolicy], after: &[OfPolicy], named: impl Fn(usize) -> Option<NamedPolicy>) -> Effect {
    let mut effect = Effect::default();
    let mut losing: [BTreeSet<u32>; 3] = Default::default();
    for (at, (before, after)) in before.iter().zip(after).enumerate() {
        let (Some(kind), Some(NamedPolicy { policy, name, reads })) = (before.kind, named(at)) else { continue };
        let change = change(before, after, |subject| {
            losing[kind as usize].insert(subject);
        });
        effect.total.add(&change);
        if change.is_any() {
            effect.policies.push(PolicyChange { policy, name, kind, reads, change });
        }
    }
    effect.losing = ByKind::of_sets(&losing);
    effect
}

/// How effects name a policy.
pub(super) struct NamedPolicy {
    pub(super) policy: Arc<str>,
    pub(super) name: Message,
    pub(super) reads: bool,
}

fn change(before: &OfPolicy, after: &OfPolicy, mut loses: impl FnMut(u32)) -> Change {
    let mut change = Change { unknown_before: before.unknown.len() as u64, unknown_after: after.unknown.len() as u64, ..Change::default() };
    let mut then = after.have.iter().peekable();
    for now in &before.have {
        while let Some(gained) = then.next_if(|then| then.subject < now.subject) {
            change.gain(gained);
        }
        match then.next_if(|then| then.subject == now.subject) {
            Some(then) => change.keep(now, then),
            None => {
                loses(now.subject);
                change.lose(now, after.unknown.binary_search(&now.subject).is_ok());
            }
        }
    }
    then.for_each(|gained| change.gain(gained));
    change
}

impl Change {
    fn lose(&mut self, now: &Holding, is_unknown: bool) {
        self.lost += 1;
        self.lost_unknown += u64::from(is_unknown);
        self.month_lost = self.month_lost.saturating_add(now.month);
        self.year_lost = self.year_lost.saturating_add(now.year);
    }

    fn gain(&mut self, then: &Holding) {
        self.gained += 1;
        self.month_gained = self.month_gained.saturating_add(then.month);
        self.year_gained = self.year_gained.saturating_add(then.year);
    }

    fn keep(&mut self, now: &Holding, then: &Holding) {
        self.unpriced += u64::from(now.priced && !then.priced);
        self.to_review += u64::from(!now.review && then.review);
        if now.given && !then.given {
            self.given_again += 1;
            self.amount_again = self.amount_again.saturating_add(now.amount);
            return;
        }
        let (month, year) = (then.month.saturating_sub(now.month), then.year.saturating_sub(now.year));
        self.month_lost = self.month_lost.saturating_add((-month).max(0));
        self.month_gained = self.month_gained.saturating_add(month.max(0));
        self.year_lost = self.year_lost.saturating_add((-year).max(0));
        self.year_gained = self.year_gained.saturating_add(year.max(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(subject: u32, month: i64) -> Holding {
        Holding { subject, month, year: month * 12, amount: month, priced: true, given: false, review: false }
    }

    fn of(have: &[Holding], unknown: &[u32]) -> OfPolicy {
        OfPolicy { kind: Some(SubjectKind::Person), have: have.to_vec(), unknown: unknown.to_vec() }
    }

    #[track_caller]
    fn check(before: &OfPolicy, after: &OfPolicy, expect: Change, loses: &[u32]) {
        let mut losing = Vec::new();
        let found = change(before, after, |subject| losing.push(subject));
        assert_eq!((found, losing.as_slice()), (expect, loses));
    }

    #[test]
    fn nothing_changes() {
        let same = of(&[has(1, 100), has(3, 50)], &[2]);
        let expect = Change { unknown_before: 1, unknown_after: 1, ..Change::default() };
        check(&same, &same, expect, &[]);
        assert!(!expect.is_any());
        assert!(Change { unknown_after: 2, ..expect }.is_any());
    }

    #[test]
    fn who_is_lost_is_unknown_or_not_noticed() {
        let before = of(&[has(1, 100), has(3, 50), has(5, 10)], &[]);
        let after = of(&[has(3, 50)], &[1]);
        let expect = Change { lost: 2, lost_unknown: 1, unknown_after: 1, month_lost: 110, year_lost: 1320, ..Change::default() };
        check(&before, &after, expect, &[1, 5]);
    }

    #[test]
    fn gains_before_between_and_behind() {
        let before = of(&[has(3, 50)], &[]);
        let after = of(&[has(1, 1), has(3, 70), has(9, 2)], &[]);
        check(&before, &after, Change { gained: 2, month_gained: 23, year_gained: 276, ..Change::default() }, &[]);
    }

    #[test]
    fn kept_without_amount_or_for_review() {
        let before = of(&[has(1, 100), has(2, 100)], &[]);
        let after = of(&[Holding { priced: false, month: 0, year: 0, review: true, ..has(1, 100) }, has(2, 100)], &[]);
        let expect = Change { unpriced: 1, to_review: 1, month_lost: 100, year_lost: 1200, ..Change::default() };
        check(&before, &after, expect, &[]);
    }

    #[test]
    fn what_is_given_is_given_again() {
        let before = of(&[Holding { given: true, month: 0, ..has(1, 100) }], &[]);
        check(&before, &of(&[has(1, 100)], &[]), Change { given_again: 1, amount_again: 100, ..Change::default() }, &[]);
    }
}
