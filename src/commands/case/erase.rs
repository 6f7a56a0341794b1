//! `mianshen case erase`: the content of cases that are over, erased in due form; the chain stays whole.

use chrono::NaiveDate;

use super::{Told, live, unknown_case};
use crate::commands::store::{StoreArg, with};
use crate::commands::{Context, Exit};
use crate::diagnostic::{Diagnostic, Message, code};
use crate::ledger::{Actor, erased};
use crate::report::count;
use crate::serve::clock;
use crate::store::live::MessageState;
use crate::store::trail::{Action, Content};

/// Who erases which cases, and why.
pub(super) struct Asked<'a> {
    pub(super) ids: &'a [String],
    pub(super) actor: Actor,
    pub(super) ground: &'a str,
    pub(super) day: NaiveDate,
}

pub(super) fn run(store: &StoreArg, asked: &Asked<'_>, context: &Context) -> Told {
    let (done, refused) = with(store, async |store| {
        let live = live(store).await?;
        let (mut done, mut refused): (u64, Vec<(&str, Option<Message>)>) = (0, Vec::new());
        for id in asked.ids {
            let Some(row) = live.case(id).await? else {
                refused.push((id, None));
                continue;
            };
            let kept = match erased(&row, &asked.actor, asked.ground, asked.day)? {
                Ok(kept) => kept,
                Err(why) => {
                    refused.push((id, Some(why)));
                    continue;
                }
            };
            if live.messages_of(id).await?.iter().any(|message| message.state == MessageState::Waiting) {
                let why = Message::new("有通知还没有送出", "a message about it is not sent yet");
                refused.push((id, Some(why)));
                continue;
            }
            // Again: where others held the store's log open, the text may still be in it.
            if kept == row {
                live.erase_case(&kept).await?;
                continue;
            }
            // Who erased what is recorded first, and this entry is never erased: it names no subject.
            let entry = Content {
                who: asked.actor.name.clone(),
                role: "handler".to_owned(),
                caller: "mianshen case erase".to_owned(),
                purpose: "erase".to_owned(),
                action: Action::Erase,
                subject: None,
                items: vec![format!("case {id}")],
                note: asked.ground.to_owned(),
            };
            store.trail_append(clock::now(), std::slice::from_ref(&entry)).await?;
            live.erase_case(&kept).await?;
            done += 1;
        }
        Ok((done, refused))
    })?;
    let told = |(id, why): &(&str, Option<Message>)| match why {
        None => *unknown_case(id),
        Some(why) => Diagnostic::new(&code::BAD_ARGUMENT, format!("{id}: {}", why.zh), format!("{id}: {}", why.en)),
    };
    let diagnostics: Vec<Diagnostic> = refused.iter().map(told).collect();
    context.tell(&diagnostics);
    let text = format!("{} {}\n", context.pick("已删除内容", "erased"), count(done));
    Ok((text, if diagnostics.is_empty() { Exit::Clean } else { Exit::Findings }))
}
