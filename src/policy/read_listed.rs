//! Policies that an authority's list decides (认定类): the criteria that all of them share, made from a few keys.
//!
//! ```text
//! listed: {list: L, within: {years: 3, …}, standing: …, credit: …}
//!     ──▶ listed:  L                                              members.count(L) >= 1 of a household
//!         recent:  not L or as_of <= add_years(L_since, 3)        only with `within`
//!         alive:   not deceased        registered: not deregistered     of a person, of an entity
//!         credit:  not dishonest       not entity_dishonest and not entity_serious_violation     only with `credit`
//! ```
//!
//! They stand before the policy's own criteria. `L` is a code of the column `list` of [`PERSONS`] or [`ENTITIES`], and the
//! name of the fact that says who is on it; `L_since` is the fact that says since when.

use super::document::{Basis, CriteriaNode, Criterion};
use super::expression::written;
use super::read_basis::known_basis;
use super::read_criteria::warn_without_clause;
use crate::diagnostic::{Diagnostic, Span};
use crate::register::declaration::SubjectKind;
use crate::yaml::{Fields, Node, wrong_shape};

/// The register of persons on lists; that of a household is its members'.
pub const PERSONS: &str = "recognised_persons";
/// The register of entities on lists.
pub const ENTITIES: &str = "recognised_entities";
/// The column of both that names the list.
pub const LIST: &str = "list";

/// What is read of `listed`.
pub(super) struct Listed {
    /// The code of the list, and its place.
    pub(super) list: (String, Span),
    /// The criteria that it stands for.
    pub(super) criteria: Vec<Criterion>,
}

/// How long somebody on a list counts.
struct Within {
    /// `add_years` or `add_months`.
    function: &'static str,
    count: i64,
    /// Whether the day on which the time is over still counts.
    last_day: bool,
    clause: Option<String>,
    /// Where the number stands.
    node: Node,
}

/// Reads `listed: {list: code, …}`, or the bare code. The list alone, beside criteria that say everything, only names it.
/// Without a subject, what is wrong with that was told, and there are no criteria.
pub(super) fn read_listed(
    node: &Node,
    subject: Option<SubjectKind>,
    basis: &[Basis],
    has_criteria: bool,
    told: &mut Vec<Diagnostic>,
) -> Option<Listed> {
    let is_alone = node.mapping().is_none_or(|entries| entries.iter().all(|(key, _)| key.text() == Some("list")));
    let subject = subject.filter(|_| !(is_alone && has_criteria));
    if node.text().is_some() {
        let list = code(node, told)?;
        let criteria =
            subject.map_or_else(Vec::new, |subject| Template { list: node, basis: None, subject, told }.criteria(&Rest::default()));
        return Some(Listed { list, criteria });
    }
    let mut fields = Fields::new(node, told)?;
    let list = fields.required("list").cloned();
    let basis = known_basis(&mut fields, basis);
    let mut rest = Rest { clause: fields.text("clause"), ..Rest::default() };
    rest.within = fields.optional("within").and_then(|node| read_within(node, fields.diagnostics()));
    rest.standing = text(&mut fields, "standing");
    rest.credit = text(&mut fields, "credit");
    if subject == Some(SubjectKind::Household) {
        for key in ["within", "standing", "credit"] {
            if let Some(node) = fields.optional(key) {
                fields.report(
                    wrong_shape(node, "以个人或单位为对象的政策才有的键", "a key that only policies about persons and entities have").help(
                        "名单上的是家庭成员: 这一条写进 criteria",
                        "those on the list are members: write this one among the `criteria`",
                    ),
                );
            }
        }
        rest = Rest { clause: rest.clause, ..Rest::default() };
    }
    fields.finish();
    let node = list?;
    let list = code(&node, told)?;
    let criteria = subject.map_or_else(Vec::new, |subject| Template { list: &node, basis, subject, told }.criteria(&rest));
    Some(Listed { list, criteria })
}

/// The code of a list; it must be one that a fact can be named by.
fn code(node: &Node, told: &mut Vec<Diagnostic>) -> Option<(String, Span)> {
    let is_name = |text: &&str| {
        text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.chars().all(|sign| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '_')
    };
    let code = node.text().filter(is_name);
    if code.is_none() {
        told.push(wrong_shape(node, "名单的代码, 如 high_tech", "the code of a list, such as high_tech"));
    }
    code.map(|code| (code.to_owned(), node.span()))
}

/// A text under a key, with its node.
fn text(fields: &mut Fields<'_>, key: &'static str) -> Option<(String, Node)> {
    let node = fields.optional(key)?.clone();
    let text = fields.text(key)?;
    Some((text, node))
}

/// Reads `{years: 3, last_day: excluded, clause: …}`; `months` does the same, and the last day counts unless said.
fn read_within(node: &Node, told: &mut Vec<Diagnostic>) -> Option<Within> {
    let mut fields = Fields::new(node, told)?;
    let (years, months) = (fields.optional("years"), fields.optional("months"));
    let given = match (years, months) {
        (Some(years), None) => Some(("add_years", years)),
        (None, Some(months)) => Some(("add_months", months)),
        (Some(_), Some(months)) => {
            fields.report(wrong_shape(months, "years 或 months 之一", "only one of `years` and `months`"));
            None
        }
        (None, None) => {
            fields.required("years");
            None
        }
    };
    let last_day = fields.choice("last_day", &LAST_DAYS).unwrap_or(true);
    let clause = fields.text("clause");
    let count = given.and_then(|(_, node)| {
        let count = node.text().and_then(|text| text.parse().ok()).filter(|count| (1..=1200).contains(count));
        if count.is_none() {
            fields.report(wrong_shape(node, "1 以上的整数", "a whole number from 1"));
        }
        count
    });
    fields.finish();
    let (function, node) = given?;
    Some(Within { function, count: count?, last_day, clause, node: node.clone() })
}

pub(super) const LAST_DAYS: [(&str, bool); 2] = [("included", true), ("excluded", false)];

/// What a policy says beside the list.
#[derive(Default)]
struct Rest {
    clause: Option<String>,
    within: Option<Within>,
    standing: Option<(String, Node)>,
    credit: Option<(String, Node)>,
}

/// The shared criteria being made.
struct Template<'a> {
    list: &'a Node,
    basis: Option<String>,
    subject: SubjectKind,
    told: &'a mut Vec<Diagnostic>,
}

impl Template<'_> {
    fn criteria(mut self, rest: &Rest) -> Vec<Criterion> {
        let list = self.list.text().unwrap_or_default().to_owned();
        let listed = match self.subject {
            SubjectKind::Household => format!("members.count({list}) >= 1"),
            SubjectKind::Person | SubjectKind::Entity => list.clone(),
        };
        let mut criteria = vec![self.criterion("listed", self.list, rest.clause.as_ref(), &listed)];
        if let Some(within) = &rest.within {
            let Within { function, count, last_day, clause, node } = within;
            let sign = if *last_day { "<=" } else { "<" };
            let when = format!("not {list} or as_of {sign} {function}({list}_since, {count})");
            criteria.push(self.criterion("recent", node, clause.as_ref(), &when));
        }
        let standing = match self.subject {
            SubjectKind::Person => Some(("alive", "not deceased")),
            SubjectKind::Entity => Some(("registered", "not deregistered")),
            SubjectKind::Household => None,
        };
        if let Some((id, when)) = standing {
            let (clause, node) = rest.standing.as_ref().map_or((None, self.list), |(clause, node)| (Some(clause), node));
            criteria.push(self.criterion(id, node, clause, when));
        }
        let credit = match self.subject {
            SubjectKind::Entity => "not entity_dishonest and not entity_serious_violation",
            SubjectKind::Person | SubjectKind::Household => "not dishonest",
        };
        if let Some((clause, node)) = &rest.credit {
            criteria.push(self.criterion("credit", node, Some(clause), credit));
        }
        criteria.into_iter().flatten().collect()
    }

    /// One criterion in the name of a node of the file.
    fn criterion(&mut self, id: &str, node: &Node, clause: Option<&String>, when: &str) -> Option<Criterion> {
        let clause = clause.filter(|clause| !clause.trim().is_empty()).cloned();
        warn_without_clause(id, &node.span(), clause.is_some(), self.basis.is_some(), self.told);
        let when = written(&node.made(when), self.told)?;
        Some(Criterion { id: id.to_owned(), place: node.span(), clause, basis: self.basis.clone(), label: None, when })
    }
}

/// The criteria of a list before those that the policy has of its own.
pub(super) fn together(listed: Vec<Criterion>, own: Option<CriteriaNode>) -> CriteriaNode {
    let listed = listed.into_iter().map(CriteriaNode::Criterion);
    let own = match own {
        Some(CriteriaNode::All(items)) => items,
        Some(other) => vec![other],
        None => Vec::new(),
    };
    CriteriaNode::All(listed.chain(own).collect())
}

#[cfg(test)]
mod tests {
    //! What a list stands for, and the mistakes of its author.

    use crate::criteria::print;
    use crate::diagnostic::SourceFile;
    use crate::policy::read_policy;
    use crate::yaml;

    fn policy(subject: &str, listed: &str, more: &str) -> String {
        format!(
            "code: A\nname: 甲\nauthority: {{code: A, name: 甲}}\ncovers: {{region: '990100'}}\nsubject: {subject}\nin_force: {{from: 2024-01-01}}\n\
             basis: [{{id: a, title: 甲, status: sample}}]\nlisted: {listed}\n{more}benefit: {{kind: service}}\ndelivery: {{mode: confirm}}\n"
        )
    }

    /// The criteria as `id: clause: when`, and what was told with its place.
    #[track_caller]
    fn check(text: &str, criteria: &[&str], expected: &[(&str, &str)]) {
        let (node, _) = yaml::parse(&SourceFile::new("policy.yaml", text));
        let (document, told) = read_policy(&node.expect("a tree"));
        let short: Vec<_> = told.iter().map(|told| (told.code.name, told.primary.as_ref().map_or("", |place| place.text()))).collect();
        assert_eq!(short, expected, "{told:?}");
        let document = document.expect("a policy");
        let found = document.criteria.criteria().into_iter().map(|criterion| {
            format!("{}: {}: {}", criterion.id, criterion.clause.as_deref().unwrap_or_default(), print(&criterion.when.expr))
        });
        assert_eq!(found.collect::<Vec<_>>(), criteria);
        assert_eq!(document.complete, !crate::diagnostic::has_errors(&told));
    }

    #[test]
    fn of_an_entity() {
        check(
            &policy(
                "entity",
                "{list: high_tech, basis: a, clause: 在册, within: {years: 3, last_day: excluded, clause: 3年内}, standing: 存续, credit: 守信}",
                "criteria: [{id: own, clause: 中小, basis: a, when: small}]\n",
            ),
            &[
                "listed: 在册: high_tech",
                "recent: 3年内: not high_tech or as_of < add_years(high_tech_since, 3)",
                "registered: 存续: not deregistered",
                "credit: 守信: not entity_dishonest and not entity_serious_violation",
                "own: 中小: small",
            ],
            &[],
        );
    }

    #[test]
    fn of_a_person_and_a_household() {
        check(
            &policy(
                "person",
                "{list: veteran, basis: a, clause: 在册, within: {months: 6, clause: 半年内}, standing: 本人, credit: 守信}",
                "",
            ),
            &[
                "listed: 在册: veteran",
                "recent: 半年内: not veteran or as_of <= add_months(veteran_since, 6)",
                "alive: 本人: not deceased",
                "credit: 守信: not dishonest",
            ],
            &[],
        );
        check(&policy("household", "{list: tenant, basis: a, clause: 在册}", ""), &["listed: 在册: members.count(tenant) >= 1"], &[]);
    }

    #[test]
    fn a_bare_list_has_no_clauses() {
        let told = [("criterion-without-clause", "veteran"), ("criterion-without-clause", "veteran")];
        check(&policy("person", "veteran", ""), &["listed: : veteran", "alive: : not deceased"], &told);
    }

    #[test]
    fn a_list_alone_beside_criteria_only_names_it() {
        for listed in ["veteran", "{list: veteran}"] {
            check(&policy("person", listed, "criteria: {any: [{id: listed, clause: 乙, basis: a, when: c}]}\n"), &["listed: 乙: c"], &[]);
        }
        let more = "criteria: {any: [{id: b, clause: 乙, basis: a, when: c}]}\n";
        let criteria = ["listed: 在册: veteran", "alive: : not deceased", "b: 乙: c"];
        let told = [("criterion-without-clause", "veteran")];
        check(&policy("person", "{list: veteran, basis: a, clause: 在册}", more), &criteria, &told);
    }

    #[test]
    fn mistakes() {
        let one = |listed: &str, told: &[(&str, &str)]| {
            check(
                &policy("household", listed, "criteria: {id: b, clause: 乙, basis: a, when: c}\n"),
                &["listed: 在册: members.count(x) >= 1", "b: 乙: c"],
                told,
            );
        };
        one("{list: x, basis: a, clause: 在册, credit: 守信}", &[("wrong-shape", "守信")]);
        one(
            "{list: x, basis: a, clause: 在册, within: {years: 0, clause: 三年}}",
            &[("wrong-shape", "{years: 0, clause: 三年}"), ("wrong-shape", "0")],
        );
        one("{list: x, basis: a, clause: 在册, since: 2}", &[("unknown-key", "since")]);
        check(
            &policy("person", "{list: 优抚, basis: a, clause: 在册}", "criteria: {id: b, clause: 乙, basis: a, when: c}\n"),
            &["b: 乙: c"],
            &[("wrong-shape", "优抚")],
        );
        check(
            &policy(
                "person",
                "{list: x, basis: a, clause: 在册, standing: 本人, within: {years: 1, months: 2}}",
                "criteria: [{id: alive, clause: 乙, basis: a, when: c}]\n",
            ),
            &["listed: 在册: x", "alive: 本人: not deceased", "alive: 乙: c"],
            &[("wrong-shape", "2"), ("duplicate-criterion", "alive")],
        );
    }

    #[test]
    fn neither_list_nor_criteria() {
        let text = policy("person", "x", "").replace("listed: x\n", "");
        let (node, _) = yaml::parse(&SourceFile::new("policy.yaml", text));
        let (document, told) = read_policy(&node.expect("a tree"));
        assert!(document.is_none());
        assert_eq!(told.iter().map(|told| told.code.name).collect::<Vec<_>>(), ["missing-key"]);
    }
}
