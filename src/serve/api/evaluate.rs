//! Facts that somebody posts, judged. Nothing of them is kept.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;

use super::answers::{PostRefused, Refused};
use super::{at_work, day};
use crate::diagnostic::{Diagnostic, code};
use crate::explain::facts::Facts;
use crate::register::declaration::SubjectKind;
use crate::serve::dto::evaluation::{Evaluate, Evaluation, Judged};
use crate::serve::extract::Posted;
use crate::serve::judging::{Bench, read};
use crate::serve::problem::Problem;
use crate::serve::rules::{OnDay, Rules};
use crate::serve::state::Serving;

/// Judges posted facts by the policies in force on a day. Facts that are not given are unknown: they never grant and never deny.
#[utoipa::path(post, path = "/evaluate", tag = "evaluation", operation_id = "evaluate", request_body = Evaluate,
    responses((status = 200, description = "What each policy means", body = Evaluation), Refused, PostRefused))]
pub async fn evaluate(State(serving): State<Serving>, Posted(asked): Posted<Evaluate>) -> Result<Json<Evaluation>, Problem> {
    let as_of = match &asked.as_of {
        Some(text) => day(text)?,
        None => serving.run().await?.run().summary.as_of,
    };
    let rules = serving.rules();
    at_work(move || {
        let day = rules.on(as_of);
        let kind = SubjectKind::from(asked.subject);
        let chosen = chosen(&rules, &day, kind, asked.policies.as_deref(), asked.bundle.as_deref())?;
        let mut catalogue = day.catalogue.clone();
        let given = read(&rules, &mut catalogue, kind, as_of, &asked.facts)?;
        let facts = Facts::default();
        let bench = Bench { rules: &rules, day: &day, catalogue: &catalogue, kind, facts: &facts, given: &given, deliveries: None };
        let reasons = bench.reasons(&|policy| chosen.as_ref().is_none_or(|codes| codes.contains(&policy.document.code)), asked.soon);
        let policies = reasons.into_iter().map(|reason| Judged::of(reason, asked.explain)).collect();
        Ok(Json(Evaluation { subject: asked.subject, as_of: as_of.to_string(), policies }))
    })
    .await
}

/// The codes that are asked for, by name or by bundle; none: all.
///
/// # Errors
///
/// When there is no such policy in force on the day for this kind of subject, or no such bundle.
pub fn chosen(
    rules: &Rules,
    day: &OnDay,
    kind: SubjectKind,
    policies: Option<&[String]>,
    bundle: Option<&str>,
) -> Result<Option<BTreeSet<String>>, Problem> {
    let mut codes: Option<BTreeSet<String>> = None;
    if let Some(bundle) = bundle {
        let found = rules.workspace.set.bundles.iter().find(|known| known.id == bundle);
        let found = found.ok_or_else(|| {
            let known = rules.workspace.set.bundles.iter().map(|bundle| bundle.id.as_str());
            let told = Diagnostic::new(&code::BAD_ARGUMENT, "没有这个一件事", "no such bundle").did_you_mean(bundle, known);
            Problem::unprocessable("没有这个一件事", "no such bundle").with(&[told])
        })?;
        codes = Some(found.policies.iter().map(|(code, _)| code.clone()).collect());
    }
    if let Some(policies) = policies {
        for wanted in policies {
            if day.in_force.get(wanted).is_none_or(|policy| policy.document.subject != kind) {
                let known = day.in_force.values().filter(|policy| policy.document.subject == kind);
                let told = Diagnostic::new(
                    &code::UNKNOWN_POLICY,
                    format!("没有当日有效、针对{kind}的政策“{wanted}”"),
                    format!("no policy `{wanted}` for a {kind} is in force on the day"),
                )
                .did_you_mean(wanted, known.map(|policy| policy.document.code.as_str()));
                return Err(Problem::unprocessable("没有这项政策", "no such policy").with(&[told]));
            }
        }
        let wanted: BTreeSet<String> = policies.iter().cloned().collect();
        codes = Some(match codes {
            Some(bundled) => bundled.intersection(&wanted).cloned().collect(),
            None => wanted,
        });
    }
    Ok(codes)
}
