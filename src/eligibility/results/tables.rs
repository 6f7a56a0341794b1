//! The result tables and their columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::NaiveDate;

use super::super::finding::{Cause, MissingSets};
use super::super::grant::{ConflictRow, CoverageRow, DataRequest, FunnelRow, Given, Grant, Offer, Resolution, Unknown, county_of};
use super::changes::ChangeRow;
use super::columns::{
    AMOUNT, amounts, counts, flags, ints, optional, optional_text, required, same_day, text, text_list, text_lists, written,
};
use super::table::Table;

/// What is owed.
pub const GRANTS: &str = "grants";
/// Yes verdicts whose grant is paid already.
pub const GIVEN: &str = "given";
/// Unknowns that a commitment may settle.
pub const OFFERS: &str = "offers";
/// Unknown verdicts.
pub const UNKNOWNS: &str = "unknowns";
/// Counts per policy and county.
pub const COVERAGE: &str = "coverage";
/// Counts per policy, county and step.
pub const FUNNEL: &str = "funnel";
/// Which facts would settle how many.
pub const DATA_REQUESTS: &str = "data_requests";
/// Where sources disagree.
pub const CONFLICTS: &str = "conflicts";
/// Rows of registers that could not be read.
pub const QUARANTINE: &str = "quarantine";
/// What changed against an earlier run.
pub const CHANGES: &str = "changes";

/// A row of a register that could not be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// The register.
    pub register: Arc<str>,
    /// The file, as `sources.yaml` names it.
    pub file: Arc<str>,
    /// Counts from 1, without the header.
    pub row: u64,
    /// The column; none when the row as a whole is at fault.
    pub column: Option<Arc<str>>,
    /// What stands there, masked.
    pub value: Option<Arc<str>>,
    /// Why it could not be taken.
    pub reason: Arc<str>,
}

/// Makes the array of some rows.
type MakeArray<'a, T> = Box<dyn Fn(&[T]) -> ArrayRef + Send + Sync + 'a>;

/// The columns of a table over rows of type `T`.
struct Columns<'a, T> {
    fields: Vec<Field>,
    makers: Vec<MakeArray<'a, T>>,
}

impl<'a, T: Sync> Columns<'a, T> {
    fn new() -> Self {
        Self { fields: Vec::new(), makers: Vec::new() }
    }

    fn column(mut self, field: Field, make: impl Fn(&[T]) -> ArrayRef + Send + Sync + 'a) -> Self {
        self.fields.push(field);
        self.makers.push(Box::new(make));
        self
    }

    /// Text of the row.
    fn words(self, name: &str, get: impl Fn(&T) -> &str + Send + Sync + 'a) -> Self {
        self.column(required(name, DataType::Utf8), move |rows| text(rows.iter().map(&get)))
    }

    /// Text that rows share.
    fn shared(self, name: &str, get: impl Fn(&T) -> &'a str + Send + Sync + 'a) -> Self {
        self.column(required(name, DataType::Utf8), move |rows| text(rows.iter().map(&get)))
    }

    /// Text that may be absent.
    fn maybe(self, name: &str, get: impl Fn(&T) -> Option<&str> + Send + Sync + 'a) -> Self {
        self.column(optional(name, DataType::Utf8), move |rows| optional_text(rows.iter().map(&get)))
    }

    /// Text that is put together row by row.
    fn written(self, name: &str, write: impl Fn(&T, &mut dyn std::fmt::Write) -> std::fmt::Result + Send + Sync + 'a) -> Self {
        self.column(required(name, DataType::Utf8), move |rows| written(rows, &write))
    }

    /// Lists of text.
    fn lists(self, name: &str, values: impl Fn(&T, &mut dyn FnMut(&str)) + Send + Sync + 'a) -> Self {
        self.column(required(name, text_list()), move |rows| text_lists(rows, &values))
    }

    fn money(self, name: &str, get: impl Fn(&T) -> Option<i64> + Send + Sync + 'a) -> Self {
        self.column(optional(name, AMOUNT), move |rows| amounts(rows.iter().map(&get)))
    }

    fn int(self, name: &str, get: impl Fn(&T) -> i64 + Send + Sync + 'a) -> Self {
        self.column(required(name, DataType::Int64), move |rows| ints(rows.iter().map(&get)))
    }

    fn count(self, name: &str, get: impl Fn(&T) -> u64 + Send + Sync + 'a) -> Self {
        self.column(required(name, DataType::UInt64), move |rows| counts(rows.iter().map(&get)))
    }

    fn flag(self, name: &str, get: impl Fn(&T) -> bool + Send + Sync + 'a) -> Self {
        self.column(required(name, DataType::Boolean), move |rows| flags(rows.iter().map(&get)))
    }

    fn on(self, day: NaiveDate) -> Self {
        self.column(required("as_of", DataType::Date32), move |rows| same_day(day, rows.len()))
    }

    fn over(self, name: &'static str, rows: &'a [T]) -> Table<'a> {
        let schema = Arc::new(Schema::new(self.fields));
        let (of_batches, makers) = (Arc::clone(&schema), self.makers);
        Table::new(name, rows.len(), schema, move |range| {
            let rows = &rows[range];
            RecordBatch::try_new(Arc::clone(&of_batches), makers.iter().map(|make| make(rows)).collect())
        })
    }
}

/// All tables that resolution alone fills.
pub(super) fn of(resolution: &Resolution, as_of: NaiveDate) -> Vec<Table<'_>> {
    vec![
        grants(resolution, as_of),
        given(resolution, as_of),
        offers(resolution, as_of),
        unknowns(resolution, as_of),
        coverage(resolution),
        funnel(resolution),
        data_requests(resolution),
        conflicts(resolution),
    ]
}

fn grants(resolution: &Resolution, as_of: NaiveDate) -> Table<'_> {
    let policy = |row: &Grant| &resolution.policies[row.policy as usize];
    Columns::<Grant>::new()
        .written("grant_id", |row, text| write!(text, "{}", row.grant_id))
        .words("subject_kind", |row| row.kind.name())
        .words("subject_id", |row| &row.subject_id)
        .maybe("payee_id", |row| row.payee_id.as_deref())
        .shared("policy", move |row| &policy(row).code)
        .int("version", move |row| policy(row).version)
        .money("amount", |row| row.amount)
        .money("full_amount", |row| row.full_amount)
        .shared("unit", move |row| &policy(row).unit)
        .shared("period", move |row| &policy(row).period)
        .maybe("occasion", |row| row.occasion.as_deref())
        .maybe("member", |row| row.member.as_deref())
        .words("mode", |row| row.mode.name())
        .flag("notify", |row| row.notify)
        .words("status", |row| row.status.name())
        .maybe("household", |row| row.household.as_deref())
        .words("region", |row| &row.region)
        .words("county", |row| county_of(&row.region))
        .lists("reasons", move |row, push| policy(row).reasons(row.reasons).for_each(|id| push(id)))
        .on(as_of)
        .over(GRANTS, &resolution.grants)
}

fn given(resolution: &Resolution, as_of: NaiveDate) -> Table<'_> {
    let policy = |row: &Given| &resolution.policies[row.policy as usize];
    Columns::<Given>::new()
        .words("subject_kind", |row| row.kind.name())
        .words("subject_id", |row| &row.subject_id)
        .shared("policy", move |row| &policy(row).code)
        .int("version", move |row| policy(row).version)
        .money("amount", |row| row.amount)
        .shared("unit", move |row| &policy(row).unit)
        .shared("period", move |row| &policy(row).period)
        .maybe("occasion", |row| row.occasion.as_deref())
        .maybe("member", |row| row.member.as_deref())
        .words("region", |row| &row.region)
        .words("county", |row| county_of(&row.region))
        .lists("reasons", move |row, push| policy(row).reasons(row.reasons).for_each(|id| push(id)))
        .on(as_of)
        .over(GIVEN, &resolution.given)
}

fn offers(resolution: &Resolution, as_of: NaiveDate) -> Table<'_> {
    let policy = |row: &Offer| &resolution.policies[row.policy as usize];
    Columns::<Offer>::new()
        .words("subject_kind", |row| row.kind.name())
        .words("subject_id", |row| &row.subject_id)
        .shared("policy", move |row| &policy(row).code)
        .int("version", move |row| policy(row).version)
        .shared("unit", move |row| &policy(row).unit)
        .shared("period", move |row| &policy(row).period)
        .lists("facts", |row, push| row.facts.iter().map(|(fact, _)| &**fact).for_each(push))
        .lists("causes", |row, push| row.facts.iter().map(|(_, cause)| cause_name(*cause)).for_each(push))
        .flag("notify", |row| row.notify)
        .words("region", |row| &row.region)
        .words("county", |row| county_of(&row.region))
        .on(as_of)
        .over(OFFERS, &resolution.offers)
}

fn unknowns(resolution: &Resolution, as_of: NaiveDate) -> Table<'_> {
    let policy = |row: &Unknown| &resolution.policies[row.policy as usize];
    let texts: Vec<(String, String)> = resolution.missing.iter().map(|sets| (sets_text(sets), causes_text(sets))).collect();
    let texts = Arc::new(texts);
    let causes = Arc::clone(&texts);
    Columns::<Unknown>::new()
        .words("subject_kind", |row| row.kind.name())
        .words("subject_id", |row| &row.subject_id)
        .shared("policy", move |row| &policy(row).code)
        .int("version", move |row| policy(row).version)
        .written("missing", move |row, text| text.write_str(&texts[row.missing as usize].0))
        .written("causes", move |row, text| text.write_str(&causes[row.missing as usize].1))
        .flag("offered", |row| row.offered)
        .words("region", |row| &row.region)
        .words("county", |row| county_of(&row.region))
        .on(as_of)
        .over(UNKNOWNS, &resolution.unknowns)
}

/// The minimal sets as text: `a + b | c`.
#[must_use]
fn sets_text(missing: &MissingSets) -> String {
    let set = |set: &Vec<(Arc<str>, Cause)>| set.iter().map(|(fact, _)| &**fact).collect::<Vec<_>>().join(" + ");
    missing.sets.iter().map(set).collect::<Vec<_>>().join(" | ")
}

/// The causes of the facts of [`sets_text`], in its order.
fn causes_text(missing: &MissingSets) -> String {
    let set = |set: &Vec<(Arc<str>, Cause)>| set.iter().map(|(_, cause)| cause_name(*cause)).collect::<Vec<_>>().join(" + ");
    missing.sets.iter().map(set).collect::<Vec<_>>().join(" | ")
}

fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Missing => "missing",
        Cause::Stale => "stale",
        Cause::Conflict => "conflict",
    }
}

fn coverage(resolution: &Resolution) -> Table<'_> {
    Columns::<CoverageRow>::new()
        .shared("policy", |row| &resolution.policies[row.policy as usize].code)
        .words("county", |row| &row.county)
        .count("yes", |row| row.yes)
        .count("no", |row| row.no)
        .count("unknown", |row| row.unknown)
        .count("excluded", |row| row.excluded)
        .count("capped", |row| row.capped)
        .count("given", |row| row.given)
        .count("granted", |row| row.granted)
        .count("waitlisted", |row| row.waitlisted)
        .count("refused", |row| row.refused)
        .count("offers", |row| row.offers)
        .money("amount", |row| Some(row.amount))
        .over(COVERAGE, &resolution.coverage)
}

fn funnel(resolution: &Resolution) -> Table<'_> {
    Columns::<FunnelRow>::new()
        .shared("policy", |row| &resolution.policies[row.policy as usize].code)
        .words("county", |row| &row.county)
        .count("step", |row| u64::from(row.step))
        .words("criterion", |row| &row.criterion)
        .count("yes", |row| row.yes)
        .count("possible", |row| row.possible)
        .over(FUNNEL, &resolution.funnel)
}

fn data_requests(resolution: &Resolution) -> Table<'_> {
    Columns::<DataRequest>::new()
        .words("subject_kind", |row| row.kind.name())
        .words("fact", |row| &row.fact)
        .maybe("register", |row| row.register.as_deref())
        .words("cause", |row| cause_name(row.cause))
        .flag("whole_register", |row| row.whole_register)
        .count("settles", |row| row.settles)
        .count("takes_part", |row| row.takes_part)
        .money("estimated_amount", |row| Some(row.estimated_amount))
        .money("estimated_part", |row| Some(row.estimated_part))
        .over(DATA_REQUESTS, &resolution.data_requests)
}

fn conflicts(resolution: &Resolution) -> Table<'_> {
    Columns::<ConflictRow>::new()
        .words("subject_kind", |row| row.kind.name())
        .words("subject_id", |row| &row.subject_id)
        .words("fact", |row| &row.fact)
        .maybe("policy", |row| row.policy.as_deref())
        .maybe("period", |row| row.period.as_deref())
        .maybe("occasion", |row| row.occasion.as_deref())
        .words("source", |row| &row.source)
        .words("value", |row| &row.value)
        .words("other_source", |row| &row.other_source)
        .words("other_value", |row| &row.other_value)
        .over(CONFLICTS, &resolution.conflicts)
}

/// Rows of registers that could not be taken, in the order given.
pub(super) fn quarantine(rows: &[QuarantineRow]) -> Table<'_> {
    Columns::<QuarantineRow>::new()
        .words("register", |row| &row.register)
        .words("file", |row| &row.file)
        .count("row", |row| row.row)
        .maybe("column", |row| row.column.as_deref())
        .maybe("value", |row| row.value.as_deref())
        .words("reason", |row| &row.reason)
        .over(QUARANTINE, rows)
}

/// What changed against an earlier run.
pub(super) fn changes(rows: &[ChangeRow]) -> Table<'_> {
    Columns::<ChangeRow>::new()
        .words("change", |row| row.change.name())
        .words("subject_kind", |row| row.kind.name())
        .words("subject_id", |row| &row.subject_id)
        .words("policy", |row| &row.policy)
        .maybe("occasion", |row| row.occasion.as_deref())
        .maybe("member", |row| row.member.as_deref())
        .money("amount_before", |row| row.amount_before)
        .money("amount", |row| row.amount)
        .words("now", |row| row.now)
        .lists("reasons", |row, push| row.reasons.iter().map(|id| &**id).for_each(push))
        .words("region", |row| &row.region)
        .over(CHANGES, rows)
}
