//! The cases of a policy as examples: what is known of somebody, what comes out, and why.

use maud::{Markup, html};

use super::frame::{chinese, time};
use super::{Item, Site};
use crate::check::typing::Type;
use crate::policy::document::Case;
use crate::register::declaration::SubjectKind;

/// The examples that are shown open: one of each verdict, in this order.
const OPEN: [&str; 3] = ["yes", "no", "unknown"];

/// The cases of a policy.
pub(super) fn examples(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let verdict = |case: &Case| case.expect.verdict.as_ref().map_or("", |(verdict, _)| verdict.as_str()).to_owned();
    let open: Vec<&Case> = OPEN.iter().filter_map(|wanted| item.cases.iter().find(|case| verdict(case) == *wanted)).collect();
    let rest: Vec<&Case> = item.cases.iter().filter(|case| !open.iter().any(|other| std::ptr::eq(*other, *case))).collect();
    html! {
        @if !open.is_empty() {
            div.cards { @for case in &open { (card(site, item, case)) } }
        }
        @if !rest.is_empty() {
            details {
                summary { (site.pick("其余", "")) (rest.len()) (site.pick("个例子", " more")) }
                div.wide.long { table {
                    thead { tr {
                        th scope="col" { (site.pick("例子", "example")) } th scope="col" { (site.pick("日期", "day")) } th scope="col" { (site.pick("情况", "what is known")) }
                        th scope="col" { (site.pick("结果", "result")) } th scope="col" { (site.pick("理由", "because")) }
                    } }
                    tbody { @for case in rest { tr {
                        td { (chinese(site, &case.name)) }
                        td.k { (time(&case.as_of.to_string())) }
                        td { (known(site, item, case)) }
                        td { (result(site, item, case)) }
                        td { (chinese(site, case.because.as_deref().unwrap_or_default())) }
                    } } }
                } }
            }
        }
    }
}

fn card(site: &Site<'_>, item: &Item<'_>, case: &Case) -> Markup {
    html! { div.card {
        h3 { (chinese(site, &case.name)) }
        p { (result(site, item, case)) " " span.soft { (time(&case.as_of.to_string())) } }
        (known(site, item, case))
        @if let Some(because) = &case.because { p.soft { (chinese(site, because)) } }
    } }
}

fn known(site: &Site<'_>, item: &Item<'_>, case: &Case) -> Markup {
    if let Some(registers) = &case.registers {
        let rows: usize = registers.registers.iter().map(|(_, _, rows)| rows.len()).sum();
        let (tables, subject) = (registers.registers.len(), case.subject.as_ref().map_or("", |(subject, _)| subject.as_str()));
        let (zh, en) =
            (format!("{tables}个登记库, {rows}行; 看{subject}"), format!("{tables} registers with {rows} rows; about {subject}"));
        return html! { p { (site.pick(&zh, &en)) } };
    }
    html! { ul.plain { @for (name, value) in &case.given {
        @let (label, value) = given(site, item.document.subject, name, value.text());
        li { (label) ": " (value) }
    } } }
}

/// A fact that a case gives, by label, and its value in words.
fn given(site: &Site<'_>, kind: SubjectKind, name: &str, value: Option<&str>) -> (String, String) {
    let catalogue = &site.source.checked.catalogue;
    let fact = catalogue.find(kind, name).or_else(|| catalogue.labelled(kind, name)).map(|id| catalogue.fact(id));
    let label = fact.map_or(name, |fact| site.say(&fact.label)).to_owned();
    let value = value.filter(|value| !matches!(*value, "null" | "~" | ""));
    let Some(value) = value else { return (label, site.pick("未知", "unknown").to_owned()) };
    (label, shown(site, fact.map(|fact| &fact.ty), value))
}

fn shown(site: &Site<'_>, ty: Option<&Type>, value: &str) -> String {
    let code = ty.and_then(|ty| {
        let label = ty.codes.as_ref().and_then(|codes| codes.get(value));
        label.or_else(|| site.source.regions.name(value).filter(|_| ty.region))
    });
    match (code, value) {
        (Some(label), _) => site.say(label).to_owned(),
        (None, "true" | "yes" | "是") => site.pick("是", "yes").to_owned(),
        (None, "false" | "no" | "否") => site.pick("否", "no").to_owned(),
        (None, value) => value.to_owned(),
    }
}

fn result(site: &Site<'_>, item: &Item<'_>, case: &Case) -> Markup {
    let verdict = case.expect.verdict.as_ref().map_or("", |(verdict, _)| verdict.as_str());
    let (class, zh, en) = match verdict {
        "yes" => ("badge ok", "符合", "yes"),
        "no" => ("badge warn", "不符合", "no"),
        "outside" => ("badge off", "不适用", "not covered"),
        _ => ("badge wait", "未知", "unknown"),
    };
    let missing = case.expect.missing.as_ref().map(|(facts, _)| {
        let label = |fact: &String| given(site, item.document.subject, fact, None).0;
        facts.iter().map(label).collect::<Vec<_>>().join(site.pick("、", ", "))
    });
    html! {
        span class=(class) { (site.pick(zh, en)) }
        @if let Some((amount, _)) = &case.expect.amount { " " (crate::explain::value::grouped(amount)) " " (site.say(&super::values::per(&item.document.benefit.unit, item.document.benefit.period))) }
        @if let Some(missing) = missing.filter(|missing| !missing.is_empty()) { " " span.soft { (site.pick("缺: ", "missing: ")) (missing) } }
    }
}
