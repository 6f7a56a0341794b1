//! What days are reckoned from: the rows that there are of some subjects and of all that they rest on, and their dossiers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};
use arrow::error::ArrowError;
use chrono::{Days, NaiveDate};

use super::plan::{Timers, beginnings};
use crate::check::bind::days;
use crate::check::ir::Value;
use crate::dossier::DossierError;
use crate::dossier::build::base_register;
use crate::dossier::identity::{Identities, IdentityLink};
use crate::dossier::intake::IDENTITY_LINKS;
use crate::eligibility::evaluate::RowReader;
use crate::register::declaration::SubjectKind;

/// A batch with some of its columns.
pub(in crate::stream) fn some_columns(batch: &RecordBatch, names: &BTreeSet<&str>) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema_ref();
    let places: Vec<usize> = (0..schema.fields().len()).filter(|at| names.contains(schema.field(*at).name().as_str())).collect();
    batch.project(&places)
}

/// Rows of registers, in memory: of each the columns that timers look at. Shared by the subjects of all dossiers.
pub struct Tables {
    registers: BTreeMap<String, Table>,
    identities: Identities,
    /// By identifier of before and of after: the first day on which it may stand for somebody else.
    renumbered: HashMap<String, i64>,
}

struct Table {
    batches: Vec<Rows>,
    /// The number of the first row of each batch.
    starts: Vec<u32>,
    /// By column that holds identifiers by which rows are looked up.
    by: BTreeMap<String, ById>,
}

struct Rows {
    batch: RecordBatch,
    values: RowReader,
    /// Columns that hold identifiers, as texts.
    ids: BTreeMap<String, StringArray>,
}

/// Numbers of rows by identifier: the rows of a bucket are a chain. Four bytes a row and a bucket; nothing is copied.
struct ById {
    /// By bucket, the number of its first row; [`NONE`] where it has none.
    heads: Vec<u32>,
    /// By row, the number of the next one.
    next: Vec<u32>,
    hasher: RandomState,
}

const NONE: u32 = u32::MAX;

impl ById {
    fn bucket(&self, id: &str) -> usize {
        // The number of buckets is a power of two.
        usize::try_from(self.hasher.hash_one(id)).unwrap_or_default() & (self.heads.len() - 1)
    }
}

/// Dossiers of some subjects, over rows.
pub struct Ground<'t> {
    tables: &'t Tables,
    dossiers: BTreeMap<SubjectKind, Dossiers>,
}

struct Dossiers {
    batches: Vec<RowReader>,
    places: HashMap<String, Place>,
    /// Whether a fact has a column, by its place.
    known: Vec<bool>,
}

/// Where a subject's dossier is: batch and row.
pub(super) type Place = (usize, usize);

/// A row of a register.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    rows: &'a Rows,
    at: usize,
}

impl Tables {
    /// Of rows by register, each with at least the columns that timers look at ([`Timers::columns`]).
    ///
    /// # Errors
    ///
    /// When a column has a type that its values cannot have.
    pub fn new(timers: &Timers, registers: &BTreeMap<String, Vec<RecordBatch>>) -> Result<Self, DossierError> {
        let links = registers.get(IDENTITY_LINKS).map(|batches| identity_links(batches)).unwrap_or_default();
        let today = i64::from(days(timers.as_of));
        let mut renumbered: HashMap<String, i64> = HashMap::new();
        let identities = Identities::new(links.clone(), timers.as_of);
        for link in &links {
            let on = i64::from(days(link.on));
            if on > today {
                for id in [&link.old, &link.new] {
                    let id = identities.today(id).unwrap_or(id).to_owned();
                    renumbered.entry(id).and_modify(|day| *day = on.min(*day)).or_insert(on);
                }
            }
        }
        let mut tables = BTreeMap::new();
        for (name, batches) in registers {
            let Some(looked_at) = timers.looked_at.get(name) else { continue };
            let schema = timers.catalogue.row_schema(name);
            let columns: Vec<usize> =
                (0..schema.columns.len()).filter(|at| looked_at.columns.contains(&*schema.columns[*at].name)).collect();
            let mut table = Table { batches: Vec::new(), starts: Vec::new(), by: BTreeMap::new() };
            let mut rows = 0;
            for batch in batches {
                let mut ids = BTreeMap::new();
                for name in looked_at.keys.iter().chain(&looked_at.ends) {
                    if let Some(column) = batch.column_by_name(name) {
                        ids.insert(name.clone(), cast(column, &DataType::Utf8)?.as_string::<i32>().clone());
                    }
                }
                table.starts.push(u32::try_from(rows).unwrap_or(NONE));
                rows += batch.num_rows();
                table.batches.push(Rows { values: RowReader::new(&schema, &columns, batch)?, batch: batch.clone(), ids });
            }
            for key in &looked_at.keys {
                table.by.insert(key.clone(), by_id(&table.batches, key, rows, &identities));
            }
            tables.insert(name.clone(), table);
        }
        Ok(Self { registers: tables, identities, renumbered })
    }

    /// The rows of a register in which a column holds an identifier, or one of before.
    pub(super) fn rows(&self, register: &str, column: &str, id: &str) -> Vec<Row<'_>> {
        let mut found = Vec::new();
        let Some(table) = self.registers.get(register) else { return found };
        let Some(by) = table.by.get(column) else { return found };
        let mut next = by.heads[by.bucket(id)];
        while next != NONE {
            let batch = table.starts.partition_point(|start| *start <= next) - 1;
            let row = Row { rows: &table.batches[batch], at: (next - table.starts[batch]) as usize };
            if self.id(row, column) == Some(id) {
                found.push(row);
            }
            next = by.next[next as usize];
        }
        found
    }

    /// An identifier in a row, as it is today.
    pub(super) fn id<'a>(&'a self, row: Row<'a>, column: &str) -> Option<&'a str> {
        let ids = row.rows.ids.get(column)?;
        let id = ids.is_valid(row.at).then(|| ids.value(row.at))?;
        Some(self.identities.today(id).unwrap_or(id))
    }

    /// Who of a kind may come to be listed though no row changes, with the first day: those whose first row in the register that lists
    /// the kind begins later.
    #[must_use]
    pub fn to_be_listed(&self, timers: &Timers, kind: SubjectKind, is_listed: impl Fn(&str) -> bool) -> BTreeMap<String, NaiveDate> {
        let mut found: BTreeMap<String, NaiveDate> = BTreeMap::new();
        let column = match (kind, timers.members) {
            (SubjectKind::Household, Some(link)) => Some(&timers.catalogue.registers.links[link].from_column),
            _ => timers.catalogue.registers.registers.get(base_register(kind)).map(|declared| &declared.key),
        };
        let (Some(column), Some(declared)) = (column, timers.catalogue.registers.registers.get(base_register(kind))) else { return found };
        let today = i64::from(days(timers.as_of));
        for rows in self.registers.get(base_register(kind)).into_iter().flat_map(|table| &table.batches) {
            for at in 0..rows.batch.num_rows() {
                let row = Row { rows, at };
                let begins = beginnings(declared).filter_map(|column| row.day(column)).filter(|day| *day > today).min();
                let begins = begins.and_then(|day| timers.as_of.checked_add_days(Days::new(day.abs_diff(today))));
                let (Some(begins), Some(id)) = (begins, self.id(row, column)) else { continue };
                if !is_listed(id) {
                    found.entry(id.to_owned()).and_modify(|day| *day = begins.min(*day)).or_insert(begins);
                }
            }
        }
        found
    }

    /// Whether rows of a register can be looked up by a column.
    pub(super) fn leads(&self, register: &str, column: &str) -> bool {
        self.registers.get(register).is_some_and(|table| table.by.contains_key(column))
    }
}

fn by_id(batches: &[Rows], column: &str, rows: usize, identities: &Identities) -> ById {
    let mut by = ById { heads: vec![NONE; rows.max(1).next_power_of_two()], next: vec![NONE; rows], hasher: RandomState::new() };
    let mut number = rows;
    // From the last to the first, so that chains are in the order of rows.
    for batch in batches.iter().rev() {
        let ids = batch.ids.get(column);
        for at in (0..batch.batch.num_rows()).rev() {
            number -= 1;
            let Some(id) = ids.filter(|ids| ids.is_valid(at)).map(|ids| ids.value(at)) else { continue };
            let bucket = by.bucket(identities.today(id).unwrap_or(id));
            by.next[number] = std::mem::replace(&mut by.heads[bucket], u32::try_from(number).unwrap_or(NONE));
        }
    }
    by
}

impl<'t> Ground<'t> {
    /// Of dossiers as [`crate::dossier::Dossiers::stream`] gives them: those of the subjects that are asked about, and of all that
    /// they rest on.
    ///
    /// # Errors
    ///
    /// When a column has a type that its values cannot have.
    pub fn new(timers: &Timers, tables: &'t Tables, dossiers: &BTreeMap<SubjectKind, Vec<RecordBatch>>) -> Result<Self, DossierError> {
        let mut by_kind = BTreeMap::new();
        for (kind, batches) in dossiers {
            let schema = timers.catalogue.schema(*kind);
            let facts: Vec<usize> = timers.facts.keys().filter(|fact| fact.kind == *kind).map(|fact| fact.index).collect();
            let mut read = Dossiers { batches: Vec::new(), places: HashMap::new(), known: vec![false; schema.columns.len()] };
            for (at, batch) in batches.iter().enumerate() {
                let ids = cast(batch.column(0), &DataType::Utf8)?;
                let ids = ids.as_string::<i32>();
                read.places.extend((0..ids.len()).filter(|row| ids.is_valid(*row)).map(|row| (ids.value(row).to_owned(), (at, row))));
                read.batches.push(RowReader::new(&schema, &facts, batch)?);
                for index in &facts {
                    read.known[*index] |= batch.column_by_name(&schema.columns[*index].name).is_some();
                }
            }
            by_kind.insert(*kind, read);
        }
        Ok(Self { tables, dossiers: by_kind })
    }

    /// The rows.
    pub(super) fn tables(&self) -> &'t Tables {
        self.tables
    }

    /// The first day on which an identifier may stand for somebody else.
    pub(super) fn renumbered(&self, id: &str) -> Option<i64> {
        self.tables.renumbered.get(id).copied()
    }

    /// The identifiers of a kind that have dossiers.
    pub fn subjects(&self, kind: SubjectKind) -> impl Iterator<Item = &str> {
        self.dossiers.get(&kind).into_iter().flat_map(|dossiers| dossiers.places.keys().map(String::as_str))
    }

    /// Where the dossier of a subject is; none where it has none.
    pub(super) fn place(&self, kind: SubjectKind, id: &str) -> Option<Place> {
        self.dossiers.get(&kind)?.places.get(id).copied()
    }

    /// Whether there are dossiers of a kind, and they have no column for a fact.
    pub(super) fn lacks(&self, kind: SubjectKind, index: usize) -> bool {
        self.dossiers.get(&kind).is_some_and(|dossiers| !dossiers.known.get(index).copied().unwrap_or(false))
    }

    /// The value of a fact in a dossier; none: unknown.
    pub(super) fn value(&self, kind: SubjectKind, place: Option<Place>, index: usize) -> Option<Value> {
        let (batch, row) = place?;
        self.dossiers.get(&kind)?.batches[batch].value(index, row)
    }
}

impl Row<'_> {
    /// The value in a column, by its place among the declared ones.
    pub(super) fn value(self, column: usize) -> Option<Value> {
        self.rows.values.value(column, self.at)
    }

    /// The day in a column.
    pub(super) fn day(self, column: &str) -> Option<i64> {
        let days = self.rows.batch.column_by_name(column)?.as_primitive_opt::<Date32Type>()?;
        days.is_valid(self.at).then(|| i64::from(days.value(self.at)))
    }
}

fn identity_links(batches: &[RecordBatch]) -> Vec<IdentityLink> {
    let mut links = Vec::new();
    for batch in batches {
        let text = |name: &str| batch.column_by_name(name).and_then(|column| cast(column, &DataType::Utf8).ok());
        let (Some(old), Some(new), Some(kind)) = (text("old_id"), text("new_id"), text("kind")) else { continue };
        let on = batch.column_by_name("on_date").and_then(|days| days.as_primitive_opt::<Date32Type>());
        let Some(on) = on else { continue };
        let (old, new, kind) = (old.as_string::<i32>(), new.as_string::<i32>(), kind.as_string::<i32>());
        for row in 0..batch.num_rows() {
            let Some(day) = on.value_as_date(row).filter(|_| on.is_valid(row)) else { continue };
            let text = |column: &StringArray| column.value(row).trim().to_ascii_uppercase();
            links.push(IdentityLink { old: text(old), new: text(new), split: kind.value(row) == "split", on: day });
        }
    }
    links
}

/// What timers look at in the rows of one register.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct LookedAt {
    /// Columns whose values are read.
    pub(super) columns: BTreeSet<String>,
    /// Columns that hold identifiers by which rows are looked up.
    pub(super) keys: BTreeSet<String>,
    /// Columns that hold identifiers that rows lead to.
    pub(super) ends: BTreeSet<String>,
}
