//! The columns of all kinds, level by level: what registers give, then what links give of what is there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::compute::kernels::cmp::neq;
use arrow::compute::nullif;
use arrow::datatypes::{Field, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::NaiveDate;
use rayon::prelude::*;

use super::accumulate::{Accumulator, Lane, Presence, Recipe, Rows, Selections};
use super::base::absent;
use super::build::{is_complete_everywhere, type_of};
use super::columns::{Column, Columns};
use super::intake::index_of;
use super::known::Known;
use super::links::{LinkBatch, LinkTable, takeable};
use super::mapper::{Mapper, data_type};
use super::narrow::plain;
use super::plan::Source;
use super::read::RegisterFound;
use super::rows::{Purpose, RowColumns};
use super::silence::{Contested, Ground, is_unlisted};
use super::subjects::{NOWHERE, SubjectIndex};
use super::{Cause, Disagreement, DossierError};
use crate::check::catalogue::{Aggregate, Catalogue, FactId};
use crate::diagnostic::Message;
use crate::diagnostic::progress::{Cancel, Progress};
use crate::register::declaration::SubjectKind;

/// All that is made.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) columns: Columns,
    /// By index.
    pub(super) links: BTreeMap<usize, Arc<LinkTable>>,
    /// Rows that occasions come from, by register.
    pub(super) kept: BTreeMap<String, Arc<LinkTable>>,
    /// Facts with a column `<name>!conflict` beside them.
    pub(super) conflicting: BTreeSet<FactId>,
    /// Where registers disagree, by the facts that they disagree on.
    pub(super) contested: BTreeMap<FactId, Arc<Contested>>,
    pub(super) disagreements: Vec<Disagreement>,
}

impl Made {
    /// Nothing yet.
    pub(super) fn with(columns: Columns) -> Self {
        Self {
            columns,
            links: BTreeMap::new(),
            kept: BTreeMap::new(),
            conflicting: BTreeSet::new(),
            contested: BTreeMap::new(),
            disagreements: Vec::new(),
        }
    }
}

/// What surrounds the making of columns: declarations, the day, who hears of it.
#[derive(Clone, Copy)]
pub struct Around<'a> {
    /// Facts.
    pub catalogue: &'a Catalogue,
    /// The day.
    pub as_of: NaiveDate,
    /// Who hears of progress.
    pub progress: &'a dyn Progress,
    /// When to stop.
    pub cancel: &'a Cancel,
}

/// The making of columns.
pub(super) struct Levels<'a> {
    around: Around<'a>,
    ground: &'a Ground,
    silent: &'a BTreeMap<String, Cause>,
    made: Made,
    /// The facts to make; none: all.
    wanted: Option<&'a BTreeSet<FactId>>,
    /// The one target of each subject, by link.
    only: HashMap<usize, Arc<Vec<u32>>>,
    /// What is known without rows.
    known: Known<'a>,
}

/// What other registers say of a fact: register, least, greatest.
type Others = BTreeMap<FactId, BTreeMap<String, (Option<ArrayRef>, Option<ArrayRef>)>>;

impl<'a> Levels<'a> {
    /// Before the first column, or on top of what was made before.
    pub(super) fn new(around: Around<'a>, ground: &'a Ground, silent: &'a BTreeMap<String, Cause>, made: Made) -> Self {
        Self { around, ground, silent, made, wanted: None, only: HashMap::new(), known: Known::default() }
    }

    /// With facts that are known already.
    pub(super) fn beside(self, known: Known<'a>) -> Self {
        Self { known, ..self }
    }

    /// Only some facts: the others are there.
    pub(super) fn only(self, wanted: &'a BTreeSet<FactId>) -> Self {
        Self { wanted: Some(wanted), ..self }
    }

    /// Adds columns of a kind, with what is known in the place of what was made.
    fn insert(&mut self, kind: SubjectKind, columns: Vec<(String, ArrayRef)>) -> Result<(), DossierError> {
        self.insert_columns(kind, columns.into_iter().map(|(name, made)| (name, Column::of(made))).collect())
    }

    /// The same of columns that may be narrowed already.
    fn insert_columns(&mut self, kind: SubjectKind, mut columns: Vec<(String, Column)>) -> Result<(), DossierError> {
        let known = &self.known;
        if !known.is_empty() {
            let over = |(name, made): (String, Column)| {
                let column = known.over(kind, &name, made.whole()?)?;
                Ok((name, Column::of(column)))
            };
            columns = columns.into_par_iter().map(over).collect::<Result<_, DossierError>>()?;
        }
        self.made.columns.insert(kind, columns)
    }

    /// Makes the columns of all levels.
    ///
    /// # Errors
    ///
    /// When arithmetic or writing fails, or the work is cancelled.
    pub(super) fn run(mut self, found: BTreeMap<String, RegisterFound>) -> Result<Made, DossierError> {
        self.given(found)?;
        self.climb()?;
        self.made.disagreements.sort();
        Ok(self.made)
    }

    /// Makes some columns anew, of registers that have fallen silent and of what rests on them, without reading anything.
    ///
    /// # Errors
    ///
    /// As [`Levels::run`].
    pub(super) fn anew(mut self, wanted: &'a BTreeSet<FactId>) -> Result<Made, DossierError> {
        self.wanted = Some(wanted);
        self.made.conflicting.retain(|id| !wanted.contains(id));
        self.agreed_anew()?;
        self.silent_facts()?;
        self.link_ends()?;
        self.climb()?;
        Ok(self.made)
    }

    /// What links give, level by level.
    fn climb(&mut self) -> Result<(), DossierError> {
        let highest = self.ground.plan.facts.values().map(|planned| planned.level).max().unwrap_or(0);
        for height in 1..=highest {
            let facts = self.ground.plan.facts.iter().filter(|(id, planned)| planned.level == height && self.is_wanted(**id));
            let kinds: BTreeSet<SubjectKind> = facts.map(|(id, _)| id.kind).collect();
            for kind in kinds {
                if self.around.cancel.is_cancelled() {
                    return Err(DossierError::Cancelled);
                }
                let name = Message::new(format!("汇总档案 {kind}·{height}"), format!("dossiers: {kind}, level {height}"));
                self.around.progress.stage(name, None);
                self.linked_level(kind, height)?;
            }
        }
        Ok(())
    }

    fn is_wanted(&self, id: FactId) -> bool {
        self.wanted.is_none_or(|wanted| wanted.contains(&id))
    }

    /// The facts to make, in order.
    fn facts(&self) -> Vec<FactId> {
        self.ground.plan.facts.keys().copied().filter(|id| self.is_wanted(*id)).collect()
    }

    /// Those of them that other registers must agree with.
    fn shared_facts(&self) -> Vec<FactId> {
        self.facts().into_iter().filter(|id| !self.agrees_with(*id).is_empty()).collect()
    }

    fn name(&self, id: FactId) -> String {
        self.around.catalogue.fact(id).name.to_string()
    }

    fn index(&self, kind: SubjectKind) -> Option<&'a SubjectIndex> {
        index_of(&self.ground.bases, kind).filter(|_| !is_unlisted(kind, self.silent))
    }

    fn subjects(&self, kind: SubjectKind) -> usize {
        self.index(kind).map_or(0, SubjectIndex::len)
    }

    fn unknown(&self, id: FactId) -> ArrayRef {
        let (ty, scale) = type_of(self.around.catalogue, id);
        new_null_array(&data_type(ty, scale), self.subjects(id.kind))
    }

    fn never(&self, kind: SubjectKind) -> ArrayRef {
        Arc::new(BooleanArray::new(BooleanBuffer::new_unset(self.subjects(kind)), None))
    }

    /// What registers give directly.
    fn given(&mut self, found: BTreeMap<String, RegisterFound>) -> Result<(), DossierError> {
        let mut facts: BTreeMap<FactId, ArrayRef> = BTreeMap::new();
        let mut others = Others::new();
        let mut plain: Vec<(SubjectKind, Vec<(String, Column)>)> = Vec::new();
        for (register, found) in found {
            for (kind, columns) in found.columns {
                let mut of_register = Vec::new();
                for (purpose, column) in columns {
                    match purpose {
                        Purpose::Fact(id) if self.agrees_with(id).is_empty() => of_register.push((self.name(id), column)),
                        Purpose::Fact(id) => {
                            facts.insert(id, column.whole()?);
                        }
                        Purpose::OtherLeast(id, other) => others.entry(id).or_default().entry(other).or_default().0 = Some(column.whole()?),
                        Purpose::OtherGreatest(id, other) => {
                            others.entry(id).or_default().entry(other).or_default().1 = Some(column.whole()?);
                        }
                    }
                }
                plain.push((kind, of_register));
            }
            self.made.links.extend(found.links.into_iter().map(|(link, table)| (link, Arc::new(table))));
            if let Some(kept) = found.kept {
                self.made.kept.insert(register, Arc::new(kept));
            }
        }
        for (kind, columns) in plain {
            self.insert_columns(kind, columns)?;
        }
        self.agreed(facts, others)?;
        self.silent_facts()?;
        self.link_ends()
    }

    fn agrees_with(&self, id: FactId) -> &'a [(String, String)] {
        match &self.ground.plan.facts[&id].source {
            Source::Rows { agrees_with, .. } => agrees_with,
            _ => &[],
        }
    }

    /// Facts that other registers must agree with: unknown where they do not, with a column that tells so.
    fn agreed(&mut self, mut facts: BTreeMap<FactId, ArrayRef>, mut others: Others) -> Result<(), DossierError> {
        for id in self.shared_facts() {
            self.made.conflicting.insert(id);
            let value = facts.remove(&id).unwrap_or_else(|| self.unknown(id));
            let mut conflict = BooleanBuffer::new_unset(value.len());
            let of_fact = others.remove(&id).unwrap_or_default();
            let mut by = BTreeMap::new();
            for (other, _) in self.agrees_with(id) {
                let Some((Some(least), Some(greatest))) = of_fact.get(other) else { continue };
                let (value, least, greatest) = (&plain(&value)?, &plain(least)?, &plain(greatest)?);
                let differs = sure(&neq(value, least)?);
                self.disagree(id, other, value, least, &differs)?;
                let of_other = &differs | &sure(&neq(least, greatest)?);
                conflict = &conflict | &of_other;
                by.insert(other.clone(), of_other);
            }
            self.made.contested.insert(id, Arc::new(Contested::new(&value, &conflict, &by)?));
            let conflict = BooleanArray::new(conflict, None);
            let agreed = nullif(&value, &conflict)?;
            let name = self.name(id);
            self.insert(id.kind, vec![(name.clone(), agreed), (conflict_of(&name), Arc::new(conflict))])?;
        }
        Ok(())
    }

    /// The same once more, after registers have fallen silent: where only these disagreed, the fact is known again.
    fn agreed_anew(&mut self) -> Result<(), DossierError> {
        for id in self.shared_facts() {
            let Source::Rows { register, .. } = &self.ground.plan.facts[&id].source else { continue };
            let name = self.name(id);
            let before = self.made.columns.get(id.kind, &name)?;
            let (value, conflict) = match (self.made.contested.get(&id), before) {
                (Some(contested), Some(before)) if !self.silent.contains_key(register) => {
                    contested.without(&before.whole()?, |other| self.silent.contains_key(other))?
                }
                _ => (self.unknown(id), self.never(id.kind)),
            };
            self.made.conflicting.insert(id);
            self.insert(id.kind, vec![(name.clone(), value), (conflict_of(&name), conflict)])?;
        }
        Ok(())
    }

    /// Names the subjects about whom another register says otherwise.
    fn disagree(&mut self, id: FactId, other: &str, own: &ArrayRef, least: &ArrayRef, differs: &BooleanBuffer) -> Result<(), DossierError> {
        let (Some(index), Source::Rows { register, .. }) = (self.index(id.kind), &self.ground.plan.facts[&id].source) else {
            return Ok(());
        };
        let options = FormatOptions::default();
        let (own, least) = (ArrayFormatter::try_new(own, &options)?, ArrayFormatter::try_new(least, &options)?);
        self.made.disagreements.extend(differs.set_indices().map(|place| Disagreement {
            fact: id,
            subject: index.id(place),
            register: register.clone(),
            value: own.value(place).to_string(),
            other_register: other.to_owned(),
            other_value: least.value(place).to_string(),
        }));
        Ok(())
    }

    /// Facts of registers that are absent on purpose, or stale.
    fn silent_facts(&mut self) -> Result<(), DossierError> {
        for id in self.facts() {
            let Source::Rows { register, agrees_with, .. } = &self.ground.plan.facts[&id].source else { continue };
            if self.silent.contains_key(register) && agrees_with.is_empty() {
                let column = (self.name(id), self.unknown(id));
                self.insert(id.kind, vec![column])?;
            }
        }
        Ok(())
    }

    /// The one target of each subject.
    fn only_target(&mut self, link: usize, from: SubjectKind) -> Arc<Vec<u32>> {
        let subjects = self.subjects(from);
        let only = self.only.entry(link).or_insert_with(|| {
            Arc::new(self.made.links.get(&link).map_or_else(|| vec![NOWHERE; subjects], |table| table.only_target(subjects)))
        });
        Arc::clone(only)
    }

    /// The identifiers that links lead to.
    fn link_ends(&mut self) -> Result<(), DossierError> {
        for id in self.facts() {
            let Source::LinkEnd { link } = self.ground.plan.facts[&id].source else { continue };
            let to = self.around.catalogue.registers.links[link].to;
            let only = self.only_target(link, id.kind);
            let nobody = SubjectIndex::default();
            // Where nobody is listed any more, it is still known who was.
            let index = index_of(&self.ground.bases, to).unwrap_or(&nobody);
            let ends: ArrayRef = match self.made.links.get(&link) {
                Some(table) => table.ids(&only, index)?,
                None => self.unknown(id),
            };
            let name = self.name(id);
            self.insert(id.kind, vec![(name, ends)])?;
        }
        Ok(())
    }

    /// Facts that links give.
    fn linked_level(&mut self, kind: SubjectKind, height: usize) -> Result<(), DossierError> {
        let mut linked: BTreeMap<usize, Vec<(FactId, FactId)>> = BTreeMap::new();
        let mut aggregates: BTreeMap<usize, Vec<(FactId, &Aggregate)>> = BTreeMap::new();
        for (id, source) in self.ground.plan.at(kind, height).into_iter().filter(|(id, _)| self.is_wanted(*id)) {
            match source {
                Source::Linked { link, fact } => linked.entry(*link).or_default().push((id, *fact)),
                Source::LinkedAggregate { link, rows } => aggregates.entry(*link).or_default().push((id, rows)),
                Source::Rows { .. } | Source::LinkEnd { .. } => {}
            }
        }
        for (link, facts) in linked {
            self.linked(kind, link, &facts)?;
        }
        for (link, facts) in aggregates {
            self.aggregated(kind, link, &facts)?;
        }
        Ok(())
    }

    fn is_silent(&self, link: usize) -> bool {
        self.silent.contains_key(&self.around.catalogue.registers.links[link].register)
    }

    /// Facts of the one subject that a link leads to.
    fn linked(&mut self, kind: SubjectKind, link: usize, facts: &[(FactId, FactId)]) -> Result<(), DossierError> {
        if self.is_silent(link) {
            let columns = facts.iter().map(|(id, _)| (self.name(*id), self.unknown(*id))).collect();
            return self.insert(kind, columns);
        }
        let only = self.only_target(link, kind);
        let to = self.around.catalogue.registers.links[link].to;
        let places = takeable(&only, self.subjects(to));
        let mut wanted: Vec<(String, String)> = Vec::new();
        for (id, target) in facts {
            let (name, there) = (self.name(*id), self.name(*target));
            if self.made.conflicting.contains(target) {
                self.made.conflicting.insert(*id);
                wanted.push((conflict_of(&name), conflict_of(&there)));
            }
            wanted.push((name, there));
        }
        let columns = wanted
            .into_par_iter()
            .map(|(name, there)| {
                let column = self.made.columns.get(to, &there)?;
                let Some(column) = column else { return Ok((name, self.never(kind))) };
                let taken = column.take(&places)?;
                if !name.ends_with(CONFLICT) {
                    return Ok((name, taken));
                }
                let told: ArrayRef = Arc::new(BooleanArray::new(sure(taken.as_boolean()), None));
                Ok((name, told))
            })
            .collect::<Result<Vec<_>, DossierError>>()?;
        self.insert(kind, columns)
    }

    /// What is made of all subjects that a link leads to.
    fn aggregated(&mut self, kind: SubjectKind, link: usize, facts: &[(FactId, &Aggregate)]) -> Result<(), DossierError> {
        if self.is_silent(link) {
            let columns = facts.iter().map(|(id, _)| (self.name(*id), self.unknown(*id))).collect();
            return self.insert(kind, columns);
        }
        let declared = &self.around.catalogue.registers.links[link];
        let declaration = &self.around.catalogue.registers.registers[&declared.register];
        let mut rows = RowColumns::default();
        let everywhere = is_complete_everywhere(declaration, kind, self.around.as_of);
        let recipes: Vec<Recipe> = facts
            .iter()
            .map(|(id, aggregate)| {
                let (ty, scale) = type_of(self.around.catalogue, *id);
                rows.recipe(aggregate, ty, scale, everywhere)
            })
            .collect();
        let mapper = Mapper::new(&self.around.catalogue.link_schema(declared), &rows.columns)?;
        let subjects = self.subjects(kind);
        let conditions: Vec<usize> = recipes.iter().flat_map(Recipe::conditions).collect();
        let mut adding: Vec<Accumulator> = recipes.into_iter().map(|recipe| Accumulator::new(recipe, subjects)).collect();
        let mut present = vec![0_u64; subjects.div_ceil(64)];
        if let Some(table) = self.made.links.get(&link) {
            let beside = Beside::new(self, link, declared.to, &mapper)?;
            for window in table.batches.chunks(rayon::current_num_threads().max(1) * 2) {
                if self.around.cancel.is_cancelled() {
                    return Err(DossierError::Cancelled);
                }
                let select = |batch: &LinkBatch| {
                    let lanes = beside.lanes(batch, &mapper)?;
                    let selections = Selections::new(&batch.from, 0, subjects, &lanes, conditions.iter().copied());
                    Ok::<_, DossierError>((lanes, selections))
                };
                let evaluated = window.par_iter().map(select).collect::<Result<Vec<_>, _>>()?;
                for &place in window.iter().flat_map(|batch| &batch.from) {
                    present[place as usize / 64] |= 1 << (place % 64);
                }
                adding.par_iter_mut().for_each(|accumulator| {
                    for (batch, (lanes, selections)) in window.iter().zip(&evaluated) {
                        accumulator.add(&Rows { places: &batch.from, renumbered: &[], lanes, first: 0, selections });
                    }
                });
            }
        }
        let bits = BooleanBuffer::new(ScalarBuffer::from(present).into_inner(), 0, subjects);
        let presence = Presence { present: bits, doubtful: None };
        let absent = absent(&self.ground.bases, kind, declaration, self.around.as_of);
        let mut columns = Vec::new();
        for ((id, _), accumulator) in facts.iter().zip(adding) {
            accumulator.check(&self.around.catalogue.fact(*id).name)?;
            columns.push((self.name(*id), accumulator.finish(&presence, &absent)));
        }
        self.insert(kind, columns)
    }
}

/// The rows of a link beside the facts of the subjects that they lead to.
struct Beside {
    /// Name of a row column and its place among those that are kept.
    rows: Vec<(String, usize)>,
    /// Name of a fact and its column over all targets.
    facts: Vec<(String, Column)>,
    targets: usize,
}

impl Beside {
    fn new(levels: &Levels<'_>, link: usize, to: SubjectKind, mapper: &Mapper) -> Result<Self, DossierError> {
        let declared = &levels.around.catalogue.registers.links[link];
        let schema = levels.around.catalogue.row_schema(&declared.register);
        let register = &levels.ground.registers[&declared.register];
        let kept = register.links.iter().find(|rows| rows.link == link).map_or(&[] as &[usize], |rows| &rows.columns);
        let (mut rows, mut facts) = (Vec::new(), Vec::new());
        for name in mapper.reads() {
            if let Some(column) = levels.made.columns.get(to, &name)? {
                facts.push((name, column));
                continue;
            }
            let at = name.strip_prefix("row.").and_then(|name| schema.index_of(name));
            let is_column =
                |place: &usize| matches!(register.rows.columns[*place].0.kind, crate::check::ir::Kind::Fact(index) if Some(index) == at);
            if let Some(place) = kept.iter().position(is_column) {
                rows.push((name, place));
            }
        }
        Ok(Self { rows, facts, targets: levels.subjects(to) })
    }

    fn lanes(&self, batch: &LinkBatch, mapper: &Mapper) -> Result<Vec<Lane>, DossierError> {
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (name, at) in &self.rows {
            fields.push(Field::new(name, batch.columns[*at].data_type().clone(), true));
            columns.push(Arc::clone(&batch.columns[*at]));
        }
        for (name, column) in &self.facts {
            fields.push(Field::new(name, column.data_type.clone(), true));
            columns.push(batch.fact(name, column, self.targets)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.from.len()));
        let beside = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)?;
        mapper.map(&beside)?.iter().map(Lane::of).collect()
    }
}

const CONFLICT: &str = "!conflict";

/// The name of the column that tells whether registers disagree about a fact.
pub(super) fn conflict_of(name: &str) -> String {
    format!("{name}{CONFLICT}")
}

/// Where a boolean is surely yes.
fn sure(array: &BooleanArray) -> BooleanBuffer {
    array.nulls().map_or_else(|| array.values().clone(), |nulls| nulls.inner() & array.values())
}
