//! `mianshen list`: the catalogue of policies, with where each stands on a day.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::NaiveDate;
use clap::ValueEnum;
use rayon::prelude::*;
use serde::Serialize;

use super::context::date_argument;
use super::folder::in_order;
use super::{Context, Exit};
use crate::cases::table;
use crate::diagnostic::{Diagnostic, Message, code};
use crate::policy::document::PolicyDocument;
use crate::policy::{self, Standing, standings};
use crate::region::{self, RegionTree};
use crate::register::declaration::SubjectKind;
use crate::report::table::{Align, Table};

/// Which policies to list.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 看这一天的状态; 缺省为今天 (北京时间) / Status on this day; today in Beijing by default
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub as_of: Option<NaiveDate>,
    /// 只列这个地区及其下辖地区的政策 / Policies of this region and of what lies below it only
    #[arg(long, value_name = "CODE")]
    pub region: Option<String>,
    /// 只列这类服务对象的政策 / Policies for this kind of subject only
    #[arg(long, value_enum)]
    pub subject: Option<SubjectArg>,
    /// 只列这种状态的政策 / Policies of this status only
    #[arg(long, value_enum)]
    pub status: Option<StatusArg>,
    /// 只列编码、名称、机关、依据或标签含有这段文字的政策 / Policies with this text in code, name, authority, basis or tags only
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// 输出样式 / How the list is shown
    #[arg(long, value_enum, default_value_t = FormatArg::Table)]
    pub format: FormatArg,
}

/// A kind of subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SubjectArg {
    /// 个人 / a person
    Person,
    /// 家庭 / a household
    Household,
    /// 企业和其他组织 / a legal entity
    Entity,
}

/// A status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusArg {
    /// 有效
    InForce,
    /// 未生效
    NotYet,
    /// 已失效
    Ended,
    /// 已被替代
    Replaced,
}

/// How the list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// 表格, 给人看 / a table, for people
    Table,
    /// JSON 数组 / a JSON array
    Json,
    /// CSV
    Csv,
}

/// One policy of the catalogue; dates as in files, `to` is the first day no longer in force.
#[derive(Debug, Serialize)]
struct Entry<'p> {
    code: &'p str,
    version: i64,
    name: &'p Message,
    authority_code: &'p str,
    authority: &'p str,
    region: &'p str,
    subject: &'static str,
    status: Standing,
    from: String,
    to: Option<String>,
    announced: Option<String>,
    mode: &'static str,
    cases: usize,
    path: String,
}

/// Lists the policies of a folder.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let Some(as_of) = args.as_of.or_else(today) else {
        return context.fail(&[Diagnostic::new(&code::BAD_ARGUMENT, "时钟不可用, 请写 --as-of", "the clock cannot be read: give --as-of")]);
    };
    let (set, mut diagnostics) = policy::load(&args.policies);
    let (regions, told) = if args.policies.is_dir() { region::load(&args.policies) } else { (RegionTree::default(), Vec::new()) };
    diagnostics.extend(told);
    if let Some(region) = args.region.as_deref().filter(|region| args.policies.is_dir() && !regions.is_known(region)) {
        diagnostics.push(
            Diagnostic::new(&code::BAD_ARGUMENT, format!("区划树里没有“{region}”"), format!("region `{region}` is not in the tree"))
                .did_you_mean(region, regions.all_codes()),
        );
    }
    let stands = standings(&set.policies, as_of);
    let wanted = set.policies.iter().zip(stands).filter(|(document, standing)| is_wanted(args, document, *standing, &regions, as_of));
    let wanted: Vec<_> = wanted.collect();
    let read: Vec<_> = wanted.par_iter().map(|(document, _)| table::load_beside(document)).collect();
    let mut entries = Vec::with_capacity(wanted.len());
    for ((document, standing), (cases, told)) in wanted.into_iter().zip(read) {
        diagnostics.extend(told);
        entries.push(entry(document, standing, cases.len(), args));
    }
    in_order(&mut diagnostics);
    context.tell(&diagnostics);
    let exit = Exit::of(&diagnostics, false);
    match args.format {
        FormatArg::Table => context.print(&as_table(&entries, as_of, context), exit),
        FormatArg::Json => {
            // Plain strings and numbers always serialise.
            let mut text = serde_json::to_string_pretty(&entries).unwrap_or_default();
            text.push('\n');
            context.print(&text, exit)
        }
        FormatArg::Csv => context.print(&as_csv(&entries), exit),
    }
}

/// The day of today in Beijing, where the policies are in force.
#[expect(clippy::disallowed_methods, reason = "a catalogue is of today unless a day is given; no verdict depends on it")]
pub(super) fn today() -> Option<NaiveDate> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs() + 8 * 3600;
    NaiveDate::from_epoch_days(i32::try_from(seconds / 86_400).ok()?)
}

fn is_wanted(args: &Args, document: &PolicyDocument, standing: Standing, regions: &RegionTree, as_of: NaiveDate) -> bool {
    let subject = args.subject.is_none_or(|subject| {
        document.subject
            == match subject {
                SubjectArg::Person => SubjectKind::Person,
                SubjectArg::Household => SubjectKind::Household,
                SubjectArg::Entity => SubjectKind::Entity,
            }
    });
    let status = args.status.is_none_or(|status| {
        standing
            == match status {
                StatusArg::InForce => Standing::InForce,
                StatusArg::NotYet => Standing::NotYet,
                StatusArg::Ended => Standing::Ended,
                StatusArg::Replaced => Standing::Replaced,
            }
    });
    let region = args.region.as_deref().is_none_or(|region| regions.contains(region, &document.covers.region, as_of));
    subject && status && region && args.text.as_deref().is_none_or(|text| has_text(document, text))
}

fn has_text(document: &PolicyDocument, text: &str) -> bool {
    let text = text.to_lowercase();
    let head = [&document.code, &document.name.zh, &document.name.en, &document.authority_code, &document.authority_name];
    let basis = document.basis.iter().flat_map(|basis| [Some(&basis.title), basis.number.as_ref()]).flatten();
    head.into_iter().chain(basis).chain(&document.tags).any(|part| part.to_lowercase().contains(&text))
}

fn entry<'p>(document: &'p PolicyDocument, status: Standing, cases: usize, args: &Args) -> Entry<'p> {
    let path = document.path.strip_prefix(&args.policies).unwrap_or(&document.path);
    Entry {
        code: &document.code,
        version: document.version,
        name: &document.name,
        authority_code: &document.authority_code,
        authority: &document.authority_name,
        region: &document.covers.region,
        subject: document.subject.name(),
        status,
        from: document.in_force_from.to_string(),
        to: document.in_force_to.map(|day| day.to_string()),
        announced: document.announced.map(|day| day.to_string()),
        mode: document.delivery.mode.name(),
        cases,
        path: path.to_string_lossy().replace('\\', "/"),
    }
}

fn as_table(entries: &[Entry<'_>], as_of: NaiveDate, context: &Context) -> String {
    let columns = [
        ("编码", "code", Align::Left),
        ("名称", "name", Align::Left),
        ("机关", "authority", Align::Left),
        ("对象", "subject", Align::Left),
        ("状态", "status", Align::Left),
        ("起", "from", Align::Left),
        ("止 (不含)", "to", Align::Left),
        ("方式", "mode", Align::Left),
        ("案例", "cases", Align::Right),
    ];
    let mut table = Table::new(&columns.map(|(zh, en, align)| (context.pick(zh, en), align)));
    let version = |entry: &Entry<'_>| if entry.version == 1 { String::new() } else { format!(" v{}", entry.version) };
    for entry in entries {
        table.push([
            format!("{}{}", entry.code, version(entry)),
            context.say(entry.name).to_owned(),
            entry.authority.to_owned(),
            context.pick(subject_zh(entry.subject), entry.subject).to_owned(),
            context.say(&entry.status.label()).to_owned(),
            entry.from.clone(),
            entry.to.clone().unwrap_or_default(),
            context.pick(mode_zh(entry.mode), entry.mode).to_owned(),
            entry.cases.to_string(),
        ]);
    }
    let count = entries.len();
    let noun = if count == 1 { "policy" } else { "policies" };
    let sum = context.pick(&format!("{as_of}: {count} 项政策\n"), &format!("{as_of}: {count} {noun}\n")).to_owned();
    if entries.is_empty() { sum } else { format!("{}{sum}", table.render(None, context.color)) }
}

fn subject_zh(subject: &str) -> &'static str {
    match subject {
        "person" => "个人",
        "household" => "家庭",
        _ => "企业",
    }
}

fn mode_zh(mode: &str) -> &'static str {
    match mode {
        "automatic" => "直接发放",
        "confirm" => "确认",
        "commit" => "承诺",
        _ => "审核",
    }
}

fn as_csv(entries: &[Entry<'_>]) -> String {
    let head = [
        "code",
        "version",
        "name_zh",
        "name_en",
        "authority_code",
        "authority",
        "region",
        "subject",
        "status",
        "from",
        "to",
        "announced",
        "mode",
        "cases",
        "path",
    ];
    let rows = entries.iter().map(|entry| {
        [
            entry.code.to_owned(),
            entry.version.to_string(),
            entry.name.zh.clone(),
            entry.name.en.clone(),
            entry.authority_code.to_owned(),
            entry.authority.to_owned(),
            entry.region.to_owned(),
            entry.subject.to_owned(),
            entry.status.name().to_owned(),
            entry.from.clone(),
            entry.to.clone().unwrap_or_default(),
            entry.announced.clone().unwrap_or_default(),
            entry.mode.to_owned(),
            entry.cases.to_string(),
            entry.path.clone(),
        ]
    });
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in std::iter::once(head.map(str::to_owned)).chain(rows) {
        // Writing to memory does not fail.
        let _ = writer.write_record(&row);
    }
    writer.into_inner().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}
