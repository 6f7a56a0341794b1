//! Who looked at a subject's data: told to the subject, and to those who watch over it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;

use super::answers::Refused;
use super::subjects::Reached;
use crate::serve::clock;
use crate::serve::dto::subjects::Look;
use crate::serve::extract::{Asked, Named};
use crate::serve::guard::Caller;
use crate::serve::pages::{Page, PageOf, cursor_of};
use crate::serve::problem::Problem;
use crate::serve::settings::Role;
use crate::serve::state::Serving;
use crate::store::trail::Action;

/// Who looked at the data of a subject, the newest look first.
#[utoipa::path(get, path = "/subjects/{kind}/{id}/looks", tag = "subjects", operation_id = "listLooks",
    params(
        ("kind" = String, Path, description = "`person`, `household` or `entity`"),
        ("id" = String, Path, description = "Its identifier; `me` for the one that a citizen is"),
        ("Purpose" = String, Header, description = "What the request is for"),
        PageOf),
    responses((status = 200, description = "A page of looks", body = Page<Look>), Refused))]
pub async fn looks(
    State(serving): State<Serving>,
    caller: Extension<Arc<Caller>>,
    headers: HeaderMap,
    Named((kind, id)): Named<(String, String)>,
    Asked(asked): Asked<PageOf>,
) -> Result<Json<Page<Look>>, Problem> {
    caller.must_be(&[Role::Citizen, Role::Auditor, Role::Administrator])?;
    let limit = asked.limit()?;
    let before = match asked.after()? {
        Some(key) => Some(
            key.parse::<u64>().map_err(|_| Problem::bad_request("cursor 不是上一页给出的", "the cursor is not one that a page gave"))?,
        ),
        None => None,
    };
    let reached = Reached::new(&(State(serving.clone()), caller, headers), (&kind, &id)).await?;
    let (kind, id) = (reached.kind(), reached.subject.id.clone());
    let records = serving.store().trail_about(kind, &id, before, limit + 1).await.map_err(|error| serving.store_failed(&error))?;
    let next = (records.len() > limit).then(|| cursor_of(&records[limit - 1].seq.to_string()));
    let items = records.iter().take(limit).map(|record| {
        let said = record.said();
        Look {
            entry: record.seq,
            at: clock::told(record.at),
            who: said.as_ref().map(|said| said.who.clone()),
            role: said.as_ref().map(|said| said.role.clone()),
            purpose: said.as_ref().map(|said| said.purpose.clone()),
            action: said.as_ref().map(|said| said.action.name().to_owned()),
            items: said.map(|said| said.items).unwrap_or_default(),
        }
    });
    let page = Page { items: items.collect(), next };
    reached.note(&serving, Action::ReadTrail, Vec::new()).await?;
    Ok(Json(page))
}
