//! Numbers with a bound as the text of a clause has them: 年满60周岁, 不超过300万元, 16至24岁.
//!
//! 以上, 以下, 以内, 届满 include the number; 不满, 超过, 以外 do not (民法典第一千二百五十九条).

use std::ops::Range;

use super::domain::Fraction;
use crate::check::ir::CompareOp;

/// A number that a text bounds something by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Phrase {
    /// Its bytes, with the words of the bound.
    pub(super) range: Range<usize>,
    /// The number; 万 and 亿 are multiplied out, % is not.
    pub(super) number: Fraction,
    /// The unit as written, empty where there is none.
    pub(super) unit: &'static str,
    /// What is asked of the value: `value op number`.
    pub(super) bound: CompareOp,
    /// The words of the bound.
    pub(super) words: String,
}

const UNITS: [&str; 29] = [
    "周岁",
    "岁",
    "个月",
    "月",
    "个自然年",
    "年度",
    "年",
    "个工作日",
    "工作日",
    "日",
    "天",
    "元",
    "人",
    "名",
    "户",
    "套",
    "次",
    "个",
    "%",
    "％",
    "倍",
    "平方米",
    "㎡",
    "期",
    "代",
    "项",
    "学期",
    "小时",
    "级",
];

/// Words before a number, longer ones first.
const BEFORE: [(&str, CompareOp); 36] = [
    ("不得超过", CompareOp::LtEq),
    ("不得高于", CompareOp::LtEq),
    ("不得低于", CompareOp::GtEq),
    ("不得少于", CompareOp::GtEq),
    ("大于等于", CompareOp::GtEq),
    ("小于等于", CompareOp::LtEq),
    ("不超过", CompareOp::LtEq),
    ("未超过", CompareOp::LtEq),
    ("不高于", CompareOp::LtEq),
    ("不多于", CompareOp::LtEq),
    ("不大于", CompareOp::LtEq),
    ("不低于", CompareOp::GtEq),
    ("不少于", CompareOp::GtEq),
    ("不小于", CompareOp::GtEq),
    ("未达到", CompareOp::Lt),
    ("至多", CompareOp::LtEq),
    ("最多", CompareOp::LtEq),
    ("最长", CompareOp::LtEq),
    ("最高", CompareOp::LtEq),
    ("至少", CompareOp::GtEq),
    ("最少", CompareOp::GtEq),
    ("年满", CompareOp::GtEq),
    ("已满", CompareOp::GtEq),
    ("达到", CompareOp::GtEq),
    ("不满", CompareOp::Lt),
    ("未满", CompareOp::Lt),
    ("不足", CompareOp::Lt),
    ("不到", CompareOp::Lt),
    ("超过", CompareOp::Gt),
    ("高于", CompareOp::Gt),
    ("多于", CompareOp::Gt),
    ("大于", CompareOp::Gt),
    ("低于", CompareOp::Lt),
    ("少于", CompareOp::Lt),
    ("小于", CompareOp::Lt),
    ("满", CompareOp::GtEq),
];

/// Words behind a number.
const BEHIND: [(&str, CompareOp); 10] = [
    ("及以上", CompareOp::GtEq),
    ("或以上", CompareOp::GtEq),
    ("及其以上", CompareOp::GtEq),
    ("以上", CompareOp::GtEq),
    ("及以下", CompareOp::LtEq),
    ("或以下", CompareOp::LtEq),
    ("及其以下", CompareOp::LtEq),
    ("以下", CompareOp::LtEq),
    ("以内", CompareOp::LtEq),
    ("以外", CompareOp::Gt),
];

const INCLUDED: [&str; 6] = ["（含）", "(含)", "（含本数）", "(含本数)", "（含本级）", "(含本级)"];
const EXCLUDED: [&str; 4] = ["（不含）", "(不含)", "（不含本数）", "(不含本数)"];

/// Every bounded number of a text, in order.
pub(super) fn phrases(text: &str) -> Vec<Phrase> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let Some((number, end)) = number(text, at) else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        };
        let (unit, after) = unit(text, end);
        if let Some((second, last, unit)) = span(text, after) {
            found.push(phrase(text, at..last, number, unit, CompareOp::GtEq));
            found.push(phrase(text, at..last, second, unit, CompareOp::LtEq));
            at = last;
            continue;
        }
        found.extend(bounded(text, at, number, unit, after));
        at = after.max(end);
    }
    // Years of the calendar are no numbers of years.
    found.retain(|phrase| !(phrase.unit == "年" && phrase.number.as_whole().is_some_and(|year| (1900..2200).contains(&year))));
    found
}

fn phrase(text: &str, range: Range<usize>, number: Fraction, unit: &'static str, bound: CompareOp) -> Phrase {
    let words = text[range.clone()].to_owned();
    Phrase { range, number, unit, bound, words }
}

/// One number with words before or behind it.
fn bounded(text: &str, start: usize, number: Fraction, unit: &'static str, after: usize) -> Option<Phrase> {
    let (mut at, mut inclusive) = (after, None);
    (at, inclusive) = whether_included(text, at, inclusive);
    if let Some((words, bound)) = BEHIND.iter().find(|(words, _)| text[at..].starts_with(words)) {
        at += words.len();
        (at, inclusive) = whether_included(text, at, inclusive);
        return Some(phrase(text, start..at, number, unit, with(*bound, inclusive)));
    }
    let (words, bound) = BEFORE.iter().find(|(words, _)| text[..start].ends_with(words)).or_else(|| further_before(text, start))?;
    let begin = text[..start].rfind(words)?;
    Some(phrase(text, begin..at, number, unit, with(*bound, inclusive)))
}

/// Words of a bound a little further before the number: 裁员率不高于参保职工总数20%.
fn further_before(text: &str, start: usize) -> Option<&'static (&'static str, CompareOp)> {
    let before: String = text[..start].chars().rev().take(12).collect::<Vec<_>>().into_iter().rev().collect();
    let stop = |sign: char| sign.is_ascii_digit() || "，。；、：,;:（）()".contains(sign);
    let near = before.rsplit(stop).next().unwrap_or("");
    let long = BEFORE.iter().filter(|(words, _)| words.chars().count() >= 3);
    long.into_iter().find(|(words, _)| near.contains(words))
}

fn whether_included(text: &str, at: usize, before: Option<bool>) -> (usize, Option<bool>) {
    let found = |list: &[&str]| list.iter().find(|words| text[at..].starts_with(**words)).map(|words| at + words.len());
    match (found(&INCLUDED), found(&EXCLUDED)) {
        (Some(end), _) => (end, Some(true)),
        (None, Some(end)) => (end, Some(false)),
        (None, None) => (at, before),
    }
}

fn with(bound: CompareOp, inclusive: Option<bool>) -> CompareOp {
    match (bound, inclusive) {
        (CompareOp::Gt | CompareOp::GtEq, Some(true)) => CompareOp::GtEq,
        (CompareOp::Gt | CompareOp::GtEq, Some(false)) => CompareOp::Gt,
        (CompareOp::Lt | CompareOp::LtEq, Some(true)) => CompareOp::LtEq,
        (CompareOp::Lt | CompareOp::LtEq, Some(false)) => CompareOp::Lt,
        (bound, _) => bound,
    }
}

/// `至24岁` behind a first number.
fn span(text: &str, at: usize) -> Option<(Fraction, usize, &'static str)> {
    let joint = ["至", "到", "－", "—", "~", "～", "-"].into_iter().find(|joint| text[at..].starts_with(joint))?;
    let (second, end) = number(text, at + joint.len())?;
    let (unit, after) = unit(text, end);
    let counts = !unit.is_empty() && second.as_whole().is_some_and(|value| value < 1900);
    // 自2023年1月1日至2027年 and 第3至5条 are no bounds.
    counts.then_some((second, after, unit))
}

fn unit(text: &str, at: usize) -> (&'static str, usize) {
    let found = UNITS.into_iter().filter(|unit| text[at..].starts_with(unit)).max_by_key(|unit| unit.len());
    found.map_or(("", at), |unit| (unit, at + unit.len()))
}

/// The number that begins at a byte, and where it ends.
fn number(text: &str, at: usize) -> Option<(Fraction, usize)> {
    let rest = &text[at..];
    let arabic = rest.find(|sign: char| !sign.is_ascii_digit() && !matches!(sign, '.' | ',' | '_')).unwrap_or(rest.len());
    let (value, mut end) = if rest.starts_with(|sign: char| sign.is_ascii_digit()) {
        let digits = rest[..arabic].trim_end_matches(['.', ',']);
        (decimal(&digits.replace([',', '_'], ""))?, at + digits.len())
    } else {
        let length = rest.find(|sign| !DIGITS.contains(sign)).unwrap_or(rest.len());
        (chinese(&rest[..length])?, at + length)
    };
    let mut value = value;
    for (word, factor) in [("万", 10_000), ("亿", 100_000_000)] {
        if text[end..].starts_with(word) {
            value = value.times(Fraction::whole(factor)?)?;
            end += word.len();
        }
    }
    Some((value, end))
}

fn decimal(digits: &str) -> Option<Fraction> {
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let unit = 10_i128.checked_pow(u32::try_from(part.len()).ok()?)?;
    Fraction::new(format!("{whole}{part}").parse().ok()?, unit)
}

const DIGITS: &str = "〇零一二两三四五六七八九十百千";

/// 十八, 六十, 一百二十.
fn chinese(text: &str) -> Option<Fraction> {
    let (mut total, mut digit, mut any) = (0_i64, None, false);
    for sign in text.chars() {
        let place = match sign {
            '十' => 10,
            '百' => 100,
            '千' => 1000,
            _ => {
                let value = match sign {
                    '〇' | '零' => 0,
                    '两' => 2,
                    _ => i64::try_from("一二三四五六七八九".chars().position(|known| known == sign)?).ok()? + 1,
                };
                digit = Some(value);
                any = true;
                continue;
            }
        };
        total += digit.take().unwrap_or(1) * place;
        any = true;
    }
    any.then(|| Fraction::whole(total + digit.unwrap_or(0))).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[(&str, CompareOp, &str)]) {
        let found = phrases(text);
        let found: Vec<(String, CompareOp, &str)> =
            found.iter().map(|phrase| (phrase.number.to_string(), phrase.bound, phrase.unit)).collect();
        let expect: Vec<(String, CompareOp, &str)> =
            expect.iter().map(|(number, bound, unit)| ((*number).to_owned(), *bound, *unit)).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn bounds_of_texts() {
        use CompareOp::{Gt, GtEq, Lt, LtEq};
        check("年满60周岁", &[("60", GtEq, "周岁")]);
        check("60周岁以上的老年人", &[("60", GtEq, "周岁")]);
        check("未满十八周岁", &[("18", Lt, "周岁")]);
        check("年度应纳税所得额不超过300万元、从业人数不超过300人", &[("3000000", LtEq, "元"), ("300", LtEq, "人")]);
        check("30人（含）以下的参保单位", &[("30", LtEq, "人")]);
        check("5年以上（不含）", &[("5", Gt, "年")]);
        check("裁员率不高于参保职工总数20%", &[("20", LtEq, "%")]);
        check("裁员率不高于5.5%", &[("5.5", LtEq, "%")]);
        check("累计缴费满一年不足五年的", &[("1", GtEq, "年"), ("5", Lt, "年")]);
        check("登记失业的16至24岁青年", &[("16", GtEq, "岁"), ("24", LtEq, "岁")]);
        check("超过30日", &[("30", Gt, "日")]);
        check("10万元以下", &[("100000", LtEq, "元")]);
        check("100元以外的部分", &[("100", Gt, "元")]);
    }

    #[test]
    fn no_bounds() {
        for text in
            ["每人每年960元", "1973年至2001年间", "2025年1月1日以后出生", "残疾等级一级、二级", "第三十五条", "一次性补贴", "", "两项补贴"]
        {
            check(text, &[]);
        }
    }
}
