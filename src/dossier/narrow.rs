//! Columns while they are kept: numbers and keys in as few bytes as their values need, and back again.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowNumericType, ArrowPrimitiveType, AsArray, DictionaryArray, PrimitiveArray};
use arrow::buffer::ScalarBuffer;
use arrow::compute::{max, min};
use arrow::datatypes::{ArrowDictionaryKeyType, DataType, Decimal128Type, Int8Type, Int16Type, Int32Type, Int64Type};

use super::DossierError;

/// The array with its values in fewer bytes, where that is possible; see [`widened`]. What stands for nulls may change.
pub(super) fn narrowed(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Int64 => fewer_bytes(array.as_primitive::<Int64Type>()),
        DataType::Decimal128(..) => fewer_bytes(array.as_primitive::<Decimal128Type>()),
        DataType::Dictionary(key, _) if **key == DataType::Int32 => {
            let array = array.as_dictionary::<Int32Type>();
            let keys = array.keys();
            match array.values().len() {
                0..=0x7f => Arc::new(with_keys::<Int8Type>(keys, array.values())),
                0x80..=0x7fff => Arc::new(with_keys::<Int16Type>(keys, array.values())),
                _ => Arc::new(array.clone()),
            }
        }
        _ => Arc::clone(array),
    }
}

/// The array as it was before it was [`narrowed`], given its type.
///
/// # Errors
///
/// When it is not such an array.
pub(super) fn widened(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef, DossierError> {
    if array.data_type() == data_type {
        return Ok(Arc::clone(array));
    }
    Ok(match (array.data_type(), data_type) {
        (DataType::Dictionary(..), DataType::Dictionary(..)) => match array.as_any_dictionary_opt() {
            Some(dictionary) => {
                let keys = arrow::compute::cast(dictionary.keys(), &DataType::Int32)?;
                Arc::new(DictionaryArray::<Int32Type>::try_new(keys.as_primitive().clone(), Arc::clone(dictionary.values()))?)
            }
            None => Arc::clone(array),
        },
        (DataType::Int8, _) => restored(array.as_primitive::<Int8Type>(), data_type),
        (DataType::Int16, _) => restored(array.as_primitive::<Int16Type>(), data_type),
        (DataType::Int32, _) => restored(array.as_primitive::<Int32Type>(), data_type),
        (DataType::Int64, _) => restored(array.as_primitive::<Int64Type>(), data_type),
        _ => arrow::compute::cast(array, data_type)?,
    })
}

/// Texts as plain texts, so that any two columns of a type compare, and lie side by side.
///
/// # Errors
///
/// When the keys of a dictionary lead nowhere.
pub(super) fn plain(array: &ArrayRef) -> Result<ArrayRef, DossierError> {
    Ok(match array.data_type() {
        DataType::Dictionary(..) => arrow::compute::cast(array, &DataType::Utf8)?,
        _ => Arc::clone(array),
    })
}

/// Whole numbers in the fewest bytes that hold all that are known.
fn fewer_bytes<T: ArrowNumericType>(array: &PrimitiveArray<T>) -> ArrayRef
where
    i128: From<T::Native>,
{
    let bound = |value: Option<T::Native>| value.map_or(0, i128::from);
    let (least, greatest) = (bound(min(array)), bound(max(array)));
    let fits = |bits: u32| least >= -(1 << (bits - 1)) && greatest < 1 << (bits - 1);
    macro_rules! store {
        ($arrow:ty, $native:ty) => {{
            #[expect(clippy::cast_possible_truncation, reason = "all known values fit, and others do not matter")]
            let values: ScalarBuffer<$native> = array.values().iter().map(|value| i128::from(*value) as $native).collect();
            Arc::new(PrimitiveArray::<$arrow>::new(values, array.nulls().cloned()))
        }};
    }
    match () {
        () if fits(8) => store!(Int8Type, i8),
        () if fits(16) => store!(Int16Type, i16),
        () if fits(32) => store!(Int32Type, i32),
        () if fits(64) => store!(Int64Type, i64),
        () => Arc::new(array.clone()),
    }
}

fn with_keys<K>(keys: &PrimitiveArray<Int32Type>, values: &ArrayRef) -> DictionaryArray<K>
where
    K: ArrowDictionaryKeyType,
    K::Native: TryFrom<i32> + Default,
{
    let known = keys.nulls().cloned();
    let keys: ScalarBuffer<K::Native> = keys.values().iter().map(|key| K::Native::try_from(*key).unwrap_or_default()).collect();
    DictionaryArray::new(PrimitiveArray::new(keys, known), Arc::clone(values))
}

fn restored<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, data_type: &DataType) -> ArrayRef
where
    i64: From<T::Native>,
{
    match data_type {
        DataType::Decimal128(..) => {
            let wide = array.unary::<_, Decimal128Type>(|value| i128::from(i64::from(value)));
            Arc::new(wide.with_data_type(data_type.clone()))
        }
        _ => Arc::new(array.unary::<_, Int64Type>(i64::from)),
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Decimal128Array, Int64Array, StringArray};

    use super::*;

    #[track_caller]
    fn check(array: ArrayRef, kept: &DataType) {
        let narrow = narrowed(&array);
        assert_eq!(narrow.data_type(), kept);
        assert_eq!(&widened(&narrow, array.data_type()).expect("its type"), &array);
    }

    #[test]
    fn numbers_take_as_few_bytes_as_they_need() {
        for (values, kept) in [
            (vec![], DataType::Int8),
            (vec![None, None], DataType::Int8),
            (vec![Some(-128), Some(127), None], DataType::Int8),
            (vec![Some(-129)], DataType::Int16),
            (vec![Some(128)], DataType::Int16),
            (vec![Some(32_768)], DataType::Int32),
            (vec![Some(i64::from(i32::MIN)), Some(i64::from(i32::MAX))], DataType::Int32),
            (vec![Some(i64::from(i32::MAX) + 1)], DataType::Int64),
            (vec![Some(i64::MIN), None, Some(i64::MAX)], DataType::Int64),
        ] {
            check(Arc::new(Int64Array::from(values.clone())), &kept);
            let money = Decimal128Array::from_iter(values.into_iter().map(|value| value.map(i128::from)));
            check(Arc::new(money.with_data_type(DataType::Decimal128(38, 2))), &kept);
        }
        let great = Decimal128Array::from(vec![Some(i128::from(i64::MAX) + 1)]).with_data_type(DataType::Decimal128(38, 2));
        check(Arc::new(great), &DataType::Decimal128(38, 2));
    }

    #[test]
    fn nulls_do_not_widen_a_column() {
        let values = ScalarBuffer::from(vec![i64::MAX, 3]);
        let array: ArrayRef = Arc::new(Int64Array::new(values, Some(vec![false, true].into())));
        check(array, &DataType::Int8);
    }

    #[test]
    fn keys_take_as_few_bytes_as_they_need() {
        for (texts, key) in [(3, DataType::Int8), (127, DataType::Int8), (128, DataType::Int16), (32_768, DataType::Int32)] {
            let values: StringArray = (0..texts).map(|text| Some(format!("{text:06}"))).collect();
            let keys = (0..texts).map(Some).chain([None]).collect();
            let array = DictionaryArray::<Int32Type>::try_new(keys, Arc::new(values)).expect("keys within");
            check(Arc::new(array), &DataType::Dictionary(Box::new(key), Box::new(DataType::Utf8)));
        }
        check(Arc::new(StringArray::from(vec![Some("a"), None])), &DataType::Utf8);
    }
}
