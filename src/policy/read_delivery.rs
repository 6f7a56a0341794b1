//! How a policy reaches people, and how it stands to other policies.

use super::document::{Delivery, Exclusion, Keep, Mode, NoReply};
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::{Fields, Node, wrong_shape};

pub(super) const MODES: [(&str, Mode); 4] =
    [("automatic", Mode::Automatic), ("confirm", Mode::Confirm), ("commit", Mode::Commit), ("review", Mode::Review)];
pub(super) const NO_REPLY: [(&str, NoReply); 3] = [("give", NoReply::Give), ("review", NoReply::Review), ("close", NoReply::Close)];
pub(super) const KEEPS: [(&str, Keep); 3] = [("highest", Keep::Highest), ("this", Keep::This), ("other", Keep::Other)];

/// Reads `delivery`.
pub(super) fn read_delivery(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Delivery> {
    let mut fields = Fields::new(node, diagnostics)?;
    fields.required("mode");
    let mode = fields.choice("mode", &MODES);
    let notice_days = whole_days(&mut fields, "notice_days");
    let pay_within_days = whole_days(&mut fields, "pay_within_days");
    let second_review = fields.boolean("second_review").unwrap_or(false);
    let reply_within_days = whole_days(&mut fields, "reply_within_days");
    let no_reply = fields.choice("no_reply", &NO_REPLY);
    if no_reply.is_some() && reply_within_days.is_none() {
        fields.report(wrong_shape(node, "有 no_reply 就要有 reply_within_days", "`no_reply` needs `reply_within_days` beside it"));
    }
    fields.finish();
    Some(Delivery { mode: mode?, notice_days, pay_within_days, second_review, reply_within_days, no_reply })
}

fn whole_days(fields: &mut Fields<'_>, key: &'static str) -> Option<i64> {
    let node = fields.optional(key)?;
    let days = node.text().and_then(|text| text.parse().ok()).filter(|days| *days >= 0);
    if days.is_none() {
        fields.report(wrong_shape(node, "天数, 0 以上的整数", "a number of days, whole and not negative"));
    }
    days
}

/// Reads the policies under `requires`: codes, or `{policy: code}`.
pub(super) fn read_requires(items: &[Node], diagnostics: &mut Vec<Diagnostic>) -> Vec<(String, Span)> {
    let code = |item: &Node, diagnostics: &mut Vec<Diagnostic>| {
        if let Some(code) = item.text() {
            return Some((code.to_owned(), item.span()));
        }
        let mut fields = Fields::new(item, diagnostics)?;
        let code = policy_code(&mut fields);
        fields.finish();
        code
    };
    items.iter().filter_map(|item| code(item, diagnostics)).collect()
}

/// Reads the policies under `excludes`: codes, or `{policy: code, keep: highest}`.
pub(super) fn read_excludes(items: &[Node], diagnostics: &mut Vec<Diagnostic>) -> Vec<Exclusion> {
    let exclusion = |item: &Node, diagnostics: &mut Vec<Diagnostic>| {
        if let Some(code) = item.text() {
            return Some(Exclusion { policy: code.to_owned(), place: item.span(), keep: Keep::Highest });
        }
        let mut fields = Fields::new(item, diagnostics)?;
        let code = policy_code(&mut fields);
        let keep = fields.choice("keep", &KEEPS).unwrap_or(Keep::Highest);
        fields.finish();
        let (policy, place) = code?;
        Some(Exclusion { policy, place, keep })
    };
    items.iter().filter_map(|item| exclusion(item, diagnostics)).collect()
}

/// The code under `policy`, with its place.
pub(super) fn policy_code(fields: &mut Fields<'_>) -> Option<(String, Span)> {
    let node = fields.required("policy")?;
    if node.text().is_none() {
        fields.report(wrong_shape(node, "一个政策编码", "the code of a policy"));
    }
    node.text().map(|code| (code.to_owned(), node.span()))
}
