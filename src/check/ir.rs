//! The checked form of a condition: typed, names resolved to facts, units gone, sugar gone.
//!
//! It comes in two states. *Open*: with [`Kind::AsOf`], [`Kind::Parameter`], [`Kind::InRegion`] and [`Kind::Entitled`]
//! still in it, as checking leaves it. *Bound* to a day by [`super::bind`]: these four are gone, and every later
//! stage (Program, interpreter, SQL) takes only the bound form.
//!
//! Three values: every expression can be unknown, whatever its type.

use std::ops::Range;
use std::sync::Arc;

/// What kind of value an expression has, as far as evaluation is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ty {
    /// yes or no
    Bool,
    /// An exact number: an integer, a decimal, or a quotient of such.
    Number,
    /// Days since 1970-01-01. A month is its first day.
    Date,
    /// Text, a code of a code list, a region code, an identifier.
    Text,
}

/// An exact decimal number, `digits / 10^scale`. Money has scale 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Number {
    /// The digits, with sign.
    pub digits: i64,
    /// How many of them stand behind the point.
    pub scale: u8,
}

impl Number {
    /// A whole number.
    #[must_use]
    pub fn whole(value: i64) -> Self {
        Self { digits: value, scale: 0 }
    }
}

/// A known value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// yes or no
    Bool(bool),
    /// A number.
    Number(Number),
    /// Days since 1970-01-01.
    Date(i32),
    /// Text or code.
    Text(Arc<str>),
}

/// A typed expression with the bytes of the author's text that it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: Kind,
    /// The type of its value.
    pub ty: Ty,
    /// Byte range in the decoded text of the scalar it was written in; empty for what was added.
    pub range: Range<usize>,
}

/// The kinds of expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A known value.
    Literal(Value),
    /// Unknown, whatever the row.
    Unknown,
    /// A fact: a column of the subject's [`Schema`].
    Fact(usize),
    /// *Open only.* The day that the evaluation is about.
    AsOf,
    /// *Open only.* The value of a parameter on the day and at the region that `region` (a text expression) gives;
    /// without one, the value for the whole country.
    Parameter {
        /// Its name.
        name: Arc<str>,
        /// A text: the code of the region.
        region: Option<Box<Expr>>,
    },
    /// *Open only.* Whether `value` is the code of `region` or of a region below it on the day.
    InRegion {
        /// A text: the code of a region.
        value: Box<Expr>,
        /// The code of the region that it may lie in.
        region: Arc<str>,
    },
    /// *Open only.* The verdict of another policy on the same subject, before resolution.
    Entitled(Arc<str>),
    /// Whether a text is one of a sorted set.
    TextIn {
        /// The text.
        value: Box<Expr>,
        /// The set.
        set: Arc<[Arc<str>]>,
    },
    /// The number that a table, sorted by text, gives for a text; unknown for a text that is not in it.
    TextMap {
        /// The text.
        value: Box<Expr>,
        /// The table.
        map: Arc<[(Arc<str>, Number)]>,
    },
    /// Kleene negation.
    Not(Box<Expr>),
    /// Kleene conjunction; of nothing: yes.
    And(Vec<Expr>),
    /// Kleene disjunction; of nothing: no.
    Or(Vec<Expr>),
    /// At least so many are yes: yes when enough are yes, no when too few can still be, else unknown.
    AtLeast(usize, Vec<Expr>),
    /// A comparison of two numbers, two dates, or (only `Eq`, `NotEq`) two texts or two booleans.
    Compare(CompareOp, Box<Expr>, Box<Expr>),
    /// Exact arithmetic on numbers. Division by zero is unknown.
    Arith(ArithOp, Box<Expr>, Box<Expr>),
    /// The negative of a number.
    Negate(Box<Expr>),
    /// Whether the value is known; itself never unknown.
    IsKnown(Box<Expr>),
    /// SQL `LIKE` with `%` and `_`, no escape; exact on characters.
    Like {
        /// The text.
        value: Box<Expr>,
        /// The pattern.
        pattern: Arc<str>,
    },
    /// The value of the first branch whose condition is yes; unknown when a condition that is reached is unknown;
    /// `otherwise` (unknown if absent) when all are no.
    Case {
        /// Conditions and the values that they choose.
        branches: Vec<(Expr, Expr)>,
        /// The value when all are no.
        otherwise: Option<Box<Expr>>,
    },
    /// A built-in function. Unknown when an argument is unknown, but for [`Function::Coalesce`].
    Call(Function, Vec<Expr>),
}

/// Comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CompareOp {
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
}

impl CompareOp {
    /// As it is written.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Self::Eq => "=",
            Self::NotEq => "!=",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
        }
    }

    /// The comparison with its sides exchanged.
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::Lt => Self::Gt,
            Self::LtEq => Self::GtEq,
            Self::Gt => Self::Lt,
            Self::GtEq => Self::LtEq,
            Self::Eq | Self::NotEq => self,
        }
    }

    /// The comparison that is yes where this one is no.
    #[must_use]
    pub fn denied(self) -> Self {
        match self {
            Self::Eq => Self::NotEq,
            Self::NotEq => Self::Eq,
            Self::Lt => Self::GtEq,
            Self::LtEq => Self::Gt,
            Self::Gt => Self::LtEq,
            Self::GtEq => Self::Lt,
        }
    }
}

/// Arithmetic operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArithOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`, exact: compared by cross-multiplication, never rounded on the way
    Div,
}

/// Built-in functions, after sugar is gone. Dates are days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// `(birth, day)`: whole years of age on the day; reached on the birthday, for 29 February on 1 March of a common
    /// year; unknown when the day lies before the birth.
    AgeAt,
    /// `(from, to)`: calendar months from one to the other, days ignored; may be negative.
    MonthsBetween,
    /// `(from, to)`: completed months, the end day clamped to the month's last; negative when `to` lies before `from`.
    WholeMonthsBetween,
    /// `(from, to)`: `to − from` in days.
    DaysBetween,
    /// `(day, n)`: the same day `n` years on, clamped to the month's last day.
    AddYears,
    /// `(day, n)`: the same day `n` months on, clamped to the month's last day.
    AddMonths,
    /// `(day, n)`
    AddDays,
    /// The first day of the month.
    MonthStart,
    /// The last day of the month.
    MonthEnd,
    /// 1 January of the year.
    YearStart,
    /// 31 December of the year.
    YearEnd,
    /// The year as a number.
    Year,
    /// The month as a number from 1 to 12.
    Month,
    /// `(from, to, start, end)`: how many calendar months lie both in `from..=to` and in `start..=end`; never negative.
    MonthsOverlap,
    /// The least of the numbers, or of the dates.
    Min,
    /// The greatest of the numbers, or of the dates.
    Max,
    /// The number without its sign.
    Abs,
    /// The greatest whole number not above.
    Floor,
    /// The least whole number not below.
    Ceil,
    /// The nearest whole number, halves away from zero.
    Round,
    /// The first known argument.
    Coalesce,
}

/// The facts of one subject kind that a set of policies needs, in the order of the dossier's columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// One per fact; [`Kind::Fact`] is an index into it.
    pub columns: Vec<Column>,
}

/// One fact of a dossier, as evaluation sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name of the fact and of the dossier's column. Derived facts are named by their text (`members.count(age >= 60)`).
    pub name: Arc<str>,
    /// Type. Arrow columns: `Bool` Boolean; `Number` any integer type (scale 0) or Decimal32, 64 or 128 (its own scale);
    /// `Date` Date32; `Text` Utf8, LargeUtf8, Utf8View or a dictionary of these. Null means unknown.
    pub ty: Ty,
    /// For numbers, digits behind the point: 0 integers, 2 money.
    pub scale: u8,
}

impl Schema {
    /// The index of a fact.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| &*column.name == name)
    }
}

impl Expr {
    /// An expression that stands nowhere in the author's text.
    #[must_use]
    pub fn new(kind: Kind, ty: Ty) -> Self {
        Self { kind, ty, range: 0..0 }
    }

    /// `yes` or `no`.
    #[must_use]
    pub fn boolean(value: bool) -> Self {
        Self::new(Kind::Literal(Value::Bool(value)), Ty::Bool)
    }

    /// The direct parts, in order.
    #[must_use]
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            Kind::Literal(_) | Kind::Unknown | Kind::Fact(_) | Kind::AsOf | Kind::Entitled(_) => Vec::new(),
            Kind::Parameter { region, .. } => region.iter().map(|region| &**region).collect(),
            Kind::InRegion { value, .. } | Kind::TextIn { value, .. } | Kind::TextMap { value, .. } | Kind::Like { value, .. } => {
                vec![value]
            }
            Kind::Not(inner) | Kind::Negate(inner) | Kind::IsKnown(inner) => vec![inner],
            Kind::And(items) | Kind::Or(items) | Kind::AtLeast(_, items) | Kind::Call(_, items) => items.iter().collect(),
            Kind::Compare(_, left, right) | Kind::Arith(_, left, right) => vec![left, right],
            Kind::Case { branches, otherwise } => {
                branches.iter().flat_map(|(when, then)| [when, then]).chain(otherwise.as_deref()).collect()
            }
        }
    }

    /// The same expression with each direct part replaced.
    #[must_use]
    pub fn map_children(&self, replace: &mut dyn FnMut(&Self) -> Self) -> Self {
        let mut each = |items: &[Self]| items.iter().map(&mut *replace).collect::<Vec<_>>();
        let kind = match &self.kind {
            Kind::Literal(_) | Kind::Unknown | Kind::Fact(_) | Kind::AsOf | Kind::Entitled(_) => self.kind.clone(),
            Kind::And(items) => Kind::And(each(items)),
            Kind::Or(items) => Kind::Or(each(items)),
            Kind::AtLeast(count, items) => Kind::AtLeast(*count, each(items)),
            Kind::Call(function, items) => Kind::Call(*function, each(items)),
            Kind::Parameter { name, region } => {
                Kind::Parameter { name: Arc::clone(name), region: region.as_deref().map(|region| Box::new(replace(region))) }
            }
            Kind::InRegion { value, region } => Kind::InRegion { value: Box::new(replace(value)), region: Arc::clone(region) },
            Kind::TextIn { value, set } => Kind::TextIn { value: Box::new(replace(value)), set: Arc::clone(set) },
            Kind::TextMap { value, map } => Kind::TextMap { value: Box::new(replace(value)), map: Arc::clone(map) },
            Kind::Like { value, pattern } => Kind::Like { value: Box::new(replace(value)), pattern: Arc::clone(pattern) },
            Kind::Not(inner) => Kind::Not(Box::new(replace(inner))),
            Kind::Negate(inner) => Kind::Negate(Box::new(replace(inner))),
            Kind::IsKnown(inner) => Kind::IsKnown(Box::new(replace(inner))),
            Kind::Compare(op, left, right) => Kind::Compare(*op, Box::new(replace(left)), Box::new(replace(right))),
            Kind::Arith(op, left, right) => Kind::Arith(*op, Box::new(replace(left)), Box::new(replace(right))),
            Kind::Case { branches, otherwise } => Kind::Case {
                branches: branches.iter().map(|(when, then)| (replace(when), replace(then))).collect(),
                otherwise: otherwise.as_deref().map(|last| Box::new(replace(last))),
            },
        };
        Self { kind, ty: self.ty, range: self.range.clone() }
    }

    /// Calls `visit` with every fact in the expression, each as often as it stands there.
    pub fn for_each_fact(&self, visit: &mut impl FnMut(usize)) {
        if let Kind::Fact(index) = self.kind {
            visit(index);
        }
        for child in self.children() {
            child.for_each_fact(visit);
        }
    }
}
