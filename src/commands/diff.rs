//! `mianshen diff`: how two sets of policies differ, in words; folders, files, or revisions of git.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use tempfile::TempDir;

use super::{Context, Exit};
use crate::diagnostic::{Diagnostic, code, has_errors};
use crate::policy;
use crate::policy::difference::{Change, How, Item, Kind, difference};
use crate::policy::document::PolicySet;

/// What to compare.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// 旧的: 文件夹、文件, 或 git:版本:路径 (路径可以不写) / The old one: a folder, a file, or git:REVISION:PATH (the path may be left out)
    #[arg(value_name = "OLD")]
    pub old: String,
    /// 新的: 同上 / The new one: the same
    #[arg(value_name = "NEW")]
    pub new: String,
    /// 输出样式 / How differences are shown
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    pub format: FormatArg,
}

/// How differences are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// 文字, 给人看 / words, for people
    Text,
    /// JSON 数组 / a JSON array
    Json,
}

/// Compares two sets and tells what differs; exit 1 when something does, 2 when a side could not be read whole.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let sides = read(&args.old, &args.new).and_then(|old| Ok((old, read(&args.new, &args.old)?)));
    let ((old, told), (new, more)) = match sides {
        Ok(sides) => sides,
        Err(diagnostic) => return context.fail(&[*diagnostic]),
    };
    let diagnostics: Vec<Diagnostic> = told.into_iter().chain(more).collect();
    context.tell(&diagnostics);
    let items = difference(&old, &new);
    let exit = match (has_errors(&diagnostics), items.is_empty()) {
        (true, _) => Exit::Failed,
        (false, false) => Exit::Findings,
        (false, true) => Exit::Clean,
    };
    let text = match args.format {
        FormatArg::Text => as_text(&items, context),
        // Plain strings and numbers always serialise.
        FormatArg::Json => serde_json::to_string_pretty(&items).unwrap_or_default() + "\n",
    };
    context.print(&text, exit)
}

type Side = (PolicySet, Vec<Diagnostic>);

/// Reads one side; a revision without a path is of the path of the other side, else of `policies`.
fn read(side: &str, other: &str) -> Result<Side, Box<Diagnostic>> {
    let Some(named) = side.strip_prefix("git:") else { return Ok(policy::load_path(Path::new(side))) };
    let (revision, path) = match named.split_once(':') {
        Some((revision, path)) => (revision, path),
        None if other.starts_with("git:") => (named, other.splitn(3, ':').nth(2).unwrap_or("policies")),
        None => (named, other),
    };
    let (_folder, path) = checked_out(revision, Path::new(path))?;
    Ok(policy::load_path(&path))
}

/// A folder or file as it was in a revision, in a temporary folder that lives as long as the first of the pair.
fn checked_out(revision: &str, path: &Path) -> Result<(TempDir, PathBuf), Box<Diagnostic>> {
    let failed = |what: &str| {
        let shown = path.display();
        let (zh, en) = (format!("取不出 {shown} 在 {revision} 的样子: {what}"), format!("cannot take {shown} from {revision}: {what}"));
        let help = (
            "写作 git:HEAD~1 或 git:HEAD~1:policies, 路径须在 git 仓库里",
            "such as git:HEAD~1 or git:HEAD~1:policies, with a path inside a git repository",
        );
        Box::new(Diagnostic::new(&code::BAD_ARGUMENT, zh, en).help(help.0, help.1))
    };
    if revision.is_empty() || revision.starts_with('-') {
        return Err(failed("?"));
    }
    // The nearest folder that is there: what is asked for may be gone since.
    let absolute = std::path::absolute(path).map_err(|error| failed(&error.to_string()))?;
    let here = absolute.ancestors().find(|folder| folder.is_dir()).ok_or_else(|| failed("?"))?;
    let git = |folder: &Path, index: Option<&Path>, arguments: &[&str]| {
        let mut command = Command::new("git");
        command.arg("-C").arg(folder).args(arguments);
        if let Some(index) = index {
            command.env("GIT_INDEX_FILE", index);
        }
        let output = command.output().map_err(|error| failed(&format!("git: {error}")))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(failed(&text(&output.stderr))) }
    };
    let top = PathBuf::from(git(here, None, &["rev-parse", "--show-toplevel"])?);
    let prefix = git(here, None, &["rev-parse", "--show-prefix"])?;
    let rest = absolute.strip_prefix(here).map(|rest| rest.to_string_lossy().replace('\\', "/")).unwrap_or_default();
    let inside = format!("{prefix}{rest}");
    let inside = inside.trim_end_matches('/');
    let object = format!("{revision}:{inside}");
    let folder = tempfile::tempdir().map_err(|error| failed(&error.to_string()))?;
    let index = folder.path().join("index");
    if git(&top, None, &["cat-file", "-t", &object])? == "blob" {
        // One file: its folder is taken out.
        let (parent, name) = inside.rsplit_once('/').unwrap_or(("", inside));
        git(&top, Some(&index), &["read-tree", &format!("{revision}:{parent}")])?;
        let target = format!("--prefix={}/files/", folder.path().display());
        git(&top, Some(&index), &["checkout-index", &target, "--", name])?;
        let file = folder.path().join("files").join(name);
        return Ok((folder, file));
    }
    git(&top, Some(&index), &["read-tree", &object])?;
    git(&top, Some(&index), &["checkout-index", "--all", &format!("--prefix={}/files/", folder.path().display())])?;
    let files = folder.path().join("files");
    Ok((folder, files))
}

fn as_text(items: &[Item], context: &Context) -> String {
    if items.is_empty() {
        return context.pick("没有差别\n", "no difference\n").to_owned();
    }
    let mut text = String::new();
    for item in items {
        let name = context.say(&item.name);
        let kind = match item.kind {
            Kind::Policy => context.pick("政策", "policy"),
            Kind::Parameter => context.pick("标准", "parameter"),
            Kind::Bundle => context.pick("一件事", "bundle"),
        };
        let was = item.old_id.as_ref().map(|old| context.pick(&format!(" (原编码 {old})"), &format!(" (was {old})")).to_owned());
        let id = &item.id;
        let _ = writeln!(text, "{} {kind} {id} {name}{}", how(item.how, context), was.unwrap_or_default());
        for change in &item.changes {
            text.push_str(&change_text(change, context));
        }
    }
    text
}

fn change_text(change: &Change, context: &Context) -> String {
    let words = change.topic.words();
    let mut text = format!("  {} {}\n", how(change.how, context), context.say(&words));
    for (sign, side) in [("-", &change.old), ("+", &change.new)] {
        for line in side.iter().flat_map(|side| side.lines()) {
            let _ = writeln!(text, "    {sign} {line}");
        }
    }
    text
}

fn how(how: How, context: &Context) -> &'static str {
    match how {
        How::Added => context.pick("新增", "added"),
        How::Removed => context.pick("删去", "removed"),
        How::Changed => context.pick("改动", "changed"),
        How::Renamed => context.pick("改编码", "renamed"),
    }
}
