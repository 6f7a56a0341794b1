//! What the turns of one stream did, for another that judges the same subjects by other policies.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::paths::Columns;
use super::reach::Touched;
use super::rows::RowForms;
use super::view::View;
use crate::store::live::Batch;

/// What turns did that others must know who judge beside them.
#[derive(Debug, Default)]
pub(super) struct Heard {
    rows: BTreeSet<HeardRow>,
    /// Subjects for whom something else stands, or whose cases moved.
    pub(super) others: BTreeSet<String>,
}

/// A row that was changed, without the numbers of the view that it was changed in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct HeardRow {
    register: Arc<str>,
    owner: Arc<str>,
    others: Vec<(usize, Arc<str>)>,
    columns: Columns,
}

impl Heard {
    /// Hears of changed rows.
    pub(super) fn rows(&mut self, touched: &BTreeSet<Touched>, forms: &RowForms, view: &View) {
        let row = |touched: &Touched| {
            Some(HeardRow {
                register: Arc::clone(&forms.at(touched.register)?.name),
                owner: Arc::clone(view.name(touched.owner)),
                others: touched.others.iter().map(|(column, id)| (*column, Arc::clone(view.name(*id)))).collect(),
                columns: touched.columns.clone(),
            })
        };
        self.rows.extend(touched.iter().filter_map(row));
    }

    /// Hears of what follows from them.
    pub(super) fn others(&mut self, batch: &Batch) {
        self.others.extend(batch.standing.iter().map(|standing| standing.id.clone()));
        self.others.extend(batch.cases.iter().map(|step| step.row.subject.clone()));
    }

    /// Whether there was nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.others.is_empty()
    }

    /// The rows, as another stream has them; of registers that it does not know, none.
    pub(super) fn touched(&self, forms: &RowForms, view: &mut View) -> BTreeSet<Touched> {
        let mut touched = BTreeSet::new();
        for row in &self.rows {
            let Some((register, _)) = forms.find(&row.register) else { continue };
            let others = row.others.iter().map(|(column, id)| (*column, view.id(id))).collect();
            touched.insert(Touched { register, owner: view.id(&row.owner), others, columns: row.columns.clone() });
        }
        touched
    }
}
