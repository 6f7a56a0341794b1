//! A live store in memory with cases and messages alone, whose commits can be made to fail before or after they are done.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::NaiveDate;

use crate::register::declaration::SubjectKind;
use crate::store::StoreError;
use crate::store::live::{
    Batch, CaseCount, CaseEvent, CaseFilter, CaseRow, Committed, Fence, Live, LiveFill, LiveState, Mention, MessageCount, MessageRow,
    MessageState, Position, RowsOf, Standing, Timer, TimerKey,
};
use crate::store::trail::{Head, Seq};

#[derive(Debug, Default)]
pub(crate) struct Memory {
    inside: Mutex<Inside>,
    /// So many commits fail without being done.
    pub(crate) fail: AtomicU32,
    /// So many commits are done, and fail all the same: as if the answer was lost.
    pub(crate) lose: AtomicU32,
    /// What another commits before messages are asked for the next time.
    pub(crate) meanwhile: Mutex<Option<Batch>>,
}

#[derive(Debug, Default)]
struct Inside {
    cases: BTreeMap<String, CaseRow>,
    /// Chained in order only: nobody here looks at hashes.
    events: Vec<CaseEvent>,
    messages: Vec<MessageRow>,
}

impl Memory {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn messages(&self) -> Vec<MessageRow> {
        self.inside().messages.clone()
    }
}

fn one_of(count: &AtomicU32) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn none<T>() -> Result<T, StoreError> {
    Err(StoreError::Failed("this store has cases and messages alone".to_owned()))
}

#[async_trait]
impl Live for Memory {
    async fn commit(&self, batch: &Batch) -> Result<Committed, StoreError> {
        if one_of(&self.fail) {
            return Err(StoreError::Failed("made to fail".to_owned()));
        }
        let mut inside = self.inside();
        for step in &batch.cases {
            if inside.cases.get(&step.row.id).map_or(0, |row| row.version) != step.expect {
                return Err(StoreError::Raced(step.row.id.clone()));
            }
        }
        let mut committed = Committed::default();
        for step in &batch.cases {
            for (content, version) in step.events.iter().zip(step.expect + 1..) {
                let seq = inside.events.len() as Seq + 1;
                let (case, content) = (step.row.id.clone(), Some(([0; 16], content.clone())));
                inside.events.push(CaseEvent { seq, case, version, at: batch.at, digest: [0; 32], hash: [0; 32], content });
            }
            let version = step.expect + step.events.len() as u64;
            inside.cases.insert(step.row.id.clone(), CaseRow { version, at: batch.at, ..step.row.clone() });
        }
        for message in &batch.messages {
            if inside.messages.iter().any(|row| row.message.id == message.id) {
                committed.folded += 1;
                continue;
            }
            let number = inside.messages.len() as u64 + 1;
            let (at, state) = (batch.at, MessageState::Waiting);
            inside.messages.push(MessageRow { number, message: message.clone(), at, state, tries: 0, told: String::new(), changed_at: at });
        }
        for step in &batch.deliveries {
            let row = inside.messages.iter_mut().find(|row| row.message.id == step.id).ok_or(StoreError::Missing)?;
            (row.state, row.tries, row.told, row.changed_at) = (step.state, step.tries, step.told.clone(), batch.at);
            row.message.not_before = step.not_before;
        }
        if one_of(&self.lose) { Err(StoreError::Failed("the answer was lost".to_owned())) } else { Ok(committed) }
    }

    async fn outbox(&self, channel: &str, now: i64, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        for row in self.inside().messages.iter().filter(|row| row.message.channel == channel && row.state == MessageState::Waiting) {
            if seen.insert((row.message.kind, row.message.subject.clone())) && row.message.not_before <= now && found.len() < limit {
                found.push(row.clone());
            }
        }
        Ok(found)
    }

    async fn message(&self, id: &str) -> Result<Option<MessageRow>, StoreError> {
        Ok(self.inside().messages.iter().find(|row| row.message.id == id).cloned())
    }

    async fn messages_of(&self, case: &str) -> Result<Vec<MessageRow>, StoreError> {
        let meanwhile = self.meanwhile.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(batch) = meanwhile {
            self.commit(&batch).await?;
        }
        Ok(self.inside().messages.iter().filter(|row| row.message.cases.iter().any(|id| id == case)).cloned().collect())
    }

    async fn messages_in(&self, state: MessageState, after: Option<u64>, limit: usize) -> Result<Vec<MessageRow>, StoreError> {
        let after = after.unwrap_or(0);
        Ok(self.inside().messages.iter().filter(|row| row.state == state && row.number > after).take(limit).cloned().collect())
    }

    async fn case(&self, id: &str) -> Result<Option<CaseRow>, StoreError> {
        Ok(self.inside().cases.get(id).cloned())
    }

    async fn cases_named(&self, ids: &[&str]) -> Result<Vec<CaseRow>, StoreError> {
        Ok(self.inside().cases.values().filter(|row| ids.contains(&row.id.as_str())).cloned().collect())
    }

    async fn message_counts(&self) -> Result<Vec<MessageCount>, StoreError> {
        none()
    }

    async fn lease(&self, _: &str, _: i64, _: i64) -> Result<Fence, StoreError> {
        none()
    }

    async fn leased(&self) -> Result<Option<Fence>, StoreError> {
        none()
    }

    async fn release(&self, _: &Fence) -> Result<(), StoreError> {
        none()
    }

    async fn generation(&self) -> Result<Option<i64>, StoreError> {
        none()
    }

    async fn state(&self) -> Result<Option<LiveState>, StoreError> {
        none()
    }

    async fn positions(&self) -> Result<Vec<Position>, StoreError> {
        none()
    }

    async fn rows(&self, _: &[&str]) -> Result<Vec<RowsOf>, StoreError> {
        none()
    }

    async fn rows_after(&self, _: Option<(&str, &str)>, _: usize) -> Result<Vec<RowsOf>, StoreError> {
        none()
    }

    async fn rows_in(&self, _: &[&str], _: &[&str]) -> Result<Vec<RowsOf>, StoreError> {
        none()
    }

    async fn mentions(&self, _: &str, _: &[&str]) -> Result<Vec<Mention>, StoreError> {
        none()
    }

    async fn linked(&self) -> Result<Vec<Mention>, StoreError> {
        none()
    }

    async fn standing(&self, _: SubjectKind, _: &[&str]) -> Result<Vec<Standing>, StoreError> {
        none()
    }

    async fn stands(&self, _: SubjectKind, _: &str) -> Result<Option<(LiveState, Option<Standing>)>, StoreError> {
        none()
    }

    async fn standing_after(&self, _: SubjectKind, _: Option<&str>, _: usize) -> Result<Vec<Standing>, StoreError> {
        none()
    }

    async fn due(&self, _: NaiveDate, _: Option<&TimerKey>, _: usize) -> Result<Vec<Timer>, StoreError> {
        none()
    }

    async fn due_counts(&self, _: NaiveDate) -> Result<Vec<(NaiveDate, u64)>, StoreError> {
        none()
    }

    async fn fill(&self) -> Result<Box<dyn LiveFill>, StoreError> {
        none()
    }

    async fn cases_about(&self, subjects: &[&str]) -> Result<Vec<CaseRow>, StoreError> {
        Ok(self.inside().cases.values().filter(|row| subjects.contains(&row.subject.as_str())).cloned().collect())
    }

    /// By what falls due first alone.
    async fn cases(&self, filter: &CaseFilter) -> Result<Vec<CaseRow>, StoreError> {
        let place = |due: Option<NaiveDate>, id: &str| (due.is_none(), due, id.to_owned());
        let after = filter.after.as_ref().map(|after| place(after.due, &after.id));
        let is_due = |row: &CaseRow| filter.due_until.is_none_or(|until| row.due.is_some_and(|due| due <= until));
        let passes = |row: &CaseRow| is_due(row) && (filter.steps.is_empty() || filter.steps.contains(&row.step));
        let mut rows: Vec<CaseRow> = self.inside().cases.values().filter(|row| passes(row)).cloned().collect();
        rows.retain(|row| after.as_ref().is_none_or(|after| place(row.due, &row.id) > *after));
        rows.sort_by_key(|row| place(row.due, &row.id));
        rows.truncate(filter.limit);
        Ok(rows)
    }

    async fn case_counts(&self, _: Option<&str>) -> Result<Vec<CaseCount>, StoreError> {
        none()
    }

    async fn case_events(&self, case: &str) -> Result<Vec<CaseEvent>, StoreError> {
        Ok(self.inside().events.iter().filter(|event| event.case == case).cloned().collect())
    }

    async fn events_from(&self, from: Seq, limit: usize) -> Result<Vec<CaseEvent>, StoreError> {
        Ok(self.inside().events.iter().filter(|event| event.seq >= from).take(limit).cloned().collect())
    }

    async fn events_head(&self) -> Result<Option<Head>, StoreError> {
        none()
    }

    async fn erase_case(&self, _: &CaseRow) -> Result<u64, StoreError> {
        none()
    }
}
