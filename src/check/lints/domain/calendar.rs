//! Days and months of the calendar for the reasoning domain, each none where a day cannot be named.
//!
//! The meaning is that of evaluation; a test over random rows holds the two together.

use chrono::{Datelike as _, Days, Months, NaiveDate};

/// The day so many days after 1970-01-01.
#[must_use]
pub fn date(day: i64) -> Option<NaiveDate> {
    let epoch = NaiveDate::default();
    let days = Days::new(day.unsigned_abs());
    if day >= 0 { epoch.checked_add_days(days) } else { epoch.checked_sub_days(days) }
}

/// Days since 1970-01-01.
#[must_use]
pub fn day(date: NaiveDate) -> i64 {
    date.signed_duration_since(NaiveDate::default()).num_days()
}

/// The year of a day.
#[must_use]
pub(super) fn year(at: i64) -> Option<i64> {
    date(at).map(|date| i64::from(date.year()))
}

/// The month of a day, 1 to 12.
#[must_use]
pub(super) fn month(at: i64) -> Option<i64> {
    date(at).map(|date| i64::from(date.month()))
}

/// Months since January of the year 0.
#[must_use]
pub(super) fn month_index(at: i64) -> Option<i64> {
    Some(year(at)? * 12 + month(at)? - 1)
}

/// Whole years of age; none also where the day lies before the birth.
#[must_use]
pub(super) fn age(birth: i64, on: i64) -> Option<i64> {
    if on < birth {
        return None;
    }
    let (birth, on) = (date(birth)?, date(on)?);
    let reached = (on.month(), on.day()) >= (birth.month(), birth.day());
    Some(i64::from(on.year()) - i64::from(birth.year()) - i64::from(!reached))
}

/// Completed months.
#[must_use]
pub(super) fn whole_months(from: i64, to: i64) -> Option<i64> {
    let (start, end) = (date(from)?, date(to)?);
    let last = i64::from(date(month_end(to)?)?.day());
    let reached = i64::from(end.day()) >= i64::from(start.day()).min(last);
    Some(month_index(to)? - month_index(from)? - i64::from(!reached))
}

/// The same day so many months on, clamped to the month's last day.
#[must_use]
pub(super) fn add_months(at: i64, months: i64) -> Option<i64> {
    let start = date(at)?;
    let count = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
    let moved = if months >= 0 { start.checked_add_months(count) } else { start.checked_sub_months(count) };
    moved.map(day)
}

/// The first day of the month.
#[must_use]
pub(super) fn month_start(at: i64) -> Option<i64> {
    date(at)?.with_day(1).map(day)
}

/// The last day of the month.
#[must_use]
pub(super) fn month_end(at: i64) -> Option<i64> {
    let first = date(at)?.with_day(1)?;
    first.checked_add_months(Months::new(1))?.pred_opt().map(day)
}

/// 1 January of the year.
#[must_use]
pub(super) fn year_start(at: i64) -> Option<i64> {
    NaiveDate::from_ymd_opt(date(at)?.year(), 1, 1).map(day)
}

/// 31 December of the year.
#[must_use]
pub(super) fn year_end(at: i64) -> Option<i64> {
    NaiveDate::from_ymd_opt(date(at)?.year(), 12, 31).map(day)
}
