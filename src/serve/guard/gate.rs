//! The gate before every guarded route: who asks, and how often.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::serve::state::Serving;

/// Lets a request through with its [`Caller`](super::Caller) beside it. Those who are not known are counted by their address.
pub async fn pass(State(serving): State<Serving>, mut request: Request, next: Next) -> Response {
    let guard = serving.guard();
    let mut known = None;
    let counted = match guard.caller_renewed(request.headers()).await {
        Ok(caller) => {
            let counted = guard.count(&caller.id);
            request.extensions_mut().insert(Arc::clone(&caller));
            known = Some(caller);
            counted
        }
        Err(problem) => {
            let address = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip().to_string());
            match guard.count(&format!("address {}", address.unwrap_or_default())) {
                Ok(()) => Err(problem),
                Err(too_many) => Err(too_many),
            }
        }
    };
    let mut response = match counted {
        Ok(()) => next.run(request).await,
        Err(problem) => {
            metrics::counter!("mianshen_refused_total", "why" => problem.kind).increment(1);
            problem.into_response()
        }
    };
    // For whoever tells of the request afterwards.
    if let Some(caller) = known {
        response.extensions_mut().insert(caller);
    }
    response
}
