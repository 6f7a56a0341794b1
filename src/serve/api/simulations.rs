//! What a change would do to the whole city: asked once, worked on aside, looked at when it is done.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use futures::Stream;

use super::answers::{PostRefused, Refused};
use super::posted::{AUTHORS, laid};
use super::{day, tag_of};
use crate::check::check_onto;
use crate::diagnostic::progress::Progress;
use crate::diagnostic::{Diagnostic, Message, Severity, code};
use crate::dossier::Options;
use crate::eligibility::grant::amount_text;
use crate::register::Sources;
use crate::serve::clock;
use crate::serve::dto::simulations::{Simulate, Simulation, SimulationCounts, SimulationLine, SimulationResults, SimulationState};
use crate::serve::extract::{Named, Posted};
use crate::serve::guard::{Caller, key};
use crate::serve::jobs::Job;
use crate::serve::problem::Problem;
use crate::serve::settings::Role;
use crate::serve::state::Serving;
use crate::simulate::results::{Class, Line};
use crate::simulate::run::Ground;
use crate::simulate::{Law, Results, Study, dimension, same_facts, set_parameter, study};
use crate::store::Kept;
use crate::yaml::Texts;

/// Counts below are hidden.
const SMALLEST_CELL: u64 = 5;
/// The list of keys that requests were sent with.
const KEYS: &str = "idempotency";
/// The header that tells a request sent again from a new one.
const KEY_HEADER: &str = "idempotency-key";

/// Starts a simulation on the registers. With an `Idempotency-Key`, the same request sent again within a day finds the
/// simulation that the first one started.
#[utoipa::path(post, path = "/simulations", tag = "evaluation", operation_id = "startSimulation", request_body = Simulate,
    params(("Idempotency-Key" = Option<String>, Header, description = "A word of the caller's own, for one request")),
    responses((status = 202, description = "It is at work: `Location` says where to look", body = Simulation),
        (status = 409, description = "The key was used for another request", body = crate::serve::problem::ProblemBody, content_type = "application/problem+json"),
        Refused, PostRefused))]
pub async fn start(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    Posted(asked): Posted<Simulate>,
) -> Result<Response, Problem> {
    caller.must_be(&AUTHORS)?;
    if asked.set.is_empty() && asked.policy.is_none() {
        return Err(Problem::unprocessable("没有说要改什么: 用 set 或 policy", "nothing is changed: use set or policy"));
    }
    let as_of = match &asked.as_of {
        Some(text) => day(text)?,
        None => serving.run().await?.run().summary.as_of,
    };
    let id = key::new().map_err(|_| Problem::internal())?[3..35].to_owned();
    let starting = serving.jobs().starting().await;
    let id = match headers.get(KEY_HEADER).and_then(|value| value.to_str().ok()) {
        Some(word) => once(&serving, &caller, word, &format!("{asked:?}"), id).await?,
        None => id,
    };
    let job = match serving.jobs().get(&id) {
        Some(job) => job,
        None => {
            if serving.jobs().at_work() >= serving.settings().limits.simulations {
                let (zh, en) = ("模拟正忙, 请稍后再试", "simulations are at work: come again");
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-requests", zh, en);
                return Err(Problem { retry_after: Some(5), ..problem });
            }
            let job = serving.jobs().start(id.clone(), &caller.id);
            let (at, server) = (Arc::clone(&job), serving.clone());
            tokio::task::spawn_blocking(move || {
                // What breaks ends too.
                let work = AssertUnwindSafe(|| simulate(&server, &asked, as_of, &at));
                let outcome =
                    catch_unwind(work).unwrap_or_else(|_| Err(vec![Diagnostic::new(&code::INTERNAL, "模拟出错", "the simulation broke")]));
                at.end(outcome);
            });
            job
        }
    };
    drop(starting);
    let place = format!("/v1/simulations/{id}");
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(job.told())).into_response())
}

/// The identifier that a request is remembered under: that of the first request with the same key.
async fn once(serving: &Serving, caller: &Caller, word: &str, request: &str, id: String) -> Result<String, Problem> {
    let failed = |error| serving.store_failed(&error);
    let (key, digest, now) = (tag_of(&format!("{}\0{word}", caller.id)), tag_of(request), clock::now());
    serving.store().forget_before(KEYS, now - 86_400_000_000).await.map_err(failed)?;
    let value = Kept { key, at: now, body: format!("{digest} {id}").into_bytes() };
    let Some(earlier) = serving.store().keep_new(KEYS, &value).await.map_err(failed)? else { return Ok(id) };
    let earlier = String::from_utf8_lossy(&earlier.body).into_owned();
    match earlier.split_once(' ') {
        // What was started before the server was: nothing is left of it.
        Some((same, first)) if same == digest && serving.jobs().get(first).is_none() => {
            serving.store().keep(KEYS, &value).await.map_err(failed)?;
            Ok(id)
        }
        Some((same, first)) if same == digest => Ok(first.to_owned()),
        _ => {
            let (zh, en) = ("这个 Idempotency-Key 已用于另一个请求", "this Idempotency-Key was used for another request");
            Err(Problem::new(StatusCode::CONFLICT, "key-reused", zh, en))
        }
    }
}

/// A job that the caller may look at.
fn found(serving: &Serving, caller: &Caller, id: &str) -> Result<Arc<Job>, Problem> {
    caller.must_be(&AUTHORS)?;
    let job = serving.jobs().get(id).filter(|job| job.owner == caller.id || caller.is_any(&[Role::Administrator]));
    job.ok_or_else(|| Problem::not_found("没有这个模拟", "no such simulation"))
}

/// How far a simulation is, and what came out.
#[utoipa::path(get, path = "/simulations/{id}", tag = "evaluation", operation_id = "getSimulation", params(("id" = String, Path, description = "Its identifier")),
    responses((status = 200, description = "The simulation", body = Simulation), Refused))]
pub async fn get(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<Json<Simulation>, Problem> {
    Ok(Json(found(&serving, &caller, &id)?.told()))
}

/// Cancels a simulation.
#[utoipa::path(delete, path = "/simulations/{id}", tag = "evaluation", operation_id = "cancelSimulation", params(("id" = String, Path, description = "Its identifier")),
    responses((status = 200, description = "It is asked to stop", body = Simulation), Refused))]
pub async fn cancel(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<Json<Simulation>, Problem> {
    let job = found(&serving, &caller, &id)?;
    job.cancel();
    Ok(Json(job.told()))
}

/// The progress of a simulation as server-sent events, until it ends: each is the simulation as `getSimulation` gives it.
#[utoipa::path(get, path = "/simulations/{id}/events", tag = "evaluation", operation_id = "watchSimulation", params(("id" = String, Path, description = "Its identifier")),
    responses((status = 200, description = "Events named `simulation`", body = serde_json::Value, content_type = "text/event-stream"), Refused))]
pub async fn events(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    Named(id): Named<String>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let job = found(&serving, &caller, &id)?;
    let changes = job.changes();
    let stream = futures::stream::unfold((job, changes, false), |(job, mut changes, ended)| async move {
        if ended {
            return None;
        }
        changes.borrow_and_update();
        let told = job.told();
        let ended = told.state != SimulationState::Running;
        let event = Event::default().event("simulation").json_data(&told).unwrap_or_default();
        if !ended {
            // Not every row is worth an event.
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            let _ = changes.changed().await;
        }
        Some((Ok(event), (job, changes, ended)))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

/// Does the work, in a thread of its own.
fn simulate(serving: &Serving, asked: &Simulate, as_of: NaiveDate, job: &Arc<Job>) -> Result<SimulationResults, Vec<Diagnostic>> {
    let (rules, settings) = (serving.rules(), serving.settings());
    let sources = settings.sources.as_ref().ok_or_else(|| {
        let (zh, en) = ("设置里没有说登记库在哪里", "the settings do not say where the registers are");
        vec![Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help("加上 sources", "add sources")]
    })?;
    let sources = Sources::load(sources)?;
    let before = &rules.workspace;
    let after = asked.policy.as_ref().map(|policy| {
        let (texts, _): (Texts, _) = laid(serving, policy);
        (serving.eyes().at_once)(&before.dir, &texts, &|_| false)
    });
    let errors = |told: &[Diagnostic]| -> Vec<Diagnostic> { told.iter().filter(|one| one.severity == Severity::Error).cloned().collect() };
    let after = match &after {
        Some(after) if !errors(&after.diagnostics).is_empty() => return Err(errors(&after.diagnostics)),
        Some(after) => after,
        None => before,
    };
    let mut parameters = after.set.parameters.clone();
    let mut set = Vec::new();
    for setting in &asked.set {
        set.extend(set_parameter(&mut parameters, setting, as_of, &after.regions)?);
    }
    let alike = same_facts(&before.checked.catalogue, &before.set.parameters, &parameters);
    let (checked, catalogues) = if alike {
        let (both, told) = check_onto(before.checked.catalogue.clone(), &after.set.policies, &parameters, &after.regions);
        if !errors(&told).is_empty() {
            return Err(errors(&told));
        }
        (both.policies, vec![both.catalogue])
    } else {
        (after.checked.policies.clone(), vec![before.checked.catalogue.clone(), after.checked.catalogue.clone()])
    };
    let law = |documents, checked, parameters, regions| Law { documents, checked, parameters, regions, known_at: None };
    let laws = [
        law(&before.set.policies, &before.checked.policies, &before.set.parameters, &before.regions),
        law(&after.set.policies, &checked, &parameters, &after.regions),
    ];
    let scratch = tempfile::tempdir().map_err(|error| {
        vec![Diagnostic::new(&code::OUTPUT_FAILED, format!("建不了临时目录: {error}"), format!("cannot make a temporary folder: {error}"))]
    })?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let none = BTreeSet::new();
    let options = Options::new(threads, scratch.path().to_owned());
    let asked = Study {
        laws,
        sides: [Message::new("现行", "as it is"), Message::new("拟议", "as proposed")],
        set,
        catalogues,
        ground: Ground::Registers { sources: &sources, allow_missing: &none, options },
        as_of,
        dimensions: dimension::usual(),
        least: SMALLEST_CELL,
        people: 0,
        forecast: 0,
        threads,
        progress: Arc::clone(job) as Arc<dyn Progress>,
        cancel: job.switch(),
    };
    let outcome = tokio::runtime::Handle::current().block_on(study(asked)).map_err(|error| vec![error.into_diagnostic()])?;
    Ok(told(&outcome.results))
}

fn told(results: &Results) -> SimulationResults {
    let line = |line: &Line| {
        let policy = line.policy.and_then(|at| results.policies.get(at));
        let tally = &line.tally;
        SimulationLine {
            policy: policy.map(|policy| policy.code.to_string()),
            name: policy.map(|policy| (&policy.name).into()),
            subject: line.kind.into(),
            changes: line.changes,
            counts: (!line.hidden).then(|| SimulationCounts {
                before: tally.before,
                after: tally.after,
                gain: tally.of(Class::Gains),
                lose: tally.of(Class::Loses),
                more: tally.of(Class::More),
                less: tally.of(Class::Less),
                month_before: amount_text(tally.month[0]),
                month_after: amount_text(tally.month[1]),
                year_before: amount_text(tally.year[0]),
                year_after: amount_text(tally.year[1]),
            }),
        }
    };
    SimulationResults { as_of: results.as_of.to_string(), smallest_cell: results.least, lines: results.totals.iter().map(line).collect() }
}
