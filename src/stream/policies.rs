//! By which policies what stands was judged, and in what others differ.
//!
//! ```text
//!  policies folder ─▶ digests, one a policy and one of what all share ─┬─ as the state of the store has them: nothing to do
//!                                                                      └─ others ─▶ all of the kinds concerned judged anew
//! ```
//!
//! Everything that a verdict before allocation depends on beside rows and the day is digested: the policy's own text, in all its
//! versions, and the parameters that it names; for all together registers, facts, links, regions, and the parameters that facts
//! name. Where files lie and how parameters and regions are written does not matter.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::timer::calendar::Rules;
use crate::check::CheckedPolicy;
use crate::check::bind::{Binder, for_each_parameter};
use crate::check::catalogue::{Catalogue, Definition};
use crate::check::ir::Expr;
use crate::check::parameters::parameter_uses;
use crate::check::reach::reached;
use crate::explain::facts::facts_read;
use crate::hex;
use crate::policy::document::Parameter;
use crate::region::RegionTree;
use crate::register::declaration::{Registers, SubjectKind};

/// What stands of a policies folder: equal where everybody would be judged alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyDigests {
    /// Of what all policies share.
    shared: String,
    /// By code, all versions together.
    policies: BTreeMap<String, PolicyDigest>,
}

/// What stands of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PolicyDigest {
    digest: String,
    /// Whom it is about.
    kind: SubjectKind,
    /// The kinds for whom something may stand otherwise where it changes: those whom it is about, whose facts it reads, and whom
    /// policies are about that hang on it.
    concerned: BTreeSet<SubjectKind>,
}

/// In what policies folders differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The codes of the policies that differ.
    pub policies: BTreeSet<String>,
    /// The kinds for whom something may stand otherwise.
    pub kinds: BTreeSet<SubjectKind>,
    /// Whether what all share may differ: then the same fact may mean something else.
    pub in_shared: bool,
    /// Whether it is not known by which policies the one side was judged.
    pub is_unknown: bool,
}

/// The turn to other policies that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByPolicies {
    /// The digest of all of them.
    pub digest: String,
    /// The kinds whose subjects are judged anew.
    pub kinds: BTreeSet<SubjectKind>,
}

impl Difference {
    /// Takes in another one.
    pub fn add(&mut self, other: Self) {
        self.policies.extend(other.policies);
        self.kinds.extend(other.kinds);
        self.in_shared |= other.in_shared;
        self.is_unknown |= other.is_unknown;
    }
}

impl PolicyDigests {
    /// Those of a folder.
    #[must_use]
    pub fn of(rules: &Rules<'_>) -> Self {
        let catalogue = &rules.checked.catalogue;
        let parameters: BTreeMap<&str, String> =
            rules.set.parameters.iter().map(|parameter| (parameter.name.as_str(), written(parameter))).collect();
        let mut shared = Hash::default();
        registers(&catalogue.registers, &mut shared);
        regions(rules.regions, &mut shared);
        shared.all("parameters of facts", of_facts(catalogue).iter().filter_map(|name| parameters.get(name.as_str())));
        let mut by_code: BTreeMap<&str, Vec<&CheckedPolicy>> = BTreeMap::new();
        for policy in &rules.checked.policies {
            by_code.entry(&policy.document.code).or_default().push(policy);
        }
        let concerned = concerned(rules, &by_code);
        let of_policy = |(code, versions): (&str, Vec<&CheckedPolicy>)| {
            let mut hash = Hash::default();
            hash.all("documents", versions.iter().map(|policy| &policy.document.sha256));
            let named: BTreeSet<String> = versions.iter().flat_map(|policy| parameters_of(catalogue, policy)).collect();
            hash.all("parameters", named.iter().filter_map(|name| parameters.get(name.as_str())));
            let kind = versions.last().map_or(SubjectKind::Person, |policy| policy.document.subject);
            let concerned = concerned.get(code).cloned().unwrap_or_default();
            (code.to_owned(), PolicyDigest { digest: hash.end(), kind, concerned })
        };
        Self { shared: shared.end(), policies: by_code.into_iter().map(of_policy).collect() }
    }

    /// One digest of all.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Hash::default();
        hash.all("all", [self.to_json().to_string()]);
        hash.end()
    }

    /// In what others differ from these; `before`: none where it is not known what they were.
    #[must_use]
    pub fn differ_from(&self, before: Option<&Self>) -> Difference {
        let Some(before) = before else {
            let policies = self.policies.keys().cloned().collect();
            return Difference { policies, kinds: SubjectKind::ALL.into(), in_shared: true, is_unknown: true };
        };
        let in_shared = before.shared != self.shared;
        let codes: BTreeSet<&String> = self.policies.keys().chain(before.policies.keys()).collect();
        let mut difference = Difference { policies: BTreeSet::new(), kinds: BTreeSet::new(), in_shared, is_unknown: false };
        for code in codes {
            let both = [self.policies.get(code), before.policies.get(code)];
            if in_shared || both[0].map(|policy| &policy.digest) != both[1].map(|policy| &policy.digest) {
                difference.policies.insert(code.clone());
                difference.kinds.extend(both.into_iter().flatten().flat_map(|policy| &policy.concerned));
            }
        }
        difference
    }

    /// Whether others judge a kind of subject that these do not judge: of those nothing stands.
    #[must_use]
    pub fn lack_kinds_of(&self, others: &Self) -> bool {
        let judges = |all: &Self, kind: SubjectKind| all.policies.values().any(|policy| policy.kind == kind);
        SubjectKind::ALL.into_iter().any(|kind| judges(others, kind) && !judges(self, kind))
    }

    /// As it is kept.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let of_policy = |(code, policy): (&String, &PolicyDigest)| {
            let concerned: Vec<&str> = policy.concerned.iter().map(|kind| kind.name()).collect();
            (code.clone(), Value::from(format!("{} {} {}", policy.digest, policy.kind, concerned.join(","))))
        };
        let policies: serde_json::Map<String, Value> = self.policies.iter().map(of_policy).collect();
        serde_json::json!({"shared": self.shared, "policies": policies})
    }

    /// Reads what [`Self::to_json`] has written; none where it is no such thing.
    #[must_use]
    pub fn of_json(value: &Value) -> Option<Self> {
        let of_policy = |(code, value): (&String, &Value)| {
            let mut parts = value.as_str()?.split(' ');
            let (digest, kind, concerned) = (parts.next()?.to_owned(), SubjectKind::named(parts.next()?)?, parts.next()?);
            let concerned = concerned.split(',').filter(|word| !word.is_empty()).map(SubjectKind::named).collect::<Option<_>>()?;
            Some((code.clone(), PolicyDigest { digest, kind, concerned }))
        };
        let policies = value.get("policies")?.as_object()?.iter().map(of_policy).collect::<Option<_>>()?;
        Some(Self { shared: value.get("shared")?.as_str()?.to_owned(), policies })
    }
}

/// By code, the kinds for whom something may stand otherwise where a policy changes.
fn concerned(rules: &Rules<'_>, by_code: &BTreeMap<&str, Vec<&CheckedPolicy>>) -> BTreeMap<String, BTreeSet<SubjectKind>> {
    let mut concerned: BTreeMap<String, BTreeSet<SubjectKind>> = BTreeMap::new();
    let mut catalogue = rules.checked.catalogue.clone();
    let versions = by_code.values().map(Vec::len).max().unwrap_or(0);
    // The first versions of all, the second ones, and so on: whatever hangs together in one of them counts.
    for version in 0..versions {
        let chosen = by_code.iter().filter_map(|(code, all)| Some((*code, *all.get(version.min(all.len().checked_sub(1)?))?)));
        let policies: BTreeMap<String, CheckedPolicy> = chosen.map(|(code, policy)| (code.to_owned(), policy.clone())).collect();
        let binder = Binder::new(NaiveDate::default(), rules.known_at, &rules.set.parameters, rules.regions, &policies);
        for (code, policy) in &policies {
            let facts = facts_read(&mut catalogue, &binder, [policy]);
            let of = concerned.entry(code.clone()).or_default();
            of.extend(catalogue.needed(facts).into_iter().map(|fact| fact.kind));
            of.extend(reached([code.clone()], &policies).iter().filter_map(|code| Some(policies.get(code)?.document.subject)));
        }
    }
    concerned
}

/// The parameters that a policy names, with those of the facts that it reads.
fn parameters_of(catalogue: &Catalogue, policy: &CheckedPolicy) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = parameter_uses(catalogue, policy).into_iter().map(|named| named.name).collect();
    for expr in [Some(&policy.coverage), Some(&policy.criteria), policy.rank.as_ref()].into_iter().flatten() {
        for_each_parameter(expr, &mut |name, _| names.extend([name.to_string()]));
    }
    names
}

/// The parameters that facts and links name.
fn of_facts(catalogue: &Catalogue) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut look = |expr: &Expr| for_each_parameter(expr, &mut |name, _| names.extend([name.to_string()]));
    for kind in SubjectKind::ALL {
        for fact in catalogue.facts(kind) {
            match &fact.definition {
                Definition::Computed(expr) => look(expr),
                Definition::Rows { rows, .. } | Definition::LinkedAggregate { rows, .. } => {
                    rows.value.iter().chain(&rows.filter).chain(&rows.by).for_each(&mut look);
                }
                Definition::Pending | Definition::Given | Definition::Linked { .. } | Definition::LinkEnd { .. } => {}
            }
        }
    }
    catalogue.link_filters.iter().flatten().for_each(look);
    names
}

/// A parameter's values.
fn written(parameter: &Parameter) -> String {
    let mut text = format!("{} {:?}\n", parameter.name, parameter.parameter_type);
    for value in &parameter.values {
        let of_value = (&value.region, value.from, value.to, value.announced, value.digits, value.scale);
        text.push_str(&format!("{of_value:?}\n"));
    }
    text
}

/// What registers declare, as it is written, wherever it lies.
fn registers(registers: &Registers, hash: &mut Hash) {
    let mut texts: BTreeSet<&str> = registers.registers.values().map(|declared| declared.place.file.text.as_str()).collect();
    texts.extend(registers.computed.iter().map(|fact| fact.place.file.text.as_str()));
    hash.all("registers", texts);
    let links = registers.links.iter().map(|link| {
        let filter = link.filter.as_ref().map(|filter| filter.node.span().text().to_owned());
        format!("{:?}", (&link.name, link.from, link.to, &link.register, &link.from_column, &link.to_column, filter, link.many))
    });
    hash.all("links", links);
}

fn regions(regions: &RegionTree, hash: &mut Hash) {
    let all = regions
        .regions()
        .map(|region| format!("{:?}", (&region.code, &region.parent, region.level, region.from, region.to, &region.replaced_by)));
    hash.all("regions", all);
}

/// Texts under headings, digested.
#[derive(Default)]
struct Hash(Sha256);

impl Hash {
    fn all(&mut self, heading: &str, texts: impl IntoIterator<Item = impl AsRef<[u8]>>) {
        self.0.update(format!("\0{heading}\0"));
        for text in texts {
            let text = text.as_ref();
            self.0.update((text.len() as u64).to_be_bytes());
            self.0.update(text);
        }
    }

    fn end(self) -> String {
        hex::digits(&self.0.finalize()[..12])
    }
}
