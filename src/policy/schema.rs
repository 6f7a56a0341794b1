//! JSON Schemas of the files of a policies folder, for editors; the words of choices are the readers' own.

use serde_json::{Map, Value, json};

use super::cases::{MODES as CASE_MODES, VERDICTS};
use super::parameters::TYPES;
use super::read_basis::STATUSES;
use super::read_benefit::{EXHAUSTIONS, KINDS, PAYEES, PERIODS, ROUNDINGS, SCOPES, SPANS};
use super::read_delivery::{KEEPS, MODES, NO_REPLY};
use super::read_guide::{DAYS, FORMS};
use super::read_listed::LAST_DAYS;
use crate::register::declaration::SubjectKind;
use crate::yaml::schema::{defined, either, file, list, object, said, text, whole, words};

/// A file that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaOf {
    /// `policy.yaml`
    Policy,
    /// `parameters/*.yaml`
    Parameters,
    /// `cases.yaml`
    Cases,
    /// `bundles/*.yaml`
    Bundles,
}

/// The schema of a file, JSON Schema 2020-12. It knows keys, shapes and words; what `check` says of facts, types and
/// regions it does not know.
#[must_use]
pub fn schema(of: SchemaOf) -> Value {
    match of {
        SchemaOf::Policy => file("mianshen policy 政策", policy(), criteria()),
        SchemaOf::Parameters => file("mianshen parameters 标准", parameters(), Map::new()),
        SchemaOf::Cases => file("mianshen cases 案例", cases(), Map::new()),
        SchemaOf::Bundles => file("mianshen bundles 一件事", bundles(), Map::new()),
    }
}

/// The tree of criteria.
fn criteria() -> Map<String, Value> {
    let group = |key: &str| object(&[(key, list(defined("criteria")))]);
    let criterion = object(&[
        ("id!", text()),
        ("clause", said(text(), "条文原话 / the words of the document")),
        ("basis", said(text(), "依据的 id / the id of a basis")),
        ("label", defined("message")),
        ("when!", defined("expression")),
    ]);
    let criteria = either(&[
        criterion,
        group("all!"),
        group("any!"),
        object(&[("not!", defined("criteria"))]),
        object(&[("at_least!", whole(1)), ("of!", list(defined("criteria")))]),
        object(&[("at_least!", object(&[("n!", whole(1)), ("of!", list(defined("criteria")))]))]),
    ]);
    [("criteria".to_owned(), criteria)].into_iter().collect()
}

fn policy() -> Value {
    let subjects = SubjectKind::ALL.map(|kind| (kind.name(), kind));
    let other = |keys: &[(&str, Value)]| list(either(&[text(), object(keys)]));
    let mut policy = object(&[
        ("code!", said(text(), "一事一码 / one item, one code")),
        ("version", whole(1)),
        ("name!", defined("message")),
        ("authority!", object(&[("code!", text()), ("name!", defined("message"))])),
        ("covers!", object(&[("region!", text()), ("by", said(text(), "决定覆盖的事实 / the fact that decides"))])),
        ("subject!", words(&subjects)),
        ("in_force!", object(&[("from!", defined("date")), ("to", said(defined("date"), "失效的第一天 / first day no longer in force"))])),
        ("announced", defined("date")),
        ("basis!", list(basis())),
        ("reading", defined("message")),
        ("listed", listed()),
        ("criteria", either(&[defined("criteria"), list(defined("criteria"))])),
        ("occasion", defined("expression")),
        ("each", each()),
        ("benefit!", benefit()),
        ("cap", object(&[("amount!", defined("expression")), ("per!", words(&SCOPES))])),
        ("budget", budget()),
        ("delivery!", delivery()),
        ("commit", defined("texts")),
        ("requires", other(&[("policy!", text())])),
        ("excludes", other(&[("policy!", text()), ("keep", words(&KEEPS))])),
        ("guide", guide()),
        ("tags", defined("texts")),
    ]);
    // A policy that a list decides needs no criteria of its own.
    policy["anyOf"] = json!([{"required": ["criteria"]}, {"required": ["listed"]}]);
    policy
}

fn delivery() -> Value {
    object(&[
        ("mode!", words(&MODES)),
        ("notice_days", whole(0)),
        ("pay_within_days", whole(0)),
        ("second_review", said(json!({"type": "boolean"}), "须由本部门另一人复核 / another official of the department confirms")),
        ("reply_within_days", said(whole(0), "告知后几天内答复 / days to reply, from the day of being told")),
        ("no_reply", said(words(&NO_REPLY), "逾期未答复时 / what becomes of it without a reply")),
    ])
}

fn listed() -> Value {
    let within = object(&[("years", whole(1)), ("months", whole(1)), ("last_day", words(&LAST_DAYS)), ("clause", text())]);
    let listed = object(&[
        ("list!", said(text(), "名单的代码 / the code of the list")),
        ("basis", said(text(), "依据的 id / the id of a basis")),
        ("clause", said(text(), "条文原话 / the words of the document")),
        ("within", within),
        ("standing", said(text(), "在世或存续的条文 / the clause that the subject is alive, or still registered")),
        ("credit", said(text(), "信用的条文 / the clause about bad credit")),
    ]);
    either(&[text(), listed])
}

fn guide() -> Value {
    let messages = || either(&[defined("message"), list(defined("message"))]);
    let limit = || object(&[("days!", whole(0)), ("of", words(&DAYS)), ("from", defined("message")), ("clause", text())]);
    let material = object(&[
        ("name!", defined("message")),
        ("why!", said(defined("message"), "为什么没有登记库能提供 / why no register has it")),
        ("when", said(defined("message"), "哪些人要交 / who must bring it")),
        ("tells", said(list(text()), "它说明的事实 / the facts that it tells")),
        ("form", words(&FORMS)),
        ("copies", whole(1)),
        ("sample", defined("message")),
    ]);
    let contact = object(&[("name", defined("message")), ("phone", text()), ("place", defined("message")), ("hours", defined("message"))]);
    let guide = object(&[
        ("accepted_by", defined("message")),
        ("process", messages()),
        ("materials", list(material)),
        ("mistakes", messages()),
        ("fee", defined("message")),
        ("time_limit", object(&[("statutory", limit()), ("promised", limit())])),
        ("contacts", list(contact)),
        ("notes", messages()),
    ]);
    either(&[defined("message"), guide])
}

fn basis() -> Value {
    object(&[
        ("id!", text()),
        ("title!", text()),
        ("number", text()),
        ("article", text()),
        ("text", text()),
        ("in_force", object(&[("from!", defined("date")), ("to", said(defined("date"), "失效的第一天 / first day no longer in force"))])),
        ("status!", words(&STATUSES)),
        ("note", text()),
    ])
}

fn benefit() -> Value {
    let mut benefit = object(&[
        ("kind!", words(&KINDS)),
        ("amount", defined("expression")),
        ("period", words(&PERIODS)),
        ("unit", text()),
        ("rounding", words(&ROUNDINGS)),
        ("per", json!({"const": "member"})),
        ("payee", words(&PAYEES)),
        ("clause", text()),
        ("basis", text()),
    ]);
    // A service may be worth no money; everything else says how much, and for what span of time.
    benefit["if"] = json!({"properties": {"kind": {"const": "service"}}});
    benefit["else"] = json!({"required": ["amount", "period"]});
    benefit
}

fn each() -> Value {
    object(&[
        ("link", text()),
        ("register", text()),
        ("where", defined("expression")),
        ("id!", text()),
        ("amount", defined("expression")),
        ("limit", whole(1)),
    ])
}

fn budget() -> Value {
    object(&[
        ("amount!", defined("expression")),
        ("rank_by", defined("expression")),
        ("order", json!({"enum": ["desc", "asc"]})),
        ("at_exhaustion!", words(&EXHAUSTIONS)),
        ("period", words(&SPANS)),
    ])
}

fn parameters() -> Value {
    let value = object(&[
        ("region!", text()),
        ("from!", defined("date")),
        ("to", said(defined("date"), "失效的第一天 / first day no longer valid")),
        ("announced", defined("date")),
        ("value!", text()),
        ("status!", words(&STATUSES)),
        ("source", text()),
    ]);
    let parameter =
        object(&[("name!", text()), ("label!", defined("message")), ("type!", words(&TYPES)), ("unit", text()), ("values!", list(value))]);
    object(&[("parameters!", list(parameter))])
}

fn bundles() -> Value {
    let policies = list(either(&[text(), object(&[("policy!", text())])]));
    let bundle = object(&[("id!", text()), ("name!", defined("message")), ("policies!", policies)]);
    either(&[bundle.clone(), object(&[("bundles!", list(bundle))])])
}

fn cases() -> Value {
    let given = json!({"type": "object"});
    let registers = json!({"type": "object", "additionalProperties": {"type": ["array", "null"], "items": {"type": "object"}}});
    let expect = |more: &[(&str, Value)]| object(&[more, &expectations()[..]].concat());
    let case = object(&[
        ("name!", text()),
        ("as_of!", defined("date")),
        ("given", given),
        ("registers", registers),
        ("subject", text()),
        ("expect!", either(&[verdict(), expect(&[]), list(expect(&[("subject!", text())]))])),
        ("because", text()),
    ]);
    let equivalent = object(&[
        ("part!", said(text(), "条件的 id 或政策的键 / the id of a criterion, or a key of the policy")),
        ("change!", said(text(), "照 mianshen test --mutation 写的 / as mianshen test --mutation tells it")),
        ("because!", text()),
    ]);
    either(&[list(case.clone()), object(&[("equivalent", list(equivalent)), ("cases!", list(case))])])
}

fn expectations() -> [(&'static str, Value); 8] {
    let verdicts = json!({"type": "object", "additionalProperties": verdict()});
    [
        ("verdict!", verdict()),
        ("amount", text()),
        ("mode", words(&CASE_MODES)),
        ("missing", defined("texts")),
        ("offer", defined("texts")),
        ("given_up_for", text()),
        ("reasons", verdicts),
        ("occasions", either(&[list(text()), json!({"type": "object", "additionalProperties": text()})])),
    ]
}

/// A verdict; editors that read YAML 1.1 take `yes` and `no` for true and false.
fn verdict() -> Value {
    let words = VERDICTS.iter().map(|(word, _)| json!(word)).chain([json!(true), json!(false)]);
    json!({"enum": words.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests;
