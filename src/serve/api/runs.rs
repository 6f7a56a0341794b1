//! What the stored runs found as a whole. Who asks is staff: counts of a county may be small.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::array_value_to_string;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answers::Refused;
use crate::eligibility::results::{COVERAGE, DATA_REQUESTS};
use crate::register::declaration::SubjectKind;
use crate::serve::clock;
use crate::serve::dto::reason::Kind;
use crate::serve::dto::runs::{Coverage, DataRequest, RunDetail, RunSummary};
use crate::serve::extract::{Asked, Named, tagged};
use crate::serve::figures;
use crate::serve::guard::Caller;
use crate::serve::pages::{Page, PageOf, page};
use crate::serve::problem::Problem;
use crate::serve::settings::Role;
use crate::serve::state::Serving;
use crate::store::{RunId, StoredRun};

/// Those who may look at runs.
const STAFF: [Role; 4] = [Role::Handler, Role::PolicyAuthor, Role::Auditor, Role::Administrator];

fn summary(summary: &crate::store::RunSummary) -> RunSummary {
    let [persons, households, entities] = summary.subjects;
    RunSummary {
        id: summary.id.0,
        as_of: summary.as_of.to_string(),
        loaded_at: clock::told(summary.loaded_at),
        persons,
        households,
        entities,
        granted: summary.granted,
    }
}

/// The runs that are kept, newest first.
#[utoipa::path(get, path = "/runs", tag = "runs", operation_id = "listRuns", params(PageOf),
    responses((status = 200, description = "A page of runs", body = Page<RunSummary>), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn runs(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    Asked(asked): Asked<PageOf>,
) -> Result<Response, Problem> {
    caller.must_be(&STAFF)?;
    let runs = serving.store().runs().await.map_err(|error| serving.store_failed(&error))?;
    let newest = runs.first().map_or(0, |run| run.id.0);
    // The newest first: keys that go up as numbers go down.
    let listed = runs.iter().map(|run| (format!("{:020}", u64::MAX - run.id.0), summary(run)));
    Ok(tagged(&headers, &format!("{newest}-{}", runs.len()), &page(&asked, listed)?))
}

/// A run by its number; `current` is the one that answers are about.
async fn found(serving: &Serving, id: &str) -> Result<Arc<dyn StoredRun>, Problem> {
    if id == "current" {
        return serving.run().await;
    }
    let unknown = || Problem::not_found("没有这个批次, 或已不再保留", "no such run, or it is no longer kept");
    let id = id.parse().map(RunId).map_err(|_| unknown())?;
    let run = serving.store().run(id).await.map_err(|error| serving.store_failed(&error))?;
    run.ok_or_else(unknown)
}

/// A run with its manifest.
#[utoipa::path(get, path = "/runs/{id}", tag = "runs", operation_id = "getRun", params(("id" = String, Path, description = "Its number, or `current`")),
    responses((status = 200, description = "The run", body = RunDetail), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn run(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    caller.must_be(&STAFF)?;
    let run = found(&serving, &id).await?;
    let run = run.run();
    let manifest = serde_json::to_value(&run.manifest).map_err(|_| Problem::internal())?;
    Ok(tagged(&headers, &run.summary.id.to_string(), &RunDetail { summary: summary(&run.summary), manifest }))
}

/// Which rows of the coverage of a run.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CoverageAsked {
    /// Only this policy.
    policy: Option<String>,
    /// Only counties in this region.
    region: Option<String>,
    /// At most so many entries.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Where to go on: `next` of the page before.
    #[param(max_length = 400)]
    cursor: Option<String>,
}

/// The columns of `coverage` that count.
const COUNTS: [&str; 10] = ["yes", "no", "unknown", "excluded", "capped", "given", "granted", "waitlisted", "refused", "offers"];

fn line(policy: &str, county: &str, counts: &[u64], amount: &str, hidden: bool) -> Coverage {
    let of = |at: usize| counts.get(at).copied().filter(|_| !hidden);
    Coverage {
        policy: policy.to_owned(),
        county: county.to_owned(),
        hidden,
        yes: of(0),
        no: of(1),
        unknown: of(2),
        excluded: of(3),
        capped: of(4),
        given: of(5),
        granted: of(6),
        waitlisted: of(7),
        refused: of(8),
        offers: of(9),
        amount: (!hidden).then(|| amount.to_owned()),
    }
}

/// Who is covered by each policy, by county. A caller sees the counties of his regions, a handler the policies of his
/// departments. Lines that count fewer than five people anywhere, and those that would give such a one away, have no counts
/// (`hidden`); not for auditors and administrators of all regions, who may look at every single subject.
#[utoipa::path(get, path = "/runs/{id}/coverage", tag = "runs", operation_id = "getCoverage",
    params(("id" = String, Path, description = "Number of the run, or `current`"), CoverageAsked),
    responses((status = 200, description = "A page of counts", body = Page<Coverage>), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn coverage(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    Named(id): Named<String>,
    Asked(asked): Asked<CoverageAsked>,
) -> Result<Response, Problem> {
    caller.must_be(&STAFF)?;
    let run = found(&serving, &id).await?;
    let day = run.run().summary.as_of;
    let batches = run.table(COVERAGE).await.map_err(|error| serving.store_failed(&error))?;
    let rules = serving.rules();
    let lies_in = |region: &str, county: &str| region == county || rules.workspace.regions.contains(region, county, day);
    let reached = |county: &str| caller.grant.regions.iter().any(|own| own == "*" || lies_in(own, county));
    let policies = caller.figures_of(&rules.workspace.set.policies);
    let mut seen: BTreeMap<String, BTreeMap<String, (Vec<u64>, String)>> = BTreeMap::new();
    for row in rows(&batches) {
        let (policy, county) = (row.text("policy"), row.text("county"));
        if reached(&county) && policies.as_ref().is_none_or(|policies| policies.contains(&policy)) {
            let counts = COUNTS.iter().map(|name| row.count(name)).collect();
            seen.entry(policy).or_default().insert(county, (counts, row.text("amount")));
        }
    }
    // What is hidden depends on all that the caller may see, not on what he asks for this time.
    let least = figures::least(&caller);
    let mut listed = Vec::new();
    for (policy, counties) in &seen {
        let (hidden, _) = figures::hidden(counties.values().map(|(counts, _)| counts.clone()), least);
        for ((county, (counts, amount)), hidden) in counties.iter().zip(hidden) {
            let is_asked = asked.policy.as_ref().is_none_or(|wanted| wanted == policy)
                && asked.region.as_ref().is_none_or(|region| lies_in(region, county));
            if is_asked {
                listed.push((format!("{policy} {county}"), line(policy, county, counts, amount, hidden)));
            }
        }
    }
    let tag = format!("{}-{}-{}", run.run().summary.id, rules.digest, caller.id);
    Ok(tagged(&headers, &super::tag_of(&tag), &page(&PageOf { limit: asked.limit, cursor: asked.cursor }, listed)?))
}

/// Which facts would settle how many verdicts, those that settle most first. Counts of fewer than five people are null, with
/// the money beside them, as in the coverage.
#[utoipa::path(get, path = "/runs/{id}/data-requests", tag = "runs", operation_id = "getDataRequests",
    params(("id" = String, Path, description = "Number of the run, or `current`"), PageOf),
    responses((status = 200, description = "A page of requests", body = Page<DataRequest>), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn data_requests(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    headers: HeaderMap,
    Named(id): Named<String>,
    Asked(asked): Asked<PageOf>,
) -> Result<Response, Problem> {
    caller.must_be(&STAFF)?;
    let run = found(&serving, &id).await?;
    let batches = run.table(DATA_REQUESTS).await.map_err(|error| serving.store_failed(&error))?;
    let least = figures::least(&caller);
    let listed = rows(&batches).enumerate().map(|(at, row)| {
        let few = |count: u64| (1..least).contains(&count);
        let (settles, takes_part) = (row.count("settles"), row.count("takes_part"));
        let one = DataRequest {
            subject: SubjectKind::named(&row.text("subject_kind")).map_or(Kind::Person, Kind::from),
            fact: row.text("fact"),
            register: row.maybe("register"),
            cause: row.text("cause"),
            whole_register: row.text("whole_register") == "true",
            settles: Some(settles).filter(|count| !few(*count)),
            takes_part: Some(takes_part).filter(|count| !few(*count)),
            estimated_amount: (!few(settles)).then(|| row.text("estimated_amount")),
            estimated_part: (!few(takes_part)).then(|| row.text("estimated_part")),
        };
        (format!("{at:08}"), one)
    });
    Ok(tagged(&headers, &super::tag_of(&format!("{} {least}", run.run().summary.id)), &page(&asked, listed)?))
}

/// A row of a result table.
struct Row<'a> {
    batch: &'a RecordBatch,
    at: usize,
}

fn rows(batches: &[RecordBatch]) -> impl Iterator<Item = Row<'_>> {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| Row { batch, at }))
}

impl Row<'_> {
    fn maybe(&self, column: &str) -> Option<String> {
        let column = self.batch.column_by_name(column)?;
        if column.is_null(self.at) {
            return None;
        }
        array_value_to_string(column, self.at).ok()
    }

    fn text(&self, column: &str) -> String {
        self.maybe(column).unwrap_or_default()
    }

    fn count(&self, column: &str) -> u64 {
        self.text(column).parse().unwrap_or_default()
    }
}
