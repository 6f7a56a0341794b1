//! JSON Schemas of `policies/registers/*.yaml`, for editors; the words of choices are the readers' own.

use serde_json::{Map, Value, json};

use super::declaration_from_yaml::{ABSENCES, SUBJECTS, TYPES};
use crate::yaml::schema::{defined, file, list, object, said, text, words};

/// A file that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaOf {
    /// The declaration of a register.
    Register,
    /// `links.yaml`
    Links,
    /// `computed.yaml`
    Computed,
}

/// The schema of a file, JSON Schema 2020-12. It knows keys, shapes and words; what `check` says of columns, facts and
/// regions it does not know.
#[must_use]
pub fn schema(of: SchemaOf) -> Value {
    match of {
        SchemaOf::Register => file("mianshen register 登记库", register(), Map::new()),
        SchemaOf::Links => file("mianshen links 关联", object(&[("links!", list(link()))]), Map::new()),
        SchemaOf::Computed => file("mianshen computed facts 计算的事实", object(&[("facts!", list(fact(&computed())))]), Map::new()),
    }
}

fn register() -> Value {
    let subjects: Vec<&str> = SUBJECTS.iter().map(|(word, _)| *word).chain(["any"]).collect();
    let day = json!({"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$"});
    object(&[
        ("register!", said(text(), "库名，与文件名相同 / the name, as the file is called")),
        ("label!", defined("message")),
        ("kept_by!", said(text(), "负责的单位 / the authority that answers for it")),
        ("subject!", json!({"enum": subjects})),
        ("key!", said(text(), "对象的编号列 / the column with the subject's identifier")),
        ("row_is", said(text(), "一行是什么 / what one row is")),
        ("time!", object(&[("state", json!({"type": "boolean"})), ("event", text()), ("valid", list(text()))])),
        ("recorded_at", text()),
        ("absence!", said(words(ABSENCES), "没有记录的含义：complete 即没有，partial 即未知 / what no row means: no, or unknown")),
        ("coverage", object(&[("regions", list(text())), ("from", day)])),
        ("fresh_within", said(text(), "数据日可以多旧，如 40 days / how old its data day may be, such as 40 days")),
        ("may_be_empty", json!({"type": "boolean"})),
        ("unique", list(text())),
        ("columns!", list(column())),
        ("facts", list(fact(&of_rows()))),
    ])
}

fn column() -> Value {
    object(&[
        ("name!", text()),
        ("label", defined("message")),
        ("type!", words(TYPES)),
        ("unit", text()),
        ("codes", codes()),
        ("sensitive", json!({"type": "boolean"})),
        ("null_is", said(text(), "空值的含义，如 still paying / what no value means, such as still paying")),
        ("required", json!({"type": "boolean"})),
        ("minimum", json!({"type": "integer"})),
        ("maximum", json!({"type": "integer"})),
    ])
}

/// A fact with the keys that its kind has beside those of every fact.
fn fact(more: &[(&str, Value)]) -> Value {
    let shared = [
        ("name!", text()),
        ("label!", defined("message")),
        ("type!", words(TYPES)),
        ("unit", text()),
        ("is!", defined("expression")),
        ("changeable!", json!({"enum": ["yes", "no", true, false], "description": "本人能否改变 / whether the subject can change it"})),
    ];
    object(&[&shared[..], more].concat())
}

/// Codes with their labels.
fn codes() -> Value {
    json!({"type": "object", "additionalProperties": defined("message")})
}

fn of_rows() -> [(&'static str, Value); 4] {
    let agreement = object(&[("register!", text()), ("column!", text())]);
    [
        ("subject", words(SUBJECTS)),
        ("codes_of", said(text(), "代码表所在的列 / the column that has the codes")),
        ("where", defined("expression")),
        ("agrees_with", list(agreement)),
    ]
}

fn computed() -> [(&'static str, Value); 2] {
    [("subject!", words(SUBJECTS)), ("codes", codes())]
}

fn link() -> Value {
    object(&[
        ("name!", text()),
        ("label", defined("message")),
        ("from!", words(SUBJECTS)),
        ("to!", words(SUBJECTS)),
        ("register!", text()),
        ("from_column!", text()),
        ("to_column!", text()),
        ("where", defined("expression")),
        ("many", json!({"type": "boolean"})),
    ])
}

#[cfg(test)]
mod tests {
    //! The schemas know the very keys that the reader asks for.

    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::register::load_with;
    use crate::yaml::Texts;
    use crate::yaml::schema::known::{Keys, told_of, written};

    const REGISTER: &str = "\
zz: 1
register: r
label: 甲
kept_by: 乙
subject: person
key: a
time: {state: true, zz: 1}
absence: complete
coverage: {zz: 1}
columns: [{name: a, type: person_id, zz: 1}]
facts: [{name: f, label: 丙, type: int, is: a, changeable: no, zz: 1, agrees_with: [{register: r, column: a, zz: 1}]}]
";

    const LINKS: &str = "zz: 1\nlinks: [{name: l, from: person, to: person, register: r, from_column: a, to_column: a, zz: 1}]\n";

    const COMPUTED: &str = "zz: 1\nfacts: [{subject: person, name: g, label: 丁, type: int, is: f, changeable: no, zz: 1}]\n";

    /// The keys known at each place with the key `zz`.
    fn read(file: &str, text: &str) -> BTreeSet<Keys> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("registers")).expect("made");
        let mut texts = Texts::default();
        texts.put(folder.path().join("registers").join(file), text);
        let (_, told) = load_with(Path::new(folder.path()), &texts);
        told_of(text, &told)
    }

    #[track_caller]
    fn check(of: SchemaOf, file: &str, text: &str) {
        let mut keys = BTreeSet::new();
        written(&schema(of), &mut keys);
        // Messages are in every schema, and are read elsewhere.
        keys.remove(&["zh", "en"].map(str::to_owned).into());
        assert_eq!(keys, read(file, text));
    }

    #[test]
    fn the_keys_of_registers() {
        check(SchemaOf::Register, "r.yaml", REGISTER);
        check(SchemaOf::Links, "links.yaml", LINKS);
        check(SchemaOf::Computed, "computed.yaml", COMPUTED);
    }
}
