//! Who asks, in which role, for which purpose, and what that lets them see.
//!
//! ```text
//! request ── token or key ──▶ Caller ── rate ──▶ route ── role, Purpose ──▶ Access ── region, self ──▶ subject
//!                                                                             │ facts, masks
//!                                                                             ▼ trail, then the answer
//! ```
//!
//! Nothing is let through that is not named: a caller without regions reaches nobody, a purpose without facts shows none.

pub mod access;
pub mod gate;
pub mod headers;
pub mod key;
pub mod mask;
mod remote;
pub mod token;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::http::{HeaderMap, header};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use super::problem::Problem;
use super::settings::{Grant, Settings};
use crate::diagnostic::Diagnostic;
use token::Tokens;

/// The header that carries the key of a program.
pub const KEY_HEADER: &str = "x-api-key";

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Subject of the token, or identifier of the key; never the key.
    pub id: String,
    /// The real name.
    pub name: String,
    /// What it may do.
    pub grant: Grant,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The token that a request bears.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, header::AUTHORIZATION.as_str())?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// Checks who asks.
#[derive(Debug)]
pub struct Guard {
    keys: HashMap<[u8; 32], Arc<Caller>>,
    tokens: Tokens,
    rates: DefaultKeyedRateLimiter<String>,
}

impl Guard {
    /// A guard as settings have it; with a key that the server made for itself where nobody else may ask, and with the keys
    /// that the guard of before had fetched.
    ///
    /// # Errors
    ///
    /// When the keys of an issuer cannot be read.
    pub fn new(settings: &Settings, own: Option<(&str, Caller)>, before: Option<&Self>) -> Result<Self, Vec<Diagnostic>> {
        let mut keys: HashMap<[u8; 32], Arc<Caller>> = HashMap::new();
        for entry in &settings.api_keys {
            let caller = Caller { id: entry.id.clone(), name: entry.name.clone(), grant: entry.grant.clone() };
            keys.insert(entry.digest, Arc::new(caller));
        }
        if let Some((key, caller)) = own {
            keys.insert(key::digest(key), Arc::new(caller));
        }
        let number = |value: u32| NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(number(settings.limits.per_second)).allow_burst(number(settings.limits.burst));
        Ok(Self { keys, tokens: Tokens::load(&settings.issuers, before.map(|before| &before.tokens))?, rates: RateLimiter::keyed(quota) })
    }

    /// Who sends a request.
    ///
    /// # Errors
    ///
    /// When there is no token and no key, or none that is valid.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Problem> {
        if let Some(key) = text(headers, KEY_HEADER) {
            return self.keys.get(&key::digest(key)).cloned().ok_or_else(Problem::unauthenticated);
        }
        self.tokens.caller(bearer(headers).ok_or_else(Problem::unauthenticated)?).ok_or_else(Problem::unauthenticated)
    }

    /// The same; where a token names a key that its issuer may have published since, that is looked for first.
    ///
    /// # Errors
    ///
    /// As [`Self::caller`].
    pub async fn caller_renewed(&self, headers: &HeaderMap) -> Result<Arc<Caller>, Problem> {
        let caller = self.caller(headers);
        if caller.is_err()
            && !headers.contains_key(KEY_HEADER)
            && let Some(token) = bearer(headers)
            && self.tokens.renew(token).await
        {
            return self.caller(headers);
        }
        caller
    }

    /// Fetches the keys that issuers publish, and goes on doing so while the guard is held.
    pub async fn keep_keys_fresh(&self) {
        self.tokens.keep_fresh().await;
    }

    /// Counts a request of somebody.
    ///
    /// # Errors
    ///
    /// When there were too many.
    pub fn count(&self, who: &str) -> Result<(), Problem> {
        self.rates.check_key(&who.to_owned()).map_err(|_| Problem {
            retry_after: Some(1),
            ..Problem::new(
                axum::http::StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "请求太多, 请稍后再试",
                "too many requests: come again",
            )
        })
    }

    /// Forgets those who have not asked for a while.
    pub fn sweep(&self) {
        self.rates.retain_recent();
        self.tokens.sweep();
    }
}
