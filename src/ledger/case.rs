//! A case as the fold of its events.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::event::{Actor, Event, Grant, Role, What};
use super::plan::{Next, Plan, after};
use super::written;

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Found, and nothing since.
    Found,
    /// Reviewed by all who must.
    Reviewed,
    /// On the list.
    Published,
    /// The subject was told.
    Told,
    /// The subject confirmed.
    Confirmed,
    /// The subject declined.
    Declined,
    /// Sent back to be looked at again.
    Returned,
    /// Paid, or otherwise received.
    Paid,
    /// Rated by the subject.
    Rated,
    /// Taken back before it was paid.
    Withdrawn,
    /// Over.
    Closed,
}

impl Step {
    /// All, in order.
    pub const ALL: [Self; 11] = [
        Self::Found,
        Self::Reviewed,
        Self::Published,
        Self::Told,
        Self::Confirmed,
        Self::Declined,
        Self::Returned,
        Self::Paid,
        Self::Rated,
        Self::Withdrawn,
        Self::Closed,
    ];

    /// The word in files and addresses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Reviewed => "reviewed",
            Self::Published => "published",
            Self::Told => "told",
            Self::Confirmed => "confirmed",
            Self::Declined => "declined",
            Self::Returned => "returned",
            Self::Paid => "paid",
            Self::Rated => "rated",
            Self::Withdrawn => "withdrawn",
            Self::Closed => "closed",
        }
    }

    /// The step that a word names.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.name() == word)
    }

    /// Whether nothing more is done on the way to the subject.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, Self::Withdrawn | Self::Closed)
    }
}

/// Why an official must look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The policy says so.
    Policy,
    /// It was sent back.
    Returned,
    /// Somebody objects.
    Objection,
    /// The subject did not reply.
    NoReply,
    /// The grant is no longer found.
    Lost,
    /// Recomputed, the grant comes to less.
    Less,
}

impl Why {
    /// Whether the case waits until the review is done. Losing a grant, or finding that it comes to less, stops nothing by itself.
    #[must_use]
    pub fn holds(self) -> bool {
        !matches!(self, Self::Lost | Self::Less)
    }
}

/// An open review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// Since when.
    #[serde(with = "written::day")]
    pub since: NaiveDate,
    /// What it is about in money, where it is.
    #[serde(default, with = "written")]
    pub amount: Option<i64>,
    /// What the grant came to before it came to less.
    #[serde(default, with = "written", skip_serializing_if = "Option::is_none")]
    pub was: Option<i64>,
}

/// What stood before the program corrected the amount: what stands again when the amount is put back before anybody acted on the
/// other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// What was to be paid, in hundredths.
    #[serde(default, with = "written")]
    pub amount: Option<i64>,
    /// What the grant came to.
    #[serde(default, with = "written")]
    pub reckoned: Option<i64>,
    /// Where the case stood.
    pub step: Step,
    /// Since when it stood on the list.
    #[serde(default, with = "written::some_day")]
    pub published_on: Option<NaiveDate>,
    /// When the subject was told.
    #[serde(default, with = "written::some_day")]
    pub told_on: Option<NaiveDate>,
    /// When the subject confirmed.
    #[serde(default, with = "written::some_day")]
    pub confirmed_on: Option<NaiveDate>,
    /// The open review of what it comes to less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub less: Option<Review>,
}

/// That a grant comes to less, as an official has seen it and let it be: asked once, it is not asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// What the case gives, in hundredths.
    #[serde(with = "written")]
    pub whole: Option<i64>,
    /// What the grant came to, in hundredths.
    #[serde(with = "written")]
    pub reckoned: Option<i64>,
}

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Identifier.
    pub id: String,
    /// The grant as it was found.
    pub grant: Grant,
    /// Which steps it has.
    pub plan: Plan,
    /// The case that it makes up for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corrects: Option<String>,
    /// Where it stands.
    pub step: Step,
    /// When it was found.
    #[serde(with = "written::day")]
    pub found_on: NaiveDate,
    /// What is to be paid now, in hundredths; none for services.
    #[serde(default, with = "written")]
    pub amount: Option<i64>,
    /// Reviews that are open, by why.
    #[serde(default)]
    pub open: BTreeMap<Why, Review>,
    /// Who reviewed it, since it was found or sent back.
    #[serde(default)]
    pub reviewers: Vec<Actor>,
    /// Whether it was reviewed by all who must.
    #[serde(default)]
    pub reviewed: bool,
    /// Since when it stands on the list.
    #[serde(default, with = "written::some_day")]
    pub published_on: Option<NaiveDate>,
    /// When the subject was told.
    #[serde(default, with = "written::some_day")]
    pub told_on: Option<NaiveDate>,
    /// When the subject confirmed.
    #[serde(default, with = "written::some_day")]
    pub confirmed_on: Option<NaiveDate>,
    /// When it was paid.
    #[serde(default, with = "written::some_day")]
    pub paid_on: Option<NaiveDate>,
    /// What was paid.
    #[serde(default, with = "written")]
    pub paid: Option<i64>,
    /// How the subject rates it.
    #[serde(default)]
    pub stars: Option<u8>,
    /// When the subject was taken to have let the days to reply go by.
    #[serde(default, with = "written::some_day")]
    pub lapsed_on: Option<NaiveDate>,
    /// Since when the grant is no longer found.
    #[serde(default, with = "written::some_day")]
    pub lost_on: Option<NaiveDate>,
    /// What the grant came to when it was last recomputed.
    #[serde(default, with = "written")]
    pub reckoned: Option<i64>,
    /// What other cases give beside, in hundredths.
    #[serde(default)]
    pub beside: i64,
    /// What stood before the program corrected the amount; none once anybody acted on the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded: Option<Superseded>,
    /// The last that an official answered of a grant that comes to less; none where nobody did, or the case was sent back since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered: Option<Answered>,
    /// Objections that were made by a subject to a decision of a program alone.
    #[serde(default)]
    pub objected: bool,
    /// Requests that were answered, with what each was for.
    #[serde(default)]
    pub requests: BTreeMap<String, String>,
    /// Since when its content is erased.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "written::some_day")]
    pub erased_on: Option<NaiveDate>,
}

impl Case {
    /// The case that begins with an event; none for events that begin none.
    #[must_use]
    pub fn begin(id: &str, event: &Event) -> Option<Self> {
        let What::Found { grant, plan, corrects } = &event.what else { return None };
        let mut case = Self {
            id: id.to_owned(),
            amount: grant.amount,
            reckoned: grant.amount,
            grant: grant.clone(),
            plan: plan.clone(),
            corrects: corrects.clone(),
            step: Step::Found,
            found_on: event.day,
            open: BTreeMap::new(),
            reviewers: Vec::new(),
            reviewed: false,
            published_on: None,
            told_on: None,
            confirmed_on: None,
            paid_on: None,
            paid: None,
            stars: None,
            lapsed_on: None,
            lost_on: None,
            beside: 0,
            superseded: None,
            answered: None,
            objected: false,
            requests: BTreeMap::new(),
            erased_on: None,
        };
        if plan.reviews > 0 {
            case.open.insert(Why::Policy, Review { since: event.day, amount: None, was: None });
        }
        case.remember(event);
        Some(case)
    }

    /// The case after another event.
    pub fn apply(&mut self, event: &Event) {
        let day = event.day;
        match &event.what {
            What::Found { .. } | What::Sent { .. } | What::Untold { .. } => {}
            What::Reviewed => self.review(&event.actor),
            What::Published => (self.published_on, self.step) = (Some(day), Step::Published),
            What::Told { .. } => {
                // What is sent at other times stands on the case, and moves nothing.
                if self.next(day) == Next::Tell {
                    (self.told_on, self.step) = (Some(day), Step::Told);
                }
            }
            What::Confirmed { by_rule } => {
                (self.confirmed_on, self.step) = (Some(day), Step::Confirmed);
                if *by_rule {
                    self.lapsed_on = Some(day);
                }
            }
            What::Declined => (self.confirmed_on, self.step) = (None, Step::Declined),
            What::Returned => self.send_back(day),
            What::Objected => {
                self.objected |= event.actor.role == super::event::Role::Subject;
                self.question(Why::Objection, day, None);
            }
            What::Corrected { after, .. } => self.correct(*after, event.actor.role == Role::System),
            What::Reckoned { now, more, .. } => {
                self.reckoned = *now;
                self.beside += more.unwrap_or(0);
                self.open.remove(&Why::Less);
            }
            What::Questioned { why, amount } => self.questioned(*why, day, *amount),
            What::Regained => {
                self.lost_on = None;
                self.open.remove(&Why::Lost);
            }
            What::Withdrawn => self.end(Step::Withdrawn),
            What::Paid { amount } => (self.paid_on, self.paid, self.step) = (Some(day), *amount, Step::Paid),
            What::Rated { stars } => (self.stars, self.step) = (Some(*stars), Step::Rated),
            What::Closed { by_rule } => {
                if *by_rule {
                    self.lapsed_on = Some(day);
                }
                self.end(Step::Closed);
            }
        }
        let goes_on = matches!(
            &event.what,
            What::Corrected { .. }
                | What::Reckoned { .. }
                | What::Questioned { why: Why::Lost | Why::Less, .. }
                | What::Regained
                | What::Sent { .. }
                | What::Untold { .. }
        );
        if !goes_on {
            self.superseded = None;
        }
        self.remember(event);
    }

    /// Another amount is published, told and confirmed anew. What the program puts back to where it was before anybody acted on
    /// it is as if it had never been another.
    fn correct(&mut self, after: Option<i64>, by_program: bool) {
        let before = self.superseded.take();
        if let Some(before) = before.as_ref().filter(|before| by_program && before.amount == after) {
            (self.amount, self.reckoned, self.step) = (before.amount, before.reckoned, before.step);
            (self.published_on, self.told_on, self.confirmed_on) = (before.published_on, before.told_on, before.confirmed_on);
            if let Some(less) = &before.less {
                self.open.insert(Why::Less, less.clone());
            }
            return;
        }
        if by_program {
            self.superseded = before.or_else(|| (!self.is_untouched()).then(|| self.standing()));
        }
        self.amount = after;
        // An official's word changes what is to be paid, not what the grant was recomputed to.
        if by_program {
            self.reckoned = self.whole();
        }
        self.open.remove(&Why::Less);
        (self.published_on, self.told_on, self.confirmed_on) = (None, None, None);
        self.step = if self.reviewed { Step::Reviewed } else { Step::Found };
    }

    fn standing(&self) -> Superseded {
        Superseded {
            amount: self.amount,
            reckoned: self.reckoned,
            step: self.step,
            published_on: self.published_on,
            told_on: self.told_on,
            confirmed_on: self.confirmed_on,
            less: self.open.get(&Why::Less).cloned(),
        }
    }

    /// Whether nobody has looked at its amount yet: it was found, and only the program has done anything since.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        let was_objected = self.objected || self.open.contains_key(&Why::Objection);
        let was_seen = !self.reviewers.is_empty() || self.answered.is_some();
        self.step == Step::Found && !was_seen && self.reckoned == self.whole() && !was_objected
    }

    fn remember(&mut self, event: &Event) {
        if !event.request.is_empty() {
            self.requests.insert(event.request.clone(), event.what.name().to_owned());
        }
    }

    fn question(&mut self, why: Why, day: NaiveDate, amount: Option<i64>) {
        let was = self.reckoned.filter(|_| why == Why::Less);
        self.open.entry(why).or_insert(Review { since: day, amount, was }).amount = amount;
    }

    fn questioned(&mut self, why: Why, day: NaiveDate, amount: Option<i64>) {
        // What it came to before is kept with the question.
        self.question(why, day, amount);
        match why {
            Why::Lost => self.lost_on = Some(day),
            Why::Less => self.reckoned = self.whole().zip(amount).map(|(whole, less)| whole - less),
            Why::NoReply => self.lapsed_on = Some(day),
            Why::Policy | Why::Returned | Why::Objection => {}
        }
    }

    fn end(&mut self, step: Step) {
        self.step = step;
        // Who lost a grant that is over has nothing left to lose; an objection stays to be answered.
        self.open.retain(|why, _| *why == Why::Objection);
    }

    /// A review answers every question but that of the policy, which some officials must answer.
    fn review(&mut self, by: &Actor) {
        if self.open.contains_key(&Why::Less) {
            self.answered = Some(Answered { whole: self.whole(), reckoned: self.reckoned });
        }
        self.open.retain(|why, _| matches!(why, Why::Policy | Why::Returned));
        if self.open.is_empty() {
            return;
        }
        // Who answers an objection, too, is one official all the same.
        if !self.reviewers.iter().any(|before| before.is_same(by)) {
            self.reviewers.push(by.clone());
        }
        if self.reviewers.len() >= usize::from(self.plan.reviews.max(1)) {
            self.open.clear();
            self.reviewed = true;
            self.step = Step::Reviewed;
        }
    }

    fn send_back(&mut self, day: NaiveDate) {
        self.step = Step::Returned;
        self.reviewed = false;
        self.answered = None;
        self.reviewers.clear();
        (self.published_on, self.told_on, self.confirmed_on, self.lapsed_on) = (None, None, None, None);
        self.open.remove(&Why::Objection);
        self.open.remove(&Why::Policy);
        self.question(Why::Returned, day, None);
    }

    /// What the subject is reckoned to get for the grant, with what other cases give beside.
    #[must_use]
    pub fn whole(&self) -> Option<i64> {
        self.paid.or(self.amount).map(|amount| amount + self.beside)
    }

    /// Whether a review holds it.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.open.keys().any(|why| why.holds())
    }

    /// What the case waits for on a day.
    #[must_use]
    pub fn next(&self, day: NaiveDate) -> Next {
        if self.step.is_over() || self.step == Step::Declined {
            return if self.is_held() { Next::Review } else { Next::Nothing };
        }
        if self.is_held() {
            return Next::Review;
        }
        if self.paid_on.is_some() {
            return if self.open.is_empty() { Next::Close } else { Next::Review };
        }
        if self.plan.notice_days > 0 {
            match self.notice_until() {
                None => return Next::Publish,
                Some(until) if day < until => return Next::Notice,
                Some(_) => {}
            }
        }
        if self.plan.tell && self.told_on.is_none() {
            return Next::Tell;
        }
        if self.plan.confirm && self.confirmed_on.is_none() {
            return Next::Reply;
        }
        Next::Pay
    }

    /// The first day on which the notice is over.
    #[must_use]
    pub fn notice_until(&self) -> Option<NaiveDate> {
        self.published_on.map(|day| after(day, self.plan.notice_days))
    }

    /// The last day to reply.
    #[must_use]
    pub fn reply_until(&self) -> Option<NaiveDate> {
        self.told_on.zip(self.plan.reply_days).map(|(day, days)| after(day, days))
    }

    /// The last day to pay.
    #[must_use]
    pub fn pay_until(&self) -> Option<NaiveDate> {
        self.plan.pay_days.map(|days| after(self.found_on, days))
    }

    /// The day by which something must happen: the end of the notice, the last day to reply or to pay, the day since which a
    /// question is open. None where nothing must, or no day is set.
    #[must_use]
    pub fn due(&self) -> Option<NaiveDate> {
        let asked = self.open.iter().filter(|(why, _)| **why != Why::Policy).map(|(_, review)| review.since).min();
        if asked.is_some() || self.step.is_over() || self.step == Step::Declined || self.paid_on.is_some() {
            return asked;
        }
        let waits = match self.step {
            Step::Published => self.notice_until(),
            Step::Told if self.plan.confirm => self.reply_until(),
            _ => None,
        };
        waits.into_iter().chain(self.pay_until()).min()
    }
}
