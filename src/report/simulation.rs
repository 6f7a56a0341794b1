//! A simulation on the terminal: what was compared, policies, budgets, who wins and loses by county and income, months ahead.

use super::table::{Align, Table, amount, count};
use crate::diagnostic::Lang;
use crate::register::declaration::SubjectKind;
use crate::simulate::results::{Class, Line, Results};

/// What stands for a hidden count.
pub(super) const HIDDEN: &str = "∗";

/// The words of a language.
#[derive(Clone, Copy)]
pub(super) struct Words(pub(super) Lang);

impl Words {
    pub(super) fn pick<'t>(self, zh: &'t str, en: &'t str) -> &'t str {
        if self.0 == Lang::Zh { zh } else { en }
    }

    pub(super) fn kind(self, kind: SubjectKind) -> &'static str {
        match (kind, self.0) {
            (SubjectKind::Person, Lang::Zh) => "个人",
            (SubjectKind::Household, Lang::Zh) => "家庭",
            (SubjectKind::Entity, Lang::Zh) => "法人",
            (SubjectKind::Person, Lang::En) => "persons",
            (SubjectKind::Household, Lang::En) => "households",
            (SubjectKind::Entity, Lang::En) => "entities",
        }
    }
}

/// The results as text that ends with a line break.
#[must_use]
pub fn render(results: &Results, lang: Lang, color: bool) -> String {
    let words = Words(lang);
    let mut parts = vec![head(results, words), policies(results, words).render(None, color), budget(results, words).render(None, color)];
    for dimension in ["county", "income_decile"] {
        parts.extend(
            by_dimension(results, words, dimension).into_iter().map(|(title, table)| format!("{title}\n{}", table.render(None, color))),
        );
    }
    if !results.months.is_empty() {
        parts.push(format!("{}\n{}", words.pick("今后各月", "Months ahead"), months(results, words).render(None, color)));
    }
    parts.push(notes(results, words).join("\n") + "\n");
    parts.join("\n")
}

fn head(results: &Results, words: Words) -> String {
    let judged: Vec<String> = SubjectKind::ALL
        .into_iter()
        .filter(|kind| results.judged[*kind as usize] > 0)
        .map(|kind| format!("{} {}", count(results.judged[kind as usize]), words.kind(kind)))
        .collect();
    let mut text = format!(
        "{} {} · {} → {} · {}\n",
        words.pick("判定日", "as of"),
        results.as_of,
        results.sides[0].get(words.0),
        results.sides[1].get(words.0),
        judged.join(", ")
    );
    for set in &results.set {
        let before = set.before.as_deref().unwrap_or("–");
        text.push_str(&format!("{} ({}) {}: {before} → {}\n", set.label.get(words.0), set.name, set.region, set.after));
    }
    text
}

/// A count of a line, or the sign for hidden.
pub(super) fn shown(line: &Line, get: impl Fn(&Line) -> u64) -> String {
    if line.hidden { HIDDEN.to_owned() } else { count(get(line)) }
}

/// A difference with its sign.
pub(super) fn signed(line: &Line, get: impl Fn(&Line) -> [i64; 2]) -> String {
    if line.hidden {
        return HIDDEN.to_owned();
    }
    let [before, after] = get(line);
    difference(after - before)
}

pub(super) fn difference(difference: i64) -> String {
    if difference > 0 { format!("+{}", amount(difference)) } else { amount(difference) }
}

/// Policies that something changes in.
pub(super) fn policies(results: &Results, words: Words) -> Table {
    let pick = |zh, en| words.pick(zh, en);
    let mut table = Table::new(&[
        (pick("编码", "code"), Align::Left),
        (pick("政策事项", "policy"), Align::Left),
        (pick("对象", "whose"), Align::Left),
        (pick("现行", "before"), Align::Right),
        (pick("拟议", "after"), Align::Right),
        (pick("新享受", "gain"), Align::Right),
        (pick("不再", "lose"), Align::Right),
        (pick("增加", "more"), Align::Right),
        (pick("减少", "less"), Align::Right),
        (pick("当月增减(元)", "this month ± (CNY)"), Align::Right),
        (pick("全年增减(元)", "a year ± (CNY)"), Align::Right),
    ]);
    for line in results.totals.iter().filter(|line| is_told(line)) {
        let (code, name) = match line.policy {
            Some(policy) => (results.policies[policy].code.to_string(), results.policies[policy].name.get(words.0).to_owned()),
            None => (pick("全部政策", "all policies").to_owned(), String::new()),
        };
        let class = |class: Class| shown(line, |line| line.tally.of(class));
        // Of a subject in all policies together, more or less money is a gain or a loss.
        let only = |class: Class| if line.policy.is_some() { shown(line, |line| line.tally.of(class)) } else { String::new() };
        table.push([
            code,
            name,
            words.kind(line.kind).to_owned(),
            shown(line, |line| line.tally.before),
            shown(line, |line| line.tally.after),
            class(Class::Gains),
            class(Class::Loses),
            only(Class::More),
            only(Class::Less),
            signed(line, |line| line.tally.month),
            signed(line, |line| line.tally.year),
        ]);
    }
    table
}

/// Whether a line is worth a row: something changes in it, or it is of all policies.
pub(super) fn is_told(line: &Line) -> bool {
    line.policy.is_none() || line.changes
}

fn budget(results: &Results, words: Words) -> Table {
    let mut table = Table::new(&[
        (words.pick("预算(元)", "budget (CNY)"), Align::Left),
        (words.pick("现行", "before"), Align::Right),
        (words.pick("拟议", "after"), Align::Right),
        (words.pick("增减", "±"), Align::Right),
    ]);
    let budget = results.budget();
    for (label, of) in [(words.pick("当月", "this month"), 0), (words.pick("全年", "a year"), 1)] {
        let pair = budget.map(|(month, year)| if of == 0 { month } else { year });
        table.push(match pair {
            Some([before, after]) => [label.to_owned(), amount(before), amount(after), difference(after - before)],
            None => [label.to_owned(), HIDDEN.to_owned(), HIDDEN.to_owned(), HIDDEN.to_owned()],
        });
    }
    table
}

/// All policies together by a dimension, one table per kind that anything changes for.
pub(super) fn by_dimension(results: &Results, words: Words, id: &str) -> Vec<(String, Table)> {
    let Some(dimension) = results.dimensions.iter().position(|dimension| dimension.id == id) else { return Vec::new() };
    let pick = |zh, en| words.pick(zh, en);
    let mut tables = Vec::new();
    for kind in SubjectKind::ALL {
        let lines: Vec<&Line> = results.by(kind, None, dimension).collect();
        let is_moved = results.net(kind).is_some_and(|line| !line.hidden && line.tally.changed() > 0);
        if !is_moved || lines.iter().all(|line| line.value.is_empty()) {
            continue;
        }
        let label = results.dimensions[dimension].label.get(words.0);
        let mut table = Table::new(&[
            (label, Align::Left),
            (pick("人数", "subjects"), Align::Right),
            (pick("现行", "before"), Align::Right),
            (pick("拟议", "after"), Align::Right),
            (pick("受益", "win"), Align::Right),
            (pick("受损", "lose"), Align::Right),
            (pick("全年增减(元)", "a year ± (CNY)"), Align::Right),
        ]);
        for line in lines {
            table.push([
                results.label(dimension, &line.value).get(words.0).to_owned(),
                line.population.map_or_else(|| HIDDEN.to_owned(), count),
                shown(line, |line| line.tally.before),
                shown(line, |line| line.tally.after),
                shown(line, |line| line.tally.of(Class::Gains)),
                shown(line, |line| line.tally.of(Class::Loses)),
                signed(line, |line| line.tally.year),
            ]);
        }
        tables.push((format!("{} · {label}", words.kind(kind)), table));
    }
    tables
}

/// All policies together, month by month.
pub(super) fn months(results: &Results, words: Words) -> Table {
    let pick = |zh, en| words.pick(zh, en);
    let mut headings = vec![(pick("月末", "on").to_owned(), Align::Left)];
    for side in [pick("现行", "before"), pick("拟议", "after")] {
        for (word, align) in [
            (pick("享受", "have it"), Align::Right),
            (pick("进入", "enter"), Align::Right),
            (pick("退出", "leave"), Align::Right),
            (pick("当月金额(元)", "money (CNY)"), Align::Right),
        ] {
            headings.push((format!("{side} {word}"), align));
        }
    }
    let headings: Vec<(&str, Align)> = headings.iter().map(|(text, align)| (text.as_str(), *align)).collect();
    let mut table = Table::new(&headings);
    let mut days: Vec<_> = results.months.iter().map(|line| line.day).collect();
    days.dedup();
    for day in days {
        let mut cells = vec![day.to_string()];
        for side in 0..2 {
            let line = results.months.iter().find(|line| line.day == day && line.side == side && line.policy.is_none());
            match line.filter(|line| !line.hidden) {
                Some(line) => cells.extend([count(line.subjects), count(line.enter), count(line.leave), amount(line.money)]),
                None => cells.extend(std::iter::repeat_n(HIDDEN.to_owned(), 4)),
            }
        }
        table.push(cells);
    }
    table
}

/// What must be known to read the rest.
pub(super) fn notes(results: &Results, words: Words) -> Vec<String> {
    let pick = |zh, en| words.pick(zh, en);
    let mut notes = Vec::new();
    let unchanged = results.totals.iter().filter(|line| line.policy.is_some() && !is_told(line)).count();
    if unchanged > 0 {
        notes.push(format!("{unchanged} {}", pick("项政策没有变化, 未列出", "policies do not change and are not listed")));
    }
    let told = results.totals.iter().filter(|line| is_told(line)).chain(&results.cells);
    let cells = told.into_iter().any(|line| line.hidden) || results.months.iter().any(|line| line.hidden);
    if cells {
        let least = results.least;
        notes.push(match words.0 {
            Lang::Zh => format!("{HIDDEN} 少于 {least} 的, 或据此可推算出其他少数人的, 不显示"),
            Lang::En => format!("{HIDDEN} fewer than {least}, or would give away others that are few: not shown"),
        });
    }
    for label in &results.missing {
        notes.push(match words.0 {
            Lang::Zh => format!("没有“{}”的事实, 未按此分组", label.zh),
            Lang::En => format!("no fact for \"{}\": results are not broken down by it", label.en),
        });
    }
    if !results.same_dossiers {
        notes.push(
            pick(
                "两边的登记库、事实或区划的声明不同: 档案各建一次",
                "the two sides declare registers, facts or regions differently: dossiers were built for each",
            )
            .to_owned(),
        );
    }
    notes
}
