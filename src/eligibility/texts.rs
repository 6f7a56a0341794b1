//! Many short texts in one buffer, by number: a night names millions of subjects.

use std::hash::BuildHasher;
use std::num::NonZeroU32;

use hashbrown::{DefaultHashBuilder, HashTable};
use rayon::prelude::*;

/// So many texts share the place from which their ends are counted, so that an end takes four bytes.
const BLOCK: usize = 1 << 12;

/// Texts one after another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: String,
    /// Of each text, counted from the beginning of its block.
    ends: Vec<u32>,
    /// Where each block begins.
    blocks: Vec<usize>,
}

impl Texts {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Adds a text at the end.
    ///
    /// # Panics
    ///
    /// When a few thousand texts take more than 4 GiB.
    pub fn push(&mut self, text: &str) {
        if self.ends.len().is_multiple_of(BLOCK) {
            self.blocks.push(self.bytes.len());
        }
        self.bytes.push_str(text);
        let begin = self.blocks.last().copied().unwrap_or(0);
        self.ends.push(u32::try_from(self.bytes.len() - begin).expect("a block of texts takes less than 4 GiB"));
    }

    /// The text at a place.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn get(&self, at: usize) -> &str {
        let begin = self.blocks[at / BLOCK];
        let start = if at.is_multiple_of(BLOCK) { 0 } else { self.ends[at - 1] as usize };
        &self.bytes[begin + start..begin + self.ends[at] as usize]
    }

    /// All, in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        (0..self.len()).map(|at| self.get(at))
    }

    /// Room for more.
    pub fn reserve(&mut self, more: &Self) {
        self.bytes.reserve(more.bytes.len());
        self.ends.reserve(more.ends.len());
    }

    /// Adds all of another list.
    pub fn append(&mut self, more: &Self) {
        self.reserve(more);
        more.iter().for_each(|text| self.push(text));
    }
}

/// Texts of which some are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionalTexts {
    texts: Texts,
    /// Which are there.
    known: Vec<u64>,
}

impl OptionalTexts {
    /// Adds a text, or that there is none.
    pub fn push(&mut self, text: Option<&str>) {
        let at = self.texts.len();
        if at.is_multiple_of(64) {
            self.known.push(0);
        }
        if let Some(last) = self.known.last_mut() {
            *last |= u64::from(text.is_some()) << (at % 64);
        }
        self.texts.push(text.unwrap_or(""));
    }

    /// The text at a place, where there is one.
    ///
    /// # Panics
    ///
    /// When the list is shorter.
    #[must_use]
    pub fn get(&self, at: usize) -> Option<&str> {
        (self.known[at / 64] >> (at % 64) & 1 == 1).then(|| self.texts.get(at))
    }

    /// Adds all of another list.
    pub fn append(&mut self, more: &Self) {
        self.texts.reserve(&more.texts);
        (0..more.texts.len()).for_each(|at| self.push(more.get(at)));
    }
}

/// The number of a distinct text in [`Words`]; a missing one takes no more room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Word(NonZeroU32);

impl Word {
    /// Counts from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    fn at(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("there are fewer than 2^32 distinct texts"))
    }
}

/// Distinct texts, numbered as they come.
#[derive(Debug, Clone, Default)]
pub struct Words {
    texts: Texts,
    table: HashTable<Word>,
    hasher: DefaultHashBuilder,
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for Words {}

impl Words {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The text of a number.
    #[must_use]
    pub fn get(&self, word: Word) -> &str {
        self.texts.get(word.index())
    }

    /// All, by number.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + '_ {
        self.texts.iter()
    }

    /// The number of a text that is known.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<Word> {
        self.table.find(self.hasher.hash_one(text), |word| self.get(*word) == text).copied()
    }

    /// The number of a text, which is entered unless it is known.
    pub fn word(&mut self, text: &str) -> Word {
        let hash = self.hasher.hash_one(text);
        if let Some(word) = self.table.find(hash, |word| self.texts.get(word.index()) == text) {
            return *word;
        }
        let word = Word::at(self.texts.len());
        self.texts.push(text);
        let (texts, hasher) = (&self.texts, &self.hasher);
        self.table.insert_unique(hash, word, |word| hasher.hash_one(texts.get(word.index())));
        word
    }

    /// Enters all of another list: their numbers here, by their numbers there.
    pub fn append(&mut self, more: &Self) -> Vec<Word> {
        more.iter().map(|text| self.word(text)).collect()
    }

    /// The place of each text among all in their order, by number.
    #[must_use]
    pub fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<usize> = (0..self.len()).collect();
        order.par_sort_unstable_by(|&left, &right| self.texts.get(left).cmp(self.texts.get(right)));
        let mut ranks = vec![0; order.len()];
        for (rank, at) in (0..).zip(order) {
            ranks[at] = rank;
        }
        ranks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_come_back_across_blocks() {
        let all: Vec<String> = (0..2 * BLOCK + 3).map(|at| "汉a".repeat(at % 4) + &at.to_string()).collect();
        let mut texts = Texts::default();
        for text in &all {
            texts.push(text);
        }
        let mut twice = texts.clone();
        twice.append(&texts);
        assert!(texts.iter().eq(all.iter().map(String::as_str)));
        assert!(twice.iter().eq(all.iter().chain(&all).map(String::as_str)));
    }

    #[test]
    fn absent_is_not_empty() {
        let mut texts = OptionalTexts::default();
        let all: Vec<Option<&str>> = (0..200).map(|at| [None, Some(""), Some("x")][at % 3]).collect();
        for text in &all {
            texts.push(*text);
        }
        let mut more = OptionalTexts::default();
        more.push(Some("first"));
        more.append(&texts);
        assert_eq!((0..200).map(|at| more.get(at + 1)).collect::<Vec<_>>(), all);
    }

    #[test]
    fn equal_texts_have_one_number_and_ranks_follow_the_texts() {
        let mut words = Words::default();
        let numbers: Vec<usize> = ["b", "a", "", "b", "乙"].iter().map(|text| words.word(text).index()).collect();
        assert_eq!(numbers, [0, 1, 2, 0, 3]);
        assert_eq!(words.ranks(), [2, 1, 0, 3]);
        assert_eq!((words.find("a").map(Word::index), words.find("c")), (Some(1), None));
        let mut more = Words::default();
        more.word("乙");
        assert_eq!(more.append(&words).iter().map(|word| word.index()).collect::<Vec<_>>(), [1, 2, 3, 0]);
    }
}
