//! Serving over TLS: who trusts the authority is answered, who does not sends nothing, and what is no TLS is dropped.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::client::raw;
use super::server::{Server, key, settings};

const TLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/tls");

fn server() -> Server {
    let tls = format!("tls: {{certificate: {TLS}/server.pem, key: {TLS}/server.key}}\n");
    Server::with(&settings(&format!("{tls}limits: {{per_second: 100000, burst: 100000, head_timeout_seconds: 2}}\n")))
}

/// A client that trusts the authority of the tests, or only those of the system.
fn client(is_trusting: bool) -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
    let pem = std::fs::read(format!("{TLS}/ca.pem")).expect("a certificate");
    let authority = reqwest::Certificate::from_pem(&pem).expect("a certificate");
    if is_trusting { builder.tls_certs_only([authority]).build() } else { builder.build() }.expect("a client")
}

/// Asks the server; its answer, or that there was none.
fn asked(client: &reqwest::Client, server: &Server, host: &str, path: &str) -> Result<reqwest::Response, reqwest::Error> {
    let address = format!("https://{host}:{}{path}", server.address.port());
    let request = client.get(address).header("X-Api-Key", key("author"));
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(async { request.send().await })
}

#[test]
fn over_tls_answers_say_that_it_is_to_stay_so() {
    let server = server();
    let trusting = client(true);
    for (host, path) in [("127.0.0.1", "/healthz"), ("localhost", "/v1/policies"), ("127.0.0.1", "/v1/nothing")] {
        let answer = asked(&trusting, &server, host, path).expect("an answer");
        let expected = if path.ends_with("nothing") { 404 } else { 200 };
        assert_eq!(answer.status().as_u16(), expected, "{path}");
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        assert_eq!(header("strict-transport-security").as_deref(), Some("max-age=31536000"), "{path}");
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
    }
    let refused = asked(&client(false), &server, "127.0.0.1", "/healthz").expect_err("a stranger's certificate");
    assert!(refused.is_connect(), "{refused:?}");
    assert!(format!("{refused:?}").to_lowercase().contains("certificate"), "{refused:?}");
    assert!(asked(&trusting, &server, "127.0.0.1", "/healthz").is_ok(), "the server stands");
}

#[test]
fn what_is_no_tls_is_dropped_without_an_answer() {
    let server = server();
    let plain = raw(server.address, format!("GET /v1/policies HTTP/1.1\r\nHost: a\r\nX-Api-Key: {}\r\n\r\n", key("author")).as_bytes());
    assert!(plain.is_none(), "no HTTP over a port of TLS: {plain:?}");
    for bytes in [&b"\x16\x03\x01\xff\xff\x01"[..], &b"\x15\x03\x03\x00\x02\x02\x28"[..], &[0_u8; 600][..]] {
        assert!(raw(server.address, bytes).is_none());
    }
    // A handshake that never ends takes a place only for a while.
    let mut slow = TcpStream::connect(server.address).expect("connected");
    slow.write_all(b"\x16\x03\x01").expect("sent");
    slow.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let started = Instant::now();
    let read = slow.read(&mut [0; 16]);
    assert!(matches!(read, Ok(0) | Err(_)) && started.elapsed() < Duration::from_secs(20), "{read:?} after {:?}", started.elapsed());
    let answer = asked(&client(true), &server, "127.0.0.1", "/healthz").expect("the server stands");
    assert_eq!(answer.status().as_u16(), 200);
    assert!(!server.log().contains(&key("author")));
}
