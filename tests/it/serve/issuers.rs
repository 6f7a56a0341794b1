//! Issuers whose keys are fetched from where they publish them.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::server::{Server, citizen, public_key, rows, settings, token};

/// An issuer that answers what it is told to: the text of its keys, and of its description.
fn issuer() -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let keys = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&keys);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
            let first = lines.next().unwrap_or_default();
            let _ = lines.find(String::is_empty);
            let body = if first.contains("/.well-known/openid-configuration") {
                json!({"issuer": format!("http://{address}"), "jwks_uri": format!("http://{address}/jwks")}).to_string()
            } else {
                told.lock().expect("a lock").clone()
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(format!("{head}{body}").as_bytes());
        }
    });
    (address, keys)
}

fn set(kid: &str) -> String {
    json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": public_key()}]}).to_string()
}

#[test]
fn keys_come_from_the_issuer_and_stay_when_it_fails() {
    let (address, keys) = issuer();
    let named = format!("http://{address}");
    let id = rows("grants").iter().find(|row| row["subject_kind"] == "person").expect("somebody")["subject_id"].clone();
    let mut claims: Value = citizen(&id);
    claims["iss"] = json!(named);
    let bearer = token(&claims);
    for source in [format!("keys_url: 'http://{address}/jwks'"), "discovery: true".to_owned()] {
        // At first the issuer has nothing to say: the server starts all the same, and who has a key is served.
        "out of order".clone_into(&mut keys.lock().expect("a lock"));
        let issuers = format!("issuers:\n  - {{issuer: '{named}', audience: mianshen, {source}, algorithms: [EdDSA]}}\n");
        let (before, after) = {
            let usual = settings("limits: {per_second: 100000, burst: 100000}\n");
            let (before, rest) = usual.split_once("issuers:\n").expect("issuers");
            (before.to_owned(), rest.split_once('\n').expect("a line").1.to_owned())
        };
        let server = Server::with(&format!("{before}{issuers}{after}"));
        let mine = |server: &Server| server.get_as(&bearer, "/v1/subjects/person/me/services", &[("Purpose", "self")]).status;
        assert_eq!((mine(&server), server.get("author", "/v1/bundles").status), (401, 200), "{}", server.log());
        // Reading anew fetches too; a moment later the keys are there.
        *keys.lock().expect("a lock") = set("first");
        assert_eq!(server.post("admin", "/v1/admin/reload", &json!({})).status, 200);
        let is_there = (0..200).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            mine(&server) == 200
        });
        assert!(is_there, "{}", server.log());
        // From now on it answers wrongly: nobody is locked out, not even by reading anew.
        "{\"keys\": []}".clone_into(&mut keys.lock().expect("a lock"));
        assert_eq!(server.post("admin", "/v1/admin/reload", &json!({})).status, 200);
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert_eq!(mine(&server), 200, "{}", server.log());
        assert!(server.log().contains("those of before stay") && !server.log().contains(&bearer), "{}", server.log());
    }
}
