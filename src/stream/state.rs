//! What a generation of the live store says of itself: as of which days its rows are, by which policies everybody was judged, and what is
//! under way.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::policies::{ByPolicies, PolicyDigests};
use super::standing::Dictionary;
use crate::register::declaration::SubjectKind;
use crate::store::StoreError;

/// What a generation must say of itself, beside its day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// The day that each register's rows speak for; registers that are not here are not there.
    pub data_days: BTreeMap<String, NaiveDate>,
    /// Registers that are absent on purpose.
    pub allow_missing: BTreeSet<String>,
    /// Registers that the stream follows: their rows speak for the day up to which they were followed.
    pub followed: BTreeSet<String>,
    /// By which policies everybody was judged; none where that was not noted.
    pub policies: Option<PolicyDigests>,
    /// What all that stands is compressed against; empty where an earlier version loaded it.
    pub dictionary: Dictionary,
    /// The kinds whose every subject is due on the next day: their timers are those of other policies.
    pub due: BTreeSet<SubjectKind>,
    /// The turn that is under way.
    pub turning: Option<Turning>,
}

/// A turn that is under way: what stands of some is of the new day, or by the new policies, already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turning {
    /// The new day.
    pub to: NaiveDate,
    /// All whom it concerns up to this identifier are done; empty: nobody yet.
    pub after: String,
    /// Where not the day turns but the policies: to which.
    pub policies: Option<ByPolicies>,
}

impl State {
    /// As it is on another day: registers that are followed speak for it.
    #[must_use]
    pub fn moved_to(mut self, to: NaiveDate) -> Self {
        for (_, day) in self.data_days.iter_mut().filter(|(name, day)| self.followed.contains(*name) && **day < to) {
            *day = to;
        }
        self
    }

    /// As it is kept.
    ///
    /// # Errors
    ///
    /// When the dictionary cannot be compressed.
    pub fn write(&self) -> Result<Vec<u8>, StoreError> {
        let days: BTreeMap<&String, String> = self.data_days.iter().map(|(register, day)| (register, day.to_string())).collect();
        let words = |kinds: &BTreeSet<SubjectKind>| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>();
        let turning = self.turning.as_ref().map(|turning| {
            let policies = turning.policies.as_ref().map(|by| serde_json::json!({"digest": by.digest, "kinds": words(&by.kinds)}));
            serde_json::json!({"to": turning.to.to_string(), "after": turning.after, "policies": policies})
        });
        let state = serde_json::json!({
            "form": 1, "data_days": days, "allow_missing": self.allow_missing, "followed": self.followed, "turning": turning,
            "policies": self.policies.as_ref().map(PolicyDigests::to_json), "due": words(&self.due),
            "dictionary": self.dictionary.to_text()?,
        });
        Ok(state.to_string().into_bytes())
    }

    /// Reads what [`Self::write`] has written; none where it is no such thing.
    #[must_use]
    pub fn read(body: &[u8]) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_slice(body).ok()?;
        if value.get("form")?.as_u64()? != 1 {
            return None;
        }
        // What a state that an earlier version wrote does not say.
        let said = |of: &serde_json::Value, key: &str| of.get(key).filter(|value| !value.is_null()).cloned();
        let kinds = |words: &serde_json::Value| -> Option<BTreeSet<SubjectKind>> {
            words.as_array()?.iter().map(|word| SubjectKind::named(word.as_str()?)).collect()
        };
        let names = |key: &str| -> Option<BTreeSet<String>> {
            let names = value.get(key)?.as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
            names.collect()
        };
        let days = value.get("data_days")?.as_object()?.iter();
        let days = days.map(|(register, day)| Some((register.clone(), day.as_str()?.parse().ok()?)));
        let turning = match said(&value, "turning") {
            None => None,
            Some(turning) => {
                let policies = match said(&turning, "policies") {
                    None => None,
                    Some(by) => Some(ByPolicies { digest: by.get("digest")?.as_str()?.to_owned(), kinds: kinds(by.get("kinds")?)? }),
                };
                Some(Turning {
                    to: turning.get("to")?.as_str()?.parse().ok()?,
                    after: turning.get("after")?.as_str()?.to_owned(),
                    policies,
                })
            }
        };
        Some(Self {
            data_days: days.collect::<Option<_>>()?,
            allow_missing: names("allow_missing")?,
            followed: if value.get("followed").is_some() { names("followed")? } else { BTreeSet::new() },
            policies: match said(&value, "policies") {
                None => None,
                Some(policies) => Some(PolicyDigests::of_json(&policies)?),
            },
            dictionary: match said(&value, "dictionary") {
                None => Dictionary::default(),
                Some(text) => Dictionary::of_text(text.as_str()?)?,
            },
            due: match said(&value, "due") {
                None => BTreeSet::new(),
                Some(words) => kinds(&words)?,
            },
            turning,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn states_are_read_as_they_are_written() {
        let day = |text: &str| text.parse().expect("a date");
        let packed = zstd::encode_all(&b"person.age"[..], 1).expect("packed");
        let state = State {
            data_days: BTreeMap::from([("population".to_owned(), day("2026-06-30"))]),
            allow_missing: BTreeSet::from(["death".to_owned()]),
            followed: BTreeSet::from(["population".to_owned()]),
            policies: PolicyDigests::of_json(
                &serde_json::json!({"shared": "ab", "policies": {"990100-MZ-0001": "cd person person,household"}}),
            ),
            dictionary: Dictionary::of_text(&hex::digits(&packed)).expect("a dictionary"),
            due: BTreeSet::from([SubjectKind::Household]),
            turning: Some(Turning { to: day("2026-07-01"), after: "990101".to_owned(), policies: None }),
        };
        assert!(state.policies.is_some() && state.dictionary != Dictionary::default());
        assert_eq!(State::read(&state.write().expect("written")), Some(state.clone()));
        let by = ByPolicies { digest: "ef".to_owned(), kinds: BTreeSet::from([SubjectKind::Person, SubjectKind::Entity]) };
        let turning = Turning { to: day("2026-06-30"), after: String::new(), policies: Some(by) };
        let to_others = State { turning: Some(turning), ..state.clone() };
        assert_eq!(State::read(&to_others.write().expect("written")), Some(to_others));
        let quiet = State { turning: None, ..state };
        assert_eq!(State::read(&quiet.write().expect("written")), Some(quiet));
        let before = br#"{"form": 1, "data_days": {}, "allow_missing": []}"#;
        assert_eq!(State::read(before), Some(State::default()));
        for broken in [
            &b"{"[..],
            b"{}",
            br#"{"form": 2, "data_days": {}, "allow_missing": []}"#,
            br#"{"form": 1, "data_days": {"a": 1}, "allow_missing": []}"#,
            br#"{"form": 1, "data_days": {}, "allow_missing": [], "due": ["street"]}"#,
        ] {
            assert_eq!(State::read(broken), None);
        }
    }
}
