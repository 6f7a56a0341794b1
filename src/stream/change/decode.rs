//! Decodes batches of events: which register, which operation, which images; then all images of a register at once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::encoding::{Encoding, SchemaNode};
use super::envelope::{Envelope, Fields};
use super::lane::{CastLane, ImageFault, Lane};
use super::{Cause, Change, Decoded, Image, Op, RawEvent, Refused};
use crate::region::RegionTree;
use crate::register::declaration::Registers;
use crate::register::quarantine::Scope;
use crate::register::{RegisterSource, Sources};
use crate::stream::order::Order;

/// How the events of a topic are read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TopicRule {
    /// The register that they are about; none: the one that the event or the topic itself names.
    pub register: Option<String>,
    /// How days stand in them, where no schema says so.
    pub dates: Encoding,
    /// How decimals stand in them, where no schema says so.
    pub decimals: Encoding,
}

/// Makes changes of events.
pub struct Decoder {
    registers: Vec<RegisterPlan>,
    by_name: HashMap<String, usize>,
    topics: BTreeMap<String, TopicRule>,
    plain: TopicRule,
    /// Schemas that were sent along, with the text in front of what they describe.
    schemas: Vec<KnownSchema>,
}

struct RegisterPlan {
    name: Arc<str>,
    whole: Lane,
    /// The columns that identify a row; none where only the whole row does.
    keys: Option<Lane>,
    /// The same, of the key of a message.
    unique: Option<Lane>,
    money: HashSet<String>,
    days: HashSet<String>,
}

struct KnownSchema {
    /// From the first byte of the event to the first of its payload.
    text: Vec<u8>,
    encodings: HashMap<String, Encoding>,
}

/// So many schemas are kept in mind: one per topic, and some of before a table was changed.
const SCHEMAS: usize = 256;

/// Where the image of an event is among those of its register.
#[derive(Clone, Copy)]
enum Slot {
    Whole(usize),
    Keys(usize),
    Unique(usize),
}

/// What an event came to so far.
enum Parsed {
    PassedOver,
    Refused(Option<Arc<str>>, ImageFault),
    Change { register: usize, op: Op, order: Order, before: Option<Slot>, after: Option<Slot> },
}

impl Decoder {
    /// For all declared registers. Words and field names are those of their sources, where they have one; `topics`: rules of
    /// topics by their names.
    #[must_use]
    pub fn new(registers: &Registers, sources: Option<&Sources>, regions: &RegionTree, topics: BTreeMap<String, TopicRule>) -> Self {
        let regions: Arc<HashSet<String>> = Arc::new(regions.all_codes().map(str::to_owned).collect());
        let plans = registers.registers.values().map(|declaration| {
            let source: Option<&RegisterSource> = sources.and_then(|sources| sources.get(&declaration.name));
            let unique: Vec<&str> = declaration.unique.iter().map(String::as_str).collect();
            let mut keys = unique.clone();
            if !keys.contains(&declaration.key.as_str()) {
                keys.push(&declaration.key);
            }
            let lane = |only: Option<&[&str]>| Lane::new(declaration, source, &regions, only);
            let written = |name: &String| source.and_then(|source| source.header.get(name)).unwrap_or(name).clone();
            let named = |is: &dyn Fn(crate::register::declaration::ColumnType) -> bool| {
                declaration.columns.iter().filter(|column| is(column.column_type)).map(|column| written(&column.name)).collect()
            };
            RegisterPlan {
                name: declaration.name.as_str().into(),
                whole: lane(None),
                keys: (!unique.is_empty()).then(|| lane(Some(&keys))),
                unique: (!unique.is_empty() && unique.contains(&declaration.key.as_str())).then(|| lane(Some(&keys))),
                money: named(&|kind| {
                    use crate::register::declaration::ColumnType::{Int, Money};
                    matches!(kind, Money | Int)
                }),
                days: named(&|kind| {
                    use crate::register::declaration::ColumnType::{Date, Month};
                    matches!(kind, Date | Month)
                }),
            }
        });
        let plans: Vec<RegisterPlan> = plans.collect();
        Self {
            by_name: plans.iter().enumerate().map(|(index, plan)| (plan.name.to_string(), index)).collect(),
            registers: plans,
            topics,
            plain: TopicRule::default(),
            schemas: Vec::new(),
        }
    }

    /// The changes that events say.
    pub fn decode(&mut self, events: Vec<RawEvent>) -> Decoded {
        let parsed: Vec<Parsed> = events.iter().map(|event| self.parse(event)).collect();
        let cast: Vec<[Option<CastLane>; 3]> = self
            .registers
            .iter_mut()
            .map(|plan| {
                let RegisterPlan { whole, keys, unique, .. } = plan;
                [
                    Some(whole).filter(|lane| lane.is_used()),
                    keys.as_mut().filter(|lane| lane.is_used()),
                    unique.as_mut().filter(|lane| lane.is_used()),
                ]
                .map(|lane| lane.map(Lane::cast))
            })
            .collect();
        let mut decoded = Decoded::default();
        for (event, parsed) in events.into_iter().zip(parsed) {
            match parsed {
                Parsed::PassedOver => decoded.passed_over += 1,
                Parsed::Refused(register, fault) => decoded.refused.push(refused(event, register, fault)),
                Parsed::Change { register, op, order, before, after } => {
                    let name = &self.registers[register].name;
                    let lanes = &cast[register];
                    // A row before that cannot be read says no more than one that is not told; of a deletion it is all there is.
                    let before = before.map(|slot| image(lanes, slot));
                    let after = after.map(|slot| image(lanes, slot));
                    let is_deletion = op == Op::Delete;
                    let deciding = if is_deletion { &before } else { &after };
                    let faults = deciding.as_ref().map_or(&[][..], |image| image.1);
                    decoded.refused.extend(faults.iter().map(|fault| refused(event.clone(), Some(Arc::clone(name)), fault.clone())));
                    if faults.iter().any(|fault| fault.scope == Scope::Row) {
                        continue;
                    }
                    let (before, after) = (before.and_then(|image| image.0), after.and_then(|image| image.0));
                    decoded.changes.push(Change { register: Arc::clone(name), origin: event.origin, order, op, before, after });
                }
            }
        }
        decoded
    }

    fn parse(&mut self, event: &RawEvent) -> Parsed {
        let Some(payload) = event.payload.as_ref().filter(|payload| payload.as_ref() != b"null") else { return self.tombstone(event) };
        if event.topic.as_deref().is_some_and(|topic| topic.starts_with("__debezium-heartbeat")) {
            return Parsed::PassedOver;
        }
        let (schema, start) = self.schema_of(payload);
        let inner = payload.get(start..).unwrap_or_default();
        // Behind the payload of a known schema, the whole is closed.
        let inner = if schema.is_some() { inner.trim_ascii_end().strip_suffix(b"}").unwrap_or(inner) } else { inner };
        match serde_json::from_slice::<Option<Envelope<'_>>>(inner) {
            Ok(Some(Envelope { payload: Some(Some(wrapped)), .. })) => self.event(event, schema, *wrapped),
            Ok(None | Some(Envelope { payload: Some(None), .. })) => self.tombstone(event),
            Ok(Some(envelope)) => self.event(event, schema, envelope),
            Err(error) => Parsed::Refused(None, not_an_event(start, &error)),
        }
    }

    /// The schema that is sent along in front of an event, and where the event itself begins.
    fn schema_of(&mut self, payload: &Bytes) -> (Option<usize>, usize) {
        if let Some(known) = self.schemas.iter().position(|known| payload.starts_with(&known.text)) {
            return (Some(known), self.schemas[known].text.len());
        }
        let Some((schema, start)) = leading_schema(payload) else { return (None, 0) };
        if self.schemas.len() == SCHEMAS {
            self.schemas.clear();
        }
        self.schemas.push(KnownSchema { text: payload[..start].to_vec(), encodings: schema.encodings() });
        (Some(self.schemas.len() - 1), start)
    }

    fn event(&mut self, event: &RawEvent, schema: Option<usize>, envelope: Envelope<'_>) -> Parsed {
        let op = match envelope.op.as_deref() {
            Some("c" | "insert") => Op::Insert,
            Some("u" | "update") => Op::Update,
            Some("d" | "delete") => Op::Delete,
            Some("r" | "read") => Op::Read,
            Some("m") => return Parsed::PassedOver,
            None if envelope.after.is_some() => Op::Update,
            None if envelope.before.is_some() => Op::Delete,
            None => return Parsed::Refused(None, whole(Cause::NotAnEvent)),
            Some("t" | "truncate") => {
                let register = self.register_of(event, &envelope).map(|register| Arc::clone(&self.registers[register].name));
                return Parsed::Refused(register, whole(Cause::Truncated));
            }
            Some(other) => {
                let value = other.chars().take(20).collect();
                return Parsed::Refused(None, ImageFault { field: "op".into(), value, ..whole(Cause::UnknownOperation) });
            }
        };
        let Some(register) = self.register_of(event, &envelope) else {
            return Parsed::Refused(None, whole(Cause::UnknownRegister));
        };
        let name = Arc::clone(&self.registers[register].name);
        let after = envelope.after.as_ref().filter(|_| op != Op::Delete);
        let before = envelope.before.as_ref();
        if op == Op::Delete && before.is_none() {
            // Some sources tell a deletion by the message's key alone.
            return self.by_key(event, register, &envelope).unwrap_or_else(|| Parsed::Refused(Some(name), whole(Cause::NoRow)));
        }
        if op != Op::Delete && after.is_none() {
            return Parsed::Refused(Some(name), whole(Cause::NoRow));
        }
        let rule = event.topic.as_deref().and_then(|topic| self.topics.get(topic)).unwrap_or(&self.plain);
        let plan = &mut self.registers[register];
        let known = schema.map(|schema| &self.schemas[schema].encodings);
        let (money, days) = (&plan.money, &plan.days);
        let has_rule = rule.dates != Encoding::Plain || rule.decimals != Encoding::Plain;
        let encodings = |field: &str| match known {
            Some(known) => known.get(field).copied().unwrap_or_default(),
            None if !has_rule => Encoding::Plain,
            None if days.contains(field) => rule.dates,
            None if money.contains(field) => rule.decimals,
            None => Encoding::Plain,
        };
        let mut push_before = |before: &Fields<'_>| match &mut plan.keys {
            Some(lane) => lane.push(before, None, &encodings).map(Slot::Keys),
            None => plan.whole.push(before, None, &encodings).map(Slot::Whole),
        };
        let before_slot = match before.map(&mut push_before) {
            Some(Err(fault)) if op == Op::Delete => return Parsed::Refused(Some(name), fault),
            slot => slot.and_then(Result::ok),
        };
        let after_slot = match after.map(|after| plan.whole.push(after, before, &encodings)) {
            Some(Err(fault)) => return Parsed::Refused(Some(name), fault),
            slot => slot.and_then(Result::ok).map(Slot::Whole),
        };
        Parsed::Change { register, op, order: order(event, &envelope), before: before_slot, after: after_slot }
    }

    /// The register that an event is about: as the event says, as settings say of its topic, or by the name of topic or table.
    fn register_of(&self, event: &RawEvent, envelope: &Envelope<'_>) -> Option<usize> {
        if let Some(name) = &envelope.register {
            return self.by_name.get(name.as_ref()).copied();
        }
        self.register_of_topic(event).or_else(|| self.by_name.get(envelope.table.as_deref()?).copied())
    }

    fn register_of_topic(&self, event: &RawEvent) -> Option<usize> {
        let topic = event.topic.as_deref()?;
        if let Some(register) = self.topics.get(topic).and_then(|rule| rule.register.as_deref()) {
            return self.by_name.get(register).copied();
        }
        let last = topic.rsplit('.').next()?;
        self.by_name.get(topic).or_else(|| self.by_name.get(last)).copied()
    }

    fn tombstone(&mut self, event: &RawEvent) -> Parsed {
        let Some(register) = self.register_of_topic(event) else { return Parsed::PassedOver };
        self.by_key(event, register, &Envelope::default()).unwrap_or(Parsed::PassedOver)
    }

    /// A deletion of the row that the message's key names; none where it names none.
    fn by_key(&mut self, event: &RawEvent, register: usize, envelope: &Envelope<'_>) -> Option<Parsed> {
        let lane = self.registers[register].unique.as_mut()?;
        let key = event.key.as_ref()?;
        let (schema, start) = leading_schema(key).map_or((None, 0), |(schema, start)| (Some(schema), start));
        let inner = key.get(start..)?;
        let inner = if schema.is_some() { inner.trim_ascii_end().strip_suffix(b"}")? } else { inner };
        let fields: Fields<'_> = serde_json::from_slice(inner).ok()?;
        if !lane.has_all(&fields) {
            return None;
        }
        let encodings = schema.map(|schema| schema.encodings_of_key()).unwrap_or_default();
        let slot = lane.push(&fields, None, &|field| encodings.get(field).copied().unwrap_or_default()).ok()?;
        let order = order(event, envelope);
        Some(Parsed::Change { register, op: Op::Delete, order, before: Some(Slot::Unique(slot)), after: None })
    }
}

fn order(event: &RawEvent, envelope: &Envelope<'_>) -> Order {
    let time = envelope.time.unwrap_or(event.arrived);
    match envelope.position {
        Some(position) => Order::logged(position, time, event.origin.position),
        None => Order::timed(time, event.origin.position),
    }
}

/// The schema in front of `"payload":`, and where what it describes begins; none where an event does not begin so.
fn leading_schema(payload: &[u8]) -> Option<(SchemaNode, usize)> {
    let behind = |start: usize, word: &[u8]| {
        let rest = payload[start..].trim_ascii_start();
        rest.starts_with(word).then(|| payload.len() - rest.len() + word.len())
    };
    let start = behind(behind(behind(0, b"{")?, b"\"schema\"")?, b":")?;
    let mut nodes = serde_json::Deserializer::from_slice(&payload[start..]).into_iter::<SchemaNode>();
    let schema = nodes.next()?.ok()?;
    let end = start + nodes.byte_offset();
    Some((schema, behind(behind(behind(end, b",")?, b"\"payload\"")?, b":")?))
}

fn whole(cause: Cause) -> ImageFault {
    ImageFault { field: "".into(), value: String::new(), cause, scope: Scope::Row }
}

/// Where the text stops being an event. What stands there is not repeated: it may be anybody's.
fn not_an_event(start: usize, error: &serde_json::Error) -> ImageFault {
    let place = if error.line() > 1 { format!("{}:{}", error.line(), error.column()) } else { format!("{}", start + error.column()) };
    ImageFault { value: place, ..whole(Cause::NotAnEvent) }
}

fn refused(event: RawEvent, register: Option<Arc<str>>, fault: ImageFault) -> Refused {
    Refused { event, register, field: fault.field, value: fault.value, cause: fault.cause, scope: fault.scope }
}

/// The image in a slot, where it can be used, and its faults.
fn image(lanes: &[Option<CastLane>; 3], slot: Slot) -> (Option<Image>, &[ImageFault]) {
    let (lane, row, whole) = match slot {
        Slot::Whole(row) => (&lanes[0], row, true),
        Slot::Keys(row) => (&lanes[1], row, false),
        Slot::Unique(row) => (&lanes[2], row, false),
    };
    let Some(lane) = lane else { return (None, &[]) };
    let image = lane.places[row].map(|row| Image { batch: Arc::clone(&lane.batch), row, whole });
    (image, lane.faults.get(&row).map_or(&[], Vec::as_slice))
}
