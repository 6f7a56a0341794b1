//! The versions of a policy, from when to when each holds, and what changed from one to the next.

use maud::{Markup, html};

use super::frame::time;
use super::values::standing_badge;
use super::{Item, Site};
use crate::policy::difference::{Change, How};

/// The versions, and the changes between them.
pub(super) fn history(site: &Site<'_>, item: &Item<'_>) -> Markup {
    html! {
        div.wide { table {
            thead { tr {
                th scope="col" { (site.pick("版本", "version")) } th scope="col" { (site.pick("公布", "announced")) } th scope="col" { (site.pick("起", "from")) }
                th scope="col" { (site.pick("止 (不含)", "to (not included)")) } th scope="col" { (site.pick("状态", "status")) }
            } }
            tbody { @for (document, standing) in &item.versions { tr {
                td { (document.version) }
                td.k { @if let Some(day) = document.announced { (time(&day.to_string())) } @else { span.soft { (site.pick("没有写明", "not stated")) } } }
                td.k { (time(&document.in_force_from.to_string())) }
                td.k { @if let Some(day) = document.in_force_to { (time(&day.to_string())) } @else { span.soft { (site.pick("没有终止日", "no end")) } } }
                td { (standing_badge(site, *standing)) }
            } } }
        } }
        @for pair in item.versions.windows(2) {
            @let (old, new) = (pair[0].0, pair[1].0);
            @let changes = Site::differences(old, new);
            h3 { (site.pick("从第", "From version ")) (old.version) (site.pick("版到第", " to version ")) (new.version) (site.pick("版的变化", ": what changed")) }
            div.wide { table {
                thead { tr { th scope="col" { (site.pick("什么", "what")) } th scope="col" { (site.pick("原来", "before")) } th scope="col" { (site.pick("现在", "after")) } } }
                tbody { @for change in &changes { (one(site, change)) } }
            } }
        }
    }
}

fn one(site: &Site<'_>, change: &Change) -> Markup {
    let how = match change.how {
        How::Added => site.pick("新增", "added"),
        How::Removed => site.pick("删去", "removed"),
        How::Changed | How::Renamed => site.pick("改动", "changed"),
    };
    html! { tr {
        td { (site.say(&change.topic.words())) " " span.soft { (how) } }
        td { (change.old.as_deref().unwrap_or_default()) }
        td { (change.new.as_deref().unwrap_or_default()) }
    } }
}
