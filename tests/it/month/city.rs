//! A small city whose registers change: as rows in memory, written to files for the night and told as events to the stream.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::util::display::array_value_to_string;
use chrono::{Datelike, Days, NaiveDate};
use mianshen::register::declaration::{ColumnType, RegisterDeclaration};
use mianshen::register::{ReadOptions, Sources, open};
use serde_json::{Value, json};

use crate::outcome::POLICIES;
use crate::support::run;

type Row = Vec<Option<String>>;

/// A register's rows.
struct Table {
    declared: RegisterDeclaration,
    columns: Vec<String>,
    rows: Vec<Row>,
    /// Rows that were deleted, and may come back.
    gone: Vec<Row>,
}

/// The city.
pub(super) struct City {
    folder: PathBuf,
    tables: BTreeMap<String, Table>,
    dice: u64,
    events: u64,
    people: u64,
}

/// Registers whose rows change at random: all but those of which each row is made on purpose.
const ON_PURPOSE: [&str; 4] = ["identity_links", "grants_paid", "refusals", "death"];

impl City {
    /// A city as of a day.
    pub(super) fn new(folder: &Path, persons: u64, day: NaiveDate) -> Self {
        let made = folder.join("made");
        let (persons, out) = (persons.to_string(), made.to_str().expect("UTF-8"));
        let ran = run(&["generate", "--persons", &persons, "--seed", "7", "--data-day", &day.to_string(), "--small-sample", "--out", out]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let policies = Path::new(POLICIES);
        let (registers, _) = mianshen::register::load(policies);
        let (regions, _) = mianshen::region::load(policies);
        let sources = Sources::load(&made.join("sources.yaml")).expect("its sources");
        let mut tables = BTreeMap::new();
        for (name, declared) in &registers.registers {
            let Some(source) = sources.get(name) else { continue };
            let mut rows = Vec::new();
            let mut reader = open(declared, source, &regions, &ReadOptions::default()).expect("opened");
            let mut columns = Vec::new();
            for batch in reader.by_ref() {
                let batch = batch.expect("read");
                columns = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
                let value = |row: usize, column: usize| {
                    let column = batch.column(column);
                    let text = array_value_to_string(column, row).expect("a value");
                    // What goes on without an end is read as ending on the last of all days.
                    (column.is_valid(row) && !text.starts_with("9999-12-")).then_some(text)
                };
                rows.extend((0..batch.num_rows()).map(|row| (0..batch.num_columns()).map(|column| value(row, column)).collect::<Row>()));
            }
            tables.insert(name.clone(), Table { declared: declared.clone(), columns, rows, gone: Vec::new() });
        }
        assert!(tables.len() > 20, "{} registers", tables.len());
        Self { folder: folder.to_owned(), tables, dice: 0x9e37_79b9_7f4a_7c15, events: 0, people: 0 }
    }

    /// The names of the registers.
    pub(super) fn registers(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    /// A number below another: the same at every run.
    fn roll(&mut self, below: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        usize::try_from(self.dice % below as u64).expect("small")
    }

    /// Writes all registers, speaking for a day; gives where their sources are told.
    pub(super) fn write(&self, day: NaiveDate) -> String {
        let out = self.folder.join("registers");
        std::fs::create_dir_all(&out).expect("made");
        let mut text = "data_root: .\nsources:\n".to_owned();
        for (name, table) in &self.tables {
            let mut writer = csv::Writer::from_path(out.join(format!("{name}.csv"))).expect("a file");
            writer.write_record(&table.columns).expect("written");
            for row in &table.rows {
                writer.write_record(row.iter().map(|value| value.as_deref().unwrap_or(""))).expect("written");
            }
            writer.flush().expect("written");
            text.push_str(&format!("  {name}: {{path: {name}.csv, format: csv, data_day: {day}}}\n"));
        }
        let path = out.join("sources.yaml");
        std::fs::write(&path, text).expect("written");
        path.to_str().expect("UTF-8").to_owned()
    }

    /// What happens on a day: each change is made, and told as an event.
    pub(super) fn live(&mut self, day: NaiveDate) -> Vec<String> {
        let mut events = Vec::new();
        for _ in 0..2 {
            events.extend(self.death(day));
            events.extend(self.birth(day));
            events.push(self.payment(day));
        }
        events.extend(self.renumbering(day));
        for _ in 0..8 {
            events.push(self.move_house(day));
        }
        for _ in 0..24 {
            events.extend(self.correction(day));
        }
        for _ in 0..4 {
            events.extend(self.deletion(day));
            events.extend(self.return_of_a_row(day));
        }
        events
    }

    fn event(&mut self, register: &str, op: &str, before: Option<&Row>, after: Option<&Row>, day: NaiveDate) -> String {
        self.events += 1;
        let columns = &self.tables[register].columns;
        let object = |row: &Row| -> Value {
            let value = |value: &Option<String>| value.as_ref().map_or(Value::Null, |text| json!(text));
            columns.iter().cloned().zip(row.iter().map(value)).collect::<serde_json::Map<String, Value>>().into()
        };
        let mut event = json!({"register": register, "op": op, "time": format!("{day}T08:00:00+08:00"), "position": self.events});
        for (key, row) in [("before", before), ("after", after)] {
            if let Some(row) = row {
                event[key] = object(row);
            }
        }
        event.to_string()
    }

    fn column(&self, register: &str, name: &str) -> usize {
        self.tables[register].columns.iter().position(|column| column == name).unwrap_or_else(|| panic!("{register}.{name}"))
    }

    fn insert(&mut self, register: &str, row: Row, day: NaiveDate) -> String {
        let event = self.event(register, "insert", None, Some(&row), day);
        self.tables.get_mut(register).expect("a register").rows.push(row);
        event
    }

    /// Puts another row in the place of one.
    fn update(&mut self, register: &str, at: usize, row: Row, day: NaiveDate) -> String {
        let before = self.tables[register].rows[at].clone();
        let event = self.event(register, "update", Some(&before), Some(&row), day);
        self.tables.get_mut(register).expect("a register").rows[at] = row;
        event
    }

    /// A row made of some values; the others are empty.
    fn row(&self, register: &str, values: &[(&str, &str)]) -> Row {
        let mut row = vec![None; self.tables[register].columns.len()];
        for (name, value) in values {
            row[self.column(register, name)] = Some((*value).to_owned());
        }
        row
    }

    fn somebody(&mut self) -> (usize, String) {
        let at = self.roll(self.tables["population"].rows.len());
        let id = self.tables["population"].rows[at][self.column("population", "person_id")].clone();
        (at, id.expect("an identifier"))
    }

    fn death(&mut self, day: NaiveDate) -> Option<String> {
        let born = self.column("population", "birth_date");
        // The old die more often.
        let some: Vec<(usize, String)> = (0..40).map(|_| self.somebody()).collect();
        let (_, id) = some.into_iter().min_by_key(|(at, _)| self.tables["population"].rows[*at][born].clone())?;
        let column = self.column("death", "person_id");
        if self.tables["death"].rows.iter().any(|row| row[column].as_deref() == Some(&*id)) {
            return None;
        }
        let (on, recorded) = ((day - Days::new(3)).to_string(), day.to_string());
        let row = self.row("death", &[("person_id", &id), ("death_date", &on), ("recorded_on", &recorded)]);
        Some(self.insert("death", row, day))
    }

    /// A child is born to somebody who has had one: listed, registered, and a member of the mother's household.
    fn birth(&mut self, day: NaiveDate) -> Vec<String> {
        let at = self.roll(self.tables["birth"].rows.len());
        let mut birth = self.tables["birth"].rows[at].clone();
        let elder = birth[self.column("birth", "person_id")].clone();
        let column = self.column("population", "person_id");
        let Some(like) = self.tables["population"].rows.iter().find(|row| row[column] == elder).cloned() else { return Vec::new() };
        let born = day - Days::new(1);
        let id = self.new_id(&elder.clone().expect("an identifier")[..6], born);
        let mut events = Vec::new();
        let mut person = like;
        person[column] = Some(id.clone());
        let birth_date = self.column("population", "birth_date");
        person[birth_date] = Some(born.to_string());
        events.push(self.insert("population", person, day));
        for (name, value) in [("person_id", id.clone()), ("birth_date", born.to_string()), ("recorded_on", day.to_string())] {
            let column = self.column("birth", name);
            birth[column] = Some(value);
        }
        events.push(self.insert("birth", birth, day));
        let member = self.column("household_membership", "person_id");
        if let Some(mut row) = self.tables["household_membership"].rows.iter().find(|row| row[member] == elder).cloned() {
            row[member] = Some(id);
            let from = self.column("household_membership", "from_date");
            row[from] = Some(born.to_string());
            let to = self.column("household_membership", "to_date");
            row[to] = None;
            events.push(self.insert("household_membership", row, day));
        }
        events
    }

    /// A number that nobody had before (GB 11643).
    fn new_id(&mut self, region: &str, born: NaiveDate) -> String {
        self.people += 1;
        let seventeen = format!("{region}{:04}{:02}{:02}{:03}", born.year(), born.month(), born.day(), 999 - self.people % 400);
        let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
        let sum: u32 = seventeen.chars().zip(weights).map(|(digit, weight)| digit.to_digit(10).expect("a digit") * weight).sum();
        format!("{seventeen}{}", ["1", "0", "X", "9", "8", "7", "6", "5", "4", "3", "2"][sum as usize % 11])
    }

    /// Somebody gets a new number: rows stay under the one of before.
    fn renumbering(&mut self, day: NaiveDate) -> Option<String> {
        let (_, id) = self.somebody();
        let (old, new) = (self.column("identity_links", "old_id"), self.column("identity_links", "new_id"));
        let is_linked = |row: &Row| row[old].as_deref() == Some(&*id) || row[new].as_deref() == Some(&*id);
        if self.tables["identity_links"].rows.iter().any(is_linked) {
            return None;
        }
        let born = NaiveDate::parse_from_str(&id[6..14], "%Y%m%d").ok()?;
        let today = self.new_id(&id[..6], born);
        let values = [("old_id", id.as_str()), ("new_id", &today), ("kind", "renumbered"), ("on_date", &day.to_string())];
        let row = self.row("identity_links", &values);
        Some(self.insert("identity_links", row, day))
    }

    /// A department pays beside the ledger.
    fn payment(&mut self, day: NaiveDate) -> String {
        let (_, id) = self.somebody();
        let period = day.format("%Y-%m").to_string();
        let paid = [
            ("subject_kind", "person"),
            ("subject_id", id.as_str()),
            ("policy", "990100-MZ-0007"),
            ("period", &period),
            ("amount", "100.00"),
            ("paid_on", &day.to_string()),
        ];
        let row = self.row("grants_paid", &paid);
        self.insert("grants_paid", row, day)
    }

    /// Somebody moves to where somebody else lives.
    fn move_house(&mut self, day: NaiveDate) -> String {
        let ((at, _), (other, _)) = (self.somebody(), self.somebody());
        let mut row = self.tables["population"].rows[at].clone();
        for name in ["hukou_region", "residence_region"] {
            let column = self.column("population", name);
            row[column].clone_from(&self.tables["population"].rows[other][column]);
        }
        self.update("population", at, row, day)
    }

    /// A register whose rows change at random; those of persons come up more often.
    fn some_register(&mut self) -> String {
        const OFTEN: [&str; 5] = ["income_assessment", "disability_cards", "social_assistance", "employment_contracts", "legal_entity"];
        if self.roll(2) == 0 {
            return OFTEN[self.roll(OFTEN.len())].to_owned();
        }
        let all: Vec<String> = self.tables.keys().filter(|name| !ON_PURPOSE.contains(&name.as_str())).cloned().collect();
        all[self.roll(all.len())].clone()
    }

    /// One value of a row becomes that of another row: no identifier, no day, and nothing that tells the row from others.
    fn correction(&mut self, day: NaiveDate) -> Option<String> {
        let register = self.some_register();
        let table = &self.tables[&register];
        let declared = &table.declared;
        let is_free = |at: &usize| {
            let column = &declared.columns[*at];
            let kind = matches!(
                column.column_type,
                ColumnType::Money | ColumnType::Int | ColumnType::Bool | ColumnType::Code | ColumnType::Region
            );
            kind && column.name != declared.key && !declared.unique.contains(&column.name)
        };
        let free: Vec<usize> = (0..declared.columns.len()).filter(is_free).collect();
        let count = table.rows.len();
        if free.is_empty() || count == 0 {
            return None;
        }
        let (at, other, column) = (self.roll(count), self.roll(count), free[self.roll(free.len())]);
        let rows = &self.tables[&register].rows;
        let mut row = rows[at].clone();
        row[column].clone_from(&rows[other][column]);
        (row != rows[at]).then(|| self.update(&register, at, row, day))
    }

    fn deletion(&mut self, day: NaiveDate) -> Option<String> {
        let register = self.some_register();
        let count = self.tables[&register].rows.len();
        if count < 10 {
            return None;
        }
        let at = self.roll(count);
        let table = self.tables.get_mut(&register).expect("a register");
        let row = table.rows.remove(at);
        table.gone.push(row.clone());
        Some(self.event(&register, "delete", Some(&row), None, day))
    }

    /// A row that was deleted comes back.
    fn return_of_a_row(&mut self, day: NaiveDate) -> Option<String> {
        let names: Vec<String> = self.tables.iter().filter(|(_, table)| !table.gone.is_empty()).map(|(name, _)| name.clone()).collect();
        if names.is_empty() {
            return None;
        }
        let name = names[self.roll(names.len())].clone();
        let row = self.tables.get_mut(&name).expect("a register").gone.remove(0);
        Some(self.insert(&name, row, day))
    }
}
