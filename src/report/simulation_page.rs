//! A simulation as one page that a decision meeting can read: HTML that needs nothing from elsewhere.

use super::simulation::Words;
use super::simulation_sections as sections;
use crate::diagnostic::Lang;
use crate::simulate::Results;

/// How the page looks; it prints in black on white.
const STYLE: &str = "\
:root{--ink:#1e293b;--soft:#64748b;--rule:#e2e8f0;--after:#1e64aa;--before:#94a3b8;--loss:#c45434}
*{box-sizing:border-box}
body{margin:0 auto;max-width:960px;padding:32px 24px 64px;color:var(--ink);background:#fff;font:15px/1.6 system-ui,\"PingFang SC\",\"Microsoft YaHei\",\"Noto Sans CJK SC\",sans-serif}
h1{font-size:26px;line-height:1.3;margin:0 0 4px}
h2{font-size:19px;margin:40px 0 8px;padding-top:12px;border-top:2px solid var(--ink)}
h3{font-size:15px;margin:20px 0 4px}
p{margin:6px 0}
.soft{color:var(--soft);font-size:13px}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(180px,1fr));gap:12px;margin:20px 0}
.card{border:1px solid var(--rule);border-radius:8px;padding:10px 14px}
.card b{display:block;font-size:22px;line-height:1.35;font-variant-numeric:tabular-nums}
.card span{color:var(--soft);font-size:13px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums;margin:8px 0}
th,td{padding:4px 8px;border-bottom:1px solid var(--rule);text-align:right;white-space:nowrap}
th{color:var(--soft);font-weight:600;border-bottom-color:var(--soft)}
th.l,td.l{text-align:left;white-space:normal}td.l:first-child{min-width:8em}
svg{width:100%;height:auto;display:block}
.key{font-size:13px;color:var(--soft)}
.key i{display:inline-block;width:11px;height:11px;border-radius:2px;margin:0 5px 0 14px}
.key i:first-child{margin-left:0}
details{margin:6px 0;border:1px solid var(--rule);border-radius:6px;padding:6px 12px}
summary{cursor:pointer}
pre{font:12px/1.5 ui-monospace,Menlo,Consolas,\"Noto Sans Mono CJK SC\",monospace;white-space:pre-wrap;margin:6px 0;overflow-wrap:anywhere}
.two{display:grid;grid-template-columns:1fr 1fr;gap:16px}
@media(max-width:700px){.two{grid-template-columns:1fr}}
@page{size:A4;margin:14mm}
@media print{body{max-width:none;padding:0}table{font-size:10px}th,td{padding:3px 4px}.wide{overflow:visible}.cards{display:flex;flex-wrap:wrap}h2,figure,table{break-inside:avoid}details{break-inside:avoid}}
";

/// The page, in a language.
#[must_use]
pub fn render(results: &Results, lang: Lang) -> String {
    let words = Words(lang);
    let title = words.pick("政策模拟报告", "Policy simulation");
    let code = words.pick("zh-CN", "en");
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"{code}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
    );
    page.push_str(&sections::head(results, words, title));
    page.push_str(&sections::cards(results, words));
    page.push_str(&sections::policies(results, words));
    page.push_str(&sections::budget(results, words));
    page.push_str(&sections::deciles(results, words));
    page.push_str(&sections::counties(results, words));
    page.push_str(&sections::dimensions(results, words));
    page.push_str(&sections::distribution(results, words));
    page.push_str(&sections::funnels(results, words));
    page.push_str(&sections::overlaps(results, words));
    page.push_str(&sections::people(results, words));
    page.push_str(&sections::method(results, words));
    page.push_str("</body>\n</html>\n");
    page
}

/// Text as it stands in a page.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(character),
        }
    }
    escaped
}
