//! Which facts a policy reads, from which register each comes, and what it is needed for.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::frame::chinese;
use super::{Item, Site};
use crate::check::CheckedPolicy;
use crate::check::catalogue::FactId;
use crate::check::ir::Expr;

/// What a policy needs a fact for.
#[derive(Default)]
struct Needs {
    facts: Vec<FactId>,
    /// By place in `facts`: what for, and whether those are the words of a clause.
    why: Vec<Vec<(String, bool)>>,
}

impl Needs {
    fn add(&mut self, policy: &CheckedPolicy, expr: Option<&Expr>, why: &str, is_clause: bool) {
        let Some(expr) = expr else { return };
        expr.for_each_fact(&mut |index| {
            let id = FactId { kind: policy.document.subject, index };
            let at = self.facts.iter().position(|known| *known == id).unwrap_or_else(|| {
                self.facts.push(id);
                self.why.push(Vec::new());
                self.facts.len() - 1
            });
            if !self.why[at].iter().any(|(known, _)| known == why) {
                self.why[at].push((why.to_owned(), is_clause));
            }
        });
    }
}

fn needs(site: &Site<'_>, policy: &CheckedPolicy) -> Needs {
    let document = &policy.document;
    let mut needs = Needs::default();
    needs.add(policy, Some(&policy.coverage), site.pick("是否在政策地区", "whether the policy covers one"), false);
    for (criterion, (_, expr)) in document.criteria.criteria().iter().zip(policy.leaves.iter()) {
        needs.add(policy, Some(expr), criterion.clause.as_deref().unwrap_or(&criterion.id), criterion.clause.is_some());
    }
    needs.add(policy, policy.amount.as_ref(), site.pick("金额", "the amount"), false);
    needs.add(policy, policy.cap.as_ref(), site.pick("封顶", "the cap"), false);
    needs.add(policy, policy.rank.as_ref(), site.pick("资金不足时排序", "the order when money runs out"), false);
    needs.add(policy, policy.occasion.as_ref(), site.pick("事由", "the occasion"), false);
    needs
}

/// The registers that a policy reads.
pub(super) fn registers_of(site: &Site<'_>, policy: &CheckedPolicy) -> BTreeSet<String> {
    let catalogue = &site.source.checked.catalogue;
    let mut found: BTreeSet<String> = needs(site, policy).facts.iter().flat_map(|id| catalogue.registers_of(*id)).collect();
    found.extend(policy.each.iter().map(|each| each.register.clone()));
    found
}

/// The table of facts.
pub(super) fn reads(site: &Site<'_>, item: &Item<'_>) -> Markup {
    let Some(policy) = item.checked else { return html! {} };
    let catalogue = &site.source.checked.catalogue;
    let needs = needs(site, policy);
    html! {
        p { (site.pick("只读取下列情况, 每一项都有用处。", "Only these are read, each for a reason.")) }
        div.wide.long { table {
            thead { tr {
                th scope="col" { (site.pick("事实", "fact")) } th scope="col" { (site.pick("来自", "from")) } th scope="col" { (site.pick("用于", "needed for")) }
            } }
            tbody {
                @for (id, why) in needs.facts.iter().copied().zip(&needs.why) {
                    tr {
                        td { (fact(site, id)) }
                        td { (registers(site, &catalogue.registers_of(id))) }
                        td { @for (at, (why, is_clause)) in why.iter().enumerate() { @if at > 0 { br; } @if *is_clause { (chinese(site, why)) } @else { (why) } } }
                    }
                }
                @if let Some(each) = &policy.each {
                    tr {
                        td { (site.pick("逐条记录", "each row")) }
                        td { (registers(site, std::slice::from_ref(&each.register))) }
                        td { (site.pick("每一份待遇的事由", "the occasion of each grant")) }
                    }
                }
            }
        } }
    }
}

/// A fact by its label, with a link where the catalogue has it.
fn fact(site: &Site<'_>, id: FactId) -> Markup {
    let fact = site.source.checked.catalogue.fact(id);
    let anchor = format!("{}-{}", id.kind.name(), fact.name);
    let label = site.say(&crate::explain::label_of(&site.source.checked.catalogue, id)).to_owned();
    html! {
        @if site.facts.contains(&anchor) { a href=(format!("../facts.html#{anchor}")) { (label) } } @else { (label) }
        @if label != *fact.name { " " code { (fact.name) } }
    }
}

/// Registers with links, and who keeps each.
fn registers(site: &Site<'_>, names: &[String]) -> Markup {
    html! { @for (at, name) in names.iter().enumerate() {
        @if at > 0 { br; }
        @match site.source.registers.registers.get(name) {
            Some(register) => { a href=(format!("../registers.html#{name}")) { (site.say(&register.label)) } " " span.soft { (chinese(site, &register.kept_by)) } },
            None => (name),
        }
    } }
}
