//! Verdicts counted by county, and the funnel step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::compiled::CompiledPolicy;
use super::super::finding::Counts;
use super::about::CountyRows;
use crate::program::Verdicts;

/// Adds the verdicts of one policy in one batch.
pub(super) fn count(
    policy: &CompiledPolicy,
    verdicts: &Verdicts,
    rows: &[CountyRows],
    counties: &[Arc<str>],
    all: &mut BTreeMap<Arc<str>, Counts>,
) {
    let (covered, doubtful) = (verdicts.yes(policy.coverage), verdicts.unknown(policy.coverage));
    if is_empty(covered) && is_empty(doubtful) {
        return;
    }
    let (yes, unknown) = (verdicts.yes(policy.root), verdicts.unknown(policy.root));
    for rows in rows {
        if ones(covered, rows) + ones(doubtful, rows) == 0 {
            continue;
        }
        let counts = all.entry(Arc::clone(&counties[rows.county])).or_default();
        counts.yes += ones(yes, rows);
        counts.unknown += ones(unknown, rows);
        // Of those whose coverage is in doubt, only the still unknown ones are counted.
        counts.no += rows
            .words
            .clone()
            .map(|word| u64::from((covered[word] & rows.bits[word] & !(yes[word] | unknown[word])).count_ones()))
            .sum::<u64>();
        counts.funnel.resize(policy.steps.len(), (0, 0));
        for (step, root) in policy.steps.clone().enumerate() {
            let yes = ones(verdicts.yes(root), rows);
            counts.funnel[step].0 += yes;
            counts.funnel[step].1 += yes + ones(verdicts.unknown(root), rows);
        }
    }
}

fn is_empty(words: &[u64]) -> bool {
    words.iter().all(|word| *word == 0)
}

/// How many rows of a county are set.
fn ones(words: &[u64], rows: &CountyRows) -> u64 {
    let both = words[rows.words.clone()].iter().zip(&rows.bits[rows.words.clone()]);
    both.map(|(word, rows)| u64::from((word & rows).count_ones())).sum()
}

/// Adds the counts of one county to those of another part of it.
pub(super) fn add(all: &mut Counts, more: &Counts) {
    all.yes += more.yes;
    all.no += more.no;
    all.unknown += more.unknown;
    all.funnel.resize(all.funnel.len().max(more.funnel.len()), (0, 0));
    for (all, more) in all.funnel.iter_mut().zip(&more.funnel) {
        all.0 += more.0;
        all.1 += more.1;
    }
}
