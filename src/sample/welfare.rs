//! Writes disability cards, income assessments and social assistance.

use super::books::Slip;
use super::calendar::{add_days, add_months, add_years, day};
use super::dirt::{NULL_ASSETS, NULL_INCOME};
use super::layout::Register;
use super::person::{Household, Person, Work};
use super::population::Chunk;
use super::table::Cell;

/// Income per head, yuan a month, below which the city gave the subsistence allowance.
const SUBSISTENCE: i64 = 900;
/// Income per head below which a household is near subsistence.
const NEAR_SUBSISTENCE: i64 = SUBSISTENCE * 3 / 2;
/// Households per 10,000 whose incomes were assessed.
const ASSESSED: u32 = 9200;
/// Entitled households per 10,000 that already have their assistance: the rest are to be found.
const TAKEN_UP: u32 = 6500;

impl Chunk<'_> {
    /// Writes the registers of this file.
    pub(super) fn write_welfare(&mut self) {
        let people = self.people;
        for (index, person) in people.iter().enumerate() {
            self.disability_card(person, index);
        }
        let mut slips = (Slip::default(), Slip::default());
        for household in self.households {
            self.assess(household, &mut slips);
            self.assist(household);
        }
    }

    fn disability_card(&mut self, person: &Person, index: usize) {
        let Some(disability) = person.disability else { return };
        let earliest = person.birth.max(day(2009, 1, 1));
        let issued_on = add_days(self.data_day, -self.dice.between(20, 3600)).max(earliest);
        let expires_on = if self.dice.chance(500) { None } else { Some(add_years(issued_on, 10)) };
        let Some(expires_on) = person.lasting(issued_on, expires_on, self.data_day) else { return };
        let number = format!("DC{:05}{index:07}", self.number);
        let cells = [
            Cell::Text(&number),
            Cell::Text(person.id.as_str()),
            Cell::Text(disability.kind),
            Cell::Int(disability.grade),
            disability.needs_care.into(),
            Cell::Day(issued_on),
            expires_on.into(),
        ];
        self.books.push(Register::DisabilityCards, &cells);
    }

    fn assess(&mut self, household: &Household, slips: &mut (Slip, Slip)) {
        if !self.dice.chance(ASSESSED) {
            return;
        }
        let assessed_on = add_days(self.data_day, -self.dice.between(5, 88));
        let people = self.people;
        let first = self.number == 0;
        for person in &people[household.members.clone()] {
            if person.known_death(self.data_day).is_some() {
                continue;
            }
            let id = person.id.as_str();
            let mut income = Cell::Money(person.income * 100);
            let median = if household.poor { 6000 } else { 12 * (person.income + 1500) };
            let assets = if person.age < 16 { 0 } else { self.dice.spread(median) };
            let mut assets = Cell::Money(assets * 100);
            if person.age >= 16 && slips.0.happens(self.dice, first, NULL_INCOME) {
                income = Cell::Null;
                self.books.planted.null("income_assessment.monthly_income", id);
            }
            if person.age >= 16 && slips.1.happens(self.dice, first, NULL_ASSETS) {
                assets = Cell::Null;
                self.books.planted.null("income_assessment.financial_assets", id);
            }
            let cells = [Cell::Text(id), income, assets, Cell::Day(assessed_on)];
            self.books.push(Register::IncomeAssessment, &cells);
        }
    }

    fn assist(&mut self, household: &Household) {
        let people = self.people;
        let members: Vec<&Person> =
            people[household.members.clone()].iter().filter(|person| person.known_death(self.data_day).is_none()).collect();
        let count = members.len().max(1) as i64;
        let per_head = members.iter().map(|person| person.income).sum::<i64>() / count;
        let alone = members.len() == 1 && members[0].work == Work::Old;
        let kind = match per_head {
            ..SUBSISTENCE if alone && self.dice.chance(6000) => "destitute",
            ..SUBSISTENCE => "subsistence",
            SUBSISTENCE..NEAR_SUBSISTENCE => "near_subsistence",
            _ => "",
        };
        let given = !kind.is_empty() && self.dice.chance(TAKEN_UP);
        let since = add_months(self.data_day, -self.dice.between(2, 60));
        let past = kind.is_empty() && self.dice.chance(80);
        for person in members {
            let orphan = self.orphan(person);
            let from = add_days(since, -3).max(person.birth);
            if orphan && self.dice.chance(8500) {
                self.assistance(person, household, "orphan", from, None);
            } else if given {
                self.assistance(person, household, kind, from, None);
            } else if past {
                let to = add_days(from, self.dice.between(20, 700)).min(add_days(self.data_day, -31));
                self.assistance(person, household, "subsistence", from, Some(to));
            }
        }
    }

    fn orphan(&self, person: &Person) -> bool {
        let dead = |index: Option<usize>| index.is_some_and(|index| self.people[index].death.is_some());
        person.age < 18 && dead(person.mother) && dead(person.father)
    }

    fn assistance(&mut self, person: &Person, household: &Household, kind: &str, from: chrono::NaiveDate, to: Option<chrono::NaiveDate>) {
        let Some(to) = person.lasting(from, to, self.data_day) else { return };
        let cells = [Cell::Text(person.id.as_str()), Cell::Text(&household.id), Cell::Text(kind), Cell::Day(from), to.into()];
        self.books.push(Register::SocialAssistance, &cells);
    }
}
