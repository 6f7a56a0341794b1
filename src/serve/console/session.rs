//! Who is signed in: sessions held in memory, each known by a cookie that no script can read and no other site can send.
//!
//! What somebody signed in with is asked of the guard again at every request: a key that is taken away, or a token that ends,
//! ends its sessions.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::{HeaderMap, HeaderValue, header};

use crate::serve::guard::{KEY_HEADER, key};

/// The cookie of a session.
pub(super) const COOKIE: &str = "mianshen_session";

/// The cookie beside the form to sign in.
pub(super) const SIGN_IN_COOKIE: &str = "mianshen_sign_in";

/// A session ends so long after the last request, in microseconds.
const IDLE: i64 = 30 * 60 * 1_000_000;

/// A session ends so long after it began, in microseconds.
const WHOLE: i64 = 8 * 60 * 60 * 1_000_000;

/// Sessions at a time; the one that was idle longest makes room.
const MOST: usize = 10_000;

/// One session.
#[derive(Debug, Clone)]
struct Session {
    /// What the guard is asked with.
    credential: HeaderMap,
    /// What forms send along.
    token: String,
    began: i64,
    seen: i64,
}

/// Everybody who is signed in.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<[u8; 32], Session>>);

/// The credential that somebody types: the key of a program, or a bearer token.
pub(super) fn credential(typed: &str) -> Option<HeaderMap> {
    let typed = typed.trim();
    let mut headers = HeaderMap::new();
    // A token has three parts; a key has none.
    let (name, mut value) = if typed.split('.').count() == 3 {
        (header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {typed}")).ok()?)
    } else {
        (header::HeaderName::from_static(KEY_HEADER), HeaderValue::from_str(typed).ok()?)
    };
    value.set_sensitive(true);
    headers.insert(name, value);
    Some(headers)
}

impl Sessions {
    /// Begins a session; gives the value of its cookie.
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub(super) fn begin(&self, credential: HeaderMap, now: i64) -> Result<String, String> {
        let (id, token) = (key::new()?, key::new()?);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.is_alive(now));
        if sessions.len() >= MOST
            && let Some(oldest) = sessions.iter().min_by_key(|(_, session)| session.seen).map(|(id, _)| *id)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(key::digest(&id), Session { credential, token, began: now, seen: now });
        Ok(id)
    }

    /// What the guard is to be asked with, and what forms must send, of the session that a request belongs to.
    pub(super) fn of(&self, headers: &HeaderMap, now: i64) -> Option<(HeaderMap, String)> {
        let id = key::digest(cookie(headers, COOKIE)?);
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get_mut(&id)?;
        if !session.is_alive(now) {
            sessions.remove(&id);
            return None;
        }
        session.seen = now;
        Some((session.credential.clone(), session.token.clone()))
    }

    /// Ends the session that a request belongs to.
    pub(super) fn end(&self, headers: &HeaderMap) {
        if let Some(id) = cookie(headers, COOKIE) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&key::digest(id));
        }
    }
}

impl Session {
    fn is_alive(&self, now: i64) -> bool {
        now - self.seen < IDLE && now - self.began < WHOLE
    }
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|text| text.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
        .filter(|value| !value.is_empty())
}

/// The header that sets a cookie for the console, or takes it away.
pub(super) fn set_cookie(name: &str, value: Option<&str>, secure: bool) -> HeaderValue {
    let secure = if secure { "; Secure" } else { "" };
    let age = if value.is_some() { "" } else { "; Max-Age=0" };
    let text = format!("{name}={}; Path={}; HttpOnly; SameSite=Strict{secure}{age}", value.unwrap_or_default(), super::frame::ROOT);
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Whether two secrets are one: their digests are compared, so that the time it takes tells nothing.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    key::digest(one) == key::digest(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_cookie(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(&format!("other=1; {COOKIE}={value}")).expect("a header"));
        headers
    }

    #[test]
    fn sessions_end() {
        let sessions = Sessions::default();
        let id = sessions.begin(credential("ms_key").expect("a header"), 0).expect("random");
        let headers = with_cookie(&id);
        let (asked, token) = sessions.of(&headers, IDLE - 1).expect("alive");
        assert_eq!(asked.get(KEY_HEADER).expect("the key"), "ms_key");
        assert!(token.starts_with("ms_") && token != id);
        assert!(sessions.of(&headers, 2 * IDLE - 1).is_none(), "too long idle");
        let id = sessions.begin(credential("ms_key").expect("a header"), 0).expect("random");
        let headers = with_cookie(&id);
        for at in 1..=WHOLE / (IDLE - 1) {
            sessions.of(&headers, (at * (IDLE - 1)).min(WHOLE - 1)).expect("alive");
        }
        assert!(sessions.of(&headers, WHOLE).is_none(), "too long in all");
        let id = sessions.begin(credential("ms_key").expect("a header"), 0).expect("random");
        sessions.end(&with_cookie(&id));
        assert!(sessions.of(&with_cookie(&id), 1).is_none());
        assert!(sessions.of(&with_cookie("guessed"), 1).is_none());
    }

    #[test]
    fn tokens_and_keys_are_told_apart() {
        let token = credential(" a.b.c ").expect("a header");
        assert_eq!(token.get(header::AUTHORIZATION).expect("a token"), "Bearer a.b.c");
        assert!(credential("a\nb").is_none());
        let text = format!("{:?}", credential("ms_secret").expect("a header"));
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn cookies_are_strict() {
        let set = set_cookie(COOKIE, Some("x"), true);
        assert_eq!(set, "mianshen_session=x; Path=/console; HttpOnly; SameSite=Strict; Secure");
        assert_eq!(set_cookie(COOKIE, None, false), "mianshen_session=; Path=/console; HttpOnly; SameSite=Strict; Max-Age=0");
        assert_eq!(cookie(&with_cookie("v"), COOKIE), Some("v"));
        assert_eq!(cookie(&with_cookie(""), COOKIE), None);
    }
}
