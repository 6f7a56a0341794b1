//! One level of one kind's facts: pieces, each with one row per subject, laid beside the subjects.

use super::query::{quoted, sql_type};
use crate::check::catalogue::FactId;
use crate::check::ir::Ty;
use crate::register::declaration::SubjectKind;

/// Where the rows of a piece come from.
#[derive(Debug, Clone)]
pub(super) enum PieceSource {
    /// A query with columns `id`, values, and `present`.
    Query(String),
    /// A query with columns `id` and `target`; the values are those of the subjects that `target` names.
    Targets {
        /// The query.
        query: String,
        /// The kind of the targets.
        kind: SubjectKind,
        /// Columns of the targets: the fact that tells the level, and the column's name.
        columns: Vec<(FactId, String)>,
    },
}

/// Values with at most one row per subject, and the facts read from them.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    /// Where rows come from.
    pub source: PieceSource,
    /// Output columns: name, and its expression over the columns of the piece (`{p}.…`), of other pieces (`p3.…`) and of
    /// the subjects (`b.…`).
    pub columns: Vec<(String, String)>,
}

/// A level: the subjects, and what is laid beside them.
#[derive(Debug, Clone, Default)]
pub(super) struct Level {
    /// For level 0: the query that gives the subjects, one row each, with column `id`. Higher levels take those of level 0.
    pub base: String,
    /// Output columns that no piece gives.
    pub columns: Vec<(String, String)>,
    /// Pieces.
    pub pieces: Vec<Piece>,
}

impl Level {
    /// All output columns with their expressions, `{p}` put in.
    #[must_use]
    pub(super) fn outputs(&self) -> Vec<(String, String)> {
        let of_pieces = self.pieces.iter().enumerate().flat_map(|(index, piece)| {
            piece.columns.iter().map(move |(name, text)| (name.clone(), text.replace("{p}", &format!("p{index}"))))
        });
        self.columns.iter().cloned().chain(of_pieces).collect()
    }
}

/// Whether subjects without rows are known to have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Completeness {
    /// Never.
    Partial,
    /// All subjects.
    Everywhere,
    /// The subjects for which this boolean column of the base is yes.
    Where(String),
}

/// The expression of a fact over its piece: the aggregate where there are rows, else what their absence means.
#[must_use]
pub(super) fn or_none(aggregate: &str, of_none: &str, complete: &Completeness, ty: Ty, scale: u8) -> String {
    let none = match complete {
        _ if of_none == "null" => return format!("{{p}}.{aggregate}"),
        Completeness::Partial => return format!("{{p}}.{aggregate}"),
        Completeness::Everywhere => of_none.to_owned(),
        Completeness::Where(column) => format!("case when b.{} then {of_none} end", quoted(column)),
    };
    format!("case when {{p}}.present then {{p}}.{aggregate} else cast({none} as {}) end", sql_type(ty, scale))
}

/// A fact that nobody gives.
#[must_use]
pub(super) fn unknown(ty: Ty, scale: u8) -> String {
    format!("cast(null as {})", sql_type(ty, scale))
}
