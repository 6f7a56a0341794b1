//! The parts of a run put together.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::finding::{Finding, Findings, LimitsIdx, MissingSets, UnknownFinding};
use super::super::texts::Word;
use super::Part;
use super::counting::add;
use crate::register::declaration::SubjectKind;

/// Puts parts of one kind together with what other kinds gave; tells the facts of which a known value was met.
///
/// # Panics
///
/// When a run has 2^32 subjects.
pub fn merge(findings: &mut Findings, kind: SubjectKind, parts: Vec<Part>) -> BTreeSet<usize> {
    let mut known = BTreeSet::new();
    findings.yes.reserve_exact(parts.iter().map(|part| part.yes.len()).sum());
    findings.unknown.reserve_exact(parts.iter().map(|part| part.unknown.len()).sum());
    let mut index: HashMap<MissingSets, u32> =
        findings.missing.iter().enumerate().map(|(at, sets)| (sets.clone(), u32::try_from(at).unwrap_or(u32::MAX))).collect();
    for part in parts {
        let Part { subjects, yes, unknown, words, limits, missing, missing_index, counts, judged, known: met } = part;
        drop(missing_index);
        let all = &mut findings.subjects[kind as usize];
        let first = u32::try_from(all.len()).expect("a run has fewer than 2^32 subjects");
        if all.is_empty() {
            *all = subjects;
        } else {
            all.append(&subjects);
        }
        let words: Vec<Word> = findings.words.append(&words);
        let word = |word: Option<Word>| word.map(|word| words[word.index()]);
        let first_limits = findings.limits.len();
        findings.limits.extend(limits);
        findings.yes.extend(yes.into_iter().map(|finding| Finding {
            subject: finding.subject + first,
            occasion: word(finding.occasion),
            member: word(finding.member),
            limits: finding.limits.map(|at| LimitsIdx::new(first_limits + at.place())),
            ..finding
        }));
        let places: Vec<u32> = missing.into_iter().map(|sets| place(&mut index, &mut findings.missing, sets)).collect();
        findings.unknown.extend(unknown.into_iter().map(|unknown| UnknownFinding {
            subject: unknown.subject + first,
            missing: places[unknown.missing as usize],
            ..unknown
        }));
        if findings.counts.len() < counts.len() {
            findings.counts.resize(counts.len(), BTreeMap::new());
        }
        for (all, counts) in findings.counts.iter_mut().zip(counts) {
            for (county, counts) in counts {
                add(all.entry(county).or_default(), &counts);
            }
        }
        findings.judged[kind as usize] += judged;
        known.extend(met);
    }
    known
}

fn place(index: &mut HashMap<MissingSets, u32>, all: &mut Vec<MissingSets>, sets: MissingSets) -> u32 {
    let next = u32::try_from(all.len()).unwrap_or(u32::MAX);
    *index.entry(sets).or_insert_with_key(|sets| {
        all.push(sets.clone());
        next
    })
}
