//! Questions asked and answered, without a terminal.

use std::io::Cursor;
use std::path::Path;

use super::ask::ask;
use super::draft::{Known, draft, slug};
use super::field::Field;
use super::form::Answer;
use crate::commands::folder::PolicyFolder;
use crate::diagnostic::Lang;

fn shipped() -> PolicyFolder {
    PolicyFolder::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("policies"))
}

/// The dialogue that some typed lines make, and the answers.
fn typed(given: &[(Field, &str)], lines: &str, lang: Lang) -> (String, Vec<Answer>) {
    let folder = shipped();
    let mut answers: Vec<Answer> =
        given.iter().map(|(field, text)| Answer { field: *field, text: (*text).to_owned(), place: None }).collect();
    let mut output = Vec::new();
    ask(&mut answers, &Known { folder: &folder }, lang, &mut Cursor::new(lines), &mut output).expect("written to memory");
    (String::from_utf8(output).expect("UTF-8"), answers)
}

fn text(answers: &[Answer], field: Field) -> Option<&str> {
    answers.iter().find(|answer| answer.field == field).map(|answer| answer.text.as_str())
}

#[test]
fn a_policy_from_questions() {
    // Name, no English name, authority (its name is known), the code that is offered, a wrong region and a right one, …
    let lines = "敬老卡\n\n990100-MZ\n\n990199\n990100\n个人\n2026-01-01\n敬老卡办法（样例）\n\n第三条\nsample\n\n年满六十五周岁\n年龄 大于等于 65\n服务\n\nsenior-card\n";
    let (said, answers) = typed(&[], lines, Lang::Zh);
    assert!(said.contains("编码, 一事一码 [990100-MZ-0023]: "), "{said}");
    assert!(said.contains("✗ 区划树里没有“990199”"), "{said}");
    assert!(!said.contains("机关名称"), "the name of an authority with policies is known: {said}");
    assert_eq!((text(&answers, Field::Code), text(&answers, Field::Region)), (Some("990100-MZ-0023"), Some("990100")));
    assert_eq!((text(&answers, Field::When), text(&answers, Field::NameEn)), (Some("年龄 大于等于 65"), None));
    let folder = shipped();
    let draft = draft(&answers, &Known { folder: &folder }).expect("a draft");
    assert_eq!((draft.kind.as_str(), draft.mode.as_str(), draft.amount), ("service", "confirm", None));
    assert_eq!(draft.authority.1, "样例市民政局");
    assert!(draft.dir.ends_with("policies/990100/senior-card"), "{}", draft.dir.display());
}

#[test]
fn what_was_said_is_not_asked_again_and_the_end_of_input_ends() {
    let (said, answers) = typed(&[(Field::Name, "甲"), (Field::Region, "990100")], "", Lang::En);
    assert!(said.contains("name in English") && !said.contains("name in Chinese"), "{said}");
    assert_eq!(answers.len(), 2);
    let folder = shipped();
    let told = draft(&answers, &Known { folder: &folder }).expect_err("much is lacking");
    assert_eq!(told.len(), 1);
    assert!(told[0].headline.en.contains("--authority, --authority-name, --code"), "{}", told[0].headline.en);
}

#[test]
fn a_wrong_answer_is_asked_for_a_few_times_only() {
    let (said, answers) = typed(&[], &"990199\n".repeat(40), Lang::En);
    assert!(said.matches("is not in the tree").count() <= 5, "{said}");
    assert_eq!(text(&answers, Field::Region), None);
}

#[test]
fn names_of_folders() {
    let cases = [
        ("Senior travel card", "senior-travel-card"),
        ("990100-JT-0001", "990100-jt-0001"),
        ("Veterans' allowance", "veterans-allowance"),
        ("敬老卡", ""),
    ];
    for (name, folder) in cases {
        assert_eq!(slug(name), folder);
    }
}
