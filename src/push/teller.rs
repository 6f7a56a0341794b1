//! The teller: follows what happens to cases, and asks for the messages that their subjects are to get.
//!
//! ```text
//!  events of cases, by number ──▶ cases at rest ──▶ what is to be told of each now ──▶ compose ──▶ messages in the outbox
//!  cases whose day has come   ──▶      │  (notice over, days to reply nearly over)
//!                                      └─ none of which something happened less than `settle` ago
//! ```
//!
//! An event only says where to look. What is told is what is true of the case when it has been at rest for `settle`, against what
//! its subject was told before: so it is the same, and in the same order, however often and in which pieces events are looked at. Whoever
//! finds grants may ask for their messages in the same commit; the teller then finds them and asks for nothing.

mod history;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate};

use super::compose::{About, Composer, drop_waiting};
use super::message::{Kind, Message};
use super::pace::micros;
use crate::diagnostic;
use crate::ledger::{Case, Event, Next, Step, What, Why};
use crate::policy::document::Mode;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::{Batch, CaseFilter, CasePages, CaseRow, DeliveryStep, Live, MessageRow, MessageState, NewMessage};
use crate::store::trail::Seq;
use history::History;

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

/// A case as it is, and when something happened to it last.
struct Seen {
    case: Case,
    version: u64,
    at: i64,
}

/// The cases of a subject that one life event delivers together: they go as one message.
type Together<'t> = (SubjectKind, &'t str, &'t str);

/// Whether a case waits for its subject to be told, and what it gives still stands: a grant that is lost is not told of before it is
/// there again, or an official has looked.
fn waits(case: &Case, day: NaiveDate) -> bool {
    case.plan.tell && case.next(day) == Next::Tell && !case.open.contains_key(&Why::Lost)
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

/// A message as it was composed; none where the store holds none of ours.
fn read(row: &MessageRow) -> Option<Message> {
    serde_json::from_slice(&row.message.body).ok()
}

/// The number of the message that tells of a case which waits for it: one more than that of the last, where that one was sent and
/// did not move the case, or was dropped. None where the last is on its way, or was given up and waits for somebody to see why.
fn next_number(messages: &[MessageRow]) -> Option<u32> {
    let tells = |message: &Message| matches!(message.kind, Kind::Found | Kind::ToConfirm | Kind::ToCommit);
    let told = messages.iter().filter_map(|row| read(row).filter(tells).map(|message| (message.number, row.state)));
    match told.max_by_key(|(number, _)| *number) {
        None => Some(1),
        Some((number, MessageState::Sent | MessageState::Dropped)) => Some(number + 1),
        Some((_, MessageState::Waiting | MessageState::Dead)) => None,
    }
}

impl Telling {
    fn new(case: Case, kind: Kind, number: u32, note: Option<diagnostic::Message>, day: NaiveDate) -> Self {
        let until = match kind {
            Kind::ToConfirm => case.plan.reply_days.and_then(|days| day.checked_add_days(Days::new(days.into()))),
            Kind::Published => case.notice_until(),
            Kind::Reminder => case.reply_until(),
            _ => None,
        };
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

/// What an official says to the subject with an event.
fn note(event: &Event) -> Option<diagnostic::Message> {
    match &event.what {
        // Officials note a review for each other; the ground of what goes against the subject is the subject's to hear.
        What::Reviewed => Some(diagnostic::Message::new("审核通过", "it goes on")),
        What::Withdrawn | What::Corrected { .. } => {
            Some(diagnostic::Message::new(event.note.as_str(), event.note.as_str())).filter(|_| !event.note.is_empty())
        }
        _ => None,
    }
}

impl Teller<'_> {
    /// Looks at the cases of events from one on, at most `limit` of them, and asks for the messages that there are now; at events that
    /// are younger than `settle` it does not look yet. `now` in microseconds since 1970 (UTC).
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written.
    pub async fn follow(&self, from: Seq, limit: usize, now: i64) -> Result<Asked, StoreError> {
        let at_rest = self.at_rest(now);
        let mut events = self.live.events_from(from, limit).await?;
        // Who commits later may have an earlier time: nothing behind the first that is too young is passed over.
        if let Some(young) = events.iter().position(|event| event.at > at_rest) {
            events.truncate(young);
        }
        let Some(next) = events.last().map(|last| last.seq + 1) else { return Ok(Asked { next: from, ..Asked::default() }) };
        let has_more = events.len() >= limit;
        let since = events.iter().map(|event| event.at).min();
        // What was erased is nobody's to tell.
        let changed: BTreeSet<String> = events.into_iter().filter(|event| event.content.is_some()).map(|event| event.case).collect();
        let day = day_of(now, self.composer.settings.offset());
        let mut seen = self.seen(&changed).await?;
        if has_more {
            seen.extend(self.behind(&seen, since, at_rest).await?);
        }
        let silent = self.leave_silent(&mut seen, day, at_rest);
        let (mut tellings, mut beside) = (Vec::new(), BTreeSet::new());
        // Of a case to which something happened since, a later event tells.
        for one in seen.iter().filter(|one| one.at <= at_rest && one.version > 1 && one.case.plan.tell) {
            let messages = self.live.messages_of(&one.case.id).await?;
            let Some(mut history) = History::of(&self.live.case_events(&one.case.id).await?, &messages)? else { continue };
            beside.append(&mut history.beside);
            tellings.extend(history.to_tell(&one.case, &messages, day));
        }
        let known: BTreeSet<&str> = seen.iter().map(|one| one.case.id.as_str()).collect();
        beside.retain(|case| !known.contains(case.as_str()));
        seen.extend(self.seen(&beside).await?);
        tellings.extend(self.due_to_be_told(seen, day, at_rest).await?);
        let asked = self.ask(tellings, now).await?;
        Ok(Asked { next, silent: asked.silent + silent, ..asked })
    }

    /// Looks at events from one on, at most `limit` of them, for cases that are over or declined: what only asks for them, and
    /// has not left yet, is not to be sent any more.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written.
    pub async fn withdraw(&self, from: Seq, limit: usize, now: i64) -> Result<Asked, StoreError> {
        let events = self.live.events_from(from, limit).await?;
        let Some(next) = events.last().map(|last| last.seq + 1) else { return Ok(Asked { next: from, ..Asked::default() }) };
        let ends = |event: &Event| matches!(event.what, What::Withdrawn | What::Closed { .. } | What::Declined);
        let mut ended = BTreeSet::new();
        for event in events {
            if let Some((_, content)) = &event.content
                && ends(&Event::read(content)?)
            {
                ended.insert(event.case);
            }
        }
        let mut deliveries: Vec<DeliveryStep> = Vec::new();
        for Seen { case, .. } in self.seen(&ended).await? {
            let mut rows = self.live.messages_of(&case.id).await?;
            // One that is about other cases too still leaves.
            rows.retain(|row| row.message.cases.len() == 1 && read(row).is_some_and(|message| is_void(message.kind, &case)));
            deliveries.extend(drop_waiting(&rows, case.step.name()));
        }
        let dropped = deliveries.len() as u64;
        if dropped > 0 {
            self.live.commit(&Batch { at: now, deliveries, ..Batch::default() }).await?;
        }
        Ok(Asked { next, dropped, ..Asked::default() })
    }

    /// Looks at the cases whose day has come: those whose notice is over are told; those who did not reply are reminded when no
    /// more than `remind_days` are left.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written.
    pub async fn day(&self, today: NaiveDate, remind_days: Option<u32>, now: i64) -> Result<Asked, StoreError> {
        let ahead = today.checked_add_days(Days::new(remind_days.unwrap_or(0).into())).unwrap_or(today);
        let at_rest = self.at_rest(now);
        let mut total = Asked::default();
        let filter = CaseFilter {
            steps: vec![Step::Published.name().to_owned(), Step::Told.name().to_owned()],
            due_until: Some(ahead),
            by_due: true,
            ..CaseFilter::default()
        };
        let mut pages = CasePages::new(self.live, filter);
        while let Some(rows) = pages.next().await? {
            let (mut waiting, mut tellings) = (Vec::new(), Vec::new());
            let mut seen: Vec<Seen> = rows.iter().filter_map(seen).collect();
            total.silent += self.leave_silent(&mut seen, today, at_rest);
            for one in seen {
                let case = &one.case;
                let is_late = remind_days.is_some() && case.reply_until().is_some_and(|until| today <= until && until <= ahead);
                if waits(case, today) {
                    waiting.push(one);
                } else if case.plan.tell && is_late && case.next(today) == Next::Reply && one.at <= at_rest {
                    tellings.extend(self.reminder(one.case, today).await?);
                }
            }
            tellings.extend(self.due_to_be_told(waiting, today, at_rest).await?);
            let asked = self.ask(tellings, now).await?;
            (total.messages, total.silent) = (total.messages + asked.messages, total.silent + asked.silent);
        }
        Ok(total)
    }

    /// One for each time that the subject was told; none while the grant is lost.
    async fn reminder(&self, case: Case, day: NaiveDate) -> Result<Option<Telling>, StoreError> {
        let messages = self.live.messages_of(&case.id).await?;
        let history = History::of(&self.live.case_events(&case.id).await?, &messages)?;
        let Some(number) = history.map(|history| history.told).filter(|_| !case.open.contains_key(&Why::Lost)) else { return Ok(None) };
        let is_told = messages.iter().filter_map(read).any(|message| message.kind == Kind::Reminder && message.number == number);
        Ok((!is_told).then(|| Telling::new(case, Kind::Reminder, number, None, day)))
    }

    /// A case at which something happened after this moment is not at rest.
    fn at_rest(&self, now: i64) -> i64 {
        let settle = self.composer.settings.settle;
        // Where nothing is waited for, clocks that differ do not matter.
        if settle.is_zero() { i64::MAX } else { now.saturating_sub(micros(settle)) }
    }

    /// Cases as they are now; those that are not there, or cannot be read, are left out.
    async fn seen(&self, ids: &BTreeSet<String>) -> Result<Vec<Seen>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        Ok(self.live.cases_named(&ids).await?.iter().filter_map(seen).collect())
    }

    /// The other cases at rest of the subjects of some, of which something may stand behind the events that are looked at: a subject
    /// hears of its cases in one order, wherever those events end.
    async fn behind(&self, seen_first: &[Seen], since: Option<i64>, at_rest: i64) -> Result<Vec<Seen>, StoreError> {
        let subjects: BTreeSet<&str> = seen_first.iter().map(|one| one.case.grant.subject.as_str()).collect();
        let known: BTreeSet<&str> = seen_first.iter().map(|one| one.case.id.as_str()).collect();
        let rows = self.live.cases_about(&subjects.into_iter().collect::<Vec<_>>()).await?;
        let rows = rows.iter().filter(|row| !known.contains(row.id.as_str()) && Some(row.at) >= since && row.at <= at_rest);
        Ok(rows.filter_map(seen).collect())
    }

    /// Leaves out the cases of which no channel tells, before anything more is read of them, and counts those that wait for it.
    fn leave_silent(&self, seen: &mut Vec<Seen>, day: NaiveDate, at_rest: i64) -> u64 {
        let mut silent = 0;
        seen.retain(|one| {
            let is_taken = self.composer.channel(one.case.grant.kind, &one.case.grant.policy).is_some();
            silent += u64::from(!is_taken && one.at <= at_rest && waits(&one.case, day));
            is_taken
        });
        silent
    }

    /// The bundle that a policy belongs to.
    fn bundle(&self, policy: &str) -> Option<&str> {
        let bundles = &self.composer.policies.bundles;
        bundles.iter().find(|bundle| bundle.policies.iter().any(|(code, _)| code == policy)).map(|bundle| bundle.id.as_str())
    }

    fn together<'t>(&'t self, case: &'t Case) -> Option<Together<'t>> {
        Some((case.grant.kind, case.grant.subject.as_str(), self.bundle(&case.grant.policy)?))
    }

    /// Of some cases, and of all that go with them, those that wait for being told. Those of a bundle wait until all of them are at
    /// rest, so that they go as one message.
    async fn due_to_be_told(&self, seen_first: Vec<Seen>, day: NaiveDate, at_rest: i64) -> Result<Vec<Telling>, StoreError> {
        let settled = |one: &&Seen| one.at <= at_rest;
        let bundled: BTreeSet<&str> = seen_first
            .iter()
            .filter(settled)
            .filter(|one| self.bundle(&one.case.grant.policy).is_some())
            .map(|one| one.case.grant.subject.as_str())
            .collect();
        let bundled: Vec<&str> = bundled.into_iter().collect();
        let kin = if bundled.is_empty() { Vec::new() } else { self.live.cases_about(&bundled).await? };
        let kin = kin.iter().filter(|row| self.bundle(&row.policy).is_some()).filter_map(seen);
        let all: BTreeMap<String, Seen> = kin.chain(seen_first).map(|one| (one.case.id.clone(), one)).collect();
        let unsettled: BTreeSet<Together<'_>> =
            all.values().filter(|one| !settled(one)).filter_map(|one| self.together(&one.case)).collect();
        let is_ready =
            |one: &&Seen| settled(one) && waits(&one.case, day) && self.together(&one.case).is_none_or(|which| !unsettled.contains(&which));
        let ready: Vec<&Seen> = all.values().filter(is_ready).collect();
        let made_up_for: BTreeSet<String> = ready.iter().filter_map(|one| one.case.corrects.clone()).collect();
        // What makes up for a case stands and falls with it.
        let fallen: BTreeSet<String> = self
            .seen(&made_up_for)
            .await?
            .into_iter()
            .map(|one| one.case)
            .filter(|case| case.open.contains_key(&Why::Lost) || case.open.contains_key(&Why::Less))
            .map(|case| case.id)
            .collect();
        let mut tellings = Vec::new();
        for Seen { case, version, .. } in ready {
            if case.corrects.as_ref().is_some_and(|other| fallen.contains(other)) {
                continue;
            }
            let Some(number) = next_number(&self.live.messages_of(&case.id).await?) else { continue };
            // A message that arrived since the case was read has moved it: then its subject is told already.
            if number == 1 || self.live.case(&case.id).await?.is_some_and(|now| now.version == *version) {
                tellings.push(Telling::new(case.clone(), to_tell(case), number, None, day));
            }
        }
        Ok(tellings)
    }

    /// Asks for messages.
    async fn ask(&self, tellings: Vec<Telling>, now: i64) -> Result<Asked, StoreError> {
        let mut asked = Asked::default();
        let mut by_kind: BTreeMap<(Kind, u32), Vec<Telling>> = BTreeMap::new();
        for telling in tellings {
            by_kind.entry((telling.kind, telling.number)).or_default().push(telling);
        }
        let mut messages: Vec<NewMessage> = Vec::new();
        for ((kind, number), tellings) in &by_kind {
            let cases: Vec<About<'_>> = tellings.iter().map(Telling::about).collect();
            let composed = self.composer.compose(*kind, *number, &cases, now);
            asked.silent += composed.silent.len() as u64;
            messages.extend(composed.messages);
        }
        if !messages.is_empty() {
            asked.messages = messages.len() as u64;
            asked.messages -= self.live.commit(&Batch { at: now, messages, ..Batch::default() }).await?.folded;
        }
        Ok(asked)
    }
}

/// A case of its row. One that cannot be read holds up no other.
fn seen(row: &CaseRow) -> Option<Seen> {
    match Case::of(row) {
        Ok(case) => Some(Seen { case, version: row.version, at: row.at }),
        Err(error) => {
            tracing::error!(target: "mianshen::push", case = row.id, %error, "the case cannot be read: nobody is told of it");
            None
        }
    }
}

/// The day of a moment, in microseconds since 1970 (UTC), where the time is so many seconds ahead of UTC.
#[must_use]
pub fn day_of(at: i64, offset: i32) -> NaiveDate {
    let local = at.saturating_add(i64::from(offset) * 1_000_000);
    DateTime::from_timestamp_micros(local).map_or_else(NaiveDate::default, |time| time.date_naive())
}

#[cfg(test)]
mod tests;
