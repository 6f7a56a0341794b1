//! The rule bench: the text of a policy and its parameters in an editor, and beside it what an edit comes to.

use chrono::NaiveDate;
use maud::{Markup, html};

use super::frame::{Words, cell, region, table, text, time, token};
use super::overview::policy_link;
use crate::check::CheckedPolicy;
use crate::check::catalogue::Catalogue;
use crate::check::reach::reads_parameter;
use crate::lsp::Workspace;
use crate::policy::document::{Parameter, ParameterType, PolicyDocument};
use crate::policy::values_on;

/// What stands in the editor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Draft {
    /// The whole file of the policy.
    pub(super) policy: String,
    /// Parameters that are set, one a line.
    pub(super) set: String,
}

impl Draft {
    /// The lines that set a parameter.
    pub(super) fn settings(&self) -> Vec<String> {
        self.set.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

/// What the page is made of.
pub(super) struct Page<'a> {
    pub(super) words: Words,
    pub(super) token: &'a str,
    pub(super) document: &'a PolicyDocument,
    pub(super) checked: Option<&'a CheckedPolicy>,
    pub(super) workspace: &'a Workspace,
    pub(super) as_of: NaiveDate,
    pub(super) draft: &'a Draft,
    /// The answer, or that dossiers are being made ready.
    pub(super) answer: Markup,
}

/// The page of one policy.
pub(super) fn page(page: &Page<'_>) -> Markup {
    let (words, document) = (page.words, page.document);
    html! {
        p.crumb {
            a href=(words.at("bench")) { (words.pick("规则试算", "Rule bench")) } " / "
            a href=(words.at(&format!("policies/{}", document.code))) { (words.say(&document.name)) }
        }
        h1 { (words.pick("规则试算: ", "Rule bench: ")) (words.say(&document.name)) }
        div.bench {
            form.editor id="bench" method="post" action=(words.at(&format!("bench/{}", document.code))) {
                (token(page.token))
                label for="policy" { (words.pick("政策文件", "The policy's file")) " " span.soft { (document.code) " v" (document.version) } }
                textarea id="policy" name="policy" spellcheck="false" autocapitalize="off" wrap="off" aria-describedby="policy-hint" { "\n" (page.draft.policy) }
                p.soft id="policy-hint" { (words.pick("只在这里试算, 不改动有效的政策。", "Tried here only; the policy in force is not touched.")) }
                label for="set" { (words.pick("设定标准, 每行一个", "Parameters to set, one a line")) }
                textarea id="set" name="set" rows="3" spellcheck="false" aria-describedby="set-hint" { "\n" (page.draft.set) }
                p.soft id="set-hint" { code { "subsistence_line=1100" } " · " code { "subsistence_line[990102]=900" } " · " code { "subsistence_line=+5%" } }
                div.row {
                    button type="submit" { (words.pick("试算", "Try")) }
                    button.second type="submit" formaction=(words.at(&format!("bench/{}/draft", document.code))) { (words.pick("下载草稿", "Download the draft")) }
                }
                p.state id="state" role="status" data-working=(words.pick("正在试算…", "trying…")) data-failed=(words.pick("没有得到回答, 请再试", "no answer; try again")) {}
                (parameters(page))
            }
            div id="answer" aria-live="polite" { (page.answer) }
        }
    }
}

/// The parameters that the policy reads, with their values on the day.
fn parameters(page: &Page<'_>) -> Markup {
    let words = page.words;
    let Some(policy) = page.checked else { return html! {} };
    let catalogue: &Catalogue = &page.workspace.checked.catalogue;
    let all = &page.workspace.set.parameters;
    let read: Vec<&Parameter> =
        all.iter().filter(|parameter| reads_parameter(policy, catalogue, &[parameter.name.as_str()].into())).collect();
    if read.is_empty() {
        return html! {};
    }
    let mut rows = Vec::new();
    for parameter in read {
        for (code, value) in values_on(all, &parameter.name, page.as_of, None) {
            let number = match parameter.parameter_type {
                ParameterType::Money => crate::eligibility::grant::amount_text(value.digits),
                _ => crate::explain::value::decimal(
                    &crate::program::Rational::from(crate::check::ir::Number { digits: value.digits, scale: value.scale }),
                    4,
                ),
            };
            rows.push(vec![
                html! { (words.say(&parameter.label)) " " span.soft { code { (parameter.name) } } },
                html! { (region(words, &page.workspace.regions, code)) " " span.soft { (code) } },
                html! { (number) @if let Some(unit) = &parameter.unit { " " span.soft { (unit) } } },
            ]);
        }
    }
    let columns = [text(words.pick("标准", "Parameter")), text(words.pick("地区", "Where")), text(words.pick("现值", "Value"))];
    html! { details {
        summary { (words.pick("它用到的标准", "Parameters that it reads")) }
        (table(&format!("{} {}", words.pick("现值, 截至", "Values on"), page.as_of), &columns, &rows))
    } }
}

/// Which policy to open.
pub(super) fn list(words: Words, workspace: &Workspace, as_of: NaiveDate, in_force: &[&PolicyDocument]) -> Markup {
    let rows: Vec<Vec<Markup>> = in_force.iter().map(|document| {
        vec![
            html! { a href=(words.at(&format!("bench/{}", document.code))) { (words.say(&document.name)) } " " span.soft.code { (document.code) } },
            cell(region(words, &workspace.regions, &document.covers.region)),
            cell(words.kind(document.subject)),
            html! { (policy_link(words, &workspace.set, &document.code)) },
        ]
    }).collect();
    let columns = [
        text(words.pick("在试算台打开", "Open on the bench")),
        text(words.pick("地区", "Where")),
        text(words.pick("对象", "For")),
        text(words.pick("政策页", "Its page")),
    ];
    html! {
        h1 { (words.pick("规则试算", "Rule bench")) }
        p {
            (words.pick(
                "改一项政策的条件或标准, 立刻看到: 错在哪个字, 逐条筛下多少人, 谁因此享受或不再享受, 要多少钱。判定日 ",
                "Edit criteria or parameters of a policy and see at once: which character is wrong, whom each criterion leaves, who gains and loses, what it costs. As of ",
            ))
            (time(&as_of.to_string()))
        }
        (table(words.pick("有效的政策", "Policies in force"), &columns, &rows))
    }
}

/// While dossiers are made ready.
pub(super) fn waiting(words: Words) -> Markup {
    html! { p.notice role="status" { (words.pick(
        "正在准备档案, 稍后自动刷新。准备好以后, 每次试算只要片刻。",
        "Dossiers are being made ready; this page asks again by itself. Once they are, each trial takes a moment.",
    )) } }
}

/// Why dossiers could not be made ready.
pub(super) fn failed(words: Words, why: &str) -> Markup {
    html! { p.notice.bad { (words.pick("档案没有准备好: ", "The dossiers could not be made ready: ")) (why) } }
}
