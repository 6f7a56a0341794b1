//! Texts, codes, regions and identifiers: normalised and checked; values that are as they should be are handed on as they stand.
//!
//! Where a file keeps a column as a dictionary, each distinct value is judged once, not each row.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, StringArray, StringBuilder};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Int32Type};

use super::cast::{Cast, ColumnCast, Fault, checked, is_normal, normalised, text_of};
use super::declaration::ColumnType;
use super::identifier::{check_entity_id, is_person_id, normalise_entity_id, normalise_person_id};
use super::quarantine::Reason;

/// Dictionaries with more values than so many times the rows are unpacked.
const VALUES_PER_ROW: usize = 8;
/// The length of identifiers of persons and entities.
const ID_BYTES: usize = 18;

/// What becomes of a value.
enum Judged<'a> {
    Same,
    Null,
    Changed(Cow<'a, str>, bool),
    Fault(Reason),
}

/// A dictionary that was judged, for further batches that have it.
#[derive(Debug)]
pub(super) struct JudgedDictionary {
    source: StringArray,
    values: StringArray,
    /// What each value of the source becomes; none where all stay.
    becomes: Option<Vec<Becomes>>,
}

#[derive(Debug)]
enum Becomes {
    Value(i32),
    Null,
    /// With what may be shown.
    Fault(Reason, String),
}

impl JudgedDictionary {
    fn is_of(&self, values: &StringArray) -> bool {
        let same = |one: &[u8], other: &[u8]| std::ptr::eq(one.as_ptr(), other.as_ptr()) && one.len() == other.len();
        same(self.source.value_data(), values.value_data())
            && std::ptr::eq(self.source.value_offsets().as_ptr(), values.value_offsets().as_ptr())
            && self.source.len() == values.len()
    }
}

impl ColumnCast {
    /// Casts a column of one of the text types; as a dictionary where it is one in the file.
    pub(super) fn cast_text(&self, array: &ArrayRef, judged: &mut Option<JudgedDictionary>) -> Option<Cast> {
        if let Some(dictionary) = array.as_dictionary_opt::<Int32Type>()
            && let Some(values) = dictionary.values().as_string_opt::<i32>()
            && values.null_count() == 0
            && (values.len() <= VALUES_PER_ROW * dictionary.len() || judged.as_ref().is_some_and(|judged| judged.is_of(values)))
            && self.column.column_type.repeats()
        {
            return Some(self.cast_dictionary(dictionary, values, judged));
        }
        let text = text_of(array)?;
        let final_ids = match self.column.column_type {
            ColumnType::PersonId => all_ids(&text, is_person_id),
            ColumnType::EntityId => all_ids(&text, |id| check_entity_id(id).is_ok()),
            _ => false,
        };
        Some(if final_ids { Cast { array: Arc::new(text), faults: Vec::new(), upgraded: Vec::new() } } else { self.cast_rows(&text) })
    }

    /// Each row by itself.
    fn cast_rows(&self, array: &StringArray) -> Cast {
        let changes: Vec<(usize, Judged<'_>)> = (0..array.len())
            .filter(|row| array.is_valid(*row))
            .filter_map(|row| match self.judge(array.value(row)) {
                Judged::Same => None,
                judged => Some((row, judged)),
            })
            .collect();
        let (mut faults, mut upgraded) = (Vec::new(), Vec::new());
        for (row, judged) in &changes {
            match judged {
                Judged::Fault(reason) => faults.push(self.fault(*row, *reason, array.value(*row))),
                Judged::Changed(_, true) => upgraded.push(*row),
                _ => {}
            }
        }
        Cast { array: Arc::new(changed(array, &changes)), faults, upgraded }
    }

    fn cast_dictionary(&self, array: &DictionaryArray<Int32Type>, values: &StringArray, memory: &mut Option<JudgedDictionary>) -> Cast {
        let judged = match memory.take() {
            Some(judged) if judged.is_of(values) => memory.insert(judged),
            _ => memory.insert(self.judge_values(values)),
        };
        let Some(becomes) = &judged.becomes else {
            return Cast { array: Arc::new(array.clone()), faults: Vec::new(), upgraded: Vec::new() };
        };
        let mut faults = Vec::new();
        let keys = array.keys().iter().enumerate().map(|(row, key)| match &becomes[usize::try_from(key?).ok()?] {
            Becomes::Value(value) => Some(*value),
            Becomes::Null => None,
            Becomes::Fault(reason, value) => {
                faults.push(Fault { row, reason: *reason, value: value.clone() });
                None
            }
        });
        let keys: Int32Array = keys.collect();
        let array = DictionaryArray::new(keys, Arc::new(judged.values.clone()));
        Cast { array: Arc::new(array), faults, upgraded: Vec::new() }
    }

    fn judge_values(&self, source: &StringArray) -> JudgedDictionary {
        let judged: Vec<Judged<'_>> = source.iter().map(|value| self.judge(value.unwrap_or_default())).collect();
        if judged.iter().all(|judged| matches!(judged, Judged::Same)) {
            return JudgedDictionary { source: source.clone(), values: source.clone(), becomes: None };
        }
        let mut values = StringBuilder::with_capacity(source.len(), source.value_data().len());
        let mut becomes = Vec::with_capacity(source.len());
        let mut n_values = 0;
        for (value, judged) in source.iter().map(Option::unwrap_or_default).zip(judged) {
            let kept = match judged {
                Judged::Same => Cow::Borrowed(value),
                Judged::Changed(value, _) => value,
                Judged::Null => {
                    becomes.push(Becomes::Null);
                    continue;
                }
                Judged::Fault(reason) => {
                    becomes.push(Becomes::Fault(reason, self.fault(0, reason, value).value));
                    continue;
                }
            };
            values.append_value(kept);
            becomes.push(Becomes::Value(n_values));
            n_values += 1;
        }
        JudgedDictionary { source: source.clone(), values: values.finish(), becomes: Some(becomes) }
    }

    fn judge<'a>(&self, text: &'a str) -> Judged<'a> {
        if self.is_final(text) {
            return if self.is_null_word(text) { Judged::Null } else { Judged::Same };
        }
        if self.is_null(text) {
            return Judged::Null;
        }
        let changed = match self.column.column_type {
            ColumnType::PersonId => normalise_person_id(text).map(|id| (id.text, id.upgraded)).map_err(|_| Reason::BadIdentifier),
            ColumnType::EntityId => normalise_entity_id(text).map(|id| (id.text, id.upgraded)).map_err(|_| Reason::BadIdentifier),
            _ => self.change_text(normalised(text)).map(|text| (text, false)),
        };
        changed.map_or_else(Judged::Fault, |(text, upgraded)| Judged::Changed(text, upgraded))
    }

    /// Whether a value is as it should be.
    fn is_final(&self, text: &str) -> bool {
        match self.column.column_type {
            ColumnType::PersonId => text.as_bytes().try_into().is_ok_and(is_person_id),
            ColumnType::EntityId => check_entity_id(text.as_bytes()).is_ok(),
            ColumnType::Code => self.column.codes.contains_key(text),
            ColumnType::Region => self.settings.regions.contains(text),
            _ => is_normal(text) && !has_nul(text),
        }
    }

    /// A normalised text as it should be.
    fn change_text<'a>(&self, text: Cow<'a, str>) -> Result<Cow<'a, str>, Reason> {
        if self.is_final(&text) {
            return Ok(text);
        }
        match self.column.column_type {
            ColumnType::Code => self.labels.get(text.as_ref()).map(|code| Cow::Owned(code.clone())).ok_or(Reason::UnknownCode),
            ColumnType::Region => {
                // Codes of 9 and 12 digits are often padded with zeros.
                let mut code = text.as_ref();
                while !self.settings.regions.contains(code) {
                    code = code.strip_suffix("000").filter(|code| code.len() >= 6).ok_or(Reason::UnknownRegion)?;
                }
                Ok(Cow::Owned(code.to_owned()))
            }
            _ if has_nul(&text) => Err(Reason::BadEncoding),
            _ => Ok(text),
        }
    }

    /// In the form that is given: a dictionary or the texts themselves.
    pub(super) fn given(&self, array: ArrayRef) -> ArrayRef {
        let is_dictionary = matches!(array.data_type(), DataType::Dictionary(..));
        if is_dictionary == self.gives_dictionary {
            return array;
        }
        checked(&array, &self.column.column_type.given_type(self.gives_dictionary)).expect("text goes in and out of dictionaries")
    }
}

/// Whether a text has a character that no text has, and that other systems take for its end.
fn has_nul(text: &str) -> bool {
    text.as_bytes().contains(&0)
}

/// Whether every value is an identifier in its one form; nulls are let pass.
fn all_ids(array: &StringArray, is_id: impl Fn(&[u8; ID_BYTES]) -> bool) -> bool {
    let (offsets, bytes) = (array.value_offsets(), array.value_data());
    let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return true };
    let values = || usize::try_from(*first).ok().zip(usize::try_from(*last).ok()).and_then(|(first, last)| bytes.get(first..last));
    let has_even_lengths = || offsets.windows(2).all(|pair| pair[1] - pair[0] == 18);
    if array.null_count() == 0 && has_even_lengths() {
        return values().is_some_and(|values| values.as_chunks().0.iter().all(is_id));
    }
    array.iter().flatten().all(|text| text.as_bytes().try_into().is_ok_and(&is_id))
}

/// The array with some rows changed; `changes` ascend by row.
fn changed(array: &StringArray, changes: &[(usize, Judged<'_>)]) -> StringArray {
    if changes.is_empty() {
        return array.clone();
    }
    if changes.iter().all(|(_, judged)| matches!(judged, Judged::Null | Judged::Fault(_))) {
        // Only less is known: the values stay where they are.
        let mut is_known: Vec<bool> = array.nulls().map_or_else(|| vec![true; array.len()], |nulls| nulls.iter().collect());
        for (row, _) in changes {
            is_known[*row] = false;
        }
        return StringArray::new(array.offsets().clone(), array.values().clone(), Some(NullBuffer::from(is_known)));
    }
    let mut builder = StringBuilder::with_capacity(array.len(), array.value_data().len());
    let mut changes = changes.iter().peekable();
    for (row, value) in array.iter().enumerate() {
        match changes.next_if(|(changed, _)| *changed == row) {
            Some((_, Judged::Changed(text, _))) => builder.append_value(text),
            Some((_, Judged::Null | Judged::Fault(_))) => builder.append_null(),
            _ => builder.append_option(value),
        }
    }
    builder.finish()
}
