//! A step of one case, or of all cases of a policy that it is possible for.

use super::{Step, Told, live, unknown_case};
use crate::commands::store::with;
use crate::commands::{Context, Exit};
use crate::diagnostic::{Diagnostic, code};
use crate::ledger::{Actor, Case, Command, Refusal, Role, act, possible};
use crate::report::count;
use crate::serve::clock;
use crate::store::StoreError;
use crate::store::live::{Batch, CaseFilter, CasePages, CaseRow, Live};

/// Why a step was not made.
enum Trouble {
    Unknown(String),
    Refused(String, Refusal),
}

pub(super) fn run(step: &Step, command: &dyn Fn(&Case) -> Command, context: &Context) -> Told {
    let usual = if step.department.is_empty() { Role::Subject } else { Role::Official };
    let role = step.role.map_or(usual, Role::from);
    let actor = Actor { name: step.actor.trim().to_owned(), id: String::new(), department: step.department.clone(), role };
    let day = step.today.unwrap_or_else(clock::beijing);
    let (moved, seen, troubles) = with(&step.store, async |store| {
        let live = live(store).await?;
        match &step.policy {
            Some(policy) => all_of(&*live, policy, step, command, &actor, day).await,
            None => named(&*live, step, command, &actor, day).await,
        }
    })?;
    let diagnostics: Vec<Diagnostic> = troubles
        .into_iter()
        .map(|trouble| match trouble {
            Trouble::Unknown(id) => *unknown_case(&id),
            Trouble::Refused(id, refusal) => {
                let told = refusal.told();
                Diagnostic::new(&code::BAD_ARGUMENT, format!("{id}: {}", told.zh), format!("{id}: {}", told.en))
            }
        })
        .collect();
    context.tell(&diagnostics);
    let unchanged = seen - moved;
    let mut text = format!("{} {}", context.pick("已办理", "done"), count(moved));
    if unchanged > 0 {
        text.push_str(&format!(" · {} {}", context.pick("同一请求, 未再办", "the same request: unchanged"), count(unchanged)));
    }
    let exit = if diagnostics.is_empty() { Exit::Clean } else { Exit::Findings };
    Ok((text + "\n", exit))
}

type Outcome = (u64, u64, Vec<Trouble>);

async fn named(
    live: &dyn Live,
    step: &Step,
    command: &dyn Fn(&Case) -> Command,
    actor: &Actor,
    day: chrono::NaiveDate,
) -> Result<Outcome, StoreError> {
    let ids: Vec<&str> = step.ids.iter().map(String::as_str).collect();
    let rows = live.cases_named(&ids).await?;
    let missing = ids.iter().filter(|id| rows.iter().all(|row| row.id != **id));
    let mut troubles: Vec<Trouble> = missing.map(|id| Trouble::Unknown((*id).to_owned())).collect();
    let (moved, seen, refused) = moved_on(live, &rows, step, command, actor, day).await?;
    troubles.extend(refused);
    Ok((moved, seen, troubles))
}

async fn all_of(
    live: &dyn Live,
    policy: &str,
    step: &Step,
    command: &dyn Fn(&Case) -> Command,
    actor: &Actor,
    day: chrono::NaiveDate,
) -> Result<Outcome, StoreError> {
    let mut pages = CasePages::new(live, CaseFilter { policy: Some(policy.to_owned()), ..CaseFilter::default() });
    let (mut moved, mut seen, mut troubles) = (0, 0, Vec::new());
    while let Some(page) = pages.next().await? {
        let mut ready = Vec::new();
        for row in &page {
            let case = Case::of(row)?;
            if possible(&case, actor, day).contains(&command(&case).name()) {
                ready.push(row.clone());
            }
        }
        let (more_moved, more_seen, refused) = moved_on(live, &ready, step, command, actor, day).await?;
        moved += more_moved;
        seen += more_seen;
        troubles.extend(refused);
    }
    Ok((moved, seen, troubles))
}

async fn moved_on(
    live: &dyn Live,
    rows: &[CaseRow],
    step: &Step,
    command: &dyn Fn(&Case) -> Command,
    actor: &Actor,
    day: chrono::NaiveDate,
) -> Result<Outcome, StoreError> {
    let (mut steps, mut seen, mut troubles) = (Vec::new(), 0, Vec::new());
    for row in rows {
        let command = command(&Case::of(row)?);
        match act(row, &command, actor, (&step.note, &step.request), day)? {
            Ok(made) => {
                seen += 1;
                steps.extend(made);
            }
            Err(refusal) => troubles.push(Trouble::Refused(row.id.clone(), refusal)),
        }
    }
    let moved = steps.len() as u64;
    if moved > 0 {
        live.commit(&Batch { at: clock::now(), cases: steps, ..Batch::default() }).await?;
    }
    Ok((moved, seen, troubles))
}
