//! How a policy stands to others, and what bounds it: requires, excludes, caps, budgets, occasions.

use maud::{Markup, html};

use super::amounts::money;
use super::frame::policy_link;
use super::{Item, Site};
use crate::check::CheckedPolicy;
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::Message;
use crate::explain::rule::words;
use crate::policy::document::{Budget, CapScope, EachSource, Exhaustion, Keep, Period, PolicyDocument};

/// Everything that ties a policy to others, as a list; empty where there is nothing.
pub(super) fn relations(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let document = item.document;
    let mut told: Vec<Markup> = Vec::new();
    let link = |code: &str| policy_link(site, code, "../");
    told.extend(
        document.requires.iter().map(|(code, _)| html! { (site.pick("须同时符合", "One must also be entitled to")) " " (link(code)) }),
    );
    told.extend(document.excludes.iter().map(|other| excluded(site, &other.policy, other.keep, true)));
    for other in others(site, document) {
        let exclusions = other.excludes.iter().filter(|exclusion| exclusion.policy == document.code);
        told.extend(exclusions.map(|exclusion| excluded(site, &other.code, exclusion.keep, false)));
        if other.requires.iter().any(|(code, _)| *code == document.code) {
            told.push(html! { (link(&other.code)) " " (site.pick("以符合本项为前提", "asks that one be entitled to this")) });
        }
    }
    let asked = item.checked.map(asked_for).unwrap_or_default();
    told.extend(
        asked
            .iter()
            .map(|code| html! { (site.pick("条件里要看是否符合", "The conditions ask whether one is entitled to")) " " (link(code)) }),
    );
    for policy in site.binder.policies.values().filter(|policy| asked_for(policy).contains(&document.code)) {
        told.push(html! { (link(&policy.document.code)) " " (site.pick("的条件里要看是否符合本项", "asks in its conditions whether one is entitled to this")) });
    }
    told.extend(item.checked.and_then(|policy| cap(site, policy)));
    told.extend(item.checked.and_then(|policy| budget(site, policy)));
    told.extend(each(site, document));
    told.extend(item.checked.and_then(|policy| policy.occasion.as_ref()).map(|expr| occasion(site, document, expr)));
    html! { @if !told.is_empty() { ul.plain { @for one in &told { li { (one) } } } } }
}

/// The other policies as they are shown.
fn others<'s>(site: &'s Site<'_>, document: &'s PolicyDocument) -> impl Iterator<Item = &'s PolicyDocument> {
    site.items.values().map(|item| &**item.document).filter(move |other| other.code != document.code)
}

fn excluded(site: &Site<'_>, other: &str, keep: Keep, says_so: bool) -> Markup {
    let which = match (keep, says_so) {
        (Keep::Highest, _) => site.pick("就高不就低, 享受金额高的一项", "the one with the higher amount is given"),
        (Keep::This, true) | (Keep::Other, false) => site.pick("享受本项", "this one is given"),
        (Keep::This, false) | (Keep::Other, true) => site.pick("享受那一项", "the other one is given"),
    };
    html! { (site.pick("不能同时享受", "Not together with")) " " (policy_link(site, other, "../")) (site.pick("：", ": ")) (which) }
}

/// The policies whose verdict a policy's criteria ask for.
fn asked_for(policy: &CheckedPolicy) -> Vec<String> {
    fn collect(expr: &Expr, found: &mut Vec<String>) {
        if let Kind::Entitled(code) = &expr.kind
            && !found.iter().any(|known| **known == **code)
        {
            found.push(code.to_string());
        }
        expr.children().into_iter().for_each(|child| collect(child, found));
    }
    let mut found = Vec::new();
    collect(&policy.criteria, &mut found);
    found
}

fn cap(site: &Site<'_>, policy: &CheckedPolicy) -> Option<Markup> {
    let (document, expr) = (&policy.document, policy.cap.as_ref()?);
    let scope = match document.cap.as_ref()?.per {
        CapScope::Subject => ("一个对象一期的各次合计", "over all occasions of one subject in a period"),
        CapScope::Household => ("一户一期各成员合计", "over all members of a household in a period"),
        CapScope::Year => ("一个对象一个自然年合计, 已发的计算在内", "for one subject in a calendar year, what was paid included"),
    };
    let most = money(site, expr, document.subject, &document.benefit.unit);
    Some(html! { (site.pick("封顶", "At most")) " " (most) (site.pick("：", ", ")) (site.pick(scope.0, scope.1)) })
}

fn budget(site: &Site<'_>, policy: &CheckedPolicy) -> Option<Markup> {
    let document = &policy.document;
    let (budget, expr) = (document.budget.as_ref()?, policy.budget.as_ref()?);
    let amount = money(site, expr, document.subject, &document.benefit.unit);
    let span = match budget.period {
        Period::Once => ("每批", "for each run"),
        Period::Month => ("每月", "a month"),
        Period::Year => ("每年", "a year"),
        Period::Day => ("每天", "a day"),
    };
    let rank = policy.rank.as_ref().map(|rank| words(&site.judge, rank, document.subject));
    let Message { zh, en } = exhausted(budget, rank.as_ref());
    let (lead_zh, lead_en) = (format!("资金{}{amount}, {zh}", span.0), format!("There is {amount} {}; {en}", span.1));
    Some(html! { (site.pick(&lead_zh, &lead_en)) })
}

/// What happens when the money is not enough for all.
fn exhausted(budget: &Budget, rank: Option<&Message>) -> Message {
    match (budget.at_exhaustion, rank) {
        (Exhaustion::ProRata, _) => Message::new("不足时按同一比例发给", "where it is not enough, everybody gets the same share"),
        (Exhaustion::Waitlist, Some(rank)) => {
            let (zh, en) = if budget.descending { ("从高到低", "highest first") } else { ("从低到高", "lowest first") };
            Message::new(
                format!("不足时按“{}”{zh}先给, 其余轮候", rank.zh),
                format!("where it is not enough, it goes by “{}”, {en}, and the others wait", rank.en),
            )
        }
        (Exhaustion::Waitlist, None) => Message::new("不足时其余轮候", "where it is not enough, the others wait"),
    }
}

fn each(site: &Site<'_>, document: &PolicyDocument) -> Option<Markup> {
    let each = document.each.as_ref()?;
    let registers = site.source.registers;
    let label = match &each.source {
        EachSource::Link(name) => registers.link(document.subject, name).map(|link| &link.label),
        EachSource::Register(name) => registers.registers.get(name).map(|register| &register.label),
    };
    let label = label.map_or("", |label| site.say(label));
    let limit = each.limit.map(|limit| (format!(", 一期至多{limit}次"), format!(", at most {limit} in a period")));
    let limit = limit.as_ref().map_or("", |(zh, en)| site.pick(zh, en));
    Some(html! {
        (site.pick("逐项给: 按", "Given for each of: ")) (label) (site.pick("逐条计算", "")) (limit)
        @if let Some(filter) = &each.filter { " " code { (filter.node.text().unwrap_or_default().trim()) } }
    })
}

fn occasion(site: &Site<'_>, document: &PolicyDocument, expr: &Expr) -> Markup {
    let what = words(&site.judge, expr, document.subject);
    html! { (site.pick("每个事由给一次, 事由是", "Given for each occasion: ")) (site.say(&what)) }
}
