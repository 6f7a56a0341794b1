//! Many subjects at once: facts come in as a stream, verdicts go out as one, and little is held in between.
//!
//! ```text
//! body ── pieces ──▶ Pipe (Read) ── lines or batches ──▶ judge, one thread ──▶ pieces ──▶ answer
//! ```

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Deserialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use utoipa::IntoParams;

use super::answers::{PostRefused, Refused};
use super::asked_day;
use super::bulk_arrow;
use super::evaluate::chosen;
use crate::check::CheckedPolicy;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::Value;
use crate::diagnostic::{Lang, Message};
use crate::eligibility::grant::amount_text;
use crate::explain::{Amount, Judge, Known, Verdict};
use crate::register::declaration::SubjectKind;
use crate::serve::dto::bulk::{BulkAnswer, BulkLine, BulkVerdict};
use crate::serve::dto::reason::Kind;
use crate::serve::extract::{Asked, In};
use crate::serve::guard::Caller;
use crate::serve::judging::{Given, read};
use crate::serve::problem::Problem;
use crate::serve::rules::{OnDay, Rules};
use crate::serve::settings::Role;
use crate::serve::state::Serving;

/// The media type of lines.
pub const LINES: &str = "application/x-ndjson";
/// The media type of Arrow streams.
pub const ARROW: &str = "application/vnd.apache.arrow.stream";

/// The longest line.
const LONGEST_LINE: u64 = 1 << 20;
/// How many derived facts lines may add before the catalogue is taken anew.
const DERIVED: usize = 256;
/// Pieces that may wait on either side.
const WAITING: usize = 4;
/// About how many bytes an answering piece has.
const PIECE: usize = 64 * 1024;

/// Whose facts, on which day, by which policies.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct BulkAsked {
    /// Whose facts.
    #[param(inline)]
    subject: Kind,
    /// The day that verdicts are about; by default that of the current run.
    #[param(format = Date)]
    as_of: Option<String>,
    /// Only this policy.
    policy: Option<String>,
    /// Only the policies of this bundle.
    bundle: Option<String>,
}

/// Judges many subjects on posted facts, as a stream: lines of JSON, or an Arrow IPC stream with a column `id` and columns
/// named as facts (its own compression is not taken; pack the whole request instead). The answer comes in the form that was
/// sent, while the request is still being read. Nothing is kept.
#[utoipa::path(post, path = "/match", tag = "evaluation", operation_id = "matchBulk", params(BulkAsked),
    request_body(content((BulkLine = "application/x-ndjson"), (Vec<u8> = "application/vnd.apache.arrow.stream"))),
    responses((status = 200, description = "Verdicts, in the order of what was sent",
        content((BulkAnswer = "application/x-ndjson"), (Vec<u8> = "application/vnd.apache.arrow.stream"))), Refused, PostRefused))]
pub async fn bulk(
    State(serving): State<Serving>,
    Extension(caller): Extension<Arc<Caller>>,
    In(lang): In,
    Asked(asked): Asked<BulkAsked>,
    request: Request,
) -> Result<Response, Problem> {
    caller.must_be(&[Role::Handler, Role::PolicyAuthor, Role::Auditor, Role::Administrator])?;
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media = match kind.split(';').next().unwrap_or_default().trim() {
        LINES => LINES,
        ARROW => ARROW,
        _ => {
            let (zh, en) = (format!("请求体应为 {LINES} 或 {ARROW}"), format!("the body must be {LINES} or {ARROW}"));
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", zh, en));
        }
    };
    let as_of = match &asked.as_of {
        Some(text) => asked_day(text)?,
        None => serving.run().await?.run().summary.as_of,
    };
    let rules = serving.rules();
    let day = {
        let rules = Arc::clone(&rules);
        super::at_work(move || Ok(rules.on(as_of))).await?
    };
    let kind = SubjectKind::from(asked.subject);
    let policies = asked.policy.as_ref().map(|policy| vec![policy.clone()]);
    let chosen = chosen(&rules, &day, kind, policies.as_deref(), asked.bundle.as_deref()).map_err(Problem::asked)?;
    let of_kind = |policy: &&CheckedPolicy| {
        policy.document.subject == kind && chosen.as_ref().is_none_or(|codes| codes.contains(&policy.document.code))
    };
    let policies = day.in_force.values().filter(of_kind).cloned().collect();
    let job = Job { rules, day, kind, policies, lang };
    // What unpacks to more than a bulk body may have is cut off; the answer then ends with an error.
    let limit = serving.settings().limits.bulk_body;
    let (pieces_in, body) = channel(WAITING);
    let (answers, pieces_out) = channel(WAITING);
    tokio::spawn(pump(request.into_body(), pieces_in, limit, serving.settings().limits.bulk_timeout));
    tokio::task::spawn_blocking(move || job.work(media, Pipe { body, piece: Bytes::new() }, &Out(answers)));
    let stream = futures::stream::unfold(pieces_out, |mut pieces| async { pieces.recv().await.map(|piece| (piece, pieces)) });
    Ok(([(header::CONTENT_TYPE, media)], Body::from_stream(stream)).into_response())
}

/// Hands on the pieces of a body, up to so many bytes and for so long.
async fn pump(body: Body, pieces: Sender<io::Result<Bytes>>, limit: usize, within: std::time::Duration) {
    let hand_on = async {
        let (mut body, mut bytes) = (body.into_data_stream(), 0_usize);
        while let Some(piece) = body.next().await {
            let piece = piece.map_err(io::Error::other).and_then(|piece| {
                bytes += piece.len();
                if bytes > limit { Err(io::Error::other("too large")) } else { Ok(piece) }
            });
            let is_last = piece.is_err();
            if pieces.send(piece).await.is_err() || is_last {
                return;
            }
        }
    };
    if tokio::time::timeout(within, hand_on).await.is_err() {
        let _ = pieces.send(Err(io::ErrorKind::TimedOut.into())).await;
    }
}

/// The pieces of a body as something to read from, in a thread that may wait.
pub struct Pipe {
    body: Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.body.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let size = buffer.len().min(self.piece.len());
        buffer[..size].copy_from_slice(&self.piece.split_to(size));
        Ok(size)
    }
}

/// Where answers go. A caller that went away ends the work.
pub struct Out(Sender<io::Result<Bytes>>);

impl Out {
    /// Sends a piece; none where nobody listens any more.
    #[must_use]
    pub fn send(&self, piece: Vec<u8>) -> Option<()> {
        self.0.blocking_send(Ok(Bytes::from(piece))).ok()
    }

    /// Breaks the answer off, so that nobody takes it for whole.
    pub fn break_off(&self, error: io::Error) {
        let _ = self.0.blocking_send(Err(error));
    }
}

/// What is to be done.
pub struct Job {
    rules: Arc<Rules>,
    day: Arc<OnDay>,
    kind: SubjectKind,
    policies: Vec<CheckedPolicy>,
    lang: Lang,
}

impl Job {
    fn work(&self, media: &str, pipe: Pipe, out: &Out) {
        if media == LINES {
            self.lines(pipe, out);
        } else if let Err(error) = bulk_arrow::work(self, pipe, out) {
            out.break_off(error);
        }
    }

    fn lines(&self, pipe: Pipe, out: &Out) {
        let (mut reader, mut line, mut piece) = (BufReader::new(pipe), Vec::new(), Vec::with_capacity(PIECE));
        let mut catalogue = self.day.catalogue.clone();
        loop {
            line.clear();
            match reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) if line.last() != Some(&b'\n') && line.len() as u64 == LONGEST_LINE => {
                    return out.break_off(io::Error::other("a line is too long"));
                }
                Ok(_) if line.iter().all(u8::is_ascii_whitespace) => continue,
                Ok(_) => {}
                Err(error) => return out.break_off(error),
            }
            let answer = self.line(&mut catalogue, &line);
            // Derived facts that lines name stay in the catalogue; not without end.
            if catalogue.facts(self.kind).len() > self.day.catalogue.facts(self.kind).len() + DERIVED {
                catalogue = self.day.catalogue.clone();
            }
            if serde_json::to_writer(&mut piece, &answer).is_err() {
                return out.break_off(io::Error::other("an answer cannot be written"));
            }
            piece.push(b'\n');
            // Whoever sends line by line hears line by line.
            if (piece.len() >= PIECE || reader.buffer().is_empty()) && out.send(std::mem::take(&mut piece)).is_none() {
                return;
            }
        }
        let _ = out.send(piece);
    }

    fn line(&self, catalogue: &mut Catalogue, line: &[u8]) -> BulkAnswer {
        let told = |id: String, why: &Message| BulkAnswer { id, policies: Vec::new(), error: Some(why.get(self.lang).to_owned()) };
        let posted: BulkLine = match serde_json::from_slice(line) {
            Ok(posted) => posted,
            Err(error) => {
                let why = Message::new(format!("读不懂这一行: {error}"), format!("the line cannot be read: {error}"));
                return told(String::new(), &why);
            }
        };
        match read(&self.rules, catalogue, self.kind, self.day.as_of, &posted.facts) {
            Ok(given) => BulkAnswer { id: posted.id, policies: self.verdicts(catalogue, &given), error: None },
            Err(problem) => match problem.findings.first() {
                Some(finding) => {
                    let headline = &finding.headline;
                    told(posted.id, &Message::new(headline.zh.clone(), headline.en.clone()))
                }
                None => told(posted.id, &problem.detail),
            },
        }
    }

    /// What each policy means for one subject, but for those that are a no.
    #[must_use]
    pub fn verdicts(&self, catalogue: &Catalogue, given: &Given) -> Vec<BulkVerdict> {
        let binder = self.rules.binder(&self.day);
        let value = |id: FactId| -> Option<Value> { given.values.get(&id).cloned().flatten() };
        let known = Known { value: &value, taken: &|id| given.values.contains_key(&id), ..Known::NOTHING };
        self.judged(&mut Judge::new(catalogue, &binder, known))
    }

    /// The same by a judge of the subject.
    #[must_use]
    pub fn judged(&self, judge: &mut Judge<'_>) -> Vec<BulkVerdict> {
        let verdict = |policy: &CheckedPolicy| {
            let judgement = judge.judge(policy);
            let code = policy.document.code.clone();
            let Ok(judgement) = judgement else {
                // Arithmetic that overflows settles nothing.
                return Some(BulkVerdict {
                    policy: code,
                    verdict: Verdict::Unknown.into(),
                    amount: None,
                    mode: None,
                    missing: Vec::new(),
                    given_up_for: None,
                });
            };
            matches!(judgement.verdict, Verdict::Yes | Verdict::Unknown).then(|| BulkVerdict {
                policy: code,
                verdict: judgement.verdict.into(),
                amount: match judgement.amount {
                    Amount::Known(hundredths) => Some(amount_text(hundredths)),
                    Amount::None | Amount::Unknown => None,
                },
                mode: judgement.mode.map(Into::into),
                missing: judgement.missing.iter().map(|set| set.iter().map(ToString::to_string).collect()).collect(),
                given_up_for: judgement.given_up_for,
            })
        };
        self.policies.iter().filter_map(verdict).collect()
    }

    /// Whose facts.
    #[must_use]
    pub fn kind(&self) -> SubjectKind {
        self.kind
    }

    /// The policies of the day.
    #[must_use]
    pub fn day(&self) -> &OnDay {
        &self.day
    }

    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}
