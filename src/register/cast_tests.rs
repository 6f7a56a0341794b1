//! Columns of every physical type into every declared type that fits.

use std::collections::BTreeMap;

use arrow::array::{
    DictionaryArray, Float32Array, Float64Array, Int32Array, ListArray, StringViewArray, TimestampMillisecondArray, UInt64Array,
};
use arrow::datatypes::Int32Type;

use super::*;
use crate::diagnostic::Message;

fn column(column_type: ColumnType) -> RegisterColumn {
    RegisterColumn {
        name: "x".to_owned(),
        label: Message::default(),
        column_type,
        unit: None,
        codes: BTreeMap::from([("male".to_owned(), Message::new("男", "Male")), ("female".to_owned(), Message::new("女", "Female"))]),
        sensitive: false,
        null_is: None,
        required: false,
        minimum: None,
        maximum: None,
    }
}

fn cast(column: &RegisterColumn, array: impl Array + 'static) -> Option<Cast> {
    let settings = CastSettings {
        true_words: vec!["有".to_owned()],
        null_words: vec![String::new(), "无".to_owned()],
        regions: Arc::new(["990101".to_owned(), "990101001".to_owned()].into()),
        ..CastSettings::default()
    };
    let array: ArrayRef = Arc::new(array);
    ColumnCast::new(column, &Arc::new(settings)).cast(&array, &mut None)
}

/// Values and faults as text, for comparison.
#[track_caller]
fn check(column: &RegisterColumn, array: impl Array + 'static, values: &[Option<&str>], faults: &[(usize, Reason)]) {
    let found = cast(column, array).expect("castable");
    let text = checked(&found.array, &DataType::Utf8).expect("printable");
    assert_eq!(text.as_string::<i32>().iter().collect::<Vec<_>>(), values);
    assert_eq!(found.faults.iter().map(|fault| (fault.row, fault.reason)).collect::<Vec<_>>(), faults);
}

#[test]
fn identifiers() {
    let array = StringArray::from(vec![
        Some("11010519491231002X"),
        None,
        Some(" 11010519491231002x"),
        Some("110105491231002"),
        Some("11010519491231002Y"),
        Some(""),
    ]);
    let id = Some("11010519491231002X");
    check(&column(ColumnType::PersonId), array.clone(), &[id, None, id, id, None, None], &[(4, Reason::BadIdentifier)]);
    let found = cast(&column(ColumnType::PersonId), array).expect("castable");
    assert_eq!(found.upgraded, [3]);
    assert_eq!(found.faults[0].value, "1101**********002Y");
    check(
        &column(ColumnType::EntityId),
        StringArray::from(vec!["91350100m000100y43", "9"]),
        &[Some("91350100M000100Y43"), None],
        &[(1, Reason::BadIdentifier)],
    );
}

#[test]
fn a_nul_is_no_text() {
    for ty in [ColumnType::HouseholdId, ColumnType::Text] {
        let values = ["H1", "H\u{0}2", "\u{0}", " H\u{0}3 "];
        let faults = [(1, Reason::BadEncoding), (2, Reason::BadEncoding), (3, Reason::BadEncoding)];
        check(&column(ty), StringArray::from(values.to_vec()), &[Some("H1"), None, None, None], &faults);
        let dictionary: DictionaryArray<Int32Type> = values.into_iter().collect();
        check(&column(ty), dictionary, &[Some("H1"), None, None, None], &faults);
    }
}

#[test]
fn normal_arrays_are_handed_on() {
    let array: ArrayRef = Arc::new(StringArray::from(vec![Some("11010519491231002X"), None]));
    let found = ColumnCast::new(&column(ColumnType::PersonId), &Arc::default()).cast(&array, &mut None).expect("castable");
    assert_eq!(found.array.to_data().buffers()[1].as_ptr(), array.to_data().buffers()[1].as_ptr());
}

#[test]
fn text_and_codes() {
    check(
        &column(ColumnType::Text),
        StringViewArray::from(vec!["ＡＢ １", " 张三\u{3000}", "", "无"]),
        &[Some("AB 1"), Some("张三"), None, None],
        &[],
    );
    check(&column(ColumnType::Text), Int64Array::from(vec![12]), &[Some("12")], &[]);
    check(
        &column(ColumnType::Code),
        StringArray::from(vec!["male", "女", "Male", "X", "无"]),
        &[Some("male"), Some("female"), Some("male"), None, None],
        &[(3, Reason::UnknownCode)],
    );
    let dictionary: DictionaryArray<Int32Type> = vec!["male", "女", "male"].into_iter().collect();
    check(&column(ColumnType::Code), dictionary, &[Some("male"), Some("female"), Some("male")], &[]);
}

#[test]
fn regions_may_be_padded() {
    let array = StringArray::from(vec!["990101", "990101000000", "990101001000", "990199", "９９０１０１"]);
    check(
        &column(ColumnType::Region),
        array,
        &[Some("990101"), Some("990101"), Some("990101001"), None, Some("990101")],
        &[(3, Reason::UnknownRegion)],
    );
    check(&column(ColumnType::Region), Int32Array::from(vec![990_101]), &[Some("990101")], &[]);
}

#[test]
fn numbers() {
    check(&column(ColumnType::Int), Int32Array::from(vec![Some(3), None]), &[Some("3"), None], &[]);
    check(&column(ColumnType::Int), UInt64Array::from(vec![u64::MAX, 7]), &[None, Some("7")], &[(0, Reason::OutOfRange)]);
    check(&column(ColumnType::Int), Float64Array::from(vec![3.0, 3.5]), &[Some("3"), None], &[(1, Reason::Uncastable)]);
    check(
        &column(ColumnType::Int),
        StringArray::from(vec!["１２", "1,000", "x"]),
        &[Some("12"), Some("1000"), None],
        &[(2, Reason::Uncastable)],
    );
    let bounded = RegisterColumn { minimum: Some(1), maximum: Some(4), ..column(ColumnType::Int) };
    check(
        &bounded,
        Int64Array::from(vec![0, 1, 4, 5]),
        &[None, Some("1"), Some("4"), None],
        &[(0, Reason::OutOfRange), (3, Reason::OutOfRange)],
    );
}

#[test]
fn money_keeps_every_fen() {
    let money = column(ColumnType::Money);
    check(
        &money,
        StringArray::from(vec!["12", "1,234.5", "0.001", "约五万"]),
        &[Some("12.00"), Some("1234.50"), None, None],
        &[(2, Reason::Uncastable), (3, Reason::Uncastable)],
    );
    check(&money, Int64Array::from(vec![12]), &[Some("12.00")], &[]);
    check(&money, Float64Array::from(vec![1234.56, 0.1 + 0.2]), &[Some("1234.56"), None], &[(1, Reason::Uncastable)]);
    check(&money, Float32Array::from(vec![0.1]), &[Some("0.10")], &[]);
    let decimal = Decimal128Array::from(vec![12_345_000, 12_345_001]).with_precision_and_scale(20, 4).expect("decimal");
    check(&money, decimal, &[Some("1234.50"), None], &[(1, Reason::Uncastable)]);
    let bounded = RegisterColumn { minimum: Some(0), ..column(ColumnType::Money) };
    let found = cast(&bounded, StringArray::from(vec!["-0.01", "0"])).expect("castable");
    assert_eq!(found.faults, [Fault { row: 0, reason: Reason::OutOfRange, value: "-0.01".to_owned() }]);
}

#[test]
fn booleans() {
    check(
        &column(ColumnType::Bool),
        StringArray::from(vec!["是", "FALSE", "有", "1", "也许", ""]),
        &[Some("true"), Some("false"), Some("true"), Some("true"), None, None],
        &[(4, Reason::Uncastable)],
    );
    check(&column(ColumnType::Bool), Int32Array::from(vec![0, 1, 2]), &[Some("false"), Some("true"), None], &[(2, Reason::Uncastable)]);
}

#[test]
fn days_and_open_ends() {
    let open = RegisterColumn { null_is: Some("open".to_owned()), ..column(ColumnType::Date) };
    check(
        &open,
        StringArray::from(vec![Some("2024-02-30"), None, Some("2024/3/1")]),
        &[None, Some("9999-12-31"), Some("2024-03-01")],
        &[(0, Reason::Uncastable)],
    );
    let open = RegisterColumn { null_is: Some("open".to_owned()), ..column(ColumnType::Month) };
    check(&open, StringArray::from(vec![Some("202403"), None]), &[Some("2024-03-01"), Some("9999-12-01")], &[]);
    check(&column(ColumnType::Month), Date32Array::from(vec![19_800]), &[Some("2024-03-01")], &[]);
    check(&column(ColumnType::Date), Int32Array::from(vec![20_240_229]), &[Some("2024-02-29")], &[]);
    // 2024-02-28 17:00 UTC is the 29th in China.
    let instant = TimestampMillisecondArray::from(vec![1_709_139_600_000]);
    check(&column(ColumnType::Date), instant.clone().with_timezone("Asia/Shanghai"), &[Some("2024-02-29")], &[]);
    check(&column(ColumnType::Date), instant.clone().with_timezone("+08:00"), &[Some("2024-02-29")], &[]);
    check(&column(ColumnType::Date), instant, &[Some("2024-02-28")], &[]);
}

#[test]
fn what_is_no_such_thing_at_all() {
    assert!(cast(&column(ColumnType::Money), BooleanArray::from(vec![true])).is_none());
    assert!(cast(&column(ColumnType::PersonId), Float64Array::from(vec![1.0])).is_none());
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![Some(1)])]);
    assert!(cast(&column(ColumnType::Int), list).is_none());
}

proptest::proptest! {
    #[test]
    fn a_text_is_normal_exactly_when_normalising_leaves_it(text in "[ \\ta-cＡ\u{3000}\u{b}\u{1f}]{0,4}") {
        proptest::prop_assert_eq!(is_normal(&text), !text.is_empty() && normalised(&text) == text.as_str());
    }
}
