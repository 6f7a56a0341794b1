//! A policy in force needs the value of each parameter that it names, in each county that it covers.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::parameters::{ParameterUse, parameter_uses, without_value};
use crate::commands::folder::PolicyFolder;
use crate::diagnostic::{Diagnostic, code};
use crate::policy::document::PolicyDocument;

/// Tells each parameter without a value on a day and in a county that a policy covers: on `as_of`, or, without it, on
/// any day on which the policy is in force.
pub(super) fn check(folder: &PolicyFolder, as_of: Option<NaiveDate>) -> Vec<Diagnostic> {
    let none = BTreeMap::new();
    let mut lacking = Lacking { folder, policies: &none, binders: BTreeMap::new(), regions: BTreeMap::new() };
    let mut diagnostics = Vec::new();
    for policy in &folder.checked.policies {
        let document = &policy.document;
        let mut told = BTreeSet::new();
        for named in parameter_uses(&folder.checked.catalogue, policy) {
            if !told.insert(named.name.clone()) {
                continue;
            }
            let first = days(folder, document, &named.name, as_of).into_iter().find_map(|day| {
                let without = lacking.regions(document, &named, day);
                (!without.is_empty()).then(|| (day, without.to_owned()))
            });
            if let Some((day, regions)) = first {
                diagnostics.push(lacks_value(folder, document, named, day, &regions));
            }
        }
    }
    diagnostics
}

/// Where parameters have no value, worked out once for all policies of a region.
struct Lacking<'a> {
    folder: &'a PolicyFolder,
    policies: &'a BTreeMap<String, CheckedPolicy>,
    binders: BTreeMap<NaiveDate, Binder<'a>>,
    /// By parameter, region that is covered (none for the country's value) and day.
    regions: BTreeMap<(String, Option<String>, NaiveDate), Vec<String>>,
}

impl Lacking<'_> {
    fn regions(&mut self, document: &PolicyDocument, named: &ParameterUse, day: NaiveDate) -> &[String] {
        let covered = named.by_region.then(|| document.covers.region.clone());
        self.regions.entry((named.name.clone(), covered, day)).or_insert_with(|| {
            let binder = self.binders.entry(day).or_insert_with(|| self.folder.binder(day, None, self.policies));
            without_value(binder, document, named)
        })
    }
}

fn lacks_value(folder: &PolicyFolder, document: &PolicyDocument, named: ParameterUse, day: NaiveDate, regions: &[String]) -> Diagnostic {
    let ParameterUse { name, place, clause, .. } = named;
    let label = |region: &String| match folder.regions.name(region) {
        Some(label) => (format!("{} {region}", label.zh), format!("{} {region}", label.en)),
        None => (region.clone(), region.clone()),
    };
    let (zh, en): (Vec<String>, Vec<String>) = regions.iter().take(3).map(label).unzip();
    let more = if regions.len() > 3 {
        (format!(" 等 {} 个", regions.len()), format!(" and {} more", regions.len() - 3))
    } else {
        Default::default()
    };
    let mut diagnostic = Diagnostic::new(
        &code::PARAMETER_WITHOUT_VALUE,
        format!("标准“{name}”在 {day} 没有值: {}{}", zh.join(", "), more.0),
        format!("parameter `{name}` has no value on {day}: {}{}", en.join(", "), more.1),
    )
    .at(place)
    .help(
        format!("政策 {} 自 {} 起有效: 补上这些地区的值, 或改政策的有效期", document.code, document.in_force_from),
        format!(
            "policy {} is in force from {}: add values for these regions, or change when it is in force",
            document.code, document.in_force_from
        ),
    );
    if let Some(parameter) = folder.set.parameters.iter().find(|parameter| parameter.name == name) {
        diagnostic = diagnostic.also(parameter.place.clone(), "标准在这里", "the parameter is here");
    }
    diagnostic.clause = clause;
    diagnostic
}

/// The days on which a value may first be lacking: the first in force, and each on which a value ended.
fn days(folder: &PolicyFolder, document: &PolicyDocument, name: &str, as_of: Option<NaiveDate>) -> Vec<NaiveDate> {
    let in_force = |day: &NaiveDate| document.in_force_from <= *day && document.in_force_to.is_none_or(|to| *day < to);
    if let Some(day) = as_of {
        return Some(day).filter(in_force).into_iter().collect();
    }
    let values = folder.set.parameters.iter().filter(|parameter| parameter.name == name).flat_map(|parameter| &parameter.values);
    let days: BTreeSet<NaiveDate> = values.filter_map(|value| value.to).chain([document.in_force_from]).filter(in_force).collect();
    days.into_iter().collect()
}
