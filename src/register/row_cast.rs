//! Casts the columns of a physical batch and decides row by row: sound, one value unknown, or set aside as a whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Date32Type, Int32Type, SchemaRef};

use super::cast::{CastSettings, ColumnCast, mask_without};
use super::cast_text::JudgedDictionary;
use super::declaration::{ColumnType, RegisterColumn, RegisterDeclaration, RegisterTime, schema_of};
use super::physical::PhysicalBatch;
use super::quarantine::{Reason, Scope, shown};
use super::row_keys::{Key, RowKeys};
use crate::diagnostic::{Diagnostic, code};

/// Whether a column takes part in the decision that a row is sound, so that it is always read.
pub(super) fn is_decisive(declaration: &RegisterDeclaration, column: &RegisterColumn) -> bool {
    let is_id = matches!(column.column_type, ColumnType::PersonId | ColumnType::EntityId | ColumnType::HouseholdId);
    is_id || spoils_row(declaration, column)
}

/// Whether a faulty value of the column makes its row useless.
fn spoils_row(declaration: &RegisterDeclaration, column: &RegisterColumn) -> bool {
    let is_open_end = column.null_is.is_some() && matches!(column.column_type, ColumnType::Date | ColumnType::Month);
    needs_value(declaration, column)
        || is_open_end
        || declaration.unique.contains(&column.name)
        || is_time(declaration, &column.name)
        || declaration.recorded_at.as_ref() == Some(&column.name)
}

/// Whether a row without a value in the column is useless.
fn needs_value(declaration: &RegisterDeclaration, column: &RegisterColumn) -> bool {
    let starts = match &declaration.time {
        RegisterTime::State => false,
        RegisterTime::Event(start) | RegisterTime::Valid(start, _) => *start == column.name,
    };
    column.required || column.name == declaration.key || starts
}

fn is_time(declaration: &RegisterDeclaration, name: &str) -> bool {
    match &declaration.time {
        RegisterTime::State => false,
        RegisterTime::Event(column) => column == name,
        RegisterTime::Valid(from, to) => from == name || to == name,
    }
}

/// What is wrong with a row or a value of it.
#[derive(Debug)]
pub(super) struct RowFault {
    /// Row of the physical batch.
    pub(super) row: usize,
    /// Index of the column; none where the row as a whole is at fault.
    pub(super) column: Option<usize>,
    pub(super) value: String,
    pub(super) reason: Reason,
    pub(super) scope: Scope,
    pub(super) subject: Option<String>,
}

/// The sound rows of a physical batch, and what is wrong with the others.
#[derive(Debug)]
pub(super) struct CastRows {
    pub(super) batch: RecordBatch,
    /// Rows of the physical batch that the batch's rows were; none when all are kept.
    pub(super) kept: Option<Vec<usize>>,
    /// The key of each row of the batch; empty where rows may repeat.
    pub(super) keys: Vec<Key>,
    /// By row, then column.
    pub(super) faults: Vec<RowFault>,
    /// Rows of the physical batch with an upgraded identifier, once for each.
    pub(super) upgraded: Vec<usize>,
    pub(super) rows_read: usize,
    /// Row of the file, from 1, of the first row of the physical batch.
    pub(super) first_row: u64,
}

/// What was found of the dictionaries of a row group, by column, for its further batches.
#[derive(Debug, Default)]
pub(super) struct CastMemory(Vec<Option<JudgedDictionary>>);

/// A column whose physical type cannot be read as the declared one.
#[derive(Debug)]
pub(super) struct WrongType {
    column: usize,
    physical: DataType,
}

struct Caster {
    cast: ColumnCast,
    spoils_row: bool,
    needs_value: bool,
}

/// All columns of a register that are read.
pub(super) struct RowCast {
    register: String,
    columns: Vec<Caster>,
    names: Vec<Arc<str>>,
    whole_row: Arc<str>,
    schema: SchemaRef,
    key: Option<usize>,
    unique: Vec<usize>,
    row_keys: RowKeys,
    spell: Option<(usize, usize)>,
}

impl RowCast {
    pub(super) fn new(declaration: &RegisterDeclaration, columns: &[&RegisterColumn], settings: &Arc<CastSettings>) -> Self {
        let position = |name: &String| columns.iter().position(|column| column.name == *name);
        let spell = match &declaration.time {
            RegisterTime::Valid(from, to) => position(from).zip(position(to)),
            _ => None,
        };
        let unique: Vec<usize> = declaration.unique.iter().filter_map(position).collect();
        Self {
            register: declaration.name.clone(),
            row_keys: RowKeys::new(&unique.iter().map(|index| columns[*index].column_type).collect::<Vec<_>>()),
            names: columns.iter().map(|column| column.name.as_str().into()).collect(),
            whole_row: "".into(),
            schema: schema_of(columns.iter().copied(), settings.dictionaries),
            key: position(&declaration.key),
            unique,
            spell,
            columns: columns
                .iter()
                .map(|column| Caster {
                    cast: ColumnCast::new(column, settings),
                    spoils_row: spoils_row(declaration, column),
                    needs_value: needs_value(declaration, column),
                })
                .collect(),
        }
    }

    /// The name of a column; empty for the row as a whole.
    pub(super) fn name(&self, column: Option<usize>) -> Arc<str> {
        column.map_or_else(|| Arc::clone(&self.whole_row), |index| Arc::clone(&self.names[index]))
    }

    pub(super) fn cast(&self, physical: PhysicalBatch, memory: &mut CastMemory) -> Result<CastRows, WrongType> {
        memory.0.resize_with(self.columns.len(), || None);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        let mut cells = Vec::new();
        let mut upgraded = Vec::new();
        // The first fault of each useless row.
        let mut useless: BTreeMap<usize, (Option<usize>, Reason, String)> = BTreeMap::new();
        for (row, reason, value) in physical.broken {
            useless.insert(row, (None, reason, value));
        }
        for (index, (caster, array)) in self.columns.iter().zip(&physical.columns).enumerate() {
            let Some(cast) = caster.cast.cast(array, &mut memory.0[index]) else {
                return Err(WrongType { column: index, physical: array.data_type().clone() });
            };
            for fault in cast.faults {
                if caster.spoils_row {
                    useless.entry(fault.row).or_insert((Some(index), fault.reason, fault.value));
                } else {
                    cells.push((fault.row, index, fault.reason, fault.value));
                }
            }
            if let Some(nulls) = cast.array.nulls().filter(|nulls| caster.needs_value && nulls.null_count() > 0) {
                for row in (0..physical.rows).filter(|row| nulls.is_null(*row)) {
                    useless.entry(row).or_insert((Some(index), Reason::MissingRequired, String::new()));
                }
            }
            upgraded.extend(cast.upgraded);
            arrays.push(cast.array);
        }
        self.find_backward_spells(&arrays, &mut useless);
        cells.retain(|(row, ..)| !useless.contains_key(row));
        upgraded.retain(|row| !useless.contains_key(row));
        let faults = self.faults(&arrays, cells, &useless);
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).expect("columns are cast to the schema");
        let kept = (!useless.is_empty()).then(|| (0..physical.rows).filter(|row| !useless.contains_key(row)).collect());
        let batch = match &kept {
            None => batch,
            Some(_) => {
                filter_record_batch(&batch, &mask_without(physical.rows, useless.into_keys())).expect("the mask has the batch's length")
            }
        };
        let keys = self.keys(&batch);
        Ok(CastRows { batch, kept, keys, faults, upgraded, rows_read: physical.rows, first_row: physical.first_row })
    }

    /// Whether a second row with the same key is set aside.
    pub(super) fn has_keys(&self) -> bool {
        !self.unique.is_empty()
    }

    fn keys(&self, batch: &RecordBatch) -> Vec<Key> {
        if self.unique.is_empty() {
            return Vec::new();
        }
        let columns: Vec<ArrayRef> = self.unique.iter().map(|index| Arc::clone(batch.column(*index))).collect();
        self.row_keys.keys(&columns, batch.num_rows())
    }

    /// A spell that ends before it begins holds on no day.
    fn find_backward_spells(&self, arrays: &[ArrayRef], useless: &mut BTreeMap<usize, (Option<usize>, Reason, String)>) {
        let Some((from_index, to_index)) = self.spell else { return };
        let (from, to) = (arrays[from_index].as_primitive::<Date32Type>(), arrays[to_index].as_primitive::<Date32Type>());
        // What stands under nulls may look backward, and is looked at again.
        let backward = |from: &[i32], to: &[i32]| from.iter().zip(to).map(|(from, to)| u32::from(to < from)).sum::<u32>() > 0;
        if !backward(from.values(), to.values()) {
            return;
        }
        for (row, spell) in from.iter().zip(to.iter()).enumerate() {
            if let (Some(from), Some(to)) = spell
                && to < from
            {
                let shown = Date32Type::to_naive_date_opt(to).map_or_else(String::new, |date| date.to_string());
                useless.entry(row).or_insert((Some(to_index), Reason::OutOfRange, shown));
            }
        }
    }

    fn faults(
        &self,
        arrays: &[ArrayRef],
        cells: Vec<(usize, usize, Reason, String)>,
        useless: &BTreeMap<usize, (Option<usize>, Reason, String)>,
    ) -> Vec<RowFault> {
        let of_cells = cells.into_iter().map(|(row, column, reason, value)| (row, Some(column), reason, value, Scope::Cell));
        let of_rows = useless.iter().map(|(row, (column, reason, value))| (*row, *column, *reason, value.clone(), Scope::Row));
        let mut faults: Vec<RowFault> = of_rows
            .chain(of_cells)
            .map(|(row, column, reason, value, scope)| RowFault { row, column, value, reason, scope, subject: self.subject(arrays, row) })
            .collect();
        faults.sort_by_key(|fault| (fault.row, fault.column));
        faults
    }

    fn subject(&self, arrays: &[ArrayRef], row: usize) -> Option<String> {
        text_at(&arrays[self.key?], row).map(str::to_owned)
    }

    /// The fault of a row of the batch that repeats an earlier one.
    pub(super) fn repeated(&self, rows: &CastRows, index: usize) -> RowFault {
        let column = self.unique.first().copied();
        let value = column.map_or_else(String::new, |column| {
            let text = text_at(rows.batch.column(column), index);
            text.map_or_else(String::new, |text| shown(&self.columns[column].cast.column, text))
        });
        RowFault {
            row: rows.kept.as_ref().map_or(index, |kept| kept[index]),
            column,
            value,
            reason: Reason::DuplicateKey,
            scope: Scope::Row,
            subject: self.subject(rows.batch.columns(), index),
        }
    }

    /// The diagnostic for a column of another type.
    pub(super) fn wrong_type(&self, file: &Path, fault: &WrongType) -> Box<Diagnostic> {
        let (register, path, name, physical) = (&self.register, file.display(), &self.names[fault.column], &fault.physical);
        let declared = self.columns[fault.column].cast.column.column_type.arrow_type();
        Box::new(
            Diagnostic::new(
                &code::FILE_UNREADABLE,
                format!("库 {register} 的列“{name}”在文件里是 {physical}, 不能读作 {declared}: {path}"),
                format!("column `{name}` of register {register} is {physical} in the file and cannot be read as {declared}: {path}"),
            )
            .help(
                format!("让来源单位按声明的类型提供 {path}, 或改正声明"),
                format!("have {path} delivered with the declared type, or mend the declaration"),
            ),
        )
    }
}

/// The text in a row of a column of texts, as a dictionary or not.
fn text_at(array: &ArrayRef, row: usize) -> Option<&str> {
    if array.is_null(row) {
        return None;
    }
    if let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() {
        return Some(dictionary.values().as_string_opt::<i32>()?.value(dictionary.key(row)?));
    }
    Some(array.as_string_opt::<i32>()?.value(row))
}
