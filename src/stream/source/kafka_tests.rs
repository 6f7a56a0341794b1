//! A consumer group against a real broker: `MIANSHEN_BROKER` names a program that serves the protocol as `tansu` does.

use std::process::{Child, Command, Stdio};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::*;
use crate::store::live::PositionStep;
use crate::stream::source::position::Positions;

const PARTITIONS: i32 = 3;
const EVENTS: i64 = 120;

/// A broker that keeps all in memory.
struct Broker {
    process: Child,
    address: String,
}

impl Broker {
    fn start() -> Self {
        let program = std::env::var("MIANSHEN_BROKER").expect("MIANSHEN_BROKER names the broker: see tests/stream/run");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let address = format!("127.0.0.1:{}", free.port());
        let url = format!("tcp://{address}");
        let arguments = ["broker", "--listener-url", &url, "--advertised-listener-url", &url, "--storage-engine", "memory://tansu/"];
        let process = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the broker starts");
        Self { process, address }
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.address);
        config
    }

    async fn make_topic(&self, topic: &str) {
        let admin: AdminClient<_> = self.config().create().expect("a client");
        for _ in 0..60 {
            let wanted = NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1));
            if admin.create_topics([&wanted], &AdminOptions::new()).await.is_ok_and(|made| made.iter().all(Result::is_ok)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("the topic was not made");
    }

    async fn produce(&self, topic: &str) {
        let producer: FutureProducer = self.config().create().expect("a client");
        for number in 0..EVENTS {
            for partition in 0..PARTITIONS {
                let (key, payload) = (format!("{partition}"), format!("{{\"number\":{number}}}"));
                let record = FutureRecord::to(topic).partition(partition).key(&key).payload(&payload);
                producer.send(record, Duration::from_secs(30)).await.expect("produced");
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A store of positions, with what was committed.
#[derive(Default)]
struct Stored(Mutex<(Positions, Vec<RawEvent>, Next)>);

/// Where to go on reading, by source and partition.
type Next = BTreeMap<(String, i32), i64>;

#[async_trait]
impl StoredPositions for Stored {
    async fn positions(&self) -> Result<Vec<Position>, Box<Diagnostic>> {
        let stored = self.0.lock().expect("whole");
        let all = stored.2.iter();
        Ok(all.map(|((source, partition), next)| Position { source: source.clone(), partition: *partition, next: *next }).collect())
    }
}

impl Stored {
    /// Commits what a member made of events, unless another was there before; gives the positions after it.
    fn commit(&self, mut events: Vec<RawEvent>) -> Option<Vec<Position>> {
        let mut stored = self.0.lock().expect("whole");
        let (positions, committed, at) = &mut *stored;
        let before = events.len();
        positions.keep_new(&mut events);
        if events.len() < before {
            return None;
        }
        let steps: Vec<PositionStep> = positions.steps(&events);
        let after = positions.go_on(&steps);
        at.extend(after.iter().map(|position| ((position.source.clone(), position.partition), position.next)));
        committed.extend(events);
        Some(after)
    }

    fn count(&self) -> usize {
        self.0.lock().expect("whole").1.len()
    }
}

fn member(broker: &Broker, topic: &str, stored: &Arc<Stored>) -> KafkaSource {
    let options = BTreeMap::from([("session.timeout.ms".to_owned(), Secret::new("6000"))]);
    let settings = Settings { brokers: broker.address.clone(), group: "mianshen".into(), topics: vec![topic.to_owned()], options };
    KafkaSource::join(&settings, Arc::clone(stored) as Arc<dyn StoredPositions>, Arc::new(|| 5)).expect("joined")
}

async fn take(member: &mut KafkaSource, at_most: usize) -> Vec<RawEvent> {
    match member.next(at_most, Duration::from_millis(500)).await.expect("read") {
        Taken::Events(events) => events,
        Taken::Ended => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_of_two_commits_every_event_once_and_in_order_also_behind_a_crash() {
    let (broker, topic) = (Broker::start(), "city.public.death");
    broker.make_topic(topic).await;
    broker.produce(topic).await;
    let stored = Arc::new(Stored::default());
    let all = usize::try_from(EVENTS * i64::from(PARTITIONS)).expect("small");
    // The first member is lost with events that it has read and not committed.
    let mut first = member(&broker, topic, &stored);
    while stored.count() < all / 4 {
        let events = take(&mut first, 20).await;
        if let Some(after) = stored.commit(events) {
            first.committed(&after).await.expect("told");
        }
    }
    let lost = take(&mut first, 20).await;
    assert!(!lost.is_empty());
    drop(first);
    let committed = stored.count();
    // Two others go on from what is in the store.
    let mut members = [member(&broker, topic, &stored), member(&broker, topic, &stored)];
    let mut shares = [0, 0];
    for _ in 0..240 {
        for (member, share) in members.iter_mut().zip(&mut shares) {
            let events = take(member, 7).await;
            *share += events.len();
            if let Some(after) = stored.commit(events) {
                member.committed(&after).await.expect("told");
            }
        }
        if stored.count() == all {
            break;
        }
    }
    let events = &stored.0.lock().expect("whole").1;
    assert_eq!(events.len(), all, "{committed} were committed before the crash, the others took {shares:?}");
    for partition in 0..PARTITIONS {
        let of_partition = events.iter().filter(|event| event.origin.partition == partition);
        let positions: Vec<i64> = of_partition.map(|event| event.origin.position).collect();
        assert_eq!(positions, (0..EVENTS).collect::<Vec<_>>());
    }
    assert_eq!(&*events[0].origin.source, "kafka:mianshen:city.public.death");
    assert_eq!(events[0].topic.as_deref(), Some(topic));
}
