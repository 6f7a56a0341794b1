//! Whom a change touches, and what those rest on.
//!
//! ```text
//!  changed rows ─▶ who stands in them ─ ways backwards ─▶ subjects that read them ─ ways forwards ─▶ all whose rows are needed
//! ```
//!
//! Ways backwards go over the rows as they are now: a row that is gone or another now is itself among the changes, and who stood in
//! it is touched. A change of columns that nobody reads on a way touches nobody there. An identifier stands for all that identity links
//! tie it to, whatever day they are of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;

use super::paths::{Columns, Stop};
use super::rows::RowForms;
use super::view::{Held, Id, IdSet, Register, View};
use crate::dossier::intake::IDENTITY_LINKS;
use crate::register::declaration::{Link, Registers};
use crate::store::StoreError;

/// Whose rows are needed, of which registers: of somebody whom others only rest on, those that are read there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed(HashMap<Id, Registered>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Registered {
    All,
    /// Ascending.
    These(Vec<Register>),
}

impl Needed {
    /// All rows of some.
    fn whole(&mut self, ids: &IdSet) {
        self.0.extend(ids.iter().map(|id| (*id, Registered::All)));
    }

    /// The rows of some in some registers.
    fn these(&mut self, ids: &IdSet, registers: &[Register]) {
        for id in ids {
            if let Registered::These(known) = self.0.entry(*id).or_insert_with(|| Registered::These(Vec::new())) {
                for register in registers {
                    if let Err(at) = known.binary_search(register) {
                        known.insert(at, *register);
                    }
                }
            }
        }
    }

    /// Whose.
    pub fn ids(&self) -> impl Iterator<Item = Id> {
        self.0.keys().copied()
    }

    /// Whether the rows of somebody in a register are needed.
    #[must_use]
    pub fn has(&self, id: Id, register: Register) -> bool {
        match self.0.get(&id) {
            Some(Registered::All) => true,
            Some(Registered::These(these)) => these.binary_search(&register).is_ok(),
            None => false,
        }
    }

    /// Reads those of some.
    async fn read(&self, view: &mut View, ids: &IdSet) -> Result<(), StoreError> {
        let mut whole = Vec::new();
        let mut by_registers: BTreeMap<&[Register], Vec<Id>> = BTreeMap::new();
        for id in ids {
            match self.0.get(id) {
                Some(Registered::These(these)) => by_registers.entry(these).or_default().push(*id),
                Some(Registered::All) => whole.push(*id),
                None => {}
            }
        }
        view.read_rows(whole).await?;
        for (registers, ids) in by_registers {
            view.read_rows_in(registers, ids).await?;
        }
        Ok(())
    }
}

/// A row that was changed, as it was before or as it is now: who stands in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// The register.
    pub register: Register,
    /// Whom the row lies under.
    pub owner: Id,
    /// Other identifiers, by column.
    pub others: Vec<(usize, Id)>,
    /// What is another now.
    pub columns: Columns,
}

/// The ways, as a list: each stop behind those that it leads to.
#[derive(Debug)]
pub struct Ways {
    stops: Vec<FlatStop>,
    /// The register of changed identifiers.
    identity: Option<Register>,
}

#[derive(Debug)]
struct FlatStop {
    /// What is read of each register here, ascending.
    registers: Vec<(Register, Columns)>,
    links: Vec<FlatWay>,
}

/// From one stop to the next.
#[derive(Debug)]
struct FlatWay {
    register: Register,
    /// The columns of the start and of the end; none: the identifier that rows lie under.
    from: Option<usize>,
    to: Option<usize>,
    /// What is read of the link's register.
    by: Columns,
    /// The place of the stop that it leads to.
    next: usize,
}

impl FlatStop {
    fn is_hit(&self, change: &Touched) -> bool {
        let at = self.registers.binary_search_by_key(&change.register, |(register, _)| *register);
        at.is_ok_and(|at| self.registers[at].1.meet(&change.columns))
    }
}

impl Ways {
    /// Of a tree of stops.
    #[must_use]
    pub fn new(root: &Stop, forms: &RowForms, registers: &Registers) -> Self {
        let mut stops = Vec::new();
        flatten(root, forms, &registers.links, &mut stops);
        Self { stops, identity: forms.find(IDENTITY_LINKS).map(|(at, _)| at) }
    }
}

fn flatten(stop: &Stop, forms: &RowForms, all_links: &[Link], stops: &mut Vec<FlatStop>) -> usize {
    let mut links = Vec::new();
    for (link, next_stop) in &stop.links {
        let next = flatten(next_stop, forms, all_links, stops);
        let link = &all_links[*link];
        let Some((register, form)) = forms.find(&link.register) else { continue };
        let (Some(from), Some(to)) = (form.column(&link.from_column), form.column(&link.to_column)) else { continue };
        let [from, to] = [from, to].map(|column| (column != form.owner()).then_some(column));
        links.push(FlatWay { register, from, to, by: next_stop.by.clone(), next });
    }
    let registers = stop.registers.iter().filter_map(|(name, columns)| Some((forms.find(name)?.0, columns.clone())));
    let mut registers: Vec<(Register, Columns)> = registers.collect();
    registers.sort_unstable_by_key(|(register, _)| *register);
    stops.push(FlatStop { registers, links });
    stops.len() - 1
}

/// Finds who is touched.
pub struct Reach<'a> {
    ways: &'a Ways,
    forms: &'a RowForms,
    view: &'a mut View,
    /// All identifiers that one is tied to, itself among them; none where it stands alone.
    tied: HashMap<Id, Option<Arc<IdSet>>>,
}

impl<'a> Reach<'a> {
    /// Over a view of the store as the changes leave it.
    pub fn new(ways: &'a Ways, forms: &'a RowForms, view: &'a mut View) -> Self {
        Self { ways, forms, view, tied: HashMap::new() }
    }

    /// Everybody whose dossier, verdicts or grants may be others after the changes.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn touched(&mut self, changes: &BTreeSet<Touched>) -> Result<IdSet, StoreError> {
        let renumbered = self.renumbered(changes).await?;
        let mut found: Vec<IdSet> = Vec::new();
        for stop in &self.ways.stops {
            let mut here = renumbered.clone();
            here.extend(changes.iter().filter(|change| stop.is_hit(change)).map(|change| change.owner));
            for way in &stop.links {
                let starts = changes.iter().filter(|change| change.register == way.register && way.by.meet(&change.columns));
                here.extend(starts.flat_map(|change| values_in(way.from, change.owner, &change.others)));
                here.extend(self.across(way.register, way.to, way.from, &found[way.next]).await?);
            }
            found.push(self.all_tied(here).await?);
        }
        Ok(found.pop().unwrap_or_default())
    }

    /// Whoever an identity link ties or tied, and all in whose rows such an identifier stands.
    async fn renumbered(&mut self, changes: &BTreeSet<Touched>) -> Result<IdSet, StoreError> {
        let links = changes.iter().filter(|change| Some(change.register) == self.ways.identity);
        let ids: IdSet = links.flat_map(|change| change.others.iter().map(|(_, id)| *id).chain([change.owner])).collect();
        let mut ids = self.all_tied(ids).await?;
        let mut owners = IdSet::new();
        if !ids.is_empty() {
            for register in 0..self.forms.all().count() {
                self.view.read_mentions(register, ids.iter().copied()).await?;
                owners.extend(ids.iter().flat_map(|id| self.view.mentions(register, *id)));
            }
        }
        ids.extend(owners);
        Ok(ids)
    }

    /// All whose rows are needed to judge some subjects.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn needed(&mut self, subjects: &IdSet) -> Result<Needed, StoreError> {
        let mut at: Vec<IdSet> = vec![IdSet::new(); self.ways.stops.len()];
        if let Some(root) = at.last_mut() {
            root.clone_from(subjects);
        }
        let mut needed = Needed::default();
        let root = self.ways.stops.len() - 1;
        // Whose rows are all needed, first: these are read at once.
        let whole = self.all_tied(subjects.clone()).await?;
        needed.whole(&whole);
        needed.read(self.view, &whole).await?;
        for place in (0..=root).rev() {
            let here = self.all_tied(std::mem::take(&mut at[place])).await?;
            let stop = &self.ways.stops[place];
            if place != root {
                let links = stop.links.iter().map(|way| way.register);
                let read = stop.registers.iter().map(|(register, _)| *register).chain(links).chain(self.ways.identity);
                needed.these(&here, &read.collect::<Vec<_>>());
                needed.read(self.view, &here).await?;
            }
            for way in &stop.links {
                let there = self.across(way.register, way.from, way.to, &here).await?;
                // The rows of the link may lie under others than those whom it ties.
                if way.from.is_some() {
                    let owners = self.mentioning(way.register, &here);
                    needed.these(&owners, &[way.register]);
                }
                at[way.next].extend(there);
            }
        }
        // Under which identifier others are known today stands in their links.
        let mut named = IdSet::new();
        for id in needed.ids() {
            let held = self.view.all_held(id).filter(|(register, _)| needed.has(id, *register));
            named.extend(held.flat_map(|(_, held)| held.ends()).flatten().map(|(_, id)| *id));
        }
        self.tie(&named).await?;
        if let Some(identity) = self.ways.identity {
            for id in &named {
                if let Some(Some(tied)) = self.tied.get(id) {
                    needed.these(tied, &[identity]);
                    needed.read(self.view, tied).await?;
                }
            }
        }
        Ok(needed)
    }

    /// Who stands in one column of the rows of a link in which somebody else stands in another; none: whom the row lies under.
    async fn across(&mut self, register: Register, from: Option<usize>, to: Option<usize>, ids: &IdSet) -> Result<IdSet, StoreError> {
        let mentioning;
        let owners = if from.is_some() {
            self.view.read_mentions(register, ids.iter().copied()).await?;
            mentioning = self.mentioning(register, ids);
            &mentioning
        } else {
            ids
        };
        self.view.read_rows_in(&[register], owners.iter().copied()).await?;
        let mut found = IdSet::new();
        for owner in owners {
            for ends in self.view.held(*owner, register).map(Held::ends).unwrap_or_default() {
                if from.is_none() || values_in(from, *owner, ends).any(|id| ids.contains(&id)) {
                    found.extend(values_in(to, *owner, ends));
                }
            }
        }
        Ok(found)
    }

    fn mentioning(&self, register: Register, ids: &IdSet) -> IdSet {
        ids.iter().flat_map(|id| self.view.mentions(register, *id)).copied().collect()
    }

    /// Some identifiers with all that identity links tie them to.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn all_tied(&mut self, ids: IdSet) -> Result<IdSet, StoreError> {
        self.tie(&ids).await?;
        let tied: Vec<Arc<IdSet>> = ids.iter().filter_map(|id| self.tied.get(id)?.clone()).collect();
        let mut all = ids;
        all.extend(tied.iter().flat_map(|tied| tied.iter()));
        Ok(all)
    }

    /// Works out what each identifier is tied to.
    async fn tie(&mut self, ids: &IdSet) -> Result<(), StoreError> {
        let Some(identity) = self.ways.identity else { return Ok(()) };
        self.view.read_linked(identity).await?;
        let mut open: Vec<Id> = ids.iter().filter(|id| self.view.is_linked(**id) && !self.tied.contains_key(*id)).copied().collect();
        let first = open.clone();
        let mut links: HashMap<Id, IdSet> = HashMap::new();
        while !open.is_empty() {
            self.view.read_rows_in(&[identity], open.iter().copied()).await?;
            self.view.read_mentions(identity, open.iter().copied()).await?;
            let mut next = IdSet::new();
            for id in open {
                let ends = self.view.held(id, identity).map(Held::ends).unwrap_or_default();
                let others = ends.iter().flatten().map(|(_, id)| *id).chain(self.view.mentions(identity, id).iter().copied());
                let others: IdSet = others.collect();
                if others.is_empty() {
                    self.tied.entry(id).or_insert(None);
                } else {
                    next.extend(others.iter().copied());
                    links.insert(id, others);
                }
            }
            open = next.into_iter().filter(|id| !links.contains_key(id) && !self.tied.contains_key(id)).collect();
        }
        for id in first.into_iter().filter(|id| links.contains_key(id)) {
            if self.tied.contains_key(&id) {
                continue;
            }
            let (mut all, mut open) = (IdSet::from_iter([id]), vec![id]);
            while let Some(at) = open.pop() {
                for other in links.get(&at).into_iter().flatten() {
                    if all.insert(*other) {
                        open.push(*other);
                    }
                }
            }
            let all = Arc::new(all);
            self.tied.extend(all.iter().map(|id| (*id, Some(Arc::clone(&all)))));
        }
        Ok(())
    }
}

/// The identifiers in a column of a row; none: whom it lies under.
fn values_in(column: Option<usize>, owner: Id, others: &[(usize, Id)]) -> impl Iterator<Item = Id> {
    let own = column.is_none().then_some(owner);
    own.into_iter().chain(others.iter().filter(move |(at, _)| Some(*at) == column).map(|(_, id)| *id))
}
