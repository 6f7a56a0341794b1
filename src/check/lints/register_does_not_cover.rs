//! `register-does-not-cover`: a fact whose register does not cover counties of the policy's region.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use super::scene::Scene;
use crate::check::catalogue::FactId;
use crate::check::ir::{Expr, Kind};
use crate::diagnostic::{Diagnostic, code};
use crate::policy::document::PolicyDocument;

/// Tells each register once, at the first fact that rests on it.
pub(super) fn check(scene: &Scene<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let catalogue = &scene.around.shared.folder.checked.catalogue;
    let mut told = BTreeSet::new();
    for place in scene.places() {
        let mut facts = Vec::new();
        facts_of(place.expr, &mut facts);
        for at in facts {
            let Kind::Fact(index) = at.kind else { continue };
            let id = FactId { kind: scene.document.subject, index };
            for register in scene.around.shared.registers_of(id).iter() {
                let missing = scene.around.shared.uncovered(register, scene.document);
                if missing.is_empty() || !told.insert(register.clone()) {
                    continue;
                }
                let fact = &catalogue.fact(id).name;
                let mut diagnostic = tell(scene, register, fact, &missing).at(place.span(at));
                if let Some(declared) = catalogue.registers.registers.get(register) {
                    diagnostic = diagnostic.also(declared.place.clone(), "登记库的覆盖范围在这里", "the register says here what it covers");
                }
                diagnostic.clause.clone_from(&place.clause);
                diagnostics.push(diagnostic);
            }
        }
    }
}

fn tell(scene: &Scene<'_>, register: &str, fact: &str, missing: &[String]) -> Diagnostic {
    let regions = scene.around.shared.folder.regions;
    let named = |code: &String| match regions.name(code) {
        Some(name) => (format!("{} {code}", name.zh), format!("{} {code}", name.en)),
        None => (code.clone(), code.clone()),
    };
    let (zh, en): (Vec<String>, Vec<String>) = missing.iter().take(3).map(named).unzip();
    let more = match missing.len().checked_sub(3) {
        Some(more) if more > 0 => (format!(" 等 {} 个", missing.len()), format!(" and {more} more")),
        _ => Default::default(),
    };
    Diagnostic::new(
        &code::REGISTER_DOES_NOT_COVER,
        format!("“{fact}”来自 {register}, 它不覆盖 {}{}", zh.join(", "), more.0),
        format!("`{fact}` comes from {register}, which does not cover {}{}", en.join(", "), more.1),
    )
    .help(
        "那里的人这个事实是未知, 谁也找不出来: 扩大登记库的覆盖, 或缩小政策的地区",
        "there the fact is unknown and nobody is found: widen the register's coverage, or narrow the policy's region",
    )
}

fn facts_of<'e>(expr: &'e Expr, found: &mut Vec<&'e Expr>) {
    if matches!(expr.kind, Kind::Fact(_)) {
        found.push(expr);
    }
    for child in expr.children() {
        facts_of(child, found);
    }
}

impl super::scene::Shared<'_> {
    /// The counties of a policy's region that a register does not cover.
    pub(super) fn uncovered(&self, register: &str, document: &PolicyDocument) -> Arc<Vec<String>> {
        let key = (register.to_owned(), document.covers.region.clone(), document.in_force_from);
        let mut kept = self.uncovered.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kept.entry(key).or_insert_with(|| Arc::new(self.work_out_uncovered(register, document))))
    }

    /// The registers that a fact rests on.
    pub(super) fn registers_of(&self, id: FactId) -> Arc<Vec<String>> {
        let mut kept = self.registers.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kept.entry(id).or_insert_with(|| Arc::new(self.folder.checked.catalogue.registers_of(id))))
    }

    fn work_out_uncovered(&self, register: &str, document: &PolicyDocument) -> Vec<String> {
        let Some(declared) = self.folder.checked.catalogue.registers.registers.get(register) else { return Vec::new() };
        declared.uncovered(self.folder.regions, &document.covers.region, document.in_force_from)
    }
}

#[cfg(test)]
mod tests {
    use crate::check::lints::testing::{check_told, policy, told};

    const PAPERS: &str = r#"
register: papers
label: 证照库
kept_by: 证照局
subject: person
key: person_id
row_is: one paper
time: {state: true}
absence: complete
coverage: {regions: ["990200"]}
unique: [person_id]
columns:
  - {name: person_id, type: person_id, required: true, label: 身份号码}
  - {name: card, type: bool, label: 持证}
facts:
  - {name: has_card, label: 持证, type: bool, is: card, changeable: no}
"#;

    #[test]
    fn told_at_the_fact() {
        let text = policy("条件", "disabled and has_card", "100");
        check_told(&told(&[&text], &[("registers/papers.yaml", PAPERS)]), &[("register-does-not-cover", "has_card")]);
        let wider = PAPERS.replace("990200", "990000");
        check_told(&told(&[&text], &[("registers/papers.yaml", &wider)]), &[]);
        let county = policy("条件", "disabled", "100");
        check_told(&told(&[&county], &[("registers/papers.yaml", PAPERS)]), &[]);
    }
}
