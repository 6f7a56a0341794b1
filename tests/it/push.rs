//! `mianshen push`: messages that leave a real store for a real receiver, killed in the middle; its settings and lists.

mod trouble;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use mianshen::push::message::{self, Item, Kind, Message, Policy, Text};
use mianshen::register::declaration::SubjectKind;
use mianshen::store::Address;
use mianshen::store::live::{Batch, Live, MessageState, NewMessage};
use sm3::{Digest, Sm3};
use tempfile::TempDir;

use crate::store::postgres::Server;
use crate::support::{command, run};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads")
}

/// A store with an outbox, and settings beside it.
struct Place {
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
    /// Where the store is.
    store: String,
}

impl Place {
    /// On SQLite.
    fn new() -> Self {
        let mut place = Self::on(String::new());
        place.store = place.path("city.db");
        place
    }

    fn on(store: String) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("secret"), SECRET).expect("written");
        Self { folder, runtime: runtime(), store }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    fn settings(&self, text: &str) -> String {
        let path = self.path("push.yaml");
        fs::write(&path, text).expect("written");
        path
    }

    fn live(&self) -> Arc<dyn Live> {
        self.runtime.block_on(async {
            let store = Address::parse(&self.store).expect("an address").make().await.expect("a store");
            store.live().await.expect("its live part")
        })
    }

    fn ask(&self, messages: Vec<NewMessage>) {
        self.ask_at(1, messages);
    }

    /// Asks at a time: what was asked for long ago is given up at the first failure.
    fn ask_at(&self, at: i64, messages: Vec<NewMessage>) {
        let live = self.live();
        self.runtime.block_on(async { live.commit(&Batch { at, messages, ..Batch::default() }).await.expect("asked for") });
    }

    fn count(&self, state: MessageState) -> usize {
        let live = self.live();
        self.runtime.block_on(async { live.messages_in(state, None, 100_000).await.expect("read").len() })
    }
}

fn text(text: &str) -> Text {
    Text { zh: text.to_owned(), en: text.to_owned() }
}

/// A message as it is composed.
fn message(channel: &str, subject: &str, number: u32) -> NewMessage {
    let case = message::id(Kind::Found, 1, [subject]);
    let item = Item {
        case: case.clone(),
        policy: Policy {
            code: "990100-MZ-0007".to_owned(), version: 1, name: text("高龄津贴"), authority: "样例市民政局".to_owned()
        },
        mode: "automatic".to_owned(),
        amount: Some("100.00".to_owned()),
        unit: "CNY".to_owned(),
        period: "2026-06".to_owned(),
        occasion: None,
        member: None,
        payee: None,
        reasons: Vec::new(),
        until: None,
        link: None,
        object: None,
    };
    let told = Message {
        version: message::VERSION,
        id: message::id(Kind::Reminder, number, [case.as_str()]),
        kind: Kind::Reminder,
        number,
        at: "2026-06-30T08:00:00Z".to_owned(),
        subject: message::Subject { kind: "person".to_owned(), id: subject.to_owned(), masked: "1***".to_owned() },
        bundle: None,
        title: text("提醒"),
        text: text("确认: https://fw.example/cases/1?t=6b49.0af1 谢谢"),
        items: vec![item],
    };
    NewMessage {
        body: serde_json::to_vec(&told).expect("JSON"),
        id: told.id,
        channel: channel.to_owned(),
        kind: SubjectKind::Person,
        subject: subject.to_owned(),
        cases: vec![case],
        not_before: 0,
    }
}

/// What a receiver got: subject and number of each message, in the order of arrival.
#[derive(Default)]
struct Inbox {
    got: Vec<(String, u32, String)>,
    forged: usize,
}

async fn receiver(status: StatusCode) -> (SocketAddr, Arc<Mutex<Inbox>>) {
    let inbox = Arc::new(Mutex::new(Inbox::default()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let take = move |State(inbox): State<Arc<Mutex<Inbox>>>, headers: HeaderMap, body: Bytes| async move {
        let message: Message = serde_json::from_slice(&body).expect("a message");
        let header = |name: &str| headers[name].to_str().expect("ASCII").to_owned();
        let mut inbox = inbox.lock().expect("a lock");
        inbox.forged += usize::from(header("Mianshen-Signature") != by_hand(&header("Mianshen-Timestamp"), &body));
        assert_eq!(header("Mianshen-Id"), message.id);
        inbox.got.push((message.subject.id, message.number, message.id));
        status
    };
    let app = Router::new().route("/in", post(take)).with_state(Arc::clone(&inbox));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, inbox)
}

/// HMAC-SM3 by RFC 2104, as docs/push.md tells receivers.
fn by_hand(timestamp: &str, body: &[u8]) -> String {
    let mut block = [0_u8; 64];
    block[..SECRET.len()].copy_from_slice(SECRET.as_bytes());
    let (inner, outer) = (block.map(|byte| byte ^ 0x36), block.map(|byte| byte ^ 0x5c));
    let inner = Sm3::digest([inner.as_slice(), timestamp.as_bytes(), b".", body].concat());
    let digest = Sm3::digest([outer.as_slice(), &inner].concat());
    format!("hmac-sm3={}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// How often to kill.
fn kills() -> u64 {
    std::env::var("MIANSHEN_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(8)
}

/// A test that works on any store.
type Test = fn(&Place);

const SUITE: [(&str, Test); 4] = [
    ("killed in the middle, nothing is lost and nothing is new", killed_in_the_middle_nothing_is_lost_and_nothing_is_new),
    ("what is refused is listed, shown and sent again", what_is_refused_is_listed_shown_and_sent_again),
    ("the file drop has each message whole and once", the_file_drop_has_each_message_whole_and_once),
    ("a receiver in trouble loses nothing", trouble::a_receiver_in_trouble_loses_nothing),
];

#[test]
fn messages_leave_from_sqlite() {
    for (name, test) in SUITE {
        eprintln!("sqlite: {name}");
        test(&Place::new());
    }
}

#[test]
fn messages_leave_from_postgresql() {
    let Some(server) = Server::start() else { return };
    for (at, (name, test)) in SUITE.into_iter().enumerate() {
        eprintln!("postgresql: {name}");
        test(&Place::on(runtime().block_on(server.place(&format!("push{at}"))).address));
    }
}

fn killed_in_the_middle_nothing_is_lost_and_nothing_is_new(place: &Place) {
    const SUBJECTS: u32 = 40;
    const EACH: u32 = 20;
    let (address, inbox) = place.runtime.block_on(receiver(StatusCode::ACCEPTED));
    let settings = place.settings(&format!(
        "pace: {{at_once: 8}}\nchannels:\n  - {{name: a, webhook: {{url: 'http://{address}/in', secret_file: secret}}}}\n"
    ));
    let all: Vec<NewMessage> =
        (1..=EACH).flat_map(|number| (0..SUBJECTS).map(move |subject| message("a", &format!("p{subject}"), number))).collect();
    let asked: BTreeSet<String> = all.iter().map(|message| message.id.clone()).collect();
    place.ask(all);
    let arguments = ["push", "--store", &place.store, "--settings", &settings, "--deliver-only", "--lang", "en"];
    for turn in 0..kills() {
        let mut child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
        // Some time, another for every turn.
        std::thread::sleep(Duration::from_millis(80 + turn * 618_034 % 170));
        child.kill().expect("killed");
        child.wait().expect("gone");
    }
    let last = run(&[&arguments[..], &["--once"]].concat());
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    assert_eq!((place.count(MessageState::Waiting), place.count(MessageState::Sent)), (0, (SUBJECTS * EACH) as usize));
    let inbox = inbox.lock().expect("a lock");
    assert_eq!(inbox.forged, 0);
    let received: BTreeSet<String> = inbox.got.iter().map(|(.., id)| id.clone()).collect();
    assert_eq!(received, asked, "every message, and none that nobody asked for");
    let mut of_subject: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (subject, number, _) in &inbox.got {
        of_subject.entry(subject).or_default().push(*number);
    }
    assert!(of_subject.values().all(|numbers| numbers.is_sorted()), "the order of each subject: {of_subject:?}");
    let again = inbox.got.len() - asked.len();
    assert!(again as u64 <= kills() * 8, "no more comes again than was under way: {again}");
    eprintln!("{} messages, {} kills, {again} came again", asked.len(), kills());
}

fn what_is_refused_is_listed_shown_and_sent_again(place: &Place) {
    let (address, inbox) = place.runtime.block_on(receiver(StatusCode::UNPROCESSABLE_ENTITY));
    let hook = |address: SocketAddr| format!("channels:\n  - {{name: a, webhook: {{url: 'http://{address}/in', secret_file: secret}}}}\n");
    let settings = place.settings(&hook(address));
    let subject = "11010519491231002X";
    let asked = message("a", subject, 1);
    let id = asked.id.clone();
    place.ask(vec![asked]);
    let store = place.store.clone();
    let once = ["push", "--store", &store, "--settings", &settings, "--once", "--deliver-only", "--lang", "en", "--log", "mianshen=info"];
    let sent = run(&once);
    assert_eq!((sent.code, &*sent.stdout), (Some(1), "sent 0 · to be retried 0 · given up 1\n"), "{}", sent.stderr);
    assert!(sent.stderr.contains(&id) && !sent.stderr.contains(subject), "{}", sent.stderr);

    let list = run(&["push", "list", "--store", &store, "--lang", "en"]);
    assert!(list.stdout.contains(&id) && list.stdout.contains("HTTP 422"), "{}", list.stdout);
    let show = run(&["push", "show", "--store", &store, &id, "--lang", "zh"]);
    assert!(
        show.stdout.contains("提醒\n\n确认: https://fw.example/cases/1?t=… 谢谢\n") && show.stdout.contains("状态: dead"),
        "{}",
        show.stdout
    );
    for shown in [&list.stdout, &show.stdout] {
        assert!(!shown.contains(subject) && !shown.contains("6b49"), "{shown}");
    }

    let retry = run(&["push", "retry", "--store", &store, &id, "nothing", "--lang", "en"]);
    assert_eq!((retry.code, &*retry.stdout), (Some(1), "to be sent again 1\nnothing: no such message (-)\n"));
    let (other, good) = place.runtime.block_on(receiver(StatusCode::OK));
    place.settings(&hook(other));
    let sent = run(&once);
    assert_eq!((sent.code, &*sent.stdout), (Some(0), "sent 1 · to be retried 0 · given up 0\n"), "{}", sent.stderr);
    let ids = |inbox: &Arc<Mutex<Inbox>>| inbox.lock().expect("a lock").got.iter().map(|(.., id)| id.clone()).collect::<Vec<_>>();
    assert_eq!((ids(&inbox), ids(&good)), (vec![id.clone()], vec![id.clone()]));
    let retry = run(&["push", "retry", "--store", &store, &id, "--lang", "en"]);
    assert_eq!((retry.code, &*retry.stdout), (Some(1), &*format!("to be sent again 0\n{id}: was not given up (sent)\n")));
    assert_eq!(run(&["push", "show", "--store", &store, "nothing"]).code, Some(2));
}

fn the_file_drop_has_each_message_whole_and_once(place: &Place) {
    let settings = place.settings("channels:\n  - {name: drop, file: {folder: out}}\n");
    let all: Vec<NewMessage> = (0..30).map(|at| message("drop", &format!("p{}", at % 10), at + 1)).collect();
    place.ask(all.clone());
    // Asked for again, as after a replay.
    place.ask(all.clone());
    let store = place.store.clone();
    let sent = run(&["push", "--store", &store, "--settings", &settings, "--once", "--deliver-only", "--lang", "en"]);
    assert_eq!((sent.code, &*sent.stdout), (Some(0), "sent 30 · to be retried 0 · given up 0\n"), "{}", sent.stderr);
    let out = Path::new(&place.path("out")).to_owned();
    let mut names: Vec<_> = fs::read_dir(&out).expect("the folder").map(|entry| entry.expect("an entry").file_name()).collect();
    names.sort();
    let mut expected: Vec<_> = all.iter().map(|message| std::ffi::OsString::from(format!("{}.json", message.id))).collect();
    expected.sort();
    assert_eq!(names, expected);
    for message in &all {
        assert_eq!(fs::read(out.join(format!("{}.json", message.id))).expect("the file"), message.body);
    }
}

#[test]
fn settings_are_checked_at_their_place() {
    let place = Place::new();
    let check = |text: &str| run(&["push", "--settings", &place.settings(text), "--check", "--lang", "en"]);
    let good = check(
        "channels:\n  - {name: a, webhook: {url: 'https://fw.example/in', secret_file: secret}}\n  - {name: b, file: {folder: out}}\n",
    );
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    assert!(good.stdout.starts_with("a: webhook fw.example (hmac-sm3)\nb: files "), "{}", good.stdout);
    let bad = check("channels:\n  - {name: a, webhok: {url: 'https://fw.example/in'}}\n");
    assert_eq!(bad.code, Some(1));
    assert!(bad.stderr.contains("did you mean `webhook`?") && bad.stderr.contains("push.yaml:2:15"), "{}", bad.stderr);
    assert_eq!(run(&["push", "--settings", &place.path("none.yaml"), "--check"]).code, Some(2));
}
