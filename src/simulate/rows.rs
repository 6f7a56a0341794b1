//! What a side gives to whom, as Arrow rows: one per subject, policy, occasion and member.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder, UInt8Builder, UInt32Builder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{Datelike, NaiveDate};

use crate::check::CheckedPolicy;
use crate::dossier::DossierError;
use crate::eligibility::grant::{Grant, Resolution, Status, county_of};
use crate::policy::document::Period;

/// Numbers of [`Status`], and of what is paid already, in the column `status`; those below 2 are had by the subject.
pub const GRANTED: u8 = 0;
/// Paid already.
pub const GIVEN: u8 = 1;
/// Waits for money.
pub const WAITS: u8 = 2;
/// Refused by the subject.
pub const REFUSED: u8 = 3;

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("side", DataType::UInt8, false),
        Field::new("kind", DataType::UInt8, false),
        Field::new("subject", DataType::Utf8, false),
        Field::new("policy", DataType::UInt32, false),
        Field::new("county", DataType::Utf8, false),
        Field::new("status", DataType::UInt8, false),
        Field::new("amount", DataType::Int64, true),
        Field::new("month", DataType::Int64, false),
        Field::new("year", DataType::Int64, false),
    ]))
});

/// The columns of [`rows`].
#[must_use]
pub fn schema() -> SchemaRef {
    Arc::clone(&SCHEMA)
}

/// One row, before it is put into columns.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// As a grant: subject, policy, occasion, member.
    pub grant: Grant,
    /// See [`GRANTED`] and its like.
    pub status: u8,
    /// What falls due in the month of the day, in hundredths.
    pub month: i64,
    /// What it comes to in a year if nothing else changes, in hundredths.
    pub year: i64,
}

/// All rows of a side, in the order of results: what is owed, then what is paid already.
pub fn each<'a>(resolution: &'a Resolution<'_>, policies: &'a [CheckedPolicy], as_of: NaiveDate) -> impl Iterator<Item = Row> + 'a {
    let open = resolution.grants.iter().map(|grant| {
        let status = match grant.status {
            Status::Granted => GRANTED,
            Status::Waitlisted => WAITS,
            Status::Refused => REFUSED,
        };
        (*grant, status)
    });
    let given = resolution.given.iter().map(|given| (given.as_grant(), GIVEN));
    open.chain(given).map(move |(grant, status)| {
        let benefit = &policies[grant.policy as usize].document.benefit;
        let amount = if benefit.unit.starts_with("CNY") { grant.amount.get().unwrap_or(0) } else { 0 };
        let (month, year) = worth(benefit.period, amount, status, as_of);
        Row { grant, status, month, year }
    })
}

/// What an amount comes to in the month of the day and in a year. What is given for a year or once falls due when it is first
/// granted; what was given once is spent.
#[must_use]
pub fn worth(period: Period, amount: i64, status: u8, as_of: NaiveDate) -> (i64, i64) {
    let due = if status == GRANTED { amount } else { 0 };
    match (status, period) {
        (GRANTED | GIVEN, Period::Month) => (amount, amount.saturating_mul(12)),
        (GRANTED | GIVEN, Period::Year) => (due, amount),
        (GRANTED | GIVEN, Period::Once) => (due, due),
        (GRANTED | GIVEN, Period::Day) => (amount.saturating_mul(days_of_month(as_of)), amount.saturating_mul(365)),
        _ => (0, 0),
    }
}

fn days_of_month(day: NaiveDate) -> i64 {
    let next = day.with_day(1).and_then(|first| first.checked_add_months(chrono::Months::new(1)));
    next.and_then(|next| next.pred_opt()).map_or(30, |last| i64::from(last.day()))
}

/// The rows of a side as a batch. `codes` gives each policy of the side its place among the policies of both.
///
/// # Errors
///
/// When a batch cannot be made.
pub fn rows(
    side: u8,
    resolution: &Resolution<'_>,
    policies: &[CheckedPolicy],
    codes: &[u32],
    as_of: NaiveDate,
) -> Result<RecordBatch, DossierError> {
    let (mut sides, mut kinds, mut subjects) = (UInt8Builder::new(), UInt8Builder::new(), StringBuilder::new());
    let (mut of_policy, mut counties, mut statuses) = (UInt32Builder::new(), StringBuilder::new(), UInt8Builder::new());
    let (mut amounts, mut months, mut years) = (Int64Builder::new(), Int64Builder::new(), Int64Builder::new());
    for row in each(resolution, policies, as_of) {
        sides.append_value(side);
        kinds.append_value(u8::try_from(row.grant.kind(resolution) as usize).unwrap_or(0));
        subjects.append_value(row.grant.subject_id(resolution));
        of_policy.append_value(codes[row.grant.policy as usize]);
        counties.append_value(county_of(row.grant.region(resolution)));
        statuses.append_value(row.status);
        amounts.append_option(row.grant.amount.get());
        months.append_value(row.month);
        years.append_value(row.year);
    }
    let columns: Vec<ArrayRef> = vec![
        Arc::new(sides.finish()),
        Arc::new(kinds.finish()),
        Arc::new(subjects.finish()),
        Arc::new(of_policy.finish()),
        Arc::new(counties.finish()),
        Arc::new(statuses.finish()),
        Arc::new(amounts.finish()),
        Arc::new(months.finish()),
        Arc::new(years.finish()),
    ];
    Ok(RecordBatch::try_new(schema(), columns)?)
}

#[cfg(test)]
mod tests {
    //! What an amount comes to.

    use super::*;

    #[track_caller]
    fn check(period: Period, status: u8, expected: (i64, i64)) {
        assert_eq!(worth(period, 100, status, "2026-02-10".parse().expect("a day")), expected);
    }

    #[test]
    fn a_month_and_a_year() {
        check(Period::Month, GRANTED, (100, 1200));
        check(Period::Month, GIVEN, (100, 1200));
        check(Period::Year, GRANTED, (100, 100));
        check(Period::Year, GIVEN, (0, 100));
        check(Period::Once, GRANTED, (100, 100));
        check(Period::Once, GIVEN, (0, 0));
        check(Period::Day, GRANTED, (2800, 36_500));
        check(Period::Month, WAITS, (0, 0));
        check(Period::Month, REFUSED, (0, 0));
    }
}
