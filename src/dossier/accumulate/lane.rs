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

    /// Which rows are known; none: all.
    pub(super) fn known(&self) -> Option<&NullBuffer> {
        self.known.as_ref()
    }

    /// The booleans, and which of them are known (none: all); nothing for other types.
    pub(super) fn truths(&self) -> Option<(&BooleanBuffer, Option<&NullBuffer>)> {
        match &self.values {
            Values::Bits(bits) => Some((bits, self.known.as_ref())),
            _ => None,
        }
    }

    /// All values as numbers; what stands for an unknown one is arbitrary. `text` gives the number of a text.
    pub(super) fn numbers(&self, mut text: impl FnMut(&str) -> i64) -> Numbers<'_> {
        match &self.values {
            Values::Bits(bits) => Numbers::Bits(bits),
            Values::Days(days) => Numbers::Days(days),
            Values::Whole(values) => Numbers::Whole(values),
            Values::Wide(values) => Numbers::Wide(values),
            Values::Texts(texts) => {
                let mut places = Vec::with_capacity(texts.len());
                // Equal texts often follow each other.
                let mut last = None;
                for value in texts {
                    let value = value.unwrap_or("");
                    let number = match last {
                        Some((before, number)) if before == value => number,
                        _ => text(value),
                    };
                    last = Some((value, number));
                    places.push(number);
                }
                Numbers::Places(places)
            }
            Values::Keys(keys, texts) => Numbers::Keys(keys, texts.iter().map(|value| text(value.unwrap_or(""))).collect()),
        }
    }
}

/// The numbers of a lane, each kind read as it lies.
#[derive(Debug)]
pub(super) enum Numbers<'a> {
    /// Yes is 1.
    Bits(&'a BooleanBuffer),
    /// Dates.
    Days(&'a [i32]),
    /// Numbers.
    Whole(&'a [i64]),
    /// Money.
    Wide(&'a [i128]),
    /// Texts by number.
    Places(Vec<i64>),
    /// Texts by key, and the number of each key.
    Keys(&'a [i32], Vec<i64>),
}
