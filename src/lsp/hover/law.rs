//! What policies and parameters say: a policy by its code, a parameter's values, a basis, a criterion.

use std::fmt::Write as _;

use super::place::kind_word;
use super::{decimal, titled};
use crate::explain::value::with_unit;
use crate::lsp::desk::Desk;
use crate::policy::document::{BasisStatus, ParameterValue, PolicyDocument};

/// The most values of a parameter that are shown.
const MOST: usize = 30;

pub(super) fn policy(desk: &Desk<'_>, code: &str) -> Option<String> {
    let versions: Vec<_> = desk.workspace.set.policies.iter().filter(|policy| policy.code == code).collect();
    let policy = versions.last()?;
    let mut lines = vec![titled(desk, &policy.name, code), String::new()];
    lines.push(format!("- {}: {}", desk.pick("主管机关", "authority"), policy.authority_name));
    lines.push(format!("- {}: {}", desk.pick("对象", "subject"), kind_word(desk, policy.subject)));
    for version in &versions {
        let to = version
            .in_force_to
            .map_or_else(String::new, |to| desk.pick("，DAY 起失效", ", until before DAY").replace("DAY", &to.to_string()));
        let from = desk.pick("DAY 起有效", "in force from DAY").replace("DAY", &version.in_force_from.to_string());
        lines.push(format!("- {} {}: {from}{to}", desk.pick("版本", "version"), version.version));
    }
    Some(lines.join("\n"))
}

pub(super) fn parameter(desk: &Desk<'_>, name: &str) -> Option<String> {
    let parameter = desk.workspace.set.parameters.iter().find(|parameter| parameter.name == name)?;
    let mut text = titled(desk, &parameter.label, name);
    let heads =
        [desk.pick("地区", "region"), desk.pick("自", "from"), desk.pick("至（不含）", "to (not included)"), desk.pick("值", "value")];
    let _ = write!(text, "\n\n| {} | {} |\n|---|---|---|---:|---|\n", heads.join(" | "), desk.pick("依据", "source"));
    let mut values: Vec<&ParameterValue> = parameter.values.iter().collect();
    values.sort_by(|one, other| (&one.region, one.from, one.announced).cmp(&(&other.region, other.from, other.announced)));
    for value in values.iter().take(MOST) {
        let region = desk.workspace.regions.name(&value.region).map_or("", |name| desk.say(name));
        let to = value.to.map(|to| to.to_string()).unwrap_or_default();
        let number = with_unit(&decimal(value.digits, value.scale), parameter.unit.as_deref());
        let source = value.source.as_deref().unwrap_or_default().replace('|', "\\|");
        let status = status(desk, value.status);
        let source = if source.is_empty() { status.to_owned() } else { format!("{source} ({status})") };
        let _ = writeln!(text, "| {} {region} | {} | {to} | {} | {source} |", value.region, value.from, desk.say(&number));
    }
    if values.len() > MOST {
        let _ = writeln!(text, "\n{}", desk.pick("共 N 个值", "N values in all").replace('N', &values.len().to_string()));
    }
    Some(text)
}

fn status(desk: &Desk<'_>, status: BasisStatus) -> &'static str {
    match status {
        BasisStatus::Text => desk.pick("原文", "as printed"),
        BasisStatus::Memory => desk.pick("未核对原文", "from memory"),
        BasisStatus::Sample => desk.pick("样例", "sample"),
    }
}

/// The policy that a document is, or that it belongs to.
pub(in crate::lsp) fn own_policy<'d>(desk: &'d Desk<'_>) -> Option<&'d PolicyDocument> {
    let policies = &desk.workspace.set.policies;
    let own = policies.iter().find(|policy| policy.path == desk.path);
    own.or_else(|| policies.iter().find(|policy| policy.path.parent() == desk.path.parent())).map(|policy| &**policy)
}

pub(super) fn basis(desk: &Desk<'_>, id: &str) -> Option<String> {
    let basis = own_policy(desk)?.basis.iter().find(|basis| basis.id == id)?;
    let mut text = format!("**{}**", basis.title);
    for part in [&basis.number, &basis.article].into_iter().flatten() {
        let _ = write!(text, " · {part}");
    }
    let _ = write!(text, " ({})", status(desk, basis.status));
    for part in [&basis.text, &basis.note].into_iter().flatten() {
        let _ = write!(text, "\n\n{part}");
    }
    Some(text)
}

pub(super) fn criterion(desk: &Desk<'_>, id: &str) -> Option<String> {
    let policy = own_policy(desk)?;
    let criterion = policy.criteria.criteria().into_iter().find(|criterion| criterion.id == id)?;
    let when = criterion.when.node.text().unwrap_or_default();
    Some(match policy.cite(criterion) {
        Some(clause) => format!("{clause}\n\n`{when}`"),
        None => format!("`{when}`"),
    })
}
