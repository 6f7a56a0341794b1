//! Arithmetic and calendar functions over sets of numbers and days.

use super::calendar;
use super::{Cut, Fraction, Ranges};
use crate::check::ir::{ArithOp, Function};

type Range = (Cut, Cut);

/// All sums, differences, products or quotients; the second part says whether a division by zero is among them.
#[must_use]
pub(super) fn arithmetic(op: ArithOp, left: &Ranges, right: &Ranges) -> (Ranges, bool) {
    match op {
        ArithOp::Add => (left.combine(right, sum), false),
        ArithOp::Sub => (left.combine(&negated(right), sum), false),
        ArithOp::Mul => (left.combine(right, product), false),
        ArithOp::Div => {
            let inverses = right.ranges().iter().flat_map(|range| without_zero(*range)).map(|(low, high)| inverse(low, high));
            (left.combine(&Ranges::of(inverses.collect()), product), right.holds(Fraction::ZERO))
        }
    }
}

/// All numbers with the other sign.
#[must_use]
pub(super) fn negated(ranges: &Ranges) -> Ranges {
    ranges.map(|low, high| (flipped(high), flipped(low)))
}

fn flipped(cut: Cut) -> Cut {
    match cut {
        Cut::Start => Cut::End,
        Cut::End => Cut::Start,
        Cut::At(value, behind) => Cut::At(value.negated(), !behind),
    }
}

fn sum(one: Range, two: Range) -> Range {
    let low = match (one.0, two.0) {
        (Cut::At(a, open_a), Cut::At(b, open_b)) => a.plus(b).map_or(Cut::Start, |sum| Cut::At(sum, open_a || open_b)),
        _ => Cut::Start,
    };
    let high = match (one.1, two.1) {
        (Cut::At(a, closed_a), Cut::At(b, closed_b)) => a.plus(b).map_or(Cut::End, |sum| Cut::At(sum, closed_a && closed_b)),
        _ => Cut::End,
    };
    (low, high)
}

fn only((low, high): Range) -> Option<Fraction> {
    match (low, high) {
        (Cut::At(low, false), Cut::At(high, true)) if low == high => Some(low),
        _ => None,
    }
}

fn product(one: Range, two: Range) -> Range {
    match (only(one), only(two)) {
        (_, Some(factor)) => scaled(one, factor),
        (Some(factor), _) => scaled(two, factor),
        (None, None) => {
            let corners = [one.0, one.1].into_iter().flat_map(|a| [two.0, two.1].map(|b| corner(a, b)));
            // Whether a corner is reached does not matter: one more number does no harm.
            let cuts: Vec<Cut> = corners.collect();
            let low = cuts.iter().min().copied().unwrap_or(Cut::Start);
            let high = cuts.iter().max().copied().unwrap_or(Cut::End);
            let closed = |cut: Cut, behind: bool| cut.value().map_or(cut, |value| Cut::At(value, behind));
            (closed(low, false), closed(high, true))
        }
    }
}

fn scaled((low, high): Range, factor: Fraction) -> Range {
    let times = |cut: Cut, lost: Cut| match cut {
        Cut::At(value, behind) => value.times(factor).map_or(lost, |value| Cut::At(value, behind)),
        end => end,
    };
    match factor.sign() {
        0 => (Cut::before(Fraction::ZERO), Cut::behind(Fraction::ZERO)),
        1 => (times(low, Cut::Start), times(high, Cut::End)),
        _ => {
            let turn = |cut: Cut, lost: Cut| match cut {
                Cut::At(value, behind) => value.times(factor).map_or(lost, |value| Cut::At(value, !behind)),
                Cut::Start => Cut::End,
                Cut::End => Cut::Start,
            };
            (turn(high, Cut::Start), turn(low, Cut::End))
        }
    }
}

fn sign(cut: Cut) -> i32 {
    match cut {
        Cut::Start => -1,
        Cut::End => 1,
        Cut::At(value, _) => value.sign(),
    }
}

fn corner(one: Cut, two: Cut) -> Cut {
    let far = match sign(one) * sign(two) {
        0 => return Cut::before(Fraction::ZERO),
        1 => Cut::End,
        _ => Cut::Start,
    };
    match (one.value(), two.value()) {
        (Some(a), Some(b)) => a.times(b).map_or(far, Cut::before),
        _ => far,
    }
}

/// The numbers of a range below zero, and those above.
fn without_zero((low, high): Range) -> impl Iterator<Item = Range> {
    let (before, behind) = (Cut::before(Fraction::ZERO), Cut::behind(Fraction::ZERO));
    [(low, high.min(before)), (low.max(behind), high)].into_iter().filter(|(low, high)| low < high)
}

/// One over each number of a range without zero.
fn inverse(low: Cut, high: Cut) -> Range {
    let over = |cut: Cut, far: Cut, behind_at_end: bool| match cut {
        Cut::At(value, behind) => value.inverted().map_or(far, |value| Cut::At(value, !behind)),
        Cut::Start | Cut::End => Cut::At(Fraction::ZERO, behind_at_end),
    };
    (over(high, Cut::Start, true), over(low, Cut::End, false))
}

/// What a function that never decreases makes of ranges; where it has no value for an end, that end is open.
fn rising(ranges: &Ranges, function: impl Fn(Fraction) -> Option<Fraction>) -> Ranges {
    ranges.map(|low, high| {
        let low = low.value().and_then(&function).map_or(Cut::Start, Cut::before);
        let high = high.value().and_then(&function).map_or(Cut::End, Cut::behind);
        (low, high)
    })
}

fn rounded(value: Fraction) -> Option<Fraction> {
    let half = Fraction::new(1, 2)?;
    if value.sign() >= 0 { value.plus(half)?.floor(0) } else { value.plus(half.negated())?.ceil(0) }
}

fn whole_down(cut: Cut) -> Option<i64> {
    cut.value()?.floor(0)?.as_whole()
}

fn whole_up(cut: Cut) -> Option<i64> {
    cut.value()?.ceil(0)?.as_whole()
}

fn before(value: Option<i64>) -> Cut {
    value.and_then(Fraction::whole).map_or(Cut::Start, Cut::before)
}

fn behind(value: Option<i64>) -> Cut {
    value.and_then(Fraction::whole).map_or(Cut::End, Cut::behind)
}

/// What a function of days that never decreases makes of ranges of days.
fn rising_days(ranges: &Ranges, function: impl Fn(i64) -> Option<i64>) -> Ranges {
    ranges.map(|low, high| (before(whole_down(low).and_then(&function)), behind(whole_up(high).and_then(&function))))
}

/// Days moved by a number of steps, which is cut to a whole number.
fn moved(days: &Ranges, steps: &Ranges, function: impl Fn(i64, i64) -> Option<i64>) -> Ranges {
    days.combine(steps, |day, step| {
        let low = whole_down(day.0).zip(whole_down(step.0)).and_then(|(day, step)| function(day, step));
        let high = whole_up(day.1).zip(whole_up(step.1)).and_then(|(day, step)| function(day, step));
        (before(low), behind(high))
    })
}

/// A whole number that falls with the first day and rises with the second.
fn distance(from: &Ranges, to: &Ranges, function: impl Fn(i64, i64) -> Option<i64>, slack: i64) -> Ranges {
    from.combine(to, |from, to| {
        let slack = if only(from).is_some() && only(to).is_some() { 0 } else { slack };
        let low = whole_up(from.1).zip(whole_down(to.0)).and_then(|(from, to)| function(from, to)).map(|months| months - slack);
        let high = whole_down(from.0).zip(whole_up(to.1)).and_then(|(from, to)| function(from, to)).map(|months| months + slack);
        (before(low), behind(high))
    })
}

/// Everything that a function of numbers and days can give for known arguments, and whether it may be unknown for them.
#[must_use]
pub(super) fn call(function: Function, arguments: &[&Ranges]) -> (Ranges, bool) {
    let [first, rest @ ..] = arguments else { return (Ranges::all(), true) };
    let second = rest.first().copied();
    let of_two = |function: &dyn Fn(&Ranges, &Ranges) -> Ranges| second.map_or_else(Ranges::all, |second| function(first, second));
    let known = match function {
        Function::AgeAt => return second.map_or((Ranges::all(), true), |day| age(first, day)),
        Function::MonthsBetween => of_two(&|from, to| {
            let index = |from, to| Some(calendar::month_index(to)? - calendar::month_index(from)?);
            distance(from, to, index, 0)
        }),
        Function::WholeMonthsBetween => of_two(&|from, to| distance(from, to, calendar::whole_months, 1)),
        Function::DaysBetween => of_two(&|from, to| arithmetic(ArithOp::Sub, to, from).0),
        Function::AddYears => of_two(&|days, steps| moved(days, steps, |day, years| calendar::add_months(day, years.checked_mul(12)?))),
        Function::AddMonths => of_two(&|days, steps| moved(days, steps, calendar::add_months)),
        Function::AddDays => of_two(&|days, steps| moved(days, steps, i64::checked_add)),
        Function::MonthStart => rising_days(first, calendar::month_start),
        Function::MonthEnd => rising_days(first, calendar::month_end),
        Function::YearStart => rising_days(first, calendar::year_start),
        Function::YearEnd => rising_days(first, calendar::year_end),
        Function::Year => rising_days(first, calendar::year),
        Function::Month => first.map(month),
        Function::MonthsOverlap => months_overlap(arguments),
        Function::Min | Function::Max => rest.iter().fold((*first).clone(), |one, two| extreme(function, &one, two)),
        Function::Abs => {
            let (positive, negative) = (Ranges::from(Fraction::ZERO), Ranges::between(Cut::Start, Cut::before(Fraction::ZERO)));
            first.and(&positive).or(&negated(&first.and(&negative)))
        }
        Function::Floor => rising(first, |value| value.floor(0)),
        Function::Ceil => rising(first, |value| value.ceil(0)),
        Function::Round => rising(first, rounded),
        Function::Coalesce => rest.iter().fold((*first).clone(), |one, two| one.or(two)),
    };
    (known, false)
}

fn age(birth: &Ranges, day: &Ranges) -> (Ranges, bool) {
    let may_be_unborn = match (birth.high().value(), day.low().value()) {
        (Some(birth), Some(day)) => birth > day,
        _ => true,
    };
    let ages = birth.combine(day, |birth, day| {
        let low = whole_up(birth.1).zip(whole_down(day.0)).and_then(|(birth, day)| calendar::age(birth, day)).unwrap_or(0);
        let ends = whole_down(birth.0).zip(whole_up(day.1));
        match ends {
            Some((birth, day)) if birth > day => (Cut::End, Cut::Start),
            Some((birth, day)) => (before(Some(low)), behind(calendar::age(birth, day))),
            None => (before(Some(low)), Cut::End),
        }
    });
    (ages, may_be_unborn)
}

fn month(low: Cut, high: Cut) -> Range {
    let one_year = whole_down(low).zip(whole_up(high)).and_then(|(low, high)| {
        let same = calendar::year(low)? == calendar::year(high)?;
        same.then(|| calendar::month(low).zip(calendar::month(high))).flatten()
    });
    let (low, high) = one_year.unwrap_or((1, 12));
    (before(Some(low)), behind(Some(high)))
}

fn months_overlap(arguments: &[&Ranges]) -> Ranges {
    let [from, to, start, end] = arguments else { return Ranges::from(Fraction::ZERO) };
    let low = |ranges: &Ranges| whole_down(ranges.low()).and_then(calendar::month_index);
    let high = |ranges: &Ranges| whole_up(ranges.high()).and_then(calendar::month_index);
    // The shortest: begins as late, ends as early as can be; the longest the other way round.
    let months = |first: [Option<i64>; 2], last: [Option<i64>; 2]| {
        let first = first[0]?.max(first[1]?);
        Some((last[0]?.min(last[1]?) - first + 1).max(0))
    };
    let least = months([high(from), high(start)], [low(to), low(end)]).unwrap_or(0);
    let inside = low(start).zip(high(end)).map(|(start, end)| (end - start + 1).max(0));
    let most = months([low(from), low(start)], [high(to), high(end)]).or(inside);
    Ranges::between(before(Some(least)), behind(most))
}

fn extreme(function: Function, one: &Ranges, two: &Ranges) -> Ranges {
    one.combine(two, |one, two| match function {
        Function::Min => (one.0.min(two.0), one.1.min(two.1)),
        _ => (one.0.max(two.0), one.1.max(two.1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(num: i128, den: i128) -> Fraction {
        Fraction::new(num, den).expect("small")
    }

    #[test]
    fn no_quotient_is_left_out_however_many_ranges_the_divisor_has() {
        // Twenty-four ranges, one of them about zero: taking zero out makes one more than are kept apart.
        let divisors = Ranges::of((-12..12).map(|at| (Cut::before(number(2 * at - 1, 2)), Cut::behind(number(2 * at, 2)))).collect());
        let (quotients, by_zero) = arithmetic(ArithOp::Div, &Ranges::point(number(1, 1)), &divisors);
        assert!(by_zero);
        for divisor in (-24..24).map(|halves| number(halves, 2)).filter(|divisor| divisor.sign() != 0 && divisors.holds(*divisor)) {
            assert!(quotients.holds(divisor.inverted().expect("not zero")), "1 / {divisor}");
        }
        assert!(!quotients.holds(Fraction::ZERO));
    }
}
