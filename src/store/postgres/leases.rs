//! Runs that this process reads: held by shared advisory locks of one connection, so that nobody drops them.

use std::sync::Arc;

use tokio_postgres::Client;

use super::failed;
use super::schema::LOCKS;
use super::tls::Access;
use crate::store::{RunId, StoreError};

/// The connection that holds locks; the database counts how often each is taken. When the connection breaks, all are let go:
/// reads of a run that is dropped then tell that it is gone.
pub(super) struct Leases {
    client: Arc<Client>,
}

/// A run that is held until this is dropped.
#[derive(Debug)]
pub(super) struct Lease {
    client: Arc<Client>,
    id: RunId,
}

/// The number that a run is locked by.
pub(super) fn lock_of(id: RunId) -> i32 {
    // Two runs 2^31 apart have one lock: then one too many is kept.
    i32::try_from(id.0 & 0x7fff_ffff).unwrap_or(0)
}

impl Leases {
    pub(super) async fn connect(access: &Access) -> Result<Self, StoreError> {
        Ok(Self { client: Arc::new(access.connect().await?) })
    }

    pub(super) async fn hold(&self, id: RunId) -> Result<Lease, StoreError> {
        self.client.execute("SELECT pg_advisory_lock_shared($1, $2)", &[&LOCKS, &lock_of(id)]).await.map_err(failed)?;
        Ok(Lease { client: Arc::clone(&self.client), id })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let (client, id) = (Arc::clone(&self.client), self.id);
        // Without a runtime the process ends, and the connection with it.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = client.execute("SELECT pg_advisory_unlock_shared($1, $2)", &[&LOCKS, &lock_of(id)]).await;
            });
        }
    }
}
