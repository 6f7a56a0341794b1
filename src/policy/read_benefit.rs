//! What a yes is worth: the benefit, its occasions, caps and budgets.

use super::citation::{attach, cite};
use super::document::{Basis, Benefit, Budget, Cap, CapScope, Each, EachSource, Exhaustion, Payee, Period, Rounding};
use super::expression::{optional_written, required_written};
use super::read_basis::known_basis;
use crate::diagnostic::{Diagnostic, code};
use crate::yaml::{Fields, Node, wrong_shape};

pub(super) const KINDS: [(&str, &str); 6] =
    [("cash", "cash"), ("refund", "refund"), ("waiver", "waiver"), ("service", "service"), ("insurance", "insurance"), ("tax", "tax")];
pub(super) const PERIODS: [(&str, Period); 4] =
    [("once", Period::Once), ("month", Period::Month), ("year", Period::Year), ("day", Period::Day)];
pub(super) const ROUNDINGS: [(&str, Rounding); 3] = [("fen", Rounding::Fen), ("yuan", Rounding::Yuan), ("yuan_up", Rounding::YuanUp)];
pub(super) const PAYEES: [(&str, Payee); 4] =
    [("self", Payee::Itself), ("guardian", Payee::Guardian), ("head", Payee::Head), ("legal_representative", Payee::LegalRepresentative)];
pub(super) const SCOPES: [(&str, CapScope); 3] =
    [("subject", CapScope::Subject), ("household", CapScope::Household), ("year", CapScope::Year)];
pub(super) const SPANS: [(&str, Period); 4] =
    [("run", Period::Once), ("month", Period::Month), ("year", Period::Year), ("day", Period::Day)];
pub(super) const EXHAUSTIONS: [(&str, Exhaustion); 2] = [("waitlist", Exhaustion::Waitlist), ("pro_rata", Exhaustion::ProRata)];

/// Reads `benefit`.
pub(super) fn read_benefit(node: &Node, basis: &[Basis], diagnostics: &mut Vec<Diagnostic>) -> Option<Benefit> {
    let mut told = Vec::new();
    let mut fields = Fields::new(node, &mut told)?;
    fields.required("kind");
    let kind = fields.choice("kind", &KINDS);
    // A service may be worth no money; everything else says how much, and for what span of time.
    let service = kind == Some("service");
    let amount = if service { optional_written(&mut fields, "amount") } else { required_written(&mut fields, "amount") };
    if !service {
        fields.required("period");
    }
    let period = fields.choice("period", &PERIODS);
    let period_read = period.is_some() || service;
    let unit = fields.text("unit").unwrap_or_else(|| "CNY".to_owned());
    let rounding = fields.choice("rounding", &ROUNDINGS).unwrap_or(Rounding::Fen);
    let per_member = fields.choice("per", &[("member", ())]).is_some();
    let payee = fields.choice("payee", &PAYEES).unwrap_or(Payee::Itself);
    let clause = fields.text("clause");
    let basis_id = known_basis(&mut fields, basis);
    fields.finish();
    attach(&mut told, cite(basis, basis_id.as_deref(), clause.as_deref()).as_deref());
    diagnostics.append(&mut told);
    Some(Benefit {
        kind: kind?.to_owned(),
        amount,
        unit,
        period: period.unwrap_or(Period::Once),
        period_read,
        rounding,
        per_member,
        payee,
        clause,
        basis: basis_id,
    })
}

/// Reads `each`.
pub(super) fn read_each(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Each> {
    let mut fields = Fields::new(node, diagnostics)?;
    let place = fields.span();
    let (link, register) = (fields.optional("link"), fields.optional("register"));
    let source = match (link, register) {
        (Some(link), None) => link.text().map(|name| (EachSource::Link(name.to_owned()), link.span())),
        (None, Some(register)) => register.text().map(|name| (EachSource::Register(name.to_owned()), register.span())),
        (None, None) => {
            let help = ("加上 link: employees 或 register: certificates", "add `link: employees` or `register: certificates`");
            fields.report(
                Diagnostic::new(&code::MISSING_KEY, "缺少“link”或“register”", "`link` or `register` is missing")
                    .at(place)
                    .help(help.0, help.1),
            );
            None
        }
        (Some(_), Some(register)) => {
            fields.report(wrong_shape(register, "只有 link 或 register 之一", "only one of `link` and `register`"));
            None
        }
    };
    let filter = optional_written(&mut fields, "where");
    let id = fields.required_text("id");
    let amount = optional_written(&mut fields, "amount");
    let limit = fields.integer("limit");
    if limit.is_some_and(|limit| limit < 1)
        && let Some(node) = fields.optional("limit")
    {
        fields.report(wrong_shape(node, "1 以上的整数", "a whole number from 1"));
    }
    fields.finish();
    let (source, place) = source?;
    Some(Each { source, place, filter, id: id?, amount, limit })
}

/// Reads `cap`.
pub(super) fn read_cap(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Cap> {
    let mut fields = Fields::new(node, diagnostics)?;
    let amount = required_written(&mut fields, "amount");
    fields.required("per");
    let per = fields.choice("per", &SCOPES);
    fields.finish();
    Some(Cap { amount: amount?, per: per? })
}

/// Reads `budget`; `period: run` is money for one round, whatever was paid before.
pub(super) fn read_budget(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Budget> {
    let mut fields = Fields::new(node, diagnostics)?;
    let amount = required_written(&mut fields, "amount");
    let rank_by = optional_written(&mut fields, "rank_by");
    let descending = fields.choice("order", &[("desc", true), ("asc", false)]).unwrap_or(true);
    fields.required("at_exhaustion");
    let at_exhaustion = fields.choice("at_exhaustion", &EXHAUSTIONS);
    let period = fields.choice("period", &SPANS).unwrap_or(Period::Once);
    fields.finish();
    Some(Budget { amount: amount?, rank_by, descending, at_exhaustion: at_exhaustion?, period })
}
