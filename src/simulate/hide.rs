//! Which lines of a simulation are shown: small ones are hidden, with what would give them away.

use std::collections::BTreeMap;

use super::results::{Line, Results, Tally};
use super::small_cells::{Cells, Sum, is_small};
use crate::register::declaration::SubjectKind;

/// Hides what is small in results, in place: hidden lines count nothing any more. Lines by dimension of policies that nothing
/// changes in, or that are hidden as a whole, are left out.
pub fn hide(results: &mut Results) {
    let least = results.least;
    results.totals.iter_mut().chain(&mut results.cells).for_each(|line| line.changes = line.tally.changed() > 0);
    for kind in SubjectKind::ALL {
        hide_totals(results, kind);
    }
    let affected: Vec<bool> = (0..results.policies.len())
        .map(|policy| results.total(policy).is_some_and(|line| !line.hidden && line.tally.changed() > 0))
        .collect();
    results.cells.retain(|line| line.policy.is_none_or(|policy| affected[policy]));
    for kind in SubjectKind::ALL {
        for dimension in 0..results.dimensions.len() {
            hide_dimension(results, kind, dimension, &affected);
        }
        hide_bands(results, kind);
    }
    for line in results.totals.iter_mut().chain(&mut results.cells).filter(|line| line.hidden) {
        line.tally = Tally::default();
        line.population = line.population.filter(|all| !is_small(*all, least));
    }
    for overlap in &mut results.overlaps {
        let [before, after] = overlap.both.map(|both| both.unwrap_or(0));
        let few = [before, after, before.abs_diff(after)].iter().any(|count| is_small(*count, least));
        let (one, other) = overlap.policies;
        if few || results.policies[one].hidden || results.policies[other].hidden {
            overlap.both = [None, None];
        }
    }
    results.policies.iter_mut().for_each(|policy| hide_policy(policy, least));
}

/// What is looked at for one line.
fn measures(line: &Line) -> Vec<u64> {
    let tally = &line.tally;
    let mut counts = vec![tally.before, tally.after];
    counts.extend(tally.classes);
    counts
}

/// Whether before less after would tell of few.
fn differs_by_few(line: &Line, least: u64) -> bool {
    is_small(line.tally.before.abs_diff(line.tally.after), least)
}

fn hide_totals(results: &mut Results, kind: SubjectKind) {
    let places: Vec<usize> = (0..results.totals.len()).filter(|&at| results.totals[at].kind == kind).collect();
    let mut cells = Cells::default();
    let (mut parts, mut total) = (Vec::new(), None);
    for &at in &places {
        let line = &results.totals[at];
        let cell = cells.push(measures(line), false, differs_by_few(line, results.least));
        match line.policy {
            Some(_) => parts.push(cell),
            None => total = Some(cell),
        }
    }
    if let Some(total) = total {
        cells.sums.push(Sum { total, parts, counts_add_up: false });
    }
    cells.hide(results.least);
    for (&at, hidden) in places.iter().zip(&cells.hidden) {
        results.totals[at].hidden = *hidden;
        if let (true, Some(policy)) = (*hidden, results.totals[at].policy) {
            results.policies[policy].hidden = true;
        }
    }
}

/// One dimension of one kind: policies against values, with the totals of both.
fn hide_dimension(results: &mut Results, kind: SubjectKind, dimension: usize, affected: &[bool]) {
    fill(results, kind, dimension, affected);
    let places: Vec<usize> =
        (0..results.cells.len()).filter(|&at| results.cells[at].kind == kind && results.cells[at].dimension == Some(dimension)).collect();
    let mut cells = Cells::default();
    let mut of_row: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
    let mut of_value: BTreeMap<&str, (Option<usize>, Vec<usize>)> = BTreeMap::new();
    let is_hidden = |policy: Option<usize>| results.totals.iter().any(|line| line.kind == kind && line.policy == policy && line.hidden);
    for &at in &places {
        let line = &results.cells[at];
        let is_few = line.population.is_some_and(|all| is_small(all, results.least)) || differs_by_few(line, results.least);
        let cell = cells.push(measures(line), false, is_few || is_hidden(line.policy));
        of_row.entry(line.policy).or_default().push(cell);
        let column = of_value.entry(&line.value).or_default();
        match line.policy {
            None => column.0 = Some(cell),
            Some(_) => column.1.push(cell),
        }
    }
    for (policy, parts) in of_row {
        let total = cells.push(Vec::new(), true, is_hidden(policy));
        cells.sums.push(Sum { total, parts, counts_add_up: true });
    }
    for (total, parts) in of_value.into_values() {
        if let Some(total) = total {
            cells.sums.push(Sum { total, parts, counts_add_up: false });
        }
    }
    cells.hide(results.least);
    places.iter().zip(cells.hidden).for_each(|(&at, hidden)| results.cells[at].hidden = hidden);
}

/// Lines that count nobody, so that every policy has every value.
fn fill(results: &mut Results, kind: SubjectKind, dimension: usize, affected: &[bool]) {
    let mut values: Vec<String> =
        results.cells.iter().filter(|line| line.kind == kind && line.dimension == Some(dimension)).map(|line| line.value.clone()).collect();
    values.sort();
    values.dedup();
    let of_kind = (0..results.policies.len()).filter(|&policy| affected[policy] && results.policies[policy].kind == kind);
    let rows: Vec<Option<usize>> = of_kind.map(Some).chain([None]).collect();
    for policy in rows {
        for value in &values {
            if !results.by(kind, policy, dimension).any(|line| line.value == *value) {
                let dimension = Some(dimension);
                let tally = Tally::default();
                let line = Line { kind, policy, dimension, value: value.clone(), population: None, tally, changes: false, hidden: false };
                results.cells.push(line);
            }
        }
    }
    results.cells.sort_by(|one, other| {
        let key = |line: &Line| (line.kind as usize, line.dimension, line.policy.is_some(), line.policy);
        key(one).cmp(&key(other)).then_with(|| one.value.cmp(&other.value))
    });
}

fn hide_bands(results: &mut Results, kind: SubjectKind) {
    let places: Vec<usize> = (0..results.bands.len()).filter(|&at| results.bands[at].kind == kind).collect();
    let is_hidden = results.net(kind).is_none_or(|net| net.hidden);
    let mut cells = Cells::default();
    for &at in &places {
        let [before, after] = results.bands[at].subjects.map(|count| count.unwrap_or(0));
        cells.push(vec![before, after, before.abs_diff(after)], false, is_hidden);
    }
    let total = cells.push(Vec::new(), true, is_hidden);
    cells.sums.push(Sum { total, parts: (0..places.len()).collect(), counts_add_up: true });
    cells.hide(results.least);
    for (&at, hidden) in places.iter().zip(&cells.hidden) {
        if *hidden {
            results.bands[at].subjects = [None, None];
        }
    }
}

fn hide_policy(policy: &mut super::results::PolicyLine, least: u64) {
    for side in 0..2 {
        let mut before = None;
        for shown in &mut policy.funnel[side] {
            let (was, step) = (before, (shown.yes.unwrap_or(0), shown.possible.unwrap_or(0)));
            before = Some(step);
            let fall: u64 = was.map_or(0, |was: (u64, u64)| was.0.abs_diff(step.0));
            let few = [step.0, step.1, fall, step.1.abs_diff(step.0)].iter().any(|count| is_small(*count, least));
            if few || policy.hidden {
                (shown.yes, shown.possible) = (None, None);
            }
        }
    }
    let few = |count: u64| is_small(count, least);
    let rows = policy.granted.iter().chain(&policy.given).any(|(count, _)| few(*count));
    policy.few_rows = rows || policy.hidden;
    if policy.few_rows {
        (policy.granted, policy.given) = ([(0, 0); 2], [(0, 0); 2]);
    }
    for count in policy.waiting.iter_mut().chain(&mut policy.unknown) {
        *count = count.filter(|count| !few(*count) && !policy.hidden);
    }
}

pub(super) fn hide_months(results: &mut Results) {
    let least = results.least;
    let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (at, line) in results.months.iter().enumerate() {
        groups.entry((line.day, line.side)).or_default().push(at);
    }
    for places in groups.into_values() {
        let mut cells = Cells::default();
        let (mut parts, mut total) = (Vec::new(), None);
        for &at in &places {
            let line = &results.months[at];
            let hidden = line.policy.is_some_and(|policy| results.policies[policy].hidden);
            let cell = cells.push(vec![line.subjects, line.enter, line.leave], false, hidden);
            match line.policy {
                Some(_) => parts.push(cell),
                None => total = Some(cell),
            }
        }
        if let Some(total) = total {
            cells.sums.push(Sum { total, parts, counts_add_up: true });
        }
        cells.hide(least);
        for (&at, hidden) in places.iter().zip(&cells.hidden) {
            let line = &mut results.months[at];
            line.hidden = *hidden;
            if line.hidden {
                (line.subjects, line.enter, line.leave, line.money) = (0, 0, 0, 0);
            }
        }
    }
}
