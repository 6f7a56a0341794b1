//! Changes put among the rows of the store: each goes to the identifiers that it names, and says whether it was anything new.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;

use super::change::{Change, Image};
use super::paths::Columns;
use super::reach::Touched;
use super::rows::{Entry, HeldRow, Row, RowForm, RowForms, Rows};
use super::view::{Held, Id, IdSet, Register, View};
use crate::store::StoreError;

/// What a batch of changes did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Who stands in rows that are others now, before and after.
    pub touched: BTreeSet<Touched>,
    /// Changes that said something new.
    pub changed: u64,
    /// Changes that were known already, or older than what is known.
    pub known: u64,
    /// Changes of rows that may repeat, without the row as it was before: there is no telling which one is meant.
    pub unplaced: u64,
}

/// Why changes could not be applied.
#[derive(Debug)]
pub enum ApplyError {
    /// The store's fault.
    Store(StoreError),
    /// Rows that are not as they are declared: a fault of ours.
    Rows(ArrowError),
}

impl From<StoreError> for ApplyError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ArrowError> for ApplyError {
    fn from(error: ArrowError) -> Self {
        Self::Rows(error)
    }
}

/// The register that a change is about.
#[derive(Clone, Copy)]
struct Of<'a> {
    register: Register,
    form: &'a RowForm,
}

/// What a change says of one row.
struct Said {
    key: Vec<u8>,
    owner: Option<String>,
    /// None: the row is gone.
    row: Option<HeldRow>,
}

/// Applies changes, in their order; the view holds what comes of it.
///
/// # Errors
///
/// When the store cannot be read, or an image has other columns than its register declares.
pub async fn apply(changes: &[Change], forms: &RowForms, view: &mut View) -> Result<Applied, ApplyError> {
    let mut applied = Applied::default();
    let mut all: Vec<(&Change, Of<'_>, Vec<Said>)> = Vec::new();
    let mut images: HashMap<*const RecordBatch, Vec<Row>> = HashMap::new();
    for change in changes {
        let Some((register, form)) = forms.find(&change.register) else { continue };
        for image in change.before.iter().chain(&change.after) {
            let at = Arc::as_ptr(&image.batch);
            if let std::collections::hash_map::Entry::Vacant(place) = images.entry(at) {
                place.insert(form.take(&image.batch)?);
            }
        }
        let row = |image: &Image| images.get(&Arc::as_ptr(&image.batch)).and_then(|rows| rows.get(image.row)).map(|row| (row, image.whole));
        let (before, after) = (change.before.as_ref().and_then(row), change.after.as_ref().and_then(row));
        match said(form, before, after) {
            Some(said) => all.push((change, Of { register, form }, said)),
            None => applied.unplaced += 1,
        }
    }
    read(&all, view).await?;
    for (change, of, said) in all {
        let mut is_new = false;
        for said in said {
            is_new |= tell(change, of, said, view, &mut applied.touched)?;
        }
        if is_new {
            applied.changed += 1;
        } else {
            applied.known += 1;
        }
    }
    Ok(applied)
}

/// What a change says of rows; none where rows may repeat and it does not tell which one it means.
fn said(form: &RowForm, before: Option<(&Row, bool)>, after: Option<(&Row, bool)>) -> Option<Vec<Said>> {
    let gone = |row: &Row| Said { key: row.key.clone(), owner: row.owner.clone(), row: None };
    let there = |row: &Row| Said { key: row.key.clone(), owner: row.owner.clone(), row: Some(row.held.clone()) };
    if form.repeats() {
        if let Some((_, false)) = before {
            return None;
        }
        return Some(match (before, after) {
            (Some((before, _)), Some((after, _))) if before.key == after.key => Vec::new(),
            (before, after) => before.map(|(row, _)| gone(row)).into_iter().chain(after.map(|(row, _)| there(row))).collect(),
        });
    }
    let is_moved =
        |before: &Row| after.is_none_or(|(after, _)| after.key != before.key || before.owner.is_some() && after.owner != before.owner);
    let moved = before.map(|(row, _)| row).filter(|row| is_moved(row)).map(gone);
    Some(moved.into_iter().chain(after.map(|(row, _)| there(row))).collect())
}

/// Reads what the changes are about: owners named, and those who have a row that is told by its number. All their rows at once: most of
/// them are judged next.
async fn read(all: &[(&Change, Of<'_>, Vec<Said>)], view: &mut View) -> Result<(), StoreError> {
    let each = || all.iter().flat_map(|(_, of, said)| said.iter().map(move |said| (of, said)));
    let mut numbers: BTreeMap<Register, BTreeSet<String>> = BTreeMap::new();
    let mut owners = IdSet::new();
    for (of, said) in each() {
        owners.extend(said.owner.as_ref().map(|owner| view.id(owner)));
        if of.form.by_number() {
            numbers.entry(of.register).or_default().insert(of.form.mention_of(&said.key));
        }
    }
    for (register, numbers) in numbers {
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        view.read_mentions_of(register, &numbers).await?;
        for number in numbers {
            let number = view.id(number);
            owners.extend(view.mentions(register, number));
        }
    }
    view.read_rows(owners).await
}

/// Tells it to the identifiers that it is about.
fn tell(change: &Change, of: Of<'_>, said: Said, view: &mut View, touched: &mut BTreeSet<Touched>) -> Result<bool, ApplyError> {
    let Of { register, form } = of;
    let mut owners: BTreeMap<Id, Option<HeldRow>> = BTreeMap::new();
    if form.by_number() {
        // A row has one owner: whoever had it, has it no more.
        let number = view.id(&form.mention_of(&said.key));
        let known = view.mentions(register, number).to_vec();
        let mut newest = None;
        for owner in &known {
            newest = newest.max(form.newest_under(body_of(view, *owner, register), &said.key)?);
        }
        // The same event may take a row from one and give it to another: what it gives comes last.
        let is_known = newest.is_some_and(|newest| newest > change.order || newest == change.order && said.row.is_none());
        if is_known {
            return Ok(false);
        }
        owners.extend(known.into_iter().map(|owner| (owner, None)));
    }
    if let Some(owner) = said.owner {
        owners.insert(view.id(&owner), said.row);
    }
    let mut is_new = false;
    for (owner, row) in owners {
        let before = form.alive_under(body_of(view, owner, register), &said.key)?;
        let entry = Entry { key: said.key.clone(), order: change.order, row };
        let was_new = view.change(owner, register, |rows: &mut Rows| form.put(rows, entry))?;
        let after = form.alive_under(body_of(view, owner, register), &said.key)?;
        is_new |= was_new;
        if before != after {
            let columns = match (before.as_slice(), after.as_slice()) {
                ([before], [after]) => form.differing(before, after)?,
                _ => Columns::All,
            };
            for row in before.into_iter().chain(after) {
                let others = row.others.iter().map(|(column, id)| (*column, view.id(id))).collect();
                touched.insert(Touched { register, owner, others, columns: columns.clone() });
            }
        }
    }
    Ok(is_new)
}

/// What the rows of one register under an identifier are written as.
fn body_of(view: &View, owner: Id, register: Register) -> &[u8] {
    view.held(owner, register).map_or(&[], Held::body)
}
