//! Amounts and days as they stand in events: decimal text with two places, never a float; days as 2026-06-30.

use serde::{Deserialize, Deserializer, Serializer, de};

use crate::eligibility::grant::amount_text;

/// The hundredths of a decimal text such as `120`, `120.5` or `-3.25`; none where it is no such text, or too large.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > 2 || !all_digits(whole) || !all_digits(fraction) || digits.ends_with('.') {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<2}").parse().ok()?;
    whole.parse::<i64>().ok()?.checked_mul(100)?.checked_add(fraction).map(|value| sign * value)
}

/// Writes an amount that may be absent.
#[expect(clippy::ref_option, reason = "serde hands fields over like this")]
pub(super) fn serialize<S: Serializer>(amount: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
    match amount {
        Some(amount) => to.serialize_some(&amount_text(*amount)),
        None => to.serialize_none(),
    }
}

/// Reads an amount that may be absent.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| parse(&text).ok_or_else(|| de::Error::custom("an amount is a decimal text with at most two places"))).transpose()
}

/// Days that are always there.
pub(super) mod day {
    use chrono::NaiveDate;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::yaml::parse_date;

    pub(in crate::ledger) fn serialize<S: Serializer>(day: &NaiveDate, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(day)
    }

    pub(in crate::ledger) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NaiveDate, D::Error> {
        parse_date(&String::deserialize(from)?).ok_or_else(|| de::Error::custom("a day is written 2026-06-30"))
    }
}

/// Days that may be absent.
pub(super) mod some_day {
    use chrono::NaiveDate;
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::yaml::parse_date;

    #[expect(clippy::ref_option, reason = "serde hands fields over like this")]
    pub(in crate::ledger) fn serialize<S: Serializer>(day: &Option<NaiveDate>, to: S) -> Result<S::Ok, S::Error> {
        match day {
            Some(day) => to.collect_str(day),
            None => to.serialize_none(),
        }
    }

    pub(in crate::ledger) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NaiveDate>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| parse_date(&text).ok_or_else(|| de::Error::custom("a day is written 2026-06-30"))).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_or_refused() {
        let all = ["0", "120", "120.5", "120.50", "-3.25", "-0.01", "92233720368547758.07"].map(parse);
        assert_eq!(all, [Some(0), Some(12_000), Some(12_050), Some(12_050), Some(-325), Some(-1), Some(i64::MAX)]);
        for bad in ["", "-", ".5", "1.", "1.234", "1e3", "1,000", "+1", " 1", "92233720368547758.08", "99999999999999999999"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
