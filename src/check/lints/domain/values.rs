//! Everything that an expression may come to: known values of its type, and whether it may be unknown.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Fraction, Ranges};
use crate::check::ir::{Ty, Value};

/// Texts, shared: sets of regions are long.
pub type Texts = Arc<BTreeSet<Arc<str>>>;

/// Known values, of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Whether it may be yes, whether it may be no.
    Bool {
        /// It may be yes.
        yes: bool,
        /// It may be no.
        no: bool,
    },
    /// Numbers; for dates, days since 1970-01-01.
    Range(Ranges),
    /// One of these texts.
    In(Texts),
    /// Any text but these.
    NotIn(Texts),
}

/// Everything that an expression may come to. It never comes to anything that is not in here; not all that is in here
/// need be possible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// The known values.
    pub known: Known,
    /// Whether it may be unknown.
    pub unknown: bool,
}

impl Values {
    /// Every value of a type, and unknown.
    #[must_use]
    pub fn anything(ty: Ty) -> Self {
        let known = match ty {
            Ty::Bool => Known::Bool { yes: true, no: true },
            Ty::Number => Known::Range(Ranges::all()),
            Ty::Date => Known::Range(Ranges::all().on_grid(0)),
            Ty::Text => Known::NotIn(Texts::default()),
        };
        Self { known, unknown: true }
    }

    /// Unknown and nothing else.
    #[must_use]
    pub fn unknown(ty: Ty) -> Self {
        Self { known: Known::nothing(ty), unknown: true }
    }

    /// A known value and nothing else; none where it is a number too large to be kept exactly.
    #[must_use]
    pub fn exactly(value: &Value) -> Option<Self> {
        let known = match value {
            Value::Bool(value) => Known::Bool { yes: *value, no: !*value },
            Value::Number(number) => Known::Range(Ranges::point(Fraction::of(*number)?)),
            Value::Date(day) => Known::Range(Ranges::point(Fraction::whole(i64::from(*day))?)),
            Value::Text(text) => Known::In(Arc::new([Arc::clone(text)].into())),
        };
        Some(Self { known, unknown: false })
    }

    /// Known values of these ranges.
    #[must_use]
    pub fn within(ranges: Ranges) -> Self {
        Self { known: Known::Range(ranges), unknown: false }
    }

    /// Yes or no, or unknown.
    #[must_use]
    pub fn verdict(yes: bool, no: bool, unknown: bool) -> Self {
        Self { known: Known::Bool { yes, no }, unknown }
    }

    /// The same, perhaps unknown.
    #[must_use]
    pub fn or_unknown(self, unknown: bool) -> Self {
        Self { unknown: self.unknown || unknown, ..self }
    }

    /// Whether it can come to nothing at all.
    #[must_use]
    pub fn is_impossible(&self) -> bool {
        !self.unknown && self.known.is_nothing()
    }

    /// Whether it may be yes.
    #[must_use]
    pub fn may_be_yes(&self) -> bool {
        matches!(self.known, Known::Bool { yes: true, .. })
    }

    /// Whether it may be no.
    #[must_use]
    pub fn may_be_no(&self) -> bool {
        matches!(self.known, Known::Bool { no: true, .. })
    }

    /// The numbers or days; none for other types.
    #[must_use]
    pub fn ranges(&self) -> Option<&Ranges> {
        match &self.known {
            Known::Range(ranges) => Some(ranges),
            _ => None,
        }
    }

    /// The only number or day that it can come to.
    #[must_use]
    pub fn only_number(&self) -> Option<Fraction> {
        self.ranges().filter(|_| !self.unknown).and_then(Ranges::only)
    }

    /// The only text that it can come to.
    #[must_use]
    pub fn only_text(&self) -> Option<&Arc<str>> {
        match &self.known {
            Known::In(set) if !self.unknown && set.len() == 1 => set.first(),
            _ => None,
        }
    }

    /// The only text that it can come to where it is known.
    #[must_use]
    pub fn only_known(&self) -> Option<&Arc<str>> {
        match &self.known {
            Known::In(set) if set.len() == 1 => set.first(),
            _ => None,
        }
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { known: self.known.and(&other.known), unknown: self.unknown && other.unknown }
    }

    /// What is in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self { known: self.known.or(&other.known), unknown: self.unknown || other.unknown }
    }
}

impl Known {
    fn nothing(ty: Ty) -> Self {
        match ty {
            Ty::Bool => Self::Bool { yes: false, no: false },
            Ty::Number | Ty::Date => Self::Range(Ranges::none()),
            Ty::Text => Self::In(Texts::default()),
        }
    }

    /// Whether there is no known value.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        match self {
            Self::Bool { yes, no } => !yes && !no,
            Self::Range(ranges) => ranges.is_none(),
            Self::In(set) => set.is_empty(),
            Self::NotIn(_) => false,
        }
    }

    /// Every other known value.
    #[must_use]
    pub fn complement(&self) -> Self {
        match self {
            Self::Bool { yes, no } => Self::Bool { yes: !yes, no: !no },
            Self::Range(ranges) => Self::Range(ranges.complement()),
            Self::In(texts) => Self::NotIn(texts.clone()),
            Self::NotIn(texts) => Self::In(texts.clone()),
        }
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Bool { yes, no }, Self::Bool { yes: yes_2, no: no_2 }) => Self::Bool { yes: *yes && *yes_2, no: *no && *no_2 },
            (Self::Range(one), Self::Range(two)) => Self::Range(one.and(two)),
            (Self::In(one), Self::In(two)) if Arc::ptr_eq(one, two) => Self::In(Arc::clone(one)),
            (Self::In(one), Self::In(two)) => Self::In(Arc::new(&**one & &**two)),
            (Self::In(one), Self::NotIn(two)) | (Self::NotIn(two), Self::In(one)) => Self::In(Arc::new(&**one - &**two)),
            (Self::NotIn(one), Self::NotIn(two)) => Self::NotIn(Arc::new(&**one | &**two)),
            // Types never mix in checked expressions.
            _ => self.clone(),
        }
    }

    /// What is in either.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Bool { yes, no }, Self::Bool { yes: yes_2, no: no_2 }) => Self::Bool { yes: *yes || *yes_2, no: *no || *no_2 },
            (Self::Range(one), Self::Range(two)) => Self::Range(one.or(two)),
            (Self::In(one), Self::In(two)) => Self::In(Arc::new(&**one | &**two)),
            (Self::In(one), Self::NotIn(two)) | (Self::NotIn(two), Self::In(one)) => Self::NotIn(Arc::new(&**two - &**one)),
            (Self::NotIn(one), Self::NotIn(two)) => Self::NotIn(Arc::new(&**one & &**two)),
            _ => self.clone(),
        }
    }
}
