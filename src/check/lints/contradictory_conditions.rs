//! `contradictory-conditions`: conditions that must hold together and never can.

use super::pieces::Piece;
use crate::diagnostic::{Diagnostic, code};

/// Tells of a condition that cannot hold beside another one; beside several, where no single one is named.
pub(super) fn tell(piece: &Piece, other: Option<&Piece>) -> Diagnostic {
    let diagnostic = match other {
        Some(other) => Diagnostic::new(
            &code::CONTRADICTORY_CONDITIONS,
            format!("与“{}”不能同时满足", other.span.text()),
            format!("cannot hold together with `{}`", other.span.text()),
        )
        .also(other.span.clone(), "与这个条件矛盾", "contradicts this condition"),
        None => Diagnostic::new(
            &code::CONTRADICTORY_CONDITIONS,
            "与其他同时要求的条件合在一起, 永远不会满足",
            "can never hold together with the other conditions",
        ),
    };
    piece.tell(diagnostic).help(
        "没有人能同时满足: 如果是几种情形, 用“或”或 any",
        "nobody meets both: where these are different cases, join them with `or`, or under `any`",
    )
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::check;

    #[test]
    fn told() {
        for (when, at) in [
            ("age >= 60 and age < 18", "age < 18"),
            ("age > 59 and income > 0 and age < 60", "age < 60"),
            ("deceased and not deceased", "not deceased"),
            ("sex = 'male' and sex = 'female'", "sex = 'female'"),
            ("birth_date >= 2020-01-01 and age >= 60 and as_of < 2030-01-01", "as_of < 2030-01-01"),
            ("income < param('line') and income >= param('line')", "income >= param('line')"),
            ("income > 100 and income < 100.01", "income < 100.01"),
            ("age < 18 and (age >= 60 and disabled)", "age >= 60"),
            ("income <= 500 and income >= param('line')", "income >= param('line')"),
            ("birth_date is null and age >= 18", "age >= 18"),
        ] {
            check(when, &[("contradictory-conditions", at)]);
        }
    }

    #[test]
    fn an_alternative_that_contradicts_what_stands_beside() {
        check("age >= 60 and (disabled or age < 18)", &[("contradictory-conditions", "age < 18")]);
    }

    #[test]
    fn not_told() {
        for when in [
            "age >= 60 and age < 61",
            "income > 100 and income < 100.02",
            "hukou_region in region('990101') and sex = 'male'",
            "deceased and not disabled",
            "age >= 60 and (not (age >= 60) or disabled)",
            "income < param('line') and pension_months >= 12",
        ] {
            check(when, &[]);
        }
    }
}
