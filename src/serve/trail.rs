//! Entries of the access trail, written before the answer that they speak of leaves.

use std::sync::Arc;

use super::clock;
use super::guard::Caller;
use super::guard::access::Access;
use super::problem::Problem;
use crate::register::declaration::SubjectKind;
use crate::store::Store;
use crate::store::trail::{Action, Content, Subject, Trail};

/// Writes to the trail.
#[derive(Debug, Clone)]
pub struct Noting(Trail);

impl Noting {
    /// Starts the writer of the trail of a store, on the runtime that this is called in.
    #[must_use]
    pub fn start(store: Arc<dyn Store>) -> Self {
        Self(Trail::start(store, clock::now))
    }

    /// Writes an entry; when this returns it is on the disk.
    ///
    /// # Errors
    ///
    /// `unavailable`: what cannot be noted is not answered.
    pub async fn note(&self, content: Content) -> Result<(), Problem> {
        self.0.append(content).await.map(|_| ()).map_err(|error| {
            tracing::error!(target: "mianshen::serve", %error, "the access trail cannot be written");
            Problem::unavailable("留痕暂不可用", "the access trail is not available")
        })
    }
}

/// An entry about reading a subject's data.
#[must_use]
pub fn about(access: &Access, action: Action, (kind, id): (SubjectKind, &str), items: Vec<String>) -> Content {
    Content {
        who: access.caller.name.clone(),
        role: access.role.name().to_owned(),
        caller: access.caller.id.clone(),
        purpose: access.purpose.id.clone(),
        action,
        // Of a case whose content is erased nobody is known.
        subject: (!id.is_empty()).then(|| Subject { kind: kind.name().to_owned(), id: id.to_owned() }),
        items,
        note: String::new(),
    }
}

/// An entry about something that concerns no single subject.
#[must_use]
pub fn of_caller(caller: &Caller, purpose: &str, action: Action, note: String) -> Content {
    Content {
        who: caller.name.clone(),
        role: caller.grant.roles.first().map_or("", |role| role.name()).to_owned(),
        caller: caller.id.clone(),
        purpose: purpose.to_owned(),
        action,
        subject: None,
        items: Vec::new(),
        note,
    }
}
