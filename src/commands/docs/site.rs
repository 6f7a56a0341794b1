//! `mianshen docs --site`: the policies folder as pages, written whole or not at all.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;

use super::{Args, LANGUAGE};
use crate::cases::table;
use crate::commands::folder::PolicyFolder;
use crate::commands::list::today;
use crate::commands::{Context, Exit};
use crate::diagnostic::{Diagnostic, code, has_errors};
use crate::eligibility::results::manifest::MANIFEST;
use crate::eligibility::results::staging::{Staging, recover};
use crate::report::site::{Page, Source, pages};

/// What a site was made of; by it a later run knows that it may put a new site in the place of an old one.
#[derive(Serialize)]
struct Manifest<'a> {
    /// `site`
    kind: &'static str,
    /// Version of the program.
    version: &'static str,
    /// The day that the pages are about.
    as_of: String,
    /// Number of pages.
    pages: usize,
    /// Every version of every policy, with the SHA-256 of its file.
    policies: Vec<(&'a str, i64, &'a str)>,
}

const KIND: &str = "site";

/// Writes the site, and says how many pages it has.
pub(super) fn run(out: &Path, args: &Args, context: &Context) -> Exit {
    let Some(as_of) = args.as_of.or_else(today) else {
        return context.fail(&[Diagnostic::new(&code::BAD_ARGUMENT, "时钟不可用, 请写 --as-of", "the clock cannot be read: give --as-of")]);
    };
    let folder = PolicyFolder::load(&args.policies);
    context.tell(&folder.diagnostics);
    let exit = Exit::of(&folder.diagnostics, false);
    if exit == Exit::Failed {
        return exit;
    }
    let read: Vec<_> = folder.set.policies.par_iter().map(|document| table::load_beside(document)).collect();
    let (cases, told): (Vec<_>, Vec<_>) = read.into_iter().unzip();
    let told: Vec<Diagnostic> = told.into_iter().flatten().collect();
    context.tell(&told);
    let source = Source {
        set: &folder.set,
        checked: &folder.checked,
        registers: &folder.registers,
        regions: &folder.regions,
        cases: &cases,
        as_of,
        language: LANGUAGE,
        stylesheet: None,
    };
    let pages = pages(&source);
    let policies = folder.set.policies.iter();
    let manifest = Manifest {
        kind: KIND,
        version: env!("CARGO_PKG_VERSION"),
        as_of: as_of.to_string(),
        pages: pages.len(),
        policies: policies.map(|policy| (policy.code.as_str(), policy.version, policy.sha256.as_str())).collect(),
    };
    if let Err(diagnostic) = write(out, &pages, &manifest) {
        return context.fail(&[*diagnostic]);
    }
    let (count, at) = (pages.len(), out.join("index.html"));
    let at = at.display();
    let text = context.pick(&format!("{count} 页, 从 {at} 看起\n"), &format!("{count} pages, to be read from {at}\n")).to_owned();
    // A policy with faults has its page, and the page says so: somebody should look.
    context.print(&text, if has_errors(&told) { exit.max(Exit::Findings) } else { exit })
}

fn write(out: &Path, pages: &[Page], manifest: &Manifest<'_>) -> Result<(), Box<Diagnostic>> {
    recover(out).map_err(Box::new)?;
    refuse_other_results(out)?;
    let staging = Staging::begin(out).map_err(Box::new)?;
    for page in pages {
        let one = || {
            let path = staging.path(&page.path);
            fs::create_dir_all(path.parent().unwrap_or(out))?;
            let mut file = File::create(path)?;
            file.write_all(page.html.as_bytes())?;
            file.sync_all()
        };
        one().map_err(|error| Box::new(staging.failed(&page.path, &error)))?;
    }
    staging.write_json(MANIFEST, manifest).map_err(Box::new)?;
    staging.finish().map_err(Box::new)
}

/// A site gives way to a site; what another verb wrote stays.
fn refuse_other_results(out: &Path) -> Result<(), Box<Diagnostic>> {
    let Ok(text) = fs::read_to_string(out.join(MANIFEST)) else { return Ok(()) };
    let kind = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|manifest| manifest["kind"].as_str().map(str::to_owned));
    if kind.as_deref() == Some(KIND) {
        return Ok(());
    }
    let at = out.display();
    Err(Box::new(
        Diagnostic::new(&code::OUTPUT_FAILED, format!("{at} 里是别的结果，不覆盖"), format!("{at} holds other results, and is left alone"))
            .help("用 --site 另选一个不存在或空的目录", "choose with --site a directory that does not exist or is empty"),
    ))
}
