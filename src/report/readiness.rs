//! Readiness on the terminal: policies with their conditions and modes, what would lift them, and what hangs on each register.

use super::simulation::Words;
use super::table::{Align, Table, amount, count};
use crate::diagnostic::Lang;
use crate::policy::document::Mode;
use crate::readiness::condition::{Condition, ConditionName, Status};
use crate::readiness::lift::Lift;
use crate::readiness::registers::Freshness;
use crate::readiness::results::{Fit, PolicyReadiness, Readiness, RegisterLoad, Role};
use crate::readiness::stop::{Change, Effect};
use crate::register::declaration::SubjectKind;

/// What is told in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Details {
    /// Each policy, not only those that declare more than they can have.
    pub policies: bool,
    /// Each register, policy by policy.
    pub registers: bool,
}

/// At most so many facts of a register are named.
const FACTS: usize = 4;
/// At most so many lifts of a policy are told where not everything is.
const LIFTS: usize = 3;

/// The results as text that ends with a line break.
#[must_use]
pub fn render(found: &Readiness, details: Details, lang: Lang, color: bool) -> String {
    let words = Words(lang);
    let mut parts = vec![head(found, words), policies(found, words).render(None, color), legend(words), summary(found, words)];
    for policy in found.policies.iter().filter(|policy| details.policies || policy.fit.is_finding()) {
        parts.push(policy_in_full(policy, words, details.policies));
    }
    if let Some(loads) = &found.loads {
        parts.push(registers(loads, words).render(None, color));
        parts.extend(base_notes(loads, words));
        if details.registers {
            parts.extend(loads.iter().map(|load| register_in_full(load, words, color)));
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn head(found: &Readiness, words: Words) -> String {
    let judged: Vec<String> = SubjectKind::ALL
        .into_iter()
        .filter(|kind| found.judged.of(*kind) > 0)
        .map(|kind| format!("{} {}", count(found.judged.of(kind)), words.kind(kind)))
        .collect();
    let policies = found.policies.len() as u64;
    let noun = words.pick("项政策", if policies == 1 { "policy" } else { "policies" });
    let mut text = format!("{} {} · {} {noun} · {}\n", words.pick("判定日", "as of"), found.as_of, count(policies), judged.join(", "));
    for state in found.silent() {
        let label = state.label.get(words.0);
        let day = state.data_day.map(|day| format!(" ({})", words.pick2(format!("数据日 {day}"), format!("data day {day}"))));
        text.push_str(&format!(
            "{} {label} ({}): {}{}\n",
            words.pick("注意:", "note:"),
            state.register,
            match state.freshness {
                Freshness::Stale => words.pick("数据过期, 其事实为未知", "out of date, its facts are unknown"),
                _ => words.pick("缺席, 其事实为未知", "absent, its facts are unknown"),
            },
            day.unwrap_or_default()
        ));
    }
    text
}

fn policies(found: &Readiness, words: Words) -> Table {
    let pick = |zh, en| words.pick(zh, en);
    let mut table = Table::new(&[
        (pick("编码", "code"), Align::Left),
        (pick("政策事项", "policy"), Align::Left),
        (pick("对象", "whose"), Align::Left),
        (pick("条件", "1 2 3 4"), Align::Left),
        (pick("规定方式", "declares"), Align::Left),
        (pick("可采用", "can have"), Align::Left),
        (pick("符合", "yes"), Align::Right),
        (pick("未知", "unknown"), Align::Right),
        (pick("可承诺", "by word"), Align::Right),
        (pick("补齐后可提升", "lifted by"), Align::Left),
    ]);
    for policy in &found.policies {
        let people = |get: &dyn Fn(&crate::readiness::people::People) -> u64| {
            policy.people.as_ref().map_or_else(String::new, |people| count(get(people)))
        };
        table.push([
            policy.code.to_string(),
            policy.name.get(words.0).to_owned(),
            words.kind(policy.kind).to_owned(),
            policy.conditions.iter().map(|condition| condition.status.sign()).collect::<Vec<_>>().join(" "),
            mode(Some(policy.declared), words),
            format!("{}{}", mode(policy.carried, words), sign(policy.fit)),
            people(&|people| people.yes),
            people(&|people| people.unknown),
            people(&|people| people.committable),
            lifted_by(policy, words),
        ]);
    }
    table
}

/// How the mode that can be had stands to the one that is declared.
fn sign(fit: Fit) -> &'static str {
    match fit {
        Fit::TooLight | Fit::NotInForce => " ▼",
        Fit::CouldBeLighter => " ▲",
        Fit::Fits => "",
    }
}

fn mode(mode: Option<Mode>, words: Words) -> String {
    mode.map_or_else(|| words.pick("不能", "none").to_owned(), |mode| mode.label().get(words.0).to_owned())
}

/// What alone lifts a policy most; else that only several do.
fn lifted_by(policy: &PolicyReadiness, words: Words) -> String {
    let Some(carried) = policy.carried else { return String::new() };
    let lightest = policy
        .lifts
        .iter()
        .filter_map(|lift| lift.mode.filter(|mode| *mode < carried).map(|mode| (mode, lift)))
        .min_by_key(|(mode, _)| *mode);
    match (lightest, policy.at_best) {
        (Some((to, lift)), _) => format!("{} → {}", name(lift), mode(Some(to), words)),
        (None, Some(best)) if best < carried => {
            let names: Vec<String> = policy.lifts.iter().take(2).map(name).collect();
            let more = if policy.lifts.len() > 2 { " + …" } else { "" };
            format!("{}{more} → {}", names.join(" + "), mode(Some(best), words))
        }
        _ => String::new(),
    }
}

/// A register or parameter by its name.
fn name(lift: &Lift) -> String {
    lift.register
        .clone()
        .or_else(|| lift.parameter.as_ref().map(|parameter| format!("param('{parameter}')")))
        .unwrap_or_else(|| "?".to_owned())
}

fn legend(words: Words) -> String {
    let names: Vec<String> =
        ConditionName::ALL.iter().enumerate().map(|(at, name)| format!("{} {}", at + 1, name.label().get(words.0))).collect();
    let signs: Vec<String> = [Status::Met, Status::Partly, Status::NotMet]
        .iter()
        .map(|status| format!("{} {}", status.sign(), status.label().get(words.0)))
        .collect();
    format!(
        "{}: {}; {}\n{}\n",
        words.pick("四个条件", "conditions"),
        names.join(words.pick("、", ", ")),
        signs.join(" "),
        words.pick("▼ 达不到政策规定的方式; ▲ 可以更简便", "▼ less than the policy declares; ▲ lighter than it declares")
    )
}

fn summary(found: &Readiness, words: Words) -> String {
    let modes = [Some(Mode::Automatic), Some(Mode::Confirm), Some(Mode::Commit), Some(Mode::Review), None];
    let counts: Vec<String> = modes
        .into_iter()
        .map(|of| (of, found.policies.iter().filter(|policy| policy.carried == of).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(of, count)| format!("{} {count}", mode(of, words)))
        .collect();
    let with = |fit: Fit| found.policies.iter().filter(|policy| policy.fit == fit).count();
    let findings = found.findings().count();
    format!(
        "{}: {} · {} {findings} · {} {}\n",
        words.pick("今日可采用", "can have today"),
        counts.join(", "),
        words.pick("达不到规定方式", "declares more than it can have"),
        words.pick("可以更简便", "could be lighter"),
        with(Fit::CouldBeLighter)
    )
}

/// One policy with all that was found, or, where not everything is asked for, with what speaks against its mode.
fn policy_in_full(policy: &PolicyReadiness, words: Words, everything: bool) -> String {
    let mut text = format!("{} {}\n", policy.code, policy.name.get(words.0));
    let (declared, carried) = (mode(Some(policy.declared), words), mode(policy.carried, words));
    let kind = if policy.listed { words.pick("认定类", "listed") } else { words.pick("数据比对类", "computed") };
    text.push_str(&words.pick2(
        format!("  {kind}; 规定方式 {declared}, 今日可采用 {carried}\n"),
        format!("  {kind}; declares {declared}, can have {carried}\n"),
    ));
    for condition in policy.conditions.iter().filter(|condition| everything || condition.status != Status::Met) {
        text.push_str(&condition_line(condition, words));
    }
    if let Some(people) = &policy.people {
        let facts = [
            (words.pick("符合", "yes"), people.yes),
            (words.pick("不符合", "no"), people.no),
            (words.pick("未知", "unknown"), people.unknown),
            (words.pick("其中可承诺", "of them by their word"), people.committable),
            (words.pick("金额不明", "amount not known"), people.unpriced),
            (words.pick("收款人不明", "payee not known"), people.without_payee),
        ];
        let shown: Vec<String> = facts
            .iter()
            .enumerate()
            .filter(|(at, (_, number))| *at < 3 || *number > 0)
            .map(|(_, (label, number))| format!("{label} {}", count(*number)))
            .collect();
        text.push_str(&format!("  {}: {}\n", words.pick("对象", "people"), shown.join(" · ")));
    }
    let limit = if everything { usize::MAX } else { LIFTS };
    for lift in policy.lifts.iter().take(limit) {
        text.push_str(&lift_line(lift, policy, words));
    }
    if let (Some(best), Some(carried)) = (policy.at_best, policy.carried)
        && best < carried
    {
        let best = mode(Some(best), words);
        text.push_str(&words.pick2(format!("  全部补齐 → {best}\n"), format!("  all of it → {best}\n")));
    }
    text
}

fn condition_line(condition: &Condition, words: Words) -> String {
    let mut text =
        format!("  {} {} ({}/{})\n", condition.status.sign(), condition.condition.label().get(words.0), condition.holds, condition.of);
    for reason in &condition.reasons {
        let mut place: Vec<String> = Vec::new();
        if !reason.facts.is_empty() {
            place.push(listed(&reason.facts, FACTS, words));
        }
        if !reason.parts.is_empty() {
            place.push(format!("[{}]", reason.parts.join(", ")));
        }
        let place = if place.is_empty() { String::new() } else { format!(" – {}", place.join(" ")) };
        text.push_str(&format!("      {}{place}\n", reason.text.get(words.0)));
    }
    text
}

fn listed(names: &[String], most: usize, words: Words) -> String {
    let mut shown = names.iter().take(most).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > most {
        shown.push_str(&words.pick2(format!(" 等 {} 个", names.len()), format!(", {} in all", names.len())));
    }
    shown
}

fn lift_line(lift: &Lift, policy: &PolicyReadiness, words: Words) -> String {
    let (settles, takes_part) = (count(lift.settles), count(lift.takes_part));
    let money = lift.estimated.filter(|estimated| *estimated > 0).map(amount);
    let to = lift.mode.filter(|mode| policy.carried.is_some_and(|carried| *mode < carried));
    let to = to.map(|to| format!(" → {}", mode(Some(to), words))).unwrap_or_default();
    let state = match lift.freshness {
        Some(freshness @ (Freshness::Absent | Freshness::Stale)) => format!(", {}", freshness.label().get(words.0)),
        _ => String::new(),
    };
    let label = lift.label.get(words.0);
    let register = lift.register.as_ref().map(|register| format!(" ({register}{state})")).unwrap_or_default();
    let about = money.map(|money| words.pick2(format!(", 约 {money} 元"), format!(", about {money} CNY"))).unwrap_or_default();
    let numbers = if lift.takes_part > 0 {
        words.pick2(
            format!(": 单独补齐可查明 {settles} 个{about}, 涉及 {takes_part} 个"),
            format!(": alone settles {settles}{about}; has part in {takes_part}"),
        )
    } else {
        String::new()
    };
    let payees = count(lift.payees);
    let payees = match lift.payees {
        0 => String::new(),
        _ => words.pick2(format!("; 可查明 {payees} 个的收款人"), format!("; tells the payees of {payees}")),
    };
    let mut text = format!("  + {label}{register}{numbers}{payees}{to}\n");
    for fact in lift.facts.iter().take(FACTS) {
        let cause = cause(fact.cause, words);
        let (label, name) = (fact.label.get(words.0), &fact.fact);
        let named = if label == name { name.clone() } else { format!("{label} {name}") };
        text.push_str(&format!("      {named} ({cause}): {} / {}\n", count(fact.settles), count(fact.takes_part)));
    }
    if lift.facts.len() > FACTS {
        let more = lift.facts.len() - FACTS;
        text.push_str(&words.pick2(format!("      另有 {more} 个事实\n"), format!("      and {more} more facts\n")));
    }
    text
}

fn cause(cause: crate::dossier::Cause, words: Words) -> &'static str {
    match cause {
        crate::dossier::Cause::Missing => words.pick("没有登记", "no register has it"),
        crate::dossier::Cause::Stale => words.pick("登记过期", "the register is stale"),
        crate::dossier::Cause::Conflict => words.pick("登记不一致", "registers disagree"),
    }
}

fn registers(loads: &[RegisterLoad], words: Words) -> Table {
    let pick = |zh, en| words.pick(zh, en);
    let late = loads.first().map_or(0, |load| load.late_days);
    let late = words.pick2(format!("迟报 {late} 天"), format!("{late} days late"));
    let mut table = Table::new(&[
        (pick("登记库", "register"), Align::Left),
        (pick("数据日", "data day"), Align::Left),
        (pick("有效至", "fresh until"), Align::Left),
        (pick("政策", "policies"), Align::Right),
        (pick("停供影响: 个人", "lose: persons"), Align::Right),
        (pick("家庭", "households"), Align::Right),
        (pick("法人", "entities"), Align::Right),
        (pick("其中未转未知", "unnoticed"), Align::Right),
        (pick("新增未知", "more unknown"), Align::Right),
        (pick("当月少发(元)", "less this month (CNY)"), Align::Right),
        (pick("全年少发(元)", "less a year (CNY)"), Align::Right),
        (&late, Align::Left),
    ]);
    for load in loads {
        let mut cells = vec![
            load.state.register.clone(),
            load.state.data_day.map_or_else(|| pick("缺席", "absent").to_owned(), |day| day.to_string()),
            load.state.fresh_until.map_or_else(|| "–".to_owned(), |day| day.to_string()),
            if load.role == Role::Facts { count(load.read_by.len() as u64) } else { pick("全部", "all").to_owned() },
        ];
        match &load.stops {
            Some(effect) => {
                let total = &effect.total;
                cells.extend(SubjectKind::ALL.iter().map(|kind| count(effect.losing.of(*kind))));
                // Without a register that lists subjects nothing runs, and that is noticed.
                let unnoticed = total.lost - total.lost_unknown;
                cells.push(if load.state.lists.is_empty() { count(unnoticed) } else { "–".to_owned() });
                cells.push(count(total.unknown_after.saturating_sub(total.unknown_before)));
                cells.extend([amount(total.month_lost), amount(total.year_lost)]);
            }
            None => cells.extend(std::iter::repeat_n("–".to_owned(), 7)),
        }
        cells.push(when_late(load, words));
        table.push(cells);
    }
    table
}

/// What is paid less, and behind it what is paid more, where that is anything.
fn money(change: &Change, lost: impl Fn(&Change) -> i64, gained: impl Fn(&Change) -> i64) -> String {
    let (lost, gained) = (lost(change), gained(change));
    let more = if gained > 0 { format!(" +{}", amount(gained)) } else { String::new() };
    format!("{}{more}", if lost > 0 { format!("-{}", amount(lost)) } else { amount(0) })
}

fn when_late(load: &RegisterLoad, words: Words) -> String {
    let people = |effect: &Effect| SubjectKind::ALL.iter().map(|kind| effect.losing.of(*kind)).sum::<u64>();
    match (&load.late, load.state.freshness) {
        (Some(effect), _) => {
            words.pick2(format!("过期: {} 个对象", count(people(effect))), format!("stale: {} subjects", count(people(effect))))
        }
        (None, Freshness::Absent) => words.pick("已缺席", "absent already").to_owned(),
        (None, Freshness::Stale) => words.pick("已过期", "stale already").to_owned(),
        (None, Freshness::Fresh) if !load.role.is_dated() => words.pick("不查数据日", "age not asked").to_owned(),
        (None, Freshness::Fresh) => words.pick("仍在期", "still fresh").to_owned(),
    }
}

/// What a table cannot say: registers without which nothing runs, and what is given twice.
fn base_notes(loads: &[RegisterLoad], words: Words) -> Vec<String> {
    let mut notes = String::new();
    for load in loads {
        let (label, register) = (load.state.label.get(words.0), &load.state.register);
        if !load.state.lists.is_empty() {
            let kinds: Vec<&str> = load.state.lists.iter().map(|kind| words.kind(*kind)).collect();
            let kinds = kinds.join(words.pick("、", ", "));
            notes.push_str(&words.pick2(
                format!("{label} ({register}) 列出全部{kinds}: 停供后, {kinds}的全部政策都不能运行\n"),
                format!("{label} ({register}) lists all {kinds}: without it everything about {kinds} stops\n"),
            ));
        }
        let Some(effect) = &load.stops else { continue };
        if effect.total.given_again > 0 {
            let (subjects, money) = (count(effect.total.given_again), amount(effect.total.amount_again));
            notes.push_str(&words.pick2(
                format!("{label} ({register}) 停供后: {subjects} 个已发放的会重复发放, 共 {money} 元\n"),
                format!("{label} ({register}) stops: {subjects} that are given already would be given again, {money} CNY\n"),
            ));
        }
        if load.role == Role::Facts && effect.total.to_review > 0 {
            let subjects = count(effect.total.to_review);
            notes.push_str(&words.pick2(
                format!("{label} ({register}) 停供后: {subjects} 个仍符合的要转人工审核 (收款人或金额不明)\n"),
                format!("{label} ({register}) stops: {subjects} that are still found go to an official (payee or amount not known)\n"),
            ));
        }
    }
    if notes.is_empty() { Vec::new() } else { vec![notes] }
}

/// One register, policy by policy.
fn register_in_full(load: &RegisterLoad, words: Words, color: bool) -> String {
    let pick = |zh, en| words.pick(zh, en);
    let mut text = format!("{} ({})\n", load.state.label.get(words.0), load.state.register);
    let sections = [
        (load.stops.as_ref(), words.pick2("停供后".to_owned(), "stops".to_owned())),
        (load.late.as_ref(), words.pick2(format!("迟报 {} 天", load.late_days), format!("{} days late", load.late_days))),
    ];
    for (effect, title) in sections {
        let Some(effect) = effect else { continue };
        if effect.policies.is_empty() {
            text.push_str(&format!("{title}: {}\n", pick("没有变化", "nothing changes")));
            continue;
        }
        let mut table = Table::new(&[
            (title.as_str(), Align::Left),
            (pick("政策事项", "policy"), Align::Left),
            (pick("对象", "whose"), Align::Left),
            (pick("不再查到", "lost"), Align::Right),
            (pick("其中变为未知", "of them unknown"), Align::Right),
            (pick("新查到", "gained"), Align::Right),
            (pick("转审核", "to review"), Align::Right),
            (pick("未知", "unknown"), Align::Left),
            (pick("当月(元)", "this month (CNY)"), Align::Right),
            (pick("全年(元)", "a year (CNY)"), Align::Right),
        ]);
        for policy in &effect.policies {
            let change = &policy.change;
            let indirect = if policy.reads { "" } else { pick(" (间接)", " (through others)") };
            table.push([
                policy.policy.to_string(),
                format!("{}{indirect}", policy.name.get(words.0)),
                words.kind(policy.kind).to_owned(),
                count(change.lost),
                count(change.lost_unknown),
                count(change.gained),
                count(change.to_review),
                format!("{} → {}", count(change.unknown_before), count(change.unknown_after)),
                money(change, |change| change.month_lost, |change| change.month_gained),
                money(change, |change| change.year_lost, |change| change.year_gained),
            ]);
        }
        text.push_str(&table.render(None, color));
    }
    text
}

impl Words {
    /// One of two texts that were put together.
    fn pick2(self, zh: String, en: String) -> String {
        if self.0 == Lang::Zh { zh } else { en }
    }
}
