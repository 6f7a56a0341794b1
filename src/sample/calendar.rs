//! Dates of the synthetic city: ages, months and school years, without a clock.

use chrono::{Datelike, Days, Months, NaiveDate};

/// Whole years from `birth` to `day`.
pub(super) fn age(birth: NaiveDate, day: NaiveDate) -> i32 {
    let years = day.year() - birth.year();
    if (day.month(), day.day()) < (birth.month(), birth.day()) { years - 1 } else { years }
}

/// `day` moved by whole months, clamped to the month's last day.
pub(super) fn add_months(day: NaiveDate, months: i32) -> NaiveDate {
    let moved = if months < 0 {
        day.checked_sub_months(Months::new(months.unsigned_abs()))
    } else {
        day.checked_add_months(Months::new(months.unsigned_abs()))
    };
    moved.unwrap_or(day)
}

/// `day` moved by whole years.
pub(super) fn add_years(day: NaiveDate, years: i32) -> NaiveDate {
    add_months(day, years * 12)
}

/// `day` moved by days.
pub(super) fn add_days(day: NaiveDate, days: i32) -> NaiveDate {
    let count = Days::new(u64::from(days.unsigned_abs()));
    let moved = if days < 0 { day.checked_sub_days(count) } else { day.checked_add_days(count) };
    moved.unwrap_or(day)
}

/// The first day of the month that holds `day`.
pub(super) fn month_start(day: NaiveDate) -> NaiveDate {
    day.with_day(1).unwrap_or(day)
}

/// Calendar months from `from` to `to`, days ignored.
pub(super) fn months_between(from: NaiveDate, to: NaiveDate) -> i32 {
    (to.year() - from.year()) * 12 + to.month() as i32 - from.month() as i32
}

/// Days from `from` to `to`.
pub(super) fn days_between(from: NaiveDate, to: NaiveDate) -> i32 {
    (to - from).num_days() as i32
}

/// A day of the calendar that is known to exist.
pub(super) fn day(year: i32, month: u32, day_of_month: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day_of_month).unwrap_or_default()
}

/// The year whose first of September began the school year that holds `day`.
pub(super) fn school_year(day: NaiveDate) -> i32 {
    if day.month() >= 9 { day.year() } else { day.year() - 1 }
}
