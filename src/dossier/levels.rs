//! The query that makes one level of one kind's facts: pieces joined onto the subjects.

use std::fmt::Write as _;

use super::query::{quoted, sql_type};
use crate::check::ir::Ty;

/// A subquery with one row per subject, and the facts read from it.
#[derive(Debug, Clone, Default)]
pub struct Piece {
    /// The subquery; its rows have `id` and `present`.
    pub query: String,
    /// Output columns: name, and its expression over the alias `{p}` of the piece and `b` of the base.
    pub columns: Vec<(String, String)>,
}

/// A level: the subjects, and what is joined onto them.
#[derive(Debug, Clone, Default)]
pub struct Level {
    /// The query that gives the subjects, one row each, with column `id`.
    pub base: String,
    /// Columns straight from the base.
    pub base_columns: Vec<(String, String)>,
    /// Pieces.
    pub pieces: Vec<Piece>,
}

impl Level {
    /// The whole query.
    #[must_use]
    pub fn query(&self) -> String {
        let mut select = "select b.id as id".to_owned();
        for (name, text) in &self.base_columns {
            let _ = write!(select, ", {text} as {}", quoted(name));
        }
        let mut joins = String::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            let alias = format!("p{index}");
            for (name, text) in &piece.columns {
                let _ = write!(select, ", {} as {}", text.replace("{p}", &alias), quoted(name));
            }
            let _ = write!(joins, " left join ({}) {alias} on {alias}.id = b.id", piece.query);
        }
        format!("{select} from ({}) b{joins}", self.base)
    }
}

/// Whether subjects without rows are known to have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completeness {
    /// Never.
    Partial,
    /// All subjects.
    Everywhere,
    /// The subjects for which this boolean column of the base is yes.
    Where(String),
}

/// The expression of a fact over its piece: the aggregate where there are rows, else what their absence means.
#[must_use]
pub fn or_none(aggregate: &str, of_none: &str, complete: &Completeness, ty: Ty, scale: u8) -> String {
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
pub fn unknown(ty: Ty, scale: u8) -> String {
    format!("cast(null as {})", sql_type(ty, scale))
}
