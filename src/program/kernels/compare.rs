//! Comparisons: a column with constants straight on its buffer, and two numbers row by row.

use std::cmp::Ordering;

use super::super::rational::compare_quotients;

/// The integers that Arrow columns hold and that comparisons run on as they are.
pub(in super::super) trait Narrow: Copy + Ord {
    /// The least value, as 64 bits.
    const LEAST: i64;
    /// The greatest value, as 64 bits.
    const GREATEST: i64;
    /// The value, which lies within the type.
    fn narrow(value: i64) -> Self;
    /// The value as 64 bits.
    fn widen(self) -> i64;
}

macro_rules! narrow {
    ($($integer:ty),*) => {$(
        impl Narrow for $integer {
            const LEAST: i64 = <$integer>::MIN as i64;
            const GREATEST: i64 = <$integer>::MAX as i64;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "callers compare with LEAST and GREATEST first")]
            fn narrow(value: i64) -> Self {
                value as Self
            }
            #[allow(clippy::cast_lossless, reason = "one of the types is i64 itself")]
            fn widen(self) -> i64 {
                self as i64
            }
        }
    )*};
}

narrow!(i8, i16, i32, i64, u8, u16, u32);

/// Sets the bit of each value that passes the test. Whole words go through bytes, which compilers turn into vector code.
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
fn squeeze(bytes: &[u8; 64]) -> u64 {
    let (eights, _) = bytes.as_chunks::<8>();
    eights
        .iter()
        .enumerate()
        .fold(0, |word, (index, eight)| word | (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * index))
}

/// Sets the bit of each value in `low..=high`.
pub(in super::super) fn range<T: Narrow>(values: &[T], low: i64, high: i64, out: &mut [u64]) {
    if low > high || low > T::GREATEST || high < T::LEAST {
        out.fill(0);
        return;
    }
    let (from_below, to_above) = (low <= T::LEAST, high >= T::GREATEST);
    let (least, greatest) = (T::narrow(low.max(T::LEAST)), T::narrow(high.min(T::GREATEST)));
    match (from_below, to_above) {
        (true, true) => pack(values, out, |_| true),
        (true, false) => pack(values, out, |value| value <= greatest),
        (false, true) => pack(values, out, |value| value >= least),
        (false, false) if least == greatest => pack(values, out, |value| value == least),
        #[expect(clippy::needless_bitwise_bool, reason = "without a branch, rows are compared many at a time")]
        (false, false) => pack(values, out, |value| (value >= least) & (value <= greatest)),
    }
}

/// The least and the greatest value, unknown ones included; `None` of no values.
pub(in super::super) fn bounds<T: Narrow>(values: &[T]) -> Option<(i64, i64)> {
    let first = *values.first()?;
    let (least, greatest) = values.iter().fold((first, first), |(least, greatest), &value| (least.min(value), greatest.max(value)));
    Some((least.widen(), greatest.widen()))
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

    #[track_caller]
    fn check<T: Narrow>(values: &[T]) {
        for low in [i64::MIN, -200, -128, -1, 0, 1, 5, 127, 255, 70_000, i64::MAX] {
            for high in [i64::MIN, -128, 0, 1, 5, 100, 255, 70_000, i64::MAX] {
                let mut out = vec![u64::MAX; values.len().div_ceil(64)];
                range(values, low, high, &mut out);
                for (row, value) in values.iter().enumerate() {
                    let expected = low <= value.widen() && value.widen() <= high;
                    assert_eq!(out[row / 64] >> (row % 64) & 1 == 1, expected, "row {row}, {low}..={high}");
                }
                let tail = values.len() % 64;
                assert!(tail == 0 || out.last().is_none_or(|word| word >> tail == 0));
            }
        }
    }

    #[test]
    fn ranges_on_every_integer_type_and_odd_lengths() {
        for length in [0, 1, 63, 64, 65, 200] {
            let spread = |index: usize| i64::try_from(index * 97 % 300).expect("small") - 130;
            check(&(0..length).map(|index| i8::narrow(spread(index))).collect::<Vec<_>>());
            check(&(0..length).map(|index| u8::narrow(spread(index))).collect::<Vec<_>>());
            check(&(0..length).map(|index| i16::narrow(spread(index) * 100)).collect::<Vec<_>>());
            check(&(0..length).map(|index| u16::narrow(spread(index) * 100)).collect::<Vec<_>>());
            check(&(0..length).map(|index| i32::narrow(spread(index) * 1000)).collect::<Vec<_>>());
            check(&(0..length).map(|index| u32::narrow(spread(index) * 1000)).collect::<Vec<_>>());
            check(&(0..length).map(|index| spread(index) * 1000).collect::<Vec<_>>());
        }
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
