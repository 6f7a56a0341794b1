//! What every page has: skip link, head with the way around, language, who is signed in, foot; and small pieces.

use maud::{DOCTYPE, Markup, html};

use super::assets;
use crate::diagnostic::{Lang, Message};
use crate::eligibility::grant::amount_text;
use crate::explain::value::grouped;
use crate::region::RegionTree;
use crate::register::declaration::SubjectKind;

/// Where the console is.
pub(super) const ROOT: &str = "/console";

/// What stands for a count of few people.
pub(super) const HIDDEN: &str = "∗";

/// A language with its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Words(pub(super) Lang);

impl Words {
    pub(super) fn pick<'t>(self, zh: &'t str, en: &'t str) -> &'t str {
        if self.0 == Lang::Zh { zh } else { en }
    }

    pub(super) fn say(self, message: &Message) -> &str {
        message.get(self.0)
    }

    /// `zh`, `en`: the part of an address.
    pub(super) fn code(self) -> &'static str {
        if self.0 == Lang::Zh { "zh" } else { "en" }
    }

    /// The language of an address.
    pub(super) fn of(code: &str) -> Option<Self> {
        match code {
            "zh" => Some(Self(Lang::Zh)),
            "en" => Some(Self(Lang::En)),
            _ => None,
        }
    }

    pub(super) fn kind(self, kind: SubjectKind) -> &'static str {
        match kind {
            SubjectKind::Person => self.pick("个人", "persons"),
            SubjectKind::Household => self.pick("家庭", "households"),
            SubjectKind::Entity => self.pick("法人", "entities"),
        }
    }

    /// An address of the console.
    pub(super) fn at(self, path: &str) -> String {
        format!("{ROOT}/{}/{path}", self.code())
    }
}

/// A page to be framed.
pub(super) struct Page<'a> {
    pub(super) words: Words,
    pub(super) title: &'a str,
    /// The part of the address behind the language.
    pub(super) path: &'a str,
    /// Who is signed in; none on the page to sign in.
    pub(super) signed_in: Option<SignedIn<'a>>,
    /// Whether the page uses the script of the bench.
    pub(super) script: bool,
    /// Seconds after which the page is to be asked for again, while something is being made.
    pub(super) again: Option<u32>,
}

/// Who is signed in, as pages tell it.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignedIn<'a> {
    pub(super) name: &'a str,
    /// What a form must send along.
    pub(super) token: &'a str,
    pub(super) reach: Reach,
}

/// Which parts of the console somebody may open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four parts of the console, each open to somebody or not")]
pub(super) struct Reach {
    /// Figures of runs, and policies.
    pub(super) figures: bool,
    /// The rule bench.
    pub(super) bench: bool,
    /// Subjects.
    pub(super) subjects: bool,
    /// The access trail.
    pub(super) trail: bool,
}

/// The whole page.
pub(super) fn page(page: &Page<'_>, body: &Markup) -> Markup {
    let words = page.words;
    let other = if words.0 == Lang::Zh { Words(Lang::En) } else { Words(Lang::Zh) };
    let (lang, other_lang, other_name) = match words.0 {
        Lang::Zh => ("zh-CN", "en", "English"),
        Lang::En => ("en", "zh-CN", "中文"),
    };
    html! {
        (DOCTYPE)
        html lang=(lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if let Some(seconds) = page.again { meta http-equiv="refresh" content=(seconds); }
                title { (page.title) " · " (words.pick("免申控制台", "Mianshen console")) }
                link rel="stylesheet" href=(assets::style());
                link rel="icon" type="image/svg+xml" href=(assets::icon());
                @if page.script { script src=(assets::script()) defer {} }
            }
            body.console {
                a.skip href="#main" { (words.pick("跳到正文", "Skip to content")) }
                header.top { div {
                    strong { a href=(words.at("")) { (words.pick("免申控制台", "Mianshen console")) } }
                    @if let Some(signed_in) = &page.signed_in { (navigation(words, page.path, signed_in.reach)) }
                    span.other { a href=(other.at(page.path)) hreflang=(other_lang) lang=(other_lang) { (other_name) } }
                    @if let Some(signed_in) = &page.signed_in {
                        form.sign method="post" action=(words.at("sign-out")) {
                            (token(signed_in.token))
                            span { (signed_in.name) } " "
                            button.plain type="submit" { (words.pick("退出", "Sign out")) }
                        }
                    }
                } }
                main id="main" tabindex="-1" { (body) }
                footer { div {
                    p { (words.pick(
                        "不符合只表示尚未查到; 对登记或结果有异议的, 可以提出。查看个人情况会留痕。",
                        "Not to meet the conditions only means: not found yet; what is on record, and the result, can be objected to. Whoever looks at a person's data leaves a trace.",
                    )) }
                } }
            }
        }
    }
}

fn navigation(words: Words, path: &str, reach: Reach) -> Markup {
    let parts = [
        (reach.figures, "", words.pick("总览", "Overview")),
        (reach.figures, "policies", words.pick("政策", "Policies")),
        (reach.bench, "bench", words.pick("规则试算", "Rule bench")),
        (reach.subjects, "subjects", words.pick("服务对象", "Subjects")),
        (reach.subjects, "cases", words.pick("办件", "Cases")),
        (reach.figures, "runs", words.pick("批次", "Runs")),
        (reach.trail, "trail", words.pick("留痕", "Access trail")),
    ];
    let is_here = |part: &str| if part.is_empty() { path.is_empty() } else { path.split('/').next() == Some(part) };
    html! {
        nav aria-label=(words.pick("主导航", "Main")) {
            @for (_, part, name) in parts.iter().filter(|(may, ..)| *may) {
                a href=(words.at(part)) aria-current=[is_here(part).then_some("page")] { (name) }
            }
        }
    }
}

/// The field that a form must send along, so that no page of others can send it.
pub(super) fn token(token: &str) -> Markup {
    html! { input type="hidden" name="token" value=(token); }
}

pub(super) fn time(day: &str) -> Markup {
    html! { time datetime=(day) { (day) } }
}

/// A text of the policies folder that is Chinese in either language.
pub(super) fn chinese(words: Words, text: &str) -> Markup {
    html! { @if words.0 == Lang::Zh || text.is_empty() { (text) } @else { span lang="zh-CN" { (text) } } }
}

/// The name of a region.
pub(super) fn region(words: Words, regions: &RegionTree, code: &str) -> String {
    if code.is_empty() {
        return words.pick("地区不明", "region not known").to_owned();
    }
    regions.name(code).map_or_else(|| code.to_owned(), |name| words.say(name).to_owned())
}

/// A count, with thousands.
pub(super) fn count(count: u64) -> String {
    grouped(&count.to_string())
}

/// A count, or the sign that it is one of few.
pub(super) fn shown(count: Option<u64>) -> String {
    count.map_or_else(|| HIDDEN.to_owned(), self::count)
}

/// Hundredths of a yuan, with thousands.
pub(super) fn money(hundredths: i64) -> String {
    grouped(&amount_text(hundredths))
}

/// A large number beside its name.
pub(super) fn card(name: &str, value: &str, more: &Markup) -> Markup {
    html! { div.card.number { span.name { (name) } b { (value) } @if !more.0.is_empty() { span.soft { (more) } } } }
}

/// A section with a heading that tells what it is to those who go by headings.
pub(super) fn section(id: &str, title: &str, body: &Markup) -> Markup {
    html! { section aria-labelledby=(format!("{id}-title")) { h2 id=(format!("{id}-title")) { (title) } (body) } }
}

/// A column of a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column<'a> {
    name: &'a str,
    number: bool,
}

/// A column of texts.
pub(super) fn text(name: &str) -> Column<'_> {
    Column { name, number: false }
}

/// A column of numbers.
pub(super) fn number(name: &str) -> Column<'_> {
    Column { name, number: true }
}

/// A table that scrolls where it is wider than the page; the first cell of a row is its heading.
pub(super) fn table(caption: &str, columns: &[Column<'_>], rows: &[Vec<Markup>]) -> Markup {
    html! {
        div.wide tabindex="0" role="group" aria-label=(caption) { table {
            caption { (caption) }
            thead { tr { @for column in columns { th scope="col" .n[column.number] { (column.name) } } } }
            tbody { @for row in rows { tr {
                @for (cell, column) in row.iter().zip(columns).take(1) { th scope="row" .n[column.number] { (cell) } }
                @for (cell, column) in row.iter().zip(columns).skip(1) { td .n[column.number] { (cell) } }
            } } }
        } }
    }
}

/// A cell of plain text.
pub(super) fn cell(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}
