//! The machine on its own: the ways that cases go, what is refused, and that no way leads astray.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use proptest::prelude::*;

use super::act::{COMMANDS, possible};
use super::*;
use crate::diagnostic::Lang;
use crate::eligibility::grant::{GrantId, Status};
use crate::explain::Verdict;
use crate::policy::document::{Delivery, Mode, NoReply};
use crate::register::declaration::SubjectKind;
use crate::store::live::{CaseEvent, CaseRow, CaseStep};
use crate::store::{StoredGiven, StoredGrant, StoredSubject, StoredVerdict};

const DEPARTMENT: &str = "990100-MZ";

fn day(number: u64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 6, 1).expect("a day") + Days::new(number)
}

fn delivery(mode: Mode) -> Delivery {
    Delivery {
        mode,
        notice_days: Some(5),
        pay_within_days: Some(20),
        second_review: true,
        reply_within_days: Some(15),
        no_reply: Some(NoReply::Give),
    }
}

fn grant(amount: Option<i64>) -> Grant {
    Grant {
        kind: SubjectKind::Person,
        subject: "11010519491231002X".to_owned(),
        policy: "990100-MZ-0007".to_owned(),
        version: 1,
        department: DEPARTMENT.to_owned(),
        region: "990102".to_owned(),
        period: "2026-06".to_owned(),
        occasion: None,
        member: None,
        payee: None,
        amount,
        unit: "CNY".to_owned(),
        reasons: vec!["age".to_owned()],
    }
}

fn current_of(amount: Option<i64>, plan: Plan) -> Current {
    Current { id: "a".repeat(32), grant: grant(amount), plan, given: false }
}

fn finder() -> Actor {
    Actor::system("mianshen match")
}

fn official(name: &str) -> Actor {
    Actor::official(name, "", DEPARTMENT)
}

/// Cases and their events, as a store keeps them.
#[derive(Default)]
struct Book {
    rows: BTreeMap<String, CaseRow>,
    events: BTreeMap<String, Vec<CaseEvent>>,
}

impl Book {
    fn commit(&mut self, step: CaseStep) {
        let before = self.rows.get(&step.row.id).map_or(0, |row| row.version);
        assert_eq!(step.expect, before, "a step is made from the newest version");
        let events = self.events.entry(step.row.id.clone()).or_default();
        for content in step.events {
            let version = events.len() as u64 + 1;
            let content = Some(([0; 16], content));
            events.push(CaseEvent { seq: version, case: step.row.id.clone(), version, at: 0, digest: [0; 32], hash: [0; 32], content });
        }
        let row = CaseRow { version: events.len() as u64, ..step.row };
        self.rows.insert(row.id.clone(), row);
    }

    fn found(&mut self, current: &Current, on: u64) -> usize {
        let existing: Vec<CaseRow> = self.rows.values().cloned().collect();
        let steps = found(std::slice::from_ref(current), &existing, &Renumbered::default(), &finder(), day(on)).expect("rows are ours");
        let count = steps.len();
        for step in steps {
            self.commit(step);
        }
        count
    }

    fn act(&mut self, command: Command, actor: &Actor, on: u64) -> Result<(), Refusal> {
        self.request(command, actor, "", on).map(|_| ())
    }

    fn request(&mut self, command: Command, actor: &Actor, request: &str, on: u64) -> Result<bool, Refusal> {
        let row = self.rows[&"a".repeat(32)].clone();
        let step = act(&row, &command, actor, ("a ground", request), day(on)).expect("the row is ours")?;
        let moved = step.is_some();
        if let Some(step) = step {
            self.commit(step);
        }
        Ok(moved)
    }

    fn case(&self) -> Case {
        Case::of(&self.rows[&"a".repeat(32)]).expect("the row is ours")
    }
}

fn begun(mode: Mode) -> Book {
    let mut book = Book::default();
    book.found(&current_of(Some(10_000), Plan::of(mode, &delivery(mode), true)), 0);
    book
}

fn by_hand() -> Command {
    Command::Tell { channel: "hand".to_owned(), message: String::new() }
}

#[test]
fn the_whole_way_of_a_reviewed_case() {
    let mut book = begun(Mode::Review);
    assert!(book.rows.values().all(|row| row.in_review && row.step == "found" && row.due == Some(day(20))));
    book.act(Command::Review, &official("张三"), 1).expect("the first");
    let refused = book.act(Command::Review, &official("张三"), 1).expect_err("the same again");
    assert!(refused.told().en.starts_with("another official of the department confirms; possible now:"), "{}", refused.told().en);
    book.act(Command::Review, &official("李四"), 1).expect("the second");
    assert_eq!(book.case().step, Step::Reviewed);
    book.act(Command::Publish, &official("张三"), 2).expect("on the list");
    let refused = book.act(by_hand(), &official("张三"), 6).expect_err("the notice is not over");
    assert_eq!(refused.why.en, "the notice is over on 2026-06-08");
    book.act(by_hand(), &official("张三"), 7).expect("told");
    let pay = Command::Pay { amount: Some(10_000) };
    let refused = book.act(Command::Pay { amount: Some(10_001) }, &official("张三"), 8).expect_err("another amount");
    assert_eq!(refused.why.en, "100.00 is to be paid, not 100.01; a wrong amount is corrected first");
    book.act(pay.clone(), &official("张三"), 8).expect("paid");
    assert_eq!(book.act(pay, &official("张三"), 8).expect_err("once").why.en, "it was paid");
    book.act(Command::Rate { stars: 6 }, &Actor::subject("王五", "me"), 9).expect_err("no such rating");
    book.act(Command::Rate { stars: 5 }, &Actor::subject("王五", "me"), 9).expect("rated");
    book.act(Command::Close, &official("张三"), 10).expect("closed");
    let words: Vec<String> = book.events[&"a".repeat(32)]
        .iter()
        .map(|event| Event::read(&event.content.as_ref().expect("content").1).expect("ours").what.name().to_owned())
        .collect();
    assert_eq!(words, ["found", "reviewed", "reviewed", "published", "told", "paid", "rated", "closed"]);
}

#[test]
fn what_an_official_corrected_stays_until_the_grant_itself_is_another() {
    let mut book = begun(Mode::Automatic);
    let current = |amount| current_of(Some(amount), Plan::of(Mode::Automatic, &delivery(Mode::Automatic), true));
    book.act(Command::Correct { amount: Some(8_000) }, &official("张三"), 1).expect("corrected");
    assert_eq!(book.found(&current(10_000), 2), 0, "found as it was found before");
    assert_eq!((book.case().amount, book.case().open.len()), (Some(8_000), 0));
    assert_eq!(book.found(&current(12_000), 3), 1);
    assert_eq!(book.case().amount, Some(12_000), "the grant is another now");
    assert_eq!(book.found(&current(12_000), 4), 0);
}

#[test]
fn what_nobody_has_looked_at_follows_the_grant() {
    let mut book = begun(Mode::Automatic);
    let current = |amount| current_of(Some(amount), Plan::of(Mode::Automatic, &delivery(Mode::Automatic), true));
    assert_eq!((book.found(&current(9_000), 1), book.case().amount, book.case().open.len()), (1, Some(9_000), 0));
    book.act(Command::Publish, &official("张三"), 2).expect("on the list");
    assert_eq!(book.found(&current(8_000), 3), 1, "now it is a question");
    assert_eq!((book.case().amount, book.case().open[&Why::Less].amount), (Some(9_000), Some(1_000)));
}

#[test]
fn what_an_official_let_be_is_not_asked_again() {
    let mut book = begun(Mode::Automatic);
    let current = |amount| current_of(Some(amount), Plan::of(Mode::Automatic, &delivery(Mode::Automatic), true));
    let questions = |book: &Book| book.case().open.len();
    book.act(Command::Publish, &official("张三"), 1).expect("on the list");
    book.found(&current(9_000), 2);
    assert_eq!(questions(&book), 1);
    book.act(Command::Review, &official("张三"), 3).expect("let be");
    for (amount, asks) in [(10_000, 0), (9_000, 0), (8_000, 1), (9_000, 0), (8_000, 1), (10_000, 0), (12_000, 0), (10_000, 0), (9_000, 0)] {
        book.found(&current(amount), 4);
        assert_eq!(questions(&book), asks, "{amount}");
        assert_eq!(book.found(&current(amount), 4), 0, "once");
    }
    // Beside another amount it is another question.
    book.found(&current(12_000), 5);
    book.act(Command::Publish, &official("张三"), 5).expect("on the list again");
    book.found(&current(9_000), 6);
    assert_eq!((book.case().amount, questions(&book)), (Some(12_000), 1));
    book.act(Command::Review, &official("张三"), 6).expect("let be");
    // Who sends it back has it looked at anew.
    book.act(Command::Return, &official("张三"), 7).expect("sent back");
    assert_eq!(book.case().answered, None);
}

#[test]
fn a_correction_that_nobody_acted_on_is_undone_as_if_it_had_never_been() {
    let mut book = begun(Mode::Confirm);
    let current = |amount| current_of(Some(amount), Plan::of(Mode::Confirm, &delivery(Mode::Confirm), true));
    book.act(Command::Publish, &official("张三"), 0).expect("on the list");
    book.act(by_hand(), &official("张三"), 5).expect("told");
    book.act(Command::Confirm, &Actor::subject("王五", "me"), 5).expect("confirmed");
    let before = book.case();
    book.found(&current(12_000), 6);
    assert_eq!((book.case().step, book.case().confirmed_on), (Step::Found, None), "another amount is published, told and confirmed anew");
    book.found(&current(13_000), 6);
    book.found(&current(10_000), 6);
    assert_eq!(book.case(), before);
    // Not below what it was: that is for an official to see.
    book.found(&current(12_000), 7);
    book.found(&current(9_000), 7);
    assert_eq!(
        (book.case().amount, book.case().confirmed_on, book.case().open[&Why::Less].amount),
        (Some(10_000), Some(day(5)), Some(1_000))
    );
    book.found(&current(10_000), 7);
    assert_eq!(book.case(), before, "and no question is left");
    // Once somebody has acted on it, it stands.
    book.found(&current(12_000), 8);
    book.act(Command::Publish, &official("张三"), 8).expect("on the list again");
    book.found(&current(10_000), 9);
    assert_eq!((book.case().amount, book.case().open[&Why::Less].amount), (Some(12_000), Some(2_000)));
}

#[test]
fn what_an_official_corrected_outlives_what_flickers() {
    let mut book = begun(Mode::Automatic);
    let current = |amount| current_of(Some(amount), Plan::of(Mode::Automatic, &delivery(Mode::Automatic), true));
    book.act(Command::Correct { amount: Some(8_000) }, &official("张三"), 1).expect("corrected");
    let before = book.case();
    for flicker in [[12_000, 10_000], [7_000, 10_000]] {
        for amount in flicker {
            book.found(&current(amount), 2);
        }
        assert_eq!(book.case(), before);
    }
    for amount in [7_000, 12_000, 10_000] {
        book.found(&current(amount), 3);
    }
    assert_eq!(book.case(), before);
}

#[test]
fn what_is_owed_beside_begins_a_case_of_its_own_each_time() {
    let mut book = begun(Mode::Automatic);
    let current = |amount| current_of(Some(amount), Plan::of(Mode::Automatic, &delivery(Mode::Automatic), true));
    book.act(Command::Publish, &official("张三"), 0).expect("on the list");
    book.act(by_hand(), &official("张三"), 5).expect("told");
    book.act(Command::Pay { amount: Some(10_000) }, &official("张三"), 5).expect("paid");
    assert_eq!(book.found(&current(12_000), 6), 2, "the case, and the one beside it");
    assert_eq!(book.found(&current(12_000), 7), 0, "once");
    assert_eq!(book.found(&current(11_000), 8), 1, "less is a question");
    assert_eq!(book.found(&current(14_000), 9), 2);
    let owed: Vec<Option<i64>> =
        book.rows.values().map(|row| Case::of(row).expect("ours")).filter(|case| case.corrects.is_some()).map(|case| case.amount).collect();
    assert_eq!(owed.iter().flatten().sum::<i64>(), 4_000, "{owed:?}");
    assert_eq!(owed.len(), 2);
}

#[test]
fn each_mode_has_its_steps() {
    let mut book = begun(Mode::Automatic);
    assert_eq!(possible(&book.case(), &official("张三"), day(0)), ["publish", "return", "object", "correct", "withdraw"]);
    book.act(Command::Publish, &Actor::system("mianshen"), 0).expect("the program may");
    book.act(by_hand(), &official("张三"), 5).expect("told");
    assert_eq!(book.case().next(day(5)), Next::Pay);

    let mut book = begun(Mode::Confirm);
    book.act(Command::Publish, &official("张三"), 0).expect("on the list");
    book.act(by_hand(), &official("张三"), 5).expect("told");
    assert_eq!(book.rows.values().next().expect("one").due, Some(day(20)));
    book.act(Command::Pay { amount: Some(10_000) }, &official("张三"), 6).expect_err("no reply yet");
    book.act(Command::Decline, &Actor::subject("王五", "me"), 6).expect("declined");
    assert!(refused(&book.case()).is_empty(), "one month is not all months");
    book.act(Command::Confirm, &Actor::subject("王五", "me"), 7).expect("thought better of it");
    book.act(Command::Pay { amount: Some(10_000) }, &official("张三"), 8).expect("paid");
    let case = book.case();
    let payment = paid(&case).expect("paid");
    assert_eq!((payment.amount, payment.period, payment.paid_on), (10_000, "2026-06", day(8)));
}

#[test]
fn no_reply_has_the_rule_of_the_policy() {
    for (rule, step, in_review) in
        [(NoReply::Give, Step::Confirmed, false), (NoReply::Review, Step::Told, true), (NoReply::Close, Step::Closed, false)]
    {
        let plan = Plan::of(Mode::Confirm, &Delivery { no_reply: Some(rule), notice_days: None, ..delivery(Mode::Confirm) }, true);
        let mut book = Book::default();
        book.found(&current_of(Some(10_000), plan), 0);
        book.act(by_hand(), &official("张三"), 1).expect("told");
        let early = book.act(Command::Lapse, &Actor::system("mianshen"), 16).expect_err("the last day is still his");
        assert_eq!(early.why.en, "the days to reply are not over");
        book.act(Command::Lapse, &Actor::system("mianshen"), 17).expect("the rule");
        assert_eq!((book.case().step, !book.case().open.is_empty()), (step, in_review));
    }
}

#[test]
fn the_same_request_changes_nothing_again() {
    let mut book = begun(Mode::Automatic);
    assert_eq!(book.request(Command::Publish, &official("张三"), "r1", 0), Ok(true));
    assert_eq!(book.request(Command::Publish, &official("张三"), "r1", 0), Ok(false));
    let other = book.request(Command::Withdraw, &official("张三"), "r1", 0).expect_err("another command under the same number");
    assert!(other.why.en.contains("`published`"), "{}", other.why.en);
    assert_eq!(book.events[&"a".repeat(32)].len(), 2);
}

#[test]
fn who_may_do_what() {
    let mut book = begun(Mode::Confirm);
    let told = |book: &mut Book, command, actor: &Actor| book.act(command, actor, 0).expect_err("not his").told();
    let other = Actor::official("张三", "", "990100-RS");
    assert_eq!(told(&mut book, Command::Publish, &other).get(Lang::En), "department 990100-MZ answers for it; nothing can be done now");
    assert_eq!(
        told(&mut book, Command::Publish, &Actor::subject("王五", "me")).en,
        "this step is not yours; possible now: decline, object"
    );
    assert_eq!(told(&mut book, Command::Publish, &official(" ")).zh, "须写明真实姓名; 现在没有可办的步骤");
    let row = book.rows.values().next().expect("one").clone();
    let bare = act(&row, &Command::Withdraw, &official("张三"), ("", ""), day(0)).expect("ours").expect_err("no ground");
    assert_eq!(bare.why.en, "a ground must be given");
}

#[test]
fn an_objection_holds_and_can_open_again() {
    let mut book = begun(Mode::Automatic);
    book.act(Command::Publish, &official("张三"), 0).expect("on the list");
    let public = Actor { name: "赵六".to_owned(), id: String::new(), department: String::new(), role: Role::Public };
    book.act(Command::Object, &public, 1).expect("anybody may");
    book.act(by_hand(), &official("张三"), 7).expect_err("held");
    assert_eq!(book.case().due(), Some(day(1)));
    book.act(Command::Review, &official("张三"), 7).expect("answered");
    book.act(Command::Withdraw, &official("张三"), 7).expect("taken back");
    book.act(Command::Return, &official("张三"), 8).expect_err("over");
    book.act(Command::Object, &Actor::subject("王五", "me"), 8).expect("always");
    book.act(Command::Return, &official("张三"), 8).expect("looked at again");
    assert_eq!((book.case().step, book.case().next(day(8))), (Step::Returned, Next::Review));
    book.act(Command::Review, &official("李四"), 9).expect("found right");
    assert_eq!((book.case().step, book.case().next(day(9))), (Step::Reviewed, Next::Publish));
    assert_eq!(refused(&book.case()).len(), 1, "an official decides from now on");
}

/// Somebody of whom one policy has a verdict, without a grant.
fn subject(verdict: Verdict) -> StoredSubject {
    StoredSubject {
        kind: SubjectKind::Person,
        id: grant(None).subject,
        region: "990102".into(),
        household: None,
        members: Vec::new(),
        facts: Vec::new(),
        verdicts: vec![StoredVerdict { policy: "990100-MZ-0007".into(), verdict }],
        grants: Vec::new(),
        given: Vec::new(),
        offers: Vec::new(),
        unknowns: Vec::new(),
        conflicts: Vec::new(),
        set_aside: Vec::new(),
    }
}

#[test]
fn losing_a_grant_stops_nothing() {
    let plan = Plan::of(Mode::Automatic, &Delivery { notice_days: None, ..delivery(Mode::Automatic) }, false);
    let mut book = Book::default();
    let current = current_of(Some(10_000), plan);
    book.found(&current, 0);
    let rule = |period: &str| Rule {
        version: 1,
        department: DEPARTMENT.to_owned(),
        unit: "CNY".to_owned(),
        period: period.to_owned(),
        delivery: delivery(Mode::Automatic),
    };
    let rules = |period| BTreeMap::from([("990100-MZ-0007".to_owned(), rule(period))]);
    let lose = |book: &Book, verdict, period| {
        let existing: Vec<CaseRow> = book.rows.values().cloned().collect();
        lost(&existing, &subject(verdict), &rules(period), &Renumbered::default(), &finder(), day(1)).expect("rows are ours")
    };
    let id = "a".repeat(32);
    assert!(lose(&book, Verdict::Unknown, "2026-06").is_empty(), "who cannot be judged has lost nothing");
    assert!(lose(&book, Verdict::No, "2026-07").is_empty(), "of a month that is past");
    let steps = lose(&book, Verdict::No, "2026-06");
    assert_eq!(steps.len(), 1);
    for step in steps {
        book.commit(step);
    }
    assert!(book.rows[&id].in_review);
    assert!(lose(&book, Verdict::No, "2026-06").is_empty(), "told once");
    assert_eq!(book.case().next(day(1)), Next::Pay);
    assert_eq!(book.found(&current, 2), 1, "it is found again");
    assert!(!book.rows[&id].in_review);
    assert_eq!(book.found(&current, 3), 0);
}

#[test]
fn a_recomputed_grant_is_reckoned_both_ways() {
    let plan = Plan::of(Mode::Automatic, &Delivery { notice_days: None, ..delivery(Mode::Automatic) }, false);
    let mut book = Book::default();
    let of = |amount| current_of(Some(amount), plan.clone());
    book.found(&of(10_000), 0);
    assert_eq!(book.found(&of(12_000), 1), 1, "more before it is paid: corrected");
    assert_eq!(book.case().amount, Some(12_000));
    book.act(Command::Pay { amount: Some(12_000) }, &official("张三"), 2).expect("paid");
    assert_eq!(book.found(&of(15_000), 3), 2, "more after it is paid: a case of its own");
    let more = book.rows.values().map(|row| Case::of(row).expect("ours")).find(|case| case.corrects.is_some()).expect("the other case");
    assert_eq!((more.amount, more.corrects), (Some(3_000), Some("a".repeat(32))));
    assert_eq!(book.found(&of(15_000), 4), 0, "once");
    assert_eq!(book.found(&of(11_000), 5), 1, "less: a review, no debt");
    let case = book.case();
    assert_eq!((case.paid, case.open[&Why::Less].amount, case.step), (Some(12_000), Some(4_000), Step::Paid));
    assert_eq!(book.found(&of(11_000), 6), 0, "once");
    book.act(Command::Review, &official("张三"), 6).expect("answered");
    assert_eq!(book.found(&of(11_000), 7), 0, "and not asked again");
    assert_eq!(book.found(&of(15_000), 8), 1, "what it was: nothing more is owed");
    assert_eq!(book.rows.len(), 2);
}

#[test]
fn what_was_sent_is_on_the_case() {
    let mut book = begun(Mode::Automatic);
    let sent = |number: &str| Command::Tell { channel: "webhook".to_owned(), message: number.to_owned() };
    assert_eq!(book.request(sent("m1"), &Actor::system("push"), "m1", 0), Ok(true));
    assert_eq!(book.case().told_on, None, "it is not told before the notice");
    assert_eq!(book.request(sent("m1"), &Actor::system("push"), "m1", 0), Ok(false));
    assert_eq!(book.events[&"a".repeat(32)].len(), 2);
}

#[test]
fn events_are_read_as_they_were_written_and_newer_ones_refused() {
    let book = begun(Mode::Review);
    let content = &book.events[&"a".repeat(32)][0].content.as_ref().expect("content").1;
    let json: serde_json::Value = serde_json::from_slice(content).expect("JSON");
    assert_eq!((&json["v"], &json["what"], &json["grant"]["amount"]), (&1.into(), &"found".into(), &"100.00".into()));
    let newer = serde_json::to_vec(&serde_json::json!({"v": 2, "what": "dreamt"})).expect("JSON");
    assert!(matches!(Event::read(&newer), Err(crate::store::StoreError::Newer { found: 2, known: 1 })));
    assert!(Event::read(b"{}").is_err());
}

#[test]
fn lists_are_masked_and_safe_in_spreadsheets() {
    let mut book = begun(Mode::Automatic);
    assert_eq!(listed(&book.case()), None);
    book.act(Command::Publish, &official("张三"), 0).expect("on the list");
    let line = Listed { region: "=1+1".to_owned(), ..listed(&book.case()).expect("on the list") };
    assert_eq!(
        csv(std::slice::from_ref(&line), Lang::En),
        "case,subject,region,occasion,period,amount,from,until\r\n\
         aaaaaaaaaaaa,1101**********002X,'=1+1,,2026-06,100.00 CNY,2026-06-01,2026-06-06\r\n"
    );
    let page = html(("990100-MZ-0007", &crate::diagnostic::Message::new("津贴", "<b>")), &[line], Lang::En);
    assert!(page.contains("&lt;b&gt;") && page.contains("1101**********002X") && !page.contains("11010519491231002X"), "{page}");
}

/// A command of any kind, some of them wrong.
fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Review),
        Just(Command::Publish),
        prop_oneof![Just(String::new()), Just("m".to_owned())].prop_map(|message| Command::Tell { channel: "hand".to_owned(), message }),
        Just(Command::Confirm),
        Just(Command::Decline),
        Just(Command::Return),
        Just(Command::Object),
        prop_oneof![Just(Some(9_000)), Just(None), Just(Some(-1))].prop_map(|amount| Command::Correct { amount }),
        Just(Command::Withdraw),
        prop_oneof![Just(Some(10_000)), Just(Some(9_000)), Just(None)].prop_map(|amount| Command::Pay { amount }),
        (0_u8..7).prop_map(|stars| Command::Rate { stars }),
        Just(Command::Close),
        Just(Command::Lapse),
    ]
}

fn actor() -> impl Strategy<Value = Actor> {
    prop_oneof![
        4 => Just(official("张三")),
        4 => Just(official("李四")),
        1 => Just(Actor::official("孙七", "", "990100-RS")),
        2 => Just(Actor::subject("王五", "me")),
        2 => Just(Actor::system("mianshen")),
    ]
}

fn plan() -> impl Strategy<Value = Plan> {
    let modes = prop_oneof![Just(Mode::Automatic), Just(Mode::Confirm), Just(Mode::Commit), Just(Mode::Review)];
    let rule = prop_oneof![Just(None), Just(Some(NoReply::Give)), Just(Some(NoReply::Review)), Just(Some(NoReply::Close))];
    (modes, prop_oneof![Just(None), Just(Some(3))], any::<bool>(), any::<bool>(), rule).prop_map(
        |(mode, notice_days, second, tell, no_reply)| {
            Plan::of(mode, &Delivery { notice_days, second_review: second, no_reply, reply_within_days: Some(2), ..delivery(mode) }, tell)
        },
    )
}

proptest! {
    #[test]
    fn no_way_leads_astray(plan in plan(), ways in prop::collection::vec((command(), actor(), 0_u64..3, 0_u8..4), 1..60)) {
        let mut book = Book::default();
        book.found(&current_of(Some(10_000), plan.clone()), 0);
        let (mut on, mut payments, mut reviewers) = (0, 0, Vec::new());
        for (number, (command, actor, days, request)) in ways.into_iter().enumerate() {
            on += days;
            let before = book.case();
            let may = possible(&before, &actor, day(on));
            let is_sent = matches!(&command, Command::Tell { message, .. } if !message.is_empty()) && actor.role == Role::System;
            let request = if request == 0 { format!("r{number}") } else { String::new() };
            match book.request(command.clone(), &actor, &request, on) {
                Err(refusal) => {
                    // Nothing moved, and what is told to be possible is.
                    prop_assert_eq!(&book.case(), &before);
                    prop_assert_eq!(&refusal.possible, &may);
                    prop_assert!(!refusal.told().zh.is_empty() && !refusal.told().en.is_empty());
                }
                Ok(_) => prop_assert!(is_sent || may.contains(&command.name()), "{} was possible", command.name()),
            }
            let case = book.case();
            match &command {
                Command::Pay { .. } if case.paid_on != before.paid_on => {
                    payments += 1;
                    prop_assert!(!before.is_held(), "paid while a review holds it");
                    prop_assert!(plan.notice_days == 0 || case.published_on.is_some_and(|from| day(on) >= from + Days::new(3)));
                    prop_assert!(!plan.tell || case.told_on.is_some());
                    prop_assert!(!plan.confirm || case.confirmed_on.is_some());
                    let names: BTreeSet<&str> = case.reviewers.iter().map(|actor| actor.name.as_str()).collect();
                    prop_assert!(names.len() >= usize::from(plan.reviews), "by so many officials");
                    prop_assert_eq!(case.paid, before.amount);
                }
                Command::Review if case != before => reviewers.push(actor.clone()),
                _ => {}
            }
            prop_assert!(case.paid_on.is_none() || matches!(case.step, Step::Paid | Step::Rated | Step::Closed), "{:?}", case.step);
            prop_assert!(reviewers.iter().all(|actor| actor.role == Role::Official && actor.department == DEPARTMENT));
            // The row is the fold of the events, whatever happened.
            let id = "a".repeat(32);
            prop_assert_eq!(fold(&book.events[&id]).expect("ours"), Some(case.clone()));
            prop_assert_eq!(&book.rows[&id].step, case.step.name());
            prop_assert_eq!(book.rows[&id].in_review, !case.open.is_empty());
            // Whoever finds the same grant again, finds its case in order.
            if case.amount == Some(10_000) {
                let existing: Vec<CaseRow> = book.rows.values().cloned().collect();
                prop_assert!(found(&[current_of(Some(10_000), plan.clone())], &existing, &Renumbered::default(), &finder(), day(on)).expect("ours").is_empty());
            }
        }
        prop_assert!(payments <= 1);
    }

    #[test]
    fn every_command_has_its_word(command in command()) {
        prop_assert!(COMMANDS.contains(&command.name()));
        let json = serde_json::to_value(&command).expect("JSON");
        prop_assert_eq!(&json["do"], command.name());
        prop_assert_eq!(serde_json::from_value::<Command>(json).expect("the same"), command);
    }
}

#[test]
fn only_what_is_to_be_delivered_begins_a_case() {
    let row = |occasion: &str, status| StoredGrant {
        policy: "990100-MZ-0007".into(),
        grant_id: GrantId::of(SubjectKind::Person, &grant(None).subject, "990100-MZ-0007", "2026-06", Some(occasion), None),
        occasion: Some(occasion.to_owned()),
        member: None,
        payee: Some("payee".to_owned()),
        amount: Some(10_000),
        full_amount: Some(10_000),
        mode: Mode::Review,
        notify: true,
        status,
        reasons: vec!["age".into()],
    };
    let mut somebody = subject(Verdict::Yes);
    somebody.grants = vec![row("1", Status::Granted), row("2", Status::Waitlisted), row("3", Status::Refused)];
    somebody.given =
        vec![StoredGiven { policy: "990100-MZ-0007".into(), occasion: Some("4".to_owned()), member: None, amount: Some(10_000) }];
    let (version, department, unit, period) = (3, DEPARTMENT.to_owned(), "CNY".to_owned(), "2026-06".to_owned());
    let rule = Rule { version, department, unit, period, delivery: delivery(Mode::Automatic) };
    let rules = BTreeMap::from([("990100-MZ-0007".to_owned(), rule)]);
    let all = current(&somebody, &rules);
    assert_eq!(
        all.iter().map(|current| (current.grant.occasion.as_deref(), current.given)).collect::<Vec<_>>(),
        [(Some("1"), false), (Some("4"), true)]
    );
    let steps = found(&all, &[], &Renumbered::default(), &finder(), day(0)).expect("nothing to read");
    assert_eq!(steps.len(), 1, "what is given already begins no case");
    let case = Case::of(&steps[0].row).expect("ours");
    assert_eq!((steps[0].row.id.as_str(), case.grant.version, case.plan.reviews), (all[0].id.as_str(), 3, 2));
    assert_eq!(case.grant.payee.as_deref(), Some("payee"));
    // Waiting for money, and refused, is not lost.
    let still = |occasion: &str| {
        let id = GrantId::of(SubjectKind::Person, &somebody.id, "990100-MZ-0007", "2026-06", Some(occasion), None).to_string();
        stands(&CaseRow { id, ..steps[0].row.clone() }, &somebody)
    };
    assert_eq!(["1", "2", "3", "4", "5"].map(still), [true, true, true, true, false]);
    assert!(current(&somebody, &BTreeMap::new()).is_empty(), "policies that are not known make no cases");
}

/// The grant of one of several identifiers, with the case that it is.
fn current_as(id: &str) -> Current {
    let plan = Plan::of(Mode::Automatic, &Delivery { notice_days: None, ..delivery(Mode::Automatic) }, false);
    let grant = Grant { subject: id.to_owned(), ..grant(Some(10_000)) };
    let case = GrantId::of(grant.kind, id, &grant.policy, &grant.period, None, None).to_string();
    Current { id: case, grant, plan, given: false }
}

/// What stands of a subject with the grant.
fn subject_as(id: &str, verdict: Verdict) -> StoredSubject {
    let current = current_as(id);
    let grant = StoredGrant {
        policy: current.grant.policy.as_str().into(),
        grant_id: GrantId::of(SubjectKind::Person, id, &current.grant.policy, "2026-06", None, None),
        occasion: None,
        member: None,
        payee: None,
        amount: Some(10_000),
        full_amount: Some(10_000),
        mode: Mode::Automatic,
        notify: false,
        status: Status::Granted,
        reasons: Vec::new(),
    };
    let grants = if verdict == Verdict::Yes { vec![grant] } else { Vec::new() };
    StoredSubject { id: id.to_owned(), grants, ..subject(verdict) }
}

#[test]
fn of_two_who_must_review_one_who_answers_an_objection_is_not_both() {
    let mut book = Book::default();
    let plan = Plan::of(Mode::Review, &Delivery { second_review: true, ..delivery(Mode::Review) }, false);
    book.found(&current_of(Some(10_000), plan), 0);
    book.act(Command::Review, &official("张三"), 0).expect("the first");
    book.act(Command::Object, &official("张三"), 0).expect("somebody objects");
    book.act(Command::Review, &official("张三"), 0).expect("it is answered");
    let case = book.case();
    assert!(!case.reviewed && case.is_held() && case.reviewers.len() == 1, "{case:?}");
    book.act(Command::Review, &official("李四"), 0).expect("the second");
    assert!(book.case().reviewed);
}

/// One policy that pays by itself, for a month.
fn rules_of_june() -> BTreeMap<String, Rule> {
    let rule = Rule {
        version: 1,
        department: DEPARTMENT.to_owned(),
        unit: "CNY".to_owned(),
        period: "2026-06".to_owned(),
        delivery: delivery(Mode::Automatic),
    };
    BTreeMap::from([("990100-MZ-0007".to_owned(), rule)])
}

#[test]
fn the_case_of_who_was_renumbered_goes_on() {
    let (before, today) = ("11010519491231002X", "110105194912310089");
    let renumbered: Renumbered = [(before.to_owned(), today.to_owned())].into_iter().collect();
    let rules = rules_of_june();
    let mut book = Book::default();
    book.found(&current_as(before), 0);
    let rows = |book: &Book| book.rows.values().cloned().collect::<Vec<CaseRow>>();
    let found_as =
        |book: &Book, id: &str, known: &Renumbered| found(&[current_as(id)], &rows(book), known, &finder(), day(1)).expect("ours");
    let lost_as = |book: &Book, verdict, known: &Renumbered| {
        lost(&rows(book), &subject_as(today, verdict), &rules, known, &finder(), day(1)).expect("ours")
    };
    assert_eq!(found_as(&book, today, &Renumbered::default()).len(), 1, "without the link it is another's grant");
    assert!(found_as(&book, today, &renumbered).is_empty(), "no second case");
    assert!(lost_as(&book, Verdict::Yes, &renumbered).is_empty(), "nothing is lost by another number");
    assert!(lost_as(&book, Verdict::Unknown, &renumbered).is_empty());
    assert_eq!(lost_as(&book, Verdict::No, &renumbered).len(), 1, "what is lost is told on the case that there is");
    let more = Current { grant: Grant { amount: Some(12_000), ..current_as(today).grant }, ..current_as(today) };
    let steps = found(&[more], &rows(&book), &renumbered, &finder(), day(1)).expect("ours");
    assert_eq!(steps.iter().map(|step| step.row.id.clone()).collect::<Vec<_>>(), [current_as(before).id], "it comes to more: corrected");
}

#[test]
fn of_two_cases_that_a_merger_left_one_goes_on() {
    let (before, today) = ("11010519491231002X", "110105194912310089");
    let renumbered: Renumbered = [(before.to_owned(), today.to_owned())].into_iter().collect();
    let rules = rules_of_june();
    for is_paid in [false, true] {
        let mut book = Book::default();
        book.found(&current_as(before), 0);
        if is_paid {
            let id = current_as(before).id;
            let paid = act(&book.rows[&id], &Command::Pay { amount: Some(10_000) }, &official("张三"), ("", ""), day(0));
            book.commit(paid.expect("ours").expect("possible").expect("a step"));
        }
        book.found(&current_as(today), 0);
        let rows: Vec<CaseRow> = book.rows.values().cloned().collect();
        assert_eq!(rows.len(), 2);
        let steps = found(&[current_as(today)], &rows, &renumbered, &finder(), day(1)).expect("ours");
        assert!(steps.is_empty(), "both are in order");
        let lost = lost(&rows, &subject_as(today, Verdict::Yes), &rules, &renumbered, &finder(), day(1)).expect("ours");
        let other = if is_paid { today } else { before };
        let ids: Vec<String> = lost.iter().map(|step| step.row.id.clone()).collect();
        assert_eq!(ids, [current_as(other).id], "an official looks at the one that nothing stands behind; paid: {is_paid}");
        for step in lost {
            book.commit(step);
        }
        let rows: Vec<CaseRow> = book.rows.values().cloned().collect();
        let again = super::lost(&rows, &subject_as(today, Verdict::Yes), &rules, &renumbered, &finder(), day(2)).expect("ours");
        assert!(again.is_empty(), "once");
    }
}
