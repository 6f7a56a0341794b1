//! `mianshen simulate` on the sample city: its sums are those of two runs of `match`, its months those of later runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use tempfile::TempDir;

use super::outcome::{Outcome, POLICIES, Rows, SAMPLE, json, text_of};
use super::support::{Policies, Run, run};

/// A run of `simulate`, alone in a folder of its own.
pub(crate) struct Simulation {
    folder: TempDir,
    run: Run,
}

impl Simulation {
    pub(crate) fn of(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("out");
        let sources = format!("{SAMPLE}/sources.yaml");
        let ground: &[&str] = if arguments.contains(&"--dossiers") { &[] } else { &["--sources", &sources] };
        let run = run(&[&["simulate", "--lang", "en", "--out", text_of(&out)], ground, arguments].concat());
        Self { folder, run }
    }

    #[track_caller]
    pub(crate) fn clean(self) -> Self {
        assert_eq!(self.run.code, Some(0), "{}", self.run.stderr);
        self
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("out").join(name)
    }

    fn table(&self, name: &str) -> Rows {
        Rows::read(&self.file(name))
    }
}

/// A copy of the shipped policies in which more changes: a higher line, a lower allowance, and nothing ever stale.
fn changed() -> Policies {
    let policies = Policies::new();
    for (old, new) in [("value: 1020, status", "value: 1150, status"), ("value: 920, status", "value: 850, status")] {
        policies.replace("parameters/assistance.yaml", old, new);
    }
    policies.replace("990100/old-age-allowance/policy.yaml", ">= 80", ">= 79");
    policies
}

/// Takes from every register the promise to be fresh: later runs then see what a look ahead sees.
fn never_stale(policies: &Policies) {
    for entry in fs::read_dir(Path::new(policies.dir()).join("registers")).expect("the registers") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("UTF-8");
        let kept: String = text.lines().filter(|line| !line.starts_with("fresh_within")).map(|line| format!("{line}\n")).collect();
        fs::write(&path, kept).expect("written");
    }
}

/// The answer of SQL over files, as lines of text.
pub(crate) fn ask(files: &[(&str, &Path)], sql: &str) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let config = SessionConfig::new().set_bool("datafusion.execution.parquet.schema_force_view_types", false);
        let context = SessionContext::new_with_config(config);
        for (name, path) in files {
            context.register_parquet(*name, text_of(path), ParquetReadOptions::default()).await.expect("a table");
        }
        let batches = context.sql(sql).await.expect("a query").collect().await.expect("an answer");
        let rows = batches.iter().flat_map(|batch| {
            let columns: Vec<_> =
                batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &FormatOptions::default()).expect("text")).collect();
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|"))
                .collect::<Vec<_>>()
        });
        rows.collect()
    })
}

/// What subjects have of each policy in a run of `match`: grants to be delivered, and those given already.
const HAVE: &str = "(SELECT subject_kind, subject_id, policy, county, amount FROM grants_SIDE WHERE status = 'granted' \
                    UNION ALL SELECT subject_kind, subject_id, policy, county, amount FROM given_SIDE)";

fn have(side: &str) -> String {
    HAVE.replace("SIDE", side)
}

/// By policy and `county` (or nothing): how many have it, and how much, before and after; gains, losses, more, less, same.
pub(crate) fn by_hand(county: &str) -> String {
    let pairs = |side: &str| {
        format!(
            "SELECT subject_kind, subject_id, policy, max(county) AS county, count(*) AS n, sum(coalesce(amount, 0)) AS amount \
             FROM {} GROUP BY 1, 2, 3",
            have(side)
        )
    };
    format!(
        "WITH b AS ({}), a AS ({}), p AS (SELECT coalesce(b.policy, a.policy) AS policy, coalesce(b.county, a.county) AS county, \
         b.n AS before, a.n AS after, coalesce(b.amount, 0) AS was, coalesce(a.amount, 0) AS is_now FROM b FULL JOIN a \
         ON b.subject_kind = a.subject_kind AND b.subject_id = a.subject_id AND b.policy = a.policy) \
         SELECT policy, {county}, count(before), count(after), count(*) FILTER (WHERE before IS NULL), count(*) FILTER (WHERE after IS NULL), \
         count(*) FILTER (WHERE before IS NOT NULL AND is_now > was AND after IS NOT NULL), \
         count(*) FILTER (WHERE after IS NOT NULL AND is_now < was AND before IS NOT NULL), count(*), sum(was), sum(is_now) \
         FROM p GROUP BY 1, 2 ORDER BY 1, 2",
        pairs("before"),
        pairs("after")
    )
}

#[test]
fn sums_are_those_of_sql_over_two_runs_of_match() {
    let policies = changed();
    let simulation = Simulation::of(&["--policies", POLICIES, "--against", policies.dir(), "--small-cells", "0"]).clean();
    let sources = format!("{SAMPLE}/sources.yaml");
    let before = Outcome::of_sample(&[]).clean();
    let after = Outcome::of(&["--policies", policies.dir(), "--sources", &sources]).clean();
    let paths = [
        before.out().join("grants.parquet"),
        before.out().join("given.parquet"),
        after.out().join("grants.parquet"),
        after.out().join("given.parquet"),
    ];
    let names = ["grants_before", "given_before", "grants_after", "given_after"];
    let files: Vec<(&str, &Path)> = names.into_iter().zip(paths.iter().map(PathBuf::as_path)).collect();
    let cells = simulation.file("cells.parquet");
    let told = |value: &str, of: &str| {
        // A policy that nothing changes in is told as a whole only.
        let sum = "gains + loses + more + less + unclear + same";
        ask(
            &[("cells", &cells)],
            &format!(
                "SELECT policy, {value}, before, after, gains, loses, more, less, {sum}, amount_before, amount_after FROM cells \
                      WHERE policy IS NOT NULL AND dimension {of} AND {sum} > 0 ORDER BY 1, 2"
            ),
        )
    };
    let by_policy = ask(&files, &by_hand("''"));
    assert!(by_policy.len() > 10, "{by_policy:?}");
    assert_eq!(told("''", "IS NULL"), by_policy);
    let by_county = told("value", "= 'county'");
    let policies: BTreeSet<&str> = by_county.iter().filter_map(|line| line.split('|').next()).collect();
    assert!(policies.len() >= 3, "{policies:?}");
    let expected: Vec<String> =
        ask(&files, &by_hand("county")).into_iter().filter(|line| policies.contains(line.split('|').next().unwrap_or(""))).collect();
    assert_eq!(by_county, expected);
    // Who changed is told one by one, and adds up to the cells.
    let changed = simulation.file("changed.parquet");
    let one_by_one = ask(&[("c", &changed)], "SELECT policy, change, count(*) FROM c GROUP BY 1, 2 ORDER BY 1, 2");
    let in_cells = ask(
        &[("cells", &cells)],
        "SELECT * FROM (SELECT policy, 'gains', gains AS n FROM cells WHERE dimension IS NULL UNION ALL SELECT policy, 'loses', loses FROM cells \
         WHERE dimension IS NULL UNION ALL SELECT policy, 'more', more FROM cells WHERE dimension IS NULL UNION ALL SELECT policy, 'less', less \
         FROM cells WHERE dimension IS NULL) WHERE n > 0 AND policy IS NOT NULL ORDER BY 1, 2",
    );
    assert_eq!(one_by_one, in_cells);
    assert!(
        one_by_one.iter().any(|line| line.contains("|gains|")) && one_by_one.iter().any(|line| line.contains("|less|")),
        "{one_by_one:?}"
    );
    assert_eq!(json(&simulation.file("manifest.json"))["same_dossiers"], true);
}

/// Who has what on a day by `match`, as policy and subject.
fn have_by_match(policies: &Policies, day: &str) -> BTreeSet<String> {
    let sources = format!("{SAMPLE}/sources.yaml");
    let outcome = Outcome::of(&["--policies", policies.dir(), "--sources", &sources, "--as-of", day]).clean();
    let (grants, given) = (outcome.out().join("grants.parquet"), outcome.out().join("given.parquet"));
    let files: [(&str, &Path); 2] = [("grants_x", &grants), ("given_x", &given)];
    ask(&files, &format!("SELECT DISTINCT policy, subject_id FROM {}", have("x"))).into_iter().collect()
}

#[test]
fn months_ahead_are_runs_of_match_on_later_days() {
    let (policies, against) = (Policies::new(), changed());
    never_stale(&policies);
    never_stale(&against);
    let simulation =
        Simulation::of(&["--policies", policies.dir(), "--against", against.dir(), "--small-cells", "0", "--forecast", "3"]).clean();
    let (events, months) = (simulation.file("events.parquet"), simulation.file("months.parquet"));
    let mut moved = 0;
    for (side, folder) in [("before", &policies), ("after", &against)] {
        let mut have = have_by_match(folder, "2026-06-30");
        for day in ["2026-07-31", "2026-08-31", "2026-09-30"] {
            let of_day = |event: &str| {
                let sql = format!("SELECT policy, subject_id FROM e WHERE side = '{side}' AND day = DATE '{day}' AND event = '{event}'");
                ask(&[("e", &events)], &sql)
            };
            let (enter, leave) = (of_day("enters"), of_day("leaves"));
            moved += enter.len() + leave.len();
            for pair in &leave {
                assert!(have.remove(pair), "{pair} leaves and was not there");
            }
            for pair in enter {
                assert!(have.insert(pair.clone()), "{pair} enters and was there");
            }
            assert_eq!(have, have_by_match(folder, day), "{side} {day}");
            let sql = format!("SELECT subjects FROM m WHERE side = '{side}' AND day = DATE '{day}' AND policy IS NULL");
            assert_eq!(ask(&[("m", &months)], &sql), [have.len().to_string()]);
        }
    }
    assert!(moved > 0, "somebody enters or leaves within three months");
}

#[test]
fn small_cells_are_not_shown_and_pages_stand_alone() {
    let simulation = Simulation::of(&["--policies", POLICIES, "--set", "subsistence_line=+10%"]).clean();
    let cells = simulation.file("cells.parquet");
    let columns = ["before", "after", "same", "gains", "loses", "more", "less", "unclear"];
    let few: Vec<String> = columns.iter().map(|column| format!("{column} BETWEEN 1 AND 4")).collect();
    assert_eq!(ask(&[("c", &cells)], &format!("SELECT * FROM c WHERE {}", few.join(" OR "))), Vec::<String>::new());
    assert!(!ask(&[("c", &cells)], "SELECT * FROM c WHERE before IS NULL").is_empty(), "the sample has small cells");
    assert!(!ask(&[("c", &cells)], "SELECT * FROM c WHERE dimension IS NOT NULL AND before > 0").is_empty(), "not everything is hidden");
    for (name, word) in [("report.zh.html", "谁受益"), ("report.en.html", "Who gains")] {
        let page = fs::read_to_string(simulation.file(name)).expect("a page");
        assert!(page.contains(word) && page.contains("<svg"), "{name}");
        for outside in ["src=", "href=", "url(", "@import", "<script"] {
            assert!(!page.contains(outside), "{name} has {outside}");
        }
    }
}

#[test]
fn a_parameter_that_is_not_there_is_named() {
    let simulation = Simulation::of(&["--policies", POLICIES, "--set", "subsistance_line=1100"]);
    assert_eq!(simulation.run.code, Some(2));
    assert!(simulation.run.stderr.contains("unknown-parameter"), "{}", simulation.run.stderr);
    assert!(simulation.run.stderr.contains("did you mean `subsistence_line`"), "{}", simulation.run.stderr);
    assert!(!simulation.file("manifest.json").exists());
}

#[test]
fn a_git_revision_is_what_was_before() {
    let policies = Policies::new();
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
        let status = Command::new("git").args(identity).args(arguments).current_dir(policies.dir()).output().expect("git").status;
        assert!(status.success(), "{arguments:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "before"]);
    policies.replace("parameters/assistance.yaml", "value: 1020, status", "value: 1150, status");
    let by_git = Simulation::of(&["--policies", policies.dir(), "--against-git", "HEAD", "--small-cells", "0"]).clean();
    let by_folder = Simulation::of(&["--policies", POLICIES, "--against", policies.dir(), "--small-cells", "0"]).clean();
    let lines = |simulation: &Simulation| ask(&[("c", &simulation.file("cells.parquet"))], "SELECT * FROM c");
    assert_eq!(lines(&by_git), lines(&by_folder));
    assert!(by_git.table("changed.parquet").len() > 0);
    let unknown = Simulation::of(&["--policies", policies.dir(), "--against-git", "no-such-revision"]);
    assert_eq!(unknown.run.code, Some(2));
}

const FILE_POLICY: &str = "\
code: 000000-TT-0001
name: {zh: 测试津贴, en: Test allowance}
authority: {code: 000000-TT, name: 测试局}
covers: {region: \"000000\"}
subject: person
in_force: {from: 2024-01-01}
basis: [{id: rule, title: 测试办法, status: sample}]
criteria:
  all:
    - {id: income, clause: 收入低于标准, basis: rule, when: income < param('line')}
benefit: {kind: cash, amount: param('line') - income, unit: CNY, period: month}
delivery: {mode: automatic, notice_days: 5, pay_within_days: 20}
";

#[test]
fn a_dossier_file_can_be_simulated_on() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join("policies").join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    };
    let regions = fs::read_to_string(Path::new(POLICIES).join("regions.yaml")).expect("regions");
    write("regions.yaml", &regions);
    write("test/policy.yaml", FILE_POLICY);
    write(
        "parameters/lines.yaml",
        "parameters:\n  - name: line\n    label: {zh: 标准, en: Line}\n    type: money\n    unit: CNY/month\n    values:\n      \
         - {region: \"000000\", from: 2024-01-01, value: 500, status: sample, source: 测试}\n",
    );
    let dossiers = folder.path().join("dossiers.parquet");
    let ids: Vec<String> = (0..100).map(|at| format!("P{at:03}")).collect();
    let sexes: Vec<&str> = (0..100).map(|at| if at % 2 == 0 { "female" } else { "male" }).collect();
    let columns: [(&str, arrow::array::ArrayRef); 3] = [
        ("id", std::sync::Arc::new(arrow::array::StringArray::from_iter_values(ids))),
        ("income", std::sync::Arc::new(arrow::array::Int64Array::from_iter_values((0..100).map(|at| at * 10)))),
        ("sex", std::sync::Arc::new(arrow::array::StringArray::from_iter_values(sexes))),
    ];
    let batch = arrow::array::RecordBatch::try_from_iter(columns).expect("columns of one length");
    let file = fs::File::create(&dossiers).expect("a file");
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    let policies = folder.path().join("policies");
    let simulation =
        Simulation::of(&["--policies", text_of(&policies), "--dossiers", text_of(&dossiers), "--as-of", "2026-06-30", "--set", "line=600"])
            .clean();
    let cells = simulation.file("cells.parquet");
    // Incomes of 0, 10, … 490 before; up to 590 after: ten more, and 100 more for each of fifty.
    let sql = "SELECT before, after, gains, more, month_before, month_after FROM c WHERE policy IS NOT NULL AND dimension IS NULL";
    assert_eq!(ask(&[("c", &cells)], sql), ["50|60|10|50|12750.00|18300.00"]);
    let by_sex = ask(&[("c", &cells)], "SELECT value, gains FROM c WHERE policy IS NOT NULL AND dimension = 'sex' ORDER BY 1");
    assert_eq!(by_sex, ["female|5", "male|5"]);
    assert!(simulation.run.stdout.contains("no fact for \"Age\""), "{}", simulation.run.stdout);
}
