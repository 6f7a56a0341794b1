//! Every `case` of a policy, branch by branch: who reaches it, and what the branches leave open.

use super::bands::bands;
use super::domain::{Domain, TermId, Worlds};
use super::scene::{Place, Scene};
use super::{band_gap, band_overlap, unreachable_branch};
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::Diagnostic;

/// Looks at the branches of criteria for those who are covered, at those of amounts for those who meet the criteria.
pub(super) fn check(scene: &Scene<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let criteria = scene.criteria().len();
    for (at, place) in scene.places().iter().enumerate() {
        let worlds = if at < criteria { &scene.covered } else { &scene.entitled };
        if !worlds.is_impossible() {
            let mut told = Vec::new();
            Visit { scene, place, diagnostics: &mut told }.expr(place.expr, worlds);
            for diagnostic in &mut told {
                diagnostic.clause.clone_from(&place.clause);
            }
            diagnostics.append(&mut told);
        }
    }
}

struct Visit<'a, 'd> {
    scene: &'a Scene<'a>,
    place: &'a Place<'a>,
    diagnostics: &'d mut Vec<Diagnostic>,
}

impl Visit<'_, '_> {
    fn expr(&mut self, expr: &Expr, worlds: &Worlds) {
        match &expr.kind {
            Kind::Case { branches, otherwise } => self.case(expr, branches, otherwise.as_deref(), worlds),
            _ => {
                for child in expr.children() {
                    self.expr(child, worlds);
                }
            }
        }
    }

    fn case(&mut self, whole: &Expr, branches: &[(Expr, Expr)], otherwise: Option<&Expr>, worlds: &Worlds) {
        let domain = self.scene.domain();
        let mut reached = worlds.clone();
        let mut conditions: Vec<TermId> = Vec::new();
        let before = self.diagnostics.len();
        for (when, then) in branches {
            let Some(id) = self.scene.id(when) else { return };
            let taken = domain.assume(&reached, id, true);
            if taken.is_impossible() {
                let earlier = self.catching(domain, worlds, branches, &conditions, id);
                self.diagnostics.push(unreachable_branch::tell(self.place.span(when), earlier));
            } else {
                self.expr(then, &taken);
            }
            self.expr(when, &reached);
            reached = domain.assume(&reached, id, false);
            conditions.push(id);
        }
        if let Some(bands) = bands(&self.scene.terms, &conditions) {
            band_overlap::check(self.scene, self.place, branches, &bands, self.diagnostics);
            if otherwise.is_none() && !reached.is_impossible() {
                band_gap::check(self.scene, self.place.span(whole), &bands, worlds, self.diagnostics);
            }
        }
        if let Some(last) = otherwise {
            if reached.is_impossible() && self.diagnostics.len() == before {
                self.diagnostics.push(unreachable_branch::tell_last(self.place.span(last)));
            } else {
                self.expr(last, &reached);
            }
        }
    }

    /// The earlier branch that takes all whom a branch is for, if one alone does.
    fn catching(
        &self,
        domain: Domain<'_>,
        worlds: &Worlds,
        branches: &[(Expr, Expr)],
        earlier: &[TermId],
        id: TermId,
    ) -> Option<crate::diagnostic::Span> {
        let meant = domain.assume(worlds, id, true);
        let at = earlier.iter().position(|earlier| !meant.is_impossible() && domain.always(&meant, *earlier))?;
        Some(self.place.span(&branches[at].0))
    }
}
