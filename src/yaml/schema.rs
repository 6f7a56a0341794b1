//! The parts that JSON Schemas of YAML files are put together from.

use serde_json::{Map, Value, json};

/// The schema of a file, JSON Schema 2020-12: its body, and what `$defs` it has beside those that all files share.
#[must_use]
pub fn file(title: &str, body: Value, definitions: Map<String, Value>) -> Value {
    let mut whole = Map::new();
    whole.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    whole.insert("title".to_owned(), json!(title));
    if let Value::Object(body) = body {
        whole.extend(body);
    }
    let mut all = shared();
    all.extend(definitions);
    whole.insert("$defs".to_owned(), Value::Object(all));
    Value::Object(whole)
}

/// What several files share.
fn shared() -> Map<String, Value> {
    let message = json!({"anyOf": [{"type": "string"}, object(&[("zh", text()), ("en", text())])]});
    let expression =
        json!({"type": ["string", "number", "boolean"], "description": "条件或金额 / a condition or an amount: docs/language.md"});
    [
        ("text", json!({"type": ["string", "number", "boolean"]})),
        ("expression", expression),
        ("date", json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})),
        ("message", message),
        ("texts", either(&[text(), list(text())])),
    ]
    .map(|(name, schema)| (name.to_owned(), schema))
    .into_iter()
    .collect()
}

/// A mapping with these keys only; a key that ends in `!` must be there.
#[must_use]
pub fn object(keys: &[(&str, Value)]) -> Value {
    let name = |key: &str| key.trim_end_matches('!').to_owned();
    let properties: Map<String, Value> = keys.iter().map(|(key, value)| (name(key), value.clone())).collect();
    let required: Vec<String> = keys.iter().filter(|(key, _)| key.ends_with('!')).map(|(key, _)| name(key)).collect();
    json!({"type": "object", "additionalProperties": false, "required": required, "properties": properties})
}

/// A list.
#[must_use]
pub fn list(items: Value) -> Value {
    json!({"type": "array", "items": items})
}

/// One of several shapes.
#[must_use]
pub fn either(choices: &[Value]) -> Value {
    json!({"anyOf": choices})
}

/// One of `$defs`.
#[must_use]
pub fn defined(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

/// One of the words that a reader knows.
#[must_use]
pub fn words<T>(choices: &[(&str, T)]) -> Value {
    json!({"enum": choices.iter().map(|(word, _)| *word).collect::<Vec<_>>()})
}

/// The same with a word to whoever writes it.
#[must_use]
pub fn said(mut schema: Value, text: &str) -> Value {
    if let Value::Object(schema) = &mut schema {
        schema.insert("description".to_owned(), json!(text));
    }
    schema
}

/// A whole number.
#[must_use]
pub fn whole(minimum: i64) -> Value {
    json!({"type": "integer", "minimum": minimum})
}

/// Any scalar.
#[must_use]
pub fn text() -> Value {
    defined("text")
}

/// For tests: the keys that a schema has, and those that a reader of the same file asks for.
#[cfg(test)]
pub mod known {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use serde_json::Value;

    use crate::diagnostic::{Diagnostic, SourceFile};
    use crate::yaml::{self, Node};

    /// The keys of one mapping.
    pub type Keys = BTreeSet<String>;

    /// The keys known at each place with the key `zz`.
    ///
    /// # Panics
    ///
    /// Where one of them is not asked for by the reader.
    pub fn read(text: &str, read: impl Fn(&Arc<SourceFile>, &Node) -> Vec<Diagnostic>) -> BTreeSet<Keys> {
        let file = SourceFile::new("t.yaml", text);
        let (node, told) = yaml::parse(&file);
        assert!(told.is_empty());
        told_of(text, &read(&file, &node.expect("a tree")))
    }

    /// The keys known at each place with the key `zz` of a text, by what its reader told.
    ///
    /// # Panics
    ///
    /// Where one of them is not asked for by the reader.
    #[must_use]
    pub fn told_of(text: &str, told: &[Diagnostic]) -> BTreeSet<Keys> {
        let unknown: Vec<_> = told.iter().filter(|told| told.code.name == "unknown-key").collect();
        assert_eq!(unknown.len(), text.matches("zz:").count(), "every mapping was read: {told:?}");
        let keys = |told: &&Diagnostic| {
            let known = told.help.iter().find_map(|help| help.en.strip_prefix("keys known here: ")).expect("the keys known");
            known.split(", ").map(str::to_owned).collect()
        };
        unknown.iter().map(keys).collect()
    }

    /// The keys of every closed mapping of a schema.
    ///
    /// # Panics
    ///
    /// Where it is no schema.
    pub fn written(schema: &Value, found: &mut BTreeSet<Keys>) {
        match schema {
            Value::Object(entries) => {
                if entries.get("additionalProperties") == Some(&Value::Bool(false)) {
                    found.insert(entries["properties"].as_object().expect("properties").keys().cloned().collect());
                }
                entries.values().for_each(|value| written(value, found));
            }
            Value::Array(items) => items.iter().for_each(|item| written(item, found)),
            _ => {}
        }
    }
}
