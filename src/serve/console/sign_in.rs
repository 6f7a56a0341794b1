//! Signing in with a key or a token, and out.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Form, Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::Console;
use super::frame::{self, Page, Words, token};
use super::session::{COOKIE, SIGN_IN_COOKIE, cookie, credential, is_same, set_cookie};
use super::visit::{Visit, answer, trouble};
use crate::serve::clock;
use crate::serve::guard::key;
use crate::serve::problem::{Problem, language};

/// What the form to sign in sends.
#[derive(Deserialize)]
pub(super) struct SignIn {
    #[serde(default)]
    token: String,
    #[serde(default)]
    key: String,
}

/// What the form to sign out sends.
#[derive(Deserialize)]
pub(super) struct SignOut {
    #[serde(default)]
    token: String,
}

/// The front door: on to the overview in the language that the browser prefers.
pub(super) async fn door(request: Request) -> Redirect {
    Redirect::to(&Words(language(request.headers())).at(""))
}

/// The page to sign in.
pub(super) async fn form(State(console): State<Console>, Path(lang): Path<String>, headers: HeaderMap) -> Response {
    let Some(words) = Words::of(&lang) else { return StatusCode::NOT_FOUND.into_response() };
    if console.sessions().of(&headers, clock::now()).is_some() {
        return Redirect::to(&words.at("")).into_response();
    }
    asked(&console, words, None)
}

/// Signs in.
pub(super) async fn sign_in(
    State(console): State<Console>,
    Path(lang): Path<String>,
    address: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Form(sent): Form<SignIn>,
) -> Response {
    let Some(words) = Words::of(&lang) else { return StatusCode::NOT_FOUND.into_response() };
    let is_ours = cookie(&headers, SIGN_IN_COOKIE).is_some_and(|own| is_same(own, &sent.token));
    if !is_ours {
        return asked(
            &console,
            words,
            Some((StatusCode::FORBIDDEN, words.pick("表单已过期, 请重试", "the form is out of date: try again"))),
        );
    }
    let guard = console.serving().guard();
    let address = address.map(|info| info.0.0.ip().to_string()).unwrap_or_default();
    if let Err(problem) = guard.count(&format!("address {address}")) {
        return trouble(words, None, &problem);
    }
    let credential = match credential(&sent.key) {
        Some(credential) if guard.caller_renewed(&credential).await.is_ok() => Some(credential),
        _ => None,
    };
    let Some(credential) = credential else {
        return asked(&console, words, Some((StatusCode::UNAUTHORIZED, words.pick("密钥或令牌无效", "the key or token is not valid"))));
    };
    match console.sessions().begin(credential, clock::now()) {
        Ok(id) => {
            let secure = console.is_secure();
            let mut response = Redirect::to(&words.at("")).into_response();
            response.headers_mut().append(header::SET_COOKIE, set_cookie(COOKIE, Some(&id), secure));
            response.headers_mut().append(header::SET_COOKIE, set_cookie(SIGN_IN_COOKIE, None, secure));
            response
        }
        Err(error) => {
            tracing::error!(target: "mianshen::serve", %error, "no random numbers for a session");
            trouble(words, None, &Problem::internal())
        }
    }
}

/// Signs out.
pub(super) async fn sign_out(visit: Visit, headers: HeaderMap, Form(sent): Form<SignOut>) -> Response {
    if let Err(page) = visit.must_be_ours(&sent.token) {
        return page;
    }
    visit.console.sessions().end(&headers);
    let mut response = Redirect::to(&visit.words.at("sign-in")).into_response();
    response.headers_mut().append(header::SET_COOKIE, set_cookie(COOKIE, None, visit.console.is_secure()));
    response
}

fn asked(console: &Console, words: Words, wrong: Option<(StatusCode, &str)>) -> Response {
    let Ok(own) = key::new() else { return trouble(words, None, &Problem::internal()) };
    let title = words.pick("登录", "Sign in");
    let page = Page { words, title, path: "sign-in", signed_in: None, script: false, again: None };
    let status = wrong.map_or(StatusCode::OK, |(status, _)| status);
    let mut response = answer(status, &frame::page(&page, &body(words, &own, wrong.map(|(_, why)| why))));
    response.headers_mut().append(header::SET_COOKIE, set_cookie(SIGN_IN_COOKIE, Some(&own), console.is_secure()));
    response
}

fn body(words: Words, own: &str, wrong: Option<&str>) -> Markup {
    html! {
        h1 { (words.pick("登录", "Sign in")) }
        @if let Some(wrong) = wrong { p.notice.bad role="alert" { (wrong) } }
        form.narrow method="post" action=(words.at("sign-in")) {
            (token(own))
            label for="key" { (words.pick("密钥或令牌", "Key or token")) }
            input type="password" id="key" name="key" required autocomplete="off" aria-describedby="key-hint";
            p.soft id="key-hint" { (words.pick(
                "由管理员发给; 没有配置身份时, 启动 mianshen serve 的窗口里会显示一次性的管理员密钥。",
                "Given by the administrator; where no identities are set, mianshen serve shows a one-time administrator key when it starts.",
            )) }
            div.row { button type="submit" { (words.pick("登录", "Sign in")) } }
        }
    }
}
