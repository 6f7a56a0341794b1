//! Asks a server for the services of random subjects, over connections that stay open, and compares every answer with the
//! result files of `match --format csv`: rate, times, and how many answers were wrong.
//!
//! ```text
//! serve-load ADDRESS RESULTS [connections=16] [requests=100000] [purpose=find_services]
//! ```
//!
//! The key comes from the environment: `MIANSHEN_KEY`.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What must be among the services of a subject: how it stands with a policy.
type Pair = (String, String);

/// What the result files say of one subject.
#[derive(Debug, Default)]
struct Expected {
    /// Grants by identifier, with their amounts; empty: none.
    grants: BTreeMap<String, String>,
    /// Policies that are given, one entry per row.
    given: Vec<String>,
    /// Policies that a commitment may settle.
    to_commit: Vec<String>,
    /// Policies that are unknown; more may be, for result files tell what a whole register lacks once.
    unknown: Vec<String>,
}

/// One connection's work.
#[derive(Debug, Default)]
struct Told {
    /// Microseconds of each request.
    times: Vec<u32>,
    wrong: Vec<String>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, results, ..] = &arguments[..] else {
        eprintln!("serve-load ADDRESS RESULTS [connections] [requests] [purpose]");
        return ExitCode::from(2);
    };
    let number = |at: usize, usual: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let (connections, requests) = (number(2, 16), number(3, 100_000));
    let purpose = arguments.get(4).map_or("find_services", String::as_str);
    let key = std::env::var("MIANSHEN_KEY").unwrap_or_default();
    match run(address, Path::new(results), connections, requests, purpose, &key) {
        Ok(wrong) => ExitCode::from(u8::from(wrong > 0)),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn run(address: &str, results: &Path, connections: u64, requests: u64, purpose: &str, key: &str) -> io::Result<usize> {
    let expected = expected(results)?;
    let subjects: Vec<(&(String, String), &Expected)> = expected.iter().collect();
    println!("{} subjects with results, {connections} connections, {requests} requests", subjects.len());
    let left = AtomicU64::new(requests);
    let started = Instant::now();
    let told: Vec<io::Result<Told>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..connections)
            .map(|seed| {
                let (left, subjects) = (&left, &subjects);
                scope.spawn(move || work(address, subjects, left, seed, purpose, key))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(io::Error::other("a connection broke")))).collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    let told = told.into_iter().collect::<io::Result<Vec<Told>>>()?;
    let mut times: Vec<u32> = told.iter().flat_map(|told| &told.times).copied().collect();
    times.sort_unstable();
    let wrong: Vec<&String> = told.iter().flat_map(|told| &told.wrong).collect();
    let share = |part: f64| f64::from(times.get((times.len() as f64 * part) as usize).or(times.last()).copied().unwrap_or(0)) / 1000.0;
    println!(
        "{} answers in {seconds:.1} s: {:.0} a second, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, longest {:.2} ms, {} wrong",
        times.len(),
        times.len() as f64 / seconds,
        share(0.5),
        share(0.99),
        share(0.999),
        share(1.0),
        wrong.len()
    );
    wrong.iter().take(5).for_each(|wrong| println!("wrong: {wrong}"));
    Ok(wrong.len())
}

fn work(
    address: &str,
    subjects: &[(&(String, String), &Expected)],
    left: &AtomicU64,
    seed: u64,
    purpose: &str,
    key: &str,
) -> io::Result<Told> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let (mut writer, mut reader) = (stream.try_clone()?, BufReader::with_capacity(64 * 1024, stream));
    let (mut told, mut state, mut body) = (Told::default(), seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, Vec::new());
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        // Marsaglia's xorshift: the same subjects in every run.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let ((kind, id), expected) = subjects[(state % subjects.len() as u64) as usize];
        let head = format!(
            "GET /v1/subjects/{kind}/{id}/services HTTP/1.1\r\nHost: load\r\nX-Api-Key: {key}\r\nPurpose: {purpose}\r\n\r\n"
        );
        let started = Instant::now();
        writer.write_all(head.as_bytes())?;
        let status = answer(&mut reader, &mut body)?;
        told.times.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
        let text = String::from_utf8_lossy(&body);
        if let Err(why) = if status == 200 { compare(&text, expected) } else { Err(format!("status {status}")) } {
            told.wrong.push(format!("{kind}: {why}"));
        }
    }
    Ok(told)
}

/// Reads one answer: its status, and its body by its length.
fn answer(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<u16> {
    let (mut line, mut length, mut status) = (String::new(), 0, 0);
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = line.trim_end();
        if text.is_empty() {
            break;
        }
        if status == 0 {
            status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        } else if let Some(value) = text.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    body.resize(length, 0);
    io::Read::read_exact(reader, body)?;
    Ok(status)
}

/// Whether an answer says what the result files say.
fn compare(text: &str, expected: &Expected) -> Result<(), String> {
    let pairs: Vec<Pair> = text
        .split("{\"standing\":\"")
        .skip(1)
        .filter_map(|part| {
            let (standing, rest) = part.split_once("\",\"policy\":\"")?;
            Some((standing.to_owned(), rest.split('"').next()?.to_owned()))
        })
        .collect();
    let of = |standings: &[&str]| -> Vec<&str> {
        let mut found: Vec<&str> =
            pairs.iter().filter(|(standing, _)| standings.contains(&standing.as_str())).map(|(_, policy)| policy.as_str()).collect();
        found.sort_unstable();
        found
    };
    let grants: BTreeMap<String, String> = text
        .split("\"grant_id\":\"")
        .skip(1)
        .filter_map(|part| {
            let (id, rest) = part.split_once("\",\"amount\":")?;
            let amount = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()).unwrap_or_default();
            Some((id.to_owned(), amount.to_owned()))
        })
        .collect();
    if grants != expected.grants {
        return Err(format!("{} grants, expected {}", grants.len(), expected.grants.len()));
    }
    if of(&["given"]) != expected.given {
        return Err("what is given differs".to_owned());
    }
    if of(&["to_commit"]) != expected.to_commit {
        return Err("what a commitment may settle differs".to_owned());
    }
    let unknown = of(&["to_commit", "unknown"]);
    if !expected.unknown.iter().all(|policy| unknown.binary_search(&policy.as_str()).is_ok()) {
        return Err("what is unknown differs".to_owned());
    }
    Ok(())
}

/// What the result files say, by kind and identifier.
fn expected(results: &Path) -> io::Result<BTreeMap<(String, String), Expected>> {
    let mut all: BTreeMap<(String, String), Expected> = BTreeMap::new();
    for table in ["grants", "given", "offers", "unknowns"] {
        let file = BufReader::new(std::fs::File::open(results.join(format!("{table}.csv")))?);
        let mut lines = file.lines();
        let head: Vec<String> = lines.next().transpose()?.map(|line| cells(&line)).unwrap_or_default();
        let place = |name: &str| head.iter().position(|column| column == name).ok_or_else(|| io::Error::other(format!("{table}: no column {name}")));
        let (kind, id, policy) = (place("subject_kind")?, place("subject_id")?, place("policy")?);
        let grant = if table == "grants" { Some([place("grant_id")?, place("amount")?, place("mode")?, place("status")?]) } else { None };
        for line in lines {
            let cells = cells(&line?);
            let subject = all.entry((cells[kind].clone(), cells[id].clone())).or_default();
            let code = cells[policy].clone();
            match (table, grant) {
                (_, Some([grant, amount, mode, status])) => {
                    subject.grants.insert(cells[grant].clone(), cells[amount].clone());
                    // What is owed and asks for a commitment is one commitment away too.
                    if cells[mode] == "commit" && cells[status] == "granted" {
                        subject.to_commit.push(code);
                    }
                }
                ("given", _) => subject.given.push(code),
                ("offers", _) => subject.to_commit.push(code),
                _ => subject.unknown.push(code),
            }
        }
    }
    for subject in all.values_mut() {
        subject.given.sort_unstable();
        subject.to_commit.sort_unstable();
    }
    Ok(all)
}

/// The cells of a line of CSV; no cell of ours holds a line break.
fn cells(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut quoted, mut signs) = (Vec::new(), String::new(), false, line.chars().peekable());
    while let Some(sign) = signs.next() {
        match sign {
            '"' if quoted && signs.peek() == Some(&'"') => cell.extend(signs.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(std::mem::take(&mut cell)),
            sign => cell.push(sign),
        }
    }
    cells.push(cell);
    cells
}
