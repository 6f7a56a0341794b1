//! Text to tokens: Chinese and full-width writing becomes the signs that it stands for; ranges stay those of the text.

use std::ops::Range;

use chrono::NaiveDate;
use unicode_normalization::UnicodeNormalization;

use super::ast::Literal;
use super::error::SyntaxError;
use super::token::{Kind, Sign, Token};
use super::words;
use crate::diagnostic::code;

/// No name is longer; what follows is read as another one, and told.
const LONGEST_NAME: usize = 200;
/// More digits after the point than any rate or amount of a law has.
const MOST_DECIMALS: usize = 15;

/// The tokens of a text, ended by [`Kind::Finish`], and what could not be read.
pub(super) fn lex(text: &str) -> (Vec<Token>, Vec<SyntaxError>) {
    let chars = text.char_indices().map(|(at, char)| (at, fold(char))).collect();
    let mut lexer = Lexer { text, chars, at: 0, tokens: Vec::new(), errors: Vec::new() };
    while let Some(char) = lexer.peek(0) {
        lexer.token(char);
    }
    // What is missing at the end is shown right after the last word, not after trailing blanks.
    let end = lexer.tokens.last().map_or(0, |token| token.range.end);
    lexer.tokens.push(Token { kind: Kind::Finish, range: end..end });
    (lexer.tokens, lexer.errors)
}

/// Full-width forms and compatibility ideographs as the character that they stand for.
fn fold(char: char) -> char {
    match char {
        '\u{FF01}'..='\u{FF5E}' | '\u{3000}' | '\u{F900}'..='\u{FAFF}' | '\u{2F800}'..='\u{2FA1F}' => {
            let mut folded = std::iter::once(char).nfkc();
            folded.next().filter(|_| folded.next().is_none()).unwrap_or(char)
        }
        '×' => '*',
        '÷' => '/',
        '−' => '-',
        '、' => ',',
        '。' | '｡' => '.',
        _ => char,
    }
}

fn begins_name(char: char) -> bool {
    char == '_' || char.is_alphabetic()
}

fn continues_name(char: char) -> bool {
    char == '_' || char.is_alphanumeric()
}

struct Lexer<'t> {
    text: &'t str,
    chars: Vec<(usize, char)>,
    at: usize,
    tokens: Vec<Token>,
    errors: Vec<SyntaxError>,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).map(|(_, char)| *char)
    }

    /// The byte offset of the character `ahead` of the present one.
    fn offset(&self, ahead: usize) -> usize {
        self.chars.get(self.at + ahead).map_or(self.text.len(), |(at, _)| *at)
    }

    /// Takes `length` characters; their bytes.
    fn take(&mut self, length: usize) -> Range<usize> {
        let range = self.offset(0)..self.offset(length);
        self.at = (self.at + length).min(self.chars.len());
        range
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let range = self.take(length);
        self.tokens.push(Token { kind, range });
    }

    /// How many characters from `ahead` on are those of one name.
    fn name_run(&self, ahead: usize) -> usize {
        let rest = &self.chars[(self.at + ahead).min(self.chars.len())..];
        rest.iter().take(LONGEST_NAME).take_while(|(_, char)| continues_name(*char)).count()
    }

    /// How many characters from `ahead` on satisfy `test`.
    fn run(&self, ahead: usize, test: impl Fn(char) -> bool) -> usize {
        self.chars[(self.at + ahead).min(self.chars.len())..].iter().take_while(|(_, char)| test(*char)).count()
    }

    fn folded(&self, ahead: usize, length: usize) -> String {
        self.chars[self.at + ahead..self.at + ahead + length].iter().map(|(_, char)| *char).collect()
    }

    fn after_value(&self) -> bool {
        self.tokens.last().is_some_and(|token| token.kind.ends_value() || token.kind == Kind::Sign(Sign::Case))
    }

    fn token(&mut self, char: char) {
        match char {
            '#' => self.at += self.run(0, |char| char != '\n'),
            _ if char.is_whitespace() => self.at += 1,
            '0'..='9' => self.number_or_date(),
            '\'' | '"' | '‘' | '’' | '“' | '”' => self.quoted(char),
            _ if begins_name(char) => self.word(),
            _ => self.sign(char),
        }
    }

    fn sign(&mut self, char: char) {
        let (sign, length) = match (char, self.peek(1)) {
            ('=', Some('>')) => return self.turned(Sign::GtEq, ">="),
            ('=', Some('<')) => return self.turned(Sign::LtEq, "<="),
            ('=', Some('=')) => (Sign::Eq, 2),
            ('<', Some('>')) | ('!', Some('=')) => (Sign::NotEq, 2),
            ('<', Some('=')) => (Sign::LtEq, 2),
            ('>', Some('=')) => (Sign::GtEq, 2),
            ('&', Some('&')) => (Sign::And, 2),
            ('|', Some('|')) => (Sign::Or, 2),
            ('&', _) => return self.single(Sign::And, "and", "且"),
            ('|', _) => return self.single(Sign::Or, "or", "或"),
            ('=', _) => (Sign::Eq, 1),
            ('≠', _) => (Sign::NotEq, 1),
            ('<', _) => (Sign::Lt, 1),
            ('≤' | '≦', _) => (Sign::LtEq, 1),
            ('>', _) => (Sign::Gt, 1),
            ('≥' | '≧', _) => (Sign::GtEq, 1),
            ('!', _) => (Sign::Not, 1),
            ('(', _) => (Sign::LeftParen, 1),
            (')', _) => (Sign::RightParen, 1),
            (',', _) => (Sign::Comma, 1),
            ('.', _) => (Sign::Dot, 1),
            ('+', _) => (Sign::Plus, 1),
            ('-', _) => (Sign::Minus, 1),
            ('*', _) => (Sign::Star, 1),
            ('/', _) => (Sign::Slash, 1),
            _ => return self.unknown(),
        };
        self.push(Kind::Sign(sign), length);
    }

    /// `=>` and `=<`, whose meaning is clear all the same.
    fn turned(&mut self, sign: Sign, right: &str) {
        let range = self.offset(0)..self.offset(2);
        let written = &self.text[range.clone()];
        self.errors.push(
            SyntaxError::syntax(range, format!("没有运算符“{written}”"), format!("there is no operator `{written}`"))
                .help(format!("写成 {right}"), format!("write `{right}`")),
        );
        self.push(Kind::Sign(sign), 2);
    }

    /// `&` and `|`, whose meaning is clear all the same.
    fn single(&mut self, sign: Sign, en: &str, zh: &str) {
        let range = self.offset(0)..self.offset(1);
        let written = &self.text[range.clone()];
        self.errors.push(
            SyntaxError::syntax(range, format!("没有运算符“{written}”"), format!("there is no operator `{written}`"))
                .help(format!("写成 {en} 或“{zh}”"), format!("write `{en}`")),
        );
        self.push(Kind::Sign(sign), 1);
    }

    /// Characters that the language does not have, told once for a run of them.
    fn unknown(&mut self) {
        let strange = |char: char| !char.is_whitespace() && !continues_name(char) && !"#'\"‘’“”=≠<≤≦>≥≧!&|(),.+-*/".contains(char);
        let length = self.run(0, strange).max(1);
        let range = self.offset(0)..self.offset(length);
        let written = &self.text[range.clone()];
        let error = SyntaxError::syntax(range, format!("条件里不能有“{written}”"), format!("`{written}` has no meaning in a condition"));
        let error = match self.peek(0) {
            Some('[' | ']' | '{' | '}' | '【' | '】' | '《' | '》' | '〈' | '〉') => {
                error.help("括号用 ( )", "brackets are written `( )`")
            }
            Some('%') => error.help("百分号紧跟数字, 如 5.5%", "a percent sign follows its number: `5.5%`"),
            Some('–' | '—' | '～' | '~') => error.help("减号写 -; 范围写“介于 … 和 …”", "minus is `-`; a range is `between … and …`"),
            Some(';' | ':') => error.help("并列的条件用“且”“或”连接", "join conditions with `and` or `or`"),
            _ => error,
        };
        self.errors.push(error);
        self.push(Kind::Bad, length);
    }

    /// A text in quotes. Curly quotes are closed by curly or straight ones; a straight one inside is written twice.
    fn quoted(&mut self, opener: char) {
        let closes = |char: char| match opener {
            '\'' | '"' => char == opener,
            '‘' | '’' => matches!(char, '’' | '‘' | '\''),
            _ => matches!(char, '”' | '“' | '"'),
        };
        let mut content = String::new();
        let mut length = 1;
        while let Some(char) = self.peek(length).filter(|char| !matches!(char, '\n' | '\r')) {
            if closes(char) {
                if char == opener && matches!(opener, '\'' | '"') && self.peek(length + 1) == Some(opener) {
                    length += 1;
                } else {
                    return self.push(Kind::Literal(Literal::Text(content)), length + 1);
                }
            }
            content.push_str(&self.text[self.offset(length)..self.offset(length + 1)]);
            length += 1;
        }
        let range = self.offset(0)..self.offset(1);
        let written = &self.text[range.clone()];
        self.errors.push(
            SyntaxError::syntax(range, "引号没有配对", format!("the quote {written} is never closed"))
                .help("在文字后面补上引号", "close it after the text"),
        );
        self.push(Kind::BadValue, length);
    }

    fn word(&mut self) {
        let mut length = self.name_run(0);
        let run = self.folded(0, length);
        if let Some(kind) = reserved(&run) {
            return self.push(kind, length);
        }
        if words::function(&run).is_none() && words::builtin(&run).is_none() {
            if let Some((word, sign)) = words::leading(&run, self.after_value()) {
                return self.push(Kind::Sign(sign), word.chars().count());
            }
            length = run[..words::name_length(&run)].chars().count();
            if let Some(kind) = reserved(&run[..words::name_length(&run)]) {
                return self.push(kind, length);
            }
        }
        let name: String = self.text[self.offset(0)..self.offset(length)].nfkc().collect();
        let writable =
            name.chars().next().is_some_and(begins_name) && name.chars().all(continues_name) && words::name_length(&name) == name.len();
        if writable {
            self.push(Kind::Name(name), length);
        } else {
            let range = self.offset(0)..self.offset(length);
            let written = &self.text[range.clone()];
            self.errors.push(SyntaxError::syntax(range, format!("“{written}”不能作名称"), format!("`{written}` cannot be a name")));
            self.push(Kind::BadValue, length);
        }
    }

    fn number_or_date(&mut self) {
        if let Some((kind, length)) = self.date() {
            return self.push(kind, length);
        }
        let digit = |char: char| char.is_ascii_digit();
        let whole = self.run(0, |char| digit(char) || char == '_');
        let mut length = whole;
        let mut decimals = 0;
        if self.peek(whole) == Some('.') && self.peek(whole + 1).is_some_and(digit) {
            decimals = self.run(whole + 1, digit);
            length += 1 + decimals;
        }
        let too_fine = decimals > MOST_DECIMALS;
        let digits = self.folded(0, length).replace(['_', '.'], "");
        if self.peek(length) == Some('%') {
            length += 1;
            decimals += 2;
        }
        let kind = match digits.parse() {
            Ok(digits) if !too_fine => match u8::try_from(decimals) {
                Ok(scale) => Kind::Literal(Literal::Number { digits, scale }),
                Err(_) => self.out_of_range(length),
            },
            _ => self.out_of_range(length),
        };
        match self.unit_behind(length) {
            Some(unit) => {
                self.number_with_unit(length, unit);
                self.push(Kind::BadValue, length + unit);
            }
            None => self.push(kind, length),
        }
    }

    fn out_of_range(&mut self, length: usize) -> Kind {
        let range = self.offset(0)..self.offset(length);
        self.errors.push(SyntaxError::new(&code::NUMBER_OUT_OF_RANGE, range, "数字超出范围", "the number is out of range").help(
            format!("整数部分和小数部分合起来不超过 {}, 小数不超过 {MOST_DECIMALS} 位", i64::MAX),
            format!("at most {} without the point, and {MOST_DECIMALS} decimals", i64::MAX),
        ));
        Kind::BadValue
    }

    /// How many characters right behind a number belong to no operator: `60岁`, `3x`.
    fn unit_behind(&self, length: usize) -> Option<usize> {
        self.peek(length).filter(|char| begins_name(*char))?;
        let behind = self.name_run(length);
        let run = self.folded(length, behind);
        if reserved(&run).is_some() || words::leading(&run, true).is_some() {
            return None;
        }
        Some(run[..words::name_length(&run)].chars().count())
    }

    fn number_with_unit(&mut self, length: usize, unit: usize) {
        let range = self.offset(0)..self.offset(length + unit);
        let number = &self.text[self.offset(0)..self.offset(length)];
        let unit = &self.text[self.offset(length)..range.end];
        let error = SyntaxError::syntax(range, format!("数字后面不能跟“{unit}”"), format!("a number cannot be followed by `{unit}`"));
        self.errors.push(if unit.starts_with('年') && number.len() == 4 {
            error.help("日期写成 2024-02-29, 月份写成 2024-02", "write a date as 2024-02-29, a month as 2024-02")
        } else {
            error.help(format!("只写 {number}; 单位由事实带着"), format!("write {number} alone: the unit comes with the fact"))
        });
    }

    /// A date or a month, or what was meant to be one.
    fn date(&mut self) -> Option<(Kind, usize)> {
        let digits = |from: usize| self.run(from, |char| char.is_ascii_digit());
        let separator = self.peek(4).filter(|char| matches!(char, '-' | '/'))?;
        let month = Some(digits(5)).filter(|length| digits(0) == 4 && (1..=2).contains(length))?;
        let day = if self.peek(5 + month) == Some(separator) { digits(6 + month) } else { 0 };
        if day > 0 {
            let length = 6 + month + day;
            return Some((self.full_date(length, separator == '-' && month == 2 && day == 2), length));
        }
        let more = self.peek(7).is_some_and(|char| char == '%' || char == '_') || (self.peek(7) == Some('.') && digits(8) > 0);
        if separator != '-' || month != 2 || more {
            return None;
        }
        let (year, month) = (self.value(0, 4), self.value(5, 2));
        let kind = match NaiveDate::from_ymd_opt(year, month.unsigned_abs(), 1) {
            Some(first) => Kind::Literal(Literal::Month(first.to_epoch_days())),
            None => self.no_such_day(7, "月份是 01 到 12", "months are 01 to 12"),
        };
        Some((kind, 7))
    }

    fn full_date(&mut self, length: usize, well_formed: bool) -> Kind {
        if !well_formed {
            let range = self.offset(0)..self.offset(length);
            let written = &self.text[range.clone()];
            self.errors.push(
                SyntaxError::syntax(range, format!("“{written}”不是日期的写法"), format!("`{written}` is not how a date is written"))
                    .help("日期写成 2024-02-09", "write a date as 2024-02-09"),
            );
            return Kind::BadValue;
        }
        let (year, month, day) = (self.value(0, 4), self.value(5, 2).unsigned_abs(), self.value(8, 2).unsigned_abs());
        match NaiveDate::from_ymd_opt(year, month, day) {
            Some(date) => Kind::Literal(Literal::Date(date.to_epoch_days())),
            None if !(1..=12).contains(&month) => self.no_such_day(10, "月份是 01 到 12", "months are 01 to 12"),
            None => {
                let last = last_day(year, month);
                self.no_such_day(
                    10,
                    &format!("{year} 年 {month} 月是 1 日到 {last} 日"),
                    &format!("month {month} of {year} has the days 1 to {last}"),
                )
            }
        }
    }

    fn no_such_day(&mut self, length: usize, zh: &str, en: &str) -> Kind {
        let range = self.offset(0)..self.offset(length);
        let written = &self.text[range.clone()];
        self.errors.push(
            SyntaxError::syntax(range, format!("历法上没有 {written}"), format!("there is no {written} in the calendar")).help(zh, en),
        );
        Kind::BadValue
    }

    /// The value of a few digits.
    fn value(&self, ahead: usize, length: usize) -> i32 {
        self.chars[self.at + ahead..self.at + ahead + length]
            .iter()
            .filter_map(|(_, char)| char.to_digit(10))
            .fold(0, |value, digit| value * 10 + digit.cast_signed())
    }
}

/// The token of a run that is a reserved word or a truth value.
fn reserved(run: &str) -> Option<Kind> {
    let truth = words::truth(run).map(|truth| Kind::Literal(Literal::Bool(truth)));
    truth.or_else(|| words::sign(run).map(Kind::Sign))
}

fn last_day(year: i32, month: u32) -> u32 {
    (28..=31).rev().find(|day| NaiveDate::from_ymd_opt(year, month, *day).is_some()).unwrap_or(28)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens as written, with a bar between them.
    #[track_caller]
    fn check(input: &str, expect: &str) {
        let (tokens, _) = lex(input);
        let written: Vec<&str> = tokens.iter().map(|token| &input[token.range.clone()]).collect();
        assert_eq!(written.join("|"), format!("{expect}|"));
    }

    #[test]
    fn tokens_of_a_run_of_chinese() {
        check("年龄大于等于60且残疾等级不属于(1)", "年龄|大于等于|60|且|残疾等级|不属于|(|1|)");
        check("非农户口", "非农户口");
        check("非 农户口", "非|农户口");
        check("出生日期不为空", "出生日期|不为空");
        check("age大于60", "age|大于|60");
        check("下限 至 上限", "下限|至|上限");
    }

    #[test]
    fn dates_are_one_token_when_they_have_the_shape() {
        check("2024-02-29", "2024-02-29");
        check("2024-02", "2024-02");
        check("2024 - 02", "2024|-|02");
        check("2024-2", "2024|-|2");
        check("1000-50.5", "1000|-|50.5");
    }

    #[test]
    fn quotes_close_as_they_open() {
        check("‘a’\"b\"“c”'d''e'", "‘a’|\"b\"|“c”|'d''e'");
    }
}
