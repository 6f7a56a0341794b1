//! The command line: one file per verb, and what the verbs share.
//!
//! Every verb is a file with its arguments (`Args`) and `run(&Args, &Context) -> Exit`; a new one adds a line to [`Verb`]
//! and one to [`run`].

mod arguments;
pub mod audit;
pub mod case;
pub mod cases;
pub mod check;
pub mod context;
pub mod diff;
pub mod docs;
pub mod dossier;
pub mod due;
pub mod explain;
pub mod fmt;
pub mod folder;
pub mod generate;
pub mod list;
pub mod lsp;
pub mod match_registers;
pub mod match_results;
pub mod match_store;
pub mod new;
pub mod progress;
pub mod push;
pub mod readiness;
pub mod serve;
pub mod simulate;
mod simulate_sides;
pub mod store;
pub mod stream;
mod stream_days;
mod stream_policies;
pub mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use context::{Context, Exit, GlobalArgs};

/// Buffers of batches come and go: with pages of 2 MiB the kernel clears far more memory than is ever used.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "prctl is variadic; this option takes whole numbers only and touches no memory of ours")]
pub fn prefer_small_pages() {
    // SAFETY: PR_SET_THP_DISABLE reads its second argument as a number; the others must be 0 (prctl(2)). Nothing depends on
    // its success.
    let _ = unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// Only where the system would do otherwise.
#[cfg(not(target_os = "linux"))]
pub fn prefer_small_pages() {}

/// 免申即享: 找出每一个应享未享的人, 并说明理由 / Finds everyone who is owed a public benefit, and says why
#[derive(Debug, Parser)]
#[command(name = "mianshen", version, max_term_width = 120, propagate_version = true)]
#[command(after_help = "退出码 / Exit codes: 0 没有问题 / clean, 1 有发现 / findings, 2 未能完成 / failed")]
pub struct Cli {
    /// What holds for every verb.
    #[command(flatten)]
    pub global: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// 从登记库和政策找出应享未享: 谁、多少、为什么、还缺什么 / From registers and policies to grants: who is owed what, and why
    Match(match_registers::Args),
    /// 写出档案: 一人一档、一户一档、一企一档 / Write dossiers: all facts of each person, household, entity
    Dossier(dossier::Args),
    /// 生成样例城市的登记库 / Make the registers of a synthetic city
    Generate(generate::Args),
    /// 由表单、参数或问答起草一项政策, 附边界案例 / Draft a policy from a form, flags or questions, with cases on its boundaries
    New(Box<new::Args>),
    /// 检查政策文件夹: 格式、事实、类型、单位、标准、相互关系 / Check a policies folder: form, facts, types, units, parameters, ties
    Check(check::Args),
    /// 运行政策旁边的案例 / Run the cases beside the policies
    Test(test::Args),
    /// 说明理由: 谁为什么符合或不符合, 还缺什么 / Explain why somebody is in or out, and what is missing
    Explain(explain::Args),
    /// 模拟政策或标准的变动: 谁受益, 谁受损, 花多少钱 / Simulate a change of policies or parameters: who gains, who loses, what it costs
    Simulate(simulate::Args),
    /// 免申即享就绪情况: 四个条件、可采用的发放方式、还缺哪个库; 哪个库停供影响谁 / Can a policy be given without application, what is missing, and what hangs on each register
    Readiness(readiness::Args),
    /// 列出政策目录: 编码、名称、机关、状态、案例数 / List the policies: code, name, authority, status, cases
    List(list::Args),
    /// 统一政策文件的格式, 保留注释 / Put policy files into the canonical format; comments stay
    Fmt(fmt::Args),
    /// 写出参考: 编辑器用的 JSON Schema, 事实、函数、诊断码, 政策网页 / Write reference: JSON Schemas for editors, facts, functions, diagnostic codes, a site
    Docs(docs::Args),
    /// 用话说出两套政策的差别 / Tell in words how two sets of policies differ
    Diff(diff::Args),
    /// 存储: 批次、备份、恢复、核对 / The store: its runs, backup, restore, verification
    Store(store::Args),
    /// 哪些天起判定可能变动, 只因日子到了: 每天多少对象, 哪些政策 / On which days verdicts may change by the day alone: how many subjects, of which policies
    Due(due::Args),
    /// 访问留痕: 核对、谁看过、链头、删除内容 / The access trail: verify it, who looked, heads, erasure
    Audit(audit::Args),
    /// 办件: 从发现到兑付的每一步, 公示名单, 核对 / Cases: every step from found to paid, published lists, verification
    Case(Box<case::Args>),
    /// 服务找人的 HTTP 接口: 谁有哪些服务, 为什么; 谁可以问, 谁问过 / Serve over HTTP which services find whom and why, to those who may ask
    Serve(serve::Args),
    /// 推送: 把发件箱里的通知送出; 列出、重发没有送到的 / Push: send what people are to hear; list and retry what did not arrive
    Push(push::Args),
    /// 跟随登记库的变更: 谁受影响, 现在该享什么 / Follow changes of registers: whom they touch, and what is owed now
    Stream(Box<stream::Args>),
    /// 编辑器里的检查、说明和补全 (语言服务器) / Checks, meanings and completion inside editors: a language server
    Lsp(lsp::Args),
}

/// Runs the verb.
#[must_use]
pub fn run(cli: Cli) -> Exit {
    let context = match Context::new(&cli.global) {
        Ok(context) => context,
        Err(exit) => return exit,
    };
    if let Err(told) = arguments::hold_no_password(std::env::args_os()) {
        return context.fail(&[told]);
    }
    match cli.verb {
        Verb::Match(args) => match_registers::run(&args, &context),
        Verb::Dossier(args) => dossier::run(&args, &context),
        Verb::Generate(args) => generate::run(&args, &context),
        Verb::New(args) => new::run(&args, &context),
        Verb::Check(args) => check::run(&args, &context),
        Verb::Test(args) => test::run(&args, &context),
        Verb::Explain(args) => explain::run(&args, &context),
        Verb::Simulate(args) => simulate::run(&args, &context),
        Verb::Readiness(args) => readiness::run(&args, &context),
        Verb::List(args) => list::run(&args, &context),
        Verb::Fmt(args) => fmt::run(&args, &context),
        Verb::Docs(args) => docs::run(&args, &context),
        Verb::Diff(args) => diff::run(&args, &context),
        Verb::Store(args) => store::run(&args, &context),
        Verb::Due(args) => due::run(&args, &context),
        Verb::Audit(args) => audit::run(&args, &context),
        Verb::Case(args) => case::run(&args, &context),
        Verb::Serve(args) => serve::run(&args, &context),
        Verb::Push(args) => push::run(&args, &context),
        Verb::Stream(args) => stream::run(&args, &context),
        Verb::Lsp(args) => lsp::run(&args, &context),
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Clean => Self::SUCCESS,
            Exit::Findings => Self::from(1),
            Exit::Failed => Self::from(2),
        }
    }
}
