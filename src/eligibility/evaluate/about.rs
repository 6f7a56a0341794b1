//! What results say of each subject, out of one batch: identifier, region, household, payees.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt32Type};
use hashbrown::HashMap;

use super::super::finding::{Payees, Subject};
use super::super::grant::county_of;
use super::Context;
use crate::dossier::DossierError;
use crate::policy::document::Payee;

/// A column of texts: row by row, or by key.
pub(super) enum TextColumn {
    Plain(StringArray),
    Keyed { keys: UInt32Array, texts: StringArray },
}

impl TextColumn {
    /// Any column that can be read as texts.
    pub(super) fn new(array: &ArrayRef) -> Result<Self, DossierError> {
        if let DataType::Dictionary(..) = array.data_type() {
            let keyed = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
            let array = cast(array, &keyed)?;
            let array = array.as_dictionary::<UInt32Type>();
            return Ok(Self::Keyed { keys: array.keys().clone(), texts: array.values().as_string::<i32>().clone() });
        }
        Ok(Self::Plain(cast(array, &DataType::Utf8)?.as_string::<i32>().clone()))
    }

    /// The text of a row, where it is known.
    pub(super) fn value(&self, row: usize) -> Option<&str> {
        match self {
            Self::Plain(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Keyed { keys, .. } => keys.is_valid(row).then(|| self.keyed(keys.value(row)))?,
        }
    }

    /// The text of a key; none for a plain column.
    fn keyed(&self, key: u32) -> Option<&str> {
        match self {
            Self::Keyed { texts, .. } if texts.is_valid(key as usize) => Some(texts.value(key as usize)),
            _ => None,
        }
    }
}

/// The columns of one batch.
pub(super) struct AboutColumns {
    ids: Option<TextColumn>,
    regions: Vec<TextColumn>,
    household: Option<TextColumn>,
    guardians: Vec<TextColumn>,
    head: Option<TextColumn>,
    legal_representative: Option<TextColumn>,
}

impl AboutColumns {
    pub(super) fn new(context: &Context<'_>, batch: &RecordBatch) -> Result<Self, DossierError> {
        let column = |name: &str| batch.column_by_name(name).map(TextColumn::new).transpose();
        let all = |names: &[String]| names.iter().filter_map(|name| column(name).transpose()).collect::<Result<Vec<_>, _>>();
        let one = |name: &Option<String>| name.as_deref().map_or(Ok(None), &column);
        let about = &context.compiled.about;
        Ok(Self {
            ids: column("id")?,
            regions: all(&about.regions)?,
            household: one(&about.household)?,
            guardians: all(&about.guardians)?,
            head: one(&about.head)?,
            legal_representative: one(&about.legal_representative)?,
        })
    }

    /// Enters the subject of a row. Payees are entered where one of its policies asks for them.
    pub(super) fn subject<'a>(&'a self, row: usize, number: &'a str, region: &'a str, asked: impl Fn(Payee) -> bool) -> Subject<'a> {
        let text = |column: &'a Option<TextColumn>| column.as_ref().and_then(|column| column.value(row));
        Subject {
            // Dossiers without identifiers are known by the number of their row.
            id: text(&self.ids).unwrap_or(if self.ids.is_some() { "" } else { number }),
            region,
            household: text(&self.household),
            payees: Payees {
                guardian: self.guardians.iter().filter(|_| asked(Payee::Guardian)).find_map(|column| column.value(row)),
                head: text(&self.head).filter(|_| asked(Payee::Head)),
                legal_representative: text(&self.legal_representative).filter(|_| asked(Payee::LegalRepresentative)),
            },
        }
    }

    /// Whether rows must be told by their numbers.
    pub(super) fn has_ids(&self) -> bool {
        self.ids.is_some()
    }
}

/// A region as the run counts it.
struct Place {
    /// The code that it is served under.
    served: Arc<str>,
    county: usize,
    /// Whether the run is about it.
    is_inside: bool,
}

/// The regions that one thread has met.
#[derive(Default)]
pub(super) struct Places {
    known: HashMap<Box<str>, u32>,
    list: Vec<Place>,
    /// Their counties.
    pub(super) counties: Vec<Arc<str>>,
    /// Of the batch: the place of each row.
    rows: Vec<u32>,
}

/// The rows of a batch that one county counts.
pub(super) struct CountyRows {
    /// In [`Places::counties`].
    pub(super) county: usize,
    /// The words that hold any.
    pub(super) words: std::ops::Range<usize>,
    /// The words of the batch.
    pub(super) bits: Vec<u64>,
}

impl Places {
    /// The region that a row of the batch is served under.
    pub(super) fn served(&self, row: usize) -> &str {
        &self.list[self.rows[row] as usize].served
    }

    /// Reads the regions of a batch: its rows by county, without those that the run is not about.
    pub(super) fn enter(&mut self, context: &Context<'_>, about: &AboutColumns, n_rows: usize) -> Vec<CountyRows> {
        self.fill(context, about, n_rows);
        let mut of_county: Vec<Option<CountyRows>> = Vec::new();
        of_county.resize_with(self.counties.len(), || None);
        let n_words = n_rows.div_ceil(64);
        for (row, &place) in self.rows.iter().enumerate() {
            let place = &self.list[place as usize];
            if place.is_inside {
                let word = row / 64;
                let rows = of_county[place.county].get_or_insert_with(|| CountyRows {
                    county: place.county,
                    words: word..word + 1,
                    bits: vec![0; n_words],
                });
                rows.words.end = word + 1;
                rows.bits[word] |= 1 << (row % 64);
            }
        }
        of_county.into_iter().flatten().collect()
    }

    fn fill(&mut self, context: &Context<'_>, about: &AboutColumns, n_rows: usize) {
        let mut rows = std::mem::take(&mut self.rows);
        rows.clear();
        let unknown = self.place(context, "");
        // Of columns by key, the place of each key that was met; of plain ones, that of the text before.
        let mut by_key: Vec<Vec<Option<u32>>> = vec![Vec::new(); about.regions.len()];
        let mut before: Option<(&str, u32)> = None;
        for row in 0..n_rows {
            let first = about.regions.iter().enumerate().find_map(|(at, column)| column.value(row).map(|text| (at, column, text)));
            rows.push(match first {
                None => unknown,
                Some((at, TextColumn::Keyed { keys, texts }, text)) => {
                    by_key[at].resize(texts.len(), None);
                    *by_key[at][keys.value(row) as usize].get_or_insert_with(|| self.place(context, text))
                }
                Some((_, TextColumn::Plain(_), text)) => match before {
                    Some((same, place)) if same == text => place,
                    _ => {
                        let place = self.place(context, text);
                        before = Some((text, place));
                        place
                    }
                },
            });
        }
        self.rows = rows;
    }

    fn place(&mut self, context: &Context<'_>, region: &str) -> u32 {
        if let Some(known) = self.known.get(region) {
            return *known;
        }
        // The region that a code stands for on the day: itself, or the one that took its place.
        let served = context.regions.successor(region, context.as_of).unwrap_or(region);
        let county = county_of(served);
        let county = self.counties.iter().position(|known| **known == *county).unwrap_or_else(|| {
            self.counties.push(Arc::from(county));
            self.counties.len() - 1
        });
        let is_inside = context
            .within
            .is_none_or(|within| !region.is_empty() && (region == within || context.regions.contains(within, region, context.as_of)));
        let place = u32::try_from(self.list.len()).expect("there are fewer than 2^32 regions");
        self.list.push(Place { served: Arc::from(served), county, is_inside });
        self.known.insert(Box::from(region), place);
        place
    }
}
