//! Events from Kafka: a consumer group reads topics, each partition from where our store is.
//!
//! Offsets are those of the store: when partitions are assigned, each is sought at the position that was committed with what was
//! made of its events. They are committed to the broker too, for people to watch, and never read back. When partitions are
//! taken away, what was read of them and not given yet is dropped; what was given is fenced by its positions in the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::{ChangeSource, Clock, Taken};
use crate::diagnostic::{Diagnostic, code};
use crate::store::live::Position;
use crate::stream::change::{Origin, RawEvent};

/// Where events are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Brokers, `host:port` with commas between them.
    pub brokers: String,
    /// The consumer group.
    pub group: String,
    /// Topics.
    pub topics: Vec<String>,
    /// Settings of librdkafka: TLS, SASL, and the like (`security.protocol`, `sasl.mechanism`, `ssl.ca.location`).
    pub options: BTreeMap<String, String>,
}

/// Where the store is with a partition, as it is now: asked when a partition is assigned.
#[async_trait]
pub trait StoredPositions: Send + Sync {
    /// All positions.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    async fn positions(&self) -> Result<Vec<Position>, Box<Diagnostic>>;
}

/// Which partitions are ours, and since which assignment; filled from the threads of the client.
#[derive(Debug, Default)]
struct Assigned {
    /// Assigned, and not sought yet.
    new: BTreeSet<(String, i32)>,
    own: BTreeSet<(String, i32)>,
    /// Counts assignments.
    epoch: u64,
}

struct Context {
    assigned: Arc<Mutex<Assigned>>,
}

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(partitions) = rebalance else { return };
        let _ = consumer;
        let mut assigned = lock(&self.assigned);
        for partition in named(partitions) {
            assigned.own.remove(&partition);
            assigned.new.remove(&partition);
        }
        assigned.epoch += 1;
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(partitions) = rebalance else { return };
        // Nothing is fetched before each partition stands where the store is.
        let paused = consumer.pause(partitions).is_ok();
        let mut assigned = lock(&self.assigned);
        for partition in named(partitions) {
            assigned.new.insert(partition.clone());
            if paused {
                assigned.own.insert(partition);
            }
        }
        assigned.epoch += 1;
    }
}

fn named(partitions: &TopicPartitionList) -> Vec<(String, i32)> {
    partitions.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect()
}

fn lock(assigned: &Mutex<Assigned>) -> std::sync::MutexGuard<'_, Assigned> {
    assigned.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Events of a consumer group.
pub struct KafkaSource {
    name: Arc<str>,
    brokers: String,
    consumer: StreamConsumer<Context>,
    assigned: Arc<Mutex<Assigned>>,
    stored: Arc<dyn StoredPositions>,
    topics: BTreeMap<String, Arc<str>>,
    /// Read, and not given yet.
    read: VecDeque<RawEvent>,
    clock: Clock,
}

impl KafkaSource {
    /// Joins the group. Positions are named `kafka:GROUP:TOPIC`, each with its partitions.
    ///
    /// # Errors
    ///
    /// `settings-invalid` where the client refuses its settings.
    pub fn join(settings: &Settings, stored: Arc<dyn StoredPositions>, clock: Clock) -> Result<Self, Box<Diagnostic>> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &settings.brokers)
            .set("group.id", &settings.group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("enable.partition.eof", "false");
        settings.options.iter().for_each(|(key, value)| {
            config.set(key, value);
        });
        let assigned = Arc::new(Mutex::new(Assigned::default()));
        let context = Context { assigned: Arc::clone(&assigned) };
        let consumer: StreamConsumer<Context> = config.create_with_context(context).map_err(|error| failed(&settings.brokers, &error))?;
        let topics: Vec<&str> = settings.topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(|error| failed(&settings.brokers, &error))?;
        Ok(Self {
            name: format!("kafka:{}", settings.group).into(),
            brokers: settings.brokers.clone(),
            consumer,
            assigned,
            stored,
            topics: settings.topics.iter().map(|topic| (topic.clone(), topic.as_str().into())).collect(),
            read: VecDeque::new(),
            clock,
        })
    }

    /// The partitions that this member of the group has, with their topics.
    #[must_use]
    pub fn partitions(&self) -> Vec<(String, i32)> {
        let assigned = lock(&self.assigned);
        assigned.own.difference(&assigned.new).cloned().collect()
    }

    fn failed(&self, error: &KafkaError) -> Box<Diagnostic> {
        failed(&self.brokers, error)
    }

    fn source(&self, topic: &str) -> String {
        format!("{}:{topic}", self.name)
    }

    /// Puts newly assigned partitions where the store is, and lets them be fetched.
    async fn seek_new(&mut self) -> Result<(), Box<Diagnostic>> {
        loop {
            let (new, epoch) = {
                let assigned = lock(&self.assigned);
                (assigned.new.clone(), assigned.epoch)
            };
            // What was read of partitions that are gone, or come back, is dropped.
            let own = lock(&self.assigned).own.clone();
            self.read.retain(|event| is_of(event, &own, &new));
            if new.is_empty() {
                return Ok(());
            }
            let positions = self.stored.positions().await?;
            let mut list = TopicPartitionList::new();
            for (topic, partition) in &new {
                let source = self.source(topic);
                let known = positions.iter().find(|position| position.source == source && position.partition == *partition);
                let offset = known.map_or(Offset::Beginning, |position| Offset::Offset(position.next));
                list.add_partition_offset(topic, *partition, offset).map_err(|error| self.failed(&error))?;
            }
            let sought = self.consumer.seek_partitions(list.clone(), Duration::from_secs(10));
            if lock(&self.assigned).epoch != epoch {
                // Assigned anew in the meantime.
                continue;
            }
            sought.map_err(|error| self.failed(&error))?;
            self.consumer.resume(&list).map_err(|error| self.failed(&error))?;
            let mut assigned = lock(&self.assigned);
            for partition in &new {
                assigned.new.remove(partition);
                assigned.own.insert(partition.clone());
            }
        }
    }

    fn event(&self, message: &BorrowedMessage<'_>) -> RawEvent {
        let topic = self.topics.get(message.topic()).cloned().unwrap_or_else(|| message.topic().into());
        RawEvent {
            origin: Origin {
                source: self.source(message.topic()).into(),
                partition: message.partition(),
                position: message.offset(),
                next: message.offset() + 1,
            },
            topic: Some(topic),
            key: message.key().map(Bytes::copy_from_slice),
            payload: message.payload().map(Bytes::copy_from_slice),
            // The broker's time is the same however often it is read.
            arrived: message.timestamp().to_millis().map_or_else(|| (self.clock)(), |millis| millis.saturating_mul(1_000)),
        }
    }
}

fn is_of(event: &RawEvent, own: &BTreeSet<(String, i32)>, new: &BTreeSet<(String, i32)>) -> bool {
    let Some(topic) = event.topic.as_deref() else { return false };
    let place = (topic.to_owned(), event.origin.partition);
    own.contains(&place) && !new.contains(&place)
}

fn failed(brokers: &str, error: &KafkaError) -> Box<Diagnostic> {
    Box::new(
        Diagnostic::new(
            &code::SETTINGS_INVALID,
            format!("Kafka ({brokers}) 用不了: {error}"),
            format!("Kafka ({brokers}) cannot be used: {error}"),
        )
        .help("检查地址、主题、TLS 和 SASL 设置", "look at address, topics, TLS and SASL settings"),
    )
}

#[async_trait]
impl ChangeSource for KafkaSource {
    fn name(&self) -> &str {
        &self.name
    }

    /// Nothing: partitions are sought when they are assigned.
    async fn seek(&mut self, _: &[Position]) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }

    async fn next(&mut self, at_most: usize, wait: Duration) -> Result<Taken, Box<Diagnostic>> {
        let deadline = tokio::time::sleep(wait);
        tokio::pin!(deadline);
        while self.read.len() < at_most {
            self.seek_new().await?;
            let message = if self.read.is_empty() {
                tokio::select! {
                    message = self.consumer.recv() => Some(message),
                    // Partitions may have been assigned without a message.
                    () = tokio::time::sleep(Duration::from_millis(100)) => None,
                    () = &mut deadline => break,
                }
            } else {
                match self.consumer.recv().now_or_never() {
                    Some(message) => Some(message),
                    None => break,
                }
            };
            match message {
                None => {}
                Some(Ok(message)) => {
                    let event = self.event(&message);
                    let (own, new) = {
                        let assigned = lock(&self.assigned);
                        (assigned.own.clone(), assigned.new.clone())
                    };
                    // What was fetched before a partition was sought is read again.
                    if is_of(&event, &own, &new) {
                        self.read.push_back(event);
                    }
                }
                Some(Err(KafkaError::MessageConsumption(error))) if error != rdkafka::types::RDKafkaErrorCode::Fatal => {
                    // The client tries again by itself; a broker that is away comes back.
                    tracing::warn!(%error, "kafka");
                }
                Some(Err(error)) => return Err(self.failed(&error)),
            }
        }
        self.seek_new().await?;
        let taken = self.read.len().min(at_most);
        Ok(Taken::Events(self.read.drain(..taken).collect()))
    }

    async fn committed(&mut self, positions: &[Position]) -> Result<(), Box<Diagnostic>> {
        let prefix = self.source("");
        let own = lock(&self.assigned).own.clone();
        let mut list = TopicPartitionList::new();
        for position in positions {
            let Some(topic) = position.source.strip_prefix(&prefix) else { continue };
            if own.contains(&(topic.to_owned(), position.partition)) {
                let offset = Offset::Offset(position.next);
                list.add_partition_offset(topic, position.partition, offset).map_err(|error| self.failed(&error))?;
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        self.consumer.commit(&list, CommitMode::Async).map_err(|error| self.failed(&error))
    }
}
