//! The text of a drafted policy, in the canonical format.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use super::draft::Draft;
use crate::diagnostic::{Diagnostic, Lang, Message, SourceFile};
use crate::policy;

/// The policy as a file that will stand at `path`.
///
/// # Errors
///
/// What is wrong with it: an answer that YAML cannot carry.
pub(super) fn policy_file(draft: &Draft, path: &Path) -> Result<Arc<SourceFile>, Vec<Diagnostic>> {
    let file = SourceFile::new(path, text(draft));
    let formatted = policy::format(&file, Lang::En)?;
    Ok(SourceFile::new(path, formatted.text))
}

fn text(draft: &Draft) -> String {
    let mut text = String::new();
    let Draft { code, name, authority, region, subject, in_force, .. } = draft;
    let line = |text: &mut String, line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    line(&mut text, &format!("code: {}", scalar(code, false)));
    line(&mut text, &format!("name: {}", both(name)));
    line(&mut text, &format!("authority: {{code: {}, name: {}}}", scalar(&authority.0, true), scalar(&authority.1, true)));
    let by = draft.by.as_ref().map_or_else(String::new, |by| format!(", by: {}", scalar(by, true)));
    line(&mut text, &format!("covers: {{region: {}{by}}}", scalar(region, true)));
    line(&mut text, &format!("subject: {}", subject.name()));
    line(&mut text, &format!("in_force: {{from: {in_force}}}"));
    text.push_str("basis:\n  - id: basis\n");
    let _ = writeln!(text, "    title: {}", scalar(&draft.basis_title, false));
    for (key, value) in [("number", &draft.basis_number), ("article", &draft.basis_article)] {
        if let Some(value) = value {
            let _ = writeln!(text, "    {key}: {}", scalar(value, false));
        }
    }
    let _ = writeln!(text, "    status: {}", draft.basis_status);
    listed(draft, &mut text);
    criteria(draft, &mut text);
    benefit(draft, &mut text);
    let _ = writeln!(text, "delivery: {{mode: {}}}", draft.mode);
    text
}

fn listed(draft: &Draft, text: &mut String) {
    let Some(list) = &draft.listed else { return };
    text.push_str("# 名单代表的条件 (docs/library.md): clause 是列入名单的条文, standing 是在世或存续的条文。\n");
    let _ = writeln!(text, "listed:\n  list: {}\n  basis: basis", scalar(list, false));
    for (key, clause) in ["clause", "standing", "credit"].into_iter().zip(&draft.clauses) {
        let _ = writeln!(text, "  {key}: {}", scalar(clause, false));
    }
}

fn criteria(draft: &Draft, text: &mut String) {
    if draft.conditions.is_empty() {
        return;
    }
    text.push_str("# 每一条文写一个条件: clause 用条文原话, when 见 docs/language.md; 一条可以有两种理解的, 在 reading 里写明取哪一种。\n");
    text.push_str("criteria:\n  all:\n");
    for (at, condition) in draft.conditions.iter().enumerate() {
        let _ = writeln!(text, "    - id: condition-{}", at + 1);
        if let Some(clause) = &condition.clause {
            let _ = writeln!(text, "      clause: {}", scalar(clause, false));
        }
        let _ = writeln!(text, "      basis: basis\n      when: {}", scalar(&condition.when, false));
    }
}

fn benefit(draft: &Draft, text: &mut String) {
    let _ = writeln!(text, "benefit:\n  kind: {}", draft.kind);
    if let Some(amount) = &draft.amount {
        let _ = writeln!(text, "  amount: {}", scalar(amount, false));
    }
    if let Some(period) = &draft.period {
        let _ = writeln!(text, "  period: {period}");
    }
    if let Some(clause) = &draft.amount_clause {
        let _ = writeln!(text, "  clause: {}", scalar(clause, false));
    }
    if draft.amount.is_some() {
        text.push_str("  basis: basis\n");
    }
}

fn both(name: &Message) -> String {
    if name.zh == name.en { scalar(&name.zh, false) } else { format!("{{zh: {}, en: {}}}", scalar(&name.zh, true), scalar(&name.en, true)) }
}

/// A text as a scalar, quoted where it could be read as something else; `flow`: inside brackets.
fn scalar(text: &str, flow: bool) -> String {
    let starts = text.starts_with(['-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`', ' ']);
    let breaks = text.contains(": ") || text.contains(" #") || text.contains('\n') || text.ends_with([':', ' ']) || text.is_empty();
    let in_flow = flow && text.contains([',', '[', ']', '{', '}']);
    let is_other = text.parse::<f64>().is_ok() && flow || matches!(text, "~" | "null" | "true" | "false" | "yes" | "no");
    if starts || breaks || in_flow || is_other {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    //! Texts that YAML could take for something else.

    use super::scalar;
    use crate::diagnostic::SourceFile;
    use crate::yaml;

    #[test]
    fn a_scalar_is_read_as_it_was_given() {
        for text in
            ["990100", "a: b", "# x", "- x", "", "yes", "say \"x\" \\ y", "甲, 乙", "[甲]", "{a}", "两行\n文字", "param('x') > 3 # y", "x:"]
        {
            for flow in [false, true] {
                let whole = if flow { format!("{{k: {}}}\n", scalar(text, true)) } else { format!("k: {}\n", scalar(text, false)) };
                let (node, told) = yaml::parse(&SourceFile::new("t.yaml", whole.as_str()));
                assert!(told.is_empty(), "{whole}");
                let node = node.expect("a tree");
                assert_eq!(node.mapping().expect("a mapping")[0].1.text(), Some(text), "{whole}");
            }
        }
    }
}
