//! Why: the reasons of one policy for a stored subject, its dossier, and what would be if something were otherwise.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::answers::{PostRefused, Refused};
use super::evaluate::chosen;
use super::subjects::Reached;
use super::{at_work, day};
use crate::check::catalogue::{Definition, FactId};
use crate::check::ir::Value;
use crate::diagnostic::{Lang, Message};
use crate::explain::reason::{FactReason, Reason, ReasonNode, RegisterReason};
use crate::explain::value::{raw, show};
use crate::explain::{self, Verdict};
use crate::program::interpreter::Answer;
use crate::register::declaration::SubjectKind;
use crate::serve::dto::diagnostics::Text;
use crate::serve::dto::evaluation::{Explanation, Judged};
use crate::serve::dto::policies::FactSummary;
use crate::serve::dto::subjects::{Compared, DossierFact, DossierOf, WhatIf, WhatIfAnswer};
use crate::serve::extract::{In, Named, Posted, tagged};
use crate::serve::guard::{Caller, mask};
use crate::serve::judging::{Bench, Given, OfStored, facts_of, read};
use crate::serve::problem::Problem;
use crate::serve::rules::OnDay;
use crate::serve::state::Serving;
use crate::store::trail::Action;
use crate::store::{FactState, StoredFact};

/// Why a policy means what it means for a subject, on the facts that stand of it.
#[utoipa::path(get, path = "/subjects/{kind}/{id}/explain/{policy}", tag = "subjects", operation_id = "explain",
    params(
        ("kind" = String, Path, description = "`person`, `household` or `entity`"),
        ("id" = String, Path, description = "Its identifier; `me` for the one that a citizen is"),
        ("policy" = String, Path, description = "Code of the policy"),
        ("Purpose" = String, Header, description = "What the request is for")),
    responses((status = 200, description = "The reasons", body = Explanation), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn explain(
    State(serving): State<Serving>,
    caller: Extension<Arc<Caller>>,
    headers: HeaderMap,
    In(lang): In,
    Named((kind, id, policy)): Named<(String, String, String)>,
) -> Result<Response, Problem> {
    let request = (State(serving.clone()), caller, headers);
    let reached = Reached::new(&request, (&kind, &id)).await?;
    let (reached, (explanation, items)) = at_work(move || explained(&reached, &policy, lang).map(|told| (reached, told))).await?;
    reached.note(&serving, Action::Explain, items).await?;
    let lang = if lang == Lang::Zh { "zh" } else { "en" };
    Ok(tagged(&request.2, &format!("{}-{lang}", reached.tag()), &explanation))
}

/// The explanation, and what it gives out.
fn explained(reached: &Reached, code: &str, lang: Lang) -> Result<(Explanation, Vec<String>), Problem> {
    let day = reached.rules.on(reached.as_of());
    let no_policy =
        || Problem::not_found("没有针对这类对象、当日有效的这项政策", "no such policy for this kind of subject is in force on the day");
    let policy = day.in_force.get(code).filter(|policy| policy.document.subject == reached.kind()).ok_or_else(no_policy)?;
    if !reached.access.handles(&policy.document) {
        return Err(Problem::forbidden("这项政策不归您的部门", "the policy is not your department's"));
    }
    let reasons = reached.judged(&day).bench().reasons(&|policy| policy.document.code == code, true);
    let mut reason = reasons.into_iter().next().ok_or_else(no_policy)?;
    let withheld = !reached.sees_all(&day, [code].into_iter());
    if withheld {
        withhold(&mut reason);
    }
    let mut text = explain::render(&reason, lang, false);
    let mut items = vec![code.to_owned()];
    if !withheld {
        facts_in(&reason, &mut items);
    }
    let mut reason = serde_json::to_value(&reason).map_err(|_| Problem::internal())?;
    if !reached.access.purpose.unmasked {
        text = mask::inside(&text);
        mask::value(&mut reason);
    }
    Ok((Explanation { run: Some(reached.run.run().summary.id.0), basis: Some(reached.basis()), withheld, reason, text }, items))
}

/// Leaves verdicts, clauses and what is missing, and takes out every value and what gives one away.
fn withhold(reason: &mut Reason) {
    fn of_node(node: &mut ReasonNode) {
        match node {
            ReasonNode::All(group) | ReasonNode::Any(group) | ReasonNode::Not(group) | ReasonNode::AtLeast(group) => {
                group.items.iter_mut().for_each(of_node);
            }
            ReasonNode::Criterion(criterion) => {
                criterion.terms.clear();
                criterion.facts.clear();
            }
        }
    }
    reason.coverage.fact = None;
    reason.lacking = None;
    reason.least_change = None;
    reason.plain.clear();
    of_node(&mut reason.criteria);
    if let Some(amount) = &mut reason.amount {
        amount.numbers = None;
        amount.terms.clear();
        amount.facts.clear();
    }
}

/// The names of all facts whose values are told.
fn facts_in(reason: &Reason, names: &mut Vec<String>) {
    fn of_fact(fact: &FactReason, names: &mut Vec<String>) {
        names.push(fact.name.clone());
        fact.from.iter().for_each(|fact| of_fact(fact, names));
    }
    fn of_node(node: &ReasonNode, names: &mut Vec<String>) {
        match node {
            ReasonNode::All(group) | ReasonNode::Any(group) | ReasonNode::Not(group) | ReasonNode::AtLeast(group) => {
                group.items.iter().for_each(|node| of_node(node, names));
            }
            ReasonNode::Criterion(criterion) => criterion.facts.iter().for_each(|fact| of_fact(fact, names)),
        }
    }
    reason.coverage.fact.iter().for_each(|fact| of_fact(fact, names));
    of_node(&reason.criteria, names);
    reason.amount.iter().flat_map(|amount| &amount.facts).for_each(|fact| of_fact(fact, names));
    let code = names.remove(0);
    names.sort();
    names.dedup();
    names.insert(0, code);
}

/// The dossier of a subject: the facts that the purpose may see.
#[utoipa::path(get, path = "/subjects/{kind}/{id}/dossier", tag = "subjects", operation_id = "getDossier",
    params(
        ("kind" = String, Path, description = "`person`, `household` or `entity`"),
        ("id" = String, Path, description = "Its identifier; `me` for the one that a citizen is"),
        ("Purpose" = String, Header, description = "What the request is for")),
    responses((status = 200, description = "The dossier", body = DossierOf), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn dossier(
    State(serving): State<Serving>,
    caller: Extension<Arc<Caller>>,
    headers: HeaderMap,
    Named((kind, id)): Named<(String, String)>,
) -> Result<Response, Problem> {
    let request = (State(serving.clone()), caller, headers);
    let reached = Reached::new(&request, (&kind, &id)).await?;
    let (reached, dossier) = at_work(move || {
        let dossier = dossier_of(&reached);
        Ok((reached, dossier))
    })
    .await?;
    let names = dossier.facts.iter().map(|fact| fact.name.clone()).collect();
    reached.note(&serving, Action::ReadDossier, names).await?;
    Ok(tagged(&request.2, &reached.tag(), &dossier))
}

fn dossier_of(reached: &Reached) -> DossierOf {
    let day = reached.rules.on(reached.as_of());
    let subject = &reached.subject;
    let judged = reached.judged(&day);
    let seen = subject.facts.iter().filter(|fact| reached.access.purpose.sees(&fact.name));
    let facts: Vec<DossierFact> = seen.filter_map(|fact| fact_of(reached, &judged, fact)).collect();
    let withheld = subject.facts.len() - facts.len();
    DossierOf {
        subject: reached.subject_of(),
        run: reached.run_of(),
        basis: reached.basis(),
        region: subject.region.to_string(),
        household: subject.household.as_deref().map(|id| reached.shown(id)),
        members: subject.members.iter().map(|id| reached.shown(id)).collect(),
        facts,
        withheld,
    }
}

fn fact_of(reached: &Reached, judged: &OfStored<'_>, stored: &StoredFact) -> Option<DossierFact> {
    let (kind, day) = (reached.kind(), judged.day);
    let id: FactId = day.catalogue.find(kind, &stored.name)?;
    let (declared, regions) = (day.catalogue.fact(id), &reached.rules.workspace.regions);
    let sources = judged.sources();
    let answer = match &stored.state {
        FactState::Known(value) => Some(answer_of(value)),
        FactState::Unknown(_) => None,
    };
    let mut value = answer.as_ref().map(|answer| raw(answer, Some(&declared.ty)));
    let mut shown = answer.as_ref().map(|answer| show(answer, Some(&declared.ty), declared.unit.as_deref(), regions));
    if !reached.access.purpose.unmasked {
        if matches!(declared.definition, Definition::LinkEnd { .. }) {
            // Whom a link leads to, whatever its identifier looks like.
            value = value.as_ref().and_then(serde_json::Value::as_str).map(|id| mask::identifier(id).into());
            shown = value.as_ref().and_then(serde_json::Value::as_str).map(|id| Message::new(id, id));
        }
        value.iter_mut().for_each(mask::value);
        if let Some(text) = &mut shown {
            (text.zh, text.en) = (mask::inside(&text.zh), mask::inside(&text.en));
        }
    }
    let summary = FactSummary::of(&day.catalogue, kind, id.index);
    let registers = day.missing(kind, &stored.name).map(|missing| missing.registers.clone()).unwrap_or_default();
    let dated =
        |register: RegisterReason| RegisterReason { data_day: sources.data_day(&register.name).map(|day| day.to_string()), ..register };
    Some(DossierFact {
        name: summary.name,
        label: summary.label,
        fact_type: summary.fact_type,
        cause: answer.is_none().then(|| sources.why(id).into()),
        value,
        shown: shown.as_ref().map(Text::from),
        registers: registers.into_iter().map(dated).collect(),
    })
}

fn answer_of(value: &Value) -> Answer {
    match value {
        Value::Bool(value) => Answer::Bool(*value),
        Value::Number(number) => Answer::Number(crate::program::Rational::from(*number)),
        Value::Date(days) => Answer::Date(*days),
        Value::Text(text) => Answer::Text(Arc::clone(text)),
    }
}

/// What would be different if some facts, or the day, were otherwise: what if I move, marry, turn 60?
#[utoipa::path(post, path = "/subjects/{kind}/{id}/what-if", tag = "subjects", operation_id = "whatIf", request_body = WhatIf,
    params(
        ("kind" = String, Path, description = "`person`, `household` or `entity`"),
        ("id" = String, Path, description = "Its identifier; `me` for the one that a citizen is"),
        ("Purpose" = String, Header, description = "What the request is for")),
    responses((status = 200, description = "What would be different", body = WhatIfAnswer), Refused, PostRefused))]
pub async fn what_if(
    State(serving): State<Serving>,
    caller: Extension<Arc<Caller>>,
    headers: HeaderMap,
    Named((kind, id)): Named<(String, String)>,
    Posted(asked): Posted<WhatIf>,
) -> Result<Json<WhatIfAnswer>, Problem> {
    let request = (State(serving.clone()), caller, headers);
    let reached = Reached::new(&request, (&kind, &id)).await?;
    let (reached, answer) = at_work(move || compared(&reached, &asked).map(|answer| (reached, answer))).await?;
    let codes = |one: &Compared| one.after.as_ref().or(one.before.as_ref()).map(|judged| judged.policy.clone());
    reached.note(&serving, Action::WhatIf, answer.changed.iter().filter_map(codes).collect()).await?;
    Ok(Json(answer))
}

fn compared(reached: &Reached, asked: &WhatIf) -> Result<WhatIfAnswer, Problem> {
    let kind: SubjectKind = reached.kind();
    let then = asked.as_of.as_deref().map(day).transpose()?.unwrap_or_else(|| reached.as_of());
    let (today, other) = (reached.rules.on(reached.as_of()), reached.rules.on(then));
    let mut catalogue = other.catalogue.clone();
    let changes = read(&reached.rules, &mut catalogue, kind, then, &asked.changes)?;
    if !changes.values.keys().all(|fact| reached.access.purpose.sees(&catalogue.fact(*fact).name)) {
        return Err(Problem::forbidden("这个目的不能用到这些事实", "the purpose may not see these facts"));
    }
    let stored = reached.stored();
    let judged = |day: &OnDay, catalogue: &crate::check::catalogue::Catalogue, given: &Given| -> Result<Vec<Judged>, Problem> {
        let wanted = match chosen(&reached.rules, day, kind, asked.policies.as_deref(), asked.bundle.as_deref()) {
            // A policy that is in force on one of the days only is looked at on that one.
            Err(_) if day.as_of != then => None,
            wanted => wanted?,
        };
        let facts = facts_of(catalogue, &reached.subject);
        let bench = Bench { rules: &reached.rules, day, catalogue, kind, facts: &facts, given, deliveries: Some(&stored) };
        let is_wanted = |policy: &crate::check::CheckedPolicy| {
            reached.access.handles(&policy.document) && wanted.as_ref().is_none_or(|codes| codes.contains(&policy.document.code))
        };
        Ok(bench.reasons(&is_wanted, false).into_iter().map(|reason| Judged::of(reason, false)).collect())
    };
    let (before, after) = (judged(&today, &today.catalogue, &Given::default())?, judged(&other, &catalogue, &changes)?);
    let mut both: std::collections::BTreeMap<String, Compared> = std::collections::BTreeMap::new();
    for one in before {
        let code = one.policy.clone();
        both.entry(code).or_insert(Compared { before: None, after: None }).before = Some(one);
    }
    for one in after {
        let code = one.policy.clone();
        both.entry(code).or_insert(Compared { before: None, after: None }).after = Some(one);
    }
    let (changed, same): (Vec<Compared>, Vec<Compared>) = both.into_values().partition(differs);
    Ok(WhatIfAnswer {
        subject: reached.subject_of(),
        run: reached.run_of(),
        basis: reached.basis(),
        as_of: then.to_string(),
        changed,
        unchanged: same.len(),
    })
}

fn differs(one: &Compared) -> bool {
    let said = |judged: &Option<Judged>| {
        judged.as_ref().map_or((Verdict::Outside.into(), None, None, None), |judged| {
            (judged.verdict, judged.amount.clone(), judged.mode, judged.given_up_for.clone())
        })
    };
    said(&one.before) != said(&one.after)
}
