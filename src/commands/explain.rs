//! `mianshen explain`: why a policy means what it means for one subject: of a case, or of the registers.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueEnum;

use super::cases::{self, ResolvedCase};
use super::folder::PolicyFolder;
use super::{Context, Exit};
use crate::cases::table;
use crate::check::catalogue::FactId;
use crate::diagnostic::{Diagnostic, code};
use crate::explain::{self, Known, Reason};
use crate::policy::document::PolicyDocument;

/// What to explain.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 政策编码 / Code of the policy
    #[arg(long, value_name = "CODE")]
    pub policy: String,
    /// cases.yaml 里案例的名称, 或其中一段 / The case in cases.yaml, by its name or a part of it
    #[arg(long, value_name = "NAME", required_unless_present = "subject", conflicts_with = "subject")]
    pub case: Option<String>,
    /// 登记库里的服务对象, 按标识 / A subject of the registers, by identifier
    #[arg(long, value_name = "ID")]
    pub subject: Option<String>,
    /// 登记库在哪里 / Where the registers are
    #[arg(long, value_name = "FILE", default_value = "data-samples/sources.yaml")]
    pub sources: PathBuf,
    /// 判定日; 缺省为最新的数据日 / The day that verdicts are about; by default the newest data day
    #[arg(long, value_name = "DATE", value_parser = super::context::date_argument)]
    pub as_of: Option<chrono::NaiveDate>,
    /// 输出样式 / How the reason is shown
    #[arg(long, value_enum, default_value_t = FormatArg::Text)]
    pub format: FormatArg,
}

/// How a reason is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// 树, 给人看 / a tree, for people
    Text,
    /// JSON
    Json,
}

/// Explains the subject of a case.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let mut folder = PolicyFolder::load(&args.policies);
    let diagnostics = std::mem::take(&mut folder.diagnostics);
    if Exit::of(&diagnostics, false) == Exit::Failed {
        return context.fail(&diagnostics);
    }
    let reason = match &args.subject {
        Some(subject) => super::explain_subject::of_subject(&folder, args, subject, context),
        None => case(&mut folder, args).and_then(|(document, case)| of_case(&folder, &document, &case)),
    };
    match reason {
        Ok(reason) => context.print(&shown(&reason, args.format, context), Exit::Clean),
        Err(told) => {
            // What is wrong with the folder may be why.
            context.tell(&diagnostics);
            context.fail(&told)
        }
    }
}

/// A reason as text or JSON.
#[must_use]
pub fn shown(reason: &Reason, format: FormatArg, context: &Context) -> String {
    match format {
        FormatArg::Text => explain::render(reason, context.lang, context.color),
        // Plain strings and numbers always serialise.
        FormatArg::Json => serde_json::to_string_pretty(reason).unwrap_or_default() + "\n",
    }
}

fn case(folder: &mut PolicyFolder, args: &Args) -> Result<(Arc<PolicyDocument>, ResolvedCase), Vec<Diagnostic>> {
    let wanted = args.case.as_deref().unwrap_or_default();
    let of_policy: Vec<Arc<PolicyDocument>> = folder.set.policies.iter().filter(|document| document.code == args.policy).cloned().collect();
    let Some(document) = of_policy.first() else {
        let codes = folder.set.policies.iter().map(|document| document.code.as_str());
        let name = &args.policy;
        let diagnostic = Diagnostic::new(&code::BAD_ARGUMENT, format!("没有政策“{name}”"), format!("unknown policy `{name}`"));
        return Err(vec![diagnostic.did_you_mean(name, codes)]);
    };
    let (cases, told): (Vec<_>, Vec<_>) = of_policy.iter().map(|document| table::load_beside(document)).unzip();
    let cases: Vec<_> = cases.into_iter().flatten().collect();
    let exact = cases.iter().find(|case| case.name == wanted);
    let Some(case) = exact.or_else(|| cases.iter().find(|case| case.name.contains(wanted))).cloned() else {
        let (policy, name) = (&args.policy, wanted);
        let diagnostic = Diagnostic::new(
            &code::BAD_ARGUMENT,
            format!("政策 {policy} 没有案例“{name}”"),
            format!("policy {policy} has no case `{name}`"),
        )
        .did_you_mean(name, cases.iter().map(|case| case.name.as_str()));
        return Err(told.into_iter().flatten().chain([diagnostic]).collect());
    };
    let (case, told) = cases::resolve(folder, document, case);
    if case.complete { Ok((Arc::clone(document), case)) } else { Err(told) }
}

fn of_case(folder: &PolicyFolder, document: &PolicyDocument, case: &ResolvedCase) -> Result<Reason, Vec<Diagnostic>> {
    let as_of = case.case.as_of;
    let in_force = folder.in_force(as_of, None);
    let code = &document.code;
    let Some(policy) = in_force.get(code) else {
        let diagnostic = Diagnostic::new(
            &code::BAD_ARGUMENT,
            format!("政策 {code} 在 {as_of} 不在有效期内, 或有错误"),
            format!("policy {code} is not in force on {as_of}, or has errors"),
        );
        return Err(vec![diagnostic.at(document.place.clone())]);
    };
    let binder = folder.binder(as_of, None, &in_force);
    let value = |id: FactId| case.value(id);
    let known = Known { value: &value, taken: &|id| case.given.contains_key(&id), cause: &|_| None, data_day: &|_| None };
    Ok(explain::explain(&folder.checked.catalogue, policy, &binder, known))
}
