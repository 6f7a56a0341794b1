//! The services that find a subject: what is owed, what one step would settle, what comes by itself.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::answers::Refused;
use super::at_work;
use super::evaluate::chosen;
use super::subjects::Reached;
use crate::check::catalogue::FactId;
use crate::eligibility::grant::{Status, amount_text};
use crate::explain::Verdict;
use crate::explain::facts::Facts;
use crate::explain::reason::MissingFact;
use crate::explain::why::{Sources, settle};
use crate::policy::document::Mode;
use crate::serve::dto::diagnostics::Text;
use crate::serve::dto::evaluation::{NamedFact, Question, settled_by};
use crate::serve::dto::policies::Authority;
use crate::serve::dto::subjects::{ServiceOf, ServiceStanding, Services};
use crate::serve::extract::{Asked, Named, tagged};
use crate::serve::guard::Caller;
use crate::serve::judging::facts_of;
use crate::serve::problem::Problem;
use crate::serve::rules::OnDay;
use crate::serve::state::Serving;
use crate::store::RunPolicy;
use crate::store::trail::Action;

/// Which services.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ServicesAsked {
    /// Only those of this bundle (一件事).
    bundle: Option<String>,
    /// Whether the two years ahead are looked at too: what comes by time alone, as long as registers say what they say now.
    #[serde(default)]
    #[param(required = false)]
    soon: bool,
}

/// The services that find a subject: granted, one confirmation or commitment away, unknown with the question that would
/// settle it, and with `soon=true` what comes by time alone.
#[utoipa::path(get, path = "/subjects/{kind}/{id}/services", tag = "subjects", operation_id = "getServices",
    params(
        ("kind" = String, Path, description = "`person`, `household` or `entity`"),
        ("id" = String, Path, description = "Its identifier; `me` for the one that a citizen is"),
        ("Purpose" = String, Header, description = "What the request is for"),
        ServicesAsked),
    responses((status = 200, description = "The services", body = Services), (status = 304, description = "As `If-None-Match` has it"), Refused))]
pub async fn services(
    State(serving): State<Serving>,
    caller: Extension<Arc<Caller>>,
    headers: HeaderMap,
    Named((kind, id)): Named<(String, String)>,
    Asked(asked): Asked<ServicesAsked>,
) -> Result<Response, Problem> {
    let request = (State(serving.clone()), caller, headers);
    let reached = Reached::new(&request, (&kind, &id)).await?;
    let headers = request.2;
    let (reached, services) = if asked.soon {
        // Looking ahead is work; reading what was found is not.
        at_work(move || told(&reached, &asked).map(|services| (reached, services))).await?
    } else {
        let services = told(&reached, &asked)?;
        (reached, services)
    };
    let codes = services.services.iter().map(|service| service.policy.clone()).collect();
    reached.note(&serving, Action::ReadServices, codes).await?;
    Ok(tagged(&headers, &reached.tag(), &services))
}

fn told(reached: &Reached, asked: &ServicesAsked) -> Result<Services, Problem> {
    let day = reached.rules.on(reached.as_of());
    let wanted = chosen(&reached.rules, &day, reached.kind(), None, asked.bundle.as_deref()).map_err(Problem::asked)?;
    let telling = Telling::new(reached, &day);
    let mut services = telling.found();
    if asked.soon {
        services.extend(telling.soon());
    }
    services.retain(|service| {
        let handled = reached.rules.policy(&service.policy, service.version).is_none_or(|document| reached.access.handles(document));
        handled && wanted.as_ref().is_none_or(|codes| codes.contains(&service.policy))
    });
    services.sort_by(|one, other| (one.standing, &one.from, &one.policy).cmp(&(other.standing, &other.from, &other.policy)));
    Ok(Services { subject: reached.subject_of(), run: reached.run_of(), basis: reached.basis(), services })
}

/// One subject, being told of.
struct Telling<'a> {
    reached: &'a Reached,
    day: &'a OnDay,
    facts: Facts,
}

impl<'a> Telling<'a> {
    fn new(reached: &'a Reached, day: &'a OnDay) -> Self {
        let needs_facts = !reached.subject.unknowns.is_empty() || !reached.subject.offers.is_empty();
        let facts = if needs_facts { facts_of(&day.catalogue, &reached.subject) } else { Facts::default() };
        Self { reached, day, facts }
    }

    /// What was found.
    fn found(&self) -> Vec<ServiceOf> {
        let subject = &self.reached.subject;
        let shown = |id: &Option<String>| id.as_deref().map(|id| self.reached.shown(id));
        let mut services = Vec::with_capacity(subject.grants.len() + subject.given.len() + subject.unknowns.len());
        for grant in &subject.grants {
            let standing = match (grant.status, grant.mode) {
                (Status::Refused, _) => ServiceStanding::Refused,
                (Status::Waitlisted, _) => ServiceStanding::Waiting,
                (Status::Granted, Mode::Automatic) => ServiceStanding::Granted,
                (Status::Granted, Mode::Confirm) => ServiceStanding::ToConfirm,
                (Status::Granted, Mode::Commit) => ServiceStanding::ToCommit,
                (Status::Granted, Mode::Review) => ServiceStanding::InReview,
            };
            services.push(ServiceOf {
                grant_id: Some(grant.grant_id.to_string()),
                amount: grant.amount.map(amount_text),
                occasion: grant.occasion.clone(),
                member: shown(&grant.member),
                payee: shown(&grant.payee),
                mode: Some(grant.mode.into()),
                criteria: grant.reasons.iter().map(ToString::to_string).collect(),
                ..self.service_of(standing, &grant.policy, self.reached.ground.policy_of(grant))
            });
        }
        for given in &subject.given {
            services.push(ServiceOf {
                amount: given.amount.map(amount_text),
                occasion: given.occasion.clone(),
                member: shown(&given.member),
                ..self.service(ServiceStanding::Given, &given.policy)
            });
        }
        for unknown in &subject.unknowns {
            let offer = subject.offers.iter().find(|offer| offer.policy == unknown.policy);
            let standing = if offer.is_some() { ServiceStanding::ToCommit } else { ServiceStanding::Unknown };
            let of = |names: &[(Arc<str>, crate::dossier::Cause)]| -> Vec<MissingFact> {
                names.iter().filter_map(|(name, _)| self.missing(name)).collect()
            };
            let missing: Vec<Vec<MissingFact>> = unknown.missing.iter().map(|set| of(set)).collect();
            let offered = offer.map(|offer| of(&offer.facts)).unwrap_or_default();
            let settle = settle(&missing, &offered, subject.kind);
            services.push(ServiceOf {
                mode: offer.map(|_| Mode::Commit.into()),
                missing: missing.iter().map(|set| set.iter().map(named).collect()).collect(),
                question: settle.map(|settle| Question {
                    by: settled_by(settle.by),
                    facts: settle.facts.iter().map(named).collect(),
                    ask: Text::from(&settle.ask),
                }),
                ..self.service(standing, &unknown.policy)
            });
        }
        services
    }

    /// What comes by time alone.
    fn soon(&self) -> Vec<ServiceOf> {
        let subject = &self.reached.subject;
        let judged = self.reached.judged(self.day);
        let is_no = |policy: &crate::check::CheckedPolicy| subject.verdict(&policy.document.code) == Verdict::No;
        judged
            .bench()
            .turns(&is_no)
            .into_iter()
            .filter_map(|(code, turns)| {
                let turn = turns.into_iter().find(|turn| turn.to == Verdict::Yes)?;
                Some(ServiceOf { from: Some(turn.on.to_string()), ..self.service(ServiceStanding::Soon, &code) })
            })
            .collect()
    }

    /// A fact that is missing, with why.
    fn missing(&self, name: &str) -> Option<MissingFact> {
        let subject = &self.reached.subject;
        let known = self.day.missing(subject.kind, name)?;
        let stored = self.reached.stored();
        let sources = Sources {
            catalogue: &self.day.catalogue,
            deliveries: &stored,
            regions: &self.reached.rules.workspace.regions,
            as_of: self.day.as_of,
            facts: &self.facts,
        };
        let id: FactId = self.day.catalogue.find(subject.kind, name)?;
        Some(MissingFact { cause: Some(sources.why(id)), ..known.clone() })
    }

    fn service(&self, standing: ServiceStanding, code: &str) -> ServiceOf {
        self.service_of(standing, code, self.reached.ground.policy(code))
    }

    /// The same by a policy as it was judged.
    fn service_of(&self, standing: ServiceStanding, code: &str, policy: Option<&RunPolicy>) -> ServiceOf {
        let version = policy.map_or(0, |policy| policy.version);
        let rules = &self.reached.rules;
        let document = rules.policy(code, version);
        ServiceOf {
            standing,
            policy: code.to_owned(),
            version,
            name: Text::from(&rules.name(code, version)),
            authority: document.map(|document| Authority { code: document.authority_code.clone(), name: document.authority_name.clone() }),
            grant_id: None,
            amount: None,
            unit: policy.map_or_else(String::new, |policy| policy.unit.to_string()),
            period: policy.map_or_else(String::new, |policy| policy.period.to_string()),
            occasion: None,
            member: None,
            payee: None,
            mode: None,
            criteria: Vec::new(),
            missing: Vec::new(),
            question: None,
            from: None,
        }
    }
}

fn named(fact: &MissingFact) -> NamedFact {
    NamedFact { name: fact.name.clone(), label: Text::from(&fact.label) }
}
