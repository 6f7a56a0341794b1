//! Sets of numbers (and of days, as whole numbers) as ranges that do not touch.

use super::Fraction;
use crate::check::ir::CompareOp;

/// A place between numbers. A range lies between two of them: `[1, 2)` from `Below(1)` to `Below(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cut {
    /// Before every number.
    Start,
    /// Just before (`false`) or just behind (`true`) a number.
    At(Fraction, bool),
    /// Behind every number.
    End,
}

impl Cut {
    /// Just before a number.
    #[must_use]
    pub fn before(value: Fraction) -> Self {
        Self::At(value, false)
    }

    /// Just behind a number.
    #[must_use]
    pub fn behind(value: Fraction) -> Self {
        Self::At(value, true)
    }

    /// The number that it is at; none at the ends.
    #[must_use]
    pub fn value(self) -> Option<Fraction> {
        match self {
            Self::At(value, _) => Some(value),
            Self::Start | Self::End => None,
        }
    }
}

/// A set of numbers: ranges in order, none empty, none touching the next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranges(Vec<(Cut, Cut)>);

/// More ranges than these are taken as the one range that holds them all.
const MOST: usize = 24;

impl Ranges {
    /// No number.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Every number.
    #[must_use]
    pub fn all() -> Self {
        Self(vec![(Cut::Start, Cut::End)])
    }

    /// One number.
    #[must_use]
    pub fn point(value: Fraction) -> Self {
        Self(vec![(Cut::before(value), Cut::behind(value))])
    }

    /// What lies between two cuts.
    #[must_use]
    pub fn between(low: Cut, high: Cut) -> Self {
        if low < high { Self(vec![(low, high)]) } else { Self::none() }
    }

    /// From a number on, itself included.
    #[must_use]
    pub fn from(value: Fraction) -> Self {
        Self::between(Cut::before(value), Cut::End)
    }

    /// The numbers of any ranges, in any order.
    #[must_use]
    pub fn of(mut ranges: Vec<(Cut, Cut)>) -> Self {
        ranges.retain(|(low, high)| low < high);
        ranges.sort_unstable();
        let mut joined: Vec<(Cut, Cut)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match joined.last_mut() {
                Some((_, end)) if low <= *end => *end = high.max(*end),
                _ => joined.push((low, high)),
            }
        }
        if joined.len() > MOST
            && let (Some((low, _)), Some((_, high))) = (joined.first(), joined.last())
        {
            return Self::between(*low, *high);
        }
        Self(joined)
    }

    /// The ranges, in order.
    #[must_use]
    pub fn ranges(&self) -> &[(Cut, Cut)] {
        &self.0
    }

    /// Whether there is no number.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// The cut before the least.
    #[must_use]
    pub fn low(&self) -> Cut {
        self.0.first().map_or(Cut::End, |(low, _)| *low)
    }

    /// The cut behind the greatest.
    #[must_use]
    pub fn high(&self) -> Cut {
        self.0.last().map_or(Cut::Start, |(_, high)| *high)
    }

    /// The only number, where there is one only.
    #[must_use]
    pub fn only(&self) -> Option<Fraction> {
        match self.0.as_slice() {
            [(Cut::At(low, false), Cut::At(high, true))] if low == high => Some(*low),
            _ => None,
        }
    }

    /// Whether a number is among them.
    #[must_use]
    pub fn holds(&self, value: Fraction) -> bool {
        self.0.iter().any(|(low, high)| *low <= Cut::before(value) && Cut::behind(value) <= *high)
    }

    /// The numbers of either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied().collect())
    }

    /// The numbers of both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let pairs = self.0.iter().flat_map(|one| other.0.iter().map(move |two| (one.0.max(two.0), one.1.min(two.1))));
        Self::of(pairs.collect())
    }

    /// Every other number.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut rest = Vec::with_capacity(self.0.len() + 1);
        let mut at = Cut::Start;
        for (low, high) in &self.0 {
            rest.push((at, *low));
            at = *high;
        }
        rest.push((at, Cut::End));
        Self::of(rest)
    }

    /// The multiples of 10^-scale among them, each range drawn in to the first and last of its own.
    #[must_use]
    pub fn on_grid(&self, scale: u8) -> Self {
        Self::of(self.0.iter().map(|(low, high)| (grid_low(*low, scale), grid_high(*high, scale))).collect())
    }

    /// The numbers that can stand on the left of `op` when one of these stands on the right.
    #[must_use]
    pub fn left_of(&self, op: CompareOp) -> Self {
        if self.is_none() {
            return Self::none();
        }
        let (low, high) = (self.low(), self.high());
        match op {
            CompareOp::Eq => self.clone(),
            CompareOp::NotEq => self.only().map_or_else(Self::all, |value| Self::point(value).complement()),
            CompareOp::Lt => Self::between(Cut::Start, outward(high, false)),
            CompareOp::LtEq => Self::between(Cut::Start, high),
            CompareOp::Gt => Self::between(outward(low, true), Cut::End),
            CompareOp::GtEq => Self::between(low, Cut::End),
        }
    }

    /// Each number turned into others by a function that takes one range to one range.
    #[must_use]
    pub fn map(&self, range: impl Fn(Cut, Cut) -> (Cut, Cut)) -> Self {
        Self::of(self.0.iter().map(|(low, high)| range(*low, *high)).collect())
    }

    /// Numbers made of one of these and one of those.
    #[must_use]
    pub fn combine(&self, other: &Self, range: impl Fn((Cut, Cut), (Cut, Cut)) -> (Cut, Cut)) -> Self {
        let hulls;
        let (one, two) = if self.0.len() * other.0.len() > 4 * MOST {
            hulls = ([(self.low(), self.high())], [(other.low(), other.high())]);
            (&hulls.0[..], &hulls.1[..])
        } else {
            (&self.0[..], &other.0[..])
        };
        Self::of(one.iter().flat_map(|left| two.iter().map(|right| range(*left, *right))).collect())
    }
}

/// `x < y` for `y` up to `high` lets `x` go up to, and without, the number at `high`.
fn outward(cut: Cut, behind: bool) -> Cut {
    match cut {
        Cut::At(value, _) => Cut::At(value, behind),
        end => end,
    }
}

fn grid_low(cut: Cut, scale: u8) -> Cut {
    let Cut::At(value, behind) = cut else { return cut };
    let Some(up) = value.ceil(scale) else { return cut };
    if up == value && behind { step(value, scale, 1).map_or(cut, Cut::before) } else { Cut::before(up) }
}

fn grid_high(cut: Cut, scale: u8) -> Cut {
    let Cut::At(value, behind) = cut else { return cut };
    let Some(down) = value.floor(scale) else { return cut };
    if down == value && !behind { step(value, scale, -1).map_or(cut, Cut::behind) } else { Cut::behind(down) }
}

/// The number one step of 10^-scale on.
fn step(value: Fraction, scale: u8, by: i128) -> Option<Fraction> {
    value.plus(Fraction::new(by, 10_i128.checked_pow(u32::from(scale))?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(value: i64) -> Fraction {
        Fraction::whole(value).expect("small")
    }

    fn closed(low: i64, high: i64) -> Ranges {
        Ranges::between(Cut::before(whole(low)), Cut::behind(whole(high)))
    }

    #[test]
    fn sets_behave_as_sets() {
        let set = closed(1, 3).or(&closed(5, 8)).or(&closed(3, 4));
        assert_eq!(set, closed(1, 4).or(&closed(5, 8)));
        for value in -1..11 {
            let value = whole(value);
            assert_ne!(set.holds(value), set.complement().holds(value));
            assert_eq!(set.and(&closed(4, 6)).holds(value), set.holds(value) && closed(4, 6).holds(value));
        }
        assert!(set.and(&set.complement()).is_none());
    }

    #[test]
    fn whole_numbers_leave_no_room_between_neighbours() {
        let open = Ranges::between(Cut::behind(whole(59)), Cut::before(whole(60)));
        assert!(!open.is_none());
        assert!(open.on_grid(0).is_none());
        assert!(!open.on_grid(2).is_none());
    }

    #[test]
    fn sides_of_comparisons() {
        for (op, holds) in [
            (CompareOp::Lt, [true, true, false]),
            (CompareOp::LtEq, [true, true, true]),
            (CompareOp::Gt, [false, true, true]),
            (CompareOp::GtEq, [true, true, true]),
        ] {
            let left = closed(3, 5).left_of(op);
            assert_eq!([3, 4, 5].map(|value| left.holds(whole(value))), holds, "{op:?}");
        }
        assert!(!closed(3, 3).left_of(CompareOp::NotEq).holds(whole(3)));
    }
}
