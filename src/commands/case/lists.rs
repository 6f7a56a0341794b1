//! Published lists as files: one CSV and one page per policy, masked.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::NaiveDate;

use super::show::filter;
use super::{Told, Which, live};
use crate::commands::store::{StoreArg, with};
use crate::commands::{Context, Exit};
use crate::diagnostic::{Diagnostic, Message, code};
use crate::ledger::{Case, Listed, Next, Step, csv, html, listed};
use crate::policy;
use crate::report::count;
use crate::store::live::{CaseFilter, CasePages};

pub(super) fn run(store: &StoreArg, policies: &Path, which: &Which, out: &Path, today: NaiveDate, context: &Context) -> Told {
    let lists = with(store, async |store| {
        let live = live(store).await?;
        let filter = CaseFilter { steps: vec![Step::Published.name().to_owned()], ..filter(which, 0) };
        let mut pages = CasePages::new(&*live, filter);
        let mut lists: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
        while let Some(page) = pages.next().await? {
            for row in &page {
                let case = Case::of(row)?;
                let is_on = case.next(today) == Next::Notice || (case.is_held() && case.notice_until().is_some_and(|until| today < until));
                if let Some(line) = listed(&case).filter(|_| is_on) {
                    lists.entry(case.grant.policy.clone()).or_default().push(line);
                }
            }
        }
        Ok(lists)
    })?;
    let (set, _) = policy::load(policies);
    let written = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|error| {
            let place = path.display();
            Box::new(Diagnostic::new(&code::OUTPUT_FAILED, format!("写不出 {place}: {error}"), format!("cannot write {place}: {error}")))
        })
    };
    std::fs::create_dir_all(out).map_err(|error| {
        let place = out.display();
        Box::new(Diagnostic::new(&code::OUTPUT_FAILED, format!("建不了 {place}: {error}"), format!("cannot make {place}: {error}")))
    })?;
    let mut text = String::new();
    for (policy, lines) in &lists {
        let document = set.policies.iter().find(|document| document.code == *policy);
        let name = document.map_or_else(|| Message::new(policy, policy), |document| document.name.clone());
        let path = out.join(format!("{policy}.csv"));
        // A mark at the beginning tells spreadsheets that it is UTF-8.
        written(&path, &format!("\u{feff}{}", csv(lines, context.lang)))?;
        written(&out.join(format!("{policy}.html")), &html((policy, &name), lines, context.lang))?;
        let word = context.pick("条", "entries");
        text.push_str(&format!("{policy} {} · {} {word} · {}\n", context.say(&name), count(lines.len() as u64), path.display()));
    }
    if lists.is_empty() {
        text.push_str(context.pick("没有在公示期的办件\n", "nothing is on a list\n"));
    }
    Ok((text, Exit::Clean))
}
