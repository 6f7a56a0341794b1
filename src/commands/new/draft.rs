//! From answers to a draft: what is lacking, what cannot be, what follows from what is there already.

use std::path::{Path, PathBuf};

use super::ask::is_optional_question;
use super::field::Field;
use super::form::Answer;
use crate::commands::folder::PolicyFolder;
use crate::diagnostic::{Diagnostic, Message, code};
use crate::policy::{ENTITIES, LIST, PERSONS};
use crate::region::COUNTRY;
use crate::register::declaration::SubjectKind;
use crate::yaml::parse_date;

/// What is known when answers are looked at: the folder that the policy will stand in.
pub(super) struct Known<'a> {
    pub(super) folder: &'a PolicyFolder,
}

/// A condition with its clause.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    pub(super) clause: Option<String>,
    pub(super) when: String,
}

/// A policy before it is written.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) code: String,
    pub(super) name: Message,
    pub(super) authority: (String, String),
    pub(super) region: String,
    pub(super) by: Option<String>,
    pub(super) subject: SubjectKind,
    pub(super) in_force: String,
    pub(super) basis_title: String,
    pub(super) basis_number: Option<String>,
    pub(super) basis_article: Option<String>,
    pub(super) basis_status: String,
    pub(super) listed: Option<String>,
    pub(super) clauses: Vec<String>,
    pub(super) conditions: Vec<Condition>,
    pub(super) kind: String,
    pub(super) amount: Option<String>,
    pub(super) amount_clause: Option<String>,
    pub(super) period: Option<String>,
    pub(super) mode: String,
    /// The folder that it will stand in.
    pub(super) dir: PathBuf,
}

/// What somebody said of a field, last word last.
pub(super) fn said(answers: &[Answer], field: Field) -> Option<&Answer> {
    answers.iter().rev().find(|answer| answer.field == field)
}

fn all(answers: &[Answer], field: Field) -> Vec<&Answer> {
    answers.iter().filter(|answer| answer.field == field).collect()
}

/// The word of policy files for an answer.
pub(super) fn word(field: Field, text: &str) -> &str {
    field.choices().iter().find(|(known, _)| known.eq_ignore_ascii_case(text)).map_or(text, |(_, word)| word)
}

impl Known<'_> {
    /// The name of an authority that another policy has.
    fn authority_name(&self, code: &str) -> Option<&str> {
        let policies = self.folder.set.policies.iter();
        policies.filter(|policy| policy.authority_code == code).map(|policy| policy.authority_name.as_str()).next()
    }

    /// Whether a policy cannot be drafted without the field.
    pub(super) fn is_required(&self, field: Field, answers: &[Answer]) -> bool {
        let is_service = said(answers, Field::Kind).is_some_and(|kind| word(Field::Kind, &kind.text) == "service");
        match field {
            Field::Name
            | Field::Authority
            | Field::Code
            | Field::Region
            | Field::Subject
            | Field::InForce
            | Field::BasisTitle
            | Field::Kind => true,
            Field::AuthorityName => said(answers, Field::Authority).is_none_or(|code| self.authority_name(&code.text).is_none()),
            Field::Amount | Field::Period => !is_service,
            _ => false,
        }
    }

    /// Whether somebody at a terminal is asked for the field.
    pub(super) fn is_asked(&self, field: Field, answers: &[Answer]) -> bool {
        let has_list = said(answers, Field::Listed).is_some();
        let has_clause = said(answers, Field::Clause).is_some();
        match field {
            Field::When => has_clause && !has_list,
            Field::AmountClause => said(answers, Field::Amount).is_some(),
            Field::Mode | Field::BasisStatus => true,
            Field::Slug => said(answers, Field::NameEn).is_none(),
            field => self.is_required(field, answers) || is_optional_question(field),
        }
    }

    /// The lists of the register of a subject's kind.
    fn lists(&self, subject: SubjectKind) -> Vec<&str> {
        let register = if subject == SubjectKind::Entity { ENTITIES } else { PERSONS };
        let column = self.folder.registers.registers.get(register).and_then(|register| register.column(LIST));
        column.map_or_else(Vec::new, |column| column.codes.keys().map(String::as_str).collect())
    }

    fn has_fact(&self, subject: SubjectKind, name: &str) -> bool {
        self.folder.checked.catalogue.find(subject, name).is_some()
    }
}

/// What is offered as an answer: the next free code of the authority, and what most policies have.
pub(super) fn suggestion(field: Field, answers: &[Answer], known: &Known<'_>) -> Option<String> {
    match field {
        Field::Code => next_code(&said(answers, Field::Authority)?.text, known),
        Field::Mode => Some(usual_mode(answers).to_owned()),
        Field::BasisStatus => Some("memory".to_owned()),
        Field::Period => Some("once".to_owned()),
        Field::Slug => said(answers, Field::Code).map(|code| slug(&code.text)),
        _ => None,
    }
}

/// The number behind the last one of an authority.
pub(super) fn next_code(authority: &str, known: &Known<'_>) -> Option<String> {
    let codes = known.folder.set.policies.iter().map(|policy| &policy.code).chain(&known.folder.set.unread);
    let numbers = codes.filter_map(|code| code.strip_prefix(authority)?.strip_prefix('-')?.parse::<u32>().ok());
    (!authority.is_empty()).then(|| format!("{authority}-{:04}", numbers.max().unwrap_or(0) + 1))
}

/// Whoever has written no condition yet gives nothing to anybody without an official.
fn usual_mode(answers: &[Answer]) -> &'static str {
    let is_open = said(answers, Field::When).is_none() && said(answers, Field::Listed).is_none();
    if is_open { "review" } else { "confirm" }
}

/// What is wrong with one answer; none where it can be.
pub(super) fn fault(answer: &Answer, known: &Known<'_>) -> Option<Diagnostic> {
    let (field, text) = (answer.field, answer.text.as_str());
    let folder = known.folder;
    let fault = |zh: String, en: String| Diagnostic::new(&code::BAD_ARGUMENT, zh, en);
    let told = match field {
        Field::Code if folder.set.unread.iter().any(|code| code == text) => {
            Some(fault(format!("编码 {text} 已经用过"), format!("the code {text} is used already")))
        }
        Field::Code => folder.set.policies.iter().find(|policy| policy.code == text).map(|policy| {
            let next = next_code(&policy.authority_code, known).unwrap_or_default();
            fault(format!("编码 {text} 已经用过"), format!("the code {text} is used already"))
                .also(policy.place.clone(), "已用在这里", "already used here")
                .help(format!("一事一码; 下一个可用的是 {next}"), format!("one item, one code; the next free one is {next}"))
        }),
        Field::Region if !folder.regions.is_known(text) => Some(
            fault(format!("区划树里没有“{text}”"), format!("region `{text}` is not in the tree"))
                .did_you_mean(text, folder.regions.all_codes())
                .help("区划代码见 policies/regions.yaml", "region codes are in policies/regions.yaml"),
        ),
        Field::InForce if parse_date(text).is_none() => {
            Some(fault(format!("“{text}”不是日期"), format!("`{text}` is no date")).help("如 2026-01-01", "such as 2026-01-01"))
        }
        Field::Slug if text != slug(text) || text.is_empty() => Some(
            fault(format!("文件夹名不能是“{text}”"), format!("a folder cannot be called `{text}`"))
                .help("小写字母、数字和连字符", "small letters, digits and hyphens"),
        ),
        field if !field.choices().is_empty() && !field.choices().iter().any(|(word, _)| word.eq_ignore_ascii_case(text)) => {
            let words = field.choices().iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
            let head = field.asked().heads[0];
            Some(
                fault(format!("“{head}”不能是“{text}”"), format!("{} cannot be `{text}`", field.flag()))
                    .did_you_mean(text, field.choices().iter().map(|(word, _)| *word))
                    .help(format!("可用的词: {words}"), format!("one of: {words}")),
            )
        }
        _ => None,
    }?;
    Some(match &answer.place {
        Some(place) => told.at(place.clone()),
        None => told,
    })
}

/// The draft that answers make, or everything that is lacking or cannot be.
pub(super) fn draft(answers: &[Answer], known: &Known<'_>) -> Result<Draft, Vec<Diagnostic>> {
    let mut told: Vec<Diagnostic> = answers.iter().filter_map(|answer| fault(answer, known)).collect();
    let lacking: Vec<Field> = super::field::FIELDS
        .iter()
        .map(|asked| asked.field)
        .filter(|field| known.is_required(*field, answers) && said(answers, *field).is_none_or(|answer| answer.text.is_empty()))
        .collect();
    if !lacking.is_empty() {
        told.push(lacks(&lacking));
    }
    if !told.is_empty() {
        return Err(told);
    }
    let text = |field: Field| said(answers, field).map(|answer| answer.text.clone()).filter(|text| !text.is_empty());
    let chosen = |field: Field| text(field).map(|text| word(field, &text).to_owned());
    let required = |field: Field| text(field).unwrap_or_default();
    let subject = match chosen(Field::Subject).as_deref() {
        Some("entity") => SubjectKind::Entity,
        Some("household") => SubjectKind::Household,
        _ => SubjectKind::Person,
    };
    let authority = required(Field::Authority);
    let authority_name = text(Field::AuthorityName).or_else(|| known.authority_name(&authority).map(str::to_owned)).unwrap_or_default();
    let (code, name) = (required(Field::Code), required(Field::Name));
    let english = text(Field::NameEn);
    let region = required(Field::Region);
    let folder_name = text(Field::Slug).unwrap_or_else(|| {
        let from_name = english.as_deref().map(slug).filter(|slug| slug.contains(|letter: char| letter.is_ascii_lowercase()));
        from_name.unwrap_or_else(|| slug(&code))
    });
    let dir = place(&known.folder.dir, &region).join(folder_name);
    if let Some(fault) = occupied(&dir).or_else(|| unknown_list(answers, subject, known)) {
        return Err(vec![fault]);
    }
    let clauses: Vec<String> = all(answers, Field::Clause).into_iter().map(|answer| answer.text.clone()).collect();
    let whens = all(answers, Field::When);
    let listed = text(Field::Listed);
    // Beside a list, the first clauses are those of the list.
    let own = if listed.is_some() { clauses.len().saturating_sub(whens.len()) } else { 0 };
    let mut conditions: Vec<Condition> =
        whens.iter().enumerate().map(|(at, when)| Condition { clause: clauses.get(own + at).cloned(), when: when.text.clone() }).collect();
    if conditions.is_empty() && listed.is_none() {
        conditions.push(standing(subject, clauses.first().cloned(), known)?);
    }
    let is_service = chosen(Field::Kind).as_deref() == Some("service");
    Ok(Draft {
        name: Message::new(&name, english.as_ref().unwrap_or(&name)),
        authority: (authority, authority_name),
        by: text(Field::By).or_else(|| Some(usual_by(subject)).filter(|fact| known.has_fact(subject, fact)).map(str::to_owned)),
        subject,
        in_force: required(Field::InForce),
        basis_title: required(Field::BasisTitle),
        basis_number: text(Field::BasisNumber),
        basis_article: text(Field::BasisArticle),
        basis_status: chosen(Field::BasisStatus).unwrap_or_else(|| "memory".to_owned()),
        clauses: clauses.into_iter().take(if listed.is_some() { own } else { 0 }).collect(),
        listed,
        conditions,
        kind: chosen(Field::Kind).unwrap_or_default(),
        amount: text(Field::Amount).filter(|_| !is_service || said(answers, Field::Amount).is_some()),
        amount_clause: text(Field::AmountClause),
        period: chosen(Field::Period),
        mode: chosen(Field::Mode).unwrap_or_else(|| usual_mode(answers).to_owned()),
        dir,
        code,
        region,
    })
}

fn lacks(lacking: &[Field]) -> Diagnostic {
    let (zh, en): (Vec<String>, Vec<String>) = lacking.iter().map(|field| field.words()).map(|words| (words.zh, words.en)).unzip();
    Diagnostic::new(&code::BAD_ARGUMENT, format!("还缺: {}", zh.join("、")), format!("lacking: {}", en.join(", "))).help(
        "写成参数, 或者用 --from 给出填好的表单; 在终端里直接运行, 会逐项询问",
        "give them as flags, or a filled-in form with --from; on a terminal each is asked for",
    )
}

/// The condition to begin with: whoever is not there any more is not given anything.
fn standing(subject: SubjectKind, clause: Option<String>, known: &Known<'_>) -> Result<Condition, Vec<Diagnostic>> {
    let (fact, when) = match subject {
        SubjectKind::Person => ("deceased", "not deceased"),
        SubjectKind::Entity => ("deregistered", "not deregistered"),
        SubjectKind::Household => ("household_size", "household_size >= 1"),
    };
    if known.has_fact(subject, fact) {
        return Ok(Condition { clause, when: when.to_owned() });
    }
    Err(vec![lacks(&[Field::When])])
}

/// The fact by which most policies about a subject cover a region.
fn usual_by(subject: SubjectKind) -> &'static str {
    if subject == SubjectKind::Entity { "registered_region" } else { "hukou_region" }
}

fn unknown_list(answers: &[Answer], subject: SubjectKind, known: &Known<'_>) -> Option<Diagnostic> {
    let answer = said(answers, Field::Listed).filter(|answer| !answer.text.is_empty())?;
    let (list, lists) = (answer.text.as_str(), known.lists(subject));
    if lists.contains(&list) {
        return None;
    }
    let names = lists.join(", ");
    let told = Diagnostic::new(&code::BAD_ARGUMENT, format!("登记库没有名单“{list}”"), format!("no register has a list `{list}`"))
        .did_you_mean(list, lists)
        .help(format!("可用的名单: {names}"), format!("lists: {names}"));
    Some(match &answer.place {
        Some(place) => told.at(place.clone()),
        None => told,
    })
}

/// Where policies of a region stand.
fn place(policies: &Path, region: &str) -> PathBuf {
    let national = policies.join("national");
    if region == COUNTRY && national.is_dir() { national } else { policies.join(region) }
}

fn occupied(dir: &Path) -> Option<Diagnostic> {
    let at = dir.display();
    dir.exists().then(|| {
        Diagnostic::new(&code::BAD_ARGUMENT, format!("{at} 已经有了"), format!("{at} is there already"))
            .help("用 --slug 另取文件夹名", "choose another name of the folder with --slug")
    })
}

/// A text as the name of a folder: small letters, digits, hyphens.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter.to_ascii_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() && letter != '\'' && letter != '’' {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}
