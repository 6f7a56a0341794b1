//! What everybody who is known may read: policies, facts, parameters, bundles. None of it is about anybody.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::answers::Refused;
use super::asked_day;
use crate::policy::{select, standings};
use crate::register::declaration::SubjectKind;
use crate::serve::dto::policies::{BundleDetail, FactSummary, ParameterDetail, PolicyDetail, PolicySummary};
use crate::serve::dto::reason::Kind;
use crate::serve::extract::{Asked, Named, tagged};
use crate::serve::pages::{Page, PageOf, page};
use crate::serve::problem::Problem;
use crate::serve::state::Serving;

/// Which policies.
#[derive(Debug, Default, Deserialize, IntoParams, ToSchema)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PoliciesAsked {
    /// Only those in force on this day; without it, all versions.
    #[param(format = Date)]
    as_of: Option<String>,
    /// Only those that judge this kind of subject.
    #[param(inline)]
    subject: Option<Kind>,
    /// At most so many entries.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Where to go on: `next` of the page before.
    #[param(max_length = 400)]
    cursor: Option<String>,
}

/// The policies, by code and version.
#[utoipa::path(get, path = "/policies", tag = "policies", operation_id = "listPolicies", params(PoliciesAsked),
    responses((status = 200, description = "A page of policies", body = Page<PolicySummary>), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn policies(State(serving): State<Serving>, headers: HeaderMap, Asked(asked): Asked<PoliciesAsked>) -> Result<Response, Problem> {
    let rules = serving.rules();
    let all = &rules.workspace.set.policies;
    let day = asked.as_of.as_deref().map(asked_day).transpose()?;
    let chosen = match day {
        Some(day) => select(all, day, None),
        None => all.clone(),
    };
    let kind = asked.subject.map(SubjectKind::from);
    let mut listed: Vec<(String, PolicySummary)> = chosen
        .iter()
        .filter(|document| kind.is_none_or(|kind| kind == document.subject))
        .map(|document| (format!("{} {:06}", document.code, document.version), PolicySummary::of(document)))
        .collect();
    listed.sort_by(|one, other| one.0.cmp(&other.0));
    let page = page(&PageOf { limit: asked.limit, cursor: asked.cursor }, listed)?;
    Ok(tagged(&headers, &rules.digest, &page))
}

/// Which version of a policy.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VersionAsked {
    /// The version in force on this day; without it, the newest.
    #[param(format = Date)]
    as_of: Option<String>,
}

/// A policy with its rule.
#[utoipa::path(get, path = "/policies/{code}", tag = "policies", operation_id = "getPolicy",
    params(("code" = String, Path, description = "Code of the policy"), VersionAsked),
    responses((status = 200, description = "The policy", body = PolicyDetail), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn policy(
    State(serving): State<Serving>,
    headers: HeaderMap,
    Named(code): Named<String>,
    Asked(asked): Asked<VersionAsked>,
) -> Result<Response, Problem> {
    let rules = serving.rules();
    let all = &rules.workspace.set.policies;
    let day = asked.as_of.as_deref().map(asked_day).transpose()?;
    let found = match day {
        Some(day) => {
            let standings = standings(all, day);
            let in_force = |standing: &crate::policy::Standing| *standing == crate::policy::Standing::InForce;
            all.iter()
                .zip(&standings)
                .find(|(document, standing)| document.code == code && in_force(standing))
                .map(|(document, _)| document)
        }
        None => all.iter().filter(|document| document.code == code).max_by_key(|document| document.version),
    };
    let document =
        found.ok_or_else(|| Problem::not_found("没有这项政策, 或当日不在有效期内", "no such policy, or not in force on the day"))?;
    Ok(tagged(&headers, &rules.digest, &PolicyDetail::of(document)))
}

/// Which facts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FactsAsked {
    /// Only facts of this kind of subject.
    #[param(inline)]
    subject: Option<Kind>,
    /// At most so many entries.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<usize>,
    /// Where to go on: `next` of the page before.
    #[param(max_length = 400)]
    cursor: Option<String>,
}

/// The facts that policies may read.
#[utoipa::path(get, path = "/facts", tag = "policies", operation_id = "listFacts", params(FactsAsked),
    responses((status = 200, description = "A page of facts", body = Page<FactSummary>), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn facts(State(serving): State<Serving>, headers: HeaderMap, Asked(asked): Asked<FactsAsked>) -> Result<Response, Problem> {
    let rules = serving.rules();
    let catalogue = &rules.workspace.checked.catalogue;
    let kind = asked.subject.map(SubjectKind::from);
    let kinds = SubjectKind::ALL.into_iter().filter(|of| kind.is_none_or(|kind| kind == *of));
    let mut listed: Vec<(String, (SubjectKind, usize))> = kinds
        .flat_map(|kind| {
            catalogue.facts(kind).iter().enumerate().map(move |(index, fact)| (format!("{} {}", kind as usize, fact.name), (kind, index)))
        })
        .collect();
    listed.sort();
    let Page { items, next } = page(&PageOf { limit: asked.limit, cursor: asked.cursor }, listed)?;
    let items = items.into_iter().map(|(kind, index)| FactSummary::of(catalogue, kind, index)).collect();
    Ok(tagged(&headers, &rules.digest, &Page::<FactSummary> { items, next }))
}

/// The parameters that policies share, with their values.
#[utoipa::path(get, path = "/parameters", tag = "policies", operation_id = "listParameters", params(PageOf),
    responses((status = 200, description = "A page of parameters", body = Page<ParameterDetail>), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn parameters(State(serving): State<Serving>, headers: HeaderMap, Asked(asked): Asked<PageOf>) -> Result<Response, Problem> {
    let rules = serving.rules();
    let mut listed: Vec<_> = rules.workspace.set.parameters.iter().map(|one| (one.name.clone(), ParameterDetail::of(one))).collect();
    listed.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(tagged(&headers, &rules.digest, &page(&asked, listed)?))
}

/// The bundles (一件事).
#[utoipa::path(get, path = "/bundles", tag = "policies", operation_id = "listBundles", params(PageOf),
    responses((status = 200, description = "A page of bundles", body = Page<BundleDetail>), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn bundles(State(serving): State<Serving>, headers: HeaderMap, Asked(asked): Asked<PageOf>) -> Result<Response, Problem> {
    let rules = serving.rules();
    let mut listed: Vec<_> = rules.workspace.set.bundles.iter().map(|one| (one.id.clone(), bundle_detail(one))).collect();
    listed.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(tagged(&headers, &rules.digest, &page(&asked, listed)?))
}

/// A bundle.
#[utoipa::path(get, path = "/bundles/{id}", tag = "policies", operation_id = "getBundle", params(("id" = String, Path, description = "Identifier of the bundle")),
    responses((status = 200, description = "The bundle", body = BundleDetail), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn bundle(State(serving): State<Serving>, headers: HeaderMap, Named(id): Named<String>) -> Result<Response, Problem> {
    let rules = serving.rules();
    let found = rules.workspace.set.bundles.iter().find(|bundle| bundle.id == id);
    let bundle = found.ok_or_else(|| Problem::not_found("没有这个一件事", "no such bundle"))?;
    Ok(tagged(&headers, &rules.digest, &bundle_detail(bundle)))
}

fn bundle_detail(bundle: &crate::policy::document::Bundle) -> BundleDetail {
    let policies = bundle.policies.iter().map(|(code, _)| code.clone()).collect();
    BundleDetail { id: bundle.id.clone(), name: (&bundle.name).into(), policies }
}
