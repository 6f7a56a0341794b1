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
    mentions: HashMap<String, BTreeSet<Place>>,
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
        let wanted: BTreeSet<&str> = ids.into_iter().filter(|id| !self.rows.contains_key(*id)).collect();
        let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
        for part in wanted.chunks(TOGETHER) {
            let ids: Vec<&str> = part.iter().map(String::as_str).collect();
            let found = self.live.rows(&ids).await?;
            self.rows.extend(part.iter().map(|id| (id.clone(), BTreeMap::new())));
            for RowsOf { id, register, body } in found {
                // Of a register that is not declared any more.
                let Some(form) = self.forms.of(&register) else { continue };
                let rows = form.read(&body)?;
                self.rows.entry(id).or_default().insert(register, rows);
            }
        }
        Ok(())
    }

    /// Reads where some identifiers stand, where it was not read before.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn read_mentions(&mut self, ids: impl IntoIterator<Item = &str>) -> Result<(), StoreError> {
        let wanted: BTreeSet<&str> = ids.into_iter().filter(|id| !self.mentions.contains_key(*id)).collect();
        let wanted: Vec<String> = wanted.into_iter().map(str::to_owned).collect();
        for part in wanted.chunks(TOGETHER) {
            let ids: Vec<&str> = part.iter().map(String::as_str).collect();
            let found = self.live.mentions(&ids).await?;
            self.mentions.extend(part.iter().map(|id| (id.clone(), BTreeSet::new())));
            for Mention { id, register, owner } in found {
                let place = (register, owner);
                if !self.unmentioned.contains(&(id.clone(), place.clone())) {
                    self.mentions.entry(id).or_default().insert(place);
                }
            }
            for (id, place) in &self.mentioned {
                if part.binary_search(id).is_ok() {
                    self.mentions.entry(id.clone()).or_default().insert(place.clone());
                }
            }
        }
        Ok(())
    }

    /// The rows of an identifier that were read, by register.
    #[must_use]
    pub fn rows(&self, id: &str) -> Option<&BTreeMap<String, Rows>> {
        self.rows.get(id)
    }

    /// Where an identifier stands, as it was read.
    #[must_use]
    pub fn mentions(&self, id: &str) -> Option<&BTreeSet<Place>> {
        self.mentions.get(id)
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
        if let Some(known) = self.mentions.get_mut(id) {
            known.insert(place.clone());
        }
        let key = (id.to_owned(), place);
        if !self.unmentioned.remove(&key) {
            self.mentioned.insert(key);
        }
    }

    fn unmention(&mut self, id: &str, place: Place) {
        if let Some(known) = self.mentions.get_mut(id) {
            known.remove(&place);
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

/// What the rows of a register under one identifier mention: other identifiers, and what identifies rows that events may name without
/// their owner.
#[must_use]
pub fn mentioned_in(form: &super::rows::RowForm, rows: &Rows) -> HashSet<String> {
    let others = form.alive(rows).into_iter().flat_map(|row| row.others.iter().map(|(_, id)| id.clone()));
    let numbers = rows.entries.iter().filter(|_| form.by_number()).map(|entry| form.mention_of(&entry.key));
    others.chain(numbers).collect()
}
