//! Random histories of a small city: after every turn, what stands is what a batch over the rows as they then are would find.

#![expect(clippy::type_complexity, reason = "what a history remembers has no name of its own")]

mod beside;
mod carried;
mod days;
mod policies;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Date32Array, RecordBatch, StringArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::NaiveDate;
use proptest::prelude::*;

use super::change::{Change, Image, Op, Origin};
use super::judge::{About, Ground, Judge, Judged, before_allocation};
use super::order::Order;
use super::standing::{self, Dictionary};
use super::state::State;
use super::turn::{Done, Taken};
use super::turns::Stream;
use crate::check::bind::{Binder, days};
use crate::check::{self, Checked, CheckedPolicy};
use crate::dossier::intake::IDENTITY_LINKS;
use crate::policy;
use crate::policy::document::{Exclusion, Keep, PolicySet};
use crate::region::RegionTree;
use crate::register::declaration::{Registers, SubjectKind, arrow_schema};
use crate::register::quarantine::Quarantined;
use crate::register::{HeldRows, ReadOptions, Sources};
use crate::sample::{SampleOptions, generate};
use crate::store::fill::FillError;
use crate::store::live::{Fence, Live, LiveState};
use crate::store::{Address, StoredSubject};

struct City {
    set: PolicySet,
    regions: RegionTree,
    checked: Checked,
    registers: Arc<Registers>,
    sources: Sources,
    /// Rows one by one, by register.
    rows: BTreeMap<String, Vec<RecordBatch>>,
    /// Subjects of whom a row is in quarantine.
    set_aside: BTreeMap<String, Vec<String>>,
    as_of: NaiveDate,
    _folder: tempfile::TempDir,
}

static CITY: LazyLock<City> = LazyLock::new(|| {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    let (set, _) = policy::load(&policies);
    let (regions, _) = crate::region::load(&policies);
    let mut registers = crate::register::load(&policies).0;
    // In so small a city nobody may be in a register.
    registers.registers.values_mut().for_each(|declared| declared.may_be_empty = true);
    let registers = Arc::new(registers);
    let (checked, _) = check::check(Arc::clone(&registers), &set.policies, &set.parameters, &regions);
    let folder = tempfile::tempdir().expect("a folder");
    let day = NaiveDate::from_ymd_opt(2026, 6, 30).expect("a day");
    let options = SampleOptions { persons: 150, seed: 7, data_day: day, small_sample: true };
    generate(&options, folder.path(), &|_| {}).expect("a city");
    let sources = Sources::load(&folder.path().join("sources.yaml")).expect("its sources");
    let as_of = sources.sources.values().map(|source| source.data_day).max().expect("a day");
    let (mut rows, mut set_aside) = (BTreeMap::new(), BTreeMap::new());
    for declared in registers.registers.values() {
        let Some(source) = sources.get(&declared.name) else { continue };
        let mut reader = crate::register::open(declared, source, &regions, &ReadOptions::default()).expect("opened");
        let batches: Vec<RecordBatch> = reader.by_ref().map(|batch| batch.expect("read")).collect();
        let entries = reader.into_outcome().quarantine.entries;
        let whole = entries.into_iter().filter(Quarantined::leaves_doubt);
        set_aside.insert(declared.name.clone(), whole.filter_map(|entry| entry.subject).collect());
        let single = batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1)));
        rows.insert(declared.name.clone(), single.collect());
    }
    City { set, regions, checked, registers, sources, rows, set_aside, as_of, _folder: folder }
});

/// What was told of rows, in the order of delivery.
#[derive(Default)]
struct Told {
    /// By register: what identifies the row, order, the row or that it is gone.
    all: BTreeMap<String, Vec<(Vec<String>, Order, Option<RecordBatch>)>>,
}

impl Told {
    fn hear(&mut self, change: &Change) {
        let keys = |image: &Image| key(&change.register, &image.batch);
        let all = self.all.entry(change.register.to_string()).or_default();
        let repeats = CITY.registers.registers[&*change.register].unique.is_empty();
        if let Some(before) = &change.before {
            let after = change.after.as_ref().map(keys);
            if after != Some(keys(before)) {
                all.push((keys(before), change.order, None));
            } else if repeats {
                return;
            }
        }
        if let Some(after) = &change.after {
            all.push((keys(after), change.order, Some((*after.batch).clone())));
        }
    }

    /// Hears of all rows of the city, as a load tells them.
    fn load(&mut self) -> Vec<Change> {
        let all = CITY.rows.iter().flat_map(|(register, rows)| rows.iter().map(move |row| (register, row)));
        let load: Vec<Change> = all.map(|(register, row)| change(register, Order::LOADED, None, Some(row), 0)).collect();
        for change in &load {
            self.hear(change);
        }
        load
    }

    /// The rows as they are now.
    fn rows(&self) -> BTreeMap<String, Vec<RecordBatch>> {
        let mut now = BTreeMap::new();
        for (register, told) in &self.all {
            let mut by_key: BTreeMap<&Vec<String>, BTreeMap<(Order, bool, usize), &RecordBatch>> = BTreeMap::new();
            let repeats = CITY.registers.registers[register].unique.is_empty();
            let mut there: Vec<RecordBatch> = Vec::new();
            let mut orders: BTreeMap<&Vec<String>, Vec<(Order, bool, usize)>> = BTreeMap::new();
            for (at, (key, order, row)) in told.iter().enumerate() {
                let loaded = if *order == Order::LOADED { at } else { 0 };
                let entry = (*order, row.is_some(), loaded);
                let known = orders.entry(key).or_default();
                if !known.contains(&entry) {
                    known.push(entry);
                }
                if let Some(row) = row {
                    by_key.entry(key).or_default().entry(entry).or_insert(row);
                }
            }
            for (key, mut known) in orders {
                known.sort_unstable();
                let mut alive: Vec<&RecordBatch> = Vec::new();
                for entry in known {
                    match (entry.1, repeats) {
                        (true, true) => alive.push(by_key[key][&entry]),
                        (false, true) => drop(alive.pop()),
                        (true, false) => alive = vec![by_key[key][&entry]],
                        (false, false) => alive.clear(),
                    }
                }
                there.extend(alive.into_iter().cloned());
            }
            now.insert(register.clone(), there);
        }
        now
    }
}

/// What identifies a row, as texts; all of it where rows may repeat.
fn key(register: &str, row: &RecordBatch) -> Vec<String> {
    let declared = &CITY.registers.registers[register];
    let options = FormatOptions::default();
    let text = |column: &ArrayRef| ArrayFormatter::try_new(column, &options).expect("a column").value(0).to_string();
    if declared.unique.is_empty() {
        return row.columns().iter().map(text).collect();
    }
    declared.unique.iter().map(|name| text(row.column_by_name(name).expect("a column"))).collect()
}

fn image(row: &RecordBatch) -> Image {
    Image { batch: Arc::new(row.clone()), row: 0, whole: true }
}

fn change(register: &str, order: Order, before: Option<&RecordBatch>, after: Option<&RecordBatch>, position: i64) -> Change {
    let op = match (before, after) {
        (_, None) => Op::Delete,
        (None, _) => Op::Insert,
        _ => Op::Update,
    };
    let origin = Origin { source: "test".into(), partition: 0, position, next: position + 1 };
    Change { register: register.into(), origin, order, op, before: before.map(image), after: after.map(image) }
}

/// A row with one value of another row of its register.
fn with(row: &RecordBatch, column: usize, other: &RecordBatch) -> RecordBatch {
    let mut columns = row.columns().to_vec();
    columns[column] = Arc::clone(other.column(column));
    RecordBatch::try_new(row.schema(), columns).expect("a row")
}

/// A row that says that one identifier stands for another.
fn identity_link(old: &str, new: &str, kind: &str) -> RecordBatch {
    let schema = arrow_schema(&CITY.registers.registers[IDENTITY_LINKS]);
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "old_id" => text(old),
        "new_id" => text(new),
        "kind" => text(kind),
        _ => Arc::new(Date32Array::from(vec![days(CITY.as_of) - 20])),
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).expect("a row")
}

/// What happens next in the city: numbers that choose.
type Step = [u32; 5];

/// Makes a change out of numbers and the rows as they are.
fn happens(step: Step, rows: &BTreeMap<String, Vec<RecordBatch>>, order: Order, position: i64) -> Change {
    let [what, which, row, other, column] = step.map(|number| number as usize);
    if what % 8 == 0 {
        let people = &CITY.rows["population"];
        let id = |at: usize| people[at % people.len()].column_by_name("person_id").expect("there").as_string::<i32>().value(0).to_owned();
        let kind = ["renumbered", "merged", "split"][which % 3];
        let (old, new) = (id(row), if other % 4 == 0 { "990101199001010017".to_owned() } else { id(other) });
        let link = identity_link(&old, &new, kind);
        let known = rows.get(IDENTITY_LINKS).filter(|rows| !rows.is_empty());
        return match known {
            Some(known) if column % 3 == 0 => change(IDENTITY_LINKS, order, Some(&known[row % known.len()]), None, position),
            _ => change(IDENTITY_LINKS, order, None, Some(&link), position),
        };
    }
    // Registers that tie people together come up more often than the rest.
    let often = ["household_membership", "population", "legal_entity", "birth", "marriage", "employment_contracts"];
    let all: Vec<&String> = rows.iter().filter(|(_, rows)| !rows.is_empty()).map(|(name, _)| name).collect();
    let name = if which % 2 == 0 { often[(which / 2) % often.len()] } else { all[(which / 2) % all.len()] };
    let (now, ever) = (&rows[name], &CITY.rows[name]);
    let (now, ever) = if now.is_empty() { (ever, ever) } else { (now, if ever.is_empty() { now } else { ever }) };
    let (row, other) = (&now[row % now.len()], &ever[other % ever.len()]);
    match what % 8 {
        1 => change(name, order, Some(row), None, position),
        // Somebody who was there before comes back, or is told again.
        2 => change(name, order, None, Some(other), position),
        // Without the row as it was: what identifies it must stay.
        3 if !CITY.registers.registers[name].unique.is_empty() => {
            let after = with(row, column % row.num_columns(), other);
            let before = (key(name, &after) != key(name, row)).then_some(row);
            change(name, order, before, Some(&after), position)
        }
        _ => change(name, order, Some(row), Some(&with(row, column % row.num_columns(), other)), position),
    }
}

struct Bench<'a> {
    live: Arc<dyn Live>,
    fence: Fence,
    stream: Stream<'a>,
    position: Option<i64>,
}

fn ground<'a>(policies: &'a [CheckedPolicy], binder: &'a Binder<'a>) -> Ground<'a> {
    Ground {
        policies,
        catalogue: CITY.checked.catalogue.clone(),
        binder,
        data_days: CITY.sources.sources.iter().map(|(name, source)| (name.clone(), source.data_day)).collect(),
        allow_missing: BTreeSet::new(),
        held: BTreeSet::new(),
        scratch: std::env::temp_dir(),
        threads: 1,
    }
}

fn in_force() -> BTreeMap<String, CheckedPolicy> {
    in_force_on(CITY.as_of, &CITY.set, &CITY.checked)
}

fn in_force_on(day: NaiveDate, set: &PolicySet, checked: &Checked) -> BTreeMap<String, CheckedPolicy> {
    let chosen = policy::select(&set.policies, day, None);
    let runs = |policy: &&CheckedPolicy| chosen.iter().any(|document| document.complete && Arc::ptr_eq(document, &policy.document));
    checked.policies.iter().filter(runs).map(|policy| (policy.document.code.clone(), policy.clone())).collect()
}

/// A judge of a day. What it is made of is never given back: a test has few.
fn judge_by(set: &'static PolicySet, checked: &'static Checked, day: NaiveDate, state: &State) -> Judge<'static> {
    let policies = Box::leak(Box::new(before_allocation(in_force_on(day, set, checked)).0));
    let chosen = Vec::leak(policies.values().cloned().collect());
    let binder = Box::leak(Box::new(Binder::new(day, None, &set.parameters, &CITY.regions, policies)));
    let (data_days, allow_missing) = (state.data_days.clone(), state.allow_missing.clone());
    let ground = Ground { catalogue: checked.catalogue.clone(), data_days, allow_missing, ..ground(chosen, binder) };
    Judge::new(ground).map_err(crate::dossier::DossierError::into_diagnostic).expect("a judge")
}

/// A judge of the city's day by any policies; as above.
fn judge_by_policies(policies: BTreeMap<String, CheckedPolicy>) -> Judge<'static> {
    let policies = Box::leak(Box::new(before_allocation(policies).0));
    let chosen = Vec::leak(policies.values().cloned().collect());
    let binder = Box::leak(Box::new(Binder::new(CITY.as_of, None, &CITY.set.parameters, &CITY.regions, policies)));
    Judge::new(ground(chosen, binder)).map_err(crate::dossier::DossierError::into_diagnostic).expect("a judge")
}

async fn empty(folder: &Path) -> (Arc<dyn Live>, Fence) {
    let address = Address::parse(&folder.join("city.db").to_string_lossy()).expect("an address");
    let live = address.make().await.expect("a store").live().await.expect("its live part");
    let fence = live.lease("test", 0, i64::MAX / 2).await.expect("held");
    let fill = live.fill().await.expect("a generation");
    let state = State { dictionary: SOME_NAMES.clone(), ..State::default() };
    fill.finish(LiveState { as_of: CITY.as_of, body: state.write().expect("written") }, Vec::new()).await.expect("filled");
    (live, fence)
}

/// Something that bodies can be compressed against.
static SOME_NAMES: LazyLock<Dictionary> = LazyLock::new(|| {
    let codes: Vec<&str> = CITY.checked.policies.iter().map(|policy| policy.document.code.as_str()).collect();
    let packed = zstd::encode_all(codes.concat().as_bytes(), 1).expect("packed");
    Dictionary::of_text(&crate::hex::digits(&packed)).expect("a dictionary")
});

/// What bodies of the store are compressed against.
async fn dictionary(live: &dyn Live) -> Dictionary {
    let state = live.state().await.expect("read").and_then(|state| State::read(&state.body));
    state.map(|state| state.dictionary).unwrap_or_default()
}

impl Bench<'_> {
    async fn take(&mut self, changes: &[Change]) -> Done {
        let to = changes.iter().map(|change| change.origin.next).max().unwrap_or(0).max(self.position.unwrap_or(0));
        let step = crate::store::live::PositionStep { source: "test".to_owned(), partition: 0, from: self.position, to };
        let taken = Taken { changes: changes.to_vec(), positions: vec![step], at: 1, fence: self.fence.clone() };
        let done = self.stream.take(taken).await.expect("taken");
        self.position = Some(to);
        done
    }

    async fn standing(&self) -> Vec<StoredSubject> {
        let (mut all, dictionary) = (Vec::new(), dictionary(&*self.live).await);
        for kind in SubjectKind::ALL {
            for stands in self.live.standing_after(kind, None, 1_000_000).await.expect("read") {
                all.push(standing::read(kind, &stands.id, &stands.body, &dictionary).expect("sound"));
            }
        }
        all
    }
}

/// What a batch over rows finds.
async fn batch(judge: &mut Judge<'_>, bench: &Bench<'_>, rows: &BTreeMap<String, Vec<RecordBatch>>) -> Judged {
    let mut held = BTreeMap::new();
    for (name, rows) in rows.iter().filter(|(_, rows)| !rows.is_empty()) {
        let form = bench.stream.forms().of(name).expect("declared");
        let mut sorted: Vec<_> = rows.iter().flat_map(|row| form.take(row).expect("as declared")).collect();
        sorted.sort_by(|one, other| (&one.owner, &one.key, &one.held.bytes).cmp(&(&other.owner, &other.key, &other.held.bytes)));
        let batch = form.batch(sorted.iter().map(|row| &*row.held.bytes)).expect("rows");
        held.insert(name.clone(), HeldRows { batches: vec![batch], set_aside: Vec::new() });
    }
    judge.judge(held, &[], &About::default()).await.map_err(|error: FillError| error.into_diagnostic("test")).expect("judged")
}

fn all_of(judged: &Judged) -> Vec<StoredSubject> {
    judged.subjects().map(|subject| subject.expect("sound")).collect()
}

fn differing(found: &[StoredSubject], expected: &[StoredSubject]) -> Vec<String> {
    let by = |all: &[StoredSubject]| -> BTreeMap<(SubjectKind, String), StoredSubject> {
        all.iter().map(|subject| ((subject.kind, subject.id.clone()), subject.clone())).collect()
    };
    let (found, expected) = (by(found), by(expected));
    let ids: BTreeSet<_> = found.keys().chain(expected.keys()).cloned().collect();
    let differ = ids.into_iter().filter(|id| found.get(id) != expected.get(id));
    let told = differ.map(|id| {
        let (Some(found), Some(expected)) = (found.get(&id), expected.get(&id)) else {
            return format!("{id:?}: stands {}, batch {}", found.contains_key(&id), expected.contains_key(&id));
        };
        let facts: Vec<String> = found
            .facts
            .iter()
            .zip(&expected.facts)
            .filter(|(one, other)| one != other)
            .map(|(one, other)| format!("{} {:?} {:?}", one.name, one.state, other.state))
            .collect();
        let (found, expected) =
            (StoredSubject { facts: Vec::new(), ..found.clone() }, StoredSubject { facts: Vec::new(), ..expected.clone() });
        let rest = if found == expected { String::new() } else { format!("{found:?}\n{expected:?}") };
        format!("{id:?}: {facts:?} {rest}")
    });
    told.collect()
}

/// The loaded city, changed step by step. The number beside a step says whether it is told late, twice, or in its time. Gives the
/// identifiers that changed rows lie under, and those for whom something else stood after a turn.
fn history(turns: &[Vec<(Step, u8)>]) -> (BTreeSet<String>, BTreeSet<String>) {
    history_by(in_force(), turns)
}

/// The same by any policies.
fn history_by(policies: BTreeMap<String, CheckedPolicy>, turns: &[Vec<(Step, u8)>]) -> (BTreeSet<String>, BTreeSet<String>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    let (policies, _) = before_allocation(policies);
    let chosen: Vec<CheckedPolicy> = policies.values().cloned().collect();
    let binder = Binder::new(CITY.as_of, None, &CITY.set.parameters, &CITY.regions, &policies);
    let judge = || Judge::new(ground(&chosen, &binder)).map_err(crate::dossier::DossierError::into_diagnostic).expect("a judge");
    let (mut owners, mut moved) = (BTreeSet::new(), BTreeSet::new());
    runtime.block_on(async {
        let (live, fence) = empty(folder.path()).await;
        let stream = Stream::new(Arc::clone(&live), judge()).expect("a stream");
        let mut bench = Bench { live, fence, stream, position: None };
        let mut oracle = judge();
        let mut told = Told::default();
        let load = told.load();
        bench.take(&load).await;
        let expected = batch(&mut oracle, &bench, &told.rows()).await;
        let mut before = bench.standing().await;
        assert_eq!(differing(&before, &all_of(&expected)), Vec::<String>::new(), "the load");
        let mut held_back: Vec<Change> = Vec::new();
        let mut position = 1;
        // What has happened, whether it was told or not.
        let mut truth = Told::default();
        for change in &load {
            truth.hear(change);
        }
        for turn in turns {
            let mut changes = Vec::new();
            for (step, fate) in turn {
                position += 1;
                let happened = happens(*step, &truth.rows(), Order::timed(position, position), position);
                truth.hear(&happened);
                match fate % 6 {
                    0 => held_back.push(happened),
                    1 => changes.extend([happened.clone(), happened]),
                    2 => {
                        changes.push(happened);
                        changes.append(&mut held_back);
                    }
                    _ => changes.push(happened),
                }
            }
            for change in &changes {
                told.hear(change);
                let form = bench.stream.forms().of(&change.register).expect("declared");
                let images = change.before.iter().chain(&change.after);
                owners.extend(images.filter_map(|image| form.take(&image.batch).expect("as declared").remove(0).owner));
            }
            bench.take(&changes).await;
            let expected = batch(&mut oracle, &bench, &told.rows()).await;
            let after = bench.standing().await;
            assert_eq!(differing(&after, &all_of(&expected)), Vec::<String>::new(), "{turn:?}");
            carried::is_that_of_a_batch(&bench.stream, &expected);
            moved.extend(after.iter().filter(|subject| !before.contains(subject)).map(|subject| subject.id.clone()));
            before = after;
            // Whatever is forgotten is read anew when it is asked for.
            if position % 5 == 0 {
                bench.stream.gatherer.view.forget_unasked(Some(0));
            }
            if position % 3 > 0 {
                continue;
            }
            // After a crash behind the commit, another holder gets the same events once more.
            bench.stream = Stream::new(Arc::clone(&bench.live), judge()).expect("a stream");
            let again = bench.take(&changes).await;
            assert_eq!((again.changed, again.standing, again.cases), (0, 0, 0));
        }
    });
    (owners, moved)
}

fn long_history() -> Vec<Vec<(Step, u8)>> {
    let mut state = 1_u32;
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    (0..8).map(|_| (0..12).map(|_| (std::array::from_fn(|_| number()), number().to_le_bytes()[0])).collect()).collect()
}

/// What persons get rests on what their households get: by a policy that requires another, and by two that exclude each other.
fn tied() -> BTreeMap<String, CheckedPolicy> {
    let mut policies = in_force();
    let place = policies["990100-MZ-0007"].document.excludes[0].place.clone();
    let document = |code: &str| Arc::clone(&policies[code].document);
    let (mut old_age, mut check_up) = (document("990100-MZ-0007"), document("990100-WJ-0004"));
    Arc::make_mut(&mut old_age).requires.push(("990100-ZJ-0001".to_owned(), place.clone()));
    for household in ["990100-MZ-0001", "990100-ZJ-0001"] {
        let exclusion = Exclusion { policy: household.to_owned(), place: place.clone(), keep: Keep::Other };
        Arc::make_mut(&mut check_up).excludes.push(exclusion);
    }
    for document in [old_age, check_up] {
        let code = document.code.clone();
        policies.get_mut(&code).expect("in force").document = document;
    }
    policies
}

#[test]
fn a_household_is_judged_with_whom_its_policies_are_tied_to() {
    let stands = |policies| {
        let judged = days::runtime().block_on(async { judge_by_policies(policies).judge_on(&CITY.sources, &[], &About::default()).await });
        all_of(&judged.map_err(|error| error.into_diagnostic("test")).expect("judged"))
    };
    let (before, after) = (stands(in_force()), stands(tied()));
    let has = |subject: &StoredSubject| subject.grants.iter().any(|grant| &*grant.policy == "990100-WJ-0004");
    let both = before.iter().zip(&after).filter(|(one, other)| has(one) && !has(other));
    let excluded: Vec<String> = both.map(|(one, _)| one.id.clone()).collect();
    assert!(!excluded.is_empty(), "what some households get counts");
    history_by(tied(), &long_history());
    // An event that says something of one of these people alone: the household is judged beside.
    let folder = tempfile::tempdir().expect("a folder");
    let mut oracle = judge_by_policies(tied());
    days::runtime().block_on(async {
        let (live, fence) = empty(folder.path()).await;
        let stream = Stream::new(Arc::clone(&live), judge_by_policies(tied())).expect("a stream");
        let mut bench = Bench { live, fence, stream, position: None };
        let mut told = Told::default();
        bench.take(&told.load()).await;
        let people = &CITY.rows["population"];
        let id = |row: &RecordBatch| row.column_by_name("person_id").expect("there").as_string::<i32>().value(0).to_owned();
        let mut position = 1;
        for row in people.iter().filter(|row| excluded.contains(&id(row))).take(3) {
            for column in 1..row.num_columns() {
                let Some(other) = people.iter().find(|other| other.column(column) != row.column(column)) else { continue };
                for (before, after) in [(row.clone(), with(row, column, other)), (with(row, column, other), row.clone())] {
                    position += 1;
                    let change = change("population", Order::timed(position, position), Some(&before), Some(&after), position);
                    told.hear(&change);
                    bench.stream.forget();
                    bench.take(&[change]).await;
                    let expected = batch(&mut oracle, &bench, &told.rows()).await;
                    assert_eq!(differing(&bench.standing().await, &all_of(&expected)), Vec::<String>::new(), "{column} of {}", id(row));
                }
            }
        }
        assert!(position > 10, "{position} changes");
    });
}

#[test]
fn a_long_history_changes_what_stands_of_others_too() {
    let (owners, moved) = history(&long_history());
    assert!(moved.intersection(&owners).count() > 10, "those whose rows changed: {}", moved.len());
    assert!(moved.difference(&owners).count() > 10, "others: {}", moved.len());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn what_stands_is_what_a_batch_would_find(
        turns in prop::collection::vec(prop::collection::vec((any::<Step>(), any::<u8>()), 1..6), 1..5),
    ) {
        history(&turns);
    }
}

#[test]
fn rows_in_memory_are_judged_as_those_of_files_are() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let (policies, held) = before_allocation(in_force());
    assert!(!held.is_empty(), "some policies have budgets");
    let chosen: Vec<CheckedPolicy> = policies.values().cloned().collect();
    let binder = Binder::new(CITY.as_of, None, &CITY.set.parameters, &CITY.regions, &policies);
    let mut judge = Judge::new(ground(&chosen, &binder)).map_err(crate::dossier::DossierError::into_diagnostic).expect("a judge");
    runtime.block_on(async {
        let held = CITY
            .rows
            .iter()
            .map(|(name, rows)| (name.clone(), HeldRows { batches: rows.clone(), set_aside: CITY.set_aside[name].clone() }));
        let told = |error: FillError| error.into_diagnostic("test");
        let memory: Vec<StoredSubject> = judge
            .judge(held.collect(), &[], &About::default())
            .await
            .map_err(told)
            .expect("judged")
            .subjects()
            .map(|subject| subject.expect("sound"))
            .collect();
        let judged = judge.judge_on(&CITY.sources, &[], &About::default()).await.map_err(told).expect("judged");
        let files: Vec<StoredSubject> = judged.subjects().map(|subject| subject.expect("sound")).collect();
        assert!(files.iter().any(|subject| !subject.grants.is_empty()), "somebody is owed something");
        // Rows that only repeat another are told with the files.
        let plain = |all: &[StoredSubject]| -> Vec<StoredSubject> {
            all.iter().map(|subject| StoredSubject { set_aside: Vec::new(), ..subject.clone() }).collect()
        };
        assert_eq!(differing(&plain(&memory), &plain(&files)), Vec::<String>::new());
        let dictionaries = [Dictionary::default(), judged.dictionary()];
        let mut sizes = [0; 2];
        for subject in &files {
            for (size, dictionary) in sizes.iter_mut().zip(&dictionaries) {
                let body = standing::write(subject, dictionary).expect("written");
                assert_eq!(&standing::read(subject.kind, &subject.id, &body, dictionary).expect("read"), subject);
                *size += body.len();
            }
        }
        assert!(sizes[1] * 3 < sizes[0], "names are not in each: {sizes:?}");
    });
}
