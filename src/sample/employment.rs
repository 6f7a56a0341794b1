//! Writes what work leaves in the registers: contracts, insurance spells, unemployment, pensions.

use chrono::{Datelike, NaiveDate};

use super::calendar::{add_days, add_months, add_years, day, days_between, month_start, months_between};
use super::entity::Firms;
use super::layout::Register;
use super::person::{Job, Person, Work};
use super::population::Chunk;
use super::table::Cell;

/// What an employer insures.
const EMPLOYEE_KINDS: [&str; 4] = ["pension", "medical", "unemployment", "injury"];
/// Contribution bases are held between these, in yuan a month.
const BASES: (i64, i64) = (4200, 24_000);
/// Monthly part of the residents' medical premium, in fen.
const RESIDENT_MEDICAL: i64 = 3333;

/// How an employer insures a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Insured {
    Fully,
    InjuryOnly,
    Not,
}

impl Chunk<'_> {
    /// Writes the registers of this file.
    pub(super) fn write_employment(&mut self, firms: &Firms) {
        let people = self.people;
        for (index, person) in people.iter().enumerate() {
            for (place, job) in person.jobs.iter().enumerate() {
                let number = index * 2 + place;
                self.job(person, *job, number, firms);
            }
            self.unemployment(person);
            self.resident_insurance(person);
            self.pension(person);
        }
    }

    fn insure(&mut self, person: &Person, entity: Option<&str>, kind: &str, spell: (NaiveDate, Option<NaiveDate>), base: i64) {
        let id = person.known_as();
        let Some(to) = person.lasting(spell.0, spell.1, self.data_day) else { return };
        if person.old_id.is_some() {
            self.renumbered_row("social_insurance");
        }
        let cells = [
            Cell::Text(id.as_str()),
            entity.into(),
            Cell::Text(kind),
            Cell::Day(month_start(spell.0)),
            to.map(month_start).into(),
            Cell::Money(base),
        ];
        self.books.push(Register::SocialInsurance, &cells);
    }

    pub(super) fn renumbered_row(&mut self, register: &str) {
        *self.books.planted.renumbered_rows.entry(register.to_owned()).or_default() += 1;
    }

    fn job(&mut self, person: &Person, job: Job, number: usize, firms: &Firms) {
        let entity = firms.get(job.firm).id(job.firm);
        let entity = entity.as_str();
        self.contract(person, job, number, entity);
        let insured = self.dice.weighted(&[(Insured::Fully, 93), (Insured::InjuryOnly, 4), (Insured::Not, 3)]);
        let earned = if job.to.is_some() { person.income * 4 / 5 } else { person.income };
        let base = earned.clamp(BASES.0, BASES.1) * 100;
        let from = month_start(job.from);
        let to = match job.to {
            // Paid up to the month before the next job or the leaving.
            Some(left) => Some(add_months(month_start(left), -1)),
            None if self.dice.chance(200) => Some(add_months(month_start(self.data_day), -self.dice.between(2, 5))),
            None => None,
        };
        if to.is_some_and(|to| to < from) || insured == Insured::Not {
            return;
        }
        for kind in EMPLOYEE_KINDS {
            if insured == Insured::Fully || kind == "injury" {
                self.insure(person, Some(entity), kind, (from, to), base);
            }
        }
    }

    fn contract(&mut self, person: &Person, job: Job, number: usize, entity: &str) {
        if self.dice.chance(600) {
            return;
        }
        let mut end = job.to;
        if end.is_none() && !self.dice.chance(4000) {
            let mut term = add_years(job.from, 3);
            while term <= self.data_day {
                term = add_years(term, 3);
            }
            end = Some(add_days(term, -1));
        }
        let Some(end) = person.lasting(job.from, end, self.data_day) else { return };
        let number = format!("HT{}{:05}{number:07}", job.from.year(), self.number);
        let cells = [Cell::Text(&number), Cell::Text(person.id.as_str()), Cell::Text(entity), Cell::Day(job.from), end.into()];
        self.books.push(Register::EmploymentContracts, &cells);
    }

    fn unemployment(&mut self, person: &Person) {
        if !person.registered {
            return;
        }
        let (from, to) = if person.work == Work::Jobless {
            (add_days(person.since, self.dice.between(2, 50)), None)
        } else {
            // Registered before the present job; the registration ended the day before it.
            let to = add_days(person.since, -1);
            (add_days(to, -self.dice.between(20, 200)), Some(to))
        };
        let worked = person.jobs.iter().any(|job| job.to.is_some());
        let reason = if worked {
            self.dice.weighted(&[("dismissed", 40), ("contract_ended", 28), ("bankrupt", 9), ("resigned", 23)])
        } else {
            "never_employed"
        };
        let Some(to) = person.lasting(from, to, self.data_day) else { return };
        if from < add_years(person.birth, 16) {
            return;
        }
        let cells = [Cell::Text(person.id.as_str()), Cell::Day(from), to.into(), Cell::Text(reason), Cell::Flag(!self.dice.chance(1000))];
        self.books.push(Register::UnemploymentRegistration, &cells);
    }

    /// Insurance of those whom no employer insures.
    fn resident_insurance(&mut self, person: &Person) {
        let start = |years: i32| add_years(person.birth, years).max(day(2011, 7, 1));
        let own = person.income.clamp(BASES.0, BASES.1) * 100;
        match person.work {
            Work::Employed => return,
            Work::Flexible => {
                if self.dice.chance(5500) {
                    self.insure(person, None, "pension", (person.since, None), own);
                }
            }
            Work::Farmer | Work::Homemaker => {
                if self.dice.chance(7000) {
                    self.insure(person, None, "resident_pension", (start(16), None), 10_000);
                }
            }
            Work::Pensioner => {
                let years = self.dice.between(15, 33);
                let last = add_months(person.since, -1);
                let from = add_years(person.since, -years).max(day(1992, 1, 1));
                self.insure(person, None, "pension", (from, Some(last)), BASES.0 * 100);
            }
            Work::Old => {
                // At least 180 months, paid up at once by those who were already old in 2011; some are short of it.
                let months = if self.dice.chance(800) { self.dice.between(40, 179) } else { self.dice.between(180, 290) };
                let last = add_months(month_start(add_years(person.birth, 60)).max(day(2011, 12, 1)), -1);
                let from = add_months(last, 1 - months);
                self.insure(person, None, "resident_pension", (from, Some(last)), 10_000);
            }
            Work::None | Work::Jobless => {}
        }
        if self.dice.chance(9500) {
            let from = month_start(person.birth).max(day(2016, 1, 1));
            let from = if person.work == Work::Jobless { month_start(person.since) } else { from };
            self.insure(person, None, "medical", (from, None), RESIDENT_MEDICAL);
        }
    }

    fn pension(&mut self, person: &Person) {
        let (kind, from, rate) = match person.work {
            Work::Pensioner => ("employee", person.since, 9800),
            // Some who could draw a resident's pension do not yet.
            Work::Old => ("resident", add_months(month_start(add_years(person.birth, 60)), 1).max(day(2012, 1, 1)), 8800),
            _ => return,
        };
        let just_retired = days_between(from, self.data_day) < 60;
        if just_retired || months_between(from, self.data_day) < 1 || !self.dice.chance(rate) {
            return;
        }
        let kind = if self.dice.chance(150) { "other" } else { kind };
        let Some(to) = person.lasting(from, None, self.data_day) else { return };
        let cells = [Cell::Text(person.id.as_str()), Cell::Text(kind), Cell::Day(from), to.map(month_start).into()];
        self.books.push(Register::PensionBenefits, &cells);
    }
}
