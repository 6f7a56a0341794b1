//! `mianshen lsp`: a language server over stdin and stdout, for editors.

use std::path::{Path, PathBuf};

use super::{Context, Exit, check};
use crate::cases::Book;
use crate::diagnostic::{Diagnostic, code};
use crate::lsp::{Eyes, Options, Which, Workspace, serve};
use crate::yaml::Texts;

/// What the server is started with; a client can say the same with `initializationOptions`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// 政策文件夹; 缺省在编辑器打开的文件夹里找 / The policies folder; by default sought in the folders that the editor has open
    #[arg(long, value_name = "DIR")]
    pub policies: Option<PathBuf>,
    /// 样例登记库在哪里, 用来显示事实的分布 / Where the sample's registers are, to show how facts are spread
    #[arg(long, value_name = "FILE")]
    pub sources: Option<PathBuf>,
    /// 接受而不作用: 只用标准输入输出 / Accepted and without effect: stdin and stdout are all there is
    #[arg(long, hide = true)]
    pub stdio: bool,
}

/// Serves an editor until it leaves: clean when it said so, as the protocol has it.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let options = Options { policies: args.policies.clone(), sources: args.sources.clone(), lang: context.lang, eyes: EYES };
    match serve(options) {
        Ok(true) => Exit::Clean,
        Ok(false) => Exit::Findings,
        Err(error) => {
            let (zh, en) = (format!("与编辑器的连接断开: {error}"), format!("the connection to the editor broke: {error}"));
            context.tell(&[Diagnostic::new(&code::OUTPUT_FAILED, zh, en)]);
            Exit::Findings
        }
    }
}

/// `check`, lent to those who look at policies while the program runs on.
pub(super) const EYES: Eyes = Eyes { at_once, at_length };

/// A folder as `check` sees it, but for what takes long.
fn at_once(dir: &Path, texts: &Texts, closely: Which<'_>) -> Workspace {
    let check::Sight { folder, diagnostics, cases } = check::at_once(dir, texts, closely);
    let super::folder::PolicyFolder { dir, regions, registers, set, checked, .. } = folder;
    Workspace { dir, regions, registers, set, checked, cases, diagnostics }
}

/// What takes long.
fn at_length(workspace: &Workspace, texts: &Texts, of: Which<'_>) -> Vec<Diagnostic> {
    let book = Book::new(&workspace.checked, &workspace.set, &workspace.regions);
    check::at_length((&workspace.dir, texts), &book, &workspace.cases, of)
}
