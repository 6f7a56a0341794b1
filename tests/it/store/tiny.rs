//! Small runs made by hand: every subject says which run it is of.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use mianshen::check::ir::{Number, Ty, Value};
use mianshen::dossier::Cause;
use mianshen::eligibility::results::manifest::{Engine, Manifest, RunCounts};
use mianshen::register::declaration::SubjectKind;
use mianshen::store::body::{FORM, FactColumn, Layout, RunDocument, Writer};
use mianshen::store::documents::{POLICY_FILES, RUN, policy_files_part, table_name, table_part};
use mianshen::store::{EncodedSubject, Load, PolicyFile, Run, RunId, RunPolicy, RunSummary, Store, StoredSubject};

pub(crate) const POLICY: &str = "990100-MZ-0007";

fn policy() -> RunPolicy {
    RunPolicy {
        code: POLICY.into(),
        version: 1,
        kind: SubjectKind::Person,
        unit: "CNY".into(),
        period: "2026-06".into(),
        criteria: vec!["age".into()],
    }
}

fn layout() -> Layout {
    let mut layout = Layout::default();
    let fact = |name: &str, ty, cause| FactColumn { name: name.into(), ty, scale: 0, cause };
    layout.facts[0] = vec![fact("absent", Ty::Text, Cause::Stale), fact("marker", Ty::Number, Cause::Missing)];
    layout.facts[1] = vec![fact("marker", Ty::Number, Cause::Missing)];
    layout.enter_policies(&[policy()]);
    layout
}

pub(crate) fn id_of(at: usize) -> String {
    format!("p{at:05}")
}

fn body(kind: SubjectKind, marker: i64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.byte(FORM);
    writer.word(None, "990101");
    // Which facts are known: of persons the second one.
    writer.byte(if kind == SubjectKind::Person { 0b10 } else { 0b1 });
    writer.signed(marker);
    writer.count(0);
    if kind == SubjectKind::Person {
        writer.byte(0b10);
    }
    (0..7).for_each(|_| writer.count(0));
    writer.bytes
}

fn summary(marker: i64, persons: usize) -> RunSummary {
    let day = chrono::NaiveDate::from_ymd_opt(2026, 6, 30).expect("a day");
    RunSummary { id: RunId(0), as_of: day, loaded_at: 1_000 + marker, subjects: [persons as u64, 2, 0], granted: 0 }
}

/// Everything of a small run but its end.
pub(crate) async fn put(load: &mut dyn Load, marker: i64, persons: usize) {
    let rows = |kind, ids: Vec<String>| ids.into_iter().map(|id| EncodedSubject { id, body: body(kind, marker) }).collect::<Vec<_>>();
    for chunk in (0..persons).map(id_of).collect::<Vec<_>>().chunks(1_000) {
        load.subjects(SubjectKind::Person, rows(SubjectKind::Person, chunk.to_vec())).await.expect("persons");
    }
    let households = vec!["H1".to_owned(), "h'2".to_owned()];
    load.subjects(SubjectKind::Household, rows(SubjectKind::Household, households)).await.expect("households");
    load.aliases(SubjectKind::Person, vec![("old".to_owned(), id_of(0))]).await.expect("aliases");
    for (part, values) in [(0, vec![marker, 1]), (1, vec![2])] {
        let schema = Schema::new(vec![Field::new("yes", DataType::Int64, false)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from(values))]).expect("a batch");
        load.document(&table_name("coverage"), part, table_part(&batch).expect("bytes")).await.expect("a table");
    }
    let file = PolicyFile { path: "x/policy.yaml".to_owned(), text: format!("# 批次 {marker}\n") };
    load.document(POLICY_FILES, 0, policy_files_part(&[file]).expect("bytes")).await.expect("policies");
    let manifest = Manifest {
        engine: Engine::this(),
        as_of: "2026-06-30".to_owned(),
        known_at: None,
        options: BTreeMap::new(),
        inputs: BTreeMap::new(),
        policies: BTreeMap::new(),
        parameters_sha256: marker.to_string(),
        ledger: None,
        counts: RunCounts::default(),
        results: BTreeMap::new(),
    };
    let layout = layout();
    let run = Run {
        summary: summary(marker, persons),
        manifest,
        policies: vec![policy()],
        silent: BTreeMap::from([("housing".into(), Cause::Stale)]),
        data_days: BTreeMap::from([("population".into(), summary(0, 0).as_of)]),
        facts: layout.names(),
    };
    load.document(RUN, 0, RunDocument::of(&run, &layout).write().expect("bytes")).await.expect("the run");
}

/// Loads a small run to its end.
pub(crate) async fn load(store: &dyn Store, marker: i64, persons: usize, keep: usize) -> RunId {
    let mut load = store.load().await.expect("a load");
    put(&mut *load, marker, persons).await;
    load.finish(summary(marker, persons), keep).await.expect("the run is published")
}

/// Which run a subject is of.
#[track_caller]
pub(crate) fn marker(subject: &StoredSubject) -> i64 {
    match subject.value("marker") {
        Some(Value::Number(Number { digits, scale: 0 })) => *digits,
        other => panic!("{other:?}"),
    }
}
