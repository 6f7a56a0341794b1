//! The guide of a policy: who takes it in hand, what happens, what to bring and why, how long it takes, whom to ask.

use super::guide::{Contact, Form, Guide, Limit, Material};
use crate::diagnostic::{Diagnostic, Message};
use crate::yaml::{Fields, Node, message, wrong_shape};

pub(super) const FORMS: [(&str, Form); 4] =
    [("original", Form::Original), ("copy", Form::Copy), ("electronic", Form::Electronic), ("shown", Form::Shown)];
/// Which days a limit counts, and whether they are working days.
pub(super) const DAYS: [(&str, bool); 2] = [("working", true), ("calendar", false)];

/// Reads `guide`. A plain text, or a text in two languages, is one note.
pub(super) fn read_guide(node: &Node, told: &mut Vec<Diagnostic>) -> Option<Guide> {
    let is_message = node.mapping().is_none_or(|entries| entries.iter().any(|(key, _)| matches!(key.text(), Some("zh" | "en"))));
    if is_message {
        let note = message(node, told)?;
        return Some(Guide { notes: vec![note], ..empty(node) });
    }
    let mut fields = Fields::new(node, told)?;
    let mut guide = empty(node);
    guide.accepted_by = fields.message("accepted_by");
    guide.process = messages(&mut fields, "process");
    if fields.optional("materials").is_some() {
        let materials = fields.list("materials");
        guide.materials = Some(materials.iter().filter_map(|item| material(item, fields.diagnostics())).collect());
    }
    guide.mistakes = messages(&mut fields, "mistakes");
    guide.fee = fields.message("fee");
    if let Some(node) = fields.optional("time_limit") {
        (guide.statutory, guide.promised) = time_limit(node, fields.diagnostics());
    }
    let contacts = fields.list("contacts");
    guide.contacts = contacts.iter().filter_map(|item| contact(item, fields.diagnostics())).collect();
    guide.notes = messages(&mut fields, "notes");
    fields.finish();
    Some(guide)
}

fn empty(node: &Node) -> Guide {
    Guide {
        place: node.span(),
        accepted_by: None,
        process: Vec::new(),
        materials: None,
        mistakes: Vec::new(),
        fee: None,
        statutory: None,
        promised: None,
        contacts: Vec::new(),
        notes: Vec::new(),
    }
}

/// One text, or a list of texts.
fn messages(fields: &mut Fields<'_>, key: &'static str) -> Vec<Message> {
    let Some(node) = fields.optional(key) else { return Vec::new() };
    let items = node.sequence().unwrap_or(std::slice::from_ref(node));
    items.iter().filter_map(|item| message(item, fields.diagnostics())).collect()
}

fn material(item: &Node, told: &mut Vec<Diagnostic>) -> Option<Material> {
    let mut fields = Fields::new(item, told)?;
    let place = fields.span();
    let named = fields.required("name");
    let place = named.map_or(place, Node::span);
    let name = named.and_then(|node| message(node, fields.diagnostics()));
    let why = fields.required("why").and_then(|node| message(node, fields.diagnostics()));
    let when = fields.message("when");
    let tells = fields.texts("tells");
    let form = fields.choice("form", &FORMS);
    let copies = fields.integer("copies");
    if copies.is_some_and(|copies| copies < 1)
        && let Some(node) = fields.optional("copies")
    {
        fields.report(wrong_shape(node, "1 以上的整数", "a whole number from 1"));
    }
    let sample = fields.message("sample");
    fields.finish();
    Some(Material { name: name?, place, why: why?, when, tells, form, copies, sample })
}

/// Statutory and promised; a promise is no longer than the law allows.
fn time_limit(node: &Node, told: &mut Vec<Diagnostic>) -> (Option<Limit>, Option<Limit>) {
    let Some(mut fields) = Fields::new(node, told) else { return (None, None) };
    let statutory = fields.optional("statutory").and_then(|node| limit(node, fields.diagnostics()));
    let promise = fields.optional("promised");
    let promised = promise.and_then(|node| limit(node, fields.diagnostics()));
    if let (Some(law), Some(own), Some(node)) = (&statutory, &promised, promise)
        && law.working == own.working
        && own.days > law.days
    {
        let days = law.words();
        fields.report(
            wrong_shape(node, &format!("不超过法定时限 ({}) 的天数", days.zh), &format!("at most what the law allows ({})", days.en))
                .help("承诺时限不得长于法定时限", "a promise may not be longer than the law allows"),
        );
    }
    fields.finish();
    (statutory, promised)
}

/// `{days: 20, of: working, from: …, basis: …}`; days of the calendar unless said.
fn limit(node: &Node, told: &mut Vec<Diagnostic>) -> Option<Limit> {
    let mut fields = Fields::new(node, told)?;
    let days = fields.required("days").and_then(|node| {
        let days = node.text().and_then(|text| text.parse().ok()).filter(|days| *days >= 0);
        if days.is_none() {
            fields.report(wrong_shape(node, "天数, 0 以上的整数", "a number of days, whole and not negative"));
        }
        days
    });
    let working = fields.choice("of", &DAYS).unwrap_or(false);
    let from = fields.message("from");
    let clause = fields.text("clause");
    fields.finish();
    Some(Limit { days: days?, working, from, clause })
}

fn contact(item: &Node, told: &mut Vec<Diagnostic>) -> Option<Contact> {
    let mut fields = Fields::new(item, told)?;
    let name = fields.message("name");
    let phone = fields.text("phone");
    let place = fields.message("place");
    let hours = fields.message("hours");
    fields.finish();
    Some(Contact { name, phone, place, hours })
}

#[cfg(test)]
mod tests {
    //! A whole guide, and the mistakes of its author.

    use super::*;
    use crate::diagnostic::SourceFile;
    use crate::yaml;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) -> Option<Guide> {
        let (node, mut told) = yaml::parse(&SourceFile::new("policy.yaml", text));
        let guide = read_guide(&node.expect("a tree"), &mut told);
        let short: Vec<_> = told.iter().map(|told| (told.code.name, told.primary.as_ref().map_or("", |place| place.text()))).collect();
        assert_eq!(short, expected);
        guide
    }

    #[test]
    fn a_whole_guide() {
        let guide = check(
            "accepted_by: {zh: 街道, en: Subdistrict}\nprocess: [{zh: 比对, en: Matching}, 发放]\nmaterials:\n  - {name: 银行账户, why: 没有登记库, when: 没有社保卡的, tells: [bank_account], form: shown, copies: 2, sample: 样例}\nmistakes: 填错账号\nfee: 不收费\n\
             time_limit: {statutory: {days: 30, from: 受理之日起, clause: 三十日内}, promised: {days: 20, of: working}}\ncontacts: [{name: 民政局, phone: 0990-1234567, place: 样例路1号, hours: 工作日}]\nnotes: [甲, 乙]\n",
            &[],
        )
        .expect("a guide");
        assert_eq!(guide.accepted_by.map(|unit| unit.en).as_deref(), Some("Subdistrict"));
        assert_eq!((guide.process.len(), guide.mistakes.len(), guide.notes.len()), (2, 1, 2));
        let materials = guide.materials.expect("materials");
        let material = &materials[0];
        assert_eq!((material.place.text(), material.why.zh.as_str(), material.form), ("银行账户", "没有登记库", Some(Form::Shown)));
        assert_eq!((material.tells[0].0.as_str(), material.copies), ("bank_account", Some(2)));
        let limits = [guide.statutory, guide.promised].map(|limit| limit.expect("a limit").words());
        assert_eq!(limits, [Message::new("30天", "30 days"), Message::new("20个工作日", "20 working days")]);
        assert_eq!(guide.contacts[0].phone.as_deref(), Some("0990-1234567"));
    }

    #[test]
    fn a_plain_text_is_a_note() {
        for text in ["到社区领取", "{zh: 到社区领取, en: At the community office}"] {
            let guide = check(text, &[]).expect("a guide");
            assert_eq!((guide.notes[0].zh.as_str(), guide.notes.len(), guide.materials.is_none()), ("到社区领取", 1, true));
        }
    }

    #[test]
    fn none_is_another_thing_than_not_said() {
        assert!(check("materials: []", &[]).is_some_and(|guide| guide.materials.is_some_and(|materials| materials.is_empty())));
        assert!(check("fee: 不收费", &[]).is_some_and(|guide| guide.materials.is_none()));
    }

    #[test]
    fn mistakes_of_guides() {
        let mistakes = [
            ("materials: [{name: 证明}]", vec![("missing-key", "name")]),
            ("materials: [{name: 证明, why: 无库, form: fax, copies: 0}]", vec![("wrong-shape", "fax"), ("wrong-shape", "0")]),
            ("fees: 无", vec![("unknown-key", "fees")]),
            ("time_limit: {statutory: {days: -1}}", vec![("wrong-shape", "-1")]),
            ("time_limit: {statutory: {days: 10, of: work}}", vec![("wrong-shape", "work")]),
            ("time_limit: {statutory: {days: 10}, promised: {days: 11}}", vec![("wrong-shape", "{days: 11}")]),
            ("time_limit: {statutory: {days: 10}, promised: {days: 11, of: working}}", vec![]),
            ("contacts: 电话", vec![("wrong-shape", "电话")]),
        ];
        for (text, told) in mistakes {
            check(text, &told);
        }
    }
}
