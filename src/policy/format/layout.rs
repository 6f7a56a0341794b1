//! Line ends, blanks, and the order of the keys of a policy.

use std::ops::Range;

use crate::yaml::Node;

/// The keys of a policy in the order in which they are written: who and when, why, for whom, what, how.
const KEYS: [&str; 23] = [
    "code",
    "version",
    "name",
    "authority",
    "covers",
    "subject",
    "in_force",
    "announced",
    "basis",
    "reading",
    "listed",
    "criteria",
    "occasion",
    "each",
    "benefit",
    "cap",
    "budget",
    "delivery",
    "commit",
    "requires",
    "excludes",
    "guide",
    "tags",
];

/// The text with line ends of one kind, and one behind the last line.
pub(super) fn line_ends(root: &Node) -> String {
    let text = root.file.text.replace("\r\n", "\n").replace('\r', "\n");
    if text.ends_with('\n') { text } else { text + "\n" }
}

/// The text with the top-level keys in order; comments go with the key that they stand right above. As it is where keys
/// do not stand at the beginnings of lines.
pub(super) fn keys_in_order(root: &Node) -> String {
    let text = &root.file.text;
    let entries = root.mapping().unwrap_or_default();
    let starts: Vec<usize> = entries.iter().map(|(key, _)| key.range.start).collect();
    let at_line_start = |start: &usize| *start == 0 || text.as_bytes()[*start - 1] == b'\n';
    if starts.is_empty() || !starts.iter().all(at_line_start) || !text.ends_with('\n') {
        return text.clone();
    }
    let starts: Vec<usize> = starts.into_iter().map(|start| with_comments(text, start)).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    let mut chunks: Vec<(usize, &str)> = starts
        .iter()
        .zip(ends)
        .zip(entries)
        .map(|((start, end), (key, _))| {
            let place = KEYS.iter().position(|name| key.text() == Some(name)).unwrap_or(KEYS.len());
            (place, &text[*start..end])
        })
        .collect();
    // Stable: keys that are not known keep their order behind the others.
    chunks.sort_by_key(|(place, _)| *place);
    let before = &text[..starts[0]];
    std::iter::once(before).chain(chunks.into_iter().map(|(_, chunk)| chunk)).collect()
}

/// The start of the comment lines that stand right above a key, else of the key; what opens the file is about the file.
fn with_comments(text: &str, key: usize) -> usize {
    let mut start = key;
    while let Some(above) = text[..start].strip_suffix('\n') {
        let line = above.rfind('\n').map_or(0, |at| at + 1);
        if !above[line..].starts_with('#') {
            break;
        }
        start = line;
    }
    if start == 0 { key } else { start }
}

/// The text without blanks at the ends of lines, with one empty line where there were several, none at the top and at the
/// end. Texts over several lines stay as they are.
pub(super) fn blanks(root: &Node) -> String {
    let text = &root.file.text;
    let mut kept = Vec::new();
    several_lines(root, &mut kept);
    let mut tidy = String::with_capacity(text.len());
    let (mut start, mut empty) = (0, 0_usize);
    for line in text.split_inclusive('\n') {
        let body = line.trim_end_matches('\n');
        let range = start..start + body.len();
        start += line.len();
        if kept.iter().any(|kept| kept.start <= range.end && range.end < kept.end) {
            tidy.push_str(line);
            empty = 0;
            continue;
        }
        let body = body.trim_end();
        empty = if body.is_empty() { empty + 1 } else { 0 };
        if body.is_empty() && (empty > 1 || tidy.is_empty()) {
            continue;
        }
        tidy.push_str(body);
        tidy.push('\n');
    }
    while tidy.ends_with("\n\n") {
        tidy.pop();
    }
    tidy
}

/// The places of scalars that take several lines.
fn several_lines(node: &Node, found: &mut Vec<Range<usize>>) {
    if node.scalar().is_some() {
        if node.file.text[node.range.clone()].contains('\n') {
            found.push(node.range.clone());
        }
        return;
    }
    for (key, value) in node.mapping().unwrap_or_default() {
        several_lines(key, found);
        several_lines(value, found);
    }
    for item in node.sequence().unwrap_or_default() {
        several_lines(item, found);
    }
}
