//! Cases in the console: the queue, one case with its timeline and the forms of what can be done now, and published lists.

use axum::extract::{Form, Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{Words, cell, number, region, section, table, text, time, token};
use super::subject::purposes;
use super::visit::{Visit, for_purpose};
use crate::diagnostic::Message;
use crate::ledger::{Step, command_label};
use crate::serve::api::cases::{CasesAsked, Desk};
use crate::serve::dto::cases::{CaseDetail, CaseOf, EventOf, StepAsked, StepName};
use crate::serve::dto::diagnostics::Text;
use crate::serve::pages::{Page, PageOf};
use crate::serve::problem::Problem;

/// Entries of a page.
const PAGE: usize = 50;

/// What is asked of the queue.
#[derive(Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    policy: String,
    #[serde(default)]
    step: String,
    #[serde(default)]
    after: String,
}

impl Which {
    fn filled(text: &str) -> Option<String> {
        Some(text.trim().to_owned()).filter(|text| !text.is_empty())
    }
}

/// A caller at work on cases, for the purpose that casework has.
async fn desk(visit: &Visit) -> Result<Desk, Problem> {
    let purposes = purposes(visit);
    let usual = ["casework", "self", "audit"].into_iter().find(|id| purposes.iter().any(|purpose| purpose.id == *id));
    let purpose = usual.or_else(|| purposes.first().map(|purpose| purpose.id.as_str())).unwrap_or_default();
    if purpose.is_empty() {
        return Err(Problem::forbidden("没有可用于办件的目的", "there is no purpose of yours to see cases for"));
    }
    Desk::new(visit.console.serving(), &visit.caller, &for_purpose(purpose)).await
}

fn say(words: Words, text: &Text) -> &str {
    words.pick(&text.zh, &text.en)
}

/// The queue.
pub(super) async fn queue(visit: Visit, Query(which): Query<Which>) -> Response {
    if let Err(page) = visit.must(visit.reach.subjects) {
        return page;
    }
    let (words, title) = (visit.words, visit.words.pick("办件", "Cases"));
    match page(&visit, &which, true).await {
        Ok(page) => visit.page(title, "cases", &queue_page(words, &which, &page)),
        Err(problem) => visit.trouble(&problem),
    }
}

async fn page(visit: &Visit, which: &Which, queued: bool) -> Result<Page<CaseOf>, Problem> {
    let asked = CasesAsked { policy: Which::filled(&which.policy), step: Which::filled(&which.step), ..CasesAsked::default() };
    let filter = asked.filter()?;
    let filter = if queued { crate::serve::api::cases::queued(filter) } else { filter };
    desk(visit).await?.page(filter, &PageOf { limit: Some(PAGE), cursor: Which::filled(&which.after) }).await
}

fn queue_page(words: Words, which: &Which, page: &Page<CaseOf>) -> Markup {
    html! {
        h1 { (words.pick("办件", "Cases")) }
        p { (words.pick("还没有办结的, 先到期的在前。每次查看都会留痕。", "Those that are not over, what is due first, first. Every look is written into the access trail.")) }
        form.narrow method="get" action=(words.at("cases")) {
            label for="policy" { (words.pick("政策", "Policy")) }
            input type="text" id="policy" name="policy" value=(which.policy) maxlength="64" spellcheck="false";
            label for="step" { (words.pick("步骤", "Step")) }
            select id="step" name="step" {
                option value="" { (words.pick("全部", "All")) }
                @for step in Step::ALL.into_iter().filter(|step| !step.is_over()) {
                    option value=(step.name()) selected[step.name() == which.step] { (words.say(&step.label())) }
                }
            }
            div.row { button type="submit" { (words.pick("筛选", "Filter")) } }
        }
        p { a href=(words.at("lists")) { (words.pick("公示名单", "Published lists")) } }
        @if page.items.is_empty() { p { (words.pick("没有办件。", "There are none.")) } } @else { (lines(words, &page.items)) }
        @if let Some(next) = &page.next {
            p { a href=(words.at(&format!("cases?policy={}&step={}&after={next}", plain(&which.policy), plain(&which.step)))) { (words.pick("下一页", "Next page")) } }
        }
    }
}

/// What may stand in an address as it is; codes have nothing else.
fn plain(text: &str) -> String {
    text.chars().filter(|sign| sign.is_ascii_alphanumeric() || *sign == '-' || *sign == '_').collect()
}

/// Cases as a table.
pub(super) fn lines(words: Words, cases: &[CaseOf]) -> Markup {
    let rows: Vec<Vec<Markup>> = cases
        .iter()
        .map(|case| {
            vec![
                html! { a href=(words.at(&format!("cases/{}", case.id))) { (case.id.get(..12).unwrap_or(&case.id)) } },
                cell(say(words, &case.name)),
                cell(&case.period),
                cell(&case.subject),
                html! { (case.amount.as_deref().unwrap_or("–")) },
                cell(step_label(words, case.step)),
                html! {
                    (say(words, &case.waits_for))
                    @for why in &case.reviews { " · " (say(words, why)) }
                },
                html! { @if let Some(due) = &case.due { (time(due)) } @else { "–" } },
            ]
        })
        .collect();
    let columns = [
        text(words.pick("办件", "Case")),
        text(words.pick("政策", "Policy")),
        text(words.pick("期间", "Period")),
        text(words.pick("对象", "Subject")),
        number(words.pick("金额", "Amount")),
        text(words.pick("步骤", "Step")),
        text(words.pick("在等", "Waits for")),
        text(words.pick("期限", "Due")),
    ];
    table(words.pick("办件", "Cases"), &columns, &rows)
}

fn step_label(words: Words, step: &str) -> String {
    let label = Step::named(step).map_or_else(|| Message::new(step, step), Step::label);
    words.say(&label).to_owned()
}

/// The address of a case.
#[derive(Deserialize)]
pub(super) struct Place {
    id: String,
}

/// One case.
pub(super) async fn one(visit: Visit, Path(place): Path<Place>) -> Response {
    if let Err(page) = visit.must(visit.reach.subjects) {
        return page;
    }
    match detail(&visit, &place.id).await {
        Ok(detail) => visit.page(visit.words.pick("办件", "Case"), &format!("cases/{}", place.id), &case_page(&visit, &detail)),
        Err(problem) => visit.trouble(&problem),
    }
}

async fn detail(visit: &Visit, id: &str) -> Result<CaseDetail, Problem> {
    let desk = desk(visit).await?;
    let row = desk.reached(id).await?;
    desk.note(std::slice::from_ref(&row)).await?;
    desk.detail(&row).await
}

fn case_page(visit: &Visit, detail: &CaseDetail) -> Markup {
    let words = visit.words;
    let case = &detail.case;
    let regions = &visit.console.serving().rules().workspace.regions.clone();
    html! {
        p.crumb { a href=(words.at("cases")) { (words.pick("办件", "Cases")) } }
        h1 { (say(words, &case.name)) " " span.soft.code { (case.id.get(..12).unwrap_or(&case.id)) } }
        dl.facts {
            dt { (words.pick("步骤", "Step")) } dd { (step_label(words, case.step)) }
            dt { (words.pick("在等", "Waits for")) } dd { (say(words, &case.waits_for)) @for why in &case.reviews { " · " (say(words, why)) } }
            @if let Some(due) = &case.due { dt { (words.pick("期限", "Due")) } dd { (time(due)) } }
            dt { (words.pick("政策", "Policy")) } dd { code { (case.policy) } }
            dt { (words.pick("对象", "Subject")) } dd { (case.subject) }
            @if let Some(member) = &case.member { dt { (words.pick("成员", "Member")) } dd { (member) } }
            dt { (words.pick("地区", "Region")) } dd { (region(words, regions, &case.region)) }
            @if !case.period.is_empty() { dt { (words.pick("期间", "Period")) } dd { (case.period) } }
            @if let Some(occasion) = &case.occasion { dt { (words.pick("事由", "Occasion")) } dd { (occasion) } }
            @if let Some(amount) = &case.amount { dt { (words.pick("金额", "Amount")) } dd { (amount) " " (case.unit) } }
            dt { (words.pick("部门", "Department")) } dd { code { (case.department) } }
            @if let Some(before) = &case.corrects {
                dt { (words.pick("补发自", "Makes up for")) } dd { a href=(words.at(&format!("cases/{before}"))) { (before.get(..12).unwrap_or(before)) } }
            }
        }
        (section("timeline", words.pick("经过", "What happened"), &timeline(words, &detail.events)))
        @if !detail.messages.is_empty() { (section("messages", words.pick("消息", "Messages"), &messages(words, detail))) }
        (section("steps", words.pick("现在可办", "What can be done now"), &forms(visit, case)))
    }
}

fn timeline(words: Words, events: &[EventOf]) -> Markup {
    let rows: Vec<Vec<Markup>> = events
        .iter()
        .map(|event| {
            vec![
                cell(event.version.to_string()),
                html! { @if let Some(day) = &event.day { (time(day)) } @else { "–" } },
                html! { (say(words, &event.label)) @if let Some(amount) = &event.amount { " " (amount) } },
                html! {
                    (event.actor.as_deref().unwrap_or("–"))
                    @if let Some(role) = &event.role { " " span.soft { (say(words, role)) } }
                    @if let Some(department) = &event.department { " " span.soft.code { (department) } }
                },
                cell(&event.note),
            ]
        })
        .collect();
    let columns = [
        number(words.pick("序号", "No.")),
        text(words.pick("日期", "Day")),
        text(words.pick("经过", "What")),
        text(words.pick("谁", "Who")),
        text(words.pick("说明", "Note")),
    ];
    table(
        words.pick("经过, 旧的在前; 只增不改, 逐条相连", "What happened, oldest first; only ever added to, each chained to the one before"),
        &columns,
        &rows,
    )
}

fn messages(words: Words, detail: &CaseDetail) -> Markup {
    let row = |message: &crate::serve::dto::cases::MessageOf| {
        vec![
            cell(message.id.get(..12).unwrap_or(&message.id)),
            cell(&message.channel),
            cell(message.state),
            cell(message.at.get(..19).unwrap_or_default()),
        ]
    };
    let rows: Vec<Vec<Markup>> = detail.messages.iter().map(row).collect();
    let columns = [
        text(words.pick("消息", "Message")),
        text(words.pick("渠道", "Channel")),
        text(words.pick("状态", "State")),
        text(words.pick("时间 (UTC)", "When (UTC)")),
    ];
    table(words.pick("发出的消息", "What was sent"), &columns, &rows)
}

/// One form for all steps that are possible: which, and what it needs.
fn forms(visit: &Visit, case: &CaseOf) -> Markup {
    let words = visit.words;
    if case.possible.is_empty() {
        return html! { p { (words.pick("现在没有您可办的步骤。", "There is no step that is yours to take now.")) } };
    }
    let asks = |steps: &[&str]| case.possible.iter().any(|word| steps.contains(word));
    html! {
        form.narrow method="post" action=(words.at(&format!("cases/{}", case.id))) {
            (token(&visit.token))
            input type="hidden" name="version" value=(case.version);
            label for="step" { (words.pick("步骤", "Step")) }
            select id="step" name="step" required {
                @for word in &case.possible { option value=(word) { (words.say(&command_label(word))) } }
            }
            @if asks(&["pay", "correct"]) {
                label for="amount" { (words.pick("金额 (兑付、更正)", "Amount (to pay, to correct)")) }
                input type="text" id="amount" name="amount" inputmode="decimal" maxlength="24" value=[case.amount.as_deref()];
            }
            @if asks(&["rate"]) {
                label for="stars" { (words.pick("评价 (1 到 5 星)", "Rating (1 to 5 stars)")) }
                input type="number" id="stars" name="stars" min="1" max="5";
            }
            label for="note" { (words.pick("说明 (退回、异议、更正、撤回必须写)", "Note (needed to return, object, correct and withdraw)")) }
            textarea id="note" name="note" rows="3" maxlength="2000" {}
            p.soft { (words.pick("以您的真实姓名记入办件, 不能更改。", "It is written into the case under your real name, and cannot be changed.")) }
            div.row { button type="submit" { (words.pick("办理", "Do it")) } }
        }
    }
}

/// A step as the form sends it.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(default)]
    token: String,
    step: StepName,
    #[serde(default)]
    version: String,
    #[serde(default)]
    amount: String,
    #[serde(default)]
    stars: String,
    #[serde(default)]
    note: String,
}

/// Takes a step, and leads back to the case.
pub(super) async fn step(visit: Visit, Path(place): Path<Place>, Form(sent): Form<Sent>) -> Response {
    let refused = visit.must(visit.reach.subjects).and_then(|()| visit.must_be_ours(&sent.token));
    if let Err(page) = refused {
        return page;
    }
    match taken(&visit, &place.id, sent).await {
        Ok(()) => Redirect::to(&visit.words.at(&format!("cases/{}", plain(&place.id)))).into_response(),
        Err(problem) => visit.trouble(&problem),
    }
}

async fn taken(visit: &Visit, id: &str, sent: Sent) -> Result<(), Problem> {
    let desk = desk(visit).await?;
    let row = desk.reached(id).await?;
    let needs_amount = matches!(sent.step, StepName::Pay | StepName::Correct);
    let asked = StepAsked {
        step: sent.step,
        amount: Which::filled(&sent.amount).filter(|_| needs_amount),
        stars: sent.stars.trim().parse().ok(),
        note: sent.note,
    };
    // The form is for the case as it was shown.
    let seen = format!("\"{}\"", sent.version.trim());
    desk.act(row, &asked, Some(&seen), "").await.map(|_| ())
}

/// What stands on published lists now.
pub(super) async fn lists(visit: Visit, Query(which): Query<Which>) -> Response {
    if let Err(page) = visit.must(visit.reach.subjects) {
        return page;
    }
    let words = visit.words;
    let which = Which { step: Step::Published.name().to_owned(), ..which };
    let body = match page(&visit, &which, false).await {
        Ok(page) => html! {
            p.crumb { a href=(words.at("cases")) { (words.pick("办件", "Cases")) } }
            h1 { (words.pick("公示名单", "Published lists")) }
            p { (words.pick(
                "在公示步骤的办件, 已脱敏。对外公布的文件由 mianshen case lists 写出。",
                "Cases at the step of publication, masked. The files for the public are written by mianshen case lists.",
            )) }
            @if page.items.is_empty() { p { (words.pick("没有在公示的办件。", "Nothing is on a list.")) } } @else { (lines(words, &page.items)) }
            @if let Some(next) = &page.next {
                p { a href=(words.at(&format!("lists?policy={}&after={next}", plain(&which.policy)))) { (words.pick("下一页", "Next page")) } }
            }
        },
        Err(problem) => return visit.trouble(&problem),
    };
    visit.page(words.pick("公示名单", "Published lists"), "lists", &body)
}

/// The cases of a subject that is shown; none where its purpose may not see them.
pub(super) async fn of_subject(
    visit: &Visit,
    reached: &crate::serve::api::subjects::Reached,
    purpose: &str,
) -> Result<Vec<CaseOf>, Problem> {
    let desk = Desk::new(visit.console.serving(), &visit.caller, &for_purpose(purpose)).await?;
    desk.of_subject(reached.kind(), &reached.subject.id).await
}
