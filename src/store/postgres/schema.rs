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

/// The lock of whoever fills a generation.
pub(super) const FILL_LOCK: i32 = -3;

/// What makes each version of the one before; the first makes it of nothing.
const STEPS: [&str; 3] = [
    r#"
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
"#,
    // The live part: as the tables of the SQLite file, but each generation is a partition of its own.
    r#"
    CREATE TABLE mianshen.lease (one integer PRIMARY KEY CHECK (one = 1), holder text, epoch bigint NOT NULL, until bigint NOT NULL);
    CREATE TABLE mianshen.generation (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        is_current boolean NOT NULL,
        as_of text,
        body bytea
    );
    CREATE UNIQUE INDEX generation_current ON mianshen.generation (is_current) WHERE is_current;
    CREATE TABLE mianshen.position (
        source text COLLATE "C" NOT NULL,
        part integer NOT NULL,
        next bigint NOT NULL,
        PRIMARY KEY (source, part)
    );
    CREATE TABLE mianshen.register_row (
        generation bigint NOT NULL,
        id text COLLATE "C" NOT NULL,
        register text COLLATE "C" NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (generation, id, register)
    ) PARTITION BY LIST (generation);
    CREATE TABLE mianshen.mention (
        generation bigint NOT NULL,
        id text COLLATE "C" NOT NULL,
        register text COLLATE "C" NOT NULL,
        owner text COLLATE "C" NOT NULL,
        PRIMARY KEY (generation, id, register, owner)
    ) PARTITION BY LIST (generation);
    CREATE TABLE mianshen.standing (
        generation bigint NOT NULL,
        kind smallint NOT NULL,
        id text COLLATE "C" NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (generation, kind, id)
    ) PARTITION BY LIST (generation);
    CREATE TABLE mianshen.timer (
        generation bigint NOT NULL,
        kind smallint NOT NULL,
        id text COLLATE "C" NOT NULL,
        day text COLLATE "C" NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (generation, kind, id)
    ) PARTITION BY LIST (generation);
    CREATE INDEX timer_day ON mianshen.timer (generation, day, kind, id);
    CREATE TABLE mianshen.case_chain (one integer PRIMARY KEY CHECK (one = 1));
    INSERT INTO mianshen.case_chain VALUES (1);
    CREATE TABLE mianshen.case_row (
        id text COLLATE "C" PRIMARY KEY,
        policy text COLLATE "C" NOT NULL,
        kind smallint NOT NULL,
        subject text COLLATE "C" NOT NULL,
        region text COLLATE "C" NOT NULL,
        department text COLLATE "C" NOT NULL,
        period text COLLATE "C" NOT NULL,
        step text COLLATE "C" NOT NULL,
        in_review boolean NOT NULL,
        due text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        at bigint NOT NULL,
        body bytea NOT NULL
    );
    CREATE INDEX case_row_subject ON mianshen.case_row (subject, kind, id);
    CREATE INDEX case_row_policy ON mianshen.case_row (policy, step, in_review, region);
    CREATE INDEX case_row_department ON mianshen.case_row (department, step, id);
    CREATE INDEX case_row_due ON mianshen.case_row (due, id);
    CREATE INDEX case_row_step ON mianshen.case_row (step, id);
    CREATE INDEX case_row_review ON mianshen.case_row (id) WHERE in_review;
    CREATE TABLE mianshen.case_event (
        seq bigint PRIMARY KEY,
        case_id text COLLATE "C" NOT NULL,
        version bigint NOT NULL,
        at bigint NOT NULL,
        digest bytea NOT NULL,
        hash bytea NOT NULL
    );
    CREATE INDEX case_event_case ON mianshen.case_event (case_id, version);
    CREATE TABLE mianshen.case_content (seq bigint PRIMARY KEY, salt bytea NOT NULL, body bytea NOT NULL);
    CREATE TABLE mianshen.message (
        number bigint PRIMARY KEY,
        id text COLLATE "C" NOT NULL UNIQUE,
        channel text COLLATE "C" NOT NULL,
        kind smallint NOT NULL,
        subject text COLLATE "C" NOT NULL,
        cases text NOT NULL,
        not_before bigint NOT NULL,
        body bytea NOT NULL,
        at bigint NOT NULL,
        state smallint NOT NULL,
        tries bigint NOT NULL,
        told text NOT NULL,
        changed_at bigint NOT NULL,
        is_first boolean NOT NULL
    );
    CREATE INDEX message_first ON mianshen.message (channel, not_before, number) WHERE is_first;
    CREATE INDEX message_waiting ON mianshen.message (channel, kind, subject, number) WHERE state = 0;
    CREATE INDEX message_state ON mianshen.message (state, number, channel);
    CREATE TABLE mianshen.message_case (
        case_id text COLLATE "C" NOT NULL,
        number bigint NOT NULL,
        PRIMARY KEY (case_id, number)
    );
"#,
    // Whoever was touched since the day's turn: few of a generation, so that these lie together. And the few whom identity links tie.
    r#"
    CREATE TABLE mianshen.touched (
        generation bigint NOT NULL,
        kind smallint NOT NULL,
        id text COLLATE "C" NOT NULL,
        PRIMARY KEY (generation, kind, id)
    );
    CREATE INDEX mention_identity ON mianshen.mention (generation, id, owner) WHERE register = 'identity_links';
"#,
];

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
