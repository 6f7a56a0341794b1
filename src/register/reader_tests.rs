//! Small registers in every format, with the dirt of real ones.

use std::io::Write as _;

use ::parquet::arrow::ArrowWriter;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Int32Array, StringArray};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Schema};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use proptest::prelude::*;

use super::*;
use crate::register::SourceFormat;
use crate::register::declaration::arrow_schema;
use crate::register::quarantine::{Reason, Scope};

const DECLARATION: &str = "register: benefits
label: 待遇
kept_by: 人社局
subject: person
key: person_id
time: {valid: [from_date, to_date]}
absence: complete
unique: [person_id, from_date]
columns:
  - {name: person_id, type: person_id, required: true, label: 公民身份号码}
  - {name: kind, type: code, codes: {a: 甲, b: 乙}}
  - {name: base, type: money, minimum: 0}
  - {name: region, type: region}
  - {name: from_date, type: date, required: true}
  - {name: to_date, type: date, null_is: open}
";

const REGIONS: &str = "regions:
  - {code: '990000', name: 省, from: 1949-10-01}
  - {code: '990100', name: 市, from: 1949-10-01}
  - {code: '990101', name: 区, from: 1949-10-01}
";

const ONE: &str = "11010519491231002X";
const TWO: &str = "110105194912310038";

/// A folder with the declaration and a file to read.
struct Fixture {
    dir: tempfile::TempDir,
    declaration: RegisterDeclaration,
    regions: RegionTree,
    source: RegisterSource,
}

impl Fixture {
    #[track_caller]
    fn new(declaration: &str, file: &str, format: SourceFormat, bytes: &[u8]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("written");
        std::fs::create_dir(dir.path().join("registers")).expect("made");
        write("registers/benefits.yaml", declaration.as_bytes());
        write("regions.yaml", REGIONS.as_bytes());
        write(file, bytes);
        let (mut registers, diagnostics) = crate::register::load(dir.path());
        assert!(diagnostics.is_empty(), "{diagnostics:?}");
        let (regions, _) = crate::region::load(&dir.path().join("regions.yaml"));
        let day = NaiveDate::from_ymd_opt(2026, 6, 30).expect("a day");
        let source = RegisterSource::new("benefits", &dir.path().join(file), format, day);
        Self { declaration: registers.registers.remove("benefits").expect("declared"), regions, source, dir }
    }

    fn read_with(&self, options: &ReadOptions) -> Result<(Vec<RecordBatch>, ReadOutcome), Box<Diagnostic>> {
        let mut reader = open(&self.declaration, &self.source, &self.regions, options)?;
        let batches = reader.by_ref().collect::<Result<Vec<_>, _>>()?;
        Ok((batches, reader.into_outcome()))
    }

    fn read(&self) -> Result<(Vec<RecordBatch>, ReadOutcome), Box<Diagnostic>> {
        self.read_with(&ReadOptions::default())
    }

    #[track_caller]
    fn check_error(&self, code: &str) {
        let error = self.read().expect_err("an error");
        assert_eq!(error.code.name, code, "{}", error.headline.en);
        let path = self.source.path.to_string_lossy().into_owned();
        assert!(error.headline.en.contains(&path), "{}", error.headline.en);
        assert!(!error.help.is_empty());
    }
}

fn csv(rows: &[&str]) -> Fixture {
    let text = format!("person_id,kind,base,region,from_date,to_date\n{}\n", rows.join("\n"));
    Fixture::new(DECLARATION, "benefits.csv", SourceFormat::Csv, text.as_bytes())
}

fn faults(outcome: &ReadOutcome) -> Vec<(u64, &str, Reason, Scope)> {
    outcome.quarantine.entries.iter().map(|entry| (entry.row, entry.column.as_ref(), entry.reason, entry.scope)).collect()
}

#[test]
fn sound_rows_have_the_declared_schema() {
    let fixture = csv(&[&format!("{ONE},甲,\"1,234.5\",990101000000,2024/1/1,"), &format!(" {TWO},b,,,2024-01-01,2024-12-31")]);
    let (batches, outcome) = fixture.read().expect("read");
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].schema(), arrow_schema(&fixture.declaration));
    let text =
        |column: usize| batches[0].column(column).as_string::<i32>().iter().map(|value| value.map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(text(0), [Some(ONE.to_owned()), Some(TWO.to_owned())]);
    assert_eq!(text(1), [Some("a".to_owned()), Some("b".to_owned())]);
    assert_eq!(text(3), [Some("990101".to_owned()), None]);
    assert_eq!(batches[0].column(2).as_primitive::<Decimal128Type>().value(0), 123_450);
    assert_eq!(
        batches[0].column(5).as_primitive::<Date32Type>().value_as_date(0).map(|day| day.to_string()).as_deref(),
        Some("9999-12-31")
    );
    assert_eq!((outcome.rows_read, outcome.rows_kept, outcome.quarantine.rows(), outcome.quarantine.cells()), (2, 2, 0, 0));
    assert_eq!(outcome.files[0].rows, 2);
}

#[test]
fn faulty_rows_and_values_are_set_aside() {
    let fixture = csv(&[
        &format!("{ONE},a,1,990101,2024-01-01,"),
        "110105194912310021,a,1,990101,2024-01-01,",
        &format!("{TWO},c,-1,990199,2024-01-01,"),
        &format!("{ONE},a,1,990101,2024-01-01,2025-01-01"),
        &format!("{ONE},a,1,990101,,"),
        &format!("{ONE},a,1,990101,2024-02-30,"),
        &format!("{ONE},a,1,990101,2025-01-01,someday"),
        &format!("{ONE},a,1,990101,2025-01-02,2025-01-01"),
        &format!("{ONE},a,1"),
        &format!("{TWO},c,1,990101,2024-01-01,"),
        "110105491231002,a,1,990101,2026-01-01,",
    ]);
    let (batches, outcome) = fixture.read().expect("read");
    assert_eq!(
        faults(&outcome),
        [
            (2, "person_id", Reason::BadIdentifier, Scope::Row),
            (3, "kind", Reason::UnknownCode, Scope::Cell),
            (3, "base", Reason::OutOfRange, Scope::Cell),
            (3, "region", Reason::UnknownRegion, Scope::Cell),
            (4, "person_id", Reason::DuplicateKey, Scope::Row),
            (5, "from_date", Reason::MissingRequired, Scope::Row),
            (6, "from_date", Reason::Uncastable, Scope::Row),
            (7, "to_date", Reason::Uncastable, Scope::Row),
            (8, "to_date", Reason::OutOfRange, Scope::Row),
            (9, "", Reason::RaggedRow, Scope::Row),
            (10, "person_id", Reason::DuplicateKey, Scope::Row),
        ]
    );
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    assert_eq!((outcome.rows_read, outcome.rows_kept, outcome.quarantine.rows(), outcome.upgraded_ids), (11, 3, 8, 1));
    assert_eq!(outcome.quarantine.entries[0].value, "1101**********0021");
    assert_eq!(outcome.quarantine.entries[0].subject, None);
    assert_eq!(outcome.quarantine.entries[4].subject.as_deref(), Some(ONE));
}

#[test]
fn batches_and_limits_change_nothing_else() {
    let rows: Vec<String> =
        (0..50).map(|at| format!("{},a,{at},990101,2024-01-{:02},", if at % 7 == 0 { "x" } else { ONE }, at % 28 + 1)).collect();
    let fixture = csv(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let (whole, expected) = fixture.read().expect("read");
    let options = ReadOptions { batch_rows: 3, quarantine_limit: 5, ..ReadOptions::default() };
    let (batches, outcome) = fixture.read_with(&options).expect("read");
    let joined = arrow::compute::concat_batches(&whole[0].schema(), &batches).expect("one schema");
    assert_eq!(joined, whole[0]);
    assert_eq!(outcome.quarantine.counts, expected.quarantine.counts);
    assert_eq!(outcome.quarantine.entries, expected.quarantine.entries[..5]);
    assert!(outcome.quarantine.is_truncated());
}

#[test]
fn only_the_wanted_columns_are_given() {
    let fixture = csv(&["11010519491231002Y,a,1,990101,2024-01-01,", &format!("{ONE},c,1,990101,2024-01-01,")]);
    let options = ReadOptions { columns: Some(vec!["base".to_owned(), "person_id".to_owned()]), ..ReadOptions::default() };
    let (batches, outcome) = fixture.read_with(&options).expect("read");
    assert_eq!(batches[0].schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["person_id", "base"]);
    assert_eq!((outcome.quarantine.rows(), outcome.quarantine.cells()), (1, 0));
}

#[test]
fn gbk_with_chinese_headers() {
    let text = format!("公民身份号码,类别,base,region,from_date,to_date\n{ONE},甲,1,990101,2024/01/31,\n");
    let mut fixture = Fixture::new(DECLARATION, "benefits.csv", SourceFormat::Csv, &encoding_rs::GBK.encode(&text).0);
    fixture.source.encoding = crate::register::sources::TextEncoding::Gbk;
    fixture.source.date_format = Some("%Y/%m/%d".to_owned());
    let error = fixture.read().expect_err("a missing column");
    assert_eq!(error.code.name, "column-missing");
    assert!(error.help.iter().any(|help| help.en.contains("header: {person_id: 公民身份号码}")), "{:?}", error.help);
    fixture.source.header =
        [("person_id", "公民身份号码"), ("kind", "类别")].map(|(declared, physical)| (declared.to_owned(), physical.to_owned())).into();
    let (batches, _) = fixture.read().expect("read");
    assert_eq!(batches[0].column(1).as_string::<i32>().value(0), "a");
    fixture.source.encoding = crate::register::sources::TextEncoding::Utf8;
    fixture.check_error("wrong-encoding");
    fixture.source.header.insert("kid".to_owned(), "x".to_owned());
    assert_eq!(fixture.read().expect_err("a wrong header").code.name, "sources-invalid");
}

#[test]
fn a_few_bad_bytes_are_set_aside_many_are_another_encoding() {
    let row = |day: u32| format!("{ONE},a,1,990101,{}-{:02}-{:02},\n", 1990 + day / 300, day / 25 % 12 + 1, day % 25 + 1).into_bytes();
    let with_bad = |bad: u32| {
        let mut bytes = b"person_id,kind,base,region,from_date,to_date\n".to_vec();
        for at in 0..300 {
            bytes.extend(if at < bad { b"\xbc\xd7,a,1,990101,2024-01-01,\n".to_vec() } else { row(at) });
        }
        Fixture::new(DECLARATION, "benefits.csv", SourceFormat::Csv, &bytes)
    };
    let (_, outcome) = with_bad(3).read().expect("read");
    assert_eq!(outcome.quarantine.with_reason(Reason::BadEncoding), 3);
    assert_eq!(outcome.rows_kept, 297);
    let error = with_bad(4).read().expect_err("another encoding");
    assert_eq!(error.code.name, "wrong-encoding");
    assert!(error.headline.en.ends_with("line 2"), "{}", error.headline.en);
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).expect("a batch")
}

fn sound_batch() -> RecordBatch {
    batch(vec![
        ("to_date", Arc::new(Date32Array::from(vec![None, Some(20_000)]))),
        ("person_id", Arc::new(StringArray::from(vec![ONE, TWO]))),
        ("kind", Arc::new(StringArray::from(vec!["a", "b"]))),
        ("base", Arc::new(Decimal128Array::from(vec![100, 250]).with_precision_and_scale(10, 2).expect("money"))),
        ("region", Arc::new(Int32Array::from(vec![990_101, 990_100]))),
        ("from_date", Arc::new(Date32Array::from(vec![19_000, 19_000]))),
        ("more", Arc::new(BooleanArray::from(vec![true, false]))),
    ])
}

fn parquet_bytes(batch: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).expect("a writer");
    writer.write(batch).expect("written");
    writer.close().expect("closed");
    bytes
}

/// A file with row groups of so many rows.
fn parquet_in_groups(batch: &RecordBatch, group_rows: usize) -> Vec<u8> {
    let properties = ::parquet::file::properties::WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).expect("a writer");
    writer.write(batch).expect("written");
    writer.close().expect("closed");
    bytes
}

#[track_caller]
fn check_sound(fixture: &Fixture) {
    let (batches, outcome) = fixture.read().expect("read");
    assert_eq!(batches[0].schema(), arrow_schema(&fixture.declaration));
    assert_eq!(outcome.rows_kept, 2);
    assert_eq!(batches[0].column(2).as_primitive::<Decimal128Type>().value(1), 250);
    assert_eq!(batches[0].column(3).as_string::<i32>().value(0), "990101");
    assert_eq!(batches[0].column(5).null_count(), 0);
}

#[test]
fn parquet_and_arrow() {
    let rows = sound_batch();
    let fixture = Fixture::new(DECLARATION, "benefits.parquet", SourceFormat::Parquet, &parquet_bytes(&rows));
    check_sound(&fixture);
    let mut file = FileWriter::try_new(Vec::new(), &rows.schema()).expect("a writer");
    file.write(&rows).expect("written");
    check_sound(&Fixture::new(DECLARATION, "benefits.arrow", SourceFormat::Arrow, &file.into_inner().expect("finished")));
    let mut stream = StreamWriter::try_new(Vec::new(), &rows.schema()).expect("a writer");
    stream.write(&rows).expect("written");
    check_sound(&Fixture::new(DECLARATION, "benefits.arrow", SourceFormat::Arrow, &stream.into_inner().expect("finished")));
}

#[test]
fn damaged_files_and_wrong_types() {
    let bytes = parquet_bytes(&sound_batch());
    Fixture::new(DECLARATION, "benefits.parquet", SourceFormat::Parquet, &bytes[..bytes.len() / 2]).check_error("file-unreadable");
    Fixture::new(DECLARATION, "benefits.parquet", SourceFormat::Parquet, b"").check_error("file-unreadable");
    Fixture::new(DECLARATION, "benefits.csv", SourceFormat::Csv, b"").check_error("file-unreadable");
    Fixture::new(DECLARATION, "benefits.arrow", SourceFormat::Arrow, b"person_id,kind\n").check_error("file-unreadable");
    let mut damaged = bytes.clone();
    damaged[4..60].fill(0xff);
    Fixture::new(DECLARATION, "benefits.parquet", SourceFormat::Parquet, &damaged).check_error("file-unreadable");
    let rows = sound_batch();
    let mut columns: Vec<ArrayRef> = rows.columns().to_vec();
    columns[3] = Arc::new(BooleanArray::from(vec![true, false]));
    let mut fields: Vec<_> = rows.schema().fields().iter().cloned().collect();
    fields[3] = Arc::new(Field::new("base", DataType::Boolean, true));
    let wrong = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("a batch");
    Fixture::new(DECLARATION, "benefits.parquet", SourceFormat::Parquet, &parquet_bytes(&wrong)).check_error("file-unreadable");
}

#[test]
fn folders_with_partitions() {
    let mut fixture = csv(&[]);
    let root = fixture.dir.path().join("parts");
    for (kind, id) in [("a", ONE), ("b", TWO)] {
        let folder = root.join(format!("kind={kind}"));
        std::fs::create_dir_all(&folder).expect("made");
        let mut file = File::create(folder.join("part.csv")).expect("made");
        writeln!(file, "person_id,base,region,from_date,to_date\n{id},1,990101,2024-01-01,\n{id},1,990101,2024-01-01,").expect("written");
    }
    fixture.source.path = root;
    let (batches, outcome) = fixture.read().expect("read");
    let kinds: Vec<_> = batches.iter().flat_map(|batch| batch.column(1).as_string::<i32>().iter().flatten().map(str::to_owned)).collect();
    assert_eq!(kinds, ["a", "b"]);
    assert_eq!(faults(&outcome), [(2, "person_id", Reason::DuplicateKey, Scope::Row); 2]);
    assert_eq!(outcome.files.len(), 2);
}

#[test]
fn an_empty_complete_register_is_an_error() {
    csv(&[]).check_error("register-empty");
    csv(&["x,a,1,990101,2024-01-01,"]).check_error("register-empty");
    let text = b"person_id,kind,base,region,from_date,to_date\n";
    for (from, to) in [("absence: complete", "absence: partial"), ("unique:", "may_be_empty: true\nunique:")] {
        let (batches, outcome) =
            Fixture::new(&DECLARATION.replace(from, to), "benefits.csv", SourceFormat::Csv, text).read().expect("read");
        assert_eq!((batches.len(), outcome.rows_read, outcome.files.len()), (0, 0, 1));
    }
}

#[test]
fn a_missing_file_and_its_hash() {
    let mut fixture = csv(&[&format!("{ONE},a,1,990101,2024-01-01,")]);
    let path = fixture.dir.path().join("three");
    std::fs::write(&path, "abc").expect("written");
    assert_eq!(hash_file(&path).expect("hashed"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    fixture.source.path = fixture.dir.path().join("none.csv");
    fixture.check_error("register-missing");
}

#[test]
fn the_dirt_planted_in_the_sample_is_found_and_no_more() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (registers, mistakes) = crate::register::load(&root.join("policies"));
    let (regions, more) = crate::region::load(&root.join("policies"));
    assert!(mistakes.is_empty() && more.is_empty(), "{mistakes:?} {more:?}");
    let sources = crate::register::Sources::load(&root.join("data-samples/sources.yaml")).expect("sound");
    let text = std::fs::read_to_string(root.join("data-samples/planted.json")).expect("read");
    let planted: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for (name, declaration) in &registers.registers {
        let source = sources.get(name).expect("a source");
        let mut reader = open(declaration, source, &regions, &ReadOptions::default()).expect("opened");
        assert!(reader.by_ref().all(|batch| batch.is_ok()), "{name}");
        let outcome = reader.into_outcome();
        let mut found = std::collections::BTreeMap::new();
        for ((_, reason, _), count) in &outcome.quarantine.counts {
            *found.entry(reason.code().to_owned()).or_insert(0) += count;
        }
        let reasons = planted["quarantine"][name].as_object().into_iter().flatten();
        let expected = reasons.map(|(reason, tally)| (reason.clone(), tally["count"].as_u64().unwrap_or_default())).collect();
        assert_eq!(found, expected, "{name}");
        assert_eq!(outcome.rows_read, planted["rows"][name].as_u64().unwrap_or_default(), "{name}");
        assert_eq!(outcome.upgraded_ids, planted["upgraded_ids"][name]["count"].as_u64().unwrap_or_default(), "{name}");
    }
}

/// Every value as text, row by row.
fn texts(batches: &[RecordBatch]) -> Vec<Vec<Option<String>>> {
    let row = |columns: &[ArrayRef], row: usize| {
        columns.iter().map(AsArray::as_string::<i32>).map(|text| text.is_valid(row).then(|| text.value(row).to_owned())).collect()
    };
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<ArrayRef> =
            batch.columns().iter().map(|column| arrow::compute::cast(column, &DataType::Utf8).expect("text")).collect();
        rows.extend((0..batch.num_rows()).map(|at| row(&columns, at)));
    }
    rows
}

type Given = [Option<&'static str>; 7];

const NAMES: [&str; 7] = ["person_id", "kind", "base", "region", "from_date", "to_date", "note"];

fn noted(unique: &str) -> String {
    DECLARATION.replace("unique: [person_id, from_date]", unique) + "  - {name: note, type: text}\n"
}

fn columns_of(rows: &[Given]) -> RecordBatch {
    let column = |at: usize| Arc::new(rows.iter().map(|row| row[at]).collect::<StringArray>()) as ArrayRef;
    RecordBatch::try_from_iter_with_nullable(NAMES.iter().enumerate().map(|(at, name)| (*name, column(at), true))).expect("a batch")
}

/// Reads the same rows, in the same files, from CSV and from Parquet.
#[track_caller]
fn check_formats(unique: &str, files: &[Vec<Given>], group_rows: usize, batch_rows: usize) {
    let mut fixture = Fixture::new(&noted(unique), "none.csv", SourceFormat::Csv, b"");
    let mut found = Vec::new();
    for (format, dictionaries) in
        [(SourceFormat::Csv, false), (SourceFormat::Csv, true), (SourceFormat::Parquet, false), (SourceFormat::Parquet, true)]
    {
        let folder = fixture.dir.path().join(format!("{format:?}-{dictionaries}"));
        std::fs::create_dir(&folder).expect("made");
        for (at, rows) in files.iter().enumerate() {
            let line = |row: &Given| row.map(Option::unwrap_or_default).join(",") + "\n";
            let bytes = match format {
                SourceFormat::Parquet => parquet_in_groups(&columns_of(rows), group_rows),
                _ => (NAMES.join(",") + "\n" + &rows.iter().map(line).collect::<String>()).into_bytes(),
            };
            let extension = if format == SourceFormat::Parquet { "parquet" } else { "csv" };
            std::fs::write(folder.join(format!("{at}.{extension}")), bytes).expect("written");
        }
        fixture.source.path = folder;
        fixture.source.format = format;
        let options = ReadOptions { batch_rows, dictionaries, ..ReadOptions::default() };
        let mut reader = open(&fixture.declaration, &fixture.source, &fixture.regions, &options).expect("opened");
        let (mut batches, mut error) = (Vec::new(), None);
        while let Some(window) = reader.next_window() {
            match window {
                Ok(window) => batches.extend(window),
                Err(diagnostic) => error = Some(diagnostic.code.name),
            }
        }
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        assert!(batches.iter().all(|batch| batch.num_rows() <= batch_rows && batch.schema() == reader.schema()));
        for (name, can_be) in [("person_id", false), ("kind", true), ("region", true), ("note", true)] {
            let schema = reader.schema();
            let field = schema.field_with_name(name).expect("a column");
            assert_eq!(field.data_type() == &dictionary, can_be && dictionaries, "{name}");
        }
        let outcome = reader.into_outcome();
        let told: Vec<_> = outcome
            .quarantine
            .entries
            .iter()
            .map(|entry| (entry.row, entry.column.to_string(), entry.value.clone(), entry.reason, entry.scope, entry.subject.clone()))
            .collect();
        let rows_of_files: Vec<u64> = outcome.files.iter().map(|file| file.rows).collect();
        found.push((texts(&batches), told, rows_of_files, outcome.rows_read, outcome.rows_kept, outcome.upgraded_ids, error));
    }
    for other in &found[1..] {
        assert_eq!(*other, found[0]);
    }
}

#[test]
fn keys_that_repeat_across_row_groups_and_files() {
    let row = |id: &'static str, day: &'static str| [Some(id), Some("乙"), None, Some("990101000000"), Some(day), None, Some("x")];
    let days = ["2024-01-01", "2024-01-02", "2024-01-03"];
    let once: Vec<Given> = days.iter().flat_map(|day| [row(ONE, day), row(TWO, day)]).collect();
    let again: Vec<Given> = once.iter().chain(&once).copied().collect();
    for group_rows in [1, 3, 4, 100] {
        check_formats("unique: [person_id, from_date]", &[again.clone(), once.clone()], group_rows, 2);
        check_formats("unique: [person_id]", &[again.clone(), once.clone()], group_rows, 4);
    }
    let fixture = Fixture::new(
        &noted("unique: [person_id, from_date]"),
        "x.parquet",
        SourceFormat::Parquet,
        &parquet_in_groups(&columns_of(&again), 4),
    );
    let (batches, outcome) = fixture.read().expect("read");
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 6);
    let expect: Vec<_> = (7..=12).map(|row| (row, "person_id", Reason::DuplicateKey, Scope::Row)).collect();
    assert_eq!(faults(&outcome), expect);
}

#[test]
fn a_row_group_that_is_damaged_is_told_after_the_rows_before_it() {
    let rows: Vec<Given> =
        (0..4).map(|at| [Some(if at % 2 == 0 { ONE } else { TWO }), None, None, None, Some("2024-01-01"), None, None]).collect();
    let mut bytes = parquet_in_groups(&columns_of(&rows), 2);
    let metadata = ::parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::from(bytes.clone()));
    let (start, length) = metadata.expect("a footer").row_group(1).column(0).byte_range();
    let range = usize::try_from(start).expect("small")..usize::try_from(start + length).expect("small");
    bytes[range].fill(0xff);
    let fixture = Fixture::new(&noted("may_be_empty: true"), "x.parquet", SourceFormat::Parquet, &bytes);
    let mut reader = open(&fixture.declaration, &fixture.source, &fixture.regions, &ReadOptions::default()).expect("opened");
    assert_eq!(reader.next().expect("a batch").expect("sound").num_rows(), 2);
    assert_eq!(reader.next().expect("an error").expect_err("an error").code.name, "file-unreadable");
    assert!(reader.next().is_none());
}

fn given_row() -> impl Strategy<Value = Given> {
    let some = |values: &'static [&'static str]| prop::option::weighted(0.9, prop::sample::select(values));
    (
        some(&[ONE, TWO, "110105491231002", " 11010519491231002x", "110105194912310021"]),
        some(&["a", "b", "甲", "乙", "c", " a"]),
        some(&["1", "2.50", "-1", "x"]),
        some(&["990101", "990100", "990101000000", "990199"]),
        some(&["2024-01-01", "2024/1/2", "20240103", "2024-02-30"]),
        some(&["2024-01-02", "2025-01-01", "someday"]),
        some(&["x", "y", "ＡＢ", " z"]),
    )
        .prop_map(|(id, kind, base, region, from, to, note)| [id, kind, base, region, from, to, note])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn formats_row_groups_and_dictionaries_change_nothing(
        unique in prop::sample::select(vec!["unique: [person_id, from_date]", "unique: [person_id]", "unique: [kind, note]", "may_be_empty: true"]),
        files in prop::collection::vec(prop::collection::vec(given_row(), 1..24), 1..4),
        group_rows in 1..12_usize,
        batch_rows in 1..9_usize,
    ) {
        check_formats(unique, &files, group_rows, batch_rows);
    }
}
