//! Functions of the condition language and diagnostic codes, from their Markdown.

use maud::{Markup, PreEscaped, html};
use pulldown_cmark::{Event, LinkType, Options, Parser, Tag, TagEnd};

use super::{Page, Site, frame};
use crate::diagnostic::{CODES, Fault, Lang, Severity};

/// What functions and aggregates mean, in Chinese.
const FUNCTIONS: &str = include_str!("functions.zh.md");

/// The functions and aggregates.
pub(super) fn functions(site: &Site<'_>) -> Page {
    let title = site.pick("函数和汇总", "Functions and aggregates");
    let text = match site.lang {
        Lang::Zh => FUNCTIONS.to_owned(),
        Lang::En => sections(site.source.language, &["Functions", "Aggregates"]),
    };
    frame::page(site, "functions.html", title, &html! { h1 { (title) } (markdown(&text)) })
}

/// The sections of a page whose headings begin with one of some words.
#[must_use]
pub fn sections(page: &str, heads: &[&str]) -> String {
    let mut inside = false;
    let mut text = String::new();
    for line in page.lines() {
        if let Some(head) = line.strip_prefix("## ") {
            inside = heads.iter().any(|wanted| head.starts_with(wanted));
        }
        if inside {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// The diagnostic codes, each with its page.
pub(super) fn codes(site: &Site<'_>) -> Page {
    let title = site.pick("诊断码", "Diagnostic codes");
    let other = if site.lang == Lang::Zh { "What it says" } else { "说明" };
    let body = html! {
        h1 { (title) }
        div.wide { table {
            thead { tr {
                th scope="col" { (site.pick("编号", "number")) } th scope="col" { (site.pick("名称", "name")) } th scope="col" { (site.pick("轻重", "severity")) } th scope="col" { (site.pick("由谁改", "mended by")) }
            } }
            tbody { @for code in CODES { tr {
                td.k { (code.number) } td { a href=(format!("#{}", code.name)) { (code.name) } }
                td { (severity(site, code.severity)) } td { (fault(site, code.fault)) }
            } } }
        } }
        @for code in CODES {
            section id=(code.name) {
                h2 { (code.name) " " span.soft { (code.number) } }
                (markdown(&without(code.page, other)))
            }
        }
    };
    frame::page(site, "codes.html", title, &body)
}

fn severity(site: &Site<'_>, severity: Severity) -> &'static str {
    let words = match severity {
        Severity::Error => ("错误", "error"),
        Severity::Warning => ("警告", "warning"),
        Severity::Note => ("提示", "note"),
    };
    site.pick(words.0, words.1)
}

fn fault(site: &Site<'_>, fault: Fault) -> &'static str {
    let words = match fault {
        Fault::Policy => ("政策作者", "the policy's author"),
        Fault::Data => ("登记库单位", "the register's keeper"),
        Fault::Deployment => ("运行的人", "whoever runs the program"),
        Fault::Ours => ("本项目", "this project"),
    };
    site.pick(words.0, words.1)
}

/// A page without its title and without one of its sections.
fn without(page: &str, section: &str) -> String {
    let mut skip = false;
    let mut text = String::new();
    for line in page.lines().filter(|line| !line.starts_with("# ")) {
        if let Some(head) = line.strip_prefix("## ") {
            skip = head == section;
        }
        if !skip {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

/// Markdown as HTML. Headings go down by one; a link to another page of the documentation, which is no part of a site,
/// becomes its text.
fn markdown(text: &str) -> Markup {
    let leaves = |event: &Event<'_>| match event {
        Event::Start(Tag::Link { link_type, dest_url, .. }) => {
            *link_type != LinkType::Autolink && !dest_url.starts_with('#') && !dest_url.contains("://")
        }
        _ => false,
    };
    let mut dropped = false;
    let events = Parser::new_ext(text, Options::ENABLE_TABLES).filter_map(|event| {
        if leaves(&event) {
            dropped = true;
            return None;
        }
        match event {
            Event::End(TagEnd::Link) if dropped => {
                dropped = false;
                None
            }
            Event::Start(Tag::Heading { level, id, classes, attrs }) => {
                Some(Event::Start(Tag::Heading { level: lower(level), id, classes, attrs }))
            }
            Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(lower(level)))),
            // Markdown of our own; HTML in it would be a slip.
            Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
            other => Some(other),
        }
    });
    let mut page = String::new();
    pulldown_cmark::html::push_html(&mut page, events);
    let page = page.replace("<table>", "<div class=\"wide\"><table>").replace("</table>", "</table></div>");
    html! { (PreEscaped(page)) }
}

fn lower(level: pulldown_cmark::HeadingLevel) -> pulldown_cmark::HeadingLevel {
    use pulldown_cmark::HeadingLevel::{H2, H3, H4, H5, H6};
    match level {
        pulldown_cmark::HeadingLevel::H1 => H2,
        H2 => H3,
        H3 => H4,
        H4 => H5,
        _ => H6,
    }
}
