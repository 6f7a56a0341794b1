//! `mianshen store`: what a store holds, its backup and restore, and whether it is whole.

use std::path::PathBuf;

use chrono::DateTime;
use clap::Subcommand;

use super::{Context, Exit};
use crate::diagnostic::{Diagnostic, code};
use crate::register::declaration::SubjectKind;
use crate::report::{Align, Table, count};
use crate::store::live::{Live, MessageState, verify_events};
use crate::store::{Address, Store, StoreError, StoredRun, sqlite};

/// Subjects that are read at a time.
const PAGE: usize = 4_096;

/// Arguments of `store`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// The store that is meant.
#[derive(Debug, Clone, clap::Args)]
pub struct StoreArg {
    /// 存储: 文件路径、sqlite:路径 或 postgres://… (密码用 PGPASSWORD) / The store: a file path, sqlite:PATH or postgres://… (password in PGPASSWORD)
    #[arg(long, value_name = "URL", default_value = "mianshen.db")]
    pub store: String,
}

/// What can be done with a store.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// 列出批次、留痕、办件和消息 / List its runs, and how many entries, cases and messages it has
    Info(StoreArg),
    /// 备份 SQLite 存储, 可在使用中进行 / Back up an SQLite store, also while it is used
    Backup {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 备份到这个文件 (及旁边同名的 .runs、.trail 和 .live) / The file of the backup; its .runs, .trail and .live lie beside it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// 由备份恢复 SQLite 存储; 先停用服务 / Restore an SQLite store from a backup; stop what uses it first
    Restore {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 备份文件 / The file of the backup
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// 替换现有的存储 / Replace the store that is there
        #[arg(long)]
        replace: bool,
    },
    /// 通读每个批次和办件事件, 核对是否完整 / Read every run and the events of cases to their end, and see whether they are whole
    Verify(StoreArg),
}

/// Runs the verb.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let done = match &args.action {
        Action::Info(store) => with(store, async |store| info(store, context).await).map(|text| (text, Exit::Clean)),
        Action::Backup { store, out } => files(store)
            .and_then(|from| told(&out.display().to_string(), sqlite::back_up(&from, out)).map(|copied| (copied, out.clone())))
            .map(|(copied, out)| (copied_text(copied, &out, context), Exit::Clean)),
        Action::Restore { store, from, replace } => files(store)
            .and_then(|to| told(&to.display().to_string(), sqlite::restore(from, &to, *replace)).map(|copied| (copied, to)))
            .map(|(copied, to)| (copied_text(copied, &to, context), Exit::Clean)),
        Action::Verify(store) => verify(store, context),
    };
    match done {
        Ok((text, exit)) => context.print(&text, exit),
        Err(diagnostic) => context.fail(&[*diagnostic]),
    }
}

fn told<T>(place: &str, done: Result<T, StoreError>) -> Result<T, Box<Diagnostic>> {
    done.map_err(|error| Box::new(error.into_diagnostic(place)))
}

/// Works with a store that is there, on a runtime of its own.
pub(super) fn with<T>(arg: &StoreArg, work: impl AsyncFnOnce(&dyn Store) -> Result<T, StoreError>) -> Result<T, Box<Diagnostic>> {
    let address = told("--store", Address::parse(&arg.store))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = told(&address.place(), runtime.map_err(|error| StoreError::Failed(error.to_string())))?;
    let done = runtime.block_on(async {
        let store = address.open().await?;
        work(&*store).await
    });
    told(&address.place(), done)
}

/// The files of a store that has such.
fn files(arg: &StoreArg) -> Result<PathBuf, Box<Diagnostic>> {
    match told("--store", Address::parse(&arg.store))? {
        Address::Sqlite(path) => Ok(path),
        Address::Postgres(_) => Err(Box::new(
            Diagnostic::new(
                &code::BAD_ARGUMENT,
                "PostgreSQL 用它自己的工具备份和恢复",
                "PostgreSQL is backed up and restored with its own tools",
            )
            .help("如 pg_dump -Fc 与 pg_restore", "such as pg_dump -Fc and pg_restore"),
        )),
    }
}

fn copied_text(copied: sqlite::Copied, to: &std::path::Path, context: &Context) -> String {
    let place = to.display();
    let (runs, bytes) = (copied.runs, count(copied.bytes));
    match context.lang {
        crate::diagnostic::Lang::Zh => format!("{place}: {runs} 个批次, {bytes} 字节\n"),
        crate::diagnostic::Lang::En => format!("{place}: {runs} runs, {bytes} bytes\n"),
    }
}

/// A time in microseconds since 1970, in UTC.
pub(super) fn time_text(at: i64) -> String {
    DateTime::from_timestamp_micros(at).map_or_else(|| at.to_string(), |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

async fn info(store: &dyn Store, context: &Context) -> Result<String, StoreError> {
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let current = store.current().await?.map(|run| run.run().summary.id);
    let mut table = Table::new(&[
        (pick("批次", "run"), Align::Right),
        (pick("判定日", "as of"), Align::Left),
        (pick("装入时间", "loaded at"), Align::Left),
        (pick("个人", "persons"), Align::Right),
        (pick("家庭", "households"), Align::Right),
        (pick("法人", "entities"), Align::Right),
        (pick("待发放", "grants"), Align::Right),
        ("", Align::Left),
    ]);
    for run in store.runs().await? {
        let [persons, households, entities] = run.subjects.map(count);
        let mark = if Some(run.id) == current { pick("当前", "current") } else { "" };
        let (id, as_of, at) = (run.id.to_string(), run.as_of.to_string(), time_text(run.loaded_at));
        table.push(vec![id, as_of, at, persons, households, entities, count(run.granted), mark.to_owned()]);
    }
    let trail = store.trail_head().await?.map_or(0, |head| head.seq);
    let (label, place) = (pick("访问留痕", "access trail"), store.place());
    let live = match store.live_if_there().await? {
        Some(live) => live_text(&*live, context).await?,
        None => String::new(),
    };
    Ok(format!("{place}\n\n{}\n{label} {}\n{live}", table.render(None, context.color), count(trail)))
}

/// What the live part holds.
async fn live_text(live: &dyn Live, context: &Context) -> Result<String, StoreError> {
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let mut text = String::new();
    if let Some(state) = live.state().await? {
        text.push_str(&format!("{} {}\n", pick("实时判定日", "live as of"), state.as_of));
    }
    for position in live.positions().await? {
        let (source, partition, next) = (&position.source, position.partition, position.next);
        text.push_str(&format!("{} {source} {partition}: {next}\n", pick("读到", "read up to")));
    }
    let counts = live.case_counts(None).await?;
    let cases: u64 = counts.iter().map(|count| count.cases).sum();
    let in_review: u64 = counts.iter().map(|count| count.in_review).sum();
    let events = live.events_head().await?.map_or(0, |head| head.seq);
    text.push_str(&format!(
        "{} {} · {} {} · {} {}\n",
        pick("办件", "cases"),
        count(cases),
        pick("待复核", "in review"),
        count(in_review),
        pick("事件", "events"),
        count(events)
    ));
    for of in live.message_counts().await? {
        let state = match of.state {
            MessageState::Waiting => pick("待发", "waiting"),
            MessageState::Sent => pick("已发", "sent"),
            MessageState::Dead => pick("发送失败", "dead"),
            MessageState::Dropped => pick("不再发送", "dropped"),
        };
        text.push_str(&format!("{} {} {state} {}\n", pick("消息", "messages"), of.channel, count(of.messages)));
    }
    Ok(text)
}

fn verify(arg: &StoreArg, context: &Context) -> Result<(String, Exit), Box<Diagnostic>> {
    let mut faults = match told("--store", Address::parse(&arg.store))? {
        Address::Sqlite(path) => told(&path.display().to_string(), sqlite::check(&path))?,
        Address::Postgres(_) => Vec::new(),
    };
    let mut lines = String::new();
    let damaged = faults.is_empty();
    if damaged {
        let (runs, events) = with(arg, async |store| {
            let mut runs = Vec::new();
            for summary in store.runs().await? {
                let read = match store.run(summary.id).await? {
                    Some(run) => read_all(&*run).await,
                    None => Err(StoreError::Gone),
                };
                runs.push((summary.id, read));
            }
            let events = match store.live_if_there().await? {
                Some(live) => Some(verify_events(&*live, &[]).await?),
                None => None,
            };
            Ok((runs, events))
        })?;
        for (id, read) in runs {
            match read {
                Ok(subjects) => {
                    let word = context.pick("个对象, 完整", "subjects, whole");
                    lines.push_str(&format!("{} {id}: {} {word}\n", context.pick("批次", "run"), count(subjects)));
                }
                Err(error) => faults.push(format!("{} {id}: {error}", context.pick("批次", "run"))),
            }
        }
        if let Some(events) = events {
            let word = |zh, en| context.pick(zh, en);
            let (cases, records) = (count(events.cases), count(events.chain.records));
            if events.is_whole() {
                let (of_cases, of_events) = (word("个办件", "cases"), word("条事件, 完整", "events, whole"));
                lines.push_str(&format!("{cases} {of_cases}, {records} {of_events}\n"));
            }
            faults
                .extend(events.chain.faults.iter().map(|fault| format!("{}: {}", word("办件事件", "events"), context.say(&fault.words()))));
            faults.extend(events.faults.iter().map(|fault| context.say(&fault.words()).to_string()));
        }
    }
    lines.extend(faults.iter().map(|fault| format!("{fault}\n")));
    Ok((lines, if faults.is_empty() { Exit::Clean } else { Exit::Findings }))
}

/// Reads all of a run; gives how many subjects it has.
async fn read_all(run: &dyn StoredRun) -> Result<u64, StoreError> {
    let mut total = 0;
    for kind in SubjectKind::ALL {
        let (mut after, mut found): (Option<String>, u64) = (None, 0);
        loop {
            let page = run.subjects(kind, after.as_deref(), PAGE).await?;
            found += page.len() as u64;
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.id.clone()),
                _ => break,
            }
        }
        let promised = run.run().summary.subjects[kind as usize];
        if found != promised {
            return Err(StoreError::Damaged(format!("{kind}: {found} / {promised}")));
        }
        total += found;
    }
    for table in ["coverage", "funnel", "data_requests", "conflicts", "quarantine"] {
        run.table(table).await?;
    }
    run.policy_files().await?;
    Ok(total)
}
