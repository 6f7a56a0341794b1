//! What those who watch the server ask: is it alive, is it ready, how much does it do.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::serve::state::Serving;

/// `/healthz`, `/readyz`, `/metrics`.
pub fn routes() -> Router<Serving> {
    Router::new().route("/healthz", get(alive)).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

async fn alive() -> &'static str {
    "ok\n"
}

/// Ready: there are policies, a run, and the server is not on its way out.
async fn ready(State(serving): State<Serving>) -> Response {
    if serving.is_leaving() {
        return (StatusCode::SERVICE_UNAVAILABLE, "leaving\n").into_response();
    }
    match serving.store().current().await {
        Ok(Some(_)) => "ready\n".into_response(),
        Ok(None) => (StatusCode::SERVICE_UNAVAILABLE, "no run\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "no store\n").into_response(),
    }
}

async fn metrics(State(serving): State<Serving>) -> Response {
    serving.metrics().run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], serving.metrics().render()).into_response()
}
