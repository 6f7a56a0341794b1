//! Whom a change touches, and what those rest on.
//!
//! ```text
//!  changed rows ─▶ who stands in them ─ ways backwards ─▶ subjects that read them ─ ways forwards ─▶ all whose rows are needed
//! ```
//!
//! Ways backwards go over the rows as they are now: a row that is gone or another now is itself among the changes, and who stood in
//! it is touched. An identifier stands for all that identity links tie it to, whatever day they are of.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::paths::Stop;
use super::rows::{HeldRow, RowForms};
use super::view::View;
use crate::dossier::intake::IDENTITY_LINKS;
use crate::register::declaration::{Link, Registers};
use crate::store::StoreError;

/// Identifiers.
pub type Ids = BTreeSet<String>;

/// Whose rows are needed, of which registers: of somebody whom others only rest on, those that are read there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needed(BTreeMap<String, Registered>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Registered {
    All,
    These(BTreeSet<String>),
}

impl Needed {
    /// All rows of some.
    fn whole(&mut self, ids: &Ids) {
        self.0.extend(ids.iter().map(|id| (id.clone(), Registered::All)));
    }

    /// The rows of some in some registers.
    fn these<'r>(&mut self, ids: &Ids, registers: impl IntoIterator<Item = &'r str> + Clone) {
        for id in ids {
            let known = self.0.entry(id.clone()).or_insert_with(|| Registered::These(BTreeSet::new()));
            if let Registered::These(known) = known {
                for register in registers.clone() {
                    if !known.contains(register) {
                        known.insert(register.to_owned());
                    }
                }
            }
        }
    }

    /// Whose.
    pub fn ids(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    /// Whether the rows of somebody in a register are needed.
    #[must_use]
    pub fn has(&self, id: &str, register: &str) -> bool {
        match self.0.get(id) {
            Some(Registered::All) => true,
            Some(Registered::These(these)) => these.contains(register),
            None => false,
        }
    }

    /// Reads them.
    async fn read(&self, view: &mut View<'_>) -> Result<(), StoreError> {
        let whole = self.0.iter().filter(|(_, registers)| **registers == Registered::All);
        view.read_rows(whole.map(|(id, _)| id.as_str())).await?;
        let mut by_register: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (id, registers) in &self.0 {
            if let Registered::These(these) = registers {
                for register in these {
                    by_register.entry(register).or_default().push(id);
                }
            }
        }
        for (register, ids) in by_register {
            view.read_rows_in(register, ids).await?;
        }
        Ok(())
    }
}

/// A row that was changed, as it was before or as it is now: who stands in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touched {
    /// The register.
    pub register: String,
    /// Whom the row lies under.
    pub owner: String,
    /// Other identifiers, by column.
    pub others: Vec<(usize, String)>,
}

/// The ways, as a list: each stop behind those that it leads to.
#[derive(Debug)]
pub struct Ways {
    stops: Vec<FlatStop>,
}

#[derive(Debug)]
struct FlatStop {
    registers: BTreeSet<String>,
    /// Link and place of the stop that it leads to.
    links: Vec<(usize, usize)>,
}

impl Ways {
    /// Of a tree of stops.
    #[must_use]
    pub fn new(root: &Stop) -> Self {
        let mut stops = Vec::new();
        flatten(root, &mut stops);
        Self { stops }
    }
}

fn flatten(stop: &Stop, stops: &mut Vec<FlatStop>) -> usize {
    let links = stop.links.iter().map(|(link, next)| (*link, flatten(next, stops))).collect();
    stops.push(FlatStop { registers: stop.registers.clone(), links });
    stops.len() - 1
}

/// Finds who is touched.
pub struct Reach<'a, 'v> {
    ways: &'a Ways,
    registers: &'a Registers,
    forms: &'a RowForms,
    view: &'a mut View<'v>,
    /// All identifiers that one is tied to, itself among them.
    tied: HashMap<String, Arc<Ids>>,
}

impl<'a, 'v> Reach<'a, 'v> {
    /// Over a view of the store as the changes leave it.
    pub fn new(ways: &'a Ways, registers: &'a Registers, forms: &'a RowForms, view: &'a mut View<'v>) -> Self {
        Self { ways, registers, forms, view, tied: HashMap::new() }
    }

    /// Everybody whose dossier, verdicts or grants may be others after the changes.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn touched(&mut self, changes: &BTreeSet<Touched>) -> Result<Ids, StoreError> {
        let renumbered = self.renumbered(changes).await?;
        let mut found: Vec<Ids> = Vec::new();
        for stop in &self.ways.stops {
            let mut here = renumbered.clone();
            here.extend(changes.iter().filter(|change| stop.registers.contains(&change.register)).map(|change| change.owner.clone()));
            for (link, next) in &stop.links {
                let link = &self.registers.links[*link];
                let Some(form) = self.forms.of(&link.register) else { continue };
                let starts = changes.iter().filter(|change| change.register == link.register);
                here.extend(
                    starts.flat_map(|change| values_in(form.column(&link.from_column), form.owner(), &change.owner, &change.others)),
                );
                let next = found[*next].clone();
                here.extend(self.across(link, &link.to_column, &link.from_column, &next).await?);
            }
            found.push(self.all_tied(here).await?);
        }
        Ok(found.pop().unwrap_or_default())
    }

    /// Whoever an identity link ties or tied, and all in whose rows such an identifier stands.
    async fn renumbered(&mut self, changes: &BTreeSet<Touched>) -> Result<Ids, StoreError> {
        let links = changes.iter().filter(|change| change.register == IDENTITY_LINKS);
        let ids: Ids = links.flat_map(|change| change.others.iter().map(|(_, id)| id.clone()).chain([change.owner.clone()])).collect();
        let mut ids = self.all_tied(ids).await?;
        let mut owners = Ids::new();
        for form in self.forms.all().filter(|_| !ids.is_empty()) {
            self.view.read_mentions(&form.name, ids.iter().map(String::as_str)).await?;
            owners.extend(ids.iter().flat_map(|id| self.view.mentions(&form.name, id)).cloned());
        }
        ids.extend(owners);
        Ok(ids)
    }

    /// All whose rows are needed to judge some subjects.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn needed(&mut self, subjects: &Ids) -> Result<Needed, StoreError> {
        let mut at: Vec<Ids> = vec![Ids::new(); self.ways.stops.len()];
        if let Some(root) = at.last_mut() {
            root.clone_from(subjects);
        }
        let mut needed = Needed::default();
        let root = self.ways.stops.len() - 1;
        for place in (0..=root).rev() {
            let here = self.all_tied(std::mem::take(&mut at[place])).await?;
            let stop = &self.ways.stops[place];
            for (link, next) in &stop.links {
                let link = &self.registers.links[*link];
                let there = self.across(link, &link.from_column, &link.to_column, &here).await?;
                // The rows of the link may lie under others than those whom it ties.
                needed.these(&self.owners(link, &link.from_column, &here), [link.register.as_str()]);
                at[*next].extend(there);
            }
            if place == root {
                needed.whole(&here);
            } else {
                let links = stop.links.iter().map(|(link, _)| self.registers.links[*link].register.as_str());
                let read: BTreeSet<&str> = stop.registers.iter().map(String::as_str).chain(links).chain([IDENTITY_LINKS]).collect();
                needed.these(&here, read);
            }
        }
        needed.read(self.view).await?;
        // Under which identifier others are known today stands in their links.
        let rows = needed.ids().flat_map(|id| self.view.rows(id).into_iter().flatten().map(move |(register, rows)| (id, register, rows)));
        let named: Ids = rows
            .filter(|(id, register, _)| needed.has(id, register))
            .filter_map(|(_, register, rows)| Some(self.forms.of(register)?.alive(rows)))
            .flatten()
            .flat_map(|row| row.others.iter().map(|(_, id)| id.clone()))
            .collect();
        let tied: Vec<Arc<Ids>> = self.tie(&named).await?;
        for tied in tied.iter().filter(|tied| tied.len() > 1) {
            needed.these(tied, [IDENTITY_LINKS]);
        }
        needed.read(self.view).await?;
        Ok(needed)
    }

    /// Who stands in one column of the rows of a link in which somebody else stands in another.
    async fn across(&mut self, link: &Link, from: &str, to: &str, ids: &Ids) -> Result<Ids, StoreError> {
        let Some(form) = self.forms.of(&link.register) else { return Ok(Ids::new()) };
        let (from, to) = (form.column(from), form.column(to));
        let owner_column = form.owner();
        if from != Some(owner_column) {
            self.view.read_mentions(&link.register, ids.iter().map(String::as_str)).await?;
        }
        let owners: Ids = if from == Some(owner_column) { ids.clone() } else { self.mentioning(link, ids) };
        self.view.read_rows_in(&link.register, owners.iter().map(String::as_str)).await?;
        let mut found = Ids::new();
        for owner in &owners {
            let Some(rows) = self.view.rows(owner).and_then(|rows| rows.get(&link.register)) else { continue };
            for HeldRow { others, .. } in form.alive(rows) {
                if values_in(from, owner_column, owner, others).any(|id| ids.contains(&id)) {
                    found.extend(values_in(to, owner_column, owner, others));
                }
            }
        }
        Ok(found)
    }

    /// Under whom the rows of a link lie in which some stand.
    fn owners(&self, link: &Link, column: &str, ids: &Ids) -> Ids {
        match self.forms.of(&link.register) {
            Some(form) if form.column(column) != Some(form.owner()) => self.mentioning(link, ids),
            _ => Ids::new(),
        }
    }

    fn mentioning(&self, link: &Link, ids: &Ids) -> Ids {
        ids.iter().flat_map(|id| self.view.mentions(&link.register, id)).cloned().collect()
    }

    /// Some identifiers, and all that identity links tie them to.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn all_tied(&mut self, ids: Ids) -> Result<Ids, StoreError> {
        let tied = self.tie(&ids).await?;
        let mut all = ids;
        all.extend(tied.iter().flat_map(|tied| tied.iter().cloned()));
        Ok(all)
    }

    /// What each identifier is tied to, in order.
    async fn tie(&mut self, ids: &Ids) -> Result<Vec<Arc<Ids>>, StoreError> {
        let mut open: Ids = ids.iter().filter(|id| !self.tied.contains_key(*id)).cloned().collect();
        let mut links: BTreeMap<String, Ids> = BTreeMap::new();
        while !open.is_empty() {
            self.view.read_rows_in(IDENTITY_LINKS, open.iter().map(String::as_str)).await?;
            self.view.read_mentions(IDENTITY_LINKS, open.iter().map(String::as_str)).await?;
            let mut next = Ids::new();
            for id in &open {
                let mut others = Ids::new();
                if let (Some(form), Some(rows)) =
                    (self.forms.of(IDENTITY_LINKS), self.view.rows(id).and_then(|rows| rows.get(IDENTITY_LINKS)))
                {
                    others.extend(form.alive(rows).into_iter().flat_map(|row| row.others.iter().map(|(_, id)| id.clone())));
                }
                others.extend(self.view.mentions(IDENTITY_LINKS, id).cloned());
                next.extend(others.iter().cloned());
                links.insert(id.clone(), others);
            }
            open = next.into_iter().filter(|id| !links.contains_key(id) && !self.tied.contains_key(id)).collect();
        }
        for id in ids {
            if self.tied.contains_key(id) {
                continue;
            }
            let (mut all, mut open) = (Ids::from([id.clone()]), vec![id.clone()]);
            while let Some(at) = open.pop() {
                for other in links.get(&at).into_iter().flatten() {
                    if all.insert(other.clone()) {
                        open.push(other.clone());
                    }
                }
            }
            let all = Arc::new(all);
            self.tied.extend(all.iter().map(|id| (id.clone(), Arc::clone(&all))));
        }
        Ok(ids.iter().filter_map(|id| self.tied.get(id).cloned()).collect())
    }
}

/// The identifiers in a column of a row.
fn values_in<'r>(
    column: Option<usize>,
    owner_column: usize,
    owner: &'r str,
    others: &'r [(usize, String)],
) -> impl Iterator<Item = String> + 'r {
    let own = (column == Some(owner_column)).then(|| owner.to_owned());
    own.into_iter().chain(others.iter().filter(move |(at, _)| column == Some(*at)).map(|(_, id)| id.clone()))
}
