//! A request to the console: who is signed in, in which language; and answers as pages.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::frame::{self, Page, Reach, SignedIn, Words};
use super::{Console, assets, session};
use crate::serve::clock;
use crate::serve::guard::Caller;
use crate::serve::problem::Problem;
use crate::serve::settings::Role;

/// Somebody who is signed in, on a page in a language.
pub(super) struct Visit {
    pub(super) console: Console,
    pub(super) words: Words,
    pub(super) caller: Arc<Caller>,
    pub(super) token: String,
    pub(super) reach: Reach,
    /// Whether only a part of the page is asked for.
    pub(super) part: bool,
}

/// The language that stands in every address.
#[derive(Deserialize)]
struct Lang {
    lang: String,
}

impl FromRequestParts<Console> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, console: &Console) -> Result<Self, Response> {
        let lang = Path::<Lang>::from_request_parts(parts, console).await.ok().map(|Path(lang)| lang.lang);
        let Some(words) = lang.as_deref().and_then(Words::of) else { return Err(StatusCode::NOT_FOUND.into_response()) };
        let part = parts.headers.contains_key("x-part");
        let away = || {
            if part { StatusCode::UNAUTHORIZED.into_response() } else { Redirect::to(&words.at("sign-in")).into_response() }
        };
        let (credential, token) = console.sessions().of(&parts.headers, clock::now()).ok_or_else(away)?;
        let guard = console.serving().guard();
        let caller = guard.caller(&credential).map_err(|_| {
            console.sessions().end(&parts.headers);
            away()
        })?;
        guard.count(&caller.id).map_err(|problem| trouble(words, None, &problem))?;
        let reach = reach(&caller);
        Ok(Self { console: console.clone(), words, caller, token, reach, part })
    }
}

fn reach(caller: &Caller) -> Reach {
    use Role::{Administrator, Auditor, Citizen, Handler, PolicyAuthor};
    Reach {
        figures: caller.is_any(&[Handler, PolicyAuthor, Auditor, Administrator]),
        bench: caller.is_any(&[PolicyAuthor, Administrator]),
        subjects: caller.is_any(&[Citizen, Handler, Auditor, Administrator]),
        trail: caller.is_any(&[Auditor, Administrator]),
    }
}

impl Visit {
    /// Who is signed in, as pages tell it.
    pub(super) fn signed_in(&self) -> SignedIn<'_> {
        SignedIn { name: &self.caller.name, token: &self.token, reach: self.reach }
    }

    /// A page.
    pub(super) fn page(&self, title: &str, path: &str, body: &Markup) -> Response {
        Self::framed(&Page { words: self.words, title, path, signed_in: Some(self.signed_in()), script: false, again: None }, body)
    }

    /// A page with more to be said of it.
    pub(super) fn framed(page: &Page<'_>, body: &Markup) -> Response {
        answer(StatusCode::OK, &frame::page(page, body))
    }

    /// Something that went wrong, as a page.
    pub(super) fn trouble(&self, problem: &Problem) -> Response {
        trouble(self.words, Some(self.signed_in()), problem)
    }

    /// Lets through only those who may.
    ///
    /// # Errors
    ///
    /// The page that says so.
    pub(super) fn must(&self, may: bool) -> Result<(), Response> {
        if may {
            return Ok(());
        }
        Err(self.trouble(&Problem::forbidden("您的身份看不到这一页", "this page is not for your role")))
    }

    /// Lets through only forms that a page of this session sent.
    ///
    /// # Errors
    ///
    /// The page that says so.
    pub(super) fn must_be_ours(&self, token: &str) -> Result<(), Response> {
        if session::is_same(token, &self.token) {
            return Ok(());
        }
        Err(self.trouble(&Problem::forbidden(
            "这张表单不是本次登录的页面发出的, 请刷新后重试",
            "the form was not sent by a page of this session: reload and try again",
        )))
    }
}

/// Something that went wrong, as a page.
pub(super) fn trouble(words: Words, signed_in: Option<SignedIn<'_>>, problem: &Problem) -> Response {
    let title = words.pick("没有成功", "That did not work");
    let body = html! {
        h1 { (title) }
        p.notice.bad role="alert" { (words.say(&problem.detail)) }
        p { a href=(words.at("")) { (words.pick("回到总览", "Back to the overview")) } }
    };
    let page = Page { words, title, path: "", signed_in, script: false, again: None };
    let mut response = answer(problem.status, &frame::page(&page, &body));
    if let Some(seconds) = problem.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

/// A page as an answer: nothing may be loaded that is not ours, and no copy is kept on the way.
pub(super) fn answer(status: StatusCode, page: &Markup) -> Response {
    html(status, page.0.clone())
}

/// The text of a page as an answer.
pub(super) fn html(status: StatusCode, page: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, assets::POLICY),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, page).into_response()
}

/// The headers of a request to the API that is made in the name of somebody, for a purpose.
pub(super) fn for_purpose(purpose: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = header::HeaderValue::from_str(purpose) {
        headers.insert(crate::serve::guard::access::PURPOSE_HEADER, value);
    }
    headers
}
