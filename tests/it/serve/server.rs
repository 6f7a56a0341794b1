//! The real server, started on a free port, with the sample city in its store.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{EncodePrivateKey, EncodePublicKey};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::client::{Answer, send};
use super::places::CityStore;
use crate::support::{command, run};

/// The sample city, matched once: result files and a store.
pub(crate) static CITY: LazyLock<City> = LazyLock::new(|| match std::env::var_os(MATCHED) {
    Some(folder) => City { folder: folder.into(), made: None },
    None => {
        let made = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| made.path().join(name).to_str().expect("UTF-8").to_owned();
        let arguments = ["match", "--format", "csv", "--out", &path("out"), "--store", &path("city.db"), "--lang", "en"];
        let matched = run(&arguments);
        assert_eq!(matched.code, Some(0), "{}", matched.stderr);
        City { folder: made.path().to_owned(), made: Some(made) }
    }
});

/// Tells tests that others run in what folder the city lies matched.
pub(super) const MATCHED: &str = "MIANSHEN_TEST_CITY";

/// The sample city in a folder.
pub(crate) struct City {
    folder: PathBuf,
    #[expect(dead_code, reason = "held so that the files stay")]
    made: Option<TempDir>,
}

impl City {
    pub(crate) fn path(&self) -> &Path {
        &self.folder
    }
}

/// A server; it ends with the test.
pub(crate) struct Server {
    child: Child,
    store: CityStore,
    pub(crate) address: SocketAddr,
    /// What it has written to stderr so far.
    log: Arc<Mutex<String>>,
    pub(crate) folder: TempDir,
}

/// The secrets of callers, by the word of settings.
pub(crate) fn key(id: &str) -> String {
    format!("ms_test_{id}")
}

fn key_entry(id: &str, rest: &str) -> String {
    let digest = mianshen::hex::digits(&Sha256::digest(key(id)));
    format!("  - {{id: {id}, name: 李丽, sha256: {digest}, {rest}}}\n")
}

/// Settings with callers of every role. Nobody in them is real.
pub(crate) fn settings(more: &str) -> String {
    let keys = [
        key_entry("admin", "roles: [administrator, policy_author], regions: ['*'], departments: ['*'], purposes: ['*']"),
        key_entry("platform", "roles: [handler], regions: ['*'], departments: ['*'], purposes: [find_services]"),
        key_entry("clerk", "roles: [handler], regions: ['990101'], departments: ['990100-MZ'], purposes: [casework]"),
        key_entry("auditor", "roles: [auditor], regions: ['990100'], purposes: [audit]"),
        key_entry("watch", "roles: [auditor], regions: ['990101'], purposes: [audit]"),
        key_entry("author", "roles: [policy_author]"),
        key_entry("nobody", "roles: [handler]"),
    ];
    format!(
        "listen: 127.0.0.1:0\npolicies: POLICIES\nstore: city.db\nissuers:\n  - {{issuer: 'https://id.example', audience: mianshen, keys: issuer.pem, algorithms: [EdDSA, RS256, ES256]}}\napi_keys:\n{}{more}",
        keys.concat()
    )
}

/// The same, with limits that no test meets unless it sets its own.
pub(super) fn usual(more: &str) -> String {
    let limits = if more.contains("limits:") { "" } else { "limits: {per_second: 100000, burst: 100000, timeout_seconds: 60}\n" };
    settings(&format!("{limits}{more}"))
}

impl Server {
    /// Starts one with callers of every role.
    pub(crate) fn start(more: &str) -> Self {
        Self::with(&usual(more))
    }

    /// Starts one with some settings on a copy of the city's store.
    pub(crate) fn with(settings: &str) -> Self {
        Self::on(CityStore::copied(), settings)
    }

    /// Starts one on a store.
    pub(super) fn on(store: CityStore, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = settings.replace("store: city.db", &format!("store: '{}'", store.address()));
        let policies = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
        let path = folder.path().join("serve.yaml");
        fs::write(&path, settings.replace("POLICIES", policies)).expect("written");
        fs::write(folder.path().join("issuer.pem"), public_pem()).expect("written");
        let mut command = command(&["serve", "--lang", "en", "--settings", path.to_str().expect("UTF-8")]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the server starts");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let mut address = None;
        while address.is_none() {
            let Some(Ok(line)) = lines.next() else { panic!("the server ended: {}", log.lock().expect("a lock")) };
            log.lock().expect("a lock").push_str(&format!("{line}\n"));
            address = line.split_once("://").and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        }
        let kept = Arc::clone(&log);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| kept.lock().expect("a lock").push_str(&format!("{line}\n")));
        });
        Self { child, store, address: address.expect("an address"), log, folder }
    }

    /// The address of its store.
    pub(crate) fn store(&self) -> &str {
        self.store.address()
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("a lock").clone()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks with a key, for its purpose.
    pub(crate) fn get(&self, caller: &str, path: &str) -> Answer {
        self.get_with(caller, path, &[])
    }

    pub(crate) fn get_with(&self, caller: &str, path: &str, more: &[(&str, &str)]) -> Answer {
        self.ask("GET", caller, path, more, b"")
    }

    /// Posts JSON with a key, for its purpose.
    pub(crate) fn post(&self, caller: &str, path: &str, body: &serde_json::Value) -> Answer {
        self.ask("POST", caller, path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    pub(crate) fn ask(&self, method: &str, caller: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
        let key = key(caller);
        let purpose = match caller {
            "platform" => "find_services",
            "auditor" => "audit",
            _ => "casework",
        };
        let mut headers = vec![("X-Api-Key", key.as_str()), ("Accept-Language", "en")];
        if !more.iter().any(|(name, _)| *name == "Purpose") {
            headers.push(("Purpose", purpose));
        }
        headers.extend_from_slice(more);
        send(self.address, method, path, &headers, body)
    }

    /// Asks with a token.
    pub(crate) fn get_as(&self, token: &str, path: &str, more: &[(&str, &str)]) -> Answer {
        let bearer = format!("Bearer {token}");
        let mut headers = vec![("Authorization", bearer.as_str()), ("Accept-Language", "en")];
        headers.extend_from_slice(more);
        send(self.address, "GET", path, &headers, b"")
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for the server to end; its exit code.
    pub(crate) fn ended(&mut self, within: Duration) -> Option<i32> {
        let until = Instant::now() + within;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn copy_store(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the folder is there") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            if entry.file_name() != "out" {
                fs::create_dir_all(&target).expect("made");
                copy_store(&entry.path(), &target);
            }
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// The rows of a result file of the city, by column.
pub(crate) fn rows(table: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let path: PathBuf = CITY.path().join("out").join(format!("{table}.csv"));
    let mut reader = csv::Reader::from_path(path).expect("the result file");
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

/// The key of the issuer that settings trust.
fn issuer() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public_pem() -> String {
    issuer().verifying_key().to_public_key_pem(LineEnding::LF).expect("PEM")
}

/// The public key of the issuer, as a JWKS has it.
pub(crate) fn public_key() -> String {
    base64url(issuer().verifying_key().as_bytes())
}

/// Base64 for addresses, without padding (RFC 4648, section 5).
pub(crate) fn base64url(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        text.extend((0..=three.len()).map(|at| char::from(SIGNS[(number >> (18 - 6 * at) & 63) as usize])));
    }
    text
}

/// A token of the trusted issuer.
pub(crate) fn token(claims: &serde_json::Value) -> String {
    signed(&issuer(), claims)
}

/// A token that somebody else signed.
pub(crate) fn forged(claims: &serde_json::Value) -> String {
    signed(&SigningKey::from_bytes(&[8; 32]), claims)
}

fn signed(key: &SigningKey, claims: &serde_json::Value) -> String {
    let pem = key.to_pkcs8_pem(LineEnding::LF).expect("PEM");
    let key = EncodingKey::from_ed_pem(pem.as_bytes()).expect("a key");
    jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), claims, &key).expect("a token")
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    jsonwebtoken::get_current_timestamp()
}

/// The claims of a citizen who is a person.
pub(crate) fn citizen(id: &str) -> serde_json::Value {
    serde_json::json!({
        "iss": "https://id.example", "aud": "mianshen", "sub": "citizen-1", "name": "王小明", "exp": now() + 600, "roles": ["citizen"],
        "subjects": [{"kind": "person", "id": id}],
    })
}
