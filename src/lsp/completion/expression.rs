//! What may be written in an expression: facts, links, functions, parameters, codes, operators.

use gen_lsp_types::CompletionItemKind as Shown;

use super::Offer;
use super::names::{policies, regions};
use crate::check::catalogue::{Fact, How};
use crate::check::typing::Type;
use crate::criteria::{LexemeKind, lexemes, words};
use crate::diagnostic::Lang;
use crate::lsp::desk::Desk;
use crate::lsp::functions::function;
use crate::lsp::hover::type_words;
use crate::lsp::meaning::{Expected, Meaning, expected};
use crate::lsp::role::Names;
use crate::lsp::spot::Spot;
use crate::register::declaration::SubjectKind;

/// What may be written at the end of an expression, and the byte at which the word begins that is being typed.
pub(super) fn offers(desk: &Desk<'_>, spot: &Spot, names: &Names) -> (Vec<Offer>, usize) {
    let text = spot.text.as_str();
    let (expected, begin) = expected(text, names, &desk.workspace.checked.catalogue);
    let found = match expected {
        Expected::Value(names) => {
            // What stands behind a dot is a fact or link only.
            let is_path = lexemes(&text[..begin]).last().is_some_and(|last| last.kind == LexemeKind::Dot);
            let mut found = values(desk, &names);
            if !is_path {
                found.extend(columns(desk, &names));
                found.extend(builtins(desk, &names));
                found.extend(functions(desk, &names));
                found.extend(operators(&["not", "case", "true", "false"], desk.lang));
            }
            found
        }
        Expected::Aggregate => aggregates(desk),
        Expected::Operator => operators(
            &[
                "and",
                "or",
                "in",
                "not in",
                "between",
                "not between",
                "is known",
                "is null",
                "is not null",
                "like",
                "when",
                "then",
                "else",
                "end",
            ],
            desk.lang,
        ),
        Expected::Argument { of, quoted } => in_quotes(arguments(desk, of), desk, spot, begin, quoted),
        Expected::Code { of, quoted } => in_quotes(codes(desk, &of), desk, spot, begin, quoted),
        Expected::Nothing => Vec::new(),
    };
    (found, begin)
}

/// What may be written where the name of a fact stands alone: facts, and paths to them.
pub(super) fn paths(desk: &Desk<'_>, text: &str, names: &Names) -> (Vec<Offer>, usize) {
    let (expected, begin) = expected(text, names, &desk.workspace.checked.catalogue);
    match expected {
        Expected::Value(names) => (values(desk, &names), begin),
        Expected::Aggregate => (aggregates(desk), begin),
        _ => (Vec::new(), begin),
    }
}

/// The facts of a kind and the links that start at it.
fn values(desk: &Desk<'_>, names: &Names) -> Vec<Offer> {
    let Some(kind) = names.facts else { return Vec::new() };
    let mut found = facts(desk, kind);
    for link in desk.workspace.registers.links.iter().filter(|link| link.from == kind) {
        let detail = format!("→ {}{}", link.to, if link.many { desk.pick("（多个）", " (many)") } else { "" });
        found.push(Offer::new(&link.name, Shown::Reference).aside(desk.say(&link.label)).detail(detail).rank(4));
    }
    found
}

/// The declared facts of a kind, by name and by Chinese label.
fn facts(desk: &Desk<'_>, kind: SubjectKind) -> Vec<Offer> {
    let mut found = Vec::new();
    for fact in desk.workspace.checked.catalogue.facts(kind).iter().filter(|fact| fact.place.is_some()) {
        let detail = detail(desk, &fact.ty, fact);
        found.push(Offer::new(&*fact.name, Shown::Variable).aside(desk.say(&fact.label)).detail(detail.as_str()).rank(2));
        let label = &fact.label.zh;
        if !label.is_empty() && **label != *fact.name {
            let insert = if is_writable(label) { label.as_str() } else { &fact.name };
            found.push(Offer::new(label, Shown::Variable).insert(insert).aside(&*fact.name).detail(detail).rank(3));
        }
    }
    found
}

fn detail(desk: &Desk<'_>, ty: &Type, fact: &Fact) -> String {
    type_words(desk, ty, fact.unit.as_deref())
}

/// Whether a Chinese label can be written in an expression as it is.
fn is_writable(label: &str) -> bool {
    matches!(lexemes(label).as_slice(), [only] if matches!(&only.kind, LexemeKind::Name(name) if name == label) && only.range.len() == label.len())
}

/// The columns of the register whose rows are looked at.
fn columns(desk: &Desk<'_>, names: &Names) -> Vec<Offer> {
    let register = names.register.as_ref().and_then(|name| desk.workspace.registers.registers.get(name));
    let columns = register.into_iter().flat_map(|register| &register.columns);
    let offer = |column: &crate::register::declaration::RegisterColumn| {
        let ty = crate::check::catalogue::column_type(column);
        Offer::new(&column.name, Shown::Field).aside(desk.say(&column.label)).detail(type_words(desk, &ty, column.unit.as_deref())).rank(1)
    };
    columns.map(offer).collect()
}

fn builtins(desk: &Desk<'_>, names: &Names) -> Vec<Offer> {
    let mut found = vec![Offer::new("as_of", Shown::Variable).aside("当日").rank(4)];
    let has_age = names.facts.is_some_and(|kind| desk.workspace.checked.catalogue.find(kind, "birth_date").is_some());
    if has_age {
        found.push(Offer::new("age", Shown::Variable).aside("年龄").rank(2));
        found.push(Offer::new("年龄", Shown::Variable).aside("age").rank(3));
    }
    found
}

/// The functions; aggregates only where there are rows.
fn functions(desk: &Desk<'_>, names: &Names) -> Vec<Offer> {
    let mut found = Vec::new();
    for (english, chinese) in words::FUNCTIONS {
        let is_aggregate = How::by_name(english).is_some() && !matches!(*english, "min" | "max");
        if is_aggregate && names.register.is_none() {
            continue;
        }
        let text = function(english, desk.lang).map(|function| function.text).unwrap_or_default();
        let quote = if matches!(*english, "param" | "region" | "entitled") { "('" } else { "(" };
        let offer =
            |name: &str, other: &str| Offer::new(name, Shown::Function).insert(format!("{name}{quote}")).aside(other).detail(text.as_str());
        found.push(offer(english, chinese).rank(5));
        found.push(offer(chinese, english).rank(6));
    }
    found
}

/// What can be made of many linked subjects.
fn aggregates(desk: &Desk<'_>) -> Vec<Offer> {
    let offer = |name: &&'static str| {
        let found = function(name, desk.lang);
        let (chinese, text) = found.map(|function| (function.chinese, function.text)).unwrap_or_default();
        Offer::new(*name, Shown::Method).insert(format!("{name}(")).aside(chinese).detail(text).rank(1)
    };
    How::NAMES.iter().map(offer).collect()
}

/// Operators and reserved words in both languages, that of the client first.
fn operators(english: &[&'static str], lang: Lang) -> Vec<Offer> {
    let (first, second) = if lang == Lang::Zh { (8, 7) } else { (7, 8) };
    let mut found = Vec::new();
    for word in english {
        let chinese = words::chinese(word).unwrap_or_default();
        found.push(Offer::new(*word, Shown::Keyword).insert(format!("{word} ")).aside(chinese).rank(first));
        if !chinese.is_empty() {
            found.push(Offer::new(chinese, Shown::Keyword).insert(format!("{chinese} ")).aside(*word).rank(second));
        }
    }
    found
}

/// What a function is given by name.
fn arguments(desk: &Desk<'_>, of: &str) -> Vec<Offer> {
    match of {
        "param" => {
            let parameters = desk.workspace.set.parameters.iter();
            let unit = |unit: &Option<String>| unit.clone().unwrap_or_default();
            parameters
                .map(|one| Offer::new(&one.name, Shown::Constant).aside(desk.say(&one.label)).detail(unit(&one.unit)).rank(1))
                .collect()
        }
        "entitled" => {
            let same =
                |code: &str| desk.workspace.set.policies.iter().any(|policy| policy.code == code && Some(policy.subject) == desk.subject);
            policies(desk).into_iter().filter(|offer| same(&offer.label)).collect()
        }
        _ => regions(desk),
    }
}

/// The codes of a coded value, by code and by label; the regions of the tree.
fn codes(desk: &Desk<'_>, of: &Meaning) -> Vec<Offer> {
    let Some(ty) = of.ty(&desk.workspace.checked.catalogue) else { return Vec::new() };
    if ty.region {
        return regions(desk);
    }
    let mut found = Vec::new();
    for (code, label) in ty.codes.iter().flat_map(|codes| codes.iter()) {
        found.push(Offer::new(code, Shown::EnumMember).aside(desk.say(label)).rank(1));
        if label.zh != *code && !label.zh.is_empty() {
            found.push(Offer::new(&label.zh, Shown::EnumMember).aside(code).rank(2));
        }
    }
    found
}

/// Texts with the quotes that are not written yet.
fn in_quotes(offers: Vec<Offer>, desk: &Desk<'_>, spot: &Spot, begin: usize, quoted: bool) -> Vec<Offer> {
    let opener = spot.text[..begin].chars().next_back().filter(|_| quoted);
    let closer = match opener {
        Some('‘') => '’',
        Some('“') => '”',
        Some(quote) => quote,
        None => '\'',
    };
    let is_closed = quoted && desk.text[spot.whole().end..].starts_with(['\'', '"', '’', '”']);
    let (before, after) = (if quoted { "" } else { "'" }, if is_closed { String::new() } else { closer.to_string() });
    offers.into_iter().map(|offer| Offer { insert: format!("{before}{}{after}", offer.insert), ..offer }).collect()
}
