//! The page of a life event (一件事): its policies in the order in which the file has them.

use maud::html;

use super::frame::{self, chinese, policy_link};
use super::values::{kind, mode, period, standing_badge, subject};
use super::{Page, Site};
use crate::policy::document::Bundle;

/// The page of a bundle.
pub(super) fn page(site: &Site<'_>, bundle: &Bundle) -> Page {
    let body = html! {
        p.soft { a href="../index.html#events" { (site.pick("全部一件事", "All life events")) } }
        h1 { (site.say(&bundle.name)) }
        p { (site.pick("一件事办成, 下列各项一并核对, 不用分头去问。", "When this happens, all of these are looked at together; nobody has to ask for each.")) }
        div.stack { @for (code, _) in &bundle.policies {
            @if let Some(item) = site.items.get(code.as_str()) {
                div.card {
                    h3 { (policy_link(site, code, "../")) " " (standing_badge(site, item.standing)) }
                    p {
                        (site.say(&subject(item.document.subject))) " · " (site.say(&kind(&item.document.benefit.kind))) " · "
                        (site.say(&period(item.document.benefit.period))) " · " (site.say(&mode(item.document.delivery.mode)))
                    }
                    p.soft { (chinese(site, &item.document.authority_name)) " · " (site.region(&item.document.covers.region)) }
                    @if let Some(unit) = item.document.guide.as_ref().and_then(|guide| guide.accepted_by.as_ref()) {
                        p.soft { (site.pick("受理单位: ", "Accepted by: ")) (site.say(unit)) }
                    }
                }
            } @else { p { (code) } }
        } }
    };
    frame::page(site, &format!("bundles/{}.html", bundle.id), site.say(&bundle.name), &body)
}
