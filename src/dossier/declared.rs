//! The declared facts of subjects, with how each is read from dossiers.

use std::collections::BTreeSet;

use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::{Expr, Kind};
use crate::register::declaration::SubjectKind;

/// The declared facts of one kind.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Whose.
    pub kind: SubjectKind,
    /// In the order of the catalogue.
    pub facts: Vec<DeclaredFact>,
}

/// A fact with how it is read from dossiers.
#[derive(Debug, Clone)]
pub struct DeclaredFact {
    /// Which.
    pub id: FactId,
    /// Its name.
    pub name: String,
    /// Bound; computed facts are what they are computed from.
    pub expr: Expr,
    /// For numbers, digits behind the point.
    pub scale: u8,
}

impl Sheet {
    /// The expressions with their scales, as a [`super::mapper::Mapper`] takes them.
    #[must_use]
    pub fn expressions(&self) -> Vec<(Expr, u8)> {
        self.facts.iter().map(|fact| (fact.expr.clone(), fact.scale)).collect()
    }
}

/// The declared facts of some kinds, and the facts that dossiers must have for them. What only expressions derive is left
/// out; what computed facts are computed from may add derived facts to the catalogue.
pub fn sheets(catalogue: &mut Catalogue, binder: &Binder<'_>, kinds: &[SubjectKind]) -> (Vec<Sheet>, BTreeSet<FactId>) {
    let mut needed = BTreeSet::new();
    let mut sheet = |kind: SubjectKind| {
        // Declared facts have a place.
        let declared: Vec<usize> = (0..catalogue.facts(kind).len()).filter(|&index| catalogue.facts(kind)[index].place.is_some()).collect();
        let facts = declared.into_iter().map(|index| {
            let fact = &catalogue.facts(kind)[index];
            let (name, ty, scale) = (fact.name.to_string(), fact.ty.ty, fact.ty.scale);
            let expr = binder.bind(&catalogue.expand(&Expr::new(Kind::Fact(index), ty), kind, 0, &|_| false));
            expr.for_each_fact(&mut |index| {
                needed.insert(FactId { kind, index });
            });
            DeclaredFact { id: FactId { kind, index }, name, expr, scale }
        });
        Sheet { kind, facts: facts.collect() }
    };
    let sheets = kinds.iter().map(|kind| sheet(*kind)).collect();
    (sheets, needed)
}
