//! What one request may reach: the role that it is in, the purpose that it names, the subject that it asks about.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::HeaderMap;
use chrono::NaiveDate;

use super::Caller;
use crate::policy::document::PolicyDocument;
use crate::region::RegionTree;
use crate::register::declaration::SubjectKind;
use crate::serve::problem::Problem;
use crate::serve::settings::{Purpose, Role, Settings};

/// The header that names what a request is for.
pub const PURPOSE_HEADER: &str = "purpose";

/// A caller in a role, for a purpose.
#[derive(Debug, Clone)]
pub struct Access {
    /// Who.
    pub caller: Arc<Caller>,
    /// In which role.
    pub role: Role,
    /// What for.
    pub purpose: Purpose,
}

impl Caller {
    /// Whether the caller has one of some roles.
    #[must_use]
    pub fn is_any(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.grant.roles.contains(role))
    }

    /// The policies whose figures the caller may see, by code; none: all. Who is a handler and no more has those of his departments.
    #[must_use]
    pub fn figures_of(&self, policies: &[Arc<PolicyDocument>]) -> Option<BTreeSet<String>> {
        let departments = &self.grant.departments;
        if self.is_any(&[Role::PolicyAuthor, Role::Auditor, Role::Administrator]) || departments.iter().any(|own| own == "*") {
            return None;
        }
        let own = policies.iter().filter(|policy| departments.contains(&policy.authority_code));
        Some(own.map(|policy| policy.code.clone()).collect())
    }

    /// Whether a region (empty: unknown) is one of the caller's, or lies in one.
    #[must_use]
    pub fn covers(&self, region: &str, regions: &RegionTree, day: NaiveDate) -> bool {
        let lies_in = |own: &String| own == "*" || (!region.is_empty() && (own == region || regions.contains(own, region, day)));
        self.grant.regions.iter().any(lies_in)
    }

    /// Lets through only callers in one of some roles.
    ///
    /// # Errors
    ///
    /// `forbidden`.
    pub fn must_be(&self, roles: &[Role]) -> Result<(), Problem> {
        if self.is_any(roles) {
            return Ok(());
        }
        let words = roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(", ");
        Err(Problem::forbidden(format!("需要的角色: {words}"), format!("one of these roles is needed: {words}")))
    }
}

impl Access {
    /// What a request to read somebody's data is let do.
    ///
    /// # Errors
    ///
    /// When it names no purpose, an unknown one, or one that the caller may not name.
    pub fn new(caller: &Arc<Caller>, headers: &HeaderMap, settings: &Settings) -> Result<Self, Problem> {
        let named = headers.get(PURPOSE_HEADER).and_then(|value| value.to_str().ok()).map(str::trim).unwrap_or_default();
        let known = || settings.purposes.iter().map(|purpose| purpose.id.as_str()).collect::<Vec<_>>().join(", ");
        if named.is_empty() {
            let known = known();
            return Err(Problem::bad_request(
                format!("请求头 Purpose 须写明目的: {known}"),
                format!("the header Purpose must name what the request is for: {known}"),
            ));
        }
        let Some(purpose) = settings.purpose(named) else {
            let known = known();
            return Err(Problem::bad_request(format!("没有这个目的; 可用的: {known}"), format!("no such purpose; there are: {known}")));
        };
        let is_granted = caller.grant.purposes.iter().any(|granted| granted == "*" || *granted == purpose.id);
        let role = purpose.roles.iter().find(|role| caller.grant.roles.contains(role)).filter(|_| is_granted);
        let Some(role) = role else {
            return Err(Problem::forbidden("您不能用于这个目的", "this purpose is not yours to name"));
        };
        Ok(Self { caller: Arc::clone(caller), role: *role, purpose: purpose.clone() })
    }

    /// Whether a subject counted in a region (empty: unknown) is within reach.
    #[must_use]
    pub fn reaches(&self, kind: SubjectKind, id: &str, region: &str, regions: &RegionTree, day: NaiveDate) -> bool {
        if self.role == Role::Citizen {
            return self.caller.grant.subjects.iter().any(|(own_kind, own)| *own_kind == kind && own == id);
        }
        self.caller.covers(region, regions, day)
    }

    /// Whether a policy is the business of the caller: a handler has that of his departments.
    #[must_use]
    pub fn handles(&self, policy: &PolicyDocument) -> bool {
        self.role != Role::Handler || self.caller.grant.departments.iter().any(|own| own == "*" || *own == policy.authority_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::settings::Grant;

    fn access(role: Role, regions: &[&str]) -> Access {
        let grant = Grant {
            roles: vec![role],
            regions: regions.iter().map(|region| (*region).to_owned()).collect(),
            subjects: vec![(SubjectKind::Person, "A".to_owned())],
            ..Grant::default()
        };
        let caller = Caller { id: "x".to_owned(), name: "x".to_owned(), grant };
        Access { caller: Arc::new(caller), role, purpose: crate::serve::settings::usual_purposes().remove(0) }
    }

    #[test]
    fn a_citizen_reaches_only_himself() {
        let (regions, day) = (RegionTree::default(), NaiveDate::default());
        let citizen = access(Role::Citizen, &["*"]);
        assert!(citizen.reaches(SubjectKind::Person, "A", "990101", &regions, day));
        assert!(!citizen.reaches(SubjectKind::Person, "B", "990101", &regions, day));
        assert!(!citizen.reaches(SubjectKind::Household, "A", "990101", &regions, day));
    }

    #[test]
    fn others_reach_their_regions() {
        let (regions, day) = (RegionTree::default(), NaiveDate::default());
        let reaches = |own: &[&str], region: &str| access(Role::Handler, own).reaches(SubjectKind::Person, "A", region, &regions, day);
        assert!(reaches(&["*"], "") && reaches(&["990101"], "990101"));
        assert!(!reaches(&[], "990101") && !reaches(&["990101"], "990102") && !reaches(&["990101"], "") && !reaches(&[""], ""));
    }
}
