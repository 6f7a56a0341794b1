//! What push is told in `push.yaml`: channels, links, quiet hours, how often and how long it tries.

use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use super::channel::signature::Algorithm;
use super::link::Links;
use super::quiet::Quiet;
use crate::register::declaration::SubjectKind;
use crate::settings::Secret;

/// Seconds that Beijing time is ahead of UTC.
pub const BEIJING: i32 = 8 * 3_600;

/// Everything that push is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The channels, in order: the first that takes a message gets it.
    pub channels: Vec<Channel>,
    /// What links are made with; none: messages have no links, and people turn to the authority.
    pub links: Option<Links>,
    /// When nothing is sent.
    pub quiet: Option<Quiet>,
    /// Days before the last one to reply on which who did not reply is reminded; none: nobody is.
    pub remind_days: Option<u32>,
    /// How long a case must have been at rest before its subject is told of it: what is found and lost again within it is never
    /// told.
    pub settle: Duration,
    /// How often, how long, how many at once.
    pub pace: Pace,
}

/// A duration as it is written: `0s`, `90s`, `10m`, `2h`; none where it is no such text.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let number = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse::<u32>().ok())??;
    Some(Duration::from_secs(u64::from(number) * seconds))
}

impl Settings {
    /// Seconds that the region's time is ahead of UTC.
    #[must_use]
    pub fn offset(&self) -> i32 {
        self.quiet.map_or(BEIJING, |quiet| quiet.offset)
    }
}

/// A channel.
#[derive(Debug, Clone)]
pub struct Channel {
    /// What it is called in the store.
    pub name: String,
    /// The subjects that it takes; empty: all.
    pub subjects: Vec<SubjectKind>,
    /// The policies that it takes: the beginnings of their codes; empty: all.
    pub policies: Vec<String>,
    /// By which way it reaches the subject.
    pub way: Way,
}

impl Channel {
    /// Whether it takes messages about such subjects and such a policy.
    #[must_use]
    pub fn takes(&self, kind: SubjectKind, policy: &str) -> bool {
        let subject = self.subjects.is_empty() || self.subjects.contains(&kind);
        subject && (self.policies.is_empty() || self.policies.iter().any(|start| policy.starts_with(start.as_str())))
    }
}

/// By which way a channel reaches the subject.
#[derive(Debug, Clone)]
pub enum Way {
    /// An HTTP receiver.
    Webhook(Webhook),
    /// One file per message in this folder.
    File(PathBuf),
    /// A Kafka topic; only where the program was built with the feature `kafka`.
    Kafka(Kafka),
}

/// An HTTP receiver.
#[derive(Debug, Clone)]
pub struct Webhook {
    /// Where.
    pub url: Url,
    /// What requests are signed with.
    pub secret: Secret,
    /// How.
    pub algorithm: Algorithm,
    /// Which of the receiver's keys it is, told in a header; empty: not told.
    pub key_id: String,
    /// Certificates (PEM) that are trusted instead of the system's.
    pub ca: Option<PathBuf>,
    /// How long a request may take.
    pub timeout: Duration,
}

/// A Kafka topic.
#[derive(Debug, Clone)]
pub struct Kafka {
    /// Brokers, `host:port,host:port`.
    pub brokers: String,
    /// The topic.
    pub topic: String,
    /// How long the broker may take.
    pub timeout: Duration,
    /// Further options of librdkafka, such as those of TLS and SASL.
    pub options: Vec<(String, Secret)>,
}

/// How often, how long, how many at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Messages of a channel under way at a time.
    pub at_once: usize,
    /// Tries after which a message is given up.
    pub tries: u32,
    /// How long after it was asked for a message is given up at the next failure.
    pub keep: Duration,
    /// The wait after the first failure; each further one doubles it.
    pub first_wait: Duration,
    /// The longest wait.
    pub most_wait: Duration,
    /// Failures of a channel in a row after which it is left alone for a while.
    pub failures: u32,
    /// For how long, at first; each further failure doubles it, up to the longest wait.
    pub rest: Duration,
    /// How often the outbox is looked at while nothing happens.
    pub poll: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            at_once: 64,
            tries: 20,
            keep: Duration::from_hours(7 * 24),
            first_wait: Duration::from_secs(5),
            most_wait: Duration::from_hours(1),
            failures: 10,
            rest: Duration::from_secs(15),
            poll: Duration::from_millis(500),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_with_a_unit() {
        let read = ["0s", "90s", "10m", "2h"].map(|text| duration(text).map(|read| read.as_secs()));
        assert_eq!(read, [Some(0), Some(90), Some(600), Some(7_200)]);
        for bad in ["", "s", "10", "-1s", "+1s", "1.5h", "10 m", "10分", "1d", "99999999999s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
