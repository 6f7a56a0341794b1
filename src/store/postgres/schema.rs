//! The tables that all runs share, and how each version is made of the one before.

use deadpool_postgres::Object;

use super::failed;
use crate::store::StoreError;

/// Advisory locks of ours: this number, and what is locked.
pub(super) const LOCKS: i32 = 0x6d73;

/// The lock of whoever changes the schema.
const SCHEMA_LOCK: i32 = -1;

/// The lock of whoever loads a run.
pub(super) const LOAD_LOCK: i32 = -2;

/// What makes each version of the one before; the first makes it of nothing.
const STEPS: [&str; 1] = [r#"
    CREATE SCHEMA mianshen;
    CREATE TABLE mianshen.version (one integer PRIMARY KEY CHECK (one = 1), version bigint NOT NULL);
    INSERT INTO mianshen.version VALUES (1, 0);
    CREATE SEQUENCE mianshen.run_id;
    CREATE TABLE mianshen.run (
        id bigint PRIMARY KEY,
        as_of text NOT NULL,
        loaded_at bigint NOT NULL,
        persons bigint NOT NULL,
        households bigint NOT NULL,
        entities bigint NOT NULL,
        granted bigint NOT NULL
    );
    CREATE TABLE mianshen.pointer (one integer PRIMARY KEY CHECK (one = 1), run bigint NOT NULL REFERENCES mianshen.run (id));
    CREATE TABLE mianshen.kept (
        list text NOT NULL,
        key text COLLATE "C" NOT NULL,
        at bigint NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (list, key)
    );
    CREATE INDEX kept_at ON mianshen.kept (list, at);
    CREATE TABLE mianshen.trail_record (seq bigint PRIMARY KEY, at bigint NOT NULL, digest bytea NOT NULL, hash bytea NOT NULL);
    CREATE TABLE mianshen.trail_content (
        seq bigint PRIMARY KEY,
        kind text,
        subject text COLLATE "C",
        stays boolean NOT NULL,
        salt bytea NOT NULL,
        text bytea NOT NULL
    );
    CREATE INDEX trail_content_subject ON mianshen.trail_content (subject, kind, seq) WHERE subject IS NOT NULL;
"#];

/// Sees that the tables are there, in the newest version.
pub(super) async fn open(connection: &mut Object, make: bool) -> Result<(), StoreError> {
    let newest = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let transaction = connection.transaction().await.map_err(failed)?;
    transaction.execute("SELECT pg_advisory_xact_lock($1, $2)", &[&LOCKS, &SCHEMA_LOCK]).await.map_err(failed)?;
    let there = transaction.query_one("SELECT to_regclass('mianshen.version')::text", &[]).await.map_err(failed)?;
    let version = match there.get::<_, Option<&str>>(0) {
        Some(_) => transaction.query_one("SELECT version FROM mianshen.version", &[]).await.map_err(failed)?.get(0),
        None => {
            let taken = transaction.query_opt("SELECT 1 FROM pg_namespace WHERE nspname = 'mianshen'", &[]).await.map_err(failed)?;
            match (taken, make) {
                (Some(_), _) => return Err(StoreError::Foreign("schema mianshen".to_owned())),
                (None, false) => return Err(StoreError::Missing),
                (None, true) => 0_i64,
            }
        }
    };
    if version > newest {
        return Err(StoreError::Newer { found: version, known: newest });
    }
    if version < newest {
        for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
            transaction.batch_execute(step).await.map_err(failed)?;
        }
        transaction.execute("UPDATE mianshen.version SET version = $1", &[&newest]).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}
