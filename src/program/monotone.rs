//! `age_at(birth_date, day) >= 60` as a range of birth dates: functions of one date that only rise or only fall need not be
//! computed at all when they are compared with constants.

use super::kernels::dates;
use super::node::{Edge, Graph, LaneId, LaneNode};
use crate::check::ir::Function;

/// The function of one date, and which way it goes.
struct Monotone {
    date: LaneId,
    rising: bool,
    /// The last day at which it is known.
    last: i32,
}

impl Graph {
    /// Whether a function of a date lies in `low..=high`, as a range of the date; `None` where that cannot be said.
    pub(super) fn range_of_date(&mut self, lane: LaneId, low: i64, high: i64) -> Option<Edge> {
        let LaneNode::Date(function, arguments) = self.lane_node(lane).clone() else { return None };
        let constants: Vec<Option<i64>> = arguments.iter().map(|&argument| self.constant(argument)).collect();
        let Monotone { date, rising, last } = monotone(function, &arguments, &constants)?;
        let value_at = |day: i32| {
            let values: Vec<i64> = constants.iter().map(|constant| constant.unwrap_or(i64::from(day))).collect();
            dates::apply(function, &values).ok().flatten()
        };
        let (first_day, end_day) = if rising {
            (
                first(last, |day| value_at(day).is_none_or(|value| value >= low)),
                first(last, |day| value_at(day).is_none_or(|value| value > high)),
            )
        } else {
            (
                first(last, |day| value_at(day).is_none_or(|value| value <= high)),
                first(last, |day| value_at(day).is_none_or(|value| value < low)),
            )
        };
        let from = if first_day == i64::from(i32::MIN) { i64::MIN } else { first_day };
        let to = if end_day > i64::from(i32::MAX) { i64::MAX } else { end_day - 1 };
        let inside = if low > high || first_day >= end_day { self.range(date, 1, 0) } else { self.range(date, from, to) };
        if last == i32::MAX {
            return Some(inside);
        }
        let reached = self.range(date, i64::MIN, i64::from(last));
        Some(self.select(reached, inside, Edge::UNKNOWN))
    }
}

fn monotone(function: Function, arguments: &[LaneId], constants: &[Option<i64>]) -> Option<Monotone> {
    match (function, arguments, constants) {
        (Function::Year, [date], _) => Some(Monotone { date: *date, rising: true, last: i32::MAX }),
        (Function::AgeAt, [birth, _], [None, Some(day)]) => Some(Monotone { date: *birth, rising: false, last: i32::try_from(*day).ok()? }),
        (Function::MonthsBetween | Function::WholeMonthsBetween | Function::DaysBetween, [_, date], [Some(_), None]) => {
            Some(Monotone { date: *date, rising: true, last: i32::MAX })
        }
        (Function::MonthsBetween | Function::WholeMonthsBetween | Function::DaysBetween, [date, _], [None, Some(_)]) => {
            Some(Monotone { date: *date, rising: false, last: i32::MAX })
        }
        _ => None,
    }
}

/// The first day up to `last` that passes a test which all later days pass too; the day after `last` if none does.
fn first(last: i32, passes: impl Fn(i32) -> bool) -> i64 {
    let (mut low, mut high) = (i64::from(i32::MIN), i64::from(last) + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if i32::try_from(middle).is_ok_and(&passes) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}
