//! The rule bench on the sample city: a trial is a simulation, which is two runs of `match`, for an edit of every shipped policy.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use mianshen::commands::folder::PolicyFolder;
use mianshen::diagnostic::progress::{Cancel, Silent};
use mianshen::diagnostic::{Diagnostic, Severity};
use mianshen::dossier::Options;
use mianshen::register::Sources;
use mianshen::simulate::Law;
use mianshen::simulate::results::{Line, Results};
use mianshen::simulate::trial::{Bench, Edit, Holding, Telling, Text, Trial};
use tokio::runtime::Runtime;

use super::outcome::{Outcome, POLICIES, SAMPLE, text_of};
use super::simulate::{Simulation, ask, by_hand};
use super::support::Policies;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime"));

static FOLDER: LazyLock<PolicyFolder> = LazyLock::new(|| PolicyFolder::load(Path::new(POLICIES)));

static BENCH: LazyLock<Bench> = LazyLock::new(|| {
    let sources = Sources::load(Path::new(&format!("{SAMPLE}/sources.yaml"))).expect("sources");
    let scratch = std::env::temp_dir();
    let holding = Holding {
        law: Law {
            documents: &FOLDER.set.policies,
            checked: &FOLDER.checked.policies,
            parameters: &FOLDER.set.parameters,
            regions: &FOLDER.regions,
            known_at: None,
        },
        catalogue: &FOLDER.checked.catalogue,
        as_of: "2026-06-30".parse().expect("a day"),
        sources: &sources,
        allow_missing: &BTreeSet::new(),
        options: Options::new(2, scratch),
        progress: Arc::new(Silent),
        cancel: Cancel::default(),
    };
    in_runtime(Bench::hold(holding)).map_err(mianshen::dossier::DossierError::into_diagnostic).expect("the sample can be held")
});

fn in_runtime<T>(work: impl Future<Output = T>) -> T {
    RUNTIME.block_on(work)
}

fn try_out(edit: &Edit, least: u64) -> Result<Trial, Vec<Diagnostic>> {
    in_runtime(BENCH.trial(edit, Telling { least, people: 2 }))
}

fn text_of_policy(name: &str) -> Text {
    let path = Path::new(POLICIES).join(name);
    Text { text: std::fs::read_to_string(&path).expect("a policy"), path }
}

/// A policy whose text has one number of its criteria or amounts changed; none where these hold no number.
fn with_a_number_changed(path: &Path) -> Option<Text> {
    let text = std::fs::read_to_string(path).expect("a policy");
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let words = line.trim_start().trim_start_matches("- ").trim_start_matches('{');
        if ["when:", "amount:", "limit:"].iter().any(|key| words.starts_with(key))
            && let Some(changed) = numbered(line)
        {
            return Some(Text { path: path.to_owned(), text: format!("{}{changed}{}", &text[..start], &text[start + line.len()..]) });
        }
        start += line.len();
    }
    None
}

/// A line with its last whole number raised by one, outside quotes and names.
fn numbered(line: &str) -> Option<String> {
    let bytes = line.as_bytes();
    let mut quoted = false;
    let mut found = None;
    let mut at = 0;
    while at < bytes.len() {
        quoted ^= bytes[at] == b'\'';
        let is_start = bytes[at].is_ascii_digit() && !bytes[at - 1].is_ascii_alphanumeric() && !b"_.-".contains(&bytes[at - 1]);
        let end = at + bytes[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if is_start && !quoted && bytes.get(end).is_none_or(|byte| !byte.is_ascii_alphanumeric() && !b"_.-".contains(byte)) {
            found = Some(at..end);
        }
        at = end.max(at + 1);
    }
    let place = found?;
    let number: i64 = line[place.clone()].parse().ok()?;
    Some(format!("{}{}{}", &line[..place.start], number + 1, &line[place.end..]))
}

/// The first parameter that a policy names.
fn parameter_of(text: &str) -> Option<&str> {
    let (_, behind) = text.split_once("param('")?;
    behind.split_once('\'').map(|(name, _)| name)
}

/// For every policy in force an edit that changes one number: in its text, or of a parameter that it reads.
fn edits() -> BTreeMap<String, Edit> {
    let in_force = BENCH.law().in_force(BENCH.as_of);
    let edits = in_force.into_iter().filter_map(|(code, policy)| {
        let path = &policy.document.path;
        if let Some(text) = with_a_number_changed(path) {
            return Some((code, Edit { policies: vec![text], ..Edit::default() }));
        }
        let text = std::fs::read_to_string(path).expect("a policy");
        let name = parameter_of(&text)?;
        Some((code, Edit { set: vec![format!("{name}=+10%")], ..Edit::default() }))
    });
    edits.collect()
}

fn money(hundredths: i64) -> String {
    format!("{}{}.{:02}", if hundredths < 0 { "-" } else { "" }, hundredths.unsigned_abs() / 100, hundredths.unsigned_abs() % 100)
}

/// Lines as `by_hand` gives them.
fn told<'a>(results: &Results, lines: impl Iterator<Item = &'a Line>) -> Vec<String> {
    let mut told: Vec<String> = lines
        .filter(|line| line.tally.classes.iter().sum::<u64>() > 0)
        .filter_map(|line| {
            let tally = &line.tally;
            let [same, gains, loses, more, less, unclear] = tally.classes;
            let code = &results.policies[line.policy?].code;
            let sum = same + gains + loses + more + less + unclear;
            let (was, is) = (money(tally.amount[0]), money(tally.amount[1]));
            Some(format!("{code}|{}|{}|{}|{gains}|{loses}|{more}|{less}|{sum}|{was}|{is}", line.value, tally.before, tally.after))
        })
        .collect();
    told.sort();
    told
}

/// Who changes, one line each, sorted.
fn changed(trial: &Trial) -> Vec<String> {
    let batches = in_runtime(trial.changed.clone().collect()).expect("rows");
    let text = arrow::util::pretty::pretty_format_batches(&batches).map_or_else(|error| error.to_string(), |text| text.to_string());
    text.lines().map(str::to_owned).collect()
}

#[test]
fn all_edits_at_once_are_what_simulate_and_match_tell() {
    let policies = Policies::new();
    let mut all = Edit::default();
    for edit in edits().into_values() {
        for text in edit.policies {
            let inside = text.path.strip_prefix(POLICIES).expect("a shipped policy");
            policies.write(text_of(inside), &text.text);
            all.policies.push(text);
        }
        all.set.extend(edit.set);
    }
    assert!(all.policies.len() > 25 && !all.set.is_empty(), "{} {}", all.policies.len(), all.set.len());
    let trial = try_out(&all, 0).unwrap_or_else(|told| panic!("{told:?}"));
    // Parameters are set for `match` where they are written: by the trial's own words.
    for set in &trial.results.set {
        assert!(set.before.is_some(), "{set:?}");
    }
    let mut arguments = vec!["--policies", POLICIES, "--against", policies.dir(), "--small-cells", "0", "--set"];
    arguments.extend(all.set.iter().map(String::as_str));
    let simulation = Simulation::of(&arguments).clean();
    let cells = simulation.file("cells.parquet");
    let by_simulate = |value: &str, of: &str| {
        let sum = "gains + loses + more + less + unclear + same";
        let codes: Vec<String> = trial.results.policies.iter().map(|policy| format!("'{}'", policy.code)).collect();
        ask(
            &[("cells", &cells)],
            &format!(
                "SELECT policy, {value}, before, after, gains, loses, more, less, {sum}, amount_before, amount_after FROM cells \
                 WHERE policy IN ({}) AND dimension {of} AND {sum} > 0 ORDER BY 1, 2",
                codes.join(", ")
            ),
        )
    };
    assert_eq!(told(&trial.results, trial.results.totals.iter()), by_simulate("''", "IS NULL"));
    assert_eq!(told(&trial.results, trial.results.cells.iter()), by_simulate("value", "= 'county'"));
    // Of the policies that only texts change, two runs of `match` tell the same.
    let sources = format!("{SAMPLE}/sources.yaml");
    let before = Outcome::of_sample(&[]).clean();
    let after = Outcome::of(&["--policies", policies.dir(), "--sources", &sources]).clean();
    let files = [("grants", &before), ("given", &before), ("grants", &after), ("given", &after)];
    let paths = files.map(|(name, run)| run.out().join(format!("{name}.parquet")));
    let names = ["grants_before", "given_before", "grants_after", "given_after"];
    let files: Vec<(&str, &Path)> = names.into_iter().zip(paths.iter().map(PathBuf::as_path)).collect();
    let texts = Edit { policies: all.policies, ..Edit::default() };
    let trial = try_out(&texts, 0).unwrap_or_else(|told| panic!("{told:?}"));
    let codes: BTreeSet<&str> = trial.results.policies.iter().map(|policy| &*policy.code).collect();
    let is_judged = |line: &String| codes.contains(line.split('|').next().unwrap_or(""));
    let by_match: Vec<String> = ask(&files, &by_hand("''")).into_iter().filter(is_judged).collect();
    assert!(by_match.len() > 25, "{by_match:?}");
    assert_eq!(told(&trial.results, trial.results.totals.iter()), by_match);
}

#[test]
fn each_edit_alone_is_what_all_policies_together_tell() {
    let mut moved = 0;
    for (code, edit) in edits() {
        let trial = try_out(&edit, 0).unwrap_or_else(|told| panic!("{code}: {told:?}"));
        let whole = in_runtime(BENCH.whole(&edit, Telling { least: 0, people: 0 })).unwrap_or_else(|told| panic!("{code}: {told:?}"));
        let both = BTreeSet::from([&trial, &whole].map(|trial| changed(trial).len()));
        // Numbers of policies differ, for one judges some and the other all: who changes is told by code below.
        assert_eq!(both.len(), 1, "{code}");
        moved += usize::from(changed(&trial).len() > 4);
        let codes: BTreeSet<&str> = trial.results.policies.iter().map(|policy| &*policy.code).collect();
        let of_some = |results: &Results, lines: Vec<Line>| {
            let lines: Vec<String> = told(results, lines.iter());
            lines.into_iter().filter(|line| codes.contains(line.split('|').next().unwrap_or(""))).collect::<Vec<_>>()
        };
        assert_eq!(of_some(&trial.results, trial.results.totals.clone()), of_some(&whole.results, whole.results.totals.clone()), "{code}");
        assert_eq!(of_some(&trial.results, trial.results.cells.clone()), of_some(&whole.results, whole.results.cells.clone()), "{code}");
        for policy in &trial.results.policies {
            let other = whole.results.policies.iter().find(|other| other.code == policy.code).expect("among all");
            assert_eq!(policy, other, "{code}");
        }
        assert!(trial.reached.contains(&code), "{code}: {:?}", trial.reached);
        let counted = trial.results.policies.iter().find(|policy| *policy.code == *code).expect("the edited policy");
        assert!(counted.in_force[1] && !counted.funnel[1].is_empty(), "{code}");
    }
    assert!(moved > 25, "{moved} edits change somebody");
}

#[test]
fn new_facts_are_made_of_what_is_held() {
    let (person, household) = ("990100/old-age-allowance/policy.yaml", "990100/zero-employment-household/policy.yaml");
    let (mut of_person, mut of_household) = (text_of_policy(person), text_of_policy(household));
    let change = |text: &mut Text, old: &str, new: &str| {
        assert!(text.text.contains(old), "{old}");
        text.text = text.text.replace(old, new);
    };
    let when = "not deceased or death_month >= month_of(months_before(as_of, 1))";
    change(
        &mut of_person,
        when,
        &format!("({when}) and (spouse.birth_date < 1948-01-01 or mother.birth_date < 1910-01-01 or spouse.deceased)"),
    );
    change(
        &mut of_household,
        "age between 16 and 59 and not full_time_student",
        "age between 20 and 50 and residence_region in ('990102', '990103')",
    );
    let edit = Edit { policies: vec![of_person.clone(), of_household.clone()], ..Edit::default() };
    let trial = try_out(&edit, 0).unwrap_or_else(|told| panic!("{told:?}"));
    let policies = Policies::new();
    policies.write(person, &of_person.text);
    policies.write(household, &of_household.text);
    let simulation = Simulation::of(&["--policies", POLICIES, "--against", policies.dir(), "--small-cells", "0"]).clean();
    let codes: Vec<&str> = trial.edited.iter().map(String::as_str).collect();
    assert_eq!(codes.len(), 2);
    let by_simulate = ask(
        &[("cells", &simulation.file("cells.parquet"))],
        &format!(
            "SELECT policy, '', before, after, gains, loses, more, less, gains + loses + more + less + unclear + same, amount_before, \
             amount_after FROM cells WHERE policy IN ('{}', '{}') AND dimension IS NULL ORDER BY 1",
            codes[0], codes[1]
        ),
    );
    let lines = told(&trial.results, trial.results.totals.iter());
    let of_trial: Vec<String> = lines.into_iter().filter(|line| codes.iter().any(|code| line.starts_with(code))).collect();
    assert_eq!(of_trial, by_simulate);
    assert!(changed(&trial).len() > 4);
}

#[test]
fn mistakes_are_told_at_the_character() {
    let mut text = text_of_policy("990100/old-age-allowance/policy.yaml");
    text.text = text.text.replace(">= 80", ">= eighty").replace("not deceased or", "not deceasd or");
    let told = try_out(&Edit { policies: vec![text.clone()], ..Edit::default() }, 0).err().expect("mistakes");
    let places: BTreeSet<String> = told
        .iter()
        .filter(|diagnostic| diagnostic.severity == Severity::Error)
        .filter_map(|diagnostic| diagnostic.primary.as_ref().map(|span| span.text().to_owned()))
        .collect();
    assert!(places.contains("eighty") && places.contains("deceasd"), "{places:?}");
    let unknown = try_out(&Edit { set: vec!["subsistance_line=1".to_owned()], ..Edit::default() }, 0).err().expect("a mistake");
    assert_eq!(unknown[0].code.name, "unknown-parameter");
    let empty = Text { text: String::new(), ..text.clone() };
    assert_eq!(try_out(&Edit { policies: vec![empty], ..Edit::default() }, 0).err().expect("a mistake")[0].code.name, "yaml-syntax");
    // A second file with the code of a policy that is there.
    let twin = Text { path: PathBuf::from("elsewhere/policy.yaml"), text: text_of_policy("990100/old-age-allowance/policy.yaml").text };
    let trial = try_out(&Edit { policies: vec![twin], ..Edit::default() }, 0).unwrap_or_else(|told| panic!("{told:?}"));
    assert!(changed(&trial).len() <= 4, "the same text changes nobody");
}

#[test]
fn edited_parameter_files_count_as_set_ones() {
    let path = Path::new(POLICIES).join("parameters/assistance.yaml");
    let text = std::fs::read_to_string(&path).expect("parameters").replace("value: 1020, status", "value: 1150, status");
    let by_file = Edit { parameters: vec![Text { path, text }], ..Edit::default() };
    let by_file = try_out(&by_file, 0).unwrap_or_else(|told| panic!("{told:?}"));
    let policies = Policies::new();
    policies.replace("parameters/assistance.yaml", "value: 1020, status", "value: 1150, status");
    assert!(by_file.edited.len() > 1, "{:?}", by_file.edited);
    assert!(changed(&by_file).len() > 4);
    let simulation = Simulation::of(&["--policies", POLICIES, "--against", policies.dir(), "--small-cells", "0"]).clean();
    let one_by_one = ask(&[("c", &simulation.file("changed.parquet"))], "SELECT count(*) FROM c");
    assert_eq!(
        one_by_one,
        [by_file.results.totals.iter().filter(|line| line.policy.is_some()).map(|line| line.tally.changed()).sum::<u64>().to_string()]
    );
}

#[test]
fn few_people_are_not_told() {
    let edit = Edit { set: vec!["subsistence_line=+1%".to_owned()], ..Edit::default() };
    let trial = try_out(&edit, 5).unwrap_or_else(|told| panic!("{told:?}"));
    let few = |count: u64| (1..5).contains(&count);
    for line in trial.results.totals.iter().chain(&trial.results.cells) {
        assert!(!few(line.tally.before) && !few(line.tally.after) && !line.tally.classes.iter().any(|count| few(*count)), "{line:?}");
    }
    for person in &trial.results.people {
        assert!(person.masked.contains('*'), "{}", person.masked);
    }
}
