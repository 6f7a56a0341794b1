//! What `match --store` puts into the store is what it writes into result files, for every subject of the sample.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::DataType;
use mianshen::check::catalogue::FactId;
use mianshen::check::ir::Value;
use mianshen::commands::folder::PolicyFolder;
use mianshen::eligibility::grant::{amount_text, county_of};
use mianshen::explain::facts::facts_read;
use mianshen::explain::{Judge, Known, Verdict};
use mianshen::register::declaration::SubjectKind;
use mianshen::store::{Address, FactState, StoredRun, StoredSubject};

use super::postgres::Server;
use super::runtime;
use crate::outcome::{Outcome, POLICIES, Rows, SAMPLE, differing, sample, text_of};
use crate::support::run;

type Line = Vec<String>;

/// Every subject of a run.
async fn everybody(run: &dyn StoredRun) -> Vec<StoredSubject> {
    let mut all = Vec::new();
    for kind in SubjectKind::ALL {
        let subjects = run.subjects(kind, None, usize::MAX >> 1).await.expect("read");
        assert_eq!(subjects.len() as u64, run.run().summary.subjects[kind as usize]);
        all.extend(subjects);
    }
    all
}

/// The rows of a table as texts, sorted.
fn lines(rows: &Rows, columns: &[&str]) -> Vec<Line> {
    let columns: Vec<Vec<String>> = columns.iter().map(|name| texts(rows.column(name))).collect();
    let mut lines: Vec<Line> = (0..rows.len()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect();
    lines.sort();
    lines
}

/// Any column as text; nothing is `-`, lists are joined.
fn texts(column: &Arc<dyn Array>) -> Vec<String> {
    if let DataType::List(_) = column.data_type() {
        let lists = column.as_list::<i32>();
        return lists
            .iter()
            .map(|list| list.map_or_else(String::new, |list| list.as_string::<i32>().iter().flatten().collect::<Vec<_>>().join(";")))
            .collect();
    }
    let texts = cast(column, &DataType::Utf8).expect("as text");
    texts.as_string::<i32>().iter().map(|text| text.unwrap_or("-").to_owned()).collect()
}

fn maybe(text: Option<&str>) -> String {
    text.unwrap_or("-").to_owned()
}

fn money(amount: Option<i64>) -> String {
    amount.map_or_else(|| "-".to_owned(), amount_text)
}

fn sorted(lines: impl Iterator<Item = Line>) -> Vec<Line> {
    let mut lines: Vec<Line> = lines.collect();
    lines.sort();
    lines
}

#[track_caller]
fn same(name: &str, stored: &[Line], written: &[Line]) {
    assert!(!written.is_empty(), "{name} of the sample has rows");
    let (stored_only, written_only) = (difference(stored, written), difference(written, stored));
    assert_eq!((stored_only, written_only), (Vec::new(), Vec::new()), "{name}: only in the store, only in the file");
    assert_eq!(stored.len(), written.len(), "{name}");
}

/// The first few lines that the other list does not have.
fn difference<'a>(one: &'a [Line], other: &[Line]) -> Vec<&'a Line> {
    let other: BTreeSet<&Line> = other.iter().collect();
    one.iter().filter(|line| !other.contains(line)).take(3).collect()
}

fn grants_are_the_same(all: &[StoredSubject]) {
    let of = |subject: &StoredSubject| {
        let household = if subject.kind == SubjectKind::Household { Some(subject.id.clone()) } else { subject.household.clone() };
        let (kind, id, region) = (subject.kind.name().to_owned(), subject.id.clone(), subject.region.to_string());
        let line = move |grant: &mianshen::store::StoredGrant| {
            vec![
                grant.grant_id.to_string(),
                kind.clone(),
                id.clone(),
                grant.policy.to_string(),
                maybe(grant.payee.as_deref()),
                money(grant.amount),
                money(grant.full_amount),
                maybe(grant.occasion.as_deref()),
                maybe(grant.member.as_deref()),
                grant.mode.name().to_owned(),
                grant.notify.to_string(),
                grant.status.name().to_owned(),
                maybe(household.as_deref()),
                region.clone(),
                grant.reasons.join(";"),
            ]
        };
        subject.grants.iter().map(line).collect::<Vec<_>>()
    };
    let columns = [
        "grant_id",
        "subject_kind",
        "subject_id",
        "policy",
        "payee_id",
        "amount",
        "full_amount",
        "occasion",
        "member",
        "mode",
        "notify",
        "status",
        "household",
        "region",
        "reasons",
    ];
    same("grants", &sorted(all.iter().flat_map(of)), &lines(sample().table("grants"), &columns));
}

fn lists_are_the_same(all: &[StoredSubject]) {
    let given = all.iter().flat_map(|subject| {
        let line = |row: &mianshen::store::StoredGiven| {
            let (occasion, member) = (maybe(row.occasion.as_deref()), maybe(row.member.as_deref()));
            vec![subject.id.clone(), row.policy.to_string(), occasion, member, money(row.amount)]
        };
        subject.given.iter().map(line).collect::<Vec<_>>()
    });
    same("given", &sorted(given), &lines(sample().table("given"), &["subject_id", "policy", "occasion", "member", "amount"]));
    let cause = |cause: mianshen::dossier::Cause| format!("{cause:?}").to_lowercase();
    let offers = all.iter().flat_map(|subject| {
        let line = |row: &mianshen::store::StoredOffer| {
            let facts: Vec<&str> = row.facts.iter().map(|(fact, _)| &**fact).collect();
            let causes: Vec<String> = row.facts.iter().map(|(_, why)| cause(*why)).collect();
            vec![subject.id.clone(), row.policy.to_string(), facts.join(";"), causes.join(";"), row.notify.to_string()]
        };
        subject.offers.iter().map(line).collect::<Vec<_>>()
    });
    same("offers", &sorted(offers), &lines(sample().table("offers"), &["subject_id", "policy", "facts", "causes", "notify"]));
    let unknowns = all.iter().flat_map(|subject| {
        let line = |row: &mianshen::store::StoredUnknown| {
            let set = |set: &Vec<(Arc<str>, mianshen::dossier::Cause)>| set.iter().map(|(fact, _)| &**fact).collect::<Vec<_>>().join(" + ");
            let sets: Vec<String> = row.missing.iter().map(set).collect();
            vec![subject.id.clone(), row.policy.to_string(), sets.join(" | "), row.offered.to_string()]
        };
        subject.unknowns.iter().filter(|row| !row.told_once).map(line).collect::<Vec<_>>()
    });
    same("unknowns", &sorted(unknowns), &lines(sample().table("unknowns"), &["subject_id", "policy", "missing", "offered"]));
    let conflicts = all.iter().flat_map(|subject| {
        let line = |row: &mianshen::store::StoredConflict| {
            let words = [&row.fact, &row.source, &row.value, &row.other_source, &row.other_value].map(ToString::to_string);
            [vec![subject.id.clone(), maybe(row.policy.as_deref()), maybe(row.occasion.as_deref())], words.to_vec()].concat()
        };
        subject.conflicts.iter().map(line).collect::<Vec<_>>()
    });
    let columns = ["subject_id", "policy", "occasion", "fact", "source", "value", "other_source", "other_value"];
    same("conflicts", &sorted(conflicts), &lines(sample().table("conflicts"), &columns));
}

/// Verdicts are those of explaining on the stored facts alone; counted by policy and county, those of the coverage table.
fn verdicts_are_the_same(all: &[StoredSubject]) {
    let folder = PolicyFolder::load(Path::new(POLICIES));
    let as_of = sample().manifest["as_of"].as_str().and_then(|day| day.parse().ok()).expect("a day");
    let in_force = folder.in_force(as_of, None);
    let binder = folder.binder(as_of, None, &in_force);
    let mut catalogue = folder.checked.catalogue.clone();
    let read = facts_read(&mut catalogue, &binder, in_force.values());
    let name = |fact: FactId| Arc::clone(&catalogue.fact(fact).name);
    let names: BTreeMap<FactId, Arc<str>> = read.into_iter().map(|fact| (fact, name(fact))).collect();
    let current: Cell<Option<&StoredSubject>> = Cell::new(None);
    let value = |fact: FactId| current.get().and_then(|subject| subject.value(names.get(&fact)?).cloned());
    let mut judge = Judge::new(&catalogue, &binder, Known { value: &value, ..Known::NOTHING });
    let mut counts: BTreeMap<(String, String), [u64; 3]> = BTreeMap::new();
    for subject in all {
        current.set(Some(subject));
        for policy in in_force.values().filter(|policy| policy.document.subject == subject.kind) {
            let code = &policy.document.code;
            let verdict = judge.verdict(policy).expect("no overflow");
            assert_eq!(subject.verdict(code), verdict, "{code} of {}", subject.id);
            // A no whose coverage is in doubt is told, and not counted.
            let is_counted = verdict != Verdict::No || judge.covers(policy).expect("no overflow") == Some(true);
            let place = match verdict {
                Verdict::Yes => 0,
                Verdict::No => 1,
                Verdict::Unknown => 2,
                Verdict::Outside => continue,
            };
            let counts = counts.entry((code.clone(), county_of(&subject.region).to_owned())).or_default();
            counts[place] += u64::from(is_counted);
        }
    }
    let told = counts.into_iter().filter(|(_, counts)| *counts != [0; 3]);
    let stored = sorted(
        told.map(|((policy, county), [yes, no, unknown])| vec![policy, county, yes.to_string(), no.to_string(), unknown.to_string()]),
    );
    let written = lines(sample().table("coverage"), &["policy", "county", "yes", "no", "unknown"]);
    let written: Vec<Line> = written.into_iter().filter(|line| line[2..] != ["0", "0", "0"]).collect();
    same("coverage", &stored, &written);
    assert!(all.iter().all(|subject| subject.unknowns.iter().all(|row| subject.verdict(&row.policy) == Verdict::Unknown)));
    let unknowns = |subject: &StoredSubject| subject.verdicts.iter().filter(|row| row.verdict == Verdict::Unknown).count();
    assert!(all.iter().all(|subject| unknowns(subject) == subject.unknowns.len()), "each unknown says what it lacks");
}

fn value_text(state: &FactState) -> String {
    match state {
        FactState::Unknown(_) => "-".to_owned(),
        FactState::Known(Value::Bool(value)) => value.to_string(),
        FactState::Known(Value::Date(days)) => (chrono::NaiveDate::default() + chrono::TimeDelta::days(i64::from(*days))).to_string(),
        FactState::Known(Value::Text(text)) => text.to_string(),
        FactState::Known(Value::Number(number)) if number.scale == 0 => number.digits.to_string(),
        FactState::Known(Value::Number(number)) => {
            assert_eq!(number.scale, 2, "two places");
            amount_text(number.digits)
        }
    }
}

/// Facts are those that `mianshen dossier` writes, where both have them.
fn facts_are_the_same(all: &[StoredSubject], folder: &Path) {
    let out = folder.join("dossiers");
    let sources = format!("{SAMPLE}/sources.yaml");
    let written = run(&["dossier", "--policies", POLICIES, "--sources", &sources, "--out", text_of(&out)]);
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    for kind in SubjectKind::ALL {
        let rows = Rows::read(&out.join(format!("{kind}.parquet")));
        let ids = texts(rows.column(kind.id_column()));
        let stored: BTreeMap<&str, &StoredSubject> =
            all.iter().filter(|subject| subject.kind == kind).map(|subject| (subject.id.as_str(), subject)).collect();
        assert_eq!(stored.len(), ids.len(), "every {kind}");
        let somebody = stored.values().next().expect("somebody");
        let both: Vec<String> = somebody.facts.iter().map(|fact| fact.name.to_string()).filter(|name| rows.has_column(name)).collect();
        // All that is declared of households is computed: it is not stored, but what it is computed from.
        assert!(kind == SubjectKind::Household || both.len() >= 5, "{kind}: {both:?}");
        for fact in both {
            for (id, written) in ids.iter().zip(texts(rows.column(&fact))) {
                let state = stored[id.as_str()].fact(&fact).expect("every fact is told of everybody");
                assert_eq!(value_text(state), written, "{kind} {id}: {fact}");
            }
        }
    }
}

fn links_are_the_same(all: &[StoredSubject]) {
    let mut members: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for person in all {
        person.household.iter().for_each(|household| members.entry(household).or_default().push(&person.id));
    }
    let households: Vec<&StoredSubject> = all.iter().filter(|subject| subject.kind == SubjectKind::Household).collect();
    assert!(households.iter().any(|household| household.members.len() > 1));
    for household in households {
        let expected = members.remove(household.id.as_str()).unwrap_or_default();
        assert_eq!(household.members, expected, "{}", household.id);
    }
    let of_person = all.iter().filter(|subject| subject.kind == SubjectKind::Person);
    assert!(of_person.clone().any(|person| !person.set_aside.is_empty()), "some have a row in quarantine");
}

async fn tables_are_the_same(run: &dyn StoredRun) {
    for name in ["coverage", "funnel", "data_requests", "conflicts", "quarantine"] {
        let batches = run.table(name).await.expect("read");
        let stored = Rows::of(concat_batches(&batches[0].schema(), &batches).expect("one schema"));
        let written = sample().table(name);
        let columns = written.columns();
        assert_eq!(stored.columns(), columns, "{name}");
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        same(name, &lines(&stored, &columns), &lines(written, &columns));
    }
}

/// Matches the sample into a store, and holds all of it against the result files.
fn store_is_the_result_files(url: &str, folder: &Path) {
    let outcome = Outcome::of_sample(&["--store", url]).clean();
    assert_eq!(differing(&sample().bytes, &outcome.bytes()), Vec::<String>::new(), "files do not depend on the store");
    assert!(outcome.run.stdout.contains("· run 1"), "{}", outcome.run.stdout);
    runtime().block_on(async {
        let store = Address::parse(url).expect("an address").open().await.expect("a store");
        let run = store.current().await.expect("read").expect("a run");
        let manifest = serde_json::to_value(&run.run().manifest).expect("JSON");
        assert_eq!(manifest, sample().manifest, "the manifest is that of the files");
        let all = everybody(&*run).await;
        grants_are_the_same(&all);
        lists_are_the_same(&all);
        verdicts_are_the_same(&all);
        links_are_the_same(&all);
        facts_are_the_same(&all, folder);
        tables_are_the_same(&*run).await;
        // One by one they are the same as in a row.
        for subject in all.iter().step_by(97) {
            assert_eq!(run.subject(subject.kind, &subject.id).await.expect("read").as_ref(), Some(subject));
        }
        identifiers_of_before_lead_to_those_of_today(&*run).await;
        let files = run.policy_files().await.expect("read");
        let registers = files.iter().filter(|file| file.path.starts_with("registers/")).count();
        assert!(registers > 10, "{registers} registers of the policies folder");
        for file in files {
            let written = std::fs::read_to_string(Path::new(POLICIES).join(&file.path)).expect("the file is there");
            assert_eq!(file.text, written, "{}", file.path);
        }
    });
}

async fn identifiers_of_before_lead_to_those_of_today(run: &dyn StoredRun) {
    let links = Rows::read(&Path::new(SAMPLE).join("identity_links.parquet"));
    let mut found = 0;
    for (old, new) in links.texts("old_id").into_iter().zip(links.texts("new_id")) {
        let Some(subject) = run.subject(SubjectKind::Person, old).await.expect("read") else { continue };
        assert_ne!(subject.id, old);
        found += usize::from(subject.id == new);
    }
    assert!(found > 0, "some were renumbered");
}

#[test]
fn sqlite_holds_what_result_files_hold() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("sqlite:{}", folder.path().join("city.db").display());
    store_is_the_result_files(&url, folder.path());
}

#[test]
fn postgresql_holds_what_result_files_hold() {
    let Some(server) = Server::start() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = runtime().block_on(server.place("city"));
    store_is_the_result_files(&place.address, folder.path());
}

#[test]
fn a_run_of_one_region_stores_only_its_subjects() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = folder.path().join("county.db");
    let outcome = Outcome::of_sample(&["--store", text_of(&url), "--region", "990102"]).clean();
    runtime().block_on(async {
        let store = Address::parse(text_of(&url)).expect("an address").open().await.expect("a store");
        let run = store.current().await.expect("read").expect("a run");
        let all = everybody(&*run).await;
        assert!(all.iter().all(|subject| subject.region.starts_with("990102")));
        let judged = outcome.manifest()["counts"]["judged"].clone();
        let stored = |kind: SubjectKind| run.run().summary.subjects[kind as usize];
        for kind in SubjectKind::ALL {
            assert_eq!(judged[kind.name()], stored(kind), "{kind}");
        }
    });
}

#[test]
fn a_run_of_some_policies_tells_of_these_only() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = folder.path().join("one.db");
    let sources = format!("{SAMPLE}/sources.yaml");
    let arguments = ["match", "--policies", POLICIES, "--sources", &sources, "--store", text_of(&url), "--policy", "990100-MZ-0007"];
    let told = run(&arguments);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(!folder.path().join("out").exists() && !told.stdout.contains("results"), "{}", told.stdout);
    runtime().block_on(async {
        let store = Address::parse(text_of(&url)).expect("an address").open().await.expect("a store");
        let run = store.current().await.expect("read").expect("a run");
        let codes: BTreeSet<String> = run.run().policies.iter().map(|policy| policy.code.to_string()).collect();
        assert_eq!(codes, BTreeSet::from(["990100-MZ-0007".to_owned()]));
        let all = everybody(&*run).await;
        let told: BTreeSet<&str> = all.iter().flat_map(|subject| &subject.verdicts).map(|verdict| &*verdict.policy).collect();
        assert_eq!(told, BTreeSet::from(["990100-MZ-0007"]));
        assert!(all.iter().any(|subject| !subject.grants.is_empty()));
    });
}
