//! The tree of criteria walked from the top: each condition is asked what it comes to for those who are covered and meet
//! the conditions that must hold beside it.

use std::collections::HashMap;

use super::domain::{Domain, Term, TermId, Worlds};
use super::pieces::{Piece, Shape};
use super::{always_holds, contradictory_conditions, implied_condition, never_holds};
use crate::check::ir::{CompareOp, Ty};
use crate::diagnostic::Diagnostic;

/// Walks the criteria and tells what can never hold, always holds, contradicts, or is implied.
pub(super) fn criteria(domain: Domain<'_>, covered: &Worlds, root: &Piece, diagnostics: &mut Vec<Diagnostic>) {
    let mut walk = Walk { domain, covered, beside: Vec::new(), diagnostics };
    walk.piece(root, covered);
}

struct Walk<'w, 't> {
    domain: Domain<'t>,
    covered: &'w Worlds,
    /// The conditions that must hold beside the one that is looked at.
    beside: Vec<&'w Piece>,
    diagnostics: &'w mut Vec<Diagnostic>,
}

/// Whether something was told that explains why a condition can never hold, or never fail.
type Told = bool;

impl<'w> Walk<'w, '_> {
    fn piece(&mut self, piece: &'w Piece, worlds: &Worlds) -> Told {
        match &piece.shape {
            Shape::All(parts) => self.all(parts, worlds),
            Shape::Any(parts) => self.any(piece, parts, worlds),
            Shape::AtLeast(parts) => {
                let before = self.diagnostics.len();
                for part in parts {
                    self.piece(part, worlds);
                }
                self.diagnostics.len() > before || self.plain(piece, worlds)
            }
            // That a part inside a `not` never holds is no fault of the whole.
            Shape::Not(_) | Shape::Plain => self.plain(piece, worlds),
        }
    }

    fn plain(&mut self, piece: &Piece, worlds: &Worlds) -> Told {
        if self.domain.never(worlds, piece.id) {
            let alone = self.domain.never(self.covered, piece.id);
            let other = if alone { None } else { self.partner(piece) };
            self.diagnostics.push(match (alone, other) {
                (true, _) => never_holds::tell(self.domain, self.covered, piece),
                (false, other) => contradictory_conditions::tell(piece, other),
            });
            return true;
        }
        if self.domain.never_no(self.covered, piece.id) && !self.only_asks_to_know(piece) {
            self.diagnostics.push(always_holds::tell(self.domain, self.covered, piece));
            return true;
        }
        false
    }

    /// Lists of all codes there are, as parts of a longer condition, repeat the words of the text and ask that the facts
    /// be known: that is no fault.
    fn only_asks_to_know(&self, piece: &Piece) -> bool {
        let terms = self.domain.terms;
        let (mut open, mut lists) = (vec![piece.id], 0);
        while let Some(id) = open.pop() {
            match terms.term(id) {
                Term::And(items) | Term::Or(items) => open.extend(items),
                Term::TextIn(..) => lists += 1,
                Term::Compare(CompareOp::Eq, side, _) if terms.ty(*side) == Ty::Text => lists += 1,
                _ => return false,
            }
        }
        (!piece.whole || lists > 1 && terms.leaves(piece.id).len() > 1) && self.domain.values(self.covered, piece.id).unknown
    }

    /// Whether an alternative is the `not a` of `not a or b` beside the condition `a`: so one writes "if a, then b".
    fn is_guard(&self, piece: &Piece) -> bool {
        match &piece.shape {
            Shape::Not(inner) => self.beside.iter().any(|other| other.id == inner.id),
            _ => false,
        }
    }

    /// Whether a condition changes no verdict beside `other`: whoever meets the other meets it, and whoever fails it
    /// fails the other, with nothing unknown.
    fn adds_nothing(&self, worlds: &Worlds, id: TermId, other: TermId) -> bool {
        let met = self.domain.assume(worlds, other, true);
        let failed = self.domain.values(&self.domain.assume(worlds, id, false), other);
        self.domain.always(&met, id) && !failed.may_be_yes() && !failed.unknown
    }

    /// The one condition beside it with which a condition cannot hold, if one alone is enough.
    fn partner(&self, piece: &Piece) -> Option<&'w Piece> {
        let clashes = |other: &&&'w Piece| {
            let worlds = self.domain.assume(self.covered, other.id, true);
            self.domain.never(&worlds, piece.id)
        };
        self.beside.iter().find(clashes).copied()
    }

    /// The first of the conditions that cannot hold beside those before it.
    fn contradiction(&mut self, parts: &'w [Piece], worlds: &Worlds) -> Told {
        let depth = self.beside.len();
        let mut so_far = worlds.clone();
        for part in parts {
            let next = self.domain.assume(&so_far, part.id, true);
            if next.is_impossible() {
                let told = self.piece(part, &so_far) || self.plain(part, &so_far);
                self.beside.truncate(depth);
                return told;
            }
            so_far = next;
            self.beside.push(part);
        }
        self.beside.truncate(depth);
        false
    }

    fn all(&mut self, parts: &'w [Piece], worlds: &Worlds) -> Told {
        if self.contradiction(parts, worlds) {
            return true;
        }
        let before = self.diagnostics.len();
        let mut adds = vec![true; parts.len()];
        let groups = self.connected(parts);
        for (at, part) in parts.iter().enumerate().rev() {
            let counts = |other: usize| other != at && adds[other] && groups[other] == groups[at];
            let others = || parts.iter().enumerate().filter(|(other, _)| counts(*other)).map(|(_, other)| other);
            let beside = self.domain.assume_all(worlds, others().map(|other| other.id));
            let depth = self.beside.len();
            self.beside.extend(others());
            let told = self.piece(part, &beside);
            if !told
                && self.domain.always(&beside, part.id)
                && let Some(by) = self.implying(part, worlds)
            {
                self.diagnostics.push(implied_condition::tell(part, by));
                adds[at] = false;
            }
            self.beside.truncate(depth);
        }
        self.diagnostics.len() > before
    }

    /// Numbers conditions so that those have one number that are about the same things, directly or through others. What
    /// does not share anything cannot change what the other comes to. Conditions about the day alone go with all.
    fn connected(&self, parts: &[Piece]) -> Vec<usize> {
        let subjects: Vec<Vec<TermId>> = parts.iter().map(|part| self.domain.terms.subjects(part.id)).collect();
        let about_day = |subjects: &[TermId]| subjects.iter().any(|id| *self.domain.terms.term(*id) == Term::AsOf);
        if subjects.iter().any(|subjects| about_day(subjects)) {
            return vec![0; parts.len()];
        }
        let mut groups: Vec<usize> = (0..parts.len()).collect();
        let mut owners: HashMap<TermId, usize> = HashMap::new();
        for (at, subjects) in subjects.iter().enumerate() {
            for subject in subjects {
                let (one, two) = (groups[*owners.entry(*subject).or_insert(at)], groups[at]);
                if one != two {
                    groups.iter_mut().filter(|group| **group == two).for_each(|group| *group = one);
                }
            }
        }
        groups
    }

    /// The one condition beside it that makes it superfluous.
    fn implying(&self, piece: &Piece, worlds: &Worlds) -> Option<&'w Piece> {
        if self.domain.always(self.covered, piece.id) {
            return None;
        }
        let mut beside = self.beside.iter();
        beside.find(|other| self.adds_nothing(self.covered, piece.id, other.id) || self.adds_nothing(worlds, piece.id, other.id)).copied()
    }

    fn any(&mut self, whole: &'w Piece, parts: &'w [Piece], worlds: &Worlds) -> Told {
        let before = self.diagnostics.len();
        let alive: Vec<(&'w Piece, Worlds)> = parts
            .iter()
            .filter_map(|part| {
                if self.is_guard(part) || self.piece(part, worlds) {
                    return None;
                }
                let assumed = self.domain.assume(worlds, part.id, true);
                (!assumed.is_impossible()).then_some((part, assumed))
            })
            .collect();
        if self.diagnostics.len() > before {
            return true;
        }
        let subjects: Vec<Vec<TermId>> = alive.iter().map(|(part, _)| self.domain.terms.subjects(part.id)).collect();
        for (at, (part, assumed)) in alive.iter().enumerate() {
            let wider = alive.iter().enumerate().find(|(other, (wide, wide_worlds))| {
                // What shares nothing with it cannot cover it.
                if !subjects[at].iter().any(|subject| subjects[*other].contains(subject)) {
                    return false;
                }
                // Of two that say the same, the first stays.
                let mutual = || self.domain.always(wide_worlds, part.id);
                let covers = || {
                    let failed = self.domain.values(&self.domain.assume(worlds, wide.id, false), part.id);
                    self.domain.always(assumed, wide.id) && !failed.may_be_yes() && !failed.unknown
                };
                *other != at && covers() && (*other < at || !mutual())
            });
            if let Some((_, (wide, _))) = wider {
                self.diagnostics.push(implied_condition::tell_alternative(part, wide));
            }
        }
        if self.diagnostics.len() == before && self.domain.never_no(self.covered, whole.id) && !self.only_asks_to_know(whole) {
            self.diagnostics.push(always_holds::tell(self.domain, self.covered, whole));
        }
        self.diagnostics.len() > before
    }
}
