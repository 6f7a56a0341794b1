//! What a server of a test stands on: a copy of the matched city of its own, in files or in a PostgreSQL database.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::server::{CITY, copy_store};

/// Tells tests that others run in which database the city lies: their servers stand on copies of that one.
pub(super) const TEMPLATE: &str = "MIANSHEN_TEST_POSTGRES";

/// A copy of the city's store; it goes with the test.
pub(super) enum CityStore {
    Files {
        address: String,
        #[expect(dead_code, reason = "held so that the files stay")]
        folder: TempDir,
    },
    Database {
        address: String,
    },
}

impl CityStore {
    /// A copy of whatever the tests are run on.
    pub(super) fn copied() -> Self {
        std::env::var(TEMPLATE).map_or_else(|_| Self::in_files(), |template| Self::in_database(&template))
    }

    pub(super) fn in_files() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        copy_store(CITY.path(), folder.path());
        Self::Files { address: format!("sqlite:{}", folder.path().join("city.db").display()), folder }
    }

    /// A copy of a database beside it; nobody else may be in that one.
    pub(super) fn in_database(template: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (server, city) = template.rsplit_once('/').expect("the URL of a database");
        let name = format!("copy_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        execute(server, &format!("CREATE DATABASE {name} TEMPLATE {city}")).expect("a copy of the city");
        Self::Database { address: format!("{server}/{name}") }
    }

    pub(super) fn address(&self) -> &str {
        match self {
            Self::Files { address, .. } | Self::Database { address } => address,
        }
    }
}

impl Drop for CityStore {
    fn drop(&mut self) {
        if let Self::Database { address } = self
            && let Some((server, name)) = address.rsplit_once('/')
        {
            let _ = execute(server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        }
    }
}

/// Runs a statement in the database that every server has. Whoever has just left another one is given some time to be gone.
fn execute(server: &str, sql: &str) -> Result<(), tokio_postgres::Error> {
    let once = async || {
        let (client, connection) = tokio_postgres::connect(&format!("{server}/postgres"), tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        client.batch_execute(sql).await
    };
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async {
        for _ in 0..100 {
            match once().await {
                Err(error) if error.code() == Some(&tokio_postgres::error::SqlState::OBJECT_IN_USE) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                ended => return ended,
            }
        }
        once().await
    })
}
