//! What is told where the text is not as it should be, and where reading goes on.

use std::ops::Range;

use super::{ANY, MOST_LEVELS, Parser, Tree};
use crate::criteria::ast::{Expr, ExprKind, Literal};
use crate::criteria::error::SyntaxError;
use crate::criteria::token::{Kind, Sign};
use crate::criteria::words;

impl Parser<'_> {
    /// Stands for what is missing; the tree is not handed out then.
    pub(super) fn nothing(&self) -> Tree {
        Tree { expr: Expr { kind: ExprKind::Literal(Literal::Bool(false)), range: self.range() }, levels: 1 }
    }

    /// Tells that the present token is not what had to stand here, unless its fault has been told.
    pub(super) fn unexpected(&mut self, zh: &str, en: &str) {
        self.broken = true;
        let range = self.range();
        let error = match self.kind() {
            Kind::Bad => return,
            Kind::Finish => {
                SyntaxError::syntax(range, format!("这里应有{zh}, 文字却到此结束"), format!("expected {en}, found the end of the text"))
            }
            _ => {
                let found = self.slice(&range);
                SyntaxError::syntax(range, format!("这里应有{zh}, 却是“{found}”"), format!("expected {en}, found `{found}`"))
            }
        };
        self.report(error);
    }

    /// One more help line to what was told last.
    pub(super) fn add_help(&mut self, zh: impl Into<String>, en: impl Into<String>) {
        if let Some(error) = self.errors.last_mut().filter(|_| !self.stopped) {
            error.help.push(crate::diagnostic::Message::new(zh, en));
        }
    }

    /// A value is missing at the present token, which is left where it is.
    pub(super) fn missing_value(&mut self) -> Tree {
        let bad = *self.kind() == Kind::Bad;
        self.unexpected("一个值", "a value");
        let before = self.at.checked_sub(1).map(|at| &self.tokens[at]);
        if let Some(before) = before.filter(|token| matches!(token.kind, Kind::Sign(_)) && !bad) {
            let word = self.slice(&before.range);
            if !matches!(before.kind, Kind::Sign(Sign::LeftParen | Sign::Comma | Sign::RightParen)) {
                self.add_help(format!("“{word}”后面缺一个值"), format!("nothing follows `{word}`"));
            }
        }
        if self.sign() == Some(Sign::When) {
            self.add_help("“当”前面写“情形”(case)", "`case` comes before `when`");
        }
        self.nothing()
    }

    /// The closing parenthesis for `opener`; where it ends.
    pub(super) fn close(&mut self, opener: &Range<usize>, zh: &str, en: &str) -> usize {
        if let Some(close) = self.eat(Sign::RightParen) {
            return close.end;
        }
        if let Some(close) = self.find_ahead(|sign| sign == Sign::RightParen) {
            self.unexpected(zh, en);
            self.at = close;
            return self.advance().end;
        }
        self.broken = true;
        let written = self.slice(opener);
        self.report(
            SyntaxError::syntax(opener.clone(), "括号没有配对", format!("the `{written}` is never closed"))
                .help("补上右括号 )", "add the `)` that belongs to it"),
        );
        self.tokens[self.at.saturating_sub(1)].range.end
    }

    /// The next token whose sign is wanted, inside the parentheses and the `case` that the present one is inside of.
    pub(super) fn find_ahead(&self, wanted: impl Fn(Sign) -> bool) -> Option<usize> {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(self.at) {
            let Kind::Sign(sign) = token.kind else { continue };
            if depth == 0 && wanted(sign) {
                return Some(at);
            }
            match sign {
                Sign::LeftParen | Sign::Case => depth += 1,
                Sign::RightParen | Sign::End => depth = depth.checked_sub(1)?,
                _ => {}
            }
        }
        None
    }

    /// A token behind a whole expression: tells it, and looks for further errors behind the next `and` or `or`.
    pub(super) fn left_over(&mut self) {
        self.tell_left_over();
        let bad = *self.kind() == Kind::Bad;
        self.advance();
        if bad && self.kind().begins_value() {
            self.expression(ANY);
            return;
        }
        match self.find_ahead(|sign| matches!(sign, Sign::And | Sign::Or)) {
            Some(next) => {
                self.at = next + 1;
                self.expression(ANY);
            }
            None => self.skip_all(),
        }
    }

    fn tell_left_over(&mut self) {
        let range = self.range();
        let found = self.slice(&range);
        match self.sign() {
            Some(Sign::RightParen) => {
                self.broken = true;
                self.report(
                    SyntaxError::syntax(range, "右括号没有配对", format!("nothing is open that `{found}` could close"))
                        .help("去掉它, 或在前面补上左括号 (", "remove it, or add the `(` that belongs to it"),
                );
            }
            Some(Sign::Where | Sign::By) => {
                self.unexpected("运算符", "an operator");
                self.add_help(
                    format!("“{found}”跟在汇总后面, 如 sum(base) where kind = 'pension'"),
                    format!("`{found}` follows an aggregate, as in `sum(base) where kind = 'pension'`"),
                );
            }
            Some(Sign::When | Sign::Then | Sign::Else | Sign::End) => {
                self.unexpected("运算符", "an operator");
                self.add_help("写全: case when 条件 then 值 else 值 end", "in full: `case when condition then value else value end`");
            }
            _ => {
                self.unexpected("运算符", "an operator");
                self.help_for_missing_operator();
            }
        }
    }

    fn help_for_missing_operator(&mut self) {
        let before = self.at.checked_sub(1).map(|at| self.tokens[at].kind.clone());
        if let Some(Kind::Name(name)) = before
            && let Some(function) = words::function(&name)
            && self.kind().begins_value()
        {
            let argument = self.slice(&self.range());
            return self
                .add_help(format!("函数要带括号: {name}({argument})"), format!("a function takes parentheses: `{function}({argument})`"));
        }
        if self.kind().begins_value() {
            self.add_help("条件之间用 and (且)、or (或); 比较用 = < >=", "join conditions with `and` or `or`; compare with `=`, `<`, `>=`");
        }
    }

    /// Gives up on a text whose tree would be deeper than readers of trees can go.
    pub(super) fn too_deep(&mut self) -> Tree {
        self.broken = true;
        let range = self.range();
        self.report(
            SyntaxError::syntax(
                range,
                format!("嵌套或连写超过 {MOST_LEVELS} 层"),
                format!("more than {MOST_LEVELS} levels, nested or in a row"),
            )
            .help("拆成几个条件, 或用 in (…) 列出各值", "split it into several criteria, or list the values with `in (…)`"),
        );
        self.stopped = true;
        self.skip_all();
        self.nothing()
    }

    fn skip_all(&mut self) {
        self.at = self.tokens.len() - 1;
    }
}
