//! Intake: each register read once, its rows checked, seen or not on the day, renumbered, and evaluated into feeds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, RecordBatch, StringArray, StringBuilder};
use arrow::compute::{and, filter_record_batch};
use arrow::datatypes::Date32Type;
use chrono::NaiveDate;

use super::build::{Request, doubt_table, writers};
use super::feed::{FeedPlan, Feeds, ShardWriter};
use super::identity::{Identities, IdentityLink};
use super::mapper::Mapper;
use super::{Cause, DossierError};
use crate::check::bind::days;
use crate::check::ir::{Expr, Schema, Ty};
use crate::diagnostic::{Diagnostic, Message, code};
use crate::register::declaration::{ColumnType, RegisterDeclaration, RegisterTime};
use crate::register::quarantine::{Reason, Scope};
use crate::register::{ReadOptions, ReadOutcome, RegisterReader};

/// The register of changed identifiers.
pub const IDENTITY_LINKS: &str = "identity_links";

/// Rows in quarantine that are kept, a register; all are counted.
const QUARANTINE_KEPT: usize = 1_000_000;

/// What was read.
#[derive(Debug, Default)]
pub struct IntakeReport {
    /// What reading found, by register.
    pub registers: BTreeMap<String, ReadOutcome>,
    /// Rows not seen, because they are of a later day or were recorded after the data day, by register.
    pub unseen: BTreeMap<String, u64>,
    /// Rows whose identifier was renumbered, by register.
    pub renumbered: BTreeMap<String, u64>,
    /// The identifiers of today.
    pub identities: Identities,
}

/// Registers that are opened, before the first row is read: what is missing is told before any work.
pub struct Intake {
    readers: BTreeMap<String, RegisterReader>,
    silent: BTreeMap<String, Cause>,
    identities: Identities,
    report: IntakeReport,
}

impl Intake {
    /// Opens the registers that are needed.
    ///
    /// # Errors
    ///
    /// When one is missing and not allowed to be, or cannot be opened.
    pub fn open(request: &Request<'_>, needed: &BTreeSet<String>) -> Result<Self, DossierError> {
        let mut intake =
            Self { readers: BTreeMap::new(), silent: BTreeMap::new(), identities: Identities::default(), report: IntakeReport::default() };
        let registers = Arc::clone(&request.catalogue.registers);
        for name in needed {
            let Some(declaration) = registers.registers.get(name) else { continue };
            if request.allow_missing.contains(name) {
                intake.silent.insert(name.clone(), Cause::Missing);
                continue;
            }
            let Some(source) = request.sources.get(name) else {
                return Err(DossierError::Told(Box::new(missing(declaration, request))));
            };
            let age = request.binder.as_of.signed_duration_since(source.data_day).num_days();
            if declaration.fresh_within_days.is_some_and(|days| age > days) {
                intake.silent.insert(name.clone(), Cause::Stale);
            }
            intake.readers.insert(name.clone(), open(request, declaration)?);
        }
        intake.read_identities(request)?;
        Ok(intake)
    }

    /// Registers that give nothing, and why.
    #[must_use]
    pub fn silent(&self) -> &BTreeMap<String, Cause> {
        &self.silent
    }

    /// Whether any identifier was changed: then a subject may have two rows where the register has one each.
    #[must_use]
    pub fn renumbers(&self) -> bool {
        !self.identities.is_empty()
    }

    fn read_identities(&mut self, request: &Request<'_>) -> Result<(), DossierError> {
        let registers = Arc::clone(&request.catalogue.registers);
        let Some(declaration) = registers.registers.get(IDENTITY_LINKS) else { return Ok(()) };
        if request.sources.get(IDENTITY_LINKS).is_none() || request.allow_missing.contains(IDENTITY_LINKS) {
            return Ok(());
        }
        let mut reader = crate::register::open(
            declaration,
            request.sources.get(IDENTITY_LINKS).ok_or(DossierError::Cancelled)?,
            request.binder.regions,
            &ReadOptions::default(),
        )
        .map_err(DossierError::Told)?;
        let mut links = Vec::new();
        for batch in reader.by_ref() {
            let batch = batch.map_err(DossierError::Told)?;
            let text = |name: &str| batch.column_by_name(name).map(|column| column.as_string::<i32>().clone());
            let (Some(old), Some(new), Some(kind)) = (text("old_id"), text("new_id"), text("kind")) else { break };
            let Some(on) = batch.column_by_name("on_date").map(|column| column.as_primitive::<Date32Type>().clone()) else { break };
            for row in 0..batch.num_rows() {
                if old.is_null(row) || new.is_null(row) || on.is_null(row) {
                    continue;
                }
                let on = NaiveDate::default() + chrono::Days::new(u64::try_from(on.value(row)).unwrap_or(0));
                let split = kind.is_valid(row) && kind.value(row) == "split";
                links.push(IdentityLink { old: canonical(old.value(row)), new: canonical(new.value(row)), split, on });
            }
        }
        self.report.registers.insert(IDENTITY_LINKS.to_owned(), reader.into_outcome());
        self.identities = Identities::new(links, request.binder.as_of);
        Ok(())
    }

    /// Reads every register into its feeds.
    ///
    /// # Errors
    ///
    /// When reading or writing fails, or the work is cancelled.
    pub fn read(self, feeds: Feeds, directory: &Path, request: &Request<'_>) -> Result<IntakeReport, DossierError> {
        let Self { readers, identities, mut report, .. } = self;
        let mut by_register = feeds.by_register();
        for (name, reader) in readers {
            let feeds = by_register.remove(&name).unwrap_or_default();
            let declaration = request.catalogue.registers.registers[&name].clone();
            let label = Message::new(format!("读取 {}", declaration.label.zh), format!("reading {}", declaration.label.en));
            request.progress.stage(label, None);
            let schema = request.catalogue.row_schema(&name);
            let seen = tokio::task::block_in_place(|| feed(reader, &declaration, feeds, &schema, &identities, directory, request))?;
            write_doubts(&name, &seen.outcome, &identities, directory, request.options.shards)?;
            report.unseen.insert(name.clone(), seen.unseen);
            report.renumbered.insert(name.clone(), seen.renumbered);
            report.registers.insert(name, seen.outcome);
        }
        // Feeds of registers that are absent on purpose are empty.
        for feeds in by_register.into_values() {
            for writer in writers(directory, &feeds, request.options.shards)? {
                writer.finish()?;
            }
        }
        report.identities = identities;
        Ok(report)
    }
}

/// Keeps the subjects of whom a row was set aside, but for rows that only repeat another.
fn write_doubts(
    register: &str,
    outcome: &ReadOutcome,
    identities: &Identities,
    directory: &Path,
    shards: usize,
) -> Result<(), DossierError> {
    let subjects: BTreeSet<&str> = outcome
        .quarantine
        .entries
        .iter()
        .filter(|entry| entry.scope == Scope::Row && entry.reason != Reason::DuplicateKey)
        .filter_map(|entry| entry.subject.as_deref())
        .map(|id| identities.today(id).unwrap_or(id))
        .collect();
    if outcome.quarantine.is_truncated() {
        tracing::warn!(register, "more rows in quarantine than are kept: some subjects with such rows are not known");
    }
    let schema = Arc::new(arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new("id", arrow::datatypes::DataType::Utf8, false)]));
    let mut writer = ShardWriter::create(directory, &doubt_table(register), &schema, shards)?;
    writer.write(&RecordBatch::try_new(schema, vec![Arc::new(StringArray::from_iter_values(subjects))])?)?;
    writer.finish()?;
    Ok(())
}

/// Identifiers in links are compared as registers give them: upper case, no blanks.
fn canonical(id: &str) -> String {
    id.trim().to_ascii_uppercase()
}

fn missing(declaration: &RegisterDeclaration, request: &Request<'_>) -> Diagnostic {
    let name = &declaration.name;
    Diagnostic::new(
        &code::REGISTER_MISSING,
        format!("登记库“{name}”({}) 没有来源", declaration.label.zh),
        format!("register `{name}` ({}) has no source", declaration.label.en),
    )
    .did_you_mean(name, request.sources.sources.keys().map(String::as_str))
    .help(
        format!("在 sources.yaml 里加上 {name}; 确实没有的, 用 --allow-missing {name} 使其事实为未知"),
        format!("add {name} to sources.yaml, or say --allow-missing {name} to make its facts unknown"),
    )
}

fn open(request: &Request<'_>, declaration: &RegisterDeclaration) -> Result<RegisterReader, DossierError> {
    let Some(source) = request.sources.get(&declaration.name) else {
        return Err(DossierError::Told(Box::new(missing(declaration, request))));
    };
    let options = ReadOptions { quarantine_limit: QUARANTINE_KEPT, ..ReadOptions::default() };
    crate::register::open(declaration, source, request.binder.regions, &options).map_err(DossierError::Told)
}

struct Seen {
    outcome: ReadOutcome,
    unseen: u64,
    renumbered: u64,
}

/// One feed being filled.
struct Filling {
    plan: FeedPlan,
    mapper: Mapper,
    filter: Option<usize>,
    writer: ShardWriter,
}

/// Reads one register to its end.
fn feed(
    mut reader: RegisterReader,
    declaration: &RegisterDeclaration,
    feeds: Vec<FeedPlan>,
    schema: &Schema,
    identities: &Identities,
    directory: &Path,
    request: &Request<'_>,
) -> Result<Seen, DossierError> {
    let files = writers(directory, &feeds, request.options.shards)?;
    let mut filling = feeds.into_iter().zip(files).map(|(plan, writer)| fill(plan, writer, schema)).collect::<Result<Vec<_>, _>>()?;
    let data_day = reader.outcome().data_day;
    let (mut unseen, mut renumbered) = (0, 0);
    for batch in reader.by_ref() {
        if request.cancel.is_cancelled() {
            return Err(DossierError::Cancelled);
        }
        let batch = batch.map_err(DossierError::Told)?;
        request.progress.rows(batch.num_rows() as u64);
        let visible = visible(&batch, declaration, days(request.binder.as_of), days(data_day));
        let batch = match visible {
            Some(mask) => {
                unseen += (batch.num_rows() - mask.true_count()) as u64;
                filter_record_batch(&batch, &mask)?
            }
            None => batch,
        };
        let batch = renumber(&batch, declaration, identities, &mut renumbered)?;
        for filling in &mut filling {
            filling.write(&batch)?;
        }
    }
    for filling in filling {
        filling.writer.finish()?;
    }
    Ok(Seen { outcome: reader.into_outcome(), unseen, renumbered })
}

fn fill(plan: FeedPlan, writer: ShardWriter, schema: &Schema) -> Result<Filling, DossierError> {
    let mut expressions: Vec<(Expr, u8)> = plan.columns.iter().map(|column| (column.expr.clone(), column.scale)).collect();
    let filter = plan.filter.as_ref().map(|filter| {
        expressions.push((filter.clone(), 0));
        expressions.len() - 1
    });
    debug_assert!(plan.filter.as_ref().is_none_or(|filter| filter.ty == Ty::Bool));
    Ok(Filling { mapper: Mapper::new(schema, &expressions)?, plan, filter, writer })
}

impl Filling {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), DossierError> {
        let Some(ids) = batch.column_by_name(&self.plan.key) else { return Ok(()) };
        let ids: &StringArray = ids.as_string();
        let mut columns = self.mapper.map(batch)?;
        // Rows without an identifier belong to nobody; rows that the filter does not surely let pass are left out.
        let known = BooleanArray::from_iter((0..ids.len()).map(|row| Some(ids.is_valid(row))));
        let mask = match self.filter {
            Some(at) => {
                let passes = columns.remove(at);
                let passes: &BooleanArray = passes.as_boolean();
                let sure = BooleanArray::from_iter((0..passes.len()).map(|row| Some(passes.is_valid(row) && passes.value(row))));
                and(&known, &sure)?
            }
            None => known,
        };
        let renumbered = batch
            .column_by_name(RENUMBERED)
            .map_or_else(|| Arc::new(BooleanArray::from(vec![false; batch.num_rows()])) as ArrayRef, Arc::clone);
        let mut all: Vec<ArrayRef> = vec![Arc::new(ids.clone()), renumbered];
        all.extend(columns);
        let schema = self.plan.schema();
        let nullable = Arc::new(arrow::datatypes::Schema::new(
            schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>(),
        ));
        let passed = filter_record_batch(&RecordBatch::try_new(nullable, all)?, &mask)?;
        self.writer.write(&RecordBatch::try_new(schema, passed.columns().to_vec())?)
    }
}

/// The column that says whether a row came under an identifier of before.
const RENUMBERED: &str = "!renumbered";

/// Which rows are true on the day and were recorded by the data day; none when all are.
fn visible(batch: &RecordBatch, declaration: &RegisterDeclaration, as_of: i32, data_day: i32) -> Option<BooleanArray> {
    let begins = match &declaration.time {
        RegisterTime::State => None,
        RegisterTime::Event(column) => Some(column),
        RegisterTime::Valid(from, _) => Some(from),
    };
    let limits: Vec<(ArrayRef, i32)> = [(begins, as_of), (declaration.recorded_at.as_ref(), data_day)]
        .into_iter()
        .filter_map(|(column, limit)| Some((Arc::clone(batch.column_by_name(column?)?), limit)))
        .collect();
    let hidden = |row: usize| {
        limits.iter().any(|(column, limit)| {
            let days = column.as_primitive::<Date32Type>();
            days.is_valid(row) && days.value(row) > *limit
        })
    };
    let mask = BooleanArray::from_iter((0..batch.num_rows()).map(|row| Some(!hidden(row))));
    (mask.true_count() < batch.num_rows()).then_some(mask)
}

/// Puts the identifiers of today in the place of those of before, in every identifier column.
fn renumber(
    batch: &RecordBatch,
    declaration: &RegisterDeclaration,
    identities: &Identities,
    count: &mut u64,
) -> Result<RecordBatch, DossierError> {
    if identities.is_empty() {
        return Ok(batch.clone());
    }
    let mut fields: Vec<arrow::datatypes::Field> = batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    let mut columns = batch.columns().to_vec();
    let mut came_under_old = vec![false; batch.num_rows()];
    for (at, field) in batch.schema().fields().iter().enumerate() {
        let is_id = declaration
            .column(field.name())
            .is_some_and(|column| matches!(column.column_type, ColumnType::PersonId | ColumnType::EntityId));
        if !is_id {
            continue;
        }
        let ids: &StringArray = columns[at].as_string();
        if !ids.iter().flatten().any(|id| identities.today(id).is_some()) {
            continue;
        }
        let mut today = StringBuilder::with_capacity(ids.len(), ids.len() * 18);
        for (row, id) in ids.iter().enumerate() {
            let new = id.and_then(|id| identities.today(id));
            if new.is_some() && *field.name() == declaration.key {
                came_under_old[row] = true;
                *count += 1;
            }
            today.append_option(new.or(id));
        }
        columns[at] = Arc::new(today.finish());
    }
    let mut flags = BooleanBuilder::with_capacity(came_under_old.len());
    flags.append_slice(&came_under_old);
    fields.push(arrow::datatypes::Field::new(RENUMBERED, arrow::datatypes::DataType::Boolean, false));
    columns.push(Arc::new(flags.finish()));
    Ok(RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), columns)?)
}
