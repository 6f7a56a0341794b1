//! Dossiers of every fact that an edit may name, built once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::NaiveDate;

use super::Bench;
use crate::check::Checked;
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, Definition, FactId};
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::progress::{Cancel, Progress};
use crate::dossier::build::{EachRequest, Request, build};
use crate::dossier::{DossierError, Options};
use crate::eligibility::compiled::{CompiledKind, compile};
use crate::eligibility::given_registers::{read_paid, read_refusals};
use crate::eligibility::run::occasions_of;
use crate::register::declaration::SubjectKind;
use crate::register::sources::Sources;
use crate::simulate::Law;

/// What a bench is made of.
pub struct Holding<'a> {
    /// The law in force.
    pub law: Law<'a>,
    /// The facts that its policies were checked against.
    pub catalogue: &'a Catalogue,
    /// The day.
    pub as_of: NaiveDate,
    /// Where registers are.
    pub sources: &'a Sources,
    /// Registers that are absent on purpose.
    pub allow_missing: &'a BTreeSet<String>,
    /// How dossiers are built.
    pub options: Options,
    /// Who hears of progress.
    pub progress: Arc<dyn Progress>,
    /// When to stop.
    pub cancel: Cancel,
}

impl Bench {
    /// Builds dossiers of all declared facts that registers at hand give, of all links, and of the rows that occasions come from.
    ///
    /// # Errors
    ///
    /// When a policy does not compile, a register cannot be read, space or memory runs out, or the work is cancelled.
    pub async fn hold(holding: Holding<'_>) -> Result<Self, DossierError> {
        let Holding { law, catalogue, as_of, sources, allow_missing, options, progress, cancel } = holding;
        let mut catalogue = catalogue.clone();
        let in_force = law.in_force(as_of);
        let policies: Vec<CheckedPolicy> = in_force.values().cloned().collect();
        let binder = law.binder(as_of, &in_force);
        let compiled = SubjectKind::ALL.into_iter().map(|kind| compile(kind, &policies, &mut catalogue, &binder, false));
        let compiled: Vec<CompiledKind> = compiled.collect::<Result<_, _>>().map_err(DossierError::Told)?;
        let is_there = |register: &str| sources.get(register).is_some() || allow_missing.contains(register);
        let read = compiled.iter().flat_map(|compiled| compiled.facts.iter().copied());
        let facts: BTreeSet<FactId> = declared(&mut catalogue, &binder, &is_there).into_iter().chain(read).collect();
        let threads = options.threads;
        let dossiers = build(Request {
            facts,
            kinds: SubjectKind::ALL.into_iter().filter(|kind| is_there(crate::dossier::build::base_register(*kind))).collect(),
            each: occasions(&catalogue, &compiled, &is_there),
            catalogue: &mut catalogue,
            binder: &binder,
            sources,
            allow_missing,
            options,
            progress,
            cancel,
        })
        .await?;
        let identities = &dossiers.intake.identities;
        let paid = read_paid(&catalogue.registers, sources, &binder, identities).map_err(DossierError::Told)?.0;
        let refusals = read_refusals(&catalogue.registers, sources, &binder, identities).map_err(DossierError::Told)?.0;
        Ok(Self {
            as_of,
            known_at: law.known_at,
            documents: law.documents.to_vec(),
            checked: Checked { catalogue, policies: law.checked.to_vec() },
            parameters: law.parameters.to_vec(),
            regions: law.regions.clone(),
            dossiers,
            paid: Arc::new(paid),
            refusals: Arc::new(refusals),
            threads,
        })
    }
}

/// The facts that registers and links give, of which all facts of the catalogue are made, as far as the registers are at hand.
fn declared(catalogue: &mut Catalogue, binder: &Binder<'_>, is_there: &dyn Fn(&str) -> bool) -> BTreeSet<FactId> {
    let mut found = BTreeSet::new();
    for kind in SubjectKind::ALL {
        for index in 0..catalogue.facts(kind).len() {
            let id = FactId { kind, index };
            if matches!(catalogue.fact(id).definition, Definition::Pending | Definition::Given) {
                continue;
            }
            let fact = Expr::new(Kind::Fact(index), catalogue.fact(id).ty.ty);
            binder.bind(&catalogue.expand(&fact, kind, 0, &|_| false)).for_each_fact(&mut |index| {
                found.insert(FactId { kind, index });
            });
        }
    }
    found.retain(|id| catalogue.registers_of(*id).iter().all(|register| is_there(register)));
    found
}

/// The rows of all links, and those of registers that policies have occasions of, with all their columns.
fn occasions(catalogue: &Catalogue, compiled: &[CompiledKind], is_there: &dyn Fn(&str) -> bool) -> Vec<EachRequest> {
    let all = |register: &str| (0..catalogue.rows.get(register).map_or(0, Vec::len)).collect::<BTreeSet<usize>>();
    let links = catalogue.registers.links.iter().enumerate().map(|(at, link)| EachRequest {
        register: link.register.clone(),
        link: Some(at),
        columns: all(&link.register),
        kind: link.to,
        facts: BTreeSet::new(),
    });
    let mut by_source: BTreeMap<(String, Option<usize>), EachRequest> = BTreeMap::new();
    for request in links.chain(occasions_of(compiled)).filter(|request| is_there(&request.register)) {
        let columns = all(&request.register);
        let held = by_source.entry((request.register.clone(), request.link)).or_insert_with(|| EachRequest { columns, ..request.clone() });
        held.facts.extend(request.facts);
    }
    by_source.into_values().collect()
}
