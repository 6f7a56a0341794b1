//! What goes wrong, as `application/problem+json` (RFC 9457) in the language of whoever asks.
//!
//! A handler gives a [`Problem`]; it travels beside an empty answer until [`told`] writes it in the language of the
//! request. What the web framework refuses by itself (no such path, body too large) is told in the same form.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::dto::diagnostics::Finding;
use crate::diagnostic::{Diagnostic, Lang, Message};

/// The media type of problems.
pub const PROBLEM: &str = "application/problem+json";

/// Something that went wrong.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The status of the answer.
    pub status: StatusCode,
    /// The kind, kebab-case, stable.
    pub kind: &'static str,
    /// What it is, for this request.
    pub detail: Message,
    /// What is wrong with what was posted, place by place.
    pub findings: Vec<Finding>,
    /// When to come again, in seconds.
    pub retry_after: Option<u64>,
}

/// A problem as it is sent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// The kind of problem: `urn:mianshen:problem:` and its word.
    #[serde(rename = "type")]
    #[schema(example = "urn:mianshen:problem:unknown-subject")]
    pub kind: String,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// The kind, in words.
    pub title: String,
    /// What it is, for this request; never holds what was asked about whom.
    pub detail: String,
    /// What is wrong with what was posted, place by place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub findings: Vec<Finding>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(status: StatusCode, kind: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { status, kind, detail: Message::new(zh, en), findings: Vec::new(), retry_after: None }
    }

    /// Nobody, or nobody that the caller may ask about: the same answer for both, so that nothing is learnt from it.
    #[must_use]
    pub fn unknown_subject() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "unknown-subject",
            "没有这个服务对象, 或不在您的范围内",
            "no such subject, or not within your reach",
        )
    }

    /// Something other than a subject that there is none of.
    pub fn not_found(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", zh, en)
    }

    /// The request cannot be understood.
    pub fn bad_request(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", zh, en)
    }

    /// What was posted is understood, and wrong.
    pub fn unprocessable(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unprocessable", zh, en)
    }

    /// The caller may not do this.
    pub fn forbidden(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", zh, en)
    }

    /// Nobody is known to ask.
    #[must_use]
    pub fn unauthenticated() -> Self {
        let (zh, en) = ("没有有效的令牌或密钥", "no valid token or key");
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", zh, en)
    }

    /// Something that should be there is not there yet, or not any more.
    pub fn unavailable(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { retry_after: Some(5), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", zh, en) }
    }

    /// Our fault. What it was goes to the log, not to the caller.
    #[must_use]
    pub fn internal() -> Self {
        let (zh, en) = ("服务器内部错误", "internal error of the server");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", zh, en)
    }

    /// The same about what is asked behind the `?`, and not in a body.
    #[must_use]
    pub fn asked(self) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad-request", ..self }
    }

    /// The same with what is wrong, place by place.
    #[must_use]
    pub fn with(mut self, diagnostics: &[Diagnostic]) -> Self {
        self.findings = diagnostics.iter().map(Finding::of).collect();
        self
    }

    /// What a status without a problem beside it means.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        let (kind, zh, en) = match status {
            StatusCode::NOT_FOUND => ("not-found", "没有这个地址", "no such address"),
            StatusCode::METHOD_NOT_ALLOWED => ("method-not-allowed", "这个地址不接受这种方法", "this address does not take this method"),
            StatusCode::PAYLOAD_TOO_LARGE => ("too-large", "请求体太大", "the body of the request is too large"),
            StatusCode::REQUEST_TIMEOUT => ("timeout", "请求没有按时完成", "the request did not end in time"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported-media-type", "不接受这种内容", "this kind of content is not taken"),
            StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "服务器正忙, 请稍后再试", "the server is busy: come again"),
            status if status.is_server_error() => return Self { status, ..Self::internal() },
            _ => ("bad-request", "读不懂这个请求", "the request cannot be understood"),
        };
        Self::new(status, kind, zh, en)
    }

    fn title(&self) -> Message {
        let (zh, en) = match self.status {
            StatusCode::BAD_REQUEST => ("请求有误", "Bad request"),
            StatusCode::UNAUTHORIZED => ("未认证", "Not authenticated"),
            StatusCode::FORBIDDEN => ("无权", "Forbidden"),
            StatusCode::NOT_FOUND => ("没有找到", "Not found"),
            StatusCode::METHOD_NOT_ALLOWED => ("方法不对", "Method not allowed"),
            StatusCode::REQUEST_TIMEOUT => ("超时", "Timeout"),
            StatusCode::CONFLICT => ("冲突", "Conflict"),
            StatusCode::PRECONDITION_FAILED => ("已被改动", "Changed meanwhile"),
            StatusCode::PAYLOAD_TOO_LARGE => ("太大", "Too large"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ("内容类型不对", "Unsupported media type"),
            StatusCode::UNPROCESSABLE_ENTITY => ("内容有误", "Unprocessable content"),
            StatusCode::TOO_MANY_REQUESTS => ("请求太多", "Too many requests"),
            StatusCode::SERVICE_UNAVAILABLE => ("暂不可用", "Unavailable"),
            _ => ("出错了", "Error"),
        };
        Message::new(zh, en)
    }

    /// The problem as an answer.
    #[must_use]
    pub fn answer(&self, lang: Lang) -> Response {
        let body = ProblemBody {
            kind: format!("urn:mianshen:problem:{}", self.kind),
            status: self.status.as_u16(),
            title: self.title().get(lang).to_owned(),
            detail: self.detail.get(lang).to_owned(),
            findings: self.findings.clone(),
        };
        let mut response = (self.status, serde_json::to_vec(&body).unwrap_or_default()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(if lang == Lang::Zh { "zh" } else { "en" }));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"mianshen\""));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// The language that a request prefers: by `Accept-Language`, else Chinese.
#[must_use]
pub fn language(headers: &HeaderMap) -> Lang {
    let Some(text) = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()) else { return Lang::Zh };
    let mut best = (0.0_f32, Lang::Zh);
    for part in text.split(',') {
        let mut pieces = part.split(';');
        let tag = pieces.next().unwrap_or_default().trim().to_ascii_lowercase();
        let quality = pieces.find_map(|piece| piece.trim().strip_prefix("q=")).map_or(Some(1.0), |text| text.trim().parse::<f32>().ok());
        let lang = match tag.split('-').next() {
            Some("zh") => Lang::Zh,
            Some("en") => Lang::En,
            _ => continue,
        };
        if let Some(quality) = quality.filter(|quality| *quality > best.0) {
            best = (quality, lang);
        }
    }
    best.1
}

/// Writes problems in the language of the request, also those that no handler of ours gave.
pub async fn told(request: Request, next: Next) -> Response {
    let lang = language(request.headers());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Arc<Problem>>() {
        return carried(response, problem.answer(lang));
    }
    let status = response.status();
    if status.is_client_error() || status.is_server_error() {
        let is_told =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value == PROBLEM || value == "text/html; charset=utf-8");
        if !is_told {
            return carried(response, Problem::of_status(status).answer(lang));
        }
    }
    response
}

/// What an answer that is replaced had to say beside its body.
fn carried(old: Response, mut new: Response) -> Response {
    for name in [header::ALLOW, header::ETAG, header::VARY] {
        if let Some(value) = old.headers().get(&name) {
            new.headers_mut().insert(name, value.clone());
        }
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Lang) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_str(text).expect("a header"));
        assert_eq!(language(&headers), expected, "{text}");
    }

    #[test]
    fn the_language_that_is_preferred() {
        check("en", Lang::En);
        check("zh-CN,zh;q=0.9,en;q=0.8", Lang::Zh);
        check("fr, en-GB;q=0.4, zh;q=0.3", Lang::En);
        check("zh;q=0, en;q=0.1", Lang::En);
        check("de", Lang::Zh);
        check("en;q=x", Lang::Zh);
        assert_eq!(language(&HeaderMap::new()), Lang::Zh);
    }
}
