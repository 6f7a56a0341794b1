//! The key of a row from its key columns: exact for identifiers of persons, by hashes for other keys.

use arrow::array::{Array, ArrayAccessor, ArrayRef, AsArray, StringArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int32Type, Int64Type};

use super::declaration::ColumnType;
use super::identifier::digits_of;

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd6e8_feb8_6659_fd93;

/// Two words that tell rows apart: the first is spread evenly, the second is not zero for persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) u64, pub(super) u64);

/// How the keys of a register are made.
#[derive(Debug, Clone)]
pub(super) enum RowKeys {
    /// The key is one person's identifier: its 17 digits are a number, the check character follows from them. Either word tells it.
    Person,
    /// Any columns, by their types.
    Any(Vec<ColumnType>),
}

impl RowKeys {
    pub(super) fn new(types: &[ColumnType]) -> Self {
        if types == [ColumnType::PersonId] { Self::Person } else { Self::Any(types.to_vec()) }
    }

    /// The keys of the rows of a batch, given its key columns.
    pub(super) fn keys(&self, columns: &[ArrayRef], rows: usize) -> Vec<Key> {
        match (self, columns) {
            (Self::Person, [column]) => {
                let mut keys = Vec::with_capacity(rows);
                keys.extend(packed(column.as_string()).map(|number| {
                    let spread = bijective(number);
                    Key(spread, spread)
                }));
                keys
            }
            (Self::Person, _) => Vec::new(),
            (Self::Any(types), _) => {
                let mut keys = vec![Key(FIRST, SECOND); rows];
                for (column, kind) in columns.iter().zip(types) {
                    mix_column(column, *kind, &mut keys);
                }
                keys
            }
        }
    }
}

/// The first 17 digits as a number, and one more; 1 for none. Identifiers here are normalised.
fn packed(column: &StringArray) -> impl Iterator<Item = u64> + '_ {
    column.iter().map(|id| 1 + id.and_then(|id| id.as_bytes().first_chunk()).map_or(0, digits_of))
}

/// Another number for each number, spread evenly (the finaliser of `MurmurHash3`); zero for zero only.
fn bijective(number: u64) -> u64 {
    let number = (number ^ (number >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let number = (number ^ (number >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    number ^ (number >> 33)
}

fn fold(value: u64, by: u64) -> u64 {
    let product = u128::from(value) * u128::from(by);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
    let folded = product as u64 ^ (product >> 64) as u64;
    folded
}

fn mix(key: &mut Key, word: u64) {
    mix_both(key, word, word);
}

fn mix_both(key: &mut Key, first: u64, second: u64) {
    key.0 = fold(key.0 ^ first, FIRST) ^ first.rotate_left(29);
    key.1 = fold(key.1.wrapping_add(second), SECOND) ^ second.rotate_left(43);
}

/// The hash of a text by itself, the same in whatever form its column is.
fn hash_of(bytes: &[u8]) -> Key {
    let mut key = Key(FIRST, SECOND);
    mix(&mut key, bytes.len() as u64 + 1);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        mix(&mut key, u64::from_le_bytes(*word));
    }
    mix(&mut key, rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    key
}

fn mix_column(column: &ArrayRef, kind: ColumnType, keys: &mut [Key]) {
    match column.data_type() {
        DataType::Int64 => mix_values(column.as_primitive::<Int64Type>(), keys, |key, value| {
            mix(key, 1);
            mix(key, value.cast_unsigned());
        }),
        DataType::Date32 => {
            mix_values(column.as_primitive::<Date32Type>(), keys, |key, value| mix(key, 1 + u64::from(value.cast_unsigned())));
        }
        DataType::Decimal128(..) => {
            mix_values(column.as_primitive::<Decimal128Type>(), keys, |key, value| {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the two halves are wanted")]
                let (low, high) = (value as u64, (value >> 64) as u64);
                mix(key, 1);
                mix(key, low);
                mix(key, high);
            });
        }
        DataType::Boolean => mix_values(column.as_boolean(), keys, |key, value| mix(key, 1 + u64::from(value))),
        DataType::Dictionary(..) => mix_dictionary(column, keys),
        _ if kind == ColumnType::PersonId => {
            for (key, number) in keys.iter_mut().zip(packed(column.as_string())) {
                mix(key, number);
            }
        }
        _ => mix_values(column.as_string::<i32>(), keys, |key, value| {
            let hash = hash_of(value.as_bytes());
            mix_both(key, hash.0, hash.1);
        }),
    }
}

/// As the texts themselves, each value hashed once.
fn mix_dictionary(column: &ArrayRef, keys: &mut [Key]) {
    let column = column.as_dictionary::<Int32Type>();
    let values: Vec<Key> = column.values().as_string::<i32>().iter().map(|text| hash_of(text.unwrap_or_default().as_bytes())).collect();
    mix_values(column.keys(), keys, |key, value| {
        let hash = values[usize::try_from(value).unwrap_or(0)];
        mix_both(key, hash.0, hash.1);
    });
}

fn mix_values<A: ArrayAccessor>(column: A, keys: &mut [Key], mix_value: impl Fn(&mut Key, A::Item)) {
    if column.null_count() == 0 {
        for (row, key) in keys.iter_mut().enumerate() {
            mix_value(key, column.value(row));
        }
        return;
    }
    for (row, key) in keys.iter_mut().enumerate() {
        if column.is_null(row) {
            mix(key, 0);
        } else {
            mix_value(key, column.value(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Date32Array, DictionaryArray, Int64Array};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn persons_are_packed() {
        let ids = vec![Some("11010519491231002X"), Some("110105194912310038"), Some("11010519491231002X"), None];
        let column: ArrayRef = Arc::new(StringArray::from(ids));
        let keys = RowKeys::new(&[ColumnType::PersonId]).keys(&[column], 4);
        assert_eq!((keys[0] == keys[2], keys[0] == keys[1], keys[0] == keys[3]), (true, false, false));
        assert!(keys.iter().all(|key| key.1 != 0));
    }

    proptest! {
        #[test]
        fn rows_are_the_same_exactly_when_their_keys_are(
            rows in prop::collection::vec((prop::option::of("[ab]{0,3}"), prop::option::of(0..3_i64), prop::option::of(-1..2)), 1..60),
        ) {
            let texts: StringArray = rows.iter().map(|row| row.0.clone()).collect();
            let dictionary: DictionaryArray<Int32Type> = rows.iter().map(|row| row.0.as_deref()).collect();
            let numbers: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>());
            let days: ArrayRef = Arc::new(rows.iter().map(|row| row.2).collect::<Date32Array>());
            let row_keys = RowKeys::new(&[ColumnType::Text, ColumnType::Int, ColumnType::Date]);
            let keys = row_keys.keys(&[Arc::new(texts), Arc::clone(&numbers), Arc::clone(&days)], rows.len());
            prop_assert_eq!(&keys, &row_keys.keys(&[Arc::new(dictionary), numbers, days], rows.len()));
            for (one, key) in rows.iter().zip(&keys) {
                for (other, other_key) in rows.iter().zip(&keys) {
                    prop_assert_eq!(one == other, key == other_key);
                }
            }
        }
    }
}
