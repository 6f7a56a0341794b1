//! The page of a policy: its guide.

use maud::{Markup, html};

use super::conditions::titled;
use super::frame::{chinese, section, time};
use super::values::{mode, standing_badge, status_badge, subject};
use super::{Item, Page, Site, amounts, conditions, examples, frame, guide, history, reads, relations};

/// The page of a policy.
pub(super) fn page(site: &Site<'_>, item: &Item<'_>) -> Page {
    let document = item.document;
    let sections = [
        ("qualifies", site.pick("谁符合条件", "Who qualifies"), conditions::conditions(site, item)),
        ("worth", site.pick("待遇标准", "What it is worth"), amounts::amounts(site, item)),
        ("process", site.pick("怎么办理", "How it reaches you"), guide::process(site, item)),
        ("materials", site.pick("要交什么材料", "What to bring"), guide::materials(site, item)),
        ("mistakes", site.pick("常见错误", "Common mistakes"), guide::mistakes(site, item)),
        ("time", site.pick("时限和收费", "Time limits and fee"), guide::time_and_fee(site, item)),
        ("contact", site.pick("咨询", "Whom to ask"), guide::contacts(site, item)),
        ("notes", site.pick("说明", "Notes"), guide::notes(site, document.guide.as_ref())),
        ("relations", site.pick("与其他政策的关系和限额", "Other policies, caps and budgets"), relations::relations(site, item)),
        ("basis", site.pick("依据", "Basis in law"), basis(site, item)),
        ("examples", site.pick("例子", "Examples"), examples::examples(site, item)),
        ("reads", site.pick("读取哪些情况", "What is read, and why"), reads::reads(site, item)),
        ("history", site.pick("版本", "Versions"), history::history(site, item)),
    ];
    let body = html! {
        p.soft { a href="../index.html" { (site.pick("全部政策", "All policies")) } " / " (chinese(site, &document.authority_name)) }
        h1 { (site.say(&document.name)) }
        @if item.checked.is_none() {
            p.warn { (site.pick("这份政策文件有错误, 不能运行; 请看 mianshen check。", "The file of this policy has faults and cannot be run: see mianshen check.")) }
        }
        (at_a_glance(site, item))
        nav.toc { @for (id, title, body) in &sections { @if !body.0.is_empty() { a href=(format!("#{id}")) { (title) } } } }
        @for (id, title, body) in &sections { (section(id, title, body)) }
    };
    let title = format!("{} {}", site.say(&document.name), document.code);
    frame::page(site, &format!("policies/{}.html", document.code), &title, &body)
}

pub(super) fn at_a_glance(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let document = item.document;
    let bundles: Vec<_> = site.bundles_of(&document.code).collect();
    html! {
        dl.facts {
            dt { (site.pick("编码", "Code")) } dd { code { (document.code) } @if document.version > 1 { " v" (document.version) } " " (standing_badge(site, item.standing)) }
            dt { (site.pick("机关", "Authority")) } dd { (chinese(site, &document.authority_name)) }
            dt { (site.pick("地区", "Where")) } dd { (site.region(&document.covers.region)) }
            dt { (site.pick("对象", "For")) } dd { (site.say(&subject(document.subject))) }
            dt { (site.pick("方式", "How")) } dd { (site.say(&mode(document.delivery.mode))) }
            dt { (site.pick("有效期", "In force")) }
            dd {
                (site.pick("", "from ")) (time(&document.in_force_from.to_string())) (site.pick(" 起", ""))
                @if let Some(day) = document.in_force_to { (site.pick("，至 ", ", until ")) (time(&day.to_string())) (site.pick("（不含）", " (not included)")) }
            }
            dt { (site.pick("受理单位", "Accepted by")) } dd { (guide::accepted_by(site, item)) }
            @if !bundles.is_empty() {
                dt { (site.pick("一件事", "Life event")) }
                dd { @for (at, bundle) in bundles.iter().enumerate() { @if at > 0 { (site.pick("、", ", ")) } a href=(format!("../bundles/{}.html", bundle.id)) { (site.say(&bundle.name)) } } }
            }
        }
    }
}

pub(super) fn basis(site: &Site<'_>, item: &Item<'_>) -> Markup {
    html! { @for basis in &item.document.basis {
        div id=(format!("basis-{}", basis.id)) {
            h3 { (chinese(site, &titled(&basis.title))) (chinese(site, basis.article.as_deref().unwrap_or_default())) " " (status_badge(site, basis.status)) }
            @if let Some(number) = &basis.number { p.soft { (chinese(site, number)) } }
            @if let Some((from, to)) = basis.in_force {
                p.soft { (site.pick("文件有效期 ", "In force ")) (time(&from.to_string())) @if let Some(to) = to { (site.pick(" 至 ", " to ")) (time(&to.to_string())) (site.pick("（不含）", " (not included)")) } }
            }
            @if let Some(text) = &basis.text { blockquote { (chinese(site, text)) } }
            @if let Some(note) = &basis.note { p.soft { (chinese(site, note)) } }
        }
    } }
}
