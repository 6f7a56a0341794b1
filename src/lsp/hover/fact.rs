//! What a fact is: type and unit, who keeps it, what absence means, how it comes about, how it is spread.

use super::{place, spread, titled};
use crate::check::catalogue::{Definition, FactId};
use crate::check::typing::Type;
use crate::criteria::print;
use crate::explain::value::with_unit;
use crate::lsp::desk::Desk;
use crate::register::declaration::FactDeclaration;

/// The most codes, facts or registers that are named in a line.
const MOST: usize = 12;

pub(super) fn fact(desk: &Desk<'_>, id: FactId) -> String {
    let catalogue = &desk.workspace.checked.catalogue;
    let fact = catalogue.fact(id);
    let mut lines = vec![titled(desk, &fact.label, &fact.name), String::new()];
    lines.push(format!("- {}: {}", desk.pick("类型", "type"), type_words(desk, &fact.ty, fact.unit.as_deref())));
    if let Some(codes) = fact.ty.codes.as_ref().filter(|codes| !codes.is_empty()) {
        let all: Vec<String> = codes.iter().take(MOST).map(|(code, label)| format!("`{code}` {}", desk.say(label))).collect();
        let more = if codes.len() > MOST { format!(" … ({})", codes.len()) } else { String::new() };
        lines.push(format!("- {}: {}{more}", desk.pick("代码", "codes"), all.join(desk.pick("、", ", "))));
    }
    let declaration = declaration(desk, id);
    match &fact.definition {
        Definition::Rows { register, agrees_with, .. } => {
            lines.extend(place::keeping(desk, register));
            if !agrees_with.is_empty() {
                let others: Vec<String> = agrees_with.iter().map(|(register, column)| format!("`{register}.{column}`")).collect();
                lines.push(format!("- {}: {}", desk.pick("须一致", "must agree with"), others.join(", ")));
            }
        }
        _ => {
            let registers = catalogue.registers_of(id);
            let all: Vec<String> = registers.iter().map(|register| place::short(desk, register)).collect();
            if !all.is_empty() {
                lines.push(format!("- {}: {}", desk.pick("登记库", "registers"), all.join(desk.pick("、", ", "))));
            }
        }
    }
    if let Some(declared) = declaration {
        let filter = declared.filter.as_ref().map(|filter| format!(" where {}", print(&filter.expr))).unwrap_or_default();
        let word = if declared.register.is_some() { desk.pick("由来", "from rows") } else { desk.pick("计算", "computed") };
        lines.push(format!("- {word}: `{}{filter}`", print(&declared.is.expr)));
    }
    if let Definition::Computed(_) = fact.definition {
        let inputs = catalogue.inputs(id);
        let all: Vec<String> = inputs
            .iter()
            .take(MOST)
            .map(|input| catalogue.fact(*input))
            .map(|input| format!("{} `{}`", desk.say(&input.label), input.name))
            .collect();
        if !all.is_empty() {
            lines.push(format!("- {}: {}", desk.pick("用到", "made of"), all.join(desk.pick("、", ", "))));
        }
    }
    let changeable = if fact.changeable { desk.pick("是", "yes") } else { desk.pick("否", "no") };
    lines.push(format!("- {}: {changeable}", desk.pick("本人可以改变", "the subject can change it")));
    lines.extend(spread::spread(desk, id));
    lines.join("\n")
}

/// The type of a value in words, with its unit.
pub(in crate::lsp) fn type_words(desk: &Desk<'_>, ty: &Type, unit: Option<&str>) -> String {
    let (zh, en) = ty.words();
    let unit = with_unit("", unit.filter(|unit| !unit.is_empty()));
    let unit = desk.say(&unit).trim();
    let word = desk.pick(zh, en);
    if unit.is_empty() { word.to_owned() } else { format!("{word} · {unit}") }
}

/// The declaration of a fact.
fn declaration<'d>(desk: &'d Desk<'_>, id: FactId) -> Option<&'d FactDeclaration> {
    let registers = &desk.workspace.registers;
    let name = &*desk.workspace.checked.catalogue.fact(id).name;
    let mut all = registers.registers.values().flat_map(|register| &register.facts).chain(&registers.computed);
    all.find(|fact| fact.subject == id.kind && fact.name == name)
}
