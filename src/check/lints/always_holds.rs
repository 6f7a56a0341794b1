//! `always-holds`: a condition that nobody whose facts are known can fail.

use super::domain::{Domain, Worlds};
use super::pieces::Piece;
use super::words;
use crate::diagnostic::{Diagnostic, code};

/// Tells of a condition that is never no.
pub(super) fn tell(domain: Domain<'_>, covered: &Worlds, piece: &Piece) -> Diagnostic {
    let unknown = domain.values(covered, piece.id).unknown;
    let (zh, en) = if unknown {
        ("这个条件没有人会不满足: 事实已知就是“是”", "nobody fails this condition: it is yes whenever its facts are known")
    } else {
        ("这个条件对谁都成立", "this condition holds for everybody")
    };
    let mut diagnostic = Diagnostic::new(&code::ALWAYS_HOLDS, zh, en);
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
        for when in [
            "age >= 0",
            "true",
            "sex in ('male', 'female')",
            "age >= 60 or age < 60",
            "sex = 'male' or sex != 'male'",
            "as_of >= 2020-01-01",
            "age is known or age is null",
        ] {
            check(when, &[("always-holds", when)]);
        }
        check("income > 0 and pension_months >= 0", &[("always-holds", "pension_months >= 0")]);
    }

    #[test]
    fn not_told() {
        for when in [
            "age >= 60 or age < 59",
            "income >= 0",
            "age is known",
            "deceased or not disabled",
            "disabled or deceased and sex in ('male', 'female')",
        ] {
            check(when, &[]);
        }
    }
}
