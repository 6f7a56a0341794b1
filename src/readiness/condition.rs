//! The four conditions of 免申即享, how far a policy meets each, and why not.

use serde::Serialize;

use crate::diagnostic::Message;

/// What must hold for a policy to be given without application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConditionName {
    /// 受益对象明确: it is decided by rules whom it is for.
    Beneficiaries,
    /// 结果认定有据: every rule has its clause, every fact its register.
    Recognition,
    /// 标准数额具体: how much it is can be computed.
    Standard,
    /// 文件时限有效: it is in force, and so is what it rests on.
    Validity,
}

impl ConditionName {
    /// All four, in the order of the documents.
    pub const ALL: [Self; 4] = [Self::Beneficiaries, Self::Recognition, Self::Standard, Self::Validity];

    /// In words.
    #[must_use]
    pub fn label(self) -> Message {
        match self {
            Self::Beneficiaries => Message::new("受益对象明确", "beneficiaries definite"),
            Self::Recognition => Message::new("结果认定有据", "recognition has a basis"),
            Self::Standard => Message::new("标准数额具体", "standard specific"),
            Self::Validity => Message::new("文件时限有效", "time limit valid"),
        }
    }
}

/// How far a condition is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything that was looked at holds.
    Met,
    /// Some of it does.
    Partly,
    /// Nothing does, or not what all else hangs on.
    NotMet,
}

impl Status {
    /// A sign that needs no colour.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Met => "✓",
            Self::Partly => "◐",
            Self::NotMet => "✗",
        }
    }

    /// In words.
    #[must_use]
    pub fn label(self) -> Message {
        match self {
            Self::Met => Message::new("满足", "met"),
            Self::Partly => Message::new("部分满足", "partly met"),
            Self::NotMet => Message::new("不满足", "not met"),
        }
    }
}

/// Why a condition is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonKind {
    /// A criterion whose condition is the same for everybody: its clause was not written as a rule.
    CriterionWithoutRule,
    /// A document that no rule rests on.
    ClauseWithoutRule,
    /// A rule without the words of a clause.
    WithoutClause,
    /// A rule that names no document.
    WithoutBasis,
    /// A rule, or the policy, rests on a document that is not in force on the day.
    BasisNotInForce,
    /// A register did not come.
    RegisterAbsent,
    /// A register is older than it promises.
    RegisterStale,
    /// A register does not speak for counties of the policy, or not yet for the day.
    RegisterDoesNotCover,
    /// A parameter has no value in counties of the policy on the day.
    ParameterWithoutValue,
    /// The money of a budget is not known.
    BudgetUnknown,
    /// Of too many who are found it is not known how much they get.
    AmountUnknown,
    /// The policy is not the law of the day.
    NotInForce,
}

impl ReasonKind {
    /// Whether a register would mend it; else the policy's author or the authority must.
    #[must_use]
    pub fn is_of_a_register(self) -> bool {
        matches!(self, Self::RegisterAbsent | Self::RegisterStale | Self::RegisterDoesNotCover)
    }
}

/// Why a condition is not met, with the place. What does not apply is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Why.
    pub kind: ReasonKind,
    /// Criteria by identifier, or `covers`, `amount`, `cap`, `budget`, `occasion`, `each`.
    pub parts: Vec<String>,
    /// Facts.
    pub facts: Vec<String>,
    /// The register.
    pub register: Option<String>,
    /// The parameter.
    pub parameter: Option<String>,
    /// The document, by its identifier in the policy.
    pub basis: Option<String>,
    /// Codes of the regions concerned.
    pub regions: Vec<String>,
    /// In words.
    pub text: Message,
}

impl Reason {
    /// A reason without a place yet.
    pub(super) fn new(kind: ReasonKind, text: Message) -> Self {
        Self { kind, parts: Vec::new(), facts: Vec::new(), register: None, parameter: None, basis: None, regions: Vec::new(), text }
    }
}

/// One condition of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Condition {
    /// Which.
    pub condition: ConditionName,
    /// How far it is met.
    pub status: Status,
    /// How many of the things that were looked at hold.
    pub holds: usize,
    /// How many were looked at: criteria, amounts, facts, parameters, documents.
    pub of: usize,
    /// Why it is not met; empty where it is.
    pub reasons: Vec<Reason>,
}

/// A condition while it is looked at.
pub(super) struct Looking {
    of: usize,
    failed: usize,
    is_broken: bool,
    reasons: Vec<Reason>,
}

impl Looking {
    /// Nothing looked at yet.
    pub(super) fn new() -> Self {
        Self { of: 0, failed: 0, is_broken: false, reasons: Vec::new() }
    }

    /// One thing that holds, unless there are reasons why not.
    pub(super) fn at(&mut self, reasons: Vec<Reason>) {
        self.of += 1;
        self.failed += usize::from(!reasons.is_empty());
        self.reasons.extend(reasons);
    }

    /// One thing that all else hangs on.
    pub(super) fn at_root(&mut self, reasons: Vec<Reason>) {
        self.is_broken |= !reasons.is_empty();
        self.at(reasons);
    }

    /// Several things of which some fail, for these reasons together; `is_broken` where all else hangs on one that fails.
    pub(super) fn at_all(&mut self, of: usize, failed: usize, is_broken: bool, reasons: Vec<Reason>) {
        self.of += of;
        self.failed += failed;
        self.is_broken |= is_broken;
        self.reasons.extend(reasons);
    }

    /// The condition as a whole.
    pub(super) fn done(self, condition: ConditionName) -> Condition {
        let Self { of, failed, is_broken, reasons } = self;
        let status = match failed {
            0 => Status::Met,
            _ if is_broken || failed == of => Status::NotMet,
            _ => Status::Partly,
        };
        Condition { condition, status, holds: of - failed, of, reasons }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(look: impl FnOnce(&mut Looking), expect: (Status, usize, usize)) {
        let mut looking = Looking::new();
        look(&mut looking);
        let found = looking.done(ConditionName::Standard);
        assert_eq!((found.status, found.holds, found.of), expect);
    }

    fn reason() -> Vec<Reason> {
        vec![Reason::new(ReasonKind::WithoutClause, Message::default())]
    }

    #[test]
    fn what_holds_of_what_was_looked_at() {
        check(|_| (), (Status::Met, 0, 0));
        check(|looking| looking.at(Vec::new()), (Status::Met, 1, 1));
        check(|looking| looking.at(reason()), (Status::NotMet, 0, 1));
        let both = |looking: &mut Looking| {
            looking.at(reason());
            looking.at(Vec::new());
        };
        check(both, (Status::Partly, 1, 2));
        let root = |looking: &mut Looking| {
            looking.at_root(reason());
            looking.at_all(5, 1, false, reason());
        };
        check(root, (Status::NotMet, 4, 6));
    }
}
