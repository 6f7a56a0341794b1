//! How grave each kind of finding is taken: by the command line, else by `check.yaml` of the folder, else by its code.

use std::collections::BTreeMap;
use std::path::Path;

use crate::diagnostic::{CODES, Code, Diagnostic, Severity, SourceFile, by_name, code};
use crate::yaml::{self, Texts, wrong_shape};

/// The file of a policies folder that says how grave findings are.
const FILE: &str = "check.yaml";

/// How a kind of finding is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// An error.
    Deny,
    /// A warning.
    Warn,
    /// Not told.
    Allow,
}

const LEVELS: [(&str, Level); 3] = [("deny", Level::Deny), ("warn", Level::Warn), ("allow", Level::Allow)];

/// How kinds of findings are taken, by the name of the code.
#[derive(Debug, Default)]
pub(super) struct Levels(BTreeMap<&'static str, Level>);

impl Levels {
    /// The levels of the folder's `check.yaml` with those of the command line over them, and what is wrong with either.
    pub(super) fn new(folder: &Path, texts: &Texts, given: [(&[String], Level); 3]) -> (Self, Vec<Diagnostic>) {
        let (mut levels, mut diagnostics) = Self::of_folder(folder, texts);
        for (names, level) in given {
            for name in names {
                match by_name(name) {
                    Some(code) => levels.set(code, level, &mut diagnostics, |told| told),
                    None => diagnostics.push(
                        Diagnostic::new(&code::BAD_ARGUMENT, format!("没有“{name}”这种诊断"), format!("there is no code `{name}`"))
                            .did_you_mean(name, CODES.iter().map(|code| code.name)),
                    ),
                }
            }
        }
        (levels, diagnostics)
    }

    fn of_folder(folder: &Path, texts: &Texts) -> (Self, Vec<Diagnostic>) {
        let (mut levels, mut diagnostics) = (Self::default(), Vec::new());
        let Ok(text) = texts.text(&folder.join(FILE)) else { return (levels, diagnostics) };
        let (root, told) = yaml::parse(&SourceFile::new(folder.join(FILE), text));
        diagnostics.extend(told);
        let Some(root) = root else { return (levels, diagnostics) };
        let Some(mut fields) = yaml::Fields::new(&root, &mut diagnostics) else { return (levels, diagnostics) };
        let severity = fields.required("severity");
        fields.finish();
        let mut told = Vec::new();
        for (key, value) in severity.and_then(yaml::Node::mapping).into_iter().flatten() {
            let name = key.text().unwrap_or_default();
            let level = LEVELS.iter().find(|(word, _)| value.text() == Some(word)).map(|(_, level)| *level);
            match (by_name(name), level) {
                (Some(code), Some(level)) => levels.set(code, level, &mut told, |fault| fault.at(key.span())),
                (Some(_), None) => told.push(wrong_shape(value, "deny、warn 或 allow", "deny, warn or allow")),
                (None, _) => told.push(
                    Diagnostic::new(&code::UNKNOWN_KEY, format!("没有“{name}”这种诊断"), format!("there is no code `{name}`"))
                        .at(key.span())
                        .did_you_mean(name, CODES.iter().map(|code| code.name)),
                ),
            }
        }
        diagnostics.append(&mut told);
        (levels, diagnostics)
    }

    fn set(&mut self, code: &'static Code, level: Level, told: &mut Vec<Diagnostic>, at: impl FnOnce(Diagnostic) -> Diagnostic) {
        if level == Level::Deny || may_be_lowered(code) {
            self.0.insert(code.name, level);
            return;
        }
        let name = code.name;
        told.push(at(Diagnostic::new(
            &code::BAD_ARGUMENT,
            format!("{name} 不能降级: 有这种错误的政策不能运行"),
            format!("{name} cannot be lowered: a policy with such a fault cannot be run"),
        )));
    }

    /// Findings with the severity that they are taken with; those allowed are left out.
    pub(super) fn apply(&self, diagnostics: &mut Vec<Diagnostic>) {
        diagnostics.retain_mut(|diagnostic| match self.0.get(diagnostic.code.name) {
            Some(Level::Allow) => false,
            Some(Level::Deny) => {
                diagnostic.severity = Severity::Error;
                true
            }
            Some(Level::Warn) => {
                diagnostic.severity = Severity::Warning;
                true
            }
            None => true,
        });
    }
}

/// Whether policies run in spite of such a finding: lints, and what is a warning anyway.
fn may_be_lowered(code: &Code) -> bool {
    code.number.starts_with("MS11") || code.severity != Severity::Error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn levels(text: &str, allow: &[&str], deny: &[&str]) -> (Vec<(&'static str, Severity)>, Vec<&'static str>) {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(FILE), text).expect("written");
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (allow, deny) = (owned(allow), owned(deny));
        let (levels, told) =
            Levels::new(folder.path(), &Texts::default(), [(&allow, Level::Allow), (&[], Level::Warn), (&deny, Level::Deny)]);
        let mut findings: Vec<Diagnostic> =
            [&code::NEVER_HOLDS, &code::ALWAYS_HOLDS, &code::UNKNOWN_FACT].map(|code| Diagnostic::new(code, "", "")).into();
        levels.apply(&mut findings);
        let findings = findings.iter().map(|one| (one.code.name, one.severity)).collect();
        (findings, told.iter().map(|one| one.code.name).collect())
    }

    #[test]
    fn the_command_line_is_over_the_file() {
        use Severity::{Error, Warning};
        let usual = vec![("never-holds", Error), ("always-holds", Warning), ("unknown-fact", Error)];
        assert_eq!(levels("severity: {}", &[], &[]), (usual.clone(), vec![]));
        let lowered = levels("severity: {never-holds: warn, MS1102: allow}", &[], &[]);
        assert_eq!(lowered, (vec![("never-holds", Warning), ("unknown-fact", Error)], vec![]));
        let (found, _) = levels("severity: {always-holds: allow}", &["never-holds"], &["always-holds"]);
        assert_eq!(found, [("always-holds", Error), ("unknown-fact", Error)]);
    }

    #[test]
    fn what_cannot_be_is_told() {
        let (_, told) = levels("severity: {unknown-fact: allow, nerver-holds: warn, always-holds: loud}", &["no-such"], &[]);
        assert_eq!(told, ["bad-argument", "unknown-key", "wrong-shape", "bad-argument"]);
    }
}
