//! `mianshen case`: cases opened from a run, looked at, moved on step by step, published and verified.

mod erase;
mod lists;
mod open;
mod show;
mod step;

use std::path::PathBuf;

use chrono::NaiveDate;
use clap::{Subcommand, ValueEnum};

use super::context::date_argument;
use super::store::{StoreArg, with};
use super::{Context, Exit};
use crate::diagnostic::{Diagnostic, Message, code};
use crate::ledger::{Actor, Case, Role, amount_of, fold};
use crate::report::count;
use crate::serve::clock;
use crate::store::live::{CaseFilter, CasePages, CaseRow, Live, verify_events};
use crate::store::{Store, StoreError};

/// Arguments of `case`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with cases.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// 由存储里的当前批次建立办件: 新发现的、重算的、不再符合的 / Open cases from the current run of a store: found, recomputed, lost
    Open {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 政策文件夹 / The policies folder
        #[arg(long, value_name = "DIR", default_value = "policies")]
        policies: PathBuf,
    },
    /// 列出办件, 标识已脱敏 / List cases; identifiers are masked
    List {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// Which.
        #[command(flatten)]
        which: Which,
        /// 最多几件 / At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// 先到期的在前: 到这一天为止要办的 / What is due until a day, first things first
    Due {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// Which.
        #[command(flatten)]
        which: Which,
        /// 到这一天; 缺省为今天 / Until this day; by default today
        #[arg(long, value_name = "DATE", value_parser = date_argument)]
        until: Option<NaiveDate>,
        /// 最多几件 / At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// 一件的经过和现在可办的步骤; 这次查看会留痕 / One case: what happened, what can be done now; the look is recorded
    Show {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 办件号 / The case
        id: String,
        /// 查看人的真实姓名 / The real name of who looks
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// 审核通过; 要求复核的, 两人各一次 / Review: let it go on; where two must, each does
    Review(Step),
    /// 公示 / Publish
    Publish(Step),
    /// 已告知对象 (当面、电话、信函) / The subject was told, by word or letter
    Tell(Step),
    /// 对象确认 / The subject confirms
    Confirm(Step),
    /// 对象放弃 / The subject declines
    Decline(Step),
    /// 退回重审 / Send back to be looked at again
    Return(Step),
    /// 提出异议 / Object
    Object(Step),
    /// 更正金额 / Correct the amount
    Correct {
        /// 正确的金额 / The right amount
        #[arg(long, value_name = "AMOUNT", value_parser = amount_argument)]
        amount: i64,
        /// The step.
        #[command(flatten)]
        step: Step,
    },
    /// 撤回 / Take it back
    Withdraw(Step),
    /// 已兑付 / It was paid
    Pay {
        /// 实付金额; 缺省为办件的金额 / What was paid; by default the amount of the case
        #[arg(long, value_name = "AMOUNT", value_parser = amount_argument)]
        amount: Option<i64>,
        /// The step.
        #[command(flatten)]
        step: Step,
    },
    /// 对象评价 / The subject rates it
    Rate {
        /// 星: 1 到 5 / Stars: 1 to 5
        #[arg(long, value_name = "N")]
        stars: u8,
        /// The step.
        #[command(flatten)]
        step: Step,
    },
    /// 办结 / Close
    Close(Step),
    /// 逾期未答复的, 按政策的规则处理 / Apply the policy's rule where the days to reply are over
    Lapse(Step),
    /// 写出公示名单 (CSV 和 HTML, 已脱敏) / Write published lists: CSV and HTML, masked
    Lists {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 政策文件夹, 用来写政策名称 / The policies folder, for the names of policies
        #[arg(long, value_name = "DIR", default_value = "policies")]
        policies: PathBuf,
        /// Which.
        #[command(flatten)]
        which: Which,
        /// 写到这个目录 / The folder to write into
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// 今天; 公示期满的不列 / Today: lists that are over are left out
        #[arg(long, value_name = "DATE", value_parser = date_argument)]
        today: Option<NaiveDate>,
    },
    /// 删除已办结或已撤回的办件的内容; 办件号、政策、步骤留下, 链条不断 / Erase the content of cases that are closed or withdrawn; number, policy and steps stay, the chain stays whole
    Erase {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 办件号 / The cases
        #[arg(value_name = "ID", required = true)]
        ids: Vec<String>,
        /// 删除人的真实姓名 / The real name of who erases
        #[arg(long, value_name = "NAME")]
        actor: String,
        /// 删除人的部门, 须是办件的主管部门 / The department of who erases: the one that answers for the case
        #[arg(long, value_name = "CODE")]
        department: String,
        /// 依据 / The ground
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// 核对全部事件的链条, 并与办件对照 / Verify the chain of all events, and cases against them
    Verify(StoreArg),
}

/// Which cases.
#[derive(Debug, Clone, clap::Args)]
pub struct Which {
    /// 只要这项政策 / Of this policy
    #[arg(long, value_name = "CODE")]
    pub policy: Option<String>,
    /// 只要这些步骤, 如 found published / At these steps, such as found published
    #[arg(long = "at", value_name = "STEP", num_args = 1.., value_parser = clap::builder::PossibleValuesParser::new(crate::ledger::Step::ALL.map(crate::ledger::Step::name)))]
    pub steps: Vec<String>,
    /// 只要这个部门 / Of this department
    #[arg(long, value_name = "CODE")]
    pub department: Option<String>,
    /// 只要这个地区 (代码开头) / Of this region and below: the beginning of its code
    #[arg(long, value_name = "CODE")]
    pub region: Option<String>,
    /// 只要这个对象 / Of this subject
    #[arg(long, value_name = "ID")]
    pub subject: Option<String>,
    /// 只要待审核的 / Only those in review
    #[arg(long)]
    pub in_review: bool,
}

/// A step of cases.
#[derive(Debug, Clone, clap::Args)]
pub struct Step {
    /// The store.
    #[command(flatten)]
    pub store: StoreArg,
    /// 办件号 / The cases
    #[arg(value_name = "ID", required_unless_present = "policy", conflicts_with = "policy")]
    pub ids: Vec<String>,
    /// 这项政策里现在可办这一步的全部办件 / All cases of this policy for which the step is possible now
    #[arg(long, value_name = "CODE")]
    pub policy: Option<String>,
    /// 办理人的真实姓名 / The real name of who acts
    #[arg(long, value_name = "NAME")]
    pub actor: String,
    /// 办理人的部门; 没有则为对象本人 / The department of who acts; none: the subject
    #[arg(long, value_name = "CODE", default_value = "")]
    pub department: String,
    /// 以什么身份; 缺省按部门 / In which role; by default as the department says
    #[arg(long, value_enum)]
    pub role: Option<RoleArg>,
    /// 说明; 退回、异议、更正、撤回必须写 / A note; needed to return, object, correct and withdraw
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// 请求号: 同一请求号再来一次不会重复办理 / The request: the same again changes nothing
    #[arg(long, value_name = "ID", default_value = "")]
    pub request: String,
    /// 今天; 缺省为北京时间的今天 / Today; by default the day in Beijing
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub today: Option<NaiveDate>,
}

/// In which role somebody acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// 经办人
    Official,
    /// 服务对象
    Subject,
    /// 公众
    Public,
}

impl From<RoleArg> for Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Official => Self::Official,
            RoleArg::Subject => Self::Subject,
            RoleArg::Public => Self::Public,
        }
    }
}

fn amount_argument(text: &str) -> Result<i64, String> {
    amount_of(text).ok_or_else(|| format!("`{text}`: 应为如 120.50 的金额 / expected an amount such as 120.50"))
}

/// What a verb prints, and how it ends.
type Told = Result<(String, Exit), Box<Diagnostic>>;

/// Runs the verb.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    use crate::ledger::Command;
    let plain = |step: &Step, command: Command| step::run(step, &|_| command.clone(), context);
    let done = match &args.action {
        Action::Open { store, policies } => open::run(store, policies, context),
        Action::List { store, which, limit } => show::list(store, which, None, *limit, context),
        Action::Due { store, which, until, limit } => show::list(store, which, Some(until.unwrap_or_else(clock::beijing)), *limit, context),
        Action::Show { store, id, by } => show::one(store, id, by, context),
        Action::Review(step) => plain(step, Command::Review),
        Action::Publish(step) => plain(step, Command::Publish),
        Action::Tell(step) => plain(step, Command::Tell { channel: "hand".to_owned(), message: String::new() }),
        Action::Confirm(step) => plain(step, Command::Confirm),
        Action::Decline(step) => plain(step, Command::Decline),
        Action::Return(step) => plain(step, Command::Return),
        Action::Object(step) => plain(step, Command::Object),
        Action::Correct { amount, step } => plain(step, Command::Correct { amount: Some(*amount) }),
        Action::Withdraw(step) => plain(step, Command::Withdraw),
        Action::Pay { amount, step } => step::run(step, &|case| Command::Pay { amount: amount.or(case.amount) }, context),
        Action::Rate { stars, step } => plain(step, Command::Rate { stars: *stars }),
        Action::Close(step) => plain(step, Command::Close),
        Action::Lapse(step) => plain(step, Command::Lapse),
        Action::Lists { store, policies, which, out, today } => {
            lists::run(store, policies, which, out, today.unwrap_or_else(clock::beijing), context)
        }
        Action::Erase { store, ids, actor, department, reason } => {
            let actor = Actor::official(actor.trim(), "", department.as_str());
            erase::run(store, &erase::Asked { ids, actor, ground: reason.trim(), day: clock::beijing() }, context)
        }
        Action::Verify(store) => verify(store, context),
    };
    match done {
        Ok((text, exit)) => context.print(&text, exit),
        Err(diagnostic) => context.fail(&[*diagnostic]),
    }
}

fn unknown_case(id: &str) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(&code::BAD_ARGUMENT, format!("没有办件 {id}"), format!("there is no case {id}"))
            .help("mianshen case list 列出办件", "mianshen case list lists cases"),
    )
}

/// The live part of a store that has one.
async fn live(store: &dyn Store) -> Result<std::sync::Arc<dyn Live>, StoreError> {
    store.live_if_there().await?.ok_or(StoreError::Missing)
}

/// Cases that are not what their events add up to; those whose events were erased are left out.
async fn differing(live: &dyn Live) -> Result<Vec<String>, StoreError> {
    let mut pages = CasePages::new(live, CaseFilter::default());
    let mut found = Vec::new();
    while let Some(page) = pages.next().await? {
        for row in &page {
            let case = match fold(&live.case_events(&row.id).await?) {
                Ok(Some(case)) => case,
                Ok(None) => continue,
                // What cannot be read any more adds up to nothing.
                Err(_) => {
                    found.push(row.id.clone());
                    continue;
                }
            };
            let kept = CaseRow { version: 0, at: 0, ..row.clone() };
            let sum = CaseRow { body: row.body.clone(), ..case.row() };
            if Case::of(row).ok().as_ref() != Some(&case) || sum != kept {
                found.push(row.id.clone());
            }
        }
    }
    Ok(found)
}

fn verify(store: &StoreArg, context: &Context) -> Told {
    let (verified, differing) = with(store, async |store| {
        let live = live(store).await?;
        Ok((verify_events(&*live, &[]).await?, differing(&*live).await?))
    })?;
    let mut words: Vec<Message> = verified.chain.faults.iter().map(|fault| fault.words()).collect();
    words.extend(verified.faults.iter().map(crate::store::live::CaseFault::words));
    words.extend(
        differing
            .iter()
            .map(|id| Message::new(format!("办件 {id}: 与它的事件累计不符"), format!("case {id}: it is not what its events add up to"))),
    );
    let mut text: String = words.iter().map(|fault| format!("{}\n", context.say(fault))).collect();
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let (events, erased, cases) = (count(verified.chain.records), count(verified.chain.erased), count(verified.cases));
    text.push_str(&format!(
        "{} {cases} · {} {events} · {} {erased}\n",
        pick("办件", "cases"),
        pick("事件", "events"),
        pick("已删除内容", "erased")
    ));
    let is_whole = words.is_empty();
    text.push_str(if is_whole {
        pick("链条完整\n", "the chain is whole\n")
    } else {
        pick("链条有问题\n", "the chain is not whole\n")
    });
    Ok((text, if is_whole { Exit::Clean } else { Exit::Findings }))
}
