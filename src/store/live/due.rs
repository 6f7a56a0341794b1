//! Who is due: timers, and between them those who were touched since the day's turn, whatever their timer says.

use chrono::{Days, NaiveDate};

use super::{Timer, TimerKey, kind_number};

/// The day on which whoever was touched is due.
pub(in crate::store) fn next_day(as_of: NaiveDate) -> NaiveDate {
    as_of.checked_add_days(Days::new(1)).unwrap_or(as_of)
}

/// Behind which kind and identifier those who were touched are asked for; none where they are due after `until`, or all before `after`.
pub(in crate::store) fn touched_after(next_day: NaiveDate, until: NaiveDate, after: Option<&TimerKey>) -> Option<(i16, String)> {
    let begin = || Some((-1, String::new()));
    match after {
        _ if next_day > until => None,
        None => begin(),
        Some(key) if key.day < next_day => begin(),
        Some(key) if key.day == next_day => Some((kind_number(key.kind), key.id.clone())),
        Some(_) => None,
    }
}

/// Both together, by day, kind and identifier, at most `limit`.
pub(in crate::store) fn in_order(mut timers: Vec<Timer>, touched: Vec<Timer>, limit: usize) -> Vec<Timer> {
    timers.extend(touched);
    timers.sort_by(|one, other| one.key.cmp(&other.key));
    timers.truncate(limit);
    timers
}

/// Counts of timers by day, ascending, with those who were touched.
pub(in crate::store) fn counted(mut counts: Vec<(NaiveDate, u64)>, touched: (NaiveDate, u64), until: NaiveDate) -> Vec<(NaiveDate, u64)> {
    let (day, count) = touched;
    if count == 0 || day > until {
        return counts;
    }
    match counts.binary_search_by_key(&day, |(day, _)| *day) {
        Ok(at) => counts[at].1 += count,
        Err(at) => counts.insert(at, touched),
    }
    counts
}
