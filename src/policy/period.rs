//! Dates and half-open periods `[from, to)` as they are written in policies and parameters.

use chrono::NaiveDate;

use crate::diagnostic::{Diagnostic, Span, code};
use crate::yaml::{Fields, Node, parse_date, wrong_shape};

/// The days from `from` up to, and without, `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Days {
    /// First day.
    pub(super) from: NaiveDate,
    /// Place of the first day.
    pub(super) place: Span,
    /// First day no longer; none: without end.
    pub(super) to: Option<NaiveDate>,
}

/// Whether two half-open periods share a day.
pub(super) fn overlap(one: (NaiveDate, Option<NaiveDate>), other: (NaiveDate, Option<NaiveDate>)) -> bool {
    let before_end = |day: NaiveDate, end: Option<NaiveDate>| end.is_none_or(|end| day < end);
    before_end(one.0, other.1) && before_end(other.0, one.1)
}

/// Whether a half-open period holds a day.
pub(super) fn holds(from: NaiveDate, to: Option<NaiveDate>, day: NaiveDate) -> bool {
    from <= day && to.is_none_or(|to| day < to)
}

/// The keys `from` (required) and `to` of a mapping; `bad-period` when they hold no day.
pub(super) fn days(fields: &mut Fields<'_>) -> Option<Days> {
    let from = fields.required("from");
    let to = fields.optional("to");
    let first = from.and_then(|node| date(node, fields.diagnostics()));
    let end = to.and_then(|node| date(node, fields.diagnostics()));
    let (from, first) = (from?, first?);
    if let (Some(to), Some(end)) = (to, end)
        && end <= first
    {
        fields.report(
            Diagnostic::new(
                &code::BAD_PERIOD,
                format!("期间不含任何一天: {first} 至 {end}"),
                format!("no day lies from {first} up to {end}"),
            )
            .at(to.span())
            .also(from.span(), "从这一天起", "from this day")
            .help("to 是停止有效的第一天, 须晚于 from", "`to` is the first day no longer valid and must be later than `from`"),
        );
    }
    Some(Days { from: first, place: from.span(), to: end })
}

/// The date of a scalar.
pub(super) fn date(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<NaiveDate> {
    let parsed = node.text().and_then(parse_date);
    if parsed.is_none() {
        diagnostics.push(wrong_shape(node, "日期, 如 2024-02-29", "a date such as 2024-02-29"));
    }
    parsed
}
