//! What the rows of a run share: its facts, policies, repeated texts and sets of missing facts; kept as one document.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::check::ir::Ty;
use crate::dossier::Cause;
use crate::eligibility::results::manifest::Manifest;
use crate::register::declaration::SubjectKind;
use crate::store::{Run, RunPolicy, RunSummary, StoreError};

/// A set of facts with why each is unknown.
pub(super) type Facts = Vec<(Arc<str>, Cause)>;

/// What rows are written and read by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The stored facts of each kind, by name.
    pub facts: [Vec<FactColumn>; 3],
    /// Codes of the run's policies, ascending.
    pub policies: Vec<Arc<str>>,
    /// The periods that grants are for, by policy.
    pub periods: Vec<Arc<str>>,
    /// The criteria of each policy.
    pub criteria: Vec<Vec<Arc<str>>>,
    /// By kind, its policies as places in `policies`.
    pub of_kind: [Vec<u32>; 3],
    /// Texts that repeat.
    pub words: Words,
    /// Minimal sets of missing facts.
    pub missing: Vec<Vec<Facts>>,
    /// Facts to commit to.
    pub commitments: Vec<Facts>,
    /// The fact of a person that names the household.
    pub household: Option<usize>,
}

/// A fact as rows have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FactColumn {
    /// Its name.
    pub name: Arc<str>,
    /// The type of its values.
    pub ty: Ty,
    /// Of numbers, the digits behind the point.
    pub scale: u8,
    /// Why it is unknown where registers do not disagree.
    pub cause: Cause,
}

/// Texts by number.
#[derive(Debug, Clone, Default)]
pub struct Words {
    texts: Vec<Arc<str>>,
    places: HashMap<Arc<str>, u32>,
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts
    }
}

impl Eq for Words {}

impl Words {
    /// The number of a text; new ones get one.
    ///
    /// # Panics
    ///
    /// When a run has 2^32 texts that repeat.
    pub fn enter(&mut self, text: &str) -> u32 {
        if let Some(place) = self.places.get(text) {
            return *place;
        }
        let place = u32::try_from(self.texts.len()).expect("a run has fewer than 2^32 repeated texts");
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.places.insert(text, place);
        place
    }

    /// The number of a text that was entered.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<u32> {
        self.places.get(text).copied()
    }

    /// The text of a number.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&Arc<str>> {
        self.texts.get(place)
    }
}

/// A run with its layout, as a document.
#[derive(Debug, Serialize, Deserialize)]
pub struct RunDocument {
    manifest: Manifest,
    policies: Vec<PolicyText>,
    silent: BTreeMap<String, String>,
    data_days: BTreeMap<String, String>,
    facts: Vec<Vec<FactText>>,
    household: Option<usize>,
    words: Vec<String>,
    missing: Vec<Vec<Vec<(String, String)>>>,
    commitments: Vec<Vec<(String, String)>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PolicyText {
    code: String,
    version: i64,
    kind: String,
    unit: String,
    period: String,
    criteria: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FactText {
    name: String,
    #[serde(rename = "type")]
    ty: String,
    #[serde(default)]
    scale: u8,
    cause: String,
}

/// The word for a cause.
pub(super) fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::Missing => "missing",
        Cause::Stale => "stale",
        Cause::Conflict => "conflict",
    }
}

fn cause_of(name: &str) -> Result<Cause, StoreError> {
    let all = [Cause::Missing, Cause::Stale, Cause::Conflict];
    all.into_iter().find(|cause| cause_name(*cause) == name).ok_or_else(|| unknown(name))
}

fn type_name(ty: Ty) -> &'static str {
    match ty {
        Ty::Bool => "bool",
        Ty::Number => "number",
        Ty::Date => "date",
        Ty::Text => "text",
    }
}

fn type_of(name: &str) -> Result<Ty, StoreError> {
    let all = [Ty::Bool, Ty::Number, Ty::Date, Ty::Text];
    all.into_iter().find(|ty| type_name(*ty) == name).ok_or_else(|| unknown(name))
}

/// The kind of subject of a name.
pub(crate) fn kind_of(name: &str) -> Result<SubjectKind, StoreError> {
    SubjectKind::named(name).ok_or_else(|| unknown(name))
}

fn unknown(word: &str) -> StoreError {
    StoreError::Damaged(format!("`{word}` in the document of a run"))
}

fn facts_text(facts: &Facts) -> Vec<(String, String)> {
    facts.iter().map(|(name, cause)| (name.to_string(), cause_name(*cause).to_owned())).collect()
}

fn facts_of(facts: &[(String, String)]) -> Result<Facts, StoreError> {
    facts.iter().map(|(name, cause)| Ok((name.as_str().into(), cause_of(cause)?))).collect()
}

impl RunDocument {
    /// The document of a run.
    #[must_use]
    pub fn of(run: &Run, layout: &Layout) -> Self {
        let policy = |policy: &RunPolicy| PolicyText {
            code: policy.code.to_string(),
            version: policy.version,
            kind: policy.kind.name().to_owned(),
            unit: policy.unit.to_string(),
            period: policy.period.to_string(),
            criteria: policy.criteria.iter().map(ToString::to_string).collect(),
        };
        let fact = |fact: &FactColumn| FactText {
            name: fact.name.to_string(),
            ty: type_name(fact.ty).to_owned(),
            scale: fact.scale,
            cause: cause_name(fact.cause).to_owned(),
        };
        Self {
            manifest: run.manifest.clone(),
            policies: run.policies.iter().map(policy).collect(),
            silent: run.silent.iter().map(|(name, cause)| (name.to_string(), cause_name(*cause).to_owned())).collect(),
            data_days: run.data_days.iter().map(|(name, day)| (name.to_string(), day.to_string())).collect(),
            facts: layout.facts.iter().map(|facts| facts.iter().map(fact).collect()).collect(),
            household: layout.household,
            words: layout.words.texts.iter().map(ToString::to_string).collect(),
            missing: layout.missing.iter().map(|sets| sets.iter().map(facts_text).collect()).collect(),
            commitments: layout.commitments.iter().map(facts_text).collect(),
        }
    }

    /// The document as bytes.
    ///
    /// # Errors
    ///
    /// Never for documents of [`RunDocument::of`].
    pub fn write(&self) -> Result<Vec<u8>, StoreError> {
        let text = serde_json::to_vec(self).map_err(|error| StoreError::Failed(error.to_string()))?;
        zstd::encode_all(text.as_slice(), 3).map_err(|error| StoreError::Failed(error.to_string()))
    }

    /// Reads a document.
    ///
    /// # Errors
    ///
    /// When it is damaged.
    pub fn read(bytes: &[u8], summary: RunSummary) -> Result<(Run, Layout), StoreError> {
        let damaged = |what: &dyn std::fmt::Display| StoreError::Damaged(format!("the document of run {}: {what}", summary.id));
        let text = zstd::decode_all(bytes).map_err(|error| damaged(&error))?;
        let document: Self = serde_json::from_slice(&text).map_err(|error| damaged(&error))?;
        document.open(summary)
    }

    fn open(self, summary: RunSummary) -> Result<(Run, Layout), StoreError> {
        let texts = |texts: Vec<String>| -> Vec<Arc<str>> { texts.into_iter().map(Into::into).collect() };
        let mut policies = Vec::new();
        for policy in self.policies {
            policies.push(RunPolicy {
                kind: kind_of(&policy.kind)?,
                code: policy.code.into(),
                version: policy.version,
                unit: policy.unit.into(),
                period: policy.period.into(),
                criteria: texts(policy.criteria),
            });
        }
        let mut layout = Layout { household: self.household, ..Layout::default() };
        for (kind, facts) in self.facts.into_iter().enumerate().take(3) {
            for fact in facts {
                let (ty, cause) = (type_of(&fact.ty)?, cause_of(&fact.cause)?);
                layout.facts[kind].push(FactColumn { name: fact.name.into(), ty, scale: fact.scale, cause });
            }
        }
        layout.enter_policies(&policies);
        for word in &self.words {
            layout.words.enter(word);
        }
        for sets in &self.missing {
            layout.missing.push(sets.iter().map(|set| facts_of(set)).collect::<Result<_, _>>()?);
        }
        for facts in &self.commitments {
            layout.commitments.push(facts_of(facts)?);
        }
        let mut silent = BTreeMap::new();
        for (name, cause) in self.silent {
            silent.insert(name.into(), cause_of(&cause)?);
        }
        let mut data_days = BTreeMap::new();
        for (name, day) in self.data_days {
            data_days.insert(name.into(), day.parse::<NaiveDate>().map_err(|_| unknown(&day))?);
        }
        let facts = layout.names();
        Ok((Run { summary, manifest: self.manifest, policies, silent, data_days, facts }, layout))
    }
}

impl Layout {
    /// Takes over the policies of a run.
    pub fn enter_policies(&mut self, policies: &[RunPolicy]) {
        for (at, policy) in (0_u32..).zip(policies) {
            self.policies.push(Arc::clone(&policy.code));
            self.periods.push(Arc::clone(&policy.period));
            self.criteria.push(policy.criteria.clone());
            self.of_kind[policy.kind as usize].push(at);
        }
    }

    /// The names of the facts of each kind.
    #[must_use]
    pub fn names(&self) -> [Vec<Arc<str>>; 3] {
        self.facts.each_ref().map(|facts| facts.iter().map(|fact| Arc::clone(&fact.name)).collect())
    }
}
