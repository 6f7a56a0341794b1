//! Computed facts written out: from an expression over any facts to one over facts that registers or links give.
//!
//! A quotient is never rounded on the way: what a link reaches as a computed fact is computed anew from what the link
//! reaches of its parts.

use std::collections::BTreeSet;

use super::catalogue::{Catalogue, Definition, Fact, FactId};
use super::ir::{Expr, Kind};
use crate::diagnostic::Message;
use crate::register::declaration::SubjectKind;

impl Catalogue {
    /// Writes out the computed facts in an expression over the facts of `kind`, whose columns start at `offset`.
    ///
    /// A fact for which `given` says yes is taken as it is. New facts that links must carry are added to the catalogue.
    pub fn expand(&mut self, expr: &Expr, kind: SubjectKind, offset: usize, given: &dyn Fn(FactId) -> bool) -> Expr {
        if let Kind::Fact(index) = expr.kind {
            let Some(index) = index.checked_sub(offset) else { return expr.clone() };
            return self.expand_fact(FactId { kind, index }, offset, given);
        }
        expr.map_children(&mut |child| self.expand(child, kind, offset, given))
    }

    fn expand_fact(&mut self, id: FactId, offset: usize, given: &dyn Fn(FactId) -> bool) -> Expr {
        let ty = self.fact(id).ty.ty;
        let itself = Expr::new(Kind::Fact(id.index + offset), ty);
        if given(id) {
            return itself;
        }
        match self.fact(id).definition.clone() {
            Definition::Computed(inner) => {
                let inner = if offset == 0 { inner } else { shift(&inner, offset) };
                self.expand(&inner, id.kind, offset, given)
            }
            Definition::Linked { link, fact } => {
                let Definition::Computed(inner) = self.fact(fact).definition.clone() else {
                    return itself;
                };
                // The computed fact at the other end, over parts each of which the link then carries.
                let inner = self.expand(&inner, fact.kind, 0, &|_| false);
                let through = self.through(link, id.kind, fact.kind, &inner, offset);
                self.expand(&through, id.kind, offset, given)
            }
            _ => itself,
        }
    }

    fn through(&mut self, link: usize, from: SubjectKind, to: SubjectKind, expr: &Expr, offset: usize) -> Expr {
        if let Kind::Fact(index) = expr.kind {
            let target = FactId { kind: to, index };
            let fact = self.fact(target).clone();
            let name = &self.registers.links[link];
            let label = Message::new(format!("{}的{}", name.label.zh, fact.label.zh), format!("{}: {}", name.label.en, fact.label.en));
            let linked = Fact {
                name: format!("{}.{}", name.name, fact.name).into(),
                label,
                definition: Definition::Linked { link, fact: target },
                place: None,
                ..fact
            };
            let id = self.add(from, linked);
            return Expr { kind: Kind::Fact(id.index + offset), ..expr.clone() };
        }
        expr.map_children(&mut |child| self.through(link, from, to, child, offset))
    }

    /// The facts that registers and links must give so that the expressions can be evaluated, with all that those rest
    /// on. The expressions must be expanded.
    #[must_use]
    pub fn needed(&self, roots: impl IntoIterator<Item = FactId>) -> BTreeSet<FactId> {
        let mut needed = BTreeSet::new();
        let mut open: Vec<FactId> = roots.into_iter().collect();
        while let Some(id) = open.pop() {
            if needed.insert(id) {
                open.extend(self.inputs(id));
            }
        }
        needed
    }
}

fn shift(expr: &Expr, offset: usize) -> Expr {
    if let Kind::Fact(index) = expr.kind {
        return Expr { kind: Kind::Fact(index + offset), ..expr.clone() };
    }
    expr.map_children(&mut |child| shift(child, offset))
}
