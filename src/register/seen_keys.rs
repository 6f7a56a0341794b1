//! The keys of the rows seen so far, in about 14 bytes each: which rows repeat an earlier one.
//!
//! A key is two words. The first leads to one of many buckets of eight, which fills one or two lines of the cache; the second is what
//! stands there. Two different keys are taken for one where their second words are equal and their first ones lead to the same bucket:
//! once in 10¹⁰ registers of 10⁸ rows, and never for keys that are told by their second word alone (see `row_keys.rs`).

use std::collections::HashSet;
use std::hint::black_box;

use rayon::prelude::*;

use super::row_keys::Key;

const SLOTS: usize = 8;
/// Keys of a bucket on average; few buckets are too small for theirs.
const LOAD: usize = 5;
/// Tables beside each other at most.
const MOST_TABLES: usize = 16;
/// Keys that are looked up together, so that their buckets are fetched at the same time.
const TOGETHER: usize = 64;
/// Keys that a table has room for at least.
const LEAST_ROOM: usize = 1_000;

/// A set of keys that can be added to by several threads: each has its own part of them.
#[derive(Debug)]
pub(super) struct SeenKeys {
    tables: Vec<Table>,
}

impl SeenKeys {
    /// An empty set with room for about so many keys; it grows beyond.
    pub(super) fn with_room(keys: u64) -> Self {
        let n_tables = rayon::current_num_threads().clamp(1, MOST_TABLES);
        let room = usize::try_from(keys).unwrap_or(usize::MAX) / n_tables;
        let tables = (0..n_tables).map(|_| Table { layers: vec![Layer::with_room(room.max(LEAST_ROOM))], overflow: HashSet::new() });
        Self { tables: tables.collect() }
    }

    /// Adds the keys of some batches in their order; the rows of each that have a key seen before, ascending.
    pub(super) fn add(&mut self, batches: &[&[Key]]) -> Vec<Vec<usize>> {
        let n_tables = self.tables.len() as u64;
        let found: Vec<Vec<(usize, usize)>> =
            self.tables.par_iter_mut().enumerate().map(|(at, table)| table.add(batches, at as u64, n_tables)).collect();
        let mut repeated = vec![Vec::new(); batches.len()];
        for (batch, row) in found.into_iter().flatten() {
            repeated[batch].push(row);
        }
        for rows in &mut repeated {
            rows.sort_unstable();
        }
        repeated
    }
}

/// Which of `n` a word leads to, and a word for further choices.
#[expect(clippy::cast_possible_truncation, reason = "the two halves are wanted")]
fn choose(word: u64, n: u64) -> (u64, u64) {
    let product = u128::from(word) * u128::from(n);
    ((product >> 64) as u64, product as u64)
}

/// The keys of one thread.
#[derive(Debug)]
struct Table {
    /// The last one is added to.
    layers: Vec<Layer>,
    /// Keys that found their bucket full.
    overflow: HashSet<Key>,
}

impl Table {
    /// Adds the keys that are this table's; the batch and row of those seen before.
    fn add(&mut self, batches: &[&[Key]], own: u64, n_tables: u64) -> Vec<(usize, usize)> {
        let mut repeated = Vec::new();
        let mut waiting: Vec<(u64, u64, usize)> = Vec::with_capacity(TOGETHER);
        for (batch, keys) in batches.iter().enumerate() {
            for (row, key) in keys.iter().enumerate() {
                let (table, place) = choose(key.0, n_tables);
                if table == own {
                    waiting.push((place, key.1, row));
                    if waiting.len() == TOGETHER {
                        self.add_waiting(&mut waiting, batch, &mut repeated);
                    }
                }
            }
            self.add_waiting(&mut waiting, batch, &mut repeated);
        }
        repeated
    }

    fn add_waiting(&mut self, waiting: &mut Vec<(u64, u64, usize)>, batch: usize, repeated: &mut Vec<(usize, usize)>) {
        for layer in &self.layers {
            let ends = |place: u64| {
                let bucket = &layer.buckets[layer.bucket(place)];
                bucket[0] | bucket[SLOTS - 1]
            };
            black_box(waiting.iter().fold(0, |all, (place, ..)| all | ends(*place)));
        }
        for (place, word, row) in waiting.drain(..) {
            if !self.insert(place, word) {
                repeated.push((batch, row));
            }
        }
    }

    /// Whether the key is seen for the first time.
    fn insert(&mut self, place: u64, word: u64) -> bool {
        let word = word.max(1);
        let Some((last, earlier)) = self.layers.split_last_mut() else { return true };
        let was_full = earlier.iter().any(|layer| layer.buckets[layer.bucket(place)][SLOTS - 1] != 0);
        if earlier.iter().any(|layer| has(&layer.buckets[layer.bucket(place)], word)) {
            return false;
        }
        let at = last.bucket(place);
        let bucket = &mut last.buckets[at];
        if has(bucket, word) {
            return false;
        }
        // Slots fill from the first one on.
        let filled: usize = bucket.iter().map(|slot| usize::from(*slot != 0)).sum();
        let free = (filled < SLOTS).then_some(filled);
        if (was_full || free.is_none()) && self.overflow.contains(&Key(place, word)) {
            return false;
        }
        match free {
            Some(slot) => bucket[slot] = word,
            None => {
                self.overflow.insert(Key(place, word));
            }
        }
        last.keys += 1;
        if last.keys > last.buckets.len() * LOAD {
            let room = last.keys * 2;
            self.layers.push(Layer::with_room(room));
        }
        true
    }
}

/// Whether a word stands in a bucket; all slots are compared, without branches in between.
fn has(bucket: &[u64; SLOTS], word: u64) -> bool {
    bucket.iter().map(|slot| u64::from(*slot == word)).sum::<u64>() > 0
}

/// Buckets in the order of the first words; zero is a free slot.
#[derive(Debug)]
struct Layer {
    buckets: Vec<[u64; SLOTS]>,
    keys: usize,
}

impl Layer {
    fn with_room(keys: usize) -> Self {
        Self { buckets: vec![[0; SLOTS]; keys.div_ceil(LOAD).max(1)], keys: 0 }
    }

    fn bucket(&self, place: u64) -> usize {
        usize::try_from(choose(place, self.buckets.len() as u64).0).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spread(number: u64) -> Key {
        let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Key(mixed.rotate_left(31).wrapping_mul(0xd6e8_feb8_6659_fd93), mixed)
    }

    #[track_caller]
    fn check(room: u64, batches: &[Vec<Key>]) {
        let mut seen = SeenKeys::with_room(room);
        let mut plain = HashSet::new();
        // In windows of three batches.
        for window in batches.chunks(3) {
            let found = seen.add(&window.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let expect: Vec<Vec<usize>> = window
                .iter()
                .map(|batch| batch.iter().enumerate().filter(|(_, key)| !plain.insert(**key)).map(|(row, _)| row).collect())
                .collect();
            assert_eq!(found, expect);
        }
    }

    #[test]
    fn many_keys_beyond_the_room_and_again() {
        let all: Vec<Key> = (0..60_000).map(spread).collect();
        let batches: Vec<Vec<Key>> = all.chunks(999).chain(all.chunks(20_000)).map(<[Key]>::to_vec).collect();
        check(0, &batches);
        check(60_000, &batches);
    }

    #[test]
    fn full_buckets_overflow() {
        // All lead to one bucket.
        let batch: Vec<Key> = (0..30).chain(10..40).map(|word| Key(7, word + 1)).collect();
        check(0, &[batch.clone(), batch]);
    }

    proptest! {
        #[test]
        fn the_first_of_equal_keys_stays(numbers in prop::collection::vec(prop::collection::vec(0..300_u64, 0..80), 0..12)) {
            let batches: Vec<Vec<Key>> = numbers.iter().map(|batch| batch.iter().map(|number| spread(*number)).collect()).collect();
            check(0, &batches);
        }
    }
}
