//! What is known of subjects: which facts judging reads, and the facts of each subject as its dossier has them.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{AsArray, RecordBatch};
use futures::StreamExt;

use super::judge::{Judge, Known};
use crate::check::CheckedPolicy;
use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::{Schema, Value};
use crate::dossier::{DossierError, Dossiers};
use crate::eligibility::evaluate::RowReader;
use crate::register::declaration::SubjectKind;

/// The facts of one subject, as its dossier has them; none of them computed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The known ones.
    pub values: BTreeMap<FactId, Value>,
    /// Those that registers disagree about.
    pub conflicts: BTreeSet<FactId>,
}

impl Facts {
    /// Those of a row, of the facts named by their places among those of the kind.
    #[must_use]
    pub fn of_row(reader: &RowReader, kind: SubjectKind, facts: &[usize], row: usize) -> Self {
        let known = facts.iter().filter_map(|&index| Some((FactId { kind, index }, reader.value(index, row)?)));
        let conflicts = facts.iter().filter(|&&index| reader.conflicts(index, row)).map(|&index| FactId { kind, index });
        Self { values: known.collect(), conflicts: conflicts.collect() }
    }

    /// The value of a fact; none: unknown.
    #[must_use]
    pub fn value(&self, fact: FactId) -> Option<Value> {
        self.values.get(&fact).cloned()
    }
}

/// The facts that judging and explaining policies reads, none of them computed. Facts that links must carry are added to
/// the catalogue.
#[must_use]
pub fn facts_read<'p>(
    catalogue: &mut Catalogue,
    binder: &Binder<'_>,
    policies: impl IntoIterator<Item = &'p CheckedPolicy>,
) -> BTreeSet<FactId> {
    let mut found = BTreeSet::new();
    let mut judge = Judge::new(catalogue, binder, Known::NOTHING);
    for policy in policies {
        let kind = policy.document.subject;
        for expr in judge.everything_of(policy) {
            judge.ready(&expr, kind).for_each_fact(&mut |index| {
                found.insert(FactId { kind, index });
            });
        }
    }
    *catalogue = judge.catalogue;
    found
}

/// Visits every subject of a kind with its facts, in no particular order.
///
/// # Errors
///
/// When dossiers cannot be read.
pub async fn each_subject(
    dossiers: &Dossiers,
    schema: &Schema,
    kind: SubjectKind,
    visit: &mut dyn FnMut(&str, &dyn Fn() -> Facts),
) -> Result<(), DossierError> {
    for mut stream in dossiers.stream(kind)? {
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            let facts = facts_of(schema, &batch);
            let reader = RowReader::new(schema, &facts, &batch)?;
            let ids = batch.column(0).as_string::<i32>();
            for (row, id) in ids.iter().enumerate() {
                visit(id.unwrap_or_default(), &|| Facts::of_row(&reader, kind, &facts, row));
            }
        }
    }
    Ok(())
}

/// The facts that a batch has columns of.
fn facts_of(schema: &Schema, batch: &RecordBatch) -> Vec<usize> {
    batch.schema_ref().fields().iter().filter_map(|field| schema.index_of(field.name())).collect()
}
