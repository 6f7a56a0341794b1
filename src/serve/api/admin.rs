//! Running the server from afar.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};

use super::answers::{PostRefused, Refused};
use super::at_work;
use crate::serve::dto::posted::Reloaded;
use crate::serve::guard::Caller;
use crate::serve::problem::Problem;
use crate::serve::settings::Role;
use crate::serve::state::Serving;
use crate::serve::trail;
use crate::store::trail::Action;

/// Reads settings, keys and policies anew. They are checked first and taken whole; faulty ones are refused, and everything
/// stays as it was. Requests under way end with what they began with.
#[utoipa::path(post, path = "/admin/reload", tag = "administration", operation_id = "reload",
    responses((status = 200, description = "What is served from now on", body = Reloaded), Refused, PostRefused))]
pub async fn reload(State(serving): State<Serving>, Extension(caller): Extension<Arc<Caller>>) -> Result<Json<Reloaded>, Problem> {
    caller.must_be(&[Role::Administrator])?;
    serving.trail().note(trail::of_caller(&caller, "", Action::Change, "reload".to_owned())).await?;
    let turn = serving.checking_turn().await;
    at_work(move || {
        let _turn = turn;
        serving
            .reload()
            .map_err(|told| Problem::unprocessable("有错误, 一切照旧", "there are errors: everything stays as it was").with(&told))?;
        let rules = serving.rules();
        Ok(Json(Reloaded { digest: rules.digest.clone(), policies: rules.workspace.set.policies.len() }))
    })
    .await
}
