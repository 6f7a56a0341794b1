//! Boundaries that no subject can touch, each with the reason.

use super::goals::{Goal, Target, Want};
use crate::cases::book::Book;
use crate::cases::domain::{Question, YES, not, verdict};
use crate::cases::sites::{Part, Site};
use crate::check::CheckedPolicy;
use crate::check::ir::{CompareOp, Expr, Kind, Ty};
use crate::diagnostic::Message;

/// Why nobody can touch a boundary; none where somebody may.
#[must_use]
pub fn excluded(policy: &CheckedPolicy, book: &Book<'_>, goal: &Goal) -> Option<Message> {
    let Target::Node(site) = &goal.target else { return None };
    let catalogue = book.catalogue();
    if site.part == Part::Coverage && goal.want == Want::No {
        let (region, day) = (&policy.document.covers.region, policy.document.in_force_from);
        let is_inside = |code: &str| book.regions.chain(code, day).contains(&region.as_str());
        let everywhere = book.regions.regions().filter(|other| other.holds_on(day)).all(|other| is_inside(&other.code));
        return everywhere.then(|| Message::new("所有地区都在范围内", "every region lies in it"));
    }
    let root = match site.part {
        Part::Coverage => Some(&policy.coverage),
        Part::Criteria => Some(&policy.criteria),
        Part::Amount => policy.amount.as_ref(),
        Part::Cap => policy.cap.as_ref(),
    }?;
    let kind = policy.document.subject;
    let (way, node) = way_to(root, site)?;
    let wanted: Vec<Expr> = condition(node, &goal.want).into_iter().collect();
    let cannot = |conditions: &[Expr]| {
        let all: Vec<(usize, u8)> = (0..conditions.len()).map(|index| (index, YES)).collect();
        Question::new(catalogue, kind, conditions, &[]).can_be(&all) == Some(false)
    };
    if cannot(&wanted) {
        return Some(Message::new("登记库不会有这样的值", "registers have no such value"));
    }
    let mut conditions = wanted;
    conditions.extend(way);
    if cannot(&conditions) {
        return Some(Message::new("前面的分支已经包含了它", "an earlier branch always takes it"));
    }
    if matches!(site.part, Part::Amount | Part::Cap) {
        conditions.push(verdict(&policy.coverage, &policy.criteria));
        if cannot(&conditions) {
            return Some(Message::new("条件不会让这样的对象享受", "the criteria let no such subject through"));
        }
    }
    None
}

/// The conditions under which evaluation comes to a site, and what stands there.
fn way_to<'e>(root: &'e Expr, site: &Site) -> Option<(Vec<Expr>, &'e Expr)> {
    let mut conditions = Vec::new();
    let mut at = root;
    for &child in &site.path {
        if let Kind::Case { branches, .. } = &at.kind {
            conditions.extend(branches.iter().take(child / 2).map(|(when, _)| not(when)));
            if child % 2 == 1 {
                conditions.extend(branches.get(child / 2).map(|(when, _)| when.clone()));
            }
        }
        at = at.children().get(child).copied()?;
    }
    Some((conditions, at))
}

/// What must hold at a node for a boundary to be touched.
fn condition(node: &Expr, want: &Want) -> Option<Expr> {
    let compare = |op, left: &Expr, right: &Expr| Expr::new(Kind::Compare(op, Box::new(left.clone()), Box::new(right.clone())), Ty::Bool);
    match (&node.kind, want) {
        (Kind::Compare(_, left, right), Want::Below) => Some(compare(CompareOp::Lt, left, right)),
        (Kind::Compare(_, left, right), Want::At) => Some(compare(CompareOp::Eq, left, right)),
        (Kind::Compare(_, left, right), Want::Above) => Some(compare(CompareOp::Gt, left, right)),
        (Kind::Compare(_, left, right), Want::OtherText) => Some(compare(CompareOp::NotEq, left, right)),
        (Kind::TextIn { value, .. }, Want::Text(text)) => {
            Some(Expr::new(Kind::TextIn { value: value.clone(), set: [text.clone()].into() }, Ty::Bool))
        }
        (_, Want::OtherText | Want::No) => Some(not(node)),
        (_, Want::Yes) => Some(node.clone()),
        _ => None,
    }
}
