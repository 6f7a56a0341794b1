//! The receiver in trouble: away, slow, failing, cutting the line, answering twice. Nothing is lost, nothing is new, order is kept.

#![expect(clippy::disallowed_methods, reason = "how long a test waits is told by the clock")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mianshen::push::Message;
use mianshen::store::live::MessageState;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use super::{Place, by_hand, message};
use crate::support::command;

const EACH: u32 = 3;
/// What the settings allow.
const TIMEOUT: Duration = Duration::from_secs(3);

/// What the receiver does with a request, by its subject and how often the message came.
enum Does {
    Answers(u16),
    /// After whoever asked has given up; it has the message all the same.
    AnswersLate,
    /// Says that it has it, and says so once more behind it.
    AnswersTwice,
    /// Ends the connection without a word.
    Cuts,
}

fn does(subject: &str, times: usize) -> Does {
    match subject {
        "failing" if times <= 3 => Does::Answers(500),
        "busy" if times == 1 => Does::Answers(503),
        "slow" if times == 1 => Does::AnswersLate,
        "cut" if times <= 2 => Does::Cuts,
        "twice" => Does::AnswersTwice,
        _ => Does::Answers(200),
    }
}

const SUBJECTS: [&str; 6] = ["failing", "busy", "slow", "cut", "twice", "well"];

/// What came: subject, number, identifier.
type Got = Arc<Mutex<Vec<(String, u32, String)>>>;

/// Takes requests on one connection, by hand: what no HTTP server would do is done here.
async fn serve(stream: TcpStream, got: Got) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut length, mut signature, mut timestamp) = (0, String::new(), String::new());
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let Some((name, value)) = line.trim_end().split_once(':') else {
                if line.trim_end().is_empty() {
                    break;
                }
                continue;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().expect("a length"),
                "mianshen-signature" => value.trim().clone_into(&mut signature),
                "mianshen-timestamp" => value.trim().clone_into(&mut timestamp),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await?;
        assert_eq!(signature, by_hand(&timestamp, &body));
        let message: Message = serde_json::from_slice(&body).expect("a message");
        let (subject, id) = (message.subject.id.clone(), message.id);
        let times = {
            let mut got = got.lock().expect("a lock");
            got.push((subject.clone(), message.number, id.clone()));
            got.iter().filter(|(.., came)| *came == id).count()
        };
        let answer = |status: u16| format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
        match does(&subject, times) {
            Does::Answers(status) => stream.write_all(answer(status).as_bytes()).await?,
            Does::AnswersTwice => stream.write_all([answer(200), answer(200)].concat().as_bytes()).await?,
            Does::AnswersLate => {
                tokio::time::sleep(TIMEOUT * 2).await;
                stream.write_all(answer(200).as_bytes()).await?;
            }
            Does::Cuts => return Ok(()),
        }
    }
}

fn listen(socket: TcpSocket) -> Got {
    let listener = socket.listen(64).expect("it listens");
    let got = Got::default();
    let taken = Arc::clone(&got);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let got = Arc::clone(&taken);
            // A connection that the other side gave up is over.
            tokio::spawn(async move { serve(stream, got).await });
        }
    });
    got
}

pub(super) fn a_receiver_in_trouble_loses_nothing(place: &Place) {
    // The port is ours from now on, though nobody listens yet.
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = socket.local_addr().expect("an address");
    let settings = place.settings(&format!(
        "pace: {{at_once: 4, first_wait_seconds: 1, most_wait_seconds: 2, failures: 4, rest_seconds: 1}}\nchannels:\n  - {{name: a, webhook: {{url: 'http://{address}/in', secret_file: secret, timeout_seconds: {}}}}}\n",
        TIMEOUT.as_secs()
    ));
    let all: Vec<_> = (1..=EACH).flat_map(|number| SUBJECTS.map(|subject| message("a", subject, number))).collect();
    let asked: BTreeSet<String> = all.iter().map(|message| message.id.clone()).collect();
    place.ask_at(mianshen::serve::clock::now(), all);
    let arguments = ["push", "--store", &place.store, "--settings", &settings, "--deliver-only", "--lang", "en"];
    let mut child = command(&arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    // Nobody is there, for as many tries as a channel has before it is left alone, and more.
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!((place.count(MessageState::Waiting), place.count(MessageState::Sent)), (asked.len(), 0));
    assert!(child.try_wait().expect("asked").is_none(), "it goes on");
    let got = place.runtime.block_on(async { listen(socket) });
    let until = Instant::now() + Duration::from_mins(2);
    while place.count(MessageState::Sent) < asked.len() {
        assert!(Instant::now() < until, "{} of {} are sent", place.count(MessageState::Sent), asked.len());
        std::thread::sleep(Duration::from_millis(200));
    }
    let ended = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("told to end");
    assert!(ended.success());
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success() && said.starts_with("sent 18 · ") && said.ends_with(" · given up 0\n"), "{said}");

    let got = got.lock().expect("a lock");
    let ids: BTreeSet<String> = got.iter().map(|(.., id)| id.clone()).collect();
    assert_eq!(ids, asked, "every message, and none that nobody asked for");
    let mut of_subject: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
    for (subject, number, _) in got.iter() {
        of_subject.entry(subject).or_default().push(*number);
    }
    for (subject, times) in [("failing", 4), ("busy", 2), ("slow", 2), ("cut", 3), ("twice", 1), ("well", 1)] {
        let expected: Vec<u32> = (1..=EACH).flat_map(|number| vec![number; times]).collect();
        assert_eq!(of_subject[subject], expected, "{subject}: each so often, in their order");
    }
}
