//! The access trail: who looked at what, for which purpose, and when. Who watches over some regions sees the entries about those
//! who are counted there.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Form, Query};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{Words, cell, number, table, text, token};
use super::visit::Visit;
use crate::register::declaration::SubjectKind;
use crate::register::identifier::{mask, subject_of};
use crate::serve::clock;
use crate::serve::problem::Problem;
use crate::serve::trail::of_caller;
use crate::store::trail::{Action, Content, Record, Subject};
use crate::store::{StoreError, StoredRun};

/// Entries of a page.
const ENTRIES: usize = 100;

/// Which entries.
#[derive(Deserialize)]
pub(super) struct Before {
    before: Option<u64>,
}

/// The newest entries, or those before one.
pub(super) async fn newest(visit: Visit, Query(asked): Query<Before>) -> Response {
    if let Err(page) = visit.must(visit.reach.trail) {
        return page;
    }
    let store = visit.console.serving().store();
    let read = async {
        let head = store.trail_head().await?.map_or(0, |head| head.seq);
        let last = asked.before.map_or(head, |before| before.saturating_sub(1).min(head));
        let first = last.saturating_sub(ENTRIES as u64 - 1).max(1);
        let read = if last == 0 { Vec::new() } else { store.trail_records(first, ENTRIES).await? };
        let watched = Watched::of(&visit).await?;
        let mut records = Vec::new();
        let mut known: HashMap<Option<Subject>, bool> = HashMap::new();
        for record in read.into_iter().filter(|record| record.seq <= last).rev() {
            let about = record.said().and_then(|said| said.subject);
            let is_shown = match known.get(&about) {
                Some(is_shown) => *is_shown,
                None => watched.holds_about(about.as_ref()).await?,
            };
            known.insert(about, is_shown);
            if is_shown {
                records.push(record);
            }
        }
        Ok((records, (first > 1).then_some(first)))
    };
    match read.await {
        Ok((records, older)) => shown(&visit, &records, None, older).await,
        Err(error) => failed(&visit, &error),
    }
}

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct About {
    #[serde(default)]
    token: String,
    #[serde(default)]
    id: String,
}

/// The entries about a subject.
pub(super) async fn about(visit: Visit, Form(sent): Form<About>) -> Response {
    let ours = visit.must(visit.reach.trail).and_then(|()| visit.must_be_ours(&sent.token));
    if let Err(page) = ours {
        return page;
    }
    let (kind, id) = subject_of(&sent.id);
    let read = async {
        if !Watched::of(&visit).await?.holds(kind, &id).await? {
            return Ok(None);
        }
        visit.console.serving().store().trail_about(kind, &id, None, ENTRIES).await.map(Some)
    };
    match read.await {
        Ok(Some(records)) => shown(&visit, &records, Some((kind, &id)), None).await,
        Ok(None) => match noted(&visit, Action::Refused, Some((kind, &id)), String::new()).await {
            Ok(()) => visit.trouble(&Problem::unknown_subject()),
            Err(problem) => visit.trouble(&problem),
        },
        Err(error) => failed(&visit, &error),
    }
}

fn failed(visit: &Visit, error: &StoreError) -> Response {
    visit.trouble(&visit.console.serving().store_failed(error))
}

/// Whom somebody watches over: all, or those who are counted in his regions.
struct Watched<'a> {
    visit: &'a Visit,
    /// Where everybody is counted; none: he watches over all, or no run is there.
    run: Option<Arc<dyn StoredRun>>,
    is_all: bool,
}

impl<'a> Watched<'a> {
    async fn of(visit: &'a Visit) -> Result<Self, StoreError> {
        let is_all = visit.caller.grant.regions.iter().any(|own| own == "*");
        let run = if is_all { None } else { visit.console.serving().store().current().await? };
        Ok(Self { visit, run, is_all })
    }

    async fn holds(&self, kind: SubjectKind, id: &str) -> Result<bool, StoreError> {
        let Some(run) = &self.run else { return Ok(self.is_all) };
        let serving = self.visit.console.serving();
        let rules = serving.rules();
        // Where somebody is counted today decides, as everywhere.
        let Some(found) = serving.looking(&**run, &rules).find(kind, id).await? else { return Ok(false) };
        Ok(self.visit.caller.covers(&found.subject.region, &rules.workspace.regions, found.ground.as_of()))
    }

    /// An entry about nobody, and one that was erased, tell of nobody.
    async fn holds_about(&self, subject: Option<&Subject>) -> Result<bool, StoreError> {
        let Some(subject) = subject else { return Ok(true) };
        match SubjectKind::named(&subject.kind) {
            Some(kind) => self.holds(kind, &subject.id).await,
            None => Ok(self.is_all),
        }
    }
}

/// Looking at the trail leaves a trace, too: of whom it was looked at.
async fn shown(visit: &Visit, records: &[Record], about: Option<(SubjectKind, &str)>, older: Option<u64>) -> Response {
    if let Err(problem) = noted(visit, Action::ReadTrail, about, format!("console: {} entries", records.len())).await {
        return visit.trouble(&problem);
    }
    let body = page(visit.words, &visit.token, records, about.map(|(_, id)| id), older);
    visit.page(visit.words.pick("留痕", "Access trail"), "trail", &body)
}

async fn noted(visit: &Visit, action: Action, about: Option<(SubjectKind, &str)>, note: String) -> Result<(), Problem> {
    let subject = about.map(|(kind, id)| Subject { kind: kind.name().to_owned(), id: id.to_owned() });
    let content = Content { subject, ..of_caller(&visit.caller, "audit", action, note) };
    visit.console.serving().trail().note(content).await
}

/// The page, newest entries first.
fn page(words: Words, form_token: &str, records: &[Record], about: Option<&str>, older: Option<u64>) -> Markup {
    html! {
        h1 { (words.pick("留痕", "Access trail")) }
        p { (words.pick(
            "谁, 以什么身份, 为什么目的, 在什么时候, 看了谁的什么。记录只增不改, 逐条相连; mianshen audit verify 能查出改动。",
            "Who looked at whose data, in which role, for which purpose, and when. Entries are only ever added, each chained to the one before; mianshen audit verify finds any change.",
        )) }
        form.narrow method="post" action=(words.at("trail")) {
            (token(form_token))
            (subject_fields(words))
            div.row { button type="submit" { (words.pick("查这个对象的留痕", "Who looked at this subject")) } }
        }
        @if let Some(about) = about { p.notice { (words.pick("关于 ", "About ")) (mask(about)) } }
        (entries(words, records))
        @if let Some(older) = older { p { a href=(words.at(&format!("trail?before={older}"))) { (words.pick("更早的", "Older entries")) } } }
    }
}

/// The fields that name a subject.
pub(super) fn subject_fields(words: Words) -> Markup {
    html! {
        label for="id" { (words.pick("证件号、统一社会信用代码或家庭编号", "Identifier: person, entity or household")) }
        input type="text" id="id" name="id" required autocomplete="off" spellcheck="false" maxlength="64";
    }
}

/// Entries as a table.
pub(super) fn entries(words: Words, records: &[Record]) -> Markup {
    if records.is_empty() {
        return html! { p { (words.pick("没有记录。", "No entries.")) } };
    }
    let rows: Vec<Vec<Markup>> = records
        .iter()
        .map(|record| {
            let mut cells = vec![
                cell(record.seq.to_string()),
                html! { span.code { (clock::told(record.at).get(..19).unwrap_or_default().replace('T', " ")) } },
            ];
            match record.said() {
                None => cells.extend([cell(words.pick("已抹去", "erased")), cell("–"), cell("–"), cell("–"), cell("–"), cell("–")]),
                Some(content) => {
                    cells.extend([
                        cell(&content.who),
                        cell(&content.role),
                        cell(&content.purpose),
                        cell(action(words, content.action)),
                        cell(content.subject.as_ref().map_or_else(|| "–".to_owned(), |subject| mask(&subject.id))),
                        html! {
                            @if content.items.len() > 4 {
                                details { summary { (content.items.len()) " " (words.pick("项", "items")) } (content.items.join(", ")) }
                            } @else { (content.items.join(", ")) }
                            @if !content.note.is_empty() { " " span.soft { (content.note) } }
                        },
                    ]);
                }
            }
            cells
        })
        .collect();
    let columns = [
        number(words.pick("序号", "No.")),
        text(words.pick("时间 (UTC)", "When (UTC)")),
        text(words.pick("谁", "Who")),
        text(words.pick("身份", "Role")),
        text(words.pick("目的", "Purpose")),
        text(words.pick("做了什么", "Did what")),
        text(words.pick("对象", "Subject")),
        text(words.pick("内容", "What")),
    ];
    table(words.pick("记录, 新的在前", "Entries, newest first"), &columns, &rows)
}

fn action(words: Words, action: Action) -> &'static str {
    match action {
        Action::ReadServices => words.pick("看服务", "read services"),
        Action::Explain => words.pick("看理由", "read reasons"),
        Action::ReadDossier => words.pick("看档案", "read the dossier"),
        Action::WhatIf => words.pick("假设试算", "judged with changes"),
        Action::Evaluate => words.pick("判定所交事实", "judged posted facts"),
        Action::Bulk => words.pick("批量", "bulk"),
        Action::ReadTrail => words.pick("看留痕", "read the trail"),
        Action::Change => words.pick("变更", "changed something"),
        Action::Refused => words.pick("被拒绝", "was refused"),
        Action::Erase => words.pick("抹去", "erased entries"),
    }
}
