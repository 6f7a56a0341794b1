//! Numbers at places, as narrow as their type lets them be.

use crate::check::ir::Ty;

/// One number per place.
#[derive(Debug)]
pub(super) enum Cells {
    /// None is needed.
    None,
    /// Dates, counts, and places of texts.
    Narrow(Vec<i32>),
    /// Numbers.
    Wide(Vec<i64>),
}

impl Cells {
    pub(super) fn none() -> Self {
        Self::None
    }

    pub(super) fn wide32(places: usize) -> Self {
        Self::Narrow(vec![0; places])
    }

    pub(super) fn wide64(places: usize) -> Self {
        Self::Wide(vec![0; places])
    }

    /// Cells for the values of a type.
    pub(super) fn for_type(ty: Ty, places: usize) -> Self {
        match ty {
            Ty::Bool => Self::None,
            Ty::Number => Self::wide64(places),
            Ty::Date | Ty::Text => Self::wide32(places),
        }
    }

    pub(super) fn get(&self, at: usize) -> i64 {
        match self {
            Self::None => 0,
            Self::Narrow(cells) => i64::from(cells[at]),
            Self::Wide(cells) => cells[at],
        }
    }

    pub(super) fn set(&mut self, at: usize, value: i64) {
        match self {
            Self::None => {}
            Self::Narrow(cells) => cells[at] = i32::try_from(value).unwrap_or(i32::MAX),
            Self::Wide(cells) => cells[at] = value,
        }
    }

    pub(super) fn add_one(&mut self, at: usize) {
        if let Self::Narrow(cells) = self {
            cells[at] = cells[at].saturating_add(1);
        }
    }
}
