//! What is known of one synthetic person and one household before the registers are written.

use chrono::NaiveDate;

use super::identifier::Id;
use super::names::Name;

/// Which household a person has which part in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Relation {
    Head,
    Spouse,
    Child,
    Parent,
    Other,
}

impl Relation {
    /// The code in the register.
    pub(super) fn code(self) -> &'static str {
        match self {
            Relation::Head => "head",
            Relation::Spouse => "spouse",
            Relation::Child => "child",
            Relation::Parent => "parent",
            Relation::Other => "other",
        }
    }
}

/// A death and when the register learnt of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Death {
    pub(super) on: NaiveDate,
    pub(super) recorded_on: NaiveDate,
}

/// A job: the firm's ordinal, and from when to when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job {
    pub(super) firm: u32,
    pub(super) from: NaiveDate,
    /// Last day; `None` while it lasts.
    pub(super) to: Option<NaiveDate>,
}

/// What a person lives by on the data day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Work {
    /// A child, or in full-time education.
    None,
    /// Employed by a firm: the current job is the last of `jobs`.
    Employed,
    /// Works for themselves, or keeps a shop.
    Flexible,
    /// Farms.
    Farmer,
    /// Out of work.
    Jobless,
    /// Keeps house.
    Homemaker,
    /// Retired with an employee's pension.
    Pensioner,
    /// Old, with a resident's pension or none.
    Old,
}

/// A stage of education with its dates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Study {
    pub(super) stage: &'static str,
    pub(super) from: NaiveDate,
    pub(super) graduated_on: Option<NaiveDate>,
}

/// A disability as certified.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disability {
    pub(super) kind: &'static str,
    pub(super) grade: i32,
    pub(super) needs_care: Option<bool>,
}

/// One person of a chunk; persons are named by their index in the chunk.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts")]
pub(super) struct Person {
    pub(super) id: Id,
    /// The number of before a renumbering.
    pub(super) old_id: Option<Id>,
    pub(super) name: Name,
    pub(super) male: bool,
    pub(super) birth: NaiveDate,
    /// Age on the data day.
    pub(super) age: i32,
    pub(super) household: usize,
    pub(super) relation: Relation,
    /// First day in the household.
    pub(super) joined: NaiveDate,
    pub(super) spouse: Option<usize>,
    pub(super) mother: Option<usize>,
    pub(super) father: Option<usize>,
    /// Which child of its mother, from 1.
    pub(super) birth_order: i32,
    pub(super) death: Option<Death>,
    /// No longer in the population register.
    pub(super) struck_off: bool,
    /// County of the hukou, `None` where the register does not say.
    pub(super) hukou: Option<u32>,
    pub(super) rural: bool,
    pub(super) chinese: bool,
    pub(super) residence: Option<u32>,
    pub(super) work: Work,
    /// At most two, the earlier one first.
    pub(super) jobs: Vec<Job>,
    /// Left the last job and registered as unemployed.
    pub(super) registered: bool,
    /// Month in which the current way of life began, for those who work for themselves, farm or have retired.
    pub(super) since: NaiveDate,
    pub(super) studies: Vec<Study>,
    pub(super) disability: Option<Disability>,
    /// Yuan a month.
    pub(super) income: i64,
}

impl Person {
    /// The number that the older registers know.
    pub(super) fn known_as(&self) -> Id {
        self.old_id.unwrap_or(self.id)
    }

    /// The day of death, where the register knew of it on `day`.
    pub(super) fn known_death(&self, day: NaiveDate) -> Option<NaiveDate> {
        self.death.filter(|death| death.recorded_on <= day).map(|death| death.on)
    }

    /// The end of something that began on `from`: `to`, or the known death where that is earlier. `None` within
    /// `Some` is open-ended; `None` says that it never began.
    #[expect(clippy::option_option, reason = "never, for ever and until a day are three answers")]
    pub(super) fn lasting(&self, from: NaiveDate, to: Option<NaiveDate>, day: NaiveDate) -> Option<Option<NaiveDate>> {
        let end = match (to, self.known_death(day)) {
            (Some(to), Some(death)) => Some(to.min(death)),
            (to, death) => to.or(death),
        };
        (from <= day && end.is_none_or(|end| end >= from)).then_some(end)
    }
}

/// One household of a chunk.
#[derive(Clone, Debug)]
pub(super) struct Household {
    /// The household's number in the city.
    pub(super) id: String,
    pub(super) poor: bool,
    pub(super) members: std::ops::Range<usize>,
}
