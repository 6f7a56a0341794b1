//! `mianshen case` as a black box: from the night's run to payment, and the next night.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::serve::{CITY, copy_store, rows};
use crate::store::postgres::Server;
use crate::support::{Run, run};

const POLICY: &str = "990100-MZ-0007";
const DEPARTMENT: &str = "990100-MZ";
/// The day of the city's run.
const DAY: &str = "2026-06-30";

/// The city's store.
struct City {
    folder: TempDir,
    store: String,
}

impl City {
    /// A copy of the one that there is.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy_store(CITY.path(), folder.path());
        let store = folder.path().join("city.db").to_str().expect("UTF-8").to_owned();
        Self { folder, store }
    }

    /// The same city matched into a database.
    fn on(store: String) -> Self {
        let city = Self { folder: tempfile::tempdir().expect("a temporary folder"), store };
        let matched = run(&["match", "--store", &city.store, "--out", &city.path("first"), "--format", "csv", "--lang", "en"]);
        assert_eq!(matched.code, Some(0), "{}", matched.stderr);
        city
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn case(&self, arguments: &[&str]) -> Run {
        run(&[&["case", arguments[0], "--store", &self.store, "--lang", "en"], &arguments[1..]].concat())
    }

    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let ran = self.case(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// A step of an official, of all cases of the policy.
    fn step_of_all(&self, step: &str, today: &str) -> String {
        self.done(&[step, "--policy", POLICY, "--actor", "张三", "--department", DEPARTMENT, "--today", today])
    }

    fn matched(&self, more: &[&str]) -> Run {
        let out = self.path("next");
        run(&[&["match", "--store", &self.store, "--out", &out, "--format", "csv", "--lang", "en"], more].concat())
    }

    fn next(&self, table: &str) -> Vec<std::collections::BTreeMap<String, String>> {
        let mut reader = csv::Reader::from_path(Path::new(&self.path("next")).join(format!("{table}.csv"))).expect("the result file");
        reader.deserialize().map(|row| row.expect("a row")).collect()
    }
}

fn granted(policy: &str) -> usize {
    rows("grants").iter().filter(|row| row["status"] == "granted" && (policy.is_empty() || row["policy"] == policy)).count()
}

fn thousands(number: usize) -> String {
    mianshen::report::count(number as u64)
}

#[test]
fn cases_go_their_way_on_sqlite() {
    a_night_its_cases_their_payment_and_the_next_night(&City::new());
    refusals_say_what_is_possible_and_requests_are_answered_once(&City::new());
}

#[test]
fn cases_go_their_way_on_postgresql() {
    let Some(server) = Server::start() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let city = |name: &str| City::on(runtime.block_on(server.place(name)).address);
    a_night_its_cases_their_payment_and_the_next_night(&city("night"));
    refusals_say_what_is_possible_and_requests_are_answered_once(&city("refusals"));
}

fn a_night_its_cases_their_payment_and_the_next_night(city: &City) {
    let (all, of_policy) = (granted(""), granted(POLICY));
    assert!(of_policy > 10, "{of_policy} grants of the policy");
    assert_eq!(city.done(&["open"]), format!("run 1 · new cases {} · recomputed 0 · reviews (no longer found) 0\n", thousands(all)));
    assert_eq!(
        city.done(&["open"]),
        "run 1 · new cases 0 · recomputed 0 · reviews (no longer found) 0\n",
        "the same run again changes nothing"
    );
    let ids: BTreeSet<String> = rows("grants").iter().filter(|row| row["policy"] == POLICY).map(|row| row["grant_id"].clone()).collect();
    let listed = city.done(&["list", "--policy", POLICY, "--limit", "100000"]);
    assert!(ids.iter().all(|id| listed.contains(id)), "a case has the identifier of its grant");
    let people: Vec<String> = rows("grants").iter().filter(|row| row["policy"] == POLICY).map(|row| row["subject_id"].clone()).collect();
    assert!(people.iter().all(|id| !listed.contains(id)), "nobody is named in full");

    // Some are for an official to look at first, some want no messages.
    let counted = |wanted: &dyn Fn(&std::collections::BTreeMap<String, String>) -> bool| {
        rows("grants").iter().filter(|row| row["policy"] == POLICY && wanted(row)).count()
    };
    let said = |number: usize| format!("done {}\n", thousands(number));
    let done = said(of_policy);
    assert_eq!(city.step_of_all("review", "2026-06-20"), said(counted(&|row| row["mode"] == "review")));
    assert_eq!(city.step_of_all("publish", "2026-06-20"), done);
    let out = city.path("lists");
    city.done(&["lists", "--out", &out, "--today", "2026-06-21"]);
    let list = fs::read_to_string(Path::new(&out).join(format!("{POLICY}.csv"))).expect("the list");
    assert_eq!(list.lines().count(), of_policy + 1);
    assert!(people.iter().all(|id| !list.contains(id)) && list.contains("2026-06-20,2026-06-25"), "{list}");
    assert!(fs::read_to_string(Path::new(&out).join(format!("{POLICY}.html"))).expect("the page").contains("Old-age allowance"));

    assert_eq!(city.step_of_all("tell", "2026-06-24"), "done 0\n", "the notice is not over");
    assert_eq!(city.step_of_all("tell", "2026-06-25"), said(counted(&|row| row["notify"] == "true")));
    assert_eq!(city.step_of_all("pay", "2026-06-26"), done);
    let shown = city.done(&["show", ids.first().expect("one"), "--by", "张三"]);
    for word in ["found", "published", "told hand", "paid", "张三 (990100-MZ)", "an official may: object, rate, close"] {
        assert!(shown.contains(word), "{word}: {shown}");
    }

    // The next night: what was paid is given, nothing of it is found again, and nobody has lost anything.
    let matched = city.matched(&["--as-of", DAY]);
    assert_eq!(matched.code, Some(0), "{}", matched.stderr);
    // Its manifest names the state of the ledger that it read: one event for each case found, and those that officials added.
    let manifest = fs::read_to_string(Path::new(&city.path("next")).join("manifest.json")).expect("the manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let events = city.done(&["verify"]);
    let count = events.split("events ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a number").replace(',', "");
    assert_eq!(manifest["ledger"]["event"].to_string(), count, "{events}");
    assert!(
        manifest["ledger"]["at_rest"] == true && manifest["ledger"]["hash"].as_str().is_some_and(|hash| hash.len() == 64),
        "{manifest}"
    );
    let granted_again = city.next("grants").iter().filter(|row| row["policy"] == POLICY && row["status"] == "granted").count();
    assert_eq!(granted_again, 0);
    let others = city.next("grants").iter().filter(|row| row["policy"] != POLICY && row["status"] == "granted").count();
    assert_eq!(others, all - of_policy);
    assert!(city.next("conflicts").iter().all(|row| row["other_source"] != "ledger"));
    assert_eq!(city.done(&["open"]), "run 2 · new cases 0 · recomputed 0 · reviews (no longer found) 0\n");
    let verified = city.done(&["verify"]);
    assert!(verified.ends_with("the chain is whole\n") && verified.starts_with(&format!("cases {} · ", thousands(all))), "{verified}");
}

fn refusals_say_what_is_possible_and_requests_are_answered_once(city: &City) {
    city.done(&["open"]);
    let grants = rows("grants");
    let id = &grants.iter().find(|row| row["policy"] == POLICY).expect("a grant")["grant_id"];
    let official = ["--actor", "张三", "--department", DEPARTMENT, "--today", "2026-07-01"];
    let early = city.case(&[&["pay", id][..], &official].concat());
    assert_eq!(early.code, Some(1));
    assert!(
        early.stderr.contains("the case waits for: publication; possible now: publish, return, object, correct, withdraw"),
        "{}",
        early.stderr
    );
    let other = city.case(&["publish", id, "--actor", "李四", "--department", "990100-RS"]);
    assert_eq!(other.code, Some(1));
    assert!(other.stderr.contains("department 990100-MZ answers for it"), "{}", other.stderr);
    let bare = city.case(&[&["withdraw", id][..], &official].concat());
    assert!(bare.code == Some(1) && bare.stderr.contains("a ground must be given"), "{}", bare.stderr);
    let asked = [&["publish", id, "--request", "r1"][..], &official].concat();
    assert_eq!(city.done(&asked), "done 1\n");
    assert_eq!(city.done(&asked), "done 0 · the same request: unchanged 1\n");
    let nobody = city.case(&["show", "0000", "--by", "张三"]);
    assert_eq!(nobody.code, Some(2));
    assert!(nobody.stderr.contains("there is no case 0000"), "{}", nobody.stderr);
    // The look at the case is on the trail of its subject.
    city.done(&["show", id, "--by", "张三"]);
    let subject = &grants.iter().find(|row| row["grant_id"] == *id).expect("a grant")["subject_id"];
    let looked = run(&["audit", "show", "--store", &city.store, "--subject", subject, "--by", "赵六", "--lang", "en"]);
    assert!(looked.stdout.contains("casework") && looked.stdout.contains("张三"), "{}", looked.stdout);
}

#[test]
fn what_was_changed_behind_its_back_is_found() {
    let city = City::new();
    city.done(&["open"]);
    let live = fs::read_dir(city.folder.path()).expect("the folder").filter_map(Result::ok).map(|entry| entry.path());
    let live = live.filter(|path| path.to_string_lossy().ends_with(".live")).collect::<Vec<_>>();
    let path = live.first().expect("the live file");
    let tamper = |sql: &str| {
        let changed = rusqlite::Connection::open(path).expect("a database").execute(sql, []).expect("tampering");
        assert_eq!(changed, 1, "{sql}");
        let verified = city.case(&["verify"]);
        assert_eq!(verified.code, Some(1), "{sql}: {}", verified.stdout);
        verified.stdout
    };
    // The case alone, its events as they were: no hash tells, but their sum does.
    let case = "(SELECT id FROM case_row WHERE body LIKE '%\"paid_on\":null%' ORDER BY id LIMIT 1)";
    let told = tamper(&format!(
        "UPDATE case_row SET body = CAST(replace(body, '\"step\":\"found\"', '\"step\":\"paid\"') AS BLOB) WHERE id = {case}"
    ));
    assert!(told.contains("it is not what its events add up to"), "{told}");
    let told = tamper("UPDATE case_content SET body = CAST(replace(body, 'found', 'funny') AS BLOB) WHERE seq = 2");
    assert!(told.contains("the content of record 2 was edited") && told.ends_with("the chain is not whole\n"), "{told}");
}

/// Somebody who stands in the grants once, in one place, and the grant.
fn once() -> std::collections::BTreeMap<String, String> {
    let grants = rows("grants");
    let mut found = grants.iter().filter(|row| row["status"] == "granted" && row["policy"].starts_with("990100-"));
    let times = |id: &str| grants.iter().filter(|row| row.values().any(|value| value.contains(id))).count();
    found.find(|row| times(&row["subject_id"]) == 1).expect("somebody").clone()
}

/// Whether a text stands anywhere in the live part's files.
fn holds(city: &City, text: &str) -> bool {
    let files = fs::read_dir(city.folder.path()).expect("the folder").map(|entry| entry.expect("an entry").path());
    let live = files.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".live")));
    let bytes: Vec<Vec<u8>> = live.map(|path| fs::read(path).expect("read")).collect();
    assert!(!bytes.is_empty(), "there is a live file");
    bytes.iter().any(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[test]
fn the_content_of_a_case_that_is_over_is_erased_in_due_form() {
    let city = City::new();
    city.done(&["open"]);
    let grant = once();
    let (id, subject) = (&grant["grant_id"], &grant["subject_id"]);
    let (department, _) = grant["policy"].rsplit_once('-').expect("a department and a number");
    let erase =
        |department: &str, reason: &str| city.case(&["erase", id, "--actor", "张三", "--department", department, "--reason", reason]);
    let refused = |ran: Run, word: &str| assert!(ran.code == Some(1) && ran.stderr.contains(word), "{word}: {}{}", ran.stdout, ran.stderr);
    refused(erase(department, "保存期满"), "the case is neither closed nor withdrawn yet");
    let note = "王家外孙代领";
    city.done(&["withdraw", id, "--actor", "张三", "--department", department, "--note", note]);
    refused(erase("990000-XX", "保存期满"), &format!("department {department} answers for it"));
    refused(erase(department, " "), "a ground must be given");
    assert!(holds(&city, subject) && holds(&city, note), "it is there before");
    let erased = erase(department, "保存期满");
    assert_eq!((erased.code, erased.stdout.as_str()), (Some(0), "erased 1\n"), "{}", erased.stderr);
    assert!(!holds(&city, subject) && !holds(&city, note), "nothing of the person is left in the files");
    let again = erase(department, "保存期满");
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), "erased 0\n"), "{}", again.stderr);
    refused(city.case(&["erase", "0000", "--actor", "张三", "--department", department, "--reason", "x"]), "there is no case 0000");
    let verified = city.done(&["verify"]);
    assert!(verified.ends_with("the chain is whole\n"), "{verified}");
    let shown = city.done(&["show", id, "--by", "赵六"]);
    assert!(shown.contains("(erased)") && shown.contains("withdrawn") && !shown.contains(note), "{shown}");
    // The same grant, found again, begins no second case; nothing more can be done with this one.
    assert_eq!(city.done(&["open"]), "run 1 · new cases 0 · recomputed 0 · reviews (no longer found) 0\n");
    refused(city.case(&["object", id, "--actor", "王五", "--role", "public", "--note", "x"]), "its content was erased");
    let trail = run(&["audit", "verify", "--store", &city.path("city.db"), "--lang", "en"]);
    assert_eq!(trail.code, Some(0), "{}{}", trail.stdout, trail.stderr);
}
