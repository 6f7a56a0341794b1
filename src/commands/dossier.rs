//! `mianshen dossier`: all facts of each subject, as Parquet.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use chrono::NaiveDate;
use futures::StreamExt;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::context::date_argument;
use super::folder::PolicyFolder;
use super::match_registers::{SubjectArg, all_cores, newest, scratch, size_argument, start};
use super::progress::Bar;
use super::{Context, Exit};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::diagnostic::{Diagnostic, Message, code, has_errors};
use crate::dossier::build::{Request, build};
use crate::dossier::declared::{Sheet, sheets};
use crate::dossier::mapper::{Mapper, data_type};
use crate::dossier::{DossierError, Dossiers, Options};
use crate::register::Sources;
use crate::register::declaration::SubjectKind;
use crate::report::count;

/// Arguments of `dossier`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// 政策文件夹 / The policies folder
    #[arg(long, value_name = "DIR", default_value = "policies")]
    pub policies: PathBuf,
    /// 登记库在哪里 / Where the registers are
    #[arg(long, value_name = "FILE", default_value = "data-samples/sources.yaml")]
    pub sources: PathBuf,
    /// 档案日; 缺省为最新的数据日 / The day of the dossiers; by default the newest data day
    #[arg(long, value_name = "DATE", value_parser = date_argument)]
    pub as_of: Option<NaiveDate>,
    /// 输出目录: 每类对象一个文件 / Where the files go, one per kind of subject
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// 只要这类对象 / Only this kind of subject
    #[arg(long, value_enum)]
    pub subject: Option<SubjectArg>,
    /// 有意缺席的登记库 / Registers absent on purpose
    #[arg(long, value_name = "REGISTER", num_args = 1..)]
    pub allow_missing: Vec<String>,
    /// 档案快照: 没有变的登记库不再读, 从这个目录里取; 缺省不留 / Dossier snapshot: registers that did not change are taken from this folder, not read again; by default none
    #[arg(long, value_name = "DIR")]
    pub snapshot: Option<PathBuf>,
    /// 可用的内存, 如 4GiB / Memory to take, such as 4GiB
    #[arg(long, value_name = "SIZE", value_parser = size_argument)]
    pub memory: Option<usize>,
    /// 对象至少分成几份 / Into how many parts subjects are split at least
    #[arg(long, value_name = "N")]
    pub shards: Option<usize>,
}

/// Runs the verb.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let (runtime, cancel) = match start(all_cores(), context) {
        Ok(started) => started,
        Err(exit) => return exit,
    };
    let bar = Arc::new(Bar::new(context));
    let written = runtime.block_on(whole(args, &bar, cancel));
    bar.clear();
    match written {
        Ok(written) => {
            let lines: String = written.iter().map(|(path, rows)| format!("{} {}\n", count(*rows), path.display())).collect();
            context.print(&lines, Exit::Clean)
        }
        Err(diagnostics) => context.fail(&diagnostics),
    }
}

async fn whole(args: &Args, bar: &Arc<Bar>, cancel: Cancel) -> Result<Vec<(PathBuf, u64)>, Vec<Diagnostic>> {
    let folder = PolicyFolder::load(&args.policies);
    if has_errors(&folder.diagnostics) {
        return Err(folder.diagnostics);
    }
    let sources = Sources::load(&args.sources)?;
    let one = |diagnostic: Diagnostic| vec![diagnostic];
    let as_of = args.as_of.or_else(|| newest(&sources)).ok_or_else(|| {
        one(Diagnostic::new(&code::BAD_ARGUMENT, "缺少 --as-of", "--as-of is missing")
            .help("如 --as-of 2026-06-30", "such as --as-of 2026-06-30"))
    })?;
    let policies = folder.in_force(as_of, None);
    let binder = folder.binder(as_of, None, &policies);
    let mut catalogue = folder.checked.catalogue.clone();
    let kinds: Vec<SubjectKind> = args.subject.map_or_else(|| SubjectKind::ALL.to_vec(), |kind| vec![kind.into()]);
    let (sheets, facts) = sheets(&mut catalogue, &binder, &kinds);
    let options = Options {
        shards: args.shards.unwrap_or(1).max(1),
        threads: all_cores(),
        memory: args.memory,
        scratch: scratch(&args.out),
        snapshot: args.snapshot.clone(),
    };
    let allow_missing = args.allow_missing.iter().cloned().collect();
    let request = Request {
        catalogue: &mut catalogue,
        binder: &binder,
        facts,
        kinds,
        each: Vec::new(),
        sources: &sources,
        allow_missing: &allow_missing,
        options,
        progress: Arc::clone(bar) as Arc<dyn Progress>,
        cancel: cancel.clone(),
    };
    let dossiers = build(request).await.map_err(|error| one(error.into_diagnostic()))?;
    std::fs::create_dir_all(&args.out).map_err(|error| one(failed(&args.out, &error)))?;
    let mut written = Vec::new();
    for sheet in &sheets {
        bar.stage(Message::new(format!("写出档案 {}", sheet.kind), format!("writing dossiers: {}", sheet.kind)), None);
        let path = args.out.join(format!("{}.parquet", sheet.kind));
        let schema = catalogue.schema(sheet.kind);
        let rows = write(&dossiers, sheet, &schema, &path, bar, &cancel).await.map_err(|error| one(error.into_diagnostic()))?;
        written.push((path, rows));
    }
    Ok(written)
}

/// Writes the dossiers of one kind aside, then moves the file to its place.
async fn write(
    dossiers: &Dossiers,
    sheet: &Sheet,
    schema: &crate::check::ir::Schema,
    path: &Path,
    bar: &Bar,
    cancel: &Cancel,
) -> Result<u64, DossierError> {
    let mapper = Mapper::new(schema, &sheet.expressions())?;
    let mut fields = vec![Field::new(sheet.kind.id_column(), DataType::Utf8, false)];
    fields.extend(sheet.facts.iter().map(|fact| Field::new(&fact.name, data_type(fact.expr.ty, fact.scale), true)));
    let output = Arc::new(Schema::new(fields));
    let aside = path.with_extension("parquet.partial");
    let told = |error: &std::io::Error| DossierError::Told(Box::new(failed(path, error)));
    let file = File::create(&aside).map_err(|error| told(&error))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_created_by(format!("mianshen {}", env!("CARGO_PKG_VERSION")))
        .set_max_row_group_row_count(Some(131_072))
        .build();
    let parquet = |error: parquet::errors::ParquetError| DossierError::Told(Box::new(failed(path, &std::io::Error::other(error))));
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&output), Some(properties)).map_err(parquet)?;
    let mut rows = 0;
    let mut streams = dossiers.stream(sheet.kind)?;
    // Streams share the batches in turn: taken in turn, they give back the order of the subjects.
    let mut open = streams.len();
    while open > 0 {
        open = streams.len();
        for stream in &mut streams {
            if cancel.is_cancelled() {
                let _ = std::fs::remove_file(&aside);
                return Err(DossierError::Cancelled);
            }
            let Some(batch) = stream.next().await else {
                open -= 1;
                continue;
            };
            let batch = batch?;
            let mut columns: Vec<ArrayRef> = vec![Arc::clone(batch.column(0))];
            columns.extend(mapper.map_typed(&batch)?);
            writer.write(&RecordBatch::try_new(Arc::clone(&output), columns)?).map_err(parquet)?;
            rows += batch.num_rows() as u64;
            bar.rows(batch.num_rows() as u64);
        }
    }
    writer.close().map_err(parquet)?;
    std::fs::rename(&aside, path).map_err(|error| told(&error))?;
    Ok(rows)
}

fn failed(path: &Path, error: &std::io::Error) -> Diagnostic {
    let path = path.display();
    Diagnostic::new(&code::OUTPUT_FAILED, format!("写不了 {path}: {error}"), format!("cannot write {path}: {error}"))
        .help("检查空间和权限", "check free space and permissions")
}
