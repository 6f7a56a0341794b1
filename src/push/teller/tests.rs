//! What subjects hear as their cases move on, on a real store, up to what the channel did with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use tempfile::TempDir;

mod settle;

use super::*;
use crate::diagnostic::SourceFile;
use crate::ledger::{Actor, Command, Grant, Plan, VERSION, act};
use crate::policy;
use crate::policy::document::PolicySet;
use crate::push::channel::{Channel, Outcome};
use crate::push::worker::{Until, Worker};
use crate::push::{Settings, Templates};
use crate::register::declaration::SubjectKind;
use crate::store::Address;
use crate::store::live::CaseStep;
use crate::yaml::Texts;

const POLICY: &str = "code: 990100-MZ-0001
name: {zh: 高龄津贴, en: Old-age allowance}
authority: {code: 990100-MZ, name: 样例市民政局}
covers: {region: '990100', by: hukou_region}
subject: person
in_force: {from: 2024-01-01}
basis:
  - {id: measures, title: 办法, status: sample}
criteria:
  - {id: age, clause: 年满80周岁, basis: measures, when: age >= 80}
benefit: {kind: cash, amount: '100', period: month, clause: 标准, basis: measures}
delivery: {mode: confirm}
";

/// A channel that remembers what it was given.
#[derive(Default)]
struct Ear {
    heard: std::sync::Mutex<Vec<(Kind, u32, Vec<String>)>>,
    refuses: bool,
}

#[async_trait]
impl Channel for Ear {
    async fn send(&self, message: &NewMessage, _: i64) -> Outcome {
        let told: Message = serde_json::from_slice(&message.body).expect("a message");
        self.heard.lock().expect("a lock").push((told.kind, told.number, message.cases.clone()));
        if self.refuses { Outcome::Never("HTTP 422".to_owned()) } else { Outcome::Taken("HTTP 200".to_owned()) }
    }
}

struct World {
    _folder: TempDir,
    live: Arc<dyn Live>,
    set: PolicySet,
    templates: Templates,
    settings: Settings,
    ear: Arc<Ear>,
    now: Arc<AtomicI64>,
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

/// Noon of a day, in Beijing.
fn noon(day: NaiveDate) -> i64 {
    day.and_hms_opt(4, 0, 0).expect("a time").and_utc().timestamp_micros()
}

impl World {
    /// On SQLite, and nothing waited for.
    async fn new(refuses: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = format!("sqlite:{}", folder.path().join("city.db").display());
        let live = Address::parse(&address).expect("an address").make().await.expect("a store").live().await.expect("its live part");
        Self::on(live, folder, "0s", refuses)
    }

    fn on(live: Arc<dyn Live>, folder: TempDir, settle: &str, refuses: bool) -> Self {
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("p/a/policy.yaml", POLICY);
        write("p/b/policy.yaml", &POLICY.replace("990100-MZ-0001", "990100-MZ-0002"));
        write("p/c/policy.yaml", &POLICY.replace("990100-MZ-0001", "990100-MZ-0003"));
        write("p/bundles/b.yaml", "id: late\nname: {zh: 晚年一件事, en: Late life}\npolicies: [990100-MZ-0001, 990100-MZ-0002]\n");
        let (set, told) = policy::load(&folder.path().join("p"));
        assert!(told.is_empty(), "{told:?}");
        let (templates, _) = Templates::load(&set, &Texts::default());
        let text = format!("remind_days: 3\nsettle: {settle}\nchannels: [{{name: ear, file: {{folder: out}}}}]\n");
        let settings = Settings::read(&SourceFile::new(folder.path().join("push.yaml"), text)).expect("settings");
        let now = Arc::new(AtomicI64::new(noon(day("2026-06-01"))));
        Self { _folder: folder, live, set, templates, settings, ear: Arc::new(Ear { refuses, ..Ear::default() }), now }
    }

    fn teller(&self) -> Teller<'_> {
        let composer = Composer { policies: &self.set, templates: &self.templates, settings: &self.settings };
        Teller { live: &*self.live, composer }
    }

    fn at(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn go_to(&self, text: &str) {
        self.now.store(noon(day(text)), Ordering::SeqCst);
    }

    fn today(&self) -> NaiveDate {
        day_of(self.at(), self.settings.offset())
    }

    /// What follows from all events, from the first one on: as after every restart that forgot how far it was.
    async fn follow(&self) -> Asked {
        let dropped = self.teller().withdraw(1, 1_000, self.at()).await.expect("looked").dropped;
        Asked { dropped, ..self.teller().follow(1, 1_000, self.at()).await.expect("followed") }
    }

    async fn look(&self) -> u64 {
        self.teller().day(self.today(), self.settings.remind_days, self.at()).await.expect("looked").messages
    }

    /// Sends what is due; gives what left.
    async fn send(&self) -> Vec<(Kind, u32)> {
        let now = Arc::clone(&self.now);
        let worker = Worker {
            live: Arc::clone(&self.live),
            channels: vec![("ear".to_owned(), Arc::clone(&self.ear) as Arc<dyn Channel>)],
            pace: self.settings.pace,
            quiet: None,
            offset: self.settings.offset(),
            clock: Arc::new(move || now.load(Ordering::SeqCst)),
            dice: Arc::new(|| 0.5),
            heard: Arc::new(|_| {}),
        };
        let before = self.ear.heard.lock().expect("a lock").len();
        worker.run(&Until::Drained).await.expect("drained");
        self.ear.heard.lock().expect("a lock")[before..].iter().map(|(kind, number, _)| (*kind, *number)).collect()
    }

    async fn find(&self, cases: &[(&str, &str, Plan)]) {
        let step = |(id, policy, plan): &(&str, &str, Plan)| {
            let grant = Grant {
                kind: SubjectKind::Person,
                subject: "p1".to_owned(),
                policy: (*policy).to_owned(),
                version: 1,
                department: "990100-MZ".to_owned(),
                region: "990101".to_owned(),
                period: "2026-06".to_owned(),
                occasion: None,
                member: None,
                payee: Some("p1".to_owned()),
                amount: Some(10_000),
                unit: "CNY".to_owned(),
                reasons: vec!["age".to_owned()],
            };
            let what = What::Found { grant, plan: plan.clone(), corrects: None };
            let (actor, note, request) = (Actor::system("match"), String::new(), String::new());
            let event = Event { v: VERSION, day: self.today(), actor, note, request, what };
            let case = Case::begin(id, &event).expect("it begins a case");
            CaseStep { row: case.row(), expect: 0, events: vec![serde_json::to_vec(&event).expect("JSON")] }
        };
        let batch = Batch { at: self.at(), cases: cases.iter().map(step).collect(), ..Batch::default() };
        self.live.commit(&batch).await.expect("found");
    }

    async fn act(&self, case: &str, command: Command, actor: &Actor) {
        let row = self.live.case(case).await.expect("read").expect("the case");
        let step = act(&row, &command, actor, ("理由", ""), self.today()).expect("readable").expect("possible").expect("new");
        self.live.commit(&Batch { at: self.at(), cases: vec![step], ..Batch::default() }).await.expect("done");
    }

    async fn case(&self, id: &str) -> Case {
        Case::of(&self.live.case(id).await.expect("read").expect("the case")).expect("readable")
    }

    async fn events(&self, id: &str) -> Vec<&'static str> {
        let events = self.live.case_events(id).await.expect("read");
        events.iter().map(|event| Event::read(&event.content.as_ref().expect("content").1).expect("ours").what.name()).collect()
    }
}

fn plan(notice_days: u32, confirm: bool) -> Plan {
    Plan { reviews: 0, notice_days, tell: true, confirm, reply_days: Some(10), no_reply: None, pay_days: Some(30) }
}

fn official() -> Actor {
    Actor::official("李丽", "clerk", "990100-MZ")
}

#[tokio::test]
async fn a_case_on_its_way_is_told_step_by_step_and_says_so() {
    let world = World::new(false).await;
    world.find(&[("c1", "990100-MZ-0001", plan(5, true))]).await;
    assert_eq!(world.follow().await.messages, 0, "it is to be published first");
    world.act("c1", Command::Publish, &official()).await;
    assert_eq!(world.follow().await.messages, 1);
    assert_eq!(world.send().await, [(Kind::Published, 1)]);
    assert_eq!((world.look().await, world.follow().await.messages), (0, 0), "the notice is not over, and nothing is told twice");
    world.go_to("2026-06-06");
    assert_eq!((world.look().await, world.look().await), (1, 0));
    assert_eq!(world.send().await, [(Kind::ToConfirm, 1)]);
    assert_eq!(world.case("c1").await.told_on, Some(day("2026-06-06")));
    world.go_to("2026-06-12");
    assert_eq!(world.look().await, 0, "there are four days left");
    world.go_to("2026-06-13");
    assert_eq!((world.look().await, world.look().await), (1, 0));
    assert_eq!(world.send().await, [(Kind::Reminder, 1)]);
    world.act("c1", Command::Confirm, &Actor::subject("张三", "p1")).await;
    world.act("c1", Command::Pay { amount: Some(10_000) }, &official()).await;
    assert_eq!((world.follow().await.messages, world.follow().await.messages), (1, 0));
    assert_eq!(world.send().await.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), [Kind::Paid]);
    assert_eq!(world.events("c1").await, ["found", "published", "sent", "told", "sent", "confirmed", "paid", "sent"]);
}

#[tokio::test]
async fn what_is_found_together_is_told_together_and_noted_on_each_case() {
    let world = World::new(false).await;
    world.find(&[("c1", "990100-MZ-0001", plan(0, false)), ("c2", "990100-MZ-0002", plan(0, false))]).await;
    let asked = world.follow().await;
    assert_eq!((asked.messages, asked.next), (1, 3));
    assert_eq!(world.follow().await.messages, 0, "each of the two was told in the bundle");
    assert_eq!(world.send().await, [(Kind::Found, 1)]);
    for case in ["c1", "c2"] {
        assert_eq!(world.events(case).await, ["found", "told"]);
        assert_eq!(world.case(case).await.next(world.today()), Next::Pay);
    }
    assert_eq!(world.ear.heard.lock().expect("a lock")[0].2, ["c1", "c2"]);
}

#[tokio::test]
async fn a_message_that_is_given_up_stands_on_the_case_which_goes_on_waiting() {
    let world = World::new(true).await;
    world.find(&[("c1", "990100-MZ-0001", plan(0, true))]).await;
    world.follow().await;
    assert_eq!(world.send().await, [(Kind::ToConfirm, 1)]);
    assert_eq!(world.events("c1").await, ["found", "untold"]);
    assert_eq!(world.case("c1").await.next(world.today()), Next::Tell);
    assert_eq!(world.live.messages_in(MessageState::Dead, None, 9).await.expect("read").len(), 1);
}

#[tokio::test]
async fn what_was_withdrawn_before_it_left_is_not_sent() {
    let world = World::new(false).await;
    world.find(&[("c1", "990100-MZ-0001", plan(0, true))]).await;
    assert_eq!(world.follow().await.messages, 1);
    world.act("c1", Command::Withdraw, &official()).await;
    let asked = world.follow().await;
    assert_eq!((asked.dropped, asked.messages), (1, 1));
    assert_eq!(world.send().await, [(Kind::ReviewResult, 1)], "the ground is told instead");
    let rows = world.live.messages_of("c1").await.expect("read");
    assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [MessageState::Dropped, MessageState::Sent]);
    let message: Message = serde_json::from_slice(&rows[1].message.body).expect("a message");
    assert!(message.text.zh.starts_with("样例市民政局审核了“高龄津贴”: 理由。"), "{}", message.text.zh);
}

#[tokio::test]
async fn who_wants_no_messages_gets_none() {
    let world = World::new(false).await;
    let silent = Plan { tell: false, ..plan(1, true) };
    world.find(&[("c1", "990100-MZ-0001", silent)]).await;
    world.act("c1", Command::Publish, &official()).await;
    world.go_to("2026-06-09");
    assert_eq!((world.follow().await.messages, world.look().await), (0, 0));
}
