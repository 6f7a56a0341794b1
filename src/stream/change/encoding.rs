//! How values stand in events: days, instants and decimals as Debezium's connectors write them, made texts that a register's
//! columns are read from.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate};
use serde::Deserialize;

use super::envelope::Scalar;
use crate::register::declaration::ColumnType;

/// The place-holder of values that a source did not log because they did not change.
pub(super) const UNAVAILABLE: &str = "__debezium_unavailable_value";

/// Registers speak of days in China.
const CHINA: i32 = 8 * 3_600;

/// So many digits of any decimal number come back from a float.
const EXACT_DIGITS: usize = 15;

/// How a field's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// As they are: texts, numbers; whole numbers in columns of days are days since 1970-01-01.
    #[default]
    Plain,
    /// Days since 1970-01-01.
    Days,
    /// Milliseconds since 1970-01-01, without a zone.
    Millis,
    /// Microseconds since 1970-01-01, without a zone.
    Micros,
    /// Nanoseconds since 1970-01-01, without a zone.
    Nanos,
    /// The digits of a decimal as bytes in base64, with so many places.
    Decimal(u32),
}

/// The schema that Debezium can send along.
#[derive(Debug, Deserialize)]
pub(super) struct SchemaNode {
    name: Option<String>,
    field: Option<String>,
    #[serde(default)]
    fields: Vec<SchemaNode>,
    parameters: Option<HashMap<String, String>>,
}

impl SchemaNode {
    /// How the fields of the row are written, by their names, where that is not plain.
    pub(super) fn encodings(&self) -> HashMap<String, Encoding> {
        let rows = self.fields.iter().filter(|field| matches!(field.field.as_deref(), Some("before" | "after")));
        let columns = rows.flat_map(|row| &row.fields);
        columns.filter_map(|column| Some((column.field.clone()?, column.encoding()?))).collect()
    }

    /// How the fields of a message's key are written.
    pub(super) fn encodings_of_key(&self) -> HashMap<String, Encoding> {
        self.fields.iter().filter_map(|column| Some((column.field.clone()?, column.encoding()?))).collect()
    }

    fn encoding(&self) -> Option<Encoding> {
        Some(match self.name.as_deref()? {
            "io.debezium.time.Date" | "org.apache.kafka.connect.data.Date" => Encoding::Days,
            "io.debezium.time.Timestamp" | "org.apache.kafka.connect.data.Timestamp" => Encoding::Millis,
            "io.debezium.time.MicroTimestamp" => Encoding::Micros,
            "io.debezium.time.NanoTimestamp" => Encoding::Nanos,
            "org.apache.kafka.connect.data.Decimal" => {
                let scale = self.parameters.as_ref().and_then(|parameters| parameters.get("scale"));
                Encoding::Decimal(scale.and_then(|scale| scale.parse().ok()).unwrap_or(0))
            }
            _ => return None,
        })
    }
}

/// Writes a known value as the text that a column is read from; false where it cannot be one.
pub(super) fn write_text(value: &Scalar<'_>, column: ColumnType, encoding: Encoding, out: &mut String) -> bool {
    let is_day = matches!(column, ColumnType::Date | ColumnType::Month);
    match (value, encoding) {
        (Scalar::Null | Scalar::Nested, _) => return false,
        (Scalar::Bool(value), _) => out.push_str(if *value { "true" } else { "false" }),
        (Scalar::Text(text), Encoding::Decimal(scale)) => return unscaled(text, scale).is_some_and(|text| push(out, &text)),
        (Scalar::Decimal(scale, bytes), _) => return unscaled(bytes, *scale).is_some_and(|text| push(out, &text)),
        (Scalar::Text(text), _) if is_day => out.push_str(&day_in_china(text)),
        (Scalar::Text(text), _) => out.push_str(text),
        (Scalar::Int(number), Encoding::Plain | Encoding::Days) if is_day => write_days(*number, column, encoding, out),
        (Scalar::Int(number), Encoding::Millis) if is_day => write_instant(*number, 1_000, out),
        (Scalar::Int(number), Encoding::Micros) if is_day => write_instant(*number, 1_000_000, out),
        (Scalar::Int(number), Encoding::Nanos) if is_day => write_instant(*number, 1_000_000_000, out),
        (Scalar::Int(number), _) => put(out, format_args!("{number}")),
        (Scalar::Great(number), _) => put(out, format_args!("{number}")),
        (Scalar::Float(number), _) => write_float(*number, out),
    }
    true
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a text takes everything");
}

fn push(out: &mut String, text: &str) -> bool {
    out.push_str(text);
    true
}

/// Days since 1970, but for months and days that are written as digits: 202605, 20260531.
fn write_days(number: i64, column: ColumnType, encoding: Encoding, out: &mut String) {
    let is_month = column == ColumnType::Month && (180_001..=999_912).contains(&number) && (1..=12).contains(&(number % 100));
    if encoding == Encoding::Plain && (is_month || number >= 10_000_000) {
        put(out, format_args!("{number}"));
        return;
    }
    write_day(i32::try_from(number).ok(), number, out);
}

fn write_instant(number: i64, per_second: i64, out: &mut String) {
    write_day(i32::try_from(number.div_euclid(per_second * 86_400)).ok(), number, out);
}

/// The day as text; where there is no such day, the number, which is none either.
fn write_day(days: Option<i32>, number: i64, out: &mut String) {
    let day = days.and_then(|days| NaiveDate::from_epoch_days(days)).filter(|day| (0..=9_999).contains(&day.year()));
    match day {
        Some(day) => put(out, format_args!("{:04}-{:02}-{:02}", day.year(), day.month(), day.day())),
        None => put(out, format_args!("{number}?")),
    }
}

/// A decimal number that a float holds exactly: up to 15 digits. Others are written as floats, which no column takes.
fn write_float(number: f64, out: &mut String) {
    let start = out.len();
    put(out, format_args!("{number}"));
    let digits = out[start..].bytes().filter(u8::is_ascii_digit);
    if digits.skip_while(|digit| *digit == b'0').count() > EXACT_DIGITS {
        out.truncate(start);
        put(out, format_args!("{number:e}"));
    }
}

/// An instant with a zone as its day in China; other texts as they are.
fn day_in_china(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if bytes.len() < 20 || bytes[10] != b'T' {
        return Cow::Borrowed(text);
    }
    let local = DateTime::parse_from_rfc3339(text).ok().zip(FixedOffset::east_opt(CHINA));
    local.map_or(Cow::Borrowed(text), |(instant, zone)| Cow::Owned(instant.with_timezone(&zone).format("%Y-%m-%d").to_string()))
}

/// The text of a decimal whose digits are a whole number in two's complement, big end first, in base64.
fn unscaled(base64: &str, scale: u32) -> Option<String> {
    let bytes = decoded(base64)?;
    if bytes.is_empty() || bytes.len() > 16 || scale > 38 {
        return None;
    }
    let sign = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
    let mut whole = [sign; 16];
    whole[16 - bytes.len()..].copy_from_slice(&bytes);
    let number = i128::from_be_bytes(whole);
    let scale = usize::try_from(scale).ok()?;
    let digits = format!("{:0>width$}", number.unsigned_abs(), width = scale + 1);
    let (units, fraction) = digits.split_at(digits.len() - scale);
    let sign = if number < 0 { "-" } else { "" };
    Some(if fraction.is_empty() { format!("{sign}{units}") } else { format!("{sign}{units}.{fraction}") })
}

/// Bytes from base64 (RFC 4648, with padding); none where it is none.
fn decoded(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    (text.len() - digits.len() <= 2).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: Scalar<'_>, column: ColumnType, encoding: Encoding, expect: Option<&str>) {
        let mut text = String::new();
        let written = write_text(&value, column, encoding, &mut text);
        assert_eq!(written.then_some(text.as_str()), expect);
    }

    fn text(text: &str) -> Scalar<'_> {
        Scalar::Text(text.into())
    }

    #[test]
    fn days_and_months() {
        use ColumnType::{Date, Month};
        check(Scalar::Int(20_634), Date, Encoding::Days, Some("2026-06-30"));
        check(Scalar::Int(20_634), Date, Encoding::Plain, Some("2026-06-30"));
        check(Scalar::Int(-1), Date, Encoding::Plain, Some("1969-12-31"));
        check(Scalar::Int(20_260_630), Date, Encoding::Plain, Some("20260630"));
        check(Scalar::Int(20_634), Month, Encoding::Plain, Some("2026-06-30"));
        check(Scalar::Int(202_606), Month, Encoding::Plain, Some("202606"));
        check(Scalar::Int(1_782_777_600_000), Date, Encoding::Millis, Some("2026-06-30"));
        check(Scalar::Int(1_782_777_600_000_000), Date, Encoding::Micros, Some("2026-06-30"));
        check(Scalar::Int(-1), Date, Encoding::Nanos, Some("1969-12-31"));
        check(Scalar::Int(i64::MAX), Date, Encoding::Days, Some("9223372036854775807?"));
        check(text("2026-06-29T16:00:00Z"), Date, Encoding::Plain, Some("2026-06-30"));
        check(text("2026-06-29T15:59:59.5Z"), Date, Encoding::Plain, Some("2026-06-29"));
        check(text("2026年6月30日"), Date, Encoding::Plain, Some("2026年6月30日"));
    }

    #[test]
    fn decimals() {
        use ColumnType::{Int, Money};
        check(text("BNI="), Money, Encoding::Decimal(2), Some("12.34"));
        check(text("+y4="), Money, Encoding::Decimal(2), Some("-12.34"));
        check(text("AA=="), Money, Encoding::Decimal(2), Some("0.00"));
        check(text("/w=="), Money, Encoding::Decimal(2), Some("-0.01"));
        check(text("BNI="), Int, Encoding::Decimal(0), Some("1234"));
        check(Scalar::Decimal(1, "Bg==".into()), Money, Encoding::Plain, Some("0.6"));
        check(text("12.34"), Money, Encoding::Decimal(2), None);
        check(text("BNI"), Money, Encoding::Decimal(2), None);
        check(text(""), Money, Encoding::Decimal(2), None);
        check(Scalar::Float(12.3), Money, Encoding::Plain, Some("12.3"));
        check(Scalar::Float(1_234_567_890_123_456.8), Money, Encoding::Plain, Some("1.2345678901234568e15"));
    }

    #[test]
    fn other_values() {
        use ColumnType::{Bool, Text};
        check(Scalar::Bool(true), Bool, Encoding::Plain, Some("true"));
        check(Scalar::Int(0), Bool, Encoding::Plain, Some("0"));
        check(Scalar::Great(u64::MAX), Text, Encoding::Plain, Some("18446744073709551615"));
        check(Scalar::Nested, Text, Encoding::Plain, None);
    }
}
