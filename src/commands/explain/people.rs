//! One policy across people: who fails which criterion, and how far off.

use std::sync::Arc;

use super::subject::{as_of, not_in_force};
use super::{Args, law, policy_missing};
use crate::commands::Context;
use crate::commands::folder::PolicyFolder;
use crate::commands::match_registers::{all_cores, start};
use crate::commands::progress::Bar;
use crate::diagnostic::progress::Progress;
use crate::diagnostic::{Diagnostic, code};
use crate::dossier::build::{Request, build};
use crate::dossier::{DossierError, Options};
use crate::explain::why_not::{Counting, WhyNot};
use crate::register::Sources;

/// Counts why people do not get a policy.
///
/// # Errors
///
/// When the policy is not in force, or a register cannot be read.
pub(super) fn explain(folder: &PolicyFolder, args: &Args, context: &Context) -> Result<WhyNot, Vec<Diagnostic>> {
    let code = args.wanted().ok_or_else(policy_missing)?;
    let sources = Sources::load(&args.sources)?;
    let as_of = as_of(args, &sources)?;
    let law = law(folder, (as_of, as_of));
    let policy = law.on(as_of).get(code).ok_or_else(|| not_in_force(code, as_of, &law))?;
    let binder = law.binder(as_of);
    let mut catalogue = folder.checked.catalogue.clone();
    let (counting, facts) = Counting::new(policy, &mut catalogue, &binder)
        .map_err(|error| vec![Diagnostic::new(&code::INTERNAL, format!("编译失败: {error}"), format!("cannot be compiled: {error}"))])?;
    let failed = |error: DossierError| vec![error.into_diagnostic()];
    let (runtime, cancel) =
        start(all_cores(), context).map_err(|_| vec![Diagnostic::new(&code::INTERNAL, "开不了线程", "threads cannot be started")])?;
    let bar = Arc::new(Bar::new(context));
    let allow_missing = args.absent();
    let request = Request {
        catalogue: &mut catalogue,
        binder: &binder,
        facts,
        kinds: vec![policy.document.subject],
        each: Vec::new(),
        sources: &sources,
        allow_missing: &allow_missing,
        options: Options::new(all_cores(), std::env::temp_dir()),
        progress: Arc::clone(&bar) as Arc<dyn Progress>,
        cancel,
    };
    let counts = runtime.block_on(async {
        let dossiers = build(request).await?;
        counting.count(&dossiers, policy)
    });
    bar.clear();
    Ok(counting.told(&counts.map_err(failed)?, policy, as_of, args.smallest_cell))
}
