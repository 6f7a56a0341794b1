//! Parts of a policy evaluated for one subject, as it is and one smallest step away from it.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use chrono::{Days, NaiveDate};

use super::book::{Book, Laws, Values};
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::{Expr, Kind, Number, Ty, Value};
use crate::explain::{Amount, Judge, Judgement, Known, Verdict};
use crate::program::dates;
use crate::program::interpreter::{Answer, evaluate};
use crate::register::declaration::SubjectKind;

/// One subject on one day, to be looked at closely.
pub struct Probe<'a> {
    /// What it is judged by.
    pub book: &'a Book<'a>,
    /// The policies in force on the day.
    pub laws: &'a Laws,
    /// The day before, the day, the day after.
    binders: [Binder<'a>; 3],
    /// Every fact; grows by what links must carry.
    pub catalogue: Catalogue,
    /// Its facts; others may be put in their place.
    pub values: Values,
    /// Its kind.
    pub kind: SubjectKind,
    /// The day.
    pub day: NaiveDate,
}

/// Two expressions made ready to be compared on the day and on both days beside it.
pub struct Sides {
    ready: [(Expr, Expr); 3],
    facts: BTreeSet<usize>,
}

impl Sides {
    /// The facts that the sides are computed from.
    #[must_use]
    pub fn facts(&self) -> Vec<usize> {
        self.facts.iter().copied().collect()
    }
}

/// Days from the day of the case.
const SHIFTS: [i64; 3] = [0, -1, 1];

impl Probe<'_> {
    /// Looks at a subject.
    pub fn with<R>(book: &Book<'_>, kind: SubjectKind, day: NaiveDate, values: &Values, work: impl FnOnce(&mut Probe<'_>) -> R) -> R {
        let laws = book.laws(day);
        let binders = SHIFTS.map(|shift| book.binder(shifted(day, shift), &laws));
        let values = values.clone();
        let mut probe = Probe { book, laws: &laws, binders, catalogue: book.catalogue().clone(), values, kind, day };
        work(&mut probe)
    }

    /// Lets a judge of the subject work.
    pub fn judge<R>(&mut self, work: impl FnOnce(&mut Judge<'_>) -> R) -> R {
        let values = &self.values;
        let value = |id: FactId| values.get(&id).cloned().flatten();
        let known = Known { value: &value, taken: &|id| values.contains_key(&id), cause: &|_| None, data_day: &|_| None };
        // The judge borrows the facts of the probe: a catalogue is too large to be copied for every question.
        let mut judge = Judge::new(&Catalogue::default(), &self.binders[0], known);
        judge.catalogue = std::mem::take(&mut self.catalogue);
        let found = work(&mut judge);
        self.catalogue = judge.catalogue;
        found
    }

    /// What a policy comes to; none where arithmetic overflows.
    pub fn judgement(&mut self, policy: &CheckedPolicy) -> Option<Judgement> {
        self.judge(|judge| judge.judge(policy).ok())
    }

    fn ready(&mut self, expr: &Expr, at: usize) -> Expr {
        let (values, binder) = (&self.values, &self.binders[at]);
        let expanded = self.catalogue.expand(&binder.bind(expr), self.kind, 0, &|id| values.contains_key(&id));
        binder.bind(&expanded)
    }

    /// The value of an open expression.
    pub fn value(&mut self, expr: &Expr) -> Option<Answer> {
        let ready = self.ready(expr, 0);
        self.evaluated(&ready, None)
    }

    /// The value of an open condition.
    pub fn holds(&mut self, expr: &Expr) -> Option<bool> {
        match self.value(expr) {
            Some(Answer::Bool(holds)) => Some(holds),
            _ => None,
        }
    }

    fn evaluated(&self, ready: &Expr, instead: Option<(usize, &Value)>) -> Option<Answer> {
        let row = |index: usize| match instead {
            Some((changed, value)) if changed == index => Some(value.clone()),
            _ => self.values.get(&FactId { kind: self.kind, index }).cloned().flatten(),
        };
        evaluate(ready, &row).ok().flatten()
    }

    /// The facts that an expression is computed from, as the subject's dossier has them.
    pub fn facts(&mut self, expr: &Expr) -> BTreeSet<usize> {
        let mut facts = BTreeSet::new();
        self.ready(expr, 0).for_each_fact(&mut |fact| {
            facts.insert(fact);
        });
        facts
    }

    /// Two expressions to be compared.
    pub fn sides(&mut self, left: &Expr, right: &Expr) -> Sides {
        let ready = [0, 1, 2].map(|at| (self.ready(left, at), self.ready(right, at)));
        let mut facts = BTreeSet::new();
        for side in [&ready[0].0, &ready[0].1] {
            side.for_each_fact(&mut |fact| {
                facts.insert(fact);
            });
        }
        Sides { ready, facts }
    }

    /// How the left side stands to the right one; none where one is unknown.
    pub fn order(&self, sides: &Sides) -> Option<Ordering> {
        self.order_at(sides, 0, None)
    }

    fn order_at(&self, sides: &Sides, at: usize, instead: Option<(usize, &Value)>) -> Option<Ordering> {
        let (left, right) = &sides.ready[at];
        compared(&self.evaluated(left, instead)?, &self.evaluated(right, instead)?)
    }

    /// The same with one fact changed.
    pub fn order_with(&self, sides: &Sides, fact: usize, value: &Value) -> Option<Ordering> {
        self.order_at(sides, 0, Some((fact, value)))
    }

    /// How the sides stand to each other when one fact, or the day, is moved by its smallest step.
    pub fn nearby(&self, sides: &Sides) -> Vec<Ordering> {
        let mut found: Vec<Ordering> = [1, 2].into_iter().filter_map(|at| self.order_at(sides, at, None)).collect();
        for &fact in &sides.facts {
            let id = FactId { kind: self.kind, index: fact };
            let Some(Some(value)) = self.values.get(&id) else { continue };
            for step in [-1, 1] {
                let Some(moved) = stepped(&self.catalogue, id, value, step) else { continue };
                found.extend(self.order_at(sides, 0, Some((fact, &moved))));
            }
        }
        found
    }

    /// Whether the sides are numbers that are one apart.
    pub fn one_apart(&self, sides: &Sides) -> bool {
        let (left, right) = &sides.ready[0];
        let (Some(Answer::Number(left)), Some(Answer::Number(right))) = (self.evaluated(left, None), self.evaluated(right, None)) else {
            return false;
        };
        left.checked_sub(right).is_some_and(|distance| distance.den() == 1 && distance.num().abs() == 1)
    }

    /// Whether evaluation comes to the node that a path leads to: every `case` above it takes that way.
    pub fn reaches(&mut self, root: &Expr, path: &[usize]) -> bool {
        let Some((&first, rest)) = path.split_first() else { return true };
        if let Kind::Case { branches, .. } = &root.kind {
            let before = first / 2;
            let passed = branches.iter().take(before).all(|(when, _)| self.holds(when) == Some(false));
            let chosen = first == 2 * branches.len() || first % 2 == 0 || self.holds(&branches[before].0) == Some(true);
            if !passed || !chosen {
                return false;
            }
        }
        let Some(child) = root.children().get(first).copied() else { return false };
        self.reaches(child, rest)
    }
}

/// Whether what came out depends on a value that is unknown.
#[must_use]
pub fn is_undecided(judgement: &Judgement) -> bool {
    judgement.verdict == Verdict::Unknown || judgement.amount == Amount::Unknown
}

fn compared(left: &Answer, right: &Answer) -> Option<Ordering> {
    match (left, right) {
        (Answer::Number(left), Answer::Number(right)) => Some(left.cmp(right)),
        (Answer::Date(left), Answer::Date(right)) => Some(left.cmp(right)),
        (Answer::Text(left), Answer::Text(right)) => Some(left.cmp(right)),
        (Answer::Bool(left), Answer::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// A day so many days from another.
#[must_use]
pub fn shifted(day: NaiveDate, by: i64) -> NaiveDate {
    let distance = Days::new(by.unsigned_abs());
    let moved = if by < 0 { day.checked_sub_days(distance) } else { day.checked_add_days(distance) };
    moved.unwrap_or(day)
}

/// The value of a fact moved by a number of its smallest steps: days, months, whole numbers, hundredths.
#[must_use]
pub fn stepped(catalogue: &Catalogue, id: FactId, value: &Value, by: i64) -> Option<Value> {
    let ty = &catalogue.fact(id).ty;
    match value {
        Value::Number(number) => {
            let scale = ty.scale.max(number.scale);
            let digits = number.digits.checked_mul(10_i64.checked_pow(u32::from(scale - number.scale))?)?;
            Some(Value::Number(Number { digits: digits.checked_add(by)?, scale }))
        }
        Value::Date(day) if ty.ty == Ty::Date && ty.month => dates::add_months(*day, by).map(Value::Date),
        Value::Date(day) => dates::add_days(*day, by).map(Value::Date),
        Value::Bool(_) | Value::Text(_) => None,
    }
}
