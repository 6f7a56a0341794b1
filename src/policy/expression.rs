//! From a YAML scalar to a condition or an amount, every error at its very token.

use crate::criteria;
use crate::diagnostic::Diagnostic;
use crate::register::declaration::Written;
use crate::yaml::{Fields, Node, wrong_shape};

/// Reads an expression; none, with diagnostics, when its meaning is in doubt.
pub(super) fn written(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Written> {
    let Some(text) = node.text() else {
        diagnostics.push(wrong_shape(node, "一个表达式", "an expression"));
        return None;
    };
    let (expr, errors) = criteria::parse(text);
    let cut = !errors.is_empty() && cut_by_comma(node);
    for error in errors {
        let mut diagnostic = error.into_diagnostic(|range| node.place(range));
        if cut {
            diagnostic = diagnostic.help(
                "花括号里的逗号会截断表达式: 给整个表达式加引号",
                "inside { … } a comma ends the value: put the whole expression in quotes",
            );
        }
        diagnostics.push(diagnostic);
    }
    expr.map(|expr| Written { expr, node: node.clone() })
}

/// The expression under a key, if the key is there.
pub(super) fn optional_written(fields: &mut Fields<'_>, key: &'static str) -> Option<Written> {
    fields.optional(key).and_then(|node| written(node, fields.diagnostics()))
}

/// The expression under a key that must be there.
pub(super) fn required_written(fields: &mut Fields<'_>, key: &'static str) -> Option<Written> {
    fields.required(key).and_then(|node| written(node, fields.diagnostics()))
}

/// Whether an unquoted text is followed by a comma, as in `{when: min(a, b) > 1}`, with an open bracket before it.
fn cut_by_comma(node: &Node) -> bool {
    let Some(scalar) = node.scalar().filter(|scalar| scalar.plain) else { return false };
    let open = scalar.text.matches(['(', '（']).count() > scalar.text.matches([')', '）']).count();
    open && node.file.text.get(node.range.end..).is_some_and(|rest| rest.trim_start().starts_with(','))
}
