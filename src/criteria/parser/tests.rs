//! Texts, their canonical form, and what is told about faulty ones.

use proptest::prelude::*;

use crate::criteria::{self, print};

/// The canonical text, then a line per error: code, the text at fault, the English headline.
fn outcome(text: &str, aggregate: bool) -> String {
    let (tree, errors) = if aggregate { criteria::parse_aggregate(text) } else { criteria::parse(text) };
    let mut lines: Vec<String> = tree.iter().map(print).collect();
    for error in errors {
        assert!(!error.headline.zh.is_empty() && !error.headline.en.is_empty());
        assert!(error.help.iter().all(|help| !help.zh.is_empty() && !help.en.is_empty()));
        let place = &text[error.range.clone()];
        lines.push(format!("{} [{place}] {}", error.code.name, error.headline.en));
    }
    lines.join("\n")
}

#[track_caller]
fn check(input: &str, expect: &str) {
    assert_eq!(outcome(input, false), expect, "{input}");
}

#[track_caller]
fn check_aggregate(input: &str, expect: &str) {
    assert_eq!(outcome(input, true), expect, "{input}");
}

/// That the last error's first help line in English is `expect`.
#[track_caller]
fn check_help(input: &str, expect: &str) {
    let (_, errors) = criteria::parse(input);
    assert_eq!(errors.last().and_then(|error| error.help.first()).map(|help| help.en.as_str()), Some(expect), "{input}");
}

#[test]
fn strength_of_operators() {
    check("a or b and not c = d + e * -f", "a or b and not c = d + e * -f");
    check("((a or b)) and (c)", "(a or b) and c");
    check("a - (b - c) - d", "a - (b - c) - d");
    check("(a * b) / c * (d / e)", "a * b / c * (d / e)");
    check("not (a and b)", "not (a and b)");
    check("not not a", "not not a");
    check("-(-3)", "-(-3)");
    check("(a = b) = c", "(a = b) = c");
    check("!a && b || c", "not a and b or c");
}

#[test]
fn comparisons_and_tests() {
    check("a == 1 and b <> 2 and c ≠ 3", "a = 1 and b != 2 and c != 3");
    check("kind in ('x', \"it's\")", "kind in ('x', 'it''s')");
    check("hukou not in region('990100')", "hukou not in region('990100')");
    check("age not between 3 and 5 and b", "age not between 3 and 5 and b");
    check("x is null or x is not known or x is unknown", "x is null or x is null or x is null");
    check("x is known and x is not null and x is not unknown", "x is known and x is known and x is known");
    check("name not like '%店'", "name not like '%店'");
}

#[test]
fn literals() {
    check("5.5%", "0.055");
    check("0.250 + 1_000 + 007", "0.250 + 1000 + 7");
    check("d >= 2024-02-29 and m = 2024-02", "d >= 2024-02-29 and m = 2024-02");
    check("d - 2024 - 02", "d - 2024 - 2");
    check("true or FALSE or 是 or 否", "true or false or true or false");
    check("9223372036854775807", "9223372036854775807");
}

#[test]
fn calls_and_paths() {
    check("household.income_per_capita < param('line')", "household.income_per_capita < param('line')");
    check("members.count(age >= 60 and (a or b)) >= 2", "members.count(age >= 60 and (a or b)) >= 2");
    check("(members.count() where age >= 60) >= 2", "(members.count() where age >= 60) >= 2");
    check("case when a then 1 when b then 2 else 3 end", "case when a then 1 when b then 2 else 3 end");
    check("age >= 3 # 三岁\n and b", "age >= 3 and b");
    check_aggregate("sum(base) where kind='x' or y", "sum(base) where kind = 'x' or y");
    check_aggregate("latest(grade by issued_on) where a", "latest(grade by issued_on) where a");
    check_aggregate("latest(grade) where a by issued_on", "latest(grade by issued_on) where a");
    check_aggregate("latest(min() by b)", "latest(min() by b)");
    check_aggregate("(sum(a) where b) / count()", "(sum(a) where b) / count()");
}

#[test]
fn chinese_without_spaces() {
    check("年龄大于等于60且性别=‘男’或残疾", "age >= 60 and 性别 = '男' or 残疾");
    check("年龄　≥　６０　且　非（享受（“A”））", "age >= 60 and not entitled('A')");
    check("人均收入不大于标准(‘低保’)且出生日期不为空", "人均收入 <= param('低保') and 出生日期 is known");
    check("年龄介于60和79", "age between 60 and 79");
    check("户籍不属于地区（‘990100’）", "户籍 not in region('990100')");
    check("级别 属于 （1、2、3）", "级别 in (1, 2, 3)");
    check("情形 当 年龄>=80 则 200 否则 100 结束", "case when age >= 80 then 200 else 100 end");
    check("情形当年龄>=80则200否则100结束", "case when age >= 80 then 200 else 100 end");
    check("日期＞＝２０２４－０２－２９", "日期 >= 2024-02-29");
    check("年龄于（当日） × 2 ÷ 3 − 1", "age_at(as_of) * 2 / 3 - 1");
    check("税率 < 5.5％", "税率 < 0.055");
    check("生日未知", "生日 is null");
}

#[test]
fn unexpected_tokens() {
    check("", "expression-syntax [] the text is empty");
    check("  # 无\n", "expression-syntax [  # 无\n] the text is empty");
    check("age >= ", "expression-syntax [] expected a value, found the end of the text");
    check("age >= and b", "expression-syntax [and] expected a value, found `and`");
    check(">= 3", "expression-syntax [>=] expected a value, found `>=`");
    check("age 60", "expression-syntax [60] expected an operator, found `60`");
    check("f(a b, c", "expression-syntax [(] the `(` is never closed\nexpression-syntax [b] expected `,`, `)` or an operator, found `b`");
    check("a in ()", "expression-syntax [)] expected a value, found `)`");
    check("a.", "expression-syntax [] expected a name after the point, found the end of the text");
    check(
        "x is 5 and",
        "expression-syntax [5] expected `null`, `known` or `unknown`, found `5`\nexpression-syntax [] expected a value, found the end of the text",
    );
    check("age between 3, 5", "expression-syntax [,] expected `and` and the other end of the range, found `,`");
    check("count(a) where b", "expression-syntax [where] `where` belongs to an aggregate over a register or a link");
    check("base where b", "expression-syntax [where] expected an operator, found `where`");
    check_help("age >= and b", "nothing follows `>=`");
    check_help("param 'x'", "a function takes parentheses: `param('x')`");
}

#[test]
fn pairs() {
    check("(age >= 60", "expression-syntax [(] the `(` is never closed");
    check("a and （b or c", "expression-syntax [（] the `（` is never closed");
    check(
        "a) and b)",
        "expression-syntax [)] nothing is open that `)` could close\nexpression-syntax [)] nothing is open that `)` could close",
    );
    check("kind = 'x and y", "expression-syntax ['] the quote ' is never closed");
    check("kind = ‘x", "expression-syntax [‘] the quote ‘ is never closed");
    check("case when a then 1", "expression-syntax [case] `case` has no `end`");
    check("case a when 1 then 2 end", "expression-syntax [a] expected `when`, found `a`");
    check("case when a b then 1 end", "expression-syntax [b] expected `then`, found `b`");
    check("case when a 1 else 2 end", "expression-syntax [1] expected `then`, found `1`");
}

#[test]
fn operators_that_do_not_exist() {
    check("age > = 3", "age >= 3\nexpression-syntax [> =] there is no operator `> =`");
    check("age => 3", "age >= 3\nexpression-syntax [=>] there is no operator `=>`");
    check("age =< 3", "age <= 3\nexpression-syntax [=<] there is no operator `=<`");
    check("a ! = 3", "a != 3\nexpression-syntax [! =] there is no operator `! =`");
    check("a & b | c", "a and b or c\nexpression-syntax [&] there is no operator `&`\nexpression-syntax [|] there is no operator `|`");
    check("a > > 3", "expression-syntax [>] expected a value, found `>`");
    check(
        "a @@ b and $c",
        "expression-syntax [@@] `@@` has no meaning in a condition\nexpression-syntax [$] `$` has no meaning in a condition",
    );
    check("a[0]", "expression-syntax [[] `[` has no meaning in a condition\nexpression-syntax []] `]` has no meaning in a condition");
    check("a 和 b", "a and b\nexpression-syntax [和] `和` only stands between the two ends of a range");
    check("x = not y", "x = (not y)\nexpression-syntax [not] `not` needs parentheses here");
}

#[test]
fn null_and_chains() {
    check("x = null", "x is null\ncompare-with-null [x = null] a comparison with null is always unknown");
    check("null != x", "x is known\ncompare-with-null [null != x] a comparison with null is always unknown");
    check("x = 未知", "x is null\ncompare-with-null [x = 未知] a comparison with null is always unknown");
    check("x < null", "compare-with-null [x < null] a comparison with null is always unknown");
    check("x in (1, null)", "x in (1, null)\ncompare-with-null [null] a comparison with null is always unknown");
    check("1 < x <= 5", "1 < x and x <= 5\nchained-comparison [1 < x <= 5] comparisons cannot be chained");
    check("a is null = b", "(a is null) = b\nchained-comparison [=] the outcome of a comparison cannot be compared again");
    check_help("x = null", "write `x is null`");
    check_help("1 < x < y <= 5", "write `1 < x and x < y and y <= 5`");
}

#[test]
fn numbers_and_dates() {
    check("x > 99999999999999999999", "number-out-of-range [99999999999999999999] the number is out of range");
    check("x > 0.1234567890123456", "number-out-of-range [0.1234567890123456] the number is out of range");
    check("x > 0.12345678901234567%", "number-out-of-range [0.12345678901234567%] the number is out of range");
}

#[test]
fn dates_that_do_not_exist() {
    check("d >= 2024-02-30", "expression-syntax [2024-02-30] there is no 2024-02-30 in the calendar");
    check("d >= 2024-13", "expression-syntax [2024-13] there is no 2024-13 in the calendar");
    check("d >= 2024-1-5", "expression-syntax [2024-1-5] `2024-1-5` is not how a date is written");
    check("d >= 2024/01/05", "expression-syntax [2024/01/05] `2024/01/05` is not how a date is written");
    check("d >= 2024年1月5日", "expression-syntax [2024年1月5日] a number cannot be followed by `年1月5日`");
    check("age >= 60岁且b", "expression-syntax [60岁] a number cannot be followed by `岁`");
    check_help("d = 2024-02-30", "month 2 of 2024 has the days 1 to 29");
    check_help("d = 2023-04-31", "month 4 of 2023 has the days 1 to 30");
}

#[test]
fn all_errors_of_a_text_are_told() {
    check(
        "age >= and kind = 'x' y and d = 2024-02-30 and (z",
        "expression-syntax [and] expected a value, found `and`\n\
         expression-syntax [y] expected an operator, found `y`\n\
         expression-syntax [2024-02-30] there is no 2024-02-30 in the calendar\n\
         expression-syntax [(] the `(` is never closed",
    );
}

#[test]
fn deep_texts_are_told_and_never_overflow() {
    let deep = "more than 200 levels, nested or in a row";
    for (unit, times) in
        [("(", 100_000), ("not ", 100_000), ("-", 100_000), ("a or ", 100_000), ("f(", 50_000), ("case when ", 50_000), ("a = (", 50_000)]
    {
        let text = format!("{}a", unit.repeat(times));
        let (tree, errors) = criteria::parse(&text);
        assert!(tree.is_none());
        assert!(errors.iter().any(|error| error.headline.en == deep), "{unit}");
    }
    let chain = vec!["a = b"; 10_000].join(" + ");
    assert!(criteria::parse(&chain).0.is_none());
    let fits = vec!["a"; 150].join(" and ");
    assert!(criteria::parse(&fits).0.is_some());
    let fits = format!("{}a{}", "(".repeat(150), ")".repeat(150));
    assert!(criteria::parse(&fits).0.is_some());
}

/// Pieces that texts are made of, so that random ones reach deep into the parser.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "年龄",
        "户籍",
        "(",
        ")",
        "（",
        "）",
        ",",
        ".",
        "、",
        "and",
        "or",
        "not",
        "且",
        "或",
        "非",
        "=",
        "＝",
        "<",
        ">",
        ">=",
        "!",
        "in",
        "属于",
        "between",
        "介于",
        "和",
        "is",
        "null",
        "known",
        "为空",
        "未知",
        "like",
        "case",
        "when",
        "then",
        "else",
        "end",
        "情形",
        "当",
        "则",
        "否则",
        "结束",
        "where",
        "by",
        "+",
        "-",
        "*",
        "/",
        "5",
        "5.5%",
        "2024-02-29",
        "2024-02",
        "2024-02-30",
        "'x'",
        "‘y’",
        "'",
        "“",
        "@",
        "&",
        "#",
        "\n",
        "60岁",
        "count(",
        "members.count(",
        "latest(",
        "99999999999999999999",
    ]);
    prop::collection::vec((piece, prop::sample::select(vec!["", " "])), 0..30)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, space)| format!("{piece}{space}")).collect())
}

/// What holds for any text: ranges are on character boundaries, no tree and no error never go together, and the
/// canonical text of a tree reads back to itself.
fn holds_for(text: &str) -> Result<(), TestCaseError> {
    for (tree, errors) in [criteria::parse(text), criteria::parse_aggregate(text)] {
        for error in &errors {
            prop_assert!(text.get(error.range.clone()).is_some());
        }
        prop_assert!(tree.is_some() || !errors.is_empty());
        if let Some(tree) = tree {
            prop_assert!(text.get(tree.range.clone()).is_some());
            let printed = print(&tree);
            let (again, _) = criteria::parse_aggregate(&printed);
            prop_assert_eq!(again.as_ref().map(print), Some(printed));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in any::<String>()) {
        holds_for(&text)?;
    }

    #[test]
    fn any_pieces_are_read_without_panic(text in pieces()) {
        holds_for(&text)?;
    }
}
