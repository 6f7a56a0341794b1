//! The access trail: who looked at what, for which purpose, and when.

use maud::{Markup, html};

use super::frame::{Words, cell, number, table, text, token};
use crate::register::identifier::mask;
use crate::serve::clock;
use crate::store::trail::{Action, Record};

/// The page, newest entries first.
pub(super) fn page(words: Words, form_token: &str, records: &[Record], about: Option<&str>, older: Option<u64>) -> Markup {
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
