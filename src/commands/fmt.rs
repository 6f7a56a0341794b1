//! `mianshen fmt`: the canonical format of policy files; comments stay.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::context::LangArg;
use super::{Context, Exit};
use crate::diagnostic::{Diagnostic, Lang, code};
use crate::policy;

/// What to format.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// 文件或文件夹 / Files or folders
    #[arg(value_name = "PATH", default_value = "policies")]
    pub paths: Vec<PathBuf>,
    /// 不改文件, 只列出要改的; 有则退出码为 1 / Change nothing, name the files that would change; exit 1 when there are any
    #[arg(long)]
    pub check: bool,
    /// 不改文件, 只显示会改什么; 有则退出码为 1 / Change nothing, show what would change; exit 1 when anything would
    #[arg(long)]
    pub diff: bool,
    /// 表达式里运算符和函数的语言 / The language of operators and functions in expressions
    #[arg(long, value_enum, default_value_t = LangArg::En)]
    pub words: LangArg,
}

/// Formats files, and names those that changed.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let (mut diagnostics, mut text, mut changed) = (Vec::new(), String::new(), 0_usize);
    let words = if args.words == LangArg::Zh { Lang::Zh } else { Lang::En };
    for path in args.paths.iter().flat_map(|path| files(path)) {
        match one(&path, words, args) {
            Ok(None) => {}
            Ok(Some(shown)) => {
                changed += 1;
                text.push_str(&shown);
            }
            Err(told) => diagnostics.extend(told),
        }
    }
    context.tell(&diagnostics);
    let found = if changed > 0 && (args.check || args.diff) { Exit::Findings } else { Exit::Clean };
    context.print(&text, found.max(Exit::of(&diagnostics, false)))
}

/// The files of a path; what is no folder is a file.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() { policy::yaml_files(path) } else { vec![path.to_owned()] }
}

/// Formats one file; what to show of it, or nothing where it is in order.
fn one(path: &Path, words: Lang, args: &Args) -> Result<Option<String>, Vec<Diagnostic>> {
    let (file, _) = policy::read_file(path).map_err(|diagnostic| vec![*diagnostic])?;
    let formatted = policy::format(&file, words)?;
    if !formatted.changed {
        return Ok(None);
    }
    let name = path.display().to_string();
    if args.diff {
        let lines = similar::TextDiff::from_lines(&file.text, &formatted.text);
        return Ok(Some(lines.unified_diff().context_radius(2).header(&name, &name).to_string()));
    }
    if !args.check {
        write(path, &formatted.text).map_err(|error| {
            let (zh, en) = (format!("写不了 {name}: {error}"), format!("cannot write {name}: {error}"));
            vec![Diagnostic::new(&code::OUTPUT_FAILED, zh, en)]
        })?;
    }
    Ok(Some(name + "\n"))
}

/// Puts a text in the place of a file in one step, with the file's permissions: it is never there by half.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    // A link stays a link: what it leads to is written.
    let path = fs::canonicalize(path)?;
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    fs::set_permissions(file.path(), fs::metadata(&path)?.permissions())?;
    file.persist(&path)?;
    Ok(())
}
