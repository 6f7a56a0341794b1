//! Where to begin: which language, and the policies by authority, by subject, by life event.

use std::collections::BTreeMap;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::frame::{self, STYLE, chinese, policy_link, time};
use super::values::{kind, mode, standing_badge, subject};
use super::{Item, Page, Site, Source};
use crate::policy::Standing;
use crate::register::declaration::SubjectKind;

/// The page that asks for the language.
pub(super) fn languages(source: &Source<'_>) -> Page {
    let day = source.as_of.to_string();
    let whole = html! {
        (DOCTYPE)
        html lang="zh-CN" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "政策与办事指南 / Policies and guides" }
                @if let Some(href) = source.stylesheet { link rel="stylesheet" href=(href); } @else { style { (PreEscaped(STYLE)) } }
            }
            body { main {
                h1 { "政策与办事指南" }
                p.lead { a href="zh/index.html" hreflang="zh-CN" { "中文" } }
                h1 lang="en" { "Policies and guides" }
                p.lead { a href="en/index.html" hreflang="en" lang="en" { "English" } }
                p.soft { (time(&day)) }
            } }
        }
    };
    Page { path: "index.html".to_owned(), html: whole.into_string() + "\n" }
}

/// The index of a language.
pub(super) fn page(site: &Site<'_>) -> Page {
    let in_force = site.items.values().filter(|item| item.standing == Standing::InForce).count();
    let mut authorities: BTreeMap<(&str, &str), Vec<&Item<'_>>> = BTreeMap::new();
    for item in site.items.values() {
        authorities.entry((&item.document.authority_code, &item.document.authority_name)).or_default().push(item);
    }
    let all = site.items.len();
    let body = html! {
        h1 { (site.pick("政策与办事指南", "Policies and guides")) }
        p { (all) (site.pick("项政策, ", " policies; ")) (in_force) (site.pick("项在 ", " are in force on ")) (time(&site.source.as_of.to_string())) (site.pick(" 有效。", ".")) }
        nav.toc {
            @if !site.source.set.bundles.is_empty() { a href="#events" { (site.pick("按一件事", "By life event")) } }
            a href="#subjects" { (site.pick("按服务对象", "By subject")) }
            a href="#authorities" { (site.pick("按机关", "By authority")) }
        }
        @if !site.source.set.bundles.is_empty() {
            h2 id="events" { (site.pick("一件事", "Life events")) }
            div.cards { @for bundle in &site.source.set.bundles { div.card {
                h3 { a href=(format!("bundles/{}.html", bundle.id)) { (site.say(&bundle.name)) } }
                ul.plain { @for (code, _) in &bundle.policies { li { (policy_link(site, code, "")) } } }
            } } }
        }
        h2 id="subjects" { (site.pick("按服务对象", "By subject")) }
        @for kind in SubjectKind::ALL {
            @let items: Vec<&Item<'_>> = site.items.values().filter(|item| item.document.subject == kind).collect();
            @if !items.is_empty() {
                h3 { (site.say(&subject(kind))) " (" (items.len()) ")" }
                (list(site, &items))
            }
        }
        h2 id="authorities" { (site.pick("按机关", "By authority")) }
        @for ((code, name), items) in &authorities {
            h3 { (chinese(site, name)) " " span.soft { (code) } }
            ul.plain { @for item in items { li { (policy_link(site, &item.document.code, "")) } } }
        }
    };
    frame::page(site, "index.html", site.pick("政策与办事指南", "Policies and guides"), &body)
}

fn list(site: &Site<'_>, items: &[&Item<'_>]) -> Markup {
    html! { div.wide { table {
        thead { tr {
            th scope="col" { (site.pick("政策", "policy")) } th scope="col" { (site.pick("地区", "where")) } th scope="col" { (site.pick("待遇", "benefit")) }
            th scope="col" { (site.pick("方式", "how")) } th scope="col" { (site.pick("状态", "status")) }
        } }
        tbody { @for item in items { tr {
            td { (policy_link(site, &item.document.code, "")) }
            td { (site.region(&item.document.covers.region)) }
            td { (site.say(&kind(&item.document.benefit.kind))) }
            td { (site.say(&mode(item.document.delivery.mode))) }
            td { (standing_badge(site, item.standing)) }
        } } }
    } } }
}
