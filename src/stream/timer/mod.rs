//! Days alone change verdicts: the next day on which a subject's verdicts, grants or amounts may be others, though no row changes.
//!
//! ```text
//! policies (open to the day) ── plan ──▶ Timers ────────┐
//! rows ─▶ Tables ─┬─▶ Ground (of a part of the subjects) ─┴─ reckon ──▶ next day, and which policies
//! dossiers ───────┘
//! law, periods, freshness of registers ── calendar ──▶ days that concern everybody
//! ```
//!
//! Nothing is tried day by day: from the day in a row (a birthday, a spell's end, a certificate) and the expressions that it goes
//! through follows the day on which they come out otherwise. It is never later than the first real change; it may be earlier.
//! What is found holds as long as rows, parameters and policies stay: the days of the [`calendar`] come on top.

pub mod calendar;
mod forecast;
mod ground;
mod part;
mod plan;
mod reckon;
#[cfg(test)]
mod tests;

use chrono::NaiveDate;

pub(in crate::stream) use ground::some_columns;
pub use ground::{Ground, Tables};
pub use part::reckon;
pub use plan::Timers;
pub use reckon::Reckoning;

/// Registers that say what subjects have been given and what they refused, whatever policies read.
const ALWAYS_READ: [&str; 3] = ["grants_paid", "refusals", "identity_links"];

/// Policies whose day is so many days behind the next one are not told with it: until then it is asked again.
const TOLD_TOGETHER: i64 = 40;

/// When a subject's verdicts may be others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// The first day.
    pub day: NaiveDate,
    /// The policies with their days, by day and code: those of the first day, and of the weeks behind it. None where the subject
    /// is not one yet: a row that lists it begins on that day.
    pub policies: Vec<(NaiveDate, String)>,
}

impl Next {
    /// As it is kept in a store: a line `day code` for each policy.
    #[must_use]
    pub fn to_body(&self) -> Vec<u8> {
        self.policies.iter().map(|(day, code)| format!("{day} {code}\n")).collect::<String>().into_bytes()
    }

    /// The policies with their days, as [`Self::to_body`] has written them; lines that are none are left out.
    #[must_use]
    pub fn policies_of(body: &[u8]) -> Vec<(NaiveDate, String)> {
        let text = String::from_utf8_lossy(body);
        text.lines().filter_map(|line| line.split_once(' ').and_then(|(day, code)| Some((day.parse().ok()?, code.to_owned())))).collect()
    }
}
