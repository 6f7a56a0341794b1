//! The overview: whom the last run found, what it is worth, county by county, over runs; what data would settle more.

use maud::{Markup, html};

use super::chart::{self, Bar};
use super::frame::{Words, card, cell, chinese, count, money, number, region, section, shown, table, text, time};
use crate::check::catalogue::Catalogue;
use crate::policy::document::PolicySet;
use crate::region::RegionTree;
use crate::register::declaration::{Registers, SubjectKind};
use crate::serve::figures::{Asked, SetAside, Summed};

/// How many lines of long lists are shown.
const MOST: usize = 12;

/// What the overview is made of.
pub(super) struct Overview<'a> {
    pub(super) words: Words,
    pub(super) as_of: String,
    /// Subjects judged, by kind.
    pub(super) judged: [u64; 3],
    pub(super) by_policy: Vec<Summed>,
    pub(super) by_county: Vec<Summed>,
    pub(super) all: Summed,
    /// Runs that are kept, oldest first: the day, grants to be delivered.
    pub(super) runs: Vec<(String, u64)>,
    pub(super) requests: Vec<Asked>,
    pub(super) quarantine: Vec<SetAside>,
    /// Counts below are hidden.
    pub(super) least: u64,
    pub(super) set: &'a PolicySet,
    pub(super) catalogue: &'a Catalogue,
    pub(super) registers: &'a Registers,
    pub(super) regions: &'a RegionTree,
}

/// The body of the page.
pub(super) fn body(overview: &Overview<'_>) -> Markup {
    let words = overview.words;
    html! {
        h1 { (words.pick("总览", "Overview")) }
        p { (words.pick("最近批次, 判定日 ", "The last run, as of ")) (time(&overview.as_of)) }
        (numbers(overview))
        (section("policies", words.pick("应享最多的政策", "Policies that most are owed"), &policies(overview)))
        (section("counties", words.pick("分区县", "By county"), &counties(overview)))
        @if overview.runs.len() > 1 { (section("trend", words.pick("历次批次", "Over runs"), &trend(overview))) }
        (section("requests", words.pick("数据需求", "Data requests"), &requests(overview)))
        (section("quarantine", words.pick("隔离的登记", "Quarantine"), &quarantine(overview)))
    }
}

fn numbers(overview: &Overview<'_>) -> Markup {
    let words = overview.words;
    let judged = SubjectKind::ALL.into_iter().filter(|kind| overview.judged[*kind as usize] > 0);
    let all = &overview.all;
    html! {
        div.numbers {
            @for kind in judged {
                (card(words.pick("判定的", "Judged"), &count(overview.judged[kind as usize]), &cell(words.kind(kind))))
            }
            (card(words.pick("应享, 待发放", "Owed, to be delivered"), &shown(all.granted), &cell(words.pick("项待遇", "grants"))))
            (card(words.pick("金额", "Worth"), &all.amount.map_or_else(|| "∗".to_owned(), money), &cell(words.pick("元, 各按其周期", "yuan, each for its period"))))
            (card(words.pick("已发放", "Given already"), &shown(all.given), &html! {}))
            (card(words.pick("承诺即享", "One confirmation away"), &shown(all.offers), &html! {}))
            (card(words.pick("待查明", "To be settled"), &shown(all.unknown), &cell(words.pick("个判定", "verdicts"))))
        }
    }
}

/// The name of a policy, as a link to its page.
pub(super) fn policy_link(words: Words, set: &PolicySet, code: &str) -> Markup {
    let document = set.policies.iter().rev().find(|document| document.code == code);
    html! {
        a href=(words.at(&format!("policies/{code}"))) { (document.map_or(code, |document| words.say(&document.name))) }
        " " span.soft.code { (code) }
    }
}

fn policies(overview: &Overview<'_>) -> Markup {
    let words = overview.words;
    let mut lines: Vec<&Summed> = overview.by_policy.iter().collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.granted));
    let rows: Vec<Vec<Markup>> = lines
        .iter()
        .take(MOST)
        .map(|line| {
            vec![
                policy_link(words, overview.set, &line.of),
                cell(shown(line.granted)),
                cell(line.amount.map_or_else(|| "∗".to_owned(), money)),
                cell(shown(line.given)),
                cell(shown(line.offers)),
                cell(shown(line.unknown)),
            ]
        })
        .collect();
    let columns = [
        text(words.pick("政策", "Policy")),
        number(words.pick("待发放", "To deliver")),
        number(words.pick("金额 (元)", "Worth (yuan)")),
        number(words.pick("已发放", "Given")),
        number(words.pick("承诺即享", "Offers")),
        number(words.pick("待查明", "To settle")),
    ];
    html! {
        (table(words.pick("按待发放的多少排列", "Those with most grants first"), &columns, &rows))
        p { a href=(words.at("policies")) { (words.pick("全部政策", "All policies")) } }
    }
}

fn counties(overview: &Overview<'_>) -> Markup {
    let words = overview.words;
    let name = |code: &str| region(words, overview.regions, code);
    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    let bars: Vec<Bar> = overview
        .by_county
        .iter()
        .filter_map(|line| Some((line, line.granted.filter(|granted| *granted > 0)?)))
        .map(|(line, granted)| Bar { name: name(&line.of), value: granted as f64, shown: count(granted) })
        .collect();
    let rows: Vec<Vec<Markup>> = overview
        .by_county
        .iter()
        .map(|line| {
            vec![
                cell(name(&line.of)),
                cell(shown(line.granted)),
                cell(line.amount.map_or_else(|| "∗".to_owned(), money)),
                cell(shown(line.given)),
                cell(shown(line.unknown)),
            ]
        })
        .collect();
    let columns = [
        text(words.pick("区县", "County")),
        number(words.pick("待发放", "To deliver")),
        number(words.pick("金额 (元)", "Worth (yuan)")),
        number(words.pick("已发放", "Given")),
        number(words.pick("待查明", "To settle")),
    ];
    html! { div.two {
        (chart::bars(words.pick("待发放的待遇, 分区县", "Grants to be delivered, by county"), &bars))
        (table(words.pick("分区县", "By county"), &columns, &rows))
    } }
}

fn trend(overview: &Overview<'_>) -> Markup {
    let words = overview.words;
    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    let points: Vec<Bar> =
        overview.runs.iter().map(|(day, granted)| Bar { name: day.clone(), value: *granted as f64, shown: count(*granted) }).collect();
    html! {
        (chart::line(words.pick("各批次待发放的待遇", "Grants to be delivered, run by run"), &points))
        p { a href=(words.at("runs")) { (words.pick("全部批次", "All runs")) } }
    }
}

fn requests(overview: &Overview<'_>) -> Markup {
    let words = overview.words;
    if overview.requests.is_empty() {
        return html! { p { (words.pick("没有", "None")) } };
    }
    let rows: Vec<Vec<Markup>> = overview
        .requests
        .iter()
        .take(MOST)
        .map(|asked| {
            let kind = SubjectKind::named(&asked.kind);
            let label =
                kind.and_then(|kind| overview.catalogue.find(kind, &asked.fact)).map(|id| words.say(&overview.catalogue.fact(id).label));
            let register = asked.register.as_deref().map(|name| match overview.registers.registers.get(name) {
                Some(register) => html! { (words.say(&register.label)) " " span.soft { (chinese(words, &register.kept_by)) } },
                None => cell(name),
            });
            vec![
                html! { (label.unwrap_or(&asked.fact)) " " span.soft { code { (asked.fact) } } },
                register.unwrap_or_else(|| cell("–")),
                html! { (cause(words, &asked.cause)) @if asked.whole_register { " · " (words.pick("整库", "whole register")) } },
                cell(few(asked.settles, overview.least)),
                cell(few(asked.takes_part, overview.least)),
                cell(if asked.settles >= overview.least { money(asked.amount) } else { "∗".to_owned() }),
            ]
        })
        .collect();
    let columns = [
        text(words.pick("事实", "Fact")),
        text(words.pick("登记库", "Register")),
        text(words.pick("原因", "Why")),
        number(words.pick("可查明", "Settles")),
        number(words.pick("有关", "Takes part in")),
        number(words.pick("估计金额 (元)", "About (yuan)")),
    ];
    table(words.pick("补上这些数据, 能查明多少判定", "How many verdicts these data would settle"), &columns, &rows)
}

fn few(number: u64, least: u64) -> String {
    if (1..least).contains(&number) { "∗".to_owned() } else { count(number) }
}

/// Why a fact is unknown, in words.
pub(super) fn cause(words: Words, cause: &str) -> &str {
    match cause {
        "missing" => words.pick("没有登记", "not on record"),
        "stale" => words.pick("登记过期", "out of date"),
        "conflict" => words.pick("登记冲突", "registers disagree"),
        other => other,
    }
}

fn quarantine(overview: &Overview<'_>) -> Markup {
    let words = overview.words;
    if overview.quarantine.is_empty() {
        return html! { p { (words.pick("没有", "None")) } };
    }
    let rows: Vec<Vec<Markup>> = overview
        .quarantine
        .iter()
        .take(MOST)
        .map(|aside| {
            let label = overview.registers.registers.get(&aside.register).map(|register| words.say(&register.label));
            vec![
                html! { (label.unwrap_or(&aside.register)) " " span.soft { code { (aside.register) } } },
                cell(&aside.column),
                cell(&aside.reason),
                cell(count(aside.rows)),
            ]
        })
        .collect();
    let columns = [
        text(words.pick("登记库", "Register")),
        text(words.pick("列", "Column")),
        text(words.pick("原因", "Reason")),
        number(words.pick("行数", "Rows")),
    ];
    table(
        words.pick("读不进的登记行, 内容见结果文件", "Rows that could not be taken; what stood in them is in the result files"),
        &columns,
        &rows,
    )
}
