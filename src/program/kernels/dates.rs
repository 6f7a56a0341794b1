//! Functions of dates on lanes of days.

use super::super::dates;
use super::LaneBuffer;
use super::arith::settle;
use crate::check::ir::Function;

/// A day, or a number of it, left its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct OutOfRange;

/// The function's value; `None`: unknown.
pub(in super::super) fn apply(function: Function, arguments: &[i64]) -> Result<Option<i64>, OutOfRange> {
    let number = |index: usize| arguments.get(index).copied().ok_or(OutOfRange);
    let day = |index: usize| number(index).and_then(|value| i32::try_from(value).map_err(|_| OutOfRange));
    let moved = |result: Option<i32>| result.map(|day| Some(i64::from(day))).ok_or(OutOfRange);
    match function {
        Function::AgeAt => Ok(dates::age_at(day(0)?, day(1)?)),
        Function::MonthsBetween => Ok(Some(dates::months_between(day(0)?, day(1)?))),
        Function::WholeMonthsBetween => Ok(Some(dates::whole_months_between(day(0)?, day(1)?))),
        Function::DaysBetween => Ok(Some(number(1)? - number(0)?)),
        Function::AddYears => moved(dates::add_years(day(0)?, number(1)?)),
        Function::AddMonths => moved(dates::add_months(day(0)?, number(1)?)),
        Function::AddDays => moved(dates::add_days(day(0)?, number(1)?)),
        Function::MonthStart => moved(dates::month_start(day(0)?)),
        Function::MonthEnd => moved(dates::month_end(day(0)?)),
        Function::YearStart => moved(dates::year_start(day(0)?)),
        Function::YearEnd => moved(dates::year_end(day(0)?)),
        Function::Year => Ok(Some(dates::civil(day(0)?).year)),
        Function::Month => Ok(Some(dates::civil(day(0)?).month)),
        Function::MonthsOverlap => Ok(Some(dates::months_overlap(day(0)?, day(1)?, day(2)?, day(3)?))),
        Function::Min | Function::Max | Function::Abs | Function::Floor | Function::Ceil | Function::Round | Function::Coalesce => {
            Err(OutOfRange)
        }
    }
}

/// Applies the function to the known rows; gives the first row whose result left its range.
pub(in super::super) fn rows(function: Function, arguments: &[&LaneBuffer], out: &mut LaneBuffer) -> Option<usize> {
    let mut first_lost = None;
    let mut values = [0_i64; 4];
    for (index, known) in out.known.iter_mut().enumerate() {
        *known = arguments.iter().fold(u64::MAX, |known, argument| known & argument.known[index]);
        let (mut rest, mut unknown, mut lost) = (*known, 0_u64, 0_u64);
        while rest != 0 {
            let bit = rest & rest.wrapping_neg();
            let row = index * 64 + rest.trailing_zeros() as usize;
            rest &= rest - 1;
            for (value, argument) in values.iter_mut().zip(arguments) {
                *value = argument.values[row];
            }
            match apply(function, &values[..arguments.len()]) {
                Ok(Some(value)) => out.values[row] = value,
                Ok(None) => unknown |= bit,
                Err(OutOfRange) => lost |= bit,
            }
        }
        *known &= !unknown;
        settle(known, lost, index, &mut first_lost);
    }
    first_lost
}
