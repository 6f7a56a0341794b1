//! Runs of `match` and what they wrote, read back with the Parquet reader.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Date32Type, Decimal128Type, UInt64Type};
use chrono::{NaiveDate, TimeDelta};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tempfile::TempDir;

use super::support::{Run, run};

/// The shipped policies.
pub(crate) const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/policies");
/// The shipped sample.
pub(crate) const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data-samples");

/// A run of `match`, alone in a folder of its own.
pub(crate) struct Outcome {
    folder: TempDir,
    pub(crate) run: Run,
}

impl Outcome {
    /// Runs on the sample with further arguments; in English unless they say otherwise.
    pub(crate) fn of_sample(arguments: &[&str]) -> Self {
        let sources = format!("{SAMPLE}/sources.yaml");
        Self::of(&[&["--policies", POLICIES, "--sources", &sources], arguments].concat())
    }

    /// Runs with these arguments.
    pub(crate) fn of(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("out");
        let lang: &[&str] = if arguments.contains(&"--lang") { &[] } else { &["--lang", "en"] };
        let run = run(&[&["match", "--out", text_of(&out)], arguments, lang].concat());
        Self { folder, run }
    }

    /// The run must have ended well.
    #[track_caller]
    pub(crate) fn clean(self) -> Self {
        assert_eq!(self.run.code, Some(0), "{}", self.run.stderr);
        self
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    pub(crate) fn table(&self, name: &str) -> Rows {
        Rows::read(&self.out().join(format!("{name}.parquet")))
    }

    /// The bytes of every file but the one with durations.
    pub(crate) fn bytes(&self) -> BTreeMap<String, Vec<u8>> {
        let mut bytes = bytes(&self.out());
        bytes.remove("timings.json");
        bytes
    }

    pub(crate) fn manifest(&self) -> serde_json::Value {
        json(&self.out().join("manifest.json"))
    }
}

/// What the run on the sample with nothing said wrote, kept in memory.
pub(crate) struct Sample {
    pub(crate) stdout: String,
    /// Every file but the one with durations.
    pub(crate) bytes: BTreeMap<String, Vec<u8>>,
    pub(crate) manifest: serde_json::Value,
    tables: BTreeMap<String, Rows>,
}

impl Sample {
    #[track_caller]
    pub(crate) fn table(&self, name: &str) -> &Rows {
        self.tables.get(name).unwrap_or_else(|| panic!("no table `{name}`"))
    }
}

/// The run on the sample with nothing said, made once.
pub(crate) fn sample() -> &'static Sample {
    static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
        let outcome = Outcome::of_sample(&[]).clean();
        let bytes = outcome.bytes();
        let tables = bytes.keys().filter_map(|name| name.strip_suffix(".parquet"));
        let tables = tables.map(|name| (name.to_owned(), outcome.table(name))).collect();
        Sample { manifest: outcome.manifest(), stdout: outcome.run.stdout, bytes, tables }
    });
    &SAMPLE
}

/// The rows of one table.
pub(crate) struct Rows(RecordBatch);

impl Rows {
    #[track_caller]
    pub(crate) fn read(path: &Path) -> Self {
        let file = File::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
        let schema = Arc::clone(builder.schema());
        let batches: Vec<RecordBatch> = builder.build().expect("a reader").collect::<Result<_, _>>().expect("whole batches");
        Self(concat_batches(&schema, &batches).expect("batches of one schema"))
    }

    pub(crate) fn of(batch: RecordBatch) -> Self {
        Self(batch)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.num_rows()
    }

    pub(crate) fn has_column(&self, name: &str) -> bool {
        self.0.column_by_name(name).is_some()
    }

    /// The names of the columns.
    pub(crate) fn columns(&self) -> Vec<String> {
        self.0.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    #[track_caller]
    pub(crate) fn column(&self, name: &str) -> &Arc<dyn Array> {
        self.0.column_by_name(name).unwrap_or_else(|| panic!("no column `{name}`"))
    }

    /// Text; nothing reads as empty.
    #[track_caller]
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        let column = self.column(name).as_string::<i32>();
        column.iter().map(Option::unwrap_or_default).collect()
    }

    /// Hundredths; nothing counts as none.
    #[track_caller]
    pub(crate) fn amounts(&self, name: &str) -> Vec<i128> {
        let column = self.column(name).as_primitive::<Decimal128Type>();
        column.iter().map(Option::unwrap_or_default).collect()
    }

    #[track_caller]
    pub(crate) fn counts(&self, name: &str) -> Vec<u64> {
        self.column(name).as_primitive::<UInt64Type>().values().to_vec()
    }

    /// Lists of texts.
    #[track_caller]
    pub(crate) fn lists(&self, name: &str) -> Vec<Vec<String>> {
        let column = self.column(name).as_list::<i32>();
        let texts = |list: Arc<dyn Array>| list.as_string::<i32>().iter().flatten().map(str::to_owned).collect();
        (0..column.len()).map(|row| texts(column.value(row))).collect()
    }

    #[track_caller]
    pub(crate) fn days(&self, name: &str) -> Vec<NaiveDate> {
        let column = self.column(name).as_primitive::<Date32Type>();
        column.values().iter().map(|days| NaiveDate::default() + TimeDelta::days(i64::from(*days))).collect()
    }

    /// The texts of a column in the rows of which another column has a text.
    #[track_caller]
    pub(crate) fn texts_where<'a>(&'a self, name: &str, column: &str, is: &str) -> BTreeSet<&'a str> {
        self.texts(name).into_iter().zip(self.texts(column)).filter(|(_, text)| *text == is).map(|(text, _)| text).collect()
    }
}

pub(crate) fn text_of(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// Writes files into a folder, made where it is not there.
pub(crate) fn write_all(folder: &Path, files: &BTreeMap<String, Vec<u8>>) {
    fs::create_dir_all(folder).expect("a folder");
    for (name, content) in files {
        fs::write(folder.join(name), content).expect("written");
    }
}

/// A folder with a copy of the sample's registers in `city`.
pub(crate) fn copy_of_sample() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write_all(&folder.path().join("city"), &bytes(Path::new(SAMPLE)));
    folder
}

/// Writes a Parquet file anew.
pub(crate) fn rewrite(path: &Path, change: impl Fn(RecordBatch) -> RecordBatch) {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).expect("a file")).expect("a Parquet file");
    let batches: Vec<RecordBatch> = reader.build().expect("a reader").map(|batch| change(batch.expect("a batch"))).collect();
    let mut writer = ArrowWriter::try_new(File::create(path).expect("a file"), batches[0].schema(), None).expect("a writer");
    for batch in &batches {
        writer.write(batch).expect("written");
    }
    writer.close().expect("closed");
}

/// The bytes of every file of a folder.
pub(crate) fn bytes(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    entries.map(|path| (name(&path), fs::read(&path).expect("a file"))).collect()
}

/// The names in the folder that holds `out`.
pub(crate) fn names_beside(out: &Path) -> Vec<String> {
    let entries = fs::read_dir(out.parent().expect("a folder")).expect("the folder is there");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

/// The names of the files whose bytes differ.
pub(crate) fn differing(one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

pub(crate) fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).expect("the file is there")).expect("JSON")
}

/// What the generator planted: counts by two keys, such as register and reason.
pub(crate) fn planted_by_two(planted: &serde_json::Value, what: &str) -> BTreeMap<(String, String), u64> {
    let outer = planted[what].as_object().expect("an object");
    let inner = outer.iter().flat_map(|(one, of)| of.as_object().expect("an object").iter().map(move |(other, tally)| (one, other, tally)));
    inner.map(|(one, other, tally)| ((one.clone(), other.clone()), tally["count"].as_u64().expect("a count"))).collect()
}
