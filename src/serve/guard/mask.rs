//! Identifiers as they are shown unless a purpose allows more: 3713**********1234.

use crate::register::identifier::{mask, normalise_entity_id, normalise_person_id};

/// A text that may be or hold an identifier, masked where it is one. `prefix` and `suffix` of subjects that are not persons
/// or entities (households) are kept as [`mask`] keeps them.
#[must_use]
pub fn text(value: &str) -> String {
    if normalise_person_id(value).is_ok() || normalise_entity_id(value).is_ok() {
        return mask(value);
    }
    value.to_owned()
}

/// An identifier, masked whatever it looks like.
#[must_use]
pub fn identifier(value: &str) -> String {
    mask(value)
}

/// Masks every identifier inside a text: runs of 15 or 18 digits and letters that check out.
#[must_use]
pub fn inside(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut word = String::new();
    let end = |word: &mut String, masked: &mut String| {
        masked.push_str(&self::text(word));
        word.clear();
    };
    for sign in text.chars() {
        if sign.is_ascii_alphanumeric() {
            word.push(sign);
        } else {
            end(&mut word, &mut masked);
            masked.push(sign);
        }
    }
    end(&mut word, &mut masked);
    masked
}

/// Masks every identifier in the texts of a JSON value.
pub fn value(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = inside(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(self::value),
        serde_json::Value::Object(entries) => entries.values_mut().for_each(self::value),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers() {
        assert_eq!(text("11010519491231002X"), "1101**********002X");
        assert_eq!(text("990103001"), "990103001");
        assert_eq!(inside("payee 11010519491231002X, of 990100"), "payee 1101**********002X, of 990100");
        let mut json = serde_json::json!({"a": ["11010519491231002X", 1, null], "b": {"c": "x"}});
        value(&mut json);
        assert_eq!(json, serde_json::json!({"a": ["1101**********002X", 1, null], "b": {"c": "x"}}));
    }
}
