//! Where facts come from and where they hold: registers, columns, links, regions.

use super::fact::type_words;
use super::titled;
use crate::check::catalogue::column_type;
use crate::criteria::print;
use crate::lsp::desk::Desk;
use crate::region::{Region, RegionLevel};
use crate::register::declaration::{Absence, RegisterDeclaration, SubjectKind};

/// A register in short: label and name.
pub(super) fn short(desk: &Desk<'_>, register: &str) -> String {
    match desk.workspace.registers.registers.get(register) {
        Some(declaration) => format!("{} `{register}`", desk.say(&declaration.label)),
        None => format!("`{register}`"),
    }
}

/// Who keeps a register, what absence means in it, how old it may be: a line each.
pub(super) fn keeping(desk: &Desk<'_>, register: &str) -> Vec<String> {
    let Some(declaration) = desk.workspace.registers.registers.get(register) else { return Vec::new() };
    let mut lines = vec![format!(
        "- {}: {}{}",
        desk.pick("登记库", "register"),
        short(desk, register),
        if declaration.kept_by.is_empty() { String::new() } else { format!(" · {}", declaration.kept_by) }
    )];
    lines.push(absence(desk, declaration));
    if let Some(days) = declaration.fresh_within_days {
        lines.push(format!("- {}: {}", desk.pick("时效", "fresh within"), days_text(desk, days)));
    }
    lines
}

fn days_text(desk: &Desk<'_>, days: i64) -> String {
    format!("{days} {}", desk.pick("天", if days == 1 { "day" } else { "days" }))
}

fn absence(desk: &Desk<'_>, register: &RegisterDeclaration) -> String {
    let meaning = match register.absence {
        Absence::Complete => desk.pick("即没有", "none"),
        Absence::Partial => desk.pick("未知", "unknown"),
    };
    let mut within: Vec<String> = Vec::new();
    if register.absence == Absence::Complete {
        within.extend(register.coverage_regions.iter().map(|code| match desk.workspace.regions.name(code) {
            Some(name) => format!("{} {code}", desk.say(name)),
            None => code.clone(),
        }));
        within.extend(register.coverage_from.map(|from| desk.pick("DAY 起", "from DAY").replace("DAY", &from.to_string())));
    }
    let within = if within.is_empty() {
        String::new()
    } else {
        format!("{}{}", desk.pick("，限于 ", ", within "), within.join(desk.pick("、", ", ")))
    };
    format!("- {}: {meaning}{within}", desk.pick("没有记录", "no row means"))
}

pub(super) fn register(desk: &Desk<'_>, name: &str) -> Option<String> {
    let declaration = desk.workspace.registers.registers.get(name)?;
    let mut lines = vec![titled(desk, &declaration.label, name), String::new()];
    if !declaration.row_is.is_empty() {
        lines.push(format!("- {}: {}", desk.pick("一行是", "a row is"), declaration.row_is));
    }
    lines.extend(keeping(desk, name));
    Some(lines.join("\n"))
}

pub(super) fn column(desk: &Desk<'_>, register: &str, name: &str) -> Option<String> {
    let column = desk.workspace.registers.registers.get(register)?.column(name)?;
    let mut lines = vec![titled(desk, &column.label, &format!("{register}.{name}")), String::new()];
    lines.push(format!("- {}: {}", desk.pick("类型", "type"), type_words(desk, &column_type(column), column.unit.as_deref())));
    if !column.codes.is_empty() {
        let codes: Vec<String> = column.codes.iter().map(|(code, label)| format!("`{code}` {}", desk.say(label))).collect();
        lines.push(format!("- {}: {}", desk.pick("代码", "codes"), codes.join(desk.pick("、", ", "))));
    }
    if let Some(null) = &column.null_is {
        lines.push(format!("- {}: {null}", desk.pick("空值", "no value means")));
    }
    lines.push(format!("- {}: {}", desk.pick("登记库", "register"), short(desk, register)));
    Some(lines.join("\n"))
}

pub(super) fn link(desk: &Desk<'_>, link: usize) -> Option<String> {
    let link = desk.workspace.registers.links.get(link)?;
    let mut lines = vec![titled(desk, &link.label, &link.name), String::new()];
    let many = if link.many { desk.pick("，可有多个", ", many") } else { "" };
    lines.push(format!("- {} → {}{many}", kind_word(desk, link.from), kind_word(desk, link.to)));
    lines.push(format!("- {}: {}", desk.pick("登记库", "register"), short(desk, &link.register)));
    if let Some(filter) = &link.filter {
        lines.push(format!("- {}: `{}`", desk.pick("条件", "where"), print(&filter.expr)));
    }
    Some(lines.join("\n"))
}

/// The word for a kind of subject.
pub(super) fn kind_word(desk: &Desk<'_>, kind: SubjectKind) -> &'static str {
    match kind {
        SubjectKind::Person => desk.pick("个人", "person"),
        SubjectKind::Household => desk.pick("家庭", "household"),
        SubjectKind::Entity => desk.pick("企业和其他组织", "entity"),
    }
}

pub(super) fn region(desk: &Desk<'_>, code: &str) -> Option<String> {
    let regions = &desk.workspace.regions;
    let periods: Vec<&Region> = regions.regions().filter(|region| region.code == code).collect();
    let last = periods.last()?;
    let mut lines = vec![titled(desk, &last.name, code), String::new()];
    let day = last.to.and_then(|to| to.pred_opt()).unwrap_or(last.from.max(chrono::NaiveDate::default()));
    let mut chain: Vec<&str> =
        regions.chain(code, day).into_iter().filter_map(|code| regions.name(code)).map(|name| desk.say(name)).collect();
    chain.reverse();
    lines.push(format!("- {}", chain.join(" › ")));
    let level = match last.level {
        RegionLevel::Country => desk.pick("全国", "country"),
        RegionLevel::Province => desk.pick("省级", "province"),
        RegionLevel::Prefecture => desk.pick("地级", "prefecture"),
        RegionLevel::County => desk.pick("县级", "county"),
        RegionLevel::Town => desk.pick("乡级", "town"),
    };
    lines.push(format!("- {}: {level}", desk.pick("级别", "level")));
    if let Some(to) = last.to {
        let named = last
            .replaced_by
            .iter()
            .map(|code| regions.name(code).map_or_else(|| code.clone(), |name| format!("{} {code}", desk.say(name))));
        let next: Vec<String> = named.collect();
        let became = if next.is_empty() { String::new() } else { format!("{}{}", desk.pick("，改为 ", ", became "), next.join(", ")) };
        lines.push(format!("- {}{became}", desk.pick("DAY 起撤销", "ended on DAY").replace("DAY", &to.to_string())));
    }
    Some(lines.join("\n"))
}
