//! What a policy is worth: the formula in words, and in numbers by region on the day, with every value of its parameters.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use maud::{Markup, html};

use super::conditions::in_a_line;
use super::frame::{chinese, time};
use super::values::{is_number, parameter_value, payee, per, period, rational, status_badge};
use super::{Item, Site, values};
use crate::check::CheckedPolicy;
use crate::check::bind::for_each_parameter;
use crate::check::catalogue::{Catalogue, Definition, FactId};
use crate::check::ir::{Expr, Kind, Value};
use crate::explain::rule::words;
use crate::explain::value::{decimal, with_unit};
use crate::policy::document::{Parameter, ParameterValue, PolicyDocument, Rounding};
use crate::program::Rational;
use crate::program::interpreter::{Answer, evaluate};
use crate::region::{COUNTRY, RegionLevel};
use crate::register::declaration::SubjectKind;

/// Beyond so many names, regions with the same values are counted.
const NAMED: usize = 6;

/// A table by region: headings, and for each group of regions with the same values their names and the cells.
struct ByRegion {
    headings: Vec<String>,
    rows: Vec<(String, Vec<Option<String>>)>,
}

/// What a policy is worth.
pub(super) fn amounts(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let (document, benefit) = (item.document, &item.document.benefit);
    let mut said = vec![site.say(&values::kind(&benefit.kind)).to_owned(), site.say(&period(benefit.period)).to_owned()];
    if benefit.per_member {
        said.push(site.pick("按家庭成员计算, 逐人列出", "for each member of the household").to_owned());
    }
    said.push(format!("{}{}", site.pick("发给", "paid to "), site.say(&payee(benefit.payee))));
    if benefit.amount.is_some() {
        said.push(site.pick(rounding(benefit.rounding).0, rounding(benefit.rounding).1).to_owned());
    }
    let own = document.each.as_ref().is_some_and(|each| each.amount.is_some());
    let expr = item.checked.and_then(|policy| match &policy.each {
        Some(each) if own => each.amount.as_ref(),
        _ => policy.amount.as_ref(),
    });
    let written = document.each.as_ref().and_then(|each| each.amount.as_ref()).or(benefit.amount.as_ref());
    html! {
        p { (capital(&said.join(site.pick("，", "; ")))) }
        @if let Some(written) = written {
            div.pair {
                div.law {
                    (chinese(site, benefit.clause.as_deref().unwrap_or(site.pick("没有写明条文", "No clause is named"))))
                    @if let Some(basis) = benefit.basis.as_ref().and_then(|id| document.basis.iter().find(|basis| basis.id == *id)) {
                        span.soft { a href=(format!("#basis-{}", basis.id)) { (chinese(site, &super::conditions::titled(&basis.title))) } (chinese(site, basis.article.as_deref().unwrap_or_default())) }
                    }
                }
                div.rule {
                    // The amount of one row is about a register's columns, which have no words of their own.
                    @if let (Some(expr), false) = (expr, own) { (formula(site, expr, document.subject)) }
                    span.soft { code { (written.node.text().unwrap_or_default().trim()) } }
                }
            }
        } @else {
            p { (site.pick("不发钱: 这是一项服务或资格。", "No money: it is a service or a recognition.")) }
        }
        @if let Some(policy) = item.checked { (numbers(site, policy, own)) }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

fn rounding(rounding: Rounding) -> (&'static str, &'static str) {
    match rounding {
        Rounding::Fen => ("四舍五入到分", "rounded to 0.01"),
        Rounding::Yuan => ("四舍五入到元", "rounded to 1"),
        Rounding::YuanUp => ("不足一元的按一元", "rounded up to 1"),
    }
}

/// The amount in words; where it depends, case by case.
fn formula(site: &Site<'_>, expr: &Expr, kind: SubjectKind) -> Markup {
    match &expr.kind {
        Kind::Case { .. } => html! {
            ul.plain { @for (when, then) in branches(expr) {
                li { (head(site, when, kind)) ": " (amount_words(site, then, kind)) }
            } }
        },
        _ => html! { (amount_words(site, expr, kind)) },
    }
}

fn amount_words(site: &Site<'_>, expr: &Expr, kind: SubjectKind) -> String {
    match &expr.kind {
        Kind::Literal(Value::Number(number)) => rational(*number).map_or_else(String::new, |number| decimal(&number, 0)),
        _ => site.say(&words(&site.judge, expr, kind)).to_owned(),
    }
}

fn head(site: &Site<'_>, when: Option<&Expr>, kind: SubjectKind) -> String {
    when.map_or_else(|| site.pick("其他", "otherwise").to_owned(), |when| in_a_line(site, when, kind))
}

/// The cases of an amount: when, and what then.
fn branches(expr: &Expr) -> Vec<(Option<&Expr>, &Expr)> {
    match &expr.kind {
        Kind::Case { branches, otherwise } => {
            branches.iter().map(|(when, then)| (Some(when), then)).chain(otherwise.as_deref().map(|last| (None, last))).collect()
        }
        _ => vec![(None, expr)],
    }
}

/// The amounts, or the standards that they are made of, by region on the day; and every value behind them.
fn numbers(site: &Site<'_>, policy: &CheckedPolicy, own: bool) -> Markup {
    let document = &policy.document;
    let amount = policy.amount.as_ref().filter(|expr| !own && !is_number(&expr.kind));
    let table = amount.and_then(|expr| by_region(site, policy, &branches(expr), document));
    let mut named = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let row_parts = policy.each.iter().flat_map(|each| each.filter.iter().chain(&each.amount));
    // What stands under `each` is over other columns: of it only the parameters count.
    for expr in row_parts {
        named.extend(parameters_of(expr));
    }
    let parts = [&policy.coverage, &policy.criteria].into_iter().chain(&policy.amount).chain(&policy.cap).chain(&policy.budget);
    parts.for_each(|expr| named_in(&site.source.checked.catalogue, expr, document.subject, &mut seen, &mut named));
    let parameters: Vec<&Parameter> = site.source.set.parameters.iter().filter(|parameter| named.contains(&parameter.name)).collect();
    let shown = table.is_some();
    let in_table: BTreeSet<String> = amount.filter(|_| shown).map(parameters_of).unwrap_or_default();
    let others: Vec<&Parameter> = parameters.iter().copied().filter(|parameter| !in_table.contains(&parameter.name)).collect();
    let day = site.source.as_of.to_string();
    html! {
        @if let Some(table) = table {
            h3 { (site.pick("金额, ", "Amounts on ")) (time(&day)) " " span.soft { (site.say(&per(&document.benefit.unit, document.benefit.period))) } }
            (rendered(site, &table))
        }
        @if !others.is_empty() {
            h3 { (site.pick("用到的标准, ", "Standards in use on ")) (time(&day)) }
            (rendered(site, &standards(site, &others, document)))
        }
        @if !parameters.is_empty() {
            details {
                summary { (site.pick("各地区、各时期的标准及出处", "Every value by region and time, and where it comes from")) }
                @for parameter in &parameters { (every_value(site, parameter, document)) }
            }
        }
    }
}

fn parameters_of(expr: &Expr) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for_each_parameter(expr, &mut |name, _| {
        named.insert(name.to_string());
    });
    named
}

/// The parameters of an expression and of the computed facts that it names.
fn named_in(catalogue: &Catalogue, expr: &Expr, kind: SubjectKind, seen: &mut BTreeSet<FactId>, named: &mut BTreeSet<String>) {
    named.extend(parameters_of(expr));
    let mut facts = Vec::new();
    expr.for_each_fact(&mut |index| facts.push(FactId { kind, index }));
    for id in facts {
        if let (Definition::Computed(inner), true) = (&catalogue.fact(id).definition, seen.insert(id)) {
            named_in(catalogue, inner, kind, seen, named);
        }
    }
}

/// The regions whose values are told apart: the counties that the policy covers.
fn regions(site: &Site<'_>, document: &PolicyDocument) -> Vec<String> {
    let (tree, day) = (site.source.regions, site.source.as_of);
    let is_county = |code: &String| tree.region(code, day).is_some_and(|region| region.level == RegionLevel::County);
    let counties: Vec<String> = tree.descendants(&document.covers.region, day).into_iter().filter(is_county).collect();
    if counties.is_empty() { vec![document.covers.region.clone()] } else { counties }
}

/// The cases of an amount in numbers; none where they depend on more than the region.
fn by_region(site: &Site<'_>, policy: &CheckedPolicy, cases: &[(Option<&Expr>, &Expr)], document: &PolicyDocument) -> Option<ByRegion> {
    let kind = document.subject;
    let by = document.covers.by.as_ref().and_then(|(fact, _)| site.source.checked.catalogue.find(kind, fact)).map(|id| id.index);
    let mut depends = false;
    for (_, then) in cases {
        then.for_each_fact(&mut |index| depends |= Some(index) != by);
    }
    if depends {
        return None;
    }
    let bound: Vec<Expr> = cases.iter().map(|(_, then)| site.binder.bind(then)).collect();
    let cells = |region: &str| -> Vec<Option<String>> {
        let row = |index: usize| (Some(index) == by).then(|| Value::Text(region.into()));
        let number = |expr: &Expr| match evaluate(expr, &row) {
            Ok(Some(Answer::Number(number))) => Some(decimal(&number, 2)),
            _ => None,
        };
        bound.iter().map(number).collect()
    };
    let only = cases.len() == 1;
    let headings = cases.iter().map(|(when, _)| if only { site.pick("金额", "amount").to_owned() } else { head(site, *when, kind) });
    let headings = headings.collect();
    let rows = grouped(site, document, regions(site, &policy.document).into_iter().map(|region| (cells(&region), region)));
    Some(ByRegion { headings, rows })
}

/// Some standards by region.
fn standards(site: &Site<'_>, parameters: &[&Parameter], document: &PolicyDocument) -> ByRegion {
    let headings = parameters.iter().map(|parameter| site.say(&parameter.label).to_owned()).collect();
    let cells = |region: &str| -> Vec<Option<String>> {
        let region = if document.covers.by.is_some() { region } else { COUNTRY };
        let one = |parameter: &&Parameter| {
            let number = site.binder.value(&parameter.name, region)?;
            Some(site.say(&parameter_value(number, parameter.parameter_type, parameter.unit.as_deref())).to_owned())
        };
        parameters.iter().map(one).collect()
    };
    let rows = grouped(site, document, regions(site, document).into_iter().map(|region| (cells(&region), region)));
    ByRegion { headings, rows }
}

/// Regions with the same values in one row, in the order in which each first came.
fn grouped(
    site: &Site<'_>,
    document: &PolicyDocument,
    all: impl Iterator<Item = (Vec<Option<String>>, String)>,
) -> Vec<(String, Vec<Option<String>>)> {
    let mut groups: Vec<(Vec<Option<String>>, Vec<String>)> = Vec::new();
    for (cells, region) in all {
        match groups.iter_mut().find(|(known, _)| *known == cells) {
            Some((_, regions)) => regions.push(region),
            None => groups.push((cells, vec![region])),
        }
    }
    let only = groups.len() == 1;
    let most = groups.iter().map(|(_, regions)| regions.len()).max().unwrap_or_default();
    groups.sort_by_key(|(_, regions)| regions.len() == most && most > NAMED);
    let name = |regions: &[String]| {
        if only {
            site.region(&document.covers.region)
        } else if regions.len() > NAMED {
            let count = regions.len();
            site.pick(&format!("其余{count}个区县"), &format!("the other {count} counties")).to_owned()
        } else {
            regions.iter().map(|region| site.region(region)).collect::<Vec<_>>().join(site.pick("、", ", "))
        }
    };
    groups.into_iter().map(|(cells, regions)| (name(&regions), cells)).collect()
}

fn rendered(site: &Site<'_>, table: &ByRegion) -> Markup {
    html! {
        div.wide { table {
            thead { tr { th scope="col" { (site.pick("地区", "region")) } @for heading in &table.headings { th.n.wrap scope="col" { (heading) } } } }
            tbody { @for (regions, cells) in &table.rows {
                tr { th scope="row" { (regions) } @for cell in cells { td.n { (cell.as_deref().unwrap_or(site.pick("没有标准", "no value"))) } } }
            } }
        } }
    }
}

/// Every value of a parameter that may matter to a policy, newest first within a region.
fn every_value(site: &Site<'_>, parameter: &Parameter, document: &PolicyDocument) -> Markup {
    let (tree, covers) = (site.source.regions, &document.covers.region);
    let is_near = |value: &&ParameterValue| {
        let day = value.from.max(NaiveDate::default());
        tree.contains(&value.region, covers, day) || tree.contains(covers, &value.region, day)
    };
    let mut found: Vec<&ParameterValue> = parameter.values.iter().filter(is_near).collect();
    found.sort_by(|one, other| (&one.region, other.from, other.announced).cmp(&(&other.region, one.from, one.announced)));
    let shown = |value: &ParameterValue| {
        let number = crate::check::ir::Number { digits: value.digits, scale: value.scale };
        site.say(&parameter_value(number, parameter.parameter_type, parameter.unit.as_deref())).to_owned()
    };
    html! {
        h3 { (site.say(&parameter.label)) " " code { (parameter.name) } }
        div.wide.long { table {
            thead { tr {
                th scope="col" { (site.pick("地区", "region")) } th scope="col" { (site.pick("起", "from")) } th scope="col" { (site.pick("止 (不含)", "to (not included)")) }
                th.n scope="col" { (site.pick("标准", "value")) } th scope="col" { (site.pick("依据", "status")) } th scope="col" { (site.pick("出处", "source")) }
            } }
            tbody { @for value in found { tr {
                td { (site.region(&value.region)) }
                td.k { (time(&value.from.to_string())) @if let Some(day) = value.announced { br; span.soft { (site.pick("公布", "announced")) " " (time(&day.to_string())) } } }
                td.k { @if let Some(to) = value.to { (time(&to.to_string())) } }
                td.n { (shown(value)) }
                td { (status_badge(site, value.status)) }
                td { (chinese(site, value.source.as_deref().unwrap_or_default())) }
            } } }
        } }
    }
}

/// A number of money in words, for caps and budgets.
pub(super) fn money(site: &Site<'_>, expr: &Expr, kind: SubjectKind, unit: &str) -> String {
    let number = match &expr.kind {
        Kind::Literal(Value::Number(number)) => rational(*number),
        _ => None,
    };
    number.map_or_else(
        || site.say(&words(&site.judge, expr, kind)).to_owned(),
        |number: Rational| site.say(&with_unit(&decimal(&number, 2), Some(unit))).to_owned(),
    )
}
