//! Events from Kafka: a consumer group reads topics, each partition from where our store is.
//!
//! Offsets are those of the store: when partitions are assigned, each is taken from the position that was committed with what
//! was made of its events. They are committed to the broker too, for people to watch, and never read back. When partitions are
//! taken away, what was read of them and not given yet is dropped; what was given is fenced by its positions in the store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::FutureExt as _;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};

use super::{ChangeSource, Clock, Taken};
use crate::diagnostic::{Diagnostic, code};
use crate::settings::Secret;
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
    pub options: BTreeMap<String, Secret>,
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

/// Which partitions are ours; filled when the client is polled.
#[derive(Debug, Default)]
struct Assigned {
    /// Assigned to us, and not fetched yet: first it must be known where the store is.
    new: Option<BTreeSet<(String, i32)>>,
    own: BTreeSet<(String, i32)>,
}

struct Context {
    assigned: Arc<Mutex<Assigned>>,
}

impl ClientContext for Context {}

impl ConsumerContext for Context {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, why: RDKafkaRespErr, partitions: &mut TopicPartitionList) {
        let mut assigned = lock(&self.assigned);
        assigned.own.clear();
        if why == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            // The client waits until they are taken.
            assigned.new = Some(named(partitions).into_iter().collect());
            return;
        }
        assigned.new = None;
        if let Err(error) = consumer.unassign() {
            tracing::warn!(%error, "kafka");
        }
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
        config.set("partition.assignment.strategy", "range,roundrobin").set("auto.offset.reset", "earliest");
        settings.options.iter().for_each(|(key, value)| {
            config.set(key, value.text());
        });
        // What nothing is lost or taken twice by is not to be set otherwise.
        config
            .set("bootstrap.servers", &settings.brokers)
            .set("group.id", &settings.group)
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "false");
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
        lock(&self.assigned).own.iter().cloned().collect()
    }

    fn failed(&self, error: &KafkaError) -> Box<Diagnostic> {
        failed(&self.brokers, error)
    }

    fn source(&self, topic: &str) -> String {
        format!("{}:{topic}", self.name)
    }

    /// Takes newly assigned partitions, each from where the store is; drops what was read of those that are gone.
    async fn take_new(&mut self) -> Result<(), Box<Diagnostic>> {
        let new = {
            let assigned = lock(&self.assigned);
            self.read.retain(|event| is_of(event, &assigned.own));
            assigned.new.clone()
        };
        let Some(new) = new else { return Ok(()) };
        let positions = self.stored.positions().await?;
        let mut list = TopicPartitionList::new();
        for (topic, partition) in &new {
            let source = self.source(topic);
            let known = positions.iter().find(|position| position.source == source && position.partition == *partition);
            let offset = known.map_or(Offset::Beginning, |position| Offset::Offset(position.next));
            list.add_partition_offset(topic, *partition, offset).map_err(|error| self.failed(&error))?;
        }
        // While the store was asked, nobody polled: what is assigned is still the same.
        self.consumer.assign(&list).map_err(|error| self.failed(&error))?;
        let mut assigned = lock(&self.assigned);
        assigned.new = None;
        assigned.own = new;
        Ok(())
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

fn is_of(event: &RawEvent, own: &BTreeSet<(String, i32)>) -> bool {
    event.topic.as_deref().is_some_and(|topic| own.contains(&(topic.to_owned(), event.origin.partition)))
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

    /// Nothing: where partitions are read from is asked when they are assigned.
    async fn seek(&mut self, _: &[Position]) -> Result<(), Box<Diagnostic>> {
        Ok(())
    }

    async fn next(&mut self, at_most: usize, wait: Duration) -> Result<Taken, Box<Diagnostic>> {
        let deadline = tokio::time::sleep(wait);
        tokio::pin!(deadline);
        while self.read.len() < at_most {
            self.take_new().await?;
            let message = if self.read.is_empty() {
                tokio::select! {
                    biased;
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
                    if is_of(&event, &lock(&self.assigned).own) {
                        self.read.push_back(event);
                    }
                }
                Some(Err(KafkaError::MessageConsumption(error))) if error != RDKafkaErrorCode::Fatal => {
                    // The client tries again by itself; a broker that is away comes back.
                    tracing::warn!(%error, "kafka");
                }
                Some(Err(error)) => return Err(self.failed(&error)),
            }
        }
        self.take_new().await?;
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

#[cfg(test)]
#[path = "kafka_tests.rs"]
mod tests;
