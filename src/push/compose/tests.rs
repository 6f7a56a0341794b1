//! Messages composed from cases.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::diagnostic::SourceFile;
use crate::policy;
use crate::push::link::holds;
use crate::settings::Secret;
use crate::yaml::Texts;

const AT: i64 = 1_782_831_600_000_000; // 2026-06-30T15:00:00Z, 23:00 at +08:00

const SETTINGS: &str = "
quiet_hours: {from: '21:00', to: '08:00'}
channels:
  - {name: people, subjects: [person, household], file: {folder: out}}
  - {name: firms, subjects: [entity], policies: ['990100-RS'], file: {folder: out}}
";

/// A folder of policies, with what is read of it.
struct World {
    _folder: TempDir,
    set: PolicySet,
    templates: Templates,
    settings: Settings,
}

fn policy_text(code: &str, subject: &str, name: &str) -> String {
    format!(
        "code: {code}\nname: {name}\nauthority: {{code: 990100-MZ, name: 样例市民政局}}\ncovers: {{region: '990100', by: hukou_region}}\nsubject: {subject}\nin_force: {{from: 2024-01-01}}\nbasis:\n  - {{id: measures, title: 办法, article: 第五条, status: sample}}\ncriteria:\n  all:\n    - {{id: age, label: {{zh: 年满八十, en: 80 or older}}, clause: 年满80周岁, basis: measures, when: age >= 80}}\n    - {{id: alive, clause: 健在的, basis: measures, when: not deceased}}\nbenefit: {{kind: cash, amount: '100', period: month, clause: 标准, basis: measures}}\ndelivery: {{mode: automatic}}\n"
    )
}

fn world(settings: &str, files: &[(&str, &str)]) -> World {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    write("a/policy.yaml", &policy_text("990100-MZ-0001", "person", "{zh: 高龄津贴, en: Old-age allowance}"));
    write("b/policy.yaml", &policy_text("990100-MZ-0002", "person", "{zh: 护理补贴, en: Care allowance}"));
    write("c/policy.yaml", &policy_text("990100-RS-0003", "entity", "{zh: 稳岗返还, en: Refund}"));
    write("bundles/b.yaml", "id: late\nname: {zh: 晚年一件事, en: Late life}\npolicies: [990100-MZ-0001, 990100-MZ-0002]\n");
    for (path, text) in files {
        write(path, text);
    }
    let (set, told) = policy::load(folder.path());
    assert!(told.is_empty(), "{told:?}");
    let (templates, told) = Templates::load(&set, &Texts::default());
    assert!(told.is_empty(), "{told:?}");
    let mut settings = Settings::read(&SourceFile::new(folder.path().join("push.yaml"), settings)).expect("settings");
    settings.links = Some(crate::push::link::Links {
        base: url::Url::parse("https://fw.example/m").expect("an address"),
        key: Secret::new("a key for links of tests"),
        days: 30,
    });
    World { _folder: folder, set, templates, settings }
}

impl World {
    fn compose(&self, kind: Kind, cases: &[About<'_>]) -> Composed {
        Composer { policies: &self.set, templates: &self.templates, settings: &self.settings }.compose(kind, 1, cases, AT)
    }
}

fn about<'a>(case: &'a str, policy: &'a str, reasons: &[&'a str]) -> About<'a> {
    About {
        case,
        policy,
        version: None,
        kind: SubjectKind::Person,
        subject: "11010519491231002X",
        period: "2026-06",
        occasion: None,
        member: None,
        payee: Some("11010519491231002X"),
        amount: Some(120_050),
        reasons: reasons.to_vec(),
        mode: Mode::Automatic,
        notify: true,
        until: None,
        note: None,
    }
}

fn read(message: &NewMessage) -> Message {
    serde_json::from_slice(&message.body).expect("JSON")
}

#[test]
fn a_message_says_what_why_how_much_and_how_to_refuse() {
    let world = world(SETTINGS, &[]);
    let composed = world.compose(Kind::Found, &[about("c1", "990100-MZ-0001", &["age"])]);
    let [new] = &composed.messages[..] else { panic!("{composed:?}") };
    let message = read(new);
    assert_eq!((&*new.channel, &*new.subject, &new.cases[..]), ("people", "11010519491231002X", &["c1".to_owned()][..]));
    assert_eq!((message.version, &message.id, message.kind.name()), (1, &new.id, "found"));
    assert_eq!((&*message.subject.masked, &*message.at), ("1101**********002X", "2026-06-30T15:00:00Z"));
    let item = &message.items[0];
    assert_eq!((item.amount.as_deref(), &*item.unit, &*item.period), (Some("1200.50"), "CNY", "2026-06"));
    assert_eq!(item.reasons.len(), 1);
    assert_eq!(item.reasons[0].clause.as_deref(), Some("《办法》第五条: 年满80周岁"));
    let (link, object) = (item.link.clone().expect("a link"), item.object.clone().expect("a link"));
    let token = link.split_once("?t=").expect("a token").1;
    assert!(holds(&Secret::new("a key for links of tests"), "c1", token, AT));
    assert_eq!(message.title.zh, "“高龄津贴”免申即享");
    assert_eq!(
        message.text.zh,
        format!(
            "您符合“高龄津贴”的条件: 年满八十。金额 1,200.50 元。所属期: 2026年6月。不用申请, 由样例市民政局直接办理。查看: {link} 不需要或有异议的: {object}"
        )
    );
    assert_eq!(
        message.text.en,
        format!(
            "By the registers, you can have “Old-age allowance”: 80 or older. Amount: 1,200.50 CNY. For: June 2026. No application is needed; it comes from 样例市民政局. To see it: {link} To refuse or object: {object}"
        )
    );
    assert_eq!(new.not_before, 1_782_864_000_000_000, "23:00 waits for 08:00 of the next morning");
}

#[test]
fn what_is_not_known_leaves_no_gap() {
    let mut world = world(SETTINGS, &[]);
    world.settings.links = None;
    let bare = About { amount: None, period: "", payee: None, ..about("c1", "990100-MZ-0001", &[]) };
    let message = read(&world.compose(Kind::ToConfirm, &[bare]).messages[0]);
    assert_eq!(message.text.zh, "您符合“高龄津贴”的条件。确认一次即可, 不用申请。不需要或有异议的: 请向样例市民政局提出");
    assert_eq!(
        message.text.en,
        "By the registers, you can have “Old-age allowance”. One confirmation is enough; no application is needed. To refuse or object: please turn to 样例市民政局"
    );
    let item = &message.items[0];
    assert_eq!((&item.amount, &item.link, &item.payee), (&None, &None, &None));
}

#[test]
fn a_bundle_goes_as_one_message() {
    let world = world(SETTINGS, &[]);
    let (one, two) = (about("c1", "990100-MZ-0001", &["age"]), about("c2", "990100-MZ-0002", &["age"]));
    let other = About { subject: "p2", ..about("c3", "990100-MZ-0002", &["age"]) };
    let composed = world.compose(Kind::Found, &[two.clone(), other, one.clone()]);
    let [bundle, single] = &composed.messages[..] else { panic!("{composed:?}") };
    assert_eq!(bundle.cases, ["c1", "c2"]);
    let message = read(bundle);
    assert_eq!(message.bundle.as_ref().map(|bundle| &*bundle.id), Some("late"));
    assert_eq!(message.title.en, "Late life: 2 benefits");
    let lines: Vec<&str> = message.text.zh.lines().collect();
    assert_eq!(lines[0], "晚年一件事, 您有2项:");
    assert!(lines[1].starts_with("1. 您符合“高龄津贴”") && lines[2].starts_with("2. 您符合“护理补贴”"), "{lines:?}");
    assert_eq!((&*single.subject, read(single).bundle), ("p2", None), "one of a bundle alone is no bundle");
    let again = world.compose(Kind::Found, &[one, two]);
    assert_eq!(again.messages[0].id, bundle.id, "the same occasion, the same identifier");
}

#[test]
fn who_opted_out_is_told_nothing_and_the_case_says_so() {
    let world = world(SETTINGS, &[]);
    let silent = About { notify: false, ..about("c1", "990100-MZ-0001", &[]) };
    let nowhere = About { kind: SubjectKind::Entity, ..about("c2", "990100-MZ-0001", &[]) };
    let unknown = about("c3", "990100-MZ-0099", &[]);
    let firm = About { kind: SubjectKind::Entity, subject: "91110000100000000X", ..about("c4", "990100-RS-0003", &[]) };
    let composed = world.compose(Kind::Found, &[silent, nowhere, unknown, firm]);
    let silent: Vec<(&str, Silence)> = composed.silent.iter().map(|(case, why)| (&**case, *why)).collect();
    assert_eq!(silent, [("c1", Silence::OptedOut), ("c2", Silence::NoChannel), ("c3", Silence::UnknownPolicy)]);
    let [firm] = &composed.messages[..] else { panic!("{composed:?}") };
    assert_eq!(firm.channel, "firms");
    assert!(read(firm).text.zh.starts_with("贵单位符合"));
}

#[test]
fn a_policy_has_its_own_words_where_it_says_some() {
    let own = "found:\n  title: {zh: '{policy}到了'}\n  text: {en: 'For {subject}[, at last {note}][: {occasion}].'}\n";
    let world = world(SETTINGS, &[("a/messages.yaml", own)]);
    let about = About { occasion: Some("11010519491231002X"), ..about("c1", "990100-MZ-0001", &[]) };
    let message = read(&world.compose(Kind::Found, std::slice::from_ref(&about)).messages[0]);
    assert_eq!(message.title.zh, "高龄津贴到了");
    assert_eq!(message.title.en, "Old-age allowance: given without an application", "what it does not say stays");
    assert_eq!(message.text.en, "For 1101**********002X: 1101**********002X.");
    let other = About { policy: "990100-MZ-0002", ..about };
    assert_eq!(read(&world.compose(Kind::Found, &[other]).messages[0]).title.zh, "“护理补贴”免申即享");
}

#[test]
fn what_waits_can_be_dropped() {
    let world = world(SETTINGS, &[]);
    let message = world.compose(Kind::Found, &[about("c1", "990100-MZ-0001", &[])]).messages.remove(0);
    let row = |state| MessageRow { number: 1, message: message.clone(), at: AT, state, tries: 2, told: String::new(), changed_at: AT };
    let steps = drop_waiting(&MessageState::ALL.map(row), "withdrawn");
    let [step] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!((step.state, step.tries, &*step.told), (MessageState::Dropped, 2, "withdrawn"));
}
