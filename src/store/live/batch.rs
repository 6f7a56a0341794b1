//! What is seen to of a batch before any database is asked: what is whole in itself, and each thing once.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Batch, DeliveryStep, Mention, MessageState, RowsOf, Standing, TimerStep};
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;

/// What stands in the place of the day of a case that has none: after every day.
pub(in crate::store) const NO_DAY: &str = "none";

/// The number that stands for a kind; ascending in the order of kinds.
pub(in crate::store) fn kind_number(kind: SubjectKind) -> i16 {
    match kind {
        SubjectKind::Person => 0,
        SubjectKind::Household => 1,
        SubjectKind::Entity => 2,
    }
}

/// The kind of a number.
pub(in crate::store) fn kind_of(number: i64) -> Result<SubjectKind, StoreError> {
    let kind = usize::try_from(number).ok().and_then(|at| SubjectKind::ALL.get(at).copied());
    kind.ok_or_else(|| StoreError::Damaged(format!("no kind of subject: {number}")))
}

/// The number that stands for a state; ascending in the order of states.
pub(in crate::store) fn state_number(state: MessageState) -> i16 {
    match state {
        MessageState::Waiting => 0,
        MessageState::Sent => 1,
        MessageState::Dead => 2,
        MessageState::Dropped => 3,
    }
}

/// The state of a number.
pub(in crate::store) fn state_of(number: i64) -> Result<MessageState, StoreError> {
    let state = usize::try_from(number).ok().and_then(|at| MessageState::ALL.get(at).copied());
    state.ok_or_else(|| StoreError::Damaged(format!("no state of a message: {number}")))
}

/// A day as it was written.
pub(in crate::store) fn day_of(text: &str) -> Result<chrono::NaiveDate, StoreError> {
    text.parse().map_err(|_| StoreError::Damaged(format!("no day: {text}")))
}

/// The first text behind all that begin with this one.
pub(in crate::store) fn behind(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

impl Batch {
    /// Whether anything of a generation is written.
    #[must_use]
    pub fn changes_generation(&self) -> bool {
        !(self.positions.is_empty()
            && self.rows.is_empty()
            && self.mentioned.is_empty()
            && self.unmentioned.is_empty()
            && self.standing.is_empty()
            && self.timers.is_empty()
            && self.touched.is_empty()
            && self.state.is_none())
    }

    /// Whether cases, events or messages are written: the part that is done one batch after the other.
    pub(in crate::store) fn changes_cases(&self) -> bool {
        !(self.cases.is_empty() && self.messages.is_empty() && self.deliveries.is_empty())
    }

    /// Refuses what no database need be asked about.
    pub(in crate::store) fn check(&self) -> Result<(), StoreError> {
        if self.changes_generation() && self.fence.is_none() {
            return Err(StoreError::Fenced("the batch shows no lease".to_owned()));
        }
        let mut seen = HashSet::new();
        for step in &self.cases {
            if step.events.is_empty() {
                return Err(StoreError::Failed(format!("a step without an event: case {}", step.row.id)));
            }
            if !seen.insert(&step.row.id) {
                return Err(StoreError::Raced(step.row.id.clone()));
            }
        }
        let mut seen = HashSet::new();
        match self.positions.iter().find(|step| !seen.insert((&step.source, step.partition))) {
            Some(twice) => Err(StoreError::Fenced(format!("{} {} stands twice in a batch", twice.source, twice.partition))),
            None => Ok(()),
        }
    }

    /// The last word about each register's rows under an identifier.
    pub(in crate::store) fn rows_once(&self) -> Vec<&RowsOf> {
        let last: BTreeMap<_, _> = self.rows.iter().map(|rows| ((&rows.id, &rows.register), rows)).collect();
        last.into_values().collect()
    }

    /// The last word about what stands of each subject.
    pub(in crate::store) fn standing_once(&self) -> Vec<&Standing> {
        let last: BTreeMap<_, _> = self.standing.iter().map(|standing| ((standing.kind, &standing.id), standing)).collect();
        last.into_values().collect()
    }

    /// The last word about each subject's timer.
    pub(in crate::store) fn timers_once(&self) -> Vec<&TimerStep> {
        let last: BTreeMap<_, _> = self.timers.iter().map(|timer| ((timer.kind, &timer.id), timer)).collect();
        last.into_values().collect()
    }

    /// The mentions that are there afterwards, and those that are not; one that is in both is there.
    pub(in crate::store) fn mentions_once(&self) -> (Vec<&Mention>, Vec<&Mention>) {
        let gone = self.unmentioned.iter().map(|mention| (mention, false));
        let last: BTreeMap<_, _> = gone.chain(self.mentioned.iter().map(|mention| (mention, true))).collect();
        let there: Vec<_> = last.iter().filter(|(_, is_there)| **is_there).map(|(mention, _)| *mention).collect();
        let gone: Vec<_> = last.iter().filter(|(_, is_there)| !**is_there).map(|(mention, _)| *mention).collect();
        (there, gone)
    }

    /// The last word about each message's delivery.
    pub(in crate::store) fn deliveries_once(&self) -> Vec<&DeliveryStep> {
        let last: BTreeMap<_, _> = self.deliveries.iter().map(|delivery| (&delivery.id, delivery)).collect();
        last.into_values().collect()
    }

    /// Refuses a generation that the batch is not about.
    pub(in crate::store) fn check_generation(&self, current: i64) -> Result<(), StoreError> {
        match self.generation {
            Some(generation) if generation != current => Err(StoreError::Fenced(format!("generation {current} ≠ {generation}"))),
            _ => Ok(()),
        }
    }

    /// Refuses positions that sources are not at. `now` gives where each source was read to.
    pub(in crate::store) fn check_positions(&self, now: &HashMap<(String, i32), i64>) -> Result<(), StoreError> {
        for step in &self.positions {
            let is_at = now.get(&(step.source.clone(), step.partition)).copied();
            if is_at != step.from {
                let word = |at: Option<i64>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
                let place = format!("{} {}: {} ≠ {}", step.source, step.partition, word(is_at), word(step.from));
                return Err(StoreError::Fenced(place));
            }
        }
        Ok(())
    }
}
