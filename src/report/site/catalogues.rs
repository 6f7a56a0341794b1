//! The catalogues of facts and of registers.

use maud::{Markup, html};

use super::frame::{self, chinese, policy_link};
use super::reads::registers_of;
use super::values::subject;
use super::{Page, Site};
use crate::criteria::print;
use crate::diagnostic::Lang;
use crate::register::declaration::{Absence, FactDeclaration, RegisterColumn, RegisterDeclaration, RegisterTime, SubjectKind};

/// The catalogue of facts.
pub(super) fn facts(site: &Site<'_>) -> Page {
    let title = site.pick("事实目录", "Facts");
    let declared = || site.source.registers.registers.values().flat_map(|register| &register.facts).chain(&site.source.registers.computed);
    let body = html! {
        h1 { (title) }
        p { (site.pick("政策的条件只用这些事实, 每个事实出自登记库, 或者由其他事实算出。", "Conditions use these facts only; each comes from a register, or is computed from others.")) }
        @for kind in SubjectKind::ALL {
            @let mut facts: Vec<&FactDeclaration> = declared().filter(|fact| fact.subject == kind).collect();
            @let () = facts.sort_by(|one, other| one.name.cmp(&other.name));
            @if !facts.is_empty() {
                h2 { (site.say(&subject(kind))) }
                div.wide.long { table {
                    thead { tr {
                        th scope="col" { (site.pick("事实", "fact")) } th scope="col" { (site.pick("类型", "type")) } th scope="col" { (site.pick("登记库", "registers")) } th scope="col" { (site.pick("含义", "meaning")) }
                    } }
                    tbody { @for fact in facts { (fact_row(site, fact)) } }
                } }
            }
        }
    };
    frame::page(site, "facts.html", title, &body)
}

fn fact_row(site: &Site<'_>, fact: &FactDeclaration) -> Markup {
    let catalogue = &site.source.checked.catalogue;
    let id = catalogue.find(fact.subject, &fact.name);
    let (zh, en) = id.map_or(("", ""), |id| catalogue.fact(id).ty.words());
    let registers = id.map(|id| catalogue.registers_of(id)).unwrap_or_default();
    let filter = fact.filter.as_ref().map(|filter| format!(" where {}", print(&filter.expr))).unwrap_or_default();
    html! { tr id=(format!("{}-{}", fact.subject.name(), fact.name)) {
        td { (site.say(&fact.label)) br; code { (fact.name) } }
        td { (site.pick(zh, en)) @if let Some(unit) = &fact.unit { br; span.soft { (unit) } } }
        td { @for (at, name) in registers.iter().enumerate() { @if at > 0 { br; } (register_link(site, name)) } }
        td { code { (print(&fact.is.expr)) (filter) } }
    } }
}

fn register_link(site: &Site<'_>, name: &str) -> Markup {
    match site.source.registers.registers.get(name) {
        Some(register) => html! { a href=(format!("registers.html#{name}")) { (site.say(&register.label)) } },
        None => html! { (name) },
    }
}

/// The catalogue of registers.
pub(super) fn registers(site: &Site<'_>) -> Page {
    let title = site.pick("登记库目录", "Registers");
    let body = html! {
        h1 { (title) }
        nav.toc { @for register in site.source.registers.registers.values() { a href=(format!("#{}", register.name)) { (site.say(&register.label)) } } }
        @for register in site.source.registers.registers.values() { (one(site, register)) }
    };
    frame::page(site, "registers.html", title, &body)
}

fn one(site: &Site<'_>, register: &RegisterDeclaration) -> Markup {
    let readers: Vec<&str> = site
        .items
        .iter()
        .filter(|(_, item)| item.checked.is_some_and(|policy| registers_of(site, policy).contains(&register.name)))
        .map(|(code, _)| *code)
        .collect();
    let regions: Vec<String> = register.coverage_regions.iter().map(|region| site.region(region)).collect();
    let covers = if regions.is_empty() { site.pick("全部", "everywhere").to_owned() } else { regions.join(site.pick("、", ", ")) };
    html! {
        section id=(register.name) {
            h2 { (site.say(&register.label)) " " code { (register.name) } }
            dl.facts {
                dt { (site.pick("责任单位", "Kept by")) } dd { (chinese(site, &register.kept_by)) }
                dt { (site.pick("对象", "About")) } dd { (register.subject.map_or_else(|| site.pick("各类对象", "any subject").to_owned(), |kind| site.say(&subject(kind)).to_owned())) }
                @if site.lang == Lang::En && !register.row_is.is_empty() { dt { (site.pick("一行是", "A row is")) } dd { (register.row_is) } }
                dt { (site.pick("时间", "Time")) } dd { (when(site, register)) }
                dt { (site.pick("没有记录", "No row means")) }
                dd { @match register.absence {
                    Absence::Complete => (site.pick("就是没有: 这个库是完整的", "no: the register is complete")),
                    Absence::Partial => (site.pick("未知: 这个库不完整", "unknown: the register is not complete")),
                } }
                dt { (site.pick("覆盖", "Covers")) } dd { (covers) @if let Some(from) = register.coverage_from { (site.pick(", 自 ", ", from ")) (from.to_string()) } }
                @if let Some(days) = register.fresh_within_days { dt { (site.pick("时效", "Fresh within")) } dd { (days) (site.pick("天", " days")) } }
                @if !readers.is_empty() {
                    dt { (site.pick("读取它的政策", "Read by")) }
                    dd { @for (at, code) in readers.iter().enumerate() { @if at > 0 { (site.pick("、", ", ")) } (policy_link(site, code, "")) } }
                }
            }
            details {
                summary { (site.pick("列", "Columns")) " (" (register.columns.len()) ")" }
                div.wide.long { table {
                    thead { tr { th scope="col" { (site.pick("列", "column")) } th scope="col" { (site.pick("类型", "type")) } th scope="col" { (site.pick("代码", "codes")) } } }
                    tbody { @for column in &register.columns { (column_row(site, column)) } }
                } }
            }
        }
    }
}

fn when(site: &Site<'_>, register: &RegisterDeclaration) -> String {
    let label = |name: &str| register.column(name).map_or_else(|| name.to_owned(), |column| site.say(&column.label).to_owned());
    match &register.time {
        RegisterTime::State => site.pick("数据日的状态", "the state on the data day").to_owned(),
        RegisterTime::Event(column) => format!("{} {}", site.pick("发生日:", "happened on:"), label(column)),
        RegisterTime::Valid(from, to) => format!("{} {} – {}", site.pick("有效期:", "holds:"), label(from), label(to)),
    }
}

fn column_row(site: &Site<'_>, column: &RegisterColumn) -> Markup {
    html! { tr {
        td { (site.say(&column.label)) " " code { (column.name) } }
        td { (site.pick(type_words(column).0, type_words(column).1)) @if let Some(unit) = &column.unit { " " span.soft { (unit) } } }
        td { @for (at, (code, label)) in column.codes.iter().enumerate() { @if at > 0 { br; } code { (code) } " " (site.say(label)) } }
    } }
}

fn type_words(column: &RegisterColumn) -> (&'static str, &'static str) {
    use crate::register::declaration::ColumnType;
    match column.column_type {
        ColumnType::Text => ("文字", "text"),
        ColumnType::Int => ("整数", "whole number"),
        ColumnType::Money => ("金额", "money"),
        ColumnType::Bool => ("是否", "yes or no"),
        ColumnType::Date => ("日期", "date"),
        ColumnType::Month => ("月份", "month"),
        ColumnType::Code => ("代码", "code"),
        ColumnType::Region => ("区划", "region"),
        ColumnType::PersonId => ("公民身份号码", "resident identity number"),
        ColumnType::EntityId => ("统一社会信用代码", "unified social credit code"),
        ColumnType::HouseholdId => ("家庭编号", "household"),
    }
}
