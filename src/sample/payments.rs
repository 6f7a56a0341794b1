//! Writes the grants already paid, and the refusals and objections on record.

use chrono::{Datelike, NaiveDate};

use super::books::Slip;
use super::calendar::{add_days, add_months, add_years, age, day, month_start};
use super::dirt::{PAID_AMOUNT, REFUSAL};
use super::layout::Register;
use super::person::Person;
use super::population::Chunk;
use super::table::Cell;

/// The childcare subsidy.
const CHILDCARE: &str = "000000-WJ-0001";
/// The city's old-age allowance.
const OLD_AGE: &str = "990100-MZ-0007";
/// Children per 10,000 who were paid for the year before the data day, and for this year already.
const CHILDCARE_PAID: (u32, u32) = (5500, 1200);
/// Old people per 10,000 whose allowance was paid month by month, and for the month of the data day already.
const OLD_AGE_PAID: (u32, u32) = (8500, 1000);

impl Chunk<'_> {
    /// Writes the registers of this file.
    pub(super) fn write_payments(&mut self) {
        let people = self.people;
        let mut wrong = Slip::default();
        for person in people {
            let refuses = self.refusal(person);
            if person.hukou.is_some_and(|county| county / 100 == 9901) && !person.struck_off {
                self.childcare(person);
                self.old_age(person, refuses, &mut wrong);
            }
        }
    }

    fn paid(&mut self, person: &Person, policy: &str, period: &str, yuan: i32, paid_on: NaiveDate) {
        let id = person.known_as();
        if person.old_id.is_some() {
            self.renumbered_row("grants_paid");
        }
        let cells = [
            Cell::Text("person"),
            Cell::Text(id.as_str()),
            Cell::Text(policy),
            Cell::Text(period),
            Cell::Null,
            Cell::Money(i64::from(yuan) * 100),
            Cell::Day(paid_on),
        ];
        self.books.push(Register::GrantsPaid, &cells);
    }

    fn childcare(&mut self, person: &Person) {
        if person.birth < day(2022, 1, 1) || person.death.is_some() || !person.chinese {
            return;
        }
        let this_year = self.data_day.year();
        for (year, rate) in [(this_year - 1, CHILDCARE_PAID.0), (this_year, CHILDCARE_PAID.1)] {
            let amount = childcare_amount(person.birth, year);
            let paid_on = day(year, if year == this_year { 3 } else { 11 }, 20);
            if amount > 0 && person.birth < paid_on && paid_on <= self.data_day && self.dice.chance(rate) {
                self.paid(person, CHILDCARE, &year.to_string(), amount, paid_on);
            }
        }
    }

    fn old_age(&mut self, person: &Person, refuses: bool, wrong: &mut Slip) {
        let Some(county) = person.hukou.filter(|_| person.age >= 80) else { return };
        if !self.dice.chance(OLD_AGE_PAID.0) {
            return;
        }
        let this_month = month_start(self.data_day);
        let already = self.dice.chance(OLD_AGE_PAID.1);
        for back in (0..6).rev() {
            let month = add_months(this_month, -back);
            let death = person.death.map(|death| month_start(death.on));
            let gone = death.is_some_and(|death| add_months(death, 1) < month);
            // The age of a month is that at its end; after a death, that at the end of the month of death.
            let reached = age(person.birth, add_days(add_months(death.unwrap_or(month).min(month), 1), -1));
            if reached < 80 || gone || (back == 0 && !already) {
                continue;
            }
            let mut yuan = old_age_amount(county, reached, month);
            // Only where nothing else decides whether the amount is owed.
            let plain = person.death.is_none() && person.disability.is_none() && !refuses;
            if back == 0 && plain && wrong.happens(self.dice, self.number == 0, PAID_AMOUNT) {
                yuan /= 2;
                let conflicts = &mut self.books.planted.conflicts;
                conflicts.entry("paid_amount".to_owned()).or_default().note(person.id.as_str());
            }
            let paid_on = add_days(month, 19).min(self.data_day);
            self.paid(person, OLD_AGE, &month.format("%Y-%m").to_string(), yuan, paid_on);
        }
    }

    /// Writes what a person refuses; says whether it is the old-age allowance.
    fn refusal(&mut self, person: &Person) -> bool {
        let rate = if person.age >= 80 { REFUSAL * 7 } else { REFUSAL };
        if person.age < 16 || person.death.is_some() || !self.dice.chance(rate) {
            return false;
        }
        let kind = self.dice.weighted(&[("push_opt_out", 55), ("refused_benefit", 25), ("objected_automation", 20)]);
        let policy = (kind == "refused_benefit").then_some(OLD_AGE);
        let on = add_days(self.data_day, -self.dice.between(3, 700)).max(add_years(person.birth, 16));
        let cells = [Cell::Text("person"), Cell::Text(person.id.as_str()), Cell::Text(kind), policy.into(), Cell::Day(on)];
        self.books.push(Register::Refusals, &cells);
        policy.is_some()
    }
}

/// What the scheme pays a child born on `birth` for one calendar year, in yuan (育儿补贴制度实施方案, 2025).
fn childcare_amount(birth: NaiveDate, year: i32) -> i32 {
    if birth.year() >= 2025 {
        return if (birth.year()..birth.year() + 3).contains(&year) { 3600 } else { 0 };
    }
    let months = (birth.year() + 3 - 2025) * 12 + birth.month() as i32;
    (300 * months - 3600 * (year - 2025)).clamp(0, 3600)
}

/// What the city pays an old person of a county for a month, in yuan; two counties have rates of their own since 2025
/// (policies/parameters/old-age.yaml).
fn old_age_amount(county: u32, age: i32, month: NaiveDate) -> i32 {
    let rates = match county {
        990_101 if month.year() >= 2025 => [50, 50, 1000],
        990_102 if month.year() >= 2025 => [60, 120, 500],
        _ => [100, 200, 500],
    };
    match age {
        100.. => rates[2],
        90.. => rates[1],
        _ => rates[0],
    }
}
