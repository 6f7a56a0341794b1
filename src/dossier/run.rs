//! Plans run: aggregates by DataFusion, then laid beside the subjects in the order of their places, level by level.
//!
//! Joins on identifiers are not left to a join operator: a chain of hash joins over one city of a million held more than
//! 20 GiB. Here each subject has a place, every piece is laid in the order of places, and no identifier is carried along.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::{cast, concat, concat_batches, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::FileWriter;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{DFSchema, TableReference};
use datafusion::datasource::file_format::options::ArrowReadOptions;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::physical_plan::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{SessionConfig, SessionContext};
use rayon::prelude::*;

use super::build::{ConflictQuery, JoinedFeed, Request, table};
use super::feed::shard_file;
use super::index::{SubjectIndex, Targets};
use super::levels::{Level, PieceSource};
use super::mapper::Mapper;
use super::query::quoted;
use super::{Disagreement, DossierError, Dossiers, Options};
use crate::check::catalogue::FactId;
use crate::check::ir::Expr;
use crate::diagnostic::Message;
use crate::register::declaration::SubjectKind;

/// Rows of a batch in the files of levels; the same in all levels of a kind, so that they lie side by side.
const BATCH_ROWS: usize = 65_536;

/// The subjects of each kind and shard.
pub(super) type Indices = HashMap<(SubjectKind, usize), Arc<SubjectIndex>>;

/// A batch laid beside the subjects: for each subject its row.
struct Laid {
    batch: RecordBatch,
    rows: arrow::array::UInt32Array,
}

fn runtime(options: &Options) -> Result<Arc<RuntimeEnv>, DossierError> {
    let mut builder = RuntimeEnvBuilder::new().with_temp_file_path(&options.scratch);
    if let Some(memory) = options.memory {
        builder = builder.with_memory_pool(Arc::new(FairSpillPool::new(memory)));
    }
    Ok(builder.build_arc()?)
}

/// Runs one query over the feeds of a shard.
async fn collect(dossiers: &Dossiers, shard: usize, query: &str) -> Result<RecordBatch, DossierError> {
    tracing::debug!(shard, query, "query");
    let config = SessionConfig::new().with_target_partitions(dossiers.options.threads).with_collect_statistics(false);
    let config = config.set_bool("datafusion.sql_parser.map_string_types_to_utf8view", false);
    let context = SessionContext::new_with_config_rt(config, runtime(&dossiers.options)?);
    let root = dossiers.directory.path();
    // A query names its one table in quotes after `from`.
    let name = query.split(" from \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let file = shard_file(root, name, shard);
    context.register_arrow(quoted(name), &file.to_string_lossy(), ArrowReadOptions::default()).await?;
    let frame = context.sql(query).await?;
    let schema = plain(&Arc::new(frame.schema().as_arrow().clone()));
    let batches = frame.collect().await?;
    let batches = batches.iter().map(|batch| as_schema(batch, &schema)).collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches)?)
}

/// Runs all levels of all kinds into files.
pub(super) async fn levels(
    dossiers: &mut Dossiers,
    levels: &BTreeMap<(SubjectKind, usize), Level>,
    joined: Vec<JoinedFeed>,
    request: &Request<'_>,
) -> Result<(), DossierError> {
    let highest = levels.keys().map(|(_, height)| *height).max().unwrap_or(0);
    let mut indices = Indices::new();
    for height in 0..=highest {
        for ((kind, _), level) in levels.iter().filter(|((_, at), _)| *at == height) {
            let name = Message::new(format!("汇总档案 {kind}·{height}"), format!("dossiers: {kind}, level {height}"));
            request.progress.stage(name, None);
            for feed in joined.iter().filter(|feed| feed.height == height && feed.kind == *kind) {
                join_feed(dossiers, feed, &indices, request)?;
            }
            for shard in 0..dossiers.options.shards {
                run_level(dossiers, *kind, height, level, shard, &mut indices, request).await?;
            }
        }
    }
    dossiers.indices = indices;
    Ok(())
}

/// One level of one shard.
async fn run_level(
    dossiers: &Dossiers,
    kind: SubjectKind,
    height: usize,
    level: &Level,
    shard: usize,
    indices: &mut Indices,
    request: &Request<'_>,
) -> Result<(), DossierError> {
    let root = dossiers.directory.path();
    let base = if height == 0 {
        let base = in_order(&collect(dossiers, shard, &level.base).await?)?;
        indices.insert((kind, shard), Arc::new(SubjectIndex::new(strings(base.column(0))?)));
        base
    } else {
        let within: Vec<String> =
            names_in(&shard_file(root, &table(kind, 0), shard))?.into_iter().filter(|name| name.starts_with("!within")).collect();
        let within = read_columns(&shard_file(root, &table(kind, 0), shard), &within)?;
        let ids: ArrayRef = Arc::new(indices[&(kind, shard)].ids().clone());
        let mut fields = vec![Field::new("id", DataType::Utf8, true)];
        fields.extend(within.schema().fields().iter().map(|field| field.as_ref().clone()));
        let columns = std::iter::once(ids).chain(within.columns().iter().cloned()).collect();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?
    };
    let index = Arc::clone(&indices[&(kind, shard)]);
    let mut laid = Vec::new();
    for piece in &level.pieces {
        if request.cancel.is_cancelled() {
            return Err(DossierError::Cancelled);
        }
        let batch = match &piece.source {
            PieceSource::Query(query) => collect(dossiers, shard, query).await?,
            PieceSource::Targets { query, kind, columns } => {
                let pairs = collect(dossiers, shard, query).await?;
                let targets = targets(dossiers, *kind, columns, indices)?;
                let gathered = targets.gather(&strings(pairs.column(1))?)?;
                let mut fields = vec![Field::new("id", DataType::Utf8, true)];
                fields.extend(columns.iter().zip(&gathered).map(|((_, name), array)| Field::new(name, array.data_type().clone(), true)));
                let mut arrays = vec![Arc::clone(pairs.column(0))];
                arrays.extend(gathered);
                RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?
            }
        };
        let rows = index.rows_of(&strings(batch.column(0))?);
        let values: Vec<usize> = (1..batch.num_columns()).collect();
        laid.push(Laid { batch: batch.project(&values)?, rows });
    }
    write_level(root, kind, height, level, shard, &base, &laid, request)
}

/// Rows by their first column, so that dossiers have the same order on every run.
fn in_order(batch: &RecordBatch) -> Result<RecordBatch, DossierError> {
    let order = arrow::compute::sort_to_indices(batch.column(0), None, None)?;
    Ok(arrow::compute::take_record_batch(batch, &order)?)
}

/// The expressions of a level evaluated over its subjects and pieces, some rows at a time.
#[expect(clippy::too_many_arguments, reason = "one shard of one level, named in full")]
fn write_level(
    root: &Path,
    kind: SubjectKind,
    height: usize,
    level: &Level,
    shard: usize,
    base: &RecordBatch,
    laid: &[Laid],
    request: &Request<'_>,
) -> Result<(), DossierError> {
    let schema = joined_schema(base, laid)?;
    let arrow: SchemaRef = Arc::new(schema.as_arrow().clone());
    let context = SessionContext::new();
    let outputs = level.outputs();
    let expressions: Vec<Arc<dyn PhysicalExpr>> = outputs
        .iter()
        .map(|(_, text)| Ok(context.create_physical_expr(context.parse_sql_expr(text, &schema)?, &schema)?))
        .collect::<Result<_, DossierError>>()?;
    let mut fields = vec![Field::new("id", DataType::Utf8, true)];
    for ((name, _), expression) in outputs.iter().zip(&expressions) {
        fields.push(Field::new(name, expression.data_type(&arrow)?, true));
    }
    let output = plain(&Arc::new(Schema::new(fields)));
    let mut writer = one_file(root, &table(kind, height), shard, &output)?;
    let starts: Vec<usize> = (0..base.num_rows()).step_by(BATCH_ROWS).collect();
    for window in starts.chunks(rayon::current_num_threads().max(1) * 2) {
        if request.cancel.is_cancelled() {
            return Err(DossierError::Cancelled);
        }
        let batches: Vec<RecordBatch> = window
            .par_iter()
            .map(|&start| {
                let rows = BATCH_ROWS.min(base.num_rows() - start);
                let batch = side_by_side(&arrow, &base.slice(start, rows), laid, start, rows)?;
                let mut columns = vec![Arc::clone(base.slice(start, rows).column(0))];
                for expression in &expressions {
                    columns.push(expression.evaluate(&batch)?.into_array(rows)?);
                }
                let columns =
                    columns.iter().zip(output.fields()).map(|(column, field)| cast(column, field.data_type())).collect::<Result<_, _>>()?;
                Ok(RecordBatch::try_new(Arc::clone(&output), columns)?)
            })
            .collect::<Result<_, DossierError>>()?;
        for batch in batches {
            request.progress.rows(batch.num_rows() as u64);
            writer.write(&batch)?;
        }
    }
    writer.finish()?;
    Ok(())
}

/// Columns of the subjects as `b`, of the pieces as `p0`, `p1`, …
fn joined_schema(base: &RecordBatch, laid: &[Laid]) -> Result<DFSchema, DossierError> {
    let of_base = base.schema().fields().iter().map(|field| (Some(TableReference::bare("b")), Arc::clone(field))).collect::<Vec<_>>();
    let of_pieces = laid.iter().enumerate().flat_map(|(index, laid)| {
        let fields =
            laid.batch.schema().fields().iter().map(|field| Arc::new(field.as_ref().clone().with_nullable(true))).collect::<Vec<_>>();
        fields.into_iter().map(move |field| (Some(TableReference::bare(format!("p{index}"))), field))
    });
    Ok(DFSchema::new_with_metadata(of_base.into_iter().chain(of_pieces).collect(), std::collections::HashMap::default())?)
}

fn side_by_side(schema: &SchemaRef, base: &RecordBatch, laid: &[Laid], start: usize, rows: usize) -> Result<RecordBatch, DossierError> {
    let mut columns = base.columns().to_vec();
    for laid in laid {
        let part = laid.rows.slice(start, rows);
        for column in laid.batch.columns() {
            columns.push(take(column, &part, None)?);
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// Columns of all subjects of a kind.
fn targets(dossiers: &Dossiers, kind: SubjectKind, columns: &[(FactId, String)], indices: &Indices) -> Result<Targets, DossierError> {
    let shards = dossiers.options.shards;
    let mut by_shard = Vec::new();
    for shard in 0..shards {
        let mut by_height: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (fact, name) in columns {
            by_height.entry(dossiers.plan.facts[fact].level).or_default().push(name.clone());
        }
        let mut read = HashMap::new();
        for (height, names) in by_height {
            let batch = read_columns(&shard_file(dossiers.directory.path(), &table(kind, height), shard), &names)?;
            for name in names {
                let column = batch.column_by_name(&name).cloned();
                read.insert(name, column);
            }
        }
        by_shard.push(columns.iter().filter_map(|(_, name)| read.get(name).cloned().flatten()).collect());
    }
    let indices = (0..shards).map(|shard| Arc::clone(&indices[&(kind, shard)])).collect();
    Ok(Targets { indices, columns: by_shard })
}

/// Lays the facts at the other end beside the rows of a link and evaluates what aggregates need of them.
fn join_feed(dossiers: &Dossiers, feed: &JoinedFeed, indices: &Indices, request: &Request<'_>) -> Result<(), DossierError> {
    let link = &request.catalogue.registers.links[feed.link];
    let schema = request.catalogue.link_schema(link);
    let expressions: Vec<(Expr, u8)> = feed.output.columns.iter().map(|column| (column.expr.clone(), column.scale)).collect();
    let mut mapper = Mapper::new(&schema, &expressions)?;
    let columns: Vec<(FactId, String)> = feed.facts.iter().map(|fact| (*fact, dossiers.names[fact].to_string())).collect();
    let targets = targets(dossiers, feed.to, &columns, indices)?;
    let output = feed.output.schema();
    let root = dossiers.directory.path();
    for shard in 0..dossiers.options.shards {
        let mut writer = one_file(root, &feed.output.name, shard, &output)?;
        for batch in open(&shard_file(root, &feed.from, shard), None)?.0 {
            if request.cancel.is_cancelled() {
                return Err(DossierError::Cancelled);
            }
            let batch = batch?;
            let rows = beside(&batch, &feed.row_columns, "x0", &columns, &targets)?;
            let mut arrays: Vec<ArrayRef> = vec![Arc::clone(batch.column(0)), Arc::new(BooleanArray::from(vec![false; batch.num_rows()]))];
            arrays.extend(mapper.map(&rows)?);
            writer.write(&RecordBatch::try_new(Arc::clone(&output), arrays)?)?;
        }
        writer.finish()?;
    }
    Ok(())
}

/// Rows of a feed, some of its columns under other names, beside the facts of the subjects that one column names.
fn beside(
    batch: &RecordBatch,
    row_columns: &[(String, String)],
    target: &str,
    facts: &[(FactId, String)],
    targets: &Targets,
) -> Result<RecordBatch, DossierError> {
    let mut fields = vec![Field::new("id", DataType::Utf8, true)];
    let mut columns = vec![Arc::clone(batch.column(0))];
    for (name, column) in row_columns {
        if let Some(column) = batch.column_by_name(column) {
            fields.push(Field::new(name, column.data_type().clone(), true));
            columns.push(Arc::clone(column));
        }
    }
    let ids = match batch.column_by_name(target) {
        Some(ids) => strings(ids)?,
        None => strings(batch.column(0))?,
    };
    for ((_, name), array) in facts.iter().zip(targets.gather(&ids)?) {
        fields.push(Field::new(name, array.data_type().clone(), true));
        columns.push(array);
    }
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)
}

/// The dossiers of a shard, in as many streams as there are threads.
pub(super) fn stream(dossiers: &Dossiers, kind: SubjectKind, shard: usize) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
    let mut by_height: BTreeMap<usize, Vec<String>> = BTreeMap::from([(0, vec!["id".to_owned()])]);
    for (id, planned) in dossiers.plan.facts.iter().filter(|(id, _)| id.kind == kind) {
        let names = by_height.entry(planned.level).or_default();
        names.push(dossiers.names[id].to_string());
        if dossiers.conflicting.contains(id) {
            names.push(format!("{}!conflict", dossiers.names[id]));
        }
    }
    let files: Vec<(std::path::PathBuf, Vec<String>)> =
        by_height.into_iter().map(|(height, names)| (shard_file(dossiers.directory.path(), &table(kind, height), shard), names)).collect();
    let threads = dossiers.options.threads;
    (0..threads)
        .map(|thread| {
            let opened = files.iter().map(|(path, names)| open(path, Some(names))).collect::<Result<Vec<_>, _>>()?;
            let (mut readers, schemas): (Vec<_>, Vec<_>) = opened.into_iter().unzip();
            let fields: Vec<Arc<Field>> = schemas.iter().flat_map(|schema| schema.fields().iter().cloned()).collect();
            let schema = Arc::new(Schema::new(fields));
            let count = readers.first().map_or(0, FileReader::num_batches);
            let output = Arc::clone(&schema);
            let batches = (thread..count).step_by(threads).map(move |at| {
                let mut columns = Vec::new();
                for reader in &mut readers {
                    reader.set_index(at)?;
                    match reader.next() {
                        Some(batch) => columns.extend(batch?.columns().iter().cloned()),
                        None => return Err(datafusion::error::DataFusionError::Internal("a level ends early".to_owned())),
                    }
                }
                Ok(RecordBatch::try_new(Arc::clone(&output), columns)?)
            });
            Ok(Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(batches))) as SendableRecordBatchStream)
        })
        .collect()
}

/// The rows of a shard that occasions come from.
pub(super) fn each_stream(dossiers: &Dossiers, each: usize, shard: usize) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
    let each = &dossiers.each[each];
    let columns: Vec<(FactId, String)> = each.facts.iter().map(|fact| (*fact, dossiers.names[fact].to_string())).collect();
    let targets = targets(dossiers, each.kind, &columns, &dossiers.indices)?;
    let target = if each.through_link { "x0" } else { "id" };
    let mut batches = Vec::new();
    for batch in open(&shard_file(dossiers.directory.path(), &each.feed, shard), None)?.0 {
        batches.push(beside(&batch?, &each.columns, target, &columns, &targets)?);
    }
    let Some(first) = batches.first() else { return Ok(Vec::new()) };
    let schema = first.schema();
    let stream = futures::stream::iter(batches.into_iter().map(Ok));
    Ok(vec![Box::pin(RecordBatchStreamAdapter::new(schema, stream))])
}

/// Names the subjects about which registers disagree.
pub(super) async fn disagreements(dossiers: &Dossiers, conflicts: &[ConflictQuery]) -> Result<Vec<Disagreement>, DossierError> {
    let mut found = Vec::new();
    for conflict in conflicts {
        let name = &dossiers.names[&conflict.fact];
        let (own, other) = (quoted(&format!("{name}!own")), quoted(&format!("{name}!{}", conflict.other)));
        let table = quoted(&table(conflict.fact.kind, 0));
        let query = format!("select id, {own} as own, {other} as other from {table} where {own} <> {other}");
        for shard in 0..dossiers.options.shards {
            let batch = collect(dossiers, shard, &query).await?;
            let ids = strings(batch.column(0))?;
            let options = FormatOptions::default();
            let own = ArrayFormatter::try_new(batch.column(1), &options)?;
            let other = ArrayFormatter::try_new(batch.column(2), &options)?;
            found.extend((0..batch.num_rows()).map(|row| Disagreement {
                fact: conflict.fact,
                subject: ids.value(row).to_owned(),
                register: conflict.register.clone(),
                value: own.value(row).to_string(),
                other_register: conflict.other.clone(),
                other_value: other.value(row).to_string(),
            }));
        }
    }
    found.sort();
    Ok(found)
}

/// A file of a feed or level, some of its columns or all, with the schema of the batches that it gives.
fn open(path: &Path, columns: Option<&[String]>) -> Result<(FileReader<BufReader<File>>, SchemaRef), DossierError> {
    let file = || File::open(path).map(BufReader::new).map_err(|error| DossierError::scratch(path, &error));
    let reader = FileReader::try_new(file()?, None)?;
    let schema = reader.schema();
    let Some(columns) = columns else { return Ok((reader, schema)) };
    let wanted: BTreeSet<&str> = columns.iter().map(String::as_str).collect();
    let projection: Vec<usize> = (0..schema.fields().len()).filter(|&at| wanted.contains(schema.field(at).name().as_str())).collect();
    let projected = Arc::new(schema.project(&projection)?);
    Ok((FileReader::try_new(file()?, Some(projection))?, projected))
}

fn names_in(path: &Path) -> Result<Vec<String>, DossierError> {
    Ok(open(path, None)?.1.fields().iter().map(|field| field.name().clone()).collect())
}

/// Some columns of a whole file.
fn read_columns(path: &Path, names: &[String]) -> Result<RecordBatch, DossierError> {
    let (reader, schema) = open(path, Some(names))?;
    let batches = reader.collect::<Result<Vec<_>, _>>()?;
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let columns = (0..schema.fields().len())
        .map(|at| {
            let parts: Vec<&dyn arrow::array::Array> = batches.iter().map(|batch| batch.column(at).as_ref()).collect();
            if parts.is_empty() { Ok(arrow::array::new_empty_array(schema.field(at).data_type())) } else { concat(&parts) }
        })
        .collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

fn strings(array: &ArrayRef) -> Result<StringArray, DossierError> {
    Ok(cast(array, &DataType::Utf8)?.as_string::<i32>().clone())
}

/// The writer of one shard's file alone.
fn one_file(directory: &Path, name: &str, shard: usize, schema: &SchemaRef) -> Result<FileWriter<std::io::BufWriter<File>>, DossierError> {
    let path = shard_file(directory, name, shard);
    let folder = directory.join(name);
    std::fs::create_dir_all(&folder).map_err(|error| DossierError::scratch(&folder, &error))?;
    let file = File::create(&path).map_err(|error| DossierError::scratch(&path, &error))?;
    Ok(FileWriter::try_new(std::io::BufWriter::with_capacity(1 << 18, file), schema)?)
}

/// Plans may give string views; files keep plain strings.
fn plain(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => Field::new(field.name(), DataType::Utf8, true),
            other => Field::new(field.name(), other.clone(), true),
        })
        .collect();
    Arc::new(Schema::new(fields))
}

fn as_schema(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, DossierError> {
    let columns: Vec<ArrayRef> =
        batch.columns().iter().zip(schema.fields()).map(|(column, field)| cast(column, field.data_type())).collect::<Result<_, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}
