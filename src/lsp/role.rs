//! What a scalar of a file is there for, by the keys that lead to it.

use std::path::{Component, Path};

use super::spot::{Kind, Spot, top_value};
use crate::register::declaration::{Registers, SubjectKind};

/// What a file of a policies folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FileKind {
    /// One version of a policy.
    Policy,
    /// The cases beside a policy.
    Cases,
    /// `parameters/*.yaml`
    Parameters,
    /// `bundles/*.yaml`
    Bundles,
    /// `registers/*.yaml`, with the register's name
    Register(String),
    /// `registers/links.yaml`
    Links,
    /// `registers/computed.yaml`
    Computed,
    /// `regions.yaml`, `regions/*.yaml`
    Regions,
    /// `check.yaml`
    Levels,
}

impl FileKind {
    /// What a file of the folder holds; none for files outside, and for what is not YAML.
    pub(super) fn of(dir: &Path, path: &Path) -> Option<Self> {
        let inside = path.strip_prefix(dir).ok()?;
        if !path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            return None;
        }
        let stem = path.file_stem()?.to_str()?;
        let folders: Vec<&str> = inside.parent()?.components().filter_map(component).collect();
        Some(match (folders.as_slice(), stem) {
            (["registers"], "links") => Self::Links,
            (["registers"], "computed") => Self::Computed,
            (["registers"], name) => Self::Register(name.to_owned()),
            (["registers", ..], _) => return None,
            ([], "regions") | (["regions"], _) => Self::Regions,
            ([], "check") => Self::Levels,
            _ => match folders.iter().find(|folder| ["parameters", "bundles"].contains(folder)) {
                Some(&"parameters") => Self::Parameters,
                Some(_) => Self::Bundles,
                None if stem == "cases" => Self::Cases,
                None => Self::Policy,
            },
        })
    }
}

fn component(component: Component<'_>) -> Option<&str> {
    match component {
        Component::Normal(name) => name.to_str(),
        _ => None,
    }
}

/// What names mean in an expression: columns of a register first, then facts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Names {
    /// The register whose columns come first.
    pub(super) register: Option<String>,
    /// The kind whose facts come.
    pub(super) facts: Option<SubjectKind>,
}

/// What a scalar is there for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Role {
    /// A condition, an amount, or how a fact comes about.
    Expression(Names),
    /// The name of a fact: a name, a path through links, the text of a quantifier.
    Fact(SubjectKind),
    /// The value that a case gives a fact, which is named.
    Given(SubjectKind, String),
    /// The id of a basis of the same file.
    Basis,
    /// The code of a policy.
    Policy,
    /// The id of a criterion of the policy beside.
    Criterion,
    /// The code of a region.
    Region,
    /// The name of a register.
    Register,
    /// A column of a register, which is named.
    Column(String),
    /// The name of a link that starts at the kind.
    Link(SubjectKind),
    /// The name of a diagnostic code.
    Diagnostic,
}

/// Whose facts the names of a file mean: the subject of the policy (for cases, of the one beside), or of the register.
pub(super) fn subject_of(text: &str) -> Option<SubjectKind> {
    SubjectKind::named(top_value(text, "subject")?)
}

impl Role {
    /// The role of a spot; none where a scalar is only a word or a text.
    pub(super) fn of(file: &FileKind, spot: &Spot, subject: Option<SubjectKind>, registers: &Registers) -> Option<Self> {
        let keys = spot.keys();
        match file {
            FileKind::Policy => of_policy(&keys, spot, subject, registers),
            FileKind::Cases => of_cases(&keys, spot, subject, registers),
            FileKind::Parameters => (keys == ["parameters", "-", "values", "-", "region"]).then_some(Self::Region),
            FileKind::Bundles => of_bundles(&keys),
            FileKind::Register(name) => of_register(&keys, spot, name),
            FileKind::Links => of_links(&keys, spot),
            FileKind::Computed => match keys.as_slice() {
                ["facts", "-", "is"] => {
                    let facts = spot.sibling("subject").and_then(SubjectKind::named);
                    Some(Self::Expression(Names { register: None, facts }))
                }
                _ => None,
            },
            FileKind::Regions => match keys.as_slice() {
                ["regions", "-", "parent"] | ["regions", "-", "replaced_by", "-"] => Some(Self::Region),
                _ => None,
            },
            FileKind::Levels => (keys == ["severity"] && spot.kind != Kind::Value).then_some(Self::Diagnostic),
        }
    }
}

fn of_policy(keys: &[&str], spot: &Spot, subject: Option<SubjectKind>, registers: &Registers) -> Option<Role> {
    let facts = || Role::Expression(Names { register: None, facts: subject });
    Some(match keys {
        ["criteria", .., "when"] | ["benefit" | "cap" | "budget", "amount"] | ["budget", "rank_by"] | ["occasion"] => facts(),
        ["criteria", .., "basis"] | ["benefit", "basis"] => Role::Basis,
        ["covers", "region"] => Role::Region,
        ["covers", "by"] | ["commit", "-"] => Role::Fact(subject?),
        ["requires" | "excludes", "-"] if spot.kind != Kind::Key => Role::Policy,
        ["requires" | "excludes", "-", "policy"] => Role::Policy,
        ["each", "link"] => Role::Link(subject?),
        ["each", "register"] => Role::Register,
        ["each", "id"] => Role::Column(each(spot, subject, registers)?.0),
        ["each", "where" | "amount"] => {
            let (register, kind) = each(spot, subject, registers)?;
            Role::Expression(Names { register: Some(register), facts: Some(kind) })
        }
        _ => return None,
    })
}

/// The register of the occasions of a policy, and whose facts stand beside its rows.
fn each(spot: &Spot, subject: Option<SubjectKind>, registers: &Registers) -> Option<(String, SubjectKind)> {
    match (spot.sibling("register"), spot.sibling("link")) {
        (Some(register), _) => Some((register.to_owned(), subject?)),
        (None, Some(link)) => registers.link(subject?, link).map(|link| (link.register.clone(), link.to)),
        (None, None) => None,
    }
}

fn of_cases(keys: &[&str], spot: &Spot, subject: Option<SubjectKind>, registers: &Registers) -> Option<Role> {
    let keys = keys.strip_prefix(&["cases"]).unwrap_or(keys);
    let keys = keys.strip_prefix(&["-"])?;
    let is_key = spot.kind != Kind::Value;
    Some(match keys {
        ["given"] if is_key => Role::Fact(subject?),
        ["given", name] => Role::Given(subject?, (*name).to_owned()),
        ["expect", "missing" | "offer", "-"] | ["expect", "-", "missing" | "offer", "-"] => Role::Fact(subject?),
        ["expect", "given_up_for"] | ["expect", "-", "given_up_for"] => Role::Policy,
        ["expect", "reasons"] | ["expect", "-", "reasons"] if is_key => Role::Criterion,
        ["registers"] if is_key => Role::Register,
        ["registers", register, "-"] if is_key && registers.registers.contains_key(*register) => Role::Column((*register).to_owned()),
        _ => return None,
    })
}

fn of_bundles(keys: &[&str]) -> Option<Role> {
    matches!(keys, [.., "policies", "-"]).then_some(Role::Policy)
}

fn of_register(keys: &[&str], spot: &Spot, name: &str) -> Option<Role> {
    Some(match keys {
        ["facts", "-", "is" | "where"] => Role::Expression(Names { register: Some(name.to_owned()), facts: None }),
        ["key" | "recorded_at"] | ["unique", "-"] | ["time", "event"] | ["time", "valid", "-"] | ["facts", "-", "codes_of"] => {
            Role::Column(name.to_owned())
        }
        ["coverage", "regions", "-"] => Role::Region,
        ["facts", "-", "agrees_with", "-", "register"] => Role::Register,
        ["facts", "-", "agrees_with", "-", "column"] => Role::Column(spot.sibling("register")?.to_owned()),
        _ => return None,
    })
}

fn of_links(keys: &[&str], spot: &Spot) -> Option<Role> {
    let register = || spot.sibling("register").map(str::to_owned);
    Some(match keys {
        ["links", "-", "where"] => Role::Expression(Names { register: register(), facts: None }),
        ["links", "-", "register"] => Role::Register,
        ["links", "-", "from_column" | "to_column"] => Role::Column(register()?),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_place() {
        let kind = |path: &str| FileKind::of(Path::new("/p"), &Path::new("/p").join(path));
        assert_eq!(kind("990100/old-age-allowance/policy.yaml"), Some(FileKind::Policy));
        assert_eq!(kind("990100/old-age-allowance/cases.yaml"), Some(FileKind::Cases));
        assert_eq!(kind("990100/parameters/x.yaml"), Some(FileKind::Parameters));
        assert_eq!(kind("bundles/x.yml"), Some(FileKind::Bundles));
        assert_eq!(kind("registers/population.yaml"), Some(FileKind::Register("population".to_owned())));
        assert_eq!((kind("registers/links.yaml"), kind("registers/computed.yaml")), (Some(FileKind::Links), Some(FileKind::Computed)));
        assert_eq!((kind("regions.yaml"), kind("regions/a.yaml")), (Some(FileKind::Regions), Some(FileKind::Regions)));
        assert_eq!((kind("check.yaml"), kind("cases.csv"), kind("registers/a/b.yaml")), (Some(FileKind::Levels), None, None));
        assert_eq!(FileKind::of(Path::new("/p"), Path::new("/q/policy.yaml")), None);
    }

    #[track_caller]
    fn check(file: FileKind, text: &str, expect: Option<Role>) {
        let at = text.find('‸').expect("a cursor");
        let spot = Spot::before(&text.replacen('‸', "", 1), at).expect("a spot");
        assert_eq!(Role::of(&file, &spot, Some(SubjectKind::Person), &Registers::default()), expect);
    }

    #[test]
    fn scalars_are_known_by_their_keys() {
        let person = || Some(Role::Fact(SubjectKind::Person));
        let facts = || Some(Role::Expression(Names { register: None, facts: Some(SubjectKind::Person) }));
        check(FileKind::Policy, "criteria:\n  any:\n    - {id: a, when: ‸", facts());
        check(FileKind::Policy, "benefit:\n  amount: ‸", facts());
        check(FileKind::Policy, "criteria:\n  not: {basis: ‸", Some(Role::Basis));
        check(FileKind::Policy, "covers: {region: \"99‸", Some(Role::Region));
        check(FileKind::Policy, "commit: [a, ‸", person());
        check(FileKind::Policy, "excludes:\n  - {policy: ‸", Some(Role::Policy));
        check(FileKind::Policy, "each: {register: certificates, where: ‸", {
            let register = Some("certificates".to_owned());
            Some(Role::Expression(Names { register, facts: Some(SubjectKind::Person) }))
        });
        check(FileKind::Policy, "name: ‸", None);
        check(FileKind::Cases, "- name: a\n  given: {bi‸", person());
        check(FileKind::Cases, "- name: a\n  given: {sex: ‸", Some(Role::Given(SubjectKind::Person, "sex".to_owned())));
        check(FileKind::Cases, "cases:\n  - expect: {missing: [‸", person());
        check(FileKind::Cases, "- expect:\n    reasons:\n      ‸", Some(Role::Criterion));
        check(FileKind::Computed, "facts:\n  - subject: household\n    is: ‸", {
            Some(Role::Expression(Names { register: None, facts: Some(SubjectKind::Household) }))
        });
        check(FileKind::Links, "links:\n  - {register: birth, to_column: ‸", Some(Role::Column("birth".to_owned())));
        check(FileKind::Levels, "severity:\n  never‸", Some(Role::Diagnostic));
    }
}
