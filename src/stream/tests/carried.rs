//! Facts that are carried from turn to turn: they are those that a batch has, and whoever has them needs no rows.

use super::days::runtime;
use super::*;
use crate::store::live::Batch;
use crate::stream::gather::Gatherer;
use crate::stream::paths::Columns;
use crate::stream::reach::{Reach, Touched};
use crate::stream::rows::{Entry, RowForms};
use crate::stream::view::{Id, IdSet, View};

/// Everything that a stream carries is what a batch has of the same subjects.
pub(super) fn is_that_of_a_batch(stream: &Stream<'_>, batch: &Judged) {
    for (at, group) in stream.gatherer.ways.groups.iter().enumerate() {
        let ids: Vec<Id> = stream.gatherer.view.carried.ids(at).collect();
        let Some(carried) = stream.gatherer.view.carried.facts(at, &ids).expect("of one form") else { continue };
        let names: Vec<&str> = ids.iter().map(|id| &**stream.gatherer.view.name(*id)).collect();
        let expected = batch.dossiers.chosen(group.kind, &group.facts, &names).expect("facts");
        let there: Vec<&str> = expected.column(0).as_string::<i32>().iter().flatten().collect();
        assert_eq!(names, there, "who is carried is there");
        let rest: Vec<usize> = (1..expected.num_columns()).collect();
        let expected = crate::dossier::known::written_out(&expected.project(&rest).expect("columns")).expect("texts");
        for (column, field) in expected.schema().fields().iter().enumerate() {
            assert_eq!(carried.column_by_name(field.name()), Some(expected.column(column)), "{} of {names:?}", field.name());
        }
    }
    for (at, lead) in stream.gatherer.ways.leads.iter().enumerate() {
        for from in stream.gatherer.view.leads.from(at) {
            let name: &str = stream.gatherer.view.name(from);
            // Whoever is listed no more leads nowhere; whoever is linked is read each time.
            if batch.dossiers.place(lead.kinds.0, name).is_none() || stream.gatherer.view.is_linked(from) {
                continue;
            }
            let expected = batch.dossiers.led(lead.link, lead.kinds, &lead.facts, &[name]).expect("rows");
            let rest: Vec<usize> = (1..expected.facts.num_columns()).collect();
            let facts = crate::dossier::known::written_out(&expected.facts.project(&rest).expect("columns")).expect("texts");
            let to: Vec<Id> = expected.to.iter().filter_map(|id| stream.gatherer.view.find(id)).collect();
            let anew: IdSet = stream.gatherer.view.leads.anew(at, from, &to).collect();
            let mut expected = as_text(&expected.to, &[&expected.columns, &facts]);
            let is_kept =
                |id: &str| stream.gatherer.view.find(id).is_some_and(|id| !anew.contains(&id) && !stream.gatherer.view.is_linked(id));
            expected.retain(|(to, _)| is_kept(to));
            let kept = stream.gatherer.view.leads.rows(at, &[from]).expect("of one form").map(|rows| {
                assert!(rows.to.iter().all(|id| !stream.gatherer.view.is_linked(*id)), "what is linked does not count");
                let to: Vec<String> = rows.to.iter().map(|id| stream.gatherer.view.name(*id).to_string()).collect();
                as_text(&to, &[&rows.columns, &rows.facts])
            });
            assert_eq!(kept.unwrap_or_default(), expected, "rows that lead from {name}");
        }
    }
}

/// To whom each row leads, and its values, in order.
fn as_text(to: &[String], batches: &[&RecordBatch]) -> Vec<(String, String)> {
    let columns: Vec<_> = batches.iter().flat_map(|batch| batch.columns()).collect();
    let value = |column: &arrow::array::ArrayRef, row: usize| {
        let options = arrow::util::display::FormatOptions::default().with_null("null");
        arrow::util::display::ArrayFormatter::try_new(column, &options).expect("can be shown").value(row).to_string()
    };
    let texts = |row: usize| columns.iter().map(|column| value(column, row)).collect::<Vec<_>>().join(" ");
    let mut rows: Vec<(String, String)> = to.iter().enumerate().map(|(row, to)| (to.clone(), texts(row))).collect();
    rows.sort_unstable();
    rows
}

/// Who has most people at work, and who they are.
pub(super) fn employer() -> (String, Vec<String>) {
    let mut people: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in &CITY.rows["employment_contracts"] {
        let text = |name: &str| row.column_by_name(name).expect("there").as_string::<i32>().value(0).to_owned();
        people.entry(text("entity_id")).or_default().insert(text("person_id"));
    }
    let (employer, people) = people.into_iter().max_by_key(|(_, people)| people.len()).expect("somebody is at work");
    (employer, people.into_iter().collect())
}

/// A contract of somebody, with another beginning.
pub(super) fn other_contract(person: &str) -> (RecordBatch, RecordBatch) {
    let contracts = &CITY.rows["employment_contracts"];
    let is_theirs = |row: &&RecordBatch| row.column_by_name("person_id").expect("there").as_string::<i32>().value(0) == person;
    let row = contracts.iter().find(is_theirs).expect("a contract");
    let column = row.schema().index_of("start_date").expect("declared");
    let other = contracts.iter().find(|other| other.column(column) != row.column(column)).expect("another day");
    (row.clone(), with(row, column, other))
}

#[test]
fn an_employers_people_are_read_once() {
    let (policies, _) = before_allocation(in_force());
    let chosen: Vec<CheckedPolicy> = policies.values().cloned().collect();
    let binder = Binder::new(CITY.as_of, None, &CITY.set.parameters, &CITY.regions, &policies);
    let judge = || Judge::new(ground(&chosen, &binder)).map_err(crate::dossier::DossierError::into_diagnostic).expect("a judge");
    let folder = tempfile::tempdir().expect("a folder");
    let (employer, people) = employer();
    assert!(people.len() > 3, "{people:?}");
    runtime().block_on(async {
        let (live, fence) = empty(folder.path()).await;
        let stream = Stream::new(Arc::clone(&live), judge()).expect("a stream");
        let mut bench = Bench { live, fence, stream, position: None };
        let (mut told, mut oracle) = (Told::default(), judge());
        let load = told.load();
        bench.take(&load).await;
        bench.stream.forget();
        for (number, person) in (2..).zip(&people[..2]) {
            let (before, after) = other_contract(person);
            let change = change("employment_contracts", Order::timed(number, number), Some(&before), Some(&after), number);
            told.hear(&change);
            bench.take(&[change]).await;
            let expected = batch(&mut oracle, &bench, &told.rows()).await;
            assert_eq!(differing(&bench.standing().await, &all_of(&expected)), Vec::<String>::new());
            is_that_of_a_batch(&bench.stream, &expected);
        }
        let Gatherer { ways, forms, view, .. } = &mut bench.stream.gatherer;
        let ids: Vec<Id> = people.iter().map(|id| view.id(id)).collect();
        let (employer, insurance) = (view.id(&employer), forms.find("social_insurance").expect("declared").0);
        let insured = |needed: &crate::stream::reach::Needed| ids.iter().filter(|id| needed.has(**id, insurance)).count();
        let mut reach = Reach::new(ways, forms, view);
        let anew = reach.needed(&IdSet::from_iter([employer]), false).await.expect("read");
        let carried = reach.needed(&IdSet::from_iter([employer]), true).await.expect("read");
        assert_eq!((insured(&anew), insured(&carried)), (people.len(), 0));
        // Its people's contracts are kept, and need not be read either.
        let (contracts, _) = forms.find("employment_contracts").expect("declared");
        let at_work = |needed: &crate::stream::reach::Needed| ids.iter().filter(|id| needed.has(**id, contracts)).count();
        assert_eq!((at_work(&anew), at_work(&carried)), (people.len(), 0));
        assert!(carried.led.iter().any(|led| led.kept.contains(&employer) && led.anew.is_empty()));
        // Whom a change touches is read anew, and nobody else.
        let (register, _) = forms.find("disability_cards").expect("declared");
        let touched = Touched { register, owner: ids[2], others: Vec::new(), columns: Columns::All };
        let mut reach = Reach::new(ways, forms, view);
        reach.touched(&BTreeSet::from([touched])).await.expect("read");
        let needed = reach.needed(&IdSet::from_iter([employer]), true).await.expect("read");
        assert!(insured(&needed) == 1 && needed.has(ids[2], insurance));
        assert!(at_work(&needed) == 1 && needed.has(ids[2], contracts));
    });
}

#[test]
fn who_is_named_is_known_while_it_is_on_its_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let forms = Arc::new(RowForms::new(&CITY.registers).expect("as declared"));
    let (register, form) = forms.find("household_membership").expect("declared");
    let row = form.take(&CITY.rows["household_membership"][0]).expect("as declared").remove(0);
    let (person, household) = (row.owner.expect("a member"), row.held.others[0].1.clone());
    runtime().block_on(async {
        let (live, fence) = empty(folder.path()).await;
        for (at, is_there) in [(1, true), (2, false)] {
            let mut view = View::new(Arc::clone(&live), Arc::clone(&forms));
            let (person, household) = (view.id(&person), view.id(&household));
            view.read_rows_in(&[register], [person]).await.expect("read");
            let entry = Entry { key: row.key.clone(), order: Order::timed(at, at), row: is_there.then(|| row.held.clone()) };
            view.change(person, register, |rows| form.put(rows, entry)).expect("sound");
            let (rows, mentioned, unmentioned) = view.written();
            view.sent();
            // The store does not have it yet, and the view has not asked before.
            view.read_mentions(register, [household]).await.expect("read");
            assert_eq!(view.mentions(register, household) == [person], is_there);
            let generation = live.generation().await.expect("read");
            let batch = Batch { at, fence: Some(fence.clone()), generation, rows, mentioned, unmentioned, ..Batch::default() };
            live.commit(&batch).await.expect("committed");
        }
    });
}
