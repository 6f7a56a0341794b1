//! Events over HTTP: one JSON event a line, posted to `/changes` or `/changes/{register}`; answered when they are in the store.
//!
//! ```text
//! POST ── token, size, lines ──▶ queue (bounded) ──▶ next() … committed() ──▶ answer: how many, and what could not be used
//! ```
//!
//! Events are counted on from where the store is. A post with an `Idempotency-Key` that was answered before gets the same answer;
//! across restarts, events with a `time` or a `position` fold by these.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use super::{ChangeSource, Clock, Taken};
use crate::diagnostic::{Diagnostic, code};
use crate::store::live::Position;
use crate::stream::change::{Origin, RawEvent, Refused};

/// What the receiver takes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The SHA-256 of the token that senders show; none only where it listens on this machine alone.
    pub token: Option<[u8; 32]>,
    /// The longest body, in bytes.
    pub longest_body: usize,
    /// So many events may wait; who posts more waits, or is told to come again.
    pub waiting: usize,
    /// How long a post waits for its commit before it is told to come again.
    pub patience: Duration,
}

impl Settings {
    /// The usual ones.
    #[must_use]
    pub fn new(listen: SocketAddr, token: Option<&str>) -> Self {
        let token = token.map(|token| Sha256::digest(token.trim().as_bytes()).into());
        Self { listen, token, longest_body: 16 << 20, waiting: 100_000, patience: Duration::from_secs(30) }
    }
}

/// So many answers are kept for repeated posts.
const KEPT_ANSWERS: usize = 10_000;

/// What became of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Events that are in the store.
    pub committed: usize,
    /// Events, or values of them, that could not be used.
    pub refused: Vec<RefusedLine>,
}

/// An event of a post, or a value of it, that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedLine {
    /// The line of the post, from 1; empty lines count.
    pub line: usize,
    /// The field; empty where the event as a whole is at fault.
    pub field: String,
    /// The stable word for the reason.
    pub reason: &'static str,
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
    /// `row`: the event was set aside; `cell`: the value is unknown, and the rest was used.
    pub scope: &'static str,
}

/// A post on its way.
struct Post {
    register: Option<Arc<str>>,
    /// With their lines.
    events: Vec<(usize, Bytes)>,
    arrived: i64,
    answer: oneshot::Sender<Answer>,
}

/// A post whose events were given.
struct Given {
    /// The first position behind it.
    next: i64,
    /// The lines of its events, by position.
    lines: BTreeMap<i64, usize>,
    refused: Vec<RefusedLine>,
    answer: oneshot::Sender<Answer>,
}

/// Events that are posted.
pub struct HttpSource {
    name: Arc<str>,
    posts: mpsc::Receiver<Post>,
    /// Of a post that was too long for one batch.
    rest: VecDeque<RawEvent>,
    next: i64,
    given: VecDeque<Given>,
    local: SocketAddr,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    settings: Settings,
    posts: mpsc::Sender<Post>,
    answers: Mutex<Answers>,
    clock: Clock,
}

#[derive(Default)]
struct Answers {
    by_key: HashMap<String, ([u8; 32], Answer)>,
    order: VecDeque<String>,
}

impl HttpSource {
    /// Listens.
    ///
    /// # Errors
    ///
    /// `settings-invalid` without a token on an address that others reach, or where the address is not to be had.
    pub async fn listen(settings: Settings, clock: Clock) -> Result<Self, Box<Diagnostic>> {
        let address = settings.listen;
        if settings.token.is_none() && !address.ip().is_loopback() {
            return Err(Box::new(
                Diagnostic::new(
                    &code::SETTINGS_INVALID,
                    format!("没有令牌, 只能在本机接收事件, 不能在 {address}"),
                    format!("without a token, events are taken from this machine only, not on {address}"),
                )
                .help("把令牌写进一个文件, 用设置指明", "put a token into a file, and name that in the settings"),
            ));
        }
        let failed = |error: std::io::Error| {
            let (zh, en) = (format!("不能在 {address} 接收事件: {error}"), format!("events cannot be taken on {address}: {error}"));
            Box::new(Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help("换一个端口", "take another port"))
        };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let longest = settings.longest_body;
        // A post holds at least one event.
        let (sender, posts) = mpsc::channel(settings.waiting.max(1));
        let shared = Arc::new(Shared { settings, posts: sender, answers: Mutex::default(), clock });
        let router = Router::new()
            .route("/changes", post(take_any))
            .route("/changes/{register}", post(take_of))
            .layer(DefaultBodyLimit::max(longest))
            .with_state(shared);
        let server = tokio::spawn(async move {
            // It ends with the source.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { name: "http".into(), posts, rest: VecDeque::new(), next: 0, given: VecDeque::new(), local, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.local
    }

    fn give(&mut self, post: Post) {
        let mut lines = BTreeMap::new();
        for (line, payload) in post.events {
            let position = self.next;
            self.next += 1;
            lines.insert(position, line);
            self.rest.push_back(RawEvent {
                origin: Origin { source: Arc::clone(&self.name), partition: 0, position, next: position + 1 },
                topic: post.register.clone(),
                key: None,
                payload: Some(payload),
                arrived: post.arrived,
            });
        }
        self.given.push_back(Given { next: self.next, lines, refused: Vec::new(), answer: post.answer });
    }
}

impl Drop for HttpSource {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[async_trait]
impl ChangeSource for HttpSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn seek(&mut self, positions: &[Position]) -> Result<(), Box<Diagnostic>> {
        self.next = positions.iter().find(|position| *position.source == *self.name).map_or(0, |position| position.next);
        Ok(())
    }

    async fn next(&mut self, at_most: usize, wait: Duration) -> Result<Taken, Box<Diagnostic>> {
        if self.rest.is_empty() {
            match tokio::time::timeout(wait, self.posts.recv()).await {
                Err(_) => return Ok(Taken::Events(Vec::new())),
                Ok(None) => return Ok(Taken::Ended),
                Ok(Some(post)) => self.give(post),
            }
        }
        while self.rest.len() < at_most
            && let Ok(post) = self.posts.try_recv()
        {
            self.give(post);
        }
        let taken = self.rest.len().min(at_most);
        Ok(Taken::Events(self.rest.drain(..taken).collect()))
    }

    fn refused(&mut self, refused: &[Refused]) {
        for refused in refused.iter().filter(|refused| refused.event.origin.source == self.name) {
            let position = refused.event.origin.position;
            let post = self.given.iter_mut().find(|given| given.lines.contains_key(&position));
            let Some((post, line)) = post.and_then(|post| post.lines.get(&position).copied().map(|line| (post, line))) else { continue };
            let message = refused.cause.message();
            post.refused.push(RefusedLine {
                line,
                field: refused.field.to_string(),
                reason: refused.cause.code(),
                zh: message.zh,
                en: message.en,
                scope: refused.scope.code(),
            });
        }
    }

    async fn committed(&mut self, positions: &[Position]) -> Result<(), Box<Diagnostic>> {
        let Some(position) = positions.iter().find(|position| *position.source == *self.name) else { return Ok(()) };
        while self.given.front().is_some_and(|given| given.next <= position.next)
            && let Some(given) = self.given.pop_front()
        {
            let set_aside: std::collections::BTreeSet<usize> =
                given.refused.iter().filter(|refused| refused.scope == "row").map(|refused| refused.line).collect();
            let answer = Answer { committed: given.lines.len() - set_aside.len(), refused: given.refused };
            // Who posted may have gone; what it sent is in the store all the same.
            let _ = given.answer.send(answer);
        }
        Ok(())
    }
}

async fn take_any(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    take(&shared, None, &headers, body).await
}

async fn take_of(State(shared): State<Arc<Shared>>, Path(register): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    take(&shared, Some(register.as_str().into()), &headers, body).await
}

async fn take(shared: &Shared, register: Option<Arc<str>>, headers: &HeaderMap, body: Bytes) -> Response {
    if !is_allowed(shared.settings.token.as_ref(), headers) {
        let mut response = problem(StatusCode::UNAUTHORIZED, "缺少或不认识的令牌", "a token is missing, or not known");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        return response;
    }
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    if key.as_ref().is_some_and(|key| key.is_empty() || key.len() > 255) {
        return problem(StatusCode::BAD_REQUEST, "Idempotency-Key 须为 1 到 255 个字符", "an Idempotency-Key has 1 to 255 characters");
    }
    let digest: [u8; 32] =
        Sha256::new().chain_update(register.as_deref().unwrap_or("")).chain_update([0]).chain_update(&body).finalize().into();
    if let Some(known) = key.as_ref().and_then(|key| shared.answers().by_key.get(key).cloned()) {
        return match known {
            (same, answer) if same == digest => Json(answer).into_response(),
            _ => problem(
                StatusCode::UNPROCESSABLE_ENTITY,
                "这个 Idempotency-Key 用于过别的内容",
                "this Idempotency-Key was used for something else",
            ),
        };
    }
    let mut events = Vec::new();
    for (at, line) in body.split(|byte| *byte == b'\n').enumerate() {
        if !line.trim_ascii().is_empty() {
            events.push((at + 1, body.slice_ref(line)));
        }
    }
    if events.is_empty() {
        return problem(StatusCode::BAD_REQUEST, "没有事件: 每行一个 JSON 事件", "no events: one JSON event a line");
    }
    let (answer, answered) = oneshot::channel();
    let sent = shared.posts.send_timeout(Post { register, events, arrived: (shared.clock)(), answer }, shared.settings.patience).await;
    if sent.is_err() {
        return later();
    }
    match tokio::time::timeout(shared.settings.patience, answered).await {
        Ok(Ok(answer)) => {
            if let Some(key) = key {
                shared.answers().keep(key, digest, answer.clone());
            }
            Json(answer).into_response()
        }
        // What was sent may still be committed: who sends it again with the same time or position changes nothing by it.
        _ => later(),
    }
}

fn is_allowed(token: Option<&[u8; 32]>, headers: &HeaderMap) -> bool {
    let Some(token) = token else { return true };
    let shown = headers.get(header::AUTHORIZATION).and_then(|shown| shown.to_str().ok()).and_then(|shown| shown.strip_prefix("Bearer "));
    // Digests are compared: how long that takes tells nothing of the token.
    shown.is_some_and(|shown| Sha256::digest(shown.trim().as_bytes()).as_slice() == token)
}

fn later() -> Response {
    let mut response = problem(StatusCode::SERVICE_UNAVAILABLE, "暂未提交, 请稍后重发", "not committed yet: send it again later");
    response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("5"));
    response
}

fn problem(status: StatusCode, zh: &str, en: &str) -> Response {
    let body = serde_json::json!({"status": status.as_u16(), "title": en, "title_zh": zh}).to_string();
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}

impl Shared {
    fn answers(&self) -> std::sync::MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Answers {
    fn keep(&mut self, key: String, digest: [u8; 32], answer: Answer) {
        if self.order.len() == KEPT_ANSWERS
            && let Some(oldest) = self.order.pop_front()
        {
            self.by_key.remove(&oldest);
        }
        if self.by_key.insert(key.clone(), (digest, answer)).is_none() {
            self.order.push_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::register::quarantine::{Reason, Scope};
    use crate::stream::change::Cause;

    async fn source(token: Option<&str>) -> HttpSource {
        let settings = Settings {
            patience: Duration::from_millis(800),
            longest_body: 100,
            ..Settings::new("127.0.0.1:0".parse().expect("an address"), token)
        };
        HttpSource::listen(settings, Arc::new(|| 5)).await.expect("listening")
    }

    /// Posts by hand: status and body.
    async fn send(address: SocketAddr, path: &str, headers: &str, body: &str) -> (u16, String) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::TcpStream::connect(address).await.expect("connected");
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        (status, answer.split_once("\r\n\r\n").map_or(String::new(), |(_, body)| body.to_owned()))
    }

    async fn taken(source: &mut HttpSource) -> Vec<RawEvent> {
        match source.next(10, Duration::from_secs(5)).await.expect("read") {
            Taken::Events(events) => events,
            Taken::Ended => Vec::new(),
        }
    }

    fn at(next: i64) -> Vec<Position> {
        vec![Position { source: "http".into(), partition: 0, next }]
    }

    #[tokio::test]
    async fn answered_when_committed_with_what_could_not_be_used() {
        let mut source = source(Some("s3cret")).await;
        source.seek(&at(40)).await.expect("counted on");
        let address = source.address();
        let token = "Authorization: Bearer s3cret\r\nIdempotency-Key: k1\r\n";
        let posted = tokio::spawn(async move { send(address, "/changes/death", token, "{}\n\n[1]\n").await });
        let events = taken(&mut source).await;
        let told: Vec<_> = events.iter().map(|event| (event.origin.position, event.topic.as_deref(), event.payload.clone())).collect();
        assert_eq!(told, [(40, Some("death"), Some(Bytes::from("{}"))), (41, Some("death"), Some(Bytes::from("[1]")))]);
        let cause = Cause::Value(Reason::Uncastable);
        let refused =
            Refused { event: events[1].clone(), register: None, field: "a".into(), value: String::new(), cause, scope: Scope::Row };
        source.refused(&[refused]);
        assert!(!posted.is_finished());
        source.committed(&at(42)).await.expect("told");
        let (status, body) = posted.await.expect("answered");
        assert_eq!(status, 200);
        let expect = r#"{"committed":1,"refused":[{"line":3,"field":"a","reason":"uncastable","zh":"类型不对","en":"not of the declared type","scope":"row"}]}"#;
        assert_eq!(body, expect);
        // The same again is answered, and is no event any more; another thing under the same key is refused.
        assert_eq!(send(address, "/changes/death", token, "{}\n\n[1]\n").await, (200, body));
        assert_eq!(send(address, "/changes/death", token, "{}").await.0, 422);
        assert_eq!(source.next(1, Duration::from_millis(10)).await.expect("read"), Taken::Events(vec![]));
    }

    #[tokio::test]
    async fn what_is_not_taken() {
        let source = source(Some("s3cret")).await;
        let address = source.address();
        let token = "Authorization: Bearer s3cret\r\n";
        for (path, headers, body, expect) in [
            ("/changes", "", "{}", 401),
            ("/changes", "Authorization: Bearer other\r\n", "{}", 401),
            ("/changes", token, "\n\n", 400),
            ("/elsewhere", token, "{}", 404),
            ("/changes", token, "x".repeat(101).as_str(), 413),
            ("/changes", &format!("{token}Idempotency-Key: {}\r\n", "k".repeat(256)), "{}", 400),
            // Nobody commits it.
            ("/changes", token, "{}", 503),
        ] {
            assert_eq!(send(address, path, headers, body).await.0, expect, "{path} {headers}");
        }
    }

    #[tokio::test]
    async fn without_a_token_only_this_machine_is_heard() {
        let settings = Settings::new("0.0.0.0:0".parse().expect("an address"), None);
        let told = HttpSource::listen(settings, Arc::new(|| 5)).await.err().expect("refused");
        assert_eq!(told.code.name, "settings-invalid");
    }
}
