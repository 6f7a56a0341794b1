//! Counts per policy and county, and the funnel step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::finding::{PolicyIdx, SubjectIdx, Subjects};
use super::super::grant::{CoverageRow, FunnelRow, Resolution, county_of};
use super::index;
use super::rows::{Fate, Rows};
use crate::policy::document::{CriteriaNode, PolicyDocument};
use crate::register::declaration::SubjectKind;

/// The counts of one policy by county.
type Counties = BTreeMap<Arc<str>, CoverageRow>;

/// Fills coverage and funnel.
pub(super) fn collect(rows: &Rows<'_>, resolution: &mut Resolution<'_>) {
    let places = SubjectKind::ALL.map(|kind| Places::of(rows.findings.subjects_of(kind)));
    let mut of_policy: Vec<Counties> = rows.policies().map(|policy| judged(rows, policy)).collect();
    count_turns(rows, &places, &mut of_policy);
    for offer in &resolution.offers {
        let county = places[rows.kind_of(offer.policy) as usize].county(rows.subjects(offer.policy), offer.subject);
        row_of(&mut of_policy[offer.policy as usize], offer.policy, county).offers += 1;
    }
    for (policy, mut counties) in rows.policies().zip(of_policy) {
        count_rows(rows, &places[rows.kind_of(policy) as usize], policy, &mut counties);
        funnel(rows, policy, &counties, &mut resolution.funnel);
        resolution.coverage.extend(counties.into_values());
    }
}

/// The counties of the regions of one kind of subject.
struct Places<'a> {
    /// Each once.
    counties: Vec<&'a str>,
    /// By region, the place of its county.
    of_region: Vec<usize>,
}

impl<'a> Places<'a> {
    fn of(subjects: &'a Subjects) -> Self {
        let mut counties: Vec<&str> = Vec::new();
        let of_region = subjects.region_codes().iter().map(|region| {
            let county = county_of(region);
            counties.iter().position(|known| *known == county).unwrap_or_else(|| {
                counties.push(county);
                counties.len() - 1
            })
        });
        let of_region = of_region.collect();
        Self { counties, of_region }
    }

    fn place(&self, subjects: &Subjects, subject: SubjectIdx) -> usize {
        self.of_region[subjects.region_code(subject).index()]
    }

    fn county(&self, subjects: &Subjects, subject: SubjectIdx) -> &'a str {
        self.counties[self.place(subjects, subject)]
    }
}

/// Verdicts as evaluation counted them.
fn judged(rows: &Rows<'_>, policy: PolicyIdx) -> Counties {
    let mut counties = Counties::new();
    if let Some(counts) = rows.findings.counts.get(policy as usize) {
        for (county, counts) in counts {
            let row = row_of(&mut counties, policy, county);
            (row.yes, row.no, row.unknown) = (counts.yes, counts.no, counts.unknown);
        }
    }
    counties
}

fn row_of<'a>(counties: &'a mut Counties, policy: PolicyIdx, county: &str) -> &'a mut CoverageRow {
    if !counties.contains_key(county) {
        let county: Arc<str> = Arc::from(county);
        counties.insert(Arc::clone(&county), CoverageRow { policy, county, ..CoverageRow::default() });
    }
    counties.get_mut(county).expect("the county was just entered")
}

/// Moves the verdicts that `requires` turned.
fn count_turns(rows: &Rows<'_>, places: &[Places<'_>; 3], of_policy: &mut [Counties]) {
    for turn in &rows.turns {
        let county = places[rows.kind_of(turn.policy) as usize].county(rows.subjects(turn.policy), turn.subject);
        let row = row_of(&mut of_policy[turn.policy as usize], turn.policy, county);
        let before = if turn.was_yes { &mut row.yes } else { &mut row.unknown };
        *before = before.saturating_sub(1);
        let after = if turn.is_no { &mut row.no } else { &mut row.unknown };
        *after += 1;
    }
}

fn count_rows(rows: &Rows<'_>, places: &Places<'_>, policy: PolicyIdx, counties: &mut Counties) {
    let mut by_place: Vec<Option<CoverageRow>> = vec![None; places.counties.len()];
    let subjects = rows.subjects(policy);
    for row in &rows.all[rows.of_policy[policy as usize].clone()] {
        let counts = by_place[places.place(subjects, row.subject)].get_or_insert_default();
        match row.fate {
            Fate::NotYes => {}
            Fate::Excluded => counts.excluded += 1,
            Fate::Refused => counts.refused += 1,
            Fate::Capped => counts.capped += 1,
            Fate::Given => counts.given += 1,
            Fate::Waitlisted => counts.waitlisted += 1,
            Fate::Stands => {
                counts.granted += 1;
                counts.amount = counts.amount.saturating_add(row.amount.get().unwrap_or(0));
            }
        }
    }
    for (county, more) in places.counties.iter().zip(by_place) {
        let Some(more) = more else { continue };
        let counts = row_of(counties, policy, county);
        counts.excluded += more.excluded;
        counts.refused += more.refused;
        counts.capped += more.capped;
        counts.given += more.given;
        counts.waitlisted += more.waitlisted;
        counts.granted += more.granted;
        counts.amount = counts.amount.saturating_add(more.amount);
    }
}

fn funnel(rows: &Rows<'_>, policy: PolicyIdx, counties: &Counties, funnel: &mut Vec<FunnelRow>) {
    let document = &rows.policy(policy).document;
    let names = step_names(document);
    let Some(counts) = rows.findings.counts.get(policy as usize) else { return };
    for (county, row) in counties {
        let steps = counts.get(county).map_or(&[][..], |counts| &counts.funnel);
        let push = |step: usize, criterion: &Arc<str>, yes, possible| {
            let criterion = Arc::clone(criterion);
            FunnelRow { policy, county: Arc::clone(county), step: index(step + 1), criterion, yes, possible }
        };
        for (step, (yes, possible)) in steps.iter().enumerate() {
            let name = names.get(step).cloned().unwrap_or_else(|| Arc::from(""));
            funnel.push(push(step, &name, *yes, *possible));
        }
        if !document.requires.is_empty() && !steps.is_empty() {
            funnel.push(push(steps.len(), &Arc::from("requires"), row.yes, row.yes + row.unknown));
        }
    }
}

/// A short text for each top-level step of the criteria.
fn step_names(document: &PolicyDocument) -> Vec<Arc<str>> {
    match &document.criteria {
        CriteriaNode::All(items) => items.iter().map(|item| Arc::from(name(item))).collect(),
        other => vec![Arc::from(name(other))],
    }
}

fn name(node: &CriteriaNode) -> String {
    let names = |items: &[CriteriaNode]| items.iter().map(name).collect::<Vec<_>>().join(", ");
    match node {
        CriteriaNode::Criterion(criterion) => criterion.id.clone(),
        CriteriaNode::All(items) => format!("all({})", names(items)),
        CriteriaNode::Any(items) => format!("any({})", names(items)),
        CriteriaNode::Not(inner) => format!("not({})", name(inner)),
        CriteriaNode::AtLeast(n, items) => format!("at_least {n} of ({})", names(items)),
    }
}
