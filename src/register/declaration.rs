//! What a register is: keeper, subject, key, time, what absence means, columns, and the facts that it yields.
//!
//! Types only; `declaration_from_yaml.rs` reads them. Expressions are kept as syntax trees with the YAML node they
//! were written in, so that checking can point into them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::NaiveDate;

use crate::criteria::ast::Expr;
use crate::diagnostic::{Message, Span};
use crate::region::{COUNTRY, RegionTree};
use crate::yaml::Node;

/// Who is judged or described.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// A natural person, by GB 11643 number.
    Person,
    /// A household, by its own identity.
    Household,
    /// A legal entity, by GB 32100 code.
    Entity,
}

impl SubjectKind {
    /// All kinds, in the order of results.
    pub const ALL: [Self; 3] = [Self::Person, Self::Household, Self::Entity];

    /// The words in files and columns.
    pub const WORDS: [(&str, Self); 3] = [("person", Self::Person), ("household", Self::Household), ("entity", Self::Entity)];

    /// The word in files and columns.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Household => "household",
            Self::Entity => "entity",
        }
    }

    /// The kind of a word in files and columns.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }

    /// The name of the identifier column.
    #[must_use]
    pub fn id_column(self) -> &'static str {
        match self {
            Self::Person => "person_id",
            Self::Household => "household_id",
            Self::Entity => "entity_id",
        }
    }
}

impl fmt::Display for SubjectKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The type of a register's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// Any text, NFKC and trimmed. Arrow Utf8.
    Text,
    /// Whole number. Arrow Int64.
    Int,
    /// Money, two places. Arrow Decimal128(18, 2).
    Money,
    /// Arrow Boolean.
    Bool,
    /// Arrow Date32.
    Date,
    /// A month, as its first day. Arrow Date32.
    Month,
    /// A code of the column's list. Arrow Utf8.
    Code,
    /// A region code of the tree. Arrow Utf8.
    Region,
    /// GB 11643, normalised. Arrow Utf8.
    PersonId,
    /// GB 32100, normalised. Arrow Utf8.
    EntityId,
    /// Trimmed text. Arrow Utf8.
    HouseholdId,
}

impl ColumnType {
    /// How values of the type stand in memory.
    #[must_use]
    pub fn arrow_type(self) -> DataType {
        match self {
            Self::Text | Self::Code | Self::Region | Self::PersonId | Self::EntityId | Self::HouseholdId => DataType::Utf8,
            Self::Int => DataType::Int64,
            Self::Money => DataType::Decimal128(18, 2),
            Self::Bool => DataType::Boolean,
            Self::Date | Self::Month => DataType::Date32,
        }
    }

    /// Whether values are texts of which the same few stand in many rows, so that a dictionary is their better form.
    pub(super) fn repeats(self) -> bool {
        matches!(self, Self::Text | Self::Code | Self::Region)
    }

    /// How values are given: texts that repeat as dictionaries where these are asked for.
    pub(super) fn given_type(self, dictionaries: bool) -> DataType {
        let kind = self.arrow_type();
        if dictionaries && self.repeats() { DataType::Dictionary(Box::new(DataType::Int32), Box::new(kind)) } else { kind }
    }
}

/// When the rows of a register are true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisterTime {
    /// The rows describe the data day.
    State,
    /// A row happened on the day in this column.
    Event(String),
    /// A row holds from the day in the first column to the one in the second, both included.
    Valid(String, String),
}

/// What it means that a subject has no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// No row means "no", zero, never happened, within the coverage.
    Complete,
    /// No row means unknown.
    Partial,
}

/// One column of a register.
#[derive(Debug, Clone)]
pub struct RegisterColumn {
    /// Name in snake case, the same in files unless `sources.yaml` maps it.
    pub name: String,
    /// For people.
    pub label: Message,
    /// Type.
    pub column_type: ColumnType,
    /// Unit, as `CNY/month`.
    pub unit: Option<String>,
    /// The code list with labels, for codes.
    pub codes: BTreeMap<String, Message>,
    /// Whether it must be masked when shown.
    pub sensitive: bool,
    /// What null means, where it means something known: for the end of a spell, that it still goes on (read as 9999-12-31).
    pub null_is: Option<String>,
    /// A row without it is quarantined.
    pub required: bool,
    /// The least value taken, for numbers.
    pub minimum: Option<i64>,
    /// The greatest value taken, for numbers.
    pub maximum: Option<i64>,
}

/// An expression as written, with its place.
#[derive(Debug, Clone)]
pub struct Written {
    /// The syntax tree.
    pub expr: Expr,
    /// The YAML scalar that it was written in.
    pub node: Node,
}

/// A fact as declared beside a register, or computed from other facts.
#[derive(Debug, Clone)]
pub struct FactDeclaration {
    /// Whose fact.
    pub subject: SubjectKind,
    /// Name in snake case, unique within its subject kind.
    pub name: String,
    /// Place of the name.
    pub place: Span,
    /// For people.
    pub label: Message,
    /// Declared type: the words of column types.
    pub fact_type: ColumnType,
    /// Unit.
    pub unit: Option<String>,
    /// The register's column whose code list it has.
    pub codes_of: Option<String>,
    /// Of a computed fact of type code: its own codes with their labels.
    pub codes: BTreeMap<String, Message>,
    /// The register whose rows it is derived from; none for facts computed from other facts.
    pub register: Option<String>,
    /// Column, aggregate over rows, or (computed) expression over facts.
    pub is: Written,
    /// Which rows an aggregate takes; a `where` inside `is` is moved here by the reader.
    pub filter: Option<Written>,
    /// Whether the subject can change it.
    pub changeable: bool,
    /// Columns of other registers that must agree; disagreement is a conflict.
    pub agrees_with: Vec<(String, String)>,
}

/// A register's declaration.
#[derive(Debug, Clone)]
pub struct RegisterDeclaration {
    /// Name, also of its file and of its entry in `sources.yaml`.
    pub name: String,
    /// Place of the name.
    pub place: Span,
    /// For people.
    pub label: Message,
    /// The authority that answers for it.
    pub kept_by: String,
    /// Whose facts its rows tell; none for registers about any kind (grants paid, refusals, identity links).
    pub subject: Option<SubjectKind>,
    /// The column with the subject's identifier.
    pub key: String,
    /// What one row is, in words.
    pub row_is: String,
    /// When rows are true.
    pub time: RegisterTime,
    /// The column that says when a row was recorded.
    pub recorded_at: Option<String>,
    /// What absence means within the coverage.
    pub absence: Absence,
    /// Region codes within which it is complete, each with everything below; empty: everywhere.
    pub coverage_regions: Vec<String>,
    /// Since when it is complete.
    pub coverage_from: Option<NaiveDate>,
    /// How old its data day may be.
    pub fresh_within_days: Option<i64>,
    /// Whether no rows at all are plausible.
    pub may_be_empty: bool,
    /// The columns that identify a row; a second row with the same values is quarantined. Empty: rows may repeat.
    pub unique: Vec<String>,
    /// Columns.
    pub columns: Vec<RegisterColumn>,
    /// Facts derived from its rows.
    pub facts: Vec<FactDeclaration>,
}

/// A named way from one subject to others, through the rows of a register.
#[derive(Debug, Clone)]
pub struct Link {
    /// Name, used in paths: `household.size`, `members.count(…)`.
    pub name: String,
    /// For people.
    pub label: Message,
    /// Where it starts.
    pub from: SubjectKind,
    /// Where it leads.
    pub to: SubjectKind,
    /// The register whose rows make the link.
    pub register: String,
    /// The column with the start's identifier.
    pub from_column: String,
    /// The column with the end's identifier.
    pub to_column: String,
    /// Which rows count.
    pub filter: Option<Written>,
    /// Whether one start can have several ends.
    pub many: bool,
}

/// Everything that `policies/registers/` declares.
#[derive(Debug, Clone, Default)]
pub struct Registers {
    /// By name.
    pub registers: BTreeMap<String, RegisterDeclaration>,
    /// Links.
    pub links: Vec<Link>,
    /// Facts computed from other facts.
    pub computed: Vec<FactDeclaration>,
}

impl RegisterDeclaration {
    /// The column with a name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&RegisterColumn> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Whether a delivery that speaks for `data_day` still counts on a day; always, where nothing is promised.
    #[must_use]
    pub fn is_fresh(&self, data_day: NaiveDate, on: NaiveDate) -> bool {
        self.fresh_within_days.is_none_or(|days| on.signed_duration_since(data_day).num_days() <= days)
    }

    /// The counties of a region that the register does not cover on a day, sorted; the region itself where it has none.
    #[must_use]
    pub fn uncovered(&self, regions: &RegionTree, region: &str, day: NaiveDate) -> Vec<String> {
        let covers = |code: &str| self.coverage_regions.iter().any(|covered| regions.contains(covered, code, day));
        let everywhere = self.coverage_regions.is_empty() || self.coverage_regions.iter().any(|covered| covered == COUNTRY);
        if everywhere || covers(region) {
            return Vec::new();
        }
        let mut counties = regions.counties_within(region, day);
        counties.retain(|county| !covers(county));
        counties
    }
}

/// The schema of a register's batches: its declared columns, in their order, all nullable.
#[must_use]
pub fn arrow_schema(register: &RegisterDeclaration) -> SchemaRef {
    schema_of(&register.columns, false)
}

/// The schema of some columns of a register, as they are given.
pub(super) fn schema_of<'a>(columns: impl IntoIterator<Item = &'a RegisterColumn>, dictionaries: bool) -> SchemaRef {
    let fields = columns.into_iter().map(|column| Field::new(&column.name, column.column_type.given_type(dictionaries), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

impl Registers {
    /// The link with a name that starts at a subject kind.
    #[must_use]
    pub fn link(&self, from: SubjectKind, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.from == from && link.name == name)
    }
}
