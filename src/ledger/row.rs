//! Cases as the store has them: a row beside its events.

use chrono::NaiveDate;

use super::act::{Command, Refusal, decide};
use super::case::Case;
use super::event::{Actor, Event, VERSION};
use crate::diagnostic::Message;
use crate::store::StoreError;
use crate::store::live::{CaseEvent, CaseRow, CaseStep};

impl Case {
    /// The case of a row.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when its body is none of ours.
    pub fn of(row: &CaseRow) -> Result<Self, StoreError> {
        serde_json::from_slice(&row.body).map_err(|error| StoreError::Damaged(format!("case {}: {error}", row.id)))
    }

    /// The row of the case.
    #[must_use]
    pub fn row(&self) -> CaseRow {
        let grant = &self.grant;
        CaseRow {
            id: self.id.clone(),
            policy: grant.policy.clone(),
            kind: grant.kind,
            subject: grant.subject.clone(),
            region: grant.region.clone(),
            department: grant.department.clone(),
            period: grant.period.clone(),
            step: self.step.name().to_owned(),
            in_review: !self.open.is_empty(),
            due: self.due(),
            version: 0,
            at: 0,
            // A case has no map with keys that JSON could not have: it is always written.
            body: serde_json::to_vec(self).unwrap_or_default(),
        }
    }
}

impl Event {
    /// The event of its content.
    ///
    /// # Errors
    ///
    /// [`StoreError::Damaged`] when it is none of ours, [`StoreError::Newer`] when it is of a newer form.
    pub fn read(content: &[u8]) -> Result<Self, StoreError> {
        let damaged = |error: serde_json::Error| StoreError::Damaged(format!("event: {error}"));
        let any: serde_json::Value = serde_json::from_slice(content).map_err(damaged)?;
        let found = any["v"].as_i64().unwrap_or(0);
        if found > i64::from(VERSION) {
            return Err(StoreError::Newer { found, known: i64::from(VERSION) });
        }
        serde_json::from_value(any).map_err(damaged)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// A case that begins with an event, with those after it.
pub(super) fn begun(id: &str, events: &[Event]) -> Option<CaseStep> {
    let (first, rest) = events.split_first()?;
    let mut case = Case::begin(id, first)?;
    for event in rest {
        case.apply(event);
    }
    Some(CaseStep { row: case.row(), expect: 0, events: events.iter().map(Event::bytes).collect() })
}

/// The step that puts events on a case that is there.
#[must_use]
pub fn made(row: &CaseRow, mut case: Case, events: &[Event]) -> CaseStep {
    for event in events {
        case.apply(event);
    }
    CaseStep { row: case.row(), expect: row.version, events: events.iter().map(Event::bytes).collect() }
}

/// What a command does to a case: the step to commit, or nothing where the same request was answered before.
///
/// # Errors
///
/// When it may not be done: why, and what may be; the outer error when the row cannot be read.
pub fn act(
    row: &CaseRow,
    command: &Command,
    actor: &Actor,
    (note, request): (&str, &str),
    day: NaiveDate,
) -> Result<Result<Option<CaseStep>, Refusal>, StoreError> {
    let case = Case::of(row)?;
    let what = decide(&case, command, actor, note, day);
    if let Some(before) = case.requests.get(request).filter(|_| !request.is_empty()) {
        let is_same = what_for(command).contains(&before.as_str());
        return Ok(if is_same { Ok(None) } else { Err(other_request(&case, before, actor, day)) });
    }
    Ok(what.map(|what| {
        let event = Event { v: VERSION, day, actor: actor.clone(), note: note.trim().to_owned(), request: request.to_owned(), what };
        Some(made(row, case, &[event]))
    }))
}

/// The events that a command may have made.
fn what_for(command: &Command) -> &'static [&'static str] {
    match command {
        Command::Review => &["reviewed"],
        Command::Publish => &["published"],
        Command::Tell { .. } => &["told"],
        Command::Confirm => &["confirmed"],
        Command::Decline => &["declined"],
        Command::Return => &["returned"],
        Command::Object => &["objected"],
        Command::Correct { .. } => &["corrected"],
        Command::Withdraw => &["withdrawn"],
        Command::Pay { .. } => &["paid"],
        Command::Rate { .. } => &["rated"],
        Command::Close => &["closed"],
        Command::Lapse => &["confirmed", "questioned", "closed"],
    }
}

fn other_request(case: &Case, before: &str, actor: &Actor, day: NaiveDate) -> Refusal {
    let why = Message::new(format!("同一请求号已用于 {before}"), format!("the same request was for `{before}`"));
    Refusal { why, possible: super::act::possible(case, actor, day) }
}

/// The case that events make, oldest first; none where there are none, or one was erased.
///
/// # Errors
///
/// When an event cannot be read, or the first begins no case.
pub fn fold(events: &[CaseEvent]) -> Result<Option<Case>, StoreError> {
    let mut case: Option<Case> = None;
    for event in events {
        let Some((_, content)) = &event.content else { return Ok(None) };
        let read = Event::read(content)?;
        match &mut case {
            Some(case) => case.apply(&read),
            None => {
                let begun = Case::begin(&event.case, &read);
                case = Some(begun.ok_or_else(|| StoreError::Damaged(format!("case {} does not begin with `found`", event.case)))?);
            }
        }
    }
    Ok(case)
}
