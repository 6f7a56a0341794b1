//! The registers of one chunk as they fill up: clean rows go in, dirt falls on them here and is counted.

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

use super::dice::Dice;
use super::dirt::{Becomes, FAULTS, Fault, REWRITES};
use super::identifier::Id;
use super::layout::{LAYOUTS, Register};
use super::planted::Planted;
use super::table::{Cell, Table, schema};

/// The row of a kind, in the first chunk, that takes a fault whatever its rate.
const CERTAIN: u32 = 3;

/// A fault or slip that happens now and then, and surely once in a city.
#[derive(Clone, Copy, Default)]
pub(super) struct Slip {
    seen: u32,
}

impl Slip {
    /// Whether it happens to this candidate.
    pub(super) fn happens(&mut self, dice: &mut Dice, first_chunk: bool, rate: u32) -> bool {
        self.seen = self.seen.saturating_add(1);
        let drawn = dice.chance(rate);
        drawn || (first_chunk && self.seen == CERTAIN)
    }
}

/// The registers of one chunk.
pub(super) struct Books {
    tables: Vec<Table>,
    faults: Vec<Vec<(Fault, Slip)>>,
    rewrites: Vec<Slip>,
    dice: Dice,
    first_chunk: bool,
    /// What was planted so far.
    pub(super) planted: Planted,
}

impl Books {
    /// Empty registers; `csv` names the register whose days are written as in a spreadsheet.
    pub(super) fn new(dice: Dice, first_chunk: bool, csv: Option<Register>) -> Self {
        let mut tables = Vec::with_capacity(LAYOUTS.len());
        let mut faults = vec![Vec::new(); LAYOUTS.len()];
        for layout in LAYOUTS {
            let as_csv = csv.is_some_and(|register| register.layout().name == layout.name);
            let schema = schema(layout, as_csv);
            let format = if as_csv { "%Y/%m/%d" } else { "%Y-%m-%d" };
            for fault in FAULTS.iter().filter(|fault| fault.register.layout().name == layout.name) {
                let text = schema.field_with_name(fault.column).is_ok_and(|field| *field.data_type() == DataType::Utf8);
                if text || matches!(fault.becomes, Becomes::Null | Becomes::Same) {
                    faults[fault.register as usize].push((*fault, Slip::default()));
                }
            }
            tables.push(Table::new(&schema, format));
        }
        let rewrites = vec![Slip::default(); REWRITES.len()];
        Self { tables, faults, rewrites, dice, first_chunk, planted: Planted::default() }
    }

    /// Adds a clean row, then what the dirt makes of it.
    pub(super) fn push(&mut self, register: Register, cells: &[Cell<'_>]) {
        self.push_tidy(register, cells);
        for index in 0..self.faults[register as usize].len() {
            let (fault, slip) = &mut self.faults[register as usize][index];
            let rate = fault.rate;
            if slip.happens(&mut self.dice, self.first_chunk, rate) {
                let fault = *fault;
                self.push_faulty(&fault, index, cells);
            }
        }
    }

    /// Adds a clean row that no fault may copy; its identifier may still need tidying.
    pub(super) fn push_tidy(&mut self, register: Register, cells: &[Cell<'_>]) {
        let key = register.layout().key;
        for (index, (of, rewrite, rate)) in REWRITES.iter().enumerate() {
            let Cell::Text(id) = cells[key] else { continue };
            if *of != register {
                continue;
            }
            let Some(spoiled) = rewrite.apply(id) else { continue };
            if self.rewrites[index].happens(&mut self.dice, self.first_chunk, *rate) {
                self.note_rewrite(register, rewrite.name(), id);
                let mut cells = cells.to_vec();
                cells[key] = Cell::Text(&spoiled);
                self.tables[register as usize].push(&cells);
                return;
            }
        }
        self.tables[register as usize].push(cells);
    }

    fn note_rewrite(&mut self, register: Register, rewrite: &str, id: &str) {
        let name = register.layout().name.to_owned();
        let tally = if rewrite == "old-form" {
            self.planted.upgraded_ids.entry(name).or_default()
        } else {
            let of_register = self.planted.normalised_ids.entry(name).or_default();
            of_register.entry(rewrite.to_owned()).or_default()
        };
        tally.note(id);
    }

    fn push_faulty(&mut self, fault: &Fault, index: usize, cells: &[Cell<'_>]) {
        let layout = fault.register.layout();
        let place = |name: &str| layout.columns.iter().position(|(column, _)| *column == name);
        let text_at = |at: usize| match cells[at] {
            Cell::Text(text) => text,
            _ => "",
        };
        let Some(column) = place(fault.column) else { return };
        let fresh_at = fault.fresh.and_then(place);
        let fresh = fresh_at.map_or_else(String::new, |at| format!("{}-{index}", text_at(at)));
        let spoiled = if matches!(fault.becomes, Becomes::Spoiled) { Id::spoiled(text_at(column)) } else { String::new() };
        let mut copy = cells.to_vec();
        match fault.becomes {
            Becomes::Same => {}
            Becomes::Spoiled => copy[column] = Cell::Text(&spoiled),
            Becomes::Text(text) => copy[column] = Cell::Text(text),
            Becomes::Null => copy[column] = Cell::Null,
        }
        if let Some(at) = fresh_at {
            copy[at] = Cell::Text(&fresh);
        }
        self.tables[fault.register as usize].push(&copy);
        let Cell::Text(key) = copy[layout.key] else { return };
        let of_register = self.planted.quarantine.entry(layout.name.to_owned()).or_default();
        of_register.entry(fault.reason.name().to_owned()).or_default().note(key);
    }

    /// The filled registers, in the order of [`LAYOUTS`], and what was planted in them.
    pub(super) fn finish(mut self) -> Result<(Vec<RecordBatch>, Planted), ArrowError> {
        for (layout, table) in LAYOUTS.iter().zip(&self.tables) {
            self.planted.rows.insert(layout.name.to_owned(), table.n_rows() as u64);
        }
        let batches = self.tables.into_iter().map(Table::finish).collect::<Result<_, _>>()?;
        Ok((batches, self.planted))
    }
}
