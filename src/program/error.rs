//! What can go wrong when conditions are lowered, and when they meet a batch.

use std::fmt;

/// Why expressions could not be lowered to a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompileError {
    /// Something that is only there in the open form (`as_of`, a parameter, a region, an entitlement) was left in.
    NotBound {
        /// Index of the root.
        root: usize,
    },
    /// An expression has a type that its place does not take: checking should have refused it.
    Type {
        /// Index of the root.
        root: usize,
        /// What was expected and what was found.
        message: String,
    },
    /// A constant of the expression does not fit 64 bits, or has more than 18 digits behind the point.
    TooLarge {
        /// Index of the root.
        root: usize,
    },
    /// A fact's index lies outside the schema.
    NoSuchFact {
        /// Index of the root.
        root: usize,
        /// The index.
        fact: usize,
    },
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBound { root } => write!(f, "expression {root} is not bound to a day"),
            Self::Type { root, message } => write!(f, "expression {root}: {message}"),
            Self::TooLarge { root } => {
                write!(f, "expression {root}: a constant does not fit 64 bits, or has more than 18 digits behind the point")
            }
            Self::NoSuchFact { root, fact } => write!(f, "expression {root}: there is no fact {fact} in the schema"),
        }
    }
}

impl std::error::Error for CompileError {}

/// Why a batch could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EvalError {
    /// A number, or a day, left the range that it is computed in.
    Overflow {
        /// The first root that depends on it.
        root: usize,
        /// The first row of the batch at which it happened.
        row: usize,
    },
    /// The batch has no column for a fact.
    MissingColumn {
        /// The fact's name.
        name: String,
    },
    /// The batch's column for a fact has a type that the fact cannot have.
    ColumnType {
        /// The fact's name.
        name: String,
        /// The column's type.
        found: String,
    },
    /// An expression that the row interpreter cannot evaluate: open, or wrongly typed.
    Malformed {
        /// What is wrong.
        message: String,
    },
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Overflow { root, row } => write!(f, "arithmetic overflow in expression {root} at row {row}"),
            Self::MissingColumn { name } => write!(f, "the dossiers have no column `{name}`"),
            Self::ColumnType { name, found } => write!(f, "column `{name}` of the dossiers has type {found}, which the fact cannot have"),
            Self::Malformed { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for EvalError {}
