//! `material-on-record`: the guide asks people for what a register tells of everybody.

use super::scene::Scene;
use crate::check::catalogue::FactId;
use crate::diagnostic::{Diagnostic, code};
use crate::policy::guide::Guide;
use crate::register::declaration::{Absence, RegisterDeclaration};

/// Tells each material once, beside the first fact of it that complete registers tell everywhere in the policy's region.
pub(super) fn check(scene: &Scene<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let shared = scene.around.shared;
    let catalogue = &shared.folder.checked.catalogue;
    for material in scene.document.guide.iter().flat_map(Guide::needed) {
        let told = material.tells.iter().find_map(|(fact, place)| {
            let index = catalogue.find(scene.document.subject, fact)?.index;
            let registers = shared.registers_of(FactId { kind: scene.document.subject, index });
            let declared: Option<Vec<&RegisterDeclaration>> =
                registers.iter().map(|register| catalogue.registers.registers.get(register)).collect();
            let declared = declared.filter(|declared| !declared.is_empty())?;
            let is_everywhere = |register: &&RegisterDeclaration| {
                register.absence == Absence::Complete && shared.uncovered(&register.name, scene.document).is_empty()
            };
            declared.iter().all(is_everywhere).then_some((fact, place, declared))
        });
        let Some((fact, place, registers)) = told else { continue };
        let labels: Vec<(&str, &str)> = registers.iter().map(|register| (register.label.zh.as_str(), register.label.en.as_str())).collect();
        let (zh, en): (Vec<&str>, Vec<&str>) = labels.into_iter().unzip();
        let (name, zh, en) = (&material.name, zh.join("、"), en.join(", "));
        diagnostics.push(
            Diagnostic::new(
                &code::MATERIAL_ON_RECORD,
                format!("“{fact}”在{zh}里有, 不应再要“{}”", name.zh),
                format!("`{fact}` is on record ({en}): “{}” need not be asked for", name.en),
            )
            .at(place.clone())
            .also(material.place.clone(), "材料在这里", "the material is here")
            .help(
                "能通过共享获取的不得要求提供: 去掉这项材料; 登记库其实不全的, 把它的 absence 写成 partial",
                "what can be had by sharing may not be asked for: take the material out; where the register is not whole, say `absence: partial` there",
            ),
        );
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
coverage: {regions: ["990000"]}
unique: [person_id]
columns:
  - {name: person_id, type: person_id, required: true, label: 身份号码}
  - {name: card, type: bool, label: 持证}
facts:
  - {name: has_card, label: 持证, type: bool, is: card, changeable: no}
"#;

    #[test]
    fn told_at_the_fact() {
        let guide = "guide: {materials: [{name: 证件, why: 无, tells: [has_card]}]}\n";
        let text = policy("条件", "disabled and has_card", "100") + guide;
        check_told(&told(&[&text], &[("registers/papers.yaml", PAPERS)]), &[("material-on-record", "has_card")]);
        let partial = PAPERS.replace("absence: complete", "absence: partial");
        check_told(&told(&[&text], &[("registers/papers.yaml", &partial)]), &[]);
        let silent = text.replace(", tells: [has_card]", "");
        check_told(&told(&[&silent], &[("registers/papers.yaml", PAPERS)]), &[]);
    }
}
