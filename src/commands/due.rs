//! `mianshen due`: on which of the next days verdicts may change though nothing changes but the day, from a live store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chrono::{Days, NaiveDate};

use super::folder::PolicyFolder;
use super::store::{StoreArg, with};
use super::{Context, Exit};
use crate::diagnostic::{Diagnostic, code, has_errors};
use crate::register::Sources;
use crate::report::{Align, Table, count};
use crate::store::live::Timer;
use crate::store::{Store, StoreError};
use crate::stream::state::State;
use crate::stream::timer::Next;
use crate::stream::timer::calendar::{Rules, Why, calendar};

/// Timers that are read at a time.
const PAGE: usize = 10_000;

/// Arguments of `due`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The store.
    #[command(flatten)]
    pub store: StoreArg,
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 登记库在哪里: 哪天起过旧; 缺省按存储所记的数据日 / Where the registers are: since when they are too old; by default by the store's own data days
    #[arg(long, value_name = "FILE")]
    pub sources: Option<PathBuf>,
    /// 看几天 / How many days ahead
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=366))]
    pub days: u32,
    /// 列出每个对象 / List each subject
    #[arg(long)]
    pub subjects: bool,
}

/// What is due.
struct Due {
    as_of: NaiveDate,
    timers: Vec<Timer>,
    /// The days that registers speak for; those that are followed do not grow old.
    data_days: BTreeMap<String, NaiveDate>,
}

/// Runs the verb.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let folder = PolicyFolder::load(&args.policies);
    if has_errors(&folder.diagnostics) {
        return context.fail(&folder.diagnostics);
    }
    let sources = match args.sources.as_deref().map(Sources::load).transpose() {
        Ok(sources) => sources,
        Err(diagnostics) => return context.fail(&diagnostics),
    };
    match with(&args.store, async |store| read(store, args.days).await) {
        Err(diagnostic) => context.fail(&[*diagnostic]),
        Ok(None) => context.fail(&[Diagnostic::new(
            &code::STORE_FAILED,
            format!("存储里没有变更流的状态: {}", args.store.store),
            format!("the store holds no state of the stream: {}", args.store.store),
        )
        .help("先用 mianshen stream load 装入", "load it first, with mianshen stream load")]),
        Ok(Some(due)) => {
            let until = due.as_of.checked_add_days(Days::new(u64::from(args.days))).unwrap_or(due.as_of);
            let told = |sources: Sources| sources.sources.values().map(|source| (source.register.clone(), source.data_day)).collect();
            let data_days = sources.map_or_else(|| due.data_days.clone(), told);
            let rules =
                Rules { set: &folder.set, checked: &folder.checked, regions: &folder.regions, known_at: None, data_days: &data_days };
            let common = calendar(&rules, due.as_of, until);
            let text = if args.subjects { subjects(&due.timers, context) } else { by_day(&due, &common, context) };
            context.print(&text, Exit::Clean)
        }
    }
}

async fn read(store: &dyn Store, days: u32) -> Result<Option<Due>, StoreError> {
    let Some(live) = store.live_if_there().await? else { return Ok(None) };
    let Some(state) = live.state().await? else { return Ok(None) };
    let until = state.as_of.checked_add_days(Days::new(u64::from(days))).unwrap_or(state.as_of);
    let told = State::read(&state.body).unwrap_or_default();
    let data_days = told.data_days.into_iter().filter(|(register, _)| !told.followed.contains(register)).collect();
    let mut timers: Vec<Timer> = Vec::new();
    loop {
        let page = live.due(until, timers.last().map(|timer| &timer.key), PAGE).await?;
        let is_last = page.len() < PAGE;
        timers.extend(page);
        if is_last {
            return Ok(Some(Due { as_of: state.as_of, timers, data_days }));
        }
    }
}

/// Per day: how many subjects, of which policies, and what concerns everybody.
fn by_day(due: &Due, common: &BTreeMap<NaiveDate, BTreeMap<String, Why>>, context: &Context) -> String {
    let mut days: BTreeMap<NaiveDate, (u64, BTreeMap<String, u64>)> = BTreeMap::new();
    for timer in &due.timers {
        let day = days.entry(timer.key.day).or_default();
        day.0 += 1;
        for (_, code) in Next::policies_of(&timer.body).into_iter().filter(|(day, _)| *day == timer.key.day) {
            *day.1.entry(code).or_default() += 1;
        }
    }
    let mut table = Table::new(&[
        (context.pick("日期", "day"), Align::Left),
        (context.pick("对象", "subjects"), Align::Right),
        (context.pick("政策 (对象数)", "policies (subjects)"), Align::Left),
        (context.pick("涉及所有人的", "for everybody"), Align::Left),
    ]);
    let all: BTreeSet<NaiveDate> = days.keys().chain(common.keys()).copied().collect();
    let nothing = (0, BTreeMap::new());
    for day in all {
        let (subjects, policies) = days.get(&day).unwrap_or(&nothing);
        let policies: Vec<String> = policies.iter().map(|(code, subjects)| format!("{code} ({subjects})")).collect();
        let why = common.get(&day).map_or_else(String::new, |policies| reasons(policies, context));
        table.push(vec![day.to_string(), count(*subjects), policies.join(" "), why]);
    }
    let total = count(due.timers.len() as u64);
    format!(
        "{} {} · {total} {}\n\n{}",
        context.pick("截至", "as of"),
        due.as_of,
        context.pick("个对象", "subjects"),
        table.render(None, context.color)
    )
}

/// Why a day concerns everybody, with how many policies.
fn reasons(policies: &BTreeMap<String, Why>, context: &Context) -> String {
    let mut by_why: BTreeMap<Why, u64> = BTreeMap::new();
    for why in policies.values() {
        *by_why.entry(*why).or_default() += 1;
    }
    let word = |why: &Why| match why {
        Why::Policy => context.pick("政策生效或失效", "policies in force"),
        Why::Parameter => context.pick("标准变动", "parameters"),
        Why::Region => context.pick("区划变动", "regions"),
        Why::Period => context.pick("新的发放期", "new period"),
        Why::Register => context.pick("登记库过旧或起始", "registers too old, or beginning"),
    };
    by_why.iter().map(|(why, policies)| format!("{} ({policies})", word(why))).collect::<Vec<_>>().join(" · ")
}

/// A line for each subject and policy.
fn subjects(timers: &[Timer], context: &Context) -> String {
    let mut table = Table::new(&[
        (context.pick("日期", "day"), Align::Left),
        (context.pick("类别", "kind"), Align::Left),
        (context.pick("编号", "identifier"), Align::Left),
        (context.pick("政策", "policies"), Align::Left),
    ]);
    for timer in timers {
        let policies = Next::policies_of(&timer.body).into_iter().filter(|(day, _)| *day == timer.key.day).map(|(_, code)| code);
        let policies = policies.collect::<Vec<_>>().join(" ");
        table.push(vec![timer.key.day.to_string(), timer.key.kind.to_string(), timer.key.id.clone(), policies]);
    }
    table.render(None, context.color)
}
