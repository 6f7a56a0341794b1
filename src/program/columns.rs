//! A batch as evaluation sees it: the buffers of the facts that the program reads, and what is unknown in them.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, DictionaryArray, Int8Array, Int16Array, Int32Array, Int64Array,
    LargeStringArray, PrimitiveArray, StringArray, StringViewArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow::datatypes::{ArrowDictionaryKeyType, ArrowNativeType, DataType, Date32Type};
use arrow::downcast_dictionary_array;
use arrow::record_batch::RecordBatch;
use std::collections::HashMap;

use super::bitmap;
use super::error::EvalError;
use crate::check::ir::{Column, Ty};

/// The values of a column. Those of unknown rows are arbitrary.
#[derive(Debug, Default)]
pub(super) enum Values {
    /// Everything is unknown.
    #[default]
    Nothing,
    Int8(Int8Array),
    Int16(Int16Array),
    Int32(Int32Array),
    Int64(Int64Array),
    UInt8(UInt8Array),
    UInt16(UInt16Array),
    UInt32(UInt32Array),
    UInt64(UInt64Array),
    Date(PrimitiveArray<Date32Type>),
    Decimal(Decimal128Array),
    /// Yes bits.
    Bits,
    /// Keys into distinct values.
    Keys(Distinct),
}

/// The distinct values of a text column.
#[derive(Debug)]
pub(super) struct Distinct {
    texts: Texts,
    /// Where each distinct value stands in `texts`; `None`: value `k` stands at `k`.
    places: Option<Vec<u32>>,
    len: usize,
}

#[derive(Debug)]
enum Texts {
    Small(StringArray),
    Large(LargeStringArray),
    View(StringViewArray),
}

/// A column of the batch. The buffers are kept from batch to batch.
#[derive(Debug, Default)]
pub(super) struct BatchColumn {
    pub(super) values: Values,
    /// Whether the value is known.
    pub(super) known: Vec<u64>,
    /// Of a boolean column, yes and no.
    pub(super) yes: Vec<u64>,
    pub(super) no: Vec<u64>,
    /// Of a text column, the key per row.
    pub(super) keys: Vec<u32>,
}

impl BatchColumn {
    /// Takes the fact's column out of the batch.
    pub(super) fn load(&mut self, fact: &Column, batch: &RecordBatch) -> Result<(), EvalError> {
        let array = batch.column_by_name(&fact.name).ok_or_else(|| EvalError::MissingColumn { name: fact.name.to_string() })?;
        let refuse = || EvalError::ColumnType { name: fact.name.to_string(), found: array.data_type().to_string() };
        self.known_from(array.as_ref());
        self.values = match (fact.ty, array.data_type()) {
            (_, DataType::Null) => {
                self.keys.clear();
                self.keys.resize(array.len(), 0);
                Values::Nothing
            }
            (Ty::Bool, DataType::Boolean) => self.bits(array.as_boolean()),
            (Ty::Number, DataType::Decimal128(_, scale)) if i16::from(*scale) == i16::from(fact.scale) => {
                Values::Decimal(array.as_primitive().clone())
            }
            (Ty::Number, _) if fact.scale == 0 => integers(array).ok_or_else(refuse)?,
            (Ty::Date, DataType::Date32) => Values::Date(array.as_primitive().clone()),
            (Ty::Text, _) => Values::Keys(self.text(array).ok_or_else(refuse)?),
            _ => return Err(refuse()),
        };
        Ok(())
    }

    fn known_from(&mut self, array: &dyn Array) {
        match (array.data_type(), array.nulls()) {
            (DataType::Null, _) => {
                self.known.clear();
                self.known.resize(bitmap::words(array.len()), 0);
            }
            (_, Some(nulls)) => bitmap::copy(nulls.inner(), &mut self.known),
            (_, None) => bitmap::fill_ones(array.len(), &mut self.known),
        }
    }

    fn bits(&mut self, array: &BooleanArray) -> Values {
        bitmap::copy(array.values(), &mut self.yes);
        self.no.clear();
        for (yes, known) in self.yes.iter_mut().zip(&self.known) {
            self.no.push(!*yes & known);
            *yes &= known;
        }
        Values::Bits
    }

    fn text(&mut self, array: &ArrayRef) -> Option<Distinct> {
        let array = array.as_ref();
        downcast_dictionary_array!(
            array => self.dictionary(array),
            DataType::Utf8 => {
                let texts = array.as_string::<i32>();
                Some(self.encode(texts.iter(), Texts::Small(texts.clone())))
            }
            DataType::LargeUtf8 => {
                let texts = array.as_string::<i64>();
                Some(self.encode(texts.iter(), Texts::Large(texts.clone())))
            }
            DataType::Utf8View => {
                let texts = array.as_string_view();
                Some(self.encode(texts.iter(), Texts::View(texts.clone())))
            }
            _ => None
        )
    }

    fn dictionary<K: ArrowDictionaryKeyType>(&mut self, array: &DictionaryArray<K>) -> Option<Distinct> {
        let values = array.values();
        let texts = match values.data_type() {
            DataType::Utf8 => Texts::Small(values.as_string().clone()),
            DataType::LargeUtf8 => Texts::Large(values.as_string().clone()),
            DataType::Utf8View => Texts::View(values.as_string_view().clone()),
            _ => return None,
        };
        // keys of unknown rows are arbitrary, and may lie outside
        let key = |key: &K::Native| if key.as_usize() < values.len() { u32::try_from(key.as_usize()).unwrap_or(0) } else { 0 };
        self.keys.clear();
        self.keys.extend(array.keys().values().iter().map(key));
        if let Some(nulls) = values.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
            for (row, &key) in self.keys.iter().enumerate() {
                if values.is_empty() || nulls.is_null(key as usize) {
                    self.known[row / 64] &= !(1 << (row % 64));
                }
            }
        }
        Some(Distinct { texts, places: None, len: values.len() })
    }

    /// Gives each distinct text a key. Registers come sorted, so the text of the row before is tried first.
    fn encode<'t>(&mut self, rows: impl Iterator<Item = Option<&'t str>>, texts: Texts) -> Distinct {
        let mut keys: HashMap<&str, u32> = HashMap::new();
        let mut places = Vec::new();
        let mut last: Option<(&str, u32)> = None;
        self.keys.clear();
        for (row, text) in rows.enumerate() {
            let key = match (text, last) {
                (None, _) => 0,
                (Some(text), Some((before, key))) if text == before => key,
                (Some(text), _) => *keys.entry(text).or_insert_with(|| {
                    places.push(u32::try_from(row).unwrap_or(u32::MAX));
                    u32::try_from(places.len() - 1).unwrap_or(u32::MAX)
                }),
            };
            self.keys.push(key);
            last = text.map(|text| (text, key)).or(last);
        }
        Distinct { texts, len: places.len(), places: Some(places) }
    }
}

impl Distinct {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// The distinct values, where they are an array of their own.
    pub(super) fn as_they_lie(&self) -> Option<&StringArray> {
        match (&self.texts, &self.places) {
            (Texts::Small(texts), None) => Some(texts),
            _ => None,
        }
    }

    /// The text of a key; `None` where the dictionary itself holds none.
    pub(super) fn text(&self, key: usize) -> Option<&str> {
        let place = match &self.places {
            Some(places) => *places.get(key)? as usize,
            None => key,
        };
        match &self.texts {
            Texts::Small(texts) => (place < texts.len() && texts.is_valid(place)).then(|| texts.value(place)),
            Texts::Large(texts) => (place < texts.len() && texts.is_valid(place)).then(|| texts.value(place)),
            Texts::View(texts) => (place < texts.len() && texts.is_valid(place)).then(|| texts.value(place)),
        }
    }
}

fn integers(array: &ArrayRef) -> Option<Values> {
    Some(match array.data_type() {
        DataType::Int8 => Values::Int8(array.as_primitive().clone()),
        DataType::Int16 => Values::Int16(array.as_primitive().clone()),
        DataType::Int32 => Values::Int32(array.as_primitive().clone()),
        DataType::Int64 => Values::Int64(array.as_primitive().clone()),
        DataType::UInt8 => Values::UInt8(array.as_primitive().clone()),
        DataType::UInt16 => Values::UInt16(array.as_primitive().clone()),
        DataType::UInt32 => Values::UInt32(array.as_primitive().clone()),
        DataType::UInt64 => Values::UInt64(array.as_primitive().clone()),
        _ => return None,
    })
}
