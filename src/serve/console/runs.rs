//! The runs that are kept, and what each of them was: day, inputs, policies, counts.

use maud::{Markup, html};

use super::frame::{Words, cell, chinese, count, number, section, table, text, time};
use super::overview::policy_link;
use crate::policy::document::PolicySet;
use crate::register::declaration::{Registers, SubjectKind};
use crate::serve::clock;
use crate::store::{Run, RunSummary};

/// The list of runs, newest first.
pub(super) fn list(words: Words, runs: &[RunSummary]) -> Markup {
    let rows: Vec<Vec<Markup>> = runs
        .iter()
        .map(|run| {
            let mut cells = vec![
                html! { a href=(words.at(&format!("runs/{}", run.id))) { (words.pick("批次 ", "Run ")) (run.id) } },
                time(&run.as_of.to_string()),
                cell(clock::told(run.loaded_at).get(..19).unwrap_or_default().replace('T', " ")),
            ];
            cells.extend(SubjectKind::ALL.map(|kind| cell(count(run.subjects[kind as usize]))));
            cells.push(cell(count(run.granted)));
            cells
        })
        .collect();
    let columns = [
        text(words.pick("批次", "Run")),
        text(words.pick("判定日", "As of")),
        text(words.pick("装入 (UTC)", "Loaded (UTC)")),
        number(words.kind(SubjectKind::Person)),
        number(words.kind(SubjectKind::Household)),
        number(words.kind(SubjectKind::Entity)),
        number(words.pick("待发放", "To deliver")),
    ];
    html! {
        h1 { (words.pick("批次", "Runs")) }
        @if runs.is_empty() { p.notice { (words.pick("还没有装入批次: 运行 mianshen match --store", "No run was loaded yet: run mianshen match --store")) } }
        @else { (table(words.pick("保留的批次, 新的在前", "Runs that are kept, newest first"), &columns, &rows)) }
    }
}

/// One run.
pub(super) fn sheet(words: Words, run: &Run, set: &PolicySet, registers: &Registers) -> Markup {
    let manifest = &run.manifest;
    let counts = &manifest.counts;
    html! {
        p.crumb { a href=(words.at("runs")) { (words.pick("批次", "Runs")) } }
        h1 { (words.pick("批次 ", "Run ")) (run.summary.id) }
        dl.facts {
            dt { (words.pick("判定日", "As of")) } dd { (time(&manifest.as_of)) }
            dt { (words.pick("已知法规截至", "Law as known on")) } dd { (manifest.known_at.as_deref().unwrap_or(words.pick("全部", "all that there is"))) }
            dt { (words.pick("程序", "Program")) } dd { (manifest.engine.name) " " (manifest.engine.version) }
            dt { (words.pick("装入", "Loaded")) } dd { (clock::told(run.summary.loaded_at)) }
            dt { (words.pick("参数摘要", "Digest of parameters")) } dd { code { (manifest.parameters_sha256) } }
            @for (name, value) in &manifest.options { dt { code { (name) } } dd { code { (value) } } }
        }
        (section("counts", words.pick("结果", "What came out"), &html! { dl.facts {
            @for (kind, number) in &counts.judged { dt { (words.pick("判定 ", "Judged: ")) (kind) } dd { (count(*number)) } }
            dt { (words.pick("符合", "Yes")) } dd { (count(counts.yes)) }
            dt { (words.pick("不符合", "No")) } dd { (count(counts.no)) }
            dt { (words.pick("未知", "Unknown")) } dd { (count(counts.unknown)) }
            dt { (words.pick("待发放", "To be delivered")) } dd { (count(counts.granted)) }
            dt { (words.pick("排队", "Waiting for money")) } dd { (count(counts.waitlisted)) }
            dt { (words.pick("已发放", "Given already")) } dd { (count(counts.given)) }
            dt { (words.pick("承诺即享", "Offers")) } dd { (count(counts.offers)) }
            dt { (words.pick("冲突", "Conflicts")) } dd { (count(counts.conflicts)) }
        } }))
        (section("inputs", words.pick("读入的登记库", "Registers that were read"), &inputs(words, run, registers)))
        (section("policies", words.pick("政策版本", "Policy versions"), &policies(words, run, set)))
    }
}

fn inputs(words: Words, run: &Run, registers: &Registers) -> Markup {
    let rows: Vec<Vec<Markup>> = run.manifest.inputs.iter().map(|(name, input)| {
        let label = registers.registers.get(name).map(|register| words.say(&register.label));
        vec![
            html! { (label.unwrap_or(name)) " " span.soft { code { (name) } } },
            html! { @match &input.data_day { Some(day) => (time(day)), None => "–" } },
            cell(count(input.rows)),
            cell(count(input.quarantined)),
            html! { @for file in &input.files { div { (file.path) " " span.soft { code { (file.sha256.get(..16).unwrap_or_default()) "…" } } } } },
        ]
    }).collect();
    let columns = [
        text(words.pick("登记库", "Register")),
        text(words.pick("数据日", "Data day")),
        number(words.pick("行", "Rows")),
        number(words.pick("隔离", "Quarantine")),
        text(words.pick("文件与摘要", "Files and digests")),
    ];
    table(words.pick("读入的登记库", "Registers that were read"), &columns, &rows)
}

fn policies(words: Words, run: &Run, set: &PolicySet) -> Markup {
    let rows: Vec<Vec<Markup>> = run
        .manifest
        .policies
        .iter()
        .map(|(code, policy)| {
            let is_there = set.policies.iter().any(|document| document.code == *code);
            let name = if is_there {
                policy_link(words, set, code)
            } else {
                html! { (chinese(words, &policy.name)) " " span.soft { (code) } }
            };
            vec![name, cell(policy.version.to_string()), html! { code { (policy.sha256.get(..16).unwrap_or_default()) "…" } }]
        })
        .collect();
    let columns = [text(words.pick("政策", "Policy")), number(words.pick("版本", "Version")), text(words.pick("摘要", "Digest"))];
    table(words.pick("判定所用的政策版本", "The versions that were judged"), &columns, &rows)
}
