//! Exact quotients of 128-bit integers, and the one place where an amount is rounded.

use std::cmp::Ordering;

use crate::check::ir::Number;

/// `num / den` in lowest terms with a positive denominator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rational {
    num: i128,
    den: i128,
}

impl Rational {
    /// The quotient of two integers; `None` where the denominator is zero, or a sign cannot be turned.
    #[must_use]
    pub fn new(num: i128, den: i128) -> Option<Self> {
        if den == 0 {
            return None;
        }
        let divisor = i128::try_from(gcd(num.unsigned_abs(), den.unsigned_abs())).ok()?;
        let (num, den) = (num / divisor, den / divisor);
        if den < 0 { Some(Self { num: num.checked_neg()?, den: den.checked_neg()? }) } else { Some(Self { num, den }) }
    }

    /// A whole number.
    #[must_use]
    pub fn whole(value: i64) -> Self {
        Self { num: i128::from(value), den: 1 }
    }

    /// The numerator, with sign.
    #[must_use]
    pub fn num(&self) -> i128 {
        self.num
    }

    /// The denominator, positive.
    #[must_use]
    pub fn den(&self) -> i128 {
        self.den
    }

    /// The sum, where it fits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let num = self.num.checked_mul(other.den)?.checked_add(other.num.checked_mul(self.den)?)?;
        Self::new(num, self.den.checked_mul(other.den)?)
    }

    /// The difference, where it fits.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(other.checked_neg()?)
    }

    /// The product, where it fits.
    #[must_use]
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        Self::new(self.num.checked_mul(other.num)?, self.den.checked_mul(other.den)?)
    }

    /// The negative, where it fits.
    #[must_use]
    pub fn checked_neg(self) -> Option<Self> {
        Some(Self { num: self.num.checked_neg()?, den: self.den })
    }

    /// One over it; `None` for zero.
    #[must_use]
    pub fn recip(self) -> Option<Self> {
        Self::new(self.den, self.num)
    }

    /// The greatest whole number not above.
    #[must_use]
    pub fn floor(self) -> i128 {
        self.num.div_euclid(self.den)
    }

    /// The least whole number not below.
    #[must_use]
    pub fn ceil(self) -> i128 {
        self.floor() + i128::from(self.den != 1)
    }

    /// The nearest whole number, halves away from zero.
    #[must_use]
    pub fn round(self) -> i128 {
        let (whole, rest) = (self.num / self.den, (self.num % self.den).abs());
        whole + if rest >= self.den - rest { self.num.signum() } else { 0 }
    }
}

impl From<Number> for Rational {
    fn from(number: Number) -> Self {
        let den = 10_i128.pow(u32::from(number.scale.min(38)));
        let num = i128::from(number.digits);
        Self::new(num, den).unwrap_or(Self { num, den: 1 })
    }
}

impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Rational {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_quotients(self.num, self.den, other.num, other.den)
    }
}

/// Compares `a / b` with `c / d` for positive `b` and `d`: by cross-multiplication where it fits, else by comparing
/// whole parts and then the remainders' reciprocals (Euclid's algorithm), which never overflows.
#[must_use]
pub(super) fn compare_quotients(a: i128, b: i128, c: i128, d: i128) -> Ordering {
    if let (Some(left), Some(right)) = (a.checked_mul(d), c.checked_mul(b)) {
        return left.cmp(&right);
    }
    let (whole_left, whole_right) = (a.div_euclid(b), c.div_euclid(d));
    if whole_left != whole_right {
        return whole_left.cmp(&whole_right);
    }
    match (a.rem_euclid(b), c.rem_euclid(d)) {
        (0, 0) => Ordering::Equal,
        (0, _) => Ordering::Less,
        (_, 0) => Ordering::Greater,
        (left, right) => compare_quotients(d, right, b, left),
    }
}

/// The number in units of `10^-scale`, rounded once, halves away from zero; `None` where it does not fit 64 bits.
///
/// # Example
///
/// ```
/// use mianshen::program::{Rational, round_half_up};
/// let third = Rational::new(100, 3).expect("not divided by zero");
/// assert_eq!(round_half_up(&third, 2), Some(3333));
/// assert_eq!(round_half_up(&Rational::new(-5, 2).expect("not divided by zero"), 0), Some(-3));
/// ```
#[must_use]
pub fn round_half_up(value: &Rational, scale: u8) -> Option<i64> {
    i64::try_from(scaled(value, scale)?.round()).ok()
}

/// As [`round_half_up`], but up to the next unit (towards positive infinity).
#[must_use]
pub fn round_up(value: &Rational, scale: u8) -> Option<i64> {
    i64::try_from(scaled(value, scale)?.ceil()).ok()
}

fn scaled(value: &Rational, scale: u8) -> Option<Rational> {
    let factor = 10_i128.checked_pow(u32::from(scale))?;
    let divisor = i128::try_from(gcd(factor.unsigned_abs(), value.den.unsigned_abs())).ok()?;
    Rational::new(value.num.checked_mul(factor / divisor)?, value.den / divisor)
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quotient(num: i128, den: i128) -> Rational {
        Rational::new(num, den).expect("not divided by zero")
    }

    #[test]
    fn lowest_terms_and_a_positive_denominator() {
        assert_eq!(quotient(6, -4), quotient(-3, 2));
        assert_eq!(quotient(0, -7), Rational::whole(0));
        assert_eq!(Rational::new(1, 0), None);
    }

    #[test]
    fn halves_go_away_from_zero() {
        for (num, den, floor, ceil, round) in
            [(5, 2, 2, 3, 3), (-5, 2, -3, -2, -3), (7, 3, 2, 3, 2), (-7, 3, -3, -2, -2), (8, 3, 2, 3, 3), (4, 1, 4, 4, 4)]
        {
            let value = quotient(num, den);
            assert_eq!((value.floor(), value.ceil(), value.round()), (floor, ceil, round), "{num}/{den}");
        }
        assert_eq!(round_half_up(&quotient(5, 1000), 2), Some(1));
        assert_eq!(round_half_up(&quotient(-5, 1000), 2), Some(-1));
        assert_eq!(round_up(&quotient(1, 1000), 2), Some(1));
        assert_eq!(round_half_up(&Rational::whole(i64::MAX), 2), None);
    }

    #[test]
    fn quotients_compare_exactly_even_where_products_do_not_fit() {
        let large = i128::MAX / 3;
        assert_eq!(compare_quotients(large, large - 1, large + 1, large), Ordering::Greater);
        assert_eq!(compare_quotients(-large, large - 1, -large - 1, large), Ordering::Less);
        assert_eq!(compare_quotients(large, 3, large, 3), Ordering::Equal);
        assert!(quotient(11, 200) == quotient(55, 1000));
        assert!(quotient(1, 3) < quotient(34, 100));
    }
}
