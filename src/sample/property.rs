//! Writes what people own, owe and are recognised as: housing, vehicles, accounts, lists, family planning.

use chrono::{Datelike, NaiveDate};

use super::calendar::{add_days, add_years};
use super::layout::Register;
use super::occupation::recent_graduate;
use super::person::{Person, Relation, Work};
use super::population::Chunk;
use super::table::Cell;

/// Households per 10,000 that own a dwelling.
const OWNERS: u32 = 7200;
/// Grown people per 10,000 with an account for payment.
const ACCOUNTS: u32 = 9750;
/// Grown people per 10,000 on a credit list, now or before.
const CREDIT: u32 = 80;
/// People born 1933 to 1966 per 10,000 in the family planning register.
const FAMILY_PLANNING: u32 = 8500;
const BANKS: &[&str] = &["样例银行", "样例农商银行", "样例邮储银行", "样例建设银行"];

/// The children of a couple as the family planning register has them.
#[derive(Clone, Copy)]
struct Children {
    born: i32,
    alive: i32,
    girls: i32,
    violation: Option<bool>,
    status: &'static str,
}

impl Chunk<'_> {
    /// Writes the registers of this file.
    pub(super) fn write_property(&mut self) {
        let people = self.people;
        let mut families: Vec<Option<Children>> = vec![None; people.len()];
        for (index, person) in people.iter().enumerate() {
            self.account(person, index);
            if person.death.is_some() || person.age < 18 {
                continue;
            }
            let owns = self.homes(person, index);
            self.vehicle(person, index);
            self.credit(person);
            let children = self.family_planning(person, &mut families, index);
            self.recognised(person, owns, children);
        }
    }

    /// Some day in the past, at least `low` and at most `high` days ago, the person then of age.
    fn past_day(&mut self, person: &Person, low: i32, high: i32) -> NaiveDate {
        let drawn = add_days(self.data_day, -self.dice.between(low, high));
        drawn.max(add_years(person.birth, 18)).min(self.data_day)
    }

    fn homes(&mut self, person: &Person, index: usize) -> bool {
        let poor = self.households[person.household].poor;
        let owns = person.relation == Relation::Head && self.dice.chance(if poor { 5500 } else { OWNERS });
        if owns {
            self.home(person, index * 4);
            if !poor && self.dice.chance(1200) {
                self.home(person, index * 4 + 1);
            }
        }
        owns
    }

    fn home(&mut self, person: &Person, number: usize) {
        let from = self.past_day(person, 30, 9000);
        let sold = self.dice.chance(500).then(|| add_days(from, self.dice.between(100, 3000)));
        let to = sold.filter(|day| *day <= self.data_day);
        let widest = if person.rural { 200 } else { 140 };
        let area = self.dice.between(35, widest).min(self.dice.between(60, widest));
        let text = format!("BDC{:05}{number:08}", self.number);
        let cells = [Cell::Text(&text), Cell::Text(person.id.as_str()), Cell::Int(area), Cell::Day(from), to.into()];
        self.books.push(Register::Housing, &cells);
    }

    fn vehicle(&mut self, person: &Person, index: usize) {
        let poor = self.households[person.household].poor;
        let earns = matches!(person.work, Work::Employed | Work::Flexible);
        if !earns || !self.dice.chance(if poor { 300 } else { 3000 }) {
            return;
        }
        let from = self.past_day(person, 10, 3600);
        let gone = self.dice.chance(600).then(|| add_days(from, self.dice.between(100, 2000)));
        let to = gone.filter(|day| *day <= self.data_day);
        let value = self.dice.spread(70_000) / 100 * 100;
        let text = format!("样{:02}{index:05}", self.number);
        let cells = [Cell::Text(&text), Cell::Text(person.id.as_str()), Cell::Money(value * 100), Cell::Day(from), to.into()];
        self.books.push(Register::Vehicles, &cells);
    }

    fn account(&mut self, person: &Person, index: usize) {
        if person.struck_off || !self.dice.chance(if person.age < 16 { 7500 } else { ACCOUNTS }) {
            return;
        }
        let text = format!("62990{:05}{index:09}", self.number);
        let bank = self.dice.pick(BANKS);
        let active = !self.dice.chance(400);
        let cells = [Cell::Text(person.id.as_str()), Cell::Text(&text), Cell::Text(bank), Cell::Flag(active)];
        self.books.push(Register::BankAccounts, &cells);
    }

    fn credit(&mut self, person: &Person) {
        if person.age > 75 || !self.dice.chance(CREDIT) {
            return;
        }
        let list = self.dice.weighted(&[("dishonest_debtor", 80), ("serious_violation", 20)]);
        let from = self.past_day(person, 20, 2000);
        let to = self.dice.chance(4000).then(|| add_days(from, self.dice.between(100, 900)));
        self.listed(Register::CreditPersons, person, list, from, to.filter(|day| *day <= self.data_day));
    }

    fn listed(&mut self, register: Register, person: &Person, list: &str, from: NaiveDate, to: Option<NaiveDate>) {
        let cells = [Cell::Text(person.id.as_str()), Cell::Text(list), Cell::Day(from), to.into()];
        self.books.push(register, &cells);
    }

    fn family_planning(&mut self, person: &Person, families: &mut [Option<Children>], index: usize) -> Option<Children> {
        if !(1933..=1966).contains(&person.birth.year()) || !self.dice.chance(FAMILY_PLANNING) {
            return None;
        }
        let household = &self.households[person.household];
        let forsaken = household.poor && household.members.len() == 1 && person.work == Work::Old;
        let known = person.spouse.and_then(|spouse| families[spouse]);
        let children = match known {
            Some(children) => children,
            None if forsaken => Children { born: 0, alive: 0, girls: 0, violation: Some(false), status: "none" },
            None => self.children(person.rural),
        };
        families[index] = Some(children);
        let cells = [
            Cell::Text(person.id.as_str()),
            Cell::Int(children.born),
            Cell::Int(children.alive),
            Cell::Int(children.girls),
            children.violation.into(),
            Cell::Text(children.status),
        ];
        self.books.push(Register::FamilyPlanning, &cells);
        Some(children)
    }

    fn children(&mut self, rural: bool) -> Children {
        let born = if rural {
            self.dice.weighted(&[(0, 3), (1, 27), (2, 43), (3, 20), (4, 7)])
        } else {
            self.dice.weighted(&[(0, 5), (1, 62), (2, 24), (3, 9)])
        };
        let (mut alive, mut girls) = (0, 0);
        for _ in 0..born {
            if !self.dice.chance(300) {
                alive += 1;
                girls += i32::from(self.dice.chance(4880));
            }
        }
        let status = match (born, alive) {
            (1, 0) => "deceased",
            (1, _) => self.dice.weighted(&[("healthy", 96), ("disabled", 4)]),
            _ => "none",
        };
        let violation = self.dice.weighted(&[(Some(false), 90), (Some(true), 8), (None, 2)]);
        Children { born, alive, girls, violation, status }
    }

    fn recognised(&mut self, person: &Person, owns: bool, children: Option<Children>) {
        let poor = self.households[person.household].poor;
        let graduate = recent_graduate(person, self.data_day);
        let mut list = |list: &str, rate: u32, days: i32| {
            if self.dice.chance(rate) {
                let from = self.past_day(person, 15, days);
                let to = self.dice.chance(800).then(|| add_days(from, self.dice.between(100, 900)));
                let to = to.filter(|day| *day <= self.data_day);
                self.listed(Register::RecognisedPersons, person, list, from, to);
            }
        };
        if person.male && person.age >= 30 {
            list("veteran", 150, 4000);
        }
        if children.is_some_and(|children| children.born == 1) {
            list("sole_child_parent", 6000, 6000);
        }
        if graduate {
            list("hardship_graduate", if poor || person.disability.is_some() { 6000 } else { 500 }, 300);
        }
        if person.relation == Relation::Head && !owns {
            list("public_rental_tenant", 2500, 1800);
        }
        if person.relation == Relation::Head && poor {
            list("heating_household", 4000, 800);
        }
        let older = person.age >= if person.male { 50 } else { 40 };
        if person.work == Work::Flexible && older && person.age < 60 {
            list("hard_to_employ", 2500, 900);
        }
        if person.work == Work::Jobless {
            list("hard_to_employ", if older || person.disability.is_some() { 5500 } else { 300 }, 500);
        }
    }
}
