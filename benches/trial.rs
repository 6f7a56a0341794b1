//! The rule bench: how long from an edit to its answer, on dossiers of a whole city that are held.
//!
//! `SOURCES` names the `sources.yaml` of a city (default: the sample). Each edit is tried three times; seconds are told for the
//! best of them, in all and by stage.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use mianshen::commands::folder::PolicyFolder;
use mianshen::diagnostic::progress::{Cancel, Silent};
use mianshen::dossier::{DossierError, Options};
use mianshen::register::Sources;
use mianshen::simulate::Law;
use mianshen::simulate::trial::{Bench, Edit, Holding, Telling, Text};

/// Edits: the file of a policy, what is written otherwise; or a parameter that is set.
const EDITS: [(&str, &str, &str); 4] = [
    ("990100/old-age-allowance/policy.yaml", ">= 80", ">= 75"),
    ("990100/senior-health-check/policy.yaml", ">= 65", ">= 60"),
    ("", "subsistence_line=+10%", ""),
    ("", "old_age_allowance_80=+10%", ""),
];

const ROUNDS: usize = 3;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sources = std::env::var("SOURCES").unwrap_or_else(|_| root.join("data-samples/sources.yaml").to_string_lossy().into_owned());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    let folder = PolicyFolder::load(&root.join("policies"));
    let sources = Sources::load(Path::new(&sources)).expect("sources");
    let as_of = sources.sources.values().map(|source| source.data_day).max().expect("registers");
    let nothing = BTreeSet::new();
    let law = Law {
        documents: &folder.set.policies,
        checked: &folder.checked.policies,
        parameters: &folder.set.parameters,
        regions: &folder.regions,
        known_at: None,
    };
    let began = Instant::now();
    let holding = Holding {
        law,
        catalogue: &folder.checked.catalogue,
        as_of,
        sources: &sources,
        allow_missing: &nothing,
        options: Options::new(threads, std::env::temp_dir()),
        progress: Arc::new(Silent),
        cancel: Cancel::default(),
    };
    let bench = runtime.block_on(Bench::hold(holding)).map_err(DossierError::into_diagnostic).expect("the city can be held");
    println!("held in {:.1} s, {threads} threads", began.elapsed().as_secs_f64());
    for (file, old, new) in EDITS {
        let edit = if file.is_empty() {
            Edit { set: vec![old.to_owned()], ..Edit::default() }
        } else {
            let path = root.join("policies").join(file);
            let text = std::fs::read_to_string(&path).expect("a policy");
            assert!(text.contains(old), "{file} has no `{old}`");
            Edit { policies: vec![Text { path, text: text.replacen(old, new, 1) }], ..Edit::default() }
        };
        let best = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                let trial = runtime.block_on(bench.trial(&edit, Telling { least: 5, people: 2 })).expect("a trial");
                (began.elapsed().as_secs_f64(), trial)
            })
            .min_by(|one, other| one.0.total_cmp(&other.0))
            .expect("a round");
        let (seconds, trial) = best;
        let dossiers: u64 = trial.results.judged.iter().sum();
        let name = if file.is_empty() { old } else { file };
        println!(
            "{seconds:.3} s  {name}: {dossiers} dossiers, {} policies judged, {} reached",
            trial.results.policies.len(),
            trial.reached.len()
        );
        println!(
            "         {}",
            trial.seconds.iter().map(|(stage, seconds)| format!("{stage} {seconds:.3}")).collect::<Vec<_>>().join(", ")
        );
    }
}
