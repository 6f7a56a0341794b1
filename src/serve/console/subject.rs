//! One subject, found by a form that is posted so that no identifier lands in an address: what finds it, why, on which facts,
//! and who looked.

use axum::Extension;
use axum::extract::{Form, State};
use axum::http::HeaderMap;
use axum::response::Response;
use maud::{Markup, PreEscaped, html};
use serde::Deserialize;

use super::frame::{Words, cell, region, section, table, text, time, token};
use super::trail::{entries, subject_fields};
use super::visit::{Visit, for_purpose};
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::Value;
use crate::diagnostic::{Lang, Message};
use crate::explain::overview::{Overview, Payment};
use crate::explain::value::show;
use crate::program::Rational;
use crate::program::interpreter::Answer;
use crate::register::identifier::subject_of;
use crate::report::explanation;
use crate::serve::api::at_work;
use crate::serve::api::subjects::Reached;
use crate::serve::dto::cases::CaseOf;
use crate::serve::guard::mask;
use crate::serve::judging::OfStored;
use crate::serve::problem::Problem;
use crate::serve::rules::until;
use crate::serve::settings::{Purpose, Role};
use crate::serve::standing::Source;
use crate::store::FactState;
use crate::store::trail::{Action, Record};

/// How many looks are shown.
const LOOKS: usize = 20;

/// What the search sends.
#[derive(Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    token: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    purpose: String,
}

/// The page to search.
pub(super) async fn search(visit: Visit) -> Response {
    if let Err(page) = visit.must(visit.reach.subjects) {
        return page;
    }
    let words = visit.words;
    let body = html! {
        h1 { (words.pick("服务对象", "Subjects")) }
        p { (words.pick(
            "一人一档、一企一档: 哪些政策找到了他, 为什么, 依据哪些事实, 谁看过。",
            "One dossier for each person, household and company: which policies find it, why, on which facts, and who looked.",
        )) }
        (form(&visit, ""))
    };
    visit.page(words.pick("服务对象", "Subjects"), "subjects", &body)
}

/// The purposes that the caller may name.
pub(super) fn purposes(visit: &Visit) -> Vec<Purpose> {
    let settings = visit.console.serving().settings();
    let grant = &visit.caller.grant;
    let may = |purpose: &&Purpose| {
        let granted = grant.purposes.iter().any(|granted| granted == "*" || *granted == purpose.id);
        granted && purpose.roles.iter().any(|role| grant.roles.contains(role))
    };
    settings.purposes.iter().filter(may).cloned().collect()
}

fn form(visit: &Visit, chosen: &str) -> Markup {
    let words = visit.words;
    let purposes = purposes(visit);
    html! {
        form.narrow method="post" action=(words.at("subjects")) {
            (token(&visit.token))
            (subject_fields(words))
            label for="purpose" { (words.pick("目的", "What for")) }
            select id="purpose" name="purpose" required {
                @for purpose in &purposes { option value=(purpose.id) selected[purpose.id == chosen] { (words.say(&purpose.label)) } }
            }
            p.soft { (words.pick("每次查看都会留痕: 谁、为什么、看了什么。", "Every look is written into the access trail: who, what for, what was seen.")) }
            div.row { button type="submit" { (words.pick("查看", "Look")) } }
        }
    }
}

/// The page of a subject.
pub(super) async fn sheet(visit: Visit, Form(sent): Form<Search>) -> Response {
    let refused = visit.must(visit.reach.subjects).and_then(|()| visit.must_be_ours(&sent.token));
    if let Err(page) = refused {
        return page;
    }
    match told(&visit, &sent).await {
        Ok(body) => visit.page(visit.words.pick("一档", "Dossier"), "subjects", &body),
        Err(problem) => visit.trouble(&problem),
    }
}

async fn told(visit: &Visit, sent: &Search) -> Result<Markup, Problem> {
    let serving = visit.console.serving().clone();
    let (kind, id) = subject_of(&sent.id);
    let headers: HeaderMap = for_purpose(&sent.purpose);
    let request = (State(serving.clone()), Extension(visit.caller.clone()), headers);
    let reached = Reached::new(&request, (kind.name(), &id)).await?;
    let words = visit.words;
    let (reached, seen) = at_work(move || {
        let seen = Seen::of(&reached, words);
        Ok((reached, seen))
    })
    .await?;
    let may_see_looks = matches!(reached.access.role, Role::Citizen | Role::Auditor | Role::Administrator);
    let looks = if may_see_looks {
        let about = serving.store().trail_about(reached.kind(), &reached.subject.id, None, LOOKS).await;
        Some(about.map_err(|error| serving.store_failed(&error))?)
    } else {
        None
    };
    reached.note(&serving, Action::ReadServices, seen.codes.clone()).await?;
    reached.note(&serving, Action::ReadDossier, seen.facts.clone()).await?;
    if seen.explained {
        reached.note(&serving, Action::Explain, seen.codes.clone()).await?;
    }
    let cases = super::cases::of_subject(visit, &reached, &sent.purpose).await?;
    Ok(body(visit, &reached, &seen, &cases, looks.as_deref(), &sent.purpose))
}

/// What of a subject is shown, and what the trail is told of it.
struct Seen {
    services: Markup,
    dossier: Markup,
    /// Codes of the policies that are told of.
    codes: Vec<String>,
    /// Names of the facts that are shown.
    facts: Vec<String>,
    /// How many facts the purpose may not see.
    withheld: usize,
    /// Whether reasons are shown.
    explained: bool,
}

impl Seen {
    fn of(reached: &Reached, words: Words) -> Self {
        let day = reached.rules.on(reached.as_of());
        let judged = reached.judged(&day);
        let reasons = judged.bench().reasons(&|policy| reached.access.handles(&policy.document), true);
        let codes: Vec<String> = reasons.iter().map(|reason| reason.policy.clone()).collect();
        let mut paid: std::collections::BTreeMap<String, Vec<Payment>> = std::collections::BTreeMap::new();
        for given in &reached.subject.given {
            paid.entry(given.policy.to_string()).or_default().push(Payment {
                amount: given.amount.map(crate::eligibility::grant::amount_text).unwrap_or_default(),
                period: reached.ground.policy(&given.policy).map_or_else(String::new, |policy| policy.period.to_string()),
                occasion: given.occasion.clone(),
                paid_on: String::new(),
            });
        }
        let explained = reached.sees_all(&day, codes.iter().map(String::as_str));
        let (as_of, until) = (reached.as_of(), until(reached.as_of()));
        let overview = Overview::new(reached.kind(), reached.shown(&reached.subject.id), (as_of, until), reasons, paid);
        let services = if explained { explanation::standings(&overview, words.0) } else { standings_only(words, &overview) };
        let (dossier, shown, withheld) = dossier(reached, &judged, words);
        let masked = |markup: Markup| if reached.access.purpose.unmasked { markup } else { PreEscaped(mask::inside(&markup.0)) };
        Self { services: masked(services), dossier: masked(dossier), codes, facts: shown, withheld, explained }
    }
}

/// How the subject stands with each policy, without a reason: those tell facts.
fn standings_only(words: Words, overview: &Overview) -> Markup {
    html! {
        @for standing in crate::explain::overview::Standing::ALL {
            @let entries: Vec<_> = overview.of(standing).collect();
            @if !entries.is_empty() {
                section {
                    h3 { (words.say(&standing.heading())) " (" (entries.len()) ")" }
                    ul.plain { @for entry in entries { li { (words.say(&entry.reason.name)) " " span.soft.code { (entry.reason.policy) } } } }
                }
            }
        }
    }
}

/// The facts that the purpose may see, by the register that answers for each; their names; how many are withheld.
fn dossier(reached: &Reached, judged: &OfStored<'_>, words: Words) -> (Markup, Vec<String>, usize) {
    let subject = &reached.subject;
    let kind = subject.kind;
    let (catalogue, regions) = (&judged.day.catalogue, &judged.rules.workspace.regions);
    let sources = judged.sources();
    let (mut names, mut withheld) = (Vec::new(), 0);
    let mut rows: Vec<(String, Vec<Markup>)> = Vec::new();
    for fact in &subject.facts {
        if !reached.access.purpose.sees(&fact.name) {
            withheld += 1;
            continue;
        }
        let Some(id) = catalogue.find(kind, &fact.name) else { continue };
        names.push(fact.name.to_string());
        let declared = catalogue.fact(id);
        let value = match &fact.state {
            FactState::Known(value) => {
                let shown = show(&answer_of(value), Some(&declared.ty), declared.unit.as_deref(), regions);
                html! { (words.say(&shown)) }
            }
            FactState::Unknown(_) => {
                html! { span.unknown { (words.pick("未知", "unknown")) } " (" (words.say(&sources.why(id).words())) ")" }
            }
        };
        let register = register_of(reached, catalogue, id);
        let (name, label) = register.clone().unwrap_or_default();
        let day = sources.data_day(&name);
        rows.push((
            name,
            vec![
                html! { (words.say(&declared.label)) " " span.soft { code { (fact.name) } } },
                value,
                html! { (words.say(&label)) @if let Some(day) = day { " · " (time(&day.to_string())) } },
            ],
        ));
    }
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    let rows: Vec<Vec<Markup>> = rows.into_iter().map(|(_, cells)| cells).collect();
    let columns =
        [text(words.pick("事实", "Fact")), text(words.pick("值", "Value")), text(words.pick("登记库, 数据日", "Register, data day"))];
    let markup = html! { @if rows.is_empty() { p { (words.pick("这个目的看不到事实。", "The purpose sees no facts.")) } } @else {
        (table(words.pick("档案", "Dossier"), &columns, &rows))
    } };
    (markup, names, withheld)
}

/// The register that answers for a fact, and what it is called.
fn register_of(reached: &Reached, catalogue: &Catalogue, id: FactId) -> Option<(String, crate::diagnostic::Message)> {
    let name = crate::eligibility::run::authority(catalogue, id)?;
    let label = reached.rules.workspace.registers.registers.get(&name).map(|register| register.label.clone()).unwrap_or_default();
    Some((name, label))
}

fn answer_of(value: &Value) -> Answer {
    match value {
        Value::Bool(value) => Answer::Bool(*value),
        Value::Number(number) => Answer::Number(Rational::from(*number)),
        Value::Date(days) => Answer::Date(*days),
        Value::Text(text) => Answer::Text(text.clone()),
    }
}

fn body(visit: &Visit, reached: &Reached, seen: &Seen, cases: &[CaseOf], looks: Option<&[Record]>, purpose: &str) -> Markup {
    let words = visit.words;
    let subject = &reached.subject;
    let masked = |id: &str| reached.shown(id);
    html! {
        p.crumb { a href=(words.at("subjects")) { (words.pick("服务对象", "Subjects")) } }
        h1 { (if words.0 == Lang::Zh { format!("{}一档", words.kind(subject.kind)) } else { "Dossier".to_owned() }) " " (masked(&subject.id)) }
        dl.facts {
            dt { (words.pick("判定日", "As of")) } dd { (time(&reached.as_of().to_string())) " " span.soft { "(" (words.say(&source(reached))) ")" } }
            dt { (words.pick("地区", "Region")) } dd { (region(words, &reached.rules.workspace.regions, &subject.region)) }
            @if let Some(household) = &subject.household { dt { (words.pick("家庭", "Household")) } dd { (masked(household)) } }
            @if !subject.members.is_empty() {
                dt { (words.pick("成员", "Members")) }
                dd { (subject.members.iter().map(|member| masked(member)).collect::<Vec<_>>().join(words.pick("、", ", "))) }
            }
            dt { (words.pick("目的", "What for")) } dd { (words.say(&reached.access.purpose.label)) }
        }
        (section("services", words.pick("服务", "Services"), &html! {
            @if !seen.explained { p.soft { (words.pick("这个目的看不到全部事实, 理由不显示。", "The purpose does not see all facts: reasons are not shown.")) } }
            (seen.services)
        }))
        @if !cases.is_empty() { (section("cases", words.pick("办件", "Cases"), &super::cases::lines(words, cases))) }
        (section("dossier", words.pick("档案", "Dossier"), &html! {
            @if seen.withheld > 0 { p.soft { (seen.withheld) " " (words.pick("项事实这个目的看不到。", "facts are not for this purpose.")) } }
            details open[seen.facts.len() < 30] {
                summary { (seen.facts.len()) " " (words.pick("项事实", "facts")) }
                (seen.dossier)
            }
        }))
        @if !subject.conflicts.is_empty() { (section("conflicts", words.pick("登记不一致", "Registers that disagree"), &conflicts(words, reached))) }
        @if let Some(looks) = looks { (section("looks", words.pick("谁看过", "Who looked"), &entries(words, looks))) }
        (section("again", words.pick("再查一个", "Another one"), &form(visit, purpose)))
    }
}

/// Where the page comes from.
fn source(reached: &Reached) -> Message {
    match reached.ground.source() {
        Source::Run => {
            let id = reached.run.run().summary.id;
            Message::new(format!("批次 {id}"), format!("run {id}"))
        }
        Source::Stream => Message::new("变更流, 登记库现状", "the stream: registers as they are now"),
    }
}

fn conflicts(words: Words, reached: &Reached) -> Markup {
    let seen =
        reached.subject.conflicts.iter().filter(|conflict| *conflict.fact == *"amount" || reached.access.purpose.sees(&conflict.fact));
    let shown = |text: &str| if reached.access.purpose.unmasked { text.to_owned() } else { mask::inside(text) };
    let rows: Vec<Vec<Markup>> = seen
        .map(|conflict| {
            vec![
                cell(&*conflict.fact),
                html! { (conflict.source) ": " (shown(&conflict.value)) },
                html! { (conflict.other_source) ": " (shown(&conflict.other_value)) },
            ]
        })
        .collect();
    let columns = [text(words.pick("事实", "Fact")), text(words.pick("一方", "One says")), text(words.pick("另一方", "The other says"))];
    table(words.pick("同一事实, 两方说法不同", "One fact, told in two ways"), &columns, &rows)
}
