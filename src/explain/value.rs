//! Values as people read them: numbers with thousands and unit, dates, labels of codes and regions.

use chrono::{Days, NaiveDate};

use crate::check::typing::Type;
use crate::diagnostic::Message;
use crate::program::Rational;
use crate::program::interpreter::Answer;
use crate::region::RegionTree;

/// The value of a fact or of a part of a condition, for people.
#[must_use]
pub fn show(answer: &Answer, ty: Option<&Type>, unit: Option<&str>, regions: &RegionTree) -> Message {
    match answer {
        Answer::Bool(true) => Message::new("是", "yes"),
        Answer::Bool(false) => Message::new("否", "no"),
        Answer::Number(number) => {
            let is_money = ty.is_some_and(|ty| ty.scale == 2) || unit.is_some_and(|unit| unit.starts_with("CNY"));
            with_unit(&decimal(number, if is_money { 2 } else { 0 }), unit)
        }
        Answer::Date(days) => match date(*days) {
            Some(day) if day == NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or(NaiveDate::MAX) => Message::new("长期", "open-ended"),
            Some(day) if ty.is_some_and(|ty| ty.month) => both(day.format("%Y-%m").to_string()),
            Some(day) => both(day.to_string()),
            None => both(days.to_string()),
        },
        Answer::Text(text) => {
            let label = ty.and_then(|ty| {
                let of_codes = ty.codes.as_ref().and_then(|codes| codes.get(&**text));
                of_codes.or_else(|| regions.name(text).filter(|_| ty.region))
            });
            match label {
                Some(label) => Message::new(format!("{} ({text})", label.zh), format!("{} ({text})", label.en)),
                None => both(text.to_string()),
            }
        }
    }
}

/// The value for tools: booleans as such, everything else as exact text.
#[must_use]
pub fn raw(answer: &Answer, ty: Option<&Type>) -> serde_json::Value {
    match answer {
        Answer::Bool(value) => serde_json::Value::Bool(*value),
        Answer::Number(number) => match exact(number, 0) {
            Some(text) => serde_json::Value::String(text),
            None => serde_json::Value::String(format!("{}/{}", number.num(), number.den())),
        },
        Answer::Date(days) => {
            let pattern = if ty.is_some_and(|ty| ty.month) { "%Y-%m" } else { "%Y-%m-%d" };
            serde_json::Value::String(date(*days).map_or_else(|| days.to_string(), |day| day.format(pattern).to_string()))
        }
        Answer::Text(text) => serde_json::Value::String(text.to_string()),
    }
}

/// A number with thousands, at least `places` digits behind the point, and at most four: beyond these it says `≈`.
#[must_use]
pub fn decimal(number: &Rational, places: usize) -> String {
    if let Some(text) = exact(number, places) {
        return grouped(&text);
    }
    let digits = crate::program::round_half_up(number, 4);
    match digits {
        Some(digits) => {
            let sign = if digits < 0 { "-" } else { "" };
            let digits = digits.unsigned_abs();
            format!("≈ {}", grouped(&format!("{sign}{}.{:04}", digits / 10_000, digits % 10_000)))
        }
        None => format!("{}/{}", number.num(), number.den()),
    }
}

/// The decimal text of a number that needs at most four digits behind the point.
fn exact(number: &Rational, places: usize) -> Option<String> {
    let places = (places..=4).find(|places| 10_i128.pow(u32::try_from(*places).unwrap_or(4)) % number.den() == 0)?;
    let factor = 10_i128.pow(u32::try_from(places).ok()?);
    let digits = number.num().checked_mul(factor / number.den())?;
    let sign = if digits < 0 { "-" } else { "" };
    let (digits, factor) = (digits.unsigned_abs(), factor.unsigned_abs());
    let whole = digits / factor;
    Some(if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{:0places$}", digits % factor) })
}

/// Decimal text with a comma between thousands.
#[must_use]
pub fn grouped(text: &str) -> String {
    let (sign, unsigned) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut grouped = String::from(sign);
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if let Some(fraction) = fraction {
        grouped.push('.');
        grouped.push_str(fraction);
    }
    grouped
}

/// A number with its unit.
#[must_use]
pub fn with_unit(number: &str, unit: Option<&str>) -> Message {
    let Some(unit) = unit.filter(|unit| !unit.is_empty()) else { return both(number.to_owned()) };
    let zh = match unit {
        "month" => "个月".to_owned(),
        "year" => "年".to_owned(),
        _ => unit.split('/').map(unit_word).collect::<Vec<_>>().join("/"),
    };
    Message::new(format!("{number} {zh}"), format!("{number} {unit}"))
}

fn unit_word(unit: &str) -> &str {
    match unit {
        "CNY" => "元",
        "month" => "月",
        "year" => "年",
        "day" => "天",
        "person" => "人",
        "m2" => "平方米",
        other => other,
    }
}

fn both(text: String) -> Message {
    Message { zh: text.clone(), en: text }
}

/// The day of a number of days since 1970-01-01.
pub(super) fn date(days: i32) -> Option<NaiveDate> {
    let distance = Days::new(u64::from(days.unsigned_abs()));
    if days < 0 { NaiveDate::default().checked_sub_days(distance) } else { NaiveDate::default().checked_add_days(distance) }
}

#[cfg(test)]
mod tests {
    //! Numbers, dates and units as they are shown.

    use super::*;
    use crate::check::typing::Type;

    #[track_caller]
    fn check(num: i128, den: i128, places: usize, expected: &str) {
        assert_eq!(decimal(&Rational::new(num, den).expect("not divided by zero"), places), expected);
    }

    #[test]
    fn numbers() {
        check(123_400, 100, 2, "1,234.00");
        check(-1_234_567, 1, 0, "-1,234,567");
        check(1, 8, 2, "0.125");
        check(1000, 3, 2, "≈ 333.3333");
        check(0, 1, 0, "0");
    }

    #[test]
    fn values() {
        let regions = RegionTree::default();
        let month = Type { month: true, ..Type::plain(crate::check::ir::Ty::Date) };
        let day = Answer::Date(crate::check::bind::days(NaiveDate::from_ymd_opt(1946, 3, 31).expect("a day")));
        assert_eq!(show(&day, None, None, &regions).zh, "1946-03-31");
        assert_eq!(show(&day, Some(&month), None, &regions).zh, "1946-03");
        let amount = Answer::Number(Rational::whole(1234));
        assert_eq!(show(&amount, None, Some("CNY/month"), &regions), Message::new("1,234.00 元/月", "1,234.00 CNY/month"));
        assert_eq!(show(&amount, None, Some("month"), &regions).zh, "1,234 个月");
        assert_eq!(raw(&Answer::Number(Rational::new(1, 3).expect("not divided by zero")), None), "1/3");
    }
}
