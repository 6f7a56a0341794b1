//! Amounts, periods and days as people read them.

use chrono::NaiveDate;

use super::message::Text;
use crate::eligibility::grant::amount_text;
use crate::explain::value::{grouped, with_unit};
use crate::register::declaration::SubjectKind;

/// `1,200.00 元`
pub(super) fn amount(hundredths: i64, unit: &str) -> Text {
    Text::from(&with_unit(&grouped(&amount_text(hundredths)), Some(unit)))
}

/// `2026年6月`, `June 2026`; what is no period as it is; none for the empty one.
pub(super) fn period(period: &str) -> Option<Text> {
    let month = || NaiveDate::parse_from_str(&format!("{period}-01"), "%Y-%m-%d").ok();
    let text = match period.len() {
        0 => return None,
        4 => Text { zh: format!("{period}年"), en: period.to_owned() },
        7 => match month() {
            Some(month) => Text { zh: month.format("%Y年%-m月").to_string(), en: month.format("%B %Y").to_string() },
            None => plain(period),
        },
        _ => NaiveDate::parse_from_str(period, "%Y-%m-%d").map_or_else(|_| plain(period), day),
    };
    Some(text)
}

/// `2026年6月30日`, `30 June 2026`
pub(super) fn day(day: NaiveDate) -> Text {
    Text { zh: day.format("%Y年%-m月%-d日").to_string(), en: day.format("%-d %B %Y").to_string() }
}

/// The same text in both languages.
pub(super) fn plain(text: &str) -> Text {
    Text { zh: text.to_owned(), en: text.to_owned() }
}

/// How a subject is addressed, in the middle of a sentence.
pub(super) fn who(kind: SubjectKind) -> Text {
    let (zh, en) = match kind {
        SubjectKind::Person => ("您", "you"),
        SubjectKind::Household => ("您家", "your household"),
        SubjectKind::Entity => ("贵单位", "your organisation"),
    };
    Text { zh: zh.to_owned(), en: en.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_periods_in_words() {
        let text = |zh: &str, en: &str| Text { zh: zh.to_owned(), en: en.to_owned() };
        assert_eq!(amount(120_050, "CNY"), text("1,200.50 元", "1,200.50 CNY"));
        assert_eq!(period(""), None);
        assert_eq!(period("2026"), Some(text("2026年", "2026")));
        assert_eq!(period("2026-06"), Some(text("2026年6月", "June 2026")));
        assert_eq!(period("2026-06-03"), Some(text("2026年6月3日", "3 June 2026")));
        assert_eq!(period("2026-13"), Some(text("2026-13", "2026-13")));
    }
}
