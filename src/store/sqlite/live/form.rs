//! The tables of the live file.

use crate::store::sqlite::files::Form;

/// The live file. Kinds and states are numbers in their order; days are texts (`none` for no day of a case); what is chained
/// lies in `case_event`, what can be erased in `case_content`. `is_first` marks the oldest message that waits, of each subject
/// and channel.
pub(in crate::store::sqlite) const LIVE: Form = Form {
    application: 0x6d73_6c76,
    steps: &[
        "CREATE TABLE lease (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            holder TEXT,
            epoch INTEGER NOT NULL,
            until INTEGER NOT NULL
        );
        CREATE TABLE generation (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            is_current INTEGER NOT NULL,
            as_of TEXT,
            body BLOB
        );
        CREATE UNIQUE INDEX generation_current ON generation (is_current) WHERE is_current = 1;
        CREATE TABLE position (
            source TEXT NOT NULL,
            part INTEGER NOT NULL,
            next INTEGER NOT NULL,
            PRIMARY KEY (source, part)
        ) WITHOUT ROWID;
        CREATE TABLE register_row (
            generation INTEGER NOT NULL,
            id TEXT NOT NULL,
            register TEXT NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (generation, id, register)
        ) WITHOUT ROWID;
        CREATE TABLE mention (
            generation INTEGER NOT NULL,
            id TEXT NOT NULL,
            register TEXT NOT NULL,
            owner TEXT NOT NULL,
            PRIMARY KEY (generation, id, register, owner)
        ) WITHOUT ROWID;
        CREATE TABLE standing (
            generation INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            id TEXT NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (generation, kind, id)
        ) WITHOUT ROWID;
        CREATE TABLE timer (
            generation INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            id TEXT NOT NULL,
            day TEXT NOT NULL,
            body BLOB NOT NULL,
            PRIMARY KEY (generation, kind, id)
        ) WITHOUT ROWID;
        CREATE INDEX timer_day ON timer (generation, day, kind, id);
        CREATE TABLE case_row (
            id TEXT PRIMARY KEY,
            policy TEXT NOT NULL,
            kind INTEGER NOT NULL,
            subject TEXT NOT NULL,
            region TEXT NOT NULL,
            department TEXT NOT NULL,
            period TEXT NOT NULL,
            step TEXT NOT NULL,
            in_review INTEGER NOT NULL,
            due TEXT NOT NULL,
            version INTEGER NOT NULL,
            at INTEGER NOT NULL,
            body BLOB NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX case_row_subject ON case_row (subject, kind);
        CREATE INDEX case_row_policy ON case_row (policy, step, in_review, region);
        CREATE INDEX case_row_department ON case_row (department, step);
        CREATE INDEX case_row_due ON case_row (due);
        CREATE INDEX case_row_step ON case_row (step);
        CREATE INDEX case_row_review ON case_row (id) WHERE in_review = 1;
        CREATE TABLE case_event (
            seq INTEGER PRIMARY KEY,
            case_id TEXT NOT NULL,
            version INTEGER NOT NULL,
            at INTEGER NOT NULL,
            digest BLOB NOT NULL,
            hash BLOB NOT NULL
        );
        CREATE INDEX case_event_case ON case_event (case_id, version);
        CREATE TABLE case_content (seq INTEGER PRIMARY KEY, salt BLOB NOT NULL, body BLOB NOT NULL);
        CREATE TABLE message (
            number INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            channel TEXT NOT NULL,
            kind INTEGER NOT NULL,
            subject TEXT NOT NULL,
            cases TEXT NOT NULL,
            not_before INTEGER NOT NULL,
            body BLOB NOT NULL,
            at INTEGER NOT NULL,
            state INTEGER NOT NULL,
            tries INTEGER NOT NULL,
            told TEXT NOT NULL,
            changed_at INTEGER NOT NULL,
            is_first INTEGER NOT NULL
        );
        CREATE INDEX message_first ON message (channel, not_before, number) WHERE is_first = 1;
        CREATE INDEX message_waiting ON message (channel, kind, subject, number) WHERE state = 0;
        CREATE INDEX message_state ON message (state, number, channel);
        CREATE TABLE message_case (
            case_id TEXT NOT NULL,
            number INTEGER NOT NULL,
            PRIMARY KEY (case_id, number)
        ) WITHOUT ROWID;",
        // Whoever was touched since the day's turn: a timer would move in two trees that lie all over the file. And the few whom identity
        // links tie, for whom all mentions would be looked through.
        "CREATE TABLE touched (
            generation INTEGER NOT NULL,
            kind INTEGER NOT NULL,
            id TEXT NOT NULL,
            PRIMARY KEY (generation, kind, id)
        ) WITHOUT ROWID;
        CREATE INDEX mention_identity ON mention (generation, id, owner) WHERE register = 'identity_links';",
    ],
};
