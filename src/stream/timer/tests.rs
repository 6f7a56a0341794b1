//! The sample city judged on many days: no verdict and no amount changes before the day that was told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arrow::array::RecordBatch;
use chrono::{Days, NaiveDate};
use futures::StreamExt as _;

use super::calendar::{Rules, Why, calendar};
use super::*;
use crate::check::bind::Binder;
use crate::check::{self, Checked, CheckedPolicy};
use crate::diagnostic::progress::{Cancel, Silent};
use crate::dossier::Options;
use crate::eligibility::run::{Run, run};
use crate::policy;
use crate::policy::document::PolicySet;
use crate::region::RegionTree;
use crate::register::declaration::SubjectKind;
use crate::register::{ReadOptions, Sources};

struct City {
    set: PolicySet,
    regions: RegionTree,
    checked: Checked,
    sources: Sources,
    registers: BTreeMap<String, Vec<RecordBatch>>,
}

static CITY: LazyLock<City> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let policies = root.join("policies");
    let (set, _) = policy::load(&policies);
    let (regions, _) = crate::region::load(&policies);
    let registers = Arc::new(crate::register::load(&policies).0);
    let (checked, _) = check::check(Arc::clone(&registers), &set.policies, &set.parameters, &regions);
    let mut sources = Sources::load(&root.join("data-samples/sources.yaml")).expect("the sample's sources");
    // What grows old is in the calendar: here it would hide everything else.
    sources.fresh_on = Some(day("2026-06-30"));
    let rows = registers.registers.values().filter_map(|declared| {
        let reader = crate::register::open(declared, sources.get(&declared.name)?, &regions, &ReadOptions::default()).expect("opened");
        Some((declared.name.clone(), reader.map(|batch| batch.expect("read")).collect()))
    });
    let registers = rows.collect();
    City { set, regions, checked, sources, registers }
});

/// What was judged of the sample city, each day once; the dates named here have timers, too.
static JUDGED: LazyLock<Mutex<HashMap<NaiveDate, Arc<Judged>>>> = LazyLock::new(Mutex::default);
const WITH_TIMERS: [&str; 3] = ["2026-07-09", "2026-12-15", "2024-02-28"];

fn judged(on: &str) -> Arc<Judged> {
    let mut judged = JUDGED.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(judged.entry(day(on)).or_insert_with(|| Arc::new(CITY.judge(day(on), WITH_TIMERS.contains(&on)))))
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

/// A subject, and for each policy that is not a no what was found of it.
type Standing = HashMap<(SubjectKind, String), BTreeMap<String, BTreeSet<String>>>;

/// What was found on a day, and when it may be another.
struct Judged {
    as_of: NaiveDate,
    standing: Standing,
    next: HashMap<(SubjectKind, String), Option<Next>>,
}

impl City {
    fn in_force(&self, as_of: NaiveDate) -> BTreeMap<String, CheckedPolicy> {
        let chosen = policy::select(&self.set.policies, as_of, None);
        let runs = |policy: &&CheckedPolicy| chosen.iter().any(|document| document.complete && Arc::ptr_eq(document, &policy.document));
        self.checked.policies.iter().filter(runs).map(|policy| (policy.document.code.clone(), policy.clone())).collect()
    }

    fn judge(&self, as_of: NaiveDate, with_timers: bool) -> Judged {
        let policies = self.in_force(as_of);
        let binder = Binder::new(as_of, None, &self.set.parameters, &self.regions, &policies);
        let timers = Timers::new(&self.checked.catalogue, &binder);
        let chosen: Vec<CheckedPolicy> = policies.values().cloned().collect();
        let mut catalogue = timers.catalogue().clone();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        let options = Options::new(1, std::env::temp_dir());
        let request = Run {
            policies: &chosen,
            catalogue: &mut catalogue,
            binder: &binder,
            sources: &self.sources,
            allow_missing: &BTreeSet::new(),
            within: None,
            counts_only: false,
            also: timers.facts.keys().copied().collect(),
            options,
            progress: Arc::new(Silent),
            cancel: Cancel::default(),
        };
        let found = runtime.block_on(run(request)).map_err(crate::dossier::DossierError::into_diagnostic).expect("judged");
        let mut standing = Standing::new();
        let mut note = |policy: u32, subject: u32, text: String| {
            let policy = &chosen[policy as usize].document;
            let id = found.findings.subjects_of(policy.subject).id(subject).to_owned();
            standing.entry((policy.subject, id)).or_default().entry(policy.code.clone()).or_default().insert(text);
        };
        for yes in &found.findings.yes {
            let word = |word| found.findings.word(word);
            note(yes.policy, yes.subject, format!("yes {:?} {:?} {:?}", yes.amount.get(), word(yes.occasion), word(yes.member)));
        }
        found.findings.unknown.iter().for_each(|unknown| note(unknown.policy, unknown.subject, "unknown".to_owned()));
        let mut next = HashMap::new();
        if with_timers {
            let dossiers = found.dossiers.as_ref().expect("built");
            let batches = |kind| {
                let streams = dossiers.stream(kind).expect("given");
                runtime.block_on(async {
                    let mut batches = Vec::new();
                    for stream in streams {
                        batches.extend(stream.map(|batch| batch.expect("read")).collect::<Vec<_>>().await);
                    }
                    batches
                })
            };
            let by_kind = SubjectKind::ALL.into_iter().map(|kind| (kind, batches(kind))).collect();
            let tables = Tables::new(&timers, &self.registers).expect("read");
            let ground = Ground::new(&timers, &tables, &by_kind).expect("read");
            let reckoning = Reckoning::new(&timers, &ground);
            for kind in SubjectKind::ALL {
                next.extend(ground.subjects(kind).map(|id| ((kind, id.to_owned()), reckoning.next(kind, id))));
            }
        }
        Judged { as_of, standing, next }
    }

    /// The policies that the calendar names between two days, periods left aside: these are not among what is compared.
    fn in_calendar(&self, from: NaiveDate, until: NaiveDate) -> BTreeSet<String> {
        let none = BTreeMap::new();
        let rules = Rules { set: &self.set, checked: &self.checked, regions: &self.regions, known_at: None, data_days: &none };
        let days = calendar(&rules, from, until).into_values().flatten();
        days.filter(|(_, why)| *why != Why::Period).map(|(code, _)| code).collect()
    }
}

/// What changed between two days of one subject and policy.
fn changed<'a>(before: &'a Standing, after: &'a Standing) -> BTreeSet<(SubjectKind, &'a str, &'a str)> {
    let mut found = BTreeSet::new();
    let nothing = BTreeMap::new();
    for (one, other) in [(before, after), (after, before)] {
        for (key, policies) in one {
            let others = other.get(key).unwrap_or(&nothing);
            let differing = policies.iter().filter(|(code, found)| others.get(*code) != Some(*found));
            found.extend(differing.map(|(code, _)| (key.0, key.1.as_str(), code.as_str())));
        }
    }
    found
}

/// The changes between two days that no timer had told by then, where timers ring so many days later than they should.
fn too_late(city: &City, before: &Judged, after: &Judged, late: u64) -> Vec<String> {
    let aside = city.in_calendar(before.as_of, after.as_of);
    let changed = changed(&before.standing, &after.standing);
    let told = |kind: SubjectKind, id: &str, code: &str| {
        let next = before.next.get(&(kind, id.to_owned()))?.as_ref()?;
        let of_policy = next.policies.iter().find(|(_, other)| other == code).map(|(day, _)| *day);
        of_policy.or_else(|| next.day.checked_add_days(Days::new(TOLD_TOGETHER.unsigned_abs() + 1)))
    };
    let is_late = |day: Option<NaiveDate>| day.is_none_or(|day| day + Days::new(late) > after.as_of);
    changed
        .into_iter()
        .filter(|(_, _, code)| !aside.contains(*code))
        .filter(|(kind, id, code)| is_late(told(*kind, id, code)))
        .map(|(kind, id, code)| format!("{kind} {id} {code}: {:?}, told {:?}", after.as_of, told(kind, id, code)))
        .collect()
}

#[test]
fn no_verdict_and_no_amount_changes_before_its_day() {
    let city = &*CITY;
    let mut seen = 0;
    for (from, until) in
        [("2026-07-09", &["2026-07-10", "2026-08-01", "2026-12-31"][..]), ("2026-12-15", &["2027-01-01"]), ("2024-02-28", &["2024-02-29"])]
    {
        let before = judged(from);
        for until in until {
            let after = judged(until);
            seen += changed(&before.standing, &after.standing).len();
            let late = too_late(city, &before, &after, 0);
            assert!(late.is_empty(), "{from} to {until}: {}\n{}", late.len(), late[..late.len().min(30)].join("\n"));
        }
    }
    assert!(seen > 100, "{seen} changes were seen");
}

#[test]
fn a_timer_that_is_late_by_a_day_is_found_out() {
    let city = &*CITY;
    let (before, after) = (judged("2026-07-09"), judged("2026-07-10"));
    assert_eq!(too_late(city, &before, &after, 0), Vec::<String>::new());
    assert!(!too_late(city, &before, &after, 1).is_empty());
}

#[test]
fn few_are_asked_in_vain() {
    let (before, after) = (judged("2026-07-09"), judged("2026-08-01"));
    let is_due = |next: &Option<Next>| next.as_ref().is_some_and(|next| next.day <= after.as_of);
    let due: BTreeSet<_> = before.next.iter().filter(|(_, next)| is_due(next)).map(|(key, _)| (key.0, key.1.as_str())).collect();
    let changing: BTreeSet<_> = changed(&before.standing, &after.standing).into_iter().map(|(kind, id, _)| (kind, id)).collect();
    eprintln!("{} due, {} change of {}", due.len(), changing.len(), before.next.len());
    assert!(changing.len() >= 5, "{} change", changing.len());
    assert!(due.len() <= 3 * changing.len(), "{} due, {} change", due.len(), changing.len());
}

#[test]
fn bodies_are_read_as_they_are_written() {
    let policies = vec![(day("2026-07-01"), "990100-MZ-0007".to_owned()), (day("2026-07-09"), "990100-MZ-0001".to_owned())];
    let next = Next { day: policies[0].0, policies: policies.clone() };
    assert_eq!(Next::policies_of(&next.to_body()), policies);
    assert_eq!(Next::policies_of(b"nonsense\n2026-13-01 x\n"), []);
}

#[test]
fn the_calendar_knows_periods_law_and_freshness() {
    let city = &*CITY;
    let data_days = city.sources.sources.values().map(|source| (source.register.clone(), source.data_day)).collect();
    let rules = Rules { set: &city.set, checked: &city.checked, regions: &city.regions, known_at: None, data_days: &data_days };
    let days = calendar(&rules, day("2026-06-30"), day("2027-01-01"));
    let why = |on: &str, code: &str| days.get(&day(on)).and_then(|policies| policies.get(code)).copied();
    assert_eq!(why("2026-07-01", "990100-MZ-0007"), Some(Why::Period));
    assert_eq!(why("2026-07-02", "990100-MZ-0007"), None);
    let of_register = days.iter().filter(|(_, policies)| policies.values().any(|why| *why == Why::Register)).map(|(day, _)| *day);
    assert_eq!(of_register.min(), Some(day("2026-08-10")));
}
