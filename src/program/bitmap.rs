//! Bitmaps of rows as 64-bit words: the least significant bit is the first row, bits past the last row are zero.

use arrow::buffer::BooleanBuffer;

/// How many words hold so many rows.
#[must_use]
pub fn words(rows: usize) -> usize {
    rows.div_ceil(64)
}

/// The number of set rows.
#[must_use]
pub fn count(bits: &[u64]) -> usize {
    bits.iter().map(|word| word.count_ones() as usize).sum()
}

/// The set rows, ascending.
pub fn rows(bits: &[u64]) -> impl Iterator<Item = usize> + '_ {
    bits.iter().enumerate().flat_map(|(index, &word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let bit = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                index * 64 + bit
            })
        })
    })
}

/// Whether the row is set.
#[must_use]
pub fn is_set(bits: &[u64], row: usize) -> bool {
    bits[row / 64] >> (row % 64) & 1 == 1
}

/// Makes `out` the bitmap in which each of `rows` rows is set.
pub(super) fn fill_ones(rows: usize, out: &mut Vec<u64>) {
    out.clear();
    out.resize(words(rows), u64::MAX);
    if let (Some(last), tail @ 1..) = (out.last_mut(), rows % 64) {
        *last = (1 << tail) - 1;
    }
}

/// Copies Arrow bits, which may begin within a byte.
pub(super) fn copy(source: &BooleanBuffer, out: &mut Vec<u64>) {
    out.clear();
    let chunks = source.bit_chunks();
    out.extend(chunks.iter());
    if chunks.remainder_len() > 0 {
        out.push(chunks.remainder_bits());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_of_arrow_bits_are_copied_from_any_offset() {
        let bits: Vec<bool> = (0..400).map(|index| index % 3 == 0 || index % 7 == 0).collect();
        let buffer = BooleanBuffer::from(bits.clone());
        for offset in [0, 1, 7, 8, 63, 64, 65] {
            for length in [0, 1, 63, 64, 65, 128, 300] {
                let mut out = vec![7; 3];
                copy(&buffer.slice(offset, length), &mut out);
                assert_eq!(out.len(), words(length));
                let expected: Vec<usize> = (0..length).filter(|row| bits[offset + row]).collect();
                assert_eq!(rows(&out).collect::<Vec<_>>(), expected);
                assert_eq!(count(&out), expected.len());
            }
        }
    }

    #[test]
    fn all_rows_and_none_beyond() {
        for length in [0, 1, 63, 64, 65, 1000] {
            let mut out = Vec::new();
            fill_ones(length, &mut out);
            assert_eq!(rows(&out).collect::<Vec<_>>(), (0..length).collect::<Vec<_>>());
        }
    }
}
