//! `mianshen match` on bad input, a full disk and an interruption: told with its place and a help, nothing half-written.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use arrow::array::RecordBatch;
use tempfile::TempDir;

use super::outcome::{POLICIES, bytes, copy_of_sample, differing, names_beside, rewrite, text_of, write_all};
use super::support::{Policies, Run, command, run};

/// A copy of the sample to spoil, and the place of its results, where an earlier run may lie.
struct Spoiled {
    folder: TempDir,
}

impl Spoiled {
    fn new() -> Self {
        let folder = copy_of_sample();
        fs::create_dir(folder.path().join("results")).expect("a folder");
        Self { folder }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("city").join(file)
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("results/out")
    }

    /// Replaces a text of `sources.yaml`, which must be there.
    #[track_caller]
    fn replace(&self, old: &str, new: &str) {
        let path = self.path("sources.yaml");
        let text = fs::read_to_string(&path).expect("the file is there");
        assert!(text.contains(old), "sources.yaml has no `{old}`");
        fs::write(path, text.replacen(old, new, 1)).expect("written");
    }

    /// Writes a Parquet register anew.
    fn rewrite(&self, register: &str, change: impl Fn(RecordBatch) -> RecordBatch) {
        rewrite(&self.path(register), change);
    }

    fn arguments<'a>(&self, policies: &'a str, lang: &'a str) -> Vec<String> {
        let (sources, out) = (self.path("sources.yaml"), self.out());
        let arguments = ["match", "--policies", policies, "--sources", text_of(&sources), "--out", text_of(&out), "--lang", lang];
        arguments.map(str::to_owned).to_vec()
    }

    fn run(&self, policies: &str, lang: &str) -> Run {
        let arguments = self.arguments(policies, lang);
        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The run fails with these texts on stderr, one of them a help; there is no result, and an earlier one stays.
    #[track_caller]
    fn told(&self, policies: &str, lang: &str, texts: &[&str]) {
        for earlier in [None, Some(Self::earlier())] {
            match &earlier {
                Some(files) => write_all(&self.out(), files),
                None => assert!(!self.out().exists()),
            }
            let found = self.run(policies, lang);
            assert!(matches!(found.code, Some(1 | 2)), "exit code {:?}\n{}", found.code, found.stderr);
            assert_eq!(found.stdout, "", "nothing on stdout");
            let help = if lang == "zh" { "= 帮助: " } else { "= help: " };
            for text in texts.iter().chain([&help]) {
                assert!(found.stderr.contains(text), "no `{text}` in:\n{}", found.stderr);
            }
            self.left_as(earlier.as_ref());
        }
        fs::remove_dir_all(self.out()).expect("removed");
    }

    /// What a run knows an earlier one by, and a result.
    fn earlier() -> BTreeMap<String, Vec<u8>> {
        [("manifest.json", "{}\n"), ("grants.parquet", "of before")].map(|(name, text)| (name.to_owned(), text.into())).into()
    }

    /// At the place of results stands the earlier run alone, or nothing.
    #[track_caller]
    fn left_as(&self, earlier: Option<&BTreeMap<String, Vec<u8>>>) {
        let names = names_beside(&self.out());
        match earlier {
            None => assert_eq!(names, Vec::<String>::new(), "something was left behind"),
            Some(earlier) => {
                assert_eq!(names, ["out"], "something was left behind");
                assert_eq!(differing(earlier, &bytes(&self.out())), Vec::<String>::new(), "the earlier run was touched");
            }
        }
    }
}

#[test]
fn a_register_that_sources_do_not_name() {
    let city = Spoiled::new();
    city.replace("  death: {path: death.parquet, format: parquet, data_day: 2026-06-30}\n", "");
    city.told(POLICIES, "en", &["MS2001 register-missing", "register `death` (Death register) has no source", "add death to sources.yaml"]);
    city.told(POLICIES, "zh", &["MS2001 register-missing", "登记库“death”(死亡登记) 没有来源", "--allow-missing death"]);
}

#[test]
fn a_register_whose_file_is_missing() {
    let city = Spoiled::new();
    fs::remove_file(city.path("death.parquet")).expect("removed");
    let (file, sources) = (city.path("death.parquet"), city.path("sources.yaml"));
    let place = format!("{}:9:17", sources.display());
    city.told(POLICIES, "en", &["MS2001 register-missing", &format!("register death has no file at {}", file.display()), &place]);
    city.told(POLICIES, "zh", &["MS2001 register-missing", &format!("库 death 的文件不存在: {}", file.display()), &place]);
}

#[test]
fn a_column_that_is_missing() {
    let city = Spoiled::new();
    city.rewrite("death.parquet", |batch| batch.project(&[0, 2]).expect("two columns"));
    let file = city.path("death.parquet").display().to_string();
    city.told(POLICIES, "en", &["MS2002 column-missing", "register death lacks column `death_date`", &file, "person_id, recorded_on"]);
    city.told(POLICIES, "zh", &["MS2002 column-missing", "库 death 缺少列“death_date”", &file, "person_id, recorded_on"]);
}

#[test]
fn an_encoding_that_is_not_the_declared_one() {
    let city = Spoiled::new();
    city.replace("encoding: gbk", "encoding: utf-8");
    let place = format!("{} line 1", city.path("disability_cards.csv").display());
    city.told(POLICIES, "en", &["MS2003 wrong-encoding", "register disability_cards is not utf-8", &place, "it seems to be gb18030"]);
    city.told(POLICIES, "zh", &["MS2003 wrong-encoding", "disability_cards.csv 第 1 行", "看来应为 gb18030"]);
}

#[test]
fn a_parquet_file_without_its_end() {
    let city = Spoiled::new();
    let file = city.path("population.parquet");
    let whole = fs::read(&file).expect("the file is there");
    fs::write(&file, &whole[..whole.len() / 2]).expect("written");
    let file = file.display().to_string();
    city.told(POLICIES, "en", &["MS2004 file-unreadable", "register population cannot be read", &file]);
    city.told(POLICIES, "zh", &["MS2004 file-unreadable", "库 population 的文件读不了", &file]);
}

#[test]
fn a_parquet_file_without_its_middle() {
    let city = Spoiled::new();
    let file = city.path("social_insurance.parquet");
    let whole = fs::read(&file).expect("the file is there");
    let torn = [&whole[..whole.len() / 4], &whole[whole.len() / 2..]].concat();
    fs::write(&file, torn).expect("written");
    city.told(POLICIES, "en", &["MS2004 file-unreadable", "register social_insurance", &file.display().to_string()]);
}

#[test]
fn a_complete_register_without_rows() {
    let city = Spoiled::new();
    city.rewrite("death.parquet", |batch| batch.slice(0, 0));
    let place = format!("{}:9:17", city.path("sources.yaml").display());
    city.told(POLICIES, "en", &["MS2005 register-empty", "the complete register death has no rows", &place, "may_be_empty: true"]);
    city.told(POLICIES, "zh", &["MS2005 register-empty", "完整的库 death 一行也没有", &place]);
}

#[test]
fn a_policy_about_an_unknown_fact() {
    const FILE: &str = "990100/old-age-allowance/policy.yaml";
    let (city, policies) = (Spoiled::new(), Policies::new());
    policies.replace(FILE, "when: not deceased or", "when: not deceasd or");
    let place = policies.place(FILE, "id: alive", "deceasd");
    city.told(policies.dir(), "en", &["MS1011 unknown-fact", "unknown fact `deceasd`", &place, "`deceased`"]);
    city.told(policies.dir(), "zh", &["MS1011 unknown-fact", "没有“deceasd”这个事实", &place, "“deceased”"]);
}

#[test]
fn sources_that_are_no_yaml() {
    let city = Spoiled::new();
    city.replace("data_root: .", "data_root: [.");
    city.told(POLICIES, "en", &[&city.path("sources.yaml").display().to_string()]);
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    for (lang, told) in [("en", "the directory holds something else than a run, and is left alone"), ("zh", "目录里有别的文件，不覆盖")]
    {
        let city = Spoiled::new();
        fs::create_dir(city.out()).expect("a folder");
        fs::write(city.out().join("notes.txt"), "mine").expect("written");
        let before = bytes(&city.out());
        let found = city.run(POLICIES, lang);
        assert_eq!(found.code, Some(2));
        assert!(found.stderr.contains("MS3002 output-failed") && found.stderr.contains(told), "{}", found.stderr);
        assert!(found.stderr.contains("--out"), "{}", found.stderr);
        city.left_as(Some(&before));
    }
}

#[test]
fn an_unknown_choice_is_told_with_what_is_known() {
    let wrong =
        [("--policy", "990100-MZ-0009", "990100-MZ-000"), ("--allow-missing", "deaths", "`death`"), ("--region", "990999", "regions.yaml")];
    for (option, value, help) in wrong {
        let city = Spoiled::new();
        let mut arguments = city.arguments(POLICIES, "en");
        arguments.extend([option.to_owned(), value.to_owned()]);
        let found = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(matches!(found.code, Some(1 | 2)), "{option}");
        assert!(found.stderr.contains(&format!("`{value}`")) && found.stderr.contains(help), "{}", found.stderr);
        city.left_as(None);
    }
}

#[test]
fn a_since_that_is_no_run() {
    let city = Spoiled::new();
    let mut arguments = city.arguments(POLICIES, "en");
    let nowhere = city.path("nowhere").display().to_string();
    arguments.extend(["--since".to_owned(), nowhere.clone()]);
    let found = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(matches!(found.code, Some(1 | 2)), "{}", found.stderr);
    assert!(found.stderr.contains(&nowhere) && found.stderr.contains("= help: "), "{}", found.stderr);
    city.left_as(None);
}

/// Files may grow to so many blocks of the shell, then writing fails: a disk that is full sooner or later.
#[cfg(unix)]
#[test]
fn a_disk_that_is_full_leaves_nothing() {
    for (blocks, lang) in [(8, "en"), (24, "zh"), (40, "en")] {
        let city = Spoiled::new();
        let before = Spoiled::earlier();
        write_all(&city.out(), &before);
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
        let program = env!("CARGO_BIN_EXE_mianshen");
        let output =
            Command::new("sh").args(["-c", &script, "sh", program]).args(city.arguments(POLICIES, lang)).output().expect("sh starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{blocks}: {stderr}");
        assert!(stderr.contains("os error 27"), "{blocks}: {stderr}");
        city.left_as(Some(&before));
    }
}

/// A city that takes some seconds, interrupted while its registers are read.
#[cfg(unix)]
#[test]
fn an_interruption_leaves_nothing() {
    let city = Spoiled::new();
    let big = city.folder.path().join("big");
    let made = run(&["generate", "--persons", "50000", "--out", text_of(&big)]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    let before = Spoiled::earlier();
    for (earlier, lang, told) in [(None, "zh", "已中断"), (Some(&before), "en", "interrupted")] {
        if earlier.is_some() {
            write_all(&city.out(), &before);
        }
        let (sources, out) = (big.join("sources.yaml"), city.out());
        let arguments = ["match", "--policies", POLICIES, "--sources", text_of(&sources), "--out", text_of(&out), "--lang", lang];
        let running = command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        std::thread::sleep(Duration::from_millis(300));
        let signalled = Command::new("sh").args(["-c", &format!("kill -INT {}", running.id())]).status().expect("sh starts");
        assert!(signalled.success(), "it is still running");
        let output = running.wait_with_output().expect("it ends");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("MS3005 interrupted") && stderr.contains(told), "{stderr}");
        city.left_as(earlier);
    }
}
