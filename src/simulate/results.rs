//! What a simulation tells, small cells hidden already: plain rows that the terminal, files and the page show.

use std::sync::Arc;

use chrono::NaiveDate;

use super::dimension::Dimension;
use super::parameter::SetValue;
use super::people::Person;
use crate::diagnostic::Message;
use crate::policy::document::Period;
use crate::register::declaration::SubjectKind;

/// What becomes of one subject in one policy. Of a subject in all policies together (see [`Line::policy`]), `Gains` is more
/// money in a year, or else more policies, and `Loses` is less; `More` and `Less` are not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Before and after alike.
    Same,
    /// Only after.
    Gains,
    /// Only before.
    Loses,
    /// A higher amount.
    More,
    /// A lower amount.
    Less,
    /// An amount is not known on one side.
    Unclear,
}

impl Class {
    /// All classes, in the order of their numbers.
    pub const ALL: [Self; 6] = [Self::Same, Self::Gains, Self::Loses, Self::More, Self::Less, Self::Unclear];

    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["same", "gains", "loses", "more", "less", "unclear"][self as usize]
    }

    /// The word for people.
    #[must_use]
    pub fn label(self) -> Message {
        let (zh, en) = [
            ("不变", "unchanged"),
            ("新享受", "gains"),
            ("不再享受", "loses"),
            ("金额增加", "more"),
            ("金额减少", "less"),
            ("金额不明", "amount not known"),
        ][self as usize];
        Message::new(zh, en)
    }
}

/// How many subjects, and how much money, before and after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Subjects that have it before.
    pub before: u64,
    /// Subjects that have it after.
    pub after: u64,
    /// Subjects by [`Class`].
    pub classes: [u64; 6],
    /// Sums of amounts as grants give them, before and after, in hundredths; of all policies together, 0.
    pub amount: [i64; 2],
    /// What falls due in the month of the day, before and after, in hundredths.
    pub month: [i64; 2],
    /// What it comes to in a year, before and after, in hundredths.
    pub year: [i64; 2],
}

impl Tally {
    /// How many are of a class.
    #[must_use]
    pub fn of(&self, class: Class) -> u64 {
        self.classes[class as usize]
    }

    /// How many are not [`Class::Same`].
    #[must_use]
    pub fn changed(&self) -> u64 {
        self.classes[1..].iter().sum()
    }
}

/// One line: a policy, or all policies together, as a whole or for one value of a dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose.
    pub kind: SubjectKind,
    /// In [`Results::policies`]; none: all policies for this kind of subject together, each subject counted once.
    pub policy: Option<usize>,
    /// In [`Results::dimensions`]; none: everybody.
    pub dimension: Option<usize>,
    /// The value of the dimension; empty where it is not known, and for everybody.
    pub value: String,
    /// How many subjects there are, on lines of all policies.
    pub population: Option<u64>,
    /// What is counted; nothing where hidden.
    pub tally: Tally,
    /// Whether anything changes; told of hidden lines too, for that it does not is no secret.
    pub changes: bool,
    /// Whether it is hidden, because few people are behind it or it would give others away.
    pub hidden: bool,
}

/// A step of the criteria.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The criterion, or a short text of a group of criteria: what the same step of two versions has in common.
    pub criterion: Arc<str>,
    /// What it is called.
    pub name: Message,
    /// How many are still yes after it; none: few.
    pub yes: Option<u64>,
    /// How many are still yes or unknown; none: few.
    pub possible: Option<u64>,
}

impl Step {
    /// The same step of another version: that of the same criterion, else that of the same name.
    #[must_use]
    pub fn same_in<'a>(&self, others: &'a [Self]) -> Option<&'a Self> {
        let by_id = others.iter().find(|other| other.criterion == self.criterion);
        by_id.or_else(|| others.iter().find(|other| other.name == self.name))
    }
}

/// A policy of either side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLine {
    /// Code.
    pub code: Arc<str>,
    /// Name.
    pub name: Message,
    /// Whose.
    pub kind: SubjectKind,
    /// Period of its grants.
    pub period: Period,
    /// Whether it is in force before, after.
    pub in_force: [bool; 2],
    /// Grants to be delivered, before and after, and the sum of their amounts: as `match` writes them.
    pub granted: [(u64, i64); 2],
    /// Grants paid already.
    pub given: [(u64, i64); 2],
    /// Grants that wait for money; none: few.
    pub waiting: [Option<u64>; 2],
    /// Subjects whose verdict is unknown; none: few.
    pub unknown: [Option<u64>; 2],
    /// Whether `granted` and `given` are hidden, for few are behind one of them.
    pub few_rows: bool,
    /// Steps of the criteria: name, still yes, still possible; before, after. Counts of few are none.
    pub funnel: [Vec<Step>; 2],
    /// Whether what is counted is hidden.
    pub hidden: bool,
}

/// Two policies that subjects have both of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlap {
    /// In [`Results::policies`].
    pub policies: (usize, usize),
    /// How many have both, before and after; none: few.
    pub both: [Option<u64>; 2],
}

/// How many subjects of a kind get how much in a year.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// Whose.
    pub kind: SubjectKind,
    /// From so much, in hundredths.
    pub from: i64,
    /// To less than so much; none: no bound.
    pub to: Option<i64>,
    /// Before, after; none: hidden.
    pub subjects: [Option<u64>; 2],
}

/// One month of a forecast, one side, one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonthLine {
    /// The day that the month is judged on.
    pub day: NaiveDate,
    /// 0 before, 1 after.
    pub side: usize,
    /// In [`Results::policies`]; none: all.
    pub policy: Option<usize>,
    /// Subjects that have it; of all policies, of all kinds together, pairs of subject and policy.
    pub subjects: u64,
    /// Of these, who did not have it the month before.
    pub enter: u64,
    /// Who had it the month before, and no more.
    pub leave: u64,
    /// The money that the month takes, in hundredths.
    pub money: i64,
    /// Whether it is hidden.
    pub hidden: bool,
}

/// All that a simulation tells.
#[derive(Debug)]
pub struct Results {
    /// The day.
    pub as_of: NaiveDate,
    /// What is compared: before, after.
    pub sides: [Message; 2],
    /// Parameters that were set.
    pub set: Vec<SetValue>,
    /// How many subjects of each kind were judged.
    pub judged: [u64; 3],
    /// Whether both sides were judged on dossiers built once.
    pub same_dossiers: bool,
    /// Counts below are hidden.
    pub least: u64,
    /// Policies of either side, by code.
    pub policies: Vec<PolicyLine>,
    /// Dimensions that there are facts for.
    pub dimensions: Vec<Dimension>,
    /// Dimensions that there is no fact for.
    pub missing: Vec<Message>,
    /// What values of dimensions are called.
    pub values: Vec<Vec<(String, Message)>>,
    /// Lines of everybody: policies, then all together by kind.
    pub totals: Vec<Line>,
    /// Lines by dimension, of policies that something changes in and of all together.
    pub cells: Vec<Line>,
    /// Overlaps.
    pub overlaps: Vec<Overlap>,
    /// Distribution of what subjects get in a year.
    pub bands: Vec<Band>,
    /// Sampled people.
    pub people: Vec<Person>,
    /// Months ahead, with the month of the day first; empty without a forecast.
    pub months: Vec<MonthLine>,
}

impl Results {
    /// The line of a policy as a whole.
    #[must_use]
    pub fn total(&self, policy: usize) -> Option<&Line> {
        self.totals.iter().find(|line| line.policy == Some(policy))
    }

    /// The line of all policies of a kind.
    #[must_use]
    pub fn net(&self, kind: SubjectKind) -> Option<&Line> {
        self.totals.iter().find(|line| line.policy.is_none() && line.kind == kind)
    }

    /// Lines of one dimension and policy (none: all together) of a kind, in the order of values.
    pub fn by(&self, kind: SubjectKind, policy: Option<usize>, dimension: usize) -> impl Iterator<Item = &Line> {
        self.cells.iter().filter(move |line| line.kind == kind && line.policy == policy && line.dimension == Some(dimension))
    }

    /// What a value of a dimension is called.
    #[must_use]
    pub fn label(&self, dimension: usize, value: &str) -> Message {
        let found = self.values[dimension].iter().find(|(known, _)| known == value).map(|(_, label)| label.clone());
        found.unwrap_or_else(|| Message::new(value, value))
    }

    /// Budgets of all policies in the month of the day and in a year, before and after, in hundredths: sums over what is
    /// shown and what is hidden, unless a hidden kind would be given away.
    #[must_use]
    pub fn budget(&self) -> Option<([i64; 2], [i64; 2])> {
        let nets: Vec<&Line> = self.totals.iter().filter(|line| line.policy.is_none()).collect();
        if nets.iter().any(|line| line.hidden) {
            return None;
        }
        let sum = |get: fn(&Tally) -> [i64; 2]| {
            nets.iter().fold([0, 0], |sum, line| [sum[0] + get(&line.tally)[0], sum[1] + get(&line.tally)[1]])
        };
        Some((sum(|tally| tally.month), sum(|tally| tally.year)))
    }
}
