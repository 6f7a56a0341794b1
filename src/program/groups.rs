//! The rows of a block by group, so that counts by county cost next to nothing where dossiers are sorted by region.

use super::bitmap;

/// The groups that have rows in a block.
#[derive(Debug, Default)]
pub(super) struct Masks {
    rooms: Vec<Mask>,
    used: usize,
    /// Per group, one more than its place in `rooms`.
    places: Vec<u32>,
}

/// The rows of one group.
#[derive(Debug, Default)]
pub(super) struct Mask {
    pub(super) group: usize,
    /// Words of the block before the group's first.
    pub(super) first: usize,
    /// From the first to the last word in which the group has rows.
    pub(super) words: Vec<u64>,
    pub(super) rows: u64,
}

/// How the rows of a block are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouping {
    /// All rows are in one group.
    One(usize),
    /// No row is in any.
    None,
    /// [`Masks::masks`] has the groups.
    Few,
    /// Too many groups for a mask each.
    Many,
}

/// More groups in a block than this have no masks.
const MOST: usize = 32;

impl Masks {
    /// Sorts out the rows of a block; a group that is not below `groups` is none.
    pub(super) fn begin(&mut self, rows: &[u32], groups: usize) -> Grouping {
        self.used = 0;
        let Some(&first) = rows.first() else { return Grouping::None };
        if rows.iter().fold(0, |differ, group| differ | (group ^ first)) == 0 {
            return if (first as usize) < groups { Grouping::One(first as usize) } else { Grouping::None };
        }
        self.places.resize(groups.max(self.places.len()), 0);
        let mut grouping = Grouping::Few;
        for (start, end) in runs(rows) {
            let group = rows[start] as usize;
            if group >= groups {
                continue;
            }
            if self.places[group] == 0 {
                if self.used == MOST {
                    grouping = Grouping::Many;
                    break;
                }
                self.open(group, start / 64);
            }
            self.rooms[self.places[group] as usize - 1].set(start, end);
        }
        for mask in &self.rooms[..self.used] {
            self.places[mask.group] = 0;
        }
        grouping
    }

    fn open(&mut self, group: usize, first: usize) {
        if self.used == self.rooms.len() {
            self.rooms.push(Mask::default());
        }
        let mask = &mut self.rooms[self.used];
        mask.group = group;
        mask.first = first;
        mask.rows = 0;
        mask.words.clear();
        self.used += 1;
        self.places[group] = u32::try_from(self.used).unwrap_or(u32::MAX);
    }

    /// The groups that have rows in the block.
    pub(super) fn masks(&self) -> &[Mask] {
        &self.rooms[..self.used]
    }
}

impl Mask {
    fn set(&mut self, start: usize, end: usize) {
        self.rows += (end - start) as u64;
        self.words.resize(bitmap::words(end) - self.first, 0);
        for (index, word) in self.words.iter_mut().enumerate().skip(start / 64 - self.first) {
            let (low, high) = ((self.first + index) * 64, (self.first + index + 1) * 64);
            let upto = if end >= high { u64::MAX } else { (1 << (end - low)) - 1 };
            let below = if start <= low { 0 } else { (1 << (start - low)) - 1 };
            *word |= upto & !below;
        }
    }
}

/// Neighbours of one group: first row, and the row after the last.
fn runs(rows: &[u32]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut start = 0;
    rows.chunk_by(|left, right| left == right).map(move |run| {
        let from = start;
        start += run.len();
        (from, start)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rows: &[u32], groups: usize, expected: Grouping) {
        let mut masks = Masks::default();
        masks.begin(&[0, 1, 2, 1], groups.max(2));
        assert_eq!(masks.begin(rows, groups), expected);
        if expected != Grouping::Few {
            return;
        }
        for group in 0..groups {
            let wanted: Vec<usize> = (0..rows.len()).filter(|&row| rows[row] as usize == group).collect();
            let mask = masks.masks().iter().find(|mask| mask.group == group);
            let found = mask.map_or(Vec::new(), |mask| bitmap::rows(&mask.words).map(|row| row + mask.first * 64).collect());
            assert_eq!(found, wanted, "group {group}");
            assert_eq!(mask.map_or(0, |mask| mask.rows), wanted.len() as u64);
        }
    }

    #[test]
    fn rows_by_group() {
        check(&[], 3, Grouping::None);
        check(&[2; 100], 3, Grouping::One(2));
        check(&[3; 100], 3, Grouping::None);
        for size in [2_u32, 63, 64, 65, 130, 513] {
            check(&(0..size).map(|row| row % 3).collect::<Vec<_>>(), 3, Grouping::Few);
            check(&(0..size).map(|row| row * 4 / size).collect::<Vec<_>>(), 3, Grouping::Few);
            check(&(0..size).map(|row| if row == size - 1 { 1 } else { u32::MAX }).collect::<Vec<_>>(), 2, Grouping::Few);
        }
        check(&(0..500).collect::<Vec<_>>(), 500, Grouping::Many);
    }
}
