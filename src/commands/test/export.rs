//! `mianshen test --export`: the cases of one policy as a table.

use std::path::Path;

use super::Planned;
use crate::cases::{Book, ResolvedCase, table};
use crate::commands::{Context, Exit};
use crate::diagnostic::{Diagnostic, code};

/// Writes the table.
pub(super) fn run(book: &Book<'_>, path: &Path, planned: &[Planned], context: &Context) -> Exit {
    let bad = |zh: &str, en: &str| context.fail(&[Diagnostic::new(&code::BAD_ARGUMENT, zh, en)]);
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    if !matches!(ending.as_deref(), Some("csv" | "xlsx")) {
        return bad("--export 的文件要以 .xlsx 或 .csv 结尾", "the file of --export must end in .xlsx or .csv");
    }
    let Some(first) = planned.first() else { return bad("没有案例可写", "there are no cases to write") };
    if planned.iter().any(|other| other.document.code != first.document.code) {
        return bad("一个表格只写一项政策: 用 --policy 指定", "a table holds one policy: name it with --policy");
    }
    if planned.iter().any(|planned| !planned.case.complete) {
        return bad("案例的事实有错误, 先改正: mianshen check", "the facts of some cases have errors; mend them first: mianshen check");
    }
    let (in_table, others): (Vec<&ResolvedCase>, Vec<&ResolvedCase>) =
        planned.iter().map(|planned| &planned.case).partition(|case| case.case.registers.is_none());
    if let Err(diagnostic) = table::write(path, &first.document, &in_table, book.catalogue(), context.lang) {
        return context.fail(&[*diagnostic]);
    }
    let (written, left) = (in_table.len(), others.len());
    let mut said = match context.pick("zh", "en") {
        "zh" => format!("{}  {written} 个案例\n", path.display()),
        _ => format!("{}  {written} cases\n", path.display()),
    };
    if left > 0 {
        said.push_str(&match context.pick("zh", "en") {
            "zh" => format!("另有 {left} 个用登记库的案例, 表格里写不下\n"),
            _ => format!("{left} cases about registers have no place in a table\n"),
        });
    }
    context.print(&said, Exit::Clean)
}
