//! Dossiers: all facts of one subject as of one day, one row each, made of registers.
//!
//! ```text
//! registers ── base (a narrow reading) ──▶ subjects, each with a place
//! registers ── read (once, checked, row expressions evaluated) ──▶ accumulate at the subjects' places ──▶ columns
//! columns + links (pairs of places) ── levels 1, 2, …: facts of linked subjects, and what is made of many ──▶ columns
//! columns side by side ──▶ dossiers, streamed batch by batch
//! ```
//!
//! No identifier is carried along and nothing is joined: a subject's place is an index into every column. A general
//! engine's joins held more than 20 GiB for one city of a million, and its tables of groups were most of the time.
//! Computed facts are not stored: evaluation computes them from these, exactly. Only the facts that are asked for are
//! built. Memory is bounded by adding up a part of the subjects per reading, and by files for columns that do not fit.

mod accumulate;
mod base;
pub mod build;
mod columns;
pub mod declared;
mod directory;
pub mod extend;
pub mod identity;
pub mod intake;
pub mod known;
mod levels;
mod links;
pub mod mapper;
mod narrow;
pub mod plan;
mod read;
mod rows;
mod silence;
mod snapshot;
mod stream;
mod subjects;
mod visible;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
pub use levels::Around;

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

/// Dossiers that were built; their files are removed when they are dropped.
pub struct Dossiers {
    /// Where files lie; removed with the last dossiers that share them.
    directory: Arc<tempfile::TempDir>,
    options: Options,
    each: Vec<build::EachPlan>,
    /// Names of the facts, as columns.
    names: BTreeMap<FactId, Arc<str>>,
    /// All facts that are built.
    facts: BTreeSet<FactId>,
    /// The kinds that have dossiers.
    kinds: Vec<SubjectKind>,
    /// The subjects by identifier.
    indices: BTreeMap<SubjectKind, Arc<subjects::SubjectIndex>>,
    made: levels::Made,
    /// What they were made of, to make them anew.
    ground: Arc<silence::Ground>,
    /// Registers that gave nothing, and why.
    pub silent: BTreeMap<String, Cause>,
    /// What was read.
    pub intake: Arc<intake::IntakeReport>,
    /// Whose dossiers are given out, by kind, ascending; none: everybody's.
    given_out: Option<BTreeMap<SubjectKind, Arc<Vec<u32>>>>,
}

/// Rows of a link, and what they lead to.
#[derive(Debug, Clone)]
pub struct Led {
    /// By row, from whom: places among those who were asked about.
    pub from: Vec<u32>,
    /// By row, to whom.
    pub to: Vec<String>,
    /// What is kept of the rows.
    pub columns: RecordBatch,
    /// The facts of whom they lead to: columns as in [`Dossiers::stream`], behind one of identifiers.
    pub facts: RecordBatch,
}

/// How to build.
#[derive(Debug, Clone)]
pub struct Options {
    /// Into how many parts the subjects are split at least: a register is read once for each.
    pub shards: usize,
    /// How many registers are read, and streams given, at a time.
    pub threads: usize,
    /// The most memory to take, in bytes, as near as can be told beforehand.
    pub memory: Option<usize>,
    /// Where intermediate files go.
    pub scratch: PathBuf,
    /// A folder in which what registers give is kept, so that those that did not change need not be read the next time.
    pub snapshot: Option<PathBuf>,
}

impl Options {
    /// Everything in one part, with as much memory as it takes, and nothing kept for the next time.
    #[must_use]
    pub fn new(threads: usize, scratch: PathBuf) -> Self {
        Self { shards: 1, threads, memory: None, scratch, snapshot: None }
    }
}

impl Dossiers {
    /// The kinds of subject that have dossiers.
    #[must_use]
    pub fn kinds(&self) -> &[SubjectKind] {
        &self.kinds
    }

    /// Whether a fact has a column that tells conflicts.
    #[must_use]
    pub fn tells_conflict(&self, fact: FactId) -> bool {
        self.made.conflicting.contains(&fact)
    }

    /// Where registers disagree, sorted.
    #[must_use]
    pub fn disagreements(&self) -> &[Disagreement] {
        &self.made.disagreements
    }

    /// The place of an identifier among the subjects of its kind, in the order of identifiers; none where no subject has it.
    #[must_use]
    pub fn place(&self, kind: SubjectKind, id: &str) -> Option<u32> {
        let place = self.indices.get(&kind)?.find(id);
        (place != subjects::NOWHERE).then_some(place)
    }

    /// The identifier at a place; none where there is no such place.
    #[must_use]
    pub fn id(&self, kind: SubjectKind, place: u32) -> Option<String> {
        let index = self.indices.get(&kind)?;
        ((place as usize) < index.len()).then(|| index.id(place as usize))
    }

    /// From now on only the dossiers of some are given out as streams. Those of the others are there, for what rests on them.
    pub fn give_out_only(&mut self, ids: &BTreeSet<String>) {
        let places = |index: &Arc<subjects::SubjectIndex>| {
            let mut places: Vec<u32> = ids.iter().map(|id| index.find(id)).filter(|place| *place != subjects::NOWHERE).collect();
            places.sort_unstable();
            places.dedup();
            Arc::new(places)
        };
        self.given_out = Some(self.indices.iter().map(|(kind, index)| (*kind, places(index))).collect());
    }

    /// The places of those of a kind whose dossiers are given out, ascending; none: everybody's.
    #[must_use]
    pub fn given_out(&self, kind: SubjectKind) -> Option<Arc<Vec<u32>>> {
        self.given_out.as_ref().map(|of| of.get(&kind).cloned().unwrap_or_default())
    }

    /// The dossiers of a kind, one stream per thread: column `id`, then one per fact that was asked for, named
    /// by it, and `<name>!conflict` for facts that registers may disagree about. Ordered by identifier; the streams take
    /// turns batch by batch.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn stream(&self, kind: SubjectKind) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
        stream::stream(self, kind, None)
    }

    /// The dossiers of a kind as [`Dossiers::stream`] gives them, with the columns of some facts only; facts that are not here
    /// are left out.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn stream_of(&self, kind: SubjectKind, facts: &BTreeSet<FactId>) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
        stream::stream(self, kind, Some(facts))
    }

    /// Some facts of some subjects, one row each in the order asked for; columns as in [`Dossiers::stream`]. Identifiers that
    /// no subject has are left out.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn chosen(&self, kind: SubjectKind, facts: &BTreeSet<FactId>, ids: &[&str]) -> Result<RecordBatch, DossierError> {
        stream::chosen(self, kind, facts, ids)
    }

    /// The rows of a link that were read and lead from some subjects, each beside some facts of whom it leads to; none that were known.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn led(
        &self,
        link: usize,
        (from, to): (SubjectKind, SubjectKind),
        facts: &BTreeSet<FactId>,
        ids: &[&str],
    ) -> Result<Led, DossierError> {
        stream::led(self, link, (from, to), facts, ids)
    }

    /// The rows that the occasions of a policy come from, of the subjects named: column `id` (the subject), then those of the
    /// joined schema that were asked for.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn rows<'a>(&self, each: usize, ids: impl IntoIterator<Item = &'a str>) -> Result<Vec<SendableRecordBatchStream>, DossierError> {
        stream::each(self, each, ids)
    }
}
