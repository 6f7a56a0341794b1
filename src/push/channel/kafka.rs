//! The Kafka topic: one record per message, keyed by its subject, so that order is kept in a partition.

use async_trait::async_trait;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::{Channel, Outcome};
use crate::push::settings::Kafka;
use crate::store::live::NewMessage;

/// A topic.
pub struct Topic {
    producer: FutureProducer,
    name: String,
    timeout: std::time::Duration,
}

impl Topic {
    /// A topic.
    ///
    /// # Errors
    ///
    /// When an option is none.
    pub fn new(settings: &Kafka) -> Result<Self, String> {
        let mut config = ClientConfig::new();
        for (name, value) in &settings.options {
            config.set(name, value.text());
        }
        // A record is taken when all replicas in sync have it, once, in the order of sending.
        config.set("bootstrap.servers", &settings.brokers).set("acks", "all").set("enable.idempotence", "true");
        config.set("message.timeout.ms", settings.timeout.as_millis().to_string());
        let producer = config.create().map_err(|error| error.to_string())?;
        Ok(Self { producer, name: settings.topic.clone(), timeout: settings.timeout })
    }
}

#[async_trait]
impl Channel for Topic {
    async fn send(&self, message: &NewMessage, _: i64) -> Outcome {
        let key = format!("{}:{}", message.kind.name(), message.subject);
        let headers = OwnedHeaders::new().insert(Header { key: "mianshen-id", value: Some(&message.id) });
        let record = FutureRecord::to(&self.name).key(&key).payload(&message.body).headers(headers);
        match self.producer.send(record, self.timeout).await {
            Ok(delivery) => Outcome::Taken(format!("partition {} offset {}", delivery.partition, delivery.offset)),
            Err((error, _)) if is_of_the_message(&error) => Outcome::Never(error.to_string()),
            Err((error, _)) => Outcome::Later { why: error.to_string(), after: None, is_down: true },
        }
    }
}

/// Whether no try could ever succeed.
fn is_of_the_message(error: &KafkaError) -> bool {
    matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessage))
}
