//! Dossiers from which a register is taken away afterwards are those that are built without it, for every register of the sample.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use chrono::NaiveDate;
use futures::StreamExt;
use mianshen::check::catalogue::{Catalogue, FactId};
use mianshen::check::ir::{Expr, Kind};
use mianshen::commands::folder::PolicyFolder;
use mianshen::diagnostic::progress::{Cancel, Silent};
use mianshen::dossier::build::{Request, build};
use mianshen::dossier::intake::IDENTITY_LINKS;
use mianshen::dossier::{Around, Cause, Dossiers, Options};
use mianshen::register::Sources;
use mianshen::register::declaration::SubjectKind;
use tokio::runtime::Runtime;

use super::outcome::{POLICIES, SAMPLE};

/// Everything that dossiers of the sample can hold.
struct City {
    folder: PolicyFolder,
    sources: Sources,
    runtime: Runtime,
    scratch: tempfile::TempDir,
}

/// Dossiers, as plain batches by kind.
type Rows = BTreeMap<SubjectKind, RecordBatch>;

impl City {
    fn new() -> Self {
        Self {
            folder: PolicyFolder::load(Path::new(POLICIES)),
            sources: Sources::load(&Path::new(SAMPLE).join("sources.yaml")).expect("the sample's sources"),
            runtime: tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads"),
            scratch: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn day() -> NaiveDate {
        "2026-06-30".parse().expect("a day")
    }

    /// Dossiers with every declared fact; a register may promise more than it holds.
    fn build(&self, stale: Option<&str>, allow_missing: &[&str], memory: Option<usize>) -> (Dossiers, Catalogue) {
        let policies = self.folder.in_force(Self::day(), None);
        let binder = self.folder.binder(Self::day(), None, &policies);
        let mut catalogue = self.folder.checked.catalogue.clone();
        let mut registers = (*catalogue.registers).clone();
        if let Some(stale) = stale.and_then(|stale| registers.registers.get_mut(stale)) {
            stale.fresh_within_days = Some(-1);
        }
        catalogue.registers = Arc::new(registers);
        let mut facts = BTreeSet::new();
        for kind in SubjectKind::ALL {
            for index in 0..catalogue.facts(kind).len() {
                let fact = Expr::new(Kind::Fact(index), catalogue.facts(kind)[index].ty.ty);
                let expr = binder.bind(&catalogue.expand(&fact, kind, 0, &|_| false));
                expr.for_each_fact(&mut |index| {
                    facts.insert(FactId { kind, index });
                });
            }
            facts.extend(
                ["household", "mother", "head", "legal_representative"].into_iter().filter_map(|link| catalogue.link_end(kind, link)),
            );
        }
        // Facts of facts: a person's mother's birth date, which registers may disagree on.
        let birth = catalogue.find(SubjectKind::Person, "birth_date").expect("a fact");
        facts.extend(catalogue.linked(SubjectKind::Person, "mother", birth));
        let request = Request {
            catalogue: &mut catalogue,
            binder: &binder,
            facts,
            kinds: SubjectKind::ALL.to_vec(),
            each: Vec::new(),
            sources: &self.sources,
            allow_missing: &allow_missing.iter().map(|name| (*name).to_owned()).collect(),
            options: Options { memory, ..Options::new(2, self.scratch.path().to_owned()) },
            progress: Arc::new(Silent),
            cancel: Cancel::default(),
        };
        let dossiers = self.runtime.block_on(build(request)).unwrap_or_else(|error| panic!("{:?}", error.into_diagnostic()));
        (dossiers, catalogue)
    }

    fn rows(&self, dossiers: &Dossiers) -> Rows {
        let of = |kind: SubjectKind| {
            let mut batches = Vec::new();
            for mut stream in dossiers.stream(kind).expect("streams") {
                while let Some(batch) = self.runtime.block_on(stream.next()) {
                    batches.push(batch.expect("a batch"));
                }
            }
            let first = batches.first()?;
            Some((kind, concat_batches(&first.schema(), &batches).expect("batches of one schema")))
        };
        SubjectKind::ALL.into_iter().filter_map(of).collect()
    }

    fn registers(&self) -> impl Iterator<Item = &str> {
        // Changed identifiers are followed while registers are read.
        self.folder.registers.registers.keys().map(String::as_str).filter(|name| *name != IDENTITY_LINKS)
    }
}

/// Dossiers without a register.
fn silenced(dossiers: &Dossiers, catalogue: &Catalogue, register: &str, cause: Cause) -> Dossiers {
    let around = Around { catalogue, as_of: City::day(), progress: &Silent, cancel: &Cancel::default() };
    let silent = BTreeMap::from([(register.to_owned(), cause)]);
    dossiers.silenced(&silent, around).unwrap_or_else(|error| panic!("{:?}", error.into_diagnostic()))
}

/// The same columns with the same values; texts may be kept in another form.
#[track_caller]
fn same(one: &Rows, other: &Rows, what: &str) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{what}: kinds");
    for (kind, rows) in one {
        let other = &other[kind];
        let names = |rows: &RecordBatch| rows.schema().fields().iter().map(|field| field.name().clone()).collect::<BTreeSet<_>>();
        assert_eq!(names(rows), names(other), "{what}: columns of {kind}");
        for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
            let counterpart = other.column_by_name(field.name()).expect("the same names");
            let text = |array: &arrow::array::ArrayRef| arrow::compute::cast(array, &arrow::datatypes::DataType::Utf8).expect("text");
            assert_eq!(&text(column), &text(counterpart), "{what}: {kind} {}", field.name());
        }
    }
}

/// Of how many facts something else is known.
fn differing(one: &Rows, other: &Rows) -> usize {
    let of = |(kind, rows): (&SubjectKind, &RecordBatch)| {
        let nulls = |rows: &RecordBatch, name: &str| rows.column_by_name(name).map(arrow::array::Array::null_count);
        let schema = rows.schema();
        let Some(other) = other.get(kind) else { return schema.fields().len() };
        schema.fields().iter().filter(|field| nulls(rows, field.name()) != nulls(other, field.name())).count()
    };
    one.iter().map(of).sum()
}

#[test]
fn a_register_that_did_not_come() {
    let city = City::new();
    let (whole, catalogue) = city.build(None, &[], None);
    let before = city.rows(&whole);
    let mut changed = 0;
    for register in city.registers() {
        let (without, _) = city.build(None, &[register], None);
        let expected = city.rows(&without);
        let silenced = silenced(&whole, &catalogue, register, Cause::Missing);
        same(&city.rows(&silenced), &expected, register);
        assert_eq!((&silenced.silent, silenced.disagreements()), (&without.silent, without.disagreements()), "{register}");
        changed += differing(&before, &expected);
    }
    assert!(changed > 100, "{changed} facts became unknown");
    // What was taken away was taken from a copy.
    same(&city.rows(&whole), &before, "the dossiers themselves");
}

#[test]
fn a_register_that_is_stale() {
    let city = City::new();
    let (whole, catalogue) = city.build(None, &[], None);
    for register in city.registers() {
        let (stale, _) = city.build(Some(register), &[], None);
        let silenced = silenced(&whole, &catalogue, register, Cause::Stale);
        same(&city.rows(&silenced), &city.rows(&stale), register);
        assert_eq!(silenced.silent, stale.silent, "{register}");
    }
}

#[test]
fn two_registers_one_after_the_other_and_columns_in_files() {
    let city = City::new();
    for memory in [None, Some(1)] {
        let (whole, catalogue) = city.build(None, &[], memory);
        let (without, _) = city.build(None, &["birth", "death"], memory);
        let one = silenced(&whole, &catalogue, "birth", Cause::Missing);
        let both = silenced(&one, &catalogue, "death", Cause::Missing);
        same(&city.rows(&both), &city.rows(&without), "birth, then death");
        let other = silenced(&silenced(&whole, &catalogue, "death", Cause::Missing), &catalogue, "birth", Cause::Missing);
        same(&city.rows(&other), &city.rows(&without), "death, then birth");
    }
}

#[test]
fn what_only_one_register_contested_is_known_without_it() {
    let city = City::new();
    let (whole, catalogue) = city.build(None, &[], None);
    let unknown = |dossiers: &Dossiers| {
        let rows = city.rows(dossiers);
        arrow::array::Array::null_count(rows[&SubjectKind::Person].column_by_name("birth_date").expect("a fact"))
    };
    let contested = whole.disagreements().len();
    assert!(contested > 0, "the sample has birth dates that registers disagree on");
    let without = silenced(&whole, &catalogue, "birth", Cause::Missing);
    assert_eq!(unknown(&whole) - unknown(&without), contested);
    assert_eq!(without.disagreements(), []);
}
