//! The columns of one batch of dossiers, ready to be read row by row from many threads.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray, UInt32Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt32Type};
use rayon::prelude::*;

use super::{FillError, Filling};
use crate::check::ir::Ty;
use crate::dossier::DossierError;
use crate::register::declaration::SubjectKind;
use crate::store::body::{FactColumn, Layout, Words, Writer};

/// A text column with more different texts than this holds names or numbers: they are written out.
const REPEATED: usize = 4_096;

/// A text that has no number.
const WRITTEN_OUT: u32 = u32::MAX;

/// Text columns of one kind that were found to repeat little.
#[derive(Debug, Default)]
pub(super) struct Entered {
    /// By place of the fact: the texts that it brought in.
    brought: std::collections::HashMap<usize, HashSet<u32>>,
}

/// The columns of a batch.
pub(super) struct Columns {
    pub(super) n_rows: usize,
    columns: Vec<Column>,
}

struct Column {
    values: Values,
    /// Where registers disagree.
    conflicts: Option<BooleanArray>,
}

enum Values {
    /// The dossiers have no such column.
    Absent,
    Bools(BooleanArray),
    Integers(Int64Array),
    Decimals(Decimal128Array),
    Dates(Date32Array),
    Texts {
        texts: StringArray,
        words: Vec<u32>,
    },
    /// Texts by key, with the number of each key's text.
    Keyed {
        keys: UInt32Array,
        texts: StringArray,
        words: Vec<u32>,
    },
}

impl Columns {
    /// Reads the facts of a layout; texts that repeat get numbers.
    pub(super) fn new(layout: &mut Layout, kind: SubjectKind, batch: &RecordBatch, entered: &mut Entered) -> Result<Self, FillError> {
        let facts = &layout.facts[kind as usize];
        let read: Result<Vec<Column>, DossierError> = facts.par_iter().map(|fact| Column::read(fact, batch)).collect();
        let mut columns = read?;
        for (at, column) in columns.iter_mut().enumerate() {
            column.values.number(entered.brought.entry(at).or_default(), &mut layout.words);
        }
        Ok(Self { n_rows: batch.num_rows(), columns })
    }

    /// The facts of a row: which are known, their values, and which are in conflict.
    pub(super) fn write(&self, row: usize, writer: &mut Writer) {
        let start = writer.bytes.len();
        writer.bytes.resize(start + self.columns.len().div_ceil(8), 0);
        for (at, column) in self.columns.iter().enumerate() {
            if column.values.write(row, writer) {
                writer.bytes[start + at / 8] |= 1 << (at % 8);
            }
        }
        let in_conflict = |column: &Column| column.conflicts.as_ref().is_some_and(|array| array.is_valid(row) && array.value(row));
        let conflicts: Vec<usize> = (0..self.columns.len()).filter(|at| in_conflict(&self.columns[*at])).collect();
        writer.count(conflicts.len());
        for at in conflicts {
            writer.count(at);
        }
    }

    /// The text of a fact; none when it is unknown or no text.
    pub(super) fn text(&self, fact: usize, row: usize) -> Option<&str> {
        self.columns[fact].values.text(row)
    }

    /// Where each row is counted: the first known of some facts, or what took that region's place.
    pub(super) fn regions(&self, names: &[String], facts: &[FactColumn], filling: &Filling<'_>) -> Vec<Place> {
        let facts: Vec<usize> = names.iter().filter_map(|name| facts.iter().position(|fact| *fact.name == **name)).collect();
        let (regions, as_of) = (filling.binder.regions, filling.binder.as_of);
        let mut known: std::collections::HashMap<&str, Place> = std::collections::HashMap::new();
        let place = |region: &str| {
            let served: Arc<str> = regions.successor(region, as_of).unwrap_or(region).into();
            let is_inside =
                filling.within.is_none_or(|within| !region.is_empty() && (region == within || regions.contains(within, region, as_of)));
            Place { served, is_inside }
        };
        (0..self.n_rows)
            .map(|row| {
                let region = facts.iter().find_map(|fact| self.columns[*fact].values.text(row)).unwrap_or("");
                known.entry(region).or_insert_with(|| place(region)).clone()
            })
            .collect()
    }
}

/// Where a subject is counted.
#[derive(Clone)]
pub(super) struct Place {
    /// The region's code; empty when unknown.
    pub(super) served: Arc<str>,
    /// Whether the run is about it.
    pub(super) is_inside: bool,
}

impl Column {
    fn read(fact: &FactColumn, batch: &RecordBatch) -> Result<Self, DossierError> {
        let conflicts = batch.column_by_name(&format!("{}!conflict", fact.name));
        let conflicts = conflicts.and_then(|array| array.as_boolean_opt()).filter(|array| array.true_count() > 0).cloned();
        let values = batch.column_by_name(&fact.name).map_or(Ok(Values::Absent), |array| Values::read(fact, array))?;
        Ok(Self { values, conflicts })
    }
}

impl Values {
    fn read(fact: &FactColumn, array: &ArrayRef) -> Result<Self, DossierError> {
        Ok(match (fact.ty, array.data_type()) {
            (Ty::Bool, _) => Self::Bools(cast(array, &DataType::Boolean)?.as_boolean().clone()),
            (Ty::Date, _) => Self::Dates(cast(array, &DataType::Date32)?.as_primitive().clone()),
            (Ty::Number, DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale))
                if fact.scale > 0 =>
            {
                Self::Decimals(cast(array, &DataType::Decimal128(38, *scale))?.as_primitive().clone())
            }
            (Ty::Number, _) => Self::Integers(cast(array, &DataType::Int64)?.as_primitive().clone()),
            (Ty::Text, DataType::Dictionary(..)) => {
                let keyed = cast(array, &DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8)))?;
                let keyed = keyed.as_dictionary::<UInt32Type>();
                Self::Keyed { keys: keyed.keys().clone(), texts: keyed.values().as_string::<i32>().clone(), words: Vec::new() }
            }
            (Ty::Text, _) => Self::Texts { texts: cast(array, &DataType::Utf8)?.as_string::<i32>().clone(), words: Vec::new() },
        })
    }

    /// Gives numbers to texts that repeat.
    fn number(&mut self, brought: &mut HashSet<u32>, all: &mut Words) {
        let mut enter = |text: &str| match all.find(text) {
            Some(word) => word,
            None if brought.len() >= REPEATED => WRITTEN_OUT,
            None => {
                let word = all.enter(text);
                brought.insert(word);
                word
            }
        };
        match self {
            Self::Texts { texts, words } => words.extend(texts.iter().map(|text| text.map_or(WRITTEN_OUT, &mut enter))),
            Self::Keyed { texts, words, .. } => words.extend(texts.iter().map(|text| text.map_or(WRITTEN_OUT, &mut enter))),
            _ => {}
        }
    }

    fn text(&self, row: usize) -> Option<&str> {
        match self {
            Self::Texts { texts, .. } => texts.is_valid(row).then(|| texts.value(row)),
            Self::Keyed { keys, texts, .. } => {
                let key = keys.is_valid(row).then(|| keys.value(row) as usize)?;
                texts.is_valid(key).then(|| texts.value(key))
            }
            _ => None,
        }
    }

    /// Writes the value of a row; says whether there is one.
    fn write(&self, row: usize, writer: &mut Writer) -> bool {
        match self {
            Self::Bools(array) if array.is_valid(row) => writer.byte(u8::from(array.value(row))),
            Self::Integers(array) if array.is_valid(row) => writer.signed(array.value(row)),
            Self::Dates(array) if array.is_valid(row) => writer.signed(i64::from(array.value(row))),
            // Beyond 64 bits a number is unknown, as everywhere.
            Self::Decimals(array) if array.is_valid(row) => match i64::try_from(array.value(row)) {
                Ok(digits) => writer.signed(digits),
                Err(_) => return false,
            },
            Self::Texts { words, .. } => match self.text(row) {
                Some(text) => write_word(writer, words[row], text),
                None => return false,
            },
            Self::Keyed { keys, words, .. } => match self.text(row) {
                Some(text) => write_word(writer, words[keys.value(row) as usize], text),
                None => return false,
            },
            _ => return false,
        }
        true
    }
}

fn write_word(writer: &mut Writer, word: u32, text: &str) {
    writer.word((word != WRITTEN_OUT).then_some(word), text);
}
