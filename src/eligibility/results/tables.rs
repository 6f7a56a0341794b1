//! The result tables and their columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::NaiveDate;

use super::super::finding::{Cause, MissingSets};
use super::super::grant::{ConflictRow, CoverageRow, DataRequest, FunnelRow, Given, Grant, Offer, Resolution, Unknown, county_of};
use super::changes::ChangeRow;
use super::columns::{
    AMOUNT, amounts, counts, flags, ints, optional, optional_text, required, same_day, text, text_list, text_lists, written,
};
use super::table::{MakeColumn, Table};

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
type MakeArray<'a, T> = Box<dyn Fn(&'a [T]) -> ArrayRef + Send + Sync + 'a>;

/// The columns of a table over rows of type `T`.
struct Columns<'a, T> {
    fields: Vec<Field>,
    makers: Vec<MakeArray<'a, T>>,
}

impl<'a, T: Sync + 'a> Columns<'a, T> {
    fn new() -> Self {
        Self { fields: Vec::new(), makers: Vec::new() }
    }

    fn column(mut self, field: Field, make: impl Fn(&'a [T]) -> ArrayRef + Send + Sync + 'a) -> Self {
        self.fields.push(field);
        self.makers.push(Box::new(make));
        self
    }

    /// Text.
    fn words(self, name: &str, get: impl Fn(&'a T) -> &'a str + Send + Sync + 'a) -> Self {
        self.column(required(name, DataType::Utf8), move |rows| text(rows.iter().map(&get)))
    }

    /// Text that may be absent.
    fn maybe(self, name: &str, get: impl Fn(&'a T) -> Option<&'a str> + Send + Sync + 'a) -> Self {
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
        let columns = self.makers.into_iter().map(|make| -> MakeColumn<'a> { Box::new(move |range| make(&rows[range])) });
        Table::new(name, rows.len(), Arc::new(Schema::new(self.fields)), columns.collect())
    }
}

/// All tables that resolution alone fills.
pub(super) fn of<'a>(resolution: &'a Resolution<'a>, as_of: NaiveDate) -> Vec<Table<'a>> {
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

fn grants<'a>(resolution: &'a Resolution<'a>, as_of: NaiveDate) -> Table<'a> {
    let policy = |row: &Grant| resolution.policy(row.policy);
    Columns::<Grant>::new()
        .column(required("grant_id", DataType::Utf8), move |rows| grant_ids(resolution, rows))
        .words("subject_kind", move |row| row.kind(resolution).name())
        .words("subject_id", move |row| row.subject_id(resolution))
        .maybe("payee_id", move |row| row.payee_id(resolution))
        .words("policy", move |row| &policy(row).code)
        .int("version", move |row| policy(row).version)
        .money("amount", |row| row.amount.get())
        .money("full_amount", move |row| row.full_amount(resolution))
        .words("unit", move |row| &policy(row).unit)
        .words("period", move |row| &policy(row).period)
        .maybe("occasion", move |row| row.occasion(resolution))
        .maybe("member", move |row| row.member(resolution))
        .words("mode", |row| row.mode.name())
        .flag("notify", |row| row.notify)
        .words("status", |row| row.status.name())
        .maybe("household", move |row| row.household(resolution))
        .words("region", move |row| row.region(resolution))
        .words("county", move |row| county_of(row.region(resolution)))
        .lists("reasons", move |row, push| policy(row).reasons(row.reasons(resolution)).for_each(|id| push(id)))
        .on(as_of)
        .over(GRANTS, &resolution.grants)
}

/// Identities in hexadecimal digits.
fn grant_ids(resolution: &Resolution<'_>, rows: &[Grant]) -> ArrayRef {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut all = StringBuilder::with_capacity(rows.len(), rows.len() * 32);
    for row in rows {
        let id = row.grant_id(resolution).0.to_be_bytes();
        let digits = id.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let mut text = [0; 32];
        text.iter_mut().zip(digits).for_each(|(place, digit)| *place = DIGITS[usize::from(digit)]);
        all.append_value(std::str::from_utf8(&text).expect("hexadecimal digits are text"));
    }
    Arc::new(all.finish())
}

fn given<'a>(resolution: &'a Resolution<'a>, as_of: NaiveDate) -> Table<'a> {
    let policy = |row: &Given| resolution.policy(row.policy);
    Columns::<Given>::new()
        .words("subject_kind", move |row| policy(row).kind.name())
        .words("subject_id", move |row| row.as_grant().subject_id(resolution))
        .words("policy", move |row| &policy(row).code)
        .int("version", move |row| policy(row).version)
        .money("amount", |row| row.amount.get())
        .words("unit", move |row| &policy(row).unit)
        .words("period", move |row| &policy(row).period)
        .maybe("occasion", move |row| row.as_grant().occasion(resolution))
        .maybe("member", move |row| row.as_grant().member(resolution))
        .words("region", move |row| row.as_grant().region(resolution))
        .words("county", move |row| county_of(row.as_grant().region(resolution)))
        .lists("reasons", move |row, push| policy(row).reasons(row.as_grant().reasons(resolution)).for_each(|id| push(id)))
        .on(as_of)
        .over(GIVEN, &resolution.given)
}

fn offers<'a>(resolution: &'a Resolution<'a>, as_of: NaiveDate) -> Table<'a> {
    let policy = |row: &Offer| resolution.policy(row.policy);
    let facts = |row: &Offer| &resolution.commitments[row.facts as usize];
    let region = |row: &Offer| resolution.subjects(row.policy).region(row.subject);
    Columns::<Offer>::new()
        .words("subject_kind", move |row| policy(row).kind.name())
        .words("subject_id", move |row| resolution.subjects(row.policy).id(row.subject))
        .words("policy", move |row| &policy(row).code)
        .int("version", move |row| policy(row).version)
        .words("unit", move |row| &policy(row).unit)
        .words("period", move |row| &policy(row).period)
        .lists("facts", move |row, push| facts(row).iter().map(|(fact, _)| &**fact).for_each(push))
        .lists("causes", move |row, push| facts(row).iter().map(|(_, cause)| cause_name(*cause)).for_each(push))
        .flag("notify", |row| row.notify)
        .words("region", region)
        .words("county", move |row| county_of(region(row)))
        .on(as_of)
        .over(OFFERS, &resolution.offers)
}

fn unknowns<'a>(resolution: &'a Resolution<'a>, as_of: NaiveDate) -> Table<'a> {
    let policy = |row: &Unknown| resolution.policy(row.policy);
    let region = |row: &Unknown| resolution.subjects(row.policy).region(row.subject);
    let texts: Vec<(String, String)> = resolution.missing.iter().map(|sets| (sets_text(sets), causes_text(sets))).collect();
    let texts = Arc::new(texts);
    let causes = Arc::clone(&texts);
    Columns::<Unknown>::new()
        .words("subject_kind", move |row| policy(row).kind.name())
        .words("subject_id", move |row| resolution.subjects(row.policy).id(row.subject))
        .words("policy", move |row| &policy(row).code)
        .int("version", move |row| policy(row).version)
        .written("missing", move |row, text| text.write_str(&texts[row.missing as usize].0))
        .written("causes", move |row, text| text.write_str(&causes[row.missing as usize].1))
        .flag("offered", |row| row.offered)
        .words("region", region)
        .words("county", move |row| county_of(region(row)))
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

fn coverage<'a>(resolution: &'a Resolution<'a>) -> Table<'a> {
    Columns::<CoverageRow>::new()
        .words("policy", |row| &resolution.policies[row.policy as usize].code)
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

fn funnel<'a>(resolution: &'a Resolution<'a>) -> Table<'a> {
    Columns::<FunnelRow>::new()
        .words("policy", |row| &resolution.policies[row.policy as usize].code)
        .words("county", |row| &row.county)
        .count("step", |row| u64::from(row.step))
        .words("criterion", |row| &row.criterion)
        .count("yes", |row| row.yes)
        .count("possible", |row| row.possible)
        .over(FUNNEL, &resolution.funnel)
}

fn data_requests<'a>(resolution: &'a Resolution<'a>) -> Table<'a> {
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

fn conflicts<'a>(resolution: &'a Resolution<'a>) -> Table<'a> {
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
