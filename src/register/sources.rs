//! Where registers physically are: `sources.yaml`, with paths, formats, encodings, header names and data days.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::NaiveDate;

use crate::diagnostic::{Diagnostic, SourceFile, Span, code};
use crate::yaml::{self, Fields, Node, wrong_shape};

/// How the rows of a register are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceFormat {
    /// Apache Parquet.
    Parquet,
    /// Fields between commas, with a header.
    Csv,
    /// Fields between tabs, with a header.
    Tsv,
    /// Arrow IPC, file or stream.
    Arrow,
}

impl SourceFormat {
    /// The endings of its files, the usual one first.
    #[must_use]
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Parquet => &["parquet", "pq"],
            Self::Csv => &["csv", "txt"],
            Self::Tsv => &["tsv", "tab", "txt"],
            Self::Arrow => &["arrow", "ipc", "feather", "arrows"],
        }
    }

    fn of_extension(extension: &str) -> Option<Self> {
        [Self::Parquet, Self::Csv, Self::Tsv, Self::Arrow].into_iter().find(|format| format.extensions().contains(&extension))
    }
}

const FORMATS: &[(&str, SourceFormat)] = &[
    ("parquet", SourceFormat::Parquet),
    ("csv", SourceFormat::Csv),
    ("tsv", SourceFormat::Tsv),
    ("arrow", SourceFormat::Arrow),
    ("ipc", SourceFormat::Arrow),
];

/// The encoding of a text file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextEncoding {
    /// With or without a byte order mark.
    #[default]
    Utf8,
    /// GB 18030.
    Gb18030,
    /// GBK, also for GB 2312.
    Gbk,
}

const ENCODINGS: &[(&str, TextEncoding)] = &[
    ("utf-8", TextEncoding::Utf8),
    ("utf8", TextEncoding::Utf8),
    ("gb18030", TextEncoding::Gb18030),
    ("gbk", TextEncoding::Gbk),
    ("gb2312", TextEncoding::Gbk),
];

impl TextEncoding {
    /// The word in `sources.yaml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Gb18030 => "gb18030",
            Self::Gbk => "gbk",
        }
    }
}

/// Where one register is.
#[derive(Debug, Clone)]
pub struct RegisterSource {
    /// The register.
    pub register: String,
    /// Place of its path in `sources.yaml`; none for sources made otherwise.
    pub place: Option<Span>,
    /// A file, a glob or a folder; below a glob or folder, `name=value` folders are columns.
    pub path: PathBuf,
    /// Format.
    pub format: SourceFormat,
    /// Encoding of text formats.
    pub encoding: TextEncoding,
    /// Physical column name by declared column name, where they differ.
    pub header: BTreeMap<String, String>,
    /// How dates are written (`%Y/%m/%d`); none: any usual way.
    pub date_format: Option<String>,
    /// Words for true beside the usual ones.
    pub true_words: Vec<String>,
    /// Words for false beside the usual ones.
    pub false_words: Vec<String>,
    /// Texts that mean no value.
    pub null_words: Vec<String>,
    /// The day that the delivery speaks for.
    pub data_day: NaiveDate,
    /// Rows in memory, which then are read in the place of files.
    pub held: Option<Arc<HeldRows>>,
}

/// Rows of a register in memory: typed, sound, none twice.
#[derive(Debug, Clone, Default)]
pub struct HeldRows {
    /// Batches of the declared columns ([`super::declaration::arrow_schema`]).
    pub batches: Vec<RecordBatch>,
    /// Subjects of whom a row was set aside when the register was read.
    pub set_aside: Vec<String>,
}

/// One file of a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataFile {
    /// Where.
    pub path: PathBuf,
    /// Columns that its folders tell: `year=2026`. None for the value that stands for null.
    pub partitions: Vec<(String, Option<String>)>,
}

impl RegisterSource {
    /// A source of one path with the usual settings.
    #[must_use]
    pub fn new(register: &str, path: &Path, format: SourceFormat, data_day: NaiveDate) -> Self {
        Self {
            register: register.to_owned(),
            place: None,
            path: path.to_path_buf(),
            format,
            encoding: TextEncoding::Utf8,
            header: BTreeMap::new(),
            date_format: None,
            true_words: Vec::new(),
            false_words: Vec::new(),
            null_words: vec![String::new()],
            data_day,
            held: None,
        }
    }

    /// A source of rows in memory. Such a register may be empty, whatever its declaration says: it is a part of one.
    #[must_use]
    pub fn of_rows(register: &str, rows: Arc<HeldRows>, data_day: NaiveDate) -> Self {
        Self { held: Some(rows), ..Self::new(register, Path::new(""), SourceFormat::Arrow, data_day) }
    }

    /// The files of the register, sorted by path; none for rows in memory.
    ///
    /// # Errors
    ///
    /// `register-missing` when there is none, `path-missing` for addresses that are no local path.
    pub fn files(&self) -> Result<Vec<DataFile>, Box<Diagnostic>> {
        if self.held.is_some() {
            return Ok(Vec::new());
        }
        let written = self.path.to_string_lossy();
        if written.contains("://") {
            return Err(Box::new(
                self.placed(
                    Diagnostic::new(
                        &code::PATH_MISSING,
                        format!("这里只读本地路径: {written}"),
                        format!("only local paths are read here: {written}"),
                    )
                    .help("先把文件放到本地", "bring the files to a local folder first"),
                ),
            ));
        }
        let mut paths = if self.path.is_file() {
            vec![self.path.clone()]
        } else if self.path.is_dir() {
            self.below(&self.path)
        } else {
            self.globbed(&written)?
        };
        paths.sort();
        paths.dedup();
        if paths.is_empty() {
            return Err(Box::new(self.missing()));
        }
        let fixed = fixed_part(&self.path);
        Ok(paths.into_iter().map(|path| DataFile { partitions: partitions(&path, &fixed), path }).collect())
    }

    fn globbed(&self, pattern: &str) -> Result<Vec<PathBuf>, Box<Diagnostic>> {
        let found = glob::glob(pattern).map_err(|error| {
            Box::new(self.placed(Diagnostic::new(
                &code::SOURCES_INVALID,
                format!("路径模式写错了: {pattern}: {error}"),
                format!("the pattern {pattern} is wrong: {error}"),
            )))
        })?;
        Ok(found.filter_map(Result::ok).flat_map(|path| if path.is_dir() { self.below(&path) } else { vec![path] }).collect())
    }

    /// The register's files anywhere below a folder.
    fn below(&self, folder: &Path) -> Vec<PathBuf> {
        walkdir::WalkDir::new(folder)
            .follow_links(true)
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || !entry.file_name().to_string_lossy().starts_with(['.', '_']))
            .filter_map(Result::ok)
            .filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .filter(|path| {
                let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
                extension.is_some_and(|extension| self.format.extensions().contains(&extension.as_str()))
            })
            .collect()
    }

    fn missing(&self) -> Diagnostic {
        let (register, path) = (&self.register, self.path.display());
        self.placed(
            Diagnostic::new(
                &code::REGISTER_MISSING,
                format!("库 {register} 的文件不存在: {path}"),
                format!("register {register} has no file at {path}"),
            )
            .help("检查 sources.yaml 里的 path 和 data_root", "look at `path` and `data_root` in sources.yaml")
            .help(
                format!("确实没有这个库时用 --allow-missing {register}, 它的事实都是未知"),
                format!("if it is absent on purpose, pass --allow-missing {register}: its facts are then unknown"),
            ),
        )
    }

    pub(super) fn placed(&self, mut diagnostic: Diagnostic) -> Diagnostic {
        diagnostic.primary.clone_from(&self.place);
        diagnostic
    }
}

/// The part of a path before its first pattern.
fn fixed_part(path: &Path) -> PathBuf {
    path.components().take_while(|part| !part.as_os_str().to_string_lossy().contains(['*', '?', '['])).collect()
}

/// `name=value` folders below the fixed part; the file's own name is none.
fn partitions(path: &Path, fixed: &Path) -> Vec<(String, Option<String>)> {
    let below = path.strip_prefix(fixed).unwrap_or(path);
    let folders = below.parent().into_iter().flat_map(Path::components);
    folders
        .filter_map(|part| {
            let part = part.as_os_str().to_str()?;
            let (name, value) = part.split_once('=')?;
            Some((name.to_owned(), Some(percent_decoded(value)).filter(|value| value != "__HIVE_DEFAULT_PARTITION__")))
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok()).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match code.filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Everything that a `sources.yaml` says.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// By register.
    pub sources: BTreeMap<String, RegisterSource>,
    /// The day on which registers must be fresh; none: the day that verdicts are about. Looking ahead, it is the day that
    /// one looks from.
    pub fresh_on: Option<NaiveDate>,
}

impl Sources {
    /// Reads a `sources.yaml`; its paths are relative to its own folder.
    ///
    /// # Errors
    ///
    /// Every mistake of the file.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let path = path.display();
            vec![
                Diagnostic::new(&code::PATH_MISSING, format!("读不了 {path}: {error}"), format!("cannot read {path}: {error}"))
                    .help("用 --sources 给出 sources.yaml", "give a sources.yaml with --sources"),
            ]
        })?;
        let (node, mut diagnostics) = yaml::parse(&SourceFile::new(path, text));
        let folder = path.parent().unwrap_or(Path::new(""));
        let sources = node.map(|node| read(&node, folder, &mut diagnostics)).unwrap_or_default();
        if diagnostics.is_empty() { Ok(sources) } else { Err(diagnostics) }
    }

    /// Where a register is, if the file says.
    #[must_use]
    pub fn get(&self, register: &str) -> Option<&RegisterSource> {
        self.sources.get(register)
    }

    /// The registers that the file names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str)
    }
}

fn read(node: &Node, folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Sources {
    let mut sources = Sources::default();
    let Some(mut fields) = Fields::new(node, diagnostics) else { return sources };
    let data_root = fields.text("data_root").unwrap_or_default();
    let root = if data_root.contains("://") { PathBuf::from(data_root) } else { normal(&folder.join(data_root)) };
    let data_day = fields.date("data_day");
    let entries = fields.required("sources");
    if let Some(node) = entries.filter(|node| node.mapping().is_none()) {
        fields.report(wrong_shape(node, "库和它的来源", "registers with their sources"));
    }
    for (key, value) in entries.and_then(Node::mapping).unwrap_or_default() {
        let name = key.text().unwrap_or_default().to_owned();
        if let Some(source) = read_source(&name, value, &root, data_day, fields.diagnostics()) {
            sources.sources.insert(name, source);
        }
    }
    fields.finish();
    sources
}

/// The path without `.` parts.
fn normal(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}

fn read_source(
    name: &str,
    node: &Node,
    root: &Path,
    data_day: Option<NaiveDate>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<RegisterSource> {
    let mut fields = Fields::new(node, diagnostics)?;
    let path_node = fields.required("path");
    let written = path_node.and_then(Node::text).map(str::to_owned);
    let given = fields.choice("format", FORMATS);
    let format = given.or_else(|| {
        let extension = Path::new(written.as_deref()?).extension()?.to_string_lossy().to_ascii_lowercase();
        SourceFormat::of_extension(&extension)
    });
    if format.is_none() && fields.optional("format").is_none() {
        fields.required("format");
    }
    let encoding = fields.choice("encoding", ENCODINGS).unwrap_or_default();
    let header = fields.optional("header").map(|node| read_header(node, fields.diagnostics())).unwrap_or_default();
    let date_format = fields.text("date_format");
    if let Some(wrong) = date_format.as_deref().filter(|format| !is_date_format(format)) {
        let place = fields.optional("date_format").map_or_else(|| fields.span(), Node::span);
        fields.report(
            Diagnostic::new(&code::SOURCES_INVALID, format!("“{wrong}”不是日期格式"), format!("`{wrong}` is no date format"))
                .at(place)
                .help("年月日写作 %Y、%m、%d, 如 %Y/%m/%d", "write %Y, %m and %d for year, month and day, as in %Y/%m/%d"),
        );
    }
    let words = |fields: &mut Fields<'_>, key| fields.texts(key).into_iter().map(|(word, _)| word).collect::<Vec<String>>();
    let true_words = words(&mut fields, "true_words");
    let false_words = words(&mut fields, "false_words");
    let null_words = if fields.optional("null_words").is_some() { words(&mut fields, "null_words") } else { vec![String::new()] };
    let own_day = fields.date("data_day");
    if own_day.is_none() && data_day.is_none() && fields.optional("data_day").is_none() {
        fields.required("data_day");
    }
    fields.finish();
    let written = written?;
    let path = if written.contains("://") {
        PathBuf::from(&written)
    } else if root.to_string_lossy().contains("://") {
        PathBuf::from(format!("{}/{written}", root.to_string_lossy().trim_end_matches('/')))
    } else {
        normal(&root.join(&written))
    };
    Some(RegisterSource {
        register: name.to_owned(),
        place: path_node.map(Node::span),
        path,
        format: format?,
        encoding,
        header,
        date_format,
        true_words,
        false_words,
        null_words,
        data_day: own_day.or(data_day)?,
        held: None,
    })
}

fn is_date_format(format: &str) -> bool {
    let day = NaiveDate::from_ymd_opt(2024, 2, 29).expect("a leap day");
    let mut text = String::new();
    let written = std::fmt::Write::write_fmt(&mut text, format_args!("{}", day.and_hms_opt(0, 0, 0).expect("midnight").format(format)));
    written.is_ok() && NaiveDate::parse_from_str(&text, format) == Ok(day)
}

fn read_header(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> BTreeMap<String, String> {
    let Some(entries) = node.mapping() else {
        diagnostics.push(wrong_shape(node, "声明的列名和文件里的列名", "declared names with names in the file"));
        return BTreeMap::new();
    };
    let mut header = BTreeMap::new();
    for (declared, physical) in entries {
        match (declared.text(), physical.text()) {
            (Some(declared), Some(physical)) => {
                header.insert(declared.to_owned(), physical.to_owned());
            }
            _ => diagnostics.push(wrong_shape(physical, "文件里的列名", "the name in the file")),
        }
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> (tempfile::TempDir, Result<Sources, Vec<Diagnostic>>) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("sources.yaml");
        std::fs::write(&path, text).expect("written");
        let loaded = Sources::load(&path);
        (dir, loaded)
    }

    #[test]
    fn partitions_are_columns() {
        let (dir, loaded) = load("data_root: data\nsources:\n  tax: {path: tax, format: csv, data_day: 2026-06-30}\n");
        for part in ["year=2025/kind=%E5%A4%A7", "year=2026/kind=__HIVE_DEFAULT_PARTITION__", "_old"] {
            let folder = dir.path().join("data/tax").join(part);
            std::fs::create_dir_all(&folder).expect("made");
            std::fs::write(folder.join("a.csv"), "a\n1\n").expect("written");
            std::fs::write(folder.join("notes.md"), "").expect("written");
        }
        let sources = loaded.expect("sound");
        let files = sources.get("tax").expect("there").files().expect("files");
        let found: Vec<_> = files.into_iter().map(|file| file.partitions).collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                vec![("year".to_owned(), text("2025")), ("kind".to_owned(), text("大"))],
                vec![("year".to_owned(), text("2026")), ("kind".to_owned(), None)],
            ]
        );
    }

    #[test]
    fn globs_and_single_files() {
        let (dir, loaded) = load("data_day: 2026-06-30\nsources:\n  a: {path: 'a-*.csv'}\n  b: {path: a-2.csv}\n  c: {path: none.csv}\n");
        for name in ["a-2.csv", "a-1.csv"] {
            std::fs::write(dir.path().join(name), "").expect("written");
        }
        let sources = loaded.expect("sound");
        let names = |register: &str| {
            let files = sources.get(register).expect("there").files().map_err(|found| found.code.name)?;
            Ok(files.iter().map(|file| file.path.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect::<Vec<_>>())
        };
        assert_eq!(names("a"), Ok(vec!["a-1.csv".to_owned(), "a-2.csv".to_owned()]));
        assert_eq!(names("b"), Ok(vec!["a-2.csv".to_owned()]));
        assert_eq!(names("c"), Err("register-missing"));
    }

    #[track_caller]
    fn check_mistake(line: &str, expect: &[&str]) {
        let (_dir, loaded) = load(&format!("sources:\n  a: {line}\n"));
        let found: Vec<_> = loaded.expect_err("a mistake").iter().map(|found| found.code.name).collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn mistakes_are_told() {
        check_mistake("{path: a.parquet}", &["missing-key"]);
        check_mistake("{path: a, data_day: 2026-06-30}", &["missing-key"]);
        check_mistake("{path: a.csv, data_day: 2026-06-31}", &["wrong-shape"]);
        check_mistake("{path: a.csv, encoding: latin1, data_day: 2026-06-30}", &["wrong-shape"]);
        check_mistake("{path: a.csv, date_format: '%Q', data_day: 2026-06-30}", &["sources-invalid"]);
        check_mistake("{path: a.csv, date_format: 'yyyy', data_day: 2026-06-30}", &["sources-invalid"]);
        check_mistake("{path: a.csv, headers: {}, data_day: 2026-06-30}", &["unknown-key"]);
    }
}
