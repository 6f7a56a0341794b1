//! `mianshen docs`: reference made from what the program knows: schemas, facts, functions, diagnostic codes, and the whole
//! folder as a site.

mod site;

use std::fmt::Write as _;
use std::path::PathBuf;

use chrono::NaiveDate;
use clap::ValueEnum;

use super::context::date_argument;
use super::folder::PolicyFolder;
use super::{Context, Exit};
use crate::criteria::print;
use crate::diagnostic::{CODES, Fault, Severity};
use crate::policy::{self, SchemaOf};
use crate::register;
use crate::register::declaration::{FactDeclaration, SubjectKind};
use crate::report::site::sections;
use crate::serve;

/// The page of the language, of which the functions are a part.
const LANGUAGE: &str = include_str!("../../docs/language.md");

/// What to write.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["schema", "facts", "functions", "codes", "site"]))]
pub struct Args {
    /// JSON Schema, 供编辑器使用 / A JSON Schema, for editors
    #[arg(long, value_enum, value_name = "FILE", num_args = 0..=1, default_missing_value = "policy")]
    pub schema: Option<SchemaArg>,
    /// 事实目录 (Markdown) / The catalogue of facts, in Markdown
    #[arg(long)]
    pub facts: bool,
    /// 函数参考 (Markdown) / The reference of functions, in Markdown
    #[arg(long)]
    pub functions: bool,
    /// 诊断码 (Markdown) / The diagnostic codes, in Markdown
    #[arg(long)]
    pub codes: bool,
    /// 政策网页: 每项政策的办事指南、一件事、各目录, 中英文, 写进这个文件夹 / Pages, in Chinese and English, into this folder: each policy's guide, life events, catalogues
    #[arg(long, value_name = "DIR")]
    pub site: Option<PathBuf>,
    /// 网页以这一天为准; 缺省为今天 (北京时间) / The day that pages are about; today in Beijing by default
    #[arg(long, value_name = "DATE", value_parser = date_argument, conflicts_with_all = ["schema", "facts", "functions", "codes"])]
    pub as_of: Option<NaiveDate>,
    /// 事实和网页所用的政策文件夹 / The policies folder of facts and pages
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
}

/// A file that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaArg {
    /// policy.yaml
    Policy,
    /// parameters/*.yaml
    Parameters,
    /// cases.yaml
    Cases,
    /// bundles/*.yaml
    Bundles,
    /// registers/*.yaml
    Register,
    /// registers/links.yaml
    Links,
    /// registers/computed.yaml
    Computed,
    /// serve.yaml
    Serve,
}

/// Writes one piece of reference to stdout.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    if let Some(of) = args.schema {
        let schema = match of {
            SchemaArg::Policy => policy::schema(SchemaOf::Policy),
            SchemaArg::Parameters => policy::schema(SchemaOf::Parameters),
            SchemaArg::Cases => policy::schema(SchemaOf::Cases),
            SchemaArg::Bundles => policy::schema(SchemaOf::Bundles),
            SchemaArg::Register => register::schema(register::SchemaOf::Register),
            SchemaArg::Links => register::schema(register::SchemaOf::Links),
            SchemaArg::Computed => register::schema(register::SchemaOf::Computed),
            SchemaArg::Serve => serve::settings_schema(),
        };
        return context.print(&format!("{schema:#}\n"), Exit::Clean);
    }
    if args.functions {
        return context.print(&functions(), Exit::Clean);
    }
    if args.codes {
        return context.print(&codes(context), Exit::Clean);
    }
    if let Some(out) = &args.site {
        return site::run(out, args, context);
    }
    let folder = PolicyFolder::load(&args.policies);
    context.tell(&folder.diagnostics);
    context.print(&facts(&folder, context), Exit::of(&folder.diagnostics, false))
}

/// The sections of the language page about functions and aggregates.
fn functions() -> String {
    sections(LANGUAGE, &["Functions", "Aggregates"]).trim_end().to_owned() + "\n"
}

fn codes(context: &Context) -> String {
    let mut text = context
        .pick(
            "# 诊断码\n\n| 编号 | 名称 | 轻重 | 由谁改 |\n|---|---|---|---|\n",
            "# Diagnostic codes\n\n| number | name | severity | mended by |\n|---|---|---|---|\n",
        )
        .to_owned();
    for code in CODES {
        let severity = match code.severity {
            Severity::Error => context.pick("错误", "error"),
            Severity::Warning => context.pick("警告", "warning"),
            Severity::Note => context.pick("提示", "note"),
        };
        let fault = match code.fault {
            Fault::Policy => context.pick("政策作者", "the policy's author"),
            Fault::Data => context.pick("登记库单位", "the register's keeper"),
            Fault::Deployment => context.pick("运行的人", "whoever runs the program"),
            Fault::Ours => context.pick("本项目", "this project"),
        };
        let _ = writeln!(text, "| {} | `{}` | {severity} | {fault} |", code.number, code.name);
    }
    for code in CODES {
        // The page of a code is a part of this page.
        let page: Vec<String> =
            code.page.trim_end().lines().map(|line| if line.starts_with('#') { format!("#{line}") } else { line.to_owned() }).collect();
        let _ = write!(text, "\n{}\n", page.join("\n"));
    }
    text
}

fn facts(folder: &PolicyFolder, context: &Context) -> String {
    let mut text = context.pick("# 事实目录\n", "# Facts\n").to_owned();
    for kind in SubjectKind::ALL {
        let declared = folder.registers.registers.values().flat_map(|register| &register.facts).chain(&folder.registers.computed);
        let mut declared: Vec<&FactDeclaration> = declared.filter(|fact| fact.subject == kind).collect();
        declared.sort_by(|one, other| one.name.cmp(&other.name));
        let heading = match kind {
            SubjectKind::Person => context.pick("个人", "Persons"),
            SubjectKind::Household => context.pick("家庭", "Households"),
            SubjectKind::Entity => context.pick("企业和其他组织", "Entities"),
        };
        let head = context.pick("| 名称 | 标签 | 类型 | 单位 | 登记库 | 含义 |", "| name | label | type | unit | registers | meaning |");
        let _ = write!(text, "\n## {heading}\n\n{head}\n|---|---|---|---|---|---|\n");
        for fact in declared {
            text.push_str(&row(fact, folder, context));
        }
    }
    text
}

fn row(fact: &FactDeclaration, folder: &PolicyFolder, context: &Context) -> String {
    let catalogue = &folder.checked.catalogue;
    let found = catalogue.find(fact.subject, &fact.name);
    let (zh, en) = found.map_or(("", ""), |id| catalogue.fact(id).ty.words());
    let registers = found.map(|id| catalogue.registers_of(id)).unwrap_or_default().join(", ");
    let filter = fact.filter.as_ref().map(|filter| format!(" where {}", print(&filter.expr))).unwrap_or_default();
    let meaning = format!("{}{filter}", print(&fact.is.expr)).replace('|', "\\|");
    let (label, unit) = (context.say(&fact.label).replace('|', "\\|"), fact.unit.as_deref().unwrap_or_default());
    format!("| `{}` | {label} | {} | {unit} | {registers} | `{meaning}` |\n", fact.name, context.pick(zh, en))
}
