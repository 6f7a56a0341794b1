//! `mianshen readiness`: which mode of delivery each policy can have today, what would lift it, and what hangs on each register.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;
use clap::ValueEnum;

use super::context::date_argument;
use super::folder::PolicyFolder;
use super::match_registers::{all_cores, newest, size_argument, start};
use super::progress::Bar;
use super::{Context, Exit};
use crate::check::CheckedPolicy;
use crate::check::reach::rest_on;
use crate::diagnostic::progress::{Cancel, Progress};
use crate::diagnostic::{Diagnostic, Severity, code, has_errors};
use crate::dossier::{DossierError, Options};
use crate::policy::{self, Standing};
use crate::readiness::run::Reverse;
use crate::readiness::{Question, Readiness, readiness};
use crate::register::Sources;
use crate::report::readiness as report;

/// Arguments of `readiness`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// 政策编码; 缺省为判定日有效的全部政策 / Codes of policies; by default all that are in force on the day
    #[arg(value_name = "CODE")]
    pub codes: Vec<String>,
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 登记库在哪里; 没有写的库算缺席 / Where the registers are; one that is not named there counts as absent
    #[arg(long, value_name = "FILE", default_value = "data-samples/sources.yaml")]
    pub sources: PathBuf,
    /// 判定日; 缺省为最新的数据日 / The day that verdicts are about; by default the newest data day
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub as_of: Option<NaiveDate>,
    /// 只用这一天已公布的政策和标准 / Use the law as it was announced by this day
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub known_at: Option<NaiveDate>,
    /// 当作缺席的登记库 / Registers to be taken as absent
    #[arg(long, value_name = "REGISTER", num_args = 1..)]
    pub allow_missing: Vec<String>,
    /// 反过来看: 每个登记库停供或迟报, 影响哪些政策、多少人、多少钱 / The reverse: what happens to whom if a register stops or is late
    #[arg(long)]
    pub registers: bool,
    /// 只看这些登记库, 逐项政策列出 / Only these registers, policy by policy
    #[arg(long, value_name = "REGISTER", num_args = 1..)]
    pub register: Vec<String>,
    /// 登记库迟报多少天 / How many days late a register is taken to be
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    pub late: u32,
    /// 输出格式 / Format
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub format: FormatArg,
    /// 档案快照: 没有变的登记库不再读, 从这个目录里取; 缺省不留 / Dossier snapshot: registers that did not change are taken from this folder, not read again; by default none
    #[arg(long, value_name = "DIR")]
    pub snapshot: Option<PathBuf>,
    /// 可用的内存, 如 4GiB / Memory to take, such as 4GiB
    #[arg(long, value_name = "SIZE", value_parser = size_argument)]
    pub memory: Option<usize>,
    /// 线程数; 缺省为核数 / Threads; by default one per core
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// A format of output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// 表格 / a table
    Table,
    /// JSON
    Json,
}

/// Runs the verb.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let threads = args.threads.unwrap_or_else(all_cores).max(1);
    let (runtime, cancel) = match start(threads, context) {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    let bar = Arc::new(Bar::new(context));
    let done = runtime.block_on(whole(args, threads, &bar, cancel));
    bar.clear();
    match done {
        Ok(found) => {
            let exit = if found.findings().next().is_some() { Exit::Findings } else { Exit::Clean };
            context.print(&shown(&found, args, context), exit)
        }
        Err(diagnostics) => context.fail(&diagnostics),
    }
}

fn shown(found: &Readiness, args: &Args, context: &Context) -> String {
    match args.format {
        FormatArg::Json => {
            // Plain strings and numbers always serialise.
            let mut text = serde_json::to_string_pretty(found).unwrap_or_default();
            text.push('\n');
            text
        }
        FormatArg::Table => {
            let details = report::Details { policies: !args.codes.is_empty(), registers: !args.register.is_empty() };
            report::render(found, details, context.lang, context.color)
        }
    }
}

async fn whole(args: &Args, threads: usize, bar: &Arc<Bar>, cancel: Cancel) -> Result<Readiness, Vec<Diagnostic>> {
    let one = |diagnostic: Diagnostic| vec![diagnostic];
    let folder = PolicyFolder::load(&args.policies);
    check_arguments(args, &folder)?;
    let sources = Sources::load(&args.sources)?;
    let as_of = args.as_of.or_else(|| newest(&sources)).ok_or_else(|| {
        one(Diagnostic::new(&code::BAD_ARGUMENT, "缺少 --as-of", "--as-of is missing")
            .help("如 --as-of 2026-06-30", "such as --as-of 2026-06-30"))
    })?;
    let mut policies = folder.in_force(as_of, args.known_at);
    let others = not_in_force(args, &folder, &policies, as_of);
    let told: BTreeSet<String> = args.codes.iter().cloned().collect();
    if !told.is_empty() {
        let wanted = rest_on(args.codes.iter().cloned(), &policies);
        policies.retain(|code, _| wanted.contains(code));
    }
    let binder = folder.binder(as_of, args.known_at, &policies);
    let judged: Vec<CheckedPolicy> = policies.values().cloned().collect();
    let mut catalogue = folder.checked.catalogue.clone();
    let allow_missing = args.allow_missing.iter().cloned().collect();
    let only: BTreeSet<String> = args.register.iter().cloned().collect();
    let wants_registers = args.registers || !only.is_empty();
    let reverse = wants_registers.then(|| Reverse { only: Some(&only).filter(|only| !only.is_empty()), late: args.late });
    let question = Question {
        policies: &judged,
        told: Some(&told).filter(|told| !told.is_empty()),
        others: &others,
        catalogue: &mut catalogue,
        binder: &binder,
        sources: &sources,
        allow_missing: &allow_missing,
        reverse,
        options: Options { shards: 1, threads, memory: args.memory, scratch: std::env::temp_dir(), snapshot: args.snapshot.clone() },
        progress: Arc::clone(bar) as Arc<dyn Progress>,
        cancel: cancel.clone(),
    };
    let found = readiness(question).await.map_err(|error| one(error.into_diagnostic()))?;
    if cancel.is_cancelled() {
        return Err(one(DossierError::Cancelled.into_diagnostic()));
    }
    Ok(found)
}

/// The policies that were asked for and are not in force on the day: the last version of each, with where it stands.
fn not_in_force(
    args: &Args,
    folder: &PolicyFolder,
    in_force: &BTreeMap<String, CheckedPolicy>,
    as_of: NaiveDate,
) -> Vec<(CheckedPolicy, Standing)> {
    let standings = policy::standings(&folder.set.policies, as_of);
    let codes: BTreeSet<&String> = args.codes.iter().filter(|code| !in_force.contains_key(*code)).collect();
    let last = |code: &String| {
        let versions = folder.set.policies.iter().zip(&standings).filter(|(document, _)| document.code == *code);
        let (document, standing) = versions.max_by_key(|(document, _)| document.version)?;
        let checked = folder.checked.policies.iter().find(|policy| Arc::ptr_eq(&policy.document, document))?;
        // One that is in force but not yet known on the day that was asked for is not the law of the day.
        Some((checked.clone(), if *standing == Standing::InForce { Standing::NotYet } else { *standing }))
    };
    codes.into_iter().filter_map(last).collect()
}

fn check_arguments(args: &Args, folder: &PolicyFolder) -> Result<(), Vec<Diagnostic>> {
    if has_errors(&folder.diagnostics) {
        return Err(folder.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).cloned().collect());
    }
    let mut faults = Vec::new();
    let codes: BTreeSet<&str> = folder.set.policies.iter().map(|document| document.code.as_str()).collect();
    for wanted in args.codes.iter().filter(|wanted| !codes.contains(wanted.as_str())) {
        faults.push(
            Diagnostic::new(&code::UNKNOWN_POLICY, format!("没有政策“{wanted}”"), format!("unknown policy `{wanted}`"))
                .did_you_mean(wanted, codes.iter().copied()),
        );
    }
    let registers = &folder.registers.registers;
    for register in args.allow_missing.iter().chain(&args.register).filter(|register| !registers.contains_key(*register)) {
        faults.push(
            Diagnostic::new(&code::UNKNOWN_REGISTER, format!("没有登记库“{register}”"), format!("unknown register `{register}`"))
                .did_you_mean(register, registers.keys().map(String::as_str)),
        );
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}
