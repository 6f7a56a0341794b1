//! What a folder of policies costs before the first subject is judged: read and checked, bound to a day, made a program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mianshen::check::bind::Binder;
use mianshen::check::ir::Expr;
use mianshen::check::{Checked, check};
use mianshen::policy::document::PolicySet;
use mianshen::program::Program;
use mianshen::region::RegionTree;
use mianshen::register::declaration::SubjectKind;
use mianshen::{policy, region, register};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

const POLICIES: [usize; 3] = [100, 1_000, 10_000];
const SEED: u64 = 1;
/// Half of the policies cover one of these counties, the others the city.
const CITY: &str = "990100";
const COUNTIES: [&str; 9] = ["990101", "990102", "990103", "990104", "990105", "990106", "990107", "990108", "990109"];
/// How many values each threshold takes: conditions repeat as those of real policies do.
const AGES: i64 = 40;
const MONTHS: i64 = 60;
const FACTORS: i64 = 20;

/// The repository's regions, registers and parameters, with made-up policies.
fn folder(policies: usize) -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
    fs::copy(shipped.join("regions.yaml"), dir.path().join("regions.yaml")).expect("regions copied");
    for name in ["registers", "parameters"] {
        fs::create_dir(dir.path().join(name)).expect("a folder made");
        for entry in fs::read_dir(shipped.join(name)).expect("a folder read") {
            let entry = entry.expect("an entry");
            fs::copy(entry.path(), dir.path().join(name).join(entry.file_name())).expect("a file copied");
        }
    }
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    for number in 0..policies {
        let folder = dir.path().join(format!("p{number:05}"));
        fs::create_dir(&folder).expect("a folder made");
        fs::write(folder.join("policy.yaml"), written(number, &mut random)).expect("a policy written");
    }
    dir
}

fn written(number: usize, random: &mut ChaCha8Rng) -> String {
    let region = if random.random_bool(0.5) { COUNTIES[random.random_range(0..COUNTIES.len())] } else { CITY };
    let (age, months, factor) = (random.random_range(0..AGES) + 16, random.random_range(0..MONTHS), random.random_range(0..FACTORS));
    let amount = random.random_range(1..100) * 10;
    format!(
        "code: 990100-MZ-{number:05}
name: {{zh: 津贴, en: Allowance}}
authority: {{code: 990100-MZ, name: 样例市民政局}}
covers: {{region: \"{region}\", by: hukou_region}}
subject: person
in_force: {{from: 2024-01-01}}
basis:
  - {{id: measures, title: 样例市津贴办法（样例）, status: sample}}
criteria:
  all:
    - {{id: age, clause: 年满规定周岁, basis: measures, when: age_at(month_end(as_of)) >= {age}}}
    - {{id: alive, clause: 去世的不再发给, basis: measures, when: not deceased}}
    - id: need
      clause: 收入在标准以下，或者重度残疾
      basis: measures
      when: household.household_income / household.household_size < param('subsistence_line') * 1.{factor:02} or severely_disabled
    - {{id: paid, clause: 缴费满规定月数, basis: measures, when: unemployment_months_total >= {months}}}
benefit: {{kind: cash, amount: {amount}, period: month}}
delivery: {{mode: confirm}}
"
    )
}

/// What reading and checking give.
struct Desk {
    set: PolicySet,
    regions: RegionTree,
    checked: Checked,
}

fn load(dir: &Path) -> Desk {
    let (set, mut told) = policy::load(dir);
    let (regions, more) = region::load(dir);
    told.extend(more);
    let (registers, more) = register::load(dir);
    told.extend(more);
    let (checked, more) = check(Arc::new(registers), &set.policies, &set.parameters, &regions);
    told.extend(more);
    assert!(told.is_empty(), "{:?}", told.first());
    Desk { set, regions, checked }
}

/// Covered, verdict and criteria of every policy, bound, computed facts written out.
fn bind(desk: &mut Desk) -> Vec<Expr> {
    let day = NaiveDate::from_ymd_opt(2026, 6, 30).expect("a day");
    let none = BTreeMap::new();
    let binder = Binder::new(day, None, &desk.set.parameters, &desk.regions, &none);
    let Checked { catalogue, policies } = &mut desk.checked;
    let mut ready = |expr: &Expr| binder.bind(&catalogue.expand(&binder.bind(expr), SubjectKind::Person, 0, &|_| false));
    let roots = policies
        .iter()
        .flat_map(|policy| [&policy.coverage, &policy.criteria].into_iter().chain(policy.leaves.iter().map(|(_, leaf)| leaf)));
    roots.map(&mut ready).collect()
}

fn compile(criterion: &mut Criterion) {
    for policies in POLICIES {
        let dir = folder(policies);
        let mut group = criterion.benchmark_group("policies");
        group.sample_size(10).throughput(Throughput::Elements(policies as u64));
        group.bench_function(BenchmarkId::new("load and check", policies), |bencher| bencher.iter(|| load(dir.path())));
        let mut desk = load(dir.path());
        group.bench_function(BenchmarkId::new("bind", policies), |bencher| bencher.iter(|| bind(&mut desk)));
        let roots = bind(&mut desk);
        let schema = desk.checked.catalogue.schema(SubjectKind::Person);
        group.bench_function(BenchmarkId::new("compile", policies), |bencher| {
            bencher.iter(|| Program::compile(&schema, &roots).expect("a program"));
        });
        group.finish();
    }
}

criterion_group!(benches, compile);
criterion_main!(benches);
