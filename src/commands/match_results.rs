//! The second half of `match`: findings resolved, written complete or not at all, and summed up for the terminal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chrono::NaiveDate;
use rayon::prelude::*;
use serde_json::json;

use super::Context;
use super::folder::PolicyFolder;
use super::match_registers::Args;
use super::match_store::{Stored, Target};
use super::progress::Bar;
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::diagnostic::{Diagnostic, Lang, Message, code};
use crate::dossier::{Cause, DossierError, Dossiers};
use crate::eligibility::given_registers::{read_paid, read_refusals};
use crate::eligibility::grant::{ConflictRow, Resolution};
use crate::eligibility::input::{Paid, Refusals, ResolutionInput, budget};
use crate::eligibility::resolution::resolve;
use crate::eligibility::results::changes::compare;
use crate::eligibility::results::manifest::{
    Engine, Input, InputFile, LedgerState, MANIFEST, Manifest, PolicyVersion, ResultFile, RunCounts, TIMINGS, input_file, sha256_of,
};
use crate::eligibility::results::staging::Staging;
use crate::eligibility::results::{Format, Previous, QuarantineRow, read_grants, write};
use crate::eligibility::run::{Found, conflicts};
use crate::register::declaration::SubjectKind;
use crate::register::{ReadOutcome, Sources};
use crate::report::{Align, Table, amount, count};

/// What the second half needs.
pub struct Request<'a> {
    /// Arguments.
    pub args: &'a Args,
    /// Language and colour.
    pub context: &'a Context,
    /// The day.
    pub as_of: NaiveDate,
    /// Policies, regions, registers.
    pub folder: &'a PolicyFolder,
    /// Facts.
    pub catalogue: &'a Catalogue,
    /// What policies are bound to.
    pub binder: &'a Binder<'a>,
    /// The policies of the run, sorted by code.
    pub policies: &'a [CheckedPolicy],
    /// Where registers are; none for a run on a dossier file.
    pub sources: Option<&'a Sources>,
    /// Progress.
    pub bar: &'a Bar,
    /// When the run began.
    pub started: Instant,
    /// Seconds until everything was loaded.
    pub loaded: f64,
    /// Whether to stop.
    pub cancel: &'a Cancel,
}

/// A run that was written.
pub struct Finished {
    /// For the terminal.
    pub summary: String,
    /// Rows and cells in quarantine.
    pub quarantined: u64,
    /// Conflicts.
    pub conflicts: u64,
}

/// Resolves, writes and sums up.
///
/// # Errors
///
/// When payments or the earlier run cannot be read, or results cannot be written.
pub fn finish(request: &Request<'_>, found: Found, staging: Option<Staging>, target: Option<Target>) -> Result<Finished, Diagnostic> {
    let Found { findings, dossiers, whole_register_unknown, fact_registers, mut seconds, needed } = found;
    seconds.insert(0, ("load_policies", request.loaded));
    request.bar.stage(Message::new("决议与写出", "resolving and writing"), None);
    #[expect(clippy::disallowed_methods, reason = "how long a stage takes is told")]
    let resolving = Instant::now();
    let Beside { registers, paid, refusals, conflicts, ledger } = beside(request, dossiers.as_ref(), needed.as_ref(), target.as_ref())?;
    let silent = dossiers.as_ref().map(|dossiers| dossiers.silent.clone()).unwrap_or_default();
    let of_snapshot = |dossiers: &Dossiers| (dossiers.intake.taken.len(), dossiers.intake.unseen.len());
    let taken = dossiers.as_ref().filter(|_| request.args.snapshot.is_some()).map(of_snapshot);
    // Their files are many and large: where no store wants them, they go while the rest is worked on.
    let (kept, removed) = if target.is_some() { (dossiers, None) } else { (None, dossiers) };
    let _removing = Removing(Some(std::thread::spawn(move || drop(removed))));
    let budgets: Vec<Option<i64>> = request.policies.iter().map(|policy| budget(policy, request.binder)).collect();
    let input = ResolutionInput {
        policies: request.policies,
        budgets: &budgets,
        as_of: request.as_of,
        paid: &paid,
        refusals: &refusals,
        conflicts: &conflicts,
        whole_register_unknown: &whole_register_unknown,
        fact_registers: &fact_registers,
    };
    let mut resolution = resolve(&findings, &input);
    drop((paid, refusals, conflicts));
    only_chosen(&mut resolution, request);
    let changes = match &request.args.since {
        Some(since) => {
            let mut before = read_grants(since)?;
            let Previous { rows, words, .. } = &mut before;
            rows.retain(|row| is_chosen(request, words.get(row.policy)));
            Some(compare(&before, &resolution))
        }
        None => None,
    };
    let quarantine = quarantine_rows(&registers);
    seconds.push(("resolve", resolving.elapsed().as_secs_f64()));
    if request.cancel.is_cancelled() {
        return Err(DossierError::Cancelled.into_diagnostic());
    }
    #[expect(clippy::disallowed_methods, reason = "how long a stage takes is told")]
    let writing = Instant::now();
    let format: Format = request.args.format.into();
    let (inputs, results) = rayon::join(
        || inputs(request, &registers, &silent),
        || match &staging {
            Some(staging) => write(staging, format, request.as_of, &resolution, changes.as_deref(), &quarantine),
            None => Ok(BTreeMap::new()),
        },
    );
    let results = results?;
    let inputs = inputs?;
    let counts = RunCounts::of(&findings, &resolution);
    let manifest = Manifest { ledger, ..manifest(request, inputs, counts, results) };
    if let Some(staging) = &staging {
        staging.write_json(MANIFEST, &manifest)?;
    }
    seconds.push(("write", writing.elapsed().as_secs_f64()));
    let filled = match (target, &kept) {
        (Some(target), Some(dossiers)) => {
            #[expect(clippy::disallowed_methods, reason = "how long a stage takes is told")]
            let filling = Instant::now();
            let quarantine = quarantine.as_slice();
            let what = Stored {
                dossiers,
                resolution: &resolution,
                whole_register_unknown: &whole_register_unknown,
                manifest: &manifest,
                quarantine,
            };
            let filled = target.fill(request, &what)?;
            seconds.push(("store", filling.elapsed().as_secs_f64()));
            Some(filled)
        }
        _ => None,
    };
    seconds.push(("total", request.started.elapsed().as_secs_f64()));
    let rows_read: u64 = match request.sources {
        Some(_) => registers.values().map(|outcome| outcome.rows_read).sum(),
        None => findings.judged.iter().sum(),
    };
    let timings: serde_json::Map<String, serde_json::Value> =
        seconds.iter().map(|(stage, seconds)| ((*stage).to_owned(), json!((seconds * 1000.0).round() / 1000.0))).collect();
    if let Some(staging) = staging {
        staging.write_json(TIMINGS, &json!({"seconds": timings, "rows_read": rows_read, "peak_memory_bytes": peak_memory()}))?;
        staging.finish()?;
    }
    // Last, so that nobody reads of a run whose files did not come.
    let stored = filled.map(|filled| filled.publish(request)).transpose()?;
    let quarantined = registers.values().map(|outcome| outcome.quarantine.rows() + outcome.quarantine.cells()).sum();
    let places = Places { stored: stored.as_deref() };
    let summary = summary(request, &resolution, &manifest, &silent, (quarantined, rows_read), taken, &places);
    Ok(Finished { summary, quarantined, conflicts: manifest.counts.conflicts })
}

/// What is read beside the dossiers.
#[derive(Default)]
struct Beside {
    registers: BTreeMap<String, ReadOutcome>,
    paid: Paid,
    refusals: Refusals,
    conflicts: Vec<ConflictRow>,
    ledger: Option<LedgerState>,
}

/// Payments, refusals and conflicts, with what the cases of the store say of them; nothing for a run on a dossier file.
fn beside(
    request: &Request<'_>,
    dossiers: Option<&Dossiers>,
    needed: Option<&BTreeSet<FactId>>,
    target: Option<&Target>,
) -> Result<Beside, Diagnostic> {
    let (Some(dossiers), Some(sources)) = (dossiers, request.sources) else { return Ok(Beside::default()) };
    let (identities, declared) = (&dossiers.intake.identities, &request.folder.registers);
    let mut registers: BTreeMap<String, ReadOutcome> = BTreeMap::new();
    let (mut paid, outcome) = read_paid(declared, sources, request.binder, identities).map_err(|told| *told)?;
    registers.extend(outcome);
    let (mut refusals, outcome) = read_refusals(declared, sources, request.binder, identities).map_err(|told| *told)?;
    registers.extend(outcome);
    registers.extend(dossiers.intake.registers.iter().map(|(name, outcome)| (name.clone(), outcome.clone())));
    let mut found = conflicts(dossiers, request.catalogue, needed);
    let mut ledger = None;
    if let Some(target) = target {
        let (said, state) = target.said(identities, request.as_of)?;
        said.beside(&mut paid, &mut refusals, &mut found);
        ledger = state;
    }
    Ok(Beside { registers, paid, refusals, conflicts: found, ledger })
}

fn manifest(request: &Request<'_>, inputs: BTreeMap<String, Input>, counts: RunCounts, results: BTreeMap<String, ResultFile>) -> Manifest {
    let version = |policy: &CheckedPolicy| {
        let document = &policy.document;
        let version = PolicyVersion { version: document.version, name: document.name.zh.clone(), sha256: document.sha256.clone() };
        (document.code.clone(), version)
    };
    Manifest {
        engine: Engine::this(),
        as_of: request.as_of.to_string(),
        known_at: request.args.known_at.map(|day| day.to_string()),
        options: options(request),
        inputs,
        policies: request.policies.iter().map(version).collect(),
        parameters_sha256: sha256_of(format!("{:?}", canonical_parameters(request.folder)).as_bytes()),
        ledger: None,
        counts,
        results,
    }
}

/// Dossiers that are being removed; waited for when dropped.
struct Removing(Option<std::thread::JoinHandle<()>>);

impl Drop for Removing {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            let _ = thread.join();
        }
    }
}

/// Whether a policy is told: all are, unless `--policy` chooses some.
fn is_chosen(request: &Request<'_>, policy: &str) -> bool {
    request.args.policy.is_empty() || request.args.policy.iter().any(|code| code == policy)
}

/// With `--policy`, what the chosen policies rest on is judged too, but not told.
fn only_chosen(resolution: &mut Resolution<'_>, request: &Request<'_>) {
    if request.args.policy.is_empty() {
        return;
    }
    let chosen: BTreeSet<u32> =
        (0_u32..).zip(&resolution.policies).filter(|(_, policy)| is_chosen(request, &policy.code)).map(|(index, _)| index).collect();
    resolution.grants.retain(|row| chosen.contains(&row.policy));
    resolution.given.retain(|row| chosen.contains(&row.policy));
    resolution.offers.retain(|row| chosen.contains(&row.policy));
    resolution.unknowns.retain(|row| chosen.contains(&row.policy));
    resolution.coverage.retain(|row| chosen.contains(&row.policy));
    resolution.funnel.retain(|row| chosen.contains(&row.policy));
}

fn quarantine_rows(registers: &BTreeMap<String, ReadOutcome>) -> Vec<QuarantineRow> {
    registers
        .values()
        .flat_map(|outcome| &outcome.quarantine.entries)
        .map(|entry| QuarantineRow {
            register: Arc::clone(&entry.register),
            file: file_name(&entry.file).into(),
            row: entry.row,
            column: Some(Arc::clone(&entry.column)).filter(|column| !column.is_empty()),
            value: Some(entry.value.as_str().into()),
            reason: entry.reason.code().into(),
        })
        .collect()
}

/// The last parts of a path: results do not depend on where the registers lie.
fn file_name(path: &str) -> String {
    Path::new(path).file_name().map_or_else(|| path.to_owned(), |name| name.to_string_lossy().into_owned())
}

fn options(request: &Request<'_>) -> BTreeMap<String, serde_json::Value> {
    let args = request.args;
    let format: Format = args.format.into();
    let mut options = BTreeMap::from([("format".to_owned(), json!(format.name()))]);
    if let Some(region) = &args.region {
        options.insert("region".to_owned(), json!(region));
    }
    if !args.policy.is_empty() {
        options.insert("policy".to_owned(), json!(args.policy));
    }
    if !args.allow_missing.is_empty() {
        options.insert("allow_missing".to_owned(), json!(args.allow_missing));
    }
    if args.counts_only {
        options.insert("counts_only".to_owned(), json!(true));
    }
    options
}

fn inputs(
    request: &Request<'_>,
    registers: &BTreeMap<String, ReadOutcome>,
    silent: &BTreeMap<String, Cause>,
) -> Result<BTreeMap<String, Input>, Diagnostic> {
    let unreadable = |path: &Path, error: &std::io::Error| {
        let path = path.display();
        Diagnostic::new(&code::FILE_UNREADABLE, format!("读不了 {path}: {error}"), format!("cannot read {path}: {error}"))
    };
    if let Some(path) = &request.args.dossiers {
        let files = if path.is_file() {
            vec![input_file(path, file_name(&path.to_string_lossy())).map_err(|error| unreadable(path, &error))?]
        } else {
            Vec::new()
        };
        return Ok(BTreeMap::from([("dossiers".to_owned(), Input { files, ..Input::default() })]));
    }
    let root = request.args.sources.parent().unwrap_or(Path::new("")).to_owned();
    let mut inputs = registers
        .par_iter()
        .map(|(name, outcome)| {
            let files = outcome
                .files
                .iter()
                .map(|file| {
                    let name = file.path.strip_prefix(&root).unwrap_or(&file.path).to_string_lossy();
                    match &file.sha256 {
                        Some(sha256) => Ok(InputFile { path: name.into(), bytes: file.bytes, sha256: sha256.clone() }),
                        None => input_file(&file.path, name).map_err(|error| unreadable(&file.path, &error)),
                    }
                })
                .collect::<Result<Vec<_>, _>>()?;
            let quarantined = outcome.quarantine.rows() + outcome.quarantine.cells();
            let input = Input { files, data_day: Some(outcome.data_day.to_string()), rows: outcome.rows_read, quarantined };
            Ok((name.clone(), input))
        })
        .collect::<Result<BTreeMap<_, _>, Diagnostic>>()?;
    for name in silent.iter().filter(|(_, cause)| **cause == Cause::Missing).map(|(name, _)| name) {
        inputs.entry(name.clone()).or_default();
    }
    Ok(inputs)
}

/// Name, region, period, value of every parameter value, in the order of the files' names.
fn canonical_parameters(folder: &PolicyFolder) -> Vec<(String, String, NaiveDate, Option<NaiveDate>, i64, u8)> {
    let mut all: Vec<_> = folder
        .set
        .parameters
        .iter()
        .flat_map(|parameter| {
            parameter
                .values
                .iter()
                .map(|value| (parameter.name.clone(), value.region.clone(), value.from, value.to, value.digits, value.scale))
        })
        .collect();
    all.sort();
    all
}

/// The most memory that the process has held so far, in bytes, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}

/// Where a run went.
struct Places<'a> {
    /// The store, and which run of it.
    stored: Option<&'a str>,
}

/// What a person wants to read at the end.
fn summary(
    request: &Request<'_>,
    resolution: &Resolution<'_>,
    manifest: &Manifest,
    silent: &BTreeMap<String, Cause>,
    (quarantined, rows_read): (u64, u64),
    taken: Option<(usize, usize)>,
    places: &Places<'_>,
) -> String {
    let context = request.context;
    let pick = |zh: &'static str, en: &'static str| context.pick(zh, en);
    let mut table = Table::new(&[
        (pick("编码", "code"), Align::Left),
        (pick("政策事项", "policy"), Align::Left),
        (pick("对象", "subject"), Align::Left),
        (pick("符合", "yes"), Align::Right),
        (pick("未知", "unknown"), Align::Right),
        (pick("已享受", "given"), Align::Right),
        (pick("待发放", "grants"), Align::Right),
        (pick("轮候", "waiting"), Align::Right),
        (pick("承诺项", "offers"), Align::Right),
        (pick("金额(元)", "amount (CNY)"), Align::Right),
    ]);
    let mut totals = [0_u64; 6];
    let mut money = 0_i64;
    for (index, policy) in (0_u32..).zip(&resolution.policies) {
        let rows = resolution.coverage.iter().filter(|row| row.policy == index);
        if !is_chosen(request, &policy.code) {
            continue;
        }
        let mut sums = [0_u64; 6];
        let mut sum = 0_i64;
        for row in rows {
            for (total, value) in sums.iter_mut().zip([row.yes, row.unknown, row.given, row.granted, row.waitlisted, row.offers]) {
                *total += value;
            }
            sum = sum.saturating_add(row.amount);
        }
        totals.iter_mut().zip(sums).for_each(|(total, value)| *total += value);
        money = money.saturating_add(sum);
        let mut cells =
            vec![policy.code.to_string(), context.say(&policy.name).to_owned(), subject_word(policy.kind, context.lang).to_owned()];
        cells.extend(sums.iter().map(|value| count(*value)));
        cells.push(amount(sum));
        table.push(cells);
    }
    let mut last = vec![pick("合计", "total").to_owned(), String::new(), String::new()];
    last.extend(totals.iter().map(|value| count(*value)));
    last.push(amount(money));
    table.total = Some(last);
    let judged: Vec<String> = SubjectKind::ALL
        .iter()
        .filter_map(|kind| {
            let number = manifest.counts.judged.get(kind.name()).copied().filter(|number| *number > 0)?;
            Some(format!("{} {}", count(number), subject_word(*kind, context.lang)))
        })
        .collect();
    let mut text = format!(
        "{} {} · {} {} · {}\n\n{}\n",
        pick("判定日", "as of"),
        manifest.as_of,
        count(resolution.policies.iter().filter(|policy| is_chosen(request, &policy.code)).count() as u64),
        pick("项政策", "policies"),
        judged.join(", "),
        table.render(None, context.color)
    );
    let mut facts = vec![
        (pick("读取记录", "rows read"), count(rows_read)),
        (pick("隔离", "quarantined"), count(quarantined)),
        (pick("数据冲突", "conflicts"), count(manifest.counts.conflicts)),
    ];
    let of_all = |(taken, all): (usize, usize)| (pick("取自快照的登记库", "registers from the snapshot"), format!("{taken}/{all}"));
    facts.extend(taken.map(of_all));
    facts.extend(request.args.out_dir().map(|out| (pick("结果", "results"), out.display().to_string())));
    facts.extend(places.stored.map(|stored| (pick("存储", "store"), stored.to_owned())));
    let line: Vec<String> = facts.iter().map(|(label, value)| format!("{label} {value}")).collect();
    text.push_str(&format!("{}\n", line.join(" · ")));
    for (register, cause) in silent {
        let label = request.folder.registers.registers.get(register).map_or(register.as_str(), |declared| context.say(&declared.label));
        text.push_str(&match cause {
            Cause::Stale => format!(
                "{} {label} ({register}): {}\n",
                pick("注意:", "note:"),
                pick("数据过期, 其事实为未知", "out of date, its facts are unknown")
            ),
            _ => format!(
                "{} {label} ({register}): {}\n",
                pick("注意:", "note:"),
                pick("有意缺席, 其事实为未知", "absent on purpose, its facts are unknown")
            ),
        });
    }
    text
}

fn subject_word(kind: SubjectKind, lang: Lang) -> &'static str {
    match (kind, lang) {
        (SubjectKind::Person, Lang::Zh) => "个人",
        (SubjectKind::Household, Lang::Zh) => "家庭",
        (SubjectKind::Entity, Lang::Zh) => "法人",
        (SubjectKind::Person, Lang::En) => "person",
        (SubjectKind::Household, Lang::En) => "household",
        (SubjectKind::Entity, Lang::En) => "entity",
    }
}
