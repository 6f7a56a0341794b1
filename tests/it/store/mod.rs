//! The store: one suite on SQLite files and on a PostgreSQL server that the test starts; what `match` puts into it.

mod encrypted;
mod faults;
mod kills;
mod live;
mod postgres;
mod runs;
mod sample;
mod tiny;
mod trail;
mod verbs;

use std::sync::Arc;

use mianshen::store::{Address, Kept, Store};
use tempfile::TempDir;

use postgres::Server;

/// A place where there is no store yet.
pub(crate) struct Place {
    pub(crate) address: String,
    /// How the tables of the trail are named.
    pub(crate) trail: TrailTables,
    #[expect(dead_code, reason = "held so that the files stay")]
    folder: Option<TempDir>,
}

/// How what is not to be changed is reached all the same.
pub(crate) enum TrailTables {
    Sqlite(std::path::PathBuf),
    Postgres(String),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("城 1.db");
        let trail = TrailTables::Sqlite(folder.path().join("城 1.db.trail"));
        Self { address: format!("sqlite:{}", path.display()), trail, folder: Some(folder) }
    }

    pub(crate) async fn store(&self) -> Arc<dyn Store> {
        Address::parse(&self.address).expect("an address").make().await.expect("a store")
    }

    /// Changes the trail behind its back. Tables are `record` and `content`.
    pub(crate) async fn tamper(&self, sql: &str) {
        match &self.trail {
            TrailTables::Sqlite(path) => rusqlite::Connection::open(path).expect("the trail").execute_batch(sql).expect("tampering"),
            TrailTables::Postgres(url) => {
                let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
                tokio::spawn(connection);
                let views = "SET search_path = mianshen; CREATE OR REPLACE VIEW record AS TABLE trail_record;
                    CREATE OR REPLACE VIEW content AS TABLE trail_content;";
                client.batch_execute(views).await.expect("names");
                client.batch_execute(sql).await.expect("tampering");
            }
        }
    }
}

impl Place {
    /// Changes the live part behind its back.
    pub(crate) async fn tamper_live(&self, sql: &str) {
        match &self.trail {
            TrailTables::Sqlite(path) => {
                rusqlite::Connection::open(path.with_extension("live")).expect("the live file").execute_batch(sql).expect("tampering");
            }
            TrailTables::Postgres(url) => {
                let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
                tokio::spawn(connection);
                client.batch_execute("SET search_path = mianshen").await.expect("names");
                client.batch_execute(sql).await.expect("tampering");
            }
        }
    }

    /// Counts in the live part.
    pub(crate) async fn count_live(&self, sql: &str) -> i64 {
        match &self.trail {
            TrailTables::Sqlite(path) => {
                let connection = rusqlite::Connection::open(path.with_extension("live")).expect("the live file");
                connection.query_row(sql, [], |row| row.get(0)).expect("a number")
            }
            TrailTables::Postgres(url) => {
                let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("a connection");
                tokio::spawn(connection);
                client.batch_execute("SET search_path = mianshen").await.expect("names");
                client.query_one(sql, &[]).await.expect("a number").get(0)
            }
        }
    }
}

/// A test that works on any place.
type Test = fn(&Place) -> Done<'_>;

/// Everything that a store must do, whatever it is made of.
const SUITE: [(&str, Test); 13] = [
    ("an empty store is empty", |place| Box::pin(runs::an_empty_store_is_empty(place))),
    ("what is loaded is read", |place| Box::pin(runs::what_is_loaded_is_read(place))),
    ("a load that is not finished is not seen", |place| Box::pin(runs::a_load_that_is_not_finished_is_not_seen(place))),
    ("a reader keeps its run", |place| Box::pin(runs::a_reader_keeps_its_run(place))),
    ("old runs go", |place| Box::pin(runs::old_runs_go(place))),
    ("readers see whole runs while others come in", |place| Box::pin(runs::readers_see_whole_runs(place))),
    ("what a server keeps", |place| Box::pin(what_a_server_keeps(place))),
    ("entries are chained and found", |place| Box::pin(trail::entries_are_chained_and_found(place))),
    ("many callers, one chain", |place| Box::pin(trail::many_callers_one_chain(place))),
    ("erasing keeps the chain", |place| Box::pin(trail::erasing_keeps_the_chain(place))),
    ("edits are found", |place| Box::pin(trail::edits_are_found(place))),
    ("gaps and cut tails are found", |place| Box::pin(trail::gaps_and_cut_tails_are_found(place))),
    ("a chain that was written anew is found", |place| Box::pin(trail::a_chain_written_anew_is_found(place))),
];

type Done<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + 'a>>;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")
}

#[test]
fn the_suite_holds_on_sqlite() {
    for (name, test) in SUITE {
        eprintln!("sqlite: {name}");
        runtime().block_on(test(&Place::sqlite()));
    }
}

#[test]
fn the_suite_holds_on_postgresql() {
    let Some(server) = Server::start() else { return };
    for (at, (name, test)) in SUITE.into_iter().enumerate() {
        eprintln!("postgresql: {name}");
        runtime().block_on(async {
            let place = server.place(&format!("t{at}")).await;
            test(&place).await;
        });
    }
}

async fn what_a_server_keeps(place: &Place) {
    let store = place.store().await;
    let value = |key: &str, at: i64, body: &str| Kept { key: key.to_owned(), at, body: body.into() };
    assert_eq!(store.kept("keys", "a").await, Ok(None));
    assert_eq!(store.keep_new("keys", &value("a", 5, "one")).await, Ok(None));
    assert_eq!(store.keep_new("keys", &value("a", 6, "two")).await, Ok(Some(value("a", 5, "one"))), "the first stays");
    assert_eq!(store.kept("answers", "a").await, Ok(None), "lists are apart");
    store.keep("keys", &value("a", 7, "three")).await.expect("kept");
    store.keep("keys", &value("'; DROP TABLE kept; --", 1, "")).await.expect("kept");
    let all = store.kept_all("keys").await.expect("read");
    assert_eq!(all, [value("'; DROP TABLE kept; --", 1, ""), value("a", 7, "three")]);
    assert_eq!(store.forget("keys", "b").await, Ok(false));
    assert_eq!(store.forget_before("keys", 7).await, Ok(1));
    assert_eq!(store.kept_all("keys").await.expect("read").len(), 1);
    assert_eq!(store.forget("keys", "a").await, Ok(true));
    assert_eq!(store.kept("keys", "a").await, Ok(None));
}
