//! The answer of the rule bench: what is wrong with an edit, or what comes of it against the law in force.

use maud::{Markup, html};

use super::chart;
use super::frame::{HIDDEN, Words, cell, count, money, number, region, section, shown, table, text};
use super::told;
use crate::diagnostic::Diagnostic;
use crate::region::RegionTree;
use crate::report::explanation;
use crate::simulate::results::{Class, Line, PolicyLine, Results, Step, Tally};
use crate::simulate::trial::Trial;

/// Whose answer, and in which language.
#[derive(Clone, Copy)]
pub(super) struct Telling<'a> {
    pub(super) words: Words,
    /// The policy in the editor.
    pub(super) code: &'a str,
    /// The text in the editor.
    pub(super) text: &'a str,
    pub(super) regions: &'a RegionTree,
}

/// What is wrong.
pub(super) fn faults(telling: Telling<'_>, diagnostics: &[Diagnostic]) -> Markup {
    let words = telling.words;
    let headline = format!("{} {}", diagnostics.len(), words.pick("处需要处理, 没有试算", "to be mended; nothing was tried"));
    html! {
        h2 data-state=(headline) { (words.pick("有错误", "There are mistakes")) }
        p { (headline) }
        (told::list(words, diagnostics, telling.text))
    }
}

/// What came of it.
pub(super) fn answer(telling: Telling<'_>, trial: &Trial) -> Markup {
    let words = telling.words;
    let results = &trial.results;
    let seconds = trial.seconds.iter().find(|(stage, _)| *stage == "total").map_or(0.0, |(_, seconds)| *seconds);
    let judged: u64 = results.judged.iter().sum();
    let state = match words.0 {
        crate::diagnostic::Lang::Zh => format!("在 {} 份档案上试算, 用时 {seconds:.2} 秒", count(judged)),
        crate::diagnostic::Lang::En => format!("tried on {} dossiers in {seconds:.2} seconds", count(judged)),
    };
    let own = results.policies.iter().position(|policy| *policy.code == *telling.code);
    html! {
        h2 data-state=(state) { (words.pick("改动的结果", "What the edit comes to")) }
        p.soft { (state) " · " (words.pick("判定日 ", "as of ")) (results.as_of.to_string()) }
        @if !trial.told.is_empty() { details open[trial.told.len() < 4] {
            summary { (trial.told.len()) " " (words.pick("条提醒", "warnings")) }
            (told::list(words, &trial.told, telling.text))
        } }
        @match own {
            Some(at) => (policy(telling, results, at)),
            None => p.notice { (words.pick("改动后的政策在判定日不在有效期内。", "The edited policy is not in force on the day.")) },
        }
        (reached(telling, trial))
        (people(telling, results))
        details {
            summary { (words.pick("各步用时", "Seconds by stage")) }
            ul.plain { @for (stage, seconds) in &trial.seconds { li { (stage) ": " (format!("{seconds:.3}")) } } }
        }
    }
}

fn policy(telling: Telling<'_>, results: &Results, at: usize) -> Markup {
    let words = telling.words;
    let line = &results.policies[at];
    let total = results.total(at);
    html! {
        (numbers(telling, line, total))
        (section("funnel", words.pick("逐条筛选", "Criterion by criterion"), &funnel(telling, line)))
        (section("by-county", words.pick("分区县", "By county"), &counties(telling, results, at)))
    }
}

/// A count of before and one of after, with what lies between.
fn change(before: Option<u64>, after: Option<u64>) -> Markup {
    let (Some(before), Some(after)) = (before, after) else { return html! { (HIDDEN) } };
    let sign = if after > before { format!("+{}", count(after - before)) } else { format!("−{}", count(before - after)) };
    html! { (count(before)) " → " (count(after)) @if before != after { " " span .gain[after > before] .lose[after < before] { (sign) } } }
}

fn money_change([before, after]: [i64; 2]) -> Markup {
    let sign = if after > before { format!("+{}", money(after - before)) } else { format!("−{}", money(before - after)) };
    html! { (money(before)) " → " (money(after)) @if before != after { " " span .gain[after > before] .lose[after < before] { (sign) } } }
}

fn numbers(telling: Telling<'_>, line: &PolicyLine, total: Option<&Line>) -> Markup {
    let words = telling.words;
    let open = total.filter(|total| !total.hidden).map(|total| &total.tally);
    let tally = |get: fn(&Tally) -> u64| open.map(get);
    let card = |name: &str, value: &Markup| html! { div.card.number { span.name { (name) } b { (value) } } };
    // Nobody has it on either side: there is no line, and nothing to hide.
    let nobody = total.is_none();
    let of = |get: fn(&Tally) -> u64| if nobody { Some(0) } else { tally(get) };
    let granted = (!line.few_rows).then_some(line.granted);
    html! {
        div.numbers {
            (card(words.pick("享受的对象", "Who has it"), &change(of(|tally| tally.before), of(|tally| tally.after))))
            (card(words.pick("新享受", "Gain it"), &html! { span.gain { (shown(of(|tally| tally.of(Class::Gains)))) } }))
            (card(words.pick("不再享受", "Lose it"), &html! { span.lose { (shown(of(|tally| tally.of(Class::Loses)))) } }))
            (card(words.pick("金额增加 / 减少", "Get more / less"), &html! { (shown(of(|tally| tally.of(Class::More)))) " / " (shown(of(|tally| tally.of(Class::Less)))) }))
            (card(words.pick("待查明", "To be settled"), &change(line.unknown[0], line.unknown[1])))
            (card(words.pick("待发放的待遇", "Grants to deliver"), &change(granted.map(|granted| granted[0].0), granted.map(|granted| granted[1].0))))
        }
        @if let Some(tally) = open {
            dl.facts {
                dt { (words.pick("当月金额 (元)", "Due in the month (yuan)")) } dd { (money_change(tally.month)) }
                dt { (words.pick("一年金额 (元)", "In a year (yuan)")) } dd { (money_change(tally.year)) }
            }
        } @else if !nobody {
            p.soft { (HIDDEN) " " (words.pick("人数少于 5, 或由其可以算出这样的人数, 不显示。", "Fewer than 5 people, or a number that would give such a one away: not shown.")) }
        }
    }
}

/// Who meets a step, and who may: none where it is not shown.
type Counts = (Option<u64>, Option<u64>);

fn funnel(telling: Telling<'_>, line: &PolicyLine) -> Markup {
    let words = telling.words;
    let [before, after] = &line.funnel;
    // A criterion that was named anew is the same one; one that was renamed and moved is found by its name.
    let pairs = after.iter().map(|step| (step.same_in(before), Some(step)));
    let gone = before.iter().filter(|step| !after.iter().any(|other| other.same_in(before) == Some(*step)));
    let pairs: Vec<(Option<&Step>, Option<&Step>)> = pairs.chain(gone.map(|step| (Some(step), None))).collect();
    let most = before.iter().chain(after).filter_map(|step| step.yes).max().unwrap_or(0);
    let rows: Vec<Vec<Markup>> = pairs
        .iter()
        .map(|(before, after)| {
            let name = after.or(*before).map_or("", |step| words.say(&step.name));
            let sides = [before, after].map(|step| step.map(|step| (step.yes, step.possible)));
            let both = |get: fn(Counts) -> Option<u64>| {
                let shown = |side: usize| sides[side].map_or_else(|| "–".to_owned(), |step| shown(get(step)));
                cell(format!("{} → {}", shown(0), shown(1)))
            };
            let width = |side: usize| sides[side].and_then(|(yes, _)| yes).unwrap_or(0);
            vec![cell(name), both(|(yes, _)| yes), chart::pair(width(0), width(1), most), both(|(_, possible)| possible)]
        })
        .collect();
    let columns = [
        text(words.pick("条件", "Criterion")),
        number(words.pick("符合", "Met")),
        text(words.pick("图", "Picture")),
        number(words.pick("符合或待查", "Met or open")),
    ];
    html! {
        (chart::key(words.pick("现行", "in force"), words.pick("改动后", "edited")))
        (table(words.pick("符合这一条及以前各条的: 现行 → 改动后", "Who meets this criterion and all before it: in force → edited"), &columns, &rows))
    }
}

fn counties(telling: Telling<'_>, results: &Results, at: usize) -> Markup {
    let words = telling.words;
    let line = &results.policies[at];
    let lines: Vec<&Line> = results.by(line.kind, Some(at), 0).collect();
    if lines.is_empty() {
        return html! { p { (words.pick("没有人因此变动, 或人数太少。", "Nobody is affected, or too few to tell.")) } };
    }
    let rows: Vec<Vec<Markup>> = lines
        .iter()
        .map(|line| {
            let of = |get: fn(&Tally) -> u64| cell(shown((!line.hidden).then(|| get(&line.tally))));
            let month = if line.hidden { cell(HIDDEN) } else { money_change(line.tally.month) };
            vec![
                cell(region(words, telling.regions, &line.value)),
                of(|tally| tally.before),
                of(|tally| tally.after),
                of(|tally| tally.of(Class::Gains)),
                of(|tally| tally.of(Class::Loses)),
                month,
            ]
        })
        .collect();
    let columns = [
        text(words.pick("区县", "County")),
        number(words.pick("现行", "In force")),
        number(words.pick("改动后", "Edited")),
        number(words.pick("新享受", "Gain")),
        number(words.pick("不再享受", "Lose")),
        number(words.pick("当月金额 (元)", "Due in the month (yuan)")),
    ];
    table(words.pick("享受的对象, 分区县", "Who has it, by county"), &columns, &rows)
}

/// Other policies that the edit reaches.
fn reached(telling: Telling<'_>, trial: &Trial) -> Markup {
    let (words, results) = (telling.words, &trial.results);
    let others = results.policies.iter().enumerate();
    let others = others.filter(|(_, policy)| *policy.code != *telling.code && trial.reached.contains(&*policy.code));
    let rows: Vec<Vec<Markup>> = others
        .map(|(at, policy)| {
            let total = results.total(at);
            let of = |get: fn(&Tally) -> u64| match total {
                Some(total) => cell(shown((!total.hidden).then(|| get(&total.tally)))),
                None => cell("0"),
            };
            vec![
                html! { (words.say(&policy.name)) " " span.soft.code { (policy.code) } },
                of(|tally| tally.before),
                of(|tally| tally.after),
                of(|tally| tally.of(Class::Gains)),
                of(|tally| tally.of(Class::Loses)),
            ]
        })
        .collect();
    if rows.is_empty() {
        return html! {};
    }
    let columns = [
        text(words.pick("政策", "Policy")),
        number(words.pick("现行", "In force")),
        number(words.pick("改动后", "Edited")),
        number(words.pick("新享受", "Gain")),
        number(words.pick("不再享受", "Lose")),
    ];
    section(
        "reached",
        words.pick("牵连的其他政策", "Other policies that it reaches"),
        &table(
            words.pick("要求、排斥或提到它的, 或用到同一标准的", "Those that require, exclude or name it, or read the same parameter"),
            &columns,
            &rows,
        ),
    )
}

fn people(telling: Telling<'_>, results: &Results) -> Markup {
    let words = telling.words;
    if results.people.is_empty() {
        return html! {};
    }
    section(
        "people",
        words.pick("抽看几人", "Some of the people"),
        &html! {
            p.soft { (words.pick("按散列抽取, 证件号已遮盖。", "Chosen by a hash; identifiers are masked.")) }
            @for person in &results.people {
                @let policy = &results.policies[person.policy];
                details {
                    summary {
                        span .gain[person.class == Class::Gains || person.class == Class::More] .lose[person.class == Class::Loses || person.class == Class::Less] {
                            (words.say(&person.class.label()))
                        }
                        " " (person.masked)
                        @if *policy.code != *telling.code { " · " (words.say(&policy.name)) }
                        @if person.amount[0] != person.amount[1] { " · " (money(person.amount[0])) " → " (money(person.amount[1])) }
                    }
                    @if !person.turned.is_empty() {
                        ul.plain { @for (name, before, after) in &person.turned {
                            li { (name) ": " (super::policies::verdict(words, before.name())) " → " (super::policies::verdict(words, after.name())) }
                        } }
                    }
                    @if let Some(reason) = &person.reasons[1] { (explanation::reason(reason, words.0)) }
                }
            }
        },
    )
}
