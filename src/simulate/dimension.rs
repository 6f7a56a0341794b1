//! Who is who: the dimensions that results are broken down by, read from the dossiers of everybody.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt8Array};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Int64Type, Schema};
use chrono::{Datelike, NaiveDate};
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;

use crate::check::bind::Binder;
use crate::check::catalogue::{Catalogue, FactId};
use crate::check::ir::{Expr, Kind, Ty};
use crate::diagnostic::Message;
use crate::dossier::DossierError;
use crate::dossier::mapper::Mapper;
use crate::eligibility::grant::county_of;
use crate::register::declaration::SubjectKind;

/// How the values of a dimension are made of a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Banding {
    /// The county of a region.
    County,
    /// The age on the day, in bands, from a date of birth.
    Age,
    /// The value as it is.
    Plain,
    /// One to six, and more.
    Size,
    /// Tenths of all subjects of the kind whose value is known, the lowest values first; equal values are in one tenth.
    Decile,
}

/// A way to break results down.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// Its name in files.
    pub id: String,
    /// What people read.
    pub label: Message,
    /// How values are made.
    pub banding: Banding,
    /// Facts by kind, the first known value counts.
    facts: [Vec<String>; 3],
}

/// The bands of age, each with its first year of age.
const AGES: [(i32, &str); 9] =
    [(0, "00-02"), (3, "03-05"), (6, "06-17"), (18, "18-34"), (35, "35-59"), (60, "60-69"), (70, "70-79"), (80, "80-89"), (90, "90+")];

fn dimension(id: &str, zh: &str, en: &str, banding: Banding, facts: [&[&str]; 3]) -> Dimension {
    let facts = facts.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
    Dimension { id: id.to_owned(), label: Message::new(zh, en), banding, facts }
}

/// The dimensions that are looked for, in the order of results.
#[must_use]
pub fn usual() -> Vec<Dimension> {
    let region: [&[&str]; 3] = [
        &["residence_region", "hukou_region", "region"],
        &["head.residence_region", "head.hukou_region", "hukou_region", "region"],
        &["registered_region", "region"],
    ];
    vec![
        dimension("county", "区县", "County", Banding::County, region),
        dimension("age", "年龄段", "Age", Banding::Age, [&["birth_date"], &[], &[]]),
        dimension("sex", "性别", "Sex", Banding::Plain, [&["sex"], &[], &[]]),
        dimension(
            "income_decile",
            "收入十分位",
            "Income decile",
            Banding::Decile,
            [&["household.income_per_capita", "income_per_capita"], &["income_per_capita"], &[]],
        ),
        dimension(
            "household_type",
            "家庭类型",
            "Household type",
            Banding::Plain,
            [&["household.household_type", "household_type"], &["household_type"], &[]],
        ),
        dimension(
            "household_size",
            "家庭人口",
            "Household size",
            Banding::Size,
            [&["household.household_size", "household_size"], &["household_size"], &[]],
        ),
        dimension("firm_size", "企业规模", "Size of firm", Banding::Plain, [&[], &[], &["entity_size", "firm_size", "enterprise_size"]]),
    ]
}

/// One dimension of one kind, as it is read from dossiers.
#[derive(Debug, Clone)]
struct Read {
    /// In the list of dimensions.
    dimension: usize,
    /// Places in the list of expressions, the first known value counts.
    expressions: Vec<usize>,
}

/// What is read of the dossiers of one kind.
#[derive(Debug)]
pub struct Reading {
    /// The kind.
    pub kind: SubjectKind,
    /// Facts that dossiers must have, none computed.
    pub facts: BTreeSet<FactId>,
    expressions: Vec<(Expr, u8)>,
    reads: Vec<Read>,
}

impl Reading {
    /// Whether a dimension has a fact for this kind.
    #[must_use]
    pub fn has(&self, dimension: usize) -> bool {
        self.reads.iter().any(|read| read.dimension == dimension)
    }

    /// Finds the facts of dimensions for a kind, in a catalogue; `given` for dossiers that were given ready-made.
    #[must_use]
    pub fn new(kind: SubjectKind, dimensions: &[Dimension], catalogue: &mut Catalogue, binder: &Binder<'_>, given: bool) -> Self {
        let mut reading = Self { kind, facts: BTreeSet::new(), expressions: Vec::new(), reads: Vec::new() };
        for (at, dimension) in dimensions.iter().enumerate() {
            let mut expressions = Vec::new();
            for name in &dimension.facts[kind as usize] {
                let Some(id) = find(catalogue, kind, name) else { continue };
                let fact = catalogue.fact(id).ty.clone();
                let expr = Expr::new(Kind::Fact(id.index), fact.ty);
                let expr = binder.bind(&catalogue.expand(&expr, kind, 0, &move |_| given));
                expr.for_each_fact(&mut |index| {
                    reading.facts.insert(FactId { kind, index });
                });
                expressions.push(reading.expressions.len());
                reading.expressions.push((expr, fact.scale));
            }
            if !expressions.is_empty() {
                reading.reads.push(Read { dimension: at, expressions });
            }
        }
        reading
    }

    /// Reads everybody: columns `kind`, `subject`, then one text per dimension, empty where it is not known.
    ///
    /// # Errors
    ///
    /// When a stream fails, or arithmetic overflows.
    pub fn read(
        &self,
        dimensions: &[Dimension],
        catalogue: &Catalogue,
        binder: &Binder<'_>,
        streams: Vec<SendableRecordBatchStream>,
    ) -> Result<Vec<RecordBatch>, DossierError> {
        let mapper = Mapper::new(&catalogue.schema(self.kind), &self.expressions)?;
        let batches = each_batch(streams, |batch| {
            let ids = batch.column_by_name("id").cloned();
            let ids = ids.ok_or_else(|| DossierError::Told(Box::new(without_id())))?;
            Ok((ids, mapper.map_typed(batch)?))
        })?;
        let deciles: Vec<Vec<i128>> = self
            .reads
            .iter()
            .map(|read| match dimensions[read.dimension].banding {
                Banding::Decile => sorted(&batches, read.expressions[0]),
                _ => Vec::new(),
            })
            .collect();
        batches.iter().map(|(ids, columns)| self.banded(dimensions, binder, ids, columns, &deciles)).collect()
    }

    fn banded(
        &self,
        dimensions: &[Dimension],
        binder: &Binder<'_>,
        ids: &ArrayRef,
        columns: &[ArrayRef],
        deciles: &[Vec<i128>],
    ) -> Result<RecordBatch, DossierError> {
        let rows = ids.len();
        let number = u8::try_from(self.kind as usize).unwrap_or(0);
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(UInt8Array::from_value(number, rows)), arrow::compute::cast(ids, &DataType::Utf8)?];
        for (at, dimension) in dimensions.iter().enumerate() {
            let read = self.reads.iter().position(|read| read.dimension == at);
            arrays.push(match read {
                None => Arc::new(StringArray::from_iter_values(std::iter::repeat_n("", rows))),
                Some(read) => {
                    let sources: Vec<&ArrayRef> = self.reads[read].expressions.iter().map(|&at| &columns[at]).collect();
                    Arc::new(banded(dimension.banding, binder, &sources, &deciles[read], rows))
                }
            });
        }
        Ok(RecordBatch::try_new(about_schema(dimensions), arrays)?)
    }
}

/// Columns of who is who.
#[must_use]
pub fn about_schema(dimensions: &[Dimension]) -> Arc<Schema> {
    let mut fields = vec![Field::new("kind", DataType::UInt8, false), Field::new("subject", DataType::Utf8, true)];
    fields.extend((0..dimensions.len()).map(|at| Field::new(format!("d{at}"), DataType::Utf8, false)));
    Arc::new(Schema::new(fields))
}

/// A fact by its name, or through one link.
fn find(catalogue: &mut Catalogue, kind: SubjectKind, name: &str) -> Option<FactId> {
    if let Some(found) = catalogue.find(kind, name) {
        return Some(found);
    }
    let (link, fact) = name.split_once('.')?;
    let to = catalogue.registers.links.iter().find(|other| other.from == kind && other.name == link && !other.many)?.to;
    let there = catalogue.find(to, fact)?;
    catalogue.linked(kind, link, there)
}

/// A dimension over a fact that is named, for the kinds that have it; none where no kind has it, or no value could be shown.
#[must_use]
pub fn named(catalogue: &mut Catalogue, name: &str) -> Option<Dimension> {
    let mut label = None;
    let facts = SubjectKind::ALL.map(|kind| {
        let found = find(catalogue, kind, name).filter(|id| matches!(catalogue.fact(*id).ty.ty, Ty::Text | Ty::Bool));
        label = label.take().or_else(|| found.map(|id| catalogue.fact(id).label.clone()));
        found.map(|_| name.to_owned()).into_iter().collect::<Vec<_>>()
    });
    Some(Dimension { id: name.to_owned(), label: label?, banding: Banding::Plain, facts })
}

/// What a value of a dimension is called.
#[must_use]
pub fn value_label(dimension: &Dimension, value: &str, catalogue: &Catalogue, regions: &crate::region::RegionTree) -> Message {
    if value.is_empty() {
        return Message::new("不明", "not known");
    }
    let (number, plain) = (value.parse::<u32>().unwrap_or(0), Message::new(value, value));
    match dimension.banding {
        Banding::County => regions.name(value).map_or(plain, |name| {
            Message::new(format!("{} {value}", name.zh), format!("{} {value}", name.get(crate::diagnostic::Lang::En)))
        }),
        Banding::Age => {
            let text = value.trim_start_matches('0').replace("-0", "-");
            let text = if text.starts_with('-') { format!("0{text}") } else { text };
            Message::new(format!("{text}岁"), text)
        }
        Banding::Size if number >= 7 => Message::new("7人及以上", "7 or more"),
        Banding::Size => Message::new(format!("{number}人"), number.to_string()),
        Banding::Decile if number == 1 => Message::new("1 (最低)", "1 (lowest)"),
        Banding::Decile if number == 10 => Message::new("10 (最高)", "10 (highest)"),
        Banding::Decile => Message::new(number.to_string(), number.to_string()),
        Banding::Plain => {
            let facts =
                SubjectKind::ALL.iter().flat_map(|kind| dimension.facts[*kind as usize].iter().map(|name| catalogue.find(*kind, name)));
            let codes = facts.flatten().find_map(|id| catalogue.fact(id).ty.codes.as_ref()?.get(value).cloned());
            codes.unwrap_or(match value {
                "true" => Message::new("是", "yes"),
                "false" => Message::new("否", "no"),
                _ => plain,
            })
        }
    }
}

fn without_id() -> crate::diagnostic::Diagnostic {
    crate::diagnostic::Diagnostic::new(
        &crate::diagnostic::code::BAD_ARGUMENT,
        "档案文件没有标识列, 前后两次判定无法对应",
        "the dossier file has no identifier column: the two sides cannot be told to be of the same subject",
    )
    .help("用 --id 指明标识列", "name the identifier column with --id")
}

/// The known values of a number, sorted.
fn sorted(batches: &[(ArrayRef, Vec<ArrayRef>)], expression: usize) -> Vec<i128> {
    let mut values: Vec<i128> = batches
        .iter()
        .flat_map(|(_, columns)| (0..columns[expression].len()).filter_map(|row| number(&columns[expression], row)))
        .collect();
    values.sort_unstable();
    values
}

fn number(array: &ArrayRef, row: usize) -> Option<i128> {
    if array.is_null(row) {
        return None;
    }
    match array.data_type() {
        DataType::Int64 => Some(i128::from(array.as_primitive::<Int64Type>().value(row))),
        DataType::Decimal128(..) => Some(array.as_primitive::<Decimal128Type>().value(row)),
        _ => None,
    }
}

fn banded(banding: Banding, binder: &Binder<'_>, sources: &[&ArrayRef], sorted: &[i128], rows: usize) -> StringArray {
    let value = |row: usize| {
        let source = sources.iter().find(|source| source.is_valid(row))?;
        match banding {
            Banding::County => {
                let region = source.as_string_opt::<i32>()?.value(row);
                Some(county_of(binder.regions.successor(region, binder.as_of).unwrap_or(region)).to_owned())
            }
            Banding::Age => {
                let born = NaiveDate::default() + chrono::TimeDelta::days(i64::from(source.as_primitive_opt::<Date32Type>()?.value(row)));
                Some(age_band(born, binder.as_of).to_owned())
            }
            Banding::Size => Some(number(source, row)?.clamp(0, 7).to_string()),
            Banding::Decile => {
                let value = number(source, row)?;
                let below = sorted.partition_point(|other| *other < value);
                Some(format!("{:02}", below * 10 / sorted.len().max(1) + 1))
            }
            Banding::Plain => match source.data_type() {
                DataType::Boolean => Some(source.as_boolean().value(row).to_string()),
                _ => Some(source.as_string_opt::<i32>()?.value(row).to_owned()),
            },
        }
    };
    StringArray::from_iter_values((0..rows).map(|row| value(row).unwrap_or_default()))
}

/// The band of the age that somebody has on a day; born on 29 February, a year more on 1 March.
fn age_band(born: NaiveDate, day: NaiveDate) -> &'static str {
    let age = day.year() - born.year() - i32::from((day.month(), day.day()) < (born.month(), born.day()));
    AGES.iter().rev().find(|(from, _)| age >= *from).map_or("", |(_, band)| band)
}

/// Works on every batch of some streams, as many at a time as there are streams; what comes of it in no order.
///
/// # Errors
///
/// The first that a stream or the work gives.
pub fn each_batch<T: Send>(
    streams: Vec<SendableRecordBatchStream>,
    work: impl Fn(&RecordBatch) -> Result<T, DossierError> + Sync,
) -> Result<Vec<T>, DossierError> {
    let handle = tokio::runtime::Handle::current();
    let one = |mut stream: SendableRecordBatchStream| {
        handle.block_on(async {
            let mut all = Vec::new();
            while let Some(batch) = stream.next().await {
                all.push(work(&batch?)?);
            }
            Ok::<_, DossierError>(all)
        })
    };
    let parts: Vec<Result<Vec<T>, DossierError>> = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let threads: Vec<_> = streams.into_iter().map(|stream| scope.spawn(|| one(stream))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(Err(DossierError::Cancelled))).collect()
        })
    });
    let mut all = Vec::new();
    for part in parts {
        all.extend(part?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    //! Bands.

    use super::*;

    #[track_caller]
    fn check(born: &str, day: &str, band: &str) {
        let date = |text: &str| text.parse::<NaiveDate>().expect("a day");
        assert_eq!(age_band(date(born), date(day)), band);
    }

    #[test]
    fn ages_turn_on_birthdays() {
        check("1946-07-01", "2026-06-30", "70-79");
        check("1946-06-30", "2026-06-30", "80-89");
        check("2008-02-29", "2026-02-28", "06-17");
        check("2008-02-29", "2026-03-01", "18-34");
        check("1920-01-01", "2026-06-30", "90+");
        check("2027-01-01", "2026-06-30", "");
    }
}
