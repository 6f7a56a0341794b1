//! The teller: follows what happens to cases, and asks for the messages that their subjects are to get.
//!
//! ```text
//!  events of cases, by number ──▶ occasion ──▶ compose ──▶ messages in the outbox ──▶ worker
//!  cases whose day has come   ──▶    │  (notice over, days to reply nearly over)
//!                                    └─ none where the subject was told of the same before
//! ```
//!
//! Whoever finds grants may ask for their messages in the same commit; the teller then finds them and asks for nothing.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Days, NaiveDate};

use super::compose::{About, Composer, drop_waiting};
use super::message::{Kind, Message};
use crate::diagnostic;
use crate::ledger::{Case, Event, Next, Step, What, Why};
use crate::policy::document::Mode;
use crate::store::StoreError;
use crate::store::live::{Batch, CaseEvent, CaseFilter, CasePages, DeliveryStep, Live, MessageState, NewMessage};
use crate::store::trail::Seq;

/// Asks for messages.
#[derive(Debug, Clone, Copy)]
pub struct Teller<'a> {
    /// Where cases and messages are.
    pub live: &'a dyn Live,
    /// The words.
    pub composer: Composer<'a>,
}

/// What the teller did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// The first event that it did not look at yet.
    pub next: Seq,
    /// Messages that are asked for now.
    pub messages: u64,
    /// Cases of which nobody is told, for want of a channel or of words.
    pub silent: u64,
    /// Messages that are not to be sent any more.
    pub dropped: u64,
}

/// What is to be told of one case.
struct Telling {
    case: Case,
    kind: Kind,
    number: u32,
    until: Option<NaiveDate>,
    note: Option<diagnostic::Message>,
}

/// What an event gives its subject to hear: of a case that now waits for being told, that; else of the event itself.
#[must_use]
pub fn occasion(before: Option<&Case>, after: &Case, what: &What, day: NaiveDate) -> Option<Kind> {
    if !after.plan.tell {
        return None;
    }
    let waits = |case: &Case| case.next(day) == Next::Tell;
    if waits(after) && !before.is_some_and(waits) {
        return Some(to_tell(after));
    }
    let was_open = |why: Why| before.is_some_and(|case| case.open.contains_key(&why));
    match what {
        What::Published => Some(Kind::Published),
        What::Paid { .. } => Some(Kind::Paid),
        What::Corrected { .. } => Some(Kind::Corrected),
        What::Reviewed if was_open(Why::Objection) => Some(Kind::ObjectionResult),
        What::Reviewed if after.reviewed && before.is_some_and(|case| !case.reviewed) => Some(Kind::ReviewResult),
        What::Withdrawn => Some(Kind::ReviewResult),
        _ => None,
    }
}

/// What a case that waits for being told is told with.
fn to_tell(case: &Case) -> Kind {
    if case.plan.confirm { Kind::ToConfirm } else { Kind::Found }
}

/// Whether a message is void once its case is over or declined.
fn is_void(kind: Kind, case: &Case) -> bool {
    let asks = matches!(kind, Kind::Found | Kind::ToConfirm | Kind::ToCommit | Kind::Published | Kind::Reminder);
    asks && (case.step.is_over() || case.step == Step::Declined)
}

impl Telling {
    /// What there is to say of a case after an event.
    fn after(event: &Event, kind: Kind, number: u32, case: Case) -> Self {
        let plain = |text: &str| diagnostic::Message::new(text, text);
        let note = match &event.what {
            // Officials note a review for each other; the ground of what goes against the subject is the subject's to hear.
            What::Reviewed => Some(diagnostic::Message::new("审核通过", "it goes on")),
            What::Withdrawn | What::Corrected { .. } => Some(plain(&event.note)).filter(|_| !event.note.is_empty()),
            _ => None,
        };
        let until = until(kind, &case, event.day);
        Self { case, kind, number, until, note }
    }

    fn about(&self) -> About<'_> {
        let grant = &self.case.grant;
        let mode = match () {
            () if self.case.plan.reviews > 0 => Mode::Review,
            () if self.case.plan.confirm => Mode::Confirm,
            () => Mode::Automatic,
        };
        About {
            case: &self.case.id,
            policy: &grant.policy,
            version: Some(grant.version),
            kind: grant.kind,
            subject: &grant.subject,
            period: &grant.period,
            occasion: grant.occasion.as_deref(),
            member: grant.member.as_deref(),
            payee: grant.payee.as_deref(),
            amount: if self.kind == Kind::Paid { self.case.paid } else { self.case.amount },
            reasons: grant.reasons.iter().map(String::as_str).collect(),
            mode,
            notify: self.case.plan.tell,
            until: self.until,
            note: self.note.as_ref(),
        }
    }
}

fn until(kind: Kind, case: &Case, day: NaiveDate) -> Option<NaiveDate> {
    match kind {
        Kind::ToConfirm => case.plan.reply_days.and_then(|days| day.checked_add_days(Days::new(days.into()))),
        Kind::Published => case.notice_until(),
        Kind::Reminder => case.reply_until(),
        _ => None,
    }
}

impl Teller<'_> {
    /// Looks at events from one on, at most `limit` of them, and asks for the messages that they give. `now` in microseconds
    /// since 1970 (UTC).
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written.
    pub async fn follow(&self, from: Seq, limit: usize, now: i64) -> Result<Asked, StoreError> {
        let events = self.live.events_from(from, limit).await?;
        let Some(last) = events.last() else { return Ok(Asked { next: from, ..Asked::default() }) };
        let (mut tellings, mut drops, mut known) = (Vec::new(), Vec::new(), HashMap::new());
        for event in &events {
            let Some((before, after, read)) = self.around(event, &mut known).await? else { continue };
            if matches!(read.what, What::Withdrawn | What::Closed { .. } | What::Declined) {
                drops.extend(self.drops(&after).await?);
            }
            if let Some(kind) = occasion(before.as_ref(), &after, &read.what, read.day) {
                tellings.push(Telling::after(&read, kind, number(event.version), after));
            }
        }
        let asked = self.ask(tellings, drops, now).await?;
        Ok(Asked { next: last.seq + 1, ..asked })
    }

    /// Looks at the cases whose day has come: those whose notice is over are told; those who did not reply are reminded when no
    /// more than `remind_days` are left.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written.
    pub async fn day(&self, today: NaiveDate, remind_days: Option<u32>, now: i64) -> Result<Asked, StoreError> {
        let ahead = today.checked_add_days(Days::new(remind_days.unwrap_or(0).into())).unwrap_or(today);
        let mut total = Asked::default();
        let filter = CaseFilter {
            steps: vec![Step::Published.name().to_owned(), Step::Told.name().to_owned()],
            due_until: Some(ahead),
            by_due: true,
            ..CaseFilter::default()
        };
        let mut pages = CasePages::new(self.live, filter);
        while let Some(rows) = pages.next().await? {
            let mut tellings = Vec::new();
            for row in &rows {
                let case = Case::of(row)?;
                let kind = match case.next(today) {
                    Next::Tell => to_tell(&case),
                    Next::Reply if remind_days.is_some() && case.reply_until().is_some_and(|until| today <= until && until <= ahead) => {
                        Kind::Reminder
                    }
                    _ => continue,
                };
                if case.plan.tell {
                    let until = until(kind, &case, today);
                    tellings.push(Telling { kind, number: number(row.version), until, note: None, case });
                }
            }
            let asked = self.ask(tellings, Vec::new(), now).await?;
            (total.messages, total.silent) = (total.messages + asked.messages, total.silent + asked.silent);
        }
        Ok(total)
    }

    /// A case before and after an event; none where its content was erased.
    async fn around(
        &self,
        event: &CaseEvent,
        known: &mut HashMap<String, Vec<CaseEvent>>,
    ) -> Result<Option<(Option<Case>, Case, Event)>, StoreError> {
        let Some((_, content)) = &event.content else { return Ok(None) };
        let read = Event::read(content)?;
        if event.version == 1 {
            return Ok(Case::begin(&event.case, &read).map(|case| (None, case, read)));
        }
        if !known.contains_key(&event.case) {
            known.insert(event.case.clone(), self.live.case_events(&event.case).await?);
        }
        let earlier: Vec<CaseEvent> = known[&event.case].iter().filter(|one| one.version < event.version).cloned().collect();
        let Some(before) = crate::ledger::fold(&earlier)? else { return Ok(None) };
        let mut after = before.clone();
        after.apply(&read);
        Ok(Some((Some(before), after, read)))
    }

    /// Asks for messages, but for those that were asked for before, and those that are void by now.
    async fn ask(&self, tellings: Vec<Telling>, mut deliveries: Vec<DeliveryStep>, now: i64) -> Result<Asked, StoreError> {
        let mut asked = Asked::default();
        let mut by_kind: BTreeMap<(Kind, u32), Vec<Telling>> = BTreeMap::new();
        for telling in tellings {
            if !self.is_told(&telling).await? {
                by_kind.entry((telling.kind, telling.number)).or_default().push(telling);
            }
        }
        let mut messages: Vec<NewMessage> = Vec::new();
        for ((kind, number), tellings) in &by_kind {
            let cases: Vec<About<'_>> = tellings.iter().map(Telling::about).collect();
            let composed = self.composer.compose(*kind, *number, &cases, now);
            asked.silent += composed.silent.len() as u64;
            messages.extend(composed.messages);
        }
        deliveries.dedup_by(|one, other| one.id == other.id);
        asked.dropped = deliveries.len() as u64;
        if !messages.is_empty() || !deliveries.is_empty() {
            asked.messages = messages.len() as u64;
            let committed = self.live.commit(&Batch { at: now, messages, deliveries, ..Batch::default() }).await?;
            asked.messages -= committed.folded;
        }
        Ok(asked)
    }

    /// Whether the same was told of a case before, also as part of another message; or is not true any more.
    async fn is_told(&self, telling: &Telling) -> Result<bool, StoreError> {
        let id = &telling.case.id;
        if let Some(row) = self.live.case(id).await?
            && is_void(telling.kind, &Case::of(&row)?)
        {
            return Ok(true);
        }
        let rows = self.live.messages_of(id).await?;
        let told = rows.iter().filter_map(|row| serde_json::from_slice::<Message>(&row.message.body).ok());
        Ok(told.into_iter().any(|message| message.kind == telling.kind && message.number == telling.number))
    }

    /// Messages that ask for what is not to be had any more. One that is about other cases too still leaves.
    async fn drops(&self, case: &Case) -> Result<Vec<DeliveryStep>, StoreError> {
        let mut rows = self.live.messages_of(&case.id).await?;
        rows.retain(|row| {
            let kind = serde_json::from_slice::<Message>(&row.message.body).ok().map(|message| message.kind);
            row.state == MessageState::Waiting && row.message.cases.len() == 1 && kind.is_some_and(|kind| is_void(kind, case))
        });
        Ok(drop_waiting(&rows, case.step.name()))
    }
}

fn number(version: u64) -> u32 {
    u32::try_from(version).unwrap_or(u32::MAX)
}

/// The day of a moment, in microseconds since 1970 (UTC), where the time is so many seconds ahead of UTC.
#[must_use]
pub fn day_of(at: i64, offset: i32) -> NaiveDate {
    let local = at.saturating_add(i64::from(offset) * 1_000_000);
    DateTime::from_timestamp_micros(local).map_or_else(NaiveDate::default, |time| time.date_naive())
}

#[cfg(test)]
mod tests;
