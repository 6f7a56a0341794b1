//! Expressions as terms of one graph: what means the same is the same term, wherever it stands.

use std::collections::HashMap;
use std::sync::Arc;

use super::values::Values;
use crate::check::ir::{ArithOp, CompareOp, Expr, Function, Kind, Number, Ty, Value};

/// A term of a [`Terms`].
pub type TermId = usize;

/// What a term is. Parts come before the whole.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Term {
    /// A known value.
    Literal(Value),
    /// Unknown, whatever the row; of a type, so that an unknown day is not the same term as an unknown verdict.
    Unknown(Ty),
    /// A fact that is not computed from others.
    Fact(usize),
    /// The day.
    AsOf,
    /// A parameter, with the region that it is looked up at.
    Parameter(Arc<str>, Option<TermId>),
    /// Whether a code lies in a region.
    InRegion(TermId, Arc<str>),
    /// The verdict of another policy.
    Entitled(Arc<str>),
    /// Whether a text is one of a set.
    TextIn(TermId, Arc<[Arc<str>]>),
    /// The number that a table gives for a text.
    TextMap(TermId, Arc<[(Arc<str>, Number)]>),
    /// Kleene negation.
    Not(TermId),
    /// Kleene conjunction.
    And(Vec<TermId>),
    /// Kleene disjunction.
    Or(Vec<TermId>),
    /// At least so many.
    AtLeast(usize, Vec<TermId>),
    /// A comparison; the left side is never the later term.
    Compare(CompareOp, TermId, TermId),
    /// Arithmetic.
    Arith(ArithOp, TermId, TermId),
    /// The negative.
    Negate(TermId),
    /// Whether it is known.
    IsKnown(TermId),
    /// `LIKE`.
    Like(TermId, Arc<str>),
    /// The value of the first branch whose condition is yes.
    Case(Vec<(TermId, TermId)>, Option<TermId>),
    /// A function.
    Call(Function, Vec<TermId>),
}

/// What is known of facts, parameters and regions beside what expressions say of them.
pub trait Surroundings {
    /// The expression that a fact stands for, over other facts of the same subject; none for all others.
    fn computed(&self, fact: usize) -> Option<&Expr>;
    /// All values that a fact can have, and the digits behind the point that its numbers have at most; none where
    /// nothing is known.
    fn fact(&self, fact: usize) -> Option<(Values, Option<u8>)>;
    /// The days that are asked about.
    fn as_of(&self) -> Values;
    /// All values that a parameter can have, and whether it may have none where the region is known; `at` is the fact
    /// that says where it is looked up, if it is one.
    fn parameter(&self, name: &str, by_region: bool, at: Option<usize>) -> Values;
    /// The value of a parameter in a region on a day.
    fn parameter_at(&self, name: &str, region: Option<&str>, day: i64) -> Option<Number>;
    /// Every code that may lie in a region on some day; none where that is not known.
    fn members(&self, region: &str) -> Option<Arc<std::collections::BTreeSet<Arc<str>>>>;
    /// Whether a code lies in a region on a day.
    fn lies_in(&self, code: &str, region: &str, day: i64) -> Option<bool>;
}

/// Terms, each once.
#[derive(Debug, Default)]
pub struct Terms {
    each: Vec<Term>,
    types: Vec<Ty>,
    /// What is known of each before anything is assumed.
    base: Vec<Option<Values>>,
    /// The digits behind the point that the numbers of each have at most.
    grids: Vec<Option<u8>>,
    /// Parameters that have a value wherever they are looked up in a known region.
    gapless: std::collections::HashSet<TermId>,
    index: HashMap<Term, TermId>,
}

/// Computed facts inside computed facts are written out as deep as this.
const DEEPEST: usize = 12;

impl Terms {
    /// The term of an expression; computed facts are written out.
    pub fn add(&mut self, expr: &Expr, around: &dyn Surroundings) -> TermId {
        self.add_at(expr, around, 0)
    }

    fn add_at(&mut self, expr: &Expr, around: &dyn Surroundings, depth: usize) -> TermId {
        if let Kind::Fact(fact) = expr.kind
            && depth < DEEPEST
            && let Some(computed) = around.computed(fact)
        {
            return self.add_at(computed, around, depth + 1);
        }
        let term = term_of(expr, &mut |part| Some(self.add_at(part, around, depth))).unwrap_or(Term::Unknown(expr.ty));
        self.intern(term, expr.ty, around)
    }

    /// The term of an expression, if it was added before.
    #[must_use]
    pub fn lookup(&self, expr: &Expr, around: &dyn Surroundings) -> Option<TermId> {
        self.lookup_at(expr, around, 0)
    }

    fn lookup_at(&self, expr: &Expr, around: &dyn Surroundings, depth: usize) -> Option<TermId> {
        if let Kind::Fact(fact) = expr.kind
            && depth < DEEPEST
            && let Some(computed) = around.computed(fact)
        {
            return self.lookup_at(computed, around, depth + 1);
        }
        let term = term_of(expr, &mut |part| self.lookup_at(part, around, depth))?;
        self.find(&term)
    }

    /// The term, new or known.
    pub fn intern(&mut self, term: Term, ty: Ty, around: &dyn Surroundings) -> TermId {
        if let Some(found) = self.index.get(&term) {
            return *found;
        }
        let id = self.each.len();
        let mut grid = if ty == Ty::Date { Some(0) } else { self.grid_of(&term) };
        let base = match &term {
            Term::Fact(fact) => {
                let (values, places) = around.fact(*fact).unwrap_or_else(|| (Values::anything(ty), None));
                grid = grid.or(places);
                Some(values)
            }
            Term::AsOf => Some(around.as_of()),
            Term::Parameter(name, region) => {
                let at = region.and_then(|region| match self.each[region] {
                    Term::Fact(fact) => Some(fact),
                    _ => None,
                });
                let values = around.parameter(name, region.is_some(), at);
                if !values.unknown {
                    self.gapless.insert(id);
                }
                Some(values.or_unknown(true))
            }
            Term::Entitled(_) => Some(Values::anything(ty)),
            _ => None,
        };
        self.base.push(base);
        self.types.push(ty);
        self.grids.push(grid.filter(|_| matches!(ty, Ty::Number | Ty::Date)));
        self.each.push(term.clone());
        self.index.insert(term, id);
        id
    }

    /// A term.
    #[must_use]
    pub fn term(&self, id: TermId) -> &Term {
        &self.each[id]
    }

    /// The term, if it is among them.
    #[must_use]
    pub fn find(&self, term: &Term) -> Option<TermId> {
        self.index.get(term).copied()
    }

    /// The digits behind the point that the numbers of a term have at most; none where that is not known.
    #[must_use]
    pub fn grid(&self, id: TermId) -> Option<u8> {
        self.grids[id]
    }

    fn grid_of(&self, term: &Term) -> Option<u8> {
        let most = |items: &[TermId]| items.iter().map(|item| self.grids[*item]).try_fold(0, |most, places| Some(places?.max(most)));
        match term {
            Term::Literal(Value::Number(number)) => Some(number.scale),
            Term::TextMap(_, map) => Some(map.iter().map(|(_, number)| number.scale).max().unwrap_or(0)),
            Term::Negate(inner) => self.grids[*inner],
            Term::Arith(ArithOp::Add | ArithOp::Sub, left, right) => most(&[*left, *right]),
            Term::Arith(ArithOp::Mul, left, right) => self.grids[*left]?.checked_add(self.grids[*right]?).filter(|places| *places <= 12),
            Term::Case(branches, otherwise) => {
                let values: Vec<TermId> = branches.iter().map(|(_, then)| *then).chain(*otherwise).collect();
                most(&values)
            }
            Term::Call(Function::Min | Function::Max | Function::Abs | Function::Coalesce, items) => most(items),
            Term::Call(..) => Some(0),
            _ => None,
        }
    }

    /// The type of a term's value.
    #[must_use]
    pub fn ty(&self, id: TermId) -> Ty {
        self.types[id]
    }

    /// What is known of a term before anything is assumed; none where only its parts tell.
    #[must_use]
    pub fn base(&self, id: TermId) -> Option<&Values> {
        self.base[id].as_ref()
    }

    /// Whether a parameter has a value wherever it is looked up in a known region.
    #[must_use]
    pub fn is_gapless(&self, id: TermId) -> bool {
        self.gapless.contains(&id)
    }

    /// How many terms there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.each.len()
    }

    /// Whether there is no term.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.each.is_empty()
    }

    /// The direct parts of a term.
    #[must_use]
    pub fn parts(&self, id: TermId) -> Vec<TermId> {
        match &self.each[id] {
            Term::Literal(_) | Term::Unknown(_) | Term::Fact(_) | Term::AsOf | Term::Entitled(_) => Vec::new(),
            Term::Parameter(_, region) => region.iter().copied().collect(),
            Term::InRegion(value, _) | Term::TextIn(value, _) | Term::TextMap(value, _) | Term::Like(value, _) => vec![*value],
            Term::Not(inner) | Term::Negate(inner) | Term::IsKnown(inner) => vec![*inner],
            Term::And(items) | Term::Or(items) | Term::AtLeast(_, items) | Term::Call(_, items) => items.clone(),
            Term::Compare(_, left, right) | Term::Arith(_, left, right) => vec![*left, *right],
            Term::Case(branches, otherwise) => branches.iter().flat_map(|(when, then)| [*when, *then]).chain(*otherwise).collect(),
        }
    }

    /// What a condition is about: the facts, parameters and policies that it names itself, and the day where it names
    /// nothing else.
    #[must_use]
    pub fn subjects(&self, id: TermId) -> Vec<TermId> {
        let (mut found, mut open, mut day) = (Vec::new(), vec![id], None);
        while let Some(id) = open.pop() {
            match &self.each[id] {
                Term::AsOf => day = Some(id),
                Term::Fact(_) | Term::Parameter(..) | Term::Entitled(_) => {
                    if !found.contains(&id) {
                        found.push(id);
                    }
                }
                _ => open.extend(self.parts(id)),
            }
        }
        if found.is_empty() { day.into_iter().collect() } else { found }
    }

    /// The leaves below a term (facts, the day, parameters, other policies), each once.
    #[must_use]
    pub fn leaves(&self, id: TermId) -> Vec<TermId> {
        let (mut found, mut open) = (Vec::new(), vec![id]);
        while let Some(id) = open.pop() {
            if matches!(self.each[id], Term::Fact(_) | Term::AsOf | Term::Parameter(..) | Term::Entitled(_)) && !found.contains(&id) {
                found.push(id);
            }
            open.extend(self.parts(id));
        }
        found
    }
}

/// The term of an expression, where `part` gives those of its parts.
fn term_of(expr: &Expr, part: &mut dyn FnMut(&Expr) -> Option<TermId>) -> Option<Term> {
    Some(match &expr.kind {
        Kind::Fact(fact) => Term::Fact(*fact),
        Kind::Literal(Value::Number(number)) => Term::Literal(Value::Number(shortest(*number))),
        Kind::Literal(value) => Term::Literal(value.clone()),
        Kind::Unknown => Term::Unknown(expr.ty),
        Kind::AsOf => Term::AsOf,
        Kind::Entitled(code) => Term::Entitled(Arc::clone(code)),
        Kind::Parameter { name, region: None } => Term::Parameter(Arc::clone(name), None),
        Kind::Parameter { name, region: Some(region) } => Term::Parameter(Arc::clone(name), Some(part(region)?)),
        Kind::InRegion { value, region } => Term::InRegion(part(value)?, Arc::clone(region)),
        Kind::TextIn { value, set } => Term::TextIn(part(value)?, Arc::clone(set)),
        Kind::TextMap { value, map } => Term::TextMap(part(value)?, Arc::clone(map)),
        Kind::Not(inner) => Term::Not(part(inner)?),
        Kind::And(items) => Term::And(items.iter().map(part).collect::<Option<_>>()?),
        Kind::Or(items) => Term::Or(items.iter().map(part).collect::<Option<_>>()?),
        Kind::AtLeast(count, items) => Term::AtLeast(*count, items.iter().map(part).collect::<Option<_>>()?),
        Kind::Compare(op, left, right) => compare(*op, part(left)?, part(right)?),
        Kind::Arith(op, left, right) => Term::Arith(*op, part(left)?, part(right)?),
        Kind::Negate(inner) => Term::Negate(part(inner)?),
        Kind::IsKnown(inner) => Term::IsKnown(part(inner)?),
        Kind::Like { value, pattern } => Term::Like(part(value)?, Arc::clone(pattern)),
        Kind::Case { branches, otherwise } => {
            let mut terms = Vec::with_capacity(branches.len());
            for (when, then) in branches {
                terms.push((part(when)?, part(then)?));
            }
            let last = match otherwise {
                Some(last) => Some(part(last)?),
                None => None,
            };
            Term::Case(terms, last)
        }
        Kind::Call(function, items) => Term::Call(*function, items.iter().map(part).collect::<Option<_>>()?),
    })
}

fn compare(op: CompareOp, left: TermId, right: TermId) -> Term {
    if left <= right { Term::Compare(op, left, right) } else { Term::Compare(op.mirrored(), right, left) }
}

fn shortest(mut number: Number) -> Number {
    while number.scale > 0 && number.digits % 10 == 0 {
        number = Number { digits: number.digits / 10, scale: number.scale - 1 };
    }
    number
}
