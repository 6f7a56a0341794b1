//! How each register stands on the day: there, absent, stale, and until when it stays fresh.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use serde::{Serialize, Serializer};

use crate::diagnostic::Message;
use crate::dossier::build::base_register;
use crate::register::declaration::{RegisterDeclaration, Registers, SubjectKind};
use crate::register::sources::Sources;

/// How a register stands on the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Freshness {
    /// It came, and is as new as it promises.
    Fresh,
    /// It came, and is older than it promises: its facts are unknown.
    Stale,
    /// It did not come: its facts are unknown.
    Absent,
}

impl Freshness {
    /// In words.
    #[must_use]
    pub fn label(self) -> Message {
        match self {
            Self::Fresh => Message::new("在期", "fresh"),
            Self::Stale => Message::new("过期", "stale"),
            Self::Absent => Message::new("缺席", "absent"),
        }
    }
}

/// One register, with how it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RegisterState {
    /// Name.
    pub register: String,
    /// For people.
    pub label: Message,
    /// Who answers for it.
    pub kept_by: String,
    /// How it stands.
    pub freshness: Freshness,
    /// The day that its delivery speaks for; none where it did not come.
    #[serde(serialize_with = "day_text")]
    pub data_day: Option<NaiveDate>,
    /// How many days old that is on the day that freshness is asked for; below 0 for one that speaks for a later day.
    pub age_days: Option<i64>,
    /// How many days old it may be; none: nothing is promised, and it never is stale.
    pub fresh_within_days: Option<i64>,
    /// The last day on which this delivery counts; none where it did not come or nothing is promised.
    #[serde(serialize_with = "day_text")]
    pub fresh_until: Option<NaiveDate>,
    /// The kinds of subject that it lists: without it nobody of that kind is judged.
    pub lists: Vec<SubjectKind>,
}

impl RegisterState {
    /// How a register stands. `absent` are those that did not come.
    #[must_use]
    pub fn of(declaration: &RegisterDeclaration, sources: &Sources, absent: &BTreeSet<String>, as_of: NaiveDate) -> Self {
        let name = &declaration.name;
        let data_day = sources.get(name).filter(|_| !absent.contains(name)).map(|source| source.data_day);
        let on = sources.fresh_on.unwrap_or(as_of);
        let freshness = match data_day {
            None => Freshness::Absent,
            Some(day) if declaration.is_fresh(day, on) => Freshness::Fresh,
            Some(_) => Freshness::Stale,
        };
        let promised = declaration.fresh_within_days.and_then(|days| u64::try_from(days).ok());
        Self {
            register: name.clone(),
            label: declaration.label.clone(),
            kept_by: declaration.kept_by.clone(),
            freshness,
            data_day,
            age_days: data_day.map(|day| on.signed_duration_since(day).num_days()),
            fresh_within_days: declaration.fresh_within_days,
            fresh_until: data_day.zip(promised).and_then(|(day, days)| day.checked_add_days(Days::new(days))),
            lists: SubjectKind::ALL.into_iter().filter(|kind| base_register(*kind) == name).collect(),
        }
    }

    /// Whether it would be stale were this delivery so many days older.
    #[must_use]
    pub fn is_stale_when_late(&self, days: u32) -> bool {
        let age = self.age_days.map(|age| age.saturating_add(i64::from(days)));
        matches!((age, self.fresh_within_days), (Some(age), Some(within)) if age > within)
    }
}

/// A day as it is written in files.
#[expect(clippy::ref_option, reason = "the form that serde asks for")]
fn day_text<S: Serializer>(day: &Option<NaiveDate>, serializer: S) -> Result<S::Ok, S::Error> {
    day.map(|day| day.to_string()).serialize(serializer)
}

/// All declared registers, by name.
#[must_use]
pub fn states(registers: &Registers, sources: &Sources, absent: &BTreeSet<String>, as_of: NaiveDate) -> BTreeMap<String, RegisterState> {
    registers.registers.iter().map(|(name, declaration)| (name.clone(), RegisterState::of(declaration, sources, absent, as_of))).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::register::sources::{RegisterSource, SourceFormat};

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    /// The register `papers`, which promises 40 days, with a delivery of 2026-06-01.
    fn on(as_of: &str, absent: &[&str]) -> RegisterState {
        let declaration = RegisterDeclaration {
            name: "papers".to_owned(),
            place: crate::diagnostic::Span::new(&crate::diagnostic::SourceFile::new("papers.yaml", ""), 0..0),
            label: Message::new("证照", "Papers"),
            kept_by: "证照局".to_owned(),
            subject: Some(SubjectKind::Person),
            key: "person_id".to_owned(),
            row_is: "one paper".to_owned(),
            time: crate::register::declaration::RegisterTime::State,
            recorded_at: None,
            absence: crate::register::declaration::Absence::Complete,
            coverage_regions: Vec::new(),
            coverage_from: None,
            fresh_within_days: Some(40),
            may_be_empty: false,
            unique: Vec::new(),
            columns: Vec::new(),
            facts: Vec::new(),
        };
        let mut sources = Sources::default();
        let source = RegisterSource::new("papers", Path::new("papers.parquet"), SourceFormat::Parquet, day("2026-06-01"));
        sources.sources.insert("papers".to_owned(), source);
        RegisterState::of(&declaration, &sources, &absent.iter().map(|name| (*name).to_owned()).collect(), day(as_of))
    }

    #[test]
    fn fresh_on_the_last_day_of_the_promise_and_stale_on_the_next() {
        let last = on("2026-07-11", &[]);
        assert_eq!((last.freshness, last.age_days, last.fresh_until), (Freshness::Fresh, Some(40), Some(day("2026-07-11"))));
        assert_eq!(on("2026-07-12", &[]).freshness, Freshness::Stale);
        assert_eq!(on("2026-06-01", &["papers"]).freshness, Freshness::Absent);
        assert_eq!(on("2026-06-01", &["papers"]).fresh_until, None);
    }

    #[test]
    fn late_by_more_than_what_is_left_of_the_promise() {
        let state = on("2026-06-11", &[]);
        assert!(!state.is_stale_when_late(30) && state.is_stale_when_late(31));
        assert!(!on("2026-06-11", &["papers"]).is_stale_when_late(1000), "one that did not come is not late");
    }
}
