//! Cases in lists, and one with all that happened to it.

use chrono::NaiveDate;

use super::{Told, Which, live, unknown_case};
use crate::commands::store::{StoreArg, time_text, with};
use crate::commands::{Context, Exit};
use crate::diagnostic::Message;
use crate::eligibility::grant::amount_text;
use crate::ledger::{Actor, Case, Event, Role, What, possible};
use crate::register::identifier::{mask, subject_of};
use crate::report::{Align, Table};
use crate::serve::clock;
use crate::store::live::{CaseFilter, CaseRow};
use crate::store::trail::{Action, Content, Subject};

/// The filter that arguments ask for.
pub(super) fn filter(which: &Which, limit: usize) -> CaseFilter {
    CaseFilter {
        policy: which.policy.clone(),
        steps: which.steps.clone(),
        department: which.department.clone(),
        region: which.region.clone(),
        subjects: which.subject.as_deref().map(subject_of).into_iter().collect(),
        in_review: which.in_review.then_some(true),
        limit,
        ..CaseFilter::default()
    }
}

pub(super) fn list(store: &StoreArg, which: &Which, until: Option<NaiveDate>, limit: usize, context: &Context) -> Told {
    let filter = CaseFilter { due_until: until, by_due: until.is_some(), ..filter(which, limit) };
    let rows = with(store, async |store| live(store).await?.cases(&filter).await)?;
    let cases = read(&rows)?;
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let mut table = Table::new(&[
        (pick("办件", "case"), Align::Left),
        (pick("政策", "policy"), Align::Left),
        (pick("期间", "period"), Align::Left),
        (pick("对象", "subject"), Align::Left),
        (pick("地区", "region"), Align::Left),
        (pick("金额", "amount"), Align::Right),
        (pick("步骤", "step"), Align::Left),
        (pick("待审核", "review"), Align::Left),
        (pick("期限", "due"), Align::Left),
    ]);
    for case in &cases {
        let why = case.open.keys().map(|why| context.say(&why.label()).to_owned()).collect::<Vec<_>>().join(pick("、", ", "));
        let grant = &case.grant;
        table.push([
            case.id.clone(),
            grant.policy.clone(),
            grant.period.clone(),
            mask(&grant.subject),
            grant.region.clone(),
            case.amount.map(amount_text).unwrap_or_default(),
            context.say(&case.step.label()).to_owned(),
            why,
            case.due().map(|day| day.to_string()).unwrap_or_default(),
        ]);
    }
    Ok((table.render(None, context.color) + "\n", Exit::Clean))
}

fn read(rows: &[CaseRow]) -> Result<Vec<Case>, Box<crate::diagnostic::Diagnostic>> {
    rows.iter().map(|row| Case::of(row).map_err(|error| Box::new(error.into_diagnostic("cases")))).collect()
}

pub(super) fn one(store: &StoreArg, id: &str, by: &str, context: &Context) -> Told {
    let found = with(store, async |store| {
        let live = live(store).await?;
        let Some(row) = live.case(id).await? else { return Ok(None) };
        let looking = Content {
            who: by.to_owned(),
            role: "handler".to_owned(),
            caller: "mianshen case show".to_owned(),
            purpose: "casework".to_owned(),
            action: Action::ReadServices,
            // Of a case whose content is erased nobody is known.
            subject: (!row.subject.is_empty()).then(|| Subject { kind: row.kind.name().to_owned(), id: row.subject.clone() }),
            items: vec![row.policy.clone()],
            note: format!("case {id}"),
        };
        // The look is recorded before anything is shown.
        store.trail_append(clock::now(), std::slice::from_ref(&looking)).await?;
        let events = live.case_events(id).await?;
        let messages = live.messages_of(id).await?;
        Ok(Some((row, events, messages)))
    })?;
    let Some((row, events, messages)) = found else { return Err(unknown_case(id)) };
    let case = Case::of(&row).map_err(|error| Box::new(error.into_diagnostic("cases")))?;
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let grant = &case.grant;
    let mut text = format!("{} {}\n", pick("办件", "case"), case.id);
    let mut line = |zh: &'static str, en: &'static str, value: String| {
        if !value.is_empty() {
            text.push_str(&format!("  {}: {value}\n", pick(zh, en)));
        }
    };
    line("政策", "policy", format!("{} v{}", grant.policy, grant.version));
    line("对象", "subject", format!("{} {}", grant.kind, mask(&grant.subject)));
    line("成员", "member", grant.member.as_deref().map(mask).unwrap_or_default());
    line("期间", "period", grant.period.clone());
    line("事由", "occasion", grant.occasion.as_deref().map(mask).unwrap_or_default());
    line("金额", "amount", case.amount.map(|amount| format!("{} {}", amount_text(amount), grant.unit)).unwrap_or_default());
    line("部门", "department", grant.department.clone());
    line("更正自", "makes up for", case.corrects.clone().unwrap_or_default());
    line("步骤", "step", context.say(&case.step.label()).to_owned());
    line("在等", "waits for", context.say(&case.next(clock::beijing()).label()).to_owned());
    line("期限", "due", case.due().map(|day| day.to_string()).unwrap_or_default());
    let official = Actor::official("-", "", grant.department.clone());
    let may = possible(&case, &official, clock::beijing()).join(", ");
    line("经办人可办", "an official may", may);
    let mut table = Table::new(&[
        ("#", Align::Right),
        (pick("时间", "time"), Align::Left),
        (pick("日期", "day"), Align::Left),
        (pick("经过", "what"), Align::Left),
        (pick("谁", "who"), Align::Left),
        (pick("说明", "note"), Align::Left),
    ]);
    for event in &events {
        let (time, version) = (time_text(event.at), event.version.to_string());
        let Some((_, content)) = &event.content else {
            table.push([version, time, String::new(), pick("(已删除)", "(erased)").to_owned(), String::new(), String::new()]);
            continue;
        };
        let read = Event::read(content).map_err(|error| Box::new(error.into_diagnostic("cases")))?;
        table.push([version, time, read.day.to_string(), what(&read.what, context), who(&read.actor, context), read.note]);
    }
    text.push('\n');
    text.push_str(&table.render(None, context.color));
    text.push('\n');
    for message in messages {
        let (channel, state) = (&message.message.channel, message.state.name());
        text.push_str(&format!("{} {} · {channel} · {state} · {}\n", pick("消息", "message"), message.message.id, time_text(message.at)));
    }
    Ok((text, Exit::Clean))
}

fn what(what: &What, context: &Context) -> String {
    let label = context.say(&what.label()).to_owned();
    let amount = |amount: &Option<i64>| amount.map_or_else(|| "-".to_owned(), amount_text);
    match what {
        What::Found { grant, .. } => format!("{label} {}", amount(&grant.amount)),
        What::Corrected { before, after } => format!("{label} {} → {}", amount(before), amount(after)),
        What::Paid { amount: paid } => format!("{label} {}", amount(paid)),
        What::Told { channel, message } | What::Sent { channel, message } | What::Untold { channel, message } => {
            format!("{label} {channel} {message}").trim_end().to_owned()
        }
        What::Questioned { amount: Some(less), .. } => format!("{label} {}", amount_text(*less)),
        What::Reckoned { now, .. } => format!("{label} {}", amount(now)),
        What::Rated { stars } => format!("{label} {stars}"),
        _ => label,
    }
}

/// Who acted: officials by their names, others masked.
fn who(actor: &Actor, context: &Context) -> String {
    let role: Message = actor.role.label();
    match actor.role {
        Role::Official => format!("{} ({})", actor.name, actor.department),
        Role::System => actor.name.clone(),
        Role::Subject | Role::Public => format!("{} ({})", crate::register::identifier::mask_name(&actor.name), context.say(&role)),
    }
}
