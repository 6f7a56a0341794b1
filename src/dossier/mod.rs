//! Dossiers: all facts of one subject as of one day, one row each, made of registers by DataFusion plans.
//!
//! ```text
//! registers ── intake (read once, checked, row expressions evaluated) ──▶ feeds, in shards by subject
//! feeds ── level 0: aggregate per subject, laid beside the subjects ──▶ facts that registers give
//! facts + links ── level 1, 2, …: facts of linked subjects, and what is made of many ──▶ facts that links give
//! all levels side by side ──▶ dossiers, streamed shard by shard
//! ```
//!
//! Computed facts are not stored: evaluation computes them from these, exactly. Only the facts that are asked for are
//! built. Shards bound the memory: one shard of subjects is worked on at a time.

pub mod build;
pub mod feed;
pub mod identity;
mod index;
pub mod intake;
mod levels;
pub mod mapper;
pub mod plan;
mod query;
mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;

use crate::check::catalogue::FactId;
use crate::diagnostic::{Diagnostic, code};
use crate::register::declaration::SubjectKind;

/// Why a fact is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// No register has it.
    Missing,
    /// The register that has it is older than it promises.
    Stale,
    /// Two registers disagree.
    Conflict,
}

/// Why dossiers could not be built.
#[derive(Debug)]
pub enum DossierError {
    /// A fault that somebody outside can mend.
    Told(Box<Diagnostic>),
    /// A plan failed.
    DataFusion(DataFusionError),
    /// Asked to stop.
    Cancelled,
}

impl DossierError {
    /// A fault of the place for intermediate files.
    #[must_use]
    pub fn scratch(path: &Path, error: &std::io::Error) -> Self {
        Self::Told(Box::new(
            Diagnostic::new(
                &code::OUTPUT_FAILED,
                format!("中间文件写不下: {}: {error}", path.display()),
                format!("cannot write an intermediate file: {}: {error}", path.display()),
            )
            .help("检查磁盘空间和权限; 中间文件放在 --out 旁边", "check free space and permissions; intermediate files lie beside --out"),
        ))
    }

    /// What to tell people.
    #[must_use]
    pub fn into_diagnostic(self) -> Diagnostic {
        match self {
            Self::Told(diagnostic) => *diagnostic,
            Self::Cancelled => Diagnostic::new(&code::INTERRUPTED, "已中断, 没有写出结果", "interrupted, no result was written")
                .help("上一次的结果没有改动; 重新运行即可", "the last result is untouched; run again"),
            Self::DataFusion(error) => {
                let root = error.find_root();
                if is_io(root) {
                    return Diagnostic::new(
                        &code::OUTPUT_FAILED,
                        format!("中间文件读写失败: {root}"),
                        format!("an intermediate file cannot be written or read: {root}"),
                    )
                    .help("腾出磁盘空间, 或用 --out 指到别的磁盘", "free some disk space, or point --out to another disk");
                }
                if matches!(root, DataFusionError::ResourcesExhausted(_)) {
                    return Diagnostic::new(&code::OUTPUT_FAILED, format!("内存不够: {root}"), format!("out of memory: {root}"))
                        .help("调大 --memory 或 --shards", "raise --memory or --shards");
                }
                Diagnostic::new(&code::INTERNAL, format!("内部错误: {root}"), format!("internal error: {root}"))
            }
        }
    }
}

/// Whether the system refused to write or read a file.
fn is_io(error: &DataFusionError) -> bool {
    match error {
        DataFusionError::IoError(_) => true,
        DataFusionError::ArrowError(inner, _) => matches!(**inner, arrow::error::ArrowError::IoError(..)),
        _ => error.to_string().contains("No space left"),
    }
}

impl From<DataFusionError> for DossierError {
    fn from(error: DataFusionError) -> Self {
        Self::DataFusion(error)
    }
}

impl From<arrow::error::ArrowError> for DossierError {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::DataFusion(DataFusionError::ArrowError(Box::new(error), None))
    }
}

/// Two registers that disagree about a fact of a subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Disagreement {
    /// Whose fact.
    pub fact: FactId,
    /// The subject.
    pub subject: String,
    /// The authoritative register.
    pub register: String,
    /// Its value, as text.
    pub value: String,
    /// The other register.
    pub other_register: String,
    /// Its value, as text.
    pub other_value: String,
}

/// Dossiers that were built, on disk until dropped.
pub struct Dossiers {
    /// Where the files lie; removed on drop.
    directory: tempfile::TempDir,
    options: Options,
    plan: plan::Plan,
    each: Vec<build::EachPlan>,
    /// Names of the facts of each kind, as columns.
    names: BTreeMap<FactId, Arc<str>>,
    /// Facts with a column `<name>!conflict` beside them.
    conflicting: BTreeSet<FactId>,
    /// The kinds that have dossiers.
    kinds: Vec<SubjectKind>,
    /// The subjects by identifier.
    indices: run::Indices,
    /// Registers that gave nothing, and why.
    pub silent: BTreeMap<String, Cause>,
    /// What was read.
    pub intake: intake::IntakeReport,
    /// Where registers disagree.
    pub disagreements: Vec<Disagreement>,
}

/// How to build.
#[derive(Debug, Clone)]
pub struct Options {
    /// Into how many parts the subjects are split.
    pub shards: usize,
    /// How many partitions plans have.
    pub threads: usize,
    /// The most memory that plans may take, in bytes.
    pub memory: Option<usize>,
    /// Where intermediate files go.
    pub scratch: PathBuf,
}

impl Dossiers {
    /// The kinds of subject that have dossiers.
    #[must_use]
    pub fn kinds(&self) -> &[SubjectKind] {
        &self.kinds
    }

    /// Into how many shards they are split.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.options.shards
    }

    /// Whether a fact has a column that tells conflicts.
    #[must_use]
    pub fn tells_conflict(&self, fact: FactId) -> bool {
        self.conflicting.contains(&fact)
    }

    /// The dossiers of one shard, one stream per partition: column `id`, then one per fact that was asked for, named
    /// by it, and `<name>!conflict` for facts that registers may disagree about.
    ///
    /// # Errors
    ///
    /// When the plan fails.
    pub fn stream(&self, kind: SubjectKind, shard: usize) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
        run::stream(self, kind, shard)
    }

    /// The rows of one shard that the occasions of a policy come from: column `id` (the subject), then those of the
    /// joined schema that were asked for.
    ///
    /// # Errors
    ///
    /// When the plan fails.
    pub fn rows(&self, each: usize, shard: usize) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
        run::each_stream(self, each, shard)
    }
}
