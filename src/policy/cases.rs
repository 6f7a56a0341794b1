//! `cases.yaml`: facts in, verdict out, because. A lawyer can read the test.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::{Case, CaseDocument, CaseRegisters, Equivalent, Expect, ExpectedOccasion, PolicyDocument};
use super::load::read_file_with;
use super::period::date;
use crate::diagnostic::{Diagnostic, Span, code};
use crate::yaml::{self, Fields, Node, Texts, wrong_shape};

/// The verdicts that a case may expect, in both languages, with the word that results use.
pub(super) const VERDICTS: [(&str, &str); 9] = [
    ("yes", "yes"),
    ("no", "no"),
    ("unknown", "unknown"),
    ("outside", "outside"),
    ("是", "yes"),
    ("否", "no"),
    ("未知", "unknown"),
    ("true", "yes"),
    ("false", "no"),
];
pub(super) const MODES: [(&str, &str); 4] =
    [("automatic", "automatic"), ("confirm", "confirm"), ("commit", "commit"), ("review", "review")];

/// Reads the cases beside a policy; none when it has none.
#[must_use]
pub fn load_cases(policy: &PolicyDocument) -> (Vec<Case>, Vec<Diagnostic>) {
    if !policy.has_cases {
        return (Vec::new(), Vec::new());
    }
    let (file, diagnostics) = load_case_file(&policy.path.with_file_name("cases.yaml"));
    (file.cases, diagnostics)
}

/// The files of cases that stand beside a policy.
#[must_use]
pub fn case_files(policy: &PolicyDocument) -> Vec<PathBuf> {
    case_files_with(policy, &Texts::default())
}

/// The files of cases as [`case_files`], also where only a text stands in for one.
#[must_use]
pub fn case_files_with(policy: &PolicyDocument, texts: &Texts) -> Vec<PathBuf> {
    let files = ["cases.yaml", "cases.csv", "cases.xlsx"].map(|name| policy.path.with_file_name(name));
    files.into_iter().filter(|path| texts.is_file(path)).collect()
}

/// Reads one file of cases.
#[must_use]
pub fn load_case_file(path: &Path) -> (CaseDocument, Vec<Diagnostic>) {
    load_case_file_with(path, &Texts::default())
}

/// Reads one file of cases, or the text that stands in for it.
#[must_use]
pub fn load_case_file_with(path: &Path, texts: &Texts) -> (CaseDocument, Vec<Diagnostic>) {
    let file = match read_file_with(path, texts) {
        Ok((file, _)) => file,
        Err(diagnostic) => return (CaseDocument::default(), vec![*diagnostic]),
    };
    let (node, mut diagnostics) = yaml::parse(&file);
    let Some(node) = node else { return (CaseDocument::default(), diagnostics) };
    let (document, mut told) = read_cases(&node);
    diagnostics.append(&mut told);
    (document, diagnostics)
}

/// Reads a list of cases, bare or under `cases:`; there changes that no case can notice may stand beside them.
#[must_use]
pub fn read_cases(root: &Node) -> (CaseDocument, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let document = match root.sequence() {
        Some(items) => CaseDocument { cases: each_case(items, &mut diagnostics), equivalent: Vec::new() },
        None => Fields::new(root, &mut diagnostics).map_or_else(CaseDocument::default, |mut fields| {
            let named = fields.list("equivalent");
            let equivalent = named.iter().filter_map(|item| equivalent(item, fields.diagnostics())).collect();
            fields.required("cases");
            let items = fields.list("cases");
            let cases = each_case(items, fields.diagnostics());
            fields.finish();
            CaseDocument { cases, equivalent }
        }),
    };
    (document, diagnostics)
}

/// A change that no case can notice: `{part: small-layoffs, change: "0: 0 → 1", because: …}`.
fn equivalent(item: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Equivalent> {
    let mut fields = Fields::new(item, diagnostics)?;
    let place = fields.required("change").map(Node::span);
    let change = fields.text("change");
    fields.required("part");
    fields.required("because");
    let (part, because) = (fields.text("part"), fields.text("because"));
    fields.finish();
    Some(Equivalent { part: part?, change: change?.replace("->", "→"), place: place?, because: because? })
}

fn each_case(items: &[Node], diagnostics: &mut Vec<Diagnostic>) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::with_capacity(items.len());
    for item in items {
        let Some(case) = case(item, diagnostics) else { continue };
        let (case, subjects) = case;
        if let Some(first) = cases.iter().find(|other| other.place != case.place && other.name == case.name) {
            let name = &case.name;
            diagnostics.push(
                Diagnostic::new(&code::DUPLICATE_NAME, format!("案例“{name}”写了两次"), format!("case `{name}` is given twice"))
                    .at(case.place.clone())
                    .also(first.place.clone(), "第一次在这里", "first given here"),
            );
        }
        if subjects.is_empty() {
            cases.push(case);
            continue;
        }
        // One case for each subject, about the same registers.
        for (subject, expect) in subjects {
            let name = format!("{} · {}", case.name, subject.0);
            cases.push(Case { name, subject: Some(subject), expect, ..case.clone() });
        }
    }
    cases
}

/// A subject with its place, and what is expected of it.
type OfSubject = ((String, Span), Expect);

/// A case; with several subjects, what is expected of each.
fn case(item: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(Case, Vec<OfSubject>)> {
    let mut fields = Fields::new(item, diagnostics)?;
    let name = fields.required("name");
    if let Some(name) = name.filter(|name| name.text().is_none()) {
        fields.report(wrong_shape(name, "一句话", "a sentence"));
    }
    let as_of = fields.required("as_of").and_then(|node| date(node, fields.diagnostics()));
    let given = fields.optional("given").map_or_else(Vec::new, |node| given(node, fields.diagnostics()));
    let registers = fields.optional("registers").and_then(|node| registers(node, fields.diagnostics()));
    let subject = fields.optional("subject").map(Node::span);
    let subject = fields.text("subject").zip(subject);
    let wanted = fields.required("expect");
    let subjects: Vec<OfSubject> = match wanted.and_then(Node::sequence) {
        Some(items) => items.iter().filter_map(|item| of_subject(item, fields.diagnostics())).collect(),
        None => Vec::new(),
    };
    let expect = match (wanted, subjects.first()) {
        (_, Some((_, first))) => Some(first.clone()),
        (Some(node), None) => expect(node, fields.diagnostics()),
        (None, None) => None,
    };
    if registers.is_none() && (subject.is_some() || !subjects.is_empty()) {
        let place = fields.span();
        fields.report(Diagnostic::new(&code::MISSING_KEY, "有 subject 就要有 registers", "`subject` goes with `registers`").at(place));
    }
    if registers.is_some() && !given.is_empty() {
        let place = fields.span();
        fields
            .report(Diagnostic::new(&code::WRONG_SHAPE, "given 和 registers 只写一个", "give `given` or `registers`, not both").at(place));
    }
    let because = fields.text("because");
    fields.finish();
    let name = name?;
    let registers = registers.map(Arc::new);
    let case =
        Case { name: name.text()?.to_owned(), place: name.span(), as_of: as_of?, given, registers, subject, expect: expect?, because };
    Some((case, subjects))
}

/// One of several subjects: `{subject: 甲, verdict: yes}`.
fn of_subject(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<OfSubject> {
    let mut fields = Fields::new(node, diagnostics)?;
    let place = fields.required("subject")?.span();
    let subject = fields.text("subject")?;
    let expect = expectations(&mut fields);
    fields.finish();
    Some(((subject, place), expect))
}

/// Rows by register.
fn registers(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<CaseRegisters> {
    let Some(entries) = node.mapping() else {
        diagnostics.push(wrong_shape(
            node,
            "登记库和它的行: {population: [{person_id: 甲}]}",
            "registers with rows: {population: [{person_id: 甲}]}",
        ));
        return None;
    };
    let mut found = Vec::new();
    for (key, value) in entries {
        let rows = value.sequence().unwrap_or_default();
        if value.sequence().is_none() && !value.is_null() {
            diagnostics.push(wrong_shape(value, "若干行: [{person_id: 甲}]", "a list of rows: [{person_id: 甲}]"));
        }
        let rows = rows.iter().map(|row| self::given(row, diagnostics)).collect();
        found.push((key.text()?.to_owned(), key.span(), rows));
    }
    Some(CaseRegisters { place: node.span(), registers: found })
}

/// Facts by name; a fact that is null is unknown, as one not given.
fn given(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Vec<(String, Node)> {
    let Some(entries) = node.mapping() else {
        diagnostics.push(wrong_shape(node, "事实及其值: {birth_date: 1946-03-31}", "facts with values: {birth_date: 1946-03-31}"));
        return Vec::new();
    };
    entries.iter().filter_map(|(key, value)| Some((key.text()?.to_owned(), value.clone()))).collect()
}

fn expect(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Expect> {
    if node.text().is_some() {
        // `expect: yes` says the verdict alone.
        return verdict(node, diagnostics).map(|found| Expect { verdict: Some(found), ..Expect::default() });
    }
    let mut fields = Fields::new(node, diagnostics)?;
    let expect = expectations(&mut fields);
    fields.finish();
    Some(expect)
}

fn expectations(fields: &mut Fields<'_>) -> Expect {
    Expect {
        verdict: fields.required("verdict").and_then(|node| verdict(node, fields.diagnostics())),
        amount: fields.optional("amount").and_then(|node| amount(node, fields.diagnostics())),
        mode: {
            let place = fields.optional("mode").map(Node::span);
            fields.choice("mode", &MODES).map(str::to_owned).zip(place)
        },
        missing: facts(fields, "missing"),
        offer: facts(fields, "offer"),
        given_up_for: {
            let place = fields.optional("given_up_for").map(Node::span);
            fields.text("given_up_for").zip(place)
        },
        reasons: fields.optional("reasons").map_or_else(Vec::new, |node| reasons(node, fields.diagnostics())),
        occasions: fields.optional("occasions").and_then(|node| occasions(node, fields.diagnostics())),
    }
}

/// Occasions with their amounts: `{甲: 1000, 乙: 1500}`, or a list of them alone.
fn occasions(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(Vec<ExpectedOccasion>, Span)> {
    if let Some(items) = node.sequence() {
        return Some((items.iter().filter_map(|item| Some((item.text()?.to_owned(), None))).collect(), node.span()));
    }
    let Some(entries) = node.mapping() else {
        diagnostics.push(wrong_shape(node, "事由及其金额: {甲: 1000}", "occasions with amounts: {甲: 1000}"));
        return None;
    };
    let read = |(key, value): &(Node, Node)| Some((key.text()?.to_owned(), Some(amount(value, diagnostics)?.0)));
    Some((entries.iter().filter_map(read).collect(), node.span()))
}

/// Criteria with their verdicts.
fn reasons(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Vec<(String, String, Span)> {
    let Some(entries) = node.mapping() else {
        diagnostics.push(wrong_shape(node, "条件及其判定: {age: no}", "criteria with verdicts: {age: no}"));
        return Vec::new();
    };
    let read = |(key, value): &(Node, Node)| Some((key.text()?.to_owned(), verdict(value, diagnostics)?.0, value.span()));
    entries.iter().filter_map(read).collect()
}

fn verdict(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(String, Span)> {
    let given = node.text().unwrap_or_default();
    let found = VERDICTS.iter().find(|(word, _)| *word == given).map(|(_, verdict)| ((*verdict).to_owned(), node.span()));
    if found.is_none() {
        let words = VERDICTS.iter().map(|(word, _)| *word);
        diagnostics.push(wrong_shape(node, "yes、no、unknown 或 outside", "yes, no, unknown or outside").did_you_mean(given, words));
    }
    found
}

fn amount(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(String, Span)> {
    let text = node.text().unwrap_or_default().replace('_', "");
    let number = text.strip_prefix('-').unwrap_or(&text);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if digits(whole) && digits(fraction) && fraction.len() <= 2 {
        return Some((text, node.span()));
    }
    diagnostics.push(wrong_shape(node, "金额, 如 100 或 66.67", "an amount such as 100 or 66.67"));
    None
}

fn facts(fields: &mut Fields<'_>, key: &'static str) -> Option<(Vec<String>, Span)> {
    let place = fields.optional(key)?.span();
    let mut names: Vec<String> = fields.texts(key).into_iter().map(|(name, _)| name).collect();
    names.sort();
    Some((names, place))
}

#[cfg(test)]
mod tests {
    //! Cases and the mistakes of their authors.

    use super::read_cases;
    use crate::diagnostic::SourceFile;
    use crate::yaml;

    #[track_caller]
    fn check(text: &str, names: &[&str], expected: &[(&str, &str)]) {
        let (node, mut told) = yaml::parse(&SourceFile::new("cases.yaml", text));
        let (document, mut more) = read_cases(&node.expect("a tree"));
        let cases = document.cases;
        told.append(&mut more);
        let told: Vec<_> = told.iter().map(|told| (told.code.name, told.primary.as_ref().map_or("", |place| place.text()))).collect();
        assert_eq!(told, expected);
        assert_eq!(cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>(), names);
    }

    const WHOLE: &str = "- name: 月底满八十周岁的, 当月即享
  as_of: 2026-03-01
  given: {birth_date: 1946-03-31, hukou_region: \"990102\", deceased: false, \"employees.count(graduate)\": 3}
  expect: {verdict: yes, amount: 100, mode: automatic, missing: [b, a], offer: []}
  because: 自年满80周岁当月起发放
- {name: 无事实, as_of: 2026-03-01, expect: unknown}
";

    #[test]
    fn a_case_keeps_its_facts_in_order() {
        check(WHOLE, &["月底满八十周岁的, 当月即享", "无事实"], &[]);
        let (node, _) = yaml::parse(&SourceFile::new("cases.yaml", WHOLE));
        let cases = read_cases(&node.expect("a tree")).0.cases;
        let given: Vec<_> = cases[0].given.iter().map(|(name, value)| (name.as_str(), value.text().unwrap_or(""))).collect();
        assert_eq!(given[0], ("birth_date", "1946-03-31"));
        assert_eq!(given[3], ("employees.count(graduate)", "3"));
        let expect = &cases[0].expect;
        assert_eq!(expect.missing.as_ref().map(|(facts, _)| facts.join(" ")), Some("a b".to_owned()));
        assert_eq!(expect.offer.as_ref().map(|(facts, _)| facts.len()), Some(0));
        assert_eq!(cases[1].expect.verdict.as_ref().map(|(verdict, _)| verdict.as_str()), Some("unknown"));
    }

    #[test]
    fn mistakes_of_cases() {
        check(
            "- {name: a, as_of: 2026-3-1, given: [x], expect: {verdict: yess, amount: many, mode: automatik}, becuase: x}\n",
            &[],
            &[
                ("wrong-shape", "2026-3-1"),
                ("wrong-shape", "[x]"),
                ("wrong-shape", "yess"),
                ("wrong-shape", "many"),
                ("wrong-shape", "automatik"),
                ("unknown-key", "becuase"),
            ],
        );
    }

    #[test]
    fn changes_that_no_case_can_notice() {
        let text = "equivalent:\n- {part: small, change: '0: 0 -> 1', because: 前一条件已经成立}\n- {part: small}\ncases: []\n";
        check(text, &[], &[("missing-key", "part"), ("missing-key", "part")]);
        let (node, _) = yaml::parse(&SourceFile::new("cases.yaml", text));
        let named = read_cases(&node.expect("a tree")).0.equivalent;
        assert_eq!(named.iter().map(|named| (named.part.as_str(), named.change.as_str())).collect::<Vec<_>>(), [("small", "0: 0 → 1")]);
    }

    #[test]
    fn two_cases_of_one_name() {
        check(
            "cases:\n- &x\n"
                .replace("- &x\n", "- {name: a, as_of: 2026-03-01, expect: no}\n- {name: a, as_of: 2026-03-01, expect: 是}\n")
                .as_str(),
            &["a", "a"],
            &[("duplicate-name", "a")],
        );
        check("- {as_of: 2026-03-01}\n", &[], &[("missing-key", "as_of"), ("missing-key", "as_of")]);
    }
}
