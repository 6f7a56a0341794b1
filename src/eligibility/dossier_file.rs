//! Ready-made dossiers: a wide Parquet or Arrow file whose columns are facts, for bureaus that already have 一人一档.

use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema};
use datafusion::datasource::file_format::options::{ArrowReadOptions, ParquetReadOptions};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::prelude::{DataFrame, SessionConfig, SessionContext};

use crate::check::ir::Ty;
use crate::check::typing::Type;
use crate::diagnostic::{Diagnostic, code};
use crate::dossier::DossierError;
use crate::register::declaration::SubjectKind;

/// A dossier file that was opened.
pub struct DossierFile {
    frame: DataFrame,
    context: SessionContext,
    id: Option<String>,
    /// Its facts with their types; columns of other types are left out.
    pub columns: Vec<(String, Type)>,
    /// Columns that are no facts, because of their type.
    pub left_out: Vec<String>,
}

impl DossierFile {
    /// Opens a file, or a folder or glob of files of one schema.
    ///
    /// # Errors
    ///
    /// `path-missing`, `file-unreadable`.
    pub async fn open(path: &Path, kind: SubjectKind, id: Option<&str>, threads: usize) -> Result<Self, Box<Diagnostic>> {
        let text = path.to_string_lossy();
        if !text.contains(['*', '?']) && !path.exists() {
            return Err(Box::new(
                Diagnostic::new(&code::PATH_MISSING, format!("没有文件 {text}"), format!("there is no file {text}"))
                    .help("用 --dossiers 给出 Parquet 或 Arrow 文件", "give a Parquet or Arrow file with --dossiers"),
            ));
        }
        let config = SessionConfig::new().with_target_partitions(threads).with_batch_size(16_384);
        let config = config.set_bool("datafusion.execution.parquet.schema_force_view_types", false);
        let context = SessionContext::new_with_config(config);
        let arrow = text.ends_with(".arrow") || text.ends_with(".ipc") || text.ends_with(".feather");
        let opened = if arrow {
            context.read_arrow(&*text, ArrowReadOptions::default()).await
        } else {
            context.read_parquet(&*text, ParquetReadOptions::default()).await
        };
        let frame = opened.map_err(|error| unreadable(path, &error.to_string()))?;
        let schema = frame.schema().as_arrow().clone();
        let id = id.map_or_else(
            || [kind.id_column(), "id", "subject_id"].into_iter().find(|name| schema.index_of(name).is_ok()).map(str::to_owned),
            |id| Some(id.to_owned()),
        );
        if let Some(id) = id.as_deref().filter(|id| schema.index_of(id).is_err()) {
            return Err(Box::new(
                Diagnostic::new(&code::COLUMN_MISSING, format!("{text} 没有列“{id}”"), format!("{text} has no column `{id}`"))
                    .did_you_mean(id, schema.fields().iter().map(|field| field.name().as_str())),
            ));
        }
        let (columns, left_out) = facts(&schema, id.as_deref());
        Ok(Self { frame, context, id, columns, left_out })
    }

    /// The dossiers, one stream per partition: `id`, then the facts named.
    ///
    /// # Errors
    ///
    /// When the plan fails.
    pub async fn streams(&self, facts: &[String]) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
        let column = |name: &str| datafusion::prelude::Expr::Column(datafusion::common::Column::from_name(name));
        let mut select = Vec::new();
        if let Some(id) = &self.id {
            select.push(column(id).alias("id"));
        }
        select.extend(facts.iter().filter(|name| self.columns.iter().any(|(known, _)| known == *name)).map(|name| column(name)));
        let plan = self.frame.clone().select(select)?.create_physical_plan().await?;
        let task = self.context.task_ctx();
        (0..plan.output_partitioning().partition_count()).map(|partition| Ok(plan.execute(partition, Arc::clone(&task))?)).collect()
    }
}

fn facts(schema: &Schema, id: Option<&str>) -> (Vec<(String, Type)>, Vec<String>) {
    let mut columns = Vec::new();
    let mut left_out = Vec::new();
    for field in schema.fields().iter().filter(|field| Some(field.name().as_str()) != id) {
        match fact_type(field.data_type()) {
            Some(ty) => columns.push((field.name().clone(), ty)),
            None => left_out.push(field.name().clone()),
        }
    }
    (columns, left_out)
}

/// The type of a fact from its column's; no unit is known, so that any agrees.
fn fact_type(data_type: &DataType) -> Option<Type> {
    let number = |scale: u8| Type { scale, unit: None, ..Type::plain(Ty::Number) };
    Some(match data_type {
        DataType::Boolean => Type::plain(Ty::Bool),
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => number(0),
        DataType::Decimal128(_, scale) => number(u8::try_from(*scale).ok()?),
        DataType::Date32 => Type::plain(Ty::Date),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Type::plain(Ty::Text),
        DataType::Dictionary(_, value) => fact_type(value).filter(|ty| ty.ty == Ty::Text)?,
        _ => return None,
    })
}

fn unreadable(path: &Path, error: &str) -> Box<Diagnostic> {
    let text = path.display();
    Box::new(
        Diagnostic::new(&code::FILE_UNREADABLE, format!("读不了 {text}: {error}"), format!("cannot read {text}: {error}"))
            .help("文件可能不完整, 请重新取得", "the file may be incomplete: fetch it again"),
    )
}
