//! Versions of a policy: which documents of one code may stand beside each other, and which one holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;

use super::document::PolicyDocument;
use super::period::{holds, overlap};
use crate::diagnostic::{Diagnostic, code};

/// The policies in force on `as_of`, as the law was known at `known_at` (none: everything in the folder), by code.
///
/// Of the versions of one code the latest announced wins, then the highest version. A policy without an announcement
/// was always known.
#[must_use]
pub fn select(policies: &[Arc<PolicyDocument>], as_of: NaiveDate, known_at: Option<NaiveDate>) -> Vec<Arc<PolicyDocument>> {
    let mut by_code: BTreeMap<&str, &Arc<PolicyDocument>> = BTreeMap::new();
    for policy in policies {
        let known = known_at.is_none_or(|known_at| policy.announced.is_none_or(|announced| announced <= known_at));
        if !known || !holds(policy.in_force_from, policy.in_force_to, as_of) {
            continue;
        }
        let slot = by_code.entry(&policy.code).or_insert(policy);
        if (policy.announced, policy.version) > (slot.announced, slot.version) {
            *slot = policy;
        }
    }
    by_code.into_values().cloned().collect()
}

/// Tells of documents that claim one code: the same version twice, or two versions in force on the same day of which
/// none was announced after the other. `policies` is sorted by code.
pub fn one_item_one_code(policies: &[Arc<PolicyDocument>], diagnostics: &mut Vec<Diagnostic>) {
    for versions in policies.chunk_by(|one, other| one.code == other.code) {
        for (at, policy) in versions.iter().enumerate() {
            let Some(earlier) = versions[..at].iter().find(|earlier| clash(earlier, policy)) else { continue };
            let code = &policy.code;
            let diagnostic = Diagnostic::new(
                &code::DUPLICATE_POLICY_CODE,
                format!("两项政策用了同一编码 {code}"),
                format!("two policies have the code {code}"),
            )
            .at(policy.place.clone())
            .also(earlier.place.clone(), "已用在这里", "already used here");
            diagnostics.push(if earlier.version == policy.version {
                diagnostic.help(
                    "一事一码: 另取编码; 同一事项的新版本写上 version",
                    "one item, one code: choose another one, or give a new version of the same item its `version`",
                )
            } else {
                diagnostic.help(
                    "两个版本同日有效: 给旧版本写上 in_force.to, 或两个都写 announced",
                    "both versions are in force on the same day: end the old one with `in_force.to`, or give both `announced`",
                )
            });
        }
    }
}

fn clash(one: &PolicyDocument, other: &PolicyDocument) -> bool {
    let same_day = overlap((one.in_force_from, one.in_force_to), (other.in_force_from, other.in_force_to));
    let undecided = one.announced.is_none() || other.announced.is_none() || one.announced == other.announced;
    one.version == other.version || (same_day && undecided)
}
