//! What a word means, shown when the cursor rests on it.

mod fact;
mod law;
mod place;
mod spread;

pub(super) use fact::type_words;
pub(super) use law::own_policy;

use gen_lsp_types::{Contents, Hover, MarkupContent, MarkupKind, Position};

use super::desk::Desk;
use super::functions::function;
use super::meaning::{Meaning, meanings};
use super::role::{Names, Role};
use super::schema;
use super::spot::{Kind, Spot};
use crate::check::typing::CodeList;
use crate::diagnostic::{Lang, Message};
use crate::explain::value::grouped;
use crate::register::declaration::SubjectKind;

/// What the word at a position means; in Markdown where the client shows it.
pub(super) fn hover(desk: &Desk<'_>, position: Position, markdown: bool) -> Option<Hover> {
    let spot = desk.spot(position)?;
    let offset = desk.lines().offset(position);
    let (place, text) = match desk.role(&spot) {
        Some(role) => of_role(desk, &spot, &role, offset)?,
        None => (spot.whole(), of_key(desk, &spot)?),
    };
    let (kind, value) = if markdown { (MarkupKind::Markdown, text) } else { (MarkupKind::PlainText, plain(&text)) };
    Some(Hover { contents: Contents::MarkupContent(MarkupContent { kind, value }), range: Some(desk.lines().range(&place)) })
}

fn of_role(desk: &Desk<'_>, spot: &Spot, role: &Role, offset: usize) -> Option<(std::ops::Range<usize>, String)> {
    let whole = |text: String| (spot.whole(), text);
    match role {
        Role::Expression(names) => of_word(desk, spot, names, offset),
        Role::Fact(kind) => of_word(desk, spot, &Names { register: None, facts: Some(*kind) }, offset),
        Role::Given(kind, name) => of_given(desk, *kind, name, &spot.text).map(whole),
        Role::Basis => law::basis(desk, &spot.text).map(whole),
        Role::Policy => law::policy(desk, &spot.text).map(whole),
        Role::Criterion => law::criterion(desk, &spot.text).map(whole),
        Role::Region => place::region(desk, &spot.text).map(whole),
        Role::Register => place::register(desk, &spot.text).map(whole),
        Role::Column(register) => place::column(desk, register, &spot.text).map(whole),
        Role::Link(kind) => {
            let link = desk.workspace.registers.links.iter().position(|link| link.from == *kind && link.name == spot.text)?;
            place::link(desk, link).map(whole)
        }
        Role::Diagnostic => None,
    }
}

/// The word of an expression at a byte of the file.
fn of_word(desk: &Desk<'_>, spot: &Spot, names: &Names, offset: usize) -> Option<(std::ops::Range<usize>, String)> {
    let all = meanings(&spot.text, names, &desk.workspace.checked.catalogue);
    let mut words = all.into_iter().map(|(range, meaning)| (spot.place(&range), meaning));
    let (place, meaning) = words.rfind(|(place, _)| place.start <= offset && offset <= place.end)?;
    of_meaning(desk, &meaning).map(|text| (place, text))
}

fn of_meaning(desk: &Desk<'_>, meaning: &Meaning) -> Option<String> {
    match meaning {
        Meaning::Fact(id) => Some(fact::fact(desk, *id)),
        Meaning::Column { register, column } => place::column(desk, register, column),
        Meaning::Link(link) => place::link(desk, *link),
        Meaning::Function(name) => of_function(desk, name),
        Meaning::Builtin("as_of") => {
            Some(desk.pick("**当日** `as_of`\n\n判定所针对的那一天", "**as_of** · 当日\n\nThe day that the verdict is about").to_owned())
        }
        Meaning::Builtin(_) => Some(
            desk.pick(
                "**年龄** `age`\n\n当日的周岁年龄，由事实 `birth_date` 得来",
                "**age** · 年龄\n\nWhole years of age on `as_of`, from the fact `birth_date`",
            )
            .to_owned(),
        ),
        Meaning::Parameter(name) => law::parameter(desk, name),
        Meaning::Policy(code) => law::policy(desk, code),
        Meaning::Region(code) => place::region(desk, code),
        Meaning::Code(of, code) => {
            let codes = of.ty(&desk.workspace.checked.catalogue)?.codes.clone()?;
            of_code(desk, &codes, code)
        }
        Meaning::Unknown(_) => None,
    }
}

fn of_function(desk: &Desk<'_>, name: &str) -> Option<String> {
    let function = function(name, desk.lang)?;
    let title = match desk.lang {
        Lang::Zh => format!("**{}** `{}`", function.chinese, function.name),
        Lang::En => format!("**{}** · {}", function.name, function.chinese),
    };
    let forms: Vec<String> = function.forms.iter().map(|form| format!("`{form}`")).collect();
    Some(format!("{title}\n\n{}\n\n{}", forms.join("  \n"), function.text))
}

fn of_code(desk: &Desk<'_>, codes: &CodeList, code: &str) -> Option<String> {
    let found = codes.iter().find(|(known, label)| known.as_str() == code || label.zh == code || label.en == code);
    found.map(|(code, label)| titled(desk, label, code))
}

/// The value that a case gives a fact: the label of a code, the name of a region.
fn of_given(desk: &Desk<'_>, kind: SubjectKind, name: &str, value: &str) -> Option<String> {
    let catalogue = &desk.workspace.checked.catalogue;
    let ty = fact_named(desk, kind, name)?.ty(catalogue)?;
    if ty.region {
        return place::region(desk, value);
    }
    of_code(desk, ty.codes.as_ref()?, value)
}

/// The fact that a name or path as a whole means.
pub(super) fn fact_named(desk: &Desk<'_>, kind: SubjectKind, name: &str) -> Option<Meaning> {
    let names = Names { register: None, facts: Some(kind) };
    let all = meanings(name, &names, &desk.workspace.checked.catalogue);
    all.into_iter().next_back().map(|(_, meaning)| meaning).filter(|meaning| matches!(meaning, Meaning::Fact(_)))
}

/// What a key is for.
fn of_key(desk: &Desk<'_>, spot: &Spot) -> Option<String> {
    let schema = schema::of(desk.file.as_ref()?)?;
    let text = (spot.kind == Kind::Key).then(|| schema::text(&schema, &spot.path, &spot.text)).flatten()?;
    Some(one_language(&text, desk.lang).to_owned())
}

/// The half of a text `中文 / English` that is in a language.
pub(super) fn one_language(text: &str, lang: Lang) -> &str {
    match (text.split_once(" / "), lang) {
        (Some((zh, _)), Lang::Zh) => zh,
        (Some((_, en)), Lang::En) => en,
        (None, _) => text,
    }
}

/// A label in both languages, that of the client first, with the name in files behind.
fn titled(desk: &Desk<'_>, label: &Message, name: &str) -> String {
    let (first, second) = match desk.lang {
        Lang::Zh => (&label.zh, &label.en),
        Lang::En => (&label.en, &label.zh),
    };
    let second = if second.is_empty() || second == first { String::new() } else { format!(" · {second}") };
    format!("**{first}**{second} `{name}`")
}

/// An exact decimal number with commas between thousands.
fn decimal(digits: i64, scale: u8) -> String {
    let (sign, all) = (if digits < 0 { "-" } else { "" }, digits.unsigned_abs().to_string());
    let places = usize::from(scale);
    if places == 0 {
        return grouped(&format!("{sign}{all}"));
    }
    let all = format!("{all:0>width$}", width = places + 1);
    let (whole, fraction) = all.split_at(all.len() - places);
    grouped(&format!("{sign}{whole}.{fraction}"))
}

/// Markdown as it reads without its signs.
fn plain(markdown: &str) -> String {
    markdown.replace("**", "").replace('`', "").replace("  \n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        assert_eq!(decimal(123_456, 2), "1,234.56");
        assert_eq!(decimal(-5, 3), "-0.005");
        assert_eq!(decimal(1_000_000, 0), "1,000,000");
    }

    #[test]
    fn texts_without_markdown() {
        assert_eq!(plain("**性别** · Sex `sex`\n\n- 类型: `code`"), "性别 · Sex sex\n\n- 类型: code");
        assert_eq!(one_language("依据的 id / the id of a basis", Lang::En), "the id of a basis");
        assert_eq!(one_language("依据的 id / the id of a basis", Lang::Zh), "依据的 id");
        assert_eq!(one_language("x", Lang::Zh), "x");
    }
}
