//! The rows that a register has under one identifier, as they lie in the store: each with what identifies it and with its place among
//! the events about it, so that events may come late, twice, or in any order.
//!
//! ```text
//!  body = form │ schema of the register │ set aside? │ entries: what identifies the row │ order │ the row, or that it is gone
//! ```
//!
//! Where a register declares `unique`, an entry is the newest that was told of a row; a row that is gone stays as an entry without
//! values, so that an older event does not bring it back. Where it declares nothing, rows may repeat: then each insertion and each
//! deletion is an entry, and how often a row is there follows from their order.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use sha2::{Digest, Sha256};

use super::order::Order;
use super::paths::Columns;
use crate::dossier::intake::IDENTITY_LINKS;
use crate::hex;
use crate::register::declaration::{ColumnType, RegisterDeclaration, Registers, arrow_schema};
use crate::store::StoreError;
use crate::store::body::{Reader, Writer};

/// The first byte of every body; counts up when bodies change their form.
const FORM: u8 = 1;

/// Entries of rows that are gone that are kept of one register under one identifier; of more, the oldest are forgotten.
const GONE_KEPT: usize = 256;

/// How the rows of a register are written.
#[derive(Debug)]
pub struct RowForm {
    /// The register.
    pub name: Arc<str>,
    schema: SchemaRef,
    rows: RowConverter,
    /// None where rows may repeat.
    keys: Option<RowConverter>,
    /// The column of the identifier that rows lie under.
    owner: usize,
    unique: Vec<usize>,
    /// Columns of other identifiers.
    others: Vec<usize>,
    is_identity: bool,
    /// Whether rows are identified by something else than their owner, so that an event need not name it.
    by_number: bool,
    fingerprint: u64,
}

/// One row, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whom it lies under; none where the event does not tell.
    pub owner: Option<String>,
    /// What identifies it.
    pub key: Vec<u8>,
    /// Its values.
    pub held: HeldRow,
}

/// The values of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRow {
    /// In the form of [`arrow::row`].
    pub bytes: Vec<u8>,
    /// Other identifiers in it, by column.
    pub others: Vec<(usize, String)>,
}

/// The values of a row, where they lie in a body.
#[derive(Debug, Clone, Copy)]
pub struct RowIn<'b> {
    /// In the form of [`arrow::row`].
    pub bytes: &'b [u8],
    /// Other identifiers in it, as they are written, and how many.
    others: (usize, Reader<'b>),
}

impl<'b> RowIn<'b> {
    /// Other identifiers in it, by column.
    ///
    /// # Errors
    ///
    /// When the body is damaged.
    pub fn others(&self) -> impl Iterator<Item = Result<(usize, &'b str), StoreError>> + use<'b> {
        let (count, mut reader) = self.others;
        (0..count).map(move |_| Ok((reader.place()?, reader.text()?)))
    }

    fn held(&self) -> Result<HeldRow, StoreError> {
        let others = self.others().map(|other| other.map(|(column, id)| (column, id.to_owned())));
        Ok(HeldRow { bytes: self.bytes.to_vec(), others: others.collect::<Result<_, _>>()? })
    }
}

/// One entry, where it lies in a body.
struct EntryIn<'b> {
    key: &'b [u8],
    order: Order,
    row: Option<RowIn<'b>>,
}

/// The entries of a body, read where they lie.
struct EntriesIn<'b> {
    reader: Reader<'b>,
    left: usize,
    repeats: bool,
    set_aside: bool,
}

impl<'b> EntriesIn<'b> {
    fn entry(&mut self) -> Result<EntryIn<'b>, StoreError> {
        let reader = &mut self.reader;
        let key = counted(reader)?;
        let order = Order::read(counted(reader)?).ok_or_else(|| StoreError::Damaged("the order of a row".to_owned()))?.0;
        if reader.byte()? == 0 {
            return Ok(EntryIn { key, order, row: None });
        }
        let bytes = counted(reader)?;
        let others = (reader.count()?, *reader);
        for _ in 0..others.0 {
            reader.place()?;
            counted(reader)?;
        }
        // Where rows may repeat, a row identifies itself.
        Ok(EntryIn { key: if self.repeats { bytes } else { key }, order, row: Some(RowIn { bytes, others }) })
    }
}

impl<'b> Iterator for EntriesIn<'b> {
    type Item = Result<EntryIn<'b>, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some(self.entry())
    }
}

/// Bytes behind their number.
fn counted<'b>(reader: &mut Reader<'b>) -> Result<&'b [u8], StoreError> {
    let count = reader.count()?;
    reader.take(count)
}

/// One entry of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What identifies the row.
    pub key: Vec<u8>,
    /// The newest event about it.
    pub order: Order,
    /// Its values; none: it is gone.
    pub row: Option<HeldRow>,
}

/// The rows of one register under one identifier.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// By what identifies them, then by order.
    pub entries: Vec<Entry>,
    /// Whether a row about the subject was set aside when the register was loaded.
    pub set_aside: bool,
}

impl RowForm {
    /// The form of a register.
    ///
    /// # Errors
    ///
    /// When a column has a type that rows cannot be written in.
    pub fn new(declaration: &RegisterDeclaration) -> Result<Self, ArrowError> {
        let schema = arrow_schema(declaration);
        let at = |name: &str| schema.index_of(name);
        let unique = declaration.unique.iter().map(|name| at(name)).collect::<Result<Vec<_>, _>>()?;
        let converter = |columns: &[usize]| {
            let fields = columns.iter().map(|at| SortField::new(schema.field(*at).data_type().clone()));
            RowConverter::new(fields.collect())
        };
        let all: Vec<usize> = (0..schema.fields().len()).collect();
        let owner = at(&declaration.key)?;
        let is_identity = declaration.name == IDENTITY_LINKS;
        let is_other = |at: &usize| {
            let column = &declaration.columns[*at];
            let is_id = matches!(column.column_type, ColumnType::PersonId | ColumnType::EntityId | ColumnType::HouseholdId);
            *at != owner && (is_id || is_identity && column.name == "new_id")
        };
        let columns: Vec<String> = schema.fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect();
        let digest = Sha256::digest(format!("{}\n{}", columns.join("\n"), declaration.unique.join(" ")).as_bytes());
        Ok(Self {
            name: declaration.name.as_str().into(),
            rows: converter(&all)?,
            keys: if unique.is_empty() { None } else { Some(converter(&unique)?) },
            others: all.iter().copied().filter(is_other).collect(),
            by_number: !unique.is_empty() && !unique.contains(&owner),
            fingerprint: digest[..8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
            owner,
            unique,
            is_identity,
            schema,
        })
    }

    /// Whether rows may repeat.
    #[must_use]
    pub fn repeats(&self) -> bool {
        self.keys.is_none()
    }

    /// Whether an event may leave out whom a row lies under.
    #[must_use]
    pub fn by_number(&self) -> bool {
        self.by_number
    }

    /// The mention under which the owners of a row are found by what identifies it.
    #[must_use]
    pub fn mention_of(&self, key: &[u8]) -> String {
        let digest = Sha256::digest(key);
        format!("#{}:{}", self.name, hex::digits(&digest[..16]))
    }

    /// The rows of a batch of the declared columns.
    ///
    /// # Errors
    ///
    /// When a column has another type than is declared.
    pub fn take(&self, batch: &RecordBatch) -> Result<Vec<Row>, ArrowError> {
        let rows = self.rows.convert_columns(batch.columns())?;
        let unique: Vec<_> = self.unique.iter().map(|at| Arc::clone(batch.column(*at))).collect();
        let keys = self.keys.as_ref().map(|keys| keys.convert_columns(&unique)).transpose()?;
        let id = |column: usize, row: usize| {
            let texts = batch.column(column).as_string::<i32>();
            texts.is_valid(row).then(|| self.canonical(texts.value(row)))
        };
        let row = |at: usize| {
            let bytes = rows.row(at).as_ref().to_vec();
            Row {
                owner: id(self.owner, at),
                key: keys.as_ref().map_or_else(|| bytes.clone(), |keys| keys.row(at).as_ref().to_vec()),
                held: HeldRow { bytes, others: self.others.iter().filter_map(|column| Some((*column, id(*column, at)?))).collect() },
            }
        };
        Ok((0..batch.num_rows()).map(row).collect())
    }

    /// Identifiers in links are compared in capitals; others are in their one form already.
    fn canonical(&self, id: &str) -> String {
        if self.is_identity { id.trim().to_ascii_uppercase() } else { id.to_owned() }
    }

    /// The place of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.schema.index_of(name).ok()
    }

    /// The column of the identifier that rows lie under.
    #[must_use]
    pub fn owner(&self) -> usize {
        self.owner
    }

    /// Rows in the form of [`arrow::row`] as a batch of the declared columns, in the order given.
    ///
    /// # Errors
    ///
    /// When the bytes are none that [`Self::take`] made.
    pub fn batch<'a>(&self, rows: impl Iterator<Item = &'a [u8]>) -> Result<RecordBatch, ArrowError> {
        let parser = self.rows.parser();
        let columns = self.rows.convert_rows(rows.map(|bytes| parser.parse(bytes)))?;
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }

    /// In which columns one row differs from another.
    ///
    /// # Errors
    ///
    /// When the bytes are none that [`Self::take`] made.
    pub fn differing(&self, one: &HeldRow, other: &HeldRow) -> Result<Columns, ArrowError> {
        let batch = self.batch([&*one.bytes, &other.bytes].into_iter())?;
        let mut columns = BTreeSet::new();
        for (at, column) in batch.columns().iter().enumerate() {
            if make_comparator(column, column, SortOptions::default())?(0, 1).is_ne() {
                columns.insert(at);
            }
        }
        Ok(Columns::These(columns))
    }

    /// A body; empty where nothing need be kept.
    #[must_use]
    pub fn write(&self, rows: &Rows) -> Vec<u8> {
        if rows.entries.is_empty() && !rows.set_aside {
            return Vec::new();
        }
        let mut writer = Writer::default();
        writer.byte(FORM);
        writer.bytes.extend(self.fingerprint.to_be_bytes());
        writer.byte(u8::from(rows.set_aside));
        writer.count(rows.entries.len());
        let bytes = |writer: &mut Writer, bytes: &[u8]| {
            writer.count(bytes.len());
            writer.bytes.extend(bytes);
        };
        for entry in &rows.entries {
            // Where rows may repeat, a row identifies itself.
            match (&entry.row, self.repeats()) {
                (Some(_), true) => writer.count(0),
                _ => bytes(&mut writer, &entry.key),
            }
            let mut order = Vec::new();
            entry.order.write(&mut order);
            bytes(&mut writer, &order);
            writer.byte(u8::from(entry.row.is_some()));
            if let Some(row) = &entry.row {
                bytes(&mut writer, &row.bytes);
                writer.count(row.others.len());
                for (column, id) in &row.others {
                    writer.count(*column);
                    writer.text(id);
                }
            }
        }
        writer.bytes
    }

    /// Reads a body; of an empty one, nothing.
    ///
    /// # Errors
    ///
    /// When it is damaged, of another form, or was written when the register had other columns.
    pub fn read(&self, body: &[u8]) -> Result<Rows, StoreError> {
        let entries = self.entries_in(body)?;
        let set_aside = entries.set_aside;
        let entry = |entry: Result<EntryIn<'_>, StoreError>| {
            let EntryIn { key, order, row } = entry?;
            Ok(Entry { key: key.to_vec(), order, row: row.map(|row| row.held()).transpose()? })
        };
        Ok(Rows { entries: entries.map(entry).collect::<Result<_, StoreError>>()?, set_aside })
    }

    fn entries_in<'b>(&self, body: &'b [u8]) -> Result<EntriesIn<'b>, StoreError> {
        let (mut reader, repeats) = (Reader::new(body), self.repeats());
        if body.is_empty() {
            return Ok(EntriesIn { reader, left: 0, repeats, set_aside: false });
        }
        if reader.byte()? != FORM {
            return Err(StoreError::Damaged("rows in a form that this version does not know".to_owned()));
        }
        let fingerprint = reader.take(8)?;
        if fingerprint != self.fingerprint.to_be_bytes() {
            return Err(StoreError::Failed(format!(
                "register {}: its columns were declared otherwise when its rows were stored: load them anew",
                self.name
            )));
        }
        let set_aside = reader.byte()? != 0;
        Ok(EntriesIn { left: reader.count()?, reader, repeats, set_aside })
    }

    /// The rows of a body that are there, in the order of what identifies them, and whether one was set aside, without taking it apart.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn alive_in<'b>(&self, body: &'b [u8]) -> Result<(Vec<RowIn<'b>>, bool), StoreError> {
        let entries = self.entries_in(body)?;
        let set_aside = entries.set_aside;
        let alive = self.alive_of(entries.map(|entry| entry.map(|entry| (entry.key, entry.row))))?;
        Ok((alive, set_aside))
    }

    /// Those of the rows of a body that one key identifies.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn alive_under(&self, body: &[u8], key: &[u8]) -> Result<Vec<HeldRow>, StoreError> {
        let entries = self.entries_in(body)?.map(|entry| entry.map(|entry| (entry.key, entry.row)));
        let alive = self.alive_of(entries.filter(|entry| entry.as_ref().map_or(true, |(known, _)| *known == key)))?;
        alive.into_iter().map(|row| row.held()).collect()
    }

    /// The newest event that a body has about the row that a key identifies.
    ///
    /// # Errors
    ///
    /// As [`Self::read`].
    pub fn newest_under(&self, body: &[u8], key: &[u8]) -> Result<Option<Order>, StoreError> {
        let mut newest = None;
        for entry in self.entries_in(body)? {
            let entry = entry?;
            newest = newest.max((entry.key == key).then_some(entry.order));
        }
        Ok(newest)
    }

    /// Puts what an event says of a row among the entries; says whether it says anything new.
    pub fn put(&self, rows: &mut Rows, entry: Entry) -> bool {
        if self.repeats() { put_repeated(rows, entry) } else { put_unique(rows, entry) }
    }

    /// The rows that are there, in the order of what identifies them.
    #[must_use]
    pub fn alive<'a>(&self, rows: &'a Rows) -> Vec<&'a HeldRow> {
        let entries = rows.entries.iter().map(|entry| Ok((&*entry.key, entry.row.as_ref())));
        self.alive_of(entries).unwrap_or_default()
    }

    /// Of entries in their order, what is there. Where rows may repeat, each that is gone takes the one before it along.
    fn alive_of<'a, R>(&self, entries: impl Iterator<Item = Result<(&'a [u8], Option<R>), StoreError>>) -> Result<Vec<R>, StoreError> {
        let (mut alive, mut first, mut last) = (Vec::new(), 0, None);
        for entry in entries {
            let (key, row) = entry?;
            if last != Some(key) {
                (first, last) = (alive.len(), Some(key));
            }
            match row {
                Some(row) => alive.push(row),
                None if self.repeats() && alive.len() > first => drop(alive.pop()),
                None => {}
            }
        }
        Ok(alive)
    }
}

fn put_unique(rows: &mut Rows, entry: Entry) -> bool {
    match rows.entries.binary_search_by(|known| known.key.cmp(&entry.key)) {
        Ok(at) if rows.entries[at].order >= entry.order => return false,
        Ok(at) => rows.entries[at] = entry,
        Err(at) => rows.entries.insert(at, entry),
    }
    let gone = rows.entries.iter().filter(|entry| entry.row.is_none());
    if gone.clone().count() > GONE_KEPT {
        let oldest = gone.map(|entry| entry.order).min();
        if let Some(at) = rows.entries.iter().position(|entry| entry.row.is_none() && Some(entry.order) == oldest) {
            rows.entries.remove(at);
        }
    }
    true
}

fn put_repeated(rows: &mut Rows, entry: Entry) -> bool {
    let place = |known: &Entry| (&known.key, known.order, known.row.is_some()).cmp(&(&entry.key, entry.order, entry.row.is_some()));
    match rows.entries.binary_search_by(place) {
        // Rows of the load may be the same; an event is one.
        Ok(_) if entry.order != Order::LOADED => return false,
        Ok(at) | Err(at) => rows.entries.insert(at, entry),
    }
    true
}

/// The forms of all registers, each with its place.
#[derive(Debug)]
pub struct RowForms {
    /// By name.
    forms: Vec<RowForm>,
}

impl RowForms {
    /// The forms of all declared registers.
    ///
    /// # Errors
    ///
    /// As [`RowForm::new`].
    pub fn new(registers: &Registers) -> Result<Self, ArrowError> {
        Ok(Self { forms: registers.registers.values().map(RowForm::new).collect::<Result<_, ArrowError>>()? })
    }

    /// The place and the form of a register.
    #[must_use]
    pub fn find(&self, register: &str) -> Option<(usize, &RowForm)> {
        let at = self.forms.binary_search_by(|form| (*form.name).cmp(register)).ok()?;
        Some((at, &self.forms[at]))
    }

    /// The form of a register.
    #[must_use]
    pub fn of(&self, register: &str) -> Option<&RowForm> {
        self.find(register).map(|(_, form)| form)
    }

    /// The form of the register in a place.
    #[must_use]
    pub fn at(&self, place: usize) -> Option<&RowForm> {
        self.forms.get(place)
    }

    /// The forms of all registers, by name.
    pub fn all(&self) -> impl Iterator<Item = &RowForm> {
        self.forms.iter()
    }
}
