//! A feed: what one register gives to the plans, already evaluated row by row and split into shards.
//!
//! A register is read once, whatever the number of its facts. For each row a feed keeps the identifier that it is
//! grouped by, and the conditions and values that aggregates need, each distinct one once. Shard files are Arrow IPC.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::FileWriter;

use super::DossierError;
use crate::check::ir::{Expr, Ty};

/// The Arrow type of a stored value.
#[must_use]
pub fn data_type(ty: Ty, scale: u8) -> DataType {
    match ty {
        Ty::Bool => DataType::Boolean,
        Ty::Number if scale == 0 => DataType::Int64,
        Ty::Number => DataType::Decimal128(18, 2),
        Ty::Date => DataType::Date32,
        Ty::Text => DataType::Utf8,
    }
}

/// One evaluated column of a feed.
#[derive(Debug, Clone, PartialEq)]
pub struct FeedColumn {
    /// Name.
    pub name: String,
    /// What it is evaluated from.
    pub expr: Expr,
    /// Digits behind the point, for numbers: 0 or 2.
    pub scale: u8,
}

/// What is to be kept of each row.
#[derive(Debug, Clone)]
pub struct FeedPlan {
    /// Name of the feed's table.
    pub name: String,
    /// The register.
    pub register: String,
    /// The column whose value becomes `id`.
    pub key: String,
    /// Evaluated columns.
    pub columns: Vec<FeedColumn>,
    /// Rows for which this is not yes are left out.
    pub filter: Option<Expr>,
}

impl FeedPlan {
    /// A feed that keeps nothing yet.
    #[must_use]
    pub fn new(name: String, register: &str, key: &str) -> Self {
        Self { name, register: register.to_owned(), key: key.to_owned(), columns: Vec::new(), filter: None }
    }

    /// The name of the column with an expression's value; the same expression has one column.
    pub fn column(&mut self, expr: &Expr, scale: u8) -> String {
        if let Some(found) = self.columns.iter().find(|column| column.expr.kind == expr.kind && column.scale == scale) {
            return found.name.clone();
        }
        let name = format!("x{}", self.columns.len());
        self.columns.push(FeedColumn { name: name.clone(), expr: expr.clone(), scale });
        name
    }

    /// The Arrow schema of the feed's files.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        let mut fields = vec![Field::new("id", DataType::Utf8, false), Field::new("renumbered", DataType::Boolean, false)];
        fields.extend(self.columns.iter().map(|column| Field::new(&column.name, data_type(column.expr.ty, column.scale), true)));
        Arc::new(Schema::new(fields))
    }
}

/// The shard of an identifier: FNV-1a over its bytes, the same on every machine.
#[must_use]
pub fn shard_of(id: &str, shards: usize) -> usize {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    usize::try_from((hash ^ (hash >> 32)) % shards as u64).unwrap_or(0)
}

/// Writes batches to one IPC file per shard, by the column `id`.
pub struct ShardWriter {
    schema: SchemaRef,
    writers: Vec<FileWriter<BufWriter<File>>>,
    /// Rows written.
    pub rows: u64,
}

impl ShardWriter {
    /// Files `<directory>/<name>/<shard>.arrow`.
    ///
    /// # Errors
    ///
    /// When a file cannot be made.
    pub fn create(directory: &Path, name: &str, schema: &SchemaRef, shards: usize) -> Result<Self, DossierError> {
        let folder = directory.join(name);
        std::fs::create_dir_all(&folder).map_err(|error| DossierError::scratch(&folder, &error))?;
        let writers = (0..shards)
            .map(|shard| {
                let path = shard_file(directory, name, shard);
                let file = File::create(&path).map_err(|error| DossierError::scratch(&path, &error))?;
                Ok(FileWriter::try_new(BufWriter::with_capacity(1 << 18, file), schema)?)
            })
            .collect::<Result<_, DossierError>>()?;
        Ok(Self { schema: Arc::clone(schema), writers, rows: 0 })
    }

    /// Writes the rows of a batch, whose first column is `id`.
    ///
    /// # Errors
    ///
    /// When writing fails, for example for want of space.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), DossierError> {
        self.rows += batch.num_rows() as u64;
        if let [only] = self.writers.as_mut_slice() {
            only.write(batch)?;
            return Ok(());
        }
        let ids: &StringArray = batch.column(0).as_string();
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); self.writers.len()];
        for (row, id) in (0_u32..).zip(ids.iter()) {
            rows[shard_of(id.unwrap_or(""), self.writers.len())].push(row);
        }
        for (writer, rows) in self.writers.iter_mut().zip(rows) {
            if rows.is_empty() {
                continue;
            }
            let rows = UInt32Array::from(rows);
            let columns: Vec<ArrayRef> = batch.columns().iter().map(|column| take(column, &rows, None)).collect::<Result<_, _>>()?;
            writer.write(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)?;
        }
        Ok(())
    }

    /// Ends all files.
    ///
    /// # Errors
    ///
    /// When writing fails.
    pub fn finish(mut self) -> Result<u64, DossierError> {
        for writer in &mut self.writers {
            writer.finish()?;
        }
        Ok(self.rows)
    }
}

/// The file of one shard.
#[must_use]
pub fn shard_file(directory: &Path, name: &str, shard: usize) -> PathBuf {
    directory.join(name).join(format!("{shard}.arrow"))
}

/// The feeds of a build by register and key, made as facts ask for them.
#[derive(Debug, Default)]
pub struct Feeds {
    by_name: BTreeMap<String, FeedPlan>,
}

impl Feeds {
    /// The feed of a register grouped by a column.
    pub fn of(&mut self, register: &str, key: &str) -> &mut FeedPlan {
        let name = format!("feed_{register}_by_{key}");
        self.by_name.entry(name.clone()).or_insert_with(|| FeedPlan::new(name, register, key))
    }

    /// The feed of a link: rows that its filter lets pass, with the other end in `target`.
    pub fn of_link(&mut self, link: &str, from: &str, register: &str, key: &str) -> &mut FeedPlan {
        let name = format!("link_{from}_{link}");
        self.by_name.entry(name.clone()).or_insert_with(|| FeedPlan::new(name, register, key))
    }

    /// All feeds by register.
    #[must_use]
    pub fn by_register(self) -> BTreeMap<String, Vec<FeedPlan>> {
        let mut found: BTreeMap<String, Vec<FeedPlan>> = BTreeMap::new();
        for feed in self.by_name.into_values() {
            found.entry(feed.register.clone()).or_default().push(feed);
        }
        found
    }
}
