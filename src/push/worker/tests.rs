//! The worker against a real HTTP receiver that is slow, down, wrong, or answers twice.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use sha2::{Digest, Sha256};
use sm3::Sm3;

use super::memory::Memory;
use super::*;
use crate::hex;
use crate::push::channel;
use crate::push::channel::signature::Algorithm;
use crate::push::channel::webhook::{ID, SIGNATURE, TIMESTAMP};
use crate::push::settings::{self, Way, Webhook};
use crate::settings::Secret;
use crate::store::live::NewMessage;

const SECRET: &str = "a secret of sixteen bytes or more";
const START: i64 = 1_800_000_000_000_000;
const SECOND: i64 = 1_000_000;

/// What the receiver is to answer to a message, by its subject and how often it came.
type Answer = dyn Fn(&str, u32) -> (Duration, u16) + Send + Sync;

/// What was received: the subject's identifier in the body, and the message's.
#[derive(Default)]
struct Inbox {
    got: Vec<(String, String)>,
    /// Signatures that were wrong.
    wrong: Vec<String>,
    tries: BTreeSet<(String, u32)>,
}

struct Receiver {
    inbox: Mutex<Inbox>,
    answer: Box<Answer>,
    algorithm: Algorithm,
}

impl Receiver {
    fn inbox(&self) -> std::sync::MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Message identifiers, in the order of arrival, that were answered with success or not.
    fn ids(&self) -> Vec<String> {
        self.inbox().got.iter().map(|(_, id)| id.clone()).collect()
    }
}

async fn receiver(
    algorithm: Algorithm,
    answer: impl Fn(&str, u32) -> (Duration, u16) + Send + Sync + 'static,
) -> (SocketAddr, Arc<Receiver>) {
    let receiver = Arc::new(Receiver { inbox: Mutex::default(), answer: Box::new(answer), algorithm });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().route("/in", post(take)).with_state(Arc::clone(&receiver));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, receiver)
}

async fn take(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let expected = by_hand(receiver.algorithm, &header(TIMESTAMP), &body);
    let (id, subject) = (header(ID), String::from_utf8_lossy(&body).into_owned());
    let (wait, status) = {
        let mut inbox = receiver.inbox();
        if header(SIGNATURE) != expected {
            inbox.wrong.push(header(SIGNATURE));
        }
        let times = inbox.got.iter().filter(|(_, got)| *got == id).count();
        inbox.got.push((subject.clone(), id.clone()));
        let times = u32::try_from(times).unwrap_or(u32::MAX) + 1;
        inbox.tries.insert((id, times));
        (receiver.answer)(&subject, times)
    };
    tokio::time::sleep(wait).await;
    let status = StatusCode::from_u16(status).expect("a status");
    let mut response = status.into_response();
    if status.is_redirection() {
        response.headers_mut().insert("location", "http://127.0.0.1:9/elsewhere".parse().expect("a header"));
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().insert("retry-after", "90".parse().expect("a header"));
    }
    response
}

/// What docs/push.md tells receivers to compute, from RFC 2104.
fn by_hand(algorithm: Algorithm, timestamp: &str, body: &[u8]) -> String {
    fn hmac<D: Digest>(key: &[u8], text: &[u8]) -> String {
        let mut block = [0_u8; 64];
        block[..key.len()].copy_from_slice(key);
        let (inner, outer) = (block.map(|byte| byte ^ 0x36), block.map(|byte| byte ^ 0x5c));
        hex::digits(&D::digest([outer.as_slice(), &D::digest([inner.as_slice(), text].concat())].concat()))
    }
    let text = [timestamp.as_bytes(), b".", body].concat();
    match algorithm {
        Algorithm::Sha256 => format!("hmac-sha256={}", hmac::<Sha256>(SECRET.as_bytes(), &text)),
        Algorithm::Sm3 => format!("hmac-sm3={}", hmac::<Sm3>(SECRET.as_bytes(), &text)),
    }
}

fn hook(name: &str, url: &str, algorithm: Algorithm, timeout: Duration) -> (String, Arc<dyn Channel>) {
    let way = Way::Webhook(Webhook {
        url: url.parse().expect("an address"),
        secret: Secret::new(SECRET),
        algorithm,
        key_id: String::new(),
        ca: None,
        timeout,
    });
    let settings = settings::Channel { name: name.to_owned(), subjects: Vec::new(), policies: Vec::new(), way };
    (name.to_owned(), channel::open(&settings).expect("a channel"))
}

/// A worker on a store in memory, with a clock that is set by hand.
struct Bench {
    live: Arc<Memory>,
    worker: Worker,
    now: Arc<AtomicI64>,
}

fn pace() -> Pace {
    Pace { poll: Duration::from_millis(5), ..Pace::default() }
}

fn bench(channels: Vec<(String, Arc<dyn Channel>)>, pace: Pace) -> Bench {
    let (live, now) = (Arc::new(Memory::default()), Arc::new(AtomicI64::new(START)));
    let clock = Arc::clone(&now);
    let worker = Worker {
        live: Arc::clone(&live) as Arc<dyn Live>,
        channels,
        pace,
        quiet: None,
        offset: 0,
        clock: Arc::new(move || clock.load(Ordering::SeqCst)),
        dice: Arc::new(|| 1.0),
        heard: Arc::new(|_| {}),
    };
    Bench { live, worker, now }
}

fn message(channel: &str, subject: &str, id: &str) -> NewMessage {
    NewMessage {
        id: id.to_owned(),
        channel: channel.to_owned(),
        kind: SubjectKind::Person,
        subject: subject.to_owned(),
        cases: Vec::new(),
        not_before: START,
        body: subject.into(),
    }
}

impl Bench {
    async fn ask(&self, messages: Vec<NewMessage>) {
        self.live.commit(&Batch { at: START, messages, ..Batch::default() }).await.expect("asked for");
    }

    async fn drain(&self) -> Tally {
        self.worker.run(&Until::Drained).await.expect("drained")
    }

    fn later(&self, seconds: i64) {
        self.now.fetch_add(seconds * SECOND, Ordering::SeqCst);
    }

    fn states(&self) -> Vec<(String, MessageState, u32)> {
        self.live.messages().into_iter().map(|row| (row.message.id, row.state, row.tries)).collect()
    }

    fn count(&self, state: MessageState) -> usize {
        self.live.messages().iter().filter(|row| row.state == state).count()
    }
}

#[tokio::test]
async fn messages_leave_signed_and_in_the_order_of_their_subject() {
    for algorithm in [Algorithm::Sm3, Algorithm::Sha256] {
        let (address, receiver) = receiver(algorithm, |_, _| (Duration::ZERO, 202)).await;
        let bench = bench(vec![hook("a", &format!("http://{address}/in"), algorithm, Duration::from_secs(5))], pace());
        let all: Vec<NewMessage> = (0..20)
            .flat_map(|at| (0..10).map(move |subject| message("a", &format!("p{subject}"), &format!("{subject}-{at:02}"))))
            .collect();
        bench.ask(all).await;
        assert_eq!(bench.drain().await, Tally { sent: 200, later: 0, dead: 0 });
        let inbox = receiver.inbox();
        assert_eq!((inbox.got.len(), inbox.wrong.len()), (200, 0), "{:?}", inbox.wrong.first());
        for subject in 0..10 {
            let name = format!("p{subject}");
            let ids: Vec<&String> = inbox.got.iter().filter(|(of, _)| *of == name).map(|(_, id)| id).collect();
            assert!(ids.is_sorted() && ids.len() == 20, "{ids:?}");
        }
    }
}

#[tokio::test]
async fn a_receiver_that_is_down_for_an_hour_loses_nothing() {
    let up = Arc::new(AtomicU32::new(0));
    let is_up = Arc::clone(&up);
    let (address, receiver) =
        receiver(Algorithm::Sm3, move |_, _| (Duration::ZERO, if is_up.load(Ordering::SeqCst) == 1 { 200 } else { 503 })).await;
    let bench = bench(vec![hook("a", &format!("http://{address}/in"), Algorithm::Sm3, Duration::from_secs(5))], pace());
    bench.ask((0..50).map(|at| message("a", &format!("p{}", at % 25), &format!("m{at:02}"))).collect()).await;
    let (stop, stopped) = watch::channel(false);
    let worker = bench.worker.clone();
    let working = tokio::spawn(async move { worker.run(&Until::Stopped(stopped)).await });
    let goes_on = async |seconds: i64| {
        bench.later(seconds);
        tokio::time::sleep(Duration::from_millis(8)).await;
    };
    for _ in 0..360 {
        goes_on(10).await;
    }
    assert_eq!((bench.count(MessageState::Waiting), bench.count(MessageState::Sent)), (50, 0));
    let knocks = receiver.inbox().got.len();
    assert!((25..60).contains(&knocks), "it is left alone while it is down, and looked after: {knocks} requests");
    up.store(1, Ordering::SeqCst);
    for _ in 0..600 {
        goes_on(20).await;
        if bench.count(MessageState::Sent) == 50 {
            break;
        }
    }
    stop.send(true).expect("the worker listens");
    working.await.expect("no panic").expect("stopped");
    assert_eq!(bench.count(MessageState::Sent), 50, "{:?}", bench.states());
    let inbox = receiver.inbox();
    let mut last: Vec<(&str, &str)> = Vec::new();
    for (subject, id) in inbox.got.iter().rev() {
        if !last.iter().any(|(_, known)| known == id) {
            last.push((subject, id));
        }
    }
    for subject in 0..25 {
        let name = format!("p{subject}");
        let ids: Vec<&str> = last.iter().rev().filter(|(of, _)| *of == name).map(|(_, id)| *id).collect();
        assert!(ids.is_sorted() && ids.len() == 2, "{name}: {ids:?}");
    }
}

#[tokio::test]
async fn nobody_is_listening_and_then_somebody_is() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let bench = bench(vec![hook("a", &format!("http://{address}/in"), Algorithm::Sm3, Duration::from_secs(2))], pace());
    bench.ask(vec![message("a", "p1", "m1")]).await;
    assert_eq!(bench.drain().await, Tally { sent: 0, later: 1, dead: 0 });
    let row = bench.live.messages().remove(0);
    assert!(row.told.starts_with("no connection") && !row.told.contains("/in"), "{}", row.told);
    assert_eq!(row.message.not_before, START + 5 * SECOND);
    assert_eq!(bench.drain().await, Tally::default(), "not before its time");
}

#[tokio::test]
async fn a_slow_receiver_of_one_subject_holds_up_nobody_else() {
    let slow = |subject: &str, _| if subject == "p0" { (Duration::from_secs(30), 200) } else { (Duration::ZERO, 200) };
    let (address, _receiver) = receiver(Algorithm::Sm3, slow).await;
    let (other, quick) = receiver(Algorithm::Sm3, |_, _| (Duration::ZERO, 200)).await;
    let hooks = vec![
        hook("a", &format!("http://{address}/in"), Algorithm::Sm3, Duration::from_millis(1_500)),
        hook("b", &format!("http://{other}/in"), Algorithm::Sm3, Duration::from_secs(5)),
    ];
    let bench = bench(hooks, Pace { at_once: 4, ..pace() });
    let mut all: Vec<NewMessage> = (0..40).map(|at| message("a", &format!("p{at}"), &format!("a{at:02}"))).collect();
    all.extend((0..40).map(|at| message("b", &format!("p{at}"), &format!("b{at:02}"))));
    bench.ask(all).await;
    let (stop, stopped) = watch::channel(false);
    let worker = bench.worker.clone();
    let working = tokio::spawn(async move { worker.run(&Until::Stopped(stopped)).await });
    let started = tokio::time::timeout(Duration::from_millis(1_200), async {
        while bench.count(MessageState::Sent) < 79 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    started.await.expect("all but the slow one were sent while it hung");
    assert_eq!(quick.ids().len(), 40);
    // What comes later leaves too while the slow one still hangs.
    bench.ask(vec![message("a", "p99", "a99")]).await;
    let came = tokio::time::timeout(Duration::from_secs(10), async {
        while bench.count(MessageState::Sent) < 80 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    came.await.expect("what came later");
    stop.send(true).expect("the worker listens");
    let tally = working.await.expect("no panic").expect("stopped");
    assert_eq!((tally.sent, tally.later, tally.dead), (80, 1, 0), "stopping waits for what is under way");
    let slow = bench.live.messages().into_iter().find(|row| row.message.id == "a00").expect("the slow one");
    assert_eq!((slow.state, slow.told.split(':').next()), (MessageState::Waiting, Some("timeout")));
}

#[tokio::test]
async fn an_answer_that_comes_too_late_makes_no_second_message() {
    // The first time the answer comes after the timeout, though the message arrived.
    let (address, receiver) =
        receiver(Algorithm::Sm3, |_, times| (if times == 1 { Duration::from_millis(600) } else { Duration::ZERO }, 200)).await;
    let bench = bench(vec![hook("a", &format!("http://{address}/in"), Algorithm::Sm3, Duration::from_millis(200))], pace());
    bench.ask(vec![message("a", "p1", "m1"), message("a", "p1", "m2")]).await;
    for _ in 0..4 {
        bench.drain().await;
        bench.later(10);
    }
    assert_eq!(bench.count(MessageState::Sent), 2);
    assert_eq!(receiver.ids(), ["m1", "m1", "m2", "m2"], "the same identifier, and the order is kept");
}

#[tokio::test]
async fn a_crash_between_sending_and_writing_sends_the_same_again() {
    let (address, receiver) = receiver(Algorithm::Sm3, |_, _| (Duration::ZERO, 200)).await;
    let bench = bench(vec![hook("a", &format!("http://{address}/in"), Algorithm::Sm3, Duration::from_secs(5))], pace());
    bench.ask((0..5).map(|at| message("a", "p1", &format!("m{at}"))).collect()).await;
    bench.live.fail.store(1, Ordering::SeqCst);
    assert!(bench.worker.run(&Until::Drained).await.is_err());
    bench.live.lose.store(1, Ordering::SeqCst);
    assert!(bench.worker.run(&Until::Drained).await.is_err());
    assert_eq!(bench.drain().await.sent, 4);
    assert_eq!(receiver.ids(), ["m0", "m0", "m1", "m2", "m3", "m4"]);
    // A worker that goes on until it is stopped writes again what it knows, and sends nothing twice.
    bench.ask(vec![message("a", "p2", "n0")]).await;
    bench.live.fail.store(3, Ordering::SeqCst);
    let (stop, stopped) = watch::channel(false);
    let worker = bench.worker.clone();
    let working = tokio::spawn(async move { worker.run(&Until::Stopped(stopped)).await });
    while bench.count(MessageState::Sent) < 6 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.send(true).expect("the worker listens");
    assert_eq!(working.await.expect("no panic").expect("stopped").sent, 1);
    assert_eq!(receiver.ids().iter().filter(|id| **id == "n0").count(), 1);
}

#[tokio::test]
async fn what_is_refused_or_tried_too_often_is_given_up() {
    use MessageState::{Dead, Sent};

    let answer = |subject: &str, _| {
        (
            Duration::ZERO,
            if subject == "p1" {
                422
            } else if subject == "p2" {
                500
            } else {
                200
            },
        )
    };
    let (address, _receiver) = receiver(Algorithm::Sm3, answer).await;
    let few = Pace { tries: 3, failures: 100, ..pace() };
    let bench = bench(vec![hook("a", &format!("http://{address}/in"), Algorithm::Sm3, Duration::from_secs(5))], few);
    bench.ask(vec![message("a", "p1", "m1"), message("a", "p1", "m3"), message("a", "p2", "m2"), message("a", "p3", "m4")]).await;
    let mut total = Tally::default();
    for _ in 0..6 {
        let tally = bench.drain().await;
        (total.sent, total.later, total.dead) = (total.sent + tally.sent, total.later + tally.later, total.dead + tally.dead);
        bench.later(60);
    }
    assert_eq!(total, Tally { sent: 1, later: 2, dead: 3 });
    let told: Vec<(String, MessageState, u32, String)> =
        bench.live.messages().into_iter().map(|row| (row.message.id, row.state, row.tries, row.told)).collect();
    let row = |id: &str, state, tries, told: &str| (id.to_owned(), state, tries, told.to_owned());
    assert_eq!(
        told,
        [row("m1", Dead, 1, "HTTP 422"), row("m3", Dead, 1, "HTTP 422"), row("m2", Dead, 3, "HTTP 500"), row("m4", Sent, 1, "HTTP 200")]
    );
}

#[tokio::test]
async fn what_is_too_old_is_given_up_at_its_next_failure() {
    let (address, _receiver) = receiver(Algorithm::Sm3, |_, _| (Duration::ZERO, 500)).await;
    let short = Pace { keep: Duration::from_hours(1), ..pace() };
    let bench = bench(vec![hook("a", &format!("http://{address}/in"), Algorithm::Sm3, Duration::from_secs(5))], short);
    bench.ask(vec![message("a", "p1", "m1")]).await;
    assert_eq!(bench.drain().await.later, 1);
    bench.later(3_600);
    assert_eq!(bench.drain().await.dead, 1);
}

#[tokio::test]
async fn what_the_receiver_asks_for_is_done_and_redirects_are_not_followed() {
    let answer = |subject: &str, _| (Duration::ZERO, if subject == "p1" { 429 } else { 307 });
    let (address, receiver) = receiver(Algorithm::Sm3, answer).await;
    let bench = bench(vec![hook("a", &format!("http://{address}/in"), Algorithm::Sm3, Duration::from_secs(5))], pace());
    bench.ask(vec![message("a", "p1", "m1"), message("a", "p2", "m2")]).await;
    assert_eq!(bench.drain().await.later, 2);
    let rows = bench.live.messages();
    assert_eq!((rows[0].message.not_before, &*rows[0].told), (START + 90 * SECOND, "HTTP 429"));
    assert_eq!((rows[1].message.not_before, &*rows[1].told), (START + 5 * SECOND, "HTTP 307"));
    assert_eq!(receiver.ids().len(), 2);
}

#[tokio::test]
async fn nothing_leaves_in_quiet_hours() {
    let (address, receiver) = receiver(Algorithm::Sm3, |_, _| (Duration::ZERO, 200)).await;
    let mut bench = bench(vec![hook("a", &format!("http://{address}/in"), Algorithm::Sm3, Duration::from_secs(5))], pace());
    // START is 08:00 UTC.
    let time = |hour| chrono::NaiveTime::from_hms_opt(hour, 0, 0).expect("a time");
    bench.worker.quiet = Some(Quiet { from: time(7), to: time(9), offset: 0 });
    bench.ask(vec![message("a", "p1", "m1")]).await;
    assert_eq!((bench.drain().await, receiver.ids().len()), (Tally::default(), 0));
    bench.later(3_600);
    assert_eq!(bench.drain().await.sent, 1);
}

/// A certificate for 127.0.0.1 that nobody signed, and its key; none where there is no openssl.
fn certificate(folder: &std::path::Path, name: &str) -> Option<(std::path::PathBuf, std::path::PathBuf)> {
    let (certificate, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let mut openssl = std::process::Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "3650", "-subj", "/CN=127.0.0.1"]);
    openssl.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
    let made = openssl.arg("-keyout").arg(&key).arg("-out").arg(&certificate).stderr(std::process::Stdio::null()).status();
    if made.is_err() {
        eprintln!("LEFT OUT: there is no openssl");
        return None;
    }
    assert!(made.is_ok_and(|status| status.success()), "openssl made no certificate");
    Some((certificate, key))
}

#[tokio::test]
async fn only_a_trusted_certificate_is_given_anything() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some((own, key)) = certificate(folder.path(), "own") else { return };
    let Some((other, _)) = certificate(folder.path(), "other") else { return };
    crate::outgoing::encryption();
    let receiver =
        Arc::new(Receiver { inbox: Mutex::default(), answer: Box::new(|_, _| (Duration::ZERO, 200)), algorithm: Algorithm::Sm3 });
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("not blocking");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().route("/in", post(take)).with_state(Arc::clone(&receiver));
    let config = axum_server::tls_rustls::RustlsConfig::from_pem_file(&own, &key).await.expect("a certificate");
    tokio::spawn(axum_server::from_tcp_rustls(listener, config).expect("a server").serve(app.into_make_service()));
    let hook = |name: &str, ca: Option<&std::path::Path>| {
        let way = Way::Webhook(Webhook {
            url: format!("https://{address}/in").parse().expect("an address"),
            secret: Secret::new(SECRET),
            algorithm: Algorithm::Sm3,
            key_id: String::new(),
            ca: ca.map(std::path::Path::to_owned),
            timeout: Duration::from_secs(5),
        });
        let settings = settings::Channel { name: name.to_owned(), subjects: Vec::new(), policies: Vec::new(), way };
        (name.to_owned(), channel::open(&settings).expect("a channel"))
    };
    let bench = bench(vec![hook("trusted", Some(&own)), hook("other", Some(&other)), hook("system", None)], pace());
    bench.ask(["trusted", "other", "system"].map(|channel| message(channel, channel, channel)).into()).await;
    assert_eq!(bench.drain().await, Tally { sent: 1, later: 2, dead: 0 });
    assert_eq!(receiver.ids(), ["trusted"]);
    for row in &bench.live.messages()[1..] {
        assert!(row.told.starts_with("no connection") && row.told.to_lowercase().contains("certificate"), "{}", row.told);
    }
}
