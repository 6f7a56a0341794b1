//! The words of a text that may be half written, for tools that look at it while it is typed.

use std::ops::Range;

use super::ast::Literal;
use super::lexer::lex;
use super::token::{Kind, Sign};

/// A word or sign and the bytes that it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lexeme {
    /// What it is.
    pub kind: LexemeKind,
    /// Byte range of the text.
    pub range: Range<usize>,
}

/// What a word or sign is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LexemeKind {
    /// A name, after NFKC: of a fact, a link, a function.
    Name(String),
    /// A text in quotes, its content; without the closing quote where that is not written yet.
    Text {
        /// What stands between the quotes.
        content: String,
        /// Whether it is closed.
        closed: bool,
    },
    /// Another value: a number, a date, yes or no.
    Value,
    /// `=`, `!=`
    Equality,
    /// `in`, `not in`
    In,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `.`
    Dot,
    /// `where`
    Where,
    /// Words that end a value: `end`, `is null`.
    Tail,
    /// Any other operator or reserved word: a value may follow.
    Operator,
}

/// The words and signs of a text, in order; what has no meaning is left out.
#[must_use]
pub fn lexemes(text: &str) -> Vec<Lexeme> {
    let (tokens, _) = lex(text);
    let found = tokens.into_iter().filter_map(|token| {
        let written = &text[token.range.clone()];
        let kind = match token.kind {
            Kind::Name(name) => LexemeKind::Name(name),
            Kind::Literal(Literal::Text(content)) => LexemeKind::Text { content, closed: true },
            Kind::BadValue if written.starts_with(['\'', '"', '‘', '’', '“', '”']) => {
                LexemeKind::Text { content: written.chars().skip(1).collect(), closed: false }
            }
            Kind::Literal(_) | Kind::BadValue => LexemeKind::Value,
            Kind::Sign(sign) => of_sign(sign),
            Kind::Bad | Kind::Finish => return None,
        };
        Some(Lexeme { kind, range: token.range })
    });
    found.collect()
}

fn of_sign(sign: Sign) -> LexemeKind {
    match sign {
        Sign::Eq | Sign::NotEq => LexemeKind::Equality,
        Sign::In | Sign::NotIn => LexemeKind::In,
        Sign::LeftParen => LexemeKind::Open,
        Sign::RightParen => LexemeKind::Close,
        Sign::Comma => LexemeKind::Comma,
        Sign::Dot => LexemeKind::Dot,
        Sign::Where => LexemeKind::Where,
        Sign::End | Sign::Null | Sign::Known | Sign::Unknown | Sign::IsNull | Sign::IsNotNull => LexemeKind::Tail,
        _ => LexemeKind::Operator,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kinds and words, one after the other.
    #[track_caller]
    fn check(text: &str, expect: &[(&str, LexemeKind)]) {
        let found: Vec<_> = lexemes(text).into_iter().map(|lexeme| (&text[lexeme.range], lexeme.kind)).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn half_written_texts_are_read_as_far_as_they_go() {
        use LexemeKind::{Dot, Equality, In, Name, Open, Operator, Text};
        let name = |name: &str| Name(name.to_owned());
        check("性别 = '", &[("性别", name("性别")), ("=", Equality), ("'", Text { content: String::new(), closed: false })]);
        check(
            "sex in ('male', “fe",
            &[
                ("sex", name("sex")),
                ("in", In),
                ("(", Open),
                ("'male'", Text { content: "male".to_owned(), closed: true }),
                (",", LexemeKind::Comma),
                ("“fe", Text { content: "fe".to_owned(), closed: false }),
            ],
        );
        check("年龄大于等于household.", &[("年龄", name("年龄")), ("大于等于", Operator), ("household", name("household")), (".", Dot)]);
    }
}
