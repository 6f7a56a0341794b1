//! A column of evaluated rows as accumulators read it.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int32Type, Int64Type};

use super::super::DossierError;

/// One value per row, some of them unknown.
#[derive(Debug, Clone)]
pub(crate) struct Lane {
    values: Values,
    known: Option<NullBuffer>,
}

#[derive(Debug, Clone)]
enum Values {
    Bits(BooleanBuffer),
    Days(ScalarBuffer<i32>),
    Whole(ScalarBuffer<i64>),
    /// Money as it comes from registers; hundredths.
    Wide(ScalarBuffer<i128>),
    Texts(StringArray),
    /// Keys and the distinct texts.
    Keys(ScalarBuffer<i32>, StringArray),
}

impl Lane {
    /// Reads an array: booleans, dates, numbers (as they lie: money in hundredths) and texts.
    ///
    /// # Errors
    ///
    /// For other types.
    pub(crate) fn of(array: &ArrayRef) -> Result<Self, DossierError> {
        let values = match array.data_type() {
            DataType::Boolean => Values::Bits(array.as_boolean().values().clone()),
            DataType::Date32 => Values::Days(array.as_primitive::<Date32Type>().values().clone()),
            DataType::Int64 => Values::Whole(array.as_primitive::<Int64Type>().values().clone()),
            DataType::Decimal128(..) => Values::Wide(array.as_primitive::<Decimal128Type>().values().clone()),
            DataType::Utf8 => Values::Texts(array.as_string::<i32>().clone()),
            DataType::Dictionary(key, _) if **key == DataType::Int32 => {
                let array = array.as_dictionary::<Int32Type>();
                let texts = cast(array.values(), &DataType::Utf8)?;
                if texts.null_count() > 0 {
                    return Self::of(&cast(array, &DataType::Utf8)?);
                }
                Values::Keys(array.keys().values().clone(), texts.as_string().clone())
            }
            DataType::Dictionary(..) | DataType::LargeUtf8 | DataType::Utf8View => return Self::of(&cast(array, &DataType::Utf8)?),
            _ => return Self::of(&cast(array, &DataType::Int64)?),
        };
        Ok(Self { values, known: array.nulls().filter(|nulls| nulls.null_count() > 0).cloned() })
    }

    /// Whether the value of a row is known.
    pub(super) fn is_known(&self, row: usize) -> bool {
        self.known.as_ref().is_none_or(|known| known.is_valid(row))
    }

    /// The boolean of a row; `None` where it is unknown.
    pub(super) fn truth(&self, row: usize) -> Option<bool> {
        match &self.values {
            Values::Bits(bits) if self.is_known(row) => Some(bits.value(row)),
            _ => None,
        }
    }

    /// All values as numbers; what stands for an unknown one is arbitrary. `text` gives the number of a text.
    pub(super) fn numbers(&self, numbers: &mut Vec<i64>, mut text: impl FnMut(&str) -> i64) {
        numbers.clear();
        match &self.values {
            Values::Bits(bits) => numbers.extend(bits.iter().map(i64::from)),
            Values::Days(days) => numbers.extend(days.iter().map(|&days| i64::from(days))),
            Values::Whole(values) => numbers.extend_from_slice(values),
            Values::Wide(values) => numbers.extend(values.iter().map(|&value| i64::try_from(value).unwrap_or(i64::MAX))),
            Values::Texts(texts) => {
                let mut last: Option<(&str, i64)> = None;
                numbers.extend(texts.iter().map(|value| {
                    let value = value.unwrap_or("");
                    match last {
                        Some((before, number)) if before == value => number,
                        _ => {
                            let number = text(value);
                            last = Some((value, number));
                            number
                        }
                    }
                }));
            }
            Values::Keys(keys, texts) => {
                let distinct: Vec<i64> = texts.iter().map(|value| text(value.unwrap_or(""))).collect();
                let number = |key: &i32| usize::try_from(*key).ok().and_then(|key| distinct.get(key)).copied().unwrap_or(0);
                numbers.extend(keys.iter().map(number));
            }
        }
    }
}
