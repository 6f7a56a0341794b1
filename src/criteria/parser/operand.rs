//! What operators stand between: values, names, calls, `case`, parentheses.

use std::ops::Range;

use super::{ANY, Parser, Tree};
use crate::criteria::ast::{Call, Expr, ExprKind, Ident, Literal};
use crate::criteria::error::SyntaxError;
use crate::criteria::token::{Kind, Sign};
use crate::criteria::words;

/// What stands between two parentheses.
pub(super) struct Items {
    pub(super) list: Vec<Expr>,
    /// The most levels of any part.
    pub(super) levels: u32,
    by: Option<Box<Expr>>,
    /// Where the closing parenthesis ends.
    pub(super) end: usize,
}

impl Parser<'_> {
    pub(super) fn operand(&mut self) -> Tree {
        match self.kind().clone() {
            Kind::Literal(literal) => {
                let range = self.advance();
                self.tree(range, 0, ExprKind::Literal(literal))
            }
            // `x = unknown` is what `x = null` is.
            Kind::Sign(Sign::Null | Sign::Unknown) => {
                let range = self.advance();
                self.tree(range, 0, ExprKind::Literal(Literal::Null))
            }
            Kind::Name(name) => self.name_or_call(name),
            Kind::Sign(Sign::LeftParen) => self.parentheses(),
            Kind::Sign(Sign::Case) => self.case(),
            Kind::BadValue => {
                self.broken = true;
                let nothing = self.nothing();
                self.advance();
                nothing
            }
            _ => self.missing_value(),
        }
    }

    fn parentheses(&mut self) -> Tree {
        let opener = self.advance();
        let mut inner = self.expression(ANY);
        let end = self.close(&opener, "“)”或运算符", "`)` or an operator");
        inner.expr.range = opener.start..end;
        inner
    }

    fn name_or_call(&mut self, first: String) -> Tree {
        let mut path = vec![Ident { name: first, range: self.advance() }];
        while self.eat(Sign::Dot).is_some() {
            if let Kind::Name(name) = self.kind().clone() {
                path.push(Ident { name, range: self.advance() });
            } else {
                self.unexpected("“.”后面的名称", "a name after the point");
                break;
            }
        }
        let call = self.sign() == Some(Sign::LeftParen);
        let range = path[0].range.start..path[path.len() - 1].range.end;
        if let Some(last) = path.last_mut() {
            let english = if call { words::function(&last.name) } else { words::builtin(&last.name) };
            if let Some(english) = english {
                english.clone_into(&mut last.name);
            }
        }
        if call { self.call(path) } else { self.tree(range, 0, ExprKind::Name(path)) }
    }

    fn call(&mut self, path: Vec<Ident>) -> Tree {
        let opener = self.advance();
        let Items { list: args, mut levels, mut by, mut end } = self.items(&opener);
        let with_tail = self.tails || path.len() > 1;
        if by.is_some() && !with_tail {
            self.tail_of_plain_call(opener, "by");
        }
        let mut filter = None;
        if let Some(place) = self.eat(Sign::Where) {
            if !with_tail {
                self.tail_of_plain_call(place, "where");
            }
            let tree = self.expression(ANY);
            levels = levels.max(tree.levels);
            end = tree.expr.range.end.max(end);
            filter = Some(Box::new(tree.expr));
        }
        if by.is_none() && self.tails && self.lists == 0 && self.eat(Sign::By).is_some() {
            let tree = self.expression(ANY);
            levels = levels.max(tree.levels);
            end = tree.expr.range.end.max(end);
            by = Some(Box::new(tree.expr));
        }
        let range = path[0].range.start..end;
        self.tree(range, levels, ExprKind::Call(Call { path, args, by, filter }))
    }

    /// `where` behind a call that aggregates nothing.
    fn tail_of_plain_call(&mut self, place: Range<usize>, word: &str) {
        self.broken = true;
        self.report(
            SyntaxError::syntax(
                place,
                format!("“{word}”只能跟在对库或关联对象的汇总后面"),
                format!("`{word}` belongs to an aggregate over a register or a link"),
            )
            .help("如 members.count() where age >= 60", "such as `members.count() where age >= 60`"),
        );
    }

    /// The items after an opening parenthesis, separated by commas, to the closing one.
    pub(super) fn items(&mut self, opener: &Range<usize>) -> Items {
        let mut items = Items { list: Vec::new(), levels: 0, by: None, end: opener.end };
        if let Some(close) = self.eat(Sign::RightParen) {
            items.end = close.end;
            return items;
        }
        self.lists += 1;
        loop {
            let item = self.expression(ANY);
            items.levels = items.levels.max(item.levels);
            items.list.push(item.expr);
            if self.eat(Sign::By).is_some() {
                let by = self.expression(ANY);
                items.levels = items.levels.max(by.levels);
                items.by = Some(Box::new(by.expr));
            }
            if !matches!(self.sign(), Some(Sign::Comma | Sign::RightParen))
                && let Some(next) = self.find_ahead(|sign| matches!(sign, Sign::Comma | Sign::RightParen))
            {
                self.unexpected("“,”“)”或运算符", "`,`, `)` or an operator");
                self.at = next;
            }
            if self.eat(Sign::Comma).is_none() {
                self.lists -= 1;
                items.end = self.close(opener, "“)”", "`)`");
                return items;
            }
        }
    }

    fn case(&mut self) -> Tree {
        let opener = self.advance();
        if self.sign() != Some(Sign::When) {
            self.unexpected("“when”或“当”", "`when`");
            if self.kind().begins_value() {
                self.expression(ANY);
            }
        }
        let (mut branches, mut levels) = (Vec::new(), 0);
        while self.eat(Sign::When).is_some() {
            let condition = self.expression(ANY);
            let value = self.branch_value();
            self.skip_to_next_branch();
            levels = levels.max(condition.levels).max(value.levels);
            branches.push((condition.expr, value.expr));
        }
        let otherwise = self.eat(Sign::Else).map(|_| {
            let value = self.expression(ANY);
            self.skip_to_next_branch();
            levels = levels.max(value.levels);
            Box::new(value.expr)
        });
        let end = self.end_of_case(&opener);
        self.tree(opener.start..end, levels, ExprKind::Case { branches, otherwise })
    }

    /// `then` and the value of a branch; without `then`, whatever there is of it.
    fn branch_value(&mut self) -> Tree {
        if self.eat(Sign::Then).is_some() {
            return self.expression(ANY);
        }
        self.unexpected("“then”或“则”", "`then`");
        let next = self.find_ahead(|sign| matches!(sign, Sign::Then | Sign::When | Sign::Else | Sign::End));
        if let Some(then) = next.filter(|at| self.tokens[*at].kind == Kind::Sign(Sign::Then)) {
            self.at = then + 1;
            return self.expression(ANY);
        }
        if self.kind().begins_value() {
            return self.expression(ANY);
        }
        self.at = next.unwrap_or(self.at);
        self.nothing()
    }

    fn skip_to_next_branch(&mut self) {
        let next = |sign| matches!(sign, Sign::When | Sign::Else | Sign::End);
        if self.sign().is_some_and(next) {
            return;
        }
        if let Some(place) = self.find_ahead(next) {
            self.unexpected("“when”“else”“end”或运算符", "`when`, `else`, `end` or an operator");
            self.at = place;
        }
    }

    fn end_of_case(&mut self, opener: &Range<usize>) -> usize {
        if let Some(end) = self.eat(Sign::End) {
            return end.end;
        }
        self.broken = true;
        let word = self.slice(opener);
        self.report(
            SyntaxError::syntax(opener.clone(), format!("“{word}”没有写“end”或“结束”"), format!("`{word}` has no `end`"))
                .help("写全: case when 条件 then 值 else 值 end", "in full: `case when condition then value else value end`"),
        );
        self.tokens[self.at.saturating_sub(1)].range.end
    }
}
