//! `never-holds`: a condition that no subject can meet.

use super::domain::{Domain, Worlds};
use super::pieces::Piece;
use super::words;
use crate::diagnostic::{Diagnostic, code};

/// Tells of a condition that is never yes, by itself.
pub(super) fn tell(domain: Domain<'_>, covered: &Worlds, piece: &Piece) -> Diagnostic {
    let mut diagnostic = Diagnostic::new(&code::NEVER_HOLDS, "这个条件永远不会满足", "this condition can never hold");
    if let Some((zh, en)) = words::sides(domain, covered, piece.id) {
        diagnostic = diagnostic.help(zh, en);
    }
    piece.tell(diagnostic)
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::check;

    #[test]
    fn told() {
        check("age < 0", &[("never-holds", "age < 0")]);
        check("sex = 'male' and sex in ('female')", &[("contradictory-conditions", "sex in ('female')")]);
        check("age > 200 - 300 or pension_months < 0", &[("always-holds", "age > 200 - 300"), ("never-holds", "pension_months < 0")]);
        check("hukou_region in region('990200')", &[("never-holds", "hukou_region in region('990200')")]);
        check("pension_months < 0", &[("never-holds", "pension_months < 0")]);
        check("birth_date > 2040-01-01 and as_of < 2020-01-01", &[("never-holds", "as_of < 2020-01-01")]);
        check("month(birth_date) = 13", &[("never-holds", "month(birth_date) = 13")]);
        check("age >= 60 or month(birth_date) > 12", &[("never-holds", "month(birth_date) > 12")]);
        check("not (age >= 0)", &[("never-holds", "not (age >= 0)")]);
        check("param('line') > 2000", &[("never-holds", "param('line') > 2000")]);
    }

    #[test]
    fn not_told() {
        for when in ["age >= 150", "as_of >= 2100-01-01", "income < 0", "param('line') > 1000", "sex = 'male'"] {
            check(when, &[]);
        }
    }
}
