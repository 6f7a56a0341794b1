//! One list of diagnostics in every format.

use super::{Format, render};
use crate::diagnostic::{Diagnostic, Lang, Severity, SourceFile, Span, code};

fn list() -> Vec<Diagnostic> {
    let policy = SourceFile::new("policies/高龄/policy.yaml", "code: X\nwhen: 户籍年份 >= 80 且 agee >= 3\n");
    let register = SourceFile::new("policies/registers/population.yaml", "facts:\n  - name: age\n");
    let place = |file: &_, word: &str| {
        let file: &std::sync::Arc<SourceFile> = file;
        let start = file.text.find(word).expect("the word is in the file");
        Span::new(file, start..start + word.len())
    };
    vec![
        Diagnostic::new(&code::UNKNOWN_FACT, "没有事实“agee”", "there is no fact `agee`")
            .at(place(&policy, "agee"))
            .also(place(&policy, "户籍年份"), "这里是另一处", "another place")
            .also(place(&register, "age"), "这里声明了它", "declared here")
            .clause("第五条: 年满80周岁")
            .did_you_mean("agee", ["age"]),
        Diagnostic {
            severity: Severity::Warning,
            ..Diagnostic::new(&code::REGISTER_EMPTY, "库是空的: 100%", "the register is empty: 100%")
        },
    ]
}

#[track_caller]
fn check(format: Format, lang: Lang, expect: &str) {
    assert_eq!(render(&list(), format, lang, false), expect);
}

#[test]
fn full() {
    check(Format::Full, Lang::Zh, include_str!("tests/full.zh.txt"));
    check(Format::Full, Lang::En, include_str!("tests/full.en.txt"));
}

#[test]
fn concise() {
    check(
        Format::Concise,
        Lang::Zh,
        "policies/高龄/policy.yaml:2:20: MS1011 unknown-fact 没有事实“agee”\n\
         MS2005 register-empty 库是空的: 100%\n发现 1 处错误, 1 处警告\n",
    );
}

#[test]
fn github() {
    check(
        Format::Github,
        Lang::En,
        "::error file=policies/高龄/policy.yaml,line=2,col=20,endLine=2,endColumn=24,title=MS1011 unknown-fact::\
         there is no fact `agee`%0Adid you mean `age`?%0Aclause: 第五条: 年满80周岁\n\
         ::warning title=MS2005 register-empty::the register is empty: 100%25\n",
    );
}

#[test]
fn json() {
    let text = render(&list(), Format::Json, Lang::Zh, false);
    let entries: serde_json::Value = serde_json::from_str(&text).expect("the text is JSON");
    let first = &entries[0];
    assert_eq!(first["code"], "unknown-fact");
    assert_eq!(first["number"], "MS1011");
    assert_eq!(first["severity"], "error");
    assert_eq!(first["headline"]["zh"], "没有事实“agee”");
    assert_eq!(first["headline"]["en"], "there is no fact `agee`");
    assert_eq!((&first["line"], &first["column"]), (&2.into(), &20.into()));
    assert_eq!((&first["end_line"], &first["end_column"]), (&2.into(), &24.into()));
    assert_eq!(first["bytes"], serde_json::json!([37, 41]));
    assert_eq!(first["secondary"][1]["path"], "policies/registers/population.yaml");
    assert_eq!(first["help"][0]["en"], "did you mean `age`?");
    assert_eq!(first["clause"], "第五条: 年满80周岁");
    assert_eq!(entries[1].get("path"), None);
}

#[test]
fn nothing_found_is_said() {
    assert_eq!(render(&[], Format::Full, Lang::En, false), "nothing found\n");
    assert_eq!(render(&[], Format::Json, Lang::En, false), "[]\n");
    assert_eq!(render(&[], Format::Github, Lang::En, false), "");
}

#[test]
fn places_outside_the_file_are_shown_at_its_end() {
    let file = SourceFile::new("a.yaml", "年");
    for range in [0..0, 1..2, 3..3, 3..99, 99..100] {
        let diagnostic = Diagnostic::new(&code::WRONG_SHAPE, "不对", "wrong").at(Span::new(&file, range));
        for format in [Format::Full, Format::Concise, Format::Json, Format::Github] {
            assert!(render(std::slice::from_ref(&diagnostic), format, Lang::Zh, true).contains("MS1004"));
        }
    }
    let empty = SourceFile::new("b.yaml", "");
    let diagnostic = Diagnostic::new(&code::WRONG_SHAPE, "不对", "wrong").at(Span::new(&empty, 0..0));
    assert!(render(&[diagnostic], Format::Full, Lang::En, false).contains("wrong"));
}

#[test]
fn sarif() {
    let log: serde_json::Value = serde_json::from_str(&render(&list(), Format::Sarif, Lang::En, false)).expect("JSON");
    assert_eq!((log["version"].as_str(), log["runs"].as_array().map(Vec::len)), (Some("2.1.0"), Some(1)));
    let run = &log["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    assert_eq!(run["tool"]["driver"]["name"], "mianshen");
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 2);
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small")];
        assert_eq!(result["ruleId"], rule["id"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().expect("a level")));
        assert!(!result["message"]["text"].as_str().expect("a text").is_empty());
        assert!(!rule["help"]["markdown"].as_str().expect("a page").is_empty());
    }
    let place = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "policies/%E9%AB%98%E9%BE%84/policy.yaml");
    assert_eq!(place["region"], serde_json::json!({"startLine": 2, "startColumn": 20, "endLine": 2, "endColumn": 24}));
    assert_eq!(results[0]["relatedLocations"].as_array().map(Vec::len), Some(2));
    let change = &results[0]["fixes"][0]["artifactChanges"][0];
    assert_eq!(change["replacements"][0]["insertedContent"]["text"], "age");
    assert!(results[1].get("locations").is_none());
}
