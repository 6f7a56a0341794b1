//! What is sent to break the server: it refuses, stays up, and stays small.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{raw, send};
use super::server::{Server, key, rows};

/// The server still answers.
#[track_caller]
fn stands(server: &Server) {
    assert_eq!(send(server.address, "GET", "/healthz", &[], b"").status, 200, "{}", server.log());
    assert_eq!(server.get("author", "/v1/bundles").status, 200, "{}", server.log());
}

/// Bytes of memory that the server holds.
fn memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("the system tells");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).expect("a number").parse::<u64>().expect("a number") * 1024
}

#[test]
fn path_tricks_lead_nowhere() {
    let server = Server::start("");
    for path in [
        "/v1/../../etc/passwd",
        "/v1/policies/..%2f..%2fetc%2fpasswd",
        "/v1/policies/%00",
        "/v1/policies/%ff%fe",
        "//v1//policies",
        "/v1/policies/990100-MZ-0007%0d%0aSet-Cookie:x=1",
        "/v1/subjects/person/%27%20OR%201%3D1--/services",
        "/v1/subjects/person/<script>alert(1)</script>/services",
        "/v1/subjects/gods/1/services",
        "/v1/subjects/person/1%00/services",
        "/v1/subjects/household/%00/looks",
        "/v1/cases/%00",
        "/v1/cases/%27%3B%20DROP%20TABLE%20case_row%3B--",
        "/v1/subjects/person//services",
        "/v1/runs/1;DROP%20TABLE%20runs",
        "/v1/runs/-1",
        "/v1/runs/99999999999999999999999",
    ] {
        let answer = server.get("admin", path);
        assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.text().contains("script") && !answer.text().contains("DROP") && answer.header("set-cookie").is_none(), "{path}");
    }
    stands(&server);
}

#[test]
fn identifiers_cannot_be_tried_out() {
    let server = Server::start("");
    let real: Vec<String> = rows("grants")
        .iter()
        .filter(|row| row["subject_kind"] == "person" && row["region"].starts_with("990102"))
        .take(20)
        .map(|row| row["subject_id"].clone())
        .collect();
    let invented = ["110105194912310021", "990102194607227490", "x", "' OR '1'='1", "%", "\0", "x\0y"];
    let ask = |id: &str, what: &str| {
        let id: String = id.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = server.get("clerk", &format!("/v1/subjects/person/{id}/{what}"));
        (answer.status, answer.body.clone())
    };
    for what in ["services", "dossier", "explain/990100-MZ-0007", "explain/none"] {
        let mut answers: Vec<(u16, Vec<u8>)> = real.iter().map(|id| ask(id, what)).collect();
        answers.extend(invented.iter().map(|id| ask(id, what)));
        answers.dedup();
        assert_eq!(answers.len(), 1, "{what}: all are answered alike");
        assert_eq!(answers[0].0, 404);
    }
}

#[test]
fn bodies_too_large_too_slow_or_packed_to_burst_are_refused() {
    let server = Server::start("limits: {per_second: 100000, burst: 100000, timeout_seconds: 2, head_timeout_seconds: 2}\n");
    let before = memory(&server);
    let json = [("Content-Type", "application/json")];
    let large = vec![b' '; 2 << 20];
    assert_eq!(server.ask("POST", "author", "/v1/evaluate", &json, &large).status, 413);
    // A gibibyte of spaces in some tens of kilobytes.
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).expect("an encoder");
    let block = vec![b' '; 1 << 20];
    (0..1_024).for_each(|_| encoder.write_all(&block).expect("packed"));
    let bomb = encoder.finish().expect("packed");
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    let packed = [("Content-Type", "application/json"), ("Content-Encoding", "zstd")];
    for _ in 0..20 {
        assert_eq!(server.ask("POST", "author", "/v1/evaluate", &packed, &bomb).status, 413);
    }
    let broken = [("Content-Type", "application/json"), ("Content-Encoding", "gzip")];
    assert_eq!(server.ask("POST", "author", "/v1/evaluate", &broken, b"not gzip").status, 400);
    let unknown = [("Content-Type", "application/json"), ("Content-Encoding", "rot13")];
    assert_eq!(server.ask("POST", "author", "/v1/evaluate", &unknown, b"{}").status, 415);
    assert_eq!(server.ask("POST", "author", "/v1/evaluate", &[("Content-Type", "text/plain")], b"{}").status, 415);
    // A body that never ends.
    let head = format!(
        "POST /v1/evaluate HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
        key("author")
    );
    let started = Instant::now();
    let mut slow = TcpStream::connect(server.address).expect("connected");
    slow.write_all(head.as_bytes()).expect("sent");
    slow.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let mut told = [0; 64];
    let read = slow.read(&mut told).expect("an answer");
    assert!(String::from_utf8_lossy(&told[..read]).starts_with("HTTP/1.1 408"), "{}", String::from_utf8_lossy(&told));
    // A head that never ends.
    let mut slow = TcpStream::connect(server.address).expect("connected");
    slow.write_all(b"GET /v1/policies HTTP/1.1\r\nHost: lo").expect("sent");
    slow.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let ended = slow.read(&mut told).map_or(true, |read| read == 0 || told.starts_with(b"HTTP/1.1 408"));
    assert!(ended && started.elapsed() < Duration::from_secs(25), "slow requests are cut off");
    stands(&server);
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < 300 << 20, "{} MiB more", grown >> 20);
}

#[test]
fn every_field_may_hold_anything() {
    let server = Server::start("");
    let tricks =
        ["'; DROP TABLE runs; --", "<img src=x onerror=alert(1)>", "\u{0}", "../../../etc/passwd", "${jndi:ldap://x}", "\u{202e}", "𝕏", ""];
    for trick in tricks {
        for body in [
            json!({"subject": trick, "facts": {}}),
            json!({"subject": "person", "as_of": trick, "facts": {}}),
            json!({"subject": "person", "as_of": "2026-06-30", "facts": {trick: trick}}),
            json!({"subject": "person", "as_of": "2026-06-30", "facts": {"birth_date": trick}}),
            json!({"subject": "person", "as_of": "2026-06-30", "facts": {}, "policies": [trick]}),
            json!({"subject": "person", "as_of": "2026-06-30", "facts": {}, "bundle": trick}),
            json!({"subject": "person", "as_of": "2026-06-30", "facts": {}, trick: 1}),
        ] {
            let answer = server.post("author", "/v1/evaluate", &body);
            assert_eq!(answer.status, 422, "{body}: {}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        }
        let checked = server.post("author", "/v1/check", &json!({"policy": trick, "cases": trick}));
        assert_eq!(checked.status, 200, "{trick:?}: {}", checked.text());
    }
    for body in ["", "{", "[]", "null", "1e999", "\"", "{\"subject\":\"person\",\"facts\":{\"a\":1e400}}"] {
        let answer = server.ask("POST", "author", "/v1/evaluate", &[("Content-Type", "application/json")], body.as_bytes());
        assert_eq!(answer.status, 422, "{body}: {}", answer.text());
    }
    let deep = "[".repeat(200_000);
    assert_eq!(server.ask("POST", "author", "/v1/evaluate", &[("Content-Type", "application/json")], deep.as_bytes()).status, 422);
    let many: serde_json::Map<String, serde_json::Value> = (0..50_000).map(|at| (format!("f{at}"), json!(1))).collect();
    let started = Instant::now();
    let answer = server.post("author", "/v1/evaluate", &json!({"subject": "person", "as_of": "2026-06-30", "facts": many}));
    assert!(answer.status == 422 && started.elapsed() < Duration::from_secs(5), "{}", answer.status);
    stands(&server);
}

#[test]
fn what_is_no_http_is_dropped() {
    let server = Server::start("");
    let hostile: [&[u8]; 7] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/policies HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        b"GET /v1/policies HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"POST /v1/evaluate HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\r\n\r\n\r\n\r\n",
    ];
    for bytes in hostile {
        let mut stream = TcpStream::connect(server.address).expect("connected");
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    }
    let mut head = b"GET /v1/policies HTTP/1.1\r\nHost: a\r\n".to_vec();
    (0..5_000).for_each(|at| head.extend_from_slice(format!("X-{at}: y\r\n").as_bytes()));
    head.extend_from_slice(b"\r\n");
    assert!(raw(server.address, &head).is_none_or(|answer| answer.status == 431), "heads are bounded");
    stands(&server);
}

#[test]
fn open_connections_cost_little_and_are_bounded() {
    let server = Server::start("limits: {per_second: 100000, burst: 100000, connections: 400, head_timeout_seconds: 20}\n");
    let before = memory(&server);
    let open: Vec<TcpStream> = (0..600).filter_map(|_| TcpStream::connect(server.address).ok()).collect();
    std::thread::sleep(Duration::from_millis(500));
    let closed = open
        .iter()
        .filter(|stream| {
            stream.set_nonblocking(true).expect("set");
            let mut byte = [0; 1];
            let mut stream: &TcpStream = stream;
            matches!(stream.read(&mut byte), Ok(0) | Err(_))
                && !matches!(stream.read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
        })
        .count();
    assert!(closed >= 150, "{closed} of {} beyond the limit were closed", open.len());
    assert!(memory(&server).saturating_sub(before) < 100 << 20);
    drop(open);
    std::thread::sleep(Duration::from_millis(500));
    stands(&server);
}

#[test]
fn idle_connections_make_room_for_those_who_ask() {
    let server = Server::start("limits: {per_second: 100000, burst: 100000, connections: 100, head_timeout_seconds: 60}\n");
    let idle: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(server.address).expect("connected")).collect();
    // One of them has a request at work; it is the oldest all the same.
    let head = format!(
        "POST /v1/evaluate HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{",
        key("author")
    );
    let mut at_work = &idle[0];
    at_work.write_all(head.as_bytes()).expect("sent");
    std::thread::sleep(Duration::from_millis(1_500));
    for _ in 0..30 {
        stands(&server);
    }
    at_work.write_all(b"}").expect("sent");
    at_work.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let mut told = [0; 12];
    at_work.read_exact(&mut told).expect("an answer");
    assert!(told.starts_with(b"HTTP/1.1 422"), "{}", String::from_utf8_lossy(&told));
}

#[test]
fn what_is_too_much_at_once_is_told_to_come_again() {
    let server = Server::start("limits: {per_second: 100000, burst: 100000, in_flight: 2, timeout_seconds: 5}\n");
    let head = format!(
        "POST /v1/evaluate HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{{",
        key("author")
    );
    let waiting: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).expect("connected");
            stream.write_all(head.as_bytes()).expect("sent");
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    let refused = server.get("author", "/v1/bundles");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")), "{}", refused.text());
    assert_eq!(send(server.address, "GET", "/healthz", &[], b"").status, 200, "who watches is always answered");
    drop(waiting);
    std::thread::sleep(Duration::from_millis(500));
    stands(&server);
}

#[test]
fn answers_carry_what_keeps_browsers_safe() {
    let server = Server::start("");
    for answer in [server.get("author", "/v1/bundles"), send(server.address, "GET", "/nothing", &[], b"")] {
        for (name, value) in [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("referrer-policy", "no-referrer")] {
            assert_eq!(answer.header(name), Some(value));
        }
        assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("default-src 'none'")));
        assert!(answer.header("server").is_none() && answer.header("x-powered-by").is_none());
    }
}
