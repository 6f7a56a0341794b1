//! The mode of delivery that a policy can have today: the one rule, told nowhere else.
//!
//! ```text
//! not in force ──────────────────────────────────────────────────────────────────────────▶ none
//! the law leaves something open (a rule, a clause, a document, a standard) ──────────────▶ review
//! every register there, and of almost all who may be owed it everything is known ────────▶ automatic
//! every register there, and of most ─────────────────────────────────────────────────────▶ confirm
//! with what the subjects may commit to, of most ─────────────────────────────────────────▶ commit
//! else ──────────────────────────────────────────────────────────────────────────────────▶ review
//! ```

use crate::policy::document::Mode;

/// So few can be looked into one by one, where no fewer are settled.
pub const FEW: u64 = 5;
/// Almost nobody: at most one in so many.
pub const ALMOST_NOBODY: u64 = 100;
/// Most: all but one in so many.
pub const MOST: u64 = 5;

/// What the mode hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grounds {
    /// Whether the policy is the law of the day.
    pub in_force: bool,
    /// Whether the law leaves nothing open: every reason that no register would mend is gone.
    pub law: bool,
    /// Whether every register that the policy reads is there, fresh, and covers it.
    pub registers: bool,
    /// Subjects who may be owed it: found, or unknown.
    pub may_be_owed: u64,
    /// Those of them of whom something is not known: the verdict, the amount, or who receives it.
    pub open: u64,
    /// Those of them whose verdict the subject's word would settle, by the policy's `commit`.
    pub committable: u64,
}

impl Grounds {
    /// The mode; none where nothing can be delivered on the day.
    #[must_use]
    pub fn mode(&self) -> Option<Mode> {
        if !self.in_force {
            return None;
        }
        if !self.law {
            return Some(Mode::Review);
        }
        let still_open = self.open.saturating_sub(self.committable);
        Some(if self.registers && is_almost_nobody(self.open, self.may_be_owed) {
            Mode::Automatic
        } else if self.registers && is_minority(self.open, self.may_be_owed) {
            Mode::Confirm
        } else if self.committable > 0 && is_minority(still_open, self.may_be_owed) {
            Mode::Commit
        } else {
            Mode::Review
        })
    }
}

/// Whether so many of all are few, or at most one in a hundred.
#[must_use]
pub fn is_almost_nobody(some: u64, all: u64) -> bool {
    is_few(some, all) || some.saturating_mul(ALMOST_NOBODY) <= all
}

/// Whether so many of all are few, or at most one in five.
#[must_use]
pub fn is_minority(some: u64, all: u64) -> bool {
    is_few(some, all) || some.saturating_mul(MOST) <= all
}

/// Whether they are few, and no more than the rest.
fn is_few(some: u64, all: u64) -> bool {
    some <= FEW && some.saturating_mul(2) <= all
}

#[cfg(test)]
mod tests {
    //! Each branch of the rule, and both sides of its bounds.

    use super::*;

    /// In force, everything settled, a thousand found and nobody open.
    const SETTLED: Grounds = Grounds { in_force: true, law: true, registers: true, may_be_owed: 1000, open: 0, committable: 0 };

    #[track_caller]
    fn check(grounds: Grounds, expect: Option<Mode>) {
        assert_eq!(grounds.mode(), expect, "{grounds:?}");
    }

    #[test]
    fn what_is_not_in_force_has_none() {
        check(Grounds { in_force: false, ..SETTLED }, None);
        check(Grounds { in_force: false, law: false, ..SETTLED }, None);
    }

    #[test]
    fn where_the_law_is_open_an_official_decides() {
        check(Grounds { law: false, ..SETTLED }, Some(Mode::Review));
        check(Grounds { law: false, open: 300, committable: 300, ..SETTLED }, Some(Mode::Review));
    }

    #[test]
    fn automatic_where_almost_nobody_is_open() {
        check(SETTLED, Some(Mode::Automatic));
        check(Grounds { open: 10, ..SETTLED }, Some(Mode::Automatic));
        check(Grounds { open: 11, ..SETTLED }, Some(Mode::Confirm));
        check(Grounds { may_be_owed: 0, ..SETTLED }, Some(Mode::Automatic));
    }

    #[test]
    fn few_are_looked_into_one_by_one_where_no_fewer_are_settled() {
        check(Grounds { open: 5, may_be_owed: 10, ..SETTLED }, Some(Mode::Automatic));
        check(Grounds { open: 5, may_be_owed: 9, ..SETTLED }, Some(Mode::Review));
        check(Grounds { open: 1, may_be_owed: 2, ..SETTLED }, Some(Mode::Automatic));
        check(Grounds { open: 1, may_be_owed: 1, ..SETTLED }, Some(Mode::Review));
    }

    #[test]
    fn confirm_where_most_are_known() {
        check(Grounds { open: 200, ..SETTLED }, Some(Mode::Confirm));
        check(Grounds { open: 201, ..SETTLED }, Some(Mode::Review));
        check(Grounds { open: 6, may_be_owed: 30, ..SETTLED }, Some(Mode::Confirm));
        check(Grounds { open: 6, may_be_owed: 29, ..SETTLED }, Some(Mode::Review));
    }

    #[test]
    fn commit_where_the_subjects_word_settles_most() {
        check(Grounds { open: 500, committable: 300, ..SETTLED }, Some(Mode::Commit));
        check(Grounds { open: 501, committable: 300, ..SETTLED }, Some(Mode::Review));
        // A lighter mode comes first.
        check(Grounds { open: 200, committable: 200, ..SETTLED }, Some(Mode::Confirm));
    }

    #[test]
    fn without_a_register_only_the_subjects_word_helps() {
        check(Grounds { registers: false, ..SETTLED }, Some(Mode::Review));
        check(Grounds { registers: false, open: 900, committable: 800, ..SETTLED }, Some(Mode::Commit));
        check(Grounds { registers: false, open: 900, committable: 0, ..SETTLED }, Some(Mode::Review));
    }
}
