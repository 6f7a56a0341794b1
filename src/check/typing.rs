//! Types of expressions as authors see them: storage type, unit, code list.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ir::Ty;
use crate::diagnostic::Message;
use crate::register::declaration::ColumnType;

/// A unit as a fraction of base words: `CNY/month` is `CNY` over `month`. Counting words (`person`, `row`) are no unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    above: Vec<String>,
    below: Vec<String>,
}

impl Unit {
    /// Reads a unit; empty text is no unit.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut sides = text.splitn(2, '/');
        let words = |side: Option<&str>| -> Vec<String> {
            side.unwrap_or("")
                .split(['*', '·', '/'])
                .map(str::trim)
                .filter(|word| !matches!(*word, "" | "person" | "row" | "1" | "人"))
                .map(|word| match word {
                    "元" => "CNY".to_owned(),
                    "月" => "month".to_owned(),
                    "年" => "year".to_owned(),
                    "日" | "天" => "day".to_owned(),
                    other => other.to_owned(),
                })
                .collect()
        };
        let mut unit = Self { above: words(sides.next()), below: words(sides.next()) };
        unit.reduce();
        unit
    }

    /// The unit of a product.
    #[must_use]
    pub fn times(&self, other: &Self) -> Self {
        let mut unit = Self { above: [&*self.above, &*other.above].concat(), below: [&*self.below, &*other.below].concat() };
        unit.reduce();
        unit
    }

    /// The unit of a quotient.
    #[must_use]
    pub fn over(&self, other: &Self) -> Self {
        self.times(&Self { above: other.below.clone(), below: other.above.clone() })
    }

    /// Whether there is no unit.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.above.is_empty() && self.below.is_empty()
    }

    fn reduce(&mut self) {
        self.above.sort();
        self.below.sort();
        let mut at = 0;
        while at < self.above.len() {
            match self.below.iter().position(|word| *word == self.above[at]) {
                Some(found) => {
                    self.below.remove(found);
                    self.above.remove(at);
                }
                None => at += 1,
            }
        }
    }
}

impl std::fmt::Display for Unit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let above = if self.above.is_empty() { "1".to_owned() } else { self.above.join("*") };
        if self.below.is_empty() { write!(formatter, "{above}") } else { write!(formatter, "{above}/{}", self.below.join("*")) }
    }
}

/// A code list: codes with their labels.
pub type CodeList = Arc<BTreeMap<String, Message>>;

/// What is known of a value before it is known.
#[derive(Debug, Clone)]
pub struct Type {
    /// Storage type.
    pub ty: Ty,
    /// Numbers: digits behind the point of the stored value.
    pub scale: u8,
    /// Unit; none where the value takes any (a bare literal, or a product with one).
    pub unit: Option<Unit>,
    /// The code list of a code.
    pub codes: Option<CodeList>,
    /// Whether it is a region code.
    pub region: bool,
    /// Whether the author wrote the value out.
    pub literal: bool,
    /// Whether a date stands for a month.
    pub month: bool,
}

impl Type {
    /// A type with nothing special about it.
    #[must_use]
    pub fn plain(ty: Ty) -> Self {
        Self { ty, scale: 0, unit: Some(Unit::default()), codes: None, region: false, literal: false, month: false }
    }

    /// A whole number with a unit.
    #[must_use]
    pub fn whole(unit: &str) -> Self {
        Self { unit: Some(Unit::parse(unit)), ..Self::plain(Ty::Number) }
    }

    /// The type of a declared column or fact.
    #[must_use]
    pub fn declared(column_type: ColumnType, unit: Option<&str>, codes: Option<&CodeList>) -> Self {
        let ty = match column_type {
            ColumnType::Bool => Ty::Bool,
            ColumnType::Int | ColumnType::Money => Ty::Number,
            ColumnType::Date | ColumnType::Month => Ty::Date,
            _ => Ty::Text,
        };
        Self {
            ty,
            scale: if column_type == ColumnType::Money { 2 } else { 0 },
            unit: Some(Unit::parse(unit.unwrap_or(""))),
            codes: codes.filter(|_| column_type == ColumnType::Code).cloned(),
            region: column_type == ColumnType::Region,
            literal: false,
            month: column_type == ColumnType::Month,
        }
    }

    /// The word for people, in Chinese and English.
    #[must_use]
    pub fn words(&self) -> (&'static str, &'static str) {
        match self.ty {
            Ty::Bool => ("是否", "yes/no"),
            Ty::Number if self.scale == 2 => ("金额", "money"),
            Ty::Number => ("数", "number"),
            Ty::Date if self.month => ("月份", "month"),
            Ty::Date => ("日期", "date"),
            Ty::Text if self.codes.is_some() => ("代码", "code"),
            Ty::Text if self.region => ("地区", "region"),
            Ty::Text => ("文字", "text"),
        }
    }
}
