//! Firms of the city: from shops without staff to employers of thousands, and their five registers.

use chrono::{Datelike, NaiveDate};
use rayon::prelude::*;

use super::calendar::{add_days, add_months, day, months_between};
use super::dice::Dice;
use super::identifier::{Id, PREFIXES, entity_id};

/// People employed by firms, per 10,000 of the city: staff figures are scaled to it, so that the insured in
/// `entity_staff` agree roughly, not exactly, with the contracts.
const EMPLOYED: u64 = 2700;
/// Draws of firms start at this stream, those of chunks at 1.
const FIRM_STREAM: u64 = 1 << 40;
/// Firms per 10,000 struck off their register in the last three years.
const DEREGISTERED: u32 = 400;

/// Kinds of entity: code, first two characters of the credit code (GB 32100), weight.
const KINDS: &[((&str, &str), u32)] = &[
    (("enterprise", "91"), 520),
    (("individual_business", "92"), 415),
    (("social_organisation", "52"), 40),
    (("law_firm", "31"), 15),
    (("accounting_firm", "91"), 10),
];

/// One firm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Firm {
    pub(super) kind: &'static str,
    pub(super) county: u32,
    pub(super) established: NaiveDate,
    pub(super) deregistered: Option<NaiveDate>,
    /// Insured staff at the end of the year before the data day.
    pub(super) staff: u32,
    class: &'static str,
}

impl Firm {
    /// The unified social credit code of the firm numbered `ordinal`.
    pub(super) fn id(&self, ordinal: u32) -> Id {
        entity_id(self.class, self.county, u64::from(ordinal))
    }

    /// Size by staff, as retail trade is sized (国统字〔2017〕213号, from memory).
    pub(super) fn size(&self, ordinal: u32) -> &'static str {
        match self.staff {
            _ if ordinal == 0 => "large",
            300.. => "large",
            50..300 => "medium",
            10..50 => "small",
            _ => "micro",
        }
    }
}

/// All firms of a city.
pub(super) struct Firms {
    firms: Vec<Firm>,
    /// Staff of the firms up to and including each, the closed ones left out.
    cumulative: Vec<u64>,
}

impl Firms {
    /// The firms of the city grown from `seed`.
    pub(super) fn new(seed: u64, count: usize, persons: usize, data_day: NaiveDate) -> Self {
        let largest = (persons as u64 / 20).clamp(60, 8000);
        let draw = |ordinal: usize| {
            let mut dice = Dice::new(seed, FIRM_STREAM + ordinal as u64);
            draw_firm(&mut dice, ordinal, largest, data_day)
        };
        let mut firms: Vec<Firm> = (0..count).into_par_iter().map(draw).collect();
        let drawn: u64 = firms.iter().map(|firm| u64::from(firm.staff)).sum();
        let wanted = persons as u64 * EMPLOYED / 10_000 * 100;
        let mut total = 0;
        let mut cumulative = Vec::with_capacity(count);
        for firm in &mut firms {
            firm.staff = (u64::from(firm.staff) * wanted / drawn.max(1)).div_ceil(100) as u32;
            let open = firm.deregistered.is_none();
            total += if open { u64::from(firm.staff) } else { 0 };
            cumulative.push(total);
        }
        Self { firms, cumulative }
    }

    /// The firm numbered `ordinal`.
    pub(super) fn get(&self, ordinal: u32) -> &Firm {
        &self.firms[ordinal as usize]
    }

    /// How many firms there are.
    pub(super) fn len(&self) -> usize {
        self.firms.len()
    }

    /// A firm, by its staff.
    pub(super) fn draw(&self, dice: &mut Dice) -> u32 {
        let ticket = dice.below_wide(self.cumulative.last().copied().unwrap_or(0));
        self.cumulative.partition_point(|total| *total <= ticket) as u32
    }
}

fn draw_firm(dice: &mut Dice, ordinal: usize, largest: u64, data_day: NaiveDate) -> Firm {
    // A city has each kind, whatever the draws.
    let (kind, class) = match ordinal {
        1 => KINDS[3].0,
        2 => KINDS[4].0,
        3 => KINDS[2].0,
        0 | 4..8 => KINDS[0].0,
        _ => dice.weighted(KINDS),
    };
    // 1/u - 1 is a heavy tail: half of the firms have less than one, one in a thousand has a thousand.
    let tail = (1u64 << 32) * 100 / (u64::from(dice.below(u32::MAX)) + 1) - 100;
    let cap = match kind {
        "individual_business" => 800,
        "law_firm" | "accounting_firm" => 6000,
        _ => largest * 100,
    };
    let staff = match ordinal {
        0 => largest * 100,
        _ if kind == "individual_business" && dice.chance(5000) => 0,
        _ => tail.min(cap),
    };
    let county = PREFIXES[dice.weighted(&[(0, 20), (1, 16), (2, 13), (3, 10), (4, 14), (5, 8), (6, 7), (7, 6), (8, 6)])];
    let oldest = if ordinal < 8 { 200 } else { 260 };
    let months = dice.between(0, oldest) * dice.between(20, oldest) / oldest;
    let months = if ordinal < 8 { months + 40 } else { months };
    let established = add_days(add_months(data_day, -months), -dice.between(0, 27));
    let closed = ordinal >= 8 && months > 14 && dice.chance(DEREGISTERED);
    let deregistered = closed.then(|| add_days(data_day, -dice.between(3, (months * 28).min(1090))));
    Firm { kind, county, established, deregistered, staff: staff as u32, class }
}

/// Insured staff of one firm in one year.
#[derive(Clone, Copy, Debug)]
pub(super) struct StaffYear {
    pub(super) year: i32,
    pub(super) insured_start: u32,
    pub(super) insured_end: u32,
    /// Months of unemployment insurance paid up to the end of the year.
    pub(super) months: i32,
}

/// The last two full years before `data_day`, the later one first; years before the firm began are left out.
///
/// They are drawn from the firm's size, not counted from contracts.
pub(super) fn staff_years(dice: &mut Dice, firm: &Firm, data_day: NaiveDate) -> Vec<StaffYear> {
    let mut years = Vec::new();
    let mut insured_end = firm.staff;
    let arrears = if dice.chance(500) { dice.between(1, 30) } else { 0 };
    for year in [data_day.year() - 1, data_day.year() - 2] {
        let (first, last) = (day(year, 1, 1), day(year, 12, 31));
        let open = firm.established <= last && firm.deregistered.is_none_or(|closed| closed > last);
        if !open || firm.staff == 0 {
            continue;
        }
        let began_within = firm.established >= first;
        let insured_start = if began_within { 0 } else { start_of_year(dice, insured_end) };
        let months = (months_between(firm.established, last) + 1 - arrears).max(0);
        years.push(StaffYear { year, insured_start, insured_end, months });
        insured_end = insured_start;
    }
    years
}

/// Staff a year ago: most firms hold theirs, some grow, some lay off a few, some many.
fn start_of_year(dice: &mut Dice, end: u32) -> u32 {
    match dice.below(1000) {
        0..560 => end,
        560..760 => (end * 100).div_ceil(100 + dice.between(3, 30) as u32),
        760..900 => (end * 100).div_ceil(100 - dice.between(2, 5) as u32),
        900..960 => (end * 100).div_ceil(100 - dice.between(7, 19) as u32),
        _ => (end * 100).div_ceil(100 - dice.between(22, 45) as u32),
    }
}
