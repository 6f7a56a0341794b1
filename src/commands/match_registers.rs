//! `mianshen match`: from registers and policies to grants.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use chrono::NaiveDate;
use clap::ValueEnum;

use super::context::date_argument;
use super::folder::PolicyFolder;
use super::match_results::{self, Finished};
use super::match_store;
use super::progress::Bar;
use super::{Context, Exit};
use crate::check::reach::rest_on;
use crate::check::{CheckedPolicy, check_given};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::diagnostic::{Diagnostic, Severity, code, has_errors};
use crate::dossier::{DossierError, Options};
use crate::eligibility::dossier_file::DossierFile;
use crate::eligibility::results::Format;
use crate::eligibility::results::staging::Staging;
use crate::eligibility::run::{Found, Run, run as run_policies, run_on_file};
use crate::policy;
use crate::register::Sources;
use crate::register::declaration::SubjectKind;

/// Arguments of `match`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 登记库在哪里 / Where the registers are
    #[arg(long, value_name = "FILE", default_value = "data-samples/sources.yaml")]
    pub sources: PathBuf,
    /// 判定日; 缺省为最新的数据日 / The day that verdicts are about; by default the newest data day
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub as_of: Option<NaiveDate>,
    /// 结果目录; 缺省为 out, 有 --store 时缺省不写 / Where results go; by default out, and with --store nowhere
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// 装入存储, 供查询服务用: 文件路径、sqlite:路径 或 postgres://… / Load the run into a store that services read: a file path, sqlite:PATH or postgres://…
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
    /// 存储里保留几个批次 / How many runs the store keeps
    #[arg(long, value_name = "N", default_value_t = 7, requires = "store", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_runs: u32,
    /// 只用这一天已公布的政策和标准 / Use the law as it was announced by this day
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub known_at: Option<NaiveDate>,
    /// 只判定这个地区的对象 / Only subjects counted in this region
    #[arg(long, value_name = "CODE")]
    pub region: Option<String>,
    /// 只运行这些政策 / Only these policies
    #[arg(long, value_name = "CODE", num_args = 1..)]
    pub policy: Vec<String>,
    /// 与上一批次比较 / Compare with an earlier run
    #[arg(long, value_name = "OUT")]
    pub since: Option<PathBuf>,
    /// 结果格式 / Format of results
    #[arg(long, value_enum, default_value_t = FormatArg::Parquet)]
    pub format: FormatArg,
    /// 有隔离或冲突时退出码为 1 / Exit 1 on quarantine or conflicts
    #[arg(long)]
    pub strict: bool,
    /// 有意缺席的登记库, 其事实为未知 / Registers absent on purpose: their facts are unknown
    #[arg(long, value_name = "REGISTER", num_args = 1..)]
    pub allow_missing: Vec<String>,
    /// 现成的档案文件 (Parquet 或 Arrow), 代替登记库 / A ready-made dossier file instead of registers
    #[arg(long, value_name = "FILE")]
    pub dossiers: Option<PathBuf>,
    /// 档案文件的服务对象 / Whose dossiers the file holds
    #[arg(long, value_enum, default_value_t = SubjectArg::Person)]
    pub subject: SubjectArg,
    /// 档案文件的标识列 / The identifier column of the file
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
    /// 只要数目, 不要名单 / Counts only, no lists
    #[arg(long)]
    pub counts_only: bool,
    /// 档案快照: 没有变的登记库不再读, 从这个目录里取; 缺省不留 / Dossier snapshot: registers that did not change are taken from this folder, not read again; by default none
    #[arg(long, value_name = "DIR")]
    pub snapshot: Option<PathBuf>,
    /// 可用的内存, 如 4GiB: 多出的放到磁盘, 或分几次读 / Memory to take, such as 4GiB: what is more goes to disk, or is read in turns
    #[arg(long, value_name = "SIZE", value_parser = size_argument)]
    pub memory: Option<usize>,
    /// 对象至少分成几份, 每份读一遍登记库 / Into how many parts subjects are split at least; registers are read once for each
    #[arg(long, value_name = "N")]
    pub shards: Option<usize>,
    /// 线程数; 缺省为核数 / Threads; by default one per core
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// A format of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// Parquet
    Parquet,
    /// CSV
    Csv,
    /// Arrow IPC
    Arrow,
}

impl Args {
    /// Where result files go; none where a store is filled instead.
    #[must_use]
    pub fn out_dir(&self) -> Option<PathBuf> {
        self.out.clone().or_else(|| self.store.is_none().then(|| PathBuf::from("out")))
    }
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Parquet => Self::Parquet,
            FormatArg::Csv => Self::Csv,
            FormatArg::Arrow => Self::Arrow,
        }
    }
}

/// A kind of subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SubjectArg {
    /// 个人
    Person,
    /// 家庭
    Household,
    /// 法人
    Entity,
}

impl From<SubjectArg> for SubjectKind {
    fn from(subject: SubjectArg) -> Self {
        match subject {
            SubjectArg::Person => Self::Person,
            SubjectArg::Household => Self::Household,
            SubjectArg::Entity => Self::Entity,
        }
    }
}

/// A size such as `512MiB` or `4GiB`.
///
/// # Errors
///
/// When it is none.
pub fn size_argument(text: &str) -> Result<usize, String> {
    let fault = || format!("`{text}`: 应为如 4GiB 的大小 / expected a size such as 4GiB");
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return Err(fault()),
    };
    digits.parse::<usize>().ok().and_then(|number| number.checked_mul(factor)).filter(|size| *size > 0).ok_or_else(fault)
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
    let done = runtime.block_on(whole(args, context, threads, &bar, cancel));
    bar.clear();
    match done {
        Ok(finished) => {
            let found_faults = finished.quarantined > 0 || finished.conflicts > 0;
            let exit = if args.strict && found_faults { Exit::Findings } else { Exit::Clean };
            context.print(&finished.summary, exit)
        }
        Err(diagnostics) => context.fail(&diagnostics),
    }
}

/// One thread per core.
pub(super) fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Starts the threads, and listens for Ctrl-C.
pub(super) fn start(threads: usize, context: &Context) -> Result<(tokio::runtime::Runtime, Cancel), Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().map_err(|error| {
        let (zh, en) = (format!("开不了线程: {error}"), format!("threads cannot be started: {error}"));
        context.fail(&[Diagnostic::new(&code::INTERNAL, zh, en)])
    })?;
    let cancel = Cancel::default();
    let watched = cancel.clone();
    runtime.spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            watched.cancel();
        }
    });
    // A pool that is already there (in tests) stays.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    Ok((runtime, cancel))
}

async fn whole(args: &Args, context: &Context, threads: usize, bar: &Arc<Bar>, cancel: Cancel) -> Result<Finished, Vec<Diagnostic>> {
    #[expect(clippy::disallowed_methods, reason = "how long a stage takes is told")]
    let started = Instant::now();
    let folder = match args.dossiers {
        Some(_) => PolicyFolder::load_for_file(&args.policies),
        None => PolicyFolder::load(&args.policies),
    };
    check_arguments(args, &folder)?;
    let one = |diagnostic: Diagnostic| vec![diagnostic];
    let target = match_store::open(args).await.map_err(one)?;
    let out = args.out_dir();
    let staging = out.as_deref().map(Staging::begin).transpose().map_err(one)?;
    let (as_of, sources) = match &args.dossiers {
        Some(_) => (args.as_of, None),
        None => {
            let sources = Sources::load(&args.sources)?;
            (args.as_of.or_else(|| newest(&sources)), Some(sources))
        }
    };
    let as_of = as_of.ok_or_else(|| {
        one(Diagnostic::new(&code::BAD_ARGUMENT, "缺少 --as-of", "--as-of is missing")
            .help("如 --as-of 2026-06-30", "such as --as-of 2026-06-30"))
    })?;
    let dossier_file = match &args.dossiers {
        Some(path) => Some(DossierFile::open(path, args.subject.into(), args.id.as_deref(), threads).await.map_err(|told| one(*told))?),
        None => None,
    };
    let (mut catalogue, policies) = prepare(args, &folder, as_of, dossier_file.as_ref(), context)?;
    let binder = folder.binder(as_of, args.known_at, &policies);
    let chosen: Vec<CheckedPolicy> = policies.values().cloned().collect();
    let allow_missing: BTreeSet<String> = args.allow_missing.iter().cloned().collect();
    let no_sources = Sources::default();
    let beside = out.as_deref().map(scratch).or_else(|| target.as_ref().map(match_store::Target::scratch)).unwrap_or_default();
    let options =
        Options { shards: args.shards.unwrap_or(1).max(1), threads, memory: args.memory, scratch: beside, snapshot: args.snapshot.clone() };
    let also = match (&target, &sources) {
        (Some(_), Some(sources)) => match_store::facts(&mut catalogue, &binder, &chosen, sources, &allow_missing),
        _ => BTreeSet::new(),
    };
    let request = Run {
        policies: &chosen,
        catalogue: &mut catalogue,
        binder: &binder,
        sources: sources.as_ref().unwrap_or(&no_sources),
        allow_missing: &allow_missing,
        within: args.region.as_deref(),
        counts_only: args.counts_only,
        also,
        options,
        progress: Arc::clone(bar) as Arc<dyn Progress>,
        cancel: cancel.clone(),
    };
    let loaded = started.elapsed().as_secs_f64();
    let found: Found = match &dossier_file {
        Some(file) => run_on_file(request, file, args.subject.into()).await,
        None => run_policies(request).await,
    }
    .map_err(|error| one(error.into_diagnostic()))?;
    if cancel.is_cancelled() {
        return Err(one(DossierError::Cancelled.into_diagnostic()));
    }
    match_results::finish(
        &match_results::Request {
            args,
            context,
            as_of,
            folder: &folder,
            catalogue: &catalogue,
            binder: &binder,
            policies: &chosen,
            sources: sources.as_ref(),
            bar: bar.as_ref(),
            started,
            loaded,
            cancel: &cancel,
        },
        found,
        staging,
        target,
    )
    .map_err(one)
}

fn check_arguments(args: &Args, folder: &PolicyFolder) -> Result<(), Vec<Diagnostic>> {
    if has_errors(&folder.diagnostics) {
        return Err(folder.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).cloned().collect());
    }
    let mut faults = Vec::new();
    if args.store.is_some() && (args.dossiers.is_some() || args.counts_only) {
        faults.push(
            Diagnostic::new(
                &code::BAD_ARGUMENT,
                "--store 不能与 --dossiers 或 --counts-only 同用",
                "--store cannot be used with --dossiers or --counts-only",
            )
            .help(
                "存储要有每个对象的档案和判定, 须从登记库运行",
                "a store holds every subject's dossier and verdicts: run from the registers",
            ),
        );
    }
    if let Some(region) = args.region.as_deref().filter(|region| !folder.regions.is_known(region)) {
        faults.push(
            Diagnostic::new(&code::UNKNOWN_REGION, format!("区划树里没有“{region}”"), format!("region `{region}` is not in the tree"))
                .help("区划代码见 policies/regions.yaml", "region codes are in policies/regions.yaml"),
        );
    }
    let codes: BTreeSet<&str> = folder.set.policies.iter().map(|document| document.code.as_str()).collect();
    for wanted in args.policy.iter().filter(|wanted| !codes.contains(wanted.as_str())) {
        faults.push(
            Diagnostic::new(&code::UNKNOWN_POLICY, format!("没有政策“{wanted}”"), format!("unknown policy `{wanted}`"))
                .did_you_mean(wanted, codes.iter().copied()),
        );
    }
    for register in args.allow_missing.iter().filter(|register| !folder.registers.registers.contains_key(*register)) {
        faults.push(
            Diagnostic::new(&code::UNKNOWN_REGISTER, format!("没有登记库“{register}”"), format!("unknown register `{register}`"))
                .did_you_mean(register, folder.registers.registers.keys().map(String::as_str)),
        );
    }
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// The catalogue and the policies of the run, by code: those in force, and with `--policy` those chosen and what they
/// rest on.
fn prepare(
    args: &Args,
    folder: &PolicyFolder,
    as_of: NaiveDate,
    file: Option<&DossierFile>,
    context: &Context,
) -> Result<(crate::check::catalogue::Catalogue, BTreeMap<String, CheckedPolicy>), Vec<Diagnostic>> {
    let (catalogue, mut policies) = match file {
        None => (folder.checked.catalogue.clone(), folder.in_force(as_of, args.known_at)),
        Some(file) => {
            let kind: SubjectKind = args.subject.into();
            let documents: Vec<_> = policy::select(&folder.set.policies, as_of, args.known_at)
                .into_iter()
                .filter(|document| document.subject == kind)
                .collect();
            let (checked, mut diagnostics) = check_given(kind, &file.columns, &documents, &folder.set.parameters, &folder.regions);
            if !file.left_out.is_empty() {
                let names = file.left_out.join(", ");
                diagnostics.push(Diagnostic {
                    severity: Severity::Note,
                    ..Diagnostic::new(
                        &code::TYPE_MISMATCH,
                        format!("档案文件的这些列不是事实可用的类型, 未使用: {names}"),
                        format!("columns of the dossier file with a type that facts cannot have are not used: {names}"),
                    )
                });
            }
            if has_errors(&diagnostics) {
                return Err(diagnostics);
            }
            context.tell(&diagnostics);
            let policies = checked.policies.iter().map(|policy| (policy.document.code.clone(), policy.clone())).collect();
            (checked.catalogue, policies)
        }
    };
    if !args.policy.is_empty() {
        let wanted = rest_on(args.policy.iter().cloned(), &policies);
        policies.retain(|code, _| wanted.contains(code));
    }
    Ok((catalogue, policies))
}

pub(super) fn newest(sources: &Sources) -> Option<NaiveDate> {
    sources.sources.values().map(|source| source.data_day).max()
}

/// Intermediate files lie beside the results: the same disk, so that room for one is room for the other.
pub(super) fn scratch(out: &Path) -> PathBuf {
    match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
