//! `implied-condition`: a condition that another one makes superfluous.

use super::pieces::Piece;
use crate::diagnostic::{Diagnostic, code};

/// Tells of a condition that changes no verdict beside another one.
pub(super) fn tell(piece: &Piece, by: &Piece) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        &code::IMPLIED_CONDITION,
        format!("满足“{}”的都满足它: 这个条件是多余的", by.span.text()),
        format!("whoever meets `{}` meets this too: it adds nothing", by.span.text()),
    )
    .also(by.span.clone(), "已包含在这个条件里", "this condition implies it");
    piece.tell(diagnostic).help("数写错了, 就改数; 否则去掉一个条件", "if a number is wrong, correct it; else take one of them away")
}

/// Tells of an alternative that a wider one covers.
pub(super) fn tell_alternative(piece: &Piece, wider: &Piece) -> Diagnostic {
    let diagnostic = Diagnostic::new(
        &code::IMPLIED_CONDITION,
        format!("满足它的都已满足“{}”: 这一种情形是多余的", wider.span.text()),
        format!("whoever meets this meets `{}` already: the alternative adds nobody", wider.span.text()),
    )
    .also(wider.span.clone(), "这一种情形更宽", "this alternative is wider");
    piece.tell(diagnostic).help("本意是同时要求, 就用“且”或 all", "where both are asked for, join them with `and`, or under `all`")
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::check;

    #[test]
    fn told() {
        for (when, at) in [
            ("age >= 60 and age >= 18", "age >= 18"),
            ("age >= 18 and age >= 60", "age >= 18"),
            ("age >= 60 and disabled and age > 59", "age > 59"),
            ("age >= 60 or age >= 65", "age >= 65"),
            ("age >= 65 or disabled or age >= 60", "age >= 65"),
            ("sex = 'male' and sex != 'female'", "sex != 'female'"),
            ("income < param('line') and income <= param('line')", "income <= param('line')"),
            ("disabled and disabled", "disabled"),
            ("income < 300 and income < param('line')", "income < param('line')"),
        ] {
            check(when, &[("implied-condition", at)]);
        }
    }

    #[test]
    fn not_told() {
        for when in [
            "age >= 60 and income >= 18",
            "age >= 60 or disabled",
            "not deceased or age >= 60",
            "income < 600 and income < param('line')",
            "income / pension_months < 100 and pension_months >= 1",
            "disabled and (not disabled or age >= 60)",
            "birth_date between 1990-01-01 and 2030-01-01 and birth_date < 2000-01-01",
        ] {
            check(when, &[]);
        }
    }
}
