//! The policies: a list, and a page for each: criteria beside clauses, funnel, counties, cases, what it rests on.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use maud::{Markup, html};

use super::chart;
use super::frame::{Words, card, cell, chinese, count, money, number, region, section, shown, table, text, time};
use super::overview::{cause, policy_link};
use crate::cases::Outcome;
use crate::check::CheckedPolicy;
use crate::dossier::Cause;
use crate::lsp::Workspace;
use crate::policy::document::{Mode, PolicyDocument};
use crate::policy::{Standing, standings};
use crate::readiness::reads::Reads;
use crate::report::site::Parts;
use crate::serve::figures::{Asked, Summed};

/// What the list is made of.
pub(super) struct List<'a> {
    pub(super) words: Words,
    pub(super) workspace: &'a Workspace,
    pub(super) as_of: NaiveDate,
    /// By code; empty without a run.
    pub(super) figures: BTreeMap<String, Summed>,
    /// Which policies are shown.
    pub(super) sees: &'a dyn Fn(&str) -> bool,
}

/// How a policy reaches people, in a word.
pub(super) fn mode(words: Words, mode: Mode) -> &'static str {
    match mode {
        Mode::Automatic => words.pick("免申即享", "automatic"),
        Mode::Confirm => words.pick("一键确认", "confirm"),
        Mode::Commit => words.pick("承诺即享", "commit"),
        Mode::Review => words.pick("人工审核", "review"),
    }
}

/// The list.
pub(super) fn list(list: &List<'_>) -> Markup {
    let words = list.words;
    let policies = &list.workspace.set.policies;
    let in_force = policies.iter().zip(standings(policies, list.as_of)).filter(|(_, standing)| *standing == Standing::InForce);
    let documents: Vec<&PolicyDocument> =
        in_force.map(|(document, _)| &**document).filter(|document| (list.sees)(&document.code)).collect();
    let rows: Vec<Vec<Markup>> = documents
        .iter()
        .map(|document| {
            let figures = list.figures.get(&document.code);
            let figure = |get: fn(&Summed) -> Option<u64>| cell(figures.map_or_else(|| "–".to_owned(), |line| shown(get(line))));
            vec![
                policy_link(words, &list.workspace.set, &document.code),
                chinese(words, &document.authority_name),
                cell(region(words, &list.workspace.regions, &document.covers.region)),
                cell(words.kind(document.subject)),
                cell(mode(words, document.delivery.mode)),
                figure(|line| line.granted),
                cell(figures.map_or_else(|| "–".to_owned(), |line| line.amount.map_or_else(|| "∗".to_owned(), money))),
                figure(|line| line.unknown),
            ]
        })
        .collect();
    let columns = [
        text(words.pick("政策", "Policy")),
        text(words.pick("机关", "Authority")),
        text(words.pick("地区", "Where")),
        text(words.pick("对象", "For")),
        text(words.pick("方式", "How")),
        number(words.pick("待发放", "To deliver")),
        number(words.pick("金额 (元)", "Worth (yuan)")),
        number(words.pick("待查明", "To settle")),
    ];
    html! {
        h1 { (words.pick("政策", "Policies")) }
        p {
            (documents.len()) (words.pick("项政策在 ", " policies are in force on ")) (time(&list.as_of.to_string())) (words.pick(" 有效。", ". "))
            a href=(words.at("index.html")) { (words.pick("办事指南", "Guides for people")) }
        }
        (table(words.pick("有效的政策, 及最近批次的结果", "Policies in force, and what the last run found"), &columns, &rows))
    }
}

/// What the page of a policy is made of.
pub(super) struct Sheet<'a> {
    pub(super) words: Words,
    pub(super) workspace: &'a Workspace,
    pub(super) document: &'a PolicyDocument,
    /// None where the policy has faults or is not in force.
    pub(super) checked: Option<&'a CheckedPolicy>,
    pub(super) parts: Parts,
    /// None without a run, and for a policy of other departments.
    pub(super) figures: Option<Summed>,
    /// Whether the policy is that of other departments.
    pub(super) outside: bool,
    pub(super) by_county: Vec<Summed>,
    /// Criterion, still yes, still possible.
    pub(super) steps: Vec<(String, Option<u64>, Option<u64>)>,
    pub(super) cases: Vec<Outcome>,
    pub(super) requests: Vec<Asked>,
    /// Of the run: registers that gave nothing, and the day that each speaks for.
    pub(super) silent: BTreeMap<String, Cause>,
    pub(super) data_days: BTreeMap<String, NaiveDate>,
    /// Whether to lead to the rule bench.
    pub(super) bench: bool,
}

/// The page of a policy.
pub(super) fn sheet(sheet: &Sheet<'_>) -> Markup {
    let (words, document) = (sheet.words, sheet.document);
    html! {
        p.crumb { a href=(words.at("policies")) { (words.pick("政策", "Policies")) } " / " (chinese(words, &document.authority_name)) }
        h1 { (words.say(&document.name)) }
        div.row {
            @if sheet.bench { a.button href=(words.at(&format!("bench/{}", document.code))) { (words.pick("在规则试算台打开", "Open on the rule bench")) } }
            a.button.second href=(words.at(&format!("policies/{}.html", document.code))) { (words.pick("办事指南", "Guide for people")) }
        }
        (sheet.parts.glance)
        (figures(sheet))
        @if !sheet.steps.is_empty() { (section("funnel", words.pick("逐条筛选", "Criterion by criterion"), &funnel(sheet))) }
        (section("conditions", words.pick("条件与条文", "Criteria beside their clauses"), &sheet.parts.conditions))
        (section("amounts", words.pick("待遇标准", "What it is worth"), &sheet.parts.amounts))
        @if !sheet.by_county.is_empty() { (section("counties", words.pick("分区县", "By county"), &counties(sheet))) }
        (section("cases", words.pick("案例", "Cases"), &cases(sheet)))
        (section("readiness", words.pick("数据就绪", "What it rests on, and how ready that is"), &readiness(sheet)))
        @if !sheet.parts.relations.0.is_empty() { (section("relations", words.pick("与其他政策的关系和限额", "Other policies, caps and budgets"), &sheet.parts.relations)) }
        (section("basis", words.pick("依据", "Basis in law"), &sheet.parts.basis))
    }
}

fn figures(sheet: &Sheet<'_>) -> Markup {
    let words = sheet.words;
    let Some(line) = &sheet.figures else {
        let why = if sheet.outside {
            words.pick("这项政策归其他部门, 数字不显示。", "The policy is another department's: its figures are not shown.")
        } else {
            words.pick("最近的批次没有判定这项政策。", "The last run did not judge this policy.")
        };
        return html! { p.notice { (why) } };
    };
    html! { div.numbers {
        (card(words.pick("待发放", "To be delivered"), &shown(line.granted), &html! {}))
        (card(words.pick("金额 (元)", "Worth (yuan)"), &line.amount.map_or_else(|| "∗".to_owned(), money), &html! {}))
        (card(words.pick("已发放", "Given already"), &shown(line.given), &html! {}))
        (card(words.pick("承诺即享", "One confirmation away"), &shown(line.offers), &html! {}))
        (card(words.pick("待查明", "To be settled"), &shown(line.unknown), &html! {}))
    } }
}

/// What people call a step of the criteria.
pub(super) fn step_name(words: Words, document: &PolicyDocument, id: &str) -> String {
    if id == "requires" {
        return words.pick("须同时享受的政策", "policies that are required").to_owned();
    }
    let criteria = document.criteria.criteria();
    let Some(criterion) = criteria.iter().find(|criterion| criterion.id == id) else { return id.to_owned() };
    match (&criterion.label, &criterion.clause, words.0) {
        (Some(label), ..) => words.say(label).to_owned(),
        (None, Some(clause), crate::diagnostic::Lang::Zh) => clause.clone(),
        _ => id.to_owned(),
    }
}

fn funnel(sheet: &Sheet<'_>) -> Markup {
    let words = sheet.words;
    let most = sheet.steps.iter().filter_map(|(_, yes, possible)| (*possible).max(*yes)).max().unwrap_or(0);
    let rows: Vec<Vec<Markup>> = sheet
        .steps
        .iter()
        .map(|(id, yes, possible)| {
            let unknown = yes.zip(*possible).map(|(yes, possible)| possible.saturating_sub(yes));
            vec![
                cell(step_name(words, sheet.document, id)),
                cell(shown(*yes)),
                cell(shown(unknown)),
                chart::pair(possible.unwrap_or(0), yes.unwrap_or(0), most),
            ]
        })
        .collect();
    let columns = [
        text(words.pick("条件", "Criterion")),
        number(words.pick("仍符合", "Still met")),
        number(words.pick("仍待查明", "Still open")),
        text(words.pick("图", "Picture")),
    ];
    html! {
        (chart::key(words.pick("符合或待查明", "met or open"), words.pick("符合", "met")))
        (table(words.pick("符合这一条及以前各条的", "Who meets this criterion and all before it"), &columns, &rows))
    }
}

fn counties(sheet: &Sheet<'_>) -> Markup {
    let words = sheet.words;
    let name = |code: &str| region(words, &sheet.workspace.regions, code);
    #[expect(clippy::cast_precision_loss, reason = "a picture")]
    let bars: Vec<chart::Bar> = sheet
        .by_county
        .iter()
        .filter_map(|line| Some((line, line.granted.filter(|granted| *granted > 0)?)))
        .map(|(line, granted)| chart::Bar { name: name(&line.of), value: granted as f64, shown: count(granted) })
        .collect();
    let rows: Vec<Vec<Markup>> = sheet
        .by_county
        .iter()
        .map(|line| {
            let money = line.amount.map_or_else(|| "∗".to_owned(), money);
            vec![cell(name(&line.of)), cell(shown(line.granted)), cell(money), cell(shown(line.given)), cell(shown(line.unknown))]
        })
        .collect();
    let columns = [
        text(words.pick("区县", "County")),
        number(words.pick("待发放", "To deliver")),
        number(words.pick("金额 (元)", "Worth (yuan)")),
        number(words.pick("已发放", "Given")),
        number(words.pick("待查明", "To settle")),
    ];
    html! { div.two { (chart::bars(words.pick("待发放的待遇", "Grants to be delivered"), &bars)) (table(words.pick("分区县", "By county"), &columns, &rows)) } }
}

fn cases(sheet: &Sheet<'_>) -> Markup {
    let words = sheet.words;
    if sheet.cases.is_empty() {
        return html! { p { (words.pick("没有案例。", "There are no cases.")) } };
    }
    let passed = sheet.cases.iter().filter(|outcome| outcome.passed()).count();
    let rows: Vec<Vec<Markup>> = sheet
        .cases
        .iter()
        .map(|outcome| {
            let got = outcome.got.as_ref();
            vec![
                chinese(words, &outcome.case.name),
                time(&outcome.case.as_of.to_string()),
                html! {
                    (got.map_or("–", |got| verdict(words, got.verdict)))
                    @if let Some(amount) = got.and_then(|got| got.amount.as_ref()) { " " (amount) }
                },
                html! {
                    @if outcome.passed() { span.ok { "✓ " (words.pick("通过", "passes")) } }
                    @else { span.warn { "✗ " (words.pick("不通过", "fails")) } }
                },
                chinese(words, outcome.case.because.as_deref().unwrap_or_default()),
            ]
        })
        .collect();
    let columns = [
        text(words.pick("案例", "Case")),
        text(words.pick("日期", "Day")),
        text(words.pick("结果", "Result")),
        text(words.pick("通过", "Passes")),
        text(words.pick("理由", "Because")),
    ];
    html! {
        p { (passed) " / " (sheet.cases.len()) " " (words.pick("个案例通过", "cases pass")) }
        details {
            summary { (words.pick("全部案例", "All cases")) }
            (table(words.pick("案例", "Cases"), &columns, &rows))
        }
    }
}

/// A verdict in a word.
pub(super) fn verdict(words: Words, verdict: &str) -> &str {
    match verdict {
        "yes" => words.pick("符合", "yes"),
        "no" => words.pick("不符合", "no"),
        "unknown" => words.pick("未知", "unknown"),
        "outside" => words.pick("不适用", "not for this subject"),
        other => other,
    }
}

/// Registers that the policy reads: who keeps each, of which day it is, which facts come of it, what it leaves open.
fn readiness(sheet: &Sheet<'_>) -> Markup {
    let words = sheet.words;
    let Some(policy) = sheet.checked else { return html! { p { (words.pick("这项政策不在运行。", "This policy is not run.")) } } };
    let checked = &sheet.workspace.checked;
    let all: BTreeMap<&str, &CheckedPolicy> = checked.policies.iter().map(|policy| (policy.document.code.as_str(), policy)).collect();
    let reads = Reads::of(policy, &checked.catalogue, &all);
    let rows: Vec<Vec<Markup>> = reads
        .registers
        .iter()
        .map(|name| {
            let declaration = sheet.workspace.registers.registers.get(name);
            let facts: Vec<&str> = reads
                .facts
                .iter()
                .filter(|read| read.registers.contains(name))
                .map(|read| words.say(&checked.catalogue.fact(read.fact).label))
                .collect();
            let open: Vec<&Asked> = sheet.requests.iter().filter(|asked| asked.register.as_deref() == Some(name.as_str())).collect();
            let open =
                open.iter().filter(|asked| reads.facts.iter().any(|read| *read.name == *asked.fact || read.name.ends_with(&asked.fact)));
            let open: Vec<String> = open.map(|asked| format!("{} ({})", asked.fact, cause(words, &asked.cause))).collect();
            vec![
                html! {
                    (declaration.map_or(name.as_str(), |register| words.say(&register.label)))
                    @if let Some(register) = declaration { " " span.soft { (chinese(words, &register.kept_by)) } }
                },
                html! { @match sheet.data_days.get(name) { Some(day) => (time(&day.to_string())), None => "–" } },
                html! { @match sheet.silent.get(name) {
                    Some(Cause::Missing) => span.warn { "✗ " (words.pick("没有来", "did not come")) },
                    Some(_) => span.wait { "! " (words.pick("过期", "out of date")) },
                    None if sheet.data_days.contains_key(name) => span.ok { "✓ " (words.pick("就绪", "ready")) },
                    None => "–",
                } },
                cell(facts.join(words.pick("、", ", "))),
                cell(if open.is_empty() { "–".to_owned() } else { open.join("; ") }),
            ]
        })
        .collect();
    let columns = [
        text(words.pick("登记库", "Register")),
        text(words.pick("数据日", "Data day")),
        text(words.pick("状态", "State")),
        text(words.pick("取用的事实", "Facts that come of it")),
        text(words.pick("全库待查明的事实", "Facts that leave verdicts open")),
    ];
    table(words.pick("这项政策取用的登记库", "Registers that the policy reads"), &columns, &rows)
}
