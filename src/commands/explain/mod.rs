//! `mianshen explain`: why a policy means what it means, for a case, for a subject of the registers, across policies or people.

mod case;
mod page;
mod people;
mod subject;

use std::collections::BTreeSet;
use std::path::PathBuf;

use chrono::{Months, NaiveDate};
use clap::ValueEnum;

use super::folder::PolicyFolder;
use super::{Context, Exit};
use crate::diagnostic::{Diagnostic, code};
use crate::explain::overview::Overview;
use crate::explain::why_not::WhyNot;
use crate::explain::{Law, Reason};

/// How far ahead turns are looked for by default, in months.
const AHEAD: u32 = 24;

/// How far ahead they may be looked for at most, in months.
const FARTHEST: u32 = 120;

/// What to explain.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// 政策编码; 也可用 --policy / Code of the policy; --policy does the same
    #[arg(value_name = "CODE", conflicts_with = "policy")]
    pub code: Option<String>,
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 政策编码; 与 --subject 一起时可省略, 即一人一档 / Code of the policy; with --subject, all policies without it
    #[arg(long, value_name = "CODE")]
    pub policy: Option<String>,
    /// cases.yaml 里案例的名称, 或其中一段 / The case in cases.yaml, by its name or a part of it
    #[arg(long, value_name = "NAME", required_unless_present_any = ["subject", "why_not"], conflicts_with_all = ["subject", "why_not"])]
    pub case: Option<String>,
    /// 登记库里的服务对象, 按标识 / A subject of the registers, by identifier
    #[arg(long, value_name = "ID", conflicts_with = "why_not")]
    pub subject: Option<String>,
    /// 全体对象: 先不符合哪一条, 只不符合哪一条, 相差多少 / All people: which criterion fails first, which alone, and how far off
    #[arg(long)]
    pub why_not: bool,
    /// 登记库在哪里 / Where the registers are
    #[arg(long, value_name = "FILE", default_value = "data-samples/sources.yaml")]
    pub sources: PathBuf,
    /// 判定日; 缺省为最新的数据日 / The day that verdicts are about; by default the newest data day
    #[arg(long, value_name = "DATE", value_parser = super::context::date_argument)]
    pub as_of: Option<NaiveDate>,
    /// 往后看到哪一天; 缺省两年, 最多十年 / How far to look ahead; by default two years, at most ten
    #[arg(long, value_name = "DATE", value_parser = super::context::date_argument)]
    pub until: Option<NaiveDate>,
    /// 有意缺席的登记库, 其事实为未知 / Registers absent on purpose: their facts are unknown
    #[arg(long, value_name = "REGISTER", num_args = 1..)]
    pub allow_missing: Vec<String>,
    /// 人数少于此的格子不显示 / Cells with fewer people are not shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub smallest_cell: u64,
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
    /// 一个网页文件, 可打印 / one HTML file, to read or print
    Html,
}

/// What was explained.
pub(super) enum Explained {
    /// One subject, one policy.
    One(Box<Reason>),
    /// One subject, all policies.
    Overview(Box<Overview>),
    /// One policy, all people.
    WhyNot(Box<WhyNot>),
}

impl Args {
    /// The code of the policy that is asked for.
    fn wanted(&self) -> Option<&str> {
        self.code.as_deref().or(self.policy.as_deref())
    }

    /// The last day up to which turns are looked for.
    fn until(&self, as_of: NaiveDate) -> Result<NaiveDate, Vec<Diagnostic>> {
        let ahead = |months: u32| as_of.checked_add_months(Months::new(months)).unwrap_or(as_of);
        let until = self.until.unwrap_or_else(|| ahead(AHEAD));
        if until < as_of || until > ahead(FARTHEST) {
            let told = Diagnostic::new(
                &code::BAD_ARGUMENT,
                format!("--until {until} 须在判定日 {as_of} 之后十年以内"),
                format!("--until {until} must lie within ten years after the day, {as_of}"),
            );
            return Err(vec![told]);
        }
        Ok(until)
    }

    fn absent(&self) -> BTreeSet<String> {
        self.allow_missing.iter().cloned().collect()
    }
}

/// Explains.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let mut folder = PolicyFolder::load(&args.policies);
    let diagnostics = std::mem::take(&mut folder.diagnostics);
    if Exit::of(&diagnostics, false) == Exit::Failed {
        return context.fail(&diagnostics);
    }
    let explained = if args.case.is_some() {
        case::explain(&mut folder, args).map(|reason| Explained::One(Box::new(reason)))
    } else if crate::diagnostic::has_errors(&diagnostics) {
        Err(Vec::new())
    } else if args.why_not {
        people::explain(&folder, args, context).map(|told| Explained::WhyNot(Box::new(told)))
    } else {
        subject::explain(&folder, args, context)
    };
    match explained {
        Ok(explained) => context.print(&page::shown(&explained, args.format, context), Exit::Clean),
        Err(told) => {
            // What is wrong with the folder may be why.
            context.tell(&diagnostics);
            context.fail(&told)
        }
    }
}

/// The law of a folder from one day until another.
fn law(folder: &PolicyFolder, span: (NaiveDate, NaiveDate)) -> Law<'_> {
    Law::new(&folder.set.policies, &folder.checked.policies, &folder.set.parameters, &folder.regions, None, span)
}

/// The code of the policy must be said.
fn policy_missing() -> Vec<Diagnostic> {
    vec![
        Diagnostic::new(&code::BAD_ARGUMENT, "缺少政策编码", "the code of a policy is missing")
            .help("如 mianshen explain 990100-MZ-0007", "such as mianshen explain 990100-MZ-0007"),
    ]
}
