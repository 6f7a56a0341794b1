//! What people learn and live by: schooling, jobs, unemployment, retirement, incomes, disability.

use chrono::{Datelike, NaiveDate};

use super::calendar::{add_days, add_months, add_years, age, day, days_between, month_start, months_between, school_year};
use super::dice::Dice;
use super::entity::Firms;
use super::person::{Disability, Job, Person, Relation, Study, Work};

/// Stages of education after compulsory school: name, age at entry, years.
type Stage = (&'static str, i32, i32);
const VOCATIONAL: Stage = ("vocational", 15, 3);
const SENIOR: Stage = ("senior", 15, 3);
const COLLEGE: Stage = ("college", 18, 3);
const BACHELOR: Stage = ("bachelor", 18, 4);
const MASTER: Stage = ("master", 22, 3);
const DOCTOR: Stage = ("doctor", 25, 4);
const CHILDHOOD: [Stage; 3] = [("kindergarten", 3, 3), ("primary", 6, 6), ("junior", 12, 3)];
/// How far people go, by weight.
const TRACKS: &[(&[Stage], u32)] = &[
    (&[], 7),
    (&[VOCATIONAL], 22),
    (&[SENIOR], 10),
    (&[SENIOR, COLLEGE], 28),
    (&[SENIOR, BACHELOR], 27),
    (&[SENIOR, BACHELOR, MASTER], 5),
    (&[SENIOR, BACHELOR, MASTER, DOCTOR], 1),
];
/// Years after which the register no longer shows a past stage.
const SCHOOL_MEMORY: i32 = 12;

/// Draws what one person learns and lives by.
pub(super) struct Lives<'a> {
    pub(super) dice: &'a mut Dice,
    pub(super) firms: &'a Firms,
    pub(super) data_day: NaiveDate,
}

impl Lives<'_> {
    /// Fills in schooling, work, disability and income.
    pub(super) fn live(&mut self, person: &mut Person, poor: bool) {
        let in_school = self.schooling(person);
        person.disability = self.disability(person.age);
        person.work = self.work(person, poor, in_school);
        match person.work {
            Work::Employed => self.employ(person),
            Work::Jobless => self.dismiss(person),
            _ => self.settle(person),
        }
        person.income = self.income(person, poor);
    }

    fn schooling(&mut self, person: &mut Person) -> bool {
        let year = school_year(self.data_day);
        let years = age(person.birth, day(year, 9, 1));
        if !(3..=40).contains(&years) {
            return false;
        }
        let mut stages = CHILDHOOD.to_vec();
        stages.extend_from_slice(self.dice.weighted(TRACKS));
        let mut in_school = false;
        for (stage, entry, length) in stages {
            let begun = years - entry;
            if begun < 0 || begun - length > SCHOOL_MEMORY || (entry < 15 && begun >= length) {
                continue;
            }
            if entry == 3 && self.dice.chance(1000) {
                continue;
            }
            let from = day(year - begun, 9, 1);
            let last = day(year - begun + length, 6, 18 + self.dice.below(10));
            let graduated_on = (last <= self.data_day).then_some(last);
            if graduated_on.is_some() && self.dice.chance(300) {
                continue;
            }
            in_school |= graduated_on.is_none();
            person.studies.push(Study { stage, from, graduated_on });
        }
        in_school
    }

    fn disability(&mut self, years: i32) -> Option<Disability> {
        let rate = match years {
            ..18 => 150,
            18..45 => 250,
            45..60 => 600,
            60..75 => 1150,
            _ => 1900,
        };
        if !self.dice.chance(rate) {
            return None;
        }
        let kind = self.dice.weighted(&[
            ("physical", 45),
            ("hearing", 15),
            ("visual", 13),
            ("mental", 10),
            ("intellectual", 9),
            ("multiple", 5),
            ("speech", 3),
        ]);
        let grade = self.dice.weighted(&[(1, 14), (2, 22), (3, 30), (4, 34)]);
        let needs_care = match grade {
            1 | 2 => self.dice.weighted(&[(Some(true), 70), (Some(false), 20), (None, 10)]),
            _ => self.dice.weighted(&[(Some(true), 8), (Some(false), 82), (None, 10)]),
        };
        Some(Disability { kind, grade, needs_care })
    }

    fn work(&mut self, person: &Person, poor: bool, in_school: bool) -> Work {
        use Work::{Employed, Farmer, Flexible, Homemaker, Jobless, Old, Pensioner};
        let retires = if person.male { 60 } else { 55 };
        if person.age < 16 || (in_school && person.age < 30) {
            return Work::None;
        }
        if person.age >= retires {
            let pension = match (poor, person.rural) {
                (true, _) => 600,
                (false, true) => 2600,
                (false, false) => 8000,
            };
            if self.dice.chance(pension) {
                return Pensioner;
            }
            return if person.age < 60 { Homemaker } else { Old };
        }
        let weights: &[(Work, u32)] = match (poor, person.rural, person.age) {
            (true, true, _) => &[(Employed, 10), (Flexible, 12), (Farmer, 34), (Jobless, 26), (Homemaker, 18)],
            (true, false, _) => &[(Employed, 14), (Flexible, 18), (Jobless, 42), (Homemaker, 26)],
            (false, _, ..25) => &[(Employed, 58), (Flexible, 14), (Jobless, 22), (Homemaker, 6)],
            (false, true, _) => &[(Employed, 47), (Flexible, 15), (Farmer, 23), (Jobless, 6), (Homemaker, 9)],
            (false, false, _) => &[(Employed, 68), (Flexible, 15), (Jobless, 7), (Homemaker, 10)],
        };
        let drawn = self.dice.weighted(weights);
        // Somebody has to earn: the heads of most households do.
        let idle_head = !poor && person.relation == Relation::Head && matches!(drawn, Jobless | Homemaker);
        if idle_head && self.dice.chance(6000) { Flexible } else { drawn }
    }

    fn employ(&mut self, person: &mut Person) {
        let firm = self.firms.draw(self.dice);
        let earliest = first_working_day(person).max(self.firms.get(firm).established);
        let reach = months_between(earliest, self.data_day).clamp(0, 240);
        let from = if reach < 40 {
            // A first job soon after school.
            let span = days_between(earliest, self.data_day).clamp(0, 300);
            add_days(earliest, self.dice.between(1, span)).min(self.data_day)
        } else {
            // The product of two draws: many short tenures, few long ones.
            let tenure = self.dice.between(0, reach) * self.dice.between(0, reach) / reach;
            add_days(add_months(self.data_day, -tenure), -self.dice.between(0, 27)).max(earliest)
        };
        let before = months_between(first_working_day(person), from);
        if before > 8 && self.dice.chance(4000) {
            let to = add_days(from, -self.dice.between(1, 400));
            self.past_job(person, to, 60);
        } else if person.age < 27 && days_between(from, self.data_day) < 540 {
            person.registered = self.dice.chance(3500);
        }
        person.jobs.push(Job { firm, from: from.min(self.data_day), to: None });
        person.since = from.min(self.data_day);
    }

    fn dismiss(&mut self, person: &mut Person) {
        let left = add_days(self.data_day, -self.dice.between(10, 600));
        let earliest = first_working_day(person);
        let worked = months_between(earliest, left) > 6 && self.dice.chance(8800);
        if worked {
            self.past_job(person, left, 180);
        }
        person.registered = self.dice.chance(5800);
        person.since = if worked { left } else { left.max(earliest).min(self.data_day) };
    }

    fn past_job(&mut self, person: &mut Person, to: NaiveDate, longest: i32) {
        let earliest = first_working_day(person);
        let reach = months_between(earliest, to).clamp(1, longest);
        let months = 1 + self.dice.between(0, reach - 1).min(self.dice.between(0, longest));
        let firm = self.firms.draw(self.dice);
        let from = add_months(to, -months).max(earliest).max(self.firms.get(firm).established);
        if from < to {
            person.jobs.push(Job { firm, from, to: Some(to) });
        }
    }

    /// The month in which those without an employer began to live as they do.
    fn settle(&mut self, person: &mut Person) {
        let day = match person.work {
            Work::Pensioner if person.male => add_years(person.birth, 60),
            Work::Pensioner => add_years(person.birth, 55),
            Work::Old => add_years(person.birth, 60),
            Work::Flexible | Work::Farmer | Work::Homemaker => {
                let earliest = first_working_day(person);
                let reach = months_between(earliest, self.data_day).clamp(0, 300);
                add_months(self.data_day, -self.dice.between(0, reach))
            }
            _ => self.data_day,
        };
        person.since = month_start(day.min(self.data_day));
    }

    /// Yuan a month; the very poor live on a fraction of the usual.
    fn income(&mut self, person: &Person, poor: bool) -> i64 {
        let usual = |rich: i64, meagre: i64| if poor { meagre } else { rich };
        let drawn = match person.work {
            Work::None => 0,
            Work::Employed => self.dice.spread(5600).max(2200),
            Work::Flexible => self.dice.spread(usual(4300, 900)),
            Work::Farmer => self.dice.spread(usual(2300, 450)),
            Work::Jobless => i64::from(self.dice.between(0, if poor { 200 } else { 1800 })),
            Work::Homemaker => i64::from(self.dice.between(0, if poor { 100 } else { 1400 })),
            Work::Pensioner => self.dice.spread(3300).max(1500),
            Work::Old => 220 + self.dice.spread(usual(1500, 150)),
        };
        drawn / 10 * 10
    }
}

/// The age at which a person finished their last stage, with the day.
pub(super) fn last_graduation(person: &Person) -> Option<Study> {
    let finished = person.studies.iter().filter(|study| study.graduated_on.is_some());
    finished.max_by_key(|study| study.graduated_on).copied()
}

/// Whether a person finished a stage after school within three calendar years, that of `day` included.
pub(super) fn recent_graduate(person: &Person, day: NaiveDate) -> bool {
    let higher = |study: &Study| matches!(study.stage, "college" | "bachelor" | "master" | "doctor");
    last_graduation(person).is_some_and(|study| higher(&study) && study.graduated_on.is_some_and(|date| date.year() >= day.year() - 2))
}

/// The first day on which a person can have worked.
fn first_working_day(person: &Person) -> NaiveDate {
    let of_age = add_years(person.birth, 18);
    let left_school = person.studies.iter().filter_map(|study| study.graduated_on).max();
    left_school.map_or(of_age, |date| date.max(of_age))
}
