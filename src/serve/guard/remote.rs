//! Keys of an issuer from where it publishes them (JWKS, RFC 7517; OIDC Discovery 1.0), kept fresh.
//!
//! Fetched at the start, again when they are old, and, at most every so often, when a token names a key that is not among
//! them. What cannot be fetched or read changes nothing: the keys that were good last stay.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use reqwest::header::CACHE_CONTROL;
use serde::Deserialize;
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use super::token::{Key, keys_of_set};
use crate::outgoing;
use crate::serve::clock;
use crate::serve::settings::KeysAt;

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest answer, in bytes.
const LONGEST: usize = 1 << 20;

/// How many requests may wait for keys that a token asks for; more are refused as the keys of before have it.
const WAITING: usize = 16;

/// How often keys are fetched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Not again sooner, whatever tokens name.
    pub(super) least: Duration,
    /// At the latest, whatever age the issuer allows.
    pub(super) most: Duration,
    /// Where the issuer says nothing.
    pub(super) usual: Duration,
}

impl Pace {
    /// What servers run with.
    pub(super) const USUAL: Self = Self { least: Duration::from_secs(30), most: Duration::from_hours(24), usual: Duration::from_hours(1) };
}

/// The keys that one issuer publishes.
pub(super) struct Remote {
    issuer: String,
    at: KeysAt,
    client: reqwest::Client,
    pace: Pace,
    held: ArcSwap<Held>,
    /// Counts up when keys change.
    changes: AtomicU64,
    /// Who fetches; when the last fetch began.
    turn: Mutex<Option<Instant>>,
    waiting: Semaphore,
}

/// Keys as they were fetched.
#[derive(Default)]
struct Held {
    text: String,
    keys: Vec<Key>,
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Remote").field("issuer", &self.issuer).field("at", &self.at).finish_non_exhaustive()
    }
}

/// The part of an issuer's own description that is needed (OIDC Discovery 1.0, section 3).
#[derive(Deserialize)]
struct Described {
    issuer: String,
    jwks_uri: String,
}

impl Remote {
    /// Nothing is fetched yet; keys that were good before a reload of the settings are taken over.
    ///
    /// # Errors
    ///
    /// When the file of authorities cannot be used.
    pub(super) fn new(issuer: &str, at: &KeysAt, pace: Pace, before: Option<&Self>) -> Result<Self, String> {
        let client = outgoing::client(at.authority.as_deref(), PATIENCE)?;
        let held = before.filter(|before| before.issuer == issuer && before.at.address == at.address).map(|before| before.held.load_full());
        Ok(Self {
            issuer: issuer.to_owned(),
            at: at.clone(),
            client,
            pace,
            held: ArcSwap::new(held.unwrap_or_default()),
            changes: AtomicU64::new(0),
            turn: Mutex::new(None),
            waiting: Semaphore::new(WAITING),
        })
    }

    /// Works with the keys of the moment.
    pub(super) fn with<T>(&self, work: impl FnOnce(&[Key]) -> T) -> T {
        work(&self.held.load().keys)
    }

    /// How often keys have changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Whose keys they are.
    pub(super) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where the keys come from.
    pub(super) fn at(&self) -> &KeysAt {
        &self.at
    }

    /// Fetches now, and from now on whenever keys are old, until nobody holds them any more.
    pub(super) async fn keep_fresh(self: &Arc<Self>) {
        let wait = self.fetch().await;
        let held = Arc::downgrade(self);
        tokio::spawn(async move {
            let mut wait = wait;
            loop {
                tokio::time::sleep(wait).await;
                let Some(remote) = held.upgrade() else { return };
                wait = remote.fetch().await;
            }
        });
    }

    /// Fetches because a token names a key that is not there, unless somebody did a moment ago. Gives whether it is worth
    /// looking again.
    pub(super) async fn renew(&self) -> bool {
        let Ok(_place) = self.waiting.try_acquire() else { return false };
        let mut last = self.turn.lock().await;
        if last.is_none_or(|begun| begun.elapsed() >= self.pace.least) {
            *last = Some(clock::moment());
            self.take_in(self.fetched().await);
        }
        true
    }

    /// Fetches; gives when to fetch again.
    async fn fetch(&self) -> Duration {
        let mut last = self.turn.lock().await;
        *last = Some(clock::moment());
        self.take_in(self.fetched().await)
    }

    fn take_in(&self, fetched: Result<(String, Vec<Key>, Option<Duration>), String>) -> Duration {
        match fetched {
            Ok((text, keys, age)) => {
                if self.held.load().text != text {
                    let count = keys.len();
                    self.held.store(Arc::new(Held { text, keys }));
                    self.changes.fetch_add(1, Ordering::AcqRel);
                    tracing::info!(target: "mianshen::serve", issuer = self.issuer, count, "keys of an issuer were fetched");
                }
                age.unwrap_or(self.pace.usual).clamp(self.pace.least, self.pace.most)
            }
            Err(error) => {
                let kept = self.held.load().keys.len();
                tracing::warn!(target: "mianshen::serve", issuer = self.issuer, error, kept, "keys of an issuer cannot be fetched: those of before stay");
                self.pace.least
            }
        }
    }

    /// The text of a set, its keys, and how old it may become.
    async fn fetched(&self) -> Result<(String, Vec<Key>, Option<Duration>), String> {
        let address = if self.at.is_discovered { self.discovered().await? } else { self.at.address.clone() };
        let (text, age) = self.text(address).await?;
        let keys = keys_of_set(&text)?;
        Ok((text, keys, age))
    }

    async fn discovered(&self) -> Result<Url, String> {
        let (text, _) = self.text(self.at.address.clone()).await?;
        let described: Described = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if described.issuer != self.issuer {
            return Err("the description is another issuer's".to_owned());
        }
        let address = Url::parse(&described.jwks_uri).ok().filter(outgoing::may_be_asked);
        address.ok_or_else(|| "jwks_uri is no https address".to_owned())
    }

    async fn text(&self, address: Url) -> Result<(String, Option<Duration>), String> {
        let told = |error: reqwest::Error| outgoing::plain(&error);
        let mut answer = self.client.get(address).send().await.map_err(told)?;
        if !answer.status().is_success() {
            return Err(format!("status {}", answer.status().as_u16()));
        }
        let age = answer.headers().get(CACHE_CONTROL).and_then(|value| max_age(value.to_str().ok()?));
        let mut bytes = Vec::new();
        while let Some(more) = answer.chunk().await.map_err(told)? {
            if bytes.len() + more.len() > LONGEST {
                return Err("the answer is too long".to_owned());
            }
            bytes.extend_from_slice(&more);
        }
        String::from_utf8(bytes).map(|text| (text, age)).map_err(|error| error.to_string())
    }
}

/// How old an answer may become (RFC 9111, 5.2.2).
fn max_age(value: &str) -> Option<Duration> {
    let seconds = |part: &str| part.trim().to_ascii_lowercase().strip_prefix("max-age=")?.trim_matches('"').parse().ok();
    value.split(',').find_map(seconds).map(Duration::from_secs)
}

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
