//! Edited texts read and checked against the law in force: what changes, and what is wrong with it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;

use super::Bench;
use crate::check::catalogue::{Catalogue, Definition};
use crate::check::lints;
use crate::check::reach::{reads_parameter, stored_with};
use crate::check::{Checked, check_changed};
use crate::diagnostic::{Diagnostic, SourceFile, Span, code, has_errors};
use crate::policy::document::{Parameter, PolicyDocument};
use crate::policy::{content_hash, one_item_one_code, read_parameters, read_policy, unique_names};
use crate::region::RegionTree;
use crate::register::declaration::SubjectKind;
use crate::simulate::parameter::{SetValue, set_parameter};
use crate::simulate::{Law, changed_parameters};
use crate::yaml::{self, Node};

/// A file as it was edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The file that it stands for; one that is not there yet is a new one.
    pub path: PathBuf,
    /// The whole text.
    pub text: String,
}

/// What is tried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edit {
    /// Files of policies.
    pub policies: Vec<Text>,
    /// Files of parameters.
    pub parameters: Vec<Text>,
    /// Parameters that are set, as `--set` of `simulate` is written; on top of edited files.
    pub set: Vec<String>,
}

/// The law with an edit.
pub struct EditedLaw {
    pub(super) documents: Vec<Arc<PolicyDocument>>,
    pub(super) checked: Checked,
    pub(super) parameters: Vec<Parameter>,
}

/// An edit that was read and checked.
pub struct Edited {
    /// All policies and parameters, those edited in the place of those of before.
    pub law: EditedLaw,
    /// Codes of the policies that were edited, or that read a parameter that was.
    pub seeds: BTreeSet<String>,
    /// Parameters that were set.
    pub set: Vec<SetValue>,
    /// Warnings and lints.
    pub told: Vec<Diagnostic>,
}

impl EditedLaw {
    pub(super) fn law<'a>(&'a self, regions: &'a RegionTree, known_at: Option<NaiveDate>) -> Law<'a> {
        Law { documents: &self.documents, checked: &self.checked.policies, parameters: &self.parameters, regions, known_at }
    }
}

impl Edit {
    /// The first place in the edited policies that names something, as a whole word.
    pub(super) fn place(&self, name: &str) -> Option<Span> {
        let is_word = |sign: Option<char>| sign.is_some_and(|sign| sign.is_alphanumeric() || sign == '_');
        self.policies.iter().find_map(|text| {
            let text_of = text.text.as_str();
            let (at, _) = text_of.match_indices(name).find(|(at, _)| {
                let after = text_of[at + name.len()..].chars().next();
                !is_word(text_of[..*at].chars().next_back()) && !is_word(after)
            })?;
            Some(Span::new(&SourceFile::new(&text.path, text_of), at..at + name.len()))
        })
    }
}

impl Bench {
    /// Reads and checks an edit; nothing is judged.
    ///
    /// # Errors
    ///
    /// Every mistake of the edited texts, each at its place, and warnings beside them; or what the held dossiers cannot give.
    pub fn edited(&self, edit: &Edit) -> Result<Edited, Vec<Diagnostic>> {
        let mut told = Vec::new();
        let (parameters, set) = self.parameters_of(edit, &mut told);
        let (documents, mut seeds) = self.documents_of(edit, &mut told);
        if has_errors(&told) {
            return Err(told);
        }
        let changed = changed_parameters(&self.parameters, &parameters);
        let of_files: BTreeSet<&str> = parameters.iter().filter(|one| is_of(one, edit)).map(|one| one.name.as_str()).collect();
        let gone = self.parameters.iter().filter(|one| is_of(one, edit)).map(|one| one.name.as_str());
        let looked_at: BTreeSet<&str> = changed.iter().copied().chain(of_files).chain(gone).collect();
        self.held_still(&changed, &parameters)?;
        let catalogue = &self.checked.catalogue;
        let is_unchanged = |policy: &&crate::check::CheckedPolicy| {
            let stays = documents.iter().any(|document| Arc::ptr_eq(document, &policy.document));
            stays && (looked_at.is_empty() || !reads_parameter(policy, catalogue, &looked_at))
        };
        let unchanged = self.checked.policies.iter().filter(is_unchanged).cloned().collect();
        let (checked, more) = check_changed(catalogue.clone(), &documents, unchanged, &parameters, &self.regions);
        told.extend(more);
        if has_errors(&told) {
            return Err(told);
        }
        told.extend(self.lints(&documents, &checked, &parameters, &seeds));
        for policies in [&self.checked.policies, &checked.policies] {
            let reading = policies.iter().filter(|policy| !changed.is_empty() && reads_parameter(policy, &checked.catalogue, &changed));
            seeds.extend(reading.map(|policy| policy.document.code.clone()));
        }
        Ok(Edited { law: EditedLaw { documents, checked, parameters }, seeds, set, told })
    }

    /// The parameters with those of edited files, and those that are set.
    fn parameters_of(&self, edit: &Edit, told: &mut Vec<Diagnostic>) -> (Vec<Parameter>, Vec<SetValue>) {
        let mut parameters: Vec<Parameter> = self.parameters.iter().filter(|one| !is_of(one, edit)).cloned().collect();
        for text in &edit.parameters {
            if let Some(node) = parsed(text, told) {
                let (read, more) = read_parameters(&node);
                told.extend(more);
                parameters.extend(read);
            }
        }
        if !edit.parameters.is_empty() {
            parameters = unique_names(parameters, told);
        }
        let mut set = Vec::new();
        for setting in &edit.set {
            match set_parameter(&mut parameters, setting, self.as_of, &self.regions) {
                Ok(values) => set.extend(values),
                Err(more) => told.extend(more),
            }
        }
        (parameters, set)
    }

    /// The policies with those of edited files, and the codes that were written or were overwritten.
    fn documents_of(&self, edit: &Edit, told: &mut Vec<Diagnostic>) -> (Vec<Arc<PolicyDocument>>, BTreeSet<String>) {
        let mut documents = self.documents.clone();
        let mut seeds = BTreeSet::new();
        for text in &edit.policies {
            let Some(node) = parsed(text, told) else { continue };
            let (read, more) = read_policy(&node);
            let is_whole = !has_errors(&more);
            told.extend(more);
            let Some(document) = read else { continue };
            let is_same =
                |other: &Arc<PolicyDocument>| other.path == text.path || (other.code == document.code && other.version == document.version);
            let before: Vec<Arc<PolicyDocument>> = documents.extract_if(.., |other| is_same(other)).collect();
            seeds.extend(before.iter().map(|document| document.code.clone()));
            seeds.insert(document.code.clone());
            let has_cases = before.iter().any(|document| document.has_cases);
            let sha256 = content_hash(text.text.as_bytes());
            documents.push(Arc::new(PolicyDocument { sha256, has_cases, complete: document.complete && is_whole, ..document }));
        }
        documents.sort_by(|one, other| (&one.code, one.version, &one.path).cmp(&(&other.code, other.version, &other.path)));
        if !edit.policies.is_empty() {
            one_item_one_code(&documents, told);
        }
        (documents, seeds)
    }

    /// Refuses parameters that the held facts were made with.
    fn held_still(&self, changed: &BTreeSet<&str>, parameters: &[Parameter]) -> Result<(), Vec<Diagnostic>> {
        if changed.is_empty() {
            return Ok(());
        }
        let catalogue = &self.checked.catalogue;
        let all = SubjectKind::ALL
            .into_iter()
            .flat_map(|kind| (0..catalogue.facts(kind).len()).map(move |index| crate::check::catalogue::FactId { kind, index }));
        let made = stored_with(catalogue, changed, all);
        let retyped: BTreeSet<&str> = changed.iter().copied().filter(|name| self.is_retyped(name, parameters)).collect();
        let named = made.into_iter().map(|id| catalogue.fact(id).name.to_string()).chain(computed_with(catalogue, &retyped));
        let names = named.collect::<Vec<_>>().join(", ");
        if names.is_empty() {
            return Ok(());
        }
        let told = Diagnostic::new(
            &code::NOT_HELD,
            format!("档案里的事实是按现行标准算出的: {names}"),
            format!("facts of the held dossiers are made with the parameter in force: {names}"),
        );
        Err(vec![told.help("改用 mianshen simulate, 它会重新读登记库", "use mianshen simulate, which reads the registers again")])
    }

    /// Whether a parameter has another type or unit, or is not there any more.
    fn is_retyped(&self, name: &str, parameters: &[Parameter]) -> bool {
        let of = |list: &[Parameter]| list.iter().find(|one| one.name == name).map(|one| (one.parameter_type, one.unit.clone()));
        of(&self.parameters) != of(parameters)
    }

    fn lints(
        &self,
        documents: &[Arc<PolicyDocument>],
        checked: &Checked,
        parameters: &[Parameter],
        edited: &BTreeSet<String>,
    ) -> Vec<Diagnostic> {
        let folder = lints::Folder { checked, documents, parameters, regions: &self.regions, cases: &[] };
        lints::run_on(&folder, |document| edited.contains(&document.code))
    }
}

/// Whether a parameter stands in one of the edited files.
fn is_of(parameter: &Parameter, edit: &Edit) -> bool {
    edit.parameters.iter().any(|text| text.path == parameter.place.path())
}

/// Names of computed facts that name a parameter themselves.
fn computed_with(catalogue: &Catalogue, names: &BTreeSet<&str>) -> Vec<String> {
    let facts = SubjectKind::ALL.into_iter().flat_map(|kind| catalogue.facts(kind));
    let named = facts.filter(|fact| match &fact.definition {
        Definition::Computed(expr) => {
            let mut found = false;
            crate::check::bind::for_each_parameter(expr, &mut |name, _| found |= names.contains(&**name));
            found
        }
        _ => false,
    });
    named.map(|fact| fact.name.to_string()).collect()
}

/// The tree of a text.
fn parsed(text: &Text, told: &mut Vec<Diagnostic>) -> Option<Node> {
    let file = SourceFile::new(&text.path, text.text.as_str());
    let (node, more) = yaml::parse(&file);
    if node.is_none() && more.is_empty() {
        told.push(Diagnostic::new(&code::YAML_SYNTAX, "文件是空的", "the file is empty").at(Span::new(&file, 0..0)));
    }
    told.extend(more);
    node
}
