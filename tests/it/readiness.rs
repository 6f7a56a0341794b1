//! `mianshen readiness`: conditions, modes, what would lift a policy, and what hangs on each register, against real runs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use super::outcome::{Outcome, POLICIES, Rows, SAMPLE, bytes, sample, text_of, write_all};
use super::support::{Policies, Run, run};

const OLD_AGE: &str = "990100-MZ-0007";
const SUBSISTENCE: &str = "990100-MZ-0001";
const REFUND: &str = "990000-RS-0011";

fn sources() -> String {
    format!("{SAMPLE}/sources.yaml")
}

/// Runs on the sample, or on other policies and sources where the arguments say so.
fn asked(arguments: &[&str]) -> Run {
    let sources = sources();
    let mut all = vec!["readiness"];
    all.extend(arguments);
    for (name, value) in [("--policies", POLICIES), ("--sources", sources.as_str()), ("--lang", "en")] {
        if !arguments.contains(&name) {
            all.extend([name, value]);
        }
    }
    run(&all)
}

/// The same as JSON, with the exit code.
#[track_caller]
fn json(arguments: &[&str]) -> (Value, Option<i32>) {
    let found = asked(&[arguments, &["--format", "json"]].concat());
    let value = serde_json::from_str(&found.stdout).unwrap_or_else(|error| panic!("{error}\n{}\n{}", found.stdout, found.stderr));
    (value, found.code)
}

#[track_caller]
fn policy<'v>(found: &'v Value, code: &str) -> &'v Value {
    let policies = found["policies"].as_array().expect("policies");
    policies.iter().find(|policy| policy["code"] == code).unwrap_or_else(|| panic!("no policy {code}"))
}

/// The status of each condition.
fn statuses(policy: &Value) -> Vec<&str> {
    let conditions = policy["conditions"].as_array().expect("conditions");
    conditions.iter().map(|condition| condition["status"].as_str().expect("a word")).collect()
}

/// Every reason of a condition, counted from 1.
fn reasons(policy: &Value, condition: usize) -> Vec<&Value> {
    policy["conditions"][condition - 1]["reasons"].as_array().expect("reasons").iter().collect()
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().expect("a list").iter().map(|text| text.as_str().expect("text")).collect()
}

/// A copy of the sample's registers to spoil.
struct City {
    folder: TempDir,
}

impl City {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_all(folder.path(), &bytes(Path::new(SAMPLE)));
        Self { folder }
    }

    fn sources(&self) -> String {
        text_of(&self.folder.path().join("sources.yaml")).to_owned()
    }

    /// Rewrites the line of a register in `sources.yaml`; none takes it out.
    #[track_caller]
    fn source(self, register: &str, change: impl Fn(&str) -> Option<String>) -> Self {
        let text = fs::read_to_string(self.sources()).expect("the sources");
        let start = format!("  {register}:");
        assert!(text.lines().any(|line| line.starts_with(&start)), "no source {register}");
        let lines = text.lines().filter_map(|line| if line.starts_with(&start) { change(line) } else { Some(line.to_owned()) });
        let text: String = lines.map(|line| format!("{line}\n")).collect();
        fs::write(self.sources(), text).expect("written");
        self
    }

    fn without(self, register: &str) -> Self {
        self.source(register, |_| None)
    }

    fn dated(self, register: &str, day: &str) -> Self {
        self.source(register, |line| Some(line.replace("2026-06-30", day)))
    }
}

#[test]
fn the_sample_in_both_languages() {
    let english = asked(&[]);
    assert_eq!(english.code, Some(1), "{}", english.stderr);
    for text in [
        "as of 2026-06-30 · 56 policies · 1,989 persons, 705 households, 300 entities",
        "conditions: 1 beneficiaries definite, 2 recognition has a basis, 3 standard specific, 4 time limit valid",
        "declares automatic, can have review",
        "Insured staff of entities (entity_staff): alone settles 81",
    ] {
        assert!(english.stdout.contains(text), "no `{text}` in:\n{}", english.stdout);
    }
    let chinese = asked(&["--lang", "zh"]);
    assert_eq!(chinese.code, Some(1));
    for text in [
        "判定日 2026-06-30 · 56 项政策",
        "受益对象明确",
        "结果认定有据",
        "标准数额具体",
        "文件时限有效",
        "规定方式 直接发放, 今日可采用 审核",
    ] {
        assert!(chinese.stdout.contains(text), "no `{text}` in:\n{}", chinese.stdout);
    }
    // One policy, with everything about it; it declares what it can have or less.
    let one = asked(&[SUBSISTENCE]);
    assert_eq!(one.code, Some(0), "{}", one.stdout);
    assert!(one.stdout.contains("✓ recognition has a basis") && one.stdout.contains("could be lighter 1"), "{}", one.stdout);
}

#[test]
fn people_are_those_of_match() {
    let (found, _) = json(&[]);
    let coverage = sample().table("coverage");
    let sums = |column: &str| {
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for (policy, count) in coverage.texts("policy").into_iter().zip(coverage.counts(column)) {
            *sums.entry(policy).or_default() += count;
        }
        sums
    };
    let columns = [("yes", sums("yes")), ("no", sums("no")), ("unknown", sums("unknown"))];
    let policies = found["policies"].as_array().expect("policies");
    assert_eq!(policies.len(), 56);
    for policy in policies {
        for (column, sums) in &columns {
            let code = policy["code"].as_str().expect("a code");
            assert_eq!(policy["people"][column].as_u64(), Some(sums.get(code).copied().unwrap_or(0)), "{code} {column}");
        }
    }
    // Whose word would settle it has an offer, unless it is given already or does not matter.
    let offers: u64 = sums("offers").values().sum();
    let committable: u64 = policies.iter().map(|policy| policy["people"]["committable"].as_u64().expect("a count")).sum();
    assert!(offers > 100 && (offers..=offers + 10).contains(&committable), "{offers} offers, {committable} committable");
}

/// What a fact alone settles, summed over the policies of a kind, against `data_requests` of a real run.
#[test]
fn what_a_fact_settles_is_what_match_requests() {
    let (found, _) = json(&[]);
    let mut settled: BTreeMap<(String, String), u64> = BTreeMap::new();
    for policy in found["policies"].as_array().expect("policies") {
        for lift in policy["lifts"].as_array().expect("lifts") {
            for fact in lift["facts"].as_array().expect("facts") {
                let name = fact["fact"].as_str().expect("a name");
                let text = |value: &Value| value.as_str().expect("text").to_owned();
                *settled.entry((text(&policy["kind"]), name.to_owned())).or_default() += fact["settles"].as_u64().expect("a count");
            }
        }
    }
    let requests = sample().table("data_requests");
    let rows = requests.texts("subject_kind").into_iter().zip(requests.texts("fact")).zip(requests.counts("settles"));
    let mut compared = 0;
    for ((kind, fact), settles) in rows.filter(|(_, settles)| *settles > 0) {
        let found = settled.get(&(kind.to_owned(), fact.to_owned())).copied().unwrap_or(0);
        // A subject counts once there, and once per policy here.
        assert!(found >= settles, "{kind} {fact}: {found} here, {settles} there");
        compared += 1;
    }
    assert!(compared > 20, "{compared} facts");
    let only = |fact: &str| settled[&("person".to_owned(), fact.to_owned())];
    assert_eq!(only("only_child_status"), 140);
}

#[test]
fn declared_modes_that_registers_do_not_carry_are_findings() {
    let (found, code) = json(&[REFUND]);
    assert_eq!(code, Some(1));
    let refund = policy(&found, REFUND);
    assert_eq!((&refund["declared"], &refund["carried"], &refund["fit"]), (&"automatic".into(), &"review".into(), &"too_light".into()));
    assert_eq!(statuses(refund), ["met"; 4]);
    let lift = &refund["lifts"][0];
    assert_eq!((&lift["register"], &lift["mode"], &lift["settles"]), (&"entity_staff".into(), &"automatic".into(), &81.into()));
    assert_eq!(lift["freshness"], "fresh");
    assert!(lift["estimated"].as_i64().expect("an amount") > 0);
    // The sample has policies for every branch of the rule.
    let (found, _) = json(&[]);
    for (code, carried, fit) in [
        ("990100-SC-0001", "automatic", "fits"),
        ("990100-WJ-0004", "confirm", "too_light"),
        ("990100-MZ-0002", "commit", "fits"),
        ("990100-MZ-0001", "commit", "could_be_lighter"),
        ("990100-MZ-0004", "review", "fits"),
    ] {
        let policy = policy(&found, code);
        assert_eq!((&policy["carried"], &policy["fit"]), (&carried.into(), &fit.into()), "{code}");
    }
    // What it rests on is judged, but not told.
    let (found, code) = json(&["990100-ZJ-0001"]);
    assert_eq!((found["policies"].as_array().expect("policies").len(), code), (1, Some(0)));
}

#[test]
fn a_register_that_did_not_come_is_named_with_what_it_costs() {
    let (found, code) = json(&["--allow-missing", "vehicles"]);
    assert_eq!(code, Some(1));
    let states = found["registers"].as_array().expect("registers");
    let vehicles = states.iter().find(|state| state["register"] == "vehicles").expect("it is declared");
    assert_eq!((&vehicles["freshness"], &vehicles["data_day"]), (&"absent".into(), &Value::Null));
    let subsistence = policy(&found, SUBSISTENCE);
    assert_eq!(statuses(subsistence), ["met", "partly", "met", "met"]);
    let told = reasons(subsistence, 2);
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["kind"], &told[0]["register"]), (&"register_absent".into(), &"vehicles".into()));
    assert_eq!((texts(&told[0]["facts"]), texts(&told[0]["parts"])), (vec!["household_vehicles"], vec!["vehicles"]));
    assert_eq!((&subsistence["carried"], &subsistence["people"]["yes"]), (&"review".into(), &0.into()));
    let lift = subsistence["lifts"].as_array().expect("lifts").iter().find(|lift| lift["register"] == "vehicles").expect("named");
    let (before, _) = json(&[]);
    // Of the 99 unknown ones 38 lack nothing else; with the register it is again as it is with it.
    assert_eq!((&lift["freshness"], &lift["settles"], &lift["takes_part"]), (&"absent".into(), &38.into(), &99.into()));
    assert_eq!(lift["mode"], policy(&before, SUBSISTENCE)["carried"]);
    // Who does not read it is as before.
    assert_eq!(policy(&found, OLD_AGE), policy(&before, OLD_AGE));
    // A register that no source is given for is as absent as one that is named, and both are told of.
    let city = City::new().without("vehicles");
    let (other, _) = json(&["--sources", &city.sources()]);
    assert_eq!(other, found);
    let table = asked(&["--sources", &city.sources()]);
    assert!(table.stdout.contains("note: Vehicles (vehicles): absent, its facts are unknown\n"), "{}", table.stdout);
    let table = asked(&["--sources", &city.sources(), "--lang", "zh"]);
    assert!(table.stdout.contains("注意: 机动车登记 (vehicles): 缺席, 其事实为未知\n"), "{}", table.stdout);
}

#[test]
fn a_stale_register_is_as_good_as_none_but_for_its_cause() {
    let city = City::new().dated("marriage", "2026-05-20");
    let (found, _) = json(&["--sources", &city.sources()]);
    let award = policy(&found, "990100-WJ-0001");
    assert_eq!(statuses(award), ["met", "partly", "met", "met"]);
    let told = reasons(award, 2);
    assert_eq!((&told[0]["kind"], &told[0]["register"]), (&"register_stale".into(), &"marriage".into()));
    let text = told[0]["text"]["en"].as_str().expect("text");
    assert!(text.contains("2026-05-20") && text.contains("40 days"), "{text}");
    let facts = award["lifts"].as_array().expect("lifts").iter().filter(|lift| lift["register"] == "marriage");
    let causes: BTreeSet<&str> =
        facts.flat_map(|lift| lift["facts"].as_array().expect("facts")).filter_map(|fact| fact["cause"].as_str()).collect();
    assert_eq!(causes, BTreeSet::from(["stale"]));
    // A day earlier it still counts.
    let city = City::new().dated("marriage", "2026-05-21");
    let (found, _) = json(&["--sources", &city.sources()]);
    assert_eq!(statuses(policy(&found, "990100-WJ-0001")), ["met"; 4]);
}

#[test]
fn without_a_register_that_lists_people_nothing_is_judged() {
    let city = City::new().without("population");
    let (found, code) = json(&["--sources", &city.sources()]);
    assert_eq!((code, found["judged"]["person"].as_u64(), found["judged"]["entity"].as_u64()), (Some(1), Some(0), Some(300)));
    let allowance = policy(&found, OLD_AGE);
    assert_eq!(statuses(allowance), ["met", "not_met", "met", "met"]);
    let told: Vec<Option<&str>> = reasons(allowance, 2).into_iter().map(|reason| reason["register"].as_str()).collect();
    assert_eq!((told, &allowance["carried"]), (vec![Some("population")], &"review".into()));
    // What is not about persons goes on.
    let (before, _) = json(&[]);
    assert_eq!(policy(&found, "990100-SC-0001"), policy(&before, "990100-SC-0001"));
}

#[test]
fn a_basis_that_ran_out_leaves_it_to_an_official() {
    let policies = Policies::new();
    policies.replace(
        "990100/old-age-allowance/policy.yaml",
        "    status: text\n",
        "    in_force: {from: 2020-01-01, to: 2026-06-30}\n    status: text\n",
    );
    let (found, code) = json(&[OLD_AGE, "--policies", policies.dir()]);
    assert_eq!(code, Some(1));
    let allowance = policy(&found, OLD_AGE);
    assert_eq!(statuses(allowance), ["met", "partly", "met", "not_met"]);
    assert_eq!((&allowance["carried"], &allowance["at_best"]), (&"review".into(), &"review".into()));
    let parts: Vec<&str> = reasons(allowance, 2).into_iter().flat_map(|reason| texts(&reason["parts"])).collect();
    assert_eq!(parts, ["age", "alive", "amount"]);
    let ended = reasons(allowance, 4);
    assert_eq!((&ended[0]["kind"], &ended[0]["basis"]), (&"basis_not_in_force".into(), &"notice".into()));
    assert_eq!(ended[0]["text"]["zh"], "《高龄津贴发放通知（县级，2025年）》自 2026-06-30 起失效");
    // The day before it was in force.
    let (found, _) = json(&[OLD_AGE, "--policies", policies.dir(), "--as-of", "2026-06-29"]);
    assert_eq!(statuses(policy(&found, OLD_AGE)), ["met"; 4]);
}

#[test]
fn a_standard_without_a_value_in_one_county() {
    let policies = Policies::new();
    let counties = ["990103", "990104", "990105", "990106", "990107", "990108"];
    let value = |region: &str| {
        format!("      - {{region: \"{region}\", from: 2024-01-01, value: 100, status: sample, source: 样例市高龄津贴标准（样例）}}\n")
    };
    let all: String = counties.iter().map(|county| value(county)).collect();
    let text = policies.read("parameters/old-age.yaml");
    let (first, rest) = text.split_once(&value("990100")).expect("the city's value");
    let rest: String = rest.lines().filter(|line| !line.contains("from: 2027-01-01")).map(|line| format!("{line}\n")).collect();
    policies.write("parameters/old-age.yaml", &format!("{first}{all}{rest}"));
    let (found, code) = json(&[OLD_AGE, "--policies", policies.dir()]);
    assert_eq!(code, Some(1));
    let allowance = policy(&found, OLD_AGE);
    assert_eq!(statuses(allowance)[2], "partly", "{allowance:#}");
    let told = reasons(allowance, 3);
    assert_eq!((&told[0]["kind"], &told[0]["parameter"]), (&"parameter_without_value".into(), &"old_age_allowance_80".into()));
    assert_eq!(texts(&told[0]["regions"]), ["990109"]);
    assert!(told[0]["text"]["en"].as_str().expect("text").contains("Yunxi 990109"), "{}", told[0]);
    assert_eq!((&allowance["carried"], &allowance["at_best"]), (&"review".into(), &"automatic".into()));
    let lift =
        allowance["lifts"].as_array().expect("lifts").iter().find(|lift| lift["parameter"] == "old_age_allowance_80").expect("named");
    // With the standard, it is as it is with the shipped policies.
    let (shipped, _) = json(&[OLD_AGE]);
    assert_eq!(lift["mode"], policy(&shipped, OLD_AGE)["carried"]);
    assert!(allowance["people"]["unpriced"].as_u64() > Some(0), "those of the county are found without an amount: {}", allowance["people"]);
}

#[test]
fn a_clause_that_is_no_rule_leaves_it_to_an_official() {
    let policies = Policies::new();
    let file = "990100/old-age-allowance/policy.yaml";
    policies.replace(file, "when: not deceased or death_month >= month_of(months_before(as_of, 1))", "when: 是");
    let (found, code) = json(&[OLD_AGE, "--policies", policies.dir()]);
    assert_eq!(code, Some(1));
    let allowance = policy(&found, OLD_AGE);
    assert_eq!(statuses(allowance)[0], "partly");
    assert_eq!(
        (&reasons(allowance, 1)[0]["kind"], texts(&reasons(allowance, 1)[0]["parts"])),
        (&"criterion_without_rule".into(), vec!["alive"])
    );
    assert_eq!(allowance["carried"], "review");
    // A rule without its clause, and one without a document.
    let policies = Policies::new();
    policies.replace(file, "      clause: 发至去世次月止\n", "");
    policies.replace(file, "  clause: 按年龄段和地区确定标准\n  basis: notice\n", "  clause: 按年龄段和地区确定标准\n");
    let (found, _) = json(&[OLD_AGE, "--policies", policies.dir()]);
    let told: Vec<(&Value, Vec<&str>)> =
        reasons(policy(&found, OLD_AGE), 2).iter().map(|reason| (&reason["kind"], texts(&reason["parts"]))).collect();
    assert_eq!(told, [(&"without_clause".into(), vec!["alive"]), (&"without_basis".into(), vec!["amount"])]);
}

#[test]
fn a_register_that_does_not_cover_a_county() {
    let policies = Policies::new();
    policies.replace(
        "registers/vehicles.yaml",
        "coverage: {regions: [\"990000\"]}",
        "coverage: {regions: [\"990101\", \"990102\"], from: 2026-07-01}",
    );
    let (found, _) = json(&[SUBSISTENCE, "--policies", policies.dir()]);
    let told = reasons(policy(&found, SUBSISTENCE), 2);
    let kinds: Vec<&str> = told.iter().filter_map(|reason| reason["kind"].as_str()).collect();
    assert_eq!(kinds, ["register_does_not_cover"; 2]);
    assert!(told[0]["text"]["en"].as_str().expect("text").contains("only from 2026-07-01"), "{}", told[0]);
    assert_eq!(texts(&told[1]["regions"]), ["990103", "990104", "990105", "990106", "990107", "990108", "990109"]);
}

#[test]
fn a_policy_that_is_not_in_force_can_have_no_mode() {
    let (found, code) = json(&["000000-RS-0011"]);
    assert_eq!(code, Some(1));
    let ended = policy(&found, "000000-RS-0011");
    assert_eq!((&ended["carried"], &ended["fit"], &ended["people"]), (&Value::Null, &"not_in_force".into(), &Value::Null));
    assert_eq!(statuses(ended)[3], "not_met");
    assert_eq!(reasons(ended, 4)[0]["kind"], "not_in_force");
}

#[test]
fn names_that_are_not_there_are_told() {
    for (arguments, fault, near) in [
        (["990100-MZ-0008x"].as_slice(), "unknown-policy", "990100-MZ-0008"),
        (["--register", "vehicle"].as_slice(), "unknown-register", "vehicles"),
        (["--allow-missing", "birht"].as_slice(), "unknown-register", "birth"),
    ] {
        let found = asked(arguments);
        assert_eq!(found.code, Some(2), "{arguments:?}");
        assert!(found.stderr.contains(fault) && found.stderr.contains(&format!("did you mean `{near}`")), "{}", found.stderr);
    }
}

/// Who has which policy, with what falls due this month and what it comes to in a year, in hundredths; and how many unknown
/// verdicts each policy has.
#[derive(Default)]
struct Had {
    have: BTreeMap<(String, String), (i128, i128)>,
    unknown: BTreeMap<String, u64>,
    /// Of which kind each subject is.
    kinds: BTreeMap<String, String>,
    /// Who is given it already, and has no other grant of it.
    given: BTreeSet<(String, String)>,
}

impl Had {
    fn of(grants: &Rows, given: &Rows, coverage: &Rows) -> Self {
        let mut had = Self::default();
        let mut to_deliver = BTreeSet::new();
        let mut add = |rows: &Rows, is_given: bool| {
            let status = if is_given { vec!["granted"; rows.len()] } else { rows.texts("status") };
            let keys = rows.texts("policy").into_iter().zip(rows.texts("subject_id"));
            let worth = rows.amounts("amount").into_iter().zip(rows.texts("period")).zip(rows.texts("unit"));
            for ((key, _), ((amount, period), unit)) in
                keys.zip(status.iter().copied()).zip(worth).filter(|((_, status), _)| *status == "granted")
            {
                let amount = if unit.starts_with("CNY") { amount } else { 0 };
                let due = if is_given { 0 } else { amount };
                let (month, year) = match period.len() {
                    7 => (amount, amount * 12),
                    4 => (due, amount),
                    0 => (due, due),
                    _ => panic!("no policy of the sample pays by the day: {period}"),
                };
                let sums = had.have.entry((key.0.to_owned(), key.1.to_owned())).or_default();
                *sums = (sums.0 + month, sums.1 + year);
            }
            let keys = rows.texts("policy").into_iter().zip(rows.texts("subject_id"));
            let keys = keys.zip(status).filter(|(_, status)| *status == "granted").map(|(key, _)| (key.0.to_owned(), key.1.to_owned()));
            if is_given {
                had.given.extend(keys);
            } else {
                keys.for_each(|key| {
                    to_deliver.insert(key);
                });
            }
            let kinds = rows.texts("subject_id").into_iter().zip(rows.texts("subject_kind"));
            had.kinds.extend(kinds.map(|(id, kind)| (id.to_owned(), kind.to_owned())));
        };
        add(grants, false);
        add(given, true);
        had.given.retain(|key| !to_deliver.contains(key));
        for (policy, unknown) in coverage.texts("policy").into_iter().zip(coverage.counts("unknown")) {
            *had.unknown.entry(policy.to_owned()).or_default() += unknown;
        }
        had
    }

    fn of_outcome(outcome: &Outcome) -> Self {
        Self::of(&outcome.table("grants"), &outcome.table("given"), &outcome.table("coverage"))
    }

    fn today() -> Self {
        Self::of(sample().table("grants"), sample().table("given"), sample().table("coverage"))
    }
}

/// What `readiness` says of a register that stops is what two runs of `match` differ by.
#[track_caller]
fn differ_by(effect: &Value, today: &Had, then: &Had, register: &str) -> usize {
    let mut policies: BTreeMap<&str, [i128; 8]> = BTreeMap::new();
    let mut losing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let keys: BTreeSet<&(String, String)> = today.have.keys().chain(then.have.keys()).collect();
    for key in keys {
        let sums = policies.entry(key.0.as_str()).or_default();
        match (today.have.get(key), then.have.get(key)) {
            (Some(now), None) => {
                sums[0] += 1;
                sums[2] += now.0;
                sums[3] += now.1;
                losing.entry(&today.kinds[&key.1]).or_default().insert(&key.1);
            }
            (None, Some(after)) => {
                sums[1] += 1;
                sums[4] += after.0;
                sums[5] += after.1;
            }
            // What is given once more is counted on its own.
            (Some(_), Some(_)) if today.given.contains(key) && !then.given.contains(key) => {}
            (Some(now), Some(after)) => {
                let (month, year) = (after.0 - now.0, after.1 - now.1);
                sums[2] += (-month).max(0);
                sums[3] += (-year).max(0);
                sums[4] += month.max(0);
                sums[5] += year.max(0);
            }
            (None, None) => {}
        }
    }
    for (policy, count) in &today.unknown {
        policies.entry(policy).or_default()[6] = i128::from(*count);
    }
    for (policy, count) in &then.unknown {
        policies.entry(policy).or_default()[7] = i128::from(*count);
    }
    let names = ["lost", "gained", "month_lost", "year_lost", "month_gained", "year_gained", "unknown_before", "unknown_after"];
    let told: BTreeMap<&str, &Value> = effect["policies"]
        .as_array()
        .expect("policies")
        .iter()
        .map(|policy| (policy["policy"].as_str().expect("a code"), policy))
        .collect();
    let mut changes = 0;
    for (code, sums) in &policies {
        let changes_nothing = sums[..6].iter().all(|sum| *sum == 0) && sums[6] == sums[7];
        match told.get(code) {
            // A payee who is not known changes nothing that is counted here.
            None => assert!(changes_nothing, "{register}: {code} changes by {sums:?} and is not told"),
            Some(policy) => {
                changes += usize::from(!changes_nothing);
                for (name, sum) in names.iter().zip(sums) {
                    assert_eq!(i128::from(policy[name].as_i64().expect("a number")), *sum, "{register}: {code} {name}");
                }
            }
        }
    }
    for kind in ["person", "household", "entity"] {
        let count = losing.get(kind).map_or(0, BTreeSet::len) as u64;
        assert_eq!(effect["losing"][kind].as_u64(), Some(count), "{register}: {kind}s");
    }
    changes
}

#[test]
fn a_register_that_stops_costs_what_a_run_without_it_finds_missing() {
    let (found, _) = json(&["--registers"]);
    let loads = found["loads"].as_array().expect("registers");
    assert_eq!(loads.len(), 28);
    let today = Had::today();
    let mut changes = 0;
    for load in loads {
        let register = load["register"].as_str().expect("a name");
        let then = match load["role"].as_str().expect("a role") {
            // These are read where they are given, whatever is allowed to be missing.
            "payments" | "refusals" => {
                let city = City::new().without(register);
                Had::of_outcome(&Outcome::of(&["--policies", POLICIES, "--sources", &city.sources()]).clean())
            }
            _ => Had::of_outcome(&Outcome::of_sample(&["--allow-missing", register]).clean()),
        };
        changes += differ_by(&load["stops"], &today, &then, register);
    }
    assert!(changes > 100, "{changes} pairs of register and policy change");
    // What is paid already would be paid again.
    let payments = loads.iter().find(|load| load["register"] == "grants_paid").expect("declared");
    assert_eq!(payments["stops"]["total"]["given_again"].as_u64(), Some(sample().table("given").len() as u64));
    // Without the list of persons nobody has anything.
    let population = loads.iter().find(|load| load["register"] == "population").expect("declared");
    let persons: BTreeSet<&String> = today.have.keys().map(|(_, id)| id).filter(|id| today.kinds[*id] == "person").collect();
    assert_eq!(population["stops"]["losing"]["person"].as_u64(), Some(persons.len() as u64));
    assert_eq!(texts(&population["lists"]), ["person"]);
}

#[test]
fn a_register_that_is_late_beyond_its_promise_is_stale() {
    let (found, _) = json(&["--register", "marriage", "--late", "40"]);
    let load = &found["loads"][0];
    assert_eq!((&load["late_days"], &load["stale_when_late"], &load["late"]), (&40.into(), &false.into(), &Value::Null));
    assert_eq!(found["loads"].as_array().map(Vec::len), Some(1));
    let (found, _) = json(&["--register", "marriage", "--late", "41"]);
    let load = &found["loads"][0];
    assert_eq!(load["stale_when_late"], true);
    let city = City::new().dated("marriage", "2026-05-20");
    let stale = Outcome::of(&["--policies", POLICIES, "--sources", &city.sources()]).clean();
    assert!(differ_by(&load["late"], &Had::today(), &Had::of_outcome(&stale), "marriage") > 0);
    let table = asked(&["--register", "marriage", "--late", "41"]);
    assert!(table.stdout.contains("41 days late") && table.stdout.contains("stale: 22 subjects"), "{}", table.stdout);
    let table = asked(&["--register", "marriage", "--lang", "zh"]);
    assert!(table.stdout.contains("迟报 30 天") && table.stdout.contains("仍在期"), "{}", table.stdout);
}

#[test]
fn only_what_is_asked_for_is_told_of_registers() {
    let (found, _) = json(&[SUBSISTENCE, "--register", "vehicles"]);
    let load = &found["loads"][0];
    assert_eq!(texts(&load["read_by"]), [SUBSISTENCE]);
    let told: Vec<&str> =
        load["stops"]["policies"].as_array().expect("policies").iter().filter_map(|policy| policy["policy"].as_str()).collect();
    assert_eq!(told, [SUBSISTENCE]);
    // What did not come cannot stop.
    let (found, _) = json(&["--register", "grants_paid", "--allow-missing", "grants_paid"]);
    let load = &found["loads"][0];
    assert_eq!((&load["freshness"], &load["stops"], &load["late"]), (&"absent".into(), &Value::Null, &Value::Null));
    // The rent that is waived for those who have the allowance hangs on it too, through the allowance.
    let (found, _) = json(&["990100-ZJ-0002", "--register", "vehicles"]);
    let stops = &found["loads"][0]["stops"]["policies"][0];
    assert_eq!((&stops["policy"], &stops["reads"]), (&"990100-ZJ-0002".into(), &false.into()));
    assert_eq!(found["loads"][0]["read_by"], Value::Array(Vec::new()));
}

#[test]
fn threads_do_not_change_a_byte() {
    let outputs: Vec<String> = ["1", "2"].map(|threads| asked(&["--registers", "--late", "45", "--threads", threads]).stdout).to_vec();
    assert_eq!(outputs[0], outputs[1]);
    assert!(outputs[0].contains("lists all persons: without it everything about persons stops"), "{}", outputs[0]);
}
