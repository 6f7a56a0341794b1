//! What parameters and bundles name must be there: regions, policies.

use crate::commands::folder::PolicyFolder;
use crate::diagnostic::{Diagnostic, code};

/// Tells of regions of parameters that are not in the tree, and of policies of bundles that do not exist.
pub(super) fn check(folder: &PolicyFolder) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for value in folder.set.parameters.iter().flat_map(|parameter| &parameter.values) {
        let region = &value.region;
        if !folder.regions.is_known(region) {
            diagnostics.push(
                Diagnostic::new(&code::UNKNOWN_REGION, format!("区划树里没有“{region}”"), format!("region `{region}` is not in the tree"))
                    .at(value.region_place.clone())
                    .did_you_mean(region, folder.regions.all_codes()),
            );
        }
    }
    let codes = || folder.set.policies.iter().map(|policy| &policy.code).chain(&folder.set.unread).map(String::as_str);
    for (policy, place) in folder.set.bundles.iter().flat_map(|bundle| &bundle.policies) {
        if !codes().any(|code| code == policy) {
            diagnostics.push(
                Diagnostic::new(&code::UNKNOWN_POLICY, format!("没有政策“{policy}”"), format!("unknown policy `{policy}`"))
                    .at(place.clone())
                    .did_you_mean(policy, codes()),
            );
        }
    }
    diagnostics
}
