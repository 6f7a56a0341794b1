//! Bulk matching of Arrow IPC streams. What a stream says of its own sizes is checked before anything is made of it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, StringBuilder};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use arrow::ipc::{MessageHeader, root_as_message};

use super::bulk::{Job, Out, Pipe};
use crate::check::catalogue::FactId;
use crate::check::ir::{Number, Ty, Value};
use crate::explain::{Judge, Known};
use crate::serve::dto::bulk::BulkVerdict;

/// The longest description of a message.
const LONGEST_HEAD: usize = 1 << 20;
/// The longest body of a message.
const LONGEST_BODY: i64 = 64 << 20;

/// Reads a stream to its end and answers with one.
///
/// # Errors
///
/// When it is not what Arrow IPC streams are, is packed inside, too large, or breaks off.
pub(super) fn work(job: &Job, mut pipe: Pipe, out: &Out) -> io::Result<()> {
    let mut decoder = StreamDecoder::new();
    let mut columns: Option<Columns> = None;
    let schema = answer_schema();
    let mut writer = StreamWriter::try_new(Vec::new(), &schema).map_err(io::Error::other)?;
    while let Some(message) = message(&mut pipe)? {
        let mut buffer = Buffer::from_vec(message);
        while let Some(batch) = decoder.decode(&mut buffer).map_err(io::Error::other)? {
            let columns = match &mut columns {
                Some(columns) => columns,
                None => columns.insert(Columns::of(job, &batch.schema())?),
            };
            writer.write(&columns.judge(job, &batch, &schema)?).map_err(io::Error::other)?;
            if out.send(std::mem::take(writer.get_mut())).is_none() {
                return Ok(());
            }
        }
    }
    writer.finish().map_err(io::Error::other)?;
    let _ = out.send(std::mem::take(writer.get_mut()));
    Ok(())
}

/// The next message of a stream, whole; none at its end.
fn message(pipe: &mut Pipe) -> io::Result<Option<Vec<u8>>> {
    let mut start = [0; 8];
    if !filled(pipe, &mut start)? {
        return Ok(None);
    }
    let size = u32::from_le_bytes([start[4], start[5], start[6], start[7]]) as usize;
    if start[..4] != [0xff; 4] || size > LONGEST_HEAD {
        return Err(io::Error::other("not an Arrow IPC stream"));
    }
    if size == 0 {
        return Ok(None);
    }
    let mut bytes = start.to_vec();
    bytes.resize(8 + size, 0);
    pipe.read_exact(&mut bytes[8..])?;
    let head = root_as_message(&bytes[8..]).map_err(|_| io::Error::other("not an Arrow IPC stream"))?;
    let packed = match head.header_type() {
        MessageHeader::RecordBatch => head.header_as_record_batch().is_some_and(|batch| batch.compression().is_some()),
        MessageHeader::DictionaryBatch => {
            let data = head.header_as_dictionary_batch().and_then(|batch| batch.data());
            data.is_some_and(|batch| batch.compression().is_some())
        }
        _ => false,
    };
    if packed {
        return Err(io::Error::other("buffers that are packed inside the stream are not taken: pack the whole request"));
    }
    let body = head.bodyLength();
    let body = usize::try_from(body).ok().filter(|_| body <= LONGEST_BODY).ok_or_else(|| io::Error::other("a batch is too large"))?;
    let at = bytes.len();
    // What is promised is made room for as it comes.
    let read = pipe.take(body as u64).read_to_end(&mut bytes)?;
    if read < body || bytes.len() < at {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(bytes))
}

/// Fills a buffer; false where nothing more comes.
fn filled(pipe: &mut Pipe, buffer: &mut [u8]) -> io::Result<bool> {
    let mut at = 0;
    while at < buffer.len() {
        match pipe.read(&mut buffer[at..])? {
            0 if at == 0 => return Ok(false),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => at += read,
        }
    }
    Ok(true)
}

/// Which column is which fact.
struct Columns {
    id: Option<usize>,
    facts: Vec<(usize, FactId)>,
}

impl Columns {
    fn of(job: &Job, schema: &Schema) -> io::Result<Self> {
        let (mut id, mut facts) = (None, Vec::new());
        let catalogue = &job.day().catalogue;
        for (at, field) in schema.fields().iter().enumerate() {
            if field.name() == "id" {
                id = Some(at);
                continue;
            }
            let fact = catalogue.find(job.kind(), field.name());
            let fact = fact.ok_or_else(|| io::Error::other(format!("unknown fact `{}`", field.name())))?;
            facts.push((at, fact));
        }
        Ok(Self { id, facts })
    }

    fn judge(&self, job: &Job, batch: &RecordBatch, schema: &SchemaRef) -> io::Result<RecordBatch> {
        let catalogue = &job.day().catalogue;
        let texts = |at: usize| arrow::compute::cast(batch.column(at), &DataType::Utf8).map_err(io::Error::other);
        let ids = self.id.map(texts).transpose()?;
        let columns: Vec<(FactId, ArrayRef)> = self
            .facts
            .iter()
            .map(|(at, fact)| Ok((*fact, as_fact(batch.column(*at), catalogue.fact(*fact).ty.ty)?)))
            .collect::<io::Result<_>>()?;
        // Facts that have a column are taken as they are, known or not, in every row.
        let taken: BTreeSet<FactId> = columns.iter().map(|(fact, _)| *fact).collect();
        let row: RefCell<BTreeMap<FactId, Value>> = RefCell::default();
        let value = |fact: FactId| row.borrow().get(&fact).cloned();
        let is_taken = |fact: FactId| taken.contains(&fact);
        let binder = job.rules().binder(job.day());
        let known = Known { value: &value, taken: &is_taken, ..Known::NOTHING };
        let mut judge = Judge::new(catalogue, &binder, known);
        let mut answers = Answers::default();
        for at in 0..batch.num_rows() {
            let values = columns.iter().filter_map(|(fact, column)| Some((*fact, value_at(column, at)?))).collect();
            *row.borrow_mut() = values;
            let id = ids.as_ref().map(AsArray::as_string::<i32>).filter(|ids| ids.is_valid(at)).map_or("", |ids| ids.value(at));
            job.judged(&mut judge).iter().for_each(|verdict| answers.push(id, verdict));
        }
        answers.batch(schema)
    }
}

/// A column in the one form that facts of a type are read in.
fn as_fact(column: &ArrayRef, ty: Ty) -> io::Result<ArrayRef> {
    let wanted = match ty {
        Ty::Bool => DataType::Boolean,
        Ty::Number if column.data_type().is_integer() => DataType::Int64,
        // Exact: a float is no amount of money.
        Ty::Number => match column.data_type() {
            DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
            other => return Err(io::Error::other(format!("numbers are integers or decimals, not {other}"))),
        },
        Ty::Date => DataType::Date32,
        Ty::Text => DataType::Utf8,
    };
    arrow::compute::cast(column, &wanted).map_err(io::Error::other)
}

fn value_at(column: &ArrayRef, at: usize) -> Option<Value> {
    use arrow::datatypes::{Date32Type, Decimal128Type, Int64Type};
    if column.is_null(at) {
        return None;
    }
    Some(match column.data_type() {
        DataType::Boolean => Value::Bool(column.as_boolean().value(at)),
        DataType::Int64 => Value::Number(Number::whole(column.as_primitive::<Int64Type>().value(at))),
        DataType::Decimal128(_, scale) => {
            let digits = i64::try_from(column.as_primitive::<Decimal128Type>().value(at)).ok()?;
            Value::Number(Number { digits, scale: u8::try_from(*scale).ok()? })
        }
        DataType::Date32 => Value::Date(column.as_primitive::<Date32Type>().value(at)),
        _ => Value::Text(column.as_string::<i32>().value(at).into()),
    })
}

/// Verdicts, one per row: `id`, `policy`, `verdict`, `amount` (decimal text), `mode`, `missing` (`a + b | c`).
fn answer_schema() -> SchemaRef {
    let text = |name: &str, nullable: bool| Field::new(name, DataType::Utf8, nullable);
    Arc::new(Schema::new(vec![
        text("id", false),
        text("policy", false),
        text("verdict", false),
        text("amount", true),
        text("mode", true),
        text("missing", false),
    ]))
}

#[derive(Default)]
struct Answers {
    id: StringBuilder,
    policy: StringBuilder,
    verdict: StringBuilder,
    amount: StringBuilder,
    mode: StringBuilder,
    missing: StringBuilder,
}

impl Answers {
    fn push(&mut self, id: &str, verdict: &BulkVerdict) {
        let word = |value: serde_json::Result<serde_json::Value>| value.ok().and_then(|value| value.as_str().map(str::to_owned));
        self.id.append_value(id);
        self.policy.append_value(&verdict.policy);
        self.verdict.append_option(word(serde_json::to_value(verdict.verdict)));
        self.amount.append_option(verdict.amount.as_deref());
        self.mode.append_option(verdict.mode.and_then(|mode| word(serde_json::to_value(mode))));
        let missing: Vec<String> = verdict.missing.iter().map(|set| set.join(" + ")).collect();
        self.missing.append_value(missing.join(" | "));
    }

    fn batch(mut self, schema: &SchemaRef) -> io::Result<RecordBatch> {
        let columns: [StringArray; 6] = [
            self.id.finish(),
            self.policy.finish(),
            self.verdict.finish(),
            self.amount.finish(),
            self.mode.finish(),
            self.missing.finish(),
        ];
        let columns = columns.into_iter().map(|column| Arc::new(column) as ArrayRef).collect();
        RecordBatch::try_new(Arc::clone(schema), columns).map_err(io::Error::other)
    }
}
