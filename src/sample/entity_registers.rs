//! Writes the registers of legal entities: the entity itself, taxes, staff, credit, recognitions.

use std::ops::Range;

use chrono::Datelike;

use super::calendar::{add_days, add_months};
use super::dice::Dice;
use super::entity::{Firm, Firms, staff_years};
use super::identifier::Id;
use super::layout::Register;
use super::names::firm_word;
use super::person::Work;
use super::population::Chunk;
use super::table::Cell;

/// Entities per 10,000 on a credit list, now or before.
const CREDIT: u32 = 150;
/// Yuan a month on which unemployment premiums are paid, at one per cent.
const PREMIUM_BASE: i64 = 5600;
const INDUSTRIES: &[(&str, &str)] = &[
    ("C3411", "机械"),
    ("F5211", "百货"),
    ("H6210", "餐饮"),
    ("I6513", "软件"),
    ("E4710", "建筑"),
    ("O8010", "家政"),
    ("G5430", "物流"),
    ("C1411", "食品"),
    ("P8391", "培训"),
    ("A0141", "蔬菜"),
    ("M7320", "检测"),
    ("L7261", "人力"),
];
const RESTRICTED: (&str, &str) = ("C1511", "酒精");

impl Chunk<'_> {
    /// Writes the registers of the firms in `ordinals`.
    pub(super) fn write_entities(&mut self, firms: &Firms, ordinals: Range<u32>) {
        let owners: Vec<usize> = (0..self.people.len())
            .filter(|index| {
                let person = &self.people[*index];
                person.death.is_none() && (22..72).contains(&person.age) && person.work == Work::Flexible
            })
            .collect();
        for ordinal in ordinals {
            let firm = *firms.get(ordinal);
            let id = firm.id(ordinal);
            let id = id.as_str();
            self.books.planted.entities += 1;
            self.entity(&firm, ordinal, id, &owners);
            self.taxes(&firm, ordinal, id);
            self.staff(&firm, id);
            self.entity_lists(&firm, ordinal, id);
        }
    }

    fn entity(&mut self, firm: &Firm, ordinal: u32, id: &str, owners: &[usize]) {
        let restricted = ordinal >= 8 && self.dice.chance(150);
        let (industry, trade) = if restricted { RESTRICTED } else { self.dice.pick(INDUSTRIES) };
        let word = firm_word(self.dice);
        let name = match firm.kind {
            "enterprise" => format!("样例市{word}{trade}{ordinal:04}有限公司"),
            "individual_business" => format!("样例市{word}{trade}{ordinal:04}店"),
            "social_organisation" => format!("样例市{word}{trade}{ordinal:04}协会"),
            "law_firm" => format!("样例{word}{ordinal:04}律师事务所"),
            _ => format!("样例{word}{ordinal:04}会计师事务所"),
        };
        let industry = match firm.kind {
            "law_firm" => "L7231",
            "accounting_firm" => "L7241",
            "social_organisation" => "S9521",
            _ => industry,
        };
        let owner = (!owners.is_empty() && !self.dice.chance(100)).then(|| self.people[self.dice.pick(owners)].id);
        if owner.is_none() {
            self.books.planted.null("legal_entity.legal_representative_id", id);
        }
        let county = firm.county.to_string();
        let cells = [
            Cell::Text(id),
            Cell::Text(&name),
            Cell::Text(firm.kind),
            Cell::Text(firm.size(ordinal)),
            Cell::Text(industry),
            Cell::Flag(restricted),
            Cell::Text(&county),
            Cell::Day(firm.established),
            firm.deregistered.into(),
            owner.as_ref().map(Id::as_str).into(),
        ];
        self.books.push(Register::LegalEntity, &cells);
    }

    fn taxes(&mut self, firm: &Firm, ordinal: u32, id: &str) {
        let small_scale = match (firm.kind, firm.size(ordinal)) {
            ("individual_business", _) => 9500,
            (_, "micro") => 8000,
            (_, "small") => 4000,
            _ => 0,
        };
        let vat_payer = if self.dice.chance(small_scale) { "small_scale" } else { "general" };
        let this_year = self.data_day.year();
        for year in [this_year - 2, this_year - 1] {
            let closed = firm.deregistered.is_some_and(|closed| closed.year() < year);
            if firm.established.year() > year || closed || self.dice.chance(150) {
                continue;
            }
            let staff = i64::from(firm.staff);
            let profit = self.dice.spread(staff * 22_000 + 40_000);
            let profit = if self.dice.chance(1200) { -profit / 3 } else { profit };
            let assets = self.dice.spread(staff * 160_000 + 250_000);
            let profit = if self.dice.chance(200) { Cell::Null } else { Cell::Money(profit * 100) };
            let average = if self.dice.chance(100) { Cell::Null } else { Cell::Int(firm.staff as i32) };
            let cells = [Cell::Text(id), Cell::Int(year), Cell::Text(vat_payer), profit, Cell::Money(assets * 100), average];
            self.books.push(Register::EntityTax, &cells);
        }
    }

    fn staff(&mut self, firm: &Firm, id: &str) {
        for row in staff_years(self.dice, firm, self.data_day) {
            let average = i64::from(row.insured_start + row.insured_end);
            // Twelve months of one per cent of the base, for the mean of the two counts, in fen.
            let premium = average * PREMIUM_BASE * 12 / 2 + self.dice.spread(900);
            let cells = [
                Cell::Text(id),
                Cell::Int(row.year),
                Cell::Int(row.insured_start as i32),
                Cell::Int(row.insured_end as i32),
                Cell::Money(premium),
                Cell::Int(row.months),
            ];
            self.books.push(Register::EntityStaff, &cells);
        }
    }

    fn entity_lists(&mut self, firm: &Firm, ordinal: u32, id: &str) {
        if ordinal >= 8 && self.dice.chance(CREDIT) {
            let list = self.dice.weighted(&[("dishonest_debtor", 70), ("serious_violation", 30)]);
            let from = add_days(self.data_day, -self.dice.between(20, 1500)).max(firm.established);
            let to = self.dice.chance(4000).then(|| add_days(from, self.dice.between(100, 900)));
            let to = to.filter(|day| *day <= self.data_day);
            let cells = [Cell::Text(id), Cell::Text(list), Cell::Day(from), to.into()];
            self.books.push(Register::CreditEntities, &cells);
        }
        let enterprise = firm.kind == "enterprise" && firm.deregistered.is_none();
        // The first few firms are recognised, so that the smallest city has one of each list.
        let certain = (4..8).contains(&ordinal);
        let lists = [("high_tech", 350), ("specialised_new", 150), ("science_sme", 300), ("employment_base", 100)];
        for (place, (list, rate)) in (4..).zip(lists) {
            let recognised = (certain && (place == ordinal || list == "high_tech")) || (enterprise && self.dice.chance(rate));
            if recognised {
                self.recognised_entity(firm, id, list);
            }
        }
    }

    fn recognised_entity(&mut self, firm: &Firm, id: &str, list: &str) {
        let recognised_on = recognition_day(self.dice, self.data_day).max(firm.established);
        let to = add_days(add_months(recognised_on, 36), -1);
        let cells = [Cell::Text(id), Cell::Text(list), Cell::Day(recognised_on), Cell::Day(to)];
        self.books.push(Register::RecognisedEntities, &cells);
    }
}

/// Recognitions last three years; most lie within the last year.
fn recognition_day(dice: &mut Dice, data_day: chrono::NaiveDate) -> chrono::NaiveDate {
    let oldest = if dice.chance(6000) { 360 } else { 1300 };
    add_days(data_day, -dice.between(15, oldest))
}
