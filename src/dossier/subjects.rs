//! Subjects by identifier: each has a place among its kind, in the order of identifiers, and everything after works with places.

use std::hash::BuildHasher;

use arrow::array::{Array, StringArray, StringBuilder};
use hashbrown::{DefaultHashBuilder, HashTable};
use rayon::prelude::*;

use super::directory::Directory;
use super::identity::Identities;
use crate::register::identifier::{person_id_of, person_number};

/// The place of an identifier that no subject has.
pub(super) const NOWHERE: u32 = u32::MAX;

/// In how many parts places are looked up, so that the parts are filled side by side. A power of two.
const PARTS: usize = 64;

/// Identifiers of many rows, as compact as they can be.
#[derive(Debug, Clone)]
pub(super) enum Keys {
    /// Persons: the first 17 digits, which the 18th character follows from.
    Persons(Vec<u64>),
    /// Anything else. No nulls.
    Texts(StringArray),
}

impl Keys {
    /// Packs identifiers that are all persons', else keeps their texts. Nulls must have been left out.
    #[must_use]
    pub(super) fn of(ids: StringArray) -> Self {
        match ids.iter().map(|id| person_number(id.unwrap_or("").as_bytes())).collect() {
            Some(packed) => Self::Persons(packed),
            None => Self::Texts(ids),
        }
    }

    fn into_texts(self) -> StringArray {
        match self {
            Self::Persons(keys) => StringArray::from_iter_values(keys.into_iter().map(|key| person_id_of(key).0.to_vec()).map(text)),
            Self::Texts(texts) => texts,
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// The subjects of one kind in the order of their identifiers.
#[derive(Debug)]
pub(super) struct SubjectIndex {
    ids: Keys,
    /// Of persons.
    directory: Directory,
    /// Of others, by their hash.
    parts: Vec<HashTable<u32>>,
    hasher: DefaultHashBuilder,
}

impl Default for SubjectIndex {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl SubjectIndex {
    /// Indexes identifiers; repeated ones count once.
    #[must_use]
    pub(super) fn new(parts: Vec<Keys>) -> Self {
        let all_persons = parts.iter().all(|part| matches!(part, Keys::Persons(_)));
        let ids = if all_persons {
            let mut keys: Vec<u64> =
                Vec::with_capacity(parts.iter().map(|part| if let Keys::Persons(keys) = part { keys.len() } else { 0 }).sum());
            for part in parts {
                if let Keys::Persons(part) = part {
                    keys.extend(part);
                }
            }
            keys.par_sort_unstable();
            keys.dedup();
            keys.shrink_to_fit();
            Keys::Persons(keys)
        } else {
            let parts: Vec<StringArray> = parts.into_iter().map(Keys::into_texts).collect();
            let mut texts: Vec<&str> = parts.iter().flat_map(|part| part.iter().flatten()).collect();
            texts.par_sort_unstable();
            texts.dedup();
            Keys::Texts(StringArray::from_iter_values(texts))
        };
        let hasher = DefaultHashBuilder::default();
        let (directory, parts) = match &ids {
            Keys::Persons(keys) => (Directory::new(keys), Vec::new()),
            Keys::Texts(texts) => (Directory::default(), places(texts.len(), |place| hasher.hash_one(texts.value(place)))),
        };
        Self { ids, directory, parts, hasher }
    }

    /// All identifiers, in order.
    #[must_use]
    pub(super) fn keys(&self) -> &Keys {
        &self.ids
    }

    /// How many subjects.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        match &self.ids {
            Keys::Persons(keys) => keys.len(),
            Keys::Texts(texts) => texts.len(),
        }
    }

    /// The identifier at a place.
    #[must_use]
    pub(super) fn id(&self, place: usize) -> String {
        match &self.ids {
            Keys::Persons(keys) => text(person_id_of(keys[place]).0.to_vec()),
            Keys::Texts(texts) => texts.value(place).to_owned(),
        }
    }

    /// The identifiers of some places that follow each other.
    #[must_use]
    pub(super) fn ids(&self, start: usize, rows: usize) -> StringArray {
        match &self.ids {
            Keys::Persons(keys) => {
                let mut ids = StringBuilder::with_capacity(rows, rows * 18);
                for key in &keys[start..start + rows] {
                    ids.append_value(person_id_of(*key).as_str());
                }
                ids.finish()
            }
            Keys::Texts(texts) => texts.slice(start, rows),
        }
    }

    /// The identifiers of any places, null where there is none.
    #[must_use]
    pub(super) fn ids_at(&self, places: &[u32], others: &[String]) -> StringArray {
        let mut ids = StringBuilder::with_capacity(places.len(), places.len() * 18);
        for &place in places {
            let at = place as usize;
            if place == NOWHERE {
                ids.append_null();
            } else if at >= self.len() {
                ids.append_option(others.get(at - self.len()));
            } else {
                match &self.ids {
                    Keys::Persons(keys) => ids.append_value(person_id_of(keys[at]).as_str()),
                    Keys::Texts(texts) => ids.append_value(texts.value(at)),
                }
            }
        }
        ids.finish()
    }

    /// The place of an identifier.
    #[must_use]
    pub(super) fn find(&self, id: &str) -> u32 {
        match &self.ids {
            Keys::Persons(_) => person_number(id.as_bytes()).and_then(|number| self.directory.find(number)).unwrap_or(NOWHERE),
            Keys::Texts(texts) => {
                let hash = self.hasher.hash_one(id);
                self.parts[part_of(hash)].find(hash, |&place| texts.value(place as usize) == id).copied().unwrap_or(NOWHERE)
            }
        }
    }

    /// The places of packed or plain identifiers.
    #[must_use]
    pub(super) fn places_of_keys(&self, ids: &Keys) -> Vec<u32> {
        match (ids, &self.ids) {
            (Keys::Persons(ids), Keys::Persons(_)) => self.directory.find_all(ids, NOWHERE),
            (Keys::Persons(ids), Keys::Texts(_)) => ids.iter().map(|&id| self.find(person_id_of(id).as_str())).collect(),
            (Keys::Texts(ids), _) => ids.iter().map(|id| id.map_or(NOWHERE, |id| self.find(id))).collect(),
        }
    }

    /// The places of identifiers under the one of today, with the rows that came under one of before.
    #[must_use]
    pub(super) fn places_of(&self, ids: &StringArray, identities: &Identities) -> Found {
        let mut places = match &self.ids {
            Keys::Persons(_) => {
                let number = |row: usize| if ids.is_null(row) { 0 } else { person_number(ids.value(row).as_bytes()).unwrap_or(0) };
                let numbers: Vec<u64> = (0..ids.len()).map(number).collect();
                self.directory.find_all(&numbers, NOWHERE)
            }
            Keys::Texts(_) => self.places_of_texts(ids),
        };
        let mut renumbered = Vec::new();
        if !identities.is_empty() {
            for (row, place) in places.iter_mut().enumerate() {
                if *place == NOWHERE
                    && ids.is_valid(row)
                    && let Some(today) = identities.today(ids.value(row))
                {
                    renumbered.push(u32::try_from(row).unwrap_or(NOWHERE));
                    *place = self.find(today);
                }
            }
        }
        Found { places, renumbered }
    }

    /// Rows often come in the order of subjects: the next place is tried before any search.
    fn places_of_texts(&self, ids: &StringArray) -> Vec<u32> {
        let mut last = NOWHERE;
        let find = |row: usize| {
            if ids.is_null(row) {
                return NOWHERE;
            }
            let id = ids.value(row);
            let place = self.near(id, last).unwrap_or_else(|| self.find(id));
            last = if place == NOWHERE { last } else { place };
            place
        };
        (0..ids.len()).map(find).collect()
    }

    fn near(&self, id: &str, last: u32) -> Option<u32> {
        let Keys::Texts(texts) = &self.ids else { return None };
        let last = last as usize;
        (last..(last + 2).min(texts.len())).find(|&place| texts.value(place) == id).and_then(|place| u32::try_from(place).ok())
    }
}

/// Where identifiers were found.
#[derive(Debug)]
pub(super) struct Found {
    /// One per row; [`NOWHERE`] where the row names no subject.
    pub(super) places: Vec<u32>,
    /// Rows whose identifier is not today's, ascending.
    pub(super) renumbered: Vec<u32>,
}

fn part_of(hash: u64) -> usize {
    // The lowest and the highest bits choose the bucket inside a part.
    (hash >> 40) as usize & (PARTS - 1)
}

/// All places, in parts by the hash of their identifier.
fn places(count: usize, hash_of: impl Fn(usize) -> u64 + Sync) -> Vec<HashTable<u32>> {
    let chunk = count.div_ceil(rayon::current_num_threads().max(1) * 4).max(1);
    let sorted: Vec<Vec<Vec<u32>>> = (0..count)
        .into_par_iter()
        .step_by(chunk)
        .map(|start| {
            let mut parts: Vec<Vec<u32>> = vec![Vec::new(); PARTS];
            for place in start..count.min(start + chunk) {
                parts[part_of(hash_of(place))].push(u32::try_from(place).unwrap_or(NOWHERE));
            }
            parts
        })
        .collect();
    (0..PARTS)
        .into_par_iter()
        .map(|part| {
            let mut table = HashTable::with_capacity(sorted.iter().map(|chunk| chunk[part].len()).sum());
            for &place in sorted.iter().flat_map(|chunk| &chunk[part]) {
                table.insert_unique(hash_of(place as usize), place, |&other| hash_of(other as usize));
            }
            table
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ids: &[&str], find: &[(&str, u32)]) {
        let keys = Keys::of(StringArray::from(ids.to_vec()));
        let index = SubjectIndex::new(vec![keys]);
        for (id, place) in find {
            assert_eq!(index.find(id), *place, "{id}");
        }
        let texts = StringArray::from_iter_values(find.iter().map(|(id, _)| *id));
        let expected: Vec<u32> = find.iter().map(|(_, place)| *place).collect();
        assert_eq!(index.places_of(&texts, &Identities::default()).places, expected);
        assert_eq!(index.places_of_keys(&Keys::of(texts)), expected);
    }

    #[test]
    fn places_follow_the_order_of_identifiers() {
        check(&["b", "a", "c", "b"], &[("a", 0), ("b", 1), ("c", 2), ("d", NOWHERE), ("", NOWHERE)]);
    }

    #[test]
    fn persons_are_packed_and_given_back() {
        let ids = ["11010519491231002X", "110105194912310038"];
        assert!(matches!(Keys::of(StringArray::from(ids.to_vec())), Keys::Persons(_)));
        check(&ids, &[(ids[0], 0), (ids[1], 1), ("110105194912310011", NOWHERE), ("x", NOWHERE)]);
        let index = SubjectIndex::new(vec![Keys::of(StringArray::from(ids.to_vec()))]);
        assert_eq!(index.ids(0, 2), StringArray::from(ids.to_vec()));
        assert_eq!(index.id(1), ids[1]);
        let others = vec!["someone".to_owned()];
        assert_eq!(index.ids_at(&[1, NOWHERE, 2], &others), StringArray::from(vec![Some(ids[1]), None, Some("someone")]));
    }

    #[test]
    fn a_kind_may_mix_forms() {
        let index = SubjectIndex::new(vec![
            Keys::of(StringArray::from(vec!["11010519491231002X"])),
            Keys::of(StringArray::from(vec!["H1", "11010519491231002X"])),
        ]);
        assert_eq!((index.len(), index.find("11010519491231002X"), index.find("H1")), (2, 0, 1));
    }

    #[test]
    fn nobody_is_found_among_nobody() {
        check(&[], &[("a", NOWHERE)]);
        assert_eq!(SubjectIndex::default().len(), 0);
    }

    #[test]
    fn rows_under_an_identifier_of_before_are_found_under_todays() {
        let links = vec![super::super::identity::IdentityLink {
            old: "b".to_owned(),
            new: "c".to_owned(),
            split: false,
            on: chrono::NaiveDate::default(),
        }];
        let identities = Identities::new(links, chrono::NaiveDate::default());
        let index = SubjectIndex::new(vec![Keys::of(StringArray::from(vec!["a", "c"]))]);
        let found = index.places_of(&StringArray::from(vec!["c", "b", "x"]), &identities);
        assert_eq!((found.places, found.renumbered), (vec![1, 1, NOWHERE], vec![1]));
    }
}
