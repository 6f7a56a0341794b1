//! Whether an answer has the shape that the `OpenAPI` document gives it: nothing that it must have is missing, and nothing is there
//! that the document does not tell of.

use serde_json::Value;

/// What of an answer does not fit the schema of a name; empty where all does.
pub(crate) fn misfits(document: &Value, name: &str, answer: &Value) -> Vec<String> {
    let mut found = Vec::new();
    fit(document, &document["components"]["schemas"][name], answer, name, &mut found);
    found
}

fn fit(document: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let referred = document.pointer(reference.trim_start_matches('#')).expect("it leads somewhere");
        return fit(document, referred, value, place, found);
    }
    if let Some(all) = schema["allOf"].as_array() {
        return all.iter().for_each(|schema| fit(document, schema, value, place, found));
    }
    if let Some(any) = ["oneOf", "anyOf"].iter().find_map(|key| schema[key].as_array()) {
        let of_each = any.iter().map(|schema| {
            let mut found = Vec::new();
            fit(document, schema, value, place, &mut found);
            found
        });
        return found.extend(of_each.min_by_key(Vec::len).unwrap_or_default());
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        // Anything goes.
        _ => return,
    };
    let own = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) if types.contains(&"integer") => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&own) {
        return found.push(format!("{place} is {own}, not {types:?}"));
    }
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| fit(document, &schema["items"], item, &format!("{place}[{at}]"), found));
        }
        Value::Object(entries) => {
            let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
            found.extend(required.filter(|name| !entries.contains_key(*name)).map(|name| format!("{place}.{name} is missing")));
            for (name, value) in entries {
                let place = format!("{place}.{name}");
                match (schema["properties"].get(name), schema.get("additionalProperties")) {
                    (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => fit(document, schema, value, &place, found),
                    (None, Some(Value::Bool(true))) => {}
                    (None, _) => found.push(format!("{place} is not told of")),
                }
            }
        }
        Value::String(text) => {
            if let Some(words) = schema["enum"].as_array()
                && !words.contains(value)
            {
                found.push(format!("{place} is `{text}`, none of {words:?}"));
            }
        }
        _ => {}
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let document = serde_json::json!({"components": {"schemas": {
        "One": {"type": "object", "required": ["id"], "properties": {
            "id": {"type": "string", "enum": ["a", "b"]},
            "of": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/One"}]},
            "all": {"type": "array", "items": {"$ref": "#/components/schemas/One"}},
        }},
    }}});
    let check = |answer: Value| misfits(&document, "One", &answer);
    assert!(check(serde_json::json!({"id": "a", "of": null, "all": [{"id": "b", "of": {"id": "a"}}]})).is_empty());
    assert_eq!(check(serde_json::json!({"of": 1})), ["One.id is missing", "One.of is number, not [\"null\"]"]);
    assert_eq!(check(serde_json::json!({"id": "c"})).len(), 1);
    assert_eq!(check(serde_json::json!({"id": "a", "all": [{"id": "b", "more": 1}]})), ["One.all[0].more is not told of"]);
}
