//! The synthetic city: registers of any size from a seed, with the dirt of real ones counted as it is planted.
//!
//! ```text
//!  seed ─▶ firms (whole city, in memory)
//!            │
//!  seed ─▶ chunk of 50,000 people ─▶ households ─▶ lives ─▶ registers + dirt ─▶ row groups ─┐
//!          chunk …                                                                          ├─▶ one file a register
//!          chunk …                                                                          ┘   sources.yaml, planted.json
//! ```
//!
//! A chunk depends on the seed, its number and the table of firms alone; chunks are made in parallel and written in
//! order, so the files are the same for any number of threads, and memory is bounded by a few chunks.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "every number of a city, its people and its firms fits in 31 bits"
)]

mod books;
mod calendar;
mod dice;
mod dirt;
mod employment;
mod entity;
mod entity_registers;
mod household;
mod identifier;
mod layout;
mod mortality;
mod names;
mod occupation;
mod papers;
mod payments;
mod person;
mod planted;
mod population;
mod property;
mod table;
#[cfg(test)]
mod tests;
mod welfare;
mod writer;

use std::fmt;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use chrono::NaiveDate;
use parquet::errors::ParquetError;
use rayon::prelude::*;

pub use planted::{Planted, Tally};

use books::{Books, Slip};
use dice::Dice;
use entity::Firms;
use household::{Census, Shape};
use identifier::PersonMint;
use occupation::Lives;
use population::Chunk;
use writer::Encoded;

/// People of a chunk.
const CHUNK_PERSONS: usize = 50_000;
/// Draws of the dirt start at this stream, so that the clean city does not depend on it.
const DIRT_STREAM: u64 = 1 << 50;
/// Registers are written here first, and moved out when all are complete.
const ASIDE: &str = ".incomplete";

/// What city to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleOptions {
    /// People, all ages; those who died in the last two years are among them.
    pub persons: usize,
    /// The same seed gives the same city.
    pub seed: u64,
    /// The day that the registers speak for.
    pub data_day: NaiveDate,
    /// More firms to a person, and the disability cards as GBK CSV with Chinese headers and `%Y/%m/%d` dates.
    pub small_sample: bool,
}

/// How far the city is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleProgress {
    /// People whose registers are written.
    pub persons_done: usize,
    /// People in all.
    pub persons_total: usize,
}

/// Why a city was not made.
#[derive(Debug)]
pub enum SampleError {
    /// A city of nobody was asked for.
    NoPersons,
    /// A file could not be written.
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A Parquet file could not be written.
    Parquet {
        /// The file or register.
        path: PathBuf,
        /// What the writer says.
        source: ParquetError,
    },
    /// Rows did not fit their schema: a fault of the generator.
    Arrow(ArrowError),
}

impl fmt::Display for SampleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SampleError::NoPersons => write!(f, "a city needs at least one person"),
            SampleError::Io { path, source } => write!(f, "cannot write {}: {source}", path.display()),
            SampleError::Parquet { path, source } => {
                write!(f, "cannot write {}: {source}", path.display())
            }
            SampleError::Arrow(source) => write!(f, "rows do not fit their schema: {source}"),
        }
    }
}

impl std::error::Error for SampleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SampleError::NoPersons => None,
            SampleError::Io { source, .. } => Some(source),
            SampleError::Parquet { source, .. } => Some(source),
            SampleError::Arrow(source) => Some(source),
        }
    }
}

/// Makes a city: `<out>/<register>.parquet` for every register, `<out>/sources.yaml` and `<out>/planted.json`.
///
/// The files stand in `out` only when all of them are complete.
///
/// # Errors
///
/// When there is nobody to make, or when a file cannot be written; nothing half-written is left then.
pub fn generate(options: &SampleOptions, out: &Path, progress: &(dyn Fn(SampleProgress) + Sync)) -> Result<Planted, SampleError> {
    if options.persons == 0 {
        return Err(SampleError::NoPersons);
    }
    let aside = out.join(ASIDE);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| SampleError::Io { path, source }
    };
    fs::create_dir_all(&aside).map_err(io(&aside))?;
    let made = City::new(options).write(&aside, progress);
    let moved = made.and_then(|planted| {
        for entry in fs::read_dir(&aside).map_err(io(&aside))? {
            let from = entry.map_err(io(&aside))?.path();
            let to = out.join(from.file_name().unwrap_or_default());
            fs::rename(&from, &to).map_err(io(&to))?;
        }
        Ok(planted)
    });
    let removed = fs::remove_dir_all(&aside).map_err(io(&aside));
    let planted = moved?;
    removed?;
    Ok(planted)
}

/// A city in the making.
struct City<'a> {
    options: &'a SampleOptions,
    firms: Firms,
    chunks: usize,
}

impl<'a> City<'a> {
    fn new(options: &'a SampleOptions) -> Self {
        let persons = options.persons;
        let firms = if options.small_sample { persons * 3 / 20 } else { persons / 12 }.max(20);
        let firms = Firms::new(options.seed, firms, persons, options.data_day);
        Self { options, firms, chunks: persons.div_ceil(CHUNK_PERSONS) }
    }

    fn write(&self, folder: &Path, progress: &(dyn Fn(SampleProgress) + Sync)) -> Result<Planted, SampleError> {
        let small = self.options.small_sample;
        let (mut files, encoders) = writer::open(folder, small)?;
        let mut planted = Planted::default();
        let persons_total = self.options.persons;
        let wave = rayon::current_num_threads().max(1);
        for first in (0..self.chunks).step_by(wave) {
            let last = self.chunks.min(first + wave);
            let made: Vec<Result<(Vec<Encoded>, Planted), SampleError>> = (first..last)
                .into_par_iter()
                .map(|chunk| {
                    let (batches, planted) = self.chunk(chunk).map_err(SampleError::Arrow)?;
                    Ok((encoders.encode(batches)?, planted))
                })
                .collect();
            for chunk in made {
                let (encoded, of_chunk) = chunk?;
                files.append(encoded)?;
                planted.absorb(of_chunk);
            }
            let persons_done = persons_total.min(last * CHUNK_PERSONS);
            progress(SampleProgress { persons_done, persons_total });
        }
        files.finish()?;
        writer::write_sources(folder, self.options.data_day, small)?;
        write_planted(folder, self.options, &planted)?;
        Ok(planted)
    }

    /// The registers of one chunk and what was planted in them.
    fn chunk(&self, chunk: usize) -> Result<(Vec<RecordBatch>, Planted), ArrowError> {
        let (seed, data_day) = (self.options.seed, self.options.data_day);
        let number = chunk as u32;
        let mut dice = Dice::new(seed, 1 + chunk as u64);
        let mut mint = PersonMint::new(number, self.chunks as u32);
        let persons = CHUNK_PERSONS.min(self.options.persons - chunk * CHUNK_PERSONS);
        let mut census = Census {
            dice: &mut dice,
            mint: &mut mint,
            data_day,
            chunk: number,
            people: Vec::with_capacity(persons),
            households: Vec::with_capacity(persons / 2),
        };
        census.take(persons, if chunk == 0 { &CERTAIN } else { &[] });
        let (mut people, households) = (census.people, census.households);
        let mut lives = Lives { dice: &mut dice, firms: &self.firms, data_day };
        let mut renumbered = Slip::default();
        for person in &mut people {
            lives.live(person, households[person.household].poor);
            let candidate = (16..70).contains(&person.age) && person.death.is_none();
            if candidate && renumbered.happens(lives.dice, chunk == 0, dirt::RENUMBERED) {
                person.old_id = Some(mint.mint(0, person.birth, person.male));
            }
        }
        let csv = self.options.small_sample.then_some(writer::CSV_REGISTER);
        let mut books = Books::new(Dice::new(seed, DIRT_STREAM + chunk as u64), chunk == 0, csv);
        let mut writing = Chunk { people: &people, households: &households, dice: &mut dice, books: &mut books, data_day, number };
        writing.write_population();
        writing.write_employment(&self.firms);
        writing.write_welfare();
        writing.write_papers();
        writing.write_property();
        writing.write_payments();
        writing.write_entities(&self.firms, self.firms_of(chunk));
        books.finish()
    }

    fn firms_of(&self, chunk: usize) -> Range<u32> {
        let edge = |chunk: usize| (self.firms.len() * chunk / self.chunks) as u32;
        edge(chunk)..edge(chunk + 1)
    }
}

/// Households that every city has, whatever the draws.
const CERTAIN: [Shape; 9] = [
    Shape::Turning80(3),
    Shape::Turning80(11),
    Shape::Turning80(22),
    Shape::LateDeath,
    Shape::Newborn,
    Shape::Orphans,
    Shape::Orphans,
    Shape::Destitute,
    Shape::Destitute,
];

fn write_planted(folder: &Path, options: &SampleOptions, planted: &Planted) -> Result<(), SampleError> {
    let path = folder.join("planted.json");
    let city = serde_json::json!({
        "persons": options.persons,
        "seed": options.seed,
        "data_day": options.data_day.to_string(),
        "small_sample": options.small_sample,
    });
    let mut json = serde_json::Map::from_iter([("city".to_owned(), city)]);
    if let Ok(serde_json::Value::Object(counts)) = serde_json::to_value(planted) {
        json.extend(counts);
    }
    let json = serde_json::Value::Object(json);
    let text = format!("{json:#}\n");
    fs::write(&path, text).map_err(|source| SampleError::Io { path, source })
}
