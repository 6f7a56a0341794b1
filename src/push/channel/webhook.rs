//! The webhook: a signed POST, and what its answer says of the message.

use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use reqwest::{Client, StatusCode, header};

use super::signature::sign;
use super::{Channel, Outcome};
use crate::outgoing::{self, plain};
use crate::push::settings::Webhook;
use crate::store::live::NewMessage;

/// The message's identifier.
pub const ID: &str = "Mianshen-Id";
/// When the request was made, in seconds since 1970 (UTC).
pub const TIMESTAMP: &str = "Mianshen-Timestamp";
/// The signature of timestamp and body.
pub const SIGNATURE: &str = "Mianshen-Signature";
/// Which key it was signed with.
pub const KEY: &str = "Mianshen-Key";

/// The longest wait that a receiver may ask for.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// An HTTP receiver.
#[derive(Debug)]
pub struct Hook {
    client: Client,
    settings: Webhook,
}

impl Hook {
    /// A receiver.
    ///
    /// # Errors
    ///
    /// When its certificates cannot be used.
    pub fn new(settings: &Webhook) -> Result<Self, String> {
        let client = outgoing::client(settings.ca.as_deref(), settings.timeout)?;
        Ok(Self { client, settings: settings.clone() })
    }
}

#[async_trait]
impl Channel for Hook {
    async fn send(&self, message: &NewMessage, now: i64) -> Outcome {
        let timestamp = now.div_euclid(1_000_000);
        let Webhook { url, secret, algorithm, key_id, .. } = &self.settings;
        let mut request = self
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
            .header(ID, &message.id)
            .header("Idempotency-Key", &message.id)
            .header(TIMESTAMP, timestamp)
            .header(SIGNATURE, sign(*algorithm, secret, timestamp, &message.body));
        if !key_id.is_empty() {
            request = request.header(KEY, key_id);
        }
        match request.body(message.body.clone()).send().await {
            Ok(answer) => told(answer.status(), answer.headers(), now),
            Err(error) => Outcome::Later { why: plain(&error), after: None, is_down: true },
        }
    }
}

/// What an answer says. What only whoever runs the two sides can mend (an address that moved, a key that is not known) says
/// nothing of the message: it is kept.
fn told(status: StatusCode, headers: &header::HeaderMap, now: i64) -> Outcome {
    let said = format!("HTTP {}", status.as_u16());
    if status.is_success() {
        return Outcome::Taken(said);
    }
    let of_the_channel = status.is_server_error() || status.is_redirection() || matches!(status.as_u16(), 401 | 403 | 404 | 407);
    if of_the_channel || matches!(status.as_u16(), 408 | 425 | 429) {
        let after = headers.get(header::RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?, now));
        // A receiver that is only told too much at once is not down.
        return Outcome::Later { why: said, after, is_down: of_the_channel };
    }
    Outcome::Never(said)
}

/// Seconds, or a date of HTTP (RFC 9110, 10.2.3).
fn retry_after(value: &str, now: i64) -> Option<Duration> {
    let seconds = match value.trim().parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let date = DateTime::parse_from_rfc2822(value.trim()).ok()?;
            u64::try_from(date.timestamp() - now.div_euclid(1_000_000)).unwrap_or(0)
        }
    };
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_tell_what_becomes_of_the_message() {
        let of = |status: u16| told(StatusCode::from_u16(status).expect("a status"), &header::HeaderMap::new(), 0);
        for status in [200, 201, 202, 204] {
            assert_eq!(of(status), Outcome::Taken(format!("HTTP {status}")));
        }
        for (status, down) in [(500, true), (502, true), (503, true), (302, true), (308, true), (401, true), (403, true), (404, true)]
            .into_iter()
            .chain([(408, false), (425, false), (429, false)])
        {
            assert_eq!(of(status), Outcome::Later { why: format!("HTTP {status}"), after: None, is_down: down });
        }
        for status in [400, 409, 410, 413, 415, 422] {
            assert_eq!(of(status), Outcome::Never(format!("HTTP {status}")));
        }
    }

    #[test]
    fn a_wait_is_in_seconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-06-30T08:00:00Z").expect("a time").timestamp_micros();
        let seconds = |value| retry_after(value, now).map(|wait| wait.as_secs());
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds(" 0 "), Some(0));
        assert_eq!(seconds("Tue, 30 Jun 2026 08:05:00 GMT"), Some(300));
        assert_eq!(seconds("Tue, 30 Jun 2026 07:00:00 GMT"), Some(0));
        assert_eq!(seconds("99999999999"), Some(86_400));
        assert_eq!(seconds("soon"), None);
        assert_eq!(seconds("-5"), None);
    }
}
