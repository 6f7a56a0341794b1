//! Changes of files that mend a finding and change no meaning.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{Code, Diagnostic, Message, SourceFile, Span, code, nearest};

/// A change that mends a finding.
#[derive(Debug, Clone)]
pub struct Fix {
    /// What it does.
    pub message: Message,
    /// The place that is replaced.
    pub span: Span,
    /// What stands there then.
    pub text: String,
}

/// Findings whose misspelt name may be replaced by the one that is near. Codes of policies and regions are not among
/// them: the next number is near, and another thing.
const NAMES: [&Code; 8] = [
    &code::UNKNOWN_FACT,
    &code::UNKNOWN_FUNCTION,
    &code::UNKNOWN_PARAMETER,
    &code::UNKNOWN_KEY,
    &code::UNKNOWN_BASIS,
    &code::UNKNOWN_REGISTER,
    &code::UNKNOWN_CODE_VALUE,
    &code::WRONG_SHAPE,
];

impl Diagnostic {
    /// The same with the fix that puts `near` in place of a misspelt name, where it is the only one near.
    #[must_use]
    pub(super) fn fix_name<'a>(mut self, given: &str, near: &str, candidates: impl Iterator<Item = &'a str>) -> Self {
        let mut others = candidates.filter(|other| *other != near);
        let is_only = nearest(given, others.by_ref()).is_none();
        let Some(place) = &self.primary else { return self };
        let at = place.text().find(given);
        let lengths = given.chars().count() >= 3 && !given.chars().any(|sign| sign.is_ascii_digit());
        if let (true, true, true, Some(at)) = (is_only, lengths, NAMES.contains(&self.code), at) {
            let start = place.range.start + at;
            let span = Span::new(&place.file, start..start + given.len());
            let message = Message::new(format!("“{given}”改为“{near}”"), format!("`{given}` becomes `{near}`"));
            self.fix = Some(Fix { message, span, text: near.to_owned() });
        }
        self
    }

    /// The same with the fix that writes full-width signs and digits as plain ones, where the place has such.
    #[must_use]
    pub fn fix_width(mut self) -> Self {
        let is_value = [&code::WRONG_SHAPE, &code::UNKNOWN_REGION, &code::UNKNOWN_POLICY].contains(&self.code);
        if let (None, true, Some(place)) = (&self.fix, is_value, &self.primary) {
            let given = place.text();
            let plain: String = given.chars().map(half_width).collect();
            if plain != given && plain.is_ascii() {
                let message = Message::new(format!("“{given}”改为半角“{plain}”"), format!("`{given}` becomes `{plain}`"));
                self.fix = Some(Fix { message, span: place.clone(), text: plain });
            }
        }
        self
    }
}

fn half_width(sign: char) -> char {
    match sign {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(sign) - 0xfee0).unwrap_or(sign),
        '\u{3000}' => ' ',
        '。' => '.',
        '—' | '–' => '-',
        _ => sign,
    }
}

/// A file with its new text.
#[derive(Debug, Clone)]
pub struct Rewritten {
    /// The file as it was read.
    pub file: Arc<SourceFile>,
    /// Its new text.
    pub text: String,
    /// What was changed, in the order of the file.
    pub changes: Vec<Message>,
}

/// The files that the fixes of some findings change; of two fixes of one place the first counts.
#[must_use]
pub fn rewrite(diagnostics: &[Diagnostic]) -> Vec<Rewritten> {
    let mut files: BTreeMap<PathBuf, Vec<&Fix>> = BTreeMap::new();
    for fix in diagnostics.iter().filter_map(|diagnostic| diagnostic.fix.as_ref()) {
        files.entry(fix.span.path().to_owned()).or_default().push(fix);
    }
    let rewritten = files.into_values().filter_map(|mut fixes| {
        fixes.sort_by_key(|fix| (fix.span.range.start, fix.span.range.end));
        let file = Arc::clone(&fixes.first()?.span.file);
        let (mut text, mut at, mut changes) = (String::with_capacity(file.text.len()), 0, Vec::new());
        for fix in fixes {
            // Places of another reading of the file say nothing of this one.
            let Some(between) = file.text.get(at..fix.span.range.start).filter(|_| fix.span.file.text == file.text) else { continue };
            text.push_str(between);
            text.push_str(&fix.text);
            at = fix.span.range.end;
            changes.push(fix.message.clone());
        }
        text.push_str(file.text.get(at..)?);
        Some(Rewritten { file, text, changes })
    });
    rewritten.collect()
}

impl Rewritten {
    /// The changed lines as a unified diff without lines around them. No fix adds or takes away a line.
    #[must_use]
    pub fn diff(&self) -> String {
        let path = self.file.path.display();
        let mut text = format!("--- {path}\n+++ {path}\n");
        for (number, (before, after)) in self.file.text.lines().zip(self.text.lines()).enumerate() {
            if before != after {
                let line = number + 1;
                text.push_str(&format!("@@ -{line} +{line} @@\n-{before}\n+{after}\n"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &Arc<SourceFile>, word: &str) -> Span {
        let start = file.text.find(word).expect("the word is there");
        Span::new(file, start..start + word.len())
    }

    #[test]
    fn a_name_with_one_near_candidate_is_replaced() {
        let file = SourceFile::new("policy.yaml", "when: deceasd # 注释\nunit: x\n");
        let told = |names: &[&'static str]| {
            Diagnostic::new(&code::UNKNOWN_FACT, "", "").at(place(&file, "deceasd")).did_you_mean("deceasd", names.iter().copied())
        };
        let rewritten = rewrite(&[told(&["deceased", "income"])]);
        assert_eq!(rewritten[0].text, "when: deceased # 注释\nunit: x\n");
        assert_eq!(rewritten[0].diff(), "--- policy.yaml\n+++ policy.yaml\n@@ -1 +1 @@\n-when: deceasd # 注释\n+when: deceased # 注释\n");
        assert!(rewrite(&[told(&["deceased", "decease"])]).is_empty(), "two are near");
        let other = Diagnostic::new(&code::UNKNOWN_POLICY, "", "").at(place(&file, "deceasd")).did_you_mean("deceasd", ["deceased"]);
        assert!(rewrite(&[other]).is_empty(), "a code is not guessed");
    }

    #[test]
    fn full_width_values_become_plain() {
        let file = SourceFile::new("policy.yaml", "from: ２０２４－０１－０１\n");
        let told = Diagnostic::new(&code::WRONG_SHAPE, "", "").at(place(&file, "２０２４－０１－０１")).fix_width();
        assert_eq!(rewrite(&[told])[0].text, "from: 2024-01-01\n");
    }
}
