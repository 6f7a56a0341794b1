//! `--snapshot`: registers that did not change are not read again, and nobody can tell from the results.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::outcome::{Outcome, POLICIES, SAMPLE, bytes, copy_of_sample, differing, rewrite, text_of};
use super::support::{Policies, run};

/// A copy of the sample's registers, and a snapshot beside it.
struct Night {
    folder: TempDir,
}

impl Night {
    fn new() -> Self {
        Self { folder: copy_of_sample() }
    }

    fn register(&self, file: &str) -> PathBuf {
        self.folder.path().join("city").join(file)
    }

    fn snapshot(&self) -> PathBuf {
        self.folder.path().join("snapshot")
    }

    fn parts(&self) -> Vec<PathBuf> {
        let parts = fs::read_dir(self.snapshot().join("parts")).expect("there are parts");
        let mut parts: Vec<PathBuf> = parts.map(|part| part.expect("a part").path()).collect();
        parts.sort();
        parts
    }

    fn of(&self, policies: &str, further: &[&str]) -> Outcome {
        let sources = self.register("sources.yaml");
        Outcome::of(&[&["--policies", policies, "--sources", text_of(&sources)], further].concat())
    }

    fn with_snapshot(&self, policies: &str, further: &[&str]) -> Outcome {
        let snapshot = self.snapshot();
        self.of(policies, &[&["--snapshot", text_of(&snapshot)], further].concat())
    }

    /// Runs with the snapshot and without: the results must be the same to the bit. Gives how many registers were taken from the
    /// snapshot, of how many.
    #[track_caller]
    fn check(&self, policies: &str, further: &[&str]) -> (usize, usize) {
        let (with, without) = (self.with_snapshot(policies, further).clean(), self.of(policies, further).clean());
        assert_eq!(differing(&without.bytes(), &with.bytes()), Vec::<String>::new(), "{further:?}");
        taken(&with)
    }

    /// Takes a row away from a register.
    fn shorten(&self, file: &str) {
        rewrite(&self.register(file), |batch| batch.slice(0, batch.num_rows() - 1));
    }
}

/// How many registers were taken from the snapshot, of how many.
#[track_caller]
fn taken(outcome: &Outcome) -> (usize, usize) {
    let told = outcome.run.stdout.split("registers from the snapshot ").nth(1).expect("it is told");
    let (taken, all) = told.split(' ').next().and_then(|told| told.trim().split_once('/')).expect("of how many");
    (taken.parse().expect("a number"), all.parse().expect("a number"))
}

#[test]
fn the_same_registers_are_not_read_again() {
    let night = Night::new();
    let (first, all) = night.check(POLICIES, &[]);
    assert_eq!(first, 0);
    assert!(all > 20, "{all}");
    assert_eq!(night.check(POLICIES, &[]), (all, all));
    assert_eq!(night.check(POLICIES, &["--threads", "1", "--memory", "1MiB"]), (all, all));
    assert_eq!(night.check(POLICIES, &["--shards", "3"]), (all, all));
}

#[test]
fn a_register_that_changed_is_read_and_no_other() {
    let night = Night::new();
    let (_, all) = night.check(POLICIES, &[]);
    night.shorten("pension_benefits.parquet");
    assert_eq!(night.check(POLICIES, &[]), (all - 1, all));
    assert_eq!(night.check(POLICIES, &[]), (all, all));
    let cards = night.register("disability_cards.csv");
    let text = fs::read(&cards).expect("a file");
    let end = text[..text.len() - 1].iter().rposition(|byte| *byte == b'\n').expect("lines") + 1;
    fs::write(&cards, &text[..end]).expect("written");
    assert_eq!(night.check(POLICIES, &[]), (all - 1, all));
    // Other bytes of the same length.
    let path = night.register("vehicles.parquet");
    rewrite(&path, |batch| batch);
    let before = fs::metadata(&path).expect("a file").len();
    night.check(POLICIES, &[]);
    rewrite(&path, |batch| batch.slice(0, batch.num_rows()));
    let mut changed = fs::read(&path).expect("a file");
    assert_eq!(changed.len() as u64, before);
    // A byte of the name of who wrote it, or of the file's other words: of one that can be changed and the file still be read.
    let name = b"parquet-rs";
    let at = changed.windows(name.len()).position(|window| window == name).expect("who wrote it");
    changed[at] = b'q';
    fs::write(&path, changed).expect("written");
    assert_eq!(night.check(POLICIES, &[]), (all - 1, all));
}

#[test]
fn whichever_register_changes_nobody_can_tell() {
    let night = Night::new();
    let (_, all) = night.check(POLICIES, &[]);
    let registers = bytes(Path::new(SAMPLE)).into_keys().filter(|file| file.ends_with(".parquet"));
    let mut all_read = 0;
    for register in registers {
        rewrite(&night.register(&register), |batch| batch.slice(batch.num_rows() / 2, batch.num_rows().div_ceil(2)));
        let (taken, _) = night.check(POLICIES, &[]);
        all_read += all - taken;
    }
    assert!(all_read > all, "{all_read} readings of {all} registers");
}

#[test]
fn where_others_are_listed_everything_about_them_is_read() {
    let night = Night::new();
    let (_, all) = night.check(POLICIES, &[]);
    night.shorten("legal_entity.parquet");
    let (taken, _) = night.check(POLICIES, &[]);
    assert!(taken > all / 2 && taken < all - 1, "{taken} of {all}");
    night.shorten("population.parquet");
    let (taken, _) = night.check(POLICIES, &[]);
    assert!(taken > 0 && taken < all / 2, "{taken} of {all}");
    assert_eq!(night.check(POLICIES, &[]), (all, all));
    // Who is who changes where every row belongs.
    night.shorten("identity_links.parquet");
    assert_eq!(night.check(POLICIES, &[]), (0, all));
}

#[test]
fn other_policies_find_what_the_first_ones_asked_for() {
    let night = Night::new();
    let (_, all) = night.check(POLICIES, &[]);
    let policies = Policies::new();
    policies.replace("990100/old-age-allowance/policy.yaml", ">= 80", ">= 75");
    assert_eq!(night.check(policies.dir(), &[]), (all, all));
    // Fewer are asked, then all again.
    let few = night.check(POLICIES, &["--policy", "990100-MZ-0007"]);
    assert_eq!(few.0, few.1);
    assert_eq!(night.check(POLICIES, &["--region", "990102"]), (all, all));
    let (taken, _) = night.check(POLICIES, &["--allow-missing", "vehicles"]);
    assert!(taken > all / 2, "{taken} of {all}");
}

#[test]
fn another_day_reads_what_speaks_of_the_day() {
    let night = Night::new();
    let (_, all) = night.check(POLICIES, &["--as-of", "2026-06-30"]);
    let (taken, _) = night.check(POLICIES, &["--as-of", "2026-07-15"]);
    assert!(taken > 0 && taken < all, "{taken} of {all}");
    // Back again: what was read for a later day says nothing of an earlier one.
    night.check(POLICIES, &["--as-of", "2026-06-30"]);
    night.check(POLICIES, &["--as-of", "2026-02-28"]);
    night.check(POLICIES, &["--as-of", "2028-02-29"]);
    night.check(POLICIES, &["--as-of", "2026-06-30"]);
}

#[test]
fn a_part_that_is_spoiled_is_read_again_and_mended() {
    let night = Night::new();
    let (_, all) = night.check(POLICIES, &[]);
    let parts = night.parts();
    let of = |name: &str| parts.iter().find(|part| text_of(part).contains(name)).expect("a part");
    fs::write(of("housing."), "junk").expect("written");
    let mut flipped = fs::read(of("subjects.person")).expect("a part");
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    fs::write(of("subjects.person"), flipped).expect("written");
    fs::remove_file(of("income_assessment.read")).expect("a part");
    let spoiled = night.with_snapshot(POLICIES, &[]).clean();
    assert!(spoiled.run.stderr.contains("snapshot-unfit") && spoiled.run.stderr.contains("housing."), "{}", spoiled.run.stderr);
    assert_eq!(taken(&spoiled), (all - 2, all));
    assert!(night.parts() == parts, "all parts are there again, under their names");
    assert_eq!(night.check(POLICIES, &[]), (all, all));
    fs::write(night.snapshot().join("snapshot.json"), "{").expect("written");
    assert_eq!(night.check(POLICIES, &[]), (0, all));
    assert_eq!(night.check(POLICIES, &[]), (all, all));
}

#[test]
fn what_nobody_asks_for_any_more_goes() {
    let night = Night::new();
    night.check(POLICIES, &[]);
    let parts = night.parts().len();
    // Of those who were listed before, nothing stays.
    night.shorten("population.parquet");
    night.check(POLICIES, &[]);
    assert_eq!(night.parts().len(), parts);
    // Months that ask for other windows leave parts behind, but not for ever.
    let mut most = 0;
    for day in ["2026-07-15", "2026-08-15", "2026-09-15"] {
        night.with_snapshot(POLICIES, &["--as-of", day]).clean();
        most = most.max(night.parts().len());
    }
    assert!(most > parts, "{most} parts");
    for _ in 0..9 {
        night.with_snapshot(POLICIES, &["--as-of", "2026-09-15"]).clean();
    }
    let other = Night::new();
    other.shorten("population.parquet");
    other.with_snapshot(POLICIES, &["--as-of", "2026-09-15"]).clean();
    assert_eq!(night.parts().len(), other.parts().len());
}

#[test]
fn simulations_readiness_and_dossiers_take_from_it_too() {
    let night = Night::new();
    let (sources, snapshot) = (night.register("sources.yaml"), night.snapshot());
    let (_, all) = night.check(POLICIES, &[]);
    let policies = Policies::new();
    policies.replace("990100/old-age-allowance/policy.yaml", ">= 80", ">= 75");
    let simulated = |name: &str, further: &[&str]| {
        let out = night.folder.path().join(name);
        let base = ["simulate", "--policies", POLICIES, "--against", policies.dir(), "--sources", text_of(&sources), "--lang", "en"];
        let ran = run(&[&base[..], &["--out", text_of(&out)], further].concat());
        assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
        (bytes(&out), ran.stdout.replace(text_of(&out), "OUT"))
    };
    let (with, without) = (simulated("with", &["--snapshot", text_of(&snapshot)]), simulated("without", &[]));
    assert_eq!(with.1, without.1);
    let differ = differing(&without.0, &with.0);
    assert!(differ.iter().all(|name| name == "timings.json"), "{differ:?}");
    let readiness = |further: &[&str]| {
        let base = ["readiness", "--policies", POLICIES, "--sources", text_of(&sources), "--registers", "--format", "json"];
        let ran = run(&[&base[..], further].concat());
        assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
        ran.stdout
    };
    assert_eq!(readiness(&["--snapshot", text_of(&snapshot)]), readiness(&[]));
    let dossiers = |name: &str, further: &[&str]| {
        let out = night.folder.path().join(name);
        let base = ["dossier", "--policies", POLICIES, "--sources", text_of(&sources), "--out", text_of(&out)];
        let ran = run(&[&base[..], further].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        bytes(&out)
    };
    let plain = dossiers("plain", &[]);
    for name in ["first", "again"] {
        assert_eq!(differing(&plain, &dossiers(name, &["--snapshot", text_of(&snapshot)])), Vec::<String>::new(), "{name}");
    }
    // What others asked for did not push out what the night asks for.
    assert_eq!(night.check(POLICIES, &[]), (all, all));
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let night = Night::new();
    let city = night.folder.path().join("city");
    let refused = night.of(POLICIES, &["--snapshot", text_of(&city)]);
    assert_eq!(refused.run.code, Some(2));
    assert!(refused.run.stderr.contains("holds something else, not a snapshot"), "{}", refused.run.stderr);
    assert_eq!(differing(&bytes(Path::new(SAMPLE)), &bytes(&city)), Vec::<String>::new());
}

#[test]
fn two_runs_do_not_share_it_at_a_time() {
    let night = Night::new();
    night.check(POLICIES, &[]);
    let held = File::open(night.snapshot().join("snapshot.lock")).expect("a lock");
    held.lock().expect("it is free");
    let refused = night.with_snapshot(POLICIES, &["--lang", "zh"]);
    assert_eq!(refused.run.code, Some(2));
    assert!(refused.run.stderr.contains("另一次运行正在用快照"), "{}", refused.run.stderr);
    drop(held);
    night.check(POLICIES, &[]);
}
