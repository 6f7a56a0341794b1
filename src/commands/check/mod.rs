//! `mianshen check`: a policies folder, told every mistake.

mod boundaries;
mod fix;
mod parameters;
mod references;
mod severity;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::NaiveDate;
use clap::ValueEnum;
use rayon::prelude::*;

use super::cases;
use super::context::date_argument;
use super::folder::{PolicyFolder, in_order};
use super::{Context, Exit};
use crate::cases::{Book, ResolvedCase, table};
use crate::check::lints;
use crate::diagnostic::{self, Diagnostic, Format, Lang, code};
use crate::policy::document::{Case, PolicyDocument};
use crate::yaml::Texts;
use severity::{Level, Levels};

/// What to check.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 输出样式 / How findings are shown
    #[arg(long, value_enum, default_value_t = FormatArg::Full)]
    pub format: FormatArg,
    /// 只看这一天有效的标准; 缺省看政策有效期内的每一天 / Parameters on this day only; by default on every day in force
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub as_of: Option<NaiveDate>,
    /// 有警告也算有发现 / Warnings count as findings
    #[arg(long)]
    pub strict: bool,
    /// 这些诊断 (名称或编号) 算错误 / These codes, by name or number, are errors
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub deny: Vec<String>,
    /// 这些诊断算警告 / These codes are warnings
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub warn: Vec<String>,
    /// 这些诊断不报 / These codes are not told
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub allow: Vec<String>,
    /// 改正有唯一安全改法的问题, 改写文件 / Mend what has one safe way out, in the files
    #[arg(long)]
    pub fix: bool,
    /// 与 --fix 一起: 只显示要改什么 / With --fix: show the changes, write nothing
    #[arg(long, requires = "fix")]
    pub diff: bool,
}

/// How findings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// 带原文, 给人看 / with the lines of the files, for people
    Full,
    /// 每处一行 / one line each
    Concise,
    /// JSON 数组 / a JSON array
    Json,
    /// GitHub Actions 注解 / annotations of GitHub Actions
    Github,
    /// SARIF 2.1.0
    Sarif,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Full => Self::Full,
            FormatArg::Concise => Self::Concise,
            FormatArg::Json => Self::Json,
            FormatArg::Github => Self::Github,
            FormatArg::Sarif => Self::Sarif,
        }
    }
}

/// Checks a folder and shows what was found.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let given = [(&*args.allow, Level::Allow), (&*args.warn, Level::Warn), (&*args.deny, Level::Deny)];
    let (levels, faults) = Levels::new(&args.policies, &Texts::default(), given);
    if faults.iter().any(|fault| fault.code == &code::BAD_ARGUMENT) {
        return context.fail(&faults);
    }
    let (mut folder, mut diagnostics) = look(&args.policies, args.as_of, &Texts::default(), &levels);
    if args.fix {
        if args.diff {
            return fix::show(&diagnostics, context);
        }
        match mended(args, &levels, &diagnostics, context) {
            Ok(Some(again)) => (folder, diagnostics) = again,
            Ok(None) => {}
            Err(fault) => return context.fail(&[*fault]),
        }
    }
    diagnostics.extend(faults);
    in_order(&mut diagnostics);
    let mut text = diagnostic::render(&diagnostics, args.format.into(), context.lang, context.color);
    if args.format == FormatArg::Full {
        text.push_str(&summary(&folder, context.lang));
    }
    context.print(&text, Exit::of(&diagnostics, args.strict))
}

/// Everything that `check` tells of a folder, with its severities, in the order of files and places.
pub(super) fn told_of(policies: &Path) -> Vec<Diagnostic> {
    let texts = Texts::default();
    let (levels, mut faults) = levels_of(policies, &texts);
    faults.extend(look(policies, None, &texts, &levels).1);
    faults
}

/// The severities that a folder says.
fn levels_of(dir: &Path, texts: &Texts) -> (Levels, Vec<Diagnostic>) {
    Levels::new(dir, texts, [(&[], Level::Allow), (&[], Level::Warn), (&[], Level::Deny)])
}

/// A folder, what there is to tell of it, and its cases.
pub(super) struct Sight {
    pub(super) folder: PolicyFolder,
    pub(super) diagnostics: Vec<Diagnostic>,
    /// By policy.
    pub(super) cases: BTreeMap<String, Vec<ResolvedCase>>,
}

/// What `check` tells of a folder with texts that stand in for some of its files, but for what takes long: that is told
/// of the policies that are looked at closely, and by [`at_length`] of the others.
pub(super) fn at_once(dir: &Path, texts: &Texts, closely: &(dyn Fn(&PolicyDocument) -> bool + Sync)) -> Sight {
    let (levels, faults) = levels_of(dir, texts);
    let mut sight = sight(dir, None, texts, &levels, closely);
    sight.diagnostics.extend(faults);
    in_order(&mut sight.diagnostics);
    sight
}

/// What takes long to tell of some policies: the boundaries that none of their cases touches.
pub(super) fn at_length(
    (dir, texts): (&Path, &Texts),
    book: &Book<'_>,
    cases: &BTreeMap<String, Vec<ResolvedCase>>,
    of: &(dyn Fn(&PolicyDocument) -> bool + Sync),
) -> Vec<Diagnostic> {
    let (levels, _) = levels_of(dir, texts);
    graded(boundaries::check(book, cases, of), &levels)
}

/// The folder, and everything that there is to tell of it.
fn look(dir: &Path, as_of: Option<NaiveDate>, texts: &Texts, levels: &Levels) -> (PolicyFolder, Vec<Diagnostic>) {
    let sight = sight(dir, as_of, texts, levels, &|_| true);
    (sight.folder, sight.diagnostics)
}

fn sight(
    dir: &Path,
    as_of: Option<NaiveDate>,
    texts: &Texts,
    levels: &Levels,
    closely: &(dyn Fn(&PolicyDocument) -> bool + Sync),
) -> Sight {
    let mut folder = PolicyFolder::load_with(dir, texts);
    let mut diagnostics = folder.diagnostics.clone();
    let (told, cases) = findings(&mut folder, as_of, texts);
    diagnostics.extend(told);
    let book = Book::new(&folder.checked, &folder.set, &folder.regions);
    diagnostics.extend(boundaries::check(&book, &cases, closely));
    Sight { diagnostics: graded(diagnostics, levels), folder, cases }
}

/// Findings as grave as they are taken, in the order of files and places.
fn graded(mut diagnostics: Vec<Diagnostic>, levels: &Levels) -> Vec<Diagnostic> {
    levels.apply(&mut diagnostics);
    let mut diagnostics: Vec<Diagnostic> = diagnostics.into_iter().map(Diagnostic::fix_width).collect();
    in_order(&mut diagnostics);
    diagnostics
}

/// The folder after what can be mended was; none where nothing can be, or where it led to more errors than before.
fn mended(
    args: &Args,
    levels: &Levels,
    diagnostics: &[Diagnostic],
    context: &Context,
) -> Result<Option<(PolicyFolder, Vec<Diagnostic>)>, Box<Diagnostic>> {
    if fix::write(diagnostics, context)? == 0 {
        return Ok(None);
    }
    let again = look(&args.policies, args.as_of, &Texts::default(), levels);
    if fix::undo_if_worse(diagnostics, &again.1)? {
        return Ok(None);
    }
    Ok(Some(again))
}

/// What lints tell of the policies with these cases.
fn lint(folder: &PolicyFolder, cases: &[Vec<Case>]) -> Vec<Diagnostic> {
    let PolicyFolder { checked, set, regions, .. } = folder;
    lints::run(&lints::Folder { checked, documents: &set.policies, parameters: &set.parameters, regions, cases })
}

/// What there is to tell beside what reading and checking told, and the cases that it was told of.
fn findings(folder: &mut PolicyFolder, as_of: Option<NaiveDate>, texts: &Texts) -> (Vec<Diagnostic>, BTreeMap<String, Vec<ResolvedCase>>) {
    let mut diagnostics = references::check(folder);
    diagnostics.extend(parameters::check(folder, as_of));
    let read: Vec<_> = folder.set.policies.par_iter().map(|document| table::load_beside_with(document, texts)).collect();
    let (read, told): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    diagnostics.extend(lint(folder, &read));
    let mut resolved: BTreeMap<String, Vec<ResolvedCase>> = BTreeMap::new();
    for (at, (cases, told)) in read.into_iter().zip(told).enumerate() {
        let document = Arc::clone(&folder.set.policies[at]);
        let is_silent = cases.is_empty() && told.is_empty();
        diagnostics.extend(told);
        if is_silent {
            diagnostics.push(without_cases(&document.code, &document.place));
        }
        for case in cases {
            let (case, told) = cases::resolve(folder, &document, case);
            diagnostics.extend(told);
            resolved.entry(document.code.clone()).or_default().push(case);
        }
    }
    // Versions of one policy may share a file of cases.
    in_order(&mut diagnostics);
    diagnostics.dedup_by(|one, other| one.code == other.code && one.primary == other.primary && one.headline == other.headline);
    (diagnostics, resolved)
}

fn without_cases(policy: &str, place: &diagnostic::Span) -> Diagnostic {
    Diagnostic::new(&code::POLICY_WITHOUT_CASES, format!("政策 {policy} 没有案例"), format!("policy {policy} has no cases"))
        .at(place.clone())
        .help("在旁边的 cases.yaml 里写上条文的每一个边界", "write each boundary of the text into cases.yaml beside it")
}

/// What was looked at, one line.
fn summary(folder: &PolicyFolder, lang: Lang) -> String {
    let mut text = String::new();
    let (policies, registers, parameters) = (folder.set.policies.len(), folder.registers.registers.len(), folder.set.parameters.len());
    let _ = match lang {
        Lang::Zh => writeln!(text, "检查了 {policies} 项政策, {registers} 个库, {parameters} 个标准"),
        Lang::En => writeln!(text, "checked {policies} policies, {registers} registers, {parameters} parameters"),
    };
    text
}
