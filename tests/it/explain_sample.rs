//! `explain` on every subject and policy of the sample: it says what `match` says.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use chrono::{Days, NaiveDate};
use mianshen::check::CheckedPolicy;
use mianshen::check::catalogue::{Catalogue, FactId};
use mianshen::check::ir::Value;
use mianshen::commands::folder::PolicyFolder;
use mianshen::diagnostic::progress::{Cancel, Silent};
use mianshen::dossier::build::{Request, build};
use mianshen::dossier::{Dossiers, Options};
use mianshen::eligibility::grant::amount_text;
use mianshen::explain::excerpt::{Excerpt, Whole};
use mianshen::explain::facts::{Facts, each_subject, facts_read};
use mianshen::explain::story::{Telling, story};
use mianshen::explain::when::{Story, turns};
use mianshen::explain::{Amount, Judge, Judgement, Known, Law, Verdict};
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
    static CITY: LazyLock<City> = LazyLock::new(|| city_on(day()));
    &CITY
}

/// The sample city on a day, with its registers as fresh as on the first.
fn city_on(day: NaiveDate) -> City {
    let folder = PolicyFolder::load(Path::new(POLICIES));
    let sources = Sources::load(&Path::new(SAMPLE).join("sources.yaml")).expect("the sample's sources");
    let in_force = folder.in_force(day, None);
    let mut catalogue = folder.checked.catalogue.clone();
    let mut registers = (*catalogue.registers).clone();
    registers.registers.values_mut().for_each(|register| register.fresh_within_days = None);
    catalogue.registers = Arc::new(registers);
    let mut subjects = BTreeMap::new();
    {
        let binder = folder.binder(day, None, &in_force);
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
            options: Options::new(2, scratch.path().to_owned()),
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
}

/// Facts that are taken instead of those of the dossier.
type Changed = RefCell<BTreeMap<FactId, Value>>;

/// Every subject of the kind of every policy, judged.
fn judged(mut visit: impl FnMut(&CheckedPolicy, &str, &Changed, &mut Judge<'_>, &Judgement)) {
    let city = city();
    let binder = city.folder.binder(day(), None, &city.in_force);
    for (kind, subjects) in &city.subjects {
        let current: Cell<Option<&Facts>> = Cell::new(None);
        let changed = Changed::default();
        let value = |id: FactId| changed.borrow().get(&id).cloned().or_else(|| current.get().and_then(|facts| facts.value(id)));
        let known = Known { value: &value, ..Known::NOTHING };
        let mut judge = Judge::new(&city.catalogue, &binder, known);
        for policy in city.in_force.values().filter(|policy| policy.document.subject == *kind) {
            for (id, facts) in subjects {
                current.set(Some(facts));
                let judgement = judge.judge(policy).expect("no overflow");
                visit(policy, id, &changed, &mut judge, &judgement);
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

#[test]
fn every_least_change_makes_the_verdict_yes() {
    let (mut made_yes, mut none, mut tried) = (0, 0, 0);
    judged(|policy, id, changed, judge, judgement| {
        if judgement.verdict != Verdict::No {
            return;
        }
        let least = judge.least_change(policy);
        let code = &policy.document.code;
        assert!(least.complete, "{code} {id}: the search was bounded");
        for set in &least.sets {
            *changed.borrow_mut() = set.iter().map(|change| change.applied.clone()).collect();
            assert_eq!(judge.verdict(policy).expect("no overflow"), Verdict::Yes, "{code} {id}: {set:?}");
            made_yes += 1;
        }
        if least.sets.is_empty() {
            none += 1;
            // Where the facts are few and all yes or no, nothing else there is makes it yes either.
            let facts: Option<Vec<FactId>> = least.considered.iter().map(|fact| boolean(judge, policy, &fact.name)).collect();
            for choice in facts.iter().filter(|facts| facts.len() <= 3).flat_map(choices) {
                *changed.borrow_mut() = choice;
                assert_ne!(judge.verdict(policy).expect("no overflow"), Verdict::Yes, "{code} {id}: {:?}", changed.borrow());
                tried += 1;
            }
        }
        changed.borrow_mut().clear();
    });
    assert!(made_yes > 100 && none > 1_000 && tried > 1_000, "{made_yes} {none} {tried}");
}

fn boolean(judge: &Judge<'_>, policy: &CheckedPolicy, name: &str) -> Option<FactId> {
    let id = judge.catalogue.find(policy.document.subject, name)?;
    (judge.catalogue.fact(id).ty.ty == mianshen::check::ir::Ty::Bool).then_some(id)
}

#[expect(clippy::ptr_arg, reason = "called with the items of an iterator over vectors")]
fn choices(facts: &Vec<FactId>) -> Vec<BTreeMap<FactId, Value>> {
    let each = |bits: u32| facts.iter().enumerate().map(move |(at, id)| (*id, Value::Bool(bits >> at & 1 == 1))).collect();
    (0..1 << facts.len()).map(each).collect()
}

/// Some subjects of each kind: every so many.
fn some(kind: SubjectKind, count: usize) -> impl Iterator<Item = &'static (String, Facts)> {
    let subjects = &city().subjects[&kind];
    subjects.iter().step_by((subjects.len() / count).max(1))
}

fn law(until: NaiveDate) -> Law<'static> {
    let folder = &city().folder;
    Law::new(&folder.set.policies, &folder.checked.policies, &folder.set.parameters, &folder.regions, None, (day(), until))
}

/// The day, the verdict before, the verdict from then on.
type Turned = (NaiveDate, Verdict, Verdict);

#[test]
fn turns_are_those_of_every_single_day() {
    let until = day() + Days::new(400);
    let law = law(until);
    let subjects: Vec<(SubjectKind, &(String, Facts))> =
        SubjectKind::ALL.into_iter().flat_map(|kind| some(kind, 25).map(move |subject| (kind, subject))).collect();
    // The verdicts of every single day, each by a judge of its own.
    let mut last: BTreeMap<(String, &str), Verdict> = BTreeMap::new();
    let mut expected: BTreeMap<(String, &str), Vec<Turned>> = BTreeMap::new();
    let codes: BTreeSet<(String, SubjectKind)> = law
        .spans()
        .flat_map(|(_, policies)| policies.values())
        .map(|policy| (policy.document.code.clone(), policy.document.subject))
        .collect();
    for on in (0..=400).map(|days| day() + Days::new(days)) {
        let binder = law.binder(on);
        for kind in SubjectKind::ALL {
            let current: Cell<Option<&Facts>> = Cell::new(None);
            let value = |id: FactId| current.get().and_then(|facts| facts.value(id));
            let mut judge = Judge::new(&city().catalogue, &binder, Known { value: &value, ..Known::NOTHING });
            for (_, (id, facts)) in subjects.iter().filter(|(of, _)| *of == kind) {
                current.set(Some(facts));
                for (code, _) in codes.iter().filter(|(_, of)| *of == kind) {
                    let policy = law.on(on).get(code);
                    let now = policy.map_or(Verdict::Outside, |policy| judge.verdict(policy).expect("no overflow"));
                    let key = (code.clone(), id.as_str());
                    if let Some(before) = last.insert(key.clone(), now).filter(|before| *before != now) {
                        expected.entry(key).or_default().push((on, before, now));
                    }
                }
            }
        }
    }
    let mut found = 0;
    for (kind, (id, facts)) in subjects {
        let story = Story { facts: BTreeMap::from([(day(), facts.clone())]), ..Story::default() };
        for (code, _) in codes.iter().filter(|(_, of)| *of == kind) {
            let told: Vec<_> = turns(&law, &city().catalogue, &story, code).iter().map(|turn| (turn.on, turn.from, turn.to)).collect();
            found += told.len();
            assert_eq!(told, expected.remove(&(code.clone(), id.as_str())).unwrap_or_default(), "{code} {id}");
        }
    }
    assert!(found > 20, "{found}");
}

#[test]
fn a_story_tells_what_later_days_say() {
    let later: Vec<NaiveDate> = ["2026-07-16", "2026-10-01", "2026-12-02"].map(|text| text.parse().expect("a date")).to_vec();
    let law = law(later[2]);
    let cities: Vec<City> = later.iter().map(|day| city_on(*day)).collect();
    let sources = Sources::load(&Path::new(SAMPLE).join("sources.yaml")).expect("the sample's sources");
    let scratch = tempfile::tempdir().expect("a temporary folder");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    let (mut compared, mut turned) = (0, 0);
    for kind in SubjectKind::ALL {
        let mut catalogue = city().folder.checked.catalogue.clone();
        let mut facts = BTreeSet::new();
        for (from, policies) in law.spans() {
            facts.extend(facts_read(&mut catalogue, &law.binder(from), policies.values().filter(|policy| policy.document.subject == kind)));
        }
        for (id, _) in some(kind, 4) {
            let nothing = BTreeSet::new();
            let whole = Whole {
                catalogue: &catalogue,
                regions: &city().folder.regions,
                sources: &sources,
                allow_missing: &nothing,
                as_of: day(),
                scratch: scratch.path(),
            };
            let excerpt = Excerpt::take(&whole, kind, id, &facts).expect("an excerpt");
            let telling = Telling {
                excerpt: &excerpt,
                law: &law,
                facts: &facts,
                kind,
                id,
                scratch: scratch.path().to_owned(),
                cancel: Cancel::default(),
            };
            let told =
                runtime.block_on(story(&telling, &catalogue)).unwrap_or_else(|error| panic!("{}", error.into_diagnostic().headline.en));
            let (story, _) = told.expect("the subject is there");
            turned += story.facts.len() - 1;
            for (city, on) in cities.iter().zip(&later) {
                let Some((_, facts)) = city.subjects[&kind].iter().find(|(other, _)| other == id) else { continue };
                let binder = law.binder(*on);
                let value = |id: FactId| facts.value(id);
                let mut judge = Judge::new(&city.catalogue, &binder, Known { value: &value, ..Known::NOTHING });
                for policy in law.on(*on).values().filter(|policy| policy.document.subject == kind) {
                    let code = &policy.document.code;
                    let turns = turns(&law, &catalogue, &story, code);
                    let before = turns.iter().take_while(|turn| turn.on <= *on).last().map(|turn| turn.to);
                    let told = before.unwrap_or_else(|| first_verdict(&catalogue, &law, &story, code));
                    assert_eq!(told, judge.verdict(policy).expect("no overflow"), "{code} {id} {on}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 150 && turned > 3, "{compared} {turned}");
}

fn first_verdict(catalogue: &Catalogue, law: &Law<'_>, story: &Story, code: &str) -> Verdict {
    let binder = law.binder(day());
    let facts = story.on(day()).expect("facts");
    let value = |id: FactId| facts.value(id);
    let mut judge = Judge::new(catalogue, &binder, Known { value: &value, ..Known::NOTHING });
    law.on(day()).get(code).map_or(Verdict::Outside, |policy| judge.verdict(policy).expect("no overflow"))
}
