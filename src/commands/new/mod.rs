//! `mianshen new`: a first draft of a policy, with cases on its boundaries that run.

mod ask;
mod draft;
mod field;
mod form;
mod scaffold;

use std::fmt::Write as _;
use std::fs;
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::PolicyFolder;
use super::{Context, Exit, cases, check as checking};
use crate::cases::suggest::{draft as suggested_cases, suggest};
use crate::cases::{Book, coverage, outcome};
use crate::check;
use crate::diagnostic::{self, Diagnostic, Format, Lang, SourceFile, code, has_errors};
use crate::policy;
use crate::policy::document::PolicyDocument;
use crate::yaml;
use draft::{Draft, Known, draft};
use field::Field;
use form::Answer;

/// What the new policy is. What is lacking is asked for on a terminal.
#[derive(Debug, Default, clap::Args)]
pub struct Args {
    /// 填好的表单: YAML, 或者“项目、内容”两列的 CSV、XLSX / A filled-in form: YAML, or CSV or XLSX with item and content
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 编码, 一事一码 / Code: one item, one code
    #[arg(long)]
    pub code: Option<String>,
    /// 中文名称 / Name in Chinese
    #[arg(long)]
    pub name: Option<String>,
    /// 英文名称 / Name in English
    #[arg(long)]
    pub name_en: Option<String>,
    /// 机关编码 / Code of the authority
    #[arg(long, value_name = "CODE")]
    pub authority: Option<String>,
    /// 机关名称; 已有政策的机关可不写 / Name of the authority; not needed where it has policies already
    #[arg(long, value_name = "NAME")]
    pub authority_name: Option<String>,
    /// 适用地区的区划代码 / Code of the region
    #[arg(long, value_name = "CODE")]
    pub region: Option<String>,
    /// 决定是否属于该地区的事实; 缺省按户籍地或登记地 / The fact that decides coverage; by default household or company registration
    #[arg(long, value_name = "FACT")]
    pub by: Option<String>,
    /// 服务对象: person、household、entity (个人、家庭、单位) / person, household or entity
    #[arg(long)]
    pub subject: Option<String>,
    /// 施行日 / First day in force
    #[arg(long, value_name = "DATE")]
    pub in_force: Option<String>,
    /// 依据文件的名称 / Title of the document that it rests on
    #[arg(long, value_name = "TITLE")]
    pub basis_title: Option<String>,
    /// 文号 / Number of the document
    #[arg(long, value_name = "NUMBER")]
    pub basis_number: Option<String>,
    /// 条款号 / Article
    #[arg(long, value_name = "ARTICLE")]
    pub basis_article: Option<String>,
    /// 依据状态: text、memory、sample; 缺省 memory / text, memory or sample; memory by default
    #[arg(long, value_name = "STATUS")]
    pub basis_status: Option<String>,
    /// 认定名单的代码 (认定类) / Code of the authority's list that decides
    #[arg(long, value_name = "LIST")]
    pub listed: Option<String>,
    /// 条件的条文原话; 可写几次, 与 --when 依次对应 / The words of a condition; may be given several times, in the order of --when
    #[arg(long, value_name = "TEXT")]
    pub clause: Vec<String>,
    /// 条件 / A condition
    #[arg(long, value_name = "EXPR")]
    pub when: Vec<String>,
    /// 待遇种类: cash、refund、waiver、service、insurance、tax / Kind of benefit
    #[arg(long)]
    pub kind: Option<String>,
    /// 金额, 一个数或表达式 / Amount: a number or an expression
    #[arg(long, value_name = "EXPR")]
    pub amount: Option<String>,
    /// 金额的条文原话 / The words of the document for the amount
    #[arg(long, value_name = "TEXT")]
    pub amount_clause: Option<String>,
    /// 发放周期: once、month、year、day / Period
    #[arg(long)]
    pub period: Option<String>,
    /// 送达方式: automatic、confirm、commit、review / Delivery mode
    #[arg(long)]
    pub mode: Option<String>,
    /// 文件夹名; 缺省取自英文名称或编码 / Name of the folder; from the English name or the code by default
    #[arg(long, value_name = "NAME")]
    pub slug: Option<String>,
}

impl Args {
    /// What the flags say.
    fn answers(&self) -> Vec<Answer> {
        let one = [
            (Field::Code, &self.code),
            (Field::Name, &self.name),
            (Field::NameEn, &self.name_en),
            (Field::Authority, &self.authority),
            (Field::AuthorityName, &self.authority_name),
            (Field::Region, &self.region),
            (Field::By, &self.by),
            (Field::Subject, &self.subject),
            (Field::InForce, &self.in_force),
            (Field::BasisTitle, &self.basis_title),
            (Field::BasisNumber, &self.basis_number),
            (Field::BasisArticle, &self.basis_article),
            (Field::BasisStatus, &self.basis_status),
            (Field::Listed, &self.listed),
            (Field::Kind, &self.kind),
            (Field::Amount, &self.amount),
            (Field::AmountClause, &self.amount_clause),
            (Field::Period, &self.period),
            (Field::Mode, &self.mode),
            (Field::Slug, &self.slug),
        ];
        let one = one.into_iter().filter_map(|(field, text)| Some((field, text.clone()?)));
        let several = [(Field::Clause, &self.clause), (Field::When, &self.when)];
        let several = several.into_iter().flat_map(|(field, texts)| texts.iter().map(move |text| (field, text.clone())));
        one.chain(several).map(|(field, text)| Answer { field, text: text.trim().to_owned(), place: None }).collect()
    }
}

/// Drafts a policy, and says what to do next.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let mut folder = PolicyFolder::load(&args.policies);
    if Exit::of(&folder.diagnostics, false) == Exit::Failed {
        return context.fail(&folder.diagnostics);
    }
    let flags = args.answers();
    let (mut answers, told) = args.from.as_ref().map_or_else(Default::default, |path| form::read(path));
    if !told.is_empty() {
        context.tell(&told);
        return Exit::Failed;
    }
    // Flags are over the form.
    answers.retain(|answer| !flags.iter().any(|flag| flag.field == answer.field));
    answers.extend(flags);
    answers.retain(|answer| !answer.text.is_empty());
    let known = Known { folder: &folder };
    if io::stdin().is_terminal() && draft(&answers, &known).is_err() {
        let asked = ask::ask(&mut answers, &known, context.lang, &mut io::stdin().lock(), &mut io::stderr().lock());
        if let Err(error) = asked {
            let (zh, en) = (format!("读不了回答: {error}"), format!("cannot read the answers: {error}"));
            return context.fail(&[Diagnostic::new(&code::BAD_ARGUMENT, zh, en)]);
        }
    }
    let draft = match draft(&answers, &known) {
        Ok(draft) => draft,
        Err(told) => return context.fail(&told),
    };
    match files(&draft, &mut folder) {
        Ok(files) => finish(&draft, &files, args, context),
        Err(told) => context.fail(&told),
    }
}

/// The two files of a policy.
struct Files {
    policy: String,
    cases: String,
    /// How many cases.
    count: usize,
}

/// The texts of the policy and of its cases; what is wrong with what was asked for, where it does not make a policy.
fn files(draft: &Draft, folder: &mut PolicyFolder) -> Result<Files, Vec<Diagnostic>> {
    let path = draft.dir.join("policy.yaml");
    let file = scaffold::policy_file(draft, &path)?;
    let (document, mut told) = parsed(&file);
    if let Some(document) = &document {
        folder.set.policies.push(Arc::clone(document));
        let set = &mut folder.set.policies;
        set.sort_by(|one, other| (&one.code, one.version, &one.path).cmp(&(&other.code, other.version, &other.path)));
        let (checked, more) = check::check(Arc::clone(&folder.registers), set, &folder.set.parameters, &folder.regions);
        told.extend(more.into_iter().filter(|told| told.primary.as_ref().is_some_and(|place| place.path() == path)));
        folder.checked = checked;
    }
    if has_errors(&told) {
        return Err(told.into_iter().filter(|told| told.severity == diagnostic::Severity::Error).collect());
    }
    let document = document.ok_or_else(Vec::new)?;
    let cases = first_cases(folder, &document);
    let cases = policy::format(&SourceFile::new(path.with_file_name("cases.yaml"), cases), Lang::En)?.text;
    let count = cases.lines().filter(|line| line.starts_with("- name:")).count();
    Ok(Files { policy: file.text.clone(), cases, count })
}

fn parsed(file: &Arc<SourceFile>) -> (Option<Arc<PolicyDocument>>, Vec<Diagnostic>) {
    let (node, mut told) = yaml::parse(file);
    let Some(node) = node else { return (None, told) };
    let (document, more) = policy::read_policy(&node);
    told.extend(more);
    (document.map(Arc::new), told)
}

/// Cases for every boundary that can be reached from somebody made up, with today's answers, for the author to confirm.
fn first_cases(folder: &PolicyFolder, document: &PolicyDocument) -> String {
    let mut text = format!(
        "# {} {}\n# 起草时按政策现在的写法算出的边界案例: 请对照条款逐条确认, 给每条一个说得清的名称, 填写 because; 条件改了, 结果也要改。\n\
         # Cases on the boundaries, with what the draft says: check each against the clause, give it a sentence for a name, and say\n\
         # because; where a condition changes, so does what comes out.\n",
        document.code, document.name.zh
    );
    let book = Book::new(&folder.checked, &folder.set, &folder.regions);
    let policy = folder.checked.policies.iter().find(|policy| policy.document.code == document.code);
    let Some(policy) = policy else { return text };
    let measured = coverage::measure(&book, policy, &[]);
    let suggestions = suggest(&book, policy, &[], &measured);
    let drafted = suggested_cases(book.catalogue(), policy, &suggestions);
    match drafted.find("- name:") {
        Some(at) => text.push_str(&drafted[at..]),
        None => {
            let day = document.in_force_from;
            let _ = writeln!(
                text,
                "- name: \"待确认: 什么都不知道的\"\n  as_of: {day}\n  given: {{}}\n  expect: {{verdict: unknown}}\n  because:"
            );
        }
    }
    text
}

/// Writes the files, looks at them as `check` and `test` do, and says what to do next.
fn finish(draft: &Draft, files: &Files, args: &Args, context: &Context) -> Exit {
    if let Err(error) = write(&draft.dir, files) {
        let at = draft.dir.display();
        let fault = Diagnostic::new(&code::OUTPUT_FAILED, format!("写不了 {at}: {error}"), format!("cannot write {at}: {error}"));
        return context.fail(&[fault]);
    }
    let mut told = checking::told_of(&args.policies);
    let is_new = |place: &diagnostic::Span| place.path().starts_with(&draft.dir);
    told.retain(|told| told.primary.as_ref().is_some_and(is_new) || told.secondary.iter().any(|label| is_new(&label.span)));
    let failed = failing(&args.policies, draft);
    let mut text = String::new();
    let (policy, cases, count) = (draft.dir.join("policy.yaml"), draft.dir.join("cases.yaml"), files.count);
    let _ = writeln!(text, "{}", policy.display());
    let of_cases = context.pick(&format!("{count} 个案例"), &format!("{count} cases")).to_owned();
    let _ = writeln!(text, "{}  {of_cases}", cases.display());
    if failed > 0 {
        let (zh, en) = (format!("其中 {failed} 个现在不通过"), format!("{failed} of them fail as yet"));
        let _ = writeln!(text, "{}", context.pick(&zh, &en));
    }
    if !told.is_empty() {
        let head = context.pick("\nmianshen check 现在会提示:", "\nfor now, `mianshen check` tells:");
        let _ = writeln!(text, "{head}");
        text.push_str(&diagnostic::render(&told, Format::Concise, context.lang, false));
        if told.iter().any(|told| told.code == &code::CRITERION_WITHOUT_CLAUSE) {
            let (zh, en) = (
                "criterion-without-clause 是预期的: 写上 clause (条文原话) 即消。",
                "criterion-without-clause is expected: it goes once the `clause` is written.",
            );
            let _ = writeln!(text, "{}", context.pick(zh, en));
        }
    }
    text.push_str(&next_steps(draft, args, context));
    context.print(&text, if has_errors(&told) || failed > 0 { Exit::Findings } else { Exit::Clean })
}

fn next_steps(draft: &Draft, args: &Args, context: &Context) -> String {
    let (code, dir) = (&draft.code, draft.dir.display());
    let folder = if args.policies == Path::new("policies") { String::new() } else { format!(" --policies {}", args.policies.display()) };
    let mut steps: Vec<(String, String)> = Vec::new();
    if draft.listed.is_none() && draft.conditions.len() == 1 && args.when.is_empty() {
        steps.push((
            format!("把每一条文写成条件: {dir}/policy.yaml 的 criteria (docs/language.md); 现在的条件只排除已不在的"),
            format!("write each clause as a criterion in {dir}/policy.yaml (docs/language.md); the one that is there only leaves out who is no more"),
        ));
    }
    steps.push((
        format!("逐条确认 {dir}/cases.yaml: 名称、结果、because (docs/cases.md)"),
        format!("confirm each of {dir}/cases.yaml: name, outcome, because (docs/cases.md)"),
    ));
    steps.push(("写办事指南: guide (docs/guide.md)".to_owned(), "write what people are told under `guide` (docs/guide.md)".to_owned()));
    steps.push((format!("mianshen check{folder}"), format!("mianshen check{folder}")));
    let test = format!("mianshen test {code}{folder} --min-coverage 100 --min-mutation 90");
    steps.push((test.clone(), test));
    let mut text = context.pick("\n下一步:\n", "\nnext:\n").to_owned();
    for (at, (zh, en)) in steps.iter().enumerate() {
        let _ = writeln!(text, "  {}. {}", at + 1, context.pick(zh, en));
    }
    text
}

/// Puts the folder of the policy in its place in one step: both files are there, or neither.
fn write(dir: &Path, files: &Files) -> io::Result<()> {
    let parent = dir.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let aside = tempfile::Builder::new().prefix(".mianshen-new-").tempdir_in(parent)?;
    for (name, text) in [("policy.yaml", &files.policy), ("cases.yaml", &files.cases)] {
        let mut file = fs::File::create(aside.path().join(name))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    // A folder that came to be meanwhile stays as it is: a rename onto one that holds something fails.
    let made = aside.keep();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // Temporary folders are their owner's alone; a policy is everybody's to read, as its neighbours are.
        fs::set_permissions(&made, fs::Permissions::from_mode(fs::metadata(parent)?.permissions().mode() & 0o777))?;
    }
    fs::rename(&made, dir).inspect_err(|_| {
        let _ = fs::remove_dir_all(&made);
    })
}

/// How many cases of the new policy do not come out as they say, run as `test` runs them.
fn failing(policies: &Path, draft: &Draft) -> usize {
    let mut folder = PolicyFolder::load(policies);
    let Some(document) = folder.set.policies.iter().find(|policy| policy.code == draft.code).map(Arc::clone) else { return 0 };
    let (read, _) = policy::load_case_file(&draft.dir.join("cases.yaml"));
    let resolved: Vec<_> = read.cases.into_iter().map(|case| cases::resolve(&mut folder, &document, case).0).collect();
    let book = Book::new(&folder.checked, &folder.set, &folder.regions);
    resolved.iter().filter(|case| !outcome::run(&book, &document.code, case).passed()).count()
}

#[cfg(test)]
mod tests;
