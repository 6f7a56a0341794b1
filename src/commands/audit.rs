//! `mianshen audit`: the access trail verified, shown, anchored by signed heads, and erased in due form.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use clap::Subcommand;

use super::context::date_argument;
use super::store::{StoreArg, time_text, with};
use super::{Context, Exit};
use crate::diagnostic::{Diagnostic, code};
use crate::register::declaration::SubjectKind;
use crate::register::identifier::subject_of;
use crate::report::{Align, Table, count};
use crate::serve::clock::now;
use crate::store::StoreError;
use crate::store::live::{VerifiedEvents, verify_events};
use crate::store::trail::{
    Action as Done, Chain, Content, Erasure, Head, Selection, Seq, SignedHead, Signing, Subject, Verified, read_heads, read_public_key,
    verify as verify_trail, verify_nothing,
};

/// The signing key as PEM text.
const KEY: &str = "MIANSHEN_TRAIL_KEY";
/// The file of the signing key.
const KEY_FILE: &str = "MIANSHEN_TRAIL_KEY_FILE";

/// Arguments of `audit`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with the trail.
#[derive(Debug, Clone, Subcommand)]
pub enum Action {
    /// 核对整条留痕: 改动、缺口、截尾、换序 / Verify the whole trail: edits, gaps, a cut tail, another order
    Verify {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 另行保存的链头文件 / The file of heads that was kept elsewhere
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        /// 验证链头签名的公钥 (PEM) / The public key that heads are signed with (PEM)
        #[arg(long, value_name = "FILE", requires = "heads")]
        public_key: Option<PathBuf>,
    },
    /// 谁看过某个对象; 这次查看也会留痕 / Who looked at a subject; this look is recorded too
    Show {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 对象的标识 / The subject's identifier
        #[arg(long, value_name = "ID")]
        subject: String,
        /// 查看人的真实姓名 / The real name of who looks
        #[arg(long, value_name = "NAME")]
        by: String,
        /// 最多几条 / At most so many entries
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: usize,
    },
    /// 签名当前链头, 追加到文件; 密钥由 MIANSHEN_TRAIL_KEY_FILE 或 MIANSHEN_TRAIL_KEY 给出 / Sign the newest head and append it to a file; the key comes from MIANSHEN_TRAIL_KEY_FILE or MIANSHEN_TRAIL_KEY
    Heads {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 链头文件, 应存放在别处 / The file of heads; it belongs elsewhere than the store
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// 删除留痕里的个人内容, 链条不断 / Erase personal content of entries; the chain stays whole
    #[command(group(clap::ArgGroup::new("which").required(true).args(["subject", "before", "entries"])))]
    Erase {
        /// The store.
        #[command(flatten)]
        store: StoreArg,
        /// 关于这个对象的全部 / All about this subject
        #[arg(long, value_name = "ID")]
        subject: Option<String>,
        /// 这一天 (UTC) 之前的全部 / All before this day (UTC)
        #[arg(long, value_name = "DATE", value_parser = date_argument)]
        before: Option<NaiveDate>,
        /// 这些编号 / These numbers
        #[arg(long, value_name = "N", num_args = 1..)]
        entries: Vec<Seq>,
        /// 删除人的真实姓名 / The real name of who erases
        #[arg(long, value_name = "NAME")]
        by: String,
        /// 依据 / The ground
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Runs the verb.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let done = match &args.action {
        Action::Verify { store, heads, public_key } => verify(store, heads.as_deref(), public_key.as_deref(), context),
        Action::Show { store, subject, by, limit } => show(store, subject, by, *limit, context),
        Action::Heads { store, out } => heads(store, out, context),
        Action::Erase { store, subject, before, entries, by, reason } => {
            let selection = match (subject, before) {
                (Some(id), _) => Selection::About(about(id).1),
                (None, Some(day)) => Selection::Before(day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_micros()),
                (None, None) => Selection::Entries(entries.clone()),
            };
            erase(store, &Erasure { selection, who: by.clone(), reason: reason.clone() }, context)
        }
    };
    match done {
        Ok((text, exit)) => context.print(&text, exit),
        Err(diagnostic) => context.fail(&[*diagnostic]),
    }
}

/// What a verb prints, and how it ends.
type Told = Result<(String, Exit), Box<Diagnostic>>;

/// The subject of an identifier, as the trail names it.
fn about(written: &str) -> (SubjectKind, Subject) {
    let (kind, id) = subject_of(written);
    (kind, Subject { kind: kind.name().to_owned(), id })
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Box<Diagnostic> {
    let path = path.display();
    Box::new(Diagnostic::new(&code::PATH_MISSING, format!("读不了 {path}: {error}"), format!("cannot read {path}: {error}")))
}

/// The signing key, where the environment gives one.
fn signing() -> Result<Option<Signing>, Box<Diagnostic>> {
    let pem = match (std::env::var_os(KEY_FILE), std::env::var(KEY)) {
        (Some(path), _) => {
            let path = PathBuf::from(path);
            std::fs::read_to_string(&path).map_err(|error| unreadable(&path, &error))?
        }
        (None, Ok(pem)) => pem,
        (None, Err(_)) => return Ok(None),
    };
    Signing::read(&pem).map(Some).map_err(|error| Box::new(error.into_diagnostic(KEY)))
}

fn verify(store: &StoreArg, heads: Option<&Path>, public_key: Option<&Path>, context: &Context) -> Told {
    let trusted = match public_key {
        Some(path) => {
            let pem = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
            Some(read_public_key(&pem).map_err(|error| unreadable(path, &error))?)
        }
        None => signing()?.map(|signing| signing.public()),
    };
    let signed = match heads {
        Some(path) => read_heads(path).map_err(|error| unreadable(path, &error))?,
        None => Vec::new(),
    };
    let of_chain = |chain: Chain| -> Vec<(Seq, Option<Head>)> {
        signed.iter().filter(|head| head.chain == chain).map(|head| (head.seq, head.open(trusted.as_ref()))).collect()
    };
    let (of_trail, of_cases) = (of_chain(Chain::Trail), of_chain(Chain::Cases));
    let (verified, events) = with(store, async |store| {
        let events = match store.live_if_there().await? {
            Some(live) => verify_events(&*live, &of_cases).await?,
            // A live part that was there when heads were signed is gone.
            None => VerifiedEvents { chain: verify_nothing(&of_cases), ..VerifiedEvents::default() },
        };
        Ok((verify_trail(store, &of_trail).await?, events))
    })?;
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let mut text = chain_text(&verified, context);
    if events != VerifiedEvents::default() {
        text.push_str(&format!("\n{} {}\n", pick("办件", "cases"), count(events.cases)));
        text.push_str(&chain_text(&events.chain, context));
        text.extend(events.faults.iter().map(|fault| format!("{}\n", context.say(&fault.words()))));
        text.push('\n');
    }
    if !signed.is_empty() && trusted.is_none() {
        text.push_str(pick(
            "注意: 没有给出可信公钥, 签名只与链头文件里的公钥相比\n",
            "note: without a trusted public key, signatures were held against the keys in the file itself\n",
        ));
    }
    let is_whole = verified.faults.is_empty();
    text.push_str(if is_whole {
        pick("留痕完整\n", "the trail is whole\n")
    } else {
        pick("留痕有问题\n", "the trail is not whole\n")
    });
    if events != VerifiedEvents::default() {
        text.push_str(if events.is_whole() {
            pick("办件事件完整\n", "the events of cases are whole\n")
        } else {
            pick("办件事件有问题\n", "the events of cases are not whole\n")
        });
    }
    Ok((text, if is_whole && events.is_whole() { Exit::Clean } else { Exit::Findings }))
}

/// What was found of a chain, and how long it is.
fn chain_text(verified: &Verified, context: &Context) -> String {
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let mut text: String = verified.faults.iter().map(|fault| format!("{}\n", context.say(&fault.words()))).collect();
    let newest = verified.head.map_or_else(|| "-".to_owned(), |head| time_text(head.at));
    text.push_str(&format!(
        "{} {} · {} {} · {} {} · {} {newest}\n",
        pick("条数", "records"),
        count(verified.records),
        pick("已删除内容", "erased"),
        count(verified.erased),
        pick("链头", "heads"),
        count(verified.heads),
        pick("最新", "newest"),
    ));
    text
}

fn show(store: &StoreArg, written: &str, by: &str, limit: usize, context: &Context) -> Told {
    let (kind, subject) = about(written);
    let looking = Content {
        who: by.to_owned(),
        role: "auditor".to_owned(),
        caller: "mianshen audit show".to_owned(),
        purpose: "audit".to_owned(),
        action: Done::ReadTrail,
        subject: Some(subject.clone()),
        items: Vec::new(),
        note: String::new(),
    };
    let records = with(store, async |store| {
        // The look is recorded before anything is shown.
        let own = store.trail_append(now(), std::slice::from_ref(&looking)).await?;
        store.trail_about(kind, &subject.id, Some(own), limit).await
    })?;
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let mut table = Table::new(&[
        (pick("编号", "entry"), Align::Right),
        (pick("时间", "time"), Align::Left),
        (pick("谁", "who"), Align::Left),
        (pick("角色", "role"), Align::Left),
        (pick("目的", "purpose"), Align::Left),
        (pick("做了什么", "what"), Align::Left),
        (pick("内容", "items"), Align::Left),
    ]);
    for record in &records {
        let Some(said) = record.said() else { continue };
        let items = if said.items.len() > 6 {
            format!("{}, … ({})", said.items[..6].join(", "), said.items.len())
        } else {
            said.items.join(", ")
        };
        let what = said.action.name().to_owned();
        table.push(vec![record.seq.to_string(), time_text(record.at), said.who, said.role, said.purpose, what, items]);
    }
    Ok((table.render(None, context.color) + "\n", Exit::Clean))
}

fn heads(store: &StoreArg, out: &Path, context: &Context) -> Told {
    let Some(signing) = signing()? else {
        return Err(Box::new(Diagnostic::new(&code::BAD_ARGUMENT, "没有签名密钥", "there is no signing key").help(
            format!("用 openssl genpkey -algorithm ed25519 生成, 由 {KEY_FILE} 给出"),
            format!("make one with openssl genpkey -algorithm ed25519, and name its file in {KEY_FILE}"),
        )));
    };
    let heads = with(store, async |store| {
        let of_cases = match store.live_if_there().await? {
            Some(live) => live.events_head().await?,
            None => None,
        };
        let heads = [(Chain::Trail, store.trail_head().await?), (Chain::Cases, of_cases)];
        Ok(heads.into_iter().filter_map(|(chain, head)| Some((chain, head?))).collect::<Vec<_>>())
    })?;
    if heads.is_empty() {
        return Ok((context.pick("留痕是空的\n", "the trail is empty\n").to_owned(), Exit::Clean));
    }
    let signed: Vec<_> = heads.iter().map(|(chain, head)| signing.sign(*chain, head)).collect();
    let write = || {
        let mut lines = Vec::new();
        for head in &signed {
            serde_json::to_writer(&mut lines, head).map_err(std::io::Error::other)?;
            lines.push(b'\n');
        }
        let mut file = File::options().create(true).append(true).open(out)?;
        file.write_all(&lines)?;
        file.sync_all()
    };
    write().map_err(|error| Box::new(StoreError::Failed(error.to_string()).into_diagnostic(&out.display().to_string())))?;
    let line = |head: &SignedHead| {
        let what = match head.chain {
            Chain::Trail => context.pick("已签名留痕第", "signed record of the trail"),
            Chain::Cases => context.pick("已签名办件事件第", "signed event of cases"),
        };
        format!("{what} {} · {}\n", head.seq, out.display())
    };
    Ok((signed.iter().map(line).collect(), Exit::Clean))
}

fn erase(store: &StoreArg, erasure: &Erasure, context: &Context) -> Told {
    let erased = with(store, async |store| store.trail_erase(now(), erasure).await)?;
    Ok((format!("{} {}\n", context.pick("已删除内容", "erased"), count(erased)), Exit::Clean))
}
