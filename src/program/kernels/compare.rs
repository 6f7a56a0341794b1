//! Comparisons: the integers that columns hold, bits packed into words, and two quotients.

#![expect(clippy::inline_always, reason = "part of loops that are compiled for several sets of features")]

use std::cmp::Ordering;

use super::super::rational::compare_quotients;

/// The integers that Arrow columns hold and that are compared as they are; 64 unsigned and 128 bits only where
/// [`wide_bounds`] has found that they fit.
pub(in super::super) trait Narrow: Copy + Ord {
    /// The value as 64 bits.
    fn widen(self) -> i64;
}

/// Distances from a least value.
pub(in super::super) trait Code: Copy + Ord + Default {
    /// The lower bits.
    fn cut(distance: i64) -> Self;
    /// The difference, wrapping.
    fn minus(self, low: Self) -> Self;
}

macro_rules! narrow {
    ($($integer:ty),*) => {$(
        impl Narrow for $integer {
            #[allow(clippy::cast_lossless, clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "wider ones are looked at first")]
            #[inline(always)]
            fn widen(self) -> i64 {
                self as i64
            }
        }
    )*};
}

macro_rules! code {
    ($($integer:ty),*) => {$(
        impl Code for $integer {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the lower bits are what is wanted")]
            #[inline(always)]
            fn cut(distance: i64) -> Self {
                distance as Self
            }
            #[inline(always)]
            fn minus(self, low: Self) -> Self {
                self.wrapping_sub(low)
            }
        }
    )*};
}

narrow!(i8, i16, i32, i64, u8, u16, u32, u64, i128);
code!(u8, u16, u32, u64);

/// Sets the bit of each value that passes the test. Whole words go through bytes, which compilers turn into vector code.
#[inline(always)]
pub(in super::super) fn pack<T: Copy>(values: &[T], out: &mut [u64], test: impl Fn(T) -> bool) {
    let (chunks, rest) = values.as_chunks::<64>();
    for (chunk, word) in chunks.iter().zip(out.iter_mut()) {
        let mut bytes = [0_u8; 64];
        for (byte, &value) in bytes.iter_mut().zip(chunk) {
            *byte = u8::from(test(value));
        }
        *word = squeeze(&bytes);
    }
    if !rest.is_empty() {
        out[chunks.len()] = rest.iter().enumerate().fold(0, |word, (bit, &value)| word | u64::from(test(value)) << bit);
    }
}

/// 64 bytes of 0 or 1 as 64 bits: the product brings the lowest bit of each of eight bytes into the uppermost byte.
#[inline(always)]
fn squeeze(bytes: &[u8; 64]) -> u64 {
    let (eights, _) = bytes.as_chunks::<8>();
    eights
        .iter()
        .enumerate()
        .fold(0, |word, (index, eight)| word | (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * index))
}

/// The least and the greatest of wider values, where both fit 64 bits; those of unknown rows count too.
pub(in super::super) fn wide_bounds<T: Copy + Ord + TryInto<i64>>(values: &[T]) -> Option<(i64, i64)> {
    let first = *values.first()?;
    let (least, greatest) = values.iter().fold((first, first), |(least, greatest), &value| (least.min(value), greatest.max(value)));
    Some((least.try_into().ok()?, greatest.try_into().ok()?))
}

/// Compares `left × left_factor / left_den` with `right × right_factor / right_den`, exactly. A denominator of zero,
/// which only rows that are not known have, reads as one.
pub(in super::super) fn quotients(left: (i64, i64, i64), right: (i64, i64, i64)) -> Ordering {
    let whole = |(num, factor, den): (i64, i64, i64)| {
        let (num, den) = (i128::from(num) * i128::from(factor), i128::from(den));
        match den {
            0 => (num, 1),
            1.. => (num, den),
            _ => (-num, -den),
        }
    };
    let ((a, b), (c, d)) = (whole(left), whole(right));
    compare_quotients(a, b, c, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_wider_values_that_fit() {
        assert_eq!(wide_bounds::<i128>(&[]), None);
        assert_eq!(wide_bounds(&[3_i128, -7, 5]), Some((-7, 5)));
        assert_eq!(wide_bounds(&[3_i128, i128::MAX]), None);
        assert_eq!(wide_bounds(&[u64::MAX, 1]), None);
        assert_eq!(wide_bounds(&[9_u64, 1]), Some((1, 9)));
    }

    #[test]
    fn quotients_with_negative_denominators() {
        assert_eq!(quotients((1, 1, -2), (1, 1, 3)), Ordering::Less);
        assert_eq!(quotients((-1, 1, -2), (1, 1, 2)), Ordering::Equal);
        assert_eq!(quotients((i64::MIN, 100, 1), (i64::MAX, 100, -1)), Ordering::Less);
        assert_eq!(
            quotients((i64::MAX, 1_000_000_000_000_000_000, i64::MAX), (i64::MAX - 1, 1_000_000_000_000_000_000, i64::MAX)),
            Ordering::Greater
        );
    }
}
