//! `explain` on every subject and policy of the sample: it says what `match` says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use chrono::NaiveDate;
use mianshen::check::CheckedPolicy;
use mianshen::check::catalogue::{Catalogue, FactId};
use mianshen::commands::folder::PolicyFolder;
use mianshen::diagnostic::progress::{Cancel, Silent};
use mianshen::dossier::build::{Request, build};
use mianshen::dossier::{Dossiers, Options};
use mianshen::eligibility::grant::amount_text;
use mianshen::explain::facts::{Facts, each_subject, facts_read};
use mianshen::explain::{Amount, Judge, Judgement, Known, Verdict};
use mianshen::register::Sources;
use mianshen::register::declaration::SubjectKind;

use super::outcome::{POLICIES, SAMPLE, sample};

const AS_OF: &str = "2026-06-30";

/// The sample city, as explain sees it.
struct City {
    folder: PolicyFolder,
    in_force: BTreeMap<String, CheckedPolicy>,
    catalogue: Catalogue,
    /// Facts by subject, of persons, households, entities.
    subjects: BTreeMap<SubjectKind, Vec<(String, Facts)>>,
}

fn day() -> NaiveDate {
    AS_OF.parse().expect("a date")
}

fn city() -> &'static City {
    static CITY: LazyLock<City> = LazyLock::new(|| {
        let folder = PolicyFolder::load(Path::new(POLICIES));
        let sources = Sources::load(&Path::new(SAMPLE).join("sources.yaml")).expect("the sample's sources");
        let in_force = folder.in_force(day(), None);
        let mut catalogue = folder.checked.catalogue.clone();
        let mut subjects = BTreeMap::new();
        {
            let binder = folder.binder(day(), None, &in_force);
            let facts = facts_read(&mut catalogue, &binder, in_force.values());
            let scratch = tempfile::tempdir().expect("a temporary folder");
            let request = Request {
                catalogue: &mut catalogue,
                binder: &binder,
                facts,
                kinds: SubjectKind::ALL.to_vec(),
                each: Vec::new(),
                sources: &sources,
                allow_missing: &BTreeSet::new(),
                options: Options { shards: 1, threads: 2, memory: None, scratch: scratch.path().to_owned() },
                progress: Arc::new(Silent),
                cancel: Cancel::default(),
            };
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
            let dossiers: Dossiers = runtime.block_on(build(request)).unwrap_or_else(|_| panic!("dossiers are built"));
            for kind in SubjectKind::ALL {
                let mut all = Vec::new();
                let mut visit = |id: &str, facts: &dyn Fn() -> Facts| all.push((id.to_owned(), facts()));
                let read = runtime.block_on(each_subject(&dossiers, &catalogue.schema(kind), kind, &mut visit));
                read.unwrap_or_else(|_| panic!("dossiers are read"));
                subjects.insert(kind, all);
            }
        }
        City { folder, in_force, catalogue, subjects }
    });
    &CITY
}

/// Every subject of the kind of every policy, judged.
fn judged(mut visit: impl FnMut(&CheckedPolicy, &str, &Facts, &mut Judge<'_>, &Judgement)) {
    let city = city();
    let binder = city.folder.binder(day(), None, &city.in_force);
    for (kind, subjects) in &city.subjects {
        let current: std::cell::Cell<Option<&Facts>> = std::cell::Cell::new(None);
        let value = |id: FactId| current.get().and_then(|facts| facts.value(id));
        let known = Known { value: &value, ..Known::NOTHING };
        let mut judge = Judge::new(&city.catalogue, &binder, known);
        for policy in city.in_force.values().filter(|policy| policy.document.subject == *kind) {
            for (id, facts) in subjects {
                current.set(Some(facts));
                let judgement = judge.judge(policy).expect("no overflow");
                visit(policy, id, facts, &mut judge, &judgement);
            }
        }
    }
}

/// Code of the policy, identifier of the subject.
type Key = (String, String);

/// What `explain` says of the sample.
#[derive(Default)]
struct Told {
    yes: BTreeSet<Key>,
    unknown: BTreeSet<Key>,
    /// Yes, no and unknown of each policy. As in `match`, a no whose coverage is in doubt is not counted.
    counts: BTreeMap<String, [u64; 3]>,
    /// Of grants that no cap, budget, occasion or member changes.
    amounts: BTreeMap<Key, String>,
    /// What the subject has another policy for.
    given_up: BTreeSet<Key>,
    offers: BTreeMap<Key, String>,
}

fn told() -> Told {
    let mut told = Told::default();
    judged(|policy, id, _, judge, judgement| {
        let document = &policy.document;
        let key = (document.code.clone(), id.to_owned());
        let counts = told.counts.entry(document.code.clone()).or_default();
        match judgement.verdict {
            Verdict::Yes => {
                counts[0] += 1;
                let is_plain = document.each.is_none() && document.cap.is_none() && document.budget.is_none();
                if let (Amount::Known(amount), true) = (judgement.amount, is_plain && !document.benefit.per_member) {
                    told.amounts.insert(key.clone(), amount_text(amount));
                }
                if judgement.given_up_for.is_some() {
                    told.given_up.insert(key.clone());
                }
                told.yes.insert(key);
            }
            Verdict::No => counts[1] += u64::from(judge.covers(policy).expect("no overflow") == Some(true)),
            Verdict::Unknown => {
                counts[2] += 1;
                if !judgement.offer.is_empty() {
                    told.offers.insert(key.clone(), judgement.offer.join(", "));
                }
                told.unknown.insert(key);
            }
            Verdict::Outside => {}
        }
    });
    told
}

/// The policies and subjects of a table of the sample's results, with the value of a column.
fn keyed(name: &str, value: impl Fn(usize) -> String) -> BTreeMap<Key, String> {
    let table = sample().table(name);
    let (policies, ids) = (table.texts("policy"), table.texts("subject_id"));
    let keys = policies.into_iter().zip(ids).map(|(policy, id)| (policy.to_owned(), id.to_owned()));
    keys.enumerate().map(|(row, key)| (key, value(row))).collect()
}

#[test]
fn every_verdict_is_that_of_match() {
    let told = told();
    let coverage = sample().table("coverage");
    let mut expected = BTreeMap::<String, [u64; 3]>::new();
    let columns = ["yes", "no", "unknown"].map(|column| coverage.counts(column));
    for (row, policy) in coverage.texts("policy").into_iter().enumerate() {
        let sum = expected.entry(policy.to_owned()).or_default();
        columns.iter().zip(sum).for_each(|(column, sum)| *sum += column[row]);
    }
    assert_eq!(told.counts, expected, "yes, no and unknown of each policy");
    let keys = |name: &str| keyed(name, |_| String::new()).into_keys().collect::<BTreeSet<Key>>();
    assert_eq!(told.unknown, keys("unknowns"));
    let delivered: BTreeSet<Key> = keys("grants").union(&keys("given")).cloned().collect();
    assert_eq!(delivered.difference(&told.yes).collect::<Vec<_>>(), Vec::<&Key>::new(), "granted, and no yes");
    let undelivered: BTreeSet<Key> = told.yes.difference(&delivered).cloned().collect();
    assert_eq!(undelivered, told.given_up, "a yes without a grant");
    assert!(delivered.len() > 500 && told.unknown.len() > 100, "{} {}", delivered.len(), told.unknown.len());
}

#[test]
fn every_amount_and_offer_is_that_of_match() {
    let told = told();
    let amounts = sample().table("grants").amounts("amount");
    let granted = keyed("grants", |row| amount_text(i64::try_from(amounts[row]).expect("fits")));
    let mut compared = 0;
    for (key, amount) in &told.amounts {
        if let Some(granted) = granted.get(key) {
            assert_eq!(amount, granted, "{key:?}");
            compared += 1;
        }
    }
    assert!(compared > 300, "{compared}");
    let lists = sample().table("offers").lists("facts");
    let offered = keyed("offers", |row| lists[row].join(", "));
    assert!(!offered.is_empty());
    for (key, facts) in &offered {
        assert_eq!(told.offers.get(key), Some(facts), "{key:?}");
    }
}
