//! `unused-parameter`: a parameter that no policy and no fact looks up.

use std::collections::BTreeSet;

use super::Folder;
use crate::check::bind::for_each_parameter;
use crate::check::catalogue::Definition;
use crate::check::ir::Expr;
use crate::diagnostic::{Diagnostic, code};
use crate::register::declaration::SubjectKind;

/// Tells of parameters that nothing names; silent while policies have faults, in which names may be lost.
pub(super) fn check(folder: &Folder<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let checked = folder.checked;
    if checked.policies.len() < folder.documents.len() || checked.policies.is_empty() {
        return;
    }
    let mut named = BTreeSet::new();
    let mut look = |expr: &Expr| {
        for_each_parameter(expr, &mut |name, _| {
            named.insert(name.to_string());
        });
    };
    for policy in &checked.policies {
        let each = policy.each.iter().flat_map(|each| each.filter.iter().chain(&each.amount));
        let rest = [&policy.amount, &policy.occasion, &policy.cap, &policy.budget, &policy.rank];
        std::iter::once(&policy.criteria).chain(rest.into_iter().flatten()).chain(each).for_each(&mut look);
    }
    for fact in SubjectKind::ALL.iter().flat_map(|kind| checked.catalogue.facts(*kind)) {
        match &fact.definition {
            Definition::Computed(expr) => look(expr),
            Definition::Rows { rows, .. } | Definition::LinkedAggregate { rows, .. } => {
                rows.value.iter().chain(&rows.filter).chain(&rows.by).for_each(&mut look);
            }
            _ => {}
        }
    }
    for parameter in folder.parameters.iter().filter(|parameter| !named.contains(&parameter.name)) {
        let name = &parameter.name;
        diagnostics.push(
            Diagnostic::new(&code::UNUSED_PARAMETER, format!("标准“{name}”没有政策用到"), format!("no policy looks up parameter `{name}`"))
                .at(parameter.place.clone())
                .help(
                    "规则里若写死了这个数, 改用 param('…'); 否则删去",
                    "where a rule has its number written out, use param('…'); else remove it",
                ),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::{check_told, policy, told};

    #[test]
    fn told_where_it_is_declared() {
        let more = [(
            "parameters/more.yaml",
            "parameters: [{name: spare, label: 备用, type: int, unit: month, values: [{region: \"990000\", from: 2020-01-01, value: 1, status: sample}]}]\n",
        )];
        check_told(&told(&[&policy("条件", "income < param('line')", "100")], &more), &[("unused-parameter", "spare")]);
        check_told(&told(&[&policy("条件", "pension_months >= param('spare')", "100")], &more), &[]);
    }
}
