//! Identity links: persons and entities whose identifier changed are known under the one of today.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Date32Type;
use chrono::NaiveDate;
use hashbrown::HashMap;

/// One row of the `identity_links` register.
#[derive(Debug, Clone)]
pub struct IdentityLink {
    /// The identifier before.
    pub old: String,
    /// The identifier after.
    pub new: String,
    /// Whether one subject became several: the old identifier then stands for nobody.
    pub split: bool,
    /// Since when.
    pub on: NaiveDate,
}

/// Identifiers in links are compared as registers give them: upper case, no blanks.
fn canonical(id: &str) -> String {
    id.trim().to_ascii_uppercase()
}

/// The links of a batch of the register's columns; rows that do not name both identifiers and the day are none.
#[must_use]
pub fn links_of(batch: &RecordBatch) -> Vec<IdentityLink> {
    let text = |name: &str| batch.column_by_name(name).map(AsArray::as_string::<i32>);
    let (Some(old), Some(new), Some(kind)) = (text("old_id"), text("new_id"), text("kind")) else { return Vec::new() };
    let Some(on) = batch.column_by_name("on_date").map(AsArray::as_primitive::<Date32Type>) else { return Vec::new() };
    let link = |row: usize| {
        let is_whole = old.is_valid(row) && new.is_valid(row) && on.is_valid(row);
        is_whole.then(|| IdentityLink {
            old: canonical(old.value(row)),
            new: canonical(new.value(row)),
            split: kind.is_valid(row) && kind.value(row) == "split",
            on: NaiveDate::default() + chrono::Days::new(u64::try_from(on.value(row)).unwrap_or(0)),
        })
    };
    (0..batch.num_rows()).filter_map(link).collect()
}

/// The identifier of today for identifiers of before.
#[derive(Debug, Default)]
pub struct Identities {
    today: HashMap<String, String>,
    /// Identifiers that were split or that run in a circle: rows under them belong to nobody in particular.
    pub ambiguous: BTreeSet<String>,
}

impl Identities {
    /// All that they say, as a text that is the same for the same.
    #[must_use]
    pub fn described(&self) -> String {
        let today: BTreeMap<&String, &String> = self.today.iter().collect();
        format!("{today:?} {:?}", self.ambiguous)
    }

    /// Follows all links that hold on the day, to the end of each chain.
    #[must_use]
    pub fn new(mut links: Vec<IdentityLink>, as_of: NaiveDate) -> Self {
        links.retain(|link| link.on <= as_of && link.old != link.new);
        links.sort_by(|a, b| (&a.old, a.on, &a.new).cmp(&(&b.old, b.on, &b.new)));
        let mut next: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut ambiguous: BTreeSet<String> = BTreeSet::new();
        for link in links {
            if link.split {
                ambiguous.insert(link.old.clone());
            }
            next.entry(link.old).or_default().insert(link.new);
        }
        ambiguous.extend(next.iter().filter(|(_, new)| new.len() > 1).map(|(old, _)| old.clone()));
        let mut today = HashMap::new();
        for old in next.keys() {
            match follow(old, &next, &ambiguous) {
                Some(end) => {
                    today.insert(old.clone(), end);
                }
                None => {
                    ambiguous.insert(old.clone());
                }
            }
        }
        Self { today, ambiguous }
    }

    /// The identifier of today, where it is another.
    #[must_use]
    pub fn today(&self, id: &str) -> Option<&str> {
        self.today.get(id).map(String::as_str)
    }

    /// Every identifier of before with the one of today, in no particular order.
    pub fn renumbered(&self) -> impl Iterator<Item = (&str, &str)> {
        self.today.iter().map(|(before, today)| (before.as_str(), today.as_str()))
    }

    /// Whether nobody was ever renumbered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.today.is_empty()
    }
}

fn follow(old: &str, next: &BTreeMap<String, BTreeSet<String>>, ambiguous: &BTreeSet<String>) -> Option<String> {
    let mut at = old;
    for _ in 0..=next.len() {
        if ambiguous.contains(at) {
            return None;
        }
        match next.get(at).and_then(BTreeSet::first) {
            Some(new) => at = new,
            None => return Some(at.to_owned()),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(old: &str, new: &str, split: bool, on: &str) -> IdentityLink {
        IdentityLink { old: old.into(), new: new.into(), split, on: on.parse().expect("a date") }
    }

    #[track_caller]
    fn check(links: Vec<IdentityLink>, id: &str, expect: Option<&str>) {
        let identities = Identities::new(links, "2026-06-30".parse().expect("a date"));
        assert_eq!(identities.today(id), expect);
    }

    #[test]
    fn chains_are_followed_to_their_end() {
        let links = vec![link("a", "b", false, "2020-01-01"), link("b", "c", false, "2021-01-01")];
        check(links.clone(), "a", Some("c"));
        check(links.clone(), "b", Some("c"));
        check(links, "c", None);
    }

    #[test]
    fn merging_leads_several_to_one() {
        let links = vec![link("a", "c", false, "2020-01-01"), link("b", "c", false, "2020-01-01")];
        check(links.clone(), "a", Some("c"));
        check(links, "b", Some("c"));
    }

    #[test]
    fn links_of_the_future_are_not_seen() {
        check(vec![link("a", "b", false, "2026-07-01")], "a", None);
        check(vec![link("a", "b", false, "2026-06-30")], "a", Some("b"));
    }

    #[test]
    fn splits_and_circles_are_ambiguous() {
        check(vec![link("a", "b", true, "2020-01-01"), link("a", "c", true, "2020-01-01")], "a", None);
        check(vec![link("z", "a", false, "2020-01-01"), link("a", "b", true, "2020-01-01")], "z", None);
        check(vec![link("a", "b", false, "2020-01-01"), link("b", "a", false, "2020-01-01")], "a", None);
    }
}
