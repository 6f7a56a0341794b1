//! Names and types resolved against registers and facts: from what the author wrote to the checked form.

pub mod ir;

use std::sync::Arc;

use crate::policy::document::PolicyDocument;
use ir::Expr;

/// A policy whose every expression is typed and resolved; still open to the day (see [`ir`]).
#[derive(Debug, Clone)]
pub struct CheckedPolicy {
    /// As written.
    pub document: Arc<PolicyDocument>,
    /// Whether the subject is covered; yes for everybody where `covers` names no fact.
    pub coverage: Expr,
    /// The criteria as one expression.
    pub criteria: Expr,
    /// The top-level steps of an `all` tree, for the funnel; one step for any other tree.
    pub steps: Vec<Expr>,
    /// Each criterion, in the order of the file: the bits of a finding's reasons.
    pub leaves: Vec<(Arc<str>, Expr)>,
    /// How much, in the subject's facts; for amounts per member, in the household's.
    pub amount: Option<Expr>,
    /// What for.
    pub occasion: Option<Expr>,
    /// Where occasions come from.
    pub each: Option<CheckedEach>,
    /// The most that may be given.
    pub cap: Option<Expr>,
    /// The money there is (needs no fact).
    pub budget: Option<Expr>,
    /// What a budget ranks by.
    pub rank: Option<Expr>,
    /// Facts that the subject may commit to, as columns of the schema.
    pub commit: Vec<usize>,
}

/// Where the occasions of a policy come from. Expressions here are over [`CheckedEach::schema`].
#[derive(Debug, Clone)]
pub struct CheckedEach {
    /// The columns of the rows: those of the register (or of the link's register), and for links the facts of the linked subject.
    pub schema: ir::Schema,
    /// Which rows.
    pub filter: Option<Expr>,
    /// The amount for one.
    pub amount: Option<Expr>,
}
