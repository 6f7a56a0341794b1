//! The dated tree of regions (GB/T 2260), from the country over provinces, prefectures and counties to towns.
//!
//! A code holds in `[from, to)`. What a closed code became is told by `replaced_by`: with one successor, the rows that
//! still carry the old code are served under the successor; with several (a split), where they belong is unknown.

mod load;
mod on_day;

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

pub use load::{load, load_with};
pub use on_day::RegionsOn;

use crate::diagnostic::{Message, Span};

/// The code of the whole country.
pub const COUNTRY: &str = "000000";

/// How high a region stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RegionLevel {
    /// 全国
    Country,
    /// 省级
    Province,
    /// 地级
    Prefecture,
    /// 县级
    County,
    /// 乡级, and whatever lies below it
    Town,
}

/// One code over one period.
#[derive(Debug, Clone)]
pub struct Region {
    /// 6, 9 or 12 digits.
    pub code: String,
    /// For people.
    pub name: Message,
    /// The code that it lies in; none for the country.
    pub parent: Option<String>,
    /// Level.
    pub level: RegionLevel,
    /// First day.
    pub from: NaiveDate,
    /// The day after the last; none while it goes on.
    pub to: Option<NaiveDate>,
    /// What the code became when it ended.
    pub replaced_by: Vec<String>,
    /// Place of the code in its file; none for the implied country.
    pub place: Option<Span>,
}

impl Region {
    /// Whether the code holds on `day`.
    #[must_use]
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        self.from <= day && self.to.is_none_or(|to| day < to)
    }
}

/// All regions with their periods.
#[derive(Debug, Clone, Default)]
pub struct RegionTree {
    /// Periods of each code, by start.
    periods: BTreeMap<String, Vec<Region>>,
}

impl RegionTree {
    /// Every period of every code, by code and start.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.periods.values().flatten()
    }

    /// Every code that holds on some day.
    pub fn all_codes(&self) -> impl Iterator<Item = &str> {
        self.periods.keys().map(String::as_str)
    }

    /// Whether the code holds on some day, past or future.
    #[must_use]
    pub fn is_known(&self, code: &str) -> bool {
        self.periods.contains_key(code)
    }

    /// The region that a code means on `day`.
    #[must_use]
    pub fn region(&self, code: &str, day: NaiveDate) -> Option<&Region> {
        self.periods.get(code)?.iter().find(|region| region.holds_on(day))
    }

    /// The latest name of a code.
    #[must_use]
    pub fn name(&self, code: &str) -> Option<&Message> {
        self.periods.get(code)?.last().map(|region| &region.name)
    }

    /// The codes that hold on `day`, sorted.
    #[must_use]
    pub fn codes(&self, day: NaiveDate) -> Vec<String> {
        self.on(day).map(|region| region.code.clone()).collect()
    }

    /// The counties of `day`, sorted.
    #[must_use]
    pub fn counties(&self, day: NaiveDate) -> Vec<String> {
        self.on(day).filter(|region| region.level == RegionLevel::County).map(|region| region.code.clone()).collect()
    }

    /// The code that rows with `code` are served under on `day`: itself while it holds, its one successor once it has
    /// ended. None for unknown codes, codes of the future, abolished codes and splits.
    #[must_use]
    pub fn successor(&self, code: &str, day: NaiveDate) -> Option<&str> {
        let mut codes = self.successors(code, day)?.into_iter();
        codes.next().filter(|_| codes.next().is_none())
    }

    /// Everything that a code may mean on `day`: itself, or what it became. None where that is not known.
    fn successors(&self, code: &str, day: NaiveDate) -> Option<BTreeSet<&str>> {
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut open = vec![code];
        while let Some(code) = open.pop() {
            let (known, _) = self.periods.get_key_value(code)?;
            if !seen.insert(known.as_str()) {
                continue;
            }
            if let Some(region) = self.region(code, day) {
                found.insert(region.code.as_str());
                continue;
            }
            let ended = self.periods[code].iter().rev().find(|region| region.to.is_some_and(|to| to <= day))?;
            if ended.replaced_by.is_empty() {
                return None;
            }
            open.extend(ended.replaced_by.iter().map(String::as_str));
        }
        Some(found).filter(|codes| !codes.is_empty())
    }

    /// The regions that a code lies in on `day`, nearest first, up to the country. A closed code lies where its
    /// successor lies; empty where that is not known.
    #[must_use]
    pub fn ancestors(&self, code: &str, day: NaiveDate) -> Vec<String> {
        let Some(code) = self.successor(code, day) else { return Vec::new() };
        self.above(code, day).into_iter().map(str::to_owned).collect()
    }

    /// The one region that a code means on `day` and those above it, nearest first; empty where it means none or several.
    #[must_use]
    pub fn chain(&self, code: &str, day: NaiveDate) -> Vec<&str> {
        let Some(code) = self.successor(code, day) else { return Vec::new() };
        let mut chain = self.above(code, day);
        chain.insert(0, code);
        chain
    }

    /// Whether what `code` means on `day` is `ancestor` or lies in it. None where it is not known: a code outside the
    /// tree, or one that was split between inside and outside.
    #[must_use]
    pub fn membership(&self, ancestor: &str, code: &str, day: NaiveDate) -> Option<bool> {
        if !self.is_known(code) {
            return None;
        }
        if ancestor == code || ancestor == COUNTRY {
            return Some(true);
        }
        let ancestor = self.renamed(ancestor, day);
        let mut answers = self.successors(code, day)?.into_iter().map(|code| code == ancestor || self.above(code, day).contains(&ancestor));
        let first = answers.next()?;
        answers.all(|answer| answer == first).then_some(first)
    }

    /// Whether `code` is surely `ancestor` or in it on `day`.
    #[must_use]
    pub fn contains(&self, ancestor: &str, code: &str, day: NaiveDate) -> bool {
        self.membership(ancestor, code, day) == Some(true)
    }

    /// The counties of `day` in a region, sorted; the region itself where it has none below it.
    #[must_use]
    pub fn counties_within(&self, code: &str, day: NaiveDate) -> Vec<String> {
        let is_county = |code: &String| self.region(code, day).is_some_and(|region| region.level == RegionLevel::County);
        let counties: Vec<String> = self.descendants(code, day).into_iter().filter(is_county).collect();
        if counties.is_empty() { vec![code.to_owned()] } else { counties }
    }

    /// The codes of `day` strictly below a region, sorted.
    #[must_use]
    pub fn descendants(&self, code: &str, day: NaiveDate) -> Vec<String> {
        let code = self.renamed(code, day);
        self.on(day).filter(|region| self.above(&region.code, day).contains(&code)).map(|region| region.code.clone()).collect()
    }

    /// Every code, of whatever time, that a row may carry and that lies in the region on `day`: the region itself,
    /// what is below it, and closed codes that are served under one of these. Sorted.
    #[must_use]
    pub fn members(&self, ancestor: &str, day: NaiveDate) -> Vec<String> {
        self.all_codes().filter(|code| self.contains(ancestor, code, day)).map(str::to_owned).collect()
    }

    /// The known codes of which it cannot be said whether they lie in the region on `day`. Sorted.
    #[must_use]
    pub fn undecided(&self, ancestor: &str, day: NaiveDate) -> Vec<String> {
        self.all_codes().filter(|code| self.membership(ancestor, code, day).is_none()).map(str::to_owned).collect()
    }

    /// The county that a county or town is or lies in on `day`; none for regions above counties.
    #[must_use]
    pub fn county_of(&self, code: &str, day: NaiveDate) -> Option<String> {
        let code = self.successor(code, day)?;
        std::iter::once(code)
            .chain(self.above(code, day))
            .find(|code| self.region(code, day).is_some_and(|region| region.level == RegionLevel::County))
            .map(str::to_owned)
    }

    fn on(&self, day: NaiveDate) -> impl Iterator<Item = &Region> {
        self.regions().filter(move |region| region.holds_on(day))
    }

    /// The regions above a code that holds on `day`, nearest first.
    fn above(&self, code: &str, day: NaiveDate) -> Vec<&str> {
        let mut codes: Vec<&str> = Vec::new();
        let mut at = self.region(code, day);
        while let Some(parent) = at.and_then(|region| region.parent.as_deref()) {
            // A parent that ended before its child is an error of the file; what replaced it is the best answer.
            let Some(parent) = self.successor(parent, day).filter(|parent| !codes.contains(parent)) else { break };
            codes.push(parent);
            at = self.region(parent, day);
        }
        codes
    }

    /// The code that an ended region goes on under, where only the code changed: one successor, made of nothing else.
    fn renamed<'a>(&'a self, code: &'a str, day: NaiveDate) -> &'a str {
        let Some(next) = self.successor(code, day).filter(|next| *next != code) else { return code };
        let ended = self.periods[code].iter().rev().find_map(|region| region.to);
        let began = self.periods[next].first().map(|region| region.from);
        let sources = self.regions().filter(|region| region.to == ended && region.replaced_by.iter().any(|by| by == next)).count();
        if sources == 1 && began >= ended { next } else { code }
    }
}

#[cfg(test)]
mod tests;
