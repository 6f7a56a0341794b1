//! `mianshen test`: the cases beside the policies, run on the row interpreter.

mod export;
mod json;
mod junit;
mod plan;
mod quality;
mod suggest;
mod text;

use std::path::PathBuf;

use clap::ValueEnum;
use rayon::prelude::*;

use plan::Planned;

use super::folder::{PolicyFolder, in_order};
use super::{Context, Exit};
use crate::cases::{Book, Outcome, outcome};
use crate::diagnostic::{self, Format, Message, has_errors};

/// What to test.
#[derive(Debug, Clone, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "switches of the command line")]
pub struct Args {
    /// 只测这些案例文件、这些文件夹里的政策或这些编码的政策 / Only these files of cases, the policies in these folders, or of these codes
    #[arg(value_name = "PATH|CODE")]
    pub paths: Vec<PathBuf>,
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 只测这些政策 / These policies only
    #[arg(long, value_name = "CODE", num_args = 1..)]
    pub policy: Vec<String>,
    /// 只测名称含有这段文字的案例 / Cases whose name has this text only
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
    /// 列出政策的边界有哪些没有案例触及 / Tell which boundaries of the policies no case touches
    #[arg(long)]
    pub coverage: bool,
    /// 有政策的边界覆盖低于这个百分比时退出码为 1 / Exit 1 when fewer boundaries of a policy are touched, in per cent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub min_coverage: Option<u8>,
    /// 逐项改动政策, 看有没有案例察觉 / Change the policies in every way, and tell which changes no case notices
    #[arg(long)]
    pub mutation: bool,
    /// 有政策的改动察觉低于这个百分比时退出码为 1 / Exit 1 when fewer changes of a policy are noticed, in per cent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub min_mutation: Option<u8>,
    /// 为没有触及的边界写出案例, 结果是今天的, 由作者确认 / Write cases for boundaries that none touches, with today's answers, for the author to confirm
    #[arg(long, conflicts_with_all = ["coverage", "mutation", "min_coverage", "min_mutation"])]
    pub suggest: bool,
    /// 建议的案例写到政策旁边的 cases.suggested.yaml / Put suggested cases into cases.suggested.yaml beside each policy
    #[arg(long, requires = "suggest")]
    pub write: bool,
    /// 把案例写成表格 (.xlsx 或 .csv), 一行一个 / Write the cases to a table (.xlsx or .csv), a row for each
    #[arg(long, value_name = "FILE", conflicts_with_all = ["suggest", "coverage", "mutation"])]
    pub export: Option<PathBuf>,
    /// 输出样式 / How results are shown
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    pub format: FormatArg,
}

/// How results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// 给人看 / for people
    Text,
    /// JSON
    Json,
    /// JUnit XML
    Junit,
    /// GitHub Actions 注解 / annotations of GitHub Actions
    Github,
}

impl Args {
    /// The same with codes of policies, where they stand among the paths, put with the codes.
    fn sorted(&self, folder: &PolicyFolder) -> Self {
        let is_code = |path: &PathBuf| folder.set.policies.iter().any(|policy| path.as_os_str() == policy.code.as_str());
        let (codes, paths): (Vec<PathBuf>, Vec<PathBuf>) = self.paths.iter().cloned().partition(is_code);
        let codes = codes.into_iter().map(|code| code.to_string_lossy().into_owned());
        Self { paths, policy: self.policy.iter().cloned().chain(codes).collect(), ..self.clone() }
    }
}

/// The cases of one policy, run.
struct Suite {
    /// Code of the policy.
    policy: String,
    /// Its name.
    name: Message,
    /// The file of cases.
    path: PathBuf,
    outcomes: Vec<Outcome>,
}

/// Runs the cases and shows what came out.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let mut folder = PolicyFolder::load(&args.policies);
    let args = &args.sorted(&folder);
    let mut diagnostics = std::mem::take(&mut folder.diagnostics);
    diagnostics.extend(plan::unknown_policies(&folder, &args.policy));
    diagnostics.extend(plan::unknown_paths(&folder, &args.paths));
    if Exit::of(&diagnostics, false) == Exit::Failed {
        return context.fail(&diagnostics);
    }
    let plan::Plan { cases: planned, equivalent } = plan::plan(&mut folder, args, &mut diagnostics);
    in_order(&mut diagnostics);
    diagnostics.retain(|diagnostic| diagnostic.severity == diagnostic::Severity::Error);
    let book = Book::new(&folder.checked, &folder.set, &folder.regions);
    if let Some(path) = &args.export {
        context.tell(&diagnostics);
        return export::run(&book, path, &planned, context);
    }
    if args.suggest {
        context.tell(&diagnostics);
        return suggest::run(&book, args, &planned, context);
    }
    let quality = quality::measure(&book, args, &planned, &equivalent);
    diagnostics.extend(quality.unfounded.iter().cloned());
    in_order(&mut diagnostics);
    let suites = judge(&book, planned);
    let failed = suites.iter().flat_map(|suite| &suite.outcomes).any(|outcome| !outcome.passed());
    let exit = if failed || has_errors(&diagnostics) || quality.is_too_low(args) { Exit::Findings } else { Exit::Clean };
    let output = match args.format {
        FormatArg::Text => {
            let mut output = if diagnostics.is_empty() {
                String::new()
            } else {
                diagnostic::render(&diagnostics, Format::Full, context.lang, context.color)
            };
            output.push_str(&text::render(&suites, context));
            output.push_str(&quality.text(context));
            output
        }
        FormatArg::Json => {
            context.tell(&diagnostics);
            json::render(&suites, &quality)
        }
        FormatArg::Junit => {
            context.tell(&diagnostics);
            junit::render(&suites, context)
        }
        FormatArg::Github => {
            diagnostics.extend(suites.iter().flat_map(|suite| &suite.outcomes).filter_map(Outcome::diagnostic));
            diagnostic::render(&diagnostics, Format::Github, context.lang, false)
        }
    };
    context.print(&output, exit)
}

/// Runs the cases in parallel; results keep the order of the plan.
fn judge(book: &Book<'_>, planned: Vec<Planned>) -> Vec<Suite> {
    let outcomes: Vec<Outcome> = planned.par_iter().map(|planned| outcome::run(book, &planned.document.code, &planned.case)).collect();
    let mut suites: Vec<Suite> = Vec::new();
    for (planned, outcome) in planned.into_iter().zip(outcomes) {
        let (document, path) = (planned.document, planned.path);
        match suites.last_mut() {
            Some(suite) if suite.policy == document.code && suite.path == path => suite.outcomes.push(outcome),
            _ => suites.push(Suite { policy: document.code.clone(), name: document.name.clone(), path, outcomes: vec![outcome] }),
        }
    }
    suites
}
