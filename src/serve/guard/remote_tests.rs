//! An issuer that publishes its keys over HTTP and HTTPS, well and badly.

use std::path::Path;
use std::sync::atomic::AtomicUsize;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, get_current_timestamp};
use tokio::net::TcpListener;

use super::*;
use crate::serve::guard::token::Tokens;
use crate::serve::settings::{Issuer, Keys};

/// What the issuer answers, and how often it was asked for its keys.
#[derive(Default)]
struct Published {
    answer: std::sync::Mutex<(u16, String, &'static str)>,
    described: std::sync::Mutex<String>,
    asked: AtomicUsize,
}

impl Published {
    fn set(&self, status: u16, text: impl Into<String>, cache: &'static str) {
        *self.answer.lock().expect("a lock") = (status, text.into(), cache);
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn keys(State(published): State<Arc<Published>>) -> Response {
    published.asked.fetch_add(1, Ordering::SeqCst);
    let (status, text, cache) = published.answer.lock().expect("a lock").clone();
    (StatusCode::from_u16(status).expect("a status"), [(CACHE_CONTROL, cache)], text).into_response()
}

async fn described(State(published): State<Arc<Published>>) -> String {
    published.described.lock().expect("a lock").clone()
}

fn routes(published: &Arc<Published>) -> Router {
    let routes = Router::new().route("/keys", get(keys)).route("/.well-known/openid-configuration", get(described));
    routes.with_state(Arc::clone(published))
}

/// An issuer on a port of its own, until the test ends.
async fn issuer() -> (Arc<Published>, Url) {
    let published = Arc::new(Published::default());
    published.set(200, set(&[("a", 1)]), "max-age=600");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = Url::parse(&format!("http://{}/keys", listener.local_addr().expect("an address"))).expect("an address");
    let service = routes(&published);
    tokio::spawn(async move { axum::serve(listener, service).await });
    (published, address)
}

fn signing(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// A JWKS of Ed25519 keys: their names and seeds.
fn set(keys: &[(&str, u8)]) -> String {
    let key = |(kid, seed): &(&str, u8)| {
        let public = base64url(signing(*seed).verifying_key().as_bytes());
        serde_json::json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": public})
    };
    serde_json::json!({"keys": keys.iter().map(key).collect::<Vec<_>>()}).to_string()
}

fn base64url(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        text.extend((0..=three.len()).map(|at| char::from(SIGNS[(number >> (18 - 6 * at) & 63) as usize])));
    }
    text
}

fn token(issuer: &str, kid: &str, seed: u8) -> String {
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::EdDSA) };
    let claims = serde_json::json!({"iss": issuer, "aud": "mianshen", "sub": "c1", "exp": get_current_timestamp() + 600});
    let der = signing(seed).to_pkcs8_der().expect("a key");
    encode(&header, &claims, &EncodingKey::from_ed_der(der.as_bytes())).expect("a token")
}

const NAME: &str = "https://id.example";

fn at(address: &Url) -> KeysAt {
    KeysAt { address: address.clone(), is_discovered: false, authority: None }
}

fn remote(at: &KeysAt, least: Duration, before: Option<&Remote>) -> Arc<Remote> {
    let pace = Pace { least, ..Pace::USUAL };
    Arc::new(Remote::new(NAME, at, pace, before).expect("a client"))
}

fn count(remote: &Remote) -> usize {
    remote.with(<[Key]>::len)
}

#[tokio::test]
async fn keys_are_fetched_and_those_of_before_stay_when_the_issuer_answers_wrongly() {
    let (published, address) = issuer().await;
    let remote = remote(&at(&address), Duration::ZERO, None);
    assert_eq!(remote.fetch().await, Duration::from_mins(10), "as old as the issuer says");
    assert_eq!((count(&remote), remote.changes()), (1, 1));
    let long = " ".repeat(LONGEST + 1);
    for (status, text) in
        [(500, set(&[("b", 2)])), (302, String::new()), (200, "{".to_owned()), (200, r#"{"keys": []}"#.to_owned()), (200, long)]
    {
        published.set(status, text, "max-age=600");
        assert_eq!(remote.fetch().await, Duration::ZERO, "tried again soon");
        assert_eq!((count(&remote), remote.changes()), (1, 1));
    }
    published.set(200, set(&[("a", 1), ("b", 2)]), "no-store");
    assert_eq!(remote.fetch().await, Pace::USUAL.usual);
    assert_eq!((count(&remote), remote.changes()), (2, 2));
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let gone = super::Remote::new(NAME, &at(&Url::parse(&format!("http://{nobody}/keys")).expect("an address")), Pace::USUAL, None);
    assert_eq!(gone.expect("a client").fetch().await, Pace::USUAL.least, "nobody answers");
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_at_most_every_so_often() {
    let (published, address) = issuer().await;
    let slow = remote(&at(&address), Duration::from_hours(1), None);
    slow.fetch().await;
    for _ in 0..50 {
        slow.renew().await;
    }
    assert_eq!(published.asked(), 1, "tokens with invented names of keys cause no storm");
    let quick = remote(&at(&address), Duration::ZERO, Some(&slow));
    assert_eq!(count(&quick), 1, "taken over");
    assert!(quick.renew().await);
    assert_eq!(published.asked(), 2);
}

#[tokio::test]
async fn tokens_follow_the_keys_of_their_issuer() {
    let (published, address) = issuer().await;
    let settings = Issuer {
        issuer: NAME.to_owned(),
        audience: "mianshen".to_owned(),
        prefix: String::new(),
        keys: Keys::At(at(&address)),
        algorithms: vec![Algorithm::EdDSA],
    };
    let tokens = Tokens::load(std::slice::from_ref(&settings), None).expect("a client");
    let first = token(NAME, "a", 1);
    assert!(tokens.caller(&first).is_none(), "nothing is fetched yet");
    assert!(tokens.renew(&first).await && tokens.caller(&first).is_some(), "fetched when a token asks for it");
    assert!(tokens.caller(&token(NAME, "a", 2)).is_none(), "signed by another");
    // What the first tokens had fetched is good for those of after a reload; the pace begins anew.
    published.set(200, set(&[("b", 2)]), "max-age=600");
    let tokens = Tokens::load(std::slice::from_ref(&settings), Some(&tokens)).expect("a client");
    let second = token(NAME, "b", 2);
    assert!(tokens.caller(&first).is_some() && tokens.caller(&second).is_none());
    assert!(tokens.renew(&second).await && tokens.caller(&second).is_some());
    assert!(tokens.caller(&first).is_none(), "a key that was taken back is good no more, even where its token was remembered");
    assert!(!tokens.renew("no token").await && !tokens.renew(&second).await);
}

#[tokio::test]
async fn the_issuer_describes_itself() {
    let (published, address) = issuer().await;
    let description = address.join("/.well-known/openid-configuration").expect("an address");
    let found = KeysAt { address: description, is_discovered: true, authority: None };
    for (issuer, keys) in [("https://other.example", address.as_str()), (NAME, "http://id.example/keys"), (NAME, "nowhere")] {
        *published.described.lock().expect("a lock") = serde_json::json!({"issuer": issuer, "jwks_uri": keys}).to_string();
        let remote = remote(&found, Duration::ZERO, None);
        remote.fetch().await;
        assert_eq!(count(&remote), 0, "{issuer} {keys}");
    }
    *published.described.lock().expect("a lock") = serde_json::json!({"issuer": NAME, "jwks_uri": address.as_str()}).to_string();
    let remote = remote(&found, Duration::ZERO, None);
    remote.fetch().await;
    assert_eq!(count(&remote), 1);
}

#[tokio::test]
async fn keys_are_kept_fresh_while_somebody_holds_them() {
    let (published, address) = issuer().await;
    published.set(200, set(&[("a", 1)]), "max-age=0");
    let remote = remote(&at(&address), Duration::from_millis(20), None);
    remote.keep_fresh().await;
    assert_eq!(count(&remote), 1);
    published.set(200, set(&[("a", 1), ("b", 2)]), "max-age=0");
    for _ in 0..500 {
        if count(&remote) == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(count(&remote), 2);
    drop(remote);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = published.asked();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(published.asked(), asked, "nobody holds them any more");
}

#[tokio::test]
async fn over_tls_only_an_issuer_that_is_vouched_for_is_believed() {
    outgoing::encryption();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/tls");
    let tls = axum_server::tls_rustls::RustlsConfig::from_pem_file(folder.join("server.pem"), folder.join("server.key"));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = Url::parse(&format!("https://{}/keys", listener.local_addr().expect("an address"))).expect("an address");
    let published = Arc::new(Published::default());
    published.set(200, set(&[("a", 1)]), "");
    let server = axum_server::from_tcp_rustls(listener, tls.await.expect("a certificate")).expect("a server");
    tokio::spawn(server.serve(routes(&published).into_make_service()));
    let vouched = remote(&KeysAt { authority: Some(folder.join("ca.pem")), ..at(&address) }, Duration::ZERO, None);
    vouched.fetch().await;
    assert_eq!((count(&vouched), published.asked()), (1, 1));
    let stranger = remote(&at(&address), Duration::ZERO, None);
    stranger.fetch().await;
    assert_eq!((count(&stranger), published.asked()), (0, 1), "refused before anything is asked");
}

#[test]
fn ages_are_read() {
    let seconds = |text: &str| max_age(text).map(|age| age.as_secs());
    assert_eq!((seconds("public, Max-Age=60"), seconds("no-store"), seconds("max-age=x")), (Some(60), None, None));
}
