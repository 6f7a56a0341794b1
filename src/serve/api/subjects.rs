//! One stored subject. Whoever asks is known, says what for, and is written into the access trail before the answer leaves.
//!
//! Nobody, and somebody out of reach, are answered alike, and both are written down.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use chrono::NaiveDate;

use crate::check::catalogue::FactId;
use crate::register::declaration::SubjectKind;
use crate::register::identifier::one_form;
use crate::serve::dto::subjects::{BasisOf, RunOf, SubjectOf};
use crate::serve::guard::access::Access;
use crate::serve::guard::{Caller, mask};
use crate::serve::judging::{OfStored, Stored};
use crate::serve::problem::Problem;
use crate::serve::rules::{OnDay, Rules};
use crate::serve::settings::Role;
use crate::serve::standing::{Found, Ground};
use crate::serve::state::Serving;
use crate::serve::trail;
use crate::store::trail::Action;
use crate::store::{StoredRun, StoredSubject};

/// A request about one subject, let through.
pub struct Reached {
    /// Who asks, what for.
    pub access: Access,
    /// The policies of the moment.
    pub rules: Arc<Rules>,
    /// The run of the moment.
    pub run: Arc<dyn StoredRun>,
    /// The subject as it stands.
    pub subject: StoredSubject,
    /// By what it was judged.
    pub ground: Ground,
}

/// What every handler of a subject takes out of its request.
pub type Request = (State<Serving>, Extension<Arc<Caller>>, HeaderMap);

impl Reached {
    /// Finds a subject for a caller. `me` stands for the one that a citizen is.
    ///
    /// # Errors
    ///
    /// Without a purpose, in another role, or where there is nobody within reach.
    pub async fn new(request: &Request, (kind, id): (&str, &str)) -> Result<Self, Problem> {
        let (State(serving), Extension(caller), headers) = request;
        let access = Access::new(caller, headers, &serving.settings())?;
        let kind = SubjectKind::named(kind).ok_or_else(Problem::unknown_subject)?;
        let id = match id {
            "me" => access.caller.grant.subjects.iter().find(|(own, _)| *own == kind).map(|(_, id)| id.clone()).unwrap_or_default(),
            id => one_form(kind, id),
        };
        let run = serving.run().await?;
        let rules = serving.rules();
        let found = serving.looking(&*run, &rules).find(kind, &id).await.map_err(|error| serving.store_failed(&error))?;
        // Who was renumbered is the same person: a token may name the old identifier.
        let reaches = |Found { subject, ground }: &Found| {
            let (regions, day) = (&rules.workspace.regions, ground.as_of());
            access.reaches(kind, &subject.id, &subject.region, regions, day)
                || access.role == Role::Citizen && access.reaches(kind, &id, "", regions, day)
        };
        match found.filter(reaches) {
            Some(Found { subject, ground }) => Ok(Self { access, rules, run, subject, ground }),
            None => {
                serving.trail().note(trail::about(&access, Action::Refused, (kind, &id), Vec::new())).await?;
                Err(Problem::unknown_subject())
            }
        }
    }

    /// The day that verdicts are about.
    #[must_use]
    pub fn as_of(&self) -> NaiveDate {
        self.ground.as_of()
    }

    /// What is stored of the subject.
    #[must_use]
    pub fn stored(&self) -> Stored<'_> {
        Stored { ground: &self.ground, subject: &self.subject }
    }

    /// The subject, to be judged on what registers gave.
    #[must_use]
    pub fn judged<'a>(&'a self, day: &'a OnDay) -> OfStored<'a> {
        OfStored::new(&self.rules, day, self.stored())
    }

    /// Whether the purpose may see all that explaining some policies tells.
    #[must_use]
    pub fn sees_all<'p>(&self, day: &OnDay, mut codes: impl Iterator<Item = &'p str>) -> bool {
        let sees = |fact: &FactId| self.access.purpose.sees(&day.catalogue.fact(*fact).name);
        codes.all(|code| day.reads(code).is_some_and(|read| read.iter().all(sees)))
    }

    /// The kind of the subject.
    #[must_use]
    pub fn kind(&self) -> SubjectKind {
        self.subject.kind
    }

    /// Writes into the trail what is given out.
    ///
    /// # Errors
    ///
    /// Where it cannot be written nothing is given out.
    pub async fn note(&self, serving: &Serving, action: Action, items: Vec<String>) -> Result<(), Problem> {
        serving.trail().note(trail::about(&self.access, action, (self.subject.kind, &self.subject.id), items)).await
    }

    /// An identifier as the purpose may see it.
    #[must_use]
    pub fn shown(&self, id: &str) -> String {
        if self.access.purpose.unmasked { id.to_owned() } else { mask::identifier(id) }
    }

    /// The subject as the purpose may see it.
    #[must_use]
    pub fn subject_of(&self) -> SubjectOf {
        SubjectOf { kind: self.kind().into(), id: self.shown(&self.subject.id) }
    }

    /// The run, told.
    #[must_use]
    pub fn run_of(&self) -> RunOf {
        let summary = &self.run.run().summary;
        RunOf { id: summary.id.0, as_of: summary.as_of.to_string() }
    }

    /// What the answer rests on, told.
    #[must_use]
    pub fn basis(&self) -> BasisOf {
        BasisOf { source: self.ground.source().into(), as_of: self.ground.as_of().to_string() }
    }

    /// What an answer rests on: run, what stands, policies, and how much of it is shown.
    #[must_use]
    pub fn tag(&self) -> String {
        let Access { caller, purpose, .. } = &self.access;
        super::tag_of(&format!("{} {} {} {}", self.ground.mark(), self.rules.digest, purpose.id, caller.id))
    }
}
