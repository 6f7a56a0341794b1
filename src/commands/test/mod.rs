//! `mianshen test`: the cases beside the policies, run on the row interpreter.

mod json;
mod junit;
mod quality;
mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;
use rayon::prelude::*;

use super::cases::{self, ResolvedCase};
use super::folder::{PolicyFolder, in_order};
use super::{Context, Exit};
use crate::cases::{Book, Outcome, outcome};
use crate::diagnostic::{self, Diagnostic, Format, Message, code, has_errors};
use crate::policy;
use crate::policy::document::{Case, PolicyDocument};

/// What to test.
#[derive(Debug, clap::Args)]
pub struct Args {
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
    /// 边界覆盖低于这个百分比时退出码为 1 / Exit 1 when fewer boundaries are touched, in per cent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub min_coverage: Option<u8>,
    /// 逐项改动政策, 看有没有案例察觉 / Change the policies in every way, and tell which changes no case notices
    #[arg(long)]
    pub mutation: bool,
    /// 察觉的改动低于这个百分比时退出码为 1 / Exit 1 when fewer changes are noticed, in per cent
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub min_mutation: Option<u8>,
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

/// A case before it is run.
struct Planned {
    document: Arc<PolicyDocument>,
    case: ResolvedCase,
}

/// Runs the cases and shows what came out.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let mut folder = PolicyFolder::load(&args.policies);
    let mut diagnostics = std::mem::take(&mut folder.diagnostics);
    diagnostics.extend(unknown_policies(&folder, &args.policy));
    if Exit::of(&diagnostics, false) == Exit::Failed {
        return context.fail(&diagnostics);
    }
    let planned = plan(&mut folder, args, &mut diagnostics);
    in_order(&mut diagnostics);
    diagnostics.retain(|diagnostic| diagnostic.severity == diagnostic::Severity::Error);
    let book = Book::new(&folder.checked, &folder.set, &folder.regions);
    let quality = quality::measure(&book, args, &planned);
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

fn unknown_policies(folder: &PolicyFolder, named: &[String]) -> Vec<Diagnostic> {
    let codes = || folder.set.policies.iter().map(|policy| &policy.code).chain(&folder.set.unread).map(String::as_str);
    let unknown = named.iter().filter(|name| !codes().any(|code| code == name.as_str()));
    unknown
        .map(|name| {
            Diagnostic::new(&code::BAD_ARGUMENT, format!("没有政策“{name}”"), format!("unknown policy `{name}`"))
                .did_you_mean(name, codes())
        })
        .collect()
}

/// The cases to run: of each policy the cases beside any of its versions, each file once.
fn plan(folder: &mut PolicyFolder, args: &Args, diagnostics: &mut Vec<Diagnostic>) -> Vec<Planned> {
    let wanted = |document: &&Arc<PolicyDocument>| args.policy.is_empty() || args.policy.contains(&document.code);
    let mut seen = BTreeSet::new();
    let documents: Vec<Arc<PolicyDocument>> = folder
        .set
        .policies
        .iter()
        .filter(wanted)
        .filter(|document| seen.insert((document.code.clone(), document.path.with_file_name(""))))
        .cloned()
        .collect();
    let read: Vec<_> = documents.par_iter().map(|document| policy::load_cases(document)).collect();
    let mut planned = Vec::new();
    for (document, (cases, told)) in documents.into_iter().zip(read) {
        diagnostics.extend(told);
        let chosen = |case: &Case| args.name.as_ref().is_none_or(|text| case.name.contains(text.as_str()));
        for case in cases.into_iter().filter(chosen) {
            let (case, told) = cases::resolve(folder, document.subject, case);
            diagnostics.extend(told);
            planned.push(Planned { document: Arc::clone(&document), case });
        }
    }
    planned
}

/// Runs the cases in parallel; results keep the order of the plan.
fn judge(book: &Book<'_>, planned: Vec<Planned>) -> Vec<Suite> {
    let outcomes: Vec<Outcome> =
        planned.par_iter().map(|planned| outcome::run(book, &planned.document.code, &planned.case)).collect();
    let mut suites: Vec<Suite> = Vec::new();
    for (planned, outcome) in planned.into_iter().zip(outcomes) {
        let document = planned.document;
        let path = document.path.with_file_name("cases.yaml");
        match suites.last_mut() {
            Some(suite) if suite.policy == document.code && suite.path == path => suite.outcomes.push(outcome),
            _ => suites.push(Suite { policy: document.code.clone(), name: document.name.clone(), path, outcomes: vec![outcome] }),
        }
    }
    suites
}
