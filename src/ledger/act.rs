//! The machine: what may be done with a case, by whom, and why not.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::case::{Case, Step, Why};
use super::event::{Actor, Role, What};
use super::plan::Next;
use super::words;
use super::written;
use crate::diagnostic::Message;
use crate::eligibility::grant::amount_text;
use crate::policy::document::NoReply;

/// What somebody wants done with a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// To let it go on after a look; of two reviewers, each gives this.
    Review,
    /// To put it on the published list.
    Publish,
    /// To have told the subject.
    Tell {
        /// By which channel; `hand` for word and letter.
        channel: String,
        /// Identifier of the message; empty where an official told.
        #[serde(default)]
        message: String,
    },
    /// To take it.
    Confirm,
    /// Not to take it.
    Decline,
    /// To send it back to be looked at again.
    Return,
    /// To object.
    Object,
    /// To set another amount.
    Correct {
        /// In hundredths.
        #[serde(with = "written")]
        amount: Option<i64>,
    },
    /// To take it back before it is paid.
    Withdraw,
    /// To have paid it; without an amount for services.
    Pay {
        /// In hundredths.
        #[serde(default, with = "written")]
        amount: Option<i64>,
    },
    /// To rate it.
    Rate {
        /// 1 to 5.
        stars: u8,
    },
    /// To close it.
    Close,
    /// To apply the policy's rule after the days to reply.
    Lapse,
}

/// All commands by their words, in the order of a case's way.
pub(super) const COMMANDS: [&str; 13] =
    ["review", "publish", "tell", "confirm", "decline", "return", "object", "correct", "withdraw", "pay", "rate", "close", "lapse"];

impl Command {
    /// The word in requests and on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Review => "review",
            Self::Publish => "publish",
            Self::Tell { .. } => "tell",
            Self::Confirm => "confirm",
            Self::Decline => "decline",
            Self::Return => "return",
            Self::Object => "object",
            Self::Correct { .. } => "correct",
            Self::Withdraw => "withdraw",
            Self::Pay { .. } => "pay",
            Self::Rate { .. } => "rate",
            Self::Close => "close",
            Self::Lapse => "lapse",
        }
    }

    /// Whether a ground must be given in words.
    fn needs_note(&self) -> bool {
        matches!(self, Self::Return | Self::Object | Self::Correct { .. } | Self::Withdraw)
    }
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub why: Message,
    /// What the same actor may do now: words of commands.
    pub possible: Vec<&'static str>,
}

impl Refusal {
    /// Why, and what is possible now, in one message.
    #[must_use]
    pub fn told(&self) -> Message {
        if self.possible.is_empty() {
            return Message::new(format!("{}; 现在没有可办的步骤", self.why.zh), format!("{}; nothing can be done now", self.why.en));
        }
        let zh: Vec<String> = self.possible.iter().map(|word| format!("{} ({word})", words::command(word).zh)).collect();
        let en = self.possible.join(", ");
        Message::new(format!("{}; 现在可以: {}", self.why.zh, zh.join("、")), format!("{}; possible now: {en}", self.why.en))
    }
}

/// The words of the commands that an actor may give on a day.
#[must_use]
pub fn possible(case: &Case, actor: &Actor, day: NaiveDate) -> Vec<&'static str> {
    COMMANDS.into_iter().filter(|word| may(case, word, actor, day).is_ok()).collect()
}

/// What happens when an actor gives a command on a day; nothing has happened yet.
///
/// # Errors
///
/// When it may not be done: why, and what may be.
pub(super) fn decide(case: &Case, command: &Command, actor: &Actor, note: &str, day: NaiveDate) -> Result<What, Refusal> {
    let refused = |why: Message| Refusal { why, possible: possible(case, actor, day) };
    let refuse = |zh: &str, en: &str| Err(refused(Message::new(zh, en)));
    // What was sent stands on the case whenever it was sent; it moves the case only where it waits for it.
    if let (Command::Tell { channel, message }, Role::System) = (command, actor.role)
        && !message.is_empty()
    {
        return Ok(What::Told { channel: channel.clone(), message: message.clone() });
    }
    may(case, command.name(), actor, day).map_err(refused)?;
    if command.needs_note() && note.trim().is_empty() {
        return refuse("须写明理由", "a ground must be given");
    }
    Ok(match command {
        Command::Review => What::Reviewed,
        Command::Publish => What::Published,
        Command::Tell { channel, message } => What::Told { channel: channel.clone(), message: message.clone() },
        Command::Confirm => What::Confirmed { by_rule: false },
        Command::Decline => What::Declined,
        Command::Return => What::Returned,
        Command::Object => What::Objected,
        Command::Correct { amount } => {
            if *amount == case.amount {
                return refuse("金额没有不同", "the amount is the same");
            }
            if amount.is_none_or(|amount| amount < 0) {
                return refuse("金额不能为空或负数", "an amount is neither empty nor negative");
            }
            What::Corrected { before: case.amount, after: *amount }
        }
        Command::Withdraw => What::Withdrawn,
        Command::Pay { amount } => {
            if *amount != case.amount {
                let shown = |amount: Option<i64>| amount.map_or_else(|| "-".to_owned(), amount_text);
                return Err(refused(Message::new(
                    format!("应付 {}, 不是 {}; 金额有误先更正", shown(case.amount), shown(*amount)),
                    format!("{} is to be paid, not {}; a wrong amount is corrected first", shown(case.amount), shown(*amount)),
                )));
            }
            What::Paid { amount: *amount }
        }
        Command::Rate { stars } => {
            if !(1..=5).contains(stars) {
                return refuse("评价为 1 到 5 星", "a rating is 1 to 5 stars");
            }
            What::Rated { stars: *stars }
        }
        Command::Close => What::Closed { by_rule: false },
        Command::Lapse => match case.plan.no_reply {
            Some(NoReply::Give) => What::Confirmed { by_rule: true },
            Some(NoReply::Close) => What::Closed { by_rule: true },
            Some(NoReply::Review) | None => What::Questioned { why: Why::NoReply, amount: None },
        },
    })
}

/// Whether an actor may give a command on a day, whatever it says beside.
fn may(case: &Case, command: &str, actor: &Actor, day: NaiveDate) -> Result<(), Message> {
    who(case, command, actor)?;
    let fault = |zh: &str, en: &str| Err(Message::new(zh, en));
    if case.erased_on.is_some() {
        return fault("内容已删除", "its content was erased");
    }
    let (step, next) = (case.step, case.next(day));
    let is_paid = case.paid_on.is_some();
    let on_its_way = !is_paid && !step.is_over() && step != Step::Declined;
    match command {
        "review" if case.open.is_empty() => fault("没有待审核的事项", "there is nothing to review"),
        "review" if case.reviewers.iter().any(|before| before.is_same(actor)) && only_the_second(case) => {
            fault("复核须由本部门另一人进行", "another official of the department confirms")
        }
        "object" | "review" => Ok(()),
        "return" if on_its_way && step != Step::Returned => Ok(()),
        // An objection opens again what ended without payment.
        "return" if !is_paid && !on_its_way && case.open.contains_key(&Why::Objection) => Ok(()),
        "withdraw" | "correct" if on_its_way => Ok(()),
        "decline" if on_its_way && case.plan.confirm => Ok(()),
        "decline" if on_its_way && actor.role == Role::Subject => Ok(()),
        "confirm" if step == Step::Declined && case.plan.confirm && !case.is_held() => Ok(()),
        "confirm" if next == Next::Reply => Ok(()),
        "publish" if next == Next::Publish => Ok(()),
        "tell" if next == Next::Tell => Ok(()),
        "pay" if next == Next::Pay => Ok(()),
        "rate" if is_paid && case.stars.is_none() && !step.is_over() => Ok(()),
        "rate" if case.stars.is_some() => fault("已经评价过", "it was rated before"),
        "close" if next == Next::Close || (step == Step::Declined && case.open.is_empty()) => Ok(()),
        "lapse" => lapse(case, next, day),
        _ if step.is_over() => {
            let word = words::step(step);
            Err(Message::new(format!("办件{}", word.zh), format!("the case is {}", word.en)))
        }
        _ if is_paid && matches!(command, "confirm" | "decline" | "return" | "withdraw" | "correct" | "publish" | "tell" | "pay") => {
            fault("已兑付", "it was paid")
        }
        _ => Err(waiting(case, next)),
    }
}

/// Whether all that is open is a review that somebody began.
fn only_the_second(case: &Case) -> bool {
    !case.reviewers.is_empty() && case.open.keys().all(|why| matches!(why, Why::Policy | Why::Returned))
}

fn lapse(case: &Case, next: Next, day: NaiveDate) -> Result<(), Message> {
    let fault = |zh: &str, en: &str| Err(Message::new(zh, en));
    match (case.plan.no_reply, case.reply_until()) {
        (None, _) => fault("政策没有逾期未答复的规则", "the policy has no rule for no reply"),
        _ if next != Next::Reply || case.lapsed_on.is_some() => fault("不在等待答复", "it does not wait for a reply"),
        (_, Some(until)) if day > until => Ok(()),
        _ => fault("答复期限未到", "the days to reply are not over"),
    }
}

/// What the case waits for, as a ground to refuse something else.
fn waiting(case: &Case, next: Next) -> Message {
    match next {
        Next::Notice => {
            let until = case.notice_until().map(|day| day.to_string()).unwrap_or_default();
            Message::new(format!("公示期到 {until} 止"), format!("the notice is over on {until}"))
        }
        next => {
            let word = words::next(next);
            Message::new(format!("办件在等: {}", word.zh), format!("the case waits for: {}", word.en))
        }
    }
}

/// Whether a command is an actor's to give.
pub(super) fn who(case: &Case, command: &str, actor: &Actor) -> Result<(), Message> {
    let may = match command {
        "review" | "return" | "withdraw" | "correct" | "pay" | "close" => actor.role == Role::Official,
        "publish" | "tell" => matches!(actor.role, Role::Official | Role::System),
        "lapse" => matches!(actor.role, Role::Official | Role::System),
        "confirm" | "decline" | "rate" => matches!(actor.role, Role::Subject | Role::Official),
        "object" => actor.role != Role::System,
        _ => return Err(Message::new(format!("没有步骤 {command}"), format!("there is no step `{command}`"))),
    };
    if !may {
        return Err(Message::new("这一步不由您办理", "this step is not yours"));
    }
    if actor.name.trim().is_empty() {
        return Err(Message::new("须写明真实姓名", "a real name is needed"));
    }
    if actor.role == Role::Official && actor.department != case.grant.department {
        let own = &case.grant.department;
        return Err(Message::new(format!("由部门 {own} 办理"), format!("department {own} answers for it")));
    }
    Ok(())
}
