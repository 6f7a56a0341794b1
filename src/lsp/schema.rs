//! Which keys and words may stand at a place of a file, by its JSON Schema.

use serde_json::Value;

use super::role::FileKind;
use super::spot::Step;
use crate::policy::{self, SchemaOf};
use crate::register;

/// A key that may stand in a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) name: String,
    /// What it is for, in Chinese and English, where that is said.
    pub(super) text: Option<String>,
    /// Whether the mapping must have it.
    pub(super) required: bool,
}

/// The schema of a file; none for files that have none.
pub(super) fn of(file: &FileKind) -> Option<Value> {
    Some(match file {
        FileKind::Policy => policy::schema(SchemaOf::Policy),
        FileKind::Cases => policy::schema(SchemaOf::Cases),
        FileKind::Parameters => policy::schema(SchemaOf::Parameters),
        FileKind::Bundles => policy::schema(SchemaOf::Bundles),
        FileKind::Register(_) => register::schema(register::SchemaOf::Register),
        FileKind::Links => register::schema(register::SchemaOf::Links),
        FileKind::Computed => register::schema(register::SchemaOf::Computed),
        FileKind::Regions | FileKind::Levels => return None,
    })
}

/// The keys that may stand in the mapping at a place, without those that stand there; of several shapes that a mapping may
/// have, those that agree with what stands there.
pub(super) fn keys(root: &Value, path: &[Step], present: &[&str]) -> Vec<Key> {
    let mut found: Vec<Key> = Vec::new();
    for shape in shapes(root, path) {
        let Some(properties) = shape["properties"].as_object() else { continue };
        if !present.iter().all(|key| properties.contains_key(*key)) {
            continue;
        }
        let required = |name: &str| shape["required"].as_array().is_some_and(|keys| keys.iter().any(|key| key == name));
        for (name, value) in properties {
            if !present.contains(&name.as_str()) && !found.iter().any(|key| key.name == *name) {
                let text = value["description"].as_str().map(str::to_owned);
                found.push(Key { name: name.clone(), text, required: required(name) });
            }
        }
    }
    found
}

/// What a key is for.
pub(super) fn text(root: &Value, path: &[Step], key: &str) -> Option<String> {
    let shapes = shapes(root, path);
    shapes.iter().find_map(|shape| shape["properties"][key]["description"].as_str()).map(str::to_owned)
}

/// The words that a scalar at a place may be; empty where it may be anything.
pub(super) fn words(root: &Value, path: &[Step]) -> Vec<String> {
    let mut found = Vec::new();
    for shape in shapes(root, path) {
        let words = shape["enum"].as_array().into_iter().flatten().chain(shape.get("const"));
        for word in words.filter_map(Value::as_str) {
            if !found.iter().any(|known| known == word) {
                found.push(word.to_owned());
            }
        }
    }
    found
}

/// The shapes that what stands at a place may have.
fn shapes<'s>(root: &'s Value, path: &[Step]) -> Vec<&'s Value> {
    let mut open = Vec::new();
    spread(root, root, &mut open);
    for step in path {
        let mut inner = Vec::new();
        for shape in &open {
            let next = match step {
                Step::Item => shape.get("items"),
                Step::Key(key) => {
                    shape["properties"].get(key).or_else(|| shape.get("additionalProperties").filter(|more| more.is_object()))
                }
            };
            if let Some(next) = next {
                spread(root, next, &mut inner);
            }
        }
        open = inner;
    }
    open
}

/// The shapes behind references and alternatives.
fn spread<'s>(root: &'s Value, shape: &'s Value, found: &mut Vec<&'s Value>) {
    if let Some(name) = shape["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        spread(root, &root["$defs"][name], found);
    }
    // Beside properties, alternatives only say which of them must be there.
    match shape["anyOf"].as_array().filter(|_| shape.get("properties").is_none()) {
        Some(choices) => choices.iter().for_each(|choice| spread(root, choice, found)),
        None => found.push(shape),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(keys: &str) -> Vec<Step> {
        let step = |key: &str| if key == "-" { Step::Item } else { Step::Key(key.to_owned()) };
        keys.split('.').filter(|key| !key.is_empty()).map(step).collect()
    }

    fn names(file: &FileKind, place: &str, present: &[&str]) -> Vec<String> {
        let schema = of(file).expect("a schema");
        keys(&schema, &path(place), present).into_iter().map(|key| key.name).collect()
    }

    #[test]
    fn keys_of_a_criterion() {
        let policy = FileKind::Policy;
        assert_eq!(names(&policy, "criteria.all.-.any.-", &["id"]), ["clause", "basis", "label", "when"]);
        assert_eq!(names(&policy, "criteria.all.-", &["at_least"]), ["of"]);
        assert!(names(&policy, "criteria", &[]).contains(&"all".to_owned()));
        assert!(names(&policy, "", &[]).contains(&"in_force".to_owned()));
        assert!(names(&policy, "nowhere", &[]).is_empty());
        assert!(names(&FileKind::Register(String::new()), "facts.-", &["name"]).contains(&"changeable".to_owned()));
        assert!(of(&FileKind::Regions).is_none());
    }

    #[test]
    fn words_and_texts() {
        let schema = of(&FileKind::Policy).expect("a schema");
        assert_eq!(words(&schema, &path("subject")), ["person", "household", "entity"]);
        assert_eq!(words(&schema, &path("excludes.-.keep")), ["highest", "this", "other"]);
        assert!(words(&schema, &path("code")).is_empty());
        assert!(text(&schema, &path("criteria.all.-"), "clause").is_some_and(|text| text.contains("条文")));
        let cases = of(&FileKind::Cases).expect("a schema");
        assert!(words(&cases, &path("-.expect.verdict")).contains(&"outside".to_owned()));
        assert!(words(&cases, &path("-.expect.reasons.age")).contains(&"no".to_owned()));
    }
}
