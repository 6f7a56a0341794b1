//! The condition language: text in, syntax tree out, and back. Pure: no files, no facts, no types.

pub mod ast;
