//! What happened to a case, event by event, as far as its subject is to hear of it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::{Telling, is_void, note, read, waits};
use crate::ledger::{Case, Event, Next, Step, What, Why, amount_of};
use crate::push::message::{self, Kind, Message};
use crate::store::StoreError;
use crate::store::live::{CaseEvent, MessageRow, MessageState};

/// What happened to a case.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The last event of each kind that the subject is to hear of by itself, and how many there were.
    last: BTreeMap<Kind, (u32, Event)>,
    /// How often the subject was told.
    pub(super) told: u32,
    /// The amount that the subject heard last; none where it heard of none, or has heard nothing.
    heard: Option<Heard>,
    /// The last correction.
    corrected: Option<Event>,
    /// Cases that give what is owed beside it.
    pub(super) beside: BTreeSet<String>,
}

/// An amount as it was heard; none: that there is one was not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Heard(Option<i64>);

/// What an event gives its subject to hear by itself. That a case waits for being told is no event's, but the case's.
fn occasion(before: &Case, after: &Case, what: &What, day: NaiveDate) -> Option<Kind> {
    if waits(after, day) && !waits(before, day) {
        return None;
    }
    match what {
        What::Published => Some(Kind::Published),
        What::Paid { .. } => Some(Kind::Paid),
        What::Reviewed if before.open.contains_key(&Why::Objection) => Some(Kind::ObjectionResult),
        What::Reviewed if after.reviewed && !before.reviewed => Some(Kind::ReviewResult),
        What::Withdrawn => Some(Kind::ReviewResult),
        _ => None,
    }
}

impl History {
    /// Of the events of a case, oldest first, with its messages; none where an event was erased.
    ///
    /// # Errors
    ///
    /// When an event cannot be read.
    pub(super) fn of(events: &[CaseEvent], messages: &[MessageRow]) -> Result<Option<Self>, StoreError> {
        let (mut history, mut case) = (Self::default(), None::<Case>);
        for event in events {
            let Some((_, content)) = &event.content else { return Ok(None) };
            let read = Event::read(content)?;
            let Some(before) = case else {
                case = Case::begin(&event.case, &read);
                if case.is_none() {
                    return Ok(None);
                }
                continue;
            };
            let mut after = before.clone();
            after.apply(&read);
            history.note(&before, &after, read, messages);
            case = Some(after);
        }
        Ok(case.map(|_| history))
    }

    fn note(&mut self, before: &Case, after: &Case, event: Event, messages: &[MessageRow]) {
        match &event.what {
            What::Told { message, .. } => {
                let counts = before.told_on.is_none() && after.told_on.is_some();
                self.told += u32::from(counts);
                if message.is_empty() && counts {
                    self.heard = Some(Heard(after.amount));
                } else {
                    self.hear(&after.id, message, messages);
                }
            }
            What::Sent { message, .. } => self.hear(&after.id, message, messages),
            What::Reckoned { case: Some(case), .. } => {
                self.beside.insert(case.clone());
            }
            What::Corrected { .. } => self.corrected = Some(event.clone()),
            _ => {}
        }
        if let Some(kind) = occasion(before, after, &event.what, event.day) {
            let number = self.last.get(&kind).map_or(0, |(number, _)| *number) + 1;
            self.last.insert(kind, (number, event));
        }
    }

    /// What a message that arrived said of the amount.
    fn hear(&mut self, case: &str, id: &str, messages: &[MessageRow]) {
        let message = messages.iter().find(|row| row.message.id == id).and_then(read);
        if let Some(item) = message.and_then(|message| message.items.into_iter().find(|item| item.case == case)) {
            self.heard = Some(Heard(item.amount.as_deref().and_then(amount_of)));
        }
    }

    /// What the subject is to hear of a case as it is now, and was not told yet; beside that it waits for being told.
    pub(super) fn to_tell(&self, case: &Case, messages: &[MessageRow], day: NaiveDate) -> Vec<Telling> {
        let asked: Vec<(Message, MessageState)> = messages.iter().filter_map(|row| Some((read(row)?, row.state))).collect();
        // Of a message whose words were erased with another case, the identifier is there still.
        let is_same =
            |row: &MessageRow, kind, number| row.message.id == message::id(kind, number, row.message.cases.iter().map(String::as_str));
        let is_asked = |kind: Kind, number: u32| {
            asked.iter().any(|(message, _)| message.kind == kind && message.number == number)
                || messages.iter().any(|row| is_same(row, kind, number))
        };
        let mut tellings = Vec::new();
        for (kind, (number, event)) in &self.last {
            if holds(*kind, &event.what, case, day) && !is_asked(*kind, *number) {
                tellings.push(Telling::new(case.clone(), *kind, *number, note(event), day));
            }
        }
        tellings.extend(self.correction(case, &asked, day));
        tellings
    }

    /// A correction is told to whom heard another amount; not where being told of the case tells the amount too, nor while a message is
    /// on its way: when it has arrived, it is looked at again.
    fn correction(&self, case: &Case, asked: &[(Message, MessageState)], day: NaiveDate) -> Option<Telling> {
        let (Heard(heard), event) = (self.heard?, self.corrected.as_ref()?);
        let is_over = case.step.is_over() || case.step == Step::Declined || case.paid_on.is_some();
        let on_its_way = asked.iter().any(|(_, state)| *state == MessageState::Waiting);
        let is_lost = case.open.contains_key(&Why::Lost);
        if heard == case.amount || is_over || is_lost || on_its_way || case.next(day) == Next::Tell {
            return None;
        }
        let corrections = || asked.iter().map(|(message, _)| message).filter(|message| message.kind == Kind::Corrected);
        // One that was given up is not asked for again.
        let item = corrections().next_back().and_then(|message| message.items.iter().find(|item| item.case == case.id));
        if item.is_some_and(|item| item.amount.as_deref().and_then(amount_of) == case.amount) {
            return None;
        }
        let number = u32::try_from(corrections().count()).unwrap_or(u32::MAX).saturating_add(1);
        Some(Telling::new(case.clone(), Kind::Corrected, number, note(event), day))
    }
}

/// Whether what an event gave to tell is still true of its case.
fn holds(kind: Kind, what: &What, case: &Case, day: NaiveDate) -> bool {
    if is_void(kind, case) {
        return false;
    }
    let is_on_its_way = !case.step.is_over() && case.step != Step::Declined;
    match (kind, what) {
        (Kind::Published, _) => case.published_on.is_some() && case.told_on.is_none() && case.paid_on.is_none(),
        (Kind::ReviewResult, What::Withdrawn) => case.step == Step::Withdrawn,
        (Kind::ReviewResult, _) => {
            is_on_its_way && case.reviewed && case.published_on.is_none() && !waits(case, day) && case.told_on.is_none()
        }
        (Kind::Paid, _) => case.paid_on.is_some(),
        _ => true,
    }
}
