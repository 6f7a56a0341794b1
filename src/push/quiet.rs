//! Quiet hours: nobody is told anything in the night. What falls into them waits until they end.

use chrono::NaiveTime;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// The hours in which nothing is sent, in the time of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// First moment.
    pub from: NaiveTime,
    /// First moment no longer; before `from` where midnight lies between.
    pub to: NaiveTime,
    /// Seconds that the region's time is ahead of UTC.
    pub offset: i32,
}

impl Quiet {
    /// The first moment, from one on, that is not quiet. Times in microseconds since 1970 (UTC).
    #[must_use]
    pub fn next(&self, at: i64) -> i64 {
        let (from, to) = (micros(self.from), micros(self.to));
        let now = (at + i64::from(self.offset) * 1_000_000).rem_euclid(DAY);
        // How long ago the quiet hours began last, and how long they are.
        let (since, length) = ((now - from).rem_euclid(DAY), (to - from).rem_euclid(DAY));
        if since < length { at + length - since } else { at }
    }

    /// Whether a moment is quiet.
    #[must_use]
    pub fn holds(&self, at: i64) -> bool {
        self.next(at) != at
    }
}

fn micros(time: NaiveTime) -> i64 {
    (time - NaiveTime::MIN).num_microseconds().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn quiet(from: &str, to: &str, offset: i32) -> Quiet {
        let time = |text| NaiveTime::parse_from_str(text, "%H:%M").expect("a time");
        Quiet { from: time(from), to: time(to), offset }
    }

    #[track_caller]
    fn check(quiet: Quiet, at: &str, next: &str) {
        let micros = |text: &str| DateTime::parse_from_rfc3339(text).expect("a time").timestamp_micros();
        assert_eq!(quiet.next(micros(at)), micros(next));
        assert_eq!(quiet.holds(micros(at)), at != next);
    }

    #[test]
    fn over_midnight_in_the_time_of_the_region() {
        let night = quiet("21:00", "08:00", 8 * 3_600);
        check(night, "2026-06-30T20:59:59+08:00", "2026-06-30T20:59:59+08:00");
        check(night, "2026-06-30T21:00:00+08:00", "2026-07-01T08:00:00+08:00");
        check(night, "2026-06-30T23:59:59.5+08:00", "2026-07-01T08:00:00+08:00");
        check(night, "2026-07-01T00:00:00+08:00", "2026-07-01T08:00:00+08:00");
        check(night, "2026-07-01T07:59:59+08:00", "2026-07-01T08:00:00+08:00");
        check(night, "2026-07-01T08:00:00+08:00", "2026-07-01T08:00:00+08:00");
    }

    #[test]
    fn within_a_day_and_none_at_all() {
        let noon = quiet("12:00", "14:00", 0);
        check(noon, "2026-06-30T13:00:00Z", "2026-06-30T14:00:00Z");
        check(noon, "2026-06-30T14:00:00Z", "2026-06-30T14:00:00Z");
        check(quiet("08:00", "08:00", 0), "2026-06-30T08:00:00Z", "2026-06-30T08:00:00Z");
        check(quiet("22:00", "06:00", -5 * 3_600), "1969-12-31T23:00:00-05:00", "1970-01-01T06:00:00-05:00");
    }
}
