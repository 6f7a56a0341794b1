//! Dossiers as they would be had a register not come, or come late: what rests on it is made anew, all else is shared.
//!
//! ```text
//! Dossiers (columns, links) ── facts of the register unknown, its links gone ── levels 1, 2, … of what rests on them ──▶ Dossiers
//! ```
//!
//! No register is read again. The result is that of building with the register absent (`allow_missing`), or stale.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{interleave, take};

use super::base::Base;
use super::build::base_register;
use super::levels::{Around, Levels, Made};
use super::plan::{Plan, Source};
use super::rows::Registers;
use super::{Cause, DossierError, Dossiers};
use crate::check::catalogue::{Aggregate, Catalogue, FactId};
use crate::register::declaration::SubjectKind;

/// What dossiers were made of, without the registers' rows.
#[derive(Debug)]
pub(super) struct Ground {
    pub(super) plan: Plan,
    /// What registers were read for.
    pub(super) registers: Registers,
    /// The subjects.
    pub(super) bases: BTreeMap<SubjectKind, Base>,
}

/// The subjects on whom registers disagree about a fact, which is unknown of them.
#[derive(Debug)]
pub(super) struct Contested {
    /// Their places, ascending.
    places: Vec<u32>,
    /// What the fact's own register says of each.
    values: ArrayRef,
    /// By register, whether it says otherwise, of each.
    by: BTreeMap<String, Vec<bool>>,
}

impl Contested {
    /// Of what the fact's own register says of everybody, whom registers disagree on, and which register on whom.
    ///
    /// # Errors
    ///
    /// When a place is beyond the column.
    pub(super) fn new(value: &ArrayRef, conflict: &BooleanBuffer, by: &BTreeMap<String, BooleanBuffer>) -> Result<Self, DossierError> {
        let places: Vec<usize> = conflict.set_indices().collect();
        let by = by.iter().map(|(register, says)| (register.clone(), places.iter().map(|&place| says.value(place)).collect())).collect();
        let places: Vec<u32> = places.into_iter().map(|place| u32::try_from(place).unwrap_or(u32::MAX)).collect();
        let values = take(value, &UInt32Array::from(places.clone()), None)?;
        Ok(Self { places, values, by })
    }

    /// The fact, and whether registers still disagree about it, when some registers say nothing. `before` is the fact as it
    /// was, unknown where they disagreed.
    ///
    /// # Errors
    ///
    /// When the columns do not fit each other.
    pub(super) fn without(&self, before: &ArrayRef, is_silent: impl Fn(&str) -> bool) -> Result<(ArrayRef, ArrayRef), DossierError> {
        let stays = |at: usize| self.by.iter().any(|(register, says)| says[at] && !is_silent(register));
        let mut from: Vec<(usize, usize)> = (0..before.len()).map(|place| (0, place)).collect();
        let mut conflict = vec![false; before.len()];
        for (at, place) in self.places.iter().map(|place| *place as usize).enumerate() {
            if stays(at) {
                conflict[place] = true;
            } else {
                from[place] = (1, at);
            }
        }
        let value = interleave(&[before.as_ref(), self.values.as_ref()], &from)?;
        Ok((value, Arc::new(BooleanArray::new(BooleanBuffer::from(conflict), None))))
    }
}

impl Dossiers {
    /// The same subjects' dossiers, had some registers not come ([`Cause::Missing`]) or been older than they promise
    /// ([`Cause::Stale`]). Registers that gave nothing already stay so.
    ///
    /// Without the register that lists the subjects of a kind there are no dossiers of that kind. Identifiers stay those of
    /// today: the register of changed identifiers is followed while others are read, and cannot be silenced afterwards.
    ///
    /// # Errors
    ///
    /// When arithmetic or writing fails, or the work is cancelled.
    pub fn silenced(&self, registers: &BTreeMap<String, Cause>, around: Around<'_>) -> Result<Self, DossierError> {
        let mut silent = self.silent.clone();
        let needed = self.rest_on(around.catalogue);
        for (register, cause) in registers.iter().filter(|(register, _)| needed.contains(*register)) {
            let known = silent.entry(register.clone()).or_insert(*cause);
            if *cause == Cause::Missing {
                *known = Cause::Missing;
            }
        }
        let is_gone = |register: &str| silent.get(register) == Some(&Cause::Missing);
        let register_of = |link: usize| around.catalogue.registers.links[link].register.as_str();
        let before = self.made.clone();
        let made = Made {
            links: before.links.into_iter().filter(|(link, _)| !is_gone(register_of(*link))).collect(),
            kept: before.kept.into_iter().filter(|(register, _)| !is_gone(register)).collect(),
            disagreements: before
                .disagreements
                .into_iter()
                .filter(|row| !silent.contains_key(&row.register) && !silent.contains_key(&row.other_register))
                .filter(|row| !is_unlisted(row.fact.kind, &silent))
                .collect(),
            ..before
        };
        let resting = resting(&self.ground.plan, around.catalogue, registers, &silent);
        let made = Levels::new(around, &self.ground, &silent, made).anew(&resting)?;
        Ok(Self {
            directory: Arc::clone(&self.directory),
            options: self.options.clone(),
            each: self.each.clone(),
            names: self.names.clone(),
            facts: self.facts.clone(),
            kinds: self.kinds.clone(),
            indices: self
                .indices
                .iter()
                .filter(|(kind, _)| !is_unlisted(**kind, &silent))
                .map(|(kind, index)| (*kind, Arc::clone(index)))
                .collect(),
            made,
            ground: Arc::clone(&self.ground),
            silent,
            intake: Arc::clone(&self.intake),
            given_out: self.given_out.clone(),
        })
    }
}

impl Dossiers {
    /// The registers that these dossiers were made of. Without another one they would be the same.
    #[must_use]
    pub fn rest_on(&self, catalogue: &Catalogue) -> BTreeSet<String> {
        let bases = self.indices.keys().map(|kind| base_register(*kind).to_owned());
        self.ground.plan.registers(catalogue).into_iter().chain(bases).chain(self.each.iter().map(|each| each.register.clone())).collect()
    }
}

/// Whether the register that lists the subjects of a kind did not come.
pub(super) fn is_unlisted(kind: SubjectKind, silent: &BTreeMap<String, Cause>) -> bool {
    silent.get(base_register(kind)) == Some(&Cause::Missing)
}

/// The facts of listed subjects that rest on some registers, directly or through others.
fn resting(plan: &Plan, catalogue: &Catalogue, registers: &BTreeMap<String, Cause>, silent: &BTreeMap<String, Cause>) -> BTreeSet<FactId> {
    let of_link = |link: usize| registers.get(&catalogue.registers.links[link].register);
    // Who is not listed cannot be asked, wherever a link leads.
    let leads_nowhere = |link: usize| is_unlisted(catalogue.registers.links[link].to, silent);
    let mut by_level: Vec<_> = plan.facts.iter().collect();
    by_level.sort_by_key(|(_, planned)| planned.level);
    let mut found = BTreeSet::new();
    for (id, planned) in by_level.into_iter().filter(|(id, _)| !is_unlisted(id.kind, silent)) {
        let rests = match &planned.source {
            Source::Rows { register, agrees_with, .. } => {
                registers.contains_key(register) || agrees_with.iter().any(|(other, _)| registers.contains_key(other))
            }
            // Where the rows of a stale register lead is still known.
            Source::LinkEnd { link } => of_link(*link) == Some(&Cause::Missing),
            Source::Linked { link, fact } => of_link(*link).is_some() || leads_nowhere(*link) || found.contains(fact),
            Source::LinkedAggregate { link, rows } => {
                let rests = of_link(*link).is_some() || leads_nowhere(*link);
                rests || inputs(catalogue, *link, rows).iter().any(|input| found.contains(input))
            }
        };
        if rests {
            found.insert(*id);
        }
    }
    found
}

/// The facts at the other end of a link that an aggregate is made of.
fn inputs(catalogue: &Catalogue, link: usize, rows: &Aggregate) -> BTreeSet<FactId> {
    let link = &catalogue.registers.links[link];
    let columns = catalogue.rows.get(&link.register).map_or(0, Vec::len);
    let mut found = BTreeSet::new();
    for expr in rows.value.iter().chain(&rows.filter).chain(&rows.by) {
        expr.for_each_fact(&mut |index| found.extend(index.checked_sub(columns).map(|index| FactId { kind: link.to, index })));
    }
    found
}
