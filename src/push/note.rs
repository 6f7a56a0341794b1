//! What became of a message, as an event of the case that it was about.

use chrono::NaiveDate;

use super::message::{Kind, Message};
use super::worker::Done;
use crate::ledger::{self, Actor, Case, Event, VERSION, What};
use crate::store::StoreError;
use crate::store::live::{CaseRow, CaseStep, MessageState};

/// Under which name events are written.
const ACTOR: &str = "mianshen push";

/// The step of a case whose messages arrived or were given up; none where all of it was noted before.
pub(super) fn step(row: &CaseRow, about: &[&Done], day: NaiveDate) -> Result<Option<CaseStep>, StoreError> {
    let case = Case::of(row)?;
    let events = about.iter().map(|done| event(done, day)).filter(|event| !case.requests.contains_key(&event.request));
    let events: Vec<Event> = events.collect();
    Ok((!events.is_empty()).then(|| ledger::made(row, case, &events)))
}

/// Its request is the same for the same outcome, so that what is written again after a lost answer is written once.
fn event(done: &Done, day: NaiveDate) -> Event {
    let (channel, message) = (done.row.message.channel.clone(), done.row.message.id.clone());
    let is_sent = done.step.state == MessageState::Sent;
    let (request, what) = match is_sent {
        true if is_awaited(&done.row.message.body) => (message.clone(), What::Told { channel, message }),
        true => (message.clone(), What::Sent { channel, message }),
        false => (format!("{message} {}", done.row.changed_at), What::Untold { channel, message }),
    };
    let note = if is_sent { String::new() } else { done.step.told.clone() };
    Event { v: VERSION, day, actor: Actor::system(ACTOR), note, request, what }
}

/// Whether a message is the one that a case waits for its subject to be told with.
fn is_awaited(body: &[u8]) -> bool {
    let kind = serde_json::from_slice::<Message>(body).ok().map(|message| message.kind);
    matches!(kind, Some(Kind::Found | Kind::ToConfirm | Kind::ToCommit))
}
