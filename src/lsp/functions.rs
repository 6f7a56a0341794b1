//! Functions and aggregates as people read of them: how they are written and what they give.

use crate::criteria::words;
use crate::diagnostic::Lang;

/// The tables of functions and aggregates: the page of the language, and the same in Chinese.
const PAGES: [&str; 2] = [include_str!("../../docs/language.md"), include_str!("../report/site/functions.zh.md")];

/// A function for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Function {
    /// The English word.
    pub(super) name: &'static str,
    /// The Chinese word.
    pub(super) chinese: &'static str,
    /// How it is written, with its arguments.
    pub(super) forms: Vec<&'static str>,
    /// What it gives.
    pub(super) text: String,
}

/// A function by its English name.
pub(super) fn function(name: &str, lang: Lang) -> Option<Function> {
    let (name, chinese) = words::FUNCTIONS.iter().find(|(english, _)| *english == name)?;
    let page = PAGES[usize::from(lang == Lang::Zh)];
    let (mut forms, mut texts, mut head) = (Vec::new(), Vec::new(), "");
    for line in page.lines() {
        let Some(cells) = cells(line) else { continue };
        let found = forms_of(name, cells[0]);
        if found.is_empty() {
            // What a column tells stands at its head; a value needs no word.
            head = if cells[0].starts_with('`') || cells[0].starts_with('-') { head } else { cells[2] };
            continue;
        }
        forms.extend(found);
        let is_value = ["value", "值"].contains(&head);
        texts.push(if is_value { cells[2].to_owned() } else { format!("{head}: {}", cells[2]) });
    }
    Some(Function { name, chinese, forms, text: texts.join("; ") })
}

/// The cells of a row of three.
fn cells(line: &'static str) -> Option<[&'static str; 3]> {
    let inside = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    let cells: Vec<&str> = inside.split('|').map(str::trim).collect();
    cells.try_into().ok()
}

/// How a function is written, of all the forms in a cell.
fn forms_of(name: &str, cell: &'static str) -> Vec<&'static str> {
    let calls = |form: &&str| {
        let form = form.trim_start_matches("x in ");
        form.strip_prefix(name).is_some_and(|rest| rest.starts_with('('))
    };
    cell.split('`').filter(calls).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_its_forms_and_both_texts() {
        for (name, _) in words::FUNCTIONS {
            for lang in [Lang::Zh, Lang::En] {
                let found = function(name, lang).expect("it is in the table of words");
                assert!(!found.forms.is_empty() && !found.text.is_empty(), "{found:?}");
            }
        }
        let age = function("age_at", Lang::En).expect("a function");
        assert_eq!(age.forms, ["age_at(day)", "age_at(birth, day)"]);
        assert!(age.text.starts_with("whole years of age"));
        assert_eq!(function("region", Lang::En).expect("a function").forms, ["x in region('990100')"]);
        let least = function("min", Lang::En).expect("a function");
        assert_eq!((least.forms, least.text.as_str()), (vec!["min(a, b, …)", "min(x)"], "of numbers or of dates; over no rows: unknown"));
        assert_eq!(function("count", Lang::Zh).expect("a function").text, "没有行时: 0");
        assert_eq!(function("nothing", Lang::En), None);
    }
}
