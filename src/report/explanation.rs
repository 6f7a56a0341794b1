//! Reasons as one HTML file: no scripts, nothing loaded, readable aloud, printable; the rule beside its clause.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::diagnostic::{Lang, Message};
use crate::explain::Verdict;
use crate::explain::overview::{Entry, Overview, Standing};
use crate::explain::reason::{CriterionReason, FactReason, Group, Reason, ReasonNode, Tie};
use crate::explain::value::{grouped, with_unit};
use crate::explain::why_not::{Cell, StepCounts, WhyNot};

/// Colours keep a contrast of 7 to 1 and more on their ground; a verdict is always told in words, too.
const STYLE: &str = "
:root{color-scheme:light}
*{box-sizing:border-box}
body{margin:0 auto;max-width:58rem;padding:1.5rem;font:1rem/1.6 system-ui,'Noto Sans CJK SC','Microsoft YaHei',sans-serif;color:#1a1a1a;background:#fff}
h1{font-size:1.5rem;line-height:1.3;margin:.2rem 0 .6rem}h2{font-size:1.15rem;margin:1.6rem 0 .5rem;border-bottom:2px solid #1a1a1a}h3{font-size:1.05rem;margin:1.1rem 0 .3rem}
p{margin:.35rem 0}.meta,.source{color:#454545;font-size:.9rem}
.verdict{display:inline-block;border:2px solid;border-radius:.3rem;padding:0 .5rem;font-weight:700}
.yes{color:#0b5223}.no{color:#8a1212}.unknown{color:#5c3f00}.outside{color:#454545}
ul.tree{list-style:none;padding-left:1.1rem;margin:.3rem 0;border-left:2px solid #c4c4c4}ul.tree>li{margin:.55rem 0}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:.3rem 1.2rem}
.clause{background:#f4f1e6;padding:.35rem .6rem}.rule{background:#eef2f6;padding:.35rem .6rem;overflow-wrap:anywhere}
code{font-family:ui-monospace,Consolas,monospace;font-size:.9rem}
ul.facts{margin:.25rem 0;padding-left:1.3rem;font-size:.95rem}
table{border-collapse:collapse;width:100%;margin:.5rem 0}caption{text-align:left;font-weight:700;padding:.2rem 0}th,td{border:1px solid #8a8a8a;padding:.3rem .5rem;text-align:left;vertical-align:top}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.bar{display:block;height:.45rem;background:#2f5d8a}
article{border:1px solid #8a8a8a;border-radius:.3rem;padding:.2rem 1rem .6rem;margin:.7rem 0}h2,h3{break-after:avoid}
footer{margin-top:2rem;border-top:1px solid #8a8a8a;padding-top:.5rem}
@media (max-width:40rem){.pair{grid-template-columns:1fr}}
@media print{body{max-width:none;padding:0;font-size:10.5pt}ul.tree>li,tr{break-inside:avoid}.clause,.rule,.bar{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
";

/// A language with its words.
#[derive(Clone, Copy)]
struct Words(Lang);

impl Words {
    fn pick(self, zh: &'static str, en: &'static str) -> &'static str {
        if self.0 == Lang::Zh { zh } else { en }
    }

    fn of(self, message: &Message) -> &str {
        message.get(self.0)
    }

    fn verdict(self, verdict: Verdict) -> &'static str {
        match verdict {
            Verdict::Yes => self.pick("符合", "yes"),
            Verdict::No => self.pick("不符合", "no"),
            Verdict::Unknown => self.pick("未知", "unknown"),
            Verdict::Outside => self.pick("不适用", "not for this subject"),
        }
    }
}

/// The page of one subject and one policy.
#[must_use]
pub fn of_reason(reason: &Reason, lang: Lang) -> String {
    let words = Words(lang);
    let title = format!("{} {}", words.of(&reason.name), reason.policy);
    let body = html! {
        header {
            h1 { (words.of(&reason.name)) }
            p.meta { (reason.policy) " · " (words.pick("判定日", "as of")) " " (time(&reason.as_of)) }
            p { (mark(words, reason.verdict)) }
        }
        main {
            section {
                h2 { (words.pick("说明", "In plain words")) }
                (sentences(words, &reason.plain))
            }
            section {
                h2 { (words.pick("条件与依据", "Conditions and their basis")) }
                (conditions(words, reason))
            }
            @if let Some(amount) = &reason.amount {
                section {
                    h2 { (words.pick("金额", "Amount")) }
                    @let value = amount.amount.as_ref().map(|text| with_unit(&grouped(text), Some(&amount.unit)));
                    p { (value.as_ref().map_or(words.pick("未知", "unknown"), |value| words.of(value))) @if amount.per_member { " " (words.pick("每人", "for each member")) } }
                    div.pair {
                        div.clause { (amount.clause.as_deref().unwrap_or("–")) }
                        div.rule { code { (amount.formula) } @if let Some(numbers) = &amount.numbers { br; code { "= " (words.of(numbers)) } } }
                    }
                    (facts(words, &amount.facts))
                }
            }
        }
    };
    page(words, &title, &body)
}

/// The page of one subject across all policies.
#[must_use]
pub fn of_subject(overview: &Overview, lang: Lang) -> String {
    let words = Words(lang);
    let title = format!("{} {}", words.pick("一人一档", "One subject, all policies"), overview.subject);
    let body = html! {
        header {
            h1 { (title) }
            p.meta { (words.pick("判定日", "as of")) " " (time(&overview.as_of)) " · " (words.pick("看到", "looking ahead to")) " " (time(&overview.until)) }
        }
        main {
            @for standing in Standing::ALL {
                @let entries: Vec<&Entry> = overview.of(standing).collect();
                @if !entries.is_empty() {
                    section {
                        h2 { (words.of(&standing.heading())) " (" (entries.len()) ")" }
                        @for entry in entries { (one_entry(words, entry)) }
                    }
                }
            }
        }
    };
    page(words, &title, &body)
}

fn one_entry(words: Words, entry: &Entry) -> Markup {
    let reason = &entry.reason;
    html! {
        article {
            h3 { (words.of(&reason.name)) " " small { (reason.policy) } }
            p { (mark(words, reason.verdict)) @if let Some(from) = &entry.from { " " (words.pick("符合之日:", "from")) " " (time(from)) } }
            @for payment in &entry.paid {
                p { (words.pick("已发", "paid")) " " (grouped(&payment.amount)) " " (payment.period) " " (time(&payment.paid_on)) }
            }
            @if entry.standing != Standing::Outside {
                (sentences(words, &reason.plain[1.min(reason.plain.len())..]))
                details {
                    summary { (words.pick("条件与依据", "Conditions and their basis")) }
                    (conditions(words, reason))
                }
            }
        }
    }
}

/// The policies of an overview, by standing, as a part of a page.
#[must_use]
pub fn standings(overview: &Overview, lang: Lang) -> Markup {
    let words = Words(lang);
    html! {
        @for standing in Standing::ALL {
            @let entries: Vec<&Entry> = overview.of(standing).collect();
            @if !entries.is_empty() {
                section {
                    h3 { (words.of(&standing.heading())) " (" (entries.len()) ")" }
                    @if matches!(standing, Standing::No | Standing::Outside) && entries.len() > 3 {
                        details { summary { (words.pick("展开", "Show them")) } @for entry in entries { (one_entry(words, entry)) } }
                    } @else {
                        @for entry in entries { (one_entry(words, entry)) }
                    }
                }
            }
        }
    }
}

/// The reasons of one policy, as a part of a page: in plain words, then criterion by criterion.
#[must_use]
pub fn reason(reason: &Reason, lang: Lang) -> Markup {
    let words = Words(lang);
    html! { p { (mark(words, reason.verdict)) } (sentences(words, &reason.plain)) (conditions(words, reason)) }
}

/// The page of one policy across people.
#[must_use]
pub fn of_people(told: &WhyNot, lang: Lang) -> String {
    let words = Words(lang);
    let title = format!("{} {}", words.of(&told.name), told.policy);
    let most = told.steps.iter().filter_map(|step| step.first).max().unwrap_or(0).max(1);
    let body = html! {
        header {
            h1 { (words.of(&told.name)) ": " (words.pick("为什么没有享受", "why people do not get it")) }
            p.meta { (told.policy) " · " (words.pick("判定日", "as of")) " " (time(&told.as_of)) }
            p {
                (words.pick("符合", "yes")) " " (cell(told.yes)) " · " (words.pick("不符合", "no")) " " (cell(told.no)) " · "
                (words.pick("未知", "unknown")) " " (cell(told.unknown))
            }
        }
        main {
            table {
                caption { (words.pick("先不符合哪一条, 只差哪一条", "Which criterion fails first, and which alone")) }
                thead { tr {
                    th scope="col" { (words.pick("条件", "Criterion")) }
                    th.n scope="col" { (words.pick("先不符合", "Fails first")) }
                    th.n scope="col" { (words.pick("只差这一条", "Fails alone")) }
                } }
                tbody {
                    @for step in &told.steps {
                        tr {
                            th scope="row" {
                                (words.of(&step.label)) " " code { (step.criteria.join(" / ")) }
                                @if let Some(first) = step.first { span.bar aria-hidden="true" style=(format!("width:{}%", first * 100 / most)) {} }
                            }
                            td.n { (cell(step.first)) }
                            td.n { (cell(step.sole)) }
                        }
                    }
                }
            }
            @for step in told.steps.iter().filter(|step| !step.bands.is_empty()) { (bands(words, step)) }
        }
        @if told.smallest_cell > 1 {
            p.source {
                "* " (words.pick("少于", "fewer than")) " " (told.smallest_cell) " "
                (words.pick("人, 或由其可以算出这样的人数, 不显示", "people, or a number that would give such a one away"))
            }
        }
    };
    page(words, &title, &body)
}

fn bands(words: Words, step: &StepCounts) -> Markup {
    html! {
        table {
            caption {
                (words.of(&step.label)) ": " (words.pick("只差这一条的人相差多少", "how far off those are who fail it alone"))
                @if let Some(measure) = &step.measure { " (" (words.of(measure)) ")" }
            }
            thead { tr { th scope="col" { (words.pick("相差", "Off by")) } th.n scope="col" { (words.pick("人数", "People")) } } }
            tbody {
                @for band in &step.bands {
                    tr {
                        th scope="row" { @if band.above == band.up_to { (band.up_to) } @else { (band.above) " – " (band.up_to) } }
                        td.n { (cell(band.count)) }
                    }
                }
            }
        }
    }
}

fn cell(cell: Cell) -> String {
    cell.map_or_else(|| "*".to_owned(), super::count)
}

fn page(words: Words, title: &str, body: &Markup) -> String {
    let lang = words.pick("zh-CN", "en");
    let page = html! {
        (DOCTYPE)
        html lang=(lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                footer { p.source { (words.pick(
                    "依登记数据和政策条文算出; 对登记或结果有异议的, 可以提出。",
                    "Worked out from registers and the text of the policy; what is on record, and the result, can be objected to.",
                )) } }
            }
        }
    };
    page.into_string() + "\n"
}

fn time(day: &str) -> Markup {
    html! { time datetime=(day) { (day) } }
}

fn mark(words: Words, verdict: Verdict) -> Markup {
    html! { span class=(format!("verdict {}", verdict.name())) { (sign(verdict)) " " (words.verdict(verdict)) } }
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Yes => "✓",
        Verdict::No => "✗",
        Verdict::Unknown => "?",
        Verdict::Outside => "–",
    }
}

fn sentences(words: Words, plain: &[Message]) -> Markup {
    html! { @for sentence in plain { p { (words.of(sentence)) } } }
}

fn conditions(words: Words, reason: &Reason) -> Markup {
    html! {
        ul.tree {
            li {
                (mark(words, reason.coverage.verdict)) " " (words.pick("适用范围", "Covers")) ": " (words.of(&reason.coverage.name)) " " (reason.coverage.region)
                @if let Some(fact) = &reason.coverage.fact { (facts(words, std::slice::from_ref(fact))) }
            }
            li { (node(words, &reason.criteria)) }
            @for tie in &reason.requires { li { (required(words, tie)) } }
        }
    }
}

fn required(words: Words, tie: &Tie) -> Markup {
    html! { (mark(words, tie.verdict)) " " (words.pick("须同时享受", "Must also be entitled to")) ": " (words.of(&tie.name)) " " (tie.policy) }
}

fn node(words: Words, node: &ReasonNode) -> Markup {
    let (head, group): (String, &Group) = match node {
        ReasonNode::Criterion(criterion) => return one_criterion(words, criterion),
        ReasonNode::All(group) => (words.pick("全部符合", "All of these").to_owned(), group),
        ReasonNode::Any(group) => (words.pick("任一符合", "Any of these").to_owned(), group),
        ReasonNode::Not(group) => (words.pick("不得符合", "Must not hold").to_owned(), group),
        ReasonNode::AtLeast(group) => {
            let count = group.count.unwrap_or_default();
            (format!("{} {count}", words.pick("至少符合", "At least")), group)
        }
    };
    html! {
        (mark(words, group.verdict)) " " (head)
        ul.tree { @for item in &group.items { li { (self::node(words, item)) } } }
    }
}

fn one_criterion(words: Words, criterion: &CriterionReason) -> Markup {
    html! {
        p { (mark(words, criterion.verdict)) " " strong { (criterion.label.as_ref().map_or(criterion.id.as_str(), |label| words.of(label))) } }
        div.pair {
            div.clause { (criterion.clause.as_deref().unwrap_or("–")) }
            div.rule { code { (criterion.when) } }
        }
        @if !criterion.terms.is_empty() {
            ul.facts { @for term in &criterion.terms {
                li { code { (term.text) } " = " (term.value.as_ref().map_or(words.pick("未知", "unknown"), |value| words.of(value))) }
            } }
        }
        (facts(words, &criterion.facts))
    }
}

fn facts(words: Words, all: &[FactReason]) -> Markup {
    html! {
        @if !all.is_empty() {
            ul.facts {
                @for fact in all {
                    li {
                        (words.of(&fact.label)) ": " (fact.shown.as_ref().map_or(words.pick("未知", "unknown"), |value| words.of(value)))
                        @if let Some(cause) = fact.cause { " (" (words.of(&cause.words())) ")" }
                        @for register in &fact.registers {
                            " " span.source { "[" (words.of(&register.label)) ", " (register.kept_by) @if let Some(day) = &register.data_day { ", " (time(day)) } "]" }
                        }
                        (facts(words, &fact.from))
                    }
                }
            }
        }
    }
}
