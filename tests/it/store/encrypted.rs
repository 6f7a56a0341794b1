//! Encrypted connections to a PostgreSQL server that takes no others.

use std::path::Path;
use std::process::{Command, Stdio};

use mianshen::store::{Address, StoreError};

use super::postgres::Server;
use super::runtime;
use crate::outcome::text_of;

/// Makes a certificate for `localhost` that signs itself, with its key.
fn certificate(folder: &Path, name: &str) -> bool {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join(format!("{name}.key")))
        .arg("-out")
        .arg(folder.join(format!("{name}.pem")))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success())
}

#[test]
fn connections_are_encrypted_and_servers_verified() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if !(certificate(folder.path(), "server") && certificate(folder.path(), "other")) {
        assert!(std::env::var_os("MIANSHEN_NEED_POSTGRES").is_none(), "openssl makes no certificate");
        eprintln!("LEFT OUT: openssl makes no certificate");
        return;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let Some(server) = Server::start_encrypted(port, &folder.path().join("server.pem"), &folder.path().join("server.key")) else { return };
    let roots = |name: &str| text_of(&folder.path().join(name)).to_owned();
    runtime().block_on(async {
        drop(server.place("encrypted").await);
        let open = async |host: &str, query: &str| {
            let url = format!("postgres://mianshen@{host}:{port}/encrypted{query}");
            Address::parse(&url).expect("an address").make().await
        };
        let verified = format!("?sslmode=verify-full&sslrootcert={}", roots("server.pem"));
        let store = open("localhost", &verified).await.expect("a server of that name, with a certificate that is trusted");
        // Every kind of connection: of the pool, of the locks, of loads and fillings.
        store.trail_append(1, &[super::trail::entry("张三", "p1")]).await.expect("appended");
        super::tiny::load(&*store, 1, 20, 3).await;
        assert!(store.current().await.expect("read").is_some());
        let live = store.live().await.expect("a live part");
        drop(live.fill().await.expect("a filling"));
        assert!(open("localhost", "?sslmode=require").await.is_ok(), "encrypted, whoever answers");
        assert!(open("localhost", &format!("?sslmode=require&sslrootcert={}", roots("server.pem"))).await.is_ok());
        let refused = [
            ("localhost", String::new(), "unencrypted"),
            ("localhost", "?sslmode=disable".to_owned(), "unencrypted"),
            ("localhost", format!("?sslmode=verify-full&sslrootcert={}", roots("other.pem")), "another signer"),
            ("localhost", format!("?sslmode=require&sslrootcert={}", roots("other.pem")), "another signer"),
            ("127.0.0.1", verified.clone(), "another name"),
        ];
        for (host, query, why) in refused {
            let told = open(host, &query).await.err();
            assert!(matches!(told, Some(StoreError::Unreachable(_))), "{why}: {told:?}");
        }
        let told = open("localhost", "?sslmode=verify-full").await.err();
        assert!(matches!(told, Some(StoreError::BadAddress(_))), "{told:?}");
    });
}
