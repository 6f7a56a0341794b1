//! `tests/book`: faulty policies, each told by the named code at the named place in both languages.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::run;

/// A page: prose, files in fenced blocks, and what is told of them.
struct Page {
    path: PathBuf,
    text: String,
    /// Arguments beside the folder.
    arguments: Vec<String>,
    /// Name and text of each file.
    files: Vec<(String, String)>,
    expect: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/book")
}

fn pages() -> Vec<Page> {
    let entries = fs::read_dir(folder()).expect("the book").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect();
    paths.sort();
    paths.into_iter().map(page).collect()
}

fn page(path: PathBuf) -> Page {
    let text = fs::read_to_string(&path).expect("UTF-8");
    let mut page = Page { path, arguments: Vec::new(), files: Vec::new(), expect: String::new(), text: text.clone() };
    for (number, block) in text.split("```").enumerate().filter(|(number, _)| number % 2 == 1) {
        let (head, body) = block.split_once('\n').unwrap_or_else(|| panic!("{}: block {number}", page.path.display()));
        match head.split_once(' ') {
            Some(("yaml", name)) => page.files.push((name.to_owned(), body.to_owned())),
            Some(("sh", arguments)) => page.arguments = arguments.split(' ').map(str::to_owned).collect(),
            _ if head == "text" => page.expect = body.to_owned(),
            _ => panic!("{}: what is ```{head}", page.path.display()),
        }
    }
    page
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() { copy(&path, &target) } else { fs::copy(&path, target).map(drop).expect("copied") }
    }
}

/// What is told of a page, in the form in which pages have it.
fn told(page: &Page) -> String {
    let dir = tempfile::tempdir().expect("a folder");
    copy(&folder().join("world"), dir.path());
    for (name, text) in &page.files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    }
    let mut arguments = vec!["check", "--policies", dir.path().to_str().expect("UTF-8"), "--format", "json"];
    arguments.extend(page.arguments.iter().map(String::as_str));
    let found = run(&arguments);
    let told: serde_json::Value = serde_json::from_str(&found.stdout).unwrap_or_else(|error| panic!("{error}: {}", found.stderr));
    let told = told.as_array().expect("a list");
    let findings = told.iter().map(|one| {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let path = text(&one["path"]);
        let path = Path::new(&path).strip_prefix(dir.path()).map_or(path.clone(), |path| path.display().to_string());
        let place = if path.is_empty() { String::new() } else { format!("{path}:{}:{} ", one["line"], one["column"]) };
        let (severity, number, code) = (text(&one["severity"]), text(&one["number"]), text(&one["code"]));
        let (zh, en) = (text(&one["headline"]["zh"]), text(&one["headline"]["en"]));
        format!("{place}{severity} {number} {code}\n  {zh}\n  {en}\n")
    });
    findings.collect()
}

#[test]
fn every_fault_is_told_at_its_place() {
    let pages = pages();
    assert!(pages.len() >= 60, "{} pages", pages.len());
    let mut wrong = Vec::new();
    for page in &pages {
        let told = told(page);
        assert!(!told.is_empty(), "{}: nothing was told", page.path.display());
        if told == page.expect {
            continue;
        }
        if std::env::var_os("UPDATE").is_some() {
            let start = page.text.find("```text\n").expect("a block of what is told") + "```text\n".len();
            fs::write(&page.path, format!("{}{told}```\n", &page.text[..start])).expect("written");
        }
        wrong.push(format!("{}\n--- expected\n{}--- told\n{told}", page.path.display(), page.expect));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
