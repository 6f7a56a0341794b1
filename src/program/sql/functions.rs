//! The functions that the SQL of a condition calls: plain ones on 64-bit integers, to be registered by one loop.

use std::cmp::Ordering;

use super::super::dates;
use super::super::rational::{Rational, compare_quotients};

/// The type of an argument or a result in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlType {
    /// `BIGINT`. A date is its days since 1970-01-01, a number its digits.
    Integer,
    /// `DECIMAL`, of any precision and scale; the function is given its digits.
    Decimal,
}

/// A result does not fit 64 bits, or a date not 32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

impl std::fmt::Display for Overflow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("arithmetic overflow")
    }
}

impl std::error::Error for Overflow {}

/// What a function computes: `None` is null.
pub type Call = fn(&[Option<i64>]) -> Result<Option<i64>, Overflow>;

/// A function of the SQL. All are immutable and return `BIGINT`.
#[derive(Debug, Clone, Copy)]
pub struct SqlFunction {
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments.
    pub arguments: &'static [SqlType],
    /// The type of its result.
    pub returns: SqlType,
    /// What it computes.
    pub call: Call,
}

const ONE: &[SqlType] = &[SqlType::Integer];
const TWO: &[SqlType] = &[SqlType::Integer; 2];
const THREE: &[SqlType] = &[SqlType::Integer; 3];
const FOUR: &[SqlType] = &[SqlType::Integer; 4];
const SIX: &[SqlType] = &[SqlType::Integer; 6];

/// All functions that [`super::to_sql`] may call.
pub const FUNCTIONS: &[SqlFunction] = &[
    // the digits of a decimal
    function("ms_digits", &[SqlType::Decimal], |a| Ok(a[0])),
    function("ms_add", TWO, |a| known(a, |[x, y]| fit(x.checked_add(y)))),
    function("ms_sub", TWO, |a| known(a, |[x, y]| fit(x.checked_sub(y)))),
    function("ms_mul", TWO, |a| known(a, |[x, y]| fit(x.checked_mul(y)))),
    function("ms_neg", ONE, |a| known(a, |[x]| fit(x.checked_neg()))),
    function("ms_abs", ONE, |a| known(a, |[x]| fit(x.checked_abs()))),
    function("ms_nonzero", ONE, |a| known(a, |[x]| Ok((x != 0).then_some(x)))),
    // (num, den, scale): num / den / 10^scale as a whole number
    function("ms_floor", THREE, |a| known(a, |[num, den, scale]| whole(num, den, scale, Rational::floor))),
    function("ms_ceil", THREE, |a| known(a, |[num, den, scale]| whole(num, den, scale, Rational::ceil))),
    function("ms_round", THREE, |a| known(a, |[num, den, scale]| whole(num, den, scale, Rational::round))),
    // (num, den, scale, num, den, scale): -1, 0, 1
    function("ms_compare", SIX, |a| known(a, |[n, d, s, m, e, t]| compare(n, d, s, m, e, t))),
    function("ms_age_at", TWO, |a| known(a, |[birth, at]| Ok(dates::age_at(day(birth)?, day(at)?)))),
    function("ms_months_between", TWO, |a| known(a, |[from, to]| Ok(Some(dates::months_between(day(from)?, day(to)?))))),
    function("ms_whole_months_between", TWO, |a| known(a, |[from, to]| Ok(Some(dates::whole_months_between(day(from)?, day(to)?))))),
    function("ms_days_between", TWO, |a| known(a, |[from, to]| fit(to.checked_sub(from)))),
    function("ms_add_years", TWO, |a| known(a, |[at, n]| moved(dates::add_years(day(at)?, n)))),
    function("ms_add_months", TWO, |a| known(a, |[at, n]| moved(dates::add_months(day(at)?, n)))),
    function("ms_add_days", TWO, |a| known(a, |[at, n]| moved(dates::add_days(day(at)?, n)))),
    function("ms_month_start", ONE, |a| known(a, |[at]| moved(dates::month_start(day(at)?)))),
    function("ms_month_end", ONE, |a| known(a, |[at]| moved(dates::month_end(day(at)?)))),
    function("ms_year_start", ONE, |a| known(a, |[at]| moved(dates::year_start(day(at)?)))),
    function("ms_year_end", ONE, |a| known(a, |[at]| moved(dates::year_end(day(at)?)))),
    function("ms_year", ONE, |a| known(a, |[at]| Ok(Some(dates::civil(day(at)?).year)))),
    function("ms_month", ONE, |a| known(a, |[at]| Ok(Some(dates::civil(day(at)?).month)))),
    function("ms_months_overlap", FOUR, |a| {
        known(a, |[from, to, start, end]| Ok(Some(dates::months_overlap(day(from)?, day(to)?, day(start)?, day(end)?))))
    }),
];

const fn function(name: &'static str, arguments: &'static [SqlType], call: Call) -> SqlFunction {
    SqlFunction { name, arguments, returns: SqlType::Integer, call }
}

/// Null where an argument is null.
fn known<const N: usize>(
    arguments: &[Option<i64>],
    call: impl Fn([i64; N]) -> Result<Option<i64>, Overflow>,
) -> Result<Option<i64>, Overflow> {
    let mut values = [0; N];
    for (value, argument) in values.iter_mut().zip(arguments) {
        let Some(argument) = argument else { return Ok(None) };
        *value = *argument;
    }
    call(values)
}

fn fit(value: Option<i64>) -> Result<Option<i64>, Overflow> {
    value.map(Some).ok_or(Overflow)
}

fn moved(value: Option<i32>) -> Result<Option<i64>, Overflow> {
    fit(value.map(i64::from))
}

fn day(value: i64) -> Result<i32, Overflow> {
    i32::try_from(value).map_err(|_| Overflow)
}

/// The number as a quotient with a positive denominator.
fn quotient(num: i64, den: i64, scale: i64) -> Result<Option<(i128, i128)>, Overflow> {
    let power = u32::try_from(scale.unsigned_abs()).ok().and_then(|exponent| 10_i128.checked_pow(exponent)).ok_or(Overflow)?;
    let sign = i128::from(den.signum());
    let (mut num, mut den) = (sign * i128::from(num), sign * i128::from(den));
    let scaled = if scale < 0 { &mut num } else { &mut den };
    *scaled = scaled.checked_mul(power).ok_or(Overflow)?;
    Ok((den != 0).then_some((num, den)))
}

fn whole(num: i64, den: i64, scale: i64, rounding: fn(Rational) -> i128) -> Result<Option<i64>, Overflow> {
    let value = quotient(num, den, scale)?.and_then(|(num, den)| Rational::new(num, den));
    value.map(|value| i64::try_from(rounding(value)).map_err(|_| Overflow)).transpose()
}

fn compare(num: i64, den: i64, scale: i64, other_num: i64, other_den: i64, other_scale: i64) -> Result<Option<i64>, Overflow> {
    let (Some((a, b)), Some((c, d))) = (quotient(num, den, scale)?, quotient(other_num, other_den, other_scale)?) else { return Ok(None) };
    Ok(Some(match compare_quotients(a, b, c, d) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, arguments: &[Option<i64>], expected: Result<Option<i64>, Overflow>) {
        let function = FUNCTIONS.iter().find(|function| function.name == name).expect("the function is listed");
        assert_eq!(function.arguments.len(), arguments.len());
        assert_eq!((function.call)(arguments), expected);
    }

    #[test]
    fn null_in_null_out_and_overflow_is_an_error() {
        check("ms_add", &[Some(1), None], Ok(None));
        check("ms_add", &[Some(i64::MAX), Some(1)], Err(Overflow));
        check("ms_mul", &[Some(3), Some(-4)], Ok(Some(-12)));
        check("ms_nonzero", &[Some(0)], Ok(None));
        check("ms_round", &[Some(-5), Some(2), Some(0)], Ok(Some(-3)));
        check("ms_floor", &[Some(5), Some(-2), Some(0)], Ok(Some(-3)));
        check("ms_compare", &[Some(11), Some(200), Some(0), Some(55), Some(1), Some(3)], Ok(Some(0)));
        check("ms_compare", &[Some(1), Some(-2), Some(0), Some(1), Some(3), Some(0)], Ok(Some(-1)));
        check("ms_add_days", &[Some(i64::from(i32::MAX)), Some(1)], Err(Overflow));
        check("ms_age_at", &[Some(10), Some(9)], Ok(None));
    }
}
