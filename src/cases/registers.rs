//! Cases about whole small registers: their rows go through the same dossiers as those of a city.
//!
//! A register that a case does not name is not there, and its facts are unknown; one with an empty list is there and has no
//! rows. Identifiers may be any word (`甲`): a valid one is put in its place.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;

use super::book::Laws;
use super::facts::{Lookup, ResolvedCase};
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::Value;
use crate::diagnostic::progress::{Cancel, Silent};
use crate::diagnostic::{Diagnostic, Span, code};
use crate::dossier::build::{Request, base_register, build};
use crate::dossier::{DossierError, Dossiers, Options};
use crate::eligibility::compiled::{CompiledKind, CompiledPolicy, compile};
use crate::eligibility::evaluate::RowReader;
use crate::policy::document::{Case, CaseRegisters};
use crate::register::Sources;
use crate::register::declaration::{ColumnType, RegisterDeclaration, Registers, SubjectKind};
use crate::register::identifier::{check_entity_id, check_person_id};
use crate::register::sources::{RegisterSource, SourceFormat};
use crate::yaml::Node;

/// One row that an occasion may come from: values by place in the policy's joined schema, and what names the occasion.
#[derive(Debug, Clone, PartialEq)]
pub struct OccasionRow {
    /// The occasion, as the case names it.
    pub id: String,
    /// Columns of the register, then facts.
    pub values: BTreeMap<usize, Value>,
}

/// Valid identifiers in the place of words.
#[derive(Default)]
struct Names {
    of_word: BTreeMap<(bool, String), String>,
    words: BTreeMap<String, String>,
}

/// The facts of the subject of a case, by dossiers made of its registers.
///
/// # Errors
///
/// What is wrong with the registers or the subject, each at its place.
pub fn resolve(lookup: &mut Lookup<'_>, laws: &Laws, code: &str, kind: SubjectKind, case: Case) -> (ResolvedCase, Vec<Diagnostic>) {
    let mut resolved = ResolvedCase { case, given: BTreeMap::new(), order: Vec::new(), rows: None, complete: false };
    let Some(registers) = resolved.case.registers.clone() else { return (resolved, Vec::new()) };
    let place = resolved.case.place.clone();
    match facts_of(lookup, laws, code, kind, &resolved.case, &registers) {
        Ok((given, rows)) => {
            (resolved.given, resolved.rows, resolved.complete) = (given, rows, true);
            (resolved, Vec::new())
        }
        Err(mut told) => {
            told.iter_mut().filter(|told| told.primary.is_none()).for_each(|told| told.primary = Some(place.clone()));
            (resolved, told)
        }
    }
}

type Facts = (BTreeMap<FactId, Option<Value>>, Option<Vec<OccasionRow>>);

fn facts_of(
    lookup: &mut Lookup<'_>,
    laws: &Laws,
    code: &str,
    kind: SubjectKind,
    case: &Case,
    registers: &CaseRegisters,
) -> Result<Facts, Vec<Diagnostic>> {
    let one = |diagnostic: Diagnostic| vec![diagnostic];
    let Some((subject, subject_place)) = &case.subject else {
        let missing = Diagnostic::new(&crate::diagnostic::code::MISSING_KEY, "缺少“subject”", "`subject` is missing");
        return Err(one(missing.at(registers.place.clone()).help("写明判定谁: subject: 甲", "say who is judged: `subject: 甲`")));
    };
    let mut names = Names::default();
    let folder = tempfile::tempdir().map_err(|error| one(DossierError::scratch(&std::env::temp_dir(), &error).into_diagnostic()))?;
    let sources = write(folder.path(), case, registers, &lookup.catalogue.registers, &mut names)?;
    let binder = Binder::new(case.as_of, None, lookup.parameters, lookup.regions, laws);
    let policies: Vec<CheckedPolicy> = laws.values().cloned().collect();
    let compiled = compile(kind, &policies, lookup.catalogue, &binder, false).map_err(|told| one(*told))?;
    let policy = compiled.policies.iter().find(|compiled| policies[compiled.index as usize].document.code == code);
    let wanted = names.identifier(kind, subject);
    let read = read(lookup.catalogue, &binder, &compiled, policy, &sources, folder.path(), &wanted);
    let (values, rows) = read.map_err(|error| one(error.into_diagnostic()))?;
    let Some(values) = values else {
        let register = base_register(kind);
        let nobody = Diagnostic::new(
            &crate::diagnostic::code::BAD_ARGUMENT,
            format!("{register} 里没有“{subject}”"),
            format!("`{subject}` is not in {register}"),
        );
        return Err(one(nobody.at(subject_place.clone())));
    };
    let rows = rows.map(|rows| {
        let mut rows: Vec<OccasionRow> = rows.into_iter().map(|row| OccasionRow { id: names.word(&row.id), ..row }).collect();
        rows.sort_by(|one, other| one.id.cmp(&other.id));
        rows
    });
    Ok((values, rows))
}

/// The subject's facts, none where nobody has the identifier; and the rows of the policy's occasions, if it has such.
type Read = (Option<BTreeMap<FactId, Option<Value>>>, Option<Vec<OccasionRow>>);

fn read(
    catalogue: &mut Catalogue,
    binder: &Binder<'_>,
    compiled: &CompiledKind,
    policy: Option<&CompiledPolicy>,
    sources: &Sources,
    scratch: &Path,
    subject: &str,
) -> Result<Read, DossierError> {
    // A register without rows is what the author meant.
    let mut lenient = catalogue.clone();
    lenient.registers = Arc::new(may_be_empty(&catalogue.registers));
    let allow_missing: BTreeSet<String> =
        catalogue.registers.registers.keys().filter(|name| sources.get(name).is_none()).cloned().collect();
    let each = policy.and_then(|policy| policy.each.as_ref());
    let request = Request {
        catalogue: &mut lenient,
        binder,
        facts: compiled.facts.clone(),
        kinds: vec![compiled.kind],
        each: each.iter().map(|each| each.request.clone()).collect(),
        sources,
        allow_missing: &allow_missing,
        options: Options::new(1, scratch.to_owned()),
        progress: Arc::new(Silent),
        cancel: Cancel::default(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
    let runtime = runtime.map_err(|error| DossierError::scratch(scratch, &error))?;
    runtime.block_on(async {
        let dossiers = build(request).await?;
        let facts = subject_row(&dossiers, compiled, subject).await?;
        let rows = match each {
            Some(_) => Some(occasion_rows(&dossiers, policy, subject).await?),
            None => None,
        };
        Ok((facts, rows))
    })
}

fn may_be_empty(registers: &Registers) -> Registers {
    let mut registers = registers.clone();
    registers.registers.values_mut().for_each(|register| register.may_be_empty = true);
    registers
}

async fn subject_row(
    dossiers: &Dossiers,
    compiled: &CompiledKind,
    subject: &str,
) -> Result<Option<BTreeMap<FactId, Option<Value>>>, DossierError> {
    let wanted = dossiers.intake.identities.today(subject).unwrap_or(subject);
    let facts: Vec<usize> = compiled.facts.iter().map(|id| id.index).collect();
    for mut stream in dossiers.stream(compiled.kind)? {
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let ids = arrow::array::AsArray::as_string::<i32>(batch.column(0));
            let Some(row) = ids.iter().position(|id| id == Some(wanted)) else { continue };
            let reader = RowReader::new(&compiled.schema, &facts, &batch)?;
            // What is unknown is left out, so that computed facts are computed.
            let known = facts.iter().filter_map(|&index| Some((FactId { kind: compiled.kind, index }, Some(reader.value(index, row)?))));
            return Ok(Some(known.collect()));
        }
    }
    Ok(None)
}

async fn occasion_rows(dossiers: &Dossiers, policy: Option<&CompiledPolicy>, subject: &str) -> Result<Vec<OccasionRow>, DossierError> {
    let Some(each) = policy.and_then(|policy| policy.each.as_ref()) else { return Ok(Vec::new()) };
    let wanted = dossiers.intake.identities.today(subject).unwrap_or(subject);
    let all: Vec<usize> = (0..each.schema.columns.len()).collect();
    let mut rows = Vec::new();
    for mut stream in dossiers.rows(0, [wanted])? {
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let reader = RowReader::new(&each.schema, &all, &batch)?;
            let own = each.schema.index_of(&each.id);
            for row in 0..batch.num_rows() {
                let values: BTreeMap<usize, Value> = all.iter().filter_map(|&index| Some((index, reader.value(index, row)?))).collect();
                let Some(Value::Text(id)) = own.and_then(|own| values.get(&own)) else { continue };
                rows.push(OccasionRow { id: id.to_string(), values });
            }
        }
    }
    Ok(rows)
}

/// Writes the registers of a case as files.
fn write(
    folder: &Path,
    case: &Case,
    registers: &CaseRegisters,
    declared: &Registers,
    names: &mut Names,
) -> Result<Sources, Vec<Diagnostic>> {
    let mut told = Vec::new();
    let mut sources = Sources::default();
    for (name, place, rows) in &registers.registers {
        let Some(declaration) = declared.registers.get(name) else {
            let (zh, en) = (format!("没有登记库“{name}”"), format!("unknown register `{name}`"));
            let known = declared.registers.keys().map(String::as_str);
            told.push(Diagnostic::new(&code::UNKNOWN_REGISTER, zh, en).at(place.clone()).did_you_mean(name, known));
            continue;
        };
        for (column, value) in rows.iter().flatten().filter(|(column, _)| declaration.column(column).is_none()) {
            let (zh, en) = (format!("{name} 没有“{column}”这一列"), format!("{name} has no column `{column}`"));
            let known = declaration.columns.iter().map(|column| column.name.as_str());
            told.push(Diagnostic::new(&code::UNKNOWN_FACT, zh, en).at(key_place(column, value)).did_you_mean(column, known));
        }
        let path = folder.join(format!("{name}.csv"));
        if let Err(error) = write_rows(&path, declaration, rows, names) {
            told.push(Diagnostic::new(&code::OUTPUT_FAILED, format!("写不了登记库: {error}"), format!("cannot write a register: {error}")));
        }
        sources.sources.insert(name.clone(), RegisterSource::new(name, &path, SourceFormat::Csv, case.as_of));
    }
    if told.is_empty() { Ok(sources) } else { Err(told) }
}

fn key_place(column: &str, value: &Node) -> Span {
    let before = value.file.text.get(..value.range.start).unwrap_or_default();
    before.rfind(column).map_or_else(|| value.span(), |start| Span::new(&value.file, start..start + column.len()))
}

fn write_rows(path: &Path, declaration: &RegisterDeclaration, rows: &[Vec<(String, Node)>], names: &mut Names) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(declaration.columns.iter().map(|column| &column.name))?;
    for row in rows {
        let cells = declaration.columns.iter().map(|column| {
            let value = row.iter().find(|(name, _)| *name == column.name).map(|(_, value)| value);
            let text = value.filter(|value| !value.is_null()).and_then(Node::text).unwrap_or_default();
            match column.column_type {
                _ if text.is_empty() => String::new(),
                ColumnType::PersonId => names.identifier(SubjectKind::Person, text),
                ColumnType::EntityId => names.identifier(SubjectKind::Entity, text),
                _ => text.to_owned(),
            }
        });
        writer.write_record(cells)?;
    }
    writer.flush()?;
    Ok(())
}

impl Names {
    /// The identifier itself, or a valid one in the place of a word.
    fn identifier(&mut self, kind: SubjectKind, word: &str) -> String {
        let is_valid = match kind {
            SubjectKind::Household => true,
            SubjectKind::Person => check_person_id(word.as_bytes()).is_ok(),
            SubjectKind::Entity => check_entity_id(word.as_bytes()).is_ok(),
        };
        if is_valid {
            return word.to_owned();
        }
        let count = self.of_word.len() + 1;
        let of_person = kind == SubjectKind::Person;
        let made =
            self.of_word.entry((of_person, word.to_owned())).or_insert_with(|| if of_person { person(count) } else { entity(count) });
        self.words.insert(made.clone(), word.to_owned());
        made.clone()
    }

    /// The word that an identifier stands for, or the identifier.
    fn word(&self, identifier: &str) -> String {
        self.words.get(identifier).cloned().unwrap_or_else(|| identifier.to_owned())
    }
}

/// A valid number of GB 11643 for the n-th person: the last character is the one that checks.
fn person(count: usize) -> String {
    let stem = format!("99010119000101{count:03}");
    let numbers = "0123456789X".chars().map(|last| format!("{stem}{last}"));
    numbers.into_iter().find(|number| check_person_id(number.as_bytes()).is_ok()).unwrap_or(stem)
}

/// A valid code of GB 32100 for the n-th entity: both check characters are the ones that check.
fn entity(count: usize) -> String {
    const SIGNS: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let codes = SIGNS.chars().flat_map(|inner| SIGNS.chars().map(move |last| format!("91990101{count:08}{inner}{last}")));
    codes.into_iter().find(|code| check_entity_id(code.as_bytes()).is_ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    //! Identifiers in the place of words.

    use super::*;

    #[test]
    fn words_become_valid_identifiers_and_words_again() {
        let mut names = Names::default();
        let first = names.identifier(SubjectKind::Person, "甲");
        let second = names.identifier(SubjectKind::Person, "乙");
        let entity = names.identifier(SubjectKind::Entity, "甲");
        assert!(check_person_id(first.as_bytes()).is_ok() && check_person_id(second.as_bytes()).is_ok());
        assert!(check_entity_id(entity.as_bytes()).is_ok());
        assert_ne!(first, second);
        assert_eq!(names.identifier(SubjectKind::Person, "甲"), first);
        assert_eq!((names.word(&first), names.word(&entity), names.word("x")), ("甲".to_owned(), "甲".to_owned(), "x".to_owned()));
        assert_eq!(names.identifier(SubjectKind::Household, "甲家"), "甲家");
    }
}
