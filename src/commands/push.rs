//! `mianshen push`: sends what people are to hear, and shows and retries what did not arrive.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::folder::PolicyFolder;
use super::store::{StoreArg, time_text, with};
use super::{Context, Exit};
use crate::diagnostic::{Diagnostic, Lang, Severity, code};
use crate::push::message::{Text, without_tokens};
use crate::push::settings::{Way, duration};
use crate::push::teller::{Teller, day_of};
use crate::push::worker::{Done, Tally, Until, Worker};
use crate::push::{Composer, Message, Settings, channel};
use crate::register::identifier::mask;
use crate::report::{Align, Table, count};
use crate::serve::clock::now;
use crate::store::live::{Batch, DeliveryStep, MessageRow, MessageState};
use crate::store::trail::Seq;
use crate::store::{Kept, Store, StoreError};

/// Rows and events that are read at a time.
const PAGE: usize = 1_000;

/// Under which name the store keeps how far events were looked at.
const KEPT: &str = "push";

/// How often cases are looked through for those whose day has come, in microseconds.
const LOOK_AGAIN: i64 = 600_000_000;

/// Arguments of `push`.
#[derive(Debug, Clone, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// What else to do.
    #[command(subcommand)]
    pub action: Option<Action>,
    /// The store.
    #[command(flatten)]
    pub store: StoreArg,
    /// 设置: 渠道、链接、免打扰时段 / Settings: channels, links, quiet hours
    #[arg(long, value_name = "FILE", default_value = "push.yaml")]
    pub settings: PathBuf,
    /// 送完现在该送的就结束 / End when what is due now was sent
    #[arg(long)]
    pub once: bool,
    /// 政策文件夹: 办件推进后, 按政策的说法拟写通知 / The policies folder: what is to be told as cases move on is put in its words
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 办件静止多久才通知, 如 10m; 代替设置里的 settle / How long a case is at rest before its subject is told of it, such as 10m; in the place of `settle` in the settings
    #[arg(long, value_name = "DURATION", value_parser = settle_argument)]
    pub settle: Option<Duration>,
    /// 只送发件箱里已有的, 不拟写新通知 / Only send what is in the outbox, and ask for nothing new
    #[arg(long)]
    pub deliver_only: bool,
    /// 只检查设置和密钥, 不送 / Only check settings and secrets
    #[arg(long, conflicts_with = "once")]
    pub check: bool,
}

/// What can be done with messages.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// 列出通知 / List messages
    List {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 哪种状态的 / In which state
        #[arg(long, value_enum, default_value_t = StateArg::Dead)]
        state: StateArg,
        /// 最多几条 / At most so many
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// 再送一次没有送到的 / Send again what was given up
    Retry {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 通知编号 / Identifiers of messages
        #[arg(value_name = "ID", required_unless_present = "all", conflicts_with = "all")]
        ids: Vec<String>,
        /// 全部没有送到的 / All that was given up
        #[arg(long)]
        all: bool,
    },
    /// 显示一条通知; 号码和链接里的凭证不显示 / Show a message; identifiers are masked, tokens of links left out
    Show {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 通知编号 / Identifier of the message
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// A state of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateArg {
    /// 待送 / to be sent
    Waiting,
    /// 已送 / sent
    Sent,
    /// 未送到, 已放弃 / given up
    Dead,
    /// 不再送 / not to be sent any more
    Dropped,
}

impl From<StateArg> for MessageState {
    fn from(state: StateArg) -> Self {
        match state {
            StateArg::Waiting => Self::Waiting,
            StateArg::Sent => Self::Sent,
            StateArg::Dead => Self::Dead,
            StateArg::Dropped => Self::Dropped,
        }
    }
}

/// A duration.
///
/// # Errors
///
/// When it is none.
fn settle_argument(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| format!("`{text}`: 应为时长, 如 90s、10m、2h / expected a duration such as 90s, 10m or 2h"))
}

/// Runs the verb.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let done = match &args.action {
        None if args.check => return check(&args.settings, context),
        None => send(args, context),
        Some(Action::List { store, state, limit }) => list(store, (*state).into(), *limit, context),
        Some(Action::Retry { store, ids, all }) => retry(store, ids, *all, context),
        Some(Action::Show { store, id }) => show(store, id, context),
    };
    match done {
        Ok((text, exit)) => context.print(&text, exit),
        Err(told) => context.fail(&told),
    }
}

/// What a verb prints, and how it ends.
type Told = Result<(String, Exit), Vec<Diagnostic>>;

fn check(path: &Path, context: &Context) -> Exit {
    let settings = match Settings::load(path) {
        Ok(settings) => settings,
        Err(told) => {
            context.tell(&told);
            return if told.iter().any(|one| one.code == &code::PATH_MISSING) { Exit::Failed } else { Exit::Findings };
        }
    };
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let mut text = String::new();
    for one in &settings.channels {
        let way = match &one.way {
            Way::Webhook(webhook) => format!("webhook {} ({})", webhook.url.host_str().unwrap_or_default(), webhook.algorithm.name()),
            Way::File(folder) => format!("{} {}", pick("文件", "files"), folder.display()),
            Way::Kafka(kafka) => format!("Kafka {} {}", kafka.brokers, kafka.topic),
        };
        text.push_str(&format!("{}: {way}\n", one.name));
    }
    text.push_str(match settings.links {
        Some(_) => pick("链接: 有\n", "links: yes\n"),
        None => pick("链接: 没有, 请对象向主管机关提出\n", "links: none, people are told to turn to the authority\n"),
    });
    context.print(&text, Exit::Clean)
}

fn send(args: &Args, context: &Context) -> Told {
    let mut settings = Settings::load(&args.settings)?;
    settings.settle = args.settle.unwrap_or(settings.settle);
    let mut channels = Vec::with_capacity(settings.channels.len());
    for one in &settings.channels {
        channels.push((one.name.clone(), channel::open(one).map_err(|told| vec![*told])?));
    }
    let folder = if args.deliver_only { None } else { Some(folder(&args.policies)?) };
    let once = args.once;
    let tally = with(&args.store, async |store| {
        let live = store.live().await?;
        let worker = Worker {
            live: Arc::clone(&live),
            channels,
            pace: settings.pace,
            quiet: settings.quiet,
            offset: settings.offset(),
            clock: Arc::new(now),
            dice: Arc::new(dice),
            heard: Arc::new(heard),
        };
        let telling = folder.as_ref().map(|folder| {
            let composer = Composer { policies: &folder.set, templates: &folder.messages, settings: &settings };
            Telling { store, teller: Teller { live: &*live, composer }, withdrawn: None, looked: None }
        });
        if once {
            if let Some(mut telling) = telling {
                telling.all().await?;
            }
            return worker.run(&Until::Drained).await;
        }
        let stop = stopping().map_err(|error| StoreError::Failed(error.to_string()))?;
        let until = Until::Stopped(stop.clone());
        let tell = async {
            if let Some(telling) = telling {
                telling.until(stop, settings.pace.poll).await;
            }
        };
        tokio::join!(worker.run(&until), tell).0
    });
    let Tally { sent, later, dead } = tally.map_err(|told| vec![*told])?;
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let (sent, later) = (count(sent), count(later));
    let text = format!(
        "{} {sent} · {} {later} · {} {}\n",
        pick("已送", "sent"),
        pick("待重试", "to be retried"),
        pick("放弃", "given up"),
        count(dead)
    );
    Ok((text, if dead > 0 { Exit::Findings } else { Exit::Clean }))
}

/// The policies, which must have no errors.
fn folder(dir: &Path) -> Result<PolicyFolder, Vec<Diagnostic>> {
    let folder = PolicyFolder::load(dir);
    let errors: Vec<Diagnostic> = folder.diagnostics.iter().filter(|told| told.severity == Severity::Error).cloned().collect();
    if errors.is_empty() { Ok(folder) } else { Err(errors) }
}

/// Asks for the messages of cases that moved on, and of those whose day has come.
struct Telling<'a> {
    store: &'a dyn Store,
    teller: Teller<'a>,
    /// Up to where events were looked at for what is not to be sent any more; none before the first look.
    withdrawn: Option<Seq>,
    /// When cases were looked through for those whose day has come.
    looked: Option<i64>,
}

impl Telling<'_> {
    /// Looks at everything that happened since it looked last. How far it looked is kept; where that was lost, it looks again
    /// and asks for nothing twice.
    async fn all(&mut self) -> Result<(), StoreError> {
        let kept = self.store.kept(KEPT, KEPT).await?;
        let mut next: Seq = kept.and_then(|kept| String::from_utf8(kept.body).ok()?.parse().ok()).unwrap_or(1);
        let mut withdrawn = self.withdrawn.unwrap_or(next);
        loop {
            let looked = self.teller.withdraw(withdrawn, PAGE, now()).await?;
            if looked.next == withdrawn {
                break;
            }
            withdrawn = looked.next;
            self.withdrawn = Some(withdrawn);
        }
        loop {
            let asked = self.teller.follow(next, PAGE, now()).await?;
            if asked.next == next {
                break;
            }
            next = asked.next;
            self.store.keep(KEPT, &Kept { key: KEPT.to_owned(), at: now(), body: next.to_string().into_bytes() }).await?;
            if asked.silent > 0 {
                tracing::warn!(target: "mianshen::push", cases = asked.silent, "no channel or no words: nobody is told");
            }
        }
        let (at, settings) = (now(), self.teller.composer.settings);
        if self.looked.is_none_or(|looked| at - looked >= LOOK_AGAIN) {
            self.teller.day(day_of(at, settings.offset()), settings.remind_days, at).await?;
            self.looked = Some(at);
        }
        Ok(())
    }

    async fn until(mut self, mut stop: watch::Receiver<bool>, poll: Duration) {
        while !*stop.borrow() {
            if let Err(error) = self.all().await {
                tracing::warn!(target: "mianshen::push", %error, "the store failed: trying again");
            }
            tokio::select! {
                () = tokio::time::sleep(poll) => {}
                _ = stop.changed() => {}
            }
        }
    }
}

/// Turns when the process is told to end.
fn stopping() -> std::io::Result<watch::Receiver<bool>> {
    let (mut end, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = end.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Nobody listens any more where the work has ended.
        let _ = sender.send(true);
    });
    Ok(receiver)
}

/// From 0 up to, and without, 1; in the middle where the system gives no random numbers.
fn dice() -> f64 {
    let mut bytes = [0_u8; 4];
    match SysRng.try_fill_bytes(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / (f64::from(u32::MAX) + 1.0),
        Err(_) => 0.5,
    }
}

/// The log names messages, never anybody.
fn heard(done: &Done) {
    let (id, channel, state) = (&done.row.message.id, &done.row.message.channel, done.step.state.name());
    tracing::info!(target: "mianshen::push", id, channel, state, tries = done.step.tries, told = done.step.told, "tried");
}

fn list(store: &StoreArg, state: MessageState, limit: usize, context: &Context) -> Told {
    let rows = with(store, async |store| match store.live_if_there().await? {
        Some(live) => live.messages_in(state, None, limit).await,
        None => Ok(Vec::new()),
    })
    .map_err(|told| vec![*told])?;
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let mut table = Table::new(&[
        (pick("编号", "message"), Align::Left),
        (pick("渠道", "channel"), Align::Left),
        (pick("对象", "subject"), Align::Left),
        (pick("内容", "what"), Align::Left),
        (pick("次数", "tries"), Align::Right),
        (pick("时间", "time"), Align::Left),
        (pick("渠道说", "the channel said"), Align::Left),
    ]);
    for row in &rows {
        let what = read(row).map_or_else(String::new, |message| said(&message.title, context.lang).to_owned());
        let MessageRow { message, tries, told, changed_at, .. } = row;
        let (id, channel) = (message.id.clone(), message.channel.clone());
        table.push(vec![id, channel, mask(&message.subject), what, tries.to_string(), time_text(*changed_at), told.clone()]);
    }
    Ok((table.render(None, context.color) + "\n", Exit::Clean))
}

fn read(row: &MessageRow) -> Option<Message> {
    serde_json::from_slice(&row.message.body).ok()
}

fn said(text: &Text, lang: Lang) -> &str {
    if lang == Lang::Zh { &text.zh } else { &text.en }
}

fn retry(store: &StoreArg, ids: &[String], all: bool, context: &Context) -> Told {
    let again = |row: &MessageRow, at: i64| DeliveryStep {
        id: row.message.id.clone(),
        state: MessageState::Waiting,
        tries: 0,
        not_before: at,
        told: row.told.clone(),
    };
    let (done, others) = with(store, async |store| {
        let live = store.live().await?;
        let (mut done, mut others) = (0_u64, Vec::new());
        let mut commit = async |rows: Vec<MessageRow>| {
            done += rows.len() as u64;
            let at = now();
            let deliveries = rows.iter().map(|row| again(row, at)).collect();
            live.commit(&Batch { at, deliveries, ..Batch::default() }).await
        };
        if all {
            loop {
                let rows = live.messages_in(MessageState::Dead, None, PAGE).await?;
                if rows.is_empty() {
                    break;
                }
                commit(rows).await?;
            }
        } else {
            let mut rows = Vec::new();
            for id in ids {
                match live.message(id).await? {
                    Some(row) if row.state == MessageState::Dead => rows.push(row),
                    Some(row) => others.push((id.clone(), row.state.name())),
                    None => others.push((id.clone(), "-")),
                }
            }
            commit(rows).await?;
        }
        Ok((done, others))
    })
    .map_err(|told| vec![*told])?;
    let mut text = format!("{} {}\n", context.pick("将再送", "to be sent again"), count(done));
    for (id, state) in &others {
        let told = if *state == "-" {
            context.pick("没有这条通知", "no such message")
        } else {
            context.pick("没有被放弃", "was not given up")
        };
        text.push_str(&format!("{id}: {told} ({state})\n"));
    }
    Ok((text, if others.is_empty() { Exit::Clean } else { Exit::Findings }))
}

fn show(store: &StoreArg, id: &str, context: &Context) -> Told {
    let row = with(store, async |store| match store.live_if_there().await? {
        Some(live) => live.message(id).await,
        None => Ok(None),
    })
    .map_err(|told| vec![*told])?;
    let Some((row, message)) = row.and_then(|row| read(&row).map(|message| (row, message))) else {
        let (zh, en) = (format!("没有编号为 {id} 的通知"), format!("there is no message {id}"));
        let told = Diagnostic::new(&code::BAD_ARGUMENT, zh, en);
        return Err(vec![told.help("mianshen push list 列出通知", "mianshen push list lists messages")]);
    };
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let mut text = format!("{}\n\n{}\n\n", said(&message.title, context.lang), without_tokens(said(&message.text, context.lang)));
    let lines = [
        (pick("编号", "message"), message.id.clone()),
        (pick("类别", "kind"), message.kind.name().to_owned()),
        (pick("对象", "subject"), format!("{} {}", message.subject.kind, message.subject.masked)),
        (pick("办件", "cases"), row.message.cases.join(", ")),
        (pick("渠道", "channel"), row.message.channel.clone()),
        (pick("状态", "state"), row.state.name().to_owned()),
        (pick("提出", "asked for"), time_text(row.at)),
        (pick("最早", "not before"), time_text(row.message.not_before)),
        (pick("次数", "tries"), row.tries.to_string()),
        (pick("渠道说", "the channel said"), row.told.clone()),
        (pick("变动", "changed"), time_text(row.changed_at)),
    ];
    for (name, value) in lines {
        text.push_str(&format!("{name}: {value}\n"));
    }
    Ok((text, Exit::Clean))
}
