//! What flickers is not told, and what is told does not depend on where turns end or what crashes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::eligibility::grant::{GrantId, Status};
use crate::ledger::{Renumbered, Rule, current, found, lost, made};
use crate::policy::document::Delivery;
use crate::push::worker::memory::Memory;
use crate::store::{StoredGiven, StoredGrant, StoredSubject};

/// The first two belong to one bundle; the third is published first.
const POLICIES: [&str; 3] = ["990100-MZ-0001", "990100-MZ-0002", "990100-MZ-0003"];
const PERIOD: &str = "2026-06";
const SETTLE: Duration = Duration::from_mins(1);
const SECOND: i64 = 1_000_000;

fn id(policy: usize) -> String {
    GrantId::of(SubjectKind::Person, "p1", POLICIES[policy], PERIOD, None, None).to_string()
}

fn rules() -> BTreeMap<String, Rule> {
    let rule = |policy: &str| {
        let notice_days = (policy == POLICIES[2]).then_some(5);
        let delivery = Delivery {
            mode: Mode::Confirm,
            notice_days,
            pay_within_days: None,
            second_review: false,
            reply_within_days: Some(10),
            no_reply: None,
        };
        let (version, department, unit, period) = (1, "990100-MZ".to_owned(), "CNY".to_owned(), PERIOD.to_owned());
        Rule { version, department, unit, period, delivery }
    };
    POLICIES.iter().map(|policy| ((*policy).to_owned(), rule(policy))).collect()
}

/// A stream and a teller on one store; what somebody is owed is set by hand.
struct Run {
    world: World,
    live: Arc<Memory>,
    owed: [Option<i64>; 3],
    paid: [Option<i64>; 3],
    /// The first event that was not looked at.
    next: Seq,
}

/// Kind, number, and of each case its policy and amount.
type Told = (Kind, u32, Vec<(String, String)>);

impl Run {
    fn new() -> Self {
        let live = Arc::new(Memory::default());
        let world = World::on(Arc::clone(&live) as Arc<dyn Live>, tempfile::tempdir().expect("a folder"), "1m", false);
        Self { world, live, owed: [None; 3], paid: [None; 3], next: 1 }
    }

    fn wait(&self, micros: i64) {
        self.world.now.fetch_add(micros, Ordering::SeqCst);
    }

    fn settle(&self) {
        self.wait(i64::try_from(SETTLE.as_micros()).expect("small"));
    }

    fn subject(&self) -> StoredSubject {
        let grant = |policy: usize, amount: i64| StoredGrant {
            policy: POLICIES[policy].into(),
            grant_id: GrantId::of(SubjectKind::Person, "p1", POLICIES[policy], PERIOD, None, None),
            occasion: None,
            member: None,
            payee: Some("p1".to_owned()),
            amount: Some(amount),
            full_amount: Some(amount),
            mode: Mode::Confirm,
            notify: true,
            status: Status::Granted,
            reasons: vec!["age".into()],
        };
        let is_paid = |policy: usize| self.paid[policy].is_some();
        let owed = self.owed.iter().enumerate().filter(|(policy, _)| !is_paid(*policy));
        let given =
            |policy: usize, amount| StoredGiven { policy: POLICIES[policy].into(), occasion: None, member: None, amount: Some(amount) };
        StoredSubject {
            kind: SubjectKind::Person,
            id: "p1".to_owned(),
            region: "990101".into(),
            household: None,
            members: Vec::new(),
            facts: Vec::new(),
            verdicts: Vec::new(),
            grants: owed.filter_map(|(policy, amount)| Some(grant(policy, (*amount)?))).collect(),
            given: self.paid.iter().enumerate().filter_map(|(policy, amount)| Some(given(policy, (*amount)?))).collect(),
            offers: Vec::new(),
            unknowns: Vec::new(),
            conflicts: Vec::new(),
            set_aside: Vec::new(),
        }
    }

    /// The end of a turn: cases follow from what is owed now, as the stream makes them.
    async fn turn(&self) {
        let (subject, rules, actor, day) = (self.subject(), rules(), Actor::system("stream"), self.world.today());
        let (existing, renumbered) = (self.live.cases_about(&["p1"]).await.expect("read"), Renumbered::default());
        let mut cases = found(&current(&subject, &rules), &existing, &renumbered, &actor, day).expect("ours");
        let stepped: BTreeSet<String> = cases.iter().map(|step| step.row.id.clone()).collect();
        let lost = lost(&existing, &subject, &rules, &renumbered, &actor, day).expect("ours");
        cases.extend(lost.into_iter().filter(|step| !stepped.contains(&step.row.id)));
        self.live.commit(&Batch { at: self.world.at(), cases, ..Batch::default() }).await.expect("committed");
    }

    /// Looks, and sends what is due.
    async fn push(&mut self) {
        let asked = self.world.teller().follow(self.next, 3, self.world.at()).await;
        // Whoever crashed here looks again from where it was written down.
        if let Ok(asked) = asked {
            self.next = asked.next;
        }
        self.world.look().await;
        self.world.send().await;
    }

    /// Until nothing more is to be told.
    async fn calm(&mut self) {
        loop {
            self.settle();
            let before = (self.next, self.messages().len(), self.live.events_from(1, usize::MAX).await.expect("read").len());
            self.push().await;
            if before == (self.next, self.messages().len(), self.live.events_from(1, usize::MAX).await.expect("read").len()) {
                return;
            }
        }
    }

    /// What an official or the subject does, where it may be done.
    async fn act(&mut self, policy: usize, command: &Command) {
        let Some(row) = self.live.case(&id(policy)).await.expect("read") else { return };
        let actor = if matches!(command, Command::Confirm | Command::Decline) { Actor::subject("张三", "p1") } else { official() };
        let command = match command {
            Command::Pay { .. } => Command::Pay { amount: Case::of(&row).expect("ours").amount },
            other => other.clone(),
        };
        let Ok(Some(step)) = act(&row, &command, &actor, ("理由", ""), self.world.today()).expect("readable") else { return };
        self.live.commit(&Batch { at: self.world.at(), cases: vec![step], ..Batch::default() }).await.expect("done");
        if let Command::Pay { amount } = command {
            self.paid[policy] = amount;
        }
    }

    fn messages(&self) -> Vec<MessageRow> {
        self.live.messages()
    }

    /// What was told.
    fn told(&self) -> Vec<Told> {
        let items = |message: &Message| {
            message.items.iter().map(|item| (item.policy.code.clone(), item.amount.clone().unwrap_or_default())).collect()
        };
        self.messages().iter().filter_map(read).map(|message| (message.kind, message.number, items(&message))).collect()
    }

    async fn owes(&mut self, owed: [Option<i64>; 3]) {
        self.owed = owed;
        self.wait(SECOND);
        self.turn().await;
    }
}

fn one(policy: usize, amount: &str) -> Vec<(String, String)> {
    vec![(POLICIES[policy].to_owned(), amount.to_owned())]
}

const NOTHING: [Option<i64>; 3] = [None; 3];

#[tokio::test]
async fn what_is_lost_again_before_it_settled_is_not_told_and_what_is_there_again_is() {
    let mut run = Run::new();
    run.owes([Some(10_000), None, None]).await;
    run.push().await;
    assert_eq!(run.told(), [], "it has not stood for long enough");
    run.owes(NOTHING).await;
    run.calm().await;
    assert_eq!(run.told(), [], "it is lost");
    run.owes([Some(10_000), None, None]).await;
    run.push().await;
    assert_eq!(run.told(), []);
    run.calm().await;
    assert_eq!(run.told(), [(Kind::ToConfirm, 1, one(0, "100.00"))]);
    run.owes(NOTHING).await;
    run.owes([Some(10_000), None, None]).await;
    run.calm().await;
    assert_eq!(run.told().len(), 1, "what was told stands");
}

#[tokio::test]
async fn an_official_who_looks_at_what_was_lost_lets_it_be_told() {
    let mut run = Run::new();
    run.owes([Some(10_000), None, None]).await;
    run.owes(NOTHING).await;
    run.calm().await;
    run.act(0, &Command::Review).await;
    run.calm().await;
    assert_eq!(run.told(), [(Kind::ToConfirm, 1, one(0, "100.00"))]);
}

#[tokio::test]
async fn the_first_message_has_the_amount_of_its_moment() {
    let mut run = Run::new();
    for amount in [10_000, 12_000, 11_000, 9_000] {
        run.owes([Some(amount), None, None]).await;
    }
    run.calm().await;
    assert_eq!(run.told(), [(Kind::ToConfirm, 1, one(0, "90.00"))]);
    run.owes([Some(12_000), None, None]).await;
    run.owes([Some(9_000), None, None]).await;
    run.calm().await;
    assert_eq!(run.told().len(), 1, "it is what the subject heard");
    let case = run.world.case(&id(0)).await;
    assert!(case.told_on.is_some() && case.open.is_empty() && case.amount == Some(9_000), "{case:?}");
    run.owes([Some(12_000), None, None]).await;
    run.calm().await;
    assert_eq!(run.told()[1..], [(Kind::ToConfirm, 2, one(0, "120.00"))], "another amount is confirmed anew");
}

#[tokio::test]
async fn corrections_are_told_to_whom_heard_another_amount() {
    let mut run = Run::new();
    run.owes([None, None, Some(10_000)]).await;
    run.owes([None, None, Some(12_000)]).await;
    run.calm().await;
    assert_eq!(run.told(), [], "it is to be published first");
    run.act(2, &Command::Publish).await;
    run.calm().await;
    assert_eq!(run.told(), [(Kind::Published, 1, one(2, "120.00"))]);
    run.owes([None, None, Some(13_000)]).await;
    run.owes([None, None, Some(14_000)]).await;
    run.calm().await;
    assert_eq!(run.told()[1..], [(Kind::Corrected, 1, one(2, "140.00"))]);
    run.act(2, &Command::Publish).await;
    run.calm().await;
    run.act(2, &Command::Correct { amount: Some(15_000) }).await;
    run.calm().await;
    assert_eq!(run.told()[2..], [(Kind::Published, 2, one(2, "140.00")), (Kind::Corrected, 2, one(2, "150.00"))]);
}

#[tokio::test]
async fn what_goes_together_waits_for_each_other() {
    let mut run = Run::new();
    run.owes([Some(10_000), None, None]).await;
    run.wait(SECOND * 59);
    run.owes([Some(10_000), Some(5_000), None]).await;
    run.push().await;
    assert_eq!(run.told(), [], "the other one of its bundle is not at rest");
    run.calm().await;
    assert_eq!(run.told(), [(Kind::ToConfirm, 1, [one(0, "100.00"), one(1, "50.00")].concat())]);
}

#[tokio::test]
async fn what_was_dropped_is_told_again_when_it_is_to_be_had_again() {
    let mut run = Run::new();
    run.owes([Some(10_000), None, None]).await;
    run.settle();
    assert_eq!(run.world.teller().follow(1, 9, run.world.at()).await.expect("followed").messages, 1);
    run.act(0, &Command::Withdraw).await;
    let at = run.world.at();
    assert_eq!(run.world.teller().withdraw(1, 9, at).await.expect("looked").dropped, 1, "at once");
    for command in [Command::Object, Command::Return, Command::Review] {
        run.calm().await;
        run.act(0, &command).await;
    }
    run.calm().await;
    let told: Vec<(Kind, u32)> = run.told().iter().map(|(kind, number, _)| (*kind, *number)).collect();
    assert_eq!(told, [(Kind::ToConfirm, 1), (Kind::ReviewResult, 1), (Kind::ToConfirm, 2)]);
}

/// What happens between two times of calm: what is owed becomes another, one change after the other; then somebody may act.
type Burst = (Vec<(usize, Option<i64>)>, Option<(usize, Command)>, bool);

fn bursts() -> impl Strategy<Value = Vec<Burst>> {
    let amount = prop_oneof![2 => Just(None), 3 => Just(Some(10_000)), 2 => Just(Some(12_000)), 1 => Just(Some(9_000))];
    let command = prop_oneof![
        3 => Just(Command::Publish),
        3 => Just(Command::Confirm),
        2 => Just(Command::Pay { amount: None }),
        1 => Just(Command::Withdraw),
        1 => Just(Command::Return),
        2 => Just(Command::Review),
        1 => Just(Command::Object),
        1 => Just(Command::Decline),
        1 => Just(Command::Correct { amount: Some(11_000) }),
    ];
    let act = prop::option::of((0_usize..3, command));
    prop::collection::vec((prop::collection::vec((0_usize..3, amount), 0..7), act, any::<bool>()), 1..7)
}

/// A history in turns of so many changes: `eager`, also looks and sends after each; `crashes`, and then loses its place.
async fn live_through(bursts: &[Burst], at_most: usize, eager: bool, crashes: bool) -> Run {
    let mut run = Run::new();
    for (changes, act, is_next_day) in bursts {
        for (at, (policy, amount)) in changes.iter().enumerate() {
            run.owed[*policy] = *amount;
            run.wait(SECOND);
            if (at + 1) % at_most == 0 || at + 1 == changes.len() {
                run.turn().await;
            }
            if eager {
                run.push().await;
            }
        }
        if crashes {
            run.next = 1;
            run.settle();
            run.live.lose.store(1, Ordering::SeqCst);
            // What was asked for is written, and nobody heard that it was.
            let _ = run.world.teller().follow(1, 2, run.world.at()).await;
            run.live.lose.store(0, Ordering::SeqCst);
        }
        run.calm().await;
        if let Some((policy, command)) = act.as_ref().filter(|(policy, _)| run.owed[*policy].is_some()) {
            run.act(*policy, command).await;
            // What was paid is given from now on.
            run.turn().await;
            run.calm().await;
        }
        if *is_next_day {
            run.wait(SECOND * 86_400);
            run.calm().await;
        }
    }
    run
}

#[tokio::test]
async fn who_commits_later_with_an_earlier_time_hides_nobody() {
    let run = Run::new();
    let (world, plan) = (&run.world, super::plan(0, false));
    let began = world.at();
    let go_to = |seconds: i64| world.now.store(began + seconds * 1_000_000, Ordering::SeqCst);
    go_to(3);
    world.find(&[("c1", POLICIES[2], plan.clone())]).await;
    // A turn that began before, and took longer.
    go_to(0);
    world.find(&[("c2", POLICIES[0], plan)]).await;
    go_to(61);
    assert_eq!(world.follow().await.next, 1, "the first is too young yet: nothing behind it is passed over");
    go_to(64);
    let asked = world.follow().await;
    assert_eq!((asked.messages, asked.next), (2, 3));
}

#[tokio::test]
async fn what_arrives_while_it_is_looked_at_is_not_told_again() {
    let mut run = Run::new();
    run.owes([Some(10_000), None, None]).await;
    run.settle();
    let look = || async { run.world.teller().follow(1, 10, run.world.at()).await.expect("looked").messages };
    assert_eq!(look().await, 1);
    // The message arrives after the case was read, and before it is asked what was sent of it.
    let (row, sent) = (run.live.case(&id(0)).await.expect("read").expect("the case"), run.messages().remove(0));
    let (channel, message) = (sent.message.channel.clone(), sent.message.id.clone());
    let what = What::Told { channel, message: message.clone() };
    let actor = Actor::system("mianshen push");
    let event = Event { v: VERSION, day: run.world.today(), actor, note: String::new(), request: message.clone(), what };
    let cases = vec![made(&row, Case::of(&row).expect("ours"), &[event])];
    let arrived = DeliveryStep { id: message, state: MessageState::Sent, tries: 1, not_before: 0, told: String::new() };
    let batch = Batch { at: run.world.at(), cases, deliveries: vec![arrived], ..Batch::default() };
    *run.live.meanwhile.lock().expect("a lock") = Some(batch);
    assert_eq!(look().await, 0, "it is not told twice");
    assert_eq!(run.told(), [(Kind::ToConfirm, 1, one(0, "100.00"))]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn the_same_is_told_wherever_turns_end_and_whatever_crashes(bursts in bursts()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let plain = live_through(&bursts, usize::MAX, false, false).await;
            let ids = |run: &Run| run.messages().iter().map(|row| row.message.id.clone()).collect::<BTreeSet<_>>();
            prop_assert_eq!(ids(&plain).len(), plain.messages().len());
            prop_assert!(plain.messages().iter().all(|row| row.state != MessageState::Waiting));
            for (at_most, eager, crashes) in [(1, true, false), (1, false, true), (2, true, true), (3, false, false)] {
                let other = live_through(&bursts, at_most, eager, crashes).await;
                prop_assert_eq!(other.told(), plain.told(), "turns of {}", at_most);
                prop_assert_eq!(ids(&other), ids(&plain));
                for policy in 0..3 {
                    if plain.owed[policy].is_some() && plain.paid[policy].is_none() {
                        let of = async |run: &Run| {
                            let case = run.world.case(&id(policy)).await;
                            (case.amount, case.step, case.told_on, case.open.keys().copied().collect::<Vec<_>>())
                        };
                        prop_assert_eq!(of(&other).await, of(&plain).await);
                    }
                }
            }
            Ok(())
        })?;
    }
}
