//! What the generator planted, counted exactly, so that a test can compare what was found.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How many keys a tally names as examples.
const EXAMPLES: usize = 20;

/// A count with the first few keys as examples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many there are.
    pub count: u64,
    /// Up to 20 of their keys, in the order of the files.
    pub keys: Vec<String>,
}

impl Tally {
    /// Counts one more.
    pub(super) fn note(&mut self, key: &str) {
        self.count += 1;
        if self.keys.len() < EXAMPLES {
            self.keys.push(key.to_owned());
        }
    }

    fn absorb(&mut self, other: Tally) {
        self.count += other.count;
        let room = EXAMPLES - self.keys.len();
        self.keys.extend(other.keys.into_iter().take(room));
    }
}

/// Everything that was planted, written as `planted.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planted {
    /// Persons generated, those struck off the population register after their death included.
    pub persons: u64,
    /// Households generated.
    pub households: u64,
    /// Households with a member on the data day.
    pub households_current: u64,
    /// Legal entities generated.
    pub entities: u64,
    /// Rows written per register, dirty ones included.
    pub rows: BTreeMap<String, u64>,
    /// Rows to be quarantined: register, then reason; the key is the subject's identifier as written.
    pub quarantine: BTreeMap<String, BTreeMap<String, Tally>>,
    /// Persons in the population register about whom another register disagrees, by fact; `paid_amount`: old-age allowance
    /// paid for the month of the data day with another amount than the one owed.
    pub conflicts: BTreeMap<String, Tally>,
    /// Rows whose identifier has the old form of 15 digits, by register; the key is the 18 characters.
    pub upgraded_ids: BTreeMap<String, Tally>,
    /// Rows whose identifier has to be tidied: register, then `lower-case-x`, `full-width` or `blanks`.
    pub normalised_ids: BTreeMap<String, BTreeMap<String, Tally>>,
    /// Rows recorded after the data day, by register.
    pub late_rows: BTreeMap<String, Tally>,
    /// Persons who were given another number; the key is the new one.
    pub renumbered: Tally,
    /// Rows that still carry an old number, by register.
    pub renumbered_rows: BTreeMap<String, u64>,
    /// Values left out, by `register.column`.
    pub nulls: BTreeMap<String, Tally>,
    /// Persons who live in another county than that of their hukou.
    pub living_elsewhere: u64,
    /// Persons whose hukou is outside the city.
    pub hukou_outside: u64,
    /// Persons whose death was known on the data day and who are still in the population register.
    pub deceased_in_population: Tally,
    /// Living persons with a local hukou who turn 80 within a month after the data day.
    pub turning_80: Tally,
}

fn merge<V: Default>(into: &mut BTreeMap<String, V>, from: BTreeMap<String, V>, absorb: impl Fn(&mut V, V)) {
    for (key, value) in from {
        absorb(into.entry(key).or_default(), value);
    }
}

impl Planted {
    /// Adds what the next chunk planted.
    pub(super) fn absorb(&mut self, next: Planted) {
        self.persons += next.persons;
        self.households += next.households;
        self.households_current += next.households_current;
        self.entities += next.entities;
        self.living_elsewhere += next.living_elsewhere;
        self.hukou_outside += next.hukou_outside;
        merge(&mut self.rows, next.rows, |a, b| *a += b);
        merge(&mut self.renumbered_rows, next.renumbered_rows, |a, b| *a += b);
        merge(&mut self.quarantine, next.quarantine, |a, b| merge(a, b, Tally::absorb));
        merge(&mut self.normalised_ids, next.normalised_ids, |a, b| merge(a, b, Tally::absorb));
        merge(&mut self.conflicts, next.conflicts, Tally::absorb);
        merge(&mut self.upgraded_ids, next.upgraded_ids, Tally::absorb);
        merge(&mut self.late_rows, next.late_rows, Tally::absorb);
        merge(&mut self.nulls, next.nulls, Tally::absorb);
        self.renumbered.absorb(next.renumbered);
        self.deceased_in_population.absorb(next.deceased_in_population);
        self.turning_80.absorb(next.turning_80);
    }

    pub(super) fn null(&mut self, column: &str, key: &str) {
        self.nulls.entry(column.to_owned()).or_default().note(key);
    }
}
