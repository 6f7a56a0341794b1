//! Channels: by which ways a message leaves, and what becomes of it there.

pub mod file;
#[cfg(feature = "kafka")]
pub mod kafka;
pub mod signature;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::settings::{self, Way};
use crate::diagnostic::{Diagnostic, code};
use crate::store::live::NewMessage;

/// A way by which messages leave.
#[async_trait]
pub trait Channel: Send + Sync {
    /// Sends a message. `now` in microseconds since 1970 (UTC). Never waits longer than the channel's own bound.
    async fn send(&self, message: &NewMessage, now: i64) -> Outcome;
}

/// What became of a message. Texts are for the store and for people, never with anything of the message itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The other side has it.
    Taken(String),
    /// Not now.
    Later {
        /// Why.
        why: String,
        /// How long the other side asks to wait.
        after: Option<Duration>,
        /// Whether it speaks of the channel, not of this message: a channel that fails so again and again is left alone for
        /// a while.
        is_down: bool,
    },
    /// The other side will never take it.
    Never(String),
}

/// The channel of its settings.
///
/// # Errors
///
/// When it cannot be used: a certificate that cannot be read, a folder that cannot be made, an option that is none.
pub fn open(settings: &settings::Channel) -> Result<Arc<dyn Channel>, Box<Diagnostic>> {
    let opened: Result<Arc<dyn Channel>, String> = match &settings.way {
        Way::Webhook(webhook) => webhook::Hook::new(webhook).map(|hook| Arc::new(hook) as _),
        Way::File(folder) => file::Folder::new(folder).map(|folder| Arc::new(folder) as _),
        #[cfg(feature = "kafka")]
        Way::Kafka(kafka) => kafka::Topic::new(kafka).map(|topic| Arc::new(topic) as _),
        #[cfg(not(feature = "kafka"))]
        Way::Kafka(_) => Err("built without Kafka".to_owned()),
    };
    let name = &settings.name;
    opened.map_err(|error| {
        let (zh, en) = (format!("渠道“{name}”不能用: {error}"), format!("channel `{name}` cannot be used: {error}"));
        Box::new(Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help("检查 push.yaml 里的这个渠道", "check the channel in push.yaml"))
    })
}
