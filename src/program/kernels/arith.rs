//! Integer arithmetic on lanes: checked where the inputs are known.

use super::super::node::Rounding;
use super::LaneBuffer;

/// `left × left_factor + right × right_factor`, where it fits.
pub(in super::super) fn sum(left: i64, left_factor: i64, right: i64, right_factor: i64) -> Option<i64> {
    match (left_factor, right_factor) {
        (1, 1) => left.checked_add(right),
        (1, -1) => left.checked_sub(right),
        _ => {
            let left = i128::from(left) * i128::from(left_factor);
            let right = i128::from(right) * i128::from(right_factor);
            i64::try_from(left.checked_add(right)?).ok()
        }
    }
}

/// `num / den / 10^scale` as a whole number, where it fits. A denominator of zero, which only rows that are not known
/// have, reads as one.
pub(in super::super) fn whole(rounding: Rounding, num: i64, den: i64, scale: i32) -> Option<i64> {
    let power = 10_i128.checked_pow(scale.unsigned_abs())?;
    let (mut num, mut den) = (i128::from(num), if den == 0 { 1 } else { i128::from(den) });
    if scale >= 0 {
        den = den.checked_mul(power)?;
    } else {
        num = num.checked_mul(power)?;
    }
    if den < 0 {
        (num, den) = (-num, -den);
    }
    let floor = num.div_euclid(den);
    let rest = num.rem_euclid(den);
    let result = match rounding {
        Rounding::Down => floor,
        Rounding::Up => floor + i128::from(rest != 0),
        // halves away from zero: up from above zero, down from below
        Rounding::Nearest => floor + i128::from(rest > den - rest || (rest == den - rest && num > 0)),
    };
    i64::try_from(result).ok()
}

/// Applies a checked operation to two lanes, row by row. A known row whose result does not fit becomes unknown; gives the
/// first such row.
pub(in super::super) fn binary(
    left: &LaneBuffer,
    right: &LaneBuffer,
    out: &mut LaneBuffer,
    operation: impl Fn(i64, i64) -> Option<i64>,
) -> Option<usize> {
    let mut first_lost = None;
    let rows = left.values.len();
    for (index, known) in out.known.iter_mut().enumerate() {
        let span = index * 64..rows.min(index * 64 + 64);
        let mut lost = 0_u64;
        let pairs = left.values[span.clone()].iter().zip(&right.values[span.clone()]);
        for (bit, (value, (&a, &b))) in out.values[span].iter_mut().zip(pairs).enumerate() {
            let result = operation(a, b);
            *value = result.unwrap_or(0);
            lost |= u64::from(result.is_none()) << bit;
        }
        *known = left.known[index] & right.known[index];
        settle(known, lost, index, &mut first_lost);
    }
    first_lost
}

/// Writes what a checked operation gives for each row; gives the first known row at which it does not fit.
pub(in super::super) fn checked_rows(known: &[u64], out: &mut [i64], operation: impl Fn(usize) -> Option<i64>) -> Option<usize> {
    let mut first_lost = None;
    for (index, (out, &known)) in out.chunks_mut(64).zip(known).enumerate() {
        let mut lost = 0_u64;
        for (bit, value) in out.iter_mut().enumerate() {
            let result = operation(index * 64 + bit);
            *value = result.unwrap_or(0);
            lost |= u64::from(result.is_none()) << bit;
        }
        let mut known = known;
        settle(&mut known, lost, index, &mut first_lost);
    }
    first_lost
}

/// Applies a checked operation to one lane; as [`binary`].
pub(in super::super) fn unary(lane: &LaneBuffer, out: &mut LaneBuffer, operation: impl Fn(i64) -> Option<i64>) -> Option<usize> {
    binary(lane, lane, out, |value, _| operation(value))
}

/// Makes zeros unknown.
pub(in super::super) fn non_zero(lane: &LaneBuffer, out: &mut LaneBuffer) {
    out.values.copy_from_slice(&lane.values);
    super::compare::pack(&lane.values, &mut out.known, |value| value != 0);
    for (out, known) in out.known.iter_mut().zip(&lane.known) {
        *out &= known;
    }
}

/// The first lane where both are known.
pub(in super::super) fn when(lane: &LaneBuffer, guard: &LaneBuffer, out: &mut LaneBuffer) {
    out.values.copy_from_slice(&lane.values);
    for ((out, known), guard) in out.known.iter_mut().zip(&lane.known).zip(&guard.known) {
        *out = known & guard;
    }
}

/// Forgets known rows that were lost, and remembers the first of them.
pub(in super::super) fn settle(known: &mut u64, lost: u64, index: usize, first_lost: &mut Option<usize>) {
    let lost = lost & *known;
    if lost != 0 {
        *known &= !lost;
        first_lost.get_or_insert(index * 64 + lost.trailing_zeros() as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_computed_without_overflow_on_the_way() {
        assert_eq!(sum(i64::MAX, 1, 1, 1), None);
        assert_eq!(sum(i64::MIN, 1, 1, -1), None);
        assert_eq!(sum(i64::MAX, 100, i64::MAX, -99), Some(i64::MAX));
        assert_eq!(sum(i64::MIN, -1, 0, 1), None);
        assert_eq!(sum(150, 1, 2, 100), Some(350));
    }

    #[test]
    fn wholes_of_quotients() {
        for (num, den, scale, down, up, nearest) in [
            (5, 2, 0, 2, 3, 3),
            (-5, 2, 0, -3, -2, -3),
            (5, -2, 0, -3, -2, -3),
            (250, 1, 2, 2, 3, 3),
            (249, 1, 2, 2, 3, 2),
            (-249, 1, 2, -3, -2, -2),
            (3, 1, -2, 300, 300, 300),
            (1, 3, -2, 33, 34, 33),
        ] {
            let all = [Rounding::Down, Rounding::Up, Rounding::Nearest].map(|rounding| whole(rounding, num, den, scale));
            assert_eq!(all, [Some(down), Some(up), Some(nearest)], "{num} / {den} / 10^{scale}");
        }
        assert_eq!(whole(Rounding::Down, i64::MAX, 1, -1), None);
        assert_eq!(whole(Rounding::Down, i64::MIN, -1, 0), None);
    }
}
