//! Which missing fact, from which register, would settle how many subjects, and about how much money that is.

use std::collections::HashMap;
use std::sync::Arc;

use super::super::finding::{Cause, PolicyIdx};
use super::super::grant::{DataRequest, Resolution};
use super::missing::MissingTable;
use super::offers::OpenOf;
use super::rows::Rows;
use crate::register::declaration::SubjectKind;

/// The facts of one list of missing sets: index of the request, and whether the fact alone is one of the sets.
type Parts = Vec<(usize, bool)>;

/// Adds the requests of one kind, from all its unknowns by subject, also from those that are told only here.
pub(super) fn collect(rows: &Rows<'_>, kind: SubjectKind, open: &[OpenOf], missing: &MissingTable, resolution: &mut Resolution<'_>) {
    let mut requests = Requests { rows, missing, kind, known: HashMap::new(), list: Vec::new(), parts: Vec::new() };
    let averages: Vec<i64> = rows.policies().map(|policy| if rows.kind_of(policy) == kind { average(rows, policy) } else { 0 }).collect();
    // Per request, the subjects counted last: each subject counts once.
    let mut last: Vec<(Option<u32>, Option<u32>)> = Vec::new();
    for OpenOf { policy, open } in open {
        requests.know(open.missing);
        last.resize(requests.list.len(), (None, None));
        let Some(parts) = &requests.parts[open.missing as usize] else { continue };
        let worth = averages[*policy as usize];
        for &(request, alone) in parts {
            let entry = &mut requests.list[request];
            entry.takes_part += u64::from(last[request].0.replace(open.subject) != Some(open.subject));
            entry.estimated_part = entry.estimated_part.saturating_add(worth);
            if alone {
                entry.settles += u64::from(last[request].1.replace(open.subject) != Some(open.subject));
                entry.estimated_amount = entry.estimated_amount.saturating_add(worth);
            }
        }
    }
    resolution.data_requests.append(&mut requests.list);
}

/// Those that settle most first.
pub(super) fn sort(resolution: &mut Resolution<'_>) {
    resolution.data_requests.sort_by(|left, right| {
        let by_weight = (right.settles, right.takes_part).cmp(&(left.settles, left.takes_part));
        by_weight.then_with(|| (left.kind, &left.fact, left.cause).cmp(&(right.kind, &right.fact, right.cause)))
    });
}

/// The requests found so far.
struct Requests<'a> {
    rows: &'a Rows<'a>,
    missing: &'a MissingTable,
    kind: SubjectKind,
    known: HashMap<(Arc<str>, Cause), usize>,
    list: Vec<DataRequest>,
    /// By missing list.
    parts: Vec<Option<Parts>>,
}

impl Requests<'_> {
    /// Enters the facts of a missing list, once.
    fn know(&mut self, missing: u32) {
        let at = missing as usize;
        if self.parts.len() <= at {
            self.parts.resize(at + 1, None);
        }
        if self.parts[at].is_some() {
            return;
        }
        let mut parts: Parts = Vec::new();
        for set in &self.missing.get(missing).sets {
            for (fact, cause) in set {
                let request = self.request(fact, *cause);
                let alone = set.len() == 1;
                match parts.iter_mut().find(|(known, _)| *known == request) {
                    Some(part) => part.1 |= alone,
                    None => parts.push((request, alone)),
                }
            }
        }
        self.parts[at] = Some(parts);
    }

    fn request(&mut self, fact: &Arc<str>, cause: Cause) -> usize {
        if let Some(&at) = self.known.get(&(Arc::clone(fact), cause)) {
            return at;
        }
        let whole_register = self.rows.input.whole_register_unknown.contains(&(self.kind, Arc::clone(fact)));
        let request = DataRequest {
            kind: self.kind,
            fact: Arc::clone(fact),
            register: register_of(self.rows, self.kind, fact),
            cause,
            whole_register,
            settles: 0,
            takes_part: 0,
            estimated_amount: 0,
            estimated_part: 0,
        };
        self.list.push(request);
        self.known.insert((Arc::clone(fact), cause), self.list.len() - 1);
        self.list.len() - 1
    }
}

/// The register of a fact; a fact reached through the household is the household's.
fn register_of(rows: &Rows<'_>, kind: SubjectKind, fact: &Arc<str>) -> Option<Arc<str>> {
    let registers = rows.input.fact_registers;
    let own = registers.get(&(kind, Arc::clone(fact)));
    let of_household = || fact.strip_prefix("household.").and_then(|fact| registers.get(&(SubjectKind::Household, Arc::from(fact))));
    own.or_else(of_household).cloned()
}

/// The average of a policy's known amounts in this run, before caps and budgets, half up; 0 when it has none or is not
/// counted in money.
fn average(rows: &Rows<'_>, policy: PolicyIdx) -> i64 {
    if !rows.policy(policy).document.benefit.unit.starts_with("CNY") {
        return 0;
    }
    let mut sum = 0_i128;
    let mut subjects = 0_i128;
    let mut last = None;
    for row in &rows.all[rows.of_policy[policy as usize].clone()] {
        if let Some(amount) = rows.finding(row).amount.get() {
            sum += i128::from(amount);
            subjects += i128::from(last.replace(row.subject) != Some(row.subject));
        }
    }
    if subjects == 0 { 0 } else { i64::try_from((2 * sum + subjects).div_euclid(2 * subjects)).unwrap_or(i64::MAX) }
}
