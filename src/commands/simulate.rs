//! `mianshen simulate`: policies or parameters of before against those of after, on the same dossiers.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::json;

use super::context::date_argument;
use super::folder::PolicyFolder;
use super::match_registers::{SubjectArg, all_cores, newest, scratch, size_argument, start};
use super::progress::Bar;
use super::simulate_sides::{self as sides, Sides};
use super::{Context, Exit};
use crate::diagnostic::progress::Progress;
use crate::diagnostic::{Diagnostic, Lang, Message, code};
use crate::dossier::Options;
use crate::eligibility::dossier_file::DossierFile;
use crate::eligibility::results::manifest::{Engine, MANIFEST, TIMINGS};
use crate::eligibility::results::staging::Staging;
use crate::register::Sources;
use crate::report::{simulation, simulation_page};
use crate::simulate::run::{Ground, Outcome};
use crate::simulate::{Results, Study, dimension, files, study};

/// Arguments of `simulate`.
#[derive(Debug, Clone, clap::Args)]
#[command(group(clap::ArgGroup::new("after").required(true).multiple(true).args(["against", "against_git", "set"])))]
pub struct Args {
    /// 现行政策文件夹 / The policies folder of before
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 拟议的政策文件夹 / The policies folder of after
    #[arg(long, value_name = "DIR", conflicts_with = "against_git")]
    pub against: Option<PathBuf>,
    /// 以 git 的这一版本为现行, --policies 为拟议 / The policies of a git revision are those of before, --policies those of after
    #[arg(long, value_name = "REV")]
    pub against_git: Option<String>,
    /// 设定标准, 如 `subsistence_line=1100`、`subsistence_line[990102]=900`、`subsistence_line=+5%` / Set a parameter
    #[arg(long, value_name = "PARAM=VALUE", num_args = 1..)]
    pub set: Vec<String>,
    /// 登记库在哪里 / Where the registers are
    #[arg(long, value_name = "FILE", default_value = "data-samples/sources.yaml")]
    pub sources: PathBuf,
    /// 判定日; 缺省为最新的数据日 / The day that verdicts are about; by default the newest data day
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub as_of: Option<NaiveDate>,
    /// 结果目录 / Where results go
    #[arg(long, value_name = "DIR", default_value = "out-simulation")]
    pub out: PathBuf,
    /// 向前看几个月, 至多 12 / How many months to look ahead, at most 12
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=12))]
    pub forecast: u32,
    /// 少于这个数的不显示 / Counts below are not shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub small_cells: u64,
    /// 每项政策每类变化抽看几人 / How many people of each policy and kind of change to look at
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub people: usize,
    /// 再按这些事实分组 / Break down by these facts too
    #[arg(long, value_name = "FACT", num_args = 1..)]
    pub by: Vec<String>,
    /// 只用这一天已公布的政策和标准 / Use the law as it was announced by this day
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub known_at: Option<NaiveDate>,
    /// 有意缺席的登记库, 其事实为未知 / Registers absent on purpose: their facts are unknown
    #[arg(long, value_name = "REGISTER", num_args = 1..)]
    pub allow_missing: Vec<String>,
    /// 现成的档案文件 (Parquet 或 Arrow), 代替登记库 / A ready-made dossier file instead of registers
    #[arg(long, value_name = "FILE", conflicts_with = "forecast")]
    pub dossiers: Option<PathBuf>,
    /// 档案文件的服务对象 / Whose dossiers the file holds
    #[arg(long, value_enum, default_value_t = SubjectArg::Person)]
    pub subject: SubjectArg,
    /// 档案文件的标识列 / The identifier column of the file
    #[arg(long, value_name = "COLUMN")]
    pub id: Option<String>,
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
        Ok(text) => context.print(&text, Exit::Clean),
        Err(diagnostics) => context.fail(&diagnostics),
    }
}

async fn whole(
    args: &Args,
    context: &Context,
    threads: usize,
    bar: &Arc<Bar>,
    cancel: crate::diagnostic::progress::Cancel,
) -> Result<String, Vec<Diagnostic>> {
    #[expect(clippy::disallowed_methods, reason = "how long a run takes is told")]
    let started = std::time::Instant::now();
    let one = |diagnostic: Diagnostic| vec![diagnostic];
    let sources = match &args.dossiers {
        Some(_) => None,
        None => Some(Sources::load(&args.sources)?),
    };
    let as_of = args.as_of.or_else(|| sources.as_ref().and_then(newest)).ok_or_else(|| {
        one(Diagnostic::new(&code::BAD_ARGUMENT, "缺少 --as-of", "--as-of is missing")
            .help("如 --as-of 2026-06-30", "such as --as-of 2026-06-30"))
    })?;
    let staging = Staging::begin(&args.out).map_err(one)?;
    let file = match &args.dossiers {
        Some(path) => Some(DossierFile::open(path, args.subject.into(), args.id.as_deref(), threads).await.map_err(|told| one(*told))?),
        None => None,
    };
    let mut sides = match &file {
        Some(file) => sides::for_file(args, file, as_of)?,
        None => sides::for_registers(args, as_of)?,
    };
    let dimensions = dimensions(args, &mut sides)?;
    let allow_missing: BTreeSet<String> = allow_missing(args, &sides.before)?;
    let options = Options { shards: 1, threads, memory: args.memory, scratch: scratch(&args.out), snapshot: args.snapshot.clone() };
    let ground = match (&file, &sources) {
        (Some(file), _) => Ground::File { file, kind: args.subject.into() },
        (None, Some(sources)) => Ground::Registers { sources, allow_missing: &allow_missing, options },
        (None, None) => return Err(one(Diagnostic::new(&code::INTERNAL, "没有登记库", "there are no registers"))),
    };
    let laws = [sides.law(0, args.known_at), sides.law(1, args.known_at)];
    let asked = Study {
        laws,
        sides: sides.names.clone(),
        set: sides.set.clone(),
        catalogues: sides.catalogues.clone(),
        ground,
        as_of,
        dimensions,
        least: args.small_cells,
        people: args.people,
        forecast: args.forecast,
        threads,
        progress: Arc::clone(bar) as Arc<dyn Progress>,
        cancel,
    };
    let outcome = study(asked).await.map_err(|error| one(error.into_diagnostic()))?;
    bar.stage(Message::new("写出", "writing"), None);
    write(&staging, args, &outcome, started).await.map_err(one)?;
    staging.finish().map_err(one)?;
    let text = simulation::render(&outcome.results, context.lang, context.color);
    Ok(format!("{text}\n{} {}\n", context.pick("结果", "results"), args.out.display()))
}

/// The usual dimensions, and those asked for.
fn dimensions(args: &Args, sides: &mut Sides) -> Result<Vec<dimension::Dimension>, Vec<Diagnostic>> {
    let mut all = dimension::usual();
    for name in &args.by {
        let catalogue = &mut sides.catalogues[0];
        if all.iter().any(|known| known.id == *name) {
            continue;
        }
        let Some(found) = dimension::named(catalogue, name) else {
            let kinds = crate::register::declaration::SubjectKind::ALL;
            let names: Vec<String> = kinds.iter().flat_map(|kind| catalogue.facts(*kind)).map(|fact| fact.name.to_string()).collect();
            let (zh, en) = (format!("不能按“{name}”分组"), format!("results cannot be broken down by `{name}`"));
            let told = Diagnostic::new(&code::UNKNOWN_FACT, zh, en).did_you_mean(name, names.iter().map(String::as_str));
            return Err(vec![told.help("可用文字、代码和是非类的事实", "facts that are texts, codes or yes-or-no can be used")]);
        };
        all.push(found);
    }
    Ok(all)
}

fn allow_missing(args: &Args, folder: &PolicyFolder) -> Result<BTreeSet<String>, Vec<Diagnostic>> {
    let registers = &folder.registers.registers;
    let Some(register) = args.allow_missing.iter().find(|register| !registers.contains_key(*register)) else {
        return Ok(args.allow_missing.iter().cloned().collect());
    };
    let (zh, en) = (format!("没有登记库“{register}”"), format!("unknown register `{register}`"));
    let told = Diagnostic::new(&code::UNKNOWN_REGISTER, zh, en).did_you_mean(register, registers.keys().map(String::as_str));
    Err(vec![told])
}

/// Writes tables, pages and what the run was.
async fn write(staging: &Staging, args: &Args, outcome: &Outcome, started: std::time::Instant) -> Result<(), Diagnostic> {
    let results = &outcome.results;
    let failed = |name: &str, error: std::io::Error| staging.failed(name, &error);
    let changed = files::write_changed(&staging.path(files::CHANGED), &outcome.changed, results).await;
    let changed = changed.map_err(crate::dossier::DossierError::into_diagnostic)?;
    files::write_cells(&staging.path(files::CELLS), results).map_err(|error| failed(files::CELLS, error))?;
    if args.forecast > 0 {
        files::write_months(&staging.path(files::MONTHS), results).map_err(|error| failed(files::MONTHS, error))?;
        files::write_events(&staging.path(files::EVENTS), &outcome.events, results).map_err(|error| failed(files::EVENTS, error))?;
    }
    for (name, lang) in [("report.zh.html", Lang::Zh), ("report.en.html", Lang::En)] {
        let page = simulation_page::render(results, lang);
        std::fs::write(staging.path(name), page).map_err(|error| failed(name, error))?;
    }
    staging.write_json(MANIFEST, &manifest(args, results, changed))?;
    let mut seconds: serde_json::Map<String, serde_json::Value> =
        outcome.seconds.iter().map(|(stage, seconds)| ((*stage).to_owned(), json!(rounded(*seconds)))).collect();
    seconds.insert("total".to_owned(), json!(rounded(started.elapsed().as_secs_f64())));
    staging.write_json(TIMINGS, &json!({"seconds": seconds}))
}

fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

fn manifest(args: &Args, results: &Results, changed: u64) -> serde_json::Value {
    let set: Vec<_> = results
        .set
        .iter()
        .map(|set| json!({"parameter": set.name, "region": set.region, "before": set.before, "after": set.after}))
        .collect();
    json!({
        "engine": Engine::this(),
        "as_of": results.as_of.to_string(),
        "known_at": args.known_at.map(|day| day.to_string()),
        "before": results.sides[0].en,
        "after": results.sides[1].en,
        "set": set,
        "same_dossiers": results.same_dossiers,
        "small_cells": results.least,
        "forecast_months": args.forecast,
        "changed": changed,
    })
}
