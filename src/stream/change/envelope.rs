//! The JSON of an event: Debezium's, with its schema or without, and plain rows. Fields are borrowed from the text.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::stream::order::{LogKind, LogPosition};

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Int(i64),
    /// A whole number beyond 64 bits with sign.
    Great(u64),
    Float(f64),
    Text(Cow<'a, str>),
    /// A decimal with its own scale: bytes as base64.
    Decimal(u32, Cow<'a, str>),
    /// A list or an object.
    Nested,
}

impl Scalar<'_> {
    fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    /// A whole number, also one that is written as text.
    pub(super) fn whole(&self) -> Option<u64> {
        match self {
            Self::Int(number) => u64::try_from(*number).ok(),
            Self::Great(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }

    fn signed(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// The fields of a row, in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Fields<'a>(pub(super) Vec<(Cow<'a, str>, Scalar<'a>)>);

/// An event.
#[derive(Debug, Default)]
pub(super) struct Envelope<'a> {
    pub(super) register: Option<Cow<'a, str>>,
    pub(super) op: Option<Cow<'a, str>>,
    pub(super) before: Option<Fields<'a>>,
    pub(super) after: Option<Fields<'a>>,
    pub(super) table: Option<Cow<'a, str>>,
    /// By the log of a database.
    pub(super) position: Option<LogPosition>,
    /// At the source, in microseconds since 1970 (UTC).
    pub(super) time: Option<i64>,
    /// What is inside, where the event is wrapped together with its schema.
    pub(super) payload: Option<Option<Box<Envelope<'a>>>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Scalar<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Null)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Scalar::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Scalar::Int(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(i64::try_from(value).map_or(Scalar::Great(value), Scalar::Int))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
                Ok(Scalar::Float(value))
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Borrowed(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(Cow::Owned(value.to_owned())))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Nested)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let (mut scale, mut bytes, mut others) = (None, None, 0);
                while let Some(Text(key)) = entries.next_key()? {
                    match &*key {
                        "scale" => scale = entries.next_value::<Scalar<'de>>()?.whole(),
                        "value" => bytes = Some(entries.next_value::<Scalar<'de>>()?),
                        _ => {
                            entries.next_value::<IgnoredAny>()?;
                            others += 1;
                        }
                    }
                }
                Ok(match (scale.and_then(|scale| u32::try_from(scale).ok()), bytes, others) {
                    (Some(scale), Some(Scalar::Text(bytes)), 0) => Scalar::Decimal(scale, bytes),
                    _ => Scalar::Nested,
                })
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

/// A text, borrowed where it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }
            fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(value)))
            }
            fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(value.to_owned())))
            }
        }
        deserializer.deserialize_str(Seen)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Fields<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a row")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::with_capacity(16);
                while let Some((Text(name), value)) = entries.next_entry()? {
                    fields.push((name, value));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Seen)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Envelope<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Envelope<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an event")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut found = Envelope::default();
                let mut own = Clocks::default();
                let mut source = Source::default();
                while let Some(Text(key)) = entries.next_key()? {
                    match &*key {
                        "register" => found.register = entries.next_value::<Option<Text<'de>>>()?.map(|text| text.0),
                        "op" => found.op = entries.next_value::<Option<Text<'de>>>()?.map(|text| text.0),
                        "before" => found.before = entries.next_value()?,
                        "after" => found.after = entries.next_value()?,
                        "source" => source = entries.next_value::<Option<Source<'de>>>()?.unwrap_or_default(),
                        "payload" => found.payload = Some(entries.next_value::<Option<Box<Envelope<'de>>>>()?),
                        "position" => {
                            let at = entries.next_value::<Scalar<'de>>()?.whole();
                            found.position = at.map(|at| LogPosition { kind: LogKind::Sender, at: [at, 0, 0] });
                        }
                        "time" => own.told = entries.next_value::<Scalar<'de>>()?.text().and_then(instant),
                        key if own.take(key, &mut entries)? => {}
                        _ => {
                            entries.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                found.position = source.position().or(found.position);
                found.time = source.clocks.time().or(own.time());
                found.table = source.table;
                Ok(found)
            }
        }
        deserializer.deserialize_map(Seen)
    }
}

/// Times of an event, in the units in which they are told.
#[derive(Debug, Default)]
struct Clocks {
    /// In microseconds.
    told: Option<i64>,
    millis: Option<i64>,
    micros: Option<i64>,
    nanos: Option<i64>,
}

impl Clocks {
    /// Takes the value of a key that it knows.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, entries: &mut A) -> Result<bool, A::Error> {
        let slot = match key {
            "ts_ms" => &mut self.millis,
            "ts_us" => &mut self.micros,
            "ts_ns" => &mut self.nanos,
            _ => return Ok(false),
        };
        *slot = entries.next_value::<Scalar<'de>>()?.signed();
        Ok(true)
    }

    /// The finest one, in microseconds.
    fn time(&self) -> Option<i64> {
        let of_millis = || self.millis.map(|millis| millis.saturating_mul(1_000));
        self.told.or_else(|| self.nanos.map(|nanos| nanos.div_euclid(1_000))).or(self.micros).or_else(of_millis)
    }
}

/// A time with its zone, in microseconds since 1970 (UTC).
fn instant(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros())
}

/// Where Debezium says that a change comes from.
#[derive(Debug, Default)]
struct Source<'a> {
    table: Option<Cow<'a, str>>,
    clocks: Clocks,
    lsn: Option<u64>,
    file: Option<u64>,
    pos: Option<u64>,
    row: Option<u64>,
    change_lsn: Option<[u64; 2]>,
    event_serial_no: Option<u64>,
    scn: Option<u64>,
    ssn: Option<u64>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Source<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = Source<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a source")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut found = Source::default();
                while let Some(Text(key)) = entries.next_key()? {
                    let slot = match &*key {
                        "lsn" => &mut found.lsn,
                        "pos" => &mut found.pos,
                        "row" => &mut found.row,
                        "event_serial_no" => &mut found.event_serial_no,
                        "scn" => &mut found.scn,
                        "ssn" => &mut found.ssn,
                        "table" => {
                            if let Scalar::Text(text) = entries.next_value()? {
                                found.table = Some(text);
                            }
                            continue;
                        }
                        "file" => {
                            found.file = entries.next_value::<Scalar<'de>>()?.text().and_then(log_number);
                            continue;
                        }
                        "change_lsn" => {
                            found.change_lsn = entries.next_value::<Scalar<'de>>()?.text().and_then(hexadecimal);
                            continue;
                        }
                        key if found.clocks.take(key, &mut entries)? => continue,
                        _ => {
                            entries.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    let value = entries.next_value::<Scalar<'de>>()?;
                    *slot = if value.is_null() { None } else { value.whole() };
                }
                Ok(found)
            }
        }
        deserializer.deserialize_map(Seen)
    }
}

impl Source<'_> {
    fn position(&self) -> Option<LogPosition> {
        if let Some(lsn) = self.lsn {
            return Some(LogPosition { kind: LogKind::PostgreSql, at: [lsn, 0, 0] });
        }
        if let (Some(file), Some(pos)) = (self.file, self.pos) {
            return Some(LogPosition { kind: LogKind::MySql, at: [file, pos, self.row.unwrap_or(0)] });
        }
        if let Some([high, low]) = self.change_lsn {
            return Some(LogPosition { kind: LogKind::SqlServer, at: [high, low, self.event_serial_no.unwrap_or(0)] });
        }
        self.scn.map(|scn| LogPosition { kind: LogKind::Oracle, at: [scn, self.ssn.unwrap_or(0), 0] })
    }
}

/// The number of a binary log: 12 of `binlog.000012`.
fn log_number(file: &str) -> Option<u64> {
    file.rsplit('.').next()?.parse().ok()
}

/// The numbers of `00000027:00000758:0003`, the first two in one.
fn hexadecimal(text: &str) -> Option<[u64; 2]> {
    let mut parts = text.split(':').map(|part| u64::from_str_radix(part, 16).ok());
    let (first, second, third) = (parts.next()??, parts.next()??, parts.next()??);
    (parts.next().is_none() && first <= u64::from(u32::MAX) && second <= u64::from(u32::MAX)).then_some([first << 32 | second, third])
}
