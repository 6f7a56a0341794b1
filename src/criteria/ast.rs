//! The syntax tree of a condition: what the author wrote, with the place of every part.

use std::ops::Range;

/// An expression with the bytes of the text that it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Byte range of the text it was parsed from.
    pub range: Range<usize>,
}

/// The kinds of expression.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// A value written out.
    Literal(Literal),
    /// A fact or, in a register, a column: one name, or a path through a link (`household.income_per_capita`).
    Name(Vec<Ident>),
    /// A function, or an aggregate over a link (`members.count(age >= 60)`), whose path is then longer than one.
    Call(Call),
    /// `not x`
    Not(Box<Expr>),
    /// `-x`
    Negate(Box<Expr>),
    /// `a and b`, `a >= b`, `a + b`
    Binary(Box<Expr>, BinaryOp, Box<Expr>),
    /// `x in (1, 2)`; with `negated`, `x not in (1, 2)`
    InList {
        /// What is tested.
        value: Box<Expr>,
        /// The values it may be.
        list: Vec<Expr>,
        /// Turned round by `not`.
        negated: bool,
    },
    /// `x in region('990100')`, or `in` any other set-valued expression
    InSet {
        /// What is tested.
        value: Box<Expr>,
        /// The set it may be in.
        set: Box<Expr>,
        /// Turned round by `not`.
        negated: bool,
    },
    /// `x between low and high`, both ends included
    Between {
        /// What is tested.
        value: Box<Expr>,
        /// The lower end.
        low: Box<Expr>,
        /// The upper end.
        high: Box<Expr>,
        /// Turned round by `not`.
        negated: bool,
    },
    /// `x is null` (known: false) and `x is known` / `x is not null` (known: true)
    IsKnown {
        /// What is tested.
        value: Box<Expr>,
        /// Whether it must be known, or must be unknown.
        known: bool,
    },
    /// `x like 'a%'`
    Like {
        /// What is tested.
        value: Box<Expr>,
        /// The pattern: `%` stands for any text, `_` for one character.
        pattern: Box<Expr>,
        /// Turned round by `not`.
        negated: bool,
    },
    /// `case when a then b … else c end`
    Case {
        /// Conditions and their values, in order.
        branches: Vec<(Expr, Expr)>,
        /// The value where no condition is met; unknown where there is none.
        otherwise: Option<Box<Expr>>,
    },
}

/// A name with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ident {
    /// As written, after NFKC.
    pub name: String,
    /// Byte range.
    pub range: Range<usize>,
}

/// A call: `path(args) [where filter]`. `latest(value by date)` keeps the date in `by`.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The function's name, after the names of the links that lead to it.
    pub path: Vec<Ident>,
    /// The arguments.
    pub args: Vec<Expr>,
    /// `latest(grade by issued_on)`: what the rows are ordered by.
    pub by: Option<Box<Expr>>,
    /// `sum(base) where kind = 'pension'`
    pub filter: Option<Box<Expr>>,
}

/// A value written out in an expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `true`, `false`
    Bool(bool),
    /// A number, exact: `digits / 10^scale`. `5.5%` is digits 55, scale 3.
    Number {
        /// All digits, without the point.
        digits: i64,
        /// How many of them stand behind the point.
        scale: u8,
    },
    /// `2024-02-29`, as days since 1970-01-01
    Date(i32),
    /// `2024-02`, as its first day, in days since 1970-01-01
    Month(i32),
    /// `'text'`
    Text(String),
    /// `null`: only to tell the author to write `is null`
    Null,
}

/// Operators of two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `or`
    Or,
    /// `and`
    And,
    /// `=`
    Eq,
    /// `!=`
    NotEq,
    /// `<`
    Lt,
    /// `<=`
    LtEq,
    /// `>`
    Gt,
    /// `>=`
    GtEq,
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`, exact
    Div,
}

impl Expr {
    /// The parts of the expression, in the order of the text.
    #[must_use]
    pub fn children(&self) -> Vec<&Self> {
        match &self.kind {
            ExprKind::Literal(_) | ExprKind::Name(_) => Vec::new(),
            ExprKind::Call(call) => call.args.iter().chain(call.by.as_deref()).chain(call.filter.as_deref()).collect(),
            ExprKind::Not(inner) | ExprKind::Negate(inner) => vec![inner],
            ExprKind::Binary(left, _, right) => vec![left, right],
            ExprKind::InList { value, list, .. } => std::iter::once(&**value).chain(list).collect(),
            ExprKind::InSet { value, set, .. } => vec![value, set],
            ExprKind::Between { value, low, high, .. } => vec![value, low, high],
            ExprKind::IsKnown { value, .. } => vec![value],
            ExprKind::Like { value, pattern, .. } => vec![value, pattern],
            ExprKind::Case { branches, otherwise } => {
                branches.iter().flat_map(|(condition, value)| [condition, value]).chain(otherwise.as_deref()).collect()
            }
        }
    }
}
