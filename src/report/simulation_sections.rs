//! The sections of a simulation's page, each a piece of HTML; a section that there is nothing to say in is empty.

use std::fmt::Write as _;

use super::simulation::{self, HIDDEN, Words, difference, is_told, notes, shown};
use super::simulation_page::escape;
use super::simulation_plots::{AFTER, BEFORE, LOSS, Series, bars, bars_in_one, css, funnel, lines, short};
use super::table::{Align, Table, amount, count};
use crate::diagnostic::Lang;
use crate::explain::{self, Verdict};
use crate::register::declaration::SubjectKind;
use crate::simulate::results::{Class, Line, Results};

/// Hundredths as a number of yuan, for plots.
#[expect(clippy::cast_precision_loss, reason = "plots do not show more digits than a float holds")]
fn yuan(hundredths: i64) -> f64 {
    hundredths as f64 / 100.0
}

#[expect(clippy::cast_precision_loss, reason = "plots do not show more digits than a float holds")]
fn float(count: u64) -> f64 {
    count as f64
}

/// A table as HTML.
fn html(table: &Table) -> String {
    let class = |at: usize| if table.align[at] == Align::Left { " class=\"l\"" } else { "" };
    let row = |cells: &[String], tag: &str| {
        let cells: String = cells.iter().enumerate().map(|(at, cell)| format!("<{tag}{}>{}</{tag}>", class(at), escape(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = table.rows.iter().chain(&table.total).map(|cells| row(cells, "td")).collect();
    format!("<div class=\"wide\"><table><thead>{}</thead>\n<tbody>\n{rows}</tbody></table></div>\n", row(&table.headings, "th"))
}

fn key(entries: &[(plotters::style::RGBColor, &str)]) -> String {
    let entries: String = entries.iter().map(|(color, word)| format!("<i style=\"background:{}\"></i>{word}", css(*color))).collect();
    format!("<p class=\"key\">{entries}</p>\n")
}

fn sides(words: Words) -> String {
    key(&[(BEFORE, words.pick("现行", "before")), (AFTER, words.pick("拟议", "after"))])
}

fn section(title: &str, body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("<h2>{title}</h2>\n{body}") }
}

/// Title, what is compared, what was set.
pub(super) fn head(results: &Results, words: Words, title: &str) -> String {
    let mut text = format!("<h1>{title}</h1>\n<p class=\"soft\">{} {}", words.pick("判定日", "As of"), results.as_of);
    for kind in SubjectKind::ALL.into_iter().filter(|kind| results.judged[*kind as usize] > 0) {
        let _ = write!(text, " · {} {}", count(results.judged[kind as usize]), words.kind(kind));
    }
    text.push_str("</p>\n");
    let side = |side: usize| escape(results.sides[side].get(words.0));
    let _ =
        writeln!(text, "<p>{}: <b>{}</b> → {}: <b>{}</b></p>", words.pick("现行", "Before"), side(0), words.pick("拟议", "after"), side(1));
    if !results.set.is_empty() {
        let mut table = Table::new(&[
            (words.pick("标准", "Parameter"), Align::Left),
            (words.pick("地区", "Region"), Align::Left),
            (words.pick("现行", "Before"), Align::Right),
            (words.pick("拟议", "After"), Align::Right),
        ]);
        for set in &results.set {
            let label = format!("{} ({})", set.label.get(words.0), set.name);
            table.push([label, set.region.clone(), set.before.clone().unwrap_or_else(|| "–".to_owned()), set.after.clone()]);
        }
        text.push_str(&html(&table));
    }
    text
}

/// The numbers that a meeting asks for first.
pub(super) fn cards(results: &Results, words: Words) -> String {
    let mut cards: Vec<(String, String)> = Vec::new();
    for kind in SubjectKind::ALL {
        let Some(line) = results.net(kind).filter(|line| line.hidden || line.tally.changed() > 0) else { continue };
        let number = |class: Class| shown(line, |line| line.tally.of(class));
        let label = |word: &str| format!("{} · {word}", words.kind(kind));
        cards.push((number(Class::Gains), label(words.pick("受益", "win"))));
        cards.push((number(Class::Loses), label(words.pick("受损", "lose"))));
    }
    if cards.is_empty() {
        cards.push(("0".to_owned(), words.pick("没有人因此变化", "nobody is affected").to_owned()));
    }
    let money = |[before, after]: [i64; 2]| {
        let sign = if after > before { "+" } else { "" };
        format!("{sign}{}", short(yuan(after - before), words.0 == Lang::Zh))
    };
    let (month, year) = results.budget().map_or((HIDDEN.to_owned(), HIDDEN.to_owned()), |(month, year)| (money(month), money(year)));
    cards.push((month, words.pick("当月增减(元)", "CNY ± this month").to_owned()));
    cards.push((year, words.pick("全年增减(元)", "CNY ± in a year").to_owned()));
    let cards: String =
        cards.iter().map(|(number, label)| format!("<div class=\"card\"><b>{number}</b><span>{label}</span></div>\n")).collect();
    format!("<div class=\"cards\">\n{cards}</div>\n")
}

/// Policies that change.
pub(super) fn policies(results: &Results, words: Words) -> String {
    let mut body = html(&simulation::policies(results, words));
    let mut table = Table::new(&[
        (words.pick("政策事项", "Policy"), Align::Left),
        (words.pick("待发放", "grants before"), Align::Right),
        (words.pick("金额(元)", "CNY"), Align::Right),
        (words.pick("拟议待发放", "grants after"), Align::Right),
        (words.pick("金额(元)", "CNY"), Align::Right),
        (words.pick("已发放", "given before"), Align::Right),
        (words.pick("拟议已发放", "given after"), Align::Right),
        (words.pick("未知", "unknown before"), Align::Right),
        (words.pick("拟议未知", "unknown after"), Align::Right),
    ]);
    let maybe = |number: Option<u64>| number.map_or_else(|| HIDDEN.to_owned(), count);
    for line in results.totals.iter().filter(|line| is_told(line)) {
        let Some(policy) = line.policy.map(|policy| &results.policies[policy]) else { continue };
        let few = policy.few_rows;
        let number = |number: u64| if few { HIDDEN.to_owned() } else { count(number) };
        let money = |money: i64| if few { HIDDEN.to_owned() } else { amount(money) };
        table.push([
            policy.name.get(words.0).to_owned(),
            number(policy.granted[0].0),
            money(policy.granted[0].1),
            number(policy.granted[1].0),
            money(policy.granted[1].1),
            number(policy.given[0].0),
            number(policy.given[1].0),
            maybe(policy.unknown[0]),
            maybe(policy.unknown[1]),
        ]);
    }
    if !table.rows.is_empty() {
        let summary = words.pick("本批次待发放、已发放和未知", "What a run would hand on today: grants, given already, unknown");
        let _ = write!(body, "<details><summary>{summary}</summary>\n{}</details>\n", html(&table));
    }
    section(words.pick("谁受益，谁受损", "Who gains, who loses"), &body)
}

/// Budgets: the month of the day and a year, and the months ahead.
pub(super) fn budget(results: &Results, words: Words) -> String {
    let mut body = String::new();
    if let Some((month, year)) = results.budget() {
        let mut table = Table::new(&[
            ("", Align::Left),
            (words.pick("现行(元)", "Before (CNY)"), Align::Right),
            (words.pick("拟议(元)", "After (CNY)"), Align::Right),
            (words.pick("增减(元)", "± (CNY)"), Align::Right),
        ]);
        for (label, [before, after]) in [(words.pick("当月", "This month"), month), (words.pick("全年", "A year"), year)] {
            table.push([label.to_owned(), amount(before), amount(after), difference(after - before)]);
        }
        body.push_str(&html(&table));
    }
    body.push_str(&months(results, words));
    section(words.pick("预算", "Budget"), &body)
}

fn months(results: &Results, words: Words) -> String {
    let mut days: Vec<_> = results.months.iter().map(|line| line.day).collect();
    days.dedup();
    if days.len() < 2 {
        return String::new();
    }
    let labels: Vec<String> = days.iter().map(|day| day.format("%Y-%m").to_string()).collect();
    let of = |side: usize, get: fn(&crate::simulate::results::MonthLine) -> f64| -> Vec<Option<f64>> {
        let line = |day| results.months.iter().find(|line| line.day == day && line.side == side && line.policy.is_none());
        days.iter().map(|day| line(*day).filter(|line| !line.hidden).map(get)).collect()
    };
    let chinese = words.0 == Lang::Zh;
    let pair = |get| [Series { color: BEFORE, values: of(0, get) }, Series { color: AFTER, values: of(1, get) }];
    let money = bars(&labels, &pair(|line| yuan(line.money)), chinese);
    let having = lines(&labels, &pair(|line| float(line.subjects)), chinese);
    format!(
        "<h3>{}</h3>\n{}{money}<h3>{}</h3>\n{having}{}",
        words.pick("各月金额(元)", "Money by month (CNY)"),
        sides(words),
        words.pick("各月末享受待遇数(一人一项计一)", "Benefits had at the end of each month (one per subject and policy)"),
        html(&simulation::months(results, words))
    )
}

/// Kinds of subject that something changes for.
fn moved(results: &Results) -> impl Iterator<Item = SubjectKind> + '_ {
    SubjectKind::ALL.into_iter().filter(|kind| results.net(*kind).is_some_and(|line| !line.hidden && line.tally.changed() > 0))
}

/// The place of a dimension.
fn dimension(results: &Results, id: &str) -> Option<usize> {
    results.dimensions.iter().position(|dimension| dimension.id == id)
}

/// Winners above the line and losers below it, by income.
pub(super) fn deciles(results: &Results, words: Words) -> String {
    let mut body = String::new();
    let Some(at) = dimension(results, "income_decile") else { return body };
    for kind in moved(results) {
        let told: Vec<&Line> = results.by(kind, None, at).filter(|line| !line.value.is_empty()).collect();
        if told.is_empty() || told.iter().all(|line| line.hidden) {
            continue;
        }
        let labels: Vec<String> = told.iter().map(|line| line.value.trim_start_matches('0').to_owned()).collect();
        let of = |class: Class, sign: f64| told.iter().map(|line| (!line.hidden).then(|| sign * float(line.tally.of(class)))).collect();
        let series = [Series { color: AFTER, values: of(Class::Gains, 1.0) }, Series { color: LOSS, values: of(Class::Loses, -1.0) }];
        if series.iter().all(|series| series.values.iter().flatten().all(|value| *value == 0.0)) {
            continue;
        }
        let plot = bars_in_one(&labels, &series, words.0 == Lang::Zh);
        let legend = key(&[(AFTER, words.pick("受益", "win")), (LOSS, words.pick("受损(线下)", "lose (below the line)"))]);
        let caption = words.pick("1 为收入最低的一份", "1 has the lowest incomes");
        let _ = write!(body, "<h3>{} · {caption}</h3>\n{legend}{plot}", words.kind(kind));
    }
    for (title, table) in simulation::by_dimension(results, words, "income_decile") {
        let _ = write!(body, "<details><summary>{}</summary>\n{}</details>\n", escape(&title), html(&table));
    }
    section(words.pick("按收入十分位", "Winners and losers by income"), &body)
}

/// How many of a thousand have a benefit, by county.
pub(super) fn counties(results: &Results, words: Words) -> String {
    let mut body = String::new();
    let Some(at) = dimension(results, "county") else { return body };
    for kind in moved(results) {
        let told: Vec<&Line> = results.by(kind, None, at).filter(|line| !line.value.is_empty()).collect();
        if told.is_empty() || told.iter().all(|line| line.hidden) {
            continue;
        }
        let name = |line: &&Line| {
            let label = results.label(at, &line.value).get(words.0).to_owned();
            label.strip_suffix(&line.value).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).unwrap_or(label)
        };
        let labels: Vec<String> = told.iter().map(name).collect();
        let share = |get: fn(&Line) -> u64| -> Vec<Option<f64>> {
            let of =
                |line: &&Line| line.population.filter(|all| *all > 0 && !line.hidden).map(|all| 1000.0 * float(get(line)) / float(all));
            told.iter().map(of).collect()
        };
        let series = [
            Series { color: BEFORE, values: share(|line| line.tally.before) },
            Series { color: AFTER, values: share(|line| line.tally.after) },
        ];
        let caption = words.pick("每千户(人)享受任一政策的", "of 1,000, those who have any of the policies");
        let _ = write!(body, "<h3>{} · {caption}</h3>\n{}{}", words.kind(kind), sides(words), bars(&labels, &series, words.0 == Lang::Zh));
    }
    for (title, table) in simulation::by_dimension(results, words, "county") {
        let _ = write!(body, "<details><summary>{}</summary>\n{}</details>\n", escape(&title), html(&table));
    }
    section(words.pick("各区县覆盖", "Coverage by county"), &body)
}

/// Tables of every other dimension, and of each policy that changes.
pub(super) fn dimensions(results: &Results, words: Words) -> String {
    let mut body = String::new();
    for at in 0..results.dimensions.len() {
        let id = results.dimensions[at].id.as_str();
        if id != "county" && id != "income_decile" {
            for (title, table) in simulation::by_dimension(results, words, id) {
                let _ = write!(body, "<details><summary>{}</summary>\n{}</details>\n", escape(&title), html(&table));
            }
        }
    }
    for line in results.totals.iter().filter(|line| !line.hidden && line.tally.changed() > 0) {
        let Some(policy) = line.policy else { continue };
        let tables: String = (0..results.dimensions.len()).filter_map(|at| of_policy(results, words, policy, at)).collect();
        if !tables.is_empty() {
            let name = escape(results.policies[policy].name.get(words.0));
            let _ = write!(body, "<details><summary>{} · {name}</summary>\n{tables}</details>\n", results.policies[policy].code);
        }
    }
    section(words.pick("分组", "Broken down"), &body)
}

fn of_policy(results: &Results, words: Words, policy: usize, at: usize) -> Option<String> {
    let kind = results.policies[policy].kind;
    let told: Vec<&Line> =
        results.by(kind, Some(policy), at).filter(|line| line.hidden || line.tally.before + line.tally.after > 0).collect();
    if told.iter().all(|line| line.value.is_empty()) {
        return None;
    }
    let label = results.dimensions[at].label.get(words.0);
    let mut table = Table::new(&[
        (label, Align::Left),
        (words.pick("现行", "before"), Align::Right),
        (words.pick("拟议", "after"), Align::Right),
        (words.pick("新享受", "gain"), Align::Right),
        (words.pick("不再", "lose"), Align::Right),
        (words.pick("增加", "more"), Align::Right),
        (words.pick("减少", "less"), Align::Right),
        (words.pick("全年增减(元)", "a year ± (CNY)"), Align::Right),
    ]);
    for line in told {
        let class = |class: Class| shown(line, |line| line.tally.of(class));
        table.push([
            results.label(at, &line.value).get(words.0).to_owned(),
            shown(line, |line| line.tally.before),
            shown(line, |line| line.tally.after),
            class(Class::Gains),
            class(Class::Loses),
            class(Class::More),
            class(Class::Less),
            simulation::signed(line, |line| line.tally.year),
        ]);
    }
    Some(html(&table))
}

/// How much subjects get in a year.
pub(super) fn distribution(results: &Results, words: Words) -> String {
    let mut body = String::new();
    let chinese = words.0 == Lang::Zh;
    for kind in moved(results) {
        let bands: Vec<_> = results.bands.iter().filter(|band| band.kind == kind).collect();
        if bands.iter().all(|band| band.subjects == [None, None]) {
            continue;
        }
        let label = |band: &&crate::simulate::results::Band| match band.to {
            Some(to) => format!("{}–{}", short(yuan(band.from), chinese), short(yuan(to), chinese)),
            None => format!("≥ {}", short(yuan(band.from), chinese)),
        };
        let labels: Vec<String> = bands.iter().map(label).collect();
        let of = |side: usize| bands.iter().map(|band| band.subjects[side].map(float)).collect();
        let series = [Series { color: BEFORE, values: of(0) }, Series { color: AFTER, values: of(1) }];
        let caption = words.pick("全年所得(元)", "what they get in a year (CNY)");
        let _ = write!(body, "<h3>{} · {caption}</h3>\n{}{}", words.kind(kind), sides(words), bars(&labels, &series, chinese));
    }
    section(words.pick("待遇分布", "Distribution"), &body)
}

/// How many are left after each criterion.
pub(super) fn funnels(results: &Results, words: Words) -> String {
    let mut body = String::new();
    for line in results.totals.iter().filter(|line| !line.hidden && line.tally.changed() > 0) {
        let Some(policy) = line.policy.map(|policy| &results.policies[policy]) else { continue };
        let longest = if policy.funnel[1].is_empty() { &policy.funnel[0] } else { &policy.funnel[1] };
        let steps: Vec<String> = longest.iter().map(|step| shortened(step.name.get(words.0))).collect();
        let of = |side: usize| -> Vec<Option<f64>> {
            let steps = &policy.funnel[side];
            longest.iter().map(|step| step.same_in(steps).and_then(|same| same.yes.map(float))).collect()
        };
        let series = [Series { color: BEFORE, values: of(0) }, Series { color: AFTER, values: of(1) }];
        let plot = funnel(&steps, &series, words.0 == Lang::Zh);
        let _ = write!(body, "<h3>{} · {}</h3>\n{}{plot}", policy.code, escape(policy.name.get(words.0)), sides(words));
    }
    section(words.pick("条件漏斗: 逐条之后仍然符合的", "Funnel: who is still in after each criterion"), &body)
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Policies that subjects have together.
pub(super) fn overlaps(results: &Results, words: Words) -> String {
    let mut table = Table::new(&[
        (words.pick("政策", "Policy"), Align::Left),
        (words.pick("与", "with"), Align::Left),
        (words.pick("现行兼有", "both before"), Align::Right),
        (words.pick("拟议兼有", "both after"), Align::Right),
    ]);
    let name = |policy: usize| results.policies[policy].name.get(words.0).to_owned();
    let maybe = |number: Option<u64>| number.map_or_else(|| HIDDEN.to_owned(), count);
    for overlap in results.overlaps.iter().filter(|overlap| overlap.both != [None, None]) {
        let (one, other) = overlap.policies;
        table.push([name(one), name(other), maybe(overlap.both[0]), maybe(overlap.both[1])]);
    }
    if table.rows.is_empty() {
        return String::new();
    }
    section(words.pick("政策叠加", "Overlaps"), &html(&table))
}

/// Sampled people.
pub(super) fn people(results: &Results, words: Words) -> String {
    let mut body = String::new();
    for person in &results.people {
        let policy = &results.policies[person.policy];
        let [before, after] = person.amount.map(amount);
        let _ = writeln!(
            body,
            "<details><summary><b>{}</b> · {} · {} · {before} → {after} {}</summary>",
            person.class.label().get(words.0),
            escape(policy.name.get(words.0)),
            escape(&person.masked),
            words.pick("元", "CNY")
        );
        for (criterion, was, is) in &person.turned {
            let _ = writeln!(body, "<p>{}: {} → {}</p>", escape(criterion), verdict(*was, words), verdict(*is, words));
        }
        body.push_str("<div class=\"two\">\n");
        for (side, reason) in [words.pick("现行", "before"), words.pick("拟议", "after")].into_iter().zip(&person.reasons) {
            let text = reason.as_ref().map(|reason| explain::render(reason, words.0, false));
            let text = text.unwrap_or_else(|| words.pick("不在有效期内", "not in force").to_owned());
            let _ = writeln!(body, "<div><h3>{side}</h3><pre>{}</pre></div>", escape(&text));
        }
        body.push_str("</div></details>\n");
    }
    section(words.pick("抽看: 为什么", "Some of them: why"), &body)
}

fn verdict(verdict: Verdict, words: Words) -> &'static str {
    match verdict {
        Verdict::Yes => words.pick("是", "yes"),
        Verdict::No => words.pick("否", "no"),
        Verdict::Unknown => words.pick("未知", "unknown"),
        Verdict::Outside => words.pick("不在范围", "outside"),
    }
}

/// How to read the page.
pub(super) fn method(results: &Results, words: Words) -> String {
    let mut items = notes(results, words);
    let said = [
        (
            "享受: 待发放或已发放的待遇; 轮候和本人放弃的不算。一人(户、企)在一项政策里多次得到的合为一次。",
            "To have a benefit: a grant to be delivered or given already; who waits or has refused does not have it. Several grants of one policy to one subject count as one.",
        ),
        (
            "当月: 按月的计一个月, 按年和一次性的在首次待发放时计。全年: 按月的乘以12, 其他条件不变。",
            "This month: what is paid by the month counts once; what is paid for a year or once counts when it is first to be delivered. A year: monthly amounts times 12, nothing else changing.",
        ),
        (
            "受益、受损: 全部政策合计, 全年所得增加或减少; 金额相同的看享受的政策数。",
            "To win, to lose: more or less money in a year over all policies together; where it is the same, more or fewer policies.",
        ),
        (
            "十分位: 收入已知的对象按家庭人均月收入从低到高十等分, 收入相同的在同一份。",
            "Deciles: subjects whose income is known, by monthly income per head of the household, lowest first; equal incomes are in one decile.",
        ),
        (
            "登记库保持当日的样子, 不推测人们会因政策变化而改变行为; 向前看时只有日期、政策和标准变动。",
            "Registers stay as they are on the day; what people would do because of a change is not guessed. Looking ahead, only the day, policies and parameters move.",
        ),
    ];
    items.extend(said.iter().map(|(zh, en)| words.pick(zh, en).to_owned()));
    let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escape(item))).collect();
    section(words.pick("说明", "How to read this"), &format!("<ul class=\"soft\">\n{items}</ul>\n"))
}
