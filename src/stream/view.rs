//! What the store holds of some subjects, as a batch of changes leaves it: read when it is asked for, changed in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::rows::{RowForms, Rows};
use crate::store::StoreError;
use crate::store::live::{Live, Mention, RowsOf};

/// Identifiers that are asked for in one query.
const TOGETHER: usize = 2_000;

/// Where an identifier stands: register, and under which identifier the row is.
pub type Place = (String, String);

/// A view of the store.
pub struct View<'a> {
    live: &'a dyn Live,
    forms: &'a RowForms,
    rows: HashMap<String, BTreeMap<String, Rows>>,
    /// Identifiers whose rows were read: of every register, and of one.
    whole: HashSet<String>,
    in_register: HashMap<String, HashSet<String>>,
    /// By register and identifier, under whom the rows are in which it stands.
    mentions: HashMap<String, HashMap<String, BTreeSet<String>>>,
    /// What was changed, by identifier and register.
    changed: BTreeSet<(String, String)>,
    mentioned: BTreeSet<(String, Place)>,
    unmentioned: BTreeSet<(String, Place)>,
}

impl<'a> View<'a> {
    /// Nothing read yet.
    #[must_use]
    pub fn new(live: &'a dyn Live, forms: &'a RowForms) -> Self {
        Self {
            live,
            forms,
            rows: HashMap::new(),
            whole: HashSet::new(),
            in_register: HashMap::new(),
            mentions: HashMap::new(),
            changed: BTreeSet::new(),
            mentioned: BTreeSet::new(),
            unmentioned: BTreeSet::new(),
        }
    }

    /// Reads the rows of some identifiers, where they were not read before.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or a register was declared otherwise when its rows were stored.
    pub async fn read_rows(&mut self, ids: impl IntoIterator<Item = &str>) -> Result<(), StoreError> {
        let wanted: BTreeSet<String> = ids.into_iter().filter(|id| !self.whole.contains(*id)).map(str::to_owned).collect();
        for part in parts(&wanted) {
            let found = self.live.rows(&part).await?;
            self.take(found)?;
        }
        self.whole.extend(wanted);
        Ok(())
    }

    /// Reads the rows that some identifiers have in one register, where they were not read before.
    ///
    /// # Errors
    ///
    /// As [`Self::read_rows`].
    pub async fn read_rows_in(&mut self, register: &str, ids: impl IntoIterator<Item = &str>) -> Result<(), StoreError> {
        let read = self.in_register.get(register);
        let is_read = |id: &str| self.whole.contains(id) || read.is_some_and(|read| read.contains(id));
        let wanted: BTreeSet<String> = ids.into_iter().filter(|id| !is_read(id)).map(str::to_owned).collect();
        for part in parts(&wanted) {
            let found = self.live.rows_in(register, &part).await?;
            self.take(found)?;
        }
        self.in_register.entry(register.to_owned()).or_default().extend(wanted);
        Ok(())
    }

    /// Takes rows in; those that were read or changed before stay as they are.
    fn take(&mut self, found: Vec<RowsOf>) -> Result<(), StoreError> {
        for RowsOf { id, register, body } in found {
            // Of a register that is not declared any more.
            let Some(form) = self.forms.of(&register) else { continue };
            let place = (id, register);
            let is_known = self.changed.contains(&place) || self.rows.get(&place.0).is_some_and(|rows| rows.contains_key(&place.1));
            if !is_known {
                self.rows.entry(place.0).or_default().insert(place.1, form.read(&body)?);
            }
        }
        Ok(())
    }

    /// Reads where some identifiers stand in one register, where it was not read before.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn read_mentions(&mut self, register: &str, ids: impl IntoIterator<Item = &str>) -> Result<(), StoreError> {
        let known = self.mentions.entry(register.to_owned()).or_default();
        let wanted: BTreeSet<String> = ids.into_iter().filter(|id| !known.contains_key(*id)).map(str::to_owned).collect();
        known.extend(wanted.iter().map(|id| (id.clone(), BTreeSet::new())));
        for part in parts(&wanted) {
            for Mention { id, register, owner } in self.live.mentions(register, &part).await? {
                let place = (id, (register, owner));
                if !self.unmentioned.contains(&place) {
                    known.entry(place.0).or_default().insert(place.1.1);
                }
            }
        }
        for (id, (_, owner)) in self.mentioned.iter().filter(|(id, (of, _))| of == register && wanted.contains(id)) {
            known.entry(id.clone()).or_default().insert(owner.clone());
        }
        Ok(())
    }

    /// The rows of an identifier that were read, by register.
    #[must_use]
    pub fn rows(&self, id: &str) -> Option<&BTreeMap<String, Rows>> {
        self.rows.get(id)
    }

    /// Under whom the rows of a register are in which an identifier stands, as it was read.
    pub fn mentions(&self, register: &str, id: &str) -> impl Iterator<Item = &String> {
        self.mentions.get(register).and_then(|known| known.get(id)).into_iter().flatten()
    }

    /// Changes the rows of one register under an identifier, which were read before; keeps what is mentioned in step.
    pub fn change<T>(&mut self, id: &str, register: &str, change: impl FnOnce(&mut Rows) -> T) -> T {
        let Some(form) = self.forms.of(register) else { return change(&mut Rows::default()) };
        let rows = self.rows.entry(id.to_owned()).or_default().entry(register.to_owned()).or_default();
        let before = mentioned_in(form, rows);
        let done = change(rows);
        let after = mentioned_in(form, rows);
        if rows.entries.is_empty() && !rows.set_aside {
            self.rows.entry(id.to_owned()).or_default().remove(register);
        }
        self.changed.insert((id.to_owned(), register.to_owned()));
        let place = || (register.to_owned(), id.to_owned());
        for gone in before.difference(&after) {
            self.unmention(gone, place());
        }
        for new in after.difference(&before) {
            self.mention(new, place());
        }
        done
    }

    fn mention(&mut self, id: &str, place: Place) {
        if let Some(known) = self.mentions.get_mut(&place.0).and_then(|known| known.get_mut(id)) {
            known.insert(place.1.clone());
        }
        let key = (id.to_owned(), place);
        if !self.unmentioned.remove(&key) {
            self.mentioned.insert(key);
        }
    }

    fn unmention(&mut self, id: &str, place: Place) {
        if let Some(known) = self.mentions.get_mut(&place.0).and_then(|known| known.get_mut(id)) {
            known.remove(&place.1);
        }
        let key = (id.to_owned(), place);
        if !self.mentioned.remove(&key) {
            self.unmentioned.insert(key);
        }
    }

    /// What is to be written: rows, new mentions, mentions that are no more.
    #[must_use]
    pub fn written(&self) -> (Vec<RowsOf>, Vec<Mention>, Vec<Mention>) {
        let nothing = Rows::default();
        let body = |id: &str, register: &str| {
            let rows = self.rows.get(id).and_then(|rows| rows.get(register)).unwrap_or(&nothing);
            self.forms.of(register).map(|form| form.write(rows)).unwrap_or_default()
        };
        let rows =
            self.changed.iter().map(|(id, register)| RowsOf { id: id.clone(), register: register.clone(), body: body(id, register) });
        let mention =
            |(id, (register, owner)): &(String, Place)| Mention { id: id.clone(), register: register.clone(), owner: owner.clone() };
        (rows.collect(), self.mentioned.iter().map(mention).collect(), self.unmentioned.iter().map(mention).collect())
    }
}

/// Identifiers in parts that are asked for together.
fn parts(ids: &BTreeSet<String>) -> Vec<Vec<&str>> {
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    ids.chunks(TOGETHER).map(<[&str]>::to_vec).collect()
}

/// What the rows of a register under one identifier mention: other identifiers, and what identifies rows that events may name without
/// their owner.
#[must_use]
pub fn mentioned_in(form: &super::rows::RowForm, rows: &Rows) -> HashSet<String> {
    let others = form.alive(rows).into_iter().flat_map(|row| row.others.iter().map(|(_, id)| id.clone()));
    let numbers = rows.entries.iter().filter(|_| form.by_number()).map(|entry| form.mention_of(&entry.key));
    others.chain(numbers).collect()
}
