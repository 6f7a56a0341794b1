//! What the store holds of some subjects, as a batch of changes leaves it: read when it is asked for, changed in memory, and kept from
//! one turn to the next, for nobody else changes it as long as the lease is held.

use std::collections::{BTreeSet, VecDeque};
use std::mem::size_of;
use std::sync::Arc;

use futures::StreamExt as _;
use hashbrown::{HashMap, HashSet};

use super::carried::Carried;
use super::leads::Leads;
use super::rows::{RowForm, RowForms, Rows};
use crate::store::StoreError;
use crate::store::live::{Live, Mention, RowsOf};

/// Identifiers that are asked for in one query.
const TOGETHER: usize = 2_000;

/// Fewer than these are not asked for in parts.
const LEAST_TOGETHER: usize = 256;

/// Queries that are under way at once.
const AT_ONCE: usize = 4;

/// How many of some identifiers one query asks for.
pub(super) fn part_of(all: usize) -> usize {
    all.div_ceil(AT_ONCE).clamp(LEAST_TOGETHER, TOGETHER)
}

/// Bytes that are kept from one turn to the next; where there are more, what was not asked for lately is read anew when it is.
const KEPT: usize = 1 << 30;

/// So many turns ago is lately.
const LATELY: u32 = 8;

/// An identifier, as a number that stands for it in one view.
pub type Id = u32;

/// Identifiers.
pub type IdSet = HashSet<Id>;

/// A register, by its place among all.
pub type Register = usize;

/// The rows of one register under one identifier, as they lie in the store, with the other identifiers in those that are there.
#[derive(Debug, Default)]
pub struct Held {
    /// What [`RowForm::read`] reads; empty: nothing.
    body: Box<[u8]>,
    /// How many rows are there.
    count: u32,
    /// The identifiers, row by row.
    ends: Box<[End]>,
}

/// Another identifier in a row.
#[derive(Debug, Clone, Copy)]
pub struct End {
    /// The row, in the order of [`RowForm::alive_in`].
    row: u32,
    column: u32,
    /// The identifier.
    pub id: Id,
}

impl End {
    /// Column and identifier.
    #[must_use]
    pub fn place(&self) -> (usize, Id) {
        (self.column as usize, self.id)
    }
}

impl Held {
    /// The rows, as they lie in the store.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The other identifiers of each row that is there.
    pub fn ends(&self) -> impl Iterator<Item = &[End]> {
        let mut rest = &*self.ends;
        (0..self.count).map(move |row| {
            let count = rest.iter().take_while(|end| end.row == row).count();
            let (of_row, others) = rest.split_at(count);
            rest = others;
            of_row
        })
    }

    /// The same of all rows.
    #[must_use]
    pub fn all_ends(&self) -> &[End] {
        &self.ends
    }

    /// Some bytes more than it takes.
    fn size(&self) -> usize {
        96 + self.body.len() + self.ends.len() * size_of::<End>()
    }
}

/// What is known of one identifier.
#[derive(Debug)]
struct Known {
    name: Arc<str>,
    /// Whether its rows in every register were read.
    whole: bool,
    /// By register that was read, ascending; those that were read whole and are empty may be left out.
    held: Vec<(Register, Held)>,
    /// By register that was asked, ascending: under whom the rows are in which it stands.
    mentions: Vec<(Register, Vec<Id>)>,
    /// The turn that asked for it last.
    asked: u32,
}

impl Known {
    fn held(&self, register: Register) -> Option<&Held> {
        let at = self.held.binary_search_by_key(&register, |(at, _)| *at).ok()?;
        Some(&self.held[at].1)
    }

    fn held_mut(&mut self, register: Register) -> &mut Held {
        let at = match self.held.binary_search_by_key(&register, |(at, _)| *at) {
            Ok(at) => at,
            Err(at) => {
                self.held.insert(at, (register, Held::default()));
                at
            }
        };
        &mut self.held[at].1
    }

    /// Its rows in a register were asked for: what was not found is not there.
    fn is_asked(&mut self, register: Register) {
        self.held_mut(register);
    }

    fn is_read(&self, register: Register) -> bool {
        self.whole || self.held(register).is_some()
    }

    /// Bytes, about.
    fn size(&self) -> usize {
        let held: usize = self.held.iter().map(|(_, held)| held.size()).sum();
        let mentions: usize = self.mentions.iter().map(|(_, owners)| 32 + owners.len() * size_of::<Id>()).sum();
        128 + self.name.len() + held + mentions
    }

    fn mentions(&self, register: Register) -> Option<&[Id]> {
        let at = self.mentions.binary_search_by_key(&register, |(at, _)| *at).ok()?;
        Some(&self.mentions[at].1)
    }

    fn mentions_mut(&mut self, register: Register) -> Option<&mut Vec<Id>> {
        let at = self.mentions.binary_search_by_key(&register, |(at, _)| *at).ok()?;
        Some(&mut self.mentions[at].1)
    }
}

/// What is to be written: rows, new mentions, mentions that are no more.
pub type Written = (Vec<RowsOf>, Vec<Mention>, Vec<Mention>);

/// Where an identifier stands: who, in which register, under whom the row is.
type Place = (Id, Register, Id);

/// A view of the store.
pub struct View {
    live: Arc<dyn Live>,
    forms: Arc<RowForms>,
    ids: HashMap<Arc<str>, Id>,
    known: Vec<Known>,
    /// Bytes, about.
    size: usize,
    /// Counts the turns.
    turn: u32,
    /// What was changed, and is not written yet.
    changed: BTreeSet<(Id, Register)>,
    /// Mentions that changed with it.
    new: Mentions,
    /// Mentions that are on their way to the store, turn by turn: it may tell of them, or not yet.
    under_way: VecDeque<Mentions>,
    /// Facts of those whom others rest on, by the one judge that this view is for.
    pub carried: Carried<Id>,
    /// Rows that lead from those who were judged to many others, likewise.
    pub leads: Leads<Id>,
    /// A register in which few stand, and whoever stands in it or has rows there that name somebody, or did.
    linked: Option<(Register, IdSet)>,
}

/// Where identifiers stand that stood there not, and where they stand no more.
#[derive(Debug, Default)]
struct Mentions {
    there: BTreeSet<Place>,
    gone: BTreeSet<Place>,
}

impl Mentions {
    /// Puts them over the owners that an identifier was known under in a register.
    fn over(&self, id: Id, register: Register, owners: &mut Vec<Id>) {
        let places = (id, register, 0)..=(id, register, Id::MAX);
        owners.retain(|owner| !self.gone.contains(&(id, register, *owner)));
        for (_, _, owner) in self.there.range(places) {
            if !owners.contains(owner) {
                owners.push(*owner);
            }
        }
    }

    fn put(&mut self, place: Place, is_there: bool) {
        let (undone, done) = if is_there { (&mut self.gone, &mut self.there) } else { (&mut self.there, &mut self.gone) };
        if !undone.remove(&place) {
            done.insert(place);
        }
    }
}

impl View {
    /// Nothing read yet.
    #[must_use]
    pub fn new(live: Arc<dyn Live>, forms: Arc<RowForms>) -> Self {
        Self {
            live,
            forms,
            ids: HashMap::new(),
            known: Vec::new(),
            size: 0,
            turn: 0,
            changed: BTreeSet::new(),
            new: Mentions::default(),
            under_way: VecDeque::new(),
            carried: Carried::default(),
            leads: Leads::default(),
            linked: None,
        }
    }

    /// The number of an identifier.
    ///
    /// # Panics
    ///
    /// When there are 2^32 identifiers in memory.
    pub fn id(&mut self, name: &str) -> Id {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = Id::try_from(self.known.len()).expect("fewer than 2^32 identifiers are in memory");
        let name: Arc<str> = name.into();
        self.ids.insert(Arc::clone(&name), id);
        self.size += 128 + name.len();
        self.known.push(Known { name, whole: false, held: Vec::new(), mentions: Vec::new(), asked: self.turn });
        id
    }

    /// The number of an identifier that was asked about before.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Id> {
        self.ids.get(name).copied()
    }

    /// An identifier.
    #[must_use]
    pub fn name(&self, id: Id) -> &Arc<str> {
        &self.of(id).name
    }

    /// Some identifiers, in their order.
    #[must_use]
    pub fn names(&self, ids: &IdSet) -> BTreeSet<String> {
        ids.iter().map(|id| self.name(*id).to_string()).collect()
    }

    fn of(&self, id: Id) -> &Known {
        &self.known[id as usize]
    }

    fn of_mut(&mut self, id: Id) -> &mut Known {
        &mut self.known[id as usize]
    }

    /// Reads the rows of some identifiers, where they were not read before.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or a register was declared otherwise when its rows were stored.
    pub async fn read_rows(&mut self, ids: impl IntoIterator<Item = Id>) -> Result<(), StoreError> {
        let wanted = self.wanted(ids, |known| !known.whole);
        let live = Arc::clone(&self.live);
        let live = &*live;
        let found = self.names_of(&wanted);
        let found = found.iter().map(|names| async move { live.rows(&borrowed(names)).await });
        self.take(found).await?;
        for id in wanted {
            self.of_mut(id).whole = true;
        }
        Ok(())
    }

    /// Reads the rows that some identifiers have in some registers, where they were not read before.
    ///
    /// # Errors
    ///
    /// As [`Self::read_rows`].
    pub async fn read_rows_in(&mut self, registers: &[Register], ids: impl IntoIterator<Item = Id>) -> Result<(), StoreError> {
        let wanted = self.wanted(ids, |known| registers.iter().any(|register| !known.is_read(*register)));
        let forms = Arc::clone(&self.forms);
        let named: Vec<&str> = registers.iter().filter_map(|register| forms.at(*register)).map(|form| &*form.name).collect();
        let live = Arc::clone(&self.live);
        let (live, named) = (&*live, &*named);
        let found = self.names_of(&wanted);
        let found = found.iter().map(|names| async move { live.rows_in(named, &borrowed(names)).await });
        self.take(found).await?;
        for id in wanted {
            for register in registers {
                self.of_mut(id).is_asked(*register);
            }
        }
        Ok(())
    }

    /// Reads who stands in identity links, once: of all others it is then known that none ties them. `register`: that of the links.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn read_linked(&mut self, register: Register) -> Result<(), StoreError> {
        if self.linked.as_ref().is_some_and(|(known, _)| *known == register) {
            return Ok(());
        }
        let mut linked = IdSet::new();
        for Mention { id, owner, .. } in self.live.linked().await? {
            linked.extend([self.id(&id), self.id(&owner)]);
        }
        for (id, at, owner) in self.under_way.iter().chain([&self.new]).flat_map(|mentions| &mentions.there) {
            if *at == register {
                linked.extend([*id, *owner]);
            }
        }
        self.linked = Some((register, linked));
        Ok(())
    }

    /// Whether somebody may stand in identity links, or have some ([`Self::read_linked`]).
    #[must_use]
    pub fn is_linked(&self, id: Id) -> bool {
        self.linked.as_ref().is_none_or(|(_, linked)| linked.contains(&id))
    }

    /// Those of whom something is not known, each once, in their order, which is that of the store as far as may be.
    fn wanted(&mut self, ids: impl IntoIterator<Item = Id>, lacks: impl Fn(&Known) -> bool) -> Vec<Id> {
        let turn = self.turn;
        let mut is_wanted = |id: &Id| {
            let known = self.of_mut(*id);
            known.asked = turn;
            lacks(known)
        };
        let mut wanted: Vec<Id> = ids.into_iter().filter(|id| is_wanted(id)).collect();
        wanted.sort_unstable_by(|one, other| self.name(*one).cmp(self.name(*other)));
        wanted.dedup();
        wanted
    }

    /// Identifiers as texts, in parts that are asked for together.
    fn names_of(&self, ids: &[Id]) -> Vec<Vec<Arc<str>>> {
        ids.chunks(part_of(ids.len())).map(|part| part.iter().map(|id| Arc::clone(self.name(*id))).collect()).collect()
    }

    /// Takes rows in, as some queries give them; those that were read or changed before stay as they are.
    async fn take(&mut self, found: impl Iterator<Item = impl Future<Output = Result<Vec<RowsOf>, StoreError>>>) -> Result<(), StoreError> {
        let forms = Arc::clone(&self.forms);
        let mut found = futures::stream::iter(found).buffered(AT_ONCE);
        while let Some(rows) = found.next().await {
            for RowsOf { id, register, body } in rows? {
                // Of a register that is not declared any more.
                let Some((register, form)) = forms.find(&register) else { continue };
                let id = self.id(&id);
                if self.of(id).held(register).is_none() {
                    let held = self.held_of(form, body)?;
                    self.size += held.size();
                    *self.of_mut(id).held_mut(register) = held;
                }
            }
        }
        Ok(())
    }

    /// # Errors
    ///
    /// As [`RowForm::read`].
    fn held_of(&mut self, form: &RowForm, body: Vec<u8>) -> Result<Held, StoreError> {
        let (alive, _) = form.alive_in(&body)?;
        let (mut count, mut ends) = (0, Vec::new());
        for row in alive {
            for other in row.others() {
                let (column, id) = other?;
                let column = u32::try_from(column).map_err(|_| StoreError::Damaged("a column of a row".to_owned()))?;
                ends.push(End { row: count, column, id: self.id(id) });
            }
            count += 1;
        }
        Ok(Held { body: body.into(), count, ends: ends.into() })
    }

    /// Reads where some identifiers stand in one register, where it was not read before.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn read_mentions(&mut self, register: Register, ids: impl IntoIterator<Item = Id>) -> Result<(), StoreError> {
        let names = self.wanted(ids, |known| known.mentions(register).is_none());
        let names: Vec<Arc<str>> = names.into_iter().map(|id| Arc::clone(self.name(id))).collect();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        self.read_mentions_of(register, &names).await
    }

    /// The same of texts that may be none that a row is under, such as what identifies a row.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn read_mentions_of(&mut self, register: Register, names: &[&str]) -> Result<(), StoreError> {
        let forms = Arc::clone(&self.forms);
        let Some(form) = forms.at(register) else { return Ok(()) };
        let mut wanted: Vec<&str> = names.to_vec();
        wanted.retain(|name| self.ids.get(*name).is_none_or(|id| self.of(*id).mentions(register).is_none()));
        wanted.sort_unstable();
        wanted.dedup();
        let live = Arc::clone(&self.live);
        let (live, register_name) = (&*live, &*form.name);
        let parts = wanted.chunks(part_of(wanted.len()));
        let read = parts.map(|part| async move { Ok::<_, StoreError>((part, live.mentions(register_name, part).await?)) });
        let mut read = futures::stream::iter(read).buffered(AT_ONCE);
        while let Some(read) = read.next().await {
            let (part, mentions) = read?;
            let mut found: HashMap<Id, Vec<Id>> = part.iter().map(|name| (self.id(name), Vec::new())).collect();
            for Mention { id, owner, .. } in mentions {
                let (id, owner) = (self.id(&id), self.id(&owner));
                found.entry(id).or_default().push(owner);
            }
            for (id, mut owners) in found {
                self.under_way.iter().chain([&self.new]).for_each(|mentions| mentions.over(id, register, &mut owners));
                self.size += 32 + owners.len() * size_of::<Id>();
                let mentions = &mut self.of_mut(id).mentions;
                let at = mentions.partition_point(|(at, _)| *at < register);
                mentions.insert(at, (register, owners));
            }
        }
        Ok(())
    }

    /// The rows of an identifier in a register, as they were read.
    #[must_use]
    pub fn held(&self, id: Id, register: Register) -> Option<&Held> {
        self.of(id).held(register)
    }

    /// The rows of an identifier that were read, by register.
    pub fn all_held(&self, id: Id) -> impl Iterator<Item = (Register, &Held)> {
        self.of(id).held.iter().map(|(register, held)| (*register, held))
    }

    /// Under whom the rows of a register are in which an identifier stands, as it was read.
    #[must_use]
    pub fn mentions(&self, register: Register, id: Id) -> &[Id] {
        self.of(id).mentions(register).unwrap_or_default()
    }

    /// Changes the rows of one register under an identifier, which were read before; keeps what is mentioned in step.
    ///
    /// # Errors
    ///
    /// As [`RowForm::read`].
    pub fn change<T>(&mut self, id: Id, register: Register, change: impl FnOnce(&mut Rows) -> T) -> Result<T, StoreError> {
        let forms = Arc::clone(&self.forms);
        let Some(form) = forms.at(register) else { return Ok(change(&mut Rows::default())) };
        let mut rows = form.read(self.of(id).held(register).map_or(&[], Held::body))?;
        let before = mentioned_in(form, &rows);
        let done = change(&mut rows);
        let after = mentioned_in(form, &rows);
        let held = self.held_of(form, form.write(&rows))?;
        *self.of_mut(id).held_mut(register) = held;
        self.changed.insert((id, register));
        for gone in before.difference(&after) {
            let gone = self.id(gone);
            self.mention((gone, register, id), false);
        }
        for new in after.difference(&before) {
            let new = self.id(new);
            self.mention((new, register, id), true);
        }
        Ok(done)
    }

    /// Says that an identifier stands in a row, or not any more.
    fn mention(&mut self, place: Place, is_there: bool) {
        let (id, register, owner) = place;
        if let Some(owners) = self.of_mut(id).mentions_mut(register) {
            owners.retain(|known| *known != owner);
            owners.extend(is_there.then_some(owner));
        }
        self.new.put(place, is_there);
        if let Some((_, linked)) = self.linked.as_mut().filter(|(at, _)| *at == register && is_there) {
            linked.extend([id, owner]);
        }
    }

    /// What is to be written.
    #[must_use]
    pub fn written(&self) -> Written {
        let mut rows = Vec::with_capacity(self.changed.len());
        for (id, register) in &self.changed {
            let (Some(form), Some(held)) = (self.forms.at(*register), self.held(*id, *register)) else { continue };
            rows.push(RowsOf { id: self.name(*id).to_string(), register: form.name.to_string(), body: held.body().to_vec() });
        }
        rows.sort_unstable();
        let mentions = |places: &BTreeSet<Place>| {
            let mention = |(id, register, owner): &Place| {
                let register = self.forms.at(*register)?.name.to_string();
                Some(Mention { id: self.name(*id).to_string(), register, owner: self.name(*owner).to_string() })
            };
            let mut mentions: Vec<Mention> = places.iter().filter_map(mention).collect();
            mentions.sort_unstable();
            mentions
        };
        (rows, mentions(&self.new.there), mentions(&self.new.gone))
    }

    /// Everything that was changed is on its way to the store.
    pub fn sent(&mut self) {
        self.turn += 1;
        self.changed.clear();
        self.under_way.push_back(std::mem::take(&mut self.new));
    }

    /// What was on its way first is in the store.
    pub fn arrived(&mut self) {
        self.under_way.pop_front();
    }

    /// Forgets what was not asked for in so many of the last turns, by default lately; nothing may be changed or on its way. Says whether
    /// there is room again.
    pub fn forget_unasked(&mut self, turns: Option<u32>) -> bool {
        let since = self.turn.saturating_sub(turns.unwrap_or(LATELY));
        for known in self.known.iter_mut().filter(|known| known.asked < since) {
            known.whole = false;
            known.held = Vec::new();
            known.mentions = Vec::new();
        }
        self.size = self.known.iter().map(Known::size).sum();
        self.size + self.carried.size() + self.leads.size() <= KEPT / 4 * 3
    }

    /// Whether there is too much in memory to be kept.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.size + self.carried.size() + self.leads.size() > KEPT
    }
}

fn borrowed(names: &[Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

/// What the rows of a register under one identifier mention: other identifiers, and what identifies rows that events may name without
/// their owner.
#[must_use]
pub fn mentioned_in(form: &RowForm, rows: &Rows) -> HashSet<String> {
    let others = form.alive(rows).into_iter().flat_map(|row| row.others.iter().map(|(_, id)| id.clone()));
    let numbers = rows.entries.iter().filter(|_| form.by_number()).map(|entry| form.mention_of(&entry.key));
    others.chain(numbers).collect()
}
