//! The least change: the smallest sets of facts that the subject can change, and to what, that make a condition yes.
//!
//! The search is exact. Each fact's values fall into few classes within which no part of the condition can tell them
//! apart: two for yes and no, those that the condition's sets and tables tell apart for codes, the spans between
//! [steps](super::steps) for numbers and dates. One value stands for each class: of a span the one nearest to what is,
//! of codes the broadest region, else the first. Sets of facts are tried by size, the values of each from the nearest on;
//! where the search had to stop early, the answer says so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::steps::{Axis, Row, mentions};
use crate::check::ir::{Expr, Function, Kind, Number, Ty, Value};
use crate::program::interpreter::{Answer, evaluate};

/// How often a condition is evaluated at most in one search.
const EVALUATIONS: usize = 20_000;

/// How many sets of the least size are told.
const TOLD: usize = 8;

/// Days from 1900 to 2199.
const DAYS: (i64, i64) = (-25_567, 84_005);

/// Beyond this no count and no amount of a person, household or entity goes, in units of the last digit.
const MOST: i64 = 1_000_000_000_000_000;

/// A fact that the subject can change.
#[derive(Debug, Clone)]
pub(super) struct Changeable {
    /// Its place among the facts.
    pub(super) fact: usize,
    /// Its type.
    pub(super) ty: Ty,
    /// Of numbers, the digits behind the point.
    pub(super) scale: u8,
    /// Of codes, all there are; none where any text will do.
    pub(super) codes: Option<Vec<Arc<str>>>,
}

/// What a search aims at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Yes.
    Yes,
    /// Yes, or unknown: no longer a no.
    NotNo,
}

/// Changed facts with their new values.
pub(super) type Set = Vec<(usize, Value)>;

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Of each set of facts of the least size (at most 8), the first values that do, in the order of the search. Empty:
    /// there is none.
    pub(super) sets: Vec<Set>,
    /// Whether every set that could be smaller, or could exist at all, was looked at.
    pub(super) complete: bool,
}

/// The facts of `all` that a bound condition reads, in the order in which they stand there.
pub(super) fn read_by(condition: &Expr, all: impl Fn(usize) -> Option<Changeable>) -> Vec<Changeable> {
    let mut found: Vec<Changeable> = Vec::new();
    condition.for_each_fact(&mut |fact| {
        if !found.iter().any(|changeable| changeable.fact == fact) {
            found.extend(all(fact));
        }
    });
    found
}

/// The least change that gets a bound condition to the goal. Sets of one size come in the order in which their facts
/// first stand in the condition; of one set, values in the order of their distance from what is.
pub(super) fn least(condition: &Expr, row: Row<'_>, changeable: &[Changeable], goal: Goal) -> Found {
    let may_be_left_open = changeable.iter().all(|changeable| !hides_unknown(condition, changeable.fact));
    let mut search = Search { condition, row, goal, may_be_left_open, left: EVALUATIONS, complete: true };
    let everything: Vec<usize> = changeable.iter().map(|changeable| changeable.fact).collect();
    let mut found = Vec::new();
    if search.could(&everything, &BTreeMap::new()) {
        for size in 1..=changeable.len() {
            let mut chosen = Vec::new();
            search.sets_of(size, changeable, &mut chosen, &mut found);
            if !found.is_empty() || search.left == 0 {
                break;
            }
        }
    }
    found.truncate(TOLD);
    Found { sets: found, complete: search.complete && search.left > 0 }
}

struct Search<'a> {
    condition: &'a Expr,
    row: Row<'a>,
    goal: Goal,
    /// Whether "a no with a fact unknown" means "a no whatever the fact is".
    may_be_left_open: bool,
    left: usize,
    complete: bool,
}

impl Search<'_> {
    fn sets_of<'c>(&mut self, size: usize, from: &'c [Changeable], chosen: &mut Vec<&'c Changeable>, found: &mut Vec<Set>) {
        if chosen.len() == size {
            let facts: Vec<usize> = chosen.iter().map(|changeable| changeable.fact).collect();
            if self.could(&facts, &BTreeMap::new()) {
                // Numbers and dates last: their classes depend on what the others are.
                let mut order = chosen.clone();
                order.sort_by_key(|changeable| matches!(changeable.ty, Ty::Number | Ty::Date));
                self.complete &= !self.move_together(&order);
                self.assign(&order, &mut BTreeMap::new(), found);
            }
            return;
        }
        for (at, changeable) in from.iter().enumerate() {
            if from.len() - at < size - chosen.len() || self.left == 0 || found.len() >= TOLD {
                return;
            }
            chosen.push(changeable);
            self.sets_of(size, &from[at + 1..], chosen, found);
            chosen.pop();
        }
    }

    /// Whether the goal can be reached by changing these facts, those assigned to what they are assigned.
    fn could(&mut self, facts: &[usize], assigned: &BTreeMap<usize, Value>) -> bool {
        if !self.may_be_left_open {
            return true;
        }
        self.verdict(&|fact| match assigned.get(&fact) {
            Some(value) => Some(value.clone()),
            None if facts.contains(&fact) => None,
            None => (self.row)(fact),
        }) != Some(Answer::Bool(false))
    }

    fn verdict(&self, row: Row<'_>) -> Option<Answer> {
        evaluate(self.condition, row).ok().flatten()
    }

    /// Tries the values of some facts beside those assigned; whether the goal was reached.
    fn assign(&mut self, facts: &[&Changeable], assigned: &mut BTreeMap<usize, Value>, found: &mut Vec<Set>) -> bool {
        let Some((changeable, rest)) = facts.split_first() else {
            self.left = self.left.saturating_sub(1);
            let row = |fact: usize| assigned.get(&fact).cloned().or_else(|| (self.row)(fact));
            let verdict = self.verdict(&row);
            let is_reached = verdict == Some(Answer::Bool(true)) || self.goal == Goal::NotNo && verdict.is_none();
            if is_reached {
                found.push(assigned.iter().map(|(fact, value)| (*fact, value.clone())).collect());
            }
            return is_reached;
        };
        let open: Vec<usize> = rest.iter().map(|changeable| changeable.fact).collect();
        for value in self.values(changeable, assigned) {
            if self.left == 0 {
                return false;
            }
            assigned.insert(changeable.fact, value);
            let is_reached = if self.could(&open, assigned) {
                self.assign(rest, assigned, found)
            } else {
                self.left = self.left.saturating_sub(1);
                false
            };
            assigned.remove(&changeable.fact);
            if is_reached {
                return true;
            }
        }
        false
    }

    /// One value of each class that a fact is not in now, the nearest first.
    fn values(&mut self, changeable: &Changeable, assigned: &BTreeMap<usize, Value>) -> Vec<Value> {
        let row = |fact: usize| assigned.get(&fact).cloned().or_else(|| (self.row)(fact));
        let now = (self.row)(changeable.fact);
        let (values, complete) = match changeable.ty {
            Ty::Bool => ([true, false].into_iter().map(Value::Bool).filter(|value| Some(value) != now.as_ref()).collect(), true),
            Ty::Text => texts(self.condition, changeable, now.as_ref()),
            Ty::Number | Ty::Date => ordered(self.condition, changeable, now.as_ref(), &row),
        };
        self.complete &= complete;
        values
    }

    /// Whether two numbers or dates of a set stand in one comparison: their classes then depend on each other.
    fn move_together(&self, facts: &[&Changeable]) -> bool {
        let moving: Vec<usize> =
            facts.iter().filter(|changeable| matches!(changeable.ty, Ty::Number | Ty::Date)).map(|changeable| changeable.fact).collect();
        moving.len() > 1 && in_one_comparison(self.condition, &moving)
    }
}

fn in_one_comparison(expr: &Expr, facts: &[usize]) -> bool {
    let here = matches!(expr.kind, Kind::Compare(..)) && facts.iter().filter(|fact| mentions(expr, **fact)).count() > 1;
    here || expr.children().into_iter().any(|child| in_one_comparison(child, facts))
}

/// Whether a condition can be a no while a fact is unknown, and a yes once it is known: it asks whether it is known.
fn hides_unknown(expr: &Expr, fact: usize) -> bool {
    let here = matches!(expr.kind, Kind::IsKnown(_) | Kind::Call(Function::Coalesce, _)) && mentions(expr, fact);
    here || expr.children().into_iter().any(|child| hides_unknown(child, fact))
}

/// Of each span between steps, the value nearest to what is.
fn ordered(condition: &Expr, changeable: &Changeable, now: Option<&Value>, row: Row<'_>) -> (Vec<Value>, bool) {
    let scale = (changeable.ty == Ty::Number).then_some(changeable.scale);
    let axis = Axis { fact: changeable.fact, scale, row, scan: 0 };
    let (from, to) = match scale {
        None => DAYS,
        // Counts are never below zero.
        Some(0) => (0, MOST),
        Some(_) => (-MOST, MOST),
    };
    let steps = axis.steps(condition, from, to);
    let now = match now {
        Some(Value::Number(Number { digits, .. })) => Some(*digits),
        Some(Value::Date(day)) => Some(i64::from(*day)),
        _ => None,
    };
    let mut ticks: BTreeSet<i64> = match now {
        Some(now) => steps.ticks.iter().map(|&tick| if tick > now { tick } else { tick - 1 }).collect(),
        None => steps.ticks.iter().copied().chain(steps.ticks.first().map(|tick| tick - 1)).collect(),
    };
    if ticks.is_empty() && now.is_none() {
        ticks.insert(from.max(0));
    }
    let mut ticks: Vec<i64> = ticks.into_iter().collect();
    ticks.sort_by_key(|tick| now.map_or(0, |now| tick.abs_diff(now)));
    (ticks.into_iter().map(|tick| axis.value(tick)).collect(), steps.complete)
}

/// Of each class that the condition tells apart, one text: of regions the broadest.
fn texts(condition: &Expr, changeable: &Changeable, now: Option<&Value>) -> (Vec<Value>, bool) {
    let mut tests = Tests { fact: changeable.fact, parts: Vec::new(), named: BTreeSet::new(), complete: true };
    tests.collect(condition);
    tests.named.extend(changeable.codes.iter().flatten().cloned());
    let now = match now {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    let class_now = now.map(|text| tests.class(text));
    let breadth = |text: &str| (text.trim_end_matches('0').len(), text.to_owned());
    let mut classes: Vec<(Vec<Option<Answer>>, Arc<str>)> = Vec::new();
    for text in &tests.named {
        let class = tests.class(text);
        if Some(&class) == class_now.as_ref() {
            continue;
        }
        match classes.iter_mut().find(|(other, _)| *other == class) {
            Some((_, held)) if breadth(text) < breadth(held) => *held = Arc::clone(text),
            Some(_) => {}
            None => classes.push((class, Arc::clone(text))),
        }
    }
    let mut values: Vec<Arc<str>> = classes.into_iter().map(|(_, text)| text).collect();
    values.sort();
    (values.into_iter().map(Value::Text).collect(), tests.complete && changeable.codes.is_some())
}

/// What a condition asks of one text.
struct Tests {
    fact: usize,
    /// The parts that read it and no other fact.
    parts: Vec<Expr>,
    /// The texts that are named.
    named: BTreeSet<Arc<str>>,
    complete: bool,
}

impl Tests {
    fn collect(&mut self, expr: &Expr) {
        if !mentions(expr, self.fact) {
            return;
        }
        let is_itself = |expr: &Expr| matches!(expr.kind, Kind::Fact(fact) if fact == self.fact);
        match &expr.kind {
            Kind::TextIn { value, set } if is_itself(value) => self.named.extend(set.iter().cloned()),
            Kind::TextMap { value, map } if is_itself(value) => self.named.extend(map.iter().map(|(text, _)| Arc::clone(text))),
            Kind::IsKnown(inner) if is_itself(inner) => {}
            Kind::Compare(_, left, right) if is_itself(left) || is_itself(right) => match (&left.kind, &right.kind) {
                (Kind::Literal(Value::Text(text)), _) | (_, Kind::Literal(Value::Text(text))) => {
                    self.named.insert(Arc::clone(text));
                }
                // Compared with another fact: its values are not all known.
                _ => {
                    self.complete = false;
                    return;
                }
            },
            Kind::Like { value, .. } if is_itself(value) => {}
            Kind::Fact(_) => {
                self.complete = false;
                return;
            }
            _ => return expr.children().into_iter().for_each(|child| self.collect(child)),
        }
        self.parts.push(expr.clone());
    }

    /// What the parts say of a text.
    fn class(&self, text: &Arc<str>) -> Vec<Option<Answer>> {
        let row = |fact: usize| (fact == self.fact).then(|| Value::Text(Arc::clone(text)));
        self.parts.iter().map(|part| evaluate(part, &row).ok().flatten()).collect()
    }
}
