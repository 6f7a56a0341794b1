//! `fmt` on the document that is open, as edits of the lines that change.

use gen_lsp_types::TextEdit;
use similar::{DiffTag, TextDiff};

use super::desk::Desk;
use crate::diagnostic::{Lang, SourceFile};
use crate::policy;

/// The edits that put a document into the canonical format; none where it is no YAML, or no part of a policies folder.
pub(super) fn format(desk: &Desk<'_>) -> Option<Vec<TextEdit>> {
    desk.file.as_ref()?;
    let file = SourceFile::new(desk.path, &*desk.text);
    // As `fmt` writes it unless it is told otherwise.
    let formatted = policy::format(&file, Lang::En).ok()?;
    let (before, after) = (&*desk.text, formatted.text.as_str());
    let diff = TextDiff::from_lines(before, after);
    let starts = |text: &str| -> Vec<usize> {
        let mut at = 0;
        let ends = text.split_inclusive('\n').map(|line| {
            at += line.len();
            at
        });
        std::iter::once(0).chain(ends).collect()
    };
    let (old, new) = (starts(before), starts(after));
    let lines = desk.lines();
    let changed = diff.ops().iter().filter(|op| op.tag() != DiffTag::Equal);
    let edit = |op: &similar::DiffOp| {
        let (from, to) = (op.old_range(), op.new_range());
        TextEdit { range: lines.range(&(old[from.start]..old[from.end])), new_text: after[new[to.start]..new[to.end]].to_owned() }
    };
    Some(changed.map(edit).collect())
}
