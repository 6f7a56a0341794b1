//! Conditions over cells: which of yes, no and unknown they can still come to.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::linear::{Bounds, Linear};
use crate::cases::sites::key;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::{CompareOp, Expr, Kind, Ty, Value};
use crate::program::Rational;
use crate::register::declaration::SubjectKind;

/// A set of answers: yes.
pub const YES: u8 = 1;
/// No.
pub const NO: u8 = 2;
/// Unknown.
pub const UNKNOWN: u8 = 4;

/// The amount that cannot be told.
const NO_AMOUNT: u64 = 1 << 63;

/// The values that one thing can have, as far as anybody tells them apart; the last one is unknown unless it never is.
#[derive(Debug, Clone)]
pub enum Cells {
    /// Yes, no, unknown.
    Truth,
    /// Yes and no.
    Known,
    /// One of these texts, perhaps another, unknown.
    Text(Vec<Option<Arc<str>>>),
    /// Between thresholds: each cell says how it stands to each of them; unknown.
    Number(Vec<Rational>, Vec<usize>),
}

impl Cells {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Truth => 3,
            Self::Known => 2,
            Self::Text(texts) => texts.len() + 1,
            Self::Number(_, cells) => cells.len() + 1,
        }
    }
}

/// A condition over cells.
#[derive(Debug, Clone)]
pub enum Form {
    /// The same answer always.
    Constant(u8),
    /// The answer in each cell of a value.
    Atom(usize, Vec<u8>),
    /// Kleene negation.
    Not(Box<Form>),
    /// Kleene conjunction.
    All(Vec<Form>),
    /// At least so many.
    AtLeast(usize, Vec<Form>),
    /// The first branch whose condition is yes.
    Case(Vec<(Form, Form)>, Box<Form>),
}

/// An amount over cells: which of the expressions it is.
#[derive(Debug, Clone)]
pub enum Pick {
    /// Always unknown.
    Unknown,
    /// This one; at most 63 are told apart.
    One(u64),
    /// The first branch whose condition is yes.
    Case(Vec<(Form, Pick)>, Box<Pick>),
}

impl Form {
    /// The answers that it can still come to, where some values are held in a cell.
    pub fn possible(&self, cells: &[Cells], held: &[Option<usize>]) -> u8 {
        match self {
            Self::Constant(answer) => *answer,
            Self::Atom(value, answers) => match held[*value] {
                Some(cell) => answers[cell],
                None => answers.iter().fold(0, |all, answer| all | answer),
            },
            Self::Not(inner) => {
                let inner = inner.possible(cells, held);
                (inner & UNKNOWN) | u8::from(inner & NO != 0) * YES | u8::from(inner & YES != 0) * NO
            }
            Self::All(items) => {
                let masks: Vec<u8> = items.iter().map(|item| item.possible(cells, held)).collect();
                let not_no = masks.iter().all(|mask| mask & (YES | UNKNOWN) != 0);
                let mut found = 0;
                if masks.iter().all(|mask| mask & YES != 0) {
                    found |= YES;
                }
                if masks.iter().any(|mask| mask & NO != 0) {
                    found |= NO;
                }
                if not_no && masks.iter().any(|mask| mask & UNKNOWN != 0) {
                    found |= UNKNOWN;
                }
                found
            }
            Self::AtLeast(count, items) => at_least(*count, &items.iter().map(|item| item.possible(cells, held)).collect::<Vec<_>>()),
            Self::Case(branches, otherwise) => {
                let mut found = 0;
                for (when, then) in branches {
                    let mask = when.possible(cells, held);
                    if mask & YES != 0 {
                        found |= then.possible(cells, held);
                    }
                    found |= mask & UNKNOWN;
                    if mask & NO == 0 {
                        return found;
                    }
                }
                found | otherwise.possible(cells, held)
            }
        }
    }

    /// The values that it reads, in order.
    pub fn collect(&self, found: &mut Vec<usize>) {
        match self {
            Self::Constant(_) => {}
            Self::Atom(value, _) => found.push(*value),
            Self::Not(inner) => inner.collect(found),
            Self::All(items) | Self::AtLeast(_, items) => items.iter().for_each(|item| item.collect(found)),
            Self::Case(branches, otherwise) => {
                for (when, then) in branches {
                    when.collect(found);
                    then.collect(found);
                }
                otherwise.collect(found);
            }
        }
    }
}

fn at_least(count: usize, masks: &[u8]) -> u8 {
    let so_many = |test: &dyn Fn(u8) -> bool| masks.iter().filter(|mask| test(**mask)).count();
    let (surely, perhaps) = (so_many(&|mask| mask == YES), so_many(&|mask| mask & YES != 0));
    let (least_open, most_open) = (so_many(&|mask| mask & NO == 0), so_many(&|mask| mask & (YES | UNKNOWN) != 0));
    let mut found = 0;
    if perhaps >= count {
        found |= YES;
    }
    if least_open < count {
        found |= NO;
    }
    if surely < count && most_open >= count && masks.iter().any(|mask| mask & UNKNOWN != 0) {
        found |= UNKNOWN;
    }
    found
}

impl Pick {
    /// The amounts that it can still come to, one bit each.
    pub fn possible(&self, cells: &[Cells], held: &[Option<usize>]) -> u64 {
        match self {
            Self::Unknown => NO_AMOUNT,
            Self::One(bit) => *bit,
            Self::Case(branches, otherwise) => {
                let mut found = 0;
                for (when, then) in branches {
                    let mask = when.possible(cells, held);
                    if mask & YES != 0 {
                        found |= then.possible(cells, held);
                    }
                    if mask & UNKNOWN != 0 {
                        found |= NO_AMOUNT;
                    }
                    if mask & NO == 0 {
                        return found;
                    }
                }
                found | otherwise.possible(cells, held)
            }
        }
    }

    /// The values that it reads, in order.
    pub fn collect(&self, found: &mut Vec<usize>) {
        if let Self::Case(branches, otherwise) = self {
            for (when, then) in branches {
                when.collect(found);
                then.collect(found);
            }
            otherwise.collect(found);
        }
    }
}

/// Finds the values and their cells first, then writes conditions over them.
pub struct Collector<'a> {
    catalogue: &'a Catalogue,
    kind: SubjectKind,
    names: BTreeMap<String, usize>,
    cells: Vec<Cells>,
    /// Of numbers: whether they are bounded, and how fine they are.
    limits: BTreeMap<usize, (Bounds, Option<Rational>)>,
    leaves: Vec<Arc<str>>,
}

impl<'a> Collector<'a> {
    /// Nothing met yet.
    pub fn new(catalogue: &'a Catalogue, kind: SubjectKind) -> Self {
        Self { catalogue, kind, names: BTreeMap::new(), cells: Vec::new(), limits: BTreeMap::new(), leaves: Vec::new() }
    }

    /// The cells of all values.
    pub fn into_cells(self) -> Vec<Cells> {
        self.cells
    }

    /// Meets an expression: its values, and the thresholds that they are compared with.
    pub fn meet(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Compare(op, left, right) => match spread(*op, left, right) {
                Some(case) => self.meet(&case),
                None => self.meet_comparison(left, right),
            },
            Kind::TextIn { value, set } => {
                let at = self.text(value);
                set.iter().for_each(|text| self.add_text(at, text));
            }
            _ => expr.children().into_iter().for_each(|child| self.meet(child)),
        }
    }

    fn meet_comparison(&mut self, left: &Expr, right: &Expr) {
        match left.ty {
            Ty::Number | Ty::Date => {
                let Some((sum, threshold, _)) = Linear::of(left).minus(&Linear::of(right)).and_then(|sum| sum.against()) else { return };
                if sum.is_constant() {
                    return;
                }
                let name = sum.name();
                let at = self.value(&name, Cells::Number(Vec::new(), Vec::new()));
                self.limits.entry(at).or_insert_with(|| (sum.bounds(self.catalogue, self.kind), sum.step(self.catalogue, self.kind)));
                if let Cells::Number(thresholds, cells) = &mut self.cells[at] {
                    if let Err(place) = thresholds.binary_search(&threshold) {
                        thresholds.insert(place, threshold);
                    }
                    *cells = (0..=2 * thresholds.len()).collect();
                }
                self.prune(at);
            }
            Ty::Text => {
                for (value, other) in [(left, right), (right, left)] {
                    if let Kind::Literal(Value::Text(text)) = &other.kind {
                        let at = self.text(value);
                        self.add_text(at, text);
                    }
                }
            }
            Ty::Bool => {
                self.meet(left);
                self.meet(right);
            }
        }
    }

    /// Cells that hold no value: out of bounds, or between neighbours.
    fn prune(&mut self, at: usize) {
        let Some((bounds, step)) = self.limits.get(&at).copied() else { return };
        let Cells::Number(thresholds, cells) = &mut self.cells[at] else { return };
        cells.retain(|&cell| holds_a_value(thresholds, cell, bounds, step));
    }

    fn value(&mut self, name: &str, cells: Cells) -> usize {
        if let Some(&at) = self.names.get(name) {
            return at;
        }
        self.names.insert(name.to_owned(), self.cells.len());
        self.cells.push(cells);
        self.cells.len() - 1
    }

    fn text(&mut self, value: &Expr) -> usize {
        let codes = match value.kind {
            Kind::Fact(index) => self.catalogue.fact(FactId { kind: self.kind, index }).ty.codes.clone(),
            _ => None,
        };
        // Of a code list every code is a cell; of anything else those that are named, and one for all others.
        let texts = match codes {
            Some(codes) => codes.keys().map(|code| Some(code.as_str().into())).collect(),
            None => vec![None],
        };
        self.value(&format!("text {}", key(value)), Cells::Text(texts))
    }

    fn add_text(&mut self, at: usize, text: &Arc<str>) {
        if let Cells::Text(texts) = &mut self.cells[at]
            && !texts.iter().flatten().any(|known| known == text)
        {
            texts.push(Some(Arc::clone(text)));
        }
    }

    /// A condition over the cells of what was met.
    pub fn form(&mut self, expr: &Expr) -> Form {
        match &expr.kind {
            Kind::Literal(Value::Bool(truth)) => Form::Constant(if *truth { YES } else { NO }),
            Kind::Unknown => Form::Constant(UNKNOWN),
            Kind::Not(inner) => Form::Not(Box::new(self.form(inner))),
            Kind::And(items) => Form::All(items.iter().map(|item| self.form(item)).collect()),
            Kind::Or(items) => {
                let items = items.iter().map(|item| Form::Not(Box::new(self.form(item)))).collect();
                Form::Not(Box::new(Form::All(items)))
            }
            Kind::AtLeast(count, items) => Form::AtLeast(*count, items.iter().map(|item| self.form(item)).collect()),
            Kind::Case { branches, otherwise } => {
                let branches = branches.iter().map(|(when, then)| (self.form(when), self.form(then))).collect();
                let last = otherwise.as_deref().map_or(Form::Constant(UNKNOWN), |last| self.form(last));
                Form::Case(branches, Box::new(last))
            }
            Kind::TextIn { value, set } => {
                let at = self.text(value);
                self.text_atom(at, &|text| text.is_some_and(|text| set.contains(text)))
            }
            Kind::Compare(op, left, right) => self.comparison(*op, left, right, expr),
            Kind::IsKnown(_) => Form::Atom(self.value(&key(expr), Cells::Known), vec![YES, NO]),
            _ => self.opaque(expr),
        }
    }

    fn opaque(&mut self, expr: &Expr) -> Form {
        Form::Atom(self.value(&key(expr), Cells::Truth), vec![YES, NO, UNKNOWN])
    }

    fn text_atom(&self, at: usize, test: &dyn Fn(Option<&Arc<str>>) -> bool) -> Form {
        let Cells::Text(texts) = &self.cells[at] else { return Form::Constant(YES | NO | UNKNOWN) };
        let answers = texts.iter().map(|text| if test(text.as_ref()) { YES } else { NO }).chain([UNKNOWN]).collect();
        Form::Atom(at, answers)
    }

    fn comparison(&mut self, op: CompareOp, left: &Expr, right: &Expr, expr: &Expr) -> Form {
        if let Some(case) = spread(op, left, right) {
            return self.form(&case);
        }
        let texts = [(left, right), (right, left)];
        let written = texts.iter().find_map(|(value, other)| match &other.kind {
            Kind::Literal(Value::Text(text)) => Some((*value, text)),
            _ => None,
        });
        match (left.ty, written) {
            (Ty::Number | Ty::Date, _) => self.number(op, left, right).unwrap_or_else(|| self.opaque(expr)),
            (Ty::Text, Some((value, text))) => {
                let at = self.text(value);
                let wants = op == CompareOp::Eq;
                self.text_atom(at, &|known| (known == Some(text)) == wants)
            }
            _ => self.opaque(expr),
        }
    }

    fn number(&mut self, op: CompareOp, left: &Expr, right: &Expr) -> Option<Form> {
        let difference = Linear::of(left).minus(&Linear::of(right))?;
        if difference.is_constant() {
            let order = difference.value().cmp(&Rational::whole(0));
            return Some(Form::Constant(if holds(op, order) { YES } else { NO }));
        }
        let (sum, threshold, turned) = difference.against()?;
        let at = *self.names.get(&sum.name())?;
        let Cells::Number(thresholds, cells) = &self.cells[at] else { return None };
        let place = thresholds.binary_search(&threshold).ok()?;
        let answer = |cell: &usize| {
            let order = cell.cmp(&(2 * place + 1));
            let order = if turned { order.reverse() } else { order };
            if holds(op, order) { YES } else { NO }
        };
        Some(Form::Atom(at, cells.iter().map(answer).chain([UNKNOWN]).collect()))
    }

    /// An amount over the cells of what was met.
    pub fn pick(&mut self, expr: &Expr) -> Pick {
        match &expr.kind {
            Kind::Unknown => Pick::Unknown,
            Kind::Case { branches, otherwise } => {
                let branches = branches.iter().map(|(when, then)| (self.form(when), self.pick(then))).collect();
                let last = otherwise.as_deref().map_or(Pick::Unknown, |last| self.pick(last));
                Pick::Case(branches, Box::new(last))
            }
            Kind::Arith(op, left, right) => {
                match outward(left, right, &|left, right| Expr::new(Kind::Arith(*op, Box::new(left), Box::new(right)), Ty::Number)) {
                    Some(case) => self.pick(&case),
                    None => self.one(expr),
                }
            }
            _ => self.one(expr),
        }
    }

    fn one(&mut self, expr: &Expr) -> Pick {
        let name = key(expr);
        let at = self.leaves.iter().position(|leaf| *leaf == name).unwrap_or_else(|| {
            self.leaves.push(name);
            self.leaves.len() - 1
        });
        Pick::One(1 << at.min(62))
    }
}

fn holds(op: CompareOp, order: Ordering) -> bool {
    match op {
        CompareOp::Eq => order == Ordering::Equal,
        CompareOp::NotEq => order != Ordering::Equal,
        CompareOp::Lt => order == Ordering::Less,
        CompareOp::LtEq => order != Ordering::Greater,
        CompareOp::Gt => order == Ordering::Greater,
        CompareOp::GtEq => order != Ordering::Less,
    }
}

/// A comparison with a `case` as a `case` of comparisons.
fn spread(op: CompareOp, left: &Expr, right: &Expr) -> Option<Expr> {
    let compare = |left: Expr, right: Expr| Expr::new(Kind::Compare(op, Box::new(left), Box::new(right)), Ty::Bool);
    outward(left, right, &compare)
}

fn outward(left: &Expr, right: &Expr, join: &dyn Fn(Expr, Expr) -> Expr) -> Option<Expr> {
    let (case, is_left) = match (&left.kind, &right.kind) {
        (Kind::Case { .. }, _) => (left, true),
        (_, Kind::Case { .. }) => (right, false),
        _ => return None,
    };
    let Kind::Case { branches, otherwise } = &case.kind else { return None };
    let joined = |value: &Expr| if is_left { join(value.clone(), right.clone()) } else { join(left.clone(), value.clone()) };
    let branches: Vec<(Expr, Expr)> = branches.iter().map(|(when, then)| (when.clone(), joined(then))).collect();
    let ty = branches.first().map_or(Ty::Bool, |(_, then)| then.ty);
    Some(Expr::new(Kind::Case { branches, otherwise: otherwise.as_deref().map(|last| Box::new(joined(last))) }, ty))
}

/// Whether some value lies in a cell: odd ones are thresholds, even ones lie between.
fn holds_a_value(thresholds: &[Rational], cell: usize, (least, greatest): Bounds, step: Option<Rational>) -> bool {
    let whole = |value: Rational, up: bool| -> Option<Rational> {
        let steps = value.checked_mul(step?.recip()?)?;
        let steps = if up { steps.ceil() } else { steps.floor() };
        Rational::whole(i64::try_from(steps).ok()?).checked_mul(step?)
    };
    if cell % 2 == 1 {
        let threshold = thresholds[cell / 2];
        let on_grid = step.is_none() || whole(threshold, true) == Some(threshold);
        return on_grid && least.is_none_or(|least| least <= threshold) && greatest.is_none_or(|greatest| threshold <= greatest);
    }
    let low = (cell > 0).then(|| thresholds[cell / 2 - 1]);
    let high = thresholds.get(cell / 2).copied();
    // The first value above the lower end, on the grid where there is one; it must lie below the upper end.
    let first = match (low, step) {
        (Some(low), Some(step)) => whole(low, false).and_then(|low| low.checked_add(step)),
        (low, _) => low,
    };
    let is_above_least = match (least, high) {
        (Some(least), Some(high)) => least < high,
        _ => true,
    };
    let is_below_greatest = match (greatest, low) {
        (Some(greatest), Some(low)) => low < greatest,
        _ => true,
    };
    let fits = match (first, high) {
        (Some(first), Some(high)) => first < high,
        _ => true,
    };
    is_above_least && is_below_greatest && fits
}
