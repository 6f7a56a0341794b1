//! Makes identifiers with right check characters, each once in a whole city (GB 11643, GB 32100, GB 11714).

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate};

/// Check weights of GB 11643, ISO 7064 MOD 11-2.
const PERSON_WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const PERSON_CHECKS: &[u8; 11] = b"10X98765432";
/// The alphabet of GB 32100: no I, O, S, V, Z.
const ENTITY_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
const ENTITY_WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
const BODY_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// Counties whose prefix a person's number may carry, in the order of their preference index.
pub(super) const PREFIXES: [u32; 12] =
    [990_101, 990_102, 990_103, 990_104, 990_105, 990_106, 990_107, 990_108, 990_109, 990_110, 990_201, 990_202];
/// Sequence numbers of one sex, prefix and birth date: 1 to 499, doubled, plus one for men.
const SLOTS: u32 = 499;
/// Prefixes that one group of chunks may use: the twelve counties and others, invented, after them.
const PREFIXES_PER_GROUP: u32 = 32;

/// An identifier of 18 characters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Id([u8; 18]);

impl Id {
    /// The identifier as text.
    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("identifiers are ASCII")
    }

    /// The identifier with a wrong check character.
    pub(super) fn spoiled(text: &str) -> String {
        let last = text.as_bytes().last().copied().unwrap_or(b'0');
        let wrong = match last {
            b'0'..=b'8' => last + 1,
            b'9' => b'1',
            _ => b'2',
        };
        format!("{}{}", &text[..text.len() - 1], wrong as char)
    }
}

/// The check character of 17 digits (GB 11643-1999).
pub(super) fn person_check(digits: &[u8]) -> u8 {
    let sum: u32 = digits.iter().zip(PERSON_WEIGHTS).map(|(d, w)| u32::from(d - b'0') * w).sum();
    PERSON_CHECKS[(sum % 11) as usize]
}

/// Gives numbers to the people of one chunk; no two chunks share a sequence number of a prefix and date.
pub(super) struct PersonMint {
    group: u32,
    first_slot: u32,
    slots: u32,
    used: HashMap<(u32, NaiveDate, bool), u32>,
}

impl PersonMint {
    /// The numbers of chunk `chunk` among `chunks`.
    pub(super) fn new(chunk: u32, chunks: u32) -> Self {
        let group = chunk / SLOTS;
        let in_group = (chunks - group * SLOTS).clamp(1, SLOTS);
        let slots = SLOTS / in_group;
        Self { group, first_slot: 1 + (chunk % SLOTS) * slots, slots, used: HashMap::new() }
    }

    /// A number never given before, of the preferred county where one is left.
    pub(super) fn mint(&mut self, preferred: usize, birth: NaiveDate, male: bool) -> Id {
        let preferred = preferred as u32;
        let counties = PREFIXES.len() as u32;
        for step in 0..PREFIXES_PER_GROUP {
            let prefix = if step < counties { (preferred + step) % counties } else { step };
            let used = self.used.entry((prefix, birth, male)).or_insert(0);
            if *used < self.slots {
                let scatter = birth.ordinal() * 7 + birth.year().unsigned_abs();
                let slot = self.first_slot + (*used + scatter) % self.slots;
                *used += 1;
                return person_id(self.prefix(prefix), birth, slot * 2 + u32::from(male));
            }
        }
        unreachable!("a chunk never holds so many people of one birth date")
    }

    fn prefix(&self, index: u32) -> u32 {
        match PREFIXES.get(index as usize) {
            Some(code) if self.group == 0 => *code,
            _ => 990_300 + self.group * PREFIXES_PER_GROUP + index,
        }
    }
}

fn person_id(prefix: u32, birth: NaiveDate, sequence: u32) -> Id {
    let digits = format!("{prefix:06}{:04}{:02}{:02}{sequence:03}", birth.year(), birth.month(), birth.day());
    let mut id = [0; 18];
    id[..17].copy_from_slice(digits.as_bytes());
    id[17] = person_check(&id[..17]);
    Id(id)
}

/// The unified social credit code of the entity numbered `ordinal`: `kind` is its two first characters.
pub(super) fn entity_id(kind: &str, county: u32, ordinal: u64) -> Id {
    let mut id = [b'0'; 18];
    id[..2].copy_from_slice(kind.as_bytes());
    id[2..8].copy_from_slice(format!("{county:06}").as_bytes());
    id[8..10].copy_from_slice(b"MA");
    // 31^6 numbers, scattered by a factor prime to 31.
    let mut rest = (ordinal + 1).wrapping_mul(403_201_417) % 887_503_681;
    for place in (10..16).rev() {
        id[place] = ENTITY_ALPHABET[(rest % 31) as usize];
        rest /= 31;
    }
    id[16] = body_check(&id[8..16]);
    id[17] = entity_check(&id[..17]);
    Id(id)
}

/// The check character of an organisation code's eight characters (GB 11714).
pub(super) fn body_check(body: &[u8]) -> u8 {
    let value = |c: u8| u32::from(if c.is_ascii_digit() { c - b'0' } else { c - b'A' + 10 });
    let sum: u32 = body.iter().zip(BODY_WEIGHTS).map(|(c, w)| value(*c) * w).sum();
    match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + digit as u8,
    }
}

/// The check character of a credit code's first 17 characters (GB 32100-2015).
pub(super) fn entity_check(code: &[u8]) -> u8 {
    let value = |c: &u8| ENTITY_ALPHABET.iter().position(|a| a == c).unwrap_or(0) as u32;
    let sum: u32 = code.iter().zip(ENTITY_WEIGHTS).map(|(c, w)| value(c) * w).sum();
    ENTITY_ALPHABET[((31 - sum % 31) % 31) as usize]
}
