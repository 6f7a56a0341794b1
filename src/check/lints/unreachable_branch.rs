//! `unreachable-branch`: a branch of a `case` that nobody reaches.

use crate::diagnostic::{Diagnostic, Span, code};

/// Tells of a branch whose condition is never yes where it is asked.
pub(super) fn tell(place: Span, earlier: Option<Span>) -> Diagnostic {
    let diagnostic = Diagnostic::new(&code::UNREACHABLE_BRANCH, "这个分支永远不会用到", "this branch is never reached").at(place);
    match earlier {
        Some(earlier) => diagnostic
            .also(earlier, "前面这个分支已经全部用掉", "this earlier branch takes all of them")
            .help("把范围窄的分支写在前面", "write the narrower branch first"),
        None => diagnostic
            .help("走到这里的人都不满足它: 核对数字, 或去掉这个分支", "nobody who comes here meets it: check the numbers, or take it away"),
    }
}

/// Tells of an `else` that is never reached.
pub(super) fn tell_last(place: Span) -> Diagnostic {
    Diagnostic::new(
        &code::UNREACHABLE_BRANCH,
        "“否则”永远不会用到: 前面的分支已包括所有的人",
        "this `else` is never reached: the branches before it take everybody",
    )
    .at(place)
    .help("核对各分支的边界; 的确都包括了, 就去掉“否则”", "check the limits of the branches; if they are right, take the `else` away")
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::check_amount;

    #[test]
    fn told() {
        for (when, amount, at) in [
            ("age >= 60", "case when age >= 60 then 1 when age >= 80 then 2 end", "age >= 80"),
            ("age >= 80", "case when age < 80 then 1 else 2 end", "age < 80"),
            ("age >= 80", "case when age >= 80 then 1 else 2 end", "2"),
            ("sex = 'male'", "case when sex = 'female' then 1 else 2 end", "sex = 'female'"),
            ("disabled", "case when grade = 'a' then 1 when grade in ('a') then 2 else 3 end", "grade in ('a')"),
        ] {
            check_amount(when, amount, &[("unreachable-branch", at)]);
        }
    }

    #[test]
    fn not_told() {
        check_amount("age >= 60", "case when age >= 80 then 2 when age >= 70 then 1.5 else 1 end", &[]);
        check_amount("disabled", "case when grade = 'a' then 1 when grade = 'b' then 2 else 3 end", &[]);
        check_amount("disabled", "case when grade = 'a' then 1 when grade = 'b' then 2 when grade = 'c' then 3 end", &[]);
    }
}
