//! Comparisons in one form: a sum of terms against a constant, with the bounds and the smallest step of the sum.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cases::sites::key;
use crate::check::catalogue::{Aggregate, Catalogue, Definition, FactId, How};
use crate::check::ir::{ArithOp, Expr, Function, Kind, Value};
use crate::program::Rational;
use crate::register::declaration::SubjectKind;

/// A sum: coefficient by term, and what is added to it.
#[derive(Debug, Clone)]
pub struct Linear {
    terms: BTreeMap<Arc<str>, (Rational, Expr)>,
    constant: Rational,
}

/// The least and the greatest value, where there is one.
pub type Bounds = (Option<Rational>, Option<Rational>);

const NOTHING: i64 = 0;

impl Linear {
    /// An expression as a sum; what is not one is one term.
    #[must_use]
    pub fn of(expr: &Expr) -> Self {
        Self::read(expr).unwrap_or_else(|| Self::term(expr))
    }

    fn term(expr: &Expr) -> Self {
        Self { terms: BTreeMap::from([(key(expr), (Rational::whole(1), expr.clone()))]), constant: Rational::whole(NOTHING) }
    }

    fn constant(value: Rational) -> Self {
        Self { terms: BTreeMap::new(), constant: value }
    }

    fn read(expr: &Expr) -> Option<Self> {
        match &expr.kind {
            Kind::Literal(Value::Number(number)) => Some(Self::constant(Rational::from(*number))),
            Kind::Literal(Value::Date(day)) => Some(Self::constant(Rational::whole(i64::from(*day)))),
            Kind::Negate(inner) => Self::of(inner).times(Rational::whole(-1)),
            Kind::Arith(ArithOp::Add, left, right) => Self::of(left).plus(&Self::of(right)),
            Kind::Arith(ArithOp::Sub, left, right) => Self::of(left).minus(&Self::of(right)),
            Kind::Arith(ArithOp::Mul, left, right) => match (Self::of(left), Self::of(right)) {
                (sum, factor) | (factor, sum) if factor.terms.is_empty() => sum.times(factor.constant),
                _ => None,
            },
            Kind::Arith(ArithOp::Div, left, right) => {
                let divisor = Self::of(right);
                let factor = if divisor.terms.is_empty() { divisor.constant.recip() } else { None };
                Self::of(left).times(factor?)
            }
            Kind::Call(Function::AddDays, arguments) => Self::of(&arguments[0]).plus(&Self::of(&arguments[1])),
            _ => None,
        }
    }

    fn times(&self, factor: Rational) -> Option<Self> {
        let mut terms = BTreeMap::new();
        for (name, (coefficient, expr)) in &self.terms {
            terms.insert(Arc::clone(name), (coefficient.checked_mul(factor)?, expr.clone()));
        }
        Some(Self { terms, constant: self.constant.checked_mul(factor)? })
    }

    fn plus(&self, other: &Self) -> Option<Self> {
        let mut sum = self.clone();
        for (name, (coefficient, expr)) in &other.terms {
            let slot = sum.terms.entry(Arc::clone(name)).or_insert_with(|| (Rational::whole(NOTHING), expr.clone()));
            slot.0 = slot.0.checked_add(*coefficient)?;
        }
        sum.terms.retain(|_, (coefficient, _)| coefficient.num() != 0);
        sum.constant = sum.constant.checked_add(other.constant)?;
        Some(sum)
    }

    /// The difference of two sums; none where numbers grow too large.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Option<Self> {
        self.plus(&other.times(Rational::whole(-1))?)
    }

    /// The terms with a first coefficient of 1, the threshold that they are compared with, and whether sides changed.
    /// `terms + constant ? 0` is `terms ? -constant`.
    #[must_use]
    pub fn against(&self) -> Option<(Self, Rational, bool)> {
        let Some((first, _)) = self.terms.values().next() else { return Some((self.clone(), self.constant.checked_neg()?, false)) };
        let turned = first.num() < 0;
        let scaled = self.times(first.recip()?)?;
        let threshold = scaled.constant.checked_neg()?;
        Some((Self { constant: Rational::whole(NOTHING), ..scaled }, threshold, turned))
    }

    /// Whether there is no term.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        self.terms.is_empty()
    }

    /// What it is added to.
    #[must_use]
    pub fn value(&self) -> Rational {
        self.constant
    }

    /// The same text for the same terms.
    #[must_use]
    pub fn name(&self) -> String {
        let part = |(name, (coefficient, _)): (&Arc<str>, &(Rational, Expr))| format!("{}/{}·{name}", coefficient.num(), coefficient.den());
        self.terms.iter().map(part).collect::<Vec<_>>().join(" + ")
    }

    /// The bounds of the sum of terms.
    #[must_use]
    pub fn bounds(&self, catalogue: &Catalogue, kind: SubjectKind) -> Bounds {
        let (mut least, mut greatest) = (Some(self.constant), Some(self.constant));
        for (coefficient, expr) in self.terms.values() {
            let (low, high) = bounds(expr, catalogue, kind);
            let (low, high) = if coefficient.num() < 0 { (high, low) } else { (low, high) };
            let add = |sum: Option<Rational>, bound: Option<Rational>| sum?.checked_add(bound?.checked_mul(*coefficient)?);
            (least, greatest) = (add(least, low), add(greatest, high));
        }
        (least, greatest)
    }

    /// The distance of neighbouring values; none where any value may be.
    #[must_use]
    pub fn step(&self, catalogue: &Catalogue, kind: SubjectKind) -> Option<Rational> {
        let mut step = Rational::whole(1);
        for (coefficient, expr) in self.terms.values() {
            let of_term = step_of(expr, catalogue, kind)?;
            if coefficient.den() != 1 {
                return None;
            }
            step = step.min(of_term);
        }
        Some(step)
    }
}

/// The bounds of a number, as far as registers and functions tell.
#[must_use]
pub fn bounds(expr: &Expr, catalogue: &Catalogue, kind: SubjectKind) -> Bounds {
    let zero = Some(Rational::whole(0));
    let of = |expr: &Expr| bounds(expr, catalogue, kind);
    let is_positive = |expr: &Expr| of(expr).0.is_some_and(|low| low.num() >= 0);
    match &expr.kind {
        Kind::Literal(Value::Number(number)) => (Some(Rational::from(*number)), Some(Rational::from(*number))),
        Kind::Fact(index) => of_fact(FactId { kind, index: *index }, catalogue),
        Kind::Arith(ArithOp::Mul | ArithOp::Div | ArithOp::Add, left, right) if is_positive(left) && is_positive(right) => (zero, None),
        Kind::Call(Function::AgeAt | Function::MonthsOverlap | Function::Abs, _) => (zero, None),
        Kind::Call(Function::Month, _) => (Some(Rational::whole(1)), Some(Rational::whole(12))),
        Kind::Call(Function::Max, items) => (items.iter().filter_map(|item| of(item).0).max(), None),
        Kind::Call(Function::Min, items) => (None, items.iter().filter_map(|item| of(item).1).min()),
        _ => (None, None),
    }
}

fn of_fact(id: FactId, catalogue: &Catalogue) -> Bounds {
    match &catalogue.fact(id).definition {
        Definition::Computed(expr) => bounds(expr, catalogue, id.kind),
        Definition::Linked { fact, .. } => of_fact(*fact, catalogue),
        Definition::Rows { register, rows, .. } => of_rows(rows, |index| {
            let column = catalogue.registers.registers.get(register).and_then(|register| register.columns.get(index));
            column.map_or((None, None), |column| (column.minimum.map(Rational::whole), column.maximum.map(Rational::whole)))
        }),
        Definition::LinkedAggregate { link, rows } => {
            let link = &catalogue.registers.links[*link];
            let columns = catalogue.rows.get(&link.register).map_or(0, Vec::len);
            of_rows(rows, |index| match index.checked_sub(columns) {
                Some(index) => of_fact(FactId { kind: link.to, index }, catalogue),
                None => (None, None),
            })
        }
        _ => (None, None),
    }
}

fn of_rows(rows: &Aggregate, column: impl Fn(usize) -> Bounds) -> Bounds {
    let zero = Some(Rational::whole(0));
    let value = match rows.value.as_ref().map(|value| &value.kind) {
        Some(Kind::Fact(index)) => column(*index),
        _ => (None, None),
    };
    match rows.how {
        How::Count | How::CountDistinct => (zero, None),
        How::Sum if rows.value.as_ref().is_some_and(|value| matches!(value.kind, Kind::Call(Function::MonthsOverlap, _))) => (zero, None),
        How::Sum => (value.0.filter(|low| low.num() >= 0).and(zero), None),
        How::Only | How::Min | How::Max | How::Latest => value,
        How::Any | How::All => (None, None),
    }
}

fn step_of(expr: &Expr, catalogue: &Catalogue, kind: SubjectKind) -> Option<Rational> {
    let whole = Some(Rational::whole(1));
    match &expr.kind {
        Kind::AsOf => whole,
        Kind::Fact(index) => {
            let fact = catalogue.fact(FactId { kind, index: *index });
            let is_quotient = matches!(&fact.definition, Definition::Computed(expr) if has_quotient(expr));
            match (is_quotient, fact.ty.scale) {
                (true, _) => None,
                (false, 0) => whole,
                (false, scale) => Rational::new(1, 10_i128.pow(u32::from(scale))),
            }
        }
        Kind::Call(function, _) => match function {
            Function::Min | Function::Max | Function::Abs | Function::Coalesce => None,
            _ => whole,
        },
        _ => None,
    }
}

fn has_quotient(expr: &Expr) -> bool {
    matches!(expr.kind, Kind::Arith(ArithOp::Div, ..)) || expr.children().into_iter().any(has_quotient)
}
