//! The condition language: text in, syntax tree out, and back. Pure: no files, no facts, no types.
//!
//! ```text
//! text ── lexer ──▶ tokens ── parser ──▶ ast::Expr ── print ──▶ canonical text
//!            └──────── SyntaxError ────────┘   parse(print(e)) == e, up to ranges
//! ```
//!
//! Authors may write Chinese words, full-width signs and digits; the tree is the same. Every range is a byte range of the
//! text as it was given. A text may have several errors; all are told.

pub mod ast;
mod error;
mod lexemes;
mod lexer;
mod parser;
mod print;
mod token;
pub mod words;

pub use error::SyntaxError;
pub use lexemes::{Lexeme, LexemeKind, lexemes};
pub use print::{print, print_in};

/// Reads a condition or an amount. The tree is there whenever its meaning is beyond doubt, also beside errors.
///
/// # Example
///
/// ```
/// let (tree, errors) = mianshen::criteria::parse("年龄 ≥ 60 且 户籍 属于 （地区（‘990100’））");
/// assert!(errors.is_empty());
/// assert_eq!(mianshen::criteria::print(&tree.unwrap()), "age >= 60 and 户籍 in (region('990100'))");
/// ```
#[must_use]
pub fn parse(text: &str) -> (Option<ast::Expr>, Vec<SyntaxError>) {
    parser::parse(text, false)
}

/// Reads the fact of a register: as [`parse`], and calls may carry `where` and `by`.
///
/// # Example
///
/// ```
/// let (tree, errors) = mianshen::criteria::parse_aggregate("latest(grade by issued_on) where kind = 'visual'");
/// assert!(tree.is_some() && errors.is_empty());
/// ```
#[must_use]
pub fn parse_aggregate(text: &str) -> (Option<ast::Expr>, Vec<SyntaxError>) {
    parser::parse(text, true)
}
