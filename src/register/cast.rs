//! From a physical column to the declared type: normalised, checked against code lists and regions, faults by row.
//!
//! The common case, values that are already as they should be, is checked in place and the array is handed on.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, BooleanBuilder, Date32Array, Decimal128Array, Int64Array, PrimitiveArray,
    PrimitiveBuilder, StringArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Float64Type, Int64Type, TimeUnit};
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfkc_quick};

use super::cast_text::JudgedDictionary;
use super::declaration::{ColumnType, RegisterColumn};
use super::parse_value as parse;
use super::quarantine::{Reason, shown};

/// 1800-01-01, the first day that is taken.
const FIRST_DAY: i32 = -62_091;
/// 9999-12-31, the last one and the end of what still goes on.
const OPEN_DAY: i32 = 2_932_896;
/// 9999-12-01, the month of it.
const OPEN_MONTH: i32 = 2_932_866;
const DAY_SECONDS: i64 = 86_400;

/// What casting needs to know of the source and the world.
#[derive(Debug, Clone, Default)]
pub(super) struct CastSettings {
    pub(super) date_format: Option<String>,
    pub(super) true_words: Vec<String>,
    pub(super) false_words: Vec<String>,
    pub(super) null_words: Vec<String>,
    /// Every region code of whatever time.
    pub(super) regions: Arc<HashSet<String>>,
    /// Whether texts that repeat are given as dictionaries.
    pub(super) dictionaries: bool,
}

/// A value that could not be cast; it is null in the array.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) row: usize,
    pub(super) reason: Reason,
    /// As it may be shown.
    pub(super) value: String,
}

/// A column in its declared type.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) array: ArrayRef,
    pub(super) faults: Vec<Fault>,
    /// Rows whose identifier was upgraded from 15 digits.
    pub(super) upgraded: Vec<usize>,
}

/// One declared column, ready to cast arrays.
#[derive(Debug)]
pub(super) struct ColumnCast {
    pub(super) column: RegisterColumn,
    pub(super) settings: Arc<CastSettings>,
    /// Codes by normalised label, for labels that only one code has.
    pub(super) labels: BTreeMap<String, String>,
    pub(super) gives_dictionary: bool,
}

impl ColumnCast {
    pub(super) fn new(column: &RegisterColumn, settings: &Arc<CastSettings>) -> Self {
        let mut owners: BTreeMap<String, Vec<&String>> = BTreeMap::new();
        for (code, label) in &column.codes {
            for text in [code, &label.zh, &label.en] {
                let codes = owners.entry(normalised(text).into_owned()).or_default();
                if !codes.contains(&code) {
                    codes.push(code);
                }
            }
        }
        let labels = owners
            .into_iter()
            .filter(|(text, codes)| codes.len() == 1 && !text.is_empty())
            .map(|(text, codes)| (text, codes[0].clone()))
            .collect();
        let gives_dictionary = settings.dictionaries && column.column_type.repeats();
        Self { column: column.clone(), settings: Arc::clone(settings), labels, gives_dictionary }
    }

    /// Casts one array; none where the physical type cannot be read as the declared one at all. What is remembered of a dictionary
    /// serves further arrays that have it.
    pub(super) fn cast(&self, array: &ArrayRef, judged: &mut Option<JudgedDictionary>) -> Option<Cast> {
        let mut cast = match self.column.column_type {
            ColumnType::Bool => self.cast_bool(array)?,
            ColumnType::Int => self.cast_int(array)?,
            ColumnType::Money => self.cast_money(array)?,
            ColumnType::Date => self.cast_date(array)?,
            ColumnType::Month => self.cast_month(array)?,
            _ => {
                let cast = self.cast_text(array, judged)?;
                return Some(Cast { array: self.given(cast.array), ..cast });
            }
        };
        self.fill_open_ends(&mut cast);
        Some(cast)
    }

    /// Null ends of spells that still go on become 9999-12-31 (a month: 9999-12-01); faulty values stay null.
    fn fill_open_ends(&self, cast: &mut Cast) {
        let open = match self.column.column_type {
            ColumnType::Date => OPEN_DAY,
            ColumnType::Month => OPEN_MONTH,
            _ => return,
        };
        if self.column.null_is.is_none() || cast.array.null_count() == 0 {
            return;
        }
        let days = cast.array.as_primitive::<Date32Type>();
        let nulls = days.nulls().filter(|_| cast.faults.is_empty());
        let filled: Date32Array = if let Some(nulls) = nulls {
            days.values().iter().zip(nulls).map(|(day, is_known)| if is_known { *day } else { open }).collect::<Vec<i32>>().into()
        } else {
            let mut faulty = cast.faults.iter().map(|fault| fault.row).peekable();
            let fill = |(row, day): (usize, Option<i32>)| day.or(faulty.next_if_eq(&row).is_none().then_some(open));
            days.iter().enumerate().map(fill).collect()
        };
        cast.array = Arc::new(filled);
    }

    pub(super) fn is_null(&self, text: &str) -> bool {
        let trimmed = text.trim();
        trimmed.is_empty() || self.is_null_word(trimmed)
    }

    pub(super) fn is_null_word(&self, text: &str) -> bool {
        self.settings.null_words.iter().any(|word| word == text)
    }

    pub(super) fn fault(&self, row: usize, reason: Reason, value: &str) -> Fault {
        Fault { row, reason, value: shown(&self.column, value.trim()) }
    }

    fn cast_bool(&self, array: &ArrayRef) -> Option<Cast> {
        if let Some(values) = array.as_boolean_opt() {
            return Some(whole(values.clone()));
        }
        let text = text_of(array)?;
        let mut builder = BooleanBuilder::with_capacity(text.len());
        let mut faults = Vec::new();
        for (row, value) in text.iter().enumerate() {
            let value = value.filter(|text| !self.is_null(text));
            let answer = value.map(|text| self.truth(&normalised(text)));
            if answer == Some(None) {
                faults.push(self.fault(row, Reason::Uncastable, value.unwrap_or_default()));
            }
            builder.append_option(answer.flatten());
        }
        Some(Cast { array: Arc::new(builder.finish()), faults, upgraded: Vec::new() })
    }

    fn truth(&self, text: &str) -> Option<bool> {
        let is_in = |words: &[String]| words.iter().any(|word| normalised(word) == text);
        if is_in(&self.settings.true_words) {
            return Some(true);
        }
        if is_in(&self.settings.false_words) {
            return Some(false);
        }
        match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "是" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "否" => Some(false),
            _ => None,
        }
    }

    fn cast_int(&self, array: &ArrayRef) -> Option<Cast> {
        let cast = match array.data_type() {
            DataType::Int64 => whole(array.as_primitive::<Int64Type>().clone()),
            kind if kind.is_integer() => {
                self.map_numbers::<Int64Type, _>(&decimals(array)?, |value: i128| i64::try_from(value).map_err(|_| Reason::OutOfRange))
            }
            DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => {
                let scale = usize::try_from(*scale).ok()?;
                self.map_numbers::<Int64Type, _>(&decimals(array)?, |value: i128| {
                    let value = parse::rescaled(value, scale, 0).ok_or(Reason::Uncastable)?;
                    i64::try_from(value).map_err(|_| Reason::OutOfRange)
                })
            }
            kind if kind.is_floating() => self.map_floats::<Int64Type>(array, parse::int_of_float)?,
            _ => self.parse_text::<Int64Type>(&text_of(array)?, parse::int),
        };
        Some(self.bounded_int(cast))
    }

    fn cast_money(&self, array: &ArrayRef) -> Option<Cast> {
        let cast = match array.data_type() {
            DataType::Decimal128(precision, 2) if *precision <= 18 => whole(array.as_primitive::<Decimal128Type>().clone()),
            kind if kind.is_integer() => self.map_numbers::<Decimal128Type, _>(&decimals(array)?, |value| parse::money_of(value, 0)),
            DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => {
                let scale = usize::try_from(*scale).ok()?;
                self.map_numbers::<Decimal128Type, _>(&decimals(array)?, |value| parse::money_of(value, scale))
            }
            kind if kind.is_floating() => self.map_floats::<Decimal128Type>(array, parse::money_of_float)?,
            _ => self.parse_text::<Decimal128Type>(&text_of(array)?, parse::money),
        };
        let cast = self.bounded_money(cast);
        let money = cast.array.as_primitive::<Decimal128Type>().clone().with_precision_and_scale(18, 2).ok()?;
        Some(Cast { array: Arc::new(money), ..cast })
    }

    fn cast_date(&self, array: &ArrayRef) -> Option<Cast> {
        let format = self.settings.date_format.as_deref();
        self.cast_days(array, |text| parse::date(text, format))
    }

    fn cast_month(&self, array: &ArrayRef) -> Option<Cast> {
        let format = self.settings.date_format.as_deref();
        let mut cast = self.cast_days(array, |text| parse::month(text, format))?;
        let days = cast.array.as_primitive::<Date32Type>();
        if !all_known(days, |day| parse::month_start(day) == day) {
            cast.array = Arc::new(days.unary::<_, Date32Type>(parse::month_start));
        }
        Some(cast)
    }

    fn cast_days(&self, array: &ArrayRef, parse_text: impl Fn(&str) -> Result<i32, Reason>) -> Option<Cast> {
        let is_known_day = |day: i32| (FIRST_DAY..=OPEN_DAY).contains(&day);
        let in_range = |day: i32| if is_known_day(day) { Ok(day) } else { Err(Reason::OutOfRange) };
        match array.data_type() {
            DataType::Date32 => {
                let days = array.as_primitive::<Date32Type>();
                if all_known(days, is_known_day) {
                    return Some(whole(days.clone()));
                }
                Some(self.map_primitive::<Date32Type, Date32Type>(days, in_range))
            }
            DataType::Date64 => self.map_instants(array, TimeUnit::Millisecond, 0, in_range),
            DataType::Timestamp(unit, zone) => {
                let shift = zone.as_deref().map_or(Some(0), offset_seconds)?;
                self.map_instants(array, *unit, shift, in_range)
            }
            _ => Some(self.parse_text::<Date32Type>(&text_of(array)?, parse_text)),
        }
    }

    /// The days of instants, in a place that is `shift` seconds ahead of UTC.
    fn map_instants(&self, array: &ArrayRef, unit: TimeUnit, shift: i64, in_range: impl Fn(i32) -> Result<i32, Reason>) -> Option<Cast> {
        let per_second: i64 = match unit {
            TimeUnit::Second => 1,
            TimeUnit::Millisecond => 1_000,
            TimeUnit::Microsecond => 1_000_000,
            TimeUnit::Nanosecond => 1_000_000_000,
        };
        let instants = checked(array, &DataType::Int64)?;
        Some(self.map_primitive::<Int64Type, Date32Type>(instants.as_primitive(), |instant| {
            let day = instant.div_euclid(per_second).saturating_add(shift).div_euclid(DAY_SECONDS);
            in_range(i32::try_from(day).map_err(|_| Reason::OutOfRange)?)
        }))
    }

    fn parse_text<To: ArrowPrimitiveType>(&self, array: &StringArray, parse: impl Fn(&str) -> Result<To::Native, Reason>) -> Cast {
        let mut builder = PrimitiveBuilder::<To>::with_capacity(array.len());
        let mut faults = Vec::new();
        for (row, value) in array.iter().enumerate() {
            let value = value.filter(|text| !self.is_null(text));
            let parsed = value.map(|text| parse(text).or_else(|_| parse(&normalised(text))));
            if let (Some(Err(reason)), Some(text)) = (&parsed, value) {
                faults.push(self.fault(row, *reason, text));
            }
            builder.append_option(parsed.and_then(Result::ok));
        }
        Cast { array: Arc::new(builder.finish()), faults, upgraded: Vec::new() }
    }

    fn map_primitive<From: ArrowPrimitiveType, To: ArrowPrimitiveType>(
        &self,
        array: &PrimitiveArray<From>,
        change: impl Fn(From::Native) -> Result<To::Native, Reason>,
    ) -> Cast
    where
        From::Native: std::fmt::Debug,
    {
        let mut builder = PrimitiveBuilder::<To>::with_capacity(array.len());
        let mut faults = Vec::new();
        for (row, value) in array.iter().enumerate() {
            let changed = value.map(&change);
            if let (Some(Err(reason)), Some(value)) = (&changed, value) {
                faults.push(self.fault(row, *reason, &format!("{value:?}")));
            }
            builder.append_option(changed.and_then(Result::ok));
        }
        Cast { array: Arc::new(builder.finish()), faults, upgraded: Vec::new() }
    }

    fn map_numbers<To: ArrowPrimitiveType, F: Fn(i128) -> Result<To::Native, Reason>>(&self, array: &Decimal128Array, change: F) -> Cast {
        self.map_primitive::<Decimal128Type, To>(array, change)
    }

    fn map_floats<To: ArrowPrimitiveType>(&self, array: &ArrayRef, change: impl Fn(f64) -> Result<To::Native, Reason>) -> Option<Cast> {
        // A 32-bit float is read by its own shortest decimal form.
        if array.data_type() != &DataType::Float64 {
            let text = checked(array, &DataType::Utf8)?;
            return Some(self.parse_text::<To>(text.as_string(), |text| change(text.parse().map_err(|_| Reason::Uncastable)?)));
        }
        Some(self.map_primitive::<Float64Type, To>(array.as_primitive(), change))
    }

    fn bounded_int(&self, mut cast: Cast) -> Cast {
        let (low, high) = (self.column.minimum.unwrap_or(i64::MIN), self.column.maximum.unwrap_or(i64::MAX));
        let values = cast.array.as_primitive::<Int64Type>();
        if !all_known(values, |value| low <= value && value <= high) {
            let bounded = self.map_primitive::<Int64Type, Int64Type>(values, |value| {
                if value < low || value > high { Err(Reason::OutOfRange) } else { Ok(value) }
            });
            cast = merged(cast, bounded);
        }
        cast
    }

    fn bounded_money(&self, mut cast: Cast) -> Cast {
        let low = self.column.minimum.map_or(i128::MIN, |least| i128::from(least) * 100);
        let high = self.column.maximum.map_or(i128::MAX, |most| i128::from(most) * 100);
        let values = cast.array.as_primitive::<Decimal128Type>();
        if !all_known(values, |value| low <= value && value <= high) {
            let mut bounded = self.map_primitive::<Decimal128Type, Decimal128Type>(values, |value| {
                if value < low || value > high { Err(Reason::OutOfRange) } else { Ok(value) }
            });
            for fault in &mut bounded.faults {
                let fen = values.value(fault.row);
                let sign = if fen < 0 { "-" } else { "" };
                fault.value = shown(&self.column, &format!("{sign}{}.{:02}", fen.abs() / 100, fen.abs() % 100));
            }
            cast = merged(cast, bounded);
        }
        cast
    }
}

/// Whether all values are as wanted; what stands under nulls does not count.
fn all_known<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, wanted: impl Fn(T::Native) -> bool) -> bool {
    // Without branches in between, so that several values are compared at once. Mostly there is no harm under nulls either.
    let all = |values: &[T::Native]| values.iter().fold(true, |all, value| all & wanted(*value));
    array.values().chunks(1024).all(all) || array.null_count() > 0 && array.iter().flatten().all(&wanted)
}

/// The later array with the faults of both, by row.
fn merged(earlier: Cast, mut later: Cast) -> Cast {
    later.faults.extend(earlier.faults);
    later.faults.sort_by_key(|fault| fault.row);
    later
}

fn whole(array: impl Array + 'static) -> Cast {
    Cast { array: Arc::new(array), faults: Vec::new(), upgraded: Vec::new() }
}

pub(super) fn checked(array: &ArrayRef, to: &DataType) -> Option<ArrayRef> {
    cast_with_options(array, to, &CastOptions { safe: true, ..CastOptions::default() }).ok()
}

/// Text as it is, out of dictionaries and views; whole numbers as their digits. Other types are no text.
pub(super) fn text_of(array: &ArrayRef) -> Option<StringArray> {
    let kind = match array.data_type() {
        DataType::Utf8 => return Some(array.as_string::<i32>().clone()),
        DataType::Dictionary(_, values) => values.as_ref(),
        kind => kind,
    };
    let is_text = matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null) || kind.is_integer();
    is_text.then(|| checked(array, &DataType::Utf8)).flatten().map(|text| text.as_string().clone())
}

/// Whole numbers and decimals as the digits of a Decimal128.
fn decimals(array: &ArrayRef) -> Option<Decimal128Array> {
    let to = match array.data_type() {
        DataType::Decimal128(..) => return Some(array.as_primitive::<Decimal128Type>().clone()),
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => DataType::Decimal128(*precision, *scale),
        DataType::UInt64 => DataType::Decimal128(20, 0),
        _ => {
            let whole: Int64Array = checked(array, &DataType::Int64)?.as_primitive().clone();
            return Some(whole.unary(i128::from));
        }
    };
    Some(checked(array, &to)?.as_primitive::<Decimal128Type>().clone())
}

/// How far a time zone is from UTC; none for zones that are not known here.
fn offset_seconds(zone: &str) -> Option<i64> {
    let minutes = match zone {
        "UTC" | "Z" | "Etc/UTC" | "GMT" => 0,
        "Asia/Shanghai" | "Asia/Chongqing" | "Asia/Urumqi" | "PRC" => 480,
        _ => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
            sign * (hours.parse::<i64>().ok()? * 60 + minutes.parse::<i64>().ok()?)
        }
    };
    Some(minutes * 60)
}

/// NFKC without blanks at the ends.
pub(super) fn normalised(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim_matches(|character: char| character.is_whitespace() || character == '\u{feff}');
    if trimmed.is_ascii() || is_nfkc_quick(trimmed.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(trimmed);
    }
    Cow::Owned(trimmed.nfkc().collect::<String>().trim().to_owned())
}

/// Whether a text is not empty and already normalised.
pub(super) fn is_normal(text: &str) -> bool {
    if let (Some(first), Some(last), true) = (text.as_bytes().first(), text.as_bytes().last(), text.is_ascii()) {
        return !char::from(*first).is_whitespace() && !char::from(*last).is_whitespace();
    }
    matches!(normalised(text), Cow::Borrowed(same) if same.len() == text.len() && !same.is_empty())
}

/// An all-true mask without the given rows.
pub(super) fn mask_without(rows: usize, without: impl IntoIterator<Item = usize>) -> BooleanArray {
    let mut keep = vec![true; rows];
    for row in without {
        keep[row] = false;
    }
    BooleanArray::from(keep)
}

#[cfg(test)]
#[path = "cast_tests.rs"]
mod tests;
