//! How a policy reaches people, what they have to do and to bring, how long it takes, what it costs, whom to ask.

use maud::{Markup, html};

use super::frame::{chinese, paragraphs};
use super::{Item, Site};
use crate::diagnostic::Message;
use crate::policy::document::Mode;
use crate::policy::guide::{Contact, Guide, Limit, Material};

/// What happens, and what the subject has to do.
pub(super) fn process(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let document = item.document;
    let delivery = &document.delivery;
    let steps = item.document.guide.as_ref().map_or(&[][..], |guide| &guide.process);
    let commits: Vec<&str> = document
        .commit
        .iter()
        .filter_map(|(fact, _)| {
            let catalogue = &site.source.checked.catalogue;
            Some(site.say(&catalogue.fact(catalogue.find(document.subject, fact)?).label))
        })
        .collect();
    html! {
        p.lead { strong { (site.say(&super::values::mode(delivery.mode))) } ": " (site.pick(to_do(delivery.mode).0, to_do(delivery.mode).1)) }
        @if !commits.is_empty() {
            p {
                (site.pick("登记库里没有下列情况的, 由本人承诺即可, 事后核查: ", "Where no register tells these, one's own commitment is enough, to be verified later: "))
                (commits.join(site.pick("、", ", "))) (site.pick("。", "."))
            }
        }
        @if let Some(days) = delivery.notice_days.filter(|days| *days > 0) {
            p { (site.pick("名单公示", "The list is put on public notice for ")) (days) (site.pick("天, 期间可以提出异议。", " days, during which it can be objected to.")) }
        }
        @if let Some(days) = delivery.pay_within_days {
            p { (site.pick("", "It is paid within ")) (days) (site.pick("天内兑付。", " days.")) }
        }
        @if !steps.is_empty() {
            h3 { (site.pick("办理流程", "Step by step")) }
            ol.steps { @for step in steps { li { (site.say(step)) } } }
        }
    }
}

fn to_do(mode: Mode) -> (&'static str, &'static str) {
    match mode {
        Mode::Automatic => (
            "不用申请。登记库里的情况符合条件的, 直接发放。",
            "no application is needed. Whoever meets the conditions on record is given it.",
        ),
        Mode::Confirm => (
            "不用申请。符合条件的会收到通知, 确认一次即可。",
            "no application is needed. Whoever meets the conditions is told, and confirms once.",
        ),
        Mode::Commit => ("登记库里缺少的情况由本人承诺, 承诺后发放。", "what registers do not tell is committed to, and then it is given."),
        Mode::Review => (
            "登记库找出可能符合条件的, 由工作人员复核后决定。",
            "registers find who may meet the conditions, and a named official decides.",
        ),
    }
}

/// Who takes it in hand.
pub(super) fn accepted_by(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let unit = item.document.guide.as_ref().and_then(|guide| guide.accepted_by.as_ref());
    html! { @match unit { Some(unit) => (site.say(unit)), None => span.soft { (site.pick("没有写明", "not stated")) } } }
}

/// What to bring.
pub(super) fn materials(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let Some(materials) = item.document.guide.as_ref().and_then(|guide| guide.materials.as_ref()) else {
        return not_stated(site);
    };
    if materials.is_empty() {
        return html! { p { (site.pick("不用交材料: 需要的情况登记库里都有。", "Nothing: registers have all that is needed.")) } };
    }
    html! {
        p { (site.pick("登记库里有的一律不要; 只要下列材料。", "What registers have is not asked for; only these are.")) }
        div.wide { table {
            thead { tr {
                th scope="col" { (site.pick("材料", "What")) } th scope="col" { (site.pick("为什么还要", "Why it is still needed")) }
                th scope="col" { (site.pick("谁要交", "Who brings it")) } th scope="col" { (site.pick("形式", "Form")) }
            } }
            tbody { @for one in materials { (material(site, one)) } }
        } }
    }
}

fn material(site: &Site<'_>, material: &Material) -> Markup {
    let copies = material.copies.unwrap_or(1);
    html! { tr {
        td { strong { (site.say(&material.name)) } @if let Some(sample) = &material.sample { br; span.soft { (site.pick("样例: ", "A right one: ")) (site.say(sample)) } } }
        td { (site.say(&material.why)) }
        td { (material.when.as_ref().map_or(site.pick("所有人", "everybody"), |when| site.say(when))) }
        td { @if let Some(form) = material.form { (site.say(&form.label())) } @if copies > 1 { " × " (copies) } }
    } }
}

/// What is often done wrong.
pub(super) fn mistakes(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let mistakes = item.document.guide.as_ref().map_or(&[][..], |guide| &guide.mistakes);
    html! { @if !mistakes.is_empty() { ul.plain { @for mistake in mistakes { li { (site.say(mistake)) } } } } }
}

/// How long it takes, and what it costs.
pub(super) fn time_and_fee(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let guide = item.document.guide.as_ref();
    let (statutory, promised) = guide.map_or((None, None), |guide| (guide.statutory.as_ref(), guide.promised.as_ref()));
    html! {
        dl.facts {
            dt { (site.pick("法定时限", "By law at most")) } dd { (limit(site, statutory)) }
            dt { (site.pick("承诺时限", "By promise at most")) } dd { (limit(site, promised)) }
            dt { (site.pick("收费", "Fee")) }
            dd { @match guide.and_then(|guide| guide.fee.as_ref()) { Some(fee) => (site.say(fee)), None => span.soft { (site.pick("没有写明", "not stated")) } } }
        }
    }
}

fn limit(site: &Site<'_>, limit: Option<&Limit>) -> Markup {
    let Some(limit) = limit else { return html! { span.soft { (site.pick("没有写明", "not stated")) } } };
    html! {
        (site.say(&limit.words()))
        @if let Some(from) = &limit.from { (site.pick("（", " (")) (site.say(from)) (site.pick("）", ")")) }
        @if let Some(clause) = &limit.clause { br; span.soft { (chinese(site, clause)) } }
    }
}

/// Whom to ask.
pub(super) fn contacts(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let contacts = item.document.guide.as_ref().map_or(&[][..], |guide| &guide.contacts);
    if contacts.is_empty() {
        return not_stated(site);
    }
    html! { div.cards { @for one in contacts { (contact(site, one)) } } }
}

fn contact(site: &Site<'_>, contact: &Contact) -> Markup {
    let lines: [(&str, Option<&str>); 3] = [
        (site.pick("电话", "Telephone"), contact.phone.as_deref()),
        (site.pick("地址", "Address"), contact.place.as_ref().map(|place| site.say(place))),
        (site.pick("时间", "Hours"), contact.hours.as_ref().map(|hours| site.say(hours))),
    ];
    html! { div.card {
        @if let Some(name) = &contact.name { h3 { (site.say(name)) } }
        @for (label, text) in lines { @if let Some(text) = text { p { span.soft { (label) ": " } (text) } } }
    } }
}

/// Anything else that the guide says.
pub(super) fn notes(site: &Site<'_>, guide: Option<&Guide>) -> Markup {
    let notes: &[Message] = guide.map_or(&[], |guide| &guide.notes);
    paragraphs(site, notes)
}

fn not_stated(site: &Site<'_>) -> Markup {
    html! { p.soft { (site.pick("办事指南没有写明。", "The guide does not say.")) } }
}
