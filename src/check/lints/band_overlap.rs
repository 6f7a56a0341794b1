//! `band-overlap`: two bands of a `case` that claim the same values, neither being a part of the other.

use super::bands::{Bands, ranges};
use super::scene::{Place, Scene};
use super::words;
use crate::check::ir::Expr;
use crate::diagnostic::{Diagnostic, code};

/// Tells of each branch that overlaps with an earlier one.
pub(super) fn check(scene: &Scene<'_>, place: &Place<'_>, branches: &[(Expr, Expr)], bands: &Bands, diagnostics: &mut Vec<Diagnostic>) {
    for (at, later) in bands.sets.iter().enumerate() {
        let Some(later) = ranges(later) else { return };
        for (before, earlier) in bands.sets[..at].iter().enumerate() {
            let Some(earlier) = ranges(earlier) else { return };
            let both = earlier.and(later);
            // A narrow band before a wider one is how a cascade is written.
            if both.is_none() || both == *earlier || both == *later {
                continue;
            }
            let Some((zh, en)) = words::ranges(&both, scene.terms.ty(bands.term)) else { continue };
            diagnostics.push(
                Diagnostic::new(&code::BAND_OVERLAP, format!("两档重叠: {zh}"), format!("two bands overlap: {en}"))
                    .at(place.span(&branches[at].0))
                    .also(place.span(&branches[before].0), "重叠的值按这一档算", "what lies in both is counted here")
                    .help(
                        "一个边界只归一档: 一边用 <= , 另一边用 >",
                        "let each limit belong to one band: `<=` on one side, `>` on the other",
                    ),
            );
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::check_amount;

    #[test]
    fn told() {
        let amount = "case when pension_months between 12 and 24 then 1 when pension_months between 24 and 36 then 2 else 0 end";
        check_amount("disabled", amount, &[("band-overlap", "pension_months between 24 and 36")]);
        let amount = "case when income <= 1000 then 1 when income > 900 and income <= 2000 then 2 else 0 end";
        check_amount("disabled", amount, &[("band-overlap", "income > 900 and income <= 2000")]);
    }

    #[test]
    fn not_told() {
        for amount in [
            "case when pension_months <= 24 then 1 when pension_months <= 36 then 2 else 3 end",
            "case when pension_months between 12 and 24 then 1 when pension_months between 25 and 36 then 2 else 0 end",
            "case when age >= 100 then 3 when age >= 90 then 2 else 1 end",
        ] {
            check_amount("disabled", amount, &[]);
        }
    }
}
