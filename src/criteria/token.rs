//! The tokens of a text.

use std::ops::Range;

use super::ast::Literal;

/// A token and the bytes that it takes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// The kinds of token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name, after NFKC.
    Name(String),
    /// A value written out.
    Literal(Literal),
    /// An operator, a reserved word or a bracket.
    Sign(Sign),
    /// A value whose fault has been told.
    BadValue,
    /// Characters whose fault has been told.
    Bad,
    /// The end of the text.
    Finish,
}

impl Kind {
    /// Whether a value may end with this token, so that an operator must follow.
    pub(super) fn ends_value(&self) -> bool {
        match self {
            Self::Name(_) | Self::Literal(_) | Self::BadValue => true,
            Self::Sign(sign) => {
                matches!(sign, Sign::RightParen | Sign::End | Sign::Null | Sign::Known | Sign::Unknown | Sign::IsNull | Sign::IsNotNull)
            }
            Self::Bad | Self::Finish => false,
        }
    }

    /// Whether a value may begin with this token.
    pub(super) fn begins_value(&self) -> bool {
        match self {
            Self::Name(_) | Self::Literal(_) | Self::BadValue => true,
            Self::Sign(sign) => {
                matches!(sign, Sign::LeftParen | Sign::Case | Sign::Minus | Sign::Not | Sign::Null | Sign::Known | Sign::Unknown)
            }
            Self::Bad | Self::Finish => false,
        }
    }
}

/// Operators, reserved words and brackets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Or,
    And,
    /// 与, 和, 至: only between the two ends of `between`
    To,
    Not,
    Eq,
    NotEq,
    Lt,
    LtEq,
    Gt,
    GtEq,
    In,
    NotIn,
    Between,
    NotBetween,
    Like,
    NotLike,
    Is,
    /// 为空
    IsNull,
    /// 不为空
    IsNotNull,
    Null,
    Known,
    Unknown,
    Case,
    When,
    Then,
    Else,
    End,
    Where,
    By,
    LeftParen,
    RightParen,
    Comma,
    Dot,
    Plus,
    Minus,
    Star,
    Slash,
}
