//! `amount-falls-back`: an amount that falls at a limit between two bands although it rises elsewhere, or the other way round.

use super::bands::{bands, cases, ranges};
use super::domain::{Cut, Fraction, Ranges, Term, TermId, Values, Worlds};
use super::scene::{Place, Scene};
use super::words;
use crate::check::ir::{Expr, Function, Kind};
use crate::diagnostic::{Diagnostic, code};

/// Tells of the first limit at which an amount turns back.
pub(super) fn check(scene: &Scene<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let (Some(expr), Some(written)) = (&scene.policy.amount, &scene.document.benefit.amount) else { return };
    let Some(amount) = scene.id(expr) else { return };
    let mut found = Vec::new();
    cases(expr, &mut found);
    let place = Place { expr, written, clause: scene.document.cite_amount() };
    for case in found {
        if let Some(diagnostic) = of_case(scene, &place, amount, case) {
            diagnostics.push(diagnostic);
            return;
        }
    }
}

/// The amount at one value of what the bands divide.
struct Step {
    at: Fraction,
    amount: Fraction,
}

fn of_case(scene: &Scene<'_>, place: &Place<'_>, amount: TermId, case: &Expr) -> Option<Diagnostic> {
    let Kind::Case { branches, .. } = &case.kind else { return None };
    let conditions: Option<Vec<TermId>> = branches.iter().map(|(when, _)| scene.id(when)).collect();
    let bands = bands(&scene.terms, &conditions?)?;
    // By age, children and the old may both have more than those between.
    if by_age(scene, bands.term) {
        return None;
    }
    let limits: Option<Vec<&Ranges>> = bands.sets.iter().map(ranges).collect();
    let worlds = fixed(scene)?;
    let steps = steps(scene, &worlds, amount, bands.term, &limits?)?;
    // Where nothing is given, the bands end: that is no step.
    let steps: Vec<Step> = steps.into_iter().filter(|step| step.amount.sign() != 0).collect();
    let moves: Vec<(usize, bool)> = (1..steps.len())
        .filter(|at| steps[*at].amount != steps[at - 1].amount)
        .map(|at| (at, steps[at].amount > steps[at - 1].amount))
        .collect();
    let rises = moves.iter().filter(|(_, rises)| *rises).count();
    let odd = rises < moves.len() - rises;
    let (at, _) = *moves.iter().find(|(_, rises)| *rises == odd)?;
    let (before, after) = (&steps[at - 1], &steps[at]);
    let ty = scene.terms.ty(bands.term);
    let said = |step: &Step| (words::number(step.at, ty), step.amount.to_string());
    let ((low, low_amount), (high, high_amount)) = (said(before), said(after));
    let (zh, en) = if odd { ("反而升到", "rises") } else { ("反而降到", "falls") };
    let other =
        if odd { ("在别处是下降的", "though it falls elsewhere") } else { ("在别处是上升的", "though it rises elsewhere") };
    let branch = branches.iter().zip(&bands.sets).find(|(_, set)| ranges(set).is_some_and(|set| set.holds(after.at)));
    let span = branch.map_or_else(|| place.span(case), |((_, then), _)| place.span(then));
    let mut diagnostic = Diagnostic::new(
        &code::AMOUNT_FALLS_BACK,
        format!("从 {low} 到 {high}, 金额由 {low_amount} {zh} {high_amount}, {}", other.0),
        format!("from {low} to {high} the amount {en} from {low_amount} to {high_amount}, {}", other.1),
    )
    .at(span)
    .help(
        "核对这一档的数; 本来就这样规定的, 用 --allow amount-falls-back",
        "check the number of this band; where the text says so, use --allow amount-falls-back",
    );
    diagnostic.clause.clone_from(&place.clause);
    Some(diagnostic)
}

fn by_age(scene: &Scene<'_>, term: TermId) -> bool {
    matches!(scene.terms.term(term), Term::Call(Function::AgeAt, _)) || scene.terms.parts(term).into_iter().any(|part| by_age(scene, part))
}

/// Those who meet the criteria, on the first day and in one region, so that parameters have one value.
fn fixed(scene: &Scene<'_>) -> Option<Worlds> {
    let domain = scene.domain();
    let as_of = scene.terms.find(&Term::AsOf)?;
    let day = Fraction::whole(super::domain::day(scene.document.in_force_from))?;
    let mut worlds = domain.narrow(&scene.entitled, as_of, &Values::within(Ranges::point(day)));
    for id in 0..scene.terms.len() {
        if let Term::Parameter(_, Some(region)) = scene.terms.term(id)
            && matches!(scene.terms.term(*region), Term::Fact(_))
        {
            let code: std::sync::Arc<str> = scene.document.covers.region.as_str().into();
            let values = Values { known: super::domain::Known::In(std::sync::Arc::new([code].into())), unknown: false };
            worlds = domain.narrow(&worlds, *region, &values);
        }
    }
    (!worlds.is_impossible()).then_some(worlds)
}

/// The amounts at both sides of each limit; none where one is not one number.
fn steps(scene: &Scene<'_>, worlds: &Worlds, amount: TermId, term: TermId, limits: &[&Ranges]) -> Option<Vec<Step>> {
    let domain = scene.domain();
    let grid = scene.terms.grid(term).unwrap_or(2);
    let one = Fraction::new(1, 10_i128.checked_pow(u32::from(grid))?)?;
    let ends = limits.iter().flat_map(|set| set.ranges()).flat_map(|(low, high)| [*low, *high]).filter_map(Cut::value);
    let mut points: Vec<Fraction> = ends.filter_map(|end| Some([end.plus(one.negated())?, end, end.plus(one)?])).flatten().collect();
    points.sort_unstable();
    points.dedup();
    let allowed = domain.values(worlds, term);
    points.retain(|point| allowed.ranges().is_some_and(|ranges| ranges.holds(*point)) && point.sign() >= 0);
    let mut steps = Vec::new();
    for at in points {
        let narrowed = domain.narrow(worlds, term, &Values::within(Ranges::point(at)));
        if !narrowed.is_impossible() {
            steps.push(Step { at, amount: domain.values(&narrowed, amount).only_number()? });
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::check_amount;

    #[test]
    fn told() {
        let amount =
            "case when pension_months >= 36 then 300 when pension_months >= 24 then 150 when pension_months >= 12 then 200 else 100 end";
        check_amount("disabled", amount, &[("amount-falls-back", "150")]);
        let amount = "case when income <= 1000 then income * 0.5 else income * 0.3 end";
        check_amount("disabled", amount, &[("amount-falls-back", amount)]);
        let amount = "case when pension_months < 12 then param('line') when pension_months < 24 then 100 else 200 end";
        check_amount("disabled", amount, &[("amount-falls-back", "100")]);
    }

    #[test]
    fn not_told() {
        for amount in [
            "case when pension_months >= 36 then 300 when pension_months >= 24 then 200 else 100 end",
            "case when income <= 1000 then 300 when income <= 2000 then 200 else 0 end",
            "case when age < 18 then 200 when age < 60 then 100 else 200 end",
            "case when income <= 1000 then income * 0.3 else income * 0.5 end",
            "case when income <= 1000 then income * pension_months else 50 end",
            "case when pension_months between 12 and 24 then 1 when pension_months between 25 and 36 then 2 else 0 end",
        ] {
            check_amount("disabled", amount, &[]);
        }
    }
}
