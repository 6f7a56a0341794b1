//! What became of a message, as an event of the case that it was about.

use super::worker::Done;
use crate::store::live::{CaseRow, CaseStep};

/// The step of a case whose messages arrived or were given up; none where the case has nothing to note.
pub(super) fn step(_case: &CaseRow, _about: &[&Done]) -> Option<CaseStep> {
    None
}
