//! The text of the queries: how one value is made of many rows, and what it is where there are none.

use std::fmt::Write as _;

use super::feed::{FeedPlan, data_type};
use super::plan::condition;
use crate::check::catalogue::{Aggregate, How};
use crate::check::ir::Ty;
use arrow::datatypes::DataType;

/// A name as it stands in a query.
#[must_use]
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The word of a type in `CAST`.
#[must_use]
pub(super) fn sql_type(ty: Ty, scale: u8) -> &'static str {
    match data_type(ty, scale) {
        DataType::Boolean => "boolean",
        DataType::Int64 => "bigint",
        DataType::Decimal128(..) => "decimal(18, 2)",
        DataType::Date32 => "date",
        _ => "varchar",
    }
}

/// An aggregate over a feed, and its value for a subject without rows.
#[derive(Debug, Clone)]
pub(super) struct AggregateText {
    /// Over the rows of one subject.
    pub over_rows: String,
    /// Where there are no rows and the register is complete.
    pub of_none: &'static str,
}

/// Puts what an aggregate needs into the feed and gives its text.
///
/// `complete` says whether the rows that there are, are all that there can be: over a partial register, rows that do
/// not pass tell nothing.
pub(super) fn aggregate(rows: &Aggregate, feed: &mut FeedPlan, scale: u8, ty: Ty, complete: bool, renumbered: bool) -> AggregateText {
    let passes = condition(rows).map(|condition| quoted(&feed.column(&condition, 0)));
    let value = rows.value.as_ref().filter(|_| rows.how != How::Count).map(|value| {
        let value_scale = if value.ty == Ty::Number { scale } else { 0 };
        quoted(&feed.column(value, value_scale))
    });
    let by = rows.by.as_ref().map(|by| quoted(&feed.column(by, 0)));
    let value = value.unwrap_or_default();
    // Rows of which it is unknown whether they count, or that count with an unknown value.
    let doubt = match (&passes, rows.how) {
        (_, How::Any | How::All | How::Only) | (None, How::Count | How::Latest) => None,
        (Some(passes), How::Count | How::Latest) => Some(format!("{passes} is null")),
        (Some(passes), _) => Some(format!("{passes} is null or ({passes} and {value} is null)")),
        (None, _) => Some(format!("{value} is null")),
    };
    let filter = passes.as_ref().map_or(String::new(), |passes| format!(" filter (where {passes})"));
    let (body, of_none) = match rows.how {
        How::Only if renumbered => (format!("first_value({value} order by renumbered)"), "null"),
        How::Only => (value.clone(), "null"),
        How::Count => (format!("count(*){filter}"), "0"),
        How::CountDistinct => (format!("count(distinct {value}){filter}"), "0"),
        How::Sum => (format!("coalesce(sum({value}){filter}, 0)"), "0"),
        How::Min => (format!("min({value}){filter}"), "null"),
        How::Max => (format!("max({value}){filter}"), "null"),
        How::Latest => (format!("last_value({value} order by {}, {value}){filter}", by.unwrap_or_default()), "null"),
        How::Any => (any(&both(passes.as_deref(), &value)), "false"),
        How::All => (format!("not {}", any(&both(passes.as_deref(), &format!("(not {value})")))), "true"),
    };
    let mut text = body;
    if !complete && matches!(rows.how, How::Count | How::CountDistinct | How::Sum | How::Any | How::All) {
        // Over a partial register the rows that there are speak; that none passes tells nothing.
        let some = rows
            .filter
            .as_ref()
            .map_or_else(|| "count(*)".to_owned(), |filter| format!("count(*) filter (where {})", quoted(&feed.column(filter, 0))));
        text = format!("case when {some} = 0 then null else {text} end");
    }
    if let Some(doubt) = doubt {
        text = format!("case when coalesce(bool_or({doubt}), false) then null else {text} end");
    }
    AggregateText { over_rows: format!("cast({text} as {})", sql_type(ty, scale)), of_none }
}

fn both(passes: Option<&str>, value: &str) -> String {
    match passes {
        Some(passes) => format!("({passes} and {value})"),
        None => value.to_owned(),
    }
}

/// Kleene "some row": yes beats unknown beats no.
fn any(condition: &str) -> String {
    format!(
        "case when coalesce(bool_or({condition}), false) then true when coalesce(bool_or({condition} is null), false) then null else false end"
    )
}

/// `select … from feed [group by id]`: one row per subject with the aggregates named `a0`, `a1`, …
#[must_use]
pub(super) fn per_subject(feed: &str, texts: &[String], grouped: bool) -> String {
    let mut query = "select id".to_owned();
    for (index, text) in texts.iter().enumerate() {
        let _ = write!(query, ", {text} as a{index}");
    }
    let _ = write!(query, ", true as present from {}", quoted(feed));
    if grouped {
        query.push_str(" group by id");
    }
    query
}
