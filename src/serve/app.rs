//! The routes with everything around them: what every request passes on its way in, and every answer on its way out.

use std::any::Any;
use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::timeout::TimeoutLayer;

use super::api::Routes;
use super::guard::{gate, headers};
use super::problem::{Problem, told};
use super::state::Serving;
use super::{api, console, log};

/// The whole server as one service.
pub fn app(serving: &Serving) -> Router {
    let settings = serving.settings();
    let limits = &settings.limits;
    let timeout = |duration| TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, duration);
    let Routes { quick, slow, bulk, document } = api::routes();
    let quick = quick.layer(DefaultBodyLimit::max(limits.body)).layer(timeout(limits.timeout));
    let slow = slow.layer(DefaultBodyLimit::max(limits.body)).layer(timeout(limits.bulk_timeout));
    let bulk = bulk.layer(DefaultBodyLimit::max(limits.bulk_body)).layer(timeout(limits.bulk_timeout));
    let guarded = quick.merge(slow).merge(bulk).layer(from_fn_with_state(serving.clone(), gate::pass));
    let document: Arc<[u8]> = serde_json::to_vec(&document).unwrap_or_default().into();
    let described = get(move || {
        let document = Arc::clone(&document);
        async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], document.to_vec()) }
    });
    let room = Arc::new(Semaphore::new(limits.in_flight));
    let secure = settings.tls.is_some();
    Router::new()
        .merge(guarded)
        .merge(console::routes(serving).layer(timeout(limits.bulk_timeout)))
        .route("/v1/openapi.json", described)
        .layer(from_fn(move |request: Request, next: Next| in_turn(Arc::clone(&room), request, next)))
        .merge(api::health_routes())
        .fallback(|| async { Problem::of_status(StatusCode::NOT_FOUND) })
        .layer(RequestDecompressionLayer::new())
        .layer(CompressionLayer::new())
        .layer(CatchPanicLayer::custom(broken))
        .layer(from_fn(told))
        .layer(from_fn(log::requests))
        .layer(from_fn(move |request: Request, next: Next| headers::set(request, next, secure)))
        .with_state(serving.clone())
}

/// No more requests at work than there is room for: who comes then is told to come again, instead of waiting unseen.
async fn in_turn(room: Arc<Semaphore>, request: Request, next: Next) -> Response {
    let Ok(_place) = room.try_acquire() else {
        return Problem { retry_after: Some(1), ..Problem::of_status(StatusCode::SERVICE_UNAVAILABLE) }.into_response();
    };
    next.run(request).await
}

/// A handler broke: the panic's words go nowhere.
fn broken(_: Box<dyn Any + Send + 'static>) -> Response {
    Problem::internal().into_response()
}
