//! What handlers take out of requests, refused in our own words where it is wrong.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::{Problem, language};
use crate::diagnostic::Lang;

/// A JSON body.
pub struct Posted<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Posted<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence != "application/json" {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "请求体应为 application/json",
                "the body must be application/json",
            ));
        }
        let bytes = body(request, state).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let why = if error.is_data() { error.to_string() } else { "JSON".to_owned() };
            Problem::unprocessable(
                format!("读不懂请求体, 第 {line} 行第 {column} 列: {why}"),
                format!("the body cannot be read, line {line} column {column}: {why}"),
            )
        })
    }
}

/// The whole body, within the limit of the route.
///
/// # Errors
///
/// When it is too large or breaks off.
pub async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|refused| Problem::of_status(refused.into_response().status()))
}

/// What is asked behind the `?`.
pub struct Asked<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Query::<T>::from_request_parts(parts, state).await.map(|Query(asked)| Self(asked)).map_err(|refused| {
            let why = refused.body_text();
            Problem::bad_request(format!("读不懂查询参数: {why}"), format!("the query cannot be read: {why}"))
        })
    }
}

/// The pieces of the path. What they hold is never told back.
pub struct Named<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        read.map(|axum::extract::Path(named)| Self(named)).map_err(|_| Problem::of_status(StatusCode::NOT_FOUND))
    }
}

/// The language of the request.
#[derive(Debug, Clone, Copy)]
pub struct In(pub Lang);

impl<S: Send + Sync> FromRequestParts<S> for In {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(language(&parts.headers)))
    }
}

/// A JSON answer that is not sent again to who has it already: `304` where `If-None-Match` names its tag.
#[must_use]
pub fn tagged<T: Serialize>(headers: &HeaderMap, tag: &str, answer: &T) -> Response {
    let tag = format!("W/\"{tag}\"");
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
    let is_known = known.any(|known| known == "*" || known.trim_start_matches("W/") == tag.trim_start_matches("W/"));
    let cache = [(header::ETAG, tag), (header::CACHE_CONTROL, "private, no-cache".to_owned())];
    if is_known {
        return (StatusCode::NOT_MODIFIED, cache).into_response();
    }
    (cache, axum::Json(answer)).into_response()
}
