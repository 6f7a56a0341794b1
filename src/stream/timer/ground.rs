//! What days are reckoned from: the rows that there are of some subjects and of all that they rest on, and their dossiers.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type};

use crate::check::bind::days;
use crate::check::catalogue::Catalogue;
use crate::check::ir::Value;
use crate::dossier::DossierError;
use crate::dossier::identity::{Identities, IdentityLink};
use crate::eligibility::evaluate::RowReader;
use crate::register::declaration::SubjectKind;

/// The register of changed identifiers.
const IDENTITY_LINKS: &str = "identity_links";

/// Rows of registers and dossiers, in memory.
pub struct Ground {
    registers: BTreeMap<String, Table>,
    dossiers: BTreeMap<SubjectKind, Dossiers>,
    identities: Identities,
    /// By identifier of before and of after: the first day on which it may stand for somebody else.
    renumbered: HashMap<String, i64>,
}

struct Table {
    batches: Vec<(RecordBatch, RowReader)>,
    /// By column: the rows with an identifier.
    by: RefCell<HashMap<String, Rc<Places>>>,
}

/// The places of identifiers: batch and row.
type Places = HashMap<String, Vec<(usize, usize)>>;

struct Dossiers {
    batches: Vec<RowReader>,
    places: HashMap<String, (usize, usize)>,
    /// Whether a fact has a column, by its place.
    known: Vec<bool>,
}

/// A row of a register.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    table: &'a Table,
    batch: usize,
    row: usize,
}

impl Ground {
    /// Rows by register, each with all declared columns, and dossiers as [`crate::dossier::Dossiers::stream`] gives them.
    ///
    /// # Errors
    ///
    /// When a column has a type that its values cannot have.
    pub fn new(
        catalogue: &Catalogue,
        registers: &BTreeMap<String, Vec<RecordBatch>>,
        dossiers: &BTreeMap<SubjectKind, Vec<RecordBatch>>,
        as_of: chrono::NaiveDate,
    ) -> Result<Self, DossierError> {
        let mut tables = BTreeMap::new();
        for (name, batches) in registers {
            let schema = catalogue.row_schema(name);
            let all: Vec<usize> = (0..schema.columns.len()).collect();
            let read = batches.iter().map(|batch| Ok((batch.clone(), RowReader::new(&schema, &all, batch)?)));
            tables.insert(name.clone(), Table { batches: read.collect::<Result<_, DossierError>>()?, by: RefCell::default() });
        }
        let mut by_kind = BTreeMap::new();
        for (kind, batches) in dossiers {
            let schema = catalogue.schema(*kind);
            let all: Vec<usize> = (0..schema.columns.len()).collect();
            let mut read = Dossiers { batches: Vec::new(), places: HashMap::new(), known: vec![false; all.len()] };
            for (at, batch) in batches.iter().enumerate() {
                let ids = cast(batch.column(0), &DataType::Utf8)?;
                let ids = ids.as_string::<i32>();
                read.places.extend((0..ids.len()).filter(|row| ids.is_valid(*row)).map(|row| (ids.value(row).to_owned(), (at, row))));
                read.batches.push(RowReader::new(&schema, &all, batch)?);
                for (index, known) in read.known.iter_mut().enumerate() {
                    *known |= batch.column_by_name(&schema.columns[index].name).is_some();
                }
            }
            by_kind.insert(*kind, read);
        }
        let links = tables.get(IDENTITY_LINKS).map(identity_links).unwrap_or_default();
        let today = i64::from(days(as_of));
        let mut renumbered: HashMap<String, i64> = HashMap::new();
        let identities = Identities::new(links.clone(), as_of);
        for link in &links {
            let on = i64::from(days(link.on));
            if on > today {
                for id in [&link.old, &link.new] {
                    let id = identities.today(id).unwrap_or(id).to_owned();
                    renumbered.entry(id).and_modify(|day| *day = on.min(*day)).or_insert(on);
                }
            }
        }
        Ok(Self { registers: tables, dossiers: by_kind, identities, renumbered })
    }

    /// The first day on which an identifier may stand for somebody else.
    pub(super) fn renumbered(&self, id: &str) -> Option<i64> {
        self.renumbered.get(id).copied()
    }

    /// The identifiers of a kind that have dossiers.
    pub fn subjects(&self, kind: SubjectKind) -> impl Iterator<Item = &str> {
        self.dossiers.get(&kind).into_iter().flat_map(|dossiers| dossiers.places.keys().map(String::as_str))
    }

    /// Whether a subject has a dossier.
    pub(super) fn has(&self, kind: SubjectKind, id: &str) -> bool {
        self.dossiers.get(&kind).is_some_and(|dossiers| dossiers.places.contains_key(id))
    }

    /// Whether dossiers of a kind tell a fact.
    pub(super) fn tells(&self, kind: SubjectKind, index: usize) -> bool {
        self.dossiers.get(&kind).is_some_and(|dossiers| dossiers.known.get(index).copied().unwrap_or(false))
    }

    /// The value of a fact; none: unknown.
    pub(super) fn value(&self, kind: SubjectKind, id: &str, index: usize) -> Option<Value> {
        let dossiers = self.dossiers.get(&kind)?;
        let (batch, row) = *dossiers.places.get(id)?;
        dossiers.batches[batch].value(index, row)
    }

    /// The rows of a register in which a column holds an identifier, or one of before.
    pub(super) fn rows(&self, register: &str, column: &str, id: &str) -> Vec<Row<'_>> {
        let Some(table) = self.registers.get(register) else { return Vec::new() };
        let places = {
            let mut by = table.by.borrow_mut();
            Rc::clone(by.entry(column.to_owned()).or_insert_with(|| Rc::new(self.places(table, column))))
        };
        let found = places.get(id).map(Vec::as_slice).unwrap_or_default();
        found.iter().map(|&(batch, row)| Row { table, batch, row }).collect()
    }

    fn places(&self, table: &Table, column: &str) -> Places {
        let mut places = Places::new();
        for (at, (batch, _)) in table.batches.iter().enumerate() {
            let Some(ids) = batch.column_by_name(column).and_then(|ids| cast(ids, &DataType::Utf8).ok()) else { continue };
            let ids = ids.as_string::<i32>();
            for row in (0..ids.len()).filter(|row| ids.is_valid(*row)) {
                let id = ids.value(row);
                places.entry(self.identities.today(id).unwrap_or(id).to_owned()).or_default().push((at, row));
            }
        }
        places
    }

    /// An identifier in a row, as it is today.
    pub(super) fn id(&self, row: Row<'_>, column: &str) -> Option<String> {
        let ids = cast(row.batch().column_by_name(column)?, &DataType::Utf8).ok()?;
        let ids = ids.as_string::<i32>();
        let id = ids.is_valid(row.row).then(|| ids.value(row.row))?;
        Some(self.identities.today(id).unwrap_or(id).to_owned())
    }
}

impl<'a> Row<'a> {
    fn batch(self) -> &'a RecordBatch {
        &self.table.batches[self.batch].0
    }

    /// The value in a column, by its place among the declared ones.
    pub(super) fn value(self, column: usize) -> Option<Value> {
        self.table.batches[self.batch].1.value(column, self.row)
    }

    /// The day in a column.
    pub(super) fn day(self, column: &str) -> Option<i64> {
        let days = self.batch().column_by_name(column)?.as_primitive_opt::<Date32Type>()?;
        days.is_valid(self.row).then(|| i64::from(days.value(self.row)))
    }
}

fn identity_links(table: &Table) -> Vec<IdentityLink> {
    let mut links = Vec::new();
    for (batch, _) in &table.batches {
        let text = |name: &str| batch.column_by_name(name).and_then(|column| cast(column, &DataType::Utf8).ok());
        let (Some(old), Some(new), Some(kind)) = (text("old_id"), text("new_id"), text("kind")) else { continue };
        let on = batch.column_by_name("on_date").and_then(|days| days.as_primitive_opt::<Date32Type>());
        let Some(on) = on else { continue };
        let (old, new, kind) = (old.as_string::<i32>(), new.as_string::<i32>(), kind.as_string::<i32>());
        for row in 0..batch.num_rows() {
            let Some(day) = on.value_as_date(row).filter(|_| on.is_valid(row)) else { continue };
            let text = |column: &arrow::array::StringArray| column.value(row).to_owned();
            links.push(IdentityLink { old: text(old), new: text(new), split: kind.value(row) == "split", on: day });
        }
    }
    links
}
