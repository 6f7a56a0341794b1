//! Whether one case touches a boundary.

use std::cmp::Ordering;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate};

use super::goals::{Goal, Target, Want};
use crate::cases::probe::{Probe, is_undecided, shifted};
use crate::cases::sites::{Part, Site, replaced};
use crate::check::CheckedPolicy;
use crate::check::catalogue::FactId;
use crate::check::ir::{CompareOp, Expr, Function, Kind, Ty};
use crate::explain::{Amount, Judgement, Verdict};
use crate::program::interpreter::Answer;

/// A case looked at closely: which boundaries of one version of a policy does it touch?
pub struct Touch<'a, 'b> {
    /// The policy.
    pub policy: &'a CheckedPolicy,
    /// The subject.
    pub probe: &'a mut Probe<'b>,
    /// What comes out; none where this version is not in force on the day.
    pub judgement: Option<Judgement>,
}

impl<'a, 'b> Touch<'a, 'b> {
    /// Looks at a subject.
    pub fn new(policy: &'a CheckedPolicy, probe: &'a mut Probe<'b>) -> Self {
        let version = policy.document.version;
        let in_force = probe.laws.get(&policy.document.code).is_some_and(|chosen| chosen.document.version == version);
        let judgement = if in_force { probe.judgement(policy) } else { None };
        Self { policy, probe, judgement }
    }

    /// Whether the verdict turns with the condition that the boundary stands in.
    pub fn is_decisive(&mut self, goal: &Goal) -> bool {
        let Target::Node(site) = &goal.target else { return true };
        let node = site.path.iter().try_fold(&self.policy.criteria, |expr, &child| expr.children().get(child).copied());
        if site.part != Part::Criteria || node.is_none_or(|node| node.ty != Ty::Bool) {
            return true;
        }
        let mut verdicts = [true, false].map(|truth| {
            let changed = replaced(self.policy, site, &Expr::boolean(truth));
            self.probe.judge(|judge| judge.verdict(&changed).ok())
        });
        verdicts.sort_by_key(|verdict| verdict.map(Verdict::name));
        verdicts[0] != verdicts[1]
    }

    /// Whether the boundary is touched.
    pub fn touches(&mut self, goal: &Goal) -> bool {
        if let (Target::Day, Want::On(day)) = (&goal.target, &goal.want) {
            return self.probe.day == *day;
        }
        let Some(judgement) = self.judgement.clone() else { return false };
        match &goal.target {
            Target::Day => judgement.verdict != Verdict::Outside && is_month_edge(self.probe.day, &goal.want),
            Target::Node(site) => self.node(site, &goal.want, &judgement),
            Target::Fact(id) => self.fact(*id, &goal.want, &judgement),
            Target::Offer(id) => judgement.offer.contains(&self.probe.catalogue.fact(*id).name),
            Target::Requires(code) => judgement.verdict != Verdict::Outside && self.verdict_of(code) == Some(verdict(&goal.want)),
            Target::Excludes(code) => {
                let found = self.verdict_of(code);
                let found = if found == Some(Verdict::Outside) { Some(Verdict::No) } else { found };
                judgement.verdict == Verdict::Yes && found == Some(verdict(&goal.want))
            }
            Target::Cap => self.cap(&goal.want, &judgement),
        }
    }

    fn verdict_of(&mut self, code: &str) -> Option<Verdict> {
        let Some(other) = self.probe.laws.get(code) else { return Some(Verdict::No) };
        let kind = self.policy.document.subject;
        self.probe.judge(|judge| judge.verdict_for(kind, other).ok())
    }

    fn root(&self, part: Part) -> Option<&'a Expr> {
        match part {
            Part::Coverage => Some(&self.policy.coverage),
            Part::Criteria => Some(&self.policy.criteria),
            Part::Amount => self.policy.amount.as_ref(),
            Part::Cap => self.policy.cap.as_ref(),
        }
    }

    fn node(&mut self, site: &Site, want: &Want, judgement: &Judgement) -> bool {
        let worth = matches!(site.part, Part::Amount | Part::Cap);
        if worth && judgement.verdict != Verdict::Yes || !worth && site.part != Part::Coverage && judgement.verdict == Verdict::Outside {
            return false;
        }
        let Some(root) = self.root(site.part) else { return false };
        if !self.probe.reaches(root, &site.path) {
            return false;
        }
        let node = site.path.iter().try_fold(root, |expr, &child| expr.children().get(child).copied());
        let Some(node) = node else { return false };
        match (&node.kind, want) {
            (_, Want::Taken) => true,
            (Kind::Compare(op, left, right), _) if matches!(left.ty, Ty::Number | Ty::Date) => self.compares(*op, left, right, want),
            (Kind::Compare(_, left, right), Want::At | Want::OtherText) => {
                let sides = self.probe.sides(left, right);
                self.probe.order(&sides).is_some_and(|order| (order == Ordering::Equal) == (*want == Want::At))
            }
            (Kind::TextIn { value, set }, _) => match (self.probe.value(value), want) {
                (Some(Answer::Text(text)), Want::Text(wanted)) => text == *wanted,
                (Some(Answer::Text(text)), Want::OtherText) => !set.contains(&text),
                _ => false,
            },
            (_, Want::Yes) => self.probe.holds(node) == Some(true),
            (_, Want::No) => self.probe.holds(node) == Some(false),
            (_, Want::Unknown) => self.probe.holds(node).is_none(),
            _ => false,
        }
    }

    /// Below, at or above the threshold, and one smallest step of one fact away from the next of the three; on the side
    /// where nothing is decided, a whole number away is near enough.
    fn compares(&mut self, op: CompareOp, left: &Expr, right: &Expr, want: &Want) -> bool {
        let wanted = match want {
            Want::Below => Ordering::Less,
            Want::At => Ordering::Equal,
            Want::Above => Ordering::Greater,
            _ => return false,
        };
        let sides = self.probe.sides(left, right);
        if self.probe.order(&sides) != Some(wanted) {
            return false;
        }
        let nearby = self.probe.nearby(&sides);
        let decided = |order: Ordering| match op {
            CompareOp::Eq | CompareOp::NotEq => order == Ordering::Equal,
            CompareOp::Lt | CompareOp::GtEq => order == Ordering::Less,
            CompareOp::Gt | CompareOp::LtEq => order == Ordering::Greater,
        };
        let turns = nearby.iter().any(|&order| decided(order) != decided(wanted));
        let nears = wanted != Ordering::Equal && (nearby.iter().any(|&order| order != wanted) || self.probe.one_apart(&sides));
        let far_side = matches!(
            (op, wanted),
            (CompareOp::Lt | CompareOp::GtEq, Ordering::Greater) | (CompareOp::Gt | CompareOp::LtEq, Ordering::Less)
        );
        turns || far_side && nears
    }

    fn fact(&mut self, id: FactId, want: &Want, judgement: &Judgement) -> bool {
        let ty = self.probe.catalogue.fact(id).ty.ty;
        let fact = Expr::new(Kind::Fact(id.index), ty);
        let value = self.probe.value(&fact);
        match want {
            Want::Yes | Want::No => judgement.verdict != Verdict::Outside && value == Some(Answer::Bool(*want == Want::Yes)),
            _ if value.is_some() => false,
            // Unknown, and what came out hangs on it: it is among what is missing, or the amount needs it.
            _ if is_undecided(judgement) => {
                let name = Arc::clone(&self.probe.catalogue.fact(id).name);
                if judgement.missing.iter().flatten().any(|missing| *missing == name) {
                    return true;
                }
                let parts = self.probe.facts(&fact);
                let names = parts.iter().map(|&index| &self.probe.catalogue.fact(FactId { kind: id.kind, index }).name);
                let is_part = names.into_iter().any(|name| judgement.missing.iter().flatten().any(|missing| missing == name));
                is_part || judgement.amount == Amount::Unknown && self.amount_reads(id)
            }
            _ => self.is_asked_for(id),
        }
    }

    fn amount_reads(&self, id: FactId) -> bool {
        let mut reads = false;
        for expr in self.policy.amount.iter().chain(&self.policy.cap) {
            expr.for_each_fact(&mut |index| reads |= index == id.index);
        }
        reads
    }

    /// Whether a condition asks if the fact is known, so that it counts when it is not.
    fn is_asked_for(&self, id: FactId) -> bool {
        fn asks(expr: &Expr, index: usize) -> bool {
            let here = match &expr.kind {
                Kind::IsKnown(_) | Kind::Call(Function::Coalesce, _) => {
                    let mut reads = false;
                    expr.for_each_fact(&mut |fact| reads |= fact == index);
                    reads
                }
                _ => false,
            };
            here || expr.children().into_iter().any(|child| asks(child, index))
        }
        asks(&self.policy.criteria, id.index) || self.policy.amount.as_ref().is_some_and(|amount| asks(amount, id.index))
    }

    /// The amount before the cap against it.
    fn cap(&mut self, want: &Want, judgement: &Judgement) -> bool {
        let (Some(amount), Some(cap)) = (&self.policy.amount, &self.policy.cap) else { return false };
        if judgement.verdict != Verdict::Yes {
            return false;
        }
        let sides = self.probe.sides(amount, cap);
        match (self.probe.order(&sides), want) {
            (Some(Ordering::Equal), Want::At) => true,
            (Some(Ordering::Less), Want::Below) | (Some(Ordering::Greater), Want::Above) => {
                let own = if *want == Want::Below { Ordering::Less } else { Ordering::Greater };
                self.probe.nearby(&sides).iter().any(|&order| order != own)
            }
            _ => false,
        }
    }
}

fn verdict(want: &Want) -> Verdict {
    match want {
        Want::Yes => Verdict::Yes,
        Want::Unknown => Verdict::Unknown,
        _ => Verdict::No,
    }
}

fn is_month_edge(day: NaiveDate, want: &Want) -> bool {
    match want {
        Want::MonthStart => day.day() == 1,
        _ => shifted(day, 1).day() == 1,
    }
}
