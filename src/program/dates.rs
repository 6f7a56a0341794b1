//! Calendar arithmetic on days since 1970-01-01 in the proleptic Gregorian calendar.
//!
//! Shared by the vectorised program and by the row interpreter. Functions that move a day give `None` where the result
//! would leave the range of an `i32`.

/// A day taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// The year; 0 is 1 BC.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
}

/// Takes a day apart.
#[must_use]
pub fn civil(day: i32) -> Civil {
    match u32::try_from(i64::from(day) + 719_468) {
        Ok(shifted) if shifted < 1 << 30 => civil_from_march(shifted),
        _ => civil_of_any(day),
    }
}

/// Takes a day apart that is counted from 1 March of the year 0, below 2³⁰. Algorithm: Cassio Neri and Lorenz Schneider, "Euclidean
/// affine functions and their application to calendar algorithms" (2022), figure 12.
fn civil_from_march(day: u32) -> Civil {
    let quarters = 4 * day + 3;
    let (century, in_century) = (quarters / 146_097, quarters % 146_097 / 4);
    let product = u64::from(4 * in_century + 3) * 2_939_745;
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
    let (year_of_century, day_of_year) = ((product >> 32) as u32, product as u32 / 2_939_745 / 4);
    let month_and_day = 2_141 * day_of_year + 197_913;
    let (month, day) = (month_and_day >> 16, (month_and_day & 0xffff) / 2_141);
    let is_after_december = day_of_year >= 306;
    Civil {
        year: i64::from(100 * century + year_of_century + u32::from(is_after_december)),
        month: i64::from(if is_after_december { month - 12 } else { month }),
        day: i64::from(day + 1),
    }
}

/// Takes any day apart. Algorithm: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
fn civil_of_any(day: i32) -> Civil {
    let shifted = i64::from(day) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Civil { year: year_of_era + era * 400 + i64::from(month <= 2), month, day: day_of_year - (153 * shifted_month + 2) / 5 + 1 }
}

/// The day of a year, month (1 to 12) and day of the month; `None` beyond an `i32`. Algorithm: as for any day in [`civil`], `days_from_civil`.
#[must_use]
pub fn day_of(year: i64, month: i64, day: i64) -> Option<i32> {
    if !(-6_000_000..=6_000_000).contains(&year) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i32::try_from(era * 146_097 + day_of_era - 719_468).ok()
}

/// Whether the year has a 29 February.
#[must_use]
pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// The number of days of a month.
#[must_use]
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Whole years of age on `day`: reached on the birthday, for 29 February on 1 March of a common year; `None` when `day`
/// lies before the birth.
#[must_use]
pub fn age_at(birth: i32, day: i32) -> Option<i64> {
    if day < birth {
        return None;
    }
    let (birth, day) = (civil(birth), civil(day));
    let reached = (day.month, day.day) >= (birth.month, birth.day);
    Some(day.year - birth.year - i64::from(!reached))
}

/// Calendar months from one day's month to the other's; negative when `to` lies in an earlier month.
#[must_use]
pub fn months_between(from: i32, to: i32) -> i64 {
    month_index(to) - month_index(from)
}

/// Completed months from `from` to `to`: the greatest `n` for which `from` plus `n` months, clamped to its month's last
/// day, is not after `to`.
#[must_use]
pub fn whole_months_between(from: i32, to: i32) -> i64 {
    let (start, end) = (civil(from), civil(to));
    let reached = end.day >= start.day.min(days_in_month(end.year, end.month));
    months_between(from, to) - i64::from(!reached)
}

/// The same day `months` months on, clamped to the month's last day.
#[must_use]
pub fn add_months(day: i32, months: i64) -> Option<i32> {
    let start = civil(day);
    let index = month_index(day).checked_add(months)?;
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    day_of(year, month, start.day.min(days_in_month(year, month)))
}

/// The same day `years` years on, clamped to the month's last day.
#[must_use]
pub fn add_years(day: i32, years: i64) -> Option<i32> {
    add_months(day, years.checked_mul(12)?)
}

/// The day `days` days on.
#[must_use]
pub fn add_days(day: i32, days: i64) -> Option<i32> {
    i64::from(day).checked_add(days).and_then(|day| i32::try_from(day).ok())
}

/// The first day of the month.
#[must_use]
pub fn month_start(day: i32) -> Option<i32> {
    let at = civil(day);
    day_of(at.year, at.month, 1)
}

/// The last day of the month.
#[must_use]
pub fn month_end(day: i32) -> Option<i32> {
    let at = civil(day);
    day_of(at.year, at.month, days_in_month(at.year, at.month))
}

/// 1 January of the year.
#[must_use]
pub fn year_start(day: i32) -> Option<i32> {
    day_of(civil(day).year, 1, 1)
}

/// 31 December of the year.
#[must_use]
pub fn year_end(day: i32) -> Option<i32> {
    day_of(civil(day).year, 12, 31)
}

/// How many calendar months lie both in `from..=to` and in `start..=end`; never negative.
#[must_use]
pub fn months_overlap(from: i32, to: i32, start: i32, end: i32) -> i64 {
    let first = month_index(from).max(month_index(start));
    let last = month_index(to).min(month_index(end));
    (last - first + 1).max(0)
}

/// Months since January of the year 0.
fn month_index(day: i32) -> i64 {
    let at = civil(day);
    at.year * 12 + at.month - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn at(text: &str) -> i32 {
        let parts: Vec<i64> = text.split('-').map(|part| part.parse().expect("a number")).collect();
        day_of(parts[0], parts[1], parts[2]).expect("a day within range")
    }

    #[test]
    fn days_are_counted_from_1970() {
        for (text, day) in
            [("1970-01-01", 0), ("1969-12-31", -1), ("2000-03-01", 11_017), ("2024-02-29", 19_782), ("9999-12-31", 2_932_896)]
        {
            assert_eq!(at(text), day, "{text}");
        }
    }

    #[test]
    fn taking_apart_and_putting_together_are_inverse() {
        for day in (-800_000..3_000_000).step_by(37).chain([i32::MIN, i32::MAX]) {
            let parts = civil(day);
            assert_eq!(day_of(parts.year, parts.month, parts.day), Some(day));
        }
    }

    #[test]
    fn the_fast_way_to_take_apart_is_the_plain_one() {
        let ends = [-719_469, -719_468, -719_467, (1 << 30) - 719_469, (1 << 30) - 719_468, i32::MIN, i32::MAX];
        for day in (-800_000..3_000_000).chain(ends).chain((-719_468..1_000_000_000).step_by(99_991)) {
            assert_eq!(civil(day), civil_of_any(day), "{day}");
        }
    }

    #[test]
    fn age_is_reached_on_the_birthday_and_on_1_march_after_29_february() {
        for (birth, day, age) in [
            ("1966-06-15", "2026-06-14", Some(59)),
            ("1966-06-15", "2026-06-15", Some(60)),
            ("2004-02-29", "2023-02-28", Some(18)),
            ("2004-02-29", "2023-03-01", Some(19)),
            ("2004-02-29", "2024-02-28", Some(19)),
            ("2004-02-29", "2024-02-29", Some(20)),
            ("2026-06-15", "2026-06-15", Some(0)),
            ("2026-06-16", "2026-06-15", None),
        ] {
            assert_eq!(age_at(at(birth), at(day)), age, "born {birth}, on {day}");
        }
    }

    #[test]
    fn months_are_counted_by_calendar_or_completed() {
        for (from, to, calendar, completed) in [
            ("2026-01-31", "2026-02-01", 1, 0),
            ("2026-01-31", "2026-02-28", 1, 1),
            ("2026-01-15", "2026-01-14", 0, -1),
            ("2026-03-31", "2026-02-28", -1, -1),
            ("2026-03-15", "2026-02-16", -1, -1),
            ("2026-03-15", "2026-02-14", -1, -2),
            ("2025-12-01", "2026-01-01", 1, 1),
            ("2024-02-29", "2025-02-28", 12, 12),
        ] {
            assert_eq!(months_between(at(from), at(to)), calendar, "{from} to {to}");
            assert_eq!(whole_months_between(at(from), at(to)), completed, "{from} to {to}");
        }
    }

    #[test]
    fn completed_months_are_those_that_can_be_added() {
        for from in (19_000..19_800).step_by(7) {
            for to in (18_900..20_000).step_by(5) {
                let months = whole_months_between(from, to);
                assert!(add_months(from, months).expect("near") <= to);
                assert!(add_months(from, months + 1).expect("near") > to);
            }
        }
    }

    #[test]
    fn added_months_are_clamped_to_the_last_day() {
        for (day, months, result) in [
            ("2026-01-31", 1, "2026-02-28"),
            ("2024-01-31", 1, "2024-02-29"),
            ("2024-02-29", 12, "2025-02-28"),
            ("2026-03-31", -1, "2026-02-28"),
            ("2026-01-01", -1, "2025-12-01"),
            ("2026-10-31", 4, "2027-02-28"),
        ] {
            assert_eq!(add_months(at(day), months), Some(at(result)), "{day} + {months}");
        }
        assert_eq!(add_years(at("2024-02-29"), 1), Some(at("2025-02-28")));
        assert_eq!(add_years(at("2024-02-29"), 4), Some(at("2028-02-29")));
    }

    #[test]
    fn ends_of_months_and_years() {
        assert_eq!(month_start(at("2024-02-29")), Some(at("2024-02-01")));
        assert_eq!(month_end(at("2024-02-01")), Some(at("2024-02-29")));
        assert_eq!(month_end(at("2023-02-01")), Some(at("2023-02-28")));
        assert_eq!(month_end(at("1900-02-10")), Some(at("1900-02-28")));
        assert_eq!(year_start(at("2024-02-29")), Some(at("2024-01-01")));
        assert_eq!(year_end(at("2024-02-29")), Some(at("2024-12-31")));
    }

    #[test]
    fn overlaps_count_the_months_at_both_ends() {
        let overlap = |from, to, start, end| months_overlap(at(from), at(to), at(start), at(end));
        assert_eq!(overlap("2026-01-31", "2026-03-01", "2025-01-01", "2026-12-31"), 3);
        assert_eq!(overlap("2024-01-01", "9999-12-31", "2025-07-01", "2026-06-30"), 12);
        assert_eq!(overlap("2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"), 0);
        assert_eq!(overlap("2026-05-01", "2026-02-01", "2026-01-01", "2026-12-31"), 0);
    }

    #[test]
    fn leaving_the_range_is_seen() {
        assert_eq!(add_days(i32::MAX, 1), None);
        assert_eq!(add_days(0, i64::MAX), None);
        assert_eq!(add_months(0, i64::MAX), None);
        assert_eq!(add_years(0, i64::MAX), None);
        assert_eq!(month_end(i32::MAX), None);
        assert_eq!(month_start(i32::MIN), None);
    }
}
