//! A batch as evaluation sees it: the buffers of the facts that the program reads, and what is unknown in them.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, LargeStringArray, PrimitiveArray, StringArray, StringViewArray,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    ArrowDictionaryKeyType, ArrowNativeType, ArrowPrimitiveType, DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type,
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::downcast_dictionary_array;
use hashbrown::HashMap;
use std::sync::Arc;

use super::bitmap;
use super::classes::Classes;
use super::error::EvalError;
use crate::check::ir::{Column, Ty};

/// The values of a column, as they lie in its array. Those of unknown rows are arbitrary.
#[derive(Debug, Default)]
pub(super) enum Values {
    /// Everything is unknown.
    #[default]
    Nothing,
    I8(ScalarBuffer<i8>),
    I16(ScalarBuffer<i16>),
    I32(ScalarBuffer<i32>),
    I64(ScalarBuffer<i64>),
    U8(ScalarBuffer<u8>),
    U16(ScalarBuffer<u16>),
    U32(ScalarBuffer<u32>),
    U64(ScalarBuffer<u64>),
    I128(ScalarBuffer<i128>),
    /// Yes bits.
    Bits,
    /// Keys into distinct values, where the program needs them.
    Keys(Distinct),
    /// Texts of which the program needs no more than their classes.
    Texts,
}

/// The distinct values of a text column; one may stand there more than once.
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
    /// Whether it is for all rows.
    pub(super) all_known: bool,
    /// Of a boolean column, yes and no.
    pub(super) yes: Vec<u64>,
    pub(super) no: Vec<u64>,
    /// Of a text column, the key per row.
    pub(super) keys: Vec<u32>,
    /// Of a text column, the array.
    texts: Option<ArrayRef>,
    /// Of a dictionary, the class of each of its values.
    class_of: Vec<u32>,
    /// The dictionary that `class_of` was made for; the next batch often has the same.
    classified: Option<ArrayRef>,
}

/// How many rows are looked at before texts are taken to be all different.
const SAMPLE: usize = 1024;

impl BatchColumn {
    /// Takes the fact's column: its keys if they are needed, and the classes of its texts if there are some.
    pub(super) fn load(&mut self, fact: &Column, array: &ArrayRef, keys: bool, classes: Option<&Classes>) -> Result<(), EvalError> {
        let refuse = || EvalError::ColumnType { name: fact.name.to_string(), found: array.data_type().to_string() };
        self.known_from(array.as_ref());
        self.values = match (fact.ty, array.data_type()) {
            (_, DataType::Null) => {
                self.keys.clear();
                self.keys.resize(array.len(), 0);
                Values::Nothing
            }
            (Ty::Bool, DataType::Boolean) => self.bits(array.as_boolean()),
            (Ty::Number, _) => numbers(array, fact.scale).ok_or_else(refuse)?,
            (Ty::Date, DataType::Date32) => Values::I32(integers::<Date32Type>(array)),
            (Ty::Text, _) => self.text(array, keys, classes).ok_or_else(refuse)?,
            _ => return Err(refuse()),
        };
        Ok(())
    }

    /// Lets go of the batch.
    pub(super) fn release(&mut self) {
        self.values = Values::Nothing;
        self.texts = None;
    }

    fn known_from(&mut self, array: &dyn Array) {
        self.all_known = false;
        match (array.data_type(), array.nulls()) {
            (DataType::Null, _) => {
                self.known.clear();
                self.known.resize(bitmap::words(array.len()), 0);
            }
            (_, Some(nulls)) if nulls.null_count() > 0 => bitmap::copy(nulls.inner(), &mut self.known),
            _ => {
                self.all_known = true;
                bitmap::fill_ones(array.len(), &mut self.known);
            }
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

    fn text(&mut self, array: &ArrayRef, keys: bool, classes: Option<&Classes>) -> Option<Values> {
        self.texts = Some(Arc::clone(array));
        let array = array.as_ref();
        let distinct = downcast_dictionary_array!(
            array => {
                let dictionary = array.values();
                texts_of(dictionary)?;
                self.forget_null_values(array);
                if let Some(classes) = classes {
                    self.classify(dictionary, classes, array.len());
                }
                if !keys {
                    return Some(Values::Texts);
                }
                self.dictionary(array)
            },
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                if !keys {
                    return Some(Values::Texts);
                }
                self.encoded(array)
            }
            _ => None
        );
        distinct.map(Values::Keys)
    }

    /// A dictionary may hold null as a value: rows with it are unknown.
    fn forget_null_values<K: ArrowDictionaryKeyType>(&mut self, array: &DictionaryArray<K>) {
        let Some(nulls) = array.values().logical_nulls().filter(|nulls| nulls.null_count() > 0) else { return };
        self.all_known = false;
        for (row, key) in array.keys().values().iter().enumerate() {
            if nulls.inner().len() <= key.as_usize() || nulls.is_null(key.as_usize()) {
                self.known[row / 64] &= !(1 << (row % 64));
            }
        }
    }

    /// Finds the class of each value of a dictionary, unless it is much longer than the batch.
    fn classify(&mut self, dictionary: &ArrayRef, classes: &Classes, rows: usize) {
        if self.classified.as_ref().is_some_and(|known| Arc::ptr_eq(known, dictionary)) {
            return;
        }
        self.class_of.clear();
        self.classified = None;
        if dictionary.len() <= 4 * rows.max(64)
            && let Some(texts) = texts_of(dictionary)
        {
            self.class_of.extend((0..dictionary.len()).map(|key| texts.get(key).map_or(0, |text| classes.of(text))));
            self.classified = Some(Arc::clone(dictionary));
        }
    }

    /// The classes of the texts of some rows; those of unknown rows are arbitrary.
    pub(super) fn classes(&self, classes: &Classes, rows: std::ops::Range<usize>, out: &mut Vec<u32>) {
        out.clear();
        let Some(array) = &self.texts else {
            out.resize(rows.len(), 0);
            return;
        };
        let array = array.as_ref();
        downcast_dictionary_array!(
            array => {
                let keys = &array.keys().values()[rows];
                if self.classified.is_some() {
                    let table = self.class_of.as_slice();
                    out.extend(keys.iter().map(|key| table.get(key.as_usize()).copied().unwrap_or(0)));
                } else if let Some(texts) = texts_of(array.values()) {
                    classify_rows(keys.iter().map(|key| texts.get(key.as_usize())), classes, out);
                }
            },
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                if let Some(texts) = texts_of(array) {
                    classify_rows(rows.map(|row| texts.get(row)), classes, out);
                }
            }
            _ => out.resize(rows.len(), 0)
        );
    }

    fn dictionary<K: ArrowDictionaryKeyType>(&mut self, array: &DictionaryArray<K>) -> Option<Distinct> {
        let texts = texts_of(array.values())?;
        let len = array.values().len();
        // keys of unknown rows are arbitrary, and may lie outside
        let key = |key: &K::Native| if key.as_usize() < len { u32::try_from(key.as_usize()).unwrap_or(0) } else { 0 };
        self.keys.clear();
        if len > 4 * array.len().max(64) {
            // what is found out about each value is then cheaper found out about each row
            let places = array.keys().values().iter().map(key).collect();
            self.keys.extend((0..array.len()).map(|row| u32::try_from(row).unwrap_or(u32::MAX)));
            return Some(Distinct { texts, places: Some(places), len: array.len() });
        }
        self.keys.extend(array.keys().values().iter().map(key));
        Some(Distinct { texts, places: None, len })
    }

    fn encoded(&mut self, array: &dyn Array) -> Option<Distinct> {
        Some(match texts_of(array)? {
            Texts::Small(texts) => self.encode(texts.iter(), Texts::Small(texts.clone())),
            Texts::Large(texts) => self.encode(texts.iter(), Texts::Large(texts.clone())),
            Texts::View(texts) => self.encode(texts.iter(), Texts::View(texts.clone())),
        })
    }

    /// Gives each distinct text a key. Registers come sorted, so the text of the row before is tried first. Where most
    /// rows differ, as identifiers do, each row is its own key.
    fn encode<'t>(&mut self, rows: impl ExactSizeIterator<Item = Option<&'t str>>, texts: Texts) -> Distinct {
        let mut keys: HashMap<&str, u32> = HashMap::new();
        let mut places = Vec::new();
        let mut last: Option<(&str, u32)> = None;
        let len = rows.len();
        self.keys.clear();
        for (row, text) in rows.enumerate() {
            if row == SAMPLE && places.len() > SAMPLE / 2 {
                self.keys.clear();
                self.keys.extend((0..len).map(|row| u32::try_from(row).unwrap_or(u32::MAX)));
                return Distinct { texts, len, places: None };
            }
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
        match &self.places {
            Some(places) => self.texts.get(*places.get(key)? as usize),
            None => self.texts.get(key),
        }
    }
}

impl Texts {
    fn get(&self, place: usize) -> Option<&str> {
        match self {
            Self::Small(texts) => (place < texts.len() && texts.is_valid(place)).then(|| texts.value(place)),
            Self::Large(texts) => (place < texts.len() && texts.is_valid(place)).then(|| texts.value(place)),
            Self::View(texts) => (place < texts.len() && texts.is_valid(place)).then(|| texts.value(place)),
        }
    }
}

fn texts_of(array: &dyn Array) -> Option<Texts> {
    Some(match array.data_type() {
        DataType::Utf8 => Texts::Small(array.as_string().clone()),
        DataType::LargeUtf8 => Texts::Large(array.as_string().clone()),
        DataType::Utf8View => Texts::View(array.as_string_view().clone()),
        _ => return None,
    })
}

/// The text of the row before is tried first.
fn classify_rows<'t>(rows: impl Iterator<Item = Option<&'t str>>, classes: &Classes, out: &mut Vec<u32>) {
    let mut last = ("", classes.of(""));
    out.extend(rows.map(|text| match text {
        None => last.1,
        Some(text) => {
            if text != last.0 {
                last = (text, classes.of(text));
            }
            last.1
        }
    }));
}

fn integers<T: ArrowPrimitiveType>(array: &ArrayRef) -> ScalarBuffer<T::Native> {
    let array: &PrimitiveArray<T> = array.as_primitive();
    array.values().clone()
}

fn numbers(array: &ArrayRef, scale: u8) -> Option<Values> {
    let data_type = array.data_type();
    let own_scale = match data_type {
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) | DataType::Decimal128(_, scale) => i16::from(*scale),
        _ => 0,
    };
    if own_scale != i16::from(scale) {
        return None;
    }
    Some(match data_type {
        DataType::Int8 => Values::I8(integers::<Int8Type>(array)),
        DataType::Int16 => Values::I16(integers::<Int16Type>(array)),
        DataType::Int32 => Values::I32(integers::<Int32Type>(array)),
        DataType::Int64 => Values::I64(integers::<Int64Type>(array)),
        DataType::UInt8 => Values::U8(integers::<UInt8Type>(array)),
        DataType::UInt16 => Values::U16(integers::<UInt16Type>(array)),
        DataType::UInt32 => Values::U32(integers::<UInt32Type>(array)),
        DataType::UInt64 => Values::U64(integers::<UInt64Type>(array)),
        DataType::Decimal32(..) => Values::I32(integers::<Decimal32Type>(array)),
        DataType::Decimal64(..) => Values::I64(integers::<Decimal64Type>(array)),
        DataType::Decimal128(..) => Values::I128(integers::<Decimal128Type>(array)),
        _ => return None,
    })
}
