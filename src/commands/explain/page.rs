//! What was explained, as text, JSON or HTML.

use std::fmt::Write as _;

use super::{Explained, FormatArg};
use crate::commands::Context;
use crate::diagnostic::Lang;
use crate::explain::overview::{Entry, Overview, Standing};
use crate::explain::why_not::{Cell, WhyNot};
use crate::explain::{self};
use crate::report::explanation;
use crate::report::{Align, Table, count};

/// The text of what was explained, ending with a line break.
pub(super) fn shown(explained: &Explained, format: FormatArg, context: &Context) -> String {
    // Plain strings and numbers always serialise.
    let json = |value: serde_json::Result<String>| value.unwrap_or_default() + "\n";
    match (explained, format) {
        (Explained::One(reason), FormatArg::Text) => explain::render(reason, context.lang, context.color),
        (Explained::One(reason), FormatArg::Json) => json(serde_json::to_string_pretty(reason)),
        (Explained::One(reason), FormatArg::Html) => explanation::of_reason(reason, context.lang),
        (Explained::Overview(overview), FormatArg::Text) => of_subject(overview, context),
        (Explained::Overview(overview), FormatArg::Json) => json(serde_json::to_string_pretty(overview)),
        (Explained::Overview(overview), FormatArg::Html) => explanation::of_subject(overview, context.lang),
        (Explained::WhyNot(told), FormatArg::Text) => of_people(told, context),
        (Explained::WhyNot(told), FormatArg::Json) => json(serde_json::to_string_pretty(told)),
        (Explained::WhyNot(told), FormatArg::Html) => explanation::of_people(told, context.lang),
    }
}

fn of_subject(overview: &Overview, context: &Context) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "{} {} · {} {}", overview.kind, overview.subject, context.pick("判定日", "as of"), overview.as_of);
    for standing in Standing::ALL {
        let entries: Vec<&Entry> = overview.of(standing).collect();
        if entries.is_empty() {
            continue;
        }
        let _ = writeln!(text, "\n{} ({})", context.say(&standing.heading()), entries.len());
        for entry in entries {
            let reason = &entry.reason;
            let from = entry.from.as_ref().map_or(String::new(), |from| format!("  {from}"));
            let _ = writeln!(text, "  {}  {}{from}", reason.policy, context.say(&reason.name));
            if standing == Standing::Outside {
                continue;
            }
            for payment in &entry.paid {
                let paid = context.pick("已发", "paid");
                let _ = writeln!(text, "    {paid} {} {} {}", payment.amount, payment.period, payment.paid_on);
            }
            for sentence in reason.plain.iter().skip(1) {
                let _ = writeln!(text, "    {}", context.say(sentence));
            }
        }
    }
    text
}

/// A cell for people.
pub(super) fn cell(cell: Cell, smallest: u64) -> String {
    cell.map_or_else(|| if smallest > 1 { "*".to_owned() } else { String::new() }, count)
}

fn of_people(told: &WhyNot, context: &Context) -> String {
    let of = |number: Cell| cell(number, told.smallest_cell);
    let zh = context.lang == Lang::Zh;
    let mut text = String::new();
    let _ = writeln!(text, "{}  {} · {} {}", told.policy, context.say(&told.name), context.pick("判定日", "as of"), told.as_of);
    let (yes, no, unknown) = (of(told.yes), of(told.no), of(told.unknown));
    let _ = if zh {
        writeln!(text, "符合 {yes}, 不符合 {no}, 未知 {unknown}\n")
    } else {
        writeln!(text, "{yes} yes, {no} no, {unknown} unknown\n")
    };
    let mut table = Table::new(&[
        (context.pick("条件", "criterion"), Align::Left),
        (context.pick("先不符合", "fails first"), Align::Right),
        (context.pick("只差这一条", "fails alone"), Align::Right),
    ]);
    for step in &told.steps {
        table.push([format!("{} {}", step.criteria.join(" / "), context.say(&step.label)), of(step.first), of(step.sole)]);
    }
    text.push_str(&table.render(None, context.color));
    for step in told.steps.iter().filter(|step| !step.bands.is_empty()) {
        let measure = step.measure.as_ref().map_or("", |measure| context.say(measure));
        let head = context.pick("只差这一条的人相差多少", "how far off those are who fail it alone");
        let _ = writeln!(text, "\n{}: {head} ({measure})", step.criteria.join(" / "));
        for band in &step.bands {
            let range = if band.above == band.up_to { band.up_to.clone() } else { format!("{} – {}", band.above, band.up_to) };
            let _ = writeln!(text, "  {range:>24}  {}", of(band.count));
        }
    }
    if told.smallest_cell > 1 {
        let note = if zh {
            format!("* 少于 {} 人, 或由其可以算出少于 {} 人, 不显示", told.smallest_cell, told.smallest_cell)
        } else {
            format!("* fewer than {} people, or a number that would give such a one away", told.smallest_cell)
        };
        let _ = writeln!(text, "\n{note}");
    }
    text
}
