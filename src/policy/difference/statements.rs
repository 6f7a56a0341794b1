//! What a policy, a parameter or a bundle says, statement by statement, in canonical words: layout makes no difference.

use chrono::NaiveDate;

use super::super::document::{
    BasisStatus, Benefit, Bundle, CapScope, CriteriaNode, Each, EachSource, Exhaustion, Keep, Parameter, Payee, Period, PolicyDocument,
    Rounding,
};
use super::super::guide::{Contact, Guide, Limit};
use crate::criteria::print;
use crate::diagnostic::Message;
use crate::register::declaration::Written;

/// What one statement is about: a key of the file, and of which entry where there are several.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Topic {
    /// The key: `criteria.when`, `benefit.amount`.
    pub key: &'static str,
    /// The criterion, basis, other policy, or region and day.
    pub of: Option<String>,
}

/// Statements in the order of the policy schema.
pub(super) type Statements = Vec<(Topic, String)>;

/// The words for people of each key.
pub(super) const KEYS: [(&str, &str, &str); 61] = [
    ("version", "版本", "version"),
    ("name", "名称", "name"),
    ("authority", "机关", "authority"),
    ("covers.region", "覆盖地区", "region covered"),
    ("covers.by", "覆盖依据的事实", "fact that decides coverage"),
    ("subject", "服务对象", "subject"),
    ("in_force.from", "起始日", "first day in force"),
    ("in_force.to", "终止日 (不含)", "first day no longer in force"),
    ("announced", "公布日", "announced"),
    ("basis", "依据", "basis"),
    ("reading", "理解", "reading"),
    ("listed", "名单", "list"),
    ("criteria", "条件的结构", "structure of the criteria"),
    ("criteria.when", "条件", "criterion"),
    ("criteria.clause", "条件的条文", "clause of criterion"),
    ("criteria.basis", "条件的依据", "basis of criterion"),
    ("criteria.label", "条件的名称", "label of criterion"),
    ("benefit.kind", "待遇种类", "kind of benefit"),
    ("benefit.amount", "金额", "amount"),
    ("benefit.unit", "金额单位", "unit of the amount"),
    ("benefit.period", "发放周期", "period"),
    ("benefit.rounding", "取整", "rounding"),
    ("benefit.per", "按成员计", "per member"),
    ("benefit.payee", "领取人", "payee"),
    ("benefit.clause", "金额的条文", "clause of the amount"),
    ("benefit.basis", "金额的依据", "basis of the amount"),
    ("each", "逐项来源", "one grant for each"),
    ("each.where", "逐项的条件", "which of them"),
    ("each.id", "逐项的标识", "identifier of each"),
    ("each.amount", "逐项金额", "amount for each"),
    ("each.limit", "逐项上限数", "limit of each"),
    ("occasion", "事由", "occasion"),
    ("delivery.mode", "送达方式", "delivery mode"),
    ("delivery.notice_days", "公示天数", "days of public notice"),
    ("delivery.pay_within_days", "支付期限 (天)", "days until payment"),
    ("delivery.second_review", "须复核", "second review"),
    ("delivery.reply_within_days", "答复期限 (天)", "days to reply"),
    ("delivery.no_reply", "逾期未答复时", "without a reply"),
    ("commit", "可承诺的事实", "fact that may be committed to"),
    ("requires", "以之为前提的政策", "required policy"),
    ("excludes", "互斥的政策", "excluded policy"),
    ("cap.amount", "封顶额", "cap"),
    ("cap.per", "封顶范围", "scope of the cap"),
    ("budget.amount", "预算", "budget"),
    ("budget.rank_by", "预算排序", "ranking for the budget"),
    ("budget.at_exhaustion", "预算用尽时", "when the budget runs out"),
    ("budget.period", "预算期间", "period of the budget"),
    ("guide.accepted_by", "受理单位", "accepting unit"),
    ("guide.process", "办理流程", "process"),
    ("guide.materials", "材料", "material"),
    ("guide.mistakes", "常见错误", "common mistakes"),
    ("guide.fee", "收费", "fee"),
    ("guide.statutory", "法定时限", "statutory time limit"),
    ("guide.promised", "承诺时限", "promised time limit"),
    ("guide.contacts", "咨询", "contacts"),
    ("guide.notes", "指南说明", "notes of the guide"),
    ("tags", "标签", "tag"),
    ("label", "名称", "label"),
    ("type", "类型", "type"),
    ("values", "值", "value"),
    ("policies", "包含的政策", "policy"),
];

impl Topic {
    /// The topic for people: `条件 age`, `amount`.
    #[must_use]
    pub fn words(&self) -> Message {
        let (zh, en) = KEYS.iter().find(|(key, ..)| *key == self.key).map_or((self.key, self.key), |(_, zh, en)| (*zh, *en));
        match &self.of {
            Some(of) => Message::new(format!("{zh} {of}"), format!("{en} {of}")),
            None => Message::new(zh, en),
        }
    }
}

/// Statements being gathered.
#[derive(Default)]
struct Gather(Statements);

impl Gather {
    fn say(&mut self, key: &'static str, text: impl ToString) {
        self.0.push((Topic { key, of: None }, text.to_string()));
    }

    fn say_some(&mut self, key: &'static str, text: Option<impl ToString>) {
        if let Some(text) = text {
            self.say(key, text);
        }
    }

    fn say_of(&mut self, key: &'static str, of: &str, text: impl ToString) {
        self.0.push((Topic { key, of: Some(of.to_owned()) }, text.to_string()));
    }

    fn say_some_of(&mut self, key: &'static str, of: &str, text: Option<impl ToString>) {
        if let Some(text) = text {
            self.say_of(key, of, text);
        }
    }
}

/// Everything that a policy says, without its code.
pub(super) fn of_policy(policy: &PolicyDocument) -> Statements {
    let mut said = Gather::default();
    head(policy, &mut said);
    for basis in &policy.basis {
        let parts = [Some(&basis.title), basis.number.as_ref(), basis.article.as_ref(), basis.text.as_ref(), basis.note.as_ref()];
        let words = parts.into_iter().flatten().map(String::as_str).chain([status(basis.status)]).collect::<Vec<_>>();
        said.say_of("basis", &basis.id, words.join(" · "));
    }
    said.say_some("reading", policy.reading.as_ref().map(both));
    said.say_some("listed", policy.listed.as_ref().map(|(list, _)| list));
    for criterion in policy.criteria.criteria() {
        let id = &criterion.id;
        said.say_of("criteria.when", id, expression(&criterion.when));
        said.say_some_of("criteria.clause", id, criterion.clause.as_ref());
        said.say_some_of("criteria.basis", id, criterion.basis.as_ref());
        said.say_some_of("criteria.label", id, criterion.label.as_ref().map(both));
    }
    benefit(&policy.benefit, &mut said);
    if let Some(one) = &policy.each {
        each(one, &mut said);
    }
    said.say_some("occasion", policy.occasion.as_ref().map(expression));
    relations(policy, &mut said);
    money(policy, &mut said);
    if let Some(one) = &policy.guide {
        guide(one, &mut said);
    }
    for tag in &policy.tags {
        said.say_of("tags", tag, tag);
    }
    said.0
}

fn head(policy: &PolicyDocument, said: &mut Gather) {
    said.say("version", policy.version);
    said.say("name", both(&policy.name));
    said.say("authority", format!("{} {}", policy.authority_code, policy.authority_name));
    said.say("covers.region", &policy.covers.region);
    said.say_some("covers.by", policy.covers.by.as_ref().map(|(fact, _)| fact));
    said.say("subject", policy.subject);
    said.say("in_force.from", policy.in_force_from);
    said.say_some("in_force.to", policy.in_force_to);
    said.say_some("announced", policy.announced);
}

fn benefit(benefit: &Benefit, said: &mut Gather) {
    said.say("benefit.kind", &benefit.kind);
    said.say_some("benefit.amount", benefit.amount.as_ref().map(expression));
    said.say("benefit.unit", &benefit.unit);
    said.say("benefit.period", period(benefit.period));
    said.say(
        "benefit.rounding",
        match benefit.rounding {
            Rounding::Fen => "fen",
            Rounding::Yuan => "yuan",
            Rounding::YuanUp => "yuan_up",
        },
    );
    said.say_some("benefit.per", benefit.per_member.then_some("member"));
    said.say(
        "benefit.payee",
        match benefit.payee {
            Payee::Itself => "self",
            Payee::Guardian => "guardian",
            Payee::Head => "head",
            Payee::LegalRepresentative => "legal_representative",
        },
    );
    said.say_some("benefit.clause", benefit.clause.as_ref());
    said.say_some("benefit.basis", benefit.basis.as_ref());
}

fn each(each: &Each, said: &mut Gather) {
    said.say(
        "each",
        match &each.source {
            EachSource::Link(link) => format!("link {link}"),
            EachSource::Register(register) => format!("register {register}"),
        },
    );
    said.say_some("each.where", each.filter.as_ref().map(expression));
    said.say("each.id", &each.id);
    said.say_some("each.amount", each.amount.as_ref().map(expression));
    said.say_some("each.limit", each.limit);
}

fn relations(policy: &PolicyDocument, said: &mut Gather) {
    said.say("delivery.mode", policy.delivery.mode.name());
    said.say_some("delivery.notice_days", policy.delivery.notice_days);
    said.say_some("delivery.pay_within_days", policy.delivery.pay_within_days);
    said.say_some("delivery.second_review", policy.delivery.second_review.then_some("yes"));
    said.say_some("delivery.reply_within_days", policy.delivery.reply_within_days);
    said.say_some("delivery.no_reply", policy.delivery.no_reply.map(crate::policy::document::NoReply::name));
    for (fact, _) in &policy.commit {
        said.say_of("commit", fact, fact);
    }
    for (code, _) in &policy.requires {
        said.say_of("requires", code, code);
    }
    for exclusion in &policy.excludes {
        let keep = match exclusion.keep {
            Keep::Highest => "highest",
            Keep::This => "this",
            Keep::Other => "other",
        };
        said.say_of("excludes", &exclusion.policy, format!("keep {keep}"));
    }
}

fn money(policy: &PolicyDocument, said: &mut Gather) {
    if let Some(cap) = &policy.cap {
        said.say("cap.amount", expression(&cap.amount));
        said.say(
            "cap.per",
            match cap.per {
                CapScope::Subject => "subject",
                CapScope::Household => "household",
                CapScope::Year => "year",
            },
        );
    }
    let Some(budget) = &policy.budget else { return };
    said.say("budget.amount", expression(&budget.amount));
    let order = if budget.descending { "desc" } else { "asc" };
    said.say_some("budget.rank_by", budget.rank_by.as_ref().map(|by| format!("{} {order}", expression(by))));
    said.say(
        "budget.at_exhaustion",
        match budget.at_exhaustion {
            Exhaustion::Waitlist => "waitlist",
            Exhaustion::ProRata => "pro_rata",
        },
    );
    said.say("budget.period", if budget.period == Period::Once { "run" } else { period(budget.period) });
}

fn guide(guide: &Guide, said: &mut Gather) {
    let lines = |messages: &[Message]| (!messages.is_empty()).then(|| messages.iter().map(both).collect::<Vec<_>>().join("\n"));
    let limit = |limit: &Limit| {
        let days = format!("{} {}", limit.days, if limit.working { "working" } else { "calendar" });
        joined([Some(days), limit.from.as_ref().map(both), limit.clause.clone()])
    };
    said.say_some("guide.accepted_by", guide.accepted_by.as_ref().map(both));
    said.say_some("guide.process", lines(&guide.process));
    said.say_some("guide.materials", guide.materials.as_ref().filter(|materials| materials.is_empty()).map(|_| "[]"));
    for material in guide.needed() {
        let tells = material.tells.iter().map(|(fact, _)| fact.as_str()).collect::<Vec<_>>().join(", ");
        let parts = [
            Some(both(&material.name)),
            Some(both(&material.why)),
            material.when.as_ref().map(both),
            Some(tells).filter(|tells| !tells.is_empty()),
            material.form.map(|form| form.name().to_owned()),
            material.copies.map(|copies| format!("× {copies}")),
            material.sample.as_ref().map(both),
        ];
        said.say_of("guide.materials", &material.name.zh, joined(parts));
    }
    said.say_some("guide.mistakes", lines(&guide.mistakes));
    said.say_some("guide.fee", guide.fee.as_ref().map(both));
    said.say_some("guide.statutory", guide.statutory.as_ref().map(limit));
    said.say_some("guide.promised", guide.promised.as_ref().map(limit));
    let contact = |contact: &Contact| {
        let (name, place, hours) = (contact.name.as_ref(), contact.place.as_ref(), contact.hours.as_ref());
        joined([name.map(both), contact.phone.clone(), place.map(both), hours.map(both)])
    };
    let contacts: Vec<String> = guide.contacts.iter().map(contact).collect();
    said.say_some("guide.contacts", (!contacts.is_empty()).then(|| contacts.join("\n")));
    said.say_some("guide.notes", lines(&guide.notes));
}

/// What is there, with a mark between.
fn joined<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
}

/// How the criteria hang together, without the conditions: `all(age, any(poor, disabled))`; only of the criteria that
/// are `kept`, so that a criterion which was added changes nothing here.
pub(super) fn structure(node: &CriteriaNode, kept: &dyn Fn(&str) -> bool) -> Option<String> {
    let inside = |items: &[CriteriaNode]| {
        let items: Vec<String> = items.iter().filter_map(|item| structure(item, kept)).collect();
        (!items.is_empty()).then(|| items.join(", "))
    };
    match node {
        CriteriaNode::All(items) => inside(items).map(|items| format!("all({items})")),
        CriteriaNode::Any(items) => inside(items).map(|items| format!("any({items})")),
        CriteriaNode::AtLeast(count, items) => inside(items).map(|items| format!("at_least {count} of ({items})")),
        CriteriaNode::Not(inner) => structure(inner, kept).map(|inner| format!("not({inner})")),
        CriteriaNode::Criterion(criterion) => kept(&criterion.id).then(|| criterion.id.clone()),
    }
}

/// Everything that a parameter says; a value is told by region and first day.
pub(super) fn of_parameter(parameter: &Parameter) -> Statements {
    let mut said = Gather::default();
    said.say("label", both(&parameter.label));
    said.say("type", format!("{:?} {}", parameter.parameter_type, parameter.unit.as_deref().unwrap_or_default()).trim().to_lowercase());
    for value in &parameter.values {
        let announced = value.announced.map(|day| format!(" ({day})")).unwrap_or_default();
        let end = value.to.map(|day: NaiveDate| format!(" → {day}")).unwrap_or_default();
        let source = value.source.as_ref().map(|source| format!(" · {source}")).unwrap_or_default();
        let text = format!("{}{end} · {}{source}", decimal(value.digits, value.scale), status(value.status));
        said.say_of("values", &format!("{} {}{announced}", value.region, value.from), text);
    }
    said.0
}

/// Everything that a bundle says.
pub(super) fn of_bundle(bundle: &Bundle) -> Statements {
    let mut said = Gather::default();
    said.say("name", both(&bundle.name));
    for (code, _) in &bundle.policies {
        said.say_of("policies", code, code);
    }
    said.0
}

fn expression(written: &Written) -> String {
    print(&written.expr)
}

fn both(message: &Message) -> String {
    if message.zh == message.en { message.zh.clone() } else { format!("{} / {}", message.zh, message.en) }
}

fn status(status: BasisStatus) -> &'static str {
    match status {
        BasisStatus::Text => "text",
        BasisStatus::Memory => "memory",
        BasisStatus::Sample => "sample",
    }
}

fn period(period: Period) -> &'static str {
    match period {
        Period::Once => "once",
        Period::Month => "month",
        Period::Year => "year",
        Period::Day => "day",
    }
}

/// A number without zeros that say nothing: 12000 hundredths are `120`.
fn decimal(digits: i64, scale: u8) -> String {
    let scale = usize::from(scale);
    let sign = if digits < 0 { "-" } else { "" };
    let padded = format!("{:0width$}", digits.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    //! Words for every key, and numbers.

    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [((12_000, 2), "120"), ((12_050, 2), "120.5"), ((-5, 2), "-0.05"), ((7, 0), "7"), ((0, 2), "0")];
        for ((digits, scale), text) in cases {
            assert_eq!(decimal(digits, scale), text);
        }
    }

    #[test]
    fn keys_are_told_apart() {
        let keys: std::collections::BTreeSet<&str> = KEYS.iter().map(|(key, ..)| *key).collect();
        assert_eq!(keys.len(), KEYS.len());
    }
}
