//! The policies folder as a site: a page for each policy that serves as its guide (办事指南), one for each life event, and
//! the catalogues of facts, registers, functions and diagnostic codes. Chinese and English; no scripts, nothing loaded.
//!
//! ```text
//! PolicySet, Checked, cases, as_of ──▶ Site (one language) ──▶ Page { path, html } …
//!     index.html                       which language
//!     zh/index.html, en/index.html     by authority, by subject, by life event
//!     zh/policies/CODE.html            zh/bundles/ID.html
//!     zh/facts.html  zh/registers.html  zh/functions.html  zh/codes.html
//! ```
//!
//! What stands on a page is what the files say; where they say nothing, the page says so.

mod amounts;
mod bundles;
mod catalogues;
mod conditions;
mod examples;
mod frame;
mod guide;
mod history;
mod index;
mod policy_page;
mod reads;
mod reference;
mod relations;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use frame::STYLE;
pub use reference::sections;

use chrono::NaiveDate;
use maud::Markup;

use crate::check::bind::Binder;
use crate::check::{Checked, CheckedPolicy};
use crate::diagnostic::{Lang, Message};
use crate::explain::{Judge, Known};
use crate::policy::difference::{Change, difference};
use crate::policy::document::{Bundle, Case, PolicyDocument, PolicySet};
use crate::policy::{Standing, standings};
use crate::region::RegionTree;
use crate::register::declaration::Registers;

/// What a site is made of: a policies folder that was read and checked.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// Policies as written, in all versions, parameters, bundles.
    pub set: &'a PolicySet,
    /// Facts, and the policies without faults.
    pub checked: &'a Checked,
    /// What registers declare.
    pub registers: &'a Registers,
    /// Regions.
    pub regions: &'a RegionTree,
    /// The cases of each of the policies of `set`.
    pub cases: &'a [Vec<Case>],
    /// The day that decides what is in force.
    pub as_of: NaiveDate,
    /// The page of the condition language, Markdown in English.
    pub language: &'a str,
    /// Where the style sheet is, for pages that are served; none: it stands in every page.
    pub stylesheet: Option<&'a str>,
}

/// One file of a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Path below the folder of the site, with `/`.
    pub path: String,
    /// The whole file.
    pub html: String,
}

/// Every page, in both languages, by path.
#[must_use]
pub fn pages(source: &Source<'_>) -> Vec<Page> {
    let laws = laws(source);
    let binder = Binder::new(source.as_of, None, &source.set.parameters, source.regions, &laws);
    let mut pages = vec![index::languages(source)];
    for lang in [Lang::Zh, Lang::En] {
        let judge = Judge::new(&source.checked.catalogue, &binder, Known::NOTHING);
        let site = Site::new(source, lang, &binder, judge);
        pages.push(index::page(&site));
        pages.extend(site.items.values().map(|item| policy_page::page(&site, item)));
        pages.extend(source.set.bundles.iter().map(|bundle| bundles::page(&site, bundle)));
        pages.extend([catalogues::facts(&site), catalogues::registers(&site), reference::functions(&site), reference::codes(&site)]);
    }
    pages.sort_by(|one, other| one.path.cmp(&other.path));
    pages
}

/// What the page of a policy is put together from; links lead one folder up, as from `policies/CODE.html`.
#[derive(Debug, Clone)]
pub struct Parts {
    /// Authority, region, subject, delivery, period in force.
    pub glance: Markup,
    /// Criteria in plain words and as written, beside their clauses.
    pub conditions: Markup,
    /// What it is worth.
    pub amounts: Markup,
    /// Other policies, caps and budgets.
    pub relations: Markup,
    /// Basis in law.
    pub basis: Markup,
    /// What is read, and why.
    pub reads: Markup,
}

/// The parts of the page of a policy, in a language; none where there is no such policy.
#[must_use]
pub fn parts(source: &Source<'_>, lang: Lang, code: &str) -> Option<Parts> {
    let laws = laws(source);
    let binder = Binder::new(source.as_of, None, &source.set.parameters, source.regions, &laws);
    let judge = Judge::new(&source.checked.catalogue, &binder, Known::NOTHING);
    let site = Site::new(source, lang, &binder, judge);
    let item = site.items.get(code)?;
    Some(Parts {
        glance: policy_page::at_a_glance(&site, item),
        conditions: conditions::conditions(&site, item),
        amounts: amounts::amounts(&site, item),
        relations: relations::relations(&site, item),
        basis: policy_page::basis(&site, item),
        reads: reads::reads(&site, item),
    })
}

/// One version of each policy: the law of the day, else the next to come, else the last that was.
fn shown<'a>(source: &Source<'a>) -> BTreeMap<&'a str, (&'a Arc<PolicyDocument>, Standing)> {
    let mut shown: BTreeMap<&str, (&Arc<PolicyDocument>, Standing)> = BTreeMap::new();
    for (document, standing) in source.set.policies.iter().zip(standings(&source.set.policies, source.as_of)) {
        let rank = |document: &PolicyDocument, standing: Standing| match standing {
            Standing::InForce => (3, 0),
            Standing::NotYet => (2, -document.in_force_from.signed_duration_since(source.as_of).num_days()),
            Standing::Ended | Standing::Replaced => (1, document.version),
        };
        let slot = shown.entry(&document.code).or_insert((document, standing));
        if rank(document, standing) > rank(slot.0, slot.1) {
            *slot = (document, standing);
        }
    }
    shown
}

/// The checked form of the version of each policy that is shown.
fn laws(source: &Source<'_>) -> BTreeMap<String, CheckedPolicy> {
    let shown = shown(source);
    let is_shown = |policy: &&CheckedPolicy| {
        let document = shown.get(policy.document.code.as_str()).map(|(document, _)| *document);
        document.is_some_and(|document| document.version == policy.document.version)
    };
    source.checked.policies.iter().filter(is_shown).map(|policy| (policy.document.code.clone(), policy.clone())).collect()
}

/// A policy as its page tells of it.
struct Item<'a> {
    document: &'a Arc<PolicyDocument>,
    standing: Standing,
    /// None where the policy has faults: what it says is shown, not what it means.
    checked: Option<&'a CheckedPolicy>,
    cases: &'a [Case],
    /// Every version, by version.
    versions: Vec<(&'a Arc<PolicyDocument>, Standing)>,
}

/// A site in one language.
struct Site<'a> {
    source: &'a Source<'a>,
    lang: Lang,
    /// By code.
    items: BTreeMap<&'a str, Item<'a>>,
    binder: &'a Binder<'a>,
    judge: Judge<'a>,
    /// The anchors of the catalogue of facts: every link leads somewhere.
    facts: BTreeSet<String>,
}

impl<'a> Site<'a> {
    fn new(source: &'a Source<'a>, lang: Lang, binder: &'a Binder<'a>, judge: Judge<'a>) -> Self {
        let standings = standings(&source.set.policies, source.as_of);
        let items = shown(source).into_iter().map(|(code, (document, standing))| {
            let at = source.set.policies.iter().position(|other| Arc::ptr_eq(other, document));
            let versions = source.set.policies.iter().zip(&standings).filter(|(other, _)| other.code == code);
            let item = Item {
                document,
                standing,
                checked: binder.policies.get(code),
                cases: at.and_then(|at| source.cases.get(at)).map_or(&[], Vec::as_slice),
                versions: versions.map(|(document, standing)| (document, *standing)).collect(),
            };
            (code, item)
        });
        let declared = source.registers.registers.values().flat_map(|register| &register.facts).chain(&source.registers.computed);
        let facts = declared.map(|fact| format!("{}-{}", fact.subject.name(), fact.name)).collect();
        Self { source, lang, items: items.collect(), binder, judge, facts }
    }

    fn pick<'t>(&self, zh: &'t str, en: &'t str) -> &'t str {
        if self.lang == Lang::Zh { zh } else { en }
    }

    fn say<'m>(&self, message: &'m Message) -> &'m str {
        message.get(self.lang)
    }

    /// `zh`, `en`: the folder of the language.
    fn folder(&self) -> &'static str {
        if self.lang == Lang::Zh { "zh" } else { "en" }
    }

    /// The bundles that a policy belongs to.
    fn bundles_of(&self, code: &str) -> impl Iterator<Item = &'a Bundle> {
        self.source.set.bundles.iter().filter(move |bundle| bundle.policies.iter().any(|(policy, _)| policy == code))
    }

    /// The name of a region.
    fn region(&self, code: &str) -> String {
        self.source.regions.name(code).map_or_else(|| code.to_owned(), |name| self.say(name).to_owned())
    }

    /// What differs between two versions of a policy.
    fn differences(old: &Arc<PolicyDocument>, new: &Arc<PolicyDocument>) -> Vec<Change> {
        let set = |document: &Arc<PolicyDocument>| PolicySet { policies: vec![Arc::clone(document)], ..PolicySet::default() };
        difference(&set(old), &set(new)).into_iter().flat_map(|item| item.changes).collect()
    }
}
