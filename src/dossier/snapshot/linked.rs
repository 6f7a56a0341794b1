//! What links gave, kept by what it was made of: the rows of the link and the columns at its other end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use super::record::{Held, LinkedRecord, Part};
use super::{Snapshot, asked, lock, parts, stays};
use crate::check::catalogue::FactId;
use crate::dossier::build::{Request, type_of};
use crate::dossier::levels::{Made, conflict_of};
use crate::dossier::plan::{Plan, Source};
use crate::dossier::rows::Purpose;
use crate::dossier::{Cause, DossierError};
use crate::register::declaration::SubjectKind;

/// By which digest the column of a fact is known; facts of which that is not known are left out.
pub(in crate::dossier) type MadeOf = BTreeMap<FactId, String>;

/// What the digests of facts are reckoned from.
struct Reckoning<'a> {
    snapshot: &'a Snapshot,
    plan: &'a Plan,
    silent: &'a BTreeMap<String, Cause>,
    request: &'a Request<'a>,
    made_of: MadeOf,
}

impl Snapshot {
    /// By which digests the columns of a plan are known, after all registers gave what they give.
    pub(in crate::dossier) fn made_of(&self, plan: &Plan, silent: &BTreeMap<String, Cause>, request: &Request<'_>) -> MadeOf {
        let mut reckoning = Reckoning { snapshot: self, plan, silent, request, made_of: MadeOf::new() };
        let mut facts: Vec<(usize, FactId)> = plan.facts.iter().map(|(id, planned)| (planned.level, *id)).collect();
        facts.sort_unstable();
        for (_, id) in facts {
            if let Some(digest) = reckoning.digest(id) {
                reckoning.made_of.insert(id, digest);
            }
        }
        reckoning.made_of
    }

    /// Puts what links gave among what is made, where it is held; gives back the facts that are still to be made.
    ///
    /// # Errors
    ///
    /// When a column cannot be put there.
    pub(in crate::dossier) fn take_linked(
        &self,
        plan: &Plan,
        made_of: &MadeOf,
        made: &mut Made,
        request: &Request<'_>,
    ) -> Result<BTreeSet<FactId>, DossierError> {
        let linked = made_of.iter().filter(|(id, _)| is_linked(plan, **id));
        let held: Vec<(FactId, &LinkedRecord)> = linked.filter_map(|(id, digest)| Some((*id, self.held.linked.get(digest)?))).collect();
        let column = |part: &Part| self.taken(part, parts::column, request);
        let taken: Vec<_> = held
            .into_par_iter()
            .filter_map(|(id, held)| {
                let conflict = match &held.conflict {
                    Some(part) => Some(column(part)?),
                    None => None,
                };
                Some((id, column(&held.held.part)?, conflict))
            })
            .collect();
        let mut wanted: BTreeSet<FactId> = plan.facts.keys().copied().collect();
        for (id, value, conflict) in taken {
            let name = request.catalogue.fact(id).name.to_string();
            if conflict.is_some() {
                made.conflicting.insert(id);
            }
            let columns = conflict.map(|conflict| (conflict_of(&name), conflict)).into_iter().chain([(name, value)]);
            made.columns.insert(id.kind, columns.collect())?;
            wanted.remove(&id);
        }
        Ok(wanted)
    }

    /// Keeps what links gave, and what is held of facts that this build had no part of.
    pub(in crate::dossier) fn keep_linked(&self, plan: &Plan, made_of: &MadeOf, made: &Made, request: &Request<'_>) {
        let today = self.today();
        let fact = |id: FactId| format!("{}.{}", id.kind, request.catalogue.fact(id).name);
        let is_there = |held: &LinkedRecord| self.has(&held.held.part) && held.conflict.as_ref().is_none_or(|part| self.has(part));
        let written = |id: FactId, name: &str| {
            let column = made.columns.get(id.kind, name).ok().flatten()?;
            let bytes = parts::of_column(name, &column).map_err(std::io::Error::other);
            self.written(|dir: &Path| parts::write(dir, &format!("linked.{}.{name}", id.kind), "arrow", &bytes?))
        };
        let linked: Vec<(&FactId, &String)> = made_of.iter().filter(|(id, _)| is_linked(plan, **id)).collect();
        let kept: Vec<(String, LinkedRecord)> = linked
            .into_par_iter()
            .filter_map(|(&id, digest)| {
                if let Some(held) = self.held.linked.get(digest).filter(|held| is_there(held)) {
                    let held = LinkedRecord { held: Held { idle: 0, ..held.held.clone() }, ..held.clone() };
                    return Some((digest.clone(), held));
                }
                let name = &*request.catalogue.fact(id).name;
                let is_contested = made.conflicting.contains(&id);
                let conflict = if is_contested { Some(written(id, &conflict_of(name))?) } else { None };
                let among = today.get_key_value(id.kind.name()).map(|(kind, index)| (kind.clone(), index.clone()));
                let held = Held { part: written(id, name)?, among: among.into_iter().collect(), idle: 0 };
                Some((digest.clone(), LinkedRecord { fact: fact(id), held, conflict }))
            })
            .collect();
        let mut all: BTreeMap<String, LinkedRecord> = kept.into_iter().collect();
        // Of a fact that was made of something else, only what is made now stays.
        let anew: BTreeSet<String> = made_of.keys().filter(|id| is_linked(plan, **id)).map(|id| fact(*id)).collect();
        for (digest, held) in &self.held.linked {
            if let Some(stays) = stays(&held.held, false, &today).filter(|_| !anew.contains(&held.fact)) {
                all.entry(digest.clone()).or_insert_with(|| LinkedRecord { held: stays, ..held.clone() });
            }
        }
        lock(&self.next).linked = all;
    }
}

fn is_linked(plan: &Plan, id: FactId) -> bool {
    plan.facts.get(&id).is_some_and(|planned| !matches!(planned.source, Source::Rows { .. }))
}

impl Reckoning<'_> {
    fn digest(&self, id: FactId) -> Option<String> {
        let catalogue = &self.request.catalogue;
        let planned = self.plan.facts.get(&id)?;
        let (ty, scale) = type_of(catalogue, id);
        let name = &catalogue.fact(id).name;
        let made = match &planned.source {
            Source::Rows { register, agrees_with, .. } => {
                let mut made = self.column(register, &Purpose::Fact(id), id)?;
                for (other, _) in agrees_with {
                    made += &self.column(other, &Purpose::OtherLeast(id, other.clone()), id)?;
                    made += &self.column(other, &Purpose::OtherGreatest(id, other.clone()), id)?;
                }
                made
            }
            Source::LinkEnd { link } => self.link(*link)?,
            Source::Linked { link, fact } => format!("{}\n{}", self.link(*link)?, self.made_of.get(fact)?),
            Source::LinkedAggregate { link, rows } => {
                let declared = &catalogue.registers.links[*link];
                let columns = catalogue.rows.get(&declared.register).map_or(0, Vec::len);
                let (text, facts) = asked::aggregate(rows, columns);
                let facts = facts.into_iter().map(|index| self.made_of.get(&FactId { kind: declared.to, index }).cloned());
                let settings = self.snapshot.settings(&catalogue.registers.registers[&declared.register], self.request)?;
                format!("{}\n{text}\n{:?}\n{settings}", self.link(*link)?, facts.collect::<Option<Vec<_>>>()?)
            }
        };
        Some(asked::digest(&format!("{name} {} {ty:?} {scale}\n{made}", self.index(id.kind)?)))
    }

    fn index(&self, kind: SubjectKind) -> Option<String> {
        lock(&self.snapshot.indices).get(&kind).cloned()
    }

    /// A column that a register gave; a word where it gives none, because it is silent.
    fn column(&self, register: &str, purpose: &Purpose, of: FactId) -> Option<String> {
        if self.silent.contains_key(register) {
            return Some(format!("silent {register}\n"));
        }
        let name = asked::name(purpose, self.request.catalogue);
        lock(&self.snapshot.columns).get(&(of.kind, name)).map(|digest| format!("{digest}\n"))
    }

    /// The rows of a link and the subjects at its ends; none where its register is silent, for then there is nothing to make.
    fn link(&self, link: usize) -> Option<String> {
        let declared = &self.request.catalogue.registers.links[link];
        if self.silent.contains_key(&declared.register) {
            return None;
        }
        let table = lock(&self.snapshot.tables).get(&link).cloned()?;
        Some(format!("{table} {} {}", self.index(declared.from)?, self.index(declared.to)?))
    }
}
