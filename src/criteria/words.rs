//! The words of the language in English and Chinese: functions, built-in names, operators.
//!
//! Chinese needs no spaces: in a run of characters the operator words of [`OPERATORS`] that stand between two values end a
//! name, so `年龄大于等于60且残疾` reads as it should. A name therefore cannot contain such a word.

use super::token::Sign;

/// Functions, aggregates included: English, Chinese.
pub static FUNCTIONS: &[(&str, &str)] = &[
    ("age_at", "年龄于"),
    ("months_between", "相隔月数"),
    ("whole_months_between", "足月数"),
    ("days_between", "相隔天数"),
    ("add_years", "加年"),
    ("add_months", "加月"),
    ("add_days", "加天"),
    ("months_before", "前推月"),
    ("month_start", "月初"),
    ("month_end", "月末"),
    ("year_start", "年初"),
    ("year_end", "年末"),
    ("year", "年份"),
    ("month", "月份"),
    ("month_of", "所在月"),
    ("last_months", "近月"),
    ("months_overlap", "重叠月数"),
    ("in_interval", "在期间"),
    ("min", "最小"),
    ("max", "最大"),
    ("abs", "绝对值"),
    ("floor", "向下取整"),
    ("ceil", "向上取整"),
    ("round", "四舍五入"),
    ("coalesce", "取首个"),
    ("at_least", "至少"),
    ("param", "标准"),
    ("region", "地区"),
    ("entitled", "享受"),
    ("count", "计数"),
    ("count_distinct", "去重计数"),
    ("sum", "合计"),
    ("any", "任一"),
    ("all", "全部"),
    ("latest", "最近"),
];

/// Built-in names without parentheses: English, Chinese.
pub static NAMES: &[(&str, &str)] = &[("age", "年龄"), ("as_of", "当日")];

/// Operators and reserved words: the canonical English and the canonical Chinese.
pub static OPERATORS: &[(&str, &str)] = &[
    ("or", "或"),
    ("and", "且"),
    ("not", "非"),
    ("in", "属于"),
    ("not in", "不属于"),
    ("between", "介于"),
    ("not between", "不介于"),
    ("like", "类似"),
    ("not like", "不类似"),
    ("is known", "已知"),
    ("is unknown", "未知"),
    ("is null", "为空"),
    ("is not null", "不为空"),
    ("null", "空"),
    ("true", "是"),
    ("false", "否"),
    ("case", "情形"),
    ("when", "当"),
    ("then", "则"),
    ("else", "否则"),
    ("end", "结束"),
    ("where", "其中"),
    ("by", "按"),
];

/// The English word of the language for a Chinese one: a function, a built-in name or an operator.
#[must_use]
pub fn english(chinese: &str) -> Option<&'static str> {
    [FUNCTIONS, NAMES, OPERATORS].into_iter().flatten().find(|(_, zh)| *zh == chinese).map(|(en, _)| *en)
}

/// The Chinese word of the language for an English one: a function, a built-in name or an operator.
#[must_use]
pub fn chinese(english: &str) -> Option<&'static str> {
    [FUNCTIONS, NAMES, OPERATORS].into_iter().flatten().find(|(en, _)| *en == english).map(|(_, zh)| *zh)
}

/// The English name of a function, for either name.
pub(super) fn function(name: &str) -> Option<&'static str> {
    FUNCTIONS.iter().find(|(en, zh)| *en == name || *zh == name).map(|(en, _)| *en)
}

/// The English name of a built-in name, for either name.
pub(super) fn builtin(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(en, zh)| *en == name || *zh == name).map(|(en, _)| *en)
}

/// Words that end a name they stand in; a longer one comes before its part.
static INFIX: &[(&str, Sign)] = &[
    ("大于等于", Sign::GtEq),
    ("小于等于", Sign::LtEq),
    ("不等于", Sign::NotEq),
    ("不大于", Sign::LtEq),
    ("不小于", Sign::GtEq),
    ("不属于", Sign::NotIn),
    ("不介于", Sign::NotBetween),
    ("不类似", Sign::NotLike),
    ("并且", Sign::And),
    ("或者", Sign::Or),
    ("等于", Sign::Eq),
    ("大于", Sign::Gt),
    ("小于", Sign::Lt),
    ("属于", Sign::In),
    ("介于", Sign::Between),
    ("类似", Sign::Like),
    ("否则", Sign::Else),
    ("且", Sign::And),
    ("或", Sign::Or),
];

/// Words that can only follow a value: after one, they are cut off the beginning of a run.
static AFTER_VALUE: &[(&str, Sign)] = &[
    ("不为空", Sign::IsNotNull),
    ("为空", Sign::IsNull),
    ("已知", Sign::Known),
    ("未知", Sign::Unknown),
    ("结束", Sign::End),
    ("其中", Sign::Where),
    ("则", Sign::Then),
    ("当", Sign::When),
    ("与", Sign::To),
    ("和", Sign::To),
    ("至", Sign::To),
];

/// Words that are cut off the end of a run.
static SUFFIX: &[&str] = &["不为空", "为空", "已知", "未知"];

/// The sign that a whole run is; letters of any case.
pub(super) fn sign(run: &str) -> Option<Sign> {
    let sign = match run.to_ascii_lowercase().as_str() {
        "or" => Sign::Or,
        "and" => Sign::And,
        "not" | "非" | "不" => Sign::Not,
        "in" => Sign::In,
        "between" => Sign::Between,
        "like" => Sign::Like,
        "is" => Sign::Is,
        "null" | "空" => Sign::Null,
        "known" => Sign::Known,
        "unknown" => Sign::Unknown,
        "case" | "情形" => Sign::Case,
        "when" => Sign::When,
        "then" => Sign::Then,
        "else" => Sign::Else,
        "end" => Sign::End,
        "where" => Sign::Where,
        "by" | "按" => Sign::By,
        _ => return [INFIX, AFTER_VALUE].into_iter().flatten().find(|(word, _)| *word == run).map(|(_, sign)| *sign),
    };
    Some(sign)
}

/// The truth value that a whole run is.
pub(super) fn truth(run: &str) -> Option<bool> {
    match run.to_ascii_lowercase().as_str() {
        "true" | "是" => Some(true),
        "false" | "否" => Some(false),
        _ => None,
    }
}

/// The operator word that a run begins with, and its sign.
pub(super) fn leading(run: &str, after_value: bool) -> Option<(&'static str, Sign)> {
    if run.starts_with("情形当") {
        return Some(("情形", Sign::Case));
    }
    let tables = if after_value { [INFIX, AFTER_VALUE] } else { [INFIX, &[]] };
    tables.into_iter().flatten().find(|(word, _)| run.starts_with(word)).copied()
}

/// How many bytes of a run are a name, before an operator word begins.
pub(super) fn name_length(run: &str) -> usize {
    if run.is_ascii() || function(run).is_some() || builtin(run).is_some() {
        return run.len();
    }
    let infix = run.char_indices().skip(1).map(|(at, _)| at).find(|at| leading(&run[*at..], false).is_some());
    let name = &run[..infix.unwrap_or(run.len())];
    let suffix = SUFFIX.iter().find(|suffix| name.len() > suffix.len() && name.ends_with(**suffix));
    name.len() - suffix.map_or(0, |suffix| suffix.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_has_one_translation() {
        for (en, zh) in [FUNCTIONS, NAMES, OPERATORS].into_iter().flatten() {
            assert_eq!(english(zh), Some(*en));
            assert_eq!(chinese(en), Some(*zh));
        }
    }

    #[test]
    fn the_chinese_name_of_a_function_is_one_name() {
        for (_, zh) in FUNCTIONS.iter().chain(NAMES) {
            assert_eq!(name_length(zh), zh.len());
            assert_eq!((sign(zh), truth(zh)), (None, None), "{zh}");
        }
    }
}
