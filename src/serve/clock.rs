//! The only place of the server that reads the clock: how long requests take, when tokens end, when somebody looked.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDate};

/// A moment to count from.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "how long a request takes is told; no verdict rests on it")]
pub fn moment() -> Instant {
    Instant::now()
}

/// Microseconds since 1970, UTC.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "when somebody looked is kept; no verdict rests on it")]
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A time for people and programs: `2026-06-30T08:00:00.000000Z`.
#[must_use]
pub fn told(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros).map_or_else(String::new, |time| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

/// The day in Beijing now: the day by which deadlines count.
#[must_use]
pub fn beijing() -> NaiveDate {
    const EIGHT_HOURS: i64 = 8 * 3_600 * 1_000_000;
    day(now() + EIGHT_HOURS)
}

/// The day of a time, UTC.
#[must_use]
pub fn day(micros: i64) -> NaiveDate {
    DateTime::from_timestamp_micros(micros).map_or_else(NaiveDate::default, |time| time.date_naive())
}
