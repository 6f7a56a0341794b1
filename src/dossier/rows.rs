//! What the rows of one register are evaluated into, and who takes what of it. A register is read once, whatever its facts.

use std::collections::BTreeMap;

use super::accumulate::Recipe;
use super::plan::condition;
use crate::check::catalogue::{Aggregate, FactId, How};
use crate::check::ir::{Expr, Ty};
use crate::register::declaration::SubjectKind;

/// Distinct expressions over rows, each with the digits behind the point that its numbers keep.
#[derive(Debug, Clone, Default)]
pub(super) struct RowColumns {
    /// In the order in which they were asked for.
    pub(super) columns: Vec<(Expr, u8)>,
}

impl RowColumns {
    /// The place of an expression's column; the same expression has one.
    pub(super) fn place(&mut self, expr: &Expr, scale: u8) -> usize {
        if let Some(found) = self.columns.iter().position(|(known, digits)| known.kind == expr.kind && *digits == scale) {
            return found;
        }
        self.columns.push((expr.clone(), scale));
        self.columns.len() - 1
    }

    /// What an aggregate needs, put among the columns. `everywhere` says whether the rows that there are, are for every
    /// subject all that there can be: where they are not, rows that do not pass tell nothing.
    pub(super) fn recipe(&mut self, rows: &Aggregate, ty: Ty, scale: u8, everywhere: bool) -> Recipe {
        let value_scale = |value: &Expr| if value.ty == Ty::Number { scale } else { 0 };
        let tells = matches!(rows.how, How::Count | How::CountDistinct | How::Sum | How::Any | How::All);
        Recipe {
            how: rows.how,
            ty,
            scale,
            passes: condition(rows).map(|condition| self.place(&condition, 0)),
            tells: rows.filter.as_ref().filter(|_| !everywhere && tells).map(|filter| self.place(filter, 0)),
            value: rows.value.as_ref().filter(|_| rows.how != How::Count).map(|value| self.place(value, value_scale(value))),
            by: rows.by.as_ref().map(|by| self.place(by, 0)),
            strict: true,
        }
    }
}

/// What a column of a kind is called and is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A fact.
    Fact(FactId),
    /// What another register says of a fact: the least of its values.
    OtherLeast(FactId, String),
    /// What another register says of a fact: the greatest of its values.
    OtherGreatest(FactId, String),
}

/// The facts that the rows of one register give to the subjects of one kind.
#[derive(Debug, Clone)]
pub(super) struct SubjectRows {
    /// The kind.
    pub(super) kind: SubjectKind,
    /// What is made of the rows.
    pub(super) recipes: Vec<(Purpose, Recipe)>,
}

/// The rows of a register that link two subjects.
#[derive(Debug, Clone)]
pub(super) struct LinkRows {
    /// Index of the link.
    pub(super) link: usize,
    /// From which kind.
    pub(super) from: SubjectKind,
    /// To which kind.
    pub(super) to: SubjectKind,
    /// Columns of the register with both ends.
    pub(super) ends: (String, String),
    /// Rows for which this column is not yes are left out.
    pub(super) filter: Option<usize>,
    /// Columns that are kept.
    pub(super) columns: Vec<usize>,
}

/// The rows of a register that occasions come from.
#[derive(Debug, Clone)]
pub(super) struct KeptRows {
    /// The kind of their subject.
    pub(super) kind: SubjectKind,
    /// Columns that are kept.
    pub(super) columns: Vec<usize>,
}

/// All that is made of one register.
#[derive(Debug, Clone, Default)]
pub(super) struct RegisterRows {
    /// What rows are evaluated into.
    pub(super) rows: RowColumns,
    /// Facts, by kind.
    pub(super) subjects: Vec<SubjectRows>,
    /// Links.
    pub(super) links: Vec<LinkRows>,
    /// Rows of occasions.
    pub(super) kept: Option<KeptRows>,
}

impl RegisterRows {
    /// The facts given to a kind.
    pub(super) fn of_kind(&mut self, kind: SubjectKind) -> &mut SubjectRows {
        let at = self.subjects.iter().position(|subjects| subjects.kind == kind).unwrap_or_else(|| {
            self.subjects.push(SubjectRows { kind, recipes: Vec::new() });
            self.subjects.len() - 1
        });
        &mut self.subjects[at]
    }
}

/// All that is made of all registers, by register.
pub(super) type Registers = BTreeMap<String, RegisterRows>;
