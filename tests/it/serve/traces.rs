//! Traces reach a collector, hold nobody, and cost nothing where the collector is dead.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::server::{Server, citizen, key, rows, token};

/// A collector of its own: it keeps what it is sent.
fn collector() -> (SocketAddr, Arc<Mutex<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keeping = Arc::clone(&kept);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let keeping = Arc::clone(&keeping);
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().expect("a stream");
                let mut reader = BufReader::new(stream);
                loop {
                    let (mut head, mut length) = (String::new(), 0);
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).unwrap_or(0) == 0 {
                            return;
                        }
                        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                            length = value.trim().parse().expect("a length");
                        }
                        head.push_str(&line);
                        if line == "\r\n" {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).expect("a body");
                    {
                        let mut kept = keeping.lock().expect("a lock");
                        kept.extend_from_slice(head.as_bytes());
                        kept.extend_from_slice(&body);
                    }
                    let answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
                    if writer.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    (address, kept)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_collector_hears_of_routes_and_of_nobody() {
    let (address, kept) = collector();
    let mut server = Server::start(&format!("traces: {{endpoint: 'http://{address}/v1/traces'}}\n"));
    let id = rows("grants").iter().find(|row| row["subject_kind"] == "person").expect("somebody")["subject_id"].clone();
    let bearer = token(&citizen(&id));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let more = [("Purpose", "self"), ("traceparent", parent.as_str()), ("tracestate", "who=wangxiaoming"), ("baggage", "id=secretbaggage")];
    assert_eq!(server.get_as(&bearer, "/v1/subjects/person/me/services", &more).status, 200);
    assert_eq!(server.get("admin", &format!("/v1/subjects/person/{id}/dossier?x=hiddenquery")).status, 200);
    assert_eq!(server.ask("GET", "admin", &format!("/v1/subjects/person/{id}/services"), &[], b"").status, 200);
    server.ask(&format!("M{id}"), "admin", "/v1/policies", &[], b"");
    // What waits is sent when the server ends, too.
    server.signal("TERM");
    assert_eq!(server.ended(Duration::from_secs(30)), Some(0), "{}", server.log());
    let kept = kept.lock().expect("a lock").clone();
    assert!(contains(&kept, b"POST /v1/traces"), "{}", server.log());
    for told in [
        "GET /v1/subjects/{kind}/{id}/services",
        "/v1/subjects/{kind}/{id}/dossier",
        "http.response.status_code",
        "mianshen.roles",
        "citizen",
        "administrator,policy_author",
        "service.name",
        "_OTHER",
    ] {
        assert!(contains(&kept, told.as_bytes()), "no `{told}`");
    }
    let number: Vec<u8> = (0..16).map(|at| u8::from_str_radix(&trace[at * 2..at * 2 + 2], 16).expect("hexadecimal")).collect();
    assert!(contains(&kept, &number), "the trace that was begun elsewhere goes on");
    let signature = bearer.rsplit('.').next().expect("a signature").to_owned();
    for secret in [&id[..], &id[..14], &bearer, &signature, "王小明", "李丽", "citizen-1", "wangxiaoming", "secretbaggage", "hiddenquery"]
    {
        assert!(!contains(&kept, secret.as_bytes()), "`{secret}` reached the collector");
    }
    for caller in ["admin", "clerk"] {
        assert!(!contains(&kept, key(caller).as_bytes()));
    }
}

#[test]
fn a_dead_collector_costs_no_request() {
    // One that takes connections and never answers is worse than one that is not there.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut server = Server::start(&format!("traces: {{endpoint: 'http://{}/v1/traces'}}\n", silent.local_addr().expect("an address")));
    let started = Instant::now();
    for _ in 0..300 {
        assert_eq!(server.get("author", "/v1/bundles").status, 200);
    }
    std::thread::sleep(Duration::from_millis(2_500));
    let batch = Instant::now();
    for _ in 0..300 {
        assert_eq!(server.get("author", "/v1/bundles").status, 200);
    }
    assert!(started.elapsed() < Duration::from_mins(1) && batch.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    server.signal("TERM");
    assert_eq!(server.ended(Duration::from_secs(25)), Some(0), "{}", server.log());
    assert!(server.log().contains("traces"), "who runs it is told: {}", server.log());
    drop(silent);
}
