//! Finds rows whose key an earlier row has: exact for identifiers of persons, by hashes of 128 bits for other keys.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use arrow::array::{Array, ArrayAccessor, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int64Type};

use super::declaration::ColumnType;

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd6e8_feb8_6659_fd93;

/// The keys seen so far.
#[derive(Debug)]
pub(super) enum RowKeys {
    /// The key is one person's identifier: its 17 digits are a number, the check character follows from them.
    Person(HashSet<u64, BuildHasherDefault<Spread>>),
    /// Any columns. Two of 10⁸ different keys agree by chance once in 10²² registers.
    Any(HashSet<u128, BuildHasherDefault<Spread>>),
}

impl RowKeys {
    pub(super) fn new(types: &[ColumnType]) -> Self {
        if types == [ColumnType::PersonId] { Self::Person(HashSet::default()) } else { Self::Any(HashSet::default()) }
    }

    /// The keys of the rows of a batch, given its key columns.
    pub(super) fn keys(columns: &[ArrayRef], is_person: bool, rows: usize) -> Vec<u128> {
        if let ([column], true) = (columns, is_person) {
            return packed(column.as_string());
        }
        let mut lanes = vec![(FIRST, SECOND); rows];
        for column in columns {
            mix_column(column, &mut lanes);
        }
        lanes.into_iter().map(|(first, second)| u128::from(first) << 64 | u128::from(second)).collect()
    }

    /// Whether the key is seen for the first time.
    pub(super) fn insert(&mut self, key: u128) -> bool {
        match self {
            #[expect(clippy::cast_possible_truncation, reason = "17 digits are less than 2^57")]
            Self::Person(seen) => seen.insert(key as u64),
            Self::Any(seen) => seen.insert(key),
        }
    }

    pub(super) fn is_person(&self) -> bool {
        matches!(self, Self::Person(_))
    }
}

/// The first 17 digits as a number; identifiers here are normalised and never null.
fn packed(column: &StringArray) -> Vec<u128> {
    let digits = |id: &str| id.bytes().take(17).fold(0_u64, |number, byte| number * 10 + u64::from(byte.wrapping_sub(b'0')));
    (0..column.len()).map(|row| u128::from(if column.is_null(row) { 0 } else { digits(column.value(row)) })).collect()
}

fn fold(value: u64, by: u64) -> u64 {
    let product = u128::from(value) * u128::from(by);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
    let folded = product as u64 ^ (product >> 64) as u64;
    folded
}

fn mix(lanes: &mut (u64, u64), word: u64) {
    lanes.0 = fold(lanes.0 ^ word, FIRST) ^ word.rotate_left(29);
    lanes.1 = fold(lanes.1.wrapping_add(word), SECOND) ^ word.rotate_left(43);
}

fn mix_bytes(lanes: &mut (u64, u64), bytes: &[u8]) {
    mix(lanes, bytes.len() as u64 + 1);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(lanes, u64::from_le_bytes(word));
    }
}

fn mix_column(column: &ArrayRef, lanes: &mut [(u64, u64)]) {
    match column.data_type() {
        DataType::Int64 => mix_values(column.as_primitive::<Int64Type>(), lanes, |lanes, value| mix_bytes(lanes, &value.to_le_bytes())),
        DataType::Date32 => mix_values(column.as_primitive::<Date32Type>(), lanes, |lanes, value| mix_bytes(lanes, &value.to_le_bytes())),
        DataType::Decimal128(..) => {
            mix_values(column.as_primitive::<Decimal128Type>(), lanes, |lanes, value| mix_bytes(lanes, &value.to_le_bytes()));
        }
        DataType::Boolean => mix_values(column.as_boolean(), lanes, |lanes, value| mix_bytes(lanes, &[u8::from(value)])),
        _ => mix_values(column.as_string::<i32>(), lanes, |lanes, value| mix_bytes(lanes, value.as_bytes())),
    }
}

fn mix_values<A: ArrayAccessor>(column: A, lanes: &mut [(u64, u64)], mix_value: impl Fn(&mut (u64, u64), A::Item)) {
    for (row, lanes) in lanes.iter_mut().enumerate() {
        if column.is_null(row) {
            mix(lanes, 0);
        } else {
            mix_value(lanes, column.value(row));
        }
    }
}

/// Spreads keys that are numbers already over the buckets of a set.
#[derive(Debug, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = fold(self.0 ^ number ^ FIRST, SECOND);
    }

    fn write_u128(&mut self, number: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "either half is as good")]
        self.write_u64(number as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::Int64Array;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn persons_are_packed() {
        let column: ArrayRef = Arc::new(StringArray::from(vec!["11010519491231002X", "110105194912310037", "11010519491231002X"]));
        let mut seen = RowKeys::new(&[ColumnType::PersonId]);
        assert!(seen.is_person());
        let found: Vec<bool> = RowKeys::keys(&[column], true, 3).into_iter().map(|key| seen.insert(key)).collect();
        assert_eq!(found, [true, true, false]);
    }

    proptest! {
        #[test]
        fn rows_are_the_same_exactly_when_their_keys_are(rows in prop::collection::vec((prop::option::of("[ab]{0,3}"), prop::option::of(0..3_i64)), 1..60)) {
            let texts: ArrayRef = Arc::new(rows.iter().map(|row| row.0.clone()).collect::<StringArray>());
            let numbers: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
            let keys = RowKeys::keys(&[texts, numbers], false, rows.len());
            for (one, key) in rows.iter().zip(&keys) {
                for (other, other_key) in rows.iter().zip(&keys) {
                    prop_assert_eq!(one == other, key == other_key);
                }
            }
        }
    }
}
