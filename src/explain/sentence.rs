//! The reasons in plain sentences that a citizen can read, in Chinese and English.

use chrono::{Datelike, NaiveDate};

use super::judge::Verdict;
use super::lack::{FailingCriterion, Gap, Lacking};
use super::mend::{Change, LeastChange};
use super::reason::Reason;
use super::value::{grouped, with_unit};
use super::when::Turn;
use crate::diagnostic::Message;
use crate::policy::document::Mode;
use crate::register::declaration::SubjectKind;

/// How a subject is addressed.
struct Address {
    zh: &'static str,
    /// `You`, `Your household`.
    en: &'static str,
    /// `do`, `does`
    does: &'static str,
    /// `are`, `is`
    is: &'static str,
}

fn address(kind: SubjectKind) -> Address {
    match kind {
        SubjectKind::Person => Address { zh: "您", en: "You", does: "do", is: "are" },
        SubjectKind::Household => Address { zh: "您家", en: "Your household", does: "does", is: "is" },
        SubjectKind::Entity => Address { zh: "贵单位", en: "Your organisation", does: "does", is: "is" },
    }
}

/// The sentences of a reason, the verdict first.
pub(super) fn plain(reason: &Reason) -> Vec<Message> {
    let mut told = vec![verdict(reason)];
    told.extend(worth(reason));
    if let Some(lacking) = &reason.lacking {
        lacks(lacking, reason.subject, &mut told);
    }
    let failing = reason.requires.iter().filter(|tie| tie.verdict != Verdict::Yes && reason.verdict != Verdict::Yes);
    told.extend(failing.map(|tie| {
        let who = address(reason.subject);
        Message::new(format!("{}须同时享受“{}”。", who.zh, tie.name.zh), format!("{} must also be entitled to “{}”.", who.en, tie.name.en))
    }));
    if let Some(change) = &reason.least_change {
        told.extend(changes(change));
    }
    told.extend(unknowns(reason));
    told.extend(reason.turns.iter().map(|turn| turns(turn, reason)));
    if let (Some(until), true) = (&reason.until, reason.turns.is_empty()) {
        let (zh, en) = (date_zh(until), date_en(until));
        told.push(Message::new(
            format!("如登记情况不变, 到{zh}为止判定不会变化。"),
            format!("As long as what is on record stays as it is, nothing changes until {en}."),
        ));
    }
    told
}

fn verdict(reason: &Reason) -> Message {
    let (who, name) = (address(reason.subject), &reason.name);
    match reason.verdict {
        Verdict::Yes => {
            Message::new(format!("{}符合“{}”的条件。", who.zh, name.zh), format!("{} {} entitled to “{}”.", who.en, who.is, name.en))
        }
        Verdict::No => Message::new(
            format!("按登记的情况, {}目前不符合“{}”的条件; 对登记有异议可以提出。", who.zh, name.zh),
            format!(
                "As far as registers tell, {} {} not meet the conditions of “{}” at present; what is on record can be objected to.",
                lower(who.en),
                who.does,
                name.en
            ),
        ),
        Verdict::Unknown => Message::new(
            format!("还不能判定{}是否符合“{}”的条件。", who.zh, name.zh),
            format!("Whether {} {} entitled to “{}” cannot be told yet.", lower(who.en), who.is, name.en),
        ),
        Verdict::Outside => Message::new(
            format!("“{}”不适用于{}: 适用范围是{}。", name.zh, who.zh, reason.coverage.name.zh),
            format!("“{}” is not for {}: it covers {}.", name.en, lower(who.en), reason.coverage.name.en),
        ),
    }
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().collect::<String>() + letters.as_str())
}

fn worth(reason: &Reason) -> Vec<Message> {
    let mut told = Vec::new();
    if let Some(amount) = &reason.amount {
        let value = amount.amount.as_ref().map(|text| with_unit(&grouped(text), Some(&amount.unit)));
        let each = if amount.per_member { ("每人", "for each member ") } else { ("", "") };
        told.push(match value {
            Some(value) => {
                let numbers = amount.numbers.as_ref().filter(|numbers| numbers.zh.contains([' ', '/', '*', '+']));
                let (zh, en) =
                    numbers.map_or((String::new(), String::new()), |numbers| (format!("（{}）", numbers.zh), format!(" ({})", numbers.en)));
                Message::new(format!("标准是{}{}{zh}。", each.0, value.zh), format!("It is {}{}{en}.", each.1, value.en))
            }
            None => Message::new("金额还算不出, 由工作人员确定。", "How much cannot be told yet; an official decides."),
        });
    }
    let Some(mode) = reason.mode.filter(|_| reason.verdict == Verdict::Yes) else { return told };
    if let Some(other) = &reason.given_up_for {
        told.push(Message::new(
            format!("已有“{}”, 两项不能同时享受。", other.name.zh),
            format!("“{}” is given instead: one cannot have both.", other.name.en),
        ));
        return told;
    }
    told.push(match mode {
        Mode::Automatic => Message::new("免申即享, 不用申请。", "It is given without an application."),
        Mode::Confirm => Message::new("确认一次即可, 不用申请。", "One confirmation is enough; no application is needed."),
        Mode::Commit => Message::new("作出承诺即可。", "A commitment is enough."),
        Mode::Review => Message::new("由工作人员复核后决定。", "An official decides after a review."),
    });
    told
}

fn lacks(lacking: &Lacking<FailingCriterion>, kind: SubjectKind, told: &mut Vec<Message>) {
    match lacking {
        Lacking::One(criterion) => told.push(failing(criterion, kind)),
        Lacking::All(items) => items.iter().for_each(|item| lacks(item, kind, told)),
        Lacking::Any(items) | Lacking::Some { of: items, .. } => {
            let count = if let Lacking::Some { count, .. } = lacking { *count } else { 1 };
            let each: Vec<Message> = items.iter().map(|item| joined(item, kind)).collect();
            let (zh, en): (Vec<String>, Vec<String>) = each.into_iter().map(|message| (end(&message.zh), end(&message.en))).unzip();
            told.push(Message::new(
                format!("以下情形须有{count}项符合, 目前都不符合: {}。", zh.join("; 或者, ")),
                format!("{count} of these must hold, and none does: {}.", en.join("; or, ")),
            ));
        }
    }
}

/// Several criteria in one sentence.
fn joined(lacking: &Lacking<FailingCriterion>, kind: SubjectKind) -> Message {
    let mut told = Vec::new();
    lacks(lacking, kind, &mut told);
    let (zh, en): (Vec<String>, Vec<String>) = told.into_iter().map(|message| (end(&message.zh), end(&message.en))).unzip();
    Message::new(zh.join(", 且"), en.join(", and "))
}

/// A sentence without its full stop.
fn end(text: &str) -> String {
    text.trim_end_matches(['。', '.']).to_owned()
}

fn failing(criterion: &FailingCriterion, kind: SubjectKind) -> Message {
    let mut text = match &criterion.gaps {
        Some(gaps) => gap_words(gaps, kind),
        None => {
            let name = criterion.label.clone().unwrap_or_else(|| Message::new(&criterion.id, &criterion.id));
            Message::new(format!("“{}”不符合", name.zh), format!("“{}” does not hold", name.en))
        }
    };
    if let Some(day) = &criterion.mended_on {
        text.zh.push_str(&format!("; {}起符合", date_zh(day)));
        text.en.push_str(&format!("; it will from {}", date_en(day)));
    }
    text.zh.push('。');
    text.en.push('.');
    text
}

fn gap_words(gaps: &Lacking<Gap>, kind: SubjectKind) -> Message {
    let several = |items: &[Lacking<Gap>], zh: &str, en: &str| {
        let (all_zh, all_en): (Vec<String>, Vec<String>) =
            items.iter().map(|item| gap_words(item, kind)).map(|message| (message.zh, message.en)).unzip();
        Message::new(all_zh.join(zh), all_en.join(en))
    };
    match gaps {
        Lacking::One(gap) => one_gap(gap, kind),
        Lacking::All(items) => several(items, ", 且", ", and "),
        Lacking::Any(items) | Lacking::Some { of: items, .. } => several(items, ", 或", ", or "),
    }
}

/// `您在2026年6月30日为79周岁, 须不低于80周岁, 差1年`
fn one_gap(gap: &Gap, kind: SubjectKind) -> Message {
    let who = address(kind);
    let mut text = match &gap.on {
        Some(day) => Message::new(
            format!("{}在{}满{}, 须{}", who.zh, date_zh(day), gap.is.zh, gap.must_be.zh),
            format!("{} {} {} years old on {}; it must be {}", who.en, who.is, gap.is.en, date_en(day), gap.must_be.en),
        ),
        None => Message::new(
            format!("{}登记为“{}”, 须为“{}”", gap.what.zh, gap.is.zh, gap.must_be.zh),
            format!("{} is {} on record; it must be {}", capital(&gap.what.en), gap.is.en, gap.must_be.en),
        ),
    };
    if let Some(short) = &gap.short_by {
        if gap.on.is_none() {
            text = Message::new(
                format!("{}为{}, 须{}", gap.what.zh, gap.is.zh, gap.must_be.zh),
                format!("{} is {}; it must be {}", capital(&gap.what.en), gap.is.en, gap.must_be.en),
            );
        }
        if gap.short_by_exact.as_deref() == Some("0") {
            text.zh.push_str(", 正好在界限上");
            text.en.push_str(", and is just at the limit");
        } else {
            text.zh.push_str(&format!(", 差{}", short.zh));
            text.en.push_str(&format!(": off by {}", short.en));
        }
    }
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

fn changes(change: &LeastChange) -> Vec<Message> {
    let mut told = Vec::new();
    for (at, set) in change.sets.iter().enumerate() {
        let words = change_words(set);
        let (zh, en) = if at == 0 { ("如果", "If") } else { ("或者, 如果", "Or, if") };
        told.push(Message::new(format!("{zh}{}, 即符合条件。", words.zh), format!("{en} {}, the conditions are met.", words.en)));
    }
    if told.is_empty() {
        told.push(if change.considered.is_empty() {
            Message::new("这些条件不是本人改变登记情况就能满足的。", "None of this is something that one can change oneself.")
        } else if change.complete {
            Message::new(
                "能由本人改变的登记情况, 无论怎样改变都还不够。",
                "What one can change oneself is not enough, whatever it becomes.",
            )
        } else {
            Message::new(
                "在查过的改变中没有能符合条件的; 还有没有查到的改变。",
                "None of the changes that were looked at is enough; not all were looked at.",
            )
        });
        for opening in change.openings.iter().take(1) {
            let words = change_words(&opening.changes);
            let then: Vec<&str> = opening.then_missing.iter().map(|fact| fact.label.zh.as_str()).collect();
            let then_en: Vec<&str> = opening.then_missing.iter().map(|fact| fact.label.en.as_str()).collect();
            told.push(Message::new(
                format!("如果{}, 再看{}才能判定。", words.zh, then.join("、")),
                format!("If {}, it would then depend on {}.", words.en, then_en.join(", ")),
            ));
        }
    } else if !change.complete {
        told.push(Message::new("没有查遍所有改变, 可能还有更小的改变。", "Not all changes were looked at; there may be smaller ones."));
    }
    told
}

fn change_words(set: &[Change]) -> Message {
    let words = set.iter().map(|change| {
        let unknown = Message::new("未知", "unknown");
        let from = change.from.as_ref().unwrap_or(&unknown);
        Message::new(
            format!("“{}”由“{}”变为“{}”", change.label.zh, from.zh, change.to.zh),
            format!("“{}” goes from {} to {}", change.label.en, from.en, change.to.en),
        )
    });
    let (zh, en): (Vec<String>, Vec<String>) = words.map(|message| (message.zh, message.en)).unzip();
    Message::new(zh.join("、"), en.join(" and "))
}

fn unknowns(reason: &Reason) -> Vec<Message> {
    let Some(settle) = &reason.settle else { return Vec::new() };
    let why: Vec<Message> = settle
        .facts
        .iter()
        .map(|fact| {
            let why = fact.cause.map_or_else(|| Message::new("未知", "unknown"), super::why::Why::words);
            let registers: Vec<&str> = fact.registers.iter().map(|register| register.label.zh.as_str()).collect();
            let registers_en: Vec<&str> = fact.registers.iter().map(|register| register.label.en.as_str()).collect();
            let (zh, en) = if registers.is_empty() {
                (String::new(), String::new())
            } else {
                (format!("（{}）", registers.join("、")), format!(" ({})", registers_en.join(", ")))
            };
            Message::new(format!("“{}”: {}{zh}", fact.label.zh, why.zh), format!("“{}”: {}{en}", fact.label.en, why.en))
        })
        .collect();
    let (zh, en): (Vec<String>, Vec<String>) = why.into_iter().map(|message| (message.zh, message.en)).unzip();
    vec![
        Message::new(format!("缺少的情况: {}。", zh.join("; ")), format!("What is not known: {}.", en.join("; "))),
        Message::new(format!("{}。", settle.ask.zh), format!("{}.", settle.ask.en)),
    ]
}

fn turns(turn: &Turn, reason: &Reason) -> Message {
    let (who, day) = (address(reason.subject), turn.on.to_string());
    let (zh, en) = match turn.to {
        Verdict::Yes => ("符合条件".to_owned(), "the conditions are met".to_owned()),
        Verdict::No => ("不再符合条件".to_owned(), "the conditions are not met".to_owned()),
        Verdict::Unknown => ("须重新判定".to_owned(), "it will have to be looked at anew".to_owned()),
        Verdict::Outside => ("本政策不再适用".to_owned(), "this policy no longer applies".to_owned()),
    };
    let (why_zh, why_en): (Vec<String>, Vec<String>) = turn
        .criteria
        .iter()
        .map(|criterion| {
            let name = criterion.label.clone().or_else(|| criterion.clause.as_ref().map(|clause| Message::new(clause, clause)));
            name.unwrap_or_else(|| Message::new(&criterion.id, &criterion.id))
        })
        .map(|name| (name.zh, name.en))
        .unzip();
    let (because_zh, because_en) = if turn.by_policy {
        ("政策施行日期".to_owned(), "the dates of the policy".to_owned())
    } else {
        (why_zh.join("、"), why_en.join(", "))
    };
    let (zh_tail, en_tail) =
        if because_zh.is_empty() { (String::new(), String::new()) } else { (format!("（{because_zh}）"), format!(" ({because_en})")) };
    Message::new(
        format!("如登记情况不变, {}从{}起{zh}{zh_tail}。", who.zh, date_zh(&day)),
        format!("As long as what is on record stays as it is, from {} {en}{en_tail}.", date_en(&day)),
    )
}

/// `2027年3月4日`
pub(super) fn date_zh(text: &str) -> String {
    text.parse::<NaiveDate>().map_or_else(|_| text.to_owned(), |day| format!("{}年{}月{}日", day.year(), day.month(), day.day()))
}

/// `4 March 2027`
pub(super) fn date_en(text: &str) -> String {
    const MONTHS: [&str; 12] =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
    text.parse::<NaiveDate>()
        .map_or_else(|_| text.to_owned(), |day| format!("{} {} {}", day.day(), MONTHS[day.month0() as usize % 12], day.year()))
}
