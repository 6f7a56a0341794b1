//! Cases that began under identifiers of before: the grant is found under the identifier of today, and its case goes on.

use std::collections::{BTreeMap, HashMap};

use super::case::Case;
use super::found::Current;
use crate::eligibility::grant::GrantId;
use crate::store::StoreError;
use crate::store::live::CaseRow;

/// Identifiers of before a renumbering or a merger, with those of today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renumbered {
    today: HashMap<String, String>,
    before: BTreeMap<String, Vec<String>>,
}

impl FromIterator<(String, String)> for Renumbered {
    /// Of pairs: before, today.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        let today: HashMap<String, String> = pairs.into_iter().filter(|(before, today)| before != today).collect();
        let mut before: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (earlier, today) in &today {
            before.entry(today.clone()).or_default().push(earlier.clone());
        }
        for earlier in before.values_mut() {
            earlier.sort_unstable();
        }
        Self { today, before }
    }
}

impl Renumbered {
    /// Whether nobody was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.today.is_empty()
    }

    /// The identifier of today.
    #[must_use]
    pub fn today<'i>(&'i self, id: &'i str) -> &'i str {
        self.today.get(id).map_or(id, String::as_str)
    }

    /// The identifiers of before, sorted.
    #[must_use]
    pub fn before(&self, today: &str) -> &[String] {
        self.before.get(today).map_or(&[], Vec::as_slice)
    }

    /// An identifier and all others of the same subject, that of today first.
    #[must_use]
    pub fn all<'i>(&'i self, id: &'i str) -> Vec<&'i str> {
        let today = self.today(id);
        std::iter::once(today).chain(self.before(today).iter().map(String::as_str)).collect()
    }

    /// Under which identifiers the case of a grant may be: its own, then those that it had when its subject, its member or
    /// whom it is for had others.
    #[must_use]
    pub fn case_ids(&self, current: &Current) -> Vec<String> {
        let mut ids = vec![current.id.clone()];
        if self.is_empty() {
            return ids;
        }
        let grant = &current.grant;
        let all = |id: &Option<String>| -> Vec<Option<String>> {
            id.as_deref().map_or_else(|| vec![None], |id| self.all(id).into_iter().map(|id| Some(id.to_owned())).collect())
        };
        for subject in self.all(&grant.subject) {
            for occasion in all(&grant.occasion) {
                for member in all(&grant.member) {
                    let (occasion, member) = (occasion.as_deref(), member.as_deref());
                    ids.push(GrantId::of(grant.kind, subject, &grant.policy, &grant.period, occasion, member).to_string());
                }
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        ids
    }

    /// The identifier that a case would have if it began today. What makes up for another keeps its own.
    ///
    /// # Errors
    ///
    /// When the row cannot be read.
    pub fn id_today(&self, row: &CaseRow) -> Result<String, StoreError> {
        if self.is_empty() {
            return Ok(row.id.clone());
        }
        let case = Case::of(row)?;
        let grant = &case.grant;
        let people = [Some(&grant.subject), grant.occasion.as_ref(), grant.member.as_ref()];
        if case.corrects.is_some() || people.into_iter().flatten().all(|id| self.today(id) == id) {
            return Ok(row.id.clone());
        }
        let (occasion, member) = (grant.occasion.as_deref().map(|id| self.today(id)), grant.member.as_deref().map(|id| self.today(id)));
        Ok(GrantId::of(grant.kind, self.today(&grant.subject), &grant.policy, &grant.period, occasion, member).to_string())
    }
}

/// Of the cases that a grant has, the one that goes on: a paid one, else one that is not over, else the one that began under
/// the identifier of today (they are in that order), else the first. Mergers leave several.
///
/// # Errors
///
/// When a row cannot be read.
pub(super) fn keeper<'r>(rows: &[&'r CaseRow]) -> Result<Option<&'r CaseRow>, StoreError> {
    if let [] | [_] = rows {
        return Ok(rows.first().copied());
    }
    let mut best: Option<((bool, bool), &CaseRow)> = None;
    for row in rows.iter().copied() {
        let case = Case::of(row)?;
        let rank = (case.paid_on.is_some(), !case.step.is_over());
        if best.is_none_or(|(known, _)| rank > known) {
            best = Some((rank, row));
        }
    }
    Ok(best.map(|(_, row)| row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_identifiers_of_one_subject_are_known() {
        let pair = |before: &str, today: &str| (before.to_owned(), today.to_owned());
        let renumbered: Renumbered = [pair("b", "c"), pair("a", "c"), pair("d", "d")].into_iter().collect();
        assert_eq!((renumbered.today("a"), renumbered.today("c"), renumbered.today("d")), ("c", "c", "d"));
        assert_eq!(renumbered.all("b"), ["c", "a", "b"]);
        assert_eq!(renumbered.all("d"), ["d"]);
        assert!(Renumbered::default().is_empty() && !renumbered.is_empty());
    }
}
