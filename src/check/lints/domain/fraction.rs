//! Exact fractions small enough that two of them can always be compared.

use std::cmp::Ordering;

use crate::check::ir::Number;

/// `num / den` in lowest terms, `den` positive, both within `Fraction::LIMIT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fraction {
    num: i128,
    den: i128,
}

impl Fraction {
    /// Zero.
    pub const ZERO: Self = Self { num: 0, den: 1 };

    /// Numerators and denominators stay below it, so that their products fit.
    const LIMIT: i128 = 1 << 62;

    /// The quotient; none where it is not defined or too large to be kept exactly.
    #[must_use]
    pub fn new(num: i128, den: i128) -> Option<Self> {
        if den == 0 {
            return None;
        }
        let divisor = gcd(num.unsigned_abs(), den.unsigned_abs());
        let divisor = i128::try_from(divisor).ok()? * den.signum();
        let (num, den) = (num / divisor, den / divisor);
        (num.abs() < Self::LIMIT && den < Self::LIMIT).then_some(Self { num, den })
    }

    /// A whole number.
    #[must_use]
    pub fn whole(value: i64) -> Option<Self> {
        Self::new(i128::from(value), 1)
    }

    /// A number of the checked form.
    #[must_use]
    pub fn of(number: Number) -> Option<Self> {
        Self::new(i128::from(number.digits), 10_i128.checked_pow(u32::from(number.scale))?)
    }

    /// The whole number, where it is one.
    #[must_use]
    pub fn as_whole(self) -> Option<i64> {
        (self.den == 1).then(|| i64::try_from(self.num).ok()).flatten()
    }

    /// -1, 0 or 1.
    #[must_use]
    pub fn sign(self) -> i32 {
        if self.num == 0 { 0 } else { self.num.signum().try_into().unwrap_or(0) }
    }

    /// The sum.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let left = self.num.checked_mul(other.den)?;
        Self::new(left.checked_add(other.num.checked_mul(self.den)?)?, self.den.checked_mul(other.den)?)
    }

    /// The product.
    #[must_use]
    pub fn times(self, other: Self) -> Option<Self> {
        Self::new(self.num.checked_mul(other.num)?, self.den.checked_mul(other.den)?)
    }

    /// The number with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self { num: -self.num, den: self.den }
    }

    /// One over it.
    #[must_use]
    pub fn inverted(self) -> Option<Self> {
        Self::new(self.den, self.num)
    }

    /// The greatest multiple of 10^-scale that is not above.
    #[must_use]
    pub fn floor(self, scale: u8) -> Option<Self> {
        let unit = 10_i128.checked_pow(u32::from(scale))?;
        Self::new(self.num.checked_mul(unit)?.div_euclid(self.den), unit)
    }

    /// The least multiple of 10^-scale that is not below.
    #[must_use]
    pub fn ceil(self, scale: u8) -> Option<Self> {
        self.negated().floor(scale).map(Self::negated)
    }
}

fn gcd(mut one: u128, mut other: u128) -> u128 {
    while other != 0 {
        (one, other) = (other, one % other);
    }
    one.max(1)
}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.num * other.den).cmp(&(other.num * self.den))
    }
}

impl std::fmt::Display for Fraction {
    /// A decimal where it is a short one, else a quotient.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scaled = (0_u32..=6).find_map(|places| {
            let unit = 10_i128.pow(places);
            (unit % self.den == 0).then(|| (self.num * (unit / self.den), unit, places as usize))
        });
        match scaled {
            Some((digits, _, 0)) => write!(formatter, "{digits}"),
            Some((digits, unit, places)) => {
                let sign = if digits < 0 { "-" } else { "" };
                write!(formatter, "{sign}{}.{:0places$}", digits.abs() / unit, digits.abs() % unit)
            }
            None => write!(formatter, "{}/{}", self.num, self.den),
        }
    }
}
