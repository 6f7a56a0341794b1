//! Policies, facts, parameters and bundles, as they are told.

use serde::Serialize;
use utoipa::ToSchema;

use super::diagnostics::Text;
use super::reason::{Kind, Mode};
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::Ty;
use crate::explain::label_of;
use crate::policy::document::{BasisStatus, CriteriaNode, Parameter, ParameterType, Period, PolicyDocument};
use crate::register::declaration::SubjectKind;

/// An authority.
#[derive(Debug, Serialize, ToSchema)]
pub struct Authority {
    /// Its code.
    pub code: String,
    /// Its name.
    pub name: String,
}

/// One version of a policy.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicySummary {
    /// One item, one code.
    #[schema(example = "990100-MZ-0007")]
    pub code: String,
    /// Version.
    pub version: i64,
    /// Its name.
    pub name: Text,
    /// Who answers for it.
    pub authority: Authority,
    /// Who is judged.
    pub subject: Kind,
    /// The region that it covers, with everything below.
    pub region: String,
    /// The first day in force.
    #[schema(format = Date)]
    pub from: String,
    /// The first day no longer in force; null: no end is known.
    #[schema(format = Date)]
    pub to: Option<String>,
    /// The day that it was announced.
    #[schema(format = Date)]
    pub announced: Option<String>,
    /// `cash`, `refund`, `waiver`, `service`, `insurance`, `tax`
    pub benefit: String,
    /// The unit of amounts.
    pub unit: String,
    /// What span of time one grant is for.
    pub period: Span,
    /// How it reaches people.
    pub mode: Mode,
}

/// What span of time one grant is for.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Once for the occasion.
    Once,
    /// The calendar month.
    Month,
    /// The calendar year.
    Year,
    /// The day.
    Day,
}

/// How sure a text or a value is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// As printed in the source named.
    Text,
    /// Not checked against the text.
    Memory,
    /// Invented for the sample province.
    Sample,
}

impl From<BasisStatus> for Standing {
    fn from(status: BasisStatus) -> Self {
        match status {
            BasisStatus::Text => Self::Text,
            BasisStatus::Memory => Self::Memory,
            BasisStatus::Sample => Self::Sample,
        }
    }
}

/// Where a rule comes from.
#[derive(Debug, Serialize, ToSchema)]
pub struct Basis {
    /// How criteria name it.
    pub id: String,
    /// Title of the document.
    pub title: String,
    /// Document number.
    pub number: Option<String>,
    /// Article.
    pub article: Option<String>,
    /// What it says.
    pub text: Option<String>,
    /// How sure its text is.
    pub status: Standing,
}

/// A node of the tree of criteria: exactly one of these is there. (Generators of clients do not take unions of themselves.)
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(no_recursion)]
pub struct Criteria {
    /// All must be yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub all: Option<Vec<Criteria>>,
    /// One must be yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub any: Option<Vec<Criteria>>,
    /// Must be no.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub not: Option<Box<Criteria>>,
    /// So many must be yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub at_least: Option<CriteriaOf>,
    /// One condition.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub criterion: Option<Criterion>,
}

/// So many of several criteria.
#[derive(Debug, Serialize, ToSchema)]
#[schema(no_recursion)]
pub struct CriteriaOf {
    /// How many.
    pub count: usize,
    /// Of these.
    pub of: Vec<Criteria>,
}

/// One condition.
#[derive(Debug, Serialize, ToSchema)]
pub struct Criterion {
    /// Its identifier.
    pub id: String,
    /// Its name for people.
    pub label: Option<Text>,
    /// The clause with its document.
    pub clause: Option<String>,
    /// The condition as written.
    pub when: String,
}

/// One version of a policy, with its rule.
#[derive(Debug, Serialize, ToSchema)]
pub struct PolicyDetail {
    /// What a list tells.
    #[serde(flatten)]
    pub summary: PolicySummary,
    /// Where it comes from.
    pub basis: Vec<Basis>,
    /// The criteria.
    pub criteria: Criteria,
    /// The amount as written; null: the benefit has none.
    pub amount: Option<String>,
    /// The clause that sets the amount.
    pub amount_clause: Option<String>,
    /// The facts that the subject may commit to.
    pub commit: Vec<String>,
    /// The policies that the subject must also be entitled to.
    pub requires: Vec<String>,
    /// The policies that may not be had beside it.
    pub excludes: Vec<String>,
}

impl PolicySummary {
    /// Of a document.
    #[must_use]
    pub fn of(document: &PolicyDocument) -> Self {
        Self {
            code: document.code.clone(),
            version: document.version,
            name: Text::from(&document.name),
            authority: Authority { code: document.authority_code.clone(), name: document.authority_name.clone() },
            subject: document.subject.into(),
            region: document.covers.region.clone(),
            from: document.in_force_from.to_string(),
            to: document.in_force_to.map(|day| day.to_string()),
            announced: document.announced.map(|day| day.to_string()),
            benefit: document.benefit.kind.clone(),
            unit: document.benefit.unit.clone(),
            period: match document.benefit.period {
                Period::Once => Span::Once,
                Period::Month => Span::Month,
                Period::Year => Span::Year,
                Period::Day => Span::Day,
            },
            mode: document.delivery.mode.into(),
        }
    }
}

impl PolicyDetail {
    /// Of a document.
    #[must_use]
    pub fn of(document: &PolicyDocument) -> Self {
        let names = |list: &[(String, crate::diagnostic::Span)]| list.iter().map(|(name, _)| name.clone()).collect();
        let basis = document.basis.iter().map(|basis| Basis {
            id: basis.id.clone(),
            title: basis.title.clone(),
            number: basis.number.clone(),
            article: basis.article.clone(),
            text: basis.text.clone(),
            status: basis.status.into(),
        });
        Self {
            summary: PolicySummary::of(document),
            basis: basis.collect(),
            criteria: criteria(document, &document.criteria),
            amount: document.benefit.amount.as_ref().and_then(|written| Some(written.node.text()?.trim().to_owned())),
            amount_clause: document.cite_amount(),
            commit: names(&document.commit),
            requires: names(&document.requires),
            excludes: document.excludes.iter().map(|exclusion| exclusion.policy.clone()).collect(),
        }
    }
}

fn criteria(document: &PolicyDocument, node: &CriteriaNode) -> Criteria {
    let all = |nodes: &[CriteriaNode]| nodes.iter().map(|node| criteria(document, node)).collect();
    match node {
        CriteriaNode::All(nodes) => Criteria { all: Some(all(nodes)), ..Criteria::default() },
        CriteriaNode::Any(nodes) => Criteria { any: Some(all(nodes)), ..Criteria::default() },
        CriteriaNode::Not(node) => Criteria { not: Some(Box::new(criteria(document, node))), ..Criteria::default() },
        CriteriaNode::AtLeast(count, nodes) => {
            Criteria { at_least: Some(CriteriaOf { count: *count, of: all(nodes) }), ..Criteria::default() }
        }
        CriteriaNode::Criterion(criterion) => {
            let criterion = Criterion {
                id: criterion.id.clone(),
                label: criterion.label.as_ref().map(Text::from),
                clause: document.cite(criterion),
                when: criterion.when.node.text().unwrap_or_default().trim().to_owned(),
            };
            Criteria { criterion: Some(criterion), ..Criteria::default() }
        }
    }
}

/// What values a fact has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactType {
    /// `true`, `false`
    Bool,
    /// A number, or exact text such as `"1240.50"`.
    Number,
    /// `2026-06-30`
    Date,
    /// `2026-06`
    Month,
    /// One of `codes`.
    Code,
    /// The code of a region.
    Region,
    /// Any text.
    Text,
}

/// A code with its label.
#[derive(Debug, Serialize, ToSchema)]
pub struct CodeLabel {
    /// The code.
    pub code: String,
    /// For people.
    pub label: Text,
}

/// A fact of a kind of subject.
#[derive(Debug, Serialize, ToSchema)]
pub struct FactSummary {
    /// Whose.
    pub subject: Kind,
    /// Its name.
    #[schema(example = "birth_date")]
    pub name: String,
    /// For people.
    pub label: Text,
    /// What values it has.
    #[serde(rename = "type")]
    pub fact_type: FactType,
    /// Numbers: at most so many digits behind the point.
    pub scale: Option<u8>,
    /// The unit.
    pub unit: Option<String>,
    /// The codes of a code.
    pub codes: Vec<CodeLabel>,
    /// Whether the subject can change it.
    pub changeable: bool,
    /// The registers that it rests on.
    pub registers: Vec<String>,
}

impl FactSummary {
    /// Of a fact of the catalogue.
    #[must_use]
    pub fn of(catalogue: &Catalogue, kind: SubjectKind, index: usize) -> Self {
        let id = FactId { kind, index };
        let fact = catalogue.fact(id);
        let fact_type = match fact.ty.ty {
            Ty::Bool => FactType::Bool,
            Ty::Number => FactType::Number,
            Ty::Date if fact.ty.month => FactType::Month,
            Ty::Date => FactType::Date,
            Ty::Text if fact.ty.codes.is_some() => FactType::Code,
            Ty::Text if fact.ty.region => FactType::Region,
            Ty::Text => FactType::Text,
        };
        let codes = fact.ty.codes.iter().flat_map(|codes| codes.iter());
        Self {
            subject: kind.into(),
            name: fact.name.to_string(),
            label: Text::from(&label_of(catalogue, id)),
            fact_type,
            scale: (fact_type == FactType::Number).then_some(fact.ty.scale),
            unit: fact.unit.clone(),
            codes: codes.map(|(code, label)| CodeLabel { code: code.clone(), label: Text::from(label) }).collect(),
            changeable: fact.changeable,
            registers: catalogue.registers_of(id),
        }
    }
}

/// What kind of number a parameter is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NumberKind {
    /// Money, two digits behind the point.
    Money,
    /// A whole number.
    Int,
    /// Any other number.
    Decimal,
}

/// The value of a parameter in a region from a day on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Value {
    /// The region, with those below that have none of their own.
    pub region: String,
    /// The first day.
    #[schema(format = Date)]
    pub from: String,
    /// The first day no longer; null: no end is known.
    #[schema(format = Date)]
    pub to: Option<String>,
    /// Exact text.
    #[schema(example = "1020.00")]
    pub value: String,
    /// How sure it is.
    pub status: Standing,
    /// The source.
    pub source: Option<String>,
}

/// A dated value by region that policies share.
#[derive(Debug, Serialize, ToSchema)]
pub struct ParameterDetail {
    /// Its name.
    pub name: String,
    /// For people.
    pub label: Text,
    /// What kind of number.
    #[serde(rename = "type")]
    pub number: NumberKind,
    /// The unit.
    pub unit: Option<String>,
    /// The values.
    pub values: Vec<Value>,
}

impl ParameterDetail {
    /// Of a parameter.
    #[must_use]
    pub fn of(parameter: &Parameter) -> Self {
        let values = parameter.values.iter().map(|value| Value {
            region: value.region.clone(),
            from: value.from.to_string(),
            to: value.to.map(|day| day.to_string()),
            value: decimal(value.digits, value.scale),
            status: value.status.into(),
            source: value.source.clone(),
        });
        Self {
            name: parameter.name.clone(),
            label: Text::from(&parameter.label),
            number: match parameter.parameter_type {
                ParameterType::Money => NumberKind::Money,
                ParameterType::Int => NumberKind::Int,
                ParameterType::Number => NumberKind::Decimal,
            },
            unit: parameter.unit.clone(),
            values: values.collect(),
        }
    }
}

/// Exact text of `digits / 10^scale`.
#[must_use]
pub fn decimal(digits: i64, scale: u8) -> String {
    if scale == 0 {
        return digits.to_string();
    }
    let sign = if digits < 0 { "-" } else { "" };
    let places = usize::from(scale);
    let text = format!("{:0>width$}", digits.unsigned_abs(), width = places + 1);
    let (whole, rest) = text.split_at(text.len() - places);
    format!("{sign}{whole}.{rest}")
}

/// Policies that one life event delivers together.
#[derive(Debug, Serialize, ToSchema)]
pub struct BundleDetail {
    /// Its identifier.
    pub id: String,
    /// Its name.
    pub name: Text,
    /// Codes of its policies.
    pub policies: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn exact_texts() {
        assert_eq!(decimal(102_000, 2), "1020.00");
        assert_eq!(decimal(-5, 2), "-0.05");
        assert_eq!((decimal(7, 0), decimal(55, 3), decimal(0, 2)), ("7".to_owned(), "0.055".to_owned(), "0.00".to_owned()));
    }
}
