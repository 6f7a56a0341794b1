//! A block of a fact, or of a lane, as distances from its least value, in as few bytes as hold them: then a comparison with
//! a constant looks at 64 rows at a time, whatever the column's type.

use super::kernels::compare::Narrow;
use super::kernels::vector::Vectors;

/// The values of a block, and what range they lie in. Those of unknown rows are arbitrary, and count for the range.
#[derive(Debug, Default)]
pub(super) struct Codes {
    /// The least and the greatest value.
    pub(super) bounds: (i64, i64),
    /// Whether all rows are known.
    pub(super) all_known: bool,
    /// Whether the codes were made, or only the range found.
    encoded: bool,
    bytes: Vec<u8>,
    twos: Vec<u16>,
    fours: Vec<u32>,
    eights: Vec<u64>,
}

/// What a comparison with a range says of the known rows of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Inside,
    Outside,
    Across,
}

impl Codes {
    /// Another block.
    pub(super) fn begin(&mut self, bounds: (i64, i64), all_known: bool) {
        self.bounds = bounds;
        self.all_known = all_known;
        self.encoded = false;
    }

    /// Where all values of the block lie.
    pub(super) fn place(&self, low: i64, high: i64) -> Place {
        let (least, greatest) = self.bounds;
        if greatest < low || high < least {
            Place::Outside
        } else if low <= least && greatest <= high {
            Place::Inside
        } else {
            Place::Across
        }
    }

    /// Whether the codes are still to be made.
    pub(super) fn wants_codes(&self) -> bool {
        !self.encoded
    }

    /// Makes the codes.
    pub(super) fn encode<T: Narrow>(&mut self, values: &[T], vectors: Vectors) {
        let (least, greatest) = self.bounds;
        self.encoded = true;
        match greatest.wrapping_sub(least).cast_unsigned() {
            ..0x100 => vectors.encode(values, least, sized(&mut self.bytes, values.len())),
            0x100..0x1_0000 => vectors.encode(values, least, sized(&mut self.twos, values.len())),
            0x1_0000..0x1_0000_0000 => vectors.encode(values, least, sized(&mut self.fours, values.len())),
            _ => vectors.encode(values, least, sized(&mut self.eights, values.len())),
        }
    }

    /// Sets the bit of each row whose value lies in `low..=high`. The range reaches into the block's.
    pub(super) fn within(&self, low: i64, high: i64, vectors: Vectors, out: &mut [u64]) {
        let (least, greatest) = self.bounds;
        let (low, high) = (low.max(least), high.min(greatest));
        let distance = |from: i64, to: i64| to.wrapping_sub(from).cast_unsigned();
        let (start, width) = (distance(least, low), distance(low, high));
        // what fits the distance from the least to the greatest value fits the codes
        #[expect(clippy::cast_possible_truncation, reason = "both lie within the width of the codes")]
        match distance(least, greatest) {
            ..0x100 => vectors.within_u8(&self.bytes, start as u8, width as u8, out),
            0x100..0x1_0000 => vectors.within_u16(&self.twos, start as u16, width as u16, out),
            0x1_0000..0x1_0000_0000 => vectors.within_u32(&self.fours, start as u32, width as u32, out),
            _ => vectors.within_u64(&self.eights, start, width, out),
        }
    }
}

fn sized<T: Default + Clone>(buffer: &mut Vec<T>, len: usize) -> &mut [T] {
    buffer.resize(len, T::default());
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_over_any_span_of_values() {
        for values in [
            vec![5_i64, 5, 5],
            vec![-100, 0, 100, 155],
            vec![-30_000, 1, 30_000],
            vec![0, 1 << 31, (1 << 32) - 1],
            vec![i64::MIN, -1, 0, i64::MAX],
        ] {
            let bounds = (values[0], values[values.len() - 1]);
            for vectors in Vectors::available() {
                let mut codes = Codes::default();
                codes.begin(bounds, true);
                codes.encode(&values, vectors);
                for &low in values.iter().chain(&[i64::MIN, -1, 7]) {
                    for &high in values.iter().chain(&[i64::MAX, -1, 7]) {
                        let inside: Vec<bool> = values.iter().map(|value| low <= *value && *value <= high).collect();
                        if low > high || codes.place(low, high) == Place::Outside {
                            assert!(!inside.contains(&true));
                            continue;
                        }
                        assert!(codes.place(low, high) == Place::Across || !inside.contains(&false));
                        let mut out = [u64::MAX];
                        codes.within(low, high, vectors, &mut out);
                        assert_eq!((0..values.len()).map(|row| out[0] >> row & 1 == 1).collect::<Vec<_>>(), inside, "{low}..={high}");
                    }
                }
            }
        }
    }
}
