//! The facts of a case: names resolved to the catalogue, values read by the fact's type.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Datelike;
use unicode_normalization::UnicodeNormalization;

use super::registers::OccasionRow;
use crate::check::bind::days;
use crate::check::catalogue::{Catalogue, Definition, Fact, FactId};
use crate::check::ir::{Kind, Number, Ty, Value};
use crate::check::resolve::{Scope, World};
use crate::check::typing::Type;
use crate::criteria;
use crate::diagnostic::{Diagnostic, Span, code};
use crate::policy::document::{Case, Parameter};
use crate::region::RegionTree;
use crate::register::declaration::SubjectKind;
use crate::yaml::{self, Node};

/// Where the facts of cases are looked up.
pub struct Lookup<'a> {
    /// Every fact; grows by derived facts that no policy names.
    pub catalogue: &'a mut Catalogue,
    /// Parameters, which derived facts may read.
    pub parameters: &'a [Parameter],
    /// Regions.
    pub regions: &'a RegionTree,
}

/// A case with its facts.
#[derive(Debug, Clone)]
pub struct ResolvedCase {
    /// As written.
    pub case: Case,
    /// The facts that the case speaks of; none: given as unknown.
    pub given: BTreeMap<FactId, Option<Value>>,
    /// The facts of `given` in the order of the file.
    pub order: Vec<FactId>,
    /// The rows that occasions may come from; none where the case gives facts, or the policy has no occasions.
    pub rows: Option<Vec<OccasionRow>>,
    /// Whether every given fact could be read.
    pub complete: bool,
}

impl ResolvedCase {
    /// The value of a fact.
    #[must_use]
    pub fn value(&self, fact: FactId) -> Option<Value> {
        self.given.get(&fact).cloned().flatten()
    }
}

/// Finds the facts of a case about a kind of subject, and tells what cannot be found or read.
///
/// A fact is named as in a condition: by its name or label, through links (`household.income_per_capita`), or by the text
/// of a quantifier (`employees.count(graduate)`). Derived facts that no policy names are added to the catalogue.
pub fn resolve(lookup: &mut Lookup<'_>, kind: SubjectKind, case: Case) -> (ResolvedCase, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let (mut given, mut order) = (BTreeMap::new(), Vec::new());
    for (name, node) in &case.given {
        let place = key_place(name, node);
        let Some(id) = find(lookup, kind, name, &place, &mut diagnostics) else { continue };
        order.push(id);
        if node.is_null() {
            given.insert(id, None);
            continue;
        }
        match read(lookup.catalogue.fact(id), node, lookup) {
            Ok(value) => {
                given.insert(id, Some(value));
            }
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    let expected = [&case.expect.missing, &case.expect.offer].into_iter().flatten();
    for (name, place) in expected.flat_map(|(names, place)| names.iter().map(move |name| (name, place))) {
        // The list is sorted, so that the place of one name is found by its text.
        let place = inside(place, name);
        find(lookup, kind, name, &place, &mut diagnostics);
    }
    let complete = diagnostics.is_empty();
    (ResolvedCase { case, given, order, rows: None, complete }, diagnostics)
}

/// The canonical name of a fact that a case names, where there is one.
#[must_use]
pub fn canonical(catalogue: &Catalogue, kind: SubjectKind, name: &str) -> String {
    match known(catalogue, kind, name) {
        Some(id) => catalogue.fact(id).name.to_string(),
        None => name.to_owned(),
    }
}

/// The fact of the catalogue that a name, a Chinese label or the text of a quantifier means.
#[must_use]
pub fn known(catalogue: &Catalogue, kind: SubjectKind, name: &str) -> Option<FactId> {
    let by_label = || catalogue.facts(kind).iter().position(|fact| fact.label.zh == name).map(|index| FactId { kind, index });
    let by_text = || {
        let (tree, errors) = criteria::parse_aggregate(name);
        tree.filter(|_| errors.is_empty()).and_then(|tree| catalogue.find(kind, &criteria::print(&tree)))
    };
    catalogue.find(kind, name).or_else(by_label).or_else(by_text)
}

fn find(lookup: &mut Lookup<'_>, kind: SubjectKind, name: &str, place: &Span, diagnostics: &mut Vec<Diagnostic>) -> Option<FactId> {
    if let Some(id) = known(lookup.catalogue, kind, name) {
        return Some(id);
    }
    let (Some(tree), errors) = criteria::parse_aggregate(name) else {
        diagnostics.push(unknown(lookup, kind, name, place));
        return None;
    };
    // A derived fact that no policy names: found as a condition would find it, and told at the name as a whole.
    let whole = Node { value: yaml::Value::Mapping(Vec::new()), range: place.range.clone(), file: Arc::clone(&place.file) };
    let scope = Scope { register: None, facts: Some(kind), node: &whole, clause: None, region: None };
    let policies = BTreeMap::new();
    let mut told = Vec::new();
    let mut world = World {
        catalogue: lookup.catalogue,
        parameters: lookup.parameters,
        regions: lookup.regions,
        policies: &policies,
        diagnostics: &mut told,
    };
    let found = if errors.is_empty() { world.expr(&tree, &scope) } else { None };
    if let Some((expr, _)) = &found
        && let Kind::Fact(index) = expr.kind
    {
        return Some(FactId { kind, index });
    }
    if told.is_empty() || found.is_some() {
        told = vec![unknown(lookup, kind, name, place)];
    }
    diagnostics.append(&mut told);
    None
}

fn unknown(lookup: &Lookup<'_>, kind: SubjectKind, name: &str, place: &Span) -> Diagnostic {
    let names = lookup.catalogue.facts(kind).iter().map(|fact| &*fact.name);
    Diagnostic::new(&code::UNKNOWN_FACT, format!("{kind} 没有“{name}”这个事实"), format!("{kind} has no fact `{name}`"))
        .at(place.clone())
        .did_you_mean(name, names)
        .help("事实在 policies/registers/ 里声明", "facts are declared in policies/registers/")
}

/// Where the name of a given fact stands: the nearest before its value.
fn key_place(name: &str, value: &Node) -> Span {
    let before = value.file.text.get(..value.range.start).unwrap_or_default();
    match before.rfind(name) {
        Some(start) => Span::new(&value.file, start..start + name.len()),
        None => value.span(),
    }
}

fn inside(place: &Span, name: &str) -> Span {
    match place.text().find(name) {
        Some(at) => Span::new(&place.file, place.range.start + at..place.range.start + at + name.len()),
        None => place.clone(),
    }
}

/// The value of a fact as its type reads it.
fn read(fact: &Fact, node: &Node, lookup: &Lookup<'_>) -> Result<Value, Box<Diagnostic>> {
    let ty = &fact.ty;
    let wrong = || {
        let (zh, en) = ty.words();
        let name = &fact.name;
        Box::new(
            Diagnostic::new(&code::TYPE_MISMATCH, format!("“{name}”的值应是{zh}"), format!("the value of `{name}` must be a {en}"))
                .at(node.span())
                .help(format!("如 {}", example(ty)), format!("such as {}", example(ty))),
        )
    };
    let text = node.text().ok_or_else(wrong)?;
    let text: String = text.nfkc().collect::<String>().trim().to_owned();
    let value = match ty.ty {
        Ty::Bool => match text.as_str() {
            "true" | "True" | "yes" | "是" | "有" => Some(Value::Bool(true)),
            "false" | "False" | "no" | "否" | "无" => Some(Value::Bool(false)),
            _ => None,
        },
        Ty::Number => {
            let places = matches!(fact.definition, Definition::Rows { .. }).then_some(ty.scale);
            number(&text, places).map(Value::Number)
        }
        Ty::Date if ty.month => {
            // A spreadsheet has no months: it says the first day.
            let first = yaml::parse_date(&text).filter(|day| day.day() == 1);
            yaml::parse_date(&format!("{text}-01")).or(first).map(|day| Value::Date(days(day)))
        }
        Ty::Date => yaml::parse_date(&text).map(|day| Value::Date(days(day))),
        Ty::Text => return code_or_text(fact, &text, node, lookup).map(|text| Value::Text(text.into())),
    };
    value.ok_or_else(wrong)
}

fn example(ty: &Type) -> &'static str {
    match ty.ty {
        Ty::Bool => "true",
        Ty::Number if ty.scale == 0 => "12",
        Ty::Number => "1240.50",
        Ty::Date if ty.month => "2026-06",
        Ty::Date => "2026-06-30",
        Ty::Text => "文字",
    }
}

fn code_or_text(fact: &Fact, text: &str, node: &Node, lookup: &Lookup<'_>) -> Result<String, Box<Diagnostic>> {
    if let Some(codes) = &fact.ty.codes {
        let found = codes.iter().find(|(code, label)| code.as_str() == text || label.zh == text || label.en == text);
        return found.map(|(code, _)| code.clone()).ok_or_else(|| {
            let list = codes.iter().map(|(code, label)| format!("{code} ({})", label.zh)).collect::<Vec<_>>().join(", ");
            Box::new(
                Diagnostic::new(&code::UNKNOWN_CODE_VALUE, format!("代码表里没有“{text}”"), format!("`{text}` is not in the code list"))
                    .at(node.span())
                    .did_you_mean(text, codes.keys().map(String::as_str))
                    .help(format!("可用的代码: {list}"), format!("codes: {list}")),
            )
        });
    }
    if fact.ty.region && !lookup.regions.is_known(text) {
        return Err(Box::new(
            Diagnostic::new(&code::UNKNOWN_REGION, format!("区划树里没有“{text}”"), format!("region `{text}` is not in the tree"))
                .at(node.span())
                .help("区划代码见 policies/regions.yaml", "region codes are in policies/regions.yaml"),
        ));
    }
    Ok(text.to_owned())
}

/// `-1_234.50` as an exact number; with at most `places` digits behind the point, where that is said.
fn number(text: &str, places: Option<u8>) -> Option<Number> {
    let text: String = text.chars().filter(|character| !matches!(character, '_' | ',')).collect();
    let unsigned = text.strip_prefix('-').unwrap_or(&text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || (unsigned.contains('.') && fraction.is_empty()) {
        return None;
    }
    let fraction = if places.is_some() { fraction.trim_end_matches('0') } else { fraction };
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= places.unwrap_or(9))?;
    let value: i64 = format!("{whole}{fraction}").parse().ok()?;
    let value = if unsigned.len() < text.len() { -value } else { value };
    let padding = places.unwrap_or(scale) - scale;
    Some(Number { digits: value.checked_mul(10_i64.pow(u32::from(padding)))?, scale: scale + padding })
}

#[cfg(test)]
mod tests {
    //! Values as authors write them.

    use super::number;
    use crate::check::ir::Number;

    #[track_caller]
    fn check(text: &str, places: Option<u8>, expected: Option<(i64, u8)>) {
        assert_eq!(number(text, places), expected.map(|(digits, scale)| Number { digits, scale }), "{text}");
    }

    #[test]
    fn numbers_are_exact() {
        check("1240", Some(2), Some((124_000, 2)));
        check("30000.01", Some(2), Some((3_000_001, 2)));
        check("12.50", Some(0), None);
        check("12.00", Some(0), Some((12, 0)));
        check("-1_234.5", Some(2), Some((-123_450, 2)));
        check("0.055", None, Some((55, 3)));
        check("0.055", Some(2), None);
        for text in ["", "-", "1.", ".5", "1e3", "一", "99999999999999999999"] {
            check(text, None, None);
        }
    }
}
