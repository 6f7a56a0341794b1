//! Which rows of a batch count: picked once for all aggregates with the same condition.

use arrow::buffer::BooleanBuffer;

use super::Lane;

/// Rows of a batch, ascending.
#[derive(Debug)]
pub(crate) enum Picked {
    /// Every row.
    All(usize),
    /// Some.
    Rows(Vec<u32>),
}

impl Picked {
    fn of(mask: &BooleanBuffer) -> Self {
        if mask.count_set_bits() == mask.len() { Self::All(mask.len()) } else { Self::Rows(mask.set_indices_u32().collect()) }
    }

    /// Does something for each row.
    #[inline]
    pub(super) fn for_each(&self, mut work: impl FnMut(usize)) {
        match self {
            Self::All(rows) => (0..*rows).for_each(work),
            Self::Rows(rows) => rows.iter().for_each(|&row| work(row as usize)),
        }
    }
}

/// Rows of subjects in the range, by what a condition says of them.
#[derive(Debug)]
pub(crate) struct Selection {
    /// Rows that surely pass.
    pub(super) sure: Picked,
    /// Rows of which it is unknown.
    pub(super) doubtful: Picked,
}

/// The selections of a batch by condition.
#[derive(Debug)]
pub(crate) struct Selections {
    unconditional: Selection,
    by_lane: Vec<Option<Selection>>,
}

impl Selections {
    /// Picks rows whose places lie in the range, for each of the conditions: lanes of booleans.
    pub(crate) fn new(places: &[u32], first: u32, count: usize, lanes: &[Lane], conditions: impl IntoIterator<Item = usize>) -> Self {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let here = BooleanBuffer::collect_bool(places.len(), |row| places[row].wrapping_sub(first) < count);
        let nobody = || Picked::Rows(Vec::new());
        let mut by_lane: Vec<Option<Selection>> = lanes.iter().map(|_| None).collect();
        for condition in conditions {
            if by_lane[condition].is_some() {
                continue;
            }
            let selection = match lanes[condition].truths() {
                Some((yes, None)) => Selection { sure: Picked::of(&(yes & &here)), doubtful: nobody() },
                Some((yes, Some(known))) => {
                    let known_here = &here & known.inner();
                    Selection { sure: Picked::of(&(yes & &known_here)), doubtful: Picked::of(&(&here ^ &known_here)) }
                }
                None => Selection { sure: nobody(), doubtful: Picked::of(&here) },
            };
            by_lane[condition] = Some(selection);
        }
        Self { unconditional: Selection { sure: Picked::of(&here), doubtful: nobody() }, by_lane }
    }

    /// The selection of a condition; of none: all rows of subjects in the range.
    pub(super) fn of(&self, condition: Option<usize>) -> &Selection {
        condition.and_then(|at| self.by_lane[at].as_ref()).unwrap_or(&self.unconditional)
    }
}
