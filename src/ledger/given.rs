//! What cases say of what is given and refused, for the next run of `match`: beside the registers, each grant once.

use std::sync::Arc;

use chrono::NaiveDate;
use hashbrown::HashMap;

use super::case::{Case, Step};
use crate::dossier::identity::Identities;
use crate::eligibility::grant::{ConflictRow, amount_text};
use crate::eligibility::input::{Paid, Payment, RefusalKind, RefusalRow, Refusals};
use crate::eligibility::texts::Word;
use crate::register::declaration::SubjectKind;

/// The payment of a case; none where it is not paid. A case that was paid without an amount counts as 0.
#[must_use]
pub fn paid(case: &Case) -> Option<Payment<'_>> {
    let grant = &case.grant;
    Some(Payment {
        kind: grant.kind,
        subject_id: &grant.subject,
        policy: &grant.policy,
        period: &grant.period,
        occasion: grant.occasion.as_deref(),
        amount: case.paid.unwrap_or(0),
        paid_on: case.paid_on?,
    })
}

/// What the subject's own word in a case means for later runs: a grant that is given once and was declined is a refusal of the
/// benefit; an objection to what a program decided alone has an official decide.
#[must_use]
pub fn refused(case: &Case) -> Vec<RefusalRow> {
    let grant = &case.grant;
    let row = |refusal| RefusalRow {
        kind: grant.kind,
        subject_id: Arc::from(grant.subject.as_str()),
        refusal,
        policy: Some(Arc::from(grant.policy.as_str())),
    };
    // Who declines the grant of one month has not declined those of all months, nor other occasions.
    let declined = case.step == Step::Declined && grant.period.is_empty() && grant.occasion.is_none();
    let mut rows = Vec::new();
    if declined {
        rows.push(row(RefusalKind::RefusedBenefit));
    }
    if case.objected && case.plan.reviews == 0 {
        rows.push(row(RefusalKind::ObjectedAutomation));
    }
    rows
}

/// One grant, as payments tell it.
type Key = (SubjectKind, String, String, String, Option<String>);

/// Payments of the ledger, by grant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payments(HashMap<Key, (i128, NaiveDate)>);

/// What cases say, gathered one by one.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// What was paid.
    pub payments: Payments,
    /// What was refused or objected to.
    pub refusals: Vec<RefusalRow>,
}

impl Said {
    /// Takes in what a case says by a day; identifiers as they are now.
    pub fn take(&mut self, case: &Case, identities: &Identities, by: NaiveDate) {
        let today = |id: &str| identities.today(id).unwrap_or(id).to_owned();
        if let Some(payment) = paid(case).filter(|payment| payment.paid_on <= by) {
            let occasion = payment.occasion.filter(|occasion| !occasion.is_empty()).map(str::to_owned);
            let key = (payment.kind, today(payment.subject_id), payment.policy.to_owned(), payment.period.to_owned(), occasion);
            let entry = self.payments.0.entry(key).or_insert((0, payment.paid_on));
            entry.0 += i128::from(payment.amount);
            entry.1 = entry.1.max(payment.paid_on);
        }
        if case.found_on <= by {
            let rows = refused(case).into_iter();
            self.refusals.extend(rows.map(|row| RefusalRow { subject_id: Arc::from(today(&row.subject_id)), ..row }));
        }
    }

    /// Puts it beside what the registers say. A grant that the register of payments has too counts once, as there; where the
    /// two differ in the amount, that is a conflict.
    pub fn beside(self, paid: &mut Paid, refusals: &mut Refusals, conflicts: &mut Vec<ConflictRow>) {
        let of_registers = sums(paid, &self.payments);
        let mut payments: Vec<(Key, (i128, NaiveDate))> = self.payments.0.into_iter().collect();
        payments.sort_unstable();
        for (key, (amount, paid_on)) in payments {
            let words = words(paid, &key);
            let registered = words.and_then(|words| of_registers.get(&words));
            let (kind, subject, policy, period, occasion) = &key;
            match registered {
                Some(registered) if *registered == amount => {}
                Some(registered) => conflicts.push(ConflictRow {
                    kind: *kind,
                    subject_id: Arc::from(subject.as_str()),
                    fact: Arc::from("amount"),
                    policy: Some(Arc::from(policy.as_str())),
                    period: Some(Arc::from(period.as_str())),
                    occasion: occasion.as_deref().map(Arc::from),
                    source: Arc::from("grants_paid"),
                    value: Arc::from(told(*registered)),
                    other_source: Arc::from("ledger"),
                    other_value: Arc::from(told(amount)),
                }),
                None => paid.push(&Payment {
                    kind: *kind,
                    subject_id: subject,
                    policy,
                    period,
                    occasion: occasion.as_deref(),
                    amount: i64::try_from(amount).unwrap_or(i64::MAX),
                    paid_on,
                }),
            }
        }
        refusals.rows.extend(self.refusals);
    }
}

fn told(amount: i128) -> String {
    amount_text(i64::try_from(amount).unwrap_or(i64::MAX))
}

/// One grant by the words of the payments: subject, policy, period, occasion.
type Words = (SubjectKind, Word, Word, Word, Option<Word>);

/// The words of a grant; none where registers know no such subject, policy, period or occasion.
fn words(paid: &Paid, (kind, subject, policy, period, occasion): &Key) -> Option<Words> {
    let occasion = match occasion {
        Some(occasion) => Some(paid.words.find(occasion)?),
        None => None,
    };
    Some((*kind, paid.subjects[*kind as usize].find(subject)?, paid.words.find(policy)?, paid.words.find(period)?, occasion))
}

/// What registers show as paid, of the grants that the ledger has.
fn sums(paid: &Paid, payments: &Payments) -> HashMap<Words, i128> {
    let mut sums: HashMap<Words, i128> = HashMap::new();
    let wanted: hashbrown::HashSet<Words> = payments.0.keys().filter_map(|key| words(paid, key)).collect();
    for row in &paid.rows {
        let key = (row.kind, row.subject, row.policy, row.period, row.occasion);
        if wanted.contains(&key) {
            *sums.entry(key).or_default() += i128::from(row.amount);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 6, day).expect("a day")
    }

    fn key(subject: &str) -> Key {
        (SubjectKind::Person, subject.to_owned(), "P".to_owned(), "2026-06".to_owned(), None)
    }

    #[test]
    fn the_same_grant_in_both_counts_once_and_a_difference_is_a_conflict() {
        let mut paid = Paid::default();
        for (subject_id, amount) in [("A", 6_000), ("A", 4_000), ("B", 5_000)] {
            let (kind, policy, period) = (SubjectKind::Person, "P", "2026-06");
            paid.push(&Payment { kind, subject_id, policy, period, occasion: None, amount, paid_on: day(1) });
        }
        let payments = [("A", 10_000), ("B", 10_000), ("C", 10_000)].map(|(subject, amount)| (key(subject), (amount, day(2))));
        let said = Said { payments: Payments(payments.into_iter().collect()), refusals: Vec::new() };
        let (mut refusals, mut conflicts) = (Refusals::default(), Vec::new());
        said.beside(&mut paid, &mut refusals, &mut conflicts);
        assert_eq!(paid.rows.len(), 4, "only what the register does not have is new");
        assert_eq!((paid.rows[3].amount, paid.subjects[0].get(paid.rows[3].subject)), (10_000, "C"));
        assert_eq!(conflicts.len(), 1);
        let conflict = &conflicts[0];
        assert_eq!((&*conflict.subject_id, &*conflict.value, &*conflict.other_value), ("B", "50.00", "100.00"));
        assert_eq!((&*conflict.source, &*conflict.other_source), ("grants_paid", "ledger"));
    }
}
