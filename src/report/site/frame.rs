//! What every page of a site has: head, way back, the other language, foot; and the pieces that pages are put together from.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Page, Site};
use crate::diagnostic::{Lang, Message};

/// Colours keep a contrast of 7 to 1 and more on their ground; what a colour says is said in words, too.
pub const STYLE: &str = "
:root{color-scheme:light;--ink:#1b2430;--soft:#46505c;--rule:#c9d0d8;--link:#0b4a8f;--law:#f5f1e4;--plain:#edf2f7}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;font:1rem/1.65 system-ui,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif;color:var(--ink);background:#fff}
a{color:var(--link)}
.top{border-bottom:3px solid #8c1c1c;background:#faf7f2}
.top>div,main,footer>div{max-width:64rem;margin:0 auto;padding:0 1.25rem}
.top>div{display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;align-items:baseline;padding-top:.7rem;padding-bottom:.6rem}
.top strong{font-size:1.05rem}.top nav{display:flex;flex-wrap:wrap;gap:.1rem 1rem;font-size:.95rem}.top .other{margin-left:auto}
main{padding-top:1.2rem;padding-bottom:2.5rem}
h1{font-size:1.7rem;line-height:1.3;margin:.3rem 0 .5rem}
h2{font-size:1.2rem;margin:2.2rem 0 .6rem;padding-bottom:.2rem;border-bottom:2px solid var(--ink)}
h3{font-size:1.05rem;margin:1.2rem 0 .35rem}
p{margin:.4rem 0}
.soft{color:var(--soft);font-size:.92rem}.code{white-space:nowrap;font-weight:400}
.lead{font-size:1.05rem}
.badge{display:inline-block;border:1px solid;border-radius:.3rem;padding:0 .45rem;font-size:.88rem;white-space:nowrap}
.ok{color:#0b5223}.wait{color:#5c3f00}.off{color:#46505c}.warn{color:#8a1212}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.1rem;margin:.8rem 0}
dl.facts dt{color:var(--soft)}dl.facts dd{margin:0;min-width:0;overflow-wrap:anywhere}
.wide{overflow-x:auto;margin:.5rem 0}
table{border-collapse:collapse;width:100%;font-size:.94rem}
caption{text-align:left;font-weight:700;padding:.2rem 0}
th,td{border:1px solid var(--rule);padding:.35rem .55rem;text-align:left;vertical-align:top}
th{background:var(--plain);font-weight:600}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.k{white-space:nowrap}th.n.wrap{white-space:normal}
ul.tree{list-style:none;margin:.3rem 0;padding-left:1rem;border-left:3px solid var(--rule)}
ul.tree>li{margin:.7rem 0}
.pair{display:grid;grid-template-columns:minmax(0,1fr) minmax(0,1fr)}
.pair>div{padding:.45rem .7rem;overflow-wrap:anywhere}
.law{background:var(--law)}.rule{background:var(--plain)}
.pair .soft{display:block}
ul.plain{margin:.15rem 0;padding-left:1.2rem}
code{font-family:ui-monospace,Menlo,Consolas,'Noto Sans Mono CJK SC',monospace;font-size:.88rem;overflow-wrap:anywhere}
pre{background:var(--plain);padding:.6rem .8rem;overflow-x:auto}
blockquote{margin:.4rem 0;padding:.4rem .8rem;background:var(--law)}
details{margin:.6rem 0;border:1px solid var(--rule);border-radius:.3rem;padding:.35rem .8rem}
summary{cursor:pointer;font-weight:600}
ol.steps{padding-left:1.4rem}ol.steps li{margin:.3rem 0}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(17rem,1fr));gap:.8rem;margin:.7rem 0}
.card{border:1px solid var(--rule);border-radius:.35rem;padding:.6rem .9rem}
.card h3{margin:.1rem 0 .3rem}.stack>.card{margin:.8rem 0}
.toc{display:flex;flex-wrap:wrap;gap:.2rem 1rem;margin:.6rem 0;font-size:.95rem}
footer{border-top:1px solid var(--rule);color:var(--soft);font-size:.88rem}
footer>div{padding-top:.7rem;padding-bottom:1.5rem}
@media (max-width:42rem){h1{font-size:1.4rem}.pair{grid-template-columns:minmax(0,1fr)}dl.facts{grid-template-columns:1fr;gap:0 0}dl.facts dd{margin-bottom:.5rem}.top .other{margin-left:0}td,th{padding:.3rem .4rem}.long>table{min-width:42rem}.long code{overflow-wrap:break-word}}
@media print{.top nav,.toc{display:none}body{font-size:10.5pt}main{max-width:none}h2,h3{break-after:avoid}tr,.pair,.card{break-inside:avoid}th,.law,.rule{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
";

/// A page of a language: `path` is that below the folder of the language.
pub(super) fn page(site: &Site<'_>, path: &str, title: &str, body: &Markup) -> Page {
    let up = "../".repeat(path.matches('/').count());
    let (lang, other, name) = if site.lang == Lang::Zh { ("zh-CN", "en", "English") } else { ("en", "zh", "中文") };
    let other_lang = if site.lang == Lang::Zh { "en" } else { "zh-CN" };
    let whole = html! {
        (DOCTYPE)
        html lang=(lang) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                @if let Some(href) = site.source.stylesheet { link rel="stylesheet" href=(href); } @else { style { (PreEscaped(STYLE)) } }
            }
            body {
                header.top { div {
                    strong { a href=(format!("{up}index.html")) { (site.pick("政策与办事指南", "Policies and guides")) } }
                    nav {
                        a href=(format!("{up}registers.html")) { (site.pick("登记库", "Registers")) }
                        a href=(format!("{up}facts.html")) { (site.pick("事实", "Facts")) }
                        a href=(format!("{up}functions.html")) { (site.pick("函数", "Functions")) }
                        a href=(format!("{up}codes.html")) { (site.pick("诊断码", "Codes")) }
                    }
                    span.other { a href=(format!("{up}../{other}/{path}")) hreflang=(other_lang) lang=(other_lang) { (name) } }
                } }
                main { (body) }
                footer { div {
                    p {
                        (site.pick("由政策文件生成, 以", "Made from the policy files; what is in force is told as of ")) (time(&site.source.as_of.to_string()))
                        (site.pick("为准。条件不符合只表示尚未查到, 对登记或结果有异议的, 可以提出。", ". Not to meet the conditions only means: not found yet; what is on record, and the result, can be objected to."))
                    }
                } }
            }
        }
    };
    Page { path: format!("{}/{path}", site.folder()), html: whole.into_string() + "\n" }
}

pub(super) fn time(day: &str) -> Markup {
    html! { time datetime=(day) { (day) } }
}

/// A text of the folder that is Chinese in either language.
pub(super) fn chinese(site: &Site<'_>, text: &str) -> Markup {
    html! { @if site.lang == Lang::Zh || text.is_empty() { (text) } @else { span lang="zh-CN" { (text) } } }
}

/// A link to the page of a policy, from a page `up` folders below that of the language; its name and code.
pub(super) fn policy_link(site: &Site<'_>, code: &str, up: &str) -> Markup {
    match site.items.get(code) {
        Some(item) => {
            html! { a href=(format!("{up}policies/{code}.html")) { (site.say(&item.document.name)) } " " span.soft.code { (code) } }
        }
        None => html! { (code) },
    }
}

/// A section with an anchor; nothing where there is nothing to tell.
pub(super) fn section(id: &str, title: &str, body: &Markup) -> Markup {
    if body.0.is_empty() {
        return html! {};
    }
    html! { section id=(id) { h2 { (title) } (body) } }
}

/// Texts, one below the other.
pub(super) fn paragraphs(site: &Site<'_>, messages: &[Message]) -> Markup {
    html! { @for message in messages { p { (site.say(message)) } } }
}
