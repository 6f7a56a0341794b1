//! `mianshen stream`: registers loaded into the live part of a store, and their changes followed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use clap::Subcommand;

use super::context::date_argument;
use super::folder::PolicyFolder;
use super::match_registers::{newest, start};
use super::progress::Bar;
use super::store::StoreArg;
use super::stream_days::{self, OfDay, Places, TurnMeans};
use super::stream_policies::{Version, Watch};
use super::{Context, Exit};
use crate::diagnostic::progress::Cancel;
use crate::diagnostic::{Diagnostic, Severity, code, has_errors};
use crate::dossier::DossierError;
use crate::register::Sources;
use crate::report::count;
use crate::serve::clock;
use crate::settings::Secret;
use crate::store::live::{Live, Position};
use crate::store::{Address, StoreError};
use crate::stream::change::Decoder;
use crate::stream::dead_letter::DeadLetterFile;
use crate::stream::follow::{FollowError, Followed, Follower, Following, Leased};
use crate::stream::holder;
use crate::stream::load::load;
use crate::stream::settings::{Settings, SourceSetting};
use crate::stream::source::file::FileSource;
use crate::stream::source::http::{self, HttpSource};
use crate::stream::source::several::Several;
use crate::stream::source::stdin::StdinSource;
use crate::stream::source::{ChangeSource, Clock};
use crate::stream::state::State;
use crate::stream::turn::TurnError;

/// Arguments of `stream`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// 把登记库装入存储的实时部分, 并判定每个对象 / Load the registers into the live part of a store, and judge every subject
    Load(LoadArgs),
    /// 跟随登记库的变更事件: 判定受影响的对象, 生成办件 / Follow changes of registers: judge whom they touch, begin cases
    Run(RunArgs),
    /// 转入下一日: 只重判日子会改变其结论的对象 / Turn to a later day: judge anew only those whom the days concern
    Turn(TurnArgs),
}

/// What both need.
#[derive(Debug, Clone, clap::Args)]
pub struct Common {
    /// The store.
    #[command(flatten)]
    pub store: StoreArg,
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 线程数; 缺省为核数 / Threads; by default one per core
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

/// Arguments of `stream load`.
#[derive(Debug, Clone, clap::Args)]
pub struct LoadArgs {
    /// What both need.
    #[command(flatten)]
    pub common: Common,
    /// 登记库在哪里 / Where the registers are
    #[arg(long, value_name = "FILE", default_value = "data-samples/sources.yaml")]
    pub sources: PathBuf,
    /// 判定日; 缺省为最新的数据日 / The day that verdicts are about; by default the newest data day
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub as_of: Option<NaiveDate>,
    /// 有意缺席的登记库, 其事实为未知 / Registers absent on purpose: their facts are unknown
    #[arg(long, value_name = "REGISTER", num_args = 1..)]
    pub allow_missing: Vec<String>,
    /// 变更从哪里接着读: 来源=位置, 如 `file:changes.ndjson=0` / Where a source goes on: SOURCE=POSITION, such as `file:changes.ndjson=0`
    #[arg(long = "position", value_name = "SOURCE=POSITION", value_parser = position_argument)]
    pub positions: Vec<Position>,
}

/// Arguments of `stream run`.
#[derive(Debug, Clone, clap::Args)]
pub struct RunArgs {
    /// What both need.
    #[command(flatten)]
    pub common: Common,
    /// 事件从哪里来: `file:路径`, 或 - 为标准输入 / Where events come from: `file:PATH`, or - for standard input
    #[arg(long, value_name = "SOURCE", default_value = "-")]
    pub from: String,
    /// 设置文件: 各来源 (文件、HTTP、Kafka)、主题、死信; 代替 --from / Settings: sources (files, HTTP, Kafka), topics, dead letters; in the place of --from
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "follow", "dead_letters"])]
    pub settings: Option<PathBuf>,
    /// 文件读到末尾后等待新的行 / Wait for new lines at the end of a file
    #[arg(long)]
    pub follow: bool,
    /// 用登记库来源里的词和列名来读事件 / Read events by the words and column names of these sources
    #[arg(long, value_name = "FILE")]
    pub sources: Option<PathBuf>,
    /// 用不了的事件写到这个文件 / Events that cannot be used go to this file
    #[arg(long, value_name = "FILE")]
    pub dead_letters: Option<PathBuf>,
    /// 每天零点 (北京时间) 转入下一日, 先补上落下的日子 / Turn to the next day at midnight in Beijing, and catch up with days missed first
    #[arg(long)]
    pub turn_days: bool,
    /// 所跟随的登记库, 其数据日随判定日走; 缺省为收到过事件的 / Registers that are followed: their data days move with the day; by default those of which events came
    #[arg(long, value_name = "REGISTER", num_args = 1..)]
    pub followed: Vec<String>,
    /// 隔几秒看一次政策文件夹有没有变; 0 为不看 / Every how many seconds the policies folder is looked at for changes; 0: never
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub policies_every: u64,
    /// 一批至多几个事件 / Events of a turn at most
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_batch: u32,
}

/// Arguments of `stream turn`.
#[derive(Debug, Clone, clap::Args)]
pub struct TurnArgs {
    /// What all need.
    #[command(flatten)]
    pub common: Common,
    /// 转到哪一日; 缺省为今天 (北京时间) / To which day; by default today, in Beijing
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub to: Option<NaiveDate>,
    /// 所跟随的登记库, 其数据日随判定日走; 缺省为收到过事件的 / Registers that are followed: their data days move with the day; by default those of which events came
    #[arg(long, value_name = "REGISTER", num_args = 1..)]
    pub followed: Vec<String>,
    /// 变更流的设置文件, 其中可写 followed / Settings of the stream, which may name those followed
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// `SOURCE=POSITION`.
///
/// # Errors
///
/// When it is none.
fn position_argument(text: &str) -> Result<Position, String> {
    let fault = || format!("`{text}`: 应为 来源=位置 / expected SOURCE=POSITION");
    let (source, next) = text.rsplit_once('=').ok_or_else(fault)?;
    let next = next.parse().map_err(|_| fault())?;
    Ok(Position { source: source.to_owned(), partition: 0, next })
}

/// Runs the verb.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let common = match &args.action {
        Action::Load(args) => &args.common,
        Action::Run(args) => &args.common,
        Action::Turn(args) => &args.common,
    };
    let threads = common.threads.unwrap_or_else(super::match_registers::all_cores).max(1);
    let (runtime, cancel) = match start(threads, context) {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    let done = runtime.block_on(async {
        match &args.action {
            Action::Load(args) => load_registers(args, context, threads).await.map(|summary| (summary, Exit::Clean)),
            Action::Run(args) => follow_changes(args, context, threads, cancel).await.map(|summary| (summary, Exit::Clean)),
            Action::Turn(args) => stream_days::turn(args, context, threads, cancel).await,
        }
    });
    match done {
        Ok((summary, exit)) => context.print(&summary, exit),
        Err(diagnostics) => context.fail(&diagnostics),
    }
}

pub(super) type Faults = Vec<Diagnostic>;

async fn load_registers(args: &LoadArgs, context: &Context, threads: usize) -> Result<String, Faults> {
    let folder = policies(&args.common.policies)?;
    let sources = Sources::load(&args.sources)?;
    let as_of = args.as_of.or_else(|| newest(&sources)).ok_or_else(|| {
        vec![
            Diagnostic::new(&code::BAD_ARGUMENT, "缺少 --as-of", "--as-of is missing")
                .help("如 --as-of 2026-06-30", "such as --as-of 2026-06-30"),
        ]
    })?;
    let allow_missing: BTreeSet<String> = args.allow_missing.iter().cloned().collect();
    let (place, scratch, live) = open(&args.common.store, true).await?;
    let days = sources.sources.iter().map(|(name, source)| (name.clone(), source.data_day));
    let state = State { data_days: days.filter(|(name, _)| !allow_missing.contains(name)).collect(), allow_missing, ..State::default() };
    let places = Places { version: Arc::new(Version::of(folder)?), live, place, scratch, threads, followed: None };
    let Version { folder, digests } = &*places.version;
    let of = OfDay::new(folder, as_of);
    let loaded = places.judging(folder, &of, state, async |mut judge| {
        let digests = Some(digests.clone());
        let loaded = load(&*places.live, &mut judge, &sources, &folder.regions, args.positions.clone(), digests).await;
        loaded.map_err(|error| failed(error, &places.place))
    });
    let (loaded, place) = (loaded.await?, &places.place);
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    Ok(format!(
        "{} {as_of} · {} {} · {} {} · {} {} · {} {} · {} {place}\n",
        pick("判定日", "as of"),
        pick("登记行", "rows"),
        count(loaded.rows),
        pick("隔离", "quarantined"),
        count(loaded.quarantined),
        pick("对象", "subjects"),
        count(loaded.standing),
        pick("到期日", "timers"),
        count(loaded.timers),
        pick("存储", "store"),
    ))
}

async fn follow_changes(args: &RunArgs, context: &Context, threads: usize, cancel: Cancel) -> Result<String, Faults> {
    // What changes while it is loaded has changed since.
    let mut watch = Watch::new(&args.common.policies, args.policies_every, context);
    let folder = policies(&args.common.policies)?;
    let sources = args.sources.as_deref().map(Sources::load).transpose()?;
    let (place, scratch, live) = open(&args.common.store, false).await?;
    let followed = followed(&args.followed, args.settings.as_deref(), &folder)?;
    let places = Places { version: Arc::new(Version::of(folder)?), live, place, scratch, threads, followed };
    let (folder, live) = (&places.version.folder, &places.live);
    places.state().await?;
    let clock: Clock = Arc::new(clock::now);
    let settings = match &args.settings {
        Some(path) => Some(Settings::load(path, &folder.registers)?),
        None => None,
    };
    let one = |told: Box<Diagnostic>| vec![*told];
    let source = match &settings {
        Some(settings) => all_sources(settings, live, &clock).await.map_err(one)?,
        None => source(args, &clock).map_err(one)?,
    };
    let Settings { topics, dead_letters: letters, .. } = settings.unwrap_or_default();
    let dead_letters = letters.or_else(|| args.dead_letters.clone());
    let dead_letters = dead_letters.as_deref().map(DeadLetterFile::open).transpose().map_err(one)?;
    let decoder = |folder: &PolicyFolder| Decoder::new(&folder.registers, sources.as_ref(), &folder.regions, topics.clone());
    let holder = holder::own();
    let mut tell = |done: &crate::stream::turn::Done, events: usize| {
        tracing::info!(
            events,
            changed = done.changed,
            known = done.known,
            touched = done.touched,
            standing = done.standing,
            cases = done.cases,
            "turn"
        );
    };
    let at_most = usize::try_from(args.max_batch).unwrap_or(usize::MAX);
    let Some(held) = Leased::take(live, &holder, &clock, &cancel).await.map_err(|error| vec![error.into_diagnostic(&places.place)])? else {
        return Ok(summary(&Followed::default(), context));
    };
    let bar = Bar::new(context);
    let means = TurnMeans { clock: &clock, bar: &bar, cancel: &cancel, context };
    let following = Following {
        live: Arc::clone(live),
        decoder: decoder(folder),
        source,
        dead_letters,
        holder,
        clock: Arc::clone(&clock),
        at_most,
        cancel: cancel.clone(),
        told: &mut tell,
    };
    let faults = |error: FollowError| not_followed(error, &places.place);
    let mut follower = Follower::new(held, following).await.map_err(faults)?;
    places.follow(&mut follower, args.turn_days, &decoder, &mut watch, &means).await?;
    Ok(summary(&follower.end().await.map_err(faults)?, context))
}

/// The registers that are followed, as arguments or else settings name them.
pub(super) fn followed(named: &[String], settings: Option<&Path>, folder: &PolicyFolder) -> Result<Option<BTreeSet<String>>, Faults> {
    if named.is_empty() {
        return Ok(match settings {
            Some(path) => Settings::load(path, &folder.registers)?.followed,
            None => None,
        });
    }
    let known = || folder.registers.registers.keys().map(String::as_str);
    if let Some(unknown) = named.iter().find(|name| !folder.registers.registers.contains_key(*name)) {
        let (zh, en) = (format!("--followed: 没有登记库“{unknown}”"), format!("--followed: unknown register `{unknown}`"));
        return Err(vec![Diagnostic::new(&code::BAD_ARGUMENT, zh, en).did_you_mean(unknown, known())]);
    }
    Ok(Some(named.iter().cloned().collect()))
}

fn summary(followed: &Followed, context: &Context) -> String {
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let done = &followed.done;
    let parts = [
        (pick("事件", "events"), followed.events),
        (pick("新变更", "changed"), done.changed),
        (pick("已知", "known"), done.known),
        (pick("不可用", "refused"), followed.refused + done.unplaced),
        (pick("重判标识", "judged anew"), done.touched),
        (pick("结论有变", "standing changed"), done.standing),
        (pick("办件步骤", "steps of cases"), done.cases),
    ];
    let parts: Vec<String> = parts.iter().map(|(label, number)| format!("{label} {}", count(*number))).collect();
    format!("{}\n", parts.join(" · "))
}

fn source(args: &RunArgs, clock: &Clock) -> Result<Box<dyn ChangeSource>, Box<Diagnostic>> {
    if args.from == "-" {
        return Ok(Box::new(StdinSource::new(Arc::clone(clock))));
    }
    match args.from.strip_prefix("file:") {
        Some(path) => Ok(Box::new(FileSource::open(Path::new(path), args.follow, Arc::clone(clock))?)),
        None => Err(Box::new(
            Diagnostic::new(
                &code::BAD_ARGUMENT,
                format!("--from: 不认识的来源“{}”", args.from),
                format!("--from: unknown source `{}`", args.from),
            )
            .help("写 file:路径, 或 -", "write file:PATH, or -"),
        )),
    }
}

/// The sources that settings name.
async fn all_sources(settings: &Settings, live: &Arc<dyn Live>, clock: &Clock) -> Result<Box<dyn ChangeSource>, Box<Diagnostic>> {
    let mut sources: Vec<Box<dyn ChangeSource>> = Vec::new();
    for setting in &settings.sources {
        sources.push(match setting {
            SourceSetting::File { path, follow } => Box::new(FileSource::open(path, *follow, Arc::clone(clock))?),
            SourceSetting::Http { listen, token } => {
                let settings = http::Settings::new(*listen, token.as_ref().map(Secret::text).as_deref());
                Box::new(HttpSource::listen(settings, Arc::clone(clock)).await?)
            }
            SourceSetting::Kafka { .. } => kafka(setting, live, clock)?,
        });
    }
    if sources.is_empty() {
        return Err(Box::new(
            Diagnostic::new(&code::SETTINGS_INVALID, "设置里没有来源", "the settings name no source")
                .help("写法见 docs/changes.md", "docs/changes.md says how they are written"),
        ));
    }
    Ok(Box::new(Several::new(sources)))
}

#[cfg(feature = "kafka")]
fn kafka(setting: &SourceSetting, live: &Arc<dyn Live>, clock: &Clock) -> Result<Box<dyn ChangeSource>, Box<Diagnostic>> {
    use crate::stream::source::kafka::{KafkaSource, Settings, StoredPositions};

    struct Stored(Arc<dyn Live>);

    #[async_trait::async_trait]
    impl StoredPositions for Stored {
        async fn positions(&self) -> Result<Vec<Position>, Box<Diagnostic>> {
            self.0.positions().await.map_err(|error| Box::new(error.into_diagnostic("--store")))
        }
    }

    let SourceSetting::Kafka { brokers, group, topics, options } = setting else { return Err(not_built()) };
    let settings = Settings { brokers: brokers.clone(), group: group.clone(), topics: topics.clone(), options: options.clone() };
    Ok(Box::new(KafkaSource::join(&settings, Arc::new(Stored(Arc::clone(live))), Arc::clone(clock))?))
}

#[cfg(not(feature = "kafka"))]
fn kafka(_: &SourceSetting, _: &Arc<dyn Live>, _: &Clock) -> Result<Box<dyn ChangeSource>, Box<Diagnostic>> {
    Err(not_built())
}

fn not_built() -> Box<Diagnostic> {
    let (zh, en) = ("本程序没有带 Kafka 编译", "this program was built without Kafka");
    Box::new(Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help("用 cargo build --features kafka", "build it with --features kafka"))
}

pub(super) fn policies(dir: &Path) -> Result<PolicyFolder, Faults> {
    sound(PolicyFolder::load(dir))
}

/// A folder, where it has no errors.
pub(super) fn sound(folder: PolicyFolder) -> Result<PolicyFolder, Faults> {
    if has_errors(&folder.diagnostics) {
        return Err(folder.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).cloned().collect());
    }
    Ok(folder)
}

/// The live part of a store: where it is, where files may lie beside it.
pub(super) async fn open(arg: &StoreArg, make: bool) -> Result<(String, PathBuf, Arc<dyn Live>), Faults> {
    let address = Address::parse(&arg.store).map_err(|error| vec![error.into_diagnostic("--store")])?;
    let place = address.place();
    let told = |error: StoreError| vec![error.into_diagnostic(&place)];
    let store = if make { address.make().await } else { address.open().await }.map_err(told)?;
    let live = store.live().await.map_err(told)?;
    let scratch = match &address {
        Address::Sqlite(path) => super::match_registers::scratch(path),
        Address::Postgres(_) => std::env::temp_dir(),
    };
    Ok((place.clone(), scratch, live))
}

pub(super) fn told(error: DossierError) -> Faults {
    vec![error.into_diagnostic()]
}

pub(super) fn not_followed(error: FollowError, place: &str) -> Faults {
    match error {
        FollowError::Told(told) => vec![*told],
        FollowError::Turn(error) => failed(error, place),
    }
}

pub(super) fn failed(error: TurnError, place: &str) -> Faults {
    vec![match error {
        TurnError::Store(error) => error.into_diagnostic(place),
        TurnError::Dossiers(error) => error.into_diagnostic(),
        TurnError::Rows(error) => Diagnostic::new(
            &code::INTERNAL,
            format!("登记库的行不合声明: {error}"),
            format!("rows of a register are not as declared: {error}"),
        ),
    }]
}
