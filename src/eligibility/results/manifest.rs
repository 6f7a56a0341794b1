//! What a run was: inputs with hashes, policies with versions, counts, results. No times, no machine, no absolute paths:
//! the same run gives the same bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::finding::Findings;
use super::super::grant::{Resolution, Status, amount_text};
use crate::hex;
use crate::register::declaration::SubjectKind;

/// The name of the manifest's file; a directory that has one holds a run.
pub const MANIFEST: &str = "manifest.json";

/// The name of the file with durations, the only one that differs between two equal runs.
pub const TIMINGS: &str = "timings.json";

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What ran.
    pub engine: Engine,
    /// The day that the verdicts are about, `2026-06-30`.
    pub as_of: String,
    /// The law as it was known on this day; none: everything in the policies folder.
    pub known_at: Option<String>,
    /// Choices that change results: region, policies, registers that may be missing, format.
    pub options: BTreeMap<String, serde_json::Value>,
    /// Registers, by name.
    pub inputs: BTreeMap<String, Input>,
    /// Policies, by code.
    pub policies: BTreeMap<String, PolicyVersion>,
    /// SHA-256 of all parameters in their canonical text.
    pub parameters_sha256: String,
    /// The state of the ledger that was read beside the registers; none: no store, or one without cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<LedgerState>,
    /// What came out.
    pub counts: RunCounts,
    /// Result files, by name.
    pub results: BTreeMap<String, ResultFile>,
}

/// What ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engine {
    /// `mianshen`
    pub name: String,
    /// Version.
    pub version: String,
}

impl Engine {
    /// This program.
    #[must_use]
    pub fn this() -> Self {
        Self { name: env!("CARGO_PKG_NAME").to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// One register as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its files, in the order read. None for a register that was absent on purpose.
    pub files: Vec<InputFile>,
    /// The day that the delivery speaks for.
    pub data_day: Option<String>,
    /// Rows taken.
    pub rows: u64,
    /// Rows in quarantine.
    pub quarantined: u64,
}

/// One file of a register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Path relative to the sources file.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the content.
    pub sha256: String,
}

/// The ledger of cases as it was read: the newest event, which stands for all before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerState {
    /// Its number: so many events were written by then.
    pub event: u64,
    /// Its hash (SM3), which chains all events before it.
    pub hash: String,
    /// Whether nothing was written while the cases were read. If not, some may be read as they were a moment later.
    pub at_rest: bool,
}

/// One policy as it was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// Version.
    pub version: i64,
    /// Name in Chinese.
    pub name: String,
    /// SHA-256 of its file.
    pub sha256: String,
}

/// What came out of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunCounts {
    /// Subjects judged, by kind.
    pub judged: BTreeMap<String, u64>,
    /// Verdicts, all policies together.
    pub yes: u64,
    /// Verdicts.
    pub no: u64,
    /// Verdicts.
    pub unknown: u64,
    /// Of the unknown verdicts, those that stand only as data requests about a whole register.
    pub unknown_told_once: u64,
    /// Grants to be delivered.
    pub granted: u64,
    /// Grants that wait for money.
    pub waitlisted: u64,
    /// Grants refused by their subject.
    pub refused: u64,
    /// Yes verdicts already paid, by row.
    pub given: u64,
    /// Offers.
    pub offers: u64,
    /// Conflicts.
    pub conflicts: u64,
    /// Per policy: grants to be delivered and their sum in the policy's unit.
    pub by_policy: BTreeMap<String, PolicyCounts>,
}

/// What came out for one policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyCounts {
    /// Subjects judged yes.
    pub yes: u64,
    /// Subjects judged no.
    pub no: u64,
    /// Subjects judged unknown.
    pub unknown: u64,
    /// Grants to be delivered.
    pub granted: u64,
    /// Their sum, with two places.
    pub amount: String,
    /// Its unit.
    pub unit: String,
}

/// One result file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFile {
    /// Rows.
    pub rows: u64,
    /// Size.
    pub bytes: u64,
    /// SHA-256 of the content.
    pub sha256: String,
}

impl RunCounts {
    /// The counts of a run.
    #[must_use]
    pub fn of(findings: &Findings, resolution: &Resolution<'_>) -> Self {
        let status = |status| resolution.grants.iter().filter(|grant| grant.status == status).count() as u64;
        let mut counts = Self {
            judged: SubjectKind::ALL.iter().map(|kind| (kind.name().to_owned(), findings.judged[*kind as usize])).collect(),
            unknown_told_once: resolution.unknowns_told_once,
            granted: status(Status::Granted),
            waitlisted: status(Status::Waitlisted),
            refused: status(Status::Refused),
            given: resolution.given.len() as u64,
            offers: resolution.offers.len() as u64,
            conflicts: resolution.conflicts.len() as u64,
            ..Self::default()
        };
        let mut sums = vec![0_i64; resolution.policies.len()];
        let mut by_policy = vec![PolicyCounts::default(); resolution.policies.len()];
        for row in &resolution.coverage {
            let policy = &mut by_policy[row.policy as usize];
            policy.yes += row.yes;
            policy.no += row.no;
            policy.unknown += row.unknown;
            policy.granted += row.granted;
            sums[row.policy as usize] = sums[row.policy as usize].saturating_add(row.amount);
            counts.yes += row.yes;
            counts.no += row.no;
            counts.unknown += row.unknown;
        }
        for ((summary, policy), sum) in resolution.policies.iter().zip(by_policy).zip(sums) {
            let policy = PolicyCounts { amount: amount_text(sum), unit: summary.unit.to_string(), ..policy };
            counts.by_policy.insert(summary.code.to_string(), policy);
        }
        counts
    }
}

/// Size and SHA-256 of a file, and the name that the manifest gives it.
///
/// # Errors
///
/// When the file cannot be read.
pub fn input_file(path: &Path, name: impl Into<String>) -> io::Result<InputFile> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut bytes = 0;
    loop {
        let n_read = file.read(&mut buffer)?;
        if n_read == 0 {
            return Ok(InputFile { path: name.into(), bytes, sha256: hex::digits(&hash.finalize()) });
        }
        hash.update(&buffer[..n_read]);
        bytes += n_read as u64;
    }
}

/// SHA-256 of a text.
#[must_use]
pub fn sha256_of(text: &[u8]) -> String {
    hex::digits(&Sha256::digest(text))
}
