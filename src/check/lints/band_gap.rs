//! `band-gap`: branches of a `case` without `else` that leave out values of what they divide.

use super::bands::{Bands, on_grid};
use super::domain::Worlds;
use super::scene::Scene;
use super::words;
use crate::diagnostic::{Diagnostic, Span, code};

/// Tells which values no branch takes.
pub(super) fn check(scene: &Scene<'_>, place: Span, bands: &Bands, worlds: &Worlds, diagnostics: &mut Vec<Diagnostic>) {
    let mut values = scene.domain().values(worlds, bands.term);
    for set in &bands.sets {
        values.known = values.known.and(&set.complement());
    }
    values.known = on_grid(values.known, scene.terms.grid(bands.term));
    let Some((zh, en)) = words::values(&values, scene.terms.ty(bands.term)) else { return };
    diagnostics.push(
        Diagnostic::new(&code::BAND_GAP, format!("没有分支管到: {zh}"), format!("no branch takes: {en}"))
            .at(place)
            .help("这些值的结果是未知: 补上一档, 或者写“否则”", "for these the result is unknown: add a branch, or an `else`"),
    );
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::{check_amount, policy, told};

    #[test]
    fn told_with_what_is_missing() {
        for (when, amount, missing) in [
            ("pension_months >= 12", "case when pension_months <= 24 then 1 when pension_months >= 26 then 2 end", "25"),
            ("pension_months >= 12", "case when pension_months between 12 and 24 then 1 end", "25 or more"),
            ("income >= 0", "case when income <= 100 then 1 when income >= 101 then 2 end", "100.01 to 100.99"),
            ("disabled", "case when grade = 'a' then 1 when grade = 'b' then 2 end", "c"),
        ] {
            let told = told(&[&policy("条件", when, amount)], &[]);
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!((told[0].code.name, &*told[0].headline.en), ("band-gap", &*format!("no branch takes: {missing}")));
        }
    }

    #[test]
    fn not_told() {
        check_amount("income >= 0", "case when income <= 100 then 1 when income > 100 then 2 end", &[]);
        check_amount("grade in ('a', 'b')", "case when grade = 'a' then 1 when grade = 'b' then 2 end", &[]);
        check_amount("income >= 0", "case when income <= 100 then 1 when income >= 101 then 2 else 1.5 end", &[]);
    }
}
