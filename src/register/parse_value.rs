//! From written values to numbers, money, dates and months: exactly, or not at all.

use arrow::datatypes::Date32Type;
use chrono::{Datelike, NaiveDate};

use super::quarantine::Reason;

/// The greatest number of fen that a Decimal128(18, 2) holds.
const MONEY_LIMIT: i128 = 1_000_000_000_000_000_000;

/// A decimal number as written: digits without the point, and how many stood after it.
fn decimal(text: &str) -> Option<(i128, usize)> {
    let (negative, digits) = match text.strip_prefix(['-', '−']) {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = ungrouped(whole)?;
    if whole.is_empty() && fraction.is_empty() || whole.len() + fraction.len() > 36 {
        return None;
    }
    let mut number: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number * 10 + i128::from(byte - b'0');
    }
    Some((if negative { -number } else { number }, fraction.len()))
}

/// Digits without the commas between groups of three; none where the commas stand elsewhere.
fn ungrouped(whole: &str) -> Option<String> {
    if !whole.contains(',') {
        return Some(whole.to_owned());
    }
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let sound = (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3);
    sound.then(|| whole.replace(',', ""))
}

/// A number with `scale` places as one with `places`; none where that would lose something.
pub(super) fn rescaled(number: i128, scale: usize, places: usize) -> Option<i128> {
    if scale <= places {
        return number.checked_mul(10_i128.checked_pow(u32::try_from(places - scale).ok()?)?);
    }
    let divisor = 10_i128.checked_pow(u32::try_from(scale - places).ok()?)?;
    (number % divisor == 0).then(|| number / divisor)
}

/// A whole number; `12.00` is one.
pub(super) fn int(text: &str) -> Result<i64, Reason> {
    let (number, scale) = decimal(text).ok_or(Reason::Uncastable)?;
    let whole = rescaled(number, scale, 0).ok_or(Reason::Uncastable)?;
    i64::try_from(whole).map_err(|_| Reason::OutOfRange)
}

/// Money in fen; more than two places are refused unless they are zero.
pub(super) fn money(text: &str) -> Result<i128, Reason> {
    let (number, scale) = decimal(text).ok_or(Reason::Uncastable)?;
    money_of(number, scale)
}

/// Money in fen from a decimal.
pub(super) fn money_of(number: i128, scale: usize) -> Result<i128, Reason> {
    let fen = rescaled(number, scale, 2).ok_or(Reason::Uncastable)?;
    if fen.abs() < MONEY_LIMIT { Ok(fen) } else { Err(Reason::OutOfRange) }
}

/// Money in fen from a float, when its shortest decimal form has at most two places.
pub(super) fn money_of_float(value: f64) -> Result<i128, Reason> {
    if !value.is_finite() {
        return Err(Reason::Uncastable);
    }
    money(&value.to_string())
}

/// A whole number from a float.
pub(super) fn int_of_float(value: f64) -> Result<i64, Reason> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() != 0.0 || !value.is_finite() {
        return Err(Reason::Uncastable);
    }
    if value.abs() > EXACT {
        return Err(Reason::OutOfRange);
    }
    #[expect(clippy::cast_possible_truncation, reason = "whole and within the exact range")]
    Ok(value as i64)
}

/// Days since 1970-01-01 of a date of the years 1800 to 9999.
pub(super) fn days(date: NaiveDate) -> Result<i32, Reason> {
    if (1800..=9999).contains(&date.year()) { Ok(Date32Type::from_naive_date(date)) } else { Err(Reason::OutOfRange) }
}

fn of_numbers(year: u32, month: u32, day: u32) -> Result<i32, Reason> {
    let date = i32::try_from(year).ok().and_then(|year| NaiveDate::from_ymd_opt(year, month, day));
    days(date.ok_or(Reason::Uncastable)?)
}

/// The numbers of a written date, separated by `-`, `/`, `.` or 年月日; a time after it is left out.
fn numbers(text: &str) -> Option<Vec<(u32, usize)>> {
    let text = match text.find(['T', ' ']) {
        Some(at) if text[at + 1..].contains(':') => &text[..at],
        _ => text,
    };
    let text = text.trim_end_matches(['日', '月']);
    text.split(['-', '/', '.', '年', '月'])
        .map(|part| {
            let sound = (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            sound.then(|| part.parse().ok().map(|number| (number, part.len()))).flatten()
        })
        .collect()
}

/// A date in the declared format; without one, in any usual way with the year first.
pub(super) fn date(text: &str, format: Option<&str>) -> Result<i32, Reason> {
    match format {
        None => usual_date(text),
        Some(format) => days(NaiveDate::parse_from_str(text, format).map_err(|_| Reason::Uncastable)?),
    }
}

fn usual_date(text: &str) -> Result<i32, Reason> {
    match numbers(text).as_deref() {
        Some([(year, 4), (month, 1 | 2), (day, 1 | 2)]) => of_numbers(*year, *month, *day),
        Some([(number, 8)]) => of_numbers(number / 10_000, number / 100 % 100, number % 100),
        _ => Err(Reason::Uncastable),
    }
}

/// A month as its first day, written as a month or as a date in it.
pub(super) fn month(text: &str, format: Option<&str>) -> Result<i32, Reason> {
    match numbers(text).as_deref() {
        Some([(year, 4), (month, 1 | 2)]) => of_numbers(*year, *month, 1),
        Some([(number, 6)]) => of_numbers(number / 100, number % 100, 1),
        _ => date(text, format).map(month_start),
    }
}

/// The first day of a day's month, for days of the years 1800 to 9999. After Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`: years that begin in March, in eras of 400.
pub(super) fn month_start(day: i32) -> i32 {
    const ERA_DAYS: u32 = 146_097;
    const SHIFT: i32 = 719_468;
    let of_era = (day + SHIFT).cast_unsigned() % ERA_DAYS;
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let before = of_year - (153 * month + 2) / 5;
    day - before.cast_signed()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(text: &str) -> i32 {
        Date32Type::from_naive_date(text.parse().expect("a date"))
    }

    #[test]
    fn money_is_exact() {
        assert_eq!(money("1234.5"), Ok(123_450));
        assert_eq!(money("1,234,567.89"), Ok(123_456_789));
        assert_eq!(money("-0.10"), Ok(-10));
        assert_eq!(money("12.340"), Ok(1234));
        assert_eq!(money("12.345"), Err(Reason::Uncastable));
        assert_eq!(money("1,23"), Err(Reason::Uncastable));
        assert_eq!(money("约五万"), Err(Reason::Uncastable));
        assert_eq!(money("."), Err(Reason::Uncastable));
        assert_eq!(money("10000000000000000"), Err(Reason::OutOfRange));
        assert_eq!(money_of_float(0.1 + 0.2), Err(Reason::Uncastable));
        assert_eq!(money_of_float(1234.56), Ok(123_456));
        assert_eq!(money_of_float(f64::NAN), Err(Reason::Uncastable));
    }

    #[test]
    fn whole_numbers() {
        assert_eq!(int("+12"), Ok(12));
        assert_eq!(int("12.0"), Ok(12));
        assert_eq!(int("12.5"), Err(Reason::Uncastable));
        assert_eq!(int("99999999999999999999"), Err(Reason::OutOfRange));
        assert_eq!(int_of_float(3.0), Ok(3));
        assert_eq!(int_of_float(3.5), Err(Reason::Uncastable));
    }

    #[test]
    fn dates_and_months() {
        for text in ["2024-02-29", "2024/2/29", "2024.02.29", "20240229", "2024年2月29日", "2024-02-29 00:00:00", "2024-02-29T08:00:00Z"]
        {
            assert_eq!(date(text, None), Ok(day("2024-02-29")), "{text}");
        }
        for text in ["2025-02-30", "2021/13/05", "不详", "29/02/2024", "24-02-29", "", "2024-02"] {
            assert_eq!(date(text, None), Err(Reason::Uncastable), "{text}");
        }
        assert_eq!(date("29.02.2024", Some("%d.%m.%Y")), Ok(day("2024-02-29")));
        assert_eq!(date("2024-02-29", Some("%d.%m.%Y")), Err(Reason::Uncastable));
        assert_eq!(date("1024-02-29", None), Err(Reason::OutOfRange));
        for text in ["2024-02", "202402", "2024/2", "2024年2月", "2024-02-29", "20240229"] {
            assert_eq!(month(text, None), Ok(day("2024-02-01")), "{text}");
        }
        assert_eq!(month("2024-13", None), Err(Reason::Uncastable));
    }

    #[test]
    fn every_day_is_of_its_month() {
        let (first, last) = (day("1800-01-01"), day("9999-12-31"));
        assert_eq!((first, last), (-62_091, 2_932_896));
        let mut start = first;
        for date in
            NaiveDate::from_ymd_opt(1800, 1, 1).expect("a day").iter_days().take(usize::try_from(last - first).expect("forward") + 1)
        {
            let now = Date32Type::from_naive_date(date);
            if date.day() == 1 {
                start = now;
            }
            assert_eq!(month_start(now), start, "{date}");
        }
    }

    proptest! {
        #[test]
        fn money_reads_what_is_written(fen in -999_999_999_999_i64..999_999_999_999) {
            let sign = if fen < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:02}", fen.abs() / 100, fen.abs() % 100);
            prop_assert_eq!(money(&text), Ok(i128::from(fen)));
        }

        #[test]
        fn no_text_is_trouble(text in "\\PC{0,20}") {
            let _ = (money(&text), int(&text), date(&text, None), month(&text, None));
        }
    }
}
