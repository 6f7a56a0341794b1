//! How a fact is spread over the sample, in words.

use super::decimal;
use crate::check::catalogue::{Fact, FactId};
use crate::check::ir::Ty;
use crate::explain::value::{grouped, with_unit};
use crate::lsp::desk::Desk;
use crate::lsp::sample::{Distribution, LEAST, Sample, State, Values};
use crate::register::declaration::SubjectKind;

/// A line of what is known of the spread, and those that tell it.
pub(super) fn spread(desk: &Desk<'_>, id: FactId) -> Vec<String> {
    let title = desk.pick("样例中的分布", "in the sample");
    match desk.sample {
        State::Absent => Vec::new(),
        State::Working => vec![format!("- {title}: {}", desk.pick("正在计算…", "being worked out …"))],
        State::Failed(why) => vec![format!("- {title}: {}{}", desk.pick("没有算出：", "could not be worked out: "), desk.say(why))],
        State::Ready(sample) => {
            let fact = desk.workspace.checked.catalogue.fact(id);
            sample.of(id.kind, &fact.name).map_or_else(Vec::new, |spread| told(desk, sample, id.kind, fact, spread))
        }
    }
}

fn told(desk: &Desk<'_>, sample: &Sample, kind: SubjectKind, fact: &Fact, spread: &Distribution) -> Vec<String> {
    let title = desk.pick("样例中的分布", "in the sample");
    let all = of_subjects(desk, kind, spread.subjects);
    let unknown = match spread.unknown {
        Some(0) => desk.pick("没有未知", "none unknown").to_owned(),
        Some(unknown) => format!("{} {}", desk.pick("未知", "unknown"), share(unknown, spread.subjects)),
        None => format!("{} {}", desk.pick("未知", "unknown"), few(desk)),
    };
    let mut lines = vec![format!("- {title} ({}, {all}): {unknown}", sample.as_of)];
    match &spread.values {
        Values::Untold => {
            if matches!(fact.ty.ty, Ty::Number | Ty::Date) {
                lines.push(format!("  - {}", desk.pick("已知的太少，不显示", "too few are known to tell")));
            }
        }
        Values::Ranks(ranks) => {
            let words = [
                desk.pick("低", "low"),
                desk.pick("四分之一", "first quartile"),
                desk.pick("中位", "median"),
                desk.pick("四分之三", "third quartile"),
                desk.pick("高", "high"),
            ];
            let parts: Vec<String> = words.iter().zip(ranks).map(|(word, value)| format!("{word} {}", shown(desk, fact, *value))).collect();
            lines.push(format!("  - {}", parts.join(" · ")));
        }
        Values::Counts { of, more } => {
            for (value, count) in of.iter().filter(|(_, count)| *count != Some(0)) {
                let count = count.map_or_else(|| few(desk), |count| share(count, spread.subjects));
                lines.push(format!("  - {}: {count}", label(desk, fact, value)));
            }
            if *more > 0 {
                lines.push(format!("  - {}", desk.pick("另有 N 个值", "N more values").replace('N', &more.to_string())));
            }
        }
    }
    lines
}

fn of_subjects(desk: &Desk<'_>, kind: SubjectKind, number: u64) -> String {
    let word = match kind {
        SubjectKind::Person => desk.pick("人", " persons"),
        SubjectKind::Household => desk.pick("户", " households"),
        SubjectKind::Entity => desk.pick("家", " entities"),
    };
    format!("{}{}{word}", grouped(&number.to_string()), desk.pick(" ", ""))
}

/// A count that is not told.
fn few(desk: &Desk<'_>) -> String {
    desk.pick("隐去（涉及少于 N）", "hidden (it would tell of fewer than N)").replace('N', &LEAST.to_string())
}

/// A count with its share of all, rounded half up to a tenth of a per cent.
fn share(count: u64, of: u64) -> String {
    let thousandths = (count * 2000 + of) / (of * 2).max(1);
    format!("{} ({}.{} %)", grouped(&count.to_string()), thousandths / 10, thousandths % 10)
}

fn label(desk: &Desk<'_>, fact: &Fact, value: &str) -> String {
    match (fact.ty.ty, value) {
        (Ty::Bool, "true") => desk.pick("是", "yes").to_owned(),
        (Ty::Bool, _) => desk.pick("否", "no").to_owned(),
        _ if fact.ty.region => match desk.workspace.regions.name(value) {
            Some(name) => format!("{} {value}", desk.say(name)),
            None => value.to_owned(),
        },
        _ => match fact.ty.codes.as_ref().and_then(|codes| codes.get(value)) {
            Some(label) => format!("{} `{value}`", desk.say(label)),
            None => format!("`{value}`"),
        },
    }
}

/// A number or date at a rank.
fn shown(desk: &Desk<'_>, fact: &Fact, value: i64) -> String {
    if fact.ty.ty == Ty::Date {
        let day = i32::try_from(value).ok().and_then(chrono::NaiveDate::from_epoch_days);
        let text = day.map(|day| day.to_string()).unwrap_or_default();
        return if fact.ty.month { text.chars().take(7).collect() } else { text };
    }
    desk.say(&with_unit(&decimal(value, fact.ty.scale), fact.unit.as_deref())).to_owned()
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_rounded_half_up() {
        assert_eq!(share(1, 8), "1 (12.5 %)");
        assert_eq!(share(1, 16), "1 (6.3 %)");
        assert_eq!(share(2000, 2000), "2,000 (100.0 %)");
        assert_eq!(share(0, 0), "0 (0.0 %)");
    }
}
