//! `mianshen serve`: the API and its guard over HTTP.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;

use super::lsp::EYES;
use super::{Cli, Context, Exit, Verb, match_registers};
use crate::diagnostic::{Diagnostic, code, has_errors};
use crate::hex;
use crate::serve::guard::{Caller, Guard, key};
use crate::serve::settings::{Grant, Role, Settings};
use crate::serve::state::{Parts, Serving};
use crate::serve::trail::Noting;
use crate::serve::{listen, log, rules};
use crate::store::{Address, Store, StoreError};

/// The settings file that is read where none is named.
const SETTINGS: &str = "serve.yaml";

/// How long requests take, in seconds: the bounds by which they are counted.
const SECONDS: [f64; 11] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// 设置文件; 缺省为 serve.yaml, 没有则为样例城市 / The settings file; by default serve.yaml, and without it the sample city
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// 在这个地址监听, 代替设置里的 / Listen here instead of where the settings say
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// 只检查设置、密钥和政策, 不启动 / Only check settings, keys and policies
    #[arg(long)]
    pub check: bool,
    /// 做一把新密钥, 显示它和写进设置的一段 / Make a new key, and show it with what goes into the settings
    #[arg(long, value_name = "ID", conflicts_with = "check")]
    pub new_key: Option<String>,
}

/// Serves until told to end.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    if let Some(id) = &args.new_key {
        return new_key(id, context);
    }
    let file = args.settings.clone().or_else(|| Some(PathBuf::from(SETTINGS)).filter(|path| path.is_file()));
    let settings = match file.as_deref().map_or_else(|| Ok(Settings::default()), Settings::load) {
        Ok(settings) => settings,
        Err(told) if args.check => {
            context.tell(&told);
            return if told.iter().any(|one| one.code == &code::PATH_MISSING) { Exit::Failed } else { Exit::Findings };
        }
        Err(told) => return context.fail(&told),
    };
    if args.check {
        return check(&settings, context);
    }
    let settings = Settings { listen: args.listen.unwrap_or(settings.listen), ..settings };
    if !settings.has_identities() && !settings.listen.ip().is_loopback() {
        let (zh, en) = ("没有设置任何身份, 只能在本机监听", "without anybody who may ask, only this machine is served");
        let told = Diagnostic::new(&code::SETTINGS_INVALID, zh, en);
        return context.fail(&[told.help("在设置里加上 issuers 或 api_keys", "add issuers or api_keys to the settings")]);
    }
    log::start(&settings.log, context.color_stderr);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let (zh, en) = (format!("开不了线程: {error}"), format!("threads cannot be started: {error}"));
            return context.fail(&[Diagnostic::new(&code::INTERNAL, zh, en)]);
        }
    };
    match serve(settings, file, context, &runtime) {
        Ok(()) => Exit::Clean,
        Err(told) => context.fail(&told),
    }
}

fn serve(settings: Settings, file: Option<PathBuf>, context: &Context, runtime: &tokio::runtime::Runtime) -> Result<(), Vec<Diagnostic>> {
    let store = opened(&settings, context, runtime)?;
    let own_key = if settings.has_identities() { None } else { Some(own_key()?) };
    if let Some((key, _)) = &own_key {
        let (zh, en) = (
            "注意: 没有设置任何身份, 只服务本机。这次运行的管理员密钥 (停止后作废):",
            "warning: nobody is named who may ask, so only this machine is served. The administrator's key of this run, void when it ends:",
        );
        eprintln!("{}\n  X-Api-Key: {key}", context.pick(zh, en));
    }
    let builder = metrics_exporter_prometheus::PrometheusBuilder::new();
    let recorder = builder.set_buckets(&SECONDS).unwrap_or_default().build_recorder();
    let metrics = recorder.handle();
    // A recorder that is there already (in tests) stays.
    let _ = metrics::set_global_recorder(recorder);
    let trail = runtime.block_on(async { Noting::start(Arc::clone(&store)) });
    let parts = Parts { settings_file: file, settings, eyes: EYES, own_key, store, trail, metrics };
    let serving = Serving::new(parts)?;
    let scheme = if serving.settings().tls.is_some() { "https" } else { "http" };
    let listening = |address: SocketAddr| {
        let at = context.pick("正在服务", "serving");
        let rooms = context.pick("控制台 /, 接口 /v1", "console at /, API at /v1");
        eprintln!("{at} {scheme}://{address}  ({rooms}, /v1/openapi.json, /healthz, /metrics)");
    };
    runtime.block_on(listen::serve(serving, listening)).map_err(|told| vec![*told])
}

/// The store. Where it holds no run yet and it is said where the registers are, a run is matched into it first: whoever
/// starts the server for the first time need not know that there is more to do.
fn opened(settings: &Settings, context: &Context, runtime: &tokio::runtime::Runtime) -> Result<Arc<dyn Store>, Vec<Diagnostic>> {
    let failed = |error: StoreError| vec![error.into_diagnostic(&settings.store.place())];
    if let Address::Sqlite(path) = &settings.store
        && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|error| {
            let shown = folder.display();
            vec![Diagnostic::new(
                &code::OUTPUT_FAILED,
                format!("建不了目录 {shown}: {error}"),
                format!("cannot make the folder {shown}: {error}"),
            )]
        })?;
    }
    let store = runtime.block_on(settings.store.make()).map_err(failed)?;
    if runtime.block_on(store.current()).map_err(failed)?.is_some() {
        return Ok(store);
    }
    let place = settings.store.place();
    let Some(sources) = settings.sources.as_ref().filter(|sources| sources.is_file()) else {
        let (zh, en) = (format!("{place} 里还没有批次"), format!("{place} holds no run yet"));
        let command = format!("mianshen match --sources SOURCES --store {place}");
        let told = Diagnostic::new(&code::STORE_FAILED, zh, en);
        return Err(vec![told.help(format!("先运行 {command}"), format!("run {command} first"))]);
    };
    let (zh, en) = (format!("{place} 里还没有批次, 先做一次匹配"), format!("{place} holds no run yet: matching first"));
    eprintln!("{}", context.pick(&zh, &en));
    match first_run(settings, sources, context) {
        Exit::Failed => Err(Vec::new()),
        Exit::Clean | Exit::Findings => Ok(store),
    }
}

/// `match` into the store.
fn first_run(settings: &Settings, sources: &Path, context: &Context) -> Exit {
    let store = match &settings.store {
        Address::Sqlite(path) => format!("sqlite:{}", path.display()),
        Address::Postgres(url) => url.clone(),
    };
    let (policies, sources) = (settings.policies.to_string_lossy().into_owned(), sources.to_string_lossy().into_owned());
    let words = ["mianshen", "match", "--policies", &policies, "--sources", &sources, "--store", &store];
    match Cli::try_parse_from(words).map(|cli| cli.verb) {
        Ok(Verb::Match(args)) => match_registers::run(&args, context),
        _ => Exit::Failed,
    }
}

/// A key for this run, and whose it is.
fn own_key() -> Result<(String, Caller), Vec<Diagnostic>> {
    let key = key::new().map_err(|error| {
        let (zh, en) = (format!("系统不给随机数: {error}"), format!("the system gives no random numbers: {error}"));
        vec![Diagnostic::new(&code::INTERNAL, zh, en)]
    })?;
    let everywhere = vec!["*".to_owned()];
    let grant = Grant {
        roles: vec![Role::Administrator, Role::PolicyAuthor],
        regions: everywhere.clone(),
        departments: everywhere.clone(),
        purposes: everywhere,
        subjects: Vec::new(),
    };
    Ok((key, Caller { id: "local".to_owned(), name: "本机管理员".to_owned(), grant }))
}

fn check(settings: &Settings, context: &Context) -> Exit {
    let mut told = Vec::new();
    told.extend(Guard::new(settings, None, None).err().into_iter().flatten());
    told.extend(rules::Rules::load(&settings.policies, &EYES).err().into_iter().flatten());
    context.tell(&told);
    if has_errors(&told) {
        return Exit::Findings;
    }
    if !settings.has_identities() {
        let (zh, en) = ("没有设置任何身份: 只会服务本机\n", "nobody is named who may ask: only this machine will be served\n");
        return context.print(context.pick(zh, en), Exit::Clean);
    }
    let counts = format!(
        "{} {}, {} {}, {} {}\n",
        settings.issuers.len(),
        context.pick("个令牌签发方", "issuers"),
        settings.api_keys.len(),
        context.pick("把密钥", "keys"),
        settings.purposes.len(),
        context.pick("个目的", "purposes"),
    );
    context.print(&counts, Exit::Clean)
}

fn new_key(id: &str, context: &Context) -> Exit {
    let key = match key::new() {
        Ok(key) => key,
        Err(error) => {
            let (zh, en) = (format!("系统不给随机数: {error}"), format!("the system gives no random numbers: {error}"));
            return context.fail(&[Diagnostic::new(&code::INTERNAL, zh, en)]);
        }
    };
    let digest = hex::digits(&key::digest(&key));
    let quoted = serde_json::to_string(id).unwrap_or_default();
    let name = context.pick("负责人的真实姓名", "the real name of who answers for it");
    let (once, entry) = (
        context.pick("密钥 (只显示这一次):", "the key (shown only this once):"),
        context.pick("写进设置的 api_keys:", "what goes into api_keys of the settings:"),
    );
    let text = format!(
        "{once}\n  {key}\n{entry}\n  - id: {quoted}\n    name: {name}\n    sha256: {digest}\n    roles: [handler]\n    regions: ['990101']\n    departments: ['*']\n    purposes: ['*']\n"
    );
    context.print(&text, Exit::Clean)
}
