//! `mianshen explain --subject`: the reason for one subject of the registers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;

use super::Context;
use super::explain::Args;
use super::folder::PolicyFolder;
use super::match_registers::{all_cores, newest, start};
use super::progress::Bar;
use crate::check::CheckedPolicy;
use crate::check::catalogue::FactId;
use crate::check::ir::Value;
use crate::diagnostic::{Diagnostic, code, has_errors};
use crate::dossier::build::{Request, build};
use crate::dossier::{Cause, Dossiers, Options};
use crate::eligibility::compiled::{CompiledKind, compile};
use crate::eligibility::evaluate::RowReader;
use crate::explain::why::Why;
use crate::explain::{self, Known, Reason};
use crate::register::Sources;

/// The facts of one subject, as its dossier has them.
struct Row {
    values: BTreeMap<usize, Value>,
    conflicts: BTreeSet<usize>,
}

/// Explains a policy for a subject of the registers.
///
/// # Errors
///
/// When the folder has errors, the policy is not in force, a register cannot be read, or nobody has the identifier.
pub fn of_subject(folder: &PolicyFolder, args: &Args, subject: &str, context: &Context) -> Result<Reason, Vec<Diagnostic>> {
    if has_errors(&folder.diagnostics) {
        return Err(folder.diagnostics.clone());
    }
    let sources = Sources::load(&args.sources)?;
    let one = |diagnostic: Diagnostic| vec![diagnostic];
    let as_of = args.as_of.or_else(|| newest(&sources)).ok_or_else(|| {
        one(Diagnostic::new(&code::BAD_ARGUMENT, "缺少 --as-of", "--as-of is missing")
            .help("如 --as-of 2026-06-30", "such as --as-of 2026-06-30"))
    })?;
    let in_force = folder.in_force(as_of, None);
    let name = &args.policy;
    let policy = in_force.get(name).ok_or_else(|| {
        let (zh, en) =
            (format!("政策 {name} 在 {as_of} 不在有效期内, 或不存在"), format!("policy {name} is not in force on {as_of}, or unknown"));
        one(Diagnostic::new(&code::BAD_ARGUMENT, zh, en).did_you_mean(name, in_force.keys().map(String::as_str)))
    })?;
    let binder = folder.binder(as_of, None, &in_force);
    let mut catalogue = folder.checked.catalogue.clone();
    let kind = policy.document.subject;
    let policies: Vec<CheckedPolicy> = in_force.values().cloned().collect();
    let compiled = compile(kind, &policies, &mut catalogue, &binder, false).map_err(|told| one(*told))?;
    let (runtime, cancel) =
        start(all_cores(), context).map_err(|_| one(Diagnostic::new(&code::INTERNAL, "开不了线程", "threads cannot be started")))?;
    let bar = Arc::new(Bar::new(context));
    let options = Options { shards: 1, threads: all_cores(), memory: None, scratch: std::env::temp_dir() };
    let request = Request {
        catalogue: &mut catalogue,
        binder: &binder,
        facts: compiled.facts.clone(),
        kinds: vec![kind],
        each: Vec::new(),
        sources: &sources,
        allow_missing: &BTreeSet::new(),
        options,
        progress: Arc::clone(&bar) as Arc<dyn crate::diagnostic::progress::Progress>,
        cancel,
    };
    let found = runtime.block_on(async {
        let dossiers = build(request).await.map_err(|error| one(error.into_diagnostic()))?;
        let row = find(&dossiers, &compiled, subject).await?;
        Ok::<_, Vec<Diagnostic>>((dossiers, row))
    });
    bar.clear();
    let (dossiers, row) = found?;
    let cause = |id: FactId| {
        if row.conflicts.contains(&id.index) {
            return Some(Why::Conflict);
        }
        let stale = catalogue.registers_of(id).iter().any(|register| dossiers.silent.get(register) == Some(&Cause::Stale));
        Some(if stale { Why::Stale } else { Why::Missing })
    };
    let known = Known {
        value: &|id| (id.kind == kind).then(|| row.values.get(&id.index).cloned()).flatten(),
        taken: &|_| false,
        cause: &cause,
        data_day: &|register| dossiers.intake.registers.get(register).map(|outcome| outcome.data_day),
    };
    Ok(explain::explain(&catalogue, policy, &binder, known))
}

async fn find(dossiers: &Dossiers, compiled: &CompiledKind, subject: &str) -> Result<Row, Vec<Diagnostic>> {
    let wanted = dossiers.intake.identities.today(subject).unwrap_or(subject);
    let facts: Vec<usize> = compiled.facts.iter().map(|id| id.index).collect();
    let failed = |error: crate::dossier::DossierError| vec![error.into_diagnostic()];
    for mut stream in dossiers.stream(compiled.kind).map_err(failed)? {
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| failed(error.into()))?;
            let ids = arrow::array::AsArray::as_string::<i32>(batch.column(0));
            let Some(row) = ids.iter().position(|id| id == Some(wanted)) else { continue };
            let reader = RowReader::new(&compiled.schema, &facts, &batch).map_err(failed)?;
            let values = facts.iter().filter_map(|&fact| Some((fact, reader.value(fact, row)?))).collect();
            let conflicts = facts.iter().copied().filter(|&fact| reader.conflicts(fact, row)).collect();
            return Ok(Row { values, conflicts });
        }
    }
    let masked = crate::register::identifier::mask(subject);
    Err(vec![
        Diagnostic::new(
            &code::BAD_ARGUMENT,
            format!("登记库里没有 {masked}"),
            format!("nobody in the registers has the identifier {masked}"),
        )
        .help("检查标识和政策的服务对象", "check the identifier, and whose policy it is"),
    ])
}
