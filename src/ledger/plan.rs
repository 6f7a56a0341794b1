//! Which steps a case has, and in which order: it follows from how the policy delivers, and is fixed when the case begins.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::policy::document::{Delivery, Mode, NoReply};

/// Which steps a case has. Days are calendar days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// How many officials review it: 0, 1, or 2 where the department confirms what one reviewed.
    pub reviews: u8,
    /// Days on the published list; 0: it is not published.
    pub notice_days: u32,
    /// Whether the subject is told; not where it wants no messages.
    pub tell: bool,
    /// Whether the subject confirms.
    pub confirm: bool,
    /// Days to reply, from the day of being told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_days: Option<u32>,
    /// What becomes of it without a reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_reply: Option<NoReply>,
    /// Days until payment, from the day of being found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_days: Option<u32>,
}

impl Plan {
    /// The plan of a grant that is delivered in a mode, by the rules of its policy.
    #[must_use]
    pub fn of(mode: Mode, delivery: &Delivery, notify: bool) -> Self {
        let days = |days: Option<i64>| days.and_then(|days| u32::try_from(days).ok());
        let reviews = match mode {
            Mode::Review => 1 + u8::from(delivery.second_review),
            Mode::Automatic | Mode::Confirm | Mode::Commit => 0,
        };
        // A grant that is turned to review keeps the confirmation that its policy asks for.
        let confirm = matches!(mode, Mode::Confirm | Mode::Commit) || matches!(delivery.mode, Mode::Confirm | Mode::Commit);
        Self {
            reviews,
            notice_days: days(delivery.notice_days).unwrap_or(0),
            tell: notify,
            confirm,
            reply_days: days(delivery.reply_within_days),
            no_reply: delivery.no_reply,
            pay_days: days(delivery.pay_within_days),
        }
    }
}

/// What a case waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A review.
    Review,
    /// To be put on the list.
    Publish,
    /// The notice to be over.
    Notice,
    /// The subject to be told.
    Tell,
    /// The subject to reply.
    Reply,
    /// Payment.
    Pay,
    /// To be closed.
    Close,
    /// Nothing.
    Nothing,
}

/// A day some days after another; the last day that there is where there is no such day.
pub(super) fn after(day: NaiveDate, days: u32) -> NaiveDate {
    day.checked_add_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MAX)
}
