//! The reason for a case of `cases.yaml`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Args, law, policy_missing};
use crate::cases::table;
use crate::check::catalogue::FactId;
use crate::commands::cases::{self, ResolvedCase};
use crate::commands::folder::PolicyFolder;
use crate::diagnostic::{Diagnostic, code};
use crate::explain::facts::Facts;
use crate::explain::when::{Story, turns};
use crate::explain::{self, Known, Reason};
use crate::policy::document::PolicyDocument;

/// Explains the subject of a case.
///
/// # Errors
///
/// When there is no such policy or case, its facts cannot be read, or the policy is not in force on its day.
pub(super) fn explain(folder: &mut PolicyFolder, args: &Args) -> Result<Reason, Vec<Diagnostic>> {
    let (document, case) = find(folder, args)?;
    let (as_of, code) = (case.case.as_of, &document.code);
    let in_force = folder.in_force(as_of, None);
    let Some(policy) = in_force.get(code) else {
        let diagnostic = Diagnostic::new(
            &code::BAD_ARGUMENT,
            format!("政策 {code} 在 {as_of} 不在有效期内, 或有错误"),
            format!("policy {code} is not in force on {as_of}, or has errors"),
        );
        return Err(vec![diagnostic.at(document.place.clone())]);
    };
    let binder = folder.binder(as_of, None, &in_force);
    let value = |id: FactId| case.value(id);
    let known = Known { value: &value, taken: &|id| case.given.contains_key(&id), ..Known::NOTHING };
    let catalogue = &folder.checked.catalogue;
    let reason = explain::explain(catalogue, policy, &binder, known);
    let until = args.until(as_of)?;
    let values = case.given.iter().filter_map(|(id, value)| Some((*id, value.clone()?))).collect();
    let story =
        Story { facts: BTreeMap::from([(as_of, Facts { values, ..Facts::default() })]), taken: case.given.keys().copied().collect() };
    let turns = turns(&law(folder, (as_of, until)), catalogue, &story, code);
    Ok(reason.with_turns(turns, until))
}

fn find(folder: &mut PolicyFolder, args: &Args) -> Result<(Arc<PolicyDocument>, ResolvedCase), Vec<Diagnostic>> {
    let wanted = args.case.as_deref().unwrap_or_default();
    let name = args.wanted().ok_or_else(policy_missing)?;
    let of_policy: Vec<Arc<PolicyDocument>> = folder.set.policies.iter().filter(|document| document.code == name).cloned().collect();
    let Some(document) = of_policy.first() else {
        let codes = folder.set.policies.iter().map(|document| document.code.as_str());
        let diagnostic = Diagnostic::new(&code::BAD_ARGUMENT, format!("没有政策“{name}”"), format!("unknown policy `{name}`"));
        return Err(vec![diagnostic.did_you_mean(name, codes)]);
    };
    let (cases, told): (Vec<_>, Vec<_>) = of_policy.iter().map(|document| table::load_beside(document)).unzip();
    let cases: Vec<_> = cases.into_iter().flatten().collect();
    let exact = cases.iter().find(|case| case.name == wanted);
    let Some(case) = exact.or_else(|| cases.iter().find(|case| case.name.contains(wanted))).cloned() else {
        let diagnostic = Diagnostic::new(
            &code::BAD_ARGUMENT,
            format!("政策 {name} 没有案例“{wanted}”"),
            format!("policy {name} has no case `{wanted}`"),
        )
        .did_you_mean(wanted, cases.iter().map(|case| case.name.as_str()));
        return Err(told.into_iter().flatten().chain([diagnostic]).collect());
    };
    let (case, told) = cases::resolve(folder, document, case);
    if case.complete { Ok((Arc::clone(document), case)) } else { Err(told) }
}
