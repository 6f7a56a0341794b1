//! Adding up at places is the same as the SQL aggregate over the same rows, whatever the rows, batches and parts.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Date32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, concat};
use arrow::datatypes::{DataType, UInt32Type};
use datafusion::prelude::SessionContext;
use proptest::prelude::*;

use super::*;

const SUBJECTS: u32 = 7;

/// A row: subject, whether it passes, a number, a yes or no, a text, a day.
type Row = (u32, Option<bool>, Option<i64>, Option<bool>, Option<String>, i32);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let passes = prop_oneof![6 => Just(Some(true)), 2 => Just(Some(false)), 1 => Just(None)];
    let number = prop_oneof![8 => (-3..4_i64).prop_map(Some), 1 => Just(None)];
    let yes = prop_oneof![4 => any::<bool>().prop_map(Some), 1 => Just(None)];
    let text = prop_oneof![8 => "[a-c]{1,2}".prop_map(Some), 1 => Just(None)];
    prop::collection::vec((0..SUBJECTS - 1, passes, number, yes, text, 0..4_i32), 0..40)
}

fn arrays(rows: &[Row]) -> Vec<ArrayRef> {
    vec![
        Arc::new(UInt32Array::from_iter_values(rows.iter().map(|row| row.0))),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.1))),
        Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.2))),
        Arc::new(BooleanArray::from_iter(rows.iter().map(|row| row.3))),
        Arc::new(StringArray::from_iter(rows.iter().map(|row| row.4.clone()))),
        Arc::new(Date32Array::from_iter_values(rows.iter().map(|row| row.5))),
    ]
}

/// The aggregate in SQL, with the value of a complete register without rows.
fn sql(how: How, value: &str, passing: bool, complete: bool) -> (String, &'static str) {
    let filter = if passing { " filter (where passes)" } else { "" };
    let both = |value: &str| if passing { format!("(passes and {value})") } else { value.to_owned() };
    let any = |condition: &str| {
        format!(
            "case when coalesce(bool_or({condition}), false) then true when coalesce(bool_or({condition} is null), false) then null else false end"
        )
    };
    let doubt = match (passing, how) {
        (_, How::Any | How::All | How::Only) | (false, How::Count | How::Latest) => None,
        (true, How::Count | How::Latest) => Some("passes is null".to_owned()),
        (true, _) => Some(format!("passes is null or (passes and {value} is null)")),
        (false, _) => Some(format!("{value} is null")),
    };
    let (body, of_none) = match how {
        How::Only => (format!("first_value({value} order by number)"), "null"),
        How::Count => (format!("count(*){filter}"), "0"),
        How::CountDistinct => (format!("count(distinct {value}){filter}"), "0"),
        How::Sum => (format!("coalesce(sum({value}){filter}, 0)"), "0"),
        How::Min => (format!("min({value}){filter}"), "null"),
        How::Max => (format!("max({value}){filter}"), "null"),
        How::Latest => (format!("last_value({value} order by day, {value}){filter}"), "null"),
        How::Any => (any(&both(value)), "false"),
        How::All => (format!("not {}", any(&both(&format!("(not {value})")))), "true"),
    };
    let mut text = body;
    if !complete && matches!(how, How::Count | How::CountDistinct | How::Sum | How::Any | How::All) {
        text = format!("case when count(*){filter} = 0 then null else {text} end");
    }
    if let Some(doubt) = doubt {
        text = format!("case when coalesce(bool_or({doubt}), false) then null else {text} end");
    }
    (text, of_none)
}

fn oracle(rows: &[Row], how: How, value: &str, passing: bool, complete: bool) -> ArrayRef {
    let (text, of_none) = sql(how, value, passing, complete);
    let of_none = if complete { of_none } else { "null" };
    let mut query = String::new();
    let _ = write!(query, "with g as (select subject, {text} as v, true as present from rows group by subject) ");
    let _ = write!(
        query,
        "select case when g.present then g.v else {of_none} end as v from subjects s left join g on s.subject = g.subject order by s.subject"
    );
    let names = ["subject", "passes", "number", "yes", "text", "day"];
    let batch = RecordBatch::try_from_iter(names.into_iter().zip(arrays(rows))).expect("a batch");
    let all: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..SUBJECTS));
    let subjects = RecordBatch::try_from_iter([("subject", all)]).expect("a batch");
    let context = SessionContext::new();
    context.register_batch("rows", batch).expect("a table");
    context.register_batch("subjects", subjects).expect("a table");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let batches = runtime.block_on(async { context.sql(&query).await.expect("a plan").collect().await.expect("rows") });
    let parts: Vec<&dyn arrow::array::Array> = batches.iter().map(|batch| batch.column(0).as_ref()).collect();
    concat(&parts).expect("one column")
}

fn add(accumulator: &mut Accumulator, places: &[u32], renumbered: &[u32], lanes: &[Lane], first: u32) {
    let selections = Selections::new(places, first, accumulator.marks.len(), lanes, accumulator.recipe.conditions());
    accumulator.add(&Rows { places, renumbered, lanes, first, selections: &selections });
}

fn added(rows: &[Row], recipe: &Recipe, complete: bool, batch: usize, parts: u32, dictionaries: bool) -> ArrayRef {
    let mut columns = Vec::new();
    for part in 0..parts {
        let (first, end) = (SUBJECTS * part / parts, SUBJECTS * (part + 1) / parts);
        let mut accumulator = Accumulator::new(recipe.clone(), (end - first) as usize);
        let mut present = vec![false; (end - first) as usize];
        for rows in rows.chunks(batch) {
            let mut arrays = arrays(rows);
            if dictionaries {
                arrays[4] =
                    cast(&arrays[4], &DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))).expect("a dictionary");
            }
            let places = arrays[0].as_primitive::<UInt32Type>().values().to_vec();
            let lanes: Vec<Lane> = arrays[1..].iter().map(|array| Lane::of(array).expect("a lane")).collect();
            places.iter().filter(|&&place| (first..end).contains(&place)).for_each(|place| present[(place - first) as usize] = true);
            add(&mut accumulator, &places, &[], &lanes, first);
        }
        let presence = Presence { present: BooleanBuffer::from(present), doubtful: None };
        columns.push(accumulator.finish(&presence, if complete { &Absent::None } else { &Absent::Unknown }));
    }
    let parts: Vec<&dyn arrow::array::Array> = columns.iter().map(AsRef::as_ref).collect();
    concat(&parts).expect("one column")
}

const HOWS: [How; 8] = [How::Count, How::CountDistinct, How::Sum, How::Min, How::Max, How::Any, How::All, How::Latest];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn places_give_what_sql_gives(
        rows in rows(), how in prop::sample::select(HOWS.to_vec()), texts in any::<bool>(), passing in any::<bool>(), complete in any::<bool>(),
        batch in 1..50_usize, parts in 1..4_u32, dictionaries in any::<bool>(),
    ) {
        let (name, value, ty) = match how {
            How::Any | How::All => ("yes", 2, Ty::Bool),
            How::Min | How::Max | How::Latest if texts => ("text", 3, Ty::Text),
            _ => ("number", 1, Ty::Number),
        };
        let recipe = Recipe {
            how,
            ty,
            scale: 0,
            passes: passing.then_some(0),
            tells: (!complete && passing && matches!(how, How::Count | How::CountDistinct | How::Sum | How::Any | How::All)).then_some(0),
            value: (how != How::Count).then_some(value),
            by: (how == How::Latest).then_some(4),
            strict: true,
        };
        let expected = cast(&oracle(&rows, how, name, passing, complete), &crate::dossier::mapper::data_type(ty, 0)).expect("its type");
        let found = added(&rows, &recipe, complete, batch, parts, dictionaries);
        let (expected, found) = (cast(&expected, &DataType::Utf8).expect("text"), cast(&found, &DataType::Utf8).expect("text"));
        prop_assert_eq!(&found, &expected, "{:?}", how);
    }
}

fn only(values: &[(u32, Option<i64>)], renumbered: &[u32]) -> Vec<Option<i64>> {
    let recipe = Recipe { how: How::Only, ty: Ty::Number, scale: 0, passes: None, tells: None, value: Some(0), by: None, strict: true };
    let mut accumulator = Accumulator::new(recipe, 3);
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter(values.iter().map(|value| value.1)));
    let places: Vec<u32> = values.iter().map(|value| value.0).collect();
    add(&mut accumulator, &places, renumbered, &[Lane::of(&numbers).expect("a lane")], 0);
    let mut present = [false; 3];
    places.iter().filter(|&&place| place != NOWHERE).for_each(|&place| present[place as usize] = true);
    let presence = Presence { present: BooleanBuffer::from(present.to_vec()), doubtful: Some(BooleanBuffer::from(vec![true; 3])) };
    accumulator.finish(&presence, &Absent::None).as_primitive::<arrow::datatypes::Int64Type>().iter().collect()
}

#[test]
fn the_row_under_todays_identifier_counts_before_others() {
    assert_eq!(only(&[(0, Some(1)), (0, Some(2)), (1, None), (NOWHERE, Some(9))], &[0, 2]), [Some(2), None, None]);
    assert_eq!(only(&[(0, Some(1)), (0, Some(2))], &[1]), [Some(1), None, None]);
    assert_eq!(only(&[(0, None), (0, Some(2))], &[1]), [None, None, None]);
    assert_eq!(only(&[(2, Some(1)), (2, Some(2))], &[0, 1]), [None, None, Some(1)]);
}

#[test]
fn rows_in_quarantine_leave_a_sum_unknown_and_absence_depends_on_coverage() {
    let recipe = Recipe { how: How::Sum, ty: Ty::Number, scale: 0, passes: None, tells: None, value: Some(0), by: None, strict: true };
    let mut accumulator = Accumulator::new(recipe, 4);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![5, 6]));
    add(&mut accumulator, &[0, 1], &[], &[Lane::of(&numbers).expect("a lane")], 0);
    let presence = Presence {
        present: BooleanBuffer::from(vec![true, true, false, false]),
        doubtful: Some(BooleanBuffer::from(vec![false, true, false, false])),
    };
    let within = Absent::NoneWithin(BooleanBuffer::from(vec![false, false, true, false]));
    let found = accumulator.finish(&presence, &within);
    let found: Vec<Option<i64>> = found.as_primitive::<arrow::datatypes::Int64Type>().iter().collect();
    assert_eq!(found, [Some(5), None, Some(0), None]);
}

#[test]
fn a_sum_beyond_64_bits_is_told() {
    let recipe = Recipe { how: How::Sum, ty: Ty::Number, scale: 0, passes: None, tells: None, value: Some(0), by: None, strict: true };
    let mut accumulator = Accumulator::new(recipe, 1);
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX, 1]));
    add(&mut accumulator, &[0, 0], &[], &[Lane::of(&numbers).expect("a lane")], 0);
    assert!(accumulator.check("x").is_err());
}

#[test]
fn of_subjects_that_a_register_does_not_cover_rows_that_do_not_pass_tell_nothing() {
    let recipe = Recipe { how: How::Count, ty: Ty::Number, scale: 0, passes: Some(0), tells: Some(0), value: None, by: None, strict: true };
    let mut accumulator = Accumulator::new(recipe, 3);
    let passes: ArrayRef = Arc::new(BooleanArray::from(vec![false, false, true]));
    add(&mut accumulator, &[0, 1, 2], &[], &[Lane::of(&passes).expect("a lane")], 0);
    let presence = Presence { present: BooleanBuffer::new_set(3), doubtful: None };
    let found = accumulator.finish(&presence, &Absent::NoneWithin(BooleanBuffer::from(vec![true, false, false])));
    let found: Vec<Option<i64>> = found.as_primitive::<arrow::datatypes::Int64Type>().iter().collect();
    assert_eq!(found, [Some(0), None, Some(1)]);
}
