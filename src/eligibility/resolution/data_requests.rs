//! Which missing fact, from which register, would settle how many subjects, and about how much money that is.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;

use super::super::finding::{Cause, PolicyIdx};
use super::super::grant::{DataRequest, Resolution};
use super::missing::MissingTable;
use super::rows::Rows;
use crate::register::declaration::SubjectKind;

/// The facts of one list of missing sets: index of the request, and whether the fact alone is one of the sets.
type Parts = Vec<(usize, bool)>;

/// Fills the requests from all unknowns, also from those that are told only here.
pub(super) fn collect(rows: &Rows<'_>, missing: &MissingTable, resolution: &mut Resolution) {
    let mut requests = Requests { rows, missing, known: HashMap::new(), list: Vec::new(), parts: vec![HashMap::new(); 3] };
    let averages: Vec<i64> = rows.policies().map(|policy| average(rows, policy)).collect();
    for kind in SubjectKind::ALL {
        let mut open: Vec<(u32, PolicyIdx, u32)> = Vec::new();
        for policy in rows.policies().filter(|&policy| rows.kind_of(policy) == kind) {
            open.extend(rows.open[policy as usize].iter().map(|unknown| (unknown.subject, policy, unknown.missing)));
        }
        open.par_sort_unstable();
        // Per request, the subjects counted last: each subject counts once.
        let mut last: Vec<(Option<u32>, Option<u32>)> = Vec::new();
        for (subject, policy, missing) in open {
            requests.know(kind, missing);
            last.resize(requests.list.len(), (None, None));
            for &(request, alone) in &requests.parts[kind as usize][&missing] {
                let entry = &mut requests.list[request];
                let worth = averages[policy as usize];
                entry.takes_part += u64::from(last[request].0.replace(subject) != Some(subject));
                entry.estimated_part = entry.estimated_part.saturating_add(worth);
                if alone {
                    entry.settles += u64::from(last[request].1.replace(subject) != Some(subject));
                    entry.estimated_amount = entry.estimated_amount.saturating_add(worth);
                }
            }
        }
    }
    let mut list = requests.list;
    list.sort_by(|left, right| {
        let by_weight = (right.settles, right.takes_part).cmp(&(left.settles, left.takes_part));
        by_weight.then_with(|| (left.kind, &left.fact, left.cause).cmp(&(right.kind, &right.fact, right.cause)))
    });
    resolution.data_requests = list;
}

/// The requests found so far.
struct Requests<'a> {
    rows: &'a Rows<'a>,
    missing: &'a MissingTable,
    known: HashMap<(SubjectKind, Arc<str>, Cause), usize>,
    list: Vec<DataRequest>,
    /// Per kind, by missing list.
    parts: Vec<HashMap<u32, Parts>>,
}

impl Requests<'_> {
    /// Enters the facts of a missing list, once.
    fn know(&mut self, kind: SubjectKind, missing: u32) {
        if self.parts[kind as usize].contains_key(&missing) {
            return;
        }
        let mut parts: Parts = Vec::new();
        for set in &self.missing.get(missing).sets {
            for (fact, cause) in set {
                let request = self.request(kind, fact, *cause);
                let alone = set.len() == 1;
                match parts.iter_mut().find(|(known, _)| *known == request) {
                    Some(part) => part.1 |= alone,
                    None => parts.push((request, alone)),
                }
            }
        }
        self.parts[kind as usize].insert(missing, parts);
    }

    fn request(&mut self, kind: SubjectKind, fact: &Arc<str>, cause: Cause) -> usize {
        if let Some(&at) = self.known.get(&(kind, Arc::clone(fact), cause)) {
            return at;
        }
        let whole_register = self.rows.input.whole_register_unknown.contains(&(kind, Arc::clone(fact)));
        let request = DataRequest {
            kind,
            fact: Arc::clone(fact),
            register: register_of(self.rows, kind, fact),
            cause,
            whole_register,
            settles: 0,
            takes_part: 0,
            estimated_amount: 0,
            estimated_part: 0,
        };
        self.list.push(request);
        self.known.insert((kind, Arc::clone(fact), cause), self.list.len() - 1);
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
    for group in rows.groups(policy) {
        let amounts: Vec<i64> = rows.all[group].iter().filter_map(|row| rows.finding(row).amount).collect();
        sum += amounts.iter().copied().map(i128::from).sum::<i128>();
        subjects += i128::from(!amounts.is_empty());
    }
    if subjects == 0 { 0 } else { i64::try_from((2 * sum + subjects).div_euclid(2 * subjects)).unwrap_or(i64::MAX) }
}
